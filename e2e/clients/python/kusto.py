"""Asks picket with azure-kusto-data, by application key, and looks at the workspace's schema."""
import json
import os
from datetime import datetime, timedelta, timezone

from azure.kusto.data import ClientRequestProperties, KustoClient, KustoConnectionStringBuilder
from azure.kusto.data.exceptions import KustoServiceError

url, db = os.environ["PICKET_ENDPOINT"], os.environ["PICKET_WORKSPACE_NAME"]
kcsb = KustoConnectionStringBuilder.with_aad_application_key_authentication(url, os.environ["AZURE_CLIENT_ID"], os.environ["AZURE_CLIENT_SECRET"], "adfs")
client = KustoClient(kcsb)
r = client.execute(db, """print i=int(1), l=9007199254740993, r=1.5, b=true, s='ä', d=datetime(2026-11-24T01:02:03Z), t=1d+2h, j=dynamic({"a":[1,"x"]}), m=decimal(1.50)""")
row = r.primary_results[0][0]
assert row["l"] == 9007199254740993 and row["b"] is True and row["s"] == "ä" and row["d"] == datetime(2026, 11, 24, 1, 2, 3, tzinfo=timezone.utc), row.to_dict()
assert row["t"] == timedelta(days=1, hours=2) and row["j"] == {"a": [1, "x"]}, row.to_dict()
assert r.errors_count == 0
print("ok query")
assert client.execute_query(db, "range x from 1 to 3 step 1 | fork (count) (summarize s=sum(x))").primary_results[1][0]["s"] == 6
print("ok several results")
tables = {r["TableName"] for r in client.execute_mgmt(db, ".show tables").primary_results[0]}
assert "SecurityIncident" in tables, tables
assert client.execute_mgmt(db, ".show databases").primary_results[0][0]["DatabaseName"] == db
assert client.execute_mgmt(db, ".show version").primary_results[0][0]["ServiceType"] == "Engine"
schema = json.loads(client.execute_mgmt(db, ".show database schema as json").primary_results[0][0]["DatabaseSchema"])
assert "SecurityIncident" in schema["Databases"][db]["Tables"]
list(client.execute_mgmt(db, ".show functions").primary_results[0])
print("ok commands")
for text, semantic in (("print x=1 | where nosuch == 1", True), ("print |", False)):
    try:
        client.execute(db, text)
        raise SystemExit("a wrong query was answered")
    except KustoServiceError as e:
        assert e.is_semantic_error() == semantic, e
print("ok errors")
p = ClientRequestProperties()
p.set_parameter("n", 41)
p.set_parameter("s", "a'b")
row = client.execute(db, "declare query_parameters(n:long, s:string, d:datetime=datetime(2026-11-24)); print n + 1, s, d", p).primary_results[0][0]
assert [row[0], row[1]] == [42, "a'b"], row.to_dict()
print("ok parameters")
p = ClientRequestProperties()
p.set_option("truncationmaxrecords", 10)
try:
    r = client.execute(db, "range x from 1 to 100 step 1", p)
    raise SystemExit("a cut answer passed for whole")
except Exception as e:
    assert "E_QUERY_RESULT_SET_TOO_LARGE" in str(e), e
print("ok limits")
n = 0
with client:
    for t in client.execute_streaming_query(db, "range x from 1 to 20000 step 1").iter_primary_results():
        n += sum(1 for _ in t)
assert n == 20000, n
print("ok streaming")
