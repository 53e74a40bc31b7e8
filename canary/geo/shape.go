package geo

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/netip"
	"strings"

	"golang.org/x/text/language"
	"golang.org/x/text/language/display"
)

// continents by country code, United Nations and common practice for the ones that lie on two.
var continents = map[string]string{
	"AF": "AO BF BI BJ BW CD CF CG CI CM CV DJ DZ EG EH ER ET GA GH GM GN GQ GW KE KM LR LS LY MA MG ML MR MU MW MZ NA NE NG RE RW SC SD SH SL SN SO SS ST SZ TD TG TN TZ UG YT ZA ZM ZW",
	"AN": "AQ BV GS HM TF",
	"AS": "AE AF AM AZ BD BH BN BT CC CN CX CY GE HK ID IL IN IO IQ IR JO JP KG KH KP KR KW KZ LA LB LK MM MN MO MV MY NP OM PH PK PS QA SA SG SY TH TJ TL TM TR TW UZ VN YE",
	"EU": "AD AL AT AX BA BE BG BY CH CZ DE DK EE ES FI FO FR GB GG GI GR HR HU IE IM IS IT JE LI LT LU LV MC MD ME MK MT NL NO PL PT RO RS RU SE SI SJ SK SM UA VA XK",
	"NA": "AG AI AW BB BL BM BQ BS BZ CA CR CU CW DM DO GD GL GP GT HN HT JM KN KY LC MF MQ MS MX NI PA PM PR SV SX TC TT US VC VG VI",
	"OC": "AS AU CK FJ FM GU KI MH MP NC NF NR NU NZ PF PG PN PW SB TK TO TV UM VU WF WS",
	"SA": "AR BO BR CL CO EC FK GF GY PE PY SR UY VE",
}

func continentOf(cc string) string {
	if len(cc) != 2 {
		return ""
	}
	for c, list := range continents {
		if i := strings.Index(list, cc); i >= 0 && i%3 == 0 {
			return c
		}
	}
	return ""
}

// complete derives the country's name and continent from its code.
func (i *Info) complete() {
	if i.Country == "" && i.CountryCode != "" {
		if r, err := language.ParseRegion(i.CountryCode); err == nil {
			i.Country = display.English.Regions().Name(r)
		}
	}
	if i.Continent == "" {
		i.Continent = continentOf(i.CountryCode)
	}
}

// Org is "AS15169 Google LLC", as far as it is known.
func (i *Info) Org() string {
	if i.ASN == 0 {
		return i.ASName
	}
	return strings.TrimSpace(fmt.Sprintf("AS%d %s", i.ASN, i.ASName))
}

// Loc is "lat,lon" with four decimals, or "".
func (i *Info) Loc() string {
	if !i.HasLoc {
		return ""
	}
	return fmt.Sprintf("%.4f,%.4f", i.Lat, i.Lon)
}

// IPInfo is ipinfo.io's shape of an answer: unknown fields are absent, every value but bogon is text.
type IPInfo struct {
	Loc       string    `json:"loc,omitempty"`
	Org       string    `json:"org,omitempty"`
	City      string    `json:"city,omitempty"`
	Country   string    `json:"country,omitempty"` // two letters
	Region    string    `json:"region,omitempty"`
	Hostname  string    `json:"hostname,omitempty"`
	IP        string    `json:"ip,omitempty"`
	Continent string    `json:"continent,omitempty"`
	Timezone  string    `json:"timezone,omitempty"`
	Postal    string    `json:"postal,omitempty"`
	ASN       *IPInfoAS `json:"asn,omitempty"`
	Bogon     bool      `json:"bogon,omitempty"`
}

// IPInfoAS is the asn part of [IPInfo].
type IPInfoAS struct {
	Route  string `json:"route,omitempty"`
	Type   string `json:"type,omitempty"`
	ASN    string `json:"asn,omitempty"` // "AS15169"
	Domain string `json:"domain,omitempty"`
	Name   string `json:"name,omitempty"`
}

