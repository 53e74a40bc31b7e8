package azure

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"picket/kql/value"
	"picket/lake"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
)

// The workspace as a resource (Microsoft.OperationalInsights/workspaces): there is one, and it can't be deleted.

const (
	kindWorkspace = "workspace"
	skuName       = "PerGB2018"
)

// WorkspaceSettings are what a client may change of the workspace.
type WorkspaceSettings struct {
	RetentionDays   int     // of tables without a retention of their own; 0 keeps rows for ever
	DailyQuotaGB    float64 // ingestion of a day; -1 is without limit
	DisableLocalKey bool    // the HTTP Data Collector takes no shared keys
}

// workspaceBody is the wire form.
type workspaceBody struct {
	Location   string            `json:"location,omitempty"`
	Tags       map[string]string `json:"tags"`
	Properties struct {
		SKU *struct {
			Name string `json:"name"`
		} `json:"sku,omitempty"`
		Retention *int `json:"retentionInDays,omitempty"`
		Capping   *struct {
			DailyQuotaGB *float64 `json:"dailyQuotaGb"`
		} `json:"workspaceCapping,omitempty"`
		Ingestion string                     `json:"publicNetworkAccessForIngestion,omitempty"`
		Query     string                     `json:"publicNetworkAccessForQuery,omitempty"`
		Features  map[string]json.RawMessage `json:"features,omitempty"`
	} `json:"properties"`
}

// savedWorkspace is what is stored of it.
type savedWorkspace struct {
	Tags     map[string]string          `json:"tags,omitempty"`
	Settings *WorkspaceSettings         `json:"settings,omitempty"`
	Features map[string]json.RawMessage `json:"features,omitempty"`
}

// sharedKeys are the workspace's, which may be made anew while it runs.
type sharedKeys struct {
	mu   sync.RWMutex
	keys []string
	off  atomic.Bool // disableLocalAuth
}

func (k *sharedKeys) get() []string {
	if k.off.Load() {
		return nil
	}
	k.mu.RLock()
	defer k.mu.RUnlock()
	return k.keys
}

// SharedKeys are the workspace's keys as they are now; they may have been made anew since the start.
func (a *API) SharedKeys() []string {
	a.keys.mu.RLock()
	defer a.keys.mu.RUnlock()
	return slices.Clone(a.keys.keys)
}

