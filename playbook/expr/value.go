package expr

import (
	"encoding/base64"
	"math"
	"math/big"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/shopspring/decimal"
)

// A value of the language is one of: nil, bool, int64, *big.Int (integers beyond 64 bits), float64,
// decimal.Decimal (only from decimal()), string, []any, *Object. Values are shared, never changed in place.

// Member is one property of an [Object].
type Member struct {
	Name  string
	Value any
}

// Object is a JSON object that keeps the order of its properties. Names are unique case-sensitively; lookups
// by the language ignore case (see [Object.Find]).
type Object struct {
	m   []Member
	idx map[string]int // built when there are many members
}

const indexFrom = 12

// NewObject makes an object of name, value pairs; a later pair of the same name replaces the earlier.
func NewObject(pairs ...any) *Object {
	o := &Object{}
	for i := 0; i+1 < len(pairs); i += 2 {
		o.Set(pairs[i].(string), pairs[i+1])
	}
	return o
}

// Len is the number of properties.
func (o *Object) Len() int {
	if o == nil {
		return 0
	}
	return len(o.m)
}

// Members lists the properties in order. The caller doesn't change them.
func (o *Object) Members() []Member {
	if o == nil {
		return nil
	}
	return o.m
}

// Names lists the property names in order.
func (o *Object) Names() []string {
	out := make([]string, 0, o.Len())
	for _, m := range o.Members() {
		out = append(out, m.Name)
	}
	return out
}

func (o *Object) pos(name string) int {
	if o == nil {
		return -1
	}
	if o.idx != nil {
		if i, ok := o.idx[name]; ok {
			return i
		}
		return -1
	}
	for i := range o.m {
		if o.m[i].Name == name {
			return i
		}
	}
	return -1
}

// Get finds a property by its exact name.
func (o *Object) Get(name string) (any, bool) {
	if i := o.pos(name); i >= 0 {
		return o.m[i].Value, true
	}
	return nil, false
}

// Find finds a property by its exact name, else ignoring case, and says the name it has.
func (o *Object) Find(name string) (v any, has string, ok bool) {
	if i := o.pos(name); i >= 0 {
		return o.m[i].Value, name, true
	}
	for _, m := range o.Members() {
		if strings.EqualFold(m.Name, name) {
			return m.Value, m.Name, true
		}
	}
	return nil, "", false
}

// Value is Find's value alone, nil when the property is missing.
func (o *Object) Value(name string) any {
	v, _, _ := o.Find(name)
	return v
}

// Set replaces or appends a property. Only for an object that nobody else holds yet.
func (o *Object) Set(name string, v any) {
	if i := o.pos(name); i >= 0 {
		o.m[i].Value = v
		return
	}
	o.m = append(o.m, Member{name, v})
	if o.idx != nil {
		o.idx[name] = len(o.m) - 1
	} else if len(o.m) >= indexFrom {
		o.idx = make(map[string]int, len(o.m)*2)
		for i, m := range o.m {
			o.idx[m.Name] = i
		}
	}
}

// Clone copies the object (not its values).
func (o *Object) Clone() *Object {
	c := &Object{}
	for _, m := range o.Members() {
		c.Set(m.Name, m.Value)
	}
	return c
}

// Without copies the object less one property, by exact name.
func (o *Object) Without(name string) *Object {
	c := &Object{}
	for _, m := range o.Members() {
		if m.Name != name {
			c.Set(m.Name, m.Value)
		}
	}
	return c
}

// TypeName is the name that the service's messages use for a value's type.
func TypeName(v any) string {
	switch v.(type) {
	case nil:
		return "Null"
	case bool:
		return "Boolean"
	case int64, *big.Int:
		return "Integer"
	case float64, decimal.Decimal:
		return "Float"
	case string:
		return "String"
	case []any:
		return "Array"
	}
	return "Object"
}

// Text is a value as string(), concat() and @{} write it: null as nothing, booleans as True and False,
// numbers as .NET does, binary content as its text, arrays and objects as compact JSON.
func Text(v any) string {
	switch x := v.(type) {
	case nil:
		return ""
	case string:
		return x
	case bool:
		if x {
			return "True"
		}
		return "False"
	case int64:
		return strconv.FormatInt(x, 10)
	case *big.Int:
		return x.String()
	case float64:
		return floatText(x)
	case decimal.Decimal:
		return x.String()
	case *Object:
		if b, _, ok := Binary(x); ok {
			return string(b)
		}
	}
	return JSON(v)
}

// floatText writes the shortest digits that read back the same, in fixed notation for exponents -5 < e < 17,
// else as 1E+21 or 1E-06.
func floatText(f float64) string {
	switch {
	case math.IsInf(f, 1):
		return "Infinity"
	case math.IsInf(f, -1):
		return "-Infinity"
	case math.IsNaN(f):
		return "NaN"
	case f == 0:
		return "0"
	}
	s := strconv.FormatFloat(f, 'e', -1, 64)
	mant, exp, _ := strings.Cut(s, "e")
	e, _ := strconv.Atoi(exp)
	if e > -5 && e < 17 {
		return strconv.FormatFloat(f, 'f', -1, 64)
	}
	sign := "+"
	if e < 0 {
		sign, e = "-", -e
	}
	es := strconv.Itoa(e)
	if len(es) < 2 {
		es = "0" + es
	}
	return mant + "E" + sign + es
}

