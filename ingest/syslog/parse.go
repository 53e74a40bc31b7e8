package syslog

import (
	"bytes"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// Message is a syslog message, of RFC 5424 or of the older BSD form (RFC 3164).
type Message struct {
	Facility, Severity int
	Time               time.Time // zero when the message names none that can be read
	Host, App, ProcID  string
	MsgID, Data        string // RFC 5424 only; Data is the structured data as it stands
	Text               string
}

// maxText is the most bytes of a message's text that are kept.
const maxText = 64 << 10

var facilities = [...]string{
	"kern", "user", "mail", "daemon", "auth", "syslog", "lpr", "news", "uucp", "cron", "authpriv", "ftp", "ntp", "audit", "alert", "clock",
	"local0", "local1", "local2", "local3", "local4", "local5", "local6", "local7",
}

var severities = [...]string{"emerg", "alert", "crit", "err", "warning", "notice", "info", "debug"}

// FacilityName is the facility as tables write it.
func (m *Message) FacilityName() string { return facilities[m.Facility] }

// SeverityName is the severity as tables write it.
func (m *Message) SeverityName() string { return severities[m.Severity] }

// Parse reads a message. It takes everything: what has no priority is user.notice, what follows no form is all text.
// now gives the year that BSD times lack.
func Parse(raw []byte, now time.Time) Message {
	raw = bytes.TrimRight(raw, "\r\n\x00")
	s := strings.ToValidUTF8(string(raw), "\uFFFD")
	m := Message{Facility: 1, Severity: 5}
	if pri, rest, ok := priority(s); ok {
		m.Facility, m.Severity = pri/8, pri%8
		s = rest
		if body, ok := strings.CutPrefix(s, "1 "); ok && m.rfc5424(body) {
			m.Text = clip(m.Text)
			return m
		}
	}
	m.bsd(s, now)
	m.Text = clip(m.Text)
	return m
}

func clip(s string) string {
	if len(s) <= maxText {
		return s
	}
	n := maxText
	for n > 0 && !utf8.RuneStart(s[n]) {
		n--
	}
	return s[:n]
}

func priority(s string) (int, string, bool) {
	if len(s) < 3 || s[0] != '<' {
		return 0, s, false
	}
	end := strings.IndexByte(s[:min(len(s), 5)], '>')
	if end < 2 {
		return 0, s, false
	}
	n, err := strconv.ParseUint(s[1:end], 10, 8)
	if err != nil || n > 191 {
		return 0, s, false
	}
	return int(n), s[end+1:], true
}

// rfc5424 reads TIME HOST APP PROCID MSGID DATA [MSG].
func (m *Message) rfc5424(s string) bool {
	var f [5]string
	for i := range f {
		w, rest, ok := strings.Cut(s, " ")
		if w == "" || !ok {
			return false
		}
		f[i], s = w, rest
	}
	n := structured(s)
	if n < 0 {
		return false
	}
	none := func(x string) string {
		if x == "-" {
			return ""
		}
		return x
	}
	if f[0] != "-" {
		t, err := time.Parse(time.RFC3339Nano, f[0])
		if err != nil {
			return false
		}
		m.Time = t
	}
	m.Host, m.App, m.ProcID, m.MsgID, m.Data = none(f[1]), none(f[2]), none(f[3]), none(f[4]), none(s[:n])
	m.Text = strings.TrimPrefix(strings.TrimPrefix(s[n:], " "), "\uFEFF")
	return true
}

// structured is the length of the structured data that s begins with, -1 when it has none.
func structured(s string) int {
	if s == "-" || strings.HasPrefix(s, "- ") {
		return 1
	}
	i := 0
	for i < len(s) && s[i] == '[' {
		inText := false
		for i++; i < len(s) && (inText || s[i] != ']'); i++ {
			switch {
			case inText && s[i] == '\\':
				i++
			case s[i] == '"':
				inText = !inText
			}
		}
		if i >= len(s) {
			return -1
		}
		i++
	}
	if i == 0 || i < len(s) && s[i] != ' ' {
		return -1
	}
	return i
}

// bsd reads [TIME HOST] TAG[PID]: MSG, each part of which may be missing.
func (m *Message) bsd(s string, now time.Time) {
	if t, rest, ok := bsdTime(s, now); ok {
		m.Time = t
		s = rest
		if h, rest, ok := strings.Cut(s, " "); ok && h != "" && !strings.ContainsAny(h, ":[") {
			m.Host, s = h, rest
		} else if ok && strings.Count(h, ":") > 1 { // an IPv6 address
			m.Host, s = h, rest
		}
	}
	// The tag: up to 48 characters without spaces, then [pid] and a colon.
	end := strings.IndexAny(s, ": [")
	if end > 0 && end <= 48 {
		tag, rest := s[:end], s[end:]
		pid := ""
		if rest[0] == '[' {
			if j := strings.IndexByte(rest, ']'); j > 0 {
				pid, rest = rest[1:j], rest[j+1:]
			}
		}
		if strings.HasPrefix(rest, ":") && !strings.EqualFold(tag, "CEF") && !strings.EqualFold(tag, "LEEF") {
			m.App, m.ProcID, s = tag, pid, strings.TrimPrefix(rest[1:], " ")
		}
	}
	m.Text = s
}

// bsdTime reads "Nov 24 07:08:09 " (the year is the one that makes it nearest to now) or an ISO time.
func bsdTime(s string, now time.Time) (time.Time, string, bool) {
	if len(s) >= 16 && s[15] == ' ' {
		if t, err := time.ParseInLocation(time.Stamp, s[:15], time.UTC); err == nil {
			t = time.Date(now.Year(), t.Month(), t.Day(), t.Hour(), t.Minute(), t.Second(), 0, time.UTC)
			if t.Sub(now) > 31*24*time.Hour {
				t = t.AddDate(-1, 0, 0)
			} else if now.Sub(t) > 335*24*time.Hour {
				t = t.AddDate(1, 0, 0)
			}
			return t, s[16:], true
		}
	}
	if w, rest, ok := strings.Cut(s, " "); ok && len(w) >= 19 && len(w) <= 40 {
		if t, err := time.Parse(time.RFC3339Nano, w); err == nil {
			return t, rest, true
		}
	}
	return time.Time{}, s, false
}
