package playbook

import (
	"context"
	"errors"
	"picket/playbook/expr"
	"testing"
)

func TestVault(t *testing.T) {
	l := newLab(t, nil)
	ctx := context.Background()
	if _, err := l.SetSecret(ctx, "api-key", "first-value", ""); err != nil {
		t.Fatal(err)
	}
	l.define("P", `"C":{"type":"Compose","inputs":"key=first-value","runAfter":{}}`)
	if d := l.run("P", nil); expr.JSON(d.Actions[0].Outputs) != `"key=`+Masked+`"` {
		t.Errorf("the history shows %s", expr.JSON(d.Actions[0].Outputs))
	}
	two, err := l.SetSecret(ctx, "API-key", "second-value", "text/plain")
	if err != nil {
		t.Fatal(err)
	}
	s, err := l.Secret(ctx, "api-key", "")
	if err != nil || s.Value != "second-value" || s.Version != two.Version || s.Created.After(s.Changed) {
		t.Errorf("%+v %v", s, err)
	}
	list, err := l.Secrets(ctx)
	if err != nil || len(list) != 1 || list[0].Version != two.Version {
		t.Errorf("%+v %v", list, err)
	}
	if err := l.DeleteSecret(ctx, "api-key"); err != nil {
		t.Fatal(err)
	}
	if _, err := l.Secret(ctx, "api-key", ""); !errors.Is(err, ErrNoSecret) {
		t.Errorf("a deleted secret: %v", err)
	}
	if err := l.DeleteSecret(ctx, "api-key"); !errors.Is(err, ErrNoSecret) {
		t.Errorf("deleting twice: %v", err)
	}
	if d := l.run("P", nil); expr.JSON(d.Actions[0].Outputs) != `"key=`+Masked+`"` {
		t.Errorf("after the secret is gone the history shows %s", expr.JSON(d.Actions[0].Outputs))
	}
	for _, bad := range []string{"", "a b", "ä"} {
		if _, err := l.SetSecret(ctx, bad, "value", ""); err == nil {
			t.Errorf("the name %q passes", bad)
		}
	}
}
