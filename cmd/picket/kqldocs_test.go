package main

import (
	"os"
	"path/filepath"
	"testing"
)

// TestDocsAreCurrent: the pages of docs/kql are what the command writes.
func TestDocsAreCurrent(t *testing.T) {
	dir := t.TempDir()
	if out, code := command(t, "", "kql", "docs", dir); code != 0 {
		t.Fatalf("exit %d\n%s", code, out)
	}
	files, err := os.ReadDir(dir)
	if err != nil || len(files) != 4 {
		t.Fatalf("%v %v", files, err)
	}
	for _, f := range files {
		made, err := os.ReadFile(filepath.Join(dir, f.Name()))
		if err != nil {
			t.Fatal(err)
		}
		have, err := os.ReadFile(filepath.Join("..", "..", "docs", "kql", f.Name()))
		if err != nil {
			t.Fatal(err)
		}
		if string(have) != string(made) {
			t.Errorf("docs/kql/%s is not what the engine answers now: run `picket kql docs docs/kql`", f.Name())
		}
	}
}
