package azure

import (
	"errors"
	"net/http"
	"picket/detect"
	"sort"
	"strings"
	"time"

	"github.com/google/uuid"
)

func (a *API) ruleRoutes() []route {
	const one = armInsights + "/alertrules/{id}"
	return []route{
		{"GET", armInsights + "/alertrules", Reader, a.listRules},
		{"GET", one, Reader, a.getRule},
		{"PUT", one, Contributor, a.putRule},
		{"DELETE", one, Contributor, a.deleteRule},
	}
}

type groupingJSON struct {
	Enabled              bool     `json:"enabled"`
	ReopenClosedIncident bool     `json:"reopenClosedIncident"`
	LookbackDuration     string   `json:"lookbackDuration"`
	MatchingMethod       string   `json:"matchingMethod"`
	GroupByEntities      []string `json:"groupByEntities"`
	GroupByAlertDetails  []string `json:"groupByAlertDetails"`
	GroupByCustomDetails []string `json:"groupByCustomDetails"`
}

type ruleProperties struct {
	DisplayName           string                 `json:"displayName"`
	Description           string                 `json:"description"`
	Severity              string                 `json:"severity"`
	Enabled               bool                   `json:"enabled"`
	Tactics               []string               `json:"tactics"`
	Techniques            []string               `json:"techniques"`
	Query                 string                 `json:"query"`
	QueryFrequency        string                 `json:"queryFrequency,omitempty"`
	QueryPeriod           string                 `json:"queryPeriod,omitempty"`
	TriggerOperator       string                 `json:"triggerOperator,omitempty"`
	TriggerThreshold      int                    `json:"triggerThreshold"`
	SuppressionDuration   string                 `json:"suppressionDuration"`
	SuppressionEnabled    bool                   `json:"suppressionEnabled"`
	LastModifiedUTC       any                    `json:"lastModifiedUtc,omitempty"`
	AlertRuleTemplateName *string                `json:"alertRuleTemplateName"`
	TemplateVersion       *string                `json:"templateVersion,omitempty"`
	EventGrouping         *eventGrouping         `json:"eventGroupingSettings,omitempty"`
	CustomDetails         map[string]string      `json:"customDetails,omitempty"`
	EntityMappings        []detect.EntityMapping `json:"entityMappings"`
	Override              *overrideJSON          `json:"alertDetailsOverride,omitempty"`
	Incident              *incidentConfig        `json:"incidentConfiguration,omitempty"`
	// Picket holds picket's own settings, which no template has.
	Picket *picketRule `json:"picket,omitempty"`
}

type eventGrouping struct {
	AggregationKind string `json:"aggregationKind"`
}

type overrideJSON struct {
	Name     string `json:"alertDisplayNameFormat,omitempty"`
	Desc     string `json:"alertDescriptionFormat,omitempty"`
	Severity string `json:"alertSeverityColumnName,omitempty"`
	Tactics  string `json:"alertTacticsColumnName,omitempty"`
	Dynamic  []struct {
		Property string `json:"alertProperty"`
		Value    string `json:"value"`
	} `json:"alertDynamicProperties,omitempty"`
}

type incidentConfig struct {
	CreateIncident bool          `json:"createIncident"`
	Grouping       *groupingJSON `json:"groupingConfiguration,omitempty"`
}

type picketRule struct {
	OnArrival bool `json:"onArrival"`
	NextEnd   any  `json:"nextWindowEndUtc,omitempty"`
}

type ruleBody struct {
	Kind       string         `json:"kind"`
	Etag       string         `json:"etag"`
	Properties ruleProperties `json:"properties"`
}

