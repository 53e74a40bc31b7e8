import {
  Button,
  Field,
  MessageBar,
  MessageBarBody,
  Spinner,
  Tab,
  TabList,
  makeStyles,
} from '@fluentui/react-components';
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { useState } from 'react';
import { Redirect, useLocation } from 'wouter';
import { call, setCsrf, type List } from '../api/client';
import { allows, roleWords, useSession, workspacePath } from '../api/session';
import { PasswordForm } from '../shell/SignIn';
import { CopyField, Facts, Rows, Section, When } from '../ui/bits';
import { Page } from '../ui/Page';
import { EmptyState, ErrorBox, Loaded } from '../ui/States';

const useStyles = makeStyles({
  body: { marginTop: '14px', display: 'grid', gap: '24px', maxWidth: '900px' },
  form: { maxWidth: '420px' },
});

export default function SettingsPage({ tab = 'workspace' }: { tab?: string }) {
  const styles = useStyles();
  const [, go] = useLocation();
  return (
    <Page title="Settings">
      <TabList selectedValue={tab} onTabSelect={(_, d) => go('/workspace/' + String(d.value))}>
        <Tab value="workspace">Workspace</Tab>
        <Tab value="account">Your account</Tab>
        <Tab value="places">Place data</Tab>
      </TabList>
      <div className={styles.body}>
        {tab === 'workspace' && <WorkspaceTab />}
        {tab === 'account' && <AccountTab />}
        {(tab === 'accounts' || tab === 'access') && <Redirect to={tab === 'access' ? '/access/programs' : '/access'} replace />}
        {tab === 'places' && <PlacesTab />}
      </div>
    </Page>
  );
}

function WorkspaceTab() {
  const { workspace: w, version, tripUrl, user } = useSession();
  const keys = useQuery({
    queryKey: ['sharedKeys'],
    queryFn: () => call<{ primarySharedKey?: string; secondarySharedKey?: string }>(workspacePath(w) + '/sharedKeys?api-version=2020-08-01', { method: 'POST', json: {} }),
    enabled: false,
  });
  return (
    <>
      <Section title="Workspace">
        <Facts
          of={[
            ['Name', w.name],
            ['Workspace ID', <CopyField key="i" text={w.id} label="Copy the workspace ID" />],
            ['Resource ID', <CopyField key="r" text={workspacePath(w)} label="Copy the resource ID" />],
            ['Tenant', w.tenantId],
            ['Address', location.origin],
            ['Trip address', tripUrl],
            ['Version', version],
          ]}
        />
      </Section>
      {allows(user, 'Owner') && (
        <Section title="Shared keys of the Data Collector">
          {keys.data ? (
            <Facts
              of={[
                ['Primary', keys.data.primarySharedKey ? <CopyField key="p" text={keys.data.primarySharedKey} label="Copy the primary key" /> : ''],
                ['Secondary', keys.data.secondarySharedKey ? <CopyField key="s" text={keys.data.secondarySharedKey} label="Copy the secondary key" /> : ''],
              ]}
            />
          ) : (
            <div>
              <Button onClick={() => void keys.refetch()}>Show the keys</Button>
            </div>
          )}
          {keys.isError && <ErrorBox error={keys.error} />}
        </Section>
      )}
    </>
  );
}

interface SessionRow {
  created: string;
  seen: string;
  peer: string;
  agent: string;
  current: boolean;
}

