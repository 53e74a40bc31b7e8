import { Badge, Button, Link as FluentLink, MessageBar, MessageBarBody, Tab, TabList, makeStyles, tokens } from '@fluentui/react-components';
import { ArrowClockwiseRegular, PlugConnectedRegular } from '@fluentui/react-icons';
import { useQuery } from '@tanstack/react-query';
import { useState } from 'react';
import { useLocation } from 'wouter';
import { ApiError } from '../api/client';
import { allows, useSession } from '../api/session';
import { sourcesApi, type Sender } from '../api/sources';
import { Code, CopyButton, Facts, PageLink, Rows, When } from '../ui/bits';
import { ago, bytes, parseTime } from '../ui/format';
import { Page } from '../ui/Page';
import { EmptyState, ErrorBox, Loaded } from '../ui/States';
import { shippers, silentSince } from './setup';

const useStyles = makeStyles({
  body: { marginTop: '14px' },
  split: { display: 'grid', gridTemplateColumns: '210px minmax(0, 820px)', gap: '24px', '@media (max-width: 900px)': { gridTemplateColumns: 'minmax(0, 1fr)' } },
  kinds: { '@media (max-width: 900px)': { flexDirection: 'row', flexWrap: 'wrap' } },
  how: { display: 'grid', gap: '14px', alignContent: 'start', minWidth: 0 },
  h2: { fontSize: '16px', fontWeight: 600, margin: 0 },
  h3: { fontSize: '13px', fontWeight: 600, margin: 0, display: 'flex', alignItems: 'center', gap: '4px' },
  block: { display: 'grid', gap: '4px', minWidth: 0 },
  tables: { display: 'flex', flexWrap: 'wrap', gap: '2px 10px' },
  error: { color: tokens.colorPaletteRedForeground1, maxWidth: '320px', overflowWrap: 'anywhere' },
});

const protocols: Record<string, string> = {
  collector: 'Data Collector',
  'logs-ingestion': 'Logs Ingestion',
  _bulk: 'Elasticsearch _bulk',
  splunk: 'Splunk HEC',
  'otlp-http': 'OTLP over HTTP',
  'otlp-grpc': 'OTLP over gRPC',
  'syslog-udp': 'Syslog, UDP',
  'syslog-tcp': 'Syslog, TCP',
  'syslog-tls': 'Syslog, TLS',
  import: 'File import',
};

export default function SourcesPage({ tab = 'seen', kind }: { tab?: string; kind?: string }) {
  const styles = useStyles();
  const [, go] = useLocation();
  const list = useQuery({ queryKey: ['sources'], queryFn: sourcesApi.list, refetchInterval: 10_000, retry: false });
  return (
    <Page
      title="Data sources"
      subtitle="Who sends, and how to begin"
      commands={
        <Button size="small" appearance="subtle" icon={<ArrowClockwiseRegular />} onClick={() => void list.refetch()}>
          Refresh
        </Button>
      }
    >
      <TabList selectedValue={tab} onTabSelect={(_, d) => go('/sources' + (d.value === 'seen' ? '' : '/setup'))}>
        <Tab value="seen">Senders</Tab>
        <Tab value="setup">Set up a sender</Tab>
      </TabList>
      <div className={styles.body}>
        {tab === 'setup' ? (
          <Setup kind={kind ?? 'collector'} />
        ) : list.error instanceof ApiError && list.error.status === 501 ? (
          <EmptyState icon={<PlugConnectedRegular />} title="Senders are not counted" text={list.error.message} action={<Button onClick={() => go('/sources/setup')}>Set up a sender</Button>} />
        ) : (
          <Loaded of={list}>{(all) => <Senders all={all} />}</Loaded>
        )}
      </div>
    </Page>
  );
}

function Senders({ all }: { all: Sender[] }) {
  const styles = useStyles();
  const [, go] = useLocation();
  if (!all.length)
    return (
      <EmptyState
        icon={<PlugConnectedRegular />}
        title="Nobody has sent anything yet"
        text="Point a shipper here: what it needs is ready to copy, with this workspace’s addresses in it."
        action={
          <Button appearance="primary" onClick={() => go('/sources/setup')}>
            Set up a sender
          </Button>
        }
      />
    );
  return (
    <Rows
      label="Senders"
      rows={all}
      rowKey={(s) => [s.protocol, s.address, s.principal, s.name].join('\n')}
      first="last"
      columns={[
        { key: 'p', title: 'Protocol', cell: (s) => protocols[s.protocol] ?? s.protocol, sort: (s) => s.protocol },
        { key: 'n', title: 'Sender', cell: (s) => [s.name, s.address].filter(Boolean).join(', ') || 'unknown', sort: (s) => s.name || s.address || '' },
        { key: 'w', title: 'Signed in as', cell: (s) => s.principal || '–', sort: (s) => s.principal ?? '' },
        { key: 's', title: 'Status', cell: (s) => <Status s={s} />, sort: (s) => (silentSince(s) ? 1 : 0) + (recentError(s) ? 2 : 0) },
        { key: 'last', title: 'Last record', cell: (s) => <When at={s.last} />, sort: (s) => -(parseTime(s.last)?.getTime() ?? 0) },
        { key: 'f', title: 'First', cell: (s) => <When at={s.first} />, sort: (s) => parseTime(s.first)?.getTime() ?? 0 },
        { key: 'r', title: 'Rows', right: true, cell: (s) => s.rows.toLocaleString() + (s.bytes ? `, ${bytes(s.bytes)}` : ''), sort: (s) => s.rows },
        {
          key: 'e',
          title: 'Refused',
          cell: (s) =>
            s.errors ? (
              <span className={styles.error} title={s.errorAt && ago(s.errorAt)}>
                {s.errors.toLocaleString()}
                {s.lastError ? `: ${s.lastError}` : ''}
              </span>
            ) : (
              '–'
            ),
          sort: (s) => s.errors,
        },
        {
          key: 't',
          title: 'Tables',
          cell: (s) => (
            <span className={styles.tables}>
              {s.tables.slice(0, 8).map((t) => (
                <PageLink key={t} to={'/tables/' + encodeURIComponent(t)}>
                  {t}
                </PageLink>
              ))}
              {s.tables.length > 8 && `and ${s.tables.length - 8} more`}
            </span>
          ),
        },
      ]}
    />
  );
}

