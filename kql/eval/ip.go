package eval

import (
	"fmt"
	"net/netip"
	"picket/kql/value"
	"strconv"
	"strings"
)

func ipFuncs(t table) {
	t.pure("parse_ipv4", strToLong(value.Long, func(s string) (int64, bool) {
		p, ok := parseIPv4(s)
		return int64(p.masked(32)), ok
	}))
	t.pure("parse_ipv4_mask", func(_ *Ctx, _ value.Type, n int, args []*value.Vector) (*value.Vector, error) {
		a, m := texts(args[0]), longs(args[1])
		out := value.New(value.Long, n)
		for i := range out.I {
			p, ok := parseIPv4(a.at(i))
			if !ok || m.isNull(i) || m.at(i) < 0 || m.at(i) > 32 {
				out.SetNull(i)
				continue
			}
			out.I[i] = int64(p.masked(int(m.at(i))))
		}
		return out, nil
	})
	t.pure("parse_ipv6", str1(func(s string) string {
		p, ok := parseIPv6(s)
		if !ok {
			return ""
		}
		return p.text(128)
	}))
	t.pure("parse_ipv6_mask", func(_ *Ctx, _ value.Type, n int, args []*value.Vector) (*value.Vector, error) {
		a, m := texts(args[0]), longs(args[1])
		out := value.New(value.String, n)
		for i := range out.S {
			p, ok := parseIPv6(a.at(i))
			if ok && !m.isNull(i) && m.at(i) >= 0 && m.at(i) <= 128 {
				out.S[i] = p.text(int(m.at(i)))
			}
		}
		return out, nil
	})
	t.pure("ipv4_compare", ipPair(value.Long, compareIPv4))
	t.pure("ipv6_compare", ipPair(value.Long, compareIPv6))
	match := func(f func(a, b string, prefix int64) (int, bool)) func(a, b string, prefix int64) (int, bool) {
		return func(a, b string, prefix int64) (int, bool) {
			c, ok := f(a, b, prefix)
			if c == 0 {
				return 1, ok
			}
			return 0, ok
		}
	}
	t.pure("ipv4_is_match", ipPair(value.Bool, match(compareIPv4)))
	t.pure("ipv6_is_match", ipPair(value.Bool, match(compareIPv6)))
	t.pure("ipv4_is_in_range", ipPair(value.Bool, func(ip, r string, _ int64) (int, bool) { return inRange4(ip, r) }))
	t.pure("ipv6_is_in_range", ipPair(value.Bool, func(ip, r string, _ int64) (int, bool) { return inRange6(ip, r) }))
	t.pure("ipv4_is_in_any_range", ipAnyRange(inRange4))
	t.pure("ipv6_is_in_any_range", ipAnyRange(inRange6))
	t.pure("ipv4_is_private", func(_ *Ctx, _ value.Type, n int, args []*value.Vector) (*value.Vector, error) {
		a := texts(args[0])
		out := value.New(value.Bool, n)
		for i := range out.I {
			p, ok := parseIPv4(a.at(i))
			if !ok {
				out.SetNull(i)
				continue
			}
			if p.private() {
				out.I[i] = 1
			}
		}
		return out, nil
	})
	t.pure("ipv4_netmask_suffix", strToLong(value.Long, func(s string) (int64, bool) {
		p, ok := parseIPv4(s)
		return int64(p.bits), ok
	}))
	t.pure("format_ipv4", formatIPv4(false))
	t.pure("format_ipv4_mask", formatIPv4(true))
	t.pure("ipv4_range_to_cidr_list", cidrList)
	t.pure("has_ipv4", hasIPv4(false))
	t.pure("has_any_ipv4", hasIPv4(false))
	t.pure("has_ipv4_prefix", hasIPv4(true))
	t.pure("has_any_ipv4_prefix", hasIPv4(true))
	t.raw("geo_info_from_ip_address", func(c *Ctx, _ value.Type, n int, args []*value.Vector) (*value.Vector, error) {
		if c.Geo == nil {
			return nil, refuse("geo_info_from_ip_address", "no geography database is configured")
		}
		a := texts(args[0])
		out := value.New(value.Dynamic, n)
		for i := range out.D {
			if b, ok := c.Geo(a.at(i)); ok {
				out.D[i] = b
			}
		}
		return out, nil
	})
	t.pure("__ipv6_lookup_ranges", func(*Ctx, value.Type, int, []*value.Vector) (*value.Vector, error) {
		return nil, refuse("__ipv6_lookup_ranges", "is internal to the service")
	})
}

