import { expect, test } from 'vitest';
import { edgeMarks, layoutArea, type Area, type Placed } from './layout';
import { closedAtFirst, fromGraph, shown, turnsOf, type FlowNode } from './model';

const node = (name: string, after: string[] = [], lanes?: FlowNode[][], type = lanes ? 'Scope' : 'Compose'): FlowNode => ({
  name,
  type,
  after: after.map((a) => ({ name: a, statuses: ['Succeeded'] })),
  lanes: lanes?.map((nodes) => ({ title: '', nodes })),
});
const none = new Set<string>();
const of = (a: Area, name: string) => a.nodes.find((p) => p.node.name === name)!;
const middle = (p: Placed) => p.x + p.w / 2;

test('what runs after stands lower, a join under the middle of what it joins', () => {
  const a = layoutArea([node('D', ['B', 'C']), node('A'), node('B', ['A']), node('C', ['a'])], none);
  expect(of(a, 'A').y).toBeLessThan(of(a, 'B').y);
  expect(of(a, 'B').y).toBe(of(a, 'C').y);
  expect(of(a, 'D').y).toBeGreaterThan(of(a, 'B').y + of(a, 'B').h);
  expect(middle(of(a, 'D'))).toBeCloseTo((middle(of(a, 'B')) + middle(of(a, 'C'))) / 2, 3);
  expect(middle(of(a, 'A'))).toBeCloseTo(middle(of(a, 'D')), 3);
  expect(a.edges).toHaveLength(4);
  expect(a.nodes.map((p) => p.node.name)[0]).toBe('A'); // the order of reading is that of running
});

test('nothing lies on anything, long edges pass between', () => {
  const chain = ['a', 'b', 'c', 'd', 'e'].map((n, i) => node(n, i ? ['abcde'[i - 1]!] : []));
  const a = layoutArea([...chain, node('x', ['a', 'e']), node('y', ['a']), node('z', ['c'])], none);
  for (const p of a.nodes)
    for (const q of a.nodes) if (p !== q) expect(p.x + p.w <= q.x || q.x + q.w <= p.x || p.y + p.h <= q.y || q.y + q.h <= p.y).toBe(true);
  const long = a.edges.find((e) => e.from === 'a' && e.to === 'x')!;
  expect(long.points.length).toBe(2 + 2 * 4);
  for (let i = 1; i < long.points.length - 1; i++) {
    const [x, y] = long.points[i]!;
    for (const p of a.nodes) expect(x > p.x && x < p.x + p.w && y > p.y && y < p.y + p.h).toBe(false);
  }
});

test('containers hold what is in them; closed ones are cards', () => {
  const inner = [node('in1'), node('in2', ['in1'])];
  const nodes = [node('first'), node('scope', ['first'], [inner, []]), node('last', ['scope'])];
  const open = layoutArea(nodes, none);
  const s = of(open, 'scope');
  const lane = s.lanes[0]!;
  expect(lane.area.nodes).toHaveLength(2);
  expect(lane.x + lane.w).toBeLessThanOrEqual(s.w);
  expect(s.h).toBeGreaterThan(lane.area.h);
  const shut = layoutArea(nodes, new Set(['scope']));
  expect(of(shut, 'scope').lanes).toEqual([]);
  expect(shut.h).toBeLessThan(open.h);
});

test('a circle and an empty list end', () => {
  expect(layoutArea([node('a', ['b']), node('b', ['a'])], none).nodes).toHaveLength(2);
  expect(layoutArea([], none).h).toBe(0);
});

test('500 actions are laid out at once', () => {
  const many = Array.from({ length: 500 }, (_, i) => node('n' + i, i > 2 ? ['n' + (i - 1 - (i % 3))] : []));
  expect(layoutArea(many, none).nodes).toHaveLength(500);
});

test('only an edge that is not the plain one is marked', () => {
  expect(edgeMarks(['Succeeded'])).toEqual([]);
  expect(edgeMarks(['SUCCEEDED'])).toEqual([]);
  expect(edgeMarks(['Failed', 'TimedOut'])).toEqual(['Failed', 'TimedOut']);
  expect(edgeMarks(['Succeeded', 'Failed'])).toEqual(['Succeeded', 'Failed']);
});

test('the server’s graph becomes lanes with titles', () => {
  const flow = fromGraph({
    workflow: 'w',
    version: '1',
    triggers: [{ name: 'manual', type: 'Request' }],
    actions: [
      { name: 'If', type: 'If', runAfter: [], branches: [{ name: 'actions', actions: [{ name: 'a', type: 'Compose', runAfter: [] }] }] },
      { name: 'Sw', type: 'Switch', runAfter: [{ action: 'If', statuses: ['Failed'] }], branches: [{ name: 'Case', case: 3, actions: [] }, { name: 'Case_2', case: 'x', actions: [] }, { name: 'default', actions: [] }] },
    ],
  });
  expect(flow.nodes[0]!.lanes!.map((l) => l.title)).toEqual(['True', 'False']);
  expect(flow.nodes[1]!.lanes!.map((l) => l.title)).toEqual(['Case: 3', 'Case: x', 'Default']);
  expect(flow.nodes[1]!.after).toEqual([{ name: 'If', statuses: ['Failed'] }]);
});

test('repetitions name the turns of their loops', () => {
  expect(turnsOf('000003-000010', ['Outer', 'Inner'])).toEqual({ Outer: 3, Inner: 10 });
  expect(shown('Send_Data_(V2)')).toBe('Send Data (V2)');
});

test('large workflows begin with their inner containers closed', () => {
  const deep = node('outer', [], [[node('inner', [], [Array.from({ length: 70 }, (_, i) => node('n' + i))])]]);
  expect([...closedAtFirst([deep])]).toEqual(['inner']);
  expect(closedAtFirst([node('a')]).size).toBe(0);
});
