package web

import "net/http"

// incidentRoutes serves what the Azure-shaped incident routes have not:
//
//	POST /api/v1/incidents/{id}/playbooks  {name} → {run}: runs a playbook on the incident
func (s *Server) incidentRoutes() {
	s.mux.Handle("POST /api/v1/incidents/{id}/playbooks", s.page(Responder, func(w http.ResponseWriter, r *http.Request, u User) error {
		if s.d.RunPlaybook == nil {
			return missingRoom("Playbooks on incidents")
		}
		var in struct {
			Name string `json:"name"`
		}
		if err := readJSON(w, r, &in); err != nil {
			return err
		}
		run, err := s.d.RunPlaybook(r.Context(), r.PathValue("id"), in.Name, u)
		return answer(w, 202, map[string]string{"run": run}, roomError(err))
	}))
}
