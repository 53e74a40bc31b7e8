package azure

import (
	"net/http"
	"strings"
)

// Providers, locations and the list of resources: what tools look at before they begin.

// namespaces are the providers that picket serves, with their resource types.
var namespaces = map[string][]string{
	"Microsoft.Insights":            {"dataCollectionRules", "dataCollectionEndpoints"},
	"Microsoft.Logic":               {"workflows"},
	"Microsoft.OperationalInsights": {"workspaces", "workspaces/tables", "workspaces/savedSearches"},
	"Microsoft.Resources":           {"deployments", "resourceGroups", "subscriptions"},
	"Microsoft.SecurityInsights":    {"incidents", "alertRules"},
	"Microsoft.Web":                 {"connections"},
}

func (a *API) providerJSON(ns string) map[string]any {
	types := []any{}
	for _, t := range namespaces[ns] {
		types = append(types, map[string]any{"resourceType": t, "locations": []string{a.d.Workspace.Location}, "apiVersions": []string{"2023-11-01", "2023-03-11", "2022-10-01", "2019-05-01"}})
	}
	return map[string]any{"id": "/subscriptions/" + a.d.Workspace.SubscriptionID + "/providers/" + ns, "namespace": ns, "registrationState": "Registered", "registrationPolicy": "RegistrationFree", "resourceTypes": types}
}

func (a *API) providerRoutes() []route {
	list := func(w http.ResponseWriter, _ *call) {
		out := []any{}
		for _, ns := range sortedKeys(namespaces) {
			out = append(out, a.providerJSON(ns))
		}
		writeJSON(w, 200, map[string]any{"value": out})
	}
	one := func(w http.ResponseWriter, r *call) {
		for ns := range namespaces {
			if strings.EqualFold(ns, r.v("namespace")) {
				writeJSON(w, 200, a.providerJSON(ns))
				return
			}
		}
		writeError(w, &Error{Status: 404, Code: "InvalidResourceNamespace", Message: "The resource namespace '" + r.v("namespace") + "' is not served by this picket."})
	}
	return []route{
		{"GET", "/providers", Reader, list},
		{"GET", "/subscriptions/{sub}/providers", Reader, list},
		{"GET", "/providers/{namespace}", Reader, one},
		{"GET", "/subscriptions/{sub}/providers/{namespace}", Reader, one},
		{"POST", "/subscriptions/{sub}/providers/{namespace}/register", Contributor, one},
		{"GET", "/subscriptions/{sub}/locations", Reader, func(w http.ResponseWriter, _ *call) {
			l := a.d.Workspace.Location
			writeJSON(w, 200, map[string]any{"value": []any{map[string]any{"id": "/subscriptions/" + a.d.Workspace.SubscriptionID + "/locations/" + l, "name": l, "displayName": l, "regionalDisplayName": l, "type": "Region", "metadata": map[string]any{"regionType": "Physical", "regionCategory": "Recommended"}}}})
		}},
		{"GET", "/subscriptions/{sub}/resources", Reader, a.listResources},
		{"GET", armRG + "/resources", Reader, a.listResources},
	}
}

// listResources lists the workspace, its playbooks and connections, and the data collection rules.
func (a *API) listResources(w http.ResponseWriter, r *call) {
	short := func(j map[string]any) map[string]any {
		out := map[string]any{}
		for _, k := range []string{"id", "name", "type", "location", "kind", "tags"} {
			if v, ok := j[k]; ok {
				out[k] = v
			}
		}
		return out
	}
	ws, err := a.workspace(r.Context())
	if err != nil {
		a.fail(w, err)
		return
	}
	out := []any{short(ws)}
	flows, err := a.d.Playbooks.Workflows(r.Context())
	if err != nil {
		a.fail(w, err)
		return
	}
	for _, x := range flows {
		out = append(out, short(a.flowJSON(x)))
	}
	conns, err := a.d.Playbooks.Connections(r.Context())
	if err != nil {
		a.fail(w, err)
		return
	}
	for _, c := range conns {
		out = append(out, short(a.connectionJSON(c)))
	}
	for _, kind := range []string{kindRule, kindEndpoint} {
		all, err := a.res.list(r.Context(), kind)
		if err != nil {
			a.fail(w, err)
			return
		}
		for i := range all {
			j, err := a.ruleJSON(a.base(r.Request), kind, &all[i])
			if err != nil {
				a.fail(w, err)
				return
			}
			out = append(out, short(j))
		}
	}
	writeJSON(w, 200, map[string]any{"value": out})
}
