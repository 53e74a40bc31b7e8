package exec

import (
	"os"
	"picket/kql/kqltest"
	"strings"
	"testing"
)

// TestAdhoc answers the query of PICKET_QUERY.
func TestAdhoc(t *testing.T) {
	q := os.Getenv("PICKET_QUERY")
	if q == "" {
		t.Skip("PICKET_QUERY holds no query")
	}
	for _, one := range strings.Split(q, "@@") {
		got, err := first(t.Context(), one)
		if err != nil {
			t.Logf("%s\n%v", one, err)
			continue
		}
		t.Logf("%s\n%s", one, kqltest.Format(got))
	}
}
