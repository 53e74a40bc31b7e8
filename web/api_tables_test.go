package web

import (
	"context"
	"testing"
	"time"
)

func TestTables(t *testing.T) {
	day := 24 * time.Hour
	kept := map[string][2]time.Duration{}
	var at time.Time
	s := newSite(t, func(d *Deps) {
		at = d.Now()
		d.Tables = &TablesSource{
			List: func(context.Context) ([]TableInfo, error) {
				return []TableInfo{
					{Name: "Demo_CL", Rows: 10, HotRows: 4, Columns: []TableColumn{{Name: "TimeGenerated", Type: "datetime"}}, Retention: 30 * day, TotalRetention: 90 * day, Last: at},
					{Name: "Syslog", Rows: 3},
				}, nil
			},
			Retain: func(_ context.Context, n string, a, b time.Duration) error {
				kept[n] = [2]time.Duration{a, b}
				return nil
			},
			Late: func(_ context.Context, n string) (int64, time.Duration, error) {
				if n != "Demo_CL" {
					t.Errorf("measured %s, which took in nothing", n)
				}
				return 5, 3 * time.Hour, nil
			},
			Usage: func(_ context.Context, from, to time.Time) ([]TableUsage, error) {
				var out []TableUsage
				for h := from; h.Before(to); h = h.Add(time.Hour) {
					out = append(out, TableUsage{Table: "Demo_CL", Hour: h, Rows: 2, Bytes: 100})
				}
				return out, nil
			},
		}
	})
	pw, _, err := s.srv.EnsureOwner(context.Background(), false)
	if err != nil {
		t.Fatal(err)
	}
	s.want(s.call("GET", "/api/v1/tables", nil, nil), 401, "signed out")
	s.want(s.signIn("admin", pw), 200, "sign in")
	var list struct {
		Value         []tableJSON
		Retain, Usage bool
	}
	s.want(s.call("GET", "/api/v1/tables", nil, &list), 200, "list")
	if len(list.Value) != 2 || list.Value[0].Kind != "custom" || list.Value[1].Kind != "standard" || *list.Value[0].DayRows != 48 || *list.Value[1].DayRows != 0 || !list.Retain {
		t.Fatalf("got %+v", list)
	}
	if list.Value[0].LateRows != nil {
		t.Fatal("late rows were measured unasked")
	}
	s.want(s.call("GET", "/api/v1/tables?late=1", nil, &list), 200, "list with late rows")
	if *list.Value[0].LateRows != 5 || list.Value[1].LateRows != nil {
		t.Fatalf("got %+v", list)
	}
	var one tableJSON
	s.want(s.call("GET", "/api/v1/tables/demo_cl", nil, &one), 200, "one")
	if len(one.Usage) != hoursShown || one.RetentionDays != 30 || one.TotalRetentionDays != 90 || len(one.Columns) != 1 {
		t.Fatalf("got %+v", one)
	}
	s.want(s.call("GET", "/api/v1/tables/Nothing", nil, nil), 404, "unknown table")
	s.want(s.call("PATCH", "/api/v1/tables/Demo_CL", map[string]int{"retentionDays": 3}, nil), 400, "too short")
	s.want(s.call("PATCH", "/api/v1/tables/Demo_CL", map[string]int{"retentionDays": 30, "totalRetentionDays": 10}, nil), 400, "total less")
	s.want(s.call("PATCH", "/api/v1/tables/Demo_CL", map[string]int{"retentionDays": 0, "totalRetentionDays": 10}, nil), 400, "dropped though seen")
	s.want(s.call("PATCH", "/api/v1/tables/demo_cl", map[string]int{"retentionDays": 10}, nil), 204, "set")
	if kept["Demo_CL"] != [2]time.Duration{10 * day, 10 * day} {
		t.Fatalf("got %v", kept)
	}
}

func TestTablesAreNamedWhenMissing(t *testing.T) {
	s := newSite(t, nil)
	pw, _, err := s.srv.EnsureOwner(context.Background(), false)
	if err != nil {
		t.Fatal(err)
	}
	s.want(s.signIn("admin", pw), 200, "sign in")
	s.want(s.call("GET", "/api/v1/tables", nil, nil), 501, "without the room")
}
