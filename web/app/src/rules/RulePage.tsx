import {
  Button,
  Checkbox,
  Combobox,
  Dialog,
  DialogActions,
  DialogBody,
  DialogContent,
  DialogSurface,
  DialogTitle,
  DialogTrigger,
  Dropdown,
  Field,
  Input,
  MessageBar,
  MessageBarBody,
  Option,
  SpinButton,
  Spinner,
  Switch,
  Tab,
  TabList,
  Textarea,
  makeStyles,
  tokens,
} from '@fluentui/react-components';
import { AddRegular, DeleteRegular, DismissRegular, PlayRegular, SaveRegular, SearchSquareRegular } from '@fluentui/react-icons';
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { Suspense, lazy, useState } from 'react';
import { useLocation } from 'wouter';
import { ApiError } from '../api/client';
import { errorPosition } from '../api/query';
import { entityIdentifiers, rulesApi, type EntityMapping, type Rule } from '../api/rules';
import { allows, useSession } from '../api/session';
import { logsLink } from '../logs/timerange';
import { useCatalogue, useSchema } from '../logs/useSchema';
import { Rows, Section, StatusBadge, When } from '../ui/bits';
import { duration, plural } from '../ui/format';
import { Page } from '../ui/Page';
import { EmptyState, ErrorBox, Loaded } from '../ui/States';

const Editor = lazy(() => import('../logs/Editor'));

const useStyles = makeStyles({
  body: { marginTop: '14px', display: 'grid', gap: '22px' },
  form: { display: 'grid', gap: '14px', maxWidth: '900px' },
  editor: { height: '300px', border: `1px solid ${tokens.colorNeutralStroke1}` },
  two: { display: 'grid', gridTemplateColumns: 'repeat(auto-fit, minmax(220px, 1fr))', gap: '12px', alignItems: 'start' },
  map: { border: `1px solid ${tokens.colorNeutralStroke2}`, padding: '10px 12px', display: 'grid', gap: '8px' },
  line: { display: 'flex', gap: '8px', alignItems: 'center', flexWrap: 'wrap' },
  meta: { color: tokens.colorNeutralForeground3, fontSize: '12px' },
});

const blank = (): Rule => ({
  id: '',
  name: crypto.randomUUID(),
  kind: 'Scheduled',
  properties: {
    displayName: '',
    description: '',
    severity: 'Medium',
    enabled: true,
    tactics: [],
    techniques: [],
    query: '',
    queryFrequency: 'PT1H',
    queryPeriod: 'PT1H',
    triggerOperator: 'GreaterThan',
    triggerThreshold: 0,
    suppressionDuration: 'PT5H',
    suppressionEnabled: false,
    entityMappings: [],
    incidentConfiguration: { createIncident: true },
    picket: { onArrival: false },
  },
});

export default function RulePage({ id, tab = 'rule' }: { id: string; tab?: string }) {
  const { workspace } = useSession();
  const isNew = id === 'new';
  const rule = useQuery({ queryKey: ['rule', id], queryFn: () => (isNew ? blank() : rulesApi(workspace).get(id)), staleTime: isNew ? Infinity : 10_000 });
  const crumbs = [{ to: '/rules', label: 'Analytics' }];
  if (rule.error instanceof ApiError && rule.error.status === 404)
    return (
      <Page title="Rule" crumbs={crumbs}>
        <EmptyState title="There is no such rule" text="It may have been deleted; its incidents stay." />
      </Page>
    );
  if (!rule.data)
    return (
      <Page title="Rule" crumbs={crumbs}>
        <Loaded of={rule}>{() => null}</Loaded>
      </Page>
    );
  // A new version from the server starts the form anew; while one types, the etag stays the same.
  return <Edit key={rule.data.name + (rule.data.etag ?? '')} rule={rule.data} tab={tab} isNew={isNew} />;
}

