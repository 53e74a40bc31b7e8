package connector

import (
	"context"
	"encoding/json"
	"fmt"
	"picket/kql/value"
	"picket/lake"
	"picket/playbook"
	"picket/playbook/expr"
	"regexp"
	"strings"
	"time"
)

// Rows stores rows of a table, by column; opID is the same when the call is repeated (ingest.Ingest.Rows).
type Rows func(ctx context.Context, table string, columns value.Schema, rows []map[string]any, opID string) (lake.Ack, error)

// indicatorColumns and objectColumns are what picket fills of the two tables of threat indicators.
var indicatorColumns = value.Schema{
	{Name: "TimeGenerated", Type: value.Datetime},
	{Name: "SourceSystem", Type: value.String},
	{Name: "Action", Type: value.String},
	{Name: "Active", Type: value.Bool},
	{Name: "AdditionalInformation", Type: value.String},
	{Name: "ConfidenceScore", Type: value.Real},
	{Name: "Description", Type: value.String},
	{Name: "DomainName", Type: value.String},
	{Name: "EmailSenderAddress", Type: value.String},
	{Name: "ExpirationDateTime", Type: value.Datetime},
	{Name: "ExternalIndicatorId", Type: value.String},
	{Name: "FileHashType", Type: value.String},
	{Name: "FileHashValue", Type: value.String},
	{Name: "FileName", Type: value.String},
	{Name: "IndicatorId", Type: value.String},
	{Name: "IndicatorProvider", Type: value.String},
	{Name: "MalwareNames", Type: value.String},
	{Name: "NetworkIP", Type: value.String},
	{Name: "NetworkCidrBlock", Type: value.String},
	{Name: "Tags", Type: value.String},
	{Name: "ThreatType", Type: value.String},
	{Name: "TrafficLightProtocolLevel", Type: value.String},
	{Name: "Url", Type: value.String},
	{Name: "Type", Type: value.String},
}

var objectColumns = value.Schema{
	{Name: "TimeGenerated", Type: value.Datetime},
	{Name: "SourceSystem", Type: value.String},
	{Name: "Confidence", Type: value.Int},
	{Name: "Created", Type: value.Datetime},
	{Name: "Modified", Type: value.Datetime},
	{Name: "Data", Type: value.Dynamic},
	{Name: "Id", Type: value.String},
	{Name: "IsActive", Type: value.Bool},
	{Name: "IsDeleted", Type: value.Bool},
	{Name: "LastUpdateMethod", Type: value.String},
	{Name: "ObservableKey", Type: value.String},
	{Name: "ObservableValue", Type: value.String},
	{Name: "Pattern", Type: value.String},
	{Name: "Revoked", Type: value.Bool},
	{Name: "Tags", Type: value.String},
	{Name: "ValidFrom", Type: value.Datetime},
	{Name: "ValidUntil", Type: value.Datetime},
	{Name: "WorkspaceId", Type: value.String},
	{Name: "Type", Type: value.String},
}

const maxIndicators = 100 // of one upload, the service's limit

// observable is one comparison of a STIX pattern, such as ipv4-addr:value = '203.0.113.9'.
var observable = regexp.MustCompile(`([a-z0-9-]+):([A-Za-z0-9_.'"-]+)\s*=\s*'((?:[^'\\]|\\.)*)'`)

