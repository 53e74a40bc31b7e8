package web

import "net/http"

// Catalogue is what the query engine knows, by name, so that the editor offers nothing that would be refused.
// Names compare without case.
type Catalogue struct {
	Functions  []string `json:"functions"`  // scalar functions, aggregates, plugins, tabular functions
	Operators  []string `json:"operators"`  // "where", "mv-expand", …
	Visuals    []string `json:"visuals"`    // what render takes: "timechart", …
	Unverified bool     `json:"unverified"` // true: the editor must not filter by these lists
}

// catalogueRoutes serves
//
//	GET /api/v1/kql/catalogue → Catalogue
//
// The schema itself comes from the Kusto route: POST /v1/rest/mgmt with ".show database schema as json".
func (s *Server) catalogueRoutes() {
	s.mux.Handle("GET /api/v1/kql/catalogue", s.page(Reader, func(w http.ResponseWriter, _ *http.Request, _ User) error {
		if s.d.Catalogue == nil {
			writeJSON(w, 200, Catalogue{Functions: []string{}, Operators: []string{}, Visuals: []string{}, Unverified: true})
			return nil
		}
		writeJSON(w, 200, s.d.Catalogue())
		return nil
	}))
}
