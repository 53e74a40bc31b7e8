package expr

import (
	"fmt"
	"strings"
	"unicode/utf16"

	"github.com/google/uuid"
)

// Positions and lengths of texts count UTF-16 units, as in .NET. Texts of plain ASCII take the short way.

func ascii(s string) bool {
	for i := 0; i < len(s); i++ {
		if s[i] >= 0x80 {
			return false
		}
	}
	return true
}

func utf16Len(s string) int {
	if ascii(s) {
		return len(s)
	}
	n := 0
	for _, r := range s {
		n++
		if r > 0xFFFF {
			n++
		}
	}
	return n
}

func utf16Cut(s string, from, to int) string {
	if ascii(s) {
		return s[from:to]
	}
	return string(utf16.Decode(utf16.Encode([]rune(s))[from:to]))
}

func concat(_ *evaluator, name string, args []any) (any, error) {
	var b strings.Builder
	for _, a := range args {
		b.WriteString(Text(a))
		if b.Len() > maxText {
			return nil, errf("The result of the template language function 'concat' exceeds the limit of %d characters.", maxText)
		}
	}
	return b.String(), nil
}

func substring(_ *evaluator, name string, args []any) (any, error) {
	s, err := needString(name, args, 0)
	if err != nil {
		return nil, err
	}
	start, err := needInt(name, args, 1)
	if err != nil {
		return nil, err
	}
	n := int64(utf16Len(s))
	if len(args) == 2 {
		if start < 0 || start >= n {
			return nil, errf("The template language function 'substring' parameter is out of range: 'start index' must be non-negative integer and should be less than the length of the string. %s", usage(name))
		}
		return utf16Cut(s, int(start), int(n)), nil
	}
	if start < 0 || start >= n {
		return nil, errf("The template language function 'substring' parameter is out of range: 'start index' must be non-negative integer and should be less than the length of the string. %s", usage(name))
	}
	l, err := needInt(name, args, 2)
	if err != nil {
		return nil, err
	}
	if l < 0 || l > n || start+l > n {
		return nil, errf("The template language function 'substring' parameters are out of range: 'start index' and 'length' must be non-negative integers and their sum must be no larger than the length of the string. %s", usage(name))
	}
	return utf16Cut(s, int(start), int(start+l)), nil
}

func slice(_ *evaluator, name string, args []any) (any, error) {
	s, ok := args[0].(string)
	if !ok {
		return nil, errf("The template language function 'slice' expects its first parameter to be of type string. The provided value is of type '%s'. %s", TypeName(args[0]), usage(name))
	}
	n := int64(utf16Len(s))
	at := func(i int64) int64 {
		if i < 0 {
			return max(n+i, 0)
		}
		return min(i, n)
	}
	from, err := needInt(name, args, 1)
	if err != nil {
		return nil, err
	}
	to := n
	if len(args) == 3 && args[2] != nil {
		if to, err = needInt(name, args, 2); err != nil {
			return nil, err
		}
		to = at(to)
	}
	from = at(from)
	if from >= to {
		return "", nil
	}
	return utf16Cut(s, int(from), int(to)), nil
}

func replace(_ *evaluator, name string, args []any) (any, error) {
	s, err := needString(name, args, 0)
	if err != nil {
		return nil, err
	}
	old, err := needString(name, args, 1)
	if err != nil {
		return nil, err
	}
	if old == "" {
		return nil, errf("The template language function 'replace' expects its second parameter to be a string of at least one character. %s", usage(name))
	}
	by := textArg(args, 2)
	if n := strings.Count(s, old); n*(len(by)-len(old))+len(s) > maxText {
		return nil, errf("The result of the template language function 'replace' exceeds the limit of %d characters.", maxText)
	}
	return strings.ReplaceAll(s, old, by), nil
}

func changeCase(_ *evaluator, name string, args []any) (any, error) {
	s, err := needString(name, args, 0)
	if err != nil {
		return nil, err
	}
	if name == "toLower" {
		return lowerInvariant(s), nil
	}
	return upperInvariant(s), nil
}

func trim(_ *evaluator, name string, args []any) (any, error) {
	if args[0] == nil {
		return "", nil
	}
	s, err := needString(name, args, 0)
	if err != nil {
		return nil, err
	}
	return strings.TrimSpace(s), nil
}

func split(_ *evaluator, name string, args []any) (any, error) {
	s, err := needString(name, args, 0)
	if err != nil {
		return nil, err
	}
	d := textArg(args, 1)
	if d == "" {
		return []any{s}, nil
	}
	parts := strings.Split(s, d)
	out := make([]any, len(parts))
	for i, p := range parts {
		out[i] = p
	}
	return out, nil
}

