package arm

import (
	"os"
	"path/filepath"
	"picket/playbook/definition"
	"picket/playbook/expr"
	"strings"
	"testing"
)

func options() Options {
	return Options{
		SubscriptionID: "11111111-1111-1111-1111-111111111111", TenantID: "t", ResourceGroup: "rg", Location: "local",
		List: func(f, id string) (any, error) {
			return expr.NewObject("f", f, "id", id, "key1", "k", "keys", []any{expr.NewObject("value", "k")}), nil
		},
		Reference: func(id string) (any, error) { return expr.NewObject("id", id), nil },
	}
}

func TestEvaluate(t *testing.T) {
	const text = `{
	"parameters": {"Name": {"type":"String","defaultValue":"p1"}, "Key": {"type":"securestring","defaultValue":"k"}},
	"variables": {"conn": "[concat('c-', parameters('name'))]", "both": "[concat(variables('CONN'),'-x')]"},
	"resources": [
		{"type":"Microsoft.Web/connections","apiVersion":"2016-06-01","name":"[variables('conn')]","location":"[resourceGroup().location]",
		 "properties":{"api":{"id":"[concat('/subscriptions/', subscription().subscriptionId, '/x')]"},"lit":"[[not an expression]"}},
		{"condition":"[equals(parameters('Name'),'other')]","type":"A.B/c","name":"no"},
		{"type":"A.B/c","name":"[concat('v',copyIndex())]","copy":{"name":"l","count":2},"properties":{"n":"[copyIndex('l',10)]"}},
		{"type":"Microsoft.Resources/deployments","name":"inner","properties":{"mode":"Incremental",
		 "expressionEvaluationOptions":{"scope":"inner"},"parameters":{"p":{"value":"[variables('both')]"}},
		 "template":{"parameters":{"p":{"type":"string"}},"resources":[{"type":"A.B/d","name":"[parameters('p')]"}]}}}
	],
	"outputs": {"id":{"type":"string","value":"[resourceId('Microsoft.Web/connections', variables('conn'))]"},
		"loc":{"type":"string","value":"[reference(variables('conn')).api.id]"},
		"u":{"type":"string","value":"[uniqueString('a')]"}, "s":{"type":"string","value":"[toLower(format('{0}-{1}','A',2))]"}}}`
	r, err := Evaluate([]byte(text), options())
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, x := range r.Resources {
		names = append(names, x.Type+" "+x.Name)
	}
	if got, want := strings.Join(names, ","), "Microsoft.Web/connections c-p1,A.B/c v0,A.B/c v1,A.B/d c-p1-x"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	if got := r.Resources[0].Properties.Value("lit"); got != "[not an expression]" {
		t.Errorf("literal %v", got)
	}
	if got := r.Resources[2].Properties.Value("n"); got != int64(11) {
		t.Errorf("copyIndex %v", got)
	}
	if got := r.Outputs.Value("id"); got != "/subscriptions/11111111-1111-1111-1111-111111111111/resourceGroups/rg/providers/Microsoft.Web/connections/c-p1" {
		t.Errorf("resourceId %v", got)
	}
	if got := r.Outputs.Value("s"); got != "a-2" {
		t.Errorf("format %v", got)
	}
	if u := r.Outputs.Value("u").(string); len(u) != 13 {
		t.Errorf("uniqueString %q", u)
	}
	if s := r.Secrets(); len(s) != 1 || s[0] != "k" {
		t.Errorf("secrets %v", s)
	}
}

func TestErrors(t *testing.T) {
	for _, c := range []struct{ text, want string }{
		{`{"resources":[{"type":"A.B/c","name":"[nope()]"}]}`, "'nope' is not defined"},
		{"{\"resources\":[\n{\"type\":\"A.B/c\",\"name\":\"[parameters('x')]\"}]}", "line 2, column 17"},
		{`{"parameters":{"p":{"type":"string"}},"resources":[]}`, "template parameter 'p' is not provided"},
		{`{"variables":{"a":"[variables('b')]","b":"[variables('a')]"},"resources":[]}`, "needs itself"},
		{`{`, "Unexpected end"},
		{`[]`, "must be an object"},
		{`{"parameters":{"p":{"type":"string","allowedValues":["a"],"defaultValue":"b"}},"resources":[]}`, "allowed values"},
	} {
		if _, err := Evaluate([]byte(c.text), options()); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: got %v, want %q", c.text, err, c.want)
		}
	}
}

