package arm

import (
	"crypto/sha256"
	"encoding/base32"
	"errors"
	"fmt"
	"net/url"
	"picket/playbook/expr"
	"regexp"
	"sort"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"
)

const maxWork = 200_000 // expressions of one deployment

// eval evaluates the strings in a value: "[…]" is an expression, "[[…" a text that begins with "[".
func (t *template) eval(v any, path []string) (any, error) {
	switch x := v.(type) {
	case string:
		if strings.HasPrefix(x, "[[") {
			return x[1:], nil
		}
		if !strings.HasPrefix(x, "[") || !strings.HasSuffix(x, "]") {
			return x, nil
		}
		if *t.work++; *t.work > maxWork {
			return nil, t.fail(path, "the template evaluates more than %d expressions", maxWork)
		}
		n, err := expr.Parse(t.mangle(x[1 : len(x)-1]))
		if err != nil {
			return nil, t.fail(path, "%v", err)
		}
		r, err := expr.EvaluateWith(n, t.call)
		if err != nil {
			var un *Unavailable
			if errors.As(err, &un) {
				m := Missing{Path: strings.Join(path, "."), Msg: un.Msg}
				for n := len(path); n > 0 && m.Line == 0; n-- {
					m.Line, m.Column = t.res.Place(path[:n])
				}
				t.res.Missing = append(t.res.Missing, m)
				return nil, nil
			}
			if _, placed := err.(*Error); placed {
				return nil, err
			}
			return nil, t.fail(path, "Unable to process template language expression '%s': %v", x, err)
		}
		return r, nil
	case []any:
		out := make([]any, len(x))
		for i, e := range x {
			r, err := t.eval(e, append(append([]string{}, path...), fmt.Sprintf("[%d]", i)))
			if err != nil {
				return nil, err
			}
			out[i] = r
		}
		return out, nil
	case *expr.Object:
		out := &expr.Object{}
		for _, m := range x.Members() {
			p := append(append([]string{}, path...), m.Name)
			if m.Name == "copy" {
				if list, ok := m.Value.([]any); ok && len(list) > 0 {
					done, err := t.copies2(out, list, p)
					if err != nil {
						return nil, err
					}
					if done {
						continue
					}
				}
			}
			name := m.Name
			if strings.HasPrefix(name, "[") && strings.HasSuffix(name, "]") {
				k, err := t.eval(name, p)
				if err != nil {
					return nil, err
				}
				if s, ok := k.(string); ok {
					name = s
				}
			}
			r, err := t.eval(m.Value, p)
			if err != nil {
				return nil, err
			}
			out.Set(name, r)
		}
		return out, nil
	}
	return v, nil
}

// copies2 writes the properties of a property loop; false when "copy" is a property like any other.
func (t *template) copies2(out *expr.Object, list []any, path []string) (bool, error) {
	for _, e := range list {
		c, ok := e.(*expr.Object)
		if !ok || c.Value("count") == nil || c.Value("name") == nil {
			return false, nil
		}
	}
	for i, e := range list {
		c := e.(*expr.Object)
		v, err := t.propertyCopy(c, append(append([]string{}, path...), fmt.Sprintf("[%d]", i)))
		if err != nil {
			return false, err
		}
		name, _ := c.Value("name").(string)
		out.Set(name, v)
	}
	return true, nil
}

// builtin maps ARM functions to the functions of workflow definitions that do the same.
var builtin = map[string]string{
	"concat": "concat", "tolower": "toLower", "toupper": "toUpper", "trim": "trim", "replace": "replace",
	"split": "split", "string": "", "int": "int", "bool": "bool", "json": "json", "length": "", "empty": "empty",
	"contains": "contains", "first": "first", "last": "last", "skip": "skip", "take": "take", "union": "union",
	"intersection": "intersection", "array": "", "createarray": "", "not": "not",
	"equals": "", "less": "less", "lessorequals": "lessOrEquals", "greater": "greater",
	"greaterorequals": "greaterOrEquals", "add": "add", "sub": "sub", "mul": "mul", "div": "div", "mod": "mod",
	"min": "min", "max": "max", "range": "range", "base64": "base64", "base64tostring": "base64ToString",
	"uricomponent": "uriComponent", "uricomponenttostring": "uriComponentToString", "indexof": "indexOf",
	"lastindexof": "lastIndexOf", "startswith": "startsWith", "endswith": "endsWith", "float": "float",
	"datauri": "dataUri", "datauritostring": "dataUriToString",
}

