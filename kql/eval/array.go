package eval

import (
	"picket/kql/value"
	"slices"

	"github.com/shopspring/decimal"
)

// arrayFuncs are the functions of arrays. array_sort_asc and array_sort_desc have one result for each array: they
// come as one array of them, in order, which tuple_item takes apart.
func arrayFuncs(t table) {
	length := func(_ *Ctx, _ value.Type, n int, args []*value.Vector) (*value.Vector, error) {
		a := dyns(args[0])
		out := value.New(value.Long, n)
		for i := range out.I {
			arr, ok := a.at(i).([]any)
			if !ok {
				out.SetNull(i)
				continue
			}
			out.I[i] = int64(len(arr))
		}
		return out, nil
	}
	t.pure("array_length", length)
	t.pure("arraylength", length)
	t.pure("pack_array", func(_ *Ctx, _ value.Type, n int, args []*value.Vector) (*value.Vector, error) {
		cs := make([]col[any], len(args))
		for k, a := range args {
			cs[k] = dyns(a)
		}
		out := value.New(value.Dynamic, n)
		for i := range out.D {
			arr := make([]any, len(cs))
			for k := range cs {
				arr[k] = cs[k].at(i)
			}
			out.D[i] = arr
		}
		return out, nil
	})
	t.pure("array_concat", arrayConcat)
	t.pure("array_iff", arrayIff)
	t.pure("array_iif", arrayIff)
	t.pure("array_index_of", arrayIndexOf)
	t.pure("array_slice", arraySlice)
	t.pure("array_split", arraySplit)
	t.pure("array_shift_left", arrayShift(1))
	t.pure("array_shift_right", arrayShift(-1))
	t.pure("array_rotate_left", arrayRotate(1))
	t.pure("array_rotate_right", arrayRotate(-1))
	t.pure("array_reverse", dyn1(func(d any) any {
		arr, ok := d.([]any)
		if !ok {
			return nil
		}
		arr = slices.Clone(arr)
		slices.Reverse(arr)
		return arr
	}))
	t.pure("array_sort_asc", arraySort(false))
	t.pure("array_sort_desc", arraySort(true))
	t.pure("array_sum", func(_ *Ctx, _ value.Type, n int, args []*value.Vector) (*value.Vector, error) {
		return foldArray(n, args[0], 0, func(acc, x float64) float64 { return acc + x }), nil
	})
	t.pure("zip", zip)
	t.pure("repeat", repeat)
	t.pure("range", rangeFunc)
}

// foldArray folds the numbers of arrays; nulls are passed over, anything else makes the result null.
func foldArray(n int, arg *value.Vector, start float64, f func(acc, x float64) float64) *value.Vector {
	a := dyns(arg)
	out := value.New(value.Real, n)
rows:
	for i := range out.F {
		arr, ok := a.at(i).([]any)
		if !ok {
			out.SetNull(i)
			continue
		}
		acc := start
		for _, e := range arr {
			x, ok := elemReal(e)
			if e == nil {
				continue
			}
			if !ok {
				out.SetNull(i)
				continue rows
			}
			acc = f(acc, x)
		}
		out.F[i] = acc
	}
	return out
}

func arrayConcat(_ *Ctx, _ value.Type, n int, args []*value.Vector) (*value.Vector, error) {
	cs := make([]col[any], len(args))
	for k, a := range args {
		cs[k] = dyns(a)
	}
	out := value.New(value.Dynamic, n)
	for i := range out.D {
		var all []any
		found := false
		for k := range cs {
			if arr, ok := cs[k].at(i).([]any); ok {
				all, found = append(all, arr...), true
			}
		}
		if found {
			if all == nil {
				all = []any{}
			}
			out.D[i] = all
		}
	}
	return out, nil
}

// arrayIff picks by the elements of a condition array: bools and numbers count, anything else gives null.
func arrayIff(_ *Ctx, _ value.Type, n int, args []*value.Vector) (*value.Vector, error) {
	c, yes, no := dyns(args[0]), dyns(args[1]), dyns(args[2])
	pick := func(d any, k int) any {
		if arr, ok := d.([]any); ok {
			if k < len(arr) {
				return arr[k]
			}
			return nil
		}
		return d
	}
	out := value.New(value.Dynamic, n)
	for i := range out.D {
		arr, ok := c.at(i).([]any)
		if !ok {
			continue
		}
		res := make([]any, len(arr))
		for k, e := range arr {
			cond, known := e.(bool)
			if f, num := elemReal(e); num {
				cond, known = f != 0, true
			}
			switch {
			case !known:
			case cond:
				res[k] = pick(yes.at(i), k)
			default:
				res[k] = pick(no.at(i), k)
			}
		}
		out.D[i] = res
	}
	return out, nil
}

