package dialect

import (
	"fmt"
	"picket/kql/plan"
	"picket/kql/value"
	"strconv"
	"strings"
)

// maxExpr is the length of an expression beyond which a sub-select gives it a name; maxSQL bounds a statement.
const (
	maxExpr = 1500
	maxSQL  = 1 << 20
)

// rel is a sub-plan as one SELECT in the making: expressions of its columns over from, where, order and limit.
type rel struct {
	from  string
	where []string
	cols  map[plan.ColID]sx
	out   []plan.Col
	order []orderTerm
	limit int64 // -1: none
	weak  bool  // holds constants only
	base  bool  // from is a stored table
}

type orderTerm struct{ sql, how string } // how: "DESC NULLS LAST"

func name(id plan.ColID) string { return "c" + strconv.Itoa(int(id)) }

// sql writes the SELECT with the given list.
func (r *rel) sql(list []string) string {
	var b strings.Builder
	b.WriteString("SELECT ")
	b.WriteString(strings.Join(list, ", "))
	b.WriteString(" FROM ")
	b.WriteString(r.from)
	if len(r.where) > 0 {
		b.WriteString(" WHERE ")
		b.WriteString(strings.Join(inOrder(r.where), " AND "))
	}
	if len(r.order) > 0 {
		terms := make([]string, len(r.order))
		for i, o := range r.order {
			terms[i] = o.sql + " " + o.how
		}
		b.WriteString(" ORDER BY " + strings.Join(terms, ", "))
	}
	if r.limit >= 0 {
		fmt.Fprintf(&b, " LIMIT %d", r.limit)
	}
	return b.String()
}

// final is the SELECT of a fragment: its columns in order, in forms that the reader of results takes.
func (r *rel) final() (string, bool) {
	list := make([]string, len(r.out))
	for i, c := range r.out {
		list[i] = r.cols[c.ID].result() + " AS " + name(c.ID)
	}
	s := r.sql(list)
	return s, len(s) <= maxSQL
}

// wrap makes r a sub-select whose columns have names of their own. An order goes on holding, by hidden columns;
// drop says that nobody needs it any more (it still decides which rows a limit keeps).
func (r *rel) wrap(drop bool) *rel {
	w := &rel{cols: make(map[plan.ColID]sx, len(r.out)), out: r.out, limit: -1, weak: r.weak}
	list := make([]string, 0, len(r.out)+1)
	seen := map[plan.ColID]bool{}
	for _, c := range r.out {
		if seen[c.ID] {
			continue
		}
		seen[c.ID] = true
		x := r.cols[c.ID]
		list = append(list, x.stored()+" AS "+name(c.ID))
		w.cols[c.ID] = x.renamed(name(c.ID))
	}
	inner := *r
	if r.limit < 0 {
		inner.order = nil
	}
	if !drop {
		for i, o := range r.order {
			h := "o" + strconv.Itoa(i+1)
			list = append(list, o.sql+" AS "+h)
			w.order = append(w.order, orderTerm{h, o.how})
		}
	}
	if len(list) == 0 {
		list = []string{"1 AS one"}
	}
	w.from = "(" + fence(inner.sql(list), inner.limit) + ")"
	return w
}

// fence keeps conditions that follow a limit from being moved below it: DuckDB 1.5 hands what it learns from the
// other side of a join, or from a scalar sub-select, down through LIMIT to the scan.
func fence(sql string, limit int64) string {
	if limit < 0 {
		return sql
	}
	return "WITH m AS MATERIALIZED (" + sql + ") SELECT * FROM m"
}

// plain is r ready for a condition or a new list of columns: a limit is behind a sub-select.
func (r *rel) plain() *rel {
	if r.limit >= 0 {
		return r.wrap(false)
	}
	c := *r
	c.where = r.where[:len(r.where):len(r.where)]
	return &c
}

func (r *rel) scope(l *lowering) scope { return scope{l: l, cols: r.cols} }

// inOrder keeps costly conditions behind those that read inside a dynamic and spare them most rows; DuckDB would try
// them in any order. Conditions on plain columns stay apart, where they can prune.
func inOrder(where []string) []string {
	var out, mid, costly []string
	for _, w := range where {
		switch {
		case strings.Contains(w, "error('"):
			costly = append(costly, w)
		case strings.Contains(w, " ->> "):
			mid = append(mid, w)
		default:
			out = append(out, w)
		}
	}
	if len(costly) == 0 || len(mid) == 0 {
		return where
	}
	return append(out, "CASE WHEN "+strings.Join(mid, " AND ")+" THEN "+strings.Join(costly, " AND ")+" ELSE FALSE END")
}

