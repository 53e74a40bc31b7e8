package office

import (
	"fmt"
	"regexp"
	"strings"
	"time"
)

const (
	nsX   = `xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"`
	nsXDR = `xmlns:xdr="http://schemas.openxmlformats.org/drawingml/2006/spreadsheetDrawing"`

	typeDrawing = "application/vnd.openxmlformats-officedocument.drawing+xml"
)

// anchor is a drawing anchor with a linked picture of one pixel. It declares the name spaces that it uses.
func anchor(rid string, n int) string {
	return fmt.Sprintf(`<xdr:oneCellAnchor %s %s><xdr:from><xdr:col>0</xdr:col><xdr:colOff>0</xdr:colOff><xdr:row>0</xdr:row><xdr:rowOff>0</xdr:rowOff></xdr:from><xdr:ext cx="9525" cy="9525"/>`+
		`<xdr:pic><xdr:nvPicPr><xdr:cNvPr id="%d" name="Picture %d"/><xdr:cNvPicPr/></xdr:nvPicPr><xdr:blipFill><a:blip %s r:link="%s"/><a:stretch><a:fillRect/></a:stretch></xdr:blipFill>`+
		`<xdr:spPr><a:xfrm><a:off x="0" y="0"/><a:ext cx="9525" cy="9525"/></a:xfrm><a:prstGeom prst="rect"><a:avLst/></a:prstGeom></xdr:spPr></xdr:pic><xdr:clientData/></xdr:oneCellAnchor>`,
		nsXDR, nsA, n, n-1, nsR, rid)
}

// column gives a column's letters, from 0.
func column(i int) string {
	s := ""
	for i++; i > 0; i = (i - 1) / 26 {
		s = string(rune('A'+(i-1)%26)) + s
	}
	return s
}

var plainNumber = regexp.MustCompile(`^-?[0-9]{1,3}(,[0-9]{3})*(\.[0-9]+)?$`)

