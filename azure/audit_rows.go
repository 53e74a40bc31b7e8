package azure

import (
	"context"
	"errors"
	"net/http"
	"picket/query"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"
)

// What audit records say. None holds a secret: bodies, query strings of requests, keys and tokens are left out.

// armOperation names what a request did, as the operations of Resource Manager are called.
func armOperation(method, path string) (op, resourceType, resource string) {
	parts := strings.Split(strings.Trim(path, "/"), "/")
	at := -1
	for i, p := range parts {
		if strings.EqualFold(p, "providers") {
			at = i
		}
	}
	ns, rest := "Microsoft.Resources", parts
	if at >= 0 && at+1 < len(parts) {
		ns, rest = parts[at+1], parts[at+2:]
	}
	types := []string{ns}
	for i := 0; i < len(rest); i += 2 {
		types = append(types, rest[i])
		if i+1 < len(rest) {
			resource = rest[i+1]
		}
	}
	verb := "ACTION"
	switch method {
	case http.MethodPut, http.MethodPatch:
		verb = "WRITE"
	case http.MethodDelete:
		verb = "DELETE"
	}
	resourceType = strings.Join(types, "/")
	if verb == "ACTION" && len(rest)%2 == 1 && len(types) > 1 {
		resourceType = strings.Join(types[:len(types)-1], "/")
	}
	return strings.ToUpper(strings.Join(types, "/") + "/" + verb), resourceType, resource
}

// auditARM records a change over Resource Manager, or a secret that was read.
func (a *API) auditARM(r *call, status int) {
	if a.audit == nil {
		return
	}
	c := callerFrom(r.Context())
	op, rtype, name := armOperation(r.Method, r.URL.Path)
	result, level := "Success", "Information"
	if status >= 400 {
		result, level = "Failure", "Error"
	}
	ws := a.d.Workspace
	provider, _, _ := strings.Cut(rtype, "/")
	now := a.d.Now().UTC()
	display := map[string]string{http.MethodPut: "Create or update ", http.MethodPatch: "Update ", http.MethodDelete: "Delete "}[r.Method]
	if display == "" {
		display = "Call " + r.URL.Path[strings.LastIndexByte(r.URL.Path, '/')+1:] + " of "
	}
	a.audit.add(TableActivity, map[string]any{
		"TimeGenerated": now, "EventSubmissionTimestamp": now, "ActivityStatusValue": result, "ActivitySubstatusValue": http.StatusText(status), "Level": level,
		"Caller": r.who.Name, "CallerIpAddress": c.ip, "CategoryValue": "Administrative", "CorrelationId": c.correlation, "OperationId": c.correlation, "EventDataId": uuid.NewString(),
		"Authorization_d": map[string]any{"action": op, "scope": r.URL.Path, "evidence": map[string]any{"role": string(r.who.Role), "principalId": r.who.ID}},
		"Claims_d":        map[string]any{"oid": r.who.ID, "name": r.who.Name},
		"HTTPRequest":     `{"method":"` + r.Method + `","clientIpAddress":"` + c.ip + `"}`,
		"Hierarchy":       ws.SubscriptionID, "OperationName": display + rtype, "OperationNameValue": op,
		"Properties_d": map[string]any{"statusCode": http.StatusText(status), "httpStatus": status, "resource": name, "entity": r.URL.Path, "message": op},
		"Resource":     name, "ResourceGroup": ws.ResourceGroup, "_ResourceId": strings.ToLower(r.URL.Path), "ResourceProviderValue": strings.ToUpper(provider), "SubscriptionId": ws.SubscriptionID,
	})
	a.auditSentinel(r, status, rtype, name, c)
}

// sentinelKinds are the resources whose changes SentinelAudit holds, by their type in lower case.
var sentinelKinds = map[string]string{"alertrules": "Analytic Rule", "automationrules": "Automation Rule", "watchlists": "Watchlist"}

