package eval

import (
	"picket/kql/value"
	"strconv"
	"strings"
)

// maxElements bounds the array that one call may build.
const maxElements = 1 << 20

func dynamicFuncs(t table) {
	t.pure("member", func(_ *Ctx, ret value.Type, n int, args []*value.Vector) (*value.Vector, error) {
		a, k := dyns(args[0]), texts(args[1])
		out := value.New(value.Dynamic, n)
		for i := range out.D {
			if b, ok := a.at(i).(*value.Bag); ok {
				out.D[i], _ = b.Get(k.at(i))
			}
		}
		return out, nil
	})
	t.pure("index", index)
	t.pure("tuple_item", func(_ *Ctx, ret value.Type, n int, args []*value.Vector) (*value.Vector, error) {
		a, k := dyns(args[0]), longs(args[1])
		out := value.New(value.Dynamic, n)
		for i := range out.D {
			out.D[i] = element(a.at(i), k.at(i))
		}
		return convert(out, ret), nil
	})
	t.pure("pack", bagPack(false))
	t.pure("pack_dictionary", bagPack(false))
	t.pure("bag_pack", bagPack(false))
	// The binder passes the columns of these two as name, value pairs; pack_all has its flag before them.
	t.pure("bag_pack_columns", bagPack(false))
	t.pure("pack_all", func(c *Ctx, ret value.Type, n int, args []*value.Vector) (*value.Vector, error) {
		skip := false
		if len(args)%2 == 1 {
			skip = given(args[0]) && convert(args[0], value.Bool).I[0] != 0
			args = args[1:]
		}
		return bagPack(skip)(c, ret, n, args)
	})
	t.pure("bag_keys", dyn1(func(d any) any {
		b, ok := d.(*value.Bag)
		if !ok {
			return nil
		}
		out := make([]any, b.Len())
		for i, k := range b.Keys() {
			out[i] = k
		}
		return out
	}))
	t.pure("bag_merge", bagMerge)
	t.pure("bag_has_key", func(_ *Ctx, _ value.Type, n int, args []*value.Vector) (*value.Vector, error) {
		a, k := dyns(args[0]), texts(args[1])
		out := value.New(value.Bool, n)
		for i := range out.I {
			if _, ok := bagPath(a.at(i), keyPath(k.at(i))); ok {
				out.I[i] = 1
			}
		}
		return out, nil
	})
	t.pure("bag_remove_keys", func(_ *Ctx, _ value.Type, n int, args []*value.Vector) (*value.Vector, error) {
		a, k := dyns(args[0]), dyns(args[1])
		out := value.New(value.Dynamic, n)
		for i := range out.D {
			b, ok := a.at(i).(*value.Bag)
			if !ok {
				continue
			}
			var d any = b
			keys, _ := k.at(i).([]any)
			for _, key := range keys {
				if s, ok := key.(string); ok {
					d = bagWithout(d, keyPath(s))
				}
			}
			out.D[i] = d
		}
		return out, nil
	})
	t.pure("bag_set_key", func(_ *Ctx, _ value.Type, n int, args []*value.Vector) (*value.Vector, error) {
		a, k, v := dyns(args[0]), texts(args[1]), dyns(args[2])
		out := value.New(value.Dynamic, n)
		for i := range out.D {
			if b, ok := a.at(i).(*value.Bag); ok {
				out.D[i] = bagWith(b, keyPath(k.at(i)), v.at(i))
			}
		}
		return out, nil
	})
	t.pure("bag_zip", bagZip)
	t.pure("treepath", dyn1(func(d any) any {
		if _, ok := d.(*value.Bag); !ok {
			return nil
		}
		var out []any
		seen := map[string]bool{}
		treePaths(d, "", func(p string) {
			if !seen[p] && len(out) < maxElements {
				seen[p] = true
				out = append(out, p)
			}
		})
		return out
	}))
	t.pure("estimate_data_size", estimateSize)
}

