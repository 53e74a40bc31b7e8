import { Button, Dropdown, Field, Input, Option, SpinButton, Switch, Textarea, Tooltip, makeStyles, tokens } from '@fluentui/react-components';
import { AddRegular, DeleteRegular, SaveRegular } from '@fluentui/react-icons';
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { useMemo, useState } from 'react';
import { useLocation } from 'wouter';
import { Sure } from '../access/parts';
import { actionText, automationApi, conditionText, operators, playbookId, properties, type AutomationRule, type Condition, type RuleAction } from '../api/automation';
import { ApiError } from '../api/client';
import { playbooksApi } from '../api/playbooks';
import { rulesApi } from '../api/rules';
import { allows, insightsPath, useSession } from '../api/session';
import { Section } from '../ui/bits';
import { Page } from '../ui/Page';
import { EmptyState, ErrorBox, Loaded } from '../ui/States';

const useStyles = makeStyles({
  form: { display: 'grid', gap: '20px', maxWidth: '860px' },
  line: { display: 'grid', gridTemplateColumns: 'minmax(130px, 1fr) minmax(130px, 1fr) minmax(180px, 2fr) auto', gap: '8px', alignItems: 'end', '@media (max-width: 900px)': { gridTemplateColumns: 'minmax(0, 1fr)' } },
  act: { display: 'grid', gap: '10px', border: `1px solid ${tokens.colorNeutralStroke2}`, borderRadius: '4px', padding: '10px 12px' },
  row: { display: 'flex', gap: '8px', flexWrap: 'wrap', alignItems: 'end' },
  grow: { flexGrow: 1, minWidth: '160px' },
});

const fresh = (): AutomationRule => ({
  name: crypto.randomUUID(),
  properties: { displayName: '', order: 1, triggeringLogic: { isEnabled: true, triggersOn: 'Incidents', triggersWhen: 'Created', conditions: [] }, actions: [{ order: 1, actionType: 'ModifyProperties', actionConfiguration: { status: 'Active' } }] },
});

export default function AutomationRulePage({ id }: { id: string }) {
  const { workspace } = useSession();
  const api = useMemo(() => automationApi(workspace), [workspace]);
  const made = useMemo(fresh, []);
  const isNew = id === 'new';
  const rule = useQuery({ queryKey: ['automation', id], queryFn: () => api.get(id), enabled: !isNew, refetchOnWindowFocus: false });
  const crumbs = [{ to: '/automation', label: 'Automation' }];
  if (isNew) return <Form start={made} isNew />;
  if (rule.error instanceof ApiError && rule.error.status === 404)
    return (
      <Page title="Automation rule" crumbs={crumbs}>
        <EmptyState title="There is no such rule" text="It may have been deleted." />
      </Page>
    );
  return rule.data ? (
    <Form key={rule.data.etag} start={rule.data} />
  ) : (
    <Page title="Automation rule" crumbs={crumbs}>
      <Loaded of={rule}>{() => null}</Loaded>
    </Page>
  );
}

const triggers: [string, string, AutomationRule['properties']['triggeringLogic']['triggersOn'], 'Created' | 'Updated'][] = [
  ['ic', 'An incident is created', 'Incidents', 'Created'],
  ['iu', 'An incident is updated', 'Incidents', 'Updated'],
  ['ac', 'An alert is created', 'Alerts', 'Created'],
];

