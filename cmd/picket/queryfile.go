package main

import (
	"bufio"
	"context"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"os"
	"picket/azure"
	"picket/files"
	"picket/kql/exec"
	"picket/kql/repl"
	"picket/kql/syntax"
	"picket/kql/value"
	"slices"
	"strings"
	"time"

	"github.com/mattn/go-isatty"
	"github.com/spf13/cobra"
)

// fileFlags make a query read files in place of a server.
type fileFlags struct {
	specs  []string
	format string
	memory int64 // MiB
}

func (f *fileFlags) add(c *cobra.Command) {
	c.Flags().StringArrayVar(&f.specs, "file", nil, "read this file, NAME=PATH or a pattern, without a server; may be repeated; - is standard input")
	c.Flags().StringVar(&f.format, "file-format", "", "how the files are written, when their names don't say: "+strings.Join(files.Formats(), ", "))
	c.Flags().Int64Var(&f.memory, "file-memory", 1024, "MiB that the operators of a query over files may hold")
}

// open finds the files and the types of their columns.
func (f *fileFlags) open(ctx context.Context, in io.Reader) (_ *files.Set, closer func(), err error) {
	if f.memory < 16 {
		return nil, nil, &exitError{exitUsage, fmt.Errorf("--file-memory %d: give at least 16 (MiB)", f.memory)}
	}
	if f.format != "" && !slices.Contains(files.Formats(), f.format) {
		return nil, nil, &exitError{exitUsage, fmt.Errorf("--file-format %q: give one of %s", f.format, strings.Join(files.Formats(), ", "))}
	}
	var spools []string
	remove := func() {
		for _, p := range spools {
			os.Remove(p)
		}
	}
	defer func() {
		if err != nil {
			remove()
		}
	}()
	var specs []files.Spec
	for _, s := range f.specs {
		sp := files.ParseSpec(s)
		var from io.Reader
		switch st, err := os.Stat(sp.Path); {
		case sp.Path == "-" && in == nil:
			return nil, nil, &exitError{exitUsage, errors.New("--file -: standard input is one file")}
		case sp.Path == "-":
			from, in = in, nil
		case err == nil && !st.Mode().IsRegular() && !st.IsDir(): // a pipe can be read once only
			p, err := os.Open(sp.Path)
			if err != nil {
				return nil, nil, err
			}
			defer p.Close()
			from = p
		}
		if from != nil {
			path, err := spoolInput(from)
			if err != nil {
				return nil, nil, err
			}
			spools = append(spools, path)
			sp.Path = path
			if sp.Name == "" {
				sp.Name = "T"
			}
		}
		specs = append(specs, sp)
	}
	set, err := files.Open(ctx, specs, files.Options{Format: files.Format(f.format), MemoryLimit: f.memory << 20, Progress: readingProgress()})
	clearReading()
	if errors.Is(err, files.ErrNoFile) {
		err = &exitError{exitNotFound, err}
	}
	if err != nil {
		return nil, nil, err
	}
	return set, func() { set.Close(); remove() }, nil
}

// readingProgress draws how far long reading is, when somebody sits at the terminal and waits.
func readingProgress() func(table string, read, total int64) {
	if !isatty.IsTerminal(os.Stderr.Fd()) {
		return nil
	}
	begin := time.Now()
	last := begin
	return func(table string, read, total int64) {
		now := time.Now()
		if total == 0 || now.Sub(begin) < time.Second || now.Sub(last) < 200*time.Millisecond {
			return
		}
		last = now
		const width = 30
		n := int(min(read, total) * width / total)
		fmt.Fprintf(os.Stderr, "\r\x1b[Kreading %s [%s%s] %d%%", table, strings.Repeat("#", n), strings.Repeat(".", width-n), min(read, total)*100/total)
	}
}

// clearReading wipes the line of the progress away.
func clearReading() {
	if isatty.IsTerminal(os.Stderr.Fd()) {
		fmt.Fprint(os.Stderr, "\r\x1b[K")
	}
}

// spoolInput keeps standard input in a file, for its types are known only after its last row.
func spoolInput(in io.Reader) (path string, err error) {
	f, err := os.CreateTemp("", "picket-stdin-")
	if err != nil {
		return "", err
	}
	_, err = io.Copy(f, in)
	if err = errors.Join(err, f.Close()); err != nil {
		os.Remove(f.Name())
		return "", fmt.Errorf("keep standard input: %w", err)
	}
	return f.Name(), nil
}

