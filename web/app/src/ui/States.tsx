import { Body1, Button, MessageBar, MessageBarActions, MessageBarBody, MessageBarTitle, Spinner, Subtitle1, makeStyles, tokens } from '@fluentui/react-components';
import type { ReactNode } from 'react';
import { ApiError } from '../api/client';

const useStyles = makeStyles({
  empty: { display: 'grid', justifyItems: 'center', gap: '10px', padding: '56px 24px', textAlign: 'center', color: tokens.colorNeutralForeground2 },
  icon: { fontSize: '48px', color: tokens.colorNeutralForeground3, lineHeight: 1 },
  text: { maxWidth: '560px' },
  busy: { padding: '40px' },
});

/** What a page shows when it has nothing yet: what it is for and what to do next. */
export function EmptyState({ icon, title, text, action }: { icon?: ReactNode; title: string; text: ReactNode; action?: ReactNode }) {
  const styles = useStyles();
  return (
    <div className={styles.empty}>
      {icon && <span className={styles.icon} aria-hidden>{icon}</span>}
      <Subtitle1 as="h2">{title}</Subtitle1>
      <Body1 className={styles.text}>{text}</Body1>
      {action}
    </div>
  );
}

/** An error as the server said it, never softened. */
export function ErrorBox({ error, retry, title, lines }: { error: unknown; retry?: () => void; title?: string; /** Instead of the error's text. */ lines?: string[] }) {
  const e = error as Error;
  const code = e instanceof ApiError ? e.code : undefined;
  return (
    <MessageBar intent="error" layout="multiline" role="alert">
      <MessageBarBody>
        <MessageBarTitle>{title ?? (code && code !== 'InternalError' ? code : 'That failed')}</MessageBarTitle>
        {lines ? lines.map((l, i) => <div key={i}>{l}</div>) : <span style={{ whiteSpace: 'pre-line' }}>{e.message}</span>}
      </MessageBarBody>
      {retry && (
        <MessageBarActions>
          <Button size="small" onClick={retry}>
            Try again
          </Button>
        </MessageBarActions>
      )}
    </MessageBar>
  );
}

export interface Loadable<T> {
  data: T | undefined;
  error: unknown;
  isPending: boolean;
  refetch: () => unknown;
}

/** Shows a query's data, or its wait, or its error. */
export function Loaded<T>({ of, children }: { of: Loadable<T>; children: (data: T) => ReactNode }) {
  const styles = useStyles();
  if (of.data !== undefined) return <>{children(of.data)}</>;
  if (of.isPending) return <Spinner className={styles.busy} label="Loading" />;
  return (
    <div style={{ padding: 16 }}>
      <ErrorBox error={of.error} retry={() => void of.refetch()} />
    </div>
  );
}
