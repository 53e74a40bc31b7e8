// Package filetest puts faults under a store that writes through package file: calls that fail, writes that stop
// short with or without an error, and power cuts, after which what was not synced is lost or torn.
package filetest

import (
	"fmt"
	"io"
	"io/fs"
	"math/rand"
	"os"
	"path/filepath"
	"picket/lake/file"
	"strings"
	"sync"
	"syscall"
)

// Faulty is a file system on a real one below Dir. It is safe for concurrent use.
type Faulty struct {
	Dir string // what lies elsewhere is left alone

	mu       sync.Mutex
	r        *rand.Rand
	chance   float64 // of a fault for each call
	real     file.OS
	synced   map[string]int64  // durable length of files
	durable  map[string]bool   // paths whose entry in their folder is durable
	gone     map[string]string // removed or replaced, not yet durably: where the old file is kept
	grave    string
	graves   int
	injected map[string]int
}

// New makes a file system whose faults follow from the seed. Its graveyard is a folder of the test's. What dir holds
// is taken as durable.
func New(dir, graveyard string, seed int64) *Faulty {
	f := &Faulty{
		Dir: dir, grave: graveyard, r: rand.New(rand.NewSource(seed)),
		synced: map[string]int64{}, durable: map[string]bool{}, gone: map[string]string{}, injected: map[string]int{},
	}
	_ = filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		f.durable[path] = true
		if st, err := d.Info(); err == nil && !d.IsDir() {
			f.synced[path] = st.Size()
		}
		return nil
	})
	return f
}

// Chance sets the share of calls that fail, 0 to 1.
func (f *Faulty) Chance(p float64) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.chance = p
}

// Injected counts the faults so far by kind.
func (f *Faulty) Injected() map[string]int {
	f.mu.Lock()
	defer f.mu.Unlock()
	out := map[string]int{}
	for k, n := range f.injected {
		out[k] = n
	}
	return out
}

// hit decides on a fault; f.mu is held.
func (f *Faulty) hit(kind string) bool {
	if f.r.Float64() >= f.chance {
		return false
	}
	f.injected[kind]++
	return true
}

func fault(op, name string, err error) error { return &fs.PathError{Op: op, Path: name, Err: err} }

// some is an error that a disk may give at any time.
func (f *Faulty) some() error {
	return []error{syscall.EIO, syscall.ENOSPC, syscall.EDQUOT}[f.r.Intn(3)]
}

type faultyFile struct {
	f    *Faulty
	name string
	w    file.File
}

// Create fails, or makes the file and a writer with faults.
func (f *Faulty) Create(name string) (file.File, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.hit("open") {
		return nil, fault("open", name, f.some())
	}
	w, err := f.real.Create(name)
	if err != nil {
		return nil, err
	}
	delete(f.synced, name)
	return &faultyFile{f: f, name: name, w: w}, nil
}

// Write may write less than it should: with an error, with a count only, or without a word.
func (w *faultyFile) Write(b []byte) (int, error) {
	f := w.f
	f.mu.Lock()
	defer f.mu.Unlock()
	if len(b) == 0 || !f.hit("short write") {
		return w.w.Write(b)
	}
	n, err := w.w.Write(b[:f.r.Intn(len(b))])
	if err != nil {
		return n, err
	}
	switch f.r.Intn(3) {
	case 0:
		return n, fault("write", w.name, syscall.ENOSPC)
	case 1:
		return n, io.ErrShortWrite
	}
	return len(b), nil // the disk lies; the length of the file tells
}

func (w *faultyFile) Close() error {
	w.f.mu.Lock()
	defer w.f.mu.Unlock()
	err := w.w.Close()
	if err == nil && w.f.hit("close") {
		err = fault("close", w.name, syscall.EIO)
	}
	return err
}

// ReadFile fails, or reads.
func (f *Faulty) ReadFile(name string) ([]byte, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	b, err := f.real.ReadFile(name)
	if err == nil && f.hit("read") {
		return nil, fault("read", name, syscall.EIO)
	}
	return b, err
}

// Stat fails, or describes.
func (f *Faulty) Stat(name string) (fs.FileInfo, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.hit("stat") {
		return nil, fault("stat", name, syscall.EIO)
	}
	return f.real.Stat(name)
}

// ReadDir fails, or lists.
func (f *Faulty) ReadDir(name string) ([]fs.DirEntry, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.hit("readdir") {
		return nil, fault("readdir", name, syscall.EIO)
	}
	return f.real.ReadDir(name)
}

