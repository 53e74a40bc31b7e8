package playbook

import (
	"context"
	"fmt"
	"net/url"
	"picket/playbook/definition"
	"picket/playbook/expr"
	"strings"
)

// runnable action types of this engine; the others are needs.
func runnable(typ string) bool {
	switch typ {
	case "Http", "ApiConnection", "ApiConnectionWebhook", "HttpWebhook", "Response", "Compose", "ParseJson", "Query", "Select",
		"Join", "Table", "InitializeVariable", "SetVariable", "IncrementVariable", "DecrementVariable",
		"AppendToArrayVariable", "AppendToStringVariable", "Wait", "Terminate", "Workflow", "If", "Switch", "Foreach",
		"Until", "Scope", "Expression", "SendToBatch", "JavaScriptCode", "Function":
		return true
	}
	return false
}

// staticEnv answers only what is known before a run.
type staticEnv struct {
	expr.NoEnv
	e *Engine
	w *workflow
}

func (s staticEnv) Parameter(name string) (any, error) {
	v, err := parameterOf(s.w.version0, name)
	if err != nil {
		return nil, err
	}
	return v, nil
}

// needsOf lists what a workflow uses and this host doesn't have. pending are connections and workflows of a
// deployment that is not stored yet.
func (e *Engine) needsOf(ctx context.Context, w *workflow, p *pending) []Need {
	return e.examine(ctx, w, p).list
}

// examine lists what a workflow needs and which operations it uses.
func (e *Engine) examine(ctx context.Context, w *workflow, p *pending) *needList {
	n := &needList{e: e, ctx: ctx, w: w, p: p, seen: map[string]bool{}}
	for _, t := range w.def.Triggers {
		n.trigger(t)
	}
	for _, a := range w.def.All() {
		n.action(a)
	}
	return n
}

type pending struct {
	connections map[string]string // lower name → API
	workflows   map[string]bool   // lower name
	apis        map[string]Connector
}

type needList struct {
	e    *Engine
	ctx  context.Context
	w    *workflow
	p    *pending
	seen map[string]bool
	list []Need
	uses []Use
}

func (n *needList) add(kind, name, where, format string, args ...any) {
	key := kind + "\x00" + name + "\x00" + where
	if n.seen[key] {
		return
	}
	n.seen[key] = true
	n.list = append(n.list, Need{Kind: kind, Name: name, Workflow: n.w.name, Where: where, Message: where + " of the workflow '" + n.w.name + "' " + fmt.Sprintf(format, args...)})
}

func (n *needList) trigger(t *definition.Trigger) {
	where := "The trigger '" + t.Name + "'"
	switch t.Type {
	case "Request", "Recurrence", "Manual":
	case "Http":
		n.auth(where, t.Inputs)
		n.host(where, t.Inputs.Value("uri"))
		if t.Recurrence == nil {
			n.add("trigger", "Http", where, "polls and has no 'recurrence' that says how often.")
		}
	case "HttpWebhook":
		for _, k := range []string{"subscribe", "unsubscribe"} {
			n.auth(where, object(t.Inputs.Value(k)))
			n.host(where, object(t.Inputs.Value(k)).Value("uri"))
		}
	case "Batch":
		if m, _ := t.Inputs.Value("mode").(string); !strings.EqualFold(m, "Inline") {
			n.add("trigger", "Batch "+m, where, "takes its batches from an integration account, which this picket doesn't have; use the mode Inline.")
		}
	case "ApiConnectionWebhook":
		n.connection(where, t.Inputs, "POST")
	default:
		n.add("trigger", t.Type, where, "is of type '%s', which this picket doesn't serve. Use a Request, Recurrence, Http, HttpWebhook or ApiConnectionWebhook trigger.", t.Type)
	}
}

func (n *needList) action(a *definition.Action) {
	where := "The action '" + a.Name + "'"
	if a.StaticResult != "" {
		return
	}
	if !runnable(a.Type) {
		n.add("action", a.Type, where, "is of type '%s', which this picket doesn't run. Take it out, or give it a static result.", a.Type)
		return
	}
	in := object(a.Inputs)
	switch a.Type {
	case "Expression":
		if _, _, ok := expressionKind(a.Kind); !ok {
			n.add("action", "Expression "+a.Kind, where, "is an Expression of the kind '%s', which this picket doesn't run.", a.Kind)
		}
	case "ApiConnection":
		m, _ := in.Value("method").(string)
		n.connection(where, in, strings.ToUpper(m))
	case "ApiConnectionWebhook":
		n.connection(where, in, "POST")
	case "Http":
		n.auth(where, in)
		n.host(where, in.Value("uri"))
	case "HttpWebhook":
		for _, k := range []string{"subscribe", "unsubscribe"} {
			n.auth(where, object(in.Value(k)))
			n.host(where, object(in.Value(k)).Value("uri"))
		}
	case "Function":
		n.function(where, in)
	case "Workflow", "SendToBatch":
		id, _ := object(object(in.Value("host")).Value("workflow")).Value("id").(string)
		name := id[strings.LastIndexByte(id, '/')+1:]
		if expr.HasExpression(id) {
			return
		}
		if n.p != nil && n.p.workflows[strings.ToLower(name)] {
			return
		}
		if _, err := n.e.findWorkflow(n.ctx, name); err != nil {
			n.add("workflow", name, where, "calls the workflow '%s', which is not deployed here. Deploy it first.", name)
		}
	}
}

