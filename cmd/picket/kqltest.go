package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"picket/files"
	"picket/kql"
	"picket/kql/bind"
	"picket/kql/exec"
	"picket/kql/kqltest"
	"picket/kql/syntax"
	"time"

	"github.com/spf13/cobra"
)

func kqlTestCommand() *cobra.Command {
	var tables string
	var data fileFlags
	var update, verbose bool
	var timeout time.Duration
	c := &cobra.Command{
		Use:   "test FILE…",
		Short: "Run *.kqltest files: queries and the tables that they should give",
		Long: `A file holds cases. The first line names a case, then comes the query up to ---, then the columns with their types
and the rows; --- error TEXT says that the query is refused with a message that holds TEXT:

  === count groups by key
  datatable(k:string)["a", "b", "a"] | summarize n = count() by k
  ---
  k:string | n:long
  a | 2
  b | 1

Cells are parted by ' | '; null is written null, an empty text "". Rows may come in any order unless the query's last
operator sorts. A folder stands for all *.kqltest files in it. --file gives tables with rows, --tables empty ones.`,
		Example: "  picket kql test detections/*.kqltest\n  picket kql test --file SigninLogs=testdata/signins.ndjson rules/",
		Args: func(c *cobra.Command, a []string) error {
			if len(a) == 0 {
				return &exitError{exitUsage, fmt.Errorf("%s takes files or folders. See '%s --help'", c.CommandPath(), c.CommandPath())}
			}
			return nil
		},
		RunE: func(c *cobra.Command, a []string) error {
			paths, err := testFiles(a)
			if err != nil {
				return err
			}
			run, closer, err := testRunner(c, tables, &data, timeout)
			if err != nil {
				return err
			}
			defer closer()
			out := c.OutOrStdout()
			failed, total := 0, 0
			for _, p := range paths {
				if update {
					if err := kqltest.Record(c.Context(), p, run); err != nil {
						return err
					}
					fmt.Fprintln(out, "written", p)
					continue
				}
				cases, err := kqltest.ParseFile(p)
				if err != nil {
					return err
				}
				for _, tc := range cases {
					if err := c.Context().Err(); err != nil {
						return err
					}
					total++
					if err := kqltest.Check(c.Context(), tc, run); err != nil {
						failed++
						fmt.Fprintln(out, "FAIL", err)
					} else if verbose {
						fmt.Fprintf(out, "ok   %s:%d: %s\n", tc.File, tc.Line, tc.Name)
					}
				}
			}
			if update {
				return nil
			}
			fmt.Fprintf(out, "%d of %d cases pass\n", total-failed, total)
			if failed > 0 {
				return &exitError{exitFailure, fmt.Errorf("%d cases fail", failed)}
			}
			return nil
		},
	}
	data.add(c)
	c.Flags().StringVar(&tables, "tables", "", "JSON file of empty tables that queries may name")
	c.Flags().BoolVar(&update, "update", false, "write what the queries give now into the files, for you to review")
	c.Flags().BoolVarP(&verbose, "verbose", "v", false, "name the cases that pass, too")
	c.Flags().DurationVar(&timeout, "timeout", 30*time.Second, "time limit of one query")
	return c
}

// testFiles lists the files named, and those in the folders named.
func testFiles(args []string) ([]string, error) {
	var out []string
	for _, a := range args {
		found := 0
		err := filepath.WalkDir(a, func(p string, d fs.DirEntry, err error) error {
			if err != nil {
				return err
			}
			if p == a && !d.IsDir() || filepath.Ext(p) == ".kqltest" && d.Type().IsRegular() {
				out = append(out, p)
				found++
			}
			return nil
		})
		if errors.Is(err, fs.ErrNotExist) {
			return nil, &exitError{exitNotFound, err}
		}
		if err != nil {
			return nil, err
		}
		if found == 0 {
			return nil, &exitError{exitNotFound, fmt.Errorf("%s holds no *.kqltest file", a)}
		}
	}
	return out, nil
}

// testRunner answers queries over files, or over empty tables.
func testRunner(c *cobra.Command, tables string, data *fileFlags, timeout time.Duration) (kqltest.Runner, func(), error) {
	if tables != "" && len(data.specs) > 0 {
		return nil, nil, &exitError{exitUsage, errors.New("give --tables or --file, not both")}
	}
	first := func(ts []exec.Table, partial, err error) (kqltest.Table, error) {
		if err = errors.Join(err, partial); err != nil {
			return kqltest.Table{}, plainErrors(err)
		}
		if len(ts) == 0 {
			return kqltest.Table{}, nil
		}
		return kqltest.TableOf(ts[0].Schema, ts[0].Frames), nil
	}
	if len(data.specs) > 0 {
		set, closer, err := data.open(c.Context(), c.InOrStdin())
		if err != nil {
			return nil, nil, err
		}
		return func(ctx context.Context, text string) (kqltest.Table, error) {
			q, err := set.Compile(ctx, text, files.Query{Timeout: timeout})
			if err != nil {
				return kqltest.Table{}, plainErrors(err)
			}
			res, err := q.Run(ctx)
			if err != nil {
				return kqltest.Table{}, plainErrors(err)
			}
			return first(res.Tables, res.Partial, nil)
		}, closer, nil
	}
	sch := bind.Tables{}
	if tables != "" {
		var err error
		if sch, err = readTables(tables); err != nil {
			return nil, nil, err
		}
	}
	return func(ctx context.Context, text string) (kqltest.Table, error) {
		a := kql.Answer(ctx, text, kql.Input{Schema: sch, Exec: exec.Options{Timeout: timeout}})
		return first(a.Tables, a.Partial, a.Err)
	}, func() {}, nil
}

// plainErrors keeps the first finding, as tests name it.
func plainErrors(err error) error {
	var list syntax.ErrorList
	if errors.As(err, &list) && len(list) > 0 {
		return list[0]
	}
	return err
}
