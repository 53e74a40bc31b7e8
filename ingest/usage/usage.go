// Package usage counts what a workspace takes in and writes it down as Log Analytics does: Usage rows each hour,
// Operation rows of what went wrong, Heartbeat rows each minute of every computer that sends. It holds the daily cap, and
// it knows every sender that was seen.
//
//	u, err := usage.New(ctx, usage.Options{State: db, Schemas: tables, Rows: func(…) { return in.Rows(…) }})
//	in := ingest.New(ingest.Options{Lake: lk, Meter: u})
//	handler = u.Handler(handler) // says who sends
//	go u.Run(ctx)                // writes the rows and keeps the counts
//
// Counts are kept in the control store every ten seconds: a crash loses at most those of its last ten seconds. Sizes are
// bytes of text as sent, unpacked; a megabyte is 10^6 of them, as in the service's bills.
package usage

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"picket/ingest"
	"picket/kql/value"
	"picket/lake"
	"picket/state"
	"strings"
	"sync"
	"time"
)

// The tables that the recorder writes.
const (
	Table          = "Usage"
	OperationTable = "Operation"
	HeartbeatTable = "Heartbeat"
)

// Options of a Recorder.
type Options struct {
	// State keeps the counts (its migrations: [Migrations]); nil keeps them in memory only.
	State *state.DB
	// Rows stores rows of a table (ingest.Ingest.Rows).
	Rows func(ctx context.Context, table string, s value.Schema, rows []map[string]any, opID string) (lake.Ack, error)
	// Schemas holds the columns of Usage, Operation and Heartbeat (standard.Tables).
	Schemas map[string]value.Schema
	// ResourceID is the workspace's, for Usage.ResourceUri.
	ResourceID string
	Version    string // of the product, for Heartbeat.Version
	// Free are tables that are not billable beside those that never are, such as the product's own.
	Free []string

	// DailyCap is how many bytes of billable tables may come in a day; 0 is without end.
	DailyCap int64
	// ResetHour is the hour (UTC, 0 to 23) at which the day of the cap begins.
	ResetHour int
	// CapSecurity holds the tables of security data to the cap too; by default they come in whatever happens, as in a
	// workspace with Defender for Servers.
	CapSecurity bool

	Now func() time.Time // default time.Now
	Log *slog.Logger     // default slog.Default()
}

// Recorder is safe for concurrent use. It is an ingest.Meter.
type Recorder struct {
	o      Options
	schema map[string]value.Schema
	free   map[string]bool

	mu        sync.Mutex
	hours     map[hourTable]*tally
	day       day
	senders   map[string]*Sender
	computers map[string]beat
	troubles  map[troubleKey]*trouble
	told      map[troubleKey]time.Time
	changed   map[string]bool // senders that are to be kept
	dirty     bool
	capSet    bool // by SetCap
}

type hourTable struct {
	hour  int64 // since 1970
	table string
}

type tally struct{ rows, bytes, batches int64 }

// day is what came in since the cap's last reset.
type day struct {
	number  int64 // since 1970, shifted by the reset hour
	bytes   int64 // of capped tables
	warned  bool  // 80% were told of
	stopped bool
}

type troubleKey struct {
	kind  ingest.TroubleKind
	table string
}

type trouble struct {
	count  int64
	detail string
}

type beat struct {
	ip, protocol string
}

const (
	maxSenders   = 5000
	maxComputers = 10_000
	maxTroubles  = 1000
)

// New makes a recorder and reads what earlier ones kept.
func New(ctx context.Context, o Options) (*Recorder, error) {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Log == nil {
		o.Log = slog.Default()
	}
	if o.ResetHour < 0 || o.ResetHour > 23 || o.DailyCap < 0 {
		return nil, fmt.Errorf("usage: the reset hour %d is not 0 to 23, or the daily cap %d is negative", o.ResetHour, o.DailyCap)
	}
	r := &Recorder{
		o: o, schema: map[string]value.Schema{}, free: map[string]bool{}, hours: map[hourTable]*tally{}, senders: map[string]*Sender{},
		computers: map[string]beat{}, troubles: map[troubleKey]*trouble{}, told: map[troubleKey]time.Time{}, changed: map[string]bool{},
	}
	for _, t := range append(o.Free, neverBilled...) {
		r.free[t] = true
	}
	for _, t := range []string{Table, OperationTable, HeartbeatTable} {
		if o.Schemas[t] == nil {
			return nil, fmt.Errorf("usage: the columns of %s are not known", t)
		}
		for _, c := range o.Schemas[t] {
			if c.Name != "TenantId" && c.Name != "Type" {
				r.schema[t] = append(r.schema[t], c)
			}
		}
	}
	r.day.number = r.dayOf(o.Now())
	if err := r.load(ctx); err != nil {
		return nil, err
	}
	return r, nil
}

