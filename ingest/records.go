package ingest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"picket/kql/value"
	"picket/lake"
)

// RecordsRequest is a body of typed records: an export, fixtures, a declared stream.
type RecordsRequest struct {
	Table    string
	Columns  value.Schema // what a record may have; nil takes the columns of the table, stored or declared
	Body     []byte       // an array of JSON objects, or one object a line, keyed by column
	OpID     string       // applied once, see lake.Batch
	Imported bool         // history that rules pass over
}

// Records stores records whose columns are known. Keys that are no columns are ignored; a value that does not fit
// its column refuses the body with an *[Error] of code InvalidRequestPayload that names row and column.
func (in *Ingest) Records(ctx context.Context, r RecordsRequest) (lake.Ack, error) {
	bad := func(format string, a ...any) (lake.Ack, error) {
		return lake.Ack{}, &Error{Code: "InvalidRequestPayload", Status: 400, Message: fmt.Sprintf(format, a...)}
	}
	body := bytes.TrimLeft(bytes.TrimPrefix(r.Body, []byte("\xef\xbb\xbf")), " \t\r\n")
	if len(body) > 0 && body[0] != '[' && body[0] != '{' {
		return bad("the body is neither an array of JSON objects nor one object a line")
	}
	if err := in.admit(ctx, r.Table); err != nil {
		return lake.Ack{}, err
	}
	have, err := in.have(ctx, r.Table)
	if err != nil {
		return lake.Ack{}, err
	}
	cols := r.Columns
	if cols == nil {
		for _, c := range have {
			cols = append(cols, value.Column{Name: c.Name, Type: c.Type})
		}
		if len(cols) == 0 {
			return bad("table %s has no columns yet; send them with the first records", r.Table)
		}
	}
	if len(body) == 0 {
		return lake.Ack{}, nil
	}
	ack, err := in.o.Lake.Append(ctx, lake.Batch{Table: r.Table, Columns: cols, NDJSON: body, OpID: r.OpID, Imported: r.Imported})
	var de *lake.DataError
	if errors.As(err, &de) {
		return bad("%v", de)
	}
	if err != nil {
		in.full(ctx, r.Table, err)
		return lake.Ack{}, fmt.Errorf("store records of %s: %w", r.Table, err)
	}
	in.stored(ctx, r.Table, ack, ack.Rows, int64(len(body)))
	return ack, nil
}
