package web

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"mime/multipart"
	"net/http"
	"path/filepath"
	"picket/canary"
	"picket/canary/trip"
	"picket/state"
	"strings"
	"testing"
)

func withTokens(t *testing.T) *site {
	t.Helper()
	ctx := context.Background()
	s := newSite(t, func(d *Deps) {
		db, err := state.Open(ctx, filepath.Join(t.TempDir(), "canary.db"), canary.Migrations())
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { db.Close() })
		log, err := trip.OpenLog(filepath.Join(t.TempDir(), "trips"), trip.LogOptions{})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { log.Close() })
		d.Tokens, err = canary.New(ctx, canary.Deps{State: db, Trips: log, TripURL: "http://127.0.0.1:8081", Now: d.Now})
		if err != nil {
			t.Fatal(err)
		}
	})
	pw, _, err := s.srv.EnsureOwner(ctx, false)
	if err != nil {
		t.Fatal(err)
	}
	s.want(s.signIn("admin", pw), 200, "sign in")
	return s
}

func TestTokenFromWizardToDownload(t *testing.T) {
	s := withTokens(t)
	var kinds struct {
		Value       []tokenKind
		DecoyFields []string
	}
	s.want(s.call("GET", "/api/v1/tokenKinds", nil, &kinds), 200, "kinds")
	if len(kinds.Value) == 0 || len(kinds.DecoyFields) == 0 || kinds.Value[0].Extension != ".docx" || len(kinds.Value[0].Names) == 0 {
		t.Fatalf("got %+v", kinds)
	}
	ask := map[string]any{
		"kind": "ms_word", "fileName": "White Glove Customer Accounts.docx",
		"memo":     map[string]string{"computername": "FS01", "sharePath": `T:\departments\sales`, "description": "placed on FS01"},
		"webhooks": []string{"https://hooks.example.org/x?sig=secret"}, "decoy": map[string]any{"fields": []string{"full_name", "email"}, "rows": 5},
	}
	var made tokenJSON
	s.want(s.call("POST", "/api/v1/tokens", ask, &made), 201, "create")
	if made.Secret == "" || made.Memo != `FS01,,,T:\departments\sales,placed on FS01` || made.Owner != "admin" || len(made.Warnings) == 0 {
		t.Fatalf("got %+v", made)
	}
	res, err := s.cli.Get(s.http.URL + "/api/v1/tokens/" + made.ID + "/download")
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	doc, _ := io.ReadAll(res.Body)
	if res.StatusCode != 200 || !bytes.HasPrefix(doc, []byte("PK")) || !strings.Contains(res.Header.Get("Content-Disposition"), "White%20Glove%20Customer%20Accounts.docx") {
		t.Fatalf("got %d, %d bytes, %v", res.StatusCode, len(doc), res.Header)
	}

	var bad struct{ Error Error }
	ask["memo"] = map[string]string{"computername": "FS 01"}
	s.want(s.call("POST", "/api/v1/tokens", ask, &bad), 400, "wrong host")
	if bad.Error.Target != "computername" {
		t.Fatalf("got %+v", bad.Error)
	}
	ask["kinds"] = "x"
	s.want(s.call("POST", "/api/v1/tokens", ask, nil), 400, "unknown field")

	var changed tokenJSON
	s.want(s.call("PATCH", "/api/v1/tokens/"+made.ID, map[string]any{"enabled": false, "ignored": []string{"10.0.0.0/8"}}, &changed), 200, "change")
	if changed.Status != "disabled" || len(changed.Ignored) != 1 {
		t.Fatalf("got %+v", changed)
	}
	var list struct{ Value []tokenJSON }
	s.want(s.call("GET", "/api/v1/tokens?search=glove", nil, &list), 200, "list")
	if len(list.Value) != 1 || list.Value[0].KindTitle != "Microsoft Word document" {
		t.Fatalf("got %+v", list)
	}
	var hits struct{ Value []hit }
	s.want(s.call("GET", "/api/v1/tokens/"+made.ID+"/history", nil, &hits), 200, "history")
	if hits.Value == nil {
		t.Fatal("an empty history must be a list")
	}
	s.want(s.call("DELETE", "/api/v1/tokens/"+made.ID, nil, nil), 204, "delete")
	s.want(s.call("GET", "/api/v1/tokens/"+made.ID, nil, nil), 404, "deleted")
}

func TestOwnDocumentIsArmed(t *testing.T) {
	s := withTokens(t)
	var made tokenJSON
	memo := map[string]string{"description": "own"}
	s.want(s.call("POST", "/api/v1/tokens", map[string]any{"kind": "ms_word", "fileName": "a.docx", "memo": memo}, &made), 201, "create")
	res, err := s.cli.Get(s.http.URL + "/api/v1/tokens/" + made.ID + "/download")
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	doc, _ := io.ReadAll(res.Body)

	send := func(part string, doc []byte) (int, tokenJSON) {
		t.Helper()
		var b bytes.Buffer
		m := multipart.NewWriter(&b)
		ask, _ := json.Marshal(map[string]any{"kind": "ms_word", "fileName": "Own.docx", "memo": memo})
		m.WriteField("token", string(ask))
		w, _ := m.CreateFormFile(part, "Own.docx")
		w.Write(doc)
		m.Close()
		req, _ := http.NewRequest("POST", s.http.URL+"/api/v1/tokens", &b)
		req.Header.Set("Content-Type", m.FormDataContentType())
		req.Header.Set(CSRFHeader, s.csrf)
		res, err := s.cli.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		var out tokenJSON
		json.NewDecoder(res.Body).Decode(&out)
		return res.StatusCode, out
	}
	if code, out := send("document", doc); code != 201 || !out.OwnDocument || out.FileName != "Own.docx" {
		t.Fatalf("got %d %+v", code, out)
	}
	if code, _ := send("document", []byte("not a document")); code != 400 {
		t.Fatalf("not a document: got %d", code)
	}
	if code, _ := send("other", doc); code != 400 {
		t.Fatalf("unknown part: got %d", code)
	}
}

func TestReadersSeeNoWebhookSecret(t *testing.T) {
	tok := canary.Token{Webhooks: []string{"https://h.example/a?sp=1&sig=abc"}}
	if got := showToken(tok, User{Role: Reader}).Webhooks[0]; got != "https://h.example/a?sp=…&sig=…" {
		t.Fatalf("got %s", got)
	}
	if got := showToken(tok, User{Role: Contributor}).Webhooks[0]; got != tok.Webhooks[0] {
		t.Fatalf("got %s", got)
	}
}
