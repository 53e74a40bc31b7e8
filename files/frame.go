package files

import (
	"fmt"
	"picket/kql/value"
	"strings"
)

// objectFrame reads the wanted columns of a block of JSON rows.
func objectFrame(b *block, want value.Schema) (*value.Frame, error) {
	f := newFrame(want, len(b.rows))
	at := make(map[string]int, len(want))
	for i, c := range want {
		if _, twice := at[c.Name]; !twice {
			at[c.Name] = i
		}
	}
	for n, row := range b.rows {
		err := eachField(b.data[row.from:row.to], func(key []byte, k kind, raw []byte) error {
			i, ok := at[string(key)]
			if !ok {
				for _, c := range key {
					if c == '\\' || c >= 0x80 {
						name, err := keyText(key)
						if err != nil {
							return err
						}
						i, ok = at[name]
						break
					}
				}
				if !ok {
					return nil
				}
			}
			return setJSON(f.Vecs[i], n, k, raw)
		})
		if err != nil {
			return nil, &rowError{b.in.path, row.line, err}
		}
	}
	for i, c := range want { // a column that is wanted twice
		f.Vecs[i] = f.Vecs[at[c.Name]]
	}
	return f, nil
}

// newFrame makes a frame in which everything is null.
func newFrame(want value.Schema, n int) *value.Frame {
	f := &value.Frame{Schema: want, Vecs: make([]*value.Vector, len(want)), N: n}
	for i, c := range want {
		f.Vecs[i] = value.New(c.Type, n)
		switch c.Type {
		case value.String, value.Dynamic:
		default:
			f.Vecs[i].Null = make([]bool, n)
			for k := range f.Vecs[i].Null {
				f.Vecs[i].Null[k] = true
			}
		}
	}
	return f
}

// setJSON stores a JSON value in a cell. The last of equal keys wins.
func setJSON(v *value.Vector, n int, k kind, raw []byte) error {
	if k == 0 {
		v.SetNull(n)
		return nil
	}
	x := value.Value{Type: v.Type}
	ok := false
	switch v.Type {
	case value.Bool:
		ok = k == kBool
		if len(raw) == 4 {
			x.I = 1
		}
	case value.Int, value.Long:
		if k&kLong != 0 {
			x.I, ok = value.ParseLong(string(raw))
		}
	case value.Real:
		if k&(kLong|kReal) != 0 {
			e, err := value.ParseJSON(string(raw))
			if err != nil {
				return err
			}
			switch e := e.(type) {
			case int64:
				x.F, ok = float64(e), true
			case float64:
				x.F, ok = e, true
			}
		}
	case value.Decimal:
		if k&(kLong|kBig) != 0 {
			x.M, ok = value.ParseDecimal(string(raw))
		}
	case value.Datetime:
		switch k {
		case kEmpty:
			v.SetNull(n)
			return nil
		case kTime:
			x.I, ok = value.ParseDatetime(string(raw[1 : len(raw)-1]))
		}
	case value.String:
		if k&(kText|kTime|kEmpty) != 0 {
			s, err := text(raw)
			if err != nil {
				return err
			}
			x.S, ok = s, true
		}
	case value.Dynamic:
		e, err := value.ParseJSON(string(raw))
		if err != nil {
			return err
		}
		x.D, ok = e, true
	}
	if !ok {
		return fmt.Errorf("%.40s is no %s: %w", raw, v.Type, ErrChanged)
	}
	v.Set(n, x)
	return nil
}

// cellFrame reads the wanted columns of a block of CSV.
func cellFrame(b *block, want value.Schema) (*value.Frame, error) {
	at := make([]int, len(want)) // where a wanted column stands in this file, or -1
	for i, c := range want {
		at[i] = -1
		for k, h := range b.in.header {
			if h == c.Name {
				at[i] = k
			}
		}
	}
	f := &value.Frame{Schema: want, Vecs: make([]*value.Vector, len(want))}
	for i, c := range want {
		f.Vecs[i] = value.New(c.Type, 0)
	}
	err := eachRecord(b, func(rec []string, _ int) error {
		for i, v := range f.Vecs {
			s := ""
			if at[i] >= 0 {
				s = rec[at[i]]
			}
			v.Grow(f.N + 1)
			if err := setCell(v, f.N, s); err != nil {
				return fmt.Errorf("column %s: %w", want[i].Name, err)
			}
		}
		f.N++
		return nil
	})
	if err != nil {
		return nil, err
	}
	return f, nil
}

func setCell(v *value.Vector, n int, s string) error {
	if v.Type == value.String {
		v.S[n] = strings.Clone(valid(s))
		return nil
	}
	if s == "" {
		v.SetNull(n)
		return nil
	}
	x := value.Value{Type: v.Type}
	ok := false
	switch v.Type {
	case value.Bool:
		var b bool
		if b, ok = cellBool(s); b {
			x.I = 1
		}
	case value.Long:
		x.I, ok = value.ParseLong(s)
	case value.Real:
		x.F, ok = value.ParseReal(s)
	case value.Datetime:
		x.I, ok = value.ParseDatetime(s)
	case value.Dynamic:
		e, err := value.ParseJSON(s)
		x.D, ok = e, err == nil
	}
	if !ok {
		return fmt.Errorf("%.40q is no %s: %w", s, v.Type, ErrChanged)
	}
	v.Set(n, x)
	return nil
}
