package detect

import (
	"encoding/json"
	"picket/kql/value"
	"picket/query"
	"strconv"
	"time"
)

func itoa(n int) string { return strconv.Itoa(n) }

// rowSet is a rule's result as rows of boxed cells.
type rowSet struct {
	schema value.Schema
	cells  [][]value.Value
}

func newRowSet(t *query.Table) *rowSet {
	rs := &rowSet{schema: t.Schema}
	for _, f := range t.Frames {
		for i := 0; i < f.N; i++ {
			row := make([]value.Value, len(f.Vecs))
			for c, v := range f.Vecs {
				row[c] = v.At(i)
			}
			rs.cells = append(rs.cells, row)
		}
	}
	return rs
}

func (rs *rowSet) column(name string) int { return rs.schema.Index(name) }

// text is a cell as tostring() gives it.
func (rs *rowSet) text(row, col int) string {
	if col < 0 {
		return ""
	}
	v := rs.cells[row][col]
	if v.Null {
		return ""
	}
	return v.Text()
}

// record is a row as a JSON object in column order, for people and playbooks.
func (rs *rowSet) record(row int) json.RawMessage {
	b := []byte{'{'}
	for c, col := range rs.schema {
		if c > 0 {
			b = append(b, ',')
		}
		k, _ := json.Marshal(col.Name)
		b = append(append(b, k...), ':')
		b = value.AppendCell(b, value.ConstOf(rs.cells[row][c], 1), 0)
	}
	return append(b, '}')
}

// key is what makes a row the same row in a later run of the same window.
func (rs *rowSet) key(row int) string { return string(rs.record(row)) }

// span is the earliest and latest TimeGenerated of rows idx; zero when the result has no such column.
func (rs *rowSet) span(idx []int) (first, last time.Time) {
	c := rs.column("TimeGenerated")
	if c < 0 || rs.schema[c].Type != value.Datetime {
		return first, last
	}
	for _, i := range idx {
		v := rs.cells[i][c]
		if v.Null {
			continue
		}
		t := value.TimeOf(v.I)
		if first.IsZero() || t.Before(first) {
			first = t
		}
		if t.After(last) {
			last = t
		}
	}
	return first, last
}

// AlertSchema is the table SecurityAlert (shared/reference/detect.md section 5).
var AlertSchema = value.Schema{
	{Name: "TimeGenerated", Type: value.Datetime},
	{Name: "DisplayName", Type: value.String},
	{Name: "AlertName", Type: value.String},
	{Name: "AlertSeverity", Type: value.String},
	{Name: "Description", Type: value.String},
	{Name: "ProviderName", Type: value.String},
	{Name: "VendorName", Type: value.String},
	{Name: "VendorOriginalId", Type: value.String},
	{Name: "SystemAlertId", Type: value.String},
	{Name: "ResourceId", Type: value.String},
	{Name: "SourceComputerId", Type: value.String},
	{Name: "AlertType", Type: value.String},
	{Name: "ConfidenceLevel", Type: value.String},
	{Name: "ConfidenceScore", Type: value.Real},
	{Name: "IsIncident", Type: value.Bool},
	{Name: "StartTime", Type: value.Datetime},
	{Name: "EndTime", Type: value.Datetime},
	{Name: "ProcessingEndTime", Type: value.Datetime},
	{Name: "RemediationSteps", Type: value.String},
	{Name: "ExtendedProperties", Type: value.String},
	{Name: "Entities", Type: value.String},
	{Name: "SourceSystem", Type: value.String},
	{Name: "WorkspaceSubscriptionId", Type: value.String},
	{Name: "WorkspaceResourceGroup", Type: value.String},
	{Name: "ExtendedLinks", Type: value.String},
	{Name: "ProductName", Type: value.String},
	{Name: "ProductComponentName", Type: value.String},
	{Name: "AlertLink", Type: value.String},
	{Name: "Status", Type: value.String},
	{Name: "CompromisedEntity", Type: value.String},
	{Name: "Tactics", Type: value.String},
	{Name: "Techniques", Type: value.String},
	{Name: "SubTechniques", Type: value.String},
}

// IncidentSchema is the table SecurityIncident: a row for each change.
var IncidentSchema = value.Schema{
	{Name: "TimeGenerated", Type: value.Datetime},
	{Name: "IncidentName", Type: value.String},
	{Name: "Title", Type: value.String},
	{Name: "Description", Type: value.String},
	{Name: "Severity", Type: value.String},
	{Name: "Status", Type: value.String},
	{Name: "Classification", Type: value.String},
	{Name: "ClassificationComment", Type: value.String},
	{Name: "ClassificationReason", Type: value.String},
	{Name: "Owner", Type: value.Dynamic},
	{Name: "ProviderName", Type: value.String},
	{Name: "ProviderIncidentId", Type: value.String},
	{Name: "FirstActivityTime", Type: value.Datetime},
	{Name: "LastActivityTime", Type: value.Datetime},
	{Name: "FirstModifiedTime", Type: value.Datetime},
	{Name: "LastModifiedTime", Type: value.Datetime},
	{Name: "CreatedTime", Type: value.Datetime},
	{Name: "ClosedTime", Type: value.Datetime},
	{Name: "IncidentNumber", Type: value.Int},
	{Name: "RelatedAnalyticRuleIds", Type: value.Dynamic},
	{Name: "AlertIds", Type: value.Dynamic},
	{Name: "BookmarkIds", Type: value.Dynamic},
	{Name: "Comments", Type: value.Dynamic},
	{Name: "Tasks", Type: value.Dynamic},
	{Name: "Labels", Type: value.Dynamic},
	{Name: "IncidentUrl", Type: value.String},
	{Name: "AdditionalData", Type: value.Dynamic},
	{Name: "ModifiedBy", Type: value.String},
	{Name: "SourceSystem", Type: value.String},
}

// HealthSchema is the table SentinelHealth: a row for each run of a rule.
var HealthSchema = value.Schema{
	{Name: "TimeGenerated", Type: value.Datetime},
	{Name: "OperationName", Type: value.String},
	{Name: "SentinelResourceId", Type: value.String},
	{Name: "SentinelResourceName", Type: value.String},
	{Name: "Status", Type: value.String},
	{Name: "Description", Type: value.String},
	{Name: "Reason", Type: value.String},
	{Name: "WorkspaceId", Type: value.String},
	{Name: "SentinelResourceType", Type: value.String},
	{Name: "SentinelResourceKind", Type: value.String},
	{Name: "RecordId", Type: value.String},
	{Name: "ExtendedProperties", Type: value.Dynamic},
	{Name: "SourceSystem", Type: value.String},
}
