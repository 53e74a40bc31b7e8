package picket

import (
	"net/http"
	"net/url"
	"picket/azure/oidc"
	"picket/web"
)

// openOIDC makes the sign-in through an OpenID Connect provider; nil without one.
func (p *Picket) openOIDC() (http.Handler, error) {
	o := p.cfg.OIDC
	if o.Issuer == "" {
		return nil, nil
	}
	l, err := oidc.New(oidc.Options{
		Issuer: o.Issuer, ClientID: o.ClientID, ClientSecret: o.ClientSecret, RedirectURL: p.publicURL + "/api/v1/oidc/callback", Scopes: o.Scopes,
		RoleClaim: o.RoleClaim, Roles: o.Roles, DefaultRole: o.DefaultRole, NameClaim: o.NameClaim, Log: p.log,
		SignIn: func(w http.ResponseWriter, r *http.Request, id oidc.Identity) error {
			return p.web.SignInExternal(w, r, web.ExternalUser{Issuer: id.Issuer, Subject: id.Subject, Name: id.Name, Display: id.Display, Email: id.Email, Role: id.Role})
		},
	})
	if err != nil {
		return nil, err
	}
	return l.Handler(), nil
}

// ssoLabel is the text of the page's button for the provider.
func (p *Picket) ssoLabel() string {
	u, err := url.Parse(p.cfg.OIDC.Issuer)
	if err != nil || u.Host == "" {
		return ""
	}
	return "Sign in with " + u.Hostname()
}
