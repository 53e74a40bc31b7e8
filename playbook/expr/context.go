package expr

import "time"

// NewContext is an Env whose answers stand in a JSON object, for evaluating one expression by itself:
//
//	{"now": "2026-01-31T00:00:00Z", "parameters": {…}, "variables": {…}, "actions": {"Name": {"outputs": {…}}},
//	 "trigger": {"outputs": {…}}, "workflow": {…}, "item": …, "items": {"Loop": …}, "iterationIndexes": {"Loop": 0},
//	 "result": {"Scope": […]}, "callbackUrl": "https://…"}
//
// A time that can't be read is the time of the call.
func NewContext(o *Object) Env {
	return contextEnv{o: o}
}

type contextEnv struct {
	NoEnv
	o *Object
}

func (e contextEnv) Now() time.Time {
	if s, ok := e.o.Value("now").(string); ok {
		if t, err := time.Parse(time.RFC3339Nano, s); err == nil {
			return t
		}
	}
	return time.Now()
}

func (e contextEnv) lookup(kind, name string) (any, error) {
	o, _ := e.o.Value(kind).(*Object)
	v, _, ok := o.Find(name)
	if !ok {
		return nil, errf("The %s '%s' is not defined.", kind, name)
	}
	return v, nil
}

func (e contextEnv) object(name string) (*Object, error) {
	o, ok := e.o.Value(name).(*Object)
	if !ok {
		return nil, notHere(name)
	}
	return o, nil
}

func (e contextEnv) Parameter(n string) (any, error)      { return e.lookup("parameters", n) }
func (e contextEnv) Variable(n string) (any, error)       { return e.lookup("variables", n) }
func (e contextEnv) Items(n string) (any, error)          { return e.lookup("items", n) }
func (e contextEnv) IterationIndex(n string) (any, error) { return e.lookup("iterationIndexes", n) }
func (e contextEnv) Result(n string) (any, error)         { return e.lookup("result", n) }
func (e contextEnv) Trigger() (*Object, error)            { return e.object("trigger") }
func (e contextEnv) Workflow() (*Object, error)           { return e.object("workflow") }

func (e contextEnv) Action(n string) (*Object, error) {
	v, err := e.lookup("actions", n)
	o, _ := v.(*Object)
	return o, err
}

func (e contextEnv) CurrentAction() (*Object, error) { return e.object("action") }

func (e contextEnv) Item() (any, error) {
	v, ok := e.o.Get("item")
	if !ok {
		return nil, notHere("item")
	}
	return v, nil
}

func (e contextEnv) CallbackURL() (string, error) {
	s, ok := e.o.Value("callbackUrl").(string)
	if !ok {
		return "", notHere("listCallbackUrl")
	}
	return s, nil
}