// lets are texts of places in dynamics that a SELECT reads several times: a sub-select below computes each once.
type lets struct {
	l     *lowering
	exprs []string
	names []string
	done  bool // the SELECT is made: what comes later is written out
}

func (t *lets) name(expr string) string {
	for i, e := range t.exprs {
		if e == expr {
			return t.names[i]
		}
	}
	if t.done {
		return expr
	}
	t.l.lets++
	n := "j" + strconv.Itoa(t.l.lets) + "_"
	t.exprs, t.names = append(t.exprs, expr), append(t.names, n)
	return n
}

// share names an expression that is read several times; without lets it stays as it is.
func (t *lets) share(expr string) string {
	if t == nil || !strings.Contains(expr, "(") {
		return expr
	}
	return t.name(expr)
}

// computing is a scope whose expressions may share what they read inside dynamics; end puts that below r.
func (r *rel) computing(l *lowering) (scope, func()) {
	t := &lets{l: l}
	return scope{l: l, cols: r.cols, lets: t}, func() {
		t.done = true
		if len(t.exprs) == 0 {
			return
		}
		// one sub-select a level: what reads another let stands above it
		level := make([]int, len(t.exprs))
		top := 0
		for i, e := range t.exprs {
			for j := range i {
				if strings.Contains(e, t.names[j]) && level[i] <= level[j] {
					level[i] = level[j] + 1
				}
			}
			top = max(top, level[i])
		}
		for at := 0; at <= top; at++ {
			list := []string{"*"}
			for i, e := range t.exprs {
				if level[i] == at {
					list = append(list, e+" AS "+t.names[i])
				}
			}
			inner := &rel{from: r.from, where: r.where, limit: -1}
			r.from, r.where, r.base = "("+inner.sql(list)+") AS t", nil, false
		}
	}
}

// heavy reports whether one of the expressions reads a computed column that is better computed once.
func (r *rel) heavy(es ...plan.Expr) bool {
	uses := map[plan.ColID]int{}
	for _, e := range es {
		plan.WalkExpr(e, func(e plan.Expr) bool {
			if c, ok := e.(*plan.ColRef); ok {
				uses[c.ID]++
			}
			return true
		})
	}
	for id, n := range uses {
		if size := len(r.cols[id].sql); size > maxExpr || n > 1 && size > maxExpr/8 {
			return true
		}
	}
	return false
}

// rep is how a datetime is held in SQL.
type rep uint8

const (
	repTS     rep = iota // TIMESTAMPTZ
	repMicros            // BIGINT microseconds since 1970
	repTicks             // BIGINT ticks since 0001
)

// sx is an expression in SQL with what is known of it.
type sx struct {
	sql  string
	t    value.Type
	rep  rep
	null bool         // may be null; a string never is
	k    *value.Value // the constant that it is

	// Of a dynamic: sql is the JSON text of a document, path the place in it ("" is all), keys the properties on the
	// way. A document that comes from text has a guard, which gives it for reading below its top.
	path  string
	keys  []key
	guard func(keys []key) string
	lets  *lets
	from  *origin // the stored column that sql is

	noNaN bool   // a real that is never NaN
	ts    string // of a datetime column in ticks: its TIMESTAMPTZ, which is at most a microsecond less
	raw   string // of a tostring(): the leaf's own text, which may be null
	words string // the same where searches for words may read it
	took  func() // to be called when raw or words is used in place of sql
}

// stored is the expression as a column of a sub-select.
func (x sx) stored() string {
	if x.t == value.Dynamic {
		return x.json()
	}
	return x.sql
}

// renamed is x when it has become a column of a sub-select.
func (x sx) renamed(name string) sx {
	y := sx{sql: name, t: x.t, rep: x.rep, null: x.null, noNaN: x.noNaN}
	if x.guard != nil { // JSON by now, but perhaps with a property twice
		y.guard = func(keys []key) string { return onceOnly(name, keys) }
	}
	return y
}

// result is the expression as a result column.
func (x sx) result() string {
	if x.t == value.Datetime && x.rep == repMicros {
		return x.ticks()
	}
	return x.stored()
}

const epochTicks = 621355968000000000

// ticks gives a datetime as BIGINT ticks.
func (x sx) ticks() string {
	switch x.rep {
	case repTS:
		return fmt.Sprintf("(epoch_us(%s) * 10 + %d)", x.sql, int64(epochTicks))
	case repMicros:
		return fmt.Sprintf("(%s * 10 + %d)", x.sql, int64(epochTicks))
	}
	return x.sql
}

