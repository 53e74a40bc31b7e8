package bind_test

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"picket/kql/bind"
	"picket/kql/plan"
	"picket/kql/syntax"
	"picket/kql/value"
	"sort"
	"strings"
	"testing"
)

// sharedDir is the folder of the shared corpora, or skips the test.
func sharedDir(t testing.TB) string {
	t.Helper()
	dir := os.Getenv("PICKET_SHARED")
	if dir == "" {
		root, _ := os.Getwd()
		for {
			if _, err := os.Stat(filepath.Join(root, "go.mod")); err == nil {
				break
			}
			up := filepath.Dir(root)
			if up == root {
				t.Fatal("no go.mod above the test")
			}
			root = up
		}
		dir = filepath.Join(root, "..", "shared")
	}
	if _, err := os.Stat(filepath.Join(dir, "kql", "docs_schemas.jsonl")); err != nil {
		if os.Getenv("PICKET_REQUIRE_SHARED") == "1" {
			t.Fatalf("the shared corpora are required: %v", err)
		}
		t.Skipf("no shared corpora: %v", err)
	}
	return dir
}

type msColumn struct{ Name, Type string }

// msError is one of Microsoft's errors; At is the text that it marks.
type msError struct{ Code, Message, At string }

type corpusCase struct {
	ID       string          `json:"id"`
	Query    string          `json:"query"`
	MsOK     bool            `json:"ms_ok"`
	MsErrors json.RawMessage `json:"ms_errors"`
	MsResult json.RawMessage `json:"ms_result"`
	Result   json.RawMessage `json:"result"`
}

func eachLine(t testing.TB, path string, f func([]byte)) {
	t.Helper()
	file, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	sc := bufio.NewScanner(file)
	sc.Buffer(nil, 16<<20)
	for sc.Scan() {
		if len(strings.TrimSpace(sc.Text())) > 0 {
			f(sc.Bytes())
		}
	}
	if err := sc.Err(); err != nil {
		t.Fatal(err)
	}
}

// samples is the documentation's database, with its name and its order of tables.
type samples struct{ tables bind.Tables }

func (s samples) Known(d bind.Scope) bool {
	switch d.Cluster {
	case "", "help", "help.kusto.windows.net":
		return d.Database == "" || d.Database == "Samples"
	}
	return false
}

func (s samples) Table(d bind.Scope, name string) (value.Schema, bool) {
	if !s.Known(d) {
		return nil, false
	}
	return s.tables.Table(bind.Scope{}, name)
}

func (s samples) Tables(d bind.Scope) []string {
	if !s.Known(d) {
		return nil
	}
	out := s.tables.Tables(bind.Scope{})
	sort.Sort(sort.Reverse(sort.StringSlice(out))) // StormEvents stands first
	return out
}

func (s samples) Function(bind.Scope, string) (bind.Function, bool) { return bind.Function{}, false }

func docsTables(t testing.TB, dir string) bind.Tables {
	var f struct{ Tables map[string]string }
	b, err := os.ReadFile(filepath.Join(dir, "kql", "docs_tables.json"))
	if err == nil {
		err = json.Unmarshal(b, &f)
	}
	if err != nil {
		t.Fatal(err)
	}
	out := bind.Tables{}
	for n, s := range f.Tables {
		out[n] = parseSchema(t, s)
	}
	return out
}

// parseSchema reads "(a:long, b:string)".
func parseSchema(t testing.TB, s string) value.Schema {
	var out value.Schema
	for _, p := range strings.Split(strings.Trim(s, "()"), ",") {
		n, ty, _ := strings.Cut(p, ":")
		v, ok := value.ParseType(strings.TrimSpace(ty))
		if !ok {
			t.Fatalf("bad type in %q", p)
		}
		out = append(out, value.Column{Name: strings.TrimSpace(n), Type: v})
	}
	return out
}

// ordered is a schema whose tables keep the order of their file.
type ordered struct {
	bind.Schema
	names []string
}

func (o ordered) Tables(bind.Scope) []string { return o.names }

func contentTables(t testing.TB, dir string) bind.Schema {
	b, err := os.ReadFile(filepath.Join(dir, "content", "tables.json"))
	if err != nil {
		t.Fatal(err)
	}
	var f struct{ Tables json.RawMessage }
	if err := json.Unmarshal(b, &f); err != nil {
		t.Fatal(err)
	}
	out := bind.Tables{}
	var names []string
	inOrder(t, f.Tables, func(table string, raw json.RawMessage) {
		var s value.Schema
		inOrder(t, raw, func(col string, raw json.RawMessage) {
			ty, ok := value.ParseType(strings.Trim(string(raw), `"`))
			if !ok {
				t.Fatalf("%s.%s: bad type %s", table, col, raw)
			}
			s = append(s, value.Column{Name: col, Type: ty})
		})
		out[table] = s
		names = append(names, table)
	})
	return ordered{out, names}
}

