import { call, type List } from './client';
import { insightsPath, type Workspace } from './session';

const version = 'api-version=2024-03-01';

export interface Watchlist {
  name: string;
  etag?: string;
  properties: {
    watchlistAlias: string;
    displayName: string;
    description?: string;
    provider: string;
    source: string;
    itemsSearchKey: string;
    labels?: string[];
    created?: string;
    updated?: string;
    createdBy?: { name?: string };
    updatedBy?: { name?: string };
  };
}

export interface Item {
  name: string;
  properties: { itemsKeyValue: Record<string, string>; updated?: string; updatedBy?: { name?: string } };
}

/** The most text that one upload holds. */
export const maxUpload = 3_800_000;

export const watchlistsApi = (ws: Workspace) => {
  const base = insightsPath(ws) + '/watchlists';
  const one = (alias: string) => `${base}/${encodeURIComponent(alias)}`;
  return {
    list: async () => (await call<List<Watchlist>>(`${base}?${version}`)).value,
    get: (alias: string) => call<Watchlist>(`${one(alias)}?${version}`),
    /** csv '' adds no items. */
    save: (alias: string, p: { displayName: string; description: string; itemsSearchKey: string; source: string; etag?: string }, csv: string) => {
      const { etag, ...properties } = p;
      return call<Watchlist>(`${one(alias)}?${version}`, {
        method: 'PUT',
        json: { etag, properties: { ...properties, provider: 'Custom', watchlistAlias: alias, numberOfLinesToSkip: 0, contentType: 'text/csv', ...(csv ? { rawContent: csv } : {}) } },
      });
    },
    remove: (alias: string) => call<void>(`${one(alias)}?${version}`, { method: 'DELETE' }),
    /** All items, page after page, up to most; more says that there are further ones. */
    items: async (alias: string, most = 10_000): Promise<{ items: Item[]; more: boolean }> => {
      const items: Item[] = [];
      let next: string | undefined = `${one(alias)}/watchlistItems?${version}`;
      while (next && items.length < most) {
        const page: List<Item> = await call<List<Item>>(next);
        items.push(...page.value);
        next = page.nextLink?.replace(/^https?:\/\/[^/]+/, '');
      }
      return { items, more: next != null };
    },
    saveItem: (alias: string, id: string, itemsKeyValue: Record<string, string>) => call<Item>(`${one(alias)}/watchlistItems/${encodeURIComponent(id)}?${version}`, { method: 'PUT', json: { properties: { itemsKeyValue } } }),
    removeItem: (alias: string, id: string) => call<void>(`${one(alias)}/watchlistItems/${encodeURIComponent(id)}?${version}`, { method: 'DELETE' }),
  };
};

/** The names in a CSV text's header line (RFC 4180). */
export function csvHeader(text: string): string[] {
  const out: string[] = [];
  let cell = '';
  let quoted = false;
  for (let i = text.startsWith('\uFEFF') ? 1 : 0; i < text.length; i++) {
    const c = text[i]!;
    if (quoted) {
      if (c !== '"') cell += c;
      else if (text[i + 1] === '"') {
        cell += '"';
        i++;
      } else quoted = false;
    } else if (c === '"' && cell === '') quoted = true;
    else if (c === ',') {
      out.push(cell);
      cell = '';
    } else if (c === '\n' || c === '\r') break;
    else cell += c;
  }
  out.push(cell);
  return out.map((s) => s.trim()).filter(Boolean);
}

/** An alias made of a name: letters, digits and hyphens. */
export const aliasOf = (name: string) => name.replace(/[^A-Za-z0-9_-]+/g, '-').replace(/^[-_]+|[-_]+$/g, '').slice(0, 64);
