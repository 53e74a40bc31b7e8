package usage

import (
	"context"
	"errors"
	"fmt"
	"picket/ingest"
	"picket/lake"
	"time"
)

// The rhythm of a recorder.
const (
	saveEvery  = 10 * time.Second
	writeEvery = time.Minute
	tellEvery  = 10 * time.Minute // the same trouble of the same table
	hourGrace  = 30 * time.Second // after its end an hour is written
)

// Run writes rows and keeps the counts until ctx ends; then it keeps them once more.
func (r *Recorder) Run(ctx context.Context) error {
	save, write := time.NewTicker(saveEvery), time.NewTicker(writeEvery)
	defer save.Stop()
	defer write.Stop()
	for {
		select {
		case <-ctx.Done():
			last, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
			defer cancel()
			return r.save(last)
		case <-save.C:
			if err := r.save(ctx); err != nil && ctx.Err() == nil {
				r.o.Log.Warn("the counts of usage are kept later", "error", err)
			}
		case <-write.C:
			if err := r.Write(ctx); err != nil && ctx.Err() == nil && !errors.Is(err, lake.ErrClosed) {
				r.o.Log.Warn("rows of usage are written later", "error", err)
			}
		}
	}
}

// Write writes what is due: hours that are over, the minute's heartbeats, troubles. What can't be written stays for the
// next time.
func (r *Recorder) Write(ctx context.Context) error {
	r.mu.Lock()
	r.turn(r.o.Now())
	r.mu.Unlock()
	return errors.Join(r.writeUsage(ctx), r.writeHeartbeats(ctx), r.writeOperations(ctx))
}

// writeUsage writes a row for each table and hour that is over. The hour's id makes it once, also after a crash.
func (r *Recorder) writeUsage(ctx context.Context) error {
	now := r.o.Now()
	r.mu.Lock()
	hours := map[int64][]map[string]any{}
	for k, t := range r.hours {
		end := time.Unix((k.hour+1)*3600, 0).UTC()
		if now.Before(end.Add(hourGrace)) {
			continue
		}
		hours[k.hour] = append(hours[k.hour], map[string]any{
			"TimeGenerated": end, "StartTime": end.Add(-time.Hour), "EndTime": end, "DataType": k.table, "Solution": solution(k.table),
			"Quantity": float64(t.bytes) / 1e6, "QuantityUnit": "MBytes", "IsBillable": r.Billable(k.table), "ResourceUri": r.o.ResourceID,
			"TotalBatches": t.batches, "BatchesWithinSla": t.batches, "BatchesOutsideSla": int64(0), "BatchesCapped": int64(0), "AvgLatencyInSeconds": 0.0,
			"Computer": "", "SourceSystem": "picket",
		})
	}
	r.mu.Unlock()
	for h, rows := range hours {
		if _, err := r.o.Rows(ctx, Table, r.schema[Table], rows, fmt.Sprintf("usage/%d", h)); err != nil {
			return fmt.Errorf("write %s: %w", Table, err)
		}
		r.mu.Lock()
		for _, row := range rows {
			delete(r.hours, hourTable{h, row["DataType"].(string)})
		}
		r.dirty = true
		r.mu.Unlock()
	}
	return nil
}

func (r *Recorder) writeHeartbeats(ctx context.Context) error {
	r.mu.Lock()
	seen := r.computers
	r.computers = map[string]beat{}
	r.mu.Unlock()
	if len(seen) == 0 {
		return nil
	}
	now := r.o.Now().UTC()
	rows := make([]map[string]any, 0, len(seen))
	for c, b := range seen {
		row := map[string]any{"TimeGenerated": now, "Computer": c, "ComputerIP": b.ip, "Category": category(b.protocol), "SourceSystem": "picket", "Version": r.o.Version}
		if len(b.protocol) > 6 && b.protocol[:6] == "syslog" {
			row["OSType"] = "Linux"
		}
		rows = append(rows, row)
	}
	if _, err := r.o.Rows(ctx, HeartbeatTable, r.schema[HeartbeatTable], rows, ""); err != nil {
		return fmt.Errorf("write %s: %w", HeartbeatTable, err) // a minute's heartbeats are not worth keeping
	}
	return nil
}

