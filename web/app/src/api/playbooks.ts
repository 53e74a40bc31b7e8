import { call, type List } from './client';

export interface Need {
  kind: string;
  name: string;
  text: string;
  action?: string;
  block?: boolean;
}

export interface Param {
  name: string;
  type: string;
  default?: unknown;
  value?: unknown;
  allowed?: string[];
  help?: string;
  required?: boolean;
}

export interface Playbook {
  name: string;
  enabled: boolean;
  trigger: { name: string; type: string; summary: string; callable?: boolean; next?: string };
  created?: string;
  changed?: string;
  needs: Need[] | null;
  lastRun?: Run;
  definition?: { actions?: Record<string, unknown>; [k: string]: unknown };
  parameters?: Param[];
}

export interface Inspection {
  /** A bare definition has no name of its own: deploy wants one. */
  needsName?: boolean;
  parameters: Param[] | null;
  needs: Need[] | null;
  resources: string[] | null;
}

export interface Run {
  id: string;
  status: string;
  start: string;
  end?: string;
  trigger?: string;
  code?: string;
  error?: string;
}

export interface Action {
  name: string;
  type: string;
  parent?: string;
  repetition?: string;
  status: string;
  start?: string;
  end?: string;
  code?: string;
  error?: string;
  inputs?: unknown;
  outputs?: unknown;
  retries?: number;
}

export interface RunDetail extends Run {
  triggerInputs?: unknown;
  triggerOutputs?: unknown;
  actions: Action[] | null;
  /** Actions past the first thousand. */
  omitted?: number;
}

const one = (name: string, tail = '') => `/api/v1/playbooks/${encodeURIComponent(name)}${tail}`;

export const playbooksApi = {
  list: async () => (await call<List<Playbook>>('/api/v1/playbooks')).value,
  get: (name: string) => call<Playbook>(one(name)),
  inspect: (template: unknown) => call<Inspection>('/api/v1/playbooks/inspect', { json: { template } }),
  deploy: async (d: { template: unknown; parameters: Record<string, unknown>; allowNeeds: boolean; name: string }) => (await call<List<Playbook>>('/api/v1/playbooks', { json: d })).value,
  setEnabled: (name: string, enabled: boolean) => call<void>(one(name), { method: 'PATCH', json: { enabled } }),
  remove: (name: string) => call<void>(one(name), { method: 'DELETE' }),
  callbackUrl: async (name: string) => (await call<{ value: string }>(one(name, '/callbackUrl'), { method: 'POST' })).value,
  run: async (name: string, body: unknown) => (await call<{ run: string }>(one(name, '/run'), { json: { body } })).run,
  runs: async (name: string) => (await call<List<Run>>(one(name, '/runs'))).value,
  runDetail: (name: string, run: string) => call<RunDetail>(one(name, '/runs/' + encodeURIComponent(run))),
  resubmit: async (name: string, run: string) => (await call<{ run: string }>(one(name, `/runs/${encodeURIComponent(run)}/resubmit`), { method: 'POST' })).run,
  cancel: (name: string, run: string) => call<void>(one(name, `/runs/${encodeURIComponent(run)}/cancel`), { method: 'POST' }),
};
