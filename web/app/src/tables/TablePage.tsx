import { Button, Dropdown, Field, Option, Tab, TabList, makeStyles } from '@fluentui/react-components';
import { ArrowClockwiseRegular, ClockRegular, SearchSquareRegular } from '@fluentui/react-icons';
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { Suspense, lazy, useState } from 'react';
import { useLocation } from 'wouter';
import { FormDialog } from '../access/parts';
import { ApiError } from '../api/client';
import { runQuery } from '../api/query';
import { allows, useSession } from '../api/session';
import { daysText, tableRef, tablesApi, type LakeTableDetail } from '../api/tables';
import { logsLink } from '../logs/timerange';
import { Facts, Rows, Section, When } from '../ui/bits';
import { DataGrid } from '../ui/DataGrid';
import { bytes, plural } from '../ui/format';
import { Page } from '../ui/Page';
import { EmptyState, ErrorBox, Loaded } from '../ui/States';
import { lateText, tablePath } from './TablesPage';

const Chart = lazy(() => import('../ui/Chart').then((m) => ({ default: m.Chart })));

const useStyles = makeStyles({
  body: { display: 'grid', gap: '20px', marginTop: '14px', gridTemplateColumns: 'minmax(0, 1fr)' },
  two: { display: 'grid', gridTemplateColumns: 'minmax(260px, 420px) minmax(0, 1fr)', gap: '24px', '@media (max-width: 900px)': { gridTemplateColumns: 'minmax(0, 1fr)' } },
  chart: { height: '240px' },
  grid: { height: 'calc(100vh - 330px)', minHeight: '260px' },
});

export default function TablePage({ name, tab = 'overview' }: { name: string; tab?: string }) {
  const styles = useStyles();
  const { user } = useSession();
  const [, go] = useLocation();
  const table = useQuery({ queryKey: ['tables', name], queryFn: () => tablesApi.get(name), refetchInterval: 30_000 });
  const [keeping, setKeeping] = useState(false);
  const crumbs = [{ to: '/tables', label: 'Tables' }];
  if (table.error instanceof ApiError && table.error.status === 404)
    return (
      <Page title={name} crumbs={crumbs}>
        <EmptyState title="There is no such table" text="It may not have had a row yet, or it was deleted." />
      </Page>
    );
  const t = table.data;
  return (
    <Page
      title={name}
      subtitle={t && (t.kind === 'custom' ? 'Custom table' : 'Standard table')}
      crumbs={crumbs}
      commands={
        <>
          <Button size="small" appearance="primary" icon={<SearchSquareRegular />} onClick={() => go(logsLink(`${tableRef(name)}\n| sort by TimeGenerated desc\n| take 1000`, '24h'))}>
            Open in Logs
          </Button>
          <Button size="small" appearance="subtle" icon={<ClockRegular />} disabled={!t || !allows(user, 'Contributor')} onClick={() => setKeeping(true)}>
            Retention
          </Button>
          <Button size="small" appearance="subtle" icon={<ArrowClockwiseRegular />} onClick={() => void table.refetch()}>
            Refresh
          </Button>
        </>
      }
    >
      <Loaded of={table}>
        {(t) => (
          <>
            <TabList selectedValue={tab} onTabSelect={(_, d) => go(tablePath(name, d.value === 'overview' ? '' : '/' + String(d.value)))}>
              <Tab value="overview">Overview</Tab>
              <Tab value="schema">Schema</Tab>
              <Tab value="sample">Newest rows</Tab>
            </TabList>
            <div className={styles.body}>
              {tab === 'overview' && <Overview t={t} />}
              {tab === 'schema' && (
                <Rows
                  label="Columns"
                  rows={t.columns}
                  rowKey={(c) => c.name}
                  columns={[
                    { key: 'n', title: 'Column', cell: (c) => c.name, sort: (c) => c.name },
                    { key: 't', title: 'Type', cell: (c) => <code>{c.type}</code>, sort: (c) => c.type },
                    { key: 'x', title: '', cell: (c) => [c.standard && 'every table has it', c.promoted && 'paths that queries use are columns of their own'].filter(Boolean).join(', ') },
                  ]}
                />
              )}
              {tab === 'sample' && <Sample name={t.name} />}
            </div>
          </>
        )}
      </Loaded>
      {keeping && t && <Retention t={t} close={() => setKeeping(false)} />}
    </Page>
  );
}

