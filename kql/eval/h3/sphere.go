package h3

import "math"

const (
	gnomonic0 = 0.38196601125010500003 // length of a unit of resolution 0 on a face
	turn7     = 0.333473172251832115336090755351601070065900389
	sqrt7     = 2.6457513110645905905016157536392604257102
	tiny      = 1e-16
)

func positive(a float64) float64 {
	a = math.Mod(a, 2*math.Pi)
	if a < 0 {
		a += 2 * math.Pi
	}
	return a
}

func azimuth(a, b LatLng) float64 {
	return math.Atan2(math.Cos(b.Lat)*math.Sin(b.Lng-a.Lng),
		math.Cos(a.Lat)*math.Sin(b.Lat)-math.Sin(a.Lat)*math.Cos(b.Lat)*math.Cos(b.Lng-a.Lng))
}

// Distance is the angle between two places.
func Distance(a, b LatLng) float64 {
	s, t := math.Sin((b.Lat-a.Lat)/2), math.Sin((b.Lng-a.Lng)/2)
	return 2 * math.Asin(math.Sqrt(math.Min(1, s*s+math.Cos(a.Lat)*math.Cos(b.Lat)*t*t)))
}

// move goes a distance in a direction.
func move(p LatLng, az, dist float64) LatLng {
	if dist < tiny {
		return p
	}
	lat := math.Asin(math.Max(-1, math.Min(1, math.Sin(p.Lat)*math.Cos(dist)+math.Cos(p.Lat)*math.Sin(dist)*math.Cos(az))))
	lng := p.Lng + math.Atan2(math.Sin(az)*math.Sin(dist)*math.Cos(p.Lat), math.Cos(dist)-math.Sin(p.Lat)*math.Sin(lat))
	for lng > math.Pi {
		lng -= 2 * math.Pi
	}
	for lng < -math.Pi {
		lng += 2 * math.Pi
	}
	return LatLng{lat, lng}
}

func vec3(p LatLng) [3]float64 {
	r := math.Cos(p.Lat)
	return [3]float64{math.Cos(p.Lng) * r, math.Sin(p.Lng) * r, math.Sin(p.Lat)}
}

func faceCenter(f int) LatLng { return LatLng{faceCenters[f][0], faceCenters[f][1]} }

// onFace finds the face nearest to a place and where it lies in the plane of a resolution.
func onFace(p LatLng, res int) (face int, v vec2) {
	best := 5.0
	a := vec3(p)
	for f := range faceCenters {
		b := vec3(faceCenter(f))
		d := 0.0
		for k := range a {
			d += (a[k] - b[k]) * (a[k] - b[k])
		}
		if d < best {
			best, face = d, f
		}
	}
	r := math.Acos(1 - best/2)
	if r < tiny {
		return face, vec2{}
	}
	theta := positive(faceAzimuth[face] - positive(azimuth(faceCenter(face), p)))
	if classIII(res) {
		theta = positive(theta - turn7)
	}
	r = math.Tan(r) / gnomonic0
	for range res {
		r *= sqrt7
	}
	return face, vec2{r * math.Cos(theta), r * math.Sin(theta)}
}

// fromFace is the place of a point in the plane of a face; corner says that the plane is that of cell corners.
func fromFace(v vec2, face, res int, corner bool) LatLng {
	r := math.Hypot(v.x, v.y)
	if r < tiny {
		return faceCenter(face)
	}
	theta := math.Atan2(v.y, v.x)
	for range res {
		r /= sqrt7
	}
	if corner {
		r /= 3
		if classIII(res) {
			r /= sqrt7
		}
	}
	r = math.Atan(r * gnomonic0)
	if !corner && classIII(res) {
		theta = positive(theta + turn7)
	}
	return move(faceCenter(face), positive(faceAzimuth[face]-theta), r)
}