// compile opens the files and compiles a question over them.
func (f *fileFlags) compile(c *cobra.Command, text, timespan string) (*files.Compiled, func(), error) {
	q := files.Query{Now: time.Now()}
	if timespan != "" {
		var err error
		if q.From, q.To, err = azure.ParseTimespan(timespan, q.Now); err != nil {
			return nil, nil, &exitError{exitUsage, fmt.Errorf("--timespan %s: %w", timespan, err)}
		}
	}
	set, closer, err := f.open(c.Context(), c.InOrStdin())
	if err != nil {
		return nil, nil, err
	}
	cq, err := set.Compile(c.Context(), text, q)
	if err != nil {
		closer()
		return nil, nil, showErrors(text, err)
	}
	return cq, closer, nil
}

// queryFiles answers one question over files.
func queryFiles(c *cobra.Command, f *fileFlags, text, format, timespan string) error {
	ctx := c.Context()
	cq, closer, err := f.compile(c, text, timespan)
	if err != nil {
		return err
	}
	defer closer()
	w := bufio.NewWriterSize(c.OutOrStdout(), 64<<10)
	if format != "table" && len(cq.Results()) == 1 {
		var s value.Schema
		for _, col := range cq.Results()[0].Node.Cols() {
			s = append(s, value.Column{Name: col.Name, Type: col.Type})
		}
		err := printFrames(w, format, s, cq.Stream(ctx))
		return showErrors(text, errors.Join(err, w.Flush()))
	}
	res, err := cq.Run(ctx)
	if err != nil {
		return showErrors(text, err)
	}
	for i := range res.Tables {
		t := &res.Tables[i]
		if i > 0 && format != "json" {
			fmt.Fprintln(w)
		}
		if err := printFrames(w, format, t.Schema, func(yield func(*value.Frame, error) bool) {
			for _, fr := range t.Frames {
				if !yield(fr, nil) {
					return
				}
			}
		}); err != nil {
			return err
		}
	}
	if err := w.Flush(); err != nil {
		return err
	}
	if res.Partial != nil {
		fmt.Fprintln(c.ErrOrStderr(), "picket: the answer is not whole: "+res.Partial.Error())
		return &exitError{exitFailure, errors.New("partial result")}
	}
	return nil
}

// showErrors draws what is wrong with a query under its text.
func showErrors(text string, err error) error {
	var list syntax.ErrorList
	if errors.As(err, &list) {
		return errors.New("the query is refused\n" + strings.TrimRight(repl.Errors(text, list, false), "\n"))
	}
	return err
}

// printFrames prints rows as they come; a table waits for all, since its columns are as wide as their widest cell.
func printFrames(w io.Writer, format string, s value.Schema, frames exec.Frames) error {
	header := make([]string, len(s))
	for i, col := range s {
		header[i] = col.Name
	}
	var rows [][]string
	if format == "csv" {
		if err := printCSV(w, header, nil); err != nil {
			return err
		}
	}
	first := true
	var buf []byte
	for f, err := range frames {
		if err != nil {
			return err
		}
		if format == "json" {
			buf = buf[:0]
			for i := range f.N {
				if first {
					buf = append(buf, "[\n  "...)
				} else {
					buf = append(buf, ",\n  "...)
				}
				first = false
				buf = appendObject(buf, s, f, i)
			}
			if _, err := w.Write(buf); err != nil {
				return err
			}
			continue
		}
		batch := make([][]string, f.N)
		for i := range batch {
			batch[i] = make([]string, len(f.Vecs))
			for k, v := range f.Vecs {
				buf = value.AppendCell(buf[:0], v, i)
				batch[i][k] = cellText(buf)
			}
		}
		if format == "csv" {
			if err := printCSVRows(w, batch); err != nil {
				return err
			}
			continue
		}
		rows = append(rows, batch...)
	}
	switch {
	case format == "json" && first:
		_, err := io.WriteString(w, "[]\n")
		return err
	case format == "json":
		_, err := io.WriteString(w, "\n]\n")
		return err
	case format == "table":
		return table(w, header, rows)
	}
	return nil
}

func appendObject(b []byte, s value.Schema, f *value.Frame, i int) []byte {
	b = append(b, '{')
	for k, v := range f.Vecs {
		if k > 0 {
			b = append(b, ", "...)
		}
		b = value.AppendJSONString(b, s[k].Name)
		b = append(b, ": "...)
		b = value.AppendCell(b, v, i)
	}
	return append(b, '}')
}

func printCSVRows(w io.Writer, rows [][]string) error {
	return csv.NewWriter(w).WriteAll(rows)
}
