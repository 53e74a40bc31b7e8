package picket

import (
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"net/url"
	"os"
	"reflect"
	"strconv"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"
)

// Config is every setting of a server. Each is a key of the YAML file (--config), an environment variable
// PICKET_<KEY> (upper case, - as _; lists by comma, maps as k=v by comma), and most are flags of serve. A flag
// wins over the environment, the environment over the file.
type Config struct {
	Data      string `yaml:"data"`       // the data folder, owned by one server
	Listen    string `yaml:"listen"`     // TLS: page and APIs
	Trip      string `yaml:"trip"`       // HTTP: token trips and nothing else
	DNS       string `yaml:"dns"`        // UDP and TCP: DNS tokens; "" is off
	Syslog    string `yaml:"syslog"`     // UDP and TCP: syslog, CEF, LEEF; "" is off
	SyslogTLS string `yaml:"syslog-tls"` // TCP with TLS: the same; "" is off
	OTLP      string `yaml:"otlp"`       // TCP with TLS: OpenTelemetry logs over gRPC; "" is off (HTTP is on --listen)
	HTTP      string `yaml:"http"`       // plain HTTP on a loopback address: collector, callbacks; "" is off

	PublicURL string `yaml:"public-url"` // how the world reaches --listen
	TripURL   string `yaml:"trip-url"`   // how the world reaches --trip; documents hold it
	DNSDomain string `yaml:"dns-domain"` // the zone that is delegated to --dns
	Cert      string `yaml:"cert"`       // PEM files of the user's own certificate
	Key       string `yaml:"key"`

	Demo    bool   `yaml:"demo"`
	Content string `yaml:"content"` // folder with the community's Ingest-CanaryTokens, for the walk-through

	TrustedProxies []string          `yaml:"trusted-proxies"` // CIDRs whose X-Forwarded-For is believed
	Outbound       []string          `yaml:"outbound"`        // hosts and CIDRs that playbooks and webhooks may reach beside public ones
	OutboundPublic bool              `yaml:"outbound-public"` // may playbooks and webhooks reach public addresses that are not listed
	HostMap        map[string]string `yaml:"host-map"`        // host → URL that is called in its place

	SMTP SMTP `yaml:"smtp"`

	Memory  int64         `yaml:"memory"`  // bytes DuckDB may use; 0 is half the machine
	Threads int           `yaml:"threads"` // DuckDB threads; 0 is 2
	Delay   time.Duration `yaml:"delay"`   // how long after its end a rule's window is run

	DailyCap         int64 `yaml:"daily-cap"`          // bytes of billable tables taken in a day; 0 is without end
	DailyCapReset    int   `yaml:"daily-cap-reset"`    // hour (UTC) at which its day begins
	DailyCapSecurity bool  `yaml:"daily-cap-security"` // the cap holds for tables of security events, too

	ResendWindow time.Duration     `yaml:"resend-window"` // how long requests of shippers are known again; 0 is 10 minutes, negative off
	RunRetention time.Duration     `yaml:"run-retention"` // how long ended playbook runs are kept; 0 is 90 days
	RunHistory   int               `yaml:"run-history"`   // how many of each playbook; 0 is all
	Functions    map[string]string `yaml:"functions"`     // app/function or app of Azure Functions → URL that answers it

	OIDC OIDC `yaml:"oidc"`

	// PlaybooksOnIncidents starts every enabled playbook with an incident or alert trigger on each new incident. Off by
	// default: as in Azure, deploying such a playbook starts nothing until an automation rule names it.
	PlaybooksOnIncidents bool `yaml:"playbooks-on-incidents"`

	TenantName    string `yaml:"workspace-name"`
	ResourceGroup string `yaml:"resource-group"`
}

// OIDC is the provider that people sign in to the page with, beside local accounts.
type OIDC struct {
	Issuer       string            `yaml:"issuer"` // "" is off
	ClientID     string            `yaml:"client-id"`
	ClientSecret string            `yaml:"client-secret"`
	Scopes       []string          `yaml:"scopes"`
	RoleClaim    string            `yaml:"role-claim"`   // "roles" when not given
	Roles        map[string]string `yaml:"roles"`        // value of the claim → Reader, Responder, Contributor, Owner
	DefaultRole  string            `yaml:"default-role"` // of who has none; "" lets nobody in without one
	NameClaim    string            `yaml:"name-claim"`
}

