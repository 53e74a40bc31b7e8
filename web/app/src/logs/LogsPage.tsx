import {
  Button,
  Caption1,
  Dropdown,
  Field,
  Input,
  Link as FluentLink,
  Menu,
  MenuItem,
  MenuList,
  MenuPopover,
  MenuTrigger,
  MessageBar,
  MessageBarBody,
  Option,
  Popover,
  PopoverSurface,
  PopoverTrigger,
  Spinner,
  Tab,
  TabList,
  Tooltip,
  makeStyles,
  mergeClasses,
  tokens,
} from '@fluentui/react-components';
import { ArrowDownloadRegular, CalendarClockRegular, DismissRegular, LinkRegular, PlayRegular, StopRegular, TableRegular, TextAlignLeftRegular } from '@fluentui/react-icons';
import { Suspense, lazy, useCallback, useEffect, useMemo, useRef, useState } from 'react';
import { useSearch } from 'wouter';
import { ApiError, saveAs } from '../api/client';
import { queryErrors, runQuery, type Cell, type QueryResult } from '../api/query';
import { useSession } from '../api/session';
import { RowValue } from '../ui/bits';
import { DataGrid } from '../ui/DataGrid';
import { cellText, millis, plural } from '../ui/format';
import { Page } from '../ui/Page';
import { EmptyState, ErrorBox } from '../ui/States';
import { draw } from './chart';
import { toCsv, toJson } from './export';
import type { EditorHandle, Squiggle } from './Editor';
import { SchemaTree } from './SchemaTree';
import { logsLink, queryFromLink, rangeOf, ranges } from './timerange';
import { useCatalogue, useSchema } from './useSchema';

const Editor = lazy(() => import('./Editor'));
const Chart = lazy(() => import('../ui/Chart').then((m) => ({ default: m.Chart })));

const useStyles = makeStyles({
  frame: { display: 'grid', gridTemplateColumns: '240px minmax(0,1fr)', height: '100%', minHeight: 0 },
  wide: { gridTemplateColumns: 'minmax(0,1fr)' },
  side: { borderRight: `1px solid ${tokens.colorNeutralStroke2}`, minHeight: 0, overflow: 'hidden' },
  work: { display: 'grid', gridTemplateRows: 'minmax(120px, 38%) auto minmax(0,1fr)', minHeight: 0, minWidth: 0 },
  editor: { minHeight: 0, borderBottom: `1px solid ${tokens.colorNeutralStroke2}` },
  bar: { display: 'flex', alignItems: 'center', gap: '8px', padding: '2px 12px', borderBottom: `1px solid ${tokens.colorNeutralStroke2}`, minHeight: '36px', flexWrap: 'wrap' },
  space: { flexGrow: 1 },
  result: { minHeight: 0, minWidth: 0, display: 'grid', gridTemplateColumns: 'minmax(0,1fr)', overflow: 'hidden' },
  withDetail: { gridTemplateColumns: 'minmax(0,1fr) minmax(280px, 32%)' },
  detail: { borderLeft: `1px solid ${tokens.colorNeutralStroke2}`, overflow: 'auto', padding: '8px 12px' },
  detailHead: { display: 'flex', justifyContent: 'space-between', alignItems: 'center', fontWeight: 600 },
  dl: { display: 'grid', gap: '8px', margin: '8px 0', fontSize: '12px' },
  dt: { color: tokens.colorNeutralForeground3 },
  dd: { margin: 0, overflowWrap: 'anywhere', whiteSpace: 'pre-wrap', fontFamily: tokens.fontFamilyMonospace },
  chart: { minHeight: 0, height: '100%', padding: '8px', boxSizing: 'border-box' },
  cards: { display: 'flex', flexWrap: 'wrap', gap: '16px', padding: '24px' },
  card: { border: `1px solid ${tokens.colorNeutralStroke2}`, padding: '16px 24px', minWidth: '140px' },
  big: { fontSize: '32px', fontWeight: 600 },
  custom: { display: 'grid', gap: '8px' },
  pad: { padding: '12px' },
  range: { width: '230px' },
});

const stored = 'picket.query';
const first = '// Shift+Enter runs the query under the cursor. Queries are parted by an empty line.\nSecurityAlert\n| take 100\n';

