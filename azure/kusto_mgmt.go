package azure

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"picket/kql"
	"picket/kql/bind"
	"picket/kql/exec"
	"picket/kql/plan"
	"picket/kql/value"
	"picket/lake"
	"strconv"
	"strings"

	"github.com/google/uuid"
)

// kustoMgmt answers POST /v1/rest/mgmt: the commands with which editors and SDKs begin.
func (a *API) kustoMgmt(w http.ResponseWriter, r *call) {
	if k := a.kusto(w, r); k != nil {
		a.command(w, k)
	}
}

// knownCommands are those that a refusal names.
var knownCommands = []string{".show tables", ".show tables details", ".show table NAME cslschema", ".show table NAME details", ".show table NAME schema as json", ".show table NAME schema as csl", ".show databases", ".show database schema", ".show database schema as json", ".show database schema as csl script", ".show schema", ".show functions", ".show function NAME", ".show version", ".show cluster", ".show principal access", ".show principal roles", ".show database principals"}

// commandTable is what a command answers.
type commandTable struct {
	schema value.Schema
	rows   [][]any
}

// command answers a command, or a query over the answer of one (".show tables | where TableName has 'Sec'").
func (a *API) command(w http.ResponseWriter, k *kustoCall) {
	cmd, pipe := splitPipe(k.CSL)
	t, err := a.show(k, cmd)
	if err != nil {
		a.kustoError(w, k, err)
		return
	}
	if pipe == "" {
		writeJSON(w, 200, struct{ Tables []v1Table }{[]v1Table{{"Table_0", v1Columns(t.schema), v1Rows(t.rows)}}})
		return
	}
	ans := kql.Answer(k.Context(), commandName+" |"+pipe, kql.Input{
		Schema: bind.Tables{commandName: t.schema}, Now: k.started,
		Rows: func(_ context.Context, s *plan.Scan) exec.Frames { return t.frames(s.Out) },
	})
	if err := errors.Join(ans.Err, ans.Partial); err != nil {
		a.kustoError(w, k, err)
		return
	}
	var out []v1Table
	for i := range ans.Tables {
		x := &ans.Tables[i]
		out = append(out, v1Table{"Table_" + strconv.Itoa(i), v1Columns(x.Schema), appendRows(nil, x.Frames, value.AppendCell)})
	}
	writeJSON(w, 200, struct{ Tables []v1Table }{out})
}

// commandName is what a command's answer is called in a query over it.
const commandName = "CommandResult"

// splitPipe cuts a command at its first pipe outside of quotes and brackets.
func splitPipe(s string) (cmd, pipe string) {
	s = strings.TrimRight(strings.TrimSpace(s), "; \t\r\n")
	var quote byte
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case quote != 0:
			if c == quote {
				quote = 0
			}
		case c == '\'' || c == '"':
			quote = c
		case c == '|':
			return strings.TrimSpace(s[:i]), s[i+1:]
		}
	}
	return s, ""
}

// frames gives the asked columns of the answer as one frame.
func (t *commandTable) frames(out []plan.Col) exec.Frames {
	f := &value.Frame{N: len(t.rows)}
	for _, c := range out {
		col := value.Column{Name: c.Name, Type: c.Type}
		v := value.New(c.Type, len(t.rows))
		at := t.schema.Index(c.Name)
		for i, row := range t.rows {
			if at < 0 {
				v.Set(i, value.Null(c.Type))
				continue
			}
			v.Set(i, commandValue(row[at], c.Type))
		}
		f.Schema, f.Vecs = append(f.Schema, col), append(f.Vecs, v)
	}
	return func(yield func(*value.Frame, error) bool) { yield(f, nil) }
}

// commandValue makes a typed value of what a command's row holds.
func commandValue(x any, t value.Type) value.Value {
	null := value.Null(t)
	switch v := x.(type) {
	case string:
		switch t {
		case value.Datetime:
			if n, ok := value.ParseDatetime(v); ok {
				return value.Of(value.Datetime, n)
			}
			return null
		case value.GUID:
			if g, err := uuid.Parse(v); err == nil {
				return value.Value{Type: value.GUID, G: g}
			}
			return null
		}
		return value.OfString(v)
	case bool:
		return value.OfBool(v)
	case int:
		return value.OfLong(int64(v))
	}
	return null
}

