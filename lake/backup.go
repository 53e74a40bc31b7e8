package lake

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"picket/lake/duck"
	"picket/lake/file"
	"strconv"
)

// Backup writes a copy of the lake as of one commit into a folder that must not exist, while the lake is in use, and
// gives the number of that commit. Segments, which never change, are linked where the disk allows it and copied
// otherwise; appends wait while the database itself is copied. The copy opens as a lake of its own. What a failed call
// leaves is removed.
func (l *Lake) Backup(ctx context.Context, dir string) (commit int64, err error) {
	fail := func(err error) (int64, error) { return 0, fmt.Errorf("back up the lake to %s: %w", dir, err) }
	if _, err := os.Lstat(dir); !errors.Is(err, fs.ErrNotExist) {
		return fail(errors.New("there is something already"))
	}
	if err := l.o.Files.MkdirAll(dir); err != nil {
		return fail(err)
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, os.RemoveAll(dir))
		}
	}()
	s, err := l.Snapshot(ctx) // holds the files of this and later catalogs
	if err != nil {
		return fail(err)
	}
	defer s.Close()
	var cat *catalog
	err = l.raw(ctx, func(_ context.Context, _ *duck.Conn) error { // nobody writes meanwhile
		l.mu.Lock()
		cat = l.cat
		l.mu.Unlock()
		commit = l.commit
		if err := l.copyFrom(l.own, filepath.Join(dir, "lake.duckdb")); err != nil {
			return err
		}
		err := l.copyFile(l.dbPath()+".wal", filepath.Join(dir, "lake.duckdb.wal"))
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		return err
	})
	if err != nil {
		return fail(err)
	}
	dirs := map[string]bool{dir: true}
	for _, t := range cat.tables {
		for _, g := range t.Segs {
			if err := ctx.Err(); err != nil {
				return fail(context.Cause(ctx))
			}
			to := filepath.Join(dir, g.Path)
			if err := l.o.Files.MkdirAll(filepath.Dir(to)); err != nil {
				return fail(err)
			}
			for d := filepath.Dir(to); d != dir; d = filepath.Dir(d) {
				dirs[d] = true
			}
			if os.Link(l.segmentPath(g), to) == nil {
				continue
			}
			if err := l.copyFile(l.segmentPath(g), to); err != nil {
				return fail(err)
			}
		}
	}
	if err := file.Replace(l.o.Files, filepath.Join(dir, "FORMAT"), []byte(strconv.Itoa(Format)+"\n")); err != nil {
		return fail(err)
	}
	dirs[filepath.Dir(dir)] = true
	for d := range dirs {
		if err := l.o.Files.Sync(d); err != nil {
			return fail(err)
		}
	}
	return commit, nil
}

// copyFile makes a durable copy.
func (l *Lake) copyFile(from, to string) error {
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer in.Close()
	return l.copyFrom(in, to)
}

func (l *Lake) copyFrom(in *os.File, to string) error {
	st, err := in.Stat()
	if err != nil {
		return err
	}
	out, err := l.o.Files.Create(to)
	if err != nil {
		return err
	}
	n, err := io.Copy(out, io.NewSectionReader(in, 0, st.Size()))
	if err == nil && n != st.Size() {
		err = io.ErrShortWrite
	}
	if cerr := out.Close(); err == nil {
		err = cerr
	}
	if err != nil {
		return fmt.Errorf("copy %s: %w", in.Name(), err)
	}
	return file.SyncAll(l.o.Files, to, st.Size())
}
