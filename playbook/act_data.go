package playbook

import (
	"fmt"
	"html"
	"picket/playbook/definition"
	"picket/playbook/expr"
	"strings"
)

func (r *run) compose(a *definition.Action, f *frame, rec *record) outcome {
	v, err := expr.EvaluateTree(a.Inputs, r.env(f, rec))
	if err != nil {
		return invalid(a, err)
	}
	return succeeded(v, v)
}

// parseJSON reads its content as JSON and checks it against the schema; the value isn't changed to fit it.
func (r *run) parseJSON(a *definition.Action, f *frame, rec *record) outcome {
	ins := object(a.Inputs)
	content, err := expr.EvaluateTree(ins.Value("content"), r.env(f, rec))
	if err != nil {
		return invalid(a, err)
	}
	schema := ins.Value("schema")
	in := expr.NewObject("content", content)
	if schema != nil {
		in.Set("schema", schema)
	}
	if content == nil || content == "" {
		return outcome{status: Failed, code: "BadRequest", err: errorObject("InvalidTemplate", fmt.Sprintf(
			"Unable to process template language expressions in action '%s' inputs at line '0' and column '0': 'Required property 'content' expects a value but got null. Path ''.'.", a.Name))}
	}
	if unsupportedKeyword(schema, 0) {
		return failed("ActionSchemaNotSupported", "The 'schema' property of action 'ParseJson' inputs contains 'pattern' or 'patternProperties' properties. 'Pattern' or 'patternProperties' properties are not supported in the action json schema.").with(in)
	}
	if _, ct, ok := expr.Binary(content); ok {
		return failed("BadRequest", fmt.Sprintf("The property 'content' must be of type JSON in the 'ParseJson' action inputs, but was of type '%s'.", ct)).with(in)
	}
	v := content
	if s, ok := content.(string); ok {
		if v, err = expr.ParseJSONLenient(s); err != nil {
			return failed("InvalidJSON", fmt.Sprintf("The 'content' property of actions of type 'ParseJson' must be valid JSON. The provided value cannot be parsed: '%v'.", err)).with(in)
		}
	}
	if errs := validateSchema(v, schema); len(errs) > 0 {
		o := failed("ValidationFailed", "The schema validation failed.").with(in)
		o.outputs, o.hasOut = expr.NewObject("errors", errs), true
		return o
	}
	return succeeded(in, expr.NewObject("body", v))
}

// from evaluates the 'from' of Select, Query, Join and Table.
func (r *run) from(a *definition.Action, f *frame, rec *record) ([]any, *outcome) {
	v, err := expr.EvaluateTree(object(a.Inputs).Value("from"), r.env(f, rec))
	if err != nil {
		o := invalid(a, err)
		return nil, &o
	}
	list, ok := v.([]any)
	if !ok {
		o := failed("BadRequest", fmt.Sprintf("The 'from' property value in the '%s' action inputs is of type '%s'. The value must be of type 'Array'.", strings.ToLower(a.Type), expr.TypeName(v)))
		return nil, &o
	}
	return list, nil
}

func (r *run) selectAction(a *definition.Action, f *frame, rec *record) outcome {
	list, o := r.from(a, f, rec)
	if o != nil {
		return *o
	}
	out := make([]any, len(list))
	for i, item := range list {
		v, err := expr.EvaluateTree(object(a.Inputs).Value("select"), r.itemEnv(f, item))
		if err != nil {
			return invalid(a, err)
		}
		out[i] = v
	}
	return succeeded(expr.NewObject("from", list), expr.NewObject("body", out))
}

func (r *run) query(a *definition.Action, f *frame, rec *record) outcome {
	list, o := r.from(a, f, rec)
	if o != nil {
		return *o
	}
	out := []any{}
	for _, item := range list {
		yes, err := condition(object(a.Inputs).Value("where"), r.itemEnv(f, item))
		if err != nil {
			return invalid(a, err)
		}
		if yes {
			out = append(out, item)
		}
	}
	return succeeded(expr.NewObject("from", list), expr.NewObject("body", out))
}

