package main

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"picket/kql/bind"
	"picket/kql/lsp"
	"runtime/debug"
	"sync/atomic"
	"time"

	"github.com/spf13/cobra"
)

// schemaEvery is how often a language server asks its server for new tables.
const schemaEvery = time.Minute

func kqlLspCommand(t *target) *cobra.Command {
	var tables string
	var server bool
	c := &cobra.Command{
		Use:   "lsp",
		Short: "Serve an editor over standard input and output (Language Server Protocol)",
		Long: `Gives diagnostics, completion, hover, formatting and document symbols. Blank rows divide a document into queries.
--tables names the tables that queries may use, --server takes them from the server of --data or --url; without
either only the syntax is checked.`,
		Example: "  picket kql lsp --tables tables.json\n  picket kql lsp --server --data picket-data",
		Args:    args(0, "no arguments"),
		RunE: func(c *cobra.Command, _ []string) error {
			ctx := c.Context()
			log := slog.New(slog.NewTextHandler(os.Stderr, nil)) // standard output belongs to the protocol
			o := lsp.Options{Version: version(), Log: log}
			switch {
			case tables != "" && server:
				return &exitError{exitUsage, errors.New("give --tables or --server, not both")}
			case tables != "":
				sch, err := readTables(tables)
				if err != nil {
					return err
				}
				o.Schema = func() bind.Schema { return sch }
			case server:
				var current atomic.Pointer[serverSchema]
				return t.with(ctx, func(cl *client) error {
					s, err := fetchSchema(ctx, cl)
					if err != nil {
						return err
					}
					current.Store(s)
					ctx, cancel := context.WithCancel(ctx)
					defer cancel()
					go func() {
						for {
							select {
							case <-ctx.Done():
								return
							case <-time.After(schemaEvery):
							}
							if s, err := fetchSchema(ctx, cl); err == nil {
								current.Store(s)
							} else if ctx.Err() == nil {
								log.Warn("the server's tables can't be read anew", "error", err)
							}
						}
					}()
					o.Schema = func() bind.Schema { return current.Load() }
					return lsp.Serve(ctx, c.InOrStdin(), c.OutOrStdout(), o)
				})
			}
			return lsp.Serve(ctx, c.InOrStdin(), c.OutOrStdout(), o)
		},
	}
	c.Flags().StringVar(&tables, "tables", "", "JSON file of the tables that queries may name")
	c.Flags().BoolVar(&server, "server", false, "take tables and functions from the server")
	c.Flags().Bool("stdio", true, "speak over standard input and output (what editors ask for; there is nothing else)")
	return c
}

// version is that of the program, as the build stamped it.
func version() string {
	if b, ok := debug.ReadBuildInfo(); ok && b.Main.Version != "" {
		return b.Main.Version
	}
	return "devel"
}
