package playbook

import (
	"context"
	"crypto/tls"
	"encoding/base64"
	"fmt"
	"net/http"
	"net/url"
	"picket/playbook/expr"
	"strings"

	"golang.org/x/crypto/pkcs12"
)

// authorize adds an action's authentication to a request; a client certificate is returned.
func (e *Engine) authorize(ctx context.Context, req *http.Request, auth *expr.Object) (*tls.Certificate, error) {
	if auth == nil {
		return nil, nil
	}
	text := func(n string) string {
		if v := auth.Value(n); v != nil {
			return expr.Text(v)
		}
		return ""
	}
	switch typ := text("type"); strings.ToLower(typ) {
	case "", "none", "anonymous":
		return nil, nil
	case "basic":
		req.SetBasicAuth(text("username"), text("password"))
	case "raw":
		req.Header.Set("Authorization", text("value"))
	case "clientcertificate":
		return certificate(text("pfx"), text("password"))
	case "activedirectoryoauth":
		tok, err := e.clientCredentials(ctx, auth)
		if err != nil {
			return nil, err
		}
		req.Header.Set("Authorization", "Bearer "+tok)
	case "managedserviceidentity":
		tok, err := e.identity(ctx, auth)
		if err != nil {
			return nil, err
		}
		req.Header.Set("Authorization", "Bearer "+tok)
	default:
		return nil, &refusal{fmt.Sprintf("The authentication type '%s' is not one of Basic, ClientCertificate, ActiveDirectoryOAuth, Raw, ManagedServiceIdentity.", typ)}
	}
	return nil, nil
}

func (e *Engine) identity(ctx context.Context, auth *expr.Object) (string, error) {
	if e.deps.Identity == nil {
		return "", &refusal{"The action signs in with a managed identity, and this picket has none. Configure an identity, or give the action another authentication."}
	}
	id, _ := auth.Value("identity").(string)
	if id == "" {
		id = "SystemAssigned"
	}
	aud, _ := auth.Value("audience").(string)
	if aud == "" {
		aud = "https://management.azure.com/"
	}
	return e.deps.Identity(ctx, id, aud)
}

func certificate(pfx, password string) (*tls.Certificate, error) {
	data, err := base64.StdEncoding.DecodeString(strings.TrimSpace(pfx))
	if err != nil {
		return nil, &refusal{"The client certificate 'pfx' isn't base64."}
	}
	key, cert, err := pkcs12.Decode(data, password)
	if err != nil {
		return nil, &refusal{fmt.Sprintf("The client certificate 'pfx' can't be opened with its password: %v.", err)}
	}
	return &tls.Certificate{Certificate: [][]byte{cert.Raw}, PrivateKey: key, Leaf: cert}, nil
}

// ClientCredentials signs in to Entra ID with a client id and secret and gives a token for an audience.
func (e *Engine) ClientCredentials(ctx context.Context, tenant, clientID, secret, audience string) (string, error) {
	return e.clientCredentials(ctx, expr.NewObject("tenant", tenant, "clientId", clientID, "secret", secret, "audience", audience))
}

// clientCredentials gets a token with a client id and secret (OAuth 2.0 client credentials).
func (e *Engine) clientCredentials(ctx context.Context, auth *expr.Object) (string, error) {
	text := func(n string) string { return expr.Text(auth.Value(n)) }
	if auth.Value("pfx") != nil && auth.Value("secret") == nil {
		return "", &refusal{"ActiveDirectoryOAuth with a certificate ('pfx') is not available here; use 'secret'."}
	}
	base := text("authority")
	if base == "" {
		base = "https://login.microsoftonline.com/"
	}
	form := url.Values{"grant_type": {"client_credentials"}, "client_id": {text("clientId")}, "client_secret": {text("secret")}, "resource": {text("audience")}}
	req, err := http.NewRequestWithContext(ctx, "POST", strings.TrimRight(base, "/")+"/"+url.PathEscape(text("tenant"))+"/oauth2/token", strings.NewReader(form.Encode()))
	if err != nil {
		return "", &refusal{"The authority of the action's authentication isn't a URL."}
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	resp, body, err := e.guard.do(req, nil, true)
	if err != nil {
		return "", fmt.Errorf("sign in at %s: %w", req.URL.Host, err)
	}
	v, perr := expr.ParseJSON(body)
	tok, _ := object(v).Value("access_token").(string)
	if resp.StatusCode != 200 || perr != nil || tok == "" {
		why, _ := object(v).Value("error_description").(string)
		return "", fmt.Errorf("sign in at %s: status %d %s", req.URL.Host, resp.StatusCode, why)
	}
	return tok, nil
}
