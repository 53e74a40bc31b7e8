package playbook

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"picket/playbook/expr"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// What is wrong with a definition is said before anything is stored: the action, the place, and what may be meant.
func TestBadDefinitions(t *testing.T) {
	l := newLab(t, nil)
	deep := `"X":{"type":"Compose","inputs":1}`
	for i := range 9 {
		deep = fmt.Sprintf(`"S%d":{"type":"Scope","actions":{%s}}`, i, deep)
	}
	var many strings.Builder
	for i := range 501 {
		fmt.Fprintf(&many, `"A%d":{"type":"Compose","inputs":1},`, i)
	}
	act := func(s string) string { return "{\"actions\":{\n" + s + "\n}}" }
	for _, c := range []struct{ name, text, want string }{
		{"not JSON", "{\"actions\":{\n  \"A\":}}", "line 2"},
		{"nothing in it", `{"resources":[]}`, "neither a workflow"},
		{"unknown function", act(`"A":{"type":"Compose","inputs":"@concatt('a')"}`), "action 'A': The template function 'concatt' is not defined or not valid. Did you mean 'concat'? (line 2, column 23)"},
		{"unknown function in a condition", act(`"A":{"type":"If","expression":{"and":[{"eqals":["@lengthh('a')",1]}]},"actions":{}}`), "Did you mean 'length'?"},
		{"broken expression", act(`"A":{"type":"Compose","inputs":"@concat('a'"}`), "action 'A': Unable to parse template language expression 'concat('a'': expected ',' or ')' in the parameters of concat at position 10 (line 2, column 23)"},
		{"text in double quotes", act(`"A":{"type":"Compose","inputs":"@concat(\"a\")"}`), "text is written in single quotes"},
		{"unknown action", act(`"Get_Data":{"type":"Compose","inputs":1},"B":{"type":"Compose","runAfter":{"Get_Data":["Succeeded"]},"inputs":"@body('Get_Dta')"}`), "names the action 'Get_Dta', which is not defined; did you mean 'Get_Data'?"},
		{"missing runAfter", act(`"First":{"type":"Compose","inputs":1},"B":{"type":"Compose","inputs":1,"runAfter":{"Fisrt":["Succeeded"]}}`), "runAfter names the action 'Fisrt', which is not defined; did you mean 'First'?"},
		{"runAfter elsewhere", act(`"S":{"type":"Scope","actions":{"In":{"type":"Compose","inputs":1}}},"B":{"type":"Compose","inputs":1,"runAfter":{"In":["Succeeded"]}}`), "is in another container"},
		{"a status that isn't", act(`"A":{"type":"Compose","inputs":1},"B":{"type":"Compose","inputs":1,"runAfter":{"A":["Success"]}}`), "is not one of Succeeded, Failed, Skipped, TimedOut"},
		{"loop of two", act(`"A":{"type":"Compose","inputs":1,"runAfter":{"B":["Succeeded"]}},"B":{"type":"Compose","inputs":1,"runAfter":{"A":["Succeeded"]}}`), "in a circle"},
		{"loop of itself", act(`"A":{"type":"Compose","inputs":1,"runAfter":{"A":["Succeeded"]}}`), "in a circle"},
		{"unknown variable", act(`"I":{"type":"InitializeVariable","inputs":{"variables":[{"name":"count","type":"Integer"}]}},"B":{"type":"Compose","runAfter":{"I":["Succeeded"]},"inputs":"@variables('cuont')"}`), "did you mean 'count'?"},
		{"variable of no type", act(`"I":{"type":"InitializeVariable","inputs":{"variables":[{"name":"c","type":"Number"}]}}`), `has the type "Number"`},
		{"variable in a loop", act(`"L":{"type":"Foreach","foreach":"@createArray(1)","actions":{"I":{"type":"InitializeVariable","inputs":{"variables":[{"name":"c","type":"Integer"}]}}}}`), "at the first level only"},
		{"unknown type", act(`"A":{"type":"Compos","inputs":1}`), `the action type "Compos" is not known; did you mean 'Compose'?`},
		{"an input is missing", act(`"A":{"type":"Http","inputs":{"method":"GET"}}`), "action 'A': the input 'uri' is missing (line 2"},
		{"inputs of a wrong type", act(`"A":{"type":"Http","inputs":[1]}`), "'inputs' must be an object, it is of type 'Array'"},
		{"actions of a wrong type", `{"actions":[1]}`, "'actions' must be an object"},
		{"twice the name", act(`"S":{"type":"Scope","actions":{"A":{"type":"Compose","inputs":1}}},"a":{"type":"Compose","inputs":1}`), "names are unique over the whole workflow"},
		{"nested too deep", act(deep), "nested deeper than 8 levels"},
		{"too many actions", act(strings.TrimSuffix(many.String(), ",")), "the definition has 501 actions, the limit is 500"},
		{"Until beyond the limit", act(`"U":{"type":"Until","expression":"@equals(1,2)","limit":{"count":5001},"actions":{}}`), "'count' must be from 1 to 5000, it is 5001"},
		{"a duration that isn't", act(`"U":{"type":"Until","expression":"@equals(1,2)","limit":{"timeout":"1 hour"},"actions":{}}`), "1 hour"},
		{"items outside its loop", act(`"L":{"type":"Foreach","foreach":"@createArray(1)","actions":{}},"B":{"type":"Compose","inputs":"@items('L')"}`), "items('L') stands outside the loop 'L'"},
		{"a parameter without a value", `{"parameters":{"p":{"type":"String"}},"actions":{}}`, "has neither a value nor a default"},
		{"an expression too long", act(`"A":{"type":"Compose","inputs":"@concat('` + strings.Repeat("x", 8200) + `')"}`), "the limit is 8192"},
		{"a schedule that isn't", `{"triggers":{"r":{"type":"Recurrence","recurrence":{"frequency":"Day","interval":1,"timeZone":"Mars Standard Time"}}},"actions":{}}`, "Mars Standard Time"},
	} {
		_, err := l.Deploy(context.Background(), DeployRequest{Name: "w", Template: []byte(c.text)})
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: got %v\nwant %q", c.name, err, c.want)
		}
	}
	if ws, err := l.Workflows(context.Background()); err != nil || len(ws) != 0 {
		t.Errorf("%d workflows, %v", len(ws), err)
	}
}

