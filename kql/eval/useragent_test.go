package eval

import (
	"errors"
	"picket/kql/value"
	"strings"
	"testing"
)

// fakeAgents takes an agent apart at its slashes.
type fakeAgents struct{ asked int }

func (f *fakeAgents) part(agent string, i int) string {
	if p := strings.Split(agent, "/"); i < len(p) {
		return p[i]
	}
	return ""
}

func (f *fakeAgents) Browser(a string) (family, major, minor, patch string) {
	f.asked++
	return f.part(a, 0), f.part(a, 1), f.part(a, 2), ""
}

func (f *fakeAgents) System(a string) (family, major, minor, patch, patchMinor string) {
	return "OS", f.part(a, 1), "", "", ""
}

func (f *fakeAgents) Device(a string) (family, brand, model string) {
	return f.part(a, 0), "", ""
}

func TestUserAgents(t *testing.T) {
	f, ok := Lookup("parse_user_agent")
	if !ok {
		t.Fatal("no parse_user_agent")
	}
	call := func(c *Ctx, agents []string, want any) (*value.Vector, error) {
		return f(c, value.Dynamic, len(agents), []*value.Vector{value.StringVector(agents), value.ConstOf(value.OfDynamic(want), len(agents))})
	}
	var refused *Refusal
	if _, err := call(NewCtx(0), []string{"a"}, "browser"); !errors.As(err, &refused) || refused.Misused {
		t.Errorf("without a database: %v", err)
	}
	c, agents := NewCtx(0), &fakeAgents{}
	c.Agents = agents
	if _, err := call(c, []string{"a"}, "engine"); !errors.As(err, &refused) || !refused.Misused {
		t.Errorf("another part: %v", err)
	}
	got, err := call(c, []string{"fox/1/2", "fox/1/2", ""}, []any{"os", "browser"})
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range []string{
		`{"OperatingSystem":{"Family":"OS","MajorVersion":"1","MinorVersion":"","Patch":"","PatchMinor":""},"Browser":{"Family":"fox","MajorVersion":"1","MinorVersion":"2","Patch":""}}`,
		`{"OperatingSystem":{"Family":"OS","MajorVersion":"1","MinorVersion":"","Patch":"","PatchMinor":""},"Browser":{"Family":"fox","MajorVersion":"1","MinorVersion":"2","Patch":""}}`,
		`{"OperatingSystem":{"Family":"OS","MajorVersion":"","MinorVersion":"","Patch":"","PatchMinor":""},"Browser":{"Family":"","MajorVersion":"","MinorVersion":"","Patch":""}}`,
	} {
		if s := value.Text(got, i); s != want {
			t.Errorf("row %d: %s, want %s", i, s, want)
		}
	}
	if agents.asked != 2 {
		t.Errorf("%d agents were looked up, 2 are different", agents.asked)
	}
	if got, err = call(c, []string{"a"}, nil); err != nil || !got.IsNull(0) {
		t.Errorf("nothing looked for: %v %v", got, err)
	}
}
