package geo

import (
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"math/big"
	"net/netip"
	"os"
	"slices"
	"sort"
	"strconv"
	"strings"
)

// # Import columns
//
// A CSV file has one range a line, first address and last address (start,end) or one prefix (cidr); addresses
// are written out or as decimal numbers. With a header line, columns may stand in any order and are known by
// these names (case ignored; the first is the usual one):
//
//	start | start_ip | ip_from | first      end | end_ip | ip_to | last      cidr | network | prefix
//	country | country_code   country_name   continent   region | state | state1   region_code
//	city   postal | postcode | zip   timezone | time_zone   lat | latitude   lon | lng | longitude
//	asn | as_number   name | as_name | org | as_organization   domain | as_domain   type | as_type   route   isp
//
// Other columns are ignored. Without a header line the range comes first, and then either asn,name (where the
// next field is a number or begins with AS) or country,region,city,lat,lon,asn,name.
var csvNames = map[string]string{
	"start": "start", "start_ip": "start", "ip_from": "start", "first": "start", "ip_start": "start", "ip_range_start": "start",
	"end": "end", "end_ip": "end", "ip_to": "end", "last": "end", "ip_end": "end", "ip_range_end": "end",
	"cidr": "cidr", "network": "cidr", "prefix": "cidr",
	"country": "country", "country_code": "country", "country_name": "country_name", "continent": "continent", "continent_code": "continent",
	"region": "region", "state": "region", "state1": "region", "region_name": "region", "region_code": "region_code",
	"city": "city", "city_name": "city", "postal": "postal", "postcode": "postal", "zip": "postal", "postal_code": "postal",
	"timezone": "timezone", "time_zone": "timezone", "lat": "lat", "latitude": "lat", "lon": "lon", "lng": "lon", "longitude": "lon",
	"asn": "asn", "as_number": "asn", "autonomous_system_number": "asn",
	"name": "name", "as_name": "name", "org": "name", "as_organization": "name", "organization": "name", "autonomous_system_organization": "name",
	"domain": "domain", "as_domain": "domain", "type": "type", "as_type": "type", "route": "route", "isp": "isp",
}

// maxRanges bounds the memory of a CSV import (about 60 bytes a range).
const maxRanges = 12_000_000

type ipRange struct {
	lo, hi netip.Addr
	rec    int32
}

type csvDB struct {
	ranges []ipRange // sorted, IPv4 before IPv6, not overlapping
	recs   []Info
	k      string
}

func (c *csvDB) close() error { return nil }

func (c *csvDB) kind() string { return c.k }

func kindOf(recs []Info) string {
	k := "asn"
	for i := range recs {
		if recs[i].City != "" || recs[i].HasLoc {
			return "city"
		}
		if recs[i].CountryCode != "" {
			k = "country"
		}
	}
	return k
}

func (c *csvDB) detail() int { return map[string]int{"city": 3, "country": 2, "asn": 1}[c.kind()] }

func (c *csvDB) lookup(a netip.Addr, i *Info) bool {
	k := sort.Search(len(c.ranges), func(k int) bool { return a.Less(c.ranges[k].lo) }) - 1
	if k < 0 || c.ranges[k].hi.Less(a) || c.ranges[k].lo.Is4() != a.Is4() {
		return false
	}
	i.merge(&c.recs[c.ranges[k].rec])
	return true
}

func openCSV(path string) (*csvDB, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return readCSV(f)
}

