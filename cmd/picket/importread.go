package main

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"encoding/csv"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"hash"
	"io"
	"iter"
	"os"
	"path/filepath"
	"picket/files"
	"picket/ingest"
	"picket/kql/value"
	"strings"

	"github.com/klauspost/compress/zstd"
)

// importRow is a row of a file as it stands there.
type importRow struct {
	place int64    // line of text, or number of the row, from 1
	text  []byte   // JSON; of a bad row, what stands in its place. Valid until the next row
	cells []string // of CSV in place of text
	fault string   // why it is no row, "" when it is one
}

// importFile is a file that is read twice: to learn its columns and its hash, and to send its rows.
type importFile struct {
	path   string
	size   int64
	format files.Format
	header []string // of CSV
	comma  rune

	read func(n int) // is told of bytes that are read; may be nil
}

// openImport finds out how a file is written.
func openImport(path string, format string) (*importFile, error) {
	st, err := os.Stat(path)
	if err != nil {
		if errors.Is(err, os.ErrNotExist) {
			return nil, &exitError{exitNotFound, err}
		}
		return nil, err
	}
	if !st.Mode().IsRegular() {
		return nil, fmt.Errorf("%s is no regular file: an import reads a file twice", path)
	}
	f := &importFile{path: path, size: st.Size(), format: files.Format(format)}
	if f.format == "" {
		if f.format, err = f.sniff(); err != nil {
			return nil, err
		}
	}
	switch f.format {
	case files.NDJSON, files.JSON, files.Parquet:
	case files.CSV, files.TSV:
		f.comma = ','
		if f.format == files.TSV {
			f.comma = '\t'
		}
	default:
		return nil, &exitError{exitUsage, fmt.Errorf("--format %s: give ndjson, json, csv, tsv or parquet", f.format)}
	}
	return f, nil
}

// sniff looks at the name and at how the file begins.
func (f *importFile) sniff() (files.Format, error) {
	r, done, err := f.open(nil)
	if err != nil {
		return "", err
	}
	defer done()
	head, err := r.Peek(64 << 10)
	if err != nil && !errors.Is(err, io.EOF) {
		return "", fmt.Errorf("%s: %w", f.path, err)
	}
	if bytes.HasPrefix(head, []byte("PAR1")) {
		return files.Parquet, nil
	}
	name := strings.ToLower(filepath.Base(f.path))
	for _, z := range []string{".gz", ".zst", ".zstd"} {
		name = strings.TrimSuffix(name, z)
	}
	switch filepath.Ext(name) {
	case ".csv":
		return files.CSV, nil
	case ".tsv", ".tab":
		return files.TSV, nil
	case ".ndjson", ".jsonl":
		return files.NDJSON, nil
	}
	text := bytes.TrimLeft(bytes.TrimPrefix(head, []byte("\xef\xbb\xbf")), " \t\r\n")
	switch {
	case len(text) == 0:
		return files.NDJSON, nil
	case text[0] == '[':
		return files.JSON, nil
	case text[0] == '{':
		line, _, whole := bytes.Cut(text, []byte("\n"))
		if !whole && len(head) == 64<<10 || json.Valid(line) { // an object a line
			return files.NDJSON, nil
		}
		return files.JSON, nil
	}
	return "", &exitError{exitUsage, fmt.Errorf("%s: how it is written can't be told from its name or its beginning: say it with --format", f.path)}
}

// open opens the file unpacked; h, when not nil, takes all its bytes as they are on disk.
func (f *importFile) open(h hash.Hash) (r *bufio.Reader, done func(), err error) {
	file, err := os.Open(f.path)
	if err != nil {
		return nil, nil, err
	}
	raw := bufio.NewReaderSize(&importTap{r: file, h: h, read: f.read}, 256<<10)
	head, err := raw.Peek(4)
	if err != nil && !errors.Is(err, io.EOF) {
		file.Close()
		return nil, nil, fmt.Errorf("%s: %w", f.path, err)
	}
	drain := func() {
		_, _ = io.Copy(io.Discard, raw) // so that the hash is of the whole file; who reads sees errors
		file.Close()
	}
	switch {
	case bytes.HasPrefix(head, []byte{0x1f, 0x8b}):
		z, err := gzip.NewReader(raw)
		if err != nil {
			file.Close()
			return nil, nil, fmt.Errorf("%s: %w", f.path, err)
		}
		return bufio.NewReaderSize(z, 256<<10), drain, nil
	case bytes.HasPrefix(head, []byte{0x28, 0xb5, 0x2f, 0xfd}):
		z, err := zstd.NewReader(raw, zstd.WithDecoderMaxMemory(512<<20), zstd.WithDecoderConcurrency(1))
		if err != nil {
			file.Close()
			return nil, nil, fmt.Errorf("%s: %w", f.path, err)
		}
		return bufio.NewReaderSize(z, 256<<10), func() { z.Close(); drain() }, nil
	}
	return raw, drain, nil
}

