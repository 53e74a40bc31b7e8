package main

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// command runs picket in this process: what it prints, and the exit code that it would end with.
func command(t *testing.T, stdin string, args ...string) (out string, code int) {
	t.Helper()
	root := newRoot()
	var b bytes.Buffer
	root.SetArgs(args)
	root.SetIn(strings.NewReader(stdin))
	root.SetOut(&b)
	root.SetErr(&b)
	err := root.ExecuteContext(context.Background())
	var x *exitError
	switch {
	case err == nil:
	case errors.As(err, &x):
		code = x.code
	default:
		code = exitFailure
	}
	if err != nil {
		b.WriteString("error: " + err.Error())
	}
	return b.String(), code
}

func file(t *testing.T, name, text string) string {
	t.Helper()
	p := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(p, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return p
}

const sample = `{"TimeGenerated":"2024-01-01T00:00:00Z","user":"ann","n":1,"d":{"a":"x, \"y\""}}
{"TimeGenerated":"2024-01-02T00:00:00Z","user":"","n":null,"d":null}
`

func TestQueryOverFiles(t *testing.T) {
	p := file(t, "logs.ndjson", sample)
	for _, c := range []struct {
		args  []string
		stdin string
		want  string
		code  int
	}{
		{[]string{"--file", p, "logs | project user, n, d"}, "", "user  n  d\nann   1  {\"a\":\"x, \\\"y\\\"\"}\n\n", 0},
		{[]string{"--file", p, "--format", "csv", "T | project user, n, d"}, "", "user,n,d\nann,1,\"{\"\"a\"\":\"\"x, \\\"\"y\\\"\"\"\"}\"\n,,\n", 0},
		{[]string{"--file", p, "--format", "json", "T | project user, n, d"}, "", "[\n  {\"user\": \"ann\", \"n\": 1, \"d\": {\"a\":\"x, \\\"y\\\"\"}},\n  {\"user\": \"\", \"n\": null, \"d\": null}\n]\n", 0},
		{[]string{"--file", p, "--json", "T | where false"}, "", "[]\n", 0},
		{[]string{"--file", p, "--timespan", "2024-01-01T00:00:00Z/2024-01-02T00:00:00Z", "--format", "csv", "T | count"}, "", "Count\n1\n", 0},
		{[]string{"--file", "-", "--format", "csv", "T | summarize sum(n)"}, sample, "sum_n\n1\n", 0},
		{[]string{"--file", "x=-", "--file-format", "csv", "--format", "csv", "x"}, "a,b\n1,2\n", "a,b\n1,2\n", 0},
		{[]string{"--file", p, "--format", "csv", "T | fork (count) (distinct user)"}, "", "Count\n2\n\nuser\nann\n\n", 0},
		{[]string{"--file", p, "logs | where usr == 1"}, "", "   1 | logs | where usr == 1\n     |              ~~~\nSEM0100", exitFailure},
		{[]string{"--file", p + "x", "T"}, "", "no such file", exitNotFound},
		{[]string{"--file", p, "--format", "xml", "T"}, "", "--format", exitUsage},
		{[]string{"--file", p}, "", "one query", exitUsage},
		{[]string{"--file", p, "--file-format", "xml", "T"}, "", "--file-format", exitUsage},
		{[]string{"--file", "-", "T"}, "{\"a\":1}\n{\"a\"", ":2: not JSON", exitFailure},
	} {
		out, code := command(t, c.stdin, append([]string{"query"}, c.args...)...)
		if code != c.code || c.code == 0 && !strings.HasPrefix(out, c.want) || !strings.Contains(out, strings.TrimSpace(c.want)) {
			t.Errorf("%q gives %d and\n%s\nnot %d and\n%s", c.args, code, out, c.code, c.want)
		}
	}
	for _, c := range []struct {
		args []string
		want []string
		code int
	}{
		{[]string{"--file", p, "logs | where n > 0 | count"}, []string{"the query: Go runs\n", "Filter GreaterThan(n#", "what is read\n  logs: columns n; 1 files of ndjson"}, 0},
		{[]string{"--file", p, "logs | where usr == 1"}, []string{"SEM0100"}, exitFailure},
		{[]string{"--file", p, "-i"}, []string{"leave -i out"}, exitUsage},
	} {
		out, code := command(t, "", append([]string{"query", "--explain"}, c.args...)...)
		for _, want := range c.want {
			if code != c.code || !strings.Contains(out, want) {
				t.Errorf("%q gives %d, without %q\n%s", c.args, code, want, out)
			}
		}
	}
	out, code := command(t, "logs | count;\nnope;\n", "query", "-i", "--file", p)
	if code != exitFailure || !strings.HasPrefix(out, "Count\n2\n") || !strings.Contains(out, "~~~~") {
		t.Error(code, out)
	}
}

func TestKqlTestsOfUsers(t *testing.T) {
	p := file(t, "logs.ndjson", sample)
	good := "=== one\nlogs | summarize n = count() by user\n---\nuser:string | n:long\nann | 1\n\"\" | 1\n\n=== refused\nlogs | where nope == 1\n--- error does not refer\n"
	g := file(t, "good.kqltest", good)
	if out, code := command(t, "", "kql", "test", "--file", p, filepath.Dir(g)); code != 0 || out != "2 of 2 cases pass\n" {
		t.Error(code, out)
	}
	b := file(t, "bad.kqltest", "=== two\nprint x = 1\n---\nx:long\n2\n")
	if out, code := command(t, "", "kql", "test", b); code != exitFailure || !strings.Contains(out, "bad.kqltest:1: two") || !strings.Contains(out, "0 of 1 cases pass") {
		t.Error(code, out)
	}
	if _, code := command(t, "", "kql", "test", b, "--update"); code != 0 {
		t.Error(code)
	}
	if out, code := command(t, "", "kql", "test", b); code != 0 {
		t.Error(code, out)
	}
	if _, code := command(t, "", "kql", "test", t.TempDir()); code != exitNotFound {
		t.Error(code)
	}
}

func TestKqlFunctions(t *testing.T) {
	if out, code := command(t, "", "kql", "functions", "Arg_Max"); code != 0 || !strings.Contains(out, "arg_max(maximized") {
		t.Error(code, out)
	}
	if out, code := command(t, "", "kql", "functions", "arg_"); code != exitNotFound || !strings.Contains(out, "arg_max") {
		t.Error(code, out)
	}
	if out, code := command(t, "", "kql", "functions", "--missing"); code != 0 || !strings.Contains(out, "hash_many") || strings.Contains(out, "strcat_delim") {
		t.Error(code, out)
	}
	if out, code := command(t, "", "kql", "functions", "--kind", "plugin", "--json"); code != 0 || !strings.Contains(out, `"bag_unpack"`) {
		t.Error(code, out)
	}
}

func TestKqlReplAndLsp(t *testing.T) {
	tables := file(t, "tables.json", `{"tables": {"T": "(a:long, b:string)"}}`)
	if out, code := command(t, "T | count;\n.columns T\n? count_distinct\n", "kql", "repl", "--tables", tables); code != 0 || !strings.Contains(out, "Count\n0\nCOLUMN  TYPE\na       long\n") || !strings.Contains(out, "exact") {
		t.Error(code, out)
	}
	msg := func(s string) string { return "Content-Length: " + strconv.Itoa(len(s)) + "\r\n\r\n" + s }
	in := msg(`{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"capabilities":{}}}`) +
		msg(`{"jsonrpc":"2.0","method":"textDocument/didOpen","params":{"textDocument":{"uri":"u","version":1,"text":"T | where c == 1"}}}`) +
		msg(`{"jsonrpc":"2.0","id":2,"method":"shutdown"}`) + msg(`{"jsonrpc":"2.0","method":"exit"}`)
	if out, code := command(t, in, "kql", "lsp", "--tables", tables, "--stdio"); code != 0 || !strings.Contains(out, `"code":"SEM0100"`) {
		t.Error(code, out)
	}
}

func TestReadAServersSchema(t *testing.T) {
	s, err := parseSchema([]byte(`{"Databases":{"w":{"Tables":{"T":{"OrderedColumns":[{"Name":"a","CslType":"long"}]}},
		"Functions":{"f":{"InputParameters":[{"Name":"x","CslType":"string","CslDefaultValue":"'a'"},{"Name":"t","CslType":"(a:long)"}],"Body":"{ t }"}}}}}`))
	if err != nil {
		t.Fatal(err)
	}
	if c, ok := s.Table(struct{ Cluster, Database string }{}, "T"); !ok || len(c) != 1 {
		t.Error(c)
	}
	if f := s.functions["f"]; f.Params != "(x:string='a', t:(a:long))" {
		t.Error(f)
	}
	if _, err := parseSchema([]byte(`{"Databases":{"w":{"Tables":{"T":{"OrderedColumns":[{"Name":"a","CslType":"?"}]}}}}}`)); err == nil {
		t.Error("an unknown type passes")
	}
}
