package expr

import (
	"net/url"
	"strconv"
	"strings"
)

// uriPart is uriHost, uriPath, uriPathAndQuery, uriPort, uriQuery and uriScheme; a text that isn't an absolute
// URI has none of them.
func uriPart(_ *evaluator, name string, args []any) (any, error) {
	s, err := needString(name, args, 0)
	if err != nil {
		return nil, err
	}
	u, perr := url.Parse(strings.TrimSpace(s))
	if perr != nil || u.Scheme == "" {
		if name == "uriPort" {
			return int64(0), nil
		}
		return "", nil
	}
	path := u.EscapedPath()
	if path == "" && u.Opaque == "" {
		path = "/"
	}
	query := ""
	if u.RawQuery != "" {
		query = "?" + u.RawQuery
	}
	switch name {
	case "uriHost":
		return u.Hostname(), nil
	case "uriPath":
		return path, nil
	case "uriPathAndQuery":
		return path + query, nil
	case "uriQuery":
		return query, nil
	case "uriScheme":
		return strings.ToLower(u.Scheme), nil
	}
	if p, err := strconv.ParseInt(u.Port(), 10, 32); err == nil {
		return p, nil
	}
	if p, ok := map[string]int64{"http": 80, "https": 443, "ws": 80, "wss": 443, "ftp": 21, "ftps": 990, "ldap": 389, "gopher": 70, "telnet": 23, "nntp": 119}[strings.ToLower(u.Scheme)]; ok {
		return p, nil
	}
	return int64(-1), nil
}
