package syntax

import (
	"fmt"
	"sort"
	"strings"
)

// The codes that this package reports. Later stages use SEM… codes and NotSupported.
const (
	CodeUnexpected   = "SYN0001"      // a token that can't stand here
	CodeExpected     = "SYN0002"      // something is missing before this place
	CodeUnterminated = "SYN0003"      // a string or literal without its end
	CodeBadChar      = "SYN0004"      // a character that is no part of the language
	CodeBadLiteral   = "SYN0005"      // a literal whose text has no value of its type
	CodeBadName      = "SYN0006"      // a keyword used as a name without brackets
	CodeBadType      = "SYN0007"      // an unknown type name
	CodeBadOperator  = "SYN0008"      // an unknown query operator
	CodeLimit        = "SYN0009"      // the text is too long, too deep or has too many errors
	CodeNotSupported = "NotSupported" // known to the language, not to picket
)

// Error is one finding in a query, shared by all stages of kql: what, where, and what to do.
type Error struct {
	Code       string // SYN0002 (syntax), SEM0100 (semantics), NotSupported
	Msg        string // what is wrong
	Suggestion string // what to do, or ""
	Start, End int    // byte offsets into the text
	Line       int    // 1-based line of Start
	Column     int    // 1-based column of Start, counted in characters
}

// Error gives "line:column: code: message (suggestion)".
func (e *Error) Error() string {
	s := fmt.Sprintf("%d:%d: %s: %s", e.Line, e.Column, e.Code, e.Msg)
	if e.Suggestion != "" {
		s += " (" + e.Suggestion + ")"
	}
	return s
}

// ErrorList is every finding in one text, in order of place. As an error it gives all of them, one a line.
type ErrorList []*Error

// Error joins the findings, one a line.
func (l ErrorList) Error() string {
	if len(l) == 0 {
		return "no errors"
	}
	lines := make([]string, len(l))
	for i, e := range l {
		lines[i] = e.Error()
	}
	return strings.Join(lines, "\n")
}

// Err is nil for an empty list, else the list.
func (l ErrorList) Err() error {
	if len(l) == 0 {
		return nil
	}
	return l
}

// Sort orders the list by place.
func (l ErrorList) Sort() {
	sort.SliceStable(l, func(i, j int) bool { return l[i].Start < l[j].Start })
}

// NewError makes an Error at span in text and computes its line and column.
func NewError(text string, span Span, code, msg, suggestion string) *Error {
	line, col := Position(text, span.Start)
	return &Error{Code: code, Msg: msg, Suggestion: suggestion, Start: span.Start, End: span.End, Line: line, Column: col}
}

// Position gives the 1-based line and column (in characters) of a byte offset in text.
func Position(text string, offset int) (line, column int) {
	offset = max(0, min(offset, len(text)))
	before := text[:offset]
	line = 1 + strings.Count(before, "\n")
	if i := strings.LastIndexByte(before, '\n'); i >= 0 {
		before = before[i+1:]
	}
	column = 1
	for range before {
		column++
	}
	return line, column
}
