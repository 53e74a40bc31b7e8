package office

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"time"
)

// Doc is what a generated document shows.
type Doc struct {
	Title   string
	Text    string // a paragraph above the table, lines kept
	Header  []string
	Numeric []bool // columns set to the right
	Rows    [][]string
	Link    string // URL of the picture
	Creator string
	Editor  string
	Company string
	Before  time.Time  // the dates inside lie before this
	Rand    *rand.Rand // of everything that differs from document to document
}

const (
	xmlHead = `<?xml version="1.0" encoding="UTF-8" standalone="yes"?>` + "\r\n"
	nsW     = `xmlns:w="http://schemas.openxmlformats.org/wordprocessingml/2006/main"`
	nsR     = `xmlns:r="http://schemas.openxmlformats.org/officeDocument/2006/relationships"`
	nsWP    = `xmlns:wp="http://schemas.openxmlformats.org/drawingml/2006/wordprocessingDrawing"`
	nsA     = `xmlns:a="http://schemas.openxmlformats.org/drawingml/2006/main"`
	nsPic   = `xmlns:pic="http://schemas.openxmlformats.org/drawingml/2006/picture"`
	nsV     = `xmlns:v="urn:schemas-microsoft-com:vml"`
	nsO     = `xmlns:o="urn:schemas-microsoft-com:office:office"`

	typeHeader = "application/vnd.openxmlformats-officedocument.wordprocessingml.header+xml"
	typeFooter = "application/vnd.openxmlformats-officedocument.wordprocessingml.footer+xml"
)

// inlinePicture is a run with a DrawingML picture of one pixel that is linked, not embedded. It declares the
// name spaces that it uses, so that it can stand in any part.
func inlinePicture(id string, r *rand.Rand) string {
	n := 100 + r.IntN(8000)
	name := []string{"Picture", "Image", "Graphic", "Logo"}[r.IntN(4)]
	return fmt.Sprintf(`<w:r %s><w:drawing><wp:inline %s distT="0" distB="0" distL="0" distR="0"><wp:extent cx="9525" cy="9525"/><wp:docPr id="%d" name="%s %d"/>`+
		`<wp:cNvGraphicFramePr/><a:graphic %s><a:graphicData uri="http://schemas.openxmlformats.org/drawingml/2006/picture"><pic:pic %s><pic:nvPicPr>`+
		`<pic:cNvPr id="%d" name="%s %d"/><pic:cNvPicPr/></pic:nvPicPr><pic:blipFill><a:blip %s r:link="%s"/><a:stretch><a:fillRect/></a:stretch></pic:blipFill>`+
		`<pic:spPr><a:xfrm><a:off x="0" y="0"/><a:ext cx="9525" cy="9525"/></a:xfrm><a:prstGeom prst="rect"><a:avLst/></a:prstGeom></pic:spPr></pic:pic></a:graphicData></a:graphic></wp:inline></w:drawing></w:r>`,
		nsW, nsWP, n, name, n, nsA, nsPic, n+1, name, n, nsR, id)
}

// fieldPicture is the older form that Word itself writes for a linked picture: an INCLUDEPICTURE field whose
// result is a VML shape.
func fieldPicture(id, link string, r *rand.Rand) string {
	w := `<w:r ` + nsW + `>`
	return w + `<w:fldChar w:fldCharType="begin"/></w:r>` +
		w + fmt.Sprintf(`<w:instrText xml:space="preserve"> INCLUDEPICTURE "%s" \d \* MERGEFORMATINET </w:instrText></w:r>`, esc(link)) +
		w + `<w:fldChar w:fldCharType="separate"/></w:r>` +
		w + fmt.Sprintf(`<w:pict><v:shape %s id="_x0000_i%d" style="width:.75pt;height:.75pt"><v:imagedata %s r:id="%s"/></v:shape></w:pict></w:r>`, nsV, 1025+r.IntN(900), nsR, id) +
		w + `<w:fldChar w:fldCharType="end"/></w:r>`
}

// rsids are the editing session ids that Word scatters over a document.
type rsids struct {
	root string
	all  []string
	r    *rand.Rand
}

