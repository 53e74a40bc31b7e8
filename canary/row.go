package canary

import (
	"fmt"
	"net/netip"
	"picket/canary/geo"
	"picket/canary/trip"
	"picket/kql/value"
	"strings"
	"time"
)

// TripTable is the table that trips go to.
const TripTable = "CanaryTrips"

// Trip is a row of CanaryTrips: what the trip server recorded, with what is known about the token and the source.
type Trip struct {
	trip.Record
	Kind           string // of token
	FileName       string
	Memo           string
	Place          Memo
	Owner          string
	Tags           []string
	Geo            geo.Info
	IsTor          *bool // nil: no Tor list
	SrcIsResolver  bool  // the source of a DNS trip is a resolver, not the one who asked it
	ExecutedOnHost bool  // the source is the memo's PublicIP or PrivateIP
	NotificationID string
	AlertStatus    string // alertable, disabled, expired, ignored_ip, deleted
	LikelyBenign   string // why it is probably not an intruder, "" if nothing says so; such rows are kept and told
}

// Alert statuses of a row. Only alertable trips are told.
const (
	AlertAlertable = "alertable"
	AlertDisabled  = "disabled"
	AlertExpired   = "expired"
	AlertIgnored   = "ignored_ip"
	AlertDeleted   = "deleted"
)

// column is one column of the table: its schema and how a row fills and reads it.
type column struct {
	name string
	typ  value.Type
	get  func(t *Trip) value.Value
	set  func(t *Trip, v value.Value)
}

func strCol(name string, p func(*Trip) *string) column {
	return column{
		name, value.String,
		func(t *Trip) value.Value {
			return value.Value{Type: value.String, S: strings.ToValidUTF8(*p(t), "\uFFFD")}
		},
		func(t *Trip, v value.Value) { *p(t) = v.S },
	}
}

func longCol(name string, get func(*Trip) int64, set func(*Trip, int64)) column {
	return column{
		name, value.Long,
		func(t *Trip) value.Value { return value.Value{Type: value.Long, I: get(t)} },
		func(t *Trip, v value.Value) { set(t, v.I) },
	}
}

func boolCol(name string, p func(*Trip) *bool) column {
	return column{
		name, value.Bool,
		func(t *Trip) value.Value { return value.Value{Type: value.Bool, I: b2i(*p(t))} },
		func(t *Trip, v value.Value) { *p(t) = v.I != 0 },
	}
}

func realCol(name string, p func(*Trip) *float64) column {
	return column{
		name, value.Real,
		func(t *Trip) value.Value { return value.Value{Type: value.Real, Null: !t.Geo.HasLoc, F: *p(t)} },
		func(t *Trip, v value.Value) {
			if !v.Null {
				*p(t), t.Geo.HasLoc = v.F, true
			}
		},
	}
}

func pairsCol(name string, p func(*Trip) *[][2]string) column {
	return column{
		name, value.Dynamic,
		func(t *Trip) value.Value {
			return value.Value{Type: value.Dynamic, D: pairsBag(*p(t)), Null: len(*p(t)) == 0}
		},
		func(t *Trip, v value.Value) { *p(t) = bagPairs(v.D) },
	}
}

func listCol(name string, p func(*Trip) *[]string) column {
	return column{
		name, value.Dynamic,
		func(t *Trip) value.Value {
			var l []any
			for _, s := range *p(t) {
				l = append(l, strings.ToValidUTF8(s, "\uFFFD"))
			}
			return value.Value{Type: value.Dynamic, D: l, Null: l == nil}
		},
		func(t *Trip, v value.Value) {
			l, _ := v.D.([]any)
			for _, e := range l {
				if s, ok := e.(string); ok {
					*p(t) = append(*p(t), s)
				}
			}
		},
	}
}

func b2i(b bool) int64 {
	if b {
		return 1
	}
	return 0
}

// tickEpoch is 1970-01-01 in ticks of 100 ns since 0001-01-01.
const tickEpoch = 621355968000000000

func ticks(t time.Time) int64 { return tickEpoch + t.Unix()*1e7 + int64(t.Nanosecond())/100 }

func fromTicks(n int64) time.Time {
	n -= tickEpoch
	return time.Unix(n/1e7, n%1e7*100).UTC()
}

