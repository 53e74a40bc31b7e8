import { Accordion, AccordionHeader, AccordionItem, AccordionPanel, Button, makeStyles, tokens } from '@fluentui/react-components';
import { ArrowClockwiseRegular, ArrowRepeatAllRegular, DismissCircleRegular } from '@fluentui/react-icons';
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { useLocation } from 'wouter';
import { ApiError } from '../api/client';
import { playbooksApi, type Action } from '../api/playbooks';
import { allows, useSession } from '../api/session';
import { Facts, Json, Section, StatusBadge, When } from '../ui/bits';
import { duration } from '../ui/format';
import { Page } from '../ui/Page';
import { EmptyState, ErrorBox, Loaded } from '../ui/States';
import { playbookPath } from './PlaybooksPage';

const useStyles = makeStyles({
  head: { display: 'flex', gap: '12px', alignItems: 'center', width: '100%', fontSize: '13px', minWidth: 0 },
  name: { fontWeight: 600, overflow: 'hidden', textOverflow: 'ellipsis', whiteSpace: 'nowrap' },
  meta: { color: tokens.colorNeutralForeground3, fontSize: '12px', whiteSpace: 'nowrap' },
  item: { border: `1px solid ${tokens.colorNeutralStroke2}`, marginBottom: '6px' },
  panel: { display: 'grid', gap: '12px', paddingBottom: '12px' },
  two: { display: 'grid', gridTemplateColumns: 'repeat(auto-fit, minmax(320px, 1fr))', gap: '16px', alignItems: 'start' },
  facts: { marginBottom: '16px' },
});

/** How deep an action stands in its containers. */
function depths(actions: Action[]): Map<string, number> {
  const parent = new Map(actions.map((a) => [a.name, a.parent]));
  const out = new Map<string, number>();
  for (const a of actions) {
    let d = 0;
    for (let p = a.parent; p && d < 16; p = parent.get(p)) d++;
    out.set(a.name, d);
  }
  return out;
}

export default function RunPage({ name, run }: { name: string; run: string }) {
  const styles = useStyles();
  const { user } = useSession();
  const client = useQueryClient();
  const [, go] = useLocation();
  const may = allows(user, 'Responder');
  const detail = useQuery({
    queryKey: ['playbook', name, 'run', run],
    queryFn: () => playbooksApi.runDetail(name, run),
    // A run that ended does not change.
    refetchInterval: (q) => (q.state.data && !['Running', 'Waiting'].includes(q.state.data.status) ? false : 1500),
  });
  const again = useMutation({ mutationFn: () => playbooksApi.resubmit(name, run), onSuccess: (id) => go(playbookPath(name, '/runs/' + id)) });
  const cancel = useMutation({ mutationFn: () => playbooksApi.cancel(name, run), onSettled: () => void client.invalidateQueries({ queryKey: ['playbook', name] }) });
  const crumbs = [
    { to: '/playbooks', label: 'Playbooks' },
    { to: playbookPath(name), label: name },
  ];
  if (detail.error instanceof ApiError && detail.error.status === 404)
    return (
      <Page title="Run" crumbs={crumbs}>
        <EmptyState title="There is no such run" text="Runs are kept for 90 days." />
      </Page>
    );
  const r = detail.data;
  const live = r != null && ['Running', 'Waiting'].includes(r.status);
  return (
    <Page
      title={`Run ${run}`}
      subtitle={r && <StatusBadge status={r.status} />}
      crumbs={crumbs}
      commands={
        r && (
          <>
            <Button size="small" appearance="subtle" icon={<ArrowRepeatAllRegular />} disabled={!may || again.isPending} onClick={() => again.mutate()}>
              Resubmit
            </Button>
            <Button size="small" appearance="subtle" icon={<DismissCircleRegular />} disabled={!may || !live || cancel.isPending} onClick={() => cancel.mutate()}>
              Cancel run
            </Button>
            <Button size="small" appearance="subtle" icon={<ArrowClockwiseRegular />} onClick={() => void detail.refetch()}>
              Refresh
            </Button>
          </>
        )
      }
    >
      <Loaded of={detail}>
        {(r) => {
          const actions = r.actions ?? [];
          const depth = depths(actions);
          return (
            <>
              {[again.error, cancel.error].map((e, i) => (e ? <ErrorBox key={i} error={e} /> : null))}
              <div className={styles.facts}>
                <Facts
                  of={[
                    ['Started', <When key="s" at={r.start} exact />],
                    ['Ended', r.end && <When key="e" at={r.end} exact />],
                    ['Took', duration(r.start, r.end)],
                    ['Code', r.status !== 'Succeeded' ? r.code : ''],
                    ['Error', r.error],
                  ]}
                />
              </div>
              <Accordion multiple collapsible defaultOpenItems={actions.filter((a) => a.status === 'Failed').map(keyOf)}>
                {(r.trigger || r.triggerOutputs != null) && (
                  <AccordionItem value="trigger" className={styles.item}>
                    <AccordionHeader>
                      <span className={styles.head}>
                        <span className={styles.name}>{r.trigger || 'Trigger'}</span>
                        <span className={styles.meta}>trigger</span>
                      </span>
                    </AccordionHeader>
                    <AccordionPanel className={styles.panel}>
                      <InOut inputs={r.triggerInputs} outputs={r.triggerOutputs} />
                    </AccordionPanel>
                  </AccordionItem>
                )}
                {actions.map((a) => (
                  <AccordionItem key={keyOf(a)} value={keyOf(a)} className={styles.item} style={{ marginLeft: 24 * (depth.get(a.name) ?? 0) }}>
                    <AccordionHeader>
                      <span className={styles.head}>
                        <StatusBadge status={a.status} />
                        <span className={styles.name}>{a.name.replaceAll('_', ' ')}</span>
                        <span className={styles.meta}>{[a.type, a.repetition && 'repetition ' + a.repetition, duration(a.start, a.end)].filter(Boolean).join(' · ')}</span>
                      </span>
                    </AccordionHeader>
                    <AccordionPanel className={styles.panel}>
                      <Facts
                        of={[
                          ['Code', a.code],
                          ['Error', a.error],
                          ['Retries', a.retries || ''],
                          ['Started', <When key="s" at={a.start} exact />],
                        ]}
                      />
                      <InOut inputs={a.inputs} outputs={a.outputs} />
                    </AccordionPanel>
                  </AccordionItem>
                ))}
              </Accordion>
              {r.omitted ? <span className={styles.meta}>{r.omitted.toLocaleString()} more actions are not shown.</span> : null}
              {!actions.length && <EmptyState title="No action has begun" text="The run was only just made, or its trigger has no actions." />}
            </>
          );
        }}
      </Loaded>
    </Page>
  );
}

const keyOf = (a: Action) => a.name + '/' + (a.repetition ?? '');

function InOut({ inputs, outputs }: { inputs: unknown; outputs: unknown }) {
  const styles = useStyles();
  if (inputs === undefined && outputs === undefined) return <span className={styles.meta}>No inputs and no outputs.</span>;
  return (
    <div className={styles.two}>
      {inputs !== undefined && (
        <Section title="Inputs">
          <Json of={inputs} />
        </Section>
      )}
      {outputs !== undefined && (
        <Section title="Outputs">
          <Json of={outputs} />
        </Section>
      )}
    </div>
  );
}
