package eval

import (
	"math"
	"picket/kql/value"

	"github.com/golang/geo/r3"
	"github.com/golang/geo/s1"
	"github.com/golang/geo/s2"
)

// Geography: GeoJSON on a sphere, edges are arcs of great circles, distances in meters. Arguments that are no
// valid coordinates or shapes give null.

// earthRadius is the radius of the sphere in meters.
const earthRadius = 6371010.0

// maxShape bounds the vertices of one shape.
const maxShape = 200_000

func toAngle(meters float64) s1.Angle { return s1.Angle(meters / earthRadius) }
func toMeters(a s1.Angle) float64     { return float64(a) * earthRadius }

func pointAt(lng, lat float64) (s2.Point, bool) {
	if !(math.Abs(lng) <= 180 && math.Abs(lat) <= 90) {
		return s2.Point{}, false
	}
	return s2.PointFromLatLng(s2.LatLngFromDegrees(lat, lng)), true
}

func lngLat(p s2.Point) (lng, lat float64) {
	ll := s2.LatLngFromPoint(p)
	return ll.Lng.Degrees(), ll.Lat.Degrees()
}

func coordinates(p s2.Point) []any {
	lng, lat := lngLat(p)
	return []any{lng, lat}
}

// geoJSON makes a geometry object.
func geoJSON(kind string, coords any) *value.Bag {
	b := value.NewBag()
	b.Set("type", kind)
	b.Set("coordinates", coords)
	return b
}

func pointJSON(p s2.Point) *value.Bag { return geoJSON("Point", coordinates(p)) }

func lineCoords(l []s2.Point) []any {
	out := make([]any, len(l))
	for i, p := range l {
		out[i] = coordinates(p)
	}
	return out
}

// linesJSON writes one line as LineString and several as MultiLineString; none gives nil.
func linesJSON(lines [][]s2.Point) any {
	switch len(lines) {
	case 0:
		return nil
	case 1:
		return geoJSON("LineString", lineCoords(lines[0]))
	}
	all := make([]any, len(lines))
	for i, l := range lines {
		all[i] = lineCoords(l)
	}
	return geoJSON("MultiLineString", all)
}

func ringCoords(r []s2.Point) []any { return append(lineCoords(r), coordinates(r[0])) }

// polygonsJSON writes one polygon as Polygon and several as MultiPolygon; none gives nil.
func polygonsJSON(polys [][][]s2.Point) any {
	all := make([]any, len(polys))
	for i, rings := range polys {
		rs := make([]any, len(rings))
		for k, r := range rings {
			rs[k] = ringCoords(r)
		}
		all[i] = rs
	}
	switch len(all) {
	case 0:
		return nil
	case 1:
		return geoJSON("Polygon", all[0])
	}
	return geoJSON("MultiPolygon", all)
}

// position reads [lng, lat].
func position(d any) (s2.Point, bool) {
	arr, ok := d.([]any)
	if !ok || len(arr) < 2 {
		return s2.Point{}, false
	}
	lng, ok := elemReal(arr[0])
	lat, ok2 := elemReal(arr[1])
	if !ok || !ok2 {
		return s2.Point{}, false
	}
	return pointAt(lng, lat)
}

func positions(d any) ([]s2.Point, bool) {
	arr, ok := d.([]any)
	if !ok || len(arr) > maxShape {
		return nil, false
	}
	out := make([]s2.Point, 0, len(arr))
	for _, e := range arr {
		p, ok := position(e)
		if !ok {
			return nil, false
		}
		out = append(out, p)
	}
	return out, true
}

// geometry reads the type and the coordinates of a GeoJSON object.
func geometry(d any) (kind string, coords any) {
	b, ok := d.(*value.Bag)
	if !ok {
		return "", nil
	}
	t, _ := b.Get("type")
	kind, _ = t.(string)
	coords, _ = b.Get("coordinates")
	return kind, coords
}

// readLines reads a LineString or MultiLineString: every line has two different points or more.
func readLines(d any) ([][]s2.Point, bool) {
	kind, coords := geometry(d)
	var parts []any
	switch kind {
	case "LineString":
		parts = []any{coords}
	case "MultiLineString":
		parts, _ = coords.([]any)
	}
	var out [][]s2.Point
	for _, c := range parts {
		l, ok := positions(c)
		if !ok {
			return nil, false
		}
		l = withoutRepeats(l)
		if len(l) < 2 {
			return nil, false
		}
		out = append(out, l)
	}
	return out, len(out) > 0
}

func withoutRepeats(l []s2.Point) []s2.Point {
	out := l[:0:0]
	for i, p := range l {
		if i == 0 || p != l[i-1] {
			out = append(out, p)
		}
	}
	return out
}

// shape is a polygon or several, each with its rings (without the closing point; the first is the shell, all turn
// so that the inside lies left of the shell) and as an S2 polygon.
type shape struct {
	rings [][][]s2.Point
	polys []*s2.Polygon
}