func (t *template) call(name string, args []expr.Arg) (any, error) {
	key := strings.ToLower(name)
	bad := func(format string, a ...any) error {
		return fmt.Errorf("the template function '%s' %s", name, fmt.Sprintf(format, a...))
	}
	if strings.HasPrefix(name, userMark) {
		return t.callUser(name, args)
	}
	switch key { // those that don't evaluate everything
	case "if":
		if len(args) != 3 {
			return nil, bad("takes three parameters, not %d", len(args))
		}
		c, err := args[0]()
		if err != nil {
			return nil, err
		}
		b, ok := c.(bool)
		if !ok {
			return nil, bad("needs a boolean as its first parameter, not a value of type '%s'", expr.TypeName(c))
		}
		if b {
			return args[1]()
		}
		return args[2]()
	case "and", "or":
		for _, a := range args {
			v, err := a()
			if err != nil {
				return nil, err
			}
			b, ok := v.(bool)
			if !ok {
				return nil, bad("needs booleans, not a value of type '%s'", expr.TypeName(v))
			}
			if b == (key == "or") {
				return b, nil
			}
		}
		return key == "and", nil
	case "coalesce":
		for _, a := range args {
			if v, err := a(); err != nil || v != nil {
				return v, err
			}
		}
		return nil, nil
	}
	vals := make([]any, len(args))
	for i, a := range args {
		v, err := a()
		if err != nil {
			return nil, err
		}
		vals[i] = v
	}
	text := func(i int) string {
		if i < len(vals) {
			return expr.Text(vals[i])
		}
		return ""
	}
	texts := func(from int) []string {
		var out []string
		for _, v := range vals[min(from, len(vals)):] {
			out = append(out, expr.Text(v))
		}
		return out
	}
	if b, ok := builtin[key]; ok && b != "" {
		if key == "concat" && len(vals) > 0 {
			if _, isArray := vals[0].([]any); isArray {
				out := []any{}
				for _, v := range vals {
					if a, ok := v.([]any); ok {
						out = append(out, a...)
					} else {
						out = append(out, v)
					}
				}
				return out, nil
			}
			if len(vals) == 1 {
				return vals[0], nil
			}
		}
		return expr.CallBuiltin(b, vals...)
	}
	switch key {
	case "parameters":
		if p, ok := t.params[strings.ToLower(text(0))]; ok {
			return p.Value, nil
		}
		return nil, bad("names the parameter '%s', which is not defined", text(0))
	case "variables":
		return t.variable(text(0))
	case "copyindex":
		loop, offset := t.thisCopy, int64(0)
		for _, v := range vals {
			if n, ok := v.(int64); ok {
				offset = n
			} else {
				loop = strings.ToLower(expr.Text(v))
			}
		}
		i, ok := t.copies[loop]
		if !ok {
			return nil, bad("stands outside a copy loop")
		}
		return i + offset, nil
	case "resourcegroup":
		return expr.NewObject("id", "/subscriptions/"+t.opt.SubscriptionID+"/resourceGroups/"+t.opt.ResourceGroup,
			"name", t.opt.ResourceGroup, "type", "Microsoft.Resources/resourceGroups", "location", t.opt.Location,
			"tags", &expr.Object{}, "properties", expr.NewObject("provisioningState", "Succeeded")), nil
	case "subscription":
		return expr.NewObject("id", "/subscriptions/"+t.opt.SubscriptionID, "subscriptionId", t.opt.SubscriptionID,
			"tenantId", t.opt.TenantID, "displayName", t.opt.SubscriptionID), nil
	case "tenant":
		return expr.NewObject("tenantId", t.opt.TenantID), nil
	case "deployment":
		return expr.NewObject("name", t.opt.Deployment, "properties", expr.NewObject("template", t.body, "mode", "Incremental")), nil
	case "environment":
		return expr.NewObject("name", "AzureCloud", "resourceManager", "https://management.azure.com/",
			"authentication", expr.NewObject("loginEndpoint", "https://login.microsoftonline.com/", "audiences", []any{"https://management.core.windows.net/", "https://management.azure.com/"}),
			"suffixes", expr.NewObject("storage", "core.windows.net", "keyvaultDns", ".vault.azure.net")), nil
	case "resourceid":
		return t.resourceIDCall(texts(0))
	case "subscriptionresourceid":
		a := texts(0)
		sub := t.opt.SubscriptionID
		if len(a) > 0 && !strings.Contains(a[0], "/") {
			sub, a = a[0], a[1:]
		}
		if len(a) < 2 {
			return nil, bad("needs a resource type and names")
		}
		return "/subscriptions/" + sub + typePath(a[0], a[1:]), nil
	case "tenantresourceid":
		a := texts(0)
		if len(a) < 2 {
			return nil, bad("needs a resource type and names")
		}
		return typePath(a[0], a[1:]), nil
	case "extensionresourceid":
		a := texts(0)
		if len(a) < 3 {
			return nil, bad("needs a resource id, a resource type and names")
		}
		return strings.TrimSuffix(a[0], "/") + typePath(a[1], a[2:]), nil
	case "reference":
		return t.reference(text(0), len(vals) > 2 && strings.EqualFold(text(2), "Full"))
	case "uniquestring":
		if len(vals) == 0 {
			return nil, bad("needs at least one parameter")
		}
		h := sha256.Sum256([]byte(strings.Join(texts(0), "\x00")))
		return strings.ToLower(base32.StdEncoding.EncodeToString(h[:])[:13]), nil
	case "guid":
		if len(vals) == 0 {
			return nil, bad("needs at least one parameter")
		}
		return uuid.NewSHA1(uuid.MustParse("11fb06fb-712d-4ddd-98c7-e71bbd588830"), []byte(strings.Join(texts(0), "-"))).String(), nil
	case "newguid":
		if !t.inDefault {
			return nil, bad("is available in the default of a parameter only")
		}
		return uuid.NewString(), nil
	case "utcnow":
		if !t.inDefault {
			return nil, bad("is available in the default of a parameter only")
		}
		f := "yyyyMMddTHHmmssZ"
		if len(vals) > 0 {
			f = text(0)
		}
		return expr.CallBuiltin("formatDateTime", t.opt.Now().UTC().Format("2006-01-02T15:04:05.0000000Z"), f)
	case "format":
		return formatText(texts(0))
	case "string":
		if s, ok := vals[0].(string); ok {
			return s, nil
		}
		return expr.JSON(vals[0]), nil
	case "length":
		if len(vals) == 1 {
			if o, ok := vals[0].(*expr.Object); ok {
				return int64(o.Len()), nil
			}
		}
		return expr.CallBuiltin("length", vals...)
	case "array":
		if len(vals) == 1 {
			if a, ok := vals[0].([]any); ok {
				return a, nil
			}
		}
		return vals, nil
	case "createarray":
		return vals, nil
	case "createobject":
		if len(vals)%2 != 0 {
			return nil, bad("needs names and values in pairs")
		}
		o := &expr.Object{}
		for i := 0; i < len(vals); i += 2 {
			o.Set(expr.Text(vals[i]), vals[i+1])
		}
		return o, nil
	case "equals":
		if len(vals) != 2 {
			return nil, bad("takes two parameters, not %d", len(vals))
		}
		if a, ok := vals[0].(string); ok {
			if b, ok := vals[1].(string); ok {
				return strings.EqualFold(a, b), nil
			}
		}
		return expr.Equal(vals[0], vals[1]), nil
	case "base64tojson":
		s, err := expr.CallBuiltin("base64ToString", vals...)
		if err != nil {
			return nil, err
		}
		return expr.CallBuiltin("json", s)
	case "substring":
		if len(vals) == 3 || len(vals) == 2 {
			if n, ok := vals[1].(int64); ok && n == int64(len(text(0))) && (len(vals) == 2 || vals[2] == int64(0)) {
				return "", nil
			}
		}
		return expr.CallBuiltin("substring", vals...)
	case "padleft":
		if len(vals) < 2 {
			return nil, bad("takes two or three parameters")
		}
		n, _ := vals[1].(int64)
		c := " "
		if len(vals) > 2 {
			c = text(2)
		}
		if n > 10_000 || len([]rune(c)) != 1 {
			return nil, bad("needs a length of at most 10000 and one character")
		}
		return strings.Repeat(c, max(int(n)-len([]rune(text(0))), 0)) + text(0), nil
	case "uri":
		b, err := url.Parse(text(0))
		if err != nil {
			return nil, bad("%v", err)
		}
		r, err := b.Parse(text(1))
		if err != nil {
			return nil, bad("%v", err)
		}
		return r.String(), nil
	case "flatten":
		out := []any{}
		if len(vals) == 1 {
			list, _ := vals[0].([]any)
			for _, v := range list {
				if l, ok := v.([]any); ok {
					out = append(out, l...)
				} else {
					out = append(out, v)
				}
			}
		}
		return out, nil
	case "objectkeys", "items":
		if len(vals) != 1 {
			return nil, bad("takes one parameter, not %d", len(vals))
		}
		o, ok := vals[0].(*expr.Object)
		if !ok {
			return nil, bad("needs an object, not a value of type '%s'", expr.TypeName(vals[0]))
		}
		names := append([]string{}, o.Names()...)
		sort.Strings(names)
		out := []any{}
		for _, n := range names {
			if key == "objectkeys" {
				out = append(out, n)
			} else {
				out = append(out, expr.NewObject("key", n, "value", o.Value(n)))
			}
		}
		return out, nil
	case "shallowmerge":
		out := &expr.Object{}
		if len(vals) == 1 {
			list, _ := vals[0].([]any)
			for _, v := range list {
				o, _ := v.(*expr.Object)
				for _, m := range o.Members() {
					out.Set(m.Name, m.Value)
				}
			}
		}
		return out, nil
	case "tryget":
		var v any
		if len(vals) > 0 {
			v = vals[0]
		}
		for _, k := range vals[min(1, len(vals)):] {
			switch x := v.(type) {
			case *expr.Object:
				v, _, _ = x.Find(expr.Text(k))
			case []any:
				n, ok := k.(int64)
				if !ok || n < 0 || n >= int64(len(x)) {
					return nil, nil
				}
				v = x[n]
			default:
				return nil, nil
			}
		}
		return v, nil
	case "datetimeadd", "datetimefromepoch", "datetimetoepoch":
		return dateFunction(key, vals, bad)
	case "managementgroup":
		return expr.NewObject("id", "/providers/Microsoft.Management/managementGroups/"+t.opt.TenantID, "name", t.opt.TenantID, "type", "/providers/Microsoft.Management/managementGroups"), nil
	case "true":
		return true, nil
	case "false":
		return false, nil
	case "null":
		return nil, nil
	case "join":
		return expr.CallBuiltin("join", vals...)
	}
	if strings.HasPrefix(key, "list") {
		if t.opt.List == nil {
			return nil, &Unavailable{fmt.Sprintf("the template function '%s' asks Azure about '%s', which is not available here", name, text(0))}
		}
		return t.opt.List(name, t.absolute(text(0)))
	}
	return nil, bad("is not defined or not available here")
}

