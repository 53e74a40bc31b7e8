package dialect

import (
	"fmt"
	"math"
	"picket/kql/plan"
	"picket/kql/value"
)

// Whole numbers wrap in KQL. In SQL a result beyond 64 bits is an error, upon which the plan runs without SQL.
func arithCalls(m map[string]callFunc) {
	for name, op := range map[string]string{"Add": "+", "Subtract": "-", "Multiply": "*", "Divide": "/", "Modulo": "%"} {
		m[name] = func(s scope, c *plan.Call) (sx, bool) {
			xs, ok := s.exprs(c.Args)
			if !ok || len(xs) != 2 {
				return sx{}, false
			}
			return arith(op, c.T, xs[0], xs[1])
		}
	}
	m["UnaryMinus"] = func(s scope, c *plan.Call) (sx, bool) {
		xs, ok := s.exprs(c.Args)
		if !ok || len(xs) != 1 || xs[0].t != c.T {
			return sx{}, false
		}
		switch c.T {
		case value.Long, value.Timespan, value.Real:
			return sx{sql: "(-" + xs[0].sql + ")", t: c.T, null: xs[0].null}, true
		}
		return sx{}, false
	}
	m["bin"], m["floor"] = binCall, binCall
}

func isWhole(t value.Type) bool { return t == value.Int || t == value.Long }

func isTime(t value.Type) bool { return t == value.Datetime || t == value.Timespan }

func arith(op string, ret value.Type, x, y sx) (sx, bool) {
	out := sx{t: ret, null: x.null || y.null}
	switch {
	case isTime(x.t) || isTime(y.t):
		return arithTime(op, ret, x, y)
	case isWhole(x.t) && isWhole(y.t) && ret == value.Long:
		a, b := bigint(x), bigint(y)
		switch op {
		case "/":
			out.sql, out.null = "("+a+" // "+b+")", true // by zero is null
		case "%":
			if y.k == nil || y.k.Null || y.k.I <= 0 {
				return sx{}, false
			}
			out.sql = euclid(a, y.k.I)
		default:
			out.sql = "(" + a + " " + op + " " + b + ")"
		}
		return out, true
	case ret == value.Real && (x.t == value.Real || isWhole(x.t)) && (y.t == value.Real || isWhole(y.t)):
		if op == "%" {
			return sx{}, false
		}
		out.sql = "(" + double(x) + " " + op + " " + double(y) + ")"
		return out, true
	}
	return sx{}, false
}

func bigint(x sx) string {
	if x.t == value.Int {
		return "CAST(" + x.sql + " AS BIGINT)"
	}
	return x.sql
}

func double(x sx) string {
	if x.t == value.Real {
		return x.sql
	}
	return "CAST(" + x.sql + " AS DOUBLE)"
}

// euclid is the remainder that is never negative, for a positive divisor.
func euclid(a string, b int64) string {
	if b == 1 {
		return "(" + a + " * 0)"
	}
	return fmt.Sprintf("((%s %% %d + %d) %% %d)", a, b, b, b)
}

func arithTime(op string, ret value.Type, x, y sx) (sx, bool) {
	switch {
	case x.t == value.Datetime && y.t == value.Datetime && op == "-" && ret == value.Timespan:
		null := x.null || y.null
		if a, ok := x.as(repMicros); ok {
			if b, ok := y.as(repMicros); ok {
				return sx{sql: "((" + a + " - " + b + ") * 10)", t: ret, null: null}, true
			}
		}
		return sx{sql: "(" + ticksOf(x) + " - " + ticksOf(y) + ")", t: ret, null: null}, true
	case x.t == value.Datetime && y.t == value.Timespan && ret == value.Datetime && (op == "+" || op == "-"):
		return addTime(x, y, op)
	case x.t == value.Timespan && y.t == value.Datetime && ret == value.Datetime && op == "+":
		return addTime(y, x, op)
	case x.t == value.Timespan && y.t == value.Timespan && ret == value.Timespan && (op == "+" || op == "-"):
		return sx{sql: "(" + x.sql + " " + op + " " + y.sql + ")", t: ret, null: x.null || y.null}, true
	case x.t == value.Timespan && y.t == value.Timespan && op == "/" && ret == value.Real:
		if y.k == nil || y.k.Null || y.k.I == 0 {
			return sx{}, false
		}
		b := y.sql
		return sx{sql: fmt.Sprintf("(CASE WHEN %s %% %s = 0 THEN CAST(%s // %s AS DOUBLE) ELSE CAST(%s AS DOUBLE) / CAST(%s AS DOUBLE) END)", x.sql, b, x.sql, b, x.sql, b), t: ret, null: x.null}, true
	case x.t == value.Timespan && isWhole(y.t) && op == "*" && ret == value.Timespan:
		return sx{sql: "(" + x.sql + " * " + bigint(y) + ")", t: ret, null: x.null || y.null}, true
	case isWhole(x.t) && y.t == value.Timespan && op == "*" && ret == value.Timespan:
		return sx{sql: "(" + bigint(x) + " * " + y.sql + ")", t: ret, null: x.null || y.null}, true
	case x.t == value.Timespan && isWhole(y.t) && op == "/" && ret == value.Timespan:
		return sx{sql: "(" + x.sql + " // " + bigint(y) + ")", t: ret, null: true}, true
	}
	return sx{}, false
}

