package syslog

import (
	"picket/kql/value"
	"picket/lake"
	"strconv"
	"strings"
	"time"
)

// cefColumns gives the columns of CommonSecurityLog by the keys of CEF's extension (Microsoft's table of names); keys
// that are not here become columns when one has their name, else part of AdditionalExtensions.
func cefColumns() map[string]string {
	m := map[string]string{
		"act": "DeviceAction", "app": "ApplicationProtocol", "cat": "DeviceEventCategory", "cnt": "EventCount", "deviceExternalId": "DeviceExternalID",
		"deviceProcessName": "ProcessName", "dhost": "DestinationHostName", "dmac": "DestinationMACAddress", "dntdom": "DestinationNTDomain", "dpid": "DestinationProcessId",
		"dpriv": "DestinationUserPrivileges", "dproc": "DestinationProcessName", "dpt": "DestinationPort", "dst": "DestinationIP", "dtz": "DeviceTimeZone",
		"duid": "DestinationUserID", "duser": "DestinationUserName", "dvc": "DeviceAddress", "dvchost": "DeviceName", "dvcmac": "DeviceMacAddress", "dvcpid": "ProcessID",
		"end": "EndTime", "externalId": "ExternalID", "fileId": "FileID", "fname": "FileName", "fsize": "FileSize", "in": "ReceivedBytes", "msg": "Message", "out": "SentBytes",
		"outcome": "EventOutcome", "proto": "Protocol", "reason": "Reason", "request": "RequestURL", "rt": "ReceiptTime", "shost": "SourceHostName", "smac": "SourceMACAddress",
		"sntdom": "SourceNTDomain", "spid": "SourceProcessId", "spriv": "SourceUserPrivileges", "sproc": "SourceProcessName", "spt": "SourcePort", "src": "SourceIP",
		"start": "StartTime", "suid": "SourceUserID", "suser": "SourceUserName", "type": "EventType",
		// LEEF's own names
		"srcPort": "SourcePort", "dstPort": "DestinationPort", "usrName": "SourceUserName", "sev": "LogSeverity", "srcMAC": "SourceMACAddress", "dstMAC": "DestinationMACAddress",
		"srcBytes": "SentBytes", "dstBytes": "ReceivedBytes", "devTime": "ReceiptTime", "resource": "Computer", "url": "RequestURL",
	}
	for i := '1'; i <= '6'; i++ {
		n := string(i)
		m["cs"+n] = "DeviceCustomString" + n
		m["cs"+n+"Label"] = "DeviceCustomString" + n + "Label"
		if i <= '3' {
			m["cn"+n] = "FieldDeviceCustomNumber" + n
			m["cn"+n+"Label"] = "DeviceCustomNumber" + n + "Label"
		}
		if i <= '4' {
			m["cfp"+n] = "DeviceCustomFloatingPoint" + n
			m["cfp"+n+"Label"] = "DeviceCustomFloatingPoint" + n + "Label"
			m["c6a"+n] = "DeviceCustomIPv6Address" + n
			m["c6a"+n+"Label"] = "DeviceCustomIPv6Address" + n + "Label"
		}
	}
	return m
}

// event is a CEF or LEEF event: its header and its extension's pairs in order.
type event struct {
	vendor, product, version, class, name, severity string
	pairs                                           [][2]string
}

// parseEvent reads a CEF or LEEF event out of a message's text; false when it holds none.
func parseEvent(text string) (*event, bool) {
	for _, mark := range []string{"CEF:", "LEEF:"} {
		i := strings.Index(text, mark)
		if i < 0 || i > 256 {
			continue
		}
		cef := mark == "CEF:"
		n := 6
		if !cef {
			n = 4
		}
		fields, rest, ok := header(text[i+len(mark):], n+1)
		if !ok {
			continue
		}
		e := &event{vendor: fields[1], product: fields[2], version: fields[3], class: fields[4]}
		if cef {
			e.name, e.severity = fields[5], fields[6]
			e.pairs = cefPairs(rest)
			return e, true
		}
		e.name = fields[4]
		sep := "\t"
		if strings.HasPrefix(fields[0], "2") {
			if d, r, ok := strings.Cut(rest, "|"); ok {
				rest = r
				switch {
				case len(d) == 1:
					sep = d
				case strings.HasPrefix(strings.ToLower(d), "x0") || strings.HasPrefix(strings.ToLower(d), "0x"):
					sep = hexSeparator(d)
				}
			}
		}
		for _, p := range strings.Split(rest, sep) {
			if k, v, ok := strings.Cut(p, "="); ok {
				e.pairs = append(e.pairs, [2]string{strings.TrimSpace(k), v})
			}
		}
		return e, true
	}
	return nil, false
}

