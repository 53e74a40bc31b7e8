package files

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"picket/kql/bind"
	"picket/kql/exec"
	"picket/kql/plan"
	"picket/kql/useragent"
	"picket/kql/value"
	"picket/lake/duck"
	"slices"
	"strings"
	"unicode"
)

// Spec names a table and its files.
type Spec struct {
	Name string // of the table; "" takes the file's
	Path string // a file, or a pattern (*, ?, […]) whose files are one table
}

// ParseSpec reads PATH or NAME=PATH.
func ParseSpec(s string) Spec {
	if name, path, ok := strings.Cut(s, "="); ok && isName(name) {
		if _, err := os.Stat(s); err != nil { // a file may have = in its name
			return Spec{Name: name, Path: path}
		}
	}
	return Spec{Path: s}
}

func isName(s string) bool {
	letter := false
	for _, r := range s {
		if r != '_' && !unicode.IsLetter(r) && !unicode.IsDigit(r) {
			return false
		}
		letter = letter || !unicode.IsDigit(r)
	}
	return letter
}

// Options adjust how files are read.
type Options struct {
	Format      Format // of all text files; "" finds it out
	MemoryLimit int64  // bytes that a query's operators may hold, in Go and again in SQL; 0 is 1 GiB
	Threads     int    // of SQL; 0 is 2
	TempDir     string // for what SQL can't hold in memory; "" is the system's
	// Progress is told how much of a table's files has been read to find its types, of how much; nil is nobody. It is
	// called from one goroutine at a time, many times a second.
	Progress func(table string, read, total int64)
}

// Set is some files as the tables of a database. Safe for concurrent use.
type Set struct {
	o      Options
	tables []*table
	db     *duck.DB
	tmp    string
	agents useragent.Agents
}

type table struct {
	name   string
	inputs []*input
	schema value.Schema
	cols   []duckCol // of Parquet
	from   string    // of Parquet: what SQL reads
}

func (t *table) parquet() bool { return len(t.inputs) > 0 && t.inputs[0].format == Parquet }

// ErrNoFile is wrapped when there is no such file.
var ErrNoFile = errors.New("no such file")

// Open finds the files, their formats and the types of their columns. Text files are read once for that.
func Open(ctx context.Context, specs []Spec, o Options) (_ *Set, err error) {
	if o.MemoryLimit <= 0 {
		o.MemoryLimit = 1 << 30
	}
	if o.Threads <= 0 {
		o.Threads = 2
	}
	if o.Format != "" && !slices.Contains(Formats(), string(o.Format)) {
		return nil, fmt.Errorf("unknown format %q: give one of %s", o.Format, strings.Join(Formats(), ", "))
	}
	s := &Set{o: o}
	defer func() {
		if err != nil {
			s.Close()
		}
	}()
	for _, sp := range specs {
		t := &table{name: sp.Name}
		paths, err := expand(sp.Path)
		if err != nil {
			return nil, err
		}
		if t.name == "" {
			t.name = tableName(sp.Path)
		}
		for _, x := range s.tables {
			if x.name == t.name {
				return nil, fmt.Errorf("two files make a table %s: name one of them, as in --file other=%s", t.name, sp.Path)
			}
		}
		for _, p := range paths {
			in, err := newInput(p, o.Format)
			if err != nil {
				return nil, err
			}
			if len(t.inputs) > 0 && family(in.format) != family(t.inputs[0].format) {
				return nil, fmt.Errorf("%s is %s and %s is %s: one table is made of one kind; give each kind a --file of its own and use union", t.inputs[0].path, t.inputs[0].format, in.path, in.format)
			}
			t.inputs = append(t.inputs, in)
		}
		if t.parquet() {
			err = s.openParquet(ctx, t)
		} else {
			t.schema, err = infer(ctx, t, o.Progress)
		}
		if err != nil {
			return nil, err
		}
		s.tables = append(s.tables, t)
	}
	return s, nil
}

func family(f Format) string {
	switch f {
	case CSV, TSV:
		return "cells"
	case Parquet:
		return "parquet"
	}
	return "json"
}

