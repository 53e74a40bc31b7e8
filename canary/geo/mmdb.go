package geo

import (
	"fmt"
	"net/netip"
	"strconv"
	"strings"
	"time"

	"github.com/oschwald/maxminddb-golang/v2"
)

type mmdb struct {
	r     *maxminddb.Reader
	kind  string
	built time.Time
}

// openMMDB opens a database; verify reads it all through, which a file from outside needs once.
func openMMDB(path string, verify bool) (*mmdb, error) {
	r, err := maxminddb.Open(path)
	if err != nil {
		return nil, fmt.Errorf("not a MaxMind-format database: %w", err)
	}
	if verify {
		if err := r.Verify(); err != nil {
			r.Close()
			return nil, fmt.Errorf("database is damaged: %w", err)
		}
	}
	m := &mmdb{r: r, built: time.Unix(int64(r.Metadata.BuildEpoch), 0).UTC()}
	// the kind is found from the first entries, not from the name: names are free
	n := 0
	m.kind = "asn"
	for res := range r.Networks() {
		var v any
		if err := res.Decode(&v); err != nil {
			r.Close()
			return nil, fmt.Errorf("database is damaged: %w", err)
		}
		var i Info
		flatten(v, &i)
		if i.City != "" || i.HasLoc {
			m.kind = "city"
			break
		}
		if i.CountryCode != "" {
			m.kind = "country"
		}
		if n++; n >= 2000 {
			break
		}
	}
	if n == 0 && m.kind == "asn" {
		r.Close()
		return nil, fmt.Errorf("database %q has no entries", r.Metadata.DatabaseType)
	}
	return m, nil
}

func (m *mmdb) detail() int  { return map[string]int{"city": 3, "country": 2, "asn": 1}[m.kind] }
func (m *mmdb) close() error { return m.r.Close() }

func (m *mmdb) lookup(a netip.Addr, i *Info) bool {
	res := m.r.Lookup(a)
	if res.Err() != nil || !res.Found() {
		return false
	}
	var v any
	if res.Decode(&v) != nil {
		return false
	}
	had := *i
	flatten(v, i)
	if i.Route == "" && i.ASN != 0 && had.ASN == 0 {
		i.Route = res.Prefix().String()
	}
	return true
}

// flatten reads a record in MaxMind's nested or in the common flat form into the fields of i that are empty.
func flatten(v any, i *Info) {
	m, ok := v.(map[string]any)
	if !ok {
		return
	}
	str := func(dst *string, keys ...string) {
		for _, k := range keys {
			if *dst != "" {
				return
			}
			switch x := m[k].(type) {
			case string:
				*dst = strings.TrimSpace(x)
			case map[string]any:
				*dst = englishName(x)
			}
		}
	}
	country, _ := m["country"].(map[string]any)
	if country == nil {
		country, _ = m["registered_country"].(map[string]any)
	}
	if country != nil {
		set(&i.CountryCode, country["iso_code"])
		if i.Country == "" {
			i.Country = englishName(country)
		}
	} else if c, ok := m["country"].(string); ok {
		if len(c) == 2 {
			set(&i.CountryCode, c)
		} else {
			set(&i.Country, c)
		}
	}
	str(&i.CountryCode, "country_code", "countryCode")
	str(&i.Country, "country_name")
	i.CountryCode = strings.ToUpper(i.CountryCode)
	if c, ok := m["continent"].(map[string]any); ok {
		set(&i.Continent, c["code"])
	} else {
		str(&i.Continent, "continent_code", "continent")
	}
	if len(i.Continent) != 2 {
		i.Continent = ""
	}
	str(&i.City, "city", "city_name")
	if subs, ok := m["subdivisions"].([]any); ok && len(subs) > 0 {
		if s, ok := subs[0].(map[string]any); ok {
			if i.Region == "" {
				i.Region = englishName(s)
			}
			set(&i.RegionCode, s["iso_code"])
		}
	}
	str(&i.Region, "state1", "region", "state", "region_name")
	str(&i.RegionCode, "region_code")
	if p, ok := m["postal"].(map[string]any); ok {
		set(&i.Postal, p["code"])
	}
	str(&i.Postal, "postcode", "postal_code", "zip", "postal")
	loc, _ := m["location"].(map[string]any)
	if loc == nil {
		loc = m
	}
	set(&i.Timezone, loc["time_zone"])
	str(&i.Timezone, "timezone", "time_zone")
	if !i.HasLoc {
		lat, ok1 := number(loc, "latitude", "lat")
		lon, ok2 := number(loc, "longitude", "lon", "lng")
		if ok1 && ok2 && lat >= -90 && lat <= 90 && lon >= -180 && lon <= 180 {
			i.Lat, i.Lon, i.HasLoc = lat, lon, true
		}
	}
	if i.ASN == 0 {
		if n, ok := number(m, "autonomous_system_number", "asn", "as_number"); ok && n > 0 && n <= 1<<32-1 {
			i.ASN = uint32(n)
		}
	}
	str(&i.ASName, "autonomous_system_organization", "as_name", "as_organization", "asname")
	if i.ASName == "" && i.ASN != 0 {
		str(&i.ASName, "name", "org", "organization")
	}
	str(&i.ASDomain, "as_domain", "domain")
	str(&i.ASType, "as_type")
	str(&i.Route, "route", "network")
	str(&i.ISP, "isp")
}

func set(dst *string, v any) {
	if s, ok := v.(string); ok && *dst == "" {
		*dst = strings.TrimSpace(s)
	}
}

func englishName(m map[string]any) string {
	switch n := m["names"].(type) {
	case map[string]any:
		if s, ok := n["en"].(string); ok {
			return s
		}
	case string:
		return n
	}
	if s, ok := m["name"].(string); ok {
		return s
	}
	return ""
}

// number reads the first of keys that holds a number, or text that is one (an AS number may begin with AS).
func number(m map[string]any, keys ...string) (float64, bool) {
	for _, k := range keys {
		switch x := m[k].(type) {
		case float64:
			return x, true
		case float32:
			return float64(x), true
		case uint64:
			return float64(x), true
		case int64:
			return float64(x), true
		case int:
			return float64(x), true
		case uint32:
			return float64(x), true
		case int32:
			return float64(x), true
		case uint16:
			return float64(x), true
		case string:
			if f, err := strconv.ParseFloat(strings.TrimPrefix(strings.ToUpper(strings.TrimSpace(x)), "AS"), 64); err == nil {
				return f, true
			}
		}
	}
	return 0, false
}
