// Package office writes, arms, checks and reads Office Open XML documents (ECMA-376): just what a honey token
// needs, on the standard library.
//
//	b, err := office.Word(office.Doc{Title: "Customer Accounts", Header: titles, Rows: rows, Link: url, Rand: r})
//	b, err = office.ArmWord(own, url, r)    // the user's own document, with a picture that is fetched from url
//	err = office.Check(b)                   // is it a sound package?
//	links, err := office.ExternalImages(b)  // what opening it would fetch
package office

import (
	"archive/zip"
	"bytes"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"path"
	"strings"
)

// Limits on documents that come from outside.
const (
	MaxFile  = 20 << 20  // bytes of the file
	maxParts = 5000      // parts in a package
	maxPart  = 128 << 20 // bytes of one part, unpacked
	maxTotal = 256 << 20 // bytes of all parts, unpacked
)

type part struct {
	name string // "word/document.xml", no leading slash
	data []byte
}

// pkg is a package of parts, in the order of the file.
type pkg struct{ parts []part }

func (p *pkg) index(name string) int {
	for i := range p.parts {
		if strings.EqualFold(p.parts[i].name, name) { // part names are equal without regard to case
			return i
		}
	}
	return -1
}

func (p *pkg) get(name string) ([]byte, bool) {
	if i := p.index(name); i >= 0 {
		return p.parts[i].data, true
	}
	return nil, false
}

func (p *pkg) put(name string, data []byte) {
	if i := p.index(name); i >= 0 {
		p.parts[i].data = data
		return
	}
	p.parts = append(p.parts, part{name, data})
}

// free gives a part name that isn't taken: dir/stem<n>.xml with the lowest n from the given one.
func (p *pkg) free(dir, stem string, n int) string {
	for ; ; n++ {
		name := fmt.Sprintf("%s/%s%d.xml", dir, stem, n)
		if p.index(name) < 0 {
			return name
		}
	}
}

// bytes writes the package. Entries carry the date that office programs write (1980-01-01).
func (p *pkg) bytes() ([]byte, error) {
	var buf bytes.Buffer
	z := zip.NewWriter(&buf)
	for _, t := range p.parts {
		w, err := z.CreateHeader(&zip.FileHeader{Name: t.name, Method: zip.Deflate, ModifiedDate: 33, ModifiedTime: 0}) //nolint:staticcheck // Modified would add an extended time, which office programs do not write
		if err != nil {
			return nil, fmt.Errorf("office: write %s: %w", t.name, err)
		}
		if _, err := w.Write(t.data); err != nil {
			return nil, fmt.Errorf("office: write %s: %w", t.name, err)
		}
	}
	if err := z.Close(); err != nil {
		return nil, fmt.Errorf("office: write package: %w", err)
	}
	return buf.Bytes(), nil
}

