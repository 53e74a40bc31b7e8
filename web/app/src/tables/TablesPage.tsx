import { Button, Input } from '@fluentui/react-components';
import { ArrowClockwiseRegular, SearchRegular, TableRegular } from '@fluentui/react-icons';
import { useQuery } from '@tanstack/react-query';
import { useState } from 'react';
import { useLocation } from 'wouter';
import { daysText, tablesApi } from '../api/tables';
import { PageLink, Rows, When, type ColumnDef } from '../ui/bits';
import { bytes, millis, parseTime, plural } from '../ui/format';
import { Page } from '../ui/Page';
import { EmptyState, Loaded } from '../ui/States';
import type { LakeTable } from '../api/tables';

export const tablePath = (name: string, tail = '') => '/tables/' + encodeURIComponent(name) + tail;

/** What came late, in words. */
export function lateText(t: LakeTable): string {
  if (t.lateRows == null) return '';
  return t.lateRows ? `${t.lateRows.toLocaleString()} (up to ${millis((t.mostLateSeconds ?? 0) * 1000)})` : 'none';
}

export default function TablesPage() {
  const [, go] = useLocation();
  const [search, setSearch] = useState('');
  const list = useQuery({ queryKey: ['tables'], queryFn: () => tablesApi.list(), refetchInterval: 30_000 });
  // Late rows are measured apart: that reads the last day's rows.
  const late = useQuery({ queryKey: ['tables', 'late'], queryFn: () => tablesApi.list(true), staleTime: 300_000, enabled: list.isSuccess });
  const lateOf = new Map(late.data?.value.map((t) => [t.name, t]));
  const all = list.data?.value ?? [];
  const sum = (f: (t: LakeTable) => number) => all.reduce((n, t) => n + f(t), 0);
  return (
    <Page
      title="Tables"
      subtitle={list.data && `${plural(all.length, 'table')}, ${plural(sum((t) => t.rows), 'row')}, ${bytes(sum((t) => t.hotBytes + t.sealedBytes + (t.archivedBytes ?? 0)))}`}
      commands={
        <>
          <Input size="small" contentBefore={<SearchRegular />} aria-label="Find a table" placeholder="Find a table" value={search} onChange={(_, d) => setSearch(d.value)} />
          <Button size="small" appearance="subtle" icon={<ArrowClockwiseRegular />} onClick={() => void list.refetch()}>
            Refresh
          </Button>
        </>
      }
    >
      <Loaded of={list}>
        {(l) => {
          const rows = l.value.filter((t) => t.name.toLowerCase().includes(search.trim().toLowerCase()));
          if (!l.value.length)
            return (
              <EmptyState
                icon={<TableRegular />}
                title="No table has rows yet"
                text="A table begins with its first row. Data sources shows how to send some, from curl to Splunk's forwarders."
                action={
                  <Button appearance="primary" onClick={() => go('/sources/setup')}>
                    Send the first rows
                  </Button>
                }
              />
            );
          if (!rows.length) return <EmptyState title="No table of that name" text={`None of the ${plural(l.value.length, 'table')} has “${search}” in its name.`} />;
          const columns: ColumnDef<LakeTable>[] = [
            { key: 'name', title: 'Name', cell: (t) => <PageLink to={tablePath(t.name)}>{t.name}</PageLink>, sort: (t) => t.name },
            { key: 'kind', title: 'Kind', cell: (t) => (t.kind === 'custom' ? 'Custom' : 'Standard'), sort: (t) => t.kind },
            { key: 'rows', title: 'Rows', right: true, cell: (t) => t.rows.toLocaleString(), sort: (t) => t.rows },
            { key: 'hot', title: 'Hot', right: true, cell: (t) => bytes(t.hotBytes), sort: (t) => t.hotBytes },
            { key: 'sealed', title: 'Sealed', right: true, cell: (t) => bytes(t.sealedBytes), sort: (t) => t.sealedBytes },
            { key: 'keep', title: 'Kept', cell: (t) => daysText(t.retentionDays) + (t.totalRetentionDays !== t.retentionDays ? `, ${daysText(t.totalRetentionDays)} in all` : ''), sort: (t) => t.retentionDays || 1e9 },
            { key: 'last', title: 'Last record', cell: (t) => <When at={t.received} />, sort: (t) => -(parseTime(t.received)?.getTime() ?? 0) },
          ];
          if (l.usage) columns.push({ key: 'day', title: 'In 24 h', right: true, cell: (t) => (t.dayRows ? `${plural(t.dayRows, 'row')}, ${bytes(t.dayBytes ?? 0)}` : '–'), sort: (t) => t.dayRows ?? 0 });
          if (late.data?.value.some((t) => t.lateRows != null)) columns.push({ key: 'late', title: 'Late by an hour', right: true, cell: (t) => lateText(lateOf.get(t.name) ?? t) || '–', sort: (t) => lateOf.get(t.name)?.lateRows ?? 0 });
          return <Rows label="Tables" rows={rows} rowKey={(t) => t.name} columns={columns} first="name" />;
        }}
      </Loaded>
    </Page>
  );
}
