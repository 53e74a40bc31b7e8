// What a drawn workflow is made of, and how a run's records belong to it.
import type { Graph, GraphAction } from '../../api/playbooks';

export interface After {
  name: string;
  statuses: string[];
}

export interface FlowLane {
  /** "" for a container with one list; True, False, Default, a case. */
  title: string;
  nodes: FlowNode[];
}

export interface FlowNode {
  name: string;
  type: string;
  /** The managed API of a connector action, in lower case: azuresentinel. */
  connector?: string;
  /** What it does there: "PUT /Incidents", a host, a workflow. */
  detail?: string;
  description?: string;
  expression?: string;
  /** What this picket lacks for it. */
  needs?: string[];
  /** A static result stands in for it. */
  fixed?: boolean;
  after: After[];
  /** Only containers have it. */
  lanes?: FlowLane[];
}

export interface FlowTrigger {
  name: string;
  type: string;
  connector?: string;
  detail?: string;
  description?: string;
  needs?: string[];
}

export interface Flow {
  triggers: FlowTrigger[];
  nodes: FlowNode[];
}

/** The server's graph as it is drawn. */
export function fromGraph(g: Graph): Flow {
  const node = (a: GraphAction): FlowNode => {
    const lanes = a.branches?.map((b) => ({ title: laneTitle(a.type, b.name, b.case), nodes: b.actions.map(node) }));
    // A condition shows both ways, a loop or scope its list, whether or not they hold something.
    if (/^if$/i.test(a.type) && lanes) for (const t of ['True', 'False']) if (!lanes.some((l) => l.title === t)) lanes.push({ title: t, nodes: [] });
    return {
      name: a.name,
      type: a.type,
      connector: a.connector,
      detail: a.operation,
      description: a.description,
      expression: a.expression,
      needs: a.needs,
      fixed: a.static,
      after: a.runAfter.map((e) => ({ name: e.action, statuses: e.statuses })),
      lanes,
    };
  };
  return {
    triggers: g.triggers.map((t) => ({ name: t.name, type: t.type, connector: t.connector, detail: t.operation, description: t.description, needs: t.needs })),
    nodes: g.actions.map(node),
  };
}

function laneTitle(type: string, branch: string, value: unknown): string {
  if (/^if$/i.test(type)) return branch === 'else' ? 'False' : 'True';
  if (!/^switch$/i.test(type)) return '';
  return branch === 'default' ? 'Default' : value === undefined ? branch : `Case: ${typeof value === 'string' ? value : JSON.stringify(value)}`;
}

const kinds: Record<string, string> = {
  http: 'HTTP',
  httpwebhook: 'HTTP webhook',
  apiconnection: 'Connector',
  apiconnectionwebhook: 'Connector webhook',
  parsejson: 'Parse JSON',
  if: 'Condition',
  foreach: 'For each',
  initializevariable: 'Initialize variable',
  setvariable: 'Set variable',
  incrementvariable: 'Increment variable',
  decrementvariable: 'Decrement variable',
  appendtoarrayvariable: 'Append to array variable',
  appendtostringvariable: 'Append to string variable',
  query: 'Filter array',
  wait: 'Delay',
  javascriptcode: 'Inline code',
  sendtobatch: 'Send to batch',
  request: 'HTTP request',
};

const connectors: Record<string, string> = {
  azuresentinel: 'Microsoft Sentinel',
  azureloganalyticsdatacollector: 'Data Collector',
  azuremonitorlogs: 'Azure Monitor Logs',
  azureloganalytics: 'Log Analytics',
  keyvault: 'Key Vault',
  office365: 'Office 365 Outlook',
  office365users: 'Office 365 Users',
  teams: 'Microsoft Teams',
  slack: 'Slack',
  azuread: 'Microsoft Entra ID',
  azureadip: 'Entra ID Protection',
  microsoftgraphsecurity: 'Graph Security',
  wdatp: 'Defender for Endpoint',
  virustotal: 'VirusTotal',
  'service-now': 'ServiceNow',
  jira: 'Jira',
  azuretables: 'Azure Table Storage',
  azureblob: 'Azure Blob Storage',
  arm: 'Azure Resource Manager',
  azureautomation: 'Azure Automation',
  conversionservice: 'Content Conversion',
  ascassessment: 'Defender for Cloud',
  ascalert: 'Defender for Cloud',
};

/** The line over an action's name: its connector, or what it is. */
export function kindOf(n: { type: string; connector?: string }): string {
  if (n.connector) return connectors[n.connector.toLowerCase()] ?? n.connector;
  return kinds[n.type.toLowerCase()] ?? n.type;
}

/** An action's name as the designer shows it. */
export const shown = (name: string) => name.replaceAll('_', ' ');

const connectorColors: Record<string, string> = { azuresentinel: '#0f6cbd', azureloganalyticsdatacollector: '#0f6cbd', azuremonitorlogs: '#0f6cbd', azureloganalytics: '#0f6cbd', teams: '#5b5fc7', office365: '#0f548c', slack: '#61325e', keyvault: '#a16a00' };
const typeColors: Record<string, string> = { http: '#548200', httpwebhook: '#548200', request: '#009da5', response: '#009da5', if: '#484f58', switch: '#484f58', foreach: '#486991', until: '#486991', scope: '#8c6cff', terminate: '#a4262c' };

/** The colour of a card's edge: decoration only, the words say the same. */
export function toneOf(n: { type: string; connector?: string }): string {
  return (n.connector && connectorColors[n.connector.toLowerCase()]) || typeColors[n.type.toLowerCase()] || (n.connector ? '#0078d4' : /variable/i.test(n.type) ? '#770bd6' : '#8c3900');
}

export function walk(nodes: FlowNode[], f: (n: FlowNode, loops: FlowNode[]) => void, loops: FlowNode[] = []) {
  for (const n of nodes) {
    f(n, loops);
    const inner = isLoop(n) ? [...loops, n] : loops;
    for (const l of n.lanes ?? []) walk(l.nodes, f, inner);
  }
}

export const isLoop = (n: { type: string }) => /^(foreach|until)$/i.test(n.type);

/** The turns of the loops around an action that a repetition's name stands for. */
export function turnsOf(repetition: string, loops: string[]): Record<string, number> {
  return Object.fromEntries(repetition.split('-').slice(0, loops.length).map((n, i) => [loops[i]!, Number(n)]));
}

/** Which containers begin closed: all that are deeper than the screen would hold. */
export function closedAtFirst(nodes: FlowNode[], most = 60): Set<string> {
  const depths: [string, number][] = [];
  let all = 0;
  const look = (ns: FlowNode[], d: number) => {
    for (const n of ns) {
      all++;
      if (n.lanes) depths.push([n.name, d]);
      for (const l of n.lanes ?? []) look(l.nodes, d + 1);
    }
  };
  look(nodes, 0);
  return new Set(all <= most ? [] : depths.filter(([, d]) => d >= 1).map(([n]) => n));
}