// RuleJSON is a rule as the REST API shows it.
func (a *API) RuleJSON(r *detect.StoredRule) map[string]any {
	agg := "SingleAlert"
	if r.PerResult {
		agg = "AlertPerResult"
	}
	p := ruleProperties{
		DisplayName: r.Name, Description: r.Description, Severity: string(r.Severity), Enabled: r.Enabled, Tactics: list(r.Tactics), Techniques: list(r.Techniques), Query: r.Query,
		TriggerThreshold: r.Threshold, SuppressionDuration: detect.ISO(r.Suppression), SuppressionEnabled: r.SuppressionEnabled, LastModifiedUTC: stamp(r.Modified),
		EventGrouping: &eventGrouping{agg}, CustomDetails: r.CustomDetails, EntityMappings: r.EntityMappings, Incident: &incidentConfig{CreateIncident: r.CreateIncident},
		Picket: &picketRule{OnArrival: r.OnArrival, NextEnd: stamp(r.NextEnd)},
	}
	if r.Suppression == 0 {
		p.SuppressionDuration = "PT5H"
	}
	if r.Kind == detect.Scheduled {
		p.QueryFrequency, p.QueryPeriod, p.TriggerOperator = detect.ISO(r.Frequency), detect.ISO(r.Period), r.Operator
	}
	if r.TemplateID != "" {
		p.AlertRuleTemplateName = &r.TemplateID
	}
	if r.TemplateVersion != "" {
		p.TemplateVersion = &r.TemplateVersion
	}
	if p.EntityMappings == nil {
		p.EntityMappings = []detect.EntityMapping{}
	}
	if r.NameFormat+r.DescFormat+r.SeverityColumn+r.TacticsColumn != "" || len(r.DynamicProps) > 0 {
		p.Override = &overrideJSON{Name: r.NameFormat, Desc: r.DescFormat, Severity: r.SeverityColumn, Tactics: r.TacticsColumn}
		keys := make([]string, 0, len(r.DynamicProps))
		for k := range r.DynamicProps {
			keys = append(keys, k)
		}
		sort.Strings(keys)
		for _, k := range keys {
			p.Override.Dynamic = append(p.Override.Dynamic, struct {
				Property string `json:"alertProperty"`
				Value    string `json:"value"`
			}{k, r.DynamicProps[k]})
		}
	}
	g := r.Grouping
	if g.Enabled {
		p.Incident.Grouping = &groupingJSON{true, g.ReopenClosed, detect.ISO(g.Lookback), g.Method, list(g.Entities), list(g.AlertDetails), list(g.CustomDetails)}
	}
	return map[string]any{"id": a.insightsID("alertRules", r.ID), "name": r.ID, "type": "Microsoft.SecurityInsights/alertRules", "kind": r.Kind, "etag": etag(r.Etag), "properties": p}
}

