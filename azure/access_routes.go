package azure

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"picket/state"
	"regexp"
	"strings"
	"time"
)

var grantName = regexp.MustCompile(`^[\pL\pN][\pL\pN ._@-]{0,63}$`)

const (
	maxRedirects = 10
	maxOwnTokens = 50 // personal tokens that one person holds
)

// access serves the routes of the Access page and its command:
//
//	GET    /api/v1/access                 {value: [Grant]} (Owner)
//	POST   /api/v1/access                 {kind, name, role, days, redirectUris} → the secret, this once (Owner)
//	PATCH  /api/v1/access/{id}            {role?, disabled?, redirectUris?} of a principal or identity (Owner)
//	POST   /api/v1/access/{id}/secret     a new secret for a principal, this once (Owner)
//	DELETE /api/v1/access/{id}            revokes (Owner)
//	GET    /api/v1/access/mine            {value: [Grant]}: the signed-in person's own tokens and sign-ins
//	POST   /api/v1/access/mine            {name, role?, days} → a personal token, this once
//	DELETE /api/v1/access/mine/{id}       revokes one of them
//	GET    /api/v1/access/consents/{code}  what waits for this person's consent (see device.go)
//	POST   /api/v1/access/consents/{code}  {allow}
func (a *API) access() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /api/v1/access", a.need(Owner, a.listGrants))
	mux.HandleFunc("POST /api/v1/access", a.needWho(Owner, a.createGrant))
	mux.HandleFunc("PATCH /api/v1/access/{id}", a.needWho(Owner, a.patchGrant))
	mux.HandleFunc("POST /api/v1/access/secrets/{id}", a.needWho(Owner, a.newSecret))
	mux.HandleFunc("DELETE /api/v1/access/{id}", a.needWho(Owner, a.revokeGrant))
	mux.HandleFunc("GET /api/v1/access/mine", a.listOwn)
	mux.HandleFunc("POST /api/v1/access/mine", a.createOwn)
	mux.HandleFunc("DELETE /api/v1/access/mine/{id}", a.revokeOwn)
	mux.HandleFunc("GET /api/v1/access/consents/{code}", a.getAsk)
	mux.HandleFunc("POST /api/v1/access/consents/{code}", a.answerAsk)
	return mux
}

// needWho is need for handlers that want to know who asks.
func (a *API) needWho(role Role, h func(w http.ResponseWriter, r *http.Request, who Principal)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		who, e := a.authenticate(r)
		if e == nil && !who.Role.Allows(role) {
			e = &Error{Status: 403, Code: "InsufficientAccessError", Message: fmt.Sprintf("'%s' has the role %s; this needs %s.", who.Name, who.Role, role)}
		}
		if e != nil {
			a.refuse(w, r, e)
			return
		}
		h(w, r, who)
	}
}

func (a *API) listGrants(w http.ResponseWriter, r *http.Request) {
	gs, err := a.issuer.Grants(r.Context())
	if err != nil {
		a.fail(w, err)
		return
	}
	writeJSON(w, 200, map[string]any{"value": gs})
}

func badGrant(w http.ResponseWriter, f string, v ...any) {
	writeError(w, &Error{Status: 400, Code: "BadRequest", Message: fmt.Sprintf(f, v...)})
}

// redirects checks where a principal may send people back to: https, or http on loopback.
func redirects(uris []string) (string, error) {
	if len(uris) > maxRedirects {
		return "", fmt.Errorf("redirectUris: %d, %d at most", len(uris), maxRedirects)
	}
	for _, s := range uris {
		u, err := url.Parse(s)
		if err != nil || u.Host == "" || u.Fragment != "" || u.User != nil || strings.ContainsAny(s, " \t\r\n") || len(s) > 512 || u.Scheme != "https" && (u.Scheme != "http" || !redirectOK(s, true, nil)) {
			return "", fmt.Errorf("redirectUris: %q is not https://HOST/PATH, or http on loopback", cut(s, 100))
		}
	}
	return strings.Join(uris, " "), nil
}

