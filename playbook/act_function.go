package playbook

import (
	"context"
	"fmt"
	"net/url"
	"picket/playbook/definition"
	"picket/playbook/expr"
	"strings"
)

// functionID reads /subscriptions/…/providers/Microsoft.Web/sites/{app}/functions/{name}.
func functionID(id string) (app, name string, ok bool) {
	seg := strings.Split(strings.Trim(id, "/"), "/")
	for i := 0; i+3 < len(seg); i++ {
		if strings.EqualFold(seg[i], "sites") && strings.EqualFold(seg[i+2], "functions") {
			return seg[i+1], seg[i+3], seg[i+1] != "" && seg[i+3] != ""
		}
	}
	return "", "", false
}

// function is the Function action: it calls an Azure function at the URL that this host maps it to. The URL, which may
// hold the function's key, is no part of what is recorded.
func (r *run) function(ctx context.Context, a *definition.Action, f *frame, rec *record) *outcome {
	in, o := r.startInputs(a, f, rec)
	if in == nil {
		return o
	}
	bad := func(format string, args ...any) *outcome {
		o := failed("FunctionNotMapped", fmt.Sprintf(format, args...)).with(in)
		return &o
	}
	id := expr.Text(object(in.Value("function")).Value("id"))
	app, name, ok := functionID(id)
	if !ok || r.e.deps.Function == nil {
		return bad("The action '%s' calls the function '%s', which is not mapped to a URL here.", a.Name, id)
	}
	target, err := r.e.deps.Function(ctx, app, name)
	if err != nil {
		return bad("The action '%s' calls the function '%s/%s': %v", a.Name, app, name, err)
	}
	u, err := url.Parse(target)
	if err != nil || u.Host == "" {
		return bad("The function '%s/%s' is mapped to something that is not a URL.", app, name)
	}
	method := strings.ToUpper(expr.Text(in.Value("method")))
	if method == "" {
		method = "POST"
	}
	return r.attempts(ctx, a, rec, in, func(ctx context.Context, at string) (*reply, error) {
		if at != "" {
			return r.send(ctx, a, rec, in, "GET", at, nil, false)
		}
		return r.send(ctx, a, rec, in, method, target, in.Value("body"), true)
	})
}
