package azure

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"picket/kql/value"
	"sync/atomic"
	"time"

	"github.com/google/uuid"
)

// The audit log is rows: what was changed, who signed in, which tokens were given and what was asked, in the tables
// and columns that users of Azure know (docs/access.md lists them). Records wait in a bounded queue, so that a full
// disk never holds up a request; what does not fit is counted, logged, and told in a row of Operation.

// AppendAudit stores rows of one audit table durably; opID makes a repeated batch apply once. The columns are those
// of [AuditSchemas].
type AppendAudit func(ctx context.Context, table string, rows []map[string]any, opID string) error

const (
	auditQueue   = 8192 // records that wait
	auditBatch   = 1000
	auditPause   = time.Second // between two batches, so that a burst is one commit
	auditRetry   = 30 * time.Second
	auditFarTime = 5 * time.Second // for the last batch, when the server ends
	maxAuditText = 32 << 10        // bytes of one text
)

// The audit tables.
const (
	TableActivity  = "AzureActivity"                 // changes over Resource Manager, and keys that were read
	TablePrincipal = "AADServicePrincipalSignInLogs" // tokens of service principals
	TableIdentity  = "AADManagedIdentitySignInLogs"  // tokens of managed identities
	TableSignIn    = "SigninLogs"                    // people: device codes, browser sign-ins, the page's logins
	TableDirectory = "AuditLogs"                     // principals, identities, tokens and roles made, changed, removed
	TableQueries   = "LAQueryLogs"                   // questions to the Log Analytics and Kusto APIs
	TableSentinel  = "SentinelAudit"                 // changes to rules, automation rules and watchlists
	TableOperation = "Operation"                     // told here: audit records that were lost
)

// AuditSchemas are the columns that picket fills, by table.
func AuditSchemas() map[string]value.Schema {
	signIn := "AADTenantId:string AppId:string Category:string CorrelationId:string CreatedDateTime:datetime DurationMs:long Id:string Identity:string IPAddress:string Level:string Location:string OperationName:string ResourceDisplayName:string ResourceIdentity:string ResultDescription:string ResultSignature:string ResultType:string ServicePrincipalId:string ServicePrincipalName:string UniqueTokenIdentifier:string UserAgent:string ClientCredentialType:string"
	return map[string]value.Schema{
		TableActivity:  columns("TimeGenerated:datetime ActivityStatusValue:string ActivitySubstatusValue:string Authorization_d:dynamic Caller:string CallerIpAddress:string CategoryValue:string Claims_d:dynamic CorrelationId:string EventDataId:string EventSubmissionTimestamp:datetime Hierarchy:string HTTPRequest:string Level:string OperationId:string OperationName:string OperationNameValue:string Properties_d:dynamic Resource:string ResourceGroup:string _ResourceId:string ResourceProviderValue:string SubscriptionId:string SourceSystem:string"),
		TablePrincipal: columns("TimeGenerated:datetime SourceSystem:string " + signIn),
		TableIdentity:  columns("TimeGenerated:datetime SourceSystem:string " + signIn),
		TableSignIn:    columns("TimeGenerated:datetime SourceSystem:string AADTenantId:string AppDisplayName:string AppId:string AuthenticationProtocol:string AuthenticationRequirement:string Category:string ClientAppUsed:string CorrelationId:string CreatedDateTime:datetime DurationMs:long Id:string Identity:string IPAddress:string IsInteractive:bool Level:string OperationName:string ResourceDisplayName:string ResourceIdentity:string ResultDescription:string ResultSignature:string ResultType:string UniqueTokenIdentifier:string UserAgent:string UserDisplayName:string UserId:string UserPrincipalName:string UserType:string"),
		TableDirectory: columns("TimeGenerated:datetime SourceSystem:string AADOperationType:string AADTenantId:string ActivityDateTime:datetime ActivityDisplayName:string AdditionalDetails:dynamic Category:string CorrelationId:string Id:string Identity:string InitiatedBy:dynamic LoggedByService:string OperationName:string Result:string ResultReason:string TargetResources:dynamic"),
		TableQueries:   columns("TimeGenerated:datetime SourceSystem:string AADClientId:string AADEmail:string AADObjectId:string AADTenantId:string CorrelationId:string QueryText:string QueryTimeRangeEnd:datetime QueryTimeRangeStart:datetime RequestClientApp:string RequestContext:dynamic RequestTarget:string ResponseCode:int ResponseDurationMs:real ResponseRowCount:int ScannedGB:real StatsRegionCount:int StatsWorkspaceCount:int WorkspaceRegion:string _ResourceId:string"),
		TableSentinel:  columns("TimeGenerated:datetime SourceSystem:string CorrelationId:string Description:string ExtendedProperties:dynamic OperationName:string SentinelResourceId:string SentinelResourceKind:string SentinelResourceName:string SentinelResourceType:string Status:string WorkspaceId:string"),
		TableOperation: columns("TimeGenerated:datetime SourceSystem:string OperationStatus:string Detail:string OperationCategory:string Solution:string"),
	}
}