func (a *API) createGrant(w http.ResponseWriter, r *http.Request, who Principal) {
	var in struct {
		Kind      string   `json:"kind"`
		Name      string   `json:"name"`
		Role      Role     `json:"role"`
		Days      int      `json:"days"` // of a token; 0 is without end
		Redirects []string `json:"redirectUris"`
	}
	if e := decode(w, r, maxForm, &in); e != nil {
		writeError(w, e)
		return
	}
	uris, err := redirects(in.Redirects)
	switch {
	case !grantName.MatchString(in.Name):
		badGrant(w, "name %q: give 1 to 64 letters, digits, spaces, . _ @ -, beginning with a letter or digit", cut(in.Name, 100))
		return
	case rank[in.Role] == 0:
		badGrant(w, "role %q: give Reader, Responder, Contributor or Owner", cut(string(in.Role), 50))
		return
	case in.Days < 0 || in.Days > 3650:
		badGrant(w, "days %d: give 0 (without end) to 3650", in.Days)
		return
	case err != nil:
		badGrant(w, "%v", err)
		return
	case uris != "" && !strings.EqualFold(in.Kind, KindPrincipal):
		badGrant(w, "redirectUris go with a principal")
		return
	}
	out := map[string]any{"kind": in.Kind, "name": in.Name, "role": in.Role}
	id := ""
	op := "Add service principal"
	switch strings.ToLower(in.Kind) {
	case KindPrincipal:
		id, out["clientSecret"], err = a.issuer.CreatePrincipal(r.Context(), in.Name, in.Role)
		out["clientId"] = id
		if err == nil && uris != "" {
			err = a.issuer.setColumn(r.Context(), "redirects", uris, id)
			out["redirectUris"] = in.Redirects
		}
	case KindIdentity:
		op = "Add managed identity"
		id, out["identityHeader"], err = a.issuer.CreateIdentity(r.Context(), in.Name, in.Role)
		out["clientId"] = id
	case KindToken:
		op = "Add personal token"
		out["token"], err = a.issuer.CreateToken(r.Context(), in.Name, in.Role, time.Duration(in.Days)*24*time.Hour)
	default:
		badGrant(w, "kind %q: give principal, identity or token", cut(in.Kind, 50))
		return
	}
	a.auditDirectory(r.Context(), who, op, "ApplicationManagement", in.Kind, id, in.Name, map[string]string{"role": string(in.Role), "days": fmt.Sprint(in.Days), "redirectUris": uris}, err)
	if err != nil {
		a.fail(w, err)
		return
	}
	writeJSON(w, 201, out)
}

// setColumn changes one of a principal's columns.
func (is *Issuer) setColumn(ctx context.Context, column string, v any, id string) error {
	err := is.db.Tx(ctx, func(tx *state.Tx) error {
		_, err := tx.ExecContext(ctx, `UPDATE principal SET `+column+`=? WHERE client_id=?`, v, strings.ToLower(id))
		return err
	})
	if err != nil {
		return fmt.Errorf("change the principal %s: %w", id, err)
	}
	return nil
}

func (a *API) grant(ctx context.Context, id string) (*Grant, error) {
	gs, err := a.issuer.Grants(ctx)
	if err != nil {
		return nil, err
	}
	for i := range gs {
		if strings.EqualFold(gs[i].ID, id) {
			return &gs[i], nil
		}
	}
	return nil, &Error{Status: 404, Code: "NotFound", Message: "No principal, identity or token has this id."}
}

func (a *API) patchGrant(w http.ResponseWriter, r *http.Request, who Principal) {
	var in Change
	if e := decode(w, r, maxForm, &in); e != nil {
		writeError(w, e)
		return
	}
	g, err := a.grant(r.Context(), r.PathValue("id"))
	if err != nil {
		a.fail(w, err)
		return
	}
	switch {
	case g.Kind != KindPrincipal && g.Kind != KindIdentity:
		badGrant(w, "a %s can't be changed: revoke it and make another", g.Kind)
		return
	case in.Role != nil && rank[*in.Role] == 0:
		badGrant(w, "role %q: give Reader, Responder, Contributor or Owner", cut(string(*in.Role), 50))
		return
	case g.ID == who.ID:
		badGrant(w, "a principal can't change itself")
		return
	}
	if in.Redirects != nil {
		uris, uerr := redirects(*in.Redirects)
		if uerr != nil {
			badGrant(w, "%v", uerr)
			return
		}
		err = a.issuer.setColumn(r.Context(), "redirects", uris, g.ID)
		a.auditDirectory(r.Context(), who, "Update service principal", "ApplicationManagement", g.Kind, g.ID, g.Name, map[string]string{"redirectUris": uris}, err)
	}
	if err == nil && in.Role != nil {
		err = a.setRole(r.Context(), who, g.ID, *in.Role)
	}
	if err == nil && in.Disabled != nil {
		err = a.issuer.setColumn(r.Context(), "disabled", *in.Disabled, g.ID)
		a.auditDirectory(r.Context(), who, "Update service principal", "ApplicationManagement", g.Kind, g.ID, g.Name, map[string]string{"disabled": fmt.Sprint(*in.Disabled)}, err)
	}
	if err == nil {
		g, err = a.grant(r.Context(), g.ID)
	}
	if err != nil {
		a.fail(w, err)
		return
	}
	writeJSON(w, 200, g)
}

func (a *API) newSecret(w http.ResponseWriter, r *http.Request, who Principal) {
	g, err := a.grant(r.Context(), r.PathValue("id"))
	if err == nil && g.Kind != KindPrincipal {
		err = &Error{Status: 400, Code: "BadRequest", Message: "Only a principal has a client secret."}
	}
	if err != nil {
		a.fail(w, err)
		return
	}
	secret, ok, err := a.issuer.NewSecret(r.Context(), g.ID)
	a.auditDirectory(r.Context(), who, "Update service principal credentials", "ApplicationManagement", g.Kind, g.ID, g.Name, nil, err)
	if err == nil && !ok {
		err = &Error{Status: 404, Code: "NotFound", Message: "No principal has this id."}
	}
	if err != nil {
		a.fail(w, err)
		return
	}
	writeJSON(w, 200, map[string]string{"clientId": g.ID, "clientSecret": secret})
}

