package eval

import (
	"math"
	"slices"
	"sort"

	"github.com/golang/geo/r3"
	"github.com/golang/geo/s2"
)

// Unions and intersections of polygons. The polygons are projected from the center of the sphere onto a plane
// (where arcs are straight), their edges are cut where they meet, the pieces that bound the result are kept and
// stitched to rings. All points must lie within 85 degrees of their center.

const (
	maxOverlay = 25_000_000 // pairs of edges
	nearby     = 1e-12      // points closer than this in the plane are one
)

type vec struct{ x, y float64 }

func (a vec) sub(b vec) vec       { return vec{a.x - b.x, a.y - b.y} }
func (a vec) cross(b vec) float64 { return a.x*b.y - a.y*b.x }
func (a vec) dot(b vec) float64   { return a.x*b.x + a.y*b.y }

// plane maps points of the sphere to ids, which stand for places in the plane.
type plane struct {
	c, u, v r3.Vector
	at      []vec
	pts     []s2.Point
	grid    map[[2]int64][]int
}

func newPlane(groups ...[][][]s2.Point) (*plane, error) {
	var sum r3.Vector
	each := func(f func(p s2.Point)) {
		for _, g := range groups {
			for _, rings := range g {
				for _, r := range rings {
					for _, p := range r {
						f(p)
					}
				}
			}
		}
	}
	each(func(p s2.Point) { sum = sum.Add(p.Vector) })
	if sum.Norm() == 0 {
		sum = r3.Vector{X: 1}
	}
	pl := &plane{c: sum.Normalize(), grid: map[[2]int64][]int{}}
	pl.u = pl.c.Ortho()
	pl.v = pl.c.Cross(pl.u)
	far := false
	each(func(p s2.Point) { far = far || p.Dot(pl.c) < math.Cos(85*math.Pi/180) })
	if far {
		return nil, refuse("geo", "unions and intersections of polygons that span more than 85 degrees around their center are not supported")
	}
	return pl, nil
}

func (pl *plane) project(p s2.Point) vec {
	w := p.Dot(pl.c)
	return vec{p.Dot(pl.u) / w, p.Dot(pl.v) / w}
}

func (pl *plane) id(p s2.Point) int {
	at := pl.project(p)
	const cell = 1e-9
	gx, gy := int64(math.Floor(at.x/cell)), int64(math.Floor(at.y/cell))
	for dx := int64(-1); dx <= 1; dx++ {
		for dy := int64(-1); dy <= 1; dy++ {
			for _, k := range pl.grid[[2]int64{gx + dx, gy + dy}] {
				if d := pl.at[k].sub(at); d.dot(d) <= nearby*nearby {
					return k
				}
			}
		}
	}
	k := len(pl.at)
	pl.at, pl.pts = append(pl.at, at), append(pl.pts, p)
	pl.grid[[2]int64{gx, gy}] = append(pl.grid[[2]int64{gx, gy}], k)
	return k
}

// side is one of the two operands: its edges as point ids.
type side struct{ edges [][2]int }

func (pl *plane) side(polys [][][]s2.Point) *side {
	s := &side{}
	for _, rings := range polys {
		for _, r := range rings {
			for i := range r {
				a, b := pl.id(r[i]), pl.id(r[(i+1)%len(r)])
				if a != b {
					s.edges = append(s.edges, [2]int{a, b})
				}
			}
		}
	}
	return s
}

// inside tells whether a place lies in a side, by counting crossings.
func (pl *plane) inside(s *side, p vec) bool {
	in := false
	for _, e := range s.edges {
		a, b := pl.at[e[0]], pl.at[e[1]]
		if (a.y > p.y) != (b.y > p.y) && p.x < (b.x-a.x)*(p.y-a.y)/(b.y-a.y)+a.x {
			in = !in
		}
	}
	return in
}

