package mock

import (
	"picket/playbook"
	"picket/playbook/definition"
	"picket/playbook/expr"
	"regexp"
	"strings"
)

// Sample makes an answer up that has what the workflow reads of it: the members that the schema of a Parse JSON action
// over it names, and those that expressions select.
func Sample(c *playbook.TrialCall) *playbook.Response {
	r := &playbook.Response{Status: 200, Headers: map[string]string{"Content-Type": "application/json"}}
	if c.Definition == nil {
		r.Body = &expr.Object{}
		return r
	}
	r.Body = SampleOf(c.Definition, c.Action)
	return r
}

// SampleOf makes the body up that an action's answer may have. action "" means the trigger's body.
func SampleOf(d *definition.Definition, action string) any {
	s := &sampler{d: d}
	collect(d.Raw, &s.texts)
	n := &shape{}
	s.read(n, bodyOf(action), 0)
	return n.value(0)
}

type sampler struct {
	d     *definition.Definition
	texts []string
}

// shape is what is known of a value.
type shape struct {
	names  []string
	fields map[string]*shape
	item   *shape // not nil: an array
	schema *expr.Object
	name   string
	coded  bool   // base64
	typ    string // of the variable that takes it
}

func (n *shape) at(name string) *shape {
	if name == "[]" {
		if n.item == nil {
			n.item = &shape{name: n.name}
		}
		return n.item
	}
	k := strings.ToLower(name)
	if n.fields == nil {
		n.fields = map[string]*shape{}
	}
	if n.fields[k] == nil {
		n.fields[k] = &shape{name: name}
		n.names = append(n.names, name)
	}
	return n.fields[k]
}

const maxSampleDepth = 24

func (n *shape) value(depth int) any {
	if depth > maxSampleDepth {
		return nil
	}
	if n.item != nil {
		return []any{n.item.value(depth + 1)}
	}
	if n.schema != nil {
		v := fromSchema(n.schema, n.name, depth)
		if l, ok := v.([]any); ok {
			return l
		}
		o, ok := v.(*expr.Object)
		if !ok {
			return v
		}
		for _, m := range n.names {
			if _, _, has := o.Find(m); !has {
				o.Set(m, n.fields[strings.ToLower(m)].value(depth+1))
			}
		}
		return o
	}
	if len(n.names) == 0 {
		switch strings.ToLower(n.typ) {
		case "integer":
			return int64(1)
		case "float":
			return 1.5
		case "boolean":
			return true
		case "array":
			return []any{}
		case "object":
			return &expr.Object{}
		}
		if n.coded {
			return "MQ=="
		}
		if depth == 0 {
			return &expr.Object{}
		}
		return leaf(n.name)
	}
	o := &expr.Object{}
	for _, m := range n.names {
		o.Set(m, n.fields[strings.ToLower(m)].value(depth+1))
	}
	return o
}

// leaf makes a value up by its name.
func leaf(name string) any {
	n := strings.ToLower(name)
	has := func(list ...string) bool {
		for _, s := range list {
			if strings.Contains(n, s) {
				return true
			}
		}
		return false
	}
	switch {
	case has("time", "date", "created", "modified", "expir"):
		return "2026-01-31T08:00:00Z"
	case strings.HasSuffix(n, "id") || has("guid"):
		return "6f1b5a52-6ae8-4f0c-9b51-6c1f0a3b7d10"
	case has("url", "uri", "link"):
		return "https://example.org/x"
	case has("mail", "upn", "principal"):
		return "ann@example.org"
	case n == "ip" || has("address"):
		return "203.0.113.9"
	case has("count", "total", "number", "score", "lat", "lon"):
		return int64(1)
	}
	return "1"
}

func fromSchema(s *expr.Object, name string, depth int) any {
	if s == nil || depth > maxSampleDepth {
		return nil
	}
	typ := ""
	switch t := s.Value("type").(type) {
	case string:
		typ = t
	case []any:
		for _, x := range t {
			if typ == "" || typ == "null" {
				typ, _ = x.(string)
			}
		}
	}
	if e, ok := s.Value("enum").([]any); ok && len(e) > 0 {
		return e[0]
	}
	props, _ := s.Value("properties").(*expr.Object)
	switch {
	case typ == "array":
		items, _ := s.Value("items").(*expr.Object)
		if items == nil {
			return []any{}
		}
		return []any{fromSchema(items, name, depth+1)}
	case typ == "object" || props != nil:
		o := &expr.Object{}
		for _, m := range props.Members() {
			p, _ := m.Value.(*expr.Object)
			o.Set(m.Name, fromSchema(p, m.Name, depth+1))
		}
		return o
	case typ == "integer":
		return int64(1)
	case typ == "number":
		return 1.5
	case typ == "boolean":
		return true
	case typ == "null":
		return nil
	}
	if v, ok := leaf(name).(string); ok {
		return v
	}
	return "1"
}

func collect(v any, out *[]string) {
	switch x := v.(type) {
	case string:
		if strings.Contains(x, "@") {
			*out = append(*out, x)
		}
	case []any:
		for _, e := range x {
			collect(e, out)
		}
	case *expr.Object:
		for _, m := range x.Members() {
			collect(m.Name, out)
			collect(m.Value, out)
		}
	}
}

// pathPattern is what may follow a call: ?['name'], .name, [0].
const pathPattern = `((?:\s*\??\[\s*(?:'[^']*'|\d+)\s*\]|\??\.[A-Za-z_]\w*)*)`

var pathStep = regexp.MustCompile(`\[\s*(?:'([^']*)'|(\d+))\s*\]|\.([A-Za-z_]\w*)`)

