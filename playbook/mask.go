package playbook

import (
	"picket/playbook/definition"
	"picket/playbook/expr"
	"strings"
)

// Masked stands for a secret value in everything that is shown.
const Masked = "*sanitized*"

const minSecret = 4 // shorter texts would mask everything

func contains(v any, secrets []string) bool {
	switch x := v.(type) {
	case string:
		for _, s := range secrets {
			if len(s) >= minSecret && strings.Contains(x, s) {
				return true
			}
		}
	case []any:
		for _, e := range x {
			if contains(e, secrets) {
				return true
			}
		}
	case *expr.Object:
		for _, m := range x.Members() {
			if contains(m.Value, secrets) || strings.EqualFold(m.Name, "authentication") && m.Value != nil {
				return true
			}
		}
	}
	return false
}

// hasSecret says whether a value must be sealed where it is stored.
func (r *run) hasSecret(v any) bool { return contains(v, r.e.hide(r.ver.secrets)) }

// mask replaces secrets in a value that is shown.
func (r *run) mask(v any) any { return maskValue(v, r.e.hide(r.ver.secrets)) }

func maskText(s string, secrets []string) string {
	for _, x := range secrets {
		if len(x) >= minSecret {
			s = strings.ReplaceAll(s, x, Masked)
		}
	}
	return s
}

func maskValue(v any, secrets []string) any {
	switch x := v.(type) {
	case string:
		return maskText(x, secrets)
	case []any:
		out := make([]any, len(x))
		for i, e := range x {
			out[i] = maskValue(e, secrets)
		}
		return out
	case *expr.Object:
		if x == nil {
			return x
		}
		out := &expr.Object{}
		for _, m := range x.Members() {
			if strings.EqualFold(m.Name, "authentication") {
				out.Set(m.Name, maskAuth(m.Value, secrets))
				continue
			}
			if strings.EqualFold(m.Name, "Authorization") || strings.EqualFold(m.Name, "Proxy-Authorization") || strings.EqualFold(m.Name, "Cookie") {
				if _, ok := m.Value.(string); ok {
					out.Set(m.Name, Masked)
					continue
				}
			}
			out.Set(m.Name, maskValue(m.Value, secrets))
		}
		return out
	}
	return v
}

// maskAuth keeps what an authentication is and hides what it proves itself with.
func maskAuth(v any, secrets []string) any {
	o := object(v)
	if o == nil {
		if v == nil {
			return nil
		}
		return Masked
	}
	out := &expr.Object{}
	for _, m := range o.Members() {
		switch strings.ToLower(m.Name) {
		case "type", "username", "tenant", "audience", "clientid", "authority", "identity", "credentialtype":
			out.Set(m.Name, maskValue(m.Value, secrets))
		default:
			out.Set(m.Name, Masked)
		}
	}
	return out
}

// hidden says which sides of an action the history hides: those it declares secure, inputs made of secured
// outputs, and outputs of actions that only pass such inputs on.
func hidden(d *definition.Definition, a *definition.Action) definition.Secure {
	s := a.Secure
	if s.Inputs && s.Outputs {
		return s
	}
	uses := false
	var walk func(v any)
	walk = func(v any) {
		switch x := v.(type) {
		case string:
			if uses || !strings.Contains(x, "@") {
				return
			}
			t, err := expr.ParseTemplate(x)
			if err != nil {
				return
			}
			for _, n := range t.Nodes() {
				for _, c := range expr.Calls(n) {
					switch strings.ToLower(c.Name) {
					case "body", "outputs", "actions", "actionbody", "actionoutputs":
						if len(c.Text) > 0 {
							if o := d.Action(c.Text[0]); o != nil && o.Secure.Outputs {
								uses = true
							}
						}
					case "trigger", "triggerbody", "triggeroutputs":
						for _, t := range d.Triggers {
							uses = uses || t.Secure.Outputs
						}
					}
				}
			}
		case []any:
			for _, e := range x {
				walk(e)
			}
		case *expr.Object:
			for _, m := range x.Members() {
				walk(m.Name)
				walk(m.Value)
			}
		}
	}
	walk(a.Inputs)
	if uses {
		s.Inputs = true
		switch a.Type {
		case "Compose", "ParseJson", "Response", "Select", "Query", "Join", "Table":
			s.Outputs = true
		}
	}
	return s
}