// dateFunction is dateTimeAdd (an ISO 8601 duration, - before it goes back), dateTimeFromEpoch and dateTimeToEpoch.
func dateFunction(key string, vals []any, bad func(string, ...any) error) (any, error) {
	if key == "datetimefromepoch" {
		n, ok := first(vals).(int64)
		if !ok {
			return nil, bad("needs seconds as an integer")
		}
		return time.Unix(n, 0).UTC().Format("2006-01-02T15:04:05Z"), nil
	}
	n, err := expr.CallBuiltin("ticks", first(vals))
	if err != nil {
		return nil, err
	}
	ticks, _ := n.(int64)
	at := time.Unix((ticks-621355968000000000)/10_000_000, (ticks-621355968000000000)%10_000_000*100).UTC()
	if key == "datetimetoepoch" {
		return at.Unix(), nil
	}
	if len(vals) < 2 || len(vals) > 3 {
		return nil, bad("takes two or three parameters, not %d", len(vals))
	}
	m := isoDuration.FindStringSubmatch(expr.Text(vals[1]))
	if m == nil {
		return nil, bad("needs an ISO 8601 duration such as P1D, not '%s'", expr.Text(vals[1]))
	}
	part := func(i int) int {
		v, err := strconv.Atoi(m[i])
		if err != nil {
			return 0
		}
		if m[1] == "-" {
			v = -v
		}
		return v
	}
	at = at.AddDate(part(2), part(3), part(4)*7+part(5)).Add(time.Duration(part(6))*time.Hour + time.Duration(part(7))*time.Minute + time.Duration(part(8))*time.Second)
	format := "yyyy-MM-ddTHH:mm:ssZ"
	if len(vals) == 3 {
		format = expr.Text(vals[2])
	}
	return expr.CallBuiltin("formatDateTime", at.Format("2006-01-02T15:04:05.0000000Z"), format)
}