// bury keeps a file that is about to lose its name; f.mu is held.
func (f *Faulty) bury(name string) {
	st, err := os.Lstat(name)
	if err != nil || !st.Mode().IsRegular() || !f.durable[name] {
		return
	}
	f.graves++
	to := filepath.Join(f.grave, fmt.Sprint(f.graves))
	if os.Link(name, to) == nil {
		f.gone[name] = to
	}
}

// Rename fails before or after it was done, or moves.
func (f *Faulty) Rename(from, to string) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.hit("rename") {
		return fault("rename", from, f.some())
	}
	f.bury(to)
	f.bury(from)
	if err := f.real.Rename(from, to); err != nil {
		return err
	}
	if n, ok := f.synced[from]; ok {
		f.synced[to] = n
	} else {
		delete(f.synced, to)
	}
	delete(f.synced, from)
	delete(f.durable, to)
	if f.hit("rename done") {
		return fault("rename", from, syscall.EIO)
	}
	return nil
}

// Remove fails, or removes.
func (f *Faulty) Remove(name string) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.hit("remove") {
		return fault("remove", name, syscall.EIO)
	}
	f.bury(name)
	err := f.real.Remove(name)
	if err == nil {
		delete(f.synced, name)
		delete(f.durable, name)
	}
	return err
}

// MkdirAll fails, or makes folders.
func (f *Faulty) MkdirAll(name string) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.hit("mkdir") {
		return fault("mkdir", name, f.some())
	}
	return f.real.MkdirAll(name)
}

// Sync fails with the file cut short, fails with everything in place, cuts the file short without a word, or syncs.
func (f *Faulty) Sync(name string) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	st, err := os.Stat(name)
	if err != nil {
		return err
	}
	if st.IsDir() {
		if f.hit("sync folder") {
			return fault("sync", name, f.some())
		}
		es, err := os.ReadDir(name)
		if err != nil {
			return err
		}
		for p, g := range f.gone {
			if filepath.Dir(p) == name {
				_ = os.Remove(g)
				delete(f.gone, p)
			}
		}
		for _, e := range es {
			f.durable[filepath.Join(name, e.Name())] = true
		}
		return nil
	}
	if f.hit("sync") {
		cut := st.Size() > 0 && f.r.Intn(2) == 0
		if cut {
			_ = os.Truncate(name, f.r.Int63n(st.Size()))
		}
		if cut && f.r.Intn(3) == 0 {
			return nil // what a look at the file tells; a disk that only forgets later nobody can catch
		}
		return fault("sync", name, f.some())
	}
	f.synced[name] = st.Size()
	return nil
}

// Cut makes, in a new folder, what a power cut now would leave of Dir: of a file that was not synced any prefix, of a
// new entry in a folder that was not synced perhaps nothing, of a removal or renaming perhaps the state before. Files
// for which keep is true (a database's own) are copied as they are. Nothing may write meanwhile.
func (f *Faulty) Cut(to string, keep func(rel string) bool) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	lost := map[string]bool{}
	err := filepath.WalkDir(f.Dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(f.Dir, path)
		if err != nil {
			return err
		}
		if lost[filepath.Dir(path)] {
			lost[path] = true
			return nil
		}
		if rel != "." && !keep(rel) && !f.durable[path] && f.r.Intn(2) == 0 {
			f.injected["lost entry"]++
			lost[path] = true
			return nil
		}
		if d.IsDir() {
			return os.MkdirAll(filepath.Join(to, rel), 0o700)
		}
		b, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		if !keep(rel) {
			if n, ok := f.synced[path]; int64(len(b)) > n || !ok {
				n = min(n, int64(len(b)))
				b = b[:n+f.r.Int63n(int64(len(b))-n+1)]
				f.injected["torn"]++
			}
		}
		return os.WriteFile(filepath.Join(to, rel), b, 0o600)
	})
	if err != nil {
		return err
	}
	for path, g := range f.gone {
		rel, err := filepath.Rel(f.Dir, path)
		if err != nil || strings.HasPrefix(rel, "..") {
			continue
		}
		target := filepath.Join(to, rel)
		if _, err := os.Lstat(target); err == nil { // the new one is there
			continue
		}
		if !lost[path] && f.r.Intn(2) == 0 { // of a replaced file one of both is there; a removed one may come back
			continue
		}
		b, err := os.ReadFile(g)
		if err != nil {
			return err
		}
		if os.MkdirAll(filepath.Dir(target), 0o700) == nil {
			f.injected["came back"]++
			if err := os.WriteFile(target, b, 0o600); err != nil {
				return err
			}
		}
	}
	return nil
}
