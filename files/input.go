package files

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"

	"github.com/klauspost/compress/zstd"
	"golang.org/x/text/encoding/unicode"
	"golang.org/x/text/transform"
)

// Format is how a file is written.
type Format string

// The formats. EventLog is JSON whose rows are Windows events as the tools for .evtx files write them.
const (
	NDJSON   Format = "ndjson"
	JSON     Format = "json"
	CSV      Format = "csv"
	TSV      Format = "tsv"
	Parquet  Format = "parquet"
	EventLog Format = "evtx-json"
)

// Formats lists the names that a person can give.
func Formats() []string { return []string{"ndjson", "json", "csv", "tsv", "parquet", "evtx-json"} }

// input is one file.
type input struct {
	path   string
	format Format
	member bool // JSON whose rows lie in the array that is the one property of one object
	comma  rune // of CSV and TSV
	header []string
	size   int64
}

var errNoFormat = errors.New("the format is neither in the name nor to be seen in the text: give --file-format (ndjson, json, csv, tsv, parquet or evtx-json)")

// newInput finds out how a file is written: by its name, else by how it begins.
func newInput(path string, given Format) (*input, error) {
	st, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if st.IsDir() {
		return nil, fmt.Errorf("%s is a folder: name its files, as in '%s'", path, filepath.Join(path, "*.json"))
	}
	if !st.Mode().IsRegular() {
		return nil, fmt.Errorf("%s is no regular file, and a file is read more than once: pipe it into --file -", path)
	}
	in := &input{path: path, format: given, size: st.Size()}
	if in.format == "" {
		in.format = byName(path)
	}
	if in.format == Parquet {
		return in, nil
	}
	r, closer, err := openText(path, in.size, nil)
	if err != nil {
		return nil, err
	}
	defer closer()
	br := bufio.NewReaderSize(r, 64<<10)
	head, err := br.Peek(64 << 10)
	if err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, bufio.ErrBufferFull) {
		return nil, fmt.Errorf("read %s: %w", path, err)
	}
	if in.format == "" {
		if in.format = byText(head); in.format == "" {
			return nil, fmt.Errorf("%s: %w", path, errNoFormat)
		}
	}
	switch in.format {
	case JSON, EventLog:
		if memberHead(head) {
			in.member, err = oneMember(br)
			if err != nil {
				return nil, fmt.Errorf("%s: %w", path, err)
			}
		}
	case CSV:
		in.comma = delimiter(head)
	case TSV:
		in.comma = '\t'
	}
	if in.comma != 0 {
		in.header, err = readHeader(br, in.comma)
		if err != nil {
			return nil, fmt.Errorf("%s:1: %w", path, err)
		}
	}
	return in, nil
}

func byName(path string) Format {
	name := strings.ToLower(filepath.Base(path))
	for _, z := range []string{".gz", ".zst", ".zstd"} {
		name = strings.TrimSuffix(name, z)
	}
	switch filepath.Ext(name) {
	case ".ndjson", ".jsonl":
		return NDJSON
	case ".json":
		return JSON
	case ".csv":
		return CSV
	case ".tsv", ".tab":
		return TSV
	case ".parquet", ".parq":
		return Parquet
	}
	return ""
}

func byText(head []byte) Format {
	if bytes.HasPrefix(head, []byte("PAR1")) {
		return Parquet
	}
	t := bytes.TrimLeft(head, " \t\r\n")
	if len(t) > 0 && (t[0] == '{' || t[0] == '[') {
		return JSON
	}
	return ""
}

// delimiter is the one of comma, semicolon and tab that stands most often in the header, outside quotes.
func delimiter(head []byte) rune {
	var n [3]int
	quoted := false
scan:
	for _, c := range head {
		switch {
		case c == '"':
			quoted = !quoted
		case quoted:
		case c == '\n':
			break scan
		case c == ',':
			n[0]++
		case c == ';':
			n[1]++
		case c == '\t':
			n[2]++
		}
	}
	switch {
	case n[1] > n[0] && n[1] >= n[2]:
		return ';'
	case n[2] > n[0]:
		return '\t'
	}
	return ','
}

// openText opens a file as UTF-8 text: gzip and zstd are undone, byte order marks are taken and UTF-16 is turned.
// No more than size bytes of the
// file are read, so that rows that are added meanwhile don't count. count, unless nil, adds up the bytes of the file that were read.
func openText(path string, size int64, count *atomic.Int64) (io.Reader, func(), error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, nil, err
	}
	br := bufio.NewReaderSize(counted{io.LimitReader(f, size), count}, 256<<10)
	magic, _ := br.Peek(4)
	closer := func() { f.Close() }
	var r io.Reader = br
	switch {
	case bytes.HasPrefix(magic, []byte{0x1f, 0x8b}):
		z, err := gzip.NewReader(br)
		if err != nil {
			f.Close()
			return nil, nil, fmt.Errorf("read %s: %w", path, err)
		}
		r = z
	case bytes.Equal(magic, []byte{0x28, 0xb5, 0x2f, 0xfd}):
		z, err := zstd.NewReader(br, zstd.WithDecoderMaxMemory(1<<30), zstd.WithDecoderConcurrency(1))
		if err != nil {
			f.Close()
			return nil, nil, fmt.Errorf("read %s: %w", path, err)
		}
		r, closer = z, func() { z.Close(); f.Close() }
	}
	tr := bufio.NewReaderSize(r, 256<<10)
	bom, _ := tr.Peek(3)
	switch {
	case bytes.HasPrefix(bom, []byte{0xef, 0xbb, 0xbf}):
		_, _ = tr.Discard(3)
	case bytes.HasPrefix(bom, []byte{0xff, 0xfe}), bytes.HasPrefix(bom, []byte{0xfe, 0xff}):
		return transform.NewReader(tr, unicode.BOMOverride(transform.Nop)), closer, nil
	}
	return tr, closer, nil
}

// counted adds up what is read.
type counted struct {
	r io.Reader
	n *atomic.Int64
}

func (c counted) Read(b []byte) (int, error) {
	n, err := c.r.Read(b)
	if c.n != nil {
		c.n.Add(int64(n))
	}
	return n, err
}
