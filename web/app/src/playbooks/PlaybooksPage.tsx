import { Badge, Button, Switch } from '@fluentui/react-components';
import { AddRegular, ArrowClockwiseRegular, FlowchartRegular } from '@fluentui/react-icons';
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { useLocation } from 'wouter';
import { playbooksApi, type Playbook } from '../api/playbooks';
import { allows, useSession } from '../api/session';
import { PageLink, Rows, StatusBadge, When } from '../ui/bits';
import { plural } from '../ui/format';
import { Page } from '../ui/Page';
import { EmptyState, ErrorBox, Loaded } from '../ui/States';

export const playbookPath = (name: string, tail = '') => '/playbooks/' + encodeURIComponent(name) + tail;

export default function PlaybooksPage() {
  const { user } = useSession();
  const [, go] = useLocation();
  const client = useQueryClient();
  const may = allows(user, 'Contributor');
  const list = useQuery({ queryKey: ['playbooks'], queryFn: playbooksApi.list, refetchInterval: 10_000 });
  const turn = useMutation({
    mutationFn: (p: Playbook) => playbooksApi.setEnabled(p.name, !p.enabled),
    onSettled: () => void client.invalidateQueries({ queryKey: ['playbooks'] }),
  });
  return (
    <Page
      title="Playbooks"
      subtitle="Logic Apps definitions, run here"
      commands={
        <>
          <Button size="small" appearance="primary" icon={<AddRegular />} disabled={!may} onClick={() => go('/playbooks/deploy')}>
            Deploy a template
          </Button>
          <Button size="small" appearance="subtle" icon={<ArrowClockwiseRegular />} onClick={() => void list.refetch()}>
            Refresh
          </Button>
        </>
      }
    >
      {turn.isError && <ErrorBox error={turn.error} />}
      <Loaded of={list}>
        {(all) =>
          all.length ? (
            <Rows
              label="Playbooks"
              rows={all}
              rowKey={(p) => p.name}
              columns={[
                { key: 'n', title: 'Name', cell: (p) => <PageLink to={playbookPath(p.name)}>{p.name}</PageLink> },
                { key: 't', title: 'Trigger', cell: (p) => p.trigger.summary },
                { key: 'e', title: 'On', cell: (p) => <Switch aria-label={`${p.name} on`} checked={p.enabled} disabled={!may || turn.isPending} onChange={() => turn.mutate(p)} />, width: '70px' },
                {
                  key: 'r',
                  title: 'Ready',
                  cell: (p) =>
                    p.needs?.length ? (
                      <Badge color={p.needs.some((n) => n.block) ? 'danger' : 'warning'} appearance="tint">
                        {plural(p.needs.length, 'need')}
                      </Badge>
                    ) : (
                      <Badge color="success" appearance="tint">
                        Ready
                      </Badge>
                    ),
                },
                { key: 'l', title: 'Last run', cell: (p) => (p.lastRun ? <StatusBadge status={p.lastRun.status} /> : 'none') },
                { key: 'w', title: 'Started', cell: (p) => <When at={p.lastRun?.start} /> },
                { key: 'x', title: 'Next', cell: (p) => <When at={p.trigger.next} /> },
                { key: 'c', title: 'Changed', cell: (p) => <When at={p.changed} /> },
              ]}
            />
          ) : (
            <EmptyState
              icon={<FlowchartRegular />}
              title="No playbooks yet"
              text="A playbook reacts: it is started by a call, by time, or by an incident. Take any azuredeploy.json with a Logic Apps definition, such as those of the Azure-Sentinel repository; it runs as it is."
              action={
                <Button appearance="primary" disabled={!may} onClick={() => go('/playbooks/deploy')}>
                  Deploy a template
                </Button>
              }
            />
          )
        }
      </Loaded>
    </Page>
  );
}
