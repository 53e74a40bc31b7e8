package syntax

import (
	"sort"
	"sync"
)

// tokKind is the lexical class of a token.
type tokKind uint8

const (
	tEOF tokKind = iota
	tIdent
	tKeyword
	tPunct
	tString
	tLong
	tInt
	tReal
	tDecimal
	tBool
	tDatetime
	tTimespan
	tGUID
	tRawGUID // a guid without guid(…): only inside dynamic
	tDirective
	tBad
)

// token is one lexeme. Its text is src[start:end].
type token struct {
	kind       tokKind
	kw         kwFlags
	text       string
	start, end int
	firstInRow bool // nothing but blanks and comments before it on its line
}

// kwFlags say where a keyword may stand as a name without brackets.
type kwFlags uint8

const (
	kwName     kwFlags = 1 << iota // anywhere
	kwExtended                     // where only a name can follow: declarations, `name =`
	kwSpecial                      // as a column or table in an expression, not as a declared name
)

// keywordSpec is the language's list of fixed texts that lex as keywords.
const (
	keywordsName = "access alias bin consume count database declare default distinct entity_group evaluate extend " +
		"dataformat inline_external_table datetime_pattern facet filter fork from getschema edges id best_effort join let " +
		"limit lookup mvapply mvexpand nodes null nulls on optional order output pack parse __partitionby partition " +
		"pattern plotly graph query_parameters range reduce regex render restrict scan serialize sort step summarize " +
		"take top typeof uuid view with with_node_id bool guid"
	keywordsExtended = "accumulate as by contains datatable earliest externaldata find has in invoke latest materialize " +
		"mdm of print sample sample-distinct search set sql title to toscalar totable top-nested top-hitters verbose " +
		"viewers where"
	keywordsSpecial = "kind withsource with_source"
	keywordsOther   = "__crossCluster __crossDB __id __isFuzzy __noWithSource __packedColumn __sourceColumnIndex 3Dchart " +
		"and anomalychart areachart asc assert-schema bagexpansion barchart between bin_legacy cachingpolicy callout " +
		"cancel card columnchart commands-and-queries containscs contains_cs __contextual_datatable cycles dataexport " +
		"datascope decodeblocks desc encodingpolicy endswith endswith_cs __executeAndCache expandoutput " +
		"extent_tags_retention external_data first flags granny-asc granny-desc graph-match graph-shortest-paths " +
		"graph-to-table harddelete hardretention has_any has_all has_cs hasprefix hasprefix_cs hassuffix hassuffix_cs " +
		"hint.concurrency hint.distribution hint.materialized hint.num_partitions hint.shufflekey hint.spread " +
		"hint.remote hint.strategy hint.progressive_top hotcache in~ isfuzzy force_remote journal ladderchart last like " +
		"likecs linechart macro-expand make-graph graph-mark-components graph-where-nodes graph-where-edges make-series " +
		"materialized-view-combine materialized-views missing mv-apply mv-expand nooptimization !between notcontains " +
		"notcontainscs !contains !contains_cs !endswith !endswith_cs !has !has_cs !hasprefix !hasprefix_cs !hassuffix " +
		"!hassuffix_cs !in !in~ notlike notlikecs !startswith !startswith_cs or others parse-where parse-kv " +
		"partitioned-by pathformat piechart pivotchart project project-away project-by-names __projectAway project-keep " +
		"project-rename project-reorder project-smart queries query_results relaxed restricted_view_access " +
		"row_level_security rowstore rowstore_references rowstore_sealinfo rowstorepolicy rowstores scatterchart seal " +
		"seals set-or-append set-or-replace shards simple softdelete softretention stackedareachart startswith " +
		"startswith_cs statistics storedqueryresultcontainers tablepurge timechart timeline timepivot treemap union " +
		"unrestrictedviewers views with_itemindex with_match_id with_step_name writeaheadlog boolean int8 char uint8 " +
		"byte int16 uint16 int int32 uint uint32 long int64 ulong uint64 float real decimal double string time timespan " +
		"date datetime uniqueid dynamic"
)

type keyword struct {
	text  string
	flags kwFlags
	goo   tokKind // the literal kind of `keyword(…)`, or tEOF
}

