package azure

import (
	"errors"
	"fmt"
	"net/http"
	"picket/kql/value"
	"picket/lake"
	"regexp"
	"strings"
	"time"
)

// Tables (Microsoft.OperationalInsights/workspaces/tables): list, read, create, alter, retention, delete.

// Days that a table may keep its rows; -1 in a request means the default, which keeps them for ever.
const (
	minRetention = 4
	maxRetention = 4383
	day          = 24 * time.Hour
)

var (
	customTable = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9_]{0,59}_CL$`)
	columnForm  = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]{0,99}$`)
)

// armTypes are column types by their names in the tables API, in lower case.
var armTypes = map[string]value.Type{
	"string": value.String, "int": value.Int, "long": value.Long, "real": value.Real, "boolean": value.Bool, "bool": value.Bool, "datetime": value.Datetime,
	"guid": value.GUID, "dynamic": value.Dynamic, "timespan": value.Timespan, "decimal": value.Decimal,
}

func armType(t value.Type) string {
	switch t {
	case value.Bool:
		return "boolean"
	case value.Datetime:
		return "dateTime"
	}
	return t.String()
}

// standardColumns are those that every table has.
var standardColumns = map[string]bool{"TenantId": true, "Type": true, "TimeGenerated": true, "SourceSystem": true, "RawData": true, "MG": true, "ManagementGroupName": true, "Computer": true, "_ResourceId": true}

type tableBody struct {
	Properties struct {
		RetentionInDays      *int   `json:"retentionInDays"`
		TotalRetentionInDays *int   `json:"totalRetentionInDays"`
		Plan                 string `json:"plan"`
		Schema               *struct {
			Name    string `json:"name"`
			Columns []struct {
				Name string `json:"name"`
				Type string `json:"type"`
			} `json:"columns"`
		} `json:"schema"`
	} `json:"properties"`
}

func (a *API) tableRoutes() []route {
	const one = armWorkspace + "/tables/{table}"
	return []route{
		{"GET", armWorkspace + "/tables", Reader, a.listTables},
		{"GET", one, Reader, a.getTable},
		{"PUT", one, Contributor, a.putTable},
		{"PATCH", one, Contributor, a.putTable},
		{"DELETE", one, Owner, a.deleteTable},
		{"POST", one + "/migrate", Contributor, func(w http.ResponseWriter, _ *call) { w.WriteHeader(200) }}, // there is one kind of custom table here
	}
}

// tableJSON is a table as clients read it; stored is nil while it has no rows.
func (a *API) tableJSON(name string, s value.Schema, stored *lake.Table) map[string]any {
	std, cols := []any{}, []any{}
	for _, c := range s {
		j := map[string]any{"name": c.Name, "type": armType(c.Type), "isDefaultDisplay": true, "isHidden": strings.HasPrefix(c.Name, "_")}
		if standardColumns[c.Name] {
			std = append(std, j)
		} else {
			cols = append(cols, j)
		}
	}
	kind, sub := "Microsoft", "Any"
	schema := map[string]any{"name": name, "standardColumns": std, "solutions": []string{"LogManagement"}, "isTroubleshootingAllowed": true}
	if strings.HasSuffix(name, "_CL") {
		kind, sub = "CustomLog", "DataCollectionRuleBased"
		schema["columns"] = append(cols, std...)
		schema["standardColumns"] = []any{}
	} else {
		schema["standardColumns"] = append(std, cols...)
	}
	schema["tableType"], schema["tableSubType"] = kind, sub
	p := map[string]any{
		"schema": schema, "plan": "Analytics", "provisioningState": "Succeeded", "archiveRetentionInDays": 0,
		"retentionInDays": maxRetention, "totalRetentionInDays": maxRetention, "retentionInDaysAsDefault": true, "totalRetentionInDaysAsDefault": true,
	}
	if stored != nil {
		if d := int(stored.Retention / day); d > 0 {
			total := d
			switch t := stored.TotalRetention; {
			case t == lake.KeepForever:
				total = maxRetention
			case t > 0:
				total = int(t / day)
			}
			p["retentionInDays"], p["totalRetentionInDays"], p["archiveRetentionInDays"] = d, total, total-d
			p["retentionInDaysAsDefault"], p["totalRetentionInDaysAsDefault"] = false, total == d
		}
		p["picket"] = map[string]any{
			"rows": stored.Rows, "bytes": stored.Bytes + stored.HotBytes, "first": stamp(stored.First), "last": stamp(stored.Last), "received": stamp(stored.Received),
			"archivedRows": stored.ArchivedRows, "archivedBytes": stored.ArchivedBytes,
		}
	}
	return map[string]any{"id": a.d.Workspace.ResourceID() + "/tables/" + name, "name": name, "type": "Microsoft.OperationalInsights/workspaces/tables", "properties": p}
}

