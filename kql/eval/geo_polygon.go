package eval

import (
	"math"
	"picket/kql/value"
	"sort"

	"github.com/golang/geo/s1"
	"github.com/golang/geo/s2"
)

func geoPolygonFuncs(t table) {
	t.pure("geo_point_in_polygon", func(_ *Ctx, _ value.Type, n int, args []*value.Vector) (*value.Vector, error) {
		read := lastShape()
		return pointShape(n, args, value.Bool, func(p s2.Point, d any) value.Value {
			s, ok := read(d)
			if !ok {
				return value.Null(value.Bool)
			}
			return value.OfBool(s.contains(p))
		}), nil
	})
	t.pure("geo_distance_point_to_polygon", func(_ *Ctx, _ value.Type, n int, args []*value.Vector) (*value.Vector, error) {
		read := lastShape()
		return pointShape(n, args, value.Real, func(p s2.Point, d any) value.Value {
			s, ok := read(d)
			if !ok {
				return value.Null(value.Real)
			}
			if s.contains(p) {
				return value.OfReal(0)
			}
			_, dist := closest(p, s.edges)
			return value.OfReal(toMeters(dist))
		}), nil
	})
	t.pure("geo_closest_point_on_polygon", func(_ *Ctx, _ value.Type, n int, args []*value.Vector) (*value.Vector, error) {
		return pointShape(n, args, value.Dynamic, func(p s2.Point, d any) value.Value {
			s, ok := readShape(d)
			if !ok {
				return value.Null(value.Dynamic)
			}
			if s.contains(p) {
				return value.OfDynamic(pointJSON(p))
			}
			q, _ := closest(p, s.edges)
			return value.OfDynamic(pointJSON(q))
		}), nil
	})
	t.pure("geo_polygon_area", shapeMeasure(func(s *shape) any {
		a := 0.0
		for _, p := range s.polys {
			a += p.Area()
		}
		return a * earthRadius * earthRadius
	}, value.Real))
	t.pure("geo_polygon_perimeter", shapeMeasure(func(s *shape) any {
		var l s1.Angle
		s.edges(func(a, b s2.Point) bool { l += a.Distance(b); return true })
		return toMeters(l)
	}, value.Real))
	t.pure("geo_polygon_centroid", shapeMeasure(func(s *shape) any {
		var c s2.Point
		for _, p := range s.polys {
			c = s2.Point{Vector: c.Add(p.Centroid().Vector)}
		}
		if c.Norm2() == 0 {
			return nil
		}
		return pointJSON(s2.Point{Vector: c.Normalize()})
	}, value.Dynamic))
	t.pure("geo_polygon_simplify", simplifyFunc(func(d any, tol s1.Angle) (any, error) {
		s, ok := readShape(d)
		if !ok {
			return nil, nil
		}
		return polygonsJSON(s.simplified(tol)), nil
	}))
	t.pure("geo_union_polygons_array", dynErr1(func(d any) (any, error) {
		shapes, ok := readShapes(d)
		if !ok {
			return nil, nil
		}
		polys, err := uniteAll(shapes)
		return polygonsJSON(polys), err
	}))
	t.pure("geo_simplify_polygons_array", simplifyFunc(func(d any, tol s1.Angle) (any, error) {
		shapes, ok := readShapes(d)
		if !ok {
			return nil, nil
		}
		polys, err := uniteAll(shapes)
		if err != nil {
			return nil, err
		}
		s := &shape{rings: polys}
		return polygonsJSON(s.simplified(tol)), nil
	}))
	t.pure("geo_intersects_2polygons", shapePair(value.Bool, func(x, y any) (any, bool, error) {
		a, ok := readShape(x)
		b, ok2 := readShape(y)
		if !ok || !ok2 {
			return nil, false, nil
		}
		return shapesMeet(a, b), true, nil
	}))
	t.pure("geo_intersects_line_with_polygon", shapePair(value.Bool, func(x, y any) (any, bool, error) {
		l, ok := readLines(x)
		s, ok2 := readShape(y)
		if !ok || !ok2 {
			return nil, false, nil
		}
		return lineMeets(l, s), true, nil
	}))
	t.pure("geo_intersection_2polygons", shapePair(value.Dynamic, func(x, y any) (any, bool, error) {
		a, ok := readShape(x)
		b, ok2 := readShape(y)
		if !ok || !ok2 {
			return nil, false, nil
		}
		a, err := a.merged()
		if err != nil {
			return nil, false, err
		}
		if b, err = b.merged(); err != nil {
			return nil, false, err
		}
		polys, pts, err := overlay(a.rings, b.rings, false)
		if err != nil {
			return nil, false, err
		}
		return collection(pts, nil, polys), true, nil
	}))
	t.pure("geo_intersection_line_with_polygon", shapePair(value.Dynamic, func(x, y any) (any, bool, error) {
		l, ok := readLines(x)
		s, ok2 := readShape(y)
		if !ok || !ok2 {
			return nil, false, nil
		}
		return collection(nil, clipLines(l, s), nil), true, nil
	}))
	t.pure("geo_point_buffer", func(_ *Ctx, _ value.Type, n int, args []*value.Vector) (*value.Vector, error) {
		lng, lat, radius, tol := reals(args[0]), reals(args[1]), reals(args[2]), toleranceArg(args, 3, 10)
		out := value.New(value.Dynamic, n)
		for i := range out.D {
			p, ok := pointAt(lng.at(i), lat.at(i))
			m, ok2 := tol(i)
			if !ok || !ok2 || lng.isNull(i) || lat.isNull(i) || radius.isNull(i) || !(radius.at(i) > 0) || toAngle(radius.at(i)) > math.Pi/3 {
				continue
			}
			out.D[i] = polygonsJSON([][][]s2.Point{{circle(p, toAngle(radius.at(i)), toAngle(math.Max(m, 0.1)))}})
		}
		return out, nil
	})
	t.pure("geo_line_buffer", bufferFunc(func(d any) ([][][]s2.Point, [][]s2.Point, bool) {
		l, ok := readLines(d)
		return nil, l, ok
	}))
	t.pure("geo_polygon_buffer", bufferFunc(func(d any) ([][][]s2.Point, [][]s2.Point, bool) {
		s, ok := readShape(d)
		if !ok {
			return nil, nil, false
		}
		return s.rings, s.outlines(), true
	}))
	t.pure("geo_polygon_to_s2cells", func(_ *Ctx, _ value.Type, n int, args []*value.Vector) (*value.Vector, error) {
		return s2Covering(n, args, func(d any, radius s1.Angle) ([]s2.Region, float64, bool, error) {
			s, ok := readShape(d)
			if !ok {
				return nil, 0, false, nil
			}
			s, err := s.grown(radius)
			if err != nil {
				return nil, 0, false, err
			}
			rs, area := s.regions()
			return rs, area, true, nil
		})
	})
	for _, name := range []string{
		"__geo_polygon_s2cell_covering_level", "__geo_polygon_validate", "__geo_line_s2cell_covering_level",
		"__geo_line_validate", "__geo_length_to_s2cell_level",
	} {
		t.pure(name, func(*Ctx, value.Type, int, []*value.Vector) (*value.Vector, error) {
			return nil, refuse(name, "is internal to the service")
		})
	}
}