// Sheet makes an .xlsx: the table with a bold heading row, and the picture in a drawing of the first sheet.
func Sheet(d Doc) ([]byte, error) {
	r := d.Rand
	var shared strings.Builder
	index := map[string]int{}
	count := 0
	str := func(s string) int {
		count++
		if n, ok := index[s]; ok {
			return n
		}
		n := len(index)
		index[s] = n
		fmt.Fprintf(&shared, `<si><t xml:space="preserve">%s</t></si>`, esc(s))
		return n
	}
	var data, cols strings.Builder
	width := make([]int, len(d.Header))
	rows := append([][]string{d.Header}, d.Rows...)
	for y, row := range rows {
		fmt.Fprintf(&data, `<row r="%d">`, y+1)
		for x, c := range row {
			ref := fmt.Sprintf("%s%d", column(x), y+1)
			if x < len(width) {
				width[x] = max(width[x], len(c))
			}
			switch {
			case y == 0:
				fmt.Fprintf(&data, `<c r="%s" s="1" t="s"><v>%d</v></c>`, ref, str(c))
			case x < len(d.Numeric) && d.Numeric[x] && plainNumber.MatchString(c):
				fmt.Fprintf(&data, `<c r="%s" s="2"><v>%s</v></c>`, ref, strings.ReplaceAll(c, ",", ""))
			default:
				fmt.Fprintf(&data, `<c r="%s" t="s"><v>%d</v></c>`, ref, str(c))
			}
		}
		data.WriteString(`</row>`)
	}
	if len(width) > 0 {
		cols.WriteString(`<cols>`)
		for i, w := range width {
			fmt.Fprintf(&cols, `<col min="%d" max="%d" width="%.2f" customWidth="1"/>`, i+1, i+1, float64(min(w, 60))+2.71)
		}
		cols.WriteString(`</cols>`)
	}
	name := []string{"Accounts", "Sheet1", "List", "Customers", "Export", "Data"}[r.IntN(6)]
	sheet, drawing := fmt.Sprintf("sheet%d.xml", 1+r.IntN(2)), fmt.Sprintf("drawing%d.xml", 1+r.IntN(3))
	num := r.Perm(8)
	rid := func(i int) string { return fmt.Sprintf("rId%d", num[i]+1) }
	dim := fmt.Sprintf("A1:%s%d", column(max(len(d.Header)-1, 0)), len(rows))

	created := d.Before.Add(-time.Duration(20+r.IntN(300)) * 24 * time.Hour).Add(-time.Duration(r.IntN(8*3600)) * time.Second)
	modified := created.Add(time.Duration(1+r.IntN(15))*24*time.Hour + time.Duration(r.IntN(6*3600))*time.Second)
	const ss = "application/vnd.openxmlformats-officedocument.spreadsheetml."
	p := &pkg{}
	p.put("[Content_Types].xml", []byte(xmlHead+`<Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types"><Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/><Default Extension="xml" ContentType="application/xml"/>`+
		override("xl/workbook.xml", ss+"sheet.main+xml")+override("xl/worksheets/"+sheet, ss+"worksheet+xml")+override("xl/styles.xml", ss+"styles+xml")+
		override("xl/sharedStrings.xml", ss+"sharedStrings+xml")+override("xl/drawings/"+drawing, typeDrawing)+
		override("docProps/core.xml", "application/vnd.openxmlformats-package.core-properties+xml")+
		override("docProps/app.xml", "application/vnd.openxmlformats-officedocument.extended-properties+xml")+`</Types>`))
	p.put("_rels/.rels", rootRels("xl/workbook.xml"))
	p.put("xl/workbook.xml", []byte(xmlHead+`<workbook `+nsX+` `+nsR+`>`+
		fmt.Sprintf(`<bookViews><workbookView xWindow="%d" yWindow="%d" windowWidth="%d" windowHeight="%d"/></bookViews><sheets><sheet name="%s" sheetId="1" r:id="%s"/></sheets></workbook>`,
			r.IntN(300), r.IntN(200), 20000+r.IntN(9000), 10000+r.IntN(4000), name, rid(0))))
	p.put("xl/_rels/workbook.xml.rels", []byte(relsHead+relXML(rid(0), "worksheet", "worksheets/"+sheet)+relXML(rid(1), "styles", "styles.xml")+relXML(rid(2), "sharedStrings", "sharedStrings.xml")+`</Relationships>`))
	p.put("xl/worksheets/"+sheet, []byte(xmlHead+`<worksheet `+nsX+` `+nsR+`><dimension ref="`+dim+`"/><sheetViews><sheetView tabSelected="1" workbookViewId="0"><pane ySplit="1" topLeftCell="A2" activePane="bottomLeft" state="frozen"/></sheetView></sheetViews><sheetFormatPr defaultRowHeight="15"/>`+
		cols.String()+`<sheetData>`+data.String()+`</sheetData><pageMargins left="0.7" right="0.7" top="0.75" bottom="0.75" header="0.3" footer="0.3"/><drawing r:id="`+rid(3)+`"/></worksheet>`))
	p.put("xl/worksheets/_rels/"+sheet+".rels", []byte(relsHead+relXML(rid(3), "drawing", "../drawings/"+drawing)+`</Relationships>`))
	p.put("xl/drawings/"+drawing, []byte(xmlHead+`<xdr:wsDr `+nsXDR+` `+nsA+`>`+anchor(rid(4), 2+r.IntN(30))+`</xdr:wsDr>`))
	p.put("xl/drawings/_rels/"+drawing+".rels", externalRels(rid(4), d.Link))
	font := []string{"Calibri", "Arial", "Aptos Narrow", "Segoe UI"}[r.IntN(4)]
	p.put("xl/styles.xml", []byte(xmlHead+`<styleSheet `+nsX+`><numFmts count="1"><numFmt numFmtId="164" formatCode="#,##0.00"/></numFmts>`+
		fmt.Sprintf(`<fonts count="2"><font><sz val="11"/><name val="%s"/></font><font><b/><sz val="11"/><name val="%s"/></font></fonts>`, font, font)+
		`<fills count="3"><fill><patternFill patternType="none"/></fill><fill><patternFill patternType="gray125"/></fill><fill><patternFill patternType="solid"><fgColor rgb="FFD9E2F3"/></patternFill></fill></fills>`+
		`<borders count="1"><border><left/><right/><top/><bottom/><diagonal/></border></borders><cellStyleXfs count="1"><xf numFmtId="0" fontId="0" fillId="0" borderId="0"/></cellStyleXfs>`+
		`<cellXfs count="3"><xf numFmtId="0" fontId="0" fillId="0" borderId="0" xfId="0"/><xf numFmtId="0" fontId="1" fillId="2" borderId="0" xfId="0" applyFont="1" applyFill="1"/><xf numFmtId="164" fontId="0" fillId="0" borderId="0" xfId="0" applyNumberFormat="1"/></cellXfs>`+
		`<cellStyles count="1"><cellStyle name="Normal" xfId="0" builtinId="0"/></cellStyles></styleSheet>`))
	p.put("xl/sharedStrings.xml", []byte(xmlHead+fmt.Sprintf(`<sst %s count="%d" uniqueCount="%d">%s</sst>`, nsX, count, len(index), shared.String())))
	p.put("docProps/core.xml", coreProps(d, created, modified, 1))
	p.put("docProps/app.xml", appProps("Microsoft Excel", d.Company, 0))
	return p.bytes()
}
