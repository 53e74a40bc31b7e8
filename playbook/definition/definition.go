// Package definition reads workflow definitions (Workflow Definition Language, schema 2016-06-01) into typed
// triggers and actions, and checks them before anything runs: names, types, runAfter, loops, limits, expressions.
// Every complaint names the action, and the line and column where positions are known.
//
//	v, _ := expr.ParseJSON(text)
//	def, err := definition.Parse(v.(*expr.Object), nil) // err is definition.Errors
//	def.Action("Send_Data_to_Sentinel").Type            // "ApiConnection"
package definition

import (
	"fmt"
	"picket/playbook/expr"
	"strings"
	"time"
)

// Limits of a definition (limits page of the service).
const (
	MaxActions    = 500
	MaxNesting    = 8
	MaxTriggers   = 10
	MaxCases      = 25
	MaxVariables  = 250
	MaxName       = 80
	MaxParameters = 50
	MaxOutputs    = 10
	MaxUntil      = 5000
	MaxForeach    = 100_000
	MaxTracked    = 16_000
	MaxDuration   = 90 * 24 * time.Hour
)

// Error is one complaint about a definition.
type Error struct {
	Code         string // InvalidTemplate, …
	Where        string // "action 'X'", "trigger 'Y'", ""
	Path         string // as actions.X.inputs
	Line, Column int    // from 1; 0 when not known
	Msg          string
}

func (e *Error) Error() string {
	s := e.Msg
	if e.Where != "" {
		s = e.Where + ": " + s
	}
	if e.Line > 0 {
		s += fmt.Sprintf(" (line %d, column %d)", e.Line, e.Column)
	} else if e.Path != "" {
		s += " (at " + e.Path + ")"
	}
	return s
}

// Errors are all complaints, in the order of the text.
type Errors []*Error

func (es Errors) Error() string {
	if len(es) == 0 {
		return "no errors"
	}
	var b strings.Builder
	for i, e := range es {
		if i == 5 {
			fmt.Fprintf(&b, "; and %d more", len(es)-i)
			break
		}
		if i > 0 {
			b.WriteString("; ")
		}
		b.WriteString(e.Error())
	}
	return b.String()
}

// Position finds the line and column of a path of property names inside the definition.
type Position func(path []string) (line, column int)

// Definition is a checked workflow definition.
type Definition struct {
	Raw           *expr.Object
	Parameters    []*Parameter
	Triggers      []*Trigger
	Actions       []*Action // first level
	Outputs       []*Output
	StaticResults map[string]*expr.Object
	all           map[string]*Action // by lower-case name, every level
	order         []*Action
}

// Parameter is a parameter of the definition.
type Parameter struct {
	Name, Type string // Type in lower case: int, float, string, securestring, bool, array, object, secureobject
	Default    any
	HasDefault bool
	Allowed    []any
}

// Secure says whether the value must never be shown.
func (p *Parameter) Secure() bool { return strings.HasPrefix(p.Type, "secure") }

// Output is an output of the run.
type Output struct {
	Name, Type string
	Value      any
}

// Secure says which sides of an action or trigger are hidden in the history.
type Secure struct{ Inputs, Outputs bool }

// Trigger is a trigger of the definition.
type Trigger struct {
	Name, Type, Kind string // Type as the service spells it
	Inputs           *expr.Object
	Recurrence       *Recurrence
	Conditions       []string
	SplitOn          string
	TrackingID       string // correlation.clientTrackingId, an expression
	Runs             int    // concurrency, 0: unlimited
	MaxWaiting       int
	Secure           Secure
	Options          []string
	Raw              *expr.Object
	Line, Column     int
}

// Recurrence is a schedule.
type Recurrence struct {
	Frequency string // Second, Minute, Hour, Day, Week, Month, Year
	Interval  int
	StartTime string // as written
	TimeZone  string
	Hours     []int
	Minutes   []int
	WeekDays  []time.Weekday
	MonthDays []int
}

