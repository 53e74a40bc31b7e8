// Package detect turns rows into alerts and alerts into incidents: analytics rules on a schedule or on
// arrival, entities, grouping, the incident's life to its close, and the graph around it.
//
// Rules run over windows of commit order, so that late rows, restarts and outages are caught up and nothing
// is seen twice; now() and ago() in a rule are the window's scheduled end. Ids are derived from (rule, window,
// row): a run repeated after a crash adds nothing.
//
//	d, err := detect.New(detect.Deps{State: db, Query: engine.Run, Append: rows.Append, …})
//	rule, err := detect.ParseTemplate(yamlBytes)
//	err = d.SaveRule(ctx, rule, "alice")
//	go d.Run(ctx)
package detect

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"
	"go.yaml.in/yaml/v3"
)

// Limits of Microsoft Sentinel's scheduled rules (shared/reference/detect.md section 1).
const (
	minEvery        = 5 * time.Minute
	maxEvery        = 14 * 24 * time.Hour
	maxQueryLen     = 10_000 // characters
	maxSuppression  = 24 * time.Hour
	maxAlertsPerRun = 150
	maxMappings     = 10
	maxIdentifiers  = 3
	maxDetails      = 20
	maxTemplate     = 256 << 10 // bytes of YAML
)

// Severity of a rule, an alert, an incident.
type Severity string

// The severities, weakest first.
const (
	Informational Severity = "Informational"
	Low           Severity = "Low"
	Medium        Severity = "Medium"
	High          Severity = "High"
)

var severityRank = map[Severity]int{Informational: 1, Low: 2, Medium: 3, High: 4}

// Kind of a rule.
const (
	Scheduled = "Scheduled"
	NRT       = "NRT"
)

// Rule is an analytics rule. Durations are Go durations; ids are GUIDs in lower case.
type Rule struct {
	ID          string
	Kind        string // Scheduled or NRT
	Name        string
	Description string
	Severity    Severity
	Enabled     bool
	Query       string
	Frequency   time.Duration // a window ends every Frequency
	Period      time.Duration // and looks back Period
	Operator    string        // GreaterThan, LessThan, Equal, NotEqual
	Threshold   int
	Tactics     []string
	Techniques  []string

	SuppressionEnabled bool
	Suppression        time.Duration

	PerResult       bool // one alert a row rather than one a run
	EntityMappings  []EntityMapping
	CustomDetails   map[string]string // key → column
	NameFormat      string            // alertDetailsOverride, {{Column}} placeholders
	DescFormat      string
	SeverityColumn  string
	TacticsColumn   string
	DynamicProps    map[string]string // alertProperty → column
	CreateIncident  bool
	Grouping        Grouping
	TemplateID      string
	TemplateVersion string

	// Warnings say what of a template was left out because Sentinel knows no such thing.
	Warnings []string `json:",omitempty"`

	// OnArrival is picket's own setting, never the template's: the rule also runs when rows arrive in a table
	// it reads.
	OnArrival bool
}

// EntityMapping maps columns to the identifiers of one entity.
type EntityMapping struct {
	Type   string  `json:"entityType" yaml:"entityType"`
	Fields []Field `json:"fieldMappings" yaml:"fieldMappings"`
}

// Field maps one identifier to a column.
type Field struct {
	Identifier string `json:"identifier" yaml:"identifier"`
	Column     string `json:"columnName" yaml:"columnName"`
}

// Grouping says which alerts of the rule share an incident.
type Grouping struct {
	Enabled       bool
	ReopenClosed  bool
	Lookback      time.Duration
	Method        string   // AllEntities, AnyAlert, Selected
	Entities      []string // entity types, for Selected
	AlertDetails  []string // DisplayName, Severity
	CustomDetails []string
}

