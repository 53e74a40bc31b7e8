package azure

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"picket/state"
	"regexp"
	"strings"
	"time"

	"github.com/google/uuid"
)

// Role assignments (Microsoft.Authorization): who has which role in the workspace. picket has one scope, the
// workspace, so that every scope of its subscription is the same; and a principal has one role, so that assigning
// another replaces the first.

// roleIDs are Azure's own ids of the roles; several may stand for one of picket's.
var roleIDs = []struct {
	id, name string
	role     Role
	desc     string
}{
	{"acdd72a7-3385-48ef-bd42-f606fba81ae7", "Reader", Reader, "Reads and queries."},
	{"3e150937-b8fe-4cfb-8069-0eaf05ecd056", "Microsoft Sentinel Responder", Responder, "Works incidents and runs playbooks."},
	{"b24988ac-6180-42a0-ab88-20f7382dd24c", "Contributor", Contributor, "Sends data, changes rules, tables and playbooks."},
	{"8e3af657-a8ff-443c-a75c-2fe8c4bcb635", "Owner", Owner, "Everything, access included."},
	{"73c42c96-874c-492b-b04d-ab87d138a893", "Log Analytics Reader", Reader, "As Reader."},
	{"8d289c81-5878-46d4-8554-54e1e3d8b5cb", "Microsoft Sentinel Reader", Reader, "As Reader."},
}

// assignments is the namespace of role assignments that nobody named.
var assignments = uuid.MustParse("0b7a3f0e-5d0f-5b52-9a53-6c2a7a0d3b11")

const armAuth = "/providers/microsoft.authorization"

func (a *API) roleRoutes() []route {
	var rs []route
	for _, scope := range []string{"/subscriptions/{sub}", armRG, armWorkspace} {
		rs = append(rs,
			route{"GET", scope + armAuth + "/roleassignments", Reader, a.listAssignments},
			route{"GET", scope + armAuth + "/roleassignments/{assignment}", Reader, a.getAssignment},
			route{"PUT", scope + armAuth + "/roleassignments/{assignment}", Owner, a.putAssignment},
			route{"DELETE", scope + armAuth + "/roleassignments/{assignment}", Owner, a.deleteAssignment},
			route{"GET", scope + armAuth + "/roledefinitions", Reader, a.listDefinitions},
			route{"GET", scope + armAuth + "/roledefinitions/{definition}", Reader, a.getDefinition},
		)
	}
	return rs
}

func (a *API) definitionJSON(i int) map[string]any {
	d := roleIDs[i]
	return map[string]any{
		"id": "/subscriptions/" + a.d.Workspace.SubscriptionID + "/providers/Microsoft.Authorization/roleDefinitions/" + d.id, "name": d.id, "type": "Microsoft.Authorization/roleDefinitions",
		"properties": map[string]any{"roleName": d.name, "type": "BuiltInRole", "description": d.desc, "assignableScopes": []string{"/"}, "permissions": []any{map[string]any{"actions": []string{"picket/" + string(d.role)}, "notActions": []any{}, "dataActions": []any{}, "notDataActions": []any{}}}},
	}
}

var roleNameFilter = regexp.MustCompile(`(?i)^\s*roleName\s+eq\s+'([^']*)'\s*$`)

func (a *API) listDefinitions(w http.ResponseWriter, r *call) {
	f := r.URL.Query().Get("$filter")
	name := ""
	if f != "" && !strings.Contains(strings.ToLower(f), "atscopeandbelow") {
		m := roleNameFilter.FindStringSubmatch(f)
		if m == nil {
			if !strings.HasPrefix(strings.ToLower(strings.TrimSpace(f)), "type eq 'builtinrole'") {
				writeError(w, &Error{Status: 400, Code: "BadRequest", Message: fmt.Sprintf("$filter: %q is not of the form roleName eq 'NAME'.", cut(f, 200))})
				return
			}
		} else {
			name = m[1]
		}
	}
	out := []any{}
	for i := range roleIDs {
		if name == "" || strings.EqualFold(name, roleIDs[i].name) {
			out = append(out, a.definitionJSON(i))
		}
	}
	writeJSON(w, 200, map[string]any{"value": out})
}

func (a *API) getDefinition(w http.ResponseWriter, r *call) {
	for i := range roleIDs {
		if strings.EqualFold(roleIDs[i].id, r.v("definition")) {
			writeJSON(w, 200, a.definitionJSON(i))
			return
		}
	}
	writeError(w, &Error{Status: 404, Code: "RoleDefinitionDoesNotExist", Message: "The role definition '" + cut(r.v("definition"), 100) + "' does not exist here."})
}

// assignment is one principal's role.
type assignment struct {
	name, principal, display, kind string
	role                           Role
	created                        time.Time
	by                             string
}

