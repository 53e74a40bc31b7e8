import { describe, expect, test } from 'vitest';
import { ApiError, readError } from '../api/client';
import { errorPosition, parseExact, queryErrors, type Table } from '../api/query';
import { chartData, draw, number } from './chart';
import { completionFilter } from './completion';
import { toCsv, toJson } from './export';
import { logsLink, queryFromLink, rangeOf } from './timerange';

const t = (columns: [string, string][], rows: Table['rows']): Table => ({ name: 'PrimaryResult', columns: columns.map(([name, type]) => ({ name, type })), rows });

describe('export', () => {
  const table = t(
    [
      ['Name', 'string'],
      ['n', 'long'],
      ['bag', 'dynamic'],
    ],
    [
      ['=cmd|calc', -3, '{"a":1}'],
      ['say "hi", twice', null, null],
    ],
  );
  test('CSV quotes and neutralises what a spreadsheet would run, numbers stay', () => {
    expect(toCsv(table)).toBe('Name,n,bag\r\n\'=cmd|calc,-3,"{""a"":1}"\r\n"say ""hi"", twice",,\r\n');
  });
  test('JSON opens dynamic cells', () => {
    expect(JSON.parse(toJson(table))).toEqual([
      { Name: '=cmd|calc', n: -3, bag: { a: 1 } },
      { Name: 'say "hi", twice', n: null, bag: null },
    ]);
  });
});

describe('chart', () => {
  const table = t(
    [
      ['Computer', 'string'],
      ['TimeGenerated', 'datetime'],
      ['count_', 'long'],
    ],
    [
      ['A', '2026-01-02T00:00:00Z', 2],
      ['B', '2026-01-01T00:00:00Z', 3],
      ['A', '2026-01-01T00:00:00Z', 1],
    ],
  );
  test('a timechart takes the first datetime as x and splits by the string column', () => {
    const d = chartData(table, { visualization: 'timechart' });
    if (typeof d === 'string') throw new Error(d);
    expect(d.x.name).toBe('TimeGenerated');
    expect(d.series.map((s) => [s.name, s.points.length])).toEqual([
      ['A', 2],
      ['B', 1],
    ]);
  });
  test('lines are sorted by time', () => {
    const d = draw(table, { visualization: 'timechart' });
    if (d.kind !== 'chart') throw new Error('no chart');
    const s = (d.option as { series: { name: string; data: [string, number][] }[] }).series[0]!;
    expect(s.data.map((p) => p[1])).toEqual([1, 2]);
  });
  test('named columns win', () => {
    const d = chartData(table, { visualization: 'columnchart', xcolumn: 'TimeGenerated', ycolumns: 'count_', series: 'Computer' });
    if (typeof d === 'string') throw new Error(d);
    expect(d.x.name).toBe('TimeGenerated');
  });
  test('what cannot be drawn says why', () => {
    expect(draw(table, { visualization: 'ladderchart' })).toMatchObject({ kind: 'no' });
    expect(draw(t([['a', 'string']], [['x']]), { visualization: 'piechart' })).toEqual({ kind: 'no', why: 'A chart needs a column of numbers beside a.' });
    expect(draw(t([['a', 'string']], []), { visualization: 'piechart' })).toMatchObject({ kind: 'no' });
  });
  test('timespans are seconds', () => {
    expect(number('1.02:03:04.5000000', 'timespan')).toBe(93784.5);
    expect(number('-00:00:01', 'timespan')).toBe(-1);
    expect(number('', 'real')).toBe(null);
  });
});

test('completion leaves out what the engine lacks, never columns and tables', () => {
  const keep = completionFilter({ missing: ['sumif', 'make-graph'] });
  expect(keep({ label: 'sumif(expr, predicate)', kind: 5 })).toBe(false);
  expect(keep({ label: 'summarize', kind: 2 })).toBe(true);
  expect(keep({ label: 'sumif', kind: 3 })).toBe(true); // a column of that name
  expect(keep({ label: 'make-graph', kind: 2 })).toBe(false);
  expect(completionFilter(undefined)({ label: 'sumif', kind: 5 })).toBe(true);
});

test('a link carries any query', () => {
  const q = 'T\n| where a == "é ∑ 🙂" and b contains "+/="';
  const link = new URL(logsLink(q, '7d'), 'https://x');
  expect(queryFromLink(link.searchParams.get('q'))).toBe(q);
  expect(link.searchParams.get('range')).toBe('7d');
  expect(queryFromLink('%%%')).toBe(null);
  expect(queryFromLink(null)).toBe(null);
});

test('time ranges', () => {
  expect(rangeOf('7d').timespan).toBe('P7D');
  expect(rangeOf('2026-01-01T00:00Z/2026-01-02T00:00Z').timespan).toBe('2026-01-01T00:00:00.000Z/2026-01-02T00:00:00.000Z');
  expect(rangeOf('2026-01-02T00:00Z/2026-01-01T00:00Z').key).toBe('24h'); // backwards is none
  expect(rangeOf('rubbish').key).toBe('24h');
});

test('the innermost error speaks, with its place', () => {
  const e = readError(400, { error: { code: 'BadArgumentError', message: 'outer', innererror: { code: 'SemanticError', message: 'middle', innererror: { code: 'SEM0100', message: 'no such column', line: 2, pos: 9 } } } }, '');
  expect([e.code, e.message, errorPosition(e)]).toEqual(['SEM0100', 'no such column', { line: 2, column: 9 }]);
  expect(errorPosition(new ApiError(400, 'x', 'rule "r": bad (line 3, column 4)'))).toEqual({ line: 3, column: 4 });
  expect(errorPosition(new ApiError(400, 'x', 'bad'))).toBe(null);
});

test('several errors are told apart', () => {
  expect(queryErrors(new ApiError(400, 'SEM0100', "1:1: SEM0100: the name 'X' is unknown\n2:9: no such column"))).toEqual([
    { text: "the name 'X' is unknown", at: { line: 1, column: 1 } },
    { text: 'no such column', at: { line: 2, column: 9 } },
  ]);
});

test('64-bit integers keep their last digits', () => {
  expect(parseExact('{"rows":[[9007199254740993,1.5,12]]}')).toEqual({ rows: [['9007199254740993', 1.5, 12]] });
  expect(parseExact('{"rows":[[-9223372036854775808,1.12345678901234567,"a \\" 9007199254740993 b"]]}')).toEqual({ rows: [['-9223372036854775808', 1.1234567890123457, 'a " 9007199254740993 b']] });
  expect(parseExact('{"rows":[["9007199254740993"]]}')).toEqual({ rows: [['9007199254740993']] });
});
