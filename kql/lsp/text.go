package lsp

import (
	"picket/kql/syntax"
	"sort"
	"strings"
	"unicode/utf8"
)

// position is a place as the protocol counts it: lines from 0, characters in units of the encoding agreed on.
type position struct {
	Line      int `json:"line"`
	Character int `json:"character"`
}

type rng struct {
	Start position `json:"start"`
	End   position `json:"end"`
}

// document is an open text.
type document struct {
	uri     string
	version int
	text    string
	lines   []int // offset of each line's beginning
	utf8    bool
}

func newDocument(uri string, version int, text string, utf8 bool) *document {
	d := &document{uri: uri, version: version, utf8: utf8}
	d.set(text)
	return d
}

func (d *document) set(text string) {
	d.text = text
	d.lines = append(d.lines[:0], 0)
	for i := 0; i < len(text); i++ {
		switch {
		case text[i] == '\n', text[i] == '\r' && (i+1 == len(text) || text[i+1] != '\n'):
			d.lines = append(d.lines, i+1)
		}
	}
}

// offset turns a position into a byte offset; places outside the text come to its nearest end.
func (d *document) offset(p position) int {
	if p.Line < 0 {
		return 0
	}
	if p.Line >= len(d.lines) {
		return len(d.text)
	}
	i := d.lines[p.Line]
	end := len(d.text)
	if p.Line+1 < len(d.lines) {
		end = d.lines[p.Line+1]
		for end > i && (d.text[end-1] == '\n' || d.text[end-1] == '\r') {
			end--
		}
	}
	if d.utf8 {
		return min(i+max(0, p.Character), end)
	}
	for n := 0; i < end && n < p.Character; {
		r, size := utf8.DecodeRuneInString(d.text[i:end])
		n++
		if r > 0xffff {
			n++
		}
		i += size
	}
	return i
}

// position turns a byte offset into a position.
func (d *document) position(offset int) position {
	offset = max(0, min(offset, len(d.text)))
	line := sort.SearchInts(d.lines, offset+1) - 1
	s := d.text[d.lines[line]:offset]
	if d.utf8 {
		return position{line, len(s)}
	}
	n := 0
	for _, r := range s {
		n++
		if r > 0xffff {
			n++
		}
	}
	return position{line, n}
}

func (d *document) rng(s syntax.Span) rng { return rng{d.position(s.Start), d.position(s.End)} }

// queries are the parts of the text that are queries of their own: blank rows divide a worksheet.
func (d *document) queries() []syntax.Span {
	qs := syntax.Split(d.text)
	// A let belongs to the query behind it even over a blank row: Split keeps what ends with a semicolon together.
	out := qs[:0]
	for _, q := range qs {
		if strings.TrimSpace(d.text[q.Start:q.End]) != "" {
			out = append(out, q)
		}
	}
	return out
}
