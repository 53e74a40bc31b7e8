package lsp

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"picket/kql/bind"
)

// Options adjust a server.
type Options struct {
	// Schema gives the tables and functions that queries may name; it is asked for each answer. nil is none, and then
	// names of tables are not reported as unknown.
	Schema  func() bind.Schema
	Version string
	Log     *slog.Logger // nil is slog.Default; it must not write to the stream of messages
}

// server is one session.
type server struct {
	o    Options
	w    *writer
	docs map[string]*document

	initialized, shutdown bool
	utf8                  bool
}

// errExit ends a session as the client asked.
var errExit = errors.New("exit")

// ErrNoShutdown says that the client ended the session without asking for a shutdown first.
var ErrNoShutdown = errors.New("the client ended without a shutdown")

// Serve answers messages from in on out until the client ends the session or in ends.
func Serve(ctx context.Context, in io.Reader, out io.Writer, o Options) error {
	if o.Log == nil {
		o.Log = slog.Default()
	}
	s := &server{o: o, w: &writer{w: out}, docs: map[string]*document{}}
	r := bufio.NewReaderSize(in, maxHeaderBytes)
	for ctx.Err() == nil {
		b, err := readMessage(r)
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("read a message: %w", err)
		}
		if err := s.message(ctx, b); errors.Is(err, errExit) {
			if !s.shutdown {
				return ErrNoShutdown
			}
			return nil
		} else if err != nil {
			return err
		}
	}
	return ctx.Err()
}

// message answers one message; an error ends the session.
func (s *server) message(ctx context.Context, b []byte) error {
	var q request
	if err := json.Unmarshal(b, &q); err != nil {
		return s.w.send(response{JSONRPC: "2.0", ID: json.RawMessage("null"), Error: &rpcError{codeParse, "not a message: " + err.Error()}})
	}
	if q.Method == "" {
		if len(q.ID) == 0 {
			return s.w.send(response{JSONRPC: "2.0", ID: json.RawMessage("null"), Error: &rpcError{codeInvalidRequest, "the message has no method"}})
		}
		return nil // an answer: this server asks nothing
	}
	result, err := s.handle(ctx, &q)
	if errors.Is(err, errExit) {
		return err
	}
	if len(q.ID) == 0 {
		if err != nil {
			s.o.Log.DebugContext(ctx, "a notification failed", "method", q.Method, "error", err)
		}
		return nil
	}
	res := response{JSONRPC: "2.0", ID: q.ID, Result: result}
	if err != nil {
		var re *rpcError
		if !errors.As(err, &re) {
			re = &rpcError{codeInternal, err.Error()}
		}
		res.Result, res.Error = nil, re
	}
	return s.w.send(res)
}

// handle runs one method. A panic is a mistake of this program and must not end the editor's session.
func (s *server) handle(ctx context.Context, q *request) (result any, err error) {
	defer func() {
		if r := recover(); r != nil {
			s.o.Log.ErrorContext(ctx, "the language server failed", "method", q.Method, "error", r)
			err = &rpcError{codeInternal, fmt.Sprintf("BUG: %v", r)}
		}
	}()
	switch q.Method {
	case "initialize":
		return s.initialize(q.Params)
	case "exit":
		return nil, errExit
	}
	if !s.initialized {
		return nil, &rpcError{codeNotInitialized, "the session is not initialized"}
	}
	if s.shutdown {
		return nil, &rpcError{codeInvalidRequest, "the session is shut down"}
	}
	switch q.Method {
	case "initialized", "$/cancelRequest", "$/setTrace", "workspace/didChangeConfiguration", "textDocument/didSave", "textDocument/willSave":
		return nil, nil
	case "shutdown":
		s.shutdown = true
		return nil, nil
	case "textDocument/didOpen":
		return nil, s.didOpen(q.Params)
	case "textDocument/didChange":
		return nil, s.didChange(q.Params)
	case "textDocument/didClose":
		return nil, s.didClose(q.Params)
	case "textDocument/completion":
		return s.completion(q.Params)
	case "textDocument/hover":
		return s.hover(q.Params)
	case "textDocument/signatureHelp":
		return s.signature(q.Params)
	case "textDocument/formatting":
		return s.formatting(q.Params)
	case "textDocument/documentSymbol":
		return s.symbols(q.Params)
	}
	return nil, &rpcError{codeMethodNotFound, "the method " + q.Method + " is not served"}
}

