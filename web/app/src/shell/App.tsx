import { Button, Spinner, makeStyles, tokens } from '@fluentui/react-components';
import { useQuery, useQueryClient } from '@tanstack/react-query';
import { Component, Suspense, lazy, useEffect, type ReactNode } from 'react';
import { Redirect, Route, Switch, useLocation } from 'wouter';
import { setCsrf, whenSignedOut } from '../api/client';
import { SessionContext, getSession, type Session, type SignedIn } from '../api/session';
import { EmptyState, ErrorBox } from '../ui/States';
import { Nav } from './Nav';
import { TopBar } from './TopBar';

// Each page is its own chunk: the first screen stays small, the editor's megabytes come with Logs only.
const SignIn = lazy(() => import('./SignIn').then((m) => ({ default: m.SignIn })));
const FirstStart = lazy(() => import('./SignIn').then((m) => ({ default: m.FirstStart })));
const LogsPage = lazy(() => import('../logs/LogsPage'));
const IncidentsPage = lazy(() => import('../incidents/IncidentsPage'));
const IncidentPage = lazy(() => import('../incidents/IncidentPage'));
const TokensPage = lazy(() => import('../tokens/TokensPage'));
const TokenWizard = lazy(() => import('../tokens/TokenWizard'));
const TokenPage = lazy(() => import('../tokens/TokenPage'));
const PlaybooksPage = lazy(() => import('../playbooks/PlaybooksPage'));
const DeployPage = lazy(() => import('../playbooks/DeployPage'));
const PlaybookPage = lazy(() => import('../playbooks/PlaybookPage'));
const RunPage = lazy(() => import('../playbooks/RunPage'));
const RulesPage = lazy(() => import('../rules/RulesPage'));
const RulePage = lazy(() => import('../rules/RulePage'));
const TablesPage = lazy(() => import('../tables/TablesPage'));
const TablePage = lazy(() => import('../tables/TablePage'));
const SourcesPage = lazy(() => import('../sources/SourcesPage'));
const AccessPage = lazy(() => import('../access/AccessPage'));
const AutomationPage = lazy(() => import('../automation/AutomationPage'));
const AutomationRulePage = lazy(() => import('../automation/AutomationRulePage'));
const WatchlistsPage = lazy(() => import('../watchlists/WatchlistsPage'));
const WatchlistPage = lazy(() => import('../watchlists/WatchlistPage'));
const SettingsPage = lazy(() => import('../settings/SettingsPage'));

const useStyles = makeStyles({
  shell: { display: 'grid', gridTemplateRows: '44px minmax(0, 1fr)', gridTemplateColumns: 'auto minmax(0, 1fr)', height: '100%' },
  top: { gridColumn: '1 / -1' },
  main: { overflow: 'auto', backgroundColor: tokens.colorNeutralBackground1, minWidth: 0, outlineStyle: 'none' },
  center: { height: '100%', display: 'grid', placeItems: 'center' },
});

export function App() {
  const client = useQueryClient();
  const session = useQuery({ queryKey: ['session'], queryFn: getSession, staleTime: Infinity });
  const styles = useStyles();
  useEffect(
    () =>
      whenSignedOut(() => {
        // Only once: the pages that fail together would otherwise each start over.
        if (client.getQueryData<Session>(['session'])?.user) client.setQueryData<Session>(['session'], { user: null });
      }),
    [client],
  );
  if (session.isPending)
    return (
      <div className={styles.center}>
        <Spinner label="Loading picket" />
      </div>
    );
  if (session.isError)
    return (
      <div className={styles.center}>
        <ErrorBox error={session.error} retry={() => void session.refetch()} />
      </div>
    );
  const s = session.data;
  setCsrf(s.csrf);
  const set = (next: Session) => {
    setCsrf(next.csrf);
    client.setQueryData(['session'], next);
  };
  if (!s.user || !s.workspace || s.user.mustChangePassword)
    return (
      <Suspense fallback={null}>{s.user?.mustChangePassword ? <FirstStart user={s.user} done={set} /> : <SignIn demo={s.demo} sso={s.sso} done={set} />}</Suspense>
    );
  return (
    <SessionContext.Provider value={s as SignedIn}>
      <Shell />
    </SessionContext.Provider>
  );
}

