package playbook

import (
	"picket/playbook/expr"
	"testing"
)

func TestSchemaMessages(t *testing.T) {
	for _, c := range []struct{ value, schema, want string }{
		{`{"name":1}`, `{"type":"object","properties":{"name":{"type":"string"}}}`, `[{"message":"Invalid type. Expected String but got Integer.","lineNumber":0,"linePosition":0,"path":"name","value":1,"schemaId":"#/properties/name","errorType":"type","childErrors":[]}]`},
		{`{"a":1.0,"b":null}`, `{"properties":{"a":{"type":"integer"},"b":{"type":["null","string"]}}}`, `[]`},
		{`{"x":{"y":[{"z":"s"}]}}`, `{"properties":{"x":{"properties":{"y":{"items":{"properties":{"z":{"type":"number"}}}}}}}}`, "x.y[0].z"},
		{`{}`, `{"required":["a","b"]}`, "Required properties are missing from object: a, b."},
		{`[1,1]`, `{"uniqueItems":true,"maxItems":1}`, "Non-unique array item at index 1.|Array item count 2 exceeds maximum count of 1."},
		{`5`, `{"oneOf":[{"type":"integer"},{"type":"number"}]}`, "JSON is valid against more than one schema from 'oneOf'. Valid schema indexes: 0, 1."},
		{`"toolong"`, `{"maxLength":3,"enum":["a"]}`, `String 'toolong' exceeds maximum length of 3.|Value "toolong" is not defined in enum.`},
		{`7`, `{"multipleOf":5,"maximum":6}`, "Integer 7 exceeds maximum value of 6.|Integer 7 is not a multiple of 5."},
		{`{"h":{"c":1}}`, `{"definitions":{"d":{"properties":{"c":{"type":"string"}}}},"properties":{"h":{"$ref":"#/definitions/d"}}}`, "#/definitions/d/properties/c"},
		{`"2026-13-05"`, `{"format":"date"}`, "String '2026-13-05' does not validate against format 'date'."},
		{`{"a":1}`, `{"additionalProperties":false}`, "Property 'a' has not been defined and the schema does not allow additional properties."},
	} {
		v, err := expr.ParseJSON([]byte(c.value))
		if err != nil {
			t.Fatal(err)
		}
		s, err := expr.ParseJSON([]byte(c.schema))
		if err != nil {
			t.Fatal(err)
		}
		errs := validateSchema(v, s)
		all := expr.JSON(errs)
		if errs == nil {
			all = "[]"
		}
		msgs, path, id := "", "", ""
		for i, e := range errs {
			if i > 0 {
				msgs += "|"
			}
			msgs += object(e).Value("message").(string)
			path, id = object(e).Value("path").(string), object(e).Value("schemaId").(string)
		}
		if c.want != all && c.want != msgs && c.want != path && c.want != id {
			t.Errorf("%s against %s: got %s, want %s", c.value, c.schema, all, c.want)
		}
	}
}
