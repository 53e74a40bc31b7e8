// Package standard knows the columns of the standard tables of Log Analytics (SigninLogs, Syslog, SecurityEvent, …):
// facts of Microsoft's table reference, those that are no custom tables, kept packed in tables.txt.gz.
//
//	tables, err := standard.Tables()
//	tables["Syslog"] // TimeGenerated:datetime, Facility:string, …
package standard

import (
	"bufio"
	"bytes"
	"compress/gzip"
	_ "embed"
	"fmt"
	"picket/kql/value"
	"strings"
)

// packed has a line a table: its name, a tab, name:type of each column by spaces.
//
//go:embed tables.txt.gz
var packed []byte

// Tables gives every standard table by its name. TimeGenerated comes first where a table has it; TenantId and Type,
// which every table has, come last. The result is the caller's.
func Tables() (map[string]value.Schema, error) {
	z, err := gzip.NewReader(bytes.NewReader(packed))
	if err != nil {
		return nil, fmt.Errorf("standard tables: %w", err)
	}
	out := map[string]value.Schema{}
	lines := bufio.NewScanner(z)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		name, cols, ok := strings.Cut(lines.Text(), "\t")
		if !ok {
			return nil, fmt.Errorf("standard tables: the line %.60q has no columns", lines.Text())
		}
		var s value.Schema
		for _, f := range strings.Fields(cols) {
			n, typ, _ := strings.Cut(f, ":")
			t, ok := value.ParseType(typ)
			if !ok {
				return nil, fmt.Errorf("standard tables: %s.%s has the type %q", name, n, typ)
			}
			c := value.Column{Name: n, Type: t}
			if n == "TimeGenerated" {
				s = append(value.Schema{c}, s...)
			} else {
				s = append(s, c)
			}
		}
		out[name] = append(s, value.Column{Name: "TenantId", Type: value.String}, value.Column{Name: "Type", Type: value.String})
	}
	if err := lines.Err(); err != nil {
		return nil, fmt.Errorf("standard tables: %w", err)
	}
	return out, nil
}
