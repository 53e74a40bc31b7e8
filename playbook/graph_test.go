package playbook

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"testing"
)

func TestGraph(t *testing.T) {
	l := newLab(t, func(d *Deps) {
		d.Outbound.Hosts = map[string]http.Handler{"api.example": http.HandlerFunc(func(http.ResponseWriter, *http.Request) {})}
		d.Connectors = []Connector{&fakeConnector{"rec", []Operation{{"POST", "/call", ""}, {"POST", "/rows", ""}}, func(r *Request) (*Response, error) {
			return &Response{Status: 200, Body: r.Body}, nil
		}}}
	})
	l.deploy("w", crashWorkflow, nil)
	d := l.run("w", nil)
	ctx := context.Background()
	g, err := l.RunGraph(ctx, d.ID)
	if err != nil {
		t.Fatal(err)
	}
	each := g.Actions[2]
	call, inner := each.Branches[0].Actions[0], each.Branches[0].Actions[2]
	if each.Name != "Each" || fmt.Sprint(each.RunAfter) != "[{Id [Succeeded]}]" || call.Connector != "rec" || call.Operation != "POST /call" || len(call.Needs) > 0 {
		t.Errorf("%+v %+v", each, call)
	}
	if fmt.Sprint(inner.Branches[0].Actions[0].Loops) != "[Each Inner]" || inner.Branches[0].Actions[2].Branches[1].Name != "else" {
		b, _ := json.Marshal(g)
		t.Errorf("%s", b)
	}
	s, err := l.RunStates(ctx, d.ID, map[string]int{"each": 2, "Inner": 1})
	if err != nil {
		t.Fatal(err)
	}
	if x := s["Deep"]; x.Repetition != "000002-000001" || x.Status != Succeeded || x.Counts[Succeeded] != 36 {
		t.Errorf("%+v", x)
	}
	if x := s["Drop"]; x.Status != Skipped || x.Counts[Skipped] != 12 || x.Counts[Succeeded] != 24 {
		t.Errorf("%+v", x)
	}
	if x := s["Each"]; x.Iterations != 12 || x.Counts != nil {
		t.Errorf("%+v", x)
	}
	as, err := l.RunActions(ctx, d.ID, ActionPage{Action: "deep", Under: "000002", After: "000002-000000", Top: 5})
	if err != nil || len(as) != 2 || as[0].Repetition != "000002-000001" || as[0].Indexes[1].Loop != "Inner" {
		t.Errorf("%v %v", as, err)
	}
	if as, err = l.RunActions(ctx, d.ID, ActionPage{Action: "Each", Iterations: true}); err != nil || len(as) != 12 || !as[3].Iteration {
		t.Errorf("%v %v", as, err)
	}
	if _, err := l.RunStates(ctx, "nothing", nil); err == nil {
		t.Error("a run that isn't")
	}
}
