package azure

import (
	"encoding/json"
	"net/http"
	"picket/kql/value"
	"picket/query"
	"strconv"
	"strings"

	"github.com/google/uuid"
)

// v1Table is a table of Kusto's first form. The Go client reads keys in this order.
type v1Table struct {
	TableName string
	Columns   []v1Column
	Rows      json.RawMessage
}

type v1Column struct {
	ColumnName string
	DataType   string
	ColumnType string
}

// clrTypes are the .NET names of KQL's types.
var clrTypes = map[value.Type]string{
	value.Bool: "SByte", value.Int: "Int32", value.Long: "Int64", value.Real: "Double", value.Decimal: "SqlDecimal",
	value.String: "String", value.Datetime: "DateTime", value.Timespan: "TimeSpan", value.GUID: "Guid", value.Dynamic: "Object",
}

func v1Columns(s value.Schema) []v1Column {
	out := make([]v1Column, len(s))
	for i, c := range s {
		out[i] = v1Column{c.Name, clrTypes[c.Type], c.Type.String()}
	}
	return out
}

// v1Rows makes rows of plain values.
func v1Rows(rows [][]any) json.RawMessage {
	if len(rows) == 0 {
		return json.RawMessage("[]")
	}
	b, err := json.Marshal(rows)
	if err != nil {
		return json.RawMessage("[]") // only strings, numbers and nil go in
	}
	return b
}

func columns(spec string) value.Schema {
	var s value.Schema
	for _, f := range strings.Fields(spec) {
		n, t, _ := strings.Cut(f, ":")
		vt, _ := value.ParseType(t) // the specs are this package's own
		s = append(s, value.Column{Name: n, Type: vt})
	}
	return s
}

// kustoV1 answers POST /v1/rest/query.
func (a *API) kustoV1(w http.ResponseWriter, r *call) {
	k := a.kusto(w, r)
	if k == nil {
		return
	}
	if strings.HasPrefix(strings.TrimSpace(k.CSL), ".") {
		a.command(w, k)
		return
	}
	q, e := a.question(k)
	if e != nil {
		a.kustoError(w, k, e)
		return
	}
	res, err := a.runFor(r.Context(), k.who, q)
	if err != nil {
		a.kustoError(w, k, err)
		return
	}
	var tables []v1Table
	toc := [][]any{}
	for i := range res.Tables {
		t := &res.Tables[i]
		tables = append(tables, v1Table{"Table_" + strconv.Itoa(i), v1Columns(t.Schema), appendRows(nil, t.Frames, value.AppendCell)})
		toc = append(toc, []any{len(toc), "QueryResult", t.Name, uuid.NewString(), ""})
	}
	toc = append(toc, []any{len(toc), "QueryProperties", "@ExtendedProperties", uuid.NewString(), ""})
	tables = append(tables, v1Table{"Table_" + strconv.Itoa(len(tables)), v1Columns(columns("Value:string")), v1Rows([][]any{{visualization(res.Render)}})})
	severity, code, text := 4, 0, "Query completed successfully"
	if res.Partial != nil {
		severity, code, text = 2, -2133196797, partialText(res.Partial)
	}
	toc = append(toc, []any{len(toc), "QueryStatus", "QueryStatus", uuid.NewString(), ""})
	tables = append(tables, v1Table{
		"Table_" + strconv.Itoa(len(tables)), v1Columns(columns("Timestamp:datetime Severity:int SeverityName:string StatusCode:int StatusDescription:string Count:int RequestId:guid ActivityId:guid SubActivityId:guid ClientActivityId:string")),
		v1Rows([][]any{{stamp(a.d.Now()), severity, map[int]string{4: "Info", 2: "Error"}[severity], code, text, 1, k.activity, k.activity, k.activity, k.clientID}}),
	})
	tables = append(tables, v1Table{"Table_" + strconv.Itoa(len(tables)), v1Columns(columns("Ordinal:long Kind:string Name:string Id:string PrettyName:string")), v1Rows(toc)})
	writeJSON(w, 200, struct{ Tables []v1Table }{tables})
}

// visualization is the render operator's wish as Kusto writes it.
func visualization(r *query.Render) string {
	m := map[string]any{"Visualization": nil}
	if r != nil {
		m["Visualization"] = r.Visualization
		for k, v := range r.Properties {
			if k != "" {
				m[strings.ToUpper(k[:1])+k[1:]] = v
			}
		}
	}
	b, err := json.Marshal(m)
	if err != nil {
		return "{}" // strings and nil always marshal
	}
	return string(b)
}