// SMTP is the server that mail goes through.
type SMTP struct {
	Host     string `yaml:"host"`
	Port     int    `yaml:"port"`
	Username string `yaml:"username"`
	Password string `yaml:"password"`
	From     string `yaml:"from"`
	TLS      string `yaml:"tls"` // "starttls" (default), "opportunistic", "implicit", "none"
}

// DefaultConfig is what serve begins with.
func DefaultConfig() Config {
	return Config{
		Data: "picket-data", Listen: "127.0.0.1:8443", Trip: "127.0.0.1:8081", TenantName: "picket", ResourceGroup: "picket",
		OutboundPublic: true, Content: os.Getenv("PICKET_SHARED"),
	}
}

// LoadFile reads a YAML file over c; an unknown key is an error that names it.
func (c *Config) LoadFile(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return fmt.Errorf("read --config: %w", err)
	}
	defer f.Close()
	dec := yaml.NewDecoder(f)
	dec.KnownFields(true)
	if err := dec.Decode(c); err != nil && !errors.Is(err, io.EOF) { // an empty file sets nothing
		var te *yaml.TypeError
		if errors.As(err, &te) { // without the names of Go's types
			var lines []string
			for _, l := range te.Errors {
				lines = append(lines, strings.NewReplacer(" not found in type picket.Config", ": there is no such setting", " not found in type picket.SMTP", ": there is no such setting of smtp", " not found in type picket.OIDC", ": there is no such setting of oidc", "field ", "key ").Replace(l))
			}
			return fmt.Errorf("read --config %s: %s", path, strings.Join(lines, "; "))
		}
		return fmt.Errorf("read --config %s: %w", path, err)
	}
	return nil
}

// LoadEnv reads PICKET_* over c.
func (c *Config) LoadEnv(lookup func(string) (string, bool)) error {
	return loadEnv("PICKET_", reflect.ValueOf(c).Elem(), lookup)
}

func loadEnv(prefix string, v reflect.Value, lookup func(string) (string, bool)) error {
	t := v.Type()
	for i := 0; i < t.NumField(); i++ {
		key := prefix + strings.ToUpper(strings.ReplaceAll(t.Field(i).Tag.Get("yaml"), "-", "_"))
		f := v.Field(i)
		if f.Kind() == reflect.Struct {
			if err := loadEnv(key+"_", f, lookup); err != nil {
				return err
			}
			continue
		}
		s, ok := lookup(key)
		if !ok {
			continue
		}
		if err := setField(f, s); err != nil {
			return fmt.Errorf("%s=%q: %w", key, s, err)
		}
	}
	return nil
}

func setField(f reflect.Value, s string) error {
	switch x := f.Addr().Interface().(type) {
	case *string:
		*x = s
	case *bool:
		b, err := strconv.ParseBool(s)
		if err != nil {
			return errors.New("give true or false")
		}
		*x = b
	case *int:
		n, err := strconv.Atoi(s)
		if err != nil {
			return errors.New("give a whole number")
		}
		*x = n
	case *int64:
		n, err := strconv.ParseInt(s, 10, 64)
		if err != nil {
			return errors.New("give a whole number")
		}
		*x = n
	case *time.Duration:
		d, err := time.ParseDuration(s)
		if err != nil {
			return errors.New("give a duration such as 30s or 5m")
		}
		*x = d
	case *[]string:
		*x = nil
		for _, p := range strings.Split(s, ",") {
			if p = strings.TrimSpace(p); p != "" {
				*x = append(*x, p)
			}
		}
	case *map[string]string:
		*x = map[string]string{}
		for _, p := range strings.Split(s, ",") {
			k, v, ok := strings.Cut(strings.TrimSpace(p), "=")
			if !ok {
				return fmt.Errorf("%q is not of the form host=url", p)
			}
			(*x)[k] = v
		}
	default:
		return fmt.Errorf("BUG: a setting of type %s", f.Type())
	}
	return nil
}

