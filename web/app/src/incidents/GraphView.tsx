import { Button, Caption1, Spinner, makeStyles, mergeClasses, tokens } from '@fluentui/react-components';
import { ArrowExpandRegular, DismissRegular, ZoomFitRegular } from '@fluentui/react-icons';
import { Background, Controls, Handle, Panel, Position, ReactFlow, ReactFlowProvider, useReactFlow, useNodesState, type Edge, type Node, type NodeProps } from '@xyflow/react';
import '@xyflow/react/dist/style.css';
import { useQuery } from '@tanstack/react-query';
import { memo, useCallback, useEffect, useMemo, useRef, useState, type CSSProperties, type ReactNode } from 'react';
import { incidentsApi, type Graph, type GraphNode } from '../api/incidents';
import { useSession } from '../api/session';
import { useLook } from '../shell/theme';
import { Facts, RowValue, Severity } from '../ui/bits';
import { cellText, localTime, plural } from '../ui/format';
import { ErrorBox } from '../ui/States';
import { KindIcon, kindName } from './kinds';
import { layout, merge } from './layout';

const useStyles = makeStyles({
  box: { height: '100%', display: 'grid', gridTemplateColumns: 'minmax(0,1fr)', minHeight: 0 },
  split: { gridTemplateColumns: 'minmax(0,1fr) 320px' },
  node: {
    display: 'flex',
    alignItems: 'center',
    gap: '8px',
    width: '180px',
    padding: '8px 10px',
    boxSizing: 'border-box',
    backgroundColor: tokens.colorNeutralBackground1,
    color: tokens.colorNeutralForeground1,
    border: `1px solid ${tokens.colorNeutralStroke1}`,
    borderRadius: '4px',
    fontSize: '12px',
    boxShadow: tokens.shadow4,
  },
  on: { outline: `2px solid ${tokens.colorBrandStroke1}` },
  root: { backgroundColor: tokens.colorBrandBackground2 },
  high: { borderLeft: '4px solid #c50f1f' },
  medium: { borderLeft: '4px solid #ca5010' },
  low: { borderLeft: '4px solid #c19c00' },
  text: { minWidth: 0 },
  label: { fontWeight: 600, overflow: 'hidden', textOverflow: 'ellipsis', whiteSpace: 'nowrap' },
  kind: { color: tokens.colorNeutralForeground3 },
  side: { borderLeft: `1px solid ${tokens.colorNeutralStroke2}`, padding: '12px 16px', overflow: 'auto', display: 'grid', gap: '12px', alignContent: 'start' },
  head: { display: 'flex', justifyContent: 'space-between', gap: '8px', alignItems: 'start' },
  h: { fontSize: '14px', fontWeight: 600, margin: 0, overflowWrap: 'anywhere' },
  note: { backgroundColor: tokens.colorNeutralBackground1, padding: '4px 8px', border: `1px solid ${tokens.colorNeutralStroke2}` },
});

// Edges run from centre to centre, under the cards.
const centre: CSSProperties = { opacity: 0, pointerEvents: 'none', top: '50%', left: '50%', bottom: 'auto', right: 'auto', transform: 'none', width: 1, height: 1, minWidth: 0, minHeight: 0, border: 0 };

/** A row's label is what it is and when: "Trip 2026-…"; the card shows the two apart. */
function nodeLook(n: GraphNode): { label: string; kind: string; icon: string } {
  const m = n.kind === 'Row' ? /^(\S+) (\d{4}-\d\d-\d\dT\S+)$/.exec(n.label) : null;
  if (m) return { label: localTime(m[2]) || n.label, kind: m[1]!, icon: m[1]! };
  return { label: n.label, kind: kindName(n.kind), icon: n.kind };
}

type CardNode = Node<{ node: GraphNode }, 'card'>;

const Card = memo(function Card({ data, selected }: NodeProps<CardNode>) {
  const styles = useStyles();
  const n = data.node;
  const look = nodeLook(n);
  const tone = new Map([['High', styles.high], ['Medium', styles.medium], ['Low', styles.low]]).get(severityOf(n));
  return (
    <div className={mergeClasses(styles.node, n.kind === 'Incident' && styles.root, tone, selected && styles.on)} title={`${kindName(n.kind)}: ${n.label}`}>
      <Handle type="target" position={Position.Top} style={centre} isConnectable={false} />
      <KindIcon kind={look.icon} size={20} />
      <div className={styles.text}>
        <div className={styles.label}>{look.label}</div>
        <div className={styles.kind}>{look.kind}</div>
      </div>
      <Handle type="source" position={Position.Bottom} style={centre} isConnectable={false} />
    </div>
  );
});

const severityOf = (n: GraphNode) => cellText(n.properties?.['severity']);

const nodeTypes = { card: Card };

export default function GraphView({ id }: { id: string }) {
  return (
    <ReactFlowProvider>
      <Flow id={id} />
    </ReactFlowProvider>
  );
}

