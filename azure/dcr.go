package azure

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"picket/ingest"
	"regexp"
	"strings"
)

// Data collection rules and endpoints (Microsoft.Insights). They are stored as they were put; what the service
// adds (immutableId, endpoints) is added when they are read.

const (
	armRG       = "/subscriptions/{sub}/resourcegroups/{rg}"
	armMonitor  = armRG + "/providers/microsoft.insights"
	maxRuleBody = 1 << 20
)

var resourceForm = regexp.MustCompile(`^[A-Za-z0-9_][A-Za-z0-9_.() -]{0,89}$`)

// ruleResource is a stored rule or endpoint.
type ruleResource struct {
	Location    string            `json:"location,omitempty"`
	Kind        string            `json:"kind,omitempty"`
	Tags        map[string]string `json:"tags,omitempty"`
	Identity    json.RawMessage   `json:"identity,omitempty"`
	Properties  json.RawMessage   `json:"properties"`
	ImmutableID string            `json:"immutableId,omitempty"`
}

func (a *API) dcrRoutes() []route {
	var rs []route
	for _, k := range []struct{ kind, path string }{{kindRule, "datacollectionrules"}, {kindEndpoint, "datacollectionendpoints"}} {
		list := func(w http.ResponseWriter, r *call) { a.listCollection(w, r, k.kind) }
		rs = append(rs,
			route{"GET", "/subscriptions/{sub}/providers/microsoft.insights/" + k.path, Reader, list},
			route{"GET", armMonitor + "/" + k.path, Reader, list},
			route{"GET", armMonitor + "/" + k.path + "/{name}", Reader, func(w http.ResponseWriter, r *call) { a.getCollection(w, r, k.kind) }},
			route{"PUT", armMonitor + "/" + k.path + "/{name}", Contributor, func(w http.ResponseWriter, r *call) { a.putCollection(w, r, k.kind) }},
			route{"PATCH", armMonitor + "/" + k.path + "/{name}", Contributor, func(w http.ResponseWriter, r *call) { a.patchCollection(w, r, k.kind) }},
			route{"DELETE", armMonitor + "/" + k.path + "/{name}", Contributor, func(w http.ResponseWriter, r *call) { a.deleteCollection(w, r, k.kind) }},
		)
	}
	return rs
}

// ruleJSON is a rule or endpoint as clients read it.
func (a *API) ruleJSON(base, kind string, st *stored) (map[string]any, error) {
	var b ruleResource
	if err := json.Unmarshal(st.Body, &b); err != nil {
		return nil, fmt.Errorf("stored %s %s: %w", kind, st.Name, err)
	}
	p := map[string]json.RawMessage{}
	if err := json.Unmarshal(b.Properties, &p); err != nil {
		return nil, fmt.Errorf("stored %s %s: %w", kind, st.Name, err)
	}
	set := func(k string, v any) {
		if raw, err := json.Marshal(v); err == nil { // strings and maps of strings always marshal
			p[k] = raw
		}
	}
	set("immutableId", b.ImmutableID)
	set("provisioningState", "Succeeded")
	typ := "dataCollectionRules"
	if kind == kindEndpoint {
		typ = "dataCollectionEndpoints"
		set("logsIngestion", map[string]string{"endpoint": base})
		set("configurationAccess", map[string]string{"endpoint": base})
	} else if strings.EqualFold(b.Kind, "Direct") {
		set("endpoints", map[string]string{"logsIngestion": base})
	}
	ws := a.d.Workspace
	out := map[string]any{
		"id":   "/subscriptions/" + ws.SubscriptionID + "/resourceGroups/" + ws.ResourceGroup + "/providers/Microsoft.Insights/" + typ + "/" + st.Name,
		"name": st.Name, "type": "Microsoft.Insights/" + typ, "location": b.Location, "etag": st.ETag, "properties": p,
		"systemData": map[string]any{"lastModifiedAt": stamp(st.Changed)},
	}
	if b.Kind != "" {
		out["kind"] = b.Kind
	}
	if b.Tags != nil {
		out["tags"] = b.Tags
	}
	if b.Identity != nil {
		out["identity"] = b.Identity
	}
	return out, nil
}

func (a *API) listCollection(w http.ResponseWriter, r *call, kind string) {
	all, err := a.res.list(r.Context(), kind)
	if err != nil {
		a.fail(w, err)
		return
	}
	out := []any{}
	for i := range all {
		j, err := a.ruleJSON(a.base(r.Request), kind, &all[i])
		if err != nil {
			a.fail(w, err)
			return
		}
		out = append(out, j)
	}
	writeJSON(w, 200, map[string]any{"value": out})
}

func (a *API) getCollection(w http.ResponseWriter, r *call, kind string) {
	st, err := a.res.get(r.Context(), kind, r.v("name"))
	if err != nil {
		a.fail(w, err)
		return
	}
	if st == nil {
		writeError(w, notFound(kind, r.v("name")))
		return
	}
	a.writeRule(w, r, kind, 200, st)
}

func (a *API) writeRule(w http.ResponseWriter, r *call, kind string, status int, st *stored) {
	j, err := a.ruleJSON(a.base(r.Request), kind, st)
	if err != nil {
		a.fail(w, err)
		return
	}
	w.Header().Set("ETag", st.ETag)
	writeJSON(w, status, j)
}

