package web

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"
)

// TablesSource is what the Tables page reads and changes. List is required.
type TablesSource struct {
	// List gives every table that has, or had, rows.
	List func(ctx context.Context) ([]TableInfo, error)
	// Retain sets how long queries see a table's rows and how long they are kept in all; 0 is for ever. nil: the
	// page does not offer it.
	Retain func(ctx context.Context, table string, interactive, total time.Duration) error
	// Usage counts what tables took in, by hour, of the hours that begin in [from, to). nil: no chart.
	Usage func(ctx context.Context, from, to time.Time) ([]TableUsage, error)
	// Late tells of the last 24 hours' rows of a table how many came more than an hour after their TimeGenerated,
	// and how far the furthest was behind; imported rows don't count. nil: not shown.
	Late func(ctx context.Context, table string) (rows int64, most time.Duration, err error)
}

// TableInfo describes a table.
type TableInfo struct {
	Name                      string
	Columns                   []TableColumn
	Rows                      int64 // hot and sealed
	HotRows, HotBytes         int64 // HotBytes is an estimate
	SealedBytes               int64 // of the segments' files
	Segments                  int
	ArchivedRows              int64 // past Retention, in none of the counts above
	ArchivedBytes             int64
	First, Last               time.Time // earliest and latest TimeGenerated; zero when it is empty
	Received                  time.Time // of the last row
	Retention, TotalRetention time.Duration
}

// TableColumn is a column of a table.
type TableColumn struct {
	Name     string `json:"name"`
	Type     string `json:"type"`               // a KQL type
	Standard bool   `json:"standard,omitempty"` // every table has it
	Promoted bool   `json:"promoted,omitempty"` // paths of it are kept as columns of their own
}

// TableUsage is what a table took in within one hour.
type TableUsage struct {
	Table string    `json:"-"`
	Hour  time.Time `json:"hour"` // its beginning, UTC
	Rows  int64     `json:"rows"`
	Bytes int64     `json:"bytes"` // as received
}

// tableJSON is a table as the page shows it.
type tableJSON struct {
	Name               string        `json:"name"`
	Kind               string        `json:"kind"` // custom, standard
	Rows               int64         `json:"rows"`
	HotRows            int64         `json:"hotRows"`
	HotBytes           int64         `json:"hotBytes"`
	SealedBytes        int64         `json:"sealedBytes"`
	Segments           int           `json:"segments"`
	ArchivedRows       int64         `json:"archivedRows,omitempty"`
	ArchivedBytes      int64         `json:"archivedBytes,omitempty"`
	First              time.Time     `json:"first,omitzero"`
	Last               time.Time     `json:"last,omitzero"`
	Received           time.Time     `json:"received,omitzero"`
	RetentionDays      int           `json:"retentionDays"` // 0: for ever
	TotalRetentionDays int           `json:"totalRetentionDays"`
	DayRows            *int64        `json:"dayRows,omitempty"` // taken in within the last 24 hours; absent: not counted
	DayBytes           *int64        `json:"dayBytes,omitempty"`
	LateRows           *int64        `json:"lateRows,omitempty"` // of those: more than an hour late; absent: not measured
	MostLate           float64       `json:"mostLateSeconds,omitempty"`
	Columns            []TableColumn `json:"columns,omitempty"` // only of one table
	Usage              []TableUsage  `json:"usage,omitempty"`   // only of one table: the last 7 days
}

// The retention that the page sets, in days; the bounds are those of the tables API.
const (
	minRetentionDays = 4
	maxRetentionDays = 4383
	hoursShown       = 7 * 24
)

func days(d time.Duration) int {
	if d <= 0 || d > maxRetentionDays*24*time.Hour {
		return 0
	}
	return int(d / (24 * time.Hour))
}

func showTable(t *TableInfo) tableJSON {
	kind := "standard"
	if strings.HasSuffix(t.Name, "_CL") {
		kind = "custom"
	}
	total := t.TotalRetention
	if total == 0 {
		total = t.Retention
	}
	return tableJSON{
		Name: t.Name, Kind: kind, Rows: t.Rows, HotRows: t.HotRows, HotBytes: t.HotBytes, SealedBytes: t.SealedBytes, Segments: t.Segments,
		ArchivedRows: t.ArchivedRows, ArchivedBytes: t.ArchivedBytes, First: t.First, Last: t.Last, Received: t.Received,
		RetentionDays: days(t.Retention), TotalRetentionDays: days(total),
	}
}

