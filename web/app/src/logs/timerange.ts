// The time range beside the editor. As in Log Analytics it is sent as the request's timespan and intersects
// with the query's own filter.
export interface Range {
  key: string;
  label: string;
  /** ISO 8601 for the query API; '' is no limit. */
  timespan: string;
}

export const ranges: Range[] = [
  { key: '30m', label: 'Last 30 minutes', timespan: 'PT30M' },
  { key: '1h', label: 'Last hour', timespan: 'PT1H' },
  { key: '4h', label: 'Last 4 hours', timespan: 'PT4H' },
  { key: '24h', label: 'Last 24 hours', timespan: 'P1D' },
  { key: '3d', label: 'Last 3 days', timespan: 'P3D' },
  { key: '7d', label: 'Last 7 days', timespan: 'P7D' },
  { key: '30d', label: 'Last 30 days', timespan: 'P30D' },
  { key: 'query', label: 'Set in query', timespan: '' },
];

/** A range by its key, or a custom one: start/end in ISO 8601. */
export function rangeOf(key: string): Range {
  const known = ranges.find((r) => r.key === key);
  if (known) return known;
  const [a, b] = key.split('/');
  if (a && b && !Number.isNaN(Date.parse(a)) && !Number.isNaN(Date.parse(b)) && Date.parse(a) < Date.parse(b)) {
    const say = (t: string) => new Date(t).toISOString().slice(0, 16).replace('T', ' ');
    return { key, label: `${say(a)} to ${say(b)} UTC`, timespan: `${new Date(a).toISOString()}/${new Date(b).toISOString()}` };
  }
  return ranges[3]!;
}

/** A deep link to a query, in text that survives mail and chat. */
export function logsLink(query: string, range = '24h', run = true): string {
  const b = btoa(String.fromCharCode(...new TextEncoder().encode(query))).replaceAll('+', '-').replaceAll('/', '_').replace(/=+$/, '');
  return `/logs?${new URLSearchParams({ q: b, range, ...(run ? { run: '1' } : {}) })}`;
}

export function queryFromLink(q: string | null): string | null {
  if (!q) return null;
  try {
    const bin = atob(q.replaceAll('-', '+').replaceAll('_', '/'));
    return new TextDecoder('utf-8', { fatal: true }).decode(Uint8Array.from(bin, (c) => c.charCodeAt(0)));
  } catch {
    return null;
  }
}
