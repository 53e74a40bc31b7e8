package azure

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"picket/kql/syntax"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"github.com/google/uuid"
)

// TestEveryRouteBearsBadBodies sends every route that takes a body what no client should send. Each is answered in the
// service's shape, never as this server's failure.
func TestEveryRouteBearsBadBodies(t *testing.T) {
	f := newFull(t)
	f.api.gate = newGate(Limits{})
	tok := f.token(Owner)
	pack := func(b []byte) []byte {
		var z bytes.Buffer
		w := gzip.NewWriter(&z)
		if _, err := w.Write(b); err != nil {
			t.Fatal(err)
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		return z.Bytes()
	}
	var keys strings.Builder
	for i := range 12000 {
		keys.WriteString(`"k` + strings.Repeat("x", i%7) + uuid.NewString()[:8] + `":1,`)
	}
	bodies := []struct {
		name   string
		body   []byte
		header map[string]string
		reject bool // must not be taken anywhere
	}{
		{"deep", []byte(`{"properties":` + strings.Repeat(`{"a":[`, 5000) + strings.Repeat(`]}`, 5000) + `}`), nil, true},
		{"deep and open", []byte(strings.Repeat("[", 200000)), nil, true},
		{"many keys", []byte(`{"properties":{` + keys.String() + `"z":1}}`), nil, false},
		{"no UTF-8", []byte("{\"properties\":{\"title\":\"a\xff\xfeb\"},\"query\":\"print '\xff'\",\"csl\":\"print '\xff'\"}"), nil, true},
		{"a bomb", pack(make([]byte, 32<<20)), map[string]string{"Content-Encoding": "gzip"}, true},
		{"no gzip", []byte(`{}`), map[string]string{"Content-Encoding": "gzip"}, true},
		{"another packing", []byte(`{}`), map[string]string{"Content-Encoding": "br"}, true},
		{"cut off", []byte(`{"properties":{"x":`), nil, true},
		{"null", []byte("null"), nil, false},
		{"an array", []byte("[1]"), nil, false},
		{"a number", []byte("1e999"), nil, false},
		{"a text", []byte(`"x"`), nil, false},
		{"wrong kinds", []byte(`{"properties":{"retentionInDays":"x","query":{},"tags":[],"order":"1","template":1,"schema":[]},"query":1,"csl":[],"requests":{},"filters":{}}`), nil, false},
		{"a form", []byte("a=b"), map[string]string{"Content-Type": "application/x-www-form-urlencoded"}, true},
		{"another charset", []byte(`{}`), map[string]string{"Content-Type": "application/json; charset=utf-16"}, false},
	}
	ignores := map[string]bool{} // operations without a body
	for _, r := range append(append([]route{}, f.api.table.routes...), f.api.wire.routes...) {
		for _, s := range []string{"/sharedkeys", "/enable", "/disable", "/migrate", "/register", "/schema", "/metadata", "/cancel", "/resubmit", "/exporttemplate", "/alerts", "/entities", "/bookmarks", "/run", "/listcallbackurl", "/streams/{stream}", "/onboardingstates/{state}"} {
			if strings.HasSuffix(r.pattern, s) {
				ignores[r.method+r.pattern] = true
			}
		}
		if r.method != "PUT" && r.method != "POST" && r.method != "PATCH" {
			continue
		}
		path := pathVar.ReplaceAllStringFunc(r.pattern, func(v string) string {
			switch v {
			case "{sub}":
				return testWorkspace.SubscriptionID
			case "{rg}":
				return testWorkspace.ResourceGroup
			case "{ws}", "{name}":
				return testWorkspace.Name
			case "{table}":
				return "Bad_CL"
			}
			return "77777777-0000-4000-8000-000000000001"
		})
		for _, b := range bodies {
			req := httptest.NewRequest(r.method, "https://picket.test"+path+"?api-version=2023-01-01", bytes.NewReader(b.body))
			req.Header.Set("Authorization", "Bearer "+tok)
			req.Header.Set("Content-Type", "application/json")
			for k, v := range b.header {
				req.Header.Set(k, v)
			}
			rec := httptest.NewRecorder()
			f.api.Handler().ServeHTTP(rec, req)
			if rec.Code >= 500 && rec.Code != 501 {
				t.Errorf("%s %s with %s: %d %.300s", r.method, r.pattern, b.name, rec.Code, rec.Body)
			}
			if b.reject && rec.Code < 400 && !ignores[r.method+r.pattern] {
				t.Errorf("%s %s takes %s: %d", r.method, r.pattern, b.name, rec.Code)
			}
			if rec.Code >= 400 && !strings.Contains(rec.Body.String(), `"error"`) {
				t.Errorf("%s %s with %s: %d without an error: %.200s", r.method, r.pattern, b.name, rec.Code, rec.Body)
			}
		}
	}
}

// broken is an upload that ends before its time.
type broken struct{ n int }

func (b *broken) Read(p []byte) (int, error) {
	if b.n == 0 {
		return 0, io.ErrUnexpectedEOF
	}
	b.n--
	return copy(p, `[{"Host":"a"},`), nil
}

func TestAbortedUploadsAndWrongTypesAreTheSendersFault(t *testing.T) {
	f := newFull(t)
	tok := f.token(Contributor)
	id, stream, err := f.api.CreateRule(context.Background(), "r", "Bad_CL", []string{"Host:string"}, "source")
	if err != nil {
		t.Fatal(err)
	}
	post := func(body io.Reader, ct string) (int, string) {
		r := httptest.NewRequest("POST", "https://picket.test/dataCollectionRules/"+id+"/streams/"+stream+"?api-version=2023-01-01", body)
		r.Header.Set("Authorization", "Bearer "+tok)
		if ct != "" {
			r.Header.Set("Content-Type", ct)
		}
		rec := httptest.NewRecorder()
		f.api.Handler().ServeHTTP(rec, r)
		return rec.Code, rec.Body.String()
	}
	if c, b := post(&broken{3}, ""); c != 400 || !strings.Contains(b, "InvalidRequestPayload") {
		t.Errorf("aborted: %d %s", c, b)
	}
	for ct, want := range map[string]int{"": 204, "application/json": 204, "application/json; charset=utf-8": 204, "text/plain": 204, "text/csv": 415, "application/x-www-form-urlencoded": 415, "multipart/form-data; boundary=x": 415, ";": 204} {
		if c, b := post(strings.NewReader(`[{"Host":"a"}]`), ct); c != want {
			t.Errorf("%q: %d %s", ct, c, b)
		}
	}
}

// TestClockSkew: a token is good for some minutes beyond its times, for clocks that differ, and no longer.
func TestClockSkew(t *testing.T) {
	w := newWire(t)
	id, _, err := w.api.Issuer().CreatePrincipal(context.Background(), "app", Reader)
	if err != nil {
		t.Fatal(err)
	}
	tok := func(nbf, exp time.Duration) string {
		s, err := w.api.issuer.signClaims(jwt.RegisteredClaims{Subject: id, Audience: jwt.ClaimStrings{"https://api.loganalytics.io"}, NotBefore: jwt.NewNumericDate(w.now.Add(nbf)), ExpiresAt: jwt.NewNumericDate(w.now.Add(exp))})
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	for _, x := range []struct {
		nbf, exp time.Duration
		want     string
	}{
		{0, time.Hour, ""},
		{4 * time.Minute, time.Hour, ""},
		{6 * time.Minute, time.Hour, "InvalidAuthenticationToken"},
		{-2 * time.Hour, -4 * time.Minute, ""},
		{-2 * time.Hour, -6 * time.Minute, "ExpiredAuthenticationToken"},
	} {
		_, e := w.api.issuer.Bearer(context.Background(), tok(x.nbf, x.exp), "")
		got := ""
		if e != nil {
			got = e.Code
		}
		if got != x.want {
			t.Errorf("nbf %s, exp %s: %q, want %q", x.nbf, x.exp, got, x.want)
		}
	}
	// Tokens of nobody's making: no algorithm, another key, no expiry.
	none := jwt.NewWithClaims(jwt.SigningMethodNone, jwt.RegisteredClaims{Subject: id, Audience: jwt.ClaimStrings{"https://api.loganalytics.io"}, ExpiresAt: jwt.NewNumericDate(w.now.Add(time.Hour))})
	s, err := none.SignedString(jwt.UnsafeAllowNoneSignatureType)
	if err != nil {
		t.Fatal(err)
	}
	hs := jwt.NewWithClaims(jwt.SigningMethodHS256, jwt.RegisteredClaims{Subject: id, ExpiresAt: jwt.NewNumericDate(w.now.Add(time.Hour))})
	hs.Header["kid"] = w.api.issuer.kid
	h, err := hs.SignedString([]byte("x"))
	if err != nil {
		t.Fatal(err)
	}
	ever, err := w.api.issuer.signClaims(jwt.RegisteredClaims{Subject: id, Audience: jwt.ClaimStrings{"https://api.loganalytics.io"}})
	if err != nil {
		t.Fatal(err)
	}
	for _, x := range []string{s, h, ever, "", ".", "a.b.c", strings.Repeat("A", 100000)} {
		if _, e := w.api.issuer.Bearer(context.Background(), x, ""); e == nil || e.Status != http.StatusUnauthorized {
			t.Errorf("%.40s: %v", x, e)
		}
	}
}

// FuzzKustoParameters: a parameter's value never becomes more than a value.
func FuzzKustoParameters(f *testing.F) {
	for _, s := range []string{"41", `a"b`, "datetime(2020-01-01)", "dynamic({})", `"; print 1`, "long(1) | take 1", "'x'"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, v string) {
		raw, err := json.Marshal(v)
		if err != nil {
			t.Skip()
		}
		text, err := withParameters(context.Background(), "declare query_parameters(s:string, n:long=1, d:dynamic=dynamic(null)); print s", map[string]json.RawMessage{"s": raw, "n": raw, "d": raw})
		if err != nil {
			return
		}
		doc, errs := syntax.Parse(text)
		if len(errs) > 0 {
			t.Fatalf("%q makes %q: %v", v, text, errors.Join(errs))
		}
		if len(doc.Statements) != 4 {
			t.Fatalf("%q makes %d statements: %q", v, len(doc.Statements), text)
		}
	})
}

// FuzzDeployment: the body of a deployment is read or refused.
func FuzzDeployment(f *testing.F) {
	for _, s := range []string{`{properties:{template:{resources:[]},parameters:{a:{value:1}}}}`, `{"properties":{"templateLink":{"uri":"x"}}}`, `{"properties":{"template":{},"parameters":{"a":{"reference":{}}}}}`, `{"properties":{"template":1,"parameters":{"a":[]}}}`} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(_ *testing.T, in []byte) {
		if checkJSON(in, "x") != nil {
			return
		}
		body, err := strictJSON(in)
		if err != nil {
			return
		}
		var b deploymentBody
		if json.Unmarshal(body, &b) == nil {
			_, _ = b.request() // must not panic
		}
	})
}

// FuzzCommands: a command is cut at a pipe that is its own, and nothing is lost.
func FuzzCommands(f *testing.F) {
	for _, s := range []string{".show tables | take 1", ".show table ['a|b'] cslschema", `.show table ["x`, "|", ""} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		cmd, pipe := splitPipe(s)
		if len(cmd)+len(pipe) > len(s) || !strings.Contains(s, cmd) || !strings.Contains(s, pipe) {
			t.Errorf("%q becomes %q and %q", s, cmd, pipe)
		}
	})
}
