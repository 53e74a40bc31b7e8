package bind

import (
	"picket/kql/catalog"
	"picket/kql/syntax"
	"picket/kql/value"
	"strings"
)

// arg is one argument of a call or operand of an operator.
type arg struct {
	operand
	x    syntax.Expr // as written, without a name
	name *syntax.Name
	star bool
}

func (a *arg) at() syntax.Span {
	if a.x == nil {
		return syntax.Span{}
	}
	return a.x.Range()
}

// match says how well an argument fits a parameter; larger is better.
type match uint8

const (
	matchNone match = iota
	matchUnknown
	matchDynamic
	matchCompatible
	matchPromoted
	matchNotType
	matchOneOfMany
	matchScalar
	matchSummable
	matchOrderable
	matchNumber
	matchInteger
	matchTabular
	matchTable
	matchDatabase
	matchCluster
	matchExact
)

// matcher lays arguments out over the parameters of one signature. types may differ from the arguments' own.
type matcher struct {
	args    []arg
	types   []typ
	lenient bool // the engine's rules: what is known of a dynamic doesn't bar it
}

func (b *binder) newMatcher(args []arg) *matcher {
	m := &matcher{args: args, types: make([]typ, len(args)), lenient: !b.opt.Editor}
	for i := range args {
		m.types[i] = args[i].typ()
	}
	return m
}

// layout gives each argument its parameter, nil for those beyond the signature.
func (m *matcher) layout(f *catalog.Function, s *catalog.Signature) []*catalog.Param {
	n := len(m.args)
	out := make([]*catalog.Param, n)
	switch {
	case s.Layout == catalog.Special:
		m.special(f, s, out)
	case s.Layout == catalog.Block:
		first, last := 0, 0
		for i := range s.Params {
			if s.Params[i].Max > 1 {
				last = i
			}
		}
		for first < len(s.Params) && s.Params[first].Max <= 1 {
			first++
		}
		k := last - first + 1
		after := len(s.Params) - last - 1
		groups := (max(k, n-first-after) + k - 1) / k
		end := first + groups*k - 1
		for i := range out {
			switch {
			case i < first:
				out[i] = &s.Params[i]
			case i <= end:
				out[i] = &s.Params[first+(i-first)%k]
			default:
				if j := last + i - end; j < len(s.Params) {
					out[i] = &s.Params[j]
				}
			}
		}
	case s.Repeats:
		m.repeating(s, out)
	default:
		for i := range out {
			if i < len(s.Params) {
				out[i] = &s.Params[i]
			}
		}
	}
	return out
}

// repeating fills parameters greedily; when a parameter may end, the one that fits better wins.
func (m *matcher) repeating(s *catalog.Signature, out []*catalog.Param) {
	cur, count := 0, 0
	for i := range out {
		if i >= s.MaxArgs {
			continue
		}
		p := &s.Params[cur]
		if cur < len(s.Params)-1 && count >= p.Max {
			cur++
			count = 0
			p = &s.Params[cur]
		}
		switch {
		case count < p.Min || count == 0 && p.Min == 0:
			out[i] = p
			count++
		case cur == len(s.Params)-1:
			if count < p.Max {
				out[i] = p
				count++
			}
		default:
			next := &s.Params[cur+1]
			here := m.kind(out, p, i, false)
			there := m.kind(out, next, i, false)
			if here >= there && here != matchNone || there == matchNone {
				out[i] = p
				count++
			} else {
				out[i] = next
				cur++
				count = 1
			}
		}
	}
}

