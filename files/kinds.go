package files

import (
	"math"
	"picket/kql/value"
	"strconv"
	"strings"
)

// kind is a set of forms that the values of a column take.
type kind uint16

const (
	kEmpty  kind = 1 << iota // an empty text
	kBool                    //
	kLong                    // a whole number of 64 bits
	kWide                    // with kLong: one that a real can't hold exactly
	kBig                     // a whole number beyond 64 bits, of at most 34 digits
	kReal                    //
	kTime                    // a text that is an ISO 8601 date, or date and time
	kText                    // any other text
	kNested                  // an object or array
)

// jsonType is the type of a column of JSON values.
func (k kind) jsonType() value.Type {
	switch k &^ kWide {
	case kEmpty, kText, kText | kEmpty, kText | kTime, kText | kTime | kEmpty:
		return value.String
	case kBool:
		return value.Bool
	case kLong:
		return value.Long
	case kBig, kBig | kLong:
		return value.Decimal
	case kReal:
		return value.Real
	case kReal | kLong:
		if k&kWide == 0 {
			return value.Real
		}
	case kTime, kTime | kEmpty:
		return value.Datetime
	}
	return value.Dynamic // objects, values of several kinds, nothing but nulls
}

// cellType is the type of a column of texts.
func (k kind) cellType() value.Type {
	switch k &^ (kWide | kEmpty) {
	case kBool:
		return value.Bool
	case kLong:
		return value.Long
	case kReal:
		return value.Real
	case kReal | kLong:
		if k&kWide == 0 {
			return value.Real
		}
	case kTime:
		return value.Datetime
	case kNested:
		return value.Dynamic
	}
	return value.String
}

// maxExact is the largest whole number up to which every one is a real.
const maxExact = 1 << 53

// wholeKind is the kind of a whole number in decimal digits.
func wholeKind(s string) kind {
	n, err := strconv.ParseInt(s, 10, 64)
	switch {
	case err == nil && (n > maxExact || n < -maxExact):
		return kLong | kWide
	case err == nil:
		return kLong
	case len(s) <= 34:
		return kBig
	}
	return kReal
}

// cellKind is the kind of a cell of CSV.
func cellKind(s string) kind {
	if s == "" {
		return kEmpty
	}
	switch c := s[0]; {
	case c == 't' || c == 'T' || c == 'f' || c == 'F':
		if _, ok := cellBool(s); ok {
			return kBool
		}
	case c == '-' || c >= '0' && c <= '9':
		whole, ok := numberForm(s)
		switch {
		case ok && whole:
			if k := wholeKind(s); k&kLong != 0 {
				return k
			}
			return kText // a number of more than 64 bits keeps all its digits as text
		case ok:
			if f, err := strconv.ParseFloat(s, 64); err == nil && !math.IsInf(f, 0) {
				return kReal
			}
		case isoTime(s):
			return kTime
		}
	case c == '{' || c == '[':
		if _, err := value.ParseJSON(s); err == nil {
			return kNested
		}
	}
	return kText
}

func cellBool(s string) (v, ok bool) {
	switch s {
	case "true", "True", "TRUE":
		return true, true
	case "false", "False", "FALSE":
		return false, true
	}
	return false, false
}

// numberForm reports whether s is a number as JSON writes it, and whether it has neither fraction nor exponent.
func numberForm(s string) (whole, ok bool) {
	r := rowScan{b: []byte(s)}
	_, err := r.number()
	return !strings.ContainsAny(s, ".eE"), err == nil && r.i == len(s)
}

// isoTime reports whether s is YYYY-MM-DD, alone or with T or a blank and hh:mm[:ss[.f…]] and perhaps a zone.
func isoTime(s string) bool {
	if len(s) < 10 || len(s) > 40 || s[4] != '-' || s[7] != '-' {
		return false
	}
	for i := 0; i < 10; i++ {
		if i != 4 && i != 7 && (s[i] < '0' || s[i] > '9') {
			return false
		}
	}
	if len(s) > 10 && (len(s) < 16 || s[10] != 'T' && s[10] != 't' && s[10] != ' ' || s[13] != ':' || !isoRest(s[11:])) {
		return false
	}
	_, ok := value.ParseDatetime(s)
	return ok
}

// isoRest checks the characters of a time and its zone: no words but Z, so that no looser form of a date is taken.
func isoRest(s string) bool {
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case c >= '0' && c <= '9', c == ':', c == '.', c == '+', c == '-':
		case (c == 'Z' || c == 'z') && i == len(s)-1:
		default:
			return false
		}
	}
	return true
}
