package web

import (
	"net/http"
	"time"
)

// dataSet says how one file of the enrichment data stands.
type dataSet struct {
	Name     string    `json:"name"` // in the data folder
	Kind     string    `json:"kind"` // city, country, asn, tor
	Imported time.Time `json:"imported"`
	Built    time.Time `json:"built,omitzero"` // by the file's own word
	Entries  int64     `json:"entries,omitempty"`
}

// geoRoutes serves
//
//	GET /api/v1/geo → {value: [dataSet], locationUnknownSince, torUnknownSince, torListed}
func (s *Server) geoRoutes() {
	s.mux.Handle("GET /api/v1/geo", s.page(Reader, func(w http.ResponseWriter, _ *http.Request, _ User) error {
		if s.d.Geo == nil {
			return missingRoom("Places of addresses")
		}
		st := s.d.Geo.Status()
		out := struct {
			Value                []dataSet `json:"value"`
			LocationUnknownSince time.Time `json:"locationUnknownSince,omitzero"`
			TorUnknownSince      time.Time `json:"torUnknownSince,omitzero"`
			TorListed            time.Time `json:"torListed,omitzero"`
		}{[]dataSet{}, st.LocationUnknownSince, st.TorUnknownSince, st.TorListed}
		for _, f := range st.Files {
			out.Value = append(out.Value, dataSet{f.Name, f.Kind, f.Imported, f.Built, f.Entries})
		}
		writeJSON(w, 200, out)
		return nil
	}))
}
