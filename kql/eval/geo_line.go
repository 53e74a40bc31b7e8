package eval

import (
	"math"
	"picket/kql/value"

	"github.com/golang/geo/s1"
	"github.com/golang/geo/s2"
)

func geoLineFuncs(t table) {
	t.pure("geo_distance_point_to_line", func(_ *Ctx, _ value.Type, n int, args []*value.Vector) (*value.Vector, error) {
		return pointShape(n, args, value.Real, func(p s2.Point, d any) value.Value {
			lines, ok := readLines(d)
			if !ok {
				return value.Null(value.Real)
			}
			_, dist := closest(p, func(f func(a, b s2.Point) bool) { lineEdges(lines, f) })
			return value.OfReal(toMeters(dist))
		}), nil
	})
	t.pure("geo_closest_point_on_line", func(_ *Ctx, _ value.Type, n int, args []*value.Vector) (*value.Vector, error) {
		return pointShape(n, args, value.Dynamic, func(p s2.Point, d any) value.Value {
			lines, ok := readLines(d)
			if !ok {
				return value.Null(value.Dynamic)
			}
			q, _ := closest(p, func(f func(a, b s2.Point) bool) { lineEdges(lines, f) })
			return value.OfDynamic(pointJSON(q))
		}), nil
	})
	t.pure("geo_line_length", shapeReal(func(d any) (float64, bool) {
		lines, ok := readLines(d)
		return toMeters(linesLength(lines)), ok
	}))
	t.pure("geo_line_centroid", dyn1(func(d any) any {
		lines, ok := readLines(d)
		if !ok {
			return nil
		}
		var c s2.Point
		for _, l := range lines {
			pl := s2.Polyline(l)
			c = s2.Point{Vector: c.Add(pl.Centroid().Vector)}
		}
		if c.Norm2() == 0 {
			return nil
		}
		return pointJSON(s2.Point{Vector: c.Normalize()})
	}))
	t.pure("geo_line_interpolate_point", func(_ *Ctx, _ value.Type, n int, args []*value.Vector) (*value.Vector, error) {
		a, f := dyns(args[0]), reals(args[1])
		out := value.New(value.Dynamic, n)
		for i := range out.D {
			lines, ok := readLines(a.at(i))
			if !ok || len(lines) != 1 || f.isNull(i) || !(f.at(i) >= 0 && f.at(i) <= 1) {
				continue
			}
			out.D[i] = pointJSON(interpolate(lines[0], f.at(i)))
		}
		return out, nil
	})
	t.pure("geo_line_locate_point", func(_ *Ctx, _ value.Type, n int, args []*value.Vector) (*value.Vector, error) {
		a, lng, lat := dyns(args[0]), reals(args[1]), reals(args[2])
		spheroid := flagArg(args, 3)
		out := value.New(value.Real, n)
		for i := range out.F {
			if spheroid(i) {
				return nil, refuse("geo_line_locate_point", "use_spheroid is not supported; leave it out to measure on the sphere")
			}
			lines, ok := readLines(a.at(i))
			p, ok2 := pointAt(lng.at(i), lat.at(i))
			if !ok || !ok2 || len(lines) != 1 || lng.isNull(i) || lat.isNull(i) {
				out.SetNull(i)
				continue
			}
			out.F[i] = locate(lines[0], p)
		}
		return out, nil
	})
	t.pure("geo_line_simplify", simplifyFunc(func(d any, tol s1.Angle) (any, error) {
		lines, ok := readLines(d)
		if !ok {
			return nil, nil
		}
		if len(lines) > 1 {
			lines = chain(lines)
		}
		var out [][]s2.Point
		for _, l := range lines {
			if s := simplifyLine(l, tol); len(s) >= 2 && extent(s) > tol {
				out = append(out, s)
			}
		}
		return linesJSON(out), nil
	}))
	t.pure("geo_line_densify", densifyFunc(func(d any, tol s1.Angle) any {
		if _, ok := readLines(d); !ok {
			return nil
		}
		return densify(d, tol)
	}))
	t.pure("geo_polygon_densify", densifyFunc(func(d any, tol s1.Angle) any {
		if _, ok := readShape(d); !ok {
			return nil
		}
		return densify(d, tol)
	}))
	t.pure("geo_union_lines_array", dyn1(func(d any) any {
		arr, ok := d.([]any)
		if !ok || len(arr) == 0 {
			return nil
		}
		var all [][]s2.Point
		for _, e := range arr {
			lines, ok := readLines(e)
			if !ok {
				return nil
			}
			all = append(all, lines...)
		}
		return linesJSON(chain(all))
	}))
	t.pure("geo_intersects_2lines", shapePair(value.Bool, func(x, y any) (any, bool, error) {
		a, ok := readLines(x)
		b, ok2 := readLines(y)
		if !ok || !ok2 {
			return nil, false, nil
		}
		pts, lines := crossLines(a, b)
		return len(pts)+len(lines) > 0, true, nil
	}))
	t.pure("geo_intersection_2lines", shapePair(value.Dynamic, func(x, y any) (any, bool, error) {
		a, ok := readLines(x)
		b, ok2 := readLines(y)
		if !ok || !ok2 {
			return nil, false, nil
		}
		pts, lines := crossLines(a, b)
		return collection(pts, lines, nil), true, nil
	}))
	t.pure("geo_line_to_s2cells", func(_ *Ctx, _ value.Type, n int, args []*value.Vector) (*value.Vector, error) {
		return s2Covering(n, args, func(d any, radius s1.Angle) ([]s2.Region, float64, bool, error) {
			lines, ok := readLines(d)
			if !ok || radius == 0 {
				var rs []s2.Region
				for _, l := range lines {
					pl := s2.Polyline(l)
					rs = append(rs, &pl)
				}
				return rs, 0, ok, nil
			}
			s, err := buffered(nil, lines, radius, radius/200)
			if err != nil {
				return nil, 0, false, err
			}
			rs, area := s.regions()
			return rs, area, true, nil
		})
	})
}

