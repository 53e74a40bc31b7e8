package web

import (
	"picket/kql/help"
	"slices"
	"testing"
)

func TestCatalogueHidesOnlyWhatIsServedAsNothing(t *testing.T) {
	c := engineCatalogue()
	for _, name := range []string{"summarize", "where", "count", "sum", "tostring", "parse_csv", "bag_unpack", "make-series"} {
		if slices.Contains(c.Missing, name) {
			t.Errorf("%s is served and must be offered", name)
		}
	}
	for _, name := range c.Missing {
		for _, e := range help.Lookup(name) {
			if e.Unsupported == "" {
				t.Errorf("%s is served as %s and must be offered", name, e.Kind)
			}
		}
	}
}
