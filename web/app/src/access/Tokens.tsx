import { Button, Dropdown, Field, Input, Option } from '@fluentui/react-components';
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { useState } from 'react';
import { accessApi, type Grant, type Made, type Role } from '../api/access';
import { allows, useSession } from '../api/session';
import { Rows, Section, When, type ColumnDef } from '../ui/bits';
import { EmptyState, ErrorBox, Loaded } from '../ui/States';
import { FormDialog, RolePick, Sure, Told } from './parts';

/** Personal tokens, one's own; an owner sees everybody's. */
export function Tokens() {
  const { user } = useSession();
  const client = useQueryClient();
  const owner = allows(user, 'Owner');
  const mine = useQuery({ queryKey: ['access', 'mine'], queryFn: accessApi.mine, retry: false });
  const all = useQuery({ queryKey: ['access'], queryFn: accessApi.grants, enabled: owner });
  const [adding, setAdding] = useState(false);
  const [told, setTold] = useState<Made | null>(null);
  const [ending, setEnding] = useState<{ g: Grant; own: boolean } | null>(null);
  const fresh = () => void client.invalidateQueries({ queryKey: ['access'] });
  const revoke = useMutation({ mutationFn: ({ g, own }: { g: Grant; own: boolean }) => (own ? accessApi.revokeMine(g.id) : accessApi.revoke(g.id)), onSettled: fresh });
  const columns = (own: boolean): ColumnDef<Grant>[] => [
    { key: 'n', title: 'Name', cell: (g) => g.name, sort: (g) => g.name },
    { key: 'k', title: 'Kind', cell: (g) => (g.kind === 'signin' ? 'Sign-in to a tool' : 'Personal token') },
    ...(own ? [] : [{ key: 'o', title: 'Of', cell: (g: Grant) => g.owner || 'the workspace', sort: (g: Grant) => g.owner ?? '' }]),
    { key: 'r', title: 'Role', cell: (g) => g.role || 'the person’s' },
    { key: 'c', title: 'Created', cell: (g) => <When at={g.created} /> },
    { key: 'u', title: 'Last used', cell: (g) => <When at={g.lastUsed} /> },
    { key: 'e', title: 'Expires', cell: (g) => (g.expires ? <When at={g.expires} /> : 'never') },
    {
      key: 'x',
      title: 'Actions',
      cell: (g) => (
        <Button size="small" aria-label={`Revoke ${g.name}`} disabled={revoke.isPending} onClick={() => setEnding({ g, own })}>
          Revoke
        </Button>
      ),
    },
  ];
  return (
    <>
      {revoke.isError && <ErrorBox error={revoke.error} />}
      {told && <Told made={told} close={() => setTold(null)} />}
      <Section title="Your tokens">
        <div>
          <Button appearance="primary" onClick={() => setAdding(true)}>
            New token
          </Button>
        </div>
        <Loaded of={mine}>
          {(rows) =>
            rows.length ? (
              <Rows label="Your tokens" rows={rows} rowKey={(g) => g.id} columns={columns(true)} />
            ) : (
              <EmptyState title="You have no tokens" text="A personal token is a bearer for scripts and shippers: it acts as you, with your role or less, until it expires or you revoke it." />
            )
          }
        </Loaded>
      </Section>
      {owner && (
        <Section title="Everybody’s">
          <Loaded of={all}>
            {(g) => {
              const rows = g.filter((x) => (x.kind === 'token' || x.kind === 'signin') && !(mine.data ?? []).some((m) => m.id === x.id));
              return rows.length ? <Rows label="Everybody’s tokens" rows={rows} rowKey={(x) => x.id} columns={columns(false)} /> : <span>Nobody else has a token.</span>;
            }}
          </Loaded>
        </Section>
      )}
      {ending && <Sure title={`Revoke ${ending.g.name}?`} verb="Revoke" text="Whoever uses it is refused from now on." go={() => revoke.mutate(ending)} close={() => setEnding(null)} />}
      {adding && (
        <NewToken
          close={() => setAdding(false)}
          made={(m) => {
            setAdding(false);
            setTold(m);
            fresh();
          }}
        />
      )}
    </>
  );
}

const lives: [number, string][] = [
  [7, '7 days'],
  [30, '30 days'],
  [90, '90 days'],
  [365, 'a year'],
  [3650, 'ten years'],
];

function NewToken({ close, made }: { close: () => void; made: (m: Made) => void }) {
  const { user } = useSession();
  const [name, setName] = useState('');
  const [role, setRole] = useState<Role>(user.role === 'Owner' ? 'Contributor' : user.role);
  const [days, setDays] = useState(90);
  const add = useMutation({ mutationFn: () => accessApi.makeToken({ name: name.trim(), role, days }), onSuccess: (m) => made({ ...m, name: name.trim() }) });
  return (
    <FormDialog title="New personal token" verb="Make it" ready={Boolean(name.trim())} busy={add.isPending} submit={() => add.mutate()} close={close}>
      {add.isError && <ErrorBox error={add.error} />}
      <Field label="Name" required hint="What it is for: you revoke it by this name.">
        <Input value={name} onChange={(_, d) => setName(d.value)} />
      </Field>
      <RolePick label="Role" hint value={role} set={setRole} most={user.role} />
      <Field label="Expires in">
        <Dropdown value={lives.find(([n]) => n === days)?.[1]} selectedOptions={[String(days)]} onOptionSelect={(_, d) => setDays(Number(d.optionValue))}>
          {lives.map(([n, t]) => (
            <Option key={n} value={String(n)}>
              {t}
            </Option>
          ))}
        </Dropdown>
      </Field>
    </FormDialog>
  );
}