function Flow({ id }: { id: string }) {
  const styles = useStyles();
  const { workspace } = useSession();
  const { dark } = useLook();
  const api = useMemo(() => incidentsApi(workspace), [workspace]);
  const served = useQuery({ queryKey: ['incident', id, 'graph'], queryFn: () => api.graph(id), staleTime: 60_000 });
  const [graph, setGraph] = useState<Graph | null>(null);
  const [nodes, setNodes, onNodesChange] = useNodesState<CardNode>([]);
  const [picked, setPicked] = useState<string | null>(null);
  const [busy, setBusy] = useState(false);
  const [said, setSaid] = useState('');
  const [error, setError] = useState<unknown>(null);
  const places = useRef(new Map<string, { x: number; y: number }>());
  const flow = useReactFlow();

  const show = useCallback(
    (g: Graph) => {
      places.current = layout(g.nodes, g.edges, places.current);
      setGraph(g);
      setNodes(
        g.nodes.map((n) => ({
          id: n.id,
          type: 'card',
          position: places.current.get(n.id)!,
          data: { node: n },
          ariaLabel: `${kindName(n.kind)} ${n.label}`,
          connectable: false,
          deletable: false,
        })),
      );
      setTimeout(() => void flow.fitView({ padding: 0.15, maxZoom: 1.2 }), 30);
    },
    [setNodes, flow],
  );
  useEffect(() => {
    if (!graph && served.data) show(served.data);
  }, [graph, served.data, show]);

  const edges = useMemo<Edge[]>(() => (graph?.edges ?? []).map((e, i) => ({ id: String(i), source: e.from, target: e.to, label: e.label, type: 'straight', focusable: false, style: { stroke: dark ? '#8a8886' : '#a19f9d', strokeWidth: 1.5 } })), [graph, dark]);
  const node = graph?.nodes.find((n) => n.id === picked);
  const expand = async (from: string) => {
    setBusy(true);
    setError(null);
    setSaid('');
    try {
      const found = await api.expand(id, from);
      for (const n of nodes) places.current.set(n.id, n.position);
      const m = merge(graph!, found);
      setSaid(m.added ? `${plural(m.added, 'node')} added` : 'Nothing more is related');
      if (m.added || m.graph.edges.length > graph!.edges.length) show(m.graph);
    } catch (e) {
      setError(e);
    }
    setBusy(false);
  };

  if (served.isError)
    return (
      <div style={{ padding: 16 }}>
        <ErrorBox error={served.error} retry={() => void served.refetch()} />
      </div>
    );
  return (
    <div className={mergeClasses(styles.box, node && styles.split)}>
      <ReactFlow
        nodes={nodes}
        edges={edges}
        nodeTypes={nodeTypes}
        onNodesChange={onNodesChange}
        onNodeClick={(_, n) => setPicked(n.id)}
        onSelectionChange={(s) => s.nodes[0] && setPicked(s.nodes[0].id)}
        colorMode={dark ? 'dark' : 'light'}
        nodesConnectable={false}
        minZoom={0.1}
        fitView
        onlyRenderVisibleElements={nodes.length > 300}
        aria-label="Investigation graph"
      >
        <Background gap={24} />
        <Controls showInteractive={false} />
        <Panel position="top-right">
          <Button size="small" icon={<ZoomFitRegular />} onClick={() => void flow.fitView({ padding: 0.15 })}>
            Fit
          </Button>
        </Panel>
        <Panel position="top-left">
          <Caption1 className={styles.note} role="status">
            {said || `${plural(nodes.length, 'node')}. Pick one to see what it is and what it is related to.`}
          </Caption1>
        </Panel>
      </ReactFlow>
      {node && (
        <aside className={styles.side} aria-label="Node">
          <div className={styles.head}>
            <h2 className={styles.h}>{nodeLook(node).label}</h2>
            <Button size="small" appearance="subtle" icon={<DismissRegular />} aria-label="Close" onClick={() => setPicked(null)} />
          </div>
          <Facts
            of={[
              ['Type', nodeLook(node).kind],
              ['Severity', severityOf(node) && <Severity of={severityOf(node)} />],
              ...Object.entries(node.properties ?? {})
                .filter(([k, v]) => k !== 'severity' && cellText(v) !== '' && cellText(v) !== '{}' && cellText(v) !== '[]')
                .slice(0, 40)
                .map(([k, v]): [string, ReactNode] => [k, <RowValue key={k} text={cellText(v).slice(0, 600)} />]),
            ]}
          />
          {node.expandable && (
            <Button icon={busy ? <Spinner size="tiny" /> : <ArrowExpandRegular />} disabled={busy} onClick={() => void expand(node.id)}>
              {node.kind === 'Alert' ? 'Entities and rows' : 'Related alerts, incidents and trips'}
            </Button>
          )}
          {error ? <ErrorBox error={error} /> : null}
        </aside>
      )}
    </div>
  );
}
