package exec

import (
	"picket/kql/value"
	"sort"
)

// identity gives its input.
func identity(p *pluginRun) (*batch, error) { return p.passed(firstRows(p.in.n)) }

// estimateRowsCount counts the rows; the service estimates, here the number is exact.
func estimateRowsCount(p *pluginRun) (*batch, error) {
	w := p.writer()
	return w.b, w.add(value.OfLong(int64(p.in.n)))
}

// preview gives the first rows of its input.
func preview(p *pluginRun) (*batch, error) {
	var n value.Value
	if err := p.numbers(0, &n); err != nil {
		return nil, err
	}
	return p.passed(firstRows(int(max(0, min(asWhole(n), int64(p.in.n))))))
}

// narrow gives a row for each cell: the number of its row, the name of its column, and its value as text.
func narrow(p *pluginRun) (*batch, error) {
	w := p.writer()
	for i := 0; i < p.in.n; i++ {
		if err := p.x.step(len(p.cols)); err != nil {
			return nil, err
		}
		for c, col := range p.cols {
			if err := w.add(value.OfLong(int64(i)), value.OfString(col.Name), value.OfString(value.Text(p.in.vecs[c], i))); err != nil {
				return nil, err
			}
		}
	}
	return w.b, nil
}

// rowsNear gives the rows within a distance of the rows where the condition holds.
func rowsNear(p *pluginRun) (*batch, error) {
	hit, err := p.column(0)
	if err != nil {
		return nil, err
	}
	var before, after value.Value
	if err := p.numbers(1, &before); err != nil {
		return nil, err
	}
	after = before
	if len(p.n.Args) > 2 {
		if err := p.numbers(2, &after); err != nil {
			return nil, err
		}
	}
	lo, hi := asWhole(before), asWhole(after)
	if lo < 0 || hi < 0 {
		return nil, invalid(p.n.At, "rows_near wants numbers of rows that are not negative")
	}
	var idx []int32
	next := int64(0) // the first row not given yet
	for i := int64(0); i < int64(p.in.n); i++ {
		if hit.IsNull(int(i)) || hit.I[hit.Idx(int(i))] == 0 {
			continue
		}
		for next = max(next, i-lo); next <= i+hi && next < int64(p.in.n); next++ {
			idx = append(idx, int32(next))
		}
	}
	return p.passed(idx)
}

// schemaMerge merges the outputs of several getschema: each column once, at its last place, with dynamic for a name of
// several types.
func schemaMerge(p *pluginRun) (*batch, error) {
	keep := true
	for _, a := range p.n.Args {
		v, err := p.x.constant(a)
		if err != nil {
			return nil, err
		}
		keep = v.I != 0
	}
	at := map[string]int{}
	for i, c := range p.cols {
		at[c.Name] = i
	}
	need := func(name string) (*value.Vector, bool) {
		i, ok := at[name]
		if !ok {
			return nil, false
		}
		return p.in.vecs[i], true
	}
	names, ok1 := need("ColumnName")
	ords, ok2 := need("ColumnOrdinal")
	types, ok3 := need("ColumnType")
	if !ok1 || !ok2 || !ok3 {
		return nil, invalid(p.n.At, "schema_merge wants the output of getschema: ColumnName, ColumnOrdinal, DataType, ColumnType")
	}
	type merged struct {
		name  string
		types []string
		ord   int64
	}
	var cols []*merged
	byName := map[string]*merged{}
	for i := 0; i < p.in.n; i++ {
		n := names.S[names.Idx(i)]
		m := byName[n]
		if m == nil {
			m = &merged{name: n, ord: ords.At(i).I}
			byName[n] = m
			cols = append(cols, m)
		} else if keep && m.ord != ords.At(i).I {
			return nil, invalid(p.n.At, "schema_merge: column %s has another place in another schema; use PreserveOrder = false", n)
		}
		m.ord = max(m.ord, ords.At(i).I)
		t := types.S[types.Idx(i)]
		seen := false
		for _, o := range m.types {
			seen = seen || o == t
		}
		if !seen {
			m.types = append(m.types, t)
		}
	}
	sort.SliceStable(cols, func(i, j int) bool { return cols[i].ord < cols[j].ord })
	w := p.writer()
	for i, m := range cols {
		cells := make([]value.Value, len(p.n.Out))
		for c, col := range p.n.Out {
			t, ok := value.ParseType(m.types[0])
			if len(m.types) > 1 || !ok {
				t = value.Dynamic
			}
			switch col.Name {
			case "ColumnName":
				cells[c] = value.OfString(m.name)
			case "ColumnOrdinal":
				cells[c] = value.Of(col.Type, int64(i))
			case "ColumnType":
				cells[c] = value.OfString(t.String())
			default:
				cells[c] = value.OfString(clrName(t))
			}
		}
		if err := w.add(cells...); err != nil {
			return nil, err
		}
	}
	return w.b, nil
}

// clrName is the DataType that getschema gives for a type.
func clrName(t value.Type) string {
	switch t {
	case value.Bool:
		return "System.SByte"
	case value.Int:
		return "System.Int32"
	case value.Long:
		return "System.Int64"
	case value.Real:
		return "System.Double"
	case value.Decimal:
		return "System.Data.SqlTypes.SqlDecimal"
	case value.String:
		return "System.String"
	case value.Datetime:
		return "System.DateTime"
	case value.Timespan:
		return "System.TimeSpan"
	case value.GUID:
		return "System.Guid"
	}
	return "System.Object"
}
