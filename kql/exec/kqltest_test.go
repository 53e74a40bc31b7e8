package exec

import (
	"flag"
	"path/filepath"
	"strings"
	"testing"
)

var record = flag.Bool("record", false, "write the answers of testdata/*.kqltest again, for review")

// TestLanguage runs the cases of testdata: one file an operator, each a query and the table it gives.
func TestLanguage(t *testing.T) {
	files, err := filepath.Glob("testdata/*.kqltest")
	if err != nil || len(files) == 0 {
		t.Fatal("no cases found", err)
	}
	for _, f := range files {
		t.Run(strings.TrimSuffix(filepath.Base(f), ".kqltest"), func(t *testing.T) { runFile(t, f) })
	}
}