func (a *API) putCollection(w http.ResponseWriter, r *call, kind string) {
	var b ruleResource
	if e := decode(w, r.Request, maxRuleBody, &b); e != nil {
		writeError(w, e)
		return
	}
	st, created, err := a.saveRule(r.Context(), kind, r.v("name"), b, r.Header.Get("If-Match"))
	if err != nil {
		a.failARM(w, err)
		return
	}
	status := 200
	if created {
		status = 201
	}
	a.writeRule(w, r, kind, status, st)
}

// saveRule checks and stores a rule or an endpoint.
func (a *API) saveRule(ctx context.Context, kind, name string, b ruleResource, match string) (*stored, bool, error) {
	if !resourceForm.MatchString(name) {
		return nil, false, &Error{Status: 400, Code: "InvalidResourceName", Message: fmt.Sprintf("The name %q is not one of 1 to 90 letters, digits, _ . ( ) - and spaces.", name)}
	}
	if len(bytes.TrimSpace(b.Properties)) == 0 || bytes.Equal(b.Properties, []byte("null")) {
		b.Properties = json.RawMessage("{}")
	}
	if kind == kindRule {
		if _, err := a.d.Ingest.ParseRule(ctx, b.Properties); err != nil {
			return nil, false, err
		}
	}
	if b.Location == "" {
		b.Location = a.d.Workspace.Location
	}
	old, err := a.res.get(ctx, kind, name)
	if err != nil {
		return nil, false, err
	}
	b.ImmutableID = ""
	if old != nil {
		var o ruleResource
		if err := json.Unmarshal(old.Body, &o); err != nil {
			return nil, false, fmt.Errorf("stored %s %s: %w", kind, name, err)
		}
		b.ImmutableID = o.ImmutableID
	}
	if b.ImmutableID == "" {
		id := make([]byte, 16)
		_, _ = rand.Read(id) // never fails (crypto/rand)
		b.ImmutableID = map[string]string{kindRule: "dcr-", kindEndpoint: "dce-"}[kind] + hex.EncodeToString(id)
	}
	raw, err := json.Marshal(b)
	if err != nil {
		return nil, false, err
	}
	st, created, err := a.res.put(ctx, kind, name, raw, match)
	if err == nil {
		a.rules.forget(b.ImmutableID)
	}
	return st, created, err
}

func (a *API) patchCollection(w http.ResponseWriter, r *call, kind string) {
	var in struct {
		Tags map[string]string `json:"tags"`
	}
	if e := decode(w, r.Request, maxRuleBody, &in); e != nil {
		writeError(w, e)
		return
	}
	st, err := a.res.get(r.Context(), kind, r.v("name"))
	if err == nil && st == nil {
		err = notFound(kind, r.v("name"))
	}
	if err != nil {
		a.fail(w, err)
		return
	}
	var b ruleResource
	if err = json.Unmarshal(st.Body, &b); err == nil {
		b.Tags = in.Tags
		st, _, err = a.saveRule(r.Context(), kind, st.Name, b, r.Header.Get("If-Match"))
	}
	if err != nil {
		a.failARM(w, err)
		return
	}
	a.writeRule(w, r, kind, 200, st)
}

func (a *API) deleteCollection(w http.ResponseWriter, r *call, kind string) {
	st, err := a.res.get(r.Context(), kind, r.v("name"))
	ok := false
	if err == nil && st != nil {
		var b ruleResource
		if err = json.Unmarshal(st.Body, &b); err == nil {
			ok, err = a.res.remove(r.Context(), kind, r.v("name"))
			a.rules.forget(b.ImmutableID)
		}
	}
	switch {
	case err != nil:
		a.fail(w, err)
	case !ok:
		w.WriteHeader(http.StatusNoContent) // deleting what is not there is no error in Resource Manager
	default:
		w.WriteHeader(200)
	}
}

// CreateRule makes a data collection rule of kind Direct for one custom table, as the walk-through and the page
// do; the columns are name:type pairs. It returns the rule's immutable id and the stream's name.
func (a *API) CreateRule(ctx context.Context, name, table string, columns []string, transform string) (immutableID, stream string, err error) {
	stream = "Custom-" + table
	type column struct {
		Name string `json:"name"`
		Type string `json:"type"`
	}
	var cols []column
	for _, c := range columns {
		n, t, _ := strings.Cut(c, ":")
		cols = append(cols, column{n, t})
	}
	p, err := json.Marshal(map[string]any{
		"streamDeclarations": map[string]any{stream: map[string]any{"columns": cols}},
		"destinations":       map[string]any{"logAnalytics": []any{map[string]string{"name": "workspace", "workspaceResourceId": a.d.Workspace.ResourceID()}}},
		"dataFlows":          []any{map[string]any{"streams": []string{stream}, "destinations": []string{"workspace"}, "transformKql": transform, "outputStream": stream}},
	})
	if err != nil {
		return "", "", err
	}
	st, _, err := a.saveRule(ctx, kindRule, name, ruleResource{Kind: "Direct", Properties: p}, "")
	if err != nil {
		return "", "", fmt.Errorf("make the data collection rule %s: %w", name, err)
	}
	var b ruleResource
	if err := json.Unmarshal(st.Body, &b); err != nil {
		return "", "", err
	}
	return b.ImmutableID, stream, nil
}

// failARM answers an error of a resource; those of ingest carry the service's codes.
func (a *API) failARM(w http.ResponseWriter, err error) {
	var bad *ingest.Error
	if errors.As(err, &bad) {
		writeError(w, &Error{Status: bad.Status, Code: bad.Code, Message: bad.Message})
		return
	}
	a.fail(w, err)
}
