import { makeStyles, mergeClasses, tokens } from '@fluentui/react-components';
import { ArrowDownRegular, ArrowUpRegular } from '@fluentui/react-icons';
import { useVirtualizer } from '@tanstack/react-virtual';
import { useId, useMemo, useRef, useState, type KeyboardEvent, type PointerEvent } from 'react';
import type { Cell, Column } from '../api/query';
import { cellText } from './format';

const rowHeight = 28;

const useStyles = makeStyles({
  grid: { height: '100%', overflow: 'auto', fontSize: '12px', outlineOffset: '-2px', position: 'relative', contain: 'strict' },
  head: {
    position: 'sticky',
    top: 0,
    display: 'flex',
    height: '32px',
    zIndex: 2,
    backgroundColor: tokens.colorNeutralBackground3,
    borderBottom: `1px solid ${tokens.colorNeutralStroke1}`,
    fontWeight: 600,
  },
  row: { position: 'absolute', left: 0, display: 'flex', height: `${rowHeight}px`, borderBottom: `1px solid ${tokens.colorNeutralStroke3}`, ':hover': { backgroundColor: tokens.colorSubtleBackgroundHover } },
  selected: { backgroundColor: tokens.colorNeutralBackground1Selected },
  cell: { padding: '0 8px', overflow: 'hidden', textOverflow: 'ellipsis', whiteSpace: 'nowrap', lineHeight: `${rowHeight}px`, flexShrink: 0, boxSizing: 'border-box' },
  headCell: { position: 'relative', lineHeight: '32px', cursor: 'pointer', userSelect: 'none', display: 'flex', gap: '4px', alignItems: 'center' },
  number: { textAlign: 'right', fontVariantNumeric: 'tabular-nums' },
  mono: { fontFamily: tokens.fontFamilyMonospace },
  active: { outline: `2px solid ${tokens.colorStrokeFocus2}`, outlineOffset: '-2px' },
  grip: { position: 'absolute', right: 0, top: 0, width: '7px', height: '100%', cursor: 'col-resize', ':hover': { borderRight: `2px solid ${tokens.colorBrandStroke1}` } },
  type: { color: tokens.colorNeutralForeground3, fontWeight: 400 },
});

const numeric = new Set(['long', 'int', 'real', 'decimal']);

function compare(a: Cell, b: Cell, type: string): number {
  if (a == null || a === '') return b == null || b === '' ? 0 : 1;
  if (b == null || b === '') return -1;
  if (numeric.has(type)) return Number(a) - Number(b);
  const x = cellText(a);
  const y = cellText(b);
  return x < y ? -1 : x > y ? 1 : 0;
}

function startWidths(columns: Column[], rows: Cell[][]): number[] {
  return columns.map((c, i) => {
    let chars = c.name.length + 3;
    for (let r = 0; r < Math.min(rows.length, 40); r++) chars = Math.max(chars, Math.min(cellText(rows[r]?.[i]).length, 60));
    return Math.min(Math.max(chars * 7 + 20, 70), 420);
  });
}

/**
 * A grid for results of any size: only the rows in view are drawn. One tab stop; the arrows, Home, End and the
 * page keys move the active cell, Enter picks its row, Ctrl+C copies it.
 */
