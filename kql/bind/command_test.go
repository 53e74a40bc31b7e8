package bind_test

import (
	"picket/kql/bind"
	"picket/kql/syntax"
	"picket/kql/value"
	"strings"
	"testing"
	"time"
)

func commandSchema() bind.Schema {
	return samples{bind.Tables{"T": {{Name: "a", Type: value.Long}, {Name: "b", Type: value.String}}}}
}

func TestCommandColumns(t *testing.T) {
	const ingested = "ExtentId:guid, OriginalSize:long, ExtentSize:long, ColumnSize:long, IndexSize:long, RowCount:long"
	for _, c := range []struct{ text, want string }{
		{".show tables", "TableName:string, DatabaseName:string, Folder:string, DocString:string"},
		{". show tables // all", "TableName:string, DatabaseName:string, Folder:string, DocString:string"},
		{".show tables | where TableName == 'T' | project Folder", "Folder:string"},
		{".show tables; $command_results | count", "Count:long"},
		{".create table New (x:long, ['y z']:string)", "TableName:string, Schema:string, DatabaseName:string, Folder:string, DocString:string"},
		{".set-or-append New <| T | where a > 1", ingested},
		{".set New <| .show tables | project TableName", ingested},
		{".create function f(n:long) { T | where a == n }", "Name:string, Parameters:string, Body:string, Folder:string, DocString:string"},
		{".alter column Samples.T.a policy encoding type='x'", "PolicyName:string, EntityName:string, Policy:string, ChildEntities:string, EntityType:string"},
		{".show tables and more", ""}, // tokens that belong to nothing: not an error, but no known result
		{".no such command", ""},
	} {
		q, errs := bindText(c.text, commandSchema(), bind.Options{Editor: true})
		if len(errs) > 0 {
			t.Errorf("%s: %v", c.text, errs)
			continue
		}
		if got := schemaString(ours(q.Results[len(q.Results)-1].Node.Cols())); got != c.want {
			t.Errorf("%s:\n  got  %s\n  want %s", c.text, got, c.want)
		}
	}
}

func TestCommandErrors(t *testing.T) {
	for _, c := range []struct{ text, code, at string }{
		{".drop table Nope", "SEM0100", "Nope"},
		{".drop table T columns (a, Nope)", "SEM0100", "Nope"},
		{".alter column T.Nope policy encoding type='x'", "SEM0100", "Nope"},
		{".show database Nope schema", "SEM0100", "Nope"},
		{".drop function f", "SEM0100", "f"},
		{".set New <| T | where Nope == 1", "SEM0100", "Nope"},
		{".set New <| .show tables | project Nope", "SEM0100", "Nope"},
		{".create function f(n:long) { T | where a == m }", "SEM0100", "m"},
		{".show tables | where Nope == 1", "SEM0100", "Nope"},
		{".execute database script <|\n.show tables\n.show table Nope details", "SEM0100", "Nope"},
		{".ingest into T ('x')", syntax.CodeExpected, "T"},
		{".create table New (a string)", syntax.CodeExpected, "string"},
		{".create table New (a:word)", syntax.CodeExpected, "word"},
		{".create table where (a:string)", syntax.CodeExpected, "where"},
		{".show table", syntax.CodeExpected, ""},
		{".", syntax.CodeExpected, "."},
		{".show tables | count T", syntax.CodeExpected, "T"},
		{strings.Repeat(".set A <| ", 100) + "T", syntax.CodeLimit, "."},
	} {
		_, errs := bindText(c.text, commandSchema(), bind.Options{Editor: true})
		if len(errs) == 0 {
			t.Errorf("%s: accepted", c.text)
			continue
		}
		if e := errs[0]; e.Code != c.code || c.text[e.Start:e.End] != c.at {
			t.Errorf("%s: %v at %q, want %s at %q", c.text, e, c.text[e.Start:e.End], c.code, c.at)
		}
	}
}

func TestCommandsAreNotRun(t *testing.T) {
	_, errs := bindText(".show tables", commandSchema(), bind.Options{})
	if len(errs) != 1 || errs[0].Code != syntax.CodeNotSupported {
		t.Errorf("got %v", errs)
	}
}

// Long texts must not take long.
func TestLongCommands(t *testing.T) {
	for _, text := range []string{
		".drop tables (" + strings.Repeat("T, ", 20000) + "T",
		".execute database script <|" + strings.Repeat("\n.show tables", 3000),
		".create table New (" + strings.Repeat("a:string, ", 20000) + "b:string)",
		".show " + strings.Repeat("tables ", 20000),
		".alter table T policy caching hot = 1d" + strings.Repeat(", hot_window = datetime(2021-01-01) .. datetime(2021-02-01)", 3000) + ", x",
	} {
		start := time.Now()
		bindText(text, commandSchema(), bind.Options{Editor: true})
		if d := time.Since(start); d > 5*time.Second {
			t.Errorf("%s…: %v", text[:40], d)
		} else {
			t.Logf("%s…: %v", text[:40], d)
		}
	}
}