// readShape reads a Polygon or MultiPolygon with closed, simple rings.
func readShape(d any) (*shape, bool) {
	kind, coords := geometry(d)
	var parts []any
	switch kind {
	case "Polygon":
		parts = []any{coords}
	case "MultiPolygon":
		parts = polygonParts(coords, 0)
	}
	s := &shape{}
	for _, c := range parts {
		arr, ok := c.([]any)
		if !ok || len(arr) == 0 {
			return nil, false
		}
		var rings [][]s2.Point
		for _, r := range arr {
			ring, ok := positions(r)
			if !ok || len(ring) < 4 || ring[0] != ring[len(ring)-1] {
				return nil, false
			}
			rings = append(rings, ring[:len(ring)-1])
		}
		if !s.add(rings) {
			return nil, false
		}
	}
	return s, len(s.polys) > 0
}

// polygonParts gives the polygons of a MultiPolygon's coordinates. Lists nested more deeply than GeoJSON has them, as
// make_list over pack_array builds them, are taken apart.
func polygonParts(coords any, depth int) []any {
	arr, _ := coords.([]any)
	var out []any
	for _, e := range arr {
		rings, _ := e.([]any)
		if len(rings) > 0 && depth < 8 {
			if ring, ok := rings[0].([]any); ok && len(ring) > 0 {
				if _, isPos := position(ring[0]); !isPos {
					out = append(out, polygonParts(e, depth+1)...)
					continue
				}
			}
		}
		out = append(out, e)
	}
	return out
}

// add appends a polygon; false when a ring is not simple.
func (s *shape) add(rings [][]s2.Point) bool {
	loops := make([]*s2.Loop, len(rings))
	for i, r := range rings {
		l := s2.LoopFromPoints(append([]s2.Point{}, r...))
		if l.Validate() != nil || ringCrossesItself(r) {
			return false
		}
		l.Normalize()
		loops[i] = l
		ring := append([]s2.Point{}, l.Vertices()...)
		if ring[0] != r[0] { // a turned loop keeps its first point
			for k, p := range ring {
				if p == r[0] {
					ring = append(ring[k:], ring[:k]...)
					break
				}
			}
		}
		if i > 0 {
			ring = reversed(ring)
		}
		rings[i] = ring
	}
	s.rings = append(s.rings, rings)
	s.polys = append(s.polys, s2.PolygonFromLoops(loops))
	return true
}

// reversed turns a ring around and keeps its first point.
func reversed(r []s2.Point) []s2.Point {
	out := make([]s2.Point, len(r))
	out[0] = r[0]
	for i := 1; i < len(r); i++ {
		out[i] = r[len(r)-i]
	}
	return out
}

// ringCrossesItself looks for two edges that cross; rings beyond 3000 points are taken as simple.
func ringCrossesItself(r []s2.Point) bool {
	n := len(r)
	if n > 3000 {
		return false
	}
	for i := range n {
		a, b := r[i], r[(i+1)%n]
		crosser := s2.NewEdgeCrosser(a, b)
		for k := i + 2; k < n; k++ {
			if (k+1)%n == i {
				continue
			}
			if crosser.CrossingSign(r[k], r[(k+1)%n]) == s2.Cross {
				return true
			}
		}
	}
	return false
}

func (s *shape) contains(p s2.Point) bool {
	for _, g := range s.polys {
		if g.ContainsPoint(p) {
			return true
		}
	}
	return false
}

// edges calls f with every edge until it gives false.
func (s *shape) edges(f func(a, b s2.Point) bool) {
	for _, rings := range s.rings {
		for _, r := range rings {
			for i := range r {
				if !f(r[i], r[(i+1)%len(r)]) {
					return
				}
			}
		}
	}
}

func lineEdges(lines [][]s2.Point, f func(a, b s2.Point) bool) {
	for _, l := range lines {
		for i := 1; i < len(l); i++ {
			if !f(l[i-1], l[i]) {
				return
			}
		}
	}
}

// merged gives the shape with its polygons united where they overlap, so that areas and lengths count once.
func (s *shape) merged() (*shape, error) {
	if len(s.rings) < 2 || !s.overlaps() {
		return s, nil
	}
	polys, err := uniteAll([]*shape{s})
	if err != nil {
		return nil, err
	}
	out := &shape{}
	for _, rings := range polys {
		if !out.add(rings) {
			return nil, refuse("geo", "the union of the polygons has no simple boundary")
		}
	}
	return out, nil
}

func (s *shape) overlaps() bool {
	for i, a := range s.polys {
		for _, b := range s.polys[i+1:] {
			if a.Intersects(b) {
				return true
			}
		}
	}
	return false
}

// azimuth is the clockwise angle from north at a to the direction of b, 0..2π.
func azimuth(a, b s2.Point) float64 {
	north := r3.Vector{X: 0, Y: 0, Z: 1}
	toNorth := a.Vector.Cross(north)
	toB := a.Vector.Cross(b.Vector)
	ang := math.Atan2(toNorth.Cross(toB).Dot(a.Vector), toNorth.Dot(toB))
	az := -ang
	if az < 0 {
		az += 2 * math.Pi
	}
	return az
}
