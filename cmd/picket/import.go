package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"net/http"
	"net/url"
	"path/filepath"
	"picket/files"
	"picket/ingest"
	"picket/kql/value"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"time"
	"unicode/utf8"

	"github.com/google/uuid"
	"github.com/spf13/cobra"
)

const (
	importPath   = "/api/v1/import"
	partBytes    = 4 << 20 // after which a part of a file is sent
	partRows     = 20_000
	importTries  = 8 // of one part
	importSends  = 2 // parts under way at once
	timeOfRow    = "__time_of_row"
	notInService = "_CF" // what the service puts behind the names of columns of one's own
)

type importFlags struct {
	table, timeColumn, format string
	live, again               bool
}

func importCommand(t *target) *cobra.Command {
	var o importFlags
	c := &cobra.Command{
		Use: "import FILE…", Short: "Store the rows of files in a table", Args: argsBetween(1, 0, "files"),
		Long: `Stores the rows of files (NDJSON, JSON arrays and objects, CSV, TSV, Parquet; plain or compressed by gzip or zstd) in a
table of the server, or of a data folder that no server holds.

Types of new columns are those of all rows of a file. Rows that can't be read, and rows with fields that their columns
don't take, go to Quarantine_CL with file and line. The rows are history, which rules pass over, unless --live.

An import that was cut short is started again with the same command: what is stored already is not stored twice, for 14
days. The exit code is 0 only when every row is stored whole.`,
		Example: `  picket import signins.ndjson.gz --table SigninLogs
  picket import fw-*.csv --table Firewall_CL --time-column "Event Time"`,
		RunE: func(c *cobra.Command, a []string) error {
			return t.with(c.Context(), func(cl *client) error {
				var all []importSummary
				var errs []error
				for _, path := range a {
					sum, err := o.file(c.Context(), cl, path)
					if err != nil {
						errs = append(errs, fmt.Errorf("%s: %w", path, err))
					}
					if sum.File != "" {
						all = append(all, sum)
						if !t.json {
							fmt.Fprintln(c.OutOrStdout(), sum)
						}
					}
					if c.Context().Err() != nil {
						break
					}
				}
				if t.json {
					errs = append(errs, printJSON(c.OutOrStdout(), all))
				}
				bad := 0
				for _, s := range all {
					bad += s.Quarantined
				}
				if err := errors.Join(errs...); err != nil || bad == 0 {
					return err
				}
				return &exitError{exitFailure, fmt.Errorf("%d rows are in %s: picket query '%s | where Source == \"import\"'", bad, ingest.QuarantineTable, ingest.QuarantineTable)}
			})
		},
	}
	fl := c.Flags()
	fl.StringVar(&o.table, "table", "", "the table; without it the file's name with _CL, or the standard table of that name")
	fl.StringVar(&o.timeColumn, "time-column", "", "the field that is the time of a row, TimeGenerated; ISO 8601, or seconds, milli-, micro- or nanoseconds since 1970")
	fl.StringVar(&o.format, "format", "", "ndjson, json, csv, tsv or parquet, when the file's name and beginning don't say")
	fl.BoolVar(&o.live, "live", false, "the rows are new: let rules see them")
	fl.BoolVar(&o.again, "again", false, "store the rows although they were imported before")
	return c
}

// importSummary says what became of a file.
type importSummary struct {
	File        string  `json:"file"`
	Table       string  `json:"table"`
	Rows        int     `json:"rows"`
	Before      int     `json:"before"` // rows that an earlier run stored
	Quarantined int     `json:"quarantined"`
	Seconds     float64 `json:"seconds"`
	Untimed     bool    `json:"untimed"` // rows have no time of their own
}

