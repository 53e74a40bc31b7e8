package connector

import (
	"fmt"
	"picket/playbook"
	"picket/playbook/expr"
	"strings"
)

// entityOps are the "Entities - Get …" operations: the path's last segment, the entities' type in alerts and in REST
// objects, and the answer's member.
var entityOps = map[string]struct {
	types  []string
	answer string
}{
	"account":       {[]string{"account"}, "Accounts"},
	"host":          {[]string{"host"}, "Hosts"},
	"ip":            {[]string{"ip"}, "IPs"},
	"url":           {[]string{"url"}, "URLs"},
	"filehash":      {[]string{"filehash"}, "Filehashes"},
	"dnsresolution": {[]string{"dns", "dnsresolution"}, "Dnsresolutions"},
}

const maxEntityDepth = 8

// getEntities answers "Entities - Get …": the body is an incident's relatedEntities or an alert's Entities, as an array
// or as its JSON text.
func getEntities(path string, body any) *playbook.Response {
	name := strings.ToLower(path[strings.LastIndexByte(path, '/')+1:])
	op := entityOps[name]
	if s, ok := body.(string); ok {
		if strings.TrimSpace(s) == "" {
			body = []any{}
		} else {
			v, err := expr.ParseJSON([]byte(s))
			if err != nil {
				return problem(400, "BadRequest", "The entities list isn't JSON: "+err.Error())
			}
			body = v
		}
	}
	if o, ok := body.(*expr.Object); ok { // wrapped by the designer, or one entity
		if v, _, has := o.Find("entities"); has {
			return getEntities(path, v)
		}
		body = []any{o}
	}
	list, ok := body.([]any)
	if !ok && body != nil {
		return problem(400, "BadRequest", fmt.Sprintf("The entities list is a value of type '%s'; it must be an array, or its JSON text.", expr.TypeName(body)))
	}
	known := map[string]*expr.Object{}
	for _, e := range list {
		index(e, known, 0)
	}
	found := []any{}
	for _, e := range list {
		o, ok := e.(*expr.Object)
		if !ok {
			continue
		}
		typ := expr.Text(o.Value("Type"))
		kind := expr.Text(o.Value("kind"))
		for _, t := range op.types {
			if strings.EqualFold(typ, t) {
				found = append(found, resolve(o, known, 0))
				break
			}
			if strings.EqualFold(kind, t) {
				found = append(found, flatEntity(o, t))
				break
			}
		}
	}
	return &playbook.Response{Status: 200, Headers: map[string]string{"Content-Type": "application/json; charset=utf-8"}, Body: expr.NewObject(op.answer, found)}
}

// index finds the objects that have an $id.
func index(v any, known map[string]*expr.Object, depth int) {
	if depth > maxEntityDepth {
		return
	}
	switch x := v.(type) {
	case *expr.Object:
		if id := expr.Text(x.Value("$id")); id != "" && known[id] == nil {
			known[id] = x
		}
		for _, m := range x.Members() {
			index(m.Value, known, depth+1)
		}
	case []any:
		for _, e := range x {
			index(e, known, depth+1)
		}
	}
}

// resolve puts the objects in the place of {"$ref": "…"}.
func resolve(v any, known map[string]*expr.Object, depth int) any {
	if depth > maxEntityDepth {
		return v
	}
	switch x := v.(type) {
	case *expr.Object:
		if ref := expr.Text(x.Value("$ref")); ref != "" && known[ref] != nil {
			return resolve(known[ref], known, depth+1)
		}
		out := &expr.Object{}
		for _, m := range x.Members() {
			out.Set(m.Name, resolve(m.Value, known, depth+1))
		}
		return out
	case []any:
		out := make([]any, len(x))
		for i, e := range x {
			out[i] = resolve(e, known, depth+1)
		}
		return out
	}
	return v
}

// flatEntity writes a REST entity as an alert does: its properties by the names that alerts use.
func flatEntity(o *expr.Object, typ string) *expr.Object {
	names := map[string]string{"accountname": "Name", "hashvalue": "Value", "filename": "Name", "appname": "Name", "friendlyname": "FriendlyName"}
	out := &expr.Object{}
	p, _ := o.Value("properties").(*expr.Object)
	for _, m := range p.Members() {
		n := names[strings.ToLower(m.Name)]
		if n == "" && m.Name != "" {
			n = strings.ToUpper(m.Name[:1]) + m.Name[1:]
		}
		out.Set(n, m.Value)
	}
	out.Set("Type", typ)
	return out
}
