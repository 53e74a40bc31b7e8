package playbook

import (
	"context"
	"errors"
	"fmt"
	"picket/playbook/arm"
	"picket/playbook/expr"
	"picket/state"
	"strings"
	"time"
)

// plannedAPI is a template's own connector before it is stored.
type plannedAPI struct {
	name, service string
	openAPI       []byte
	connector     Connector
}

// customAPI reads a Microsoft.Web/customApis resource; why says why it can't be had here.
func (e *Engine) customAPI(x *arm.Resource) (p *plannedAPI, why string) {
	if e.deps.CustomAPI == nil {
		return nil, "this picket makes no connectors of templates"
	}
	doc := x.Properties.Value("swagger")
	if doc == nil {
		return nil, "it has no 'swagger'; put the API's description into the folder of connectors"
	}
	p = &plannedAPI{name: strings.ToLower(x.Name), openAPI: []byte(expr.JSON(doc))}
	if s, ok := doc.(string); ok {
		p.openAPI = []byte(s)
	}
	p.service, _ = object(x.Properties.Value("backendService")).Value("serviceUrl").(string)
	c, err := e.deps.CustomAPI(p.name, p.openAPI, p.service)
	if err != nil {
		return nil, err.Error()
	}
	p.connector = c
	return p, ""
}

func (e *Engine) putAPI(tx *state.Tx, p *plannedAPI, now time.Time) error {
	blob, err := e.seal.encode(string(p.openAPI), false)
	if err != nil {
		return err
	}
	if _, err := tx.Exec(`INSERT INTO playbook_api(name, service, openapi, changed) VALUES(?,?,?,?)
		ON CONFLICT(name) DO UPDATE SET service=excluded.service, openapi=excluded.openapi, changed=excluded.changed`, p.name, p.service, blob, micros(now)); err != nil {
		return fmt.Errorf("store connector %s: %w", p.name, err)
	}
	return nil
}

// loadAPIs makes the connectors that templates brought.
func (e *Engine) loadAPIs(ctx context.Context) error {
	if e.deps.CustomAPI == nil {
		return nil
	}
	rows, err := e.db.Query(ctx, `SELECT name, service, openapi FROM playbook_api`)
	if err != nil {
		return fmt.Errorf("connectors of templates: %w", err)
	}
	defer rows.Close()
	for rows.Next() {
		var p plannedAPI
		var blob []byte
		if err := rows.Scan(&p.name, &p.service, &blob); err != nil {
			return err
		}
		v, err := e.seal.decode(blob)
		if err != nil {
			return fmt.Errorf("connector %s: %w", p.name, err)
		}
		text, _ := v.(string)
		c, err := e.deps.CustomAPI(p.name, []byte(text), p.service)
		if err != nil {
			e.log.Warn("playbook: a template's connector can't be used", "connector", p.name, "error", err)
			continue
		}
		e.customs.Store(p.name, c)
	}
	return errors.Join(rows.Err(), rows.Close())
}
