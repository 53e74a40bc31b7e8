// Results as files. CSV follows RFC 4180; a cell that a spreadsheet would run as a formula gets a leading
// apostrophe, since rows hold what attackers wrote.
import type { Table } from '../api/query';
import { cellText } from '../ui/format';

export function csvCell(text: string, type: string): string {
  let t = text;
  const isNumber = ['long', 'int', 'real', 'decimal'].includes(type);
  if (!isNumber && /^[=+\-@\t\r]/.test(t)) t = "'" + t;
  return /[",\r\n]/.test(t) ? '"' + t.replaceAll('"', '""') + '"' : t;
}

export function toCsv(t: Table): string {
  const lines = [t.columns.map((c) => csvCell(c.name, 'string')).join(',')];
  for (const r of t.rows) lines.push(t.columns.map((c, i) => csvCell(cellText(r[i]), c.type)).join(','));
  return lines.join('\r\n') + '\r\n';
}

/** An array of objects; dynamic cells are JSON, not text of JSON. */
export function toJson(t: Table): string {
  const rows = t.rows.map((r) =>
    Object.fromEntries(
      t.columns.map((c, i) => {
        const v = r[i] ?? null;
        if (c.type === 'dynamic' && typeof v === 'string') {
          try {
            return [c.name, JSON.parse(v)];
          } catch {
            return [c.name, v];
          }
        }
        return [c.name, v];
      }),
    ),
  );
  return JSON.stringify(rows, null, 2) + '\n';
}
