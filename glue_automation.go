package picket

import (
	"context"
	"errors"
	"fmt"
	"picket/detect"
	"picket/kql/bind"
	"picket/playbook"
	"strings"
	"time"
)

// runForRule starts a playbook because an automation rule says so. A resource id names it by its last part: a rule
// written for a workspace in Azure holds its ids.
func (p *Picket) runForRule(ctx context.Context, s detect.PlaybookStart) (string, error) {
	name := s.Workflow[strings.LastIndexByte(s.Workflow, '/')+1:]
	n := playbook.Notification{API: "azuresentinel", Workflow: name, ID: s.ID}
	trigger := "incident"
	if s.AlertID != "" {
		a, err := p.detect.Alert(ctx, s.AlertID)
		if err != nil {
			return "", err
		}
		if n.Body, err = p.sentinel().AlertBody(a); err != nil {
			return "", err
		}
		n.Path, trigger = "/subscribe", "alert"
	} else {
		event := "Update"
		if s.Event.Created {
			event = "Create"
		}
		body, err := p.sentinel().IncidentBody(ctx, s.IncidentID, s.ID, event)
		if err != nil {
			return "", err
		}
		n.Path, n.Body = "/incident-creation", body
	}
	runs, err := p.playbooks.Notify(ctx, n)
	var why *playbook.Error
	if errors.As(err, &why) {
		return "", fmt.Errorf("%w: %w", detect.ErrRefused, err)
	}
	if err != nil {
		return "", err
	}
	if len(runs) == 0 {
		return "", fmt.Errorf("the playbook %s is not deployed, is off, or has no %s trigger: %w", name, trigger, detect.ErrRefused)
	}
	return runs[0], nil
}

// watchlistFunction is `_GetWatchlist` or `_GetWatchlistAlias`, over the lists there are now.
func (p *Picket) watchlistFunction(name string) (bind.Function, bool) {
	if name != "_GetWatchlist" && name != "_GetWatchlistAlias" {
		return bind.Function{}, false
	}
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	get, aliases, err := p.detect.WatchlistFunctions(ctx)
	if err != nil {
		p.log.Error("read the watchlists", "error", err)
		return bind.Function{}, false
	}
	if name == "_GetWatchlist" {
		return bind.Function{Name: name, Params: "(watchlistAlias:string)", Body: get}, true
	}
	return bind.Function{Name: name, Params: "()", Body: aliases}, true
}
