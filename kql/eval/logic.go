package eval

import "picket/kql/value"

func logicFuncs(t table) {
	t.pure("not", notFunc)
}

func notFunc(_ *Ctx, _ value.Type, n int, args []*value.Vector) (*value.Vector, error) {
	a := args[0]
	out := value.New(value.Bool, n)
	for i := 0; i < n; i++ {
		if a.IsNull(i) {
			out.SetNull(i)
		} else {
			out.I[i] = 1 - a.I[a.Idx(i)]
		}
	}
	return out, nil
}
