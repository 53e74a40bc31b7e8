// Package geo says where an address is, from files that the user imported; it never asks anybody.
//
//	db, err := geo.Open(dir)                        // what was imported before
//	err = db.Import(ctx, "dbip-city.mmdb", geo.ImportOptions{})
//	info, ok := db.Lookup(netip.MustParseAddr("8.8.8.8"))
//	tor, known := db.IsTor(info.IP)                 // known is false while there is no Tor list
//
// Files: MaxMind-format databases with flat keys (country_code, city, state1, latitude …) or nested ones
// (country.iso_code, city.names.en, location.latitude …), CSV ranges (see [Import columns] in csv.go), and Tor
// exit lists. Answers come in three shapes: [Info], ipinfo's ([Info.IPInfo]) and ip-api.com's ([DB.Handler]).
package geo

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"os"
	"path/filepath"
	"sort"
	"strings"
	"sync"
	"time"
)

// Info is what is known about an address. Empty fields are not known.
type Info struct {
	IP          netip.Addr
	CountryCode string // ISO 3166-1 alpha-2
	Country     string // English name
	Continent   string // AF, AN, AS, EU, NA, OC, SA
	RegionCode  string
	Region      string
	City        string
	Postal      string
	Timezone    string
	Lat, Lon    float64 // degrees, valid if HasLoc
	HasLoc      bool
	ASN         uint32
	ASName      string
	ASDomain    string
	ASType      string
	Route       string // the AS's or the range's prefix, CIDR
	ISP         string
}

// source is one imported file.
type source interface {
	lookup(a netip.Addr, i *Info) bool // fills fields that are still empty; reports a hit
	detail() int                       // higher is asked first: 3 city, 2 country, 1 AS only
	close() error
}

// File describes an imported file.
type File struct {
	Name     string    // in the folder
	Kind     string    // city, country, asn, tor
	Imported time.Time // when
	Built    time.Time // by the file's own word, zero if it has none
	Entries  int64     // ranges or addresses; 0 if not counted
}

// DB is the set of imported files. Safe for concurrent use.
type DB struct {
	dir    string
	opened time.Time // for the first time, whatever restarts there were
	mu     sync.RWMutex
	files  map[string]*loaded
	order  []source
	tor    map[netip.Addr]struct{}
	torAt  time.Time
}

type loaded struct {
	File
	src source
	tor map[netip.Addr]struct{}
}

// maxFile bounds the size of an imported file.
const maxFile = 2 << 30

// Open opens the folder (created if absent) and loads what was imported.
func Open(dir string) (*DB, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("geo: %w", err)
	}
	since, err := firstOpened(dir)
	if err != nil {
		return nil, fmt.Errorf("geo: %w", err)
	}
	db := &DB{dir: dir, opened: since, files: map[string]*loaded{}}
	es, err := os.ReadDir(dir)
	if err != nil {
		return nil, fmt.Errorf("geo: %w", err)
	}
	for _, e := range es {
		if !e.Type().IsRegular() || strings.HasPrefix(e.Name(), ".") {
			continue
		}
		l, err := load(filepath.Join(dir, e.Name()), ImportOptions{})
		if err != nil {
			db.Close()
			return nil, fmt.Errorf("geo: %s: %w", e.Name(), err)
		}
		db.files[e.Name()] = l
	}
	db.rebuild()
	return db, nil
}

// firstOpened is when the folder was opened for the first time: the age of a file in it.
func firstOpened(dir string) (time.Time, error) {
	mark := filepath.Join(dir, ".since")
	f, err := os.OpenFile(mark, os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		return time.Time{}, err
	}
	defer f.Close()
	st, err := f.Stat()
	if err != nil {
		return time.Time{}, err
	}
	return st.ModTime().UTC(), nil
}

// ImportOptions say how to read a file; the zero value finds out.
type ImportOptions struct {
	Kind    string   // "", "mmdb", "csv", "tor"
	Columns []string // for CSV without a header line: the columns in order
}

