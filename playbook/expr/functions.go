package expr

import (
	"fmt"
	"sort"
	"strings"
	"sync"
)

type (
	eagerFn func(e *evaluator, name string, args []any) (any, error)
	lazyFn  func(e *evaluator, name string, args []Node) (any, error)
)

// function is one function of the language. Its file is named by its family.
type function struct {
	name     string
	min, max int // parameters; max -1: any number
	eager    eagerFn
	lazy     lazyFn // decides itself which parameters to evaluate
}

// functions is every function, by the families of the functions reference.
var functions = []function{
	// string
	{"chunk", 2, 2, chunk, nil},
	{"concat", 1, -1, concat, nil},
	{"endsWith", 2, 2, startsEnds, nil},
	{"formatNumber", 2, 3, formatNumber, nil},
	{"guid", 0, 1, guid, nil},
	{"indexOf", 2, 2, indexOfFn, nil},
	{"isFloat", 1, 2, isFloat, nil},
	{"isInt", 1, 1, isInt, nil},
	{"lastIndexOf", 2, 2, indexOfFn, nil},
	{"length", 1, 1, length, nil},
	{"nthIndexOf", 3, 3, nthIndexOf, nil},
	{"replace", 3, 3, replace, nil},
	{"slice", 2, 3, slice, nil},
	{"split", 2, 2, split, nil},
	{"startsWith", 2, 2, startsEnds, nil},
	{"substring", 2, 3, substring, nil},
	{"toLower", 1, 1, changeCase, nil},
	{"toUpper", 1, 1, changeCase, nil},
	{"trim", 1, 1, trim, nil},
	// collection
	{"contains", 2, 2, contains, nil},
	{"empty", 1, 1, empty, nil},
	{"first", 1, 1, firstLast, nil},
	{"intersection", 2, -1, intersection, nil},
	{"item", 0, 0, item, nil},
	{"join", 2, 2, join, nil},
	{"last", 1, 1, firstLast, nil},
	{"reverse", 1, 1, reverse, nil},
	{"skip", 2, 2, skipTake, nil},
	{"sort", 1, 2, sortFn, nil},
	{"take", 2, 2, skipTake, nil},
	{"union", 2, -1, union, nil},
	// logic
	{"and", 1, -1, nil, andOr},
	{"equals", 2, -1, equals, nil},
	{"greater", 2, 2, compare, nil},
	{"greaterOrEquals", 2, 2, compare, nil},
	{"if", 3, 3, nil, ifFn},
	{"less", 2, 2, compare, nil},
	{"lessOrEquals", 2, 2, compare, nil},
	{"not", 1, 1, not, nil},
	{"or", 1, -1, nil, andOr},
	// conversion
	{"array", 1, 1, array, nil},
	{"base64", 1, 1, base64Fn, nil},
	{"base64ToBinary", 1, 1, base64ToBinary, nil},
	{"base64ToString", 1, 1, base64ToString, nil},
	{"binary", 1, 1, binary, nil},
	{"bool", 1, 1, boolFn, nil},
	{"createArray", 1, -1, createArray, nil},
	{"dataUri", 1, 1, dataURI, nil},
	{"dataUriToBinary", 1, 1, dataURIToBinary, nil},
	{"dataUriToString", 1, 1, dataURIToString, nil},
	{"decimal", 1, 1, decimalFn, nil},
	{"decodeBase64", 1, 1, base64ToString, nil},
	{"decodeDataUri", 1, 1, decodeDataURI, nil},
	{"decodeUriComponent", 1, 1, uriComponentToString, nil},
	{"encodeUriComponent", 1, -1, uriComponent, nil},
	{"float", 1, 2, float, nil},
	{"int", 1, 1, intFn, nil},
	{"json", 1, 1, jsonFn, nil},
	{"string", 1, 1, stringFn, nil},
	{"uriComponent", 1, -1, uriComponent, nil},
	{"uriComponentToBinary", 1, 1, uriComponentToBinary, nil},
	{"uriComponentToString", 1, 1, uriComponentToString, nil},
	{"xml", 1, 1, xmlFn, nil},
	// math
	{"add", 2, 2, arithmetic, nil},
	{"div", 2, 2, arithmetic, nil},
	{"max", 1, -1, minMax, nil},
	{"min", 1, -1, minMax, nil},
	{"mod", 2, 2, arithmetic, nil},
	{"mul", 2, 2, arithmetic, nil},
	{"rand", 2, 2, randFn, nil},
	{"range", 2, 2, rangeFn, nil},
	{"sub", 2, 2, arithmetic, nil},
	// date and time
	{"addDays", 2, 3, addUnits, nil},
	{"addHours", 2, 3, addUnits, nil},
	{"addMinutes", 2, 3, addUnits, nil},
	{"addSeconds", 2, 3, addUnits, nil},
	{"addToTime", 3, 4, addToTime, nil},
	{"convertFromUtc", 2, 3, convertFromUTC, nil},
	{"convertTimeZone", 3, 4, convertTimeZone, nil},
	{"convertToUtc", 2, 3, convertToUTC, nil},
	{"dateDifference", 2, 2, dateDifference, nil},
	{"dayOfMonth", 1, 1, dayOf, nil},
	{"dayOfWeek", 1, 1, dayOf, nil},
	{"dayOfYear", 1, 1, dayOf, nil},
	{"formatDateTime", 1, 3, formatDateTime, nil},
	{"getFutureTime", 2, 3, getTime, nil},
	{"getPastTime", 2, 3, getTime, nil},
	{"parseDateTime", 1, 3, parseDateTime, nil},
	{"startOfDay", 1, 2, startOf, nil},
	{"startOfHour", 1, 2, startOf, nil},
	{"startOfMonth", 1, 2, startOf, nil},
	{"subtractFromTime", 3, 4, addToTime, nil},
	{"ticks", 1, 1, ticks, nil},
	{"utcNow", 0, 1, utcNow, nil},
	// workflow
	{"action", 0, 0, action, nil},
	{"actionBody", 1, 1, body, nil},
	{"actionOutputs", 1, 1, outputs, nil},
	{"actions", 1, 1, actions, nil},
	{"body", 1, 1, body, nil},
	{"coalesce", 1, -1, nil, coalesce},
	{"formDataMultiValues", 2, 2, formData, nil},
	{"formDataValue", 2, 2, formData, nil},
	{"items", 1, 1, items, nil},
	{"iterationIndexes", 1, 1, iterationIndexes, nil},
	{"listCallbackUrl", 0, 0, listCallbackURL, nil},
	{"multipartBody", 2, 2, multipart, nil},
	{"outputs", 1, 1, outputs, nil},
	{"parameters", 1, 1, parameters, nil},
	{"result", 1, 1, result, nil},
	{"trigger", 0, 0, trigger, nil},
	{"triggers", 0, 0, trigger, nil},
	{"triggerBody", 0, 0, triggerBody, nil},
	{"triggerFormDataMultiValues", 1, 1, formData, nil},
	{"triggerFormDataValue", 1, 1, formData, nil},
	{"triggerMultipartBody", 1, 1, multipart, nil},
	{"triggerOutputs", 0, 0, triggerOutputs, nil},
	{"variables", 1, 1, variables, nil},
	{"workflow", 0, 0, workflow, nil},
	// URI
	{"uriHost", 1, 1, uriPart, nil},
	{"uriPath", 1, 1, uriPart, nil},
	{"uriPathAndQuery", 1, 1, uriPart, nil},
	{"uriPort", 1, 1, uriPart, nil},
	{"uriQuery", 1, 1, uriPart, nil},
	{"uriScheme", 1, 1, uriPart, nil},
	// JSON and XML
	{"addProperty", 3, 3, editProperty, nil},
	{"removeProperty", 2, 2, editProperty, nil},
	{"setProperty", 3, 3, editProperty, nil},
	{"xpath", 2, 2, xpathFn, nil},
	// only where the hosting product has it (Logic Apps Standard)
	{"appsetting", 1, 1, elsewhere, nil},
}

