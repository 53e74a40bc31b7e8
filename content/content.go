// Package content is what picket ships: analytics rules, playbooks, saved functions and schemas of its own, each a
// file that can be imported or deployed like anybody else's.
//
//	tpl, err := content.Files().ReadFile("playbooks/mcas-activity-log-continuous.json")
//	body, ok := content.Function("MCASActivity")
package content

import (
	"embed"
	"io/fs"
	"strings"
)

//go:embed rules/*.yaml playbooks/*.json functions/*.kql schemas/*.json connectors/*.yaml
var files embed.FS

// Files is the shipped content: rules/*.yaml, playbooks/*.json, functions/*.kql, schemas/*.json and
// connectors/*.yaml.
func Files() embed.FS { return files }

// Functions lists the shipped saved functions by name.
func Functions() []string {
	var out []string
	names, _ := fs.Glob(files, "functions/*.kql") // the pattern is right
	for _, n := range names {
		out = append(out, strings.TrimSuffix(strings.TrimPrefix(n, "functions/"), ".kql"))
	}
	return out
}

// Function is the KQL of a shipped saved function without parameters.
func Function(name string) (string, bool) {
	for _, n := range Functions() {
		if n == name {
			b, err := files.ReadFile("functions/" + n + ".kql")
			return string(b), err == nil
		}
	}
	return "", false
}
