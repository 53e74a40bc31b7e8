package azure

import (
	"net/http"
	"strings"
)

// route is one operation of the Resource Manager surface. Patterns compare segment by segment without case;
// {name} takes any segment, with its case.
type route struct {
	method  string
	pattern string
	need    Role
	serve   func(w http.ResponseWriter, r *call)
}

// call is a request that matched a route.
type call struct {
	*http.Request
	who  Principal
	vars map[string]string
}

func (r *call) v(name string) string { return r.vars[name] }

const (
	armWorkspace = "/subscriptions/{sub}/resourcegroups/{rg}/providers/microsoft.operationalinsights/workspaces/{ws}"
	armInsights  = armWorkspace + "/providers/microsoft.securityinsights"
)

type routeTable struct {
	routes []route
	segs   [][]string
}

func newRouteTable(rs []route) *routeTable {
	t := &routeTable{routes: rs}
	for _, r := range rs {
		t.segs = append(t.segs, strings.Split(strings.Trim(r.pattern, "/"), "/"))
	}
	return t
}

func match(pattern []string, path []string) (map[string]string, bool) {
	if len(pattern) != len(path) {
		return nil, false
	}
	vars := map[string]string{}
	for i, p := range pattern {
		if len(p) > 2 && p[0] == '{' {
			if path[i] == "" {
				return nil, false
			}
			vars[p[1:len(p)-1]] = path[i]
		} else if !strings.EqualFold(p, path[i]) {
			return nil, false
		}
	}
	return vars, true
}

// find gives the route of a request, or the status that says why there is none: 404 or 405.
func (t *routeTable) find(method, path string) (*route, map[string]string, int) {
	parts := strings.Split(strings.Trim(path, "/"), "/")
	status := 404
	for i := range t.routes {
		vars, ok := match(t.segs[i], parts)
		if !ok {
			continue
		}
		if t.routes[i].method == method {
			return &t.routes[i], vars, 200
		}
		status = 405
	}
	return nil, nil, status
}

// arm answers what hangs under /subscriptions, /tenants and /providers.
func (a *API) arm(w http.ResponseWriter, r *http.Request) {
	who, e := a.authenticate(r)
	if e != nil {
		a.refuse(w, r, e)
		return
	}
	rt, vars, status := a.table.find(r.Method, r.URL.Path)
	switch status {
	case 404:
		writeError(w, &Error{Status: 404, Code: "InvalidResourceType", Message: "picket serves no resource at " + r.URL.Path + "."})
		return
	case 405:
		writeError(w, &Error{Status: 405, Code: "MethodNotAllowed", Message: r.Method + " is not served at " + r.URL.Path + "."})
		return
	}
	if r.URL.Query().Get("api-version") == "" {
		writeError(w, &Error{Status: 400, Code: "MissingApiVersionParameter", Message: "The api-version query parameter (?api-version=) is required for all requests."})
		return
	}
	ws := a.d.Workspace
	if v, ok := vars["sub"]; ok && !strings.EqualFold(v, ws.SubscriptionID) {
		writeError(w, &Error{Status: 404, Code: "SubscriptionNotFound", Message: "The subscription '" + v + "' could not be found."})
		return
	}
	if v, ok := vars["rg"]; ok && !strings.EqualFold(v, ws.ResourceGroup) {
		writeError(w, &Error{Status: 404, Code: "ResourceGroupNotFound", Message: "Resource group '" + v + "' could not be found."})
		return
	}
	if v, ok := vars["ws"]; ok && !strings.EqualFold(v, ws.Name) {
		writeError(w, &Error{Status: 404, Code: "ResourceNotFound", Message: "The workspace '" + v + "' under resource group '" + ws.ResourceGroup + "' was not found."})
		return
	}
	c := &call{Request: a.withCaller(r), who: who, vars: vars}
	sw := &statusWriter{ResponseWriter: w}
	if who.Role.Allows(rt.need) {
		rt.serve(sw, c)
	} else {
		writeError(sw, &Error{Status: 403, Code: "AuthorizationFailed", Message: "'" + who.Name + "' has the role " + string(who.Role) + "; this needs " + string(rt.need) + "."})
	}
	if rt.need != Reader { // changes, and secrets that are read
		a.auditARM(c, orDefaultInt(sw.status, 200))
	}
}

