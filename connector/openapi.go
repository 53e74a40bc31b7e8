package connector

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"picket/content"
	"picket/playbook"
	"picket/playbook/expr"
	"regexp"
	"sort"
	"strings"

	"go.yaml.in/yaml/v3"
)

// Description is a REST API that an OpenAPI file describes (2.0 or 3.x, JSON or YAML): a connector without code.
//
// Its name is x-picket-api, or the file's. Requests go to host and basePath (or the first server) and the operation's
// path. A security scheme takes its values from the connection's parameters (by the scheme's name, its header's name,
// or api_key, username, password, token), else from the vault: NAME-api-key, NAME-username, NAME-password, NAME-token.
// x-picket-audience signs in with the managed identity for that audience instead.
//
// A variable of the first server's URL ("https://{instance}/api") is the connection's parameter of that name, or the
// vault's NAME-instance; it is a host, or a URL whose host is meant. x-picket-path at an operation is where it goes when
// that is not its path; x-picket-body moves query parameters into the body; x-picket-queries renames query parameters, and sets those that are written NAME=value.
type Description struct {
	Name       string
	Base       *url.URL // without variables; nil when it has some
	Operations []playbook.Operation
	server     string // with its variables
	schemes    []scheme
	audience   string
	paths      map[string]string   // "GET /operation/{x}" → "/other/{x}"
	bodies     map[string][]string // the same key → "parameter to member.member"
	queries    map[string]string   // lower-case name → name
	fixed      map[string]string
}

type scheme struct {
	name, typ, in, header string // typ: apiKey, basic, bearer
}

const (
	maxDescription = 16 << 20
	maxOperations  = 5000
)

// ParseDescription reads an OpenAPI file; name is used when the file doesn't name the API itself.
func ParseDescription(name string, text []byte) (*Description, error) {
	return parseDescription(name, text, "")
}

// parseDescription reads an OpenAPI file; service, when it isn't empty, is where the API is instead.
func parseDescription(name string, text []byte, service string) (*Description, error) {
	if len(text) > maxDescription {
		return nil, fmt.Errorf("the description has %d bytes, the limit is %d", len(text), maxDescription)
	}
	var doc struct {
		Swagger  string
		OpenAPI  string   `yaml:"openapi"`
		Name     string   `yaml:"x-picket-api"`
		Audience string   `yaml:"x-picket-audience"`
		Queries  []string `yaml:"x-picket-queries"`
		Host     string
		BasePath string `yaml:"basePath"`
		Schemes  []string
		Servers  []struct{ URL string }
		Paths    map[string]map[string]any
		Defs     map[string]secScheme `yaml:"securityDefinitions"`
		Comps    struct {
			Schemes map[string]secScheme `yaml:"securitySchemes"`
		} `yaml:"components"`
	}
	if err := yaml.Unmarshal(text, &doc); err != nil {
		return nil, fmt.Errorf("the description is neither JSON nor YAML: %w", err)
	}
	if doc.Swagger == "" && doc.OpenAPI == "" {
		return nil, errors.New("the description is not OpenAPI: it has neither 'swagger' nor 'openapi'")
	}
	d := &Description{Name: strings.ToLower(doc.Name), audience: doc.Audience, paths: map[string]string{}, bodies: map[string][]string{}, queries: map[string]string{}, fixed: map[string]string{}}
	for _, q := range doc.Queries {
		from, to, renamed := strings.Cut(q, " to ")
		name, v, set := strings.Cut(q, "=")
		switch {
		case renamed:
			d.queries[strings.ToLower(strings.TrimSpace(from))] = strings.TrimSpace(to)
		case set:
			d.fixed[name] = v
		default:
			return nil, fmt.Errorf("x-picket-queries: %q is neither \"name to name\" nor \"name=value\"", q)
		}
	}
	if d.Name == "" {
		d.Name = strings.ToLower(name)
	}
	if !apiName.MatchString(d.Name) {
		return nil, fmt.Errorf("the API's name %q is not made of letters, digits, '-' and '_'", d.Name)
	}
	base := ""
	switch {
	case service != "":
		base = service
	case len(doc.Servers) > 0:
		base = doc.Servers[0].URL
	case doc.Host != "":
		base = "https://" + doc.Host + doc.BasePath
		if len(doc.Schemes) == 1 && doc.Schemes[0] == "http" {
			base = "http://" + doc.Host + doc.BasePath
		}
	}
	d.server = base
	u, err := url.Parse(serverVariable.ReplaceAllString(base, "x"))
	if err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http" {
		return nil, fmt.Errorf("the description doesn't say where the API is: its 'host' or first server is %q", base)
	}
	if !serverVariable.MatchString(base) {
		d.Base = u
	}
	for path, item := range doc.Paths {
		for method, op := range item {
			switch strings.ToLower(method) {
			case "get", "put", "post", "delete", "patch", "head", "options":
			default:
				continue
			}
			title := ""
			if o, ok := op.(map[string]any); ok {
				title, _ = o["summary"].(string)
			}
			// Logic Apps' own descriptions begin paths with the connection; calls don't have it.
			o := playbook.Operation{Method: strings.ToUpper(method), Path: strings.TrimPrefix(path, "/{connectionId}"), Title: title}
			d.Operations = append(d.Operations, o)
			if x, ok := op.(map[string]any); ok {
				if to, _ := x["x-picket-path"].(string); to != "" {
					d.paths[o.Method+" "+o.Path] = to
				}
				moves, _ := x["x-picket-body"].([]any)
				for _, m := range moves {
					s, _ := m.(string)
					if _, _, ok := strings.Cut(s, " to "); !ok {
						return nil, fmt.Errorf("%s %s: x-picket-body: %q is not \"parameter to member.member\"", o.Method, o.Path, s)
					}
					d.bodies[o.Method+" "+o.Path] = append(d.bodies[o.Method+" "+o.Path], s)
				}
			}
		}
	}
	if len(d.Operations) == 0 || len(d.Operations) > maxOperations {
		return nil, fmt.Errorf("the description has %d operations; it must have 1 to %d", len(d.Operations), maxOperations)
	}
	sort.Slice(d.Operations, func(i, j int) bool {
		a, b := d.Operations[i], d.Operations[j]
		return a.Path < b.Path || a.Path == b.Path && a.Method < b.Method
	})
	defs := doc.Defs
	if len(defs) == 0 {
		defs = doc.Comps.Schemes
	}
	for n, s := range defs {
		x := scheme{name: n, typ: s.Type, in: s.In, header: s.Name}
		if s.Type == "http" {
			x.typ = strings.ToLower(s.Scheme)
		}
		switch x.typ {
		case "apiKey", "basic", "bearer":
			d.schemes = append(d.schemes, x)
		}
	}
	sort.Slice(d.schemes, func(i, j int) bool { return d.schemes[i].name < d.schemes[j].name })
	if len(d.schemes) == 0 && len(defs) > 0 && d.audience == "" {
		return nil, errors.New("none of the description's security schemes can be used: apiKey, http basic, http bearer, or x-picket-audience")
	}
	return d, nil
}

