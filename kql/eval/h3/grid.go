package h3

import "math"

// ijk is a place of the hexagonal grid on a face, by three axes 120 degrees apart; normal when none is negative and one
// is 0.
type ijk struct{ i, j, k int }

func (a ijk) add(b ijk) ijk { return ijk{a.i + b.i, a.j + b.j, a.k + b.k} }
func (a ijk) sub(b ijk) ijk { return ijk{a.i - b.i, a.j - b.j, a.k - b.k} }

func (a ijk) times(n int) ijk { return ijk{a.i * n, a.j * n, a.k * n} }

func (a ijk) normal() ijk {
	m := min(a.i, a.j, a.k)
	return ijk{a.i - m, a.j - m, a.k - m}
}

// mapped gives i*u + j*v + k*w.
func (a ijk) mapped(u, v, w ijk) ijk {
	return u.times(a.i).add(v.times(a.j)).add(w.times(a.k)).normal()
}

func (a ijk) turnLeft() ijk  { return a.mapped(ijk{1, 1, 0}, ijk{0, 1, 1}, ijk{1, 0, 1}) }
func (a ijk) turnRight() ijk { return a.mapped(ijk{1, 0, 1}, ijk{1, 1, 0}, ijk{0, 1, 1}) }

// down gives the place of the center in the grid that is finer by a factor of √7; left of the two turns it may have.
func (a ijk) down(left bool) ijk {
	if left {
		return a.mapped(ijk{3, 0, 1}, ijk{1, 3, 0}, ijk{0, 1, 3})
	}
	return a.mapped(ijk{3, 1, 0}, ijk{0, 3, 1}, ijk{1, 0, 3})
}

// up gives the place in the coarser grid.
func (a ijk) up(left bool) ijk {
	i, j := float64(a.i-a.k), float64(a.j-a.k)
	if left {
		return ijk{int(math.Round((3*i - j) / 7)), int(math.Round((i + 2*j) / 7)), 0}.normal()
	}
	return ijk{int(math.Round((2*i + j) / 7)), int(math.Round((3*j - i) / 7)), 0}.normal()
}

// third gives the place in the grid that is finer by √3, in which the corners of cells are places.
func (a ijk) third(left bool) ijk {
	if left {
		return a.mapped(ijk{2, 0, 1}, ijk{1, 2, 0}, ijk{0, 1, 2})
	}
	return a.mapped(ijk{2, 1, 0}, ijk{0, 2, 1}, ijk{1, 0, 2})
}

var directions = [7]ijk{{0, 0, 0}, {0, 0, 1}, {0, 1, 0}, {0, 1, 1}, {1, 0, 0}, {1, 0, 1}, {1, 1, 0}}

// direction gives the digit of a unit step, or unused.
func (a ijk) direction() int {
	a = a.normal()
	for d, u := range directions {
		if a == u {
			return d
		}
	}
	return unused
}

type vec2 struct{ x, y float64 }

const sin60 = 0.8660254037844386467637231707529361834714

func (a ijk) plane() vec2 {
	i, j := float64(a.i-a.k), float64(a.j-a.k)
	return vec2{i - 0.5*j, j * sin60}
}

// nearest gives the grid place whose hexagon holds a point of the plane.
func nearest(v vec2) ijk {
	a1, a2 := math.Abs(v.x), math.Abs(v.y)
	x2 := a2 / sin60
	x1 := a1 + x2/2
	m1, m2 := int(x1), int(x2)
	r1, r2 := x1-float64(m1), x2-float64(m2)
	i, j := m1, m2
	if r1 < 0.5 {
		if r1 < 1.0/3 {
			if r2 >= (1+r1)/2 {
				j++
			}
		} else {
			if r2 >= 1-r1 {
				j++
			}
			if 1-r1 <= r2 && r2 < 2*r1 {
				i++
			}
		}
	} else if r1 < 2.0/3 {
		if r2 >= 1-r1 {
			j++
		}
		if !(2*r1-1 < r2 && r2 < 1-r1) {
			i++
		}
	} else {
		i++
		if r2 >= r1/2 {
			j++
		}
	}
	if v.x < 0 { // fold across the axes
		if j%2 == 0 {
			i -= 2 * (i - j/2)
		} else {
			i -= 2*(i-(j+1)/2) + 1
		}
	}
	if v.y < 0 {
		i -= (2*j + 1) / 2
		j = -j
	}
	return ijk{i, j, 0}.normal()
}