// ParseTemplate reads a rule as the community publishes it: YAML with the dirt of reference/content.md 4.1 —
// a query wrapped in stray quotes, nulls, odd case, long and short operators. What can't be mended is an
// error that names the key.
func ParseTemplate(src []byte) (*Rule, error) {
	if len(src) > maxTemplate {
		return nil, fmt.Errorf("the rule is larger than %d bytes", maxTemplate)
	}
	var doc yaml.Node
	if err := yaml.Unmarshal(src, &doc); err != nil {
		return nil, fmt.Errorf("the rule is not valid YAML: %w", err)
	}
	if len(doc.Content) == 0 || doc.Content[0].Kind != yaml.MappingNode {
		return nil, errors.New("the rule is not a YAML mapping with the keys id, name, severity, query, …")
	}
	t := lowerKeys(doc.Content[0])
	var raw struct {
		ID, Name, Description, Severity, Kind, Query, Version string
		QueryFrequency                                        string `yaml:"queryfrequency"`
		QueryPeriod                                           string `yaml:"queryperiod"`
		TriggerOperator                                       string `yaml:"triggeroperator"`
		TriggerThreshold                                      *int   `yaml:"triggerthreshold"`
		SuppressionDuration                                   string `yaml:"suppressionduration"`
		SuppressionEnabled                                    bool   `yaml:"suppressionenabled"`
		Tactics                                               []string
		Techniques                                            []string `yaml:"relevanttechniques"`
		EntityMappings                                        []struct {
			Type   string `yaml:"entitytype"`
			Fields []struct {
				Identifier string
				Column     string `yaml:"columnname"`
			} `yaml:"fieldmappings"`
		} `yaml:"entitymappings"`
		CustomDetails map[string]string `yaml:"-"`
		Override      struct {
			Name     string `yaml:"alertdisplaynameformat"`
			Desc     string `yaml:"alertdescriptionformat"`
			Severity string `yaml:"alertseveritycolumnname"`
			Tactics  string `yaml:"alerttacticscolumnname"`
			Dynamic  []struct {
				Property string `yaml:"alertproperty"`
				Value    string
			} `yaml:"alertdynamicproperties"`
		} `yaml:"alertdetailsoverride"`
		Event struct {
			Kind string `yaml:"aggregationkind"`
		} `yaml:"eventgroupingsettings"`
		Incident struct {
			Create   *bool `yaml:"createincident"`
			Grouping struct {
				Enabled       bool
				Reopen        bool     `yaml:"reopenclosedincident"`
				Lookback      string   `yaml:"lookbackduration"`
				Method        string   `yaml:"matchingmethod"`
				Entities      []string `yaml:"groupbyentities"`
				AlertDetails  []string `yaml:"groupbyalertdetails"`
				CustomDetails []string `yaml:"groupbycustomdetails"`
			} `yaml:"groupingconfiguration"`
		} `yaml:"incidentconfiguration"`
	}
	if err := t.Decode(&raw); err != nil {
		return nil, fmt.Errorf("the rule's YAML does not fit a rule: %w", err)
	}
	r := &Rule{
		ID: strings.ToLower(strings.TrimSpace(raw.ID)), Kind: raw.Kind, Name: strings.TrimSpace(raw.Name),
		Description: unquote(raw.Description), Query: unquote(raw.Query), Tactics: raw.Tactics, Techniques: raw.Techniques,
		SuppressionEnabled: raw.SuppressionEnabled, NameFormat: raw.Override.Name, DescFormat: raw.Override.Desc,
		SeverityColumn: raw.Override.Severity, TacticsColumn: raw.Override.Tactics, CreateIncident: true,
		TemplateID: strings.ToLower(raw.ID), TemplateVersion: raw.Version,
	}
	if raw.Incident.Create != nil {
		r.CreateIncident = *raw.Incident.Create
	}
	switch {
	case r.Kind == "" || strings.EqualFold(r.Kind, Scheduled):
		r.Kind = Scheduled
	case strings.EqualFold(r.Kind, NRT):
		r.Kind = NRT
	default:
		return nil, fmt.Errorf("kind %q is not served: picket runs Scheduled and NRT rules", raw.Kind)
	}
	r.PerResult = strings.EqualFold(raw.Event.Kind, "AlertPerResult")
	sev, err := parseSeverity(raw.Severity)
	if err != nil {
		return nil, fmt.Errorf("severity: %w", err)
	}
	r.Severity = sev
	if r.Kind == NRT {
		r.Frequency, r.Period, r.Operator = time.Minute, time.Minute, "GreaterThan"
	} else {
		if r.Frequency, err = ParseSpan(raw.QueryFrequency); err != nil {
			return nil, fmt.Errorf("queryFrequency: %w", err)
		}
		if r.Period, err = ParseSpan(raw.QueryPeriod); err != nil {
			return nil, fmt.Errorf("queryPeriod: %w", err)
		}
		if r.Operator, err = parseOperator(raw.TriggerOperator); err != nil {
			return nil, fmt.Errorf("triggerOperator: %w", err)
		}
	}
	if raw.TriggerThreshold != nil {
		r.Threshold = *raw.TriggerThreshold
	}
	if raw.SuppressionDuration != "" {
		if r.Suppression, err = ParseSpan(raw.SuppressionDuration); err != nil {
			return nil, fmt.Errorf("suppressionDuration: %w", err)
		}
	}
	for i, m := range raw.EntityMappings {
		em := EntityMapping{Type: m.Type}
		k, known := entityKind(m.Type)
		for _, f := range m.Fields {
			if known && !k.has(f.Identifier) {
				r.Warnings = append(r.Warnings, fmt.Sprintf("entityMappings[%d] (%s): %q is not an identifier of it and was left out; known: %s", i, m.Type, f.Identifier, strings.Join(k.fields, ", ")))
				continue
			}
			em.Fields = append(em.Fields, Field{Identifier: f.Identifier, Column: f.Column})
		}
		if len(em.Fields) > 0 || !known {
			r.EntityMappings = append(r.EntityMappings, em)
		}
	}
	if n := keyNode(doc.Content[0], "customDetails"); n != nil && n.Kind == yaml.MappingNode {
		if err := n.Decode(&r.CustomDetails); err != nil {
			return nil, fmt.Errorf("customDetails: %w", err)
		}
	}
	for _, p := range raw.Override.Dynamic {
		if r.DynamicProps == nil {
			r.DynamicProps = map[string]string{}
		}
		r.DynamicProps[p.Property] = p.Value
	}
	g := raw.Incident.Grouping
	r.Grouping = Grouping{Enabled: g.Enabled, ReopenClosed: g.Reopen, Method: g.Method, Entities: g.Entities, AlertDetails: g.AlertDetails, CustomDetails: g.CustomDetails}
	if g.Lookback != "" {
		if r.Grouping.Lookback, err = ParseSpan(g.Lookback); err != nil {
			return nil, fmt.Errorf("incidentConfiguration.groupingConfiguration.lookbackDuration: %w", err)
		}
	}
	if r.ID == "" {
		r.ID = uuid.NewString()
	}
	return r, r.Validate()
}