function Overview({ t }: { t: LakeTableDetail }) {
  const styles = useStyles();
  return (
    <div className={styles.two}>
      <Section title="Rows">
        <Facts
          of={[
            ['Rows', t.rows.toLocaleString()],
            ['Hot', `${plural(t.hotRows, 'row')}, about ${bytes(t.hotBytes)}`],
            ['Sealed', `${plural(t.rows - t.hotRows, 'row')} in ${plural(t.segments, 'segment')}, ${bytes(t.sealedBytes)}`],
            ['Archive', t.archivedRows ? `${plural(t.archivedRows, 'row')}, ${bytes(t.archivedBytes ?? 0)}` : ''],
            ['Columns', t.columns.length],
            ['Queries see rows', t.retentionDays ? `of the last ${daysText(t.retentionDays)}` : 'for ever'],
            ['Kept in all', daysText(t.totalRetentionDays)],
            ['Earliest', <When key="f" at={t.first} exact />],
            ['Latest', <When key="l" at={t.last} exact />],
            ['Last record came', <When key="r" at={t.received} />],
            ['In 24 hours', t.dayRows == null ? '' : plural(t.dayRows, 'row')],
            ['Late by an hour', lateText(t)],
          ]}
        />
      </Section>
      <Section title="Taken in, by hour">
        {t.usage?.length ? (
          <div className={styles.chart}>
            <Suspense fallback={null}>
              <Chart
                label={`Rows taken in by hour over the last 7 days: ${plural(t.usage.reduce((n, u) => n + u.rows, 0), 'row')} in all`}
                option={{
                  grid: { left: 60, right: 16, top: 16, bottom: 36 },
                  tooltip: { trigger: 'axis' },
                  xAxis: { type: 'time' },
                  yAxis: { type: 'value', name: 'rows', minInterval: 1 },
                  series: [{ type: 'bar', name: 'rows', barMaxWidth: 12, data: t.usage.map((u) => [u.hour, u.rows]) }],
                }}
              />
            </Suspense>
          </div>
        ) : (
          <span>Nothing came in within the last 7 days, or this server does not count it.</span>
        )}
      </Section>
    </div>
  );
}

function Sample({ name }: { name: string }) {
  const styles = useStyles();
  const { workspace } = useSession();
  const rows = useQuery({ queryKey: ['tables', name, 'sample'], queryFn: ({ signal }) => runQuery(workspace, `${tableRef(name)}\n| top 100 by TimeGenerated desc`, '', signal) });
  return (
    <Loaded of={rows}>
      {(r) =>
        r.table.rows.length ? (
          <div className={styles.grid}>
            <DataGrid columns={r.table.columns} rows={r.table.rows} label="Newest rows" picked={null} onPick={() => {}} />
          </div>
        ) : (
          <EmptyState title="No rows" text="What was here is past its retention, or the table was only just made." />
        )
      }
    </Loaded>
  );
}

const choices = [4, 7, 14, 30, 60, 90, 180, 365, 730, 1095, 2555, 4383, 0];

function Retention({ t, close }: { t: LakeTableDetail; close: () => void }) {
  const client = useQueryClient();
  const [see, setSee] = useState(t.retentionDays);
  const [all, setAll] = useState(t.totalRetentionDays);
  const save = useMutation({
    mutationFn: () => tablesApi.retain(t.name, see, all),
    onSuccess: () => {
      void client.invalidateQueries({ queryKey: ['tables'] });
      close();
    },
  });
  const more = (n: number) => !see ? n === 0 : n === 0 || n >= see;
  const pick = (label: string, hint: string, value: number, set: (n: number) => void, may: (n: number) => boolean) => (
    <Field label={label} hint={hint}>
      <Dropdown value={daysText(value)} selectedOptions={[String(value)]} onOptionSelect={(_, d) => set(Number(d.optionValue))}>
        {[...new Set([...choices, value])].filter(may).sort((a, b) => (a || 1e9) - (b || 1e9)).map((n) => (
          <Option key={n} value={String(n)}>
            {daysText(n)}
          </Option>
        ))}
      </Dropdown>
    </Field>
  );
  const shorter = (n: number, was: number) => n !== 0 && (was === 0 || n < was);
  return (
    <FormDialog title={`Retention of ${t.name}`} verb="Save" ready busy={save.isPending} submit={() => save.mutate()} close={close}>
      {save.isError && <ErrorBox error={save.error} />}
      {pick('Queries see rows', 'By TimeGenerated, in whole days.', see, (n) => { setSee(n); if (!n || (all && all < n)) setAll(n); }, () => true)}
      {pick('Rows are kept in all', 'What queries no longer see lies in the archive until then.', all, setAll, more)}
      {shorter(all, t.totalRetentionDays) && <span role="note">Rows older than {daysText(all)} are deleted for good soon after.</span>}
    </FormDialog>
  );
}
