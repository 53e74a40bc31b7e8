package picket

import (
	"strings"

	"picket/connector"
	"picket/content"
	"picket/kql/bind"
)

// connectorDeps is what the connectors get.
func (p *Picket) connectorDeps() connector.Deps {
	return connector.Deps{Collect: p.collectForPlaybook, Query: p.query.Run}
}

// function is a saved function: the workspace's own, or one that picket ships.
func (p *Picket) function(name string) (bind.Function, bool) {
	if f, ok := p.saved.Function(name); ok {
		return f, true
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
		return map[string]any{"primarySharedKey": p.ws.SharedKeys[0], "secondarySharedKey": p.ws.SharedKeys[1]}, true
	}
	return nil, false
}
