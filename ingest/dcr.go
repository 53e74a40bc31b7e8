package ingest

import (
	"context"
	"encoding/json"
	"fmt"
	"picket/kql"
	"picket/kql/bind"
	"picket/kql/value"
	"regexp"
	"strings"
	"time"
)

// Rule is a data collection rule, taken apart: which streams it takes, and what becomes of their records.
type Rule struct {
	Streams map[string]value.Schema // declared streams by name
	Flows   []Flow
}

// Flow sends records of streams through a query into a table.
type Flow struct {
	Streams   []string
	Transform string // KQL over the virtual table source; "" or "source" takes records as they are
	Table     string
}

// Limits of a rule (the service's).
const (
	maxStreams   = 20
	maxFlows     = 10
	maxStreamCol = 500
	maxTransform = 15_360 // characters
)

var tableForm = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]{0,62}$`)

// streamTypes are the column types that a stream may declare, by their names in rules.
var streamTypes = map[string]value.Type{
	"string": value.String, "int": value.Int, "long": value.Long, "real": value.Real, "boolean": value.Bool, "bool": value.Bool, "dynamic": value.Dynamic,
	"datetime": value.Datetime, "guid": value.GUID, "timespan": value.Timespan, "decimal": value.Decimal,
}

type ruleBody struct {
	StreamDeclarations map[string]struct {
		Columns []struct {
			Name string `json:"name"`
			Type string `json:"type"`
		} `json:"columns"`
	} `json:"streamDeclarations"`
	Destinations struct {
		LogAnalytics []struct {
			Name                string `json:"name"`
			WorkspaceResourceID string `json:"workspaceResourceId"`
			WorkspaceID         string `json:"workspaceId"`
		} `json:"logAnalytics"`
	} `json:"destinations"`
	DataFlows []struct {
		Streams      []string `json:"streams"`
		Destinations []string `json:"destinations"`
		TransformKQL string   `json:"transformKql"`
		OutputStream string   `json:"outputStream"`
	} `json:"dataFlows"`
}

// ParseRule reads the properties of a data collection rule and compiles its transformations. The error is an
// *[Error] that names what is wrong.
func (in *Ingest) ParseRule(ctx context.Context, properties []byte) (*Rule, error) {
	bad := func(code, f string, a ...any) (*Rule, error) {
		return nil, &Error{Code: code, Status: 400, Message: fmt.Sprintf(f, a...)}
	}
	var b ruleBody
	if err := json.Unmarshal(properties, &b); err != nil {
		return bad("InvalidPayload", "the data collection rule is not what the service takes: %v", err)
	}
	r := &Rule{Streams: map[string]value.Schema{}}
	if len(b.StreamDeclarations) > maxStreams || len(b.DataFlows) > maxFlows {
		return bad("InvalidPayload", "a rule has at most %d stream declarations and %d data flows", maxStreams, maxFlows)
	}
	for name, d := range b.StreamDeclarations {
		if !strings.HasPrefix(name, "Custom-") {
			return bad("InvalidStream", "the declared stream %q does not begin with Custom-", name)
		}
		if len(d.Columns) == 0 || len(d.Columns) > maxStreamCol {
			return bad("InvalidStream", "the stream %s declares %d columns; give 1 to %d", name, len(d.Columns), maxStreamCol)
		}
		var s value.Schema
		for _, c := range d.Columns {
			t, ok := streamTypes[strings.ToLower(c.Type)]
			if !ok || c.Name == "" || len(c.Name) > 256 {
				return bad("InvalidStream", "the stream %s declares the column %q of the type %q; types are string, int, long, real, boolean, dynamic, datetime and guid", name, c.Name, c.Type)
			}
			if s.Index(c.Name) >= 0 {
				return bad("InvalidStream", "the stream %s declares the column %s twice", name, c.Name)
			}
			s = append(s, value.Column{Name: c.Name, Type: t})
		}
		r.Streams[name] = s
	}
	for i, f := range b.DataFlows {
		if len(f.Streams) == 0 {
			return bad("InvalidPayload", "data flow %d has no streams", i+1)
		}
		out := f.OutputStream
		if out == "" {
			if len(f.Streams) != 1 {
				return bad("InvalidOutputTable", "data flow %d has several streams and no outputStream", i+1)
			}
			out = f.Streams[0]
		}
		table, std := strings.CutPrefix(out, "Microsoft-")
		if !std {
			var custom bool
			if table, custom = strings.CutPrefix(out, "Custom-"); !custom {
				return bad("InvalidOutputTable", "the output stream %q of data flow %d begins neither with Custom- nor with Microsoft-", out, i+1)
			}
			if !strings.HasSuffix(table, "_CL") {
				return bad("InvalidOutputTable", "the output stream %q of data flow %d names no custom table: those end in _CL", out, i+1)
			}
		}
		if !tableForm.MatchString(table) {
			return bad("InvalidOutputTable", "the output stream %q of data flow %d names no table", out, i+1)
		}
		fl := Flow{Streams: f.Streams, Transform: strings.TrimSpace(f.TransformKQL), Table: table}
		if len(fl.Transform) > maxTransform {
			return bad("InvalidTransformQuery", "the transformKql of data flow %d has %d bytes, the limit is %d", i+1, len(fl.Transform), maxTransform)
		}
		for _, s := range f.Streams {
			schema, err := in.streamSchema(ctx, r, s)
			if err != nil {
				return nil, err
			}
			if fl.plain() {
				continue
			}
			a := kql.Answer(ctx, fl.Transform, kql.Input{Schema: bind.Tables{"source": schema}, BindOnly: true})
			if a.Err != nil {
				return bad("InvalidTransformQuery", "the transformKql of data flow %d over stream %s: %v", i+1, s, a.Err)
			}
			if len(a.Tables) != 1 {
				return bad("InvalidTransformQuery", "the transformKql of data flow %d gives %d results; it must give one", i+1, len(a.Tables))
			}
		}
		r.Flows = append(r.Flows, fl)
	}
	return r, nil
}

// plain says that records go to the table as they are.
func (f *Flow) plain() bool { return f.Transform == "" || f.Transform == "source" }

// streamSchema gives the columns of a stream's records: as declared, or those of the standard table that a
// Microsoft- stream names.
func (in *Ingest) streamSchema(ctx context.Context, r *Rule, stream string) (value.Schema, error) {
	if s, ok := r.Streams[stream]; ok {
		return s, nil
	}
	table, std := strings.CutPrefix(stream, "Microsoft-")
	if std {
		if s := in.o.Schemas[table]; s != nil {
			return known(s), nil
		}
		have, err := in.have(ctx, table)
		if err != nil {
			return nil, err
		}
		if len(have) > 0 {
			var s value.Schema
			for _, c := range have {
				s = append(s, value.Column{Name: c.Name, Type: c.Type})
			}
			return known(s), nil
		}
		return nil, &Error{Code: "InvalidStream", Status: 400, Message: fmt.Sprintf("the table %s of the stream %s is not known here: declare its columns in a Custom- stream", table, stream)}
	}
	return nil, &Error{Code: "InvalidStream", Status: 400, Message: fmt.Sprintf("the stream %s is not declared in streamDeclarations", stream)}
}

// now is the instant that now() means in a transformation.
func (in *Ingest) now() time.Time { return in.o.Now() }