// What goes wrong in a run ends the action with the error that Logic Apps users know.
func TestBadRuns(t *testing.T) {
	part := make([]byte, 8<<20)
	l := newLab(t, func(d *Deps) {
		d.Outbound.Hosts = map[string]http.Handler{
			"huge.example": http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				for range MaxMessage/len(part) + 1 {
					if _, err := w.Write(part); err != nil {
						return
					}
				}
			}),
			"bad.example": http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(418) }),
		}
	})
	one := func(name, action, code, text string) {
		t.Helper()
		l.define("P", action)
		d := l.run("P", nil)
		a := find(d, "A")
		msg, _ := a.Error.Value("message").(string)
		if a.Status != Failed || a.Code != code || !strings.Contains(msg, text) {
			t.Errorf("%s: %s", name, describe(d))
		}
	}
	one("wrong type", `"A":{"type":"Compose","inputs":"@add('a', 1)"}`, "BadRequest", "Unable to process template language expressions in action 'A' inputs at line '0' and column '0'")
	one("missing property", `"A":{"type":"Compose","inputs":"@json('{\"a\":1}')['b']"}`, "BadRequest", "property 'b' doesn't exist, available properties are 'a'")
	one("schema", `"A":{"type":"ParseJson","inputs":{"content":"{\"a\":1}","schema":{"type":"object","required":["b"]}}}`, "ValidationFailed", "The schema validation failed.")
	one("not JSON", `"A":{"type":"ParseJson","inputs":{"content":"{oops","schema":{}}}`, "InvalidJSON", "must be valid JSON")
	one("not an array", `"A":{"type":"Foreach","foreach":"@string(1)","actions":{"X":{"type":"Compose","inputs":1}}}`, "ExpressionEvaluationFailed", "The result must be a valid array.")
	one("range too large", `"A":{"type":"Compose","inputs":"@range(0, 100001)"}`, "BadRequest", "range")
	one("enormous answer", `"A":{"type":"Http","inputs":{"method":"GET","uri":"https://huge.example/","retryPolicy":{"type":"none"}}}`, "RequestRefused", "is larger than a message may be")
	one("no URL", `"A":{"type":"Http","inputs":{"method":"GET","uri":"@concat('ftp:', '//x')"}}`, "RequestRefused", "is not an absolute http or https URL")
	one("endless Until", `"A":{"type":"Until","expression":"@equals(1,2)","limit":{"count":3},"operationOptions":"FailWhenLimitsReached","actions":{"X":{"type":"Compose","inputs":1}}}`, "UntilLimitsReached", "reached its limit of 3 iterations")
	l.define("P", `"A":{"type":"Http","inputs":{"method":"GET","uri":"https://bad.example/"}},"B":{"type":"Compose","runAfter":{"A":["Failed"]},"inputs":"@outputs('A')['statusCode']"}`)
	if d := l.run("P", nil); expr.JSON(find(d, "B").Outputs) != "418" || find(d, "A").Error != nil {
		t.Error(describe(d))
	}
	// A caller whose message is too large is told so; nothing runs.
	cb, err := l.CallbackURL(context.Background(), "P", "", CallbackOptions{})
	if err != nil {
		t.Fatal(err)
	}
	rec := httptest.NewRecorder()
	l.InvokeHandler().ServeHTTP(rec, httptest.NewRequest("POST", cb.Value, io.LimitReader(zeros{}, MaxMessage+1)))
	if rec.Code != 413 {
		t.Errorf("%d %s", rec.Code, rec.Body)
	}
	rec = httptest.NewRecorder()
	r := httptest.NewRequest("POST", cb.Value, strings.NewReader("{oops"))
	r.Header.Set("Content-Type", "application/json")
	if l.InvokeHandler().ServeHTTP(rec, r); rec.Code != 400 || !strings.Contains(rec.Body.String(), "InvalidRequestContent") {
		t.Errorf("%d %s", rec.Code, rec.Body)
	}
}

