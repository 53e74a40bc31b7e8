// Package lsp is a language server for KQL: diagnostics, completion, hover, formatting and document symbols over the
// Language Server Protocol.
//
// It reads and writes messages on a stream; it opens no file and no connection itself. What tables exist comes from
// Options.Schema, which may change while it runs.
//
//	err := lsp.Serve(ctx, os.Stdin, os.Stdout, lsp.Options{Schema: func() bind.Schema { return tables }})
package lsp