export function DataGrid({
  columns,
  rows,
  label,
  picked,
  onPick,
}: {
  columns: Column[];
  rows: Cell[][];
  label: string;
  picked?: Cell[] | null;
  onPick?: (row: Cell[]) => void;
}) {
  const styles = useStyles();
  const id = useId();
  const scroller = useRef<HTMLDivElement>(null);
  const [sort, setSort] = useState<{ col: number; desc: boolean } | null>(null);
  const [active, setActive] = useState<{ r: number; c: number }>({ r: 0, c: 0 });
  const [widths, setWidths] = useState<number[]>(() => startWidths(columns, rows));
  const sorted = useMemo(() => {
    if (!sort) return rows;
    const type = columns[sort.col]?.type ?? 'string';
    const sign = sort.desc ? -1 : 1;
    return [...rows].sort((a, b) => sign * compare(a[sort.col] ?? null, b[sort.col] ?? null, type));
  }, [rows, sort, columns]);
  const virtual = useVirtualizer({ count: sorted.length, getScrollElement: () => scroller.current, estimateSize: () => rowHeight, overscan: 8, scrollPaddingStart: 32 });
  const total = widths.reduce((a, b) => a + b, 0);

  const move = (r: number, c: number) => {
    const next = { r: Math.min(Math.max(r, 0), sorted.length - 1), c: Math.min(Math.max(c, 0), columns.length - 1) };
    setActive(next);
    virtual.scrollToIndex(next.r);
    const box = scroller.current;
    if (box) {
      const left = widths.slice(0, next.c).reduce((a, b) => a + b, 0);
      const right = left + (widths[next.c] ?? 0);
      if (left < box.scrollLeft) box.scrollLeft = left;
      else if (right > box.scrollLeft + box.clientWidth) box.scrollLeft = right - box.clientWidth;
    }
  };
  const page = () => Math.max(1, Math.floor((scroller.current?.clientHeight ?? 300) / rowHeight) - 2);
  const key = (e: KeyboardEvent) => {
    const { r, c } = active;
    const moves: Record<string, [number, number]> = {
      ArrowDown: [r + 1, c],
      ArrowUp: [r - 1, c],
      ArrowRight: [r, c + 1],
      ArrowLeft: [r, c - 1],
      PageDown: [r + page(), c],
      PageUp: [r - page(), c],
      Home: e.ctrlKey ? [0, 0] : [r, 0],
      End: e.ctrlKey ? [sorted.length - 1, columns.length - 1] : [r, columns.length - 1],
    };
    const m = moves[e.key];
    if (m) move(...m);
    else if (e.key === 'Enter' || e.key === ' ') {
      const row = sorted[r];
      if (row) onPick?.(row);
    } else if (e.key === 'c' && (e.ctrlKey || e.metaKey) && !getSelection()?.toString()) void navigator.clipboard.writeText(cellText(sorted[r]?.[c]));
    else return;
    e.preventDefault();
  };
  const resize = (col: number) => (e: PointerEvent<HTMLSpanElement>) => {
    e.stopPropagation();
    const from = e.clientX;
    const began = widths[col] ?? 100;
    const el = e.currentTarget;
    el.setPointerCapture(e.pointerId);
    el.onpointermove = (m) => setWidths((w) => w.map((x, i) => (i === col ? Math.max(40, began + m.clientX - from) : x)));
    el.onpointerup = () => {
      el.onpointermove = null;
      el.onpointerup = null;
    };
  };
  const sortBy = (col: number) => setSort((s) => (s?.col !== col ? { col, desc: false } : s.desc ? null : { col, desc: true }));

  return (
    <div
      ref={scroller}
      className={styles.grid}
      role="grid"
      aria-label={label}
      aria-rowcount={sorted.length + 1}
      aria-colcount={columns.length}
      aria-activedescendant={sorted.length ? `${id}-${active.r}-${active.c}` : undefined}
      tabIndex={0}
      onKeyDown={key}
    >
      <div className={styles.head} role="row" aria-rowindex={1} style={{ width: total }}>
        {columns.map((c, i) => (
          <div
            key={i}
            role="columnheader"
            aria-colindex={i + 1}
            aria-sort={sort?.col === i ? (sort.desc ? 'descending' : 'ascending') : 'none'}
            className={mergeClasses(styles.cell, styles.headCell)}
            style={{ width: widths[i] }}
            title={`${c.name}: ${c.type}${c.type === 'datetime' ? ' [UTC]' : ''}`}
            onClick={() => sortBy(i)}
          >
            <span style={{ overflow: 'hidden', textOverflow: 'ellipsis' }}>
              {c.name}
              {c.type === 'datetime' && <span className={styles.type}> [UTC]</span>}
            </span>
            {sort?.col === i && (sort.desc ? <ArrowDownRegular /> : <ArrowUpRegular />)}
            <span className={styles.grip} onPointerDown={resize(i)} onClick={(e) => e.stopPropagation()} aria-hidden />
          </div>
        ))}
      </div>
      <div role="rowgroup" style={{ height: virtual.getTotalSize(), position: 'relative', width: total }}>
        {virtual.getVirtualItems().map((v) => {
          const row = sorted[v.index]!;
          return (
            <div
              key={v.key}
              role="row"
              aria-rowindex={v.index + 2}
              aria-selected={picked === row}
              className={mergeClasses(styles.row, picked === row && styles.selected)}
              style={{ transform: `translateY(${v.start}px)`, width: total }}
            >
              {columns.map((c, i) => (
                <div
                  key={i}
                  id={`${id}-${v.index}-${i}`}
                  role="gridcell"
                  aria-colindex={i + 1}
                  className={mergeClasses(
                    styles.cell,
                    numeric.has(c.type) && styles.number,
                    c.type === 'dynamic' && styles.mono,
                    active.r === v.index && active.c === i && styles.active,
                  )}
                  style={{ width: widths[i] }}
                  onClick={() => {
                    setActive({ r: v.index, c: i });
                    if (!getSelection()?.toString()) onPick?.(row);
                  }}
                >
                  {gridText(row[i] ?? null, c.type)}
                </div>
              ))}
            </div>
          );
        })}
      </div>
    </div>
  );
}

/** Datetimes lose their T, Z and empty fraction; everything else is as the service prints it. */
function gridText(v: Cell, type: string): string {
  const t = cellText(v);
  if (type === 'datetime') return t.replace('T', ' ').replace(/\.0+Z$/, '').replace(/(\.\d*?)0*Z$/, '$1').replace(/Z$/, '');
  return t.length > 1000 ? t.slice(0, 1000) + '…' : t;
}
