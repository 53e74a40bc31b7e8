package azure

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"picket/state"
	"strings"
	"time"

	"github.com/google/uuid"
)

// resources stores what is put over Resource Manager and read back as it was put: saved searches, data
// collection rules and endpoints, deployments. Names compare without case.
type resources struct {
	db  *state.DB
	now func() time.Time
}

// The kinds of stored resources.
const (
	kindSaved      = "savedSearch"
	kindRule       = "dataCollectionRule"
	kindEndpoint   = "dataCollectionEndpoint"
	kindDeployment = "deployment"
)

const maxResources = 5000 // of one kind

// stored is a resource as it was put.
type stored struct {
	Name    string
	Body    json.RawMessage
	ETag    string
	Changed time.Time
}

func (s resources) get(ctx context.Context, kind, name string) (*stored, error) {
	var r stored
	var at int64
	var body string
	err := s.db.QueryRow(ctx, `SELECT display, body, etag, changed FROM arm_resource WHERE kind=? AND name=?`, kind, strings.ToLower(name)).Scan(&r.Name, &body, &r.ETag, &at)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read %s %s: %w", kind, name, err)
	}
	r.Body, r.Changed = json.RawMessage(body), time.UnixMicro(at).UTC()
	return &r, nil
}

func (s resources) list(ctx context.Context, kind string) ([]stored, error) {
	rows, err := s.db.Query(ctx, `SELECT display, body, etag, changed FROM arm_resource WHERE kind=? ORDER BY name`, kind)
	if err != nil {
		return nil, fmt.Errorf("list %s: %w", kind, err)
	}
	defer rows.Close()
	var out []stored
	for rows.Next() {
		var r stored
		var at int64
		var body string
		if err := rows.Scan(&r.Name, &body, &r.ETag, &at); err != nil {
			return nil, fmt.Errorf("list %s: %w", kind, err)
		}
		r.Body, r.Changed = json.RawMessage(body), time.UnixMicro(at).UTC()
		out = append(out, r)
	}
	return out, rows.Err()
}

// put stores a resource. match is the If-Match header: "" and "*" take any, else it must be the stored etag. The
// result says whether the resource is new.
func (s resources) put(ctx context.Context, kind, name string, body []byte, match string) (r *stored, created bool, err error) {
	r = &stored{Name: name, Body: body, ETag: `"` + uuid.NewString() + `"`, Changed: s.now().UTC()}
	err = s.db.Tx(ctx, func(tx *state.Tx) error {
		var display, etag string
		var n int
		err := tx.QueryRowContext(ctx, `SELECT display, etag FROM arm_resource WHERE kind=? AND name=?`, kind, strings.ToLower(name)).Scan(&display, &etag)
		switch {
		case errors.Is(err, sql.ErrNoRows):
			created = true
			if err := tx.QueryRowContext(ctx, `SELECT count(*) FROM arm_resource WHERE kind=?`, kind).Scan(&n); err != nil {
				return err
			}
			if n >= maxResources {
				return &Error{Status: 400, Code: "QuotaExceeded", Message: fmt.Sprintf("There are %d resources of this kind, the most there may be: delete some.", n)}
			}
		case err != nil:
			return err
		default:
			r.Name = display
		}
		if match != "" && match != "*" && strings.Trim(match, `"`) != strings.Trim(etag, `"`) {
			return &Error{Status: 412, Code: "PreconditionFailed", Message: "The resource was changed by somebody else: read it again, and send its new etag."}
		}
		_, err = tx.ExecContext(ctx, `INSERT INTO arm_resource(kind, name, display, body, etag, changed) VALUES(?,?,?,?,?,?)
			ON CONFLICT(kind, name) DO UPDATE SET body=excluded.body, etag=excluded.etag, changed=excluded.changed`,
			kind, strings.ToLower(name), r.Name, string(body), r.ETag, r.Changed.UnixMicro())
		return err
	})
	if err != nil {
		var ae *Error
		if errors.As(err, &ae) {
			return nil, false, ae
		}
		return nil, false, fmt.Errorf("store %s %s: %w", kind, name, err)
	}
	return r, created, nil
}

// remove deletes a resource; false when there was none.
func (s resources) remove(ctx context.Context, kind, name string) (bool, error) {
	var n int64
	err := s.db.Tx(ctx, func(tx *state.Tx) error {
		res, err := tx.ExecContext(ctx, `DELETE FROM arm_resource WHERE kind=? AND name=?`, kind, strings.ToLower(name))
		if err != nil {
			return err
		}
		n, err = res.RowsAffected()
		return err
	})
	if err != nil {
		return false, fmt.Errorf("delete %s %s: %w", kind, name, err)
	}
	return n > 0, nil
}
