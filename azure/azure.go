// Package azure speaks Azure's wire shapes and nothing else: the HTTP Data Collector, Log Analytics and
// Kusto queries, Azure Resource Manager, Microsoft.SecurityInsights, Microsoft.Logic, and the identity
// endpoints that Azure's clients ask for tokens. It turns requests into calls of the lower rooms and their
// answers and errors into the shapes that unchanged clients understand.
//
//	api, err := azure.New(azure.Deps{State: db, Workspace: ws, …})
//	mux.Handle("/", api.Handler())
package azure

import (
	"encoding/json"
	"net/http"
	"strings"
)

// Workspace says who this workspace is on the wire. All ids are GUIDs in lower case.
type Workspace struct {
	ID             string // the customer id that senders and query clients name
	TenantID       string
	SubscriptionID string
	ResourceGroup  string
	Name           string
	Location       string   // "local"
	SharedKeys     []string // base64; primary, secondary
}

// ResourceID is the workspace's path in Azure Resource Manager.
func (w Workspace) ResourceID() string {
	return "/subscriptions/" + w.SubscriptionID + "/resourceGroups/" + w.ResourceGroup +
		"/providers/Microsoft.OperationalInsights/workspaces/" + w.Name
}

// Error is a failure in Azure's shape: {"error": {"code", "message"}} with an HTTP status.
type Error struct {
	Status  int    `json:"-"`
	Code    string `json:"code"`
	Message string `json:"message"`
	Inner   any    `json:"innererror,omitempty"`
	Details any    `json:"details,omitempty"`
}

func (e *Error) Error() string { return e.Code + ": " + e.Message }

func writeJSON(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	_ = enc.Encode(v) // the status is out; a failed write means that the client has gone
}

func writeError(w http.ResponseWriter, e *Error) {
	writeJSON(w, e.Status, map[string]any{"error": e})
}

// trimAudience makes audiences comparable: trailing slashes and case of the host don't matter.
func trimAudience(a string) string { return strings.ToLower(strings.TrimRight(a, "/")) }