var serverVariable = regexp.MustCompile(`\{([A-Za-z0-9_]+)\}`)

type secScheme struct{ Type, In, Name, Scheme string }

var apiName = regexp.MustCompile(`^[a-z0-9][a-z0-9_-]{0,79}$`)

// Descriptions reads the OpenAPI files of a folder (*.json, *.yaml, *.yml); a folder that is not there has none.
func Descriptions(dir string) ([]*Description, error) {
	var out []*Description
	for _, pat := range []string{"*.json", "*.yaml", "*.yml"} {
		names, err := filepath.Glob(filepath.Join(dir, pat))
		if err != nil {
			return nil, err
		}
		for _, n := range names {
			b, err := os.ReadFile(n)
			if err != nil {
				return nil, err
			}
			d, err := ParseDescription(strings.TrimSuffix(filepath.Base(n), filepath.Ext(n)), b)
			if err != nil {
				return nil, fmt.Errorf("the connector %s: %w", n, err)
			}
			out = append(out, d)
		}
	}
	return out, nil
}

// ShippedDescriptions are the REST APIs that picket describes itself.
func ShippedDescriptions() ([]*Description, error) {
	files, err := content.Files().ReadDir("connectors")
	if err != nil {
		return nil, err
	}
	var out []*Description
	for _, f := range files {
		b, err := content.Files().ReadFile("connectors/" + f.Name())
		if err != nil {
			return nil, err
		}
		d, err := ParseDescription(strings.TrimSuffix(f.Name(), filepath.Ext(f.Name())), b)
		if err != nil {
			return nil, fmt.Errorf("the shipped connector %s: %w", f.Name(), err)
		}
		out = append(out, d)
	}
	return out, nil
}

// Custom makes connectors of templates' own descriptions (see [playbook.Deps.CustomAPI]).
func Custom(d Deps) playbook.CustomAPI {
	if d.Send == nil {
		return nil
	}
	return func(name string, text []byte, service string) (playbook.Connector, error) {
		x, err := parseDescription(name, text, service)
		if err != nil {
			return nil, err
		}
		if x.Base != nil { // calls write the base path or leave it out
			if p := "/" + strings.Trim(x.Base.Path, "/"); p != "/" {
				for _, o := range x.Operations {
					x.Operations = append(x.Operations, playbook.Operation{Method: o.Method, Path: p + o.Path, Title: o.Title})
				}
			}
		}
		x.Name = name
		return &rest{x, d.Send, d.Secret, d.Identity}, nil
	}
}

