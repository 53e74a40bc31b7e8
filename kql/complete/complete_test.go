package complete

import (
	"picket/kql/bind"
	"picket/kql/value"
	"slices"
	"strings"
	"testing"
)

var tables = bind.Tables{
	"SigninLogs":    {{Name: "TimeGenerated", Type: value.Datetime}, {Name: "User", Type: value.String}, {Name: "Result Type", Type: value.Long}},
	"SecurityEvent": {{Name: "EventID", Type: value.Int}, {Name: "Account", Type: value.String}},
}

// at completes at the ^ of a text.
func at(t *testing.T, marked string) (List, []string) {
	t.Helper()
	i := strings.IndexByte(marked, '^')
	if i < 0 {
		t.Fatal("no place in", marked)
	}
	l := At(marked[:i]+marked[i+1:], i, tables)
	var names []string
	for _, it := range l.Items {
		names = append(names, it.Label)
	}
	return l, names
}

func TestAt(t *testing.T) {
	for _, c := range []struct {
		text      string
		has, lack []string
	}{
		{"^", []string{"SigninLogs", "let", "print"}, []string{"where", "User"}},
		{"Sig^", []string{"SigninLogs"}, []string{"SecurityEvent"}},
		{"SigninLogs | ^", []string{"where", "summarize", "project-away"}, []string{"SigninLogs", "User", "strcat"}},
		{"SigninLogs | project-a^", []string{"project-away"}, []string{"project-keep", "project"}},
		{"SigninLogs | where ^", []string{"User", "Result Type", "strlen"}, []string{"EventID", "sum", "Account"}},
		{"SigninLogs | where User ^", []string{"has", "contains"}, nil},
		{"SigninLogs | where strlen(U^", []string{"User"}, []string{"strlen"}},
		{"SigninLogs | summarize n = count() by User | where ^", []string{"n", "User"}, []string{"TimeGenerated"}},
		{"SigninLogs | summarize ^", []string{"sum", "dcount", "User"}, nil},
		{"SigninLogs | summarize count() by ^", []string{"User", "bin"}, []string{"dcount"}},
		{"SigninLogs | join kind=inner (^", []string{"SecurityEvent"}, []string{"User"}},
		{"SigninLogs | join kind=^", []string{"leftanti", "innerunique"}, []string{"User"}},
		{"SigninLogs | join (SecurityEvent | where ^", []string{"EventID"}, []string{"User"}},
		{"SigninLogs | join (SecurityEvent | project Account) on ^", []string{"User", "Account", "$left"}, []string{"EventID"}},
		{"let n = 1;\nlet big = SecurityEvent | where EventID > n;\nbig | where ^", []string{"EventID", "n"}, []string{"User"}},
		{"let n = 1;\n^", []string{"n", "SigninLogs"}, nil},
		{"let t = SecurityEvent | where ^", []string{"EventID"}, nil},
		{"SigninLogs | where wrong == 1 | where ^", []string{"User"}, nil},
		{"SigninLogs | evaluate ^", []string{"bag_unpack", "pivot"}, []string{"python", "User"}},
		{"SigninLogs | render ^", []string{"timechart"}, []string{"User"}},
		{"SigninLogs | where User == '^", nil, []string{"User"}},
		{"SigninLogs // ^", nil, []string{"User", "where"}},
		{"SigninLogs | extend d = dynamic({}) | extend d.^", nil, []string{"User"}},
		{"SigninLogs\n| take 1\n\nSecurityEvent\n| where ^", []string{"EventID"}, []string{"User"}},
		{"union SigninLogs, ^", []string{"SecurityEvent"}, []string{"strlen"}},
		{"SigninLogs | mv-apply x = dynamic([1]) on (^", []string{"where", "summarize"}, []string{"SigninLogs"}},
		{"SigninLogs | sort by ^", []string{"User"}, nil},
		{"print toscalar(^", []string{"SigninLogs"}, nil},
		{"let f = (a:long) { SigninLogs | where ^", []string{"User"}, nil},
	} {
		_, got := at(t, c.text)
		for _, w := range c.has {
			if !slices.Contains(got, w) {
				t.Errorf("%s: lacks %s; has %v", c.text, w, got[:min(len(got), 12)])
			}
		}
		for _, w := range c.lack {
			if slices.Contains(got, w) {
				t.Errorf("%s: offers %s", c.text, w)
			}
		}
	}
	l, _ := at(t, "SigninLogs | where Res^")
	if l.Items[0].Insert != "['Result Type']" && l.Items[0].Insert != `["Result Type"]` || l.From != 19 {
		t.Errorf("%+v", l)
	}
}

func TestHover(t *testing.T) {
	for _, c := range []struct{ text, want string }{
		{"SigninLogs | where U^ser == 'a'", "User: string"},
		{"Signin^Logs | take 1", "Result Type: long"},
		{"SigninLogs | summ^arize count()", "aggregates for each group"},
		{"SigninLogs | extend x = str^len(User)", "strlen("},
		{"SigninLogs | summarize m = max(TimeGenerated) by User | project ^m", "m: datetime"},
		{"SigninLogs | where User h^as 'x'", "whole term"},
		{"SigninLogs | where User == '^x'", ""},
		{"SigninLogs | project TimeGenerated^", "TimeGenerated: datetime"},
	} {
		i := strings.IndexByte(c.text, '^')
		a, ok := Hover(c.text[:i]+c.text[i+1:], i, tables)
		if ok != (c.want != "") || !strings.Contains(a.Text, c.want) {
			t.Errorf("%s: %q", c.text, a.Text)
		}
	}
}

func FuzzAt(f *testing.F) {
	for _, s := range []string{"SigninLogs | where U", "let a = (x:long) { T | join (", "a | mv-apply b on (", "(((([[{{", "union (a | ), b | ", "```", "let t = ;x|", "\xff|\x00"} {
		f.Add(s, len(s))
	}
	f.Fuzz(func(t *testing.T, s string, i int) {
		l := At(s, i, tables)
		if l.From < 0 || l.From > len(s) {
			t.Fatal(l.From)
		}
		Hover(s, i, tables)
	})
}
