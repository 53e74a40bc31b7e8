package complete

import (
	"picket/kql/bind"
	"strings"
	"testing"
)

type functions struct{ bind.Schema }

func (functions) Function(s bind.Scope, name string) (bind.Function, bool) {
	return bind.Function{Name: name, Params: "(start: datetime = datetime(null), name: string = '')"}, name == "vimLogons"
}

// TestSignature: the place is where ^ stands; want is the name of the call and the parameter there.
func TestSignature(t *testing.T) {
	f := func(text, want string) {
		t.Helper()
		at := strings.IndexByte(text, '^')
		text = strings.Replace(text, "^", "", 1)
		h, ok := Signature(text, at, functions{bind.Tables{}})
		got := "none"
		if ok {
			c := h.Calls[h.Active]
			got = c.Label[:strings.IndexByte(c.Label, '(')] + " beyond"
			if h.Param < len(c.Params) {
				q := c.Params[h.Param]
				got = c.Label[:strings.IndexByte(c.Label, '(')] + " " + q.Name
				if !strings.Contains(c.Label[q.Start:q.End], q.Name) {
					t.Errorf("%s: the parameter %s stands at %q", text, q.Name, c.Label[q.Start:q.End])
				}
			}
		}
		if got != want {
			t.Errorf("%s: got %s, want %s", text, got, want)
		}
	}
	f("T | extend x = substring(^", "substring string")
	f("T | extend x = substring(a, ^1)", "substring start")
	f("T | extend x = substring(a, (1 + ^2), 3)", "substring start")
	f("T | extend x = substring(tolower(a), ^", "substring start")
	f("T | extend x = substring(tolower(^a), 1", "tolower value")
	f("T | extend x = strcat(a, b, c, ^", "strcat arg")
	f("T | extend x = array_slice(dynamic([1, 2^]), 1, 2)", "array_slice array")
	f("T | summarize arg_max(a, ^", "arg_max returned")
	f("T | evaluate bag_unpack(^", "bag_unpack column")
	f("T | where x in (1, ^", "none")
	f("T | extend x = toscalar(U | count ^)", "none")
	f("T | extend x = strlen(a) ^", "none")
	f("T | extend x = 'strlen(^'", "none")
	f("let f = (a: long, b: string = 'x,(') { a }; print f(1, ^", "f b")
	f("vimLogons(^", "vimLogons start")
	f("vimLogons(name=^'x')", "vimLogons name")
	f("print abs(1, 2, ^3)", "abs beyond")
	f("(^", "none")
	f("^", "none")
}
