import {
  Badge,
  Button,
  Dialog,
  DialogActions,
  DialogBody,
  DialogContent,
  DialogSurface,
  DialogTitle,
  DialogTrigger,
  Field,
  Input,
  MessageBar,
  MessageBarBody,
  Spinner,
  Switch,
  Tab,
  TabList,
  Textarea,
  makeStyles,
  tokens,
} from '@fluentui/react-components';
import { ArrowClockwiseRegular, ArrowDownloadRegular, DeleteRegular, PulseRegular } from '@fluentui/react-icons';
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { Suspense, lazy, useState } from 'react';
import { useLocation } from 'wouter';
import { ApiError, saveAs } from '../api/client';
import type { Table } from '../api/query';
import { allows, useSession } from '../api/session';
import { tokensApi, type Hit, type Token } from '../api/tokens';
import { CopyField, Facts, PageLink, Rows, Section, StatusBadge, When } from '../ui/bits';
import { plural } from '../ui/format';
import { Page } from '../ui/Page';
import { EmptyState, ErrorBox, Loaded, type Loadable } from '../ui/States';
import type { Place } from '../ui/WorldMap';
import { toCsv } from '../logs/export';
import { logsLink } from '../logs/timerange';
import { TokenStatus, placeName } from './bits';
import { TestHook, shortUrl } from './TokenWizard';

const WorldMap = lazy(() => import('../ui/WorldMap'));

const useStyles = makeStyles({
  body: { display: 'grid', gap: '20px', marginTop: '14px' },
  two: { display: 'grid', gridTemplateColumns: 'repeat(auto-fit, minmax(340px, 1fr))', gap: '28px', alignItems: 'start' },
  form: { display: 'grid', gap: '14px', maxWidth: '640px' },
  pair: { display: 'grid', gridTemplateColumns: '1fr 1fr', gap: '12px' },
  meta: { fontSize: '12px', color: tokens.colorNeutralForeground3 },
  scroll: { overflowX: 'auto' },
});