// index is path access by a text or a whole number; a negative number counts from the end.
func index(_ *Ctx, _ value.Type, n int, args []*value.Vector) (*value.Vector, error) {
	a := dyns(args[0])
	out := value.New(value.Dynamic, n)
	if args[1].Type == value.String {
		k := texts(args[1])
		for i := range out.D {
			if b, ok := a.at(i).(*value.Bag); ok {
				out.D[i], _ = b.Get(k.at(i))
			}
		}
		return out, nil
	}
	if args[1].Type == value.Dynamic {
		k := dyns(args[1])
		for i := range out.D {
			switch key := k.at(i).(type) {
			case string:
				if b, ok := a.at(i).(*value.Bag); ok {
					out.D[i], _ = b.Get(key)
				}
			default:
				if x, ok := elemLong(key); ok {
					out.D[i] = element(a.at(i), x)
				}
			}
		}
		return out, nil
	}
	k := longs(args[1])
	for i := range out.D {
		if !k.isNull(i) {
			out.D[i] = element(a.at(i), k.at(i))
		}
	}
	return out, nil
}

func element(d any, k int64) any {
	arr, ok := d.([]any)
	if !ok {
		return nil
	}
	if k < 0 {
		k += int64(len(arr))
	}
	if k < 0 || k >= int64(len(arr)) {
		return nil
	}
	return arr[k]
}

// bagPack builds bags from key, value pairs; skipEmpty leaves out nulls and empty texts.
func bagPack(skipEmpty bool) Func {
	return func(_ *Ctx, _ value.Type, n int, args []*value.Vector) (*value.Vector, error) {
		if len(args)%2 != 0 {
			return nil, misused("bag_pack", "takes pairs of a key and a value")
		}
		keys := make([]col[string], len(args)/2)
		vals := make([]col[any], len(args)/2)
		for k := range keys {
			keys[k], vals[k] = texts(args[2*k]), dyns(args[2*k+1])
		}
		out := value.New(value.Dynamic, n)
		for i := range out.D {
			b := value.NewBagOf(len(keys))
			for k := range keys {
				v := vals[k].at(i)
				if skipEmpty && (v == nil || v == "") {
					continue
				}
				b.Set(keys[k].at(i), v)
			}
			out.D[i] = b
		}
		return out, nil
	}
}

// bagMerge merges bags; the first value of a key stays. What is no bag is passed over.
func bagMerge(_ *Ctx, _ value.Type, n int, args []*value.Vector) (*value.Vector, error) {
	cs := make([]col[any], len(args))
	for k, a := range args {
		cs[k] = dyns(a)
	}
	out := value.New(value.Dynamic, n)
	for i := range out.D {
		var m *value.Bag
		for k := range cs {
			b, ok := cs[k].at(i).(*value.Bag)
			if !ok {
				continue
			}
			if m == nil {
				m = value.NewBag()
			}
			for _, key := range b.Keys() {
				if _, dup := m.Get(key); !dup {
					v, _ := b.Get(key)
					m.Set(key, v)
				}
			}
		}
		if m != nil {
			out.D[i] = m
		}
	}
	return out, nil
}

// keyPath reads a key of the bag functions: a plain name, or a JSON path that starts with $.
func keyPath(k string) []any {
	if !strings.HasPrefix(k, "$") {
		return []any{k}
	}
	steps, ok := parseJSONPath(k)
	if !ok || len(steps) == 0 {
		return []any{k}
	}
	return steps
}

// bagPath follows steps (texts and whole numbers) into d.
func bagPath(d any, steps []any) (any, bool) {
	for _, s := range steps {
		switch x := s.(type) {
		case string:
			b, ok := d.(*value.Bag)
			if !ok {
				return nil, false
			}
			if d, ok = b.Get(x); !ok {
				return nil, false
			}
		case int64:
			arr, ok := d.([]any)
			if x < 0 {
				x += int64(len(arr))
			}
			if !ok || x < 0 || x >= int64(len(arr)) {
				return nil, false
			}
			d = arr[x]
		default:
			return nil, false
		}
	}
	return d, true
}

func bagWithout(d any, steps []any) any {
	if len(steps) == 0 {
		return d
	}
	b, ok := d.(*value.Bag)
	name, isName := steps[0].(string)
	if !ok || !isName {
		return d
	}
	if _, has := b.Get(name); !has {
		return d
	}
	out := value.NewBag()
	for _, k := range b.Keys() {
		v, _ := b.Get(k)
		if k == name {
			if len(steps) == 1 {
				continue
			}
			v = bagWithout(v, steps[1:])
		}
		out.Set(k, v)
	}
	return out
}

