package picket

import (
	"context"
	"fmt"
	"picket/detect"
	"picket/kql/value"
	"picket/playbook"
	"strings"
	"sync/atomic"
	"time"

	"github.com/google/uuid"
)

// diagnosticsSchema is AzureDiagnostics as Logic Apps' category WorkflowRuntime fills it.
var diagnosticsSchema = value.Schema{
	{Name: "TimeGenerated", Type: value.Datetime},
	{Name: "ResourceId", Type: value.String},
	{Name: "Category", Type: value.String},
	{Name: "ResourceGroup", Type: value.String},
	{Name: "SubscriptionId", Type: value.String},
	{Name: "ResourceProvider", Type: value.String},
	{Name: "Resource", Type: value.String},
	{Name: "ResourceType", Type: value.String},
	{Name: "OperationName", Type: value.String},
	{Name: "Level", Type: value.String},
	{Name: "workflowId_s", Type: value.String},
	{Name: "status_s", Type: value.String},
	{Name: "code_s", Type: value.String},
	{Name: "startTime_t", Type: value.Datetime},
	{Name: "endTime_t", Type: value.Datetime},
	{Name: "resource_workflowName_s", Type: value.String},
	{Name: "resource_runId_s", Type: value.String},
	{Name: "resource_actionName_s", Type: value.String},
	{Name: "resource_triggerName_s", Type: value.String},
	{Name: "correlation_clientTrackingId_s", Type: value.String},
	{Name: "trackedProperties_s", Type: value.String},
	{Name: "error_message_s", Type: value.String},
}

const (
	diagnosticsTable = "AzureDiagnostics"
	diagnosticsQueue = 16384
	diagnosticsBatch = 2000
	diagnosticsPause = time.Second
)

// diagnostics writes what playbooks did into AzureDiagnostics and SentinelHealth, some rows at a time. It never holds a
// playbook up: what comes faster than it can be written is counted and left out; the run history has it all.
type diagnostics struct {
	ch      chan playbook.Event
	dropped atomic.Int64
}

func newDiagnostics() *diagnostics {
	return &diagnostics{ch: make(chan playbook.Event, diagnosticsQueue)}
}

func (d *diagnostics) note(e playbook.Event) {
	select {
	case d.ch <- e:
	default:
		d.dropped.Add(1)
	}
}

func (p *Picket) diagnose(ctx context.Context) error {
	d := p.diag
	for {
		var list []playbook.Event
		over := false
		select {
		case e := <-d.ch:
			list = append(list, e)
		case <-ctx.Done():
			over = true
		}
		if !over {
			select {
			case <-time.After(diagnosticsPause): // what follows soon goes along
			case <-ctx.Done():
				over = true
			}
		}
		for len(list) < diagnosticsBatch {
			select {
			case e := <-d.ch:
				list = append(list, e)
				continue
			default:
			}
			break
		}
		if len(list) > 0 {
			if err := p.writeDiagnostics(context.WithoutCancel(ctx), list); err != nil {
				p.log.Warn("the diagnostics of playbooks could not be written", "rows", len(list), "error", err)
			}
		}
		if n := d.dropped.Swap(0); n > 0 {
			p.log.Warn("diagnostics of playbooks came faster than they could be written; the run history has them", "left out", n)
		}
		if over {
			return nil
		}
	}
}

func (p *Picket) writeDiagnostics(ctx context.Context, list []playbook.Event) error {
	var rows, health []map[string]any
	for _, e := range list {
		rows = append(rows, p.diagnosticsRow(e))
		if e.Kind == "trigger" {
			health = append(health, p.playbookHealth(e))
		}
	}
	if _, err := p.ingest.Rows(ctx, diagnosticsTable, diagnosticsSchema, rows, ""); err != nil {
		return fmt.Errorf("%s: %w", diagnosticsTable, err)
	}
	if len(health) == 0 {
		return nil
	}
	if _, err := p.ingest.Rows(ctx, "SentinelHealth", detect.HealthSchema, health, ""); err != nil {
		return fmt.Errorf("SentinelHealth: %w", err)
	}
	return nil
}

func (p *Picket) workflowID(name string) string {
	return "/subscriptions/" + p.ws.SubscriptionID + "/resourceGroups/" + p.ws.ResourceGroup + "/providers/Microsoft.Logic/workflows/" + name
}

func (p *Picket) diagnosticsRow(e playbook.Event) map[string]any {
	id := p.workflowID(e.Workflow)
	typ, op, level := "WORKFLOWS/RUNS", "Microsoft.Logic/workflows/workflowRunCompleted", "Information"
	row := map[string]any{}
	switch e.Kind {
	case "action":
		typ, op = "WORKFLOWS/RUNS/ACTIONS", "Microsoft.Logic/workflows/workflowActionCompleted"
		row["resource_actionName_s"] = e.Name
	case "trigger":
		typ, op = "WORKFLOWS/TRIGGERS", "Microsoft.Logic/workflows/workflowTriggerCompleted"
		row["resource_triggerName_s"] = e.Name
	}
	if e.Status == playbook.Failed || e.Status == playbook.TimedOut {
		level = "Error"
	}
	tracked := ""
	if e.Tracked != nil {
		if b, err := e.Tracked.MarshalJSON(); err == nil {
			tracked = string(b)
		}
	}
	for k, v := range map[string]any{
		"TimeGenerated": e.Ended, "ResourceId": strings.ToUpper(id), "Category": "WorkflowRuntime", "ResourceGroup": strings.ToUpper(p.ws.ResourceGroup),
		"SubscriptionId": p.ws.SubscriptionID, "ResourceProvider": "MICROSOFT.LOGIC", "Resource": strings.ToUpper(e.Workflow), "ResourceType": typ, "OperationName": op, "Level": level,
		"workflowId_s": id, "status_s": e.Status, "code_s": e.Code, "startTime_t": e.Started, "endTime_t": e.Ended, "resource_workflowName_s": e.Workflow, "resource_runId_s": e.Run,
		"correlation_clientTrackingId_s": e.Tracking, "trackedProperties_s": tracked, "error_message_s": e.Error,
	} {
		row[k] = v
	}
	return row
}

func (p *Picket) playbookHealth(e playbook.Event) map[string]any {
	status := "Success"
	if e.Status == playbook.Failed {
		status = "Failure"
	}
	return map[string]any{
		"TimeGenerated": e.Ended, "OperationName": "Playbook was triggered", "SentinelResourceId": p.workflowID(e.Workflow), "SentinelResourceName": e.Workflow, "Status": status,
		"Description": e.Error, "Reason": e.Code, "WorkspaceId": p.ws.ID, "SentinelResourceType": "Automation", "SentinelResourceKind": "Playbook", "RecordId": uuid.NewString(),
		"ExtendedProperties": map[string]any{"RunId": e.Run, "TriggeredByName": e.Name, "TrackingId": e.Tracking}, "SourceSystem": "picket",
	}
}
