package exec

import (
	"errors"
	"fmt"
	"picket/kql/eval"
	"picket/kql/plan"
	"picket/kql/value"
	"strings"
)

// expr is a compiled expression. k is set when its value is the same for all rows of the query.
type expr struct {
	t value.Type
	k *value.Vector // one row
	f func(b *batch) (*value.Vector, error)
	// window says that the expression must see all rows of the input in one batch.
	window bool
	// volatile says that evaluating it again over the same rows gives something else.
	volatile bool
}

// eval computes the expression over a batch; the result has b.n rows.
func (e *expr) eval(b *batch) (*value.Vector, error) {
	if e.k != nil {
		v := *e.k
		v.N = b.n
		return &v, nil
	}
	return e.f(b)
}

// windowFuncs need the whole serialized input at once.
var windowFuncs = map[string]bool{
	"prev": true, "next": true, "row_number": true, "row_cumsum": true, "row_rank_min": true,
	"row_rank_dense": true, "row_window_session": true,
}

// volatileFuncs give a new value a row though their arguments are constant.
var volatileFuncs = map[string]bool{"rand": true, "new_guid": true}

func constExpr(v value.Value) *expr { return &expr{t: v.Type, k: value.ConstOf(v, 1)} }

// compile turns a plan expression over the columns of l into something that runs.
func (x *run) compile(e plan.Expr, l layout) (*expr, error) {
	x.depth++
	defer func() { x.depth-- }()
	if x.depth > maxDepth {
		return nil, &LimitError{What: "nested expressions", Limit: maxDepth}
	}
	switch e := e.(type) {
	case *plan.Const:
		if e.Val.Type == value.Unknown || e.Val.Type == value.Invalid {
			return nil, invalid(e.At, "this has no value that a row can hold")
		}
		return constExpr(e.Val), nil
	case *plan.ColRef:
		at, ok := l[e.ID]
		if !ok {
			return nil, fmt.Errorf("BUG: the plan reads column %s (%d), which its input doesn't have", e.Name, e.ID)
		}
		return &expr{t: e.T, f: func(b *batch) (*value.Vector, error) { return b.vecs[at], nil }}, nil
	case *plan.Call:
		return x.compileCall(e, l)
	case *plan.ScalarSub:
		v, err := x.scalar(e)
		if err != nil {
			return nil, err
		}
		return &expr{t: e.T, k: v}, nil
	case *plan.InSub:
		return x.compileIn(e, l)
	case *plan.OuterRef:
		return &expr{t: e.T, f: func(b *batch) (*value.Vector, error) {
			v, ok := x.outer[e.ID]
			if !ok || v.Type != e.T {
				return nil, fmt.Errorf("BUG: the plan reads the key of partition %d outside of it", e.ID)
			}
			return value.ConstOf(v, b.n), nil
		}}, nil
	case nil:
		return nil, errors.New("BUG: the plan has an empty expression")
	}
	return nil, notSupported(e.Pos(), "the expression %T can't stand here", e)
}