// rest is a connector made of a description.
type rest struct {
	*Description
	send     func(*http.Request) (*http.Response, []byte, error)
	secret   func(ctx context.Context, name, version string) (*playbook.Secret, error)
	identity func(ctx context.Context, identity, audience string) (string, error)
}

func (c *rest) API() string                      { return c.Name }
func (c *rest) Operations() []playbook.Operation { return c.Description.Operations }

var hostText = regexp.MustCompile(`^[A-Za-z0-9.-]+(:\d{1,5})?$`)

// base is where the API is for a connection; why says what is not set up.
func (c *rest) base(ctx context.Context, r *playbook.Request) (u *url.URL, why string) {
	if c.Base != nil {
		b := *c.Base
		return &b, ""
	}
	missing := ""
	text := serverVariable.ReplaceAllStringFunc(c.server, func(m string) string {
		name := m[1 : len(m)-1]
		v := strings.TrimSpace(c.value(ctx, r, name, name))
		if x, err := url.Parse(v); err == nil && x.Host != "" {
			v = x.Host
		}
		if !hostText.MatchString(v) {
			missing = name
		}
		return v
	})
	if missing != "" {
		return nil, fmt.Sprintf("The connection of the connector '%s' has no '%s' that is a host: give it the parameter, or set it with 'picket secret set %s-%s'.", c.Name, missing, c.Name, missing)
	}
	u, err := url.Parse(text)
	if err != nil || u.Host == "" {
		return nil, fmt.Sprintf("The connector '%s' has no address.", c.Name)
	}
	return u, ""
}

// target is the path that an operation's request goes to.
func (c *rest) target(r *playbook.Request) string {
	for _, o := range c.Description.Operations {
		to := c.paths[o.Method+" "+o.Path]
		if to == "" || !strings.EqualFold(o.Method, r.Method) || !playbook.MatchPath(o.Path, r.Path) {
			continue
		}
		from, have := strings.Split(strings.Trim(o.Path, "/"), "/"), strings.Split(strings.Trim(r.Path, "/"), "/")
		for i, s := range from {
			if strings.HasPrefix(s, "{") && strings.HasSuffix(s, "}") && i < len(have) {
				to = strings.ReplaceAll(to, s, have[i])
			}
		}
		return to
	}
	// A template's own description may have its paths with or without the base path before them.
	if c.Base != nil {
		if p := strings.Trim(c.Base.EscapedPath(), "/"); p != "" && strings.HasPrefix(strings.ToLower(strings.TrimLeft(r.Path, "/")), strings.ToLower(p)+"/") {
			for _, o := range c.Description.Operations {
				if strings.EqualFold(o.Method, r.Method) && playbook.MatchPath(o.Path, r.Path) && strings.HasPrefix(strings.Trim(o.Path, "/"), p+"/") {
					return strings.TrimLeft(r.Path, "/")[len(p):]
				}
			}
		}
	}
	return r.Path
}

// moved takes the query parameters that belong into the body there; r itself stays as it is.
func (c *rest) moved(r *playbook.Request) (*expr.Object, *playbook.Request) {
	for _, o := range c.Description.Operations {
		moves := c.bodies[o.Method+" "+o.Path]
		if len(moves) == 0 || !strings.EqualFold(o.Method, r.Method) || !playbook.MatchPath(o.Path, r.Path) {
			continue
		}
		queries, changed := r.Queries, *r
		body, ok := r.Body.(*expr.Object)
		if !ok && r.Body != nil {
			return queries, r
		}
		for _, m := range moves {
			from, to, _ := strings.Cut(m, " to ")
			v, name, has := queries.Find(from)
			if !has {
				continue
			}
			queries = queries.Without(name)
			if v != nil {
				body = withMember(body, strings.Split(to, "."), v)
			}
		}
		changed.Body = body
		return queries, &changed
	}
	return r.Queries, r
}

// withMember is an object with a member set, those on the way to it made.
func withMember(o *expr.Object, path []string, v any) *expr.Object {
	out := o.Clone()
	if len(path) == 1 {
		out.Set(path[0], v)
		return out
	}
	inner, _ := out.Value(path[0]).(*expr.Object)
	out.Set(path[0], withMember(inner, path[1:], v))
	return out
}

