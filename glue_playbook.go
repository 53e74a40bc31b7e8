package picket

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"path/filepath"
	"picket/connector"
	"picket/content"
	"picket/detect"
	"picket/ingest/usage"
	"picket/kql/bind"
	"picket/playbook"
	"picket/web"
	"strings"
	"time"

	"github.com/google/uuid"
)

// connectorDeps is what the connectors get.
func (p *Picket) connectorDeps() (connector.Deps, error) {
	d := connector.Deps{
		Collect: p.collectForPlaybook, Query: p.query.Run, Sentinel: p.sentinel(), Post: p.postForPlaybook,
		Secret: func(ctx context.Context, name, version string) (*playbook.Secret, error) {
			return p.playbooks.Secret(ctx, name, version)
		},
		Secrets: func(ctx context.Context) ([]playbook.SecretInfo, error) { return p.playbooks.Secrets(ctx) },
	}
	d.Send = func(r *http.Request) (*http.Response, []byte, error) { return p.playbooks.Send(r) }
	d.Identity = p.playbookIdentity
	own, err := connector.Descriptions(filepath.Join(p.cfg.Data, "connectors"))
	if err != nil {
		return d, err
	}
	shipped, err := connector.ShippedDescriptions()
	if err != nil {
		return d, err
	}
	d.Described = append(own, shipped...)
	if p.cfg.SMTP.Host != "" {
		d.Mail = p.sendMail
	}
	return d, nil
}

// playbookIdentity signs a managed identity in: as the app registration whose tenant, client id and secret are in the
// vault. Without one it is refused: a token of this picket is worth nothing elsewhere.
func (p *Picket) playbookIdentity(ctx context.Context, identity, audience string) (string, error) {
	var v [3]string
	for i, n := range []string{"identity-tenant", "identity-client-id", "identity-client-secret"} {
		s, err := p.playbooks.Secret(ctx, n, "")
		if err != nil {
			return "", fmt.Errorf("the managed identity '%s' signs in to '%s' as an app registration, which is not set up: %w", identity, audience, err)
		}
		v[i] = s.Value
	}
	return p.playbooks.ClientCredentials(ctx, v[0], v[1], v[2], audience)
}

func (p *Picket) sentinel() *connector.Sentinel {
	return &connector.Sentinel{Detector: p.detect, Workspace: detect.Workspace{ID: p.ws.ID, SubscriptionID: p.ws.SubscriptionID, ResourceGroup: p.ws.ResourceGroup, Name: p.ws.Name}, Rows: p.ingest.Rows}
}

// notifyPlaybooks starts the playbooks that subscribe to incidents and alerts: for a new incident once, for each of its
// alerts once, however often the event is told. A playbook that can't run is logged and doesn't hold up the others.
func (p *Picket) notifyPlaybooks(ctx context.Context, e detect.Event) error {
	s := p.sentinel()
	tell := func(path, id string, body any) error {
		_, err := p.playbooks.Notify(ctx, playbook.Notification{API: "azuresentinel", Path: path, ID: id, Body: body})
		var why *playbook.Error
		if errors.As(err, &why) {
			p.log.Warn("a playbook could not be started", "incident", e.IncidentID, "error", why)
			return nil
		}
		return err
	}
	if e.Created {
		body, err := s.IncidentBody(ctx, e.IncidentID, uuid.NewSHA1(uuid.NameSpaceURL, []byte("incident-created:"+e.IncidentID)).String(), "Create")
		if err != nil {
			return err
		}
		if err := tell("/incident-creation", "incident\x00"+e.IncidentID, body); err != nil {
			return err
		}
	}
	alerts, err := p.detect.Alerts(ctx, e.IncidentID)
	if err != nil {
		return err
	}
	for _, a := range alerts {
		if !e.Created && time.Since(a.Created) > time.Hour {
			continue // told when it came
		}
		body, err := s.AlertBody(a)
		if err != nil {
			return err
		}
		if err := tell("/subscribe", "alert\x00"+a.ID, body); err != nil {
			return err
		}
	}
	return nil
}

// runPlaybook starts one playbook on an incident, because a person asks for it.
func (p *Picket) runPlaybook(ctx context.Context, incidentID, name string, by web.User) (string, error) {
	in, err := p.detect.Incident(ctx, incidentID)
	if err != nil {
		return "", err
	}
	id := uuid.NewString()
	body, err := p.sentinel().IncidentBody(ctx, in.ID, id, "Update")
	if err != nil {
		return "", err
	}
	runs, err := p.playbooks.Notify(ctx, playbook.Notification{API: "azuresentinel", Path: "/incident-creation", Workflow: name, ID: id, Body: body})
	if err != nil {
		return "", err
	}
	if len(runs) == 0 {
		return "", fmt.Errorf("the playbook %s is off, or has no incident trigger", name)
	}
	p.log.Info("playbook started on an incident", "playbook", name, "incident", in.Number, "by", by.Name)
	return runs[0], nil
}

// function is a saved function: the workspace's own, or one that picket ships.
func (p *Picket) function(name string) (bind.Function, bool) {
	if f, ok := p.saved.Function(name); ok {
		return f, true
	}
	if f, ok := p.watchlistFunction(name); ok {
		return f, true
	}
	if name == "_LogOperation" {
		return bind.Function{Name: name, Params: "()", Body: usage.LogOperation}, true
	}
	body, ok := content.Function(name)
	return bind.Function{Name: name, Params: "()", Body: body}, ok
}

// templateResource answers the template functions reference() and listKeys() about this workspace, which deployment
// templates name by its name or its id.
func (p *Picket) templateResource(function, id string) (any, bool) {
	parts := strings.Split(strings.Trim(id, "/"), "/")
	if len(parts) < 3 || !strings.EqualFold(parts[len(parts)-3], "Microsoft.OperationalInsights") || !strings.EqualFold(parts[len(parts)-2], "workspaces") {
		return nil, false
	}
	if n := parts[len(parts)-1]; !strings.EqualFold(n, p.ws.Name) && !strings.EqualFold(n, p.ws.ID) {
		return nil, false
	}
	switch strings.ToLower(function) {
	case "reference":
		return map[string]any{"customerId": p.ws.ID, "provisioningState": "Succeeded"}, true
	case "listkeys":
		keys := p.azure.SharedKeys()
		return map[string]any{"primarySharedKey": keys[0], "secondarySharedKey": keys[1]}, true
	}
	return nil, false
}