function Form({ start, isNew }: { start: AutomationRule; isNew?: boolean }) {
  const styles = useStyles();
  const { workspace, user } = useSession();
  const [, go] = useLocation();
  const client = useQueryClient();
  const may = allows(user, 'Contributor');
  const api = useMemo(() => automationApi(workspace), [workspace]);
  const rules = useQuery({ queryKey: ['rules'], queryFn: () => rulesApi(workspace).list(), retry: false });
  const [p, setP] = useState(start.properties);
  const [sure, setSure] = useState(false);
  const t = p.triggeringLogic;
  const setT = (c: Partial<typeof t>) => setP({ ...p, triggeringLogic: { ...t, ...c } });
  const done = () => {
    void client.invalidateQueries({ queryKey: ['automation'] });
    go('/automation');
  };
  const save = useMutation({ mutationFn: () => api.save({ ...start, properties: { ...p, actions: p.actions.map((a, i) => ({ ...a, order: i + 1 })) } }), onSuccess: done });
  const remove = useMutation({ mutationFn: () => api.remove(start.name), onSuccess: done });
  const set = <T,>(list: T[], i: number, v: T) => list.map((x, k) => (k === i ? v : x));
  const trigger = triggers.find(([, , on, when]) => on === t.triggersOn && when === t.triggersWhen) ?? triggers[0]!;
  const ruleName = (id: string) => rules.data?.find((r) => r.name.toLowerCase() === id.toLowerCase())?.properties.displayName ?? id;
  return (
    <Page
      title={isNew ? 'Create an automation rule' : start.properties.displayName}
      crumbs={[{ to: '/automation', label: 'Automation' }]}
      commands={
        <>
          <Button size="small" appearance="primary" icon={<SaveRegular />} disabled={!may || !p.displayName.trim() || !p.actions.length || save.isPending} onClick={() => save.mutate()}>
            Save
          </Button>
          <Switch label={t.isEnabled ? 'On' : 'Off'} checked={t.isEnabled} disabled={!may} onChange={(_, d) => setT({ isEnabled: d.checked })} />
          {!isNew && (
            <Button size="small" appearance="subtle" icon={<DeleteRegular />} disabled={!may} onClick={() => setSure(true)}>
              Delete
            </Button>
          )}
        </>
      }
    >
      <div className={styles.form}>
        {[save.error, remove.error].map((e, i) => (e ? <ErrorBox key={i} error={e} title="The rule was not saved" /> : null))}
        <Field label="Name" required>
          <Input value={p.displayName} onChange={(_, d) => setP({ ...p, displayName: d.value })} />
        </Field>
        <div className={styles.row}>
          <Field label="When" className={styles.grow}>
            <Dropdown
              value={trigger[1]}
              selectedOptions={[trigger[0]]}
              onOptionSelect={(_, d) => {
                const x = triggers.find(([k]) => k === d.optionValue)!;
                setP({
                  ...p,
                  triggeringLogic: { ...t, triggersOn: x[2], triggersWhen: x[3] },
                  // Alerts can only start playbooks.
                  actions: x[2] === 'Alerts' ? p.actions.filter((a) => a.actionType === 'RunPlaybook') : p.actions,
                });
              }}
            >
              {triggers.map(([k, label]) => (
                <Option key={k} value={k}>
                  {label}
                </Option>
              ))}
            </Dropdown>
          </Field>
          <Field label="Order" hint="Lower ones run first.">
            <SpinButton value={p.order} min={1} max={1000} onChange={(_, d) => setP({ ...p, order: Math.min(1000, Math.max(1, d.value ?? (Number(d.displayValue) || 1))) })} />
          </Field>
          <Field label="Ends" hint="Empty is never.">
            <Input type="date" value={t.expirationTimeUtc?.slice(0, 10) ?? ''} onChange={(_, d) => setT({ expirationTimeUtc: d.value ? d.value + 'T23:59:59Z' : null })} />
          </Field>
        </div>
        <Section title="If all of these hold">
          {t.conditions.map((c, i) => (
            <ConditionLine key={i} c={c} ruleName={ruleName} rules={rules.data?.map((r) => [r.name, r.properties.displayName]) ?? []} set={(n) => setT({ conditions: set(t.conditions, i, n) })} remove={() => setT({ conditions: t.conditions.filter((_, k) => k !== i) })} />
          ))}
          {!t.conditions.length && <span>Nothing is asked: the rule acts always.</span>}
          <div>
            <Button size="small" icon={<AddRegular />} onClick={() => setT({ conditions: [...t.conditions, { conditionType: 'Property', conditionProperties: { propertyName: 'IncidentTitle', operator: 'Contains', propertyValues: [] } }] })}>
              Add a condition
            </Button>
          </div>
        </Section>
        <Section title="Then">
          {p.actions.map((a, i) => (
            <ActionBox key={i} n={i + 1} a={a} alerts={t.triggersOn === 'Alerts'} set={(n) => setP({ ...p, actions: set(p.actions, i, n) })} remove={() => setP({ ...p, actions: p.actions.filter((_, k) => k !== i) })} />
          ))}
          <div>
            <Button
              size="small"
              icon={<AddRegular />}
              onClick={() => setP({ ...p, actions: [...p.actions, t.triggersOn === 'Alerts' ? { order: 0, actionType: 'RunPlaybook', actionConfiguration: {} } : { order: 0, actionType: 'ModifyProperties', actionConfiguration: {} }] })}
            >
              Add an action
            </Button>
          </div>
        </Section>
      </div>
      {sure && <Sure title={`Delete ${start.properties.displayName}?`} verb="Delete" text="What it did stays." go={() => remove.mutate()} close={() => setSure(false)} />}
    </Page>
  );
}