func (a *API) workspaceRoutes() []route {
	const anyWorkspace = armRG + "/providers/microsoft.operationalinsights/workspaces/{name}"
	rs := []route{
		{"GET", armWorkspace, Reader, a.getWorkspace},
		{"PUT", anyWorkspace, Owner, a.putWorkspace},
		{"PATCH", anyWorkspace, Owner, a.putWorkspace},
		{"DELETE", armWorkspace, Owner, func(w http.ResponseWriter, _ *call) {
			writeError(w, &Error{Status: 409, Code: "WorkspaceCannotBeDeleted", Message: "A picket does not delete its own workspace: stop the server and remove its data folder."})
		}},
		{"POST", armWorkspace + "/sharedkeys", Owner, a.sharedKeys},
		{"POST", armWorkspace + "/regeneratesharedkey", Owner, a.regenerateShared},
		{"POST", armWorkspace + "/schema", Reader, a.workspaceSchema},
		{"GET", armWorkspace + "/usages", Reader, a.usages},
		{"POST", armWorkspace + "/purge", Owner, a.purge},
		{"GET", armWorkspace + "/operations/{purge}", Reader, a.purgeStatus},
		{"GET", armWorkspace + "/availableservicetiers", Reader, func(w http.ResponseWriter, _ *call) {
			writeJSON(w, 200, []any{map[string]any{"serviceTier": skuName, "enabled": true, "minimumRetention": minRetention, "maximumRetention": maxRetention, "defaultRetention": maxRetention}})
		}},
		{"GET", armWorkspace + "/intelligencepacks", Reader, func(w http.ResponseWriter, _ *call) {
			writeJSON(w, 200, []any{map[string]any{"name": "SecurityInsights", "displayName": "SecurityInsights", "enabled": true}})
		}},
		{"POST", armWorkspace + "/intelligencepacks/{pack}/enable", Contributor, func(w http.ResponseWriter, r *call) {
			if !strings.EqualFold(r.v("pack"), "SecurityInsights") {
				writeError(w, &Error{Status: 400, Code: "InvalidParameter", Message: "picket has the intelligence pack SecurityInsights alone, and not '" + r.v("pack") + "'."})
				return
			}
			w.WriteHeader(200)
		}},
		{"GET", "/providers/microsoft.operationalinsights/operations", Reader, func(w http.ResponseWriter, _ *call) { a.listProviderOperations(w, "microsoft.operationalinsights") }},
		{"GET", "/providers/microsoft.securityinsights/operations", Reader, func(w http.ResponseWriter, _ *call) { a.listProviderOperations(w, "microsoft.securityinsights") }},
	}
	// What the workspace has none of: clients that list them hear so, and one that puts hears that there is no such
	// resource here.
	for _, p := range []string{
		armWorkspace + "/dataexports", armWorkspace + "/datasources", armWorkspace + "/linkedservices", armWorkspace + "/linkedstorageaccounts", armWorkspace + "/managementgroups",
		armWorkspace + "/storageinsightconfigs", armWorkspace + "/summarylogs", "/subscriptions/{sub}/providers/microsoft.operationalinsights/deletedworkspaces",
		armRG + "/providers/microsoft.operationalinsights/deletedworkspaces", "/subscriptions/{sub}/providers/microsoft.operationalinsights/clusters",
		armRG + "/providers/microsoft.operationalinsights/clusters", "/subscriptions/{sub}/providers/microsoft.operationalinsights/querypacks", armRG + "/providers/microsoft.operationalinsights/querypacks",
	} {
		rs = append(rs, route{"GET", p, Reader, emptyList})
	}
	return rs
}

func emptyList(w http.ResponseWriter, _ *call) { writeJSON(w, 200, map[string]any{"value": []any{}}) }

// listProviderOperations lists what the routes of a provider do.
func (a *API) listProviderOperations(w http.ResponseWriter, provider string) {
	seen := map[string]bool{}
	out := []any{}
	for _, r := range a.table.routes {
		at := strings.LastIndex(r.pattern, "/providers/")
		if at < 0 || !strings.HasPrefix(r.pattern[at+len("/providers/"):], provider) {
			continue
		}
		op, rtype, _ := armOperation(r.method, r.pattern)
		if r.method == http.MethodGet || r.method == http.MethodHead {
			op = strings.TrimSuffix(op, "ACTION") + "READ"
		}
		op = strings.ToLower(op)
		if seen[op] {
			continue
		}
		seen[op] = true
		out = append(out, map[string]any{"name": op, "display": map[string]string{"provider": provider, "resource": rtype, "operation": op, "description": op}})
	}
	writeJSON(w, 200, map[string]any{"value": out})
}

// LoadSettings reads the workspace's settings; ok is false while nobody has changed them. [New] calls it for the
// part that azure keeps itself; the caller applies the rest.
func (a *API) LoadSettings(ctx context.Context) (s WorkspaceSettings, ok bool, err error) {
	v, err := a.savedWorkspace(ctx)
	if err != nil || v.Settings == nil {
		return WorkspaceSettings{DailyQuotaGB: -1}, false, err
	}
	return *v.Settings, true, nil
}

func (a *API) savedWorkspace(ctx context.Context) (savedWorkspace, error) {
	var v savedWorkspace
	st, err := a.res.get(ctx, kindWorkspace, a.d.Workspace.Name)
	if err != nil || st == nil {
		return v, err
	}
	if err := json.Unmarshal(st.Body, &v); err != nil {
		return v, fmt.Errorf("stored workspace: %w", err)
	}
	return v, nil
}

