package lsp

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"picket/kql/bind"
	"picket/kql/value"
	"strings"
	"testing"
	"time"
)

var tables = bind.Tables{"SigninLogs": {{Name: "TimeGenerated", Type: value.Datetime}, {Name: "User", Type: value.String}}}

// session is a client that speaks to a server over pipes.
type session struct {
	t    *testing.T
	in   io.WriteCloser
	out  *bufio.Reader
	done chan error
	id   int
	seen []map[string]json.RawMessage // notifications
}

func open(t *testing.T, o Options, capabilities string) *session {
	t.Helper()
	cr, sw := io.Pipe()
	sr, cw := io.Pipe()
	s := &session{t: t, in: cw, out: bufio.NewReader(cr), done: make(chan error, 1)}
	go func() {
		err := Serve(context.Background(), sr, sw, o)
		sw.Close()
		s.done <- err
	}()
	t.Cleanup(func() { cw.Close(); cr.Close() })
	var init struct {
		Capabilities struct {
			PositionEncoding string
			HoverProvider    bool
		}
	}
	s.call("initialize", `{"processId":null,"rootUri":null,"capabilities":`+capabilities+`}`, &init)
	if !init.Capabilities.HoverProvider {
		t.Fatalf("%+v", init)
	}
	s.notify("initialized", `{}`)
	return s
}

func (s *session) send(body string) {
	s.t.Helper()
	if _, err := fmt.Fprintf(s.in, "Content-Length: %d\r\nContent-Type: application/vscode-jsonrpc; charset=utf-8\r\n\r\n%s", len(body), body); err != nil {
		s.t.Fatal(err)
	}
}

func (s *session) notify(method, params string) {
	s.send(`{"jsonrpc":"2.0","method":"` + method + `","params":` + params + `}`)
}

func (s *session) read() map[string]json.RawMessage {
	s.t.Helper()
	b, err := readMessage(s.out)
	if err != nil {
		s.t.Fatal(err)
	}
	var m map[string]json.RawMessage
	if err := json.Unmarshal(b, &m); err != nil {
		s.t.Fatal(err)
	}
	return m
}

// call asks and waits for the answer.
func (s *session) call(method, params string, out any) *rpcError {
	s.t.Helper()
	s.id++
	s.send(fmt.Sprintf(`{"jsonrpc":"2.0","id":%d,"method":"%s","params":%s}`, s.id, method, params))
	for {
		m := s.read()
		if m["id"] == nil {
			s.seen = append(s.seen, m)
			continue
		}
		if string(m["id"]) != fmt.Sprint(s.id) {
			s.t.Fatalf("answer to %s, not %d", m["id"], s.id)
		}
		if m["error"] != nil {
			var e rpcError
			if err := json.Unmarshal(m["error"], &e); err != nil {
				s.t.Fatal(err)
			}
			return &e
		}
		if out != nil {
			if err := json.Unmarshal(m["result"], out); err != nil {
				s.t.Fatalf("%s: %v in %s", method, err, m["result"])
			}
		}
		return nil
	}
}

func (s *session) open(uri, text string) []diagnostic {
	s.t.Helper()
	b, _ := json.Marshal(map[string]any{"textDocument": map[string]any{"uri": uri, "languageId": "kusto", "version": 1, "text": text}})
	s.notify("textDocument/didOpen", string(b))
	return s.diagnostics()
}

func (s *session) diagnostics() []diagnostic {
	s.t.Helper()
	m := s.read()
	if string(m["method"]) != `"textDocument/publishDiagnostics"` {
		s.t.Fatalf("%s", m["method"])
	}
	var p struct{ Diagnostics []diagnostic }
	if err := json.Unmarshal(m["params"], &p); err != nil {
		s.t.Fatal(err)
	}
	return p.Diagnostics
}

func withTables() Options { return Options{Schema: func() bind.Schema { return tables }} }

