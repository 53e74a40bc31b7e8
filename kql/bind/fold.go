package bind

import (
	"math"
	"picket/kql/eval"
	"picket/kql/plan"
	"picket/kql/syntax"
	"picket/kql/value"
	"strings"
)

// volatile functions give another value a row, or depend on more than their arguments.
var volatile = map[string]bool{
	"rand": true, "new_guid": true, "prev": true, "next": true, "ingestion_time": true, "extent_id": true, "extentid": true,
	"extent_tags": true, "row_number": true, "row_cumsum": true, "row_rank": true, "row_rank_min": true, "row_rank_dense": true,
	"row_window_session": true, "row_id": true, "geo_info_from_ip_address": true, "bin_auto": true, "estimate_data_size": true,
	"rowstore_ordinal_range": true, "node_id": true, "labels": true, "node_degree_in": true, "node_degree_out": true,
}

// clocked functions are constant once the query's instant is known.
var clocked = map[string]bool{
	"now": true, "ago": true,
}

// call makes a function call, folded when its arguments are constants.
func (b *binder) call(name string, t value.Type, at plan.Span, args ...plan.Expr) plan.Expr {
	c := &plan.Call{Name: name, Args: args, T: t, At: at}
	if b.opt.NoFold || t == value.Invalid || t == value.Unknown {
		return c
	}
	switch name {
	case "And", "Or":
		return b.logic(c)
	}
	if volatile[name] || strings.HasPrefix(name, "current_") || strings.HasPrefix(name, "cursor_") || strings.HasPrefix(name, "__") {
		return c
	}
	if clocked[name] && b.opt.Now == 0 {
		return c
	}
	vecs := make([]*value.Vector, len(args))
	for i, a := range args {
		k, ok := a.(*plan.Const)
		if !ok || k.Val.Type == value.Unknown || k.Val.Type == value.Invalid {
			return c
		}
		vecs[i] = value.ConstOf(k.Val, 1)
	}
	f, ok := eval.Lookup(name)
	if !ok {
		return c
	}
	v, ok := b.run(f, t, vecs)
	if !ok {
		return c
	}
	return &plan.Const{Val: v, At: at}
}

// run evaluates a function over constants; a refusal leaves the call for the engine to report.
func (b *binder) run(f eval.Func, t value.Type, vecs []*value.Vector) (v value.Value, ok bool) {
	defer func() {
		if recover() != nil {
			ok = false
		}
	}()
	if b.ctx == nil {
		b.ctx = eval.NewCtx(b.opt.Now)
	}
	out, err := f(b.ctx, t, 1, vecs)
	if err != nil || out == nil || out.N != 1 {
		return value.Value{}, false
	}
	v = out.At(0)
	return v, v.Type == t && constSize(v) <= maxConst
}

// maxConst bounds folded constants, so that range(1, 1000000) or strrep() don't blow up the plan.
const maxConst = 64 << 10

func constSize(v value.Value) int {
	if v.Type == value.Dynamic {
		return elemSize(v.D)
	}
	return len(v.S)
}

func elemSize(d any) int {
	n := 8
	switch d := d.(type) {
	case string:
		n += len(d)
	case []any:
		for _, x := range d {
			if n += elemSize(x); n > maxConst {
				break
			}
		}
	case *value.Bag:
		for _, k := range d.Keys() {
			x, _ := d.Get(k)
			if n += len(k) + elemSize(x); n > maxConst {
				break
			}
		}
	}
	return n
}

// logic simplifies and / or where one side is a constant that decides or doesn't matter.
func (b *binder) logic(c *plan.Call) plan.Expr {
	and := c.Name == "And"
	for i := 0; i < 2; i++ {
		k, ok := c.Args[i].(*plan.Const)
		if !ok || k.Val.Type != value.Bool || k.Val.Null {
			continue
		}
		other := c.Args[1-i]
		if (k.Val.I != 0) != and { // false and x, true or x
			r := plan.Bool(!and)
			r.At = c.At
			return r
		}
		if other.Type() == value.Bool {
			return other
		}
	}
	return c
}

// truth tells what a constant predicate is.
func truth(e plan.Expr) (isTrue, isConst bool) {
	k, ok := e.(*plan.Const)
	if !ok || k.Val.Type != value.Bool {
		return false, false
	}
	return !k.Val.Null && k.Val.I != 0, true
}

// constValue is the value of a constant expression, or nil.
func constValue(e plan.Expr) *value.Value {
	if k, ok := e.(*plan.Const); ok {
		return &k.Val
	}
	return nil
}

// literal binds a literal.
func (b *binder) literal(x *syntax.Literal) operand {
	v := x.Value
	if x.Type == value.Datetime && !x.Value.Null || x.Undecoded {
		v = b.convert(x.Inner, x.Type)
	}
	v.Type = x.Type
	if !b.opt.Editor && v.Null && v.Type == value.Long && b.isWhole(x.Span) {
		b.failHint(x.Span, "SYN0002", "write real(…) or decimal(…) around it", "the number %s does not fit a long", b.text[x.Start:x.End])
	}
	k := &plan.Const{Val: v, At: plan.Span(x.Span)}
	return operand{kind: opScalar, src: x, t: scalar(x.Type), e: k, isConst: true, lit: true, val: &k.Val}
}

