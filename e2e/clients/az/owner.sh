#!/usr/bin/env bash
# What an Owner does with az: role assignments, the workspace's commands, a playbook by nothing but `az rest`. $1 is the
# id of a principal with the role Reader, $READER_SECRET its secret. The caller has run cloud register, cloud set and the Owner's login.
set -euo pipefail
fail() { echo "$*" >&2; exit 1; }
is() { [ "$2" = "$3" ] || fail "$1: $2, not $3"; }

roles() { az role assignment list --assignee "$1" --all --query 'sort([].roleDefinitionName)' -o tsv | paste -sd,; }
# may is the status that the principal gets for a change: 403 as long as it may only read.
may() {
	local token
	token=$(curl -fsS "$PICKET_ENDPOINT/adfs/oauth2/v2.0/token" -d grant_type=client_credentials -d "client_id=$1" --data-urlencode "client_secret=$READER_SECRET" \
		-d scope=https://management.azure.com/.default | python3 -c 'import json,sys; print(json.load(sys.stdin)["access_token"])')
	curl -sS -o /dev/null -w '%{http_code}' -X PUT -H "Authorization: Bearer $token" -H 'Content-Type: application/json' \
		-d '{"properties":{"category":"c","displayName":"mine","query":"print 1"}}' "$PICKET_ENDPOINT$PICKET_RESOURCE_ID/savedSearches/mine?api-version=2020-08-01"
}
before=$(roles "$1")
is "a Reader's change" "$(may "$1")" 403
az role assignment create --assignee-object-id "$1" --assignee-principal-type ServicePrincipal --role Contributor --scope "$PICKET_RESOURCE_ID" -o none
case "$(roles "$1")" in *Contributor*) ;; *) fail "roles after create: $(roles "$1"), before $before" ;; esac
is "a Contributor's change" "$(may "$1")" 200
az role assignment delete --assignee "$1" --role Contributor --scope "$PICKET_RESOURCE_ID"
is "a change after the role is taken" "$(may "$1")" 403
case "$(roles "$1")" in *Contributor*) fail "roles after delete: $(roles "$1")" ;; esac
is "role definition" "$(az role definition list --name Owner --query '[].roleName' -o tsv)" Owner
echo "ok roles"

workspace=(-g "$AZURE_RESOURCE_GROUP" -n "$PICKET_WORKSPACE_NAME")
in=(-g "$AZURE_RESOURCE_GROUP" --workspace-name "$PICKET_WORKSPACE_NAME")
la() { az monitor log-analytics workspace "$@"; }
is "shared key" "$(la get-shared-keys "${workspace[@]}" --query primarySharedKey -o tsv)" "$SHARED_KEY"
la get-schema "${workspace[@]}" --query 'value[].name' -o tsv | grep -qx TimeGenerated || fail "schema"
is "usage" "$(la list-usages "${workspace[@]}" --query '[0].unit' -o tsv)" Bytes
is "tags" "$(la update "${workspace[@]}" --tags team=soc --query tags.team -o tsv)" soc
la saved-search create "${in[@]}" -n two --category c --display-name Two --saved-query 'print y = x * 2' --fa Two --fp 'x:long' -o none
ask() { az rest --method post --url "$PICKET_ENDPOINT/v1/workspaces/$PICKET_WORKSPACE_ID/query" --resource https://api.loganalytics.io --body "{\"query\":\"$1\"}" --query 'tables[0].rows[0][0]' -o tsv; }
is "function" "$(ask 'Two(21)')" 42
la saved-search delete "${in[@]}" -n two -y
la table create "${in[@]}" -n Owned_CL --columns TimeGenerated=datetime Who=string --retention-time 30 --total-retention-time 60 -o none
is "retention" "$(la table update "${in[@]}" -n Owned_CL --retention-time 40 --query '[retentionInDays,totalRetentionInDays]' -o tsv | paste -sd,)" 40,60
la table delete "${in[@]}" -n Owned_CL -y
echo "ok workspace"

# A playbook deployed, started and read by `az rest` alone: its run says what it was sent.
flow="/subscriptions/$(az account show --query id -o tsv)/resourceGroups/$AZURE_RESOURCE_GROUP/providers/Microsoft.Logic/workflows/By-Rest"
v="api-version=2019-05-01"
az rest --method put --url "$flow?$v" -o none --body '{"location":"local","properties":{"definition":{
	"$schema":"https://schema.management.azure.com/providers/Microsoft.Logic/schemas/2016-06-01/workflowdefinition.json#","contentVersion":"1.0.0.0",
	"triggers":{"manual":{"type":"Request","kind":"Http"}},
	"actions":{"Greet":{"type":"Compose","inputs":"@concat('\''hello '\'', triggerBody()?['\''who'\''])","runAfter":{}},
		"Response":{"type":"Response","kind":"Http","inputs":{"statusCode":201,"body":"@outputs('\''Greet'\'')"},"runAfter":{"Greet":["Succeeded"]}}}}}}'
is "state" "$(az rest --method get --url "$flow?$v" --query properties.state -o tsv)" Enabled
url=$(az rest --method post --url "$flow/triggers/manual/listCallbackUrl?$v" --query value -o tsv)
is "answer" "$(az rest --method post --url "$url" --skip-authorization-header --body '{"who":"az"}' -o tsv)" "hello az"
run=
for _ in $(seq 40); do
	run=$(az rest --method get --url "$flow/runs?$v" --query "value[?properties.status=='Succeeded'] | [0].name" -o tsv)
	[ -n "$run" ] && break
	sleep 0.5
done
[ -n "$run" ] || fail "no run succeeded"
is "runs" "$(az rest --method get --url "$flow/runs?$v" --query 'length(value)' -o tsv)" 1
is "actions" "$(az rest --method get --url "$flow/runs/$run/actions?$v" --query 'sort(value[].name)' -o tsv | paste -sd,)" Greet,Response
az rest --method delete --url "$flow?$v"
echo "ok playbook"