// assignments lists who has a role: service principals and managed identities, and people.
func (a *API) assignments(ctx context.Context) ([]assignment, error) {
	var out []assignment
	gs, err := a.issuer.Grants(ctx)
	if err != nil {
		return nil, err
	}
	for _, g := range gs {
		if (g.Kind == KindPrincipal || g.Kind == KindIdentity) && !g.Disabled && rank[g.Role] > 0 {
			out = append(out, assignment{principal: g.ID, display: g.Name, kind: "ServicePrincipal", role: g.Role, created: g.Created})
		}
	}
	if a.d.People != nil {
		ps, err := a.d.People.People(ctx)
		if err != nil {
			return nil, fmt.Errorf("list accounts: %w", err)
		}
		for _, p := range ps {
			if !p.Disabled && rank[p.Role] > 0 {
				out = append(out, assignment{principal: p.ID, display: p.Name, kind: "User", role: p.Role})
			}
		}
	}
	rows, err := a.d.State.Query(ctx, `SELECT name, principal, created, created_by FROM role_assignment`)
	if err != nil {
		return nil, fmt.Errorf("list role assignments: %w", err)
	}
	defer rows.Close()
	named := map[string]assignment{}
	for rows.Next() {
		var n, p, by string
		var at int64
		if err := rows.Scan(&n, &p, &at, &by); err != nil {
			return nil, fmt.Errorf("list role assignments: %w", err)
		}
		named[p] = assignment{name: n, by: by, created: time.UnixMicro(at).UTC()}
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("list role assignments: %w", err)
	}
	for i := range out {
		x := &out[i]
		if n, ok := named[x.principal]; ok {
			x.name, x.by, x.created = n.name, n.by, n.created
		} else {
			x.name = uuid.NewSHA1(assignments, []byte(x.principal+string(x.role))).String()
		}
	}
	return out, nil
}

func (a *API) assignmentJSON(x *assignment) map[string]any {
	ws := a.d.Workspace
	def := ""
	for _, d := range roleIDs {
		if d.role == x.role {
			def = d.id
			break
		}
	}
	scope := ws.ResourceID()
	return map[string]any{
		"id": scope + "/providers/Microsoft.Authorization/roleAssignments/" + x.name, "name": x.name, "type": "Microsoft.Authorization/roleAssignments",
		"properties": map[string]any{
			"roleDefinitionId": "/subscriptions/" + ws.SubscriptionID + "/providers/Microsoft.Authorization/roleDefinitions/" + def, "principalId": x.principal, "principalType": x.kind, "scope": scope,
			"createdOn": stamp(x.created), "updatedOn": stamp(x.created), "createdBy": orNil(x.by), "updatedBy": orNil(x.by), "description": x.display, "condition": nil, "conditionVersion": nil,
		},
	}
}

var principalFilter = regexp.MustCompile(`(?i)^\s*(?:principalId\s+eq\s+'([^']*)'|assignedTo\('([^']*)'\)|atScope\(\))\s*$`)

func (a *API) listAssignments(w http.ResponseWriter, r *call) {
	all, err := a.assignments(r.Context())
	if err != nil {
		a.fail(w, err)
		return
	}
	principal := ""
	if f := r.URL.Query().Get("$filter"); f != "" {
		for _, part := range splitAnd(f) {
			m := principalFilter.FindStringSubmatch(part)
			if m == nil {
				writeError(w, &Error{Status: 400, Code: "BadRequest", Message: fmt.Sprintf("$filter: %q is none of principalId eq 'ID', assignedTo('ID') and atScope().", cut(part, 200))})
				return
			}
			if m[1]+m[2] != "" {
				principal = m[1] + m[2]
			}
		}
	}
	out := []any{}
	for i := range all {
		if principal == "" || strings.EqualFold(principal, all[i].principal) {
			out = append(out, a.assignmentJSON(&all[i]))
		}
	}
	writeJSON(w, 200, map[string]any{"value": out})
}

func (a *API) findAssignment(ctx context.Context, name string) (*assignment, error) {
	all, err := a.assignments(ctx)
	if err != nil {
		return nil, err
	}
	for i := range all {
		if strings.EqualFold(all[i].name, name) {
			return &all[i], nil
		}
	}
	return nil, nil
}

func (a *API) getAssignment(w http.ResponseWriter, r *call) {
	x, err := a.findAssignment(r.Context(), r.v("assignment"))
	switch {
	case err != nil:
		a.fail(w, err)
	case x == nil:
		writeError(w, &Error{Status: 404, Code: "RoleAssignmentNotFound", Message: "The role assignment '" + cut(r.v("assignment"), 100) + "' is not found."})
	default:
		writeJSON(w, 200, a.assignmentJSON(x))
	}
}

