"""Asks picket with azure-monitor-query: nothing but the environment and the endpoint names it."""
import os
from datetime import datetime, timedelta, timezone

from azure.core.exceptions import HttpResponseError
from azure.identity import DefaultAzureCredential, EnvironmentCredential, ManagedIdentityCredential
from azure.monitor.query import LogsBatchQuery, LogsQueryClient, LogsQueryStatus

url, ws = os.environ["PICKET_ENDPOINT"], os.environ["PICKET_WORKSPACE_ID"]
resource = os.environ["PICKET_RESOURCE_ID"]
client = LogsQueryClient(EnvironmentCredential(), endpoint=url)
hour = timedelta(hours=1)

# Every type comes back as Python knows it.
r = client.query_workspace(ws, """print i=int(1), l=long(9007199254740993), r=1.5, b=true, s='ä', d=datetime(2026-11-24T01:02:03.1234567Z),
    t=1d+2h, g=guid(74be27de-1e4e-49d9-b579-fe0b331d3642), j=dynamic({"a":[1,"x"]}), n=long(null)""", timespan=hour)
assert r.status == LogsQueryStatus.SUCCESS, r.status
t = r.tables[0]
assert t.name == "PrimaryResult" and t.columns == ["i", "l", "r", "b", "s", "d", "t", "g", "j", "n"], t.columns
assert t.columns_types == ["int", "long", "real", "bool", "string", "datetime", "timespan", "guid", "dynamic", "long"], t.columns_types
row = t.rows[0]
assert row["l"] == 9007199254740993 and row["r"] == 1.5 and row["b"] is True and row["s"] == "ä" and row["n"] is None, list(row)
assert row["d"].replace(microsecond=0) == datetime(2026, 11, 24, 1, 2, 3, tzinfo=timezone.utc), row["d"]
assert row["t"] == "1.02:00:00" and row["g"] == "74be27de-1e4e-49d9-b579-fe0b331d3642" and row["j"] == '{"a":[1,"x"]}', list(row)
print("ok types")

r = client.query_workspace(ws, "print x=1 | render piechart with (title='t')", timespan=None, include_statistics=True, include_visualization=True, server_timeout=30)
assert r.statistics["query"]["executionTime"] >= 0 and r.visualization["visualization"] == "piechart", (r.statistics, r.visualization)
print("ok prefer")

try:
    client.query_workspace(ws, "print x=1\n| where nosuch == 1", timespan=hour)
    raise SystemExit("a wrong query was answered")
except HttpResponseError as e:
    assert e.status_code == 400 and "nosuch" in str(e), e
print("ok error")

r = client.query_workspace(ws, "range x from 1 to 500001 step 1", timespan=None)
assert r.status == LogsQueryStatus.PARTIAL and len(r.partial_data[0].rows) == 500000, r
assert "E_QUERY_RESULT_SET_TOO_LARGE" in str(r.partial_error.message) + str(r.partial_error.details), r.partial_error
print("ok partial")

rs = client.query_batch([
    LogsBatchQuery(workspace_id=ws, query="print n=1", timespan=hour),
    LogsBatchQuery(workspace_id=ws, query="nonsense |", timespan=hour),
    LogsBatchQuery(workspace_id=ws, query="print n=3", timespan=(datetime.now(timezone.utc) - hour, hour)),
])
assert [x.status for x in rs] == [LogsQueryStatus.SUCCESS, LogsQueryStatus.FAILURE, LogsQueryStatus.SUCCESS], rs
assert rs[0].tables[0].rows[0]["n"] == 1 and rs[2].tables[0].rows[0]["n"] == 3
print("ok batch")

r = client.query_resource(resource, "print n=7", timespan=hour)
assert r.tables[0].rows[0]["n"] == 7
print("ok resource")

msi = LogsQueryClient(ManagedIdentityCredential(), endpoint=url)
assert msi.query_workspace(ws, "print n=8", timespan=hour).tables[0].rows[0]["n"] == 8
print("ok managed identity")
