import {
  Button,
  Dialog,
  DialogActions,
  DialogBody,
  DialogContent,
  DialogSurface,
  DialogTitle,
  DialogTrigger,
  Field,
  Switch,
  Tab,
  TabList,
  Textarea,
  makeStyles,
  tokens,
} from '@fluentui/react-components';
import { ArrowClockwiseRegular, BeakerRegular, DeleteRegular, LinkRegular, PlayRegular } from '@fluentui/react-icons';
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { useState } from 'react';
import { useLocation } from 'wouter';
import { ApiError } from '../api/client';
import { playbooksApi, type Playbook } from '../api/playbooks';
import { allows, useSession } from '../api/session';
import { Code, CopyField, Facts, PageLink, Rows, Section, StatusBadge, When } from '../ui/bits';
import { duration } from '../ui/format';
import { Page } from '../ui/Page';
import { EmptyState, ErrorBox, Loaded } from '../ui/States';
import { WorkflowTab } from './flow/WorkflowTab';
import { NeedsList } from './NeedsList';
import { TestDialog } from './TestDialog';
import { playbookPath } from './PlaybooksPage';

const useStyles = makeStyles({
  body: { display: 'grid', gap: '20px', marginTop: '14px' },
  drawn: { height: 'calc(100vh - 300px)', minHeight: '480px', border: `1px solid ${tokens.colorNeutralStroke2}`, minWidth: 0 },
  wide: { maxWidth: '900px', display: 'grid', gap: '14px' },
});

export default function PlaybookPage({ name, tab = 'runs' }: { name: string; tab?: string }) {
  const styles = useStyles();
  const { user } = useSession();
  const client = useQueryClient();
  const [, go] = useLocation();
  const may = allows(user, 'Contributor');
  const book = useQuery({ queryKey: ['playbook', name], queryFn: () => playbooksApi.get(name), refetchInterval: 15_000 });
  const [running, setRunning] = useState(false);
  const [trying, setTrying] = useState(false);
  const [sure, setSure] = useState(false);
  const [url, setUrl] = useState('');
  const fresh = () => {
    void client.invalidateQueries({ queryKey: ['playbook', name] });
    void client.invalidateQueries({ queryKey: ['playbooks'] });
  };
  const turn = useMutation({ mutationFn: (on: boolean) => playbooksApi.setEnabled(name, on), onSettled: fresh });
  const callback = useMutation({ mutationFn: () => playbooksApi.callbackUrl(name), onSuccess: setUrl });
  const remove = useMutation({
    mutationFn: () => playbooksApi.remove(name),
    onSuccess: () => {
      fresh();
      go('/playbooks');
    },
  });
  const crumbs = [{ to: '/playbooks', label: 'Playbooks' }];
  if (book.error instanceof ApiError && book.error.status === 404)
    return (
      <Page title={name} crumbs={crumbs}>
        <EmptyState title="There is no such playbook" text="It may have been deleted." />
      </Page>
    );
  const p = book.data;
  return (
    <Page
      title={name}
      subtitle={p?.trigger.summary}
      crumbs={crumbs}
      commands={
        p && (
          <>
            <Button size="small" appearance="primary" icon={<PlayRegular />} disabled={!allows(user, 'Responder')} onClick={() => setRunning(true)}>
              Run now
            </Button>
            <Button size="small" appearance="subtle" icon={<BeakerRegular />} disabled={!allows(user, 'Responder')} onClick={() => setTrying(true)}>
              Test
            </Button>
            <Switch label={p.enabled ? 'On' : 'Off'} checked={p.enabled} disabled={!may || turn.isPending} onChange={(_, d) => turn.mutate(d.checked)} />
            {p.trigger.callable && (
              <Button size="small" appearance="subtle" icon={<LinkRegular />} disabled={!may} onClick={() => callback.mutate()}>
                Callback URL
              </Button>
            )}
            <Button size="small" appearance="subtle" icon={<ArrowClockwiseRegular />} onClick={fresh}>
              Refresh
            </Button>
            <Button size="small" appearance="subtle" icon={<DeleteRegular />} disabled={!may} onClick={() => setSure(true)}>
              Delete
            </Button>
          </>
        )
      }
    >
      <Loaded of={book}>
        {(p) => (
          <>
            {[turn.error, callback.error, remove.error].map((e, i) => (e ? <ErrorBox key={i} error={e} /> : null))}
            <NeedsList needs={p.needs} />
            {url && (
              <Section title="Callback URL">
                <CopyField text={url} label="Copy the callback URL" />
                <span style={{ fontSize: 12 }}>Whoever has this address can start the playbook: keep it like a password.</span>
              </Section>
            )}
            <TabList selectedValue={tab} onTabSelect={(_, d) => go(playbookPath(name, d.value === 'runs' ? '' : '/' + String(d.value)))}>
              <Tab value="runs">Runs</Tab>
              <Tab value="workflow">Workflow</Tab>
              <Tab value="overview">Overview</Tab>
              <Tab value="definition">Definition</Tab>
            </TabList>
            <div className={styles.body}>
              {tab === 'runs' && <Runs name={name} />}
              {tab === 'workflow' && (
                <div className={styles.drawn}>
                  <WorkflowTab name={name} version={p.changed} />
                </div>
              )}
              {tab === 'overview' && <Overview p={p} />}
              {tab === 'definition' && <Code style={{ maxHeight: 'none' }}>{JSON.stringify(p.definition, null, 2) ?? ''}</Code>}
            </div>
          </>
        )}
      </Loaded>
      {trying && <TestDialog name={name} close={() => setTrying(false)} />}
      {running && <RunDialog name={name} close={() => setRunning(false)} />}
      <Dialog open={sure} onOpenChange={(_, d) => setSure(d.open)}>
        <DialogSurface>
          <DialogBody>
            <DialogTitle>Delete the playbook?</DialogTitle>
            <DialogContent>Its callback address stops working at once, and runs that are under way are cancelled.</DialogContent>
            <DialogActions>
              <DialogTrigger disableButtonEnhancement>
                <Button>Cancel</Button>
              </DialogTrigger>
              <Button appearance="primary" onClick={() => { setSure(false); remove.mutate(); }}>
                Delete
              </Button>
            </DialogActions>
          </DialogBody>
        </DialogSurface>
      </Dialog>
    </Page>
  );
}