// keywordTable holds the keywords by first byte, longest first.
type keywordTable [256][]keyword

// keywords builds the table once.
var keywords = sync.OnceValue(func() *keywordTable {
	t := new(keywordTable)
	add := func(text string, f kwFlags) {
		t[text[0]] = append(t[text[0]], keyword{text, f, gooKind(text)})
	}
	for _, w := range splitWords(keywordsName) {
		add(w, kwName|kwExtended)
	}
	for _, w := range splitWords(keywordsExtended) {
		add(w, kwExtended)
	}
	for _, w := range splitWords(keywordsSpecial) {
		add(w, kwSpecial)
	}
	for _, w := range splitWords(keywordsOther) {
		add(w, 0)
	}
	add("matches regex", 0)
	for i := range t {
		sort.SliceStable(t[i], func(a, b int) bool { return len(t[i][a].text) > len(t[i][b].text) })
	}
	return t
})

func splitWords(s string) []string {
	var out []string
	for len(s) > 0 {
		i := 0
		for i < len(s) && s[i] != ' ' {
			i++
		}
		if i > 0 {
			out = append(out, s[:i])
		}
		if i == len(s) {
			break
		}
		s = s[i+1:]
	}
	return out
}

// gooKind is the kind of literal that `word(…)` is, when the parenthesis touches the word.
func gooKind(word string) tokKind {
	switch word {
	case "long", "int64":
		return tLong
	case "int", "int32":
		return tInt
	case "real", "double":
		return tReal
	case "decimal":
		return tDecimal
	case "bool":
		return tBool
	case "datetime", "date":
		return tDatetime
	case "time", "timespan":
		return tTimespan
	case "guid":
		return tGUID
	}
	return tEOF
}

// TokenKind is the class of a [Token], for colouring.
type TokenKind string

// The classes.
const (
	TokenComment     TokenKind = "comment"
	TokenKeyword     TokenKind = "keyword"
	TokenOperator    TokenKind = "operator"
	TokenIdentifier  TokenKind = "identifier"
	TokenFunction    TokenKind = "function" // an identifier before a parenthesis
	TokenString      TokenKind = "string"
	TokenNumber      TokenKind = "number"
	TokenLiteral     TokenKind = "literal" // datetime, timespan, guid, bool
	TokenPunctuation TokenKind = "punctuation"
	TokenDirective   TokenKind = "directive"
	TokenBad         TokenKind = "bad"
)

// Token is one coloured piece of a text; blanks lie between tokens.
type Token struct {
	Span
	Kind TokenKind
}

// Tokens cuts a text into coloured pieces, comments included. It never fails: what is no part of the language is
// TokenBad, and a text over MaxTextBytes gives nil.
func Tokens(text string) []Token {
	if len(text) > MaxTextBytes {
		return nil
	}
	l := lexer{src: text, comments: true}
	l.run()
	out := make([]Token, 0, len(l.toks)+len(l.found))
	c := 0
	for i, t := range l.toks {
		for c < len(l.found) && l.found[c].Start < t.start {
			out = append(out, Token{l.found[c], TokenComment})
			c++
		}
		if t.kind == tEOF {
			break
		}
		k := TokenPunctuation
		switch t.kind {
		case tIdent, tKeyword:
			k = TokenIdentifier
			if t.kind == tKeyword {
				k = TokenKeyword
			}
			if t.kind == tIdent || t.kw&kwName != 0 {
				if i+1 < len(l.toks) && l.toks[i+1].text == "(" {
					k = TokenFunction
				}
			}
		case tString:
			k = TokenString
		case tLong, tInt, tReal, tDecimal:
			k = TokenNumber
		case tBool, tDatetime, tTimespan, tGUID, tRawGUID:
			k = TokenLiteral
		case tDirective:
			k = TokenDirective
		case tBad:
			k = TokenBad
		case tPunct:
			switch t.text {
			case "=", "==", "!=", "<>", "<", "<=", ">", ">=", "=~", "!~", "+", "-", "*", "/", "%", "..", "=>", "|":
				k = TokenOperator
			}
		}
		out = append(out, Token{Span{t.start, t.end}, k})
	}
	for ; c < len(l.found); c++ {
		out = append(out, Token{l.found[c], TokenComment})
	}
	return out
}
