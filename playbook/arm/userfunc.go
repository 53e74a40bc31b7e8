package arm

import (
	"fmt"
	"picket/playbook/expr"
	"strings"
)

// userFunction is a function that the template defines: functions[].members.
type userFunction struct {
	name   string // namespace.member, as written
	params []string
	value  any
}

const maxCallDepth = 32

// userFunctions reads a template's own functions.
func (t *template) userFunctions() error {
	t.functions = map[string]*userFunction{}
	list, _ := t.body.Value("functions").([]any)
	for i, e := range list {
		p := t.at("functions", fmt.Sprintf("[%d]", i))
		o, _ := e.(*expr.Object)
		ns, _ := o.Value("namespace").(string)
		members, _ := o.Value("members").(*expr.Object)
		if ns == "" || members == nil {
			return t.fail(p, "a namespace of functions needs 'namespace' and 'members'")
		}
		for _, m := range members.Members() {
			mo, _ := m.Value.(*expr.Object)
			out, _ := mo.Value("output").(*expr.Object)
			if out == nil {
				return t.fail(append(p, "members", m.Name), "the function '%s.%s' has no 'output'", ns, m.Name)
			}
			f := &userFunction{name: ns + "." + m.Name, value: out.Value("value")}
			ps, _ := mo.Value("parameters").([]any)
			for _, x := range ps {
				po, _ := x.(*expr.Object)
				n, _ := po.Value("name").(string)
				f.params = append(f.params, n)
			}
			t.functions[strings.ToLower(f.name)] = f
		}
	}
	return nil
}

const userMark = "userfunction_"

// mangle writes calls of the template's own functions, which have a dot in their name, as calls of one name. Texts in
// quotes stay as they are.
func (t *template) mangle(s string) string {
	if len(t.functions) == 0 {
		return s
	}
	var b strings.Builder
	for i := 0; i < len(s); {
		c := s[i]
		if c == '\'' {
			j := i + 1
			for j < len(s) && s[j] != '\'' {
				j++
			}
			j = min(j+1, len(s))
			b.WriteString(s[i:j])
			i = j
			continue
		}
		if !wordByte(c) {
			b.WriteByte(c)
			i++
			continue
		}
		j := i
		for j < len(s) && (wordByte(s[j]) || s[j] == '.') {
			j++
		}
		word := s[i:j]
		if _, ok := t.functions[strings.ToLower(word)]; ok && strings.HasPrefix(strings.TrimLeft(s[j:], " \t\r\n"), "(") {
			word = userMark + strings.ReplaceAll(word, ".", "_DOT_")
		}
		b.WriteString(word)
		i = j
	}
	return b.String()
}

func wordByte(c byte) bool {
	return c == '_' || c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z'
}

// callUser calls a function of the template: it sees its parameters and nothing else.
func (t *template) callUser(name string, args []expr.Arg) (any, error) {
	f := t.functions[strings.ToLower(strings.ReplaceAll(strings.TrimPrefix(name, userMark), "_DOT_", "."))]
	if f == nil {
		return nil, fmt.Errorf("the template function '%s' is not defined", name)
	}
	if len(args) != len(f.params) {
		return nil, fmt.Errorf("the template function '%s' takes %d parameters, not %d", f.name, len(f.params), len(args))
	}
	inner := *t
	inner.params, inner.vars, inner.busy, inner.copies = map[string]*Parameter{}, map[string]any{}, map[string]bool{}, map[string]int64{}
	inner.body = &expr.Object{}
	if inner.calls++; inner.calls > maxCallDepth {
		return nil, fmt.Errorf("the template function '%s' calls itself without end", f.name)
	}
	for i, a := range args {
		v, err := a()
		if err != nil {
			return nil, err
		}
		inner.params[strings.ToLower(f.params[i])] = &Parameter{Name: f.params[i], Value: v}
	}
	return inner.eval(f.value, nil)
}
