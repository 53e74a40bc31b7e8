package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"mime/multipart"
	"os"
	"path/filepath"
	"picket/canary"
	"strings"
	"time"

	"github.com/spf13/cobra"
)

type tokenJSON struct {
	ID       string    `json:"token"`
	Kind     string    `json:"kind"`
	FileName string    `json:"fileName"`
	Memo     string    `json:"memo"`
	Status   string    `json:"status"`
	Created  time.Time `json:"created"`
	Hits     int       `json:"hits"`
	LastHit  time.Time `json:"lastHit"`
	URL      string    `json:"url"`
	Hostname string    `json:"hostname"`
	Warnings []string  `json:"warnings,omitempty"`
}

func canaryCommand(t *target) *cobra.Command {
	return group(&cobra.Command{Use: "canary", Short: "Honey tokens"},
		canaryNewCommand(t), canaryListCommand(t), canaryHistoryCommand(t), canaryDownloadCommand(t), canaryOpenCommand(t))
}

func canaryNewCommand(t *target) *cobra.Command {
	var kind, name, memo, out, own, title string
	var emails, webhooks, playbooks, tags, fields []string
	var rows int
	c := &cobra.Command{
		Use: "new", Short: "Make a token and download it", Args: args(0, "no arguments"),
		Example: `  picket canary new --kind ms_word --memo 'FS01,,,T:\departments\sales\hipospecials,token placed on FS01' --playbook Ingest-CanaryTokens`,
		RunE: func(c *cobra.Command, _ []string) error {
			if own != "" {
				if name == "" {
					name = filepath.Base(own)
				}
				if !c.Flags().Changed("kind") && strings.EqualFold(filepath.Ext(own), ".xlsx") {
					kind = "ms_excel"
				}
			}
			m, err := canary.ParseMemo(memo)
			if err != nil {
				return &exitError{exitUsage, fmt.Errorf("--memo: %w", err)}
			}
			ask := map[string]any{
				"kind": kind, "fileName": name, "memo": m, "recipients": emails, "webhooks": webhooks, "playbooks": playbooks, "tags": tags,
				"decoy": canary.Decoy{Title: title, Fields: fields, Rows: rows},
			}
			ctype, body, err := tokenForm(ask, own)
			if err != nil {
				return err
			}
			if err := checkOut(out, name); err != nil {
				return &exitError{exitUsage, err}
			}
			return t.with(c.Context(), func(cl *client) error {
				var tok tokenJSON
				if err := cl.do(c.Context(), "POST", "/api/v1/tokens", ctype, body, &tok); err != nil {
					return err
				}
				file := ""
				if name := tok.downloadName(); name != "" {
					if file, err = saveToken(c, cl, tok.ID, name, out); err != nil {
						return fmt.Errorf("%w\nThe token %s is made; fetch its file with: picket canary download %[2]s --out FILE", err, tok.ID)
					}
				}
				if t.json {
					return printJSON(c.OutOrStdout(), map[string]any{"token": tok, "file": file})
				}
				for _, l := range [][2]string{{"token", tok.ID}, {"url", tok.URL}, {"host", tok.Hostname}, {"file", file}} {
					if l[1] != "" {
						fmt.Fprintf(c.OutOrStdout(), "%-6s %s\n", l[0], l[1])
					}
				}
				for _, w := range tok.Warnings {
					fmt.Fprintln(os.Stderr, "picket: "+w)
				}
				return nil
			})
		},
	}
	fl := c.Flags()
	fl.StringVar(&kind, "kind", "ms_word", "ms_word, ms_excel, web, qr_code, dns")
	fl.StringVar(&name, "name", "", "file name; a convincing one is proposed when it is empty")
	fl.StringVar(&memo, "memo", "", "where it is placed: Computername,PublicIP,PrivateIP,SharePath,Description")
	fl.StringVar(&out, "out", "", "file or folder to write to")
	fl.StringVar(&own, "document", "", "your own .docx or .xlsx, to be armed in place of a generated one")
	fl.StringVar(&title, "title", "", "heading of a generated document")
	fl.IntVar(&rows, "rows", 0, "rows of a generated document's table")
	fl.StringSliceVar(&fields, "field", nil, "columns of a generated document's table")
	fl.StringSliceVar(&emails, "email", nil, "who is told by mail")
	fl.StringArrayVar(&webhooks, "webhook", nil, "URL that is called on a trip")
	fl.StringArrayVar(&playbooks, "playbook", nil, "playbook of this picket that is called on a trip")
	fl.StringSliceVar(&tags, "tag", nil, "tags")
	return c
}

