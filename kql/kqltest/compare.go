// Package kqltest is the language's test kit: how an answer is compared with an expected one, and the text format of
// test cases (a query and the table it gives) that any engine can run.
//
// It knows no engine: a [Runner] answers queries. Expected tables are texts as a person or the documentation writes
// them, so comparing is lenient about forms (1.0 and 1, blanks in JSON, dates with and without fractions) and strict
// about values.
//
//	cases, err := kqltest.ParseFile("testdata/join.kqltest")
//	for _, c := range cases {
//		if err := kqltest.Check(c, run); err != nil { … }
//	}
package kqltest

import (
	"fmt"
	"math"
	"picket/kql/value"
	"regexp"
	"slices"
	"sort"
	"strconv"
	"strings"
	"time"
)

// Expected is a table of texts; a nil cell is null.
type Expected struct {
	Columns []string    `json:"columns"`
	Rows    [][]*string `json:"rows"`
}

// Verdict is the outcome of a comparison.
type Verdict string

// The outcomes. Pass with Names false means that values agree while column names don't.
const (
	Pass     Verdict = "pass"
	Cols     Verdict = "cols"
	RowCount Verdict = "rowcount"
	Values   Verdict = "values"
)

// Table is an engine's answer.
type Table struct {
	Schema value.Schema
	Rows   [][]value.Value
}

// TableOf boxes frames.
func TableOf(s value.Schema, frames []*value.Frame) Table {
	t := Table{Schema: s}
	for _, f := range frames {
		for i := 0; i < f.N; i++ {
			row := make([]value.Value, len(f.Vecs))
			for c, v := range f.Vecs {
				row[c] = v.At(i)
			}
			t.Rows = append(t.Rows, row)
		}
	}
	return t
}

var (
	sorts     = regexp.MustCompile(`(?i)\|\s*(sort|order|top|top-nested|serialize|range)\b`)
	lastSorts = regexp.MustCompile(`(?i)(sort|order|top)\b[^|]*$`)
)

// Compare says whether got is what the query should give. The order of rows counts only when the query's last operator
// orders them; columns may come in another order when their names are the same.
func Compare(query string, want Expected, got Table) (v Verdict, detail string, names bool) {
	cols := make([]string, len(got.Schema))
	for i, c := range got.Schema {
		cols[i] = c.Name
	}
	names = slices.Equal(cols, want.Columns)
	if len(cols) != len(want.Columns) {
		return Cols, fmt.Sprintf("%v, not %v", cols, want.Columns), names
	}
	rows := got.Rows
	if !names && sameNames(cols, want.Columns) {
		rows = permuted(rows, cols, want.Columns)
	}
	if len(want.Rows) != len(rows) {
		return RowCount, fmt.Sprintf("%d rows, not %d", len(rows), len(want.Rows)), names
	}
	straight := true
	for i, w := range want.Rows {
		if !rowEqual(w, rows[i]) {
			straight = false
			break
		}
	}
	if straight {
		return Pass, "", names
	}
	last := ""
	if i := strings.LastIndexByte(strings.TrimSpace(query), '|'); i >= 0 {
		last = strings.TrimSpace(query)[i+1:]
	}
	if sorts.MatchString(query) && lastSorts.MatchString(last) {
		for i, w := range want.Rows {
			if !rowEqual(w, rows[i]) {
				return Values, fmt.Sprintf("row %d: %s, not %s", i, showRow(rows[i]), showWant(w)), names
			}
		}
	}
	left := slices.Clone(rows)
	for _, w := range want.Rows {
		at := slices.IndexFunc(left, func(r []value.Value) bool { return rowEqual(w, r) })
		if at < 0 {
			have := ""
			for _, r := range left[:min(3, len(left))] {
				have += " " + showRow(r)
			}
			return Values, fmt.Sprintf("no row %s; have%s", showWant(w), have), names
		}
		left = slices.Delete(left, at, at+1)
	}
	return Pass, "", names
}

