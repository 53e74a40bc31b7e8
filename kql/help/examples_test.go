package help

import (
	"slices"
	"testing"
)

// bare are the entries without an example, because they need a host that an example of the documentation hasn't: a
// second database, a user, a geography database, rows with a time of reception. The list may only shrink.
var bare = []string{
	"function app", "function cluster", "function current_cluster_endpoint", "function current_database", "function current_principal",
	"function database", "function entity_group", "function geo_info_from_ip_address", "function ingestion_time", "function resource",
	"function workspace",
}

// TestEverythingServedHasAnExample: what isn't refused has an example, which TestExamplesRun runs.
func TestEverythingServedHasAnExample(t *testing.T) {
	for _, e := range All() {
		name := string(e.Kind) + " " + e.Name
		listed := slices.Contains(bare, name)
		switch {
		case e.Example == "" && e.Unsupported == "" && !listed:
			t.Errorf("%s has no example", name)
		case e.Example != "" && listed:
			t.Errorf("%s has an example: take it from the list", name)
		case e.Example != "" && e.Unsupported != "":
			t.Errorf("%s has an example though it is refused: %s", name, e.Unsupported)
		}
	}
}
