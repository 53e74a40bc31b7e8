import { Input, makeStyles, mergeClasses, tokens } from '@fluentui/react-components';
import { ChevronDownRegular, ChevronRightRegular, FilterRegular, MathFormulaRegular, TableRegular } from '@fluentui/react-icons';
import { useMemo, useState } from 'react';
import type { ShowSchema } from '../api/query';

const useStyles = makeStyles({
  box: { height: '100%', display: 'grid', gridTemplateRows: 'auto minmax(0,1fr)', fontSize: '12px' },
  filter: { margin: '8px' },
  list: { overflow: 'auto', listStyleType: 'none', margin: 0, padding: '0 0 8px' },
  item: {
    display: 'flex',
    alignItems: 'center',
    gap: '4px',
    width: '100%',
    border: 'none',
    background: 'none',
    font: 'inherit',
    color: tokens.colorNeutralForeground1,
    padding: '3px 8px',
    cursor: 'pointer',
    textAlign: 'left',
    overflow: 'hidden',
    whiteSpace: 'nowrap',
    ':hover': { backgroundColor: tokens.colorSubtleBackgroundHover },
  },
  name: { overflow: 'hidden', textOverflow: 'ellipsis' },
  col: { paddingLeft: '40px' },
  type: { color: tokens.colorNeutralForeground3, marginLeft: 'auto' },
  none: { padding: '8px 12px', color: tokens.colorNeutralForeground3 },
});

/** Tables and functions, to look up and to put into the query. */
export function SchemaTree({ schema, insert }: { schema: ShowSchema; insert: (text: string) => void }) {
  const styles = useStyles();
  const [filter, setFilter] = useState('');
  const [open, setOpen] = useState<Record<string, boolean>>({});
  const { tables, functions } = useMemo(() => {
    const dbs = Object.values(schema.Databases);
    return {
      tables: dbs.flatMap((d) => Object.values(d.Tables)).sort((a, b) => a.Name.localeCompare(b.Name)),
      functions: dbs.flatMap((d) => Object.values(d.Functions ?? {})).sort((a, b) => a.Name.localeCompare(b.Name)),
    };
  }, [schema]);
  const f = filter.toLowerCase();
  const hit = (s: string) => s.toLowerCase().includes(f);
  const shown = tables.filter((t) => !f || hit(t.Name) || t.OrderedColumns.some((c) => hit(c.Name)));
  const fns = functions.filter((x) => !f || hit(x.Name));
  const limit = 300;
  return (
    <div className={styles.box}>
      <Input className={styles.filter} size="small" contentBefore={<FilterRegular />} placeholder="Tables and columns" aria-label="Filter tables and columns" value={filter} onChange={(_, d) => setFilter(d.value)} />
      <ul className={styles.list} aria-label="Tables">
        {shown.slice(0, limit).map((t) => {
          const on = open[t.Name] ?? false;
          return (
            <li key={t.Name}>
              <button className={styles.item} aria-expanded={on} title={t.DocString || t.Name} onClick={() => setOpen({ ...open, [t.Name]: !on })} onDoubleClick={() => insert(t.Name)}>
                {on ? <ChevronDownRegular /> : <ChevronRightRegular />}
                <TableRegular />
                <span className={styles.name}>{t.Name}</span>
              </button>
              {on && (
                <ul className={styles.list}>
                  {t.OrderedColumns.map((c) => (
                    <li key={c.Name}>
                      <button className={mergeClasses(styles.item, styles.col)} title={c.DocString || c.Name} onClick={() => insert(c.Name)}>
                        <span className={styles.name}>{c.Name}</span>
                        <span className={styles.type}>{c.CslType ?? c.Type}</span>
                      </button>
                    </li>
                  ))}
                </ul>
              )}
            </li>
          );
        })}
        {shown.length > limit && <li className={styles.none}>{shown.length - limit} more: type in the filter</li>}
        {!tables.length && <li className={styles.none}>No tables yet: they appear with the first row that is sent.</li>}
        {fns.slice(0, limit).map((x) => (
          <li key={'f' + x.Name}>
            <button className={styles.item} title={x.DocString || x.Name} onClick={() => insert(x.Name + '()')}>
              <span style={{ width: 12 }} />
              <MathFormulaRegular />
              <span className={styles.name}>{x.Name}()</span>
            </button>
          </li>
        ))}
      </ul>
    </div>
  );
}
