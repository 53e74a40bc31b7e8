import { Button, MessageBar, MessageBarBody, Spinner, makeStyles, tokens } from '@fluentui/react-components';
import { DismissRegular } from '@fluentui/react-icons';
import type { ReactNode } from 'react';
import { Code, CopyButton, Facts, Json } from '../../ui/bits';
import { shown } from './model';
import { StatusMark } from './StatusMark';

const useStyles = makeStyles({
  side: { borderLeft: `1px solid ${tokens.colorNeutralStroke2}`, overflow: 'auto', padding: '12px 16px 20px', display: 'grid', gap: '12px', alignContent: 'start', gridAutoRows: 'max-content', minWidth: 0 },
  head: { display: 'flex', justifyContent: 'space-between', gap: '8px', alignItems: 'start' },
  h: { fontSize: '14px', fontWeight: 600, margin: 0, overflowWrap: 'anywhere' },
  h3: { fontSize: '13px', fontWeight: 600, margin: 0, display: 'flex', alignItems: 'center', gap: '4px' },
  part: { display: 'grid', gap: '4px', minWidth: 0 },
});

export interface Facet {
  title: string;
  /** undefined: there is none. */
  value: unknown;
}

/** What stands beside the drawing when a card is picked. */
export function Inspector({
  name,
  status,
  facts,
  needs,
  error,
  busy,
  parts,
  actions,
  close,
}: {
  name: string;
  status?: string;
  facts: [string, ReactNode][];
  needs?: string[];
  error?: string;
  busy?: boolean;
  parts: Facet[];
  actions?: ReactNode;
  close: () => void;
}) {
  const styles = useStyles();
  return (
    <aside className={styles.side} aria-label="Step" tabIndex={-1}>
      <div className={styles.head}>
        <h2 className={styles.h}>{shown(name)}</h2>
        <Button size="small" appearance="subtle" icon={<DismissRegular />} aria-label="Close" onClick={close} />
      </div>
      {status && <StatusMark status={status} />}
      {actions}
      {error && (
        <MessageBar intent="error" layout="multiline">
          <MessageBarBody>
            <span style={{ overflowWrap: 'anywhere' }}>{error}</span>
          </MessageBarBody>
        </MessageBar>
      )}
      {needs?.map((n) => (
        <MessageBar key={n} intent="warning" layout="multiline">
          <MessageBarBody>{n}</MessageBarBody>
        </MessageBar>
      ))}
      <Facts of={facts} />
      {busy && <Spinner size="tiny" label="Loading" />}
      {parts.map((p) =>
        p.value === undefined ? null : (
          <section key={p.title} className={styles.part} aria-label={p.title}>
            <h3 className={styles.h3}>
              {p.title}
              <CopyButton text={typeof p.value === 'string' ? p.value : JSON.stringify(p.value, null, 2)} label={`Copy: ${p.title}`} />
            </h3>
            {typeof p.value === 'string' ? <Code>{p.value}</Code> : <Json of={p.value} />}
          </section>
        ),
      )}
    </aside>
  );
}
