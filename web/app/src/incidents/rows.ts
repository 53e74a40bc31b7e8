// What an alert's rows say that its entities do not: which decoy, on which host and share, seen from where.
import type { Alert, Entity } from '../api/incidents';
import { cellText } from '../ui/format';
import type { Place } from '../ui/WorldMap';

export type Row = Record<string, unknown>;

/** The rows that an alert kept of its query's result. */
export function alertRows(a: Alert): Row[] {
  const p = a.properties;
  let v: unknown = p.additionalData?.['rows'];
  if (typeof v === 'string') {
    try {
      v = JSON.parse(v);
    } catch {
      return [];
    }
  }
  return Array.isArray(v) ? v.filter((r): r is Row => r != null && typeof r === 'object') : [];
}


// Column names end in their meaning, before the data collector's type suffix: CanaryHost, CanaryShare, memo_s.
const telling = /(host|hostname|computer|share|description|file|filename|filepath|useragent|src_ip|sourceip|publicip|privateip|executedon\w*|excutedon\w*|city|country|token_type)$/i;
const suffix = /_(s|b|d|t|g)$/;

/** The rows' columns: the time and the telling ones first; those that are empty everywhere, or the same in every table, are left out. */
export function rowColumns(rows: Row[]): string[] {
  const seen = new Set<string>();
  for (const r of rows) for (const [k, v] of Object.entries(r)) if (cellText(v) !== '' && k !== 'TenantId' && k !== 'Type') seen.add(k);
  const rank = (k: string) => (k === 'TimeGenerated' ? 0 : telling.test(k.replace(suffix, '')) ? 1 : 2);
  return [...seen].sort((a, b) => rank(a) - rank(b));
}

/** Short facts out of rows: the telling columns with their distinct values. */
export function tellingFacts(rows: Row[], most = 3): [string, string][] {
  const out = new Map<string, Set<string>>();
  for (const r of rows)
    for (const [k, v] of Object.entries(r)) {
      if (!telling.test(k.replace(suffix, ''))) continue;
      const t = cellText(v).trim();
      if (!t) continue;
      if (!out.has(k)) out.set(k, new Set());
      out.get(k)!.add(t);
    }
  return [...out].map(([k, set]) => {
    const all = [...set];
    const name = k.replace(suffix, '').replace(/([a-z])([A-Z])/g, '$1 $2').replaceAll('_', ' ');
    return [name, all.slice(0, most).join(', ') + (all.length > most ? ` and ${all.length - most} more` : '')];
  });
}

function coordinates(lat: unknown, lon: unknown): { lat: number; lon: number } | null {
  if (lat == null || lon == null || lat === '' || lon === '') return null;
  const a = Number(lat);
  const b = Number(lon);
  if (!Number.isFinite(a) || !Number.isFinite(b) || Math.abs(a) > 90 || Math.abs(b) > 180 || (a === 0 && b === 0)) return null;
  return { lat: a, lon: b };
}

const pairForm = /^\s*(-?\d{1,2}(?:\.\d+)?)\s*,\s*(-?\d{1,3}(?:\.\d+)?)\s*$/;

/** Where the sources are: out of entities' locations, and out of rows that hold coordinates. */
export function places(entities: Entity[], rows: Row[]): Place[] {
  const out = new Map<string, Place>();
  const add = (at: { lat: number; lon: number } | null, label: string, alarm: boolean) => {
    if (!at) return;
    const k = at.lat.toFixed(2) + ',' + at.lon.toFixed(2);
    const p = out.get(k);
    if (p) {
      p.count++;
      if (label && !p.label.includes(label)) p.label += ', ' + label;
    } else out.set(k, { ...at, label: label || k, count: 1, alarm });
  };
  const get = (o: Row, ...names: string[]) => {
    for (const [k, v] of Object.entries(o)) if (names.includes(k.replace(suffix, '').toLowerCase()) && cellText(v) !== '') return v;
    return undefined;
  };
  for (const e of entities) {
    const loc = (get(e.properties, 'location') ?? {}) as Row;
    const label = cellText(get(e.properties, 'address', 'friendlyname'));
    add(coordinates(get(loc, 'latitude', 'lat'), get(loc, 'longitude', 'lon')), label, true);
  }
  for (const r of rows) {
    const label = cellText(get(r, 'src_ip', 'sourceip', 'ipaddress', 'ip', 'clientip', 'ipcustomentity'));
    const lat = get(r, 'lat', 'latitude', 'sourcelatitude');
    const lon = get(r, 'lon', 'longitude', 'sourcelongitude');
    if (lat !== undefined && lon !== undefined) {
      add(coordinates(lat, lon), label, true);
      continue;
    }
    for (const [k, v] of Object.entries(r)) {
      if (!/loc|geo|coord/i.test(k)) continue;
      const m = pairForm.exec(cellText(v));
      if (m) add(coordinates(m[1], m[2]), label, true);
    }
  }
  return [...out.values()];
}

/** An entity's own name, when the server gives no friendly one. */
export function entityName(e: Entity): string {
  const p = e.properties;
  const v = p.friendlyName ?? p['address'] ?? p['hostName'] ?? p['accountName'] ?? p['url'] ?? p['fileName'] ?? p['hashValue'] ?? p['domainName'] ?? p['processId'] ?? e.name;
  return cellText(v);
}
