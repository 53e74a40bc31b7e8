package connector

import (
	"context"
	"errors"
	"net/url"
	"picket/playbook"
	"picket/playbook/expr"
	"strings"
)

// keyVault is the "Azure Key Vault" connector over picket's sealed vault, whatever vault the connection names: reading
// secrets. Keys (encrypt, decrypt) are not served.
type keyVault struct {
	get  func(ctx context.Context, name, version string) (*playbook.Secret, error)
	list func(ctx context.Context) ([]playbook.SecretInfo, error)
}

func (*keyVault) API() string { return "keyvault" }

func (*keyVault) Operations() []playbook.Operation {
	return []playbook.Operation{
		{Method: "GET", Path: "/secrets/{name}/value", Title: "Get secret"},
		{Method: "GET", Path: "/secrets/{name}/versions/{version}/value", Title: "Get secret version"},
		{Method: "GET", Path: "/secrets", Title: "List secrets"},
	}
}

func (c *keyVault) Call(ctx context.Context, r *playbook.Request) (*playbook.Response, error) {
	seg := strings.Split(strings.Trim(r.Path, "/"), "/")
	if len(seg) == 1 {
		all, err := c.list(ctx)
		if err != nil {
			return nil, err
		}
		out := []any{}
		for _, s := range all {
			out = append(out, secretObject(s))
		}
		return &playbook.Response{Status: 200, Headers: map[string]string{"Content-Type": "application/json; charset=utf-8"}, Body: expr.NewObject("value", out, "continuationToken", nil)}, nil
	}
	for i, s := range seg {
		if u, err := url.PathUnescape(s); err == nil {
			seg[i] = u
		}
	}
	version := ""
	if len(seg) == 5 {
		version = seg[3]
	}
	s, err := c.get(ctx, seg[1], version)
	if errors.Is(err, playbook.ErrNoSecret) {
		return problem(404, "SecretNotFound", err.Error()), nil
	}
	if err != nil {
		return nil, err
	}
	o := expr.NewObject("value", s.Value)
	for _, m := range secretObject(s.SecretInfo).Members() {
		o.Set(m.Name, m.Value)
	}
	return &playbook.Response{Status: 200, Headers: map[string]string{"Content-Type": "application/json; charset=utf-8"}, Body: o}, nil
}

func secretObject(s playbook.SecretInfo) *expr.Object {
	return expr.NewObject("name", s.Name, "version", s.Version, "contentType", textOrNil(s.ContentType), "isEnabled", true,
		"createdTime", utc(s.Created), "lastUpdatedTime", utc(s.Changed), "validityStartTime", nil, "validityEndTime", nil)
}
