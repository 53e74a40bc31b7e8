package detect

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

// Limits of incident tasks.
const (
	maxTasks           = 100
	maxTaskTitle       = 150
	maxTaskDescription = 3000
)

// Task is something to do about an incident.
type Task struct {
	ID          string    `json:"id"`
	IncidentID  string    `json:"incidentId"`
	Title       string    `json:"title"`
	Description string    `json:"description"` // HTML, shown as text
	Status      string    `json:"status"`      // New or Completed
	CreatedBy   string    `json:"createdBy"`
	ModifiedBy  string    `json:"lastModifiedBy"`
	Created     time.Time `json:"createdTimeUtc"`
	Modified    time.Time `json:"lastModifiedTimeUtc"`
	Etag        int64     `json:"-"`
}

func validTask(title, description string) error {
	if strings.TrimSpace(title) == "" || len([]rune(title)) > maxTaskTitle {
		return fmt.Errorf("title: a task needs a title of at most %d characters", maxTaskTitle)
	}
	if n := len([]rune(description)); n > maxTaskDescription {
		return fmt.Errorf("description: %d characters, %d at most", n, maxTaskDescription)
	}
	return nil
}

// Tasks lists an incident's tasks, oldest first.
func (d *Detector) Tasks(ctx context.Context, incidentID string) ([]Task, error) {
	rows, err := d.d.State.Query(ctx, `SELECT doc, etag FROM detect_task WHERE incident_id=lower(?) ORDER BY created, id`, incidentID)
	if err != nil {
		return nil, fmt.Errorf("list tasks: %w", err)
	}
	return scanTasks(rows)
}

func scanTasks(rows *sql.Rows) ([]Task, error) {
	defer rows.Close()
	out := []Task{}
	for rows.Next() {
		var doc string
		var t Task
		var etag int64
		if err := rows.Scan(&doc, &etag); err != nil {
			return nil, err
		}
		if err := json.Unmarshal([]byte(doc), &t); err != nil {
			return nil, fmt.Errorf("stored task: %w", err)
		}
		t.Etag = etag
		out = append(out, t)
	}
	return out, rows.Err()
}

// SaveTask adds a task to an incident or changes it. ID "" makes one; etag 0 does not check. The same task saved
// again changes nothing.
func (d *Detector) SaveTask(ctx context.Context, incidentID, actor string, etag int64, t Task) (*Task, error) {
	if err := validTask(t.Title, t.Description); err != nil {
		return nil, err
	}
	if t.Status == "" {
		t.Status = "New"
	}
	if t.Status != "New" && t.Status != "Completed" {
		return nil, fmt.Errorf("status: %q is not one of New, Completed", t.Status)
	}
	if t.ID == "" {
		t.ID = uuid.NewString()
	}
	err := d.d.State.Tx(ctx, func(tx *state.Tx) error {
		in, err := findIncident(ctx, tx, incidentID)
		if err != nil {
			return err
		}
		old, err := findTask(ctx, tx, in.ID, t.ID)
		if errors.Is(err, ErrNotFound) {
			if etag != 0 {
				return err
			}
			t.CreatedBy = actor
			return d.addTask(ctx, tx, in.ID, &t)
		} else if err != nil {
			return err
		}
		if etag != 0 && etag != old.Etag {
			return fmt.Errorf("task %q was changed by somebody else (etag %d, now %d): read it again: %w", old.Title, etag, old.Etag, ErrConflict)
		}
		if old.Title == t.Title && old.Description == t.Description && old.Status == t.Status {
			t = *old
			return nil
		}
		done := old.Status != t.Status
		old.Title, old.Description, old.Status, old.ModifiedBy, old.Modified = t.Title, t.Description, t.Status, actor, d.d.Now().UTC()
		old.Etag++
		t = *old
		doc, err := json.Marshal(old)
		if err != nil {
			return err
		}
		if _, err := tx.ExecContext(ctx, `UPDATE detect_task SET doc=?, etag=? WHERE id=? AND incident_id=?`, string(doc), old.Etag, t.ID, in.ID); err != nil {
			return err
		}
		line := "task changed: " + t.Title
		if done && t.Status == "Completed" {
			line = "task completed: " + t.Title
		}
		return d.saveIncident(ctx, tx, in, actor, false, []string{line})
	})
	if err != nil {
		return nil, err
	}
	nudge(d.noted)
	return &t, nil
}

func findTask(ctx context.Context, tx *state.Tx, incidentID, id string) (*Task, error) {
	rows, err := tx.QueryContext(ctx, `SELECT doc, etag FROM detect_task WHERE id=? AND incident_id=?`, id, incidentID)
	if err != nil {
		return nil, err
	}
	ts, err := scanTasks(rows)
	if err != nil {
		return nil, err
	}
	if len(ts) == 0 {
		return nil, fmt.Errorf("task %s: %w", id, ErrNotFound)
	}
	return &ts[0], nil
}

func (d *Detector) addTask(ctx context.Context, tx *state.Tx, incidentID string, t *Task) error {
	in, err := findIncident(ctx, tx, incidentID)
	if err != nil {
		return err
	}
	var n int
	if err := tx.QueryRowContext(ctx, `SELECT count(*) FROM detect_task WHERE incident_id=?`, in.ID).Scan(&n); err != nil {
		return err
	}
	if n >= maxTasks {
		return fmt.Errorf("incident %d has %d tasks, the most it may have: %w", in.Number, n, ErrRefused)
	}
	now := d.d.Now().UTC()
	t.IncidentID, t.Created, t.Modified, t.ModifiedBy, t.Etag = in.ID, now, now, t.CreatedBy, 1
	if t.Status == "" {
		t.Status = "New"
	}
	doc, err := json.Marshal(t)
	if err != nil {
		return err
	}
	if _, err := tx.ExecContext(ctx, `INSERT INTO detect_task(id, incident_id, doc, created, etag) VALUES(?,?,?,?,1)`, t.ID, in.ID, string(doc), now.UnixMicro()); err != nil {
		return err
	}
	return d.saveIncident(ctx, tx, in, t.CreatedBy, false, []string{"task added: " + t.Title})
}

// DeleteTask removes a task from its incident.
func (d *Detector) DeleteTask(ctx context.Context, incidentID, id, actor string) error {
	err := d.d.State.Tx(ctx, func(tx *state.Tx) error {
		in, err := findIncident(ctx, tx, incidentID)
		if err != nil {
			return err
		}
		t, err := findTask(ctx, tx, in.ID, id)
		if err != nil {
			return err
		}
		if _, err := tx.ExecContext(ctx, `DELETE FROM detect_task WHERE id=? AND incident_id=?`, id, in.ID); err != nil {
			return err
		}
		return d.saveIncident(ctx, tx, in, actor, false, []string{"task removed: " + t.Title})
	})
	nudge(d.noted)
	return err
}

// tasksJSON is the Tasks column of an incident's row.
func tasksJSON(ctx context.Context, tx *state.Tx, incidentID string) (json.RawMessage, error) {
	rows, err := tx.QueryContext(ctx, `SELECT doc, etag FROM detect_task WHERE incident_id=? ORDER BY created, id`, incidentID)
	if err != nil {
		return nil, err
	}
	ts, err := scanTasks(rows)
	if err != nil {
		return nil, err
	}
	out := []map[string]any{}
	for _, t := range ts {
		out = append(out, map[string]any{
			"taskId": t.ID, "title": t.Title, "description": t.Description, "status": t.Status, "createdTimeUtc": t.Created, "lastModifiedTimeUtc": t.Modified, "createdBy": map[string]string{"name": t.CreatedBy},
		})
	}
	return json.Marshal(out)
}
