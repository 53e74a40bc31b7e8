// Package file is the small part of a file system that picket's stores write through, so that a test can put faults
// under them (package filetest). What DuckDB and SQLite write themselves does not pass here.
package file

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
)

// FS is a file system. Its errors are those of package os.
type FS interface {
	// Create makes a file that must not exist, for writing.
	Create(name string) (File, error)
	ReadFile(name string) ([]byte, error)
	Stat(name string) (fs.FileInfo, error)
	ReadDir(name string) ([]fs.DirEntry, error)
	Rename(from, to string) error // replaces to
	Remove(name string) error     // a file or an empty folder
	MkdirAll(name string) error
	// Sync makes a file's content durable, or a folder's entries.
	Sync(name string) error
}

// File is a file being written.
type File interface {
	io.Writer
	Close() error
}

// OS is the real file system; files are for their owner only.
type OS struct{}

// Create makes a file that must not exist.
func (OS) Create(name string) (File, error) {
	return os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
}

// ReadFile gives the content.
func (OS) ReadFile(name string) ([]byte, error) { return os.ReadFile(name) }

// Stat describes a file.
func (OS) Stat(name string) (fs.FileInfo, error) { return os.Stat(name) }

// ReadDir lists a folder by name.
func (OS) ReadDir(name string) ([]fs.DirEntry, error) { return os.ReadDir(name) }

// Rename moves a file.
func (OS) Rename(from, to string) error { return os.Rename(from, to) }

// Remove unlinks a file or an empty folder.
func (OS) Remove(name string) error { return os.Remove(name) }

// MkdirAll makes a folder and those above it.
func (OS) MkdirAll(name string) error { return os.MkdirAll(name, 0o700) }

// Sync is fsync.
func (OS) Sync(name string) error {
	f, err := os.Open(name)
	if err != nil {
		return err
	}
	defer f.Close()
	if err := f.Sync(); err != nil {
		return fmt.Errorf("fsync %s: %w", name, err)
	}
	return nil
}

// Write makes a file that must not exist with the content, and looks that all of it arrived. It is not durable yet.
// What a failed call leaves behind is removed, or for the next start to sweep.
func Write(f FS, name string, b []byte) error {
	w, err := f.Create(name)
	if err != nil {
		return err
	}
	n, err := w.Write(b)
	if err == nil && n < len(b) {
		err = fmt.Errorf("write %s: %w", name, io.ErrShortWrite)
	}
	if cerr := w.Close(); err == nil {
		err = cerr
	}
	if err == nil {
		var st fs.FileInfo
		if st, err = f.Stat(name); err == nil && st.Size() != int64(len(b)) {
			err = fmt.Errorf("write %s: %w: %d of %d bytes are there", name, io.ErrShortWrite, st.Size(), len(b))
		}
	}
	if err != nil {
		_ = f.Remove(name)
	}
	return err
}

// Replace puts the content in place of a file's, durably: after a crash the file holds the old content or the new.
func Replace(f FS, name string, b []byte) error {
	tmp := name + ".new"
	if err := f.Remove(tmp); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if err := Write(f, tmp, b); err != nil {
		return err
	}
	if err := SyncAll(f, tmp, int64(len(b))); err != nil {
		return err
	}
	if err := f.Rename(tmp, name); err != nil {
		return err
	}
	return f.Sync(filepath.Dir(name))
}

// SyncAll makes a file's content durable and looks that it has the size that it should.
func SyncAll(f FS, name string, size int64) error {
	if err := f.Sync(name); err != nil {
		return err
	}
	st, err := f.Stat(name)
	if err != nil {
		return err
	}
	if st.Size() != size {
		return fmt.Errorf("sync %s: %d bytes are there in place of %d", name, st.Size(), size)
	}
	return nil
}

// Empty removes all that a folder holds.
func Empty(f FS, dir string) error {
	es, err := f.ReadDir(dir)
	if err != nil {
		return err
	}
	for _, e := range es {
		path := filepath.Join(dir, e.Name())
		if e.IsDir() {
			if err := Empty(f, path); err != nil {
				return err
			}
		}
		if err := f.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return nil
}

// Walk hands every path below a folder to do, a folder before what is in it.
func Walk(f FS, dir string, do func(path string, isDir bool) error) error {
	es, err := f.ReadDir(dir)
	if err != nil {
		return err
	}
	for _, e := range es {
		path := filepath.Join(dir, e.Name())
		if err := do(path, e.IsDir()); err != nil {
			return err
		}
		if e.IsDir() {
			if err := Walk(f, path, do); err != nil {
				return err
			}
		}
	}
	return nil
}
