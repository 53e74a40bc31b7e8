package exec

import (
	"picket/kql/value"
	"time"
)

// pace is how long a function of rows may run before the query looks whether it should stop.
const pace = 20 * time.Millisecond

// pace runs a function over a few rows at a time, as many as its speed allows: one that takes a second a row must not keep
// a query that nobody waits for any more.
func (x *run) pace(t value.Type, call func(int, []*value.Vector) (*value.Vector, error)) func(int, []*value.Vector) (*value.Vector, error) {
	rows := 16
	timed := func(n int, vs []*value.Vector) (*value.Vector, error) {
		began := time.Now()
		v, err := call(n, vs)
		switch took := time.Since(began); {
		case took > pace:
			rows = max(1, min(rows, n)/4)
			if err == nil {
				err = x.tick()
			}
		case took < pace/8 && n >= rows:
			rows *= 4
		}
		return v, err
	}
	return func(n int, vs []*value.Vector) (*value.Vector, error) {
		if n <= rows || allConst(vs) {
			return timed(n, vs)
		}
		out := value.New(t, 0)
		part := make([]*value.Vector, len(vs))
		for from := 0; from < n; {
			if err := x.tick(); err != nil {
				return nil, err
			}
			to := min(n, from+rows)
			for i, v := range vs {
				part[i] = v.Slice(from, to)
			}
			v, err := timed(to-from, part)
			if err != nil {
				return nil, err
			}
			out.AppendVector(v)
			from = to
		}
		return out, nil
	}
}

func allConst(vs []*value.Vector) bool {
	for _, v := range vs {
		if !v.Const {
			return false
		}
	}
	return true
}
