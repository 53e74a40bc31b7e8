package azure

import (
	"encoding/json"
	"fmt"
	"net/http"
	"picket/kql/value"
	"strings"
)

// kustoMgmt answers POST /v1/rest/mgmt: the commands with which editors and SDKs begin.
func (a *API) kustoMgmt(w http.ResponseWriter, r *call) {
	if k := a.kusto(w, r); k != nil {
		a.command(w, k)
	}
}

// knownCommands are those that a refusal names.
var knownCommands = []string{".show tables", ".show tables details", ".show table NAME cslschema", ".show table NAME schema as json", ".show databases", ".show database schema", ".show database schema as json", ".show schema", ".show functions", ".show version", ".show cluster", ".show principal access"}

func (a *API) command(w http.ResponseWriter, k *kustoCall) {
	words := strings.Fields(strings.TrimRight(strings.TrimSpace(k.CSL), "; \t\r\n"))
	cmd := strings.ToLower(strings.Join(words, " "))
	if head, _, ok := strings.Cut(cmd, "|"); ok {
		a.kustoError(w, k, &Error{Status: 400, Code: "General_BadRequest", Message: fmt.Sprintf("picket does not query the result of a command (%s | …): ask for the command alone.", strings.TrimSpace(head))})
		return
	}
	tables, err := a.d.Schema(k.Context())
	if err != nil {
		a.kustoError(w, k, err)
		return
	}
	ws := a.d.Workspace
	name := unquoteName
	one := func(spec string, rows [][]any) {
		writeJSON(w, 200, struct{ Tables []v1Table }{[]v1Table{{"Table_0", v1Columns(columns(spec)), v1Rows(rows)}}})
	}
	low := strings.Fields(cmd)
	is := func(pattern string) bool { return matchWords(strings.Fields(pattern), low) }
	switch {
	case is(".show version"):
		one("BuildVersion:string BuildTime:datetime ServiceType:string ProductVersion:string ServiceOffering:string", [][]any{{"picket", stamp(a.d.Now()), "Engine", "picket", `{"Type":"Picket"}`}})
	case is(".show cluster"):
		one("NodeId:string Address:string Name:string", [][]any{{"0", "localhost", "picket"}})
	case is(".show databases"), is(".show databases details"), is(".show database"), is(".show database details"):
		one("DatabaseName:string PersistentStorage:string Version:string IsCurrent:bool DatabaseAccessMode:string PrettyName:string ReservedSlot1:bool DatabaseId:guid InTransitionTo:string",
			[][]any{{ws.Name, "", "v1.0", true, "ReadWrite", ws.Name, nil, ws.ID, ""}})
	case is(".show tables"), is(".show tables details"), is(".show tables *"):
		rows := [][]any{}
		for _, n := range sortedKeys(tables) {
			rows = append(rows, []any{n, ws.Name, "", ""})
		}
		one("TableName:string DatabaseName:string Folder:string DocString:string", rows)
	case is(".show table * cslschema"), is(".show table *"), is(".show table * schema as json"):
		n := name(words[2])
		s, ok := tables[n]
		if !ok {
			a.kustoError(w, k, &Error{Status: 400, Code: "BadRequest_EntityNotFound", Message: fmt.Sprintf("Entity ID '%s' of kind 'Table' was not found.", n)})
			return
		}
		switch {
		case is(".show table * cslschema"):
			one("TableName:string Schema:string DatabaseName:string Folder:string DocString:string", [][]any{{n, cslSchema(s), ws.Name, "", ""}})
		case is(".show table *"):
			rows := [][]any{}
			for _, c := range s {
				rows = append(rows, []any{c.Name, "System." + clrTypes[c.Type]})
			}
			one("AttributeName:string AttributeType:string", rows)
		default:
			b, err := json.Marshal(jsonTable(n, s))
			if err != nil {
				a.kustoError(w, k, err)
				return
			}
			one("TableName:string Schema:string DatabaseName:string Folder:string DocString:string", [][]any{{n, string(b), ws.Name, "", ""}})
		}
	case is(".show functions"):
		rows := [][]any{}
		for _, f := range a.functions() {
			rows = append(rows, []any{f.Alias, "(" + f.Parameters + ")", "{" + f.Query + "}", f.Category, f.DisplayName})
		}
		one("Name:string Parameters:string Body:string Folder:string DocString:string", rows)
	case is(".show database schema as json"), is(".show database * schema as json"), is(".show databases * schema as json"), is(".show schema as json"):
		b, err := json.Marshal(a.jsonSchema(tables))
		if err != nil {
			a.kustoError(w, k, err)
			return
		}
		one("DatabaseSchema:string", [][]any{{string(b)}})
	case is(".show database schema"), is(".show database * schema"), is(".show schema"), is(".show databases schema"):
		rows := [][]any{{ws.Name, nil, nil, nil, false, "", "", "v1.0"}}
		for _, n := range sortedKeys(tables) {
			rows = append(rows, []any{ws.Name, n, nil, nil, false, "", "", ""})
			for _, c := range tables[n] {
				rows = append(rows, []any{ws.Name, n, c.Name, "System." + clrTypes[c.Type], false, "", "", ""})
			}
		}
		one("DatabaseName:string TableName:string ColumnName:string ColumnType:string IsDefaultTable:bool IsDefaultColumn:string PrettyName:string Version:string", rows)
	case is(".show principal access"), is(".show principal roles"):
		one("Scope:string DisplayName:string AADObjectID:string Role:string", [][]any{{"Database " + ws.Name, k.who.Name, k.who.ID, string(k.who.Role)}})
	default:
		a.kustoError(w, k, &Error{Status: 400, Code: "General_BadRequest", Message: fmt.Sprintf("The command %q is not served by picket. It serves: %s.", cut(k.CSL, 200), strings.Join(knownCommands, ", "))})
	}
}

