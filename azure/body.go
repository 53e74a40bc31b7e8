package azure

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"strings"
	"unicode/utf8"
)

// readBody reads a request's body, unpacked where Content-Encoding says gzip (or its first bytes do, with sniff:
// some clients send packed files without saying so). Both sizes are held to limit. Errors have the status 413
// or 400 and the code given for malformed bodies.
func readBody(w http.ResponseWriter, r *http.Request, limit int64, sniff bool, badCode string) ([]byte, *Error) {
	raw, err := io.ReadAll(http.MaxBytesReader(w, r.Body, limit))
	if err != nil {
		var big *http.MaxBytesError
		if errors.As(err, &big) {
			return nil, &Error{Status: 413, Code: "ContentLengthLimitExceeded", Message: fmt.Sprintf("The request is larger than the limit of %d bytes.", limit)}
		}
		return nil, &Error{Status: 400, Code: badCode, Message: "The body could not be read: " + err.Error()}
	}
	switch enc := strings.ToLower(strings.TrimSpace(r.Header.Get("Content-Encoding"))); enc {
	case "gzip":
	case "", "identity":
		if !sniff || len(raw) < 2 || raw[0] != 0x1f || raw[1] != 0x8b {
			return raw, nil
		}
	default:
		return nil, &Error{Status: 415, Code: badCode, Message: fmt.Sprintf("Content-Encoding %q is not known: send gzip or none.", enc)}
	}
	z, err := gzip.NewReader(bytes.NewReader(raw))
	if err != nil {
		return nil, &Error{Status: 400, Code: badCode, Message: "The body is not gzip: " + err.Error()}
	}
	out, err := io.ReadAll(io.LimitReader(z, limit+1))
	if err != nil {
		return nil, &Error{Status: 400, Code: badCode, Message: "The gzip body is broken: " + err.Error()}
	}
	if int64(len(out)) > limit {
		return nil, &Error{Status: 413, Code: "ContentLengthLimitExceeded", Message: fmt.Sprintf("The unpacked request is larger than the limit of %d bytes.", limit)}
	}
	return out, nil
}

// decode reads a JSON body within the limit.
func decode(w http.ResponseWriter, r *http.Request, limit int64, v any) *Error {
	b, e := jsonBody(w, r, limit)
	if e != nil {
		return e
	}
	if err := json.Unmarshal(b, v); err != nil {
		return &Error{Status: 400, Code: "InvalidRequestContent", Message: "The request content was invalid and could not be deserialized: " + err.Error()}
	}
	return nil
}

// decodeOptional is decode for operations whose body may be left out.
func decodeOptional(w http.ResponseWriter, r *http.Request, limit int64, v any) *Error {
	b, e := jsonBody(w, r, limit)
	if e != nil || len(bytes.TrimSpace(b)) == 0 {
		return e
	}
	if err := json.Unmarshal(b, v); err != nil {
		return &Error{Status: 400, Code: "InvalidRequestContent", Message: "The request content was invalid and could not be deserialized: " + err.Error()}
	}
	return nil
}

// maxDepth bounds how deep a document of a client may nest.
const maxDepth = 200

// jsonBody reads a body that must be JSON in UTF-8, of a depth that the rooms below can walk.
func jsonBody(w http.ResponseWriter, r *http.Request, limit int64) ([]byte, *Error) {
	if e := jsonType(r, "UnsupportedMediaType"); e != nil {
		return nil, e
	}
	b, e := readBody(w, r, limit, false, "InvalidRequestContent")
	if e != nil {
		return nil, e
	}
	return b, checkJSON(b, "InvalidRequestContent")
}

// jsonType refuses bodies that say they are something else than JSON. None said is taken.
func jsonType(r *http.Request, code string) *Error {
	ct := r.Header.Get("Content-Type")
	if ct == "" || r.ContentLength == 0 {
		return nil
	}
	mt, params, err := mime.ParseMediaType(ct)
	if err != nil || mt != "application/json" && mt != "text/json" && !strings.HasSuffix(mt, "+json") {
		return &Error{Status: 415, Code: code, Message: fmt.Sprintf("The content media type '%s' is not supported. Only 'application/json' is supported.", cut(ct, 100))}
	}
	if cs := params["charset"]; cs != "" && !strings.EqualFold(cs, "utf-8") && !strings.EqualFold(cs, "us-ascii") {
		return &Error{Status: 415, Code: code, Message: fmt.Sprintf("The charset '%s' is not supported: send UTF-8.", cut(cs, 50))}
	}
	return nil
}

// checkJSON refuses what is not UTF-8, and what nests deeper than maxDepth.
func checkJSON(b []byte, code string) *Error {
	if !utf8.Valid(b) {
		return &Error{Status: 400, Code: code, Message: "The body is not valid UTF-8."}
	}
	depth, quoted := 0, false
	for i := 0; i < len(b); i++ {
		switch c := b[i]; {
		case quoted && c == '\\':
			i++
		case c == '"':
			quoted = !quoted
		case quoted:
		case c == '{' || c == '[':
			if depth++; depth > maxDepth {
				return &Error{Status: 400, Code: code, Message: fmt.Sprintf("The body nests deeper than %d levels.", maxDepth)}
			}
		case c == '}' || c == ']':
			depth--
		}
	}
	return nil
}

// notJSON refuses posts of records that say they are of a form that can't be JSON. Shippers send text/plain and
// application/octet-stream for JSON, so those are taken.
func notJSON(r *http.Request) *Error {
	mt, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if err != nil {
		return nil // none, or none that can be read
	}
	for _, p := range []string{"text/csv", "text/html", "text/xml", "application/xml", "application/x-www-form-urlencoded", "multipart/", "image/", "application/x-protobuf"} {
		if strings.HasPrefix(mt, p) {
			return &Error{Status: 415, Code: "UnsupportedMediaType", Message: fmt.Sprintf("The content media type '%s' is not supported. Only 'application/json' is supported.", cut(mt, 100))}
		}
	}
	return nil
}
