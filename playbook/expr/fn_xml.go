package expr

import (
	"encoding/xml"
	"fmt"
	"math/big"
	"strconv"
	"strings"
	"unicode"

	"github.com/shopspring/decimal"
)

const xmlType = "application/xml;charset=utf-8"

func xmlFn(_ *evaluator, name string, args []any) (any, error) {
	bad := func(why string) error {
		return errf("The template language function 'xml' parameter is not valid. The provided value cannot be converted to XML: '%s'. %s", why, usage(name))
	}
	switch x := args[0].(type) {
	case string:
		d, err := parseXML(x)
		if err != nil {
			return nil, bad(err.Error())
		}
		return BinaryValue([]byte(documentXML(d)), xmlType), nil
	case *Object:
		if b, _, ok := Binary(x); ok {
			d, err := parseXML(string(b))
			if err != nil {
				return nil, bad(err.Error())
			}
			return BinaryValue([]byte(documentXML(d)), xmlType), nil
		}
		s, err := jsonToXML(x)
		if err != nil {
			return nil, bad(err.Error())
		}
		return BinaryValue([]byte(s), xmlType), nil
	}
	return nil, errf("The template language function 'xml' expects its parameter to be a string or an object. The provided value is of type '%s'. %s", TypeName(args[0]), usage(name))
}

// xmlToJSON converts a document as Json.NET does: attributes as @name, text beside them as #text, repeated
// elements as arrays, an empty element as null.
func xmlToJSON(doc *xmlNode) any {
	out := &Object{}
	for _, c := range doc.children {
		switch c.kind {
		case xmlProc:
			o := &Object{}
			for _, a := range pseudoAttrs(c.value) {
				o.Set("@"+a.Name, a.Value)
			}
			if c.local == "xml" {
				out.Set("?"+c.local, o)
			} else {
				out.Set("?"+c.local, c.value)
			}
		case xmlElement:
			out.Set(c.name(), elementJSON(c))
		}
	}
	return out
}

func pseudoAttrs(s string) []Member {
	var out []Member
	d := xml.NewDecoder(strings.NewReader("<a " + s + "/>"))
	if t, err := d.RawToken(); err == nil {
		if e, ok := t.(xml.StartElement); ok {
			for _, a := range e.Attr {
				out = append(out, Member{a.Name.Local, a.Value})
			}
		}
	}
	return out
}

func elementJSON(n *xmlNode) any {
	if len(n.attrs) == 0 {
		if len(n.children) == 0 {
			if n.selfEnd {
				return nil
			}
			return ""
		}
		if len(n.children) == 1 && n.children[0].kind == xmlText && !n.children[0].cdata {
			return n.children[0].value
		}
	}
	o := &Object{}
	for _, a := range n.attrs {
		o.Set("@"+a.name(), a.value)
	}
	groups := map[string][]any{}
	var names []string
	for _, c := range n.children {
		key, v := "", any(nil)
		switch c.kind {
		case xmlText:
			key, v = "#text", c.value
			if c.cdata {
				key = "#cdata-section"
			}
		case xmlElement:
			key, v = c.name(), elementJSON(c)
		default:
			continue
		}
		if _, ok := groups[key]; !ok {
			names = append(names, key)
		}
		groups[key] = append(groups[key], v)
	}
	for _, k := range names {
		g := groups[k]
		if len(g) == 1 {
			o.Set(k, g[0])
		} else {
			o.Set(k, g)
		}
	}
	if o.Len() == 0 {
		return nil
	}
	return o
}

func jsonToXML(o *Object) (string, error) {
	var b strings.Builder
	roots := 0
	for _, m := range o.Members() {
		if m.Name == "?xml" {
			b.WriteString("<?xml")
			if a, ok := m.Value.(*Object); ok {
				for _, am := range a.Members() {
					b.WriteString(" " + strings.TrimPrefix(am.Name, "@") + `="` + escapeAttr.Replace(jsonScalar(am.Value)) + `"`)
				}
			}
			b.WriteString("?>")
			continue
		}
		if strings.HasPrefix(m.Name, "@") || strings.HasPrefix(m.Name, "#") {
			return "", fmt.Errorf("The property '%s' cannot stand at the root", m.Name)
		}
		n := 1
		if a, ok := m.Value.([]any); ok {
			n = len(a)
		}
		if roots += n; roots > 1 {
			return "", fmt.Errorf("JSON root object has multiple properties. The root object must have a single property in order to create a valid XML document. Consider specifying a DeserializeRootElementName. Path '%s'.", m.Name)
		}
		writeJSONElement(&b, m.Name, m.Value)
	}
	if roots == 0 {
		return "", fmt.Errorf("the object has no property to be the root element")
	}
	return b.String(), nil
}

