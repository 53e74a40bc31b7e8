#!/usr/bin/env bash
# The Azure CLI against picket: $1 is the template of the community's playbook. The caller has run the lines of
# `picket env az` (cloud register, cloud set, login).
set -euo pipefail
fail() { echo "$*" >&2; exit 1; }

[ "$(az account show --query name -o tsv)" = "$PICKET_WORKSPACE_NAME" ] || fail "account"
echo "ok login"
sub=$(az account show --query id -o tsv)
base="/subscriptions/$sub/resourceGroups/$AZURE_RESOURCE_GROUP"
[ "$(az rest --method get --url "$base?api-version=2022-09-01" --query name -o tsv)" = "$AZURE_RESOURCE_GROUP" ] || fail "rest"
n=$(az rest --method post --url "$PICKET_ENDPOINT/v1/workspaces/$PICKET_WORKSPACE_ID/query" --resource https://api.loganalytics.io --body '{"query":"print n=42"}' --query 'tables[0].rows[0][0]' -o tsv)
[ "$n" = 42 ] || fail "query: $n"
echo "ok rest"
[ "$(az monitor log-analytics workspace show -g "$AZURE_RESOURCE_GROUP" -n "$PICKET_WORKSPACE_NAME" --query customerId -o tsv)" = "$PICKET_WORKSPACE_ID" ] || fail "workspace"
az monitor log-analytics workspace table create -g "$AZURE_RESOURCE_GROUP" --workspace-name "$PICKET_WORKSPACE_NAME" -n FromAz_CL --columns TimeGenerated=datetime Who=string --retention-time 30 -o none
az monitor log-analytics workspace table list -g "$AZURE_RESOURCE_GROUP" --workspace-name "$PICKET_WORKSPACE_NAME" --query '[].name' -o tsv | grep -qx FromAz_CL || fail "table"
echo "ok log-analytics"
az deployment group create -g "$AZURE_RESOURCE_GROUP" -n honey -f "$1" --parameters PlaybookName=By-Az "WorkspaceID=$PICKET_WORKSPACE_ID" "WorkspaceKey=$SHARED_KEY" -o none
[ "$(az deployment group show -g "$AZURE_RESOURCE_GROUP" -n honey --query properties.provisioningState -o tsv)" = Succeeded ] || fail "deployment"
url=$(az rest --method post --url "$base/providers/Microsoft.Logic/workflows/By-Az/triggers/manual/listCallbackUrl?api-version=2019-05-01" --query value -o tsv)
curl -fsS -H 'Content-Type: application/json' -d '{"manage_url":"http://example.com/test/url/for/webhook","memo":"Congrats! The newly saved webhook works","channel":"HTTP","time":"2026-11-24 07:00:00","additional_data":{}}' "$url" >/dev/null
status= # the playbook ends the test message of a new webhook as Cancelled
for _ in $(seq 60); do
	status=$(az rest --method get --url "$base/providers/Microsoft.Logic/workflows/By-Az/runs?api-version=2019-05-01" --query 'value[0].properties.status' -o tsv)
	[ "$status" = Running ] || break
	sleep 0.5
done
[ "$status" = Cancelled ] || fail "the playbook that az deployed ended as ${status:-nothing}"
echo "ok deployment"
