// Package dialect says parts of a plan in the SQL of DuckDB: the largest sub-plans whose answer SQL gives exactly
// become fragments, and the plan reads them through leaves that another engine fills; the rest stays for kql/exec.
//
// "Exactly" is KQL's meaning, not SQL's: strings are never null, `==` of one null is false, NaN equals nothing,
// terms end at whatever is no letter or digit, datetimes keep seven digits. What SQL would answer otherwise is not
// lowered. Where only rare data would come out otherwise (a sum beyond 64 bits, a dynamic number in a form that
// tostring() writes differently) the SQL fails on such data, and the caller runs the plan that was not lowered:
// see [Inexact].
//
//	low, err := dialect.Lower(q, tables)
//	low.Query             // ExternalRel leaves with the IDs of
//	low.Fragments[i].SQL  // self-contained: no parameters
//
// It does no I/O and knows no store: tables come from the caller as something that can stand after FROM.
package dialect

import (
	"picket/kql/plan"
	"picket/kql/value"
	"strings"
)

// Tables gives base tables as SQL.
type Tables interface {
	// Relation describes the table of a scan, or gives nil when it has no rows at all.
	Relation(s *plan.Scan) (*Relation, error)
}

// Relation is a table that SQL can read.
type Relation struct {
	SQL     string   // stands after FROM, parenthesised
	Where   string   // a condition on its columns that every row must meet; may be empty
	Columns []Column // those that the scan asks for and the table has
	Derived []DerivedColumn
}

// Column is a column of a relation, stored as kql/value's types are in the lake: datetime as TIMESTAMPTZ, timespan
// as BIGINT ticks, dynamic as JSON text, string never null.
type Column struct {
	Name     string // as in the scan's Out
	Physical string // its name in the SQL, not quoted
	Ticks    string // the companion with the seventh digit of a datetime, or ""
	NotNull  bool   // no row lacks it
}

// Fragment is a part of the plan in SQL.
type Fragment struct {
	ID     int // of the ExternalRel that reads it
	SQL    string
	Schema value.Schema
	Node   plan.Node // what it stands for
	Whole  bool      // the fragment is a whole result of the query
}

// Lowered is a plan with parts in SQL.
type Lowered struct {
	Query     *plan.Query
	Fragments []Fragment
	Wanted    []Wanted // by table and key
}

// inexact is how SQL says at run time that it can't give KQL's answer.
const inexact = "picket: SQL says this data otherwise than KQL"

// Inexact reports whether the message of a DuckDB error means only that the data is outside of what the SQL says
// exactly, or can compute: the same plan without lowering has an answer.
func Inexact(message string) bool {
	if strings.Contains(message, inexact) {
		return true
	}
	for _, kind := range []string{"Out of Range Error", "Conversion Error", "Invalid Input Error", "Binder Error", "Parser Error", "Catalog Error", "Not implemented Error"} {
		if strings.HasPrefix(message, kind) {
			return true
		}
	}
	return false
}

// Mistake reports whether the message means that the SQL itself is wrong: an answer without it is right, and the
// message belongs in a log.
func Mistake(message string) bool {
	for _, kind := range []string{"Binder Error", "Parser Error", "Catalog Error", "Not implemented Error"} {
		if strings.HasPrefix(message, kind) {
			return true
		}
	}
	return false
}

// Lower says what it can of q in SQL. The query given is not changed.
func Lower(q *plan.Query, t Tables) (*Lowered, error) {
	l := &lowering{t: t, maxID: maxExternal(q), subs: map[plan.Expr]plan.Expr{}, calls: table(), wants: map[string]*want{}}
	out := *q
	out.Shared = make([]*plan.Shared, len(q.Shared))
	for i, s := range q.Shared {
		c := *s
		c.Node = l.whole(s.Node, false)
		out.Shared[i] = &c
	}
	out.Results = append([]plan.Result(nil), q.Results...)
	for i := range out.Results {
		out.Results[i].Node = l.whole(q.Results[i].Node, true)
	}
	if l.err != nil {
		return nil, l.err
	}
	return &Lowered{Query: &out, Fragments: l.frags, Wanted: l.wanted()}, nil
}

func maxExternal(q *plan.Query) int {
	most := 0
	see := func(n plan.Node) bool {
		if x, ok := n.(*plan.ExternalRel); ok && x.ID > most {
			most = x.ID
		}
		return true
	}
	for _, s := range q.Shared {
		plan.Walk(s.Node, see)
	}
	for i := range q.Results {
		plan.Walk(q.Results[i].Node, see)
	}
	return most
}