// neverBilled are the tables that the service takes in for nothing, and picket's own.
var neverBilled = []string{
	"AzureActivity", Table, OperationTable, HeartbeatTable, "SecurityAlert", "SecurityIncident", "SentinelHealth", "SentinelAudit", "OfficeActivity",
	"CanaryTrips", ingest.QuarantineTable,
}

// security are the tables that a cap leaves alone unless Options.CapSecurity is set.
var security = map[string]bool{
	"WindowsEvent": true, "SecurityAlert": true, "SecurityBaseline": true, "SecurityBaselineSummary": true, "SecurityDetection": true, "SecurityEvent": true,
	"WindowsFirewall": true, "MaliciousIPCommunication": true, "LinuxAuditLog": true, "SysmonEvent": true, "ProtectionStatus": true, "Update": true,
	"UpdateSummary": true, "CommonSecurityLog": true, "Syslog": true,
}

// Billable says whether rows of the table count for the bill and the cap.
func (r *Recorder) Billable(table string) bool { return !r.free[table] }

func (r *Recorder) capped(table string) bool {
	return !r.free[table] && (r.o.CapSecurity || !security[table])
}

func (r *Recorder) dayOf(t time.Time) int64 {
	return (t.Unix() - int64(r.o.ResetHour)*3600) / 86400
}

// reset is when the day ends.
func (r *Recorder) reset(day int64) time.Time {
	return time.Unix((day+1)*86400+int64(r.o.ResetHour)*3600, 0).UTC()
}

// turn begins a new day when its hour has come. r.mu is held.
func (r *Recorder) turn(now time.Time) {
	n := r.dayOf(now)
	if n <= r.day.number { // a clock that goes back does not end a day
		return
	}
	if r.day.stopped {
		r.note(capKind, "", 0, "Data collection resumed: a new day of the daily cap began. Ingestion status = RespectQuota")
	}
	r.day = day{number: n}
	r.dirty = true
}

// capKind is the trouble of the daily cap; each change of its state is told at once.
const capKind ingest.TroubleKind = "cap"

// Admit refuses rows of tables that the cap holds once it is reached, until it resets: 429, code OverQuota. What comes
// under the sender "import" is not held.
func (r *Recorder) Admit(ctx context.Context, table string) error {
	if !r.capped(table) || imported(ctx) {
		return nil
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.o.DailyCap == 0 {
		return nil
	}
	now := r.o.Now()
	r.turn(now)
	if r.day.bytes < r.o.DailyCap {
		return nil
	}
	return &ingest.Error{
		Code: "OverQuota", Status: http.StatusTooManyRequests,
		Message: fmt.Sprintf("The daily cap of %s is reached: data for %s is taken again from %s.", megabytes(r.o.DailyCap), table, r.reset(r.day.number).Format(time.RFC3339)),
	}
}

func imported(ctx context.Context) bool {
	s, ok := ingest.SenderOf(ctx)
	return ok && s.Protocol == "import"
}

func megabytes(n int64) string { return fmt.Sprintf("%.3g MB", float64(n)/1e6) }

// Stored counts rows that are on disk.
func (r *Recorder) Stored(ctx context.Context, table string, rows int, bytes int64) {
	now := r.o.Now()
	s, ok := ingest.SenderOf(ctx)
	r.mu.Lock()
	defer r.mu.Unlock()
	r.dirty = true
	k := hourTable{now.Unix() / 3600, table}
	t := r.hours[k]
	if t == nil {
		t = &tally{}
		r.hours[k] = t
	}
	t.rows += int64(rows)
	t.bytes += bytes
	t.batches++
	if ok && table != ingest.QuarantineTable {
		r.seen(s, table, rows, bytes, now)
	}
	r.turn(now)
	if !r.capped(table) || s.Protocol == "import" {
		return
	}
	r.day.bytes += bytes
	limit := r.o.DailyCap
	switch {
	case limit == 0:
	case r.day.bytes >= limit && !r.day.stopped:
		r.day.stopped = true
		r.note(capKind, "", 0, fmt.Sprintf("Data collection stopped: the daily cap of %s is reached. It goes on at %s. Ingestion status = OverQuota", megabytes(limit), r.reset(r.day.number).Format(time.RFC3339)))
	case r.day.bytes >= limit/5*4 && !r.day.warned:
		r.day.warned = true
		r.note(capKind, "", 0, fmt.Sprintf("80%% of the daily cap of %s came in. Ingestion status = ApproachingQuota", megabytes(limit)))
	}
}

// Trouble notes something for the table Operation.
func (r *Recorder) Trouble(_ context.Context, t ingest.Trouble) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.note(t.Kind, t.Table, t.Count, t.Detail)
}

