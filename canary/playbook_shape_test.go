package canary

import (
	"encoding/json"
	"net/netip"
	"os"
	"path/filepath"
	"picket/canary/geo"
	"strings"
	"testing"
	"time"
)

// shared finds the folder of conformance data, or skips the test (or fails it where the data is required).
func shared(t *testing.T) string {
	t.Helper()
	dir := os.Getenv("PICKET_SHARED")
	if dir == "" {
		root, err := os.Getwd()
		if err != nil {
			t.Fatal(err)
		}
		for {
			if _, err := os.Stat(filepath.Join(root, "go.mod")); err == nil {
				break
			}
			up := filepath.Dir(root)
			if up == root {
				t.Fatal("no go.mod above the test")
			}
			root = up
		}
		dir = filepath.Join(root, "..", "shared")
	}
	if _, err := os.Stat(dir); err != nil {
		if os.Getenv("PICKET_REQUIRE_SHARED") == "1" {
			t.Fatal(err)
		}
		t.Skipf("conformance data is not here (PICKET_SHARED): %v", err)
	}
	return dir
}

// TestMessageSuitsPublishedPlaybooks checks the webhook against what the published Ingest-CanaryTokens playbooks
// parse: every type in their schemas, the prefix that they cut off, the memo of the test message.
func TestMessageSuitsPublishedPlaybooks(t *testing.T) {
	files, err := filepath.Glob(filepath.Join(shared(t), "seed", "Ingest-CanaryTokens*", "azuredeploy.json"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no playbooks: %v", err)
	}
	b := newBench(t, nil)
	tr := Trip{Kind: "ms_word", Memo: "FS01,,,x,y"}
	tr.ID, tr.Token, tr.Channel, tr.SrcIP, tr.UserAgent, tr.Time = "1", strings.Repeat("a", 25), "HTTP", "1.2.3.4", "Word", time.Now()
	tr.Geo = geo.Info{IP: netip.MustParseAddr("1.2.3.4"), City: "Cape Town", CountryCode: "ZA", HasLoc: true, Lat: -33.9, Lon: 18.6, ASN: 29975, ASName: "Vodacom"}
	full := noteOf(&tr)
	tr.Geo = geo.Info{IP: tr.Geo.IP}
	bare := noteOf(&tr)
	for _, f := range files {
		text, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(string(text), "'], 38)") && !strings.Contains(string(text), "['manage_url'], 38)") {
			t.Errorf("%s: where does it cut the manage_url?", f)
		}
		if strings.Contains(string(text), "newly saved webhook") && !strings.Contains(string(text), TestMemo) {
			t.Errorf("%s: another test memo", f)
		}
		var arm struct {
			Resources []struct {
				Properties struct {
					Definition struct {
						Actions map[string]struct {
							Inputs json.RawMessage `json:"inputs"`
						} `json:"actions"`
					} `json:"definition"`
				} `json:"properties"`
			} `json:"resources"`
		}
		if err := json.Unmarshal(text, &arm); err != nil {
			t.Fatal(err)
		}
		schemas := 0
		for _, r := range arm.Resources {
			a, ok := r.Properties.Definition.Actions["Parse_JSON_Token_Response"]
			if !ok {
				continue
			}
			schemas++
			var in struct {
				Schema map[string]any `json:"schema"`
			}
			if err := json.Unmarshal(a.Inputs, &in); err != nil {
				t.Fatal(err)
			}
			for name, m := range map[string]any{"full": b.message(&full, true), "bare": b.message(&bare, true), "test": b.testMessage()} {
				js, err := json.Marshal(m)
				if err != nil {
					t.Fatal(err)
				}
				var v any
				if err := json.Unmarshal(js, &v); err != nil {
					t.Fatal(err)
				}
				suits(t, filepath.Base(filepath.Dir(f))+" "+name, in.Schema, v)
			}
		}
		if schemas != 1 {
			t.Errorf("%s: %d schemas", f, schemas)
		}
	}
}

// suits checks types only; absent properties pass.
func suits(t *testing.T, path string, schema map[string]any, v any) {
	t.Helper()
	got := "array"
	switch v.(type) {
	case nil:
		got = "null"
	case string:
		got = "string"
	case float64:
		got = "number"
	case bool:
		got = "boolean"
	case map[string]any:
		got = "object"
	}
	if want, ok := schema["type"].(string); ok && want != got {
		t.Errorf("%s is %s, the playbook wants %s", path, got, want)
	}
	props, _ := schema["properties"].(map[string]any)
	o, _ := v.(map[string]any)
	for k, s := range props {
		if e, ok := o[k]; ok {
			if sub, ok := s.(map[string]any); ok {
				suits(t, path+"."+k, sub, e)
			}
		}
	}
}
