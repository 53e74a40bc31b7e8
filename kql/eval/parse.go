package eval

import (
	"picket/kql/value"
	"strconv"
	"strings"

	"github.com/shopspring/decimal"
)

func parseFuncs(t table) {
	for _, n := range []string{"extract_json", "extractjson"} {
		t.pure(n, extractJSON)
	}
	for _, n := range []string{"parse_url", "parseurl"} {
		t.pure(n, strToDyn(parseURL))
	}
	for _, n := range []string{"parse_urlquery", "parseurlquery"} {
		t.pure(n, strToDyn(func(s string) any {
			b := value.NewBag()
			b.Set("Query Parameters", queryParams(strings.TrimPrefix(s, "?")))
			return b
		}))
	}
	t.pure("parse_csv", strToDyn(func(s string) any { return csvRecord(s) }))
	t.pure("parse_path", strToDyn(parsePath))
	t.pure("parse_xml", strToDyn(parseXML))
	t.pure("parse_version", func(_ *Ctx, _ value.Type, n int, args []*value.Vector) (*value.Vector, error) {
		a := texts(args[0])
		out := value.New(value.Decimal, n)
		for i := range out.M {
			d, ok := parseVersion(a.at(i))
			if !ok {
				out.SetNull(i)
				continue
			}
			out.M[i] = d
		}
		return out, nil
	})
	t.pure("parse_command_line", func(_ *Ctx, _ value.Type, n int, args []*value.Vector) (*value.Vector, error) {
		if kind := argString(args, 1, "windows"); !strings.EqualFold(kind, "windows") {
			return nil, refuse("parse_command_line", "only the parser windows is supported, not %q", kind)
		}
		return strToDyn(func(s string) any { return commandLine(s) })(nil, value.Dynamic, n, args[:1])
	})
	t.pure("parse_user_agent", parseUserAgent)
}

// extractJSON is extract_json(path, text[, typeof]): the element's text, "" when the path leads nowhere.
func extractJSON(c *Ctx, ret value.Type, n int, args []*value.Vector) (*value.Vector, error) {
	p, s := texts(args[0]), texts(args[1])
	out := value.New(value.Dynamic, n)
	var steps []any
	prev := ""
	for i := range out.D {
		if path := p.at(i); i == 0 || path != prev {
			prev = path
			var ok bool
			if len(path) > 1 && path[0] == '$' && path[1] != '.' && path[1] != '[' {
				path = "$." + path[1:] // Microsoft's own rules write $a for $.a
			}
			if steps, ok = parseJSONPath(path); !ok {
				return nil, refuse("extract_json", "%q is not a JSON path that is supported ($.a['b'][0])", path)
			}
		}
		d, err := value.ParseJSON(s.at(i))
		if err != nil {
			continue
		}
		if all, wild := walkJSON(d, steps); wild {
			if len(all) > 0 {
				out.D[i] = all
			}
		} else if len(all) == 1 {
			out.D[i] = all[0]
		}
	}
	return convert(out, ret), nil
}

// walkJSON follows a path; a wildcard step (nil) fans out.
func walkJSON(d any, steps []any) (found []any, wild bool) {
	cur := []any{d}
	for _, s := range steps {
		var next []any
		for _, e := range cur {
			if s != nil {
				if v, ok := bagPath(e, []any{s}); ok {
					next = append(next, v)
				}
				continue
			}
			wild = true
			switch x := e.(type) {
			case []any:
				next = append(next, x...)
			case *value.Bag:
				for _, k := range x.Keys() {
					v, _ := x.Get(k)
					next = append(next, v)
				}
			}
		}
		cur = next
	}
	return cur, wild
}

func queryParams(q string) *value.Bag {
	b := value.NewBagOf(min(strings.Count(q, "&")+1, 16))
	for pair := range strings.SplitSeq(q, "&") {
		if pair == "" {
			continue
		}
		k, v, _ := strings.Cut(pair, "=")
		b.Set(urlDecode(k), urlDecode(v))
	}
	return b
}

// parseURL splits an absolute URL into the bag of parse_url(); what is absent is "".
func parseURL(s string) any {
	rest := s
	var scheme, host, port, path, user, pass, frag string
	params := value.NewBag()
	if i := strings.IndexByte(rest, '#'); i >= 0 {
		rest, frag = rest[:i], rest[i+1:]
	}
	if i := strings.IndexByte(rest, '?'); i >= 0 {
		params = queryParams(rest[i+1:])
		rest = rest[:i]
	}
	if i := strings.Index(rest, "://"); i >= 0 {
		scheme, rest = rest[:i], rest[i+3:]
		auth := rest
		if i := strings.IndexByte(rest, '/'); i >= 0 {
			auth, path = rest[:i], rest[i+1:]
		}
		if i := strings.LastIndexByte(auth, '@'); i >= 0 {
			user, pass, _ = strings.Cut(auth[:i], ":")
			auth = auth[i+1:]
		}
		host = auth
		if i := strings.LastIndexByte(auth, ':'); i >= 0 && !strings.HasSuffix(auth, "]") {
			if _, err := strconv.ParseUint(auth[i+1:], 10, 16); err == nil {
				host, port = auth[:i], auth[i+1:]
			}
		}
	} else {
		path = rest
	}
	b := value.NewBagOf(8)
	b.Set("Scheme", scheme)
	b.Set("Host", host)
	b.Set("Port", port)
	b.Set("Path", path)
	b.Set("Username", user)
	b.Set("Password", pass)
	b.Set("Query Parameters", params)
	b.Set("Fragment", frag)
	return b
}

