package eval

import (
	"math"
	"picket/kql/eval/h3"
	"picket/kql/value"
	"slices"

	"github.com/golang/geo/s2"
)

func geoH3Funcs(t table) {
	t.pure("geo_point_to_h3cell", func(_ *Ctx, _ value.Type, n int, args []*value.Vector) (*value.Vector, error) {
		return geoTexts(n, args, 6, func(lng, lat float64, res int64) string {
			p, ok := pointAt(lng, lat)
			if !ok || res < 0 || res > h3.MaxResolution {
				return ""
			}
			c, ok := h3.CellOf(h3Place(p), int(res))
			if !ok {
				return ""
			}
			return c.String()
		}), nil
	})
	t.pure("geo_h3cell_level", strToLong(value.Int, func(s string) (int64, bool) {
		c, ok := h3.Parse(s)
		return int64(c.Resolution()), ok
	}))
	t.pure("geo_h3cell_to_central_point", strToDyn(func(s string) any {
		c, ok := h3.Parse(s)
		if !ok {
			return nil
		}
		return pointJSON(h3Point(c.Center()))
	}))
	t.pure("geo_h3cell_to_polygon", strToDyn(func(s string) any {
		c, ok := h3.Parse(s)
		if !ok {
			return nil
		}
		var ring []s2.Point
		for _, p := range c.Boundary() {
			ring = append(ring, h3Point(p))
		}
		return polygonsJSON([][][]s2.Point{{ring}})
	}))
	t.pure("geo_h3cell_neighbors", strToDyn(func(s string) any {
		c, ok := h3.Parse(s)
		if !ok {
			return nil
		}
		rings, ok := c.Rings(1, maxCells)
		if !ok {
			return nil
		}
		return h3Texts(rings[1])
	}))
	t.pure("geo_h3cell_rings", h3With(-1, func(c h3.Cell, k int64) any {
		if k < 0 || k > 200 {
			return nil
		}
		rings, ok := c.Rings(int(k), maxCells)
		if !ok {
			return nil
		}
		out := make([]any, len(rings))
		for i, r := range rings {
			out[i] = h3Texts(r)
		}
		return out
	}))
	t.pure("geo_h3cell_parent", func(c *Ctx, _ value.Type, n int, args []*value.Vector) (*value.Vector, error) {
		v, err := h3With(-1, func(c h3.Cell, res int64) any {
			if res > h3.MaxResolution || res >= int64(c.Resolution()) {
				return nil
			}
			p, ok := c.Parent(int(res))
			if !ok {
				return nil
			}
			return p.String()
		})(c, value.Dynamic, n, args)
		if err != nil {
			return nil, err
		}
		return convert(v, value.String), nil
	})
	t.pure("geo_h3cell_children", h3With(1, func(c h3.Cell, res int64) any {
		if res > h3.MaxResolution || res <= int64(c.Resolution()) {
			return nil
		}
		kids, ok := c.Children(int(res), maxCells)
		if !ok {
			return nil
		}
		return h3Texts(kids)
	}))
	t.pure("geo_polygon_to_h3cells", func(_ *Ctx, _ value.Type, n int, args []*value.Vector) (*value.Vector, error) {
		a := dyns(args[0])
		var res col[int64]
		if len(args) > 1 {
			res = longs(args[1])
		}
		radius := toleranceArg(args, 2, 0)
		out := value.New(value.Dynamic, n)
		for i := range out.D {
			k := int64(6)
			if len(args) > 1 && !res.isNull(i) {
				k = res.at(i)
			}
			s, ok := readShape(a.at(i))
			m, ok2 := radius(i)
			if !ok || !ok2 || k < 0 || k > h3.MaxResolution || toAngle(m) > math.Pi/3 {
				continue
			}
			s, err := s.grown(toAngle(m))
			if err != nil {
				return nil, err
			}
			if cells := h3Fill(s, int(k)); cells != nil {
				out.D[i] = h3Texts(cells)
			}
		}
		return out, nil
	})
}

func h3Place(p s2.Point) h3.LatLng {
	ll := s2.LatLngFromPoint(p)
	return h3.LatLng{Lat: float64(ll.Lat), Lng: float64(ll.Lng)}
}

func h3Point(p h3.LatLng) s2.Point {
	return s2.PointFromLatLng(s2.LatLngFromDegrees(p.Lat*180/math.Pi, p.Lng*180/math.Pi))
}

func h3Texts(cells []h3.Cell) []any {
	out := make([]any, len(cells))
	for i, c := range cells {
		out[i] = c.String()
	}
	return out
}

// h3With adapts a function of a cell and a whole number, which defaults to the cell's resolution plus step.
func h3With(step int64, f func(c h3.Cell, k int64) any) Func {
	return func(_ *Ctx, _ value.Type, n int, args []*value.Vector) (*value.Vector, error) {
		a := texts(args[0])
		var num col[int64]
		if len(args) > 1 {
			num = longs(args[1])
		}
		out := value.New(value.Dynamic, n)
		for i := range out.D {
			c, ok := h3.Parse(a.at(i))
			if !ok {
				continue
			}
			k := int64(c.Resolution()) + step
			if len(args) > 1 {
				if num.isNull(i) {
					continue
				}
				k = num.at(i)
			}
			out.D[i] = f(c, k)
		}
		return out, nil
	}
}

// h3Fill lists the cells whose centers lie in a shape, in the order of their indexes; nil when there are too many.
func h3Fill(s *shape, res int) []h3.Cell {
	area := 0.0
	for _, p := range s.polys {
		area += p.Area()
	}
	cellArea := 4 * math.Pi / (2 + 120*math.Pow(7, float64(res)))
	if area > 2*maxCells*cellArea {
		return nil
	}
	step := math.Sqrt(cellArea) / 3
	seen, inside := map[h3.Cell]bool{}, []h3.Cell{}
	var queue []h3.Cell
	visit := func(c h3.Cell) {
		if seen[c] {
			return
		}
		seen[c] = true
		if s.contains(h3Point(c.Center())) {
			inside = append(inside, c)
			queue = append(queue, c)
		}
	}
	around := func(c h3.Cell) {
		if r, ok := c.Rings(1, maxCells); ok {
			for _, q := range r[1] {
				visit(q)
			}
		}
	}
	traced := map[h3.Cell]bool{}
	steps := 0
	s.edges(func(a, b s2.Point) bool {
		n := int(float64(a.Distance(b))/step) + 1
		if steps += n; steps > 4*maxCells {
			return false
		}
		for k := range n {
			c, ok := h3.CellOf(h3Place(s2.Interpolate(float64(k)/float64(n), a, b)), res)
			if ok && !traced[c] {
				traced[c] = true
				visit(c)
				around(c)
			}
		}
		return true
	})
	for len(queue) > 0 && len(inside) <= maxCells {
		c := queue[len(queue)-1]
		queue = queue[:len(queue)-1]
		around(c)
	}
	if len(inside) > maxCells || steps > 4*maxCells {
		return nil
	}
	slices.Sort(inside)
	return inside
}
