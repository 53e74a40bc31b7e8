import { Button, Spinner, Tooltip, makeStyles, mergeClasses, tokens } from '@fluentui/react-components';
import { AddRegular, ChevronDownRegular, ChevronRightRegular, SubtractRegular } from '@fluentui/react-icons';
import { useMemo, useRef, useState, type KeyboardEvent, type PointerEvent, type ReactNode } from 'react';
import { millis, plural } from '../../ui/format';
import { cardHeight, cardWidth, headHeight, laneHead, layoutArea, type Area, type Edge, type Placed } from './layout';
import { closedAtFirst, isLoop, kindOf, shown, toneOf, walk, type Flow, type FlowNode } from './model';
import { Pager } from './Pager';
import { StatusMark } from './StatusMark';

const useStyles = makeStyles({
  box: { display: 'grid', gridTemplateRows: 'auto minmax(0, 1fr)', minHeight: 0, minWidth: 0, height: '100%' },
  bar: { display: 'flex', gap: '4px', alignItems: 'center', flexWrap: 'wrap', padding: '6px 8px', borderBottom: `1px solid ${tokens.colorNeutralStroke2}`, fontSize: '12px', color: tokens.colorNeutralForeground2 },
  gap: { flexGrow: 1 },
  view: {
    overflow: 'auto',
    backgroundColor: tokens.colorNeutralBackground3,
    backgroundImage: `radial-gradient(${tokens.colorNeutralStroke2} 1px, transparent 1px)`,
    backgroundSize: '20px 20px',
    minHeight: 0,
  },
  sheet: { position: 'relative', margin: '0 auto' },
  list: { listStyleType: 'none', margin: 0, padding: 0 },
  lines: { position: 'absolute', inset: 0, pointerEvents: 'none', overflow: 'visible' },
  line: { fill: 'none', stroke: tokens.colorNeutralForeground4, strokeWidth: 1.5 },
  marked: { strokeDasharray: '5 4', stroke: tokens.colorPaletteDarkOrangeForeground1 },
  arrow: { fill: tokens.colorNeutralForeground4 },
  mark: {
    position: 'absolute',
    transform: 'translate(-50%, -50%)',
    fontSize: '11px',
    lineHeight: '16px',
    padding: '0 6px',
    borderRadius: '8px',
    whiteSpace: 'nowrap',
    backgroundColor: tokens.colorNeutralBackground1,
    color: tokens.colorNeutralForeground1,
    border: `1px dashed ${tokens.colorPaletteDarkOrangeForeground1}`,
    zIndex: 1,
  },
  card: {
    position: 'absolute',
    boxSizing: 'border-box',
    display: 'grid',
    gridTemplateColumns: 'minmax(0, 1fr) auto',
    alignItems: 'center',
    columnGap: '8px',
    padding: '0 10px 0 12px',
    textAlign: 'left',
    font: 'inherit',
    color: tokens.colorNeutralForeground1,
    backgroundColor: tokens.colorNeutralBackground1,
    border: `1px solid ${tokens.colorNeutralStroke1}`,
    borderLeftWidth: '4px',
    borderRadius: '4px',
    boxShadow: tokens.shadow2,
    cursor: 'pointer',
    ':hover': { backgroundColor: tokens.colorNeutralBackground1Hover },
  },
  picked: { outline: `2px solid ${tokens.colorBrandStroke1}`, outlineOffset: '1px' },
  idle: { borderTopStyle: 'dashed', borderRightStyle: 'dashed', borderBottomStyle: 'dashed', boxShadow: 'none' },
  words: { minWidth: 0, display: 'grid' },
  kind: { fontSize: '11px', color: tokens.colorNeutralForeground3, overflow: 'hidden', textOverflow: 'ellipsis', whiteSpace: 'nowrap' },
  name: { fontSize: '13px', fontWeight: 600, overflow: 'hidden', textOverflow: 'ellipsis', whiteSpace: 'nowrap' },
  state: { display: 'grid', justifyItems: 'end', fontSize: '11px', color: tokens.colorNeutralForeground3, gap: '1px' },
  container: { position: 'absolute', boxSizing: 'border-box', border: `1px solid ${tokens.colorNeutralStroke1}`, borderRadius: '6px', backgroundColor: tokens.colorNeutralBackground2 },
  head: { position: 'absolute', left: 0, right: 0, top: 0, display: 'flex', alignItems: 'center' },
  headCard: { position: 'relative', width: '100%', height: `${headHeight}px`, boxShadow: 'none', paddingLeft: '40px', borderTopWidth: 0, borderRightWidth: 0, borderRadius: '5px 5px 0 0', borderBottomColor: tokens.colorNeutralStroke2 },
  fold: { position: 'absolute', left: '8px', minWidth: 0, zIndex: 1 },
  turns: { position: 'absolute', left: 0, right: 0, display: 'flex', justifyContent: 'center' },
  lane: { position: 'absolute', fontSize: '12px', color: tokens.colorNeutralForeground2, textAlign: 'center', fontWeight: 600, overflow: 'hidden', textOverflow: 'ellipsis', whiteSpace: 'nowrap', margin: 0 },
  empty: { position: 'absolute', fontSize: '12px', color: tokens.colorNeutralForeground3, textAlign: 'center', margin: 0 },
});

