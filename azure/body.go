package azure

import (
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
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
