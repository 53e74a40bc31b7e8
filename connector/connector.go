// Package connector serves the operations of Logic Apps' managed connectors, one file a connector, for the
// playbook engine. [All] is the list; what isn't in it is refused by name when a playbook is deployed.
//
//	engine, err := playbook.New(playbook.Deps{…, Connectors: connector.All(connector.Deps{Collect: collect})})
package connector

import (
	"context"
	"net/http"
	"picket/playbook"
	"picket/playbook/expr"
	"picket/query"
)

// Deps is what the connectors need from around them. A connector whose field is nil is left out.
type Deps struct {
	// Collect takes records of a custom log as the HTTP Data Collector API does: logType without _CL, a body of JSON
	// (an object or an array of objects), the name of the field that holds the time ("" for the time of arrival), and
	// an id that is the same when the call is repeated. It answers with an HTTP status.
	Collect func(ctx context.Context, logType string, body []byte, timeField, opID string) (status int, err error)
	// Query answers a question in KQL (query.Engine.Run).
	Query func(ctx context.Context, r query.Request) (*query.Result, error)
	// Sentinel is the incidents.
	Sentinel *Sentinel
	// Secret and Secrets read the vault.
	Secret  func(ctx context.Context, name, version string) (*playbook.Secret, error)
	Secrets func(ctx context.Context) ([]playbook.SecretInfo, error)
	// Mail sends a message.
	Mail func(ctx context.Context, m *Mail) error
	// Send sends a request through the guard of outbound requests; Described are the REST APIs that it makes connectors
	// of, a user's before those that picket ships. Identity signs in for them.
	Send      func(*http.Request) (*http.Response, []byte, error)
	Described []*Description
	Identity  func(ctx context.Context, identity, audience string) (string, error)
	// Post sends JSON to a webhook through the guard of outbound requests.
	Post Post
}

// All lists the connectors. Adding one is a file and a line.
func All(d Deps) []playbook.Connector {
	var out []playbook.Connector
	if d.Collect != nil {
		out = append(out, &dataCollector{d.Collect})
	}
	if d.Query != nil {
		out = append(out, &monitorLogs{d.Query})
	}
	if d.Sentinel != nil {
		out = append(out, &sentinel{d.Sentinel})
	}
	if d.Secret != nil && d.Secrets != nil {
		out = append(out, &keyVault{d.Secret, d.Secrets})
	}
	if d.Mail != nil {
		out = append(out, &mailer{"office365", d.Mail}, &mailer{"outlook", d.Mail}, &mailer{"smtp", d.Mail})
	}
	if d.Post != nil {
		out = append(out, newTeams(d), newSlack(d))
	}
	if d.Send != nil {
		taken := map[string]bool{}
		for _, c := range out {
			taken[c.API()] = true
		}
		for _, x := range d.Described {
			if !taken[x.Name] {
				taken[x.Name] = true
				out = append(out, &rest{x, d.Send, d.Secret, d.Identity})
			}
		}
	}
	return out
}

// header finds a header of a request, ignoring case.
func header(r *playbook.Request, name string) string {
	if v := r.Headers.Value(name); v != nil {
		return expr.Text(v)
	}
	return ""
}

// problem is an answer that refuses a call.
func problem(status int, code, message string) *playbook.Response {
	return &playbook.Response{
		Status: status, Headers: map[string]string{"Content-Type": "application/json"},
		Body: expr.NewObject("error", expr.NewObject("code", code, "message", message)),
	}
}
