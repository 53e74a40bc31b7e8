package files

import (
	"strings"
	"testing"
)

func TestEventsBecomeWindowsEvent(t *testing.T) {
	dump := `Record 1
{"Event":{"#attributes":{"xmlns":"x"},"System":{"Provider":{"#attributes":{"Name":"Microsoft-Windows-Security-Auditing"}},
"EventID":4624,"Version":2,"Level":0,"Task":12544,"Opcode":0,"Keywords":"0x8020000000000000",
"TimeCreated":{"#attributes":{"SystemTime":"2024-01-02T03:04:05.678901Z"}},"EventRecordID":17,"Execution":{"#attributes":{"ProcessID":4,"ThreadID":8}},
"Channel":"Security","Computer":"dc1","Security":{"#attributes":{"UserID":"S-1-5-18"}}},
"EventData":{"#attributes":{"Name":"x"},"TargetUserName":"ann","LogonType":3}}}
`
	p := write(t, "sec.json", dump)
	check(t, "sec | project-away Version, Task", `
TimeGenerated:datetime | Provider:string | Channel:string | Computer:string | EventID:int | EventLevel:int | EventLevelName:string | Opcode:string | Keywords:string | EventRecordId:string | Correlation:string | SystemProcessId:int | SystemThreadId:int | SystemUserId:string | EventData:dynamic | UserData:dynamic
2024-01-02T03:04:05.6789010Z | Microsoft-Windows-Security-Auditing | Security | dc1 | 4624 | 0 | Information | 0 | 0x8020000000000000 | 17 | "" | 4 | 8 | S-1-5-18 | {"TargetUserName":"ann","LogonType":3} | null`, Spec{Path: p})
	other := `{"Event":{"System":{"Provider":{"@Name":"P"},"EventID":{"#text":"7036","@Qualifiers":"1"},"Level":"4","TimeCreated":{"@SystemTime":"2024-01-02 03:04:05.678901+00:00"},"Computer":"a"},"EventData":{"Data":[{"@Name":"u","#text":"x"},{"@Name":"v"}]}}}`
	check(t, `WindowsEvent | where EventID == 7036 | project TimeGenerated, Provider, EventLevelName, u = tostring(EventData.u), EventData`, `
TimeGenerated:datetime | Provider:string | EventLevelName:string | u:string | EventData:dynamic
2024-01-02T03:04:05.6789010Z | P | Information | x | {"u":"x","v":null}`, Spec{Name: "WindowsEvent", Path: write(t, "a.jsonl", other)})
	if _, err := ask(t, "T", Query{}, Spec{Path: write(t, "a.jsonl", other+"\n{\"a\":1}\n")}); err == nil || !strings.Contains(err.Error(), "a.jsonl:2: the row is no Windows event") {
		t.Error(err)
	}
}