// closest gives the point of the edges nearest to p, and how far it is.
func closest(p s2.Point, edges func(func(a, b s2.Point) bool)) (s2.Point, s1.Angle) {
	best, at := s1.InfAngle(), p
	edges(func(a, b s2.Point) bool {
		if d := s2.DistanceFromSegment(p, a, b); d < best {
			best, at = d, s2.Project(p, a, b)
		}
		return true
	})
	return at, best
}

// pointShape adapts a function of a point (longitude, latitude) and a shape.
func pointShape(n int, args []*value.Vector, t value.Type, f func(p s2.Point, d any) value.Value) *value.Vector {
	lng, lat, d := reals(args[0]), reals(args[1]), dyns(args[2])
	out := value.New(t, n)
	for i := 0; i < n; i++ {
		if lng.isNull(i) || lat.isNull(i) {
			out.SetNull(i)
			continue
		}
		p, ok := pointAt(lng.at(i), lat.at(i))
		if !ok {
			out.SetNull(i)
			continue
		}
		out.Set(i, f(p, d.at(i)))
	}
	return out
}

func shapeReal(f func(d any) (float64, bool)) Func {
	return func(_ *Ctx, _ value.Type, n int, args []*value.Vector) (*value.Vector, error) {
		a := dyns(args[0])
		out := value.New(value.Real, n)
		for i := range out.F {
			x, ok := f(a.at(i))
			if !ok {
				out.SetNull(i)
				continue
			}
			out.F[i] = x
		}
		return out, nil
	}
}

// shapePair adapts a function of two shapes that gives a bool or a geometry.
func shapePair(t value.Type, f func(x, y any) (any, bool, error)) Func {
	return func(_ *Ctx, _ value.Type, n int, args []*value.Vector) (*value.Vector, error) {
		a, b := dyns(args[0]), dyns(args[1])
		out := value.New(value.Dynamic, n)
		for i := range out.D {
			d, ok, err := f(a.at(i), b.at(i))
			if err != nil {
				return nil, err
			}
			if ok {
				out.D[i] = d
			}
		}
		return convert(out, t), nil
	}
}

func linesLength(lines [][]s2.Point) s1.Angle {
	var sum s1.Angle
	lineEdges(lines, func(a, b s2.Point) bool {
		sum += a.Distance(b)
		return true
	})
	return sum
}

func interpolate(l []s2.Point, f float64) s2.Point {
	left := linesLength([][]s2.Point{l}) * s1.Angle(f)
	for i := 1; i < len(l); i++ {
		d := l[i-1].Distance(l[i])
		if left <= d && d > 0 {
			return s2.InterpolateAtDistance(left, l[i-1], l[i])
		}
		left -= d
	}
	return l[len(l)-1]
}