func (s importSummary) String() string {
	out := fmt.Sprintf("%s: %d rows into %s in %.1f s", s.File, s.Rows, s.Table, s.Seconds)
	if s.Before > 0 {
		out += fmt.Sprintf(", %d were there", s.Before)
	}
	if s.Quarantined > 0 {
		out += fmt.Sprintf(", %d in %s", s.Quarantined, ingest.QuarantineTable)
	}
	if s.Untimed && s.Rows > 0 {
		out += "; they have the time of the import: name their own with --time-column"
	}
	return out
}

var notName = regexp.MustCompile(`[^A-Za-z0-9_]+`)

// tableFor names the table of a file.
func (o *importFlags) tableFor(path string) string {
	if o.table != "" {
		return o.table
	}
	name, _, _ := strings.Cut(filepath.Base(path), ".")
	name = strings.Trim(notName.ReplaceAllString(name, "_"), "_")
	if name == "" || name[0] >= '0' && name[0] <= '9' {
		name = "t_" + name
	}
	return name[:min(len(name), 60)]
}

// file imports one file: it reads it to learn its columns and its hash, then again to send it in parts.
func (o *importFlags) file(ctx context.Context, cl *client, path string) (sum importSummary, err error) {
	begin := time.Now()
	f, err := openImport(path, o.format)
	if err != nil {
		return sum, err
	}
	var tab ingest.LoadTable
	name := o.tableFor(path)
	ask := func() error { return cl.get(ctx, importPath+"?table="+url.QueryEscape(name), &tab) }
	if err := ask(); err != nil {
		return sum, err
	}
	if o.table == "" && !tab.Standard && !strings.HasSuffix(name, "_CL") {
		name += "_CL"
		if err := ask(); err != nil {
			return sum, err
		}
	}
	bar := newImportBar(filepath.Base(path), f.size)
	f.read = bar.read
	defer bar.clear()
	fields, hash, err := f.survey(ctx)
	if err != nil {
		return sum, err
	}
	p := &importPlan{file: f, table: name, live: o.live, id: "import/" + hash + "/" + name}
	if o.again {
		p.id = "import/" + uuid.NewString()
	}
	if err := p.columns(fields, &tab, o.timeColumn); err != nil {
		return sum, err
	}
	sum = importSummary{File: path, Table: name, Untimed: p.untimed}
	bar.second()
	var again string
	err = p.send(ctx, cl, &sum, &again)
	if err == nil && again != hash {
		err = files.ErrChanged
	}
	sum.Seconds = time.Since(begin).Seconds()
	return sum, err
}

// survey reads a file and gives its columns and its hash.
func (f *importFile) survey(ctx context.Context) (value.Schema, string, error) {
	v := ingest.NewSurvey()
	var hash string
	if f.format == files.Parquet {
		set, err := files.Open(ctx, []files.Spec{{Name: "T", Path: f.path}}, files.Options{Format: files.Parquet})
		if err != nil {
			return nil, "", err
		}
		defer set.Close()
		q, err := set.Compile(ctx, "T", files.Query{})
		if err != nil {
			return nil, "", err
		}
		for _, err := range f.rows(ctx, &hash) {
			if err != nil {
				return nil, "", err
			}
			break // the hash is made before the first row
		}
		return columnsOf(q), hash, nil
	}
	n := 0
	for row, err := range f.rows(ctx, &hash) {
		if err != nil {
			return nil, "", fmt.Errorf("%w; nothing was imported", err)
		}
		if n++; n%1000 == 0 && ctx.Err() != nil {
			return nil, "", ctx.Err()
		}
		switch {
		case row.fault != "":
		case row.cells != nil:
			for i, c := range row.cells {
				if err := v.Cell(f.header[i], c); err != nil {
					return nil, "", err
				}
			}
		default:
			_ = v.Row(row.text) // what is wrong with it is said when it is sent
		}
	}
	return v.Columns(), hash, nil
}

// importPlan is how rows of a file become rows of a table.
type importPlan struct {
	file    *importFile
	table   string
	live    bool
	id      string
	cols    []ingest.LoadColumn
	types   map[string]value.Type // of CSV's columns, by field
	epoch   string                // the field whose number is the time, "" when it is none
	exact   []string              // fields with numbers that JSON readers would round
	untimed bool
}