type auditRow struct {
	table string
	row   map[string]any
}

// auditor keeps records until they are stored. All of its methods work on nil, which audits nothing.
type auditor struct {
	appendTo AppendAudit
	log      *slog.Logger
	now      func() time.Time
	queue    chan auditRow
	lost     atomic.Int64 // since the server began

	// What follows is run's own.
	told    int64                   // of lost, in rows that were made
	pending map[string][]auditTrial // by table, oldest first: batches that are not stored yet
	waiting int                     // rows in pending
}

// auditTrial is a batch under one id, so that a repeated attempt applies once.
type auditTrial struct {
	opID string
	rows []map[string]any
}

func newAuditor(store AppendAudit, log *slog.Logger, now func() time.Time) *auditor {
	if store == nil {
		return nil
	}
	if log == nil {
		log = slog.Default()
	}
	return &auditor{appendTo: store, log: log, now: now, queue: make(chan auditRow, auditQueue), pending: map[string][]auditTrial{}}
}

// add never blocks.
func (u *auditor) add(table string, row map[string]any) {
	if u == nil {
		return
	}
	if _, ok := row["TimeGenerated"]; !ok {
		row["TimeGenerated"] = u.now().UTC()
	}
	row["SourceSystem"] = "picket"
	for k, v := range row {
		if s, ok := v.(string); ok && len(s) > maxAuditText {
			row[k] = cut(s, maxAuditText)
		}
	}
	select {
	case u.queue <- auditRow{table, row}:
	default:
		if u.lost.Add(1) == 1 {
			u.log.Error("audit records are lost: the queue is full", "waiting", auditQueue)
		}
	}
}

// run stores records until ctx ends, and then what is left.
func (u *auditor) run(ctx context.Context) error {
	wait := auditPause
	for {
		var again <-chan time.Time
		var t *time.Timer
		if u.waiting > 0 {
			t = time.NewTimer(wait)
			again = t.C
		}
		var first []auditRow
		select {
		case <-ctx.Done():
		case r := <-u.queue:
			first = []auditRow{r}
			p := time.NewTimer(auditPause) // a burst becomes one batch
			select {
			case <-p.C:
			case <-ctx.Done():
				p.Stop()
			}
		case <-again:
		}
		if t != nil {
			t.Stop()
		}
		u.gather(first)
		if ctx.Err() != nil {
			return u.end(ctx)
		}
		if u.store(ctx) {
			wait = auditPause
		} else {
			wait = min(2*wait, auditRetry)
		}
	}
}

// end stores all that waits, within auditFarTime.
func (u *auditor) end(ctx context.Context) error {
	last, cancel := context.WithTimeout(context.WithoutCancel(ctx), auditFarTime)
	defer cancel()
	for {
		ok := u.store(last)
		n := len(u.queue)
		if !ok || n == 0 {
			break
		}
		u.gather(nil)
	}
	if n := u.waiting + len(u.queue); n > 0 {
		u.log.Error("audit records are lost: they could not be stored before the end", "records", n)
	}
	return nil
}