function Shell() {
  const styles = useStyles();
  const [path] = useLocation();
  return (
    <div className={styles.shell}>
      <div className={styles.top}>
        <TopBar />
      </div>
      <Nav />
      <main id="main" className={styles.main} tabIndex={-1}>
        <PageBoundary key={path}>
          <Suspense
            fallback={
              <div className={styles.center}>
                <Spinner label="Loading" />
              </div>
            }
          >
            <Pages />
          </Suspense>
        </PageBoundary>
      </main>
    </div>
  );
}

function Pages() {
  return (
    <Switch>
      <Route path="/">
        <Redirect to="/incidents" replace />
      </Route>
      <Route path="/logs" component={LogsPage} />
      <Route path="/incidents" component={IncidentsPage} />
      <Route path="/incidents/:id/:tab?">{(p) => <IncidentPage id={p.id} tab={p.tab} />}</Route>
      <Route path="/tokens" component={TokensPage} />
      <Route path="/tokens/new" component={TokenWizard} />
      <Route path="/tokens/:id/:tab?">{(p) => <TokenPage id={p.id} tab={p.tab} />}</Route>
      <Route path="/playbooks" component={PlaybooksPage} />
      <Route path="/playbooks/deploy" component={DeployPage} />
      <Route path="/playbooks/:name/runs/:run/:tab?">{(p) => <RunPage key={p.run} name={decodeURIComponent(p.name)} run={p.run} tab={p.tab} />}</Route>
      <Route path="/playbooks/:name/:tab?">{(p) => <PlaybookPage name={decodeURIComponent(p.name)} tab={p.tab} />}</Route>
      <Route path="/rules" component={RulesPage} />
      <Route path="/rules/:id/:tab?">{(p) => <RulePage id={p.id} tab={p.tab} />}</Route>
      <Route path="/tables" component={TablesPage} />
      <Route path="/tables/:name/:tab?">{(p) => <TablePage key={p.name} name={decodeURIComponent(p.name)} tab={p.tab} />}</Route>
      <Route path="/sources/:tab?/:kind?">{(p) => <SourcesPage tab={p.tab} kind={p.kind} />}</Route>
      <Route path="/access/:tab?">{(p) => <AccessPage tab={p.tab} />}</Route>
      <Route path="/automation" component={AutomationPage} />
      <Route path="/automation/:id">{(p) => <AutomationRulePage key={p.id} id={decodeURIComponent(p.id)} />}</Route>
      <Route path="/watchlists" component={WatchlistsPage} />
      <Route path="/watchlists/:alias">{(p) => <WatchlistPage key={p.alias} alias={decodeURIComponent(p.alias)} />}</Route>
      <Route path="/workspace/:tab?">{(p) => <SettingsPage tab={p.tab} />}</Route>
      <Route>
        <EmptyState title="There is no such page" text="The address may be of an older version, or mistyped." />
      </Route>
    </Switch>
  );
}

/** A page that breaks shows why, and leaves the rest standing. */
class PageBoundary extends Component<{ children: ReactNode }, { error: Error | null }> {
  state = { error: null as Error | null };
  static getDerivedStateFromError(error: Error) {
    return { error };
  }
  render() {
    const { error } = this.state;
    if (!error) return this.props.children;
    const stale = /dynamically imported module|Importing a module script failed/i.test(error.message);
    return (
      <div style={{ padding: 24 }}>
        <EmptyState
          title={stale ? 'picket was updated' : 'This page broke'}
          text={stale ? 'Load the new version to go on.' : `${error.message} (this is a fault of the page: please report it with what you did)`}
          action={<Button appearance="primary" onClick={() => location.reload()}>Load again</Button>}
        />
      </div>
    );
  }
}