func (a *API) putAssignment(w http.ResponseWriter, r *call) {
	var b struct {
		Properties struct {
			Definition string `json:"roleDefinitionId"`
			Principal  string `json:"principalId"`
		} `json:"properties"`
	}
	if e := decode(w, r.Request, maxForm, &b); e != nil {
		writeError(w, e)
		return
	}
	if _, err := uuid.Parse(r.v("assignment")); err != nil {
		writeError(w, &Error{Status: 400, Code: "InvalidRoleAssignmentId", Message: "The role assignment's name '" + cut(r.v("assignment"), 100) + "' is not a GUID."})
		return
	}
	def := b.Properties.Definition[strings.LastIndexByte(b.Properties.Definition, '/')+1:]
	role := Role("")
	var names []string
	for _, d := range roleIDs {
		names = append(names, d.name)
		if strings.EqualFold(d.id, def) {
			role = d.role
		}
	}
	if role == "" {
		writeError(w, &Error{Status: 400, Code: "RoleDefinitionDoesNotExist", Message: fmt.Sprintf("The role definition '%s' is not served. picket has the roles %s.", cut(def, 100), strings.Join(names, ", "))})
		return
	}
	all, err := a.assignments(r.Context())
	if err != nil {
		a.fail(w, err)
		return
	}
	for i := range all {
		same, named := strings.EqualFold(all[i].principal, b.Properties.Principal), strings.EqualFold(all[i].name, r.v("assignment"))
		switch {
		case same && all[i].role == role && !named:
			writeError(w, &Error{Status: 409, Code: "RoleAssignmentExists", Message: fmt.Sprintf("The role assignment already exists. The ID of the existing role assignment is %s.", strings.ReplaceAll(all[i].name, "-", ""))})
			return
		case named && !same:
			writeError(w, &Error{Status: 409, Code: "RoleAssignmentUpdateNotPermitted", Message: "Tenant ID, application ID, principal ID, and scope are not allowed to be updated."})
			return
		}
	}
	err = a.setRole(r.Context(), r.who, b.Properties.Principal, role)
	if err == nil {
		err = a.d.State.Tx(r.Context(), func(tx *state.Tx) error {
			if _, err := tx.ExecContext(r.Context(), `DELETE FROM role_assignment WHERE principal=?`, strings.ToLower(b.Properties.Principal)); err != nil {
				return err
			}
			_, err := tx.ExecContext(r.Context(), `INSERT INTO role_assignment(name, principal, created, created_by) VALUES(?,?,?,?)`,
				strings.ToLower(r.v("assignment")), strings.ToLower(b.Properties.Principal), a.d.Now().UnixMicro(), r.who.Name)
			return err
		})
	}
	if err != nil {
		a.fail(w, err)
		return
	}
	x, err := a.findAssignment(r.Context(), r.v("assignment"))
	if err != nil || x == nil {
		a.fail(w, errors.Join(err, errors.New("the role assignment was changed meanwhile")))
		return
	}
	writeJSON(w, 201, a.assignmentJSON(x))
}

func (a *API) deleteAssignment(w http.ResponseWriter, r *call) {
	x, err := a.findAssignment(r.Context(), r.v("assignment"))
	if err == nil && x == nil {
		w.WriteHeader(http.StatusNoContent)
		return
	}
	if err == nil {
		err = a.setRole(r.Context(), r.who, x.principal, "")
	}
	if err == nil {
		err = a.d.State.Tx(r.Context(), func(tx *state.Tx) error {
			_, err := tx.ExecContext(r.Context(), `DELETE FROM role_assignment WHERE principal=?`, x.principal)
			return err
		})
	}
	if err != nil {
		a.fail(w, err)
		return
	}
	writeJSON(w, 200, a.assignmentJSON(x))
}

// setRole gives a principal or an account another role; "" takes its access away and keeps it. Nobody changes their
// own, so that the last owner can't lock everybody out by mistake.
func (a *API) setRole(ctx context.Context, who Principal, id string, role Role) (err error) {
	name, kind := id, "ServicePrincipal"
	defer func() {
		op := "Add member to role"
		if role == "" {
			op = "Remove member from role"
		}
		a.auditDirectory(ctx, who, op, "RoleManagement", kind, id, name, map[string]string{"role": string(role)}, err)
	}()
	id = strings.ToLower(id)
	if id == who.ID {
		return &Error{Status: 400, Code: "CannotChangeOwnRole", Message: "Nobody changes their own role: ask another owner, or use the command on the server."}
	}
	var n int64
	err = a.d.State.Tx(ctx, func(tx *state.Tx) error {
		res, err := tx.ExecContext(ctx, `UPDATE principal SET role=? WHERE client_id=?`, string(role), id)
		if err != nil {
			return err
		}
		n, err = res.RowsAffected()
		return err
	})
	if err != nil {
		return fmt.Errorf("set the role of %s: %w", id, err)
	}
	if n > 0 {
		if g, err := a.grant(ctx, id); err == nil {
			name = g.Name
		}
		return nil
	}
	if a.d.People != nil {
		p, ok, err := a.d.People.Person(ctx, id)
		if err != nil {
			return fmt.Errorf("find the account %s: %w", id, err)
		}
		if ok {
			name, kind = p.Name, "User"
			if "user:"+p.Name == who.ID {
				return &Error{Status: 400, Code: "CannotChangeOwnRole", Message: "Nobody changes their own role: ask another owner, or use the command on the server."}
			}
			return a.d.People.SetRole(ctx, p.ID, role)
		}
	}
	return &Error{Status: 400, Code: "PrincipalNotFound", Message: fmt.Sprintf("Principal %s does not exist in the directory of this picket.", cut(id, 100))}
}