export default function TokenPage({ id, tab = 'overview' }: { id: string; tab?: string }) {
  const styles = useStyles();
  const { user } = useSession();
  const client = useQueryClient();
  const [, go] = useLocation();
  const token = useQuery({ queryKey: ['token', id], queryFn: () => tokensApi.get(id), refetchInterval: 10_000 });
  const history = useQuery({ queryKey: ['token', id, 'history'], queryFn: () => tokensApi.history(id), refetchInterval: 10_000 });
  const may = allows(user, 'Contributor');
  const [error, setError] = useState<unknown>(null);
  const [sure, setSure] = useState(false);
  const change = useMutation({
    mutationFn: (c: object) => tokensApi.update(id, c),
    onSuccess: () => {
      void client.invalidateQueries({ queryKey: ['token', id] });
      void client.invalidateQueries({ queryKey: ['tokens'] });
    },
  });
  const crumbs = [{ to: '/tokens', label: 'Tokens' }];
  if (token.error instanceof ApiError && token.error.status === 404)
    return (
      <Page title="Token" crumbs={crumbs}>
        <EmptyState title="There is no such token" text="It may have been deleted; its trips stay in the tables." action={<PageLink to={logsLink(`CanaryTrips\n| where Token == "${id.replace(/[^0-9a-z]/gi, '')}"`, '30d')}>Look in Logs</PageLink>} />
      </Page>
    );
  const t = token.data;
  return (
    <Page
      title={t ? t.fileName || t.hostname || t.kindTitle : 'Token'}
      subtitle={t && <TokenStatus of={t} />}
      crumbs={crumbs}
      commands={
        t && (
          <>
            <Button size="small" appearance="subtle" icon={<ArrowDownloadRegular />} disabled={!may} onClick={() => tokensApi.download(id).catch(setError)}>
              Download
            </Button>
            <Switch
              label={t.status === 'disabled' ? 'Disabled' : 'Enabled'}
              checked={t.status !== 'disabled'}
              disabled={!may || change.isPending}
              onChange={(_, d) => change.mutate({ enabled: d.checked })}
            />
            <Button size="small" appearance="subtle" icon={<ArrowClockwiseRegular />} onClick={() => void client.invalidateQueries({ queryKey: ['token', id] })}>
              Refresh
            </Button>
            <Button size="small" appearance="subtle" icon={<DeleteRegular />} disabled={!may} onClick={() => setSure(true)}>
              Delete
            </Button>
          </>
        )
      }
    >
      <Loaded of={token}>
        {(t) => (
          <>
            {error ? <ErrorBox error={error} /> : null}
            {change.isError && <ErrorBox error={change.error} />}
            <TabList selectedValue={tab} onTabSelect={(_, d) => go(`/tokens/${id}${d.value === 'overview' ? '' : '/' + String(d.value)}`)}>
              <Tab value="overview">Overview</Tab>
              <Tab value="history">History{t.hits ? ` (${t.hits.toLocaleString()})` : ''}</Tab>
              <Tab value="messages">Messages</Tab>
              <Tab value="settings">Settings</Tab>
            </TabList>
            <div className={styles.body}>
              {tab === 'overview' && <Overview t={t} history={history} may={may} />}
              {tab === 'history' && <Loaded of={history}>{(h) => (h.length ? <History hits={h} id={id} /> : <NoTrips t={t} />)}</Loaded>}
              {tab === 'messages' && <Messages t={t} may={may} />}
              {tab === 'settings' && <Settings key={t.token} t={t} may={may} save={(c) => change.mutateAsync(c)} error={change.error} />}
            </div>
          </>
        )}
      </Loaded>
      <Dialog open={sure} onOpenChange={(_, d) => setSure(d.open)}>
        <DialogSurface>
          <DialogBody>
            <DialogTitle>Delete the token?</DialogTitle>
            <DialogContent>The decoy that lies out there stays silent from now on. What it has recorded stays in the tables. To pause it, disable it instead.</DialogContent>
            <DialogActions>
              <DialogTrigger disableButtonEnhancement>
                <Button>Cancel</Button>
              </DialogTrigger>
              <Button
                appearance="primary"
                onClick={() =>
                  void tokensApi.remove(id).then(
                    () => {
                      void client.invalidateQueries({ queryKey: ['tokens'] });
                      go('/tokens');
                    },
                    (e: unknown) => {
                      setSure(false);
                      setError(e);
                    },
                  )
                }
              >
                Delete
              </Button>
            </DialogActions>
          </DialogBody>
        </DialogSurface>
      </Dialog>
    </Page>
  );
}

function NoTrips({ t }: { t: Token }) {
  return (
    <EmptyState
      icon={<PulseRegular />}
      title="Nobody has touched it"
      text={`That is the good news. To see a trip, ${t.kind === 'dns' ? 'look the name up' : t.kind.startsWith('ms_') ? 'download the document and open it in LibreOffice or Word' : 'open its address'}: it shows here within seconds.`}
    />
  );
}