func (a *API) listTables(w http.ResponseWriter, r *call) {
	schemas, err := a.d.Schema(r.Context())
	if err != nil {
		a.fail(w, err)
		return
	}
	all, err := a.d.Lake.Tables(r.Context())
	if err != nil {
		a.fail(w, err)
		return
	}
	byName := map[string]*lake.Table{}
	for i := range all {
		byName[all[i].Name] = &all[i]
	}
	out := []any{}
	for _, n := range sortedKeys(schemas) {
		out = append(out, a.tableJSON(n, schemas[n], byName[n]))
	}
	writeJSON(w, 200, map[string]any{"value": out})
}

// findTable finds a table by its name in any case.
func (a *API) findTable(r *call) (name string, s value.Schema, stored *lake.Table, err error) {
	schemas, err := a.d.Schema(r.Context())
	if err != nil {
		return "", nil, nil, err
	}
	for n, sc := range schemas {
		if strings.EqualFold(n, r.v("table")) {
			name, s = n, sc
			break
		}
	}
	if name == "" {
		return "", nil, nil, nil
	}
	t, err := a.d.Lake.Table(r.Context(), name)
	if errors.Is(err, lake.ErrNoTable) {
		return name, s, nil, nil
	}
	return name, s, &t, err
}

func (a *API) getTable(w http.ResponseWriter, r *call) {
	n, s, st, err := a.findTable(r)
	switch {
	case err != nil:
		a.fail(w, err)
	case n == "":
		writeError(w, notFound("table", r.v("table")))
	default:
		writeJSON(w, 200, a.tableJSON(n, s, st))
	}
}

// retentions are how long the table's rows are seen and kept after a request; what it leaves out stays as it is. set is
// false when it asks for nothing.
func (b *tableBody) retentions(st *lake.Table) (keep, total time.Duration, set bool, e *Error) {
	p := &b.Properties
	if p.RetentionInDays == nil && p.TotalRetentionInDays == nil {
		return 0, 0, false, nil
	}
	if st != nil {
		keep, total = st.Retention, st.TotalRetention
	}
	for _, d := range []*int{p.RetentionInDays, p.TotalRetentionInDays} {
		if d != nil && *d != -1 && (*d < minRetention || *d > maxRetention) {
			return 0, 0, false, &Error{Status: 400, Code: "InvalidParameter", Message: fmt.Sprintf("Rows are kept for %d to %d days, or -1 for the default; %d is neither.", minRetention, maxRetention, *d)}
		}
	}
	if d := p.RetentionInDays; d != nil {
		if keep = time.Duration(*d) * day; *d == -1 || *d == maxRetention {
			keep = 0
		}
	}
	if d := p.TotalRetentionInDays; d != nil {
		switch total = time.Duration(*d) * day; *d {
		case -1:
			total = 0
		case maxRetention:
			total = lake.KeepForever
		}
	}
	switch {
	case keep == 0 && total > 0 && total != lake.KeepForever && p.RetentionInDays == nil:
		keep = total // all that is kept is seen
	case keep == 0:
		total = 0
	case total > 0 && total < keep && p.TotalRetentionInDays == nil:
		total = 0
	case total > 0 && total < keep:
		return 0, 0, false, &Error{Status: 400, Code: "InvalidParameter", Message: fmt.Sprintf("totalRetentionInDays %d is less than retentionInDays %d.", int(total/day), int(keep/day))}
	}
	return keep, total, true, nil
}

