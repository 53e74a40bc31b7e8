package query

import (
	"context"
	"fmt"
	"picket/kql/dialect"
	"picket/kql/plan"
	"picket/lake"
	"strings"
	"time"
)

// Explain says how a question would be answered: the parts of the plan that Go runs, those that DuckDB runs with
// their SQL, and what of each table is read. It is text for a person. A question that does not compile fails as in
// [Engine.Run].
func (e *Engine) Explain(ctx context.Context, r Request) (string, error) {
	now, err := e.defaults(&r)
	if err != nil {
		return "", err
	}
	a, err := e.ask(ctx, &r, now, !e.o.NoSQL)
	if err != nil {
		return "", err
	}
	defer a.close()
	if err := a.readRest(); err != nil {
		return "", err
	}
	note := ""
	if e.inexact.has(r.Text) {
		note = "When this query ran last, its data had values that SQL says otherwise than KQL: then Go runs all of it.\n\n"
	}
	return note + a.explain(), nil
}

// read is what one scan takes of its table.
type read struct {
	table   string
	columns []string
	need    lake.Need
	stats   lake.Stats // of this relation alone
	missing bool       // the table has no rows yet
}

// readRest notes the reads of the scans that Go runs.
func (a *asked) readRest() error {
	var err error
	see := func(n plan.Node) bool {
		if s, ok := n.(*plan.Scan); ok && err == nil {
			_, _, err = a.src.relation(s, nil)
		}
		return err == nil
	}
	for _, s := range a.q.Shared {
		plan.Walk(s.Node, see)
	}
	for i := range a.q.Results {
		plan.Walk(a.q.Results[i].Node, see)
	}
	return err
}

func (a *asked) explain() string {
	var frags []dialect.Fragment
	for _, f := range a.src.frags {
		frags = append(frags, *f)
	}
	var b strings.Builder
	b.WriteString(dialect.Explain(a.q, frags))
	if len(a.src.reads) == 0 {
		return b.String()
	}
	b.WriteString("what is read\n")
	for _, r := range a.src.reads {
		b.WriteString("  " + r.String() + "\n")
	}
	return b.String()
}

func (r *read) String() string {
	var b strings.Builder
	b.WriteString(r.table + ": ")
	if r.missing {
		return r.table + ": no rows yet"
	}
	switch len(r.columns) {
	case 0:
		b.WriteString("no column, only the number of rows")
	case 1:
		b.WriteString("column " + r.columns[0])
	default:
		b.WriteString("columns " + strings.Join(r.columns, ", "))
	}
	for i, d := range r.need.Derived {
		if i == 0 {
			b.WriteString("; kept as columns: ")
		} else {
			b.WriteString(", ")
		}
		b.WriteString(d.Key)
	}
	span := func(name string, from, to time.Time) {
		if !from.IsZero() {
			b.WriteString("; " + name + " from " + from.UTC().Format(time.RFC3339Nano))
		}
		if !to.IsZero() {
			b.WriteString("; " + name + " before " + to.UTC().Format(time.RFC3339Nano))
		}
	}
	span(timeColumn, r.need.TimeFrom, r.need.TimeTo)
	span("ingestion_time()", r.need.ReceivedAfter, r.need.ReceivedUntil)
	fmt.Fprintf(&b, "; %d segments with %d rows", r.stats.SegmentsRead, r.stats.Rows)
	if r.stats.SegmentsSaved > 0 {
		fmt.Fprintf(&b, ", %d segments left out by time", r.stats.SegmentsSaved)
	}
	return b.String()
}
