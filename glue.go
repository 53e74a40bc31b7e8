package picket

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"net/url"
	"path/filepath"
	"picket/azure"
	"picket/canary"
	"picket/connector"
	"picket/detect"
	"picket/ingest"
	"picket/kql/value"
	"picket/lake"
	"picket/playbook"
	"picket/query"
	"picket/web"
	"strconv"
	"strings"
	"time"
)

// checkRule compiles a rule's query.
func (p *Picket) checkRule(ctx context.Context, text string) (detect.Checked, error) {
	c, err := p.query.Check(ctx, text)
	return detect.Checked{Tables: c.Tables, Missing: c.Missing}, err
}

// collect stores a Data Collector request and gives its failures the service's shape.
func (p *Picket) collect(ctx context.Context, r azure.CollectRequest) error {
	ingest.SetPrincipal(ctx, "shared key")
	_, err := p.ingest.Collect(ctx, ingest.CollectRequest{LogType: r.LogType, Body: r.Body, TimeField: r.TimeField, ResourceID: r.ResourceID})
	return collectError(err)
}

func collectError(err error) error {
	var bad *ingest.Error
	switch {
	case err == nil:
		return nil
	case errors.As(err, &bad):
		return &azure.Error{Status: bad.Status, Code: bad.Code, Message: bad.Message}
	case errors.Is(err, lake.ErrFull):
		return &azure.Error{Status: 429, Code: "TooManyRequests", Message: "The disk is full: nothing of this request was stored. Free space or shorten a table's retention; send it again."}
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return &azure.Error{Status: 503, Code: "ServiceUnavailable", Message: "The request was not stored in time: send it again."}
	}
	return err
}

// collectForPlaybook is the data collector connector's way in. The action run's id makes a resumed action add
// no second row.
func (p *Picket) collectForPlaybook(ctx context.Context, logType string, body []byte, timeField, opID string) (int, error) {
	_, err := p.ingest.Collect(ctx, ingest.CollectRequest{LogType: logType, Body: body, TimeField: timeField, OpID: opID})
	err = collectError(err)
	var ae *azure.Error
	if errors.As(err, &ae) {
		return ae.Status, err
	}
	if err != nil {
		return 500, err
	}
	return 200, nil
}

const marks = "canary/"

// appendTrips commits trips and how far the log has been read, together.
func (p *Picket) appendTrips(ctx context.Context, rows *value.Frame, ms []canary.Mark) error {
	m := map[string]string{}
	for _, x := range ms {
		b, err := json.Marshal(x.Offset)
		if err != nil {
			return err
		}
		m[marks+x.File] = string(b)
	}
	_, err := p.lake.Append(ctx, lake.Batch{Table: canary.TripTable, Frame: rows, Marks: m})
	return err
}

func (p *Picket) committedMarks(ctx context.Context) ([]canary.Mark, error) {
	all, err := p.lake.Marks(ctx, marks)
	if err != nil {
		return nil, err
	}
	var out []canary.Mark
	for k, v := range all {
		m := canary.Mark{File: strings.TrimPrefix(k, marks)}
		if err := json.Unmarshal([]byte(v), &m.Offset); err != nil {
			return nil, err
		}
		out = append(out, m)
	}
	return out, nil
}

// queryTrips reads a token's trips, newest first.
func (p *Picket) queryTrips(ctx context.Context, q canary.TripQuery) (*value.Frame, error) {
	text := canary.TripTable + ` | where Token == ` + kqlString(q.Token) + ` | top ` + strconv.Itoa(q.Limit) + ` by TimeGenerated desc`
	res, err := p.query.Run(ctx, query.Request{Text: text, To: q.Before})
	if err != nil {
		return nil, err
	}
	out := value.NewFrame(canary.TripSchema())
	if len(res.Tables) == 0 || res.Tables[0].Rows() == 0 {
		for _, c := range out.Schema {
			out.Vecs = append(out.Vecs, value.New(c.Type, 0))
		}
		return out, nil
	}
	t := res.Tables[0]
	out.Schema = t.Schema
	for i, c := range t.Schema {
		v := value.New(c.Type, t.Rows())
		at := 0
		for _, f := range t.Frames {
			for r := 0; r < f.N; r++ {
				v.Set(at, f.Vecs[i].At(r))
				at++
			}
		}
		out.Vecs = append(out.Vecs, v)
	}
	out.N = t.Rows()
	return out, nil
}