// locate gives the place of the point nearest to p along the line, 0..1.
func locate(l []s2.Point, p s2.Point) float64 {
	var walked, at s1.Angle
	best := s1.InfAngle()
	for i := 1; i < len(l); i++ {
		if d := s2.DistanceFromSegment(p, l[i-1], l[i]); d < best {
			best = d
			at = walked + l[i-1].Distance(s2.Project(p, l[i-1], l[i]))
		}
		walked += l[i-1].Distance(l[i])
	}
	return math.Min(1, float64(at/walked))
}

// toleranceArg reads an optional tolerance in meters; ok is false when it is out of range.
func toleranceArg(args []*value.Vector, k int, def float64) func(i int) (float64, bool) {
	if k >= len(args) {
		return func(int) (float64, bool) { return def, true }
	}
	r := reals(args[k])
	return func(i int) (float64, bool) {
		if r.isNull(i) {
			return def, true
		}
		return r.at(i), r.at(i) >= 0 && !math.IsInf(r.at(i), 0)
	}
}

func simplifyFunc(f func(d any, tol s1.Angle) (any, error)) Func {
	return func(_ *Ctx, _ value.Type, n int, args []*value.Vector) (*value.Vector, error) {
		a, tol := dyns(args[0]), toleranceArg(args, 1, 10)
		out := value.New(value.Dynamic, n)
		for i := range out.D {
			m, ok := tol(i)
			if !ok {
				continue
			}
			d, err := f(a.at(i), toAngle(m))
			if err != nil {
				return nil, err
			}
			out.D[i] = d
		}
		return out, nil
	}
}

// simplifyLine drops points that lie within a tolerance of the line through the kept ones.
func simplifyLine(l []s2.Point, tol s1.Angle) []s2.Point {
	keep := make([]bool, len(l))
	keep[0], keep[len(l)-1] = true, true
	type part struct{ a, b int }
	stack := []part{{0, len(l) - 1}}
	for len(stack) > 0 {
		p := stack[len(stack)-1]
		stack = stack[:len(stack)-1]
		far, at := s1.Angle(-1), 0
		for i := p.a + 1; i < p.b; i++ {
			if d := s2.DistanceFromSegment(l[i], l[p.a], l[p.b]); d > far {
				far, at = d, i
			}
		}
		if far > tol {
			keep[at] = true
			stack = append(stack, part{p.a, at}, part{at, p.b})
		}
	}
	var out []s2.Point
	for i, k := range keep {
		if k {
			out = append(out, l[i])
		}
	}
	return out
}

// extent is the greatest distance of a point of l from its first one.
func extent(l []s2.Point) s1.Angle {
	var e s1.Angle
	for _, p := range l {
		e = max(e, l[0].Distance(p))
	}
	return e
}

func densifyFunc(f func(d any, tol s1.Angle) any) Func {
	return func(_ *Ctx, _ value.Type, n int, args []*value.Vector) (*value.Vector, error) {
		a, tol := dyns(args[0]), toleranceArg(args, 1, 10)
		out := value.New(value.Dynamic, n)
		for i := range out.D {
			if m, ok := tol(i); ok && m >= 0.1 && m <= 10_000 {
				out.D[i] = f(a.at(i), toAngle(m))
			}
		}
		return out, nil
	}
}

// densify adds points to edges, which are taken as straight in longitude and latitude, until the arcs between the
// points stay within the tolerance of them.
func densify(d any, tol s1.Angle) any {
	var walk func(d any) any
	walk = func(d any) any {
		arr, ok := d.([]any)
		if !ok || len(arr) == 0 {
			return d
		}
		if _, isPos := position(arr[0]); !isPos {
			out := make([]any, len(arr))
			for i, e := range arr {
				out[i] = walk(e)
			}
			return out
		}
		out := []any{arr[0]}
		for i := 1; i < len(arr); i++ {
			p, q := arr[i-1].([]any), arr[i].([]any)
			x0, _ := elemReal(p[0])
			y0, _ := elemReal(p[1])
			x1, _ := elemReal(q[0])
			y1, _ := elemReal(q[1])
			splitEdge(x0, y0, x1, y1, tol, 20, func(x, y float64) { out = append(out, []any{shortNumber(x), shortNumber(y)}) })
			out = append(out, arr[i])
		}
		return out
	}
	kind, coords := geometry(d)
	return geoJSON(kind, walk(coords))
}

// shortNumber keeps whole numbers whole.
func shortNumber(f float64) any {
	if f == math.Trunc(f) {
		return int64(f)
	}
	return f
}

