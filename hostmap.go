package picket

import (
	"fmt"
	"net/http"
	"net/http/httputil"
	"net/url"
	"strings"
	"time"
)

// hostMap are the hosts that playbooks ask for and this picket answers itself: the token service's by the
// Canarytokens-compatible routes, ip-api.com by picket's own geo lookup, and those of the setting host-map by
// forwarding to the URL that is set there (nothing set: refused by name). See docs/adr/0003-host-map.md.
func (p *Picket) hostMap() map[string]http.Handler {
	tokens := lazy(func() http.Handler { return p.canary.Handler() })
	hosts := map[string]http.Handler{"canarytokens.org": tokens, "www.canarytokens.org": tokens, "ip-api.com": p.geo.Handler()}
	for host, to := range p.cfg.HostMap {
		host = strings.ToLower(host)
		if to == "" {
			hosts[host] = nil
			continue
		}
		u, _ := url.Parse(to) // checked by Validate
		hosts[host] = forward(u)
	}
	return hosts
}

// linkMap is the map by which the page draws links out of rows: host to host of this picket or of host-map.
func (p *Picket) linkMap() map[string]string {
	own := strings.TrimPrefix(p.publicURL, "https://")
	m := map[string]string{"canarytokens.org": own, "www.canarytokens.org": own}
	for host, to := range p.cfg.HostMap {
		if u, err := url.Parse(to); err == nil && u.Host != "" {
			m[strings.ToLower(host)] = u.Host
		}
	}
	return m
}

// forward sends requests to another base URL. Whoever wrote the setting chose the target, so it may be private.
func forward(to *url.URL) http.Handler {
	return &httputil.ReverseProxy{
		Rewrite:   func(r *httputil.ProxyRequest) { r.SetURL(to) },
		Transport: &http.Transport{TLSHandshakeTimeout: 10 * time.Second, ResponseHeaderTimeout: time.Minute, MaxIdleConnsPerHost: 4, IdleConnTimeout: time.Minute, MaxResponseHeaderBytes: 64 << 10},
		ErrorHandler: func(w http.ResponseWriter, _ *http.Request, err error) {
			http.Error(w, "host-map: "+to.Host+" did not answer: "+err.Error(), http.StatusBadGateway)
		},
	}
}

func checkHostMap(m map[string]string) error {
	for host, to := range m {
		if host == "" || strings.ContainsAny(host, "/:@ ") {
			return fmt.Errorf("host-map: %q is no host name", host)
		}
		if to == "" {
			continue
		}
		if u, err := url.Parse(to); err != nil || u.Host == "" || (u.Scheme != "http" && u.Scheme != "https") || u.User != nil {
			return fmt.Errorf("host-map %s: %q: give a whole URL such as https://tokens.example.org, or nothing to refuse the host", host, to)
		}
	}
	return nil
}
