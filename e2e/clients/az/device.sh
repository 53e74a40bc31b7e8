#!/usr/bin/env bash
# A person's sign-in with az: the command shows a code, the person agrees to it as the page at /device does. The caller
# has run cloud register and cloud set.
set -euo pipefail
fail() { echo "$*" >&2; exit 1; }
field() { python3 -c 'import json,sys; print(json.load(sys.stdin)[sys.argv[1]])' "$1"; }

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
az login --use-device-code --tenant adfs -o none >"$work/out" 2>&1 &
login=$!
code=
for _ in $(seq 120); do
	code=$(grep -o 'code [A-Z0-9]\{4\}-[A-Z0-9]\{4\}' "$work/out" | head -1 | cut -d' ' -f2 || true)
	[ -n "$code" ] && break
	sleep 0.5
done
[ -n "$code" ] || fail "no code: $(cat "$work/out")"
grep -qF "$PICKET_ENDPOINT/device" "$work/out" || fail "no address: $(cat "$work/out")"
consent="$PICKET_ENDPOINT/api/v1/access/consents/$code"
[ "$(curl -sS -o /dev/null -w '%{http_code}' -H "Authorization: Bearer $PICKET_TOKEN" -H 'Content-Type: application/json' -d '{"allow":true}' "$consent")" -ge 400 ] ||
	fail "a bearer token agreed in a person's place"
csrf=$(curl -fsS -c "$work/jar" -H 'Content-Type: application/json' -d "{\"name\":\"$USER_NAME\",\"password\":\"$USER_PASSWORD\"}" "$PICKET_ENDPOINT/api/v1/session" | field csrf)
curl -fsS -b "$work/jar" "$consent" >/dev/null || fail "the page does not know the code"
curl -fsS -b "$work/jar" -H "X-Picket-CSRF: $csrf" -H 'Content-Type: application/json' -d '{"allow":true}' "$consent" >/dev/null
wait "$login" || fail "az login: $(cat "$work/out")"
[ "$(az account show --query user.name -o tsv)" = "$USER_NAME" ] || fail "account: $(az account show)"
[ "$(az account show --query user.type -o tsv)" = user ] || fail "type"
n=$(az rest --method post --url "$PICKET_ENDPOINT/v1/workspaces/$PICKET_WORKSPACE_ID/query" --resource https://api.loganalytics.io --body '{"query":"print n=43"}' --query 'tables[0].rows[0][0]' -o tsv)
[ "$n" = 43 ] || fail "query: $n"
az logout
echo "ok device code"