// columns pairs the file's fields with columns.
func (p *importPlan) columns(fields value.Schema, tab *ingest.LoadTable, timeColumn string) error {
	have := map[string]value.Type{}
	for _, c := range tab.Columns {
		have[c.Name] = c.Type
	}
	if timeColumn != "" && fields.Index(timeColumn) < 0 {
		var names []string
		for _, c := range fields {
			names = append(names, c.Name)
		}
		return &exitError{exitUsage, fmt.Errorf("--time-column %s: the file has no such field with values; it has %s", timeColumn, strings.Join(names, ", "))}
	}
	p.types = map[string]value.Type{}
	p.untimed = timeColumn == "" && fields.Index("TimeGenerated") < 0
	owner := map[string]string{}
	for _, c := range fields {
		name := columnName(c.Name)
		switch {
		case c.Name == timeColumn && timeColumn != "":
			name = "TimeGenerated"
			if c.Type == value.Long || c.Type == value.Real {
				p.epoch = c.Name
				p.cols = append(p.cols, ingest.LoadColumn{Key: timeOfRow, Name: name, Type: value.Datetime})
				p.types[c.Name] = c.Type
				owner[name] = c.Name
				continue
			}
			c.Type = value.Datetime
		case servicesOwn(name):
			if tab.Standard {
				continue // an export of the service: it fills them itself
			}
			name = strings.TrimLeft(name, "_") + notInService
		case name == "TimeGenerated" && timeColumn != "":
			name += notInService
		case tab.Standard && name != "_ResourceId":
			if _, ok := have[name]; !ok && !strings.HasSuffix(name, notInService) {
				name += notInService
			}
		}
		if o, ok := owner[name]; ok {
			return fmt.Errorf("the fields %q and %q would both be the column %s: rename one", o, c.Name, name)
		}
		owner[name] = c.Name
		if t, ok := have[name]; ok {
			c.Type = t
		}
		p.types[c.Name] = c.Type
		if c.Type == value.Decimal {
			p.exact = append(p.exact, c.Name)
		}
		p.cols = append(p.cols, ingest.LoadColumn{Key: c.Name, Name: name, Type: c.Type})
	}
	return nil
}

func servicesOwn(name string) bool {
	return name == "TenantId" || name == "Type" || strings.HasPrefix(name, "_") && name != "_ResourceId"
}

// columnName is a field's name as queries can write it without quotes.
func columnName(field string) string {
	var b strings.Builder
	for _, c := range field {
		if c == '_' || c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' {
			b.WriteRune(c)
		} else {
			b.WriteByte('_')
		}
	}
	s := b.String()
	if s == "" || s[0] >= '0' && s[0] <= '9' {
		s = "c_" + s
	}
	if s[0] == '_' && field[0] != '_' { // no column of the service's
		s = "c" + s
	}
	return s
}

// part is a part of a file that is ready to be sent.
type part struct {
	first int64
	rows  int
	body  []byte
}

// send reads the file again and sends it in parts, whose bounds are the same in every run.
func (p *importPlan) send(ctx context.Context, cl *client, sum *importSummary, hash *string) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	parts := make(chan part)
	var mu sync.Mutex
	var wg sync.WaitGroup
	for range importSends {
		wg.Go(func() {
			for x := range parts {
				if ctx.Err() != nil {
					continue
				}
				res, err := p.post(ctx, cl, x)
				if err != nil {
					cancel(err)
					continue
				}
				mu.Lock()
				sum.Quarantined += res.Quarantined
				if res.Repeated {
					sum.Before += x.rows
				} else {
					sum.Rows += res.Rows
				}
				mu.Unlock()
			}
		})
	}
	err := p.cut(ctx, hash, func(x part) bool {
		select {
		case parts <- x:
			return true
		case <-ctx.Done():
			return false
		}
	})
	close(parts)
	wg.Wait()
	if cause := context.Cause(ctx); cause != nil {
		return cause
	}
	return err
}

