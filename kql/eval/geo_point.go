package eval

import (
	"math"
	"picket/kql/value"

	"github.com/golang/geo/s2"
)

func geoPointFuncs(t table) {
	t.pure("geo_distance_2points", func(_ *Ctx, _ value.Type, n int, args []*value.Vector) (*value.Vector, error) {
		spheroid := flagArg(args, 4)
		return geoReals(n, args[:4], func(i int, x []float64) (float64, bool) {
			a, ok := pointAt(x[0], x[1])
			b, ok2 := pointAt(x[2], x[3])
			if !ok || !ok2 {
				return 0, false
			}
			if spheroid(i) {
				return spheroidDistance(x[0], x[1], x[2], x[3])
			}
			return toMeters(a.Distance(b)), true
		}), nil
	})
	t.pure("geo_azimuth", func(_ *Ctx, _ value.Type, n int, args []*value.Vector) (*value.Vector, error) {
		return geoReals(n, args, func(_ int, x []float64) (float64, bool) {
			a, ok := pointAt(x[0], x[1])
			b, ok2 := pointAt(x[2], x[3])
			if !ok || !ok2 || a == b || a.ApproxEqual(s2.Point{Vector: b.Mul(-1)}) {
				return 0, false
			}
			return azimuth(a, b), true
		}), nil
	})
	t.pure("geo_angle", func(_ *Ctx, _ value.Type, n int, args []*value.Vector) (*value.Vector, error) {
		return geoReals(n, args, func(_ int, x []float64) (float64, bool) {
			a, ok := pointAt(x[0], x[1])
			b, ok2 := pointAt(x[2], x[3])
			c, ok3 := pointAt(x[4], x[5])
			if !ok || !ok2 || !ok3 || a == b || b == c {
				return 0, false
			}
			d := azimuth(b, c) - azimuth(b, a)
			if d < 0 {
				d += 2 * math.Pi
			}
			return d, true
		}), nil
	})
	t.pure("geo_point_in_circle", func(_ *Ctx, _ value.Type, n int, args []*value.Vector) (*value.Vector, error) {
		return geoBools(n, args, func(x []float64) (bool, bool) {
			a, ok := pointAt(x[0], x[1])
			b, ok2 := pointAt(x[2], x[3])
			if !ok || !ok2 || !(x[4] >= 0) {
				return false, false
			}
			return toMeters(a.Distance(b)) <= x[4], true
		}), nil
	})
	t.pure("geo_point_to_geohash", func(_ *Ctx, _ value.Type, n int, args []*value.Vector) (*value.Vector, error) {
		return geoTexts(n, args, 5, func(lng, lat float64, accuracy int64) string {
			if _, ok := pointAt(lng, lat); !ok || accuracy < 1 || accuracy > 18 {
				return ""
			}
			return geohash(lng, lat, int(accuracy))
		}), nil
	})
	t.pure("geo_point_to_s2cell", func(_ *Ctx, _ value.Type, n int, args []*value.Vector) (*value.Vector, error) {
		return geoTexts(n, args, 11, func(lng, lat float64, level int64) string {
			p, ok := pointAt(lng, lat)
			if !ok || level < 0 || level > 30 {
				return ""
			}
			return s2.CellIDFromLatLng(s2.LatLngFromPoint(p)).Parent(int(level)).ToToken()
		}), nil
	})
	t.pure("geo_geohash_to_central_point", strToDyn(func(s string) any {
		b, ok := geohashBox(s)
		if !ok {
			return nil
		}
		return geoJSON("Point", []any{(b.lng0 + b.lng1) / 2, (b.lat0 + b.lat1) / 2})
	}))
	t.pure("geo_geohash_to_polygon", strToDyn(func(s string) any {
		b, ok := geohashBox(s)
		if !ok {
			return nil
		}
		at := func(lng, lat float64) any { return []any{lng, lat} }
		return geoJSON("Polygon", []any{[]any{at(b.lng0, b.lat0), at(b.lng1, b.lat0), at(b.lng1, b.lat1), at(b.lng0, b.lat1), at(b.lng0, b.lat0)}})
	}))
	t.pure("geo_geohash_neighbors", strToDyn(geohashNeighbors))
	t.pure("geo_s2cell_to_central_point", strToDyn(func(s string) any {
		id, ok := s2Cell(s)
		if !ok {
			return nil
		}
		return pointJSON(id.Point())
	}))
	t.pure("geo_s2cell_to_polygon", strToDyn(func(s string) any {
		id, ok := s2Cell(s)
		if !ok {
			return nil
		}
		c := s2.CellFromCellID(id)
		return polygonsJSON([][][]s2.Point{{{c.Vertex(0), c.Vertex(1), c.Vertex(2), c.Vertex(3)}}})
	}))
	t.pure("geo_s2cell_neighbors", strToDyn(func(s string) any {
		id, ok := s2Cell(s)
		if !ok {
			return nil
		}
		return s2Neighbors(id)
	}))
}

