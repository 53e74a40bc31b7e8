package ingest

import (
	"context"
	"encoding/json"
	"fmt"
	"picket/kql/value"
	"picket/lake"
	"sort"
	"time"
)

// Rows stores rows of a table of the product's own (SecurityAlert, …). A row's keys are columns of the schema; a
// missing one is null. Values are Go values: string, bool, any integer, float64, time.Time, time.Duration, [16]byte,
// decimals as text, json.RawMessage, or for dynamic columns anything that json.Marshal takes. opID "" applies always.
func (in *Ingest) Rows(ctx context.Context, table string, s value.Schema, rows []map[string]any, opID string) (lake.Ack, error) {
	f := &value.Frame{Schema: s, N: len(rows)}
	for _, c := range s {
		v := value.New(c.Type, len(rows))
		for i := range rows {
			v.SetNull(i)
		}
		f.Vecs = append(f.Vecs, v)
	}
	for r, row := range rows {
		used := 0
		for i, c := range s {
			x, ok := row[c.Name]
			if !ok {
				continue
			}
			used++
			if x == nil {
				continue
			}
			v, err := toValue(x, c.Type)
			if err != nil {
				return lake.Ack{}, fmt.Errorf("row %d of %s, column %s: %w", r+1, table, c.Name, err)
			}
			f.Vecs[i].Set(r, v)
		}
		if used < len(row) {
			var extra []string
			for k := range row {
				if s.Index(k) < 0 {
					extra = append(extra, k)
				}
			}
			sort.Strings(extra)
			return lake.Ack{}, fmt.Errorf("row %d of %s has columns that its schema lacks: %v", r+1, table, extra)
		}
	}
	return in.Frame(ctx, table, f, opID)
}

// Frame stores a frame into a table of the product's own. The table is made with its declared schema first.
func (in *Ingest) Frame(ctx context.Context, table string, f *value.Frame, opID string) (lake.Ack, error) {
	if err := in.admit(ctx, table); err != nil {
		return lake.Ack{}, err
	}
	if _, err := in.have(ctx, table); err != nil {
		return lake.Ack{}, err
	}
	ack, err := in.o.Lake.Append(ctx, lake.Batch{Table: table, Frame: f, OpID: opID})
	if err != nil {
		in.full(ctx, table, err)
		return lake.Ack{}, fmt.Errorf("store rows of %s: %w", table, err)
	}
	in.stored(ctx, table, ack, f.N, frameBytes(f))
	return ack, nil
}

// toValue makes a column's value from a Go value.
func toValue(x any, t value.Type) (value.Value, error) {
	switch v := x.(type) {
	case value.Value:
		if v.Type != t && !v.Null {
			return value.Value{}, fmt.Errorf("a %s is no %s", v.Type, t)
		}
		return v, nil
	case time.Time:
		ticks, ok := value.TicksOf(v)
		if !ok {
			return value.Value{}, fmt.Errorf("the time %s is outside the years 1 to 9999", v)
		}
		x = value.DateTime(ticks)
	case time.Duration:
		x = value.TimeSpan(int64(v) / 100)
	case [16]byte:
		x = value.Guid(v)
	case int:
		x = int64(v)
	case int32:
		x = int64(v)
	case int16:
		x = int64(v)
	case uint8:
		x = int64(v)
	case uint16:
		x = int64(v)
	case uint32:
		x = int64(v)
	case float32:
		x = float64(v)
	case bool, int64, float64, string, value.DateTime, value.TimeSpan, value.Guid, *value.Bag:
	default:
		raw, err := json.Marshal(x)
		if err != nil {
			return value.Value{}, fmt.Errorf("a %T can't be stored: %w", x, err)
		}
		d, err := value.ParseJSON(string(raw))
		if err != nil {
			return value.Value{}, err
		}
		x = d
	}
	if t == value.Dynamic {
		if _, ok := x.([]any); !ok {
			return value.OfDynamic(x), nil
		}
	}
	return lake.Convert(x, t)
}
