package main

import (
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"picket/canary"
)

type tokenJSON struct {
	ID        string    `json:"id"`
	Kind      string    `json:"kind"`
	FileName  string    `json:"fileName"`
	MemoText  string    `json:"memoText"`
	Enabled   bool      `json:"enabled"`
	Created   time.Time `json:"created"`
	Hits      int       `json:"hits"`
	LastHit   time.Time `json:"lastHit"`
	Address   string    `json:"address"`
	Downloads []struct {
		Format string `json:"format"`
		Name   string `json:"name"`
	} `json:"downloads"`
}

func canaryCommand(t *target) *cobra.Command {
	c := &cobra.Command{Use: "canary", Short: "Honey tokens"}
	c.AddCommand(canaryNewCommand(t), canaryListCommand(t), canaryHistoryCommand(t), canaryOpenCommand())
	return c
}

func canaryNewCommand(t *target) *cobra.Command {
	var kind, name, memo, out string
	var emails, webhooks, playbooks, tags, fields []string
	c := &cobra.Command{
		Use: "new", Short: "Make a token and download it", Args: args(0, "no arguments"),
		Example: `  picket canary new --kind ms_word --memo 'FS01,,,T:\departments\sales\hipospecials,token placed on FS01' --playbook Ingest-CanaryTokens`,
		RunE: func(c *cobra.Command, _ []string) error {
			m, err := canary.ParseMemo(memo)
			if err != nil {
				return &exitError{exitUsage, fmt.Errorf("--memo: %w", err)}
			}
			f := map[string]string{}
			for _, kv := range fields {
				k, v, ok := strings.Cut(kv, "=")
				if !ok {
					return &exitError{exitUsage, fmt.Errorf("--field %q is not of the form name=value", kv)}
				}
				f[k] = v
			}
			return t.with(c.Context(), func(cl *client) error {
				in := map[string]any{"kind": kind, "fileName": name, "emails": emails, "webhooks": webhooks, "playbooks": playbooks, "tags": tags, "fields": f,
					"memo": map[string]string{"host": m.Computername, "publicIp": m.PublicIP, "privateIp": m.PrivateIP, "share": m.SharePath, "description": m.Description}}
				var tok tokenJSON
				if err := cl.send(c.Context(), "POST", "/api/v1/tokens", in, &tok); err != nil {
					return err
				}
				file := ""
				if len(tok.Downloads) > 0 {
					d := tok.Downloads[0]
					var body []byte
					if err := cl.get(c.Context(), "/api/v1/tokens/"+esc(tok.ID)+"/download?format="+url.QueryEscape(d.Format), &body); err != nil {
						return err
					}
					file = out
					if st, err := os.Stat(out); out == "" || (err == nil && st.IsDir()) {
						file = filepath.Join(out, filepath.Base(d.Name))
					}
					f, err := os.OpenFile(file, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
					if err != nil {
						return fmt.Errorf("write the token: %w (give another name with --out)", err)
					}
					_, err = f.Write(body)
					if err := errors.Join(err, f.Close()); err != nil {
						return fmt.Errorf("write the token: %w", err)
					}
				}
				if t.json {
					return printJSON(c.OutOrStdout(), map[string]any{"token": tok, "file": file})
				}
				fmt.Fprintln(c.OutOrStdout(), "token  ", tok.ID)
				if tok.Address != "" {
					fmt.Fprintln(c.OutOrStdout(), "trips at", tok.Address)
				}
				if file != "" {
					fmt.Fprintln(c.OutOrStdout(), "file   ", file)
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
	fl.StringSliceVar(&emails, "email", nil, "who is told by mail")
	fl.StringArrayVar(&webhooks, "webhook", nil, "URL that is called on a trip")
	fl.StringArrayVar(&playbooks, "playbook", nil, "playbook of this picket that is called on a trip")
	fl.StringSliceVar(&tags, "tag", nil, "tags")
	fl.StringArrayVar(&fields, "field", nil, "a field of the kind, name=value")
	return c
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
					rows = append(rows, []string{k.ID, k.Kind, k.FileName, fmt.Sprint(k.Enabled), fmt.Sprint(k.Hits), when(k.LastHit), k.MemoText})
				}
				return table(c.OutOrStdout(), []string{"TOKEN", "KIND", "FILE", "ENABLED", "HITS", "LAST HIT", "MEMO"}, rows)
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

func canaryOpenCommand() *cobra.Command {
	return &cobra.Command{
		Use: "open FILE", Short: "Fetch what a word processor would fetch when opening the document", Args: args(1, "one document"),
		RunE: func(c *cobra.Command, a []string) error {
			got, err := canary.Fetch(c.Context(), a[0])
			if err != nil {
				return err
			}
			for _, g := range got {
				fmt.Fprintln(c.OutOrStdout(), g)
			}
			return nil
		},
	}
}