var byName = sync.OnceValue(func() map[string]*function {
	m := make(map[string]*function, len(functions))
	for i := range functions {
		m[strings.ToLower(functions[i].name)] = &functions[i]
	}
	return m
})

func lookup(name string) *function { return byName()[strings.ToLower(name)] }

func elsewhere(_ *evaluator, name string, _ []any) (any, error) { return nil, notHere(name) }

var countWords = []string{"no", "one", "two", "three", "four"}

func arityError(f *function, name string, n int) error {
	var want string
	switch f.name {
	case "concat":
		return errf("The template language function '%s' expects a comma separated list of string and integer parameters. The function was invoked with no parameters. %s", name, usage(f.name))
	case "createArray":
		return errf("The template language function '%s' expects a comma separated list of parameters. The function was invoked with no parameters. %s", name, usage(f.name))
	case "variables", "body", "actionBody", "outputs", "actionOutputs", "actions", "items", "parameters", "iterationIndexes", "result",
		"triggerFormDataValue", "triggerFormDataMultiValues", "triggerMultipartBody", "trim":
		return errf("The template language function '%s' must have only one parameter.", name)
	}
	switch {
	case f.max == 0:
		return errf("The template language function '%s' must not have any parameters.", name)
	case f.min == 1 && f.max == 1:
		want = "one parameter"
	case f.max < 0:
		want = fmt.Sprintf("at least %s parameter", countWords[f.min])
		if f.min != 1 {
			want += "s"
		}
	case f.min == f.max:
		want = countWords[f.min] + " parameters"
	default:
		want = fmt.Sprintf("%s to %s parameters", countWords[f.min], countWords[f.max])
	}
	return errf("The template language function '%s' expects %s. The function was invoked with '%d' parameter(s). %s", name, want, n, usage(f.name))
}

