package eval

import (
	"picket/kql/value"
	"strconv"
	"strings"
)

// geoWKTFuncs is geo_from_wkt(): well-known text to GeoJSON, null for what is none.
func geoWKTFuncs(t table) {
	one := func(s string) any {
		if len(s) > 4<<20 {
			return nil
		}
		w := wkt{s: s}
		g, ok := w.geometry(0)
		w.space()
		if !ok || w.i < len(w.s) {
			return nil
		}
		return g
	}
	t.pure("geo_from_wkt", func(_ *Ctx, _ value.Type, n int, args []*value.Vector) (*value.Vector, error) {
		a := dyns(args[0])
		out := value.New(value.Dynamic, n)
		for i := range out.D {
			switch x := a.at(i).(type) {
			case string:
				out.D[i] = one(x)
			case []any:
				arr := make([]any, len(x))
				for k, e := range x {
					if s, ok := e.(string); ok {
						arr[k] = one(s)
					}
				}
				out.D[i] = arr
			}
		}
		return out, nil
	})
}

type wkt struct {
	s string
	i int
}

func (w *wkt) space() {
	for w.i < len(w.s) && (w.s[w.i] == ' ' || w.s[w.i] == '\t' || w.s[w.i] == '\n' || w.s[w.i] == '\r') {
		w.i++
	}
}

func (w *wkt) lit(c byte) bool {
	w.space()
	if w.i < len(w.s) && w.s[w.i] == c {
		w.i++
		return true
	}
	return false
}

func (w *wkt) word() string {
	w.space()
	a := w.i
	for w.i < len(w.s) && termByte(w.s[w.i]) && (w.s[w.i] < '0' || w.s[w.i] > '9') {
		w.i++
	}
	return strings.ToUpper(w.s[a:w.i])
}

func (w *wkt) geometry(depth int) (any, bool) {
	if depth > 20 {
		return nil, false
	}
	switch kind := w.word(); kind {
	case "POINT":
		if !w.lit('(') {
			return nil, false
		}
		p, ok := w.position()
		return geoJSON("Point", p), ok && w.lit(')')
	case "LINESTRING":
		l, ok := w.list(0)
		return geoJSON("LineString", l), ok
	case "POLYGON":
		l, ok := w.list(1)
		return geoJSON("Polygon", l), ok
	case "MULTIPOINT":
		l, ok := w.list(0)
		return geoJSON("MultiPoint", l), ok
	case "MULTILINESTRING":
		l, ok := w.list(1)
		return geoJSON("MultiLineString", l), ok
	case "MULTIPOLYGON":
		l, ok := w.list(2)
		return geoJSON("MultiPolygon", l), ok
	case "GEOMETRYCOLLECTION":
		if !w.lit('(') {
			return nil, false
		}
		parts := []any{}
		for {
			g, ok := w.geometry(depth + 1)
			if !ok {
				return nil, false
			}
			parts = append(parts, g)
			if w.lit(')') {
				b := value.NewBag()
				b.Set("type", "GeometryCollection")
				b.Set("geometries", parts)
				return b, true
			}
			if !w.lit(',') {
				return nil, false
			}
		}
	}
	return nil, false
}

// list reads (a, b, ...) nested depth times more; a position may stand in parentheses of its own.
func (w *wkt) list(depth int) ([]any, bool) {
	if !w.lit('(') {
		return nil, false
	}
	out := []any{}
	for {
		var e any
		var ok bool
		if depth > 0 {
			e, ok = w.list(depth - 1)
		} else if w.lit('(') {
			e, ok = w.position()
			ok = ok && w.lit(')')
		} else {
			e, ok = w.position()
		}
		if !ok {
			return nil, false
		}
		out = append(out, e)
		if w.lit(')') {
			return out, true
		}
		if !w.lit(',') {
			return nil, false
		}
	}
}

func (w *wkt) position() (any, bool) {
	var xy [2]any
	for k := range xy {
		w.space()
		a := w.i
		for w.i < len(w.s) && strings.IndexByte("+-.0123456789eE", w.s[w.i]) >= 0 {
			w.i++
		}
		t := w.s[a:w.i]
		if n, err := strconv.ParseInt(t, 10, 64); err == nil {
			xy[k] = n
			continue
		}
		f, ok := value.ParseReal(t)
		if !ok {
			return nil, false
		}
		xy[k] = f
	}
	if _, ok := position([]any{xy[0], xy[1]}); !ok {
		return nil, false
	}
	return []any{xy[0], xy[1]}, true
}