// show carries out a command. The error is an *Error that says what is not served.
func (a *API) show(k *kustoCall, text string) (*commandTable, error) {
	words := strings.Fields(text)
	low := strings.Fields(strings.ToLower(text))
	tables, err := a.d.Schema(k.Context())
	if err != nil {
		return nil, err
	}
	ws := a.d.Workspace
	one := func(spec string, rows [][]any) (*commandTable, error) { return &commandTable{columns(spec), rows}, nil }
	is := func(patterns ...string) bool {
		for _, p := range patterns {
			if matchWords(strings.Fields(p), low) {
				return true
			}
		}
		return false
	}
	noEntity := func(kind, n string) (*commandTable, error) {
		return nil, &Error{Status: 400, Code: "BadRequest_EntityNotFound", Message: fmt.Sprintf("Entity ID '%s' of kind '%s' was not found.", cut(n, 100), kind)}
	}
	// A command may name the database; it must be this workspace.
	if len(low) > 2 && low[0] == ".show" && low[1] == "database" && low[2] != "schema" && low[2] != "details" && low[2] != "principals" {
		if n := unquoteName(words[2]); !a.la.knows(n) {
			return noEntity("Database", n)
		}
	}
	switch {
	case is(".show version"):
		return one("BuildVersion:string BuildTime:datetime ServiceType:string ProductVersion:string ServiceOffering:string", [][]any{{"picket", stamp(a.d.Now()), "Engine", "picket", `{"Type":"Picket"}`}})
	case is(".show cluster", ".show cluster details"):
		return one("NodeId:string Address:string Name:string", [][]any{{"0", "localhost", "picket"}})
	case is(".show databases", ".show databases details", ".show database", ".show database details", ".show database * details", ".show databases identity", ".show database * identity"):
		return one("DatabaseName:string PersistentStorage:string Version:string IsCurrent:bool DatabaseAccessMode:string PrettyName:string ReservedSlot1:bool DatabaseId:guid InTransitionTo:string",
			[][]any{{ws.Name, "", "v1.0", true, "ReadWrite", ws.Name, nil, ws.ID, ""}})
	case is(".show tables", ".show tables *"):
		rows := [][]any{}
		for _, n := range sortedKeys(tables) {
			rows = append(rows, []any{n, ws.Name, "", ""})
		}
		return one("TableName:string DatabaseName:string Folder:string DocString:string", rows)
	case is(".show tables details", ".show table * details"):
		return a.tableDetails(k, tables, words)
	case is(".show table * cslschema", ".show table *", ".show table * schema as json", ".show table * schema as csl", ".show table * schema"):
		n := unquoteName(words[2])
		s, ok := tables[n]
		if !ok {
			return noEntity("Table", n)
		}
		switch {
		case is(".show table * cslschema", ".show table * schema as csl"):
			return one("TableName:string Schema:string DatabaseName:string Folder:string DocString:string", [][]any{{n, cslSchema(s), ws.Name, "", ""}})
		case is(".show table *", ".show table * schema"):
			rows := [][]any{}
			for _, c := range s {
				rows = append(rows, []any{c.Name, "System." + clrTypes[c.Type]})
			}
			return one("AttributeName:string AttributeType:string", rows)
		}
		b, err := json.Marshal(jsonTable(n, s))
		if err != nil {
			return nil, err
		}
		return one("TableName:string Schema:string DatabaseName:string Folder:string DocString:string", [][]any{{n, string(b), ws.Name, "", ""}})
	case is(".show functions", ".show function *"):
		rows := [][]any{}
		for _, f := range a.functions() {
			if len(words) == 3 && f.Alias != unquoteName(words[2]) {
				continue
			}
			rows = append(rows, []any{f.Alias, "(" + f.Parameters + ")", "{" + f.Query + "}", f.Category, f.DisplayName})
		}
		if len(words) == 3 && len(rows) == 0 {
			return noEntity("Function", unquoteName(words[2]))
		}
		return one("Name:string Parameters:string Body:string Folder:string DocString:string", rows)
	case is(".show database schema as json", ".show database * schema as json", ".show databases * schema as json", ".show databases schema as json", ".show schema as json", ".show cluster databases schema as json"):
		b, err := json.Marshal(a.jsonSchema(tables))
		if err != nil {
			return nil, err
		}
		return one("DatabaseSchema:string", [][]any{{string(b)}})
	case is(".show database schema as csl script", ".show database * schema as csl script", ".show database cslschema script", ".show database * cslschema script"):
		rows := [][]any{}
		for _, n := range sortedKeys(tables) {
			rows = append(rows, []any{".create-merge table ['" + n + "'] (" + cslQuoted(tables[n]) + ")"})
		}
		return one("DatabaseSchemaScript:string", rows)
	case is(".show database schema", ".show database * schema", ".show schema", ".show databases schema", ".show database schema details", ".show database * cslschema", ".show database cslschema"):
		rows := [][]any{{ws.Name, nil, nil, nil, false, "", "", "v1.0"}}
		for _, n := range sortedKeys(tables) {
			rows = append(rows, []any{ws.Name, n, nil, nil, false, "", "", ""})
			for _, c := range tables[n] {
				rows = append(rows, []any{ws.Name, n, c.Name, "System." + clrTypes[c.Type], false, "", "", ""})
			}
		}
		return one("DatabaseName:string TableName:string ColumnName:string ColumnType:string IsDefaultTable:bool IsDefaultColumn:string PrettyName:string Version:string", rows)
	case is(".show principal access", ".show principal roles"):
		return one("Scope:string DisplayName:string AADObjectID:string Role:string", [][]any{{"Database " + ws.Name, k.who.Name, k.who.ID, string(k.who.Role)}})
	case is(".show database principals", ".show database * principals"):
		return a.databasePrincipals(k)
	case is(".show external tables", ".show materialized-views", ".show entity_groups", ".show ingestion mappings", ".show stored_query_results", ".show continuous-exports"):
		return one("Name:string Folder:string DocString:string", [][]any{}) // there are none
	}
	return nil, &Error{Status: 400, Code: "General_BadRequest", Message: fmt.Sprintf("The command %q is not served by picket. It serves %s, and a query over each one's answer (| where …).", cut(text, 200), strings.Join(knownCommands, ", "))}
}

