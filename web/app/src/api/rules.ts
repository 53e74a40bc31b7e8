import { call, type List } from './client';
import type { Severity } from './incidents';
import { insightsPath, type Workspace } from './session';

const version = 'api-version=2023-02-01';

export interface EntityMapping {
  entityType: string;
  fieldMappings: { identifier: string; columnName: string }[];
}

export interface Rule {
  id: string;
  name: string;
  kind: 'Scheduled' | 'NRT';
  etag?: string;
  properties: {
    displayName: string;
    description: string;
    severity: Severity;
    enabled: boolean;
    tactics: string[];
    techniques: string[];
    query: string;
    queryFrequency?: string;
    queryPeriod?: string;
    triggerOperator?: string;
    triggerThreshold?: number;
    suppressionDuration: string;
    suppressionEnabled: boolean;
    lastModifiedUtc?: string;
    alertRuleTemplateName?: string | null;
    eventGroupingSettings?: { aggregationKind: string };
    customDetails?: Record<string, string>;
    entityMappings: EntityMapping[];
    alertDetailsOverride?: Record<string, unknown>;
    incidentConfiguration?: { createIncident: boolean; groupingConfiguration?: Record<string, unknown> };
    /** picket's own: run as soon as rows arrive in a table that the rule reads. */
    picket?: { onArrival: boolean; nextWindowEndUtc?: string | null };
  };
}

export interface RuleRun {
  id: string;
  reason: string;
  windowEnd: string;
  started: string;
  ended?: string;
  status: string;
  message?: string;
  rows: number;
  alerts: number;
}

export interface RuleState {
  id: string;
  nextWindowEnd?: string;
  lastRun?: RuleRun;
}

export interface Imported {
  id: string;
  name: string;
  new: boolean;
  warnings: string[];
}

export const rulesApi = (ws: Workspace) => {
  const base = insightsPath(ws) + '/alertRules';
  const one = (id: string) => `${base}/${encodeURIComponent(id)}?${version}`;
  return {
    list: async () => (await call<List<Rule>>(`${base}?${version}`)).value,
    get: (id: string) => call<Rule>(one(id)),
    save: (r: Rule) => call<Rule>(one(r.name), { method: 'PUT', json: { kind: r.kind, etag: r.etag, properties: r.properties } }),
    remove: (id: string) => call<void>(one(id), { method: 'DELETE' }),
    states: async () => (await call<List<RuleState>>('/api/v1/rules')).value,
    import: (yaml: string) => call<Imported>('/api/v1/rules/import', { body: yaml, headers: { 'Content-Type': 'application/yaml' } }),
    runNow: (id: string) => call<RuleRun>(`/api/v1/rules/${encodeURIComponent(id)}/run`, { method: 'POST' }),
    runs: async (id: string) => (await call<List<RuleRun>>(`/api/v1/rules/${encodeURIComponent(id)}/runs`)).value,
  };
};

/** The identifiers that each entity takes in a mapping (detection's entity reference). */
export const entityIdentifiers: Record<string, string[]> = {
  Account: ['FullName', 'Name', 'UPNSuffix', 'NTDomain', 'DnsDomain', 'Sid', 'AadUserId', 'AadTenantId', 'PUID', 'ObjectGuid', 'DisplayName'],
  Host: ['FullName', 'HostName', 'DnsDomain', 'NTDomain', 'NetBiosName', 'AzureID', 'OMSAgentID', 'OSFamily', 'OSVersion'],
  IP: ['Address', 'AddressScope'],
  URL: ['Url'],
  File: ['Name', 'Directory'],
  FileHash: ['Algorithm', 'Value'],
  Process: ['ProcessId', 'CommandLine', 'ElevationToken', 'CreationTimeUtc'],
  DNS: ['DomainName'],
  AzureResource: ['ResourceId'],
  CloudApplication: ['AppId', 'Name', 'InstanceName'],
  Malware: ['Name', 'Category'],
  Mailbox: ['MailboxPrimaryAddress', 'DisplayName', 'Upn', 'ExternalDirectoryObjectId', 'RiskLevel'],
  MailMessage: ['Recipient', 'Sender', 'Subject', 'NetworkMessageId', 'InternetMessageId', 'SenderIP'],
  RegistryKey: ['Hive', 'Key'],
  RegistryValue: ['Name', 'Value', 'ValueType'],
  SecurityGroup: ['DistinguishedName', 'SID', 'ObjectGuid'],
};
