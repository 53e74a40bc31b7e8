package detect

import (
	"context"
	"encoding/json"
	"fmt"
	"picket/query"
	"strings"
	"time"
)

// Graph is what surrounds an incident: nodes and the edges between them. It is safe to merge graphs: equal
// ids are the same node.
type Graph struct {
	Nodes []Node `json:"nodes"`
	Edges []Edge `json:"edges"`
}

// Node is an incident, an alert, an entity or a row that tells of one (a trip).
type Node struct {
	ID         string            `json:"id"`
	Kind       string            `json:"kind"` // "Incident", "Alert", an entity kind, "Row"
	Label      string            `json:"label"`
	Properties map[string]string `json:"properties,omitempty"`
	Expandable bool              `json:"expandable"`
}

// Edge joins two nodes.
type Edge struct {
	From  string `json:"from"`
	To    string `json:"to"`
	Label string `json:"label"`
}

const (
	maxExpanded   = 100 // neighbours that one expansion shows
	expandLook    = 30 * 24 * time.Hour
	expandTimeout = 20 * time.Second
)

func (g *Graph) add(n Node) {
	for _, x := range g.Nodes {
		if x.ID == n.ID {
			return
		}
	}
	g.Nodes = append(g.Nodes, n)
}

func (g *Graph) join(from, to, label string) {
	for _, e := range g.Edges {
		if e.From == from && e.To == to {
			return
		}
	}
	g.Edges = append(g.Edges, Edge{from, to, label})
}

func incidentNode(in *Incident) Node {
	return Node{
		ID: "incident/" + in.ID, Kind: "Incident", Label: fmt.Sprintf("#%d %s", in.Number, in.Title),
		Properties: map[string]string{"severity": string(in.Severity), "status": in.Status, "created": in.Created.Format(time.RFC3339)},
	}
}

func alertNode(a *Alert) Node {
	return Node{
		ID: "alert/" + a.ID, Kind: "Alert", Label: a.Name, Expandable: true,
		Properties: map[string]string{"severity": string(a.Severity), "rows": itoa(a.RowCount), "start": a.Start.Format(time.RFC3339), "end": a.End.Format(time.RFC3339)},
	}
}

func entityNode(e Entity) Node {
	p := map[string]string{}
	for k, v := range e.Fields {
		p[k] = v
	}
	return Node{ID: "entity/" + e.ID(), Kind: e.Kind, Label: e.Label(), Properties: p, Expandable: true}
}

// Graph gives an incident with its alerts and their entities.
func (d *Detector) Graph(ctx context.Context, incidentID string) (*Graph, error) {
	in, err := d.Incident(ctx, incidentID)
	if err != nil {
		return nil, err
	}
	as, err := d.Alerts(ctx, in.ID)
	if err != nil {
		return nil, err
	}
	g := &Graph{}
	root := incidentNode(in)
	g.add(root)
	for _, a := range as {
		n := alertNode(a)
		g.add(n)
		g.join(root.ID, n.ID, "alert")
		for _, e := range a.Entities {
			en := entityNode(e)
			g.add(en)
			g.join(n.ID, en.ID, "entity")
		}
	}
	return g, nil
}

// Expand gives the neighbours of a node of a graph: of an alert its rows, of an entity the other alerts and
// incidents that name it, and the rows that expansion queries find.
func (d *Detector) Expand(ctx context.Context, nodeID string) (*Graph, error) {
	kind, id, _ := strings.Cut(nodeID, "/")
	switch kind {
	case "incident":
		return d.Graph(ctx, id)
	case "alert":
		return d.expandAlert(ctx, id)
	case "entity":
		return d.expandEntity(ctx, id)
	}
	return nil, fmt.Errorf("node %q has nothing to expand: give an incident/…, alert/… or entity/… id", nodeID)
}

func (d *Detector) expandAlert(ctx context.Context, id string) (*Graph, error) {
	a, err := d.Alert(ctx, id)
	if err != nil {
		return nil, err
	}
	g := &Graph{}
	n := alertNode(a)
	g.add(n)
	for _, e := range a.Entities {
		en := entityNode(e)
		g.add(en)
		g.join(n.ID, en.ID, "entity")
	}
	for i, raw := range a.Rows[:min(len(a.Rows), maxExpanded)] {
		var row map[string]any
		if err := json.Unmarshal(raw, &row); err != nil {
			return nil, fmt.Errorf("row %d of alert %s: %w", i, id, err)
		}
		rn := rowNode(fmt.Sprintf("row/%s/%d", a.ID, i), "Row", row)
		g.add(rn)
		g.join(n.ID, rn.ID, "row")
	}
	return g, nil
}

func rowNode(id, label string, row map[string]any) Node {
	p := map[string]string{}
	for k, v := range row {
		if s := fmt.Sprint(v); v != nil && s != "" {
			p[k] = s
		}
	}
	if t := p["TimeGenerated"]; t != "" {
		label += " " + t
	}
	return Node{ID: id, Kind: "Row", Label: label, Properties: p}
}

