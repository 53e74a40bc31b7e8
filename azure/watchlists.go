package azure

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"picket/detect"
	"strconv"
	"strings"
)

// Watchlists and their items of Microsoft.SecurityInsights, over detect.

// maxWatchlistBody holds the largest upload as JSON text, whose escapes may double it.
const maxWatchlistBody = 2*detect.MaxWatchlistUpload + maxBody

func (a *API) watchlistRoutes() []route {
	const one = armInsights + "/watchlists/{alias}"
	return []route{
		{"GET", armInsights + "/watchlists", Reader, a.listWatchlists},
		{"GET", one, Reader, a.getWatchlist},
		{"PUT", one, Contributor, a.putWatchlist},
		{"DELETE", one, Contributor, func(w http.ResponseWriter, r *call) {
			a.gone(w, a.d.Detect.DeleteWatchlist(r.Context(), r.v("alias")))
		}},
		{"GET", one + "/watchlistitems", Reader, a.listItems},
		{"GET", one + "/watchlistitems/{item}", Reader, a.getItem},
		{"PUT", one + "/watchlistitems/{item}", Contributor, a.putItem},
		{"DELETE", one + "/watchlistitems/{item}", Contributor, func(w http.ResponseWriter, r *call) {
			a.gone(w, a.d.Detect.DeleteWatchlistItem(r.Context(), r.v("alias"), r.v("item"), detectPerson(r.who)))
		}},
	}
}

func (a *API) watchlistJSON(x *detect.Watchlist) (map[string]any, error) {
	raw, err := json.Marshal(x)
	if err != nil {
		return nil, err
	}
	p := map[string]any{}
	if err := json.Unmarshal(raw, &p); err != nil {
		return nil, err
	}
	p["tenantId"], p["isDeleted"], p["watchlistType"], p["uploadStatus"] = a.d.Workspace.TenantID, false, "watchlist", "Complete"
	p["contentType"], p["numberOfLinesToSkip"], p["sourceType"] = "text/csv", 0, "Local"
	return map[string]any{"id": a.insightsID("Watchlists", x.Alias), "name": x.Alias, "type": "Microsoft.SecurityInsights/Watchlists", "etag": etag(x.Etag), "properties": p}, nil
}

func (a *API) listWatchlists(w http.ResponseWriter, r *call) {
	all, err := a.d.Detect.Watchlists(r.Context())
	if err != nil {
		a.fail(w, err)
		return
	}
	out := make([]any, len(all))
	for i, x := range all {
		if out[i], err = a.watchlistJSON(x); err != nil {
			a.fail(w, err)
			return
		}
	}
	a.writePage(w, r, out, maxPage)
}

func (a *API) getWatchlist(w http.ResponseWriter, r *call) {
	x, err := a.d.Detect.Watchlist(r.Context(), r.v("alias"))
	if err != nil {
		a.fail(w, err)
		return
	}
	a.writeWatchlist(w, 200, x)
}

func (a *API) writeWatchlist(w http.ResponseWriter, status int, x *detect.Watchlist) {
	j, err := a.watchlistJSON(x)
	if err != nil {
		a.fail(w, err)
		return
	}
	writeJSON(w, status, j)
}

func (a *API) putWatchlist(w http.ResponseWriter, r *call) {
	var b struct {
		Etag       string `json:"etag"`
		Properties struct {
			Name        string   `json:"displayName"`
			Provider    string   `json:"provider"`
			Source      string   `json:"source"`
			SourceType  string   `json:"sourceType"`
			SearchKey   string   `json:"itemsSearchKey"`
			Description string   `json:"description"`
			Labels      []string `json:"labels"`
			Skip        int      `json:"numberOfLinesToSkip"`
			Raw         *string  `json:"rawContent"`
			ContentType string   `json:"contentType"`
			SASURI      string   `json:"sasUri"`
		} `json:"properties"`
	}
	if e := decode(w, r.Request, maxWatchlistBody, &b); e != nil {
		writeError(w, e)
		return
	}
	n, e := matchEtag(r, b.Etag)
	if e != nil {
		writeError(w, e)
		return
	}
	p := &b.Properties
	bad := func(f string, v ...any) {
		writeError(w, &Error{Status: 400, Code: "BadRequest", Message: fmt.Sprintf(f, v...)})
	}
	text := []byte(nil)
	switch {
	case p.SASURI != "":
		bad("picket fetches no watchlists by sasUri: send the text in rawContent.")
		return
	case p.Skip < 0:
		bad("numberOfLinesToSkip is no negative number.")
		return
	case p.Raw != nil && *p.Raw != "":
		switch ct, _, _ := strings.Cut(strings.ToLower(p.ContentType), ";"); ct {
		case "", "text/csv":
			text = []byte(*p.Raw)
		case "text/tsv", "text/tab-separated-values":
			bad("contentType %q is not served: send text/csv.", p.ContentType)
			return
		default:
			bad("contentType %q is not served: send text/csv.", cut(p.ContentType, 50))
			return
		}
	}
	status := 200
	old, err := a.d.Detect.Watchlist(r.Context(), r.v("alias"))
	switch {
	case errors.Is(err, detect.ErrNotFound):
		status = 201
	case err != nil:
		a.fail(w, err)
		return
	default:
		p.SearchKey = orDefault(p.SearchKey, old.SearchKey)
	}
	x, err := a.d.Detect.SaveWatchlist(r.Context(), detect.Watchlist{
		Alias: r.v("alias"), Name: p.Name, Provider: p.Provider, Source: orDefault(p.Source, p.SourceType), SearchKey: p.SearchKey, Description: p.Description, Labels: p.Labels,
	}, text, p.Skip, detectPerson(r.who), n)
	if err != nil {
		a.fail(w, err)
		return
	}
	a.writeWatchlist(w, status, x)
}

