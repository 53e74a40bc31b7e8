import {
  Button,
  Dialog,
  DialogActions,
  DialogBody,
  DialogContent,
  DialogSurface,
  DialogTitle,
  Dropdown,
  Field,
  Input,
  MessageBar,
  MessageBarBody,
  Option,
  Spinner,
  Switch,
  Tab,
  TabList,
  makeStyles,
} from '@fluentui/react-components';
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { useState } from 'react';
import { useLocation } from 'wouter';
import { call, setCsrf, type List } from '../api/client';
import { allows, useSession, workspacePath, type User } from '../api/session';
import { PasswordForm } from '../shell/SignIn';
import { CopyField, Facts, Rows, Section, When } from '../ui/bits';
import { Page } from '../ui/Page';
import { EmptyState, ErrorBox, Loaded } from '../ui/States';

const useStyles = makeStyles({
  body: { marginTop: '14px', display: 'grid', gap: '24px', maxWidth: '900px' },
  form: { maxWidth: '420px' },
});

const roles: Record<User['role'], string> = {
  Reader: 'reads and queries',
  Responder: 'works incidents, runs playbooks',
  Contributor: 'changes rules, playbooks and tokens',
  Owner: 'everything, accounts included',
};

export default function SettingsPage({ tab = 'workspace' }: { tab?: string }) {
  const styles = useStyles();
  const { user } = useSession();
  const [, go] = useLocation();
  return (
    <Page title="Settings">
      <TabList selectedValue={tab} onTabSelect={(_, d) => go('/workspace/' + String(d.value))}>
        <Tab value="workspace">Workspace</Tab>
        <Tab value="account">Your account</Tab>
        {allows(user, 'Owner') && <Tab value="accounts">Accounts</Tab>}
        {allows(user, 'Owner') && <Tab value="access">Programs</Tab>}
        <Tab value="places">Place data</Tab>
      </TabList>
      <div className={styles.body}>
        {tab === 'workspace' && <WorkspaceTab />}
        {tab === 'account' && <AccountTab />}
        {tab === 'accounts' && <AccountsTab />}
        {tab === 'access' && <AccessTab />}
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
            ['Role', `${user.role}: ${roles[user.role]}`],
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

type Account = User & { lastSeen?: string };

function AccountsTab() {
  const { user } = useSession();
  const list = useQuery({ queryKey: ['accounts'], queryFn: async () => (await call<List<Account>>('/api/v1/accounts')).value });
  const [adding, setAdding] = useState(false);
  const [told, setTold] = useState<{ name: string; password: string } | null>(null);
  const change = useMutation({
    mutationFn: ({ name, ...c }: { name: string; role?: string; disabled?: boolean }) => call<User>('/api/v1/accounts/' + encodeURIComponent(name), { method: 'PATCH', json: c }),
    onSettled: () => void list.refetch(),
  });
  const reset = useMutation({
    mutationFn: (name: string) => call<{ password: string }>(`/api/v1/accounts/${encodeURIComponent(name)}/reset`, { method: 'POST' }),
    onSuccess: (r, name) => setTold({ name, password: r.password }),
  });
  return (
    <Section title="Accounts">
      {[change.error, reset.error].map((e, i) => (e ? <ErrorBox key={i} error={e} /> : null))}
      {told && (
        <MessageBar intent="success" layout="multiline">
          <MessageBarBody>
            Password of {told.name}, shown this once; it must be changed at the first sign-in.
            <CopyField text={told.password} label="Copy the password" />
          </MessageBarBody>
        </MessageBar>
      )}
      <div>
        <Button appearance="primary" onClick={() => setAdding(true)}>
          Add account
        </Button>
      </div>
      <Loaded of={list}>
        {(all) => (
          <Rows
            label="Accounts"
            rows={all}
            rowKey={(a) => a.id}
            columns={[
              { key: 'n', title: 'Name', cell: (a) => a.name },
              { key: 'd', title: 'Shown as', cell: (a) => a.displayName },
              {
                key: 'r',
                title: 'Role',
                cell: (a) => (
                  <Dropdown size="small" aria-label={`Role of ${a.name}`} disabled={a.id === user.id} value={a.role} selectedOptions={[a.role]} onOptionSelect={(_, d) => d.optionValue && change.mutate({ name: a.name, role: d.optionValue })}>
                    {Object.keys(roles).map((r) => (
                      <Option key={r}>{r}</Option>
                    ))}
                  </Dropdown>
                ),
              },
              { key: 's', title: 'Last seen', cell: (a) => <When at={a.lastSeen} /> },
              { key: 'e', title: 'Enabled', cell: (a) => <Switch aria-label={`${a.name} enabled`} checked={!a.disabled} disabled={a.id === user.id} onChange={(_, d) => change.mutate({ name: a.name, disabled: !d.checked })} /> },
              { key: 'p', title: '', cell: (a) => <Button size="small" disabled={a.id === user.id} onClick={() => reset.mutate(a.name)}>Reset password</Button> },
            ]}
          />
        )}
      </Loaded>
      {adding && (
        <AddAccount
          close={() => setAdding(false)}
          made={(name, password) => {
            setAdding(false);
            setTold({ name, password });
            void list.refetch();
          }}
        />
      )}
    </Section>
  );
}

function AddAccount({ close, made }: { close: () => void; made: (name: string, password: string) => void }) {
  const [name, setName] = useState('');
  const [display, setDisplay] = useState('');
  const [role, setRole] = useState<User['role']>('Responder');
  const add = useMutation({
    mutationFn: () => call<{ password: string }>('/api/v1/accounts', { json: { name, displayName: display, role } }),
    onSuccess: (r) => made(name, r.password),
  });
  return (
    <Dialog open onOpenChange={(_, d) => !d.open && close()}>
      <DialogSurface>
        <DialogBody>
          <DialogTitle>Add account</DialogTitle>
          <DialogContent style={{ display: 'grid', gap: 12 }}>
            {add.isError && <ErrorBox error={add.error} />}
            <Field label="Name" required>
              <Input value={name} onChange={(_, d) => setName(d.value)} />
            </Field>
            <Field label="Shown as">
              <Input value={display} onChange={(_, d) => setDisplay(d.value)} />
            </Field>
            <Field label="Role" hint={roles[role]}>
              <Dropdown value={role} selectedOptions={[role]} onOptionSelect={(_, d) => setRole(d.optionValue as User['role'])}>
                {Object.keys(roles).map((r) => (
                  <Option key={r}>{r}</Option>
                ))}
              </Dropdown>
            </Field>
          </DialogContent>
          <DialogActions>
            <Button onClick={close}>Cancel</Button>
            <Button appearance="primary" disabled={!name.trim() || add.isPending} onClick={() => add.mutate()}>
              Add
            </Button>
          </DialogActions>
        </DialogBody>
      </DialogSurface>
    </Dialog>
  );
}

interface Grant {
  id: string;
  kind: string;
  name: string;
  role: string;
  created?: string;
  expires?: string;
}

const grantKinds: Record<string, string> = { principal: 'Service principal', identity: 'Managed identity', token: 'Personal token' };

/** Access for programs: what Azure's clients, shippers and scripts sign in with. */
function AccessTab() {
  const list = useQuery({ queryKey: ['access'], queryFn: async () => (await call<List<Grant>>('/api/v1/access')).value });
  const [adding, setAdding] = useState(false);
  const [told, setTold] = useState<Record<string, string> | null>(null);
  const revoke = useMutation({ mutationFn: (id: string) => call<void>('/api/v1/access/' + encodeURIComponent(id), { method: 'DELETE' }), onSettled: () => void list.refetch() });
  const names: Record<string, string> = { clientId: 'Client ID', clientSecret: 'Client secret', identityHeader: 'Identity header', token: 'Token' };
  return (
    <Section title="Access for programs">
      {revoke.isError && <ErrorBox error={revoke.error} />}
      {told && (
        <MessageBar intent="success" layout="multiline">
          <MessageBarBody>
            {told['name']} has access. Its secrets are shown this once.
            {Object.entries(names).map(([k, label]) => (told[k] ? <CopyField key={k} text={told[k]} label={`Copy: ${label}`} /> : null))}
          </MessageBarBody>
        </MessageBar>
      )}
      <div>
        <Button appearance="primary" onClick={() => setAdding(true)}>
          Give access
        </Button>
      </div>
      <Loaded of={list}>
        {(all) =>
          all.length ? (
            <Rows
              label="Access"
              rows={all}
              rowKey={(g) => g.id}
              columns={[
                { key: 'n', title: 'Name', cell: (g) => g.name },
                { key: 'k', title: 'Kind', cell: (g) => grantKinds[g.kind] ?? g.kind },
                { key: 'r', title: 'Role', cell: (g) => g.role },
                { key: 'i', title: 'ID', cell: (g) => g.id },
                { key: 'c', title: 'Created', cell: (g) => <When at={g.created} /> },
                { key: 'e', title: 'Expires', cell: (g) => (g.expires ? <When at={g.expires} exact /> : 'never') },
                { key: 'x', title: '', cell: (g) => <Button size="small" disabled={revoke.isPending} onClick={() => revoke.mutate(g.id)}>Revoke</Button> },
              ]}
            />
          ) : (
            <EmptyState title="No program has access" text="A service principal is what Azure’s clients and shippers sign in with; a personal token is a bearer for scripts." />
          )
        }
      </Loaded>
      {adding && (
        <GiveAccess
          close={() => setAdding(false)}
          made={(g) => {
            setAdding(false);
            setTold(g);
            void list.refetch();
          }}
        />
      )}
    </Section>
  );
}

function GiveAccess({ close, made }: { close: () => void; made: (g: Record<string, string>) => void }) {
  const [name, setName] = useState('');
  const [kind, setKind] = useState('principal');
  const [role, setRole] = useState<User['role']>('Contributor');
  const [days, setDays] = useState('');
  const add = useMutation({
    mutationFn: () => call<Record<string, string>>('/api/v1/access', { json: { kind, name: name.trim(), role, days: Number(days) || 0 } }),
    onSuccess: made,
  });
  return (
    <Dialog open onOpenChange={(_, d) => !d.open && close()}>
      <DialogSurface>
        <DialogBody>
          <DialogTitle>Give a program access</DialogTitle>
          <DialogContent style={{ display: 'grid', gap: 12 }}>
            {add.isError && <ErrorBox error={add.error} />}
            <Field label="Name" required>
              <Input value={name} onChange={(_, d) => setName(d.value)} />
            </Field>
            <Field label="Kind">
              <Dropdown value={grantKinds[kind]} selectedOptions={[kind]} onOptionSelect={(_, d) => setKind(d.optionValue ?? kind)}>
                {Object.entries(grantKinds).map(([k, v]) => (
                  <Option key={k} value={k}>
                    {v}
                  </Option>
                ))}
              </Dropdown>
            </Field>
            <Field label="Role" hint={roles[role]}>
              <Dropdown value={role} selectedOptions={[role]} onOptionSelect={(_, d) => setRole(d.optionValue as User['role'])}>
                {Object.keys(roles).map((r) => (
                  <Option key={r}>{r}</Option>
                ))}
              </Dropdown>
            </Field>
            {kind === 'token' && (
              <Field label="Days until it expires" hint="Empty is never.">
                <Input type="number" min={1} value={days} onChange={(_, d) => setDays(d.value)} />
              </Field>
            )}
          </DialogContent>
          <DialogActions>
            <Button onClick={close}>Cancel</Button>
            <Button appearance="primary" disabled={!name.trim() || add.isPending} onClick={() => add.mutate()}>
              Give access
            </Button>
          </DialogActions>
        </DialogBody>
      </DialogSurface>
    </Dialog>
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
