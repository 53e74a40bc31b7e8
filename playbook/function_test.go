package playbook

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"io"
	"math/big"
	"net/http"
	"net/url"
	"picket/playbook/expr"
	"strings"
	"testing"
	"time"

	"software.sslmate.com/src/go-pkcs12"
)

const functionAction = `"F":{"type":"Function","inputs":{"function":{"id":"/subscriptions/s/resourceGroups/g/providers/Microsoft.Web/sites/App/functions/Do"},"body":{"a":1},"queries":{"q":"x y"}}}`

func TestFunction(t *testing.T) {
	var asked string
	h := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		b, _ := io.ReadAll(r.Body)
		asked = r.Method + " " + r.URL.Path + " " + r.URL.Query().Get("q") + " " + r.URL.Query().Get("code") + " " + string(b)
		w.Header().Set("Content-Type", "application/json")
		io.WriteString(w, `{"ok":true}`)
	})
	l := newLab(t, func(d *Deps) {
		d.Outbound.Hosts = map[string]http.Handler{"functions.example": h}
		d.Function = func(_ context.Context, app, name string) (string, error) {
			if app != "App" {
				return "", errors.New("it is not mapped; set functions.App")
			}
			return "https://functions.example/api/" + name + "?code=s3cret-key", nil
		}
	})
	l.define("P", functionAction)
	d := l.run("P", nil)
	a := find(d, "F")
	if a.Status != Succeeded || asked != `POST /api/Do x y s3cret-key {"a":1}` || expr.JSON(object(a.Outputs).Value("body")) != `{"ok":true}` || strings.Contains(expr.JSON(a.Inputs), "s3cret") {
		t.Errorf("%s %s", asked, describe(d))
	}
	dep := l.deploy("Q", `{"triggers":{`+requestTrigger+`},"actions":{`+strings.Replace(functionAction, "sites/App", "sites/Other", 1)+`}}`, nil)
	if len(dep.Needs) != 1 || !strings.Contains(dep.Needs[0].Message, "set functions.App") || dep.Uses[0].Served {
		t.Errorf("%+v", dep)
	}
	if d := l.run("Q", nil); find(d, "F").Code != "FunctionNotMapped" {
		t.Error(describe(d))
	}
}

// A client that signs in to Entra ID with a certificate sends an assertion signed by it.
func TestCertificateSignIn(t *testing.T) {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	tpl := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, tpl, tpl, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	pfx, err := pkcs12.Modern.Encode(key, cert, nil, "test")
	if err != nil {
		t.Fatal(err)
	}
	var form url.Values
	l := newLab(t, func(d *Deps) {
		d.Outbound.Hosts = map[string]http.Handler{
			"login.microsoftonline.com": http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				_ = r.ParseForm()
				form = r.PostForm
				io.WriteString(w, `{"access_token":"tok"}`)
			}),
			"api.example": http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, r.Header.Get("Authorization")) }),
		}
	})
	l.define("P", `"H":{"type":"Http","inputs":{"method":"GET","uri":"https://api.example/","authentication":{"type":"ActiveDirectoryOAuth","tenant":"t","audience":"https://api.example","clientId":"c","pfx":"`+base64.StdEncoding.EncodeToString(pfx)+`","password":"test"}}}`)
	d := l.run("P", nil)
	if s := expr.Text(object(find(d, "H").Outputs).Value("body")); s != "Bearer tok" {
		t.Fatal(describe(d))
	}
	part := strings.Split(form.Get("client_assertion"), ".")
	if len(part) != 3 || form.Get("client_secret") != "" {
		t.Fatal(form)
	}
	head, _ := base64.RawURLEncoding.DecodeString(part[0])
	body, _ := base64.RawURLEncoding.DecodeString(part[1])
	if !strings.Contains(string(head), `"alg":"RS256"`) || !strings.Contains(string(body), `"aud":"https://login.microsoftonline.com/t/oauth2/token","iss":"c"`) {
		t.Errorf("%s %s", head, body)
	}
}
