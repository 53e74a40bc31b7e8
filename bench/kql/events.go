package main

import (
	"fmt"
	"math/rand"
	"picket/kql/value"
	"time"
)

// schema is a Windows security log: 21 columns with those that the lake adds.
var schema = value.Schema{
	{Name: "TimeGenerated", Type: value.Datetime},
	{Name: "EventID", Type: value.Int},
	{Name: "Computer", Type: value.String},
	{Name: "Account", Type: value.String},
	{Name: "AccountType", Type: value.String},
	{Name: "Activity", Type: value.String},
	{Name: "LogonType", Type: value.Int},
	{Name: "IpAddress", Type: value.String},
	{Name: "IpPort", Type: value.Int},
	{Name: "ProcessName", Type: value.String},
	{Name: "CommandLine", Type: value.String},
	{Name: "ParentProcessName", Type: value.String},
	{Name: "TargetUserName", Type: value.String},
	{Name: "Channel", Type: value.String},
	{Name: "Level", Type: value.String},
	{Name: "EventRecordId", Type: value.Long},
	{Name: "BytesSent", Type: value.Long},
	{Name: "Score", Type: value.Real},
	{Name: "Duration", Type: value.Timespan},
	{Name: "SourceComputerId", Type: value.GUID},
	{Name: "Properties", Type: value.Dynamic},
}

var (
	eventIDs   = []int64{4624, 4624, 4624, 4624, 4625, 4634, 4648, 4672, 4688, 4688, 4688, 4720, 4740, 5140, 7045, 1102}
	activities = map[int64]string{
		4624: "An account was successfully logged on.", 4625: "An account failed to log on.", 4634: "An account was logged off.", 4648: "A logon was attempted using explicit credentials.",
		4672: "Special privileges assigned to new logon.", 4688: "A new process has been created.", 4720: "A user account was created.", 4740: "A user account was locked out.", 5140: "A network share object was accessed.",
		7045: "A service was installed in the system.", 1102: "The audit log was cleared.",
	}
	processes = []string{
		`C:\Windows\System32\cmd.exe`, `C:\Windows\System32\WindowsPowerShell\v1.0\powershell.exe`, `C:\Windows\System32\svchost.exe`, `C:\Windows\explorer.exe`,
		`C:\Program Files\Google\Chrome\Application\chrome.exe`, `C:\Windows\System32\rundll32.exe`, `C:\Windows\System32\net.exe`, `C:\Windows\System32\wbem\WMIC.exe`,
	}
	commands = []string{
		`cmd.exe /c whoami /all`, `powershell.exe -NoProfile -EncodedCommand SQBFAFgA%d`, `svchost.exe -k netsvcs -p -s Schedule`, `"C:\Windows\explorer.exe"`, `chrome.exe --type=renderer --lang=en-US --n=%d`,
		`rundll32.exe shell32.dll,Control_RunDLL timedate.cpl,,%d`, `net.exe user administrator /domain`, `wmic process call create notepad_%d`, `cmd.exe /c dir C:\Users\user%d\Documents`,
	}
	countries = []string{"US", "US", "US", "DE", "DE", "GB", "FR", "NL", "CN", "RU", "BR", "IN", "JP", "KP"}
)

// first is the time of the first event; the events cover the seven days after it.
var first = time.Date(2026, 11, 10, 0, 0, 0, 0, time.UTC)

const days = 7

// events makes rows from to to-1 of total, in the order of their times; the same rows every time.
func events(from, to, total int) *value.Frame {
	n := to - from
	f := &value.Frame{Schema: schema, N: n}
	v := map[string]*value.Vector{}
	for _, c := range schema {
		x := value.New(c.Type, n)
		v[c.Name] = x
		f.Vecs = append(f.Vecs, x)
	}
	start, _ := value.TicksOf(first)
	gap := days * value.TicksPerDay / int64(total)
	for i := range n {
		k := from + i
		r := rand.New(rand.NewSource(int64(k)*7919 + 17))
		id := eventIDs[r.Intn(len(eventIDs))]
		host, user := r.Intn(400), int(r.ExpFloat64()*300)
		v["TimeGenerated"].I[i] = (start + int64(k)*gap) / 10 * 10
		v["EventID"].I[i] = id
		v["Computer"].S[i] = fmt.Sprintf("host-%03d.corp.example", host)
		v["Account"].S[i] = fmt.Sprintf(`CORP\user%d`, user)
		v["AccountType"].S[i] = "User"
		if user%17 == 0 {
			v["AccountType"].S[i] = "Machine"
		}
		v["Activity"].S[i] = fmt.Sprintf("%d - %s", id, activities[id])
		v["LogonType"].I[i] = int64(2 + r.Intn(9))
		v["IpAddress"].S[i] = fmt.Sprintf("10.%d.%d.%d", host%4, r.Intn(64), 1+r.Intn(250))
		v["IpPort"].I[i] = int64(1024 + r.Intn(60000))
		p := r.Intn(len(processes))
		v["ProcessName"].S[i] = processes[p]
		cmd := commands[r.Intn(len(commands))]
		if len(cmd) > 2 && cmd[len(cmd)-2:] == "%d" || r.Intn(2) == 0 {
			cmd = fill(cmd, r.Intn(5000))
		} else {
			cmd = fill(cmd, 7)
		}
		if r.Intn(20000) == 0 {
			cmd = `C:\temp\Mimikatz.exe "privilege::debug" sekurlsa::logonpasswords exit`
		}
		v["CommandLine"].S[i] = cmd
		v["ParentProcessName"].S[i] = processes[r.Intn(len(processes))]
		v["TargetUserName"].S[i] = fmt.Sprintf("user%d", r.Intn(900))
		v["Channel"].S[i] = "Security"
		v["Level"].S[i] = []string{"0", "4", "8"}[r.Intn(3)]
		v["EventRecordId"].I[i] = int64(k) + 1
		v["BytesSent"].I[i] = r.Int63n(1 << 20)
		v["Score"].F[i] = float64(r.Intn(1000)) / 1000
		v["Duration"].I[i] = r.Int63n(value.TicksPerHour)
		v["SourceComputerId"].G[i] = [16]byte{byte(host), byte(host >> 8), 0x42}
		v["Properties"].D[i] = properties(r)
	}
	return f
}

func fill(s string, n int) string {
	for i := 0; i+1 < len(s); i++ {
		if s[i] == '%' && s[i+1] == 'd' {
			return s[:i] + fmt.Sprint(n) + s[i+2:]
		}
	}
	return s
}

func properties(r *rand.Rand) any {
	geo := value.NewBag()
	geo.Set("Country", countries[r.Intn(len(countries))])
	geo.Set("Asn", int64(64512+r.Intn(100)))
	dev := value.NewBag()
	dev.Set("Os", []string{"Windows 10", "Windows 11", "Windows Server 2022"}[r.Intn(3)])
	dev.Set("Managed", r.Intn(4) > 0)
	b := value.NewBag()
	b.Set("Country", countries[r.Intn(len(countries))])
	b.Set("Risk", float64(r.Intn(100))/100)
	b.Set("Geo", geo)
	b.Set("Device", dev)
	b.Set("Tags", []any{"t" + fmt.Sprint(r.Intn(5)), "t" + fmt.Sprint(r.Intn(5))})
	return b
}
