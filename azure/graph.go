package azure

import (
	"fmt"
	"net/http"
	"regexp"
	"strings"
)

// The part of Microsoft Graph with which `az role assignment` finds out who a principal is: service principals and
// people, read only.

func (a *API) graphRoutes() []route {
	return []route{
		{"GET", "/v1.0/me", Reader, a.graphMe},
		{"GET", "/v1.0/users", Reader, func(w http.ResponseWriter, r *call) { a.graphList(w, r, "User") }},
		{"GET", "/v1.0/users/{object}", Reader, func(w http.ResponseWriter, r *call) { a.graphOne(w, r, "User") }},
		{"GET", "/v1.0/serviceprincipals", Reader, func(w http.ResponseWriter, r *call) { a.graphList(w, r, "ServicePrincipal") }},
		{"GET", "/v1.0/serviceprincipals/{object}", Reader, func(w http.ResponseWriter, r *call) { a.graphOne(w, r, "ServicePrincipal") }},
		{"POST", "/v1.0/directoryobjects/getbyids", Reader, a.graphByIDs},
	}
}

// graphNames are the forms in which clients look for one principal by its name or id.
var graphNames = regexp.MustCompile(`(?i)^\s*(?:servicePrincipalNames/any\(\s*\w+\s*:\s*\w+\s+eq\s+'([^']*)'\s*\)|(?:userPrincipalName|displayName|appId|id|mail)\s+eq\s+'([^']*)'|startswith\((?:userPrincipalName|displayName)\s*,\s*'([^']*)'\))\s*$`)

const maxGraphIDs = 1000

// graphObjects lists who there is.
func (a *API) graphObjects(r *call) ([]map[string]any, error) {
	gs, err := a.issuer.Grants(r.Context())
	if err != nil {
		return nil, err
	}
	out := []map[string]any{}
	for _, g := range gs {
		if g.Kind == KindPrincipal || g.Kind == KindIdentity {
			out = append(out, map[string]any{
				"@odata.type": "#microsoft.graph.servicePrincipal", "id": g.ID, "appId": g.ID, "displayName": g.Name, "appDisplayName": g.Name, "servicePrincipalNames": []string{g.ID},
				"servicePrincipalType": map[bool]string{true: "ManagedIdentity", false: "Application"}[g.Kind == KindIdentity], "accountEnabled": !g.Disabled,
			})
		}
	}
	if a.d.People == nil {
		return out, nil
	}
	ps, err := a.d.People.People(r.Context())
	if err != nil {
		return nil, fmt.Errorf("list accounts: %w", err)
	}
	for _, p := range ps {
		out = append(out, map[string]any{"@odata.type": "#microsoft.graph.user", "id": p.ID, "displayName": orDefault(p.DisplayName, p.Name), "userPrincipalName": p.Name, "mail": orNil(p.Email), "accountEnabled": !p.Disabled})
	}
	return out, nil
}

func graphKind(o map[string]any) string {
	if o["@odata.type"] == "#microsoft.graph.user" {
		return "User"
	}
	return "ServicePrincipal"
}

// graphIs reports whether an object goes by a name.
func graphIs(o map[string]any, name string) bool {
	for _, k := range []string{"id", "appId", "displayName", "userPrincipalName", "mail"} {
		if s, ok := o[k].(string); ok && strings.EqualFold(s, name) {
			return true
		}
	}
	return false
}

func (a *API) graphList(w http.ResponseWriter, r *call, kind string) {
	all, err := a.graphObjects(r)
	if err != nil {
		a.fail(w, err)
		return
	}
	name := ""
	f := r.URL.Query().Get("$filter")
	if f != "" {
		m := graphNames.FindStringSubmatch(f)
		if m == nil {
			writeError(w, &Error{Status: 400, Code: "Request_UnsupportedQuery", Message: fmt.Sprintf("$filter: %q is not served: give displayName, userPrincipalName, appId or id eq 'VALUE'.", cut(f, 200))})
			return
		}
		name = m[1] + m[2] + m[3]
	}
	out := []any{}
	for _, o := range all {
		if graphKind(o) == kind && (f == "" || graphIs(o, name)) {
			out = append(out, o)
		}
	}
	a.writePage(w, r, out, 999)
}

func (a *API) graphOne(w http.ResponseWriter, r *call, kind string) {
	all, err := a.graphObjects(r)
	if err != nil {
		a.fail(w, err)
		return
	}
	for _, o := range all {
		if graphKind(o) == kind && graphIs(o, r.v("object")) {
			writeJSON(w, 200, o)
			return
		}
	}
	writeError(w, &Error{Status: 404, Code: "Request_ResourceNotFound", Message: fmt.Sprintf("Resource '%s' does not exist.", cut(r.v("object"), 100))})
}

func (a *API) graphMe(w http.ResponseWriter, r *call) {
	all, err := a.graphObjects(r)
	if err != nil {
		a.fail(w, err)
		return
	}
	for _, o := range all {
		if graphKind(o) == "User" && "user:"+fmt.Sprint(o["userPrincipalName"]) == r.who.ID {
			writeJSON(w, 200, o)
			return
		}
	}
	writeError(w, &Error{Status: 400, Code: "BadRequest", Message: "/me is for people; '" + r.who.Name + "' is none."})
}

func (a *API) graphByIDs(w http.ResponseWriter, r *call) {
	var b struct {
		IDs []string `json:"ids"`
	}
	if e := decode(w, r.Request, maxForm, &b); e != nil {
		writeError(w, e)
		return
	}
	if len(b.IDs) > maxGraphIDs {
		writeError(w, &Error{Status: 400, Code: "Request_BadRequest", Message: fmt.Sprintf("%d ids, %d at most.", len(b.IDs), maxGraphIDs)})
		return
	}
	all, err := a.graphObjects(r)
	if err != nil {
		a.fail(w, err)
		return
	}
	want := map[string]bool{}
	for _, id := range b.IDs {
		want[strings.ToLower(id)] = true
	}
	out := []any{}
	for _, o := range all {
		if id, ok := o["id"].(string); ok && want[strings.ToLower(id)] {
			out = append(out, o)
		}
	}
	writeJSON(w, 200, map[string]any{"value": out})
}
