package eval

import (
	"encoding/xml"
	"io"
	"picket/kql/value"
	"strings"
)

// Limits of parse_xml(): longer or deeper text gives null.
const (
	maxXML      = 1 << 20
	maxXMLDepth = 200
)

// parseXML turns one XML document into a bag: attributes are @name, text beside other content is #text,
// elements that repeat become arrays, an empty element is null.
func parseXML(s string) any {
	if s == "" || len(s) > maxXML {
		return nil
	}
	d := xml.NewDecoder(strings.NewReader(s))
	d.CharsetReader = func(_ string, r io.Reader) (io.Reader, error) { return r, nil }
	d.Strict = true
	var root *value.Bag
	for {
		tok, err := d.RawToken()
		if err == io.EOF {
			if root == nil {
				return nil
			}
			return root
		}
		if err != nil {
			return nil
		}
		switch t := tok.(type) {
		case xml.StartElement:
			if root != nil {
				return nil
			}
			v, ok := xmlElement(d, t, 0)
			if !ok {
				return nil
			}
			root = value.NewBag()
			root.Set(xmlName(t.Name), v)
		case xml.CharData:
			if strings.TrimSpace(string(t)) != "" {
				return nil
			}
		case xml.EndElement:
			return nil
		}
	}
}

func xmlName(n xml.Name) string {
	if n.Space != "" {
		return n.Space + ":" + n.Local
	}
	return n.Local
}

func xmlElement(d *xml.Decoder, start xml.StartElement, depth int) (any, bool) {
	if depth > maxXMLDepth {
		return nil, false
	}
	b := value.NewBag()
	for _, a := range start.Attr {
		b.Set("@"+xmlName(a.Name), xmlText(a.Value))
	}
	var text strings.Builder
	kids := map[string][]any{}
	var order []string
	textFirst := false
	for {
		tok, err := d.RawToken()
		if err != nil {
			return nil, false
		}
		switch t := tok.(type) {
		case xml.StartElement:
			v, ok := xmlElement(d, t, depth+1)
			if !ok {
				return nil, false
			}
			n := xmlName(t.Name)
			if _, seen := kids[n]; !seen {
				order = append(order, n)
			}
			kids[n] = append(kids[n], v)
		case xml.CharData:
			if strings.TrimSpace(string(t)) != "" {
				textFirst = textFirst || len(order) == 0
				text.Write(t)
			}
		case xml.EndElement:
			if t.Name != start.Name {
				return nil, false
			}
			body := strings.TrimSpace(text.String())
			if b.Len() == 0 && len(order) == 0 {
				if body == "" {
					return nil, true
				}
				return xmlText(body), true
			}
			if body != "" && textFirst {
				b.Set("#text", xmlText(body))
			}
			for _, n := range order {
				if v := kids[n]; len(v) == 1 {
					b.Set(n, v[0])
				} else {
					b.Set(n, v)
				}
			}
			if body != "" && !textFirst {
				b.Set("#text", xmlText(body))
			}
			return b, true
		}
	}
}

// xmlText gives a number for a text that is exactly how the number prints, else the text.
func xmlText(s string) any {
	if s == "" || len(s) > 24 {
		return s
	}
	if c := s[0]; c != '-' && (c < '0' || c > '9') {
		return s
	}
	d, err := value.ParseJSON(s)
	if err != nil || value.FormatDynamic(d) != s {
		return s
	}
	switch d.(type) {
	case int64, float64:
		return d
	}
	return s
}
