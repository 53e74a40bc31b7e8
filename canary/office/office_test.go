package office

import (
	"archive/zip"
	"bytes"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"
)

const link = "http://docs.example.org/assets/img/abcdefghijklmnopqrstuvwxy/logo.png?a=1&b=2"

func rnd(n uint64) *rand.Rand { return rand.New(rand.NewPCG(n, 2)) }

func sample(n uint64) Doc {
	return Doc{
		Title: `Accounts & <more>`, Text: "one\ntwo", Header: []string{"Name", "Balance"}, Numeric: []bool{false, true},
		Rows: [][]string{{"A & B", "1,200.50"}, {"=cmd()", "-3"}}, Link: link, Creator: "X Y", Editor: "Z", Company: "Q & Co",
		Before: time.Date(2026, 11, 24, 0, 0, 0, 0, time.UTC), Rand: rnd(n),
	}
}

func TestGeneratedPackagesAreSound(t *testing.T) {
	for name, make := range map[string]func(Doc) ([]byte, error){"word": Word, "sheet": Sheet} {
		seen := map[string]int{}
		for n := range uint64(60) {
			b, err := make(sample(n))
			if err != nil {
				t.Fatal(err)
			}
			if err := Check(b); err != nil {
				t.Fatalf("%s %d: %v", name, n, err)
			}
			links, err := ExternalImages(b)
			if err != nil || !reflect.DeepEqual(links, []string{link}) {
				t.Fatalf("%s: %q, %v", name, links, err)
			}
			again, err := make(sample(n))
			if err != nil || !bytes.Equal(b, again) {
				t.Fatalf("%s: the same seed gives other bytes", name)
			}
			seen[fmt.Sprintf("%x", b[:200])+fmt.Sprint(len(b))]++
			p, err := open(b)
			if err != nil {
				t.Fatal(err)
			}
			core, _ := p.get("docProps/core.xml")
			if strings.Contains(string(core), "2026-11-24") {
				t.Errorf("a date is not before the token's creation: %s", core)
			}
		}
		if len(seen) < 30 {
			t.Errorf("%s: only %d different packages of 60", name, len(seen))
		}
	}
}

func TestCheckFindsFaults(t *testing.T) {
	good, err := Word(sample(1))
	if err != nil {
		t.Fatal(err)
	}
	for name, change := range map[string]func(p *pkg){
		"untyped part":        func(p *pkg) { p.put("word/x.bin", []byte("x")) },
		"override of nothing": func(p *pkg) { p.addType("word/none.xml", "x/y") },
		"dangling relation":   func(p *pkg) { p.addRel("word/document.xml", "header", "none.xml", false) },
		"broken XML":          func(p *pkg) { p.put("word/styles.xml", []byte("<a><b></a>")) },
		"missing main part": func(p *pkg) {
			p.parts = append(p.parts[:p.index("word/document.xml")], p.parts[p.index("word/document.xml")+1:]...)
		},
		"unknown id":      func(p *pkg) { p.put("word/styles.xml", []byte(`<a `+nsR+` r:id="rId99"/>`)) },
		"rels of no part": func(p *pkg) { p.put("word/_rels/none.xml.rels", []byte(relsHead+`</Relationships>`)) },
	} {
		p, err := open(good)
		if err != nil {
			t.Fatal(err)
		}
		change(p)
		b, err := p.bytes()
		if err != nil {
			t.Fatal(err)
		}
		if Check(b) == nil {
			t.Errorf("%s isn't found", name)
		}
	}
}

