import { ApiError, call, send } from './client';
import type { Workspace } from './session';

export interface Column {
  name: string;
  /** A KQL type: string, long, int, real, decimal, bool, datetime, timespan, guid, dynamic. */
  type: string;
}

export type Cell = string | number | boolean | null | object;

export interface Table {
  name: string;
  columns: Column[];
  rows: Cell[][];
}

export interface Render {
  visualization?: string;
  title?: string;
  xcolumn?: string;
  ycolumns?: string[] | string;
  series?: string[] | string;
  kind?: string;
  legend?: string;
  xtitle?: string;
  ytitle?: string;
}

export interface QueryResult {
  table: Table;
  render?: Render;
  /** Milliseconds the server took, by its statistics; the round trip when it gives none. */
  millis: number;
  /** Set when the answer was cut. */
  partial?: string;
}

interface Wire {
  tables: Table[];
  render?: Render;
  statistics?: { query?: { executionTime?: number } };
  error?: { code?: string; message?: string; details?: { innererror?: { message?: string } }[] };
}

/**
 * JSON with its integers exact: a long beyond 2^53 stays text, for as a number it would lose its last digits.
 * The slow way is taken only when such a number is there.
 */
export function parseExact(text: string): unknown {
  if (!/[[:,]\s*-?\d{16,}\s*[,\]}]/.test(text)) return JSON.parse(text);
  const tokens = /"(?:[^"\\]|\\.)*"|-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?/g;
  return JSON.parse(text.replace(tokens, (t) => (/^-?\d{16,}$/.test(t) && !Number.isSafeInteger(Number(t)) ? `"${t}"` : t)));
}

/** A time range: an ISO 8601 interval or duration as the query API takes it; '' leaves it to the query. */
export async function runQuery(ws: Workspace, query: string, timespan: string, signal?: AbortSignal): Promise<QueryResult> {
  const began = performance.now();
  const res = await send(`/v1/workspaces/${ws.id}/query`, {
    json: timespan ? { query, timespan } : { query },
    headers: { Prefer: 'wait=600,include-statistics=true,include-render=true' },
    signal,
  });
  const r = parseExact(await res.text()) as Wire;
  const table = r.tables.find((t) => t.name === 'PrimaryResult') ?? r.tables[0];
  if (!table) throw new Error('The answer holds no table.');
  const seconds = r.statistics?.query?.executionTime;
  return {
    table,
    // Property names come in either case: xColumn, xcolumn.
    render: r.render?.visualization ? (Object.fromEntries(Object.entries(r.render).map(([k, v]) => [k.toLowerCase(), v])) as Render) : undefined,
    millis: seconds != null ? seconds * 1000 : performance.now() - began,
    partial: r.error ? (r.error.details?.[0]?.innererror?.message ?? r.error.message ?? r.error.code) : undefined,
  };
}

/** Line and column of an error, from 1: as fields, or out of a message like "… (line 2, column 5)". */
export function errorPosition(e: ApiError): { line: number; column: number } | null {
  if (e.line != null) return { line: e.line, column: e.column ?? 1 };
  const m = /line[: ]+(\d+)[,;]?\s+(?:column|col|pos(?:ition)?)[: ]+(\d+)/i.exec(e.message) ?? /\[?(?:line:position=)(\d+):(\d+)\]?/.exec(e.message);
  return m ? { line: Number(m[1]), column: Number(m[2]) } : null;
}

/** The errors of a refused query, each with its place: the server lists them as "line:column: CODE: text" lines. */
export function queryErrors(e: Error): { text: string; at: { line: number; column: number } | null }[] {
  const out = e.message.split('\n').flatMap((l) => {
    const m = /^\s*(\d+):(\d+): (?:[A-Z]{3}\d+: )?(.+)$/.exec(l);
    return m ? [{ text: m[3]!, at: { line: Number(m[1]), column: Number(m[2]) } }] : [];
  });
  if (out.length) return out;
  return [{ text: e.message, at: e instanceof ApiError ? errorPosition(e) : null }];
}

interface Dataset {
  Tables: { Columns: { ColumnName: string }[]; Rows: Cell[][] }[];
}

export interface ShowSchema {
  Databases: Record<
    string,
    {
      Name: string;
      Tables: Record<string, { Name: string; Folder?: string; DocString?: string; OrderedColumns: { Name: string; Type?: string; CslType?: string; DocString?: string }[] }>;
      Functions?: Record<string, { Name: string; InputParameters?: { Name: string; CslType?: string }[]; DocString?: string; Folder?: string; Body?: string }>;
    }
  >;
}

/** The schema in the form of ".show database schema as json", which the editor's binder reads. */
export async function loadSchema(ws: Workspace): Promise<ShowSchema> {
  const r = await call<Dataset>('/v1/rest/mgmt', { json: { db: ws.name, csl: '.show database schema as json' } });
  const cell = r.Tables[0]?.Rows[0]?.[0];
  if (cell == null) throw new Error('The server gave no schema.');
  return (typeof cell === 'string' ? JSON.parse(cell) : cell) as ShowSchema;
}

export interface Catalogue {
  /** Names of Kusto's language that picket does not run. */
  missing: string[];
}

export const loadCatalogue = () => call<Catalogue>('/api/v1/kql/catalogue');
