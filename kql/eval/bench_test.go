package eval

import (
	"fmt"
	"picket/kql/value"
	"testing"
)

// BenchmarkHot times the functions that queries over logs spend their time in, over 100 000 rows.
func BenchmarkHot(b *testing.B) {
	const n = 100_000
	lines := make([]string, n)
	nums, stamps := make([]int64, n), make([]int64, n)
	for i := range lines {
		lines[i] = fmt.Sprintf("2024-05-%02d Accepted publickey for user%d from 10.%d.%d.7 port %d ssh2: RSA SHA256:%d", i%28+1, i, i%256, i/256%256, i%65536, i)
		nums[i], stamps[i] = int64(i), 638000000000000000+int64(i)*value.TicksPerSecond
	}
	docs := make([]string, n)
	for i := range docs {
		docs[i] = fmt.Sprintf(`{"time":"2024-05-01T00:00:00Z","properties":{"user":"u%d","ip":"10.0.0.%d","ok":true,"n":%d},"tags":["a","b",%d]}`, i, i%256, i, i)
	}
	jsonText := value.StringVector(docs)
	text, long := value.StringVector(lines), value.LongVector(nums)
	when := &value.Vector{Type: value.Datetime, N: n, I: stamps}
	s := func(x string) *value.Vector { return value.ConstOf(value.OfString(x), n) }
	l := func(x int64) *value.Vector { return value.ConstOf(value.OfLong(x), n) }
	for _, k := range []struct {
		name string
		ret  value.Type
		args []*value.Vector
	}{
		{"Has", value.Bool, []*value.Vector{text, s("ssh2")}},
		{"Has", value.Bool, []*value.Vector{text, s("nothing")}},
		{"Contains", value.Bool, []*value.Vector{text, s("SHA256:99")}},
		{"Equal", value.Bool, []*value.Vector{text, s("x")}},
		{"In", value.Bool, []*value.Vector{text, s("x"), s("y")}},
		{"MatchRegex", value.Bool, []*value.Vector{text, s(`user\d+5 from`)}},
		{"extract", value.String, []*value.Vector{s(`from (\S+) port`), l(1), text}},
		{"split", value.Dynamic, []*value.Vector{text, s(" ")}},
		{"parse_json", value.Dynamic, []*value.Vector{jsonText}},
		{"strcat", value.String, []*value.Vector{text, s("-"), long}},
		{"Add", value.Long, []*value.Vector{long, l(1)}},
		{"GreaterThan", value.Bool, []*value.Vector{long, l(5)}},
		{"bin", value.Datetime, []*value.Vector{when, value.ConstOf(value.Of(value.Timespan, value.TicksPerHour), n)}},
		{"tostring", value.String, []*value.Vector{when}},
		{"tolower", value.String, []*value.Vector{text}},
	} {
		f, ok := Lookup(k.name)
		if !ok {
			b.Fatal(k.name)
		}
		b.Run(k.name, func(b *testing.B) {
			for range b.N {
				if _, err := f(testCtx, k.ret, n, k.args); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/n, "ns/row")
		})
	}
}