// dynErr1 is dyn1 for functions that may refuse.
func dynErr1(f func(any) (any, error)) Func {
	return func(_ *Ctx, _ value.Type, n int, args []*value.Vector) (*value.Vector, error) {
		a := dyns(args[0])
		out := value.New(value.Dynamic, n)
		for i := range out.D {
			d, err := f(a.at(i))
			if err != nil {
				return nil, err
			}
			out.D[i] = d
		}
		return out, nil
	}
}

// lastShape reads shapes and remembers the last one: joins against a constant polygon read it once.
func lastShape() func(d any) (*shape, bool) {
	var last *value.Bag
	var s *shape
	var ok bool
	return func(d any) (*shape, bool) {
		b, isBag := d.(*value.Bag)
		if !isBag {
			return nil, false
		}
		if b != last {
			last = b
			s, ok = readShape(d)
		}
		return s, ok
	}
}

// shapeMeasure adapts a measure of a polygon; overlapping parts count once.
func shapeMeasure(f func(*shape) any, t value.Type) Func {
	return func(_ *Ctx, _ value.Type, n int, args []*value.Vector) (*value.Vector, error) {
		a := dyns(args[0])
		out := value.New(value.Dynamic, n)
		for i := range out.D {
			s, ok := readShape(a.at(i))
			if !ok {
				continue
			}
			s, err := s.merged()
			if err != nil {
				return nil, err
			}
			out.D[i] = f(s)
		}
		return convert(out, t), nil
	}
}

func readShapes(d any) ([]*shape, bool) {
	arr, ok := d.([]any)
	if !ok || len(arr) == 0 {
		return nil, false
	}
	var out []*shape
	for _, e := range arr {
		s, ok := readShape(e)
		if !ok {
			return nil, false
		}
		out = append(out, s)
	}
	return out, true
}