// flagArg reads an optional number-or-bool argument.
func flagArg(args []*value.Vector, k int) func(i int) bool {
	if k >= len(args) {
		return func(int) bool { return false }
	}
	b := bools(args[k])
	return func(i int) bool { return !b.isNull(i) && b.at(i) != 0 }
}

func geoReals(n int, args []*value.Vector, f func(i int, x []float64) (float64, bool)) *value.Vector {
	cs := make([]col[float64], len(args))
	for k, a := range args {
		cs[k] = reals(a)
	}
	x := make([]float64, len(args))
	out := value.New(value.Real, n)
rows:
	for i := range out.F {
		for k := range cs {
			if cs[k].isNull(i) {
				out.SetNull(i)
				continue rows
			}
			x[k] = cs[k].at(i)
		}
		r, ok := f(i, x)
		if !ok {
			out.SetNull(i)
			continue
		}
		out.F[i] = r
	}
	return out
}

func geoBools(n int, args []*value.Vector, f func(x []float64) (bool, bool)) *value.Vector {
	r := geoReals(n, args, func(_ int, x []float64) (float64, bool) {
		b, ok := f(x)
		if b {
			return 1, ok
		}
		return 0, ok
	})
	return convert(r, value.Bool)
}

// geoTexts adapts a function of a point and an optional whole number that gives a text, "" for bad arguments.
func geoTexts(n int, args []*value.Vector, def int64, f func(lng, lat float64, k int64) string) *value.Vector {
	lng, lat := reals(args[0]), reals(args[1])
	var level col[int64]
	if len(args) > 2 {
		level = longs(args[2])
	}
	out := value.New(value.String, n)
	for i := range out.S {
		k := def
		if len(args) > 2 {
			if level.isNull(i) {
				continue
			}
			k = level.at(i)
		}
		if !lng.isNull(i) && !lat.isNull(i) {
			out.S[i] = f(lng.at(i), lat.at(i), k)
		}
	}
	return out
}

const geohashDigits = "0123456789bcdefghjkmnpqrstuvwxyz"

func geohash(lng, lat float64, accuracy int) string {
	lng0, lng1, lat0, lat1 := -180.0, 180.0, -90.0, 90.0
	out := make([]byte, accuracy)
	even := true
	for i := range out {
		d := 0
		for range 5 {
			d <<= 1
			if even {
				if m := (lng0 + lng1) / 2; lng >= m {
					d |= 1
					lng0 = m
				} else {
					lng1 = m
				}
			} else {
				if m := (lat0 + lat1) / 2; lat >= m {
					d |= 1
					lat0 = m
				} else {
					lat1 = m
				}
			}
			even = !even
		}
		out[i] = geohashDigits[d]
	}
	return string(out)
}

type box struct{ lng0, lng1, lat0, lat1 float64 }

func geohashBox(s string) (box, bool) {
	b := box{-180, 180, -90, 90}
	if s == "" || len(s) > 18 {
		return b, false
	}
	even := true
	for i := range len(s) {
		d := -1
		for k := range len(geohashDigits) {
			if geohashDigits[k] == s[i] {
				d = k
			}
		}
		if d < 0 {
			return b, false
		}
		for bit := 4; bit >= 0; bit-- {
			high := d>>bit&1 == 1
			switch {
			case even && high:
				b.lng0 = (b.lng0 + b.lng1) / 2
			case even:
				b.lng1 = (b.lng0 + b.lng1) / 2
			case high:
				b.lat0 = (b.lat0 + b.lat1) / 2
			default:
				b.lat1 = (b.lat0 + b.lat1) / 2
			}
			even = !even
		}
	}
	return b, true
}