// importTap counts and hashes what is read.
type importTap struct {
	r    io.Reader
	h    hash.Hash
	read func(n int)
}

func (t *importTap) Read(b []byte) (int, error) {
	n, err := t.r.Read(b)
	if t.h != nil {
		_, _ = t.h.Write(b[:n]) // a hash takes everything
	}
	if t.read != nil && n > 0 {
		t.read(n)
	}
	return n, err
}

// rows gives every row of the file; sum, when not nil, gets the file's hash in the end. An error ends it: a row that is
// merely bad does not.
func (f *importFile) rows(ctx context.Context, sum *string) iter.Seq2[importRow, error] {
	return func(yield func(importRow, error) bool) {
		if f.format == files.Parquet {
			f.parquetRows(ctx, sum, yield)
			return
		}
		h := sha256.New()
		r, done, err := f.open(h)
		if err != nil {
			yield(importRow{}, err)
			return
		}
		if b, _ := r.Peek(3); bytes.Equal(b, []byte("\xef\xbb\xbf")) {
			_, _ = r.Discard(3) // they are in the buffer
		}
		switch {
		case f.comma != 0:
			err = f.csvRows(r, yield)
		case f.format == files.NDJSON:
			err = lineRows(r, yield)
		default:
			err = valueRows(r, yield)
		}
		done()
		switch {
		case errors.Is(err, errStop):
		case err != nil:
			yield(importRow{}, fmt.Errorf("%s: %w", f.path, err))
		case sum != nil:
			*sum = hex.EncodeToString(h.Sum(nil))
		}
	}
}

var errStop = errors.New("the caller wants no more rows")

// lineRows gives an object a line.
func lineRows(r *bufio.Reader, yield func(importRow, error) bool) error {
	var long []byte
	for place := int64(1); ; place++ {
		line, err := r.ReadSlice('\n')
		over := false
		for errors.Is(err, bufio.ErrBufferFull) {
			if !over && len(long)+len(line) <= ingest.MaxLoadRow {
				long = append(long, line...)
			} else {
				over = true
			}
			line, err = r.ReadSlice('\n')
		}
		if len(long) > 0 {
			line = append(long, line...)
			long = long[:0]
		}
		if err != nil && !errors.Is(err, io.EOF) {
			return fmt.Errorf("line %d: %w", place, err)
		}
		row := importRow{place: place, text: bytes.TrimSpace(line)}
		if over {
			row.fault = fmt.Sprintf("the line is longer than %d bytes", ingest.MaxLoadRow)
		}
		if len(row.text) > 0 && !yield(row, nil) {
			return errStop
		}
		if err != nil {
			return nil
		}
	}
}

// valueRows gives the elements of an array, or objects one after the other. Where the text stops being JSON nothing
// after it can be read: that is an error.
func valueRows(r *bufio.Reader, yield func(importRow, error) bool) error {
	line := int64(1)
	peek := func() (byte, error) { // the next byte that is no space
		for {
			c, err := r.ReadByte()
			if err != nil {
				return 0, err
			}
			switch c {
			case '\n':
				line++
			case ' ', '\t', '\r':
			default:
				return c, r.UnreadByte()
			}
		}
	}
	c, err := peek()
	if errors.Is(err, io.EOF) {
		return nil
	}
	if err != nil {
		return err
	}
	array := c == '['
	if array {
		_, _ = r.Discard(1) // it was peeked
	}
	for first := true; ; first = false {
		c, err := peek()
		if errors.Is(err, io.EOF) && !array {
			return nil
		}
		if err != nil {
			return fmt.Errorf("line %d: the array does not end: %w", line, err)
		}
		if array && c == ']' {
			_, _ = r.Discard(1)
			if _, err := peek(); !errors.Is(err, io.EOF) {
				return fmt.Errorf("line %d: text after the end of the array", line)
			}
			return nil
		}
		if array && !first {
			if c != ',' {
				return fmt.Errorf("line %d: expected , or ] after an element of the array", line)
			}
			_, _ = r.Discard(1)
			if c, err = peek(); err != nil {
				return fmt.Errorf("line %d: the array does not end: %w", line, err)
			}
		}
		row := importRow{place: line}
		if row.text, err = cutValue(r, c, &line); err != nil {
			return fmt.Errorf("line %d: %w", row.place, err)
		}
		if c != '{' {
			row.fault = "the element is no JSON object"
		}
		if !yield(row, nil) {
			return errStop
		}
	}
}

