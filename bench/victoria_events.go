package main

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"math/rand"
	"strings"
	"time"
)

// The race's events are generated in the shape of a Windows security log with a nested bag: 21 fields, seven days, the
// same every time.

const raceDays = 7

var raceFirst = time.Date(2026, 11, 10, 0, 0, 0, 0, time.UTC)

// raceColumns declare the stream.
const raceColumns = `TimeGenerated:datetime EventID:int Computer:string Account:string AccountType:string Activity:string LogonType:int IpAddress:string IpPort:int ` +
	`ProcessName:string CommandLine:string ParentProcessName:string TargetUserName:string Channel:string Level:string EventRecordId:long BytesSent:long Score:real ` +
	`DurationMs:long SourceComputerId:string Properties:dynamic`

var (
	raceIDs        = []int{4624, 4624, 4624, 4624, 4625, 4634, 4648, 4672, 4688, 4688, 4688, 4720, 4740, 5140, 7045, 1102}
	raceActivities = map[int]string{
		4624: "An account was successfully logged on.", 4625: "An account failed to log on.", 4634: "An account was logged off.", 4648: "A logon was attempted using explicit credentials.",
		4672: "Special privileges assigned to new logon.", 4688: "A new process has been created.", 4720: "A user account was created.", 4740: "A user account was locked out.", 5140: "A network share object was accessed.",
		7045: "A service was installed in the system.", 1102: "The audit log was cleared.",
	}
	raceProcesses = []string{
		`C:\\Windows\\System32\\cmd.exe`, `C:\\Windows\\System32\\WindowsPowerShell\\v1.0\\powershell.exe`, `C:\\Windows\\System32\\svchost.exe`, `C:\\Windows\\explorer.exe`,
		`C:\\Program Files\\Google\\Chrome\\Application\\chrome.exe`, `C:\\Windows\\System32\\rundll32.exe`, `C:\\Windows\\System32\\net.exe`, `C:\\Windows\\System32\\wbem\\WMIC.exe`,
	}
	raceCommands = []string{
		`cmd.exe /c whoami /all`, `powershell.exe -NoProfile -EncodedCommand SQBFAFgA#`, `svchost.exe -k netsvcs -p -s Schedule`, `\"C:\\Windows\\explorer.exe\"`, `chrome.exe --type=renderer --lang=en-US --n=#`,
		`rundll32.exe shell32.dll,Control_RunDLL timedate.cpl,,#`, `net.exe user administrator /domain`, `wmic process call create notepad_#`, `cmd.exe /c dir C:\\Users\\user#\\Documents`,
	}
	raceCountries = []string{"US", "US", "US", "DE", "DE", "GB", "FR", "NL", "CN", "RU", "BR", "IN", "JP", "KP"}
)

// raceEvent appends event k of total as a JSON object.
func raceEvent(b []byte, k, total int) []byte {
	r := rand.New(rand.NewSource(int64(k)*7919 + 17))
	id := raceIDs[r.Intn(len(raceIDs))]
	host, user := r.Intn(400), int(r.ExpFloat64()*300)
	kind := "User"
	if user%17 == 0 {
		kind = "Machine"
	}
	at := raceFirst.Add(time.Duration(int64(raceDays*24*time.Hour) / int64(total) * int64(k))).Format("2006-01-02T15:04:05.000000Z")
	cmd := strings.Replace(raceCommands[r.Intn(len(raceCommands))], "#", fmt.Sprint(r.Intn(5000)), 1)
	if r.Intn(20000) == 0 {
		cmd = `C:\\temp\\Mimikatz.exe \"privilege::debug\" sekurlsa::logonpasswords exit`
	}
	return fmt.Appendf(b, `{"TimeGenerated":"%s","EventID":%d,"Computer":"host-%03d.corp.example","Account":"CORP\\user%d","AccountType":"%s","Activity":"%d - %s","LogonType":%d,"IpAddress":"10.%d.%d.%d","IpPort":%d,`+
		`"ProcessName":"%s","CommandLine":"%s","ParentProcessName":"%s","TargetUserName":"user%d","Channel":"Security","Level":"%d","EventRecordId":%d,"BytesSent":%d,"Score":%.3f,"DurationMs":%d,`+
		`"SourceComputerId":"%08x-0000-4000-8000-000000000042","Properties":{"Country":"%s","Risk":%.2f,"Geo":{"Country":"%s","Asn":%d},"Device":{"Os":"Windows %d","Managed":%v},"Tags":["t%d","t%d"]}}`,
		at, id, host, user, kind, id, raceActivities[id], 2+r.Intn(9), host%4, r.Intn(64), 1+r.Intn(250), 1024+r.Intn(60000),
		raceProcesses[r.Intn(len(raceProcesses))], cmd, raceProcesses[r.Intn(len(raceProcesses))], r.Intn(900), 4*r.Intn(3), k+1, r.Int63n(1<<20), float64(r.Intn(1000))/1000, r.Int63n(3_600_000),
		host, raceCountries[r.Intn(len(raceCountries))], float64(r.Intn(100))/100, raceCountries[r.Intn(len(raceCountries))], 64512+r.Intn(100), 10+r.Intn(2), r.Intn(4) > 0, r.Intn(5), r.Intn(5))
}

