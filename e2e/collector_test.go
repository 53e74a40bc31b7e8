package e2e

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"io"
	"net/http"
	"picket/azure"
	"testing"
	"time"
)

// collectorCall is one signed request of the HTTP Data Collector, as senders make it.
type collectorCall struct {
	workspace, key, logType, contentType, query string
	body                                        []byte
	signed                                      int // the length that the signature covers
	at                                          time.Time
}

func newCollectorCall(s *server, logType string, body []byte) *collectorCall {
	return &collectorCall{workspace: s.WorkspaceID, key: s.SharedKey, logType: logType, contentType: "application/json", query: "?api-version=2016-04-01", body: body, signed: len(body), at: time.Now()}
}

// request builds the signed request.
func (c *collectorCall) request(base string) (*http.Request, error) {
	date := c.at.UTC().Format(http.TimeFormat)
	sig, err := azure.SharedKeySignature(c.key, c.signed, c.contentType, date)
	if err != nil {
		return nil, err
	}
	req, err := http.NewRequest("POST", base+"/api/logs"+c.query, bytes.NewReader(c.body))
	if err != nil {
		return nil, err
	}
	req.Header.Set("Authorization", "SharedKey "+c.workspace+":"+base64.StdEncoding.EncodeToString(sig))
	req.Header.Set("x-ms-date", date)
	req.Header.Set("Content-Type", c.contentType)
	if c.logType != "" {
		req.Header.Set("Log-Type", c.logType)
	}
	return req, nil
}

func (c *collectorCall) send(t *testing.T, s *server) (status int, code string) {
	t.Helper()
	req, err := c.request(s.HTTPURL)
	if err != nil {
		t.Fatal(err)
	}
	res, err := s.http.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	var e struct{ Error, Message string }
	if len(b) > 0 {
		if err := json.Unmarshal(b, &e); err != nil {
			t.Fatalf("answer %q: %v", b, err)
		}
	}
	return res.StatusCode, e.Error
}
