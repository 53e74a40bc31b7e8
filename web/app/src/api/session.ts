import { createContext, useContext } from 'react';
import { call } from './client';

export interface User {
  id: string;
  name: string;
  displayName: string;
  role: 'Reader' | 'Responder' | 'Contributor' | 'Owner';
  mustChangePassword: boolean;
  disabled?: boolean;
}

export interface Workspace {
  id: string;
  tenantId: string;
  subscriptionId: string;
  resourceGroup: string;
  name: string;
  location: string;
}

export interface Session {
  user: User | null;
  csrf?: string;
  workspace?: Workspace;
  version?: string;
  demo?: boolean;
  /** Signed out: the text of the identity provider's button. */
  sso?: string;
  tripUrl?: string;
  hostMap?: Record<string, string>;
  rooms?: Record<string, boolean>;
}

/** A session of someone who is signed in. */
export interface SignedIn extends Session {
  user: User;
  workspace: Workspace;
}

export const SessionContext = createContext<SignedIn | null>(null);

export function useSession(): SignedIn {
  const s = useContext(SessionContext);
  if (!s) throw new Error('BUG: a page outside the session');
  return s;
}

/** What each role may do. */
export const roleWords: Record<User['role'], string> = {
  Reader: 'reads and queries',
  Responder: 'works incidents, runs playbooks',
  Contributor: 'changes rules, playbooks and tokens, sends data',
  Owner: 'everything, access included',
};

const rank = { Reader: 1, Responder: 2, Contributor: 3, Owner: 4 };
export function allows(u: User, need: User['role']): boolean {
  return rank[u.role] >= rank[need];
}

export const getSession = () => call<Session>('/api/v1/session');
export const signIn = (name: string, password: string) => call<Session>('/api/v1/session', { json: { name, password } });
export const signOut = () => call<void>('/api/v1/session', { method: 'DELETE' });
export const changePassword = (current: string, next: string) =>
  call<Session>('/api/v1/password', { json: { current, new: next } });

/** The workspace's path in Azure Resource Manager. */
export function workspacePath(w: Workspace): string {
  return `/subscriptions/${w.subscriptionId}/resourceGroups/${w.resourceGroup}/providers/Microsoft.OperationalInsights/workspaces/${w.name}`;
}

/** The path under which incidents and rules live. */
export function insightsPath(w: Workspace): string {
  return workspacePath(w) + '/providers/Microsoft.SecurityInsights';
}