// inOrder calls f for the properties of a JSON object in the order in which they are written.
func inOrder(t testing.TB, raw json.RawMessage, f func(string, json.RawMessage)) {
	dec := json.NewDecoder(strings.NewReader(string(raw)))
	if _, err := dec.Token(); err != nil {
		t.Fatal(err)
	}
	for dec.More() {
		k, err := dec.Token()
		var v json.RawMessage
		if err == nil {
			err = dec.Decode(&v)
		}
		if err != nil {
			t.Fatal(err)
		}
		f(k.(string), v)
	}
}

// msSchemas reads Microsoft's result: a list of columns, or a group of such lists.
func msSchemas(raw json.RawMessage) ([][]msColumn, bool) {
	var one []msColumn
	if json.Unmarshal(raw, &one) == nil {
		return [][]msColumn{one}, true
	}
	var g struct{ Group [][]msColumn }
	if json.Unmarshal(raw, &g) == nil && len(g.Group) > 0 {
		return g.Group, true
	}
	return nil, false
}

func schemaString(cols []msColumn) string {
	p := make([]string, len(cols))
	for i, c := range cols {
		p[i] = c.Name + ":" + c.Type
	}
	return strings.Join(p, ", ")
}

func ours(cols []plan.Col) []msColumn {
	out := make([]msColumn, len(cols))
	for i, c := range cols {
		out[i] = msColumn{c.Name, c.Type.String()}
	}
	return out
}

// compare tells what differs between the last results of q and Microsoft's.
func compare(q *plan.Query, want [][]msColumn) string {
	res := q.Results
	if len(want) == 1 && len(want[0]) == 0 && len(res) == 0 {
		return ""
	}
	if len(res) < len(want) {
		return fmt.Sprintf("%d results, want %d", len(res), len(want))
	}
	res = res[len(res)-len(want):]
	for i := range want {
		if g, w := schemaString(ours(res[i].Node.Cols())), schemaString(want[i]); g != w {
			return "got  " + g + "\n  want " + w
		}
	}
	return ""
}

func bindText(text string, s bind.Schema, opt bind.Options) (*plan.Query, syntax.ErrorList) {
	doc, errs := syntax.Parse(text)
	if len(errs) > 0 {
		return nil, errs
	}
	return bind.Bind(doc, text, s, opt)
}

// samePlace reports whether e marks the text that Microsoft's error marks, or begins where it does.
func samePlace(text string, e *syntax.Error, w msError) bool {
	if w.At == "" {
		return true // an error without a place, or between two tokens
	}
	for i := 0; ; {
		k := strings.Index(text[i:], w.At)
		if k < 0 {
			return false
		}
		if i += k; i == e.Start {
			return true
		}
		i++
	}
}

// isCommand reports a management command, which is no query.
func isCommand(text string) bool {
	for _, l := range strings.Split(text, "\n") {
		l = strings.TrimSpace(l)
		if l == "" || strings.HasPrefix(l, "//") {
			continue
		}
		return strings.HasPrefix(l, ".")
	}
	return false
}