// special lays out the calls whose optional parameters are told apart by what they are.
func (m *matcher) special(f *catalog.Function, s *catalog.Signature, out []*catalog.Param) {
	p := func(name string) *catalog.Param {
		for i := range s.Params {
			if s.Params[i].Name == name {
				return &s.Params[i]
			}
		}
		return nil
	}
	isBool := func(i int) bool { return m.types[i].is(value.Bool) }
	switch f.Name {
	case "array_sort_asc", "array_sort_desc":
		for i := range out {
			if i < len(out)-1 || !isBool(i) {
				out[i] = p("arrays")
			} else {
				out[i] = p("nulls_last")
			}
		}
	case "new_activity_metrics":
		names := []string{"IdColumn", "TimelineColumn", "Start", "End", "Window"}
		for i := range out {
			switch {
			case i < len(names):
				out[i] = p(names[i])
			case i == 5 && (m.args[i].isConst || m.args[i].col == nil) && m.args[i].kind != opTable:
				out[i] = p("Cohort")
			case m.args[i].kind == opTable:
				out[i] = p("lookback")
			default:
				out[i] = p("Dimension")
			}
		}
	case "sequence_detect":
		i := 0
		for ; i < len(out) && i < 4; i++ {
			out[i] = &s.Params[i]
		}
		for ; i < len(out) && isBool(i); i++ {
			out[i] = p("Expr")
		}
		for ; i < len(out); i++ {
			out[i] = p("Dimension")
		}
	case "ipv4_lookup":
		for i := range out {
			a := &m.args[i]
			switch {
			case i < 3:
				out[i] = &s.Params[i]
			case i == len(out)-1 && (a.name != nil && a.name.Text == "return_unmatched" || a.name == nil && a.lit && isBool(i)):
				out[i] = p("return_unmatched")
			default:
				out[i] = p("ExtraKey")
			}
		}
	default: // bag_unpack, ipv6_lookup, geo_polygon_lookup, geo_line_lookup: named or in order
		for i := range out {
			if n := m.args[i].name; n != nil {
				for j := range s.Params {
					if strings.EqualFold(s.Params[j].Name, n.Text) || f == &unpackFull && j == 1 && n.Text == "column_prefix" {
						out[i] = &s.Params[j]
					}
				}
			} else if i < len(s.Params) {
				out[i] = &s.Params[i]
			}
		}
	}
}

// commonType is the type that all arguments of Common parameters share.
func (m *matcher) commonType(params []*catalog.Param, ignoreDynamic bool) (typ, bool) {
	var t typ
	set := false
	for i, p := range params {
		if p == nil {
			continue
		}
		a := m.types[i]
		if ignoreDynamic && a.isDynamic() {
			continue
		}
		allowed := convPromotable
		switch p.Kind {
		case catalog.CommonScalar:
			if !m.args[i].isScalar() {
				continue
			}
		case catalog.CommonOrderable:
			if !a.isOrderable() {
				continue
			}
		case catalog.CommonScalarOrDynamic:
			if !m.args[i].isScalar() {
				continue
			}
			allowed = convDynamic
		default:
			continue
		}
		if !set {
			t, set = a, true
			continue
		}
		var ok bool
		if t, ok = common(t, a, allowed); !ok {
			return tErr, false
		}
	}
	if !set && ignoreDynamic {
		return m.commonType(params, false)
	}
	return t, set
}

func isStringOrArray(t typ) bool {
	if t.is(value.String) || t.isAny() {
		return true
	}
	if !t.isDynamic() {
		return false
	}
	return t.shape == shapePrim && t.elem.is(value.String) || t.shape == shapeArray && (t.elem == nil || t.elem.is(value.String))
}

func isIntegerOrArray(t typ) bool {
	if t.isInteger() || t.isAny() {
		return true
	}
	if !t.isDynamic() {
		return false
	}
	return t.shape == shapePrim && t.elem.is(value.Long) || t.shape == shapeArray && (t.elem == nil || t.elem.is(value.Long))
}

func isArray(t typ) bool { return t.isAny() || t.isDynamic() && t.shape == shapeArray }
func isBag(t typ) bool   { return t.isAny() || t.isDynamic() && t.shape == shapeBag }

