package playbook

import (
	"context"
	"picket/playbook/expr"
	"testing"
	"time"
)

func TestBatch(t *testing.T) {
	clock := &clockTime{t: time.Date(2026, 1, 7, 10, 0, 0, 0, time.UTC)}
	l := newLab(t, func(d *Deps) { d.Now = clock.now })
	l.deploy("receiver", `{"triggers":{"B":{"type":"Batch","inputs":{"mode":"Inline","configurations":{"ti":{"releaseCriteria":{"messageCount":3,"recurrence":{"frequency":"Hour","interval":1}}}}}}},
		"actions":{"C":{"type":"Compose","inputs":"@join(triggerBody()['items'], ';')"}}}`, nil)
	l.define("sender", `"Each":{"type":"Foreach","foreach":"@range(0, 7)","operationOptions":"Sequential","actions":{"Send":{"type":"SendToBatch","inputs":{"batchName":"ti","content":{"i":"@items('Each')"},"messageId":"m@{items('Each')}","host":{"triggerName":"B","workflow":{"id":"/x/workflows/receiver"}}}}}},
		"Wrong":{"type":"SendToBatch","runAfter":{"Each":["Succeeded"]},"inputs":{"batchName":"other","content":1,"host":{"triggerName":"B","workflow":{"id":"/x/workflows/receiver"}}}}`)
	d := l.run("sender", nil)
	l.want(d, "wrong", find(d, "Wrong").Code, "BatchConfigurationNotFound")
	runs := func(want int) []*Run {
		t.Helper()
		var rs []*Run
		for range 300 {
			var err error
			if rs, err = l.Runs(context.Background(), "receiver", Page{}); err != nil {
				t.Fatal(err)
			}
			if len(rs) == want {
				break
			}
			l.rescheduled()
			time.Sleep(5 * time.Millisecond)
		}
		if len(rs) != want {
			t.Fatalf("%d runs, want %d", len(rs), want)
		}
		return rs
	}
	runs(2)
	clock.move(61 * time.Minute) // the message that is left goes with the recurrence
	last := l.ended(runs(3)[0].ID)
	l.want(last, "items", expr.JSON(find(last, "C").Outputs), `"{\"messageId\":\"m6\",\"content\":{\"i\":6}}"`)
	var n int
	if err := l.db.QueryRow(context.Background(), `SELECT count(*) FROM playbook_batch`).Scan(&n); err != nil || n != 0 {
		t.Errorf("%d messages are left, %v", n, err)
	}
}
