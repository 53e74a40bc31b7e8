package repl

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"picket/kql"
	"picket/kql/bind"
	"picket/kql/complete"
	"picket/kql/syntax"
	"picket/kql/value"
	"strings"
	"testing"
)

type engine struct{ asked []string }

func (*engine) Schema(context.Context) (bind.Schema, error) {
	return bind.Tables{"T": {{Name: "User", Type: value.String}}}, nil
}

func (e *engine) Ask(ctx context.Context, q string) (*Answer, error) {
	e.asked = append(e.asked, q)
	s, _ := e.Schema(ctx)
	a := kql.Answer(ctx, q, kql.Input{Schema: s})
	if a.Err != nil {
		return nil, a.Err
	}
	out := &Answer{}
	for _, t := range a.Tables {
		tb := Table{}
		for _, c := range t.Schema {
			tb.Header = append(tb.Header, c.Name)
		}
		for _, f := range t.Frames {
			for i := range f.N {
				var row []string
				for _, v := range f.Vecs {
					row = append(row, value.Text(v, i))
				}
				tb.Rows = append(tb.Rows, row)
			}
		}
		out.Tables = append(out.Tables, tb)
	}
	return out, nil
}

func play(t *testing.T, input string) (*engine, string, error) {
	t.Helper()
	e := &engine{}
	var out bytes.Buffer
	err := Run(context.Background(), Options{Engine: e, Lines: NewPipe(strings.NewReader(input)), Out: &out, Quiet: true, Print: func(w io.Writer, h []string, rows [][]string) error {
		_, err := fmt.Fprintln(w, h, rows)
		return err
	}})
	return e, out.String(), err
}

func TestQueriesEndAtBlankLinesAndSemicolons(t *testing.T) {
	e, out, err := play(t, "print a = 1\n| extend b = a + 1\n\nprint 2;\nlet x = 3;\n\nprint x\n\nrange x from 1 to 2 step 1 |\ncount\n")
	if err != nil {
		t.Fatal(err)
	}
	want := []string{"print a = 1\n| extend b = a + 1", "print 2;", "let x = 3;\n\nprint x", "range x from 1 to 2 step 1 |\ncount"}
	if fmt.Sprintf("%q", e.asked) != fmt.Sprintf("%q", want) {
		t.Errorf("%q", e.asked)
	}
	if out != "[a b] [[1 2]]\n[print_0] [[2]]\n[print_0] [[3]]\n[Count] [[2]]\n" {
		t.Error(out)
	}
}

func TestErrorsAndCommands(t *testing.T) {
	_, out, err := play(t, "T | where Usr == 'é' and\n foo()\n\n? summarize\n? summ\n? arg_*\n.tables\n.columns T\n.nope\n.quit\nprint 1\n\n")
	if err != nil {
		t.Fatal(err)
	}
	for _, w := range []string{"   1 | T | where Usr == 'é' and\n     |           ~~~\nSEM0100: ", "   2 |  foo()\n     |  ~~~", "aggregates for each group", "there are summarize", "arg_max arg_min", "\nT\n", "[[User string]]", "there is no command .nope"} {
		if !strings.Contains(out, w) {
			t.Errorf("lacks %q:\n%s", w, out)
		}
	}
	if strings.Contains(out, "print_0") {
		t.Error("it goes on after .quit")
	}
	if _, _, err := play(t, "nope"); !errors.Is(err, ErrFailed) {
		t.Error(err)
	}
}

func TestErrorsStayWithinTheirLine(t *testing.T) {
	text := "a\tb\ncd"
	got := Errors(text, syntax.ErrorList{syntax.NewError(text, syntax.Span{Start: 2, End: 6}, "X", "bad \x1b[31m", "do")}, false)
	if got != "   1 | a\tb\n     |  \t~\nX: bad �[31m (do)\n" {
		t.Errorf("%q", got)
	}
}

func TestColor(t *testing.T) {
	text := "T | where a == 'x' // c"
	got := Color(text)
	plain := got
	for _, c := range []string{"\x1b[34m", "\x1b[33m", "\x1b[35m", "\x1b[90m"} {
		if !strings.Contains(got, c) {
			t.Errorf("no %q in %q", c, got)
		}
		plain = strings.ReplaceAll(plain, c, "")
	}
	if strings.ReplaceAll(plain, reset, "") != text {
		t.Errorf("%q", plain)
	}
}

func TestTerminal(t *testing.T) {
	hist := filepath.Join(t.TempDir(), "h", "kql_history")
	r, w := io.Pipe()
	var out bytes.Buffer
	term, err := OpenTerminal(TerminalOptions{History: hist, Color: true, Stdin: r, Stdout: &out})
	if err != nil {
		t.Fatal(err)
	}
	defer term.Close()
	e := &engine{}
	done := make(chan error, 1)
	go func() {
		done <- Run(context.Background(), Options{Engine: e, Lines: term, Out: io.Discard, Quiet: true, Print: func(io.Writer, []string, [][]string) error { return nil }})
	}()
	fmt.Fprint(w, "T | distinct Us\t\r| count\r\rprint 1;\r.quit\r") // the tab completes User
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	if len(e.asked) != 2 || strings.Join(strings.Fields(e.asked[0]), " ") != "T | distinct User | count" {
		t.Errorf("%q", e.asked)
	}
	b, err := os.ReadFile(hist)
	if err != nil || !strings.Contains(string(b), "T | distinct User | count\nprint 1;\n") {
		t.Errorf("%q %v", b, err)
	}
	if st, err := os.Stat(hist); err != nil || st.Mode().Perm() != 0o600 {
		t.Error(st.Mode(), err)
	}
	if _, n := term.Do([]rune("T | where Us"), 12); n != 2 {
		t.Error(n)
	}
	term.complete = func(string) complete.List { return complete.List{} }
}