/** How an action fared, as far as a card shows it. */
export interface CardState {
  status: string;
  ms?: number;
  /** Turns of a loop. */
  turns?: number;
}

export interface FlowViewProps {
  flow: Flow;
  /** In a run: the state of an action, given the loops around it; undefined where it has not begun. */
  state?: (n: FlowNode, loops: FlowNode[]) => CardState | undefined;
  trigger?: CardState;
  turns?: Readonly<Record<string, number>>;
  setTurn?: (loop: string, n: number) => void;
  picked: string;
  pick: (name: string) => void;
  /** What stands beside the zoom buttons. */
  extra?: ReactNode;
  busy?: boolean;
}

const zooms = [0.4, 0.55, 0.7, 0.85, 1, 1.25, 1.5];
const margin = 24;
const triggerGap = 46;

/** The name by which a trigger is picked; action names can't hold a colon. */
export const triggerKey = (name: string) => 'trigger:' + name;

export function FlowView(props: FlowViewProps) {
  const styles = useStyles();
  const { flow, extra, busy } = props;
  const [closed, setClosed] = useState<ReadonlySet<string>>(() => closedAtFirst(flow.nodes));
  const [zoom, setZoom] = useState(1);
  const view = useRef<HTMLDivElement>(null);
  const area = useMemo(() => layoutArea(flow.nodes, closed), [flow, closed]);
  const { containers, loops, count } = useMemo(() => {
    const containers: string[] = [];
    const loops = new Map<string, FlowNode[]>();
    let count = 0;
    walk(flow.nodes, (n, around) => {
      count++;
      loops.set(n.name, around);
      if (n.lanes) containers.push(n.name);
    });
    return { containers, loops, count };
  }, [flow]);
  const triggers = flow.triggers;
  const topWidth = triggers.length * cardWidth + Math.max(0, triggers.length - 1) * 26;
  const width = Math.max(area.w, topWidth) + 2 * margin;
  const top = triggers.length ? cardHeight + triggerGap : 0;
  const height = top + area.h + 2 * margin;
  const dx = (width - area.w) / 2;
  const firsts = area.nodes.filter((p) => !area.edges.some((e) => e.to === p.node.name));
  const starts: Edge[] = triggers.flatMap((t, i) =>
    firsts.map((p): Edge => ({ from: t.name, to: p.node.name, marks: [], points: [[(width - topWidth) / 2 + i * (cardWidth + 26) + cardWidth / 2, margin + cardHeight], [dx + p.x + p.w / 2, margin + top]] })),
  );
  const fold = (name: string) => {
    const next = new Set(closed);
    if (!next.delete(name)) next.add(name);
    setClosed(next);
  };
  const step = (by: number) => setZoom(zooms[Math.min(zooms.length - 1, Math.max(0, zooms.indexOf(zoom) + by))]!);
  const fit = () => {
    const el = view.current!;
    const z = Math.min(el.clientWidth / width, el.clientHeight / height);
    setZoom([...zooms].reverse().find((x) => x <= Math.min(z, 1)) ?? zooms[0]!);
    el.scrollTo(0, 0);
  };
  const drag = useRef<{ x: number; y: number; left: number; top: number } | null>(null);
  const ctx: Ctx = { ...props, closed, fold, around: (n) => loops.get(n) ?? [] };
  return (
    <div className={styles.box}>
      <div className={styles.bar} role="toolbar" aria-label="Drawing">
        <Tooltip content="Smaller" relationship="label">
          <Button size="small" appearance="subtle" icon={<SubtractRegular />} disabled={zoom === zooms[0]} onClick={() => step(-1)} />
        </Tooltip>
        <span aria-live="polite">{Math.round(zoom * 100)} %</span>
        <Tooltip content="Larger" relationship="label">
          <Button size="small" appearance="subtle" icon={<AddRegular />} disabled={zoom === zooms.at(-1)} onClick={() => step(1)} />
        </Tooltip>
        <Button size="small" appearance="subtle" onClick={fit}>
          Fit
        </Button>
        {containers.length > 0 && (
          <>
            <Button size="small" appearance="subtle" disabled={!closed.size} onClick={() => setClosed(new Set())}>
              Open all
            </Button>
            <Button size="small" appearance="subtle" disabled={closed.size === containers.length} onClick={() => setClosed(new Set(containers))}>
              Close all
            </Button>
          </>
        )}
        <span>{plural(count, 'action')}</span>
        {busy && <Spinner size="extra-tiny" aria-label="Loading" />}
        <span className={styles.gap} />
        {extra}
      </div>
      <div
        ref={view}
        className={styles.view}
        role="region"
        aria-label="Workflow"
        tabIndex={0}
        onKeyDown={moveFocus}
        onPointerDown={(e: PointerEvent<HTMLDivElement>) => {
          if (e.button !== 0 || (e.target as HTMLElement).closest('button, a, input')) return;
          const el = e.currentTarget;
          if (e.nativeEvent.offsetX > el.clientWidth && e.target === el) return; // the scroll bar's own
          drag.current = { x: e.clientX, y: e.clientY, left: el.scrollLeft, top: el.scrollTop };
        }}
        onPointerMove={(e) => {
          if (drag.current) e.currentTarget.scrollTo(drag.current.left + drag.current.x - e.clientX, drag.current.top + drag.current.y - e.clientY);
        }}
        onPointerUp={() => (drag.current = null)}
        onPointerLeave={() => (drag.current = null)}
      >
        <div className={styles.sheet} style={{ width: width * zoom, height: height * zoom }}>
          <div style={{ width, height, transform: `scale(${zoom})`, transformOrigin: '0 0', position: 'relative' }}>
            <Lines edges={starts} />
            <ul className={styles.list} aria-label="Triggers">
              {triggers.map((t, i) => (
                <li key={t.name}>
                  <CardButton
                    kind={`Trigger: ${kindOf(t)}`}
                    name={t.name}
                    title={t.detail}
                    tone={toneOf(t)}
                    at={{ left: (width - topWidth) / 2 + i * (cardWidth + 26), top: margin, width: cardWidth, height: cardHeight }}
                    state={props.trigger}
                    run={props.state != null}
                    picked={props.picked === triggerKey(t.name)}
                    pick={() => props.pick(triggerKey(t.name))}
                  />
                </li>
              ))}
            </ul>
            <AreaView area={area} x={dx} y={margin + top} ctx={ctx} label="Actions" />
          </div>
        </div>
      </div>
    </div>
  );
}

