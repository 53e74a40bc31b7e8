import { Button, Field, Input, MessageBar, MessageBarBody, Spinner, Title2, Body1, makeStyles, tokens } from '@fluentui/react-components';
import { useState, type FormEvent, type ReactNode } from 'react';
import { ApiError } from '../api/client';
import { changePassword, signIn, signOut, type Session, type User } from '../api/session';

const useStyles = makeStyles({
  back: { height: '100%', display: 'grid', placeItems: 'center', backgroundColor: tokens.colorNeutralBackground3 },
  card: { width: 'min(400px, 92vw)', boxSizing: 'border-box', padding: '32px', display: 'grid', rowGap: '16px', backgroundColor: tokens.colorNeutralBackground1, boxShadow: tokens.shadow16, borderRadius: '4px' },
  brand: { display: 'flex', alignItems: 'center', gap: '12px' },
  form: { display: 'grid', gap: '14px' },
  buttons: { display: 'flex', gap: '8px', justifyContent: 'flex-end', flexWrap: 'wrap', marginTop: '6px' },
});

function Door({ title, intro, children }: { title: string; intro: ReactNode; children: ReactNode }) {
  const styles = useStyles();
  return (
    <main className={styles.back}>
      <div className={styles.card}>
        <div className={styles.brand}>
          <img src="/favicon.svg" alt="" width={36} height={36} />
          <Title2 as="h1">{title}</Title2>
        </div>
        <Body1>{intro}</Body1>
        {children}
      </div>
    </main>
  );
}

export function SignIn({ demo, sso, done }: { demo?: boolean; sso?: string; done: (s: Session) => void }) {
  const styles = useStyles();
  const [name, setName] = useState('');
  const [password, setPassword] = useState('');
  const [busy, setBusy] = useState(false);
  const [problem, setProblem] = useState('');
  const submit = async (e: FormEvent) => {
    e.preventDefault();
    setBusy(true);
    setProblem('');
    try {
      done(await signIn(name.trim(), password));
    } catch (err) {
      setProblem((err as Error).message);
      setBusy(false);
    }
  };
  return (
    <Door
      title="picket"
      intro={demo ? 'This is a demonstration. The name and the password were printed where it was started.' : 'Sign in to the workspace. At the first start, name and password are printed where picket was started.'}
    >
      <form className={styles.form} onSubmit={(e) => void submit(e)}>
        {problem && (
          <MessageBar intent="error" role="alert">
            <MessageBarBody>{problem}</MessageBarBody>
          </MessageBar>
        )}
        <Field label="Name" required>
          <Input name="username" autoComplete="username" autoFocus value={name} onChange={(_, d) => setName(d.value)} />
        </Field>
        <Field label="Password" required>
          <Input name="password" type="password" autoComplete="current-password" value={password} onChange={(_, d) => setPassword(d.value)} />
        </Field>
        <div className={styles.buttons}>
          {sso && (
            <Button as="a" href={'/api/v1/oidc/login?' + new URLSearchParams({ next: location.pathname + location.search })}>
              {sso}
            </Button>
          )}
          <Button type="submit" appearance="primary" disabled={busy || !name.trim() || !password} icon={busy ? <Spinner size="tiny" /> : undefined}>
            Sign in
          </Button>
        </div>
      </form>
    </Door>
  );
}

/** The first sign-in with a generated password: choose an own one. */
export function FirstStart({ user, done }: { user: User; done: (s: Session) => void }) {
  return (
    <Door title={`Welcome, ${user.displayName}`} intro="This password was generated and printed. Choose your own before you go on; the printed one then stops working.">
      <PasswordForm name={user.name} done={done} leave={() => void signOut().then(() => done({ user: null }))} />
    </Door>
  );
}

export function PasswordForm({ name, done, leave }: { name: string; done: (s: Session) => void; leave?: () => void }) {
  const styles = useStyles();
  const [current, setCurrent] = useState('');
  const [next, setNext] = useState('');
  const [again, setAgain] = useState('');
  const [busy, setBusy] = useState(false);
  const [problem, setProblem] = useState<ApiError | Error | null>(null);
  const target = problem instanceof ApiError ? problem.target : undefined;
  const differs = again !== '' && next !== again;
  const submit = async (e: FormEvent) => {
    e.preventDefault();
    setBusy(true);
    setProblem(null);
    try {
      const s = await changePassword(current, next);
      setCurrent('');
      setNext('');
      setAgain('');
      done(s);
    } catch (err) {
      setProblem(err as Error);
    }
    setBusy(false);
  };
  return (
    <form className={styles.form} onSubmit={(e) => void submit(e)}>
      {problem && !target && (
        <MessageBar intent="error" role="alert">
          <MessageBarBody>{problem.message}</MessageBarBody>
        </MessageBar>
      )}
      <input type="text" name="username" autoComplete="username" value={name} readOnly hidden />
      <Field label="Current password" required validationMessage={target === 'current' ? problem?.message : undefined}>
        <Input name="current" type="password" autoComplete="current-password" value={current} onChange={(_, d) => setCurrent(d.value)} />
      </Field>
      <Field label="New password" required hint="At least 12 characters." validationMessage={target === 'new' || target === 'password' ? problem?.message : undefined}>
        <Input name="new" type="password" autoComplete="new-password" value={next} onChange={(_, d) => setNext(d.value)} />
      </Field>
      <Field label="New password again" required validationMessage={differs ? 'The two differ.' : undefined}>
        <Input name="again" type="password" autoComplete="new-password" value={again} onChange={(_, d) => setAgain(d.value)} />
      </Field>
      <div className={styles.buttons}>
        {leave && <Button onClick={leave}>Sign out</Button>}
        <Button type="submit" appearance="primary" disabled={busy || !current || next.length < 12 || next !== again}>
          Change password
        </Button>
      </div>
    </form>
  );
}
