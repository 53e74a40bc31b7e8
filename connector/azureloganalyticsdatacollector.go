package connector

import (
	"context"
	"errors"
	"fmt"
	"picket/playbook"
	"picket/playbook/expr"
	"regexp"
)

// dataCollector is the "Azure Log Analytics Data Collector" connector: POST /api/logs sends JSON to a custom log
// table. Source: the connector's reference page and the HTTP Data Collector API.
type dataCollector struct {
	collect func(ctx context.Context, logType string, body []byte, timeField, opID string) (int, error)
}

func (*dataCollector) API() string { return "azureloganalyticsdatacollector" }

func (*dataCollector) Operations() []playbook.Operation {
	return []playbook.Operation{{Method: "POST", Path: "/api/logs", Title: "Send data"}}
}

var logTypeName = regexp.MustCompile(`^[A-Za-z0-9_]{1,100}$`)

func (c *dataCollector) Call(ctx context.Context, r *playbook.Request) (*playbook.Response, error) {
	logType := header(r, "Log-Type")
	if !logTypeName.MatchString(logType) {
		return problem(400, "InvalidLogType", fmt.Sprintf("The header 'Log-Type' is %q; it must be 1 to 100 letters, digits and underscores.", logType)), nil
	}
	body := r.Payload()
	if len(body) == 0 {
		return problem(400, "EmptyBody", "The request has no body; it must be a JSON object or an array of objects."), nil
	}
	v, err := expr.ParseJSON(body)
	var bad *expr.JSONError
	if errors.As(err, &bad) {
		return problem(400, "InvalidDataFormat", "The body isn't JSON: "+bad.Msg), nil
	}
	if err != nil {
		return problem(400, "InvalidDataFormat", err.Error()), nil
	}
	switch v.(type) {
	case *expr.Object, []any:
	default:
		return problem(400, "InvalidDataFormat", fmt.Sprintf("The body is a value of type '%s'; it must be a JSON object or an array of objects.", expr.TypeName(v))), nil
	}
	status, err := c.collect(ctx, logType, body, header(r, "time-generated-field"), r.ActionRunID)
	if err != nil && (status == 0 || status >= 500) {
		return nil, fmt.Errorf("send to the table %s_CL: %w", logType, err)
	}
	if err != nil {
		return problem(status, "DataNotAccepted", err.Error()), nil
	}
	return &playbook.Response{Status: status, Headers: map[string]string{}}, nil
}
