package azure

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"picket/playbook"
	"picket/playbook/expr"
	"strings"
	"time"

	"github.com/google/uuid"
)

// Template deployments (Microsoft.Resources/deployments): `az deployment group create -f azuredeploy.json`. A
// deployment is done when its request is answered; the long-running shape is there for clients that ask again.

const (
	armDeployments = armRG + "/providers/microsoft.resources/deployments"
	armDeployment  = armDeployments + "/{deployment}"
	maxTemplate    = 4 << 20 // the service's limit of a template
)

func (a *API) deploymentRoutes() []route {
	return []route{
		{"GET", armDeployments, Reader, a.listDeployments},
		{"GET", armDeployments + "/", Reader, a.listDeployments},
		{"PUT", armDeployment, Contributor, func(w http.ResponseWriter, r *call) { a.deploy(w, r, false) }},
		{"POST", armDeployment + "/validate", Contributor, func(w http.ResponseWriter, r *call) { a.deploy(w, r, true) }},
		{"GET", armDeployment, Reader, a.getDeployment},
		{"HEAD", armDeployment, Reader, func(w http.ResponseWriter, r *call) {
			st, err := a.res.get(r.Context(), kindDeployment, r.v("deployment"))
			switch {
			case err != nil:
				w.WriteHeader(500)
			case st == nil:
				w.WriteHeader(404)
			default:
				w.WriteHeader(204)
			}
		}},
		{"DELETE", armDeployment, Contributor, func(w http.ResponseWriter, r *call) {
			if _, err := a.res.remove(r.Context(), kindDeployment, r.v("deployment")); err != nil {
				a.fail(w, err)
				return
			}
			w.WriteHeader(204)
		}},
		{"GET", armDeployment + "/operations", Reader, a.listOperations},
		{"GET", armDeployment + "/operationstatuses/{operation}", Reader, func(w http.ResponseWriter, r *call) {
			st, err := a.res.get(r.Context(), kindDeployment, r.v("deployment"))
			switch {
			case err != nil:
				a.fail(w, err)
			case st == nil:
				writeError(w, deploymentNotFound(r.v("deployment")))
			default:
				writeJSON(w, 200, map[string]string{"status": "Succeeded"})
			}
		}},
		{"POST", armDeployment + "/exporttemplate", Reader, func(w http.ResponseWriter, _ *call) {
			writeError(w, &Error{Status: 501, Code: "NotImplemented", Message: "picket does not keep the templates of deployments: they may hold secrets."})
		}},
	}
}

func deploymentNotFound(n string) *Error {
	return &Error{Status: 404, Code: "DeploymentNotFound", Message: "Deployment '" + n + "' could not be found."}
}

// deploymentBody is what clients put.
type deploymentBody struct {
	Properties struct {
		Mode           string                     `json:"mode"`
		Template       json.RawMessage            `json:"template"`
		TemplateLink   json.RawMessage            `json:"templateLink"`
		Parameters     map[string]json.RawMessage `json:"parameters"`
		ParametersLink json.RawMessage            `json:"parametersLink"`
	} `json:"properties"`
}

func given(raw json.RawMessage) bool {
	return len(raw) > 0 && !bytes.Equal(raw, []byte("null"))
}

// request checks a deployment and gives what the playbook engine takes.
func (b *deploymentBody) request() (playbook.DeployRequest, *Error) {
	bad := func(f string, v ...any) (playbook.DeployRequest, *Error) {
		return playbook.DeployRequest{}, &Error{Status: 400, Code: "InvalidTemplateDeployment", Message: fmt.Sprintf(f, v...)}
	}
	p := &b.Properties
	switch {
	case given(p.TemplateLink) || given(p.ParametersLink):
		return bad("picket fetches no templates or parameters by link: send them in the request (az: --template-file in place of --template-uri).")
	case !given(p.Template):
		return bad("The deployment has no properties.template.")
	case p.Mode != "" && !strings.EqualFold(p.Mode, "Incremental"):
		return bad("The mode %q is not served: picket deploys incrementally and deletes nothing.", p.Mode)
	}
	r := playbook.DeployRequest{Template: p.Template, Parameters: map[string]any{}}
	for k, raw := range p.Parameters {
		v, err := expr.ParseJSON(raw)
		if err != nil {
			return bad("The parameter '%s' is not JSON: %v", k, err)
		}
		o, ok := v.(*expr.Object)
		if !ok {
			return bad("The parameter '%s' is not of the form {\"value\": …}.", k)
		}
		if _, _, ref := o.Find("reference"); ref {
			return bad("The parameter '%s' refers to a key vault, which this picket does not have: give its value.", k)
		}
		val, _, ok := o.Find("value")
		if !ok {
			return bad("The parameter '%s' has no value.", k)
		}
		r.Parameters[k] = val
	}
	return r, nil
}