func (a *API) itemJSON(alias string, it *detect.WatchlistItem) map[string]any {
	return map[string]any{
		"id": a.insightsID("Watchlists", alias) + "/WatchlistItems/" + it.ID, "name": it.ID, "type": "Microsoft.SecurityInsights/Watchlists/WatchlistItems",
		"properties": map[string]any{
			"watchlistItemType": "watchlist-item", "watchlistItemId": it.ID, "tenantId": a.d.Workspace.TenantID, "isDeleted": false, "updated": stamp(it.Updated), "created": stamp(it.Updated),
			"updatedBy": map[string]string{"name": it.By}, "createdBy": map[string]string{"name": it.By}, "itemsKeyValue": it.Values, "entityMapping": map[string]any{},
		},
	}
}

func (a *API) listItems(w http.ResponseWriter, r *call) {
	top, e := topOf(r, maxPage)
	if e != nil {
		writeError(w, e)
		return
	}
	if top == 0 {
		top = maxPage
	}
	after := skipToken(r.URL.Query())
	items, err := a.d.Detect.WatchlistItems(r.Context(), r.v("alias"), "", after, top+1)
	if err != nil {
		a.fail(w, err)
		return
	}
	more := len(items) > top
	if more {
		items = items[:top]
	}
	out := make([]any, len(items))
	for i := range items {
		out[i] = a.itemJSON(r.v("alias"), &items[i])
	}
	body := map[string]any{"value": out}
	if more {
		body["nextLink"] = a.nextLink(r, items[top-1].ID)
	}
	writeJSON(w, 200, body)
}

// item finds one item.
func (a *API) item(r *call) (*detect.WatchlistItem, error) {
	items, err := a.d.Detect.WatchlistItems(r.Context(), r.v("alias"), r.v("item"), "", 1)
	if err != nil {
		return nil, err
	}
	if len(items) == 0 {
		return nil, fmt.Errorf("item %s of watchlist %q: %w", r.v("item"), r.v("alias"), detect.ErrNotFound)
	}
	return &items[0], nil
}

func (a *API) getItem(w http.ResponseWriter, r *call) {
	it, err := a.item(r)
	if err != nil {
		a.fail(w, err)
		return
	}
	writeJSON(w, 200, a.itemJSON(r.v("alias"), it))
}

func (a *API) putItem(w http.ResponseWriter, r *call) {
	var b struct {
		Properties struct {
			Values map[string]json.RawMessage `json:"itemsKeyValue"`
		} `json:"properties"`
	}
	if e := decode(w, r.Request, maxBody, &b); e != nil {
		writeError(w, e)
		return
	}
	values := map[string]string{}
	for k, raw := range b.Properties.Values {
		var s string
		if json.Unmarshal(raw, &s) != nil { // numbers and the like are kept as they are written
			s = string(raw)
		}
		values[k] = s
	}
	status := 200
	if _, err := a.item(r); errors.Is(err, detect.ErrNotFound) {
		status = 201
	}
	it, err := a.d.Detect.SaveWatchlistItem(r.Context(), r.v("alias"), r.v("item"), values, detectPerson(r.who))
	if err != nil {
		a.fail(w, err)
		return
	}
	writeJSON(w, status, a.itemJSON(r.v("alias"), it))
}

// skipToken reads the token of a next page, in either spelling that clients use.
func skipToken(q url.Values) string {
	if s := q.Get("$skiptoken"); s != "" {
		return s
	}
	return q.Get("$skipToken")
}

// writePage writes a list in pages of $top, at most most.
func (a *API) writePage(w http.ResponseWriter, r *call, all []any, most int) {
	top, e := topOf(r, most)
	if e != nil {
		writeError(w, e)
		return
	}
	if top == 0 {
		top = most
	}
	skip := 0
	if s := skipToken(r.URL.Query()); s != "" {
		n, err := strconv.Atoi(s)
		if err != nil || n < 0 {
			writeError(w, &Error{Status: 400, Code: "BadRequest", Message: "$skiptoken is none that picket gave."})
			return
		}
		skip = n
	}
	out := map[string]any{"value": []any{}}
	if skip < len(all) {
		out["value"] = all[skip:min(skip+top, len(all))]
	}
	if skip+top < len(all) {
		out["nextLink"] = a.nextLink(r, strconv.Itoa(skip+top))
	}
	writeJSON(w, 200, out)
}
