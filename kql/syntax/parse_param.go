package syntax

import (
	"picket/kql/value"
	"strings"
)

// paramKind says what the value of a parameter may be.
type paramKind uint8

const (
	pWord    paramKind = iota // a word, one of values if there are any
	pNumber                   // a word or a number
	pAny                      // a literal, word or name
	pName                     // a declared name
	pColumn                   // a column
	pColumns                  // several columns
	pString                   // an expression
	pReal                     // a number, taken as real
)

// paramSpec is one parameter that an operator declares.
type paramSpec struct {
	name     string
	kind     paramKind
	values   string // the allowed words, divided by blanks; "" for any
	noEquals bool
}

// paramSet is the parameters of an operator.
type paramSet []paramSpec

func (s *paramSet) find(name string) *paramSpec {
	if s == nil {
		return nil
	}
	for i := range *s {
		if (*s)[i].name == name {
			return &(*s)[i]
		}
	}
	return nil
}

const (
	concurrencyWords = "auto left local right unresolved"
	strategyWords    = "auto broadcast centralized shuffle"
	bagWords         = "bag array"
)

// knownParams are parsed on every operator with a parameter list, even where they mean nothing.
var knownParams = paramSet{
	{name: "bagexpansion", values: bagWords},
	{name: "bin_legacy", kind: pAny},
	{name: "__crossCluster", kind: pAny},
	{name: "__crossDB", kind: pAny},
	{name: "decodeblocks", kind: pAny},
	{name: "expandoutput", kind: pAny},
	{name: "hint.concurrency", kind: pNumber, values: concurrencyWords},
	{name: "hint.distribution", values: "single per_node per_shard default"},
	{name: "hint.materialized", kind: pAny},
	{name: "hint.num_partitions", kind: pAny},
	{name: "hint.pass_filters", kind: pAny},
	{name: "hint.pass_filters_column", kind: pColumn},
	{name: "hint.progressive_top", kind: pAny},
	{name: "hint.remote", values: "auto local"},
	{name: "hint.shufflekey", kind: pColumn},
	{name: "hint.spread", kind: pNumber, values: "auto local"},
	{name: "hint.strategy", values: strategyWords},
	{name: "__id", kind: pAny},
	{name: "isfuzzy", kind: pAny},
	{name: "__isFuzzy", kind: pAny},
	{name: "kind"},
	{name: "__noWithSource", kind: pAny},
	{name: "__packedColumn", kind: pColumn},
	{name: "__sourceColumnIndex", kind: pAny},
	{name: "cycles", values: "none all unique_edges"},
	{name: "with_match_id", kind: pName},
	{name: "with_itemindex", kind: pName},
	{name: "withsource", kind: pName},
	{name: "with_source", kind: pName},
	{name: "with_step_name", kind: pName},
	{name: "force_remote", kind: pAny},
}