type zeros struct{}

func (zeros) Read(b []byte) (int, error) { return len(b), nil }

// A clock that is set back or forth neither loses a recurrence nor fires one twice, and a wait ends at its time.
func TestClockChanges(t *testing.T) {
	var shift atomic.Int64
	base := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	l := newLab(t, func(d *Deps) { d.Now = func() time.Time { return base.Add(time.Duration(shift.Load())) } })
	l.deploy("R", `{"triggers":{"r":{"type":"Recurrence","recurrence":{"frequency":"Hour","interval":1,"startTime":"2026-03-01T12:30:00Z"}}},"actions":{"C":{"type":"Compose","inputs":1}}}`, nil)
	l.define("W", `"Wait":{"type":"Wait","inputs":{"until":{"timestamp":"2026-03-01T13:00:00Z"}}}`)
	ctx := context.Background()
	runs := func() int {
		rs, err := l.Runs(ctx, "R", Page{})
		if err != nil {
			t.Fatal(err)
		}
		return len(rs)
	}
	fire := func(at time.Duration) {
		shift.Store(int64(at))
		var next int64
		if err := l.db.QueryRow(ctx, `SELECT next FROM playbook_trigger WHERE workflow='R'`).Scan(&next); err != nil {
			t.Fatal(err)
		}
		if due := fromMicros(next); !due.After(l.now()) {
			if err := l.fireScheduled(ctx, "R", "r", due); err != nil {
				t.Fatal(err)
			}
		}
	}
	for _, c := range []struct {
		at   time.Duration
		want int
	}{{0, 0}, {31 * time.Minute, 1}, {-5 * time.Hour, 1}, {40 * time.Minute, 1}, {91 * time.Minute, 2}, {20 * time.Minute, 2}, {11 * time.Hour, 3}, {11*time.Hour + 10*time.Minute, 3}} {
		if fire(c.at); runs() != c.want {
			t.Errorf("at %s: %d runs, want %d", c.at, runs(), c.want)
		}
	}
	shift.Store(0)
	res, err := l.Trigger(ctx, "W", "", TriggerInput{})
	if err != nil {
		t.Fatal(err)
	}
	shift.Store(int64(-48 * time.Hour))
	time.Sleep(20 * time.Millisecond)
	if r, err := l.findRun(ctx, res.Runs[0]); err != nil || !r.Ended.IsZero() {
		t.Error("the wait ended though the clock was set back", err)
	}
}