function Overview({ p }: { p: Playbook }) {
  const styles = useStyles();
  const actions = Object.keys(p.definition?.actions ?? {});
  return (
    <div className={styles.wide}>
      <Section title="Playbook">
        <Facts
          of={[
            ['Trigger', `${p.trigger.name}: ${p.trigger.type}`],
            ['Starts', p.trigger.summary],
            ['Next', p.trigger.next && <When key="n" at={p.trigger.next} exact />],
            ['Created', <When key="c" at={p.created} exact />],
            ['Changed', <When key="h" at={p.changed} exact />],
            ['Actions', actions.join(', ')],
          ]}
        />
      </Section>
      {p.parameters?.length ? (
        <Section title="Parameters">
          <Facts of={p.parameters.map((x) => [x.name, x.value == null ? (/secure/i.test(x.type) ? 'set, not shown' : '') : typeof x.value === 'string' ? x.value : JSON.stringify(x.value)])} />
        </Section>
      ) : null}
    </div>
  );
}

function Runs({ name }: { name: string }) {
  const runs = useQuery({ queryKey: ['playbook', name, 'runs'], queryFn: () => playbooksApi.runs(name), refetchInterval: 5000 });
  return (
    <Loaded of={runs}>
      {(all) =>
        all.length ? (
          <Rows
            label="Runs"
            rows={all}
            rowKey={(r) => r.id}
            columns={[
              { key: 's', title: 'Status', cell: (r) => <StatusBadge status={r.status} />, width: '110px' },
              { key: 'i', title: 'Run', cell: (r) => <PageLink to={playbookPath(name, '/runs/' + r.id)}>{r.id}</PageLink> },
              { key: 't', title: 'Started', cell: (r) => <When at={r.start} exact /> },
              { key: 'd', title: 'Took', cell: (r) => duration(r.start, r.end) },
              { key: 'e', title: 'Error', cell: (r) => [r.code && r.status !== 'Succeeded' ? r.code : '', r.error].filter(Boolean).join(': ') },
            ]}
          />
        ) : (
          <EmptyState title="No runs yet" text="A run begins when the trigger fires. Run now starts one by hand." />
        )
      }
    </Loaded>
  );
}

function RunDialog({ name, close }: { name: string; close: () => void }) {
  const [, go] = useLocation();
  const [text, setText] = useState('{}');
  const [bad, setBad] = useState('');
  const run = useMutation({ mutationFn: (body: unknown) => playbooksApi.run(name, body), onSuccess: (id) => go(playbookPath(name, '/runs/' + id)) });
  return (
    <Dialog open onOpenChange={(_, d) => !d.open && close()}>
      <DialogSurface>
        <DialogBody>
          <DialogTitle>Run {name}</DialogTitle>
          <DialogContent style={{ display: 'grid', gap: 12 }}>
            <Field label="Body that the trigger is given (JSON)" validationMessage={bad || undefined}>
              <Textarea value={text} rows={8} resize="vertical" onChange={(_, d) => setText(d.value)} />
            </Field>
            {run.isError && <ErrorBox error={run.error} />}
          </DialogContent>
          <DialogActions>
            <Button onClick={close}>Cancel</Button>
            <Button
              appearance="primary"
              disabled={run.isPending}
              onClick={() => {
                try {
                  const body: unknown = text.trim() ? JSON.parse(text) : null;
                  setBad('');
                  run.mutate(body);
                } catch (e) {
                  setBad('This is not JSON: ' + (e as Error).message);
                }
              }}
            >
              Run
            </Button>
          </DialogActions>
        </DialogBody>
      </DialogSurface>
    </Dialog>
  );
}