// kind tells how argument i fits parameter p.
func (m *matcher) kind(params []*catalog.Param, p *catalog.Param, i int, coerce bool) match {
	if p == nil {
		return matchNone
	}
	a, t := &m.args[i], m.types[i]
	if t.isUnknown() && a.kind == opScalar {
		return matchUnknown
	}
	if p.Skip != "" && a.lit && a.val != nil && a.val.Type == value.String && a.val.S == p.Skip {
		return matchExact
	}
	if a.star {
		if p.Arg == catalog.StarOnly || p.Arg == catalog.StarAllowed {
			return matchExact
		}
		return matchNone
	}
	if p.Arg == catalog.StarOnly {
		return matchNone
	}
	when := func(ok bool, k match) match {
		if ok {
			return k
		}
		return matchNone
	}
	sc := a.isScalar()
	if m.lenient && t.isDynamic() {
		t = tDynamic
	}
	switch p.Kind {
	case catalog.Any:
		return matchUnknown
	case catalog.Declared:
		if p.TypeName {
			return when(t.name && a.kind == opType, matchExact)
		}
		if !sc {
			return matchNone
		}
		fits := func(c conversion) bool {
			for _, d := range p.Types {
				if assignable(scalar(d), t, c) {
					return true
				}
			}
			return false
		}
		switch {
		case fits(convNone):
			return when(true, map[bool]match{true: matchExact, false: matchOneOfMany}[len(p.Types) == 1])
		case fits(convPromotable):
			return matchPromoted
		case coerce && fits(convDynamic):
			return matchDynamic
		case coerce && fits(convCompatible):
			return matchCompatible
		}
	case catalog.Scalar:
		return when(sc, matchScalar)
	case catalog.Integer:
		return when(t.isInteger(), matchInteger)
	case catalog.StringOrDynamic:
		return when(t.is(value.String) || t.isDynamic(), matchOneOfMany)
	case catalog.StringOrArray:
		return when(isStringOrArray(t), matchOneOfMany)
	case catalog.IntegerOrArray:
		return when(isIntegerOrArray(t), matchOneOfMany)
	case catalog.DynamicArray:
		return when(isArray(t), matchOneOfMany)
	case catalog.DynamicBag:
		return when(isBag(t), matchOneOfMany)
	case catalog.Number:
		return when(t.isNumeric(), matchNumber)
	case catalog.NumberOrBool:
		return when(t.isNumeric() || t.is(value.Bool), matchNumber)
	case catalog.Summable:
		return when(t.isSummable(), matchSummable)
	case catalog.Orderable:
		return when(t.isOrderable(), matchOrderable)
	case catalog.Tabular:
		return when(a.kind == opTable, matchTabular)
	case catalog.NotBool:
		return when(!t.is(value.Bool), matchNotType) // a table is none either: then the check says so
	case catalog.NotRealOrBool:
		return when(!t.is(value.Real) && !t.is(value.Bool), matchNotType)
	case catalog.NotDynamic:
		return when(sc && !t.isDynamic(), matchNotType)
	case catalog.Parameter0:
		return m.kind(params, params[0], i, coerce)
	case catalog.Parameter1:
		return m.kind(params, params[1], i, coerce)
	case catalog.CommonScalar, catalog.CommonOrderable, catalog.CommonScalarOrDynamic:
		c, ok := m.commonType(params, false)
		if !ok {
			return matchNone
		}
		switch {
		case assignable(c, t, convNone):
			return matchExact
		case assignable(c, t, convPromotable):
			return matchPromoted
		case assignable(c, t, convDynamic):
			return matchDynamic
		case p.Kind == catalog.CommonScalarOrDynamic && t.isDynamic():
			return matchExact
		}
	}
	return matchNone
}

// fit is how well all arguments fit a signature.
type fit struct {
	count       int
	worst, best match
}

func (m *matcher) fit(f *catalog.Function, s *catalog.Signature) fit {
	params := m.layout(f, s)
	r := fit{worst: matchExact, best: matchNone}
	for i := range m.args {
		k := m.kind(params, params[i], i, false)
		if k != matchNone {
			r.count++
		}
		r.worst = min(r.worst, k)
		r.best = max(r.best, k)
	}
	return r
}

// better compares two fits of n arguments: >0 when a is better.
func better(a, b fit, n int) int {
	if a.count == n && b.count < n {
		return a.count - b.count
	}
	if a.worst != b.worst {
		return int(a.worst) - int(b.worst)
	}
	if a.best != b.best {
		return int(a.best) - int(b.best)
	}
	return a.count - b.count
}