// category is how Heartbeat names what a computer sends with.
func category(protocol string) string {
	switch protocol {
	case "collector":
		return "Data Collector API"
	case "logs-ingestion":
		return "Logs Ingestion API"
	case "_bulk":
		return "Elastic bulk"
	case "splunk":
		return "Splunk HEC"
	case "otlp-http", "otlp-grpc":
		return "OpenTelemetry"
	case "syslog-udp", "syslog-tcp", "syslog-tls":
		return "Syslog"
	}
	return protocol
}

// operation says how a kind of trouble stands in Operation.
func operation(k ingest.TroubleKind, detail string) (category, key, status string) {
	switch k {
	case capKind:
		switch {
		case containsStatus(detail, "OverQuota"):
			return "Data Collection Status", "Data collection stopped", "Error"
		case containsStatus(detail, "ApproachingQuota"):
			return "Data Collection Status", "Daily cap approaching", "Warning"
		}
		return "Data Collection Status", "Data collection resumed", "Succeeded"
	case ingest.Trimmed:
		return "Ingestion", "Field content validation", "Warning"
	case ingest.TooWide:
		return "Ingestion", "Maximum table column count", "Error"
	case ingest.Quarantined:
		return "Ingestion", "Quarantine", "Warning"
	case ingest.DiskFull:
		return "Ingestion", "Disk full", "Error"
	case ingest.Retimed:
		return "Ingestion", "TimeGenerated validation", "Warning"
	}
	return "Ingestion", string(k), "Warning"
}

func containsStatus(detail, status string) bool {
	return len(detail) >= len(status) && detail[len(detail)-len(status):] == status
}

// writeOperations writes troubles: those of one kind and table at most every ten minutes, together.
func (r *Recorder) writeOperations(ctx context.Context) error {
	now := r.o.Now().UTC()
	r.mu.Lock()
	due := map[troubleKey]trouble{}
	for k, t := range r.troubles {
		if k.kind == capKind || now.Sub(r.told[k]) >= tellEvery {
			due[k] = *t
		}
	}
	for k, at := range r.told {
		if now.Sub(at) >= tellEvery {
			delete(r.told, k)
		}
	}
	r.mu.Unlock()
	if len(due) == 0 {
		return nil
	}
	rows := make([]map[string]any, 0, len(due))
	for k, t := range due {
		cat, key, status := operation(k.kind, t.detail)
		detail := t.detail
		if k.kind != capKind {
			detail = fmt.Sprintf("%s (%d since the last such event of the table)", t.detail, t.count)
		}
		sol := "LogManagement"
		if k.kind != capKind {
			sol = solution(k.table)
		}
		rows = append(rows, map[string]any{
			"TimeGenerated": now, "OperationCategory": cat, "OperationKey": key, "OperationStatus": status, "Detail": detail, "Solution": sol, "SourceSystem": "picket", "_ResourceId": r.o.ResourceID,
		})
	}
	if _, err := r.o.Rows(ctx, OperationTable, r.schema[OperationTable], rows, ""); err != nil {
		return fmt.Errorf("write %s: %w", OperationTable, err)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.dirty = true
	for k, t := range due {
		if k.kind != capKind {
			r.told[k] = now
		}
		if left := r.troubles[k]; left.count == t.count {
			delete(r.troubles, k)
		} else {
			left.count -= t.count
		}
	}
	return nil
}

// LogOperation is the body of the function _LogOperation, over the table Operation.
const LogOperation = `Operation
| project TimeGenerated,
    Category = iff(OperationCategory == "Data Collection Status", "Ingestion", OperationCategory),
    Operation = OperationKey,
    Level = case(OperationStatus == "Error", "Error", OperationStatus == "Warning", "Warning", "Info"),
    Detail, Computer, Solution, HelpLink, _ResourceId, SourceSystem, TenantId, Type`
