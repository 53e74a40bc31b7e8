import {
  Button,
  Dialog,
  DialogActions,
  DialogBody,
  DialogContent,
  DialogSurface,
  DialogTitle,
  DialogTrigger,
  Dropdown,
  Field,
  Menu,
  MenuItem,
  MenuList,
  MenuPopover,
  MenuTrigger,
  Option,
  Radio,
  RadioGroup,
  Spinner,
  Tab,
  TabList,
  Tag,
  Textarea,
  makeStyles,
  mergeClasses,
  tokens,
} from '@fluentui/react-components';
import { ArrowClockwiseRegular, CheckmarkCircleRegular, FlowchartRegular, LinkRegular, PersonAddRegular, PersonDeleteRegular } from '@fluentui/react-icons';
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { Suspense, lazy, useMemo, useState } from 'react';
import { useLocation } from 'wouter';
import { ApiError } from '../api/client';
import { incidentsApi, type Alert, type Comment, type Entity, type Incident, type Owner, type Severity as Sev, type Status } from '../api/incidents';
import { playbooksApi } from '../api/playbooks';
import { allows, useSession } from '../api/session';
import { logsLink } from '../logs/timerange';
import { Code, Facts, PageLink, RowValue, Rows, Section, Severity, When } from '../ui/bits';
import { cellText, plural } from '../ui/format';
import { Page } from '../ui/Page';
import { EmptyState, ErrorBox, Loaded, type Loadable } from '../ui/States';
import { KindIcon, kindName } from './kinds';
import { Tasks } from './Tasks';
import { alertRows, entityName, places, rowColumns, tellingFacts } from './rows';

const GraphView = lazy(() => import('./GraphView'));
const WorldMap = lazy(() => import('../ui/WorldMap'));

const useStyles = makeStyles({
  frame: { display: 'grid', gridTemplateColumns: '320px minmax(0,1fr)', height: '100%', minHeight: 0 },
  side: { gridTemplateColumns: 'minmax(0,1fr)', borderRight: `1px solid ${tokens.colorNeutralStroke2}`, overflow: 'auto', padding: '14px 20px 24px', display: 'grid', gap: '18px', alignContent: 'start' },
  picks: { display: 'grid', gap: '8px' },
  work: { display: 'grid', gridTemplateRows: 'auto minmax(0,1fr)', minHeight: 0, minWidth: 0 },
  tabs: { borderBottom: `1px solid ${tokens.colorNeutralStroke2}`, padding: '0 12px' },
  body: { overflow: 'auto', padding: '16px 20px', minHeight: 0, display: 'grid', gridTemplateColumns: 'minmax(0,1fr)', gap: '20px', alignContent: 'start' },
  full: { padding: '0', gridTemplateRows: 'minmax(0,1fr)', alignContent: 'stretch', overflow: 'hidden' },
  text: { fontSize: '13px', margin: 0, whiteSpace: 'pre-wrap', overflowWrap: 'anywhere' },
  entity: { display: 'flex', gap: '8px', alignItems: 'center', fontSize: '13px', minWidth: 0 },
  name: { overflow: 'hidden', textOverflow: 'ellipsis', whiteSpace: 'nowrap', minWidth: 0 },
  card: { border: `1px solid ${tokens.colorNeutralStroke2}`, padding: '14px 16px', display: 'grid', gap: '12px', minWidth: 0 },
  cardHead: { display: 'flex', gap: '12px', alignItems: 'center', flexWrap: 'wrap' },
  strong: { fontWeight: 600, overflowWrap: 'anywhere' },
  scroll: { overflow: 'auto', maxHeight: '420px' },
  cell: { maxWidth: '260px', overflow: 'hidden', textOverflow: 'ellipsis', whiteSpace: 'nowrap' },
  comment: { borderLeft: `3px solid ${tokens.colorBrandStroke2}`, padding: '4px 12px', display: 'grid', gap: '4px' },
  meta: { color: tokens.colorNeutralForeground3, fontSize: '12px' },
  log: { listStyleType: 'none', margin: 0, padding: 0, display: 'grid', gap: '12px' },
  entry: { display: 'grid', gridTemplateColumns: '120px minmax(0,1fr)', gap: '12px', fontSize: '13px' },
  link: { fontSize: '13px' },
  row: { display: 'flex', gap: '8px', flexWrap: 'wrap', alignItems: 'center' },
});

