package web

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"picket/canary"
	"picket/detect"
	"picket/playbook"
	"strings"
)

// Error is a failure in the shape that every route of picket uses: {"error": {"code", "message"}}. Message
// says what is wrong, where, and what to do.
type Error struct {
	Status  int    `json:"-"`
	Code    string `json:"code"`
	Message string `json:"message"`
	Target  string `json:"target,omitempty"` // the field at fault, for forms
}

func (e *Error) Error() string { return e.Code + ": " + e.Message }

// ErrNotFound is returned (wrapped) by the rooms' adapters for what does not exist; it becomes a 404.
var ErrNotFound = errors.New("not found")

// maxJSON bounds a JSON body of the page's API; uploads have their own limit.
const maxJSON = 4 << 20

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

// fail answers with err: an *Error as it is, ErrNotFound as 404, an over-long body as 413, a gone client not
// at all, anything else as 400 when the caller said so by badRequest, else as 500 with the error's text (the
// page is for people who run this server: hiding the reason would only cost them time).
func (s *Server) fail(w http.ResponseWriter, r *http.Request, err error) {
	var e *Error
	var big *http.MaxBytesError
	switch {
	case errors.As(err, &e):
		writeError(w, e)
	case errors.Is(err, ErrNotFound):
		writeError(w, &Error{Status: 404, Code: "NotFound", Message: err.Error()})
	case errors.As(err, &big):
		writeError(w, &Error{Status: 413, Code: "RequestTooLarge", Message: fmt.Sprintf("The request is larger than %d bytes.", big.Limit)})
	case errors.Is(err, context.Canceled) && r.Context().Err() != nil:
	default:
		s.d.Log.Error("page request failed", "method", r.Method, "path", r.URL.Path, "error", err)
		writeError(w, &Error{Status: 500, Code: "InternalError", Message: err.Error()})
	}
}

func badRequest(field, format string, args ...any) *Error {
	return &Error{Status: 400, Code: "InvalidInput", Target: field, Message: fmt.Sprintf(format, args...)}
}

// readJSON decodes a body into v; unknown fields are refused so that a misspelt setting is not lost silently.
func readJSON(w http.ResponseWriter, r *http.Request, v any) error {
	if ct := r.Header.Get("Content-Type"); !strings.HasPrefix(ct, "application/json") {
		return &Error{Status: 415, Code: "UnsupportedContentType", Message: fmt.Sprintf("Send application/json, not %q.", ct)}
	}
	dec := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxJSON))
	dec.DisallowUnknownFields()
	if err := dec.Decode(v); err != nil {
		var big *http.MaxBytesError
		if errors.As(err, &big) {
			return err
		}
		return badRequest("", "The body is not the expected JSON: %v.", err)
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return badRequest("", "The body holds more than one JSON value.")
	}
	return nil
}

func missingRoom(name string) *Error {
	return &Error{Status: 501, Code: "NotConfigured", Message: name + " are not part of this server: it was started without them."}
}

// roomError gives the errors of the rooms behind the API their status; others pass as they are.
func roomError(err error) error {
	var pe *playbook.Error
	var fe *canary.FieldError
	switch {
	case err == nil:
		return nil
	case errors.As(err, &pe):
		return &Error{Status: pe.Status, Code: pe.Code, Message: pe.Message}
	case errors.As(err, &fe):
		return badRequest(strings.ToLower(fe.Field[:1])+fe.Field[1:], "%s: %s.", fe.Field, fe.Msg)
	case errors.Is(err, canary.ErrNotFound):
		return &Error{Status: 404, Code: "NotFound", Message: "There is no such token: it may have been deleted."}
	case errors.Is(err, detect.ErrNotFound):
		return &Error{Status: 404, Code: "NotFound", Message: err.Error()}
	case errors.Is(err, detect.ErrConflict):
		return &Error{Status: 409, Code: "Conflict", Message: err.Error()}
	}
	return err
}