// bodyOf matches the calls that give an action's body.
func bodyOf(action string) string {
	if action == "" {
		return `(?i)(?:triggerBody\(\)|triggerOutputs\(\)\??\['body'\]|trigger\(\)\??\.outputs\??\.body)`
	}
	q := regexp.QuoteMeta(action)
	return `(?i)(?:(?:body|actionBody)\(\s*'` + q + `'\s*\)|(?:outputs|actionOutputs)\(\s*'` + q + `'\s*\)\??(?:\['body'\]|\.body)|actions\(\s*'` + q + `'\s*\)\??\.outputs\??\.body)`
}

func steps(path string) []string {
	var out []string
	for _, m := range pathStep.FindAllStringSubmatch(path, -1) {
		switch {
		case m[2] != "":
			out = append(out, "[]")
		case m[3] != "":
			out = append(out, m[3])
		default:
			out = append(out, strings.Split(m[1], "/")...)
		}
	}
	return out
}

// wholePath gives the path when a text is one selection from a call, "@body('X')?['a']" or "@{…}" around it.
func wholePath(text, call string) ([]string, bool) {
	t := strings.TrimSpace(text)
	t = strings.TrimPrefix(t, "@")
	if strings.HasPrefix(t, "{") && strings.HasSuffix(t, "}") {
		t = t[1 : len(t)-1]
	}
	re := regexp.MustCompile(`^` + call + pathPattern + `\s*$`)
	m := re.FindStringSubmatch(strings.TrimSpace(t))
	if m == nil {
		return nil, false
	}
	return steps(m[1]), true
}

var (
	arrayOf  = regexp.MustCompile(`(?i)\b(?:first|last|union|join|skip|take|intersection)\(\s*$`)
	base64Of = regexp.MustCompile(`(?i)\b(?:base64ToString|base64ToBinary|decodeBase64)\(\s*$`)
)

// read collects what is selected from calls, from the items of loops over what is selected, and from what passes it on
// (Compose, Parse JSON, variables).
func (s *sampler) read(n *shape, call string, depth int) {
	if depth > 6 {
		return
	}
	re := regexp.MustCompile(call + pathPattern)
	for _, t := range s.texts {
		for _, at := range re.FindAllStringSubmatchIndex(t, -1) {
			x := n.find(steps(t[at[2]:at[3]]))
			switch before := t[:at[0]]; {
			case arrayOf.MatchString(before):
				x.at("[]")
			case base64Of.MatchString(before):
				x.coded = true
			}
		}
	}
	for _, a := range s.d.All() {
		in, _ := a.Inputs.(*expr.Object)
		q := regexp.QuoteMeta(a.Name)
		over, alias, item := "", "", false
		switch a.Type {
		case "Foreach":
			over, _ = a.Foreach.(string)
			alias, item = `(?i)items\(\s*'`+q+`'\s*\)`, true
		case "Select", "Query", "Table", "Join":
			over, _ = in.Value("from").(string)
			item = true
		case "ParseJson":
			over, _ = in.Value("content").(string)
			alias = bodyOf(a.Name)
		case "Compose":
			over, _ = a.Inputs.(string)
			alias = `(?i)outputs\(\s*'` + q + `'\s*\)`
		case "SetVariable", "AppendToArrayVariable":
			over, _ = in.Value("value").(string)
			alias = variable(in)
		case "InitializeVariable":
			if vs, _ := in.Value("variables").([]any); len(vs) == 1 {
				v, _ := vs[0].(*expr.Object)
				over, _ = v.Value("value").(string)
				alias = variable(v)
			}
		}
		p, ok := wholePath(over, call)
		if over == "" || !ok {
			continue
		}
		x := n.find(p)
		if item {
			x = x.at("[]")
		}
		if strings.HasPrefix(a.Type, "Set") || strings.HasPrefix(a.Type, "Init") {
			x.typ = s.typeOf(a)
		}
		if a.Type == "ParseJson" {
			x.schema, _ = in.Value("schema").(*expr.Object)
		}
		if alias != "" {
			if alias != call {
				s.read(x, alias, depth+1)
			}
			continue
		}
		var own []string
		collect(a.Inputs, &own)
		inner := &sampler{d: s.d, texts: own}
		inner.readItems(x)
	}
}

func variable(o *expr.Object) string {
	name, _ := o.Value("name").(string)
	return `(?i)variables\(\s*'` + regexp.QuoteMeta(name) + `'\s*\)`
}

// typeOf is the type of the variable that an action sets.
func (s *sampler) typeOf(a *definition.Action) string {
	in, _ := a.Inputs.(*expr.Object)
	name, _ := in.Value("name").(string)
	for _, b := range s.d.All() {
		if b.Type != "InitializeVariable" || a.Type == "InitializeVariable" && a != b {
			continue
		}
		bi, _ := b.Inputs.(*expr.Object)
		vs, _ := bi.Value("variables").([]any)
		for _, v := range vs {
			o, _ := v.(*expr.Object)
			if n, _ := o.Value("name").(string); a == b || strings.EqualFold(n, name) {
				t, _ := o.Value("type").(string)
				return t
			}
		}
	}
	return ""
}

func (n *shape) find(path []string) *shape {
	for _, k := range path {
		n = n.at(k)
	}
	return n
}

// readItems collects what item() selects inside one action.
func (s *sampler) readItems(n *shape) {
	re := regexp.MustCompile(`(?i)item\(\)` + pathPattern)
	for _, t := range s.texts {
		for _, m := range re.FindAllStringSubmatch(t, -1) {
			x := n
			for _, k := range steps(m[1]) {
				x = x.at(k)
			}
		}
	}
}