func newRsids(r *rand.Rand) *rsids {
	s := &rsids{r: r}
	for range 6 + r.IntN(12) {
		s.all = append(s.all, fmt.Sprintf("00%06X", r.IntN(1<<24)))
	}
	s.root = s.all[0]
	return s
}

func (s *rsids) attr() string {
	p := func() string { return s.all[s.r.IntN(len(s.all))] }
	return fmt.Sprintf(` w:rsidR="%s" w:rsidRDefault="%s"`, p(), p())
}

// Word makes a .docx: a table under a heading, and the picture in header (DrawingML) and footer (field and VML).
func Word(d Doc) ([]byte, error) {
	r := d.Rand
	ids := newRsids(r)
	// relationship ids and part numbers are shuffled
	num := r.Perm(9)
	rid := func(i int) string { return fmt.Sprintf("rId%d", num[i]+1) }
	hn, fn := 1+r.IntN(3), 1+r.IntN(3)
	header, footer := fmt.Sprintf("header%d.xml", hn), fmt.Sprintf("footer%d.xml", fn)

	var body strings.Builder
	para := func(style, text string, opts ...string) {
		fmt.Fprintf(&body, `<w:p%s>`, ids.attr())
		if style != "" || len(opts) > 0 {
			body.WriteString(`<w:pPr>`)
			if style != "" {
				fmt.Fprintf(&body, `<w:pStyle w:val="%s"/>`, style)
			}
			body.WriteString(strings.Join(opts, "") + `</w:pPr>`)
		}
		if text != "" {
			fmt.Fprintf(&body, `<w:r><w:t xml:space="preserve">%s</w:t></w:r>`, esc(text))
		}
		body.WriteString(`</w:p>`)
	}
	if d.Title != "" {
		para("Heading1", d.Title)
	}
	if d.Text != "" {
		for _, l := range strings.Split(d.Text, "\n") {
			para("", l)
		}
	}
	if len(d.Header) > 0 {
		width := 9000 / len(d.Header)
		fmt.Fprintf(&body, `<w:tbl><w:tblPr><w:tblStyle w:val="TableGrid"/><w:tblW w:w="0" w:type="auto"/><w:tblLook w:val="04A0"/></w:tblPr><w:tblGrid>%s</w:tblGrid>`,
			strings.Repeat(fmt.Sprintf(`<w:gridCol w:w="%d"/>`, width), len(d.Header)))
		row := func(cells []string, head bool) {
			fmt.Fprintf(&body, `<w:tr w:rsidR="%s">`, ids.all[r.IntN(len(ids.all))])
			if head {
				body.WriteString(`<w:trPr><w:tblHeader/></w:trPr>`)
			}
			for i, c := range cells {
				fmt.Fprintf(&body, `<w:tc><w:tcPr><w:tcW w:w="%d" w:type="dxa"/>`, width)
				if head {
					body.WriteString(`<w:shd w:val="clear" w:color="auto" w:fill="D9E2F3"/>`)
				}
				body.WriteString(`</w:tcPr>`)
				fmt.Fprintf(&body, `<w:p%s>`, ids.attr())
				if i < len(d.Numeric) && d.Numeric[i] {
					body.WriteString(`<w:pPr><w:jc w:val="right"/></w:pPr>`)
				}
				b := ""
				if head {
					b = `<w:b/>`
				}
				fmt.Fprintf(&body, `<w:r><w:rPr>%s<w:sz w:val="18"/></w:rPr><w:t xml:space="preserve">%s</w:t></w:r></w:p></w:tc>`, b, esc(c))
			}
			body.WriteString(`</w:tr>`)
		}
		row(d.Header, true)
		for _, c := range d.Rows {
			row(c, false)
		}
		body.WriteString(`</w:tbl>`)
	}
	para("", "")

	created := d.Before.Add(-time.Duration(20+r.IntN(300)) * 24 * time.Hour).Add(-time.Duration(r.IntN(8*3600)) * time.Second)
	modified := created.Add(time.Duration(1+r.IntN(15))*24*time.Hour + time.Duration(r.IntN(6*3600))*time.Second)
	p := &pkg{}
	p.put("[Content_Types].xml", []byte(xmlHead+`<Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types"><Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/><Default Extension="xml" ContentType="application/xml"/>`+
		override("word/document.xml", "application/vnd.openxmlformats-officedocument.wordprocessingml.document.main+xml")+
		override("word/styles.xml", "application/vnd.openxmlformats-officedocument.wordprocessingml.styles+xml")+
		override("word/settings.xml", "application/vnd.openxmlformats-officedocument.wordprocessingml.settings+xml")+
		override("word/"+header, typeHeader)+override("word/"+footer, typeFooter)+
		override("docProps/core.xml", "application/vnd.openxmlformats-package.core-properties+xml")+
		override("docProps/app.xml", "application/vnd.openxmlformats-officedocument.extended-properties+xml")+`</Types>`))
	p.put("_rels/.rels", rootRels("word/document.xml"))
	p.put("word/document.xml", []byte(xmlHead+`<w:document `+nsW+` `+nsR+`><w:body>`+body.String()+
		fmt.Sprintf(`<w:sectPr w:rsidR="%s"><w:headerReference w:type="default" r:id="%s"/><w:footerReference w:type="default" r:id="%s"/>`, ids.root, rid(2), rid(3))+
		`<w:pgSz w:w="12240" w:h="15840"/><w:pgMar w:top="1440" w:right="1440" w:bottom="1440" w:left="1440" w:header="720" w:footer="720" w:gutter="0"/><w:cols w:space="720"/></w:sectPr></w:body></w:document>`))
	p.put("word/_rels/document.xml.rels", []byte(relsHead+
		relXML(rid(0), "styles", "styles.xml")+relXML(rid(1), "settings", "settings.xml")+relXML(rid(2), "header", header)+relXML(rid(3), "footer", footer)+`</Relationships>`))
	hid, fid := fmt.Sprintf("rId%d", 1+r.IntN(4)), fmt.Sprintf("rId%d", 1+r.IntN(4))
	p.put("word/"+header, []byte(xmlHead+`<w:hdr `+nsW+`><w:p`+ids.attr()+`><w:pPr><w:pStyle w:val="Header"/></w:pPr>`+inlinePicture(hid, r)+`</w:p></w:hdr>`))
	p.put("word/_rels/"+header+".rels", externalRels(hid, d.Link))
	p.put("word/"+footer, []byte(xmlHead+`<w:ftr `+nsW+`><w:p`+ids.attr()+`><w:pPr><w:pStyle w:val="Footer"/></w:pPr>`+
		`<w:r><w:t>`+[]string{"Confidential", "Internal use only", "Company confidential", "Private and confidential"}[r.IntN(4)]+`</w:t></w:r>`+
		fieldPicture(fid, d.Link, r)+`</w:p></w:ftr>`))
	p.put("word/_rels/"+footer+".rels", externalRels(fid, d.Link))
	p.put("word/styles.xml", []byte(xmlHead+wordStyles(r)))
	var rs strings.Builder
	for _, s := range ids.all {
		fmt.Fprintf(&rs, `<w:rsid w:val="%s"/>`, s)
	}
	p.put("word/settings.xml", []byte(xmlHead+`<w:settings `+nsW+`>`+fmt.Sprintf(`<w:zoom w:percent="%d"/><w:defaultTabStop w:val="720"/><w:characterSpacingControl w:val="doNotCompress"/>`, 80+10*r.IntN(5))+
		`<w:rsids><w:rsidRoot w:val="`+ids.root+`"/>`+rs.String()+`</w:rsids></w:settings>`))
	p.put("docProps/core.xml", coreProps(d, created, modified, 2+r.IntN(14)))
	p.put("docProps/app.xml", appProps("Microsoft Office Word", d.Company, 5+r.IntN(200)))
	return p.bytes()
}

