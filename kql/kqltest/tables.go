package kqltest

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"picket/kql/bind"
	"picket/kql/value"
	"strings"
)

// ReadTables reads table schemas in either published shape: {"tables": {"T": {"column": "type"}}}, with the columns
// in the order written, or {"tables": {"T": "(column:type, …)"}}.
func ReadTables(b []byte) (bind.Tables, error) {
	var doc struct {
		Tables map[string]json.RawMessage `json:"tables"`
	}
	if err := json.Unmarshal(b, &doc); err != nil {
		return nil, fmt.Errorf("not JSON: %w", err)
	}
	if doc.Tables == nil {
		return nil, errors.New(`there is no object "tables"`)
	}
	out := bind.Tables{}
	for name, raw := range doc.Tables {
		s, err := readSchema(raw)
		if err != nil {
			return nil, fmt.Errorf("table %s: %w", name, err)
		}
		out[name] = s
	}
	return out, nil
}

func readSchema(raw json.RawMessage) (value.Schema, error) {
	var text string
	if json.Unmarshal(raw, &text) == nil {
		return readSchemaText(text)
	}
	dec := json.NewDecoder(bytes.NewReader(raw))
	if tok, err := dec.Token(); err != nil || tok != json.Delim('{') {
		return nil, errors.New("neither an object of columns nor a text of them")
	}
	var s value.Schema
	for dec.More() {
		k, err := dec.Token()
		if err != nil {
			return nil, err
		}
		var tn string
		if err := dec.Decode(&tn); err != nil {
			return nil, fmt.Errorf("column %v: %w", k, err)
		}
		t, ok := value.ParseType(tn)
		if !ok {
			return nil, fmt.Errorf("column %v: unknown type %q", k, tn)
		}
		s = append(s, value.Column{Name: k.(string), Type: t})
	}
	return s, nil
}

func readSchemaText(text string) (value.Schema, error) {
	var s value.Schema
	for _, part := range strings.Split(strings.Trim(strings.TrimSpace(text), "()"), ",") {
		if strings.TrimSpace(part) == "" {
			continue
		}
		i := strings.LastIndexByte(part, ':')
		if i < 0 {
			return nil, fmt.Errorf("%q is not of the form column:type", part)
		}
		name := strings.TrimSpace(part[:i])
		for _, q := range [][2]string{{"['", "']"}, {`["`, `"]`}} {
			if strings.HasPrefix(name, q[0]) && strings.HasSuffix(name, q[1]) {
				name = name[2 : len(name)-2]
			}
		}
		t, ok := value.ParseType(strings.TrimSpace(part[i+1:]))
		if !ok {
			return nil, fmt.Errorf("column %s: unknown type %q", name, part[i+1:])
		}
		s = append(s, value.Column{Name: name, Type: t})
	}
	return s, nil
}