func (s *server) initialize(params json.RawMessage) (any, error) {
	var p struct {
		Capabilities struct {
			General struct {
				PositionEncodings []string `json:"positionEncodings"`
			} `json:"general"`
		} `json:"capabilities"`
	}
	if err := decode(params, &p); err != nil {
		return nil, err
	}
	s.initialized = true
	encoding := "utf-16"
	for _, e := range p.Capabilities.General.PositionEncodings {
		if e == "utf-8" {
			s.utf8, encoding = true, e
		}
	}
	return map[string]any{
		"capabilities": map[string]any{
			"positionEncoding":           encoding,
			"textDocumentSync":           map[string]any{"openClose": true, "change": 2},
			"completionProvider":         map[string]any{"triggerCharacters": []string{"|", " ", "(", ",", "$"}},
			"hoverProvider":              true,
			"signatureHelpProvider":      map[string]any{"triggerCharacters": []string{"(", ","}, "retriggerCharacters": []string{")"}},
			"documentFormattingProvider": true,
			"documentSymbolProvider":     true,
		},
		"serverInfo": map[string]string{"name": "picket kql lsp", "version": s.o.Version},
	}, nil
}

func decode(params json.RawMessage, v any) error {
	if len(params) == 0 {
		return &rpcError{codeInvalidParams, "the message has no params"}
	}
	if err := json.Unmarshal(params, v); err != nil {
		return &rpcError{codeInvalidParams, "params: " + err.Error()}
	}
	return nil
}

type textDocument struct {
	URI     string `json:"uri"`
	Version int    `json:"version"`
	Text    string `json:"text"`
}

// document finds the open document of a request.
func (s *server) document(uri string) (*document, error) {
	d, ok := s.docs[uri]
	if !ok {
		return nil, &rpcError{codeInvalidParams, "the document " + uri + " is not open"}
	}
	return d, nil
}

func (s *server) didOpen(params json.RawMessage) error {
	var p struct {
		TextDocument textDocument `json:"textDocument"`
	}
	if err := decode(params, &p); err != nil {
		return err
	}
	if _, again := s.docs[p.TextDocument.URI]; !again && len(s.docs) >= maxDocuments {
		return &rpcError{codeInvalidRequest, fmt.Sprintf("%d documents are open, which is the limit", maxDocuments)}
	}
	d := newDocument(p.TextDocument.URI, p.TextDocument.Version, p.TextDocument.Text, s.utf8)
	s.docs[d.uri] = d
	return s.publish(d)
}

func (s *server) didChange(params json.RawMessage) error {
	var p struct {
		TextDocument   textDocument `json:"textDocument"`
		ContentChanges []struct {
			Range *rng   `json:"range"`
			Text  string `json:"text"`
		} `json:"contentChanges"`
	}
	if err := decode(params, &p); err != nil {
		return err
	}
	d, err := s.document(p.TextDocument.URI)
	if err != nil {
		return err
	}
	d.version = p.TextDocument.Version
	for _, c := range p.ContentChanges {
		if c.Range == nil {
			d.set(c.Text)
			continue
		}
		from, to := d.offset(c.Range.Start), d.offset(c.Range.End)
		if to < from {
			from, to = to, from
		}
		if from+len(c.Text)+len(d.text)-to > MaxMessageBytes {
			return &rpcError{codeInvalidParams, fmt.Sprintf("the document is longer than %d bytes", MaxMessageBytes)}
		}
		d.set(d.text[:from] + c.Text + d.text[to:])
	}
	return s.publish(d)
}

func (s *server) didClose(params json.RawMessage) error {
	var p struct {
		TextDocument textDocument `json:"textDocument"`
	}
	if err := decode(params, &p); err != nil {
		return err
	}
	delete(s.docs, p.TextDocument.URI)
	return s.w.send(notification("textDocument/publishDiagnostics", map[string]any{"uri": p.TextDocument.URI, "diagnostics": []any{}}))
}

func notification(method string, params any) any {
	return map[string]any{"jsonrpc": "2.0", "method": method, "params": params}
}

func (s *server) schema() bind.Schema {
	if s.o.Schema == nil {
		return bind.Tables{}
	}
	if sc := s.o.Schema(); sc != nil {
		return sc
	}
	return bind.Tables{}
}
