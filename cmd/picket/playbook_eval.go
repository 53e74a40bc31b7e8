package main

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"picket/playbook/expr"

	"github.com/spf13/cobra"
)

// playbookEvalCommand evaluates expressions line by line, without a server.
func playbookEvalCommand() *cobra.Command {
	return &cobra.Command{
		Use: "eval", Short: "Evaluate expressions: JSON lines in, JSON lines out", Args: args(0, "no arguments"),
		Long: `Reads {"id", "expression", "context"} lines and writes {"id", "ok", "value", "error": {"code", "message"}} lines.
The context may hold now, parameters, variables, actions, trigger, workflow, item, items, iterationIndexes, result, action and callbackUrl.`,
		Example: `  picket playbook eval < in.jsonl > out.jsonl`,
		RunE: func(c *cobra.Command, _ []string) error {
			in := bufio.NewReaderSize(c.InOrStdin(), 1<<20)
			out := bufio.NewWriter(c.OutOrStdout())
			for {
				line, err := readLine(in)
				if errors.Is(err, io.EOF) {
					break
				}
				if err != nil {
					return err
				}
				if len(bytes.TrimSpace(line)) == 0 {
					continue
				}
				if _, err := out.WriteString(expr.JSON(evalLine(line)) + "\n"); err != nil {
					return err
				}
			}
			return out.Flush()
		},
	}
}

// readLine reads one line of at most maxLine bytes.
func readLine(in *bufio.Reader) ([]byte, error) {
	var line []byte
	for {
		part, err := in.ReadSlice('\n')
		if len(line)+len(part) > maxLine {
			return nil, fmt.Errorf("a line is longer than %d bytes", maxLine)
		}
		line = append(line, part...)
		switch {
		case err == nil:
			return line, nil
		case errors.Is(err, bufio.ErrBufferFull):
		case errors.Is(err, io.EOF) && len(line) > 0:
			return line, nil
		default:
			return nil, err
		}
	}
}

func evalLine(line []byte) *expr.Object {
	fail := func(id any, code, message string) *expr.Object {
		return expr.NewObject("id", id, "ok", false, "value", nil, "error", expr.NewObject("code", code, "message", message))
	}
	v, err := expr.ParseJSON(line)
	if err != nil {
		return fail(nil, "InvalidJson", err.Error())
	}
	o, ok := v.(*expr.Object)
	if !ok {
		return fail(nil, "InvalidJson", "A line must hold an object with 'expression'.")
	}
	id := o.Value("id")
	text, ok := o.Value("expression").(string)
	if !ok {
		return fail(id, "InvalidJson", "The member 'expression' must be a string.")
	}
	ctx, ok := o.Value("context").(*expr.Object)
	if !ok && o.Value("context") != nil {
		return fail(id, "InvalidJson", "The member 'context' must be an object.")
	}
	got, err := evaluate(text, expr.NewContext(ctx))
	if err != nil {
		return fail(id, "InvalidTemplate", err.Error())
	}
	return expr.NewObject("id", id, "ok", true, "value", got, "error", nil)
}

// evaluate makes an error of a fault, so that one line can't end the others.
func evaluate(text string, env expr.Env) (v any, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("the expression made the engine fail: %v", p)
		}
	}()
	return expr.Evaluate(text, env)
}
