package help

import (
	"picket/kql/catalog"
	"picket/kql/eval"
	"picket/kql/eval/agg"
	"picket/kql/exec"
	"sort"
	"strings"
)

// Missing is something of the language that the engine refuses.
type Missing struct {
	Name string `json:"name"`
	Kind Kind   `json:"kind"`
	Why  string `json:"why"`
}

const notBuilt = "not built into picket yet"

// elsewhere are functions that the binder, the graph operators or the scan resolve, so that kql/eval needs none.
var elsewhere = map[string]bool{
	"all": true, "any": true, "cluster": true, "column_ifexists": true, "column_names_of": true, "columnifexists": true,
	"database": true, "entity_group": true, "ingestion_time": true, "inner_nodes": true, "iscolumnexists": true, "map": true,
	"node_degree_in": true, "node_degree_out": true, "node_id": true, "table": true,
}

// refused are functions that have a place in the engine and always answer with a reason.
var refused = map[string]string{
	"hash_combine":                   "the way the service computes it is not published",
	"hash_many":                      "the way the service computes it is not published",
	"current_principal_details":      "principals have no directory behind them here",
	"current_principal_is_member_of": "principals have no directory behind them here",
	"extent_id":                      "tables have no extents here",
	"extentid":                       "tables have no extents here",
	"extent_tags":                    "tables have no extents here",
	"current_node_id":                "there are no engine nodes here",
	"row_id":                         "rows have no identifiers of the service here",
	"cursor_after":                   "database cursors are not supported; filter by ingestion_time()",
	"cursor_before_or_at":            "database cursors are not supported; filter by ingestion_time()",
	"cursor_current":                 "database cursors are not supported; filter by ingestion_time()",
	"current_cursor":                 "database cursors are not supported; filter by ingestion_time()",
	"rowstore_ordinal_range":         "internal to the service",
	"labels":                         "graphs of make-graph have no labels",
	"graph":                          "there are no stored graphs",
	"external_table":                 "there are no external tables",
	"materialized_view":              "there are no materialized views",
	"stored_query_result":            "there are no stored results",
}

// legacy are infix operators that the engine refuses.
var legacy = []string{"like", "likecs", "notlike", "notlikecs"}

// Unsupported lists what the language has and the engine refuses wherever it stands, by name: the difference between
// kql/catalog and what kql/eval, kql/eval/agg and kql/exec implement, and what they answer with a reason only.
// Functions and operators that serve some arguments and refuse others are not in it.
func Unsupported() []Missing {
	var out []Missing
	for _, f := range catalog.Functions() {
		name := strings.ToLower(f.Name)
		_, ok := eval.Lookup(name)
		switch why := refused[name]; {
		case why != "":
			out = append(out, Missing{f.Name, Function, why})
		case f.Hidden && strings.HasPrefix(f.Name, "__"):
			out = append(out, Missing{f.Name, Function, "internal to the service"})
		case !ok && !elsewhere[name]:
			out = append(out, Missing{f.Name, Function, notBuilt})
		}
	}
	for _, f := range catalog.Aggregates() {
		if _, ok := agg.Lookup(f.Name); !ok {
			out = append(out, Missing{f.Name, Aggregate, notBuilt})
		}
	}
	served := map[string]bool{}
	for _, n := range exec.Plugins() {
		served[n] = true
	}
	for _, f := range catalog.Plugins() {
		if !served[f.Name] {
			why := "it reaches outside of the workspace, runs foreign code, or is not built into picket yet"
			out = append(out, Missing{f.Name, Plugin, why})
		}
	}
	for _, n := range legacy {
		out = append(out, Missing{n, Infix, "legacy; use contains, startswith or matches regex"})
	}
	out = append(out,
		Missing{"externaldata", Operator, "a query reads no files of outside; load them into a table or a watchlist"},
		Missing{"materialized-view-combine", Operator, "there are no materialized views"},
	)
	sort.SliceStable(out, func(i, j int) bool { return out[i].Name < out[j].Name })
	return out
}

// MissingNames lists the names of [Unsupported] for an editor that hides by name: a name that something else with the
// same name serves is not in it. Names compare without case and come once each.
func MissingNames() []string {
	served := map[string]bool{}
	for _, e := range All() {
		if e.Unsupported == "" {
			served[strings.ToLower(e.Name)] = true
		}
	}
	var out []string
	seen := map[string]bool{}
	for _, m := range Unsupported() {
		n := strings.ToLower(m.Name)
		if !served[n] && !seen[n] {
			seen[n] = true
			out = append(out, m.Name)
		}
	}
	return out
}
