import { Button, Checkbox, Field, Input, Textarea, Tooltip, makeStyles, tokens } from '@fluentui/react-components';
import { DeleteRegular } from '@fluentui/react-icons';
import { useMutation, useQueryClient } from '@tanstack/react-query';
import { useState } from 'react';
import { incidentsApi, type Task } from '../api/incidents';
import { useSession } from '../api/session';
import { When } from '../ui/bits';
import { EmptyState, ErrorBox, Loaded, type Loadable } from '../ui/States';
import { plain } from './IncidentPage';

const useStyles = makeStyles({
  form: { display: 'grid', gap: '10px', maxWidth: '640px' },
  task: { display: 'grid', gridTemplateColumns: 'minmax(0, 1fr) auto', alignItems: 'start', borderBottom: `1px solid ${tokens.colorNeutralStroke3}`, padding: '6px 0' },
  text: { margin: '0 0 4px 32px', whiteSpace: 'pre-wrap', overflowWrap: 'anywhere', fontSize: '13px' },
  meta: { color: tokens.colorNeutralForeground3, fontSize: '12px', marginLeft: '32px' },
});

/** What is to be done about an incident, ticked off as it is done. */
export function Tasks({ id, tasks, may }: { id: string; tasks: Loadable<Task[]>; may: boolean }) {
  const styles = useStyles();
  const { workspace } = useSession();
  const client = useQueryClient();
  const api = incidentsApi(workspace);
  const [title, setTitle] = useState('');
  const [about, setAbout] = useState('');
  const fresh = () => void client.invalidateQueries({ queryKey: ['incident', id] });
  const save = useMutation({ mutationFn: (t: Task) => api.saveTask(id, t), onSettled: fresh });
  const add = useMutation({
    mutationFn: () => api.saveTask(id, { name: crypto.randomUUID(), properties: { title: title.trim(), description: about.trim(), status: 'New' } }),
    onSuccess: () => {
      setTitle('');
      setAbout('');
      fresh();
    },
  });
  const remove = useMutation({ mutationFn: (t: Task) => api.removeTask(id, t.name), onSettled: fresh });
  return (
    <>
      {[save.error, add.error, remove.error].map((e, i) => (e ? <ErrorBox key={i} error={e} /> : null))}
      <Loaded of={tasks}>
        {(all) =>
          all.length ? (
            <div>
              {all.map((t) => (
                <article key={t.name} className={styles.task}>
                  <div>
                    <Checkbox
                      label={t.properties.title}
                      checked={t.properties.status === 'Completed'}
                      disabled={!may || save.isPending}
                      onChange={(_, d) => save.mutate({ ...t, properties: { ...t.properties, status: d.checked ? 'Completed' : 'New' } })}
                    />
                    {/* A rule or a playbook may have written HTML; it is shown as text. */}
                    {t.properties.description && <p className={styles.text}>{plain(t.properties.description)}</p>}
                    <div className={styles.meta}>
                      {t.properties.createdBy?.name || 'picket'} · <When at={t.properties.createdTimeUtc} />
                      {t.properties.status === 'Completed' && (
                        <>
                          {' '}
                          · done by {t.properties.lastModifiedBy?.name || 'someone'} <When at={t.properties.lastModifiedTimeUtc} />
                        </>
                      )}
                    </div>
                  </div>
                  <Tooltip content={`Remove ${t.properties.title}`} relationship="label">
                    <Button size="small" appearance="subtle" icon={<DeleteRegular />} disabled={!may || remove.isPending} onClick={() => remove.mutate(t)} />
                  </Tooltip>
                </article>
              ))}
            </div>
          ) : (
            <EmptyState title="No tasks" text="Write down what is to be done, or let an automation rule do it for every incident of a kind." />
          )
        }
      </Loaded>
      <form
        className={styles.form}
        onSubmit={(e) => {
          e.preventDefault();
          if (title.trim()) add.mutate();
        }}
      >
        <Field label="New task">
          <Input value={title} maxLength={150} disabled={!may} onChange={(_, d) => setTitle(d.value)} />
        </Field>
        <Field label="What to do">
          <Textarea value={about} maxLength={3000} resize="vertical" disabled={!may} onChange={(_, d) => setAbout(d.value)} />
        </Field>
        <div>
          <Button type="submit" disabled={!may || !title.trim() || add.isPending}>
            Add task
          </Button>
        </div>
      </form>
    </>
  );
}
