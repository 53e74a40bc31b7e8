import { Button, Dropdown, Field, Input, Option, Textarea } from '@fluentui/react-components';
import { AddRegular, ArrowClockwiseRegular, BookmarkMultipleRegular } from '@fluentui/react-icons';
import { useMutation, useQuery } from '@tanstack/react-query';
import { useMemo, useState } from 'react';
import { useLocation } from 'wouter';
import { FormDialog } from '../access/parts';
import { allows, useSession } from '../api/session';
import { aliasOf, csvHeader, maxUpload, watchlistsApi } from '../api/watchlists';
import { PageLink, Rows, When } from '../ui/bits';
import { Page } from '../ui/Page';
import { EmptyState, ErrorBox, Loaded } from '../ui/States';

export const watchlistPath = (alias: string) => '/watchlists/' + encodeURIComponent(alias);

export default function WatchlistsPage() {
  const { workspace, user } = useSession();
  const [, go] = useLocation();
  const may = allows(user, 'Contributor');
  const api = useMemo(() => watchlistsApi(workspace), [workspace]);
  const list = useQuery({ queryKey: ['watchlists'], queryFn: api.list });
  const [adding, setAdding] = useState(false);
  return (
    <Page
      title="Watchlists"
      subtitle="What queries look things up in"
      commands={
        <>
          <Button size="small" appearance="primary" icon={<AddRegular />} disabled={!may} onClick={() => setAdding(true)}>
            New watchlist
          </Button>
          <Button size="small" appearance="subtle" icon={<ArrowClockwiseRegular />} onClick={() => void list.refetch()}>
            Refresh
          </Button>
        </>
      }
    >
      <Loaded of={list}>
        {(all) =>
          all.length ? (
            <Rows
              label="Watchlists"
              rows={all}
              rowKey={(w) => w.name}
              first="n"
              columns={[
                { key: 'n', title: 'Name', cell: (w) => <PageLink to={watchlistPath(w.properties.watchlistAlias)}>{w.properties.displayName}</PageLink>, sort: (w) => w.properties.displayName },
                { key: 'a', title: 'Alias', cell: (w) => <code>{w.properties.watchlistAlias}</code>, sort: (w) => w.properties.watchlistAlias },
                { key: 'k', title: 'Search key', cell: (w) => w.properties.itemsSearchKey },
                { key: 's', title: 'Source', cell: (w) => w.properties.source },
                { key: 'u', title: 'Changed', cell: (w) => <When at={w.properties.updated} /> },
                { key: 'b', title: 'By', cell: (w) => w.properties.updatedBy?.name ?? '' },
                { key: 'd', title: 'Description', cell: (w) => w.properties.description ?? '' },
              ]}
            />
          ) : (
            <EmptyState
              icon={<BookmarkMultipleRegular />}
              title="No watchlists yet"
              text="A watchlist is a table of your own that rules and queries look things up in, by _GetWatchlist('alias'): important hosts, people who left, addresses that are known to be harmless."
              action={
                <Button appearance="primary" disabled={!may} onClick={() => setAdding(true)}>
                  New watchlist
                </Button>
              }
            />
          )
        }
      </Loaded>
      {adding && <Create close={() => setAdding(false)} made={(alias) => go(watchlistPath(alias))} />}
    </Page>
  );
}

function Create({ close, made }: { close: () => void; made: (alias: string) => void }) {
  const { workspace } = useSession();
  const [name, setName] = useState('');
  const [alias, setAlias] = useState('');
  const [about, setAbout] = useState('');
  const [file, setFile] = useState('');
  const [csv, setCsv] = useState('');
  const [key, setKey] = useState('');
  const columns = useMemo(() => (csv ? csvHeader(csv) : []), [csv]);
  const wanted = alias || aliasOf(name);
  const large = new Blob([csv]).size > maxUpload;
  const add = useMutation({
    mutationFn: () => watchlistsApi(workspace).save(wanted, { displayName: name.trim(), description: about.trim(), itemsSearchKey: key, source: file || 'typed.csv' }, csv),
    onSuccess: () => made(wanted),
  });
  const read = (text: string, from = '') => {
    setCsv(text);
    if (from) setFile(from);
    const cols = text ? csvHeader(text) : [];
    setKey((k) => (cols.includes(k) ? k : (cols[0] ?? '')));
  };
  return (
    <FormDialog title="New watchlist" verb="Create" ready={Boolean(name.trim() && wanted.length > 2 && csv.trim() && key) && !large} busy={add.isPending} submit={() => add.mutate()} close={close}>
      {add.isError && <ErrorBox error={add.error} />}
      <Field label="Name" required>
        <Input value={name} onChange={(_, d) => setName(d.value)} />
      </Field>
      <Field label="Alias" required hint="Queries name it: _GetWatchlist('alias').">
        <Input value={wanted} onChange={(_, d) => setAlias(d.value)} />
      </Field>
      <Field label="Description">
        <Input value={about} onChange={(_, d) => setAbout(d.value)} />
      </Field>
      <Field label="CSV file" hint="With a header line, at most 3.8 MB." validationMessage={large ? 'The text is larger than 3.8 MB.' : undefined}>
        <input type="file" accept=".csv,text/csv" aria-label="CSV file" onChange={(e) => void e.target.files?.[0]?.text().then((t) => read(t, e.target.files?.[0]?.name))} />
      </Field>
      <Field label="or its text">
        <Textarea rows={4} resize="vertical" value={csv} onChange={(_, d) => read(d.value)} />
      </Field>
      <Field label="Search key" required hint="The column by which items are found: a later upload replaces those of the same key.">
        <Dropdown value={key} selectedOptions={[key]} disabled={!columns.length} onOptionSelect={(_, d) => setKey(d.optionValue ?? '')}>
          {columns.map((c) => (
            <Option key={c}>{c}</Option>
          ))}
        </Dropdown>
      </Field>
    </FormDialog>
  );
}
