package playbook

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"picket/playbook/expr"
	"picket/state"
	"time"
)

// Deps is what the engine needs from around it. DB, KeyFile and PublicURL are required.
type Deps struct {
	DB        *state.DB
	KeyFile   string // holds the key that seals secrets (32 bytes, base64); made with mode 0600 when absent
	PublicURL string // how callers reach the callback URLs: https://host[:port], no path

	Log *slog.Logger     // nil: slog.Default()
	Now func() time.Time // nil: time.Now

	SubscriptionID string // of the ids that workflows see; defaults are made up and constant
	TenantID       string
	ResourceGroup  string // default "picket"
	Location       string // default "local"

	Connectors []Connector
	Outbound   Outbound

	// Identity gives a bearer token for a managed identity ("SystemAssigned" or a resource id) and an audience.
	// nil: managed identity is refused by name.
	Identity func(ctx context.Context, identity, audience string) (token string, err error)

	// Resource answers the template functions reference() and list…() for resources that a template doesn't make:
	// ("reference", id), ("listKeys", id). nil, or not ok: the value is left empty and listed as a need.
	Resource func(function, resourceID string) (value any, ok bool)

	// Retention says how long ended runs are kept.
	Retention Retention

	// Function gives the URL of a function of an Azure function app, its key included. nil: Function actions are refused
	// by name before a run; an error refuses those of this function and says why.
	Function func(ctx context.Context, app, name string) (rawURL string, err error)

	// CustomAPI makes a connector of a template's own connector (Microsoft.Web/customApis): its OpenAPI text, and the URL
	// of the service where the template names one. nil: such resources are left out and listed as needs.
	CustomAPI CustomAPI

	// Trial, when set, makes the engine one that only tries workflows out.
	Trial *Trial

	// Event is told about every finished trigger, action and run, after it is recorded. It must not block.
	Event func(Event)
}

// CustomAPI makes a connector of an OpenAPI text; service is where it runs, "" for where the text says.
type CustomAPI func(name string, openAPI []byte, service string) (Connector, error)

// Retention says how long runs that have ended, and what triggers did, are kept. Runs that go on are never deleted.
type Retention struct {
	Age  time.Duration // 0: 90 days, as in the service; negative: for good
	Runs int           // of each workflow; 0: all
}

// Outbound says where workflows may send requests.
type Outbound struct {
	// Allow lists hosts ("api.example.com", "*.example.com", "10.0.0.5:8080") and CIDRs that may be reached although they
	// are loopback, private, link-local or the like; with Only, it lists everything that may be reached.
	Allow []string
	Only  bool
	// Hosts answers hosts in process. A host with a nil handler is refused by name. canarytokens.org,
	// www.canarytokens.org and ip-api.com are in the map by default (nil until a handler is given), so that an
	// unmodified playbook never sends tokens to a third party.
	Hosts map[string]http.Handler
	// Refused is told about every request that the guard refuses; nil: a warning in the log.
	Refused func(host, why string)
}

// Connector serves the operations of one managed API (azuresentinel, azureloganalyticsdatacollector, …).
type Connector interface {
	API() string             // the managed API's name, in lower case
	Operations() []Operation // what it serves; anything else is a need
	Call(ctx context.Context, r *Request) (*Response, error)
}

// Operation is a method and path of a connector; {x} in the path stands for any one segment, a last {x...} for the rest.
// Paths match ignoring case.
type Operation struct {
	Method string
	Path   string
	Title  string
}

// Request is one call of a connector. Values are those of package expr.
type Request struct {
	API        string
	Connection string       // the connection's name
	Parameters *expr.Object // its parameter values, secrets included
	Method     string       // upper case
	Path       string       // evaluated, not decoded: segments may hold %2F
	Queries    *expr.Object
	Headers    *expr.Object
	Body       any

	ActionRunID string // the same for every attempt of this action of this run: an idempotency key (UUID)
	Workflow    string
	Run         string
	Action      string

	// Link makes the address of the page where a person answers (see [Asker]); nil for calls that don't wait. option is
	// the button that the link stands for, who the address that it is sent to.
	Link func(option, who string) string
}

// Payload is the body as bytes: text as it is, binary content decoded, anything else as JSON; nil for none.
func (r *Request) Payload() []byte {
	switch x := r.Body.(type) {
	case nil:
		return nil
	case string:
		return []byte(x)
	}
	if b, _, ok := expr.Binary(r.Body); ok {
		return b
	}
	return []byte(expr.JSON(r.Body))
}

// Response is a connector's answer. A status of 400 and up fails the action; 408, 429 and 5xx are retried.
type Response struct {
	Status  int
	Headers map[string]string
	Body    any // a value of package expr; nil for none
}

// Error is a failure as Logic Apps users know it.
type Error struct {
	Code    string // WorkflowNotFound, InvalidTemplate, …
	Message string
	Status  int // the HTTP status it goes with
}

func (e *Error) Error() string { return e.Message }

func fail(status int, code, format string, args ...any) *Error {
	return &Error{Code: code, Message: fmt.Sprintf(format, args...), Status: status}
}