// IPInfo gives i in ipinfo's shape.
func (i *Info) IPInfo() IPInfo {
	o := IPInfo{
		Loc: i.Loc(), Org: i.Org(), City: i.City, Country: i.CountryCode, Region: i.Region, Continent: i.Continent,
		Timezone: i.Timezone, Postal: i.Postal,
	}
	if i.IP.IsValid() {
		o.IP = i.IP.String()
		o.Bogon = bogon(i.IP) != ""
	}
	if i.ASN != 0 {
		o.ASN = &IPInfoAS{Route: i.Route, Type: i.ASType, ASN: fmt.Sprintf("AS%d", i.ASN), Domain: i.ASDomain, Name: i.ASName}
	}
	return o
}

// bogon names the special range that a lies in, or "".
func bogon(a netip.Addr) string {
	switch {
	case a.IsPrivate():
		return "private range"
	case a.IsLoopback(), a.IsLinkLocalUnicast(), a.IsMulticast(), a.IsUnspecified(), a.IsLinkLocalMulticast(), a.IsInterfaceLocalMulticast():
		return "reserved range"
	}
	for _, p := range reserved {
		if p.Contains(a) {
			return "reserved range"
		}
	}
	return ""
}

var reserved = []netip.Prefix{
	netip.MustParsePrefix("0.0.0.0/8"), netip.MustParsePrefix("100.64.0.0/10"), netip.MustParsePrefix("192.0.0.0/24"),
	netip.MustParsePrefix("192.0.2.0/24"), netip.MustParsePrefix("198.18.0.0/15"), netip.MustParsePrefix("198.51.100.0/24"),
	netip.MustParsePrefix("203.0.113.0/24"), netip.MustParsePrefix("240.0.0.0/4"), netip.MustParsePrefix("2001:db8::/32"),
}

// ipAPI is the answer of ip-api.com/json/{ip}: fields that aren't known are absent.
type ipAPI struct {
	Status      string   `json:"status"`
	Message     string   `json:"message,omitempty"`
	Country     string   `json:"country,omitempty"`
	CountryCode string   `json:"countryCode,omitempty"`
	Region      string   `json:"region,omitempty"`
	RegionName  string   `json:"regionName,omitempty"`
	City        string   `json:"city,omitempty"`
	Zip         string   `json:"zip,omitempty"`
	Lat         *float64 `json:"lat,omitempty"`
	Lon         *float64 `json:"lon,omitempty"`
	Timezone    string   `json:"timezone,omitempty"`
	ISP         string   `json:"isp,omitempty"`
	Org         string   `json:"org,omitempty"`
	AS          string   `json:"as,omitempty"`
	Query       string   `json:"query"`
}

// Handler answers GET /json/{ip} as ip-api.com does: status "success", or "fail" with a message. It is for
// playbooks that call that service; mount it where the host map sends ip-api.com.
func (db *DB) Handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /json/{ip}", func(w http.ResponseWriter, r *http.Request) {
		db.writeIPAPI(w, r.PathValue("ip"))
	})
	mux.HandleFunc("GET /json/{$}", func(w http.ResponseWriter, r *http.Request) {
		ap, _ := netip.ParseAddrPort(r.RemoteAddr)
		db.writeIPAPI(w, ap.Addr().String())
	})
	return mux
}

func (db *DB) writeIPAPI(w http.ResponseWriter, q string) {
	o := ipAPI{Status: "fail", Query: q}
	if len(q) > 64 {
		o.Query = q[:64]
	}
	a, err := netip.ParseAddr(q)
	if err != nil {
		o.Message = "invalid query"
	} else {
		i, ok := db.Lookup(a)
		switch m := bogon(i.IP); {
		case ok:
			o = ipAPI{
				Status: "success", Country: i.Country, CountryCode: i.CountryCode, Region: i.RegionCode, RegionName: i.Region,
				City: i.City, Zip: i.Postal, Timezone: i.Timezone, ISP: i.ISP, Org: i.ASName, Query: i.IP.String(),
			}
			if i.HasLoc {
				o.Lat, o.Lon = &i.Lat, &i.Lon
			}
			if i.ASN != 0 {
				o.AS = i.Org()
			}
			if o.ISP == "" {
				o.ISP = i.ASName
			}
		case m != "":
			o.Message = m
		default:
			o.Message = "no imported file knows this address"
		}
	}
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	_ = json.NewEncoder(w).Encode(o) // the client may have gone
}
