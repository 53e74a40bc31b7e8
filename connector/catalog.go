package connector

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"picket/kql/value"
	"picket/lake"
	"picket/playbook"
	"picket/query"
)

var errNoServer = errors.New("this connector needs a running picket")

// CatalogCustom makes connectors of templates' own descriptions, for telling what a playbook needs.
func CatalogCustom() playbook.CustomAPI {
	return Custom(Deps{Send: func(*http.Request) (*http.Response, []byte, error) { return nil, nil, errNoServer }})
}

// Catalog lists every connector that a picket has, for telling what a playbook needs; none of them can be called.
func Catalog() []playbook.Connector {
	shipped, err := ShippedDescriptions()
	if err != nil {
		shipped = nil // a test holds them right
	}
	return All(Deps{
		Described: shipped,
		Send:      func(*http.Request) (*http.Response, []byte, error) { return nil, nil, errNoServer },
		Collect:   func(context.Context, string, []byte, string, string) (int, error) { return 500, errNoServer },
		Query: func(context.Context, query.Request) (*query.Result, error) {
			return nil, fmt.Errorf("run a query: %w", errNoServer)
		},
		Sentinel: &Sentinel{Rows: func(context.Context, string, value.Schema, []map[string]any, string) (lake.Ack, error) {
			return lake.Ack{}, errNoServer
		}},
		Secret:  func(context.Context, string, string) (*playbook.Secret, error) { return nil, errNoServer },
		Secrets: func(context.Context) ([]playbook.SecretInfo, error) { return nil, errNoServer },
		Mail:    func(context.Context, *Mail) error { return errNoServer },
		Post:    func(context.Context, string, []byte, string) (int, []byte, error) { return 0, nil, errNoServer },
	})
}
