import { Badge, Button, Link as FluentLink, Tooltip, makeStyles, mergeClasses, tokens } from '@fluentui/react-components';
import { CheckmarkRegular, CopyRegular } from '@fluentui/react-icons';
import { useState, type CSSProperties, type ReactNode } from 'react';
import { Link } from 'wouter';
import { useSession } from '../api/session';
import { ago, localTime, parseTime } from './format';
import { rowLink } from './links';

const severityColor: Record<string, string> = { High: '#c50f1f', Medium: '#ca5010', Low: '#c19c00', Informational: '#8a8886' };

const useStyles = makeStyles({
  severity: { display: 'inline-flex', alignItems: 'center', gap: '8px', whiteSpace: 'nowrap' },
  stripe: { width: '4px', height: '16px', borderRadius: '1px', display: 'inline-block' },
  facts: { display: 'grid', gridTemplateColumns: 'minmax(110px, max-content) minmax(0, 1fr)', gap: '6px 16px', margin: 0, fontSize: '13px' },
  term: { color: tokens.colorNeutralForeground3 },
  def: { margin: 0, overflowWrap: 'anywhere' },
  copy: { display: 'flex', alignItems: 'center', gap: '4px', minWidth: 0 },
  code: {
    fontFamily: tokens.fontFamilyMonospace,
    fontSize: '12px',
    backgroundColor: tokens.colorNeutralBackground3,
    padding: '4px 8px',
    borderRadius: '2px',
    overflow: 'hidden',
    textOverflow: 'ellipsis',
    whiteSpace: 'nowrap',
    minWidth: 0,
    flexGrow: 1,
  },
  pre: {
    fontFamily: tokens.fontFamilyMonospace,
    fontSize: '12px',
    backgroundColor: tokens.colorNeutralBackground3,
    padding: '10px 12px',
    margin: 0,
    overflow: 'auto',
    maxHeight: '420px',
    whiteSpace: 'pre-wrap',
    overflowWrap: 'anywhere',
    borderRadius: '2px',
  },
  link: { color: tokens.colorBrandForegroundLink, textDecorationLine: 'none', ':hover': { textDecorationLine: 'underline' } },
  inText: { textDecorationLine: 'underline' },
  table: { width: '100%', borderCollapse: 'collapse', fontSize: '13px' },
  th: {
    textAlign: 'left',
    fontWeight: 600,
    padding: '6px 10px',
    borderBottom: `1px solid ${tokens.colorNeutralStroke1}`,
    whiteSpace: 'nowrap',
    position: 'sticky',
    top: 0,
    backgroundColor: tokens.colorNeutralBackground1,
    zIndex: 1,
  },
  td: { padding: '6px 10px', borderBottom: `1px solid ${tokens.colorNeutralStroke3}`, verticalAlign: 'top' },
  row: { ':hover': { backgroundColor: tokens.colorSubtleBackgroundHover } },
  right: { textAlign: 'right', fontVariantNumeric: 'tabular-nums', whiteSpace: 'nowrap' },
  scroll: { overflowX: 'auto', '@media (min-width: 901px)': { overflowX: 'visible' } },
  sort: { font: 'inherit', color: 'inherit', background: 'none', border: 'none', padding: 0, cursor: 'pointer', ':hover': { textDecorationLine: 'underline' } },
  section: { display: 'grid', gap: '10px', alignContent: 'start', gridTemplateColumns: 'minmax(0, 1fr)' },
  h: { fontSize: '14px', fontWeight: 600, margin: '0' },
});

export function Severity({ of }: { of: string }) {
  const styles = useStyles();
  return (
    <span className={styles.severity}>
      <span className={styles.stripe} style={{ backgroundColor: severityColor[of] ?? '#8a8886' }} aria-hidden />
      {of}
    </span>
  );
}

export function StatusBadge({ status }: { status: string }) {
  const color =
    { New: 'brand', Active: 'warning', Closed: 'subtle', Succeeded: 'success', Success: 'success', Failed: 'danger', Failure: 'danger', TimedOut: 'danger', Running: 'brand', Waiting: 'warning', Skipped: 'subtle', Cancelled: 'subtle', Suppressed: 'subtle' }[status] ?? 'informative';
  return (
    <Badge appearance="tint" color={color as 'brand'} size="medium">
      {status}
    </Badge>
  );
}

/** A time as people say it, exact on hover. */
export function When({ at, exact }: { at: string | undefined | null; exact?: boolean }) {
  const d = parseTime(at);
  if (!d) return <span aria-label="never">–</span>;
  const iso = d.toISOString();
  return (
    <time dateTime={iso} title={`${localTime(at)} · ${iso.replace('T', ' ').replace('.000', '').replace('Z', ' UTC')}`} style={{ whiteSpace: 'nowrap' }}>
      {exact ? localTime(at) : ago(at)}
    </time>
  );
}

