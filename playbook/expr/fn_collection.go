package expr

import (
	"sort"
	"strings"
)

func contains(_ *evaluator, name string, args []any) (any, error) {
	switch x := args[0].(type) {
	case string:
		return strings.Contains(x, Text(args[1])), nil
	case []any:
		for _, e := range x {
			if Equal(e, args[1]) {
				return true, nil
			}
		}
		return false, nil
	case *Object:
		_, _, ok := x.Find(Text(args[1]))
		return ok, nil
	}
	return nil, errf("The template language function 'contains' expects its first argument 'collection' to be a dictionary (object), an array or a string. The provided value is of type '%s'.", TypeName(args[0]))
}

func empty(_ *evaluator, name string, args []any) (any, error) {
	switch x := args[0].(type) {
	case nil:
		return true, nil
	case string:
		return x == "", nil
	case []any:
		return len(x) == 0, nil
	case *Object:
		return x.Len() == 0, nil
	}
	return nil, errf("The template language function 'empty' expects its parameter to be an object, an array or a string. The provided value is of type '%s'. %s", TypeName(args[0]), usage(name))
}

func firstLast(_ *evaluator, name string, args []any) (any, error) {
	switch x := args[0].(type) {
	case string:
		n := utf16Len(x)
		if n == 0 {
			return "", nil
		}
		if name == "first" {
			return utf16Cut(x, 0, 1), nil
		}
		return utf16Cut(x, n-1, n), nil
	case []any:
		if len(x) == 0 {
			return nil, nil
		}
		if name == "first" {
			return x[0], nil
		}
		return x[len(x)-1], nil
	}
	return nil, errf("The template language function '%s' expects its parameter be an array or a string. The provided value is of type '%s'. %s", name, TypeName(args[0]), usage(name))
}

func skipTake(_ *evaluator, name string, args []any) (any, error) {
	n := 0
	switch x := args[0].(type) {
	case string:
		n = utf16Len(x)
	case []any:
		n = len(x)
	default:
		return nil, errf("The template language function '%s' expects its first parameter 'collection' to be an array or a string. The provided value is of type '%s'. %s", name, TypeName(args[0]), usage(name))
	}
	c, err := needInt(name, args, 1)
	if err != nil {
		return nil, err
	}
	if c < 0 {
		return nil, errf("The template language function '%s' parameters are out of range: 'count' must be a positive integer. The provided value is '%d'. %s", name, c, usage(name))
	}
	k := int(min(c, int64(n)))
	from, to := 0, k
	if name == "skip" {
		from, to = k, n
	}
	if s, ok := args[0].(string); ok {
		return utf16Cut(s, from, to), nil
	}
	return append([]any{}, args[0].([]any)[from:to]...), nil
}

func join(_ *evaluator, name string, args []any) (any, error) {
	a, ok := args[0].([]any)
	if !ok {
		return nil, errf("The template language function 'join' expects its first parameter to be an array. The provided value is of type '%s'. %s", TypeName(args[0]), usage(name))
	}
	d := textArg(args, 1)
	var b strings.Builder
	for i, e := range a {
		if i > 0 {
			b.WriteString(d)
		}
		b.WriteString(Text(e))
		if b.Len() > maxText {
			return nil, errf("The result of the template language function 'join' exceeds the limit of %d characters.", maxText)
		}
	}
	return b.String(), nil
}

// sameKind says whether all parameters are arrays or all are objects.
func sameKind(name string, args []any) (arrays bool, err error) {
	var names []string
	seen := map[string]bool{}
	for _, a := range args {
		if t := TypeName(a); !seen[t] {
			seen[t] = true
			names = append(names, t)
		}
	}
	if len(names) == 1 && (seen["Array"] || seen["Object"]) {
		return seen["Array"], nil
	}
	return false, errf("Template language function '%s' expects parameters of same type, but found '%s' distinct types.", name, strings.Join(names, ","))
}

// set answers membership by value without comparing all pairs.
type set map[string][]any

func setKey(v any) string {
	if isNumber(v) {
		return "n" + floatText(toFloat(v))
	}
	if s, ok := v.(string); ok {
		return "s" + s
	}
	return TypeName(v)
}

func (s set) has(v any) bool {
	for _, e := range s[setKey(v)] {
		if Equal(e, v) {
			return true
		}
	}
	return false
}

func (s set) add(v any) bool {
	if s.has(v) {
		return false
	}
	k := setKey(v)
	s[k] = append(s[k], v)
	return true
}