// raceBody is some events as the two servers take them, packed by gzip as shippers do.
type raceBody struct {
	array, lines []byte
	rows         int
}

func raceBodies(total int) ([]raceBody, int64, error) {
	var out []raceBody
	var raw int64
	var lines []byte
	rows := 0
	flush := func() error {
		if rows == 0 {
			return nil
		}
		raw += int64(len(lines))
		array := append([]byte{'['}, bytes.ReplaceAll(bytes.TrimSuffix(lines, []byte("\n")), []byte("\n"), []byte(","))...)
		body := raceBody{rows: rows}
		var err error
		if body.array, err = squeeze(append(array, ']')); err != nil {
			return err
		}
		if body.lines, err = squeeze(lines); err != nil {
			return err
		}
		out = append(out, body)
		lines, rows = lines[:0], 0
		return nil
	}
	for k := range total {
		lines = append(raceEvent(lines, k, total), '\n')
		if rows++; len(lines) >= 1<<20 {
			if err := flush(); err != nil {
				return nil, 0, err
			}
		}
	}
	return out, raw, flush()
}

func squeeze(b []byte) ([]byte, error) {
	var z bytes.Buffer
	w, err := gzip.NewWriterLevel(&z, gzip.BestSpeed)
	if err != nil {
		return nil, err
	}
	if _, err := w.Write(b); err != nil {
		return nil, err
	}
	if err := w.Close(); err != nil {
		return nil, err
	}
	return z.Bytes(), nil
}

// hunt is one question to both, with the same meaning.
type hunt struct {
	name, kql, logsql string
	rows              bool // the answers are rows to be counted; else one number to be compared
}

const raceTable = "SecurityRace_CL"

// hunts are the ten questions. All look at the seven days or one of them.
var hunts = []hunt{
	{"failed logons by hour, one day", `where TimeGenerated >= datetime(2026-11-12) and TimeGenerated < datetime(2026-11-13) | where EventID == 4625 | summarize n = count() by bin(TimeGenerated, 1h)`, `_time:[2026-11-12, 2026-11-13) EventID:=4625 | stats by (_time:1h) count() n`, true},
	{"events by hour and kind, 7 days", `summarize n = count() by bin(TimeGenerated, 1h), EventID`, `* | stats by (_time:1h, EventID) count() n`, true},
	{"contains mimikatz in any case", `where CommandLine contains "mimikatz" | count`, `CommandLine:~"(?i)mimikatz" | stats count() n`, false},
	{"contains Mimikatz", `where CommandLine contains_cs "Mimikatz" | count`, `CommandLine:~"Mimikatz" | stats count() n`, false},
	{"has the word whoami", `where CommandLine has "whoami" | count`, `CommandLine:i(whoami) | stats count() n`, false},
	{"two fields of the bag", `where Properties.Geo.Country == "KP" and toreal(Properties.Risk) > 0.8 | count`, `Properties.Geo.Country:="KP" Properties.Risk:>0.8 | stats count() n`, false},
	{"top 10 addresses of failed logons", `where EventID == 4625 | summarize n = count() by IpAddress | top 10 by n`, `EventID:=4625 | stats by (IpAddress) count() n | sort by (n desc) limit 10`, true},
	{"accounts by host, exact", `summarize n = count_distinct(Account) by Computer`, `* | stats by (Computer) count_uniq(Account) n`, true},
	{"newest 100, all fields", `top 100 by TimeGenerated desc`, `* | sort by (_time desc) limit 100`, true},
	{"one account in one day, all fields", `where TimeGenerated >= datetime(2026-11-13) and TimeGenerated < datetime(2026-11-14) | where Account == @"CORP\user123"`, `_time:[2026-11-13, 2026-11-14) Account:="CORP\\user123"`, true},
}