func (a *API) auditSentinel(r *call, status int, rtype, name string, c caller) {
	parts := strings.Split(strings.ToLower(rtype), "/")
	if len(parts) < 2 || parts[0] != "microsoft.securityinsights" {
		return
	}
	kind, ok := sentinelKinds[parts[1]]
	if !ok || r.Method != http.MethodPut && r.Method != http.MethodDelete && r.Method != http.MethodPatch {
		return
	}
	verb, result := "Create or update ", "Success"
	if r.Method == http.MethodDelete {
		verb = "Delete "
	}
	if status >= 400 {
		result = "Failure"
	}
	op := verb + strings.ToLower(kind)
	if len(parts) > 2 {
		op = verb + "item of " + strings.ToLower(kind)
	}
	a.audit.add(TableSentinel, map[string]any{
		"CorrelationId": c.correlation, "Description": op + ": " + strings.ToLower(http.StatusText(status)), "OperationName": op, "Status": result, "WorkspaceId": a.d.Workspace.ID,
		"SentinelResourceId": r.URL.Path, "SentinelResourceName": name, "SentinelResourceType": kind, "SentinelResourceKind": kind,
		"ExtendedProperties": map[string]any{"CallerName": r.who.Name, "CallerObjectId": r.who.ID, "CallerIpAddress": c.ip, "Role": string(r.who.Role), "HttpStatus": status},
	})
}

// auditQuery records a question that was asked.
func (a *API) auditQuery(ctx context.Context, who Principal, q *query.Request, res *query.Result, err error, took time.Duration) {
	if a.audit == nil {
		return
	}
	c := callerFrom(ctx)
	status, rows, gb := 200, 0, 0.0
	if err != nil {
		status, _ = queryError(err)
		if errors.Is(err, context.Canceled) {
			status = 499
		}
	}
	if res != nil {
		for i := range res.Tables {
			rows += res.Tables[i].Rows()
		}
		gb = float64(res.Stats.BytesRead) / 1e9
	}
	row := map[string]any{
		"AADClientId": who.ID, "AADObjectId": who.ID, "AADEmail": who.Name, "AADTenantId": a.d.Workspace.TenantID, "CorrelationId": c.correlation, "QueryText": q.Text,
		"RequestClientApp": orDefault(c.app, cut(c.agent, 128)), "RequestContext": map[string]any{"workspaces": []string{a.d.Workspace.ResourceID()}}, "RequestTarget": "V1",
		"ResponseCode": status, "ResponseDurationMs": float64(took.Microseconds()) / 1000, "ResponseRowCount": rows, "ScannedGB": gb,
		"StatsRegionCount": 1, "StatsWorkspaceCount": 1, "WorkspaceRegion": a.d.Workspace.Location, "_ResourceId": strings.ToLower(a.d.Workspace.ResourceID()),
	}
	if !q.From.IsZero() {
		row["QueryTimeRangeStart"] = q.From.UTC()
	}
	if !q.To.IsZero() {
		row["QueryTimeRangeEnd"] = q.To.UTC()
	}
	a.audit.add(TableQueries, row)
}

// SignIn is an attempt to sign in, as the page and other doors tell it.
type SignIn struct {
	UserID, UserName, DisplayName string
	App                           string // "picket" for the page
	Protocol                      string // "password", "oidc", "deviceCode", "oAuth2", …
	IP, Agent                     string
	Err                           string // why it failed; "" is success
	Interactive                   bool
	Resource                      string // the audience of a token
	TokenID                       string // its jti
	AppID                         string
}