// choose gives the signatures that fit best: one when the call is clear.
func (m *matcher) choose(f *catalog.Function, all bool) []*catalog.Signature {
	n := len(m.args)
	if len(f.Signatures) == 1 {
		return []*catalog.Signature{&f.Signatures[0]}
	}
	var c []*catalog.Signature
	most := 0
	for i := range f.Signatures {
		s := &f.Signatures[i]
		if n >= s.MinArgs && n <= s.MaxArgs {
			c = append(c, s)
		}
		most = max(most, s.MaxArgs)
	}
	if len(c) == 0 {
		for i := range f.Signatures {
			if s := &f.Signatures[i]; most >= s.MinArgs && most <= s.MaxArgs {
				c = append(c, s)
			}
		}
	}
	if len(c) < 2 {
		return c
	}
	fits := make([]fit, len(c))
	top := 0
	for i, s := range c {
		fits[i] = m.fit(f, s)
		top = max(top, fits[i].count)
	}
	if all {
		top = max(top, n)
	}
	k := 0
	for i := range c {
		if fits[i].count == top {
			c[k], fits[k] = c[i], fits[i]
			k++
		}
	}
	c, fits = c[:k], fits[:k]
	if len(c) < 2 {
		return c
	}
	best := 0
	for i := 1; i < len(c); i++ {
		switch d := better(fits[i], fits[best], n); {
		case d > 0:
			best = i
		case d == 0:
			return c
		}
	}
	for i := range c {
		if i != best && better(fits[best], fits[i], n) <= 0 {
			return c
		}
	}
	return c[best : best+1]
}

// result is the type of a call by signature s.
func (b *binder) resultType(m *matcher, f *catalog.Function, s *catalog.Signature) typ {
	params := m.layout(f, s)
	of := func(j int) (int, bool) {
		if j < 0 || j >= len(s.Params) {
			return 0, false
		}
		for i, p := range params {
			if p == &s.Params[j] {
				return i, true
			}
		}
		return 0, false
	}
	typeOf := func(j int) typ {
		if i, ok := of(j); ok {
			return m.types[i]
		}
		return tErr
	}
	literal := func(j int) typ {
		i, ok := of(j)
		if !ok {
			return tErr
		}
		if m.args[i].kind == opType {
			return m.args[i].t
		}
		return tUnknown
	}
	switch s.Return {
	case catalog.Typed:
		return catalogType(s)
	case catalog.FromParameter0:
		return typeOf(0)
	case catalog.FromParameter0Promoted:
		return promoteInt(typeOf(0))
	case catalog.FromParameter0Array:
		return arrayOf(typeOf(0))
	case catalog.FromParameter1:
		return typeOf(1)
	case catalog.FromTypeLiteral0:
		return literal(0)
	case catalog.FromTypeLiteral1:
		return literal(1)
	case catalog.FromTypeLiteralN:
		return literal(len(s.Params) - 1)
	case catalog.Common, catalog.CommonNonDynamic:
		if t, ok := m.commonType(params, s.Return == catalog.CommonNonDynamic); ok {
			return t
		}
		return tErr
	case catalog.Widest:
		return promoteInt(widest(m.types))
	}
	return tErr
}

// commonResult is the result type on which several signatures agree.
func (b *binder) commonResult(m *matcher, f *catalog.Function, sigs []*catalog.Signature) typ {
	if len(sigs) == 0 {
		return tErr
	}
	first := b.resultType(m, f, sigs[0])
	for _, s := range sigs[1:] {
		if t := b.resultType(m, f, s); !assignable(first, t, convNone) {
			if m.doubtful() {
				return tUnknown
			}
			return tErr
		}
	}
	return first
}

// doubtful: some argument had an error or isn't known, so that a mismatch isn't worth an error.
func (m *matcher) doubtful() bool {
	for i := range m.args {
		if m.args[i].kind == opErr || m.args[i].kind == opScalar && (m.types[i].isErr() || m.types[i].isUnknown()) {
			return true
		}
	}
	return false
}

func (m *matcher) typeNames() string {
	p := make([]string, len(m.args))
	for i := range m.args {
		p[i] = m.args[i].typeName()
	}
	return strings.Join(p, ", ")
}

func (o *operand) typeName() string {
	switch o.kind {
	case opTable:
		return "table"
	case opGraph:
		return "graph"
	case opDatabase:
		return "database"
	case opCluster:
		return "cluster"
	case opTuple:
		if len(o.tuple) != 1 {
			return "tuple"
		}
	}
	return o.typ().String()
}
