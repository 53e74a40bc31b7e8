package bind

import (
	"picket/kql/syntax"
	"picket/kql/value"
	"strings"
)

// paramKind is what the value of an operator's parameter may be.
type paramKind uint8

const (
	pAny paramKind = iota
	pWord
	pWordOrNumber
	pBool
	pInteger
	pNumber
	pString
	pColumn
	pName
)

type paramSpec struct {
	kind   paramKind
	values []string
	repeat bool
}

type paramSpecs map[string]paramSpec

func words(v ...string) paramSpec { return paramSpec{kind: pWord, values: v} }

var (
	hintStrategy    = words("auto", "broadcast", "centralized", "shuffle")
	hintKey         = paramSpec{kind: pColumn, repeat: true}
	hintPartitions  = paramSpec{kind: pInteger}
	hintConcurrency = paramSpec{kind: pWordOrNumber, values: []string{"auto", "left", "local", "right", "unresolved"}}
	hintSpread      = paramSpec{kind: pWordOrNumber, values: []string{"auto", "local"}}
	aBool           = paramSpec{kind: pBool}
	aName           = paramSpec{kind: pName}
	aString         = paramSpec{kind: pString}

	paramsAs        = paramSpecs{"hint.materialized": aBool}
	paramsConsume   = paramSpecs{"decodeblocks": aBool}
	paramsDistinct  = paramSpecs{"hint.shufflekey": hintKey, "hint.strategy": hintStrategy, "hint.num_partitions": hintPartitions}
	paramsEvaluate  = paramSpecs{"hint.distribution": words("single", "per_node", "per_shard", "default"), "hint.remote": words("auto", "local")}
	paramsFind      = paramSpecs{"withsource": aName, "with_source": aName}
	paramsMatch     = paramSpecs{"cycles": words("none", "all", "unique_edges")}
	paramsShortest  = paramSpecs{"output": words("any", "all")}
	paramsJoin      = paramSpecs{"kind": words("inner", "fullouter", "innerunique", "leftanti", "leftantisemi", "anti", "leftouter", "leftsemi", "rightanti", "rightantisemi", "rightouter", "rightsemi"), "hint.remote": words("auto", "left", "local", "right", "unresolved"), "hint.shufflekey": hintKey, "hint.strategy": hintStrategy, "hint.num_partitions": hintPartitions}
	paramsMark      = paramSpecs{"kind": words("weak", "strong"), "with_component_id": aName}
	paramsLookup    = paramSpecs{"kind": words("inner", "leftouter")}
	paramsSeries    = paramSpecs{"hint.shufflekey": hintKey, "kind": words("nonempty")}
	paramsApply     = paramSpecs{"with_itemindex": aName}
	paramsExpand    = paramSpecs{"kind": words("bag", "array"), "bagexpansion": words("bag", "array"), "with_itemindex": aName}
	paramsParse     = paramSpecs{"kind": words("simple", "regex", "relaxed"), "flags": {kind: pAny}}
	paramsParseKv   = paramSpecs{"pair_delimiter": aString, "kv_delimiter": aString, "regex": aString, "quote": {kind: pString, repeat: true}, "escape": {kind: pString, repeat: true}, "greedy": aBool}
	paramsPartition = paramSpecs{"hint.concurrency": hintConcurrency, "hint.spread": hintSpread, "hint.materialized": aBool, "hint.shufflekey": hintKey, "hint.strategy": words("shuffle", "native", "legacy")}
	paramsReduce    = paramSpecs{"kind": words("source")}
	paramsReduceBy  = paramSpecs{"threshold": {kind: pNumber}, "characters": aString}
	paramsScan      = paramSpecs{"kind": words("partial", "full"), "with_match_id": aName}
	paramsSearch    = paramSpecs{"kind": words("default", "case_insensitive", "case_sensitive")}
	paramsSerialize = paramSpecs{}
	paramsSort      = paramSpecs{"hint.strategy": words("splitBlock", "multipleBlocks")}
	paramsSummarize = paramSpecs{"hint.shufflekey": hintKey, "hint.strategy": words("shuffle"), "hint.num_partitions": hintPartitions}
	paramsUnion     = paramSpecs{"kind": words("inner", "outer"), "withsource": aName, "with_source": aName, "isfuzzy": aBool, "best_effort": aBool, "hint.concurrency": hintConcurrency, "hint.spread": hintSpread}
	paramsMacro     = paramSpecs{"force_remote": aBool, "isfuzzy": aBool, "best_effort": aBool}
)

