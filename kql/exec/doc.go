// Package exec runs a plan: it is picket's own interpreter of every KQL operator over value vectors, the
// reference that SQL engines are tested against and the engine for what SQL can't say.
//
// It owns the meaning of the relational operators and plugins. It knows no text, no catalogue and no storage:
// rows come from a [Source], scalar functions from kql/eval, aggregates from kql/eval/agg.
//
// Operators are push iterators over batches of rows. An operator holds rows only when its meaning needs all of
// them (sort, join's right side, summarize's groups); what it holds is charged to Options.MemoryLimit, and each
// batch checks the context.
//
//	q, errs := bind.Bind(doc, schema, bind.Options{}) // text → plan
//	res, err := exec.Run(ctx, q, src, exec.Options{Now: now})
//	res.Tables[0].Schema, res.Tables[0].Frames
package exec
