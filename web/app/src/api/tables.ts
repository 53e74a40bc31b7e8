import { call } from './client';

export interface LakeTable {
  name: string;
  kind: 'custom' | 'standard';
  rows: number;
  hotRows: number;
  hotBytes: number;
  sealedBytes: number;
  segments: number;
  archivedRows?: number;
  archivedBytes?: number;
  first?: string;
  last?: string;
  received?: string;
  /** 0: for ever. */
  retentionDays: number;
  totalRetentionDays: number;
  /** Taken in within the last 24 hours; absent: not counted. */
  dayRows?: number;
  dayBytes?: number;
  /** Of those, more than an hour late; absent: not measured. */
  lateRows?: number;
  mostLateSeconds?: number;
}

export interface TableColumn {
  name: string;
  type: string;
  standard?: boolean;
  promoted?: boolean;
}

export interface LakeTableDetail extends LakeTable {
  columns: TableColumn[];
  usage?: { hour: string; rows: number; bytes: number }[];
}

export interface TableList {
  value: LakeTable[];
  /** Whether this server lets retention be set, and counts what comes in. */
  retain: boolean;
  usage: boolean;
}

export const tablesApi = {
  list: (late = false) => call<TableList>('/api/v1/tables' + (late ? '?late=1' : '')),
  get: (name: string) => call<LakeTableDetail>('/api/v1/tables/' + encodeURIComponent(name)),
  retain: (name: string, retentionDays: number, totalRetentionDays: number) => call<void>('/api/v1/tables/' + encodeURIComponent(name), { method: 'PATCH', json: { retentionDays, totalRetentionDays } }),
};

export const daysText = (n: number) => (n ? `${n.toLocaleString()} ${n === 1 ? 'day' : 'days'}` : 'for ever');

/** A table's name as a query writes it. */
export const tableRef = (name: string) => (/^[A-Za-z_]\w*$/.test(name) ? name : `['${name.replaceAll('\\', '\\\\').replaceAll("'", "\\'")}']`);