func (a *API) workspace(ctx context.Context) (map[string]any, error) {
	ws := a.d.Workspace
	v, err := a.savedWorkspace(ctx)
	if err != nil {
		return nil, err
	}
	set := WorkspaceSettings{DailyQuotaGB: -1}
	if v.Settings != nil {
		set = *v.Settings
	}
	features := map[string]any{"legacy": 0, "searchVersion": 1, "enableLogAccessUsingOnlyResourcePermissions": false}
	for k, x := range v.Features {
		features[k] = x
	}
	features["disableLocalAuth"] = set.DisableLocalKey
	days := set.RetentionDays
	if days == 0 {
		days = maxRetention
	}
	tags := v.Tags
	if tags == nil {
		tags = map[string]string{}
	}
	return map[string]any{
		"id": ws.ResourceID(), "name": ws.Name, "type": "Microsoft.OperationalInsights/workspaces", "location": ws.Location, "tags": tags,
		"properties": map[string]any{
			"customerId": ws.ID, "provisioningState": "Succeeded", "sku": map[string]string{"name": skuName}, "retentionInDays": days, "features": features,
			"workspaceCapping":                map[string]any{"dailyQuotaGb": set.DailyQuotaGB, "dataIngestionStatus": "RespectQuota"},
			"publicNetworkAccessForIngestion": "Enabled", "publicNetworkAccessForQuery": "Enabled",
		},
	}, nil
}

func (a *API) getWorkspace(w http.ResponseWriter, r *call) {
	ws, err := a.workspace(r.Context())
	if err != nil {
		a.fail(w, err)
		return
	}
	writeJSON(w, 200, ws)
}

func (a *API) putWorkspace(w http.ResponseWriter, r *call) {
	bad := func(f string, v ...any) {
		writeError(w, &Error{Status: 400, Code: "InvalidParameter", Message: fmt.Sprintf(f, v...)})
	}
	if !strings.EqualFold(r.v("name"), a.d.Workspace.Name) {
		if r.Method == http.MethodPut {
			writeError(w, &Error{Status: 409, Code: "QuotaExceeded", Message: fmt.Sprintf("A picket has one workspace, '%s': start another server for '%s'.", a.d.Workspace.Name, cut(r.v("name"), 100))})
		} else {
			writeError(w, &Error{Status: 404, Code: "ResourceNotFound", Message: "The workspace '" + cut(r.v("name"), 100) + "' under resource group '" + a.d.Workspace.ResourceGroup + "' was not found."})
		}
		return
	}
	var b workspaceBody
	if e := decode(w, r.Request, maxBody, &b); e != nil {
		writeError(w, e)
		return
	}
	v, err := a.savedWorkspace(r.Context())
	if err != nil {
		a.fail(w, err)
		return
	}
	was := WorkspaceSettings{DailyQuotaGB: -1}
	if v.Settings != nil {
		was = *v.Settings
	}
	set := was
	p := &b.Properties
	if p.SKU != nil && p.SKU.Name != "" && !strings.EqualFold(p.SKU.Name, skuName) && !strings.EqualFold(p.SKU.Name, "pergb2018") {
		bad("The sku '%s' is not served: a picket is %s and costs nothing.", cut(p.SKU.Name, 50), skuName)
		return
	}
	for n, x := range map[string]string{"publicNetworkAccessForIngestion": p.Ingestion, "publicNetworkAccessForQuery": p.Query} {
		if x != "" && !strings.EqualFold(x, "Enabled") {
			bad("%s '%s' is not served: who may reach a picket is decided by its addresses (--listen).", n, cut(x, 50))
			return
		}
	}
	if d := p.Retention; d != nil {
		if *d != maxRetention && (*d < minRetention || *d > maxRetention) {
			bad("retentionInDays is %d to %d; %d is neither.", minRetention, maxRetention, *d)
			return
		}
		if set.RetentionDays = *d; *d == maxRetention {
			set.RetentionDays = 0
		}
	}
	if p.Capping != nil && p.Capping.DailyQuotaGB != nil {
		q := *p.Capping.DailyQuotaGB
		if q != -1 && q < 0.001 {
			bad("workspaceCapping.dailyQuotaGb is -1 (no limit) or at least 0.001; %v is neither.", q)
			return
		}
		set.DailyQuotaGB = q
	}
	if raw, ok := p.Features["disableLocalAuth"]; ok {
		if err := json.Unmarshal(raw, &set.DisableLocalKey); err != nil {
			bad("features.disableLocalAuth is true or false.")
			return
		}
	}
	if (set.RetentionDays != was.RetentionDays || set.DailyQuotaGB != was.DailyQuotaGB) && a.d.Settings == nil {
		bad("This server can't change the workspace's retention and daily cap; set the retention of tables.")
		return
	}
	if a.d.Settings != nil && set != was {
		if err := a.d.Settings(r.Context(), set); err != nil {
			a.fail(w, err)
			return
		}
	}
	v.Settings = &set
	if b.Tags != nil || r.Method == http.MethodPut {
		v.Tags = b.Tags
	}
	if v.Features == nil || r.Method == http.MethodPut {
		v.Features = map[string]json.RawMessage{}
	}
	maps.Copy(v.Features, p.Features)
	raw, err := json.Marshal(v)
	if err == nil {
		_, _, err = a.res.put(r.Context(), kindWorkspace, a.d.Workspace.Name, raw, r.Header.Get("If-Match"))
	}
	if err != nil {
		a.fail(w, err)
		return
	}
	a.keys.off.Store(set.DisableLocalKey)
	a.getWorkspace(w, r)
}