export default function LogsPage() {
  const styles = useStyles();
  const { workspace } = useSession();
  const search = useSearch();
  const asked = useMemo(() => new URLSearchParams(search), [search]);
  const schema = useSchema();
  const catalogue = useCatalogue();
  const [text, setText] = useState(() => queryFromLink(asked.get('q')) ?? localStorage.getItem(stored) ?? first);
  const [range, setRange] = useState(() => asked.get('range') ?? '24h');
  const [result, setResult] = useState<QueryResult | null>(null);
  const [error, setError] = useState<ApiError | Error | null>(null);
  const [squiggles, setSquiggles] = useState<Squiggle[]>([]);
  const [running, setRunning] = useState<AbortController | null>(null);
  const [tab, setTab] = useState<'results' | 'chart'>('results');
  const [picked, setPicked] = useState<Cell[] | null>(null);
  const [tree, setTree] = useState(window.innerWidth > 1000);
  const [find, setFind] = useState('');
  const [said, setSaid] = useState('');
  const handle = useRef<EditorHandle | null>(null);
  const running1 = useRef<AbortController | null>(null);

  const run = useCallback(
    async (whole?: string) => {
      const q = whole != null ? { text: whole, line: 1, column: 1 } : await handle.current?.current();
      if (!q?.text.trim()) {
        setError(new Error('There is no query under the cursor: put the cursor into one.'));
        return;
      }
      running1.current?.abort();
      const stop = new AbortController();
      running1.current = stop;
      setRunning(stop);
      setError(null);
      setSquiggles([]);
      setPicked(null);
      setFind('');
      try {
        const r = await runQuery(workspace, q.text, rangeOf(range).timespan, stop.signal);
        if (running1.current !== stop) return;
        setResult(r);
        setTab(r.render && r.render.visualization !== 'table' ? 'chart' : 'results');
        setSaid(`${plural(r.table.rows.length, 'row')} in ${millis(r.millis)}`);
      } catch (e) {
        if (running1.current !== stop) return;
        if (e instanceof DOMException && e.name === 'AbortError') setError(new Error('Stopped.'));
        else {
          setError(e as Error);
          setResult(null);
          // Positions count from the query that ran; the editor's from its first line.
          setSquiggles(
            queryErrors(e as Error).flatMap((x) => (x.at ? [{ line: q.line + x.at.line - 1, column: x.at.line === 1 ? q.column + x.at.column - 1 : x.at.column, message: x.text }] : [])),
          );
        }
      }
      setRunning(null);
    },
    [workspace, range],
  );

  // A deep link with run=1 runs at once, and again when another such link is followed.
  const lastLink = useRef('');
  useEffect(() => {
    const q = queryFromLink(asked.get('q'));
    if (q == null || lastLink.current === search) return;
    lastLink.current = search;
    setText(q);
    if (asked.get('range')) setRange(asked.get('range')!);
    if (asked.get('run') === '1') void run(q);
  }, [asked, search, run]);
  useEffect(() => () => running1.current?.abort(), []);

  const change = useCallback((v: string) => {
    setText(v);
    setSquiggles([]);
    localStorage.setItem(stored, v);
  }, []);

  const drawing = useMemo(() => (result?.render ? draw(result.table, result.render) : null), [result]);
  const rows = useMemo(() => {
    if (!result || !find) return result?.table.rows ?? [];
    const f = find.toLowerCase();
    return result.table.rows.filter((r) => r.some((c) => cellText(c).toLowerCase().includes(f)));
  }, [result, find]);
  const name = 'query-' + new Date().toISOString().slice(0, 19).replaceAll(':', '');

  return (
    <Page
      title="Logs"
      subtitle={workspace.name}
      flush
      commands={
        <>
          <Button size="small" appearance="primary" icon={running ? <StopRegular /> : <PlayRegular />} onClick={() => (running ? running.abort() : void run())}>
            {running ? 'Stop' : 'Run'}
          </Button>
          <RangePicker value={range} onChange={setRange} />
          <Tooltip content="Tables" relationship="label">
            <Button size="small" appearance="subtle" icon={<TableRegular />} aria-pressed={tree} onClick={() => setTree(!tree)} />
          </Tooltip>
          <Button size="small" appearance="subtle" icon={<TextAlignLeftRegular />} onClick={() => handle.current?.format()}>
            Format
          </Button>
          <Button
            size="small"
            appearance="subtle"
            icon={<LinkRegular />}
            onClick={() => void navigator.clipboard.writeText(location.origin + logsLink(text, range)).then(() => setSaid('Link copied'))}
          >
            Copy link
          </Button>
          <Menu>
            <MenuTrigger disableButtonEnhancement>
              <Button size="small" appearance="subtle" icon={<ArrowDownloadRegular />} disabled={!result}>
                Export
              </Button>
            </MenuTrigger>
            <MenuPopover>
              <MenuList>
                <MenuItem onClick={() => result && saveAs(name + '.csv', new Blob([toCsv(result.table)], { type: 'text/csv' }))}>CSV</MenuItem>
                <MenuItem onClick={() => result && saveAs(name + '.json', new Blob([toJson(result.table)], { type: 'application/json' }))}>JSON</MenuItem>
              </MenuList>
            </MenuPopover>
          </Menu>
        </>
      }
    >
      <div className={mergeClasses(styles.frame, !tree && styles.wide)}>
        {tree && (
          <aside className={styles.side} aria-label="Schema">
            {schema.data ? (
              <SchemaTree schema={schema.data} insert={(t) => handle.current?.insert(t)} />
            ) : schema.isError ? (
              <div className={styles.pad}>
                <ErrorBox error={schema.error} retry={() => void schema.refetch()} title="The schema did not load" />
              </div>
            ) : (
              <Spinner size="tiny" label="Loading tables" className={styles.pad} />
            )}
          </aside>
        )}
        <div className={styles.work}>
          <div className={styles.editor}>
            <Suspense fallback={<Spinner label="Loading the editor" className={styles.pad} />}>
              <Editor value={text} onChange={change} onRun={() => void run()} schema={schema.data} workspace={workspace.name} catalogue={catalogue.data} squiggles={squiggles} handle={handle} />
            </Suspense>
          </div>
          <div className={styles.bar}>
            <TabList size="small" selectedValue={tab} onTabSelect={(_, d) => setTab(d.value as 'results')}>
              <Tab value="results">Results</Tab>
              <Tab value="chart" disabled={!result}>
                Chart
              </Tab>
            </TabList>
            <span className={styles.space} />
            {result && tab === 'results' && <Input size="small" placeholder="Find in results" aria-label="Find in results" value={find} onChange={(_, d) => setFind(d.value)} />}
            {running && <Spinner size="extra-tiny" label="Running" />}
            <Caption1 role="status">{find && result ? `${rows.length.toLocaleString()} of ${plural(result.table.rows.length, 'row')}` : said}</Caption1>
          </div>
          <div className={mergeClasses(styles.result, picked != null && tab === 'results' && styles.withDetail)}>
            {error ? (
              <div className={styles.pad}>
                <ErrorBox error={error} lines={squiggles.length ? squiggles.map((x) => `Line ${x.line}, column ${x.column}: ${x.message}`) : undefined} />
              </div>
            ) : !result ? (
              <EmptyState icon={<CalendarClockRegular />} title="Ask a question" text="Write a query and press Shift+Enter, or Run. Every table is on the left; a click on a column puts its name into the query." />
            ) : (
              <>
                <div style={{ minWidth: 0, minHeight: 0, display: 'grid', gridTemplateRows: result.partial ? 'auto minmax(0,1fr)' : 'minmax(0,1fr)' }}>
                  {result.partial && (
                    <MessageBar intent="warning">
                      <MessageBarBody>These are not all rows. {result.partial}</MessageBarBody>
                    </MessageBar>
                  )}
                  {tab === 'chart' ? (
                    <ChartPane drawing={drawing} />
                  ) : result.table.rows.length ? (
                    <DataGrid key={result.table.columns.map((c) => c.name).join()} columns={result.table.columns} rows={rows} label="Query results" picked={picked} onPick={setPicked} />
                  ) : (
                    <EmptyState title="No rows" text={`The query ran and found nothing in ${rangeOf(range).label.toLowerCase()}. Widen the time range if you expected some.`} />
                  )}
                </div>
                {picked && tab === 'results' && (
                  <aside className={styles.detail} aria-label="Row">
                    <div className={styles.detailHead}>
                      Row
                      <Button size="small" appearance="subtle" icon={<DismissRegular />} aria-label="Close the row" onClick={() => setPicked(null)} />
                    </div>
                    <dl className={styles.dl}>
                      {result.table.columns.map((c, i) => {
                        const t = pretty(picked[i] ?? null, c.type);
                        return t === '' ? null : (
                          <div key={i}>
                            <dt className={styles.dt}>{c.name}</dt>
                            <dd className={styles.dd}>
                              <RowValue text={t} />
                            </dd>
                          </div>
                        );
                      })}
                    </dl>
                  </aside>
                )}
              </>
            )}
          </div>
        </div>
      </div>
    </Page>
  );
}