// downloadName is the file that the kind gives; "" for kinds without one.
func (k *tokenJSON) downloadName() string {
	switch {
	case k.FileName != "":
		return k.FileName
	case k.Kind == "qr_code":
		return "qr-" + k.ID + ".png"
	}
	return ""
}

// tokenForm is the request for a token: JSON, or a form when the user's own document goes with it.
func tokenForm(ask map[string]any, own string) (ctype string, body []byte, err error) {
	js, err := json.Marshal(ask)
	if err != nil || own == "" {
		return "application/json", js, err
	}
	doc, err := os.ReadFile(own)
	if err != nil {
		return "", nil, fmt.Errorf("--document: %w", err)
	}
	var buf bytes.Buffer
	m := multipart.NewWriter(&buf)
	w, err := m.CreateFormField("token")
	if err == nil {
		_, err = w.Write(js)
	}
	if err == nil {
		if w, err = m.CreateFormFile("document", filepath.Base(own)); err == nil {
			_, err = w.Write(doc)
		}
	}
	err = errors.Join(err, m.Close()) // before Bytes: Close writes the end
	return m.FormDataContentType(), buf.Bytes(), err
}

// checkOut says what would keep the token's file from being written, before there is a token.
func checkOut(out, name string) error {
	file := out
	st, err := os.Stat(out)
	if out == "" || err == nil && st.IsDir() {
		if name == "" {
			return nil // a name will be proposed
		}
		file = filepath.Join(out, filepath.Base(name))
	}
	if _, err := os.Lstat(file); err == nil {
		return fmt.Errorf("--out: %s is there already and is not overwritten: give another name", file)
	}
	if st, err := os.Stat(filepath.Dir(file)); err != nil || !st.IsDir() || strings.HasSuffix(out, string(filepath.Separator)) {
		return fmt.Errorf("--out: there is no folder %s: make it first", filepath.Dir(file))
	}
	return nil
}

