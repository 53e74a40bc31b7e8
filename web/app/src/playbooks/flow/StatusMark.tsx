import { makeStyles, mergeClasses, tokens } from '@fluentui/react-components';
import { ArrowForwardRegular, CheckmarkCircleFilled, ClockRegular, DismissCircleFilled, ProhibitedRegular } from '@fluentui/react-icons';
import type { ReactNode } from 'react';

const useStyles = makeStyles({
  mark: { display: 'inline-flex', gap: '4px', alignItems: 'center', fontSize: '11px', fontWeight: 600, whiteSpace: 'nowrap', color: tokens.colorNeutralForeground2 },
  good: { color: tokens.colorStatusSuccessForeground1 },
  bad: { color: tokens.colorPaletteRedForeground1 },
  wait: { color: tokens.colorBrandForeground1 },
});

/** A step's state, by icon and word. */
export function StatusMark({ status }: { status: string }) {
  const styles = useStyles();
  const [icon, tone] = look(status);
  return (
    <span className={mergeClasses(styles.mark, tone && styles[tone])}>
      {icon}
      {status === 'TimedOut' ? 'Timed out' : status}
    </span>
  );
}

function look(status: string): [ReactNode, 'good' | 'bad' | 'wait' | undefined] {
  switch (status) {
    case 'Succeeded':
      return [<CheckmarkCircleFilled key="i" fontSize={16} aria-hidden />, 'good'];
    case 'Failed':
    case 'Faulted':
      return [<DismissCircleFilled key="i" fontSize={16} aria-hidden />, 'bad'];
    case 'TimedOut':
      return [<ClockRegular key="i" fontSize={16} aria-hidden />, 'bad'];
    case 'Cancelled':
    case 'Aborted':
      return [<ProhibitedRegular key="i" fontSize={16} aria-hidden />, undefined];
    case 'Skipped':
    case 'Ignored':
      return [<ArrowForwardRegular key="i" fontSize={16} aria-hidden />, undefined];
    default:
      return [<ClockRegular key="i" fontSize={16} aria-hidden />, 'wait'];
  }
}
