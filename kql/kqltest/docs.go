package kqltest

import (
	"encoding/json"
	"fmt"
	"os"
	"picket/kql/value"
	"regexp"
	"strings"
)

// Erratum is an answer of the documentation that its own page, or a record of the engine, contradicts.
type Erratum struct {
	ID       string `json:"id"`       // of the record in docs_values.jsonl
	Why      string `json:"why"`      // what is wrong with the printed answer
	Evidence string `json:"evidence"` // the page, the record of the engine, or the rule that says so
}

// ReadErrata reads a list of errata by id. An entry without a reason or evidence, and a second one of an id, are errors.
func ReadErrata(path string) (map[string]Erratum, error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("read the errata: %w", err)
	}
	var list []Erratum
	if err := json.Unmarshal(b, &list); err != nil {
		return nil, fmt.Errorf("read the errata %s: %w", path, err)
	}
	out := map[string]Erratum{}
	for _, e := range list {
		if _, twice := out[e.ID]; twice || e.ID == "" || e.Why == "" || e.Evidence == "" {
			return nil, fmt.Errorf("the erratum %q of %s is there twice or lacks its reason or evidence", e.ID, path)
		}
		out[e.ID] = e
	}
	return out, nil
}

var (
	autoLink = regexp.MustCompile(`^<(https?://[^<>\s]+)>$`)
	namedURL = regexp.MustCompile(`^\[([^\[\]]+)\]\(([^()]+)\)$`)
	cutArray = regexp.MustCompile(`\[\s*(\.\.\.|…)\s*\]`)
)

// Printed reads an expected table of the documentation as its markup means it, before it is compared with got:
// `<url>` and `[text](url)` are the text that the page shows, and `[ ... ]` inside JSON stands for an array that the page
// cuts short, which agrees with any array that has elements. All else stays.
func Printed(want Expected, got Table) Expected {
	out := Expected{Columns: want.Columns, Rows: make([][]*string, len(want.Rows))}
	for r, row := range want.Rows {
		out.Rows[r] = make([]*string, len(row))
		for c, cell := range row {
			if cell == nil {
				continue
			}
			s := *cell
			if m := autoLink.FindStringSubmatch(s); m != nil {
				s = m[1]
			} else if m := namedURL.FindStringSubmatch(s); m != nil && m[1] == m[2] {
				s = m[1]
			}
			if cutArray.MatchString(s) && r < len(got.Rows) && c < len(got.Rows[r]) && got.Rows[r][c].Type == value.Dynamic {
				if e, err := value.ParseJSON(cutArray.ReplaceAllString(s, `["…"]`)); err == nil {
					s = value.FormatDynamic(filled(e, got.Rows[r][c].D))
				}
			}
			out.Rows[r][c] = &s
		}
	}
	return out
}

// filled is want with its cut arrays taken from got.
func filled(want, got any) any {
	switch w := want.(type) {
	case []any:
		g, ok := got.([]any)
		if ok && len(g) > 0 && len(w) == 1 && w[0] == "…" {
			return g
		}
		for i := range w {
			if ok && i < len(g) {
				w[i] = filled(w[i], g[i])
			}
		}
	case *value.Bag:
		g, ok := got.(*value.Bag)
		for _, k := range w.Keys() {
			e, _ := w.Get(k)
			if ok {
				x, _ := g.Get(k)
				e = filled(e, x)
			}
			w.Set(k, e)
		}
	}
	return want
}

// Line cuts a text to one line of at most n bytes of whole characters.
func Line(s string, n int) string {
	s = strings.Join(strings.Fields(s), " ")
	if len(s) <= n {
		return s
	}
	for n > 0 && s[n]&0xC0 == 0x80 {
		n--
	}
	return s[:n] + "…"
}
