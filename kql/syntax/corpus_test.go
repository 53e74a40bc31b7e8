package syntax

import (
	"bufio"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// sharedDir gives the folder of the conformance corpora: PICKET_SHARED, or ../shared beside the repository.
func sharedDir(t testing.TB) string {
	t.Helper()
	dir := os.Getenv("PICKET_SHARED")
	if dir == "" {
		root, err := os.Getwd()
		if err != nil {
			t.Fatal(err)
		}
		for {
			if _, err := os.Stat(filepath.Join(root, "go.mod")); err == nil {
				break
			}
			if filepath.Dir(root) == root {
				t.Fatal("no go.mod above the working folder")
			}
			root = filepath.Dir(root)
		}
		dir = filepath.Join(root, "..", "shared")
	}
	if _, err := os.Stat(filepath.Join(dir, "kql")); err != nil {
		if os.Getenv("PICKET_REQUIRE_SHARED") == "1" {
			t.Fatalf("corpora: %v", err)
		}
		t.Skipf("corpora are absent (set PICKET_SHARED): %v", err)
	}
	return dir
}

// corpusQuery is one query of a corpus.
type corpusQuery struct {
	ID       string `json:"id"`
	Name     string `json:"name"`
	Query    string `json:"query"`
	MSErrors []struct {
		Code string `json:"code"`
	} `json:"ms_errors"`
}

// syntaxCodes are the diagnostics of Microsoft's parser that are about syntax; all others are the binder's.
func isSyntaxCode(code string) bool {
	switch code {
	case "KS001", "KS002", "KS005", "KS006", "KS160", "KS176", "KS198", "KS214", "KS217", "KS228":
		return true
	}
	return false
}

func (q *corpusQuery) wrong() bool {
	for _, e := range q.MSErrors {
		if isSyntaxCode(e.Code) {
			return true
		}
	}
	return false
}

// isCommand says whether a text is a management command, whose language isn't KQL's.
func isCommand(doc *Document) bool {
	if len(doc.Statements) == 0 {
		return false
	}
	_, ok := doc.Statements[0].(*CommandStmt)
	return ok
}

func readCorpus(t testing.TB, path string) []corpusQuery {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var list []corpusQuery
	sc := bufio.NewScanner(f)
	sc.Buffer(nil, 1<<26)
	for sc.Scan() {
		var q corpusQuery
		if err := json.Unmarshal(sc.Bytes(), &q); err != nil {
			t.Fatalf("%s: %v", path, err)
		}
		list = append(list, q)
	}
	if err := sc.Err(); err != nil {
		t.Fatal(err)
	}
	return list
}

// TestCorpus parses every query of the corpora. What Microsoft's parser accepts must parse, and print to a text with
// the same tree; what it rejects for its syntax must be rejected.
func TestCorpus(t *testing.T) {
	dir := sharedDir(t)
	var accepted, right, rejected, wrong, commands, bytes int
	var spent time.Duration
	known := make(map[string]bool) // texts that Microsoft's parser rejects, for the files that don't say it
	for _, file := range []string{"kql/docs_schemas.jsonl", "kql/docs_values.jsonl", "kql/emulator_values.jsonl", "content/queries.jsonl", "content/parsers.jsonl"} {
		for _, q := range readCorpus(t, filepath.Join(dir, file)) {
			begin := time.Now()
			doc, errs := Parse(q.Query)
			spent += time.Since(begin)
			bytes += len(q.Query)
			if isCommand(doc) {
				commands++
				continue
			}
			if bad := checkSpans(doc, len(q.Query)); bad != "" {
				t.Errorf("%s %s: %s", file, q.ID, bad)
			}
			known[q.Query] = known[q.Query] || q.wrong()
			if known[q.Query] {
				wrong++
				if len(errs) > 0 {
					rejected++
				} else {
					t.Logf("%s %s is accepted", file, q.ID)
				}
				continue
			}
			right++
			if len(errs) > 0 {
				t.Errorf("%s %s %s: %v", file, q.ID, q.Name, errs[0])
				continue
			}
			accepted++
			if d := roundTrip(q.Query); d != "" {
				t.Errorf("%s %s: %.500s", file, q.ID, d)
			}
		}
	}
	t.Logf("parse: accepted %d/%d, rejected %d/%d", accepted, right, rejected, wrong)
	t.Logf("%d management commands; %d bytes in %v", commands, bytes, spent)
	if rejected*100 < wrong*99 {
		t.Errorf("rejected only %d of %d wrong queries", rejected, wrong)
	}
}

// TestRefusals parses what a real engine refused: no text may crash the parser, and every error has a place.
func TestRefusals(t *testing.T) {
	n := 0
	for _, q := range readCorpus(t, filepath.Join(sharedDir(t), "kql/emulator_refusals.jsonl")) {
		_, errs := Parse(q.Query)
		for _, e := range errs {
			if e.Line < 1 || e.Column < 1 || e.End > len(q.Query) || e.Msg == "" {
				t.Errorf("%s: %+v", q.ID, e)
			}
		}
		if len(errs) > 0 {
			n++
		}
	}
	t.Logf("%d of the engine's refusals are about syntax", n)
}

// TestRules parses the query of every analytics rule.
func TestRules(t *testing.T) {
	files, err := filepath.Glob(filepath.Join(sharedDir(t), "content/rules/*.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		query := yamlBlock(string(text), "query")
		if query == "" {
			continue
		}
		n++
		if _, errs := Parse(query); len(errs) > 0 {
			t.Errorf("%s: %v", filepath.Base(file), errs[0])
		}
	}
	t.Logf("%d rules", n)
}

// yamlBlock gives the literal block of a top-level key, which is all that these files need of YAML.
func yamlBlock(text, key string) string {
	var b strings.Builder
	in := false
	for line := range strings.Lines(text) {
		switch {
		case strings.HasPrefix(line, key+": |") || strings.HasPrefix(line, key+":|"):
			in = true
		case in && (strings.TrimSpace(line) == "" || line[0] == ' '):
			b.WriteString(line)
		case in:
			return b.String()
		}
	}
	return b.String()
}

func BenchmarkParse(b *testing.B) {
	queries := readCorpus(b, filepath.Join(sharedDir(b), "content/queries.jsonl"))
	best := queries[0].Query
	for _, q := range queries { // the query closest to 7.5 kB
		if abs(len(q.Query)-7500) < abs(len(best)-7500) {
			best = q.Query
		}
	}
	b.SetBytes(int64(len(best)))
	b.ReportAllocs()
	for b.Loop() {
		Parse(best)
	}
}

func abs(n int) int {
	if n < 0 {
		return -n
	}
	return n
}
