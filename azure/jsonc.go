package azure

import (
	"encoding/json"
	"fmt"
	"unicode/utf8"
)

// strictJSON turns the JSON that Resource Manager takes into JSON: comments, keys without quotes (az writes
// `template:{…}` around the user's file), single quotes, commas before a closing bracket and strings over several
// lines. Lines stay where they were, so that errors name the user's own.
func strictJSON(in []byte) ([]byte, error) {
	if json.Valid(in) {
		return in, nil
	}
	out := make([]byte, 0, len(in)+64)
	line := 1
	comma := -1 // place in out of a comma that may turn out to be the last
	at := func(i int) byte {
		if i < len(in) {
			return in[i]
		}
		return 0
	}
	for i := 0; i < len(in); {
		c := in[i]
		switch {
		case c == '\n':
			line++
			out = append(out, c)
			i++
		case c == ' ' || c == '\t' || c == '\r':
			out = append(out, c)
			i++
		case c == '/' && at(i+1) == '/':
			for i < len(in) && in[i] != '\n' {
				i++
			}
		case c == '/' && at(i+1) == '*':
			from := line
			i += 2
			for i < len(in) && (in[i] != '*' || at(i+1) != '/') {
				if in[i] == '\n' {
					line++
					out = append(out, '\n')
				}
				i++
			}
			if i >= len(in) {
				return nil, fmt.Errorf("line %d: a comment does not end", from)
			}
			i += 2
		case c == '"' || c == '\'':
			from, q := line, c
			out = append(out, '"')
			for i++; i < len(in) && in[i] != q; i++ {
				switch b := in[i]; {
				case b == '\\' && i+1 < len(in):
					i++
					if in[i] == '\'' {
						out = append(out, '\'')
					} else {
						out = append(out, '\\', in[i])
					}
				case b == '"':
					out = append(out, '\\', '"')
				case b == '\n':
					line++
					out = append(out, '\\', 'n')
				case b == '\r':
					out = append(out, '\\', 'r')
				case b == '\t':
					out = append(out, '\\', 't')
				case b < 0x20:
					out = append(out, fmt.Sprintf(`\u%04x`, b)...)
				default:
					out = append(out, b)
				}
			}
			if i >= len(in) {
				return nil, fmt.Errorf("line %d: a string does not end", from)
			}
			out = append(out, '"')
			i++
			comma = -1
		case c == ',':
			comma = len(out)
			out = append(out, c)
			i++
		case c == '}' || c == ']':
			if comma >= 0 {
				out[comma] = ' '
			}
			comma = -1
			out = append(out, c)
			i++
		case c == '_' || c == '$' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= utf8.RuneSelf:
			from := i
			for i < len(in) && (in[i] == '_' || in[i] == '$' || in[i] == '-' || in[i] == '.' || in[i] >= 'a' && in[i] <= 'z' || in[i] >= 'A' && in[i] <= 'Z' || in[i] >= '0' && in[i] <= '9' || in[i] >= utf8.RuneSelf) {
				i++
			}
			word := in[from:i]
			k := i
			for k < len(in) && (in[k] == ' ' || in[k] == '\t' || in[k] == '\r' || in[k] == '\n') {
				k++
			}
			if at(k) == ':' {
				out = append(append(append(out, '"'), word...), '"')
			} else {
				out = append(out, word...)
			}
			comma = -1
		default:
			out = append(out, c)
			i++
			comma = -1
		}
	}
	return out, nil
}
