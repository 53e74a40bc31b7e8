package connector

import (
	"context"
	"errors"
	"fmt"
	"picket/detect"
	"picket/playbook"
	"picket/playbook/expr"
	"strconv"
	"strings"
)

const watchlistPath = "/Watchlists/subscriptions/{s}/resourceGroups/{rg}/workspaces/{w}/watchlists"

// watchlistOps are the connector's watchlist operations. Published playbooks write "watchlistItem" and "watchlistItems".
func watchlistOps() []playbook.Operation {
	ops := []playbook.Operation{
		{Method: "GET", Path: watchlistPath, Title: "Watchlists - Get all watchlists"},
		{Method: "GET", Path: watchlistPath + "/{alias}", Title: "Watchlists - Get a watchlist by alias"},
		{Method: "PUT", Path: watchlistPath + "/{alias}", Title: "Watchlists - Create a new watchlist with data"},
		{Method: "DELETE", Path: watchlistPath + "/{alias}", Title: "Watchlists - Delete a watchlist"},
	}
	for _, items := range []string{"/watchlistItem", "/watchlistItems"} {
		p := watchlistPath + "/{alias}" + items
		ops = append(ops,
			playbook.Operation{Method: "GET", Path: p, Title: "Watchlists - Get all watchlist items for a given watchlist"},
			playbook.Operation{Method: "PUT", Path: p, Title: "Watchlists - Add a new watchlist item"},
			playbook.Operation{Method: "POST", Path: p, Title: "Watchlists - Add a new watchlist item"},
			playbook.Operation{Method: "GET", Path: p + "/{id}", Title: "Watchlists - Get a watchlist item by its id"},
			playbook.Operation{Method: "PUT", Path: p + "/{id}", Title: "Watchlists - Update an existing watchlist item"},
			playbook.Operation{Method: "DELETE", Path: p + "/{id}", Title: "Watchlists - Delete a watchlist item"})
	}
	return ops
}

const maxListedItems = 10_000

// watchlist serves an operation; seg is the path from "Watchlists" on.
func (c *sentinel) watchlist(ctx context.Context, r *playbook.Request, seg []string, body *expr.Object) (*playbook.Response, error) {
	d, by := c.s.Detector, detect.Person{Name: actor(r)}
	bad := func(err error) (*playbook.Response, error) {
		if errors.Is(err, detect.ErrNotFound) || errors.Is(err, detect.ErrConflict) {
			return c.problem(err)
		}
		if ctx.Err() != nil {
			return nil, err
		}
		return problem(400, "BadRequest", err.Error()), nil
	}
	switch {
	case len(seg) == 8:
		ws, err := d.Watchlists(ctx)
		if err != nil {
			return nil, err
		}
		list := []any{}
		for _, w := range ws {
			list = append(list, c.watchlistJSON(w))
		}
		return found(expr.NewObject("value", list)), nil
	case len(seg) == 9 && r.Method == "GET":
		w, err := d.Watchlist(ctx, seg[8])
		if err != nil {
			return bad(err)
		}
		return found(c.watchlistJSON(w)), nil
	case len(seg) == 9 && r.Method == "DELETE":
		if err := d.DeleteWatchlist(ctx, seg[8]); err != nil {
			return bad(err)
		}
		return &playbook.Response{Status: 200, Headers: map[string]string{}}, nil
	case len(seg) == 9:
		return c.putWatchlist(ctx, seg[8], body, by, bad)
	}
	alias, id := seg[8], ""
	if len(seg) > 10 {
		id = strings.ToLower(seg[10])
	}
	switch r.Method {
	case "GET":
		w, err := d.Watchlist(ctx, alias)
		if err != nil {
			return bad(err)
		}
		its, err := d.WatchlistItems(ctx, alias, id, "", maxListedItems)
		if err != nil {
			return bad(err)
		}
		if id != "" {
			if len(its) == 0 {
				return problem(404, "NotFound", fmt.Sprintf("The watchlist '%s' has no item '%s'.", alias, id)), nil
			}
			return found(c.itemJSON(w, &its[0])), nil
		}
		list := []any{}
		for i := range its {
			list = append(list, c.itemJSON(w, &its[i]))
		}
		return found(expr.NewObject("value", list)), nil
	case "DELETE":
		if err := d.DeleteWatchlistItem(ctx, alias, id, by); err != nil {
			return bad(err)
		}
		return &playbook.Response{Status: 200, Headers: map[string]string{}}, nil
	}
	w, err := d.Watchlist(ctx, alias)
	if err != nil {
		return bad(err)
	}
	fields := body
	for _, n := range []string{"properties", "itemsKeyValue"} { // as the REST API has it
		if o, ok := fields.Value(n).(*expr.Object); ok {
			fields = o
		}
	}
	values := map[string]string{}
	for _, m := range fields.Members() {
		values[m.Name] = expr.Text(m.Value)
	}
	if id == "" {
		id = r.ActionRunID // an action that is repeated after a crash adds no second item
	}
	it, err := d.SaveWatchlistItem(ctx, alias, id, values, by)
	if err != nil {
		return bad(err)
	}
	return found(c.itemJSON(w, it)), nil
}

