package bind

import (
	"picket/kql/syntax"
)

// derived are the errors that broken syntax brings about by itself: a call whose arguments could not be read has too
// few of them.
var derived = map[string]bool{
	"SEM0118": true, "SEM0119": true, "SEM0120": true, "SEM0128": true, "SEM0160": true, "SEM0173": true, "Internal": true,
}

// Broken gives all that is wrong with a text that did not parse: broken, the parser's errors, and what can be said of
// the names and types in the rest of it, by place, as an editor shows them.
func Broken(doc *syntax.Document, text string, broken syntax.ErrorList, s Schema, opt Options) syntax.ErrorList {
	_, errs := Bind(doc, text, s, opt)
	all := append(syntax.ErrorList(nil), broken...)
	for _, e := range errs {
		if !derived[e.Code] && e.Code != syntax.CodeNotSupported && !over(e, broken) {
			all = append(all, e)
		}
	}
	all.Sort()
	return all
}

// over reports an error over a text that the parser could not read.
func over(e *syntax.Error, broken syntax.ErrorList) bool {
	for _, p := range broken {
		if e.Start == p.Start || e.Start < p.Start && p.Start < e.End {
			return true
		}
	}
	return false
}