// uploadIndicators serves "Threat Intelligence - Upload Indicators": STIX indicators become rows of
// ThreatIntelIndicators and of ThreatIntelligenceIndicator.
func (c *sentinel) uploadIndicators(ctx context.Context, r *playbook.Request, body *expr.Object) (*playbook.Response, error) {
	if c.s.Rows == nil {
		return problem(501, "NotImplemented", "This picket doesn't take threat indicators from playbooks."), nil
	}
	list, _ := body.Value("indicators").([]any)
	if list == nil {
		list, _ = body.Value("value").([]any)
	}
	if len(list) > maxIndicators {
		return problem(400, "BadRequest", fmt.Sprintf("The upload has %d indicators; it may have %d.", len(list), maxIndicators)), nil
	}
	source := expr.Text(body.Value("sourcesystem"))
	if source == "" {
		return problem(400, "BadRequest", "The upload has no 'sourcesystem'."), nil
	}
	now := time.Now().UTC()
	errs := []any{}
	var old, objects []map[string]any
	for i, x := range list {
		o, ok := x.(*expr.Object)
		why := ""
		pattern, id := expr.Text(o.Value("pattern")), expr.Text(o.Value("id"))
		seen := observable.FindAllStringSubmatch(pattern, -1)
		switch {
		case !ok || !strings.EqualFold(expr.Text(o.Value("type")), "indicator"):
			why = "the object is not an indicator"
		case id == "":
			why = "'id' is missing"
		case len(seen) == 0:
			why = "'pattern' has no comparison that picket reads, such as [ipv4-addr:value = '…']"
		}
		if why != "" {
			errs = append(errs, expr.NewObject("recordIndex", int64(i), "errorMessages", []any{why}))
			continue
		}
		for _, m := range seen {
			a, b := indicatorRows(o, source, c.s.Workspace.ID, m, now)
			old, objects = append(old, a), append(objects, b)
		}
	}
	for _, t := range []struct {
		name    string
		columns value.Schema
		rows    []map[string]any
	}{{"ThreatIntelIndicators", objectColumns, objects}, {"ThreatIntelligenceIndicator", indicatorColumns, old}} {
		if len(t.rows) == 0 {
			continue
		}
		if _, err := c.s.Rows(ctx, t.name, t.columns, t.rows, r.ActionRunID+" "+t.name); err != nil {
			return nil, fmt.Errorf("store indicators: %w", err)
		}
	}
	return found(expr.NewObject("errors", errs)), nil
}

// indicatorRows makes the two rows of one comparison of an indicator's pattern.
func indicatorRows(o *expr.Object, source, workspace string, m []string, now time.Time) (old, object map[string]any) {
	text := func(n string) string { return expr.Text(o.Value(n)) }
	when := func(row map[string]any, column, n string) time.Time {
		t, err := time.Parse(time.RFC3339Nano, text(n))
		if err == nil {
			row[column] = t.UTC()
		}
		return t
	}
	val := strings.NewReplacer(`\'`, `'`, `\\`, `\`).Replace(m[3])
	tags := "[]"
	if l, ok := o.Value("labels").([]any); ok {
		tags = expr.JSON(l)
	}
	kind := ""
	if l, ok := o.Value("indicator_types").([]any); ok && len(l) > 0 {
		kind = expr.Text(l[0])
	}
	old = map[string]any{
		"TimeGenerated": now, "Type": "ThreatIntelligenceIndicator", "SourceSystem": source, "Action": "alert", "Description": text("description"), "ExternalIndicatorId": text("id"), "IndicatorId": text("id"),
		"IndicatorProvider": source, "Tags": tags, "ThreatType": kind, "AdditionalInformation": text("name"),
	}
	object = map[string]any{
		"TimeGenerated": now, "Type": "ThreatIntelIndicators", "SourceSystem": source, "Data": json.RawMessage(expr.JSON(o)), "Id": text("id"), "IsDeleted": false, "LastUpdateMethod": "UploadApi",
		"ObservableKey": m[1] + ":" + m[2], "ObservableValue": val, "Pattern": text("pattern"), "Revoked": o.Value("revoked") == true, "Tags": tags, "WorkspaceId": workspace,
	}
	until := when(old, "ExpirationDateTime", "valid_until")
	for c, n := range map[string]string{"Created": "created", "Modified": "modified", "ValidFrom": "valid_from", "ValidUntil": "valid_until"} {
		when(object, c, n)
	}
	active := o.Value("revoked") != true && (until.IsZero() || until.After(now))
	old["Active"], object["IsActive"] = active, active
	if n, err := expr.CallBuiltin("int", o.Value("confidence")); err == nil {
		if c, ok := n.(int64); ok {
			old["ConfidenceScore"], object["Confidence"] = float64(c), c
		}
	}
	switch m[1] {
	case "ipv4-addr", "ipv6-addr", "network-traffic":
		if strings.Contains(val, "/") {
			old["NetworkCidrBlock"] = val
		} else {
			old["NetworkIP"] = val
		}
	case "domain-name":
		old["DomainName"] = val
	case "url":
		old["Url"] = val
	case "email-addr", "email-message":
		old["EmailSenderAddress"] = val
	case "file":
		if h, ok := strings.CutPrefix(m[2], "hashes."); ok {
			old["FileHashType"], old["FileHashValue"] = strings.ReplaceAll(strings.Trim(h, `'"`), "-", ""), val
		} else {
			old["FileName"] = val
		}
	}
	return old, object
}