// simplified drops points of the rings; rings that fall below three points or the tolerance vanish.
func (s *shape) simplified(tol s1.Angle) [][][]s2.Point {
	var out [][][]s2.Point
	for _, rings := range s.rings {
		var kept [][]s2.Point
		for k, r := range rings {
			far, at := s1.Angle(-1), 0
			for i, p := range r {
				if d := r[0].Distance(p); d > far {
					far, at = d, i
				}
			}
			one := simplifyLine(r[:at+1], tol)
			two := simplifyLine(append(append([]s2.Point{}, r[at:]...), r[0]), tol)
			ring := append(append([]s2.Point{}, one...), two[1:len(two)-1]...)
			if len(ring) >= 3 && far > tol {
				kept = append(kept, ring)
			} else if k == 0 {
				break
			}
		}
		if len(kept) > 0 {
			out = append(out, kept)
		}
	}
	return out
}

// shapesMeet reports whether two polygons share a point, on their boundaries or inside.
func shapesMeet(a, b *shape) bool {
	for _, p := range a.polys {
		for _, q := range b.polys {
			if p.Intersects(q) {
				return true
			}
		}
	}
	touch := false
	a.edges(func(p, q s2.Point) bool {
		b.edges(func(r, s s2.Point) bool {
			touch = p == r || p == s || s2.CrossingSign(p, q, r, s) == s2.Cross
			return !touch
		})
		return !touch
	})
	return touch
}

func lineMeets(l [][]s2.Point, s *shape) bool {
	hit := false
	lineEdges(l, func(p, q s2.Point) bool {
		if hit = s.contains(p) || s.contains(q); hit {
			return false
		}
		s.edges(func(a, b s2.Point) bool {
			hit = p == a || q == a || s2.CrossingSign(p, q, a, b) == s2.Cross
			return !hit
		})
		return !hit
	})
	return hit
}

// clipLines keeps the parts of lines inside a polygon.
func clipLines(lines [][]s2.Point, s *shape) [][]s2.Point {
	var out [][]s2.Point
	for _, l := range lines {
		var cur []s2.Point
		flush := func() {
			if len(cur) >= 2 {
				out = append(out, cur)
			}
			cur = nil
		}
		for i := 1; i < len(l); i++ {
			p, q := l[i-1], l[i]
			cuts := []s2.Point{p}
			s.edges(func(a, b s2.Point) bool {
				if s2.CrossingSign(p, q, a, b) == s2.Cross {
					cuts = append(cuts, s2.Intersection(p, q, a, b))
				} else if a != p && a != q && s2.DistanceFromSegment(a, p, q) < 1e-15 {
					cuts = append(cuts, a)
				}
				return true
			})
			cuts = append(cuts, q)
			sort.SliceStable(cuts, func(x, y int) bool { return p.Distance(cuts[x]) < p.Distance(cuts[y]) })
			for k := 1; k < len(cuts); k++ {
				a, b := cuts[k-1], cuts[k]
				if a == b {
					continue
				}
				if !s.contains(s2.Point{Vector: a.Add(b.Vector).Normalize()}) {
					flush()
					continue
				}
				if len(cur) == 0 {
					cur = []s2.Point{a}
				}
				cur = append(cur, b)
			}
		}
		flush()
	}
	return out
}

// circle is a ring around p whose edges stay within the tolerance of the circle.
func circle(p s2.Point, radius, tol s1.Angle) []s2.Point {
	n := 8
	for n < 1024 && float64(radius)*(1-math.Cos(math.Pi/float64(n))) > float64(tol) {
		n *= 2
	}
	return s2.RegularLoop(p, radius, n).Vertices()
}

// bufferFunc adapts geo_line_buffer and geo_polygon_buffer (shape, radius[, tolerance]): the union of the shape with
// capsules around its edges.
func bufferFunc(read func(d any) (polys [][][]s2.Point, lines [][]s2.Point, ok bool)) Func {
	return func(_ *Ctx, _ value.Type, n int, args []*value.Vector) (*value.Vector, error) {
		a, radius, tol := dyns(args[0]), reals(args[1]), toleranceArg(args, 2, 10)
		out := value.New(value.Dynamic, n)
		for i := range out.D {
			polys, lines, ok := read(a.at(i))
			m, ok2 := tol(i)
			if !ok || !ok2 || radius.isNull(i) || !(radius.at(i) > 0) || toAngle(radius.at(i)) > math.Pi/3 {
				continue
			}
			u, err := buffered(polys, lines, toAngle(radius.at(i)), toAngle(math.Max(m, 0.1)))
			if err != nil {
				return nil, err
			}
			out.D[i] = polygonsJSON(u.rings)
		}
		return out, nil
	}
}

