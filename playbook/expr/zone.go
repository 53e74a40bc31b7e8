package expr

import (
	_ "embed"
	"fmt"
	"strings"
	"sync"
	"time"

	_ "time/tzdata" // zones on machines that have none
)

// windows_zones.txt maps Windows time-zone names to IANA names, territory 001 of Unicode CLDR's windowsZones.
//
//go:embed windows_zones.txt
var windowsZonesText string

var windowsZones = sync.OnceValue(func() map[string]string {
	m := map[string]string{}
	for line := range strings.Lines(windowsZonesText) {
		if w, iana, ok := strings.Cut(strings.TrimSpace(line), "="); ok {
			m[strings.ToLower(w)] = iana
		}
	}
	return m
})

// Zone finds a time zone by its Windows name ("W. Europe Standard Time", in any case) or its IANA name.
func Zone(name string) (*time.Location, error) {
	n := strings.TrimSpace(name)
	if iana, ok := windowsZones()[strings.ToLower(n)]; ok {
		n = iana
	}
	if n == "" || strings.EqualFold(n, "local") {
		return nil, fmt.Errorf("the time zone %q is not known", name)
	}
	if strings.EqualFold(n, "utc") || strings.EqualFold(n, "gmt") {
		return time.UTC, nil
	}
	l, err := time.LoadLocation(n)
	if err != nil {
		return nil, fmt.Errorf("the time zone %q is neither a Windows nor an IANA name", name)
	}
	return l, nil
}