function ConditionLine({ c, rules, ruleName, set, remove }: { c: Condition; rules: [string, string][]; ruleName: (id: string) => string; set: (c: Condition) => void; remove: () => void }) {
  const styles = useStyles();
  const { workspace } = useSession();
  const p = c.conditionProperties;
  const del = (
    <Tooltip content="Remove the condition" relationship="label">
      <Button appearance="subtle" icon={<DeleteRegular />} onClick={remove} />
    </Tooltip>
  );
  // Kinds that the form does not edit are kept as they came.
  if (c.conditionType !== 'Property')
    return (
      <div className={styles.row}>
        <code className={styles.grow} style={{ overflowWrap: 'anywhere', fontSize: 12 }}>
          {conditionText(c, ruleName)}
        </code>
        {del}
      </div>
    );
  const put = (more: Condition['conditionProperties']) => set({ ...c, conditionProperties: { ...p, ...more } });
  const byRule = p.propertyName === 'IncidentRelatedAnalyticRuleIds';
  const known = properties.some(([k]) => k === p.propertyName) ? properties : [...properties, [p.propertyName ?? '', p.propertyName ?? ''] as [string, string]];
  return (
    <div className={styles.line}>
      <Field label="Property">
        <Dropdown value={known.find(([k]) => k === p.propertyName)?.[1]} selectedOptions={[p.propertyName ?? '']} onOptionSelect={(_, d) => put({ propertyName: d.optionValue, propertyValues: [] })}>
          {known.map(([k, label]) => (
            <Option key={k} value={k}>
              {label}
            </Option>
          ))}
        </Dropdown>
      </Field>
      <Field label="Operator">
        <Dropdown value={operators.find(([k]) => k === p.operator)?.[1] ?? p.operator} selectedOptions={[p.operator ?? '']} onOptionSelect={(_, d) => put({ operator: d.optionValue })}>
          {operators.map(([k, label]) => (
            <Option key={k} value={k}>
              {label}
            </Option>
          ))}
        </Dropdown>
      </Field>
      {byRule ? (
        <Field label="Analytics rules">
          <Dropdown
            multiselect
            value={(p.propertyValues ?? []).map((v) => ruleName(v.slice(v.lastIndexOf('/') + 1))).join(', ')}
            selectedOptions={p.propertyValues ?? []}
            onOptionSelect={(_, d) => put({ propertyValues: d.selectedOptions })}
          >
            {rules.map(([id, name]) => (
              <Option key={id} value={`${insightsPath(workspace)}/alertRules/${id}`}>
                {name}
              </Option>
            ))}
          </Dropdown>
        </Field>
      ) : (
        <Field label="Values" hint="One a line: any of them.">
          <Textarea rows={1} resize="vertical" value={(p.propertyValues ?? []).join('\n')} onChange={(_, d) => put({ propertyValues: d.value ? d.value.split('\n') : [] })} />
        </Field>
      )}
      {del}
    </div>
  );
}

const kinds: [RuleAction['actionType'], string][] = [
  ['ModifyProperties', 'Change the incident'],
  ['RunPlaybook', 'Run a playbook'],
  ['AddIncidentTask', 'Add a task'],
];

