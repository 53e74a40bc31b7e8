package connector_test

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http"
	"sort"
	"strconv"
	"strings"
	"sync"
	"time"
)

// activity is a record of the mock portal.
type activity struct {
	id      string
	at      time.Time // when it happened
	visible time.Time // when the portal lists it
	json    string
}

// portal behaves as the activities API of a Cloud App Security portal does: GET and POST /api/v1/activities/, filters
// by date, skip and limit, scans with nextQueryFilters, and at most 30 requests a minute.
type portal struct {
	token   string
	asArray bool // the answer of a GET is the bare list

	mu       sync.Mutex
	list     []activity
	requests []time.Time
	refused  int
	fault    func(n int) int // an answer's status in place of the right one, by the number of the request; 0: none, -1: a cut answer, -2: no answer, -3: throttled
	served   int
}

func (p *portal) add(a activity) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.list = append(p.list, a)
}

func (p *portal) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	p.mu.Lock()
	defer p.mu.Unlock()
	now := time.Now()
	w.Header().Set("Content-Type", "application/json")
	if r.Header.Get("Authorization") != "Token "+p.token {
		http.Error(w, `{"detail":"Invalid token."}`, 401)
		return
	}
	if r.URL.Path != "/api/v1/activities/" {
		http.Error(w, `{"detail":"Not found."}`, 404)
		return
	}
	for len(p.requests) > 0 && now.Sub(p.requests[0]) >= time.Minute {
		p.requests = p.requests[1:]
	}
	if len(p.requests) >= 30 {
		p.refused++
		if p.refused%2 == 0 {
			w.Header().Set("Retry-After", "30")
		}
		http.Error(w, `{"detail":"Request was throttled. Expected available in 30 seconds."}`, 429)
		return
	}
	p.requests = append(p.requests, now)
	p.served++
	cut := false
	if p.fault != nil {
		switch f := p.fault(p.served); {
		case f == -3:
			for len(p.requests) < 30 {
				p.requests = append(p.requests, now)
			}
			p.refused++
			w.Header().Set("Retry-After", "45")
			http.Error(w, `{"detail":"Request was throttled. Expected available in 45 seconds."}`, 429)
			return
		case f == -2:
			panic("the connection broke")
		case f == -1:
			cut = true
		case f > 0:
			http.Error(w, `{"detail":"unavailable"}`, f)
			return
		}
	}
	var q struct {
		Filters struct {
			Date struct {
				Gte, Lte *int64
			}
		}
		Skip, Limit             int
		IsScan                  bool
		SortField, SortDirectio string
		SortDirection           string
	}
	q.Limit = 100
	if r.Method == "POST" {
		if err := json.NewDecoder(r.Body).Decode(&q); err != nil {
			http.Error(w, `{"detail":"JSON parse error"}`, 400)
			return
		}
	}
	if q.Limit <= 0 || q.Limit > 100 && !q.IsScan || q.Limit > 5000 {
		http.Error(w, `{"detail":"limit"}`, 400)
		return
	}
	var got []activity
	for _, a := range p.list {
		ms := a.at.UnixMilli()
		if !a.visible.After(now) && (q.Filters.Date.Gte == nil || ms >= *q.Filters.Date.Gte) && (q.Filters.Date.Lte == nil || ms <= *q.Filters.Date.Lte) {
			got = append(got, a)
		}
	}
	up := q.SortDirection == "asc" && !q.IsScan
	sort.SliceStable(got, func(i, j int) bool {
		if up {
			return got[i].at.Before(got[j].at)
		}
		return got[i].at.After(got[j].at)
	})
	total := len(got)
	got = got[min(q.Skip, total):]
	more := len(got) > q.Limit
	got = got[:min(len(got), q.Limit)]
	texts := make([]string, len(got))
	for i, a := range got {
		texts[i] = a.json
	}
	list := "[" + strings.Join(texts, ",") + "]"
	if p.asArray {
		fmt.Fprint(w, list)
		return
	}
	next := ""
	if q.IsScan && more {
		// The last record's time is in the next page again: records of one time are never lost between pages.
		gte := int64(0)
		if q.Filters.Date.Gte != nil {
			gte = *q.Filters.Date.Gte
		}
		next = `,"nextQueryFilters":{"date":{"gte":` + strconv.FormatInt(gte, 10) + `,"lte":` + strconv.FormatInt(got[len(got)-1].at.UnixMilli(), 10) + `}}`
	}
	text := fmt.Sprintf(`{"total":%d,"moreThanTotal":false,"hasNext":%t,"data":%s%s}`, total, more, list, next)
	if cut {
		text = text[:len(text)*2/3]
	}
	fmt.Fprint(w, text)
}

var cities = []struct {
	name, country string
	lat, lon      float64
}{{"Berlin", "DE", 52.52, 13.405}, {"Munich", "DE", 48.137, 11.575}, {"Vienna", "AT", 48.208, 16.373}, {"Sydney", "AU", -33.868, 151.209}}

// record makes an activity as the portal writes it: entityData an array or an object, nulls, integers beyond 2^53.
func record(i int, at, visible time.Time, user, event, object string, city int, rnd *rand.Rand) activity {
	c := cities[city]
	id := fmt.Sprintf("97134000_15600_%08x-%d", rnd.Uint32(), i)
	entity := fmt.Sprintf(`{"displayName":%q,"id":{"id":"u-%s","saas":11161,"inst":0},"resolved":true}`, user, user)
	entities := "[" + entity + ",null]"
	switch i % 3 {
	case 1:
		entities = `{"0":` + entity + `,"1":null}`
	case 2:
		entities = `{"0":` + entity + `,"1":{"displayName":null,"id":9007199254740993}}`
	}
	severity, uid := `"INFO"`, `null`
	if i%5 == 0 {
		severity, uid = "null", fmt.Sprintf("%q", id)
	}
	return activity{id, at, visible, fmt.Sprintf(`{"_id":%q,"tenantId":%d,"aadTenantId":"5f0c4d0b-9d53-4a7c-8e6f-4b210f5f6a38","appId":11161,"appName":"Microsoft 365","saasId":11161,"timestamp":%d,"timestampRaw":%d,"created":%d,"instantiation":%d,"instantiationRaw":1152921504606846977,"eventType":2097154,"eventTypeName":%q,"eventTypeValue":%q,"eventRouting":{"scubaUnpacker":false,"auditing":true},"genericEventType":"ENUM_ACTIVITY_GENERIC_TYPE_BASIC","severity":%s,"uid":%s,"description":"Ünïcode \"quoted\" %s","description_id":"EVENT","description_metadata":{"target_object":%q,"event_category":"x"},"device":{"clientIP":"203.0.113.%d","userAgent":"Mozilla/5.0","countryCode":%q},"location":{"city":%q,"countryCode":%q,"latitude":%v,"longitude":%v,"region":null,"category":0,"anonymousProxy":false},"user":{"userName":%q},"userAgent":{"family":"EDGE"},"mainInfo":{"rawOperationName":"op","eventObjects":[{"objType":21,"name":%q}]},"entityData":%s,"internals":{"otherIPs":["203.0.113.%d"]},"resolvedActor":{"name":%q,"id":"u-%s"}}`,
		id, uint64(18446744073709551000)+uint64(i%500), at.UnixMilli(), at.UnixMilli(), visible.UnixMilli(), int64(1<<60)+int64(i), event, event, severity, uid, object, object, i%250, c.country, c.name, c.country, c.lat, c.lon, user, user, entities, i%250, user, user)}
}
