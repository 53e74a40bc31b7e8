package lake

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"picket/kql/value"
	"picket/lake/duck"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Limits of promotions.
const (
	MaxDerived      = 64       // of a table
	MaxDerivedKey   = 1 << 10  // bytes of Derived.Key
	MaxDerivedSQL   = 16 << 10 // bytes of Derived.SQL
	maxDerivedShuns = 256      // remembered expressions that failed
)

// Derived is a value computed from one stored column, kept in segments as a typed column of its own once promoted.
type Derived struct {
	Column string // KQL name of the stored (dynamic) column
	Key    string // identifies the expression, such as `tostring(Properties.Country)`; unique within a table
	// SQL is a DuckDB expression of one value, with the token $col where the physical column stands. What it gives is
	// stored as it is, in the type that it has: BOOLEAN, a whole number up to BIGINT, DOUBLE, VARCHAR, UUID or
	// TIMESTAMPTZ. It must be a function of the column alone.
	SQL  string
	Type value.Type // the KQL type that a reader makes of it
}

// derivedDef is a promotion in the catalog.
type derivedDef struct {
	Derived
	Phys    string // column in the segments that carry it; never used again for another
	SQLType string // DuckDB type of the expression
}

// ErrDerived says that an expression can't be promoted.
var ErrDerived = errors.New("the expression can't be promoted")

// derivedTypes are the types that come back from a file as they went in.
var derivedTypes = []string{"BOOLEAN", "TINYINT", "SMALLINT", "INTEGER", "BIGINT", "DOUBLE", "VARCHAR", "UUID", "TIMESTAMP WITH TIME ZONE"}

// apply puts the column into the expression.
func (d *Derived) apply(column string) string {
	return "(" + strings.ReplaceAll(d.SQL, "$col", column) + ")"
}

func (d *Derived) same(o *Derived) bool {
	return d.Key == o.Key && d.SQL == o.SQL && d.Type == o.Type && d.Column == o.Column
}

// Promote has the segments that are written from now on carry the expression as a column; older ones are rewritten by
// [Lake.Run] in small steps. It does nothing when the table has this promotion, and replaces one that has the same key
// and another expression. Errors wrap [ErrDerived] (also when the expression failed on rows before) or [ErrNoTable].
func (l *Lake) Promote(ctx context.Context, table string, d Derived) error {
	no := func(format string, a ...any) error {
		return fmt.Errorf("promote %.200s of %s: %w: %s", d.Key, table, ErrDerived, fmt.Sprintf(format, a...))
	}
	t := l.current().table(table)
	if t == nil {
		return fmt.Errorf("promote %.200s: table %s: %w", d.Key, table, ErrNoTable)
	}
	if slices.ContainsFunc(t.Derived, func(o *derivedDef) bool { return o.same(&d) }) {
		return nil
	}
	c := t.column(d.Column)
	switch {
	case d.Key == "" || len(d.Key) > MaxDerivedKey:
		return no("its key has %d bytes; use 1 to %d", len(d.Key), MaxDerivedKey)
	case len(d.SQL) > MaxDerivedSQL || !strings.Contains(d.SQL, "$col"):
		return no("its SQL has %d bytes; use at most %d, and $col for the column", len(d.SQL), MaxDerivedSQL)
	case d.Type == value.Invalid || d.Type >= value.Unknown:
		return no("%s is no type of a column", d.Type)
	case c == nil:
		return no("the table stores no column %s", d.Column)
	case slices.Contains(t.Shun, d.Key):
		return no("it failed on stored rows before")
	}
	typ, err := l.typeOf(ctx, d.apply("c"), sqlType(c.Type))
	if err != nil {
		return no("%v", err)
	}
	if !slices.Contains(derivedTypes, typ) {
		return no("it gives %s; use one of %s", typ, strings.Join(derivedTypes, ", "))
	}
	return l.do(ctx, func(e *edit) error {
		t := e.cat.table(table)
		if t == nil {
			return fmt.Errorf("promote %.200s: table %s: %w", d.Key, table, ErrNoTable)
		}
		if slices.ContainsFunc(t.Derived, func(o *derivedDef) bool { return o.same(&d) }) {
			return nil
		}
		t = e.change(t.Name)
		t.Derived = slices.DeleteFunc(t.Derived, func(o *derivedDef) bool { return o.Key == d.Key })
		if len(t.Derived) >= MaxDerived {
			return no("the table has its limit of %d promotions", MaxDerived)
		}
		t.Derived = append(t.Derived, &derivedDef{Derived: d, Phys: t.physical("p$" + strconv.FormatInt(e.id(), 10)), SQLType: typ})
		return nil
	})
}

// Demote ends a promotion; segments lose the column when they are next rewritten.
func (l *Lake) Demote(ctx context.Context, table, key string) error {
	return l.do(ctx, func(e *edit) error {
		t := e.cat.table(table)
		if t == nil {
			return fmt.Errorf("demote %.200s: table %s: %w", key, table, ErrNoTable)
		}
		if slices.ContainsFunc(t.Derived, func(o *derivedDef) bool { return o.Key == key }) {
			t = e.change(t.Name)
			t.Derived = slices.DeleteFunc(t.Derived, func(o *derivedDef) bool { return o.Key == key })
		}
		return nil
	})
}

// Promoted lists the promotions of a table as of the last commit, in the order they were made; nil when there is no
// such table.
func (l *Lake) Promoted(table string) []Derived {
	t := l.current().table(table)
	if t == nil {
		return nil
	}
	out := make([]Derived, len(t.Derived))
	for i, d := range t.Derived {
		out[i] = d.Derived
	}
	return out
}

