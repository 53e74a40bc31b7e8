// Places the cards of a workflow as the designer draws it: the trigger on top, what runs after lower down,
// containers around what they hold. Every list of actions is a graph of its own (runAfter never leaves it), so
// it is laid out by layers, and containers are sized from the inside out.
import { isLoop, type FlowNode } from './model';

export const cardWidth = 248;
export const cardHeight = 58;
export const headHeight = 58; // of a container
export const laneHead = 28; // the title over a branch, or where a loop stands
const pad = 14;
const layerGap = 46;
const nodeGap = 26;
const throughWidth = 18; // what a long edge takes in the layers it passes

export interface Edge {
  from: string;
  to: string;
  /** Only what is not the plain Succeeded. */
  marks: string[];
  points: [number, number][];
}

export interface Placed {
  node: FlowNode;
  x: number;
  y: number;
  w: number;
  h: number;
  /** Branches with what they hold; empty when the node is a card or closed. */
  lanes: { title: string; x: number; w: number; area: Area }[];
}

export interface Area {
  w: number;
  h: number;
  nodes: Placed[];
  edges: Edge[];
}

/** What an edge must say: nothing when it is the plain "has succeeded". */
export function edgeMarks(statuses: string[]): string[] {
  return statuses.length === 1 && statuses[0]?.toLowerCase() === 'succeeded' ? [] : statuses;
}

/** Lays out a list of actions; closed names the containers that show only their head. */
export function layoutArea(nodes: FlowNode[], closed: ReadonlySet<string>): Area {
  if (!nodes.length) return { w: cardWidth, h: 0, nodes: [], edges: [] };
  const boxes = nodes.map((n) => box(n, closed));
  const at = new Map(nodes.map((n, i) => [n.name.toLowerCase(), i]));
  const before = nodes.map((n) => n.after.flatMap((a) => at.get(a.name.toLowerCase()) ?? []));
  const rank = ranks(before);

  // A long edge passes the layers between by stand-ins, so that nothing is drawn over it.
  interface Slot {
    box: Placed | null;
    w: number;
    up: number[];
    down: number[];
    x: number;
  }
  const slots: Slot[] = boxes.map((b) => ({ box: b, w: b.w, up: [], down: [], x: 0 }));
  const layers: number[][] = [];
  boxes.forEach((_, i) => (layers[rank[i]!] ??= []).push(i));
  const chains: { from: number; to: number; via: number[] }[] = [];
  nodes.forEach((_, to) => {
    for (const from of before[to]!) {
      const via: number[] = [];
      let last = from;
      for (let r = rank[from]! + 1; r < rank[to]!; r++) {
        const s = slots.push({ box: null, w: throughWidth, up: [last], down: [], x: 0 }) - 1;
        slots[last]!.down.push(s);
        layers[r]!.push(s);
        via.push(s);
        last = s;
      }
      slots[last]!.down.push(to);
      slots[to]!.up.push(last);
      chains.push({ from, to, via });
    }
  });

  // Order within the layers: each near the middle of its neighbours, a few times up and down.
  const order: number[] = [];
  const number = () => layers.forEach((l) => l.forEach((s, i) => (order[s] = i)));
  number();
  for (let sweep = 0; sweep < 6; sweep++) {
    const down = sweep % 2 === 0;
    for (const l of down ? layers : [...layers].reverse()) {
      const key = new Map(l.map((s, i) => {
        const near = down ? slots[s]!.up : slots[s]!.down;
        return [s, near.length ? near.reduce((sum, n) => sum + order[n]!, 0) / near.length : i];
      }));
      l.sort((a, b) => key.get(a)! - key.get(b)! || order[a]! - order[b]!);
      l.forEach((s, i) => (order[s] = i));
    }
  }

  // Places: as near under (and over) the middle of the neighbours as the widths allow.
  for (const l of layers) spread(l.map((s) => slots[s]!), l.map(() => 0));
  for (let sweep = 0; sweep < 8; sweep++) {
    const down = sweep % 2 === 0;
    for (const l of down ? layers : [...layers].reverse()) {
      spread(
        l.map((s) => slots[s]!),
        l.map((s) => {
          const near = down ? slots[s]!.up : slots[s]!.down;
          return near.length ? near.reduce((sum, n) => sum + slots[n]!.x, 0) / near.length : slots[s]!.x;
        }),
      );
    }
  }
  const left = Math.min(...slots.map((s) => s.x - s.w / 2));
  const right = Math.max(...slots.map((s) => s.x + s.w / 2));
  let y = 0;
  const tops: number[] = [];
  const heights: number[] = [];
  layers.forEach((l, r) => {
    tops[r] = y;
    heights[r] = Math.max(...l.map((s) => slots[s]!.box?.h ?? 0));
    for (const s of l) {
      const b = slots[s]!.box;
      if (b) {
        b.x = slots[s]!.x - b.w / 2 - left;
        b.y = y;
      }
    }
    y += heights[r]! + layerGap;
  });
  const edges = chains.map(({ from, to, via }): Edge => {
    const a = boxes[from]!;
    const b = boxes[to]!;
    const points: [number, number][] = [[a.x + a.w / 2, a.y + a.h]];
    via.forEach((s, i) => {
      const r = rank[from]! + 1 + i;
      const x = slots[s]!.x - left;
      points.push([x, tops[r]!], [x, tops[r]! + heights[r]!]);
    });
    points.push([b.x + b.w / 2, b.y]);
    const after = nodes[to]!.after.find((x) => x.name.toLowerCase() === nodes[from]!.name.toLowerCase())!;
    return { from: nodes[from]!.name, to: nodes[to]!.name, marks: edgeMarks(after.statuses), points };
  });
  // The reading order is the order of running: by layer, then from left to right.
  const placed = layers.flatMap((l) => l.flatMap((s) => slots[s]!.box ?? []));
  return { w: right - left, h: y - layerGap, nodes: placed, edges };
}

