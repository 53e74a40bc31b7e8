package connector

import (
	"context"
	"fmt"
	"picket/playbook"
	"picket/playbook/expr"
	"strings"
	"testing"
)

func testSecrets(values map[string]string) func(context.Context, string, string) (*playbook.Secret, error) {
	return func(_ context.Context, name, version string) (*playbook.Secret, error) {
		v, ok := values[strings.ToLower(name)]
		if !ok || version != "" && version != "v1" {
			return nil, fmt.Errorf("%s: %w", name, playbook.ErrNoSecret)
		}
		return &playbook.Secret{SecretInfo: playbook.SecretInfo{Name: name, Version: "v1"}, Value: v}, nil
	}
}

func TestKeyVault(t *testing.T) {
	c := All(Deps{Secret: testSecrets(map[string]string{"api-key": "s3cret"}), Secrets: func(context.Context) ([]playbook.SecretInfo, error) {
		return []playbook.SecretInfo{{Name: "api-key", Version: "v1"}}, nil
	}})[0]
	for path, want := range map[string]string{"/secrets/api-key/value": "s3cret", "/secrets/API%2Dkey/value": "s3cret", "/secrets/api-key/versions/v1/value": "s3cret", "/secrets/other/value": "", "/secrets/api-key/versions/v2/value": ""} {
		r, err := c.Call(context.Background(), &playbook.Request{Method: "GET", Path: path})
		if err != nil {
			t.Fatal(err)
		}
		if got := expr.Text(r.Body.(*expr.Object).Value("value")); got != want || (want == "") != (r.Status == 404) {
			t.Errorf("%s: %d %q", path, r.Status, got)
		}
	}
	r, err := c.Call(context.Background(), &playbook.Request{Method: "GET", Path: "/secrets"})
	if err != nil || strings.Contains(expr.JSON(r.Body), "s3cret") || !strings.Contains(expr.JSON(r.Body), "api-key") {
		t.Errorf("%s %v", expr.JSON(r.Body), err)
	}
}
