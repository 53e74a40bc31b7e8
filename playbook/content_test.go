package playbook

import (
	"context"
	"os"
	"path/filepath"
	"picket/playbook/expr"
	"sort"
	"strings"
	"testing"
)

func TestParseBody(t *testing.T) {
	for _, c := range []struct{ body, ct, want string }{
		{`{"a":9007199254740993}`, "application/json; charset=utf-8", `{"a":9007199254740993}`},
		{"", "application/json", "null"},
		{"hi", "text/plain", `"hi"`},
		{"a=1&a=2&b=x+y", "application/x-www-form-urlencoded", `{"$content-type":"application/x-www-form-urlencoded","$content":"YT0xJmE9MiZiPXgreQ==","$formdata":[{"key":"a","value":"1"},{"key":"a","value":"2"},{"key":"b","value":"x y"}]}`},
		{"<a/>", "application/xml", `{"$content-type":"application/xml","$content":"PGEvPg=="}`},
		{"--b\r\nContent-Disposition: form-data; name=\"k\"\r\n\r\nv\r\n--b--\r\n", "multipart/form-data; boundary=b", `[{"headers":{"Content-Disposition":"form-data; name=\"k\""},"body":"v"}]`},
	} {
		v, err := ParseBody([]byte(c.body), c.ct)
		got := expr.JSON(v)
		if m := object(v).Value("$multipart"); m != nil {
			got = expr.JSON(m)
		}
		if err != nil || got != c.want {
			t.Errorf("%s: got %s %v, want %s", c.ct, got, err, c.want)
		}
	}
	if _, err := ParseBody([]byte("{"), "application/json"); err == nil {
		t.Error("broken JSON passes")
	}
}

// TestPublishedNeeds deploys every published template without connectors and lists what they need.
func TestPublishedNeeds(t *testing.T) {
	dir := os.Getenv("PICKET_SHARED")
	if dir == "" {
		dir = filepath.Join("..", "..", "shared")
	}
	files, _ := filepath.Glob(filepath.Join(dir, "content", "playbooks", "*.json"))
	if len(files) == 0 {
		if os.Getenv("PICKET_REQUIRE_SHARED") == "1" {
			t.Fatal("the shared folder is required")
		}
		t.Skip("no shared folder")
	}
	l := newLab(t, nil)
	deployed, workflows, bad := 0, 0, 0
	kinds := map[string]int{}
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
		given := map[string]any{}
		for _, m := range object(object(v).Value("parameters")).Members() {
			po := object(m.Value)
			if def, _, has := po.Find("defaultValue"); has {
				if s, ok := def.(string); ok && strings.HasPrefix(s, "<") && m.Name == "PlaybookName" {
					given[m.Name] = "Playbook" // the template asks for a name
				}
				continue
			}
			typ, _ := po.Value("type").(string)
			switch strings.ToLower(typ) {
			case "int":
				given[m.Name] = 1
			case "bool":
				given[m.Name] = true
			case "array":
				given[m.Name] = []any{"x"}
			case "object", "secureobject":
				given[m.Name] = map[string]any{"clientId": "c", "clientSecret": "s", "tenantId": "t", "apiToken": "a", "tenantUrl": "u"}
			default:
				given[m.Name] = "value-of-" + m.Name
			}
			if a, ok := po.Value("allowedValues").([]any); ok {
				given[m.Name] = a[0]
			}
		}
		d, err := l.Deploy(context.Background(), DeployRequest{Template: text, Parameters: given})
		if err != nil {
			t.Logf("%s: %v", filepath.Base(f), err)
			bad++
			continue
		}
		deployed++
		workflows += len(d.Workflows)
		seen := map[string]bool{}
		for _, n := range d.Needs {
			if k := n.Kind + " " + n.Name; !seen[k] {
				seen[k] = true
				kinds[k]++
			}
			if n.Name == "?" {
				t.Log(n.Message)
			}
			if n.Message == "" || n.Name == "" {
				t.Errorf("%s: a need without a name: %+v", f, n)
			}
		}
	}
	var names []string
	for k := range kinds {
		names = append(names, k)
	}
	sort.Slice(names, func(i, j int) bool {
		if kinds[names[i]] != kinds[names[j]] {
			return kinds[names[i]] > kinds[names[j]]
		}
		return names[i] < names[j]
	})
	for _, k := range names[:min(25, len(names))] {
		t.Logf("%4d templates need %s", kinds[k], k)
	}
	t.Logf("deployed %d of %d templates, %d workflows, %d kinds of needs, %d refused", deployed, len(files), workflows, len(kinds), bad)
	if float64(deployed) < 0.9*float64(len(files)) {
		t.Errorf("only %d of %d templates deploy", deployed, len(files))
	}
}
