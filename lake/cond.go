package lake

import (
	"encoding/json"
	"fmt"
	"picket/kql/value"
	"picket/lake/duck"
	"strconv"
	"strings"
)

// Cond is one condition on a column.
type Cond struct {
	Column string
	Key    string `json:",omitempty"` // of a dynamic column: the property that is compared, as text
	// Op is ==, =~ (text in any case), in, in~ (Value is a list), contains (text in any case), >, >=, <, <=, or
	// between (Value is a list of two, both included).
	Op    string
	Value any // as JSON has it: a text, a number, a bool, or a list
}

// plainJSON gives a value the forms that a JSON reader makes, numbers without loss.
func plainJSON(v any) (any, error) {
	b, err := json.Marshal(v)
	if err != nil {
		return nil, fmt.Errorf("the value of a condition: %w", err)
	}
	var out any
	d := json.NewDecoder(strings.NewReader(string(b)))
	d.UseNumber()
	return out, d.Decode(&out)
}

// condSQL is the condition for the rows of a source.
func (l *Lake) condSQL(t *tableDef, src source, c *Cond) (string, error) {
	bad := func(format string, a ...any) (string, error) {
		return "", fmt.Errorf("the condition %.100s %.20s: %s", c.Column, c.Op, fmt.Sprintf(format, a...))
	}
	cols, err := l.columns(t, []string{c.Column})
	if err != nil {
		return "", err
	}
	col := cols[0]
	expr, typ := src.expr(col, col.phys), col.Type
	switch {
	case c.Key != "" && typ != value.Dynamic:
		return bad("the column is %s and has no properties", typ)
	case c.Key != "":
		path, err := json.Marshal(c.Key)
		if err != nil || strings.ContainsAny(c.Key, "\x00\"\\") {
			return bad("the property %.100q can't be named", c.Key)
		}
		expr, typ = "json_extract_string("+expr+", "+duck.Text("$."+string(path))+")", value.String
	case typ == value.Datetime:
		expr = "epoch_us(" + expr + ") * 10"
		if col.Ticks != "" {
			expr += " + coalesce(" + src.expr(col, col.Ticks) + ", 0)"
		}
		expr = "(" + expr + ")"
	}
	list, isList := c.Value.([]any)
	if !isList {
		list = []any{c.Value}
	}
	want := map[string]bool{"in": true, "in~": true, "between": true}[c.Op]
	switch {
	case want != isList:
		return bad("its value must be a list for in, in~ and between, and only there")
	case len(list) == 0 || len(list) > MaxPurgeValues || c.Op == "between" && len(list) != 2:
		return bad("%d values; use 1 to %d, for between 2", len(list), MaxPurgeValues)
	}
	text := typ == value.String
	exact := typ == value.Dynamic || typ == value.Decimal || typ == value.Bool || typ == value.GUID // have no order here
	lits := make([]string, len(list))
	for i, x := range list {
		if lits[i], err = literal(x, typ); err != nil {
			return bad("%v", err)
		}
	}
	switch c.Op {
	case "==":
		return expr + " = " + lits[0], nil
	case "in":
		return expr + " IN (" + strings.Join(lits, ", ") + ")", nil
	case "=~", "in~", "contains":
		if !text {
			return bad("the column is %s, not string", typ)
		}
		for i := range lits {
			lits[i] = "lower(" + lits[i] + ")"
		}
		if c.Op == "contains" {
			return "contains(lower(" + expr + "), " + lits[0] + ")", nil
		}
		return "lower(" + expr + ") IN (" + strings.Join(lits, ", ") + ")", nil
	case ">", ">=", "<", "<=":
		if exact {
			return bad("columns of type %s have no order here", typ)
		}
		return expr + " " + c.Op + " " + lits[0], nil
	case "between":
		if exact {
			return bad("columns of type %s have no order here", typ)
		}
		return expr + " BETWEEN " + lits[0] + " AND " + lits[1], nil
	}
	return bad("there is no such operator; use ==, =~, in, in~, contains, >, >=, <, <= or between")
}

// literal is a value as SQL of a type's storage form; of datetimes, ticks since 1970.
func literal(x any, t value.Type) (string, error) {
	if n, ok := x.(json.Number); ok {
		if i, err := n.Int64(); err == nil {
			x = i
		} else if f, err := n.Float64(); err == nil {
			x = f
		}
	}
	if t == value.Dynamic {
		b, err := json.Marshal(x)
		if err != nil {
			return "", err
		}
		d, err := value.ParseJSON(string(b))
		if err != nil {
			return "", err
		}
		return duck.Text(string(value.AppendJSON(nil, d))), nil
	}
	if x == nil {
		return "", fmt.Errorf("null can't be compared")
	}
	v, err := Convert(x, t)
	if err != nil {
		return "", err
	}
	switch t {
	case value.Bool:
		return strconv.FormatBool(v.I != 0), nil
	case value.Int, value.Long, value.Timespan:
		return "(" + strconv.FormatInt(v.I, 10) + ")::BIGINT", nil
	case value.Datetime:
		return "(" + strconv.FormatInt(v.I-duck.EpochTicks, 10) + ")::BIGINT", nil
	case value.Real:
		return "'" + strconv.FormatFloat(v.F, 'g', -1, 64) + "'::DOUBLE", nil
	case value.Decimal:
		return duck.Text(v.M.String()), nil
	case value.GUID:
		return duck.Text(v.Text()) + "::UUID", nil
	}
	if strings.ContainsRune(v.S, 0) {
		return "", fmt.Errorf("the text holds a zero byte")
	}
	return duck.Text(v.S), nil
}