func (c *sentinel) putWatchlist(ctx context.Context, alias string, body *expr.Object, by detect.Person, bad func(error) (*playbook.Response, error)) (*playbook.Response, error) {
	o := body
	if p, ok := o.Value("properties").(*expr.Object); ok {
		o = p
	}
	text := func(n string) string { return expr.Text(o.Value(n)) }
	if k := strings.ToLower(text("contentType")); k != "" && !strings.Contains(k, "csv") {
		return problem(400, "BadRequest", fmt.Sprintf("The watchlist's contentType is '%s'; it must be text/csv.", text("contentType"))), nil
	}
	w := detect.Watchlist{Alias: alias, Name: text("displayName"), Description: text("description"), Provider: text("provider"), Source: text("source"), SearchKey: text("itemsSearchKey")}
	if w.Name == "" {
		w.Name = alias
	}
	var raw []byte
	if s := text("rawContent"); s != "" {
		raw = []byte(s)
	}
	skip := 0
	if s := text("numberOfLinesToSkip"); s != "" {
		n, err := strconv.Atoi(s)
		if err != nil || n < 0 {
			return problem(400, "BadRequest", fmt.Sprintf("numberOfLinesToSkip is '%s'; it must be a number.", s)), nil
		}
		skip = n
	}
	saved, err := c.s.Detector.SaveWatchlist(ctx, w, raw, skip, by, 0)
	if err != nil {
		return bad(err)
	}
	return found(c.watchlistJSON(saved)), nil
}

func found(body any) *playbook.Response {
	return &playbook.Response{Status: 200, Headers: map[string]string{"Content-Type": "application/json; charset=utf-8"}, Body: body}
}

func (c *sentinel) watchlistJSON(w *detect.Watchlist) *expr.Object {
	return expr.NewObject("id", c.s.id("watchlists", w.Alias), "name", w.Alias, "type", "Microsoft.SecurityInsights/watchlists", "etag", etag(w.Etag), "properties", expr.NewObject(
		"watchlistId", w.ID, "displayName", w.Name, "provider", w.Provider, "source", w.Source, "itemsSearchKey", w.SearchKey, "created", utc(w.Created), "updated", utc(w.Updated),
		"createdBy", expr.NewObject("name", w.CreatedBy.Name), "updatedBy", expr.NewObject("name", w.UpdatedBy.Name), "description", w.Description, "watchlistType", "watchlist",
		"watchlistAlias", w.Alias, "isDeleted", false, "labels", texts(w.Labels), "defaultDuration", nil, "tenantId", nil))
}

func etag(n int64) string { return `"` + strconv.FormatInt(n, 16) + `"` }

func (c *sentinel) itemJSON(w *detect.Watchlist, it *detect.WatchlistItem) *expr.Object {
	values := &expr.Object{}
	for _, k := range w.Columns {
		if v, ok := it.Values[k]; ok {
			values.Set(k, v)
		}
	}
	return expr.NewObject("id", c.s.id("watchlists", w.Alias)+"/watchlistItems/"+it.ID, "name", it.ID, "type", "Microsoft.SecurityInsights/watchlists/watchlistItems", "etag", etag(it.Updated.UnixMicro()),
		"properties", expr.NewObject("watchlistItemType", "watchlist-item", "watchlistItemId", it.ID, "isDeleted", false, "updated", utc(it.Updated), "created", utc(it.Updated),
			"createdBy", expr.NewObject("name", it.By), "updatedBy", expr.NewObject("name", it.By), "itemsKeyValue", values, "entityMapping", &expr.Object{}))
}
