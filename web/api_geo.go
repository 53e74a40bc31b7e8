package web

import (
	"context"
	"net/http"
	"time"
)

// DataSet says how one enrichment data set stands.
type DataSet struct {
	Name    string    `json:"name"` // "Country", "City", "Network", "Tor exits"
	Present bool      `json:"present"`
	Source  string    `json:"source,omitempty"` // file or address it came from
	Built   time.Time `json:"built,omitzero"`   // as the data says
	Entries int       `json:"entries,omitempty"`
	Stale   bool      `json:"stale,omitempty"`
	Note    string    `json:"note,omitempty"` // attribution, or how to load it when it is absent
}

// Geo reports the offline enrichment data.
type Geo interface {
	Status(ctx context.Context) ([]DataSet, error)
}

// geoRoutes serves
//
//	GET /api/v1/geo → {value: [DataSet]}
func (s *Server) geoRoutes() {
	s.mux.Handle("GET /api/v1/geo", s.page(Reader, func(w http.ResponseWriter, r *http.Request, _ User) error {
		if s.d.Geo == nil {
			return missingRoom("Geo data")
		}
		v, err := s.d.Geo.Status(r.Context())
		if err != nil {
			return err
		}
		writeJSON(w, 200, map[string]any{"value": v})
		return nil
	}))
}