export function Facts({ of }: { of: [string, ReactNode][] }) {
  const styles = useStyles();
  return (
    <dl className={styles.facts}>
      {of
        .filter(([, v]) => v != null && v !== '' && v !== false)
        .map(([k, v]) => (
          <FactRow key={k} term={k} className={styles.term} def={styles.def}>
            {v}
          </FactRow>
        ))}
    </dl>
  );
}

function FactRow({ term, className, def, children }: { term: string; className: string; def: string; children: ReactNode }) {
  return (
    <>
      <dt className={className}>{term}</dt>
      <dd className={def}>{children}</dd>
    </>
  );
}

export function CopyButton({ text, label = 'Copy' }: { text: string; label?: string }) {
  const [done, setDone] = useState(false);
  return (
    <Tooltip content={done ? 'Copied' : label} relationship="label">
      <Button
        size="small"
        appearance="subtle"
        icon={done ? <CheckmarkRegular /> : <CopyRegular />}
        onClick={() => {
          void navigator.clipboard.writeText(text).then(() => {
            setDone(true);
            setTimeout(() => setDone(false), 1500);
          });
        }}
      />
    </Tooltip>
  );
}

export function CopyField({ text, label }: { text: string; label: string }) {
  const styles = useStyles();
  return (
    <span className={styles.copy}>
      <code className={styles.code} title={text}>
        {text}
      </code>
      <CopyButton text={text} label={label} />
    </span>
  );
}

export function Code({ children, style }: { children: string; style?: CSSProperties }) {
  const styles = useStyles();
  return (
    <pre className={styles.pre} style={style} tabIndex={0}>
      {children}
    </pre>
  );
}

export const Json = ({ of }: { of: unknown }) => <Code>{typeof of === 'string' ? of : JSON.stringify(of, null, 2)}</Code>;

/** A link within picket; inText underlines it, since there colour alone would mark it. */
export function PageLink({ to, children, inText }: { to: string; children: ReactNode; inText?: boolean }) {
  const styles = useStyles();
  return (
    <Link href={to} className={mergeClasses(styles.link, inText && styles.inText)}>
      {children}
    </Link>
  );
}

/** A value out of a row: a URL becomes a link when following it gives nothing away. */
export function RowValue({ text }: { text: string }) {
  const { hostMap } = useSession();
  const link = rowLink(text, hostMap);
  if (!link) return <>{text}</>;
  if (link.internal) return <PageLink to={link.href}>{text}</PageLink>;
  return (
    <FluentLink href={link.href} target="_blank" rel="noopener noreferrer">
      {text}
    </FluentLink>
  );
}

export interface ColumnDef<T> {
  key: string;
  title: string;
  cell: (row: T) => ReactNode;
  width?: string;
  /** Numbers stand to the right. */
  right?: boolean;
  /** What the column is sorted by; without it it is not. */
  sort?: (row: T) => string | number;
}

/** A plain table for lists of at most some hundred rows. On a narrow screen it scrolls sideways by itself. */
export function Rows<T>({ rows, columns, rowKey, label, first }: { rows: T[]; columns: ColumnDef<T>[]; rowKey: (row: T) => string; label: string; /** Sorted by this column at first, downwards with a minus. */ first?: string }) {
  const styles = useStyles();
  const [by, setBy] = useState(first ?? '');
  const down = by.startsWith('-');
  const key = columns.find((c) => c.key === by.replace(/^-/, ''))?.sort;
  const shown = key
    ? [...rows].sort((a, b) => {
        const x = key(a);
        const y = key(b);
        const n = typeof x === 'number' && typeof y === 'number' ? x - y : String(x).localeCompare(String(y), undefined, { numeric: true, sensitivity: 'base' });
        return down ? -n : n;
      })
    : rows;
  return (
    <div className={styles.scroll}>
      <table className={styles.table} aria-label={label}>
        <thead>
          <tr>
            {columns.map((c) => {
              const on = by.replace(/^-/, '') === c.key;
              return (
                <th key={c.key} className={mergeClasses(styles.th, c.right && styles.right)} style={{ width: c.width }} scope="col" aria-sort={c.sort ? (on ? (down ? 'descending' : 'ascending') : 'none') : undefined}>
                  {c.sort ? (
                    <button type="button" className={styles.sort} onClick={() => setBy(on ? (down ? c.key : '-' + c.key) : (c.right ? '-' : '') + c.key)}>
                      {c.title}
                      <span aria-hidden>{on ? (down ? ' ↓' : ' ↑') : ''}</span>
                    </button>
                  ) : (
                    c.title
                  )}
                </th>
              );
            })}
          </tr>
        </thead>
        <tbody>
          {shown.map((r) => (
            <tr key={rowKey(r)} className={styles.row}>
              {columns.map((c) => (
                <td key={c.key} className={mergeClasses(styles.td, c.right && styles.right)}>
                  {c.cell(r)}
                </td>
              ))}
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

export function Section({ title, children, className }: { title: string; children: ReactNode; className?: string }) {
  const styles = useStyles();
  return (
    <section className={mergeClasses(styles.section, className)} aria-label={title}>
      <h2 className={styles.h}>{title}</h2>
      {children}
    </section>
  );
}
