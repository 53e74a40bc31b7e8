package web

import "testing"

func TestJustBefore(t *testing.T) {
	for _, rep := range []string{"000000", "000001", "000010", "000003-000000", "000009-000999"} {
		if b := justBefore(rep); b >= rep {
			t.Errorf("%q does not sort before %q", b, rep)
		}
	}
	for rep, prev := range map[string]string{"000001": "000000", "000010": "000009", "000003-000001": "000003-000000", "000001-000000": "000000-999999"} {
		if b := justBefore(rep); b <= prev {
			t.Errorf("%q does not sort after %q", b, prev)
		}
	}
}