// outlines gives the rings as closed lines.
func (s *shape) outlines() [][]s2.Point {
	var lines [][]s2.Point
	for _, rings := range s.rings {
		for _, r := range rings {
			lines = append(lines, append(append([]s2.Point{}, r...), r[0]))
		}
	}
	return lines
}

// regions gives the polygons as regions that cells can cover, and their area.
func (s *shape) regions() (rs []s2.Region, area float64) {
	for _, p := range s.polys {
		rs = append(rs, p)
		area += p.Area()
	}
	return rs, area
}

// grown gives the shape with everything within a radius of it.
func (s *shape) grown(radius s1.Angle) (*shape, error) {
	if radius == 0 {
		return s, nil
	}
	return buffered(s.rings, s.outlines(), radius, radius/200)
}

// buffered unites polygons with capsules around the edges of lines.
func buffered(polys [][][]s2.Point, lines [][]s2.Point, r, tol s1.Angle) (*shape, error) {
	shapes := []*shape{}
	if polys != nil {
		shapes = append(shapes, &shape{rings: polys})
	}
	count := 0
	lineEdges(lines, func(p, q s2.Point) bool {
		shapes = append(shapes, &shape{rings: [][][]s2.Point{{capsule(p, q, r, tol)}}})
		count++
		return count <= 2000
	})
	if count > 2000 {
		return nil, refuse("geo buffer", "a shape of more than 2000 edges is not supported; simplify it first")
	}
	union, err := uniteAll(shapes)
	if err != nil {
		return nil, err
	}
	out := &shape{}
	for _, rings := range union {
		if !out.add(rings) {
			return nil, refuse("geo buffer", "the buffer has no simple boundary; try another tolerance")
		}
	}
	return out, nil
}

// capsule is the ring at a distance around an arc.
func capsule(p, q s2.Point, r, tol s1.Angle) []s2.Point {
	n := 4
	for n < 512 && float64(r)*(1-math.Cos(math.Pi/float64(2*n))) > float64(tol) {
		n *= 2
	}
	cap := func(c, other s2.Point) []s2.Point { // the half circle around c away from other, left to right
		away := s2.PointOnLine(c, other, -r)
		right := s2.PointToRight(c, other, r)
		out := make([]s2.Point, 0, n+1)
		for k := 0; k <= n; k++ {
			s, co := math.Sincos(math.Pi * float64(k) / float64(n))
			u := right.Sub(c.Mul(math.Cos(float64(r)))).Mul(-co)
			v := away.Sub(c.Mul(math.Cos(float64(r)))).Mul(s)
			out = append(out, s2.Point{Vector: c.Mul(math.Cos(float64(r))).Add(u).Add(v).Normalize()})
		}
		return out
	}
	return append(cap(p, q), cap(q, p)...)
}

// maxCells is the most cells that a covering may have; more give null.
const maxCells = 65536

// s2Covering is geo_*_to_s2cells(shape[, level[, radius]]): the tokens of the cells of one level that cover.
func s2Covering(n int, args []*value.Vector, read func(d any, radius s1.Angle) ([]s2.Region, float64, bool, error)) (*value.Vector, error) {
	a := dyns(args[0])
	var level col[int64]
	if len(args) > 1 {
		level = longs(args[1])
	}
	radius := toleranceArg(args, 2, 0)
	out := value.New(value.Dynamic, n)
	for i := range out.D {
		k := int64(11)
		if len(args) > 1 && !level.isNull(i) {
			k = level.at(i)
		}
		m, ok := radius(i)
		if !ok || k < 0 || k > 30 || toAngle(m) > math.Pi/3 {
			continue
		}
		regions, area, ok, err := read(a.at(i), toAngle(m))
		if err != nil {
			return nil, err
		}
		if !ok || area > maxCells*2*s2.AvgAreaMetric.Value(int(k)) {
			continue
		}
		rc := &s2.RegionCoverer{MinLevel: int(k), MaxLevel: int(k), LevelMod: 1, MaxCells: maxCells + 1}
		seen := map[s2.CellID]bool{}
		var ids []s2.CellID
		for _, r := range regions {
			for _, id := range rc.Covering(r) {
				for c := id.ChildBeginAtLevel(int(k)); c != id.ChildEndAtLevel(int(k)) && len(ids) <= maxCells; c = c.Next() {
					if !seen[c] {
						seen[c] = true
						ids = append(ids, c)
					}
				}
			}
		}
		if len(ids) > maxCells {
			continue
		}
		sort.Slice(ids, func(x, y int) bool { return ids[x] < ids[y] })
		arr := make([]any, len(ids))
		for x, id := range ids {
			arr[x] = id.ToToken()
		}
		out.D[i] = arr
	}
	return out, nil
}
