package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"
)

func secretCommand(t *target) *cobra.Command {
	c := &cobra.Command{Use: "secret", Short: "The sealed vault that playbooks read through Key Vault"}
	c.AddCommand(secretSetCommand(t), secretListCommand(t), secretRemoveCommand(t))
	return c
}

func secretSetCommand(t *target) *cobra.Command {
	var file, kind string
	c := &cobra.Command{
		Use: "set NAME", Short: "Store a secret: from a file, or from the standard input", Args: args(1, "one name"),
		Long:    "Reads the value from --file, or from the standard input, so that it stands in no shell's history. One line break at its end is not part of it.",
		Example: `  picket secret set mcas-token < token.txt`,
		RunE: func(c *cobra.Command, a []string) error {
			in := c.InOrStdin()
			if file != "" {
				f, err := os.Open(file)
				if err != nil {
					return err
				}
				defer f.Close()
				in = f
			}
			b, err := io.ReadAll(io.LimitReader(in, 64<<10))
			if err != nil {
				return err
			}
			v := strings.TrimSuffix(strings.TrimSuffix(string(b), "\n"), "\r")
			if v == "" {
				return &exitError{exitUsage, errors.New("the value is empty")}
			}
			return t.with(c.Context(), func(cl *client) error {
				var out secretLine
				if err := cl.send(c.Context(), "PUT", "/api/v1/secrets/"+esc(a[0]), map[string]any{"value": v, "contentType": kind}, &out); err != nil {
					return err
				}
				if t.json {
					return printJSON(c.OutOrStdout(), out)
				}
				fmt.Fprintf(c.OutOrStdout(), "set %s (version %s)\n", out.Name, out.Version)
				return nil
			})
		},
	}
	c.Flags().StringVar(&file, "file", "", "file that holds the value")
	c.Flags().StringVar(&kind, "content-type", "", "what kind of value it is, for readers")
	return c
}

type secretLine struct {
	Name        string    `json:"name"`
	Version     string    `json:"version"`
	ContentType string    `json:"contentType,omitempty"`
	Created     time.Time `json:"created"`
	Changed     time.Time `json:"changed"`
}

func secretListCommand(t *target) *cobra.Command {
	return &cobra.Command{
		Use: "list", Short: "List secrets, without their values", Args: args(0, "no arguments"),
		RunE: func(c *cobra.Command, _ []string) error {
			return t.with(c.Context(), func(cl *client) error {
				var out struct{ Value []secretLine }
				if err := cl.get(c.Context(), "/api/v1/secrets", &out); err != nil {
					return err
				}
				if t.json {
					return printJSON(c.OutOrStdout(), out.Value)
				}
				rows := [][]string{}
				for _, s := range out.Value {
					rows = append(rows, []string{s.Name, when(s.Changed), s.Version, s.ContentType})
				}
				return table(c.OutOrStdout(), []string{"SECRET", "CHANGED", "VERSION", "CONTENT TYPE"}, rows)
			})
		},
	}
}

func secretRemoveCommand(t *target) *cobra.Command {
	return &cobra.Command{
		Use: "rm NAME", Short: "Delete a secret", Args: args(1, "one name"),
		RunE: func(c *cobra.Command, a []string) error {
			return t.with(c.Context(), func(cl *client) error {
				return cl.do(c.Context(), "DELETE", "/api/v1/secrets/"+esc(a[0]), "", nil, nil)
			})
		},
	}
}
