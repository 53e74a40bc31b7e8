import { Button, Field, Input, Switch } from '@fluentui/react-components';
import { useMutation, useQuery } from '@tanstack/react-query';
import { useState } from 'react';
import { accessApi, type Role } from '../api/access';
import { useSession } from '../api/session';
import { Rows, Section, When } from '../ui/bits';
import { ErrorBox, Loaded } from '../ui/States';
import { FormDialog, RolePick, Sure, Told } from './parts';

/** Accounts of people. */
export function People() {
  const { user } = useSession();
  const list = useQuery({ queryKey: ['accounts'], queryFn: accessApi.accounts });
  const [adding, setAdding] = useState(false);
  const [removing, setRemoving] = useState('');
  const [told, setTold] = useState<{ name: string; password: string } | null>(null);
  const fresh = () => void list.refetch();
  const change = useMutation({ mutationFn: ({ name, ...c }: { name: string; role?: Role; disabled?: boolean }) => accessApi.changeAccount(name, c), onSettled: fresh });
  const reset = useMutation({ mutationFn: accessApi.resetAccount, onSuccess: (r, name) => setTold({ name, password: r.password }) });
  const remove = useMutation({ mutationFn: accessApi.removeAccount, onSettled: fresh });
  return (
    <Section title="People">
      {[change.error, reset.error, remove.error].map((e, i) => (e ? <ErrorBox key={i} error={e} /> : null))}
      {told && <Told made={told} close={() => setTold(null)} />}
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
              { key: 'n', title: 'Name', cell: (a) => a.name + (a.id === user.id ? ' (you)' : ''), sort: (a) => a.name },
              { key: 'd', title: 'Shown as', cell: (a) => a.displayName, sort: (a) => a.displayName },
              { key: 'r', title: 'Role', cell: (a) => <RolePick small label={`Role of ${a.name}`} disabled={a.id === user.id || change.isPending} value={a.role} set={(role) => change.mutate({ name: a.name, role })} /> },
              { key: 'w', title: 'Signs in by', cell: (a) => (a.issuer ? a.issuer.replace(/^https:\/\//, '') : 'password') },
              { key: 's', title: 'Last seen', cell: (a) => <When at={a.lastSeen} /> },
              { key: 'e', title: 'Enabled', cell: (a) => <Switch aria-label={`${a.name} enabled`} checked={!a.disabled} disabled={a.id === user.id} onChange={(_, d) => change.mutate({ name: a.name, disabled: !d.checked })} /> },
              {
                key: 'p',
                title: 'Actions',
                cell: (a) => (
                  <span style={{ display: 'inline-flex', gap: 6 }}>
                    <Button size="small" aria-label={`Reset the password of ${a.name}`} disabled={a.id === user.id || reset.isPending || Boolean(a.issuer)} onClick={() => reset.mutate(a.name)}>
                      Reset password
                    </Button>
                    <Button size="small" aria-label={`Remove ${a.name}`} disabled={a.id === user.id} onClick={() => setRemoving(a.name)}>
                      Remove
                    </Button>
                  </span>
                ),
              },
            ]}
          />
        )}
      </Loaded>
      {removing && <Sure title={`Remove ${removing}?`} verb="Remove" text="The account ends at once, with its sessions. What it did stays under its name." go={() => remove.mutate(removing)} close={() => setRemoving('')} />}
      {adding && (
        <AddAccount
          close={() => setAdding(false)}
          made={(name, password) => {
            setAdding(false);
            setTold({ name, password });
            fresh();
          }}
        />
      )}
    </Section>
  );
}

function AddAccount({ close, made }: { close: () => void; made: (name: string, password: string) => void }) {
  const [name, setName] = useState('');
  const [displayName, setDisplay] = useState('');
  const [role, setRole] = useState<Role>('Responder');
  const add = useMutation({ mutationFn: () => accessApi.addAccount({ name: name.trim(), displayName: displayName.trim(), role }), onSuccess: (r) => made(name.trim(), r.password) });
  return (
    <FormDialog title="Add account" verb="Add" ready={Boolean(name.trim())} busy={add.isPending} submit={() => add.mutate()} close={close}>
      {add.isError && <ErrorBox error={add.error} />}
      <Field label="Name" required>
        <Input value={name} onChange={(_, d) => setName(d.value)} />
      </Field>
      <Field label="Shown as">
        <Input value={displayName} onChange={(_, d) => setDisplay(d.value)} />
      </Field>
      <RolePick label="Role" hint value={role} set={setRole} />
    </FormDialog>
  );
}