func (a *API) armRoutes() []route {
	rs := []route{
		{"GET", "/subscriptions", Reader, a.listSubscriptions},
		{"GET", "/tenants", Reader, a.listTenants},
		{"GET", "/subscriptions/{sub}", Reader, func(w http.ResponseWriter, _ *call) { writeJSON(w, 200, a.subscription()) }},
		{"GET", "/subscriptions/{sub}/resourcegroups", Reader, func(w http.ResponseWriter, _ *call) {
			writeJSON(w, 200, map[string]any{"value": []any{a.resourceGroup()}})
		}},
		{"GET", "/subscriptions/{sub}/resourcegroups/{rg}", Reader, func(w http.ResponseWriter, _ *call) { writeJSON(w, 200, a.resourceGroup()) }},
		{"GET", "/subscriptions/{sub}/providers/microsoft.operationalinsights/workspaces", Reader, a.listWorkspaces},
		{"GET", "/subscriptions/{sub}/resourcegroups/{rg}/providers/microsoft.operationalinsights/workspaces", Reader, a.listWorkspaces},
		{"POST", armWorkspace + "/query", Reader, func(w http.ResponseWriter, r *call) { a.la.query(w, r.Request, "", r.who) }},
	}
	rs = append(rs, a.workspaceRoutes()...)
	rs = append(rs, a.roleRoutes()...)
	rs = append(rs, a.automationRoutes()...)
	rs = append(rs, a.watchlistRoutes()...)
	rs = append(rs, a.sentinelRoutes()...)
	rs = append(rs, a.incidentRoutes()...)
	rs = append(rs, a.ruleRoutes()...)
	rs = append(rs, a.savedRoutes()...)
	rs = append(rs, a.dcrRoutes()...)
	rs = append(rs, a.tableRoutes()...)
	rs = append(rs, a.logicRoutes()...)
	rs = append(rs, a.deploymentRoutes()...)
	rs = append(rs, a.providerRoutes()...)
	return rs
}

func (a *API) subscription() map[string]any {
	w := a.d.Workspace
	return map[string]any{"id": "/subscriptions/" + w.SubscriptionID, "subscriptionId": w.SubscriptionID, "displayName": "picket", "state": "Enabled", "tenantId": w.TenantID}
}

func (a *API) listSubscriptions(w http.ResponseWriter, _ *call) {
	writeJSON(w, 200, map[string]any{"value": []any{a.subscription()}})
}

func (a *API) listTenants(w http.ResponseWriter, _ *call) {
	t := a.d.Workspace.TenantID
	writeJSON(w, 200, map[string]any{"value": []any{map[string]any{"id": "/tenants/" + t, "tenantId": t, "displayName": "picket"}}})
}

func (a *API) resourceGroup() map[string]any {
	w := a.d.Workspace
	return map[string]any{
		"id": "/subscriptions/" + w.SubscriptionID + "/resourceGroups/" + w.ResourceGroup, "name": w.ResourceGroup, "type": "Microsoft.Resources/resourceGroups",
		"location": w.Location, "properties": map[string]string{"provisioningState": "Succeeded"},
	}
}

func (a *API) listWorkspaces(w http.ResponseWriter, r *call) {
	ws, err := a.workspace(r.Context())
	if err != nil {
		a.fail(w, err)
		return
	}
	writeJSON(w, 200, map[string]any{"value": []any{ws}})
}

func orDefaultInt(n, d int) int {
	if n == 0 {
		return d
	}
	return n
}