// CellOf gives the cell of a resolution that holds a place; false when the resolution is not 0..15.
func CellOf(p LatLng, res int) (Cell, bool) {
	if res < 0 || res > MaxResolution {
		return 0, false
	}
	face, v := onFace(p, res)
	at := nearest(v)
	c := newCell(0, res)
	for r := res; r >= 1; r-- {
		last := at
		at = at.up(classIII(r))
		d := last.sub(at.down(classIII(r))).direction()
		if d == unused {
			return 0, false
		}
		c = c.withDigit(r, d)
	}
	if at.i > 2 || at.j > 2 || at.k > 2 {
		return 0, false
	}
	fc := faceCells[face][at.i][at.j][at.k]
	base := int(fc[0])
	c |= Cell(base) << 45
	if !baseCells[base].pentagon {
		for range fc[1] {
			c = c.turned(&turnLeft)
		}
		return c, true
	}
	if c.leading() == kAxis {
		if cw := baseCells[base].cw; cw[0] == face || cw[1] == face {
			c = c.turned(&turnRight)
		} else {
			c = c.turned(&turnLeft)
		}
	}
	for range fc[1] {
		c = c.turnedPentagon()
	}
	return c, true
}

// maxDim is how far a face reaches in the grid of a Class II resolution; unitScale is the length of a base cell there.
func maxDim(res int) int { return 2 * unitScale(res) }

func unitScale(res int) int {
	n := 1
	for range res / 2 {
		n *= 7
	}
	return n
}

type fijk struct {
	face int
	at   ijk
}

const (
	noOverage = iota
	faceEdge
	newFace
)

// settle moves a place that lies beyond the edge of its face to the next face.
func (f *fijk) settle(res int, pentLeading4, corner bool) int {
	dim, scale := maxDim(res), unitScale(res)
	if corner {
		dim, scale = 3*dim, 3*scale
	}
	sum := f.at.i + f.at.j + f.at.k
	if corner && sum == dim {
		return faceEdge
	}
	if sum <= dim {
		return noOverage
	}
	quadrant := 1 // ij
	if f.at.k > 0 {
		quadrant = 3 // jk
		if f.at.j == 0 {
			quadrant = 2 // ki
			if pentLeading4 {
				origin := ijk{dim, 0, 0}
				f.at = f.at.sub(origin).normal().turnRight().add(origin)
			}
		}
	}
	n := &faceNeighbors[f.face][quadrant]
	f.face = n.face
	for range n.turns {
		f.at = f.at.turnLeft()
	}
	f.at = f.at.add(n.move.times(scale)).normal()
	if corner && f.at.i+f.at.j+f.at.k == dim {
		return faceEdge
	}
	return newFace
}

// unsettled walks from the base cell to the cell in the coordinates of the base cell's home face.
func (c Cell) unsettled() (f fijk, mayLeave bool) {
	b := &baseCells[c.base()]
	f = fijk{b.face, b.at}
	res := c.Resolution()
	mayLeave = b.pentagon || res > 0 && b.at != ijk{}
	for r := 1; r <= res; r++ {
		f.at = f.at.down(classIII(r)).add(directions[c.digit(r)]).normal()
	}
	return f, mayLeave
}

// place gives the face of a cell and where it lies on it.
func (c Cell) place() fijk {
	pentagon := baseCells[c.base()].pentagon
	if pentagon && c.leading() == ikAxes {
		c = c.turned(&turnRight)
	}
	f, mayLeave := c.unsettled()
	if !mayLeave {
		return f
	}
	origin := f.at
	res := c.Resolution()
	fine := res
	if classIII(res) {
		f.at = f.at.down(false)
		fine++
	}
	if f.settle(fine, pentagon && c.leading() == iAxis, false) != noOverage {
		if pentagon {
			for f.settle(fine, false, false) != noOverage {
				continue
			}
		}
		if fine != res {
			f.at = f.at.up(false)
		}
	} else if fine != res {
		f.at = origin
	}
	return f
}

// Center is the middle of a cell.
func (c Cell) Center() LatLng {
	f := c.place()
	return fromFace(f.at.plane(), f.face, c.Resolution(), false)
}
