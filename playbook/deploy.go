package playbook

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"picket/playbook/arm"
	"picket/playbook/definition"
	"picket/playbook/expr"
	"picket/state"
	"strings"
	"time"

	"github.com/google/uuid"
)

// planned is a workflow of a deployment before it is stored.
type planned struct {
	w      *workflow
	before *workflow
}

// Deploy evaluates a template, checks every workflow in it, and stores workflows and connections in one commit.
// Nothing is stored when anything is wrong; what is missing here is listed in Needs and doesn't stop it.
func (e *Engine) Deploy(ctx context.Context, r DeployRequest) (*Deployment, error) {
	assigned := map[string]*workflow{}
	res, err := e.evaluate(r, assigned)
	if err != nil {
		return nil, err
	}
	secrets := res.Secrets()
	now := e.now()
	p := &pending{connections: map[string]string{}, workflows: map[string]bool{}, apis: map[string]Connector{}}
	var apis []*plannedAPI
	var conns []*connection
	var flows []*planned
	dep := &Deployment{Outputs: res.Outputs}
	count := 0
	for _, x := range res.Resources {
		if strings.EqualFold(x.Type, "Microsoft.Logic/workflows") {
			count++
		}
	}
	for _, x := range res.Resources {
		switch strings.ToLower(x.Type) {
		case "microsoft.web/connections":
			c := connectionFrom(x)
			p.connections[strings.ToLower(c.name)] = c.api
			conns = append(conns, c)
		case "microsoft.web/customapis":
			a, why := e.customAPI(x)
			if a == nil {
				dep.Needs = append(dep.Needs, Need{Kind: "resource", Name: x.Type, Where: x.Name, Message: fmt.Sprintf("The template makes the connector '%s', which this picket can't take: %s.", x.Name, why)})
				continue
			}
			p.apis[a.name] = a.connector
			apis = append(apis, a)
		case "microsoft.logic/workflows":
			if r.Name != "" && count == 1 {
				x.Name = r.Name
			}
			f, err := e.plan(ctx, x, res, secrets, now, r, assigned)
			if err != nil {
				return nil, err
			}
			for _, k := range []string{"accessControl", "integrationAccount", "integrationServiceEnvironment"} {
				if o := object(x.Properties.Value(k)); o.Len() > 0 {
					dep.Needs = append(dep.Needs, Need{
						Kind: "setting", Name: k, Workflow: x.Name, Where: x.Name,
						Message: fmt.Sprintf("The workflow '%s' sets '%s', which this picket doesn't have; it is left out. Access to a callback URL is by its signature alone.", x.Name, k),
					})
				}
			}
			p.workflows[strings.ToLower(x.Name)] = true
			flows = append(flows, f)
		case "microsoft.authorization/roleassignments", "microsoft.resources/tags": // rights and tags of Azure itself
		default:
			dep.Needs = append(dep.Needs, Need{
				Kind: "resource", Name: x.Type, Where: x.Name,
				Message: fmt.Sprintf("The template makes the resource '%s' of type '%s', which this picket doesn't have; it is left out.", x.Name, x.Type),
			})
		}
	}
	for _, m := range res.Missing {
		where := m.Path
		if m.Line > 0 {
			where = fmt.Sprintf("line %d, column %d", m.Line, m.Column)
		}
		dep.Needs = append(dep.Needs, Need{Kind: "value", Name: m.Path, Where: where, Message: fmt.Sprintf("A value of the template (%s) is left empty: %s.", where, m.Msg)})
	}
	if len(flows) == 0 && len(conns) == 0 && len(apis) == 0 {
		return nil, fail(400, "InvalidTemplate", "The template has neither a workflow (Microsoft.Logic/workflows) nor a connection (Microsoft.Web/connections) nor a connector of its own (Microsoft.Web/customApis).")
	}
	for _, f := range flows {
		seen := e.examine(ctx, f.w, p)
		needs := seen.list
		dep.Uses = append(dep.Uses, seen.uses...)
		dep.Needs = append(dep.Needs, needs...)
		dep.Workflows = append(dep.Workflows, e.publicWorkflow(f.w, needs, nil))
	}
	for _, c := range conns {
		dep.Connections = append(dep.Connections, &Connection{Name: c.name, API: c.api, DisplayName: c.display, Parameters: c.parameters.Names()})
	}
	if r.Validate {
		return dep, nil
	}
	err = e.commits.do(func(tx *state.Tx) error {
		for _, c := range conns {
			blob, err := e.seal.encode(c.parameters, true)
			if err != nil {
				return err
			}
			if _, err := tx.Exec(`INSERT INTO playbook_connection(name, api, display, parameters, changed) VALUES(?,?,?,?,?)
				ON CONFLICT(name) DO UPDATE SET api=excluded.api, display=excluded.display, parameters=excluded.parameters, changed=excluded.changed`, c.name, c.api, c.display, blob, micros(now)); err != nil {
				return fmt.Errorf("store connection %s: %w", c.name, err)
			}
		}
		for _, a := range apis {
			if err := e.putAPI(tx, a, now); err != nil {
				return err
			}
		}
		for _, f := range flows {
			if err := e.putWorkflow(tx, f, now); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	for _, a := range apis {
		e.customs.Store(a.name, a.connector)
	}
	e.rescheduled()
	return dep, nil
}

// identify gives a workflow that isn't stored yet its id and keys; its callback URL may be asked for before it is
// planned.
func identify(assigned map[string]*workflow, name string) *workflow {
	w := assigned[strings.ToLower(name)]
	if w == nil {
		w = &workflow{name: name, id: strings.ReplaceAll(uuid.NewString(), "-", ""), primary: newKey(), secondary: newKey()}
		assigned[strings.ToLower(name)] = w
	}
	return w
}

// evaluate makes resources of a template, or of a bare definition. assigned takes the ids of workflows whose
// callback URLs the template asks for.
func (e *Engine) evaluate(r DeployRequest, assigned map[string]*workflow) (*arm.Result, error) {
	places := map[string][2]int{}
	v, err := expr.ParseJSONPositions(r.Template, func(path []string, line, column int) { places[strings.Join(path, "\x00")] = [2]int{line, column} })
	if err != nil {
		return nil, fail(400, "InvalidTemplate", "The template isn't JSON: %v", err)
	}
	o := object(v)
	def := object(o.Value("definition"))
	bare := def == nil && o.Value("resources") == nil && (o.Value("triggers") != nil || o.Value("actions") != nil)
	if bare || def != nil {
		return e.bareDefinition(r, o, bare, places)
	}
	resource := func(fn, id string) (any, error) {
		if e.deps.Resource != nil {
			if v, ok := e.deps.Resource(fn, id); ok {
				return expr.FromGo(v), nil
			}
		}
		return nil, &arm.Unavailable{Msg: fmt.Sprintf("the template function '%s' asks Azure about '%s', which is not available here", fn, id)}
	}
	opt := arm.Options{
		Parameters: r.Parameters, SubscriptionID: e.deps.SubscriptionID, TenantID: e.deps.TenantID,
		ResourceGroup: e.deps.ResourceGroup, Location: e.deps.Location, Deployment: r.Name, Now: e.now,
		List: func(fn, id string) (any, error) {
			parts := strings.Split(id, "/")
			k := -1
			for i, s := range parts {
				if strings.EqualFold(s, "workflows") {
					k = i
				}
			}
			if !strings.EqualFold(fn, "listCallbackUrl") || k < 0 || k+1 >= len(parts) {
				return resource(fn, id)
			}
			trig := ""
			if k+3 < len(parts) && strings.EqualFold(parts[k+2], "triggers") {
				trig = parts[k+3]
			}
			var w *workflow
			if e.db != nil {
				w, _ = e.findWorkflow(context.Background(), parts[k+1]) // one that is not there yet is identified
			}
			if w == nil {
				w = identify(assigned, parts[k+1])
			}
			path := "/workflows/" + w.id + "/triggers/" + url.PathEscape(trig) + "/paths/invoke"
			u, _ := e.signedURL(w, path, "/triggers/"+trig+"/run", w.primary, time.Time{})
			return expr.NewObject("value", u, "method", "POST", "basePath", strings.TrimRight(e.deps.PublicURL, "/")+path), nil
		},
	}
	opt.Reference = func(id string) (any, error) { return resource("reference", id) }
	res, err := arm.Evaluate(r.Template, opt)
	var ae *arm.Error
	if errors.As(err, &ae) {
		return nil, fail(400, ae.Code, "%s", ae.Error())
	}
	return res, err
}

func (e *Engine) bareDefinition(r DeployRequest, o *expr.Object, bare bool, places map[string][2]int) (*arm.Result, error) {
	if r.Name == "" {
		return nil, fail(400, "InvalidWorkflowName", "A workflow definition needs a name.")
	}
	props := o
	if bare {
		props = expr.NewObject("definition", o)
	}
	given := object(props.Value("parameters"))
	merged := &expr.Object{}
	for _, m := range given.Members() {
		merged.Set(m.Name, m.Value)
	}
	for k, v := range r.Parameters {
		merged.Set(k, expr.NewObject("value", expr.FromGo(v)))
	}
	p := props.Clone()
	p.Set("parameters", merged)
	at, prefix := map[string][2]int{}, "properties\x00"
	if bare {
		prefix += "definition\x00"
	}
	for k, p := range places {
		at[prefix+k] = p
	}
	return &arm.Result{Outputs: &expr.Object{}, Positions: at, Resources: []*arm.Resource{{
		Type: "Microsoft.Logic/workflows", Name: r.Name, ID: e.resourceID("Microsoft.Logic/workflows", r.Name), Location: e.deps.Location, Properties: p,
	}}}, nil
}

func connectionFrom(x *arm.Resource) *connection {
	c := &connection{name: x.Name, parameters: &expr.Object{}}
	id, _ := object(x.Properties.Value("api")).Value("id").(string)
	if id == "" {
		id, _ = object(x.Properties.Value("api")).Value("name").(string)
	}
	c.api = strings.ToLower(id[strings.LastIndexByte(id, '/')+1:])
	c.display, _ = x.Properties.Value("displayName").(string)
	for _, k := range []string{"nonSecretParameterValues", "parameterValues", "customParameterValues"} {
		for _, m := range object(x.Properties.Value(k)).Members() {
			c.parameters.Set(m.Name, m.Value)
		}
	}
	return c
}

func validName(n string) bool {
	if n == "" || len(n) > 80 {
		return false
	}
	for _, r := range n {
		if !(r == '-' || r == '_' || r == '.' || r == '(' || r == ')' || r == ' ' || r >= '0' && r <= '9' || r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r > 127) {
			return false
		}
	}
	return true
}

// plan checks one workflow resource.
func (e *Engine) plan(ctx context.Context, x *arm.Resource, res *arm.Result, secrets []string, now time.Time, r DeployRequest, assigned map[string]*workflow) (*planned, error) {
	if !validName(x.Name) {
		return nil, fail(400, "InvalidWorkflowName", "The workflow name '%s' is not valid: up to 80 letters, digits, '-', '(', ')', '_', '.' and spaces.", x.Name)
	}
	raw := object(x.Properties.Value("definition"))
	if raw == nil {
		return nil, fail(400, "InvalidTemplate", "The workflow '%s' has no definition.", x.Name)
	}
	at := append(append([]string{}, x.Path...), "properties", "definition")
	def, err := definition.Parse(raw, func(path []string) (int, int) { return res.Place(append(append([]string{}, at...), path...)) })
	if err != nil {
		return nil, fail(400, "InvalidTemplate", "The definition of the workflow '%s' is not valid: %v", x.Name, err)
	}
	params := &expr.Object{}
	given := object(x.Properties.Value("parameters"))
	for _, m := range given.Members() {
		prm := def.Parameter(m.Name)
		if prm == nil {
			return nil, fail(400, "InvalidTemplate", "The workflow '%s' is given the parameter '%s', which its definition doesn't declare.", x.Name, m.Name)
		}
		v, _, ok := object(m.Value).Find("value")
		if !ok {
			if object(m.Value).Value("reference") != nil {
				return nil, fail(400, "InvalidTemplate", "The parameter '%s' of the workflow '%s' is a Key Vault reference, which is not available here; give its value.", m.Name, x.Name)
			}
			continue
		}
		if v == nil && prm.HasDefault {
			continue
		}
		params.Set(prm.Name, v)
	}
	all := append([]string{}, secrets...)
	for _, prm := range def.Parameters {
		v, has := params.Get(prm.Name)
		if !has {
			if !prm.HasDefault {
				return nil, fail(400, "InvalidTemplate", "The parameter '%s' of the workflow '%s' has neither a value nor a default.", prm.Name, x.Name)
			}
			v = prm.Default
		}
		v, ok := fitsParameter(prm.Type, v)
		if !ok {
			return nil, fail(400, "InvalidTemplate", "The value of the parameter '%s' of the workflow '%s' is of type '%s'; it must be of type '%s'.", prm.Name, x.Name, expr.TypeName(v), prm.Type)
		}
		if prm.Allowed != nil {
			found := false
			for _, a := range prm.Allowed {
				found = found || expr.Equal(a, v)
			}
			if !found {
				return nil, fail(400, "InvalidTemplate", "The value of the parameter '%s' of the workflow '%s' is not one of its allowed values.", prm.Name, x.Name)
			}
		}
		params.Set(prm.Name, v)
		if prm.Secure() {
			secretTexts(v, &all)
		}
	}
	w := &workflow{name: x.Name, location: x.Location, tags: x.Tags, enabled: true, allowNeeds: r.AllowNeeds, created: now, changed: now}
	if w.location == "" {
		w.location = e.deps.Location
	}
	if w.tags == nil {
		w.tags = &expr.Object{}
	}
	if s, _ := x.Properties.Value("state").(string); strings.EqualFold(s, "Disabled") {
		w.enabled = false
	}
	f := &planned{w: w}
	before, err := e.findWorkflow(ctx, x.Name)
	var pe *Error
	if err != nil && !errors.As(err, &pe) {
		return nil, err
	}
	if before != nil {
		f.before = before
		w.name, w.id, w.primary, w.secondary, w.created = before.name, before.id, before.primary, before.secondary, before.created
	} else {
		id := identify(assigned, x.Name)
		w.id, w.primary, w.secondary = id.id, id.primary, id.secondary
	}
	w.version0 = &version0{def: def, parameters: params, secrets: all}
	w.version = "0" + hashHex(w.id+expr.JSON(raw)+expr.JSON(params), 31)
	w.version0.id = w.version
	return f, nil
}

func secretTexts(v any, out *[]string) {
	switch x := v.(type) {
	case string:
		if len(x) >= minSecret {
			*out = append(*out, x)
		}
	case []any:
		for _, e := range x {
			secretTexts(e, out)
		}
	case *expr.Object:
		for _, m := range x.Members() {
			secretTexts(m.Value, out)
		}
	}
}

func fitsParameter(typ string, v any) (any, bool) {
	switch typ {
	case "string", "securestring":
		_, ok := v.(string)
		return v, ok || v == nil
	case "int":
		if s, ok := v.(string); ok {
			n, err := expr.CallBuiltin("int", s)
			return n, err == nil
		}
		return v, expr.TypeName(v) == "Integer"
	case "float":
		n, err := expr.CallBuiltin("float", v)
		return n, err == nil
	case "bool":
		if s, ok := v.(string); ok {
			b, err := expr.CallBuiltin("bool", s)
			return b, err == nil
		}
		_, ok := v.(bool)
		return v, ok
	case "array":
		_, ok := v.([]any)
		return v, ok
	}
	return v, object(v) != nil || v == nil
}

func (e *Engine) putWorkflow(tx *state.Tx, f *planned, now time.Time) error {
	w := f.w
	params, err := e.seal.encode(w.parameters, true)
	if err != nil {
		return err
	}
	list := make([]any, len(w.secrets))
	for i, s := range w.secrets {
		list[i] = s
	}
	secrets, err := e.seal.encode(list, true)
	if err != nil {
		return err
	}
	keys, err := e.seal.encode(expr.NewObject("primary", w.primary, "secondary", w.secondary), true)
	if err != nil {
		return err
	}
	// A template may have put a secret into the definition itself.
	def, err := e.seal.encode(w.def.Raw, contains(w.def.Raw, w.secrets))
	if err != nil {
		return err
	}
	if _, err := tx.Exec(`INSERT INTO playbook_version(version, workflow, definition, parameters, secrets, created) VALUES(?,?,?,?,?,?) ON CONFLICT(version) DO UPDATE SET secrets=excluded.secrets`,
		w.version, w.name, def, params, secrets, micros(now)); err != nil {
		return fmt.Errorf("store workflow %s: %w", w.name, err)
	}
	e.versions.Delete(w.version)
	if _, err := tx.Exec(`INSERT INTO playbook_workflow(name, id, version, location, tags, enabled, allow_needs, keys, created, changed) VALUES(?,?,?,?,?,?,?,?,?,?)
		ON CONFLICT(name) DO UPDATE SET version=excluded.version, location=excluded.location, tags=excluded.tags, enabled=excluded.enabled, allow_needs=excluded.allow_needs, changed=excluded.changed`,
		w.name, w.id, w.version, w.location, expr.JSON(w.tags), w.enabled, w.allowNeeds, keys, micros(w.created), micros(now)); err != nil {
		return fmt.Errorf("store workflow %s: %w", w.name, err)
	}
	var before *definition.Definition
	if f.before != nil && f.before.enabled {
		before = f.before.def
	}
	return e.setTriggers(tx, w.name, w.def, before, now)
}

func (e *Engine) publicWorkflow(w *workflow, needs []Need, times map[string][2]int64) *Workflow {
	params := &expr.Object{}
	for _, m := range w.parameters.Members() {
		if p := w.def.Parameter(m.Name); p != nil && p.Secure() {
			params.Set(m.Name, nil)
			continue
		}
		params.Set(m.Name, maskValue(m.Value, w.secrets))
	}
	out := &Workflow{
		Name: w.name, ID: w.id, Version: w.version, Enabled: w.enabled, Location: w.location, Tags: w.tags,
		Definition: object(maskValue(w.def.Raw, w.secrets)), Parameters: params, Needs: needs, Created: w.created, Changed: w.changed,
	}
	for _, t := range w.def.Triggers {
		i := TriggerInfo{Name: t.Name, Type: t.Type, Kind: t.Kind}
		if tm, ok := times[t.Name]; ok && w.enabled {
			i.Next, i.Last = fromMicros(tm[0]), fromMicros(tm[1])
		}
		out.Triggers = append(out.Triggers, i)
	}
	return out
}