// Action is an action of the definition.
type Action struct {
	Name, Type, Kind string // Type as the service spells it
	Inputs           any
	RunAfter         []After
	Timeout          string // ISO 8601 duration, or an expression
	Count            any    // limit.count of an Until: int64, or an expression
	Secure           Secure
	StaticResult     string // name of the static result that stands in for the action, "" when it runs
	Options          []string
	Concurrency      int // repetitions of a Foreach at once, 0: the default
	Tracked          *expr.Object
	MinimumItems     int // paginationPolicy.minimumItemCount
	Branches         []*Branch
	Expression       any // If, Switch, Until
	Foreach          any
	Parent           *Action   // the container, nil at the first level
	Loops            []*Action // enclosing Foreach and Until, outermost first
	Raw              *expr.Object
	Path             []string // of its object inside the definition
	Line, Column     int
}

// Branch is a list of actions inside a container: "actions", "else", "default" or a case's name.
type Branch struct {
	Name    string
	Case    any // literal of a Switch case
	Actions []*Action
}

// After is a predecessor and the statuses it may end with.
type After struct {
	Name     string
	Statuses []string
}

// Has says whether the action has one of the operation options.
func (a *Action) Has(option string) bool { return has(a.Options, option) }

// Has says whether the trigger has one of the operation options.
func (t *Trigger) Has(option string) bool { return has(t.Options, option) }

func has(opts []string, o string) bool {
	for _, x := range opts {
		if strings.EqualFold(x, o) {
			return true
		}
	}
	return false
}

// Container says whether the action holds other actions.
func (a *Action) Container() bool {
	switch a.Type {
	case "If", "Switch", "Foreach", "Until", "Scope":
		return true
	}
	return false
}

// Loop says whether the action repeats its children.
func (a *Action) Loop() bool { return a.Type == "Foreach" || a.Type == "Until" }

// Children lists the actions of all branches.
func (a *Action) Children() []*Action {
	var out []*Action
	for _, b := range a.Branches {
		out = append(out, b.Actions...)
	}
	return out
}

// Action finds an action of any level by its name, ignoring case.
func (d *Definition) Action(name string) *Action { return d.all[strings.ToLower(name)] }

// All lists the actions of every level in the order of the text.
func (d *Definition) All() []*Action { return d.order }

// Trigger finds a trigger by its name, ignoring case.
func (d *Definition) Trigger(name string) *Trigger {
	for _, t := range d.Triggers {
		if strings.EqualFold(t.Name, name) {
			return t
		}
	}
	return nil
}

// Parameter finds a parameter by its name, ignoring case.
func (d *Definition) Parameter(name string) *Parameter {
	for _, p := range d.Parameters {
		if strings.EqualFold(p.Name, name) {
			return p
		}
	}
	return nil
}

// ActionTypes is every action type the language has, as the service spells it.
func ActionTypes() []string {
	return []string{
		"Http", "ApiConnection", "ApiConnectionWebhook", "HttpWebhook", "Response", "Compose", "ParseJson",
		"Query", "Select", "Join", "Table", "InitializeVariable", "SetVariable", "IncrementVariable",
		"DecrementVariable", "AppendToArrayVariable", "AppendToStringVariable", "Wait", "Terminate", "Workflow", "If",
		"Switch", "Foreach", "Until", "Scope", "Function", "JavaScriptCode", "SendToBatch", "ApiManagement",
		"AppService", "Expression", "Xslt", "XmlValidation", "FlatFileEncoding", "FlatFileDecoding", "Liquid",
		"IntegrationAccountArtifactLookup", "ServiceProvider", "InvokeFunction", "Batch",
	}
}

// TriggerTypes is every trigger type the language has.
func TriggerTypes() []string {
	return []string{
		"Request", "Recurrence", "Http", "HttpWebhook", "ApiConnection", "ApiConnectionWebhook", "Batch",
		"SlidingWindow", "Manual", "ApiConnectionNotification", "ServiceProvider", "ApiManagement", "AppService",
	}
}

func spelled(list []string, s string) (string, bool) {
	for _, t := range list {
		if strings.EqualFold(t, s) {
			return t, true
		}
	}
	return s, false
}
