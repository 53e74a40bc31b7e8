// Command conformance counts, over the corpora under PICKET_SHARED, how far picket agrees with Microsoft's parser,
// binder, engine and services, and writes CONFORMANCE.md. Run it by `make conformance`; the file is never edited
// by hand.
package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"log"
	"os"
	"os/exec"
	"path/filepath"
	"picket/detect"
	"picket/kql"
	"picket/kql/bind"
	"picket/kql/kqltest"
	"picket/kql/syntax"
	"picket/kql/value"
	"regexp"
	"runtime"
	"sort"
	"strings"
	"sync"
	"time"

	kqlexec "picket/kql/exec"
)

const perQuery = 20 * time.Second

func main() {
	out := flag.String("o", "CONFORMANCE.md", "file to write")
	flag.Parse()
	dir := os.Getenv("PICKET_SHARED")
	if dir == "" {
		dir = filepath.Join("..", "shared")
	}
	if _, err := os.Stat(filepath.Join(dir, "kql")); err != nil {
		log.Fatalf("the corpora are not at %s: set PICKET_SHARED", dir)
	}
	r := &report{dir: dir}
	for _, f := range []func() error{
		r.parse, r.bindDocs, r.bindContent, r.contentRows, r.values("docs_values.jsonl", "Documentation examples' values"), r.values("emulator_values.jsonl", "The engine's recorded answers"),
		r.refusals, r.rules, r.playbooks,
	} {
		if err := f(); err != nil {
			log.Fatal(err)
		}
	}
	if err := os.WriteFile(*out, []byte(r.markdown()), 0o644); err != nil {
		log.Fatal(err)
	}
}

type row struct {
	what, against string
	good, all     int
	goal          string
}

type failure struct{ group, id, why string }

type report struct {
	dir   string
	rows  []row
	fails []failure
}

func (r *report) add(what, against string, good, all int, goal string) {
	r.rows = append(r.rows, row{what, against, good, all, goal})
	fmt.Printf("%s: %d/%d\n", what, good, all)
}

func (r *report) fail(group, id, why string) {
	r.fails = append(r.fails, failure{group, id, kqltest.Line(why, 160)})
}

// corpus is a record of any of the KQL corpora.
type corpus struct {
	ID       string          `json:"id"`
	Query    string          `json:"query"`
	MsOK     *bool           `json:"ms_ok"`
	MsErrors []msError       `json:"ms_errors"`
	MsResult json.RawMessage `json:"ms_result"`
	Result   json.RawMessage `json:"result"`
	Expected *struct {
		Columns []string    `json:"columns"`
		Rows    [][]*string `json:"rows"`
	} `json:"expected"`
}

type msError struct{ Code, Message, At string }

func (r *report) read(name string) ([]corpus, error) {
	f, err := os.Open(filepath.Join(r.dir, name))
	if err != nil {
		return nil, err
	}
	defer f.Close()
	var out []corpus
	sc := bufio.NewScanner(f)
	sc.Buffer(nil, 64<<20)
	for sc.Scan() {
		var c corpus
		if err := json.Unmarshal(sc.Bytes(), &c); err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		out = append(out, c)
	}
	return out, sc.Err()
}

// syntaxCodes are those of Microsoft's codes that speak of syntax; the others are the binder's.
var syntaxCodes = map[string]bool{"KS001": true, "KS002": true, "KS005": true, "KS006": true, "KS160": true, "KS176": true, "KS198": true, "KS214": true, "KS217": true, "KS228": true}

func isCommand(q string) bool {
	doc, _ := syntax.Parse(q)
	if len(doc.Statements) == 0 {
		return false
	}
	_, ok := doc.Statements[0].(*syntax.CommandStmt)
	return ok
}