interface Ctx extends FlowViewProps {
  closed: ReadonlySet<string>;
  fold: (name: string) => void;
  around: (name: string) => FlowNode[];
}

/** Arrow keys go from card to card in the order of running. */
function moveFocus(e: KeyboardEvent<HTMLDivElement>) {
  const by = e.key === 'ArrowDown' ? 1 : e.key === 'ArrowUp' ? -1 : 0;
  const from = (e.target as HTMLElement).closest<HTMLElement>('[data-card]');
  if (!by || !from) return;
  const all = [...e.currentTarget.querySelectorAll<HTMLElement>('[data-card]')];
  const to = all[all.indexOf(from) + by];
  if (to) {
    e.preventDefault();
    to.focus();
  }
}

function AreaView({ area, x, y, ctx, label }: { area: Area; x: number; y: number; ctx: Ctx; label: string }) {
  const styles = useStyles();
  return (
    <div style={{ position: 'absolute', left: x, top: y, width: area.w, height: area.h }}>
      <Lines edges={area.edges} />
      {area.edges.filter((e) => e.marks.length).map((e) => {
        const [px, py] = e.points.at(-1)!;
        return (
          <span key={e.from + '>' + e.to} className={styles.mark} style={{ left: px + lean(e, area.edges), top: py - 18 }} aria-hidden>
            {e.marks.map(shownStatus).join(', ')}
          </span>
        );
      })}
      <ul className={styles.list} aria-label={label}>
        {area.nodes.map((p) => (
          <li key={p.node.name}>{p.lanes.length ? <Container of={p} ctx={ctx} /> : <Card of={p} ctx={ctx} />}</li>
        ))}
      </ul>
    </div>
  );
}

