import { expect, test } from 'vitest';
import { shippers, silentSince } from './setup';

const workspace = { id: 'ws-id', tenantId: 'tenant', subscriptionId: 'sub', resourceGroup: 'rg', name: 'demo', location: 'local' };
const all = (more: object = {}) => shippers({ endpoints: { url: 'https://picket.example:8443', syslog: '192.0.2.1:514', caFile: '/data/tls/ca.pem' }, workspace, sharedKey: '', rule: { name: 'r', id: 'dcr-1', streams: ['Custom-Demo_CL'] }, ...more });

test('every shipper is given this workspace’s addresses', () => {
  const s = all();
  expect(s.map((x) => x.id)).toEqual(['collector', 'ingestion', 'rsyslog', 'fluent-bit', 'vector', 'filebeat', 'splunk', 'otlp', 'canarytokens']);
  for (const x of s) {
    const text = x.blocks.map((b) => b.text).join('\n');
    expect(text, x.id).not.toMatch(/undefined|null|NaN/);
    expect(x.missing, x.id).toBe('');
    if (!['rsyslog', 'canarytokens'].includes(x.id)) expect(text, x.id).toContain('https://picket.example:8443');
  }
  const of = (id: string) => s.find((x) => x.id === id)!.blocks.map((b) => b.text).join('\n');
  expect(of('collector')).toContain('ws-id');
  expect(of('ingestion')).toContain('/dataCollectionRules/dcr-1/streams/Custom-Demo_CL?');
  expect(of('rsyslog')).toContain('target="192.0.2.1" port="514"');
  expect(of('fluent-bit')).toContain('table_name    Demo_CL');
});

test('secrets are placeholders until asked for', () => {
  expect(all()[0]!.blocks[1]!.text).toContain("SHARED_KEY='SHARED-KEY'");
  expect(all({ sharedKey: 'abc==' })[0]!.blocks[1]!.text).toContain("SHARED_KEY='abc=='");
});

test('what is not served says so by name', () => {
  const s = all({ endpoints: { url: 'https://h' } }).find((x) => x.id === 'rsyslog')!;
  expect(s.missing).toContain('--syslog');
  expect(all({ endpoints: { url: 'https://h', syslogTls: '[2001:db8::1]:6514' } }).find((x) => x.id === 'rsyslog')!.blocks[0]!.text).toContain('target="2001:db8::1" port="6514"');
});

test('silence is measured by how often the sender speaks', () => {
  const now = Date.parse('2026-01-02T00:00:00Z');
  const ago = (h: number) => new Date(now - h * 3_600_000).toISOString();
  expect(silentSince({ first: ago(100), last: ago(0.5), rows: 5000 }, now)).toBe(null);
  expect(silentSince({ first: ago(100), last: ago(2), rows: 5000 }, now)).toBe(ago(2));
  expect(silentSince({ first: ago(100), last: ago(20), rows: 5 }, now)).toBe(null); // speaks about daily
  expect(silentSince({ first: ago(100), last: ago(30), rows: 5 }, now)).toBe(ago(30));
  expect(silentSince({ rows: 0 }, now)).toBe(null);
});
