import { call, downloadFile, type List } from './client';

export interface TokenKind {
  kind: string;
  title: string;
  about: string;
  fileNames?: string[];
  extension?: string;
  document: boolean;
}

/** Where a token was placed: the five fields of the memo, in its order. */
export interface Memo {
  computername?: string;
  publicIp?: string;
  privateIp?: string;
  sharePath?: string;
  description?: string;
}

export interface Decoy {
  title?: string;
  fields?: string[];
  rows?: number;
  text?: string;
}

export interface Notification {
  id: string;
  kind: 'mail' | 'webhook';
  target: string;
  hits: number;
  status: 'pending' | 'done' | 'dead';
  created: string;
  next?: string;
  done?: string;
  attempts: number;
  lastStatus?: number;
  lastError?: string;
}

export interface Token {
  token: string;
  kind: string;
  kindTitle: string;
  fileName?: string;
  memo: string;
  freeMemo?: boolean;
  place: Memo;
  owner?: string;
  tags?: string[];
  created: string;
  expires?: string;
  status: 'enabled' | 'disabled' | 'expired';
  recipients?: string[];
  webhooks?: string[];
  emailEnabled: boolean;
  webhookEnabled: boolean;
  ignored?: string[];
  hits: number;
  lastHit?: string;
  url?: string;
  hostname?: string;
  ownDocument?: boolean;
  notifications?: Notification[];
  warnings?: string[];
  auth?: string;
}

export interface NewToken {
  kind: string;
  fileName: string;
  memo?: Memo;
  memoText?: string;
  decoy?: Decoy;
  recipients: string[];
  webhooks: string[];
  playbooks: string[];
  owner?: string;
  tags: string[];
  expires?: string;
}

export interface Hit {
  id: string;
  time: string;
  sourceIp: string;
  channel: string;
  method?: string;
  path?: string;
  userAgent?: string;
  referer?: string;
  queryName?: string;
  queryType?: string;
  countryCode?: string;
  country?: string;
  city?: string;
  lat?: number;
  lon?: number;
  org?: string;
  tor: boolean | null;
  onHost?: boolean;
  resolver?: boolean;
  status: string;
  likelyBenign?: string;
  count: number;
  headers?: [string, string][];
  args?: [string, string][];
}

const one = (id: string, tail = '') => `/api/v1/tokens/${encodeURIComponent(id)}${tail}`;

export const tokensApi = {
  kinds: () => call<List<TokenKind> & { decoyFields: string[] }>('/api/v1/tokenKinds'),
  list: (q: { search?: string; kind?: string; status?: string; after?: string }) =>
    call<List<Token> & { next: string }>('/api/v1/tokens?' + new URLSearchParams(Object.entries(q).filter(([, v]) => v) as [string, string][])),
  get: (id: string) => call<Token>(one(id)),
  create(n: NewToken, document: File | null) {
    if (!document) return call<Token>('/api/v1/tokens', { json: n });
    const form = new FormData();
    form.set('token', JSON.stringify(n));
    form.set('document', document);
    return call<Token>('/api/v1/tokens', { body: form });
  },
  update: (id: string, change: object) => call<Token>(one(id), { method: 'PATCH', json: change }),
  remove: (id: string) => call<void>(one(id), { method: 'DELETE' }),
  download: (id: string) => downloadFile(one(id, '/download')),
  history: async (id: string) => (await call<List<Hit>>(one(id, '/history?top=2000'))).value,
  test: (url: string, playbook = '') => call<{ ok: boolean; note: string }>('/api/v1/tokens/test', { json: { url, playbook } }),
  retry: (notification: string) => call<void>(`/api/v1/notifications/${encodeURIComponent(notification)}/retry`, { method: 'POST' }),
};

/** Why a name does not fit a token's kind, or ''. */
export function fileNameProblem(name: string, extension: string | undefined): string {
  if (!name) return '';
  if (/[/\\:*?"<>|]/.test(name) || /^\.|\.$|^\s|\s$/.test(name)) return 'This can’t be a file name everywhere: leave out / \\ : * ? " < > | and dots or spaces at the ends.';
  if (extension && !name.toLowerCase().endsWith(extension)) return `The name must end in ${extension}.`;
  return '';
}