// as gives a datetime in another form, where that loses nothing.
func (x sx) as(r rep) (string, bool) {
	if x.k != nil && !x.k.Null {
		if r != repTicks && x.k.I%10 != 0 {
			return "", false
		}
		return timeLiteral(x.k.I, r), true
	}
	if x.k != nil {
		return "NULL::" + sqlType(value.Datetime, r), true
	}
	switch {
	case x.rep == r:
		return x.sql, true
	case r == repTicks:
		return x.ticks(), true
	case x.rep == repTS && r == repMicros:
		return "epoch_us(" + x.sql + ")", true
	case x.rep == repMicros && r == repTS:
		return "make_timestamptz(" + x.sql + ")", true
	}
	return "", false
}

// commonTimes gives datetimes in one form.
func commonTimes(xs ...sx) (out []string, r rep) {
	for _, r := range []rep{repTS, repMicros, repTicks} {
		out = out[:0]
		for _, x := range xs {
			s, ok := x.as(r)
			if !ok || r == repTS && x.k == nil && x.rep != repTS {
				break
			}
			out = append(out, s)
		}
		if len(out) == len(xs) {
			return out, r
		}
	}
	return out, repTicks
}

func timeLiteral(ticks int64, r rep) string {
	micros := (ticks - epochTicks) / 10
	if (ticks-epochTicks)%10 < 0 {
		micros--
	}
	switch r {
	case repTS:
		return fmt.Sprintf("make_timestamptz(%d)", micros)
	case repMicros:
		return longLiteral(micros)
	}
	return longLiteral(ticks)
}

func sqlType(t value.Type, r rep) string {
	switch t {
	case value.Bool:
		return "BOOLEAN"
	case value.Int:
		return "INTEGER"
	case value.Long, value.Timespan:
		return "BIGINT"
	case value.Real:
		return "DOUBLE"
	case value.Datetime:
		if r == repTS {
			return "TIMESTAMPTZ"
		}
		return "BIGINT"
	case value.GUID:
		return "UUID"
	}
	return "VARCHAR"
}

func longLiteral(n int64) string {
	switch {
	case n == -1<<63:
		return "(-9223372036854775807 - 1)"
	case n < 0:
		return "(" + strconv.FormatInt(n, 10) + ")::BIGINT"
	}
	return strconv.FormatInt(n, 10) + "::BIGINT"
}

// text quotes a string; false for what SQL text can't hold.
func text(s string) (string, bool) {
	if strings.IndexByte(s, 0) >= 0 || strings.ToValidUTF8(s, "") != s {
		return "", false
	}
	return "'" + strings.ReplaceAll(s, "'", "''") + "'", true
}

func quoteName(s string) string { return `"` + strings.ReplaceAll(s, `"`, `""`) + `"` }

// literal says a constant.
func literal(v value.Value) (sx, bool) {
	x := sx{t: v.Type, k: &v, null: v.Null}
	if v.Type == value.Datetime && !v.Null && v.I%10 != 0 {
		x.rep = repTicks
	}
	if v.Null {
		x.sql = "NULL::" + sqlType(v.Type, x.rep)
		return x, v.Type != value.String
	}
	switch v.Type {
	case value.Bool:
		x.sql = "FALSE"
		if v.I != 0 {
			x.sql = "TRUE"
		}
	case value.Int:
		x.sql = fmt.Sprintf("(%d)::INTEGER", v.I)
	case value.Long, value.Timespan:
		x.sql = longLiteral(v.I)
	case value.Real:
		x.sql = "'" + strconv.FormatFloat(v.F, 'g', -1, 64) + "'::DOUBLE"
	case value.String:
		s, ok := text(v.S)
		if !ok {
			return x, false
		}
		x.sql = s
	case value.Datetime:
		x.sql = timeLiteral(v.I, x.rep)
	case value.GUID:
		x.sql = "'" + value.FormatGUID(v.G) + "'::UUID"
	case value.Dynamic:
		if !plainElem(v.D) {
			return x, false
		}
		s, ok := text(string(value.AppendJSON(nil, v.D)))
		if !ok {
			return x, false
		}
		x.sql = s
	default:
		return x, false
	}
	return x, true
}

// plainElem reports whether a dynamic element comes back the same from its JSON text.
func plainElem(d any) bool {
	switch x := d.(type) {
	case bool, int64, string:
		return true
	case []any:
		for _, e := range x {
			if e != nil && !plainElem(e) {
				return false
			}
		}
		return true
	case *value.Bag:
		for _, k := range x.Keys() {
			if e, _ := x.Get(k); e != nil && !plainElem(e) {
				return false
			}
		}
		return true
	}
	return false
}
