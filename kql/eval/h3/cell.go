// Package h3 computes cells of the H3 hexagonal grid in Go alone: from a place to its cell and back, boundaries,
// parents, children and rings.
//
//	c, _ := h3.CellOf(h3.LatLng{Lat: 0.71, Lng: -1.29}, 6) // radians
//	c.String()                                            // 862a1072fffffff
package h3

import (
	"strconv"
)

// Cell is the index of a cell: mode 1, a resolution of 0..15, a base cell and one digit for each resolution.
type Cell uint64

// LatLng is a place in radians.
type LatLng struct{ Lat, Lng float64 }

// MaxResolution is the finest resolution.
const MaxResolution = 15

// digits of the seven directions
const (
	center = iota
	kAxis
	jAxis
	jkAxes
	iAxis
	ikAxes
	ijAxes
	unused
)

// Parse reads the hexadecimal text of a cell; false when it is no valid cell.
func Parse(s string) (Cell, bool) {
	if len(s) != 15 && len(s) != 16 {
		return 0, false
	}
	u, err := strconv.ParseUint(s, 16, 64)
	c := Cell(u)
	return c, err == nil && c.valid()
}

// String writes the index in hexadecimal.
func (c Cell) String() string { return strconv.FormatUint(uint64(c), 16) }

// Resolution is 0..15.
func (c Cell) Resolution() int { return int(c >> 52 & 15) }

func (c Cell) base() int { return int(c >> 45 & 127) }

func (c Cell) digit(r int) int { return int(c >> (3 * (MaxResolution - r)) & 7) }

func (c Cell) withDigit(r, d int) Cell {
	s := 3 * (MaxResolution - r)
	return c&^(7<<s) | Cell(d)<<s
}

func (c Cell) withResolution(r int) Cell { return c&^(15<<52) | Cell(r)<<52 }

// newCell makes a cell of a base cell with digits 0 down to res, unused beyond.
func newCell(base, res int) Cell {
	c := Cell(1)<<59 | Cell(res)<<52 | Cell(base)<<45
	for r := res + 1; r <= MaxResolution; r++ {
		c = c.withDigit(r, unused)
	}
	return c
}

func (c Cell) valid() bool {
	if c>>59 != 1 || c>>56&7 != 0 || c.base() >= len(baseCells) {
		return false
	}
	for r := 1; r <= MaxResolution; r++ {
		if d := c.digit(r); (r <= c.Resolution()) != (d != unused) {
			return false
		}
	}
	return !baseCells[c.base()].pentagon || c.leading() != kAxis
}

// leading is the first digit that is not 0.
func (c Cell) leading() int {
	for r := 1; r <= c.Resolution(); r++ {
		if d := c.digit(r); d != center {
			return d
		}
	}
	return center
}

// pentagon reports whether the cell has five sides.
func (c Cell) pentagon() bool { return baseCells[c.base()].pentagon && c.leading() == center }

var (
	turnLeft  = [8]int{center, ikAxes, jkAxes, kAxis, ijAxes, iAxis, jAxis, unused}
	turnRight = [8]int{center, jkAxes, ijAxes, jAxis, ikAxes, kAxis, iAxis, unused}
)

func (c Cell) turned(table *[8]int) Cell {
	for r := 1; r <= c.Resolution(); r++ {
		c = c.withDigit(r, table[c.digit(r)])
	}
	return c
}

// turnedPentagon turns the digits of a cell in a pentagon's base cell left, around the missing direction k.
func (c Cell) turnedPentagon() Cell {
	found := false
	for r := 1; r <= c.Resolution(); r++ {
		c = c.withDigit(r, turnLeft[c.digit(r)])
		if !found && c.digit(r) != center {
			found = true
			if c.leading() == kAxis {
				c = c.turned(&turnLeft)
			}
		}
	}
	return c
}

// Parent is the cell of a coarser resolution that holds c; false when res is not coarser.
func (c Cell) Parent(res int) (Cell, bool) {
	if res < 0 || res > c.Resolution() {
		return 0, false
	}
	for r := res + 1; r <= c.Resolution(); r++ {
		c = c.withDigit(r, unused)
	}
	return c.withResolution(res), true
}

// Children lists the cells of a finer resolution in c, in the order of their indexes; false when res is not finer or
// there are more than limit.
func (c Cell) Children(res, limit int) ([]Cell, bool) {
	if res < c.Resolution() || res > MaxResolution {
		return nil, false
	}
	cells := []Cell{c}
	for r := c.Resolution() + 1; r <= res; r++ {
		if 6*len(cells) > limit {
			return nil, false
		}
		next := make([]Cell, 0, 7*len(cells))
		for _, p := range cells {
			for d := center; d < unused; d++ {
				if d == kAxis && p.pentagon() {
					continue
				}
				next = append(next, p.withResolution(r).withDigit(r, d))
			}
		}
		cells = next
	}
	return cells, len(cells) <= limit
}

// classIII tells the resolutions whose grid is turned against that of resolution 0.
func classIII(res int) bool { return res%2 == 1 }
