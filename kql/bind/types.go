package bind

import (
	"picket/kql/catalog"
	"picket/kql/value"
)

// typ is the type of a scalar expression as the binder sees it: a KQL type, and for dynamic what is known of
// the value inside. A plan only keeps v.
type typ struct {
	v     value.Type // Invalid after an error, Unknown when nothing is known
	null  bool       // the literal null inside dynamic
	name  bool       // a type literal, typeof(long)
	shape shape
	elem  *typ   // element of an array; the scalar inside a shapePrim
	props []prop // properties of a bag
}

type shape uint8

const (
	shapeAny   shape = iota
	shapeArray       // an array
	shapeBag         // a property bag
	shapePrim        // a scalar inside dynamic
)

type prop struct {
	name string
	t    typ
}

var (
	tErr     = typ{v: value.Invalid}
	tUnknown = typ{v: value.Unknown}
	tDynamic = typ{v: value.Dynamic}
	tArray   = typ{v: value.Dynamic, shape: shapeArray}
	tBag     = typ{v: value.Dynamic, shape: shapeBag}
	tNull    = typ{v: value.Dynamic, null: true}
	tTypeLit = typ{v: value.Unknown, name: true}
	tBool    = typ{v: value.Bool}
	tString  = typ{v: value.String}
	tLong    = typ{v: value.Long}
	tReal    = typ{v: value.Real}
)

func scalar(v value.Type) typ { return typ{v: v} }

func (t typ) isErr() bool     { return t.v == value.Invalid }
func (t typ) isUnknown() bool { return t.v == value.Unknown && !t.name }
func (t typ) isDynamic() bool { return t.v == value.Dynamic && !t.null }
func (t typ) isAny() bool     { return t.isDynamic() && t.shape == shapeAny }

// plain reports a scalar type proper, without dynamic.
func (t typ) plain() bool {
	return t.v != value.Invalid && t.v != value.Unknown && t.v != value.Dynamic
}

func (t typ) is(v value.Type) bool { return t.v == v && v != value.Dynamic && !t.name }

// same reports the identity of two types.
func (t typ) same(u typ) bool {
	if t.v != u.v || t.null != u.null || t.name != u.name || t.shape != u.shape || (t.elem == nil) != (u.elem == nil) {
		return false
	}
	if t.elem != nil && !t.elem.same(*u.elem) {
		return false
	}
	if len(t.props) != len(u.props) {
		return false
	}
	for i := range t.props {
		if t.props[i].name != u.props[i].name || !t.props[i].t.same(u.props[i].t) {
			return false
		}
	}
	return true
}

// String is the name people read in errors.
func (t typ) String() string {
	switch {
	case t.name:
		return "type"
	case t.null:
		return "null"
	}
	return t.v.String()
}

func (t typ) isInteger() bool { return t.v == value.Int || t.v == value.Long || t.isUnknown() }
func (t typ) isNumeric() bool {
	return t.v == value.Int || t.v == value.Long || t.v == value.Real || t.v == value.Decimal || t.isUnknown()
}

func (t typ) isSummable() bool {
	return t.isNumeric() || t.v == value.Datetime || t.v == value.Timespan
}

func (t typ) isOrderable() bool {
	return t.isSummable() || t.v == value.String || t.v == value.Bool
}

// wider reports whether a value of type u is promoted to t without being asked.
func (t typ) wider(u typ) bool {
	if t.name || u.name || t.null || u.null {
		return false
	}
	switch t.v {
	case value.Long:
		return u.v == value.Int
	case value.Real:
		return u.v == value.Int || u.v == value.Long
	case value.Decimal:
		return u.v == value.Int || u.v == value.Long || u.v == value.Real
	case value.String:
		return u.isAny()
	}
	return false
}

// promotableTo: wider, and any known array or bag is a dynamic.
func (t typ) promotableTo(u typ) bool {
	return u.wider(t) || u.isAny() && t.isDynamic() && (t.shape == shapeArray || t.shape == shapeBag)
}

// conversion is how much a value may change to fit a parameter.
type conversion uint8

const (
	convNone conversion = iota
	convPromotable
	convCompatible
	convAny
	convDynamic
)

// assignable reports whether a value of type from fits type to.
func assignable(to, from typ, c conversion) bool {
	if to.same(from) {
		return true
	}
	if to.isErr() || from.isErr() {
		return false
	}
	if from.isUnknown() || to.isUnknown() {
		return true
	}
	if to.isAny() {
		if from.isDynamic() || c >= convDynamic {
			return true
		}
	}
	if to.isDynamic() && from.isDynamic() && to.shape == from.shape {
		switch to.shape {
		case shapeArray:
			if to.elem == nil {
				return c != convNone || from.elem == nil
			}
			return from.elem != nil && assignable(*from.elem, *to.elem, c)
		case shapeBag:
			if to.props == nil && c != convNone {
				return true
			}
			for _, p := range to.props {
				if q, ok := from.prop(p.name); !ok || !assignable(p.t, q, convAny) {
					return false
				}
			}
			return true
		case shapePrim:
			return assignable(*to.elem, *from.elem, c)
		}
	}
	if to.name || from.name {
		return false
	}
	if to.plain() && (from.plain() || from.isAny() || from.isDynamic() && from.shape == shapePrim) {
		switch c {
		case convPromotable:
			return to.wider(from)
		case convCompatible:
			return to.wider(from) || from.wider(to)
		case convAny:
			return true
		}
	}
	return false
}

