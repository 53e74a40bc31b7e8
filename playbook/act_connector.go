package playbook

import (
	"context"
	"fmt"
	"picket/playbook/definition"
	"picket/playbook/expr"
	"strings"
)

// connectionOf finds the connection that an action's or trigger's inputs name.
func (e *Engine) connectionOf(ctx context.Context, ver *version0, host *expr.Object, raw string) (*connection, string, error) {
	co := object(host.Value("connection"))
	id, _ := co.Value("name").(string)
	if id == "" {
		id, _ = co.Value("id").(string)
	}
	if id == "" {
		id, _ = co.Value("referenceName").(string)
	}
	name := id[strings.LastIndexByte(id, '/')+1:]
	c, err := e.findConnection(ctx, name)
	if err != nil {
		return nil, name, err
	}
	if c != nil {
		// The workflow says which API it means; a connection that a template made of another one gives its values only.
		if api := apiOf(ver, "", raw); api != "" && !strings.EqualFold(api, c.api) && e.connector(api) != nil {
			other := *c
			other.api = api
			return &other, name, nil
		}
		return c, name, nil
	}
	// No such connection was deployed: $connections may still say which API it is.
	api := apiOf(ver, name, raw)
	if api == "" {
		return nil, name, fmt.Errorf("the connection '%s' is not deployed", name)
	}
	return &connection{name: name, api: api, parameters: &expr.Object{}}, name, nil
}

// apiOf finds the managed API of a connection in the $connections parameter, by its name or by the expression
// that selects it.
func apiOf(ver *version0, name, raw string) string {
	v, err := parameterOf(ver, "$connections")
	if err != nil {
		return ""
	}
	for _, m := range object(v).Members() {
		mo := object(m.Value)
		cn, _ := mo.Value("connectionName").(string)
		cid, _ := mo.Value("connectionId").(string)
		if name != "" && (strings.EqualFold(cn, name) || strings.EqualFold(cid[strings.LastIndexByte(cid, '/')+1:], name)) ||
			raw != "" && strings.Contains(strings.ToLower(raw), "['"+strings.ToLower(m.Name)+"']") {
			id, _ := mo.Value("id").(string)
			return strings.ToLower(id[strings.LastIndexByte(id, '/')+1:])
		}
	}
	return ""
}

func (e *Engine) connector(api string) Connector {
	for _, c := range e.deps.Connectors {
		if strings.EqualFold(c.API(), api) {
			return c
		}
	}
	if c, ok := e.customs.Load(strings.ToLower(api)); ok {
		return c.(Connector)
	}
	return nil
}

// serves says whether a connector has an operation for a method and a path. Segments that are expressions match
// any one segment.
func serves(c Connector, method, path string) bool {
	for _, op := range c.Operations() {
		if strings.EqualFold(op.Method, method) && MatchPath(op.Path, path) {
			return true
		}
	}
	return false
}

// MatchPath says whether a path has the form of an operation's path: {x} stands for one segment, a last {x...}
// for the rest; letters match ignoring case.
func MatchPath(pattern, path string) bool {
	ps := strings.Split(strings.Trim(pattern, "/"), "/")
	xs := strings.Split(strings.Trim(path, "/"), "/")
	for i, p := range ps {
		if strings.HasPrefix(p, "{") && strings.HasSuffix(p, "...}") {
			return true
		}
		if i >= len(xs) {
			return false
		}
		if strings.HasPrefix(p, "{") && strings.HasSuffix(p, "}") || xs[i] == anySegment {
			continue
		}
		if !strings.EqualFold(p, xs[i]) {
			return false
		}
	}
	return len(ps) == len(xs)
}

const anySegment = "\x01"

// pathForm replaces the expressions of a path by a mark, for matching before anything is evaluated.
func pathForm(raw string) string {
	t, err := expr.ParseTemplate(raw)
	if err != nil || t.Whole != nil {
		return anySegment
	}
	var b strings.Builder
	for _, p := range t.Parts {
		if p.Expr != nil {
			b.WriteString(anySegment)
		} else {
			b.WriteString(p.Text)
		}
	}
	segs := strings.Split(b.String(), "/")
	for i, s := range segs {
		if strings.Contains(s, anySegment) {
			segs[i] = anySegment
		}
	}
	return strings.Join(segs, "/")
}

// connectorAction is the ApiConnection action.
func (r *run) connectorAction(ctx context.Context, a *definition.Action, f *frame, rec *record) *outcome {
	in, o := r.startInputs(a, f, rec)
	if in == nil {
		return o
	}
	raw := expr.JSON(object(a.Inputs).Value("host"))
	conn, name, err := r.e.connectionOf(r.ctx, r.ver, object(in.Value("host")), raw)
	if err != nil {
		if r.stopping() {
			return nil
		}
		o := failed("ConnectionNotFound", fmt.Sprintf("The action '%s' uses the connection '%s': %v.", a.Name, name, err)).with(in)
		return &o
	}
	c := r.e.connector(conn.api)
	if c == nil {
		o := failed("ConnectorNotAvailable", fmt.Sprintf("The action '%s' uses the connector '%s', which this picket doesn't have.", a.Name, conn.api)).with(in)
		return &o
	}
	method := strings.ToUpper(expr.Text(in.Value("method")))
	if method == "" {
		method = "GET"
	}
	path := expr.Text(in.Value("path"))
	if !serves(c, method, path) {
		o := failed("OperationNotAvailable", fmt.Sprintf("The action '%s' calls '%s %s' of the connector '%s', which this picket doesn't serve.", a.Name, method, path, conn.api)).with(in)
		return &o
	}
	return r.attempts(ctx, a, rec, in, func(ctx context.Context, at string) (*reply, error) {
		req := &Request{
			API: conn.api, Connection: conn.name, Parameters: conn.parameters, Method: method, Path: path,
			Queries: object(in.Value("queries")), Headers: object(in.Value("headers")), Body: in.Value("body"),
			ActionRunID: r.key(rec), Workflow: r.wf.name, Run: r.id, Action: a.Name,
		}
		if at != "" {
			req.Method, req.Path, req.Body = "GET", at, nil
		}
		ctx, cancel := context.WithTimeout(ctx, requestTimeout)
		defer cancel()
		resp, err := r.callConnector(ctx, c, req)
		if err != nil {
			return nil, err
		}
		h := &expr.Object{}
		for k, v := range resp.Headers {
			h.Set(k, v)
		}
		return &reply{resp.Status, h, resp.Body}, nil
	})
}

// callConnector calls a connector; a fault in it fails the call and not the host.
func (r *run) callConnector(ctx context.Context, c Connector, req *Request) (resp *Response, err error) {
	defer func() {
		if p := recover(); p != nil {
			resp, err = nil, &refusal{fmt.Sprintf("the connector '%s' failed: %v", req.API, p)}
		}
	}()
	resp, err = c.Call(ctx, req)
	if err == nil && resp == nil {
		err = &refusal{fmt.Sprintf("the connector '%s' gave no answer", req.API)}
	}
	return resp, err
}
