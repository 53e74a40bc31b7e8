package lake

import (
	"fmt"
	"maps"
	"picket/kql/value"
	"picket/lake/duck"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"
	"unicode/utf8"
)

// Limits of a lake.
const (
	MaxTables      = 10_000
	MaxColumns     = 2_000 // of a table
	MaxNameBytes   = 256   // of a column
	MaxBatchBytes  = 256 << 20
	MaxOpIDBytes   = 512
	MaxMarkBytes   = 64 << 10
	MaxTableLength = 128
)

// catalog is everything that is known about the tables at one version. It is never changed once published; an
// edit copies what it touches.
type catalog struct {
	version  int64
	nextID   int64 // of tables, generations and segments
	journal  int64 // number of the journal table
	tables   map[string]*tableDef
	foldName map[string]string // lower-case name → name
}

// tableDef is one table; its JSON is its row in lake_table (segments have their own rows).
type tableDef struct {
	ID        int64
	Name      string
	Columns   []colDef // in the order they were added; TimeGenerated first
	Retention time.Duration
	Total     time.Duration `json:",omitempty"` // 0 is Retention
	Derived   []*derivedDef `json:",omitempty"` // promotions; shared, not to be changed
	Shun      []string      `json:",omitempty"` // keys of expressions that failed on rows
	Gens      []*genDef     // oldest first
	Segs      []*segment    `json:"-"`
	shown     *shown
}

// shown is the public list of a table's columns, made when first asked for.
type shown struct {
	once sync.Once
	cols []Column
}

type colDef struct {
	Name  string
	Type  value.Type
	Phys  string
	Ticks bool `json:",omitempty"`
}

// genDef is a generation of hot rows: the DuckDB table hot_<ID>. Rows are only ever added, so DuckDB's rowid is
// the place of a row in the order of receipt.
type genDef struct {
	ID       int64
	Columns  []string // physical names after the fixed ones, companions included
	Imported bool     `json:",omitempty"`
	Created  int64    // µs
	live     *genLive
}

// genLive is what changes while rows come in.
type genLive struct {
	closed   atomic.Bool // no more rows; to be sealed
	rows     atomic.Int64
	bytes    atomic.Int64
	received atomic.Int64 // µs of the last row
	bounds   atomic.Pointer[genBounds]
}

type genBounds struct{ rows, min, max int64 }

// segment is one sealed Parquet file.
type segment struct {
	ID         int64
	Day        string
	Path       string // under the lake's folder
	Rows       int64
	Bytes      int64
	Columns    []string // as in genDef
	Derived    []string `json:",omitempty"` // physical names of the promotions that it carries
	Imported   bool     `json:",omitempty"`
	Archived   bool     `json:",omitempty"`
	TMin, TMax int64    // TimeGenerated, µs
	RMin, RMax int64    // _TimeReceived, µs
}

func (g *genDef) table() string { return "hot_" + strconv.FormatInt(g.ID, 10) }

const rowBits = 40 // a generation's number stands above the rowid in _Row

// system columns
const (
	colTime     = "TimeGenerated"
	colTenant   = "TenantId"
	colType     = "Type"
	colResource = "_ResourceId"
)

func emptyCatalog() *catalog {
	return &catalog{tables: map[string]*tableDef{}, foldName: map[string]string{}, nextID: 1, journal: 1}
}

func (c *catalog) table(name string) *tableDef {
	if t := c.tables[name]; t != nil {
		return t
	}
	return c.tables[c.foldName[strings.ToLower(name)]]
}

// edit is a catalog in the making, within the committer's transaction.
type edit struct {
	cat      *catalog
	touched  map[string]bool // tables whose definition changed
	own      map[string]bool // tables already copied
	sql      []string        // statements that make the change, run before the definitions are written
	newSegs  []tableSeg
	oldSegs  []tableSeg
	sameSegs []tableSeg // of which only the definition changes
	after    []func()   // run with Lake.mu held once the edit is committed
	changed  bool
	rotated  bool
	received int64        // raises the received time
	rows     []journalRow // more rows for the journal
}

type tableSeg struct {
	table string
	seg   *segment
}

func (c *catalog) edit() *edit {
	n := &catalog{version: c.version, nextID: c.nextID, journal: c.journal, tables: c.tables, foldName: c.foldName}
	return &edit{cat: n, touched: map[string]bool{}, own: map[string]bool{}}
}

func (e *edit) id() int64 { e.cat.nextID++; return e.cat.nextID - 1 }

