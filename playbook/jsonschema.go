package playbook

import (
	"fmt"
	"math"
	"net"
	"net/mail"
	"net/url"
	"picket/playbook/expr"
	"regexp"
	"sort"
	"strings"
	"unicode/utf8"
)

// The service validates with JSON schema draft 4 (and const, dependencies); errors carry its words and places.

const maxSchemaDepth = 100

// unsupportedKeyword finds 'pattern' and 'patternProperties', which the action refuses.
func unsupportedKeyword(s any, depth int) bool {
	o := object(s)
	if o == nil || depth > maxSchemaDepth {
		return false
	}
	for _, m := range o.Members() {
		switch m.Name {
		case "pattern", "patternProperties":
			return true
		case "properties", "definitions", "dependencies":
			for _, p := range object(m.Value).Members() {
				if unsupportedKeyword(p.Value, depth+1) {
					return true
				}
			}
		case "allOf", "anyOf", "oneOf", "items":
			if list, ok := m.Value.([]any); ok {
				for _, e := range list {
					if unsupportedKeyword(e, depth+1) {
						return true
					}
				}
				continue
			}
			fallthrough
		case "additionalItems", "additionalProperties", "not":
			if unsupportedKeyword(m.Value, depth+1) {
				return true
			}
		}
	}
	return false
}

type schemaCheck struct {
	root  *expr.Object
	steps int
}

type schemaErrs []any

// validateSchema lists what a value breaks of a schema.
func validateSchema(v, schema any) []any {
	s := object(schema)
	if s == nil {
		return nil
	}
	c := &schemaCheck{root: s}
	var errs schemaErrs
	c.check(v, s, "#", "", &errs, 0)
	return errs
}

func (e *schemaErrs) add(msg, path string, value any, id, typ string, children []any) {
	if len(*e) >= 1000 {
		return
	}
	o := expr.NewObject("message", msg, "lineNumber", int64(0), "linePosition", int64(0), "path", path)
	if value != nil {
		o.Set("value", value)
	}
	o.Set("schemaId", id)
	o.Set("errorType", typ)
	if children == nil {
		children = []any{}
	}
	o.Set("childErrors", children)
	*e = append(*e, o)
}

var typeOrder = []string{"string", "number", "integer", "boolean", "object", "array", "null"}

func typesOf(s *expr.Object) []string {
	switch x := s.Value("type").(type) {
	case string:
		return []string{x}
	case []any:
		var out []string
		for _, e := range x {
			if t, ok := e.(string); ok {
				out = append(out, t)
			}
		}
		return out
	}
	return nil
}

func kindOf(v any) string {
	switch expr.TypeName(v) {
	case "Float":
		return "Number"
	}
	return expr.TypeName(v)
}

func fits(v any, types []string) bool {
	if types == nil {
		return true
	}
	for _, t := range types {
		ok := false
		switch k := expr.TypeName(v); t {
		case "any":
			ok = true
		case "number":
			ok = k == "Integer" || k == "Float"
		case "integer":
			f, isFloat := v.(float64)
			ok = k == "Integer" || isFloat && f == math.Trunc(f)
		default:
			ok = strings.EqualFold(k, t)
		}
		if ok {
			return true
		}
	}
	return false
}

func primitive(v any) any {
	switch v.(type) {
	case *expr.Object, []any:
		return nil
	}
	return v
}

func childPath(path, name string) string {
	if strings.ContainsAny(name, ". ['\"]()/@") || name == "" {
		return path + "['" + strings.ReplaceAll(name, "'", `\'`) + "']"
	}
	if path == "" {
		return name
	}
	return path + "." + name
}

func pointer(s string) string {
	return strings.NewReplacer("~", "~0", "/", "~1").Replace(s)
}

func (c *schemaCheck) resolve(ref string) *expr.Object {
	if !strings.HasPrefix(ref, "#") {
		return nil
	}
	var cur any = c.root
	for _, part := range strings.Split(ref[1:], "/")[1:] {
		if u, err := url.PathUnescape(part); err == nil {
			part = u
		}
		part = strings.NewReplacer("~1", "/", "~0", "~").Replace(part)
		o := object(cur)
		if o == nil {
			return nil
		}
		cur, _ = o.Get(part)
	}
	return object(cur)
}

