package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"picket/kql"
	"picket/kql/bind"
	"picket/kql/exec"
	"picket/kql/kqltest"
	"picket/kql/syntax"
	"picket/kql/value"
	"runtime"
	"time"

	"github.com/spf13/cobra"
)

const maxLine = 16 << 20 // bytes of one line of kql batch

func kqlCommand(t *target) *cobra.Command {
	return group(&cobra.Command{Use: "kql", Short: "The query language as a tool, without a server"}, kqlBatchCommand(), kqlFormatCommand(), kqlTestCommand(), kqlFunctionsCommand(), kqlDocsCommand(), kqlReplCommand(), kqlLspCommand(t))
}

func kqlFormatCommand() *cobra.Command {
	return &cobra.Command{
		Use: "format [FILE]", Short: "Print a query in its standard form", Args: argsBetween(0, 1, "one file, or none for standard input"),
		RunE: func(c *cobra.Command, a []string) error {
			in := c.InOrStdin()
			if len(a) == 1 {
				f, err := os.Open(a[0])
				if err != nil {
					return err
				}
				defer f.Close()
				in = f
			}
			b, err := io.ReadAll(io.LimitReader(in, maxLine))
			if err != nil {
				return err
			}
			doc, errs := syntax.Parse(string(b))
			if len(errs) > 0 {
				return errs
			}
			_, err = fmt.Fprintln(c.OutOrStdout(), syntax.Print(doc))
			return err
		},
	}
}

func kqlBatchCommand() *cobra.Command {
	var tables string
	var bindOnly bool
	var timeout time.Duration
	c := &cobra.Command{
		Use:   "batch",
		Short: "Answer queries from standard input, a line of JSON each",
		Long: `Reads lines {"id", "query"} and answers each, in order, with a line
{"id", "ok", "error": {"code", "message", "line", "column"}, "columns": [{"name", "type"}], "rows": [[…]]}.
Tables come from --tables, empty: {"tables": {"T": {"column": "type"}}} or {"tables": {"T": "(column:type, …)"}}.`,
		Example: `  echo '{"id": 1, "query": "print x = strcat(\"a\", 1)"}' | picket kql batch`,
		Args:    args(0, "no arguments"),
		RunE: func(c *cobra.Command, _ []string) error {
			sch := bind.Tables{}
			if tables != "" {
				var err error
				if sch, err = readTables(tables); err != nil {
					return err
				}
			}
			return runBatch(c.Context(), c.InOrStdin(), c.OutOrStdout(), batch{sch, bindOnly, timeout})
		},
	}
	c.Flags().StringVar(&tables, "tables", "", "JSON file of the tables that queries may name")
	c.Flags().BoolVar(&bindOnly, "bind-only", false, "give columns only; run nothing")
	c.Flags().DurationVar(&timeout, "timeout", 10*time.Second, "time limit of one query")
	return c
}

// readTables reads table schemas in either published shape.
func readTables(path string) (bind.Tables, error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("read --tables: %w", err)
	}
	t, err := kqltest.ReadTables(b)
	if err != nil {
		return nil, fmt.Errorf("--tables %s: %w", path, err)
	}
	return t, nil
}

type batch struct {
	schema   bind.Tables
	bindOnly bool
	timeout  time.Duration
}

type batchError struct {
	Code    string `json:"code"`
	Message string `json:"message"`
	Line    int    `json:"line"`
	Column  int    `json:"column"`
}

// runBatch answers lines in order with a worker a processor.
func runBatch(ctx context.Context, in io.Reader, out io.Writer, b batch) error {
	type job struct {
		line []byte
		done chan []byte
	}
	n := runtime.GOMAXPROCS(0)
	jobs := make(chan job, n)
	order := make(chan job, 4*n)
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	for i := 0; i < n; i++ {
		go func() {
			for j := range jobs {
				j.done <- b.answer(ctx, j.line)
			}
		}()
	}
	var readErr error
	go func() {
		defer close(order)
		defer close(jobs)
		sc := bufio.NewScanner(in)
		sc.Buffer(make([]byte, 64<<10), maxLine)
		for sc.Scan() {
			if len(bytes.TrimSpace(sc.Bytes())) == 0 {
				continue
			}
			j := job{append([]byte(nil), sc.Bytes()...), make(chan []byte, 1)}
			select {
			case order <- j:
			case <-ctx.Done():
				return
			}
			jobs <- j
		}
		readErr = sc.Err()
	}()
	w := bufio.NewWriter(out)
	for j := range order {
		if _, err := w.Write(<-j.done); err != nil {
			return err
		}
		if len(order) == 0 { // nothing waits: somebody may be reading along
			if err := w.Flush(); err != nil {
				return err
			}
		}
	}
	if err := w.Flush(); err != nil {
		return err
	}
	if readErr != nil {
		return fmt.Errorf("read standard input: %w (a line may have %d bytes)", readErr, maxLine)
	}
	return ctx.Err()
}

// answer gives the whole output line of one input line.
func (b batch) answer(ctx context.Context, line []byte) []byte {
	var q struct {
		ID    json.RawMessage `json:"id"`
		Query string          `json:"query"`
	}
	fail := func(e batchError) []byte {
		o, err := json.Marshal(map[string]any{"id": rawOrNull(q.ID), "ok": false, "error": e})
		if err != nil {
			panic("BUG: " + err.Error())
		}
		return append(o, '\n')
	}
	if err := json.Unmarshal(line, &q); err != nil {
		return fail(batchError{"BadInput", "the line is not JSON with id and query: " + err.Error(), 0, 0})
	}
	qctx, cancel := context.WithTimeout(ctx, b.timeout)
	defer cancel()
	a := kql.Answer(qctx, q.Query, kql.Input{Schema: b.schema, BindOnly: b.bindOnly, Exec: exec.Options{Timeout: b.timeout}})
	if a.Err == nil {
		a.Err = a.Partial
	}
	var list syntax.ErrorList
	switch {
	case errors.As(a.Err, &list) && len(list) > 0:
		e := list[0]
		return fail(batchError{e.Code, e.Msg, e.Line, e.Column})
	case errors.Is(a.Err, context.DeadlineExceeded):
		return fail(batchError{"Timeout", fmt.Sprintf("the query did not end within %s", b.timeout), 0, 0})
	case a.Err != nil:
		return fail(batchError{"Failed", a.Err.Error(), 0, 0})
	}
	out := append([]byte(`{"id":`), rawOrNull(q.ID)...)
	out = append(out, `,"ok":true,"columns":[`...)
	var t exec.Table
	if len(a.Tables) > 0 {
		t = a.Tables[0]
	}
	for i, c := range t.Schema {
		if i > 0 {
			out = append(out, ',')
		}
		out = append(out, `{"name":`...)
		out = value.AppendJSONString(out, c.Name)
		out = append(out, `,"type":"`+c.Type.String()+`"}`...)
	}
	out = append(out, `],"rows":[`...)
	first := true
	for _, f := range t.Frames {
		for i := 0; i < f.N; i++ {
			if !first {
				out = append(out, ',')
			}
			first = false
			out = append(out, '[')
			for c, v := range f.Vecs {
				if c > 0 {
					out = append(out, ',')
				}
				out = value.AppendCell(out, v, i)
			}
			out = append(out, ']')
		}
	}
	return append(out, "]}\n"...)
}

func rawOrNull(r json.RawMessage) json.RawMessage {
	if len(r) == 0 {
		return json.RawMessage("null")
	}
	return r
}
