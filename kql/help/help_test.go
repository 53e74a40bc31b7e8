package help

import (
	"context"
	"picket/kql"
	"picket/kql/bind"
	"picket/kql/catalog"
	"picket/kql/exec"
	"picket/kql/syntax"
	"picket/kql/value"
	"strings"
	"testing"
	"time"
)

func TestEverythingHasALine(t *testing.T) {
	for _, e := range All() {
		if e.Doc == "" {
			t.Errorf("%s %s has no text", e.Kind, e.Name)
		}
	}
	if len(All()) < 500 {
		t.Errorf("only %d entries", len(All()))
	}
	for _, n := range []string{"summarize", "ARG_MAX", "has_cs", "bag_unpack", "strcat", "workspace", "=~"} {
		if len(Lookup(n)) == 0 {
			t.Errorf("nothing about %s", n)
		}
	}
	for _, e := range Lookup("datetime_add") {
		if !strings.Contains(e.Text(false), "datetime_add(") || !strings.Contains(e.Text(true), "```kusto") {
			t.Error(e.Text(false))
		}
	}
}

func TestExamplesRun(t *testing.T) {
	for _, e := range All() {
		if e.Example == "" {
			continue
		}
		a := kql.Answer(context.Background(), e.Example, kql.Input{Exec: exec.Options{Timeout: 5 * time.Second}})
		if a.Err != nil {
			t.Errorf("%s: %s: %v", e.Name, e.Example, a.Err)
		}
	}
}

// notSupported reports whether a query is refused as not supported.
func notSupported(q string) (bool, error) {
	a := kql.Answer(context.Background(), q, kql.Input{
		Schema: bind.Tables{"T": {{Name: "s", Type: value.String}, {Name: "n", Type: value.Long}, {Name: "d", Type: value.Dynamic}, {Name: "t", Type: value.Datetime}}},
		Exec:   exec.Options{Timeout: 5 * time.Second},
	})
	list, ok := a.Err.(syntax.ErrorList)
	if !ok {
		return false, a.Err
	}
	return len(list) > 0 && list[0].Code == syntax.CodeNotSupported, a.Err
}

// sample is an argument that a parameter takes.
func sample(p *catalog.Param) string {
	if len(p.Values) > 0 {
		return "'" + p.Values[0] + "'"
	}
	if strings.EqualFold(p.Name, "timezone") {
		return "'UTC'"
	}
	switch p.Kind {
	case catalog.Declared:
		if len(p.Types) == 0 {
			return "typeof(long)"
		}
		switch p.Types[0] {
		case value.Bool:
			return "true"
		case value.Int, value.Long, value.Real, value.Decimal:
			return "1"
		case value.String:
			return "'1'"
		case value.Datetime:
			return "datetime(2024-01-01)"
		case value.Timespan:
			return "1d"
		case value.GUID:
			return "guid(6f9619ff-8b86-d011-b42d-00c04fc964ff)"
		}
		return "dynamic([1])"
	case catalog.StringOrDynamic, catalog.StringOrArray:
		return "'1'"
	case catalog.DynamicArray:
		return "dynamic([1])"
	case catalog.DynamicBag:
		return "dynamic({'a':1})"
	}
	return "1"
}

// needs are functions whose arguments or surroundings the probe can't guess: a call that is served, or "" for what
// needs a host.
var needs = map[string]string{
	"current_cluster_endpoint": "", "current_database": "", "current_principal": "", "geo_info_from_ip_address": "", "ingestion_time": "",
	"extract_all": "extract_all('(a)', 'a')", "extract_json": "extract_json('$.a', '{}')", "extractjson": "extractjson('$.a', '{}')",
	"format_datetime": "format_datetime(now(), 'yyyy')", "format_timespan": "format_timespan(1h, 'hh')",
	"parse_command_line": "parse_command_line('a b', 'windows')",
}

// What is refused however it is called is in the list, and what is in the list is refused.
func TestTheListIsTrue(t *testing.T) {
	listed := map[string]bool{}
	for _, m := range Unsupported() {
		if m.Why == "" {
			t.Errorf("%s has no reason", m.Name)
		}
		listed[string(m.Kind)+" "+m.Name] = true
	}
	try := func(kind Kind, f *catalog.Function, form string) {
		if call, ok := needs[f.Name]; ok {
			if listed[string(kind)+" "+f.Name] {
				t.Errorf("%s is listed", f.Name)
			}
			if _, err := notSupported(strings.ReplaceAll(form, "{}", call)); call != "" && err != nil {
				t.Errorf("%s: %v", call, err)
			}
			return
		}
		refused, ran := false, false
		for i := range f.Signatures {
			s := &f.Signatures[i]
			var args []string
			for k := range s.Params {
				for range max(s.Params[k].Min, 0) {
					args = append(args, sample(&s.Params[k]))
				}
			}
			ns, err := notSupported(strings.ReplaceAll(form, "{}", f.Name+"("+strings.Join(args, ", ")+")"))
			refused = refused || ns
			ran = ran || err == nil
		}
		switch in := listed[string(kind)+" "+f.Name]; {
		case !in && refused && !ran:
			t.Errorf("%s %s is refused and not listed", kind, f.Name)
		case in && ran:
			t.Errorf("%s %s is listed and runs", kind, f.Name)
		}
	}
	fs, as := catalog.Functions(), catalog.Aggregates()
	for i := range fs {
		if !fs[i].Hidden {
			try(Function, &fs[i], "range x from 1 to 1 step 1 | serialize v = {}")
		}
	}
	for i := range as {
		if !as[i].Hidden {
			try(Aggregate, &as[i], "range x from 1 to 1 step 1 | summarize {}")
		}
	}
	for _, q := range []string{"print 'a' like 'b'", "externaldata(a:long)['https://localhost/x.csv']", "print hash_many('x', 'browser')", "T | evaluate python(typeof(*), 'x')"} {
		if ns, err := notSupported(q); !ns {
			t.Errorf("%s gives %v", q, err)
		}
	}
}

func TestMissingNames(t *testing.T) {
	names := map[string]bool{}
	for _, n := range MissingNames() {
		if names[strings.ToLower(n)] {
			t.Errorf("%s twice", n)
		}
		names[strings.ToLower(n)] = true
	}
	for _, n := range []string{"python", "hash_many", "like", "externaldata"} {
		if !names[n] {
			t.Errorf("%s is not hidden", n)
		}
	}
	for _, n := range []string{"strcat", "summarize", "count", "any", "range"} {
		if names[n] {
			t.Errorf("%s is hidden", n)
		}
	}
}
