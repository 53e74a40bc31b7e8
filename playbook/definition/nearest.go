package definition

import "strings"

// nearest finds the name that a misspelt one may have meant: at most a third of its letters differ.
func nearest(name string, names []string) string {
	best, found := len([]rune(name))/3+1, ""
	for _, n := range names {
		if d := distance(strings.ToLower(name), strings.ToLower(n), best); d < best {
			best, found = d, n
		}
	}
	return found
}

// meant is the end of a complaint about an unknown name.
func meant(name string, names []string) string {
	if n := nearest(name, names); n != "" {
		return "; did you mean '" + n + "'?"
	}
	return ""
}

// distance counts the letters to insert, delete, replace, or swap with their neighbour; limit and more is limit.
func distance(a, b string, limit int) int {
	x, y := []rune(a), []rune(b)
	if len(x)-len(y) >= limit || len(y)-len(x) >= limit || len(x) > 200 || len(y) > 200 {
		return limit
	}
	before, last := make([]int, len(y)+1), make([]int, len(y)+1)
	for j := range last {
		last[j] = j
	}
	for i := 1; i <= len(x); i++ {
		cur := make([]int, len(y)+1)
		cur[0] = i
		for j := 1; j <= len(y); j++ {
			c := 1
			if x[i-1] == y[j-1] {
				c = 0
			}
			cur[j] = min(last[j]+1, cur[j-1]+1, last[j-1]+c)
			if i > 1 && j > 1 && x[i-1] == y[j-2] && x[i-2] == y[j-1] {
				cur[j] = min(cur[j], before[j-2]+1)
			}
		}
		before, last = last, cur
	}
	return min(last[len(y)], limit)
}

func (r *reader) actionNames() []string {
	var out []string
	for _, a := range r.def.order {
		out = append(out, a.Name)
	}
	return out
}

func (r *reader) parameterNames() []string {
	var out []string
	for _, p := range r.def.Parameters {
		out = append(out, p.Name)
	}
	return out
}

func keysOf(m map[string]bool) []string {
	var out []string
	for k := range m {
		out = append(out, k)
	}
	return out
}
