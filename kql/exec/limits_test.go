package exec

import (
	"math/rand"
	"picket/kql/bind"
	"picket/kql/syntax"
	"strings"
	"testing"
)

// TestLimitsEverywhere runs the recorded queries with limits too small for them: a run may be cut or refused, it must
// not fail for a mistake of the interpreter.
func TestLimitsEverywhere(t *testing.T) {
	rnd := rand.New(rand.NewSource(7))
	for _, name := range []string{"docs_values.jsonl", "emulator_values.jsonl"} {
		for _, r := range corpus(t, name) {
			limit := func(o *Options) {
				o.MemoryLimit = int64(rnd.Intn(4000)) + 1
				o.MaxSteps = int64(rnd.Intn(200)) + 1
				o.MaxRows = int64(rnd.Intn(5)) + 1
			}
			if _, err := answer(t.Context(), r.Query, bind.Tables{}, noTables{}, limit); err != nil && strings.Contains(err.Error(), "BUG: the interpreter") {
				t.Errorf("%s: %v", r.ID, err)
			}
		}
	}
}

// TestMemoryIsGivenBack holds operators to releasing what they charged once their rows are consumed. Shared sub-plans and
// the sets of `in (table)` stay for the whole query and are left out.
func TestMemoryIsGivenBack(t *testing.T) {
	for _, r := range corpus(t, "emulator_values.jsonl") {
		doc, errs := syntax.Parse(r.Query)
		if len(errs) > 0 {
			continue
		}
		q, errs := bind.Bind(doc, r.Query, bind.Tables{}, bind.Options{Now: now})
		if len(errs) > 0 || len(q.Shared) > 0 {
			continue
		}
		opt := Options{Now: now}
		ctx, cancel := withTimeout(t.Context(), &opt)
		x := newRun(ctx, q, noTables{}, opt)
		for _, res := range q.Results {
			in, err := x.build(res.Node)
			if err != nil {
				continue
			}
			for _, err := range in {
				if err != nil {
					break
				}
			}
		}
		cancel()
		if x.held != 0 && len(x.sets) == 0 {
			t.Errorf("%s keeps %d bytes charged: %s", r.ID, x.held, r.Query)
		}
	}
}