func override(part, ctype string) string {
	return `<Override PartName="/` + part + `" ContentType="` + ctype + `"/>`
}

func relXML(id, kind, tgt string) string {
	return `<Relationship Id="` + id + `" Type="` + relType + kind + `" Target="` + esc(tgt) + `"/>`
}

func externalRels(id, link string) []byte {
	return []byte(relsHead + `<Relationship Id="` + id + `" Type="` + relType + `image" Target="` + esc(link) + `" TargetMode="External"/></Relationships>`)
}

func rootRels(main string) []byte {
	return []byte(relsHead + relXML("rId1", "officeDocument", main) +
		`<Relationship Id="rId2" Type="http://schemas.openxmlformats.org/package/2006/relationships/metadata/core-properties" Target="docProps/core.xml"/>` +
		relXML("rId3", "extended-properties", "docProps/app.xml") + `</Relationships>`)
}

func coreProps(d Doc, created, modified time.Time, revision int) []byte {
	const ts = "2006-01-02T15:04:05Z"
	return []byte(xmlHead + `<cp:coreProperties xmlns:cp="http://schemas.openxmlformats.org/package/2006/metadata/core-properties" xmlns:dc="http://purl.org/dc/elements/1.1/" xmlns:dcterms="http://purl.org/dc/terms/" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance">` +
		fmt.Sprintf(`<dc:title>%s</dc:title><dc:creator>%s</dc:creator><cp:lastModifiedBy>%s</cp:lastModifiedBy><cp:revision>%d</cp:revision>`, esc(d.Title), esc(d.Creator), esc(d.Editor), revision) +
		fmt.Sprintf(`<dcterms:created xsi:type="dcterms:W3CDTF">%s</dcterms:created><dcterms:modified xsi:type="dcterms:W3CDTF">%s</dcterms:modified></cp:coreProperties>`, created.UTC().Format(ts), modified.UTC().Format(ts)))
}

