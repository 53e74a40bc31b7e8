import { Button, Switch, Tooltip } from '@fluentui/react-components';
import { AddRegular, ArrowClockwiseRegular, ArrowDownRegular, ArrowUpRegular, FlashFlowRegular } from '@fluentui/react-icons';
import { useMutation, useQuery } from '@tanstack/react-query';
import { useMemo } from 'react';
import { useLocation } from 'wouter';
import { actionText, automationApi, conditionText, type AutomationRule } from '../api/automation';
import { rulesApi } from '../api/rules';
import { allows, useSession } from '../api/session';
import { PageLink, Rows, When } from '../ui/bits';
import { Page } from '../ui/Page';
import { EmptyState, ErrorBox, Loaded } from '../ui/States';

export const triggerText = (r: AutomationRule) => {
  const t = r.properties.triggeringLogic;
  return `${t.triggersOn === 'Alerts' ? 'An alert' : 'An incident'} is ${t.triggersWhen.toLowerCase()}`;
};

export default function AutomationPage() {
  const { workspace, user } = useSession();
  const [, go] = useLocation();
  const may = allows(user, 'Contributor');
  const api = useMemo(() => automationApi(workspace), [workspace]);
  const list = useQuery({ queryKey: ['automation'], queryFn: api.list });
  const rules = useQuery({ queryKey: ['rules'], queryFn: () => rulesApi(workspace).list(), retry: false });
  const ruleName = (id: string) => rules.data?.find((r) => r.name.toLowerCase() === id.toLowerCase())?.properties.displayName ?? id;
  const fresh = () => void list.refetch();
  const turn = useMutation({
    mutationFn: (r: AutomationRule) => api.save({ ...r, properties: { ...r.properties, triggeringLogic: { ...r.properties.triggeringLogic, isEnabled: !r.properties.triggeringLogic.isEnabled } } }),
    onSettled: fresh,
  });
  // Rules of one order run by name: moving gives each its own.
  const move = useMutation({
    mutationFn: async ({ all, from, by }: { all: AutomationRule[]; from: number; by: number }) => {
      const next = [...all];
      const [r] = next.splice(from, 1);
      next.splice(from + by, 0, r!);
      for (let i = 0; i < next.length; i++) {
        const x = next[i]!;
        if (x.properties.order !== i + 1) await api.save({ ...x, properties: { ...x.properties, order: i + 1 } });
      }
    },
    onSettled: fresh,
  });
  return (
    <Page
      title="Automation"
      subtitle="What is done with incidents by itself"
      commands={
        <>
          <Button size="small" appearance="primary" icon={<AddRegular />} disabled={!may} onClick={() => go('/automation/new')}>
            Create a rule
          </Button>
          <Button size="small" appearance="subtle" icon={<ArrowClockwiseRegular />} onClick={fresh}>
            Refresh
          </Button>
        </>
      }
    >
      {[turn.error, move.error].map((e, i) => (e ? <ErrorBox key={i} error={e} /> : null))}
      <Loaded of={list}>
        {(all) =>
          all.length ? (
            <Rows
              label="Automation rules"
              rows={all}
              rowKey={(r) => r.name}
              columns={[
                {
                  key: 'o',
                  title: 'Order',
                  width: '110px',
                  cell: (r) => (
                    <span style={{ display: 'inline-flex', alignItems: 'center', gap: 2 }}>
                      {r.properties.order}
                      <Tooltip content={`Run ${r.properties.displayName} earlier`} relationship="label">
                        <Button size="small" appearance="subtle" icon={<ArrowUpRegular />} disabled={!may || move.isPending || all.indexOf(r) === 0} onClick={() => move.mutate({ all, from: all.indexOf(r), by: -1 })} />
                      </Tooltip>
                      <Tooltip content={`Run ${r.properties.displayName} later`} relationship="label">
                        <Button size="small" appearance="subtle" icon={<ArrowDownRegular />} disabled={!may || move.isPending || all.indexOf(r) === all.length - 1} onClick={() => move.mutate({ all, from: all.indexOf(r), by: 1 })} />
                      </Tooltip>
                    </span>
                  ),
                },
                { key: 'n', title: 'Name', cell: (r) => <PageLink to={'/automation/' + encodeURIComponent(r.name)}>{r.properties.displayName}</PageLink> },
                { key: 't', title: 'When', cell: triggerText },
                { key: 'c', title: 'If', cell: (r) => r.properties.triggeringLogic.conditions.map((c) => conditionText(c, ruleName)).join(', and ') || 'always' },
                { key: 'a', title: 'Then', cell: (r) => r.properties.actions.map(actionText).join(', then ') },
                { key: 'x', title: 'Ends', cell: (r) => (r.properties.triggeringLogic.expirationTimeUtc ? <When at={r.properties.triggeringLogic.expirationTimeUtc} /> : 'never') },
                { key: 'e', title: 'On', cell: (r) => <Switch aria-label={`${r.properties.displayName} on`} checked={r.properties.triggeringLogic.isEnabled} disabled={!may || turn.isPending} onChange={() => turn.mutate(r)} /> },
              ]}
            />
          ) : (
            <EmptyState
              icon={<FlashFlowRegular />}
              title="No automation rules yet"
              text="An automation rule acts on incidents as they come or change: it assigns them, tags them, closes what is known to be harmless, adds tasks, and runs playbooks."
              action={
                <Button appearance="primary" disabled={!may} onClick={() => go('/automation/new')}>
                  Create a rule
                </Button>
              }
            />
          )
        }
      </Loaded>
    </Page>
  );
}