func TestDiagnosticsHaveAllErrorsWithTheirPlaces(t *testing.T) {
	s := open(t, withTables(), `{}`)
	ds := s.open("file:///a.kql", "SigninLogs | where Usr == '😀' and foo(1)\n\nSigninLogs\n| where User ==\n")
	if len(ds) != 3 {
		t.Fatalf("%+v", ds)
	}
	if ds[0].Range != (rng{position{0, 19}, position{0, 22}}) || !strings.Contains(ds[0].Message, "Usr") || ds[0].Severity != 1 {
		t.Errorf("%+v", ds[0])
	}
	if ds[1].Range.Start != (position{0, 35}) { // the face counts as two
		t.Errorf("%+v", ds[1])
	}
	if ds[2].Range.Start.Line != 3 || !strings.HasPrefix(ds[2].Code, "SYN") {
		t.Errorf("%+v", ds[2])
	}
	s.notify("textDocument/didChange", `{"textDocument":{"uri":"file:///a.kql","version":2},"contentChanges":[
		{"range":{"start":{"line":0,"character":19},"end":{"line":0,"character":22}},"text":"User"},
		{"range":{"start":{"line":0,"character":31},"end":{"line":0,"character":42}},"text":""},
		{"range":{"start":{"line":3,"character":14},"end":{"line":3,"character":15}},"text":"= 'a'"}]}`)
	if ds = s.diagnostics(); len(ds) != 0 {
		t.Errorf("%+v", ds)
	}
	s.notify("textDocument/didChange", `{"textDocument":{"uri":"file:///a.kql","version":3},"contentChanges":[{"text":"nope | count"}]}`)
	if ds = s.diagnostics(); len(ds) != 1 {
		t.Errorf("%+v", ds)
	}
	s.notify("textDocument/didClose", `{"textDocument":{"uri":"file:///a.kql"}}`)
	if ds = s.diagnostics(); len(ds) != 0 {
		t.Errorf("%+v", ds)
	}
	if e := s.call("textDocument/hover", `{"textDocument":{"uri":"file:///a.kql"},"position":{"line":0,"character":1}}`, nil); e == nil || e.Code != codeInvalidParams {
		t.Error(e)
	}
}

func TestCallsThatAreRefusedAreWarnedOf(t *testing.T) {
	s := open(t, withTables(), `{}`)
	ds := s.open("u", "print hash_many('x', 'browser'), strlen('x'), count = 1")
	if len(ds) != 1 || ds[0].Severity != 2 || ds[0].Range != (rng{position{0, 6}, position{0, 15}}) {
		t.Errorf("%+v", ds)
	}
}

func TestWithoutASchemaOnlySyntaxIsChecked(t *testing.T) {
	s := open(t, Options{}, `{}`)
	if ds := s.open("u", "Whatever | where x == 1"); len(ds) != 0 {
		t.Errorf("%+v", ds)
	}
}

func TestCompletionAndHover(t *testing.T) {
	s := open(t, withTables(), `{"general":{"positionEncodings":["utf-8","utf-16"]}}`)
	s.open("u", "let e = 'ü'; SigninLogs | summarize n = count() by User | where Us")
	var l struct {
		Items []struct {
			Label, Detail string
			TextEdit      struct {
				Range   rng
				NewText string
			}
		}
	}
	n := len("let e = 'ü'; SigninLogs | summarize n = count() by User | where Us")
	s.call("textDocument/completion", fmt.Sprintf(`{"textDocument":{"uri":"u"},"position":{"line":0,"character":%d}}`, n), &l)
	if len(l.Items) == 0 || l.Items[0].Label != "User" || l.Items[0].Detail != "string" || l.Items[0].TextEdit.Range != (rng{position{0, n - 2}, position{0, n}}) {
		t.Fatalf("%+v", l)
	}
	var h struct{ Contents struct{ Kind, Value string } }
	s.call("textDocument/hover", fmt.Sprintf(`{"textDocument":{"uri":"u"},"position":{"line":0,"character":%d}}`, len("let e = 'ü'; SigninLogs | summ")), &h)
	if h.Contents.Kind != "markdown" || !strings.Contains(h.Contents.Value, "aggregates for each group") {
		t.Errorf("%+v", h)
	}
	var none any
	if s.call("textDocument/hover", `{"textDocument":{"uri":"u"},"position":{"line":9,"character":0}}`, &none); none != nil {
		t.Error(none)
	}
}

func TestFormattingAndSymbols(t *testing.T) {
	s := open(t, withTables(), `{}`)
	s.open("u", "let f = (a:long) { a + 1 };\nlet users = SigninLogs|distinct User;\nusers|extend x=f(1)\n\nbroken |")
	var edits []struct {
		Range   rng
		NewText string
	}
	s.call("textDocument/formatting", `{"textDocument":{"uri":"u"},"options":{"tabSize":4,"insertSpaces":true}}`, &edits)
	if len(edits) != 1 || !strings.Contains(edits[0].NewText, "| distinct User") || edits[0].Range.End != (position{2, 19}) {
		t.Errorf("%+v", edits)
	}
	var syms []struct {
		Name, Detail          string
		Kind                  int
		Range, SelectionRange rng
	}
	s.call("textDocument/documentSymbol", `{"textDocument":{"uri":"u"}}`, &syms)
	if len(syms) != 2 || syms[0].Name != "f" || syms[0].Kind != 12 || syms[0].Detail != "(a)" || syms[1].SelectionRange.Start != (position{1, 4}) {
		t.Errorf("%+v", syms)
	}
}

