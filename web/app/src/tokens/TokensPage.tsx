import { Button, Caption1, Dropdown, Input, MessageBar, MessageBarBody, Option, makeStyles } from '@fluentui/react-components';
import { AddRegular, ArrowClockwiseRegular, DocumentKeyRegular, SearchRegular } from '@fluentui/react-icons';
import { useInfiniteQuery, useQuery } from '@tanstack/react-query';
import { useDeferredValue, useState } from 'react';
import { useLocation } from 'wouter';
import { allows, useSession } from '../api/session';
import { tokensApi } from '../api/tokens';
import { PageLink, Rows, When } from '../ui/bits';
import { plural } from '../ui/format';
import { Page } from '../ui/Page';
import { EmptyState, Loaded } from '../ui/States';
import { TokenStatus, loopbackWarning } from './bits';

const useStyles = makeStyles({
  filters: { display: 'flex', gap: '8px', alignItems: 'center', marginBottom: '12px', flexWrap: 'wrap' },
  more: { padding: '12px', display: 'flex', justifyContent: 'center' },
  warn: { marginBottom: '12px' },
});

export default function TokensPage() {
  const styles = useStyles();
  const { user, tripUrl } = useSession();
  const [, go] = useLocation();
  const [find, setFind] = useState('');
  const [kind, setKind] = useState('');
  const [status, setStatus] = useState('');
  const search = useDeferredValue(find);
  const kinds = useQuery({ queryKey: ['tokenKinds'], queryFn: tokensApi.kinds, staleTime: Infinity });
  const list = useInfiniteQuery({
    queryKey: ['tokens', search, kind, status],
    queryFn: ({ pageParam }) => tokensApi.list({ search, kind, status, after: pageParam }),
    initialPageParam: '',
    getNextPageParam: (p) => p.next || undefined,
    refetchInterval: 15_000,
  });
  const rows = list.data?.pages.flatMap((p) => p.value) ?? [];
  const may = allows(user, 'Contributor');
  const warning = loopbackWarning(tripUrl);
  const filtered = search || kind || status;
  return (
    <Page
      title="Tokens"
      subtitle="Decoys that call home when somebody uses them"
      commands={
        <>
          <Button size="small" appearance="primary" icon={<AddRegular />} disabled={!may} onClick={() => go('/tokens/new')}>
            Create token
          </Button>
          <Button size="small" appearance="subtle" icon={<ArrowClockwiseRegular />} onClick={() => void list.refetch()}>
            Refresh
          </Button>
        </>
      }
    >
      {warning && (
        <MessageBar intent="warning" className={styles.warn}>
          <MessageBarBody>{warning}</MessageBarBody>
        </MessageBar>
      )}
      <div className={styles.filters}>
        <Input size="small" contentBefore={<SearchRegular />} placeholder="Name, memo, owner" aria-label="Search tokens" value={find} onChange={(_, d) => setFind(d.value)} />
        <Dropdown size="small" aria-label="Kind" value={'Kind: ' + (kinds.data?.value.find((k) => k.kind === kind)?.title ?? 'All')} selectedOptions={[kind]} onOptionSelect={(_, d) => setKind(d.optionValue ?? '')}>
          <Option value="">All</Option>
          <>
            {kinds.data?.value.map((k) => (
              <Option key={k.kind} value={k.kind}>
                {k.title}
              </Option>
            ))}
          </>
        </Dropdown>
        <Dropdown size="small" aria-label="Status" value={'Status: ' + (status || 'All')} selectedOptions={[status]} onOptionSelect={(_, d) => setStatus(d.optionValue ?? '')}>
          <Option value="">All</Option>
          <Option>enabled</Option>
          <Option>disabled</Option>
          <Option>expired</Option>
        </Dropdown>
        <Caption1 role="status">{list.data ? plural(rows.length, 'token') + (list.hasNextPage ? ' so far' : '') : ''}</Caption1>
      </div>
      <Loaded of={list}>
        {() =>
          rows.length ? (
            <>
              <Rows
                label="Tokens"
                rows={rows}
                rowKey={(t) => t.token}
                columns={[
                  { key: 'n', title: 'Name', cell: (t) => <PageLink to={'/tokens/' + t.token}>{t.fileName || t.hostname || t.kindTitle}</PageLink> },
                  { key: 'k', title: 'Kind', cell: (t) => t.kindTitle },
                  { key: 'h', title: 'Host', cell: (t) => t.place.computername || '' },
                  { key: 's', title: 'Share', cell: (t) => t.place.sharePath || '' },
                  { key: 'd', title: 'Description', cell: (t) => t.place.description || '' },
                  { key: 'o', title: 'Owner', cell: (t) => t.owner || '' },
                  { key: 'x', title: 'Trips', cell: (t) => t.hits.toLocaleString(), width: '60px' },
                  { key: 'l', title: 'Last trip', cell: (t) => <When at={t.lastHit} />, width: '110px' },
                  { key: 'c', title: 'Created', cell: (t) => <When at={t.created} />, width: '110px' },
                  { key: 't', title: 'Status', cell: (t) => <TokenStatus of={t} />, width: '90px' },
                ]}
              />
              {list.hasNextPage && (
                <div className={styles.more}>
                  <Button disabled={list.isFetchingNextPage} onClick={() => void list.fetchNextPage()}>
                    More
                  </Button>
                </div>
              )}
            </>
          ) : filtered ? (
            <EmptyState title="No token fits" text="Other filters may show some." />
          ) : (
            <EmptyState
              icon={<DocumentKeyRegular />}
              title="No tokens yet"
              text="A token is bait: a document, a link or a name that nobody has a reason to touch. Make one, place it on a share, and whoever opens it trips it: you get a row, a message, and with a rule an incident."
              action={
                <Button appearance="primary" icon={<AddRegular />} disabled={!may} onClick={() => go('/tokens/new')}>
                  Create the first token
                </Button>
              }
            />
          )
        }
      </Loaded>
    </Page>
  );
}