func bagWith(b *value.Bag, steps []any, v any) any {
	name, ok := steps[0].(string)
	if !ok {
		return b
	}
	out := value.NewBag()
	for _, k := range b.Keys() {
		old, _ := b.Get(k)
		out.Set(k, old)
	}
	if len(steps) > 1 {
		inner, ok := b.Get(name)
		ib, isBag := inner.(*value.Bag)
		if !ok {
			ib = value.NewBag()
		} else if !isBag {
			return b
		}
		v = bagWith(ib, steps[1:], v)
	}
	out.Set(name, v)
	return out
}

func bagZip(_ *Ctx, _ value.Type, n int, args []*value.Vector) (*value.Vector, error) {
	ks, vs := dyns(args[0]), dyns(args[1])
	out := value.New(value.Dynamic, n)
	for i := range out.D {
		keys, ok := ks.at(i).([]any)
		if !ok {
			continue
		}
		vals, _ := vs.at(i).([]any)
		b := value.NewBagOf(len(keys))
		for k, key := range keys {
			s, ok := key.(string)
			if !ok {
				continue
			}
			var v any
			if k < len(vals) {
				v = vals[k]
			}
			b.Set(s, v)
		}
		out.D[i] = b
	}
	return out, nil
}

// treePaths lists the paths of d; every element of an array stands under [0].
func treePaths(d any, at string, f func(string)) {
	switch x := d.(type) {
	case *value.Bag:
		for _, k := range x.Keys() {
			p := at + "['" + k + "']"
			f(p)
			v, _ := x.Get(k)
			treePaths(v, p, f)
		}
	case []any:
		for _, e := range x {
			p := at + "[0]"
			f(p)
			treePaths(e, p, f)
		}
	}
}

// parseJSONPath reads $.a['b'].c[0] into its steps: texts and whole numbers; * is the step nil.
func parseJSONPath(p string) ([]any, bool) {
	if !strings.HasPrefix(p, "$") {
		return nil, false
	}
	var steps []any
	for i := 1; i < len(p); {
		switch p[i] {
		case '.':
			i++
			if i < len(p) && p[i] == '.' {
				return nil, false
			}
			if i < len(p) && p[i] == '[' {
				continue
			}
			j := i
			for j < len(p) && p[j] != '.' && p[j] != '[' {
				j++
			}
			if j == i {
				return nil, false
			}
			if p[i:j] == "*" {
				steps = append(steps, nil)
			} else {
				steps = append(steps, p[i:j])
			}
			i = j
		case '[':
			i++
			if i < len(p) && (p[i] == '\'' || p[i] == '"') {
				q := p[i]
				var b strings.Builder
				i++
				for i < len(p) && p[i] != q {
					if p[i] == '\\' && i+1 < len(p) {
						i++
					}
					b.WriteByte(p[i])
					i++
				}
				if i+1 >= len(p) || p[i+1] != ']' {
					return nil, false
				}
				steps = append(steps, b.String())
				i += 2
				continue
			}
			j := strings.IndexByte(p[i:], ']')
			if j < 0 {
				return nil, false
			}
			in := strings.TrimSpace(p[i : i+j])
			if in == "*" {
				steps = append(steps, nil)
			} else {
				k, err := strconv.ParseInt(in, 10, 64)
				if err != nil {
					return nil, false
				}
				steps = append(steps, k)
			}
			i += j + 1
		default:
			return nil, false
		}
	}
	return steps, true
}

// estimateSize is estimate_data_size(): fixed sizes for scalars, the bytes of texts.
func estimateSize(_ *Ctx, _ value.Type, n int, args []*value.Vector) (*value.Vector, error) {
	out := value.New(value.Long, n)
	for _, a := range args {
		var fixed int64
		switch a.Type {
		case value.Bool:
			fixed = 1
		case value.Int:
			fixed = 4
		case value.Long, value.Real, value.Datetime, value.Timespan:
			fixed = 8
		case value.GUID, value.Decimal:
			fixed = 16
		}
		if fixed > 0 {
			for i := range out.I {
				out.I[i] += fixed
			}
			continue
		}
		s := texts(a)
		for i := range out.I {
			out.I[i] += int64(len(s.at(i)))
		}
	}
	return out, nil
}
