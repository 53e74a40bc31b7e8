package connector

import (
	"context"
	"picket/detect"
	"picket/playbook"
	"picket/playbook/expr"
	"strings"
)

// createTask serves "Add task to incident". The task's id is the action run's: a repeated action adds no second one.
func (c *sentinel) createTask(ctx context.Context, r *playbook.Request, body *expr.Object) (*playbook.Response, error) {
	id, err := c.find(ctx, "incident", expr.Text(body.Value("incidentArmId")))
	if err != nil {
		return c.problem(err)
	}
	return c.saveTask(ctx, r, id, detect.Task{ID: r.ActionRunID, Title: expr.Text(body.Value("taskTitle")), Description: expr.Text(body.Value("taskDescription"))})
}

// completeTask serves "Mark a task as completed": …/Incidents/{incident}/tasks/{task}.
func (c *sentinel) completeTask(ctx context.Context, r *playbook.Request, body *expr.Object) (*playbook.Response, error) {
	arm := strings.Trim(expr.Text(body.Value("taskArmId")), "/")
	seg := strings.Split(arm, "/")
	n := len(seg)
	if n < 4 || !strings.EqualFold(seg[n-2], "tasks") || !strings.EqualFold(seg[n-4], "incidents") {
		return problem(400, "BadRequest", "taskArmId is not the id of an incident's task: …/Incidents/{incident}/tasks/{task}."), nil
	}
	id, err := c.find(ctx, "incident", seg[n-3])
	if err != nil {
		return c.problem(err)
	}
	ts, err := c.s.Detector.Tasks(ctx, id)
	if err != nil {
		return c.problem(err)
	}
	for _, t := range ts {
		if strings.EqualFold(t.ID, seg[n-1]) {
			t.Status = "Completed"
			return c.saveTask(ctx, r, id, t)
		}
	}
	return problem(404, "NotFound", "The incident has no task '"+seg[n-1]+"'."), nil
}

func (c *sentinel) saveTask(ctx context.Context, r *playbook.Request, incident string, t detect.Task) (*playbook.Response, error) {
	s, err := c.s.Detector.SaveTask(ctx, incident, actor(r), 0, t)
	if err != nil {
		if p, perr := c.problem(err); perr == nil {
			return p, nil
		}
		if ctx.Err() != nil {
			return nil, err
		}
		return problem(400, "BadRequest", err.Error()), nil
	}
	return found(expr.NewObject("id", c.s.id("Incidents", incident)+"/tasks/"+s.ID, "name", s.ID, "etag", etag(s.Etag), "type", "Microsoft.SecurityInsights/Incidents/tasks",
		"properties", expr.NewObject("title", s.Title, "description", s.Description, "status", s.Status, "createdTimeUtc", utc(s.Created), "lastModifiedTimeUtc", utc(s.Modified),
			"createdBy", expr.NewObject("name", s.CreatedBy), "lastModifiedBy", expr.NewObject("name", s.ModifiedBy)))), nil
}
