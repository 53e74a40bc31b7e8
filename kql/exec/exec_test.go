package exec

import (
	"context"
	"errors"
	"picket/kql/plan"
	"picket/kql/value"
	"strings"
	"testing"
	"time"
)

func col(id plan.ColID, name string, t value.Type) plan.Col {
	return plan.Col{ID: id, Name: name, Type: t}
}

func one(n plan.Node) *plan.Query { return &plan.Query{Results: []plan.Result{{Node: n}}} }

func numbers(to int64) *plan.Range {
	return &plan.Range{Out: col(1, "x", value.Long), From: plan.Long(1), To: plan.Long(to), Step: plan.Long(1)}
}

func TestResultLimits(t *testing.T) {
	res, err := Run(t.Context(), one(numbers(100000)), nil, Options{MaxRows: 10})
	var limit *LimitError
	if err != nil || res.Tables[0].Rows() != 10 || !errors.As(res.Partial, &limit) || limit.What != "result rows" {
		t.Errorf("rows: %v %v", res, err)
	}
	res, err = Run(t.Context(), one(numbers(100000)), nil, Options{MaxBytes: 8000})
	if err != nil || res.Tables[0].Rows() > 1100 || !errors.As(res.Partial, &limit) || limit.What != "result bytes" {
		t.Errorf("bytes: %d %v %v", res.Tables[0].Rows(), res.Partial, err)
	}
}

func TestWorkLimits(t *testing.T) {
	x := col(1, "x", value.Long)
	sorted := &plan.Sort{Input: numbers(1 << 20), Keys: []plan.SortKey{{Expr: plan.Ref(x), Desc: true}}}
	f := func(n plan.Node, opt Options, want string) {
		t.Helper()
		_, err := Run(t.Context(), one(n), nil, opt)
		var limit *LimitError
		if !errors.As(err, &limit) || limit.What != want {
			t.Errorf("%v, want the limit of %s", err, want)
		}
	}
	f(sorted, Options{MemoryLimit: 1 << 20}, "memory")
	f(numbers(1<<40), Options{MaxRows: 1 << 50, MaxBytes: 1 << 50, MaxSteps: 1 << 20}, "steps")
	y := col(2, "y", value.Long)
	right := numbers(3000)
	right.Out = y
	cross := &plan.Join{Kind: plan.Inner, Left: numbers(3000), Right: right, Out: []plan.Col{x, y}}
	f(cross, Options{MaxSteps: 1 << 20, MaxRows: 1 << 50, MaxBytes: 1 << 50}, "steps")
	f(&plan.Summarize{Input: numbers(1 << 20), Keys: []plan.Item{{Col: x, Expr: plan.Ref(x)}}}, Options{MemoryLimit: 1 << 20}, "memory")
}

func TestCancel(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := Run(ctx, one(numbers(10)), nil, Options{}); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
	_, err := Run(t.Context(), one(&plan.Consume{Input: numbers(1 << 40)}), nil, Options{Timeout: 20 * time.Millisecond, MaxSteps: 1 << 60})
	if !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), "ran longer than 20ms") {
		t.Errorf("timed out: %v", err)
	}
}

func TestTakeStopsItsInput(t *testing.T) {
	res, err := Run(t.Context(), one(&plan.Take{Input: numbers(1 << 40), N: plan.Long(3)}), nil, Options{})
	if err != nil || res.Tables[0].Rows() != 3 {
		t.Error(res, err)
	}
}

// counting is a source that counts its scans.
type counting struct {
	noTables
	scans int
	bad   bool
}

func (c *counting) Scan(_ context.Context, s *plan.Scan) Frames {
	return func(yield func(*value.Frame, error) bool) {
		c.scans++
		v := value.LongVector([]int64{7, 8})
		if c.bad {
			v = value.StringVector(nil).Slice(0, 0)
			yield(&value.Frame{Vecs: []*value.Vector{v.Flat()}, N: 2}, nil)
			return
		}
		yield(&value.Frame{Vecs: []*value.Vector{v}, N: 2}, nil)
	}
}