// value finds a value of a connection: a parameter under one of its names, or the vault's.
func (c *rest) value(ctx context.Context, r *playbook.Request, vault string, names ...string) string {
	for _, n := range names {
		if v, _, ok := r.Parameters.Find(n); ok && n != "" {
			if s := expr.Text(v); s != "" {
				return s
			}
		}
	}
	if c.secret != nil {
		if s, err := c.secret(ctx, c.Name+"-"+vault, ""); err == nil {
			return s.Value
		}
	}
	return ""
}

func (c *rest) Call(ctx context.Context, r *playbook.Request) (*playbook.Response, error) {
	u, why := c.base(ctx, r)
	if why != "" {
		return problem(401, "ConnectionNotSetUp", why), nil
	}
	raw := strings.TrimRight(u.EscapedPath(), "/") + "/" + strings.TrimLeft(c.target(r), "/")
	path, err := url.PathUnescape(raw)
	if err != nil || strings.Contains(raw, "?") || strings.Contains("/"+path+"/", "/../") {
		return problem(400, "BadRequest", "The operation's path is not valid."), nil
	}
	u.Path, u.RawPath = path, raw
	queries, sent := c.moved(r)
	q := u.Query()
	for n, v := range c.fixed {
		q.Set(n, v)
	}
	for _, m := range queries.Members() {
		if m.Value != nil && !strings.EqualFold(m.Name, "queryParametersSingleEncoded") {
			n := m.Name
			if to := c.queries[strings.ToLower(n)]; to != "" {
				n = to
			}
			q.Set(n, expr.Text(m.Value))
		}
	}
	u.RawQuery = q.Encode()
	body := sent.Payload()
	req, err := http.NewRequestWithContext(ctx, r.Method, u.String(), bytes.NewReader(body))
	if err != nil {
		return problem(400, "BadRequest", "The request can't be made: its method or URL is not valid."), nil
	}
	req.Header.Set("Accept", "application/json")
	if len(body) > 0 {
		req.Header.Set("Content-Type", "application/json")
	} else {
		req.Body, req.ContentLength = http.NoBody, 0
	}
	req.Header.Set("x-ms-client-request-id", r.ActionRunID)
	req.Header.Set("Idempotency-Key", r.ActionRunID)
	for _, m := range r.Headers.Members() {
		if v := expr.Text(m.Value); !strings.ContainsAny(m.Name+v, "\r\n\x00") {
			req.Header.Set(m.Name, v)
		}
	}
	if why, err := c.sign(ctx, r, req); err != nil {
		return nil, err
	} else if why != "" {
		return problem(401, "ConnectionNotSetUp", why), nil
	}
	resp, answer, err := c.send(req)
	if err != nil {
		return nil, err
	}
	out := &playbook.Response{Status: resp.StatusCode, Headers: map[string]string{}}
	for n := range resp.Header {
		out.Headers[n] = resp.Header.Get(n)
	}
	if out.Body, err = playbook.ParseBody(answer, resp.Header.Get("Content-Type")); err != nil {
		out.Body = string(answer)
	}
	return out, nil
}

// sign adds the connection's credentials; why says what is not set up.
func (c *rest) sign(ctx context.Context, r *playbook.Request, req *http.Request) (why string, err error) {
	find := func(vault string, names ...string) string { return c.value(ctx, r, vault, names...) }
	missing := func(what ...string) string {
		return fmt.Sprintf("The connection of the connector '%s' has no %s: give it the parameter, or set it with 'picket secret set %s-%s'.", c.Name, strings.Join(what, " and no "), c.Name, what[0])
	}
	if c.audience != "" {
		tok := find("token", "token")
		if tok == "" {
			if c.identity == nil {
				return missing("token"), nil
			}
			if tok, err = c.identity(ctx, "SystemAssigned", c.audience); err != nil {
				return "", err
			}
		}
		req.Header.Set("Authorization", "Bearer "+tok)
		return "", nil
	}
	for _, s := range c.schemes {
		switch s.typ {
		case "apiKey":
			key := find("api-key", s.name, s.header, "api_key", "apiKey", "key", "token")
			if key == "" {
				return missing("api-key"), nil
			}
			if s.in == "query" {
				q := req.URL.Query()
				q.Set(s.header, key)
				req.URL.RawQuery = q.Encode()
			} else {
				req.Header.Set(s.header, key)
			}
		case "basic":
			user, pass := find("username", "username", "user"), find("password", "password", "api_key")
			if user == "" || pass == "" {
				return missing("username", "password"), nil
			}
			req.SetBasicAuth(user, pass)
		case "bearer":
			tok := find("token", s.name, "token", "api_key")
			if tok == "" {
				return missing("token"), nil
			}
			req.Header.Set("Authorization", "Bearer "+tok)
		}
	}
	return "", nil
}