// ip4 is an IPv4 address with the prefix length that its text gave (32 without one).
type ip4 struct {
	addr uint32
	bits int
}

func (p ip4) masked(bits int) uint32 {
	bits = min(bits, p.bits)
	if bits <= 0 {
		return 0
	}
	return p.addr &^ (1<<(32-bits) - 1)
}

func (p ip4) private() bool {
	a := p.addr
	return a>>24 == 10 || a>>20 == 0xAC1 || a>>16 == 0xC0A8
}

// parseIPv4 reads a.b.c.d with an optional /prefix.
func parseIPv4(s string) (ip4, bool) {
	s = strings.TrimSpace(s)
	p := ip4{bits: 32}
	if i := strings.IndexByte(s, '/'); i >= 0 {
		b, err := strconv.ParseUint(s[i+1:], 10, 8)
		if err != nil || b > 32 {
			return p, false
		}
		p.bits, s = int(b), s[:i]
	}
	for part := 0; part < 4; part++ {
		n, d := 0, 0
		for d < len(s) && s[d] >= '0' && s[d] <= '9' && d < 4 {
			n = n*10 + int(s[d]-'0')
			d++
		}
		if d == 0 || d > 3 || n > 255 {
			return p, false
		}
		p.addr = p.addr<<8 | uint32(n)
		s = s[d:]
		if part < 3 {
			if s == "" || s[0] != '.' {
				return p, false
			}
			s = s[1:]
		}
	}
	return p, s == ""
}

func textIPv4(a uint32) string {
	return fmt.Sprintf("%d.%d.%d.%d", a>>24, a>>16&255, a>>8&255, a&255)
}

// ip6 is an address of 128 bits; IPv4 addresses lie in ::ffff:0:0/96 and their prefix counts from there.
type ip6 struct {
	addr [16]byte
	bits int
	v4   bool
}

func parseIPv6(s string) (ip6, bool) {
	if p, ok := parseIPv4(s); ok {
		out := ip6{bits: 96 + p.bits, v4: true}
		out.addr[10], out.addr[11] = 0xff, 0xff
		for i := range 4 {
			out.addr[12+i] = byte(p.addr >> (24 - 8*i))
		}
		return out, true
	}
	s = strings.TrimSpace(s)
	out := ip6{bits: 128}
	text := s
	bits := -1
	if i := strings.IndexByte(s, '/'); i >= 0 {
		b, err := strconv.ParseUint(s[i+1:], 10, 16)
		if err != nil || b > 128 {
			return out, false
		}
		bits, text = int(b), s[:i]
	}
	a, err := netip.ParseAddr(text)
	if err != nil || a.Zone() != "" {
		return out, false
	}
	out.addr = a.As16()
	dotted := strings.IndexByte(text, '.') >= 0
	if dotted && strings.HasPrefix(text, "::") && !a.Is4In6() { // ::1.2.3.4
		out.addr[10], out.addr[11] = 0xff, 0xff
	}
	if bits >= 0 {
		if out.bits = bits; dotted && bits <= 32 {
			out.bits += 96
		}
	}
	return out, true
}

