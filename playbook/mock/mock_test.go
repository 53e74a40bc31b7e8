package mock

import (
	"context"
	"os"
	"path/filepath"
	"picket/playbook"
	"picket/playbook/expr"
	"strings"
	"testing"
)

const template = `{"definition":{"parameters":{"key":{"type":"SecureString","defaultValue":"s3cret-value"}},"triggers":{"manual":{"type":"Request","kind":"Http","inputs":{}}},"actions":{
 "Get":{"type":"Http","inputs":{"method":"GET","uri":"https://api.example/@{triggerBody()?['user']}","headers":{"X-Key":"@parameters('key')"}},"runAfter":{}},
 "Each":{"type":"Foreach","foreach":"@body('Get')?['value']","operationOptions":"Sequential","actions":{"Put":{"type":"Http","inputs":{"method":"PUT","uri":"https://api.example/put","body":{"id":"@items('Each')?['id']"}}}},"runAfter":{"Get":["Succeeded"]}},
 "Pause":{"type":"Wait","inputs":{"interval":{"count":1,"unit":"Hour"}},"runAfter":{"Each":["Succeeded"]}},
 "Alarm":{"type":"Http","inputs":{"method":"POST","uri":"https://alarm.example"},"runAfter":{"Each":["Failed"]}}}}}`

func try(t *testing.T, files map[string]string, dry bool) (*Set, *playbook.Tried) {
	t.Helper()
	dir := t.TempDir()
	for n, text := range files {
		if err := os.WriteFile(filepath.Join(dir, n), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	s, err := Load(dir, false)
	if err != nil {
		t.Fatal(err)
	}
	s.DryRun = dry
	q, err := s.Request([]byte(template), nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	q.Deploy.Name = "P"
	tried, err := playbook.Try(context.Background(), q)
	if err != nil {
		t.Fatal(err)
	}
	return s, tried
}

func TestRecordedAnswers(t *testing.T) {
	files := map[string]string{
		"Get.json":  `{"body":{"value":[{"id":1},{"id":9007199254740993}]}}`,
		"put.json":  `[{"statusCode":200},{"statusCode":201}]`,
		"test.json": `{"body":{"user":"ann"},"expect":{"status":"Succeeded","actions":{"Put":{"count":2,"inputs":{"body":{"id":9007199254740993}},"outputs":{"statusCode":201}},"Alarm":{"status":"Skipped"},"Get":{"inputs":{"uri":"https://api.example/ann"}}}}}`,
	}
	s, tried := try(t, files, false)
	if bad := s.Check(tried); len(bad) > 0 {
		t.Errorf("%v", bad)
	}
	if b, err := CallsJSON(tried.Calls); err != nil || len(tried.Calls) != 3 || strings.Contains(string(b), "s3cret") {
		t.Errorf("%s %v", b, err)
	}
	// Recording a run and playing it gives the same run.
	dir := t.TempDir()
	if _, err := Record(dir, tried.Run, nil); err != nil {
		t.Fatal(err)
	}
	again, err := Load(dir, false)
	if err != nil || len(again.answers["put"]) != 2 {
		t.Errorf("%+v %v", again, err)
	}

	files["test.json"] = `{"expect":{"status":"Failed","actions":{"Put":{"count":3},"Get":{"inputs":{"uri":"https://api.example/bob"}},"Nothing":{}}}}`
	s, tried = try(t, files, false)
	if bad := s.Check(tried); len(bad) != 4 {
		t.Errorf("%d differences: %v", len(bad), bad)
	}
	delete(files, "put.json")
	files["test.json"] = `{}`
	s, tried = try(t, files, false)
	if bad := s.Check(tried); len(bad) != 1 || !strings.Contains(bad[0], "no recorded answer") {
		t.Errorf("%v", bad)
	}
}

func TestDryRun(t *testing.T) {
	s, tried := try(t, map[string]string{}, true)
	if bad := s.Check(tried); len(bad) > 0 || len(tried.Calls) != 2 {
		t.Errorf("%v %d calls", bad, len(tried.Calls))
	}
	if got := expr.Text(tried.Calls[1].Inputs.Value("uri")); got != "https://api.example/put" {
		t.Error(got)
	}
}
