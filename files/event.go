package files

import (
	"context"
	"errors"
	"picket/kql/value"
	"strconv"
	"strings"
)

// eventSchema is what a table of Windows events has: the columns of Sentinel's WindowsEvent that an event fills,
// and UserData, so that queries over WindowsEvent run as they are.
func eventSchema() value.Schema {
	return value.Schema{
		{Name: "TimeGenerated", Type: value.Datetime},
		{Name: "Provider", Type: value.String},
		{Name: "Channel", Type: value.String},
		{Name: "Computer", Type: value.String},
		{Name: "EventID", Type: value.Int},
		{Name: "EventLevel", Type: value.Int},
		{Name: "EventLevelName", Type: value.String},
		{Name: "Task", Type: value.Int},
		{Name: "Opcode", Type: value.String},
		{Name: "Keywords", Type: value.String},
		{Name: "Version", Type: value.Int},
		{Name: "EventRecordId", Type: value.String},
		{Name: "Correlation", Type: value.String},
		{Name: "SystemProcessId", Type: value.Int},
		{Name: "SystemThreadId", Type: value.Int},
		{Name: "SystemUserId", Type: value.String},
		{Name: "EventData", Type: value.Dynamic},
		{Name: "UserData", Type: value.Dynamic},
	}
}

var errNoEvent = errors.New("the row is no Windows event: it has no Event.System, which the rows before it have")

// isEventLog looks at the first row of a table.
func (t *table) isEventLog(ctx context.Context) (bool, error) {
	for _, in := range t.inputs {
		if in.format == EventLog {
			return true, nil
		}
		event, seen := false, false
		err := blocks(in, in.cutter(), nil, func(b *block) bool {
			if len(b.rows) == 0 {
				return ctx.Err() == nil
			}
			_, err := systemOf(b.data[b.rows[0].from:b.rows[0].to])
			event, seen = err == nil, true
			return false
		})
		if err != nil || seen {
			return event, err
		}
	}
	return false, nil
}

// systemOf gives the whole event of a row.
func systemOf(row []byte) (*value.Bag, error) {
	d, err := value.ParseJSON(string(row))
	if err != nil {
		return nil, err
	}
	event := bag(member(d, "Event"))
	if event == nil || bag(member(event, "System")) == nil {
		return nil, errNoEvent
	}
	return event, nil
}

func inferEvents(b *block) (*found, error) {
	for _, row := range b.rows {
		if _, err := systemOf(b.data[row.from:row.to]); err != nil {
			return nil, &rowError{b.in.path, row.line, err}
		}
	}
	return newFound(), nil
}

// eventFrame reads the wanted columns of a block of events.
func eventFrame(b *block, want value.Schema) (*value.Frame, error) {
	f := newFrame(want, len(b.rows))
	for n, row := range b.rows {
		event, err := systemOf(b.data[row.from:row.to])
		if err != nil {
			return nil, &rowError{b.in.path, row.line, err}
		}
		for i, c := range want {
			setEvent(f.Vecs[i], n, eventValue(event, c.Name))
		}
	}
	return f, nil
}

// setEvent stores an element; what isn't in the column's form is null.
func setEvent(v *value.Vector, n int, e any) {
	if v.Type == value.Dynamic {
		v.D[n] = e
		return
	}
	s := value.FormatDynamic(e)
	switch v.Type {
	case value.String:
		v.S[n] = s
	case value.Int:
		if x, err := strconv.ParseInt(s, 0, 32); err == nil {
			v.Set(n, value.Of(value.Int, x))
		}
	case value.Datetime:
		if t, ok := value.ParseDatetime(strings.TrimSuffix(s, " UTC")); ok {
			v.Set(n, value.Of(value.Datetime, t))
		}
	}
}

// eventValue finds a column's value in the XML of an event as JSON: attributes under "#attributes" or with "@"
// before their names, a text beside attributes under "#text".
func eventValue(event *value.Bag, column string) any {
	sys := member(event, "System")
	switch column {
	case "TimeGenerated":
		return attribute(member(sys, "TimeCreated"), "SystemTime")
	case "Provider":
		return attribute(member(sys, "Provider"), "Name")
	case "Channel", "Computer", "EventID", "Task", "Opcode", "Keywords", "Version":
		return plainText(member(sys, column))
	case "EventLevel":
		return plainText(member(sys, "Level"))
	case "EventLevelName":
		return levelName(value.FormatDynamic(plainText(member(sys, "Level"))))
	case "EventRecordId":
		return plainText(member(sys, "EventRecordID"))
	case "Correlation":
		return attribute(member(sys, "Correlation"), "ActivityID")
	case "SystemProcessId":
		return attribute(member(sys, "Execution"), "ProcessID")
	case "SystemThreadId":
		return attribute(member(sys, "Execution"), "ThreadID")
	case "SystemUserId":
		return attribute(member(sys, "Security"), "UserID")
	case "EventData":
		return eventData(member(event, "EventData"))
	case "UserData":
		return member(event, "UserData")
	}
	return nil
}

// levelName is the name of a level as Windows shows it.
func levelName(level string) any {
	switch level {
	case "0", "4":
		return "Information"
	case "1":
		return "Critical"
	case "2":
		return "Error"
	case "3":
		return "Warning"
	case "5":
		return "Verbose"
	}
	return nil
}

// eventData is the data of an event by name, whichever way the XML's <Data Name="…"> was turned to JSON.
func eventData(d any) any {
	b := bag(d)
	if b == nil {
		return d
	}
	list, _ := member(b, "Data").([]any)
	if one := bag(member(b, "Data")); one != nil {
		list = []any{one}
	}
	out := value.NewBag()
	for _, e := range list {
		name, ok := attribute(e, "Name").(string)
		if !ok {
			out = nil
			break
		}
		out.Set(name, plainText(e))
	}
	if out != nil && out.Len() > 0 {
		return out
	}
	out = value.NewBag()
	for _, k := range b.Keys() {
		if k != "#attributes" && !strings.HasPrefix(k, "@") {
			v, _ := b.Get(k)
			out.Set(k, v)
		}
	}
	return out
}

func bag(d any) *value.Bag {
	b, _ := d.(*value.Bag)
	return b
}

func member(d any, name string) any {
	b := bag(d)
	if b == nil {
		return nil
	}
	v, _ := b.Get(name)
	return v
}

func attribute(d any, name string) any {
	if v := member(member(d, "#attributes"), name); v != nil {
		return v
	}
	if v := member(d, "@"+name); v != nil {
		return v
	}
	return member(d, name)
}

func plainText(d any) any {
	if bag(d) != nil {
		return member(d, "#text")
	}
	return d
}
