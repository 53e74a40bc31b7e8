package azure

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"picket/kql/bind"
	"picket/kql/syntax"
	"picket/state"
	"regexp"
	"sort"
	"strings"
	"sync"
	"time"
)

// Saved is a saved search; one with an alias is a function that queries can call.
type Saved struct {
	Name        string // of the resource
	Category    string
	DisplayName string
	Query       string
	Alias       string // FunctionAlias
	Parameters  string // FunctionParameters: "start:datetime, n:int=3"
	Version     int
	Tags        []map[string]string
	ETag        string
}

// SavedSearches are the workspace's saved searches, kept in memory for the binder.
type SavedSearches struct {
	res resources

	mu    sync.RWMutex
	all   map[string]Saved // by resource name in lower case
	alias map[string]Saved
}

var aliasForm = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]{0,255}$`)

// OpenSavedSearches loads them; the store must have been migrated with [Migrations].
func OpenSavedSearches(ctx context.Context, db *state.DB, now func() time.Time) (*SavedSearches, error) {
	if now == nil {
		now = time.Now
	}
	s := &SavedSearches{res: resources{db, now}}
	return s, s.load(ctx)
}

func (s *SavedSearches) load(ctx context.Context) error {
	rows, err := s.res.list(ctx, kindSaved)
	if err != nil {
		return err
	}
	all, alias := map[string]Saved{}, map[string]Saved{}
	for _, r := range rows {
		v, err := parseSaved(r.Name, r.Body)
		if err != nil {
			return fmt.Errorf("saved search %s: %w", r.Name, err)
		}
		v.ETag = r.ETag
		all[strings.ToLower(r.Name)] = v
		if v.Alias != "" {
			alias[v.Alias] = v
		}
	}
	s.mu.Lock()
	s.all, s.alias = all, alias
	s.mu.Unlock()
	return nil
}

// Function gives a saved function by its alias, for [query.Options].
func (s *SavedSearches) Function(name string) (bind.Function, bool) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	f, ok := s.alias[name]
	if !ok {
		return bind.Function{}, false
	}
	return bind.Function{Name: f.Alias, Params: "(" + strings.TrimSuffix(strings.TrimPrefix(strings.TrimSpace(f.Parameters), "("), ")") + ")", Body: f.Query}, true
}

// List gives all of them by name.
func (s *SavedSearches) List() []Saved {
	s.mu.RLock()
	defer s.mu.RUnlock()
	out := make([]Saved, 0, len(s.all))
	for _, k := range sortedKeys(s.all) {
		out = append(out, s.all[k])
	}
	return out
}

// functions are the saved searches with an alias, by it.
func (a *API) functions() []Saved {
	if a.d.Saved == nil {
		return nil
	}
	var out []Saved
	for _, v := range a.d.Saved.List() {
		if v.Alias != "" {
			out = append(out, v)
		}
	}
	sort.Slice(out, func(i, j int) bool { return out[i].Alias < out[j].Alias })
	return out
}

// savedBody is the wire form; the service takes both spellings of the function's fields.
type savedBody struct {
	ETag       string `json:"etag,omitempty"`
	Properties struct {
		Category           string              `json:"category"`
		DisplayName        string              `json:"displayName"`
		Query              string              `json:"query"`
		FunctionAlias      string              `json:"functionAlias,omitempty"`
		FunctionParameters string              `json:"functionParameters,omitempty"`
		Version            int                 `json:"version,omitempty"`
		Tags               []map[string]string `json:"tags,omitempty"`
	} `json:"properties"`
}

func parseSaved(name string, raw []byte) (Saved, error) {
	var b savedBody
	if err := json.Unmarshal(raw, &b); err != nil {
		return Saved{}, err
	}
	p := &b.Properties
	return Saved{Name: name, Category: p.Category, DisplayName: p.DisplayName, Query: p.Query, Alias: p.FunctionAlias, Parameters: p.FunctionParameters, Version: p.Version, Tags: p.Tags, ETag: b.ETag}, nil
}

func (a *API) savedJSON(v *Saved) map[string]any {
	p := map[string]any{"category": v.Category, "displayName": v.DisplayName, "query": v.Query, "version": max(v.Version, 2)}
	if v.Alias != "" {
		p["functionAlias"] = v.Alias
		if v.Parameters != "" {
			p["functionParameters"] = v.Parameters
		}
	}
	if v.Tags != nil {
		p["tags"] = v.Tags
	}
	return map[string]any{"id": a.d.Workspace.ResourceID() + "/savedSearches/" + v.Name, "name": v.Name, "type": "Microsoft.OperationalInsights/savedSearches", "etag": v.ETag, "properties": p}
}

func (a *API) savedRoutes() []route {
	const one = armWorkspace + "/savedsearches/{saved}"
	return []route{
		{"GET", armWorkspace + "/savedsearches", Reader, func(w http.ResponseWriter, _ *call) {
			out := []any{}
			for _, v := range a.d.Saved.List() {
				out = append(out, a.savedJSON(&v))
			}
			writeJSON(w, 200, map[string]any{"value": out})
		}},
		{"GET", one, Reader, func(w http.ResponseWriter, r *call) {
			for _, v := range a.d.Saved.List() {
				if strings.EqualFold(v.Name, r.v("saved")) {
					writeJSON(w, 200, a.savedJSON(&v))
					return
				}
			}
			writeError(w, notFound("saved search", r.v("saved")))
		}},
		{"PUT", one, Contributor, a.putSaved},
		{"DELETE", one, Contributor, func(w http.ResponseWriter, r *call) {
			ok, err := a.d.Saved.res.remove(r.Context(), kindSaved, r.v("saved"))
			if err == nil && ok {
				err = a.d.Saved.load(r.Context())
			}
			switch {
			case err != nil:
				a.fail(w, err)
			case !ok:
				writeError(w, notFound("saved search", r.v("saved")))
			default:
				w.WriteHeader(200)
			}
		}},
	}
}

func notFound(what, name string) *Error {
	return &Error{Status: 404, Code: "ResourceNotFound", Message: fmt.Sprintf("The %s '%s' was not found.", what, name)}
}

func (a *API) putSaved(w http.ResponseWriter, r *call) {
	var b savedBody
	if e := decode(w, r.Request, maxQueryBody, &b); e != nil {
		writeError(w, e)
		return
	}
	p := &b.Properties
	bad := func(f string, v ...any) {
		writeError(w, &Error{Status: 400, Code: "InvalidParameter", Message: fmt.Sprintf(f, v...)})
	}
	switch {
	case !resourceForm.MatchString(r.v("saved")):
		bad("The name %q is not one of 1 to 90 letters, digits, _ . ( ) - and spaces.", cut(r.v("saved"), 100))
		return
	case p.Category == "" || p.DisplayName == "" || strings.TrimSpace(p.Query) == "":
		bad("A saved search needs properties.category, displayName and query.")
		return
	case p.FunctionAlias != "" && !aliasForm.MatchString(p.FunctionAlias):
		bad("The function alias %q is not a name: letters, digits and _, not beginning with a digit.", p.FunctionAlias)
		return
	case p.FunctionAlias == "" && p.FunctionParameters != "":
		bad("functionParameters go with a functionAlias.")
		return
	}
	if _, errs := syntax.Parse(p.Query); len(errs) > 0 {
		bad("The query is not KQL: %v", errs)
		return
	}
	for _, f := range a.functions() {
		if f.Alias == p.FunctionAlias && !strings.EqualFold(f.Name, r.v("saved")) {
			bad("The function %s is the saved search '%s' already.", f.Alias, f.Name)
			return
		}
	}
	match := r.Header.Get("If-Match")
	if match == "" {
		match = b.ETag
	}
	raw, err := json.Marshal(b)
	if err != nil {
		a.fail(w, err)
		return
	}
	st, _, err := a.d.Saved.res.put(r.Context(), kindSaved, r.v("saved"), raw, match)
	if err == nil {
		err = a.d.Saved.load(r.Context())
	}
	if err != nil {
		a.fail(w, err)
		return
	}
	v, err := parseSaved(st.Name, st.Body)
	if err != nil {
		a.fail(w, err)
		return
	}
	v.ETag = st.ETag
	writeJSON(w, 200, a.savedJSON(&v)) // new or not: clients take no 201
}
