package trip

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"
)

// Entry is a record with the position after it: the place to go on from.
type Entry struct {
	Record
	At   Position // where the record begins
	Next Position // where the next one begins
}

// Damage reports bytes that could not be read back. They may have held acknowledged trips: tell a person.
type Damage struct {
	At    Position
	Bytes int64
}

// Read reads up to max records from position p (the zero Position is the beginning). next is where to go on,
// also when only skipped records (counts of unknown tokens) were passed. It never reads beyond what is durable.
func (l *Log) Read(p Position, max int) (es []Entry, next Position, damage []Damage, err error) {
	return ReadDir(l.dir, p, l.Durable(), max)
}

// ReadDir is [Log.Read] for a folder without a writer: limit is the end, the zero Position means all there is.
func ReadDir(dir string, p, limit Position, max int) (es []Entry, next Position, damage []Damage, err error) {
	files, err := logFiles(dir)
	if err != nil {
		return nil, p, nil, err
	}
	next = p
	for _, seq := range files {
		if seq < p.File || limit != (Position{}) && seq > limit.File {
			continue
		}
		pos := Position{seq, fileHead}
		if seq == p.File {
			pos.Offset = p.Offset
		}
		if pos.Offset < fileHead {
			pos.Offset = fileHead
		}
		end := int64(-1)
		if seq == limit.File {
			end = limit.Offset
		}
		var d *Damage
		es, next, d, err = readFile(dir, pos, end, max, es)
		if err != nil {
			return es, next, damage, err
		}
		if d != nil {
			damage = append(damage, *d)
		}
		if len(es) >= max {
			return es, next, damage, nil
		}
	}
	return es, next, damage, nil
}

// chunk is how much of a file is read at once.
const chunk = 4 << 20

// readFile reads records of one file from pos up to end (-1: the file's end).
func readFile(dir string, pos Position, end int64, max int, es []Entry) ([]Entry, Position, *Damage, error) {
	f, err := os.Open(filepath.Join(dir, fileName(pos.File)))
	if err != nil {
		if errors.Is(err, os.ErrNotExist) { // removed after its rows were committed
			return es, pos, nil, nil
		}
		return es, pos, nil, fmt.Errorf("trip log: %w", err)
	}
	defer f.Close()
	if end < 0 {
		st, err := f.Stat()
		if err != nil {
			return es, pos, nil, fmt.Errorf("trip log: %w", err)
		}
		end = st.Size()
	}
	var damage *Damage
	for pos.Offset < end && len(es) < max {
		n := min(end-pos.Offset, chunk+maxRecord+frameHead)
		b := make([]byte, n)
		if m, err := f.ReadAt(b, pos.Offset); err != nil && !errors.Is(err, io.EOF) {
			return es, pos, damage, fmt.Errorf("trip log: read %s: %w", fileName(pos.File), err)
		} else {
			b = b[:m]
		}
		if len(b) == 0 {
			break
		}
		used := 0
		for len(es) < max {
			r, n, err := decodeFrame(b[used:])
			if err == nil {
				at := Position{pos.File, pos.Offset + int64(used)}
				used += n
				if r.Token != noiseToken {
					es = append(es, Entry{Record: r, At: at, Next: Position{pos.File, at.Offset + int64(n)}})
				}
				continue
			}
			if used > 0 || len(b) == used { // look again from here with a fresh chunk
				break
			}
			// nothing readable at pos: find the next whole record in this chunk
			skip := resync(b)
			if skip < 0 {
				if pos.Offset+int64(len(b)) >= end {
					if errors.Is(err, ErrShort) || allZero(b) {
						// a torn end: written but never acknowledged
						pos.Offset = end
						return es, pos, damage, nil
					}
					damage = addDamage(damage, pos, end-pos.Offset)
					pos.Offset = end
					return es, pos, damage, nil
				}
				skip = len(b) - maxRecord - frameHead
				if skip <= 0 {
					skip = 1
				}
			}
			damage = addDamage(damage, pos, int64(skip))
			used = skip
			break
		}
		if used == 0 {
			break
		}
		pos.Offset += int64(used)
	}
	return es, pos, damage, nil
}

func addDamage(d *Damage, at Position, n int64) *Damage {
	if d == nil {
		return &Damage{At: at, Bytes: n}
	}
	d.Bytes += n
	return d
}

func allZero(b []byte) bool { return len(bytes.TrimLeft(b, "\x00")) == 0 }

// resync finds the first whole record after b's start, or -1.
func resync(b []byte) int {
	for i := 1; i < len(b); {
		k := bytes.Index(b[i:], frameMagic[:])
		if k < 0 {
			return -1
		}
		i += k
		if _, _, err := decodeFrame(b[i:]); err == nil {
			return i
		}
		i++
	}
	return -1
}

// Remove deletes files whose records are all before p and that were last written before the given time. It
// returns how many it deleted. The current file always stays.
func (l *Log) Remove(p Position, before time.Time) (int, error) {
	files, err := logFiles(l.dir)
	if err != nil {
		return 0, err
	}
	cur := l.Durable().File
	n := 0
	for _, seq := range files {
		if seq >= p.File || seq >= cur {
			break
		}
		path := filepath.Join(l.dir, fileName(seq))
		st, err := os.Stat(path)
		if err != nil || st.ModTime().After(before) {
			continue
		}
		if err := os.Remove(path); err != nil {
			return n, fmt.Errorf("trip log: %w", err)
		}
		n++
	}
	if n > 0 {
		l.sample()
	}
	return n, nil
}