func (c *schemaCheck) check(v any, s *expr.Object, id, path string, errs *schemaErrs, depth int) {
	if c.steps++; depth > maxSchemaDepth || c.steps > 5_000_000 {
		errs.add("The schema or the value is nested too deeply to validate.", path, nil, id, "depth", nil)
		return
	}
	for hops := 0; hops < 32; hops++ {
		ref, ok := s.Value("$ref").(string)
		if !ok {
			break
		}
		t := c.resolve(ref)
		if t == nil {
			return
		}
		id, s = ref, t
	}
	types := typesOf(s)
	if !fits(v, types) {
		sort.SliceStable(types, func(i, j int) bool { return rank(types[i]) < rank(types[j]) })
		var names []string
		for _, t := range types {
			if rank(t) < len(typeOrder) {
				names = append(names, strings.ToUpper(t[:1])+t[1:])
			}
		}
		errs.add(fmt.Sprintf("Invalid type. Expected %s but got %s.", strings.Join(names, ", "), kindOf(v)), path, primitive(v), id, "type", nil)
	} else {
		switch x := v.(type) {
		case string:
			c.text(x, s, id, path, errs)
		case *expr.Object:
			c.members(x, s, id, path, errs, depth)
		case []any:
			c.items(x, s, id, path, errs, depth)
		default:
			if k := expr.TypeName(v); k == "Integer" || k == "Float" {
				c.number(v, s, id, path, errs)
			}
		}
		if list, ok := s.Value("enum").([]any); ok {
			found := false
			for _, e := range list {
				found = found || expr.Equal(e, v)
			}
			if !found {
				errs.add(fmt.Sprintf("Value %s is not defined in enum.", expr.JSON(v)), path, primitive(v), id, "enum", nil)
			}
		}
		if k, ok := s.Get("const"); ok && !expr.Equal(k, v) {
			errs.add(fmt.Sprintf("Value %s does not match const.", expr.JSON(v)), path, primitive(v), id, "const", nil)
		}
	}
	c.combined(v, s, id, path, errs, depth)
	if !fits(v, types) {
		return
	}
	switch x := v.(type) {
	case *expr.Object:
		c.objectEnd(x, s, id, path, errs)
	case []any:
		c.count("Array item", len(x), "maxItems", "minItems", s, id, path, errs)
	}
}

func rank(t string) int {
	for i, x := range typeOrder {
		if x == t {
			return i
		}
	}
	return len(typeOrder)
}

func (c *schemaCheck) text(x string, s *expr.Object, id, path string, errs *schemaErrs) {
	n := int64(utf8.RuneCountInString(x))
	if m, ok := s.Value("maxLength").(int64); ok && n > m {
		errs.add(fmt.Sprintf("String '%s' exceeds maximum length of %d.", x, m), path, x, id, "maxLength", nil)
	}
	if m, ok := s.Value("minLength").(int64); ok && n < m {
		errs.add(fmt.Sprintf("String '%s' is less than minimum length of %d.", x, m), path, x, id, "minLength", nil)
	}
	if f, ok := s.Value("format").(string); ok && !formatOK(f, x) {
		errs.add(fmt.Sprintf("String '%s' does not validate against format '%s'.", x, f), path, x, id, "format", nil)
	}
}

var (
	dateTimeForm = regexp.MustCompile(`^\d{4}-\d{2}-\d{2}[Tt]\d{2}:\d{2}:\d{2}(\.\d+)?([Zz]|[+-]\d{2}:\d{2})?$`)
	hostForm     = regexp.MustCompile(`^([A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?)(\.[A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?)*$`)
)

func formatOK(f, s string) bool {
	switch f {
	case "date-time":
		_, err := expr.CallBuiltin("ticks", s)
		return dateTimeForm.MatchString(s) && err == nil
	case "date":
		_, err := expr.CallBuiltin("ticks", s)
		return len(s) == 10 && err == nil
	case "time":
		_, err := expr.CallBuiltin("ticks", "2000-01-01T"+s)
		return strings.Count(s, ":") == 2 && err == nil
	case "ipv4":
		ip := net.ParseIP(s)
		return ip != nil && ip.To4() != nil && strings.Count(s, ".") == 3
	case "ipv6":
		return net.ParseIP(s) != nil && strings.Contains(s, ":")
	case "hostname":
		return hostForm.MatchString(s) && len(s) <= 255
	case "email":
		_, err := mail.ParseAddress(s)
		return err == nil
	case "uri":
		_, err := url.Parse(s)
		return err == nil
	}
	return true
}

