import { Button, Field, Input, Switch, makeStyles, tokens } from '@fluentui/react-components';
import { AddRegular, DeleteRegular, SearchRegular, SearchSquareRegular } from '@fluentui/react-icons';
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { useMemo, useState } from 'react';
import { useLocation } from 'wouter';
import { FormDialog, Sure } from '../access/parts';
import { ApiError } from '../api/client';
import { allows, useSession } from '../api/session';
import { maxUpload, watchlistsApi, type Item, type Watchlist } from '../api/watchlists';
import { logsLink } from '../logs/timerange';
import { When } from '../ui/bits';
import { DataGrid } from '../ui/DataGrid';
import { plural } from '../ui/format';
import { Page } from '../ui/Page';
import { EmptyState, ErrorBox, Loaded } from '../ui/States';

const useStyles = makeStyles({
  page: { display: 'grid', gridTemplateRows: 'auto minmax(0, 1fr)', height: '100%', minHeight: 0 },
  top: { padding: '8px 24px', display: 'grid', gap: '8px' },
  meta: { display: 'flex', flexWrap: 'wrap', gap: '4px 20px', fontSize: '13px', color: tokens.colorNeutralForeground2, alignItems: 'center' },
  grid: { minHeight: '240px', borderTop: `1px solid ${tokens.colorNeutralStroke2}` },
});

