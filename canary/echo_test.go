package canary

import (
	"context"
	"picket/state"
	"strings"
	"testing"
	"time"
)

func TestEcho(t *testing.T) {
	b := newBench(t, nil)
	tok := strings.Repeat("a", 25)
	at := time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC)
	ask := func(name, src string, after time.Duration) (why string) {
		t.Helper()
		x := &Trip{}
		x.Token, x.QueryName, x.SrcIP, x.Time = tok, name, src, at.Add(after)
		err := b.d.State.Tx(context.Background(), func(tx *state.Tx) (err error) {
			why, err = echo(context.Background(), tx, map[string]int{}, x)
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		return why
	}
	one := "host1." + tok + ".t.example.org"
	for _, c := range []struct {
		name, src string
		after     time.Duration
		echo      bool
	}{
		{one, "1.1.1.1", 0, false},
		{one, "2.2.2.2", time.Hour, false},
		{strings.ToUpper(one), "2.2.2.2", 72 * time.Hour, true},
		{one, "1.1.1.1", 72 * time.Hour, false},
		{tok + ".t.example.org", "1.1.1.1", 0, false},
		{tok + ".t.example.org", "2.2.2.2", 72 * time.Hour, false},
	} {
		if why := ask(c.name, c.src, c.after); (why != "") != c.echo {
			t.Errorf("%+v: %q", c, why)
		}
	}
}
