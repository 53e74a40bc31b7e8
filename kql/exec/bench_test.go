package exec

import (
	"picket/kql/bind"
	"picket/kql/syntax"
	"testing"
)

// BenchmarkOperators runs typical operators over a million generated rows.
func BenchmarkOperators(b *testing.B) {
	base := "range x from 1 to 1000000 step 1 | extend k = x % 1000, s = strcat('user', tostring(x % 5000)) "
	for name, q := range map[string]string{
		"base":      base + "| consume",
		"filter":    base + "| where k == 7 and s has 'user7' | consume",
		"summarize": base + "| summarize count(), sum(x), dcount(s) by k | consume",
		"text keys": base + "| summarize count() by s | consume",
		"sort":      base + "| sort by k asc, x desc | consume",
		"top":       base + "| top 10 by k | consume",
		"join":      base + "| join kind=inner (range y from 1 to 1000 step 1 | extend k = y) on k | consume",
		"mv-expand": "range x from 1 to 100000 step 1 | extend a = range(1, 10) | mv-expand a to typeof(long) | consume",
		"mv-apply":  "range x from 1 to 20000 step 1 | extend a = range(1, 10) | mv-apply a to typeof(long) on (summarize m = max(a)) | consume",
		"scan":      "range x from 1 to 100000 step 1 | extend k = x % 7 | scan declare (n:long = 0) with (step s: true => n = iff(k == 0, 0, s.n + x);) | consume",
		"series":    base + "| make-series n = count() on x from 1 to 1000000 step 1000 by k | consume",
		"parse":     base + "| parse s with 'us' a 'r' n:long | consume",
		"window":    base + "| serialize | extend p = prev(x), c = row_cumsum(k) | consume",
	} {
		b.Run(name, func(b *testing.B) {
			doc, errs := syntax.Parse(q)
			if len(errs) > 0 {
				b.Fatal(errs)
			}
			p, errs := bind.Bind(doc, q, bind.Tables{}, bind.Options{})
			if len(errs) > 0 {
				b.Fatal(errs)
			}
			for b.Loop() {
				if _, err := Run(b.Context(), p, noTables{}, Options{}); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
