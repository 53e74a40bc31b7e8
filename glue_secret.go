package picket

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"picket/playbook"
	"picket/web"
	"time"
)

type secretJSON struct {
	Name        string    `json:"name"`
	Version     string    `json:"version"`
	ContentType string    `json:"contentType,omitempty"`
	Created     time.Time `json:"created"`
	Changed     time.Time `json:"changed"`
}

func secretOf(s playbook.SecretInfo) secretJSON {
	return secretJSON{s.Name, s.Version, s.ContentType, s.Created, s.Changed}
}

const maxSecretBody = 64 << 10

// secrets serves the vault to contributors. Values go in and never come out:
//
//	GET    /api/v1/secrets          {value: [{name, version, contentType, created, changed}]}
//	PUT    /api/v1/secrets/{name}   {value, contentType}
//	DELETE /api/v1/secrets/{name}
func (p *Picket) secrets() http.Handler {
	mux := http.NewServeMux()
	refuse := func(w http.ResponseWriter, err error) {
		status, code := 500, "InternalServerError"
		var pe *playbook.Error
		switch {
		case errors.As(err, &pe):
			status, code = pe.Status, pe.Code
		case errors.Is(err, playbook.ErrNoSecret):
			status, code = 404, "SecretNotFound"
		}
		answerError(w, status, code, err.Error())
	}
	add := func(pattern string, f func(w http.ResponseWriter, r *http.Request) error) {
		mux.HandleFunc(pattern, func(w http.ResponseWriter, r *http.Request) {
			u, ok := web.SessionUser(r)
			if !ok {
				refuse(w, &playbook.Error{Status: 401, Code: "SignInRequired", Message: "Sign in first, or send a bearer token of this picket."})
				return
			}
			if !u.Allows(web.Contributor) {
				refuse(w, &playbook.Error{Status: 403, Code: "AuthorizationFailed", Message: "This needs the role " + string(web.Contributor) + "."})
				return
			}
			if err := f(w, r); err != nil {
				refuse(w, err)
			}
		})
	}
	add("GET /api/v1/secrets", func(w http.ResponseWriter, r *http.Request) error {
		list, err := p.playbooks.Secrets(r.Context())
		if err != nil {
			return err
		}
		out := []secretJSON{}
		for _, s := range list {
			out = append(out, secretOf(s))
		}
		answer(w, 200, map[string]any{"value": out})
		return nil
	})
	add("PUT /api/v1/secrets/{name}", func(w http.ResponseWriter, r *http.Request) error {
		var body struct{ Value, ContentType string }
		if err := json.NewDecoder(io.LimitReader(r.Body, maxSecretBody)).Decode(&body); err != nil {
			return &playbook.Error{Status: 400, Code: "BadRequest", Message: "The body isn't {\"value\": …} in JSON."}
		}
		s, err := p.playbooks.SetSecret(r.Context(), r.PathValue("name"), body.Value, body.ContentType)
		if err != nil {
			return err
		}
		answer(w, 200, secretOf(*s))
		return nil
	})
	add("DELETE /api/v1/secrets/{name}", func(w http.ResponseWriter, r *http.Request) error {
		if err := p.playbooks.DeleteSecret(r.Context(), r.PathValue("name")); err != nil {
			return err
		}
		w.WriteHeader(204)
		return nil
	})
	return mux
}