func (p ip6) masked(bits int) [16]byte {
	bits = min(bits, p.bits)
	out := p.addr
	for i := range out {
		switch left := bits - 8*i; {
		case left <= 0:
			out[i] = 0
		case left < 8:
			out[i] &^= 0xff >> left
		}
	}
	return out
}

func (p ip6) text(bits int) string {
	m := p.masked(bits)
	var b strings.Builder
	for i := 0; i < 16; i += 2 {
		if i > 0 {
			b.WriteByte(':')
		}
		fmt.Fprintf(&b, "%02x%02x", m[i], m[i+1])
	}
	return b.String()
}

// compareIPv4 compares under the shortest of the two prefixes and the given one (-1 is none).
func compareIPv4(a, b string, prefix int64) (int, bool) {
	x, ok := parseIPv4(a)
	y, ok2 := parseIPv4(b)
	if !ok || !ok2 || prefix > 32 {
		return 0, false
	}
	bits := min(x.bits, y.bits)
	if prefix >= 0 {
		bits = min(bits, int(prefix))
	}
	p, q := x.masked(bits), y.masked(bits)
	switch {
	case p < q:
		return -1, true
	case p > q:
		return 1, true
	}
	return 0, true
}

func compareIPv6(a, b string, prefix int64) (int, bool) {
	x, ok := parseIPv6(a)
	y, ok2 := parseIPv6(b)
	if !ok || !ok2 || prefix > 128 {
		return 0, false
	}
	bits := min(x.bits, y.bits)
	if prefix >= 0 {
		if x.v4 && y.v4 && prefix <= 32 {
			prefix += 96
		}
		bits = min(bits, int(prefix))
	}
	p, q := x.masked(bits), y.masked(bits)
	return strings.Compare(string(p[:]), string(q[:])), true
}

func inRange4(ip, r string) (int, bool) {
	x, ok := parseIPv4(ip)
	y, ok2 := parseIPv4(r)
	if !ok || !ok2 {
		return 0, false
	}
	if x.masked(y.bits) == y.masked(y.bits) {
		return 1, true
	}
	return 0, true
}

func inRange6(ip, r string) (int, bool) {
	x, ok := parseIPv6(ip)
	y, ok2 := parseIPv6(r)
	if !ok || !ok2 {
		return 0, false
	}
	if x.masked(y.bits) == y.masked(y.bits) {
		return 1, true
	}
	return 0, true
}

// ipPair adapts a function of two addresses and an optional prefix.
func ipPair(t value.Type, f func(a, b string, prefix int64) (int, bool)) Func {
	return func(_ *Ctx, _ value.Type, n int, args []*value.Vector) (*value.Vector, error) {
		a, b := texts(args[0]), texts(args[1])
		var p col[int64]
		if len(args) > 2 {
			p = longs(args[2])
		}
		out := value.New(t, n)
		for i := range out.I {
			prefix := int64(-1)
			if len(args) > 2 {
				if p.isNull(i) || p.at(i) < 0 {
					out.SetNull(i)
					continue
				}
				prefix = p.at(i)
			}
			c, ok := f(a.at(i), b.at(i), prefix)
			if !ok {
				out.SetNull(i)
				continue
			}
			out.I[i] = int64(c)
		}
		return out, nil
	}
}

// ipAnyRange is ipv?_is_in_any_range(): true when any range has the address, null when the address is bad or no
// range could be read.
func ipAnyRange(in func(ip, r string) (int, bool)) Func {
	return func(_ *Ctx, _ value.Type, n int, args []*value.Vector) (*value.Vector, error) {
		a := texts(args[0])
		out := value.New(value.Bool, n)
		constant := true
		for _, r := range args[1:] {
			constant = constant && r.Const
		}
		var ranges []string
		for i := range out.I {
			if i == 0 || !constant {
				ranges = ranges[:0]
				for _, r := range args[1:] {
					eachItem(r, i, func(e *value.Vector) { ranges = append(ranges, value.Text(e, 0)) })
				}
			}
			known := false
			ip := a.at(i)
			for _, r := range ranges {
				hit, ok := in(ip, r)
				known = known || ok
				if ok && hit == 1 {
					out.I[i] = 1
					break
				}
			}
			if !known {
				out.SetNull(i)
			}
		}
		return out, nil
	}
}