const classifications = [
  { key: 'TruePositive/SuspiciousActivity', label: 'True positive: suspicious activity' },
  { key: 'BenignPositive/SuspiciousButExpected', label: 'Benign positive: suspicious but expected' },
  { key: 'FalsePositive/IncorrectAlertLogic', label: 'False positive: incorrect alert logic' },
  { key: 'FalsePositive/InaccurateData', label: 'False positive: inaccurate data' },
  { key: 'Undetermined/', label: 'Undetermined' },
];

const tabs = ['overview', 'alerts', 'entities', 'graph', 'tasks', 'comments', 'activity'] as const;
type TabName = (typeof tabs)[number];

export default function IncidentPage({ id, tab: asked }: { id: string; tab?: string }) {
  const { workspace } = useSession();
  const api = useMemo(() => incidentsApi(workspace), [workspace]);
  const incident = useQuery({ queryKey: ['incident', id], queryFn: () => api.get(id), refetchInterval: 10_000 });
  if (incident.error instanceof ApiError && incident.error.status === 404)
    return (
      <Page title="Incident" crumbs={[{ to: '/incidents', label: 'Incidents' }]}>
        <EmptyState title="There is no such incident" text="It may belong to another workspace." />
      </Page>
    );
  return incident.data ? (
    <Detail incident={incident.data} tab={tabs.includes(asked as TabName) ? (asked as TabName) : 'overview'} refetch={() => void incident.refetch()} />
  ) : (
    <Page title="Incident" crumbs={[{ to: '/incidents', label: 'Incidents' }]}>
      <Loaded of={incident}>{() => null}</Loaded>
    </Page>
  );
}

