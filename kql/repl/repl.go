package repl

import (
	"context"
	"errors"
	"fmt"
	"io"
	"picket/kql/bind"
	"picket/kql/complete"
	"picket/kql/help"
	"picket/kql/syntax"
	"sort"
	"strings"
	"time"
)

// Engine answers queries.
type Engine interface {
	// Schema is what queries may name; it is asked at the beginning and after `.refresh`.
	Schema(ctx context.Context) (bind.Schema, error)
	// Ask answers a query; a syntax.ErrorList is drawn under its text.
	Ask(ctx context.Context, query string) (*Answer, error)
}

// Answer is what a query gave.
type Answer struct {
	Tables  []Table
	Partial string // why it is not whole; "" when it is
}

// Table is one table of an answer, as texts.
type Table struct {
	Header []string
	Rows   [][]string
}

// Options adjust a loop.
type Options struct {
	Engine Engine
	Lines  Lines
	Out    io.Writer
	Color  bool
	Quiet  bool // no welcome and no times: input is no terminal
	// Print draws a table.
	Print func(w io.Writer, header []string, rows [][]string) error
	// Interruptible gives a context that Ctrl-C ends, for one query; nil is none.
	Interruptible func(ctx context.Context) (context.Context, context.CancelFunc)
}

const (
	prompt       = "kql> "
	morePrompt   = "   | "
	maxQuery     = 1 << 20
	welcome      = "A query runs at an empty line, or at once when it ends with a semicolon. ? NAME explains, .help lists commands, Ctrl-D ends.\n"
	commandsHelp = `? NAME         what a function or operator does; ? TEXT* lists names
.tables        tables
.columns NAME  columns of a table
.refresh       ask anew what tables there are
.quit          end (also Ctrl-D)
A query runs at an empty line, or at once when it ends with a semicolon. Tab completes.
`
)

// loop is one run of Run.
type loop struct {
	Options
	schema bind.Schema
	failed bool
}

// ErrFailed says that a query of an input that is no terminal failed.
var ErrFailed = errors.New("a query failed")

// Run reads queries and answers them until the input ends.
func Run(ctx context.Context, o Options) error {
	l := &loop{Options: o}
	if err := l.refresh(ctx); err != nil {
		return err
	}
	if t, ok := o.Lines.(*Terminal); ok {
		t.complete = func(text string) complete.List { return complete.At(text, len(text), l.schema) }
	}
	if !o.Quiet {
		fmt.Fprint(o.Out, welcome)
	}
	var lines []string
	for ctx.Err() == nil {
		p := prompt
		if len(lines) > 0 {
			p = morePrompt
		}
		text := strings.Join(lines, "\n")
		if t, ok := o.Lines.(*Terminal); ok {
			t.before = ""
			if text != "" {
				t.before = text + "\n"
			}
		}
		line, err := o.Lines.Line(p)
		if errors.Is(err, ErrInterrupt) {
			lines = nil
			continue
		}
		if errors.Is(err, io.EOF) {
			if strings.TrimSpace(text) != "" {
				l.ask(ctx, text)
			}
			if l.failed && o.Quiet {
				return ErrFailed
			}
			return nil
		}
		if err != nil {
			return err
		}
		trimmed := strings.TrimSpace(line)
		if len(lines) == 0 {
			if trimmed == "" {
				continue
			}
			if done, quit := l.command(ctx, trimmed); quit {
				return nil
			} else if done {
				o.Lines.Remember(trimmed)
				continue
			}
		}
		if trimmed != "" {
			lines = append(lines, line)
			text = strings.Join(lines, "\n")
			if len(text) > maxQuery {
				fmt.Fprintf(o.Out, "the query is longer than %d bytes\n", maxQuery)
				lines = nil
				continue
			}
		}
		if trimmed == "" && !onlyLets(text) || strings.HasSuffix(trimmed, ";") && whole(text) {
			lines = nil
			o.Lines.Remember(text)
			l.ask(ctx, text)
		} else if trimmed == "" {
			lines = append(lines, "")
		}
	}
	return ctx.Err()
}

// onlyLets reports whether a text so far only declares names.
func onlyLets(text string) bool {
	doc, errs := syntax.Parse(text)
	if len(errs) > 0 || doc == nil || len(doc.Statements) == 0 {
		return false
	}
	for _, s := range doc.Statements {
		if _, ok := s.(*syntax.ExprStmt); ok {
			return false
		}
		if _, ok := s.(*syntax.CommandStmt); ok {
			return false
		}
	}
	return true
}

