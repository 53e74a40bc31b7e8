package otlp

import (
	"encoding/base64"
	"fmt"
	"picket/kql/value"

	"google.golang.org/protobuf/encoding/protojson"

	logs "go.opentelemetry.io/proto/otlp/logs/v1"
)

// columns builds frames of those columns that the table has.
type columns struct {
	schema value.Schema
	fill   []func(v *value.Vector, i int, res *resource, x *row, scope, version string)
}

// newColumns pairs the columns with what fills them. A column of another type than expected is an error, so that a
// change of the table's facts can't pass unseen.
func newColumns(s value.Schema) (*columns, error) {
	c := &columns{}
	add := func(name string, t value.Type, f func(v *value.Vector, i int, res *resource, x *row, scope, version string)) error {
		at := s.Index(name)
		if at < 0 {
			return fmt.Errorf("otlp: the table %s has no column %s", Table, name)
		}
		if s[at].Type != t {
			return fmt.Errorf("otlp: the column %s of %s is a %s, not a %s", name, Table, s[at].Type, t)
		}
		c.schema = append(c.schema, s[at])
		c.fill = append(c.fill, f)
		return nil
	}
	text := func(name string, f func(res *resource, x *row, scope, version string) string) error {
		return add(name, value.String, func(v *value.Vector, i int, res *resource, x *row, scope, version string) {
			v.S[i] = f(res, x, scope, version)
		})
	}
	number := func(name string, f func(x *row) (int64, bool)) error {
		return add(name, value.Int, func(v *value.Vector, i int, _ *resource, x *row, _, _ string) {
			if n, ok := f(x); ok {
				v.Set(i, value.Of(value.Int, n))
			} else {
				v.SetNull(i)
			}
		})
	}
	bag := func(name string, f func(res *resource, x *row) *value.Bag) error {
		return add(name, value.Dynamic, func(v *value.Vector, i int, res *resource, x *row, _, _ string) {
			if b := f(res, x); b.Len() > 0 {
				v.D[i] = b
			}
		})
	}
	for _, err := range []error{
		add("TimeGenerated", value.Datetime, func(v *value.Vector, i int, _ *resource, x *row, _, _ string) { v.I[i] = x.at }),
		text("Body", func(_ *resource, x *row, _, _ string) string { return x.body }),
		text("SeverityText", func(_ *resource, x *row, _, _ string) string { return x.sevText }),
		number("SeverityNumber", func(x *row) (int64, bool) { return x.sevNum, x.sevNum != 0 }),
		number("SeverityLevel", func(x *row) (int64, bool) { return x.sevLevel, x.sevLevel >= 0 }),
		number("DroppedAttributesCount", func(x *row) (int64, bool) { return min(x.dropped, 1<<31-1), true }),
		number("ItemCount", func(*row) (int64, bool) { return 1, true }),
		text("TraceId", func(_ *resource, x *row, _, _ string) string { return x.trace }),
		text("SpanId", func(_ *resource, x *row, _, _ string) string { return x.span }),
		bag("Attributes", func(_ *resource, x *row) *value.Bag { return x.attrs }),
		bag("ResourceAttributes", func(res *resource, _ *row) *value.Bag { return res.attrs }),
		text("ServiceName", func(res *resource, _ *row, _, _ string) string { return res.service }),
		text("ServiceNamespace", func(res *resource, _ *row, _, _ string) string { return res.namespace }),
		text("ServiceInstanceId", func(res *resource, _ *row, _, _ string) string { return res.instance }),
		text("ServiceVersion", func(res *resource, _ *row, _, _ string) string { return res.version }),
		text("RoleName", func(res *resource, _ *row, _, _ string) string { return res.role }),
		text("DeploymentEnvironmentName", func(res *resource, _ *row, _, _ string) string { return res.environment }),
		text("K8sContainerName", func(res *resource, _ *row, _, _ string) string { return res.k8sContainer }),
		text("K8sNamespaceName", func(res *resource, _ *row, _, _ string) string { return res.k8sNamespace }),
		text("K8sPodName", func(res *resource, _ *row, _, _ string) string { return res.k8sPod }),
		text("ScopeName", func(_ *resource, _ *row, scope, _ string) string { return scope }),
		text("ScopeVersion", func(_ *resource, _ *row, _, version string) string { return version }),
		text("OperationName", func(_ *resource, x *row, _, _ string) string { return x.operation }),
		text("ClientIP", func(_ *resource, x *row, _, _ string) string { return x.client }),
		text("EndUserId", func(_ *resource, x *row, _, _ string) string { return x.endUser }),
		text("UserId", func(_ *resource, x *row, _, _ string) string { return x.user }),
		text("SessionId", func(_ *resource, x *row, _, _ string) string { return x.session }),
		text("_ResourceId", func(res *resource, _ *row, _, _ string) string { return res.id }),
	} {
		if err != nil {
			return nil, err
		}
	}
	return c, nil
}

// builder fills a frame row by row.
type builder struct {
	c    *columns
	vecs []*value.Vector
	n    int
}

func (c *columns) begin(n int) *builder {
	b := &builder{c: c}
	for _, col := range c.schema {
		b.vecs = append(b.vecs, value.New(col.Type, n))
	}
	return b
}

func (b *builder) add(res *resource, x *row, scope, version string) {
	for k, f := range b.c.fill {
		f(b.vecs[k], b.n, res, x, scope, version)
	}
	b.n++
}

func (b *builder) frame() *value.Frame {
	f := &value.Frame{Schema: b.c.schema, N: b.n}
	for _, v := range b.vecs {
		if v.N != b.n {
			v = v.Slice(0, b.n)
		}
		f.Vecs = append(f.Vecs, v)
	}
	return f
}

func base64Text(b []byte) string { return base64.StdEncoding.EncodeToString(b) }

// rejectText is a refused record as people can read it.
func rejectText(r *logs.LogRecord) string {
	b, err := protojson.Marshal(r)
	if err != nil {
		return "the record can't be shown as JSON: " + err.Error()
	}
	return string(b)
}
