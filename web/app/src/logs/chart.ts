// From a result and its render statement to a chart, as the render operator's documentation says: x is the
// first column (of a timechart the first datetime), y are the numeric columns, a string column between them
// splits into series.
import type { EChartsCoreOption } from 'echarts/core';
import type { Cell, Column, Render, Table } from '../api/query';
import { cellText } from '../ui/format';

const numeric = new Set(['long', 'int', 'real', 'decimal', 'timespan']);

export interface Series {
  name: string;
  points: [Cell, number | null][];
}

export interface ChartData {
  x: Column;
  series: Series[];
}

export type Drawing = { kind: 'chart'; option: EChartsCoreOption; words: string } | { kind: 'card'; values: { label: string; value: string }[] } | { kind: 'no'; why: string };

const lineKinds = new Set(['timechart', 'linechart', 'areachart', 'stackedareachart', 'anomalychart']);

function list(v: string[] | string | undefined): string[] {
  if (!v) return [];
  return Array.isArray(v) ? v : v.split(',').map((s) => s.trim()).filter(Boolean);
}

/** Timespans come as text, [-][d.]hh:mm:ss[.fffffff]; charts draw them in seconds. */
export function number(v: Cell, type: string): number | null {
  if (v == null || v === '') return null;
  if (type === 'timespan') {
    const m = /^(-)?(?:(\d+)\.)?(\d+):(\d+):(\d+(?:\.\d+)?)$/.exec(String(v));
    if (!m) return null;
    const s = Number(m[2] ?? 0) * 86400 + Number(m[3]) * 3600 + Number(m[4]) * 60 + Number(m[5]);
    return m[1] ? -s : s;
  }
  const n = Number(v);
  return Number.isFinite(n) ? n : null;
}

export function chartData(t: Table, r: Render): ChartData | string {
  const cols = t.columns;
  const index = (name: string) => cols.findIndex((c) => c.name === name);
  let xi = r.xcolumn ? index(r.xcolumn) : -1;
  if (xi < 0) {
    const time = cols.findIndex((c) => c.type === 'datetime');
    const wantsTime = r.visualization === 'timechart' || r.visualization === 'anomalychart';
    xi = wantsTime && time >= 0 ? time : r.visualization === 'scatterchart' ? cols.findIndex((c) => numeric.has(c.type) || c.type === 'datetime') : cols.findIndex((c) => !numeric.has(c.type));
    if (xi < 0) xi = 0;
  }
  const x = cols[xi];
  if (!x) return 'The result has no columns.';
  const named = list(r.ycolumns).map(index).filter((i) => i >= 0);
  const ys = named.length ? named : cols.flatMap((c, i) => (i !== xi && numeric.has(c.type) ? [i] : []));
  if (!ys.length) return 'A chart needs a column of numbers beside ' + x.name + '.';
  const namedSeries = list(r.series).map(index).filter((i) => i >= 0);
  const splits = namedSeries.length ? namedSeries : cols.flatMap((c, i) => (i !== xi && !ys.includes(i) && !numeric.has(c.type) && c.type !== 'datetime' && c.type !== 'dynamic' ? [i] : []));
  const out = new Map<string, Series>();
  for (const row of t.rows) {
    const group = splits.map((i) => cellText(row[i]) || '<empty>').join(', ');
    for (const y of ys) {
      const yName = cols[y]!.name;
      const name = !splits.length ? yName : ys.length > 1 ? `${group}: ${yName}` : group;
      let s = out.get(name);
      if (!s) out.set(name, (s = { name, points: [] }));
      s.points.push([row[xi] ?? null, number(row[y] ?? null, cols[y]!.type)]);
    }
  }
  return { x, series: [...out.values()] };
}

const maxSeries = 100;

