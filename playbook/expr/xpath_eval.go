package expr

import (
	"fmt"
	"math"
	"sort"
	"strconv"
	"strings"
)

func binaryExpr(op string, l, r xpathExpr) xpathExpr {
	return func(c *xpathCtx) (any, error) {
		a, err := l(c)
		if err != nil {
			return nil, err
		}
		b, err := r(c)
		if err != nil {
			return nil, err
		}
		switch op {
		case "+":
			return xNum(a) + xNum(b), nil
		case "-":
			return xNum(a) - xNum(b), nil
		case "*":
			return xNum(a) * xNum(b), nil
		case "div":
			return xNum(a) / xNum(b), nil
		case "mod":
			return math.Mod(xNum(a), xNum(b)), nil
		}
		return xCompare(c, op, a, b)
	}
}

func nodes(v any, err error) ([]*xmlNode, error) {
	if err != nil {
		return nil, err
	}
	if ns, ok := v.([]*xmlNode); ok {
		return ns, nil
	}
	return nil, fmt.Errorf("expected a set of nodes")
}

func ordered(ns []*xmlNode) []*xmlNode {
	sort.SliceStable(ns, func(i, j int) bool { return ns[i].order < ns[j].order })
	out := ns[:0]
	for i, n := range ns {
		if i == 0 || n != ns[i-1] {
			out = append(out, n)
		}
	}
	return out
}

func filter(c *xpathCtx, ns []*xmlNode, preds []xpathExpr) ([]*xmlNode, error) {
	for _, pr := range preds {
		var keep []*xmlNode
		for i, n := range ns {
			if err := c.tick(1); err != nil {
				return nil, err
			}
			v, err := pr(&xpathCtx{n, i + 1, len(ns), c.steps})
			if err != nil {
				return nil, err
			}
			if f, ok := v.(float64); ok {
				if f == float64(i+1) {
					keep = append(keep, n)
				}
			} else if xBool(v) {
				keep = append(keep, n)
			}
		}
		ns = keep
	}
	return ns, nil
}

func top(n *xmlNode) *xmlNode {
	for n.parent != nil {
		n = n.parent
	}
	return n
}

func walkAxis(n *xmlNode, axis string) []*xmlNode {
	var out []*xmlNode
	var down func(*xmlNode)
	down = func(e *xmlNode) {
		for _, c := range e.children {
			out = append(out, c)
			down(c)
		}
	}
	switch axis {
	case "child":
		return n.children
	case "attribute":
		for _, a := range n.attrs {
			if a.kind == xmlAttr {
				out = append(out, a)
			}
		}
	case "self":
		return []*xmlNode{n}
	case "parent":
		if n.parent != nil {
			return []*xmlNode{n.parent}
		}
	case "descendant":
		down(n)
	case "descendant-or-self":
		out = append(out, n)
		down(n)
	case "ancestor", "ancestor-or-self":
		if axis == "ancestor-or-self" {
			out = append(out, n)
		}
		for a := n.parent; a != nil; a = a.parent {
			out = append(out, a)
		}
	case "following-sibling", "preceding-sibling":
		if n.parent == nil || n.kind == xmlAttr {
			return nil
		}
		at := 0
		for i, c := range n.parent.children {
			if c == n {
				at = i
			}
		}
		if axis == "following-sibling" {
			return n.parent.children[at+1:]
		}
		for i := at - 1; i >= 0; i-- {
			out = append(out, n.parent.children[i])
		}
	case "following", "preceding":
		var all []*xmlNode
		out = nil
		down(top(n))
		all, out = out, nil
		if axis == "following" {
			last := n.order
			var deepest func(*xmlNode)
			deepest = func(e *xmlNode) {
				last = max(last, e.order)
				for _, c := range e.children {
					deepest(c)
				}
			}
			deepest(n)
			for _, c := range all {
				if c.order > last {
					out = append(out, c)
				}
			}
			return out
		}
		anc := map[*xmlNode]bool{}
		for a := n.parent; a != nil; a = a.parent {
			anc[a] = true
		}
		for i := len(all) - 1; i >= 0; i-- {
			if c := all[i]; c.order < n.order && !anc[c] {
				out = append(out, c)
			}
		}
	}
	return out
}

func xString(v any) string {
	switch x := v.(type) {
	case string:
		return x
	case bool:
		return strconv.FormatBool(x)
	case float64:
		switch {
		case math.IsNaN(x):
			return "NaN"
		case math.IsInf(x, 0):
			return floatText(x)
		case x == 0:
			return "0"
		}
		return strconv.FormatFloat(x, 'f', -1, 64)
	case []*xmlNode:
		if len(x) > 0 {
			return stringValue(x[0])
		}
	}
	return ""
}

func xNum(v any) float64 {
	switch x := v.(type) {
	case float64:
		return x
	case bool:
		if x {
			return 1
		}
		return 0
	}
	s := strings.TrimSpace(xString(v))
	if s == "" || strings.Trim(s, "-.0123456789") != "" {
		return math.NaN()
	}
	f, err := strconv.ParseFloat(s, 64)
	if err != nil {
		return math.NaN()
	}
	return f
}

func xBool(v any) bool {
	switch x := v.(type) {
	case bool:
		return x
	case float64:
		return x != 0 && !math.IsNaN(x)
	case string:
		return x != ""
	case []*xmlNode:
		return len(x) > 0
	}
	return false
}

func xCompare(c *xpathCtx, op string, a, b any) (any, error) {
	as, aSet := a.([]*xmlNode)
	bs, bSet := b.([]*xmlNode)
	switch {
	case aSet && bSet:
		if err := c.tick(len(as) * len(bs)); err != nil {
			return nil, err
		}
		for _, x := range as {
			for _, y := range bs {
				if scalarCompare(op, stringValue(x), stringValue(y)) {
					return true, nil
				}
			}
		}
		return false, nil
	case aSet || bSet:
		set, other := as, b
		if bSet {
			set, other = bs, a
		}
		if o, ok := other.(bool); ok {
			if bSet {
				return scalarCompare(op, o, len(set) > 0), nil
			}
			return scalarCompare(op, len(set) > 0, o), nil
		}
		for _, n := range set {
			var v any = stringValue(n)
			if _, ok := other.(float64); ok {
				v = xNum(v)
			}
			if aSet && scalarCompare(op, v, other) || bSet && scalarCompare(op, other, v) {
				return true, nil
			}
		}
		return false, nil
	}
	return scalarCompare(op, a, b), nil
}

func scalarCompare(op string, a, b any) bool {
	if op == "=" || op == "!=" {
		_, ab := a.(bool)
		_, bb := b.(bool)
		_, an := a.(float64)
		_, bn := b.(float64)
		var eq bool
		switch {
		case ab || bb:
			eq = xBool(a) == xBool(b)
		case an || bn:
			x, y := xNum(a), xNum(b)
			eq = x == y
		default:
			eq = xString(a) == xString(b)
		}
		return eq == (op == "=")
	}
	x, y := xNum(a), xNum(b)
	switch op {
	case "<":
		return x < y
	case "<=":
		return x <= y
	case ">":
		return x > y
	}
	return x >= y
}