// cuts finds the point ids at which the edges of a and b meet.
func (pl *plane) cuts(a, b *side) (ca, cb [][]int) {
	ca, cb = make([][]int, len(a.edges)), make([][]int, len(b.edges))
	for i, e := range a.edges {
		p, q := pl.at[e[0]], pl.at[e[1]]
		for k, f := range b.edges {
			r, s := pl.at[f[0]], pl.at[f[1]]
			if math.Max(p.x, q.x) < math.Min(r.x, s.x)-nearby || math.Max(r.x, s.x) < math.Min(p.x, q.x)-nearby ||
				math.Max(p.y, q.y) < math.Min(r.y, s.y)-nearby || math.Max(r.y, s.y) < math.Min(p.y, q.y)-nearby {
				continue
			}
			on := false
			for _, id := range f {
				if pl.onEdge(id, e) {
					ca[i] = append(ca[i], id)
					on = true
				}
			}
			for _, id := range e {
				if pl.onEdge(id, f) {
					cb[k] = append(cb[k], id)
					on = true
				}
			}
			if on {
				continue
			}
			d1, d2 := q.sub(p).cross(r.sub(p)), q.sub(p).cross(s.sub(p))
			d3, d4 := s.sub(r).cross(p.sub(r)), s.sub(r).cross(q.sub(r))
			if (d1 > 0) != (d2 > 0) && (d3 > 0) != (d4 > 0) {
				x := s2.Intersection(pl.pts[e[0]], pl.pts[e[1]], pl.pts[f[0]], pl.pts[f[1]])
				if x.Dot(pl.c) < 0 {
					x = s2.Point{Vector: x.Mul(-1)}
				}
				id := pl.id(x)
				ca[i], cb[k] = append(ca[i], id), append(cb[k], id)
			}
		}
	}
	return ca, cb
}

// onEdge reports whether a point lies on an edge, its ends included.
func (pl *plane) onEdge(id int, e [2]int) bool {
	if id == e[0] || id == e[1] {
		return true
	}
	p, a, b := pl.at[id], pl.at[e[0]], pl.at[e[1]]
	ab, ap := b.sub(a), p.sub(a)
	l := ab.dot(ab)
	t := ap.dot(ab) / l
	return t > 0 && t < 1 && math.Abs(ab.cross(ap)) <= nearby*math.Sqrt(l)
}

// piece is a part of an edge, with the number of the edge among all edges that went in.
type piece struct {
	a, b, input int
	last        bool // the piece that ends where the edge ends
}

func (pl *plane) pieces(s *side, cuts [][]int, first int) []piece {
	var out []piece
	for i, e := range s.edges {
		a := pl.at[e[0]]
		ids := append([]int{e[0]}, cuts[i]...)
		ids = append(ids, e[1])
		dir := pl.at[e[1]].sub(a)
		slices.SortStableFunc(ids, func(x, y int) int {
			d := pl.at[x].sub(a).dot(dir) - pl.at[y].sub(a).dot(dir)
			switch {
			case d < 0:
				return -1
			case d > 0:
				return 1
			}
			return 0
		})
		ids = slices.Compact(ids)
		for k := 1; k < len(ids); k++ {
			out = append(out, piece{ids[k-1], ids[k], first + i, k == len(ids)-1})
		}
	}
	return out
}

// overlay gives the union or the intersection of two groups of polygons, and for the intersection the points at
// which they only touch.
func overlay(a, b [][][]s2.Point, union bool) ([][][]s2.Point, []s2.Point, error) {
	pl, err := newPlane(a, b)
	if err != nil {
		return nil, nil, err
	}
	sa, sb := pl.side(a), pl.side(b)
	if len(sa.edges)*len(sb.edges) > maxOverlay {
		return nil, nil, refuse("geo", "polygons of %d and %d edges pass the limit; simplify them first", len(sa.edges), len(sb.edges))
	}
	ca, cb := pl.cuts(sa, sb)
	pa, pb := pl.pieces(sa, ca, 0), pl.pieces(sb, cb, len(sa.edges))
	has := func(ps []piece) map[[2]int]bool {
		m := map[[2]int]bool{}
		for _, p := range ps {
			m[[2]int{p.a, p.b}] = true
		}
		return m
	}
	ina, inb := has(pa), has(pb)
	var keep []piece
	sift := func(ps []piece, other *side, same map[[2]int]bool, owner bool) {
		for _, p := range ps {
			switch {
			case same[[2]int{p.a, p.b}]:
				if owner {
					keep = append(keep, p)
				}
			case same[[2]int{p.b, p.a}]:
			default:
				mid := vec{(pl.at[p.a].x + pl.at[p.b].x) / 2, (pl.at[p.a].y + pl.at[p.b].y) / 2}
				if pl.inside(other, mid) != union {
					keep = append(keep, p)
				}
			}
		}
	}
	sift(pa, sb, inb, true)
	sift(pb, sa, ina, false)
	polys := pl.stitch(keep)
	if union {
		return polys, nil, nil
	}
	used := map[int]bool{}
	for _, p := range keep {
		used[p.a], used[p.b] = true, true
	}
	var pts []s2.Point
	onA := map[int]bool{}
	for _, p := range pa {
		onA[p.a], onA[p.b] = true, true
	}
	for _, p := range pb {
		if onA[p.a] && !used[p.a] {
			used[p.a] = true
			pts = append(pts, pl.pts[p.a])
		}
	}
	return polys, pts, nil
}

