import { call, type List } from './client';
import { workspacePath, type Workspace } from './session';

export interface Sender {
  protocol: string;
  name?: string;
  address?: string;
  principal?: string;
  first?: string;
  last?: string;
  rows: number;
  bytes?: number;
  errors: number;
  lastError?: string;
  errorAt?: string;
  tables: string[];
}

/** Where data is taken; what is missing is not served. */
export interface Endpoints {
  url: string;
  http?: string;
  syslog?: string;
  syslogTls?: string;
  otlp?: string;
  caFile?: string;
}

export interface Rule {
  name: string;
  id: string;
  streams: string[];
}

interface RuleWire {
  name: string;
  properties: { immutableId?: string; streamDeclarations?: Record<string, unknown>; dataFlows?: { streams?: string[] }[] };
}

export const sourcesApi = {
  list: async () => (await call<List<Sender>>('/api/v1/sources')).value,
  endpoints: () => call<Endpoints>('/api/v1/endpoints'),
  rules: async (w: Workspace): Promise<Rule[]> => {
    const path = `/subscriptions/${w.subscriptionId}/resourceGroups/${w.resourceGroup}/providers/Microsoft.Insights/dataCollectionRules?api-version=2023-03-11`;
    return (await call<List<RuleWire>>(path)).value.map((r) => ({ name: r.name, id: r.properties.immutableId ?? '', streams: Object.keys(r.properties.streamDeclarations ?? {}) }));
  },
  sharedKey: async (w: Workspace) => (await call<{ primarySharedKey?: string }>(workspacePath(w) + '/sharedKeys?api-version=2020-08-01', { method: 'POST', json: {} })).primarySharedKey ?? '',
};
