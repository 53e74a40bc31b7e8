package office

import (
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"path"
	"strings"
)

func nsSheet(s string) bool {
	return s == "http://schemas.openxmlformats.org/spreadsheetml/2006/main" || s == "http://purl.oclc.org/ooxml/spreadsheetml/main"
}

// afterDrawing are the elements of a worksheet that follow its drawing.
var afterDrawing = map[string]bool{
	"legacyDrawing": true, "legacyDrawingHF": true, "drawingHF": true, "picture": true, "oleObjects": true,
	"controls": true, "webPublishItems": true, "tableParts": true, "extLst": true,
}

// ArmSheet puts the linked picture into the first visible sheet of the user's own .xlsx. Everything else stays
// byte for byte.
func ArmSheet(b []byte, link string, r *rand.Rand) ([]byte, error) {
	p, err := open(b)
	if err != nil {
		return nil, err
	}
	main, ctype, err := p.main()
	if err != nil {
		return nil, err
	}
	if !strings.HasSuffix(ctype, "spreadsheetml.sheet.main+xml") {
		return nil, fmt.Errorf("office: the file is no Excel workbook (.xlsx): its main part is %q", ctype)
	}
	if err := p.refuseSigned(); err != nil {
		return nil, err
	}
	sheet, err := p.firstSheet(main)
	if err != nil {
		return nil, err
	}
	data, _ := p.get(sheet)
	id, at, prefix, err := drawingOf(data)
	if err != nil {
		return nil, fmt.Errorf("office: %s: %w", sheet, err)
	}
	if id != "" {
		rs, err := p.rels(sheet)
		if err != nil {
			return nil, err
		}
		for _, x := range rs {
			if x.ID == id && !x.external() {
				return p.armDrawing(target(sheet, x.Target), link, r)
			}
		}
		return nil, fmt.Errorf("office: the drawing that %s names (%s) is missing", sheet, id)
	}
	name := p.free(path.Join(path.Dir(main), "drawings"), "drawing", 1)
	p.put(name, []byte(xmlHead+`<xdr:wsDr `+nsXDR+`></xdr:wsDr>`))
	if err := p.addType(name, typeDrawing); err != nil {
		return nil, err
	}
	id, err = p.addRel(sheet, "drawing", "/"+name, false)
	if err != nil {
		return nil, err
	}
	tag := "drawing"
	if prefix != "" {
		tag = prefix + ":drawing"
	}
	p.put(sheet, splice(data, at, fmt.Sprintf(`<%s %s r:id="%s"/>`, tag, nsR, id)))
	return p.armDrawing(name, link, r)
}

func (p *pkg) armDrawing(name, link string, r *rand.Rand) ([]byte, error) {
	data, ok := p.get(name)
	if !ok {
		return nil, fmt.Errorf("office: the drawing %s is missing", name)
	}
	rid, err := p.addRel(name, "image", link, true)
	if err != nil {
		return nil, err
	}
	if data, err = spliceBeforeEnd(data, anchor(rid, 2000+r.IntN(8000))); err != nil {
		return nil, fmt.Errorf("office: %s: %w", name, err)
	}
	p.put(name, data)
	return p.bytes()
}

// firstSheet is the part of the first visible worksheet.
func (p *pkg) firstSheet(main string) (string, error) {
	b, _ := p.get(main)
	var x struct {
		Sheets []struct {
			State string     `xml:"state,attr"`
			Attrs []xml.Attr `xml:",any,attr"`
		} `xml:"sheets>sheet"`
	}
	if err := xml.Unmarshal(b, &x); err != nil {
		return "", fmt.Errorf("office: %s: %w", main, err)
	}
	rs, err := p.rels(main)
	if err != nil {
		return "", err
	}
	for _, s := range x.Sheets {
		if s.State == "hidden" || s.State == "veryHidden" {
			continue
		}
		for _, a := range s.Attrs {
			if !nsRel(a.Name.Space) || a.Name.Local != "id" {
				continue
			}
			for _, r := range rs {
				if r.ID == a.Value && r.is("worksheet") && !r.external() {
					n := target(main, r.Target)
					if _, ok := p.get(n); ok {
						return n, nil
					}
				}
			}
		}
	}
	return "", errors.New("office: the workbook has no visible worksheet")
}

// drawingOf finds the worksheet's drawing (its relationship id), or the offset where one belongs and the prefix
// of the worksheet's name space.
func drawingOf(b []byte) (id string, at int64, prefix string, err error) {
	d := decoder(b)
	depth := 0
	at = -1
	for {
		start := d.InputOffset()
		tok, err := d.Token()
		if errors.Is(err, io.EOF) {
			return "", 0, "", errors.New("XML without an end")
		}
		if err != nil {
			return "", 0, "", err
		}
		switch t := tok.(type) {
		case xml.StartElement:
			depth++
			if depth > maxDepth {
				return "", 0, "", errDepth
			}
			if depth == 1 {
				raw := strings.Fields(strings.TrimLeft(string(b[start:d.InputOffset()]), "<"))
				if len(raw) > 0 {
					if i := strings.IndexByte(raw[0], ':'); i > 0 {
						prefix = raw[0][:i]
					}
				}
			}
			if depth != 2 || !nsSheet(t.Name.Space) {
				continue
			}
			if t.Name.Local == "drawing" {
				for _, a := range t.Attr {
					if nsRel(a.Name.Space) && a.Name.Local == "id" {
						return a.Value, 0, prefix, nil
					}
				}
			}
			if at < 0 && afterDrawing[t.Name.Local] {
				at = start
			}
		case xml.EndElement:
			if depth--; depth == 0 {
				if at < 0 {
					if at = start; start == d.InputOffset() {
						return "", 0, "", errors.New("the worksheet is empty")
					}
				}
				return "", at, prefix, nil
			}
		}
	}
}