// splitEdge halves an edge while the arc strays from the straight line at a quarter, the middle or three quarters.
func splitEdge(x0, y0, x1, y1 float64, tol s1.Angle, depth int, put func(x, y float64)) {
	if x1-x0 > 180 {
		x1 -= 360
	} else if x0-x1 > 180 {
		x1 += 360
	}
	at := func(x, y float64) s2.Point { return s2.PointFromLatLng(s2.LatLngFromDegrees(y, x)) }
	a, b := at(x0, y0), at(x1, y1)
	var off s1.Angle
	for _, f := range [...]float64{0.25, 0.5, 0.75} {
		off = max(off, s2.DistanceFromSegment(at(x0+f*(x1-x0), y0+f*(y1-y0)), a, b))
	}
	if depth == 0 || off <= tol {
		return
	}
	x, y := (x0+x1)/2, (y0+y1)/2
	splitEdge(x0, y0, x, y, tol, depth-1, put)
	if x > 180 {
		put(x-360, y)
	} else if x < -180 {
		put(x+360, y)
	} else {
		put(x, y)
	}
	splitEdge(x, y, x1, y1, tol, depth-1, put)
}

// chain unites lines: equal edges count once, edges that follow each other without a branch join.
func chain(lines [][]s2.Point) [][]s2.Point {
	type edge struct{ a, b s2.Point }
	seen := map[edge]bool{}
	var edges []edge
	lineEdges(lines, func(a, b s2.Point) bool {
		if !seen[edge{a, b}] && !seen[edge{b, a}] {
			seen[edge{a, b}] = true
			edges = append(edges, edge{a, b})
		}
		return true
	})
	next, into := map[s2.Point][]int{}, map[s2.Point]int{}
	for i, e := range edges {
		next[e.a] = append(next[e.a], i)
		into[e.b]++
	}
	used := make([]bool, len(edges))
	var out [][]s2.Point
	walk := func(i int) {
		l := []s2.Point{edges[i].a}
		for {
			used[i] = true
			p := edges[i].b
			l = append(l, p)
			if len(next[p]) != 1 || into[p] != 1 || used[next[p][0]] {
				break
			}
			i = next[p][0]
		}
		out = append(out, l)
	}
	for i, e := range edges {
		if !used[i] && (into[e.a] != 1 || len(next[e.a]) != 1) {
			walk(i)
		}
	}
	for i := range edges {
		if !used[i] {
			walk(i)
		}
	}
	return out
}

// crossLines gives the points and the common edges of two lines.
func crossLines(a, b [][]s2.Point) ([]s2.Point, [][]s2.Point) {
	var pts []s2.Point
	var common [][]s2.Point
	onCommon := map[s2.Point]bool{}
	add := func(p s2.Point) {
		for _, q := range pts {
			if p.ApproxEqual(q) {
				return
			}
		}
		pts = append(pts, p)
	}
	lineEdges(a, func(p, q s2.Point) bool {
		lineEdges(b, func(r, s s2.Point) bool {
			switch {
			case p == r && q == s || p == s && q == r:
				common = append(common, []s2.Point{p, q})
				onCommon[p], onCommon[q] = true, true
			case p == r || p == s:
				add(p)
			case q == r || q == s:
				add(q)
			case s2.CrossingSign(p, q, r, s) == s2.Cross:
				add(s2.Intersection(p, q, r, s))
			}
			return true
		})
		return true
	})
	kept := pts[:0]
	for _, p := range pts {
		if !onCommon[p] {
			kept = append(kept, p)
		}
	}
	return kept, chain(common)
}

// collection writes points, lines and polygons as the simplest geometry that holds them.
func collection(pts []s2.Point, lines [][]s2.Point, polys [][][]s2.Point) any {
	var parts []any
	switch {
	case len(pts) == 1:
		parts = append(parts, pointJSON(pts[0]))
	case len(pts) > 1:
		parts = append(parts, geoJSON("MultiPoint", lineCoords(pts)))
	}
	if l := linesJSON(lines); l != nil {
		parts = append(parts, l)
	}
	if p := polygonsJSON(polys); p != nil {
		parts = append(parts, p)
	}
	if len(parts) == 1 {
		return parts[0]
	}
	if parts == nil {
		parts = []any{}
	}
	b := value.NewBag()
	b.Set("type", "GeometryCollection")
	b.Set("geometries", parts)
	return b
}
