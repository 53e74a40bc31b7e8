package eval

import "picket/kql/value"

func logicFuncs(t table) {
	t.pure("not", notFunc)
	t.pure("And", junction(0))
	t.pure("Or", junction(1))
	t.pure("iff", iff)
	t.pure("iif", iff)
	t.pure("case", caseFunc)
	t.pure("coalesce", coalesce)
	t.pure("isnull", nullTest(true))
	t.pure("isnotnull", nullTest(false))
	t.pure("notnull", nullTest(false))
	t.pure("isempty", emptyTest(true))
	t.pure("isnotempty", emptyTest(false))
	t.pure("notempty", emptyTest(false))
	t.pure("assert", assertFunc)
}

// bools reads a bool (or dynamic) argument.
func bools(v *value.Vector) col[int64] {
	w := convert(v, value.Bool)
	return ints(w)
}

func notFunc(_ *Ctx, _ value.Type, n int, args []*value.Vector) (*value.Vector, error) {
	a := bools(args[0])
	out := value.New(value.Bool, n)
	for i := range out.I {
		out.I[i] = 1 - a.at(i)
	}
	mergeNulls(out, a.null, a.step)
	return out, nil
}

// junction is and (decisive 0) and or (decisive 1): the decisive value wins over null.
func junction(decisive int64) Func {
	return func(_ *Ctx, _ value.Type, n int, args []*value.Vector) (*value.Vector, error) {
		a, b := bools(args[0]), bools(args[1])
		out := value.New(value.Bool, n)
		for i := range out.I {
			x, y := a.at(i), b.at(i)
			xn, yn := a.isNull(i), b.isNull(i)
			switch {
			case !xn && x == decisive || !yn && y == decisive:
				out.I[i] = decisive
			case xn || yn:
				out.SetNull(i)
			default:
				out.I[i] = 1 - decisive
			}
		}
		return out, nil
	}
}

func iff(c *Ctx, ret value.Type, n int, args []*value.Vector) (*value.Vector, error) {
	return caseFunc(c, ret, n, args)
}

// caseFunc is case(p1, v1, p2, v2, ..., else): a null predicate counts as false.
func caseFunc(_ *Ctx, ret value.Type, n int, args []*value.Vector) (*value.Vector, error) {
	k := len(args) / 2
	preds := make([]col[int64], k)
	vals := make([]*value.Vector, k+1)
	for i := range preds {
		preds[i] = bools(args[2*i])
		vals[i] = convert(args[2*i+1], ret)
	}
	vals[k] = convert(args[len(args)-1], ret)
	pick := make([]int, n)
	for i := range pick {
		pick[i] = k
		for j := range preds {
			if p := preds[j]; p.at(i) != 0 && !p.isNull(i) {
				pick[i] = j
				break
			}
		}
	}
	return choose(ret, vals, pick), nil
}

// choose takes row i from vals[pick[i]].
func choose(ret value.Type, vals []*value.Vector, pick []int) *value.Vector {
	out := value.New(ret, len(pick))
	switch ret {
	case value.String:
		for i, k := range pick {
			v := vals[k]
			out.S[i] = v.S[v.Idx(i)]
		}
	case value.Dynamic:
		for i, k := range pick {
			v := vals[k]
			out.D[i] = v.D[v.Idx(i)]
		}
	default:
		for i, k := range pick {
			value.CopyRow(out, i, vals[k], i)
		}
	}
	return out
}

// coalesce gives the first value that is neither null nor, for strings, empty.
func coalesce(_ *Ctx, ret value.Type, n int, args []*value.Vector) (*value.Vector, error) {
	vals := make([]*value.Vector, len(args))
	for k, a := range args {
		vals[k] = convert(a, ret)
	}
	pick := make([]int, n)
	last := len(vals) - 1
	for i := range pick {
		pick[i] = last
		for k, v := range vals {
			if ret == value.String && v.S[v.Idx(i)] != "" || ret != value.String && !v.IsNull(i) {
				pick[i] = k
				break
			}
		}
	}
	return choose(ret, vals, pick), nil
}

func nullTest(want bool) Func {
	return func(_ *Ctx, _ value.Type, n int, args []*value.Vector) (*value.Vector, error) {
		a := args[0]
		return boolRows(n, func(i int) bool { return a.IsNull(i) == want }), nil
	}
}

func emptyTest(want bool) Func {
	return func(_ *Ctx, _ value.Type, n int, args []*value.Vector) (*value.Vector, error) {
		a := args[0]
		switch a.Type {
		case value.String:
			s := texts(a)
			return boolRows(n, func(i int) bool { return (s.at(i) == "") == want }), nil
		case value.Dynamic:
			d := dyns(a)
			return boolRows(n, func(i int) bool {
				e := d.at(i)
				s, isText := e.(string)
				return (e == nil || isText && s == "") == want
			}), nil
		}
		return boolRows(n, func(i int) bool { return a.IsNull(i) == want }), nil
	}
}

// assertFunc is assert(predicate, message): the query fails with the message when the predicate is false.
func assertFunc(_ *Ctx, _ value.Type, n int, args []*value.Vector) (*value.Vector, error) {
	p, msg := bools(args[0]), texts(args[1])
	for i := 0; i < n; i++ {
		if p.isNull(i) || p.at(i) == 0 {
			return nil, misused("assert", "%s", msg.at(i))
		}
	}
	return convert(args[0], value.Bool), nil
}