func (r *run) joinAction(a *definition.Action, f *frame, rec *record) outcome {
	list, o := r.from(a, f, rec)
	if o != nil {
		return *o
	}
	sep, err := expr.EvaluateTree(object(a.Inputs).Value("joinWith"), r.env(f, rec))
	if err != nil {
		return invalid(a, err)
	}
	s, err := expr.CallBuiltin("join", list, sep)
	if err != nil {
		return invalid(a, err)
	}
	return succeeded(expr.NewObject("from", list, "joinWith", sep), expr.NewObject("body", s))
}

func (r *run) table(a *definition.Action, f *frame, rec *record) outcome {
	list, o := r.from(a, f, rec)
	if o != nil {
		return *o
	}
	ins := object(a.Inputs)
	fv, err := expr.EvaluateTree(ins.Value("format"), r.env(f, rec))
	if err != nil {
		return invalid(a, err)
	}
	format := strings.ToUpper(expr.Text(fv))
	if format != "CSV" && format != "HTML" {
		return failed("BadRequest", fmt.Sprintf("The 'format' property value in the 'table' action inputs is '%s'. The value must be 'CSV' or 'HTML'.", expr.Text(fv)))
	}
	var headers []string
	rows := make([][]string, len(list))
	if cols, ok := ins.Value("columns").([]any); ok && len(cols) > 0 {
		for _, c := range cols {
			h, err := expr.EvaluateTree(object(c).Value("header"), r.env(f, rec))
			if err != nil {
				return invalid(a, err)
			}
			headers = append(headers, expr.Text(h))
		}
		for i, item := range list {
			for _, c := range cols {
				v, err := expr.EvaluateTree(object(c).Value("value"), r.itemEnv(f, item))
				if err != nil {
					return invalid(a, err)
				}
				rows[i] = append(rows[i], expr.Text(v))
			}
		}
	} else {
		seen := map[string]bool{}
		for _, item := range list {
			io, ok := item.(*expr.Object)
			if !ok {
				return failed("BadRequest", "The property 'columns' must be specified unless the 'from' property value is an array of objects.")
			}
			for _, n := range io.Names() {
				if !seen[n] {
					seen[n] = true
					headers = append(headers, n)
				}
			}
		}
		for i, item := range list {
			for _, h := range headers {
				v, _ := item.(*expr.Object).Get(h)
				rows[i] = append(rows[i], expr.Text(v))
			}
		}
	}
	text := tableCSV(headers, rows)
	if format == "HTML" {
		text = tableHTML(headers, rows)
	}
	return succeeded(expr.NewObject("from", list, "format", format), expr.NewObject("body", text))
}

func tableCSV(headers []string, rows [][]string) string {
	var b strings.Builder
	line := func(cells []string) {
		for i, c := range cells {
			if i > 0 {
				b.WriteByte(',')
			}
			if strings.ContainsAny(c, ",\"\r\n") {
				c = `"` + strings.ReplaceAll(c, `"`, `""`) + `"`
			}
			b.WriteString(c)
		}
		b.WriteString("\r\n")
	}
	if len(headers) == 0 {
		return ""
	}
	line(headers)
	for _, r := range rows {
		line(r)
	}
	return b.String()
}

// encodeHTML encodes as .NET's WebUtility: markup, quotes, U+00A0 to U+00FF and what lies beyond U+FFFF.
func encodeHTML(s string) string {
	s = strings.NewReplacer("&#34;", "&quot;").Replace(html.EscapeString(s))
	var b strings.Builder
	for _, r := range s {
		if r >= 0xA0 && r <= 0xFF || r > 0xFFFF {
			fmt.Fprintf(&b, "&#%d;", r)
		} else {
			b.WriteRune(r)
		}
	}
	return b.String()
}

func tableHTML(headers []string, rows [][]string) string {
	var b strings.Builder
	b.WriteString("<table>")
	if len(headers) > 0 {
		b.WriteString("<thead><tr>")
		for _, h := range headers {
			b.WriteString("<th>" + encodeHTML(h) + "</th>")
		}
		b.WriteString("</tr></thead>")
	}
	b.WriteString("<tbody>")
	for _, r := range rows {
		b.WriteString("<tr>")
		for _, c := range r {
			b.WriteString("<td>" + encodeHTML(c) + "</td>")
		}
		b.WriteString("</tr>")
	}
	b.WriteString("</tbody></table>")
	return b.String()
}