// The parameters that operators declare, after QueryOperatorParameters of Microsoft's parser.
var (
	asParams       = paramSet{{name: "hint.materialized", kind: pAny}}
	consumeParams  = paramSet{{name: "decodeblocks", kind: pAny}}
	distinctParams = paramSet{{name: "hint.shufflekey", kind: pColumn}, {name: "hint.strategy", values: strategyWords}, {name: "hint.num_partitions", kind: pAny}}
	evaluateParams = paramSet{{name: "hint.distribution", values: "single per_node per_shard default"}, {name: "hint.remote", values: "auto local"}}
	findParams     = paramSet{{name: "withsource", kind: pName}, {name: "with_source", kind: pName}}
	matchParams    = paramSet{{name: "cycles", values: "none all unique_edges"}}
	pathsParams    = paramSet{{name: "output", values: "any all"}}
	joinParams     = paramSet{
		{name: "kind", values: "inner fullouter innerunique leftanti leftantisemi anti leftouter leftsemi rightanti rightantisemi rightouter rightsemi"},
		{name: "hint.remote", values: concurrencyWords},
		{name: "hint.shufflekey", kind: pColumn},
		{name: "hint.strategy", values: strategyWords},
		{name: "hint.num_partitions", kind: pAny},
	}
	markParams       = paramSet{{name: "kind", values: "weak strong"}, {name: "with_component_id", kind: pName}}
	lookupParams     = paramSet{{name: "kind", values: "inner leftouter"}}
	makeSeriesParams = paramSet{{name: "hint.shufflekey", kind: pColumn}, {name: "kind", values: "nonempty"}}
	mvApplyParams    = paramSet{{name: "with_itemindex", kind: pName}}
	mvExpandParams   = paramSet{{name: "kind", values: bagWords}, {name: "bagexpansion", values: bagWords}, {name: "with_itemindex", kind: pName}}
	parseParams      = paramSet{{name: "kind", values: "simple regex relaxed"}, {name: "flags"}}
	parseKvParams    = paramSet{
		{name: "pair_delimiter", kind: pAny},
		{name: "kv_delimiter", kind: pAny},
		{name: "regex", kind: pAny},
		{name: "quote", kind: pAny},
		{name: "escape", kind: pAny},
		{name: "greedy", kind: pAny},
	}
	partitionParams = paramSet{
		{name: "hint.concurrency", kind: pNumber, values: concurrencyWords},
		{name: "hint.spread", kind: pNumber, values: "auto local"},
		{name: "hint.materialized", kind: pAny},
		{name: "hint.shufflekey", kind: pColumn},
		{name: "hint.strategy", values: "shuffle native legacy"},
	}
	reduceParams     = paramSet{{name: "kind", values: "source"}, {name: "threshold", kind: pAny}, {name: "characters", kind: pAny}}
	reduceWithParams = paramSet{{name: "kind"}, {name: "threshold", kind: pAny}, {name: "characters", kind: pAny}}
	edgesParams      = paramSet{{name: "with_source_id", kind: pName}, {name: "with_target_id", kind: pName}}
	nodesParams      = paramSet{{name: "with_node_id", kind: pName}}
	makeGraphParams  = paramSet{{name: "hint.strategy", values: "shuffle native"}}
	renderOldParams  = paramSet{
		{name: "kind", values: renderKinds},
		{name: "title", kind: pString},
		{name: "accumulate", kind: pAny},
		{name: "with", kind: pAny, noEquals: true},
		{name: "by", kind: pColumns, noEquals: true},
	}
	renderParams = paramSet{
		{name: "kind", values: renderKinds},
		{name: "title", kind: pString},
		{name: "accumulate", kind: pAny},
		{name: "xcolumn", kind: pColumn},
		{name: "ycolumns", kind: pColumns},
		{name: "anomalycolumns", kind: pColumns},
		{name: "series", kind: pColumns},
		{name: "xtitle", kind: pString},
		{name: "ytitle", kind: pString},
		{name: "xaxis", values: "linear log"},
		{name: "yaxis", values: "linear log"},
		{name: "legend", values: "visible hidden"},
		{name: "ysplit", values: "none axes panels"},
		{name: "ymin", kind: pReal},
		{name: "ymax", kind: pReal},
		{name: "xmin", kind: pAny},
		{name: "xmax", kind: pAny},
	}
	scanParams      = paramSet{{name: "kind", values: "partial full"}, {name: "with_match_id", kind: pName}}
	searchParams    = paramSet{{name: "kind", values: "default case_insensitive case_sensitive"}}
	sortParams      = paramSet{{name: "hint.strategy", values: "splitBlock multipleBlocks"}}
	summarizeParams = paramSet{{name: "hint.shufflekey", kind: pColumn}, {name: "hint.strategy", values: "shuffle"}, {name: "hint.num_partitions", kind: pAny}}
	topParams       = paramSet{{name: "hint.progressive_top", kind: pAny}}
	unionParams     = paramSet{
		{name: "kind", values: "inner outer"},
		{name: "withsource", kind: pName},
		{name: "with_source", kind: pName},
		{name: "isfuzzy", kind: pAny},
		{name: "__isFuzzy", kind: pAny},
		{name: "best_effort", kind: pAny},
		{name: "hint.concurrency", kind: pNumber, values: concurrencyWords},
		{name: "hint.spread", kind: pNumber, values: "auto local"},
	}
	getschemaKind = paramSet{{name: "kind", values: "csl"}}
)

const renderKinds = "default unstacked stacked stacked100 map"

// paramAhead gives the spec of the parameter name at offset n and its number of tokens. equals asks for the sign behind.
func (p *parser) paramAhead(set *paramSet, n int, known, equals bool) (*paramSpec, int) {
	t := p.peekAt(n)
	if t.kind != tIdent && t.kind != tKeyword {
		return nil, 0
	}
	spec, k := set.find(t.text), 1
	if spec == nil && known {
		if spec = knownParams.find(t.text); spec == nil && t.text == "hint" {
			for _, name := range [...]string{"hint.pass_filters_column", "hint.pass_filters"} {
				if k = p.matchText(n, name); k > 0 {
					spec = knownParams.find(name)
					break
				}
			}
		}
	}
	if spec == nil || equals && !spec.noEquals && !p.isAt(n+k, "=") {
		return nil, 0
	}
	return spec, k
}

// params parses the parameters between an operator's keyword and its body. With equals, a name counts only with the
// sign behind it, so that it may also be a column.
func (p *parser) params(set *paramSet, equals bool) []*Param {
	var list []*Param
	for {
		spec, k := p.paramAhead(set, 0, true, equals)
		if spec == nil {
			return list
		}
		list = append(list, p.paramOf(set, spec, k, true))
	}
}

// paramList parses the properties of a with clause, divided by commas. Only declared names count.
func (p *parser) paramList(set *paramSet, known bool) []*Param {
	var list []*Param
	p.commaList(listOpt{what: "a property"}, func() bool {
		spec, k := p.paramAhead(set, 0, known, false)
		if spec == nil {
			if t := p.peek(); (t.kind == tIdent || t.kind == tKeyword) && p.isAt(1, "=") {
				p.fail(Span{t.start, t.end}, CodeUnexpected, "unknown property "+t.text, "the properties are "+set.names())
				list = append(list, p.paramOf(set, &paramSpec{name: t.text, kind: pString}, 1, known))
				return true
			}
			return false
		}
		list = append(list, p.paramOf(set, spec, k, known))
		return true
	})
	return list
}