func (x *run) compileCall(e *plan.Call, l layout) (*expr, error) {
	if e.Name == "ingestion_time" {
		at, ok := l[0]
		if !ok && x.opt.NoReceived && !x.received {
			return &expr{t: value.Datetime, k: value.ConstOf(value.Null(value.Datetime), 1)}, nil
		}
		if !ok {
			return nil, notSupported(e.At, "ingestion_time() reads the column %s, which is not there; use it before the column is projected away", receivedColumn)
		}
		return &expr{t: value.Datetime, f: func(b *batch) (*value.Vector, error) { return b.vecs[at], nil }}, nil
	}
	f, ok := eval.Lookup(e.Name)
	if !ok {
		return nil, notSupported(e.At, "the function %s() is known to the language but not built into picket yet", e.Name)
	}
	args := make([]*expr, len(e.Args))
	out := &expr{t: e.T, window: windowFuncs[e.Name], volatile: volatileFuncs[e.Name]}
	constant := !out.window && !out.volatile
	for i, a := range e.Args {
		c, err := x.compile(a, l)
		if err != nil {
			return nil, err
		}
		args[i] = c
		constant = constant && c.k != nil
		out.window, out.volatile = out.window || c.window, out.volatile || c.volatile
	}
	call := func(n int, vs []*value.Vector) (*value.Vector, error) {
		v, err := f(x.ev, e.T, n, vs)
		if err != nil {
			return nil, x.at(e.At, err)
		}
		if v.N != n || v.Type != e.T {
			return nil, fmt.Errorf("BUG: %s() gave %d values of type %s, not %d of type %s", e.Name, v.N, v.Type, n, e.T)
		}
		return v, nil
	}
	if constant {
		vs := make([]*value.Vector, len(args))
		for i, a := range args {
			vs[i] = a.k
		}
		if err := x.tick(); err != nil {
			return nil, err
		}
		v, err := call(1, vs)
		if err != nil {
			return nil, err
		}
		out.k = value.ConstOf(v.At(0), 1)
		return out, nil
	}
	paced := call
	if !windowFuncs[e.Name] && !volatileFuncs[e.Name] {
		paced = x.pace(e.T, call)
	}
	out.f = func(b *batch) (*value.Vector, error) {
		vs := make([]*value.Vector, len(args))
		for i, a := range args {
			v, err := a.eval(b)
			if err != nil {
				return nil, err
			}
			vs[i] = v
		}
		return paced(b.n, vs)
	}
	return out, nil
}

// at puts the place of an expression on an error of a function.
func (x *run) at(span plan.Span, err error) error {
	var refusal *eval.Refusal
	if errors.As(err, &refusal) {
		code := "NotSupported"
		if refusal.Misused {
			code = "Invalid"
		}
		return &Error{Code: code, Msg: err.Error(), At: span, Err: err}
	}
	return err
}

// compileItems compiles the expressions of items.
func (x *run) compileItems(items []plan.Item, l layout) ([]*expr, bool, error) {
	out := make([]*expr, len(items))
	window := false
	for i := range items {
		e, err := x.compile(items[i].Expr, l)
		if err != nil {
			return nil, false, err
		}
		out[i] = e
		window = window || e.window
	}
	return out, window, nil
}

// constant evaluates an expression that doesn't read rows.
func (x *run) constant(e plan.Expr) (value.Value, error) {
	var of *plan.ColRef
	plan.WalkExpr(e, func(e plan.Expr) bool {
		if c, ok := e.(*plan.ColRef); ok {
			of = c
		}
		return of == nil
	})
	if of != nil {
		return value.Value{}, invalid(e.Pos(), "the column '%s' has a value for each row; one value for all rows is needed here", of.Name)
	}
	c, err := x.compile(e, nil)
	if err != nil {
		return value.Value{}, err
	}
	if c.k != nil {
		return c.k.At(0), nil
	}
	v, err := c.eval(&batch{n: 1})
	if err != nil {
		return value.Value{}, err
	}
	return v.At(0), nil
}

// count evaluates a row count; null and negative numbers are 0.
func (x *run) count(e plan.Expr) (int, error) {
	v, err := x.constant(e)
	if err != nil || v.Null {
		return 0, err
	}
	n := v.I
	switch v.Type {
	case value.Real:
		n = int64(v.F)
	case value.Decimal:
		n = v.M.IntPart()
	case value.Int, value.Long:
	default:
		return 0, invalid(e.Pos(), "a number of rows must be a whole number, not %s", v.Type)
	}
	return int(max(0, min(n, 1<<31-1))), nil
}

// scalar evaluates toscalar() once a query.
func (x *run) scalar(e *plan.ScalarSub) (*value.Vector, error) {
	if v, ok := x.scalars[e]; ok {
		return v, nil
	}
	in, err := x.build(e.Node)
	if err != nil {
		return nil, err
	}
	out := value.Nulls(e.T, 1)
	for b, err := range in {
		if err != nil {
			return nil, err
		}
		if b.n > 0 && len(b.vecs) > 0 {
			out = value.ConstOf(b.vecs[0].At(0), 1)
			break
		}
	}
	if out.Type != e.T {
		return nil, fmt.Errorf("BUG: toscalar() gave %s, not %s", out.Type, e.T)
	}
	x.scalars[e] = out
	return out, nil
}