function Detail({ incident, tab, refetch }: { incident: Incident; tab: TabName; refetch: () => void }) {
  const styles = useStyles();
  const { workspace, user } = useSession();
  const api = useMemo(() => incidentsApi(workspace), [workspace]);
  const client = useQueryClient();
  const [, go] = useLocation();
  const id = incident.name;
  const p = incident.properties;
  const may = allows(user, 'Responder');
  const alerts = useQuery({ queryKey: ['incident', id, 'alerts'], queryFn: () => api.alerts(id), refetchInterval: 15_000 });
  const entities = useQuery({ queryKey: ['incident', id, 'entities'], queryFn: () => api.entities(id), refetchInterval: 15_000 });
  const comments = useQuery({ queryKey: ['incident', id, 'comments'], queryFn: () => api.comments(id), refetchInterval: 15_000 });
  const tasks = useQuery({ queryKey: ['incident', id, 'tasks'], queryFn: () => api.tasks(id), retry: false });
  const [closing, setClosing] = useState(false);

  const update = useMutation({
    mutationFn: (change: Partial<Incident['properties']>) => api.update(incident, change),
    onSuccess: (next) => {
      client.setQueryData(['incident', id], next);
      void client.invalidateQueries({ queryKey: ['incidents'] });
      void client.invalidateQueries({ queryKey: ['incident', id, 'activity'] });
    },
    // Somebody else changed it meanwhile: show theirs before this one is tried again.
    onError: (e) => {
      if (e instanceof ApiError && (e.status === 409 || e.status === 412)) refetch();
    },
  });
  const me: Owner = { objectId: user.id, assignedTo: user.displayName, userPrincipalName: user.name, email: null };
  const nobody: Owner = { objectId: null, assignedTo: null, userPrincipalName: null, email: null };
  const rows = (alerts.data ?? []).flatMap(alertRows);
  const facts = tellingFacts(rows);
  const list = entities.data?.entities ?? [];

  return (
    <Page
      title={`${p.incidentNumber}: ${p.title}`}
      crumbs={[{ to: '/incidents', label: 'Incidents' }]}
      flush
      commands={
        <>
          <Button size="small" appearance="subtle" icon={<ArrowClockwiseRegular />} onClick={() => void client.invalidateQueries({ queryKey: ['incident', id] })}>
            Refresh
          </Button>
          {p.owner?.objectId === user.id ? (
            <Button size="small" appearance="subtle" icon={<PersonDeleteRegular />} disabled={!may || update.isPending} onClick={() => update.mutate({ owner: nobody })}>
              Unassign
            </Button>
          ) : (
            <Button size="small" appearance="subtle" icon={<PersonAddRegular />} disabled={!may || update.isPending} onClick={() => update.mutate({ owner: me })}>
              Assign to me
            </Button>
          )}
          <Button size="small" appearance="subtle" icon={<CheckmarkCircleRegular />} disabled={!may || p.status === 'Closed'} onClick={() => setClosing(true)}>
            Close incident
          </Button>
          <RunPlaybook id={id} disabled={!may} />
          <Button size="small" appearance="subtle" icon={<LinkRegular />} onClick={() => void navigator.clipboard.writeText(`${location.origin}/incidents/${id}`)}>
            Copy link
          </Button>
        </>
      }
    >
      <div className={styles.frame}>
        <aside className={styles.side} aria-label="Incident details">
          {update.isError && <ErrorBox error={update.error} />}
          <div className={styles.picks}>
            <Field label="Owner" orientation="horizontal">
              <Dropdown
                size="small"
                disabled={!may}
                value={p.owner?.assignedTo || p.owner?.userPrincipalName || 'Unassigned'}
                selectedOptions={[p.owner?.objectId === user.id ? 'me' : p.owner?.assignedTo ? 'other' : 'none']}
                onOptionSelect={(_, d) => d.optionValue !== 'other' && update.mutate({ owner: d.optionValue === 'me' ? me : nobody })}
              >
                <Option value="me">{user.displayName}</Option>
                <Option value="none">Unassigned</Option>
                {p.owner?.assignedTo && p.owner.objectId !== user.id ? <Option value="other">{p.owner.assignedTo}</Option> : null}
              </Dropdown>
            </Field>
            <Field label="Status" orientation="horizontal">
              <Dropdown
                size="small"
                disabled={!may}
                value={p.status}
                selectedOptions={[p.status]}
                onOptionSelect={(_, d) => {
                  if (d.optionValue === p.status) return;
                  if (d.optionValue === 'Closed') setClosing(true);
                  else update.mutate({ status: d.optionValue as Status, classification: undefined, classificationReason: undefined, classificationComment: undefined });
                }}
              >
                {['New', 'Active', 'Closed'].map((s) => (
                  <Option key={s}>{s}</Option>
                ))}
              </Dropdown>
            </Field>
            <Field label="Severity" orientation="horizontal">
              <Dropdown size="small" disabled={!may} value={p.severity} selectedOptions={[p.severity]} onOptionSelect={(_, d) => d.optionValue !== p.severity && update.mutate({ severity: d.optionValue as Sev })}>
                {['High', 'Medium', 'Low', 'Informational'].map((s) => (
                  <Option key={s}>{s}</Option>
                ))}
              </Dropdown>
            </Field>
          </div>
          {p.description && <p className={styles.text}>{p.description}</p>}
          {facts.length > 0 && (
            <Section title="From the alert's rows">
              <Facts of={facts.map(([k, v]) => [k, <RowValue key={k} text={v} />])} />
            </Section>
          )}
          <Section title={`Entities (${list.length})`}>
            {list.slice(0, 8).map((e) => (
              <EntityLine key={e.id} entity={e} />
            ))}
            {!list.length && entities.isSuccess && <span className={styles.meta}>No entities: the rule maps none, or its columns were empty.</span>}
            {list.length > 8 && <PageLink to={`/incidents/${id}/entities`}>All {list.length}</PageLink>}
          </Section>
          <Section title="Facts">
            <Facts
              of={[
                ['Alerts', p.additionalData?.alertsCount],
                ['Products', p.additionalData?.alertProductNames?.join(', ')],
                ['Tactics', p.additionalData?.tactics?.join(', ')],
                ['Techniques', p.additionalData?.techniques?.join(', ')],
                ['First activity', <When key="f" at={p.firstActivityTimeUtc} exact />],
                ['Last activity', <When key="l" at={p.lastActivityTimeUtc} exact />],
                ['Created', <When key="c" at={p.createdTimeUtc} exact />],
                ['Last change', <When key="m" at={p.lastModifiedTimeUtc} exact />],
                ['Closed as', p.status === 'Closed' ? [p.classification, p.classificationReason].filter(Boolean).join(', ') : ''],
                ['Closing comment', p.status === 'Closed' ? p.classificationComment : ''],
                [
                  'Rules',
                  p.relatedAnalyticRuleIds?.length
                    ? p.relatedAnalyticRuleIds.map((r) => {
                        const g = r.split('/').pop()!;
                        return (
                          <PageLink key={g} to={'/rules/' + g}>
                            {g.slice(0, 8)}{' '}
                          </PageLink>
                        );
                      })
                    : '',
                ],
              ]}
            />
            {p.labels?.length ? (
              <div className={styles.row}>
                {p.labels.map((l) => (
                  <Tag key={l.labelName} size="small">
                    {l.labelName}
                  </Tag>
                ))}
              </div>
            ) : null}
          </Section>
        </aside>
        <div className={styles.work}>
          <TabList className={styles.tabs} selectedValue={tab} onTabSelect={(_, d) => go(`/incidents/${id}${d.value === 'overview' ? '' : '/' + String(d.value)}`)}>
            <Tab value="overview">Overview</Tab>
            <Tab value="alerts">Alerts</Tab>
            <Tab value="entities">Entities</Tab>
            <Tab value="graph">Graph</Tab>
            <Tab value="tasks">Tasks{tasks.data?.length ? ` (${tasks.data.filter((t) => t.properties.status === 'Completed').length}/${tasks.data.length})` : ''}</Tab>
            <Tab value="comments">Comments{comments.data?.length ? ` (${comments.data.length})` : ''}</Tab>
            <Tab value="activity">Activity log</Tab>
          </TabList>
          <div className={mergeClasses(styles.body, tab === 'graph' && styles.full)}>
            {tab === 'overview' && <Overview alerts={alerts} entities={list} />}
            {tab === 'alerts' && <Loaded of={alerts}>{(all) => (all.length ? all.map((a) => <AlertCard key={a.name} alert={a} open />) : <EmptyState title="No alerts" text="This incident was made by hand." />)}</Loaded>}
            {tab === 'entities' && (
              <Loaded of={entities}>
                {(e) =>
                  e.entities.length ? (
                    <Rows
                      label="Entities"
                      rows={e.entities}
                      rowKey={(x) => x.id}
                      columns={[
                        { key: 'n', title: 'Name', cell: (x) => <EntityLine entity={x} /> },
                        { key: 'k', title: 'Type', cell: (x) => kindName(x.kind), width: '160px' },
                        {
                          key: 'p',
                          title: 'Properties',
                          cell: (x) => (
                            <Facts
                              of={Object.entries(x.properties)
                                .filter(([k, v]) => k !== 'friendlyName' && cellText(v) !== '' && cellText(v) !== '{}')
                                .map(([k, v]) => [k, cellText(v)])}
                            />
                          ),
                        },
                      ]}
                    />
                  ) : (
                    <EmptyState title="No entities" text="Entities come from the rule's entity mappings. Edit the rule to map columns such as an address or a host." />
                  )
                }
              </Loaded>
            )}
            {tab === 'graph' && (
              <Suspense fallback={<Spinner label="Loading the graph" />}>
                <GraphView id={id} />
              </Suspense>
            )}
            {tab === 'tasks' && <Tasks id={id} tasks={tasks} may={may} />}
            {tab === 'comments' && <Comments id={id} comments={comments} may={may} />}
            {tab === 'activity' && <ActivityLog id={id} />}
          </div>
        </div>
      </div>
      <CloseDialog open={closing} close={() => setClosing(false)} busy={update.isPending} error={update.error} submit={(change) => update.mutateAsync(change).then(() => setClosing(false))} />
    </Page>
  );
}