function pretty(v: Cell, type: string): string {
  if (type === 'dynamic') {
    try {
      const o: unknown = typeof v === 'string' ? JSON.parse(v) : v;
      if (o && typeof o === 'object') return JSON.stringify(o, null, 2);
    } catch {
      // not JSON: as it is
    }
  }
  return cellText(v);
}

function ChartPane({ drawing }: { drawing: ReturnType<typeof draw> | null }) {
  const styles = useStyles();
  if (!drawing) return <EmptyState title="No chart" text="End the query with render, for example: | summarize count() by bin(TimeGenerated, 1h) | render timechart" />;
  if (drawing.kind === 'no') return <EmptyState title="No chart" text={drawing.why} />;
  if (drawing.kind === 'card')
    return (
      <div className={styles.cards}>
        {drawing.values.map((v) => (
          <div key={v.label} className={styles.card}>
            <div className={styles.big}>{v.value}</div>
            <Caption1>{v.label}</Caption1>
          </div>
        ))}
      </div>
    );
  return (
    <div className={styles.chart}>
      <Suspense fallback={<Spinner label="Loading the chart" />}>
        <Chart option={drawing.option} label={drawing.words} />
      </Suspense>
    </div>
  );
}

function RangePicker({ value, onChange }: { value: string; onChange: (v: string) => void }) {
  const styles = useStyles();
  const r = rangeOf(value);
  const [open, setOpen] = useState(false);
  const [from, setFrom] = useState('');
  const [to, setTo] = useState('');
  const custom = from && to ? `${from}Z/${to}Z` : '';
  const ok = custom !== '' && rangeOf(custom).key === custom;
  return (
    <>
      <Dropdown
        size="small"
        className={styles.range}
        aria-label="Time range"
        value={'Time range: ' + r.label}
        selectedOptions={[r.key]}
        onOptionSelect={(_, d) => d.optionValue && onChange(d.optionValue)}
      >
        {ranges.map((x) => (
          <Option key={x.key} value={x.key} text={x.label}>
            {x.label}
          </Option>
        ))}
      </Dropdown>
      <Popover open={open} onOpenChange={(_, d) => setOpen(d.open)} trapFocus>
        <PopoverTrigger disableButtonEnhancement>
          <Tooltip content="Custom time range" relationship="label">
            <Button size="small" appearance="subtle" icon={<CalendarClockRegular />} />
          </Tooltip>
        </PopoverTrigger>
        <PopoverSurface className={styles.custom} aria-label="Custom time range">
          <Field label="From (UTC)">
            <Input type="datetime-local" value={from} onChange={(_, d) => setFrom(d.value)} />
          </Field>
          <Field label="To (UTC)" validationMessage={from && to && !ok ? 'The end must be later than the start.' : undefined}>
            <Input type="datetime-local" value={to} onChange={(_, d) => setTo(d.value)} />
          </Field>
          <Button
            appearance="primary"
            disabled={!ok}
            onClick={() => {
              onChange(custom);
              setOpen(false);
            }}
          >
            Apply
          </Button>
          <Caption1>
            The range narrows what the query says itself; <FluentLink onClick={() => onChange('query')}>set in query</FluentLink> leaves it alone.
          </Caption1>
        </PopoverSurface>
      </Popover>
    </>
  );
}
