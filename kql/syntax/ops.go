package syntax

// BinaryOp is the catalogue's name of an infix or prefix operator ("Add", "HasCs", "NotIn", …).
type BinaryOp string

// The operators that need a name in code; every other is in the table below.
const (
	OpUnaryMinus BinaryOp = "UnaryMinus"
	OpUnaryPlus  BinaryOp = "UnaryPlus"
	OpAnd        BinaryOp = "And"
	OpOr         BinaryOp = "Or"
	OpAdd        BinaryOp = "Add"
	OpSubtract   BinaryOp = "Subtract"
	OpMultiply   BinaryOp = "Multiply"
	OpDivide     BinaryOp = "Divide"
	OpModulo     BinaryOp = "Modulo"
	OpLess       BinaryOp = "LessThan"
	OpLessEq     BinaryOp = "LessThanOrEqual"
	OpGreater    BinaryOp = "GreaterThan"
	OpGreaterEq  BinaryOp = "GreaterThanOrEqual"
	OpEqual      BinaryOp = "Equal"
	OpNotEqual   BinaryOp = "NotEqual"
	OpSearch     BinaryOp = "Search" // `:` in search
	OpIn         BinaryOp = "In"     // in~
	OpInCs       BinaryOp = "InCs"   // in
	OpNotIn      BinaryOp = "NotIn"  // !in~
	OpNotInCs    BinaryOp = "NotInCs"
	OpHasAny     BinaryOp = "HasAny"
	OpHasAll     BinaryOp = "HasAll"
	OpBetween    BinaryOp = "Between"
	OpNotBetween BinaryOp = "NotBetween"
)

// Text is the operator as written in KQL (`!has_cs`, `matches regex`, `==`).
func (o BinaryOp) Text() string {
	switch o {
	case OpUnaryMinus, OpSubtract:
		return "-"
	case OpUnaryPlus, OpAdd:
		return "+"
	case OpMultiply:
		return "*"
	case OpDivide:
		return "/"
	case OpModulo:
		return "%"
	case OpAnd:
		return "and"
	case OpOr:
		return "or"
	case OpLess:
		return "<"
	case OpLessEq:
		return "<="
	case OpGreater:
		return ">"
	case OpGreaterEq:
		return ">="
	case OpEqual:
		return "=="
	case OpNotEqual:
		return "!="
	case OpIn:
		return "in~"
	case OpInCs:
		return "in"
	case OpNotIn:
		return "!in~"
	case OpNotInCs:
		return "!in"
	case OpHasAny:
		return "has_any"
	case OpHasAll:
		return "has_all"
	case OpBetween:
		return "between"
	case OpNotBetween:
		return "!between"
	}
	for _, s := range stringOps {
		if s.op == o {
			return s.text
		}
	}
	return string(o)
}

// stringOps are the operators that bind tighter than arithmetic: one to an operand pair, not chained. The first
// text of an operator is the one that is printed; the others are older spellings.
var stringOps = []struct {
	text string
	op   BinaryOp
}{
	{"=~", "EqualTilde"},
	{"!~", "BangTilde"},
	{":", OpSearch},
	{"has", "Has"},
	{"!has", "NotHas"},
	{"has_cs", "HasCs"},
	{"!has_cs", "NotHasCs"},
	{"hasprefix", "HasPrefix"},
	{"!hasprefix", "NotHasPrefix"},
	{"hasprefix_cs", "HasPrefixCs"},
	{"!hasprefix_cs", "NotHasPrefixCs"},
	{"hassuffix", "HasSuffix"},
	{"!hassuffix", "NotHasSuffix"},
	{"hassuffix_cs", "HasSuffixCs"},
	{"!hassuffix_cs", "NotHasSuffixCs"},
	{"like", "Like"},
	{"notlike", "NotLike"},
	{"likecs", "LikeCs"},
	{"notlikecs", "NotLikeCs"},
	{"contains", "Contains"},
	{"!contains", "NotContains"},
	{"notcontains", "NotContains"},
	{"contains_cs", "ContainsCs"},
	{"containscs", "ContainsCs"},
	{"!contains_cs", "NotContainsCs"},
	{"notcontainscs", "NotContainsCs"},
	{"startswith", "StartsWith"},
	{"!startswith", "NotStartsWith"},
	{"startswith_cs", "StartsWithCs"},
	{"!startswith_cs", "NotStartsWithCs"},
	{"endswith", "EndsWith"},
	{"!endswith", "NotEndsWith"},
	{"endswith_cs", "EndsWithCs"},
	{"!endswith_cs", "NotEndsWithCs"},
	{"matches regex", "MatchRegex"},
}
