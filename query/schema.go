package query

import (
	"context"
	"fmt"
	"picket/kql/bind"
	"picket/kql/value"
	"picket/lake"
	"sort"
	"strings"
	"sync"
)

// schema is what one question can name: the tables of its snapshot over the standard ones.
type schema struct {
	e      *Engine
	tables map[string]value.Schema
	names  []string

	mu      sync.Mutex
	missing map[string]bool // tables that were asked for and do not exist
}

func (e *Engine) schema(ts []lake.Table) *schema {
	s := &schema{e: e, tables: make(map[string]value.Schema, len(e.o.Builtin)+len(ts))}
	for n, cols := range e.o.Builtin {
		s.tables[n] = cols
	}
	for i := range ts {
		known := s.tables[ts[i].Name]
		if known == nil {
			known = e.o.Standard[ts[i].Name]
		}
		s.tables[ts[i].Name] = merge(known, ts[i].Schema())
	}
	for n := range s.tables {
		s.names = append(s.names, n)
	}
	sort.Strings(s.names)
	return s
}

// merge is stored's columns after those that builtin has already; a stored column keeps its stored type.
func merge(builtin, stored value.Schema) value.Schema {
	if builtin == nil {
		return stored
	}
	out := make(value.Schema, 0, len(builtin)+len(stored))
	for _, c := range builtin {
		if i := stored.Index(c.Name); i >= 0 {
			c.Type = stored[i].Type
		}
		out = append(out, c)
	}
	for _, c := range stored {
		if builtin.Index(c.Name) < 0 {
			out = append(out, c)
		}
	}
	return out
}

func (s *schema) Known(sc bind.Scope) bool {
	if sc == (bind.Scope{}) {
		return true
	}
	for _, w := range s.e.o.Workspace {
		if strings.EqualFold(sc.Database, w) || sc.Database == "" && strings.EqualFold(sc.Cluster, w) {
			return true
		}
	}
	return false
}

func (s *schema) Table(sc bind.Scope, name string) (value.Schema, bool) {
	if !s.Known(sc) {
		return nil, false
	}
	c, ok := s.tables[name]
	if !ok {
		c, ok = s.e.o.Standard[name]
	}
	if !ok {
		s.mu.Lock()
		if s.missing == nil {
			s.missing = map[string]bool{}
		}
		s.missing[name] = true
		s.mu.Unlock()
	}
	return c, ok
}

func (s *schema) Tables(sc bind.Scope) []string {
	if !s.Known(sc) {
		return nil
	}
	return s.names
}

func (s *schema) Function(sc bind.Scope, name string) (bind.Function, bool) {
	if s.e.o.Functions == nil || !s.Known(sc) {
		return bind.Function{}, false
	}
	return s.e.o.Functions(name)
}

// Checked is what compiling a question found.
type Checked struct {
	Tables []string // base tables that it reads
	// Missing are custom tables (…_CL) that it names and that do not exist yet; their first record makes them.
	// Then the question could not be checked further.
	Missing []string
}

// Check compiles a question without running it. One that fails only where custom tables are missing is not an
// error: see Checked.Missing.
func (e *Engine) Check(ctx context.Context, text string) (Checked, error) {
	ts, err := e.o.Lake.Tables(ctx)
	if err != nil {
		return Checked{}, fmt.Errorf("read tables: %w", err)
	}
	s := e.schema(ts)
	q, err := parseText(text, s, bind.Options{})
	if err != nil {
		var c Checked
		for n := range s.missing {
			if strings.HasSuffix(n, "_CL") {
				c.Missing = append(c.Missing, n)
			}
		}
		if len(c.Missing) == 0 {
			return c, err
		}
		sort.Strings(c.Missing)
		return c, nil
	}
	var c Checked
	for _, t := range q.Tables {
		c.Tables = append(c.Tables, t.Name)
	}
	return c, nil
}

// Schema gives every table that a question can name, with its columns.
func (e *Engine) Schema(ctx context.Context) (map[string]value.Schema, error) {
	ts, err := e.o.Lake.Tables(ctx)
	if err != nil {
		return nil, fmt.Errorf("read tables: %w", err)
	}
	return e.schema(ts).tables, nil
}