function Edit({ rule, tab, isNew }: { rule: Rule; tab: string; isNew: boolean }) {
  const styles = useStyles();
  const { workspace, user } = useSession();
  const api = rulesApi(workspace);
  const client = useQueryClient();
  const [, go] = useLocation();
  const may = allows(user, 'Contributor');
  const schema = useSchema();
  const catalogue = useCatalogue();
  const [kind, setKind] = useState(rule.kind);
  const [p, setP] = useState(rule.properties);
  const [sure, setSure] = useState(false);
  const set = (change: Partial<Rule['properties']>) => setP({ ...p, ...change });
  const dirty = isNew || kind !== rule.kind || JSON.stringify(p) !== JSON.stringify(rule.properties);
  const save = useMutation({
    mutationFn: () => api.save({ ...rule, kind, properties: p }),
    onSuccess: (r) => {
      void client.invalidateQueries({ queryKey: ['rules'] });
      client.setQueryData(['rule', r.name], r);
      if (isNew) {
        client.removeQueries({ queryKey: ['rule', 'new'] });
        go('/rules/' + r.name, { replace: true });
      }
    },
  });
  const run = useMutation({
    mutationFn: () => api.runNow(rule.name),
    onSettled: () => {
      void client.invalidateQueries({ queryKey: ['rule', rule.name, 'runs'] });
      void client.invalidateQueries({ queryKey: ['rules', 'states'] });
      void client.invalidateQueries({ queryKey: ['incidents'] });
    },
  });
  const remove = useMutation({
    mutationFn: () => api.remove(rule.name),
    onSuccess: () => {
      void client.invalidateQueries({ queryKey: ['rules'] });
      go('/rules');
    },
  });
  const at = save.error instanceof ApiError ? errorPosition(save.error) : null;
  const ready = p.displayName.trim() !== '' && p.query.trim() !== '';
  return (
    <Page
      title={isNew ? 'New rule' : rule.properties.displayName}
      subtitle={isNew ? undefined : <>{rule.kind} · changed <When at={rule.properties.lastModifiedUtc} /></>}
      crumbs={[{ to: '/rules', label: 'Analytics' }]}
      commands={
        <>
          <Button size="small" appearance="primary" icon={<SaveRegular />} disabled={!may || !dirty || !ready || save.isPending} onClick={() => save.mutate()}>
            {isNew ? 'Create' : 'Save'}
          </Button>
          {!isNew && (
            <Button size="small" appearance="subtle" icon={run.isPending ? <Spinner size="extra-tiny" /> : <PlayRegular />} disabled={!may || run.isPending || dirty} title={dirty ? 'Save first' : undefined} onClick={() => run.mutate()}>
              Run now
            </Button>
          )}
          <Switch label={p.enabled ? 'On' : 'Off'} checked={p.enabled} disabled={!may} onChange={(_, d) => set({ enabled: d.checked })} />
          <Button size="small" appearance="subtle" icon={<SearchSquareRegular />} disabled={!p.query.trim()} onClick={() => go(logsLink(p.query, '24h'))}>
            Try in Logs
          </Button>
          {!isNew && (
            <Button size="small" appearance="subtle" icon={<DeleteRegular />} disabled={!may} onClick={() => setSure(true)}>
              Delete
            </Button>
          )}
        </>
      }
    >
      {[save.error, run.error, remove.error].map((e, i) => (e ? <ErrorBox key={i} error={e} /> : null))}
      {run.data && (
        <MessageBar intent={run.data.status === 'Failure' ? 'error' : 'success'}>
          <MessageBarBody>
            {run.data.status === 'Failure' ? run.data.message : `Found ${plural(run.data.rows, 'row')}, made or changed ${plural(run.data.alerts, 'alert')}.`}
          </MessageBarBody>
        </MessageBar>
      )}
      {!isNew && (
        <TabList selectedValue={tab} onTabSelect={(_, d) => go('/rules/' + rule.name + (d.value === 'rule' ? '' : '/' + String(d.value)))}>
          <Tab value="rule">Rule</Tab>
          <Tab value="runs">Runs</Tab>
        </TabList>
      )}
      <div className={styles.body}>
        {tab === 'runs' ? (
          <Runs id={rule.name} />
        ) : (
          <div className={styles.form}>
            <Field label="Name" required>
              <Input value={p.displayName} disabled={!may} onChange={(_, d) => set({ displayName: d.value })} />
            </Field>
            <Field label="Description">
              <Textarea value={p.description} disabled={!may} resize="vertical" onChange={(_, d) => set({ description: d.value })} />
            </Field>
            <div className={styles.two}>
              <Field label="Severity">
                <Dropdown disabled={!may} value={p.severity} selectedOptions={[p.severity]} onOptionSelect={(_, d) => set({ severity: d.optionValue as Rule['properties']['severity'] })}>
                  {['High', 'Medium', 'Low', 'Informational'].map((s) => (
                    <Option key={s}>{s}</Option>
                  ))}
                </Dropdown>
              </Field>
              <Field label="Tactics" hint="Parted by commas.">
                <Input value={p.tactics.join(', ')} disabled={!may} onChange={(_, d) => set({ tactics: d.value.split(/,\s*/).filter((x, i, a) => x || i === a.length - 1) })} onBlur={() => set({ tactics: p.tactics.filter(Boolean) })} />
              </Field>
            </div>
            <Section title="Query">
              <div className={styles.editor}>
                <Suspense fallback={<Spinner label="Loading the editor" />}>
                  <Editor label="Rule query" value={p.query} onChange={(query) => setP((x) => ({ ...x, query }))} schema={schema.data} workspace={workspace.name} catalogue={catalogue.data} readOnly={!may} squiggles={at ? [{ ...at, message: (save.error as Error).message }] : undefined} />
                </Suspense>
              </div>
            </Section>
            <Section title="Schedule">
              <div className={styles.two}>
                <Field label="Kind">
                  <Dropdown disabled={!may} value={kind === 'NRT' ? 'Near real time' : 'Scheduled'} selectedOptions={[kind]} onOptionSelect={(_, d) => setKind(d.optionValue as Rule['kind'])}>
                    <Option value="Scheduled">Scheduled</Option>
                    <Option value="NRT">Near real time</Option>
                  </Dropdown>
                </Field>
                {kind === 'Scheduled' && (
                  <>
                    <Field label="Run every" hint="5 minutes to 14 days.">
                      <DurationInput value={p.queryFrequency ?? 'PT1H'} disabled={!may} set={(v) => set({ queryFrequency: v })} />
                    </Field>
                    <Field label="Look back">
                      <DurationInput value={p.queryPeriod ?? 'PT1H'} disabled={!may} set={(v) => set({ queryPeriod: v })} />
                    </Field>
                    <Field label="Alert when rows are">
                      <div className={styles.line} style={{ flexWrap: 'nowrap' }}>
                        <Dropdown
                          aria-label="Operator"
                          disabled={!may}
                          style={{ width: 130 }}
                          value={operators[p.triggerOperator ?? 'GreaterThan'] ?? p.triggerOperator ?? ''}
                          selectedOptions={[p.triggerOperator ?? 'GreaterThan']}
                          onOptionSelect={(_, d) => set({ triggerOperator: d.optionValue })}
                        >
                          {Object.entries(operators).map(([k, v]) => (
                            <Option key={k} value={k}>
                              {v}
                            </Option>
                          ))}
                        </Dropdown>
                        <SpinButton aria-label="Threshold" style={{ width: 90 }} min={0} value={p.triggerThreshold ?? 0} disabled={!may} onChange={(_, d) => set({ triggerThreshold: Math.max(0, d.value ?? (Number(d.displayValue) || 0)) })} />
                      </div>
                    </Field>
                  </>
                )}
              </div>
              <Checkbox
                label="Also run as soon as rows arrive in a table that the query reads (picket’s own setting)"
                checked={p.picket?.onArrival ?? false}
                disabled={!may}
                onChange={(_, d) => set({ picket: { ...p.picket, onArrival: d.checked === true } })}
              />
              <Checkbox
                label="One alert for each row"
                checked={p.eventGroupingSettings?.aggregationKind === 'AlertPerResult'}
                disabled={!may}
                onChange={(_, d) => set({ eventGroupingSettings: { aggregationKind: d.checked ? 'AlertPerResult' : 'SingleAlert' } })}
              />
              <Checkbox
                label="Make incidents out of its alerts"
                checked={p.incidentConfiguration?.createIncident ?? true}
                disabled={!may}
                onChange={(_, d) => set({ incidentConfiguration: { ...p.incidentConfiguration, createIncident: d.checked === true } })}
              />
              {rule.properties.picket?.nextWindowEndUtc && (
                <span className={styles.meta}>
                  Next window ends <When at={rule.properties.picket.nextWindowEndUtc} exact />
                </span>
              )}
            </Section>
            <Section title="Entities">
              <span className={styles.meta}>Which columns of the result name an account, a host, an address…? Without a mapping here, columns such as IPCustomEntity and HostCustomEntity are taken.</span>
              <Mappings value={p.entityMappings ?? []} disabled={!may} set={(entityMappings) => set({ entityMappings })} />
            </Section>
            {p.customDetails && Object.keys(p.customDetails).length > 0 && (
              <Section title="Custom details">
                <span style={{ fontSize: 13 }}>
                  {Object.entries(p.customDetails)
                    .map(([k, v]) => `${k} ← ${v}`)
                    .join(', ')}
                </span>
              </Section>
            )}
          </div>
        )}
      </div>
      <Dialog open={sure} onOpenChange={(_, d) => setSure(d.open)}>
        <DialogSurface>
          <DialogBody>
            <DialogTitle>Delete the rule?</DialogTitle>
            <DialogContent>It stops running. Its alerts and incidents stay.</DialogContent>
            <DialogActions>
              <DialogTrigger disableButtonEnhancement>
                <Button>Cancel</Button>
              </DialogTrigger>
              <Button appearance="primary" onClick={() => { setSure(false); remove.mutate(); }}>
                Delete
              </Button>
            </DialogActions>
          </DialogBody>
        </DialogSurface>
      </Dialog>
    </Page>
  );
}