/** Marks of edges that end at one card stand side by side. */
function lean(e: Edge, all: Edge[]): number {
  const same = all.filter((o) => o.to === e.to && o.marks.length);
  return same.length < 2 ? 0 : (same.indexOf(e) - (same.length - 1) / 2) * 120;
}

function Lines({ edges }: { edges: Edge[] }) {
  const styles = useStyles();
  return (
    <svg className={styles.lines} width="1" height="1" aria-hidden>
      {edges.map((e) => {
        const [x, y] = e.points.at(-1)!;
        return (
          <g key={e.from + '>' + e.to}>
            <path className={mergeClasses(styles.line, e.marks.length > 0 && styles.marked)} d={route(e.points)} />
            <path className={styles.arrow} d={`M${x - 4},${y - 7} L${x + 4},${y - 7} L${x},${y} Z`} />
          </g>
        );
      })}
    </svg>
  );
}

/** A smooth way down through the points. */
function route(points: [number, number][]): string {
  let d = '';
  points.forEach(([x, y], i) => {
    if (!i) {
      d = `M${x},${y}`;
      return;
    }
    const [px, py] = points[i - 1]!;
    const mid = (y - py) / 2;
    d += Math.abs(px - x) < 1 ? ` L${x},${y}` : ` C${px},${py + mid} ${x},${y - mid} ${x},${y}`;
  });
  return d;
}

function afterWords(n: FlowNode): string {
  const odd = n.after.filter((a) => !(a.statuses.length === 1 && /^succeeded$/i.test(a.statuses[0]!)));
  return odd.map((a) => `runs after ${shown(a.name)} ${a.statuses.map((s) => shownStatus(s).toLowerCase()).join(' or ')}`).join(', ');
}

function Card({ of: p, ctx }: { of: Placed; ctx: Ctx }) {
  const styles = useStyles();
  const n = p.node;
  const folded = n.lanes != null;
  return (
    <>
      {folded && <Fold name={n.name} open={false} ctx={ctx} at={{ left: p.x + 8, top: p.y + 14 }} className={styles.fold} />}
      <CardButton
        kind={kindOf(n)}
        name={n.name}
        title={[n.detail, afterWords(n)].filter(Boolean).join('; ')}
        tone={toneOf(n)}
        at={{ left: p.x, top: p.y, width: p.w, height: p.h, ...(folded ? { paddingLeft: 40 } : {}) }}
        state={ctx.state?.(n, ctx.around(n.name))}
        run={ctx.state != null}
        picked={ctx.picked === n.name}
        pick={() => ctx.pick(n.name)}
      />
    </>
  );
}