function EntityLine({ entity }: { entity: Entity }) {
  const styles = useStyles();
  return (
    <span className={styles.entity} title={`${kindName(entity.kind)}: ${entityName(entity)}`}>
      <KindIcon kind={entity.kind} />
      <span className={styles.name}>{entityName(entity)}</span>
    </span>
  );
}

function Overview({ alerts, entities }: { alerts: Loadable<Alert[]>; entities: Entity[] }) {
  return (
    <Loaded of={alerts}>
      {(all) => {
        const where = places(entities, all.flatMap(alertRows));
        return (
          <>
            {where.length > 0 && (
              <Section title="Where the sources are">
                <Suspense fallback={<Spinner label="Loading the map" />}>
                  <WorldMap places={where} height={260} />
                </Suspense>
              </Section>
            )}
            <Section title="Timeline">
              {[...all]
                .sort((a, b) => cellText(b.properties.timeGenerated).localeCompare(cellText(a.properties.timeGenerated)))
                .map((a) => (
                  <AlertCard key={a.name} alert={a} />
                ))}
              {!all.length && <EmptyState title="No alerts" text="This incident was made by hand." />}
            </Section>
          </>
        );
      }}
    </Loaded>
  );
}

/** An alert with the rows that made it, and the query to see more. */
function AlertCard({ alert, open }: { alert: Alert; open?: boolean }) {
  const styles = useStyles();
  const p = alert.properties;
  const rows = alertRows(alert);
  const columns = rowColumns(rows);
  const extra = p.additionalData ?? {};
  const query = cellText(extra['Query']);
  const from = cellText(extra['Query Start Time UTC'] ?? p.startTimeUtc);
  const to = cellText(extra['Query End Time UTC'] ?? p.endTimeUtc);
  const custom = ((): [string, string][] => {
    const c = extra['Custom Details'];
    try {
      const o = (typeof c === 'string' ? JSON.parse(c) : c) as Record<string, unknown> | undefined;
      return Object.entries(o ?? {}).map(([k, v]) => [k, Array.isArray(v) ? v.map(cellText).join(', ') : cellText(v)]);
    } catch {
      return [];
    }
  })();
  const window = from && to && Date.parse(from) < Date.parse(to) ? `${new Date(from).toISOString()}/${new Date(to).toISOString()}` : 'query';
  const shown = rows.slice(0, open ? 100 : 5);
  const count = Number(extra['rowCount'] ?? rows.length);
  return (
    <article className={styles.card} aria-label={p.alertDisplayName}>
      <div className={styles.cardHead}>
        <Severity of={p.severity} />
        <span className={styles.strong}>{p.alertDisplayName}</span>
        <span className={styles.meta}>
          <When at={p.timeGenerated ?? p.startTimeUtc} exact />
        </span>
        {p.tactics?.length ? <span className={styles.meta}>{p.tactics.join(', ')}</span> : null}
      </div>
      {open && p.description && <p className={styles.text}>{p.description}</p>}
      {custom.length > 0 && <Facts of={custom} />}
      {rows.length > 0 ? (
        <div className={styles.scroll} tabIndex={0} role="region" aria-label="Rows of the alert">
          <Rows
            label="Rows of the alert"
            rows={shown.map((r, i) => ({ r, i }))}
            rowKey={(x) => String(x.i)}
            columns={columns.map((c) => ({
              key: c,
              title: c,
              cell: (x: { r: Record<string, unknown> }) => (
                <div className={styles.cell} title={cellText(x.r[c])}>
                  <RowValue text={cellText(x.r[c])} />
                </div>
              ),
            }))}
          />
        </div>
      ) : (
        <span className={styles.meta}>The alert kept no rows.</span>
      )}
      {count > shown.length && <span className={styles.meta}>{`${plural(shown.length, 'row')} of ${count.toLocaleString()} shown.`}</span>}
      {query && (
        <div className={styles.link}>
          <PageLink to={logsLink(query, window)}>Open the query in Logs</PageLink>
        </div>
      )}
      {open && query && <Code>{query}</Code>}
    </article>
  );
}

