package azure

import (
	"net/http"
	"picket/detect"
	"strings"
)

// What else of Microsoft.SecurityInsights tools ask for: that Sentinel is on, the templates of rules, and lists of
// what a picket has none of.

func (a *API) sentinelRoutes() []route {
	const state = armInsights + "/onboardingstates"
	rs := []route{
		{"GET", state, Reader, func(w http.ResponseWriter, _ *call) { writeJSON(w, 200, map[string]any{"value": []any{a.onboarded()}}) }},
		{"GET", state + "/{state}", Reader, a.getOnboarded},
		{"PUT", state + "/{state}", Contributor, a.getOnboarded},
		{"DELETE", state + "/{state}", Contributor, func(w http.ResponseWriter, _ *call) {
			writeError(w, &Error{Status: 409, Code: "Conflict", Message: "A picket's workspace always has rules and incidents: they can't be switched off. Disable the rules."})
		}},
		{"GET", armInsights + "/alertruletemplates", Reader, a.listTemplates},
		{"GET", armInsights + "/alertruletemplates/{id}", Reader, a.getTemplate},
		{"GET", armInsights + "/alertrules/{id}/actions", Reader, func(w http.ResponseWriter, r *call) {
			if _, err := a.d.Detect.Rule(r.Context(), r.v("id")); err != nil {
				a.fail(w, err)
				return
			}
			emptyList(w, r) // automation rules start playbooks here
		}},
		{"GET", armInsights + "/incidents/{id}/relations", Reader, a.listRelations},
		{"GET", armInsights + "/incidents/{id}/comments/{comment}", Reader, a.getComment},
	}
	for _, p := range []string{"bookmarks", "dataconnectors", "threatintelligence/main/indicators", "threatintelligence/main/metrics", "settings", "sourcecontrols", "huntqueries", "entityqueries"} {
		rs = append(rs, route{"GET", armInsights + "/" + p, Reader, emptyList})
	}
	return rs
}

func (a *API) onboarded() map[string]any {
	return map[string]any{"id": a.insightsID("onboardingStates", "default"), "name": "default", "type": "Microsoft.SecurityInsights/onboardingStates", "properties": map[string]any{"customerManagedKey": false}}
}

func (a *API) getOnboarded(w http.ResponseWriter, r *call) {
	if !strings.EqualFold(r.v("state"), "default") {
		writeError(w, &Error{Status: 404, Code: "NotFound", Message: "The onboarding state is named default."})
		return
	}
	writeJSON(w, 200, a.onboarded())
}

func (a *API) templates(r *call) ([]*detect.Rule, error) {
	if a.d.RuleTemplates == nil {
		return nil, nil
	}
	return a.d.RuleTemplates(r.Context())
}

// templateJSON is a template as the REST API shows it.
func (a *API) templateJSON(t *detect.Rule) map[string]any {
	j := a.RuleJSON(&detect.StoredRule{Rule: *t})
	p, _ := j["properties"].(ruleProperties)
	return map[string]any{
		"id": a.insightsID("AlertRuleTemplates", t.ID), "name": t.ID, "type": "Microsoft.SecurityInsights/AlertRuleTemplates", "kind": t.Kind,
		"properties": map[string]any{
			"displayName": p.DisplayName, "description": p.Description, "severity": p.Severity, "tactics": p.Tactics, "techniques": p.Techniques, "query": p.Query, "queryFrequency": p.QueryFrequency, "queryPeriod": p.QueryPeriod,
			"triggerOperator": p.TriggerOperator, "triggerThreshold": p.TriggerThreshold, "entityMappings": p.EntityMappings, "customDetails": p.CustomDetails, "alertDetailsOverride": p.Override,
			"eventGroupingSettings": p.EventGrouping, "version": t.TemplateVersion, "status": "Available", "requiredDataConnectors": []any{}, "alertRulesCreatedByTemplateCount": 0,
		},
	}
}

func (a *API) listTemplates(w http.ResponseWriter, r *call) {
	ts, err := a.templates(r)
	if err != nil {
		a.fail(w, err)
		return
	}
	out := make([]any, len(ts))
	for i, t := range ts {
		out[i] = a.templateJSON(t)
	}
	a.writePage(w, r, out, maxPage)
}

func (a *API) getTemplate(w http.ResponseWriter, r *call) {
	ts, err := a.templates(r)
	if err != nil {
		a.fail(w, err)
		return
	}
	for _, t := range ts {
		if strings.EqualFold(t.ID, r.v("id")) {
			writeJSON(w, 200, a.templateJSON(t))
			return
		}
	}
	writeError(w, &Error{Status: 404, Code: "NotFound", Message: "The alert rule template '" + cut(r.v("id"), 100) + "' was not found."})
}

// listRelations lists the alerts of an incident as relations.
func (a *API) listRelations(w http.ResponseWriter, r *call) {
	in, err := a.d.Detect.Incident(r.Context(), r.v("id"))
	if err != nil {
		a.fail(w, err)
		return
	}
	out := []any{}
	for _, id := range in.AlertIDs {
		out = append(out, map[string]any{
			"id": a.insightsID("Incidents", in.ID) + "/relations/" + in.ID + "_" + id, "name": in.ID + "_" + id, "type": "Microsoft.SecurityInsights/Incidents/relations",
			"properties": map[string]any{"relatedResourceId": a.insightsID("entities", id), "relatedResourceName": id, "relatedResourceType": "Microsoft.SecurityInsights/entities", "relatedResourceKind": "SecurityAlert"},
		})
	}
	a.writePage(w, r, out, maxPage)
}

func (a *API) getComment(w http.ResponseWriter, r *call) {
	in, err := a.d.Detect.Incident(r.Context(), r.v("id"))
	if err != nil {
		a.fail(w, err)
		return
	}
	cs, err := a.d.Detect.Comments(r.Context(), in.ID)
	if err != nil {
		a.fail(w, err)
		return
	}
	for _, c := range cs {
		if strings.EqualFold(c.ID, r.v("comment")) {
			writeJSON(w, 200, a.commentJSON(in.ID, c))
			return
		}
	}
	writeError(w, &Error{Status: 404, Code: "NotFound", Message: "The comment '" + cut(r.v("comment"), 100) + "' was not found."})
}
