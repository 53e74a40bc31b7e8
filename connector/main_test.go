package connector_test

import (
	"os"
	"testing"
)

// TestMain puts the tests' stores into memory where the system has a folder for it: their engines commit thousands of
// times.
func TestMain(m *testing.M) {
	const memory = "/dev/shm"
	if i, err := os.Stat(memory); err == nil && i.IsDir() && os.Getenv("TMPDIR") == "" {
		if err := os.Setenv("TMPDIR", memory); err != nil {
			panic(err)
		}
	}
	os.Exit(m.Run())
}