function Comments({ id, comments, may }: { id: string; comments: Loadable<Comment[]>; may: boolean }) {
  const styles = useStyles();
  const { workspace } = useSession();
  const client = useQueryClient();
  const [text, setText] = useState('');
  const add = useMutation({
    mutationFn: () => incidentsApi(workspace).comment(id, text.trim()),
    onSuccess: () => {
      setText('');
      void client.invalidateQueries({ queryKey: ['incident', id] });
    },
  });
  return (
    <>
      <div className={styles.picks}>
        <Field label="Comment">
          <Textarea value={text} resize="vertical" disabled={!may} placeholder="What did you find, what did you do?" onChange={(_, d) => setText(d.value)} />
        </Field>
        <div className={styles.row}>
          <Button appearance="primary" disabled={!may || !text.trim() || add.isPending} onClick={() => add.mutate()}>
            Add comment
          </Button>
          {!may && <span className={styles.meta}>Commenting needs the role Responder.</span>}
        </div>
        {add.isError && <ErrorBox error={add.error} />}
      </div>
      <Loaded of={comments}>
        {(all) => (
          <>
            {[...all]
              .sort((a, b) => b.properties.createdTimeUtc.localeCompare(a.properties.createdTimeUtc))
              .map((c) => (
                <article key={c.name} className={styles.comment}>
                  <span className={styles.meta}>
                    {c.properties.author?.name || c.properties.author?.userPrincipalName || c.properties.author?.email || 'someone'} · <When at={c.properties.createdTimeUtc} exact />
                  </span>
                  {/* Playbooks write HTML into comments; it is shown as text, for it may hold an attacker's words. */}
                  <p className={styles.text}>{plain(c.properties.message)}</p>
                </article>
              ))}
            {!all.length && <span className={styles.meta}>No comments yet.</span>}
          </>
        )}
      </Loaded>
    </>
  );
}