const operators: Record<string, string> = { GreaterThan: 'more than', LessThan: 'fewer than', Equal: 'exactly', NotEqual: 'not' };

/** A number and a unit for the ISO durations that rules have; others are shown as they are. */
export function DurationInput({ value, set, disabled }: { value: string; set: (v: string) => void; disabled?: boolean }) {
  const m = /^P(?:T(\d+)([MH])|(\d+)(D))$/.exec(value);
  if (!m) return <Input value={value} disabled={disabled} onChange={(_, d) => set(d.value)} />;
  const n = Number(m[1] ?? m[3]);
  const unit = m[2] ?? m[4] ?? 'H';
  const make = (k: number, u: string) => (u === 'D' ? `P${k}D` : `PT${k}${u}`);
  const names: Record<string, string> = { M: 'minutes', H: 'hours', D: 'days' };
  return (
    <div style={{ display: 'flex', gap: 8 }}>
      <SpinButton aria-label="Amount" style={{ width: 90 }} min={1} max={20160} value={n} disabled={disabled} onChange={(_, d) => set(make(Math.max(1, d.value ?? (Number(d.displayValue) || 1)), unit))} />
      <Dropdown aria-label="Unit" style={{ width: 110 }} disabled={disabled} value={names[unit]} selectedOptions={[unit]} onOptionSelect={(_, d) => set(make(n, d.optionValue ?? unit))}>
        {Object.entries(names).map(([k, v]) => (
          <Option key={k} value={k}>
            {v}
          </Option>
        ))}
      </Dropdown>
    </div>
  );
}