// Import checks a file, copies it into the folder and uses it from then on. A file of the same base name is
// replaced.
func (db *DB) Import(ctx context.Context, path string, o ImportOptions) (File, error) {
	in, err := os.Open(path)
	if err != nil {
		return File{}, fmt.Errorf("geo import: %w", err)
	}
	defer in.Close()
	st, err := in.Stat()
	if err != nil {
		return File{}, fmt.Errorf("geo import: %w", err)
	}
	if !st.Mode().IsRegular() || st.Size() > maxFile {
		return File{}, fmt.Errorf("geo import: %s is not a regular file of at most %d bytes", filepath.Base(path), int64(maxFile))
	}
	kind, err := sniff(in, o.Kind)
	if err != nil {
		return File{}, fmt.Errorf("geo import: %s: %w", filepath.Base(path), err)
	}
	name := safeName(filepath.Base(path), kind)
	tmp, err := os.CreateTemp(db.dir, ".import-*")
	if err != nil {
		return File{}, fmt.Errorf("geo import: %w", err)
	}
	defer os.Remove(tmp.Name())
	if kind == "csv" && len(o.Columns) > 0 { // keep the meaning with the data
		if _, err := io.WriteString(tmp, strings.Join(o.Columns, ",")+"\n"); err != nil {
			tmp.Close()
			return File{}, fmt.Errorf("geo import: %w", err)
		}
	}
	_, err = io.Copy(tmp, ctxReader{ctx, in})
	if err == nil {
		err = tmp.Sync()
	}
	if e := tmp.Close(); err == nil {
		err = e
	}
	if err != nil {
		return File{}, fmt.Errorf("geo import: %w", err)
	}
	o.Kind = kind
	l, err := load(tmp.Name(), o)
	if err != nil {
		return File{}, fmt.Errorf("geo import: %s: %w", filepath.Base(path), err)
	}
	if err := os.Rename(tmp.Name(), filepath.Join(db.dir, name)); err != nil {
		if l.src != nil {
			l.src.close()
		}
		return File{}, fmt.Errorf("geo import: %w", err)
	}
	l.Name = name
	db.mu.Lock()
	old := db.files[name]
	db.files[name] = l
	db.rebuildLocked()
	if old != nil && old.src != nil {
		old.src.close() // no look-up runs: the lock is held
	}
	db.mu.Unlock()
	return l.File, nil
}

// Remove forgets an imported file.
func (db *DB) Remove(name string) error {
	db.mu.Lock()
	defer db.mu.Unlock()
	l := db.files[name]
	if l == nil {
		return fmt.Errorf("geo: no imported file %q", name)
	}
	if err := os.Remove(filepath.Join(db.dir, name)); err != nil {
		return fmt.Errorf("geo: %w", err)
	}
	delete(db.files, name)
	db.rebuildLocked()
	if l.src != nil {
		return l.src.close()
	}
	return nil
}

type ctxReader struct {
	ctx context.Context
	r   io.Reader
}

func (c ctxReader) Read(p []byte) (int, error) {
	if err := c.ctx.Err(); err != nil {
		return 0, err
	}
	return c.r.Read(p)
}

// safeName keeps the base name recognisable and gives it the ending of its kind.
func safeName(base, kind string) string {
	stem := strings.TrimSuffix(base, filepath.Ext(base))
	stem = strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '-' || r == '_' || r == '.' {
			return r
		}
		return '_'
	}, strings.TrimLeft(stem, "."))
	if stem == "" {
		h := sha256.Sum256([]byte(base))
		stem = hex.EncodeToString(h[:4])
	}
	if len(stem) > 100 {
		stem = stem[:100]
	}
	return stem + "." + kind
}

