package h3

import (
	"math"
	"math/rand"
	"testing"
)

func deg(lng, lat float64) LatLng { return LatLng{lat * math.Pi / 180, lng * math.Pi / 180} }

func TestKnownCells(t *testing.T) {
	c, ok := CellOf(deg(-74.04450446039874, 40.689250859314974), 6)
	if !ok || c.String() != "862a1072fffffff" {
		t.Fatalf("cell is %s", c)
	}
	if m := c.Center(); math.Abs(m.Lng*180/math.Pi+74.0160084797924) > 1e-9 {
		t.Errorf("center at %v", m.Lng*180/math.Pi)
	}
	b := c.Boundary()
	if len(b) != 6 || math.Abs(b[0].Lng*180/math.Pi+74.0022744646159) > 1e-9 || math.Abs(b[0].Lat*180/math.Pi-40.735376026215022) > 1e-9 {
		t.Errorf("boundary %v", b)
	}
	if p, _ := c.Parent(1); p.String() != "812a3ffffffffff" {
		t.Errorf("parent %s", p)
	}
	if k, ok := c.Children(9, 1000); !ok || len(k) != 343 {
		t.Errorf("%d children", len(k))
	}
	for cell, want := range map[string][]string{
		"862a1072fffffff": {"862a10727ffffff", "862a10707ffffff", "862a1070fffffff", "862a10777ffffff", "862a100dfffffff", "862a100d7ffffff"},
		"861f8894fffffff": {"861f88947ffffff", "861f8895fffffff", "861f88867ffffff", "861f8d497ffffff", "861f8d4b7ffffff", "861f8896fffffff"},
	} {
		c, _ := Parse(cell)
		r, ok := c.Rings(1, 1000)
		if !ok || len(r[1]) != 6 {
			t.Errorf("rings of %s: %v", cell, r)
			continue
		}
		for i, w := range want {
			if r[1][i].String() != w {
				t.Errorf("neighbour %d of %s is %s, want %s", i, cell, r[1][i], w)
			}
		}
	}
	for _, s := range []string{"abc", "@", "", "862a1072ffffff7", "ffffffffffffffff", "8009fffffffffff0"} {
		if c, ok := Parse(s); ok {
			t.Errorf("%q reads as cell %s", s, c)
		}
	}
}

// TestRoundTrips checks that the center of the cell of a place lies in the same cell, everywhere and at every resolution.
func TestRoundTrips(t *testing.T) {
	r := rand.New(rand.NewSource(7))
	for res := 0; res <= MaxResolution; res++ {
		for range 300 {
			p := LatLng{math.Asin(2*r.Float64() - 1), (2*r.Float64() - 1) * math.Pi}
			c, ok := CellOf(p, res)
			if !ok || !c.valid() {
				t.Fatalf("no cell for %v at %d", p, res)
			}
			if d, _ := CellOf(c.Center(), res); d != c {
				t.Fatalf("the center of %s lies in %s", c, d)
			}
		}
	}
}

// TestWholeSphere checks that the neighbours of every cell of a resolution have it as a neighbour, and that there
// are as many cells as there must be.
func TestWholeSphere(t *testing.T) {
	all := map[Cell][]Cell{}
	pentagons := 0
	for b := range baseCells {
		kids, ok := newCell(b, 0).Children(2, 1000)
		if !ok {
			t.Fatal("no children")
		}
		for _, c := range kids {
			all[c] = c.around()
			if c.pentagon() {
				pentagons++
			}
			if want := 6; len(all[c]) != want && !(c.pentagon() && len(all[c]) == 5) {
				t.Errorf("%s has %d neighbours", c, len(all[c]))
			}
			if d, _ := CellOf(c.Center(), 2); d != c {
				t.Errorf("the center of %s lies in %s", c, d)
			}
		}
	}
	if len(all) != 5882 || pentagons != 12 {
		t.Errorf("%d cells, %d pentagons", len(all), pentagons)
	}
	for c, ns := range all {
		for _, n := range ns {
			back := false
			for _, m := range all[n] {
				back = back || m == c
			}
			if !back {
				t.Errorf("%s is next to %s, but not the other way round", n, c)
			}
		}
	}
}