// csvRecord reads the first record of CSV text.
func csvRecord(s string) []any {
	out := []any{}
	for i := 0; ; {
		if i < len(s) && s[i] == '"' {
			var b strings.Builder
			i++
			for i < len(s) {
				if s[i] == '"' {
					if i+1 < len(s) && s[i+1] == '"' {
						b.WriteByte('"')
						i += 2
						continue
					}
					i++
					break
				}
				b.WriteByte(s[i])
				i++
			}
			for i < len(s) && s[i] != ',' && s[i] != '\n' && s[i] != '\r' {
				b.WriteByte(s[i])
				i++
			}
			out = append(out, b.String())
		} else {
			j := i
			for i < len(s) && s[i] != ',' && s[i] != '\n' && s[i] != '\r' {
				i++
			}
			out = append(out, s[j:i])
		}
		if i >= len(s) || s[i] != ',' {
			return out
		}
		i++
	}
}

// parsePath splits a file path of Windows, UNC or Unix into the bag of parse_path().
func parsePath(s string) any {
	var scheme, root, stream string
	p := s
	if i := strings.Index(p, "://"); i > 0 {
		scheme, p = p[:i], p[i+3:]
		if len(p) > 2 && p[0] == '/' && p[2] == ':' { // file:///C:/...
			p = p[1:]
		}
	}
	if len(p) >= 2 && p[1] == ':' && termByte(p[0]) {
		root = p[:2]
	}
	cut := strings.LastIndexAny(p, `\/`)
	dir, file := "", p
	if cut >= 0 {
		dir, file = p[:cut], p[cut+1:]
		if dir == "" || dir == root {
			dir = p[:cut+1]
		}
	} else if root != "" {
		file = p[2:]
		dir = root
	}
	if i := strings.IndexByte(file, ':'); i >= 0 {
		file, stream = file[:i], file[i+1:]
	}
	ext := ""
	if i := strings.LastIndexByte(file, '.'); i >= 0 {
		ext = file[i+1:]
	}
	trimmed := strings.TrimRight(dir, `\/`)
	name := trimmed
	if i := strings.LastIndexAny(trimmed, `\/`); i >= 0 {
		name = trimmed[i+1:]
	}
	if name == root {
		name = ""
	}
	b := value.NewBag()
	b.Set("Scheme", scheme)
	b.Set("RootPath", root)
	b.Set("DirectoryPath", dir)
	b.Set("DirectoryName", name)
	b.Set("Filename", file)
	b.Set("Extension", ext)
	b.Set("AlternateDataStreamName", stream)
	return b
}

// parseVersion packs up to four parts of up to eight digits into one comparable decimal.
func parseVersion(s string) (decimal.Decimal, bool) {
	parts := strings.Split(s, ".")
	if len(parts) > 4 {
		return decimal.Decimal{}, false
	}
	digits := make([]byte, 0, 32)
	for k := range 4 {
		p := ""
		if k < len(parts) {
			p = parts[k]
			if p == "" || len(p) > 8 {
				return decimal.Decimal{}, false
			}
			for i := range len(p) {
				if p[i] < '0' || p[i] > '9' {
					return decimal.Decimal{}, false
				}
			}
		}
		digits = append(digits, "00000000"[len(p):]...)
		digits = append(digits, p...)
	}
	d, err := decimal.NewFromString(string(digits))
	return d, err == nil
}

// commandLine splits a command line by the rules of Windows: quotes group, 2n backslashes before a quote are n.
func commandLine(s string) any {
	if strings.TrimSpace(s) == "" {
		return nil
	}
	out := []any{}
	for i := 0; i < len(s); {
		for i < len(s) && (s[i] == ' ' || s[i] == '\t') {
			i++
		}
		if i >= len(s) {
			break
		}
		var b strings.Builder
		quoted := false
		for i < len(s) && (quoted || s[i] != ' ' && s[i] != '\t') {
			if s[i] == '\\' {
				n := 0
				for i < len(s) && s[i] == '\\' {
					n++
					i++
				}
				if i < len(s) && s[i] == '"' {
					b.WriteString(strings.Repeat(`\`, n/2))
					if n%2 == 1 {
						b.WriteByte('"')
						i++
					}
				} else {
					b.WriteString(strings.Repeat(`\`, n))
				}
				continue
			}
			if s[i] == '"' {
				if quoted && i+1 < len(s) && s[i+1] == '"' {
					b.WriteByte('"')
					i += 2
					continue
				}
				quoted = !quoted
				i++
				continue
			}
			b.WriteByte(s[i])
			i++
		}
		out = append(out, b.String())
	}
	return out
}
