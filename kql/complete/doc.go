// Package complete answers what an editor asks about a place in a query: what may be written there, and what stands
// there. The language server and the terminal use it.
//
//	c := complete.At(text, offset, schema)
//	c.Items        // operators after a bar, tables at a source, columns and functions in an expression
//	complete.Hover(text, offset, schema)
//
// The columns at a place are those that the binder gives for the operators before it, so they are right also after
// summarize, join or a let. A text that isn't finished, or wrong elsewhere, is no hindrance.
package complete