export function draw(t: Table, r: Render): Drawing {
  const kind = r.visualization ?? 'table';
  if (!t.rows.length) return { kind: 'no', why: 'There are no rows to draw.' };
  if (kind === 'card') {
    return { kind: 'card', values: t.columns.map((c, i) => ({ label: c.name, value: cellText(t.rows[0]?.[i]) })) };
  }
  if (kind === 'treemap') return treemap(t, r);
  if (!lineKinds.has(kind) && !['columnchart', 'barchart', 'piechart', 'scatterchart'].includes(kind)) {
    return { kind: 'no', why: `The page does not draw ${kind}; the rows are under Results.` };
  }
  const d = chartData(t, r);
  if (typeof d === 'string') return { kind: 'no', why: d };
  if (d.series.length > maxSeries) return { kind: 'no', why: `${d.series.length} series are more than ${maxSeries}: summarize by fewer values.` };
  const words = `${kind} of ${d.series.map((s) => s.name).slice(0, 10).join(', ')} by ${d.x.name}`;
  const title = r.title ? { text: r.title, left: 'center', textStyle: { fontSize: 13 } } : undefined;
  const legend = r.legend === 'hidden' ? undefined : { type: 'scroll', bottom: 0 };
  const base = { title, legend, tooltip: { trigger: 'axis', confine: true }, grid: { left: 12, right: 24, top: r.title ? 40 : 20, bottom: 36, containLabel: true } };
  if (kind === 'piechart') {
    const s = d.series.length === 1 ? d.series[0]!.points.map(([x, y]) => ({ name: cellText(x) || '<empty>', value: y ?? 0 })) : d.series.map((s) => ({ name: s.name, value: s.points.reduce((n, p) => n + (p[1] ?? 0), 0) }));
    return { kind: 'chart', words, option: { title, legend, tooltip: { trigger: 'item', confine: true }, series: [{ type: 'pie', radius: ['35%', '70%'], data: s, label: { formatter: '{b}: {d}%' } }] } };
  }
  const time = d.x.type === 'datetime';
  const value = numeric.has(d.x.type);
  const xOf = (c: Cell): Cell => (time ? cellText(c) : value ? number(c, d.x.type) : cellText(c) || '<empty>');
  const y = { type: 'value', name: r.ytitle };
  if (kind === 'scatterchart') {
    return { kind: 'chart', words, option: { ...base, tooltip: { trigger: 'item', confine: true }, xAxis: { type: time ? 'time' : value ? 'value' : 'category', name: r.xtitle, scale: true }, yAxis: { ...y, scale: true }, series: d.series.map((s) => ({ type: 'scatter', name: s.name, symbolSize: 7, data: s.points.map(([a, b]) => [xOf(a), b]) })) } };
  }
  if (lineKinds.has(kind)) {
    const area = kind.endsWith('areachart');
    return {
      kind: 'chart',
      words,
      option: {
        ...base,
        xAxis: { type: time ? 'time' : value ? 'value' : 'category', name: r.xtitle, scale: true },
        yAxis: y,
        dataZoom: [{ type: 'inside' }],
        series: d.series.map((s) => {
          const data = s.points.map(([a, b]) => [xOf(a), b] as [Cell, number | null]);
          if (time || value) data.sort((p, q) => (time ? Date.parse(String(p[0])) - Date.parse(String(q[0])) : Number(p[0]) - Number(q[0])));
          return { type: 'line', name: s.name, showSymbol: data.length < 60, sampling: 'lttb', areaStyle: area ? { opacity: 0.35 } : undefined, stack: kind === 'stackedareachart' || r.kind === 'stacked' ? 'all' : undefined, data };
        }),
      },
    };
  }
  // Bars and columns: categories in order of appearance.
  const cats = [...new Set(d.series.flatMap((s) => s.points.map((p) => cellText(p[0]) || '<empty>')))];
  const category = { type: 'category', data: cats, name: r.xtitle, axisLabel: { hideOverlap: true } };
  const flat = kind === 'barchart';
  const stacked = r.kind !== 'unstacked' && d.series.length > 1;
  return {
    kind: 'chart',
    words,
    option: {
      ...base,
      xAxis: flat ? y : category,
      yAxis: flat ? { ...category, inverse: true } : y,
      series: d.series.map((s) => {
        const at = new Map(s.points.map(([a, b]) => [cellText(a) || '<empty>', b]));
        return { type: 'bar', name: s.name, stack: stacked ? 'all' : undefined, barMaxWidth: 48, data: cats.map((c) => at.get(c) ?? null) };
      }),
    },
  };
}

function treemap(t: Table, r: Render): Drawing {
  const d = chartData(t, { ...r, series: undefined });
  if (typeof d === 'string') return { kind: 'no', why: d };
  const total = new Map<string, number>();
  for (const s of d.series) for (const [x, y] of s.points) total.set(cellText(x) || '<empty>', (total.get(cellText(x) || '<empty>') ?? 0) + (y ?? 0));
  return { kind: 'chart', words: 'treemap by ' + d.x.name, option: { tooltip: { confine: true }, series: [{ type: 'treemap', roam: false, breadcrumb: { show: false }, data: [...total].map(([name, value]) => ({ name, value })) }] } };
}
