package files

import (
	"context"
	"path/filepath"
	"strings"
	"testing"
)

func TestExplainParquet(t *testing.T) {
	p := filepath.Join(t.TempDir(), "P.parquet")
	parquet(t, p, `SELECT i::BIGINT AS n, 'u' || i AS s FROM range(5) r(i)`)
	set, err := Open(context.Background(), []Spec{{Path: p}}, Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer set.Close()
	for _, c := range []struct {
		q    Query
		want []string
	}{
		{Query{}, []string{"the query: DuckDB runs all of it, as SQL 1", "count(*)", "read_parquet([… 1 files …]", "what is read\n  P: columns n; 1 files of parquet"}},
		{Query{NoSQL: true}, []string{"the query: Go runs\n", "Scan P"}},
	} {
		q, err := set.Compile(context.Background(), "P | where n > 2 | summarize count() by n", c.q)
		if err != nil {
			t.Fatal(err)
		}
		got := q.Explain()
		for _, want := range c.want {
			if !strings.Contains(got, want) {
				t.Errorf("no %q in\n%s", want, got)
			}
		}
	}
}