func columns() []column {
	return []column{
		{
			"TimeGenerated", value.Datetime,
			func(t *Trip) value.Value { return value.Value{Type: value.Datetime, I: ticks(t.Time)} },
			func(t *Trip, v value.Value) { t.Time = fromTicks(v.I) },
		},
		strCol("TripId", func(t *Trip) *string { return &t.ID }),
		strCol("Token", func(t *Trip) *string { return &t.Token }),
		strCol("Kind", func(t *Trip) *string { return &t.Kind }),
		strCol("Channel", func(t *Trip) *string { return &t.Channel }),
		longCol("Count", func(t *Trip) int64 { return int64(t.Count) }, func(t *Trip, n int64) { t.Count = int(n) }),
		strCol("SrcIp", func(t *Trip) *string { return &t.SrcIP }),
		strCol("Peer", func(t *Trip) *string { return &t.Peer }),
		longCol("PeerPort", func(t *Trip) int64 { return int64(t.PeerPort) }, func(t *Trip, n int64) { t.PeerPort = int(n) }),
		listCol("ForwardedFor", func(t *Trip) *[]string { return &t.Forwarded }),
		strCol("LocalAddress", func(t *Trip) *string { return &t.Local }),
		strCol("Method", func(t *Trip) *string { return &t.Method }),
		strCol("Host", func(t *Trip) *string { return &t.Record.Host }),
		strCol("Path", func(t *Trip) *string { return &t.Path }),
		strCol("UserAgent", func(t *Trip) *string { return &t.UserAgent }),
		strCol("Referer", func(t *Trip) *string { return &t.Referer }),
		pairsCol("RequestHeaders", func(t *Trip) *[][2]string { return &t.Headers }),
		pairsCol("RequestArgs", func(t *Trip) *[][2]string { return &t.Args }),
		{
			"Body", value.String,
			func(t *Trip) value.Value {
				return value.Value{Type: value.String, S: strings.ToValidUTF8(string(t.Body), "\uFFFD")}
			},
			func(t *Trip, v value.Value) {
				if v.S != "" {
					t.Body = []byte(v.S)
				}
			},
		},
		longCol("BodySize", func(t *Trip) int64 { return t.BodySize }, func(t *Trip, n int64) { t.BodySize = n }),
		strCol("BodySha256", func(t *Trip) *string { return &t.BodySHA }),
		strCol("QueryName", func(t *Trip) *string { return &t.QueryName }),
		strCol("QueryType", func(t *Trip) *string { return &t.QueryType }),
		strCol("Transport", func(t *Trip) *string { return &t.Transport }),
		strCol("ClientSubnet", func(t *Trip) *string { return &t.ClientSubnet }),
		boolCol("SrcIsResolver", func(t *Trip) *bool { return &t.SrcIsResolver }),
		strCol("Continent", func(t *Trip) *string { return &t.Geo.Continent }),
		strCol("CountryCode", func(t *Trip) *string { return &t.Geo.CountryCode }),
		strCol("Country", func(t *Trip) *string { return &t.Geo.Country }),
		strCol("RegionCode", func(t *Trip) *string { return &t.Geo.RegionCode }),
		strCol("Region", func(t *Trip) *string { return &t.Geo.Region }),
		strCol("City", func(t *Trip) *string { return &t.Geo.City }),
		strCol("Postal", func(t *Trip) *string { return &t.Geo.Postal }),
		strCol("Timezone", func(t *Trip) *string { return &t.Geo.Timezone }),
		realCol("Latitude", func(t *Trip) *float64 { return &t.Geo.Lat }),
		realCol("Longitude", func(t *Trip) *float64 { return &t.Geo.Lon }),
		{
			"Asn", value.Long,
			func(t *Trip) value.Value {
				return value.Value{Type: value.Long, Null: t.Geo.ASN == 0, I: int64(t.Geo.ASN)}
			},
			func(t *Trip, v value.Value) { t.Geo.ASN = uint32(v.I) },
		},
		strCol("AsName", func(t *Trip) *string { return &t.Geo.ASName }),
		strCol("AsDomain", func(t *Trip) *string { return &t.Geo.ASDomain }),
		strCol("AsType", func(t *Trip) *string { return &t.Geo.ASType }),
		strCol("Route", func(t *Trip) *string { return &t.Geo.Route }),
		{
			"IsTor", value.Bool,
			func(t *Trip) value.Value {
				if t.IsTor == nil {
					return value.Value{Type: value.Bool, Null: true}
				}
				return value.Value{Type: value.Bool, I: b2i(*t.IsTor)}
			},
			func(t *Trip, v value.Value) {
				if !v.Null {
					b := v.I != 0
					t.IsTor = &b
				}
			},
		},
		strCol("Memo", func(t *Trip) *string { return &t.Memo }),
		strCol("Computername", func(t *Trip) *string { return &t.Place.Computername }),
		strCol("PublicIP", func(t *Trip) *string { return &t.Place.PublicIP }),
		strCol("PrivateIP", func(t *Trip) *string { return &t.Place.PrivateIP }),
		strCol("SharePath", func(t *Trip) *string { return &t.Place.SharePath }),
		strCol("Description", func(t *Trip) *string { return &t.Place.Description }),
		strCol("FileName", func(t *Trip) *string { return &t.FileName }),
		strCol("Owner", func(t *Trip) *string { return &t.Owner }),
		listCol("Tags", func(t *Trip) *[]string { return &t.Tags }),
		boolCol("ExecutedOnHost", func(t *Trip) *bool { return &t.ExecutedOnHost }),
		strCol("NotificationId", func(t *Trip) *string { return &t.NotificationID }),
		strCol("AlertStatus", func(t *Trip) *string { return &t.AlertStatus }),
		strCol("LikelyBenignReason", func(t *Trip) *string { return &t.LikelyBenign }),
		boolCol("Truncated", func(t *Trip) *bool { return &t.Truncated }),
		strCol("Degraded", func(t *Trip) *string { return &t.Degraded }),
	}
}