function Mappings({ value, set, disabled }: { value: EntityMapping[]; set: (v: EntityMapping[]) => void; disabled?: boolean }) {
  const styles = useStyles();
  const change = (i: number, m: EntityMapping) => set(value.map((x, j) => (j === i ? m : x)));
  return (
    <>
      {value.map((m, i) => {
        const ids = entityIdentifiers[m.entityType] ?? entityIdentifiers[Object.keys(entityIdentifiers).find((k) => k.toLowerCase() === m.entityType.toLowerCase()) ?? ''] ?? [];
        return (
          <div key={i} className={styles.map} role="group" aria-label={`Entity ${i + 1}`}>
            <div className={styles.line}>
              <Dropdown
                aria-label="Entity type"
                disabled={disabled}
                value={m.entityType}
                selectedOptions={[m.entityType]}
                onOptionSelect={(_, d) => change(i, { entityType: d.optionValue!, fieldMappings: [{ identifier: entityIdentifiers[d.optionValue!]?.[0] ?? '', columnName: '' }] })}
              >
                {Object.keys(entityIdentifiers).map((k) => (
                  <Option key={k}>{k}</Option>
                ))}
              </Dropdown>
              <Button size="small" appearance="subtle" icon={<DismissRegular />} aria-label="Remove the entity" disabled={disabled} onClick={() => set(value.filter((_, j) => j !== i))} />
            </div>
            {m.fieldMappings.map((f, k) => (
              <div key={k} className={styles.line}>
                <Combobox
                  aria-label="Identifier"
                  freeform
                  disabled={disabled}
                  value={f.identifier}
                  selectedOptions={[f.identifier]}
                  onOptionSelect={(_, d) => change(i, { ...m, fieldMappings: m.fieldMappings.map((x, n) => (n === k ? { ...x, identifier: d.optionValue ?? '' } : x)) })}
                  onChange={(e) => change(i, { ...m, fieldMappings: m.fieldMappings.map((x, n) => (n === k ? { ...x, identifier: e.target.value } : x)) })}
                >
                  {ids.map((x) => (
                    <Option key={x}>{x}</Option>
                  ))}
                </Combobox>
                is column
                <Input aria-label="Column" disabled={disabled} value={f.columnName} onChange={(_, d) => change(i, { ...m, fieldMappings: m.fieldMappings.map((x, n) => (n === k ? { ...x, columnName: d.value } : x)) })} />
                <Button size="small" appearance="subtle" icon={<DismissRegular />} aria-label="Remove the identifier" disabled={disabled || m.fieldMappings.length < 2} onClick={() => change(i, { ...m, fieldMappings: m.fieldMappings.filter((_, n) => n !== k) })} />
              </div>
            ))}
            <div>
              <Button size="small" appearance="subtle" icon={<AddRegular />} disabled={disabled || m.fieldMappings.length >= 3} onClick={() => change(i, { ...m, fieldMappings: [...m.fieldMappings, { identifier: ids[m.fieldMappings.length] ?? '', columnName: '' }] })}>
                Identifier
              </Button>
            </div>
          </div>
        );
      })}
      <div>
        <Button size="small" icon={<AddRegular />} disabled={disabled || value.length >= 10} onClick={() => set([...value, { entityType: 'IP', fieldMappings: [{ identifier: 'Address', columnName: '' }] }])}>
          Entity
        </Button>
      </div>
    </>
  );
}

