import { expect, test } from 'vitest';
import { incidentFilter, type Alert, type Entity } from '../api/incidents';
import { layout, merge } from './layout';
import { alertRows, places, tellingFacts } from './rows';

test('filters exclude what is not wanted', () => {
  expect(incidentFilter({ status: ['New', 'Active'], severity: [] })).toBe("properties/status ne 'Closed'");
  expect(incidentFilter({ status: ['New'], severity: ['High'] })).toBe("properties/status eq 'New' and properties/severity eq 'High'");
  expect(incidentFilter({ status: ['New', 'Active', 'Closed'], severity: [] })).toBe('');
});

const row = { TimeGenerated: 't', memo_s: 'FS01,,,T:\\x,d', src_ip_s: '41.13.200.5', CanaryHost: 'FS01', CanaryShare: 'T:\\x', fileloc_s: '-33.9000,18.6000', lat_s: '', lon_s: '', empty_s: '' };

test('host and share come out of the rows', () => {
  const alert = { properties: { additionalData: { rows: [row] } } } as unknown as Alert;
  expect(alertRows(alert)).toEqual([row]);
  expect(tellingFacts([row, { ...row, CanaryHost: 'FS02' }])).toEqual([
    ['src ip', '41.13.200.5'],
    ['Canary Host', 'FS01, FS02'],
    ['Canary Share', 'T:\\x'],
  ]);
});

test('places come from coordinates in rows and from entities, joined where they are the same', () => {
  const ip = { kind: 'Ip', name: 'x', id: 'x', properties: { address: '41.13.200.5', location: { latitude: -33.9, longitude: 18.6 } } } as unknown as Entity;
  expect(places([ip], [row])).toEqual([{ lat: -33.9, lon: 18.6, label: '41.13.200.5', count: 2, alarm: true }]);
  expect(places([], [{ lat_s: '52.5', lon_s: '13.4', src_ip_s: 'a' }])).toEqual([{ lat: 52.5, lon: 13.4, label: 'a', count: 1, alarm: true }]);
  expect(places([], [{ lat: 999, lon: 1 }, { note: '1,2' }, { lat: 0, lon: 0 }])).toEqual([]);
});

test('expanding adds only what is new, and nothing moves far', () => {
  const a = { nodes: [{ id: 'i', kind: 'Incident', label: '' }, { id: 'a', kind: 'Alert', label: '' }], edges: [{ from: 'i', to: 'a' }] };
  const b = { nodes: [{ id: 'a', kind: 'Alert', label: '' }, { id: 'r', kind: 'Row', label: '' }], edges: [{ from: 'a', to: 'i' }, { from: 'a', to: 'r' }] };
  const m = merge(a, b);
  expect([m.added, m.graph.nodes.length, m.graph.edges.length]).toEqual([1, 3, 2]);
  const first = layout(a.nodes, a.edges, new Map());
  expect(layout(a.nodes, a.edges, new Map())).toEqual(first); // the same every time
  const next = layout(m.graph.nodes, m.graph.edges, first);
  for (const p of next.values()) expect(Number.isFinite(p.x) && Number.isFinite(p.y)).toBe(true);
  const ps = [...next.values()];
  for (let i = 0; i < ps.length; i++) for (let j = 0; j < i; j++) expect(Math.hypot(ps[i]!.x - ps[j]!.x, ps[i]!.y - ps[j]!.y)).toBeGreaterThan(100);
});
