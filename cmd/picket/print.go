package main

import (
	"encoding/csv"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"
)

// clean makes one line of a text that came from outside; what would drive the terminal is replaced.
func clean(s string) string {
	return strings.Map(func(r rune) rune {
		if r == '\n' || r == '\t' || r == '\r' {
			return ' '
		}
		return visible(r)
	}, s)
}

// cleanText is clean for texts of several lines.
func cleanText(s string) string {
	return strings.Map(func(r rune) rune {
		if r == '\n' || r == '\t' {
			return r
		}
		return visible(r)
	}, s)
}

// visible replaces control characters (C0, DEL, C1) and those that turn the direction of writing around.
func visible(r rune) rune {
	if r < ' ' || (r >= 0x7f && r < 0xa0) || (r >= 0x202a && r <= 0x202e) || (r >= 0x2066 && r <= 0x2069) {
		return '\ufffd'
	}
	return r
}

// table prints rows under a header, columns aligned.
func table(w io.Writer, header []string, rows [][]string) error {
	width := make([]int, len(header))
	all := append([][]string{header}, rows...)
	for i, r := range all {
		c := make([]string, len(r))
		for k, s := range r {
			c[k] = clean(s)
			if n := utf8.RuneCountInString(c[k]); k < len(width) && n > width[k] {
				width[k] = n
			}
		}
		all[i] = c
	}
	for _, r := range all {
		var b strings.Builder
		for k, s := range r {
			b.WriteString(s)
			if k < len(r)-1 {
				b.WriteString(strings.Repeat(" ", width[k]-utf8.RuneCountInString(s)+2))
			}
		}
		if _, err := fmt.Fprintln(w, strings.TrimRight(b.String(), " ")); err != nil {
			return err
		}
	}
	return nil
}

func printJSON(w io.Writer, v any) error {
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	return enc.Encode(v)
}

func printCSV(w io.Writer, header []string, rows [][]string) error {
	c := csv.NewWriter(w)
	if err := c.Write(header); err != nil {
		return err
	}
	if err := c.WriteAll(rows); err != nil {
		return err
	}
	return c.Error()
}