// DeployRequest is a template, or a bare workflow definition, to deploy.
type DeployRequest struct {
	Name       string         // of the workflow; only for a bare definition, or a template with one workflow
	Template   []byte         // azuredeploy.json, {"definition":…}, or the definition itself
	Parameters map[string]any // template parameters (for a bare definition: the definition's)
	// AllowNeeds lets runs start although something is missing; the actions that need it fail by name.
	AllowNeeds bool
	// Validate checks and lists the needs and changes nothing.
	Validate bool
}

// Deployment is what a template made.
type Deployment struct {
	Workflows   []*Workflow
	Connections []*Connection
	Needs       []Need
	Uses        []Use
	Outputs     *expr.Object
}

// Use is an operation of a connector that a workflow uses.
type Use struct {
	Workflow  string
	Where     string // action 'X', trigger 'Y'
	Connector string // the managed API
	Operation string // "POST /Incidents/Comment"; {} stands for what is known only in a run
	Served    bool
}

// Need is something that a workflow uses and this host doesn't have.
type Need struct {
	Kind     string // connector, operation, action, trigger, identity, host, resource, workflow, value, setting
	Name     string // "virustotal", "azuresentinel: POST /x", "JavaScriptCode", …
	Workflow string
	Where    string // action 'X', trigger 'Y'
	Message  string // what is missing and how to mend it
}

func (n Need) String() string { return n.Message }

// Workflow is a deployed workflow.
type Workflow struct {
	Name       string
	ID         string // in callback URLs
	Version    string
	Enabled    bool
	Location   string
	Tags       *expr.Object
	Definition *expr.Object
	Parameters *expr.Object // secure values as null
	Triggers   []TriggerInfo
	Needs      []Need
	Created    time.Time
	Changed    time.Time
}

// TriggerInfo is a trigger's state.
type TriggerInfo struct {
	Name, Type, Kind string
	Next             time.Time // zero: not scheduled
	Last             time.Time
}

// Connection is a deployed API connection. Secrets are never shown.
type Connection struct {
	Name, API, DisplayName string
	Parameters             []string // names of the values it has
}

// CallbackOptions choose the form of a callback URL.
type CallbackOptions struct {
	Secondary bool      // signed with the secondary key
	NotAfter  time.Time // the URL stops working; zero: never
}

// Callback is a trigger's callback URL (Microsoft.Logic listCallbackUrl).
type Callback struct {
	Value        string
	Method       string
	BasePath     string
	RelativePath string
	Queries      map[string]string
}

// TriggerInput is what a trigger is given when it is run by hand or called.
type TriggerInput struct {
	Method     string
	Headers    http.Header
	Queries    map[string]string
	Relative   string // the path below the trigger's
	Body       any    // a value of package expr; see ParseBody for bytes
	ID         string // makes the call idempotent: the same id starts no second run
	TrackingID string
	outputs    *expr.Object // of a polling trigger
	nesting    int          // workflows that called each other to get here
	Wait       bool         // wait for the Response action, or the end, of a Request trigger with one
}

// TriggerResult is what a trigger did.
type TriggerResult struct {
	Runs     []string
	Skipped  bool // the conditions weren't met
	Reply    *Response
	Tracking string
}

// Run is a run in the history.
type Run struct {
	ID            string
	Workflow      string
	Version       string
	Trigger       string
	Status        string // Waiting, Running, Succeeded, Failed, Cancelled, TimedOut
	Code          string
	Error         *expr.Object
	Started       time.Time
	Ended         time.Time // zero while it runs
	TrackingID    string
	TriggerRecord *expr.Object // name, inputs, outputs, …; masked
	Outputs       *expr.Object
	Response      *expr.Object
}

// ActionRun is an action of a run, or one repetition of it.
type ActionRun struct {
	Name       string
	Type       string
	Repetition string // "000003-000000" inside loops, "" outside
	Indexes    []RepetitionIndex
	Iteration  bool // a loop's iteration rather than the loop
	Status     string
	Code       string
	Inputs     any // masked
	Outputs    any // masked
	HasInputs  bool
	HasOutputs bool
	Error      *expr.Object
	Started    time.Time
	Ended      time.Time
	TrackingID string
	Retries    []any
	Iterations int // of a loop
	Tracked    *expr.Object
	sortKey    int64
}

// RepetitionIndex is a place in a loop.
type RepetitionIndex struct {
	Loop  string
	Index int
}

// RunDetail is a run with its actions in the order they started.
type RunDetail struct {
	Run
	Actions []*ActionRun
}

// Page chooses a part of a list.
type Page struct {
	Top    int    // 0: 30, at most 250
	After  string // the last id of the page before
	Status string // only runs of this status
}

// TriggerHistory is a firing of a trigger that did or didn't start a run.
type TriggerHistory struct {
	ID, Trigger, Status, Code string
	Fired                     bool
	Run                       string
	Started, Ended, Scheduled time.Time
	Error                     *expr.Object
}

// Event is something that ended.
type Event struct {
	Kind     string // trigger, action, run
	Workflow string
	Run      string
	Name     string // of the trigger or action
	Status   string
	Code     string
	Started  time.Time
	Ended    time.Time
	Tracking string
	Tracked  *expr.Object
	Error    string
}

// Notification is an event of a service that webhook triggers subscribe to (a Sentinel incident or alert).
type Notification struct {
	API      string // azuresentinel
	Path     string // /incident-creation, /subscribe, …; matched ignoring case
	Workflow string // only this workflow; "" all that subscribe
	ID       string // makes it idempotent
	Body     any    // the trigger's body
}
