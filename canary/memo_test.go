package canary

import (
	"errors"
	"reflect"
	"strings"
	"testing"
)

func TestMemoFields(t *testing.T) {
	for in, want := range map[string]Memo{
		`FS01,,,T:\departments\sales\hipospecials,token placed on FS01 available to all corporate employees and vendors`: {"FS01", "", "", `T:\departments\sales\hipospecials`, "token placed on FS01 available to all corporate employees and vendors"},
		`FS01,203.0.113.7,10.0.0.5,\\fs01\share,"for sales, and legal"`:                                                  {"FS01", "203.0.113.7", "10.0.0.5", `\\fs01\share`, "for sales, and legal"},
		`FS01, 2001:db8::1 ,,"C:\a,b","the ""real"" list"`:                                                               {"FS01", "2001:db8::1", "", `C:\a,b`, `the "real" list`},
		`,,,https://contoso.sharepoint.com/sites/x,OneDrive`:                                                             {"", "", "", "https://contoso.sharepoint.com/sites/x", "OneDrive"},
	} {
		m, err := ParseMemo(in)
		if err != nil || m != want {
			t.Errorf("%s: %+v, %v", in, m, err)
		}
		again, err := ParseMemo(m.String())
		if err != nil || again != m {
			t.Errorf("%s written as %s: %+v, %v", in, m, again, err)
		}
	}
	for in, field := range map[string]string{
		``:                              "Memo",
		`FS01`:                          "PublicIP",
		`FS01,,,x`:                      "Description",
		`FS01,,,x,y,z`:                  "Description",
		`FS01,300.1.1.1,,x,y`:           "PublicIP",
		`FS01,,host,x,y`:                "PrivateIP",
		`FS 01,,,x,y`:                   "Computername",
		`FS01,,,"x,y`:                   "SharePath",
		`FS01,,,x"y,z`:                  "SharePath",
		`FS01,,,x,"y"z`:                 "Description",
		`,1.1.1.1,,,`:                   "Description",
		"FS01,,,x,a\nb":                 "Memo",
		`FS01,fe80::1%eth0,,x,y`:        "PublicIP",
		strings.Repeat("x", 1001):       "Memo",
		"FS01,,,x,\xff":                 "Memo",
		`FS01,,,,` + "\x1b[31m":         "Memo",
		`FS01,,,x,` + `y,` + `"a` + `"`: "Description",
	} {
		_, err := ParseMemo(in)
		var fe *FieldError
		if !errors.As(err, &fe) || fe.Field != field {
			t.Errorf("%q: %v, want an error of %s", in, err, field)
		}
	}
}

func TestContact(t *testing.T) {
	m, w, err := ParseContact("soc@example.com https://prod-1.example/workflows/x?sig=a%2Fb")
	if err != nil || !reflect.DeepEqual(m, []string{"soc@example.com"}) || w != "https://prod-1.example/workflows/x?sig=a%2Fb" {
		t.Errorf("%v %q %v", m, w, err)
	}
	if m, w, err = ParseContact("a@example.com, b@example.com"); err != nil || len(m) != 2 || w != "" {
		t.Errorf("%v %q %v", m, w, err)
	}
	for _, bad := range []string{"nobody", "a@b ftp://x", "http://a http://b", "a@example.com http://u:p@x/", "x <a@example.com>"} {
		if _, _, err := ParseContact(bad); err == nil {
			t.Errorf("%q passes", bad)
		}
	}
}

func FuzzMemo(f *testing.F) {
	f.Add(`FS01,,,T:\a,"b, ""c"""`)
	f.Fuzz(func(t *testing.T, s string) {
		m, err := ParseMemo(s)
		if err != nil {
			var fe *FieldError
			if !errors.As(err, &fe) {
				t.Fatalf("%q: %v names no field", s, err)
			}
			return
		}
		if len(m.String()) > maxMemo { // quoting made it longer
			return
		}
		if again, err := ParseMemo(m.String()); err != nil || again != m {
			t.Fatalf("%q → %q → %+v, %v", s, m.String(), again, err)
		}
	})
}
