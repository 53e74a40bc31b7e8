package azure

import (
	"net/http"
	"picket/kql/value"
	"sort"
)

// laMetadata answers what editors complete from: tables, columns and functions.
func (a *API) laMetadata(w http.ResponseWriter, r *call) {
	if id := r.v("id"); id != "" && !a.la.knows(id) {
		writeError(w, a.la.unknown(id))
		return
	}
	tables, err := a.d.Schema(r.Context())
	if err != nil {
		a.fail(w, err)
		return
	}
	ts := []map[string]any{}
	ids := []string{}
	for _, n := range sortedKeys(tables) {
		cols := []map[string]string{}
		timespan := ""
		for _, c := range tables[n] {
			cols = append(cols, map[string]string{"name": c.Name, "type": c.Type.String()})
			if c.Name == "TimeGenerated" && c.Type == value.Datetime {
				timespan = c.Name
			}
		}
		ts = append(ts, map[string]any{"id": "t/" + n, "name": n, "timespanColumn": timespan, "columns": cols, "related": map[string]any{}})
		ids = append(ids, "t/"+n)
	}
	fs := []map[string]any{}
	for _, f := range a.functions() {
		fs = append(fs, map[string]any{"id": "f/" + f.Alias, "name": f.Alias, "displayName": f.DisplayName, "body": f.Query, "parameters": f.Parameters, "related": map[string]any{}})
	}
	ws := a.d.Workspace
	writeJSON(w, 200, map[string]any{
		"tables": ts, "functions": fs, "tableGroups": []any{}, "categories": []any{}, "solutions": []any{}, "resourceTypes": []any{}, "queries": []any{}, "resources": []any{}, "applications": []any{}, "permissions": map[string]any{"workspaces": []any{map[string]any{"resourceId": ws.ResourceID()}}, "resources": []any{}, "applications": []any{}},
		"workspaces": []any{map[string]any{"id": ws.ID, "name": ws.Name, "region": ws.Location, "resourceId": ws.ResourceID(), "related": map[string]any{"tables": ids}}},
	})
}

func sortedKeys[V any](m map[string]V) []string {
	out := make([]string, 0, len(m))
	for k := range m {
		out = append(out, k)
	}
	sort.Strings(out)
	return out
}