// note keeps a trouble until it is written. r.mu is held.
func (r *Recorder) note(kind ingest.TroubleKind, table string, count int64, detail string) {
	k := troubleKey{kind, table}
	if kind == capKind {
		k.table = detail // each is a row of its own
	}
	t := r.troubles[k]
	if t == nil {
		if len(r.troubles) >= maxTroubles {
			return
		}
		t = &trouble{}
		r.troubles[k] = t
	}
	t.count += count
	t.detail = detail
	r.dirty = true
}

// Quota is the state of the daily cap.
type Quota struct {
	Status string    // RespectQuota, ApproachingQuota, OverQuota: workspaceCapping.dataIngestionStatus
	Cap    int64     // bytes a day, 0 without one
	Used   int64     // bytes since the last reset, of the tables that are held to it
	Next   time.Time // when it resets: workspaceCapping.quotaNextResetTime
}

// Quota gives the state of the daily cap.
func (r *Recorder) Quota() Quota {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.turn(r.o.Now())
	q := Quota{Status: "RespectQuota", Cap: r.o.DailyCap, Used: r.day.bytes, Next: r.reset(r.day.number)}
	switch {
	case q.Cap == 0:
	case q.Used >= q.Cap:
		q.Status = "OverQuota"
	case q.Used >= q.Cap/5*4:
		q.Status = "ApproachingQuota"
	}
	return q
}

// SetCap changes the daily cap, 0 lifts it. It is kept with the counts: from then on it holds in place of
// Options.DailyCap, also after a restart.
func (r *Recorder) SetCap(bytes int64) error {
	if bytes < 0 {
		return fmt.Errorf("usage: the daily cap %d is negative", bytes)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.day.stopped && (bytes == 0 || r.day.bytes < bytes) {
		r.note(capKind, "", 0, "Data collection resumed: the daily cap was raised. Ingestion status = RespectQuota")
		r.day.stopped, r.day.warned = false, false
	}
	r.o.DailyCap, r.capSet, r.dirty = bytes, true, true
	return nil
}

// TableUsage is what came in for a table.
type TableUsage struct {
	Table    string
	Billable bool
	Rows     int64 // in the window
	Bytes    int64
}

// Recent gives what came in by table in the current hour and the one before, as far as it is not written to Usage yet.
func (r *Recorder) Recent() []TableUsage {
	r.mu.Lock()
	defer r.mu.Unlock()
	sum := map[string]*TableUsage{}
	for k, t := range r.hours {
		u := sum[k.table]
		if u == nil {
			u = &TableUsage{Table: k.table, Billable: r.Billable(k.table)}
			sum[k.table] = u
		}
		u.Rows += t.rows
		u.Bytes += t.bytes
	}
	out := make([]TableUsage, 0, len(sum))
	for _, u := range sum {
		out = append(out, *u)
	}
	return out
}

// solution is the management solution that a table belongs to.
func solution(table string) string {
	switch {
	case table == "SecurityEvent" || table == "SecurityBaseline" || table == "SecurityDetection" || table == "CommonSecurityLog" || table == "WindowsFirewall" || table == "WindowsEvent":
		return "Security"
	case table == "SecurityAlert" || table == "SecurityIncident" || strings.HasPrefix(table, "Sentinel") || strings.HasPrefix(table, "ThreatIntel") || table == "Watchlist" || table == "BehaviorAnalytics":
		return "SecurityInsights"
	}
	return "LogManagement"
}