function Fold({ name, open, ctx, at, className }: { name: string; open: boolean; ctx: Ctx; at: { left: number; top: number }; className: string }) {
  return (
    <Button
      className={className}
      style={at}
      size="small"
      appearance="subtle"
      aria-expanded={open}
      aria-label={`${open ? 'Close' : 'Open'} ${shown(name)}`}
      icon={open ? <ChevronDownRegular /> : <ChevronRightRegular />}
      onClick={() => ctx.fold(name)}
    />
  );
}

function Container({ of: p, ctx }: { of: Placed; ctx: Ctx }) {
  const styles = useStyles();
  const n = p.node;
  const state = ctx.state?.(n, ctx.around(n.name));
  const titled = p.lanes.some((l) => l.title);
  const y = headHeight + 14 + (titled || isLoop(n) ? laneHead : 0);
  return (
    <div className={styles.container} style={{ left: p.x, top: p.y, width: p.w, height: p.h }} role="group" aria-label={shown(n.name)}>
      <Fold name={n.name} open ctx={ctx} at={{ left: 8, top: 14 }} className={styles.fold} />
      <CardButton
        kind={kindOf(n)}
        name={n.name}
        title={[n.detail, afterWords(n)].filter(Boolean).join('; ')}
        tone={toneOf(n)}
        className={styles.headCard}
        at={{}}
        state={state}
        run={ctx.state != null}
        picked={ctx.picked === n.name}
        pick={() => ctx.pick(n.name)}
      />
      {isLoop(n) && !ctx.setTurn && (
        <p className={styles.lane} style={{ left: 14, right: 14, top: headHeight + 8, fontWeight: 400 }} title={n.expression}>
          {n.expression}
        </p>
      )}
      {isLoop(n) && state?.turns != null && state.turns > 0 && ctx.setTurn && (
        <div className={styles.turns} style={{ top: headHeight + 7 }}>
          <Pager label={`Repetition of ${shown(n.name)}`} at={ctx.turns?.[n.name] ?? 0} of={state.turns} go={(i) => ctx.setTurn!(n.name, i)} />
        </div>
      )}
      {p.lanes.map((l, i) => (
        <div key={i}>
          {titled && (
            <p className={styles.lane} style={{ left: l.x, top: headHeight + 8, width: l.w }} title={l.title}>
              {l.title}
            </p>
          )}
          {l.area.nodes.length ? (
            <AreaView area={l.area} x={l.x + (l.w - l.area.w) / 2} y={y} ctx={ctx} label={[shown(n.name), l.title].filter(Boolean).join(', ')} />
          ) : (
            <p className={styles.empty} style={{ left: l.x, top: y, width: l.w }}>
              no actions
            </p>
          )}
        </div>
      ))}
    </div>
  );
}

function CardButton({ kind, name, title, tone, at, state, run, picked, pick, className }: { kind: string; name: string; title?: string; tone: string; at: React.CSSProperties; state?: CardState; run: boolean; picked: boolean; pick: () => void; className?: string }) {
  const styles = useStyles();
  const time = state?.ms != null ? millis(state.ms) : '';
  const said = [shown(name), kind, run ? (state ? shownStatus(state.status) : 'not begun') : '', time, title].filter(Boolean).join(', ');
  return (
    <button
      type="button"
      data-card=""
      className={mergeClasses(styles.card, run && !state && styles.idle, className, picked && styles.picked)}
      style={{ borderLeftColor: tone, ...at }}
      aria-label={said}
      aria-pressed={picked}
      title={[shown(name), title].filter(Boolean).join('\n')}
      onClick={pick}
    >
      <span className={styles.words}>
        <span className={styles.kind}>{kind}</span>
        <span className={styles.name}>{shown(name)}</span>
      </span>
      {state && (
        <span className={styles.state}>
          <StatusMark status={state.status} />
          {time && <span>{time}</span>}
        </span>
      )}
    </button>
  );
}

export const shownStatus = (s: string) => (s === 'TimedOut' ? 'Timed out' : s);
