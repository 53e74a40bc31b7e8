package connector

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"picket/detect"
	"picket/playbook"
	"picket/playbook/expr"
	"slices"
	"strings"
)

// sentinel is the "Microsoft Sentinel" connector over picket's incidents: the triggers' subscriptions, entities,
// comments, and changes of incidents, in the current and in the 2021 form of its operations. An incident is found by
// its ARM id, its name, its number, or by an alert of it.
type sentinel struct{ s *Sentinel }

func (*sentinel) API() string { return "azuresentinel" }

func (c *sentinel) Operations() []playbook.Operation {
	ops := []playbook.Operation{
		{Method: "POST", Path: "/subscribe", Title: "When a response to an alert is triggered"},
		{Method: "POST", Path: "/incident-creation", Title: "When an incident is created"},
		{Method: "POST", Path: "/Incidents/Comment", Title: "Add comment to incident (V3)"},
		{Method: "PUT", Path: "/Incidents", Title: "Update incident"},
		{Method: "POST", Path: "/Incidents", Title: "Create incident"},
		{Method: "PUT", Path: "/Incidents/subscriptions/{s}/resourceGroups/{rg}/workspaces/{w}", Title: "Create incident"},
		{Method: "POST", Path: "/Incidents/CreateTask", Title: "Add task to incident"},
		{Method: "POST", Path: "/Incidents/CompleteTask", Title: "Mark a task as completed"},
		{Method: "POST", Path: "/entity/{kind}", Title: "When a playbook is started on an entity"},
		{Method: "GET", Path: "/Incidents/subscriptions/{s}/resourceGroups/{rg}/workspaces/{w}/alerts/{id}", Title: "Alert - Get incident"},
		{Method: "GET", Path: "/Incidents/subscriptions/{s}/resourceGroups/{rg}/workspaces/{w}/incidents/{id}", Title: "Get incident"},
		{Method: "GET", Path: "/Cases/{alert}/{s}/{w}/{rg}", Title: "Alert - Get incident (2021)"},
		{Method: "PUT", Path: "/Comment/{s}/{w}/{rg}/{kind}/{id}", Title: "Add comment to incident (2021)"},
		{Method: "PUT", Path: "/Comment/{s}/{w}/{rg}/{kind}/{id}/{text}", Title: "Add comment to incident (2021)"},
		{Method: "PUT", Path: "/Case/{s}/{w}/{rg}/{kind}/{id}/AddLabels", Title: "Add labels to incident (2021)"},
		{Method: "PUT", Path: "/Case/{s}/{w}/{rg}/{kind}/{id}/RemoveLabels", Title: "Remove labels from incident (2021)"},
		{Method: "PUT", Path: "/Case/{s}/{w}/{rg}/{kind}/{id}/Severity/{value}", Title: "Change incident severity (2021)"},
		{Method: "PUT", Path: "/Case/{s}/{w}/{rg}/{kind}/{id}/Status/{value}", Title: "Change incident status (2021)"},
		{Method: "PUT", Path: "/Case/{s}/{w}/{rg}/{kind}/{id}/Title/{value}", Title: "Change incident title (2021)"},
		{Method: "PUT", Path: "/Case/{s}/{w}/{rg}/{kind}/{id}/Description/{value}", Title: "Change incident description (2021)"},
		{Method: "PUT", Path: "/Case/{s}/{w}/{rg}/{kind}/{id}/Title", Title: "Change incident title (V2)"},
		{Method: "PUT", Path: "/Case/{s}/{w}/{rg}/{kind}/{id}/Description", Title: "Change incident description (V2)"},
	}
	if c.s.Rows != nil {
		for _, v := range []string{"", "/V2"} {
			ops = append(ops, playbook.Operation{Method: "POST", Path: v + "/ThreatIntelligence/{w}/UploadIndicators", Title: "Threat Intelligence - Upload Indicators of Compromise"})
		}
	}
	ops = append(ops, watchlistOps()...)
	for n := range entityOps {
		ops = append(ops, playbook.Operation{Method: "POST", Path: "/entities/" + n, Title: "Entities - Get " + n})
	}
	slices.SortFunc(ops, func(a, b playbook.Operation) int { return strings.Compare(a.Method+a.Path, b.Method+b.Path) })
	return ops
}

