package picket

import (
	"encoding/json"
	"errors"
	"io"
	"os/exec"
	"strings"
	"testing"
)

// levels is the table of docs/architecture.md: a room imports only rooms on lower levels, or to its left on
// its own level where the level is a row. Rooms of the domain level never import each other.
var levels = [][]string{
	{"kql/value", "kql/syntax", "kql/catalog", "kql/eval", "kql/plan", "kql/bind", "kql/rewrite", "kql/exec", "kql/dialect", "kql", "kql/kqltest", "kql/help", "kql/complete", "kql/repl", "kql/lsp"},
	{"content", "lake", "state", "ingest", "query", "files"},
	{"detect", "playbook", "canary", "predict", "health", "estate"},
	{"connector", "azure", "web"},
	{""},
	{"cmd", "e2e", "bench", "conformance"},
}

// row reports the levels whose rooms may import the rooms to their left.
var row = map[int]bool{0: true, 1: true, 5: true}

func place(room string) (level, pos int, ok bool) {
	best := -1
	for l, names := range levels {
		for p, n := range names {
			if room == n || (n != "" && strings.HasPrefix(room, n+"/")) {
				if len(n) > best {
					best, level, pos, ok = len(n), l, p, true
				}
			}
		}
	}
	return level, pos, ok
}

func TestRoomsImportOnlyLowerLevels(t *testing.T) {
	out, err := exec.Command("go", "list", "-json=ImportPath,Imports", "./...").Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	room := func(path string) (string, bool) {
		if path == "picket" {
			return "", true
		}
		return strings.CutPrefix(path, "picket/")
	}
	dec := json.NewDecoder(strings.NewReader(string(out)))
	seen := 0
	for {
		var p struct {
			ImportPath string
			Imports    []string
		}
		if err := dec.Decode(&p); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatal(err)
		}
		from, _ := room(p.ImportPath)
		fl, fp, ok := place(from)
		if !ok {
			t.Errorf("%s is in no level: add it to the table of docs/architecture.md and here", p.ImportPath)
			continue
		}
		seen++
		for _, imp := range p.Imports {
			to, ours := room(imp)
			if !ours {
				continue
			}
			tl, tp, ok := place(to)
			switch {
			case !ok:
				t.Errorf("%s imports %s, which is in no level", p.ImportPath, imp)
			case tl < fl:
			case tl == fl && tp == fp:
			case tl == fl && row[fl] && tp < fp:
			default:
				t.Errorf("%s must not import %s: it stands on the same or a higher level", p.ImportPath, imp)
			}
		}
	}
	if seen < 2 {
		t.Fatalf("only %d packages seen", seen)
	}
}