// geohashNeighbors gives the cells around in the service's order: SW, NW, SE, N, W, NE, E, S.
func geohashNeighbors(s string) any {
	b, ok := geohashBox(s)
	if !ok {
		return nil
	}
	w, h := b.lng1-b.lng0, b.lat1-b.lat0
	lng, lat := (b.lng0+b.lng1)/2, (b.lat0+b.lat1)/2
	out := []any{}
	for _, d := range [...][2]float64{{-1, -1}, {-1, 1}, {1, -1}, {0, 1}, {-1, 0}, {1, 1}, {1, 0}, {0, -1}} {
		x, y := lng+d[0]*w, lat+d[1]*h
		if y > 90 || y < -90 {
			continue
		}
		if x > 180 {
			x -= 360
		}
		if x < -180 {
			x += 360
		}
		out = append(out, geohash(x, y, len(s)))
	}
	return out
}

func s2Cell(token string) (s2.CellID, bool) {
	if token == "" || len(token) > 16 {
		return 0, false
	}
	for i := range len(token) {
		if c := token[i] | 0x20; (token[i] < '0' || token[i] > '9') && (c < 'a' || c > 'f') {
			return 0, false
		}
	}
	id := s2.CellIDFromToken(token)
	return id, id.IsValid()
}

// s2Neighbors gives the tokens of the cells around. With the four corners (in the cell's own axes: -- +- -+ ++) and the
// four edges (down, right, up, left), the service's order is ++, --, +-, down, up, right, left, -+. Cells at a corner of
// the cube have fewer.
func s2Neighbors(id s2.CellID) any {
	edges := id.EdgeNeighbors()
	seen := map[s2.CellID]bool{id: true}
	for _, e := range edges {
		seen[e] = true
	}
	var corners []s2.CellID
	for _, e := range id.AllNeighbors(id.Level()) {
		if !seen[e] {
			seen[e] = true
			corners = append(corners, e)
		}
	}
	order := append(append([]s2.CellID{}, edges[:]...), corners...)
	if len(corners) == 4 {
		order = []s2.CellID{corners[3], corners[0], corners[1], edges[0], edges[2], edges[1], edges[3], corners[2]}
	}
	out := []any{}
	done := map[s2.CellID]bool{id: true}
	for _, e := range order {
		if !done[e] {
			done[e] = true
			out = append(out, e.ToToken())
		}
	}
	return out
}

// spheroidDistance solves the inverse geodesic problem on WGS-84 (Vincenty); false where it does not converge,
// for nearly opposite points.
func spheroidDistance(lng1, lat1, lng2, lat2 float64) (float64, bool) {
	const a, f = 6378137.0, 1 / 298.257223563
	const b = a * (1 - f)
	rad := math.Pi / 180
	u1, u2 := math.Atan((1-f)*math.Tan(lat1*rad)), math.Atan((1-f)*math.Tan(lat2*rad))
	l := (lng2 - lng1) * rad
	s1, c1 := math.Sincos(u1)
	s2v, c2 := math.Sincos(u2)
	lambda := l
	for range 200 {
		sl, cl := math.Sincos(lambda)
		ss := math.Hypot(c2*sl, c1*s2v-s1*c2*cl)
		if ss == 0 {
			return 0, true
		}
		cs := s1*s2v + c1*c2*cl
		sigma := math.Atan2(ss, cs)
		sa := c1 * c2 * sl / ss
		ca2 := 1 - sa*sa
		cm := 0.0
		if ca2 > 0 {
			cm = cs - 2*s1*s2v/ca2
		}
		c := f / 16 * ca2 * (4 + f*(4-3*ca2))
		next := l + (1-c)*f*sa*(sigma+c*ss*(cm+c*cs*(2*cm*cm-1)))
		if math.Abs(next-lambda) < 1e-12 {
			up := ca2 * (a*a - b*b) / (b * b)
			ka := 1 + up/16384*(4096+up*(-768+up*(320-175*up)))
			kb := up / 1024 * (256 + up*(-128+up*(74-47*up)))
			ds := kb * ss * (cm + kb/4*(cs*(2*cm*cm-1)-kb/6*cm*(4*ss*ss-3)*(4*cm*cm-3)))
			return b * ka * (sigma - ds), true
		}
		lambda = next
	}
	return 0, false
}
