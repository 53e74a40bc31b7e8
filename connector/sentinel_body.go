package connector

import (
	"context"
	"encoding/json"
	"fmt"
	"picket/detect"
	"picket/playbook/expr"
	"strconv"
	"strings"
	"time"
)

// Sentinel is what the azuresentinel connector works on.
type Sentinel struct {
	Detector  *detect.Detector
	Workspace detect.Workspace
	// Rows takes threat indicators; nil: uploading them is refused by name.
	Rows Rows
}

// id is the ARM id of something in the workspace.
func (s *Sentinel) id(kind, name string) string {
	w := s.Workspace
	return "/subscriptions/" + w.SubscriptionID + "/resourceGroups/" + w.ResourceGroup + "/providers/Microsoft.OperationalInsights/workspaces/" + w.Name + "/providers/Microsoft.SecurityInsights/" + kind + "/" + name
}

func utc(t time.Time) any {
	if t.IsZero() {
		return nil
	}
	return t.UTC().Format("2006-01-02T15:04:05.9999999Z")
}

func texts(list []string) []any {
	out := make([]any, len(list))
	for i, s := range list {
		out[i] = s
	}
	return out
}

func textOrNil(s string) any {
	if s == "" {
		return nil
	}
	return s
}

// Incident is an incident as playbooks receive it (REST, api-version 2023-02-01, with its alerts, entities and
// comments), and by the names of the older connector: CaseNumber, RelatedAlertIds, StartTimeUtc, EndTimeUtc,
// LastUpdatedTimeUtc.
func (s *Sentinel) Incident(ctx context.Context, id string) (*expr.Object, error) {
	in, err := s.Detector.Incident(ctx, id)
	if err != nil {
		return nil, err
	}
	as, err := s.Detector.Alerts(ctx, in.ID)
	if err != nil {
		return nil, err
	}
	es, err := s.Detector.IncidentEntities(ctx, in.ID)
	if err != nil {
		return nil, err
	}
	cs, err := s.Detector.Comments(ctx, in.ID)
	if err != nil {
		return nil, err
	}
	alerts, entities, comments, labels, rules := []any{}, []any{}, []any{}, []any{}, []any{}
	for _, a := range as {
		alerts = append(alerts, s.alert(a))
	}
	for _, e := range es {
		entities = append(entities, expr.NewObject("id", s.id("Entities", e.ID()), "name", e.ID(), "type", "Microsoft.SecurityInsights/Entities", "kind", e.RESTKind(), "properties", expr.FromGo(e.RESTProperties())))
	}
	for _, c := range cs {
		comments = append(comments, expr.NewObject("id", s.id("Incidents", in.ID)+"/comments/"+c.ID, "name", c.ID, "type", "Microsoft.SecurityInsights/incidents/comments",
			"properties", expr.NewObject("message", c.Message, "author", expr.NewObject("name", c.Author), "createdTimeUtc", utc(c.Created), "lastModifiedTimeUtc", utc(c.Modified))))
	}
	for _, l := range in.Labels {
		labels = append(labels, expr.NewObject("labelName", l.Name, "labelType", l.Type))
	}
	for _, r := range in.RuleIDs {
		rules = append(rules, s.id("alertRules", r))
	}
	p := expr.NewObject("title", in.Title, "description", in.Description, "severity", string(in.Severity), "status", in.Status,
		"owner", expr.NewObject("objectId", textOrNil(in.Owner.ObjectID), "email", textOrNil(in.Owner.Email), "assignedTo", textOrNil(in.Owner.AssignedTo), "userPrincipalName", textOrNil(in.Owner.UserPrincipalName)),
		"labels", labels, "firstActivityTimeUtc", utc(in.FirstActivity), "lastActivityTimeUtc", utc(in.LastActivity), "lastModifiedTimeUtc", utc(in.Modified), "createdTimeUtc", utc(in.Created),
		"incidentNumber", int64(in.Number),
		"additionalData", expr.NewObject("alertsCount", int64(len(as)), "bookmarksCount", int64(0), "commentsCount", int64(len(cs)), "alertProductNames", texts(in.Products), "tactics", texts(in.Tactics), "techniques", texts(in.Techniques)),
		"relatedAnalyticRuleIds", rules, "incidentUrl", in.URL, "providerName", "Azure Sentinel", "providerIncidentId", strconv.Itoa(in.Number),
		"alerts", alerts, "bookmarks", []any{}, "relatedEntities", entities, "comments", comments,
		"CaseNumber", int64(in.Number), "RelatedAlertIds", texts(in.AlertIDs), "StartTimeUtc", utc(in.FirstActivity), "EndTimeUtc", utc(in.LastActivity), "LastUpdatedTimeUtc", utc(in.Modified))
	if in.Status == "Closed" {
		p.Set("classification", in.Classification)
		p.Set("classificationReason", textOrNil(in.Reason))
		p.Set("classificationComment", textOrNil(in.Comment))
		p.Set("closedTimeUtc", utc(in.Closed))
	}
	return expr.NewObject("id", s.id("Incidents", in.ID), "name", in.ID, "etag", `"`+strconv.FormatInt(in.Etag, 16)+`"`, "type", "Microsoft.SecurityInsights/Incidents", "properties", p), nil
}