// function names a function that no URL is mapped to.
func (n *needList) function(where string, in *expr.Object) {
	id, _ := object(in.Value("function")).Value("id").(string)
	app, name, ok := functionID(id)
	method := strings.ToUpper(expr.Text(in.Value("method")))
	if method == "" {
		method = "POST"
	}
	use := Use{Workflow: n.w.name, Where: strings.TrimPrefix(where, "The "), Connector: "function", Operation: method + " " + app + "/" + name}
	var why error
	switch {
	case expr.HasExpression(id): // known in a run only
		use.Operation, ok = method+" {}", true
	case ok && n.e.deps.Function != nil:
		_, why = n.e.deps.Function(n.ctx, app, name)
	}
	use.Served = ok && n.e.deps.Function != nil && why == nil
	n.uses = append(n.uses, use)
	switch {
	case !ok:
		n.add("function", id, where, "calls '%s', which is not the id of a function (…/sites/APP/functions/NAME).", id)
	case n.e.deps.Function == nil:
		n.add("function", app+"/"+name, where, "calls the function '%s/%s', and this picket maps no functions to URLs.", app, name)
	case why != nil:
		n.add("function", app+"/"+name, where, "calls the function '%s/%s': %v", app, name, why)
	}
}

func (n *needList) auth(where string, in *expr.Object) {
	auth := object(in.Value("authentication"))
	typ, _ := auth.Value("type").(string)
	switch {
	case strings.EqualFold(typ, "ManagedServiceIdentity") && n.e.deps.Identity == nil:
		n.add("identity", "ManagedServiceIdentity", where, "signs in with a managed identity, and this picket has none configured.")
	case strings.EqualFold(typ, "ActiveDirectoryOAuth") && auth.Value("secret") == nil && auth.Value("pfx") == nil:
		n.add("identity", "ActiveDirectoryOAuth", where, "signs in with neither a client secret nor a certificate (pfx).")
	}
}

// host names a host in the map that nothing answers for, where the URI says the host.
func (n *needList) host(where string, uri any) {
	s, _ := uri.(string)
	for _, t := range n.texts(s) {
		u, err := url.Parse(t)
		if err != nil || u.Host == "" {
			continue
		}
		if h, mapped := n.e.guard.hosts[strings.ToLower(u.Hostname())]; mapped && h == nil {
			n.add("host", u.Hostname(), where, "requests '%s', a host that is mapped to this picket and that nothing answers for here. Give the host map a handler for it.", u.Hostname())
		}
	}
}

// texts gives the beginning of a string up to its first expression.
func (n *needList) texts(s string) []string {
	t, err := expr.ParseTemplate(s)
	if err != nil || t.Whole != nil || len(t.Parts) == 0 || t.Parts[0].Text == "" {
		return nil
	}
	head := t.Parts[0].Text
	if i := strings.Index(head, "://"); i > 0 {
		if j := strings.IndexByte(head[i+3:], '/'); j >= 0 {
			return []string{head[:i+3+j]}
		}
		if len(t.Parts) == 1 {
			return []string{head}
		}
	}
	return nil
}

// connector finds a connector, those that the same deployment brings included.
func (n *needList) connector(api string) Connector {
	if c := n.e.connector(api); c != nil || n.p == nil {
		return c
	}
	return n.p.apis[strings.ToLower(api)]
}

func (n *needList) connection(where string, in *expr.Object, method string) {
	host := object(in.Value("host"))
	v, err := expr.EvaluateTree(host, staticEnv{e: n.e, w: n.w})
	raw := expr.JSON(host)
	api := ""
	if err == nil {
		co := object(object(v).Value("connection"))
		id, _ := co.Value("name").(string)
		if id == "" {
			id, _ = co.Value("id").(string)
		}
		name := id[strings.LastIndexByte(id, '/')+1:]
		// What the workflow says, before what the connection was made of, if picket has it.
		if api = apiOf(n.w.version0, "", raw); n.connector(api) == nil {
			api = ""
		}
		if api == "" && n.p != nil {
			api = n.p.connections[strings.ToLower(name)]
		}
		if api == "" {
			if c, err := n.e.findConnection(n.ctx, name); err == nil && c != nil {
				api = c.api
			}
		}
		if api == "" {
			api = apiOf(n.w.version0, name, raw)
		}
		if api == "" {
			n.add("connector", name, where, "uses the connection '%s', which is not deployed and whose API the parameter $connections doesn't say.", name)
			return
		}
	} else if api = apiOf(n.w.version0, "", raw); api == "" {
		n.add("connector", "?", where, "names its connection by an expression that can't be resolved: %v", err)
		return
	}
	c := n.connector(api)
	path, _ := in.Value("path").(string)
	form := pathForm(path)
	if method == "" {
		method = "GET"
	}
	shown := strings.ReplaceAll(form, anySegment, "{}")
	use := Use{Workflow: n.w.name, Where: strings.TrimPrefix(where, "The "), Connector: api, Operation: method + " " + shown}
	unknown := form == anySegment || expr.HasExpression(method)
	use.Served = c != nil && (unknown || serves(c, method, form))
	n.uses = append(n.uses, use)
	if c == nil {
		n.add("connector", api, where, "uses the connector '%s', which this picket doesn't have. Map it to an endpoint of yours, or take the action out.", api)
		return
	}
	if !use.Served {
		n.add("operation", api+": "+method+" "+shown, where, "calls '%s %s' of the connector '%s', which this picket doesn't serve.", method, shown, api)
	}
}
