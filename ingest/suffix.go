package ingest

import (
	"picket/kql/value"
	"picket/lake"
	"strconv"
	"strings"
)

// The Data Collector names a column by its field and what the value is. The column's type follows the suffix; a guid
// is text with dashes, as the service shows it.
var suffixes = []struct {
	suffix string
	typ    value.Type
	kinds  kind // that begin such a column
}{
	{"_s", value.String, kText | kJSON},
	{"_d", value.Real, kNumber},
	{"_b", value.Bool, kBool},
	{"_t", value.Datetime, kTime},
	{"_g", value.String, kGUID | kGUIDAs},
}

const anyText = kText | kTime | kGUID | kGUIDAs

// base is the column name of a field without its suffix: characters that no column has become underscores.
func base(key string) string {
	ok := true
	for i := 0; i < len(key); i++ {
		ok = ok && nameByte(key[i])
	}
	if ok {
		return key
	}
	return strings.Map(func(r rune) rune {
		if r < 0x80 && nameByte(byte(r)) {
			return r
		}
		return '_'
	}, key)
}

func nameByte(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || c == '_'
}

// columns are the columns that a table has or is given, in the order they came.
type columns struct {
	list   []value.Column
	byBase map[string][]int // base name → its suffixed columns, the oldest first
	added  int
}

func newColumns(have []lake.Column) *columns {
	c := &columns{byBase: map[string][]int{}}
	for _, h := range have {
		c.add(value.Column{Name: h.Name, Type: h.Type})
	}
	return c
}

func (c *columns) add(col value.Column) int {
	c.list = append(c.list, col)
	i := len(c.list) - 1
	if n := len(col.Name); n > 2 && suffixIndex(col.Name[n-2:]) >= 0 {
		b := col.Name[:n-2]
		c.byBase[b] = append(c.byBase[b], i)
	}
	return i
}

func suffixIndex(s string) int {
	for i := range suffixes {
		if suffixes[i].suffix == s {
			return i
		}
	}
	return -1
}

// natural adds the column that a value of this kind begins.
func (c *columns) natural(name string, k kind) int {
	for _, s := range suffixes {
		if s.kinds&k != 0 {
			c.added++
			return c.add(value.Column{Name: name + s.suffix, Type: s.typ})
		}
	}
	return -1
}

// Which column takes a value: of the field's columns the oldest one that the value is, or converts to; when there is
// none, a new one of the value's own suffix. Strings convert to what their text says; numbers, booleans, objects and
// arrays go nowhere but to their own.

// whole gives the column that takes every value of these kinds without looking at one of them, adding it when the
// field has none yet; false when it depends on the value.
func (c *columns) whole(name string, kinds kind) (int, bool) {
	kinds &^= kNull | kLong
	have := c.byBase[name]
	if len(have) == 0 {
		for _, s := range suffixes {
			if kinds&^s.kinds == 0 {
				if kinds&kGUIDAs != 0 { // to be written with dashes
					return 0, false
				}
				return c.natural(name, kinds), true
			}
		}
		return 0, false
	}
	for _, i := range have {
		col := c.list[i]
		switch col.Name[len(col.Name)-2:] {
		case "_s":
			if col.Type == value.String && kinds&^(anyText|kJSON) == 0 {
				return i, true
			}
		case "_d":
			if kinds == kNumber {
				return i, col.Type == value.Real
			}
		case "_b":
			if kinds == kBool {
				return i, col.Type == value.Bool
			}
		case "_t":
			if kinds == kTime {
				return i, col.Type == value.Datetime
			}
		case "_g":
			if kinds == kGUID {
				return i, col.Type == value.String
			}
		}
		// the column may take some of the values
		if kinds&anyText != 0 || strings.HasSuffix(col.Name, "_s") && kinds&kJSON != 0 {
			return 0, false
		}
	}
	if kinds&(kinds-1) != 0 || kinds == kGUIDAs {
		return 0, false
	}
	return c.natural(name, kinds), true
}

// one gives the column that takes the value, and the value in the column's type; it adds the column when needed.
func (c *columns) one(name string, d any, k kind) (int, value.Value) {
	for _, i := range c.byBase[name] {
		col := c.list[i]
		if x, ok := fit(col.Name[len(col.Name)-2:], col.Type, d, k); ok {
			return i, x
		}
	}
	i := c.natural(name, k)
	col := c.list[i]
	x, _ := fit(col.Name[len(col.Name)-2:], col.Type, d, k)
	return i, x
}

// fit converts a value for a column with this suffix; false when the value does not belong there.
func fit(suffix string, t value.Type, d any, k kind) (value.Value, bool) {
	text, isText := d.(string)
	switch suffix {
	case "_s":
		if k&(anyText|kJSON) == 0 {
			return value.Value{}, false
		}
		if t == value.Dynamic {
			return value.OfDynamic(d), true
		}
		if !isText {
			text = string(value.AppendJSON(nil, d))
		}
		d = text
	case "_d":
		if k != kNumber {
			if !isText {
				return value.Value{}, false
			}
			f, ok := number(text)
			if !ok {
				return value.Value{}, false
			}
			d = f
		}
	case "_b":
		if isText {
			switch strings.ToLower(strings.TrimSpace(text)) {
			case "true":
				d = true
			case "false":
				d = false
			default:
				return value.Value{}, false
			}
		} else if k != kBool {
			return value.Value{}, false
		}
	case "_t":
		if !isText {
			return value.Value{}, false
		}
		if k != kTime {
			if _, ok := value.ParseDatetime(text); !ok || !strings.ContainsAny(text, "-/: ") {
				return value.Value{}, false
			}
		}
	case "_g":
		g, ok := value.ParseGUID(text)
		if !isText || !ok {
			return value.Value{}, false
		}
		if t == value.String {
			d = value.FormatGUID(g)
		}
	}
	x, err := lake.Convert(d, t)
	return x, err == nil && !x.Null
}

// number reads a decimal number, as JSON writes it or with blanks around it.
func number(s string) (float64, bool) {
	s = strings.TrimSpace(s)
	if s == "" || len(s) > 64 {
		return 0, false
	}
	for i := 0; i < len(s); i++ {
		if c := s[i]; (c < '0' || c > '9') && c != '.' && c != '-' && c != '+' && c != 'e' && c != 'E' {
			return 0, false
		}
	}
	f, err := strconv.ParseFloat(s, 64)
	return f, err == nil
}
