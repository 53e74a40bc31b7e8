package exec

import "sort"

// Plugins lists the plugins of evaluate that can be run, by name.
func Plugins() []string {
	var out []string
	for n := range plugins() {
		if !egress[n] {
			out = append(out, n)
		}
	}
	sort.Strings(out)
	return out
}
