"""Runs of a playbook with azure-mgmt-logic: the callback URL, the list of runs, a run's actions, and a cancelled run."""
import os
import time

import requests
from azure.identity import EnvironmentCredential
from azure.mgmt.logic import LogicManagementClient

url, sub, rg = os.environ["PICKET_ENDPOINT"], os.environ["AZURE_SUBSCRIPTION_ID"], os.environ["AZURE_RESOURCE_GROUP"]
cred, scope = EnvironmentCredential(), "https://management.azure.com/.default"
lg = LogicManagementClient(cred, sub, base_url=url, credential_scopes=[scope])
wf = lg.workflows.create_or_update(rg, "Patient", {"location": "local", "definition": {
    "$schema": "https://schema.management.azure.com/providers/Microsoft.Logic/schemas/2016-06-01/workflowdefinition.json#", "contentVersion": "1.0.0.0",
    "triggers": {"manual": {"type": "Request", "kind": "Http"}},
    "actions": {
        "If_patient": {"type": "If", "expression": "@equals(triggerBody()?['wait'], true)", "runAfter": {}, "actions": {
            "Delay": {"type": "Wait", "inputs": {"interval": {"count": 1, "unit": "Day"}}, "runAfter": {}}}},
        "After": {"type": "Compose", "inputs": "@triggerBody()?['id']", "runAfter": {"If_patient": ["Succeeded"]}},
    },
}})
assert wf.state == "Enabled" and wf.version, wf.as_dict()


def wait(status, name):
    end = time.monotonic() + 60
    while (run := lg.workflow_runs.get(rg, "Patient", name)).status != status:
        assert time.monotonic() < end, (name, run.status)
        time.sleep(0.2)
    return run


cb = lg.workflow_triggers.list_callback_url(rg, "Patient", "manual")
assert cb.method == "POST" and cb.value.startswith(cb.base_path) and cb.queries.sig and cb.queries.sig in requests.utils.unquote(cb.value), cb.as_dict()
assert requests.post(cb.value.replace("sig=", "sig=x"), json={}, timeout=60).status_code == 401
print("ok callback url")

for i in range(5):
    r = requests.post(cb.value, json={"id": i}, timeout=60)
    assert r.status_code == 202 and r.headers["x-ms-workflow-run-id"], (r.status_code, r.text)
    wait("Succeeded", r.headers["x-ms-workflow-run-id"])
runs = list(lg.workflow_runs.list(rg, "Patient"))
assert len(runs) == 5 and all(x.status == "Succeeded" and x.start_time <= x.end_time and x.trigger.name == "manual" for x in runs), [x.as_dict() for x in runs]
assert [x.start_time for x in runs] == sorted((x.start_time for x in runs), reverse=True)
assert len(list(lg.workflow_runs.list(rg, "Patient", top=2))) in (2, 5)
assert list(lg.workflow_runs.list(rg, "Patient", filter="status eq 'Failed'")) == []
actions = {a.name: a.status for a in lg.workflow_run_actions.list(rg, "Patient", runs[0].name)}
assert actions["If_patient"] == actions["After"] == "Succeeded" and actions.get("Delay", "Skipped") == "Skipped", actions
after = lg.workflow_run_actions.get(rg, "Patient", runs[0].name, "After")
out = requests.get(after.outputs_link.uri, headers={"Authorization": "Bearer " + cred.get_token(scope).token}, timeout=60)
assert out.status_code == 200 and out.json() == 4, (out.status_code, out.text)
print("ok runs")

name = requests.post(cb.value, json={"id": 5, "wait": True}, timeout=60).headers["x-ms-workflow-run-id"]
wait("Running", name)
lg.workflow_runs.cancel(rg, "Patient", name)
run = wait("Cancelled", name)
assert run.end_time, run.as_dict()
assert {a.name: a.status for a in lg.workflow_run_actions.list(rg, "Patient", name)}.get("After") in (None, "Skipped", "Cancelled")
assert [x.name for x in lg.workflow_runs.list(rg, "Patient", filter="status eq 'Cancelled'")] == [name]
lg.workflows.delete(rg, "Patient")
print("ok cancel")