func load(path string, o ImportOptions) (*loaded, error) {
	st, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	kind := o.Kind
	if kind == "" {
		kind = strings.TrimPrefix(filepath.Ext(path), ".")
	}
	l := &loaded{File: File{Name: filepath.Base(path), Imported: st.ModTime().UTC()}}
	switch kind {
	case "mmdb":
		m, err := openMMDB(path, o.Kind != "") // what was imported was verified then
		if err != nil {
			return nil, err
		}
		l.src, l.Kind, l.Built = m, m.kind, m.built
	case "csv":
		c, err := openCSV(path)
		if err != nil {
			return nil, err
		}
		l.src, l.Kind, l.Entries = c, c.kind(), int64(len(c.ranges))
	case "tor":
		f, err := os.Open(path)
		if err != nil {
			return nil, err
		}
		defer f.Close()
		if l.tor, l.Built, err = ParseTor(f); err != nil {
			return nil, err
		}
		l.Kind, l.Entries = "tor", int64(len(l.tor))
	default:
		return nil, fmt.Errorf("unknown kind of file %q: it must be mmdb, csv or tor", kind)
	}
	return l, nil
}

func (db *DB) rebuild() {
	db.mu.Lock()
	defer db.mu.Unlock()
	db.rebuildLocked()
}

func (db *DB) rebuildLocked() {
	db.order, db.tor, db.torAt = nil, nil, time.Time{}
	names := make([]string, 0, len(db.files))
	for n := range db.files {
		names = append(names, n)
	}
	sort.Strings(names)
	for _, n := range names {
		l := db.files[n]
		if l.src != nil {
			db.order = append(db.order, l.src)
			continue
		}
		if db.tor == nil {
			db.tor = map[netip.Addr]struct{}{}
		}
		for a := range l.tor {
			db.tor[a] = struct{}{}
		}
		at := l.Built
		if at.IsZero() {
			at = l.Imported
		}
		if at.After(db.torAt) {
			db.torAt = at
		}
	}
	sort.SliceStable(db.order, func(i, j int) bool { return db.order[i].detail() > db.order[j].detail() })
}

// Lookup says what is known about a; ok is false where no file knows it.
func (db *DB) Lookup(a netip.Addr) (i Info, ok bool) {
	a = a.Unmap().WithZone("")
	i.IP = a
	if db == nil || !a.IsValid() {
		return i, false
	}
	db.mu.RLock()
	defer db.mu.RUnlock()
	for _, s := range db.order {
		ok = s.lookup(a, &i) || ok
	}
	if ok {
		i.complete()
	}
	return i, ok
}

// IsTor says whether a is a Tor exit; known is false while there is no list.
func (db *DB) IsTor(a netip.Addr) (tor, known bool) {
	if db == nil {
		return false, false
	}
	db.mu.RLock()
	defer db.mu.RUnlock()
	if db.tor == nil {
		return false, false
	}
	_, tor = db.tor[a.Unmap().WithZone("")]
	return tor, true
}

// Status says what the answers rest on.
type Status struct {
	Files                []File
	LocationUnknownSince time.Time // zero if there is location data
	TorUnknownSince      time.Time // zero if there is a Tor list
	TorListed            time.Time // age of the newest Tor list
}

// Status returns the imported files and since when answers have been unknown.
func (db *DB) Status() Status {
	db.mu.RLock()
	defer db.mu.RUnlock()
	var s Status
	for _, l := range db.files {
		s.Files = append(s.Files, l.File)
	}
	sort.Slice(s.Files, func(i, j int) bool { return s.Files[i].Name < s.Files[j].Name })
	if len(db.order) == 0 {
		s.LocationUnknownSince = db.opened
	}
	if db.tor == nil {
		s.TorUnknownSince = db.opened
	}
	s.TorListed = db.torAt
	return s
}

// Close releases the files.
func (db *DB) Close() error {
	db.mu.Lock()
	defer db.mu.Unlock()
	var errs []error
	for _, l := range db.files {
		if l.src != nil {
			errs = append(errs, l.src.close())
		}
	}
	db.files, db.order, db.tor = map[string]*loaded{}, nil, nil
	return errors.Join(errs...)
}