func (s *paramSet) names() string {
	names := make([]string, len(*s))
	for i := range *s {
		names[i] = (*s)[i].name
	}
	return strings.Join(names, ", ")
}

// param parses one declared parameter, or gives nil.
func (p *parser) param(set *paramSet, _ string) *Param {
	spec, k := p.paramAhead(set, 0, false, true)
	if spec == nil {
		return nil
	}
	return p.paramOf(set, spec, k, false)
}

func (p *parser) paramOf(set *paramSet, spec *paramSpec, k int, known bool) *Param {
	start := p.start()
	p.pos += k
	q := &Param{Name: &Name{p.from(start), spec.name}, NoEquals: spec.noEquals}
	if !spec.noEquals {
		p.need("=")
	}
	q.Value = p.paramValue(set, spec, known)
	q.Span = p.from(start)
	return q
}

func (p *parser) paramValue(set *paramSet, spec *paramSpec, known bool) Expr {
	var x Expr
	switch spec.kind {
	case pString:
		x = p.path()
	case pReal:
		if x = p.forcedReal(); x == nil {
			x = p.anyValue()
		}
	case pName, pColumn:
		if r := p.nameRef(false); r != nil {
			return r
		}
		x = p.anyValue()
	case pColumns:
		return p.nameList(set, known)
	case pWord, pNumber:
		if spec.values == "" {
			x = p.anyValue()
			break
		}
		at := p.start()
		for rest := spec.values; rest != ""; {
			var word string
			word, rest, _ = strings.Cut(rest, " ")
			if p.acceptText(word) {
				return &NameRef{Span: p.from(at), Name: word}
			}
		}
		x = p.anyValue()
		list := strings.ReplaceAll(spec.values, " ", ", ")
		if x == nil {
			p.missing("a value for "+spec.name, "one of "+list)
			return p.bad()
		}
		if l, ok := x.(*Literal); ok && spec.kind == pNumber && l.Type == value.Long {
			return x
		}
		if r, ok := x.(*NameRef); ok && r.Quoted {
			return x
		}
		s := x.Range()
		p.fail(s, CodeUnexpected, spec.name+" can't be "+p.src[s.Start:s.End], "write one of "+list)
		return x
	default:
		x = p.anyValue()
	}
	if x == nil {
		p.missing("a value for "+spec.name, "")
		return p.bad()
	}
	return x
}

// anyValue parses a literal, a word or a name.
func (p *parser) anyValue() Expr {
	if x := p.literalExpr(); x != nil {
		return x
	}
	if r := p.nameRef(false); r != nil {
		return r
	}
	return nil
}

// nameList parses columns divided by commas, up to the next parameter.
func (p *parser) nameList(set *paramSet, known bool) Expr {
	start := p.start()
	l := &NameList{}
	for {
		r := p.nameRef(true)
		if r == nil {
			p.missing("a column", "")
			break
		}
		l.Names = append(l.Names, r)
		if !p.is(",") || isListEnd(p.peekAt(1)) {
			break
		}
		// A name that belongs to the next parameter ends the list.
		if spec, k := p.paramAhead(set, 1, true, false); spec != nil && (spec.noEquals || p.isAt(1+k, "=") || known) {
			break
		}
		p.next()
	}
	l.Span = p.from(start)
	return l
}

// needWord consumes one of the words or reports it.
func (p *parser) needWord(what string, words ...string) *Name {
	start := p.start()
	for _, w := range words {
		if p.acceptText(w) {
			return &Name{p.from(start), w}
		}
	}
	list := strings.Join(words, ", ")
	t := p.peek()
	if t.kind == tIdent || t.kind == tKeyword {
		p.fail(Span{t.start, t.end}, CodeUnexpected, what+" can't be "+t.text, "write one of "+list)
		p.next()
		return &Name{Span{t.start, t.end}, t.text}
	}
	p.missing(what, "one of "+list)
	return &Name{Span{start, start}, ""}
}

// properties parses with (name=value, …), where any name may stand.
func (p *parser) properties() []*Param {
	if !p.accept("with") {
		return nil
	}
	var list []*Param
	if !p.need("(") {
		return nil
	}
	p.commaList(listOpt{what: "a property"}, func() bool {
		start := p.start()
		n := p.name(true)
		if n == nil {
			return false
		}
		q := &Param{Name: n}
		p.need("=")
		t := p.peek()
		switch t.kind {
		case tString, tLong, tReal, tBool, tDatetime, tGUID, tRawGUID:
			if t.kind == tString {
				p.next()
				q.Value = literal(tString, t.text, Span{t.start, t.end})
				break
			}
			p.next()
			q.Value = literal(t.kind, t.text, Span{t.start, t.end})
		default:
			if r := p.nameRef(true); r != nil {
				q.Value = r
			} else {
				p.missing("a value", "")
				q.Value = p.bad()
			}
		}
		q.Span = p.from(start)
		list = append(list, q)
		return true
	})
	p.close(")")
	return list
}
