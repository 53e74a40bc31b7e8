package lake

// oddJSON says that a text holds what DuckDB's reader and KQL take differently within a dynamic value, so that it
// must be decoded in Go: an object with the same key twice (KQL keeps the last), or NaN and Infinity (no JSON). It is
// a quick look at tokens; whether the text is JSON is for the reader to say.
func oddJSON(b []byte) bool {
	type object struct {
		keys   []uint64
		index  map[uint64]bool // once there are many
		inside bool            // an object, not an array
	}
	var stack []object
	expectKey := false
	for i := 0; i < len(b); i++ {
		switch c := b[i]; c {
		case '"':
			from := i + 1
			h := uint64(14695981039346656037)
			for i++; i < len(b) && b[i] != '"'; i++ {
				if b[i] == '\\' {
					if expectKey {
						return true // an escaped key may equal another one
					}
					i++
				}
				if expectKey {
					h = (h ^ uint64(b[i])) * 1099511628211
				}
			}
			if !expectKey || len(stack) == 0 {
				continue
			}
			expectKey = false
			if i-from > 1<<16 {
				return true
			}
			o := &stack[len(stack)-1]
			if o.index != nil {
				if o.index[h] {
					return true
				}
				o.index[h] = true
				continue
			}
			for _, k := range o.keys {
				if k == h {
					return true
				}
			}
			if o.keys = append(o.keys, h); len(o.keys) == 32 {
				o.index = make(map[uint64]bool, 64)
				for _, k := range o.keys {
					o.index[k] = true
				}
			}
		case '{', '[':
			if len(stack) > 1000 {
				return true
			}
			if n := len(stack); n < cap(stack) { // keep the memory of keys
				stack = stack[:n+1]
				stack[n].keys, stack[n].index = stack[n].keys[:0], nil
			} else {
				stack = append(stack, object{})
			}
			stack[len(stack)-1].inside = c == '{'
			expectKey = c == '{'
		case '}', ']':
			if len(stack) > 0 {
				stack = stack[:len(stack)-1]
			}
			expectKey = false
		case ',':
			expectKey = len(stack) > 0 && stack[len(stack)-1].inside
		case 'N', 'I':
			return true
		}
	}
	return false
}
