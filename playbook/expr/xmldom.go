package expr

import (
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"strings"
)

type xmlKind uint8

const (
	xmlDocument xmlKind = iota
	xmlElement
	xmlAttr
	xmlText
	xmlComment
	xmlProc
	xmlNamespace
)

// xmlNode is a node of a document, as XPath 1.0 sees it.
type xmlNode struct {
	kind     xmlKind
	prefix   string
	local    string
	space    string // namespace URI
	value    string
	attrs    []*xmlNode // with xmlns declarations as xmlNamespace nodes
	children []*xmlNode
	parent   *xmlNode
	order    int
	cdata    bool
	selfEnd  bool // written <a/>
}

const (
	maxXMLNodes = 1_000_000
	maxXMLDepth = 200
)

func (n *xmlNode) name() string {
	if n.prefix != "" {
		return n.prefix + ":" + n.local
	}
	return n.local
}

// parseXML reads a document. External entities and document types are not followed.
func parseXML(s string) (*xmlNode, error) {
	s = strings.TrimPrefix(s, "\ufeff")
	if strings.TrimSpace(s) == "" {
		return nil, errors.New("Root element is missing.")
	}
	if !strings.HasPrefix(strings.TrimLeft(s, " \t\r\n"), "<") {
		return nil, errors.New("Data at the root level is invalid. Line 1, position 1.")
	}
	d := xml.NewDecoder(strings.NewReader(s))
	d.Strict = true
	d.CharsetReader = func(_ string, r io.Reader) (io.Reader, error) { return r, nil }
	doc := &xmlNode{kind: xmlDocument}
	cur := doc
	scopes := []map[string]string{{"xml": "http://www.w3.org/XML/1998/namespace"}}
	count, depth := 0, 0
	add := func(n *xmlNode) *xmlNode {
		count++
		n.order, n.parent = count, cur
		cur.children = append(cur.children, n)
		return n
	}
	for {
		off := d.InputOffset()
		t, err := d.RawToken()
		if err == io.EOF {
			break
		}
		if err != nil {
			return nil, err
		}
		if count > maxXMLNodes {
			return nil, fmt.Errorf("the document has more than %d nodes", maxXMLNodes)
		}
		switch x := t.(type) {
		case xml.StartElement:
			if depth++; depth > maxXMLDepth {
				return nil, fmt.Errorf("the document is nested deeper than %d", maxXMLDepth)
			}
			if cur == doc && root(doc) != nil {
				return nil, errors.New("There are multiple root elements.")
			}
			sc := map[string]string{}
			for k, v := range scopes[len(scopes)-1] {
				sc[k] = v
			}
			n := &xmlNode{kind: xmlElement, prefix: x.Name.Space, local: x.Name.Local}
			for _, a := range x.Attr {
				if a.Name.Space == "xmlns" {
					sc[a.Name.Local] = a.Value
				} else if a.Name.Space == "" && a.Name.Local == "xmlns" {
					sc[""] = a.Value
				}
			}
			n.space = sc[n.prefix]
			add(n)
			for _, a := range x.Attr {
				count++
				at := &xmlNode{kind: xmlAttr, prefix: a.Name.Space, local: a.Name.Local, value: a.Value, parent: n, order: count}
				if a.Name.Space == "xmlns" || a.Name.Space == "" && a.Name.Local == "xmlns" {
					at.kind = xmlNamespace
				} else if a.Name.Space != "" {
					at.space = sc[a.Name.Space]
				}
				n.attrs = append(n.attrs, at)
			}
			end := int(d.InputOffset())
			n.selfEnd = end >= 2 && end <= len(s) && s[end-2:end] == "/>"
			scopes = append(scopes, sc)
			cur = n
		case xml.EndElement:
			if cur == doc || x.Name.Local != cur.local || x.Name.Space != cur.prefix {
				return nil, fmt.Errorf("The '%s' end tag does not match its start tag.", x.Name.Local)
			}
			cur = cur.parent
			scopes = scopes[:len(scopes)-1]
			depth--
		case xml.CharData:
			txt := string(x)
			if cur == doc {
				if strings.TrimSpace(txt) != "" {
					return nil, errors.New("Data at the root level is invalid.")
				}
				continue
			}
			cdata := strings.HasPrefix(s[off:], "<![CDATA[")
			if strings.TrimSpace(txt) == "" && !cdata && !preserves(cur) {
				continue
			}
			if k := len(cur.children); k > 0 && cur.children[k-1].kind == xmlText && !cdata && !cur.children[k-1].cdata {
				cur.children[k-1].value += txt
				continue
			}
			add(&xmlNode{kind: xmlText, value: txt, cdata: cdata})
		case xml.Comment:
			add(&xmlNode{kind: xmlComment, value: string(x)})
		case xml.ProcInst:
			add(&xmlNode{kind: xmlProc, local: x.Target, value: string(x.Inst)})
		}
	}
	if cur != doc {
		return nil, fmt.Errorf("Unexpected end of file has occurred. The following elements are not closed: %s.", cur.name())
	}
	if root(doc) == nil {
		return nil, errors.New("Root element is missing.")
	}
	return doc, nil
}

