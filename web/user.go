package web

import (
	"context"
	"net/http"
)

// WithUser returns r as a request of u: the caller has checked who it comes from (a bearer token, the socket
// in the data folder). Handlers behind [Server.Authenticate] then take it as they take a session.
func WithUser(r *http.Request, u User) *http.Request {
	return r.WithContext(context.WithValue(r.Context(), userKey{}, u))
}