// putTable creates or alters a table: columns are added, never taken away or given another type.
func (a *API) putTable(w http.ResponseWriter, r *call) {
	var b tableBody
	if e := decode(w, r.Request, maxRuleBody, &b); e != nil {
		writeError(w, e)
		return
	}
	bad := func(f string, v ...any) {
		writeError(w, &Error{Status: 400, Code: "InvalidParameter", Message: fmt.Sprintf(f, v...)})
	}
	name, have, st, err := a.findTable(r)
	if err != nil {
		a.fail(w, err)
		return
	}
	exists := name != ""
	if !exists {
		name = r.v("table")
		switch {
		case r.Method == http.MethodPatch:
			writeError(w, notFound("table", name))
			return
		case !customTable.MatchString(name):
			bad("A new table's name is of letters, digits and _, begins with a letter and ends in _CL; %q is not.", name)
			return
		case b.Properties.Schema == nil:
			bad("A new table needs properties.schema with its columns.")
			return
		}
	}
	if p := b.Properties.Plan; p != "" && !strings.EqualFold(p, "Analytics") {
		bad("The plan %q is not served: every table here is Analytics.", p)
		return
	}
	var add value.Schema
	if sc := b.Properties.Schema; sc != nil {
		if sc.Name != "" && !strings.EqualFold(sc.Name, name) {
			bad("properties.schema.name %q is not the table's name %s.", sc.Name, name)
			return
		}
		if len(sc.Columns) > 500 {
			bad("A table has 500 columns at most; this one would have %d.", len(sc.Columns))
			return
		}
		timed := false
		for _, c := range sc.Columns {
			t, ok := armTypes[strings.ToLower(c.Type)]
			if !ok || !columnForm.MatchString(c.Name) {
				bad("The column %q of type %q: names are of letters, digits and _, 100 at most; types are string, int, long, real, boolean, dateTime, guid and dynamic.", c.Name, c.Type)
				return
			}
			if c.Name == "TimeGenerated" {
				timed = true
				if t != value.Datetime {
					bad("The column TimeGenerated must be of type dateTime.")
					return
				}
			}
			if c.Name == "TenantId" || c.Name == "Type" {
				continue // every table has them
			}
			if i := have.Index(c.Name); i >= 0 {
				if have[i].Type != t {
					bad("The column %s is of type %s; a column's type is fixed.", c.Name, armType(have[i].Type))
					return
				}
				continue
			}
			if add.Index(c.Name) < 0 {
				add = append(add, value.Column{Name: c.Name, Type: t})
			}
		}
		if !exists && !timed {
			bad("A new table needs the column TimeGenerated of type dateTime.")
			return
		}
	}
	keep, total, set, e := b.retentions(st)
	if e != nil {
		writeError(w, e)
		return
	}
	if len(add) > 0 || set || !exists {
		base := add
		if !exists || len(have) > 0 {
			base = append(value.Schema{}, add...)
			for _, c := range have { // a standard table is made with its own columns
				if c.Name != "TenantId" && c.Name != "Type" && base.Index(c.Name) < 0 {
					base = append(base, c)
				}
			}
		}
		if err := a.d.Lake.EnsureTable(r.Context(), name, base); err != nil {
			a.fail(w, err)
			return
		}
	}
	if set {
		if err := a.d.Lake.SetRetentions(r.Context(), name, keep, total); err != nil {
			a.fail(w, err)
			return
		}
	}
	name, have, st, err = a.findTable(r)
	if err != nil {
		a.fail(w, err)
		return
	}
	writeJSON(w, 200, a.tableJSON(name, have, st))
}

func (a *API) deleteTable(w http.ResponseWriter, r *call) {
	n, _, st, err := a.findTable(r)
	switch {
	case err != nil:
		a.fail(w, err)
	case n == "":
		w.WriteHeader(http.StatusNoContent)
	case !strings.HasSuffix(n, "_CL"):
		writeError(w, &Error{Status: 400, Code: "InvalidParameter", Message: "The table " + n + " is not a custom table and stays; shorten its retention to drop its rows."})
	case st == nil:
		w.WriteHeader(http.StatusNoContent)
	default:
		if err := a.d.Lake.DropTable(r.Context(), n); err != nil {
			a.fail(w, err)
			return
		}
		w.WriteHeader(200)
	}
}
