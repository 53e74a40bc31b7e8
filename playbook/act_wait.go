package playbook

import (
	"context"
	"fmt"
	"picket/playbook/definition"
	"picket/playbook/expr"
	"strings"
	"time"
)

// wait is the Wait action; the time it ends is recorded when it starts.
func (r *run) wait(ctx context.Context, a *definition.Action, f *frame, rec *record) *outcome {
	in, o := r.waitInputs(a, f, rec)
	if in == nil {
		return o
	}
	n, _ := rec.metaValue("until").(int64)
	if r.e.deps.Trial != nil {
		n = 0
	}
	if !r.sleepUntil(ctx, fromMicros(n)) {
		if r.stopping() {
			return nil
		}
		return &outcome{status: Cancelled, code: "ActionCancelled", inputs: in, hasIn: true}
	}
	return &outcome{status: Succeeded, code: "OK", inputs: in, hasIn: true}
}

func (r *run) waitInputs(a *definition.Action, f *frame, rec *record) (*expr.Object, *outcome) {
	if rec.status == Running {
		return object(rec.inputs), nil
	}
	v, err := expr.EvaluateTree(a.Inputs, r.env(f, rec))
	if err != nil {
		o := invalid(a, err)
		return nil, &o
	}
	in := object(v)
	end, err := waitEnd(in, r.e.now())
	if err != nil {
		o := failed("InvalidTemplate", fmt.Sprintf("The Wait action '%s': %v.", a.Name, err)).with(in)
		return nil, &o
	}
	rec.meta = metaWith(rec.meta, "until", micros(end))
	if !r.begin(rec, in) {
		return nil, nil
	}
	return in, nil
}

func waitEnd(in *expr.Object, now time.Time) (time.Time, error) {
	if u := object(in.Value("until")); u != nil {
		n, err := expr.CallBuiltin("ticks", u.Value("timestamp"))
		if err != nil {
			return time.Time{}, fmt.Errorf("'until.timestamp' is not a timestamp")
		}
		t, _ := n.(int64)
		return time.Unix(0, 0).UTC().Add(time.Duration(t-621355968000000000) * 100), nil
	}
	i := object(in.Value("interval"))
	n, err := expr.CallBuiltin("int", i.Value("count"))
	c, _ := n.(int64)
	if err != nil || c < 0 {
		return time.Time{}, fmt.Errorf("'interval.count' is not a whole number")
	}
	unit, _ := i.Value("unit").(string)
	var end time.Time
	switch strings.ToLower(unit) {
	case "second":
		end = now.Add(time.Duration(min(c, 1e9)) * time.Second)
	case "minute":
		end = now.Add(time.Duration(min(c, 1e7)) * time.Minute)
	case "hour":
		end = now.Add(time.Duration(min(c, 1e5)) * time.Hour)
	case "day":
		end = now.AddDate(0, 0, int(min(c, 1e4)))
	case "week":
		end = now.AddDate(0, 0, 7*int(min(c, 1e4)))
	case "month":
		end = now.AddDate(0, int(min(c, 1e4)), 0)
	default:
		return end, fmt.Errorf("'interval.unit' is '%s'; it must be Second, Minute, Hour, Day, Week or Month", unit)
	}
	if end.Sub(now) > definition.MaxDuration {
		return end, fmt.Errorf("the wait is longer than %d days", int(definition.MaxDuration.Hours()/24))
	}
	return end, nil
}
