package expr

import (
	"math"
	"math/big"
	"math/rand/v2"

	"github.com/shopspring/decimal"
)

func needNumber(name string, args []any, i int) error {
	if isNumber(args[i]) {
		return nil
	}
	return errf("The template language function '%s' expects its %s parameter to be an integer, a float or a decimal number. The provided value is of type '%s'. %s", name, ordinals[min(i, 3)], TypeName(args[i]), usage(name))
}

// arithmetic is add, sub, mul, div and mod: integers stay integers (and div truncates), a float makes a float,
// a decimal a decimal.
func arithmetic(_ *evaluator, name string, args []any) (any, error) {
	for i := range args {
		if err := needNumber(name, args, i); err != nil {
			return nil, err
		}
	}
	a, b := args[0], args[1]
	if (name == "div" || name == "mod") && compareNumbers(b, int64(0)) == 0 {
		return nil, errf("Attempt to divide an integral or decimal value by zero in function '%s'.", name)
	}
	if isIntegral(a) && isIntegral(b) {
		return integers(name, a, b), nil
	}
	_, ad := a.(decimal.Decimal)
	_, bd := b.(decimal.Decimal)
	if ad || bd {
		x, y := toDecimal(a), toDecimal(b)
		switch name {
		case "add":
			return x.Add(y), nil
		case "sub":
			return x.Sub(y), nil
		case "mul":
			return x.Mul(y), nil
		case "mod":
			return x.Mod(y), nil
		}
		return x.DivRound(y, 28), nil
	}
	x, y := toFloat(a), toFloat(b)
	switch name {
	case "add":
		return x + y, nil
	case "sub":
		return x - y, nil
	case "mul":
		return x * y, nil
	case "mod":
		return math.Mod(x, y), nil
	}
	return x / y, nil
}

func integers(name string, a, b any) any {
	x, y := toBig(a), toBig(b)
	r := new(big.Int)
	switch name {
	case "add":
		r.Add(x, y)
	case "sub":
		r.Sub(x, y)
	case "mul":
		r.Mul(x, y)
	case "div":
		r.Quo(x, y)
	case "mod":
		r.Rem(x, y)
	}
	return normalInt(r)
}

func minMax(_ *evaluator, name string, args []any) (any, error) {
	list := args
	if len(args) == 1 {
		if a, ok := args[0].([]any); ok {
			list = a
		}
	}
	if len(list) == 0 {
		return nil, errf("The template language function '%s' expects at least one number. The provided array is empty. %s", name, usage(name))
	}
	var best any
	for i := range list {
		if err := needNumber(name, list, i); err != nil {
			return nil, err
		}
		if i == 0 {
			best = list[0]
			continue
		}
		if c := compareNumbers(list[i], best); name == "min" && c < 0 || name == "max" && c > 0 {
			best = list[i]
		}
	}
	return best, nil
}

// randFn gives an integer from the first parameter up to, not including, the second.
func randFn(_ *evaluator, name string, args []any) (any, error) {
	lo, err := needInt(name, args, 0)
	if err != nil {
		return nil, err
	}
	hi, err := needInt(name, args, 1)
	if err != nil {
		return nil, err
	}
	if hi <= lo || hi-lo <= 0 {
		return nil, errf("The template language function 'rand' expects its first parameter to be less than its second. The provided values are '%d' and '%d'. %s", lo, hi, usage(name))
	}
	return lo + rand.Int64N(hi-lo), nil
}

const maxRange = 100_000

func rangeFn(_ *evaluator, name string, args []any) (any, error) {
	start, err := needInt(name, args, 0)
	if err != nil {
		return nil, err
	}
	n, err := needInt(name, args, 1)
	if err != nil {
		return nil, err
	}
	if n < 0 || n > maxRange || start > math.MaxInt32-n || start < math.MinInt32 {
		return nil, errf("The template language function 'range' parameters are out of range: 'count' must be a non-negative integer of at most %d and the sum of 'start index' and 'count' must not exceed %d. %s", maxRange, math.MaxInt32, usage(name))
	}
	out := make([]any, n)
	for i := range out {
		out[i] = start + int64(i)
	}
	return out, nil
}
