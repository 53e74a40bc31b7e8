package office

import (
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"path"
	"strings"
)

// Check says whether b is a sound package: a main part, every part typed, every override and every internal
// relationship with its part, XML well formed, ids unique, and every r:id, r:link, r:embed with its relationship.
func Check(b []byte) error {
	p, err := open(b)
	if err != nil {
		return err
	}
	if _, _, err := p.main(); err != nil {
		return err
	}
	t, err := p.types()
	if err != nil {
		return err
	}
	var errs []error
	bad := func(format string, a ...any) { errs = append(errs, fmt.Errorf("office: "+format, a...)) }
	seen := map[string]bool{}
	for _, o := range t.Overrides {
		k := strings.ToLower(o.Part)
		if seen[k] {
			bad("%s has two content types", o.Part)
		}
		seen[k] = true
		if !strings.HasPrefix(o.Part, "/") {
			bad("content type of %q: a part name begins with a slash", o.Part)
		}
		if _, ok := p.get(strings.TrimPrefix(o.Part, "/")); !ok {
			bad("content type of %s: there is no such part", o.Part)
		}
	}
	for _, part := range p.parts {
		if part.name == "[Content_Types].xml" {
			continue
		}
		if t.of(part.name) == "" {
			bad("%s has no content type", part.name)
		}
		ext := strings.ToLower(path.Ext(part.name))
		if ext != ".xml" && ext != ".rels" {
			continue
		}
		ids, err := relRefs(part.data)
		if err != nil {
			bad("%s: %w", part.name, err)
			continue
		}
		if ext == ".rels" {
			src := path.Join(path.Dir(path.Dir(part.name)), strings.TrimSuffix(path.Base(part.name), ".rels"))
			if src != "." && part.name != "_rels/.rels" {
				if _, ok := p.get(src); !ok {
					bad("%s: its part %s is missing", part.name, src)
				}
			}
			continue
		}
		rs, err := p.rels(part.name)
		if err != nil {
			bad("%w", err)
			continue
		}
		known := map[string]bool{}
		for _, r := range rs {
			if known[r.ID] {
				bad("%s has two relationships %s", part.name, r.ID)
			}
			known[r.ID] = true
			if r.external() {
				continue
			}
			if _, ok := p.get(target(part.name, r.Target)); !ok {
				bad("%s: relationship %s leads to %s, which is missing", part.name, r.ID, r.Target)
			}
		}
		for _, id := range ids {
			if !known[id] {
				bad("%s refers to relationship %s, which is missing", part.name, id)
			}
		}
	}
	rs, err := p.rels("")
	if err != nil {
		errs = append(errs, err)
	}
	for _, r := range rs {
		if !r.external() {
			if _, ok := p.get(target("", r.Target)); !ok {
				bad("_rels/.rels: %s is missing", r.Target)
			}
		}
	}
	return errors.Join(errs...)
}

// nsRel are the name spaces of relationship attributes.
func nsRel(s string) bool {
	return s == "http://schemas.openxmlformats.org/officeDocument/2006/relationships" || s == "http://purl.oclc.org/ooxml/officeDocument/relationships"
}

// relRefs reads a part through and lists the relationship ids that it uses.
func relRefs(b []byte) ([]string, error) {
	d := decoder(b)
	var ids []string
	depth := 0
	for {
		tok, err := d.Token()
		if errors.Is(err, io.EOF) {
			return ids, nil
		}
		if err != nil {
			return nil, err
		}
		switch t := tok.(type) {
		case xml.StartElement:
			if depth++; depth > maxDepth {
				return nil, errDepth
			}
			for _, a := range t.Attr {
				if nsRel(a.Name.Space) && a.Value != "" {
					ids = append(ids, a.Value)
				}
			}
		case xml.EndElement:
			depth--
		}
	}
}

// ExternalImages lists the URLs of the pictures that a program fetches when it opens the document, each once.
func ExternalImages(b []byte) ([]string, error) {
	p, err := open(b)
	if err != nil {
		return nil, err
	}
	var out []string
	seen := map[string]bool{}
	for _, t := range p.parts {
		if !strings.HasSuffix(t.name, ".rels") {
			continue
		}
		var x struct {
			Rels []rel `xml:"Relationship"`
		}
		if err := xml.Unmarshal(t.data, &x); err != nil {
			return nil, fmt.Errorf("office: %s: %w", t.name, err)
		}
		for _, r := range x.Rels {
			if r.external() && r.is("image") && !seen[r.Target] {
				seen[r.Target] = true
				out = append(out, r.Target)
			}
		}
	}
	return out, nil
}
