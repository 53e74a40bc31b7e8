package playbook

import (
	"context"
	"picket/playbook/expr"
	"strings"
	"testing"
)

const ownConnector = `{"resources":[
	{"type":"Microsoft.Web/customApis","name":"Mine","properties":{"swagger":{"swagger":"2.0"},"backendService":{"serviceUrl":"https://svc.example"}}},
	{"type":"Microsoft.Web/connections","name":"c","properties":{"api":{"id":"[resourceId('Microsoft.Web/customApis', 'Mine')]"},"parameterValues":{"k":"v"}}},
	{"type":"Microsoft.Logic/workflows","name":"P","properties":{"parameters":{"$connections":{"value":{"other":{"connectionId":"[resourceId('Microsoft.Web/connections','c')]","connectionName":"c","id":"/x/customApis/Other-Name"}}}},
	"definition":{"parameters":{"$connections":{"type":"Object","defaultValue":{}}},"triggers":{` + requestTrigger + `},"actions":{
	"A":{"type":"ApiConnection","inputs":{"host":{"connection":{"name":"@parameters('$connections')['other']['connectionId']"}},"method":"get","path":"/x"}}}}}}]}`

// A template's own connector works from its deployment on, and after a restart.
func TestCustomAPI(t *testing.T) {
	dir := t.TempDir()
	made := 0
	change := func(d *Deps) {
		d.CustomAPI = func(name string, text []byte, service string) (Connector, error) {
			made++
			return &fakeConnector{name, []Operation{{"GET", "/x", ""}}, func(r *Request) (*Response, error) {
				return &Response{Status: 200, Body: service + " " + expr.Text(r.Parameters.Value("k")) + " " + string(text)}, nil
			}}, nil
		}
	}
	l := openLab(t, dir, change)
	d, err := l.Deploy(context.Background(), DeployRequest{Template: []byte(ownConnector)})
	if err != nil || len(d.Needs) > 0 || !d.Uses[0].Served {
		t.Fatal(err, d)
	}
	for range 2 {
		r := l.run("P", nil)
		if s := expr.Text(object(find(r, "A").Outputs).Value("body")); s != `https://svc.example v {"swagger":"2.0"}` {
			t.Error(describe(r))
		}
		l.stop()
		l = openLab(t, dir, change)
	}
	l.stop()
	l = newLab(t, nil)
	d, err = l.Deploy(context.Background(), DeployRequest{Template: []byte(ownConnector)})
	if err != nil || len(d.Needs) != 2 || !strings.Contains(d.Needs[0].Message, "makes no connectors of templates") {
		t.Errorf("%v %+v", err, d.Needs)
	}
}