func (r *report) parse() error {
	docs, err := r.read("kql/docs_schemas.jsonl")
	if err != nil {
		return err
	}
	content, err := r.read("content/queries.jsonl")
	if err != nil {
		return err
	}
	var ok, okAll, bad, badAll, same int
	for _, c := range append(docs, content...) {
		if isCommand(c.Query) {
			continue
		}
		wrong := false
		for _, e := range c.MsErrors {
			wrong = wrong || syntaxCodes[e.Code]
		}
		doc, errs := syntax.Parse(c.Query)
		if wrong {
			badAll++
			if len(errs) > 0 {
				bad++
			} else {
				r.fail("Syntax that should be rejected", c.ID, c.MsErrors[0].Message)
			}
			continue
		}
		okAll++
		if len(errs) > 0 {
			r.fail("Syntax that should be accepted", c.ID, errs[0].Error())
			continue
		}
		ok++
		text := syntax.Print(doc)
		again, errs := syntax.Parse(text)
		if len(errs) == 0 && syntax.Print(again) == text {
			same++
		} else {
			r.fail("Print and parse again", c.ID, "the printed text does not parse to the same tree")
		}
	}
	r.add("KQL texts accepted", "Microsoft's parser", ok, okAll, "all")
	r.add("KQL texts rejected", "Microsoft's parser", bad, badAll, "99%")
	r.add("Printed and parsed to the same text", "", same, ok, "all")
	return nil
}

func (r *report) tables(name string) (bind.Tables, error) {
	b, err := os.ReadFile(filepath.Join(r.dir, name))
	if err != nil {
		return nil, err
	}
	return kqltest.ReadTables(b)
}

// columnsOf reads a binder's result: a list of {name, type}, or a scalar's {kind, type}.
func columnsOf(raw json.RawMessage) (out []string, scalar bool) {
	var list []struct{ Name, Type string }
	if json.Unmarshal(raw, &list) != nil {
		return nil, true
	}
	for _, c := range list {
		out = append(out, c.Name+":"+c.Type)
	}
	return out, false
}

func columns(s value.Schema) []string {
	out := make([]string, len(s))
	for i, c := range s {
		out[i] = c.Name + ":" + c.Type.String()
	}
	return out
}

// each answers all records on every processor, in the order of the corpus.
func each(cs []corpus, in kql.Input) []kql.Answered {
	out := make([]kql.Answered, len(cs))
	jobs := make(chan int)
	var wg sync.WaitGroup
	for range runtime.GOMAXPROCS(0) {
		wg.Add(1)
		go func() {
			defer wg.Done()
			for i := range jobs {
				ctx, cancel := context.WithTimeout(context.Background(), perQuery)
				out[i] = kql.Answer(ctx, cs[i].Query, in)
				cancel()
			}
		}()
	}
	for i := range cs {
		jobs <- i
	}
	close(jobs)
	wg.Wait()
	return out
}

func notSupported(err error) bool {
	var l syntax.ErrorList
	return errors.As(err, &l) && len(l) > 0 && l[0].Code == syntax.CodeNotSupported
}

