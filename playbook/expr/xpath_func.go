package expr

import (
	"fmt"
	"math"
	"strings"
)

// xpathFunc is a core function: how many parameters, and its value. With no parameter given, those that work on
// a node take the context node.
type xpathFunc struct {
	min, max int
	f        func(c *xpathCtx, a []any) (any, error)
}

func contextOr(c *xpathCtx, a []any) any {
	if len(a) > 0 {
		return a[0]
	}
	return []*xmlNode{c.node}
}

func firstNode(c *xpathCtx, a []any) (*xmlNode, error) {
	ns, err := nodes(contextOr(c, a), nil)
	if err != nil || len(ns) == 0 {
		return &xmlNode{}, err
	}
	return ns[0], nil
}

func xpathFuncs(name string) (xpathFunc, bool) {
	str := func(f func(a []any) any) func(*xpathCtx, []any) (any, error) {
		return func(_ *xpathCtx, a []any) (any, error) { return f(a), nil }
	}
	node := func(f func(*xmlNode) string) func(*xpathCtx, []any) (any, error) {
		return func(c *xpathCtx, a []any) (any, error) {
			n, err := firstNode(c, a)
			if err != nil {
				return nil, err
			}
			return f(n), nil
		}
	}
	switch name {
	case "last":
		return xpathFunc{0, 0, func(c *xpathCtx, _ []any) (any, error) { return float64(c.size), nil }}, true
	case "position":
		return xpathFunc{0, 0, func(c *xpathCtx, _ []any) (any, error) { return float64(c.pos), nil }}, true
	case "count":
		return xpathFunc{1, 1, func(_ *xpathCtx, a []any) (any, error) {
			ns, err := nodes(a[0], nil)
			return float64(len(ns)), err
		}}, true
	case "sum":
		return xpathFunc{1, 1, func(_ *xpathCtx, a []any) (any, error) {
			ns, err := nodes(a[0], nil)
			t := 0.0
			for _, n := range ns {
				t += xNum(stringValue(n))
			}
			return t, err
		}}, true
	case "local-name":
		return xpathFunc{0, 1, node(func(n *xmlNode) string { return n.local })}, true
	case "namespace-uri":
		return xpathFunc{0, 1, node(func(n *xmlNode) string { return n.space })}, true
	case "name":
		return xpathFunc{0, 1, node((*xmlNode).name)}, true
	case "string":
		return xpathFunc{0, 1, func(c *xpathCtx, a []any) (any, error) { return xString(contextOr(c, a)), nil }}, true
	case "number":
		return xpathFunc{0, 1, func(c *xpathCtx, a []any) (any, error) { return xNum(contextOr(c, a)), nil }}, true
	case "string-length":
		return xpathFunc{0, 1, func(c *xpathCtx, a []any) (any, error) {
			return float64(len([]rune(xString(contextOr(c, a))))), nil
		}}, true
	case "normalize-space":
		return xpathFunc{0, 1, func(c *xpathCtx, a []any) (any, error) {
			return strings.Join(strings.Fields(xString(contextOr(c, a))), " "), nil
		}}, true
	case "concat":
		return xpathFunc{2, 100, str(func(a []any) any {
			s := ""
			for _, v := range a {
				s += xString(v)
			}
			return s
		})}, true
	case "starts-with":
		return xpathFunc{2, 2, str(func(a []any) any { return strings.HasPrefix(xString(a[0]), xString(a[1])) })}, true
	case "contains":
		return xpathFunc{2, 2, str(func(a []any) any { return strings.Contains(xString(a[0]), xString(a[1])) })}, true
	case "substring-before":
		return xpathFunc{2, 2, str(func(a []any) any {
			if b, _, ok := strings.Cut(xString(a[0]), xString(a[1])); ok {
				return b
			}
			return ""
		})}, true
	case "substring-after":
		return xpathFunc{2, 2, str(func(a []any) any {
			_, after, _ := strings.Cut(xString(a[0]), xString(a[1]))
			return after
		})}, true
	case "substring":
		return xpathFunc{2, 3, str(xSubstring)}, true
	case "translate":
		return xpathFunc{3, 3, str(func(a []any) any {
			from, to := []rune(xString(a[1])), []rune(xString(a[2]))
			return strings.Map(func(r rune) rune {
				for i, f := range from {
					if f == r {
						if i < len(to) {
							return to[i]
						}
						return -1
					}
				}
				return r
			}, xString(a[0]))
		})}, true
	case "boolean":
		return xpathFunc{1, 1, str(func(a []any) any { return xBool(a[0]) })}, true
	case "not":
		return xpathFunc{1, 1, str(func(a []any) any { return !xBool(a[0]) })}, true
	case "true":
		return xpathFunc{0, 0, str(func([]any) any { return true })}, true
	case "false":
		return xpathFunc{0, 0, str(func([]any) any { return false })}, true
	case "floor":
		return xpathFunc{1, 1, str(func(a []any) any { return math.Floor(xNum(a[0])) })}, true
	case "ceiling":
		return xpathFunc{1, 1, str(func(a []any) any { return math.Ceil(xNum(a[0])) })}, true
	case "round":
		return xpathFunc{1, 1, str(func(a []any) any { return math.Floor(xNum(a[0]) + 0.5) })}, true
	}
	return xpathFunc{}, false
}

func xSubstring(a []any) any {
	from := math.Floor(xNum(a[1]) + 0.5)
	to := math.Inf(1)
	if len(a) == 3 {
		to = from + math.Floor(xNum(a[2])+0.5)
	}
	var b strings.Builder
	for i, r := range []rune(xString(a[0])) {
		if p := float64(i + 1); p >= from && p < to {
			b.WriteRune(r)
		}
	}
	return b.String()
}

func xpathCall(name string, args []xpathExpr) (xpathExpr, error) {
	f, ok := xpathFuncs(name)
	if !ok {
		return nil, fmt.Errorf("the XPath function %s() is not available", name)
	}
	if len(args) < f.min || len(args) > f.max {
		return nil, fmt.Errorf("the XPath function %s() doesn't take %d parameters", name, len(args))
	}
	return func(c *xpathCtx) (any, error) {
		vals := make([]any, len(args))
		for i, a := range args {
			v, err := a(c)
			if err != nil {
				return nil, err
			}
			vals[i] = v
		}
		return f.f(c, vals)
	}, nil
}