// open reads a package from outside.
func open(b []byte) (*pkg, error) {
	if len(b) > MaxFile {
		return nil, fmt.Errorf("office: the file is %d bytes; the limit is %d", len(b), MaxFile)
	}
	if bytes.HasPrefix(b, []byte("\xd0\xcf\x11\xe0")) {
		return nil, errors.New("office: the file is an old-style (.doc, .xls) or password-protected document; save it as .docx or .xlsx without a password")
	}
	z, err := zip.NewReader(bytes.NewReader(b), int64(len(b)))
	if err != nil {
		return nil, fmt.Errorf("office: the file is no Office Open XML package: %w", err)
	}
	if len(z.File) > maxParts {
		return nil, fmt.Errorf("office: the package has %d parts; the limit is %d", len(z.File), maxParts)
	}
	p := &pkg{}
	total := int64(0)
	for _, f := range z.File {
		if strings.HasSuffix(f.Name, "/") {
			continue
		}
		name := strings.TrimPrefix(strings.ReplaceAll(f.Name, `\`, "/"), "/")
		if name != path.Clean(name) || strings.HasPrefix(name, "..") {
			return nil, fmt.Errorf("office: part name %q is not allowed", f.Name)
		}
		if p.index(name) >= 0 {
			return nil, fmt.Errorf("office: part %q is there twice", name)
		}
		r, err := f.Open()
		if err != nil {
			return nil, fmt.Errorf("office: part %s: %w", name, err)
		}
		data, err := io.ReadAll(io.LimitReader(r, maxPart+1))
		r.Close()
		if err != nil {
			return nil, fmt.Errorf("office: part %s: %w", name, err)
		}
		if total += int64(len(data)); len(data) > maxPart || total > maxTotal {
			return nil, fmt.Errorf("office: the package unpacks to more than %d bytes", int64(maxTotal))
		}
		p.parts = append(p.parts, part{name, data})
	}
	if _, ok := p.get("[Content_Types].xml"); !ok {
		return nil, errors.New("office: the file is a zip archive, but no Office Open XML package: [Content_Types].xml is missing")
	}
	return p, nil
}

// rel is a relationship.
type rel struct {
	ID     string `xml:"Id,attr"`
	Type   string `xml:"Type,attr"`
	Target string `xml:"Target,attr"`
	Mode   string `xml:"TargetMode,attr"`
}

func (r rel) external() bool { return strings.EqualFold(r.Mode, "External") }

// is compares the last word of the type: it is the same in the transitional and the strict form.
func (r rel) is(kind string) bool { return path.Base(r.Type) == kind }

// relsName is where the relationships of a part are: word/_rels/document.xml.rels.
func relsName(part string) string {
	return path.Join(path.Dir(part), "_rels", path.Base(part)+".rels")
}

func (p *pkg) rels(part string) ([]rel, error) {
	name := relsName(part)
	if part == "" {
		name = "_rels/.rels"
	}
	b, ok := p.get(name)
	if !ok {
		return nil, nil
	}
	var x struct {
		Rels []rel `xml:"Relationship"`
	}
	if err := xml.Unmarshal(b, &x); err != nil {
		return nil, fmt.Errorf("office: %s: %w", name, err)
	}
	return x.Rels, nil
}

// target resolves an internal target against its source part.
func target(part, t string) string {
	if i := strings.IndexByte(t, '#'); i >= 0 {
		t = t[:i]
	}
	if strings.HasPrefix(t, "/") {
		return strings.TrimPrefix(path.Clean(t), "/")
	}
	return path.Join(path.Dir(part), t)
}

const relsHead = `<?xml version="1.0" encoding="UTF-8" standalone="yes"?>` + "\r\n" +
	`<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships">`

const relType = "http://schemas.openxmlformats.org/officeDocument/2006/relationships/"

// addRel adds a relationship to a part and returns its id.
func (p *pkg) addRel(part, kind, tgt string, ext bool) (string, error) {
	rs, err := p.rels(part)
	if err != nil {
		return "", err
	}
	used := map[string]bool{}
	for _, r := range rs {
		used[strings.ToLower(r.ID)] = true
	}
	n := len(rs) + 1
	for used[fmt.Sprintf("rid%d", n)] {
		n++
	}
	id := fmt.Sprintf("rId%d", n)
	mode := ""
	if ext {
		mode = ` TargetMode="External"`
	}
	el := fmt.Sprintf(`<Relationship xmlns="http://schemas.openxmlformats.org/package/2006/relationships" Id="%s" Type="%s%s" Target="%s"%s/>`, id, relType, kind, esc(tgt), mode)
	name := relsName(part)
	b, ok := p.get(name)
	if !ok {
		p.put(name, []byte(relsHead+el+`</Relationships>`))
		return id, nil
	}
	b, err = spliceBeforeEnd(b, el)
	if err != nil {
		return "", fmt.Errorf("office: %s: %w", name, err)
	}
	p.put(name, b)
	return id, nil
}

// addType declares the content type of a part.
func (p *pkg) addType(part, ctype string) error {
	b, _ := p.get("[Content_Types].xml")
	b, err := spliceBeforeEnd(b, fmt.Sprintf(`<Override xmlns="http://schemas.openxmlformats.org/package/2006/content-types" PartName="/%s" ContentType="%s"/>`, esc(part), ctype))
	if err != nil {
		return fmt.Errorf("office: [Content_Types].xml: %w", err)
	}
	p.put("[Content_Types].xml", b)
	return nil
}

// main finds the main part and its content type.
func (p *pkg) main() (name, ctype string, err error) {
	rs, err := p.rels("")
	if err != nil {
		return "", "", err
	}
	for _, r := range rs {
		if r.is("officeDocument") && !r.external() {
			name = target("", r.Target)
			if _, ok := p.get(name); !ok {
				return "", "", fmt.Errorf("office: the main part %q is missing", name)
			}
			t, err := p.types()
			if err != nil {
				return "", "", err
			}
			return name, t.of(name), nil
		}
	}
	return "", "", errors.New("office: the package names no main part (_rels/.rels has no officeDocument)")
}

// contentTypes is [Content_Types].xml.
type contentTypes struct {
	Defaults []struct {
		Ext  string `xml:"Extension,attr"`
		Type string `xml:"ContentType,attr"`
	} `xml:"Default"`
	Overrides []struct {
		Part string `xml:"PartName,attr"`
		Type string `xml:"ContentType,attr"`
	} `xml:"Override"`
}

func (p *pkg) types() (contentTypes, error) {
	var t contentTypes
	b, _ := p.get("[Content_Types].xml")
	if err := xml.Unmarshal(b, &t); err != nil {
		return t, fmt.Errorf("office: [Content_Types].xml: %w", err)
	}
	return t, nil
}

func (t contentTypes) of(part string) string {
	for _, o := range t.Overrides {
		if strings.EqualFold(strings.TrimPrefix(o.Part, "/"), part) {
			return o.Type
		}
	}
	ext := strings.TrimPrefix(path.Ext(part), ".")
	for _, d := range t.Defaults {
		if strings.EqualFold(d.Ext, ext) {
			return d.Type
		}
	}
	return ""
}

// refuseSigned refuses to change a signed document.
func (p *pkg) refuseSigned() error {
	for _, t := range p.parts {
		if strings.HasPrefix(strings.ToLower(t.name), "_xmlsignatures/") {
			return errors.New("office: the document is digitally signed; arming it would break the signature: remove the signature first")
		}
	}
	return nil
}

// esc escapes text for XML, also inside attributes.
func esc(s string) string {
	var b strings.Builder
	_ = xml.EscapeText(&b, []byte(s)) // a strings.Builder takes everything
	return b.String()
}

// splice puts ins into b at offset at.
func splice(b []byte, at int64, ins string) []byte {
	out := make([]byte, 0, len(b)+len(ins))
	out = append(out, b[:at]...)
	out = append(out, ins...)
	return append(out, b[at:]...)
}

// spliceBeforeEnd puts ins before the end tag of the root element; an empty root (<a/>) is opened for it.
func spliceBeforeEnd(b []byte, ins string) ([]byte, error) {
	d := decoder(b)
	depth := 0
	for {
		start := d.InputOffset()
		tok, err := d.RawToken()
		if err != nil {
			if errors.Is(err, io.EOF) {
				err = errors.New("XML without an end")
			}
			return nil, err
		}
		switch t := tok.(type) {
		case xml.StartElement:
			if depth++; depth > maxDepth {
				return nil, errDepth
			}
		case xml.EndElement:
			if depth--; depth > 0 {
				continue
			}
			end := d.InputOffset()
			if start == end || !bytes.HasPrefix(b[start:], []byte("</")) {
				// a self-closed root: b[..end] ends in "/>"
				i := bytes.LastIndex(b[:end], []byte("/>"))
				if i < 0 {
					return nil, errors.New("XML root can't be extended")
				}
				out := append([]byte{}, b[:i]...)
				out = append(out, '>')
				out = append(out, ins...)
				out = append(out, "</"+qname(t.Name)+">"...)
				return append(out, b[end:]...), nil
			}
			return splice(b, start, ins), nil
		}
	}
}

const maxDepth = 1000

var errDepth = fmt.Errorf("XML is nested deeper than %d", maxDepth)

func qname(n xml.Name) string {
	if n.Space != "" {
		return n.Space + ":" + n.Local
	}
	return n.Local
}

// decoder reads UTF-8 XML; parts in other encodings are refused by encoding/xml.
func decoder(b []byte) *xml.Decoder {
	d := xml.NewDecoder(bytes.NewReader(b))
	d.Strict = true
	return d
}
