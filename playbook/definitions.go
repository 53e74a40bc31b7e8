package playbook

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"picket/playbook/arm"
	"picket/playbook/definition"
	"picket/playbook/expr"
	"picket/state"
	"strings"
	"time"
)

// Definitions reads the workflows of a template, by name, without an engine.
func Definitions(template []byte, parameters map[string]any) (map[string]*definition.Definition, error) {
	e := &Engine{deps: Deps{
		SubscriptionID: defaultSubscription, TenantID: defaultTenant, ResourceGroup: "picket", Location: "local", PublicURL: "https://picket.invalid", Now: time.Now,
		Resource: func(string, string) (any, bool) { return nil, false },
	}, log: slog.New(slog.DiscardHandler)}
	res, err := e.evaluate(DeployRequest{Template: template, Parameters: parameters, Name: "workflow"}, map[string]*workflow{})
	if err != nil {
		return nil, err
	}
	out := map[string]*definition.Definition{}
	for _, x := range res.Resources {
		if !strings.EqualFold(x.Type, "Microsoft.Logic/workflows") {
			continue
		}
		d, err := definition.Parse(object(x.Properties.Value("definition")), place(res, x))
		if err != nil {
			return nil, err
		}
		out[x.Name] = d
	}
	return out, nil
}

func place(res *arm.Result, x *arm.Resource) func(path []string) (int, int) {
	at := append(append([]string{}, x.Path...), "properties", "definition")
	return func(path []string) (int, int) { return res.Place(append(append([]string{}, at...), path...)) }
}

// Needs lists what a template's workflows use of connectors, and what they need and don't find, without deploying it.
// custom may be nil (see [Deps.CustomAPI]).
func Needs(ctx context.Context, template []byte, parameters map[string]any, connectors []Connector, custom CustomAPI) (_ []Use, _ []Need, err error) {
	dir, err := os.MkdirTemp("", "picket-check-")
	if err != nil {
		return nil, nil, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	db, err := state.Open(ctx, filepath.Join(dir, "state.db"), Migrations())
	if err != nil {
		return nil, nil, err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	e, err := New(Deps{
		DB: db, KeyFile: filepath.Join(dir, "key"), PublicURL: "https://picket.invalid", Log: slog.New(slog.DiscardHandler), Connectors: connectors, CustomAPI: custom,
		// Which functions are mapped to URLs is known to the server that the template is deployed on.
		Function: func(context.Context, string, string) (string, error) { return "https://picket.invalid", nil },
	})
	if err != nil {
		return nil, nil, err
	}
	defer e.Close()
	v, _ := expr.ParseJSON(template) // what isn't JSON is refused by Deploy
	o := object(v)
	q := DeployRequest{Template: template, Parameters: parameters, AllowNeeds: true, Validate: true}
	if o.Value("resources") == nil && (o.Value("definition") != nil || o.Value("triggers") != nil || o.Value("actions") != nil) {
		q.Name = "workflow"
	}
	dep, err := e.Deploy(ctx, q)
	if err != nil {
		return nil, nil, err
	}
	return dep.Uses, dep.Needs, nil
}
