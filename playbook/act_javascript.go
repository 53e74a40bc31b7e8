package playbook

import (
	"context"
	"errors"
	"fmt"
	"picket/playbook/definition"
	"picket/playbook/expr"
	"runtime/metrics"
	"strings"
	"time"

	"github.com/dop251/goja"
)

// Limits of inline code. The service ends a script after 5 seconds.
const (
	jsTime   = 5 * time.Second
	jsDepth  = 2000
	jsMemory = 512 << 20 // bytes by which the program may grow while a script runs
	jsText   = 16 << 20  // characters of one text that repeat, padStart and padEnd may make
	jsCode   = 1 << 20   // characters of a script
)

// javaScript is the JavaScriptCode action ("Execute JavaScript Code"): the code is a function's body, sees
// workflowContext.{trigger, actions, workflow}, and what it returns is the body. It reaches nothing outside.
func (r *run) javaScript(ctx context.Context, a *definition.Action, f *frame, rec *record) *outcome {
	in := object(a.Inputs)
	code, _ := in.Value("code").(string)
	ret := func(o outcome) *outcome { return &o }
	if strings.TrimSpace(code) == "" || len(code) > jsCode {
		return ret(failed("InlineCodeScriptNotValid", fmt.Sprintf("The code of the action '%s' has %d characters; it must have 1 to %d.", a.Name, len(code), jsCode)).with(in))
	}
	wc, err := r.codeContext(a, in, f, code)
	if err != nil {
		return ret(invalid(a, err))
	}
	v, err := runScript(ctx, code, expr.JSON(wc))
	if ctx.Err() != nil {
		if r.stopping() {
			return nil
		}
		return &outcome{status: Cancelled, code: "ActionCancelled", inputs: in, hasIn: true}
	}
	if err != nil {
		return ret(failed("InlineCodeScriptRuntimeFailure", fmt.Sprintf("The inline code action '%s' execution failed, with error '%v'.", a.Name, err)).with(in))
	}
	return ret(succeeded(in, expr.NewObject("body", v)))
}

// codeContext is what a script sees: the actions that it declares as dependencies, or names.
func (r *run) codeContext(a *definition.Action, in *expr.Object, f *frame, code string) (*expr.Object, error) {
	env := r.env(f, nil)
	deps := object(in.Value("explicitDependencies"))
	names := map[string]bool{}
	list, _ := deps.Value("actions").([]any)
	for _, n := range list {
		names[strings.ToLower(expr.Text(n))] = true
	}
	acts := &expr.Object{}
	for _, other := range r.def.All() {
		if other == a || !names[strings.ToLower(other.Name)] && !strings.Contains(code, other.Name) {
			continue
		}
		rec, err := env.Action(other.Name)
		if err != nil {
			if names[strings.ToLower(other.Name)] {
				return nil, err
			}
			continue // in a loop that this action stands outside of
		}
		if rec != nil {
			acts.Set(other.Name, rec)
		}
	}
	wf, err := env.Workflow()
	if err != nil {
		return nil, err
	}
	return expr.NewObject("trigger", r.trigger, "actions", acts, "workflow", wf), nil
}

const jsPrelude = `(function(limit){
	for (const name of ['repeat', 'padStart', 'padEnd']) {
		const real = String.prototype[name];
		String.prototype[name] = function(n, ...rest) {
			if ((name === 'repeat' ? this.length * n : n) > limit) throw new RangeError('the text would be longer than ' + limit + ' characters');
			return real.call(this, n, ...rest);
		};
	}
})`

var (
	errScriptTime   = fmt.Errorf("the script ran longer than %s", jsTime)
	errScriptMemory = fmt.Errorf("the script took more than %d MiB of memory", jsMemory>>20)
)

// runScript runs a script with workflowContext given as JSON.
func runScript(ctx context.Context, code, workflowContext string) (v any, err error) {
	vm := goja.New()
	vm.SetMaxCallStackSize(jsDepth)
	done := make(chan struct{})
	defer close(done)
	go watchScript(ctx, vm, done)
	defer func() {
		if p := recover(); p != nil {
			v, err = nil, fmt.Errorf("the engine failed: %v", p)
		}
	}()
	guard, err := vm.RunString(jsPrelude)
	if err != nil {
		return nil, err
	}
	if f, ok := goja.AssertFunction(guard); ok {
		if _, err := f(goja.Undefined(), vm.ToValue(jsText)); err != nil {
			return nil, err
		}
	}
	parse, ok := goja.AssertFunction(vm.Get("JSON").ToObject(vm).Get("parse"))
	if !ok {
		return nil, errors.New("JSON.parse is missing")
	}
	wc, err := parse(goja.Undefined(), vm.ToValue(workflowContext))
	if err != nil {
		return nil, err
	}
	fn, err := vm.RunString("(function(workflowContext){" + code + "\n})")
	if err != nil {
		return nil, scriptError(err)
	}
	call, ok := goja.AssertFunction(fn)
	if !ok {
		return nil, errors.New("the code isn't the body of a function")
	}
	res, err := call(goja.Undefined(), wc)
	if err != nil {
		return nil, scriptError(err)
	}
	if goja.IsUndefined(res) || goja.IsNull(res) {
		return nil, nil
	}
	text, err := scriptJSON(vm, res)
	if err != nil {
		return nil, scriptError(err)
	}
	if text == "" { // a function or a symbol
		return nil, nil
	}
	if len(text) > MaxMessage {
		return nil, fmt.Errorf("the result is larger than %d bytes", MaxMessage)
	}
	return expr.ParseJSON([]byte(text))
}

func scriptJSON(vm *goja.Runtime, v goja.Value) (string, error) {
	f, ok := goja.AssertFunction(vm.Get("JSON").ToObject(vm).Get("stringify"))
	if !ok {
		return "", errors.New("JSON.stringify is missing")
	}
	s, err := f(goja.Undefined(), v)
	if err != nil || goja.IsUndefined(s) {
		return "", err
	}
	return s.String(), nil
}

func scriptError(err error) error {
	var stop *goja.InterruptedError
	if errors.As(err, &stop) {
		if e, ok := stop.Value().(error); ok {
			return e
		}
	}
	var thrown *goja.Exception
	if errors.As(err, &thrown) {
		return errors.New(thrown.Value().String())
	}
	return err
}

// watchScript ends a script that runs too long, grows too much, or that nobody waits for.
func watchScript(ctx context.Context, vm *goja.Runtime, done <-chan struct{}) {
	end := time.NewTimer(jsTime)
	defer end.Stop()
	look := time.NewTicker(20 * time.Millisecond)
	defer look.Stop()
	sample := []metrics.Sample{{Name: "/memory/classes/heap/objects:bytes"}}
	heap := func() uint64 { metrics.Read(sample); return sample[0].Value.Uint64() }
	before := heap()
	for {
		select {
		case <-done:
			return
		case <-ctx.Done():
			vm.Interrupt(ctx.Err())
			return
		case <-end.C:
			vm.Interrupt(errScriptTime)
			return
		case <-look.C:
			if now := heap(); now > before+jsMemory {
				vm.Interrupt(errScriptMemory)
				return
			}
		}
	}
}