func kqlString(s string) string {
	b, _ := json.Marshal(s) // a JSON string is a KQL string
	return string(b)
}

// geoBag answers geo_info_from_ip_address.
func (p *Picket) geoBag(ip string) (*value.Bag, bool) {
	a, err := netip.ParseAddr(ip)
	if err != nil {
		return nil, false
	}
	i, ok := p.geo.Lookup(a)
	if !ok {
		return nil, false
	}
	b := value.NewBag()
	b.Set("country", i.Country)
	b.Set("state", i.Region)
	b.Set("city", i.City)
	if i.HasLoc {
		b.Set("latitude", i.Lat)
		b.Set("longitude", i.Lon)
	}
	return b, true
}

// newPlaybooks opens the engine with the connectors and the host map.
func (p *Picket) newPlaybooks(deps connector.Deps) (*playbook.Engine, error) {
	p.diag = newDiagnostics()
	return playbook.New(playbook.Deps{
		DB: p.state, KeyFile: filepath.Join(p.cfg.Data, "playbook.key"), PublicURL: p.publicURL, Log: p.log, SubscriptionID: p.ws.SubscriptionID, TenantID: p.ws.TenantID,
		ResourceGroup: p.ws.ResourceGroup, Location: p.ws.Location, Connectors: connector.All(deps), Resource: p.templateResource, Identity: p.playbookIdentity, Event: p.diag.note,
		Retention: playbook.Retention{Age: p.cfg.RunRetention, Runs: p.cfg.RunHistory}, Function: p.functionURL, CustomAPI: connector.Custom(deps),
		Outbound: playbook.Outbound{Allow: p.cfg.Outbound, Only: !p.cfg.OutboundPublic, Hosts: p.hostMap()},
	})
}

// functionURL is the address of a function of an Azure function app, from the settings.
// Its key is the secret function-APP of the vault, where there is one.
func (p *Picket) functionURL(ctx context.Context, app, name string) (string, error) {
	u, ok := p.cfg.Functions[app+"/"+name]
	if base, has := p.cfg.Functions[app]; !ok && has {
		u, ok = strings.TrimRight(base, "/")+"/api/"+url.PathEscape(name), true
	}
	if ok {
		s, err := p.playbooks.Secret(ctx, "function-"+app, "")
		switch {
		case errors.Is(err, playbook.ErrNoSecret): // the function says itself when it wants one
		case err != nil:
			return "", err
		default:
			u += "?code=" + url.QueryEscape(s.Value)
		}
		return u, nil
	}
	return "", fmt.Errorf("the function %s of the app %s has no address here: map it with the setting functions (%s/%s: URL)", name, app, app, name)
}

// deliverCallback hands a webhook to the playbook whose callback it is.
func (p *Picket) deliverCallback(ctx context.Context, url string, header http.Header, body []byte) (int, error) {
	status, _, _, own, err := p.playbooks.DeliverCallback(ctx, url, http.MethodPost, header, body)
	if err == nil && !own {
		return 0, errors.New("the callback URL's signature is no longer valid: its playbook was deleted or its key regenerated")
	}
	return status, err
}

// lazy is a handler that is made after those who hold it.
func lazy(h func() http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { h().ServeHTTP(w, r) })
}

// webDeps is what the page gets.
func (p *Picket) webDeps() web.Deps {
	proxies, _ := p.cfg.proxies() // checked by Validate
	return web.Deps{
		State: p.state, Now: time.Now, Log: p.log, Version: Version, Tokens: p.canary, Geo: p.geo, Rules: p.detect, Playbooks: p.playbooks, Demo: p.cfg.Demo, TripURL: p.tripURL, TrustedProxies: proxies,
		Workspace: web.Workspace{ID: p.ws.ID, TenantID: p.ws.TenantID, SubscriptionID: p.ws.SubscriptionID, ResourceGroup: p.ws.ResourceGroup, Name: p.ws.Name, Location: p.ws.Location},
		HostMap:   p.linkMap(), RunPlaybook: p.runPlaybook,
		Tables: p.tables(), Senders: p.senders, Endpoints: p.endpoints, SignedIn: p.signedIn, SSO: p.ssoLabel(),
	}
}