func cut(s string, n int) string {
	if len(s) > n {
		return strings.ToValidUTF8(s[:n], "") + "…"
	}
	return s
}

// matchWords compares a command with a pattern whose * stands for one word.
func matchWords(pattern, words []string) bool {
	if len(pattern) != len(words) {
		return false
	}
	for i, p := range pattern {
		if p != "*" && p != words[i] {
			return false
		}
	}
	return true
}

// unquoteName takes ['x'], ["x"] and x as the name x.
func unquoteName(s string) string {
	for _, q := range []string{"'", `"`} {
		if t, ok := strings.CutPrefix(s, "["+q); ok {
			if t, ok = strings.CutSuffix(t, q+"]"); ok {
				return t
			}
		}
	}
	return s
}

func cslSchema(s value.Schema) string {
	var b strings.Builder
	for i, c := range s {
		if i > 0 {
			b.WriteByte(',')
		}
		fmt.Fprintf(&b, "%s:%s", c.Name, c.Type)
	}
	return b.String()
}

type schemaColumn struct{ Name, Type, CslType string }

type schemaTable struct {
	Name           string
	DocString      *string
	OrderedColumns []schemaColumn
}

func jsonTable(n string, s value.Schema) schemaTable {
	t := schemaTable{Name: n, OrderedColumns: []schemaColumn{}}
	for _, c := range s {
		typ := "System." + clrTypes[c.Type]
		if c.Type == value.Decimal {
			typ = "System.Data.SqlTypes.SqlDecimal"
		}
		t.OrderedColumns = append(t.OrderedColumns, schemaColumn{c.Name, typ, c.Type.String()})
	}
	return t
}

// jsonSchema is the workspace as `.show database schema as json` gives it.
func (a *API) jsonSchema(tables map[string]value.Schema) map[string]any {
	ts := map[string]schemaTable{}
	for n, s := range tables {
		ts[n] = jsonTable(n, s)
	}
	fs := map[string]any{}
	for _, f := range a.functions() {
		fs[f.Alias] = map[string]any{"Name": f.Alias, "InputParameters": functionParameters(f.Parameters), "Body": "{" + f.Query + "}", "Folder": f.Category, "DocString": f.DisplayName, "FunctionKind": "Unknown", "OutputColumns": []any{}}
	}
	n := a.d.Workspace.Name
	return map[string]any{"Databases": map[string]any{n: map[string]any{"Name": n, "Tables": ts, "ExternalTables": map[string]any{}, "MaterializedViews": map[string]any{}, "Functions": fs, "MajorVersion": 1, "MinorVersion": 0, "DatabaseAccessMode": "ReadWrite"}}}
}

// functionParameters takes apart "a:string, n:long=3" for editors; a table parameter keeps its columns in its type.
func functionParameters(s string) []any {
	out := []any{}
	depth, from := 0, 0
	add := func(p string) {
		n, t, ok := strings.Cut(p, ":")
		if n = strings.TrimSpace(n); !ok || n == "" {
			return
		}
		t, def, has := strings.Cut(t, "=")
		t = strings.TrimSpace(t)
		m := map[string]any{"Name": n, "CslType": t}
		if vt, ok := value.ParseType(t); ok {
			m["Type"] = "System." + clrTypes[vt]
		}
		if has {
			m["CslDefaultValue"] = strings.TrimSpace(def)
		}
		out = append(out, m)
	}
	for i, c := range s {
		switch c {
		case '(':
			depth++
		case ')':
			depth--
		case ',':
			if depth == 0 {
				add(s[from:i])
				from = i + 1
			}
		}
	}
	add(s[from:])
	return out
}