func (c *sentinel) Call(ctx context.Context, r *playbook.Request) (*playbook.Response, error) {
	path := "/" + strings.Trim(r.Path, "/")
	seg := strings.Split(path[1:], "/")
	for i, s := range seg {
		// Connectors encode a segment once or twice.
		for range 2 {
			if u, err := url.PathUnescape(s); err == nil {
				s = u
			}
		}
		seg[i] = s
	}
	body, _ := r.Body.(*expr.Object)
	if s, ok := r.Body.(string); ok && body == nil {
		if v, err := expr.ParseJSON([]byte(s)); err == nil {
			body, _ = v.(*expr.Object)
		}
	}
	switch first := strings.ToLower(seg[0]); {
	case first == "subscribe" || first == "incident-creation" || first == "entity":
		return &playbook.Response{Status: 200, Headers: map[string]string{}}, nil
	case first == "entities":
		return getEntities(path, r.Body), nil
	case first == "watchlists":
		return c.watchlist(ctx, r, seg, body)
	case strings.HasSuffix(strings.ToLower(path), "/uploadindicators"):
		return c.uploadIndicators(ctx, r, body)
	case first == "incidents" && len(seg) == 2 && strings.EqualFold(seg[1], "CreateTask"):
		return c.createTask(ctx, r, body)
	case first == "incidents" && len(seg) == 2 && strings.EqualFold(seg[1], "CompleteTask"):
		return c.completeTask(ctx, r, body)
	case first == "incidents" && len(seg) == 7:
		return c.create(ctx, r, body)
	case first == "incidents" && len(seg) == 2: // Comment
		return c.comment(ctx, r, expr.Text(body.Value("incidentArmId")), commentText(body.Value("message")))
	case first == "incidents" && len(seg) == 1 && r.Method == "PUT":
		return c.update(ctx, r, body)
	case first == "incidents" && len(seg) == 1:
		return c.create(ctx, r, body)
	case first == "incidents" && len(seg) == 9:
		return c.get(ctx, seg[7], seg[8])
	case first == "cases":
		return c.get(ctx, "alerts", seg[1])
	case first == "comment":
		text := ""
		if len(seg) == 7 {
			text = seg[6]
		} else {
			text = commentText(r.Body)
		}
		id, err := c.find(ctx, seg[4], seg[5])
		if err != nil {
			return c.problem(err)
		}
		return c.comment(ctx, r, id, text)
	case first == "case" && len(seg) >= 7:
		id, err := c.find(ctx, seg[4], seg[5])
		if err != nil {
			return c.problem(err)
		}
		v := commentText(r.Body)
		if len(seg) > 7 {
			v = seg[7]
		}
		return c.change(ctx, r, id, strings.ToLower(seg[6]), v)
	}
	return problem(404, "NotFound", fmt.Sprintf("The operation '%s %s' is not served.", r.Method, r.Path)), nil
}

// commentText takes a comment's text from a body that is the text, or an object with it.
func commentText(v any) string {
	if o, ok := v.(*expr.Object); ok {
		for _, n := range []string{"Value", "message", "comment", "text"} {
			if x, _, has := o.Find(n); has {
				return expr.Text(x)
			}
		}
	}
	return expr.Text(v)
}

// find gives an incident's name for the id of an incident or an alert.
func (c *sentinel) find(ctx context.Context, kind, id string) (string, error) {
	if strings.HasPrefix(strings.ToLower(kind), "alert") {
		a, err := c.s.Detector.Alert(ctx, id)
		if err != nil {
			return "", err
		}
		if a.IncidentID == "" {
			return "", fmt.Errorf("the alert %q belongs to no incident: %w", id, detect.ErrNotFound)
		}
		return a.IncidentID, nil
	}
	id = id[strings.LastIndexByte(id, '/')+1:]
	in, err := c.s.Detector.Incident(ctx, id)
	if errors.Is(err, detect.ErrNotFound) { // the 2021 form was often given an alert's id here
		if a, aerr := c.s.Detector.Alert(ctx, id); aerr == nil && a.IncidentID != "" {
			return a.IncidentID, nil
		}
	}
	if err != nil {
		return "", err
	}
	return in.ID, nil
}

func (c *sentinel) problem(err error) (*playbook.Response, error) {
	switch {
	case errors.Is(err, detect.ErrNotFound):
		return problem(404, "NotFound", err.Error()), nil
	case errors.Is(err, detect.ErrConflict):
		return problem(412, "PreconditionFailed", err.Error()), nil
	}
	return nil, err
}

func (c *sentinel) get(ctx context.Context, kind, id string) (*playbook.Response, error) {
	id, err := c.find(ctx, kind, id)
	if err != nil {
		return c.problem(err)
	}
	return c.answer(ctx, id)
}

func (c *sentinel) answer(ctx context.Context, id string) (*playbook.Response, error) {
	o, err := c.s.Incident(ctx, id)
	if err != nil {
		return c.problem(err)
	}
	return &playbook.Response{Status: 200, Headers: map[string]string{"Content-Type": "application/json; charset=utf-8"}, Body: o}, nil
}

