package bind

import (
	"picket/kql/catalog"
	"picket/kql/syntax"
	"picket/kql/value"
	"strconv"
	"strings"
)

// note is what naming needs to know of an expression that was bound.
type note struct {
	dynamic bool              // a path or index into a dynamic
	fn      *catalog.Function // the built-in function that a call means
}

func (b *binder) note(x syntax.Expr, n note) {
	if b.notes == nil {
		b.notes = map[syntax.Expr]note{}
	}
	b.notes[x] = n
}

// resultName is the name that an expression gives its column; false when it gives none.
func (b *binder) resultName(x syntax.Expr) (string, bool) {
	switch x := x.(type) {
	case *syntax.ParenExpr:
		return b.resultName(x.X)
	case *syntax.NameRef:
		return x.Name, true
	case *syntax.IndexSel:
		return indexName(x.Index)
	case *syntax.PathExpr:
		return b.joinNames(x, x.X, func() (string, bool) { return b.resultName(x.Member) })
	case *syntax.IndexExpr:
		return b.joinNames(x, x.X, func() (string, bool) { return indexName(x.Index) })
	case *syntax.OrderedExpr:
		return b.resultName(x.X)
	case *syntax.NamedExpr:
		if !x.Tuple && len(x.Names) == 1 {
			return x.Names[0].Text, true
		}
	case *syntax.Call:
		return b.callName(x)
	}
	return "", false
}

func (b *binder) joinNames(x, left syntax.Expr, selector func() (string, bool)) (string, bool) {
	right, ok := selector()
	if !b.notes[x].dynamic {
		return right, ok
	}
	if l, _ := b.innerName(left); strings.TrimSpace(l) != "" {
		return l + "_" + right, true
	}
	return right, ok
}

// innerName is resultName of a part of an expression: there column_ifexists names nothing.
func (b *binder) innerName(x syntax.Expr) (string, bool) {
	y := x
	for {
		p, ok := y.(*syntax.ParenExpr)
		if !ok {
			break
		}
		y = p.X
	}
	if c, ok := y.(*syntax.Call); ok {
		if f := b.notes[c].fn; f != nil && f.NameKind == catalog.FirstArgumentIfColumn {
			return "", false
		}
	}
	return b.resultName(x)
}

// indexName is the text of a literal index.
func indexName(x syntax.Expr) (string, bool) {
	switch x := x.(type) {
	case *syntax.Literal:
		switch x.Type {
		case value.String:
			return x.Value.S, true
		case value.Long, value.Int:
			return strconv.FormatInt(x.Value.I, 10), true
		}
	case *syntax.NameRef:
		if x.Quoted {
			return x.Name, true
		}
	}
	return "", false
}

func (b *binder) callName(x *syntax.Call) (string, bool) {
	f := b.notes[x].fn
	if f == nil {
		return "", false
	}
	first := func() (string, bool) { return b.innerName(x.Args[0]) }
	n := len(x.Args)
	switch f.NameKind {
	case catalog.PrefixAndFirst, catalog.NameAndFirst:
		prefix := f.Prefix
		if f.NameKind == catalog.NameAndFirst {
			prefix = f.Name
		}
		if n == 0 {
			return prefix + "_", true
		}
		s, _ := first()
		return prefix + "_" + s, true
	case catalog.FirstArgumentIfColumn:
		if n > 0 {
			if v := b.constText(x.Args[0]); v != nil && b.row != nil && b.row.find(*v) != nil {
				return *v, true
			}
		}
	case catalog.FirstArgument:
		if n > 0 {
			return first()
		}
	case catalog.OnlyArgument:
		if n == 1 {
			return first()
		}
	case catalog.PrefixOnly:
		return f.Prefix, true
	}
	return "", false
}

// constText is the value of an expression that is a string literal or a let of one.
func (b *binder) constText(x syntax.Expr) *string {
	switch x := x.(type) {
	case *syntax.Literal:
		if x.Type == value.String {
			return &x.Value.S
		}
	case *syntax.ParenExpr:
		return b.constText(x.X)
	case *syntax.NameRef:
		if y := b.local.find(x.Name); y != nil && y.op.kind == opScalar {
			if v := constValue(y.op.expr()); v != nil && v.Type == value.String {
				return &v.S
			}
		}
	}
	return nil
}

// writtenValue is the value of a literal or of a let of one; nil for what has to be computed, -1 too.
func (b *binder) writtenValue(x syntax.Expr) *value.Value {
	switch x := x.(type) {
	case *syntax.Literal:
		return &x.Value
	case *syntax.ParenExpr:
		return b.writtenValue(x.X)
	case *syntax.NameRef:
		if y := b.local.find(x.Name); y != nil && y.op.kind == opScalar {
			return y.op.val
		}
	}
	return nil
}

// defaultName is ColumnN with the next free N.
func (b *binder) defaultName(rowScope bool) string {
	for {
		b.colN++
		n := "Column" + strconv.Itoa(b.colN)
		if rowScope && b.row != nil && b.row.find(n) != nil || b.local.find(n) != nil {
			continue
		}
		if _, ok := b.schema.Table(b.db, n); ok {
			continue
		}
		return n
	}
}

// fragment makes a piece of a column name of any text.
func fragment(s string) string {
	return strings.Map(func(r rune) rune {
		if r >= '0' && r <= '9' || r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r > 127 {
			return r
		}
		return '_'
	}, s)
}

// uniqueNames hands out names, numbering repeats: a, a1, a2.
type uniqueNames map[string]int

func (u uniqueNames) get(name string) string { return u.getFrom(name, name) }

// getFrom numbers base when name is taken.
func (u uniqueNames) getFrom(name, base string) string {
	last, taken := u[name]
	if !taken {
		u[name] = 0
		return name
	}
	for n := last + 1; ; n++ {
		s := base + strconv.Itoa(n)
		if _, ok := u[s]; !ok {
			u[name] = n
			u[s] = 0
			return s
		}
	}
}

func (u uniqueNames) add(name string) {
	if _, ok := u[name]; !ok && name != "" {
		u[name] = 0
	}
}
