"""Sends 5,000 records with azure-monitor-ingestion, which splits and packs them, and counts them."""
import io
import json
import os
from datetime import datetime, timedelta, timezone

from azure.core.exceptions import HttpResponseError
from azure.identity import EnvironmentCredential
from azure.monitor.ingestion import LogsIngestionClient
from azure.monitor.query import LogsQueryClient

url, ws, rule, stream = (os.environ[k] for k in ("PICKET_ENDPOINT", "PICKET_WORKSPACE_ID", "PICKET_DCR_ID", "PICKET_STREAM"))
cred = EnvironmentCredential()
client = LogsIngestionClient(url, cred)
now = datetime.now(timezone.utc)
rows = [{"TimeGenerated": (now - timedelta(seconds=i % 600)).isoformat(), "Computer": "python", "Level": i % 8, "Count": 2**53 + i, "Score": i / 4, "Ok": i % 2 == 0,
         "Message": "x" * 600 + str(i), "Detail": {"i": i}, "Undeclared": 1} for i in range(5000)]
client.upload(rule_id=rule, stream_name=stream, logs=rows)
client.upload(rule_id=rule, stream_name=stream, logs=io.BytesIO(json.dumps([{"Computer": "python-stream", "Level": 1}]).encode()))
q = LogsQueryClient(cred, endpoint=url)
r = q.query_workspace(ws, "Demo_CL | where Computer startswith 'python' | summarize n=count(), s=max(Count), d=dcount(tolong(Detail.i)), ok=countif(Ok) by Computer | sort by Computer asc", timespan=None)
got = [tuple(x) for x in r.tables[0].rows]
assert got[0] == ("python", 5000, 2**53 + 4999, got[0][3], 2500) and 4900 < got[0][3] < 5100, got
assert got[1][:2] == ("python-stream", 1), got
print("ok upload")
for kwargs, status, text in (
    ({"rule_id": "dcr-00000000000000000000000000000000", "stream_name": stream, "logs": [{"a": 1}]}, 404, "NotFound"),
    ({"rule_id": rule, "stream_name": "Custom-Nope_CL", "logs": [{"a": 1}]}, 400, "InvalidStream"),
    ({"rule_id": rule, "stream_name": stream, "logs": io.BytesIO(b'{"Computer":"no array"}')}, 400, "InvalidRequestPayload"),
):
    try:
        client.upload(**kwargs)
        raise SystemExit(f"{text}: was taken")
    except HttpResponseError as e:
        assert e.status_code == status and e.error.code == text, (e.status_code, e)
print("ok errors")
