package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"picket/kql/bind"
	"picket/kql/value"
	"sort"
	"strings"
)

// serverSchema is what a server's queries may name.
type serverSchema struct {
	tables    bind.Tables
	functions map[string]bind.Function
}

// Table gives the columns of a table.
func (s *serverSchema) Table(sc bind.Scope, name string) (value.Schema, bool) {
	return s.tables.Table(sc, name)
}

// Tables lists the tables.
func (s *serverSchema) Tables(sc bind.Scope) []string { return s.tables.Tables(sc) }

// Known is true for the server's own workspace.
func (s *serverSchema) Known(sc bind.Scope) bool { return s.tables.Known(sc) }

// Function gives a saved function.
func (s *serverSchema) Function(sc bind.Scope, name string) (bind.Function, bool) {
	f, ok := s.functions[name]
	return f, ok && sc == bind.Scope{}
}

// fetchSchema asks a server for its tables and functions, as Kusto's editors do.
func fetchSchema(ctx context.Context, cl *client) (*serverSchema, error) {
	var out struct {
		Tables []struct{ Rows [][]string }
	}
	if err := cl.send(ctx, "POST", "/v1/rest/mgmt", map[string]string{"db": cl.ws.Name, "csl": ".show database schema as json"}, &out); err != nil {
		return nil, err
	}
	if len(out.Tables) == 0 || len(out.Tables[0].Rows) != 1 || len(out.Tables[0].Rows[0]) != 1 {
		return nil, errors.New("the server's answer holds no schema")
	}
	return parseSchema([]byte(out.Tables[0].Rows[0][0]))
}

// parseSchema reads what `.show database schema as json` gives.
func parseSchema(b []byte) (*serverSchema, error) {
	var doc struct {
		Databases map[string]struct {
			Tables map[string]struct {
				OrderedColumns []struct{ Name, CslType string }
			}
			Functions map[string]struct {
				InputParameters []struct {
					Name, CslType, CslDefaultValue string
				}
				Body string
			}
		}
	}
	if err := json.Unmarshal(b, &doc); err != nil {
		return nil, fmt.Errorf("read the server's schema: %w", err)
	}
	s := &serverSchema{tables: bind.Tables{}, functions: map[string]bind.Function{}}
	names := make([]string, 0, len(doc.Databases))
	for n := range doc.Databases {
		names = append(names, n)
	}
	sort.Strings(names)
	for _, n := range names {
		for t, tb := range doc.Databases[n].Tables {
			cols := make(value.Schema, 0, len(tb.OrderedColumns))
			for _, c := range tb.OrderedColumns {
				typ, ok := value.ParseType(c.CslType)
				if !ok {
					return nil, fmt.Errorf("table %s: column %s has the unknown type %q", t, c.Name, c.CslType)
				}
				cols = append(cols, value.Column{Name: c.Name, Type: typ})
			}
			s.tables[t] = cols
		}
		for f, fn := range doc.Databases[n].Functions {
			ps := make([]string, len(fn.InputParameters))
			for i, p := range fn.InputParameters {
				ps[i] = p.Name + ":" + p.CslType
				if p.CslDefaultValue != "" {
					ps[i] += "=" + p.CslDefaultValue
				}
			}
			s.functions[f] = bind.Function{Name: f, Params: "(" + strings.Join(ps, ", ") + ")", Body: fn.Body}
		}
	}
	return s, nil
}
