//go:build !unix

package lake

import (
	"errors"
	"os"
)

func acquire(dir string) (*os.File, error) {
	return nil, errors.New("a data folder can't be locked on this system yet; run picket on Linux or macOS")
}
func free(string) (int64, error) { return 1 << 62, nil }
func inode(string) uint64        { return 0 }
func memoryTotal() int64         { return 0 }
func isNoSpace(error) bool       { return false }