function Overview({ t, history, may }: { t: Token; history: Loadable<Hit[]>; may: boolean }) {
  const styles = useStyles();
  return (
    <>
      <div className={styles.two}>
        <Section title="Token">
          <Facts
            of={[
              ['Kind', t.kindTitle],
              ['File name', t.fileName],
              ['Content', t.ownDocument ? 'own document' : ''],
              ['Trips at', t.url ? <CopyField key="u" text={t.url} label="Copy the address" /> : t.hostname ? <CopyField key="h" text={t.hostname} label="Copy the name" /> : ''],
              ['Owner', t.owner],
              ['Tags', t.tags?.join(', ')],
              ['Created', <When key="c" at={t.created} exact />],
              ['Expires', t.expires ? <When key="e" at={t.expires} exact /> : 'never'],
              ['Trips', t.hits.toLocaleString()],
              ['Last trip', <When key="l" at={t.lastHit} exact />],
              ['Id', t.token],
            ]}
          />
        </Section>
        <Section title="Where it lies">
          <Facts
            of={[
              ['Host', t.place.computername],
              ['Share', t.place.sharePath],
              ['Public address', t.place.publicIp],
              ['Private address', t.place.privateIp],
              ['Description', t.place.description],
              ['Memo', <span key="m" style={{ fontFamily: tokens.fontFamilyMonospace, fontSize: 12 }}>{t.memo}</span>],
            ]}
          />
        </Section>
        <Section title="Who is told">
          <Facts
            of={[
              ['Webhooks', t.webhooks?.length ? t.webhooks.map((w) => <div key={w} title={w}>{shortUrl(w)}</div>) : 'none'],
              ['E-mail', t.recipients?.length ? t.recipients.join(', ') : 'none'],
              ['Ignored sources', t.ignored?.join(', ')],
            ]}
          />
          {may && t.webhooks?.map((w) => <TestHook key={w} url={w} />)}
        </Section>
      </div>
      <Section title="Latest trips">
        <Loaded of={history}>{(h) => (h.length ? <History hits={h.slice(0, 20)} id={t.token} /> : <NoTrips t={t} />)}</Loaded>
      </Section>
    </>
  );
}

/** Trips as a flat table for export. */
function hitTable(hits: Hit[]): Table {
  const columns = ['time', 'sourceIp', 'channel', 'method', 'path', 'userAgent', 'referer', 'queryName', 'queryType', 'country', 'city', 'lat', 'lon', 'org', 'tor', 'status', 'likelyBenign', 'count'] as const;
  const number = new Set(['lat', 'lon', 'count']);
  return { name: 'trips', columns: columns.map((name) => ({ name, type: number.has(name) ? 'real' : 'string' })), rows: hits.map((h) => columns.map((c) => h[c] ?? null)) };
}

function History({ hits, id }: { hits: Hit[]; id: string }) {
  const styles = useStyles();
  const spots = new Map<string, Place>();
  for (const h of hits) {
    if (h.lat == null || h.lon == null) continue;
    const k = `${h.lat},${h.lon}`;
    const p = spots.get(k) ?? { lat: h.lat, lon: h.lon, label: placeName(h) || h.sourceIp, count: 0, alarm: false };
    p.count += h.count || 1;
    p.alarm = p.alarm || h.tor === true;
    spots.set(k, p);
  }
  const unknown = hits.filter((h) => h.lat == null).length;
  return (
    <>
      {spots.size > 0 ? (
        <Suspense fallback={<Spinner label="Loading the map" />}>
          <WorldMap places={[...spots.values()]} height={300} />
        </Suspense>
      ) : null}
      {unknown > 0 && (
        <span className={styles.meta}>
          {plural(unknown, 'trip')} without a place: private addresses have none, and public ones need <PageLink inText to="/workspace/places">place data</PageLink>.
        </span>
      )}
      <div className={styles.scroll}>
        <Rows
          label="Trips"
          rows={hits}
          rowKey={(h) => h.id}
          columns={[
            { key: 't', title: 'Time', cell: (h) => <When at={h.time} exact /> },
            { key: 's', title: 'Source', cell: (h) => h.sourceIp + (h.resolver ? ' (resolver)' : '') },
            { key: 'p', title: 'Place', cell: (h) => placeName(h) },
            { key: 'o', title: 'Network', cell: (h) => h.org ?? '' },
            {
              key: 'tor',
              title: 'Tor',
              cell: (h) =>
                h.tor === true ? (
                  <Badge color="danger" appearance="tint">
                    Tor exit
                  </Badge>
                ) : h.tor === false ? (
                  'no'
                ) : (
                  <span title="There was no Tor list when this was recorded">unknown</span>
                ),
            },
            { key: 'c', title: 'Channel', cell: (h) => [h.channel.toUpperCase(), h.method ?? h.queryType].filter(Boolean).join(' ') },
            { key: 'u', title: 'Program', cell: (h) => h.userAgent || h.queryName || '' },
            {
              key: 'x',
              title: 'Notes',
              cell: (h) =>
                [
                  h.count > 1 ? `${h.count} calls` : '',
                  h.onHost ? 'from the host itself' : '',
                  h.status === 'alertable' ? '' : { ignored_ip: 'ignored source', disabled: 'token was disabled', expired: 'token had expired', deleted: 'token was deleted' }[h.status] ?? h.status,
                  h.likelyBenign ? `probably benign: ${h.likelyBenign}` : '',
                ]
                  .filter(Boolean)
                  .join('; '),
            },
          ]}
        />
      </div>
      <div style={{ display: 'flex', gap: 16, alignItems: 'center' }}>
        <PageLink to={logsLink(`CanaryTrips\n| where Token == "${id}"\n| sort by TimeGenerated desc`, '30d')}>All trips in Logs</PageLink>
        <Button size="small" appearance="subtle" icon={<ArrowDownloadRegular />} onClick={() => saveAs(`trips-${id}.csv`, new Blob([toCsv(hitTable(hits))], { type: 'text/csv' }))}>
          CSV
        </Button>
        <Button size="small" appearance="subtle" icon={<ArrowDownloadRegular />} onClick={() => saveAs(`trips-${id}.json`, new Blob([JSON.stringify(hits, null, 2)], { type: 'application/json' }))}>
          JSON
        </Button>
      </div>
    </>
  );
}

