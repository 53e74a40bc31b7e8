package standard

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestTablesAreThoseOfTheCorpus(t *testing.T) {
	got, err := Tables()
	if err != nil {
		t.Fatal(err)
	}
	if i := got["Syslog"].Index("SyslogMessage"); i < 0 || got["Syslog"][0].Name != "TimeGenerated" {
		t.Errorf("Syslog: %v", got["Syslog"])
	}
	dir := os.Getenv("PICKET_SHARED")
	if dir == "" {
		dir = filepath.Join("..", "..", "..", "shared")
	} else if !filepath.IsAbs(dir) {
		dir = filepath.Join("..", "..", dir)
	}
	b, err := os.ReadFile(filepath.Join(dir, "content", "tables.json"))
	if err != nil {
		if os.Getenv("PICKET_REQUIRE_SHARED") == "1" {
			t.Fatal(err)
		}
		t.Skip("the shared corpora are not here")
	}
	var want struct {
		Tables map[string]map[string]string `json:"tables"`
	}
	if err := json.Unmarshal(b, &want); err != nil {
		t.Fatal(err)
	}
	n := 0
	for name := range want.Tables {
		if !strings.HasSuffix(name, "_CL") {
			n++
		}
	}
	if n != len(got) {
		t.Errorf("%d tables, want %d", len(got), n)
	}
	for n, cols := range want.Tables {
		if strings.HasSuffix(n, "_CL") {
			continue
		}
		for c, typ := range cols {
			if i := got[n].Index(c); i < 0 || got[n][i].Type.String() != typ {
				t.Errorf("%s.%s is not %s", n, c, typ)
			}
		}
	}
}
