package picket

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// StateName is the file of control state; a folder without it is no data folder.
const StateName = "state.db"

const (
	holdName   = "picket.lock"
	maxSocket  = 100 // bytes of the socket's path; the kernel takes 107, macOS 103
	privateDir = 0o700
)

// hold is this process's claim on a data folder.
type hold struct {
	f     *os.File
	fresh bool // there was no state yet
}

// takeFolder makes the data folder, or claims the one that is there, before anything in it is read or written. A
// folder that another process holds, or that holds something else than picket's data, is refused by name.
func takeFolder(dir string) (*hold, error) {
	if err := os.MkdirAll(dir, privateDir); err != nil {
		return nil, fmt.Errorf("make the data folder: %w: name another with --data", err)
	}
	abs, err := filepath.Abs(dir)
	if err != nil {
		return nil, err
	}
	if sock := filepath.Join(dir, SocketName); len(sock) > maxSocket {
		return nil, fmt.Errorf("the path of the data folder's socket, %s, is longer than %d bytes, which no system takes: name a shorter folder with --data", sock, maxSocket)
	}
	es, err := os.ReadDir(dir)
	if err != nil {
		return nil, fmt.Errorf("read the data folder: %w: it must belong to the user who runs picket", err)
	}
	own, fresh, other := false, true, ""
	for _, e := range es {
		switch n := e.Name(); {
		case n == StateName, n == holdName:
			own, fresh = true, fresh && n != StateName
		case n == "lost+found", strings.HasPrefix(n, "."):
		default:
			other = n
		}
	}
	if !own && other != "" {
		return nil, fmt.Errorf("%s is not empty and is no data folder of picket (it holds %s): name an empty or a new folder with --data", abs, other)
	}
	f, err := os.OpenFile(filepath.Join(dir, holdName), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fmt.Errorf("claim the data folder: %w: it must belong to the user who runs picket", err)
	}
	ok, err := lockFile(f)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("claim the data folder %s: %w", abs, err), f.Close())
	}
	if !ok {
		b := make([]byte, 128)
		n, _ := f.ReadAt(b, 0) // what can't be read is not named
		who := "another process"
		if pid, since, ok := strings.Cut(strings.TrimSpace(string(b[:n])), " "); ok {
			who = "process " + pid + " since " + since
		}
		return nil, errors.Join(fmt.Errorf("the data folder %s is held by %s: stop that server, or name another folder with --data", abs, who), f.Close())
	}
	h := &hold{f, fresh}
	err = f.Truncate(0)
	if err == nil {
		_, err = f.WriteAt([]byte(strconv.Itoa(os.Getpid())+" "+time.Now().UTC().Format(time.RFC3339)+"\n"), 0)
	}
	if err != nil && !isFull(err) { // a full disk must not keep a server from starting: only the name is lost
		return nil, errors.Join(fmt.Errorf("claim the data folder: %w", err), h.release())
	}
	// The store keeps keys: SQLite gives its other files the mode of the first.
	state := filepath.Join(dir, StateName)
	sf, err := os.OpenFile(state, os.O_RDWR|os.O_CREATE, 0o600)
	if err == nil {
		err = errors.Join(sf.Close(), os.Chmod(state, 0o600))
	}
	for _, side := range []string{"-wal", "-shm"} {
		if e := os.Chmod(state+side, 0o600); e != nil && !errors.Is(e, fs.ErrNotExist) {
			err = errors.Join(err, e)
		}
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("open the data folder: %w: it must belong to the user who runs picket", err), h.release())
	}
	return h, nil
}

// release gives the folder back; nil holds nothing.
func (h *hold) release() error {
	if h == nil {
		return nil
	}
	return h.f.Close()
}