// TripSchema is the schema of CanaryTrips. TimeGenerated is when the call was read; Count is above 1 where one
// row stands for several calls (Degraded says which limit they were over).
func TripSchema() value.Schema {
	cs := columns()
	s := make(value.Schema, len(cs))
	for i, c := range cs {
		s[i] = value.Column{Name: c.name, Type: c.typ}
	}
	return s
}

// TripFrame makes rows of trips.
func TripFrame(ts []Trip) *value.Frame {
	cs := columns()
	f := &value.Frame{Schema: TripSchema(), N: len(ts)}
	for _, c := range cs {
		v := value.New(c.typ, len(ts))
		for i := range ts {
			v.Set(i, c.get(&ts[i]))
		}
		f.Vecs = append(f.Vecs, v)
	}
	return f
}

// TripsOf reads rows back. Columns that the frame lacks stay empty; others are ignored.
func TripsOf(f *value.Frame) ([]Trip, error) {
	ts := make([]Trip, f.N)
	for _, c := range columns() {
		k := f.Schema.Index(c.name)
		if k < 0 {
			continue
		}
		if f.Schema[k].Type != c.typ {
			return nil, fmt.Errorf("canary: column %s of %s is %s, not %s", c.name, TripTable, f.Schema[k].Type, c.typ)
		}
		for i := range ts {
			c.set(&ts[i], f.Vecs[k].At(i))
		}
	}
	for i := range ts {
		ts[i].Geo.IP, _ = netip.ParseAddr(ts[i].SrcIP)
	}
	return ts, nil
}

func pairsBag(ps [][2]string) any {
	if len(ps) == 0 {
		return nil
	}
	b := value.NewBag()
	for _, p := range ps {
		k, v := strings.ToValidUTF8(p[0], "\uFFFD"), strings.ToValidUTF8(p[1], "\uFFFD")
		if old, ok := b.Get(k); ok {
			v = old.(string) + ", " + v
		}
		b.Set(k, v)
	}
	return b
}

func bagPairs(d any) [][2]string {
	b, ok := d.(*value.Bag)
	if !ok {
		return nil
	}
	var ps [][2]string
	for _, k := range b.Keys() {
		v, _ := b.Get(k)
		ps = append(ps, [2]string{k, fmt.Sprint(v)})
	}
	return ps
}