export default function WatchlistPage({ alias }: { alias: string }) {
  const styles = useStyles();
  const { workspace, user } = useSession();
  const [, go] = useLocation();
  const client = useQueryClient();
  const may = allows(user, 'Contributor');
  const api = useMemo(() => watchlistsApi(workspace), [workspace]);
  const list = useQuery({ queryKey: ['watchlists', alias], queryFn: () => api.get(alias) });
  const items = useQuery({ queryKey: ['watchlists', alias, 'items'], queryFn: () => api.items(alias) });
  const [search, setSearch] = useState('');
  const [editing, setEditing] = useState<Item | 'new' | null>(null);
  const [sure, setSure] = useState(false);
  const fresh = () => void client.invalidateQueries({ queryKey: ['watchlists'] });
  const upload = useMutation({
    mutationFn: async (f: File) => {
      if (f.size > maxUpload) throw new Error(`${f.name} is larger than 3.8 MB.`);
      const w = list.data as Watchlist;
      return api.save(alias, { displayName: w.properties.displayName, description: w.properties.description ?? '', itemsSearchKey: w.properties.itemsSearchKey, source: f.name, etag: w.etag }, await f.text());
    },
    onSettled: fresh,
  });
  const remove = useMutation({
    mutationFn: () => api.remove(alias),
    onSuccess: () => {
      fresh();
      go('/watchlists');
    },
  });
  const crumbs = [{ to: '/watchlists', label: 'Watchlists' }];
  const all = useMemo(() => items.data?.items ?? [], [items.data]);
  const columns = useMemo(() => {
    const names = new Set<string>();
    for (const i of all) for (const k of Object.keys(i.properties.itemsKeyValue)) names.add(k);
    const key = list.data?.properties.itemsSearchKey;
    return [...names].sort((a, b) => Number(b === key) - Number(a === key));
  }, [all, list.data]);
  const shown = useMemo(() => {
    const q = search.trim().toLowerCase();
    return q ? all.filter((i) => Object.values(i.properties.itemsKeyValue).some((v) => v.toLowerCase().includes(q))) : all;
  }, [all, search]);
  const rows = useMemo(() => shown.map((i) => columns.map((c) => i.properties.itemsKeyValue[c] ?? '')), [shown, columns]);
  if (list.error instanceof ApiError && list.error.status === 404)
    return (
      <Page title={alias} crumbs={crumbs}>
        <EmptyState title="There is no such watchlist" text="It may have been deleted." />
      </Page>
    );
  const w = list.data;
  return (
    <Page
      title={w?.properties.displayName ?? alias}
      subtitle={w?.properties.description}
      crumbs={crumbs}
      flush
      commands={
        <>
          <Button size="small" appearance="primary" icon={<AddRegular />} disabled={!may || !w} onClick={() => setEditing('new')}>
            Add an item
          </Button>
          <Button size="small" appearance="subtle" icon={<SearchSquareRegular />} onClick={() => go(logsLink(`_GetWatchlist('${alias}')`, '24h'))}>
            Open in Logs
          </Button>
          <Button size="small" appearance="subtle" icon={<DeleteRegular />} disabled={!may} onClick={() => setSure(true)}>
            Delete
          </Button>
        </>
      }
    >
      <Loaded of={items}>
        {(x) => (
          <div className={styles.page}>
            <div className={styles.top}>
              {[upload.error, remove.error].map((e, i) => (e ? <ErrorBox key={i} error={e} /> : null))}
              <div className={styles.meta}>
                <span>{plural(x.items.length, 'item')}{x.more ? ', and more that are not listed' : ''}</span>
                <span>
                  Alias <code>{alias}</code>
                </span>
                <span>Search key {w?.properties.itemsSearchKey}</span>
                <span>
                  Changed <When at={w?.properties.updated} />
                </span>
                <Input size="small" contentBefore={<SearchRegular />} aria-label="Find an item" placeholder="Find an item" value={search} onChange={(_, d) => setSearch(d.value)} />
                {may && (
                  <label>
                    Upload a CSV file{' '}
                    <input
                      type="file"
                      accept=".csv,text/csv"
                      disabled={upload.isPending || !w}
                      onChange={(e) => {
                        if (e.target.files?.[0]) upload.mutate(e.target.files[0]);
                        e.target.value = '';
                      }}
                    />
                  </label>
                )}
              </div>
            </div>
            {rows.length ? (
              <div className={styles.grid}>
                <DataGrid key={columns.join()} columns={columns.map((name) => ({ name, type: 'string' }))} rows={rows} label="Items" onPick={may ? (r) => setEditing(shown[rows.indexOf(r as string[])] ?? null) : undefined} />
              </div>
            ) : (
              <EmptyState title={search ? 'No item has that' : 'No items'} text={search ? 'Nothing in this watchlist contains what you look for.' : 'Add one, or upload a CSV file.'} />
            )}
          </div>
        )}
      </Loaded>
      {editing && w && <Edit alias={alias} item={editing === 'new' ? null : editing} columns={columns.length ? columns : [w.properties.itemsSearchKey]} close={() => setEditing(null)} done={() => { setEditing(null); fresh(); }} />}
      {sure && <Sure title={`Delete ${w?.properties.displayName ?? alias}?`} verb="Delete" text="Rules and queries that name it find nothing from then on." go={() => remove.mutate()} close={() => setSure(false)} />}
    </Page>
  );
}

function Edit({ alias, item, columns, close, done }: { alias: string; item: Item | null; columns: string[]; close: () => void; done: () => void }) {
  const { workspace } = useSession();
  const api = useMemo(() => watchlistsApi(workspace), [workspace]);
  const [values, setValues] = useState<Record<string, string>>(item?.properties.itemsKeyValue ?? {});
  const [drop, setDrop] = useState(false);
  const save = useMutation({ mutationFn: () => (item && drop ? api.removeItem(alias, item.name) : api.saveItem(alias, item?.name ?? crypto.randomUUID(), values).then(() => undefined)), onSuccess: done });
  return (
    <FormDialog title={item ? 'Item' : 'New item'} verb={drop ? 'Delete' : 'Save'} ready={drop || Object.values(values).some((v) => v.trim())} busy={save.isPending} submit={() => save.mutate()} close={close}>
      {save.isError && <ErrorBox error={save.error} />}
      {columns.map((c) => (
        <Field key={c} label={c}>
          <Input value={values[c] ?? ''} disabled={drop} onChange={(_, d) => setValues({ ...values, [c]: d.value })} />
        </Field>
      ))}
      {item && <Switch label="Delete this item" checked={drop} onChange={(_, d) => setDrop(d.checked)} />}
    </FormDialog>
  );
}
