package detect

import (
	"bytes"
	"context"
	"database/sql"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"picket/kql/value"
	"picket/query"
	"picket/state"
	"regexp"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/google/uuid"
)

// WatchlistTable keeps every version of every item; `_GetWatchlist('alias')` shows the newest ones.
const WatchlistTable = "Watchlist"

// Limits of watchlists, those of Microsoft Sentinel where it has them.
const (
	maxWatchlists      = 1000
	MaxWatchlistUpload = 3_800_000 // bytes of a CSV text
	maxWatchlistCols   = 200
	maxWatchlistCell   = 32 << 10
	maxItemsListed     = 10_000
	watchlistBatch     = 5000 // rows appended together
)

// WatchlistSchema is the table Watchlist.
var WatchlistSchema = value.Schema{
	{Name: "TimeGenerated", Type: value.Datetime},
	{Name: "AzureTenantId", Type: value.String},
	{Name: "CorrelationId", Type: value.String},
	{Name: "CreatedBy", Type: value.Dynamic},
	{Name: "CreatedTimeUTC", Type: value.Datetime},
	{Name: "DefaultDuration", Type: value.String},
	{Name: "EntityMapping", Type: value.Dynamic},
	{Name: "LastUpdatedTimeUTC", Type: value.Datetime},
	{Name: "Notes", Type: value.String},
	{Name: "Provider", Type: value.String},
	{Name: "SearchKey", Type: value.String},
	{Name: "Source", Type: value.String},
	{Name: "Tags", Type: value.String},
	{Name: "TimeToLive", Type: value.Datetime},
	{Name: "UpdatedBy", Type: value.Dynamic},
	{Name: "WatchlistAlias", Type: value.String},
	{Name: "WatchlistCategory", Type: value.String},
	{Name: "WatchlistId", Type: value.String},
	{Name: "WatchlistItem", Type: value.Dynamic},
	{Name: "WatchlistItemId", Type: value.String},
	{Name: "WatchlistName", Type: value.String},
	{Name: "_DTItemId", Type: value.String},
	{Name: "_DTItemStatus", Type: value.String},
	{Name: "_DTItemType", Type: value.String},
	{Name: "_DTTimestamp", Type: value.Datetime},
}

// Watchlist is a list that queries look things up in. Its JSON is the "properties" of
// Microsoft.SecurityInsights/watchlists.
type Watchlist struct {
	ID          string    `json:"watchlistId"`
	Alias       string    `json:"watchlistAlias"`
	Name        string    `json:"displayName"`
	Provider    string    `json:"provider"`
	Source      string    `json:"source"` // name of the file it came from
	SearchKey   string    `json:"itemsSearchKey"`
	Description string    `json:"description,omitempty"`
	Labels      []string  `json:"labels"`
	Columns     []string  `json:"-"`
	Created     time.Time `json:"created"`
	Updated     time.Time `json:"updated"`
	CreatedBy   Person    `json:"createdBy"`
	UpdatedBy   Person    `json:"updatedBy"`
	Etag        int64     `json:"-"`
}

// storedWatchlist keeps what the API does not show.
type storedWatchlist struct {
	Watchlist
	Columns []string `json:"columns"`
}

// WatchlistItem is one row of a watchlist.
type WatchlistItem struct {
	ID      string            `json:"watchlistItemId"`
	Values  map[string]string `json:"itemsKeyValue"`
	Updated time.Time         `json:"updated"`
	By      string            `json:"-"`
}

