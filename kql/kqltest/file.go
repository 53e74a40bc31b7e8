package kqltest

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"picket/kql/value"
	"strings"
)

// Case is one test of a .kqltest file:
//
//	=== count groups by key
//	datatable(k:string)["a", "b", "a"]
//	| summarize n = count() by k
//	---
//	k:string | n:long
//	a | 2
//	b | 1
//
// The first line names it, then comes the query up to `---`, then the columns with their types and the rows. Cells are
// separated by ` | `; null is written `null`, an empty string `""`; `\|`, `\n` and `\\` stand for themselves. Instead of a table, `--- error
// <text>` says that the query is refused with a message that holds the text. Lines that begin with # before the first
// case or between cases are comments.
type Case struct {
	File  string
	Line  int // of the name
	Name  string
	Query string
	Want  Expected
	Types []value.Type
	// Error is a part of the refusal's message; "" when the query has an answer.
	Error string
	// Comment holds the lines before the case.
	Comment string
}

// Runner answers a query: its first table, or the refusal.
type Runner func(ctx context.Context, query string) (Table, error)

// maxLine bounds a line of a test file.
const maxLine = 1 << 20

// ParseFile reads the cases of a file.
func ParseFile(path string) ([]Case, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	sc := bufio.NewScanner(f)
	sc.Buffer(nil, maxLine)
	var lines []string
	for sc.Scan() {
		lines = append(lines, sc.Text())
	}
	if err := sc.Err(); err != nil {
		return nil, fmt.Errorf("read %s: %w", path, err)
	}
	return parse(path, lines)
}

func parse(path string, lines []string) ([]Case, error) {
	var out []Case
	var comment []string
	for i := 0; i < len(lines); {
		name, ok := strings.CutPrefix(lines[i], "=== ")
		if !ok {
			if t := strings.TrimSpace(lines[i]); t != "" && !strings.HasPrefix(t, "#") {
				return nil, fmt.Errorf("%s:%d: a case begins with `=== name`", path, i+1)
			}
			comment = append(comment, lines[i])
			i++
			continue
		}
		c := Case{File: path, Line: i + 1, Name: name, Comment: strings.Join(comment, "\n")}
		comment = nil
		var query []string
		for i++; i < len(lines) && !strings.HasPrefix(lines[i], "---"); i++ {
			query = append(query, lines[i])
		}
		if i == len(lines) {
			return nil, fmt.Errorf("%s:%d: case %q has no `---`", path, c.Line, name)
		}
		c.Query = strings.Join(query, "\n")
		rest := strings.TrimSpace(strings.TrimPrefix(lines[i], "---"))
		i++
		if msg, ok := strings.CutPrefix(rest, "error"); ok {
			c.Error = strings.TrimSpace(msg)
			if c.Error == "" {
				return nil, fmt.Errorf("%s:%d: `--- error` needs a part of the message", path, i)
			}
			out = append(out, c)
			continue
		}
		for first := true; i < len(lines) && strings.TrimSpace(lines[i]) != "" && !strings.HasPrefix(lines[i], "=== "); i++ {
			cells := splitCells(lines[i])
			if first {
				for _, h := range cells {
					n, t, _ := cutLast(h, ":")
					typ, ok := value.ParseType(t)
					if !ok {
						return nil, fmt.Errorf("%s:%d: column %q needs a type, as in name:long", path, i+1, h)
					}
					c.Want.Columns, c.Types = append(c.Want.Columns, n), append(c.Types, typ)
				}
				first = false
				continue
			}
			if len(cells) != len(c.Types) {
				return nil, fmt.Errorf("%s:%d: %d cells for %d columns", path, i+1, len(cells), len(c.Types))
			}
			row := make([]*string, len(cells))
			for k, s := range cells {
				switch s {
				case "null":
				case `""`:
					row[k] = new(string)
				default:
					row[k] = &s
				}
			}
			c.Want.Rows = append(c.Want.Rows, row)
		}
		out = append(out, c)
	}
	return out, nil
}