/** The last thing that happened was a refusal. */
const recentError = (s: Sender) => s.errors > 0 && (parseTime(s.errorAt)?.getTime() ?? 0) > (parseTime(s.last)?.getTime() ?? 0);

function Status({ s }: { s: Sender }) {
  if (recentError(s))
    return (
      <Badge appearance="tint" color="danger">
        Refused since {ago(s.errorAt)}
      </Badge>
    );
  const silent = silentSince(s);
  return silent ? (
    <Badge appearance="tint" color="warning">
      Silent since {ago(silent)}
    </Badge>
  ) : (
    <Badge appearance="tint" color="success">
      Sending
    </Badge>
  );
}

function Setup({ kind }: { kind: string }) {
  const styles = useStyles();
  const { workspace, user } = useSession();
  const [, go] = useLocation();
  const ends = useQuery({ queryKey: ['endpoints'], queryFn: sourcesApi.endpoints, retry: false });
  const rules = useQuery({ queryKey: ['collectionRules'], queryFn: () => sourcesApi.rules(workspace), retry: false });
  const key = useQuery({ queryKey: ['sharedKey'], queryFn: () => sourcesApi.sharedKey(workspace), enabled: false, gcTime: 0 });
  const [rule, setRule] = useState('');
  return (
    <Loaded of={ends}>
      {(e) => {
        const chosen = rules.data?.find((r) => r.id === rule) ?? rules.data?.[0];
        const all = shippers({ endpoints: e, workspace, sharedKey: key.data ?? '', rule: chosen });
        const s = all.find((x) => x.id === kind) ?? all[0]!;
        return (
          <div className={styles.split}>
            <TabList vertical className={styles.kinds} selectedValue={s.id} onTabSelect={(_, d) => go('/sources/setup/' + String(d.value))} aria-label="Shippers">
              {all.map((x) => (
                <Tab key={x.id} value={x.id}>
                  {x.title}
                </Tab>
              ))}
            </TabList>
            <div className={styles.how}>
              <h2 className={styles.h2}>{s.title}</h2>
              <span>{s.about}</span>
              {s.missing && (
                <MessageBar intent="warning" layout="multiline">
                  <MessageBarBody>{s.missing}</MessageBarBody>
                </MessageBar>
              )}
              <Facts
                of={[
                  ['Rows land in', s.table],
                  ['It needs', s.needs],
                  [
                    'Rule',
                    /ingestion|fluent|vector/.test(s.id) &&
                      (rules.data?.length ? (
                        <select key="r" aria-label="Data collection rule" value={chosen?.id} onChange={(ev) => setRule(ev.target.value)}>
                          {rules.data.map((r) => (
                            <option key={r.id} value={r.id}>
                              {r.name}
                            </option>
                          ))}
                        </select>
                      ) : (
                        'there is none yet: make one with az monitor data-collection rule create, or az rest'
                      )),
                  ],
                ]}
              />
              {s.id === 'collector' && allows(user, 'Owner') && !key.data && (
                <div>
                  <Button size="small" onClick={() => void key.refetch()}>
                    Put the shared key in
                  </Button>
                </div>
              )}
              {key.isError && <ErrorBox error={key.error} />}
              {/pat_…|CLIENT-SECRET/.test(s.blocks.map((b) => b.text).join()) && (
                <span>
                  Put in the credential that <PageLink inText to="/access">Access</PageLink> gives you.
                </span>
              )}
              {s.blocks.map((b) => (
                <section key={b.title} className={styles.block} aria-label={b.title}>
                  <h3 className={styles.h3}>
                    {b.title}
                    <CopyButton text={b.text} label={`Copy: ${b.title}`} />
                  </h3>
                  <Code style={{ maxHeight: 'none' }}>{b.text}</Code>
                </section>
              ))}
              {s.id !== 'rsyslog' && s.id !== 'canarytokens' && (
                <span>
                  {e.caFile ? (
                    <>
                      The certificate of picket’s own authority is {e.caFile} on the server; copy it to the sender. <code>picket trust</code> prints it.
                    </>
                  ) : (
                    'This server has a certificate of your own: leave out what names an authority when the sender trusts it anyway.'
                  )}
                </span>
              )}
              <FluentLink as="button" onClick={() => go('/sources')}>
                See whether it came
              </FluentLink>
            </div>
          </div>
        );
      }}
    </Loaded>
  );
}