// Equal compares deeply and strictly by type, except that numbers compare by value.
func Equal(a, b any) bool {
	switch x := a.(type) {
	case nil:
		return b == nil
	case bool:
		y, ok := b.(bool)
		return ok && x == y
	case string:
		y, ok := b.(string)
		return ok && x == y
	case []any:
		y, ok := b.([]any)
		if !ok || len(x) != len(y) {
			return false
		}
		for i := range x {
			if !Equal(x[i], y[i]) {
				return false
			}
		}
		return true
	case *Object:
		y, ok := b.(*Object)
		if !ok || x.Len() != y.Len() {
			return false
		}
		for _, m := range x.Members() {
			v, ok := y.Get(m.Name)
			if !ok || !Equal(m.Value, v) {
				return false
			}
		}
		return true
	}
	if isNumber(a) && isNumber(b) {
		return compareNumbers(a, b) == 0
	}
	return false
}

func isNumber(v any) bool {
	switch v.(type) {
	case int64, *big.Int, float64, decimal.Decimal:
		return true
	}
	return false
}

func isIntegral(v any) bool {
	switch v.(type) {
	case int64, *big.Int:
		return true
	}
	return false
}

func compareNumbers(a, b any) int {
	if x, ok := a.(int64); ok {
		if y, ok := b.(int64); ok {
			switch {
			case x < y:
				return -1
			case x > y:
				return 1
			}
			return 0
		}
	}
	_, af := a.(float64)
	_, bf := b.(float64)
	if af || bf {
		x, y := toFloat(a), toFloat(b)
		if math.IsNaN(x) || math.IsInf(x, 0) || math.IsNaN(y) || math.IsInf(y, 0) || (af && bf) {
			switch {
			case x < y:
				return -1
			case x > y:
				return 1
			}
			return 0
		}
	}
	return toDecimal(a).Cmp(toDecimal(b))
}

func toFloat(v any) float64 {
	switch x := v.(type) {
	case int64:
		return float64(x)
	case *big.Int:
		f, _ := new(big.Float).SetInt(x).Float64()
		return f
	case float64:
		return x
	case decimal.Decimal:
		f, _ := x.Float64()
		return f
	}
	return math.NaN()
}

func toDecimal(v any) decimal.Decimal {
	switch x := v.(type) {
	case int64:
		return decimal.NewFromInt(x)
	case *big.Int:
		return decimal.NewFromBigInt(x, 0)
	case float64:
		return decimal.NewFromFloat(x)
	case decimal.Decimal:
		return x
	}
	return decimal.Decimal{}
}

// normalInt keeps integers in 64 bits where they fit.
func normalInt(b *big.Int) any {
	if b.IsInt64() {
		return b.Int64()
	}
	return b
}

func toBig(v any) *big.Int {
	switch x := v.(type) {
	case int64:
		return big.NewInt(x)
	case *big.Int:
		return x
	}
	return nil
}

// Binary reads the service's envelope of binary content, {"$content-type","$content"} (base64).
func Binary(v any) (data []byte, contentType string, ok bool) {
	o, isObj := v.(*Object)
	if !isObj || o.Len() < 2 || o.Len() > 4 {
		return nil, "", false
	}
	ct, ok1 := o.Get("$content-type")
	c, ok2 := o.Get("$content")
	if !ok1 || !ok2 {
		return nil, "", false
	}
	for _, n := range o.Names() {
		if n != "$content-type" && n != "$content" && n != "$formdata" && n != "$multipart" {
			return nil, "", false
		}
	}
	cts, ok1 := ct.(string)
	cs, ok2 := c.(string)
	if !ok1 || !ok2 {
		return nil, "", false
	}
	b, err := base64.StdEncoding.DecodeString(cs)
	if err != nil {
		return nil, "", false
	}
	return b, cts, true
}

// BinaryValue makes the envelope of binary content.
func BinaryValue(data []byte, contentType string) *Object {
	return NewObject("$content-type", contentType, "$content", base64.StdEncoding.EncodeToString(data))
}

// lowerInvariant and upperInvariant map character by character, so that positions stay.
func lowerInvariant(s string) string { return strings.Map(mapOne(strings.ToLower), s) }
func upperInvariant(s string) string { return strings.Map(mapOne(strings.ToUpper), s) }

func mapOne(f func(string) string) func(rune) rune {
	return func(r rune) rune {
		if r < utf8.RuneSelf {
			return []rune(f(string(r)))[0]
		}
		if m := []rune(f(string(r))); len(m) == 1 {
			return m[0]
		}
		return r
	}
}
