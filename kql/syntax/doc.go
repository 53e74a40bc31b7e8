// Package syntax reads KQL text: lexer, hand-written recursive-descent parser, tree with spans, error list,
// and a printer whose output parses to the same tree.
//
// It knows no tables and no functions: names stay names, and binding happens in kql/bind.
//
//	doc, errs := syntax.Parse("T | where x > 1 | count")
//	if len(errs) > 0 { return errs } // every error of the text, each with place, message and suggestion
//	fmt.Println(syntax.Print(doc))   // T\n| where x > 1\n| count
//
// Scalar and tabular expressions share one interface, [Expr], because KQL mixes them: the value of a let may be
// a number, a table or a lambda, and an argument may be a whole query. A query is a [PipeExpr] whose operators
// each have a struct of their own ([WhereOp], [SummarizeOp], …).
//
// The grammar is the one that Microsoft's Kusto.Language parser accepts (documented in
// https://learn.microsoft.com/kusto/query/); what that parser rejects for its syntax is rejected here too.
package syntax