func (b *ruleBody) rule(id string) (*detect.Rule, error) {
	p := b.Properties
	if _, err := uuid.Parse(id); err != nil {
		return nil, &Error{Status: 400, Code: "BadRequest", Message: "The rule id '" + id + "' is not a GUID."}
	}
	r := &detect.Rule{
		ID: strings.ToLower(id), Kind: b.Kind, Name: p.DisplayName, Description: p.Description, Severity: detect.Severity(p.Severity), Enabled: p.Enabled, Query: p.Query,
		Operator: p.TriggerOperator, Threshold: p.TriggerThreshold, Tactics: p.Tactics, Techniques: p.Techniques, SuppressionEnabled: p.SuppressionEnabled,
		CustomDetails: p.CustomDetails, EntityMappings: p.EntityMappings, CreateIncident: true,
	}
	var errs []error
	span := func(name, s string) time.Duration {
		v, err := detect.ParseSpan(s)
		if err != nil {
			errs = append(errs, &Error{Status: 400, Code: "BadRequest", Message: name + ": " + err.Error()})
		}
		return v
	}
	switch r.Kind {
	case detect.NRT:
		r.Frequency, r.Period, r.Operator = time.Minute, time.Minute, "GreaterThan"
	case detect.Scheduled:
		r.Frequency, r.Period = span("queryFrequency", p.QueryFrequency), span("queryPeriod", p.QueryPeriod)
	default:
		return nil, &Error{Status: 400, Code: "BadRequest", Message: "kind '" + b.Kind + "' is not served: picket runs Scheduled and NRT rules. The field kind must be present."}
	}
	if p.SuppressionDuration != "" {
		r.Suppression = span("suppressionDuration", p.SuppressionDuration)
	}
	if p.EventGrouping != nil {
		r.PerResult = strings.EqualFold(p.EventGrouping.AggregationKind, "AlertPerResult")
	}
	if p.AlertRuleTemplateName != nil {
		r.TemplateID = *p.AlertRuleTemplateName
	}
	if p.TemplateVersion != nil {
		r.TemplateVersion = *p.TemplateVersion
	}
	if o := p.Override; o != nil {
		r.NameFormat, r.DescFormat, r.SeverityColumn, r.TacticsColumn = o.Name, o.Desc, o.Severity, o.Tactics
		for _, d := range o.Dynamic {
			if r.DynamicProps == nil {
				r.DynamicProps = map[string]string{}
			}
			r.DynamicProps[d.Property] = d.Value
		}
	}
	if c := p.Incident; c != nil {
		r.CreateIncident = c.CreateIncident
		if g := c.Grouping; g != nil {
			r.Grouping = detect.Grouping{Enabled: g.Enabled, ReopenClosed: g.ReopenClosedIncident, Method: g.MatchingMethod, Entities: g.GroupByEntities, AlertDetails: g.GroupByAlertDetails, CustomDetails: g.GroupByCustomDetails}
			if g.LookbackDuration != "" {
				r.Grouping.Lookback = span("lookbackDuration", g.LookbackDuration)
			}
		}
	}
	if p.Picket != nil {
		r.OnArrival = p.Picket.OnArrival
	}
	return r, errors.Join(errs...)
}

func (a *API) listRules(w http.ResponseWriter, r *call) {
	rules, err := a.d.Detect.Rules(r.Context())
	if err != nil {
		a.fail(w, err)
		return
	}
	out := []any{}
	for _, x := range rules {
		out = append(out, a.RuleJSON(x))
	}
	writeJSON(w, 200, map[string]any{"value": out})
}

func (a *API) getRule(w http.ResponseWriter, r *call) {
	x, err := a.d.Detect.Rule(r.Context(), r.v("id"))
	if err != nil {
		a.fail(w, err)
		return
	}
	writeJSON(w, 200, a.RuleJSON(x))
}

func (a *API) putRule(w http.ResponseWriter, r *call) {
	var b ruleBody
	if e := decode(w, r.Request, maxBody, &b); e != nil {
		writeError(w, e)
		return
	}
	tag := b.Etag
	if h := r.Header.Get("If-Match"); h != "" {
		tag = h
	}
	n, e := parseEtag(tag)
	if e != nil {
		writeError(w, e)
		return
	}
	rule, err := b.rule(r.v("id"))
	if err != nil {
		a.fail(w, err)
		return
	}
	status := 200
	old, err := a.d.Detect.Rule(r.Context(), rule.ID)
	switch {
	case errors.Is(err, detect.ErrNotFound):
		status = 201
	case err != nil:
		a.fail(w, err)
		return
	case b.Properties.Picket == nil:
		rule.OnArrival = old.OnArrival // a client that does not know the setting leaves it alone
	}
	s, err := a.d.Detect.SaveRule(r.Context(), rule, r.who.Name, n)
	if err != nil {
		a.fail(w, err)
		return
	}
	writeJSON(w, status, a.RuleJSON(s))
}

func (a *API) deleteRule(w http.ResponseWriter, r *call) {
	err := a.d.Detect.DeleteRule(r.Context(), r.v("id"))
	switch {
	case errors.Is(err, detect.ErrNotFound):
		w.WriteHeader(204)
	case err != nil:
		a.fail(w, err)
	default:
		w.WriteHeader(200)
	}
}
