package bind

import (
	"picket/kql/catalog"
	"picket/kql/plan"
	"picket/kql/syntax"
	"picket/kql/value"
	"strconv"
)

// customFunction types the functions whose result depends on more than a rule of the catalogue.
func (b *binder) customFunction(x *syntax.Call, f *catalog.Function, s *catalog.Signature, m *matcher) operand {
	at := span(x)
	args := m.args
	params := m.layout(f, s)
	of := func(name string) []int {
		var out []int
		for i, p := range params {
			if p != nil && p.Name == name {
				out = append(out, i)
			}
		}
		return out
	}
	scalarCall := func(t typ) operand {
		if t.isErr() {
			t = tUnknown
		}
		return operand{kind: opScalar, src: x, t: t, e: b.call(f.Name, t.v, at, exprsOf(args)...)}
	}
	switch f.Name {
	case "bin_auto":
		t := promoteInt(m.types[0])
		if t.isErr() {
			t = tUnknown
		}
		return scalarCall(t)
	case "array_concat":
		if t, ok := commonOf(m.types, convNone); ok && t.isDynamic() {
			return scalarCall(t)
		}
		return scalarCall(tArray)
	case "array_iff", "array_iif":
		t := m.types[1]
		if !t.isDynamic() {
			t = arrayOf(t)
		}
		return scalarCall(t)
	case "array_sort_asc", "array_sort_desc":
		op := operand{kind: opTuple, src: x}
		whole := &plan.Call{Name: f.Name, Args: exprsOf(args), T: value.Dynamic, At: at}
		for i := range args {
			if params[i] == nil || params[i].Name != "arrays" {
				continue
			}
			name := "array" + strconv.Itoa(i) + "_sorted"
			if n, ok := b.resultName(x.Args[i]); ok && n != "" {
				name = n + "_sorted"
			}
			b.tupleItem(&op, whole, name, m.types[i])
		}
		return op
	case "pack", "pack_dictionary", "bag_pack":
		t := typ{v: value.Dynamic, shape: shapeBag}
		keys, vals := of("key"), of("value")
		for i, k := range keys {
			if v := args[k].val; v != nil && v.Type == value.String {
				u := tUnknown
				if i < len(vals) {
					u = m.types[vals[i]]
				}
				t.props = append(t.props, prop{v.S, u})
			}
		}
		return scalarCall(t)
	case "bag_pack_columns":
		t := typ{v: value.Dynamic, shape: shapeBag}
		var es []plan.Expr
		for i := range args {
			if c := args[i].col; c != nil {
				t.props = append(t.props, prop{c.Name, c.t})
				es = append(es, plan.Str(c.Name), args[i].expr())
			}
		}
		return operand{kind: opScalar, src: x, t: t, e: b.call("bag_pack", value.Dynamic, at, es...)}
	case "pack_all":
		t := typ{v: value.Dynamic, shape: shapeBag}
		es := []plan.Expr{plan.Bool(false)}
		if len(args) == 1 {
			es[0] = args[0].expr()
		}
		if b.row != nil {
			for _, c := range b.row.cols {
				if c.ghost {
					continue
				}
				t.props = append(t.props, prop{c.Name, c.t})
				es = append(es, plan.Str(c.Name), b.ref(c, at))
			}
		}
		return operand{kind: opScalar, src: x, t: t, e: b.call("pack_all", value.Dynamic, at, es...)}
	case "pack_array":
		if len(args) == 1 && args[0].star {
			var es []plan.Expr
			var ts []typ
			if b.row != nil {
				for _, c := range b.row.cols {
					ts = append(ts, c.t)
					es = append(es, b.ref(c, at))
				}
			}
			t := tArray
			if u, ok := commonOf(ts, convPromotable); ok {
				t = arrayOf(u)
			}
			return operand{kind: opScalar, src: x, t: t, e: b.call("pack_array", value.Dynamic, at, es...)}
		}
		if t, ok := commonOf(m.types, convPromotable); ok {
			return scalarCall(arrayOf(t))
		}
		return scalarCall(tArray)
	case "set_union", "set_intersect", "set_difference":
		if t, ok := commonOf(m.types, convPromotable); ok && t.isDynamic() && t.shape == shapeArray {
			return scalarCall(t)
		}
		return scalarCall(tArray)
	case "bag_merge":
		t := m.types[0]
		if t.isDynamic() && t.shape == shapeBag {
			props := append([]prop(nil), t.props...)
			for _, u := range m.types[1:] {
				if u.isDynamic() && u.shape == shapeBag {
					for _, p := range u.props {
						if _, dup := (typ{props: props}).prop(p.name); !dup {
							props = append(props, p)
						}
					}
				}
			}
			return scalarCall(typ{v: value.Dynamic, shape: shapeBag, props: props})
		}
		return scalarCall(tBag)
	case "bag_remove_keys", "bag_set_key":
		return scalarCall(tBag)
	case "map":
		return operand{kind: opScalar, src: x, t: arrayOf(m.types[len(m.types)-1]), e: &plan.Call{Name: "map", Args: exprsOf(args), T: value.Dynamic, At: at}}
	case "inner_nodes":
		return operand{kind: opScalar, src: x, t: tArray, e: &plan.Call{Name: "inner_nodes", Args: exprsOf(args), T: value.Dynamic, At: at}}
	}
	if cols, ok := seriesTuples[f.Name]; ok {
		op := operand{kind: opTuple, src: x}
		whole := &plan.Call{Name: f.Name, Args: exprsOf(args), T: value.Dynamic, At: at}
		prefix := f.Prefix
		if prefix == "" {
			prefix = f.Name
		}
		argName, hasArg := b.resultName(x.Args[0])
		for _, c := range cols {
			name := prefix
			if hasArg {
				name += "_" + argName
			} else {
				name += "_"
			}
			b.tupleItem(&op, whole, name+"_"+c.name, c.t)
		}
		return op
	}
	if s, ok := dynamicStats[f.Name]; ok {
		return scalarCall(s)
	}
	return scalarCall(tDynamic)
}

