"""Manages picket with azure-mgmt-*: tables, saved functions, incidents, playbooks, data collection rules."""
import os
import time
import uuid

import requests
from azure.core.exceptions import HttpResponseError
from azure.identity import EnvironmentCredential
from azure.mgmt.loganalytics import LogAnalyticsManagementClient
from azure.mgmt.logic import LogicManagementClient
from azure.mgmt.monitor import MonitorManagementClient
from azure.mgmt.securityinsight import SecurityInsights
from azure.monitor.ingestion import LogsIngestionClient
from azure.monitor.query import LogsQueryClient

url, ws, name = os.environ["PICKET_ENDPOINT"], os.environ["PICKET_WORKSPACE_ID"], os.environ["PICKET_WORKSPACE_NAME"]
sub, rg = os.environ["AZURE_SUBSCRIPTION_ID"], os.environ["AZURE_RESOURCE_GROUP"]
cred = EnvironmentCredential()
arm = {"base_url": url, "credential_scopes": ["https://management.azure.com/.default"]}
logs = LogsQueryClient(cred, endpoint=url)


def rows(text):
    return [list(x) for x in logs.query_workspace(ws, text, timespan=None).tables[0].rows]


la = LogAnalyticsManagementClient(cred, sub, **arm)
assert [w.customer_id for w in la.workspaces.list()] == [ws]
assert la.workspaces.get(rg, name).provisioning_state == "Succeeded"
columns = [{"name": "TimeGenerated", "type": "dateTime"}, {"name": "Who", "type": "string"}, {"name": "N", "type": "long"}]
t = la.tables.begin_create_or_update(rg, name, "Made_CL", {"properties": {"schema": {"name": "Made_CL", "columns": columns}, "retentionInDays": 30, "totalRetentionInDays": 90}}).result()
assert {c.name for c in t.schema.columns} >= {"TimeGenerated", "Who", "N"}, t.schema.columns
columns.append({"name": "Extra", "type": "dynamic"})
t = la.tables.begin_update(rg, name, "made_cl", {"properties": {"schema": {"name": "Made_CL", "columns": columns}}}).result()
assert "Extra" in {c.name for c in t.schema.columns} and t.total_retention_in_days == 90, t.total_retention_in_days
assert {"Made_CL", "SecurityIncident"} <= {x.name for x in la.tables.list_by_workspace(rg, name)}
assert rows("Made_CL | count") == [[0]]
try:
    la.tables.begin_create_or_update(rg, name, "Made_CL", {"properties": {"schema": {"name": "Made_CL", "columns": [{"name": "N", "type": "string"}]}}}).result()
    raise SystemExit("a column's type was changed")
except HttpResponseError as e:
    assert e.status_code == 400, e
print("ok tables")

la.saved_searches.create_or_update(rg, name, "fn", {"properties": {"category": "functions", "displayName": "Twice", "query": "print y = x * 2", "functionAlias": "Twice", "functionParameters": "x:long"}})
assert rows("Twice(21)") == [[42]]
assert [s.name for s in la.saved_searches.list_by_workspace(rg, name).value] == ["fn"]
la.saved_searches.delete(rg, name, "fn")
try:
    rows("Twice(21)")
    raise SystemExit("a deleted function was found")
except HttpResponseError:
    pass
print("ok functions")

