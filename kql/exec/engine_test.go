package exec

import (
	"context"
	"fmt"
	"picket/kql/bind"
	"picket/kql/kqltest"
	"picket/kql/plan"
	"picket/kql/syntax"
	"picket/kql/value"
	"testing"
)

// now is the instant of all test queries: 2026-01-01T00:00:00Z.
const now = 639_028_224_000_000_000

// noTables is a source for queries that bring their own rows.
type noTables struct{}

func (noTables) Scan(context.Context, *plan.Scan) Frames {
	return func(yield func(*value.Frame, error) bool) { yield(nil, fmt.Errorf("there are no tables here")) }
}

func (noTables) External(context.Context, *plan.ExternalRel) Frames {
	return func(yield func(*value.Frame, error) bool) { yield(nil, fmt.Errorf("there is no other engine here")) }
}

// answer takes a query from text to rows, the way the product does.
func answer(ctx context.Context, query string, tables bind.Tables, src Source, set ...func(*Options)) (*Result, error) {
	doc, errs := syntax.Parse(query)
	if len(errs) > 0 {
		return nil, errs
	}
	opt := Options{Now: now, Seed: 1}
	for _, f := range set {
		f(&opt)
	}
	q, errs := bind.Bind(doc, query, tables, bind.Options{
		Now: now,
		PluginSchema: func(e *plan.Evaluate) (value.Schema, error) {
			return PluginSchema(ctx, e, nil, src, opt)
		},
	})
	if len(errs) > 0 {
		return nil, errs
	}
	return Run(ctx, q, src, opt)
}

// first gives the first table that has a schema.
func first(ctx context.Context, query string) (kqltest.Table, error) {
	res, err := answer(ctx, query, bind.Tables{}, noTables{})
	if err != nil {
		return kqltest.Table{}, err
	}
	if res.Partial != nil {
		return kqltest.Table{}, res.Partial
	}
	if len(res.Tables) == 0 {
		return kqltest.Table{}, fmt.Errorf("no table")
	}
	return kqltest.TableOf(res.Tables[0].Schema, res.Tables[0].Frames), nil
}

func runFile(t *testing.T, path string) {
	t.Helper()
	cases, err := kqltest.ParseFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if *record {
		if err := kqltest.Record(t.Context(), path, first); err != nil {
			t.Fatal(err)
		}
		return
	}
	for _, c := range cases {
		if err := kqltest.Check(t.Context(), c, first); err != nil {
			t.Error(err)
		}
	}
}
