package bind

import (
	"picket/kql/plan"
	"picket/kql/syntax"
	"picket/kql/value"
)

func (b *binder) parseOp(in *table, x *syntax.ParseOp) *table {
	b.queryParams(x.Params, paramsParse)
	op := b.scalarExpr(x.X)
	node := &plan.Parse{Input: b.solid(in), X: b.asString(&op), Flags: word(x.Params, "flags"), Where: x.WhereMode}
	switch word(x.Params, "kind") {
	case "relaxed":
		node.Kind = plan.ParseRelaxed
	case "regex":
		node.Kind = plan.ParseRegex
	}
	declared := map[string]bool{}
	var made []*column
	for i, part := range x.Pattern {
		var prev *syntax.ParsePart
		if i > 0 {
			prev = x.Pattern[i-1]
		}
		switch {
		case part.Star:
			if i < len(x.Pattern)-1 && x.Pattern[i+1].Text == nil {
				b.fail(part.Span, "SEM0102", "a string literal must follow *")
			}
			if prev != nil && prev.Name != nil && (prev.Type == nil || prev.Type.Type == value.String) {
				b.fail(part.Span, "SEM0103", "* after a string column is ambiguous")
			}
			node.Parts = append(node.Parts, plan.ParsePart{Star: true})
		case part.Text != nil:
			node.Parts = append(node.Parts, plan.ParsePart{Text: part.Text.Value.S})
		case part.Name != nil:
			if prev != nil && prev.Text == nil {
				b.fail(part.Span, "SEM0101", "a column name must follow a string literal")
			}
			if declared[part.Name.Text] {
				b.fail(part.Name.Span, "SEM0171", "a column with the name %s is already declared", quoteName(part.Name.Text))
				continue
			}
			declared[part.Name.Text] = true
			t := tString
			if part.Type != nil {
				t = b.declared(part.Type)
			}
			c := b.newCol(part.Name.Text, t)
			made = append(made, c)
			node.Parts = append(node.Parts, plan.ParsePart{Col: c.Col})
		}
	}
	cols := b.replaceColumns(in.cols, made)
	node.Out = planCols(cols)
	return in.like(node, cols)
}

// replaceColumns puts new columns in the place of those of their name, the others at the end.
func (b *binder) replaceColumns(old, made []*column) []*column {
	out := append([]*column(nil), old...)
	at := make(map[string]int, len(out))
	for i, c := range out {
		at[c.Name] = i
	}
	for _, c := range made {
		if i, ok := at[c.Name]; ok && !b.opt.Editor { // the editor service shows both
			out[i] = c
			continue
		}
		at[c.Name] = len(out)
		out = append(out, c)
	}
	return out
}

// asString reads a scalar as text.
func (b *binder) asString(op *operand) plan.Expr {
	t := op.typ()
	if t.isErr() || t.isUnknown() || t.is(value.String) {
		return op.expr()
	}
	e := op.expr()
	return b.call("tostring", value.String, e.Pos(), e)
}

func (b *binder) parseKvOp(in *table, x *syntax.ParseKvOp) *table {
	op := b.scalarExpr(x.X)
	b.queryParams(x.With, paramsParseKv)
	node := &plan.ParseKv{Input: b.solid(in), X: b.asString(&op), PairDelimiter: " ", KvDelimiter: "="}
	for _, p := range x.With {
		w, _ := paramWord(p)
		switch p.Name.Text {
		case "pair_delimiter":
			node.PairDelimiter, node.HasPair = w, true
		case "kv_delimiter":
			node.KvDelimiter, node.HasKv = w, true
		case "quote":
			node.Quote = append(node.Quote, w)
		case "escape":
			node.Escape = w
		case "regex":
			node.Regex = w
		case "greedy":
			node.Greedy, _ = flag(x.With, "greedy")
		}
	}
	made := b.schemaColumns(x.Schema)
	for _, c := range made {
		node.Keys = append(node.Keys, c.Col)
	}
	cols := b.replaceColumns(in.cols, made)
	node.Out = planCols(cols)
	return in.like(node, cols)
}

// schemaColumns makes fresh columns of a row schema.
func (b *binder) schemaColumns(s *syntax.Schema) []*column {
	if s == nil {
		return nil
	}
	seen := map[string]bool{}
	var out []*column
	for _, c := range s.Columns {
		t := tUnknown
		if c.Type != nil {
			t = b.declared(c.Type)
		}
		if seen[c.Name.Text] {
			b.fail(c.Name.Span, "SEM0171", "a column with the name %s is already declared", quoteName(c.Name.Text))
			continue
		}
		seen[c.Name.Text] = true
		out = append(out, b.newCol(c.Name.Text, t))
	}
	return out
}