func first(vals []any) any {
	if len(vals) == 0 {
		return nil
	}
	return vals[0]
}

var isoDuration = regexp.MustCompile(`^(-?)P(?:(\d{1,6})Y)?(?:(\d{1,6})M)?(?:(\d{1,6})W)?(?:(\d{1,6})D)?(?:T(?:(\d{1,6})H)?(?:(\d{1,6})M)?(?:(\d{1,6})S)?)?$`)

// absolute makes a resource id of a name that resources of this template have.
func (t *template) absolute(id string) string {
	if strings.HasPrefix(id, "/") {
		return id
	}
	for _, r := range t.res.Resources {
		if strings.EqualFold(r.Name, id) || strings.EqualFold(r.Type+"/"+r.Name, id) {
			return r.ID
		}
	}
	return id
}

func (t *template) resourceIDCall(a []string) (any, error) {
	sub, rg := t.opt.SubscriptionID, t.opt.ResourceGroup
	// [subscription,] [resource group,] type, names…: the type is the first with a slash.
	k := -1
	for i, s := range a {
		if strings.Contains(s, "/") && i < 3 {
			k = i
			break
		}
	}
	switch k {
	case 0:
	case 1:
		rg = a[0]
	case 2:
		sub, rg = a[0], a[1]
	default:
		return nil, fmt.Errorf("the template function 'resourceId' needs a resource type such as Microsoft.Logic/workflows")
	}
	typ, names := strings.Trim(a[k], "/"), a[k+1:]
	if strings.Count(typ, "/") != len(names) {
		return nil, fmt.Errorf("the template function 'resourceId' has the type '%s' and %d names; it needs one name for each segment of the type", typ, len(names))
	}
	return resourceID(sub, rg, typ, names), nil
}

