package catalog

import (
	"fmt"
	"picket/kql/value"
	"strconv"
	"strings"
	"sync"
)

// GrammarOp is the kind of a piece of a command's grammar.
type GrammarOp uint8

// The kinds. A grammar is matched from left to right without going back: Opt and Repeat take what they can.
const (
	GrammarToken  GrammarOp = iota // one of Grammar.Texts, each of one or more touching tokens
	GrammarRule                    // a piece that Grammar.Rule names: NameDeclaration, QueryInput …
	GrammarSeq                     // all of Kids, one after the other
	GrammarBest                    // that of Kids which takes most tokens, the first of equals
	GrammarOpt                     // Kids[0] or nothing
	GrammarUnless                  // Kids[1] where Kids[0] doesn't match
	GrammarRepeat                  // Kids[0] at least Min times
)

// Grammar is a piece of a command's grammar. Pieces may be shared between commands and must not be changed.
type Grammar struct {
	Op    GrammarOp
	Kids  []*Grammar
	Texts []string
	Rule  string
	Min   int
}

// Command is a management command. Its grammar begins behind the dot; Columns is empty where the result isn't known.
type Command struct {
	Name    string
	Columns value.Schema
	Grammar *Grammar
}

// Commands gives every management command of the engine. The list is shared and must not be changed.
func Commands() []Command { return commands() }

var commands = sync.OnceValue(func() []Command {
	lines := strings.Split(commandParts, "\n")
	r := commandReader{parts: make([]*Grammar, 0, len(lines))}
	for _, l := range lines {
		r.parts = append(r.parts, r.read(l))
	}
	var out []Command
	for _, l := range strings.Split(commandTable, "\n") {
		f := strings.Split(l, "\t")
		if len(f) != 3 {
			panic("BUG: a command of " + strconv.Itoa(len(f)) + " fields: " + l)
		}
		c := Command{Name: f[0], Grammar: r.read(f[2])}
		for _, col := range strings.Split(f[1], ",") {
			if col == "" {
				continue
			}
			i := strings.LastIndexByte(col, ':')
			t, ok := value.ParseType(col[i+1:])
			if !ok {
				panic("BUG: a command's column of an unknown type: " + col)
			}
			c.Columns = append(c.Columns, value.Column{Name: col[:i], Type: t})
		}
		out = append(out, c)
	}
	return out
})

// commandReader reads the notation of commands_gen.go: "texts of a token", %Rule, #part, and (sign pieces…) with the
// signs s sequence, b best, o optional, u unless, + and * lists, whose second piece is the separator.
type commandReader struct {
	parts []*Grammar
	s     string
	i     int
}

func (r *commandReader) read(s string) *Grammar {
	r.s, r.i = s, 0
	g := r.piece()
	if r.i != len(s) {
		panic(fmt.Sprintf("BUG: %d bytes behind a grammar: %s", len(s)-r.i, s))
	}
	return g
}

// word gives the text up to the next blank or parenthesis.
func (r *commandReader) word() string {
	from := r.i
	for r.i < len(r.s) && r.s[r.i] != ' ' && r.s[r.i] != ')' {
		r.i++
	}
	return r.s[from:r.i]
}

func (r *commandReader) piece() *Grammar {
	c := r.s[r.i]
	r.i++
	switch c {
	case '"':
		n := strings.IndexByte(r.s[r.i:], '"')
		g := &Grammar{Op: GrammarToken, Texts: strings.Split(r.s[r.i:r.i+n], " ")}
		r.i += n + 1
		return g
	case '%':
		return &Grammar{Op: GrammarRule, Rule: r.word()}
	case '#':
		n, err := strconv.Atoi(r.word())
		if err != nil || n >= len(r.parts) {
			panic("BUG: a part that isn't there: " + r.s)
		}
		return r.parts[n]
	case '(':
	default:
		panic("BUG: no piece of grammar: " + r.s[r.i-1:])
	}
	sign := r.s[r.i]
	r.i++
	var kids []*Grammar
	for r.s[r.i] == ' ' {
		r.i++
		kids = append(kids, r.piece())
	}
	r.i++ // the closing parenthesis
	switch sign {
	case 's':
		return &Grammar{Op: GrammarSeq, Kids: kids}
	case 'b':
		return &Grammar{Op: GrammarBest, Kids: kids}
	case 'o':
		return &Grammar{Op: GrammarOpt, Kids: kids}
	case 'u':
		return &Grammar{Op: GrammarUnless, Kids: kids}
	}
	if len(kids) == 1 {
		g := &Grammar{Op: GrammarRepeat, Kids: kids}
		if sign == '+' {
			g.Min = 1
		}
		return g
	}
	rest := &Grammar{Op: GrammarRepeat, Kids: []*Grammar{{Op: GrammarSeq, Kids: []*Grammar{kids[1], kids[0]}}}}
	g := &Grammar{Op: GrammarSeq, Kids: []*Grammar{kids[0], rest}}
	if sign == '*' {
		g = &Grammar{Op: GrammarOpt, Kids: []*Grammar{g}}
	}
	return g
}