func TestCorpus(t *testing.T) {
	dir := sharedDir(t)
	docs := samples{docsTables(t, dir)}
	opt := bind.Options{Editor: true}
	var commands commandCount
	var nOK, n, kOK, k, place, m, mOK int
	eachLine(t, filepath.Join(dir, "kql", "docs_schemas.jsonl"), func(line []byte) {
		var c corpusCase
		if err := json.Unmarshal(line, &c); err != nil {
			t.Fatal(err)
		}
		if isCommand(c.Query) {
			commands.count(t, c, docs)
			return
		}
		q, errs := bindText(c.Query, docs, opt)
		if !c.MsOK {
			k++
			var ms []msError
			if err := json.Unmarshal(c.MsErrors, &ms); err != nil {
				t.Fatal(err)
			}
			if len(errs) == 0 {
				t.Logf("ACCEPTED %s: want %v\n%s", c.ID, ms, c.Query)
				return
			}
			kOK++
			for _, e := range errs {
				for _, w := range ms {
					if samePlace(c.Query, e, w) {
						place++
						return
					}
				}
			}
			t.Logf("PLACE %s: got %v, want %v\n%s", c.ID, errs, ms, c.Query)
			return
		}
		want, ok := msSchemas(c.MsResult)
		if !ok {
			return
		}
		n++
		if len(errs) > 0 {
			t.Logf("REJECTED docs %s: %v\n%s", c.ID, errs, c.Query)
			return
		}
		checkPlan(t, c.ID, q)
		if d := compare(q, want); d != "" {
			t.Logf("DIFFERS docs %s:\n  %s\n%s", c.ID, d, c.Query)
			return
		}
		nOK++
	})
	t.Logf("commands: accepted %d/%d columns, rejected %d/%d (%d at the same place)", commands.columns, commands.accepted, commands.rejected, commands.wrong, commands.place)
	if commands.columns*100 < commands.accepted*99 || commands.rejected*100 < commands.wrong*99 || commands.place*100 < commands.wrong*97 {
		t.Errorf("commands: accepted %d/%d columns, rejected %d/%d (%d at the same place)", commands.columns, commands.accepted, commands.rejected, commands.wrong, commands.place)
	}
	content := contentTables(t, dir)
	eachLine(t, filepath.Join(dir, "content", "queries.jsonl"), func(line []byte) {
		var c corpusCase
		if err := json.Unmarshal(line, &c); err != nil {
			t.Fatal(err)
		}
		want, ok := msSchemas(c.Result)
		if !ok {
			return
		}
		m++
		q, errs := bindText(c.Query, content, opt)
		if len(errs) > 0 {
			t.Logf("REJECTED content %s: %v\n%s", c.ID, errs, c.Query)
			return
		}
		checkPlan(t, c.ID, q)
		if d := compare(q, want); d != "" {
			t.Logf("DIFFERS content %s:\n  %s\n%s", c.ID, d, c.Query)
			return
		}
		mOK++
	})
	t.Logf("bind: docs %d/%d, content %d/%d, rejects %d/%d (%d at the same place)", nOK, n, mOK, m, kOK, k, place)
	if nOK*100 < n*99 || mOK*100 < m*99 || place*100 < k*97 {
		t.Errorf("bind: docs %d/%d, content %d/%d, rejects %d/%d (%d at the same place)", nOK, n, mOK, m, kOK, k, place)
	}
}

// commandCount counts the commands of the documentation that bind as Microsoft's service binds them.
type commandCount struct{ columns, accepted, rejected, wrong, place int }

func (n *commandCount) count(t *testing.T, c corpusCase, s bind.Schema) {
	t.Helper()
	q, errs := bindText(c.Query, s, bind.Options{Editor: true})
	if !c.MsOK {
		n.wrong++
		var ms []msError
		if err := json.Unmarshal(c.MsErrors, &ms); err != nil {
			t.Fatal(err)
		}
		if len(errs) == 0 {
			t.Logf("ACCEPTED command %s: want %v\n%s", c.ID, ms, c.Query)
			return
		}
		n.rejected++
		for _, e := range errs {
			if e.Code == syntax.CodeNotSupported || e.Code == "Internal" {
				t.Logf("CODE command %s: %v\n%s", c.ID, errs, c.Query)
				return
			}
			for _, w := range ms {
				if samePlace(c.Query, e, w) {
					n.place++
					return
				}
			}
		}
		t.Logf("PLACE command %s: got %v, want %v\n%s", c.ID, errs, ms, c.Query)
		return
	}
	n.accepted++
	if len(errs) > 0 {
		t.Logf("REJECTED command %s: %v\n%s", c.ID, errs, c.Query)
		return
	}
	checkPlan(t, c.ID, q)
	want, ok := msSchemas(c.MsResult)
	if !ok {
		want = [][]msColumn{nil}
	}
	if d := compare(q, want); d != "" {
		t.Logf("DIFFERS command %s:\n  %s\n%s", c.ID, d, c.Query)
		return
	}
	n.columns++
}

// checkPlan verifies what every plan must hold: each column read is produced below it.
func checkPlan(t *testing.T, id string, q *plan.Query) {
	t.Helper()
	var row *plan.Unbound
	if err := plan.Check(q); err != nil && !errors.As(err, &row) { // the editor service lets row values into toscalar
		t.Errorf("PLAN %s: %v\n%s", id, err, q)
	}
}

// longestRule is the longest rule of the content corpus that binds.
func longestRule(t testing.TB, dir string) string {
	longest := ""
	eachLine(t, filepath.Join(dir, "content", "queries.jsonl"), func(line []byte) {
		var c struct{ Set, Query string }
		if err := json.Unmarshal(line, &c); err != nil {
			t.Fatal(err)
		}
		if c.Set == "rules" && len(c.Query) > len(longest) {
			longest = c.Query
		}
	})
	return longest
}