// paramName maps the older spellings of a parameter to one.
func paramName(s string) string {
	switch s {
	case "with_source":
		return "withsource"
	case "__isFuzzy":
		return "isfuzzy"
	}
	return s
}

// queryParams checks the parameters of an operator against what it takes. Unknown names are ignored, as the
// service does.
func (b *binder) queryParams(ps []*syntax.Param, specs paramSpecs) {
	seen := map[string]bool{}
	for _, p := range ps {
		if p.Name == nil {
			continue
		}
		name := paramName(p.Name.Text)
		spec, ok := specs[name]
		if !ok {
			continue
		}
		if seen[name] && !spec.repeat {
			b.fail(p.Name.Span, "SEM0180", "the parameter %s is already specified", quoteName(p.Name.Text))
		}
		seen[name] = true
		b.queryParam(p, spec)
	}
}

func (b *binder) queryParam(p *syntax.Param, spec paramSpec) {
	if p.Value == nil {
		return
	}
	at := p.Value.Range()
	lit, _ := p.Value.(*syntax.Literal)
	switch spec.kind {
	case pWord, pWordOrNumber:
		if spec.kind == pWordOrNumber && lit != nil && (lit.Type == value.Long || lit.Type == value.Int) {
			return
		}
		w, ok := paramWord(p)
		if !ok || len(spec.values) > 0 && !hasFold(spec.values, w) {
			b.fail(at, "SEM0005", "expected one of: %s", strings.Join(spec.values, ", "))
		}
	case pBool:
		if lit == nil || lit.Type != value.Bool {
			b.fail(at, "SEM0223", "true or false is expected here")
		}
	case pInteger:
		if lit == nil || lit.Type != value.Long && lit.Type != value.Int {
			b.fail(at, "SEM0221", "an integer literal is expected here")
		}
	case pNumber:
		if op := b.expr(p.Value); !op.lit && constValue(op.expr()) == nil || !op.t.isNumeric() {
			b.fail(at, "SEM0225", "a numeric literal is expected here")
		}
	case pString:
		if lit == nil || lit.Type != value.String {
			b.fail(at, "SEM0222", "a string literal is expected here")
		}
	case pColumn:
		if n, ok := p.Value.(*syntax.NameRef); ok && b.row != nil && !b.row.open && b.row.find(n.Name) == nil {
			b.fail(at, "SEM0109", "a column name is expected here")
		}
	}
}

// param finds a parameter by name.
func param(ps []*syntax.Param, name string) *syntax.Param {
	for _, p := range ps {
		if p.Name != nil && paramName(p.Name.Text) == name {
			return p
		}
	}
	return nil
}

// paramWord is the word or text that a parameter holds.
func paramWord(p *syntax.Param) (string, bool) {
	switch v := p.Value.(type) {
	case *syntax.NameRef:
		return v.Name, true
	case *syntax.Literal:
		if v.Type == value.String {
			return v.Value.S, true
		}
	}
	return "", false
}

// word is the value of a parameter as a word, or "".
func word(ps []*syntax.Param, name string) string {
	if p := param(ps, name); p != nil {
		w, _ := paramWord(p)
		return w
	}
	return ""
}

// flag is the value of a boolean parameter, and whether it is there.
func flag(ps []*syntax.Param, name string) (on, ok bool) {
	if p := param(ps, name); p != nil {
		if l, isLit := p.Value.(*syntax.Literal); isLit && l.Type == value.Bool {
			return l.Value.I != 0, true
		}
	}
	return false, false
}