func sameNames(a, b []string) bool {
	a, b = slices.Clone(a), slices.Clone(b)
	sort.Strings(a)
	sort.Strings(b)
	return slices.Equal(a, b) && len(slices.Compact(slices.Clone(a))) == len(a)
}

func permuted(rows [][]value.Value, cols, want []string) [][]value.Value {
	at := make([]int, len(want))
	for i, n := range want {
		at[i] = slices.Index(cols, n)
	}
	out := make([][]value.Value, len(rows))
	for r, row := range rows {
		out[r] = make([]value.Value, len(at))
		for i, k := range at {
			out[r][i] = row[k]
		}
	}
	return out
}

func showRow(r []value.Value) string {
	parts := make([]string, len(r))
	for i, v := range r {
		parts[i] = string(value.AppendCell(nil, value.ConstOf(v, 1), 0))
	}
	return "[" + strings.Join(parts, ", ") + "]"
}

func showWant(r []*string) string {
	parts := make([]string, len(r))
	for i, s := range r {
		parts[i] = "null"
		if s != nil {
			parts[i] = strconv.Quote(*s)
		}
	}
	return "[" + strings.Join(parts, ", ") + "]"
}

func rowEqual(want []*string, got []value.Value) bool {
	if len(want) != len(got) {
		return false
	}
	for i := range want {
		if !CellEqual(want[i], got[i]) {
			return false
		}
	}
	return true
}

var nullTexts = map[string]bool{"": true, "null": true, "NULL": true, "Null": true, "(null)": true, `""`: true}

// CellEqual says whether a value is what the text means; nil means null.
func CellEqual(want *string, got value.Value) bool {
	if want == nil {
		return got.Null || got.Type == value.Dynamic && got.D == nil
	}
	e := *want
	if got.Null || got.Type == value.Dynamic && got.D == nil {
		return nullTexts[strings.TrimSpace(e)]
	}
	switch got.Type {
	case value.Bool:
		return boolEqual(e, got.I != 0)
	case value.Int, value.Long:
		if strings.TrimSpace(e) == strconv.FormatInt(got.I, 10) {
			return true
		}
		return numberCell(e, float64(got.I), false)
	case value.Real:
		return numberCell(e, got.F, true)
	case value.Decimal:
		f, _ := got.M.Float64()
		return numberCell(e, f, false)
	case value.Datetime:
		w, ok := readDatetime(e)
		return ok && math.Abs(float64(w-got.I)) < tolerance(e)
	case value.Timespan:
		w, ok := readTimespan(e)
		return ok && math.Abs(w-float64(got.I)/1e7) < 1e-3
	case value.Dynamic:
		return dynamicCell(e, got.D)
	}
	return textCell(e, got.Text())
}

func tolerance(e string) float64 {
	if strings.Contains(e, ".") {
		return 1e4 // a millisecond of ticks
	}
	return 1e7
}

func boolEqual(e string, b bool) bool {
	switch strings.ToLower(strings.TrimSpace(e)) {
	case "true", "1":
		return b
	case "false", "0":
		return !b
	}
	return false
}

func numberCell(e string, f float64, isReal bool) bool {
	w, ok := readNumber(e)
	if ok {
		return numberEqual(w, f, e)
	}
	if nullTexts[strings.TrimSpace(e)] {
		return isReal && math.IsNaN(f)
	}
	switch strings.ToLower(strings.TrimSpace(e)) {
	case "true":
		return f == 1
	case "false":
		return f == 0
	}
	return false
}

var (
	thousands = regexp.MustCompile(`^-?\d{1,3}(,\d{3})+(\.\d+)?$`)
	rounded   = regexp.MustCompile(`^-?\d*\.(\d+)$`)
)

func readNumber(s string) (float64, bool) {
	s = strings.TrimSpace(s)
	if thousands.MatchString(s) {
		s = strings.ReplaceAll(s, ",", "")
	}
	switch strings.ToLower(s) {
	case "nan":
		return math.NaN(), true
	case "inf", "infinity", "∞", "+inf":
		return math.Inf(1), true
	case "-inf", "-infinity", "-∞":
		return math.Inf(-1), true
	}
	if strings.ContainsAny(s, "xXpP_") {
		return 0, false
	}
	f, err := strconv.ParseFloat(s, 64)
	return f, err == nil
}

