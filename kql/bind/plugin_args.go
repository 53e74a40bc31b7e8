package bind

import (
	"picket/kql/catalog"
	"picket/kql/value"
	"strings"
)

// unpackFull is bag_unpack as the engine takes it: the editor service knows the first two parameters only.
var unpackFull = catalog.Function{Name: "bag_unpack", Signatures: []catalog.Signature{{
	Return: catalog.Custom, Layout: catalog.Special, MinArgs: 1, MaxArgs: 4, Params: []catalog.Param{
		{Name: "column", Kind: catalog.Scalar, Min: 1, Max: 1, Arg: catalog.Column},
		{Name: "OutputColumnPrefix", Types: []value.Type{value.String}, Max: 1, Arg: catalog.Constant},
		{Name: "columnsConflict", Types: []value.Type{value.String}, Max: 1, Arg: catalog.Constant},
		{Name: "ignoredProperties", Types: []value.Type{value.Dynamic}, Max: 1, Arg: catalog.Constant},
	},
}}}

// enginePlugin gives the plugin as the engine has it.
func (b *binder) enginePlugin(f *catalog.Function) *catalog.Function {
	if f.Name == unpackFull.Name && !b.opt.Editor {
		return &unpackFull
	}
	return f
}

// argNames gives each argument the name of its parameter, so that nothing has to be guessed from types. A name that
// the query writes must be the parameter's: the editor service lets any pass, the engine would take it for another.
func (p *pluginCall) argNames() []string {
	names := make([]string, len(p.args))
	seen := map[string]bool{}
	for i := range p.args {
		if i < len(p.params) && p.params[i] != nil {
			names[i] = p.params[i].Name
		}
		n := p.args[i].name
		if n == nil || p.b.opt.Editor || p.f.Name == "sequence_detect" { // there names are the steps'
			continue
		}
		switch {
		case names[i] == "" || !strings.EqualFold(names[i], n.Text):
			p.b.fail(n.Span, "SEM0127", "the plugin %s takes no argument %s here", quoteName(p.f.Name), quoteName(n.Text))
		case seen[names[i]]:
			p.b.fail(n.Span, "SEM0127", "the argument %s of %s is given twice", quoteName(n.Text), quoteName(p.f.Name))
		}
		seen[names[i]] = true
	}
	return names
}
