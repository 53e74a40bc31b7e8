package office

import (
	"bytes"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"path"
	"strings"
)

func nsWord(s string) bool {
	return s == "http://schemas.openxmlformats.org/wordprocessingml/2006/main" || s == "http://purl.oclc.org/ooxml/wordprocessingml/main"
}

// ArmWord puts the linked picture into the header and the footer of the first page of the user's own .docx.
// Everything else stays byte for byte.
func ArmWord(b []byte, link string, r *rand.Rand) ([]byte, error) {
	p, err := open(b)
	if err != nil {
		return nil, err
	}
	main, ctype, err := p.main()
	if err != nil {
		return nil, err
	}
	if !strings.HasSuffix(ctype, "wordprocessingml.document.main+xml") {
		return nil, fmt.Errorf("office: the file is no Word document (.docx): its main part is %q", ctype)
	}
	if err := p.refuseSigned(); err != nil {
		return nil, err
	}
	doc, _ := p.get(main)
	sec, err := firstSection(doc)
	if err != nil {
		return nil, fmt.Errorf("office: %s: %w", main, err)
	}
	rs, err := p.rels(main)
	if err != nil {
		return nil, err
	}
	kinds := []string{"default"}
	if sec.titlePage {
		kinds = append(kinds, "first")
	}
	var refs strings.Builder
	armed := map[string]bool{}
	for _, side := range []string{"header", "footer"} {
		for _, kind := range kinds {
			if id := sec.refs[side+"/"+kind]; id != "" {
				name := ""
				for _, x := range rs {
					if x.ID == id && !x.external() {
						name = target(main, x.Target)
					}
				}
				data, ok := p.get(name)
				if !ok {
					return nil, fmt.Errorf("office: the %s that the document names (%s) is missing", side, id)
				}
				if armed[name] {
					continue
				}
				armed[name] = true
				rid, err := p.addRel(name, "image", link, true)
				if err != nil {
					return nil, err
				}
				data, err = spliceBeforeEnd(data, paragraph(side, rid, link, r))
				if err != nil {
					return nil, fmt.Errorf("office: %s: %w", name, err)
				}
				p.put(name, data)
				continue
			}
			name := p.free(path.Dir(main), side, 1)
			el, ct := "w:hdr", typeHeader
			if side == "footer" {
				el, ct = "w:ftr", typeFooter
			}
			p.put(name, nil) // the name is taken
			rid, err := p.addRel(name, "image", link, true)
			if err != nil {
				return nil, err
			}
			p.put(name, []byte(xmlHead+`<`+el+` `+nsW+`>`+paragraph(side, rid, link, r)+`</`+el+`>`))
			if err := p.addType(name, ct); err != nil {
				return nil, err
			}
			ref, err := p.addRel(main, side, path.Base(name), false)
			if err != nil {
				return nil, err
			}
			fmt.Fprintf(&refs, `<w:%sReference %s %s w:type="%s" r:id="%s"/>`, side, nsW, nsR, kind, ref)
		}
	}
	if refs.Len() > 0 {
		if doc, err = sec.insert(doc, refs.String()); err != nil {
			return nil, fmt.Errorf("office: %s: %w", main, err)
		}
		p.put(main, doc)
	}
	return p.bytes()
}

// paragraph is one that takes next to no room and holds the picture.
func paragraph(side, rid, link string, r *rand.Rand) string {
	run := inlinePicture(rid, r)
	if side == "footer" {
		run = fieldPicture(rid, link, r)
	}
	return `<w:p ` + nsW + `><w:pPr><w:spacing w:before="0" w:after="0" w:line="20" w:lineRule="exact"/></w:pPr>` + run + `</w:p>`
}

// section is what the first section of a document says about its headers.
type section struct {
	refs      map[string]string // "header/default" → relationship id
	titlePage bool
	at        int64  // offset just behind the start tag of w:sectPr, or of the end tag of w:body if there is none
	empty     bool   // <w:sectPr/>
	missing   bool   // no w:sectPr
	tag       string // qualified name of the empty element
}

// firstSection finds the first w:sectPr (of the document's first section), not one inside a tracked change.
func firstSection(b []byte) (section, error) {
	s := section{refs: map[string]string{}}
	d := decoder(b)
	depth, change, in := 0, 0, 0
	bodyEnd := int64(-1)
	for {
		start := d.InputOffset()
		tok, err := d.Token()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return s, err
		}
		switch t := tok.(type) {
		case xml.StartElement:
			if depth++; depth > maxDepth {
				return s, errDepth
			}
			if !nsWord(t.Name.Space) {
				continue
			}
			switch t.Name.Local {
			case "sectPrChange":
				change++
			case "sectPr":
				if in == 0 && change == 0 {
					in = depth
					s.at = d.InputOffset()
					raw := b[start:s.at]
					if s.empty = bytes.HasSuffix(raw, []byte("/>")); s.empty {
						s.tag = strings.TrimRight(strings.Fields(string(raw[1 : len(raw)-2]))[0], "/")
					}
				}
			case "headerReference", "footerReference":
				if in > 0 && change == 0 {
					kind, id := "default", ""
					for _, a := range t.Attr {
						if nsWord(a.Name.Space) && a.Name.Local == "type" {
							kind = a.Value
						}
						if nsRel(a.Name.Space) && a.Name.Local == "id" {
							id = a.Value
						}
					}
					s.refs[strings.TrimSuffix(t.Name.Local, "Reference")+"/"+kind] = id
				}
			case "titlePg":
				if in > 0 && change == 0 {
					s.titlePage = true
					for _, a := range t.Attr {
						if a.Name.Local == "val" && (a.Value == "0" || a.Value == "false" || a.Value == "off") {
							s.titlePage = false
						}
					}
				}
			}
		case xml.EndElement:
			if nsWord(t.Name.Space) {
				switch t.Name.Local {
				case "sectPrChange":
					change--
				case "sectPr":
					if depth == in {
						return s, nil
					}
				case "body":
					bodyEnd = start
				}
			}
			depth--
		}
	}
	if bodyEnd < 0 || !bytes.HasPrefix(b[bodyEnd:], []byte("</")) {
		return s, errors.New("there is no body to put a page header to")
	}
	s.missing, s.at = true, bodyEnd
	return s, nil
}

// insert puts the references where they belong: first in w:sectPr.
func (s *section) insert(b []byte, refs string) ([]byte, error) {
	switch {
	case s.missing:
		return splice(b, s.at, `<w:sectPr `+nsW+`>`+refs+`</w:sectPr>`), nil
	case s.empty:
		out := append([]byte{}, b[:s.at-2]...)
		out = append(out, ">"+refs+"</"+s.tag+">"...)
		return append(out, b[s.at:]...), nil
	}
	return splice(b, s.at, refs), nil
}