// unquote takes off the single quotes that stray around a whole block of text.
func unquote(s string) string {
	s = strings.TrimSpace(s)
	if len(s) >= 2 && s[0] == '\'' && s[len(s)-1] == '\'' {
		return strings.TrimSpace(s[1 : len(s)-1])
	}
	if strings.HasPrefix(s, "'") && strings.Count(s, "'") == 1 {
		return strings.TrimSpace(s[1:])
	}
	return s
}

// lowerKeys copies a mapping with its keys in lower case, all levels down: templates spell them as they like.
func lowerKeys(n *yaml.Node) *yaml.Node {
	c := *n
	c.Content = make([]*yaml.Node, len(n.Content))
	for i, x := range n.Content {
		if n.Kind == yaml.MappingNode && i%2 == 0 {
			k := *x
			k.Value = strings.ToLower(k.Value)
			c.Content[i] = &k
			continue
		}
		c.Content[i] = lowerKeys(x)
	}
	return &c
}

func keyNode(m *yaml.Node, key string) *yaml.Node {
	for i := 0; i+1 < len(m.Content); i += 2 {
		if strings.EqualFold(m.Content[i].Value, key) {
			return m.Content[i+1]
		}
	}
	return nil
}

func parseSeverity(s string) (Severity, error) {
	for sev := range severityRank {
		if strings.EqualFold(string(sev), strings.TrimSpace(s)) {
			return sev, nil
		}
	}
	return "", fmt.Errorf("%q is not one of Informational, Low, Medium, High", s)
}