// AuditSignIn records a person's sign-in.
func (a *API) AuditSignIn(s SignIn) {
	if a.audit == nil {
		return
	}
	code, desc, sig := "0", "", "SUCCESS"
	if s.Err != "" {
		code, desc, sig = "50126", s.Err, "FAILURE"
	}
	now := a.d.Now().UTC()
	id := uuid.NewString()
	cat := "SignInLogs"
	if !s.Interactive {
		cat = "NonInteractiveUserSignInLogs"
	}
	a.audit.add(TableSignIn, map[string]any{
		"TimeGenerated": now, "CreatedDateTime": now, "AADTenantId": a.d.Workspace.TenantID, "AppDisplayName": s.App, "AppId": s.AppID, "AuthenticationProtocol": s.Protocol,
		"AuthenticationRequirement": "singleFactorAuthentication", "Category": cat, "ClientAppUsed": "Browser", "CorrelationId": id, "Id": id, "Identity": orDefault(s.DisplayName, s.UserName),
		"IPAddress": s.IP, "IsInteractive": s.Interactive, "Level": "4", "OperationName": "Sign-in activity", "ResourceDisplayName": s.Resource, "ResourceIdentity": s.Resource, "ResultType": code,
		"ResultSignature": sig, "ResultDescription": desc, "UniqueTokenIdentifier": s.TokenID, "UserAgent": cut(s.Agent, 512), "UserDisplayName": orDefault(s.DisplayName, s.UserName), "UserId": s.UserID,
		"UserPrincipalName": s.UserName, "UserType": "Member", "DurationMs": int64(0),
	})
}

// auditToken records a token that a service principal or managed identity got, or was refused.
func (a *API) auditToken(r *http.Request, table, id, name, resource, jti string, code int, desc string) {
	if a.audit == nil {
		return
	}
	c := a.callerOf(r)
	now := a.d.Now().UTC()
	sig, cred := "SUCCESS", "clientSecret"
	if code != 0 {
		sig = "FAILURE"
	}
	cat := "ServicePrincipalSignInLogs"
	if table == TableIdentity {
		cat, cred = "ManagedIdentitySignInLogs", "managedIdentity"
	}
	a.audit.add(table, map[string]any{
		"TimeGenerated": now, "CreatedDateTime": now, "AADTenantId": a.d.Workspace.TenantID, "AppId": cut(id, 256), "Category": cat, "CorrelationId": c.correlation, "Id": uuid.NewString(),
		"Identity": name, "IPAddress": c.ip, "Level": "4", "OperationName": "Sign-in activity", "ResourceDisplayName": cut(resource, 256), "ResourceIdentity": cut(resource, 256),
		"ResultType": strconv.Itoa(code), "ResultSignature": sig, "ResultDescription": desc, "ServicePrincipalId": cut(id, 256), "ServicePrincipalName": name, "UniqueTokenIdentifier": jti, "UserAgent": c.agent,
		"ClientCredentialType": cred, "DurationMs": int64(0),
	})
}

// auditDirectory records a change to who has access.
func (a *API) auditDirectory(ctx context.Context, who Principal, op, category, kind, id, name string, details map[string]string, err error) {
	if a.audit == nil {
		return
	}
	c := callerFrom(ctx)
	now := a.d.Now().UTC()
	result, reason := "success", ""
	if err != nil {
		result, reason = "failure", err.Error()
	}
	more := []map[string]string{}
	for _, k := range sortedKeys(details) {
		more = append(more, map[string]string{"key": k, "value": details[k]})
	}
	typ := "Add"
	switch {
	case strings.HasPrefix(op, "Delete"), strings.HasPrefix(op, "Remove"):
		typ = "Delete"
	case strings.HasPrefix(op, "Update"):
		typ = "Update"
	}
	a.audit.add(TableDirectory, map[string]any{
		"TimeGenerated": now, "ActivityDateTime": now, "AADOperationType": typ, "AADTenantId": a.d.Workspace.TenantID, "ActivityDisplayName": op, "OperationName": op, "Category": category,
		"CorrelationId": c.correlation, "Id": uuid.NewString(), "Identity": who.Name, "LoggedByService": "picket", "Result": result, "ResultReason": reason,
		"InitiatedBy":       map[string]any{"user": map[string]any{"id": who.ID, "displayName": who.Name, "ipAddress": c.ip}},
		"TargetResources":   []any{map[string]any{"id": id, "displayName": name, "type": kind}},
		"AdditionalDetails": more,
	})
}
