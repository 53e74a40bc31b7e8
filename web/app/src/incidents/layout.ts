import { forceCollide, forceLink, forceManyBody, forceSimulation, forceX, forceY, type SimulationNodeDatum } from 'd3-force';
import type { Graph, GraphEdge } from '../api/incidents';

interface Body extends SimulationNodeDatum {
  id: string;
}

/** Places nodes so that edges are short and cards don't overlap. Nodes that have a place begin there. */
export function layout(nodes: { id: string }[], edges: GraphEdge[], known: Map<string, { x: number; y: number }>): Map<string, { x: number; y: number }> {
  const bodies: Body[] = nodes.map((n, i) => {
    const at = known.get(n.id);
    // A new node begins beside a neighbour that is placed, else on a spiral: the result is the same every time.
    const near = edges.flatMap((e) => (e.from === n.id ? [known.get(e.to)] : e.to === n.id ? [known.get(e.from)] : [])).find((p) => p);
    const a = i * 2.4;
    const r = 30 * Math.sqrt(i + 1);
    return { id: n.id, x: at?.x ?? (near?.x ?? 0) + r * Math.cos(a), y: at?.y ?? (near?.y ?? 0) + r * Math.sin(a) };
  });
  const ids = new Set(nodes.map((n) => n.id));
  const links = edges.filter((e) => ids.has(e.from) && ids.has(e.to)).map((e) => ({ source: e.from, target: e.to }));
  const sim = forceSimulation(bodies)
    .force('charge', forceManyBody().strength(-900))
    .force('link', forceLink<Body, { source: string | Body; target: string | Body }>(links).id((d) => d.id).distance(170).strength(0.5))
    .force('collide', forceCollide(105))
    .force('x', forceX(0).strength(0.04))
    .force('y', forceY(0).strength(0.07))
    .stop();
  const ticks = nodes.length > 200 ? 120 : 260;
  for (let i = 0; i < ticks; i++) sim.tick();
  return new Map(bodies.map((b) => [b.id, { x: b.x ?? 0, y: b.y ?? 0 }]));
}

/** Adds found nodes and edges; what is there stays. */
export function merge(a: Graph, b: Graph): { graph: Graph; added: number } {
  const ids = new Set(a.nodes.map((n) => n.id));
  const fresh = b.nodes.filter((n) => !ids.has(n.id));
  const key = (e: GraphEdge) => [e.from, e.to].sort().join('\n');
  const edges = new Set(a.edges.map(key));
  return {
    graph: { nodes: [...a.nodes, ...fresh], edges: [...a.edges, ...b.edges.filter((e) => !edges.has(key(e)) && edges.add(key(e)))] },
    added: fresh.length,
  };
}
