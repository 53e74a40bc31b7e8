package exec

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"picket/kql/bind"
	"picket/kql/kqltest"
	"picket/kql/syntax"
	"sort"
	"strings"
	"testing"
	"time"
)

// shared finds the conformance data: $PICKET_SHARED, by default ../shared beside the repository.
func shared(t *testing.T, name string) string {
	t.Helper()
	dir := os.Getenv("PICKET_SHARED")
	if dir == "" {
		at, err := os.Getwd()
		for ; err == nil; at = filepath.Dir(at) {
			if _, err := os.Stat(filepath.Join(at, "go.mod")); err == nil {
				dir = filepath.Join(filepath.Dir(at), "shared")
				break
			}
			if at == filepath.Dir(at) {
				break
			}
		}
	}
	path := filepath.Join(dir, "kql", name)
	if _, err := os.Stat(path); err != nil {
		if os.Getenv("PICKET_REQUIRE_SHARED") == "1" {
			t.Fatalf("the conformance data is required: %v", err)
		}
		t.Skipf("the conformance data is not here: %v", err)
	}
	return path
}

type record1 struct {
	ID       string           `json:"id"`
	Query    string           `json:"query"`
	Expected kqltest.Expected `json:"expected"`
	Error    string           `json:"error"`
}

func corpus(t *testing.T, name string) []record1 {
	t.Helper()
	f, err := os.Open(shared(t, name))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var out []record1
	sc := bufio.NewScanner(f)
	sc.Buffer(nil, 16<<20)
	for sc.Scan() {
		var r record1
		if err := json.Unmarshal(sc.Bytes(), &r); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		out = append(out, r)
	}
	return out
}

// failures groups what went wrong by its reason.
type failures map[string][]string

func (f failures) add(reason, id string) { f[reason] = append(f[reason], id) }

func (f failures) write(t *testing.T, path string) {
	var keys []string
	for k := range f {
		keys = append(keys, k)
	}
	sort.Slice(keys, func(i, j int) bool {
		if len(f[keys[i]]) != len(f[keys[j]]) {
			return len(f[keys[i]]) > len(f[keys[j]])
		}
		return keys[i] < keys[j]
	})
	var b strings.Builder
	for _, k := range keys {
		fmt.Fprintf(&b, "%4d  %s\n      %s\n", len(f[k]), k, strings.Join(f[k], " "))
	}
	if dir := os.Getenv("PICKET_CORPUS_LOG"); dir != "" {
		if err := os.WriteFile(filepath.Join(dir, path), []byte(b.String()), 0o644); err != nil {
			t.Error(err)
		}
	}
}

// run answers one record within a few seconds.
func (r record1) run(t *testing.T) (tables []kqltest.Table, err error) {
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	res, err := answer(ctx, r.Query, bind.Tables{}, noTables{})
	if err != nil {
		return nil, err
	}
	for _, x := range res.Tables {
		tables = append(tables, kqltest.TableOf(x.Schema, x.Frames))
	}
	return tables, nil
}

func reason(err error) string {
	var list syntax.ErrorList
	if errors.As(err, &list) && len(list) > 0 {
		return "refused " + list[0].Code + ": " + list[0].Msg
	}
	return "refused " + strings.SplitN(err.Error(), "\n", 2)[0]
}

func values(t *testing.T, name string) (pass, total int, f failures) {
	f = failures{}
	errata, err := kqltest.ReadErrata(filepath.Join("..", "testdata", "errata.json"))
	if err != nil {
		t.Fatal(err)
	}
	only := os.Getenv("PICKET_CORPUS_ID")
	for _, r := range corpus(t, name) {
		if only != "" && !strings.Contains(only, r.ID) {
			continue
		}
		total++
		tables, err := r.run(t)
		if err != nil {
			f.add(reason(err), r.ID)
			if only != "" {
				t.Logf("%s\n%s\n%v", r.ID, r.Query, err)
			}
			continue
		}
		verdict, detail, names := kqltest.Values, "no table", false
		for _, got := range tables {
			v, d, n := kqltest.Compare(r.Query, kqltest.Printed(r.Expected, got), got)
			if verdict, detail, names = v, d, n; v == kqltest.Pass {
				break
			}
		}
		if verdict == kqltest.Pass {
			pass++
			if _, known := errata[r.ID]; known {
				t.Errorf("%s %s agrees though it is among the errata", name, r.ID)
			}
			if !names {
				f.add("right values under other names", r.ID)
				if only != "" {
					t.Logf("%s: columns %v, not %v", r.ID, tables[0].Schema, r.Expected.Columns)
				}
			}
			continue
		}
		f.add(string(verdict)+" "+cut200(detail), r.ID)
		if _, known := errata[r.ID]; !known {
			t.Errorf("%s %s: a wrong value in silence: %s %s", name, r.ID, verdict, cut200(detail))
		}
		if only != "" {
			t.Logf("%s\n%s\n%s %s", r.ID, r.Query, verdict, detail)
		}
	}
	return pass, total, f
}

func cut200(s string) string {
	s = strings.Join(strings.Fields(s), " ")
	if len(s) > 300 {
		s = s[:300] + "…"
	}
	return s
}

// Floors that the corpora must not fall below; raise them when a change raises the figures.
const (
	docsFloor     = 0.925
	emulatorFloor = 0.997
	refusalsFloor = 0.98
)

// TestCorpusValues compares the interpreter with what the real engine and its documentation answer.
// PICKET_CORPUS_LOG names a folder for lists of what differs, PICKET_CORPUS_ID limits the run to some records.
func TestCorpusValues(t *testing.T) {
	dp, dn, df := values(t, "docs_values.jsonl")
	ep, en, ef := values(t, "emulator_values.jsonl")
	df.write(t, "docs.txt")
	ef.write(t, "emulator.txt")
	rf := failures{}
	rp, rn := 0, 0
	for _, r := range corpus(t, "emulator_refusals.jsonl") {
		rn++
		if _, err := r.run(t); err != nil {
			rp++
			continue
		}
		rf.add("answered", r.ID)
	}
	rf.write(t, "refusals.txt")
	t.Logf("values: docs %d/%d emulator %d/%d refusals %d/%d", dp, dn, ep, en, rp, rn)
	if os.Getenv("PICKET_CORPUS_ID") != "" {
		return
	}
	for _, c := range []struct {
		name  string
		n, of int
		floor float64
	}{{"docs", dp, dn, docsFloor}, {"emulator", ep, en, emulatorFloor}, {"refusals", rp, rn, refusalsFloor}} {
		if c.of > 0 && float64(c.n)/float64(c.of) < c.floor {
			t.Errorf("%s: %d of %d, below %.3f", c.name, c.n, c.of, c.floor)
		}
	}
}
