package h3

import "math"

var (
	corners2 = [6]ijk{{2, 1, 0}, {1, 2, 0}, {0, 2, 1}, {0, 1, 2}, {1, 0, 2}, {2, 0, 1}}
	corners3 = [6]ijk{{5, 4, 0}, {1, 5, 0}, {0, 5, 4}, {0, 1, 5}, {4, 0, 5}, {5, 0, 1}}
)

// corners gives the corners of a cell in the corner grid of its face, and the resolution of that grid.
func (c Cell) corners(f fijk) (out []fijk, res int) {
	res = c.Resolution()
	at := f.at.third(true).third(false)
	table := &corners2
	if classIII(res) {
		at = at.down(false)
		table = &corners3
		res++
	}
	n := 6
	if c.pentagon() {
		n = 5
	}
	for _, v := range table[:n] {
		out = append(out, fijk{f.face, at.add(v).normal()})
	}
	return out, res
}

// Boundary lists the corners of a cell counterclockwise, with the points where its edges pass from one face of the
// icosahedron to the next.
func (c Cell) Boundary() []LatLng {
	f := c.place()
	corners, res := c.corners(f)
	if c.pentagon() {
		return c.pentagonBoundary(corners, res)
	}
	var out []LatLng
	lastFace, last := -1, noOverage
	for n := 0; n <= 6; n++ {
		v := n % 6
		at := corners[v]
		over := at.settle(res, false, true)
		if classIII(c.Resolution()) && n > 0 && at.face != lastFace && last != faceEdge {
			a, b := corners[(v+5)%6].at.plane(), corners[v].at.plane()
			other := lastFace
			if lastFace == f.face {
				other = at.face
			}
			if p, ok := crossing(a, b, f.face, other, res); ok {
				out = append(out, fromFace(p, f.face, res, true))
			}
		}
		if n < 6 {
			out = append(out, fromFace(at.at.plane(), at.face, res, true))
		}
		lastFace, last = at.face, over
	}
	return out
}

func (c Cell) pentagonBoundary(corners []fijk, res int) []LatLng {
	var out []LatLng
	var last fijk
	for n := 0; n <= 5; n++ {
		at := corners[n%5]
		for at.settle(res, false, true) == newFace {
			continue
		}
		if classIII(c.Resolution()) && n > 0 {
			tmp := at
			turn := &faceNeighbors[at.face][quadrantOf(at.face, last.face)]
			tmp.face = turn.face
			for range turn.turns {
				tmp.at = tmp.at.turnLeft()
			}
			tmp.at = tmp.at.add(turn.move.times(3 * unitScale(res))).normal()
			if p, ok := crossing(last.at.plane(), tmp.at.plane(), tmp.face, at.face, res); ok {
				out = append(out, fromFace(p, tmp.face, res, true))
			}
		}
		if n < 5 {
			out = append(out, fromFace(at.at.plane(), at.face, res, true))
		}
		last = at
	}
	return out
}

// quadrantOf tells in which quadrant of a face another one lies (0 when they do not meet).
func quadrantOf(face, other int) int {
	for q := 1; q <= 3; q++ {
		if faceNeighbors[face][q].face == other {
			return q
		}
	}
	return 0
}

// crossing finds where the edge a-b of a cell crosses the edge of a face toward another; false at the edge's ends.
func crossing(a, b vec2, face, other, res int) (vec2, bool) {
	dim := float64(maxDim(res))
	v := [3]vec2{{3 * dim, 0}, {-1.5 * dim, 3 * sin60 * dim}, {-1.5 * dim, -3 * sin60 * dim}}
	var p, q vec2
	switch quadrantOf(face, other) {
	case 1:
		p, q = v[0], v[1]
	case 3:
		p, q = v[1], v[2]
	default:
		p, q = v[2], v[0]
	}
	s1, s2 := vec2{b.x - a.x, b.y - a.y}, vec2{q.x - p.x, q.y - p.y}
	t := (s2.x*(a.y-p.y) - s2.y*(a.x-p.x)) / (-s2.x*s1.y + s1.x*s2.y)
	x := vec2{a.x + t*s1.x, a.y + t*s1.y}
	same := func(u vec2) bool { return math.Abs(u.x-x.x) < 1e-7 && math.Abs(u.y-x.y) < 1e-7 }
	return x, !same(a) && !same(b)
}