// docWith makes a document around a body.
func docWith(t testing.TB, root string, extra ...part) []byte {
	t.Helper()
	p := &pkg{}
	p.put("[Content_Types].xml", []byte(`<Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types"><Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/><Default Extension="xml" ContentType="application/xml"/>`+
		override("word/document.xml", "application/vnd.openxmlformats-officedocument.wordprocessingml.document.main+xml")+`</Types>`))
	p.put("_rels/.rels", []byte(relsHead+relXML("rId1", "officeDocument", "/word/document.xml")+`</Relationships>`))
	p.put("word/document.xml", []byte(root))
	for _, x := range extra {
		p.put(x.name, x.data)
	}
	b, err := p.bytes()
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestArmWordKeepsTheRest(t *testing.T) {
	const w = `<w:document ` + nsW + ` ` + nsR + `><w:body>`
	for name, c := range map[string]struct {
		root  string
		extra []part
		parts []string // that hold the picture
	}{
		"no section":     {w + `<w:p/></w:body></w:document>`, nil, []string{"word/header1.xml", "word/footer1.xml"}},
		"empty section":  {w + `<w:p/><w:sectPr/></w:body></w:document>`, nil, []string{"word/header1.xml", "word/footer1.xml"}},
		"other prefix":   {`<x:document xmlns:x="http://schemas.openxmlformats.org/wordprocessingml/2006/main"><x:body><x:p/><x:sectPr><x:pgSz x:w="1"/></x:sectPr></x:body></x:document>`, nil, []string{"word/header1.xml", "word/footer1.xml"}},
		"strict":         {`<w:document xmlns:w="http://purl.oclc.org/ooxml/wordprocessingml/main"><w:body><w:p/><w:sectPr/></w:body></w:document>`, nil, []string{"word/header1.xml", "word/footer1.xml"}},
		"title page":     {w + `<w:p/><w:sectPr><w:titlePg/></w:sectPr></w:body></w:document>`, nil, []string{"word/header1.xml", "word/header2.xml", "word/footer1.xml", "word/footer2.xml"}},
		"no title page":  {w + `<w:p/><w:sectPr><w:titlePg w:val="0"/></w:sectPr></w:body></w:document>`, nil, []string{"word/header1.xml", "word/footer1.xml"}},
		"two sections":   {w + `<w:p><w:pPr><w:sectPr><w:pgSz/></w:sectPr></w:pPr></w:p><w:p/><w:sectPr><w:titlePg/></w:sectPr></w:body></w:document>`, nil, []string{"word/header1.xml", "word/footer1.xml"}},
		"tracked change": {w + `<w:p/><w:sectPr><w:pgSz/><w:sectPrChange w:id="1" w:author="a"><w:sectPr><w:titlePg/></w:sectPr></w:sectPrChange></w:sectPr></w:body></w:document>`, nil, []string{"word/header1.xml", "word/footer1.xml"}},
		"header is there": {w + `<w:p/><w:sectPr><w:headerReference w:type="default" r:id="rId7"/></w:sectPr></w:body></w:document>`, []part{
			{"word/_rels/document.xml.rels", []byte(relsHead + relXML("rId7", "header", "header1.xml") + `</Relationships>`)},
			{"word/header1.xml", []byte(`<w:hdr ` + nsW + `/>`)},
		}, []string{"word/header1.xml", "word/footer1.xml"}},
	} {
		in := docWith(t, c.root, c.extra...)
		out, err := ArmWord(in, link, rnd(1))
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if err := Check(out); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		p, err := open(out)
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, x := range p.parts {
			if b, ok := p.get(relsName(x.name)); ok && strings.Contains(string(b), `TargetMode="External"`) {
				got = append(got, x.name)
				if !strings.Contains(string(x.data), "r:link=") && !strings.Contains(string(x.data), "INCLUDEPICTURE") {
					t.Errorf("%s: %s has no picture", name, x.name)
				}
			}
		}
		want := map[string]bool{}
		for _, x := range c.parts {
			want[x] = true
		}
		for _, g := range got {
			delete(want, g)
		}
		if len(got) != len(c.parts) || len(want) > 0 {
			t.Errorf("%s: the picture is in %q, want %q", name, got, c.parts)
		}
		// what was in the main part is still there, in order
		doc, _ := p.get("word/document.xml")
		i := 0
		for _, ch := range []byte(c.root) {
			for i < len(doc) && doc[i] != ch {
				i++
			}
			i++
		}
		if i > len(doc) && !strings.Contains(c.root, "sectPr/>") {
			t.Errorf("%s: the document changed: %s", name, doc)
		}
	}
}

func TestArmRefusesByName(t *testing.T) {
	word := docWith(t, `<w:document `+nsW+`><w:body><w:p/></w:body></w:document>`)
	sheet, err := Sheet(sample(1))
	if err != nil {
		t.Fatal(err)
	}
	var z bytes.Buffer
	zw := zip.NewWriter(&z)
	zw.Create("hello.txt")
	zw.Close()
	for name, c := range map[string]struct {
		b   []byte
		say string
		arm func([]byte, string, *rand.Rand) ([]byte, error)
	}{
		"old .doc":      {[]byte("\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"), "password", ArmWord},
		"text":          {[]byte("hello"), "no Office Open XML", ArmWord},
		"zip":           {z.Bytes(), "Content_Types", ArmWord},
		"xlsx as docx":  {sheet, "no Word document", ArmWord},
		"docx as xlsx":  {word, "no Excel workbook", ArmSheet},
		"signed":        {docWith(t, `<w:document `+nsW+`><w:body/></w:document>`, part{"_xmlsignatures/sig1.xml", []byte("<a/>")}), "signed", ArmWord},
		"no body":       {docWith(t, `<w:document `+nsW+`/>`), "body", ArmWord},
		"lost header":   {docWith(t, `<w:document `+nsW+` `+nsR+`><w:body><w:sectPr><w:headerReference w:type="default" r:id="rId1"/></w:sectPr></w:body></w:document>`), "missing", ArmWord},
		"broken":        {docWith(t, `<w:document `+nsW+`><w:body>`), "EOF", ArmWord},
		"too large":     {make([]byte, MaxFile+1), "limit", ArmWord},
		"outside paths": {docWith(t, `<a/>`, part{"../../etc/passwd", nil}), "not allowed", ArmWord},
	} {
		if _, err := c.arm(c.b, link, rnd(1)); err == nil || !strings.Contains(err.Error(), c.say) {
			t.Errorf("%s: %v, want something about %q", name, err, c.say)
		}
	}
}

func TestArmSheetPutsDrawingInOrder(t *testing.T) {
	b, err := Sheet(sample(3))
	if err != nil {
		t.Fatal(err)
	}
	p, err := open(b)
	if err != nil {
		t.Fatal(err)
	}
	main, _, err := p.main()
	if err != nil {
		t.Fatal(err)
	}
	sheet, err := p.firstSheet(main)
	if err != nil {
		t.Fatal(err)
	}
	data, _ := p.get(sheet)
	i := bytes.Index(data, []byte("<drawing"))
	j := bytes.Index(data[i:], []byte("/>")) + i + 2
	bare := string(data[:i]) + `<tableParts count="0"/>` + string(data[j:])
	p.put(sheet, []byte(bare))
	p.put(relsName(sheet), []byte(relsHead+`</Relationships>`))
	b, err = p.bytes()
	if err != nil {
		t.Fatal(err)
	}
	out, err := ArmSheet(b, link+"2", rnd(1))
	if err != nil {
		t.Fatal(err)
	}
	if err := Check(out); err != nil {
		t.Error(err)
	}
	q, err := open(out)
	if err != nil {
		t.Fatal(err)
	}
	data, _ = q.get(sheet)
	if d, tp := strings.Index(string(data), "<drawing"), strings.Index(string(data), "<tableParts"); d < 0 || d > tp {
		t.Errorf("order: %s", data)
	}
}

func own(t testing.TB, ext string) [][]byte {
	files, err := filepath.Glob("../testdata/own/*" + ext)
	if err != nil || len(files) == 0 {
		t.Fatal("no documents of others in ../testdata/own")
	}
	var out [][]byte
	for _, f := range files {
		b, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, b)
	}
	return out
}