func union(_ *evaluator, name string, args []any) (any, error) {
	arrays, err := sameKind(name, args)
	if err != nil {
		return nil, err
	}
	if !arrays {
		out := &Object{}
		for _, a := range args {
			for _, m := range a.(*Object).Members() {
				out.Set(m.Name, m.Value)
			}
		}
		return out, nil
	}
	out, s := []any{}, set{}
	for _, a := range args {
		for _, e := range a.([]any) {
			if s.add(e) {
				out = append(out, e)
			}
		}
	}
	return out, nil
}

func intersection(_ *evaluator, name string, args []any) (any, error) {
	arrays, err := sameKind(name, args)
	if err != nil {
		return nil, err
	}
	if !arrays {
		out := &Object{}
	next:
		for _, m := range args[0].(*Object).Members() {
			for _, a := range args[1:] {
				if v, ok := a.(*Object).Get(m.Name); !ok || !Equal(v, m.Value) {
					continue next
				}
			}
			out.Set(m.Name, m.Value)
		}
		return out, nil
	}
	var others []set
	for _, a := range args[1:] {
		s := set{}
		for _, e := range a.([]any) {
			s.add(e)
		}
		others = append(others, s)
	}
	out, seen := []any{}, set{}
items:
	for _, e := range args[0].([]any) {
		for _, s := range others {
			if !s.has(e) {
				continue items
			}
		}
		if seen.add(e) {
			out = append(out, e)
		}
	}
	return out, nil
}

func needArray(name string, v any) ([]any, error) {
	if a, ok := v.([]any); ok {
		return a, nil
	}
	return nil, errf("The template language function '%s' expects its first parameter to be of type array. The provided value is of type '%s'. %s", name, TypeName(v), usage(name))
}

func reverse(_ *evaluator, name string, args []any) (any, error) {
	a, err := needArray(name, args[0])
	if err != nil {
		return nil, err
	}
	out := make([]any, len(a))
	for i, e := range a {
		out[len(a)-1-i] = e
	}
	return out, nil
}

func sortFn(_ *evaluator, name string, args []any) (any, error) {
	a, err := needArray(name, args[0])
	if err != nil {
		return nil, err
	}
	key := func(v any) any { return v }
	if len(args) == 2 {
		k, err := needString(name, args, 1)
		if err != nil {
			return nil, err
		}
		key = func(v any) any {
			if o, ok := v.(*Object); ok {
				return o.Value(k)
			}
			return nil
		}
	}
	out := append([]any{}, a...)
	var bad error
	sort.SliceStable(out, func(i, j int) bool {
		c, err := order(name, key(out[i]), key(out[j]))
		if err != nil && bad == nil {
			bad = err
		}
		return c < 0
	})
	if bad != nil {
		return nil, bad
	}
	return out, nil
}

// order compares two sort keys: null first, then numbers, texts and booleans each among themselves.
func order(name string, a, b any) (int, error) {
	switch {
	case a == nil && b == nil:
		return 0, nil
	case a == nil:
		return -1, nil
	case b == nil:
		return 1, nil
	case isNumber(a) && isNumber(b):
		return compareNumbers(a, b), nil
	}
	if x, ok := a.(string); ok {
		if y, ok := b.(string); ok {
			// Texts sort by their letters, and by case only where these are the same.
			if c := strings.Compare(lowerInvariant(x), lowerInvariant(y)); c != 0 {
				return c, nil
			}
			return strings.Compare(x, y), nil
		}
	}
	if x, ok := a.(bool); ok {
		if y, ok := b.(bool); ok {
			switch {
			case x == y:
				return 0, nil
			case y:
				return -1, nil
			}
			return 1, nil
		}
	}
	return 0, errf("The template language function '%s' cannot compare values of type '%s' and '%s'. %s", name, TypeName(a), TypeName(b), usage(name))
}

func editProperty(_ *evaluator, name string, args []any) (any, error) {
	o, ok := args[0].(*Object)
	if !ok {
		return nil, errf("The template language function '%s' expects its first parameter to be an object. The provided value is of type '%s'. %s", name, TypeName(args[0]), usage(name))
	}
	p, err := needString(name, args, 1)
	if err != nil {
		return nil, err
	}
	_, has, found := o.Find(p)
	switch name {
	case "addProperty":
		if found {
			return nil, errf("The template language function 'addProperty' expects the property to not exist in the object. Unable to add property '%s' to '%s' as it already exists.", p, JSONIndent(o))
		}
		c := o.Clone()
		c.Set(p, args[2])
		return c, nil
	case "setProperty":
		if !found {
			has = p
		}
		c := o.Clone()
		c.Set(has, args[2])
		return c, nil
	}
	if !found {
		return o, nil
	}
	return o.Without(has), nil
}
