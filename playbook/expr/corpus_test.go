package expr

import (
	"bufio"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// sharedDir finds the folder of oracles, or skips (fails when PICKET_REQUIRE_SHARED=1).
func sharedDir(t testing.TB) string {
	dir := os.Getenv("PICKET_SHARED")
	if dir == "" {
		wd, err := os.Getwd()
		if err != nil {
			t.Fatal(err)
		}
		for ; wd != filepath.Dir(wd); wd = filepath.Dir(wd) {
			if _, err := os.Stat(filepath.Join(wd, "go.mod")); err == nil {
				break
			}
		}
		dir = filepath.Join(wd, "..", "shared")
	}
	if _, err := os.Stat(dir); err != nil {
		if os.Getenv("PICKET_REQUIRE_SHARED") == "1" {
			t.Fatalf("the shared folder is required: %v", err)
		}
		t.Skipf("no shared folder: %v", err)
	}
	return dir
}

// same compares a result with an expected JSON value; numbers to 1e-14 relative, texts exactly.
func same(got, want any) bool {
	if isNumber(got) && isNumber(want) {
		g, w := toFloat(got), toFloat(want)
		d := g - w
		if d < 0 {
			d = -d
		}
		m := w
		if m < 0 {
			m = -m
		}
		return compareNumbers(got, want) == 0 || (!isIntegral(got) && d <= 1e-14*max(m, 1))
	}
	if b, _, ok := Binary(got); ok {
		if s, isText := want.(string); isText {
			return string(b) == s
		}
	}
	switch w := want.(type) {
	case []any:
		g, ok := got.([]any)
		if !ok || len(g) != len(w) {
			return false
		}
		for i := range w {
			if !same(g[i], w[i]) {
				return false
			}
		}
		return true
	}
	return Equal(got, want)
}

func TestExpressionCorpus(t *testing.T) {
	f, err := os.Open(filepath.Join(sharedDir(t), "playbooks", "expressions.jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	total, good := 0, 0
	sc := bufio.NewScanner(f)
	sc.Buffer(nil, 1<<22)
	for sc.Scan() {
		v, err := ParseJSON(sc.Bytes())
		if err != nil {
			t.Fatal(err)
		}
		c := v.(*Object)
		if d := c.Value("disputed"); d != nil && d != false {
			continue
		}
		total++
		ctx, _ := c.Value("context").(*Object)
		s := c.Value("expression").(string)
		got, err := Evaluate(s, NewContext(ctx))
		bad := ""
		switch {
		case c.Value("expected_error") != nil:
			if want := c.Value("expected_error").(string); err == nil || !strings.Contains(err.Error(), want) {
				bad = fmt.Sprintf("want error %q, got %v %v", want, JSON(got), err)
			}
		case err != nil:
			bad = err.Error()
		case c.Value("expected_regex") != nil:
			if !regexp.MustCompile(c.Value("expected_regex").(string)).MatchString(Text(got)) {
				bad = Text(got)
			}
		default:
			if want, _ := c.Get("expected"); !same(got, want) {
				bad = fmt.Sprintf("got %s, want %s", JSON(got), JSON(want))
			}
		}
		if bad == "" {
			good++
		} else {
			t.Logf("%s: %s: %s", c.Value("id"), s, bad)
		}
	}
	t.Logf("expressions: %d of %d", good, total)
	if float64(good) < 0.98*float64(total) {
		t.Errorf("%d of %d expressions agree, below 98%%", good, total)
	}
}

func TestFunctionsAreComplete(t *testing.T) {
	names := map[string]bool{}
	for _, n := range Functions() {
		if names[n] {
			t.Errorf("%s is listed twice", n)
		}
		names[n] = true
	}
	if len(names) < 125 {
		t.Errorf("%d functions", len(names))
	}
}