/** The longest way from a start; a circle, which a checked definition has not, is cut where it closes. */
function ranks(before: number[][]): number[] {
  const out: number[] = [];
  const busy = new Set<number>();
  const visit = (i: number): number => {
    if (out[i] !== undefined) return out[i];
    if (busy.has(i)) return -1;
    busy.add(i);
    const r = before[i]!.reduce((m, p) => Math.max(m, visit(p) + 1), 0);
    busy.delete(i);
    return (out[i] = r);
  };
  before.forEach((_, i) => visit(i));
  return out;
}

/** Sets x of slots in their order, the sum of squares to the wished places least (pool adjacent violators). */
function spread(row: { w: number; x: number }[], wish: number[]) {
  const offset: number[] = [];
  row.forEach((s, i) => (offset[i] = i ? offset[i - 1]! + row[i - 1]!.w / 2 + nodeGap + s.w / 2 : 0));
  const pools: { sum: number; n: number }[] = [];
  row.forEach((_, i) => {
    let p = { sum: wish[i]! - offset[i]!, n: 1 };
    while (pools.length && pools.at(-1)!.sum / pools.at(-1)!.n > p.sum / p.n) {
      const q = pools.pop()!;
      p = { sum: p.sum + q.sum, n: p.n + q.n };
    }
    pools.push(p);
  });
  let i = 0;
  for (const p of pools) for (let k = 0; k < p.n; k++, i++) row[i]!.x = p.sum / p.n + offset[i]!;
}

function box(node: FlowNode, closed: ReadonlySet<string>): Placed {
  const out: Placed = { node, x: 0, y: 0, w: cardWidth, h: cardHeight, lanes: [] };
  if (!node.lanes || closed.has(node.name)) return out;
  const titled = node.lanes.some((l) => l.title);
  let x = pad;
  let tall = 0;
  for (const l of node.lanes) {
    const area = layoutArea(l.nodes, closed);
    const w = Math.max(area.w, titled ? 150 : 0);
    out.lanes.push({ title: l.title, x: x, w, area });
    x += w + pad;
    tall = Math.max(tall, area.h);
  }
  out.w = Math.max(x, cardWidth + 2 * pad);
  if (out.lanes.length === 1) out.lanes[0]!.x = (out.w - out.lanes[0]!.w) / 2;
  out.h = headHeight + (titled || isLoop(node) ? laneHead : 0) + (tall || 24) + 2 * pad;
  return out;
}