func actor(r *playbook.Request) string { return "playbook " + r.Workflow }

func (c *sentinel) comment(ctx context.Context, r *playbook.Request, id, text string) (*playbook.Response, error) {
	id, err := c.find(ctx, "incident", id)
	if err != nil {
		return c.problem(err)
	}
	if strings.TrimSpace(text) == "" {
		return problem(400, "BadRequest", "The comment has no text."), nil
	}
	// The action run's id: an action that is repeated after a crash adds no second comment.
	cm, err := c.s.Detector.AddComment(ctx, id, r.ActionRunID, actor(r), text)
	if err != nil {
		if r, perr := c.problem(err); perr == nil {
			return r, nil
		}
		return problem(400, "BadRequest", err.Error()), nil
	}
	return &playbook.Response{
		Status: 200, Headers: map[string]string{"Content-Type": "application/json; charset=utf-8"},
		Body: expr.NewObject("id", c.s.id("Incidents", id)+"/comments/"+cm.ID, "name", cm.ID, "type", "Microsoft.SecurityInsights/Incidents/comments",
			"properties", expr.NewObject("message", text, "createdTimeUtc", utc(cm.Created), "author", expr.NewObject("name", actor(r)))),
	}, nil
}

func severity(s string) *detect.Severity {
	if strings.EqualFold(s, "Critical") { // of the years before 2021
		s = "High"
	}
	for _, v := range []detect.Severity{detect.Informational, detect.Low, detect.Medium, detect.High} {
		if strings.EqualFold(string(v), s) {
			return &v
		}
	}
	v := detect.Severity(s) // refused by name
	return &v
}

func status(s string) *string {
	switch strings.ToLower(s) {
	case "inprogress", "in progress", "active":
		s = "Active"
	case "dismissed", "closed":
		s = "Closed"
	case "new", "draft":
		s = "New"
	}
	return &s
}

// change serves the 2021 operations that change one thing.
func (c *sentinel) change(ctx context.Context, r *playbook.Request, id, what, value string) (*playbook.Response, error) {
	var ch detect.Change
	body, _ := r.Body.(*expr.Object)
	switch what {
	case "severity":
		ch.Severity = severity(value)
	case "status":
		ch.Status = status(value)
		if *ch.Status == "Closed" {
			cl, reason, text := "Undetermined", "", expr.Text(body.Value("closeReasonText"))
			switch strings.ToLower(expr.Text(body.Value("closeReason"))) {
			case "resolved", "truepositive":
				cl = "TruePositive"
			case "falsepositive":
				cl = "FalsePositive"
			case "dismissed":
				cl = "BenignPositive"
			}
			ch.Classification, ch.Reason, ch.ClassificationComment = &cl, &reason, &text
		}
	case "title":
		ch.Title = &value
	case "description":
		ch.Description = &value
	case "addlabels", "removelabels":
		var names []string
		list, _, _ := body.Find("Labels")
		if list == nil {
			list = r.Body
		}
		ls, _ := list.([]any)
		for _, l := range ls {
			if o, ok := l.(*expr.Object); ok {
				for _, n := range []string{"Label", "labelName", "Tag"} {
					if v := expr.Text(o.Value(n)); v != "" {
						names = append(names, v)
						break
					}
				}
			} else if s := expr.Text(l); s != "" {
				names = append(names, s)
			}
		}
		add, remove := names, []string(nil)
		if what == "removelabels" {
			add, remove = nil, names
		}
		if err := c.labels(ctx, id, &ch, add, remove); err != nil {
			return c.problem(err)
		}
	default:
		return problem(404, "NotFound", fmt.Sprintf("The operation '%s %s' is not served.", r.Method, r.Path)), nil
	}
	return c.save(ctx, r, id, ch)
}

func (c *sentinel) save(ctx context.Context, r *playbook.Request, id string, ch detect.Change) (*playbook.Response, error) {
	if _, err := c.s.Detector.Update(ctx, id, actor(r), 0, ch); err != nil {
		if errors.Is(err, detect.ErrNotFound) {
			return c.problem(err)
		}
		return problem(400, "BadRequest", err.Error()), nil
	}
	return c.answer(ctx, id)
}

