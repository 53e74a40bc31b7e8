import { Button, Caption1, Dropdown, Input, Option, Switch, makeStyles, mergeClasses, tokens } from '@fluentui/react-components';
import { ArrowClockwiseRegular, SearchRegular, ShieldCheckmarkRegular } from '@fluentui/react-icons';
import { useQuery } from '@tanstack/react-query';
import { useMemo, useState } from 'react';
import { Link, useLocation, useSearch } from 'wouter';
import { incidentsApi, type Incident, type Severity as Sev, type Status } from '../api/incidents';
import { useSession } from '../api/session';
import { Facts, PageLink, Rows, Severity, StatusBadge, When, type ColumnDef } from '../ui/bits';
import { plural } from '../ui/format';
import { Page } from '../ui/Page';
import { EmptyState, Loaded } from '../ui/States';

const statuses: Status[] = ['New', 'Active', 'Closed'];
const severities: Sev[] = ['High', 'Medium', 'Low', 'Informational'];
const colors: Record<Sev, string> = { High: '#c50f1f', Medium: '#ca5010', Low: '#c19c00', Informational: '#8a8886' };

const useStyles = makeStyles({
  page: { display: 'grid', gridTemplateRows: 'auto auto minmax(0,1fr)', height: '100%', minHeight: 0 },
  sums: { display: 'flex', gap: '36px', padding: '12px 24px', borderBottom: `1px solid ${tokens.colorNeutralStroke2}`, flexWrap: 'wrap', alignItems: 'end' },
  big: { fontSize: '26px', fontWeight: 600, lineHeight: '30px' },
  bars: { flexGrow: 1, maxWidth: '420px', minWidth: '200px' },
  bar: { display: 'flex', height: '8px', gap: '2px', marginTop: '8px' },
  legend: { display: 'flex', gap: '14px', fontSize: '12px', flexWrap: 'wrap', marginTop: '4px' },
  count: { display: 'inline-flex', alignItems: 'center', gap: '6px' },
  filters: { display: 'flex', gap: '8px', padding: '8px 24px', flexWrap: 'wrap', alignItems: 'center' },
  body: { display: 'grid', gridTemplateColumns: 'minmax(0,1fr)', minHeight: 0 },
  split: { gridTemplateColumns: 'minmax(0,1fr) 340px' },
  list: { overflow: 'auto', padding: '0 24px' },
  side: { borderLeft: `1px solid ${tokens.colorNeutralStroke2}`, padding: '12px 20px', overflow: 'auto', display: 'grid', gap: '14px', alignContent: 'start' },
  title: {
    color: tokens.colorBrandForegroundLink,
    textDecorationLine: 'none',
    fontWeight: 600,
    ':hover': { textDecorationLine: 'underline' },
  },
  h: { fontSize: '16px', fontWeight: 600, margin: 0, overflowWrap: 'anywhere' },
  pick: { width: '190px' },
});