func (a *API) deploy(w http.ResponseWriter, r *call, validate bool) {
	start := a.d.Now()
	var b deploymentBody
	raw, e := readBody(w, r.Request, maxTemplate, false, "InvalidRequestContent")
	if e != nil {
		writeError(w, e)
		return
	}
	if e := checkJSON(raw, "InvalidRequestContent"); e != nil {
		writeError(w, e)
		return
	}
	body, err := strictJSON(raw)
	if err == nil {
		err = json.Unmarshal(body, &b)
	}
	if err != nil {
		writeError(w, &Error{Status: 400, Code: "InvalidRequestContent", Message: "The request content was invalid and could not be deserialized: " + err.Error()})
		return
	}
	if !resourceForm.MatchString(r.v("deployment")) {
		writeError(w, &Error{Status: 400, Code: "InvalidDeploymentName", Message: fmt.Sprintf("The deployment name %q is not one of 1 to 90 letters, digits, _ . ( ) - and spaces.", r.v("deployment"))})
		return
	}
	req, e := b.request()
	if e != nil {
		writeError(w, e)
		return
	}
	req.Validate = validate
	dep, err := a.d.Playbooks.Deploy(r.Context(), req)
	if err != nil {
		a.fail(w, err)
		return
	}
	out := a.deploymentJSON(r, dep, start)
	if validate {
		writeJSON(w, 200, out)
		return
	}
	text, err := json.Marshal(out)
	if err != nil {
		a.fail(w, err)
		return
	}
	st, created, err := a.res.put(r.Context(), kindDeployment, r.v("deployment"), text, "")
	if err != nil {
		a.fail(w, err)
		return
	}
	w.Header().Set("Azure-AsyncOperation", a.base(r.Request)+a.rgID()+"/providers/Microsoft.Resources/deployments/"+st.Name+"/operationStatuses/"+uuid.NewString()+"?api-version=2022-09-01")
	status := 200
	if created {
		status = 201
	}
	writeJSON(w, status, json.RawMessage(st.Body))
}

// deploymentJSON is a deployment as clients read it; the values of parameters are left out, since they may be
// secret.
func (a *API) deploymentJSON(r *call, dep *playbook.Deployment, start time.Time) map[string]any {
	resources := []any{}
	for _, c := range dep.Connections {
		resources = append(resources, map[string]string{"id": a.rgID() + "/providers/Microsoft.Web/connections/" + c.Name})
	}
	for _, f := range dep.Workflows {
		resources = append(resources, map[string]string{"id": a.flowID(f.Name)})
	}
	diag := []any{}
	for _, n := range dep.Needs {
		diag = append(diag, map[string]string{"level": "Warning", "code": "PicketNeeds" + strings.ToUpper(n.Kind[:min(1, len(n.Kind))]) + n.Kind[min(1, len(n.Kind)):], "message": n.String(), "target": n.Where})
	}
	outputs := map[string]any{}
	if dep.Outputs != nil {
		for _, m := range dep.Outputs.Members() {
			outputs[m.Name] = map[string]any{"type": armOutputType(m.Value), "value": rawJSON(m.Value)}
		}
	}
	p := map[string]any{
		"provisioningState": "Succeeded", "mode": "Incremental", "timestamp": stamp(a.d.Now()), "correlationId": uuid.NewString(),
		"duration": fmt.Sprintf("PT%.3fS", a.d.Now().Sub(start).Seconds()), "parameters": map[string]any{}, "outputs": outputs,
		"outputResources": resources, "validatedResources": resources, "providers": []any{}, "dependencies": []any{}, "diagnostics": diag,
	}
	return map[string]any{"id": a.rgID() + "/providers/Microsoft.Resources/deployments/" + r.v("deployment"), "name": r.v("deployment"), "type": "Microsoft.Resources/deployments", "properties": p}
}

func armOutputType(v any) string {
	switch v.(type) {
	case string:
		return "String"
	case bool:
		return "Bool"
	case int64:
		return "Int"
	case []any:
		return "Array"
	}
	return "Object"
}

func (a *API) getDeployment(w http.ResponseWriter, r *call) {
	st, err := a.res.get(r.Context(), kindDeployment, r.v("deployment"))
	switch {
	case err != nil:
		a.fail(w, err)
	case st == nil:
		writeError(w, deploymentNotFound(r.v("deployment")))
	default:
		writeJSON(w, 200, st.Body)
	}
}

func (a *API) listDeployments(w http.ResponseWriter, r *call) {
	all, err := a.res.list(r.Context(), kindDeployment)
	if err != nil {
		a.fail(w, err)
		return
	}
	out := []any{}
	for _, st := range all {
		out = append(out, st.Body)
	}
	writeJSON(w, 200, map[string]any{"value": out})
}

func (a *API) listOperations(w http.ResponseWriter, r *call) {
	st, err := a.res.get(r.Context(), kindDeployment, r.v("deployment"))
	if err != nil {
		a.fail(w, err)
		return
	}
	if st == nil {
		writeError(w, deploymentNotFound(r.v("deployment")))
		return
	}
	var d struct {
		ID         string `json:"id"`
		Properties struct {
			OutputResources []struct {
				ID string `json:"id"`
			} `json:"outputResources"`
		} `json:"properties"`
	}
	if err := json.Unmarshal(st.Body, &d); err != nil {
		a.fail(w, err)
		return
	}
	out := []any{}
	for i, x := range d.Properties.OutputResources {
		parts := strings.Split(x.ID, "/")
		n := len(parts)
		out = append(out, map[string]any{"id": fmt.Sprintf("%s/operations/%d", d.ID, i+1), "operationId": fmt.Sprint(i + 1), "properties": map[string]any{
			"provisioningOperation": "Create", "provisioningState": "Succeeded", "statusCode": "OK", "timestamp": stamp(st.Changed), "duration": "PT0S",
			"targetResource": map[string]string{"id": x.ID, "resourceName": parts[n-1], "resourceType": parts[n-3] + "/" + parts[n-2]},
		}})
	}
	writeJSON(w, 200, map[string]any{"value": out})
}