func readCSV(in io.Reader) (*csvDB, error) {
	r := csv.NewReader(in)
	r.FieldsPerRecord = -1
	r.ReuseRecord = true
	r.Comment = '#'
	c := &csvDB{}
	seen := map[Info]int32{}
	var cols []string
	for line := 1; ; line++ {
		row, err := r.Read()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, fmt.Errorf("csv: %w", err)
		}
		if cols == nil {
			if cols = headerless(row); cols == nil {
				cols, err = header(row)
				if err != nil {
					return nil, err
				}
				continue
			}
		}
		if len(c.ranges) >= maxRanges {
			return nil, fmt.Errorf("csv: more than %d ranges", maxRanges)
		}
		rg, rec, err := readRow(cols, row)
		if err != nil {
			return nil, fmt.Errorf("csv: line %d: %w", line, err)
		}
		n, ok := seen[rec]
		if !ok {
			n = int32(len(c.recs))
			seen[rec] = n
			c.recs = append(c.recs, rec)
		}
		rg.rec = n
		c.ranges = append(c.ranges, rg)
	}
	if len(c.ranges) == 0 {
		return nil, errors.New("csv: no ranges")
	}
	c.k = kindOf(c.recs)
	slices.SortFunc(c.ranges, func(a, b ipRange) int { return a.lo.Compare(b.lo) })
	for k := 1; k < len(c.ranges); k++ {
		if a, b := c.ranges[k-1], c.ranges[k]; a.lo.Is4() == b.lo.Is4() && !a.hi.Less(b.lo) {
			return nil, fmt.Errorf("csv: ranges %s-%s and %s-%s overlap", a.lo, a.hi, b.lo, b.hi)
		}
	}
	return c, nil
}

func header(row []string) ([]string, error) {
	cols := make([]string, len(row))
	for i, n := range row {
		cols[i] = csvNames[strings.ToLower(strings.TrimSpace(strings.TrimPrefix(n, "\ufeff")))]
	}
	if !slices.Contains(cols, "cidr") && !(slices.Contains(cols, "start") && slices.Contains(cols, "end")) {
		return nil, fmt.Errorf("csv: the first line %q names neither cidr nor start and end, and doesn't begin with an address; see the import columns", strings.Join(row, ","))
	}
	if !slices.ContainsFunc(cols, func(s string) bool { return s != "" && s != "cidr" && s != "start" && s != "end" }) {
		return nil, fmt.Errorf("csv: the first line %q names no column that says anything about a range", strings.Join(row, ","))
	}
	return cols, nil
}

// headerless gives the columns of a file that begins with data, or nil.
func headerless(row []string) []string {
	if len(row) == 0 {
		return nil
	}
	var cols []string
	if _, err := netip.ParsePrefix(strings.TrimSpace(row[0])); err == nil {
		cols = []string{"cidr"}
	} else if _, ok := parseAddr(row[0]); ok && len(row) > 1 {
		cols = []string{"start", "end"}
	} else {
		return nil
	}
	if n := len(cols); len(row) > n {
		if _, ok := parseASN(row[n]); ok {
			return append(cols, "asn", "name")
		}
	}
	return append(cols, "country", "region", "city", "lat", "lon", "asn", "name")
}

func parseASN(s string) (uint32, bool) {
	s = strings.TrimPrefix(strings.ToUpper(strings.TrimSpace(s)), "AS")
	n, err := strconv.ParseUint(s, 10, 32)
	return uint32(n), err == nil
}

func parseAddr(s string) (netip.Addr, bool) {
	s = strings.TrimSpace(s)
	if a, err := netip.ParseAddr(s); err == nil {
		return a.Unmap(), a.Zone() == ""
	}
	if len(s) == 0 || len(s) > 39 {
		return netip.Addr{}, false
	}
	n, ok := new(big.Int).SetString(s, 10)
	if !ok || n.Sign() < 0 || n.BitLen() > 128 {
		return netip.Addr{}, false
	}
	if n.BitLen() <= 32 {
		var b [4]byte
		n.FillBytes(b[:])
		return netip.AddrFrom4(b), true
	}
	var b [16]byte
	n.FillBytes(b[:])
	return netip.AddrFrom16(b).Unmap(), true
}

