package lake

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"picket/lake/file"
	"regexp"
	"strconv"
)

// A power cut can leave the commit that was being written in the write-ahead log in part, as zeros or as rubbish.
// DuckDB opens a log that ends in the middle of a commit, and refuses one with a wrong checksum. As every commit is
// synced, and acknowledged, before the next is begun, only the last one in the log can be unfinished: when the damage
// lies there it is cut off, and the log as it was is kept beside. Damage further up was done to acknowledged rows, and
// is for the operator to decide on.
//
// The log is a header and entries of size, checksum (8 bytes each) and a body; the entry logCommit ends a commit.

const tornName = "lake.duckdb.wal.torn" // the log before its end was cut off

// logHeader begins a log of the version that is understood here.
var logHeader = []byte{0x64, 0, 0x62, 0x65, 0, 2, 0xff, 0xff}

// logCommit is the entry that ends a commit.
var logCommit = []byte{5, 0, 0, 0, 0, 0, 0, 0, 0xe7, 0xfe, 0x7d, 0x72, 0x2f, 0xed, 0x3d, 0x5e, 0x64, 0, 0x64, 0xff, 0xff}

var logPosition = regexp.MustCompile(`entry at byte position (\d+)`)

// mendLog cuts an unfinished commit off the log because of which the database did not open. It says whether it did.
func (l *Lake) mendLog(cause error) (bool, error) {
	path := l.dbPath() + ".wal"
	st, err := os.Stat(path)
	if err != nil || st.Size() <= int64(len(logHeader)) {
		return false, nil
	}
	b, err := os.ReadFile(path)
	if err != nil {
		return false, fmt.Errorf("read the log: %w", err)
	}
	bad := len(b)
	if m := logPosition.FindStringSubmatch(cause.Error()); m != nil {
		if bad, err = strconv.Atoi(m[1]); err != nil {
			return false, nil
		}
	}
	end, ok := lastCommit(b, bad)
	if !ok || end == len(b) {
		return false, nil
	}
	rest := b[end:]
	if n := bytes.Count(rest, logCommit); n > 1 || n == 1 && !bytes.HasSuffix(rest, logCommit) {
		return false, fmt.Errorf("%s is damaged behind byte %d in commits that were acknowledged, and not only in one that a power cut stopped; put the folder back from a backup, or keep the file elsewhere and cut it to %d bytes to go on without the rows behind", path, end, end)
	}
	if err := file.Replace(l.o.Files, filepath.Join(l.o.Dir, tornName), b); err != nil {
		return false, fmt.Errorf("keep the log: %w", err)
	}
	if err := file.Replace(l.o.Files, path, b[:end]); err != nil {
		return false, fmt.Errorf("cut the log: %w", err)
	}
	detail := fmt.Sprintf("the last commit in the log was not finished and is cut off: %d of %d bytes stay; the log as it was is %s", end, len(b), tornName)
	slog.Warn("lake: "+detail, "error", cause)
	l.tell(EventMended, "", detail)
	return true, nil
}

// lastCommit finds the end of the last commit that lies before a byte, and before an entry that can't be one.
func lastCommit(b []byte, bad int) (end int, ok bool) {
	if !bytes.HasPrefix(b, logHeader) {
		return 0, false
	}
	at := len(logHeader)
	for end = at; at+16 <= min(bad, len(b)); {
		n := binary.LittleEndian.Uint64(b[at:])
		if n < 5 || n > uint64(len(b)-at-16) {
			break
		}
		next := at + 16 + int(n)
		if next > bad {
			break
		}
		if bytes.Equal(b[at:next], logCommit) {
			end = next
		}
		at = next
	}
	return end, true
}
