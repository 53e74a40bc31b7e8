// Package content is what picket ships: analytics rules and playbooks of its own, each a file that can be
// imported or deployed like anybody else's.
package content

import "embed"

//go:embed rules/*.yaml playbooks/*.json
var files embed.FS

// Files is the shipped content: rules/*.yaml and playbooks/*.json.
func Files() embed.FS { return files }