func (e *edit) copyMaps() {
	if !e.changed {
		e.changed = true
		e.cat.tables, e.cat.foldName = maps.Clone(e.cat.tables), maps.Clone(e.cat.foldName)
	}
}

// change gives a copy of the table that may be changed.
func (e *edit) change(name string) *tableDef {
	t := e.cat.tables[name]
	if e.own[name] {
		return t
	}
	e.copyMaps()
	n := *t
	n.shown = &shown{}
	n.Columns, n.Gens, n.Segs, n.Derived = slices.Clone(t.Columns), slices.Clone(t.Gens), slices.Clone(t.Segs), slices.Clone(t.Derived)
	e.cat.tables[name] = &n
	e.own[name], e.touched[name] = true, true
	return &n
}

var tableName = regexp.MustCompile(`^[A-Za-z0-9_]+$`)

// ensure gives the table, making it or adding the columns it lacks.
func (e *edit) ensure(name string, s value.Schema) (*tableDef, error) {
	t := e.cat.table(name)
	if t == nil {
		if !tableName.MatchString(name) || len(name) > MaxTableLength {
			return nil, fmt.Errorf("table name %q: use 1 to %d letters, digits and underscores", name, MaxTableLength)
		}
		if len(e.cat.tables) >= MaxTables {
			return nil, fmt.Errorf("table %s: the lake has its limit of %d tables", name, MaxTables)
		}
		e.copyMaps()
		t = &tableDef{ID: e.id(), Name: name, shown: &shown{}, Columns: []colDef{{Name: colTime, Type: value.Datetime, Phys: colTime}}}
		e.cat.tables[name], e.cat.foldName[strings.ToLower(name)] = t, name
		e.own[name], e.touched[name] = true, true
	}
	for _, c := range s {
		if c.Name == colTenant || c.Name == colType {
			continue // constants of the table
		}
		old := t.column(c.Name)
		if old == nil {
			if err := checkColumn(t, c); err != nil {
				return nil, err
			}
			t = e.change(t.Name)
			t.Columns = append(t.Columns, colDef{Name: c.Name, Type: c.Type, Phys: t.physical(c.Name)})
			continue
		}
		if old.Type != c.Type {
			return nil, fmt.Errorf("column %s of table %s is %s, not %s; a column keeps its type", c.Name, t.Name, old.Type, c.Type)
		}
	}
	return t, nil
}

func checkColumn(t *tableDef, c value.Column) error {
	switch {
	case c.Name == "" || len(c.Name) > MaxNameBytes || strings.ContainsRune(c.Name, 0) || !utf8.ValidString(c.Name):
		return fmt.Errorf("column name %q of table %s: use 1 to %d bytes of UTF-8", c.Name, t.Name, MaxNameBytes)
	case Hidden.Index(c.Name) >= 0:
		return fmt.Errorf("column name %s of table %s is reserved", c.Name, t.Name)
	case len(t.Columns) >= MaxColumns:
		return fmt.Errorf("table %s has its limit of %d columns; %s is one too many", t.Name, MaxColumns, c.Name)
	case c.Type == value.Invalid || c.Type >= value.Unknown:
		return fmt.Errorf("column %s of table %s has no storable type (%s)", c.Name, t.Name, c.Type)
	}
	return nil
}

func (t *tableDef) column(name string) *colDef {
	for i := range t.Columns {
		if t.Columns[i].Name == name {
			return &t.Columns[i]
		}
	}
	return nil
}

// physical finds a storage name that no other column has in any case, nor a companion or a hidden column.
func (t *tableDef) physical(name string) string {
	taken := func(n string) bool {
		l := strings.ToLower(n)
		if l == "rowid" || strings.HasSuffix(l, "$t") {
			return true
		}
		for _, s := range []string{colTenant, colType, ColReceived, ColCommit, ColRow, ColImported} {
			if strings.ToLower(s) == l {
				return true
			}
		}
		for i := range t.Columns {
			if strings.ToLower(t.Columns[i].Phys) == l {
				return true
			}
		}
		return slices.ContainsFunc(t.Derived, func(d *derivedDef) bool { return strings.EqualFold(d.Phys, n) })
	}
	p := name
	for k := 2; taken(p); k++ {
		p = name + "__" + strconv.Itoa(k)
	}
	return p
}