func appProps(app, company string, minutes int) []byte {
	return []byte(xmlHead + `<Properties xmlns="http://schemas.openxmlformats.org/officeDocument/2006/extended-properties">` +
		fmt.Sprintf(`<TotalTime>%d</TotalTime><Application>%s</Application><DocSecurity>0</DocSecurity><Company>%s</Company><AppVersion>16.0000</AppVersion></Properties>`, minutes, app, esc(company)))
}

func wordStyles(r *rand.Rand) string {
	font := []string{"Calibri", "Arial", "Cambria", "Aptos", "Segoe UI"}[r.IntN(5)]
	size := 20 + 2*r.IntN(3)
	para := func(id, name, based, ppr, rpr string) string {
		return fmt.Sprintf(`<w:style w:type="paragraph" w:styleId="%s"><w:name w:val="%s"/><w:basedOn w:val="%s"/><w:pPr>%s</w:pPr><w:rPr>%s</w:rPr></w:style>`, id, name, based, ppr, rpr)
	}
	border := func(side string) string {
		return `<w:` + side + ` w:val="single" w:sz="4" w:space="0" w:color="auto"/>`
	}
	return `<w:styles ` + nsW + `>` +
		fmt.Sprintf(`<w:docDefaults><w:rPrDefault><w:rPr><w:rFonts w:ascii="%s" w:hAnsi="%s" w:cs="%s"/><w:sz w:val="%d"/><w:lang w:val="en-US"/></w:rPr></w:rPrDefault><w:pPrDefault><w:pPr><w:spacing w:after="120"/></w:pPr></w:pPrDefault></w:docDefaults>`, font, font, font, size) +
		`<w:style w:type="paragraph" w:default="1" w:styleId="Normal"><w:name w:val="Normal"/></w:style>` +
		para("Heading1", "heading 1", "Normal", `<w:keepNext/><w:spacing w:before="240"/><w:outlineLvl w:val="0"/>`, fmt.Sprintf(`<w:color w:val="2F5496"/><w:sz w:val="%d"/>`, 28+2*r.IntN(4))) +
		para("Header", "header", "Normal", `<w:spacing w:after="0"/>`, ``) + para("Footer", "footer", "Normal", `<w:spacing w:after="0"/>`, `<w:sz w:val="16"/>`) +
		`<w:style w:type="table" w:default="1" w:styleId="TableNormal"><w:name w:val="Normal Table"/><w:tblPr><w:tblCellMar><w:left w:w="108" w:type="dxa"/><w:right w:w="108" w:type="dxa"/></w:tblCellMar></w:tblPr></w:style>` +
		`<w:style w:type="table" w:styleId="TableGrid"><w:name w:val="Table Grid"/><w:basedOn w:val="TableNormal"/><w:tblPr><w:tblBorders>` +
		border("top") + border("left") + border("bottom") + border("right") + border("insideH") + border("insideV") + `</w:tblBorders></w:tblPr></w:style></w:styles>`
}
