package picket

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"picket/web"
)

// socketUser is the user of the data folder's socket.
const socketUser = "socket"

// backup answers POST /api/v1/backup {"dir"} by way of the folder's socket alone: whoever may read the data folder may
// copy it, and nobody else names paths on this machine. The control store comes first: what it knows of rows, the
// lake's copy has.
func (p *Picket) backup(w http.ResponseWriter, r *http.Request) {
	if u, ok := web.SessionUser(r); !ok || u.ID != socketUser {
		answerError(w, 403, "Forbidden", "A backup is made on the server's own machine, by the owner of its data folder: picket backup DIR --data FOLDER.")
		return
	}
	var b struct {
		Dir string `json:"dir"`
	}
	if err := json.NewDecoder(http.MaxBytesReader(w, r.Body, 1<<16)).Decode(&b); err != nil || !filepath.IsAbs(b.Dir) {
		answerError(w, 400, "BadArgumentError", "dir: give the absolute path of a folder that is not there yet.")
		return
	}
	commit, err := p.backupTo(r.Context(), b.Dir)
	if err != nil {
		answerError(w, 400, "BackupFailed", err.Error())
		return
	}
	answer(w, 200, map[string]any{"dir": b.Dir, "commit": commit})
}

// backupTo copies the data folder; what a failed copy leaves is removed, so that the same command can be given again.
func (p *Picket) backupTo(ctx context.Context, dir string) (commit int64, err error) {
	if err := os.Mkdir(dir, 0o700); err != nil {
		return 0, fmt.Errorf("make the backup's folder: %w", err)
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, os.RemoveAll(dir))
		}
	}()
	if err := p.state.Backup(ctx, filepath.Join(dir, StateName)); err != nil {
		return 0, err
	}
	commit, err = p.lake.Backup(ctx, filepath.Join(dir, "lake"))
	if err != nil {
		return 0, err
	}
	for _, name := range []string{"playbook.key", "tls", "geo", "connectors", "trips"} {
		if err := copyTree(filepath.Join(p.cfg.Data, name), filepath.Join(dir, name)); err != nil {
			return 0, fmt.Errorf("copy %s: %w", name, err)
		}
	}
	return commit, nil
}

// copyTree copies a file or a folder; one that is not there is passed over.
func copyTree(from, to string) error {
	info, err := os.Stat(from)
	if os.IsNotExist(err) {
		return nil
	} else if err != nil {
		return err
	}
	if info.IsDir() {
		return os.CopyFS(to, os.DirFS(from))
	}
	b, err := os.ReadFile(from)
	if err != nil {
		return err
	}
	return os.WriteFile(to, b, info.Mode().Perm())
}