// whole reports whether a text is a finished query.
func whole(text string) bool {
	_, errs := syntax.Parse(text)
	return len(errs) == 0 && !onlyLets(text)
}

func (l *loop) refresh(ctx context.Context) error {
	s, err := l.Engine.Schema(ctx)
	if err != nil {
		return fmt.Errorf("ask what tables there are: %w", err)
	}
	l.schema = s
	return nil
}

// command runs a line that is no query.
func (l *loop) command(ctx context.Context, line string) (done, quit bool) {
	if rest, ok := strings.CutPrefix(line, "?"); ok {
		l.explain(strings.TrimSpace(rest))
		return true, false
	}
	name, arg, _ := strings.Cut(strings.TrimSuffix(line, ";"), " ")
	arg = strings.TrimSpace(arg)
	switch strings.ToLower(name) {
	case ".quit", ".exit", "exit", "quit":
		if arg == "" {
			return true, true
		}
	case ".help", "help":
		if arg == "" {
			fmt.Fprint(l.Out, commandsHelp)
			return true, false
		}
	case ".tables":
		for _, n := range l.schema.Tables(bind.Scope{}) {
			fmt.Fprintln(l.Out, clean(n))
		}
		return true, false
	case ".columns", ".schema":
		cols, ok := l.schema.Table(bind.Scope{}, arg)
		if !ok {
			fmt.Fprintf(l.Out, "there is no table %s\n", clean(arg))
			return true, false
		}
		rows := make([][]string, len(cols))
		for i, c := range cols {
			rows[i] = []string{c.Name, c.Type.String()}
		}
		l.print([]string{"COLUMN", "TYPE"}, rows)
		return true, false
	case ".refresh":
		if err := l.refresh(ctx); err != nil {
			fmt.Fprintln(l.Out, clean(err.Error()))
		}
		return true, false
	}
	if strings.HasPrefix(line, ".") {
		fmt.Fprintf(l.Out, "there is no command %s\n%s", clean(name), commandsHelp)
		return true, false
	}
	return false, false
}

func (l *loop) explain(name string) {
	if name == "" {
		fmt.Fprint(l.Out, commandsHelp)
		return
	}
	if part, ok := strings.CutSuffix(name, "*"); ok {
		names := help.Near(part, 200)
		sort.Strings(names)
		fmt.Fprintln(l.Out, strings.Join(names, " "))
		return
	}
	es := help.Lookup(name)
	for i := range es {
		fmt.Fprint(l.Out, es[i].Text(false))
	}
	if len(es) > 0 {
		return
	}
	fmt.Fprintf(l.Out, "nothing is called %s", clean(name))
	if near := help.Near(name, 8); len(near) > 0 {
		fmt.Fprintf(l.Out, "; there are %s", strings.Join(near, ", "))
	}
	fmt.Fprintln(l.Out)
}

func (l *loop) ask(ctx context.Context, text string) {
	cancel := func() {}
	if l.Interruptible != nil {
		ctx, cancel = l.Interruptible(ctx)
	}
	defer cancel()
	start := time.Now()
	a, err := l.Engine.Ask(ctx, text)
	if err != nil {
		l.failed = true
		var list syntax.ErrorList
		switch {
		case errors.As(err, &list) && len(list) > 0:
			fmt.Fprint(l.Out, Errors(text, list, l.Color))
		case errors.Is(err, context.Canceled):
			fmt.Fprintln(l.Out, "cancelled")
		default:
			fmt.Fprintln(l.Out, clean(err.Error()))
		}
		return
	}
	rows := 0
	for i, t := range a.Tables {
		if i > 0 {
			fmt.Fprintln(l.Out)
		}
		l.print(t.Header, t.Rows)
		rows += len(t.Rows)
	}
	if a.Partial != "" {
		l.failed = true
		fmt.Fprintln(l.Out, "the answer is not whole: "+clean(a.Partial))
	}
	if !l.Quiet {
		fmt.Fprintf(l.Out, "(%d rows, %s)\n", rows, time.Since(start).Round(time.Millisecond))
	}
}

func (l *loop) print(header []string, rows [][]string) {
	if err := l.Print(l.Out, header, rows); err != nil {
		fmt.Fprintln(l.Out, clean(err.Error()))
	}
}