func (c *schemaCheck) number(v any, s *expr.Object, id, path string, errs *schemaErrs) {
	label, text := expr.TypeName(v), expr.Text(v)
	cmp := func(b any) int {
		less, _ := expr.CallBuiltin("less", v, b)
		if less == true {
			return -1
		}
		if expr.Equal(v, b) {
			return 0
		}
		return 1
	}
	num := func(name string) (any, bool) {
		x := s.Value(name)
		t := expr.TypeName(x)
		return x, t == "Integer" || t == "Float"
	}
	if m, ok := num("maximum"); ok {
		if k := cmp(m); k == 0 && s.Value("exclusiveMaximum") == true {
			errs.add(fmt.Sprintf("%s %s equals maximum value of %s and exclusive maximum is true.", label, text, expr.Text(m)), path, v, id, "maximum", nil)
		} else if k > 0 {
			errs.add(fmt.Sprintf("%s %s exceeds maximum value of %s.", label, text, expr.Text(m)), path, v, id, "maximum", nil)
		}
	}
	if m, ok := num("minimum"); ok {
		if k := cmp(m); k == 0 && s.Value("exclusiveMinimum") == true {
			errs.add(fmt.Sprintf("%s %s equals minimum value of %s and exclusive minimum is true.", label, text, expr.Text(m)), path, v, id, "minimum", nil)
		} else if k < 0 {
			errs.add(fmt.Sprintf("%s %s is less than minimum value of %s.", label, text, expr.Text(m)), path, v, id, "minimum", nil)
		}
	}
	if m, ok := num("multipleOf"); ok && !expr.Equal(m, int64(0)) {
		a, _ := expr.CallBuiltin("decimal", v)
		b, _ := expr.CallBuiltin("decimal", m)
		if rest, err := expr.CallBuiltin("mod", a, b); err == nil && !expr.Equal(rest, int64(0)) {
			errs.add(fmt.Sprintf("%s %s is not a multiple of %s.", label, text, expr.Text(m)), path, v, id, "multipleOf", nil)
		}
	}
}

func (c *schemaCheck) members(x *expr.Object, s *expr.Object, id, path string, errs *schemaErrs, depth int) {
	props := object(s.Value("properties"))
	for _, m := range x.Members() {
		p := childPath(path, m.Name)
		if sub, ok := props.Get(m.Name); ok {
			if so := object(sub); so != nil {
				c.check(m.Value, so, id+"/properties/"+pointer(m.Name), p, errs, depth+1)
			}
			continue
		}
		switch ap := s.Value("additionalProperties").(type) {
		case bool:
			if !ap {
				errs.add(fmt.Sprintf("Property '%s' has not been defined and the schema does not allow additional properties.", m.Name), p, m.Name, id, "additionalProperties", nil)
			}
		case *expr.Object:
			c.check(m.Value, ap, id+"/additionalProperties", p, errs, depth+1)
		}
	}
}

func (c *schemaCheck) items(x []any, s *expr.Object, id, path string, errs *schemaErrs, depth int) {
	unique := s.Value("uniqueItems") == true
	seen := map[string]bool{}
	for i, e := range x {
		p := fmt.Sprintf("%s[%d]", path, i)
		switch it := s.Value("items").(type) {
		case *expr.Object:
			c.check(e, it, id+"/items", p, errs, depth+1)
		case []any:
			if i < len(it) {
				if so := object(it[i]); so != nil {
					c.check(e, so, fmt.Sprintf("%s/items/%d", id, i), p, errs, depth+1)
				}
			} else if ai := s.Value("additionalItems"); ai == false {
				errs.add(fmt.Sprintf("Index %d has not been defined and the schema does not allow additional items.", i+1), p, primitive(e), id, "additionalItems", nil)
			} else if so := object(ai); so != nil {
				c.check(e, so, id+"/additionalItems", p, errs, depth+1)
			}
		}
		if unique {
			k := expr.JSON(e)
			if seen[k] {
				errs.add(fmt.Sprintf("Non-unique array item at index %d.", i), p, e, id, "uniqueItems", nil)
			}
			seen[k] = true
		}
	}
}