// gather moves records from the queue into batches.
func (u *auditor) gather(rows []auditRow) {
	batches := map[string][]map[string]any{}
	put := func(r auditRow) { batches[r.table] = append(batches[r.table], r.row) }
	for _, r := range rows {
		put(r)
	}
fill:
	for n := len(rows); n < auditBatch; n++ {
		select {
		case r := <-u.queue:
			put(r)
		default:
			break fill
		}
	}
	if lost := u.lost.Load(); lost > u.told {
		put(auditRow{TableOperation, map[string]any{
			"TimeGenerated": u.now().UTC(), "SourceSystem": "picket", "OperationStatus": "Warning", "OperationCategory": "Audit", "Solution": "picket",
			"Detail": fmt.Sprintf("%d audit records were lost because they could not be stored as fast as they came.", lost-u.told),
		}})
		u.told = lost
	}
	for _, table := range sortedKeys(batches) {
		u.pending[table] = append(u.pending[table], auditTrial{"audit/" + uuid.NewString(), batches[table]})
		u.waiting += len(batches[table])
		for u.waiting > auditQueue && len(u.pending[table]) > 1 {
			n := len(u.pending[table][0].rows)
			u.pending[table] = u.pending[table][1:]
			u.waiting -= n
			u.lost.Add(int64(n))
		}
	}
}

// store tries every batch that waits; a table that takes none holds up no other. It reports whether nothing is left.
func (u *auditor) store(ctx context.Context) bool {
	for _, table := range sortedKeys(u.pending) {
		for len(u.pending[table]) > 0 {
			t := u.pending[table][0]
			if err := u.appendTo(ctx, table, t.rows, t.opID); err != nil {
				u.log.Warn("audit records are not stored yet", "table", table, "records", len(t.rows), "error", err)
				break
			}
			u.pending[table] = u.pending[table][1:]
			u.waiting -= len(t.rows)
		}
		if len(u.pending[table]) == 0 {
			delete(u.pending, table)
		}
	}
	return u.waiting == 0
}

// Run stores audit records until ctx ends, and then those that are left.
func (a *API) Run(ctx context.Context) error {
	if a.audit == nil {
		<-ctx.Done()
		return nil
	}
	return a.audit.run(ctx)
}

// AuditLost counts audit records that were lost since the server began.
func (a *API) AuditLost() int64 {
	if a.audit == nil {
		return 0
	}
	return a.audit.lost.Load()
}

// caller is what an audit record says about a request.
type caller struct {
	ip, agent, app, correlation string
}

type callerKey struct{}

// withCaller notes who asks in the request's context.
func (a *API) withCaller(r *http.Request) *http.Request {
	c := a.callerOf(r)
	return r.WithContext(context.WithValue(r.Context(), callerKey{}, c))
}

func (a *API) callerOf(r *http.Request) caller {
	c := caller{agent: cut(r.UserAgent(), 512), app: cut(r.Header.Get("x-ms-app"), 128), correlation: r.Header.Get("x-ms-correlation-request-id")}
	if _, err := uuid.Parse(c.correlation); err != nil {
		c.correlation = uuid.NewString()
	}
	if a.d.ClientIP != nil {
		c.ip = a.d.ClientIP(r)
	} else if host, _, err := net.SplitHostPort(r.RemoteAddr); err == nil {
		c.ip = host
	}
	return c
}

func callerFrom(ctx context.Context) caller {
	c, ok := ctx.Value(callerKey{}).(caller)
	if !ok {
		c.correlation = uuid.NewString()
	}
	return c
}

// statusWriter keeps the status of an answer.
type statusWriter struct {
	http.ResponseWriter
	status int
}

func (w *statusWriter) WriteHeader(s int) {
	if w.status == 0 {
		w.status = s
	}
	w.ResponseWriter.WriteHeader(s)
}

func (w *statusWriter) Write(b []byte) (int, error) {
	if w.status == 0 {
		w.status = 200
	}
	return w.ResponseWriter.Write(b)
}

// Unwrap lets http.ResponseController reach the writer.
func (w *statusWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }
