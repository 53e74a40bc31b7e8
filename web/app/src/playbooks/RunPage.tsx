import { Accordion, AccordionHeader, AccordionItem, AccordionPanel, Button, Tab, TabList, makeStyles, mergeClasses, tokens } from '@fluentui/react-components';
import { ArrowClockwiseRegular, ArrowRepeatAllRegular, DismissCircleRegular } from '@fluentui/react-icons';
import { keepPreviousData, useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { useMemo, useState } from 'react';
import { useLocation } from 'wouter';
import { ApiError } from '../api/client';
import { playbooksApi, type Action, type Graph, type RunStates } from '../api/playbooks';
import { allows, useSession } from '../api/session';
import { Facts, Json, Section, StatusBadge, When } from '../ui/bits';
import { duration, parseTime } from '../ui/format';
import { Page } from '../ui/Page';
import { EmptyState, ErrorBox, Loaded } from '../ui/States';
import { FlowView, triggerKey, type CardState } from './flow/FlowView';
import { Inspector } from './flow/Inspector';
import { fromGraph, kindOf, turnsOf, walk, type FlowNode } from './flow/model';
import { afterFact, useSplit } from './flow/WorkflowTab';
import { playbookPath } from './PlaybooksPage';

const useStyles = makeStyles({
  page: { display: 'grid', gridTemplateRows: 'auto auto minmax(0, 1fr)', height: '100%', minHeight: 0 },
  top: { padding: '8px 24px', display: 'flex', flexWrap: 'wrap', gap: '4px 20px', fontSize: '13px', color: tokens.colorNeutralForeground2 },
  errors: { padding: '0 24px', display: 'grid', gap: '6px' },
  tabs: { padding: '0 16px', borderBottom: `1px solid ${tokens.colorNeutralStroke2}` },
  steps: { overflow: 'auto', padding: '12px 24px 24px' },
  head: { display: 'flex', gap: '12px', alignItems: 'center', width: '100%', fontSize: '13px', minWidth: 0 },
  name: { fontWeight: 600, overflow: 'hidden', textOverflow: 'ellipsis', whiteSpace: 'nowrap' },
  meta: { color: tokens.colorNeutralForeground3, fontSize: '12px', whiteSpace: 'nowrap' },
  item: { border: `1px solid ${tokens.colorNeutralStroke2}`, marginBottom: '6px' },
  panel: { display: 'grid', gap: '12px', paddingBottom: '12px' },
  two: { display: 'grid', gridTemplateColumns: 'repeat(auto-fit, minmax(280px, 1fr))', gap: '16px', alignItems: 'start' },
});

const isLive = (status: string) => ['Running', 'Waiting'].includes(status);
const noTurns: Readonly<Record<string, number>> = {};

export default function RunPage({ name, run, tab = 'workflow' }: { name: string; run: string; tab?: string }) {
  const styles = useStyles();
  const { user } = useSession();
  const client = useQueryClient();
  const [, go] = useLocation();
  const may = allows(user, 'Responder');
  const [turns, setTurns] = useState(noTurns);
  const states = useQuery({
    queryKey: ['playbook', name, 'run', run, 'states', turns],
    queryFn: () => playbooksApi.states(name, run, turns),
    placeholderData: keepPreviousData,
    // A run that ended does not change.
    refetchInterval: (q) => (q.state.data && !isLive(q.state.data.status) ? false : 1500),
  });
  const graph = useQuery({ queryKey: ['playbook', name, 'run', run, 'graph'], queryFn: () => playbooksApi.runGraph(name, run), staleTime: Infinity });
  const open = (id: string) => go(playbookPath(name, '/runs/' + id));
  const again = useMutation({ mutationFn: (from: string | undefined) => playbooksApi.resubmit(name, run, from), onSuccess: open });
  const cancel = useMutation({ mutationFn: () => playbooksApi.cancel(name, run), onSettled: () => void client.invalidateQueries({ queryKey: ['playbook', name] }) });
  const crumbs = [
    { to: '/playbooks', label: 'Playbooks' },
    { to: playbookPath(name), label: name },
  ];
  if (states.error instanceof ApiError && states.error.status === 404)
    return (
      <Page title="Run" crumbs={crumbs}>
        <EmptyState title="There is no such run" text="Runs are kept for 90 days." />
      </Page>
    );
  const r = states.data;
  return (
    <Page
      title={`Run ${run}`}
      subtitle={r && <StatusBadge status={r.status} />}
      crumbs={crumbs}
      flush
      commands={
        r && (
          <>
            <Button size="small" appearance="subtle" icon={<ArrowRepeatAllRegular />} disabled={!may || again.isPending} onClick={() => again.mutate(undefined)}>
              Resubmit
            </Button>
            <Button size="small" appearance="subtle" icon={<DismissCircleRegular />} disabled={!may || !isLive(r.status) || cancel.isPending} onClick={() => cancel.mutate()}>
              Cancel run
            </Button>
            <Button size="small" appearance="subtle" icon={<ArrowClockwiseRegular />} onClick={() => void client.invalidateQueries({ queryKey: ['playbook', name, 'run', run] })}>
              Refresh
            </Button>
          </>
        )
      }
    >
      <Loaded of={states}>
        {(r) => (
          <div className={styles.page}>
            <div>
              <div className={styles.top}>
                <span>
                  Started <When at={r.start} exact />
                </span>
                <span>{isLive(r.status) ? 'Running' : `Took ${duration(r.start, r.end) || '0 ms'}`}</span>
                {r.triggerName && <span>Trigger: {r.triggerName}</span>}
              </div>
              <div className={styles.errors}>
                {[again.error, cancel.error].map((e, i) => (e ? <ErrorBox key={i} error={e} /> : null))}
                {r.error && <ErrorBox error={new Error(r.error)} title={r.code || 'The run failed'} />}
              </div>
            </div>
            <TabList className={styles.tabs} selectedValue={tab} onTabSelect={(_, d) => go(playbookPath(name, `/runs/${run}${d.value === 'workflow' ? '' : '/' + String(d.value)}`))}>
              <Tab value="workflow">Workflow</Tab>
              <Tab value="steps">Steps</Tab>
            </TabList>
            {tab === 'steps' ? (
              <div className={styles.steps}>
                <Steps name={name} run={run} live={isLive(r.status)} />
              </div>
            ) : (
              <Loaded of={graph}>
                {(g) => (
                  <RunFlow name={name} run={run} graph={g} states={r} busy={states.isPlaceholderData} turns={turns} setTurns={setTurns} resubmit={may && !isLive(r.status) ? (from) => again.mutate(from) : undefined} />
                )}
              </Loaded>
            )}
          </div>
        )}
      </Loaded>
    </Page>
  );
}

function spent(from: string | undefined, to: string | undefined): number | undefined {
  const a = parseTime(from);
  const b = parseTime(to);
  return a && b ? b.getTime() - a.getTime() : undefined;
}

/** The drawn workflow with the state of each step. */
function RunFlow({
  name,
  run,
  graph,
  states,
  busy,
  turns,
  setTurns,
  resubmit,
}: {
  name: string;
  run: string;
  graph: Graph;
  states: RunStates;
  busy: boolean;
  turns: Readonly<Record<string, number>>;
  setTurns: (t: Readonly<Record<string, number>>) => void;
  resubmit?: (from: string) => void;
}) {
  const split = useSplit();
  const flow = useMemo(() => fromGraph(graph), [graph]);
  const [picked, setPicked] = useState('');
  const { node, loops } = useMemo(() => {
    let node: FlowNode | undefined;
    let loops: string[] = [];
    walk(flow.nodes, (n, around) => {
      if (n.name !== picked) return;
      node = n;
      loops = around.map((l) => l.name);
    });
    return { node: node as FlowNode | undefined, loops };
  }, [flow, picked]);
  const trigger = flow.triggers.find((t) => triggerKey(t.name) === picked);
  const step = node && states.steps[node.name];
  const detail = useQuery({
    queryKey: ['playbook', name, 'run', run, 'action', node?.name, step?.repetition, step?.status],
    queryFn: () => playbooksApi.repetition(name, run, node!.name, step?.repetition ?? ''),
    enabled: Boolean(step?.status),
  });
  const nextFailed = useMutation({
    mutationFn: (after: string) => playbooksApi.failedRepetition(name, run, node!.name, after),
    onSuccess: (a) => a?.repetition && setTurns({ ...turns, ...turnsOf(a.repetition, loops) }),
  });
  const card = (n: FlowNode): CardState | undefined => {
    const s = states.steps[n.name];
    return s?.status ? { status: s.status, ms: s.status === 'Skipped' ? undefined : spent(s.started, s.ended), turns: s.iterations } : undefined;
  };
  const a = detail.data;
  const failed = step?.counts?.['Failed'] ?? 0;
  return (
    <div className={mergeClasses(split.box, (node || trigger) && split.split)}>
      <FlowView
        flow={flow}
        state={card}
        trigger={{ status: 'Succeeded' }}
        turns={turns}
        setTurn={(loop, n) => {
          // Loops within begin at their first turn again.
          const next: Record<string, number> = { ...turns, [loop]: n };
          walk(flow.nodes, (x, around) => {
            if (around.some((l) => l.name === loop)) delete next[x.name];
          });
          setTurns(next);
        }}
        picked={picked}
        pick={setPicked}
        busy={busy}
      />
      {trigger && (
        <Inspector
          name={trigger.name}
          facts={[
            ['Kind', kindOf(trigger)],
            ['Does', trigger.detail],
            ['Fired', <When key="f" at={states.start} exact />],
          ]}
          parts={[
            { title: 'Inputs', value: states.triggerName === trigger.name || flow.triggers.length === 1 ? states.triggerInputs : undefined },
            { title: 'Outputs', value: states.triggerName === trigger.name || flow.triggers.length === 1 ? states.triggerOutputs : undefined },
          ]}
          close={() => setPicked('')}
        />
      )}
      {node && (
        <Inspector
          name={node.name}
          status={step?.status || 'Not begun'}
          error={a?.error || step?.error}
          busy={detail.isFetching}
          facts={[
            ['Kind', kindOf(node)],
            ['Does', node.detail],
            ['Runs after', afterFact(node)],
            ['Code', a?.code || step?.code],
            ['Started', step?.started && <When key="s" at={step.started} exact />],
            ['Took', duration(step?.started, step?.ended)],
            ['Iterations', step?.iterations?.toLocaleString()],
            ['Retries', step?.retries],
            ['Repetition', loops.map((l) => `${l.replaceAll('_', ' ')}: ${(turns[l] ?? 0) + 1}`).join(', ')],
            ['All repetitions', Object.entries(step?.counts ?? {}).map(([k, v]) => `${v.toLocaleString()} ${k}`).join(', ')],
          ]}
          actions={
            <>
              {failed > 0 && loops.length > 0 && (
                <div>
                  <Button size="small" disabled={nextFailed.isPending} onClick={() => nextFailed.mutate(step!.repetition ?? '')}>
                    {nextFailed.data === null ? 'No later repetition failed' : 'Next failed repetition'}
                  </Button>
                </div>
              )}
              {resubmit && step && ['Failed', 'TimedOut'].includes(step.status) && !loops.length && (
                <div>
                  <Button size="small" appearance="primary" icon={<ArrowRepeatAllRegular />} onClick={() => resubmit(node.name)}>
                    Resubmit from here
                  </Button>
                </div>
              )}
            </>
          }
          parts={[
            { title: 'Inputs', value: a?.inputs },
            { title: 'Outputs', value: a?.outputs },
            { title: 'Tracked properties', value: a?.tracked },
            { title: 'Expression', value: node.expression || undefined },
          ]}
          close={() => setPicked('')}
        />
      )}
    </div>
  );
}

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

/** Everything that ran, in the order it began. */
function Steps({ name, run, live }: { name: string; run: string; live: boolean }) {
  const styles = useStyles();
  const detail = useQuery({ queryKey: ['playbook', name, 'run', run, 'steps', live], queryFn: () => playbooksApi.runDetail(name, run), refetchInterval: live ? 2000 : false, placeholderData: keepPreviousData });
  return (
    <Loaded of={detail}>
      {(r) => {
        const actions = r.actions ?? [];
        const depth = depths(actions);
        return (
          <>
            <Accordion multiple collapsible defaultOpenItems={actions.filter((a) => a.status === 'Failed').map(keyOf)}>
              {actions.map((a) => (
                <AccordionItem key={keyOf(a)} value={keyOf(a)} className={styles.item} style={{ marginLeft: Math.min(24 * (depth.get(a.name) ?? 0), 120) }}>
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
            {r.omitted ? <span className={styles.meta}>{r.omitted.toLocaleString()} more actions are not listed: page through them in the drawing.</span> : null}
            {!actions.length && <EmptyState title="No action has begun" text="The run was only just made, or its trigger has no actions." />}
          </>
        );
      }}
    </Loaded>
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