func arrayIndexOf(_ *Ctx, _ value.Type, n int, args []*value.Vector) (*value.Vector, error) {
	a, v := dyns(args[0]), dyns(args[1])
	sp, has := spanOf(args)
	out := value.New(value.Long, n)
	for i := range out.I {
		arr, ok := a.at(i).([]any)
		if !ok {
			out.SetNull(i)
			continue
		}
		from, to, nth, ok := sp.bounds(i, has, int64(len(arr)))
		if !ok {
			out.SetNull(i)
			continue
		}
		out.I[i] = -1
		want := v.at(i)
		for k := from; k < to; k++ {
			if sameElem(arr[k], want) {
				if nth--; nth == 0 {
					out.I[i] = k
					break
				}
			}
		}
	}
	return out, nil
}

// arraySlice is array_slice(array, start, end), ends included, negative ones from the end.
func arraySlice(_ *Ctx, _ value.Type, n int, args []*value.Vector) (*value.Vector, error) {
	a, s, e := dyns(args[0]), longs(args[1]), longs(args[2])
	out := value.New(value.Dynamic, n)
	for i := range out.D {
		arr, ok := a.at(i).([]any)
		if !ok || s.isNull(i) || e.isNull(i) {
			continue
		}
		size := int64(len(arr))
		from, to := s.at(i), e.at(i)
		if from < 0 {
			from = max(0, from+size)
		}
		if to < 0 {
			to += size
		}
		to = min(to, size-1)
		if from > to {
			out.D[i] = []any{}
			continue
		}
		out.D[i] = arr[from : to+1 : to+1]
	}
	return out, nil
}

// arraySplit cuts before one place or several.
func arraySplit(_ *Ctx, _ value.Type, n int, args []*value.Vector) (*value.Vector, error) {
	a, at := dyns(args[0]), dyns(args[1])
	out := value.New(value.Dynamic, n)
	for i := range out.D {
		arr, ok := a.at(i).([]any)
		if !ok {
			continue
		}
		cuts, isArr := at.at(i).([]any)
		if !isArr {
			cuts = []any{at.at(i)}
		}
		var parts []any
		last := int64(0)
		size := int64(len(arr))
		for _, c := range cuts {
			k, ok := elemLong(c)
			if !ok {
				continue
			}
			if k < 0 {
				k += size
			}
			k = max(last, min(k, size))
			parts = append(parts, arr[last:k:k])
			last = k
		}
		out.D[i] = append(parts, arr[last:])
	}
	return out, nil
}

func arrayShift(sign int64) Func {
	return func(_ *Ctx, _ value.Type, n int, args []*value.Vector) (*value.Vector, error) {
		a, by := dyns(args[0]), longs(args[1])
		var def col[any]
		if len(args) > 2 {
			def = dyns(args[2])
		}
		out := value.New(value.Dynamic, n)
		for i := range out.D {
			arr, ok := a.at(i).([]any)
			if !ok || by.isNull(i) {
				continue
			}
			var fill any
			if len(args) > 2 {
				fill = def.at(i)
			}
			size := int64(len(arr))
			shift := max(-size, min(by.at(i), size)) * sign
			res := make([]any, size)
			for k := range res {
				if j := int64(k) + shift; j >= 0 && j < size {
					res[k] = arr[j]
				} else {
					res[k] = fill
				}
			}
			out.D[i] = res
		}
		return out, nil
	}
}

func arrayRotate(sign int64) Func {
	return func(_ *Ctx, _ value.Type, n int, args []*value.Vector) (*value.Vector, error) {
		a, by := dyns(args[0]), longs(args[1])
		out := value.New(value.Dynamic, n)
		for i := range out.D {
			arr, ok := a.at(i).([]any)
			if !ok || by.isNull(i) {
				continue
			}
			size := int64(len(arr))
			res := make([]any, size)
			for k := range res {
				res[k] = arr[euclid(int64(k)+sign*(by.at(i)%size), size)]
			}
			out.D[i] = res
		}
		return out, nil
	}
}

// sortRank groups the kinds of elements as array_sort does: numbers and times, texts, guids, the rest.
func sortRank(d any) int {
	switch d.(type) {
	case int64, float64, decimal.Decimal, value.DateTime, value.TimeSpan:
		return 0
	case string:
		return 1
	case value.Guid:
		return 2
	}
	return 3
}

// arraySort sorts the first array and moves the others along; nulls go last unless the flag says otherwise.
func arraySort(desc bool) Func {
	return func(_ *Ctx, _ value.Type, n int, args []*value.Vector) (*value.Vector, error) {
		nullsLast := true
		if last := args[len(args)-1]; last.Type == value.Bool {
			nullsLast = last.IsNull(0) || last.I[0] != 0
			args = args[:len(args)-1]
		}
		cs := make([]col[any], len(args))
		for k, a := range args {
			cs[k] = dyns(a)
		}
		out := value.New(value.Dynamic, n)
		for i := range out.D {
			arr, ok := cs[0].at(i).([]any)
			if !ok {
				out.D[i] = make([]any, len(cs))
				continue
			}
			perm := make([]int, len(arr))
			for k := range perm {
				perm[k] = k
			}
			slices.SortStableFunc(perm, func(x, y int) int { return compareSort(arr[x], arr[y], desc, nullsLast) })
			move := func(src []any) []any {
				res := make([]any, len(src))
				for k, p := range perm {
					res[k] = src[p]
				}
				return res
			}
			all := make([]any, len(cs))
			for k := range cs {
				if src, ok := cs[k].at(i).([]any); ok && len(src) == len(arr) {
					all[k] = move(src)
				}
			}
			out.D[i] = all
		}
		return out, nil
	}
}

