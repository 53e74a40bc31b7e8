// What the mock answers with.
export const workspace = {
  id: '5b1f3c9e-4b0d-4d54-9a38-6a2b7d1c0f11',
  tenantId: '11111111-2222-4333-8444-555555555555',
  subscriptionId: '66666666-7777-4888-9999-aaaaaaaaaaaa',
  resourceGroup: 'picket',
  name: 'demo',
  location: 'local',
};

const ago = (min) => new Date(Date.now() - min * 60_000).toISOString();
const ruleId = '2f14ba0e-9b0a-4f4c-8f3e-1c1f2a3b4c5d';

export function data(empty) {
  const row = {
    TimeGenerated: ago(12),
    memo_s: 'FS01,203.0.113.7,10.0.0.12,T:\\departments\\sales,White Glove Customer Accounts',
    src_ip_s: '41.13.200.5',
    token_type_s: 'ms_word',
    useragent_s: 'LibreOffice 7.4.7.2',
    country_s: 'South Africa',
    city_s: 'Cape Town',
    fileloc_s: '-33.9000,18.6000',
    manage_url_s: ' https://canarytokens.org/manage?token=k3x9mz8aa1b2c3d4e5f6g7h8i&auth=0123456789abcdef0123456789abcdef',
    tokenhistory_url_s: 'https://canarytokens.org/history?token=k3x9mz8aa1b2c3d4e5f6g7h8i&auth=0123456789abcdef0123456789abcdef',
    CanaryHost: 'FS01',
    CanaryShare: 'T:\\departments\\sales',
    CanaryExcutedonHost: false,
    IPCustomEntity: '41.13.200.5',
  };
  const incident = (n, title, severity, status, mins) => ({
    id: '/i/' + n,
    name: `00000000-0000-4000-8000-00000000000${n}`,
    etag: '"1"',
    properties: {
      title,
      description: 'Somebody opened a decoy document: no one has a reason to. The memo says where it lay.',
      severity,
      status,
      owner: { objectId: null, assignedTo: null, userPrincipalName: null, email: null },
      labels: [{ labelName: 'deception', labelType: 'User' }],
      firstActivityTimeUtc: ago(mins + 2),
      lastActivityTimeUtc: ago(mins),
      createdTimeUtc: ago(mins),
      lastModifiedTimeUtc: ago(mins),
      incidentNumber: n,
      relatedAnalyticRuleIds: ['/x/alertRules/' + ruleId],
      additionalData: { alertsCount: 1, commentsCount: 0, alertProductNames: ['Azure Sentinel'], tactics: ['Collection', 'Discovery'], techniques: [] },
    },
  });
  const incidents = empty
    ? []
    : [
        incident(3, 'Canarytoken triggered', 'High', 'New', 11),
        incident(2, 'Sign-in from an unusual place', 'Medium', 'Active', 240),
        incident(1, 'Rare process on a domain controller', 'Low', 'Closed', 3000),
      ];
  const comments = [];
  const activities = [{ timeUtc: ago(11), actor: 'picket', action: 'created the incident', detail: 'Canarytoken triggered, 1 alert' }];
  const alert = {
    id: '/a/1',
    name: 'aaaaaaaa-0000-4000-8000-000000000001',
    kind: 'SecurityAlert',
    properties: {
      systemAlertId: 'aaaaaaaa-0000-4000-8000-000000000001',
      alertDisplayName: 'Canarytoken triggered',
      description: 'A decoy was used.',
      severity: 'High',
      timeGenerated: ago(11),
      startTimeUtc: ago(13),
      endTimeUtc: ago(12),
      tactics: ['Collection'],
      additionalData: { Query: 'CanaryTokens_CL\n| extend CanaryHost = tostring(parse_csv(memo_s)[0])', 'Query Start Time UTC': ago(27), 'Query End Time UTC': ago(11), rows: [row], rowCount: 1, 'Custom Details': '{"Token":["ms_word"]}' },
    },
  };
  const entities = [
    { id: '/e/1', name: 'e1', kind: 'Ip', properties: { address: '41.13.200.5', friendlyName: '41.13.200.5', location: { latitude: -33.9, longitude: 18.6, countryName: 'South Africa' } } },
    { id: '/e/2', name: 'e2', kind: 'Host', properties: { hostName: 'FS01', friendlyName: 'FS01' } },
  ];
  const graph = () => ({
    nodes: [
      { id: 'incident/3', kind: 'Incident', label: '#3 Canarytoken triggered', properties: { severity: 'High', status: 'New' }, expandable: false },
      { id: 'alert/1', kind: 'Alert', label: 'Canarytoken triggered', properties: { severity: 'High', rows: '1' }, expandable: true },
      { id: 'entity/ip', kind: 'IP', label: '41.13.200.5', properties: { Address: '41.13.200.5' }, expandable: true },
      { id: 'entity/host', kind: 'Host', label: 'FS01', properties: { HostName: 'FS01' }, expandable: true },
    ],
    edges: [
      { from: 'incident/3', to: 'alert/1', label: 'alert' },
      { from: 'alert/1', to: 'entity/ip', label: 'entity' },
      { from: 'alert/1', to: 'entity/host', label: 'entity' },
    ],
  });
  const expanded = {
    nodes: [
      { id: 'row/1', kind: 'Row', label: 'Trip ' + ago(12), properties: { memo_s: row.memo_s, useragent_s: row.useragent_s }, expandable: false },
      { id: 'row/2', kind: 'Row', label: 'Trip ' + ago(50), properties: { memo_s: row.memo_s }, expandable: false },
      { id: 'alert/2', kind: 'Alert', label: 'Sign-in from an unusual place', properties: { severity: 'Medium' }, expandable: true },
    ],
    edges: [
      { from: 'entity/ip', to: 'row/1', label: 'trip' },
      { from: 'entity/ip', to: 'row/2', label: 'trip' },
      { from: 'entity/ip', to: 'alert/2', label: 'entity' },
    ],
  };
  const rules = empty
    ? []
    : [
        {
          id: '/r/1',
          name: ruleId,
          kind: 'Scheduled',
          etag: '"1"',
          properties: {
            displayName: 'Canarytoken triggered',
            description: 'A decoy was used.',
            severity: 'High',
            enabled: true,
            tactics: ['Collection', 'Discovery'],
            techniques: [],
            query: 'CanaryTokens_CL\n| extend CanaryHost = tostring(parse_csv(memo_s)[0])\n| extend IPCustomEntity = src_ip_s',
            queryFrequency: 'PT15M',
            queryPeriod: 'PT15M',
            triggerOperator: 'GreaterThan',
            triggerThreshold: 0,
            suppressionDuration: 'PT5H',
            suppressionEnabled: false,
            lastModifiedUtc: ago(5000),
            entityMappings: [{ entityType: 'IP', fieldMappings: [{ identifier: 'Address', columnName: 'IPCustomEntity' }] }],
            incidentConfiguration: { createIncident: true },
            picket: { onArrival: true, nextWindowEndUtc: ago(-4) },
          },
        },
      ];
  const ruleRun = { id: 'run1', reason: 'arrival', windowEnd: ago(-4), started: ago(11), ended: ago(10.99), status: 'Success', rows: 1, alerts: 1 };
  const place = { computername: 'FS01', publicIp: '203.0.113.7', privateIp: '10.0.0.12', sharePath: 'T:\\departments\\sales', description: 'White Glove Customer Accounts' };
  const token = (id, kind, kindTitle, fileName, hits, status) => ({
    token: id,
    kind,
    kindTitle,
    fileName,
    memo: 'FS01,203.0.113.7,10.0.0.12,T:\\departments\\sales,White Glove Customer Accounts',
    place,
    owner: 'admin',
    tags: ['finance'],
    created: ago(9000),
    status,
    recipients: ['soc@example.org'],
    webhooks: ['https://hooks.example.org/workflows/1/triggers/manual/paths/invoke?sig=abc'],
    emailEnabled: true,
    webhookEnabled: true,
    ignored: [],
    hits,
    lastHit: hits ? ago(12) : undefined,
    url: `http://127.0.0.1:8081/static/img/${id}/logo.png`,
    notifications: hits ? [{ id: 'n1', kind: 'webhook', target: 'https://hooks.example.org/workflows/1?sig=…', hits, status: 'done', created: ago(12), done: ago(12), attempts: 1, lastStatus: 202 }] : [],
  });
  const tokens = empty
    ? []
    : [token('k3x9mz8aa1b2c3d4e5f6g7h8i', 'ms_word', 'Microsoft Word document', 'White Glove Customer Accounts.docx', 4, 'enabled'), token('z3x9mz8aa1b2c3d4e5f6g7h8i', 'web', 'Web address', '', 0, 'disabled')];
  const hits = [
    { id: 'h1', time: ago(12), sourceIp: '41.13.200.5', channel: 'http', method: 'GET', userAgent: 'LibreOffice 7.4.7.2', countryCode: 'ZA', country: 'South Africa', city: 'Cape Town', lat: -33.9, lon: 18.6, org: 'AS29975 Vodacom', tor: false, status: 'alertable', count: 2 },
    { id: 'h2', time: ago(50), sourceIp: '185.220.101.4', channel: 'http', method: 'GET', userAgent: 'curl/7.88', countryCode: 'DE', country: 'Germany', city: 'Berlin', lat: 52.52, lon: 13.4, org: 'AS208294', tor: true, status: 'alertable', count: 1 },
    { id: 'h3', time: ago(55), sourceIp: '10.0.0.12', channel: 'http', method: 'OPTIONS', userAgent: 'LibreOffice 7.4.7.2', tor: null, status: 'alertable', count: 1, onHost: true },
  ];
  const playbook = {
    name: 'Ingest-CanaryTokens',
    enabled: true,
    trigger: { name: 'manual', type: 'Request', summary: 'When an HTTP request is received', callable: true },
    created: ago(9000),
    changed: ago(9000),
    needs: [],
    lastRun: { id: '08586676746934337772206998657CU22', status: 'Succeeded', start: ago(12), end: ago(11.98) },
    definition: { triggers: { manual: { type: 'Request', kind: 'Http' } }, actions: { Parse_JSON: { type: 'ParseJson' }, HTTP_CanaryTokenDetails: { type: 'Http' }, Send_Data: { type: 'ApiConnection' } } },
    parameters: [{ name: 'PlaybookName', type: 'string', value: 'Ingest-CanaryTokens' }],
  };
  const failing = { ...playbook, name: 'Block-AADUser', enabled: false, trigger: { name: 'incident', type: 'ApiConnectionWebhook', summary: 'When an incident is created' }, needs: [{ kind: 'connector', name: 'azuread', text: 'No connector serves azuread: map it to an endpoint of your own.', action: 'Update_user', block: true }], lastRun: undefined };
  const playbooks = empty ? [] : [playbook, failing];
  const runs = [playbook.lastRun, { id: '08586676746934337772206998657CU21', status: 'Failed', start: ago(50), end: ago(49.9), code: 'ActionFailed', error: 'An action failed. No dependent actions succeeded.' }];
  const run = {
    ...playbook.lastRun,
    trigger: 'manual',
    triggerOutputs: { headers: { 'Content-Type': 'application/json' }, body: { channel: 'HTTP', token_type: 'ms_word', src_ip: '41.13.200.5' } },
    actions: [
      { name: 'Parse_JSON', type: 'ParseJson', status: 'Succeeded', start: ago(12), end: ago(11.999), code: 'OK', inputs: { content: { token: 'x' } }, outputs: { body: { token: 'x' } } },
      { name: 'Condition', type: 'If', status: 'Succeeded', start: ago(12), end: ago(11.99) },
      { name: 'Terminate', type: 'Terminate', parent: 'Condition', status: 'Skipped', code: 'ActionSkipped' },
      { name: 'HTTP_CanaryTokenDetails', type: 'Http', status: 'Failed', start: ago(11.999), end: ago(11.99), code: 'NotFound', inputs: { method: 'GET', uri: 'https://canarytokens.org/download?fmt=incidentlist_json' }, outputs: { statusCode: 404, body: 'no' }, retries: 2 },
      { name: 'Send_Data', type: 'ApiConnection', status: 'Succeeded', start: ago(11.99), end: ago(11.98), code: 'OK', inputs: { method: 'post', path: '/api/logs' }, outputs: { statusCode: 200 } },
    ],
  };
  const after = (...of) => of.map((o) => (typeof o === 'string' ? { action: o, statuses: ['Succeeded'] } : o));
  const act = (name, type, runAfter, more = {}) => ({ name, type, runAfter, ...more });
  const drawing = {
    workflow: 'Ingest-CanaryTokens',
    version: '1',
    triggers: [{ name: 'manual', type: 'Request', operation: 'POST' }],
    actions: [
      act('Parse_JSON', 'ParseJson', []),
      act('Condition', 'If', after('Parse_JSON'), {
        expression: "@equals(body('Parse_JSON')?['token'], 'x')",
        branches: [
          { name: 'actions', actions: [act('Terminate', 'Terminate', [])] },
          { name: 'else', actions: [] },
        ],
      }),
      act('HTTP_CanaryTokenDetails', 'Http', after('Condition'), { operation: 'GET https://canarytokens.org/download' }),
      act('Initialize_variable', 'InitializeVariable', after('Condition')),
      act('For_each', 'Foreach', after('HTTP_CanaryTokenDetails', 'Initialize_variable'), {
        expression: "@body('HTTP_CanaryTokenDetails')?['hits']",
        branches: [
          {
            name: 'actions',
            actions: [
              act('Switch', 'Switch', [], {
                loops: ['For_each'],
                expression: "@items('For_each')?['kind']",
                branches: [
                  { name: 'Case', case: 'ms_word', actions: [act('Send_Data', 'ApiConnection', [], { connector: 'azureloganalyticsdatacollector', operation: 'POST /api/logs', loops: ['For_each'] })] },
                  { name: 'Case_2', case: 'web', actions: [act('Add_comment_to_incident_(V3)', 'ApiConnection', [], { connector: 'azuresentinel', operation: 'POST /Incidents/Comment', loops: ['For_each'] }), act('Set_variable', 'SetVariable', after('Add_comment_to_incident_(V3)'), { loops: ['For_each'] })] },
                  { name: 'default', actions: [] },
                ],
              }),
            ],
          },
        ],
      }),
      act('Post_message', 'ApiConnection', [{ action: 'For_each', statuses: ['Failed', 'TimedOut'] }], { connector: 'teams', operation: 'POST /v3/conversation/…', needs: ["No connector serves teams: set up a webhook with 'picket secret set teams-webhook'."] }),
      act('Response', 'Response', after('For_each')),
    ],
  };
  const step = (name, status, ms, more = {}) => ({ name, status, started: status ? ago(12) : undefined, ended: status && ms != null ? ago(12 - ms / 60000) : undefined, ...more });
  const states = (turn) => ({
    ...playbook.lastRun,
    status: 'Failed',
    code: 'ActionFailed',
    error: 'An action failed. No dependent actions succeeded.',
    triggerName: 'manual',
    triggerInputs: {},
    triggerOutputs: run.triggerOutputs,
    steps: Object.fromEntries(
      [
        step('Parse_JSON', 'Succeeded', 12),
        step('Condition', 'Succeeded', 40),
        step('Terminate', 'Skipped', 0),
        step('HTTP_CanaryTokenDetails', 'Succeeded', 1830, { retries: 2 }),
        step('Initialize_variable', 'Succeeded', 4),
        step('For_each', 'Failed', 65_000, { iterations: 120, code: 'ActionFailed' }),
        step('Switch', turn === 4 ? 'Failed' : 'Succeeded', 30, { repetition: String(turn).padStart(6, '0'), counts: { Succeeded: 119, Failed: 1 } }),
        step('Send_Data', turn === 4 ? 'Failed' : turn % 2 ? 'Skipped' : 'Succeeded', 25, { repetition: String(turn).padStart(6, '0'), counts: { Succeeded: 60, Failed: 1, Skipped: 59 }, error: turn === 4 ? 'The workspace answered 403: the key is not valid.' : undefined }),
        step('Add_comment_to_incident_(V3)', turn % 2 ? 'Succeeded' : 'Skipped', 25, { repetition: String(turn).padStart(6, '0') }),
        step('Set_variable', turn % 2 ? 'Succeeded' : 'Skipped', 1, { repetition: String(turn).padStart(6, '0') }),
        step('Post_message', 'Succeeded', 310),
        step('Response', 'Skipped', 0),
      ].map((s) => [s.name, s]),
    ),
  });
  const lakeTable = (name, kind, rows, mins, more = {}) => ({ name, kind, rows, hotRows: Math.round(rows / 10), hotBytes: rows * 60, sealedBytes: rows * 22, segments: 7, first: ago(90000), last: ago(mins), received: ago(mins), retentionDays: 90, totalRetentionDays: 90, dayRows: Math.round(rows / 30), dayBytes: Math.round(rows / 30) * 410, ...more });
  const lakeTables = empty
    ? []
    : [
        lakeTable('CanaryTokens_CL', 'custom', 41, 12),
        lakeTable('SecurityEvent', 'standard', 12_345_678, 1, { retentionDays: 30, totalRetentionDays: 365, archivedRows: 99_000_000, archivedBytes: 2.1e9 }),
        lakeTable('Syslog', 'standard', 801_234, 3000, { retentionDays: 0, totalRetentionDays: 0, dayRows: 0, dayBytes: 0 }),
      ];
  const late = (t) => ({ ...t, lateRows: t.dayRows ? (t.name === 'SecurityEvent' ? 1234 : 0) : undefined, mostLateSeconds: 7300 });
  const senders = empty
    ? []
    : [
        { protocol: 'syslog-tcp', name: 'web1', address: '192.0.2.7', first: ago(9000), last: ago(1), rows: 80_123, bytes: 9_000_000, errors: 0, tables: ['Syslog'] },
        { protocol: '_bulk', name: 'Filebeat/9.1', address: '192.0.2.8', principal: 'shipper', first: ago(9000), last: ago(400), rows: 120_000, errors: 3, lastError: 'The key is not known here.', errorAt: ago(2), tables: ['hosts_CL'] },
        { protocol: 'collector', address: '198.51.100.4', first: ago(90000), last: ago(5000), rows: 999, errors: 0, tables: ['CanaryTokens_CL'] },
      ];
  const grants = [
    { id: 'c0a80101-0000-4000-8000-000000000001', kind: 'principal', name: 'shipper', role: 'Contributor', created: ago(50), lastUsed: ago(3) },
    { id: 'c0a80101-0000-4000-8000-000000000002', kind: 'identity', name: 'backup job', role: 'Reader', created: ago(5000), disabled: true },
    { id: 't1', kind: 'token', name: 'grafana', role: 'Reader', created: ago(900), expires: ago(-90000), lastUsed: ago(10), owner: 'admin' },
    { id: 't2', kind: 'token', name: 'nightly', role: 'Contributor', created: ago(900), expires: ago(-900), owner: 'ria' },
    { id: 's1', kind: 'signin', name: 'Azure CLI', role: '', created: ago(900), expires: ago(-90000), owner: 'ria' },
  ];
  const mine = () => grants.filter((g) => g.owner === 'admin');
  const automation = empty
    ? []
    : [
        {
          name: 'a1',
          etag: '"1"',
          properties: {
            displayName: 'Close the auditor’s trips',
            order: 1,
            triggeringLogic: { isEnabled: true, triggersOn: 'Incidents', triggersWhen: 'Created', conditions: [{ conditionType: 'Property', conditionProperties: { propertyName: 'IPAddress', operator: 'Equals', propertyValues: ['203.0.113.7'] } }, { conditionType: 'PropertyArray', conditionProperties: { arrayType: 'Labels', itemConditions: [] } }] },
            actions: [{ order: 1, actionType: 'ModifyProperties', actionConfiguration: { status: 'Closed', classification: 'BenignPositive', classificationReason: 'SuspiciousButExpected', labels: [{ labelName: 'audit' }] } }],
          },
        },
        {
          name: 'a2',
          etag: '"1"',
          properties: {
            displayName: 'Tell the owner',
            order: 2,
            triggeringLogic: { isEnabled: false, triggersOn: 'Incidents', triggersWhen: 'Updated', conditions: [] },
            actions: [
              { order: 1, actionType: 'AddIncidentTask', actionConfiguration: { title: 'Call the owner of the host', description: 'Who was it?' } },
              { order: 2, actionType: 'RunPlaybook', actionConfiguration: { logicAppResourceId: '/subscriptions/x/resourceGroups/y/providers/Microsoft.Logic/workflows/Block-AADUser' } },
            ],
          },
        },
      ];
  const watchlists = empty ? [] : [{ name: 'HighValueAssets', etag: '"1"', properties: { watchlistAlias: 'HighValueAssets', displayName: 'High value assets', description: 'What must not be touched', provider: 'Custom', source: 'assets.csv', itemsSearchKey: 'Asset', created: ago(900), updated: ago(90), updatedBy: { name: 'admin' } } }];
  const listItems = Array.from({ length: 40 }, (_, i) => ({ name: 'i' + i, properties: { itemsKeyValue: { Asset: 'FS' + String(i).padStart(2, '0'), Owner: ['ada', 'grace'][i % 2], Notes: i ? '' : 'the oldest' }, updated: ago(90) } }));
  const schema = {
    Databases: {
      demo: {
        Name: 'demo',
        Tables: {
          CanaryTokens_CL: { Name: 'CanaryTokens_CL', OrderedColumns: ['memo_s', 'src_ip_s', 'token_type_s', 'useragent_s', 'country_s'].map((Name) => ({ Name, Type: 'System.String', CslType: 'string' })).concat([{ Name: 'TimeGenerated', Type: 'System.DateTime', CslType: 'datetime' }]) },
          SecurityEvent: { Name: 'SecurityEvent', OrderedColumns: [{ Name: 'TimeGenerated', Type: 'System.DateTime', CslType: 'datetime' }, { Name: 'Account', Type: 'System.String', CslType: 'string' }, { Name: 'Computer', Type: 'System.String', CslType: 'string' }, { Name: 'EventID', Type: 'System.Int32', CslType: 'int' }] },
          SecurityAlert: { Name: 'SecurityAlert', OrderedColumns: [{ Name: 'TimeGenerated', Type: 'System.DateTime', CslType: 'datetime' }, { Name: 'AlertName', Type: 'System.String', CslType: 'string' }] },
        },
        Functions: {},
      },
    },
  };
  const table = (columns, rows) => ({ tables: [{ name: 'PrimaryResult', columns, rows }], statistics: { query: { executionTime: 0.0123 } } });
  function query({ query: q }) {
    if (/NoSuch/.test(q)) {
      const lines = q.split('\n');
      const line = lines.findIndex((l) => /NoSuch/.test(l));
      return { status: 400, body: { error: { code: 'BadArgumentError', message: 'The request had some invalid properties', innererror: { code: 'SemanticError', message: 'A semantic error occurred in the query.', innererror: { code: 'SEM0100', message: "'where' operator: Failed to resolve column or scalar expression named 'NoSuch'", line: line + 1, pos: lines[line].indexOf('NoSuch') + 1 } } } } };
    }
    if (/render/.test(q)) {
      const rows = [];
      for (let i = 0; i < 48; i++) for (const c of ['FS01', 'DC01', 'WEB01']) rows.push([new Date(Date.now() - i * 1800e3).toISOString(), c, Math.round(20 + 15 * Math.sin(i / 4 + c.length))]);
      const kind = /render (\w+)/.exec(q)[1];
      return { ...table([{ name: 'TimeGenerated', type: 'datetime' }, { name: 'Computer', type: 'string' }, { name: 'count_', type: 'long' }], rows), render: { visualization: kind } };
    }
    if (/empty/.test(q)) return table([{ name: 'a', type: 'long' }], []);
    const n = Number(/take (\d+)/.exec(q)?.[1] ?? 20);
    const rows = [];
    for (let i = 0; i < n; i++) rows.push([new Date(Date.now() - i * 60e3).toISOString().replace('Z', '0000Z'), ['NT AUTHORITY\\SYSTEM', 'CONTOSO\\ada', 'CONTOSO\\bob'][i % 3], 'HOST' + (i % 17), 4624 + (i % 4), JSON.stringify({ n: i, deep: { a: [1, 2] } }), i === 0 ? 'https://canarytokens.org/manage?token=k3x9mz8aa1b2c3d4e5f6g7h8i&auth=00000000000000000000000000000000' : i === 1 ? '=cmd|calc' : 'note ' + i]);
    return table([{ name: 'TimeGenerated', type: 'datetime' }, { name: 'Account', type: 'string' }, { name: 'Computer', type: 'string' }, { name: 'EventID', type: 'int' }, { name: 'Properties', type: 'dynamic' }, { name: 'Note', type: 'string' }], rows);
  }
  const ins = '^/subscriptions/[^/]+/resourceGroups/[^/]+/providers/Microsoft.OperationalInsights/workspaces/[^/]+/providers/Microsoft.SecurityInsights';
  const re = (s) => new RegExp('^' + s + '$');
  const arm = (s) => new RegExp(ins + s + '$');
  const arm0 = (s) => new RegExp('^/subscriptions/[^/]+/resourceGroups/[^/]+/providers/Microsoft.OperationalInsights/workspaces/[^/]+' + s + '$');
  const tasks = [{ name: 'k1', etag: '"1"', properties: { title: 'Call the owner of FS01', description: 'Ask who opened the share.', status: 'New', createdTimeUtc: ago(10), createdBy: { name: 'admin' } } }];
  const find = (m) => incidents.find((i) => i.name === m[1]) ?? null;
  const routes = [
    ['GET', arm('/incidents'), ({ url }) => {
      const f = url.searchParams.get('$filter') ?? '';
      const no = [...f.matchAll(/properties\/(\w+) ne '(\w+)'/g)];
      const yes = [...f.matchAll(/properties\/(\w+) eq '(\w+)'/g)];
      return { value: incidents.filter((i) => no.every(([, k, v]) => i.properties[k] !== v) && yes.every(([, k, v]) => i.properties[k] === v)) };
    }],
    ['GET', arm('/incidents/([^/]+)'), ({ m }) => find(m)],
    ['PUT', arm('/incidents/([^/]+)'), ({ m, body }) => {
      const i = find(m);
      if (body.etag !== i.etag) return { status: 409, body: { error: { code: 'Conflict', message: 'The incident was changed by somebody else: read it again.' } } };
      for (const [k, v] of Object.entries(body.properties)) if (v != null && JSON.stringify(v) !== JSON.stringify(i.properties[k])) {
        if (k !== 'owner') activities.push({ timeUtc: ago(0), actor: 'admin', action: 'changed', detail: `${k}: ${i.properties[k] ?? 'none'} → ${v}` });
        i.properties[k] = v;
      }
      i.etag = `"${Number(i.etag.slice(1, -1)) + 1}"`;
      i.properties.lastModifiedTimeUtc = ago(0);
      return i;
    }],
    ['POST', arm('/incidents/([^/]+)/alerts'), () => ({ value: [alert] })],
    ['POST', arm('/incidents/([^/]+)/entities'), () => ({ entities, metaData: [] })],
    ['GET', arm('/incidents/([^/]+)/comments'), () => ({ value: comments })],
    ['PUT', arm('/incidents/([^/]+)/comments/([^/]+)'), ({ m, body }) => {
      const c = { name: m[2], properties: { message: body.properties.message, createdTimeUtc: ago(0), author: { name: 'admin' } } };
      comments.push(c);
      activities.push({ timeUtc: ago(0), actor: 'admin', action: 'commented', detail: '' });
      return c;
    }],
    ['GET', arm('/incidents/([^/]+)/activities'), () => ({ value: activities })],
    ['GET', arm('/incidents/([^/]+)/graph'), graph],
    ['POST', arm('/incidents/([^/]+)/graph/expand'), () => expanded],
    ['GET', arm('/alertRules'), () => ({ value: rules })],
    ['GET', arm('/alertRules/([^/]+)'), ({ m }) => rules.find((r) => r.name === m[1]) ?? null],
    ['PUT', arm('/alertRules/([^/]+)'), ({ m, body }) => {
      const r = { ...body, id: '/r/' + m[1], name: m[1], etag: `"${Date.now()}"` };
      const at = rules.findIndex((x) => x.name === m[1]);
      if (at >= 0) rules[at] = r; else rules.push(r);
      return r;
    }],
    ['POST', re('/v1/workspaces/[^/]+/query'), ({ body }) => query(body)],
    ['POST', re('/v1/rest/mgmt'), () => ({ Tables: [{ Columns: [{ ColumnName: 'DatabaseSchema' }], Rows: [[JSON.stringify(schema)]] }] })],
    ['GET', re('/api/v1/kql/catalogue'), () => ({ missing: ['sumif', 'geo_point_to_s2cell'] })],
    ['GET', re('/api/v1/tokenKinds'), () => ({
      value: [
        { kind: 'ms_word', title: 'Microsoft Word document', about: 'Trips when the document is opened in Word or LibreOffice.', fileNames: ['White Glove Customer Accounts.docx', 'Passwords 2026.docx', 'Board salaries.docx'], extension: '.docx', document: true },
        { kind: 'ms_excel', title: 'Microsoft Excel workbook', about: 'Trips when the workbook is opened.', fileNames: ['Payroll Q3.xlsx'], extension: '.xlsx', document: true },
        { kind: 'web', title: 'Web address', about: 'Trips when anything fetches it.', document: false },
        { kind: 'qr_code', title: 'QR code', about: 'Trips when somebody scans the code and opens its link.', document: false },
        { kind: 'dns', title: 'DNS name', about: 'Trips when anything looks the name up.', document: false },
      ],
      decoyFields: ['account_number', 'full_name', 'company', 'email', 'city', 'balance', 'phone', 'password'],
    })],
    ['GET', re('/api/v1/tokens'), () => ({ value: tokens, next: '' })],
    ['POST', re('/api/v1/tokens'), ({ body }) => {
      const t = { ...token('n3x9mz8aa1b2c3d4e5f6g7h8i', body.kind, 'Microsoft Word document', body.fileName, 0, 'enabled'), place: body.memo, webhooks: body.webhooks };
      tokens.unshift(t);
      return { ...t, auth: 'f'.repeat(64), warnings: ['the trip URL is a loopback address: the token trips on this machine only'] };
    }],
    ['POST', re('/api/v1/tokens/test'), () => ({ ok: true, note: 'The receiver took the test message.' })],
    ['GET', re('/api/v1/tokens/([^/]+)'), ({ m }) => tokens.find((t) => t.token === m[1]) ?? null],
    ['PATCH', re('/api/v1/tokens/([^/]+)'), ({ m, body }) => {
      const t = tokens.find((x) => x.token === m[1]);
      if (body.enabled != null) t.status = body.enabled ? 'enabled' : 'disabled';
      return Object.assign(t, body);
    }],
    ['GET', re('/api/v1/tokens/([^/]+)/download'), ({ m }) => ({ file: (tokens.find((t) => t.token === m[1])?.fileName || 'token') })],
    ['GET', re('/api/v1/tokens/([^/]+)/history'), ({ m }) => ({ value: tokens.find((t) => t.token === m[1])?.hits ? hits : [] })],
    ['GET', re('/api/v1/playbooks'), () => ({ value: playbooks })],
    ['POST', re('/api/v1/playbooks/inspect'), () => ({ playbooks: ['X'], parameters: [{ name: 'PlaybookName', type: 'string', default: 'Ingest-CanaryTokens' }, { name: 'WorkspaceKey', type: 'securestring', required: true, help: 'The primary key of the workspace.' }], needs: [], resources: ['Microsoft.Web/connections azureloganalyticsdatacollector', 'Microsoft.Logic/workflows Ingest-CanaryTokens'] })],
    ['POST', re('/api/v1/playbooks'), () => ({ value: [playbook] })],
    ['GET', re('/api/v1/playbooks/([^/]+)'), ({ m }) => playbooks.find((p) => p.name === decodeURIComponent(m[1])) ?? null],
    ['PATCH', re('/api/v1/playbooks/([^/]+)'), ({ m, body }) => {
      playbooks.find((p) => p.name === m[1]).enabled = body.enabled;
      return { status: 204 };
    }],
    ['POST', re('/api/v1/playbooks/([^/]+)/callbackUrl'), () => ({ value: 'https://127.0.0.1:8443/workflows/1/triggers/manual/paths/invoke?api-version=2016-10-01&sp=%2Ftriggers%2Fmanual%2Frun&sv=1.0&sig=abc' })],
    ['GET', re('/api/v1/playbooks/([^/]+)/runs'), () => ({ value: runs })],
    ['GET', re('/api/v1/playbooks/([^/]+)/runs/([^/]+)'), () => run],
    ['GET', re('/api/v1/playbooks/([^/]+)/graph'), () => drawing],
    ['GET', re('/api/v1/playbooks/([^/]+)/runs/([^/]+)/graph'), () => drawing],
    ['GET', re('/api/v1/playbooks/([^/]+)/runs/([^/]+)/states'), ({ url }) => states(Number(/:(\d+)$/.exec(url.searchParams.get('at') ?? '')?.[1] ?? 0))],
    ['GET', re('/api/v1/playbooks/([^/]+)/runs/([^/]+)/actions/([^/]+)'), ({ m, url }) => {
      const failed = url.searchParams.get('status') === 'Failed';
      if (failed && url.searchParams.get('after') >= '000004') return { value: [] };
      const repetition = failed ? '000004' : (url.searchParams.get('repetition') ?? '');
      const s = states(Number(repetition || 0)).steps[decodeURIComponent(m[3])];
      return { value: [{ name: s.name, type: 'x', repetition, status: s.status, code: s.status === 'Failed' ? 'Forbidden' : 'OK', error: s.error, inputs: { method: 'post', path: '/api/logs', body: { repetition } }, outputs: { statusCode: s.status === 'Failed' ? 403 : 200, body: { ok: true } } }] };
    }],
    ['POST', re('/api/v1/playbooks/([^/]+)/test'), () => ({ status: 'Succeeded', needs: [], calls: [{ action: 'Send_Data', type: 'ApiConnection', api: 'azureloganalyticsdatacollector', method: 'POST', target: '/api/logs', inputs: { body: '{}' } }], actions: [{ name: 'Send_Data', type: 'ApiConnection', status: 'Succeeded' }] })],
    ['POST', re('/api/v1/playbooks/([^/]+)/run'), () => ({ run: run.id })],
    ['POST', re('/api/v1/playbooks/([^/]+)/runs/([^/]+)/resubmit'), () => ({ run: run.id })],
    ['GET', re('/api/v1/rules'), () => ({ value: rules.map((r) => ({ id: r.name, lastRun: ruleRun })) })],
    ['POST', re('/api/v1/rules/import'), () => ({ id: ruleId, name: 'Canarytoken triggered', new: true, warnings: [] })],
    ['POST', re('/api/v1/rules/([^/]+)/run'), () => ruleRun],
    ['GET', re('/api/v1/rules/([^/]+)/runs'), () => ({ value: [ruleRun] })],
    ['GET', re('/api/v1/geo'), () => ({ value: empty ? [] : [{ name: 'country.mmdb', kind: 'country', imported: ago(9000), built: ago(90000), entries: 412345 }], torUnknownSince: ago(9000) })],
    ['GET', re('/api/v1/sessions'), () => ({ value: [{ created: ago(10), seen: ago(0), peer: '127.0.0.1', agent: 'Mozilla/5.0 Chromium', current: true }] })],
    ['GET', re('/api/v1/access'), () => ({ value: grants })],
    ['GET', re('/api/v1/access/mine'), () => ({ value: mine() })],
    ['POST', re('/api/v1/access/mine'), ({ body }) => {
      grants.push({ id: 't' + grants.length, kind: 'token', name: body.name, role: body.role, created: ago(0), expires: ago(-body.days * 1440), owner: 'admin' });
      return { kind: 'token', name: body.name, role: body.role, token: 'pat_abcdefghijklmnopqrstuvwxyz0123456789ABCDEFG' };
    }],
    ['DELETE', re('/api/v1/access/mine/([^/]+)'), ({ m }) => {
      grants.splice(grants.findIndex((g) => g.id === m[1]), 1);
      return { status: 204 };
    }],
    ['POST', re('/api/v1/access'), ({ body }) => {
      grants.push({ id: 'c9', kind: body.kind, name: body.name, role: body.role, created: ago(0) });
      return { kind: body.kind, name: body.name, role: body.role, clientId: 'c9', clientSecret: 'secret-once' };
    }],
    ['PATCH', re('/api/v1/access/([^/]+)'), ({ m, body }) => Object.assign(grants.find((g) => g.id === m[1]), body)],
    ['DELETE', re('/api/v1/access/([^/]+)'), ({ m }) => {
      grants.splice(grants.findIndex((g) => g.id === m[1]), 1);
      return { status: 204 };
    }],
    ['POST', re('/api/v1/access/secrets/([^/]+)'), ({ m }) => ({ clientId: m[1], clientSecret: 'another-secret' })],
    ['GET', re('/api/v1/tables'), ({ url }) => ({ value: url.searchParams.has('late') ? lakeTables.map(late) : lakeTables, retain: true, usage: true })],
    ['GET', re('/api/v1/tables/([^/]+)'), ({ m }) => {
      const t = lakeTables.find((x) => x.name === m[1]);
      if (!t) return null;
      return {
        ...late(t),
        columns: [{ name: 'TimeGenerated', type: 'datetime' }, { name: 'TenantId', type: 'string', standard: true }, { name: 'Computer', type: 'string' }, { name: 'Properties', type: 'dynamic', promoted: true }],
        usage: t.dayRows ? Array.from({ length: 168 }, (_, i) => ({ hour: new Date(Math.floor(Date.now() / 3600e3) * 3600e3 - (167 - i) * 3600e3).toISOString(), rows: Math.round(t.dayRows / 24 * (1 + Math.sin(i / 4))), bytes: 1000 })) : undefined,
      };
    }],
    ['PATCH', re('/api/v1/tables/([^/]+)'), ({ m, body }) => {
      Object.assign(lakeTables.find((x) => x.name === m[1]), body);
      return { status: 204 };
    }],
    ['GET', re('/api/v1/sources'), () => ({ value: senders })],
    ['GET', re('/api/v1/endpoints'), () => ({ url: 'https://picket.example.org:8443', syslog: '192.0.2.1:514', caFile: '/var/lib/picket/tls/ca.pem' })],
    ['GET', re('/subscriptions/[^/]+/resourceGroups/[^/]+/providers/Microsoft.Insights/dataCollectionRules'), () => ({ value: [{ name: 'demo', properties: { immutableId: 'dcr-0123456789abcdef0123456789abcdef', streamDeclarations: { 'Custom-Demo_CL': {} } } }] })],
    ['POST', arm0('/sharedKeys'), () => ({ primarySharedKey: 'c2hhcmVka2V5', secondarySharedKey: 'x' })],
    ['GET', arm('/automationRules'), () => ({ value: automation })],
    ['GET', arm('/automationRules/([^/]+)'), ({ m }) => automation.find((r) => r.name === m[1]) ?? null],
    ['PUT', arm('/automationRules/([^/]+)'), ({ m, body }) => {
      const r = { ...body, name: m[1], etag: `"${Date.now()}"` };
      const at = automation.findIndex((x) => x.name === m[1]);
      if (at >= 0) automation[at] = r; else automation.push(r);
      automation.sort((a, b) => a.properties.order - b.properties.order);
      return r;
    }],
    ['DELETE', arm('/automationRules/([^/]+)'), ({ m }) => {
      automation.splice(automation.findIndex((r) => r.name === m[1]), 1);
      return { status: 204 };
    }],
    ['GET', arm('/watchlists'), () => ({ value: watchlists })],
    ['GET', arm('/watchlists/([^/]+)'), ({ m }) => watchlists.find((w) => w.name === m[1]) ?? null],
    ['PUT', arm('/watchlists/([^/]+)'), ({ m, body }) => {
      const w = { name: m[1], etag: '"1"', properties: { ...body.properties, updated: ago(0) } };
      watchlists.push(w);
      return w;
    }],
    ['GET', arm('/watchlists/([^/]+)/watchlistItems'), ({ url }) => (url.searchParams.has('$skipToken') ? { value: listItems.slice(25) } : { value: listItems.slice(0, 25), nextLink: `http://elsewhere${url.pathname}?$skipToken=25` })],
    ['PUT', arm('/watchlists/([^/]+)/watchlistItems/([^/]+)'), ({ m, body }) => {
      const i = { name: m[2], properties: { ...body.properties, updated: ago(0) } };
      const at = listItems.findIndex((x) => x.name === m[2]);
      if (at >= 0) listItems[at] = i; else listItems.push(i);
      return i;
    }],
    ['DELETE', arm('/watchlists/([^/]+)/watchlistItems/([^/]+)'), ({ m }) => {
      listItems.splice(listItems.findIndex((x) => x.name === m[2]), 1);
      return { status: 204 };
    }],
    ['GET', arm('/incidents/([^/]+)/tasks'), () => ({ value: tasks })],
    ['PUT', arm('/incidents/([^/]+)/tasks/([^/]+)'), ({ m, body }) => {
      const t = { name: m[2], etag: '"1"', properties: { ...body.properties, createdTimeUtc: ago(0), createdBy: { name: 'admin' } } };
      const at = tasks.findIndex((x) => x.name === m[2]);
      if (at >= 0) tasks[at] = t; else tasks.push(t);
      return t;
    }],
    ['DELETE', arm('/incidents/([^/]+)/tasks/([^/]+)'), ({ m }) => {
      tasks.splice(tasks.findIndex((x) => x.name === m[2]), 1);
      return { status: 204 };
    }],
    ['GET', re('/api/v1/accounts'), () => ({ value: [{ id: 'a0000000-0000-4000-8000-000000000001', name: 'admin', displayName: 'Administrator', role: 'Owner' }] })],
  ];
  return { routes };
}
