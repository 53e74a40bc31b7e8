package web

import (
	"net/http"
	"picket/kql/help"
	"slices"
	"strings"
)

// catalogue is what the editor must not offer, so that nothing it offers is refused afterwards. Names compare
// without case.
type catalogue struct {
	// Missing are names of Kusto's language (functions, aggregates, plugins, operators) that this engine does
	// not run as any kind.
	Missing []string `json:"missing"`
}

// engineCatalogue reads what the language's own help says.
func engineCatalogue() catalogue {
	out := catalogue{Missing: []string{}}
	for _, u := range help.Unsupported() {
		served := slices.ContainsFunc(help.Lookup(u.Name), func(e help.Entry) bool { return e.Unsupported == "" })
		if name := strings.ToLower(u.Name); !served && !slices.Contains(out.Missing, name) {
			out.Missing = append(out.Missing, name)
		}
	}
	slices.Sort(out.Missing)
	return out
}

// catalogueRoutes serves
//
//	GET /api/v1/kql/catalogue → {missing: [name]}
//
// The schema itself comes from the Kusto route: POST /v1/rest/mgmt with ".show database schema as json".
func (s *Server) catalogueRoutes() {
	c := engineCatalogue()
	s.mux.Handle("GET /api/v1/kql/catalogue", s.page(Reader, func(w http.ResponseWriter, _ *http.Request, _ User) error {
		writeJSON(w, 200, c)
		return nil
	}))
}

// orEmpty makes a nil list an empty one, which JSON tells from null.
func orEmpty[T any](v []T) []T {
	if v == nil {
		return []T{}
	}
	return v
}