func TestScalarSubRunsOnce(t *testing.T) {
	x, y := col(1, "x", value.Long), col(2, "y", value.Long)
	sub := &plan.ScalarSub{Node: &plan.Scan{Table: "T", Out: []plan.Col{y}}, T: value.Long}
	z := col(3, "z", value.Long)
	src := &counting{}
	n := &plan.Project{Input: numbers(10000), Items: []plan.Item{{Col: x, Expr: plan.Ref(x)}, {Col: y, Expr: sub}, {Col: z, Expr: sub}}}
	res, err := Run(t.Context(), one(n), src, Options{})
	if err != nil || src.scans != 1 || res.Tables[0].Frames[0].Vecs[2].At(0).I != 7 {
		t.Error(src.scans, err)
	}
}

func TestSourceIsHeldToItsPromise(t *testing.T) {
	_, err := Run(t.Context(), one(&plan.Scan{Table: "T", Out: []plan.Col{col(1, "x", value.Long)}}), &counting{bad: true}, Options{})
	if err == nil || !strings.Contains(err.Error(), "the table T gave") {
		t.Error(err)
	}
}

func TestRefusals(t *testing.T) {
	f := func(n plan.Node, want string) {
		t.Helper()
		_, err := Run(t.Context(), one(n), noTables{}, Options{})
		var e *Error
		if !errors.As(err, &e) || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %q", err, want)
		}
	}
	f(&plan.ExternalData{Out: []plan.Col{col(1, "x", value.Long)}}, "externaldata is not allowed")
	f(&plan.Evaluate{Plugin: "python", Input: numbers(1)}, "python is not allowed")
	f(&plan.Filter{Input: numbers(1), Pred: &plan.Call{Name: "no_such_function", T: value.Bool}}, "no_such_function()")
}

func TestStream(t *testing.T) {
	n := 0
	for f, err := range Stream(t.Context(), one(numbers(10000)), numbers(10000), nil, Options{}) {
		if err != nil {
			t.Fatal(err)
		}
		n += f.N
	}
	if n != 10000 {
		t.Error(n)
	}
}

func TestIngestionTime(t *testing.T) {
	r := col(1, "_TimeReceived", value.Datetime)
	table := &plan.Values{Out: []plan.Col{r}, Rows: [][]value.Value{{value.Of(value.Datetime, 5)}}}
	call := plan.Item{Col: col(2, "t", value.Datetime), Expr: &plan.Call{Name: "ingestion_time", T: value.Datetime}}
	res, err := Run(t.Context(), one(&plan.Project{Input: table, Items: []plan.Item{call}}), nil, Options{})
	if err != nil || res.Tables[0].Frames[0].Vecs[0].I[0] != 5 {
		t.Error(err)
	}
	_, err = Run(t.Context(), one(&plan.Project{Input: numbers(1), Items: []plan.Item{call}}), nil, Options{})
	if err == nil || !strings.Contains(err.Error(), "_TimeReceived") {
		t.Error(err)
	}
	res, err = Run(t.Context(), one(&plan.Project{Input: numbers(1), Items: []plan.Item{call}}), nil, Options{NoReceived: true})
	if err != nil || !res.Tables[0].Frames[0].Vecs[0].IsNull(0) {
		t.Error(err)
	}
	x := col(3, "x", value.Long)
	cut := &plan.Project{Input: &plan.Scan{Table: "T", Out: []plan.Col{r, x}}, Items: []plan.Item{{Col: x, Expr: plan.Ref(x)}}}
	_, err = Run(t.Context(), one(&plan.Project{Input: cut, Items: []plan.Item{call}}), noTables{}, Options{NoReceived: true})
	if err == nil || !strings.Contains(err.Error(), "_TimeReceived") {
		t.Errorf("a table that has the column, projected away: %v", err)
	}
}