// formatIPv4 writes an address (text or number) under a prefix, with the prefix itself when mask is set.
func formatIPv4(mask bool) Func {
	return func(_ *Ctx, _ value.Type, n int, args []*value.Vector) (*value.Vector, error) {
		s := texts(args[0])
		var p col[int64]
		if len(args) > 1 {
			p = longs(args[1])
		}
		out := value.New(value.String, n)
		for i := range out.S {
			ip, ok := parseIPv4(s.at(i))
			if !ok {
				x, isNum := value.ParseLong(s.at(i))
				if !isNum || x < 0 || x > 0xFFFFFFFF {
					continue
				}
				ip = ip4{uint32(x), 32}
			}
			bits := ip.bits
			if len(args) > 1 {
				if p.isNull(i) || p.at(i) < 0 || p.at(i) > 32 {
					continue
				}
				bits = min(bits, int(p.at(i)))
			}
			out.S[i] = textIPv4(ip.masked(bits))
			if mask {
				out.S[i] += "/" + strconv.Itoa(bits)
			}
		}
		return out, nil
	}
}

func cidrList(_ *Ctx, _ value.Type, n int, args []*value.Vector) (*value.Vector, error) {
	a, b := texts(args[0]), texts(args[1])
	out := value.New(value.Dynamic, n)
	for i := range out.D {
		x, ok := parseIPv4(a.at(i))
		y, ok2 := parseIPv4(b.at(i))
		if !ok || !ok2 || x.addr > y.addr {
			continue
		}
		list := []any{}
		for from, to := uint64(x.addr), uint64(y.addr); from <= to; {
			bits := 32
			for bits > 0 {
				size := uint64(1) << (33 - bits)
				if from%size != 0 || from+size-1 > to {
					break
				}
				bits--
			}
			list = append(list, textIPv4(uint32(from))+"/"+strconv.Itoa(bits))
			from += uint64(1) << (32 - bits)
		}
		out.D[i] = list
	}
	return out, nil
}

// hasIPv4 looks for an address (or a prefix of one) that stands between non-alphanumeric characters.
func hasIPv4(prefix bool) Func {
	return func(_ *Ctx, _ value.Type, n int, args []*value.Vector) (*value.Vector, error) {
		a := texts(args[0])
		return boolRows(n, func(i int) bool {
			found := false
			for _, it := range args[1:] {
				eachItem(it, i, func(e *value.Vector) {
					found = found || textHasIPv4(a.at(i), value.Text(e, 0), prefix)
				})
			}
			return found
		}), nil
	}
}

func textHasIPv4(s, ip string, prefix bool) bool {
	if ip == "" {
		return false
	}
	if prefix {
		if ip[len(ip)-1] != '.' {
			if _, ok := parseIPv4(ip); !ok {
				return false
			}
			prefix = false
		}
	} else if _, ok := parseIPv4(ip); !ok {
		return false
	}
	edge := func(k int) bool {
		return k < 0 || k >= len(s) || !termByte(s[k]) && s[k] != '.' && s[k] < 0x80
	}
	for from := 0; ; {
		k := strings.Index(s[from:], ip)
		if k < 0 {
			return false
		}
		k += from
		from = k + 1
		end := k + len(ip)
		for prefix && end < len(s) && (s[end] == '.' || s[end] >= '0' && s[end] <= '9') {
			end++
		}
		_, ok := parseIPv4(s[k:end])
		if !edge(k-1) || !ok || end < len(s) && (termByte(s[end]) || s[end] == '.' && end+1 < len(s) && termByte(s[end+1])) {
			continue
		}
		return true
	}
}
