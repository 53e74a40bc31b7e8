"""All that azure-mgmt-loganalytics finds in a workspace and what is refused by name; then azure-mgmt-securityinsight:
every list, automation rules that act, watchlists. It needs the role Owner and makes the shared keys anew."""
import os
import time
import uuid

from azure.core.exceptions import HttpResponseError
from azure.identity import EnvironmentCredential
from azure.mgmt.loganalytics import LogAnalyticsManagementClient
from azure.mgmt.monitor import MonitorManagementClient
from azure.mgmt.securityinsight import SecurityInsights
from azure.mgmt.securityinsight.models import (
    AutomationRule,
    AutomationRuleModifyPropertiesAction,
    AutomationRulePropertyValuesCondition,
    AutomationRuleTriggeringLogic,
    IncidentLabel,
    IncidentPropertiesAction,
    PropertyConditionProperties,
    Watchlist,
    WatchlistItem,
)
from azure.monitor.ingestion import LogsIngestionClient
from azure.monitor.query import LogsQueryClient

url, ws, name = os.environ["PICKET_ENDPOINT"], os.environ["PICKET_WORKSPACE_ID"], os.environ["PICKET_WORKSPACE_NAME"]
sub, rg = os.environ["AZURE_SUBSCRIPTION_ID"], os.environ["AZURE_RESOURCE_GROUP"]
cred = EnvironmentCredential()
arm = {"base_url": url, "credential_scopes": ["https://management.azure.com/.default"]}
logs = LogsQueryClient(cred, endpoint=url)
la = LogAnalyticsManagementClient(cred, sub, **arm)


def rows(text):
    return [list(x) for x in logs.query_workspace(ws, text, timespan=None).tables[0].rows]


def refused(f, status, text=""):
    try:
        r = f()
        if hasattr(r, "result"):
            r.result()
    except HttpResponseError as e:
        assert e.status_code == status and text in str(e), (e.status_code, str(e))
        return
    raise SystemExit(f"not refused with {status} {text}")


def until(f, seconds=60):
    end = time.monotonic() + seconds
    while not f():
        assert time.monotonic() < end, "not within the time"
        time.sleep(0.2)


w = la.workspaces.get(rg, name)
assert w.customer_id == ws and w.sku.name == "PerGB2018" and w.features.disable_local_auth is False, w
w = la.workspaces.begin_create_or_update(rg, name, {"location": "local", "tags": {"team": "soc"}, "properties": {"sku": {"name": "PerGB2018"}}}).result()
assert w.tags == {"team": "soc"}, w.tags
w = la.workspaces.update(rg, name, {"tags": {"team": "blue"}})
assert w.tags == {"team": "blue"} and la.workspaces.get(rg, name).tags == {"team": "blue"}, w.tags
refused(lambda: la.workspaces.begin_create_or_update(rg, "another", {"location": "local"}), 409, "one workspace")
refused(lambda: la.workspaces.begin_delete(rg, name), 409)
refused(lambda: la.workspaces.update(rg, name, {"properties": {"sku": {"name": "CapacityReservation"}}}), 400)
assert len(list(la.workspaces.list_by_resource_group(rg))) == 1
print("ok workspaces")

k = la.shared_keys.get_shared_keys(rg, name)
assert k.primary_shared_key and k.secondary_shared_key
n = la.shared_keys.regenerate(rg, name)
assert n.primary_shared_key != k.primary_shared_key
assert la.shared_keys.get_shared_keys(rg, name).primary_shared_key == n.primary_shared_key
print("ok shared keys")

assert any(c.name == "TimeGenerated" for c in la.schema.get(rg, name).value)
assert list(la.usages.list(rg, name))[0].unit == "Bytes"
assert la.available_service_tiers.list_by_workspace(rg, name)[0].service_tier == "PerGB2018"
assert [p.name for p in la.intelligence_packs.list(rg, name)] == ["SecurityInsights"]
assert list(la.management_groups.list(rg, name)) == []
assert "microsoft.operationalinsights/workspaces/write" in [o.name for o in la.operations.list()]
for group in (la.data_exports, la.linked_services, la.storage_insight_configs, la.summary_logs, la.linked_storage_accounts):
    assert list(group.list_by_workspace(rg, name)) == [], group
assert list(la.data_sources.list_by_workspace(rg, name, filter="kind eq 'x'")) == []
assert list(la.clusters.list()) == [] and list(la.query_packs.list()) == [] and list(la.deleted_workspaces.list()) == []
print("ok lists")

columns = [{"name": "TimeGenerated", "type": "dateTime"}, {"name": "Who", "type": "string"}]
kept = {"properties": {"schema": {"name": "Kept_CL", "columns": columns}, "retentionInDays": 30, "totalRetentionInDays": 90}}
t = la.tables.begin_create_or_update(rg, name, "Kept_CL", kept).result()
assert (t.retention_in_days, t.total_retention_in_days, t.archive_retention_in_days) == (30, 90, 60), t.as_dict()
t = la.tables.begin_update(rg, name, "Kept_CL", {"properties": {"retentionInDays": 40}}).result()
assert (t.retention_in_days, t.total_retention_in_days) == (40, 90), t.as_dict()
refused(lambda: la.tables.begin_update(rg, name, "Kept_CL", {"properties": {"retentionInDays": 40, "totalRetentionInDays": 20}}), 400, "less than")


def ann():  # made anew for each call: the library writes into what it is given
    return [{"column": "Who", "operator": "==", "value": "ann"}]


refused(lambda: la.workspace_purge.purge(rg, name, {"table": "Nope", "filters": ann()}), 404)
refused(lambda: la.workspace_purge.purge(rg, name, {"table": "Kept_CL", "filters": []}), 400)
refused(lambda: la.workspace_purge.purge(rg, name, {"table": "Kept_CL", "filters": [{"column": "Nope", "operator": "==", "value": 1}]}), 400, "Nope")