func (t *template) reference(id string, full bool) (any, error) {
	id = t.absolute(id)
	for _, r := range t.res.Resources {
		if strings.EqualFold(r.ID, id) {
			if full {
				return r.Body, nil
			}
			props := r.Properties
			if props == nil {
				props = &expr.Object{}
			}
			return props, nil
		}
	}
	if t.opt.Reference == nil {
		return nil, &Unavailable{fmt.Sprintf("the template function 'reference' asks Azure about '%s', which is not available here", id)}
	}
	return t.opt.Reference(id)
}

func formatText(a []string) (any, error) {
	if len(a) == 0 {
		return nil, fmt.Errorf("the template function 'format' needs a format")
	}
	var b strings.Builder
	f := a[0]
	for i := 0; i < len(f); i++ {
		switch {
		case strings.HasPrefix(f[i:], "{{"):
			b.WriteByte('{')
			i++
		case strings.HasPrefix(f[i:], "}}"):
			b.WriteByte('}')
			i++
		case f[i] == '{':
			end := strings.IndexByte(f[i:], '}')
			if end < 0 {
				return nil, fmt.Errorf("the template function 'format' has a format with an open brace")
			}
			spec := f[i+1 : i+end]
			num, _, _ := strings.Cut(spec, ":")
			n := -1
			if _, err := fmt.Sscanf(num, "%d", &n); err != nil || n < 0 || n+1 >= len(a) {
				return nil, fmt.Errorf("the template function 'format' has no parameter for {%s}", spec)
			}
			b.WriteString(a[n+1])
			i += end
		default:
			b.WriteByte(f[i])
		}
	}
	return b.String(), nil
}