func indexOfFn(_ *evaluator, name string, args []any) (any, error) {
	s, err := needString(name, args, 0)
	if err != nil {
		return nil, err
	}
	f := textArg(args, 1)
	ls, lf := lowerInvariant(s), lowerInvariant(f)
	i := 0
	if name == "indexOf" {
		i = strings.Index(ls, lf)
	} else {
		if f == "" { // documented: length less one, never below 0
			return int64(max(utf16Len(s)-1, 0)), nil
		}
		i = strings.LastIndex(ls, lf)
	}
	if i > 0 {
		i = utf16Len(ls[:i])
	}
	return int64(i), nil
}

func nthIndexOf(_ *evaluator, name string, args []any) (any, error) {
	s, err := needString(name, args, 0)
	if err != nil {
		return nil, err
	}
	f := lowerInvariant(textArg(args, 1))
	n, err := needInt(name, args, 2)
	if err != nil {
		return nil, err
	}
	if n < 1 || f == "" {
		return int64(-1), nil
	}
	ls := lowerInvariant(s)
	at := -1
	for ; n > 0; n-- {
		i := strings.Index(ls[at+1:], f)
		if i < 0 {
			return int64(-1), nil
		}
		at += 1 + i
	}
	return int64(utf16Len(ls[:at])), nil
}

func startsEnds(_ *evaluator, name string, args []any) (any, error) {
	s, err := needString(name, args, 0)
	if err != nil {
		return nil, err
	}
	ls, lf := lowerInvariant(s), lowerInvariant(textArg(args, 1))
	if name == "startsWith" {
		return strings.HasPrefix(ls, lf), nil
	}
	return strings.HasSuffix(ls, lf), nil
}

func length(_ *evaluator, name string, args []any) (any, error) {
	switch x := args[0].(type) {
	case string:
		return int64(utf16Len(x)), nil
	case []any:
		return int64(len(x)), nil
	}
	return nil, errf("The template language function 'length' expects its parameter to be an array or a string. The provided value is of type '%s'. %s", TypeName(args[0]), usage(name))
}

func chunk(_ *evaluator, name string, args []any) (any, error) {
	size, err := needInt(name, args, 1)
	if err != nil {
		return nil, err
	}
	if size < 1 {
		return nil, errf("The template language function 'chunk' expects chunk size to be a positive integer. The provided value is less than 1. %s", usage(name))
	}
	out := []any{}
	switch x := args[0].(type) {
	case string:
		n := int64(utf16Len(x))
		for i := int64(0); i < n; {
			to := n
			if size < n-i {
				to = i + size
			}
			out = append(out, utf16Cut(x, int(i), int(to)))
			i = to
		}
		return out, nil
	case []any:
		for i := int64(0); i < int64(len(x)); {
			to := int64(len(x))
			if size < to-i {
				to = i + size
			}
			out = append(out, append([]any{}, x[i:to]...))
			i = to
		}
		return out, nil
	}
	return nil, errf("The template language function 'chunk' expects its first parameter to be an array or a string. The provided value is of type '%s'. %s", TypeName(args[0]), usage(name))
}

func guid(_ *evaluator, name string, args []any) (any, error) {
	u := uuid.New()
	id := u.String()
	switch strings.ToUpper(textArg(args, 0)) {
	case "", "D":
		return id, nil
	case "N":
		return strings.ReplaceAll(id, "-", ""), nil
	case "B":
		return "{" + id + "}", nil
	case "P":
		return "(" + id + ")", nil
	case "X":
		out := fmt.Sprintf("{0x%x,0x%x,0x%x,{", u[:4], u[4:6], u[6:8])
		for i, b := range u[8:] {
			if i > 0 {
				out += ","
			}
			out += fmt.Sprintf("0x%02x", b)
		}
		return out + "}}", nil
	}
	return nil, errf("The template language function 'guid' expects its format parameter to be one of 'N', 'D', 'B', 'P' or 'X'. The provided value is '%s'. %s", textArg(args, 0), usage(name))
}

func isInt(_ *evaluator, name string, args []any) (any, error) {
	if isIntegral(args[0]) {
		return true, nil
	}
	s, ok := args[0].(string)
	if !ok {
		return false, nil
	}
	_, ok = parseInt(s)
	return ok, nil
}

func isFloat(_ *evaluator, name string, args []any) (any, error) {
	if isNumber(args[0]) {
		return true, nil
	}
	s, ok := args[0].(string)
	if !ok {
		return false, nil
	}
	c, err := cultureArg(name, args, 1)
	if err != nil {
		return nil, err
	}
	_, ok = parseNumber(s, c)
	return ok, nil
}

func formatNumber(_ *evaluator, name string, args []any) (any, error) {
	if !isNumber(args[0]) {
		return nil, errf("The template language function 'formatNumber' expects its first parameter to be an integer or a decimal number. The provided value is of type '%s'. %s", TypeName(args[0]), usage(name))
	}
	f, err := needString(name, args, 1)
	if err != nil {
		return nil, err
	}
	c, err := cultureArg(name, args, 2)
	if err != nil {
		return nil, err
	}
	return formatNetNumber(args[0], f, c)
}