func (c *schemaCheck) combined(v any, s *expr.Object, id, path string, errs *schemaErrs, depth int) {
	try := func(sub any, sid string) (schemaErrs, bool) {
		so := object(sub)
		if so == nil {
			return nil, true
		}
		var es schemaErrs
		c.check(v, so, sid, path, &es, depth+1)
		return es, len(es) == 0
	}
	all := func(word string) (results []schemaErrs, good, bad []string, ok bool) {
		list, ok := s.Value(word).([]any)
		for i, sub := range list {
			es, fine := try(sub, fmt.Sprintf("%s/%s/%d", id, word, i))
			results = append(results, es)
			if fine {
				good = append(good, fmt.Sprint(i))
			} else {
				bad = append(bad, fmt.Sprint(i))
			}
		}
		return results, good, bad, ok
	}
	children := func(rs []schemaErrs) []any {
		out := []any{}
		for i := len(rs) - 1; i >= 0; i-- { // the service lists them from the last schema to the first
			out = append(out, rs[i]...)
		}
		return out
	}
	if rs, _, bad, ok := all("allOf"); ok && len(bad) > 0 {
		errs.add(fmt.Sprintf("JSON does not match all schemas from 'allOf'. Invalid schema indexes: %s.", strings.Join(bad, ", ")), path, nil, id, "allOf", children(rs))
	}
	if rs, good, _, ok := all("anyOf"); ok && len(good) == 0 {
		errs.add("JSON does not match any schemas from 'anyOf'.", path, nil, id, "anyOf", children(rs))
	}
	if rs, good, _, ok := all("oneOf"); ok && len(good) == 0 {
		errs.add("JSON is valid against no schemas from 'oneOf'.", path, nil, id, "oneOf", children(rs))
	} else if ok && len(good) > 1 {
		errs.add(fmt.Sprintf("JSON is valid against more than one schema from 'oneOf'. Valid schema indexes: %s.", strings.Join(good, ", ")), path, nil, id, "oneOf", nil)
	}
	if n := object(s.Value("not")); n != nil {
		if _, fine := try(n, id+"/not"); fine {
			errs.add("JSON is valid against schema from 'not'.", path, nil, id, "not", nil)
		}
	}
	if x, ok := v.(*expr.Object); ok {
		for _, m := range object(s.Value("dependencies")).Members() {
			if _, has := x.Get(m.Name); !has || object(m.Value) == nil {
				continue
			}
			if es, fine := try(m.Value, id+"/dependencies/"+pointer(m.Name)); !fine {
				errs.add(fmt.Sprintf("Dependencies for property '%s' failed.", m.Name), path, nil, id, "dependencies", es)
			}
		}
	}
}

func (c *schemaCheck) count(what string, n int, maxName, minName string, s *expr.Object, id, path string, errs *schemaErrs) {
	if m, ok := s.Value(maxName).(int64); ok && int64(n) > m {
		errs.add(fmt.Sprintf("%s count %d exceeds maximum count of %d.", what, n, m), path, int64(n), id, maxName, nil)
	}
	if m, ok := s.Value(minName).(int64); ok && int64(n) < m {
		errs.add(fmt.Sprintf("%s count %d is less than minimum count of %d.", what, n, m), path, int64(n), id, minName, nil)
	}
}

func (c *schemaCheck) objectEnd(x *expr.Object, s *expr.Object, id, path string, errs *schemaErrs) {
	missing := func(v any) ([]any, string) {
		var out []any
		var names []string
		list, _ := v.([]any)
		for _, e := range list {
			if n, ok := e.(string); ok {
				if _, has := x.Get(n); !has {
					out = append(out, n)
					names = append(names, n)
				}
			}
		}
		return out, strings.Join(names, ", ")
	}
	if m, names := missing(s.Value("required")); len(m) > 0 {
		errs.add(fmt.Sprintf("Required properties are missing from object: %s.", names), path, m, id, "required", nil)
	}
	c.count("Object property", x.Len(), "maxProperties", "minProperties", s, id, path, errs)
	for _, m := range object(s.Value("dependencies")).Members() {
		if _, has := x.Get(m.Name); !has {
			continue
		}
		if miss, names := missing(m.Value); len(miss) > 0 {
			errs.add(fmt.Sprintf("Dependencies for property '%s' failed. Missing required keys: %s.", m.Name, names), path, m.Name, id, "dependencies", nil)
		}
	}
}
