package files

import (
	"context"
	"errors"
	"fmt"
	"os"
	"picket/kql/dialect"
	"picket/kql/exec"
	"picket/kql/plan"
	"picket/kql/value"
	"picket/lake/duck"
	"strconv"
	"strings"
)

// duckCol is a column of Parquet as SQL gives it.
type duckCol struct {
	name  string
	typ   value.Type
	sql   string // the value in the form of kql/dialect's columns
	ticks string // the digits of a nanosecond time below the microsecond
}

func (s *Set) openDuck() error {
	if s.db != nil {
		return nil
	}
	tmp, err := os.MkdirTemp(s.o.TempDir, "picket-query-")
	if err != nil {
		return fmt.Errorf("make a folder for what memory can't hold: %w", err)
	}
	s.tmp = tmp
	s.db, err = duck.Open("", map[string]string{
		"threads": strconv.Itoa(s.o.Threads), "memory_limit": strconv.FormatInt(s.o.MemoryLimit>>20, 10) + "MiB",
		"temp_directory": tmp, "autoinstall_known_extensions": "false", "autoload_known_extensions": "false",
		"preserve_insertion_order": "true",
	})
	return err
}

var describeSchema = value.Schema{
	{Name: "column_name", Type: value.String},
	{Name: "column_type", Type: value.String},
	{Name: "null", Type: value.String},
	{Name: "key", Type: value.String},
	{Name: "default", Type: value.String},
	{Name: "extra", Type: value.String},
}

// openParquet reads the columns of a table's files. Files that give a column different types are refused: joining
// them would round.
func (s *Set) openParquet(ctx context.Context, t *table) error {
	if err := s.openDuck(); err != nil {
		return err
	}
	c, err := s.db.Conn()
	if err != nil {
		return err
	}
	defer c.Close()
	at := map[string]int{}
	by := map[string]string{}
	types := map[string]string{}
	var list []string
	for _, in := range t.inputs {
		list = append(list, quoteText(in.path))
		var cols [][2]string
		err := c.Query(ctx, "DESCRIBE SELECT * FROM read_parquet("+quoteText(escapeGlob(in.path))+")", nil, describeSchema, func(f *value.Frame) error {
			for i := range f.N {
				cols = append(cols, [2]string{f.Vecs[0].S[i], f.Vecs[1].S[i]})
			}
			return nil
		})
		if err != nil {
			return fmt.Errorf("%s: %w", in.path, err)
		}
		for _, d := range cols {
			name, typ := d[0], d[1]
			if old, ok := types[name]; ok && old != typ {
				return fmt.Errorf("column %s is %s in %s and %s in %s: give the files as tables of their own and convert before union", name, old, by[name], typ, in.path)
			} else if ok {
				continue
			}
			if len(t.cols) == MaxColumns {
				return fmt.Errorf("%s: there are more than %d columns", in.path, MaxColumns)
			}
			col, err := parquetColumn(name, typ)
			if err != nil {
				return fmt.Errorf("%s: %w", in.path, err)
			}
			at[name], by[name], types[name] = len(t.cols), in.path, typ
			t.cols = append(t.cols, col)
			t.schema = append(t.schema, value.Column{Name: name, Type: col.typ})
		}
	}
	for i, in := range t.inputs {
		list[i] = quoteText(escapeGlob(in.path))
	}
	t.from = "read_parquet([" + strings.Join(list, ", ") + "], union_by_name=true)"
	return nil
}

// escapeGlob makes a path stand for itself where SQL takes a pattern.
func escapeGlob(path string) string {
	return strings.NewReplacer("*", "[*]", "?", "[?]", "[", "[[]").Replace(path)
}

func quoteText(s string) string { return "'" + strings.ReplaceAll(s, "'", "''") + "'" }
func quoteName(s string) string { return `"` + strings.ReplaceAll(s, `"`, `""`) + `"` }

