import { Button, Tooltip, makeStyles, tokens } from '@fluentui/react-components';
import { ChevronLeftRegular, ChevronRightRegular } from '@fluentui/react-icons';
import { useState } from 'react';

const useStyles = makeStyles({
  pager: { display: 'inline-flex', alignItems: 'center', gap: '2px', fontSize: '12px', backgroundColor: tokens.colorNeutralBackground1, border: `1px solid ${tokens.colorNeutralStroke1}`, borderRadius: '4px', color: tokens.colorNeutralForeground1 },
  field: { width: '3.6em', font: 'inherit', color: 'inherit', backgroundColor: 'transparent', border: 'none', borderBottom: `1px solid ${tokens.colorNeutralStrokeAccessible}`, textAlign: 'right', padding: '0 2px' },
});

/** Goes through repetitions: at counts from 0, the person from 1. */
export function Pager({ label, at, of, go }: { label: string; at: number; of: number; go: (n: number) => void }) {
  const styles = useStyles();
  const [text, setText] = useState<string | null>(null);
  const set = () => {
    const n = Math.round(Number(text));
    setText(null);
    if (text?.trim() && Number.isFinite(n)) go(Math.min(of, Math.max(1, n)) - 1);
  };
  return (
    <span className={styles.pager} role="group" aria-label={label}>
      <Tooltip content="Previous repetition" relationship="label">
        <Button size="small" appearance="subtle" icon={<ChevronLeftRegular />} disabled={at <= 0} onClick={() => go(at - 1)} />
      </Tooltip>
      <input className={styles.field} aria-label={`${label}, of ${of}`} inputMode="numeric" value={text ?? String(at + 1)} onChange={(e) => setText(e.target.value)} onBlur={set} onKeyDown={(e) => e.key === 'Enter' && set()} />
      <span>of {of.toLocaleString()}</span>
      <Tooltip content="Next repetition" relationship="label">
        <Button size="small" appearance="subtle" icon={<ChevronRightRegular />} disabled={at >= of - 1} onClick={() => go(at + 1)} />
      </Tooltip>
    </span>
  );
}
