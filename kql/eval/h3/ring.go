package h3

import (
	"math"
	"sort"
)

// around lists the neighbours of a cell: the cells just beyond the middles of its edges.
func (c Cell) around() []Cell {
	mid := c.Center()
	b := c.Boundary()
	var out []Cell
	seen := map[Cell]bool{c: true}
	for i := range b {
		p, q := vec3(b[i]), vec3(b[(i+1)%len(b)])
		var m [3]float64
		for k := range m {
			m[k] = p[k] + q[k]
		}
		n := math.Sqrt(m[0]*m[0] + m[1]*m[1] + m[2]*m[2])
		edge := LatLng{math.Asin(m[2] / n), math.Atan2(m[1], m[0])}
		d := Distance(mid, edge)
		cell, ok := CellOf(move(mid, azimuth(mid, edge), d*1.05), c.Resolution())
		if ok && !seen[cell] {
			seen[cell] = true
			out = append(out, cell)
		}
	}
	return out
}

// Rings lists the cells by their distance from c: itself, its neighbours, and so on up to distance k. Within a ring they
// go around counterclockwise from the cell after the one in the direction of the i axis. False when there are more
// than limit cells.
func (c Cell) Rings(k, limit int) ([][]Cell, bool) {
	if k < 0 || 3*k*(k+1)+1 > limit {
		return nil, false
	}
	out := [][]Cell{{c}}
	seen := map[Cell]bool{c: true}
	mid := c.Center()
	start := c.axis(mid)
	for n := 1; n <= k; n++ {
		var ring []Cell
		for _, p := range out[n-1] {
			for _, q := range p.around() {
				if !seen[q] {
					seen[q] = true
					ring = append(ring, q)
				}
			}
		}
		angle := make(map[Cell]float64, len(ring)) // how far left of the axis
		nearAxis, first := math.Inf(1), 0.0
		for _, q := range ring {
			a := positive(start - azimuth(mid, q.Center()))
			angle[q] = a
			if off := math.Min(a, 2*math.Pi-a); off < nearAxis {
				nearAxis, first = off, a
			}
		}
		sort.Slice(ring, func(x, y int) bool {
			a, b := positive(angle[ring[x]]-first-1e-9), positive(angle[ring[y]]-first-1e-9)
			return a < b
		})
		out = append(out, ring)
	}
	return out, true
}

// axis is the azimuth of the neighbour in the direction of the i axis of c's base cell.
func (c Cell) axis(mid LatLng) float64 {
	if c.Resolution() == 0 {
		if n := baseNeighbors[c.base()][iAxis]; int(n) < len(baseCells) {
			return azimuth(mid, newCell(int(n), 0).Center())
		}
		return 0
	}
	// one neighbour of the same base cell tells how all six directions lie
	order := [6]int{iAxis, ijAxes, jAxis, jkAxes, kAxis, ikAxes} // counterclockwise
	here, _ := c.unsettled()
	type turn struct {
		az    float64
		votes int
	}
	var turns []turn
	for _, n := range c.around() {
		if n.base() != c.base() {
			continue
		}
		there, _ := n.unsettled()
		d := there.at.sub(here.at).direction()
		for s, o := range order {
			if o != d {
				continue
			}
			az := positive(azimuth(mid, n.Center()) + float64(s)*math.Pi/3)
			found := false
			for i := range turns {
				if off := positive(turns[i].az - az); math.Min(off, 2*math.Pi-off) < math.Pi/6 {
					turns[i].votes++
					found = true
				}
			}
			if !found {
				turns = append(turns, turn{az, 1})
			}
		}
	}
	best := turn{}
	for _, t := range turns {
		if t.votes > best.votes {
			best = t
		}
	}
	return best.az
}
