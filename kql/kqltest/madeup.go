package kqltest

import (
	"fmt"
	"hash/fnv"
	"math/rand/v2"
	"picket/kql/value"
	"strings"

	"github.com/shopspring/decimal"
)

// MadeUp makes n plausible rows of a table, the same for the same name, schema and n: texts of the kinds that logs hold
// (names, addresses, paths, JSON, XML, key=value, non-Latin), nulls and empty strings, times within two weeks before
// now (ticks). Published queries must run over whatever a table may hold.
func MadeUp(table string, s value.Schema, n int, now int64) *value.Frame {
	f := &value.Frame{N: n}
	for _, c := range s {
		h := fnv.New64a()
		fmt.Fprint(h, table, "\x00", c.Name)
		m := maker{rand.New(rand.NewPCG(h.Sum64(), 1)), now, textsFor(table, c.Name), c.Name == "EventID"}
		v := value.New(c.Type, n)
		for i := range n {
			v.Set(i, m.value(c.Type))
		}
		f.Vecs = append(f.Vecs, v)
	}
	return f
}

type maker struct {
	rnd   *rand.Rand
	now   int64
	texts []string
	ids   bool // the column holds Windows event ids
}

// textsFor picks the texts of a column by what its name promises.
func textsFor(table, name string) []string {
	switch name {
	case "EventData":
		if strings.HasPrefix(table, "Event") { // the agent wraps it there
			wrapped := make([]string, len(eventData))
			for i, s := range eventData {
				wrapped[i] = `<DataItem type="System.XmlData" time="2020-01-02T03:04:05.0000000Z">` + s + "</DataItem>"
			}
			return wrapped
		}
		return eventData
	case "Source", "EventSourceName":
		return []string{"Microsoft-Windows-Sysmon", "Microsoft-Windows-Security-Auditing", ""}
	}
	return someTexts
}

const (
	bagText   = `{"a":{"b":[1,2,"x"]},"c":"d"}`
	arrayText = "[1,2,3]"
)

var someTexts = []string{
	"", "alice", "bob@contoso.com", "10.1.2.3", "8.8.8.8", "fe80::1", "4625", "0x1F", "true", `C:\Windows\cmd.exe`,
	"https://a.example/x?y=1", bagText, arrayText, `<a b="c">d</a>`, "key=value;k2=v2", "2020-01-02T03:04:05Z",
	"powershell -enc AAAA", "é漢字", "src=10.0.0.1 dst=10.0.0.2", "a,b,c",
}

var eventIDs = []int64{1, 3, 12, 13, 17, 18, 4624, 4625, 4656, 4657, 4662, 4688, 4728, 5136, 5143, 7045}

// eventData is what Windows writes into the column of that name.
var eventData = []string{"", eventXML(
	"ObjectDN", "CN=OAB,DC=contoso,DC=com", "ObjectClass", "msExchOABVirtualDirectory", "AttributeLDAPDisplayName", "msExchExternalHostName",
	"AttributeValue", "<script>", "SubjectUserName", "alice", "SubjectDomainName", "CONTOSO", "SubjectUserSid", "S-1-5-18", "SubjectLogonId", "0x3e7",
	"ObjectServer", "SC Manager", "ObjectType", "SERVICE OBJECT", "ObjectName", "HealthService", "AccessMask", "0x1F", "ProcessName", "cmd.exe",
	"OperationType", "%%14674"), eventXML(
	"Image", `C:\Windows\System32\cmd.exe`, "CommandLine", "cmd /c whoami", "TargetObject", `HKLM\Software\Run`, "Hashes", "SHA1=00,MD5=11",
	"ProcessGuid", "{00000000-0000-0000-0000-000000000001}", "ParentImage", `C:\Windows\explorer.exe`, "ParentCommandLine", "explorer", "User", `CONTOSO\alice`,
	"RuleName", "-", "EventType", "SetValue", "Details", "x", "OriginalFileName", "Cmd.Exe", "ProcessId", "44", "UtcTime", "2020-01-02 03:04:05.000",
	"QueryName", "a.example", "PipeName", `\pipe\x`, "GrantedAccess", "0x1F", "CallTrace", "ntdll.dll")}

func eventXML(pairs ...string) string {
	var b strings.Builder
	b.WriteString(`<EventData xmlns="http://schemas.microsoft.com/win/2004/08/events/event">`)
	for i := 0; i+1 < len(pairs); i += 2 {
		fmt.Fprintf(&b, `<Data Name="%s">%s</Data>`, pairs[i], strings.NewReplacer("<", "&lt;", ">", "&gt;").Replace(pairs[i+1]))
	}
	b.WriteString("</EventData>")
	return b.String()
}

func (m *maker) value(t value.Type) value.Value {
	if m.rnd.IntN(8) == 0 {
		return value.Null(t)
	}
	switch t {
	case value.Bool:
		return value.OfBool(m.rnd.IntN(2) == 0)
	case value.Int:
		if m.ids {
			return value.Of(t, eventIDs[m.rnd.IntN(len(eventIDs))])
		}
		return value.Of(t, int64(int32(m.rnd.Uint32())))
	case value.Long:
		return value.OfLong(int64(m.rnd.IntN(5000)))
	case value.Real:
		return value.OfReal(m.rnd.NormFloat64() * 100)
	case value.Decimal:
		return value.Value{Type: t, M: decimal.New(int64(m.rnd.IntN(1000)), -1)}
	case value.String:
		return value.OfString(m.texts[m.rnd.IntN(len(m.texts))])
	case value.Datetime:
		return value.Of(t, m.now-int64(m.rnd.IntN(14*24*3600))*value.TicksPerSecond)
	case value.Timespan:
		return value.Of(t, int64(m.rnd.IntN(100000))*value.TicksPerSecond)
	case value.GUID:
		v := value.Value{Type: t}
		v.G[0] = byte(m.rnd.IntN(4))
		return v
	case value.Dynamic:
		e, err := value.ParseJSON([]string{bagText, arrayText}[m.rnd.IntN(2)])
		if err == nil {
			return value.OfDynamic(e)
		}
	}
	return value.Null(t)
}
