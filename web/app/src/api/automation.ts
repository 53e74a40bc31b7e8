import { call, type List } from './client';
import { insightsPath, type Workspace } from './session';

const version = 'api-version=2024-03-01';

export interface Condition {
  conditionType: string;
  conditionProperties: {
    propertyName?: string;
    operator?: string;
    propertyValues?: string[];
    [more: string]: unknown;
  };
}

export interface RuleAction {
  order: number;
  actionType: 'ModifyProperties' | 'RunPlaybook' | 'AddIncidentTask';
  actionConfiguration: {
    severity?: string;
    status?: string;
    classification?: string;
    classificationReason?: string;
    classificationComment?: string;
    owner?: { objectId?: string | null; assignedTo?: string | null; email?: string | null; userPrincipalName?: string | null } | null;
    labels?: { labelName: string; labelType?: string }[];
    logicAppResourceId?: string;
    tenantId?: string;
    title?: string;
    description?: string;
  };
}

export interface AutomationRule {
  name: string;
  etag?: string;
  properties: {
    displayName: string;
    order: number;
    triggeringLogic: { isEnabled: boolean; expirationTimeUtc?: string | null; triggersOn: 'Incidents' | 'Alerts'; triggersWhen: 'Created' | 'Updated'; conditions: Condition[] };
    actions: RuleAction[];
    lastModifiedTimeUtc?: string;
    lastModifiedBy?: { name?: string };
    createdTimeUtc?: string;
  };
}

export const automationApi = (ws: Workspace) => {
  const base = insightsPath(ws) + '/automationRules';
  const one = (id: string) => `${base}/${encodeURIComponent(id)}?${version}`;
  return {
    list: async () => (await call<List<AutomationRule>>(`${base}?${version}`)).value,
    get: (id: string) => call<AutomationRule>(one(id)),
    save: (r: AutomationRule) => {
      const { displayName, order, triggeringLogic, actions } = r.properties;
      return call<AutomationRule>(one(r.name), { method: 'PUT', json: { etag: r.etag, properties: { displayName, order, triggeringLogic, actions } } });
    },
    remove: (id: string) => call<void>(one(id), { method: 'DELETE' }),
  };
};

/** A playbook's resource id, as an action names it. */
export const playbookId = (ws: Workspace, name: string) => `/subscriptions/${ws.subscriptionId}/resourceGroups/${ws.resourceGroup}/providers/Microsoft.Logic/workflows/${name}`;

/** The properties of an incident that a condition compares. */
export const properties: [string, string][] = [
  ['IncidentTitle', 'Title'],
  ['IncidentDescription', 'Description'],
  ['IncidentSeverity', 'Severity'],
  ['IncidentStatus', 'Status'],
  ['IncidentTactics', 'Tactics'],
  ['IncidentLabel', 'Tag'],
  ['IncidentRelatedAnalyticRuleIds', 'Analytics rule'],
  ['IncidentProviderName', 'Provider'],
  ['AccountName', 'Account name'],
  ['AccountUPNSuffix', 'Account UPN suffix'],
  ['HostName', 'Host name'],
  ['IPAddress', 'IP address'],
  ['Url', 'URL'],
  ['FileName', 'File name'],
  ['FileHashValue', 'File hash'],
  ['DNSDomainName', 'DNS domain'],
  ['ProcessCommandLine', 'Command line'],
];

export const operators: [string, string][] = [
  ['Equals', 'equals'],
  ['NotEquals', 'does not equal'],
  ['Contains', 'contains'],
  ['NotContains', 'does not contain'],
  ['StartsWith', 'starts with'],
  ['NotStartsWith', 'does not start with'],
  ['EndsWith', 'ends with'],
  ['NotEndsWith', 'does not end with'],
];

const word = (list: [string, string][], key: string | undefined) => list.find(([k]) => k === key)?.[1] ?? key ?? '';
const tail = (id: string) => id.slice(id.lastIndexOf('/') + 1);

/** A condition in words; ruleName names an analytics rule by the end of its id. */
export function conditionText(c: Condition, ruleName: (id: string) => string = (x) => x): string {
  const p = c.conditionProperties;
  const values = (p.propertyValues ?? []).map((v) => (p.propertyName === 'IncidentRelatedAnalyticRuleIds' ? ruleName(tail(v)) : v));
  if (c.conditionType === 'Property') return `${word(properties, p.propertyName)} ${word(operators, p.operator)} ${values.join(' or ')}`;
  if (c.conditionType === 'PropertyChanged') return `${word(properties, p.propertyName)} changed${p['changeType'] ? ` (${String(p['changeType'])} ${values.join(' or ')})` : ''}`;
  return `${c.conditionType}: ${JSON.stringify(p)}`;
}

/** An action in words. */
export function actionText(a: RuleAction): string {
  const c = a.actionConfiguration;
  switch (a.actionType) {
    case 'RunPlaybook':
      return `run the playbook ${tail(c.logicAppResourceId ?? '')}`;
    case 'AddIncidentTask':
      return `add the task “${c.title ?? ''}”`;
    default: {
      const parts = [];
      if (c.status) parts.push(`set the status to ${c.status}${c.classification ? ` (${c.classification})` : ''}`);
      if (c.severity) parts.push(`set the severity to ${c.severity}`);
      if (c.owner) parts.push(`assign to ${c.owner.assignedTo ?? c.owner.userPrincipalName ?? c.owner.email ?? 'nobody'}`);
      if (c.labels?.length) parts.push(`tag ${c.labels.map((l) => l.labelName).join(', ')}`);
      return parts.join(', ') || 'change nothing';
    }
  }
}