func FuzzArmWord(f *testing.F) {
	for _, b := range own(f, ".docx") {
		p, err := open(b)
		if err != nil {
			f.Fatal(err)
		}
		doc, _ := p.get("word/document.xml")
		f.Add(doc)
	}
	f.Add([]byte(`<w:document ` + nsW + ` ` + nsR + `><w:body><w:sectPr/></w:body></w:document>`))
	f.Fuzz(func(t *testing.T, doc []byte) {
		in := docWith(t, string(doc))
		if Check(in) != nil {
			return // not sound to begin with
		}
		out, err := ArmWord(in, link, rnd(1))
		if err != nil {
			return
		}
		if err := Check(out); err != nil {
			t.Fatalf("%v\n%s", err, doc)
		}
		if links, err := ExternalImages(out); err != nil || len(links) != 1 {
			t.Fatalf("%q, %v", links, err)
		}
	})
}

func FuzzOpen(f *testing.F) {
	for _, b := range append(own(f, ".docx"), own(f, ".xlsx")...) {
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		Check(b)
		ExternalImages(b)
		if out, err := ArmWord(b, link, rnd(1)); err == nil && Check(b) == nil {
			if err := Check(out); err != nil {
				t.Fatal(err)
			}
		}
		if out, err := ArmSheet(b, link, rnd(1)); err == nil && Check(b) == nil {
			if err := Check(out); err != nil {
				t.Fatal(err)
			}
		}
	})
}
