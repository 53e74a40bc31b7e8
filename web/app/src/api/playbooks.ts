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
  tracked?: unknown;
}

/** A workflow as it is drawn; branches are "actions", "else", "default" or a case's name. */
export interface Graph {
  workflow: string;
  version: string;
  triggers: { name: string; type: string; description?: string; connector?: string; operation?: string; needs?: string[] }[];
  actions: GraphAction[];
}

export interface GraphAction {
  name: string;
  type: string;
  description?: string;
  connector?: string;
  operation?: string;
  expression?: string;
  needs?: string[];
  static?: boolean;
  runAfter: { action: string; statuses: string[] }[];
  branches?: { name: string; case?: unknown; actions: GraphAction[] }[];
  loops?: string[];
}

export interface Step {
  name: string;
  /** "" has not begun. */
  status: string;
  repetition?: string;
  code?: string;
  error?: string;
  started?: string;
  ended?: string;
  iterations?: number;
  retries?: number;
  /** Over all repetitions, inside loops. */
  counts?: Record<string, number>;
}

export interface RunStates extends Run {
  triggerName?: string;
  triggerInputs?: unknown;
  triggerOutputs?: unknown;
  steps: Record<string, Step>;
}

/** What an action would send. */
export interface Call {
  action: string;
  type: string;
  repetition?: string;
  api?: string;
  method?: string;
  target?: string;
  inputs?: unknown;
}

export interface Tried {
  /** "" when the trigger's conditions weren't met. */
  status: string;
  error?: string;
  needs: Need[];
  calls: Call[];
  actions: Action[];
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
  graph: (name: string) => call<Graph>(one(name, '/graph')),
  runGraph: (name: string, run: string) => call<Graph>(one(name, `/runs/${encodeURIComponent(run)}/graph`)),
  /** turns chooses the iteration of each loop, from 0. */
  states: (name: string, run: string, turns: Readonly<Record<string, number>>) => {
    const q = new URLSearchParams(Object.entries(turns).map(([l, n]) => ['at', `${l}:${n}`]));
    return call<RunStates>(one(name, `/runs/${encodeURIComponent(run)}/states?${q}`));
  },
  repetition: async (name: string, run: string, action: string, repetition: string) =>
    (await call<List<Action>>(one(name, `/runs/${encodeURIComponent(run)}/actions/${encodeURIComponent(action)}?${new URLSearchParams({ repetition })}`))).value[0] ?? null,
  failedRepetition: async (name: string, run: string, action: string, after: string) =>
    (await call<List<Action>>(one(name, `/runs/${encodeURIComponent(run)}/actions/${encodeURIComponent(action)}?${new URLSearchParams({ status: 'Failed', top: '1', after })}`))).value[0] ?? null,
  /** from is the failed action to begin at; without it all runs again. */
  resubmit: async (name: string, run: string, from?: string) => (await call<{ run: string }>(one(name, `/runs/${encodeURIComponent(run)}/resubmit`), from ? { json: { from } } : { method: 'POST' })).run,
  test: (name: string, body: unknown) => call<Tried>(one(name, '/test'), { json: { body } }),
  cancel: (name: string, run: string) => call<void>(one(name, `/runs/${encodeURIComponent(run)}/cancel`), { method: 'POST' }),
};