func preserves(n *xmlNode) bool {
	for ; n != nil; n = n.parent {
		for _, a := range n.attrs {
			if a.prefix == "xml" && a.local == "space" {
				return a.value == "preserve"
			}
		}
	}
	return false
}

func root(doc *xmlNode) *xmlNode {
	for _, c := range doc.children {
		if c.kind == xmlElement {
			return c
		}
	}
	return nil
}

var (
	escapeText = strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;")
	escapeAttr = strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;", `"`, "&quot;", "\n", "&#xA;", "\r", "&#xD;", "\t", "&#x9;")
)

func writeXML(b *strings.Builder, n *xmlNode) {
	switch n.kind {
	case xmlDocument:
		for _, c := range n.children {
			writeXML(b, c)
		}
	case xmlText:
		if n.cdata {
			b.WriteString("<![CDATA[" + n.value + "]]>")
			return
		}
		b.WriteString(escapeText.Replace(n.value))
	case xmlComment:
		b.WriteString("<!--" + n.value + "-->")
	case xmlProc:
		b.WriteString("<?" + n.local)
		if n.value != "" {
			b.WriteString(" " + n.value)
		}
		b.WriteString("?>")
	case xmlElement:
		writeElement(b, n, nil)
	}
}

// writeElement writes an element; extra are namespace declarations that a part cut out of its document needs.
func writeElement(b *strings.Builder, n *xmlNode, extra []*xmlNode) {
	b.WriteString("<" + n.name())
	for _, a := range append(append([]*xmlNode{}, n.attrs...), extra...) {
		b.WriteString(" " + a.name() + `="` + escapeAttr.Replace(a.value) + `"`)
	}
	if len(n.children) == 0 {
		if n.selfEnd {
			b.WriteString(" />")
		} else {
			b.WriteString("></" + n.name() + ">")
		}
		return
	}
	b.WriteByte('>')
	for _, c := range n.children {
		writeXML(b, c)
	}
	b.WriteString("</" + n.name() + ">")
}

// outerXML writes one node by itself, with the namespaces that it uses from around it.
func outerXML(n *xmlNode) string {
	var b strings.Builder
	if n.kind != xmlElement {
		writeXML(&b, n)
		return b.String()
	}
	used := map[string]string{}
	var collect func(*xmlNode)
	collect = func(e *xmlNode) {
		if e.space != "" {
			used[e.prefix] = e.space
		}
		for _, a := range e.attrs {
			if a.kind == xmlAttr && a.prefix != "" && a.prefix != "xml" {
				used[a.prefix] = a.space
			}
		}
		for _, c := range e.children {
			if c.kind == xmlElement {
				collect(c)
			}
		}
	}
	collect(n)
	for _, a := range n.attrs {
		if a.kind == xmlNamespace {
			if a.prefix == "" {
				delete(used, "")
			} else {
				delete(used, a.local)
			}
		}
	}
	var extra []*xmlNode
	for _, p := range sortedKeys(used) {
		ns := &xmlNode{kind: xmlNamespace, local: "xmlns", value: used[p]}
		if p != "" {
			ns.prefix, ns.local = "xmlns", p
		}
		extra = append(extra, ns)
	}
	writeElement(&b, n, extra)
	return b.String()
}

func documentXML(doc *xmlNode) string {
	var b strings.Builder
	writeXML(&b, doc)
	return b.String()
}

// stringValue is XPath's string-value of a node.
func stringValue(n *xmlNode) string {
	if n.kind != xmlElement && n.kind != xmlDocument {
		return n.value
	}
	var b strings.Builder
	var walk func(*xmlNode)
	walk = func(e *xmlNode) {
		for _, c := range e.children {
			switch c.kind {
			case xmlText:
				b.WriteString(c.value)
			case xmlElement:
				walk(c)
			}
		}
	}
	walk(n)
	return b.String()
}
