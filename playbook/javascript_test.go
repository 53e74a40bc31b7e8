package playbook

import (
	"picket/playbook/expr"
	"strings"
	"testing"
	"time"
)

func TestJavaScript(t *testing.T) {
	l := newLab(t, nil)
	js := func(code string) string {
		return `"In":{"type":"Compose","inputs":{"list":[3,1,2]},"runAfter":{}},"Code":{"type":"JavaScriptCode","inputs":{"code":` + expr.JSON(code) + `,"explicitDependencies":{"actions":["In"]}},"runAfter":{"In":["Succeeded"]}}`
	}
	for code, want := range map[string]string{
		"return workflowContext.actions.In.outputs.list.sort();":                                          `{"body":[1,2,3]}`,
		"var m = 'a@b.example c@d.example'.match(/[\\w.]+@[\\w.]+/g); return {n: m.length, first: m[0]};": `{"body":{"n":2,"first":"a@b.example"}}`,
		"return workflowContext.trigger.outputs.body.x + 1":                                               `{"body":42}`,
		"let x = [..'ab'.replace('..', '')]":                                                              "",
		"return undefined":                                                                                `{"body":null}`,
	} {
		l.define("P", js(code))
		d := l.run("P", expr.NewObject("x", int64(41)))
		got := ""
		if a := d.Actions[1]; a.Status == Succeeded {
			got = expr.JSON(a.Outputs)
		}
		if got != want {
			t.Errorf("%s: %s, want %s", code, got, want)
		}
	}
	bad := map[string]string{
		"throw new Error('no');":               "Error: no",
		"function f(){return f()} return f();": "failed",
		"return require('fs')":                 "require is not defined",
		"return 'x'.repeat(1e9)":               "longer than",
		"return (":                             "SyntaxError",
	}
	if !testing.Short() { // time or memory, whichever is reached first
		bad["var a=[]; for(;;) a.push(new Array(1000).fill('x' + a.length))"] = "the script"
	}
	for code, why := range bad {
		l.define("P", js(code))
		began := time.Now()
		d := l.run("P", nil)
		a := d.Actions[1]
		if a.Status != Failed || a.Code != "InlineCodeScriptRuntimeFailure" || !strings.Contains(expr.Text(a.Error.Value("message")), why) {
			t.Errorf("%s: %s %s %v", code, a.Status, a.Code, a.Error)
		}
		if took := time.Since(began); took > 2*jsTime {
			t.Errorf("%s took %s", code, took)
		}
	}
}