func (d *Detector) expandEntity(ctx context.Context, id string) (*Graph, error) {
	as, err := d.alerts(ctx, `SELECT DISTINCT a.doc FROM detect_alert_entity e JOIN detect_alert a ON a.id=e.alert_id
		WHERE e.key IN (SELECT key FROM detect_alert_entity WHERE entity_id=?) ORDER BY a.created DESC LIMIT ?`, id, maxExpanded)
	if err != nil {
		return nil, err
	}
	var self *Entity
	for _, a := range as {
		for i := range a.Entities {
			if a.Entities[i].ID() == id {
				self = &a.Entities[i]
			}
		}
	}
	if self == nil {
		return nil, fmt.Errorf("entity %q: %w", id, ErrNotFound)
	}
	g := &Graph{}
	n := entityNode(*self)
	g.add(n)
	for _, a := range as {
		an := alertNode(a)
		g.add(an)
		g.join(an.ID, n.ID, "entity")
		if a.IncidentID == "" {
			continue
		}
		in, err := d.Incident(ctx, a.IncidentID)
		if err != nil {
			return nil, err
		}
		inn := incidentNode(in)
		g.add(inn)
		g.join(inn.ID, an.ID, "alert")
	}
	for _, x := range expansions {
		if x.kind != self.Kind || self.Fields[x.field] == "" {
			continue
		}
		if err := d.expandQuery(ctx, g, n, x, self.Fields[x.field]); err != nil {
			return nil, err
		}
	}
	return g, nil
}

// expansion is a query that finds rows about an entity; {value} stands for its identifier as a literal.
type expansion struct {
	name, kind, field string
	tables            []string // it is skipped while none of them exists
	query             string
}

var expansions = []expansion{
	{"Trip", "IP", "Address", []string{"CanaryTokens_CL"}, `CanaryTokens_CL | where src_ip_s == {value} | top 50 by TimeGenerated | project TimeGenerated, memo_s, token_type_s, useragent_s, country_s, city_s`},
	{"Trip", "Host", "HostName", []string{"CanaryTokens_CL"}, `CanaryTokens_CL | extend CanaryHost = tostring(parse_csv(memo_s)[0]) | where CanaryHost =~ {value} | top 50 by TimeGenerated | project TimeGenerated, src_ip_s, memo_s, token_type_s, useragent_s`},
}

func (d *Detector) expandQuery(ctx context.Context, g *Graph, n Node, x expansion, v string) error {
	text := strings.ReplaceAll(x.query, "{value}", quoteKQL(v))
	c, err := d.d.Check(ctx, text)
	if err != nil {
		return fmt.Errorf("expansion %s of %s: %w", x.name, x.kind, err)
	}
	if len(c.Missing) > 0 {
		return nil
	}
	now := d.d.Now()
	res, err := d.d.Query(ctx, query.Request{Text: text, Now: now, From: now.Add(-expandLook), Timeout: expandTimeout, MaxRows: maxExpanded})
	if err != nil {
		return fmt.Errorf("expansion %s of %s: %w", x.name, x.kind, err)
	}
	if len(res.Tables) == 0 {
		return nil
	}
	rows := newRowSet(&res.Tables[0])
	for i := range rows.cells {
		var row map[string]any
		if err := json.Unmarshal(rows.record(i), &row); err != nil {
			return err
		}
		rn := rowNode("row/"+derive(x.name, rows.key(i)), x.name, row)
		g.add(rn)
		g.join(n.ID, rn.ID, strings.ToLower(x.name))
		if c := rows.column("src_ip_s"); c >= 0 && rows.text(i, c) != "" {
			if e, ok := newEntity(&kinds[2], map[string]string{"Address": rows.text(i, c)}); ok {
				en := entityNode(e)
				// An address that no alert has named can't be expanded: there is nothing to start from.
				en.Expandable = d.known(ctx, e)
				g.add(en)
				g.join(rn.ID, en.ID, "from")
			}
		}
	}
	return nil
}

func (d *Detector) known(ctx context.Context, e Entity) bool {
	var n int
	err := d.d.State.QueryRow(ctx, `SELECT count(*) FROM detect_alert_entity WHERE entity_id=?`, e.ID()).Scan(&n)
	return err == nil && n > 0
}

// quoteKQL writes s as a KQL string literal.
func quoteKQL(s string) string {
	var b strings.Builder
	b.WriteByte('"')
	for _, r := range s {
		switch {
		case r == '"' || r == '\\':
			b.WriteByte('\\')
			b.WriteRune(r)
		case r < ' ':
			fmt.Fprintf(&b, `\u%04x`, r)
		default:
			b.WriteRune(r)
		}
	}
	b.WriteByte('"')
	return b.String()
}