func TestTheLifeOfASession(t *testing.T) {
	s := open(t, withTables(), `{}`)
	if e := s.call("textDocument/rename", `{}`, nil); e == nil || e.Code != codeMethodNotFound {
		t.Error(e)
	}
	if e := s.call("textDocument/hover", `[]`, nil); e == nil || e.Code != codeInvalidParams {
		t.Error(e)
	}
	s.send(`{"jsonrpc":`)
	if m := s.read(); !strings.Contains(string(m["error"]), "-32700") {
		t.Errorf("%s", m["error"])
	}
	if e := s.call("shutdown", `null`, nil); e != nil {
		t.Error(e)
	}
	if e := s.call("textDocument/hover", `{}`, nil); e == nil || e.Code != codeInvalidRequest {
		t.Error(e)
	}
	s.notify("exit", `null`)
	select {
	case err := <-s.done:
		if err != nil {
			t.Error(err)
		}
	case <-time.After(5 * time.Second):
		t.Fatal("it does not end")
	}
	early := open(t, withTables(), `{}`)
	early.notify("exit", `null`)
	if err := <-early.done; !errors.Is(err, ErrNoShutdown) {
		t.Error(err)
	}
}

func TestNotInitialized(t *testing.T) {
	var out bytes.Buffer
	body := `{"jsonrpc":"2.0","id":1,"method":"textDocument/hover","params":{}}`
	err := Serve(context.Background(), strings.NewReader(fmt.Sprintf("Content-Length: %d\r\n\r\n%s", len(body), body)), &out, Options{})
	if err != nil || !strings.Contains(out.String(), "-32002") {
		t.Error(err, out.String())
	}
}

func TestBadFrames(t *testing.T) {
	for _, c := range []struct{ in, want string }{
		{"Content-Length: 99999999\r\n\r\n", "the limit is"},
		{"Content-Length: x\r\n\r\n", "no number"},
		{"Content-Length: -1\r\n\r\n", "no number"},
		{"\r\n", "without Content-Length"},
		{"hello\r\n\r\n", "no header"},
		{"Content-Length: 5\r\n\r\nab", "unexpected EOF"},
		{"Content-", "unexpected EOF"},
		{strings.Repeat("A", 10000), "longer than"},
		{strings.Repeat("A: b\r\n", 10000), "longer than"},
	} {
		if err := Serve(context.Background(), strings.NewReader(c.in), io.Discard, Options{}); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%.40q gives %v, should say %q", c.in, err, c.want)
		}
	}
}

func FuzzServe(f *testing.F) {
	frame := func(ms ...string) []byte {
		var b bytes.Buffer
		for _, m := range ms {
			fmt.Fprintf(&b, "Content-Length: %d\r\n\r\n%s", len(m), m)
		}
		return b.Bytes()
	}
	initialize := `{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"capabilities":{}}}`
	f.Add(frame(initialize, `{"jsonrpc":"2.0","method":"textDocument/didOpen","params":{"textDocument":{"uri":"u","version":1,"text":"T | where x"}}}`,
		`{"jsonrpc":"2.0","method":"textDocument/didChange","params":{"textDocument":{"uri":"u"},"contentChanges":[{"range":{"start":{"line":0,"character":2},"end":{"line":-1,"character":900}},"text":"é"}]}}`,
		`{"jsonrpc":"2.0","id":"a","method":"textDocument/completion","params":{"textDocument":{"uri":"u"},"position":{"line":0,"character":4}}}`))
	f.Add(frame(initialize, `[]`, `null`, `{"id":{}}`))
	f.Add([]byte("Content-Length: 3\n\n{}\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		var out bytes.Buffer
		_ = Serve(context.Background(), bytes.NewReader(data), &out, withTables()) // only panics and hangs count
		if strings.Contains(out.String(), "BUG:") {
			t.Fatal(out.String())
		}
	})
}

// TestSignatureHelp: the parameter of the call at the place.
func TestSignatureHelp(t *testing.T) {
	s := open(t, Options{Schema: func() bind.Schema { return tables }}, `{}`)
	s.open("file:///a.kql", "SigninLogs | extend x = datetime_add('day', 1, ")
	var h struct {
		Signatures []struct {
			Label      string
			Parameters []struct{ Label [2]int }
		}
		ActiveSignature, ActiveParameter int
	}
	s.call("textDocument/signatureHelp", `{"textDocument":{"uri":"file:///a.kql"},"position":{"line":0,"character":46}}`, &h)
	if len(h.Signatures) == 0 || h.ActiveParameter != 2 {
		t.Fatalf("%+v", h)
	}
	c := h.Signatures[h.ActiveSignature]
	if p := c.Parameters[2].Label; !strings.HasPrefix(c.Label, "datetime_add(") || c.Label[p[0]:p[1]] != "datetime: datetime" {
		t.Errorf("%+v", c)
	}
}

// TestBrokenTextTellsNames: a text that doesn't parse is still told which names it gets wrong.
func TestBrokenTextTellsNames(t *testing.T) {
	errs := (&server{o: Options{Schema: func() bind.Schema { return tables }}}).check("SigninLogs | where Userr == 'a' | | take 1")
	if len(errs) != 2 || errs[0].Code != "SEM0100" || errs[1].Code != "SYN0002" {
		t.Errorf("%v", errs)
	}
}
