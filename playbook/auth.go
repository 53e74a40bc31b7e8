package playbook

import (
	"context"
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/tls"
	"encoding/base64"
	"fmt"
	"net/http"
	"net/url"
	"picket/playbook/expr"
	"strings"
	"time"

	"github.com/google/uuid"
	"software.sslmate.com/src/go-pkcs12"
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
	key, cert, chain, err := pkcs12.DecodeChain(data, password)
	if err != nil {
		return nil, &refusal{fmt.Sprintf("The client certificate 'pfx' can't be opened with its password: %v.", err)}
	}
	out := &tls.Certificate{Certificate: [][]byte{cert.Raw}, PrivateKey: key, Leaf: cert}
	for _, c := range chain {
		out.Certificate = append(out.Certificate, c.Raw)
	}
	return out, nil
}

// ClientCredentials signs in to Entra ID with a client id and secret and gives a token for an audience.
func (e *Engine) ClientCredentials(ctx context.Context, tenant, clientID, secret, audience string) (string, error) {
	return e.clientCredentials(ctx, expr.NewObject("tenant", tenant, "clientId", clientID, "secret", secret, "audience", audience))
}

// assertion is a certificate's word for a client (RFC 7523): a token for the endpoint, signed with its key.
func (e *Engine) assertion(pfx, password, clientID, endpoint string) (string, error) {
	cert, err := certificate(pfx, password)
	if err != nil {
		return "", err
	}
	key, ok := cert.PrivateKey.(*rsa.PrivateKey)
	if !ok {
		return "", &refusal{"The certificate 'pfx' that signs in has no RSA key."}
	}
	thumb := sha1.Sum(cert.Leaf.Raw) // the service finds the certificate by it; the signature is over SHA-256
	now := e.now()
	part := func(o *expr.Object) string { return base64.RawURLEncoding.EncodeToString([]byte(expr.JSON(o))) }
	text := part(expr.NewObject("alg", "RS256", "typ", "JWT", "x5t", base64.RawURLEncoding.EncodeToString(thumb[:]))) + "." +
		part(expr.NewObject("aud", endpoint, "iss", clientID, "sub", clientID, "jti", uuid.NewString(), "nbf", now.Unix(), "exp", now.Add(10*time.Minute).Unix()))
	sum := sha256.Sum256([]byte(text))
	sig, err := rsa.SignPKCS1v15(rand.Reader, key, crypto.SHA256, sum[:])
	if err != nil {
		return "", fmt.Errorf("sign in with a certificate: %w", err)
	}
	return text + "." + base64.RawURLEncoding.EncodeToString(sig), nil
}

// clientCredentials gets a token with a client id and a secret or a certificate (OAuth 2.0 client credentials).
func (e *Engine) clientCredentials(ctx context.Context, auth *expr.Object) (string, error) {
	text := func(n string) string { return expr.Text(auth.Value(n)) }
	base := text("authority")
	if base == "" {
		base = "https://login.microsoftonline.com/"
	}
	endpoint := strings.TrimRight(base, "/") + "/" + url.PathEscape(text("tenant")) + "/oauth2/token"
	form := url.Values{"grant_type": {"client_credentials"}, "client_id": {text("clientId")}, "resource": {text("audience")}}
	if auth.Value("secret") == nil && auth.Value("pfx") != nil {
		signed, err := e.assertion(text("pfx"), text("password"), text("clientId"), endpoint)
		if err != nil {
			return "", err
		}
		form.Set("client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:jwt-bearer")
		form.Set("client_assertion", signed)
	} else {
		form.Set("client_secret", text("secret"))
	}
	req, err := http.NewRequestWithContext(ctx, "POST", endpoint, strings.NewReader(form.Encode()))
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
