package azure

import (
	"context"
	"flag"
	"fmt"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"
)

var update = flag.Bool("update", false, "write testdata/routes.txt anew")

var pathVar = regexp.MustCompile(`\{(\w+)\}`)

// TestEveryRouteHoldsItsRole asks every route as nobody, with an expired token, with one for another audience, with
// each role, and for another workspace. testdata/routes.txt is the table of who may what.
func TestEveryRouteHoldsItsRole(t *testing.T) {
	f := newFull(t)
	f.api.gate = newGate(Limits{Concurrent: 5})
	var table []string
	all := append(append([]route{}, f.api.table.routes...), f.api.wire.routes...)
	for _, r := range all {
		need := string(r.need)
		if need == "" {
			need = "nobody"
		}
		table = append(table, fmt.Sprintf("%-11s %-6s %s", need, r.method, r.pattern))
	}
	got := strings.Join(table, "\n") + "\n"
	const golden = "testdata/routes.txt"
	if *update {
		if err := os.WriteFile(golden, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if string(want) != got {
		t.Errorf("the routes and their roles changed: look at the difference, then run go test ./azure -run EveryRoute -update")
	}

	ctx := context.Background()
	id, _, err := f.api.Issuer().CreatePrincipal(ctx, "app", Owner)
	if err != nil {
		t.Fatal(err)
	}
	graph, err := f.api.issuer.sign("x", "https://graph.microsoft.com", id)
	if err != nil {
		t.Fatal(err)
	}
	f.api.issuer.now = func() time.Time { return time.Now().Add(-3 * time.Hour) }
	expired, err := f.api.issuer.sign("x", "https://management.azure.com", id)
	if err != nil {
		t.Fatal(err)
	}
	f.api.issuer.now = time.Now
	roles := []Role{Reader, Responder, Contributor, Owner}
	tokens := map[Role]string{}
	for _, r := range roles {
		tokens[r] = f.token(r)
	}
	fill := func(pattern string, over map[string]string) string {
		return pathVar.ReplaceAllStringFunc(pattern, func(v string) string {
			n := v[1 : len(v)-1]
			if s, ok := over[n]; ok {
				return s
			}
			switch n {
			case "sub":
				return testWorkspace.SubscriptionID
			case "rg":
				return testWorkspace.ResourceGroup
			case "ws":
				return testWorkspace.Name
			case "namespace":
				return "Microsoft.Logic"
			}
			return "none"
		})
	}
	for _, r := range all {
		if r.need == "" {
			continue
		}
		path := fill(r.pattern, nil) + "?api-version=2023-01-01"
		ask := func(tok string) int {
			c, _ := f.do(r.method, path, tok, nil, "{")
			return c
		}
		for what, x := range map[string]struct {
			tok  string
			want int
		}{"nobody": {"", 401}, "expired": {expired, 401}, "another audience": {graph, 403}, "a made-up token": {"pat_x", 401}} {
			if c := ask(x.tok); c != x.want {
				t.Errorf("%s %s as %s: %d, want %d", r.method, r.pattern, what, c, x.want)
			}
		}
		for _, role := range roles {
			if c := ask(tokens[role]); (c == 403) == role.Allows(r.need) || c == 401 {
				t.Errorf("%s %s as %s: %d, it needs %s", r.method, r.pattern, role, c, r.need)
			}
		}
		for _, v := range []string{"sub", "rg", "ws"} {
			if strings.Contains(r.pattern, "{"+v+"}") {
				p := fill(r.pattern, map[string]string{v: "other"}) + "?api-version=1"
				if c, _ := f.do(r.method, p, tokens[Owner], nil, "{"); c != 404 {
					t.Errorf("%s %s with another %s: %d", r.method, r.pattern, v, c)
				}
			}
		}
	}
}