function Runs({ id }: { id: string }) {
  const { workspace } = useSession();
  const runs = useQuery({ queryKey: ['rule', id, 'runs'], queryFn: () => rulesApi(workspace).runs(id), refetchInterval: 5000 });
  const why: Record<string, string> = { schedule: 'schedule', arrival: 'rows arrived', now: 'by hand' };
  return (
    <Loaded of={runs}>
      {(all) =>
        all.length ? (
          <Rows
            label="Runs"
            rows={all}
            rowKey={(r) => r.id}
            columns={[
              { key: 's', title: 'Status', cell: (r) => <StatusBadge status={r.status} /> },
              { key: 'b', title: 'Started', cell: (r) => <When at={r.started} exact /> },
              { key: 'w', title: 'Because', cell: (r) => why[r.reason] ?? r.reason },
              { key: 'e', title: 'Window ends', cell: (r) => <When at={r.windowEnd} exact /> },
              { key: 'd', title: 'Took', cell: (r) => duration(r.started, r.ended) },
              { key: 'r', title: 'Rows', cell: (r) => r.rows.toLocaleString() },
              { key: 'a', title: 'Alerts', cell: (r) => r.alerts },
              { key: 'm', title: 'Message', cell: (r) => r.message ?? '' },
            ]}
          />
        ) : (
          <EmptyState title="No runs yet" text="The rule runs at the end of its first window. Run now does it at once." />
        )
      }
    </Loaded>
  );
}
