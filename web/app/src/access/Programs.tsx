import { Button, Dropdown, Field, Input, Option, Switch, Textarea } from '@fluentui/react-components';
import { useMutation, useQuery } from '@tanstack/react-query';
import { useState } from 'react';
import { accessApi, type Grant, type Made, type Role } from '../api/access';
import { Rows, Section, When } from '../ui/bits';
import { EmptyState, ErrorBox, Loaded } from '../ui/States';
import { FormDialog, RolePick, Sure, Told } from './parts';

const kinds: Record<string, string> = { principal: 'Service principal', identity: 'Managed identity' };

/** Access for programs: what Azure's clients and shippers sign in with. */
export function Programs() {
  const list = useQuery({ queryKey: ['access'], queryFn: accessApi.grants });
  const [adding, setAdding] = useState(false);
  const [told, setTold] = useState<Made | null>(null);
  const [ending, setEnding] = useState<Grant | null>(null);
  const [renewing, setRenewing] = useState<Grant | null>(null);
  const fresh = () => void list.refetch();
  const change = useMutation({ mutationFn: ({ id, ...c }: { id: string; role?: Role; disabled?: boolean }) => accessApi.change(id, c), onSettled: fresh });
  const renew = useMutation({ mutationFn: (g: Grant) => accessApi.newSecret(g.id), onSuccess: (m, g) => setTold({ ...m, name: g.name }) });
  const revoke = useMutation({ mutationFn: (g: Grant) => accessApi.revoke(g.id), onSettled: fresh });
  return (
    <Section title="Programs">
      {[change.error, renew.error, revoke.error].map((e, i) => (e ? <ErrorBox key={i} error={e} /> : null))}
      {told && <Told made={told} close={() => setTold(null)} />}
      <div>
        <Button appearance="primary" onClick={() => setAdding(true)}>
          Give access
        </Button>
      </div>
      <Loaded of={list}>
        {(all) => {
          const rows = all.filter((g) => g.kind === 'principal' || g.kind === 'identity');
          return rows.length ? (
            <Rows
              label="Programs"
              rows={rows}
              rowKey={(g) => g.id}
              columns={[
                { key: 'n', title: 'Name', cell: (g) => g.name, sort: (g) => g.name },
                { key: 'k', title: 'Kind', cell: (g) => kinds[g.kind], sort: (g) => g.kind },
                { key: 'r', title: 'Role', cell: (g) => <RolePick small label={`Role of ${g.name}`} disabled={change.isPending} value={g.role as Role} set={(role) => change.mutate({ id: g.id, role })} /> },
                { key: 'i', title: 'Client ID', cell: (g) => <code style={{ fontSize: 12 }}>{g.id}</code> },
                { key: 'c', title: 'Created', cell: (g) => <When at={g.created} /> },
                { key: 'u', title: 'Last used', cell: (g) => <When at={g.lastUsed} /> },
                { key: 'e', title: 'Enabled', cell: (g) => <Switch aria-label={`${g.name} enabled`} checked={!g.disabled} onChange={(_, d) => change.mutate({ id: g.id, disabled: !d.checked })} /> },
                {
                  key: 'x',
                  title: 'Actions',
                  cell: (g) => (
                    <span style={{ display: 'inline-flex', gap: 6 }}>
                      {g.kind === 'principal' && (
                        <Button size="small" aria-label={`New secret for ${g.name}`} onClick={() => setRenewing(g)}>
                          New secret
                        </Button>
                      )}
                      <Button size="small" aria-label={`Revoke ${g.name}`} onClick={() => setEnding(g)}>
                        Revoke
                      </Button>
                    </span>
                  ),
                },
              ]}
            />
          ) : (
            <EmptyState title="No program has access" text="A service principal is what Azure’s clients and shippers sign in with; a managed identity is for programs on this machine." />
          );
        }}
      </Loaded>
      {ending && <Sure title={`Revoke ${ending.name}?`} verb="Revoke" text="It can’t sign in any more, and what it holds ends at once." go={() => revoke.mutate(ending)} close={() => setEnding(null)} />}
      {renewing && <Sure title={`A new secret for ${renewing.name}?`} verb="Make it" text="The old secret ends at once: whoever uses it needs the new one." go={() => renew.mutate(renewing)} close={() => setRenewing(null)} />}
      {adding && (
        <Give
          close={() => setAdding(false)}
          made={(m) => {
            setAdding(false);
            setTold(m);
            fresh();
          }}
        />
      )}
    </Section>
  );
}

function Give({ close, made }: { close: () => void; made: (m: Made) => void }) {
  const [name, setName] = useState('');
  const [kind, setKind] = useState('principal');
  const [role, setRole] = useState<Role>('Contributor');
  const [back, setBack] = useState('');
  const add = useMutation({
    mutationFn: () => {
      const uris = back.split(/\s+/).filter(Boolean);
      return accessApi.give({ kind, name: name.trim(), role, days: 0, ...(kind === 'principal' && uris.length ? { redirectUris: uris } : {}) });
    },
    onSuccess: made,
  });
  return (
    <FormDialog title="Give a program access" verb="Give access" ready={Boolean(name.trim())} busy={add.isPending} submit={() => add.mutate()} close={close}>
      {add.isError && <ErrorBox error={add.error} />}
      <Field label="Name" required>
        <Input value={name} onChange={(_, d) => setName(d.value)} />
      </Field>
      <Field label="Kind">
        <Dropdown value={kinds[kind]} selectedOptions={[kind]} onOptionSelect={(_, d) => setKind(d.optionValue ?? kind)}>
          {Object.entries(kinds).map(([k, v]) => (
            <Option key={k} value={k}>
              {v}
            </Option>
          ))}
        </Dropdown>
      </Field>
      <RolePick label="Role" hint value={role} set={setRole} />
      {kind === 'principal' && (
        <Field label="Redirect addresses" hint="Only for a tool that people sign in to through the browser: one a line.">
          <Textarea value={back} resize="vertical" onChange={(_, d) => setBack(d.value)} placeholder="https://tool.example.org/signed-in" />
        </Field>
      )}
    </FormDialog>
  );
}
