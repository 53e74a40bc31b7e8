package lake

import (
	"errors"
	"fmt"
)

// ErrFull says that the disk (or its quota) is full. Nothing of the batch was stored; the lake goes on by
// itself as soon as there is room.
var ErrFull = errors.New("the disk of the data folder is full")

// ErrMemory says that a query needs more memory than Options.MemoryLimit lets it have.
var ErrMemory = errors.New("the query needs more memory than is allowed")

// ErrClosed says that the lake or the snapshot was closed.
var ErrClosed = errors.New("the lake is closed")

// ErrNoTable says that there is no table of this name.
var ErrNoTable = errors.New("no such table")

// HeldError says that another process owns the folder.
type HeldError struct {
	Dir string
	PID int // 0 when the holder left no note
}

func (e *HeldError) Error() string {
	if e.PID == 0 {
		return fmt.Sprintf("the data folder %s is in use by another process; stop it, or name another folder", e.Dir)
	}
	return fmt.Sprintf("the data folder %s is in use by process %d; stop it, or name another folder", e.Dir, e.PID)
}

// DataError says that rows did not fit the columns they were sent for. Nothing of the batch was stored; the
// other batches of the same commit were.
type DataError struct {
	Table string
	Err   error
}

func (e *DataError) Error() string { return fmt.Sprintf("rows for table %s: %v", e.Table, e.Err) }
func (e *DataError) Unwrap() error { return e.Err }

// VersionError says that the folder was written by a newer picket.
type VersionError struct {
	Dir       string
	Have, Can int
}

func (e *VersionError) Error() string {
	return fmt.Sprintf("the data folder %s has format %d; this program reads up to format %d: use the newer program", e.Dir, e.Have, e.Can)
}
