package catalog

import "picket/kql/value"

// Scopes are the functions that name another workspace or application in front of a table. The binder treats
// them as database(…): workspace("w").T reads table T of workspace w.
var scopes = []string{"app", "resource", "workspace"}

// IsScope reports whether name is one of workspace, app, resource.
func IsScope(name string) bool {
	for _, s := range scopes {
		if s == name {
			return true
		}
	}
	return false
}

// ownPlugins are plugins that the service documents but Microsoft's parser doesn't list. Sorted by name.
var ownPlugins = []Function{
	{Name: "schema_merge", Signatures: []Signature{{Return: Custom, MaxArgs: 1, Params: []Param{
		{Name: "PreserveOrder", Kind: Declared, Types: []value.Type{value.Bool}, Max: 1},
	}}}},
}