var (
	watchlistName = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9 _-]{1,62}[A-Za-z0-9]$`)
	watchlistItem = uuid.MustParse("2c1f35a7-6a5b-5b0e-8a55-3f6c1d1c6a90")
)

// SaveWatchlist makes a watchlist or changes it, and adds the items of a CSV text with a header line after skip lines;
// nil adds none. An item whose search key is there already is replaced. etag 0 does not check.
func (d *Detector) SaveWatchlist(ctx context.Context, w Watchlist, text []byte, skip int, by Person, etag int64) (*Watchlist, error) {
	if !watchlistName.MatchString(w.Alias) {
		return nil, fmt.Errorf("watchlistAlias: %q: 3 to 64 letters, digits, spaces, hyphens and underscores, a letter or digit first and last", w.Alias)
	}
	if w.Name = strings.TrimSpace(w.Name); w.Name == "" || len([]rune(w.Name)) > 256 {
		return nil, errors.New("displayName: 1 to 256 characters")
	}
	header, items, err := parseWatchlist(text, skip)
	if err != nil {
		return nil, fmt.Errorf("watchlist %q: %w", w.Alias, err)
	}
	old, err := d.Watchlist(ctx, w.Alias)
	switch {
	case errors.Is(err, ErrNotFound):
		if etag != 0 {
			return nil, err
		}
	case err != nil:
		return nil, err
	case etag != 0 && etag != old.Etag:
		return nil, fmt.Errorf("watchlist %q was changed by somebody else (etag %d, now %d): read it again: %w", w.Alias, etag, old.Etag, ErrConflict)
	}
	now := d.d.Now().UTC()
	w.Updated, w.UpdatedBy = now, by
	if old != nil {
		if w.SearchKey != "" && w.SearchKey != old.SearchKey {
			return nil, fmt.Errorf("itemsSearchKey: the watchlist %q is keyed by %q; delete it to key it by %q", w.Alias, old.SearchKey, w.SearchKey)
		}
		w.ID, w.SearchKey, w.Created, w.CreatedBy, w.Columns = old.ID, old.SearchKey, old.Created, old.CreatedBy, old.Columns
	} else {
		w.ID, w.Created, w.CreatedBy = uuid.NewString(), now, by
	}
	if w.Labels == nil {
		w.Labels = []string{}
	}
	if w.SearchKey == "" || text != nil && !slices.Contains(header, w.SearchKey) {
		return nil, fmt.Errorf("itemsSearchKey: %q is not one of the columns %s", w.SearchKey, strings.Join(header, ", "))
	}
	for _, h := range header {
		if !slices.Contains(w.Columns, h) {
			w.Columns = append(w.Columns, h)
		}
	}
	// The list is known before its items: a crash between leaves a list that the same upload completes.
	if err := d.storeWatchlist(ctx, &w, old); err != nil {
		return nil, err
	}
	seen := map[string]int{}
	var rows []map[string]any
	for _, it := range items {
		key := it[w.SearchKey]
		n := seen[key]
		seen[key]++
		rows = append(rows, d.itemRow(&w, uuid.NewSHA1(watchlistItem, fmt.Appendf(nil, "%s\x00%s\x00%d", w.ID, key, n)).String(), it, by, now, "Create"))
	}
	for len(rows) > 0 {
		n := min(len(rows), watchlistBatch)
		if _, err := d.d.Append(ctx, WatchlistTable, WatchlistSchema, rows[:n], ""); err != nil {
			return nil, fmt.Errorf("watchlist %q: store items: %w", w.Alias, err)
		}
		rows = rows[n:]
	}
	return d.Watchlist(ctx, w.Alias)
}

// parseWatchlist reads a CSV text: its columns and rows.
func parseWatchlist(text []byte, skip int) (header []string, items []map[string]string, err error) {
	if text == nil {
		return nil, nil, nil
	}
	if len(text) > MaxWatchlistUpload {
		return nil, nil, fmt.Errorf("rawContent: %d bytes, %d at most", len(text), MaxWatchlistUpload)
	}
	if !utf8.Valid(text) {
		return nil, nil, errors.New("rawContent: the text is not UTF-8")
	}
	text = bytes.TrimPrefix(text, []byte("\ufeff"))
	for i := 0; i < skip; i++ {
		_, rest, ok := bytes.Cut(text, []byte("\n"))
		if !ok {
			return nil, nil, fmt.Errorf("numberOfLinesToSkip: the text has only %d lines", i+1)
		}
		text = rest
	}
	r := csv.NewReader(bytes.NewReader(text))
	r.FieldsPerRecord = 0 // as many as the header
	if header, err = r.Read(); err != nil {
		return nil, nil, fmt.Errorf("rawContent: the header line can't be read: %w", err)
	}
	if len(header) > maxWatchlistCols {
		return nil, nil, fmt.Errorf("rawContent: %d columns, %d at most", len(header), maxWatchlistCols)
	}
	for i, h := range header {
		header[i] = strings.TrimSpace(h)
		if header[i] == "" {
			return nil, nil, fmt.Errorf("rawContent: column %d of the header has no name", i+1)
		}
		if slices.Contains(header[:i], header[i]) {
			return nil, nil, fmt.Errorf("rawContent: the header names %q twice", header[i])
		}
	}
	header = slices.Clone(header)
	for {
		rec, err := r.Read()
		if errors.Is(err, io.EOF) {
			return header, items, nil
		}
		if err != nil {
			return nil, nil, fmt.Errorf("rawContent: %w", err)
		}
		it := make(map[string]string, len(rec))
		for i, v := range rec {
			if len(v) > maxWatchlistCell {
				line, _ := r.FieldPos(i)
				return nil, nil, fmt.Errorf("rawContent: line %d, column %q: %d bytes, %d at most", line, header[i], len(v), maxWatchlistCell)
			}
			it[header[i]] = v
		}
		items = append(items, it)
	}
}

func (d *Detector) itemRow(w *Watchlist, id string, it map[string]string, by Person, now time.Time, status string) map[string]any {
	return map[string]any{
		"TimeGenerated": now, "CreatedBy": by, "UpdatedBy": by, "CreatedTimeUTC": w.Created, "LastUpdatedTimeUTC": now, "Provider": w.Provider, "Source": w.Source,
		"SearchKey": it[w.SearchKey], "WatchlistAlias": w.Alias, "WatchlistId": w.ID, "WatchlistName": w.Name, "WatchlistItem": it, "WatchlistItemId": id,
		"Tags": strings.Join(w.Labels, ","), "_DTItemId": id, "_DTItemStatus": status, "_DTItemType": "watchlist-item", "_DTTimestamp": now,
	}
}

func (d *Detector) storeWatchlist(ctx context.Context, w, old *Watchlist) error {
	return d.d.State.Tx(ctx, func(tx *state.Tx) error {
		w.Etag = 1
		if old != nil {
			w.Etag = old.Etag + 1
		} else {
			var n int
			if err := tx.QueryRowContext(ctx, `SELECT count(*) FROM detect_watchlist`).Scan(&n); err != nil {
				return err
			}
			if n >= maxWatchlists {
				return fmt.Errorf("watchlist %q: there are %d, the most a workspace has", w.Alias, n)
			}
		}
		doc, err := json.Marshal(storedWatchlist{*w, w.Columns})
		if err != nil {
			return err
		}
		if old == nil {
			_, err = tx.ExecContext(ctx, `INSERT INTO detect_watchlist(alias, doc, etag) VALUES(?,?,1)`, w.Alias, string(doc))
			return err
		}
		res, err := tx.ExecContext(ctx, `UPDATE detect_watchlist SET doc=?, etag=? WHERE alias=? AND etag=?`, string(doc), w.Etag, w.Alias, old.Etag)
		if err != nil {
			return err
		}
		if n, err := res.RowsAffected(); err != nil || n == 0 {
			return errors.Join(err, fmt.Errorf("watchlist %q was changed by somebody else: read it again: %w", w.Alias, ErrConflict))
		}
		return nil
	})
}

func scanWatchlist(row interface{ Scan(...any) error }) (*Watchlist, error) {
	var doc string
	var etag int64
	if err := row.Scan(&doc, &etag); err != nil {
		return nil, err
	}
	var s storedWatchlist
	if err := json.Unmarshal([]byte(doc), &s); err != nil {
		return nil, fmt.Errorf("stored watchlist: %w", err)
	}
	w := s.Watchlist
	w.Columns, w.Etag = s.Columns, etag
	return &w, nil
}

// Watchlist reads a watchlist by its alias, ignoring case.
func (d *Detector) Watchlist(ctx context.Context, alias string) (*Watchlist, error) {
	w, err := scanWatchlist(d.d.State.QueryRow(ctx, `SELECT doc, etag FROM detect_watchlist WHERE alias=?`, alias))
	if errors.Is(err, sql.ErrNoRows) {
		return nil, fmt.Errorf("watchlist %q: %w", alias, ErrNotFound)
	}
	return w, err
}

// Watchlists lists the watchlists by alias.
func (d *Detector) Watchlists(ctx context.Context) ([]*Watchlist, error) {
	rows, err := d.d.State.Query(ctx, `SELECT doc, etag FROM detect_watchlist ORDER BY alias`)
	if err != nil {
		return nil, fmt.Errorf("list watchlists: %w", err)
	}
	defer rows.Close()
	out := []*Watchlist{}
	for rows.Next() {
		w, err := scanWatchlist(rows)
		if err != nil {
			return nil, err
		}
		out = append(out, w)
	}
	return out, rows.Err()
}

// DeleteWatchlist removes a watchlist; its items' rows stay in the table Watchlist and are no longer shown by
// `_GetWatchlist`.
func (d *Detector) DeleteWatchlist(ctx context.Context, alias string) error {
	return d.d.State.Tx(ctx, func(tx *state.Tx) error {
		res, err := tx.ExecContext(ctx, `DELETE FROM detect_watchlist WHERE alias=?`, alias)
		if err != nil {
			return err
		}
		if n, err := res.RowsAffected(); err == nil && n == 0 {
			return fmt.Errorf("watchlist %q: %w", alias, ErrNotFound)
		}
		return nil
	})
}

// currentItems is KQL for the newest version of each item of a list, by a condition on its rows.
func currentItems(where string) string {
	return WatchlistTable + `