// labels sets the change's labels to the incident's with some added and some taken away.
func (c *sentinel) labels(ctx context.Context, id string, ch *detect.Change, add, remove []string) error {
	in, err := c.s.Detector.Incident(ctx, id)
	if err != nil {
		return err
	}
	has := func(list []string, s string) bool {
		return slices.ContainsFunc(list, func(x string) bool { return strings.EqualFold(x, s) })
	}
	out := []detect.Label{}
	var names []string
	for _, l := range in.Labels {
		if !has(remove, l.Name) {
			out = append(out, l)
			names = append(names, l.Name)
		}
	}
	for _, a := range add {
		if !has(names, a) {
			out = append(out, detect.Label{Name: a, Type: "User"})
			names = append(names, a)
		}
	}
	ch.Labels = &out
	return nil
}

func tags(body *expr.Object, group, list string) []string {
	g, _ := body.Value(group).(*expr.Object)
	v, _, _ := g.Find(list)
	ls, _ := v.([]any)
	var out []string
	for _, l := range ls {
		if o, ok := l.(*expr.Object); ok {
			l = o.Value("Tag")
		}
		if s := expr.Text(l); s != "" {
			out = append(out, s)
		}
	}
	return out
}

// edit reads the fields that "Update incident" and "Create incident" share.
func (c *sentinel) edit(body *expr.Object) (detect.Change, error) {
	var ch detect.Change
	text := func(n string) *string {
		if s := expr.Text(body.Value(n)); s != "" {
			return &s
		}
		return nil
	}
	ch.Title, ch.Description = text("title"), text("description")
	if s := text("severity"); s != nil {
		ch.Severity = severity(*s)
	}
	if s := text("status"); s != nil {
		ch.Status = status(*s)
	}
	cl, _ := body.Value("classification").(*expr.Object)
	name := expr.Text(cl.Value("ClassificationAndReason"))
	if name == "" {
		name = expr.Text(body.Value("classificationAndReason"))
	}
	if name == "" && cl == nil {
		name = expr.Text(body.Value("classification"))
	}
	if name != "" {
		kind, reason, _ := strings.Cut(strings.ReplaceAll(name, " ", ""), "-")
		comment := expr.Text(cl.Value("ClassificationReasonText"))
		ch.Classification, ch.Reason, ch.ClassificationComment = &kind, &reason, &comment
	} else if ch.Status != nil && *ch.Status == "Closed" {
		kind, none := "Undetermined", ""
		ch.Classification, ch.Reason, ch.ClassificationComment = &kind, &none, &none
	}
	owner := expr.Text(body.Value("owner"))
	switch a := strings.ToLower(expr.Text(body.Value("ownerAction"))); {
	case a == "unassign":
		ch.Owner = &detect.Owner{}
	case a == "assign" || a == "" && owner != "":
		if owner == "" {
			return ch, errors.New("ownerAction is Assign, and there is no owner")
		}
		o := detect.Owner{AssignedTo: owner}
		if strings.Contains(owner, "@") {
			o.UserPrincipalName, o.Email = owner, owner
		} else if len(owner) == 36 && strings.Count(owner, "-") == 4 {
			o.ObjectID = owner
		}
		ch.Owner = &o
	case a != "":
		return ch, fmt.Errorf("ownerAction is '%s'; it must be Assign or Unassign", a)
	}
	return ch, nil
}

func (c *sentinel) update(ctx context.Context, r *playbook.Request, body *expr.Object) (*playbook.Response, error) {
	id, err := c.find(ctx, "incident", expr.Text(body.Value("incidentArmId")))
	if err != nil {
		return c.problem(err)
	}
	ch, err := c.edit(body)
	if err != nil {
		return problem(400, "BadRequest", err.Error()), nil
	}
	add, remove := tags(body, "tagsToAdd", "TagsToAdd"), tags(body, "tagsToRemove", "TagsToRemove")
	if len(add)+len(remove) > 0 {
		if err := c.labels(ctx, id, &ch, add, remove); err != nil {
			return c.problem(err)
		}
	}
	return c.save(ctx, r, id, ch)
}

func (c *sentinel) create(ctx context.Context, r *playbook.Request, body *expr.Object) (*playbook.Response, error) {
	ch, err := c.edit(body)
	if err != nil {
		return problem(400, "BadRequest", err.Error()), nil
	}
	if in, err := c.s.Detector.Incident(ctx, r.ActionRunID); err == nil { // repeated after a crash
		return c.answer(ctx, in.ID)
	}
	if ch.Status == nil {
		ch.Status = status("New")
	}
	if add := tags(body, "tags", "Tags"); len(add) > 0 {
		var ls []detect.Label
		for _, a := range add {
			ls = append(ls, detect.Label{Name: a, Type: "User"})
		}
		ch.Labels = &ls
	}
	in, err := c.s.Detector.CreateIncident(ctx, r.ActionRunID, actor(r), ch)
	if err != nil {
		return problem(400, "BadRequest", err.Error()), nil
	}
	return c.answer(ctx, in.ID)
}
