package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"picket/kql"
	"picket/kql/exec"
	"picket/kql/help"
	"picket/kql/value"
	"time"

	"github.com/spf13/cobra"
)

func kqlDocsCommand() *cobra.Command {
	return &cobra.Command{
		Use:     "docs DIR",
		Short:   "Write the pages about the language, with examples that were run",
		Long:    "Writes functions.md, aggregates.md, plugins.md and operators.md into DIR: what each does, its signatures, an example and what the engine answers to it.",
		Example: "  picket kql docs docs/kql",
		Args:    args(1, "a folder"),
		RunE: func(c *cobra.Command, a []string) error {
			pages, err := help.Pages(func(q string) help.Result { return example(c.Context(), q) })
			if err != nil {
				return err
			}
			if err := os.MkdirAll(a[0], 0o755); err != nil {
				return fmt.Errorf("make the folder: %w", err)
			}
			for name, text := range pages {
				if err := os.WriteFile(filepath.Join(a[0], name), []byte(text), 0o644); err != nil {
					return fmt.Errorf("write the pages: %w", err)
				}
			}
			return nil
		},
	}
}

// example answers a query that reads no tables.
func example(ctx context.Context, query string) help.Result {
	a := kql.Answer(ctx, query, kql.Input{Exec: exec.Options{Timeout: 10 * time.Second}})
	if a.Err == nil {
		a.Err = a.Partial
	}
	if a.Err != nil {
		return help.Result{Err: a.Err}
	}
	var r help.Result
	if len(a.Tables) == 0 {
		return r
	}
	t := a.Tables[0]
	for _, c := range t.Schema {
		r.Columns = append(r.Columns, c.Name)
	}
	for _, f := range t.Frames {
		for i := 0; i < f.N; i++ {
			row := make([]string, len(f.Vecs))
			for c, v := range f.Vecs {
				row[c] = cell(v, i)
			}
			r.Rows = append(r.Rows, row)
		}
	}
	return r
}

// cell is a value as a page shows it.
func cell(v *value.Vector, i int) string {
	if v.IsNull(i) {
		return "null"
	}
	return value.Text(v, i)
}
