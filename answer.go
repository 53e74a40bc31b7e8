package picket

import (
	"encoding/json"
	"net/http"
)

// answer writes v as JSON: the root package's own routes under /api/v1.
func answer(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(v) // a failed write means that the client has gone
}

// answerError writes a failure in the shape of the page's API and of Azure's: {"error": {"code", "message"}}.
func answerError(w http.ResponseWriter, status int, code, message string) {
	answer(w, status, map[string]any{"error": map[string]string{"code": code, "message": message}})
}
