package exec

import (
	"context"
	"errors"
	"picket/kql/bind"
	"picket/kql/syntax"
	"testing"
)

// TestStopsInTheMiddle cancels queries while one operator or function is at work and counts what still runs: it must look
// at its context again before it is done.
func TestStopsInTheMiddle(t *testing.T) {
	for name, q := range map[string]string{
		"sort":               "range i from 1 to 200000 step 1 | sort by tostring(hash(i)) asc",
		"slow functions":     "range i from 1 to 150 step 1 | extend p = geo_polygon_to_s2cells(geo_point_buffer(i % 90, i % 80, 100000.0, 100), 10)",
		"rolling_percentile": "range i from 1 to 20000 step 1 | evaluate rolling_percentile(i, 50, i, 1, 5000)",
		"activity":           "range i from 1 to 20000 step 1 | evaluate new_activity_metrics(i, i, 1, 20000, 200)",
		"lookup":             "range i from 1 to 300 step 1 | extend x = i % 90 * 1.0 | evaluate geo_polygon_lookup((range j from 0 to 40 step 1 | project g = geo_point_buffer(j % 90, j % 80, 10000.0, 100)), g, x, x)",
	} {
		all, _ := looks(t, q, 1<<40)
		if all < 5 {
			t.Errorf("%s: the query looks at its context %d times", name, all)
		}
		after, err := looks(t, q, all/2)
		if !errors.Is(err, context.Canceled) || after > all/2+2 {
			t.Errorf("%s: cancelled after %d of %d looks, it looked %d times and gave %v", name, all/2, all, after, err)
		}
	}
}

// looks runs a query that is cancelled at the nth look at its context.
func looks(t *testing.T, text string, n int) (int, error) {
	t.Helper()
	doc, errs := syntax.Parse(text)
	if len(errs) > 0 {
		t.Fatal(errs)
	}
	q, errs := bind.Bind(doc, text, bind.Tables{}, bind.Options{Now: now})
	if len(errs) > 0 {
		t.Fatal(errs)
	}
	ctx := &counted{Context: t.Context(), left: n}
	opt := Options{Now: now, MaxSteps: 1 << 40}
	_, cancel := withTimeout(t.Context(), &opt) // fills in the limits that are left open
	cancel()
	x := newRun(ctx, q, noTables{}, opt)
	in, err := x.build(q.Results[0].Node)
	if err != nil {
		return ctx.looked, err
	}
	for _, err := range in {
		if err != nil {
			return ctx.looked, err
		}
	}
	return ctx.looked, nil
}

// counted is a context that is cancelled when it has been asked often enough.
type counted struct {
	context.Context
	left, looked int
}

func (c *counted) Err() error {
	c.looked++
	if c.left--; c.left < 0 {
		return context.Canceled
	}
	return nil
}