| where _DTItemType == 'watchlist-item' and ` + where + `
| summarize arg_max(_DTTimestamp, *) by _DTItemId
| where _DTItemStatus != 'Delete'
`
}

// WatchlistItems lists at most limit items of a list, those whose id comes after "after", by id. item "" is all.
func (d *Detector) WatchlistItems(ctx context.Context, alias, item, after string, limit int) ([]WatchlistItem, error) {
	w, err := d.Watchlist(ctx, alias)
	if err != nil {
		return nil, err
	}
	where := "WatchlistId == " + quote(w.ID)
	if item != "" {
		where += " and _DTItemId == " + quote(strings.ToLower(item))
	}
	text := currentItems(where) + fmt.Sprintf(`| where strcmp(_DTItemId, %s) > 0
| top %d by _DTItemId asc
| project _DTItemId, WatchlistItem, LastUpdatedTimeUTC, By=tostring(UpdatedBy.name)`, quote(after), min(max(limit, 1), maxItemsListed))
	res, err := d.d.Query(ctx, query.Request{Text: text})
	if err != nil {
		return nil, fmt.Errorf("items of watchlist %q: %w", alias, err)
	}
	if res.Partial != nil {
		return nil, fmt.Errorf("items of watchlist %q: %s", alias, res.Partial.Message)
	}
	out := []WatchlistItem{}
	if len(res.Tables) == 0 {
		return out, nil
	}
	rs := newRowSet(&res.Tables[0])
	for i := range rs.cells {
		it := WatchlistItem{ID: rs.text(i, 0), Values: map[string]string{}, By: rs.text(i, 3)}
		var raw map[string]any
		if err := json.Unmarshal([]byte(rs.text(i, 1)), &raw); err != nil {
			return nil, fmt.Errorf("item %s: %w", it.ID, err)
		}
		for k, v := range raw {
			s, ok := v.(string)
			if !ok {
				s = fmt.Sprint(v)
			}
			it.Values[k] = s
		}
		if v := rs.cells[i][2]; !v.Null {
			it.Updated = value.TimeOf(v.I)
		}
		out = append(out, it)
	}
	return out, nil
}

// SaveWatchlistItem adds an item or replaces the one of that id; "" makes one.
func (d *Detector) SaveWatchlistItem(ctx context.Context, alias, id string, values map[string]string, by Person) (*WatchlistItem, error) {
	w, err := d.Watchlist(ctx, alias)
	if err != nil {
		return nil, err
	}
	if id == "" {
		id = uuid.NewString()
	} else if _, err := uuid.Parse(id); err != nil {
		return nil, fmt.Errorf("watchlist item id %q is not a GUID", id)
	}
	id = strings.ToLower(id)
	if values[w.SearchKey] == "" {
		return nil, fmt.Errorf("itemsKeyValue: the item has no %q, the list's search key", w.SearchKey)
	}
	for k, v := range values {
		if !slices.Contains(w.Columns, k) {
			return nil, fmt.Errorf("itemsKeyValue: %q is not one of the list's columns %s", k, strings.Join(w.Columns, ", "))
		}
		if len(v) > maxWatchlistCell {
			return nil, fmt.Errorf("itemsKeyValue: %q has %d bytes, %d at most", k, len(v), maxWatchlistCell)
		}
	}
	now := d.d.Now().UTC()
	if _, err := d.d.Append(ctx, WatchlistTable, WatchlistSchema, []map[string]any{d.itemRow(w, id, values, by, now, "Update")}, ""); err != nil {
		return nil, err
	}
	return &WatchlistItem{ID: id, Values: values, Updated: now, By: by.Name}, nil
}

// DeleteWatchlistItem removes an item from its list.
func (d *Detector) DeleteWatchlistItem(ctx context.Context, alias, id string, by Person) error {
	its, err := d.WatchlistItems(ctx, alias, id, "", 1)
	if err != nil {
		return err
	}
	if len(its) == 0 {
		return fmt.Errorf("item %s of watchlist %q: %w", id, alias, ErrNotFound)
	}
	w, err := d.Watchlist(ctx, alias)
	if err != nil {
		return err
	}
	_, err = d.d.Append(ctx, WatchlistTable, WatchlistSchema, []map[string]any{d.itemRow(w, its[0].ID, its[0].Values, by, d.d.Now().UTC(), "Delete")}, "")
	return err
}

// WatchlistFunctions gives the bodies of the KQL functions `_GetWatchlist(watchlistAlias:string)` and
// `_GetWatchlistAlias()` as of now: only lists that exist are shown.
func (d *Detector) WatchlistFunctions(ctx context.Context) (get, aliases string, err error) {
	ws, err := d.Watchlists(ctx)
	if err != nil {
		return "", "", err
	}
	var ids, names []string
	for _, w := range ws {
		ids = append(ids, quote(w.ID))
		names = append(names, quote(w.Alias))
	}
	if len(ids) == 0 {
		ids = []string{`''`}
	}
	get = currentItems(`WatchlistAlias =~ watchlistAlias and WatchlistId in (`+strings.Join(ids, ", ")+`)`) +
		`| extend _values = WatchlistItem
| project _DTItemId, LastUpdatedTimeUTC, SearchKey, Tags, WatchlistItem, _values
| evaluate bag_unpack(_values, columnsConflict='keep_source')`
	return get, `datatable(WatchlistAlias:string) [` + strings.Join(names, ", ") + `]`, nil
}

// quote writes a KQL string literal; a JSON string is one.
func quote(s string) string {
	b, _ := json.Marshal(s)
	return string(b)
}
