// What the editor may offer. Kusto's language service knows more than picket runs; what picket's catalogue
// lacks is left out, so that no offered name is refused afterwards.
import type { Catalogue } from '../api/query';

/** An item as the language service gives it. */
export interface Item {
  label: string;
  kind?: number;
}

// Kinds as @kusto/monaco-kusto assigns them: functions and prefix operators are Field (5), keywords Method (2). Columns are Function (3) and tables Class (7): those are never filtered, whatever their name.
const languageKinds = new Set([2, 5]);

export const nameOf = (i: Item) => i.label.replace(/\(.*$/s, '').trim().toLowerCase();

export function completionFilter(c: Catalogue | undefined): (i: Item) => boolean {
  if (!c) return () => true;
  const missing = new Set(c.missing.map((n) => n.toLowerCase()));
  return (i) => {
    if (!languageKinds.has(i.kind ?? -1)) return true;
    return !missing.has(nameOf(i));
  };
}