mon = MonitorManagementClient(cred, sub, **arm)
rule = mon.data_collection_rules.create(rg, "made", {
    "location": "local", "kind": "Direct",
    "streamDeclarations": {"Custom-In": {"columns": [{"name": "When", "type": "datetime"}, {"name": "user", "type": "string"}, {"name": "n", "type": "long"}]}},
    "destinations": {"logAnalytics": [{"name": "w", "workspaceResourceId": os.environ["PICKET_RESOURCE_ID"]}]},
    "dataFlows": [{"streams": ["Custom-In"], "destinations": ["w"], "transformKql": "source | where n % 2 == 0 | project TimeGenerated = When, Who = toupper(user), N = n", "outputStream": "Custom-Made_CL"}],
})
assert rule.immutable_id.startswith("dcr-") and len(rule.immutable_id) == 36, rule.immutable_id
again = mon.data_collection_rules.get(rg, "MADE")
assert again.immutable_id == rule.immutable_id
LogsIngestionClient(url, cred).upload(rule_id=rule.immutable_id, stream_name="Custom-In", logs=[{"When": "2026-11-24T07:00:00Z", "user": "ann", "n": i} for i in range(10)])
assert rows("Made_CL | summarize count(), sum(N), take_any(Who), take_any(TimeGenerated == datetime(2026-11-24T07:00:00Z))") == [[5, 20, "ANN", True]]
assert [r.name for r in mon.data_collection_rules.list_by_resource_group(rg)] == ["demo", "made"]
try:
    mon.data_collection_rules.create(rg, "bad", {"location": "local", "dataFlows": [{"streams": ["Custom-Nope"], "outputStream": "Custom-X_CL"}]})
    raise SystemExit("a rule without its stream was taken")
except HttpResponseError as e:
    assert e.status_code == 400 and "Custom-Nope" in str(e), e
dce = mon.data_collection_endpoints.create(rg, "dce", {"location": "local"})
assert dce.logs_ingestion.endpoint == url, dce.logs_ingestion.endpoint
mon.data_collection_rules.delete(rg, "made")
print("ok rules of collection")

si = SecurityInsights(cred, sub, **arm)
rules = list(si.alert_rules.list(rg, name))
assert rules and rules[0].kind == "Scheduled", rules
iid = str(uuid.uuid4())
si.incidents.create_or_update(rg, name, iid, {"properties": {"title": "made by a library", "severity": "Low", "status": "New"}})
got = si.incidents.get(rg, name, iid)
assert got.title == "made by a library" and got.etag
assert iid in [i.name for i in si.incidents.list(rg, name)]
print("ok incidents")

lg = LogicManagementClient(cred, sub, **arm)
flows = {w.name for w in lg.workflows.list_by_resource_group(rg)}
assert "Ingest-CanaryTokens" in flows, flows
wf = lg.workflows.create_or_update(rg, "Echo", {"location": "local", "definition": {
    "$schema": "https://schema.management.azure.com/providers/Microsoft.Logic/schemas/2016-06-01/workflowdefinition.json#", "contentVersion": "1.0.0.0",
    "triggers": {"manual": {"type": "Request", "kind": "Http"}},
    "actions": {"Compose": {"type": "Compose", "inputs": "@triggerBody()?['x']", "runAfter": {}}, "Response": {"type": "Response", "inputs": {"statusCode": 200, "body": "@outputs('Compose')"}, "runAfter": {"Compose": ["Succeeded"]}}},
}})
assert wf.state == "Enabled" and wf.definition["actions"]["Compose"]["inputs"] == "@triggerBody()?['x']", wf.definition
cb = lg.workflow_triggers.list_callback_url(rg, "Echo", "manual")
answer = requests.post(cb.value, json={"x": "hello"}, timeout=60)
assert answer.status_code == 200 and "hello" in answer.text, (answer.status_code, answer.text)
for _ in range(100):
    runs = list(lg.workflow_runs.list(rg, "Echo"))
    if runs and runs[0].status == "Succeeded":
        break
    time.sleep(0.1)
assert len(runs) == 1 and runs[0].status == "Succeeded", runs
assert lg.workflow_runs.get(rg, "Echo", runs[0].name).status == "Succeeded"
actions = {a.name: a for a in lg.workflow_run_actions.list(rg, "Echo", runs[0].name)}
assert set(actions) == {"Compose", "Response"} and actions["Compose"].outputs_link.uri, actions
histories = list(lg.workflow_trigger_histories.list(rg, "Echo", "manual"))
lg.workflow_trigger_histories.resubmit(rg, "Echo", "manual", histories[0].name)
for _ in range(100):
    if len(list(lg.workflow_runs.list(rg, "Echo"))) == 2:
        break
    time.sleep(0.1)
assert len(list(lg.workflow_runs.list(rg, "Echo"))) == 2
lg.workflows.disable(rg, "Echo")
assert lg.workflows.get(rg, "Echo").state == "Disabled"
lg.workflows.delete(rg, "Echo")
print("ok playbooks")