func (t typ) prop(name string) (typ, bool) {
	for i := len(t.props) - 1; i >= 0; i-- {
		if t.props[i].name == name {
			return t.props[i].t, true
		}
	}
	return typ{}, false
}

// dynamicOf is the dynamic that holds a t.
func dynamicOf(t typ) typ {
	switch {
	case t.isErr(), t.null, t.name, t.v == value.Unknown:
		return tDynamic
	case t.isDynamic():
		return t
	case t.v == value.Int:
		l := tLong
		return typ{v: value.Dynamic, shape: shapePrim, elem: &l}
	case t.v == value.Decimal:
		return tDynamic
	}
	u := t
	return typ{v: value.Dynamic, shape: shapePrim, elem: &u}
}

// arrayOf is the array type with elements of type t.
func arrayOf(t typ) typ {
	if t.isDynamic() && t.shape == shapePrim {
		t = *t.elem
	}
	switch {
	case t.isErr(), t.null, t.name, t.v == value.Unknown, t.isAny(), t.v == value.Decimal:
		return tArray
	case t.v == value.Int:
		t = tLong
	}
	return typ{v: value.Dynamic, shape: shapeArray, elem: &t}
}

// element is what an array yields.
func (t typ) element() typ {
	if t.isDynamic() && t.shape == shapeArray && t.elem != nil {
		return dynamicOf(*t.elem)
	}
	return tDynamic
}

// common finds the type that holds both; allowed says which conversions may be used.
func common(a, b typ, allowed conversion) (typ, bool) {
	switch {
	case a.same(b):
		return a, true
	case a.isErr() || b.isErr():
		return tErr, false
	case a.null:
		return b, true
	case b.null:
		return a, true
	case a.isUnknown() || b.isUnknown():
		return tUnknown, true
	case a.isAny() || b.isAny():
		return tDynamic, true
	case allowed >= convPromotable && a.promotableTo(b):
		return b, true
	case allowed >= convPromotable && b.promotableTo(a):
		return a, true
	}
	if a.isDynamic() && b.isDynamic() {
		switch {
		case a.shape == shapeArray && b.shape == shapeArray:
			return tArray, true
		case a.shape == shapeBag && b.shape == shapeBag:
			return typ{v: value.Dynamic, shape: shapeBag, props: intersect(a.props, b.props)}, true
		case a.shape == shapePrim && b.shape == shapePrim:
			if t, ok := common(*a.elem, *b.elem, allowed); ok {
				return dynamicOf(t), true
			}
		}
		return tDynamic, true
	}
	if a.isDynamic() && a.shape == shapePrim {
		if t, ok := common(*a.elem, b, allowed); ok {
			return dynamicOf(t), true
		}
	}
	if b.isDynamic() && b.shape == shapePrim {
		if t, ok := common(a, *b.elem, allowed); ok {
			return dynamicOf(t), true
		}
	}
	if allowed >= convDynamic {
		return tDynamic, true
	}
	return tErr, false
}

func intersect(a, b []prop) []prop {
	var out []prop
	for _, p := range a {
		for _, q := range b {
			if p.name == q.name {
				if t, ok := common(p.t, q.t, convDynamic); ok {
					out = append(out, prop{p.name, t})
				}
			}
		}
	}
	return out
}

// commonOf folds common over ts; false for none or no common type.
func commonOf(ts []typ, allowed conversion) (typ, bool) {
	if len(ts) == 0 {
		return tErr, false
	}
	t := ts[0]
	for _, u := range ts[1:] {
		var ok bool
		if t, ok = common(t, u, allowed); !ok {
			return tErr, false
		}
	}
	return t, true
}

// widest is the widest numeric type of ts.
func widest(ts []typ) typ {
	w := tErr
	for _, t := range ts {
		if t.isUnknown() {
			return tUnknown
		}
		if t.isNumeric() && (w.isErr() || t.wider(w)) {
			w = t
		}
	}
	return w
}

func promoteInt(t typ) typ {
	if t.v == value.Int {
		return tLong
	}
	return t
}

func catalogType(s *catalog.Signature) typ {
	t := typ{v: s.Type}
	switch s.Shape {
	case catalog.Array:
		if s.Elem != value.Invalid {
			return arrayOf(typ{v: s.Elem})
		}
		return tArray
	case catalog.Bag:
		return tBag
	}
	return t
}