func numberEqual(want, got float64, text string) bool {
	if math.IsNaN(want) || math.IsNaN(got) {
		return math.IsNaN(want) && math.IsNaN(got)
	}
	if want == got {
		return true
	}
	if math.IsInf(want, 0) || math.IsInf(got, 0) {
		return false
	}
	d := math.Abs(want - got)
	if d <= 1e-6*math.Max(math.Abs(want), math.Abs(got)) {
		return true
	}
	if m := rounded.FindStringSubmatch(strings.TrimSpace(text)); m != nil && len(m[1]) >= 2 && d <= 0.51*math.Pow(10, -float64(len(m[1]))) {
		return true
	}
	return d < 1e-12
}

var spanForm = regexp.MustCompile(`^(-)?(?:(\d+)\.)?(\d{1,2}):(\d{2})(?::(\d{2})(?:\.(\d{1,9}))?)?$`)

// readTimespan gives seconds.
func readTimespan(s string) (float64, bool) {
	m := spanForm.FindStringSubmatch(strings.TrimSpace(s))
	if m == nil {
		return 0, false
	}
	n := func(s string) float64 { f, _ := strconv.ParseFloat("0"+s, 64); return f }
	v := n(m[2])*86400 + n(m[3])*3600 + n(m[4])*60 + n(m[5])
	if m[6] != "" {
		f, _ := strconv.ParseFloat("0."+m[6], 64)
		v += f
	}
	if m[1] != "" {
		v = -v
	}
	return v, true
}

var (
	zeroZone = regexp.MustCompile(`\s*\+00:00$`)
	isoForm  = regexp.MustCompile(`^(\d{4})-(\d{2})-(\d{2})(?:[T ](\d{1,2}):(\d{2})(?::(\d{2})(?:\.(\d{1,9}))?)?)?$`)
	layouts  = []string{
		"1/2/2006, 3:04:05.999999999 PM", "1/2/2006, 3:04:05 PM", "1/2/2006 3:04:05 PM", "1/2/2006 15:04:05", "1/2/2006 15:04",
		"1/2/2006", "2/1/2006 15:04", "January 2, 2006", "2006-1-2 3:04:05 PM",
	}
)

// readDatetime gives ticks.
func readDatetime(s string) (int64, bool) {
	s = strings.TrimSpace(strings.TrimRight(strings.TrimSpace(s), "Z"))
	s = zeroZone.ReplaceAllString(s, "")
	if m := isoForm.FindStringSubmatch(s); m != nil {
		n := func(s string) int { i, _ := strconv.Atoi("0" + s); return i }
		frac := int64(0)
		if m[7] != "" {
			frac, _ = strconv.ParseInt((m[7] + "000000000")[:7], 10, 64)
		}
		return value.DatetimeFrom(n(m[1]), n(m[2]), n(m[3]), n(m[4]), n(m[5]), n(m[6]), frac)
	}
	for _, l := range layouts {
		if t, err := time.Parse(l, s); err == nil {
			return value.TicksOf(t)
		}
	}
	return 0, false
}

// readJSON reads JSON, or JSON with single quotes.
func readJSON(s string) (any, bool) {
	if e, err := value.ParseJSON(s); err == nil {
		return e, true
	}
	e, err := value.ParseJSON(strings.ReplaceAll(s, "'", `"`))
	return e, err == nil
}

func blanks(s string) string { return strings.Join(strings.Fields(s), " ") }

func dynamicCell(e string, d any) bool {
	switch x := d.(type) {
	case []any, *value.Bag:
		w, ok := readJSON(e)
		return ok && jsonEqual(w, d)
	case bool:
		return boolEqual(e, x)
	case int64:
		return strings.TrimSpace(e) == strconv.FormatInt(x, 10) || numberCell(e, float64(x), false)
	case float64:
		return numberCell(e, x, true)
	}
	return textCell(e, value.FormatDynamic(d))
}