func expand(pattern string) ([]string, error) {
	if _, err := os.Stat(pattern); err == nil {
		return []string{pattern}, nil
	}
	if !strings.ContainsAny(pattern, "*?[") {
		return nil, fmt.Errorf("%s: %w", pattern, ErrNoFile)
	}
	paths, err := filepath.Glob(pattern)
	if err != nil {
		return nil, fmt.Errorf("--file %s: %w", pattern, err)
	}
	if len(paths) == 0 {
		return nil, fmt.Errorf("%s: %w fits the pattern", pattern, ErrNoFile)
	}
	if len(paths) > MaxFiles {
		return nil, fmt.Errorf("%s: %d files fit the pattern, %d at most", pattern, len(paths), MaxFiles)
	}
	return paths, nil
}

// tableName is the file's name without its endings, as a name of KQL; T when nothing is left of it.
func tableName(path string) string {
	base := filepath.Base(path)
	if i := strings.IndexByte(strings.TrimLeft(base, "."), '.'); i > 0 {
		base = base[:i+len(base)-len(strings.TrimLeft(base, "."))]
	}
	name := strings.Map(func(r rune) rune {
		switch {
		case r == '*' || r == '?' || r == '[' || r == ']':
			return -1
		case unicode.IsLetter(r) || unicode.IsDigit(r):
			return r
		}
		return '_'
	}, base)
	if name = strings.Trim(name, "_"); !isName(name) {
		return "T"
	}
	return name
}

// Close ends what reading Parquet needed.
func (s *Set) Close() {
	if s.db != nil {
		s.db.Close()
		s.db = nil
	}
	if s.tmp != "" {
		os.RemoveAll(s.tmp)
		s.tmp = ""
	}
}

// table finds a table by name; T is the first one.
func (s *Set) table(name string) *table {
	for _, t := range s.tables {
		if t.name == name {
			return t
		}
	}
	if name == "T" && len(s.tables) > 0 {
		return s.tables[0]
	}
	return nil
}

// Schema is what queries can name: every table, and T for the first.
func (s *Set) Schema() bind.Schema { return names{s} }

type names struct{ s *Set }

func (n names) Table(sc bind.Scope, name string) (value.Schema, bool) {
	t := n.s.table(name)
	if t == nil || !n.Known(sc) {
		return nil, false
	}
	return t.schema, true
}

func (n names) Tables(sc bind.Scope) []string {
	if !n.Known(sc) {
		return nil
	}
	out := make([]string, len(n.s.tables))
	for i, t := range n.s.tables {
		out[i] = t.name
	}
	return out
}

func (names) Function(bind.Scope, string) (bind.Function, bool) { return bind.Function{}, false }
func (names) Known(sc bind.Scope) bool                          { return sc == bind.Scope{} }

// scanText streams the wanted columns of a table of text files.
func (t *table) scanText(ctx context.Context, n *plan.Scan) exec.Frames {
	want := make(value.Schema, len(n.Out))
	for i, c := range n.Out {
		want[i] = value.Column{Name: c.Name, Type: c.Type}
	}
	return func(yield func(*value.Frame, error) bool) {
		ctx, cancel := context.WithCancel(ctx)
		defer cancel()
		stopped := false
		err := pipeline(ctx, func(emit func(*block) bool) error {
			for _, in := range t.inputs {
				goOn := true
				err := blocks(in, in.cutter(), nil, func(b *block) bool {
					goOn = emit(b)
					return goOn
				})
				if err != nil || !goOn {
					return err
				}
			}
			return nil
		}, func(b *block) (*value.Frame, error) {
			switch {
			case b.in.comma != 0:
				return cellFrame(b, want)
			case b.in.format == EventLog:
				return eventFrame(b, want)
			}
			return objectFrame(b, want)
		}, func(f *value.Frame) bool {
			stopped = f.N > 0 && !yield(f, nil)
			return !stopped
		})
		if err != nil && !stopped {
			yield(nil, err)
		}
	}
}