function AccountTab() {
  const styles = useStyles();
  const { user } = useSession();
  const client = useQueryClient();
  const [saved, setSaved] = useState(false);
  const sessions = useQuery({ queryKey: ['sessions'], queryFn: async () => (await call<List<SessionRow>>('/api/v1/sessions')).value });
  const end = useMutation({ mutationFn: () => call<void>('/api/v1/sessions', { method: 'DELETE' }), onSettled: () => void sessions.refetch() });
  return (
    <>
      <Section title="Account">
        <Facts
          of={[
            ['Name', user.name],
            ['Shown as', user.displayName],
            ['Role', `${user.role}: ${roleWords[user.role]}`],
          ]}
        />
      </Section>
      <Section title="Change password" className={styles.form}>
        {saved && (
          <MessageBar intent="success">
            <MessageBarBody>The password is changed. Your other sessions have ended.</MessageBarBody>
          </MessageBar>
        )}
        <PasswordForm
          name={user.name}
          done={(s) => {
            setCsrf(s.csrf);
            client.setQueryData(['session'], s);
            setSaved(true);
            void sessions.refetch();
          }}
        />
      </Section>
      <Section title="Where you are signed in">
        {end.isError && <ErrorBox error={end.error} />}
        <Loaded of={sessions}>
          {(all) => (
            <>
              <Rows
                label="Sessions"
                rows={all}
                rowKey={(s) => s.created + s.agent}
                columns={[
                  { key: 'a', title: 'Browser', cell: (s) => s.agent.slice(0, 90) + (s.current ? ' (this one)' : '') },
                  { key: 'p', title: 'Address', cell: (s) => s.peer },
                  { key: 'c', title: 'Signed in', cell: (s) => <When at={s.created} /> },
                  { key: 's', title: 'Last seen', cell: (s) => <When at={s.seen} /> },
                ]}
              />
              <div>
                <Button disabled={all.length < 2 || end.isPending} onClick={() => end.mutate()}>
                  Sign out everywhere else
                </Button>
              </div>
            </>
          )}
        </Loaded>
      </Section>
    </>
  );
}

interface Geo {
  value: { name: string; kind: string; imported: string; built?: string; entries?: number }[];
  locationUnknownSince?: string;
  torUnknownSince?: string;
  torListed?: string;
}

function PlacesTab() {
  const { user } = useSession();
  const geo = useQuery({ queryKey: ['geo'], queryFn: () => call<Geo>('/api/v1/geo') });
  const load = useMutation({
    mutationFn: (f: File) => {
      const form = new FormData();
      form.set('file', f);
      return call<{ summary?: string }>('/api/v1/geo/import', { body: form });
    },
    onSettled: () => void geo.refetch(),
  });
  const kinds: Record<string, string> = { city: 'Cities', country: 'Countries', asn: 'Networks', tor: 'Tor exits' };
  return (
    <Section title="Places, networks and Tor exits">
      {allows(user, 'Contributor') && (
        <Field label="Load a file" hint="MaxMind format (.mmdb), CSV of ranges, or a list of Tor exits.">
          <input type="file" aria-label="Load a file" disabled={load.isPending} onChange={(e) => e.target.files?.[0] && load.mutate(e.target.files[0])} />
        </Field>
      )}
      {load.isPending && <Spinner size="tiny" label="Loading the file" />}
      {load.isError && <ErrorBox error={load.error} />}
      {load.data && (
        <MessageBar intent="success">
          <MessageBarBody>Loaded. {load.data.summary}</MessageBarBody>
        </MessageBar>
      )}
      <Loaded of={geo}>
        {(g) => (
          <>
            {g.locationUnknownSince && (
              <MessageBar intent="info" layout="multiline">
                <MessageBarBody>
                  Without place data, trips have no country or city. Load a file in MaxMind format or CSV here, or by <code>picket geo import FILE.mmdb</code>
                </MessageBarBody>
              </MessageBar>
            )}
            {g.torUnknownSince && (
              <MessageBar intent="info" layout="multiline">
                <MessageBarBody>
                  Without a list of Tor exits, the Tor flag of trips is unknown. Load one here, or by <code>picket geo import exit-addresses</code>
                </MessageBarBody>
              </MessageBar>
            )}
            {g.value.length ? (
              <Rows
                label="Place data"
                rows={g.value}
                rowKey={(f) => f.name}
                columns={[
                  { key: 'k', title: 'What', cell: (f) => kinds[f.kind] ?? f.kind },
                  { key: 'n', title: 'File', cell: (f) => f.name },
                  { key: 'e', title: 'Entries', cell: (f) => f.entries?.toLocaleString() ?? '' },
                  { key: 'b', title: 'Data of', cell: (f) => <When at={f.built} exact /> },
                  { key: 'i', title: 'Loaded', cell: (f) => <When at={f.imported} exact /> },
                ]}
              />
            ) : (
              <EmptyState title="No data loaded" text="Enrichment works offline, from files that you load." />
            )}
          </>
        )}
      </Loaded>
    </Section>
  );
}
