package expr

import (
	_ "embed"
	"encoding/json"
	"strings"
	"sync"
)

// cultures.jsonl holds names and patterns of cultures as .NET uses them (from Unicode CLDR).
//
//go:embed cultures.jsonl
var culturesText string

// culture is how a place writes dates and numbers. Patterns are .NET's.
type culture struct {
	Name             string
	Decimal, Group   string
	Currency         string
	CurrencyPositive string // n for the number, $ for the symbol
	CurrencyNegative string
	Percent          string
	Months, MonthsOf []string // MonthsOf: beside a day
	MonthsShort      []string
	Days, DaysShort  []string
	AM, PM           string
	DateSep, TimeSep string
	ShortDate        string `json:"-"`
	LongDate         string `json:"-"`
	ShortTime        string `json:"-"`
	LongTime         string `json:"-"`
	MonthDay         string `json:"-"`
	YearMonth        string `json:"-"`
}

var cultures = sync.OnceValue(func() map[string]*culture {
	out := map[string]*culture{}
	for line := range strings.Lines(culturesText) {
		var c culture
		var raw map[string]any
		if json.Unmarshal([]byte(line), &c) != nil || json.Unmarshal([]byte(line), &raw) != nil {
			continue
		}
		text := func(k string) string { s, _ := raw[k].(string); return s }
		c.ShortDate, c.LongDate, c.ShortTime = text("d"), text("D"), text("t")
		c.LongTime, c.MonthDay, c.YearMonth = text("T"), text("M"), text("Y")
		out[strings.ToLower(c.Name)] = &c
		lang, _, _ := strings.Cut(strings.ToLower(c.Name), "-")
		if out[lang] == nil { // the first of a language stands for it
			out[lang] = &c
		}
	}
	inv := *out["en-us"]
	inv.Currency = "¤"
	out["invariant"] = &inv
	return out
})

// findCulture finds a culture by its RFC 4646 name; no name is en-US. A place that has no data of its own
// takes its language's; an unknown language isn't found.
func findCulture(name string) (*culture, bool) {
	n := strings.ToLower(strings.TrimSpace(strings.ReplaceAll(name, "_", "-")))
	if n == "" {
		n = "en-us"
	}
	all := cultures()
	if c, ok := all[n]; ok {
		return c, true
	}
	lang, _, _ := strings.Cut(n, "-")
	switch lang {
	case "nn", "no":
		lang = "nb"
	}
	c, ok := all[lang]
	return c, ok
}

func cultureArg(name string, args []any, i int) (*culture, error) {
	n := optionalText(args, i)
	c, ok := findCulture(n)
	if !ok {
		return nil, errf("The template language function '%s' was invoked with a locale that is not valid or not known: '%s'. %s", name, clip(n, 50), usage(name))
	}
	return c, nil
}