// typeOf is the DuckDB type of an expression over a column c that holds a null of the given type.
func (l *Lake) typeOf(ctx context.Context, expr, column string) (typ string, err error) {
	s, err := l.Snapshot(ctx)
	if err != nil {
		return "", err
	}
	defer s.Close()
	err = s.Query(ctx, `SELECT typeof(`+expr+`) FROM (SELECT NULL::`+column+` AS c)`, nil, texts("t"), func(f *value.Frame) error {
		typ = f.Vecs[0].S[0]
		return nil
	})
	return typ, err
}

// derivedCols adds the promoted expressions that are asked for, and says under which name each is found.
func (t *tableDef) derivedCols(cols []relCol, asked []Derived) ([]relCol, map[string]string) {
	if len(asked) == 0 {
		return cols, nil
	}
	names := map[string]string{}
	for i := range asked {
		for _, d := range t.Derived {
			if d.same(&asked[i]) && names[d.Key] == "" {
				names[d.Key] = d.Phys
				cols = append(cols, d.col(t))
			}
		}
	}
	return cols, names
}

func (d *derivedDef) col(t *tableDef) relCol {
	base := t.column(d.Column)
	return relCol{
		RelColumn: RelColumn{Name: d.Key, Type: d.Type, Physical: d.Phys}, phys: d.Phys, derived: d,
		base: &relCol{RelColumn: RelColumn{Name: base.Name, Type: base.Type, Physical: base.Phys}, phys: base.Phys},
	}
}

// isDerivedError says that DuckDB could not compute something from rows, as opposed to a fault of disk or memory.
func isDerivedError(err error) bool {
	var de *duck.Error
	return errors.As(err, &de) && (dataKinds[de.Kind] || de.Kind == "Binder" || de.Kind == "Catalog" || de.Kind == "Parser") && !duck.IsFull(err)
}

// shun ends the promotions of a table that fail on the sources, and remembers them. It says whether there were any.
func (l *Lake) shun(ctx context.Context, table string, find func(s *Snapshot, t *tableDef) []source) (bool, error) {
	t := l.current().table(table)
	if t == nil {
		return false, nil
	}
	var bad []string
	for _, d := range t.Derived {
		why, err := l.derivedFails(ctx, table, d, find)
		if err != nil {
			return false, err
		}
		if why != nil {
			slog.Warn("lake: a promoted expression fails on stored rows and is dropped", "table", table, "expression", d.Key, "error", why)
			l.tell(EventDemoted, table, fmt.Sprintf("%s: %v", d.Key, why))
			bad = append(bad, d.Key)
		}
	}
	if len(bad) == 0 {
		return false, nil
	}
	return true, l.do(ctx, func(e *edit) error {
		t := e.cat.table(table)
		if t == nil {
			return nil
		}
		t = e.change(t.Name)
		t.Derived = slices.DeleteFunc(t.Derived, func(o *derivedDef) bool { return slices.Contains(bad, o.Key) })
		t.Shun = append(slices.Clone(t.Shun), bad...)
		t.Shun = t.Shun[max(0, len(t.Shun)-maxDerivedShuns):]
		return nil
	})
}

func (l *Lake) derivedFails(ctx context.Context, table string, d *derivedDef, find func(s *Snapshot, t *tableDef) []source) (why, err error) {
	s, err := l.Snapshot(ctx)
	if err != nil {
		return nil, err
	}
	defer s.Close()
	t := s.cat.table(table)
	if t == nil || t.column(d.Column) == nil {
		return nil, nil
	}
	q := `SELECT coalesce(sum(hash(` + duck.Quote(d.Phys) + `)), 0)::DOUBLE FROM ` + relationSQL(t, []relCol{d.col(t)}, find(s, t))
	err = s.Query(ctx, q, nil, value.Schema{{Name: "h", Type: value.Real}}, func(*value.Frame) error { return nil })
	if isDerivedError(err) {
		return err, nil
	}
	return nil, err
}

// lacks says that a segment should be rewritten: it has a column from which a promotion is computed, and not the
// promotion.
func (t *tableDef) lacks(g *segment) bool {
	for _, d := range t.Derived {
		if c := t.column(d.Column); c != nil && slices.Contains(g.Columns, c.Phys) && !slices.Contains(g.Derived, d.Phys) {
			return true
		}
	}
	return false
}

// promoteStep rewrites one segment that lacks a promotion, the newest first. It says whether there was one.
func (l *Lake) promoteStep(ctx context.Context) (bool, error) {
	var table string
	var newest *segment
	for name, t := range l.current().tables {
		for _, g := range t.Segs {
			if (newest == nil || g.TMax > newest.TMax) && t.lacks(g) {
				table, newest = name, g
			}
		}
	}
	if newest == nil {
		return false, nil
	}
	return true, l.rewrite(ctx, table, nil, []*segment{newest})
}

// promoteDue rewrites segments while the share of time that this takes is small: after a step, its fourfold passes
// before the next.
func (l *Lake) promoteDue(ctx context.Context) error {
	now := time.Now()
	if now.Before(l.promoteNext) {
		return nil
	}
	_, err := l.promoteStep(ctx)
	l.promoteNext = time.Now().Add(4 * time.Since(now))
	return err
}

// Materialize rewrites all segments of a table that lack a promotion now, as [Lake.Run] does little by little.
func (l *Lake) Materialize(ctx context.Context, table string) error {
	for {
		t := l.current().table(table)
		if t == nil {
			return fmt.Errorf("materialize the promotions of %s: %w", table, ErrNoTable)
		}
		i := slices.IndexFunc(t.Segs, t.lacks)
		if i < 0 {
			return nil
		}
		if err := l.rewrite(ctx, t.Name, nil, []*segment{t.Segs[i]}); err != nil {
			return fmt.Errorf("materialize the promotions of %s: %w", table, err)
		}
	}
}
