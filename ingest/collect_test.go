package ingest

import (
	"context"
	"errors"
	"fmt"
	"picket/kql/value"
	"picket/lake"
	"strings"
	"sync"
	"testing"
	"time"
)

var ctx = context.Background()

func open(t testing.TB) *Ingest {
	t.Helper()
	l, err := lake.Open(ctx, lake.Options{Dir: t.TempDir(), MemoryLimit: 1 << 30})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	return New(Options{Lake: l})
}

func (in *Ingest) mustCollect(t testing.TB, logType, body string) Result {
	t.Helper()
	r, err := in.Collect(ctx, CollectRequest{LogType: logType, Body: []byte(body)})
	if err != nil {
		t.Fatal(body, err)
	}
	return r
}

// show gives a table's custom columns and rows, in the order they came: a header, then a line a row.
func show(t testing.TB, in *Ingest, table string) string {
	t.Helper()
	s, err := in.o.Lake.Snapshot(ctx)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	d, err := s.Table(table)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, c := range d.Columns {
		if c.Physical != "" && c.Name != "TimeGenerated" {
			names = append(names, c.Name)
		}
	}
	rel, err := s.Relation(table, lake.Need{Columns: append(names, lake.ColRow)})
	if err != nil {
		t.Fatal(err)
	}
	var sel []string
	var schema value.Schema
	for _, c := range rel.Columns[:len(rel.Columns)-1] {
		sel = append(sel, `"`+c.Physical+`"`)
		if c.Ticks != "" {
			sel = append(sel, `"`+c.Ticks+`"`)
		}
		schema = append(schema, value.Column{Name: c.Name, Type: c.Type})
	}
	if len(sel) == 0 {
		sel, schema = []string{"''"}, value.Schema{{Name: "none", Type: value.String}}
	}
	var b strings.Builder
	b.WriteString(strings.Join(names, "|") + "\n")
	err = s.Query(ctx, `SELECT `+strings.Join(sel, ",")+` FROM `+rel.SQL+` ORDER BY "_Row"`, nil, schema, func(f *value.Frame) error {
		for i := range f.N {
			for k, v := range f.Vecs {
				if k > 0 {
					b.WriteByte('|')
				}
				b.WriteString(v.At(i).Text())
			}
			b.WriteByte('\n')
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func TestSuffixRules(t *testing.T) {
	for _, c := range []struct {
		name   string
		bodies []string
		want   string
	}{
		{
			"each type has its suffix",
			[]string{`{"s":"x","b":true,"d":1,"t":"2026-11-24T07:00:00Z","g":"8B2F0C68-1A2B-4C3D-9E8F-001122334455","o":{"a":[1]},"n":null}`},
			"s_s|b_b|d_d|t_t|g_g|o_s\nx|True|1.0|2026-11-24T07:00:00.0000000Z|8b2f0c68-1a2b-4c3d-9e8f-001122334455|{\"a\":[1]}\n",
		},
		{"a guid without dashes is stored with them", []string{`{"g":"8b2f0c681a2b4c3d9e8f001122334455"}`}, "g_g\n8b2f0c68-1a2b-4c3d-9e8f-001122334455\n"},
		{"a string converts to the column that is there", []string{`{"Num":1}`, `{"Num":"7.25"}`}, "Num_d\n1.0\n7.25\n"},
		{"a string that does not convert begins its own column", []string{`{"Num":1}`, `{"Num":"abc"}`, `{"Num":"8"}`}, "Num_d|Num_s\n1.0|\n|abc\n8.0|\n"},
		{"a number does not go into a boolean", []string{`{"Flag":false}`, `{"Flag":9}`, `{"Flag":"TRUE"}`}, "Flag_b|Flag_d\nFalse|\n|9.0\nTrue|\n"},
		{"a number does not go into a string", []string{`{"x":"a"}`, `{"x":5}`}, "x_s|x_d\na|\n|5.0\n"},
		{"a string column takes every string", []string{`{"x":"none"}`, `{"x":"2026-11-24T07:00:00Z"}`, `{"x":"8b2f0c68-1a2b-4c3d-9e8f-001122334455"}`, `{"x":[1]}`}, "x_s\nnone\n2026-11-24T07:00:00Z\n8b2f0c68-1a2b-4c3d-9e8f-001122334455\n[1]\n"},
		{"drift within one body follows the order of the rows", []string{`[{"x":1},{"x":"2"},{"x":"three"},{"x":"4"},{"x":true}]`}, "x_d|x_s|x_b\n1.0||\n2.0||\n|three|\n4.0||\n||True\n"},
		{"names are made of letters, digits and underscores", []string{`{"@time stamp":"a","källe":1}`}, "_time_stamp_s|k_lle_d\na|1.0\n"},
		{"names differ by case", []string{`{"a":"1","A":"2"}`}, "a_s|A_s\n1|2\n"},
		{"a seventh digit stays", []string{`[{"t":"2026-11-24T07:00:00.1234567Z"},{"t":"2026-11-24T07:00:00+01:00"}]`}, "t_t\n2026-11-24T07:00:00.1234567Z\n2026-11-24T06:00:00.0000000Z\n"},
		{"what is no ISO time is a string", []string{`{"a":"2026-11-23 22:32:26 (UTC)","b":"2026-11-24","c":"2026-02-30T00:00:00Z"}`}, "a_s|b_s|c_s\n2026-11-23 22:32:26 (UTC)|2026-11-24|2026-02-30T00:00:00Z\n"},
		{"an object over several lines", []string{"{\n \"a\": \"x\",\n \"b\": {\"c\":\n1}\n}"}, "a_s|b_s\nx|{\"c\":1}\n"},
		{"escapes", []string{`{"a":"q\"\\\u00e9\ud83d\ude00\n","\u0062":1}`}, "a_s|b_d\nq\"\\é😀\n|1.0\n"},
		{"an empty object is a row", []string{`[{},{"a":1}]`}, "a_d\n\n1.0\n"},
	} {
		t.Run(c.name, func(t *testing.T) {
			in := open(t)
			for _, b := range c.bodies {
				in.mustCollect(t, "X", b)
			}
			if got := show(t, in, "X_CL"); got != c.want {
				t.Errorf("got\n%swant\n%s", got, c.want)
			}
		})
	}
}

func TestRefusals(t *testing.T) {
	in := open(t)
	deep := strings.Repeat(`[`, 150) + strings.Repeat(`]`, 150)
	var wide []string
	for i := range 501 {
		wide = append(wide, fmt.Sprintf(`"f%d":1`, i))
	}
	for _, c := range []struct{ logType, body, code, text string }{
		{"", `{}`, "MissingLogType", "Log-Type"},
		{"a-b", `{}`, "InvalidLogType", "a-b"},
		{strings.Repeat("a", 101), `{}`, "InvalidLogType", "letters"},
		{"X", ``, "InvalidDataFormat", "empty"},
		{"X", `"{\"a\":1}"`, "InvalidDataFormat", "JSON string"},
		{"X", `5`, "InvalidDataFormat", "neither"},
		{"X", `[1]`, "InvalidDataFormat", "element 1"},
		{"X", `[{"a":1},]`, "InvalidDataFormat", "byte 9"},
		{"X", "[{\"a\":1},\n {\"a\":tru}]", "InvalidDataFormat", "line 2, column 7"},
		{"X", `{"a":1} {"a":2}`, "InvalidDataFormat", "after the end"},
		{"X", `{"a":1`, "InvalidDataFormat", "ends within"},
		{"X", `{"a":"x`, "InvalidDataFormat", "ends within a string"},
		{"X", `{"a":01}`, "InvalidDataFormat", "malformed number"},
		{"X", `{"a":-}`, "InvalidDataFormat", "malformed number"},
		{"X", `{"a":1e400}`, "InvalidDataFormat", "range"},
		{"X", `{"a":NaN}`, "InvalidDataFormat", "expected a value"},
		{"X", `{"a":1,"a":2}`, "InvalidDataFormat", "twice"},
		{"X", `{"a b":1,"a_b":2}`, "InvalidDataFormat", "one column"},
		{"X", "{\"a\":\"\xff\"}", "InvalidDataFormat", "UTF-8"},
		{"X", "{\"a\":\"\n\"}", "InvalidDataFormat", "control character"},
		{"X", `{"a":"\ud800"}`, "InvalidDataFormat", "surrogate"},
		{"X", `{"a":"\x"}`, "InvalidDataFormat", "escape"},
		{"X", `{"":1}`, "InvalidDataFormat", "empty name"},
		{"X", `{"tenant":1}`, "InvalidDataFormat", "reserved"},
		{"X", `{"RawData":1}`, "InvalidDataFormat", "reserved"},
		{"X", `{"TimeGenerated":1}`, "InvalidDataFormat", "reserved"},
		{"X", `{"` + strings.Repeat("n", 101) + `":1}`, "InvalidDataFormat", "101 characters"},
		{"X", `{"a":` + deep + `}`, "InvalidDataFormat", "deeper"},
		{"X", `{` + strings.Join(wide, ",") + `}`, "InvalidDataFormat", "500"},
		{"X", strings.Repeat(" ", MaxBodyBytes+1), "RequestTooLarge", "30000000"},
	} {
		_, err := in.Collect(ctx, CollectRequest{LogType: c.logType, Body: []byte(c.body)})
		var e *Error
		if !errors.As(err, &e) || e.Code != c.code || !strings.Contains(e.Message, c.text) {
			t.Errorf("%.60s: %v, want %s … %s", c.body, err, c.code, c.text)
		}
	}
	if r := in.mustCollect(t, "X", `[]`); r.Rows != 0 {
		t.Fatal(r)
	}
	if _, ok := in.o.Lake.Columns("X_CL"); ok {
		t.Fatal("a refused body left a table")
	}
}

func TestColumnLimitCountsTheTable(t *testing.T) {
	in := open(t)
	var b []string
	for i := range 499 {
		b = append(b, fmt.Sprintf(`"f%d":1`, i))
	}
	in.mustCollect(t, "X", `{`+strings.Join(b, ",")+`}`)
	_, err := in.Collect(ctx, CollectRequest{LogType: "X", Body: []byte(`{"more":1,"and":2}`)})
	if err == nil || !strings.Contains(err.Error(), "limit is 500") {
		t.Fatal(err)
	}
	in.mustCollect(t, "X", `{"f1":5}`)
}

func TestLongFieldsAreCut(t *testing.T) {
	in := open(t)
	long := strings.Repeat("é", 20000)
	r := in.mustCollect(t, "X", `[{"a":"`+long+`","o":["`+long+`"]},{"a":"short"}]`)
	if r.Truncated != 2 {
		t.Fatal(r)
	}
	for _, line := range strings.Split(strings.TrimSpace(show(t, in, "X_CL")), "\n")[1:2] {
		for _, f := range strings.Split(line, "|") {
			if len(f) > MaxFieldBytes || len(f) < MaxFieldBytes-1 || strings.ContainsRune(f, '\uFFFD') {
				t.Errorf("%d bytes", len(f))
			}
		}
	}
}

func TestTimeField(t *testing.T) {
	in := open(t)
	now := time.Now().UTC()
	iso := func(d time.Duration) string { return now.Add(d).Format("2006-01-02T15:04:05.999999Z") }
	times := func() (out []string) {
		s, err := in.o.Lake.Snapshot(ctx)
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		rel, err := s.Relation("X_CL", lake.Need{})
		if err != nil {
			t.Fatal(err)
		}
		schema := value.Schema{{Name: "TimeGenerated", Type: value.Datetime}}
		if err := s.Query(ctx, `SELECT "TimeGenerated" FROM `+rel.SQL, nil, schema, func(f *value.Frame) error {
			for i := range f.N {
				d := value.TimeOf(f.Vecs[0].I[i]).Sub(now).Round(time.Hour)
				out = append(out, d.String())
			}
			return nil
		}); err != nil {
			t.Fatal(err)
		}
		return out
	}
	post := func(field, body string) Result {
		r, err := in.Collect(ctx, CollectRequest{LogType: "X", TimeField: field, Body: []byte(body)})
		if err != nil {
			t.Fatal(err)
		}
		return r
	}
	r := post("at", `[{"at":"`+iso(-47*time.Hour)+`"},{"at":"`+iso(23*time.Hour)+`"}]`)
	if s := strings.Join(times(), " "); s != "-47h0m0s 23h0m0s" || r.Retimed != 0 {
		t.Fatal(s, r)
	}
	r = post("at", `[{"at":"`+iso(-49*time.Hour)+`"},{"at":"`+iso(25*time.Hour)+`"},{"at":"noon"},{},{"at":"`+iso(-5*time.Hour)+`"}]`)
	if s := strings.Join(times()[2:], " "); s != "0s 0s 0s 0s -5h0m0s" || r.Retimed != 4 {
		t.Fatal(s, r)
	}
	r = post("TimeGenerated", `{"TimeGenerated":"`+iso(-7*time.Hour)+`"}`)
	if s := times(); s[len(s)-1] != "-7h0m0s" || r.Retimed != 0 {
		t.Fatal(s, r)
	}
	if r = post("gone", `[{"a":1},{"a":2}]`); r.Retimed != 2 {
		t.Fatal(r)
	}
	old, err := in.Collect(ctx, CollectRequest{LogType: "X", TimeField: "at", Imported: true, Body: []byte(`{"at":"` + iso(-4800*time.Hour) + `"}`)})
	if err != nil || old.Retimed != 0 {
		t.Fatal(old, err)
	}
	if s := times(); s[len(s)-1] != "-4800h0m0s" && s[0] != "-4800h0m0s" {
		t.Fatal(s)
	}
}

func TestResourceIDAndOpID(t *testing.T) {
	in := open(t)
	for range 2 {
		if _, err := in.Collect(ctx, CollectRequest{LogType: "X", Body: []byte(`{"a":1}`), ResourceID: "/subscriptions/1", OpID: "run/1"}); err != nil {
			t.Fatal(err)
		}
	}
	if got := show(t, in, "X_CL"); got != "a_d|_ResourceId\n1.0|/subscriptions/1\n" {
		t.Fatal(got)
	}
}

func TestDeclaredSchemaDecides(t *testing.T) {
	in := open(t)
	in.o.Schemas = map[string]value.Schema{"X_CL": {{Name: "n_d", Type: value.Real}, {Name: "Type", Type: value.String}, {Name: "o_s", Type: value.Dynamic}, {Name: "TimeGenerated", Type: value.Datetime}}}
	in.mustCollect(t, "X", `{"n":"5","o":{"a":1}}`)
	if got := show(t, in, "X_CL"); got != "n_d|o_s\n5.0|{\"a\":1}\n" {
		t.Fatal(got)
	}
}

func TestRows(t *testing.T) {
	in := open(t)
	schema := value.Schema{{Name: "TimeGenerated", Type: value.Datetime}, {Name: "Name", Type: value.String}, {Name: "Count", Type: value.Int}, {Name: "Took", Type: value.Timespan}, {Name: "Entities", Type: value.Dynamic}, {Name: "Id", Type: value.GUID}}
	at := time.Date(2026, 11, 24, 7, 0, 0, 100, time.UTC)
	ack, err := in.Rows(ctx, "Trips", schema, []map[string]any{
		{"TimeGenerated": at, "Name": "a", "Count": 3, "Took": time.Second, "Entities": []map[string]any{{"Address": "10.0.0.1"}}, "Id": [16]byte{1}},
		{"TimeGenerated": at, "Entities": map[string]int{"n": 1}},
	}, "trip-1")
	if err != nil || ack.Rows != 2 {
		t.Fatal(ack, err)
	}
	want := "Name|Count|Took|Entities|Id\na|3|00:00:01|[{\"Address\":\"10.0.0.1\"}]|01000000-0000-0000-0000-000000000000\n|||{\"n\":1}|\n"
	if got := show(t, in, "Trips"); got != want {
		t.Fatal(got)
	}
	if _, err := in.Rows(ctx, "Trips", schema, []map[string]any{{"Colour": "typo"}}, ""); err == nil || !strings.Contains(err.Error(), "Colour") {
		t.Fatal(err)
	}
}

func TestConcurrentSenders(t *testing.T) {
	in := open(t)
	var wg sync.WaitGroup
	for s := range 8 {
		wg.Go(func() {
			for i := range 25 {
				v := []string{`1`, `"x"`, `true`, `"2"`}[(s+i)%4]
				if _, err := in.Collect(ctx, CollectRequest{LogType: "X", Body: fmt.Appendf(nil, `{"a":%s,"from%d":1}`, v, s)}); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	if n := strings.Count(show(t, in, "X_CL"), "\n") - 1; n != 200 {
		t.Fatal(n)
	}
}

func TestRecords(t *testing.T) {
	in := open(t)
	in.o.Schemas = map[string]value.Schema{"SigninLogs": {{Name: "TimeGenerated", Type: value.Datetime}, {Name: "User", Type: value.String}, {Name: "Risk", Type: value.Int}, {Name: "Status", Type: value.Dynamic}}}
	post := func(body string) error {
		_, err := in.Records(ctx, RecordsRequest{Table: "SigninLogs", Body: []byte(body)})
		return err
	}
	if err := post("{\"User\":\"a\",\"Risk\":3,\"Extra\":1}\n{\"User\":\"b\",\"Status\":{\"code\":0}}\n"); err != nil {
		t.Fatal(err)
	}
	if err := post(`[{"User":"c","Type":"other"}]`); err != nil {
		t.Fatal(err)
	}
	if got := show(t, in, "SigninLogs"); got != "User|Risk|Status\na|3|\nb||{\"code\":0}\nc||\n" {
		t.Fatal(got)
	}
	for body, text := range map[string]string{`5`: "neither", `[{"Risk":"high"}]`: "row 1, column Risk", `[{"User":"a"}`: "JSON", `[1]`: "element 1"} {
		err := post(body)
		var e *Error
		if !errors.As(err, &e) || e.Code != "InvalidRequestPayload" || !strings.Contains(e.Message, text) {
			t.Errorf("%s: %v", body, err)
		}
	}
}