// TestPublishedPlaybooks opens every published template there is, and reads its workflows.
func TestPublishedPlaybooks(t *testing.T) {
	dir := os.Getenv("PICKET_SHARED")
	if dir == "" {
		dir = filepath.Join("..", "..", "..", "shared")
	}
	files, _ := filepath.Glob(filepath.Join(dir, "content", "playbooks", "*.json"))
	seeds, _ := filepath.Glob(filepath.Join(dir, "seed", "*", "azuredeploy.json"))
	files = append(files, seeds...)
	if len(files) == 0 {
		if os.Getenv("PICKET_REQUIRE_SHARED") == "1" {
			t.Fatal("the shared folder is required")
		}
		t.Skip("no shared folder")
	}
	templates, workflows, bad := 0, 0, 0
	for _, f := range files {
		text, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		v, err := expr.ParseJSON(text)
		if err != nil {
			t.Logf("%s: %v", filepath.Base(f), err)
			bad++
			continue
		}
		// A parameter without a default gets a value of its type.
		given := map[string]any{}
		decl, _ := v.(*expr.Object).Value("parameters").(*expr.Object)
		for _, m := range decl.Members() {
			po := m.Value.(*expr.Object)
			if _, _, has := po.Find("defaultValue"); has {
				continue
			}
			typ, _ := po.Value("type").(string)
			switch strings.ToLower(typ) {
			case "int":
				given[m.Name] = int64(1)
			case "bool":
				given[m.Name] = true
			case "array":
				given[m.Name] = []any{"x"}
			case "object", "secureobject":
				given[m.Name] = expr.NewObject("clientId", "c", "clientSecret", "s", "tenantId", "t")
			default:
				given[m.Name] = "value-of-" + m.Name
			}
			if a, ok := po.Value("allowedValues").([]any); ok {
				given[m.Name] = a[0]
			}
		}
		opt := options()
		opt.Parameters = given
		r, err := Evaluate(text, opt)
		if err != nil {
			t.Logf("%s: %v", filepath.Base(f), err)
			bad++
			continue
		}
		templates++
		for _, x := range r.Resources {
			if !strings.EqualFold(x.Type, "Microsoft.Logic/workflows") {
				continue
			}
			d, _ := x.Properties.Value("definition").(*expr.Object)
			at := append(append([]string{}, x.Path...), "properties", "definition")
			if _, err := definition.Parse(d, func(p []string) (int, int) { return r.Place(append(append([]string{}, at...), p...)) }); err != nil {
				t.Logf("%s: workflow %s: %v", filepath.Base(f), x.Name, err)
				bad++
				continue
			}
			workflows++
		}
	}
	t.Logf("templates: %d of %d, workflows read: %d, complaints: %d", templates, len(files), workflows, bad)
	if float64(templates) < 0.95*float64(len(files)) {
		t.Errorf("only %d of %d templates open", templates, len(files))
	}
}

func FuzzTemplate(f *testing.F) {
	f.Add([]byte(`{"parameters":{"a":{"type":"string","defaultValue":"[concat('a','b')]"}},"variables":{"copy":[{"name":"v","count":2,"input":"[copyIndex('v')]"}]},"resources":[{"type":"A.B/c","name":"[parameters('a')]","copy":{"name":"l","count":3}}],"outputs":{"o":{"value":"[variables('v')]"}}}`))
	f.Add([]byte(`{"resources":[{"type":"Microsoft.Resources/deployments","name":"x","properties":{"template":{"resources":[]}}}]}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		if len(b) > 4000 {
			return
		}
		r, err := Evaluate(b, options())
		if err != nil {
			_ = err.Error()
			return
		}
		for _, x := range r.Resources {
			if d, ok := x.Properties.Value("definition").(*expr.Object); ok {
				if _, err := definition.Parse(d, nil); err != nil {
					_ = err.Error()
				}
			}
		}
	})
}