function ActionBox({ n, a, alerts, set, remove }: { n: number; a: RuleAction; alerts: boolean; set: (a: RuleAction) => void; remove: () => void }) {
  const styles = useStyles();
  const { workspace } = useSession();
  const books = useQuery({ queryKey: ['playbooks'], queryFn: playbooksApi.list, retry: false });
  const c = a.actionConfiguration;
  const put = (more: RuleAction['actionConfiguration']) => set({ ...a, actionConfiguration: { ...c, ...more } });
  const pick = (label: string, value: string | undefined, options: string[], to: (v: string | undefined) => void) => (
    <Field label={label} className={styles.grow}>
      <Dropdown value={value ?? 'leave it'} selectedOptions={[value ?? '']} onOptionSelect={(_, d) => to(d.optionValue || undefined)}>
        <Option value="" text="leave it">
          leave it
        </Option>
        {options.map((o) => (
          <Option key={o}>{o}</Option>
        ))}
      </Dropdown>
    </Field>
  );
  const bookName = c.logicAppResourceId ? c.logicAppResourceId.slice(c.logicAppResourceId.lastIndexOf('/') + 1) : '';
  return (
    <div className={styles.act} role="group" aria-label={`Action ${n}: ${actionText(a)}`}>
      <div className={styles.row}>
        <Field label={`${n}. Action`} className={styles.grow}>
          <Dropdown value={kinds.find(([k]) => k === a.actionType)?.[1]} selectedOptions={[a.actionType]} disabled={alerts} onOptionSelect={(_, d) => set({ ...a, actionType: d.optionValue as RuleAction['actionType'], actionConfiguration: {} })}>
            {kinds.map(([k, label]) => (
              <Option key={k} value={k}>
                {label}
              </Option>
            ))}
          </Dropdown>
        </Field>
        <Tooltip content="Remove the action" relationship="label">
          <Button appearance="subtle" icon={<DeleteRegular />} onClick={remove} />
        </Tooltip>
      </div>
      {a.actionType === 'ModifyProperties' && (
        <>
          <div className={styles.row}>
            {pick('Severity', c.severity, ['High', 'Medium', 'Low', 'Informational'], (severity) => put({ severity }))}
            {pick('Status', c.status, ['New', 'Active', 'Closed'], (status) => put({ status, ...(status === 'Closed' ? { classification: c.classification ?? 'Undetermined' } : { classification: undefined, classificationReason: undefined, classificationComment: undefined }) }))}
            {c.status === 'Closed' && pick('Classification', c.classification, ['Undetermined', 'TruePositive', 'BenignPositive', 'FalsePositive'], (v) => put({ classification: v, classificationReason: { TruePositive: 'SuspiciousActivity', BenignPositive: 'SuspiciousButExpected', FalsePositive: 'IncorrectAlertLogic' }[v ?? ''] }))}
          </div>
          <div className={styles.row}>
            <Field label="Assign to" className={styles.grow} hint="A name; empty leaves it.">
              <Input value={c.owner?.assignedTo ?? ''} onChange={(_, d) => put({ owner: d.value ? { assignedTo: d.value, userPrincipalName: d.value } : undefined })} />
            </Field>
            <Field label="Add tags" className={styles.grow} hint="Parted by commas.">
              <Tags value={c.labels?.map((l) => l.labelName) ?? []} set={(l) => put({ labels: l.length ? l.map((labelName) => ({ labelName, labelType: 'User' })) : undefined })} />
            </Field>
          </div>
        </>
      )}
      {a.actionType === 'RunPlaybook' && (
        <Field label="Playbook" hint={alerts ? 'One with an alert trigger.' : 'One with an incident trigger.'}>
          <Dropdown value={bookName} selectedOptions={[bookName]} placeholder="Choose one" onOptionSelect={(_, d) => put({ logicAppResourceId: playbookId(workspace, d.optionValue ?? ''), tenantId: workspace.tenantId })}>
            {(books.data ?? []).map((b) => (
              <Option key={b.name} value={b.name} text={b.name}>
                {b.name} ({b.trigger.summary})
              </Option>
            ))}
          </Dropdown>
        </Field>
      )}
      {a.actionType === 'AddIncidentTask' && (
        <>
          <Field label="Title" required>
            <Input value={c.title ?? ''} onChange={(_, d) => put({ title: d.value })} />
          </Field>
          <Field label="What to do">
            <Textarea value={c.description ?? ''} resize="vertical" onChange={(_, d) => put({ description: d.value })} />
          </Field>
        </>
      )}
    </div>
  );
}

/** Tags as text that stays as typed until it is left. */
function Tags({ value, set }: { value: string[]; set: (v: string[]) => void }) {
  const [text, setText] = useState(value.join(', '));
  return (
    <Input
      value={text}
      onChange={(_, d) => {
        setText(d.value);
        set(d.value.split(',').map((s) => s.trim()).filter(Boolean));
      }}
    />
  );
}
