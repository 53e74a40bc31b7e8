package playbook

import (
	"picket/playbook/expr"
	"regexp"
	"strings"
)

// MadeUpParameters gives a value to each parameter of a template that has no default, or whose default is a note to
// the reader ("<Enter the name>"): enough to check the template, not to run it.
func MadeUpParameters(template []byte) map[string]any {
	v, err := expr.ParseJSON(template)
	if err != nil {
		return nil
	}
	out := map[string]any{}
	for _, m := range object(object(v).Value("parameters")).Members() {
		p := object(m.Value)
		def, _, has := p.Find("defaultValue")
		note, _ := def.(string)
		if has && !strings.HasPrefix(note, "<") {
			continue
		}
		typ, _ := p.Value("type").(string)
		switch strings.ToLower(typ) {
		case "int":
			n, ok := p.Value("minValue").(int64)
			if !ok {
				n = 1
			}
			out[m.Name] = n
		case "bool":
			out[m.Name] = true
		case "array":
			out[m.Name] = []any{"value"}
		case "object", "secureobject":
			o := &expr.Object{}
			used := regexp.MustCompile(`(?i)parameters\('` + regexp.QuoteMeta(m.Name) + `'\)(?:\.([A-Za-z_]\w*)|\['([^']+)'\])`)
			for _, f := range used.FindAllSubmatch(template, 1000) { // the members that the template reads
				o.Set(string(f[1])+string(f[2]), "value-of-"+string(f[1])+string(f[2]))
			}
			out[m.Name] = o
		default:
			out[m.Name] = "value-of-" + strings.Map(func(r rune) rune {
				if r >= '0' && r <= '9' || r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r == '-' {
					return r
				}
				return -1
			}, m.Name)
		}
		if a, ok := p.Value("allowedValues").([]any); ok && len(a) > 0 {
			out[m.Name] = a[0]
		}
	}
	return out
}