func (p *importPlan) cut(ctx context.Context, hash *string, emit func(part) bool) error {
	var x part
	fresh := func() { x = part{body: make([]byte, 0, partBytes+partBytes/4)} }
	fresh()
	lines, size, head := 0, 0, 0
	for _, h := range p.file.header {
		head += len(h) + 6
	}
	for row, err := range p.file.rows(ctx, hash) {
		if err != nil {
			return err
		}
		if lines++; x.first == 0 {
			x.first = row.place
		}
		// The bounds of a part depend on nothing but the file, so that any run finds the same parts.
		size += len(row.text) + 16
		for _, c := range row.cells {
			size += len(c)
		}
		if row.cells != nil {
			size += head
		}
		x.body = strconv.AppendInt(x.body, row.place, 10)
		x.body = append(x.body, '\t')
		if x.body, err = p.line(x.body, &row); err != nil {
			return err
		}
		if row.fault == "" {
			x.rows++
		}
		x.body = append(x.body, '\n')
		if size >= partBytes || lines >= partRows {
			if !emit(x) {
				return nil
			}
			lines, size = 0, 0
			fresh()
		}
	}
	if lines > 0 {
		emit(x)
	}
	return nil
}

// line writes a row behind its place.
func (p *importPlan) line(b []byte, row *importRow) ([]byte, error) {
	if row.fault == "" && row.cells == nil && bytes.IndexByte(row.text, '\n') >= 0 {
		row.fault = "BUG: the row has a line end within"
	}
	if row.fault == "" && (len(row.text) == 0 && row.cells == nil || row.cells == nil && row.text[0] != '{') {
		row.fault = "the row is no JSON object"
	}
	if row.fault != "" {
		b = append(b, '!')
		b = value.AppendJSONString(b, row.fault)
		b = append(b, '\t')
		return value.AppendJSONString(b, strings.ToValidUTF8(string(row.text[:min(len(row.text), 64<<10)]), string(utf8.RuneError))), nil
	}
	if row.cells != nil {
		b = append(b, '{')
		n := 0
		add := func(key string, f func()) {
			if n++; n > 1 {
				b = append(b, ',')
			}
			b = value.AppendJSONString(b, key)
			b = append(b, ':')
			f()
		}
		for i, c := range row.cells {
			key := p.file.header[i]
			t, ok := p.types[key]
			if !ok {
				continue
			}
			if key == p.epoch {
				if at, ok := epochText(c); ok {
					add(timeOfRow, func() { b = value.AppendJSONString(b, at) })
				}
			}
			add(key, func() { b = ingest.CellJSON(b, strings.ToValidUTF8(c, string(utf8.RuneError)), t) })
		}
		return append(b, '}'), nil
	}
	if p.epoch == "" && p.exact == nil {
		return append(b, row.text...), nil
	}
	var at map[string]json.RawMessage
	if json.Unmarshal(row.text, &at) != nil {
		return append(b, row.text...), nil // the server says what is wrong with it
	}
	if s, ok := epochText(string(at[p.epoch])); ok && p.epoch != "" {
		at[timeOfRow] = value.AppendJSONString(nil, s)
	}
	for _, k := range p.exact {
		if d := at[k]; len(d) > 0 && (d[0] == '-' || '0' <= d[0] && d[0] <= '9') {
			at[k] = value.AppendJSONString(nil, string(d))
		}
	}
	t, err := json.Marshal(at)
	return append(b, t...), err
}