/** The text of a comment that may be HTML. */
export function plain(html: string): string {
  if (!/<[a-z][^>]*>/i.test(html)) return html;
  const doc = new DOMParser().parseFromString(html.replace(/<(br|\/p|\/div|\/li|\/tr|\/h\d)\b[^>]*>/gi, '\n$&'), 'text/html');
  return (doc.body.textContent ?? '').replace(/\n{3,}/g, '\n\n').trim();
}

function ActivityLog({ id }: { id: string }) {
  const styles = useStyles();
  const { workspace } = useSession();
  const log = useQuery({ queryKey: ['incident', id, 'activity'], queryFn: () => incidentsApi(workspace).activities(id), refetchInterval: 15_000 });
  return (
    <Loaded of={log}>
      {(all) =>
        all.length ? (
          <ol className={styles.log}>
            {[...all]
              .sort((a, b) => b.timeUtc.localeCompare(a.timeUtc))
              .map((a, i) => (
                <li key={i} className={styles.entry}>
                  <When at={a.timeUtc} />
                  <span>
                    <span className={styles.strong}>{a.actor}</span> {a.action}
                    {a.detail && <p className={styles.text}>{a.detail}</p>}
                  </span>
                </li>
              ))}
          </ol>
        ) : (
          <EmptyState title="Nothing happened yet" text="Changes of status, severity and owner, comments, new alerts and playbook runs are listed here." />
        )
      }
    </Loaded>
  );
}

function RunPlaybook({ id, disabled }: { id: string; disabled: boolean }) {
  const { workspace, rooms } = useSession();
  const client = useQueryClient();
  const list = useQuery({ queryKey: ['playbooks'], queryFn: playbooksApi.list, enabled: !disabled });
  const fit = (list.data ?? []).filter((p) => p.enabled && /incident/i.test(p.trigger.summary));
  const run = useMutation({
    mutationFn: (name: string) => incidentsApi(workspace).runPlaybook(id, name),
    onSuccess: () => void client.invalidateQueries({ queryKey: ['incident', id, 'activity'] }),
  });
  if (!rooms?.['runPlaybook']) return null;
  return (
    <Menu>
      <MenuTrigger disableButtonEnhancement>
        <Button size="small" appearance="subtle" icon={<FlowchartRegular />} disabled={disabled} title={run.isError ? (run.error as Error).message : undefined}>
          {run.isPending ? 'Starting…' : run.isError ? 'Playbook failed to start' : run.isSuccess ? 'Playbook started' : 'Run playbook'}
        </Button>
      </MenuTrigger>
      <MenuPopover>
        <MenuList>
          {fit.map((p) => (
            <MenuItem key={p.name} onClick={() => run.mutate(p.name)}>
              {p.name}
            </MenuItem>
          ))}
          {!fit.length && <MenuItem disabled>No playbook with an incident trigger is on</MenuItem>}
        </MenuList>
      </MenuPopover>
    </Menu>
  );
}

function CloseDialog({ open, close, busy, error, submit }: { open: boolean; close: () => void; busy: boolean; error: unknown; submit: (c: Partial<Incident['properties']>) => Promise<void> }) {
  const [kind, setKind] = useState('');
  const [comment, setComment] = useState('');
  return (
    <Dialog open={open} onOpenChange={(_, d) => !d.open && close()}>
      <DialogSurface>
        <DialogBody>
          <DialogTitle>Close the incident</DialogTitle>
          <DialogContent style={{ display: 'grid', gap: 12 }}>
            <Field label="Classification" required>
              <RadioGroup value={kind} onChange={(_, d) => setKind(d.value)}>
                {classifications.map((c) => (
                  <Radio key={c.key} value={c.key} label={c.label} />
                ))}
              </RadioGroup>
            </Field>
            <Field label="Comment">
              <Textarea value={comment} onChange={(_, d) => setComment(d.value)} placeholder="Why?" />
            </Field>
            {error ? <ErrorBox error={error} /> : null}
          </DialogContent>
          <DialogActions>
            <DialogTrigger disableButtonEnhancement>
              <Button>Cancel</Button>
            </DialogTrigger>
            <Button
              appearance="primary"
              disabled={!kind || busy}
              onClick={() => {
                const [classification, reason] = kind.split('/');
                // The mutation keeps its own error; the dialog stays open and shows it.
                void submit({ status: 'Closed', classification, classificationReason: reason || undefined, classificationComment: comment.trim() || undefined }).catch(() => {});
              }}
            >
              Close incident
            </Button>
          </DialogActions>
        </DialogBody>
      </DialogSurface>
    </Dialog>
  );
}

