package exec

import (
	"fmt"
	"net/netip"
	"picket/kql/eval"
	"picket/kql/plan"
	"picket/kql/value"
	"strings"
)

// lookup is what the …_lookup plugins share: a table on the right, and where output columns come from.
type lookup struct {
	p     *pluginRun
	table *batch
	cols  []plan.Col
	l     layout
	done  func()
	out   []int // place in the input, or -1-place in the table
	rows  [2][]int32
}

// lookup reads the table, which is the first argument.
func (p *pluginRun) lookup() (*lookup, error) {
	e, ok := p.arg(0)
	t, isTable := e.(*plan.TableArg)
	if !ok || !isTable {
		return nil, invalid(p.n.At, "the first argument of %s must be a table", p.n.Plugin)
	}
	in, err := p.x.build(t.Node)
	if err != nil {
		return nil, err
	}
	k := &lookup{p: p, cols: t.Node.Cols()}
	k.l = layoutOf(k.cols)
	if k.table, k.done, err = p.x.all(in, k.cols); err != nil {
		return nil, err
	}
	// The output has the input's columns, then those of the table that the plan keeps, in their order; a name that is
	// taken got a number.
	next := 0
	for i, c := range p.n.Out {
		if i < len(p.cols) {
			k.out = append(k.out, i)
			continue
		}
		for next < len(k.cols) && !sameColumn(k.cols[next], c) {
			next++
		}
		if next == len(k.cols) {
			k.done()
			return nil, fmt.Errorf("BUG: %s has no column %s", p.n.Plugin, c.Name)
		}
		k.out = append(k.out, -1-next)
		next++
	}
	return k, nil
}

// sameColumn says whether out is the output's form of a table's column.
func sameColumn(c, out plan.Col) bool {
	rest, ok := strings.CutPrefix(out.Name, c.Name)
	return ok && c.Type == out.Type && strings.Trim(rest, "0123456789") == ""
}

// column evaluates argument i over the table.
func (k *lookup) column(i int) (*value.Vector, error) {
	e, ok := k.p.arg(i)
	if !ok {
		return nil, k.p.missing(i)
	}
	c, err := k.p.x.compile(e, k.l)
	if err != nil {
		return nil, err
	}
	return c.eval(k.table)
}

// add joins input row i with table row r (-1: none).
func (k *lookup) add(i, r int) {
	k.rows[0] = append(k.rows[0], int32(i))
	k.rows[1] = append(k.rows[1], int32(r))
}

func (k *lookup) result() *batch {
	out := &batch{n: len(k.rows[0]), vecs: make([]*value.Vector, len(k.out))}
	for c, at := range k.out {
		if at < 0 {
			out.vecs[c] = value.Gather(k.table.vecs[-1-at], k.rows[1])
		} else {
			out.vecs[c] = value.Gather(k.p.in.vecs[at], k.rows[0])
		}
	}
	return out
}

// ipLookup is ipv4_lookup and ipv6_lookup(table, ip, network [, extra keys] [, return_unmatched]): the row of the table
// whose network holds the address; of several the most specific ones.
func ipLookup(version int) plugin {
	return func(p *pluginRun) (*batch, error) {
		k, err := p.lookup()
		if err != nil {
			return nil, err
		}
		defer k.done()
		ip, err := p.column(1)
		if err != nil {
			return nil, err
		}
		network, err := k.column(2)
		if err != nil {
			return nil, err
		}
		unmatched, err := p.flag("return_unmatched")
		if err != nil {
			return nil, err
		}
		var left, right []*value.Vector
		for i := 3; i < len(p.n.Args); i++ {
			if p.n.ArgNames[i] != "ExtraKey" {
				continue
			}
			r, ok := p.n.Args[i].(*plan.ColRef)
			if !ok {
				return nil, invalid(p.n.Args[i].Pos(), "%s: an extra key must be a column of both tables", p.n.Plugin)
			}
			at := p.place(plan.Col{ID: r.ID, Name: r.Name})
			other := -1
			for c, col := range k.cols {
				if col.Name == r.Name {
					other = c
				}
			}
			if at < 0 || other < 0 {
				return nil, invalid(r.At, "%s: the extra key %s must be a column of both tables", p.n.Plugin, r.Name)
			}
			left, right = append(left, p.in.vecs[at]), append(right, k.table.vecs[other])
		}
		nets := map[netip.Prefix]map[string][]int{}
		var lengths [129]bool
		var key []byte
		for r := 0; r < k.table.n; r++ {
			pre, ok := ipPrefix(value.Text(network, r), version)
			if !ok {
				continue
			}
			lengths[pre.Bits()] = true
			key = appendKeys(key[:0], right, r)
			if nets[pre] == nil {
				nets[pre] = map[string][]int{}
			}
			nets[pre][string(key)] = append(nets[pre][string(key)], r)
		}
		for i := 0; i < p.in.n; i++ {
			if i%chunk == 0 {
				if err := p.x.step(chunk); err != nil {
					return nil, err
				}
			}
			pre, ok := ipPrefix(value.Text(ip, i), version)
			found := false
			for bits := pre.Bits(); ok && bits >= 0 && !found; bits-- {
				if !lengths[bits] {
					continue
				}
				net, err := pre.Addr().Prefix(bits)
				if err != nil {
					continue
				}
				key = appendKeys(key[:0], left, i)
				for _, r := range nets[net][string(key)] {
					k.add(i, r)
					found = true
				}
			}
			if !found && unmatched {
				k.add(i, -1)
			}
		}
		return k.result(), nil
	}
}

