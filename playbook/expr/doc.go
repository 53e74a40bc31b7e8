// Package expr is the expression language of Azure Logic Apps (Workflow Definition Language): the strings
// "@{…}" and "@…" of a definition, their 125 functions and their values.
//
//	v, err := expr.Evaluate("Hello @{triggerBody()?['name']}", env)
//
// A value is nil, bool, int64 (or *big.Int), float64 (or decimal.Decimal), string, []any or *Object; integers
// and floats stay apart, 64-bit integers are exact. Names of functions and properties ignore case. Errors are
// *Error with the service's own words. The language follows the page "Workflow expression functions reference"
// of Microsoft's documentation and what the service does where the two differ.
package expr