func cutLast(s, sep string) (before, after string, ok bool) {
	i := strings.LastIndex(s, sep)
	if i < 0 {
		return s, "", false
	}
	return s[:i], s[i+len(sep):], true
}

func splitCells(line string) []string {
	var out []string
	var b strings.Builder
	for i := 0; i < len(line); i++ {
		switch {
		case line[i] == '\\' && i+1 < len(line):
			i++
			if line[i] == 'n' {
				b.WriteByte('\n')
			} else {
				b.WriteByte(line[i])
			}
		case line[i] == '|' && (i == 0 || line[i-1] == ' ') && (i+1 == len(line) || line[i+1] == ' '):
			out = append(out, strings.TrimSpace(b.String()))
			b.Reset()
		default:
			b.WriteByte(line[i])
		}
	}
	return append(out, strings.TrimSpace(b.String()))
}

// Check runs a case and says how the answer differs; nil when it is as expected.
func Check(ctx context.Context, c Case, run Runner) error {
	got, err := run(ctx, c.Query)
	if c.Error != "" {
		if err == nil {
			return fmt.Errorf("%s:%d: %s: answered %d rows, should refuse with %q", c.File, c.Line, c.Name, len(got.Rows), c.Error)
		}
		if !strings.Contains(err.Error(), c.Error) {
			return fmt.Errorf("%s:%d: %s: refused with %q, should say %q", c.File, c.Line, c.Name, err, c.Error)
		}
		return nil
	}
	if err != nil {
		return fmt.Errorf("%s:%d: %s: %w", c.File, c.Line, c.Name, err)
	}
	v, detail, names := Compare(c.Query, c.Want, got)
	if v != Pass {
		return fmt.Errorf("%s:%d: %s: %s: %s", c.File, c.Line, c.Name, v, detail)
	}
	for i, col := range got.Schema {
		if !names || col.Type != c.Types[i] {
			return fmt.Errorf("%s:%d: %s: column %d is %s:%s, not %s:%s", c.File, c.Line, c.Name, i, col.Name, col.Type, c.Want.Columns[i], c.Types[i])
		}
	}
	return nil
}

// Record writes the file again with what run answers now, for a person to review.
func Record(ctx context.Context, path string, run Runner) error {
	cases, err := ParseFile(path)
	if err != nil {
		return err
	}
	var b strings.Builder
	for i, c := range cases {
		if i > 0 && c.Comment == "" {
			b.WriteString("\n")
		}
		if c.Comment != "" {
			b.WriteString(c.Comment + "\n")
		}
		fmt.Fprintf(&b, "=== %s\n%s\n", c.Name, c.Query)
		got, err := run(ctx, c.Query)
		if err != nil {
			msg := err.Error()
			if c.Error != "" && strings.Contains(msg, c.Error) {
				msg = c.Error
			}
			fmt.Fprintf(&b, "--- error %s\n", strings.ReplaceAll(msg, "\n", " "))
			continue
		}
		b.WriteString("---\n" + Format(got))
	}
	return os.WriteFile(path, []byte(b.String()), 0o644)
}

// Format writes a table as a case's expectation.
func Format(t Table) string {
	var b strings.Builder
	for i, c := range t.Schema {
		if i > 0 {
			b.WriteString(" | ")
		}
		b.WriteString(c.Name + ":" + c.Type.String())
	}
	b.WriteString("\n")
	for _, r := range t.Rows {
		for i, v := range r {
			if i > 0 {
				b.WriteString(" | ")
			}
			b.WriteString(formatCell(v))
		}
		b.WriteString("\n")
	}
	return b.String()
}

func formatCell(v value.Value) string {
	s := v.Text()
	switch {
	case v.Null || v.Type == value.Dynamic && v.D == nil:
		return "null"
	case v.Type == value.Dynamic:
		s = string(value.AppendJSON(nil, v.D))
	case s == "":
		return `""`
	}
	return strings.NewReplacer(`\`, `\\`, "\n", `\n`, "|", `\|`).Replace(s)
}