// isWhole says whether a piece of the text is a bare number without a fraction.
func (b *binder) isWhole(at syntax.Span) bool {
	if at.Start < 0 || at.End > len(b.text) || at.Start >= at.End {
		return false
	}
	return strings.Trim(b.text[at.Start:at.End], "0123456789") == ""
}

// convert reads the text of a literal as its type, as the conversion function would.
func (b *binder) convert(text string, t value.Type) value.Value {
	null := value.Value{Type: t, Null: t != value.String}
	if text == "" || text == "null" {
		return null
	}
	f, ok := eval.Lookup("to" + conversionName(t))
	if !ok {
		return null
	}
	if v, ok := b.run(f, t, []*value.Vector{value.ConstOf(value.Value{Type: value.String, S: text}, 1)}); ok {
		return v
	}
	return null
}

func conversionName(t value.Type) string {
	switch t {
	case value.Real:
		return "real"
	case value.GUID:
		return "guid"
	}
	return t.String()
}

// coerce makes e a t where an argument's type may differ from its parameter's.
func (b *binder) coerce(e plan.Expr, from typ, to value.Type) plan.Expr {
	if from.v == to || from.isUnknown() || from.isErr() || to == value.Unknown {
		return e
	}
	if to == value.Dynamic { // the value itself inside dynamic, not its text parsed
		return b.call("index", to, e.Pos(), b.call("pack_array", to, e.Pos(), e), plan.Long(0))
	}
	return b.call("to"+conversionName(to), to, e.Pos(), e)
}

// dynamicLit binds dynamic(…).
func (b *binder) dynamicLit(x *syntax.DynamicLit) operand {
	d, t := b.element(x.Value)
	k := &plan.Const{Val: value.Value{Type: value.Dynamic, D: d, Null: d == nil}, At: plan.Span(x.Span)}
	return operand{kind: opScalar, src: x, t: dynamicOf(t), e: k, isConst: true, val: &k.Val}
}

// element converts a piece of a dynamic literal.
func (b *binder) element(x syntax.Expr) (any, typ) {
	switch x := x.(type) {
	case *syntax.Literal:
		if x.Type == value.Decimal {
			b.fail(x.Span, "SEM0215", "decimal values are not supported in dynamic values")
			return nil, scalar(value.Decimal)
		}
		op := b.literal(x)
		v := op.val
		if v.Null {
			return nil, op.t
		}
		switch v.Type {
		case value.Bool:
			return v.I != 0, op.t
		case value.Int, value.Long:
			return v.I, op.t
		case value.Real:
			return v.F, op.t
		case value.String:
			return v.S, op.t
		case value.Datetime:
			return value.DateTime(v.I), op.t
		case value.Timespan:
			return value.TimeSpan(v.I), op.t
		case value.GUID:
			return value.Guid(v.G), op.t
		}
		return nil, op.t
	case *syntax.NullLit:
		return nil, tNull
	case *syntax.DynamicLit:
		return b.element(x.Value)
	case *syntax.UnaryExpr:
		if l, ok := x.X.(*syntax.Literal); ok && x.Op == syntax.OpUnaryMinus && b.isWhole(l.Span) && strings.TrimLeft(b.text[l.Start:l.End], "0") == "9223372036854775808" {
			return int64(math.MinInt64), scalar(value.Long)
		}
		d, t := b.element(x.X)
		if x.Op == syntax.OpUnaryMinus {
			switch n := d.(type) {
			case int64:
				return -n, t
			case float64:
				return -n, t
			case value.TimeSpan:
				return -n, t
			}
		}
		return d, t
	case *syntax.ArrayLit:
		out := make([]any, len(x.Elems))
		var t typ
		uniform := true
		for i, e := range x.Elems {
			d, u := b.element(e)
			out[i] = d
			if i == 0 {
				t = u
			} else if c, ok := common(t, u, convNone); ok && uniform {
				t = c
			} else {
				uniform = false
			}
		}
		if len(out) == 0 || !uniform {
			return out, tArray
		}
		return out, arrayOf(t)
	case *syntax.ObjectLit:
		bag := value.NewBag()
		t := typ{v: value.Dynamic, shape: shapeBag}
		for _, p := range x.Pairs {
			d, u := b.element(p.Value)
			bag.Set(p.Key, d)
			t.props = append(t.props, prop{p.Key, u})
		}
		return bag, t
	case *syntax.NameRef:
		if x.Braced {
			b.fail(x.Span, "SEM0213", "client parameters such as {%s} are not filled in here", x.Name)
		}
		return nil, tUnknown
	}
	return nil, tUnknown
}