export default function IncidentsPage() {
  const styles = useStyles();
  const { workspace, user } = useSession();
  const [, go] = useLocation();
  const asked = new URLSearchParams(useSearch());
  const listed = <T extends string>(name: string, all: T[], def: T[]): T[] => {
    const v = asked.get(name);
    return v == null ? def : (v.split(',').filter((x) => (all as string[]).includes(x)) as T[]);
  };
  // The filters live in the address: a filtered list can be sent to a colleague.
  const status = listed('status', statuses, ['New', 'Active']);
  const severity = listed('severity', severities, []);
  const mine = asked.get('owner') === 'me';
  const [find, setFind] = useState('');
  const [picked, setPicked] = useState<string | null>(null);
  const set = (change: Record<string, string | null>) => {
    const q = new URLSearchParams(asked);
    for (const [k, v] of Object.entries(change)) if (v == null) q.delete(k); else q.set(k, v);
    go('/incidents?' + q, { replace: true });
  };
  const filter = { status, severity };
  const list = useQuery({ queryKey: ['incidents', workspace.name, filter], queryFn: () => incidentsApi(workspace).list(filter), refetchInterval: 10_000 });
  const shown = useMemo(() => {
    const f = find.toLowerCase();
    const own = (i: Incident) => [i.properties.owner?.userPrincipalName, i.properties.owner?.assignedTo].includes(user.name) || i.properties.owner?.objectId === user.id;
    return (list.data ?? []).filter((i) => (!mine || own(i)) && (!f || i.properties.title.toLowerCase().includes(f) || String(i.properties.incidentNumber) === f || (i.properties.owner?.assignedTo ?? '').toLowerCase().includes(f)));
  }, [list.data, find, mine, user]);
  const one = shown.find((i) => i.name === picked);
  const count = (f: (i: Incident) => boolean) => (list.data ?? []).filter(f).length;

  const columns: ColumnDef<Incident>[] = [
    { key: 'sev', title: 'Severity', width: '1%', cell: (i) => <Severity of={i.properties.severity} /> },
    { key: 'n', title: 'Incident', width: '1%', cell: (i) => i.properties.incidentNumber },
    {
      key: 't',
      title: 'Title',
      width: '40%',
      cell: (i) => (
        <Link className={styles.title} href={'/incidents/' + i.name}>
          {i.properties.title}
        </Link>
      ),
    },
    { key: 'a', title: 'Alerts', width: '1%', cell: (i) => i.properties.additionalData?.alertsCount ?? '' },
    { key: 'p', title: 'Product', cell: (i) => i.properties.additionalData?.alertProductNames?.join(', ') ?? '' },
    { key: 'c', title: 'Created', width: '1%', cell: (i) => <When at={i.properties.createdTimeUtc} /> },
    { key: 'l', title: 'Last change', width: '1%', cell: (i) => <When at={i.properties.lastModifiedTimeUtc} /> },
    { key: 'o', title: 'Owner', cell: (i) => i.properties.owner?.assignedTo || i.properties.owner?.userPrincipalName || 'Unassigned' },
    { key: 's', title: 'Status', width: '1%', cell: (i) => <StatusBadge status={i.properties.status} /> },
    {
      key: 'd',
      title: '',
      width: '1%',
      cell: (i) => (
        <Button size="small" appearance="subtle" aria-pressed={picked === i.name} onClick={() => setPicked(picked === i.name ? null : i.name)} aria-label={`Preview incident ${i.properties.incidentNumber}`}>
          Preview
        </Button>
      ),
    },
  ];

  return (
    <Page
      title="Incidents"
      subtitle={workspace.name}
      flush
      commands={
        <Button size="small" appearance="subtle" icon={<ArrowClockwiseRegular />} onClick={() => void list.refetch()}>
          Refresh
        </Button>
      }
    >
      <div className={styles.page}>
        <div className={styles.sums}>
          {[
            ['Open incidents', count((i) => i.properties.status !== 'Closed')],
            ['New', count((i) => i.properties.status === 'New')],
            ['Active', count((i) => i.properties.status === 'Active')],
          ].map(([k, n]) => (
            <div key={k}>
              <div className={styles.big}>{n}</div>
              <Caption1>{k}</Caption1>
            </div>
          ))}
          <div className={styles.bars}>
            <Caption1>Open by severity</Caption1>
            <div className={styles.bar} aria-hidden>
              {severities.map((s) => {
                const n = count((i) => i.properties.severity === s && i.properties.status !== 'Closed');
                return n ? <span key={s} style={{ flexGrow: n, backgroundColor: colors[s] }} /> : null;
              })}
            </div>
            <div className={styles.legend}>
              {severities.map((s) => (
                <span key={s} className={styles.count}>
                  <Severity of={`${s}`} /> {count((i) => i.properties.severity === s && i.properties.status !== 'Closed')}
                </span>
              ))}
            </div>
          </div>
        </div>
        <div className={styles.filters}>
          <Input size="small" contentBefore={<SearchRegular />} placeholder="Title, number or owner" aria-label="Search incidents" value={find} onChange={(_, d) => setFind(d.value)} />
          <Dropdown
            size="small"
            multiselect
            className={styles.pick}
            aria-label="Status"
            value={'Status: ' + (status.length && status.length < 3 ? status.join(', ') : 'All')}
            selectedOptions={status}
            onOptionSelect={(_, d) => set({ status: d.selectedOptions.join(',') })}
          >
            {statuses.map((s) => (
              <Option key={s}>{s}</Option>
            ))}
          </Dropdown>
          <Dropdown
            size="small"
            multiselect
            className={styles.pick}
            aria-label="Severity"
            value={'Severity: ' + (severity.length && severity.length < 4 ? severity.join(', ') : 'All')}
            selectedOptions={severity}
            onOptionSelect={(_, d) => set({ severity: d.selectedOptions.length ? d.selectedOptions.join(',') : null })}
          >
            {severities.map((s) => (
              <Option key={s}>{s}</Option>
            ))}
          </Dropdown>
          <Switch label="Mine" checked={mine} onChange={(_, d) => set({ owner: d.checked ? 'me' : null })} />
          <Caption1 role="status">{list.data ? plural(shown.length, 'incident') : ''}</Caption1>
        </div>
        <div className={mergeClasses(styles.body, one && styles.split)}>
          <div className={styles.list}>
            <Loaded of={list}>
              {(all) =>
                shown.length ? (
                  <Rows label="Incidents" rows={shown} columns={columns} rowKey={(i) => i.name} />
                ) : all.length ? (
                  <EmptyState title="No incident fits" text="Other filters may show some." action={<Button onClick={() => { setFind(''); go('/incidents?status=New,Active,Closed'); }}>Show all</Button>} />
                ) : (
                  <EmptyState
                    icon={<ShieldCheckmarkRegular />}
                    title={status.includes('Closed') ? 'No incidents yet' : 'No open incidents'}
                    text={
                      <>
                        Analytics rules make incidents out of rows. <PageLink inText to="/tokens/new">Place a decoy</PageLink> to be told when somebody opens it, or <PageLink inText to="/rules">import a rule</PageLink> for what you collect.
                      </>
                    }
                    action={!status.includes('Closed') ? <Button onClick={() => set({ status: 'New,Active,Closed' })}>Show closed ones</Button> : undefined}
                  />
                )
              }
            </Loaded>
          </div>
          {one && <Preview incident={one} />}
        </div>
      </div>
    </Page>
  );
}