func (r *report) bindDocs() error {
	cs, err := r.read("kql/docs_schemas.jsonl")
	if err != nil {
		return err
	}
	tables, err := r.tables("kql/docs_tables.json")
	if err != nil {
		return err
	}
	var queries, commands, all bound
	for i, a := range each(cs, kql.Input{Schema: samples{tables}, BindOnly: true}) {
		c := cs[i]
		kind, n := "queries", &queries
		if isCommand(c.Query) {
			kind, n = "commands", &commands
		}
		if *c.MsOK {
			want, scalar := columnsOf(c.MsResult)
			n.all++
			switch {
			case a.Err != nil:
				r.fail("Documentation "+kind+" that should bind", c.ID, a.Err.Error())
			case scalar || len(a.Tables) > 0 && strings.Join(columns(a.Tables[0].Schema), ",") == strings.Join(want, ","):
				n.good++
			case len(a.Tables) == 0:
				r.fail("Documentation "+kind+" that should bind", c.ID, fmt.Sprintf("no result, not %v", want))
			default:
				r.fail("Documentation "+kind+" that should bind", c.ID, fmt.Sprintf("%v, not %v", columns(a.Tables[0].Schema), want))
			}
			continue
		}
		n.rejAll++
		if a.Err == nil || notSupported(a.Err) {
			r.fail("Documentation "+kind+" that should be rejected", c.ID, c.MsErrors[0].Code+" "+c.MsErrors[0].Message)
			continue
		}
		n.rej++
		if samePlace(c, a.Err) {
			n.place++
		}
	}
	all.add(queries)
	all.add(commands)
	r.add("Documentation texts: result columns and types", "Microsoft's binder", all.good, all.all, "99%")
	r.add("Documentation texts rejected", "Microsoft's binder", all.rej, all.rejAll, "97%")
	r.add("… with an error over the same text", "Microsoft's binder", all.place, all.rejAll, "97%")
	r.add("Of these management commands: result columns and types", "Microsoft's binder", commands.good, commands.all, "")
	r.add("Management commands rejected", "Microsoft's binder", commands.rej, commands.rejAll, "")
	r.add("… with an error over the same text", "Microsoft's binder", commands.place, commands.rejAll, "")
	return nil
}

// bound counts what the binder accepts and rejects.
type bound struct{ good, all, rej, rejAll, place int }

func (b *bound) add(o bound) {
	b.good += o.good
	b.all += o.all
	b.rej += o.rej
	b.rejAll += o.rejAll
	b.place += o.place
}

// samePlace reports an error over a text that one of Microsoft's errors marks.
func samePlace(c corpus, err error) bool {
	var l syntax.ErrorList
	if !errors.As(err, &l) {
		return false
	}
	for _, e := range l {
		if e.Start > e.End || e.End > len(c.Query) {
			continue
		}
		for _, m := range c.MsErrors {
			if strings.Trim(c.Query[e.Start:e.End], "[]'\"") == strings.Trim(m.At, "[]'\"") {
				return true
			}
		}
	}
	return false
}

// samples is the documentation's database under the names that its examples use for it.
type samples struct{ tables bind.Tables }

func (s samples) own(d bind.Scope) bool {
	switch d.Cluster {
	case "", "help", "help.kusto.windows.net":
		return d.Database == "" || d.Database == "Samples"
	}
	return false
}

func (s samples) Known(d bind.Scope) bool { return s.own(d) }

func (s samples) Table(d bind.Scope, name string) (value.Schema, bool) {
	if !s.own(d) {
		return nil, false
	}
	return s.tables.Table(bind.Scope{}, name)
}

func (s samples) Function(bind.Scope, string) (bind.Function, bool) { return bind.Function{}, false }

func (s samples) Tables(d bind.Scope) []string {
	if !s.own(d) {
		return nil
	}
	return s.tables.Tables(bind.Scope{})
}

func (r *report) bindContent() error {
	cs, err := r.read("content/queries.jsonl")
	if err != nil {
		return err
	}
	tables, err := r.tables("content/tables.json")
	if err != nil {
		return err
	}
	var compile, good, run int
	for i, a := range each(cs, kql.Input{Schema: tables, BindOnly: true}) {
		if a.Err != nil {
			r.fail("Content that should compile", cs[i].ID, a.Err.Error())
			continue
		}
		compile++
		want, _ := columnsOf(cs[i].Result)
		if len(a.Tables) > 0 && strings.Join(columns(a.Tables[0].Schema), ",") == strings.Join(want, ",") {
			good++
		} else {
			r.fail("Content whose columns differ", cs[i].ID, fmt.Sprintf("%v, not %v", columns(a.Tables[0].Schema), want))
		}
	}
	for i, a := range each(cs, kql.Input{Schema: tables, Exec: kqlexec.Options{External: noFiles}}) {
		if a.Err == nil {
			run++
		} else {
			r.fail("Content that should run on empty tables and files", cs[i].ID, a.Err.Error())
		}
	}
	r.add("Rules' and hunting queries that compile", "", compile, len(cs), "98%")
	r.add("… with the binder's columns and types", "Microsoft's binder", good, len(cs), "99%")
	r.add("… and run on empty tables and files", "", run, len(cs), "98%")
	return nil
}

