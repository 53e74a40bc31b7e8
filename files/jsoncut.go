package files

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
)

// jsonCutter finds the rows of JSON that may be laid out over many lines: objects one after the other, with or
// without commas, or the elements of one array.
type jsonCutter struct {
	depth   int // of the array that holds the rows: 0 outside
	member  bool
	started bool
	ended   bool
}

func (c *jsonCutter) cut(data []byte, line int, last bool) (int, []span, error) {
	var rows []span
	i, end := 0, 0
	for i < len(data) {
		switch b := data[i]; {
		case b == '\n':
			line++
			i++
			end = i
		case b == ' ' || b == '\t' || b == '\r' || b == ',':
			i++
			end = i
		case c.ended && c.member && b == '}':
			i++
			end = i
		case c.member && !c.started:
			at := bytes.IndexByte(data[i:], '[')
			if at < 0 {
				return 0, nil, nil
			}
			line += bytes.Count(data[i:i+at], []byte{'\n'})
			i += at + 1
			end, c.started, c.depth = i, true, 1
		case b == '[' && !c.started:
			c.started, c.depth = true, 1
			i++
			end = i
		case b == ']' && c.depth == 1:
			c.depth, c.ended = 0, true
			i++
			end = i
		case c.ended:
			return 0, nil, &rowError{line: line, err: errors.New("not JSON: text after the end of the array")}
		case b == 'R' && c.depth == 0: // evtx_dump's "Record 17" before each event
			n := bytes.IndexByte(data[i:], '\n')
			if n < 0 && !last {
				return end, rows, nil
			}
			if n < 0 || !bytes.HasPrefix(data[i:], []byte("Record ")) {
				return 0, nil, &rowError{line: line, err: errNoObject}
			}
			i += n
			end = i
		case b == '{':
			c.started = true
			n, lines, ok := object(data[i:])
			if !ok {
				if last {
					return 0, nil, &rowError{line: line, err: errors.New("not JSON: the file ends within this object")}
				}
				return end, rows, nil
			}
			if n > MaxRowBytes {
				return 0, nil, &rowError{line: line, err: fmt.Errorf("the row is longer than %d bytes", MaxRowBytes)}
			}
			rows = append(rows, span{i, i + n, line})
			line += lines
			i += n
			end = i
		default:
			return 0, nil, &rowError{line: line, err: errNoObject}
		}
	}
	if last && c.depth == 1 {
		return 0, nil, &rowError{line: line, err: errors.New("not JSON: the file ends within the array")}
	}
	return end, rows, nil
}

// object is the length of the object at the beginning of data and the line ends in it; not ok when it does not end.
func object(data []byte) (n, lines int, ok bool) {
	depth := 0
	for i := 0; i < len(data); i++ {
		switch data[i] {
		case '"':
			for i++; i < len(data) && data[i] != '"'; i++ {
				switch data[i] {
				case '\\':
					i++
				case '\n':
					lines++
				}
			}
		case '{', '[':
			depth++
		case '}', ']':
			depth--
			if depth == 0 {
				return i + 1, lines, true
			}
		case '\n':
			lines++
		}
	}
	return 0, 0, false
}

// memberHead reports whether JSON begins as an object whose first property is an array of objects.
func memberHead(head []byte) bool {
	r := rowScan{b: head}
	r.space()
	if r.i >= len(head) || head[r.i] != '{' {
		return false
	}
	r.i++
	r.space()
	if r.i >= len(head) || head[r.i] != '"' {
		return false
	}
	if _, err := r.str(); err != nil {
		return false
	}
	for _, c := range []byte{':', '['} {
		r.space()
		if r.i >= len(head) || head[r.i] != c {
			return false
		}
		r.i++
	}
	r.space()
	return r.i < len(head) && (head[r.i] == '{' || head[r.i] == ']')
}

// oneMember reports whether that array is all there is in the object, and the object all there is in the file.
func oneMember(r *bufio.Reader) (bool, error) {
	depth, quoted, escaped, closed := 0, false, false, false
	for {
		c, err := r.ReadByte()
		if err == io.EOF {
			return closed && depth == 0, nil
		}
		if err != nil {
			return false, fmt.Errorf("read: %w", err)
		}
		switch {
		case escaped:
			escaped = false
		case quoted && c == '\\':
			escaped = true
		case c == '"':
			if closed {
				return false, nil
			}
			quoted = !quoted
		case quoted:
		case c == '{' || c == '[':
			if closed {
				return false, nil
			}
			depth++
		case c == '}' || c == ']':
			depth--
			if depth == 1 {
				closed = true
			}
		case closed && c != ' ' && c != '\t' && c != '\r' && c != '\n':
			return false, nil
		}
	}
}