function Preview({ incident: i }: { incident: Incident }) {
  const styles = useStyles();
  const p = i.properties;
  return (
    <aside className={styles.side} aria-label={`Incident ${p.incidentNumber}`}>
      <h2 className={styles.h}>
        {p.incidentNumber}: {p.title}
      </h2>
      <Facts
        of={[
          ['Severity', <Severity key="s" of={p.severity} />],
          ['Status', <StatusBadge key="t" status={p.status} />],
          ['Owner', p.owner?.assignedTo || 'Unassigned'],
          ['Alerts', p.additionalData?.alertsCount],
          ['Comments', p.additionalData?.commentsCount],
          ['Tactics', p.additionalData?.tactics?.join(', ')],
          ['First activity', <When key="f" at={p.firstActivityTimeUtc} exact />],
          ['Last activity', <When key="l" at={p.lastActivityTimeUtc} exact />],
          ['Created', <When key="c" at={p.createdTimeUtc} exact />],
          ['Closed as', p.classification && p.status === 'Closed' ? `${p.classification}${p.classificationReason ? ', ' + p.classificationReason : ''}` : ''],
        ]}
      />
      {p.description && <span style={{ fontSize: 13 }}>{p.description}</span>}
      <PageLink to={'/incidents/' + i.name}>View full details</PageLink>
      <PageLink to={`/incidents/${i.name}/graph`}>Investigate</PageLink>
    </aside>
  );
}
