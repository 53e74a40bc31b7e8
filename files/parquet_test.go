package files

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"picket/lake/duck"
	"strings"
	"testing"
	"time"
)

func parquet(t *testing.T, path, sel string) {
	t.Helper()
	db, err := duck.Open("", nil)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	c, err := db.Conn()
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if _, err := c.Exec(context.Background(), "COPY ("+sel+") TO "+quoteText(path)+" (FORMAT parquet)"); err != nil {
		t.Fatal(err)
	}
}

func TestParquetTypes(t *testing.T) {
	p := filepath.Join(t.TempDir(), "p[1].parquet")
	parquet(t, p, `SELECT true AS b, 1::SMALLINT AS i, 2::BIGINT AS l, 0.5::FLOAT AS f, 1.25::DECIMAL(10,2) AS m, 18446744073709551615::UBIGINT AS u, 's' AS s, NULL::VARCHAR AS z,
		DATE '2024-01-02' AS d, TIMESTAMP '2024-01-02 03:04:05.678901' AS t, TIMESTAMP_NS '1960-01-02 03:04:05.678901234' AS ns,
		TIMESTAMPTZ '2024-01-02 03:04:05+01' AS tz, TIME '01:02:03' AS tm, '6f9619ff-8b86-d011-b42d-00c04fc964ff'::UUID AS g,
		{'a': 1, 'b': [1.5, 2]} AS n, 'ab'::BLOB AS bl`)
	want := `
b:bool | i:int | l:long | f:real | m:decimal | u:decimal | s:string | z:string | d:datetime | t:datetime | ns:datetime | tz:datetime | tm:timespan | g:guid | n:dynamic | bl:string
True | 1 | 2 | 0.5 | 1.25 | 18446744073709551615 | s | "" | 2024-01-02T00:00:00.0000000Z | 2024-01-02T03:04:05.6789010Z | 1960-01-02T03:04:05.6789012Z | 2024-01-02T02:04:05.0000000Z | 01:02:03 | 6f9619ff-8b86-d011-b42d-00c04fc964ff | {"a":1,"b":[1.5,2.0]} | YWI=`
	check(t, "p", want, Spec{Name: "p", Path: p})
	check(t, "T | count", "Count:long\n1", Spec{Path: p})
}

func TestParquetInSQLAndInGo(t *testing.T) {
	dir := t.TempDir()
	parquet(t, filepath.Join(dir, "a-1.parquet"), `SELECT i::BIGINT AS n, 'user ' || i % 7 AS u, make_timestamp(1700000000000000 + i * 1000000) AS TimeGenerated, CASE WHEN i % 3 = 0 THEN NULL ELSE i % 5 END::INTEGER AS k FROM range(3000) r(i)`)
	parquet(t, filepath.Join(dir, "a-2.parquet"), `SELECT i::BIGINT AS n, 'x' AS u, 1.5::DOUBLE AS v FROM range(10) r(i)`)
	spec := Spec{Path: filepath.Join(dir, "a-*.parquet")}
	for _, q := range []string{
		"a | summarize count(), sum(n), dcount(u), max(TimeGenerated) by k | sort by k asc",
		"a | where u has '3' and n > 100 | summarize c = count() by bin(TimeGenerated, 10m) | sort by TimeGenerated asc",
		"a | where isnull(TimeGenerated) | project n, u, v | sort by n asc",
		"a | top 3 by TimeGenerated desc | project n, TimeGenerated",
		"a | where u !contains 'user' | count",
		"a | join kind=inner (a | where n < 3 | project n, w = u) on n | summarize count() by w | sort by w asc",
	} {
		sql, err := ask(t, q, Query{}, spec)
		if err != nil {
			t.Fatal(err)
		}
		goOnly, err := ask(t, q, Query{NoSQL: true}, spec)
		if err != nil {
			t.Fatal(err)
		}
		if sql != goOnly {
			t.Errorf("%s gives in SQL\n%s\nand in Go\n%s", q, sql, goOnly)
		}
	}
	s, err := Open(context.Background(), []Spec{spec}, Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	c, err := s.Compile(context.Background(), "a | summarize count() by u", Query{})
	if err != nil || c.low == nil {
		t.Fatal("nothing runs in SQL", err)
	}
	parquet(t, filepath.Join(dir, "a-3.parquet"), `SELECT 'no number' AS n`)
	if _, err := ask(t, "a", Query{}, spec); err == nil || !strings.Contains(err.Error(), "column n is BIGINT in") {
		t.Error(err)
	}
}

// The same rows give the same answers from every format.
func TestFormatsAgree(t *testing.T) {
	dir := t.TempDir()
	var js, cs strings.Builder
	cs.WriteString("t,u,n,x,ok\n")
	for i := range 2000 {
		u := []string{"ann", "Bob", "x-ray,\"q\"", "é", ""}[i%5]
		ts := time.Date(2024, 1, 1, 0, 0, i*37, i*1000, time.UTC).Format("2006-01-02T15:04:05.000000Z")
		x := float64(i%113) / 8
		fmt.Fprintf(&js, "{\"t\":%q,\"u\":%q,\"n\":%d,\"x\":%g,\"ok\":%v}\n", ts, u, i*i-1000, x, i%3 == 0)
		fmt.Fprintf(&cs, "%s,\"%s\",%d,%g,%v\n", ts, strings.ReplaceAll(u, "\"", "\"\""), i*i-1000, x, i%3 == 0)
	}
	nd, cv, pq := filepath.Join(dir, "a.ndjson"), filepath.Join(dir, "a.csv"), filepath.Join(dir, "a.parquet")
	for p, s := range map[string]string{nd: js.String(), cv: cs.String()} {
		if err := os.WriteFile(p, []byte(s), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	parquet(t, pq, "SELECT * FROM read_json("+quoteText(nd)+", format='newline_delimited', columns={t: 'TIMESTAMP', u: 'VARCHAR', n: 'BIGINT', x: 'DOUBLE', ok: 'BOOLEAN'})")
	for _, q := range []string{
		"a | getschema | project ColumnName, ColumnType",
		"a | count",
		"a | summarize c = count(), s = sum(n), m = max(x), d = dcount(u) by ok, bin(t, 6h) | sort by ok asc, t asc",
		"a | where u has 'RAY' or u == '' | summarize count() by u | sort by u asc",
		"a | where t between (datetime(2024-01-01 05:00) .. 1h) and n % 7 == 3 | project t, u, n, x, ok | sort by n asc",
		"a | extend k = strcat(u, '|', tostring(x)), b = bin(n, 1000) | sort by b desc, k asc | take 20 | project k, b",
		"a | summarize make_set(u), avg(x), percentile(n, 90) by ok | sort by ok asc",
		"a | where u !contains 'o' and not(ok) | distinct u | sort by u asc",
		"a | sort by n asc | extend p = prev(n), d = t - prev(t) | where p > n - 500 | project n, p, d",
		"a | join kind=leftouter (a | where ok | project n, z = x) on n | summarize count(), sum(z)",
	} {
		want, err := ask(t, q, Query{}, Spec{Path: nd})
		if err != nil {
			t.Fatal(q, err)
		}
		for _, p := range []string{cv, pq} {
			if got, err := ask(t, q, Query{}, Spec{Path: p}); err != nil || got != want {
				t.Errorf("%s over %s gives (%v)\n%s\nnot\n%s", q, filepath.Base(p), err, got, want)
			}
		}
	}
}