func (a *API) sharedKeys(w http.ResponseWriter, _ *call) {
	out := map[string]string{}
	for i, k := range a.SharedKeys() {
		out[[]string{"primarySharedKey", "secondarySharedKey"}[min(i, 1)]] = k
	}
	writeJSON(w, 200, out)
}

// regenerateShared makes the workspace's keys anew; {"keyType": "Primary"|"Secondary"} only one, so that senders can
// move from one to the other.
func (a *API) regenerateShared(w http.ResponseWriter, r *call) {
	var b struct {
		KeyType string `json:"keyType"`
	}
	if r.ContentLength != 0 {
		if e := decodeOptional(w, r.Request, maxForm, &b); e != nil {
			writeError(w, e)
			return
		}
	}
	if a.d.SaveSharedKeys == nil {
		writeError(w, &Error{Status: 501, Code: "NotImplemented", Message: "This server can't change its shared keys."})
		return
	}
	fresh := func() string {
		k := make([]byte, 64)
		_, _ = rand.Read(k) // never fails (crypto/rand)
		return base64.StdEncoding.EncodeToString(k)
	}
	a.keys.mu.Lock()
	keys := slices.Clone(a.keys.keys)
	for len(keys) < 2 {
		keys = append(keys, fresh())
	}
	err := error(nil)
	switch strings.ToLower(b.KeyType) {
	case "":
		keys[0], keys[1] = fresh(), fresh()
	case "primary":
		keys[0] = fresh()
	case "secondary":
		keys[1] = fresh()
	default:
		err = &Error{Status: 400, Code: "InvalidParameter", Message: "keyType is Primary or Secondary, or is left out for both."}
	}
	if err == nil {
		err = a.d.SaveSharedKeys(r.Context(), keys)
	}
	if err == nil {
		a.keys.keys = keys
	}
	a.keys.mu.Unlock()
	if err != nil {
		a.fail(w, err)
		return
	}
	a.sharedKeys(w, r)
}