// ipPrefix reads an address or a network in prefix notation. In IPv6 lookups an IPv4 address is its mapped form.
func ipPrefix(s string, version int) (netip.Prefix, bool) {
	s = strings.TrimSpace(s)
	var pre netip.Prefix
	if strings.Contains(s, "/") {
		var err error
		if pre, err = netip.ParsePrefix(s); err != nil {
			return pre, false
		}
	} else {
		a, err := netip.ParseAddr(s)
		if err != nil || a.Zone() != "" {
			return pre, false
		}
		pre = netip.PrefixFrom(a, a.BitLen())
	}
	a, bits := pre.Addr(), pre.Bits()
	switch {
	case version == 4 && a.Is4In6():
		if bits < 96 {
			return pre, false
		}
		a, bits = a.Unmap(), bits-96
	case version == 4 && !a.Is4():
		return pre, false
	case version == 6 && a.Is4():
		a, bits = netip.AddrFrom16(a.As16()), bits+96
	}
	pre, err := a.Prefix(bits)
	return pre, err == nil
}

// scalarFunc is a function of kql/eval that a plugin uses on all its rows.
func (p *pluginRun) scalarFunc(name string) (func(ret value.Type, args ...*value.Vector) (*value.Vector, error), error) {
	f, ok := eval.Lookup(name)
	if !ok {
		return nil, notSupported(p.n.At, "the plugin %s needs the function %s(), which is not built into picket yet", p.n.Plugin, name)
	}
	return func(ret value.Type, args ...*value.Vector) (*value.Vector, error) {
		call := func(n int, vs []*value.Vector) (*value.Vector, error) { return f(p.x.ev, ret, n, vs) }
		return p.x.pace(ret, call)(args[0].N, args)
	}, nil
}

// geoPolygonLookup is geo_polygon_lookup(table, polygon, longitude, latitude [, radius] …): the rows whose polygon holds
// the point, or is no farther than radius metres.
func geoPolygonLookup(p *pluginRun) (*batch, error) {
	in, err := p.scalarFunc("geo_point_in_polygon")
	if err != nil {
		return nil, err
	}
	dist, err := p.scalarFunc("geo_distance_point_to_polygon")
	if err != nil {
		return nil, err
	}
	return p.geoLookup(func(lon, lat, shape *value.Vector, radius float64) (func(i int) bool, error) {
		v, err := in(value.Bool, lon, lat, shape)
		if err != nil || !(radius > 0) {
			return func(i int) bool { return !v.IsNull(i) && v.I[v.Idx(i)] != 0 }, err
		}
		d, err := dist(value.Real, lon, lat, shape) // 0 within the polygon
		return func(i int) bool {
			return !v.IsNull(i) && v.I[v.Idx(i)] != 0 || !d.IsNull(i) && d.F[d.Idx(i)] <= radius
		}, err
	})
}

// geoLineLookup is geo_line_lookup(table, line, longitude, latitude, radius …): the rows whose line is no farther than
// radius metres from the point.
func geoLineLookup(p *pluginRun) (*batch, error) {
	dist, err := p.scalarFunc("geo_distance_point_to_line")
	if err != nil {
		return nil, err
	}
	return p.geoLookup(func(lon, lat, shape *value.Vector, radius float64) (func(i int) bool, error) {
		d, err := dist(value.Real, lon, lat, shape)
		return func(i int) bool { return !d.IsNull(i) && d.F[d.Idx(i)] <= radius }, err
	})
}

// geoLookup takes the table's shapes one by one over all points, so that each is read once.
func (p *pluginRun) geoLookup(near func(lon, lat, shape *value.Vector, radius float64) (func(i int) bool, error)) (*batch, error) {
	k, err := p.lookup()
	if err != nil {
		return nil, err
	}
	defer k.done()
	shape, err := k.column(1)
	if err != nil {
		return nil, err
	}
	lon, err := p.column(2)
	if err != nil {
		return nil, err
	}
	lat, err := p.column(3)
	if err != nil {
		return nil, err
	}
	// lookup_area_radius only speeds the service's search up; what return_lookup_key adds is in the plan's columns.
	var radius float64
	if v, ok, err := p.named("radius"); err != nil {
		return nil, err
	} else if ok {
		radius = asReal(v)
	}
	unmatched, err := p.flag("return_unmatched")
	if err != nil {
		return nil, err
	}
	hits := make([][]int32, p.in.n)
	for r := 0; r < k.table.n && p.in.n > 0; r++ {
		if err := p.x.step(p.in.n * 16); err != nil {
			return nil, err
		}
		if shape.IsNull(r) {
			continue
		}
		in, err := near(lon, lat, value.ConstOf(shape.At(r), p.in.n), radius)
		if err != nil {
			return nil, err
		}
		for i := range hits {
			if !lon.IsNull(i) && !lat.IsNull(i) && in(i) {
				hits[i] = append(hits[i], int32(r))
			}
		}
	}
	for i, of := range hits {
		for _, r := range of {
			k.add(i, int(r))
		}
		if len(of) == 0 && unmatched {
			k.add(i, -1)
		}
	}
	return k.result(), nil
}
