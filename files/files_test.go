package files

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"os"
	"path/filepath"
	"picket/kql/exec"
	"picket/kql/kqltest"
	"picket/kql/value"
	"strings"
	"testing"
	"time"
	"unicode/utf16"

	"github.com/klauspost/compress/zstd"
)

// write makes a file and gives its path.
func write(t *testing.T, name, text string) string {
	t.Helper()
	p := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(p, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return p
}

// ask answers a question over files in the form of a test case's table.
func ask(t *testing.T, text string, q Query, specs ...Spec) (string, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	s, err := Open(ctx, specs, Options{TempDir: t.TempDir()})
	if err != nil {
		return "", err
	}
	defer s.Close()
	c, err := s.Compile(ctx, text, q)
	if err != nil {
		return "", err
	}
	res, err := c.Run(ctx)
	if err != nil {
		return "", err
	}
	var frames []*value.Frame
	for f, err := range c.Stream(ctx) {
		if err != nil {
			return "", err
		}
		frames = append(frames, f)
	}
	got := form(res.Tables[0])
	if streamed := form(exec.Table{Schema: res.Tables[0].Schema, Frames: frames}); streamed != got {
		t.Fatalf("the stream gives\n%s\nnot\n%s", streamed, got)
	}
	return got, nil
}

func form(t exec.Table) string { return kqltest.Format(kqltest.TableOf(t.Schema, t.Frames)) }

func check(t *testing.T, text, want string, specs ...Spec) {
	t.Helper()
	got, err := ask(t, text, Query{}, specs...)
	if err != nil {
		t.Fatal(err)
	}
	if strings.TrimSpace(got) != strings.TrimSpace(want) {
		t.Errorf("%s gives\n%s\nnot\n%s", text, got, want)
	}
}

const rows = `{"ts":"2024-03-01T10:00:00Z","user":"ann","n":1,"x":1.5,"ok":true,"d":{"a":1},"mix":1,"big":18446744073709551615}

{"ts":"2024-03-01 10:00:01.1234567+01:00","user":"bob","n":9007199254740993,"x":2,"ok":false,"d":[1,2],"mix":"a","big":1}
{"ts":"","user":"","n":null,"x":null,"esc\"é":"q\u00e9","nul":null,"n":7}
`

func TestTypesAreThoseOfAllRows(t *testing.T) {
	p := write(t, "logs.ndjson", rows)
	check(t, "logs", `
ts:datetime | user:string | n:long | x:real | ok:bool | d:dynamic | mix:dynamic | big:decimal | esc"é:string | nul:dynamic
2024-03-01T10:00:00.0000000Z | ann | 1 | 1.5 | True | {"a":1} | 1 | 18446744073709551615 | "" | null
2024-03-01T09:00:01.1234567Z | bob | 9007199254740993 | 2.0 | False | [1,2] | "a" | 1 | "" | null
null | "" | 7 | null | null | null | null | null | qé | null`, Spec{Path: p})
	check(t, `T | where d.a == 1 or mix == "a" | summarize c = count(), s = sum(x)`, "c:long | s:real\n2 | 3.5", Spec{Path: p})
	check(t, `T | count`, "Count:long\n3", Spec{Path: p})
}

func TestMixedNumbersThatARealCantHoldStayExact(t *testing.T) {
	p := write(t, "a.ndjson", "{\"n\":9007199254740993}\n{\"n\":0.5}\n")
	check(t, "a", "n:dynamic\n9007199254740993\n0.5", Spec{Path: p})
}

func TestLayoutsOfJSON(t *testing.T) {
	want := "a:long\n1\n2"
	for name, text := range map[string]string{
		"array":        " [ {\"a\":1},\n {\"a\":\n2} ]\n",
		"one by one":   "{\"a\":1}{\"a\":2}",
		"commas":       "{\"a\":1},\n{\"a\":2}\n",
		"member":       "{ \"Records\" : [ {\"a\":1},\n {\"a\":2} ] }\n",
		"lines":        "{\"a\":1}\n{\"a\":2}",
		"with a mark":  "\ufeff{\"a\":1}\r\n{\"a\":2}\r\n",
		"Record lines": "Record 1\n{\n\"a\":1}\nRecord 2\n{\"a\":2}\n",
	} {
		t.Run(name, func(t *testing.T) { check(t, "x", want, Spec{Path: write(t, "x.json", text)}) })
	}
	check(t, "x", "a:dynamic | b:long\n[{\"c\":1}] | 2", Spec{Path: write(t, "x.json", `{"a":[{"c":1}],"b":2}`)})
	check(t, "x", "a:dynamic\n[{\"c\":1}]\n[{\"c\":2}]", Spec{Path: write(t, "x.json", "{\"a\":[{\"c\":1}]}\n{\"a\":[{\"c\":2}]}")})
	check(t, "x | count", "Count:long\n0", Spec{Path: write(t, "x.json", "[]")})
}

func TestCSV(t *testing.T) {
	p := write(t, "my log.csv", "id,name,when,v,zip,j,b,,id\n1,\"a, b\",2024-01-01,1.5,00123,\"{\"\"k\"\":1}\",TRUE,,1\n2,\"multi\nline\",2024-01-02T03:04:05Z,2,00124,,false,,99999999999999999999\n")
	check(t, "my_log", `
id:long | name:string | when:datetime | v:real | zip:string | j:dynamic | b:bool | Column8:string | id_1:string
1 | a, b | 2024-01-01T00:00:00.0000000Z | 1.5 | 00123 | {"k":1} | True | "" | 1
2 | multi\nline | 2024-01-02T03:04:05.0000000Z | 2.0 | 00124 | null | False | "" | 99999999999999999999`, Spec{Path: p})
	check(t, "a", "a:long | b:string\n1 | x", Spec{Path: write(t, "a.csv", "a;b\n1;x\n")})
	check(t, "a", "a:long | b:string\n1 | x;,", Spec{Path: write(t, "a.tsv", "a\tb\n1\tx;,\n")})
	check(t, "a | count", "Count:long\n0", Spec{Path: write(t, "a.csv", "a,b\n")})
}

func TestCompressedAndUTF16(t *testing.T) {
	var gz, zs bytes.Buffer
	w := gzip.NewWriter(&gz)
	w.Write([]byte("{\"a\":1}\n"))
	w.Close()
	gz.Write(gz.Bytes()) // two members
	z, _ := zstd.NewWriter(&zs)
	z.Write([]byte("{\"a\":1}\n{\"a\":1}\n"))
	z.Close()
	u16 := "\xff\xfe"
	for _, u := range utf16.Encode([]rune("{\"a\":1}\n{\"a\":1}\n")) {
		u16 += string([]byte{byte(u), byte(u >> 8)})
	}
	for name, data := range map[string]string{"x.ndjson.gz": gz.String(), "x.jsonl.zst": zs.String(), "x.json": u16, "x.log": "{\"a\":1}\n{\"a\":1}\n"} {
		check(t, "x | summarize sum(a)", "sum_a:long\n2", Spec{Path: write(t, name, data)})
	}
}

func TestTablesAndPatterns(t *testing.T) {
	dir := t.TempDir()
	for n, s := range map[string]string{"jan.ndjson": `{"a":1}`, "feb.ndjson": `{"a":2.5,"b":"x"}`, "o.csv": "a\n3\n"} {
		if err := os.WriteFile(filepath.Join(dir, n), []byte(s), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	check(t, "T | summarize sum(a), max(b)", "sum_a:real | max_b:string\n3.5 | x", Spec{Path: filepath.Join(dir, "*.ndjson")})
	check(t, "union j, o | summarize sum(a)", "sum_a:long\n4", ParseSpec("j="+filepath.Join(dir, "jan.ndjson")), ParseSpec(filepath.Join(dir, "o.csv")))
	check(t, "union * | count", "Count:long\n2", ParseSpec("j="+filepath.Join(dir, "jan.ndjson")), ParseSpec(filepath.Join(dir, "o.csv")))
	if _, err := ask(t, "T", Query{}, Spec{Path: filepath.Join(dir, "*")}); err == nil || !strings.Contains(err.Error(), "one kind") {
		t.Error(err)
	}
	if _, err := ask(t, "T", Query{}, Spec{Path: filepath.Join(dir, "no*")}); !errors.Is(err, ErrNoFile) {
		t.Error(err)
	}
}

func TestErrorsNameTheirLine(t *testing.T) {
	for _, c := range []struct{ name, text, want string }{
		{"a.ndjson", "{\"a\":1}\n\n{\"a\":1\n", "a.ndjson:3: not JSON: ends early"},
		{"a.ndjson", "{\"a\":1}\n[1]\n", "a.ndjson:2: not a JSON object"},
		{"a.ndjson", "{\"a\":01}\n", "a.ndjson:1: not JSON: bad number"},
		{"a.json", "[{\"a\":1},\n{\"a\":\n tru}]", "a.json:2: not JSON: unexpected character"},
		{"a.json", "[{\"a\":1},\n{\"a\":2}", "a.json:2: not JSON: the file ends within the array"},
		{"a.json", "[{\"a\":1}]\nx", "a.json:2: not JSON: text after the end"},
		{"a.csv", "a,b\n\"1\n2\",3\n1\n", "a.csv:4: the row has 1 cells, the header names 2 columns"},
		{"a.csv", "a,b\n1,x\"y\n", "a.csv:2: column"},
		{"a.csv", "", "a.csv:1: there is no header"},
		{"a.txt", "hello", "--file-format"},
		{"a.ndjson", strings.Repeat("[", 300), "not a JSON object"},
		{"a.ndjson", "{\"a\":" + strings.Repeat("[", 300), "nested too deeply"},
	} {
		_, err := ask(t, "a", Query{}, Spec{Path: write(t, c.name, c.text)})
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%q gives %v, should say %q", c.text, err, c.want)
		}
	}
}

func TestManyBlocksKeepTheirOrder(t *testing.T) {
	var js, cs strings.Builder
	cs.WriteString("n,s\n")
	const n = 60_000
	for i := range n {
		s := strings.Repeat("x", i%50)
		js.WriteString(`{"n":` + value.OfLong(int64(i)).Text() + `,"s":"` + s + "\"}\n")
		cs.WriteString(value.OfLong(int64(i)).Text() + `,"` + s + "\n\"\n")
	}
	for _, p := range []string{write(t, "x.ndjson", js.String()), write(t, "x.json", js.String()), write(t, "x.csv", cs.String())} {
		check(t, "x | serialize p = prev(n, 1, -1) | where n != p + 1 | count", "Count:long\n0", Spec{Path: p})
		check(t, "x | summarize count(), max(n)", "count_:long | max_n:long\n60000 | 59999", Spec{Path: p})
		check(t, "x | where n >= 59999 | project n", "n:long\n59999", Spec{Path: p})
		check(t, "x | take 2 | project n", "n:long\n0\n1", Spec{Path: p})
	}
	bad := write(t, "x.csv", cs.String()+"1,2,3\n")
	if _, err := ask(t, "x", Query{}, Spec{Path: bad}); err == nil || !strings.Contains(err.Error(), "x.csv:120002:") {
		t.Error(err)
	}
}

func TestTimeSpan(t *testing.T) {
	p := write(t, "x.ndjson", "{\"TimeGenerated\":\"2024-01-01\",\"a\":1}\n{\"TimeGenerated\":\"2024-01-02\",\"a\":2}\n{\"TimeGenerated\":null,\"a\":3}\n")
	q := Query{From: time.Date(2024, 1, 1, 0, 0, 0, 0, time.UTC), To: time.Date(2024, 1, 2, 0, 0, 0, 0, time.UTC)}
	got, err := ask(t, "x | project a", q, Spec{Path: p})
	if err != nil || got != "a:long\n1\n" {
		t.Error(got, err)
	}
	got, err = ask(t, "x | project TimeGenerated", q, Spec{Path: p})
	if err != nil || got != "TimeGenerated:datetime\n2024-01-01T00:00:00.0000000Z\n" {
		t.Error(got, err)
	}
	if _, err = ask(t, "x", q, Spec{Path: write(t, "x.ndjson", `{"a":1}`)}); err == nil || !strings.Contains(err.Error(), "time span") {
		t.Error(err)
	}
}

func TestMemoryIsLimited(t *testing.T) {
	var b strings.Builder
	for i := range 30_000 {
		b.WriteString(`{"n":` + value.OfLong(int64(i)).Text() + `,"s":"` + strings.Repeat("y", 100) + "\"}\n")
	}
	s, err := Open(context.Background(), []Spec{{Path: write(t, "x.ndjson", b.String())}}, Options{MemoryLimit: 1 << 20})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	c, err := s.Compile(context.Background(), "x | sort by s desc, n", Query{})
	if err != nil {
		t.Fatal(err)
	}
	var le *exec.LimitError
	if _, err = c.Run(context.Background()); !errors.As(err, &le) || le.What != "memory" {
		t.Error(err)
	}
}

func TestCancel(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := Open(ctx, []Spec{{Path: write(t, "x.ndjson", rows)}}, Options{}); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}

func FuzzScan(f *testing.F) {
	for _, s := range []string{rows, `{"a":[1,{"b":"\u00e9\n"}]}`, "[", `{"a":-0.1e+5,"a":"\ud800"}`, "\xff{\"a\":\"\xff\"}"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		r := rowScan{b: data}
		r.space()
		k, err := r.value(0)
		if err == nil {
			r.space()
			if r.i < len(data) {
				err = errors.New("more")
			}
		}
		_, want := value.ParseJSON(string(data))
		if (err == nil) != (want == nil) {
			t.Fatalf("%q: %v (%d), value says %v", data, err, k, want)
		}
	})
}

func TestRowsThatAreAddedLaterDontCount(t *testing.T) {
	p := write(t, "x.ndjson", "{\"a\":1}\n")
	s, err := Open(context.Background(), []Spec{{Path: p}}, Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if err := os.WriteFile(p, []byte("{\"a\":1}\n{\"b\":2}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	c, err := s.Compile(context.Background(), "x | count", Query{})
	if err != nil {
		t.Fatal(err)
	}
	res, err := c.Run(context.Background())
	if err != nil || form(res.Tables[0]) != "Count:long\n1\n" {
		t.Error(res, err)
	}
	if _, err := Open(context.Background(), []Spec{{Path: os.DevNull}}, Options{}); err == nil || !strings.Contains(err.Error(), "no regular file") {
		t.Error(err)
	}
	if _, err := Open(context.Background(), []Spec{{Path: t.TempDir()}}, Options{}); err == nil || !strings.Contains(err.Error(), "is a folder") {
		t.Error(err)
	}
}