// inSet is the first column of a table that stands on the right of in, !in, has_any …
type inSet struct {
	keys map[string]struct{}
	list []any
	t    value.Type
}

func (x *run) set(e *plan.InSub) (*inSet, error) {
	if s, ok := x.sets[e]; ok {
		return s, nil
	}
	in, err := x.build(e.Node)
	if err != nil {
		return nil, err
	}
	s := &inSet{keys: map[string]struct{}{}}
	if cols := e.Node.Cols(); len(cols) > 0 {
		s.t = cols[0].Type
	}
	var key []byte
	for b, err := range in {
		if err == nil {
			err = x.tick()
		}
		if err != nil {
			return nil, err
		}
		for i := 0; i < b.n && len(b.vecs) > 0; i++ {
			el := value.Elem(b.vecs[0], i)
			s.add(&key, el, e.CaseInsensitive)
			s.list = append(s.list, el)
			if err := x.hold(64 + 2*value.ElemBytes(el)); err != nil {
				return nil, err
			}
		}
	}
	x.sets[e] = s
	return s, nil
}

// add puts an element into the set; a dynamic array stands for its elements.
func (s *inSet) add(key *[]byte, el any, fold bool) {
	if l, ok := el.([]any); ok {
		for _, y := range l {
			s.add(key, y, fold)
		}
		return
	}
	if el == nil {
		return
	}
	*key = inKey((*key)[:0], el, fold)
	s.keys[string(*key)] = struct{}{}
}

func inKey(dst []byte, el any, fold bool) []byte {
	switch y := el.(type) {
	case string:
		if fold {
			el = strings.ToLower(y)
		}
	case float64:
		if y == float64(int64(y)) {
			el = int64(y)
		}
	}
	return value.AppendElemKey(dst, el)
}

func (x *run) compileIn(e *plan.InSub, l layout) (*expr, error) {
	c, err := x.compile(e.X, l)
	if err != nil {
		return nil, err
	}
	s, err := x.set(e)
	if err != nil {
		return nil, err
	}
	out := &expr{t: value.Bool, window: c.window, volatile: c.volatile}
	if e.Op == "HasAny" || e.Op == "HasAll" {
		f, ok := eval.Lookup(e.Op)
		if !ok {
			return nil, notSupported(e.At, "the operator %s over a table is not built into picket yet", e.Op)
		}
		list := value.ConstOf(value.OfDynamic(append([]any{}, s.list...)), 1)
		out.f = func(b *batch) (*value.Vector, error) {
			v, err := c.eval(b)
			if err != nil {
				return nil, err
			}
			k := *list
			k.N = b.n
			r, err := f(x.ev, value.Bool, b.n, []*value.Vector{v, &k})
			if err != nil {
				return nil, x.at(e.At, err)
			}
			if e.Negate {
				r = negate(r)
			}
			return r, nil
		}
		return out, nil
	}
	out.f = func(b *batch) (*value.Vector, error) {
		v, err := c.eval(b)
		if err != nil {
			return nil, err
		}
		r := value.New(value.Bool, b.n)
		var key []byte
		for i := range r.I {
			in := false
			if el := value.Elem(v, i); el != nil {
				key = inKey(key[:0], el, e.CaseInsensitive)
				_, in = s.keys[string(key)]
			}
			if in != e.Negate {
				r.I[i] = 1
			}
		}
		return r, nil
	}
	return out, nil
}

func negate(v *value.Vector) *value.Vector {
	out := value.New(value.Bool, v.N)
	for i := range out.I {
		if v.IsNull(i) {
			out.SetNull(i)
		} else {
			out.I[i] = 1 - v.I[v.Idx(i)]
		}
	}
	return out
}
