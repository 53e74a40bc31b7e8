package geo

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"os"
	"strings"
	"time"
)

// maxTor bounds a Tor list.
const maxTor = 1_000_000

// ParseTor reads a list of Tor exits: the exit-addresses form (lines ExitNode, Published, LastStatus and
// "ExitAddress <ip> <date> <time>") or one address a line; # begins a comment. newest is the latest time that
// the list itself names.
func ParseTor(r io.Reader) (set map[netip.Addr]struct{}, newest time.Time, err error) {
	set = map[netip.Addr]struct{}{}
	sc := bufio.NewScanner(r)
	sc.Buffer(make([]byte, 4096), 64<<10)
	for n := 1; sc.Scan(); n++ {
		f := strings.Fields(sc.Text())
		if len(f) == 0 || strings.HasPrefix(f[0], "#") {
			continue
		}
		var ip string
		switch f[0] {
		case "ExitNode", "Published":
			continue
		case "LastStatus":
			if len(f) >= 3 {
				if t, err := time.Parse(time.DateTime, f[1]+" "+f[2]); err == nil && t.After(newest) {
					newest = t
				}
			}
			continue
		case "ExitAddress":
			if len(f) < 2 {
				return nil, newest, fmt.Errorf("tor list: line %d: ExitAddress without an address", n)
			}
			ip = f[1]
		default:
			ip = f[0]
		}
		a, err := netip.ParseAddr(strings.Trim(ip, "[]"))
		if err != nil {
			return nil, newest, fmt.Errorf("tor list: line %d: %w", n, err)
		}
		if len(set) >= maxTor {
			return nil, newest, fmt.Errorf("tor list: more than %d addresses", maxTor)
		}
		set[a.Unmap()] = struct{}{}
	}
	if err := sc.Err(); err != nil {
		return nil, newest, fmt.Errorf("tor list: %w", err)
	}
	if len(set) == 0 {
		return nil, newest, errors.New("tor list: no addresses")
	}
	return set, newest, nil
}

// sniff finds out what kind of file it is: kind is the user's word, or "".
func sniff(f *os.File, kind string) (string, error) {
	switch kind {
	case "mmdb", "csv", "tor":
		return kind, nil
	case "":
	default:
		return "", fmt.Errorf("unknown kind %q: it must be mmdb, csv or tor", kind)
	}
	st, err := f.Stat()
	if err != nil {
		return "", err
	}
	n := min(st.Size(), 128<<10)
	tail := make([]byte, n)
	if _, err := f.ReadAt(tail, st.Size()-n); err != nil && !errors.Is(err, io.EOF) {
		return "", err
	}
	if strings.Contains(string(tail), "\xab\xcd\xefMaxMind.com") {
		return "mmdb", nil
	}
	head := make([]byte, min(st.Size(), 4096))
	if _, err := f.ReadAt(head, 0); err != nil && !errors.Is(err, io.EOF) {
		return "", err
	}
	for _, line := range strings.Split(string(head), "\n") {
		line = strings.TrimSpace(line)
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		if strings.HasPrefix(line, "Exit") {
			return "tor", nil
		}
		if _, err := netip.ParseAddr(strings.Trim(line, "[]")); err == nil {
			return "tor", nil
		}
		if strings.Contains(line, ",") {
			return "csv", nil
		}
		break
	}
	return "", errors.New("neither a MaxMind-format database, nor CSV ranges, nor a list of Tor exits")
}
