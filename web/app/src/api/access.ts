import { call, type List } from './client';
import type { User } from './session';

export type Role = User['role'];
/** issuer is the provider that the person signs in with; without it, by a password. */
export type Account = User & { lastSeen?: string; issuer?: string };

/** What signs in without being a person: the secret is never told again. */
export interface Grant {
  id: string;
  kind: 'principal' | 'identity' | 'token' | 'signin';
  name: string;
  role: string;
  created?: string;
  expires?: string;
  disabled?: boolean;
  lastUsed?: string;
  /** The person of a personal token, or of a sign-in to a tool. */
  owner?: string;
  redirectUris?: string[];
}

/** A new grant's secrets, this once. */
export interface Made {
  name?: string;
  clientId?: string;
  clientSecret?: string;
  identityHeader?: string;
  token?: string;
}

const one = (id: string) => '/api/v1/access/' + encodeURIComponent(id);
const account = (name: string, tail = '') => '/api/v1/accounts/' + encodeURIComponent(name) + tail;

export const accessApi = {
  accounts: async () => (await call<List<Account>>('/api/v1/accounts')).value,
  addAccount: (a: { name: string; displayName: string; role: Role }) => call<{ password: string }>('/api/v1/accounts', { json: a }),
  changeAccount: (name: string, c: { role?: Role; disabled?: boolean }) => call<User>(account(name), { method: 'PATCH', json: c }),
  resetAccount: (name: string) => call<{ password: string }>(account(name, '/reset'), { method: 'POST' }),
  removeAccount: (name: string) => call<void>(account(name), { method: 'DELETE' }),
  grants: async () => (await call<List<Grant>>('/api/v1/access')).value,
  give: (g: { kind: string; name: string; role: Role; days: number; redirectUris?: string[] }) => call<Made>('/api/v1/access', { json: g }),
  change: (id: string, c: { role?: Role; disabled?: boolean }) => call<Grant>(one(id), { method: 'PATCH', json: c }),
  newSecret: (id: string) => call<Made>('/api/v1/access/secrets/' + encodeURIComponent(id), { method: 'POST' }),
  revoke: (id: string) => call<void>(one(id), { method: 'DELETE' }),
  mine: async () => (await call<List<Grant>>('/api/v1/access/mine')).value,
  makeToken: (t: { name: string; role: Role; days: number }) => call<Made>('/api/v1/access/mine', { json: t }),
  revokeMine: (id: string) => call<void>('/api/v1/access/mine/' + encodeURIComponent(id), { method: 'DELETE' }),
};
