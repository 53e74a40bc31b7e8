package connector

import (
	"context"
	"errors"
	"picket/playbook"
	"picket/playbook/expr"
	"testing"
)

func TestMail(t *testing.T) {
	var got *Mail
	var fail error
	var c playbook.Connector
	for _, x := range All(Deps{Mail: func(_ context.Context, m *Mail) error { got = m; return fail }}) {
		if x.API() == "office365" {
			c = x
		}
	}
	send := func(body string) (int, error) {
		got = nil
		v, err := expr.ParseJSON([]byte(body))
		if err != nil {
			t.Fatal(err)
		}
		r, err := c.Call(context.Background(), &playbook.Request{Method: "POST", Path: "/v2/Mail", Body: v, ActionRunID: "id-1"})
		if err != nil {
			return 0, err
		}
		return r.Status, nil
	}
	st, err := send(`{"To":"a@example.org; Bob <b@example.org>,c@example.org","Cc":"d@example.org","Subject":"S\r\nBcc: evil@example.org","Body":"<p>x</p>","Importance":"High","Attachments":[{"Name":"r.csv","ContentBytes":"YSxi"}]}`)
	if err != nil || st != 200 || len(got.To) != 3 || got.To[1] != "b@example.org" || got.Subject != "S  Bcc: evil@example.org" || string(got.Attachments[0].Data) != "a,b" || got.ID != "id-1" {
		t.Errorf("%d %v %+v", st, err, got)
	}
	for _, bad := range []string{`{"Subject":"s","Body":"b"}`, `{"To":"nobody","Subject":"s"}`, `{"To":"a@example.org","Attachments":[{"Name":"x","ContentBytes":"***"}]}`, `"text"`} {
		if st, err := send(bad); err != nil || st != 400 || got != nil {
			t.Errorf("%s: %d %v", bad, st, err)
		}
	}
	fail = errors.New("the server is away")
	if _, err := send(`{"To":"a@example.org","Subject":"s","Body":"b"}`); err == nil {
		t.Error("an outage must be an error, so that it is retried")
	}
}
