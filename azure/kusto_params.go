package azure

import (
	"context"
	"encoding/json"
	"fmt"
	"picket/kql"
	"picket/kql/syntax"
	"picket/kql/value"
	"regexp"
	"strings"
)

// Kusto's clients give the values of `declare query_parameters(…)` beside the text. They become let statements in
// the declaration's place; the value is evaluated alone first and written anew, so that it can't be more than a
// value.

const maxParameters = 200

// looksLiteral are the forms of text that are KQL literals; any other text is a string as it stands.
var looksLiteral = regexp.MustCompile(`(?s)^\s*(?:(?:datetime|date|timespan|time|guid|dynamic|int|long|real|double|decimal|bool|boolean)\s*\(.*\)|[hH]?@?".*"|[hH]?@?'.*')\s*$`)

// withParameters puts values in the place of the query's declared parameters.
func withParameters(ctx context.Context, text string, params map[string]json.RawMessage) (string, error) {
	if len(params) == 0 {
		return text, nil
	}
	if len(params) > maxParameters {
		return "", fmt.Errorf("the request has %d query parameters, the limit is %d", len(params), maxParameters)
	}
	doc, errs := syntax.Parse(text)
	if len(errs) > 0 {
		return "", errs
	}
	for i := len(doc.Statements) - 1; i >= 0; i-- {
		q, ok := doc.Statements[i].(*syntax.QueryParametersStmt)
		if !ok {
			continue
		}
		var lets []string
		for _, p := range q.Params {
			if p.Type == nil {
				continue // the binder says what is wrong
			}
			typ := text[p.Type.Range().Start:p.Type.Range().End]
			t, ok := value.ParseType(strings.ToLower(strings.TrimSpace(typ)))
			if !ok {
				return text, nil // the binder says what is wrong
			}
			name := text[p.Name.Range().Start:p.Name.Range().End]
			raw, given := params[p.Name.Text]
			switch {
			case given:
				lit, err := parameter(ctx, raw, t)
				if err != nil {
					return "", fmt.Errorf("the query parameter %s: %w", p.Name.Text, err)
				}
				lets = append(lets, "let "+name+" = "+lit)
			case p.Default != nil:
				lets = append(lets, "let "+name+" = "+text[p.Default.Range().Start:p.Default.Range().End])
			case t == value.String:
				lets = append(lets, "let "+name+` = ""`)
			default:
				lets = append(lets, "let "+name+" = "+t.String()+"(null)")
			}
		}
		at := q.Range()
		lines := strings.Repeat("\n", strings.Count(text[at.Start:at.End], "\n"))
		text = text[:at.Start] + strings.Join(lets, "; ") + lines + text[at.End:]
	}
	return text, nil
}

// parameter writes a value as a literal of the type.
func parameter(ctx context.Context, raw json.RawMessage, t value.Type) (string, error) {
	var s string
	if err := json.Unmarshal(raw, &s); err != nil {
		s = string(raw) // a number or a boolean
		if t == value.String {
			return literal(value.OfString(s)), nil
		}
	}
	if t == value.String && !looksLiteral.MatchString(s) {
		return literal(value.OfString(s)), nil
	}
	expr := s
	if !looksLiteral.MatchString(s) {
		expr = literal(value.OfString(s))
	}
	conv := "to" + t.String() + "(" + expr + ")"
	a := kql.Answer(ctx, "print "+conv, kql.Input{})
	if a.Err != nil || len(a.Tables) != 1 || a.Tables[0].Rows() != 1 || len(a.Tables[0].Schema) != 1 {
		return "", fmt.Errorf("%.100q is not one value of the type %s", s, t)
	}
	for _, f := range a.Tables[0].Frames {
		if f.N == 1 {
			v := f.Vecs[0].At(0)
			if v.Null && t != value.Dynamic && t != value.String && !strings.Contains(s, "null") {
				return "", fmt.Errorf("%.100q is not one value of the type %s", s, t)
			}
			return literal(v), nil
		}
	}
	return "", fmt.Errorf("%.100q gives nothing", s)
}

// literal writes a value as KQL.
func literal(v value.Value) string {
	if v.Null && v.Type != value.String {
		return v.Type.String() + "(null)"
	}
	switch v.Type {
	case value.String:
		return string(value.AppendJSONString(nil, v.S))
	case value.Dynamic:
		return "dynamic(" + string(value.AppendJSON(nil, v.D)) + ")"
	case value.Real:
		return "real(" + value.FormatReal(v.F) + ")"
	case value.Bool:
		return "bool(" + strings.ToLower(v.Text()) + ")"
	}
	return v.Type.String() + "(" + v.Text() + ")"
}
