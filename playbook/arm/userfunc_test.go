package arm

import (
	"picket/playbook/expr"
	"strings"
	"testing"
)

func TestFunctionsOfTheTemplate(t *testing.T) {
	text := `{"parameters":{"p":{"type":"string","defaultValue":"x.y"}},"variables":{"v":"[toUpper(Own.Join(parameters('p'), 'own.join('))]"},
	"functions":[{"namespace":"own","members":{
		"join":{"parameters":[{"name":"a","type":"string"},{"name":"p","type":"string"}],"output":{"type":"string","value":"[concat(parameters('a'), '-', parameters('p'))]"}},
		"around":{"parameters":[{"name":"a","type":"string"}],"output":{"type":"object","value":{"in":"[own.join('<', parameters('a'))]"}}},
		"endless":{"parameters":[],"output":{"type":"string","value":"[own.endless()]"}}}}],
	"resources":[],"outputs":{"v":{"type":"string","value":"[variables('v')]"},"o":{"type":"object","value":"[own.around('z')]"},"CASE":{"type":"string","value":"EXPR"}}}`
	res, err := Evaluate([]byte(strings.Replace(text, "EXPR", "x", 1)), Options{})
	if err != nil || expr.JSON(res.Outputs) != `{"v":"X.Y-OWN.JOIN(","o":{"in":"<-z"},"CASE":"x"}` {
		t.Errorf("%v %v", res, err)
	}
	for bad, want := range map[string]string{"[own.endless()]": "calls itself without end", "[own.join('a')]": "takes 2 parameters, not 1", "[own.nothing()]": "nothing"} {
		if _, err := Evaluate([]byte(strings.Replace(text, "EXPR", bad, 1)), Options{}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", bad, err)
		}
	}
}

func TestMoreFunctions(t *testing.T) {
	for in, want := range map[string]string{
		"[dateTimeAdd('2026-01-31T08:00:00Z', 'P1M')]":                            `"2026-03-03T08:00:00Z"`,
		"[dateTimeAdd('2026-01-31T08:00:00Z', '-PT9H', 'yyyy-MM-dd')]":            `"2026-01-30"`,
		"[dateTimeFromEpoch(0)]":                                                  `"1970-01-01T00:00:00Z"`,
		"[dateTimeToEpoch('1970-01-02T00:00:00Z')]":                               `86400`,
		"[flatten(createArray(createArray(1, 2), 3))]":                            `[1,2,3]`,
		"[objectKeys(createObject('b', 1, 'a', 2))]":                              `["a","b"]`,
		"[items(createObject('b', 1, 'a', 2))]":                                   `[{"key":"a","value":2},{"key":"b","value":1}]`,
		"[tryGet(createObject('a', createArray(5)), 'a', 0)]":                     `5`,
		"[tryGet(createObject('a', 1), 'b')]":                                     `null`,
		"[shallowMerge(createArray(createObject('a', 1), createObject('a', 2)))]": `{"a":2}`,
	} {
		res, err := Evaluate([]byte(`{"resources":[],"outputs":{"x":{"type":"string","value":"`+in+`"}}}`), Options{})
		if err != nil || expr.JSON(res.Outputs.Value("x")) != want {
			t.Errorf("%s: %v %v, want %s", in, res, err, want)
		}
	}
	res, err := Evaluate([]byte(`{"resources":[{"type":"Microsoft.Resources/deployments","name":"d","properties":{"templateLink":{"uri":"https://x.example/t.json"}}}]}`), Options{})
	if err != nil || len(res.Missing) != 1 {
		t.Errorf("%v %v", res, err)
	}
}
