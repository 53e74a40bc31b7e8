// Package repl is KQL at a terminal: it reads queries line by line with completion, colours and a history, and draws
// answers and errors.
//
// It runs no query itself and knows no server: an [Engine] answers, so that the same loop serves files, a server and
// plain text.
//
//	err := repl.Run(ctx, repl.Options{Engine: engine, In: os.Stdin, Out: os.Stdout})
package repl

// Codes of a terminal.
const (
	reset = "\x1b[0m"
	bold  = "\x1b[1m"
	red   = "\x1b[31m"
)
