package exec

import (
	"fmt"
	"picket/kql/plan"
	"picket/kql/value"
	"sort"
	"strings"
)

// maxUnpacked bounds the columns that bag_unpack and pivot make.
const maxUnpacked = 10000

// unpacking is bag_unpack settled on the data: what each output column holds.
type unpacking struct {
	p    *pluginRun
	bag  *value.Vector
	cols []unpackedCol
}

type unpackedCol struct {
	name string
	t    value.Type
	in   int    // input column, or -1
	key  string // property of the bag when in is -1
}

// unpack reads the arguments bag_unpack(bag [, prefix [, columnsConflict [, ignoredProperties]]]) and finds the
// properties. A property becomes a column of the type of its values, dynamic when they differ; new columns follow the
// input's in alphabetical order, one named as the bag itself takes its place.
func (p *pluginRun) unpack() (*unpacking, error) {
	bag, err := p.column(0)
	if err != nil {
		return nil, err
	}
	self := -1
	if r, ok := p.n.Args[0].(*plan.ColRef); ok {
		self = p.l[r.ID]
	}
	prefix, err := p.text("OutputColumnPrefix", "")
	if err != nil {
		return nil, err
	}
	conflict, err := p.text("columnsConflict", "error")
	if err != nil {
		return nil, err
	}
	if conflict != "error" && conflict != "replace_source" && conflict != "keep_source" {
		return nil, invalid(p.n.At, "columnsConflict of bag_unpack must be error, replace_source or keep_source, not %q", conflict)
	}
	ignored := map[string]bool{}
	skip, _, err := p.named("ignoredProperties")
	if err != nil {
		return nil, err
	}
	if l, ok := skip.D.([]any); ok {
		for _, e := range l {
			ignored[value.FormatDynamic(e)] = true
		}
	}
	types := map[string]value.Type{}
	for i := 0; i < p.in.n; i++ {
		b, ok := value.Elem(bag, i).(*value.Bag)
		if !ok {
			continue
		}
		for _, k := range b.Keys() {
			if ignored[k] {
				continue
			}
			e, _ := b.Get(k)
			t := elemType(e)
			was, seen := types[k]
			switch {
			case !seen || was == value.Invalid:
				types[k] = t
			case t == value.Invalid || t == was:
			default:
				types[k] = value.Dynamic
			}
		}
		if len(types) > maxUnpacked {
			return nil, &LimitError{What: "columns of bag_unpack", Limit: maxUnpacked}
		}
	}
	keys := make([]string, 0, len(types))
	for k := range types {
		keys = append(keys, k)
	}
	sort.Strings(keys)
	u := &unpacking{p: p, bag: bag}
	made := map[string]string{} // column → property
	for _, k := range keys {
		made[prefix+k] = k
	}
	typeOf := func(k string) value.Type {
		if types[k] == value.Invalid {
			return value.Dynamic
		}
		return types[k]
	}
	used := map[string]bool{}
	for c, col := range p.cols {
		k, clash := made[col.Name]
		switch {
		case c == self && clash:
			u.cols = append(u.cols, unpackedCol{name: col.Name, t: typeOf(k), in: -1, key: k})
			used[col.Name] = true
		case c == self:
		case clash && conflict == "error":
			return nil, invalid(p.n.At, "bag_unpack: column %s is there already; give a prefix, or columnsConflict replace_source or keep_source", col.Name)
		case clash && conflict == "replace_source":
			u.cols = append(u.cols, unpackedCol{name: col.Name, t: typeOf(k), in: -1, key: k})
			used[col.Name] = true
		default:
			u.cols = append(u.cols, unpackedCol{name: col.Name, t: col.Type, in: c})
			used[col.Name] = true
		}
	}
	for _, k := range keys {
		if !used[prefix+k] {
			u.cols = append(u.cols, unpackedCol{name: prefix + k, t: typeOf(k), in: -1, key: k})
		}
	}
	if p.n.Declared {
		return u, u.declared(prefix, ignored)
	}
	return u, nil
}

// declared makes the unpacking follow the schema that the query gave: property by name, `*` having been expanded by
// the binder to the input's columns.
func (u *unpacking) declared(prefix string, ignored map[string]bool) error {
	cols := make([]unpackedCol, 0, len(u.p.n.Out))
	for _, c := range u.p.n.Out {
		at, own := u.p.l[c.ID]
		switch {
		case own:
			cols = append(cols, unpackedCol{name: c.Name, t: c.Type, in: at})
		case strings.HasPrefix(c.Name, prefix):
			key := strings.TrimPrefix(c.Name, prefix)
			k := unpackedCol{name: c.Name, t: c.Type, in: -1, key: key}
			if ignored[key] {
				k.key = "\x00"
			}
			if !u.hasKey(key) {
				if at := u.p.place(c); at >= 0 && u.p.cols[at].Type == c.Type {
					k = unpackedCol{name: c.Name, t: c.Type, in: at}
				}
			}
			cols = append(cols, k)
		default:
			at := u.p.place(c)
			if at < 0 {
				return fmt.Errorf("BUG: bag_unpack has no column %s", c.Name)
			}
			cols = append(cols, unpackedCol{name: c.Name, t: c.Type, in: at})
		}
	}
	u.cols = cols
	return nil
}

func (u *unpacking) hasKey(k string) bool {
	for _, c := range u.cols {
		if c.in < 0 && c.key == k {
			return true
		}
	}
	return false
}

// elemType is the scalar type of a dynamic element; Invalid for null, Dynamic for arrays and bags.
func elemType(e any) value.Type {
	switch e.(type) {
	case nil:
		return value.Invalid
	case bool:
		return value.Bool
	case int64:
		return value.Long
	case float64:
		return value.Real
	case string:
		return value.String
	case value.DateTime:
		return value.Datetime
	case value.TimeSpan:
		return value.Timespan
	case value.Guid:
		return value.GUID
	}
	return value.Dynamic
}

func (u *unpacking) schema() value.Schema {
	var s value.Schema
	for _, c := range u.cols {
		s = append(s, value.Column{Name: c.name, Type: c.t})
	}
	return s
}

// bagUnpack makes a column of each property of a bag.
func bagUnpack(p *pluginRun) (*batch, error) {
	u, err := p.unpack()
	if err != nil {
		return nil, err
	}
	if len(u.cols) != len(p.n.Out) {
		return nil, fmt.Errorf("bag_unpack finds %d columns where it found %d before: the data changed while the query ran; run it again, or declare the columns", len(u.cols), len(p.n.Out))
	}
	out := &batch{n: p.in.n, vecs: make([]*value.Vector, len(u.cols))}
	for c, col := range u.cols {
		if col.in >= 0 {
			out.vecs[c] = p.in.vecs[col.in]
			continue
		}
		v := value.New(col.t, p.in.n)
		for i := 0; i < p.in.n; i++ {
			b, ok := value.Elem(u.bag, i).(*value.Bag)
			var e any
			if ok {
				e, _ = b.Get(col.key)
			}
			if e == nil {
				v.SetNull(i)
				continue
			}
			x := castElem(e, col.t)
			if s, isText := e.(string); isText && p.n.Declared && col.t != value.Dynamic {
				x = parseText(s, col.t)
			}
			v.Set(i, x)
		}
		out.vecs[c] = v
	}
	return out, nil
}
