package repl

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"picket/kql/complete"
	"picket/kql/syntax"
	"strings"

	"github.com/chzyer/readline"
)

// ErrInterrupt is what a Lines gives when the person pressed Ctrl-C at the prompt.
var ErrInterrupt = errors.New("interrupted")

// Lines reads lines from a person or a file. Line gives io.EOF at the end.
type Lines interface {
	Line(prompt string) (string, error)
	// Remember puts a query into the history.
	Remember(query string)
	Close() error
}

// completer is asked for what may be written behind text.
type completer func(text string) complete.List

// Terminal edits lines at a terminal: history, completion by the tab key, colours.
type Terminal struct {
	rl *readline.Instance
	// Complete is set by Run.
	complete completer
	before   string // what stands before the line in the same query
}

// TerminalOptions adjust a Terminal.
type TerminalOptions struct {
	History string // file; "" keeps none
	Color   bool
	Stdin   io.ReadCloser // nil is the process's; for tests
	Stdout  io.Writer
}

// HistoryFile is where a person's history lies: in the state folder of the system.
func HistoryFile() (string, error) {
	dir := os.Getenv("XDG_STATE_HOME")
	if dir == "" {
		home, err := os.UserHomeDir()
		if err != nil {
			return "", fmt.Errorf("find a place for the history: %w", err)
		}
		dir = filepath.Join(home, ".local", "state")
	}
	return filepath.Join(dir, "picket", "kql_history"), nil
}

// OpenTerminal begins to edit lines.
func OpenTerminal(o TerminalOptions) (*Terminal, error) {
	if o.History != "" { // queries name people and hosts: nobody else may read them
		if err := os.MkdirAll(filepath.Dir(o.History), 0o700); err != nil {
			return nil, fmt.Errorf("keep a history: %w", err)
		}
		f, err := os.OpenFile(o.History, os.O_CREATE|os.O_APPEND, 0o600)
		if err != nil {
			return nil, fmt.Errorf("keep a history: %w", err)
		}
		if err := f.Close(); err != nil {
			return nil, fmt.Errorf("keep a history: %w", err)
		}
	}
	t := &Terminal{}
	cfg := &readline.Config{
		HistoryFile: o.History, HistoryLimit: 5000, DisableAutoSaveHistory: true, HistorySearchFold: true,
		AutoComplete: t, InterruptPrompt: "^C", EOFPrompt: "", Stdin: o.Stdin, Stdout: o.Stdout,
	}
	if o.Color {
		cfg.Painter = painter{}
	}
	if o.Stdin != nil {
		cfg.ForceUseInteractive = true
		cfg.FuncIsTerminal = func() bool { return true }
		cfg.FuncMakeRaw = func() error { return nil }
		cfg.FuncExitRaw = func() error { return nil }
		cfg.FuncGetWidth = func() int { return 100 }
	}
	rl, err := readline.NewEx(cfg)
	if err != nil {
		return nil, fmt.Errorf("read from the terminal: %w", err)
	}
	t.rl = rl
	return t, nil
}

// Line reads a line.
func (t *Terminal) Line(prompt string) (string, error) {
	t.rl.SetPrompt(prompt)
	s, err := t.rl.Readline()
	if errors.Is(err, readline.ErrInterrupt) {
		return "", ErrInterrupt
	}
	return s, err
}

// Remember puts a query into the history, on one line unless a comment in it ends with its line.
func (t *Terminal) Remember(query string) {
	lines := []string{strings.Join(strings.Fields(query), " ")}
	for _, tok := range syntax.Tokens(query) {
		switch tok.Kind {
		case syntax.TokenComment, syntax.TokenDirective:
			lines = strings.Split(query, "\n")
		case syntax.TokenString: // blanks in it count
			lines[0] = strings.ReplaceAll(query, "\n", " ")
		}
	}
	for _, l := range lines {
		_ = t.rl.SaveHistory(l) // a history that can't be written must not stop the work
	}
}

// Close gives the terminal back.
func (t *Terminal) Close() error { return t.rl.Close() }

// Do completes the word before the cursor, as readline asks for it.
func (t *Terminal) Do(line []rune, pos int) (rest [][]rune, length int) {
	if t.complete == nil {
		return nil, 0
	}
	text := t.before + string(line[:pos])
	l := t.complete(text)
	word := text[l.From:]
	for _, it := range l.Items {
		if s, ok := strings.CutPrefix(it.Insert, word); ok && len(rest) < 200 {
			if s != "" && it.Kind != complete.Function && it.Kind != complete.Aggregate && !strings.HasSuffix(s, "=") {
				s += " "
			}
			rest = append(rest, []rune(s))
		}
	}
	return rest, len([]rune(word))
}

type painter struct{}

// Paint colours a line by its tokens.
func (painter) Paint(line []rune, _ int) []rune { return []rune(Color(string(line))) }

// colors of tokens.
var colors = map[syntax.TokenKind]string{
	syntax.TokenKeyword: "\x1b[34m", syntax.TokenFunction: "\x1b[36m", syntax.TokenString: "\x1b[33m", syntax.TokenNumber: "\x1b[32m",
	syntax.TokenLiteral: "\x1b[32m", syntax.TokenComment: "\x1b[90m", syntax.TokenDirective: "\x1b[90m", syntax.TokenOperator: "\x1b[35m", syntax.TokenBad: red,
}

// Color colours a text by its tokens.
func Color(text string) string {
	var b strings.Builder
	at := 0
	for _, t := range syntax.Tokens(text) {
		if t.Start < at {
			continue
		}
		b.WriteString(text[at:t.Start])
		if c := colors[t.Kind]; c != "" {
			b.WriteString(c + text[t.Start:t.End] + reset)
		} else {
			b.WriteString(text[t.Start:t.End])
		}
		at = t.End
	}
	b.WriteString(text[at:])
	return b.String()
}

const maxLine = 1 << 20

// Pipe reads lines from something that is no terminal, without prompts.
type Pipe struct{ sc *bufio.Scanner }

// NewPipe reads lines from r.
func NewPipe(r io.Reader) *Pipe {
	sc := bufio.NewScanner(r)
	sc.Buffer(nil, maxLine)
	return &Pipe{sc}
}

// Line reads a line.
func (p *Pipe) Line(string) (string, error) {
	if p.sc.Scan() {
		return p.sc.Text(), nil
	}
	if err := p.sc.Err(); err != nil {
		return "", err
	}
	return "", io.EOF
}

// Remember does nothing.
func (*Pipe) Remember(string) {}

// Close does nothing.
func (*Pipe) Close() error { return nil }