# A purge takes the rows that its filter names, and no others.
destination = {"logAnalytics": [{"name": "w", "workspaceResourceId": os.environ["PICKET_RESOURCE_ID"]}]}
rule = MonitorManagementClient(cred, sub, **arm).data_collection_rules.create(rg, "kept", {
    "location": "local", "kind": "Direct",
    "streamDeclarations": {"Custom-Kept_CL": {"columns": [{"name": "TimeGenerated", "type": "datetime"}, {"name": "Who", "type": "string"}]}},
    "destinations": destination, "dataFlows": [{"streams": ["Custom-Kept_CL"], "destinations": ["w"], "outputStream": "Custom-Kept_CL"}],
})
LogsIngestionClient(url, cred).upload(rule_id=rule.immutable_id, stream_name="Custom-Kept_CL", logs=[{"Who": "ann" if i % 3 == 0 else "bo"} for i in range(30)])
assert rows("Kept_CL | summarize countif(Who == 'ann'), count()") == [[10, 30]]
p = la.workspace_purge.purge(rg, name, {"table": "Kept_CL", "filters": ann()})
until(lambda: la.workspace_purge.get_purge_status(rg, name, p.operation_id).status == "completed")
assert rows("Kept_CL | summarize countif(Who == 'ann'), count()") == [[0, 20]]
print("ok retention and purge")

si = SecurityInsights(cred, sub, **arm)
for what in ("alert_rules", "alert_rule_templates", "automation_rules", "bookmarks", "data_connectors", "incidents", "watchlists", "threat_intelligence_indicators"):
    list(getattr(si, what).list(rg, name))
assert si.sentinel_onboarding_states.list(rg, name).value[0].name == "default"
si.sentinel_onboarding_states.create(rg, name, "default", {"customer_managed_key": False})
si.threat_intelligence_indicator_metrics.list(rg, name)
assert any("alertrules" in o.name for o in si.operations.list())
iid, cid = str(uuid.uuid4()), str(uuid.uuid4())
assert si.incidents.create_or_update(rg, name, iid, {"title": "t", "severity": "High", "status": "New"}).incident_number
si.incident_comments.create_or_update(rg, name, iid, cid, {"message": "hello"})
assert si.incident_comments.get(rg, name, iid, cid).message == "hello"
assert len(list(si.incident_comments.list(rg, name, iid))) == 1
assert list(si.incident_relations.list(rg, name, iid)) == []
assert si.incidents.list_alerts(rg, name, iid).value == [] and si.incidents.list_bookmarks(rg, name, iid).value == []
print("ok sentinel lists")

aid = str(uuid.uuid4())
r = si.automation_rules.create_or_update(rg, name, aid, AutomationRule(
    display_name="close low", order=1,
    triggering_logic=AutomationRuleTriggeringLogic(is_enabled=True, triggers_on="Incidents", triggers_when="Created", conditions=[
        PropertyConditionProperties(condition_properties=AutomationRulePropertyValuesCondition(property_name="IncidentSeverity", operator="Equals", property_values=["Low"]))]),
    actions=[AutomationRuleModifyPropertiesAction(order=1, action_configuration=IncidentPropertiesAction(status="Closed", classification="Undetermined", labels=[IncidentLabel(label_name="auto")]))],
))
assert r.display_name == "close low" and r.actions[0].action_configuration.status == "Closed" and r.created_by.name, r.as_dict()
r = si.automation_rules.get(rg, name, aid)
assert r.triggering_logic.conditions[0].condition_properties.property_values == ["Low"], r.as_dict()
assert [x.name for x in si.automation_rules.list(rg, name)] == [aid]
low = si.incidents.create_or_update(rg, name, str(uuid.uuid4()), {"title": "low", "severity": "Low", "status": "New"})
until(lambda: si.incidents.get(rg, name, low.name).status == "Closed")
closed = si.incidents.get(rg, name, low.name)
assert closed.classification == "Undetermined" and [x.label_name for x in closed.labels] == ["auto"], closed.as_dict()
assert si.incidents.get(rg, name, iid).status == "New"
si.automation_rules.delete(rg, name, aid)
assert list(si.automation_rules.list(rg, name)) == []
print("ok automation rules")

x = si.watchlists.create_or_update(rg, name, "HighValue", Watchlist(
    display_name="High value", provider="me", source="Local file", items_search_key="Host",
    raw_content="Host,Owner\nweb1,Ann\nweb2,Bo\n", content_type="text/csv", number_of_lines_to_skip=0))
assert x.watchlist_alias == "HighValue" and x.items_search_key == "Host", x.as_dict()
assert sorted(y.items_key_value["Host"] for y in si.watchlist_items.list(rg, name, "HighValue")) == ["web1", "web2"]
one = str(uuid.uuid4())
y = si.watchlist_items.create_or_update(rg, name, "HighValue", one, WatchlistItem(items_key_value={"Host": "db1", "Owner": "Cy"}))
assert y.watchlist_item_id == one and si.watchlist_items.get(rg, name, "HighValue", one).items_key_value["Owner"] == "Cy"
assert rows("_GetWatchlist('HighValue') | where SearchKey == 'db1' | project Owner") == [["Cy"]]
si.watchlist_items.delete(rg, name, "HighValue", one)
assert len(list(si.watchlist_items.list(rg, name, "HighValue"))) == 2
assert [v.name for v in si.watchlists.list(rg, name)] == ["HighValue"]
si.watchlists.delete(rg, name, "HighValue")
assert list(si.watchlists.list(rg, name)) == []
print("ok watchlists")