function Messages({ t, may }: { t: Token; may: boolean }) {
  const client = useQueryClient();
  const retry = useMutation({ mutationFn: tokensApi.retry, onSettled: () => void client.invalidateQueries({ queryKey: ['token', t.token] }) });
  const list = t.notifications ?? [];
  if (!list.length) return <EmptyState title="No messages yet" text="Each trip sends one to every receiver; what was sent, what waits and what failed is listed here." />;
  return (
    <>
      {retry.isError && <ErrorBox error={retry.error} />}
      <Rows
        label="Messages"
        rows={list}
        rowKey={(n) => n.id}
        columns={[
          { key: 'c', title: 'Created', cell: (n) => <When at={n.created} exact /> },
          { key: 'k', title: 'Way', cell: (n) => (n.kind === 'mail' ? 'E-mail' : 'Webhook') },
          { key: 't', title: 'To', cell: (n) => <span title={n.target}>{n.kind === 'webhook' ? shortUrl(n.target) : n.target}</span> },
          { key: 'h', title: 'Trips', cell: (n) => n.hits },
          { key: 's', title: 'State', cell: (n) => <StatusBadge status={{ pending: 'Waiting', done: 'Succeeded', dead: 'Failed' }[n.status]} /> },
          { key: 'a', title: 'Tries', cell: (n) => n.attempts },
          { key: 'n', title: 'Next', cell: (n) => (n.status === 'pending' ? <When at={n.next} /> : '') },
          { key: 'e', title: 'Answer', cell: (n) => [n.lastStatus ? `HTTP ${n.lastStatus}` : '', n.lastError].filter(Boolean).join(': ') },
          { key: 'r', title: '', cell: (n) => n.status !== 'done' && may && <Button size="small" onClick={() => retry.mutate(n.id)}>Send now</Button> },
        ]}
      />
    </>
  );
}