// tableDetails tells the size of tables.
func (a *API) tableDetails(k *kustoCall, tables map[string]value.Schema, words []string) (*commandTable, error) {
	t := &commandTable{schema: columns("TableName:string DatabaseName:string Folder:string DocString:string TotalExtents:long TotalExtentSize:real TotalOriginalSize:real TotalRowCount:long HotExtents:long HotExtentSize:real HotOriginalSize:real HotRowCount:long MinExtentsCreationTime:datetime MaxExtentsCreationTime:datetime"), rows: [][]any{}}
	stored := map[string]*lake.Table{}
	if a.d.Lake != nil {
		all, err := a.d.Lake.Tables(k.Context())
		if err != nil {
			return nil, err
		}
		for i := range all {
			stored[all[i].Name] = &all[i]
		}
	}
	for _, n := range sortedKeys(tables) {
		if len(words) == 4 && n != unquoteName(words[2]) {
			continue
		}
		row := []any{n, a.d.Workspace.Name, "", "", 0, nil, nil, 0, 0, nil, nil, 0, nil, nil}
		if s := stored[n]; s != nil {
			row[4], row[7], row[8], row[11], row[12], row[13] = s.Segments, int(s.Rows), s.Segments, int(s.Rows), stamp(s.First), stamp(s.Received)
		}
		t.rows = append(t.rows, row)
	}
	if len(words) == 4 && len(t.rows) == 0 {
		return nil, &Error{Status: 400, Code: "BadRequest_EntityNotFound", Message: fmt.Sprintf("Entity ID '%s' of kind 'Table' was not found.", cut(unquoteName(words[2]), 100))}
	}
	return t, nil
}

// databasePrincipals tells who has which role; only an owner may know.
func (a *API) databasePrincipals(k *kustoCall) (*commandTable, error) {
	if !k.who.Role.Allows(Owner) {
		return nil, &Error{Status: 403, Code: "Forbidden", Message: fmt.Sprintf("'%s' has the role %s; the command .show database principals needs %s.", k.who.Name, k.who.Role, Owner)}
	}
	all, err := a.assignments(k.Context())
	if err != nil {
		return nil, err
	}
	t := &commandTable{schema: columns("Role:string PrincipalType:string PrincipalDisplayName:string PrincipalObjectId:string PrincipalFQN:string Notes:string"), rows: [][]any{}}
	for _, x := range all {
		kind, fqn := "AAD Application", "aadapp="
		if x.kind == "User" {
			kind, fqn = "AAD User", "aaduser="
		}
		t.rows = append(t.rows, []any{"Database " + a.d.Workspace.Name + " " + string(x.role), kind, x.display, x.principal, fqn + x.principal + ";" + a.d.Workspace.TenantID, ""})
	}
	return t, nil
}

func cslQuoted(s value.Schema) string {
	parts := make([]string, len(s))
	for i, c := range s {
		parts[i] = "['" + c.Name + "']:" + c.Type.String()
	}
	return strings.Join(parts, ", ")
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