func (a *API) revokeGrant(w http.ResponseWriter, r *http.Request, who Principal) {
	g, err := a.grant(r.Context(), r.PathValue("id"))
	if err == nil {
		_, err = a.issuer.Revoke(r.Context(), g.ID)
		a.auditDirectory(r.Context(), who, "Delete "+map[string]string{KindPrincipal: "service principal", KindIdentity: "managed identity", KindToken: "personal token", KindSignIn: "sign-in"}[g.Kind], "ApplicationManagement", g.Kind, auditID(g), g.Name, nil, err)
	}
	if err != nil {
		a.fail(w, err)
		return
	}
	w.WriteHeader(http.StatusNoContent)
}

// auditID is what the audit log may say of a grant: not the hash of a token, which names it to whoever has the table.
func auditID(g *Grant) string {
	if g.Kind == KindPrincipal || g.Kind == KindIdentity {
		return g.ID
	}
	return ""
}

// own lists a person's tokens and sign-ins.
func (a *API) own(ctx context.Context, p Person) ([]Grant, error) {
	gs, err := a.issuer.Grants(ctx)
	if err != nil {
		return nil, err
	}
	out := []Grant{}
	for _, g := range gs {
		if (g.Kind == KindToken && g.Owner == p.ID) || (g.Kind == KindSignIn && strings.EqualFold(g.Owner, p.Name)) {
			out = append(out, g)
		}
	}
	return out, nil
}

func (a *API) listOwn(w http.ResponseWriter, r *http.Request) {
	p, e := a.signedInPerson(r)
	if e != nil {
		writeError(w, e)
		return
	}
	gs, err := a.own(r.Context(), p)
	if err != nil {
		a.fail(w, err)
		return
	}
	writeJSON(w, 200, map[string]any{"value": gs})
}

func (a *API) createOwn(w http.ResponseWriter, r *http.Request) {
	p, e := a.signedInPerson(r)
	if e != nil {
		writeError(w, e)
		return
	}
	var in struct {
		Name string `json:"name"`
		Role Role   `json:"role"`
		Days int    `json:"days"`
	}
	if e := decode(w, r, maxForm, &in); e != nil {
		writeError(w, e)
		return
	}
	if in.Role == "" {
		in.Role = p.Role
	}
	gs, err := a.own(r.Context(), p)
	switch {
	case err != nil:
		a.fail(w, err)
		return
	case !grantName.MatchString(in.Name):
		badGrant(w, "name %q: give 1 to 64 letters, digits, spaces, . _ @ -, beginning with a letter or digit", cut(in.Name, 100))
		return
	case rank[in.Role] == 0 || !p.Role.Allows(in.Role):
		badGrant(w, "role %q: give Reader, Responder, Contributor or Owner, and no more than your own, %s", cut(string(in.Role), 50), p.Role)
		return
	case in.Days < 1 || in.Days > 3650:
		badGrant(w, "days %d: give 1 to 3650", in.Days)
		return
	case len(gs) >= maxOwnTokens:
		badGrant(w, "you hold %d tokens and sign-ins, the most there may be: revoke some", len(gs))
		return
	}
	tok, err := a.issuer.createToken(r.Context(), in.Name, in.Role, time.Duration(in.Days)*24*time.Hour, p.ID)
	a.auditDirectory(r.Context(), Principal{ID: "user:" + p.Name, Name: p.Name, Role: p.Role}, "Add personal token", "UserManagement", KindToken, "", in.Name, map[string]string{"role": string(in.Role), "days": fmt.Sprint(in.Days)}, err)
	if err != nil {
		a.fail(w, err)
		return
	}
	writeJSON(w, 201, map[string]any{"kind": KindToken, "name": in.Name, "role": in.Role, "token": tok})
}

func (a *API) revokeOwn(w http.ResponseWriter, r *http.Request) {
	p, e := a.signedInPerson(r)
	if e != nil {
		writeError(w, e)
		return
	}
	gs, err := a.own(r.Context(), p)
	if err == nil {
		err = &Error{Status: 404, Code: "NotFound", Message: "You have no token or sign-in of this id."}
		for i := range gs {
			if gs[i].ID == r.PathValue("id") {
				_, err = a.issuer.Revoke(r.Context(), gs[i].ID)
				a.auditDirectory(r.Context(), Principal{ID: "user:" + p.Name, Name: p.Name, Role: p.Role}, "Delete personal token", "UserManagement", gs[i].Kind, "", gs[i].Name, nil, err)
			}
		}
	}
	if err != nil {
		a.fail(w, err)
		return
	}
	w.WriteHeader(http.StatusNoContent)
}