// parquetColumn says how a column of a DuckDB type is read exactly.
func parquetColumn(name, typ string) (duckCol, error) {
	q := quoteName(name)
	c := duckCol{name: name, sql: q}
	switch {
	case typ == "BOOLEAN":
		c.typ = value.Bool
	case typ == "TINYINT", typ == "SMALLINT", typ == "INTEGER", typ == "UTINYINT", typ == "USMALLINT":
		c.typ, c.sql = value.Int, q+"::INTEGER"
	case typ == "BIGINT", typ == "UINTEGER":
		c.typ, c.sql = value.Long, q+"::BIGINT"
	case typ == "FLOAT", typ == "DOUBLE":
		c.typ, c.sql = value.Real, q+"::DOUBLE"
	case typ == "UBIGINT", typ == "HUGEINT", typ == "UHUGEINT", strings.HasPrefix(typ, "DECIMAL"):
		c.typ, c.sql = value.Decimal, q+"::VARCHAR"
	case typ == "VARCHAR", strings.HasPrefix(typ, "ENUM"):
		c.typ, c.sql = value.String, "coalesce("+q+"::VARCHAR, '')"
	case typ == "BLOB":
		c.typ, c.sql = value.String, "coalesce(base64("+q+"), '')"
	case typ == "DATE":
		c.typ, c.sql = value.Datetime, "make_timestamptz(epoch_us("+q+"::TIMESTAMP))"
	case typ == "TIMESTAMP", typ == "TIMESTAMP_S", typ == "TIMESTAMP_MS", typ == "TIMESTAMP WITH TIME ZONE":
		c.typ, c.sql = value.Datetime, "make_timestamptz(epoch_us("+q+"))"
	case typ == "TIMESTAMP_NS":
		below := "((epoch_ns(" + q + ") % 1000 + 1000) % 1000)" // the microsecond, whatever the sign
		c.typ, c.sql = value.Datetime, "make_timestamptz((epoch_ns("+q+") - "+below+") // 1000)"
		c.ticks = "CAST(" + below + " // 100 AS BIGINT)"
	case typ == "TIME":
		c.typ, c.sql = value.Timespan, "CAST(epoch_us("+q+") * 10 AS BIGINT)"
	case typ == "UUID":
		c.typ = value.GUID
	case typ == "JSON":
		c.typ, c.sql = value.Dynamic, q+"::VARCHAR"
	case strings.HasPrefix(typ, "STRUCT"), strings.HasPrefix(typ, "MAP"), strings.HasSuffix(typ, "]"):
		c.typ, c.sql = value.Dynamic, "CAST(to_json("+q+") AS VARCHAR)"
	default:
		return c, fmt.Errorf("column %s has the type %s, which has no counterpart in KQL", name, typ)
	}
	return c, nil
}

// parquetRelation is what stands after FROM for a scan of Parquet.
func (t *table) parquetRelation(n *plan.Scan) *dialect.Relation {
	rel := &dialect.Relation{}
	var sel []string
	seen := map[string]bool{}
	for _, out := range n.Out {
		i := t.schema.Index(out.Name)
		if i < 0 || seen[out.Name] {
			continue
		}
		seen[out.Name] = true
		c := t.cols[i]
		k := len(rel.Columns)
		col := dialect.Column{Name: c.name, Physical: fmt.Sprintf("c%d", k)}
		sel = append(sel, c.sql+" AS "+col.Physical)
		if c.ticks != "" {
			col.Ticks = col.Physical + "$t"
			sel = append(sel, c.ticks+" AS "+quoteName(col.Ticks))
		}
		rel.Columns = append(rel.Columns, col)
	}
	if len(sel) == 0 {
		sel = []string{"1 AS one"}
	}
	rel.SQL = "(SELECT " + strings.Join(sel, ", ") + " FROM " + t.from + ")"
	return rel
}

// scanParquet streams the wanted columns of a table of Parquet.
func (s *Set) scanParquet(ctx context.Context, t *table, n *plan.Scan) exec.Frames {
	return func(yield func(*value.Frame, error) bool) {
		rel := t.parquetRelation(n)
		if len(n.Out) == 0 { // only the number of rows is wanted
			s.stream(ctx, "SELECT count(*) AS n FROM "+t.from, value.Schema{{Name: "n", Type: value.Long}}, func(f *value.Frame, err error) bool {
				if err != nil {
					return yield(nil, err)
				}
				const most = 1 << 16
				for left := f.Vecs[0].I[0]; left > 0; left -= most {
					if !yield(&value.Frame{N: int(min(left, most))}, nil) {
						return false
					}
				}
				return true
			})
			return
		}
		schema := make(value.Schema, len(n.Out))
		var sel []string
		for i, out := range n.Out {
			schema[i] = value.Column{Name: out.Name, Type: out.Type}
			for _, c := range rel.Columns {
				if c.Name == out.Name {
					sel = append(sel, c.Physical)
					if c.Ticks != "" {
						sel = append(sel, quoteName(c.Ticks))
					}
				}
			}
		}
		s.stream(ctx, "SELECT "+strings.Join(sel, ", ")+" FROM "+rel.SQL, schema, yield)
	}
}

// stream runs SQL on a connection of its own.
func (s *Set) stream(ctx context.Context, sql string, schema value.Schema, yield func(*value.Frame, error) bool) {
	c, err := s.db.Conn()
	if err != nil {
		yield(nil, err)
		return
	}
	defer c.Close()
	errStop := errors.New("the reader has enough")
	err = c.Query(ctx, sql, nil, schema, func(f *value.Frame) error {
		if f.N > 0 && !yield(f, nil) {
			return errStop
		}
		return nil
	})
	if err != nil && !errors.Is(err, errStop) {
		yield(nil, err)
	}
}