// stitch joins directed pieces to rings and puts holes into their shells.
func (pl *plane) stitch(ps []piece) [][][]s2.Point {
	from := map[int][]int{}
	for i, p := range ps {
		from[p.a] = append(from[p.a], i)
	}
	used := make([]bool, len(ps))
	type ring struct {
		ids  []int
		area float64
	}
	var shells, holes []ring
	for start := range ps {
		if used[start] {
			continue
		}
		var loop []int
		for i := start; ; {
			used[i] = true
			loop = append(loop, i)
			back := pl.at[ps[i].a].sub(pl.at[ps[i].b])
			next, best := -1, math.Inf(1)
			for _, k := range from[ps[i].b] {
				if used[k] && k != start {
					continue
				}
				out := pl.at[ps[k].b].sub(pl.at[ps[k].a])
				ang := math.Atan2(out.cross(back), out.dot(back)) // clockwise from the way back
				if ang <= 0 {
					ang += 2 * math.Pi
				}
				if ang < best {
					best, next = ang, k
				}
			}
			if next < 0 {
				loop = nil
				break
			}
			if next == start {
				break
			}
			i = next
		}
		if len(loop) < 3 {
			continue
		}
		r := ring{}
		for _, i := range rotateLoop(ps, loop) {
			p, q := pl.at[ps[i].a], pl.at[ps[i].b]
			r.area += p.cross(q) / 2
			r.ids = append(r.ids, ps[i].a)
		}
		if r.area > 0 {
			shells = append(shells, r)
		} else if r.area < 0 {
			holes = append(holes, r)
		}
	}
	out := make([][][]s2.Point, len(shells))
	toPoints := func(ids []int) []s2.Point {
		l := make([]s2.Point, len(ids))
		for i, id := range ids {
			l[i] = pl.pts[id]
		}
		return l
	}
	for i, s := range shells {
		out[i] = [][]s2.Point{toPoints(s.ids)}
	}
	order := make([]int, len(shells))
	for i := range order {
		order[i] = i
	}
	sort.Slice(order, func(x, y int) bool { return shells[order[x]].area < shells[order[y]].area })
	for _, h := range holes {
		for _, i := range order {
			s := &side{}
			for k := range shells[i].ids {
				s.edges = append(s.edges, [2]int{shells[i].ids[k], shells[i].ids[(k+1)%len(shells[i].ids)]})
			}
			p, q := pl.at[h.ids[0]], pl.at[h.ids[1]]
			if pl.inside(s, vec{(p.x + q.x) / 2, (p.y + q.y) / 2}) {
				out[i] = append(out[i], toPoints(h.ids))
				break
			}
		}
	}
	return out
}

// rotateLoop lets a ring start after its edge of the highest input number, as S2's builder does, which keeps the
// first point of the original ring where it can.
func rotateLoop(ps []piece, loop []int) []int {
	at := 0
	for i, k := range loop {
		p, best := ps[k], ps[loop[at]]
		if p.input > best.input || p.input == best.input && p.last {
			at = i
		}
	}
	at++
	return append(append([]int{}, loop[at:]...), loop[:at]...)
}

// uniteAll unites shapes, those with fewest points first.
func uniteAll(shapes []*shape) ([][][]s2.Point, error) {
	var queue [][][][]s2.Point
	for _, s := range shapes {
		for _, rings := range s.rings {
			queue = append(queue, [][][]s2.Point{rings})
		}
	}
	size := func(g [][][]s2.Point) int {
		n := 0
		for _, rings := range g {
			for _, r := range rings {
				n += len(r)
			}
		}
		return n
	}
	for len(queue) > 1 {
		slices.SortStableFunc(queue, func(a, b [][][]s2.Point) int { return size(a) - size(b) })
		u, _, err := overlay(queue[0], queue[1], true)
		if err != nil {
			return nil, err
		}
		queue = append(queue[2:], u)
	}
	if len(queue) == 0 {
		return nil, nil
	}
	return queue[0], nil
}