func (r *report) refusals() error {
	cs, err := r.read("kql/emulator_refusals.jsonl")
	if err != nil {
		return err
	}
	good := 0
	for i, a := range each(cs, kql.Input{}) {
		if a.Err != nil && !notSupported(a.Err) {
			good++
		} else {
			r.fail("Queries that the engine refuses", cs[i].ID, "accepted, or only not supported")
		}
	}
	r.add("Queries that the engine refuses", "Microsoft's engine", good, len(cs), "90%")
	return nil
}

func (r *report) rules() error {
	files, err := filepath.Glob(filepath.Join(r.dir, "content", "rules", "*"))
	if err != nil {
		return err
	}
	good := 0
	for _, f := range files {
		b, err := os.ReadFile(f)
		if err != nil {
			return err
		}
		if _, err := detect.ParseTemplate(b); err != nil {
			r.fail("Rule files", filepath.Base(f), err.Error())
			continue
		}
		good++
	}
	r.add("Rule files that load", "", good, len(files), "all")
	return nil
}

var counter = regexp.MustCompile(`(?m)^\s+\S+_test\.go:\d+: ([a-z][a-z ,]*[a-z]): (\d+) of (\d+)`)

// playbooks takes the counters that the playbook room's own corpus tests print: "name: n of m".
func (r *report) playbooks() error {
	cmd := exec.Command("go", "test", "-count=1", "-v", "-run", "Corpus", "./playbook/...")
	cmd.Env = append(os.Environ(), "PICKET_REQUIRE_SHARED=1")
	b, err := cmd.CombinedOutput()
	if err != nil {
		return fmt.Errorf("the playbook corpora: %w\n%s", err, b)
	}
	found := counter.FindAllStringSubmatch(string(b), -1)
	if len(found) == 0 {
		return errors.New("the playbook corpora printed no counter")
	}
	for _, m := range found {
		var n, all int
		fmt.Sscan(m[2], &n)
		fmt.Sscan(m[3], &all)
		r.add("Playbooks: "+m[1], "documentation and recorded results", n, all, "")
	}
	return nil
}

func (r *report) markdown() string {
	var b strings.Builder
	b.WriteString("# Conformance\n\nGenerated by `make conformance`; never edited by hand. Each counter is over the part of a corpus that lies under `PICKET_SHARED`; an error that says \"not supported\" never counts as agreement with a refusal.\n\n")
	b.WriteString("| what | against | agrees | of | % | goal |\n|---|---|---:|---:|---:|---|\n")
	for _, x := range r.rows {
		pc := "–"
		if x.all > 0 {
			pc = fmt.Sprintf("%.1f", 100*float64(x.good)/float64(x.all))
		}
		fmt.Fprintf(&b, "| %s | %s | %d | %d | %s | %s |\n", x.what, x.against, x.good, x.all, pc, x.goal)
	}
	groups := map[string][]failure{}
	var names []string
	for _, f := range r.fails {
		if groups[f.group] == nil {
			names = append(names, f.group)
		}
		groups[f.group] = append(groups[f.group], f)
	}
	b.WriteString("\n## What does not agree\n")
	for _, n := range names {
		fmt.Fprintf(&b, "\n### %s (%d)\n\n", n, len(groups[n]))
		fs := groups[n]
		sort.SliceStable(fs, func(i, j int) bool { return fs[i].id < fs[j].id })
		for _, f := range fs {
			fmt.Fprintf(&b, "- `%s`: %s\n", f.id, strings.NewReplacer("|", "\\|", "<", "&lt;").Replace(f.why))
		}
	}
	return b.String()
}
