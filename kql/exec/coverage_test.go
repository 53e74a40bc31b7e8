package exec

import (
	"picket/kql/catalog"
	"picket/kql/eval/agg"
	"testing"
)

// TestCoverage holds the catalogue and the interpreter together: what is listed here as missing is refused by name.
func TestCoverage(t *testing.T) {
	missingAggs := map[string]bool{"passthrough": true}
	for _, f := range catalog.Aggregates() {
		if _, ok := agg.Lookup(f.Name); ok == missingAggs[f.Name] {
			t.Errorf("aggregate %s: built in %v, listed as missing %v", f.Name, ok, missingAggs[f.Name])
		}
	}
	missingPlugins := map[string]bool{"funnel_sequence": true, "diffpatterns_text": true}
	have := plugins()
	for _, f := range catalog.Plugins() {
		_, ok := have[f.Name]
		if ok == (missingPlugins[f.Name] || egress[f.Name]) {
			t.Errorf("plugin %s: built in %v, listed as missing or outside %v", f.Name, ok, !ok)
		}
	}
}