// Validate checks the settings; the error names the setting and the mend.
func (c *Config) Validate() error {
	if c.Data == "" {
		return errors.New("--data: give the data folder")
	}
	for _, a := range []struct {
		flag, addr string
		needed     bool
	}{{"--listen", c.Listen, true}, {"--trip", c.Trip, true}, {"--dns", c.DNS, false}, {"--http", c.HTTP, false}, {"--syslog", c.Syslog, false}, {"--syslog-tls", c.SyslogTLS, false}, {"--otlp", c.OTLP, false}} {
		if a.addr == "" {
			if a.needed {
				return fmt.Errorf("%s: give an address such as 127.0.0.1:8443", a.flag)
			}
			continue
		}
		host, _, err := net.SplitHostPort(a.addr)
		if err != nil {
			return fmt.Errorf("%s %q: give host:port: %w", a.flag, a.addr, err)
		}
		if (a.flag == "--http" || c.Demo) && !loopback(host) {
			why := "plain HTTP is only for this machine"
			if a.flag != "--http" {
				why = "--demo writes its password to a file and is only for this machine"
			}
			return fmt.Errorf("%s %s: %s: give a loopback address", a.flag, a.addr, why)
		}
	}
	for _, u := range []struct{ name, v string }{{"--public-url", c.PublicURL}, {"--trip-url", c.TripURL}} {
		if u.v == "" {
			continue
		}
		p, err := url.Parse(u.v)
		if err != nil || p.Host == "" || (p.Scheme != "http" && p.Scheme != "https") {
			return fmt.Errorf("%s %q: give a whole URL such as https://picket.example.org", u.name, u.v)
		}
	}
	if _, err := c.proxies(); err != nil {
		return err
	}
	if err := checkHostMap(c.HostMap); err != nil {
		return err
	}
	if strings.ContainsAny(c.DNSDomain, ":/ @") {
		return fmt.Errorf("--dns-domain %q: give a domain name such as t.example.org", c.DNSDomain)
	}
	if c.RunRetention < 0 || c.RunHistory < 0 {
		return errors.New("run-retention and run-history: give numbers that are not negative")
	}
	for k, v := range c.Functions {
		if u, err := url.Parse(v); err != nil || u.Host == "" || (u.Scheme != "http" && u.Scheme != "https") {
			return fmt.Errorf("functions: %s: %q: give a whole URL", k, v)
		}
	}
	if c.Memory < 0 || c.Threads < 0 || c.Delay < 0 {
		return errors.New("memory, threads and delay: give numbers that are not negative")
	}
	if c.DailyCap < 0 || c.DailyCapReset < 0 || c.DailyCapReset > 23 {
		return errors.New("daily-cap: give bytes, 0 for no cap; daily-cap-reset: give an hour of 0 to 23")
	}
	if c.SMTP.Host != "" && c.SMTP.From == "" {
		return errors.New("smtp.from: give the address that mail comes from")
	}
	switch c.SMTP.TLS {
	case "", "starttls", "opportunistic", "implicit", "none":
	default:
		return fmt.Errorf("smtp.tls %q: give starttls, opportunistic, implicit or none", c.SMTP.TLS)
	}
	return nil
}

func (c *Config) proxies() ([]netip.Prefix, error) {
	var out []netip.Prefix
	for _, s := range c.TrustedProxies {
		p, err := netip.ParsePrefix(s)
		if err != nil {
			a, aerr := netip.ParseAddr(s)
			if aerr != nil {
				return nil, fmt.Errorf("trusted-proxies: %q is neither an address nor a CIDR", s)
			}
			p = netip.PrefixFrom(a, a.BitLen())
		}
		out = append(out, p)
	}
	return out, nil
}

func loopback(host string) bool {
	if host == "localhost" {
		return true
	}
	ip := net.ParseIP(host)
	return ip != nil && ip.IsLoopback()
}
