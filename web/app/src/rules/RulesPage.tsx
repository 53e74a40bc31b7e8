import { Button, Caption1, Input, MessageBar, MessageBarBody, MessageBarTitle, Switch, makeStyles } from '@fluentui/react-components';
import { AddRegular, ArrowClockwiseRegular, ArrowUploadRegular, DataUsageRegular, SearchRegular } from '@fluentui/react-icons';
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { useRef, useState } from 'react';
import { useLocation } from 'wouter';
import { rulesApi, type Imported, type Rule } from '../api/rules';
import { allows, useSession } from '../api/session';
import { PageLink, Rows, Severity, StatusBadge, When } from '../ui/bits';
import { isoDuration, plural } from '../ui/format';
import { Page } from '../ui/Page';
import { EmptyState, ErrorBox, Loaded } from '../ui/States';

const useStyles = makeStyles({
  bar: { display: 'flex', gap: '8px', alignItems: 'center', marginBottom: '12px' },
  notes: { display: 'grid', gap: '8px', marginBottom: '12px' },
});

interface Outcome {
  file: string;
  made?: Imported;
  error?: Error;
}

export default function RulesPage() {
  const styles = useStyles();
  const { workspace, user } = useSession();
  const api = rulesApi(workspace);
  const client = useQueryClient();
  const [, go] = useLocation();
  const may = allows(user, 'Contributor');
  const [find, setFind] = useState('');
  const [outcomes, setOutcomes] = useState<Outcome[]>([]);
  const file = useRef<HTMLInputElement>(null);
  const list = useQuery({ queryKey: ['rules'], queryFn: api.list, refetchInterval: 15_000 });
  const states = useQuery({ queryKey: ['rules', 'states'], queryFn: api.states, refetchInterval: 10_000 });
  const fresh = () => void client.invalidateQueries({ queryKey: ['rules'] });
  const turn = useMutation({ mutationFn: (r: Rule) => api.save({ ...r, properties: { ...r.properties, enabled: !r.properties.enabled } }), onSettled: fresh });
  const load = async (files: FileList | null) => {
    const out: Outcome[] = [];
    for (const f of Array.from(files ?? [])) {
      try {
        out.push({ file: f.name, made: await api.import(await f.text()) });
      } catch (e) {
        out.push({ file: f.name, error: e as Error });
      }
      setOutcomes([...out]);
    }
    if (file.current) file.current.value = '';
    fresh();
  };
  const f = find.toLowerCase();
  const shown = (list.data ?? []).filter((r) => !f || r.properties.displayName.toLowerCase().includes(f) || r.properties.tactics.join(' ').toLowerCase().includes(f));
  const state = (r: Rule) => states.data?.find((s) => s.id === r.name);
  const importButton = (
    <Button size="small" appearance="primary" icon={<ArrowUploadRegular />} disabled={!may} onClick={() => file.current?.click()}>
      Import YAML
    </Button>
  );
  return (
    <Page
      title="Analytics"
      subtitle="Rules that make alerts and incidents out of rows"
      commands={
        <>
          {importButton}
          <input ref={file} type="file" accept=".yaml,.yml" multiple hidden aria-label="Rule files" onChange={(e) => void load(e.target.files)} />
          <Button size="small" appearance="subtle" icon={<AddRegular />} disabled={!may} onClick={() => go('/rules/new')}>
            New rule
          </Button>
          <Button size="small" appearance="subtle" icon={<ArrowClockwiseRegular />} onClick={fresh}>
            Refresh
          </Button>
        </>
      }
    >
      <div className={styles.notes}>
        {turn.isError && <ErrorBox error={turn.error} />}
        {states.isError && <ErrorBox error={states.error} title="The runs did not load" />}
        {outcomes.map((o) => (
          <MessageBar key={o.file} intent={o.error ? 'error' : o.made?.warnings.length ? 'warning' : 'success'} layout="multiline">
            <MessageBarBody>
              <MessageBarTitle>{o.file}</MessageBarTitle>
              {o.error ? o.error.message : `${o.made!.new ? 'Imported' : 'Replaced'}: ${o.made!.name}. ${o.made!.warnings.join(' ')}`}
            </MessageBarBody>
          </MessageBar>
        ))}
      </div>
      <Loaded of={list}>
        {(all) =>
          all.length ? (
            <>
              <div className={styles.bar}>
                <Input size="small" contentBefore={<SearchRegular />} placeholder="Name or tactic" aria-label="Search rules" value={find} onChange={(_, d) => setFind(d.value)} />
                <Caption1 role="status">{plural(shown.length, 'rule')}</Caption1>
              </div>
              <Rows
                label="Analytics rules"
                rows={shown}
                rowKey={(r) => r.name}
                columns={[
                  { key: 's', title: 'Severity', cell: (r) => <Severity of={r.properties.severity} />, width: '120px' },
                  { key: 'n', title: 'Name', cell: (r) => <PageLink to={'/rules/' + r.name}>{r.properties.displayName}</PageLink> },
                  { key: 'k', title: 'Kind', cell: (r) => r.kind, width: '90px' },
                  { key: 'e', title: 'On', cell: (r) => <Switch aria-label={`${r.properties.displayName} on`} checked={r.properties.enabled} disabled={!may || turn.isPending} onChange={() => turn.mutate(r)} />, width: '70px' },
                  { key: 'f', title: 'Runs', cell: (r) => (r.kind === 'NRT' ? 'every minute' : 'every ' + isoDuration(r.properties.queryFrequency)) + (r.properties.picket?.onArrival ? ', and on arrival' : '') },
                  { key: 't', title: 'Tactics', cell: (r) => r.properties.tactics.join(', ') },
                  {
                    key: 'l',
                    title: 'Last run',
                    cell: (r) => {
                      const run = state(r)?.lastRun;
                      return run ? (
                        <span title={run.message}>
                          <StatusBadge status={run.status} /> <When at={run.started} />
                        </span>
                      ) : (
                        'none'
                      );
                    },
                  },
                  { key: 'a', title: 'Found', cell: (r) => (state(r)?.lastRun ? plural(state(r)!.lastRun!.rows, 'row') : '') },
                ]}
              />
            </>
          ) : (
            <EmptyState
              icon={<DataUsageRegular />}
              title="No rules yet"
              text="A rule asks a question on a schedule; what it finds becomes an alert and an incident. Import rules in YAML as the Azure-Sentinel repository publishes them, or write your own."
              action={importButton}
            />
          )
        }
      </Loaded>
    </Page>
  );
}