// drop takes the table out of the catalog.
func (e *edit) drop(t *tableDef) {
	e.copyMaps()
	delete(e.cat.tables, t.Name)
	delete(e.cat.foldName, strings.ToLower(t.Name))
	delete(e.touched, t.Name)
	for _, g := range t.Gens {
		e.sql = append(e.sql, `DROP TABLE `+g.table())
	}
	e.sql = append(e.sql, fmt.Sprintf(`DELETE FROM lake_table WHERE id = %d`, t.ID))
	for _, s := range t.Segs {
		e.oldSegs = append(e.oldSegs, tableSeg{t.Name, s})
	}
}

// tick notes that a seventh digit occurs in the column.
func (e *edit) tick(table, column string) *tableDef {
	t := e.change(table)
	for i := range t.Columns {
		if t.Columns[i].Name == column {
			t.Columns[i].Ticks = true
		}
	}
	return t
}

// open gives the generation that takes rows with these physical columns, beginning one when needed.
func (e *edit) open(name string, need []string, imported bool, now int64) (*tableDef, *genDef) {
	t := e.cat.tables[name]
	var last *genDef
	for _, g := range t.Gens {
		if g.Imported == imported && !g.live.closed.Load() {
			last = g
		}
	}
	cols := []string{colTime}
	if last != nil {
		cols = slices.Clone(last.Columns)
	}
	have := map[string]bool{}
	for _, c := range cols {
		have[c] = true
	}
	same := last != nil
	for _, c := range need {
		if !have[c] {
			have[c] = true
			cols = append(cols, c)
			same = false
		}
	}
	if same {
		return t, last
	}
	t = e.change(name)
	g := &genDef{ID: e.id(), Columns: cols, Imported: imported, Created: now, live: &genLive{}}
	t.Gens = append(t.Gens, g)
	var b strings.Builder
	fmt.Fprintf(&b, `CREATE TABLE %s("%s" TIMESTAMPTZ, "%s" BIGINT`, g.table(), ColReceived, ColCommit)
	for _, c := range cols {
		b.WriteString(", " + duck.Quote(c) + " " + t.sqlType(c))
	}
	b.WriteString(")")
	e.sql = append(e.sql, b.String())
	return t, g
}

// sqlType is the DuckDB type of a physical column.
func (t *tableDef) sqlType(phys string) string {
	if strings.HasSuffix(phys, "$t") {
		return "TINYINT"
	}
	for i := range t.Columns {
		if t.Columns[i].Phys == phys {
			return sqlType(t.Columns[i].Type)
		}
	}
	switch phys {
	case ColReceived:
		return "TIMESTAMPTZ"
	case ColImported:
		return "BOOLEAN"
	}
	return "BIGINT"
}

func sqlType(t value.Type) string {
	switch t {
	case value.Bool:
		return "BOOLEAN"
	case value.Int:
		return "INTEGER"
	case value.Long, value.Timespan:
		return "BIGINT"
	case value.Real:
		return "DOUBLE"
	case value.Datetime:
		return "TIMESTAMPTZ"
	case value.GUID:
		return "UUID"
	}
	return "VARCHAR"
}

// absent is the typed expression of a column that a source lacks.
func absent(t value.Type) string {
	if t == value.String {
		return "''"
	}
	return "NULL::" + sqlType(t)
}

// describe makes the public form, without counts.
func (t *tableDef) describe(workspace string) Table {
	t.shown.once.Do(func() { t.shown.cols = t.show(workspace) })
	d := Table{Name: t.Name, Retention: t.Retention, TotalRetention: t.total(), Columns: t.shown.cols}
	for _, s := range t.Segs {
		if s.Archived {
			d.ArchivedSegments++
			d.ArchivedRows += s.Rows
			d.ArchivedBytes += s.Bytes
			continue
		}
		d.Segments++
		d.Rows += s.Rows
		d.Bytes += s.Bytes
	}
	for _, g := range t.Gens {
		n := g.live.rows.Load()
		d.HotRows += n
		d.Rows += n
		d.HotBytes += g.live.bytes.Load()
	}
	return d
}

// show lists the columns in the order of Log Analytics: the tenant, the time, the table's own, the type, the resource.
func (t *tableDef) show(workspace string) []Column {
	out := []Column{{Name: colTenant, Type: value.String, Const: workspace}}
	resource := Column{Name: colResource, Type: value.String}
	for _, c := range t.Columns {
		col := Column{Name: c.Name, Type: c.Type, Physical: c.Phys, Ticks: c.Ticks}
		if c.Name == colResource {
			resource = col
			continue
		}
		out = append(out, col)
	}
	return append(out, Column{Name: colType, Type: value.String, Const: t.Name}, resource)
}
