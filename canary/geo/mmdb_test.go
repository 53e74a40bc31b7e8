package geo

import (
	"encoding/binary"
	"math"
	"net/netip"
	"sort"
)

// mmdb4 writes a MaxMind-format database of IPv4 networks: enough of the format to test reading it.
func mmdb4(nets map[string]map[string]any) []byte {
	type node struct {
		kid  [2]*node
		data int // offset in the data section + 1
	}
	root := &node{}
	var data []byte
	names := make([]string, 0, len(nets))
	for n := range nets {
		names = append(names, n)
	}
	sort.Strings(names)
	for _, n := range names {
		p := netip.MustParsePrefix(n)
		at := len(data) + 1
		data = mmdbValue(data, nets[n])
		a := p.Addr().As4()
		x := root
		for i := range p.Bits() {
			b := a[i/8] >> (7 - i%8) & 1
			if x.kid[b] == nil {
				x.kid[b] = &node{}
			}
			x = x.kid[b]
		}
		x.data = at
	}
	var nodes []*node
	index := map[*node]uint32{}
	var walk func(*node)
	walk = func(n *node) {
		if n == nil || n.data > 0 {
			return
		}
		index[n] = uint32(len(nodes))
		nodes = append(nodes, n)
		walk(n.kid[0])
		walk(n.kid[1])
	}
	walk(root)
	count := uint32(len(nodes))
	var out []byte
	for _, n := range nodes {
		for _, k := range n.kid {
			v := count
			if k != nil {
				if k.data > 0 {
					v = count + 16 + uint32(k.data-1)
				} else {
					v = index[k]
				}
			}
			out = binary.BigEndian.AppendUint32(out, v)
		}
	}
	out = append(out, make([]byte, 16)...)
	out = append(out, data...)
	out = append(out, "\xab\xcd\xefMaxMind.com"...)
	return mmdbValue(out, map[string]any{
		"node_count": uint32(count), "record_size": uint16(32), "ip_version": uint16(4), "database_type": "Test",
		"languages": []any{"en"}, "binary_format_major_version": uint16(2), "binary_format_minor_version": uint16(0), "build_epoch": uint64(1_780_000_000),
		"description": map[string]any{"en": "test"},
	})
}

func mmdbHead(b []byte, typ, size int) []byte {
	s := size
	if size >= 29 {
		s = 29
	}
	if typ > 7 {
		b = append(b, byte(s), byte(typ-7))
	} else {
		b = append(b, byte(typ<<5|s))
	}
	if size >= 29 {
		b = append(b, byte(size-29))
	}
	return b
}

func mmdbValue(b []byte, v any) []byte {
	num := func(typ int, n uint64) []byte {
		var x []byte
		for n > 0 {
			x = append([]byte{byte(n)}, x...)
			n >>= 8
		}
		return append(mmdbHead(b, typ, len(x)), x...)
	}
	switch x := v.(type) {
	case string:
		return append(mmdbHead(b, 2, len(x)), x...)
	case float64:
		return binary.BigEndian.AppendUint64(mmdbHead(b, 3, 8), math.Float64bits(x))
	case uint16:
		return num(5, uint64(x))
	case uint32:
		return num(6, uint64(x))
	case uint64:
		return num(9, x)
	case []any:
		b = mmdbHead(b, 11, len(x))
		for _, e := range x {
			b = mmdbValue(b, e)
		}
		return b
	case map[string]any:
		b = mmdbHead(b, 7, len(x))
		keys := make([]string, 0, len(x))
		for k := range x {
			keys = append(keys, k)
		}
		sort.Strings(keys)
		for _, k := range keys {
			b = mmdbValue(mmdbValue(b, k), x[k])
		}
		return b
	}
	panic("type")
}