func ticksOf(x sx) string {
	s, _ := x.as(repTicks)
	return s
}

// addTime moves a datetime; outside its range the result is null.
func addTime(x, y sx, op string) (sx, bool) {
	if y.k != nil && !y.k.Null && y.k.I%10 == 0 {
		if a, ok := x.as(repMicros); ok {
			lo, hi := (int64(value.MinDatetime)-epochTicks)/10, (int64(value.MaxDatetime)-epochTicks)/10
			n := y.k.I / 10
			if op == "-" {
				n = -n
			}
			if n > math.MaxInt64/16 || n < -math.MaxInt64/16 {
				return sx{}, false
			}
			sum := fmt.Sprintf("(%s + %s)", a, longLiteral(n))
			return sx{sql: fmt.Sprintf("(CASE WHEN %s BETWEEN %d AND %d THEN %s END)", sum, lo, hi, sum), t: value.Datetime, rep: repMicros, null: true}, true
		}
	}
	sum := "(" + ticksOf(x) + " " + op + " " + y.sql + ")"
	return sx{sql: fmt.Sprintf("(CASE WHEN %s BETWEEN %d AND %d THEN %s END)", sum, int64(value.MinDatetime), int64(value.MaxDatetime), sum), t: value.Datetime, rep: repTicks, null: true}, true
}

// binCall rounds down to a multiple of a constant size.
func binCall(s scope, c *plan.Call) (sx, bool) {
	xs, ok := s.exprs(c.Args)
	if !ok || len(xs) != 2 {
		return sx{}, false
	}
	x, y := xs[0], xs[1]
	if y.k == nil || y.k.Null {
		return sx{}, false
	}
	out := sx{t: c.T, null: x.null}
	switch {
	case isWhole(x.t) && isWhole(y.t) && y.k.I > 0:
		a := bigint(x)
		out.sql = "(" + a + " - " + euclid(a, y.k.I) + ")"
		if c.T == value.Int {
			if x.t != value.Int || y.k.I > math.MaxInt32 {
				return sx{}, false
			}
			out.sql = "CAST(" + out.sql + " AS INTEGER)"
		} else if c.T != value.Long {
			return sx{}, false
		}
		return out, true
	case x.t == value.Timespan && y.t == value.Timespan && y.k.I > 0 && c.T == value.Timespan:
		out.sql = "(" + x.sql + " - " + euclid(x.sql, y.k.I) + ")"
		return out, true
	case x.t == value.Datetime && y.t == value.Timespan && y.k.I > 0 && c.T == value.Datetime:
		return binTime(x, y.k.I), true
	case x.t == value.Real && (y.t == value.Real || isWhole(y.t)) && c.T == value.Real:
		size := y.k.F
		if y.t != value.Real {
			size = float64(y.k.I)
		}
		if !(size > 0) || math.IsInf(size, 0) {
			return sx{}, false
		}
		k, _ := literal(value.OfReal(size))
		out.sql = "(floor(" + x.sql + " / " + k.sql + ") * " + k.sql + " + 0.0::DOUBLE)"
		return out, true
	}
	return sx{}, false
}

// micros is a datetime column without its seventh digit, for what does not look at it.
func (x sx) micros() sx {
	if x.ts == "" {
		return x
	}
	return sx{sql: x.ts, t: x.t, rep: repTS, null: x.null}
}

// binTime counts from 0001-01-01; a datetime is never before it.
func binTime(x sx, size int64) sx {
	out := sx{t: value.Datetime, null: x.null}
	if size%10 == 0 {
		x = x.micros()
		if a, ok := x.as(repMicros); ok {
			// the remainder is taken of a number that is never negative
			out.rep = repMicros
			out.sql = fmt.Sprintf("(%s - (%s + %d) %% %d)", a, a, int64(epochTicks/10), size/10)
			return out
		}
	}
	t := ticksOf(x)
	out.rep = repTicks
	out.sql = fmt.Sprintf("(%s - %s %% %d)", t, t, size)
	return out
}