// epochText turns seconds, milli-, micro- or nanoseconds since 1970 into an ISO time; which of them a number is, its
// size says: the years 1973 to 5138 in seconds begin where those in milliseconds end.
func epochText(s string) (string, bool) {
	if n, err := strconv.ParseInt(s, 10, 64); err == nil {
		switch a := max(n, -n); {
		case a < 1e11:
			return time.Unix(n, 0).UTC().Format(time.RFC3339Nano), true
		case a < 1e14:
			return time.UnixMilli(n).UTC().Format(time.RFC3339Nano), true
		case a < 1e17:
			return time.UnixMicro(n).UTC().Format(time.RFC3339Nano), true
		}
		return time.Unix(0, n).UTC().Format(time.RFC3339Nano), true
	}
	f, err := strconv.ParseFloat(s, 64)
	if err != nil || math.Abs(f) >= 1e11 {
		return "", false
	}
	sec, frac := math.Modf(f)
	return time.Unix(int64(sec), int64(math.Round(frac*1e6))*1000).UTC().Format(time.RFC3339Nano), true
}

// post sends a part until it is stored. A lost answer does no harm: the part has its id.
func (p *importPlan) post(ctx context.Context, cl *client, x part) (res ingest.LoadResult, err error) {
	req := ingest.LoadRequest{Table: p.table, Columns: p.cols, File: filepath.Base(p.file.path), OpID: fmt.Sprintf("%s/%d", p.id, x.first), Live: p.live}
	head, err := req.Head()
	if err != nil {
		return res, err
	}
	body := append(head, x.body...)
	wait := time.Second
	for try := 1; ; try++ {
		again, err := p.once(ctx, cl, body, &res)
		if err == nil || !again || try == importTries {
			return res, err
		}
		select {
		case <-time.After(wait):
		case <-ctx.Done():
			return res, context.Cause(ctx)
		}
		wait = min(2*wait, 30*time.Second)
	}
}

// once sends a part; again says that it is worth another try.
func (p *importPlan) once(ctx context.Context, cl *client, body []byte, res *ingest.LoadResult) (again bool, err error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, cl.base+importPath, bytes.NewReader(body))
	if err != nil {
		return false, err
	}
	req.Header.Set("Content-Type", ingest.LoadType)
	req.Header.Set("User-Agent", "picket-import")
	if cl.token != "" {
		req.Header.Set("Authorization", "Bearer "+cl.token)
	}
	r, err := cl.http.Do(req)
	if err != nil {
		return ctx.Err() == nil, fmt.Errorf("talk to the server: %w%s", err, mend(err))
	}
	defer r.Body.Close()
	b, err := io.ReadAll(r.Body)
	if err != nil {
		return ctx.Err() == nil, fmt.Errorf("read the server's answer: %w", err)
	}
	if r.StatusCode != http.StatusOK {
		return r.StatusCode == 429 || r.StatusCode >= 500, answerError(r.StatusCode, b)
	}
	return false, json.Unmarshal(b, res)
}

// importBar draws how far the two readings of a file are, when somebody watches.
type importBar struct {
	mu          sync.Mutex
	to          io.Writer
	what        string
	size, done  int64
	begun, last time.Time
}

func newImportBar(what string, size int64) *importBar {
	return &importBar{to: watcher(), what: clean(what), size: 2 * size, begun: time.Now()}
}

// second says that the first reading is over.
func (b *importBar) second() {
	b.mu.Lock()
	b.done = b.size / 2
	b.mu.Unlock()
}

func (b *importBar) read(n int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.done += int64(n)
	now := time.Now()
	if b.to == nil || b.size == 0 || now.Sub(b.begun) < 500*time.Millisecond || now.Sub(b.last) < 100*time.Millisecond {
		return
	}
	b.last = now
	const width = 30
	k := int(min(b.done, b.size) * width / b.size)
	phase := "reading"
	if b.done > b.size/2 {
		phase = "storing"
	}
	fmt.Fprintf(b.to, "\r\x1b[K%s %s [%s%s] %3d%%", phase, b.what, strings.Repeat("=", k), strings.Repeat(" ", width-k), min(b.done, b.size)*100/b.size)
}

func (b *importBar) clear() {
	if b.to != nil {
		fmt.Fprint(b.to, "\r\x1b[K")
	}
}
