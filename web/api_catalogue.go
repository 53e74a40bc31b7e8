package web

import "net/http"

// Catalogue is what the query engine knows, by name, so that the editor offers nothing that would be refused.
// Names compare without case.
type Catalogue struct {
	// Missing are names of Kusto's language (functions, aggregates, plugins, operators) that this engine does
	// not run; the editor leaves them out.
	Missing []string `json:"missing"`
	// Visuals are what render takes here: "timechart", …; empty filters nothing.
	Visuals []string `json:"visuals"`
}

// catalogueRoutes serves
//
//	GET /api/v1/kql/catalogue → Catalogue
//
// The schema itself comes from the Kusto route: POST /v1/rest/mgmt with ".show database schema as json".
func (s *Server) catalogueRoutes() {
	s.mux.Handle("GET /api/v1/kql/catalogue", s.page(Reader, func(w http.ResponseWriter, _ *http.Request, _ User) error {
		c := Catalogue{}
		if s.d.Catalogue != nil {
			c = s.d.Catalogue()
		}
		c.Missing, c.Visuals = orEmpty(c.Missing), orEmpty(c.Visuals)
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