func readRow(cols, row []string) (rg ipRange, i Info, err error) {
	for k, f := range row {
		if k >= len(cols) {
			break
		}
		f = strings.TrimSpace(f)
		if len(f) > 256 {
			return rg, i, fmt.Errorf("column %s is longer than 256 bytes", cols[k])
		}
		if f == "" || f == "-" {
			continue
		}
		f = strings.Clone(f)
		ok := true
		switch cols[k] {
		case "start":
			rg.lo, ok = parseAddr(f)
		case "end":
			rg.hi, ok = parseAddr(f)
		case "cidr":
			p, err := netip.ParsePrefix(f)
			if err != nil {
				return rg, i, fmt.Errorf("cidr: %w", err)
			}
			rg.lo, rg.hi = p.Masked().Addr(), lastAddr(p)
		case "country":
			if len(f) == 2 {
				i.CountryCode = strings.ToUpper(f)
			} else {
				i.Country = f
			}
		case "country_name":
			i.Country = f
		case "continent":
			if len(f) == 2 {
				i.Continent = strings.ToUpper(f)
			}
		case "region":
			i.Region = f
		case "region_code":
			i.RegionCode = f
		case "city":
			i.City = f
		case "postal":
			i.Postal = f
		case "timezone":
			i.Timezone = f
		case "lat", "lon":
			v, e := strconv.ParseFloat(f, 64)
			lim := 90.0
			if cols[k] == "lon" {
				lim = 180
			}
			if ok = e == nil && v >= -lim && v <= lim; ok {
				if cols[k] == "lat" {
					i.Lat = v
				} else {
					i.Lon = v
				}
				i.HasLoc = true
			}
		case "asn":
			i.ASN, ok = parseASN(f)
		case "name":
			i.ASName = f
		case "domain":
			i.ASDomain = f
		case "type":
			i.ASType = f
		case "route":
			i.Route = f
		case "isp":
			i.ISP = f
		}
		if !ok {
			return rg, i, fmt.Errorf("column %s: %q can't be read", cols[k], f)
		}
	}
	if !rg.lo.IsValid() || !rg.hi.IsValid() {
		return rg, i, errors.New("no range")
	}
	if rg.lo.Is4() != rg.hi.Is4() {
		if !(rg.lo.Is4() && rg.hi.Is6()) { // a numeric IPv6 range may begin below 2^32
			return rg, i, fmt.Errorf("range %s-%s mixes IPv4 and IPv6", rg.lo, rg.hi)
		}
		a := rg.lo.As4()
		var b [16]byte
		copy(b[12:], a[:])
		rg.lo = netip.AddrFrom16(b)
	}
	if rg.hi.Less(rg.lo) {
		return rg, i, fmt.Errorf("range %s-%s ends before it begins", rg.lo, rg.hi)
	}
	return rg, i, nil
}

func lastAddr(p netip.Prefix) netip.Addr {
	b := p.Masked().Addr().AsSlice()
	for bit := p.Bits(); bit < len(b)*8; bit++ {
		b[bit/8] |= 0x80 >> (bit % 8)
	}
	a, _ := netip.AddrFromSlice(b)
	return a
}

// merge fills the empty fields of i from o.
func (i *Info) merge(o *Info) {
	for _, p := range [][2]*string{
		{&i.CountryCode, &o.CountryCode},
		{&i.Country, &o.Country},
		{&i.Continent, &o.Continent},
		{&i.RegionCode, &o.RegionCode},
		{&i.Region, &o.Region},
		{&i.City, &o.City},
		{&i.Postal, &o.Postal},
		{&i.Timezone, &o.Timezone},
		{&i.ASName, &o.ASName},
		{&i.ASDomain, &o.ASDomain},
		{&i.ASType, &o.ASType},
		{&i.Route, &o.Route},
		{&i.ISP, &o.ISP},
	} {
		if *p[0] == "" {
			*p[0] = *p[1]
		}
	}
	if !i.HasLoc && o.HasLoc {
		i.Lat, i.Lon, i.HasLoc = o.Lat, o.Lon, true
	}
	if i.ASN == 0 {
		i.ASN = o.ASN
	}
}
