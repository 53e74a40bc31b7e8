package azure

import (
	"compress/gzip"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// Limits of the HTTP Data Collector (shared/reference/wire.md section 1).
const (
	maxCollectorBody = 30 << 20 // bytes; more is answered 404, as the service did
	maxDateSkew      = 15 * time.Minute
)

var logTypeForm = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9_]{0,99}$`)

// CollectRequest is one request of the HTTP Data Collector, its signature checked.
type CollectRequest struct {
	LogType    string // without _CL
	Body       []byte // JSON, an object or an array
	TimeField  string // the time-generated-field header
	ResourceID string // the x-ms-AzureResourceId header
}

// Collect stores the records of a request durably. An error that is an [Error] decides the answer; any other
// is answered 500.
type Collect func(ctx context.Context, r CollectRequest) error

// collectorError writes the collector's own error shape.
func collectorError(w http.ResponseWriter, status int, code, message string) {
	writeJSON(w, status, map[string]string{"Error": code, "Message": message})
}

// collector answers POST /api/logs.
type collector struct {
	ws      Workspace
	keys    *sharedKeys
	collect Collect
	now     func() time.Time
}

func (c *collector) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	switch v := r.URL.Query().Get("api-version"); v {
	case "2016-04-01":
	case "":
		collectorError(w, 400, "MissingApiVersion", "The API version was not specified: add ?api-version=2016-04-01.")
		return
	default:
		collectorError(w, 400, "InvalidApiVersion", fmt.Sprintf("The API version %q is not recognized by the service: use 2016-04-01.", v))
		return
	}
	ct := r.Header.Get("Content-Type")
	if ct == "" {
		collectorError(w, 400, "MissingContentType", "The content type was not specified: send Content-Type: application/json.")
		return
	}
	if mt, _, err := mime.ParseMediaType(ct); err != nil || mt != "application/json" {
		collectorError(w, 400, "UnsupportedContentType", fmt.Sprintf("The content type %q is not application/json.", ct))
		return
	}
	logType := r.Header.Get("Log-Type")
	if logType == "" {
		collectorError(w, 400, "MissingLogType", "The value required for the Log-Type header was not specified.")
		return
	}
	if !logTypeForm.MatchString(logType) {
		collectorError(w, 400, "InvalidLogType", fmt.Sprintf("The Log-Type %q is not valid: letters, digits and _ only, beginning with a letter, 100 at most.", logType))
		return
	}
	raw, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxCollectorBody))
	if err != nil {
		var tooBig *http.MaxBytesError
		if errors.As(err, &tooBig) {
			collectorError(w, 404, "RequestTooLarge", fmt.Sprintf("The request is larger than the limit of %d bytes: send smaller batches.", tooBig.Limit))
			return
		}
		collectorError(w, 400, "InvalidDataFormat", "The body could not be read: "+err.Error())
		return
	}
	if e := c.checkSignature(r, len(raw), ct); e != nil {
		collectorError(w, e.Status, e.Code, e.Message)
		return
	}
	body, e := inflate(r.Header.Get("Content-Encoding"), raw)
	if e != nil {
		collectorError(w, e.Status, e.Code, e.Message)
		return
	}
	err = c.collect(r.Context(), CollectRequest{LogType: logType, Body: body, TimeField: r.Header.Get("time-generated-field"), ResourceID: r.Header.Get("x-ms-AzureResourceId")})
	var ae *Error
	switch {
	case err == nil:
		w.WriteHeader(200)
	case errors.As(err, &ae):
		if ae.Status == 429 || ae.Status == 503 {
			w.Header().Set("Retry-After", "30")
		}
		collectorError(w, ae.Status, ae.Code, ae.Message)
	default:
		collectorError(w, 500, "UnspecifiedError", err.Error())
	}
}

func inflate(encoding string, raw []byte) ([]byte, *Error) {
	switch strings.ToLower(encoding) {
	case "", "identity":
		return raw, nil
	case "gzip":
		z, err := gzip.NewReader(strings.NewReader(string(raw)))
		if err != nil {
			return nil, &Error{Status: 400, Code: "InvalidDataFormat", Message: "The body is not gzip: " + err.Error()}
		}
		body, err := io.ReadAll(io.LimitReader(z, maxCollectorBody+1))
		if err != nil {
			return nil, &Error{Status: 400, Code: "InvalidDataFormat", Message: "The gzip body is broken: " + err.Error()}
		}
		if len(body) > maxCollectorBody {
			return nil, &Error{Status: 404, Code: "RequestTooLarge", Message: fmt.Sprintf("The unpacked request is larger than the limit of %d bytes: send smaller batches.", maxCollectorBody)}
		}
		return body, nil
	}
	return nil, &Error{Status: 400, Code: "InvalidDataFormat", Message: fmt.Sprintf("Content-Encoding %q is not known: send gzip or none.", encoding)}
}

// checkSignature verifies Authorization: SharedKey <workspace>:<signature> over the request as sent.
func (c *collector) checkSignature(r *http.Request, length int, contentType string) *Error {
	auth, ok := strings.CutPrefix(r.Header.Get("Authorization"), "SharedKey ")
	if !ok {
		return &Error{Status: 403, Code: "InvalidAuthorization", Message: "The Authorization header is missing or not of the form SharedKey <workspace>:<signature>."}
	}
	ws, sig, _ := strings.Cut(auth, ":")
	if !strings.EqualFold(ws, c.ws.ID) {
		return &Error{Status: 400, Code: "InvalidCustomerId", Message: fmt.Sprintf("The workspace %q is not known here.", ws)}
	}
	got, err := base64.StdEncoding.DecodeString(sig)
	if err != nil {
		return &Error{Status: 403, Code: "InvalidAuthorization", Message: "The signature in the Authorization header is not base64."}
	}
	date := r.Header.Get("x-ms-date")
	at, err := http.ParseTime(date)
	if err != nil {
		return &Error{Status: 403, Code: "InvalidAuthorization", Message: "The x-ms-date header is missing or not an RFC 1123 date."}
	}
	if d := c.now().Sub(at); d > maxDateSkew || d < -maxDateSkew {
		return &Error{Status: 403, Code: "InvalidAuthorization", Message: fmt.Sprintf("The x-ms-date %s is more than %d minutes from this server's clock.", date, int(maxDateSkew.Minutes()))}
	}
	for _, key := range c.keys.get() {
		want, err := SharedKeySignature(key, length, contentType, date)
		if err == nil && hmac.Equal(want, got) {
			return nil
		}
	}
	return &Error{Status: 403, Code: "InvalidAuthorization", Message: "An invalid signature was specified in the Authorization header."}
}

// SharedKeySignature is the HMAC that a sender of the HTTP Data Collector puts, base64, behind its workspace
// id: SHA-256 keyed with the decoded shared key over method, length in bytes, content type, date and path.
func SharedKeySignature(key string, length int, contentType, date string) ([]byte, error) {
	k, err := base64.StdEncoding.DecodeString(key)
	if err != nil {
		return nil, fmt.Errorf("the shared key is not base64: %w", err)
	}
	m := hmac.New(sha256.New, k)
	m.Write([]byte("POST\n" + strconv.Itoa(length) + "\n" + contentType + "\nx-ms-date:" + date + "\n/api/logs"))
	return m.Sum(nil), nil
}
