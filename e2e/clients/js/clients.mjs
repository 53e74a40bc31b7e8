// Asks and feeds picket with Microsoft's JavaScript libraries; the environment names picket.
import assert from "node:assert/strict";
import { EnvironmentCredential } from "@azure/identity";
import { LogsIngestionClient, isAggregateLogsUploadError } from "@azure/monitor-ingestion";
import { LogsQueryClient, LogsQueryResultStatus } from "@azure/monitor-query-logs";
import { Client, KustoConnectionStringBuilder } from "azure-kusto-data";

const env = process.env;
const url = env.PICKET_ENDPOINT, ws = env.PICKET_WORKSPACE_ID;
const cred = new EnvironmentCredential();
const logs = new LogsQueryClient(cred, { endpoint: url + "/v1" });
const hour = { duration: "PT1H" };

let r = await logs.queryWorkspace(ws, `print i=int(1), l=long(42), b=true, s="ä", d=datetime(2026-11-24T01:02:03Z), j=dynamic({"a":[1]})`, hour);
assert.equal(r.status, LogsQueryResultStatus.Success);
const t = r.tables[0];
assert.deepEqual(t.columnDescriptors.map((c) => c.type), ["int", "long", "bool", "string", "datetime", "dynamic"]);
const [i, l, b, s, d, j] = t.rows[0];
assert.deepEqual([i, l, b, s, new Date(d).toISOString()], [1, 42, true, "ä", "2026-11-24T01:02:03.000Z"]);
assert.deepEqual(typeof j === "string" ? JSON.parse(j) : j, { a: [1] });
r = await logs.queryWorkspace(ws, "print 1 | render table", hour, { includeQueryStatistics: true, includeVisualization: true, serverTimeoutInSeconds: 30 });
assert.ok(r.statistics.query.executionTime >= 0);
assert.equal(r.visualization.visualization, "table");
console.log("ok query");

await assert.rejects(logs.queryWorkspace(ws, "print x=1 | where nosuch == 1", hour), /nosuch|400|invalid/i);
console.log("ok error");

r = await logs.queryWorkspace(ws, "range x from 1 to 500001 step 1", hour);
assert.equal(r.status, LogsQueryResultStatus.PartialFailure);
assert.equal(r.partialTables[0].rows.length, 500000);
console.log("ok partial");

const answers = await logs.queryResourceBatch?.([]) ?? await logs.queryBatch([
  { workspaceId: ws, query: "print n=1", timespan: hour },
  { workspaceId: ws, query: "range x from 1 to 3 step 1", timespan: hour },
  { workspaceId: ws, query: "nonsense |", timespan: hour },
]);
assert.deepEqual(answers.slice(0, 2).map((a) => a.tables[0].rows.length), [1, 3]);
assert.notEqual(answers[2].status, LogsQueryResultStatus.Success);
console.log("ok batch");

r = await logs.queryResource(env.PICKET_RESOURCE_ID, "print n=7", hour);
assert.equal(r.tables[0].rows[0][0], 7);
console.log("ok resource");

const send = new LogsIngestionClient(url, cred);
const rows = Array.from({ length: 3000 }, (_, k) => ({ Computer: "javascript", Level: k % 8, Count: k, Ok: k % 2 === 0, Message: "y".repeat(700), Detail: { k } }));
await send.upload(env.PICKET_DCR_ID, env.PICKET_STREAM, rows);
r = await logs.queryWorkspace(ws, "Demo_CL | where Computer == 'javascript' | summarize n=count(), s=sum(Count)", hour);
assert.deepEqual(r.tables[0].rows[0], [3000, 4498500]);
console.log("ok upload");
await assert.rejects(send.upload(env.PICKET_DCR_ID, "Custom-Nope_CL", [{ a: 1 }]), (e) => isAggregateLogsUploadError(e) ? /InvalidStream|Nope/.test(JSON.stringify(e.errors.map((x) => x.cause.message))) : /Nope/.test(e.message));
console.log("ok upload error");

const kusto = new Client(KustoConnectionStringBuilder.withAadApplicationKeyAuthentication(url, env.AZURE_CLIENT_ID, env.AZURE_CLIENT_SECRET, "adfs"));
const k = await kusto.execute(env.PICKET_WORKSPACE_NAME, `print l=42, s="ä", j=dynamic({"a":[1]})`);
const row = [...k.primaryResults[0].rows()][0];
assert.deepEqual([row.l, row.s, row.j], [42, "ä", { a: [1] }]);
const tables = [...(await kusto.execute(env.PICKET_WORKSPACE_NAME, ".show tables")).primaryResults[0].rows()].map((x) => x.TableName);
assert.ok(tables.includes("SecurityIncident"));
await assert.rejects(kusto.execute(env.PICKET_WORKSPACE_NAME, "print x=1 | where nosuch == 1"));
console.log("ok kusto");