func hexSeparator(d string) string {
	n := 0
	for _, c := range strings.ToLower(d[1:]) {
		switch {
		case c >= '0' && c <= '9':
			n = n*16 + int(c-'0')
		case c >= 'a' && c <= 'f':
			n = n*16 + int(c-'a') + 10
		}
	}
	if n <= 0 || n > 127 {
		return "\t"
	}
	return string(rune(n))
}

// header splits n fields at bars that no backslash escapes.
func header(s string, n int) ([]string, string, bool) {
	var out []string
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case c == '\\' && i+1 < len(s) && (s[i+1] == '|' || s[i+1] == '\\'):
			i++
			b.WriteByte(s[i])
		case c == '|':
			out = append(out, strings.TrimSpace(b.String()))
			b.Reset()
			if len(out) == n {
				return out, s[i+1:], true
			}
		default:
			b.WriteByte(c)
		}
	}
	if len(out) == n-1 { // the last field without its bar: no extension
		return append(out, strings.TrimSpace(b.String())), "", true
	}
	return nil, "", false
}

// cefPairs takes apart "k=v k2=some words k3=v": a value ends where the next key begins.
func cefPairs(s string) [][2]string {
	var keys []int // places of the = of each key
	for i := 0; i < len(s); i++ {
		switch s[i] {
		case '\\':
			i++
		case '=':
			j := i
			for j > 0 && s[j-1] != ' ' {
				j--
			}
			if j < i && isKey(s[j:i]) {
				keys = append(keys, i)
			}
		}
	}
	var out [][2]string
	start := func(eq int) int {
		j := eq
		for j > 0 && s[j-1] != ' ' {
			j--
		}
		return j
	}
	for n, eq := range keys {
		end := len(s)
		if n+1 < len(keys) {
			end = start(keys[n+1])
		}
		out = append(out, [2]string{s[start(eq):eq], unescape(strings.TrimSpace(s[eq+1 : end]))})
	}
	return out
}

func isKey(s string) bool {
	for i := 0; i < len(s); i++ {
		c := s[i]
		if !(c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '_' || c == '.' || c == '-' || c == '[' || c == ']') {
			return false
		}
	}
	return true
}

func unescape(s string) string {
	if !strings.Contains(s, `\`) {
		return s
	}
	return strings.NewReplacer(`\\`, `\`, `\=`, `=`, `\n`, "\n", `\r`, "\r", `\|`, `|`).Replace(s)
}

// row makes a row of CommonSecurityLog; cols are its columns by name in lower case.
func (e *event) row(cols map[string]value.Column, names map[string]string) map[string]any {
	r := map[string]any{"DeviceVendor": e.vendor, "DeviceProduct": e.product, "DeviceVersion": e.version, "DeviceEventClassID": e.class, "Activity": e.name, "LogSeverity": e.severity}
	var more []string
	for _, p := range e.pairs {
		name := names[p[0]]
		if name == "" {
			name = p[0]
		}
		c, ok := cols[strings.ToLower(name)]
		if p[0] == "deviceDirection" {
			c, ok = cols["communicationdirection"]
			switch p[1] {
			case "0":
				p[1] = "Inbound"
			case "1":
				p[1] = "Outbound"
			}
		}
		if ok && c.Name != "TimeGenerated" {
			if x, err := lake.Convert(cefTime(p[1], c.Type), c.Type); err == nil {
				r[c.Name] = x
				continue
			}
		}
		more = append(more, p[0]+"="+p[1])
	}
	if more != nil {
		r["AdditionalExtensions"] = strings.Join(more, ";")
	}
	return r
}

// cefTime turns the time forms of CEF (milliseconds since 1970, "Nov 24 2026 07:08:09") into one that columns take.
func cefTime(s string, t value.Type) any {
	if t != value.Datetime {
		return s
	}
	if ms, err := strconv.ParseInt(s, 10, 64); err == nil && ms > 0 && ms < 1<<53 {
		return time.UnixMilli(ms).UTC().Format(time.RFC3339Nano)
	}
	for _, l := range []string{"Jan 02 2006 15:04:05.000 MST", "Jan 02 2006 15:04:05.000", "Jan 02 2006 15:04:05 MST", "Jan 02 2006 15:04:05"} {
		if at, err := time.Parse(l, s); err == nil {
			return at.UTC().Format(time.RFC3339Nano)
		}
	}
	return s
}