func textCell(e, s string) bool {
	if s == e || blanks(s) == blanks(e) || strings.Trim(blanks(s), `"`) == strings.Trim(blanks(e), `"`) {
		return true
	}
	if strings.TrimSpace(s) == "" || s == "null" {
		return nullTexts[strings.TrimSpace(e)]
	}
	x, okX := readJSON(e)
	if y, ok := readJSON(s); ok {
		if okX && jsonEqual(x, y) {
			return true
		}
		if t, isText := y.(string); isText && blanks(t) == blanks(e) {
			return true
		}
	}
	if a, ok := readNumber(e); ok {
		if b, ok := readNumber(s); ok {
			return numberEqual(a, b, e)
		}
	}
	if a, ok := readDatetime(e); ok {
		if b, ok := readDatetime(s); ok {
			return math.Abs(float64(a-b)) < 1e4
		}
	}
	if a, ok := readTimespan(e); ok {
		if b, ok := readTimespan(s); ok {
			return math.Abs(a-b) < 1e-3
		}
	}
	l := strings.ToLower(s)
	return l == strings.ToLower(e) && (l == "true" || l == "false")
}

// jsonEqual compares dynamic elements; times and guids of the engine count as their texts.
func jsonEqual(a, b any) bool {
	empty := func(e any) bool { s, ok := e.(string); return e == nil || ok && s == "" }
	if a == nil || b == nil {
		return empty(a) && empty(b)
	}
	text := func(e any) (string, bool) {
		switch x := e.(type) {
		case string:
			return x, true
		case value.DateTime, value.TimeSpan, value.Guid:
			return value.FormatDynamic(x), true
		}
		return "", false
	}
	if p, ok := a.(bool); ok {
		return strings.EqualFold(fmt.Sprint(p), plain(b))
	}
	if p, ok := b.(bool); ok {
		return strings.EqualFold(fmt.Sprint(p), plain(a))
	}
	if x, ok := number(a); ok {
		if y, ok := number(b); ok {
			return numberEqual(x, y, value.FormatDynamic(a))
		}
		if s, ok := text(b); ok { // NaN and infinities are texts in JSON
			y, isNumber := readNumber(s)
			return isNumber && numberEqual(x, y, "")
		}
		return false
	}
	switch x := a.(type) {
	case []any:
		y, ok := b.([]any)
		return ok && slices.EqualFunc(x, y, jsonEqual)
	case *value.Bag:
		y, ok := b.(*value.Bag)
		if !ok || x.Len() != y.Len() {
			return false
		}
		for _, k := range x.Keys() {
			p, _ := x.Get(k)
			q, has := y.Get(k)
			if !has || !jsonEqual(p, q) {
				return false
			}
		}
		return true
	}
	s, ok1 := text(a)
	t, ok2 := text(b)
	if !ok1 || !ok2 {
		if y, ok := number(b); ok && ok1 {
			x, isNumber := readNumber(s)
			return isNumber && numberEqual(x, y, "")
		}
		return plain(a) == plain(b)
	}
	if s == t {
		return true
	}
	if x, ok := readDatetime(s); ok {
		if y, ok := readDatetime(t); ok {
			return math.Abs(float64(x-y)) < 100
		}
	}
	x, ok1 := readTimespan(s)
	y, ok2 := readTimespan(t)
	return ok1 && ok2 && math.Abs(x-y) < 1e-6
}

func plain(e any) string { return value.FormatDynamic(e) }

func number(e any) (float64, bool) {
	switch x := e.(type) {
	case int64:
		return float64(x), true
	case float64:
		return x, true
	case fmt.Stringer: // decimal
		if _, isBag := e.(*value.Bag); !isBag {
			f, err := strconv.ParseFloat(x.String(), 64)
			return f, err == nil
		}
	}
	return 0, false
}