func jsonScalar(v any) string {
	switch x := v.(type) {
	case nil:
		return ""
	case string:
		return x
	case bool:
		return strconv.FormatBool(x)
	case int64, *big.Int, float64, decimal.Decimal:
		return Text(v)
	}
	return JSON(v)
}

func writeJSONElement(b *strings.Builder, name string, v any) {
	tag := encodeName(name)
	switch x := v.(type) {
	case []any:
		for _, e := range x {
			writeJSONElement(b, name, e)
		}
	case nil:
		b.WriteString("<" + tag + " />")
	case *Object:
		b.WriteString("<" + tag)
		var inner strings.Builder
		for _, m := range x.Members() {
			switch {
			case strings.HasPrefix(m.Name, "@"):
				b.WriteString(" " + encodeName(m.Name[1:]) + `="` + escapeAttr.Replace(jsonScalar(m.Value)) + `"`)
			case m.Name == "#text":
				list, ok := m.Value.([]any)
				if !ok {
					list = []any{m.Value}
				}
				for _, e := range list {
					inner.WriteString(escapeText.Replace(jsonScalar(e)))
				}
			case m.Name == "#cdata-section":
				inner.WriteString("<![CDATA[" + strings.ReplaceAll(jsonScalar(m.Value), "]]>", "]]]]><![CDATA[>") + "]]>")
			default:
				writeJSONElement(&inner, m.Name, m.Value)
			}
		}
		if inner.Len() == 0 {
			b.WriteString(" />")
			return
		}
		b.WriteString(">" + inner.String() + "</" + tag + ">")
	default:
		s := jsonScalar(v)
		b.WriteString("<" + tag + ">" + escapeText.Replace(s) + "</" + tag + ">")
	}
}

// encodeName makes a property name an XML name, as .NET's XmlConvert.EncodeName (a colon stays).
func encodeName(s string) string {
	var b strings.Builder
	for i, r := range s {
		ok := r == '_' || r == ':' || unicode.IsLetter(r) || i > 0 && (r == '-' || r == '.' || unicode.IsDigit(r))
		if ok {
			b.WriteRune(r)
		} else {
			fmt.Fprintf(&b, "_x%04X_", r)
		}
	}
	return b.String()
}

func xpathFn(_ *evaluator, name string, args []any) (any, error) {
	var text string
	switch x := args[0].(type) {
	case string:
		text = x
	case *Object:
		b, _, ok := Binary(x)
		if !ok {
			return nil, errf("The template language function 'xpath' expects its first parameter to be an XML object. The provided value is of type 'Object'. %s", usage(name))
		}
		text = string(b)
	default:
		return nil, errf("The template language function 'xpath' expects its first parameter to be an XML object. The provided value is of type '%s'. %s", TypeName(args[0]), usage(name))
	}
	path, err := needString(name, args, 1)
	if err != nil {
		return nil, err
	}
	if text == "" {
		return []any{}, nil
	}
	doc, err := parseXML(text)
	if err != nil {
		return nil, errf("The template language function 'xpath' parameters are invalid: the 'xml' parameter must be a supported, well formed XML object. %s %s", err, usage(name))
	}
	v, err := evalXPath(path, doc)
	if err != nil {
		return nil, errf("The template language function 'xpath' parameters are invalid: the 'xpath' parameter must be a supported, well formed XPath expression. %s %s", err, usage(name))
	}
	switch x := v.(type) {
	case []*xmlNode:
		out := make([]any, len(x))
		for i, n := range x {
			switch n.kind {
			case xmlElement, xmlDocument:
				out[i] = BinaryValue([]byte(outerXML(n)), xmlType)
			default:
				out[i] = n.value
			}
		}
		return out, nil
	case float64:
		if x == float64(int64(x)) {
			return int64(x), nil
		}
		return x, nil
	}
	return v, nil
}