func parseOperator(s string) (string, error) {
	switch strings.ToLower(strings.TrimSpace(s)) {
	case "gt", "greaterthan", "":
		return "GreaterThan", nil
	case "lt", "lessthan":
		return "LessThan", nil
	case "eq", "equal":
		return "Equal", nil
	case "ne", "notequal":
		return "NotEqual", nil
	}
	return "", fmt.Errorf("%q is not one of gt, lt, eq, ne", s)
}

var shortSpan = regexp.MustCompile(`^(\d+)\s*([dhms])$`)

// ParseSpan reads 15m, 1h, 1d and ISO 8601 (PT15M, P1D).
func ParseSpan(s string) (time.Duration, error) {
	s = strings.TrimSpace(s)
	if m := shortSpan.FindStringSubmatch(strings.ToLower(s)); m != nil {
		n, err := strconv.Atoi(m[1])
		if err != nil || n > 1_000_000 {
			return 0, fmt.Errorf("the duration %q is too long", s)
		}
		unit := map[string]time.Duration{"d": 24 * time.Hour, "h": time.Hour, "m": time.Minute, "s": time.Second}[m[2]]
		return time.Duration(n) * unit, nil
	}
	u := strings.ToUpper(s)
	if rest, ok := strings.CutPrefix(u, "P"); ok && rest != "" {
		day, clock, _ := strings.Cut(rest, "T")
		var d time.Duration
		if day != "" {
			n, err := strconv.Atoi(strings.TrimSuffix(day, "D"))
			if err != nil || !strings.HasSuffix(day, "D") || n > 10_000 {
				return 0, fmt.Errorf("%q is not a duration such as PT15M or P1D", s)
			}
			d = time.Duration(n) * 24 * time.Hour
		}
		if clock != "" {
			c, err := time.ParseDuration(strings.ToLower(clock))
			if err != nil {
				return 0, fmt.Errorf("%q is not a duration such as PT15M or P1D", s)
			}
			d += c
		}
		return d, nil
	}
	return 0, fmt.Errorf("%q is not a duration such as 15m, 1h, 1d or PT15M", s)
}

// ISO writes a duration as ISO 8601, as Azure does: P1D, PT15M, PT1H30M.
func ISO(d time.Duration) string {
	if d <= 0 {
		return "PT0S"
	}
	var b strings.Builder
	b.WriteByte('P')
	if days := d / (24 * time.Hour); days > 0 {
		fmt.Fprintf(&b, "%dD", days)
		d -= days * 24 * time.Hour
	}
	if d > 0 {
		b.WriteByte('T')
		for _, u := range []struct {
			d time.Duration
			c byte
		}{{time.Hour, 'H'}, {time.Minute, 'M'}, {time.Second, 'S'}} {
			if n := d / u.d; n > 0 {
				fmt.Fprintf(&b, "%d%c", n, u.c)
				d -= n * u.d
			}
		}
	}
	return b.String()
}

var detailKey = regexp.MustCompile(`^[a-zA-Z]\w*$`)