func compareSort(x, y any, desc, nullsLast bool) int {
	if x == nil || y == nil {
		c := 0
		switch {
		case x == nil && y == nil:
			return 0
		case x == nil:
			c = -1
		default:
			c = 1
		}
		if nullsLast {
			return -c
		}
		return c
	}
	c := sortRank(x) - sortRank(y)
	if c == 0 {
		c = value.CompareElems(x, y)
	}
	if desc {
		return -c
	}
	return c
}

// zip pairs arrays up to the longest; a scalar counts as one element.
func zip(_ *Ctx, _ value.Type, n int, args []*value.Vector) (*value.Vector, error) {
	cs := make([]col[any], len(args))
	for k, a := range args {
		cs[k] = dyns(a)
	}
	out := value.New(value.Dynamic, n)
	for i := range out.D {
		arrs := make([][]any, len(cs))
		size := 0
		for k := range cs {
			switch x := cs[k].at(i).(type) {
			case []any:
				arrs[k] = x
			case nil:
			default:
				arrs[k] = []any{x}
			}
			size = max(size, len(arrs[k]))
		}
		res := make([]any, size)
		for j := range res {
			row := make([]any, len(cs))
			for k := range arrs {
				if j < len(arrs[k]) {
					row[k] = arrs[k][j]
				}
			}
			res[j] = row
		}
		out.D[i] = res
	}
	return out, nil
}

func repeat(_ *Ctx, _ value.Type, n int, args []*value.Vector) (*value.Vector, error) {
	a, c := dyns(args[0]), longs(args[1])
	out := value.New(value.Dynamic, n)
	for i := range out.D {
		k := c.at(i)
		if c.isNull(i) || k < 0 {
			continue
		}
		if k > maxElements {
			return nil, refuse("repeat", "an array of %d elements passes the limit of %d", k, maxElements)
		}
		arr := make([]any, k)
		for j := range arr {
			arr[j] = a.at(i)
		}
		out.D[i] = arr
	}
	return out, nil
}

// rangeFunc is range(start, stop[, step]): numbers, datetimes or timespans; the step defaults to 1 or one hour.
func rangeFunc(_ *Ctx, _ value.Type, n int, args []*value.Vector) (*value.Vector, error) {
	t := args[0].Type
	if t == value.Dynamic {
		return nil, refuse("range", "is not defined for dynamic values; convert them first")
	}
	wrap := func(x int64) any { return x }
	stepT := value.Long
	switch {
	case t == value.Datetime:
		wrap, stepT = func(x int64) any { return value.DateTime(x) }, value.Timespan
	case t == value.Timespan:
		wrap, stepT = func(x int64) any { return value.TimeSpan(x) }, value.Timespan
	default:
		for _, a := range args {
			if a.Type == value.Real || a.Type == value.Decimal {
				return rangeReals(n, args)
			}
		}
	}
	if stepT == value.Long {
		t = value.Long
	}
	from, to := ints(convert(args[0], t)), ints(convert(args[1], t))
	var by col[int64]
	if len(args) > 2 {
		by = ints(convert(args[2], stepT))
	}
	out := value.New(value.Dynamic, n)
	for i := range out.D {
		step := int64(1)
		if stepT == value.Timespan {
			step = value.TicksPerHour
		}
		if len(args) > 2 {
			if by.isNull(i) {
				continue
			}
			step = by.at(i)
		}
		if from.isNull(i) || to.isNull(i) || step == 0 {
			continue
		}
		arr := []any{}
		for x, end := from.at(i), to.at(i); step > 0 && x <= end || step < 0 && x >= end; {
			if len(arr) >= maxElements {
				break // the service cuts here too
			}
			arr = append(arr, wrap(x))
			next := x + step
			if (next > x) != (step > 0) {
				break
			}
			x = next
		}
		out.D[i] = arr
	}
	return out, nil
}

func rangeReals(n int, args []*value.Vector) (*value.Vector, error) {
	from, to := reals(args[0]), reals(args[1])
	var by col[float64]
	if len(args) > 2 {
		by = reals(args[2])
	}
	out := value.New(value.Dynamic, n)
	for i := range out.D {
		step := 1.0
		if len(args) > 2 {
			if by.isNull(i) {
				continue
			}
			step = by.at(i)
		}
		if from.isNull(i) || to.isNull(i) || step == 0 || step != step {
			continue
		}
		arr := []any{}
		for k := 0; k < maxElements; k++ {
			x := from.at(i) + float64(k)*step
			if step > 0 && !(x <= to.at(i)) || step < 0 && !(x >= to.at(i)) {
				break
			}
			arr = append(arr, x)
		}
		out.D[i] = arr
	}
	return out, nil
}