// alert is an alert in an incident's properties.alerts.
func (s *Sentinel) alert(a *detect.Alert) *expr.Object {
	more := map[string]any{}
	for k, v := range a.ExtendedProperties() {
		more[k] = v
	}
	w := s.Workspace
	return expr.NewObject("id", s.id("Entities", a.ID), "name", a.ID, "type", "Microsoft.SecurityInsights/Entities", "kind", "SecurityAlert", "properties", expr.NewObject(
		"systemAlertId", a.ID, "tactics", texts(a.Tactics), "techniques", texts(a.Techniques), "alertDisplayName", a.Name, "description", a.Description, "confidenceLevel", "Unknown", "severity", string(a.Severity),
		"vendorName", "Microsoft", "productName", "Azure Sentinel", "productComponentName", "Scheduled Alerts", "alertType", w.ID+"_"+a.RuleID, "processingEndTime", utc(a.Modified), "status", "New",
		"endTimeUtc", utc(a.End), "startTimeUtc", utc(a.Start), "timeGenerated", utc(a.Created), "providerAlertId", a.ID,
		"resourceIdentifiers", []any{expr.NewObject("type", "LogAnalytics", "workspaceId", w.ID, "subscriptionId", w.SubscriptionID, "resourceGroup", w.ResourceGroup)},
		"additionalData", expr.FromGo(more), "friendlyName", a.Name))
}

// IncidentBody is what the incident trigger (/incident-creation) hands to a playbook; event is Create or Update.
func (s *Sentinel) IncidentBody(ctx context.Context, id, eventID, event string) (*expr.Object, error) {
	o, err := s.Incident(ctx, id)
	if err != nil {
		return nil, err
	}
	w := s.Workspace
	return expr.NewObject("eventUniqueId", eventID, "objectSchemaType", "Incident", "objectEventType", event,
		"workspaceInfo", expr.NewObject("SubscriptionId", w.SubscriptionID, "ResourceGroupName", w.ResourceGroup, "WorkspaceName", w.Name), "workspaceId", w.ID, "object", o), nil
}

// EntityBody is what an entity trigger (/entity/{kind}) hands to a playbook that a person starts on an entity of an
// incident.
func (s *Sentinel) EntityBody(ctx context.Context, incident, entity string) (*expr.Object, error) {
	in, err := s.Detector.Incident(ctx, incident)
	if err != nil {
		return nil, err
	}
	es, err := s.Detector.IncidentEntities(ctx, in.ID)
	if err != nil {
		return nil, err
	}
	w := s.Workspace
	for _, e := range es {
		if e.ID() != entity {
			continue
		}
		return expr.NewObject("objectSchemaType", "Entity", "objectEventType", "manual trigger", "IncidentArmID", s.id("Incidents", in.ID),
			"workspaceInfo", expr.NewObject("SubscriptionId", w.SubscriptionID, "ResourceGroupName", w.ResourceGroup, "WorkspaceName", w.Name), "workspaceId", w.ID,
			"Entity", expr.NewObject("id", s.id("Entities", e.ID()), "name", e.ID(), "type", "Microsoft.SecurityInsights/Entities", "kind", e.RESTKind(), "properties", expr.FromGo(e.RESTProperties()))), nil
	}
	return nil, fmt.Errorf("the incident %q has no entity %q: %w", incident, entity, detect.ErrNotFound)
}

// AlertBody is what the alert trigger (/subscribe) hands to a playbook.
func (s *Sentinel) AlertBody(a *detect.Alert) (*expr.Object, error) {
	entities, err := alertEntities(a.Entities)
	if err != nil {
		return nil, err
	}
	extended, err := json.Marshal(a.ExtendedProperties())
	if err != nil {
		return nil, err
	}
	w := s.Workspace
	return expr.NewObject("SystemAlertId", a.ID, "WorkspaceId", w.ID, "WorkspaceSubscriptionId", w.SubscriptionID, "WorkspaceResourceGroup", w.ResourceGroup,
		"AlertDisplayName", a.Name, "DisplayName", a.Name, "AlertType", w.ID+"_"+a.RuleID, "AlertUri", "", "Description", a.Description, "Severity", string(a.Severity),
		"ProductName", "Azure Sentinel", "ProductComponentName", "Scheduled Alerts", "VendorName", "Microsoft", "ProviderAlertId", a.ID, "VendorOriginalId", a.ID, "CompromisedEntity", "",
		"StartTimeUtc", utc(a.Start), "EndTimeUtc", utc(a.End), "TimeGenerated", utc(a.Created), "Entities", entities, "ExtendedProperties", string(extended), "ExtendedLinks", "[]",
		"RemediationSteps", "[]", "Tactics", strings.Join(a.Tactics, ","), "Intent", strings.Join(a.Tactics, ",")), nil
}

// alertEntities writes entities as SecurityAlert.Entities does.
func alertEntities(es []detect.Entity) (string, error) {
	list := []any{}
	for i, e := range es {
		o := expr.NewObject("$id", strconv.Itoa(i+2))
		m := map[string]any{}
		for k, v := range e.Fields {
			m[k] = v
		}
		fields, ok := expr.FromGo(m).(*expr.Object)
		if !ok {
			return "", fmt.Errorf("the entity %s has no fields", e.Kind)
		}
		for _, f := range fields.Members() {
			o.Set(f.Name, f.Value)
		}
		o.Set("Type", alertType(e.Kind))
		list = append(list, o)
	}
	return expr.JSON(list), nil
}

// alertType is an entity kind as alerts write it.
func alertType(kind string) string {
	switch kind {
	case "AzureResource":
		return "azure-resource"
	case "CloudApplication":
		return "cloud-application"
	case "RegistryKey":
		return "registry-key"
	case "RegistryValue":
		return "registry-value"
	case "SecurityGroup":
		return "security-group"
	case "MailCluster":
		return "mail-cluster"
	case "MailMessage":
		return "mail-message"
	case "SubmissionMail":
		return "SubmissionMail"
	}
	return strings.ToLower(kind)
}