// workspaceSchema lists every column with the tables that have it.
func (a *API) workspaceSchema(w http.ResponseWriter, r *call) {
	tables, err := a.d.Schema(r.Context())
	if err != nil {
		a.fail(w, err)
		return
	}
	type column struct {
		Name    string   `json:"name"`
		Display string   `json:"displayName"`
		Type    string   `json:"type"`
		Indexed bool     `json:"indexed"`
		Stored  bool     `json:"stored"`
		Facet   bool     `json:"facet"`
		Owners  []string `json:"ownerType"`
	}
	byName := map[string]*column{}
	for _, n := range sortedKeys(tables) {
		for _, c := range tables[n] {
			k := c.Name + "\x00" + c.Type.String()
			if byName[k] == nil {
				byName[k] = &column{Name: c.Name, Display: c.Name, Type: armType(c.Type), Indexed: true, Stored: true, Facet: c.Type == value.String}
			}
			byName[k].Owners = append(byName[k].Owners, n)
		}
	}
	out := make([]*column, 0, len(byName))
	for _, k := range sortedKeys(byName) {
		out = append(out, byName[k])
	}
	writeJSON(w, 200, map[string]any{"metadata": map[string]any{"resultType": "schema", "requestTime": 0}, "value": out})
}

func (a *API) usages(w http.ResponseWriter, r *call) {
	all, err := a.d.Lake.Tables(r.Context())
	if err != nil {
		a.fail(w, err)
		return
	}
	bytes := 0.0
	for i := range all {
		bytes += float64(all[i].Bytes + all[i].HotBytes)
	}
	writeJSON(w, 200, map[string]any{"value": []any{map[string]any{
		"name": map[string]string{"value": "DataStored", "localizedValue": "Data stored"}, "unit": "Bytes", "currentValue": bytes, "limit": -1, "quotaPeriod": "P1D", "nextResetTime": stamp(a.d.Now().UTC().Truncate(day).Add(day)),
	}}})
}

// purge orders the removal of a table's rows for which all filters hold; the lake carries it out.
func (a *API) purge(w http.ResponseWriter, r *call) {
	var b struct {
		Table   string `json:"table"`
		Filters []struct {
			Column   string `json:"column"`
			Operator string `json:"operator"`
			Value    any    `json:"value"`
			Key      string `json:"key"` // within a dynamic column
		} `json:"filters"`
	}
	if e := decode(w, r.Request, maxBody, &b); e != nil {
		writeError(w, e)
		return
	}
	conds := make([]lake.Cond, len(b.Filters))
	for i, f := range b.Filters {
		op := strings.ToLower(strings.TrimSpace(f.Operator))
		if op == "=" {
			op = "=="
		}
		conds[i] = lake.Cond{Column: f.Column, Key: f.Key, Op: op, Value: f.Value}
	}
	p, err := a.d.Lake.Purge(r.Context(), b.Table, conds...)
	var bad *lake.DataError
	switch {
	case errors.Is(err, lake.ErrNoTable):
		writeError(w, &Error{Status: 404, Code: "ResourceNotFound", Message: "The table '" + cut(b.Table, 100) + "' holds no rows here."})
		return
	case errors.Is(err, lake.ErrPurges):
		w.Header().Set("Retry-After", "60")
		writeError(w, &Error{Status: 429, Code: "TooManyRequests", Message: err.Error()})
		return
	case errors.As(err, &bad):
		writeError(w, &Error{Status: 400, Code: "InvalidParameter", Message: bad.Error()})
		return
	case err != nil:
		a.fail(w, err)
		return
	}
	id := purgePrefix + p.ID
	w.Header().Set("x-ms-status-location", a.base(r.Request)+a.d.Workspace.ResourceID()+"/operations/"+id+"?api-version=2020-08-01")
	writeJSON(w, 202, map[string]any{"operationId": id})
}

const purgePrefix = "purge-"

func (a *API) purgeStatus(w http.ResponseWriter, r *call) {
	p, err := a.d.Lake.PurgeByID(r.Context(), strings.TrimPrefix(strings.ToLower(r.v("purge")), purgePrefix))
	switch {
	case errors.Is(err, lake.ErrNoPurge):
		writeError(w, notFound("purge operation", cut(r.v("purge"), 100)))
		return
	case err != nil:
		a.fail(w, err)
		return
	}
	out := map[string]any{"status": string(p.State), "table": p.Table, "rows": p.Rows}
	if p.Error != "" {
		out["error"] = p.Error
	}
	writeJSON(w, 200, out)
}
