package main

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"picket"
	"strings"
	"time"
)

// target is where a command finds its server.
type target struct {
	data, url, token, ca string
	json                 bool
}

// client talks to a server's API: over its socket, over the network, or in this process.
type client struct {
	http  *http.Client
	base  string
	token string
	ws    picket.WorkspaceInfo
	close func() error
}

const apiVersion = "api-version=2023-11-01"

// open connects: to --url when it is set, else to the server that holds the data folder, else it opens the
// folder itself.
func (t *target) open(ctx context.Context) (*client, error) {
	c := &client{close: func() error { return nil }}
	switch {
	case t.url != "":
		if t.token == "" {
			return nil, &exitError{exitRefused, errors.New("--url needs a token: set --token or PICKET_TOKEN")}
		}
		cfg := &tls.Config{MinVersion: tls.VersionTLS12}
		if t.ca != "" {
			pem, err := os.ReadFile(t.ca)
			if err != nil {
				return nil, fmt.Errorf("read --ca: %w", err)
			}
			cfg.RootCAs = x509.NewCertPool()
			if !cfg.RootCAs.AppendCertsFromPEM(pem) {
				return nil, fmt.Errorf("--ca %s holds no certificate", t.ca)
			}
		}
		c.http = &http.Client{Transport: &http.Transport{TLSClientConfig: cfg}}
		c.base, c.token = strings.TrimRight(t.url, "/"), t.token
	default:
		sock := filepath.Join(t.data, picket.SocketName)
		if _, err := os.Stat(t.data); err != nil {
			return nil, &exitError{exitNotFound, fmt.Errorf("the data folder %s does not exist: name the server's with --data, or a server with --url", t.data)}
		}
		if conn, err := net.DialTimeout("unix", sock, time.Second); err == nil {
			conn.Close()
		} else if _, err := os.Stat(filepath.Join(t.data, picket.StateName)); err != nil {
			return nil, &exitError{exitNotFound, fmt.Errorf("%s is no data folder of picket (it has no %s): name the server's with --data, start one there with 'picket serve', or name a server with --url", t.data, picket.StateName)}
		} else {
			// Nobody holds the folder: this process does, for the time of the command.
			cfg := picket.DefaultConfig()
			if err := cfg.LoadEnv(os.LookupEnv); err != nil {
				return nil, err
			}
			cfg.Data, cfg.Demo = t.data, false
			p, err := picket.Open(ctx, cfg)
			if err != nil {
				return nil, err
			}
			run, stop := context.WithCancel(ctx)
			done := make(chan error, 1)
			go func() { done <- p.ServeSocket(run) }()
			c.close = func() error {
				stop()
				return errors.Join(<-done, p.Close())
			}
		}
		c.http = &http.Client{Transport: &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			var d net.Dialer
			for i := 0; ; i++ { // the socket of this process may need a moment
				conn, err := d.DialContext(ctx, "unix", sock)
				if err == nil || i > 50 {
					return conn, err
				}
				time.Sleep(20 * time.Millisecond)
			}
		}}}
		c.base = "http://picket"
	}
	if err := c.get(ctx, "/api/v1/workspace", &c.ws); err != nil {
		return nil, errors.Join(err, c.close())
	}
	return c, nil
}

func (c *client) get(ctx context.Context, path string, out any) error {
	return c.do(ctx, http.MethodGet, path, "", nil, out)
}

func (c *client) send(ctx context.Context, method, path string, in, out any) error {
	b, err := json.Marshal(in)
	if err != nil {
		return err
	}
	return c.do(ctx, method, path, "application/json", b, out)
}

// do makes a request and decodes its JSON into out (a *[]byte takes the body as it is). An error answer becomes
// an error with the server's message and an exit code.
func (c *client) do(ctx context.Context, method, path, ctype string, body []byte, out any) error {
	return c.stream(ctx, method, path, ctype, bytes.NewReader(body), out)
}

// stream is do for bodies that are too large to be held.
func (c *client) stream(ctx context.Context, method, path, ctype string, body io.Reader, out any) error {
	req, err := http.NewRequestWithContext(ctx, method, c.base+path, body)
	if err != nil {
		return err
	}
	if ctype != "" {
		req.Header.Set("Content-Type", ctype)
	}
	if c.token != "" {
		req.Header.Set("Authorization", "Bearer "+c.token)
	}
	res, err := c.http.Do(req)
	if err != nil {
		return fmt.Errorf("talk to the server: %w%s", err, mend(err))
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	if err != nil {
		return fmt.Errorf("read the server's answer: %w", err)
	}
	if res.StatusCode >= 300 {
		return answerError(res.StatusCode, b)
	}
	switch o := out.(type) {
	case nil:
		return nil
	case *[]byte:
		*o = b
		return nil
	}
	if len(b) == 0 {
		return nil
	}
	if err := json.Unmarshal(b, out); err != nil {
		return fmt.Errorf("the server's answer to %s %s is not what was expected: %w", method, path, err)
	}
	return nil
}

// mend says what helps against an error of the connection.
func mend(err error) string {
	var unknown x509.UnknownAuthorityError
	var refused *net.OpError
	switch {
	case errors.As(err, &unknown):
		return "; name the authority's certificate with --ca (on the server: DATA/tls/ca.pem, or 'picket trust')"
	case errors.As(err, &refused) && refused.Op == "dial":
		return "; is the server up, and is this its address?"
	}
	return ""
}

// answerError digs the innermost message out of an error in Azure's shape.
func answerError(status int, body []byte) error {
	var e struct {
		Error json.RawMessage `json:"error"`
	}
	msg := strings.TrimSpace(string(body))
	if json.Unmarshal(body, &e) == nil {
		raw := e.Error
		for len(raw) > 0 {
			var in struct {
				Message string          `json:"message"`
				Inner   json.RawMessage `json:"innererror"`
			}
			if json.Unmarshal(raw, &in) != nil {
				break
			}
			if in.Message != "" {
				msg = in.Message
			}
			raw = in.Inner
		}
	}
	code := exitFailure
	switch status {
	case 401, 403:
		code = exitRefused
	case 404:
		code = exitNotFound
	}
	return &exitError{code, fmt.Errorf("%s (status %d)", msg, status)}
}

// arm is the path of a resource below this workspace, with an api-version.
func (c *client) arm(rest string) string { return c.ws.ResourceID + rest + "?" + apiVersion }

func esc(s string) string { return url.PathEscape(s) }

// with runs f on an open client and closes it.
func (t *target) with(ctx context.Context, f func(*client) error) error {
	c, err := t.open(ctx)
	if err != nil {
		return err
	}
	return errors.Join(f(c), c.close())
}
