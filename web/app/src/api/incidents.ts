import { call, type List } from './client';
import { insightsPath, type Workspace } from './session';

const version = 'api-version=2023-02-01';

export type Severity = 'High' | 'Medium' | 'Low' | 'Informational';
export type Status = 'New' | 'Active' | 'Closed';

export interface Owner {
  objectId?: string | null;
  email?: string | null;
  assignedTo?: string | null;
  userPrincipalName?: string | null;
}

export interface Incident {
  id: string;
  name: string;
  etag?: string;
  properties: {
    title: string;
    description?: string;
    severity: Severity;
    status: Status;
    classification?: string;
    classificationReason?: string;
    classificationComment?: string;
    owner?: Owner | null;
    labels?: { labelName: string; labelType?: string }[];
    firstActivityTimeUtc?: string;
    lastActivityTimeUtc?: string;
    createdTimeUtc: string;
    lastModifiedTimeUtc: string;
    incidentNumber: number;
    relatedAnalyticRuleIds?: string[];
    additionalData?: { alertsCount?: number; commentsCount?: number; bookmarksCount?: number; alertProductNames?: string[]; tactics?: string[]; techniques?: string[] };
  };
}

export interface Alert {
  id: string;
  name: string;
  properties: {
    systemAlertId: string;
    alertDisplayName: string;
    description?: string;
    severity: Severity;
    status?: string;
    startTimeUtc?: string;
    endTimeUtc?: string;
    timeGenerated?: string;
    productName?: string;
    tactics?: string[];
    /** Beside Azure's keys it holds picket's own: rows (the first of the query's result) and rowCount. */
    additionalData?: Record<string, unknown>;
    friendlyName?: string;
  };
}

export interface Entity {
  id: string;
  name: string;
  kind: string;
  properties: Record<string, unknown> & { friendlyName?: string };
}

export interface Comment {
  name: string;
  properties: { message: string; createdTimeUtc: string; lastModifiedTimeUtc?: string; author?: { name?: string; email?: string; userPrincipalName?: string } };
}

/** An entry of the incident's activity log. */
export interface Activity {
  timeUtc: string;
  actor: string;
  action: string;
  detail?: string;
}

/** A node and its edges of the investigation graph. */
export interface GraphNode {
  /** incident/…, alert/…, entity/… or row/… */
  id: string;
  /** Incident, Alert, Row, or an entity's kind. */
  kind: string;
  label: string;
  properties?: Record<string, unknown>;
  expandable?: boolean;
}
export interface GraphEdge {
  from: string;
  to: string;
  label?: string;
}
export interface Graph {
  nodes: GraphNode[];
  edges: GraphEdge[];
}

/** Something to do about an incident. */
export interface Task {
  name: string;
  etag?: string;
  properties: { title: string; description?: string; status: 'New' | 'Completed'; createdTimeUtc?: string; lastModifiedTimeUtc?: string; createdBy?: { name?: string }; lastModifiedBy?: { name?: string } };
}

export interface IncidentFilter {
  status: Status[];
  severity: Severity[];
}

const allStatuses: Status[] = ['New', 'Active', 'Closed'];
const allSeverities: Severity[] = ['High', 'Medium', 'Low', 'Informational'];

/** The filter as OData: what is not wanted is excluded, for the routes know eq, ne and and. */
export function incidentFilter(f: IncidentFilter): string {
  const without = (field: string, all: string[], wanted: string[]) =>
    wanted.length === 0 || wanted.length === all.length ? [] : wanted.length === 1 ? [`properties/${field} eq '${wanted[0]}'`] : all.filter((v) => !wanted.includes(v)).map((v) => `properties/${field} ne '${v}'`);
  return [...without('status', allStatuses, f.status), ...without('severity', allSeverities, f.severity)].join(' and ');
}

export const incidentsApi = (ws: Workspace) => {
  const base = insightsPath(ws) + '/incidents';
  const one = (id: string, tail = '') => `${base}/${encodeURIComponent(id)}${tail}?${version}`;
  return {
    async list(f: IncidentFilter, top = 1000): Promise<Incident[]> {
      const q = new URLSearchParams({ $orderby: 'properties/createdTimeUtc desc', $top: String(top) });
      const filter = incidentFilter(f);
      if (filter) q.set('$filter', filter);
      return (await call<List<Incident>>(`${base}?${version}&${q}`)).value;
    },
    get: (id: string) => call<Incident>(one(id)),
    /** Sends the whole of properties as PUT wants it, and the etag so that nobody's change is lost. */
    update(i: Incident, change: Partial<Incident['properties']>) {
      const p = i.properties;
      const properties = {
        title: p.title,
        description: p.description,
        severity: p.severity,
        status: p.status,
        owner: p.owner,
        labels: p.labels,
        classification: p.classification,
        classificationReason: p.classificationReason,
        classificationComment: p.classificationComment,
        firstActivityTimeUtc: p.firstActivityTimeUtc,
        lastActivityTimeUtc: p.lastActivityTimeUtc,
        ...change,
      };
      return call<Incident>(one(i.name), { method: 'PUT', json: { etag: i.etag, properties } });
    },
    alerts: async (id: string) => (await call<List<Alert>>(one(id, '/alerts'), { method: 'POST', json: {} })).value,
    entities: (id: string) => call<{ entities: Entity[]; metaData?: { entityKind: string; count: number }[] }>(one(id, '/entities'), { method: 'POST', json: {} }),
    comments: async (id: string) => (await call<List<Comment>>(one(id, '/comments'))).value,
    comment: (id: string, message: string) =>
      call<Comment>(one(id, '/comments/' + crypto.randomUUID()), { method: 'PUT', json: { properties: { message } } }),
    tasks: async (id: string) => (await call<List<Task>>(one(id, '/tasks'))).value,
    saveTask: (id: string, t: Task) => {
      const { title, description, status } = t.properties;
      return call<Task>(one(id, '/tasks/' + encodeURIComponent(t.name)), { method: 'PUT', json: { etag: t.etag, properties: { title, description: description ?? '', status } } });
    },
    removeTask: (id: string, task: string) => call<void>(one(id, '/tasks/' + encodeURIComponent(task)), { method: 'DELETE' }),
    activities: async (id: string) => (await call<List<Activity>>(one(id, '/activities'))).value,
    graph: (id: string) => call<Graph>(one(id, '/graph')),
    expand: (id: string, node: string) => call<Graph>(one(id, '/graph/expand'), { json: { node } }),
    runPlaybook: (id: string, name: string) => call<{ run: string }>(`/api/v1/incidents/${encodeURIComponent(id)}/playbooks`, { json: { name } }),
  };
};