// tupleItem adds the next value of a function that gives several.
func (b *binder) tupleItem(op *operand, whole *plan.Call, name string, t typ) {
	n := len(op.tuple)
	e := &plan.Call{Name: "tuple_item", Args: []plan.Expr{whole, plan.Long(int64(n))}, T: t.v, At: whole.At}
	op.tuple = append(op.tuple, tupleCol{name: name, t: t, e: e})
}

// reals names columns of type real.
func reals(names ...string) []prop {
	out := make([]prop, len(names))
	for i, n := range names {
		out[i] = prop{n, tReal}
	}
	return out
}

var (
	realArray  = arrayOf(tReal)
	statsCols  = []prop{{"min", tReal}, {"min_idx", tLong}, {"max", tReal}, {"max_idx", tLong}, {"avg", tReal}, {"stdev", tReal}, {"variance", tReal}}
	lineCols   = append(reals("rsquare", "slope", "variance", "rvariance", "interception"), prop{"line_fit", realArray})
	lines2Cols = append([]prop{{"rsquare", tReal}, {"split_idx", tLong}, {"variance", tReal}, {"rvariance", tReal}, {"line_fit", realArray}},
		reals("right_rsquare", "right_slope", "right_interception", "right_variance", "right_rvariance",
			"left_rsquare", "left_slope", "left_interception", "left_variance", "left_rvariance")...)
	fftCols       = []prop{{"real", realArray}, {"imag", realArray}}
	periodCols    = []prop{{"periods", realArray}, {"scores", realArray}}
	decomposeCols = []prop{{"baseline", tArray}, {"seasonal", tArray}, {"trend", tArray}, {"residual", tArray}}
)

// seriesTuples are the series functions that give several columns.
var seriesTuples = map[string][]prop{
	"series_stats": statsCols, "series_fft": fftCols, "series_ifft": fftCols, "series_fit_line": lineCols, "series_fit_2lines": lines2Cols,
	"series_fit_poly":       {{"rsquare", tReal}, {"coefficients", realArray}, {"variance", tReal}, {"rvariance", tReal}, {"poly_fit", realArray}},
	"series_periods_detect": periodCols, "series_periods_validate": periodCols,
	"series_decompose": decomposeCols, "series_decompose_forecast": decomposeCols,
	"series_decompose_anomalies": {{"ad_flag", tArray}, {"ad_score", tArray}, {"baseline", tArray}},
}

// dynamicStats are the series functions that give one bag.
var dynamicStats = map[string]typ{
	"series_stats_dynamic":      {v: value.Dynamic, shape: shapeBag, props: statsCols},
	"series_fit_line_dynamic":   {v: value.Dynamic, shape: shapeBag, props: lineCols},
	"series_fit_2lines_dynamic": {v: value.Dynamic, shape: shapeBag, props: lines2Cols},
}
