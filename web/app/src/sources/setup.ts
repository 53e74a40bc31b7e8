// What a sender is given to speak to this workspace. Secrets stand as placeholders, save the shared key when an
// owner asked for it.
import type { Endpoints, Rule } from '../api/sources';
import type { Workspace } from '../api/session';

export interface Block {
  title: string;
  text: string;
}

export interface Shipper {
  id: string;
  title: string;
  about: string;
  /** Where the rows land. */
  table: string;
  /** What a sender signs in with. */
  needs: string;
  blocks: Block[];
  /** Why it can't be used as things stand; '' when it can. */
  missing: string;
}

export interface SetupFacts {
  endpoints: Endpoints;
  workspace: Workspace;
  /** '' is a placeholder. */
  sharedKey: string;
  rule?: Rule;
}

const hostPort = (address: string): [string, string] => {
  const i = address.lastIndexOf(':');
  return i < 0 ? [address, ''] : [address.slice(0, i).replace(/^\[|\]$/g, ''), address.slice(i + 1)];
};

export function shippers({ endpoints: e, workspace: w, sharedKey, rule }: SetupFacts): Shipper[] {
  const url = e.url.replace(/\/$/, '');
  const u = new URL(url);
  const port = u.port || '443';
  const ca = e.caFile || '/path/to/ca.pem';
  const ruleId = rule?.id || 'dcr-…';
  const stream = rule?.streams[0] ?? 'Custom-MyTable_CL';
  const [logHost, logPort] = hostPort(e.syslog ?? e.syslogTls ?? '');
  const noSyslog = e.syslog || e.syslogTls ? '' : 'This server listens for no syslog: start it with --syslog ADDRESS, or --syslog-tls ADDRESS.';
  const program = 'a service principal with the role Contributor (Access)';
  const token = 'a personal token with the role Contributor (Access)';
  const azureEnv = [
    `export SSL_CERT_FILE='${ca}' REQUESTS_CA_BUNDLE='${ca}' CURL_CA_BUNDLE='${ca}'`,
    `export AZURE_AUTHORITY_HOST='${url}' AZURE_TENANT_ID='adfs'`,
    `export AZURE_CLIENT_ID='CLIENT-ID' AZURE_CLIENT_SECRET='CLIENT-SECRET'`,
  ].join('\n');
  return [
    {
      id: 'collector',
      title: 'HTTP Data Collector',
      about: 'What the Data Collector API’s senders, its connectors and playbooks’ Send Data speak. They need another address, nothing else.',
      table: 'the Log-Type, with _CL',
      needs: 'the workspace ID and its shared key',
      missing: '',
      blocks: [
        { title: 'Address and workspace', text: `URL           ${url}/api/logs?api-version=2016-04-01\nWorkspace ID  ${w.id}\nShared key    ${sharedKey || 'SHARED-KEY'}` },
        {
          title: 'curl',
          text: [
            'export LC_ALL=C',
            `URL='${url}' WORKSPACE_ID='${w.id}' SHARED_KEY='${sharedKey || 'SHARED-KEY'}'`,
            `BODY='[{"Computer": "web1", "Level": 3, "Message": "hello"}]'`,
            `DATE=$(date -u '+%a, %d %b %Y %H:%M:%S GMT')`,
            `KEY=$(printf %s "$SHARED_KEY" | base64 -d | od -An -v -tx1 | tr -d ' \\n')`,
            `SIGN=$(printf 'POST\\n%d\\napplication/json\\nx-ms-date:%s\\n/api/logs' "\${#BODY}" "$DATE" | openssl dgst -sha256 -mac HMAC -macopt "hexkey:$KEY" -binary | base64)`,
            `curl -f --cacert '${ca}' "$URL/api/logs?api-version=2016-04-01" -H "Authorization: SharedKey $WORKSPACE_ID:$SIGN" \\`,
            `  -H 'Content-Type: application/json' -H 'Log-Type: Demo' -H "x-ms-date: $DATE" --data-binary "$BODY"`,
          ].join('\n'),
        },
      ],
    },
    {
      id: 'ingestion',
      title: 'Logs Ingestion API',
      about: 'Data collection rules with transformKql. 204 means that the rows are on disk.',
      table: rule ? `what the rule ${rule.name} says` : 'what the rule says',
      needs: program,
      missing: '',
      blocks: [
        { title: 'Environment', text: azureEnv },
        {
          title: 'Python',
          text: [
            'from azure.identity import EnvironmentCredential',
            'from azure.monitor.ingestion import LogsIngestionClient',
            '',
            `client = LogsIngestionClient('${url}', EnvironmentCredential())`,
            `client.upload(rule_id='${ruleId}', stream_name='${stream}', logs=[{'Computer': 'web1', 'Level': 3}])`,
          ].join('\n'),
        },
        {
          title: 'az',
          text: [
            `az cloud register -n Picket --endpoint-resource-manager '${url}'`,
            'az cloud set -n Picket',
            "az login --service-principal --tenant adfs -u CLIENT-ID -p 'CLIENT-SECRET'",
            `az rest --method post --resource https://monitor.azure.com --url '${url}/dataCollectionRules/${ruleId}/streams/${stream}?api-version=2023-01-01' --body '[{"Computer":"web1","Level":3}]'`,
          ].join('\n'),
        },
        {
          title: 'curl',
          text: [
            `token=$(curl -s --cacert '${ca}' '${url}/adfs/oauth2/v2.0/token' -d grant_type=client_credentials -d client_id=CLIENT-ID \\`,
            `  --data-urlencode client_secret=CLIENT-SECRET -d scope=https://monitor.azure.com/.default | jq -r .access_token)`,
            `curl -f --cacert '${ca}' '${url}/dataCollectionRules/${ruleId}/streams/${stream}?api-version=2023-01-01' \\`,
            `  -H "Authorization: Bearer $token" -H 'Content-Type: application/json' -d '[{"Computer":"web1","Level":3}]'`,
          ].join('\n'),
        },
      ],
    },
    {
      id: 'rsyslog',
      title: 'rsyslog and syslog',
      about: 'RFC 5424 and 3164. CEF and LEEF in them become CommonSecurityLog.',
      table: 'Syslog, CommonSecurityLog',
      needs: 'nothing: let only your hosts reach the port',
      missing: noSyslog,
      blocks: [
        e.syslog
          ? { title: '/etc/rsyslog.d/picket.conf', text: `action(type="omfwd" target="${logHost}" port="${logPort}" protocol="tcp" TCP_Framing="octet-counted"\n       template="RSYSLOG_SyslogProtocol23Format" action.resumeRetryCount="-1")` }
          : {
              title: '/etc/rsyslog.d/picket.conf',
              text: `global(DefaultNetstreamDriverCAFile="${ca}")\naction(type="omfwd" target="${logHost || 'HOST'}" port="${logPort || 'PORT'}" protocol="tcp" TCP_Framing="octet-counted"\n       StreamDriver="gtls" StreamDriverMode="1" StreamDriverAuthMode="x509/name"\n       template="RSYSLOG_SyslogProtocol23Format" action.resumeRetryCount="-1")`,
            },
        ...(e.syslog ? [{ title: 'Try it', text: `logger --server ${logHost} --port ${logPort} --tcp --octet-count --rfc5424 'hello from' "$(hostname)"` }] : []),
      ],
    },
    {
      id: 'fluent-bit',
      title: 'Fluent Bit',
      about: 'Its azure_logs_ingestion output, through a data collection rule.',
      table: 'what the rule says',
      needs: program,
      missing: '',
      blocks: [
        {
          title: 'fluent-bit.conf',
          text: [
            '[OUTPUT]',
            '    Name          azure_logs_ingestion',
            '    Match         *',
            `    auth_url      ${url}/${w.tenantId}/oauth2/v2.0/token`,
            '    client_id     CLIENT-ID',
            '    client_secret CLIENT-SECRET',
            `    tenant_id     ${w.tenantId}`,
            `    dce_url       ${url}`,
            `    dcr_id        ${ruleId}`,
            `    table_name    ${stream.replace(/^Custom-/, '')}`,
            `    tls.ca_file   ${ca}`,
          ].join('\n'),
        },
      ],
    },
    {
      id: 'vector',
      title: 'Vector',
      about: 'Its azure_logs_ingestion sink through a rule, or its elasticsearch sink without one.',
      table: 'what the rule says; the index with _CL',
      needs: `${program}; for elasticsearch ${token}`,
      missing: '',
      blocks: [
        {
          title: 'vector.toml, with a rule',
          text: ['[sinks.picket]', 'type = "azure_logs_ingestion"', 'inputs = ["my_source"]', `endpoint = "${url}"`, `dcr_immutable_id = "${ruleId}"`, `stream_name = "${stream}"`, '[sinks.picket.tls]', `ca_file = "${ca}"`].join('\n'),
        },
        {
          title: 'vector.toml, without',
          text: ['[sinks.picket]', 'type = "elasticsearch"', 'inputs = ["my_source"]', `endpoints = ["${url}"]`, 'api_version = "v8"', 'bulk.index = "hosts"', 'auth.strategy = "basic"', 'auth.user = "vector"', 'auth.password = "pat_…"', '[sinks.picket.tls]', `ca_file = "${ca}"`].join('\n'),
        },
      ],
    },
    {
      id: 'filebeat',
      title: 'Filebeat and _bulk',
      about: 'The Elasticsearch output of Beats, Logstash and whatever else speaks _bulk. Templates and lifecycles are off: there are none here.',
      table: 'the index, with _CL and - as _',
      needs: `${token}, or a client ID and secret`,
      missing: '',
      blocks: [
        {
          title: 'filebeat.yml',
          text: ['setup.template.enabled: false', 'setup.ilm.enabled: false', 'output.elasticsearch:', `  hosts: ["${url}"]`, '  username: filebeat', '  password: "pat_…"', '  index: hosts', '  allow_older_versions: true', `  ssl.certificate_authorities: ["${ca}"]`].join('\n'),
        },
        {
          title: 'curl',
          text: [`printf '%s\\n' '{"index":{"_index":"hosts"}}' '{"@timestamp":"'"$(date -u +%FT%TZ)"'","message":"hello"}' |`, `  curl -f --cacert '${ca}' -u 'filebeat:pat_…' -H 'Content-Type: application/x-ndjson' --data-binary @- '${url}/_bulk'`].join('\n'),
        },
        {
          title: 'rsyslog',
          text: `module(load="omelasticsearch")\naction(type="omelasticsearch" server="${u.hostname}" serverport="${port}" usehttps="on" tls.cacert="${ca}"\n       uid="rsyslog" pwd="pat_…" searchIndex="hosts" searchType="" bulkmode="on")`,
        },
      ],
    },
    {
      id: 'splunk',
      title: 'Splunk HEC',
      about: 'The HTTP Event Collector, for forwarders and whatever else has a Splunk output.',
      table: 'the index, with _CL; splunk_CL without one',
      needs: token,
      missing: '',
      blocks: [
        { title: 'Address', text: `URL    ${url}/services/collector/event\nToken  pat_…` },
        { title: 'curl', text: `curl -f --cacert '${ca}' '${url}/services/collector/event' -H 'Authorization: Splunk pat_…' \\\n  -d '{"index": "hosts", "host": "web1", "event": {"level": 3, "message": "hello"}}'` },
      ],
    },
    {
      id: 'otlp',
      title: 'OpenTelemetry',
      about: 'Logs over OTLP, by HTTP or gRPC.',
      table: 'OTelLogs',
      needs: token,
      missing: '',
      blocks: [
        {
          title: 'OpenTelemetry Collector',
          text: ['exporters:', '  otlphttp/picket:', `    endpoint: ${url}`, '    headers:', '      Authorization: "Bearer pat_…"', '    tls:', `      ca_file: ${ca}`].join('\n'),
        },
        { title: 'Environment of an SDK', text: `export OTEL_EXPORTER_OTLP_LOGS_ENDPOINT='${url}/v1/logs' OTEL_EXPORTER_OTLP_LOGS_PROTOCOL=http/protobuf\nexport OTEL_EXPORTER_OTLP_HEADERS='Authorization=Bearer%20pat_…' OTEL_EXPORTER_OTLP_CERTIFICATE='${ca}'` },
      ],
    },
    {
      id: 'canarytokens',
      title: 'Canarytokens webhook',
      about: 'Trips of tokens that live elsewhere, through a playbook: deploy one with a Request trigger (Ingest-CanaryTokens does), and give its callback URL to the token. Tokens made here need none: their trips are rows of CanaryTrips.',
      table: 'CanaryTokens_CL',
      needs: 'the callback URL, which is its own secret',
      missing: '',
      blocks: [
        { title: 'On the token’s page', text: 'Webhook  the playbook’s Callback URL (Playbooks, the playbook, Callback URL)' },
        { title: 'Try it', text: `curl -f --cacert '${ca}' 'CALLBACK-URL' -H 'Content-Type: application/json' \\\n  -d '{"manage_url": "https://canarytokens.org/manage", "memo": "FS01,203.0.113.7,10.0.0.12,share,try", "channel": "HTTP", "time": "'"$(date -u '+%F %T')"'"}'` },
      ],
    },
  ];
}

/** How long a sender may be silent before it shows as such: ten times its usual pause, from an hour to a day. */
export function silentSince(s: { first?: string; last?: string; rows: number }, now = Date.now()): string | null {
  const last = s.last ? Date.parse(s.last) : NaN;
  const first = s.first ? Date.parse(s.first) : last;
  if (Number.isNaN(last)) return null;
  const pause = s.rows > 1 ? (last - first) / (s.rows - 1) : 0;
  const allowed = Math.min(86_400_000, Math.max(3_600_000, pause * 10));
  return now - last > allowed ? s.last! : null;
}
