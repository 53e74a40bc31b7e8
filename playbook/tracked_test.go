package playbook

import (
	"picket/playbook/expr"
	"sync"
	"testing"
	"time"
)

// Tracked properties see their own action and go with its event; secured values show in neither history nor events.
func TestTrackedProperties(t *testing.T) {
	var mu sync.Mutex
	events := map[string]Event{}
	l := newLab(t, func(d *Deps) {
		d.Event = func(e Event) {
			mu.Lock()
			events[e.Kind+" "+e.Name] = e
			mu.Unlock()
		}
	})
	l.deploy("P", `{"parameters":{"key":{"type":"SecureString","defaultValue":"s3cret-value"}},"triggers":{`+requestTrigger+`},"actions":{
		"A":{"type":"Compose","inputs":{"n":"@triggerBody()['n']","k":"@parameters('key')"},"trackedProperties":{"number":"@action()['inputs']['n']","key":"@action()['outputs']['k']","status":"@action()['status']"}},
		"Hidden":{"type":"Compose","runAfter":{"A":["Succeeded"]},"inputs":"plain","runtimeConfiguration":{"secureData":{"properties":["inputs","outputs"]}}},
		"Passes":{"type":"Compose","runAfter":{"Hidden":["Succeeded"]},"inputs":"@outputs('Hidden')"}}}`, nil)
	d := l.run("P", expr.NewObject("n", int64(7)))
	want := `{"number":7,"key":"` + Masked + `","status":"Succeeded"}`
	if got := expr.JSON(find(d, "A").Tracked); got != want {
		t.Errorf("%s, want %s", got, want)
	}
	for range 500 { // events are told when the store has them
		mu.Lock()
		n := len(events)
		mu.Unlock()
		if n >= 5 {
			break
		}
		time.Sleep(time.Millisecond)
	}
	mu.Lock()
	defer mu.Unlock()
	if e := events["action A"]; expr.JSON(e.Tracked) != want || events["run P"].Status != Succeeded {
		t.Errorf("%+v", events)
	}
	for _, n := range []string{"Hidden", "Passes"} {
		if a := find(d, n); a.HasInputs || a.HasOutputs || a.Inputs != nil || a.Outputs != nil {
			t.Errorf("%s shows %v %v", n, a.Inputs, a.Outputs)
		}
	}
}
