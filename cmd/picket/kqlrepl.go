package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"picket/azure"
	"picket/files"
	"picket/kql"
	"picket/kql/bind"
	"picket/kql/exec"
	"picket/kql/repl"
	"picket/kql/syntax"
	"picket/kql/value"
	"time"

	"github.com/mattn/go-isatty"
	"github.com/spf13/cobra"
)

func kqlReplCommand() *cobra.Command {
	var tables string
	var data fileFlags
	c := &cobra.Command{
		Use:   "repl",
		Short: "Ask queries one after the other, over files or over nothing",
		Long: `A query runs at an empty line, or at once when it ends with a semicolon. The tab key completes tables, columns,
operators and functions; ? NAME explains; .help lists commands. The history lies in the system's folder for state.
Queries against a server: picket query -i.`,
		Example: "  picket kql repl --file logs.ndjson",
		Args:    args(0, "no arguments"),
		RunE: func(c *cobra.Command, _ []string) error {
			switch {
			case tables != "" && len(data.specs) > 0:
				return &exitError{exitUsage, errors.New("give --tables or --file, not both")}
			case len(data.specs) > 0:
				return replFiles(c, &data, "")
			}
			e := &emptyEngine{schema: bind.Tables{}}
			if tables != "" {
				var err error
				if e.schema, err = readTables(tables); err != nil {
					return err
				}
			}
			return runRepl(c, e)
		},
	}
	data.add(c)
	c.Flags().StringVar(&tables, "tables", "", "JSON file of empty tables that queries may name")
	return c
}

// replFiles asks queries over files.
func replFiles(c *cobra.Command, f *fileFlags, timespan string) error {
	e := &fileEngine{}
	if timespan != "" {
		var err error
		if e.query.From, e.query.To, err = azure.ParseTimespan(timespan, time.Now()); err != nil {
			return &exitError{exitUsage, fmt.Errorf("--timespan %s: %w", timespan, err)}
		}
	}
	set, closer, err := f.open(c.Context(), c.InOrStdin())
	if err != nil {
		return err
	}
	defer closer()
	e.set = set
	return runRepl(c, e)
}

// replServer asks queries of a server.
func replServer(c *cobra.Command, t *target, timespan string) error {
	return t.with(c.Context(), func(cl *client) error { return runRepl(c, &serverEngine{cl: cl, timespan: timespan}) })
}

func runRepl(c *cobra.Command, e repl.Engine) error {
	o := repl.Options{Engine: e, Out: c.OutOrStdout(), Print: table}
	// Ctrl-C ends a query, not the session: it is taken here.
	ctx := context.WithoutCancel(c.Context())
	o.Interruptible = func(ctx context.Context) (context.Context, context.CancelFunc) {
		return signal.NotifyContext(ctx, os.Interrupt)
	}
	in := c.InOrStdin()
	if f, ok := in.(*os.File); !ok || !isatty.IsTerminal(f.Fd()) || !isatty.IsTerminal(os.Stdout.Fd()) {
		o.Quiet, o.Lines = true, repl.NewPipe(in)
		err := repl.Run(ctx, o)
		if errors.Is(err, repl.ErrFailed) {
			err = &exitError{exitFailure, err}
		}
		return err
	}
	o.Color = os.Getenv("NO_COLOR") == "" && os.Getenv("TERM") != "dumb"
	history, err := repl.HistoryFile()
	if err != nil {
		history = ""
	}
	term, err := repl.OpenTerminal(repl.TerminalOptions{History: history, Color: o.Color})
	if err != nil {
		return err
	}
	defer term.Close()
	o.Lines = term
	return repl.Run(ctx, o)
}

// texts turns tables into what a terminal shows.
func texts(ts []exec.Table, partial error) *repl.Answer {
	a := &repl.Answer{}
	if partial != nil {
		a.Partial = partial.Error()
	}
	var buf []byte
	for _, t := range ts {
		tb := repl.Table{}
		for _, col := range t.Schema {
			tb.Header = append(tb.Header, col.Name)
		}
		for _, f := range t.Frames {
			for i := range f.N {
				row := make([]string, len(f.Vecs))
				for k, v := range f.Vecs {
					buf = value.AppendCell(buf[:0], v, i)
					row[k] = cellText(buf)
				}
				tb.Rows = append(tb.Rows, row)
			}
		}
		a.Tables = append(a.Tables, tb)
	}
	return a
}

// emptyEngine answers over tables without rows.
type emptyEngine struct{ schema bind.Tables }

func (e *emptyEngine) Schema(context.Context) (bind.Schema, error) { return e.schema, nil }

func (e *emptyEngine) Ask(ctx context.Context, q string) (*repl.Answer, error) {
	a := kql.Answer(ctx, q, kql.Input{Schema: e.schema})
	if a.Err != nil {
		return nil, a.Err
	}
	return texts(a.Tables, a.Partial), nil
}

// fileEngine answers over files.
type fileEngine struct {
	set   *files.Set
	query files.Query
}

func (e *fileEngine) Schema(context.Context) (bind.Schema, error) { return e.set.Schema(), nil }

func (e *fileEngine) Ask(ctx context.Context, q string) (*repl.Answer, error) {
	c, err := e.set.Compile(ctx, q, e.query)
	if err != nil {
		return nil, err
	}
	res, err := c.Run(ctx)
	if err != nil {
		return nil, err
	}
	return texts(res.Tables, res.Partial), nil
}

// serverEngine asks a server.
type serverEngine struct {
	cl       *client
	timespan string
	schema   *serverSchema
}

func (e *serverEngine) Schema(ctx context.Context) (bind.Schema, error) {
	s, err := fetchSchema(ctx, e.cl)
	if err != nil {
		return nil, err
	}
	e.schema = s
	return s, nil
}

// Ask checks the syntax here, so that errors can be drawn at their place, and leaves the rest to the server.
func (e *serverEngine) Ask(ctx context.Context, q string) (*repl.Answer, error) {
	doc, errs := syntax.Parse(q)
	if len(errs) > 0 {
		return nil, errs
	}
	in := map[string]string{"query": q}
	if e.timespan != "" {
		in["timespan"] = e.timespan
	}
	var out laAnswer
	err := e.cl.send(ctx, "POST", "/v1/workspaces/"+esc(e.cl.ws.ID)+"/query", in, &out)
	if err != nil {
		if _, errs := bind.Bind(doc, q, e.schema, bind.Options{}); len(errs) > 0 && ctx.Err() == nil {
			return nil, errs
		}
		return nil, err
	}
	a := &repl.Answer{}
	for _, t := range out.Tables {
		tb := repl.Table{}
		for _, col := range t.Columns {
			tb.Header = append(tb.Header, col.Name)
		}
		for _, r := range t.Rows {
			row := make([]string, len(r))
			for i, cell := range r {
				row[i] = cellText(cell)
			}
			tb.Rows = append(tb.Rows, row)
		}
		a.Tables = append(a.Tables, tb)
	}
	if out.Error != nil {
		a.Partial = out.Error.Message
		if len(out.Error.Details) > 0 {
			a.Partial = out.Error.Details[0].Inner.Message
		}
	}
	return a, nil
}
