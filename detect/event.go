package detect

import (
	"context"
	"errors"
	"slices"
	"strings"
)

// ErrRefused is wrapped by errors that trying again will not mend.
var ErrRefused = errors.New("refused")

// Who changes an incident, as the condition IncidentUpdatedBySource names it.
const (
	SourceUser       = "User"
	SourceGrouping   = "AlertGrouping"
	SourceAutomation = "AutomationRule"
	SourcePlaybook   = "Playbook"
)

// Event says that an incident was made or changed, or that an alert came that has none.
type Event struct {
	IncidentID string // "" for an alert without an incident
	Created    bool
	Etag       int64            `json:",omitempty"` // of the incident after the change
	By         string           `json:",omitempty"`
	Source     string           `json:",omitempty"` // one of the Source constants
	Changes    []PropertyChange `json:",omitempty"`
	Added      []string         `json:",omitempty"` // of Alerts, Comments, Labels, Tactics
	NewAlerts  []string         `json:",omitempty"` // ids
	Chain      []string         `json:",omitempty"` // automation rules whose actions led here
}

// PropertyChange is a property of an incident that got another value.
type PropertyChange struct{ Property, From, To string } // Property is Severity, Status or Owner

// differ notes what a change did to an incident.
func (e *Event) differ(was, is *Incident) {
	for _, c := range []PropertyChange{
		{"Severity", string(was.Severity), string(is.Severity)}, {"Status", was.Status, is.Status}, {"Owner", was.Owner.name(), is.Owner.name()},
	} {
		if c.From != c.To {
			e.Changes = append(e.Changes, c)
		}
	}
	for _, id := range is.AlertIDs {
		if !slices.Contains(was.AlertIDs, id) {
			e.NewAlerts = append(e.NewAlerts, id)
		}
	}
	if len(e.NewAlerts) > 0 {
		e.Added = append(e.Added, "Alerts")
	}
	if is.Comments > was.Comments {
		e.Added = append(e.Added, "Comments")
	}
	if slices.ContainsFunc(is.Labels, func(l Label) bool {
		return !slices.ContainsFunc(was.Labels, func(w Label) bool { return strings.EqualFold(w.Name, l.Name) })
	}) {
		e.Added = append(e.Added, "Labels")
	}
	if slices.ContainsFunc(is.Tactics, func(t string) bool { return !slices.Contains(was.Tactics, t) }) {
		e.Added = append(e.Added, "Tactics")
	}
}

type originKey struct{}

type origin struct {
	source string
	chain  []string
}

// WithSource says on whose behalf the changes made with the context are; without it a change is a user's.
func WithSource(ctx context.Context, source string) context.Context {
	return context.WithValue(ctx, originKey{}, origin{source: source})
}

func originOf(ctx context.Context, actor string) string {
	if o, ok := ctx.Value(originKey{}).(origin); ok {
		return o.source
	}
	if actor == self {
		return SourceGrouping
	}
	return SourceUser
}

func chainOf(ctx context.Context) []string {
	o, _ := ctx.Value(originKey{}).(origin)
	return o.chain
}

// self is the actor of what rules do.
const self = "picket"