// tableRoutes serves
//
//	GET   /api/v1/tables?late=1  {value: [tableJSON], retain, usage}; late measures late rows, which reads the last day's
//	GET   /api/v1/tables/{name}  tableJSON with columns and usage
//	PATCH /api/v1/tables/{name}  {retentionDays, totalRetentionDays}; 0 is for ever
func (s *Server) tableRoutes() {
	h := func(need string, f func(w http.ResponseWriter, r *http.Request, t *TablesSource) error) http.Handler {
		return s.page(need, func(w http.ResponseWriter, r *http.Request, _ User) error {
			if s.d.Tables == nil {
				return missingRoom("Tables")
			}
			return f(w, r, s.d.Tables)
		})
	}
	s.mux.Handle("GET /api/v1/tables", h(Reader, s.listTables))
	s.mux.Handle("GET /api/v1/tables/{name}", h(Reader, s.getTable))
	s.mux.Handle("PATCH /api/v1/tables/{name}", h(Contributor, retainTable))
}

func (s *Server) listTables(w http.ResponseWriter, r *http.Request, src *TablesSource) error {
	ts, err := src.List(r.Context())
	if err != nil {
		return err
	}
	sums := map[string]TableUsage{}
	if src.Usage != nil {
		now := s.d.Now().UTC().Truncate(time.Hour).Add(time.Hour)
		us, err := src.Usage(r.Context(), now.Add(-24*time.Hour), now)
		if err != nil {
			return err
		}
		for _, u := range us {
			sum := sums[u.Table]
			sum.Rows += u.Rows
			sum.Bytes += u.Bytes
			sums[u.Table] = sum
		}
	}
	out := make([]tableJSON, len(ts))
	for i := range ts {
		out[i] = showTable(&ts[i])
		if src.Usage != nil {
			sum := sums[ts[i].Name]
			out[i].DayRows, out[i].DayBytes = &sum.Rows, &sum.Bytes
		}
		if src.Late != nil && r.FormValue("late") == "1" && (out[i].DayRows == nil || *out[i].DayRows > 0) {
			if err := measureLate(r.Context(), src, &out[i]); err != nil {
				return err
			}
		}
	}
	writeJSON(w, 200, map[string]any{"value": out, "retain": src.Retain != nil, "usage": src.Usage != nil})
	return nil
}

func measureLate(ctx context.Context, src *TablesSource, t *tableJSON) error {
	n, most, err := src.Late(ctx, t.Name)
	if err != nil {
		return err
	}
	t.LateRows, t.MostLate = &n, most.Seconds()
	return nil
}

func findTable(ctx context.Context, src *TablesSource, name string) (*TableInfo, error) {
	ts, err := src.List(ctx)
	if err != nil {
		return nil, err
	}
	i := slices.IndexFunc(ts, func(t TableInfo) bool { return strings.EqualFold(t.Name, name) })
	if i < 0 {
		return nil, fmt.Errorf("the table %s has no rows here: %w", name, ErrNotFound)
	}
	return &ts[i], nil
}

func (s *Server) getTable(w http.ResponseWriter, r *http.Request, src *TablesSource) error {
	t, err := findTable(r.Context(), src, r.PathValue("name"))
	if err != nil {
		return err
	}
	out := showTable(t)
	out.Columns = orEmpty(t.Columns)
	if src.Late != nil {
		if err := measureLate(r.Context(), src, &out); err != nil {
			return err
		}
	}
	if src.Usage != nil {
		now := s.d.Now().UTC().Truncate(time.Hour).Add(time.Hour)
		us, err := src.Usage(r.Context(), now.Add(-hoursShown*time.Hour), now)
		if err != nil {
			return err
		}
		for _, u := range us {
			if u.Table == t.Name {
				out.Usage = append(out.Usage, u)
			}
		}
	}
	writeJSON(w, 200, out)
	return nil
}

func retainTable(w http.ResponseWriter, r *http.Request, src *TablesSource) error {
	if src.Retain == nil {
		return missingRoom("Retention settings")
	}
	var in struct {
		RetentionDays      int  `json:"retentionDays"`
		TotalRetentionDays *int `json:"totalRetentionDays"` // absent: as long as queries see them
	}
	if err := readJSON(w, r, &in); err != nil {
		return err
	}
	total := in.RetentionDays
	if in.TotalRetentionDays != nil {
		total = *in.TotalRetentionDays
	}
	for field, n := range map[string]int{"retentionDays": in.RetentionDays, "totalRetentionDays": total} {
		if n != 0 && (n < minRetentionDays || n > maxRetentionDays) {
			return badRequest(field, "%s must be 0 (for ever) or %d to %d days, not %d.", field, minRetentionDays, maxRetentionDays, n)
		}
	}
	switch {
	case in.RetentionDays == 0 && total != 0:
		return badRequest("totalRetentionDays", "Queries see the rows for ever, so they can't be dropped after %d days.", total)
	case total != 0 && total < in.RetentionDays:
		return badRequest("totalRetentionDays", "The %d days in all are less than the %d that queries see.", total, in.RetentionDays)
	}
	t, err := findTable(r.Context(), src, r.PathValue("name"))
	if err != nil {
		return err
	}
	day := 24 * time.Hour
	if err := src.Retain(r.Context(), t.Name, time.Duration(in.RetentionDays)*day, time.Duration(total)*day); err != nil {
		return err
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}