function Settings({ t, may, save, error }: { t: Token; may: boolean; save: (c: object) => Promise<unknown>; error: unknown }) {
  const styles = useStyles();
  const [place, setPlace] = useState(t.place);
  const [memoText, setMemoText] = useState(t.memo);
  const [webhooks, setWebhooks] = useState((t.webhooks ?? []).join('\n'));
  const [recipients, setRecipients] = useState((t.recipients ?? []).join(', '));
  const [ignored, setIgnored] = useState((t.ignored ?? []).join(', '));
  const [owner, setOwner] = useState(t.owner ?? '');
  const [tags, setTags] = useState((t.tags ?? []).join(', '));
  const [expires, setExpires] = useState(t.expires ? t.expires.slice(0, 10) : '');
  const [saved, setSaved] = useState(false);
  const words = (s: string) => s.split(/[\s,;]+/).filter(Boolean);
  const problem = (f: string): string | undefined => (error instanceof ApiError && error.target?.toLowerCase() === f.toLowerCase() ? error.message : undefined);
  const submit = async () => {
    setSaved(false);
    try {
      await save({
        ...(t.freeMemo ? { memoText } : { memo: place }),
        webhooks: words(webhooks),
        recipients: words(recipients),
        ignored: words(ignored),
        owner: owner.trim(),
        tags: tags.split(',').map((x) => x.trim()).filter(Boolean),
        expires: expires ? new Date(expires + 'T23:59:59Z').toISOString() : '',
      });
      setSaved(true);
    } catch {
      // shown by the page and at the field
    }
  };
  if (!may)
    return (
      <MessageBar intent="info">
        <MessageBarBody>Changing tokens needs the role Contributor.</MessageBarBody>
      </MessageBar>
    );
  return (
    <div className={styles.form}>
      {t.freeMemo ? (
        <Field label="Memo" validationMessage={problem('memo')}>
          <Input value={memoText} onChange={(_, d) => setMemoText(d.value)} />
        </Field>
      ) : (
        <>
          <div className={styles.pair}>
            <Field label="Host" validationMessage={problem('computername')}>
              <Input value={place.computername ?? ''} onChange={(_, d) => setPlace({ ...place, computername: d.value })} />
            </Field>
            <Field label="Share or folder" validationMessage={problem('sharePath')}>
              <Input value={place.sharePath ?? ''} onChange={(_, d) => setPlace({ ...place, sharePath: d.value })} />
            </Field>
            <Field label="Public address" validationMessage={problem('publicIP')}>
              <Input value={place.publicIp ?? ''} onChange={(_, d) => setPlace({ ...place, publicIp: d.value })} />
            </Field>
            <Field label="Private address" validationMessage={problem('privateIP')}>
              <Input value={place.privateIp ?? ''} onChange={(_, d) => setPlace({ ...place, privateIp: d.value })} />
            </Field>
          </div>
          <Field label="Description" validationMessage={problem('description') ?? problem('memo')}>
            <Input value={place.description ?? ''} onChange={(_, d) => setPlace({ ...place, description: d.value })} />
          </Field>
        </>
      )}
      <Field label="Webhooks" hint="One address a line." validationMessage={problem('webhook')}>
        <Textarea value={webhooks} resize="vertical" onChange={(_, d) => setWebhooks(d.value)} />
      </Field>
      <Switch label="Send to webhooks" checked={t.webhookEnabled} onChange={(_, d) => void save({ webhookEnabled: d.checked }).catch(() => {})} />
      <Field label="E-mail addresses" validationMessage={problem('recipients')}>
        <Input value={recipients} onChange={(_, d) => setRecipients(d.value)} />
      </Field>
      <Switch label="Send e-mail" checked={t.emailEnabled} onChange={(_, d) => void save({ emailEnabled: d.checked }).catch(() => {})} />
      <Field label="Ignored sources" hint="Addresses or CIDR ranges: their trips are recorded and not told." validationMessage={problem('ignored')}>
        <Input value={ignored} onChange={(_, d) => setIgnored(d.value)} />
      </Field>
      <div className={styles.pair}>
        <Field label="Owner" validationMessage={problem('owner')}>
          <Input value={owner} onChange={(_, d) => setOwner(d.value)} />
        </Field>
        <Field label="Expires" hint="Empty is never." validationMessage={problem('expires')}>
          <Input type="date" value={expires} onChange={(_, d) => setExpires(d.value)} />
        </Field>
      </div>
      <Field label="Tags" validationMessage={problem('tags')}>
        <Input value={tags} onChange={(_, d) => setTags(d.value)} />
      </Field>
      <div>
        <Button appearance="primary" onClick={() => void submit()}>
          Save
        </Button>{' '}
        <span role="status">{saved ? 'Saved' : ''}</span>
      </div>
    </div>
  );
}