func usage(name string) string {
	return "Please see https://aka.ms/logicexpressions#" + name + " for usage details."
}

var ordinals = []string{"first", "second", "third", "fourth"}

// needString returns a parameter that has to be text; binary content counts as its text.
func needString(name string, args []any, i int) (string, error) {
	switch x := args[i].(type) {
	case string:
		return x, nil
	case *Object:
		if b, _, ok := Binary(x); ok {
			return string(b), nil
		}
	}
	if len(args) == 1 {
		return "", errf("The template language function '%s' expects its parameter to be a string. The provided value is of type '%s'. %s", name, TypeName(args[i]), usage(name))
	}
	return "", errf("The template language function '%s' expects its %s parameter to be of type string. The provided value is of type '%s'. %s", name, ordinals[min(i, 3)], TypeName(args[i]), usage(name))
}

// textArg is a parameter as text; null is empty.
func textArg(args []any, i int) string {
	if i >= len(args) {
		return ""
	}
	return Text(args[i])
}

func needInt(name string, args []any, i int) (int64, error) {
	switch x := args[i].(type) {
	case int64:
		return x, nil
	case float64:
		if x == float64(int64(x)) {
			return int64(x), nil
		}
	}
	return 0, errf("The template language function '%s' expects its %s parameter to be an integer. The provided value is of type '%s'. %s", name, ordinals[min(i, 3)], TypeName(args[i]), usage(name))
}

func notConvertible(name string) error {
	return errf("The template language function '%s' was invoked with a parameter that is not valid. The value cannot be converted to the target type.", name)
}

func sortedKeys[V any](m map[string]V) []string {
	out := make([]string, 0, len(m))
	for k := range m {
		out = append(out, k)
	}
	sort.Strings(out)
	return out
}
