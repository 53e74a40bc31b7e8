package files

import (
	"bytes"
	"context"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"picket/kql/value"
	"sync/atomic"
)

// found is what the values of columns look like, in the order in which the columns first appear.
type found struct {
	at    map[string]int
	names []string
	kinds []kind
}

func newFound() *found { return &found{at: map[string]int{}} }

func (f *found) column(name string) (int, error) {
	i, ok := f.at[name]
	if !ok {
		if len(f.names) == MaxColumns {
			return 0, fmt.Errorf("there are more than %d columns; the next is %q", MaxColumns, name)
		}
		i = len(f.names)
		f.at[name] = i
		f.names = append(f.names, name)
		f.kinds = append(f.kinds, 0)
	}
	return i, nil
}

func (f *found) merge(g *found) error {
	for k, n := range g.names {
		i, err := f.column(n)
		if err != nil {
			return err
		}
		f.kinds[i] |= g.kinds[k]
	}
	return nil
}

// infer reads the files of a table and gives its columns. All files are JSON or all are CSV.
func infer(ctx context.Context, t *table, progress func(table string, read, total int64)) (value.Schema, error) {
	if len(t.inputs) > 0 && t.inputs[0].comma == 0 {
		if event, err := t.isEventLog(ctx); err != nil {
			return nil, err
		} else if event {
			for _, in := range t.inputs {
				in.format = EventLog
			}
		}
	}
	all := newFound()
	var mergeErr error
	var read atomic.Int64
	total := int64(0)
	for _, in := range t.inputs {
		total += in.size
	}
	err := pipeline(ctx, func(emit func(*block) bool) error {
		for _, in := range t.inputs {
			if err := blocks(in, in.cutter(), &read, emit); err != nil {
				return err
			}
		}
		return nil
	}, func(b *block) (*found, error) {
		switch {
		case b.in.comma != 0:
			return inferCells(b)
		case b.in.format == EventLog:
			return inferEvents(b)
		}
		return inferObjects(b)
	}, func(f *found) bool {
		mergeErr = all.merge(f)
		if progress != nil {
			progress(t.name, read.Load(), total)
		}
		return mergeErr == nil
	})
	if err == nil {
		err = mergeErr
	}
	if err != nil {
		return nil, err
	}
	if len(t.inputs) > 0 && t.inputs[0].format == EventLog {
		return eventSchema(), nil
	}
	for _, in := range t.inputs { // columns of files that have no rows
		for _, n := range in.header {
			if _, err := all.column(n); err != nil {
				return nil, fmt.Errorf("%s: %w", in.path, err)
			}
		}
	}
	s := make(value.Schema, len(all.names))
	for i, n := range all.names {
		s[i] = value.Column{Name: n, Type: all.kinds[i].jsonType()}
		if t.inputs[0].comma != 0 {
			s[i].Type = all.kinds[i].cellType()
		}
	}
	return s, nil
}

func (in *input) cutter() cutter {
	switch {
	case in.comma != 0:
		return csvCutter{}
	case in.format == NDJSON:
		return ndjsonCutter{}
	}
	return &jsonCutter{member: in.member}
}

func inferObjects(b *block) (*found, error) {
	f := newFound()
	next := 0 // keys mostly come in the order of the row before
	for _, row := range b.rows {
		err := eachField(b.data[row.from:row.to], func(key []byte, k kind, _ []byte) error {
			if next < len(f.names) && f.names[next] == string(key) {
				f.kinds[next] |= k
				next++
				return nil
			}
			i, ok := f.at[string(key)]
			if !ok {
				name, err := keyText(key)
				if err != nil {
					return err
				}
				if i, err = f.column(name); err != nil {
					return err
				}
			}
			f.kinds[i] |= k
			next = i + 1
			return nil
		})
		if err != nil {
			return nil, &rowError{b.in.path, row.line, err}
		}
		next = 0
	}
	return f, nil
}

// eachField hands the properties of a row to f.
func eachField(row []byte, f func(key []byte, k kind, raw []byte) error) error {
	r := rowScan{b: row}
	r.space()
	if err := r.object(0, f); err != nil {
		return err
	}
	r.space()
	if r.i < len(row) {
		return r.fail("text after the end of the object")
	}
	return nil
}

// keyText is a property's name as a column's.
func keyText(key []byte) (string, error) {
	if bytes.IndexByte(key, '\\') < 0 {
		return valid(string(key)), nil
	}
	return text([]byte(`"` + string(key) + `"`))
}

var errNoHeader = errors.New("there is no header: the first line names the columns")

// readHeader reads the names of the columns: empty ones are called Column1 …, repeated ones get a number.
func readHeader(r io.Reader, comma rune) ([]string, error) {
	c := csv.NewReader(r)
	c.Comma = comma
	rec, err := c.Read()
	if errors.Is(err, io.EOF) {
		return nil, errNoHeader
	}
	if err != nil {
		return nil, err
	}
	if len(rec) > MaxColumns {
		return nil, fmt.Errorf("there are %d columns, %d at most", len(rec), MaxColumns)
	}
	seen := map[string]bool{}
	for i, n := range rec {
		n = valid(n)
		if n == "" {
			n = fmt.Sprintf("Column%d", i+1)
		}
		name := n
		for k := 1; seen[name]; k++ {
			name = fmt.Sprintf("%s_%d", n, k)
		}
		seen[name] = true
		rec[i] = name
	}
	return rec, nil
}

// eachRecord hands the records of a block to f, with the line of each.
func eachRecord(b *block, f func(rec []string, line int) error) error {
	c := csv.NewReader(bytes.NewReader(b.data))
	c.Comma = b.in.comma
	c.FieldsPerRecord = -1
	c.ReuseRecord = true
	skip := b.first
	for {
		rec, err := c.Read()
		if errors.Is(err, io.EOF) {
			return nil
		}
		var pe *csv.ParseError
		if errors.As(err, &pe) {
			return &rowError{b.in.path, b.line + pe.Line - 1, fmt.Errorf("column %d: %w", pe.Column, pe.Err)}
		}
		if err != nil {
			return &rowError{b.in.path, b.line, err}
		}
		if skip {
			skip = false
			continue
		}
		line, _ := c.FieldPos(0)
		line += b.line - 1
		if len(rec) != len(b.in.header) {
			return &rowError{b.in.path, line, fmt.Errorf("the row has %d cells, the header names %d columns", len(rec), len(b.in.header))}
		}
		if err := f(rec, line); err != nil {
			return &rowError{b.in.path, line, err}
		}
	}
}

func inferCells(b *block) (*found, error) {
	f := newFound()
	for _, n := range b.in.header {
		if _, err := f.column(n); err != nil {
			return nil, &rowError{b.in.path, 1, err}
		}
	}
	err := eachRecord(b, func(rec []string, _ int) error {
		for i, s := range rec {
			if f.kinds[i]&kText == 0 { // a text stays one
				f.kinds[i] |= cellKind(s)
			}
		}
		return nil
	})
	return f, err
}
