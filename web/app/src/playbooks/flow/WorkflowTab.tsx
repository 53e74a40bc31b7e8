import { makeStyles, mergeClasses } from '@fluentui/react-components';
import { useQuery } from '@tanstack/react-query';
import { useMemo, useState } from 'react';
import { playbooksApi, type Graph } from '../../api/playbooks';
import { Loaded } from '../../ui/States';
import { FlowView, triggerKey } from './FlowView';
import { Inspector } from './Inspector';
import { fromGraph, kindOf, shown, walk, type FlowNode } from './model';

export const useSplit = makeStyles({
  box: { display: 'grid', gridTemplateColumns: 'minmax(0, 1fr)', height: '100%', minHeight: '420px' },
  split: {
    gridTemplateColumns: 'minmax(0, 1fr) minmax(280px, 34%)',
    '@media (max-width: 900px)': { gridTemplateColumns: 'minmax(0, 1fr)', gridTemplateRows: 'minmax(240px, 45%) minmax(0, 1fr)' },
  },
});

export const afterFact = (n: FlowNode) => n.after.map((a) => `${shown(a.name)} ${a.statuses.map((s) => s.toLowerCase()).join(' or ')}`).join('; ');

/** The drawn workflow of a playbook. */
export function WorkflowTab({ name, version }: { name: string; version?: string }) {
  const graph = useQuery({ queryKey: ['playbook', name, 'graph', version], queryFn: () => playbooksApi.graph(name) });
  return <Loaded of={graph}>{(g) => <Drawn key={g.version} graph={g} />}</Loaded>;
}

function Drawn({ graph }: { graph: Graph }) {
  const split = useSplit();
  const flow = useMemo(() => fromGraph(graph), [graph]);
  const [picked, setPicked] = useState('');
  let node: FlowNode | undefined;
  walk(flow.nodes, (n) => {
    if (n.name === picked) node = n;
  });
  const trigger = flow.triggers.find((t) => triggerKey(t.name) === picked);
  const it = node ?? trigger;
  return (
    <div className={mergeClasses(split.box, it && split.split)}>
      <FlowView flow={flow} picked={picked} pick={setPicked} />
      {it && (
        <Inspector
          name={it.name}
          needs={it.needs}
          facts={[
            ['Kind', kindOf(it)],
            ['Type', it.type],
            ['Does', it.detail],
            ['Description', it.description],
            ['Runs after', node && (afterFact(node) || 'the start')],
            ['Static result', node?.fixed ? 'it stands in for the action' : ''],
          ]}
          parts={[{ title: 'Expression', value: node?.expression || undefined }]}
          close={() => setPicked('')}
        />
      )}
    </div>
  );
}
