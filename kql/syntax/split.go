package syntax

// Split finds the queries of a worksheet: texts divided by blank rows, as editors take the query around the cursor.
// A blank row inside brackets, after a semicolon or bar, or before a bar divides nothing. Each span can be given to
// [Parse] by itself; comments before the first token of a query are outside its span.
func Split(text string) []Span {
	if len(text) > MaxTextBytes {
		return nil
	}
	l := lexer{src: text, comments: true}
	l.run()
	var out []Span
	depth, c := 0, 0
	for i, t := range l.toks {
		if t.kind == tEOF {
			break
		}
		if i == 0 {
			out = append(out, Span{t.start, t.end})
		} else {
			// Comments stand between tokens; a gap is blank only where none of its pieces holds a comment.
			prev := l.toks[i-1]
			gap, from := false, prev.end
			for c < len(l.found) && l.found[c].Start < t.start {
				if l.found[c].Start >= from {
					gap = gap || blankRow(text[from:l.found[c].Start])
					from = l.found[c].End
				}
				c++
			}
			gap = gap || blankRow(text[from:t.start])
			if gap && depth == 0 && prev.text != ";" && prev.text != "|" && t.text != "|" {
				out = append(out, Span{t.start, t.end})
			}
		}
		out[len(out)-1].End = t.end
		if t.kind == tPunct {
			switch t.text {
			case "(", "[", "{":
				depth++
			case ")", "]", "}":
				depth = max(0, depth-1)
			}
		}
	}
	return out
}

// blankRow says whether a piece of white space holds a row with nothing on it.
func blankRow(s string) bool {
	n := 0
	for i := range len(s) {
		if s[i] == '\n' {
			n++
		}
	}
	return n > 1
}