// Validate checks a rule against Sentinel's limits; the error names the field and the mend. It does not
// compile the query: see Detector.SaveRule.
func (r *Rule) Validate() error {
	if r.Name == "" {
		return errors.New("name: a rule needs a name")
	}
	if _, err := uuid.Parse(r.ID); err != nil {
		return fmt.Errorf("id: %q is not a GUID", r.ID)
	}
	if severityRank[r.Severity] == 0 {
		return fmt.Errorf("severity: %q is not one of Informational, Low, Medium, High", r.Severity)
	}
	if q := strings.TrimSpace(r.Query); q == "" {
		return errors.New("query: a rule needs a query")
	}
	if n := len([]rune(r.Query)); n > maxQueryLen {
		return fmt.Errorf("query: %d characters, %d at most", n, maxQueryLen)
	}
	if r.Kind == Scheduled {
		for _, f := range []struct {
			name string
			d    time.Duration
		}{{"queryFrequency", r.Frequency}, {"queryPeriod", r.Period}} {
			if f.d < minEvery || f.d > maxEvery {
				return fmt.Errorf("%s: %s is outside 5 minutes to 14 days", f.name, ISO(f.d))
			}
		}
		if r.Period < r.Frequency {
			return fmt.Errorf("queryPeriod: %s is shorter than queryFrequency %s: rows between the windows would never be seen", ISO(r.Period), ISO(r.Frequency))
		}
	}
	if !slices.Contains([]string{"GreaterThan", "LessThan", "Equal", "NotEqual"}, r.Operator) {
		return fmt.Errorf("triggerOperator: %q is not one of GreaterThan, LessThan, Equal, NotEqual", r.Operator)
	}
	if r.Threshold < 0 || r.Threshold > 10_000 {
		return fmt.Errorf("triggerThreshold: %d is outside 0 to 10000", r.Threshold)
	}
	if r.Suppression > maxSuppression {
		return fmt.Errorf("suppressionDuration: %s is longer than 24 hours", ISO(r.Suppression))
	}
	if len(r.EntityMappings) > maxMappings {
		return fmt.Errorf("entityMappings: %d mappings, %d at most", len(r.EntityMappings), maxMappings)
	}
	for i, m := range r.EntityMappings {
		k, ok := entityKind(m.Type)
		if !ok {
			return fmt.Errorf("entityMappings[%d]: %q is not an entity type; known: %s", i, m.Type, strings.Join(entityTypeNames(), ", "))
		}
		if len(m.Fields) == 0 || len(m.Fields) > maxIdentifiers {
			return fmt.Errorf("entityMappings[%d] (%s): %d identifiers, 1 to %d needed", i, m.Type, len(m.Fields), maxIdentifiers)
		}
		for _, f := range m.Fields {
			if !k.has(f.Identifier) {
				return fmt.Errorf("entityMappings[%d] (%s): %q is not an identifier of it; known: %s", i, m.Type, f.Identifier, strings.Join(k.fields, ", "))
			}
		}
	}
	if len(r.CustomDetails) > maxDetails {
		return fmt.Errorf("customDetails: %d keys, %d at most", len(r.CustomDetails), maxDetails)
	}
	for k := range r.CustomDetails {
		if len(k) > 20 || !detailKey.MatchString(k) {
			return fmt.Errorf("customDetails: the key %q is not a letter followed by letters, digits or _, 20 at most", k)
		}
	}
	if g := r.Grouping; g.Enabled {
		if !slices.Contains([]string{"AllEntities", "AnyAlert", "Selected"}, g.Method) {
			return fmt.Errorf("groupingConfiguration.matchingMethod: %q is not one of AllEntities, AnyAlert, Selected", g.Method)
		}
		if g.Method == "Selected" && len(g.Entities)+len(g.AlertDetails)+len(g.CustomDetails) == 0 {
			return errors.New("groupingConfiguration: Selected needs at least one of groupByEntities, groupByAlertDetails, groupByCustomDetails")
		}
		if g.Lookback != 0 && (g.Lookback < minEvery || g.Lookback > 7*24*time.Hour) {
			return fmt.Errorf("groupingConfiguration.lookbackDuration: %s is outside 5 minutes to 7 days", ISO(g.Lookback))
		}
	}
	return nil
}

// triggered reports whether n rows pass the rule's threshold.
func (r *Rule) triggered(n int) bool {
	switch r.Operator {
	case "LessThan":
		return n < r.Threshold
	case "Equal":
		return n == r.Threshold
	case "NotEqual":
		return n != r.Threshold
	}
	return n > r.Threshold
}