// saveToken downloads a token's file; an existing file is never overwritten.
func saveToken(c *cobra.Command, cl *client, id, name, out string) (string, error) {
	var body []byte
	if err := cl.get(c.Context(), "/api/v1/tokens/"+esc(id)+"/download", &body); err != nil {
		return "", err
	}
	file := out
	if st, err := os.Stat(out); out == "" || (err == nil && st.IsDir()) {
		file = filepath.Join(out, filepath.Base(name))
	}
	f, err := os.OpenFile(file, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if err != nil {
		return "", fmt.Errorf("write the token: %w (give another name with --out)", err)
	}
	_, err = f.Write(body)
	if err := errors.Join(err, f.Close()); err != nil {
		return "", fmt.Errorf("write the token: %w", err)
	}
	return file, nil
}

func canaryListCommand(t *target) *cobra.Command {
	return &cobra.Command{
		Use: "list", Short: "List tokens", Args: args(0, "no arguments"),
		RunE: func(c *cobra.Command, _ []string) error {
			return t.with(c.Context(), func(cl *client) error {
				var out struct {
					Value []tokenJSON `json:"value"`
				}
				if err := cl.get(c.Context(), "/api/v1/tokens", &out); err != nil {
					return err
				}
				if t.json {
					return printJSON(c.OutOrStdout(), out.Value)
				}
				rows := [][]string{}
				for _, k := range out.Value {
					rows = append(rows, []string{k.ID, k.Kind, k.FileName, k.Status, fmt.Sprint(k.Hits), when(k.LastHit), k.Memo})
				}
				return table(c.OutOrStdout(), []string{"TOKEN", "KIND", "FILE", "STATUS", "HITS", "LAST HIT", "MEMO"}, rows)
			})
		},
	}
}

func when(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format("2006-01-02 15:04:05Z")
}

func canaryHistoryCommand(t *target) *cobra.Command {
	return &cobra.Command{
		Use: "history TOKEN", Short: "Show a token's trips, newest first", Args: args(1, "one token id"),
		RunE: func(c *cobra.Command, a []string) error {
			return t.with(c.Context(), func(cl *client) error {
				var out struct {
					Value []struct {
						Time      time.Time `json:"time"`
						SourceIP  string    `json:"sourceIp"`
						Channel   string    `json:"channel"`
						UserAgent string    `json:"userAgent"`
						Country   string    `json:"country"`
						City      string    `json:"city"`
					} `json:"value"`
				}
				if err := cl.get(c.Context(), "/api/v1/tokens/"+esc(a[0])+"/history", &out); err != nil {
					return err
				}
				if t.json {
					return printJSON(c.OutOrStdout(), out.Value)
				}
				rows := [][]string{}
				for _, h := range out.Value {
					rows = append(rows, []string{when(h.Time), h.SourceIP, h.Channel, strings.TrimSpace(h.City + " " + h.Country), h.UserAgent})
				}
				return table(c.OutOrStdout(), []string{"TIME", "SOURCE", "CHANNEL", "PLACE", "USER AGENT"}, rows)
			})
		},
	}
}

func canaryDownloadCommand(t *target) *cobra.Command {
	var out string
	c := &cobra.Command{
		Use: "download TOKEN", Short: "Download a token's file again", Args: args(1, "one token id"),
		RunE: func(c *cobra.Command, a []string) error {
			return t.with(c.Context(), func(cl *client) error {
				var tok tokenJSON
				if err := cl.get(c.Context(), "/api/v1/tokens/"+esc(a[0]), &tok); err != nil {
					return err
				}
				name := tok.downloadName()
				if name == "" {
					return fmt.Errorf("a %s token has no file", tok.Kind)
				}
				if err := checkOut(out, name); err != nil {
					return &exitError{exitUsage, err}
				}
				file, err := saveToken(c, cl, tok.ID, name, out)
				if err != nil {
					return err
				}
				if t.json {
					return printJSON(c.OutOrStdout(), map[string]string{"token": tok.ID, "file": file})
				}
				_, err = fmt.Fprintln(c.OutOrStdout(), file)
				return err
			})
		},
	}
	c.Flags().StringVar(&out, "out", "", "file or folder to write to")
	return c
}

func canaryOpenCommand(t *target) *cobra.Command {
	return &cobra.Command{
		Use: "open FILE", Short: "Fetch what a word processor would fetch when opening the document", Args: args(1, "one document"),
		RunE: func(c *cobra.Command, a []string) error {
			got, err := canary.Fetch(c.Context(), a[0])
			if err != nil {
				return err
			}
			type fetched struct {
				Method string `json:"method"`
				URL    string `json:"url"`
				Status int    `json:"status"` // 0: no answer
				Error  string `json:"error,omitempty"`
			}
			list, failed := []fetched{}, 0
			for _, g := range got {
				f := fetched{Method: g.Method, URL: g.URL, Status: g.Status}
				if g.Err != nil {
					failed++
					f.Error = g.Err.Error()
				}
				list = append(list, f)
			}
			if t.json {
				if err := printJSON(c.OutOrStdout(), list); err != nil {
					return err
				}
			} else {
				for _, f := range list {
					fmt.Fprintln(c.OutOrStdout(), strings.TrimSpace(clean(fmt.Sprintln(f.Method, f.URL, f.Status, f.Error))))
				}
			}
			switch {
			case len(list) == 0:
				return fmt.Errorf("%s fetches nothing when it is opened: it is no token", a[0])
			case failed > 0:
				return fmt.Errorf("%d of %d requests got no answer: is the trip listener up?", failed, len(list))
			}
			return nil
		},
	}
}
