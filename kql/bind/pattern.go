package bind

import (
	"picket/kql/plan"
	"picket/kql/syntax"
	"picket/kql/value"
)

// pattern is a declared pattern: a function whose cases are chosen by literal arguments.
type pattern struct {
	decl *syntax.PatternDecl
	name string
	f    *function
	args []string // of a call whose path is still to come
}

func (b *binder) declarePattern(s *syntax.PatternStmt) {
	p := &pattern{decl: s.Decl, name: s.Name.Text, f: &function{name: s.Name.Text, scope: b.local.copy(), db: b.db}}
	if s.Decl != nil {
		for _, m := range s.Decl.Matches {
			if len(m.Args) != len(s.Decl.Params) {
				b.fail(m.Span, "SEM0185", "the number of values must equal the number of parameters")
			}
			for _, a := range m.Args {
				op := b.expr(a)
				if b.wantExact(&op, a, tString) && op.kind != opErr && !op.lit {
					b.fail(a.Range(), "SEM0131", "the expression must be a literal")
				}
			}
			switch {
			case m.Path == nil && s.Decl.Path != nil:
				b.fail(m.Span, "SEM0187", "a path value is expected")
			case m.Path != nil && s.Decl.Path == nil:
				b.fail(m.Path.Range(), "SEM0186", "a path value needs a path parameter in the declaration")
			}
			b.inBody(p.f, func() {
				for _, pp := range s.Decl.Params {
					b.local.add(&symbol{name: pp.Name.Text, op: operand{kind: opScalar, t: b.paramType(pp), isConst: true, e: &plan.Call{Name: "param", T: b.paramType(pp).v}}})
				}
				if pp := s.Decl.Path; pp != nil {
					b.local.add(&symbol{name: pp.Name.Text, op: operand{kind: opScalar, t: b.paramType(pp), isConst: true, e: &plan.Call{Name: "param", T: b.paramType(pp).v}}})
				}
				b.checking++
				b.bodyValue(m.Body)
				b.checking--
			})
		}
	}
	b.local.add(&symbol{name: s.Name.Text, op: operand{kind: opPattern, pattern: p}})
}

func (b *binder) paramType(p *syntax.TypedName) typ {
	if p.Type == nil {
		return tUnknown
	}
	return scalar(p.Type.Type)
}

func literalText(x syntax.Expr) string {
	if l, ok := x.(*syntax.Literal); ok && l.Type == value.String {
		return l.Value.S
	}
	return ""
}

func (b *binder) patternCall(p *pattern, x *syntax.Call) operand {
	args := b.bindArgs(x.Args, scopeNormal)
	if p.decl == nil {
		b.fail(x.Name.Span, "SEM0188", "the pattern %s has no cases", quoteName(p.name))
		return errAt(x)
	}
	if len(args) != len(p.decl.Params) {
		b.fail(x.Name.Span, "SEM0120", "the pattern %s takes %s, not %d", quoteName(p.name), plural(len(p.decl.Params), "argument"), len(args))
		return errAt(x)
	}
	c := &pattern{decl: p.decl, name: p.name, f: p.f}
	for i := range args {
		a := &args[i]
		if a.kind != opErr && !b.wantExact(&a.operand, a.x, b.paramType(p.decl.Params[i])) {
			return errAt(x)
		}
		if !a.lit || a.val == nil {
			if a.kind != opErr {
				b.fail(a.at(), "SEM0131", "the expression must be a literal")
			}
			return errAt(x)
		}
		c.args = append(c.args, a.val.S)
	}
	if p.decl.Path != nil {
		return operand{kind: opPattern, src: x, pattern: c}
	}
	return b.patternCase(c, "", false, x, x.Name.Span)
}

func (b *binder) patternMember(x syntax.Expr, left operand, sel syntax.Expr) operand {
	var path string
	switch s := sel.(type) {
	case *syntax.NameRef:
		path = s.Name
	case *syntax.IndexSel:
		path = literalText(s.Index)
	}
	return b.patternCase(left.pattern, path, true, x, sel.Range())
}

func (b *binder) patternCase(p *pattern, path string, hasPath bool, x syntax.Expr, at syntax.Span) operand {
	for _, m := range p.decl.Matches {
		ok := len(m.Args) == len(p.args) && (!hasPath || literalText(m.Path) == path)
		for i := 0; ok && i < len(p.args); i++ {
			ok = literalText(m.Args[i]) == p.args[i]
		}
		if !ok {
			continue
		}
		f := *p.f
		f.body = m.Body
		var args []arg
		var lay []int
		for i, pp := range p.decl.Params {
			f.params = append(f.params, funcParam{name: pp.Name.Text, t: b.paramType(pp)})
			k := plan.Str(p.args[i])
			args = append(args, arg{operand: operand{kind: opScalar, t: tString, e: k, val: &k.Val, isConst: true}, x: x})
			lay = append(lay, len(lay))
		}
		if pp := p.decl.Path; pp != nil && hasPath {
			f.params = append(f.params, funcParam{name: pp.Name.Text, t: b.paramType(pp)})
			k := plan.Str(path)
			args = append(args, arg{operand: operand{kind: opScalar, t: tString, e: k, val: &k.Val, isConst: true}, x: x})
			lay = append(lay, len(lay))
		}
		return b.expandWith(&f, args, lay, x, at)
	}
	b.fail(at, "SEM0188", "no case of the pattern %s matches these arguments", quoteName(p.name))
	return errAt(x)
}