// cutValue reads one value without taking it apart: it ends where its brackets are closed.
func cutValue(r *bufio.Reader, first byte, line *int64) ([]byte, error) {
	var b []byte
	depth, text, escaped := 0, false, false
	bracket := first == '{' || first == '['
	for {
		c, err := r.ReadByte()
		if errors.Is(err, io.EOF) && !bracket && !text && len(b) > 0 {
			return b, nil
		}
		if err != nil {
			return nil, fmt.Errorf("the value does not end: %w", err)
		}
		if c == '\n' {
			*line++
		}
		if !bracket && !text && (c == ',' || c == ']' || c == '}' || c == ' ' || c == '\n' || c == '\r' || c == '\t') {
			if c == '\n' {
				*line--
			}
			return b, r.UnreadByte()
		}
		if len(b) >= ingest.MaxLoadRow {
			return nil, fmt.Errorf("the value is longer than %d bytes", ingest.MaxLoadRow)
		}
		if c == '\n' || c == '\r' { // a row is to be one line; within a text they are not JSON anyway
			c = ' '
		}
		b = append(b, c)
		switch {
		case escaped:
			escaped = false
		case text && c == '\\':
			escaped = true
		case c == '"':
			text = !text
			if !text && !bracket {
				return b, nil
			}
		case text:
		case c == '{' || c == '[':
			depth++
		case c == '}' || c == ']':
			if depth--; depth == 0 {
				return b, nil
			}
		}
	}
}

// csvRows gives the records under the header. A record with too few or too many cells is a bad row.
func (f *importFile) csvRows(r *bufio.Reader, yield func(importRow, error) bool) error {
	c := csv.NewReader(r)
	c.Comma, c.FieldsPerRecord, c.ReuseRecord, c.LazyQuotes = f.comma, -1, true, false
	head, err := c.Read()
	if errors.Is(err, io.EOF) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("the header: %w", err)
	}
	if f.header == nil {
		seen := map[string]bool{}
		for i, h := range head {
			h = strings.TrimSpace(h)
			switch {
			case h == "":
				return fmt.Errorf("the header has no name for column %d", i+1)
			case seen[h]:
				return fmt.Errorf("the header names %q twice", h)
			}
			seen[h] = true
			f.header = append(f.header, h)
		}
	}
	for {
		cells, err := c.Read()
		if errors.Is(err, io.EOF) {
			return nil
		}
		line := 0
		if err == nil {
			line, _ = c.FieldPos(0)
		}
		row := importRow{place: int64(line), cells: cells}
		var pe *csv.ParseError
		switch {
		case errors.As(err, &pe):
			row = importRow{place: int64(pe.StartLine), fault: pe.Err.Error(), text: []byte(strings.Join(cells, string(f.comma)))}
		case err != nil:
			return err
		case len(cells) != len(f.header):
			row.fault = fmt.Sprintf("%d cells under %d columns", len(cells), len(f.header))
			row.text = []byte(strings.Join(cells, string(f.comma)))
		}
		if !yield(row, nil) {
			return errStop
		}
	}
}

// parquetRows gives rows as JSON objects.
func (f *importFile) parquetRows(ctx context.Context, sum *string, yield func(importRow, error) bool) {
	if sum != nil {
		h := sha256.New()
		file, err := os.Open(f.path)
		if err == nil {
			_, err = io.Copy(io.Discard, &importTap{r: file, h: h, read: f.read})
			file.Close()
		}
		if err != nil {
			yield(importRow{}, err)
			return
		}
		*sum = hex.EncodeToString(h.Sum(nil))
	}
	set, err := files.Open(ctx, []files.Spec{{Name: "T", Path: f.path}}, files.Options{Format: files.Parquet})
	if err != nil {
		yield(importRow{}, err)
		return
	}
	defer set.Close()
	q, err := set.Compile(ctx, "T", files.Query{})
	if err != nil {
		yield(importRow{}, fmt.Errorf("%s: %w", f.path, err))
		return
	}
	s := columnsOf(q)
	var buf []byte
	place := int64(0)
	for fr, err := range q.Stream(ctx) {
		if err != nil {
			yield(importRow{}, fmt.Errorf("%s: %w", f.path, err))
			return
		}
		for i := range fr.N {
			place++
			buf = appendFlat(buf[:0], s, fr, i)
			if !yield(importRow{place: place, text: buf}, nil) {
				return
			}
		}
	}
}

func columnsOf(q *files.Compiled) (s value.Schema) {
	for _, c := range q.Results()[0].Node.Cols() {
		s = append(s, value.Column{Name: c.Name, Type: c.Type})
	}
	return s
}

// appendFlat writes a row as a JSON object without what is null.
func appendFlat(b []byte, s value.Schema, f *value.Frame, i int) []byte {
	b = append(b, '{')
	n := 0
	for k, v := range f.Vecs {
		if v.IsNull(i) {
			continue
		}
		if n++; n > 1 {
			b = append(b, ',')
		}
		b = value.AppendJSONString(b, s[k].Name)
		b = append(b, ':')
		b = value.AppendCell(b, v, i)
	}
	return append(b, '}')
}
