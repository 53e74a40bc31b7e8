// Package eval computes KQL's scalar functions and operators on vectors.
//
// It owns the meaning of every scalar function: exact types, nulls, wrapping, text forms. It knows no plan,
// no table and no engine; the interpreter (kql/exec) and the binder's constant folding call it by name.
//
//	f, ok := eval.Lookup("strlen")
//	out, err := f(ctx, value.Long, 2, []*value.Vector{value.StringVector([]string{"a", "bcd"})})
//	// out.I = [1 3]
//
// Names are the lower-case KQL names of functions (strcat, iff, bin), the catalog's names of infix operators
// (Add, Equal, HasCs, In, Between, ...; InCs is in~), and names of picket's own: member (dynamic, constant string)
// and index (dynamic, string or long; a negative array index counts from the end) for path access, tuple_item
// (call, i) for functions with several results, which give an array of them (series_fit_line, array_sort_asc).
// bag_pack_columns and pack_all take names and values in turn, pack_all its flag first.
//
// Functions never fail on data: what cannot be converted is null, as in Kusto. An error is a [Refusal]: the
// engine does not do this, or the arguments break a documented limit.
package eval

import (
	"fmt"
	"math/rand"
	"picket/kql/value"
	"sync"
)

// Func computes one scalar function over n rows. Arguments keep the types that the binder found; ret is the
// type that the result must have. Every argument has N == n; a Const argument holds one element for all rows.
// The result has N == n and may be Const when every argument is.
type Func func(c *Ctx, ret value.Type, n int, args []*value.Vector) (*value.Vector, error)

// Ctx is what a query's scalar functions share. One Ctx serves one query and one goroutine; make it with
// [NewCtx]. Fields may be set before the first call.
type Ctx struct {
	// Now is the query's one instant for now() and ago(), in ticks.
	Now int64
	// Rand feeds rand() and new_guid(). Nil makes a randomly seeded one at first use.
	Rand *rand.Rand
	// Cluster, Database and Principal answer current_cluster_endpoint(), current_database() and
	// current_principal(); empty ones make those functions refuse.
	Cluster, Database, Principal string
	// BinAutoSize and BinAutoAt are the settings query_bin_auto_size and query_bin_auto_at for bin_auto(); a size
	// of type Invalid makes it refuse, a point of type Invalid is 0.
	BinAutoSize, BinAutoAt value.Value
	// Geo answers geo_info_from_ip_address() with the bag of country, state, city, latitude and longitude; false
	// gives null. Nil makes the function refuse.
	Geo func(ip string) (*value.Bag, bool)
	// Agents answers parse_user_agent(). Nil makes the function refuse.
	Agents UserAgents

	memo map[memoKey]any
}

type memoKey struct{ kind, text string }

// NewCtx makes a context whose now() is the given instant, in ticks.
func NewCtx(now int64) *Ctx { return &Ctx{Now: now} }

// remember returns the value made for (kind, text) earlier in this query, or makes it. Failures are kept too.
// It bounds itself: patterns that come from data, not from the query, must not fill memory.
func remember[T any](c *Ctx, kind, text string, make1 func() T) T {
	k := memoKey{kind, text}
	if v, ok := c.memo[k]; ok {
		return v.(T)
	}
	if c.memo == nil || len(c.memo) >= maxMemo {
		c.memo = map[memoKey]any{}
	}
	v := make1()
	c.memo[k] = v
	return v
}

const maxMemo = 4096

// Refusal is the one error that functions give: what was asked, and why the engine does not do it.
type Refusal struct {
	Func   string // KQL name
	Reason string // what is wrong and how to mend it
	// Misused says that the call itself is wrong, for any engine; otherwise picket can't answer it.
	Misused bool
}

// Error renders "name(): reason".
func (r *Refusal) Error() string { return r.Func + "(): " + r.Reason }

func misused(name, format string, a ...any) error {
	return &Refusal{Func: name, Reason: fmt.Sprintf(format, a...), Misused: true}
}

func refuse(name, format string, a ...any) error {
	return &Refusal{Func: name, Reason: fmt.Sprintf(format, a...)}
}

// table collects the functions of all families.
type table map[string]Func

// pure adds a function of its arguments alone: when all of them are constant it runs once.
func (t table) pure(name string, f Func) { t[name] = foldConst(f) }

// raw adds a function that looks at rows itself (windows, random numbers).
func (t table) raw(name string, f Func) { t[name] = f }

var all struct {
	once sync.Once
	t    table
}

func functions() table {
	all.once.Do(func() {
		all.t = table{}
		for _, add := range families() {
			add(all.t)
		}
	})
	return all.t
}

// Lookup finds a function by the names that the package comment gives.
func Lookup(name string) (Func, bool) {
	f, ok := functions()[name]
	return f, ok
}

// Names lists every name that [Lookup] knows, unordered.
func Names() []string {
	t := functions()
	out := make([]string, 0, len(t))
	for n := range t {
		out = append(out, n)
	}
	return out
}

// foldConst runs f once on one row when all arguments are constant.
func foldConst(f Func) Func {
	return func(c *Ctx, ret value.Type, n int, args []*value.Vector) (*value.Vector, error) {
		if len(args) == 0 {
			return f(c, ret, n, args)
		}
		for _, a := range args {
			if !a.Const {
				return f(c, ret, n, args)
			}
		}
		one := make([]*value.Vector, len(args))
		for i, a := range args {
			b := *a
			b.N = 1
			one[i] = &b
		}
		out, err := f(c, ret, 1, one)
		if err != nil {
			return nil, err
		}
		b := *out
		b.Const, b.N = true, n
		return &b, nil
	}
}
