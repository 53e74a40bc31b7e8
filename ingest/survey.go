package ingest

import (
	"bytes"
	"errors"
	"picket/kql/value"
	"strconv"
	"strings"
)

// Survey looks at all rows of a file and says which columns it has and what types hold all their values: bool, long,
// real (decimal where whole numbers don't fit 64 bits), datetime, string, and dynamic for objects, arrays and values of
// several kinds. Nothing is rounded to fit.
type Survey struct {
	s     scanner
	more  map[string]shape
	cells bool
}

// shape is what a field's numbers and cells look like beyond their kind.
type shape uint8

const (
	hasReal  shape = 1 << iota // a number with a point or an exponent
	hasHuge                    // a whole number beyond 64 bits
	hasEmpty                   // of CSV: an empty cell
)

// NewSurvey begins one.
func NewSurvey() *Survey {
	v := &Survey{more: map[string]shape{}}
	v.s = scanner{out: &body{}, byKey: map[string]*field{}, endless: true, seen: func(f *field, k kind, raw []byte) {
		if k == kNumber {
			v.more[f.key] |= numberShape(raw)
		}
	}}
	return v
}

func numberShape(raw []byte) shape {
	if bytes.ContainsAny(raw, ".eE") {
		return hasReal
	}
	if len(raw) > 18 {
		if _, err := strconv.ParseInt(string(raw), 10, 64); err != nil {
			return hasHuge
		}
	}
	return 0
}

// Row looks at a row, a JSON object. Its error says why it is none; the row then counts for nothing but the fields
// that came before the fault.
func (v *Survey) Row(text []byte) error {
	v.s.b, v.s.i = text, 0
	v.s.space()
	if v.s.peek() != '{' {
		return errors.New("the row is no JSON object")
	}
	if err := v.s.row(); err != nil {
		return err
	}
	v.s.space()
	if v.s.i < len(text) {
		return errors.New("text after the end of the object")
	}
	return nil
}

// Cell looks at a cell of CSV.
func (v *Survey) Cell(column, text string) error {
	v.cells = true
	f := v.s.byKey[column]
	if f == nil {
		if len(v.s.out.fields) >= MaxColumns {
			return errors.New("more than " + strconv.Itoa(MaxColumns) + " columns")
		}
		f = &field{key: column}
		v.s.byKey[column] = f
		v.s.out.fields = append(v.s.out.fields, f)
	}
	switch k, sh := cellKind(text); k {
	case kNull:
		v.more[column] |= hasEmpty
	default:
		f.kinds |= k
		f.rows++
		v.more[column] |= sh
	}
	return nil
}

// cellKind says what a cell looks like: numbers with leading zeros or a plus sign are texts, so that they stay as they
// are.
func cellKind(s string) (kind, shape) {
	switch {
	case s == "":
		return kNull, 0
	case strings.EqualFold(s, "true"), strings.EqualFold(s, "false"):
		return kBool, 0
	case s[0] == '-' || '0' <= s[0] && s[0] <= '9':
		n := scanner{b: []byte(s)}
		if n.number() == nil && n.i == len(s) {
			return kNumber, numberShape(n.b)
		}
	}
	if k := textKind([]byte(s)); k == kTime {
		return kTime, 0
	}
	return kText, 0
}

// CellJSON writes a cell as a JSON value of a column of type t; nil when it is empty and the column holds no texts.
func CellJSON(b []byte, s string, t value.Type) []byte {
	switch {
	case t == value.String:
		return value.AppendJSONString(b, s)
	case s == "":
		return append(b, "null"...)
	case t == value.Bool && (strings.EqualFold(s, "true") || strings.EqualFold(s, "false")):
		return append(b, strings.ToLower(s)...)
	}
	if k, _ := cellKind(s); k == kNumber && (t == value.Long || t == value.Int || t == value.Real || t == value.Decimal) {
		return append(b, s...)
	}
	return value.AppendJSONString(b, s)
}

// Columns gives the fields in the order in which they came, with their types. Fields that have no value anywhere are
// left out.
func (v *Survey) Columns() value.Schema {
	var s value.Schema
	for _, f := range v.s.out.fields {
		k := f.kinds &^ (kNull | kLong)
		if k == 0 {
			if v.more[f.key]&hasEmpty == 0 {
				continue
			}
			k = kText
		}
		t := typeOf(k, v.more[f.key])
		if v.cells && t == value.Dynamic {
			t = value.String // cells are texts
		}
		s = append(s, value.Column{Name: f.key, Type: t})
	}
	return s
}

func typeOf(k kind, sh shape) value.Type {
	switch {
	case k == kBool:
		return value.Bool
	case k == kNumber && sh&hasReal != 0 && sh&hasHuge != 0:
		return value.Dynamic // a real would round, a decimal has no exponents beyond its digits
	case k == kNumber && sh&hasHuge != 0:
		return value.Decimal
	case k == kNumber && sh&hasReal != 0:
		return value.Real
	case k == kNumber:
		return value.Long
	case k == kTime:
		return value.Datetime
	case k&^anyText == 0:
		return value.String
	}
	return value.Dynamic
}
