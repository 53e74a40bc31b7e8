package canary

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"picket/state"
	"strings"
	"time"
	"unicode/utf8"
)

const tokenCols = `t.id, t.kind, t.file_name, t.memo, t.free_memo, t.computername, t.public_ip, t.private_ip, t.share_path, t.description,
t.owner, t.created_at, t.expires_at, t.enabled, t.email_enabled, t.webhook_enabled, t.seed, t.hits, t.last_hit,
EXISTS(SELECT 1 FROM canary_document d WHERE d.token=t.id),
(SELECT json_group_array(tag) FROM (SELECT tag FROM canary_tag g WHERE g.token=t.id ORDER BY tag)),
(SELECT json_group_array(json_array(kind, target)) FROM (SELECT kind, target FROM canary_contact c WHERE c.token=t.id ORDER BY n)),
(SELECT json_group_array(cidr) FROM (SELECT cidr FROM canary_ignore i WHERE i.token=t.id ORDER BY cidr))`

// tokenRow is a token with its seed.
type tokenRow struct {
	Token
	seed [32]byte
}

func (s *Service) scanToken(sc interface{ Scan(...any) error }) (r tokenRow, err error) {
	var created int64
	var exp, last sql.NullInt64
	var enabled bool
	var seed []byte
	var tags, contacts, ignored string
	t := &r.Token
	if err := sc.Scan(&t.ID, &t.Kind, &t.FileName, &t.Memo, &t.FreeMemo, &t.Place.Computername, &t.Place.PublicIP, &t.Place.PrivateIP, &t.Place.SharePath,
		&t.Place.Description, &t.Owner, &created, &exp, &enabled, &t.EmailEnabled, &t.WebhookEnabled, &seed, &t.Hits, &last,
		&t.OwnDocument, &tags, &contacts, &ignored); err != nil {
		return r, err
	}
	copy(r.seed[:], seed)
	t.Created = time.UnixMicro(created).UTC()
	if exp.Valid {
		t.Expires = time.UnixMicro(exp.Int64).UTC()
	}
	if last.Valid {
		t.LastHit = time.UnixMicro(last.Int64).UTC()
	}
	t.Status = StatusEnabled
	if !enabled {
		t.Status = StatusDisabled
	} else if exp.Valid && !t.Expires.After(s.d.Now()) {
		t.Status = StatusExpired
	}
	var cs [][2]string
	if err := errors.Join(json.Unmarshal([]byte(tags), &t.Tags), json.Unmarshal([]byte(contacts), &cs), json.Unmarshal([]byte(ignored), &t.Ignored)); err != nil {
		return r, err
	}
	for _, c := range cs {
		if c[0] == notifyMail {
			t.Recipients = append(t.Recipients, c[1])
		} else {
			t.Webhooks = append(t.Webhooks, c[1])
		}
	}
	s.addresses(t, r.seed)
	return r, nil
}

func (s *Service) row(ctx context.Context, id string) (tokenRow, error) {
	if !validID(id) {
		return tokenRow{}, ErrNotFound
	}
	r, err := s.scanToken(s.d.State.QueryRow(ctx, `SELECT `+tokenCols+` FROM canary_token t WHERE t.id=?`, id))
	if errors.Is(err, sql.ErrNoRows) {
		return r, ErrNotFound
	}
	if err != nil {
		return r, fmt.Errorf("canary: token: %w", err)
	}
	return r, nil
}

// Get returns a token, or ErrNotFound.
func (s *Service) Get(ctx context.Context, id string) (Token, error) {
	r, err := s.row(ctx, id)
	return r.Token, err
}

// List returns tokens, newest first, and the After value of the next page ("" at the end).
func (s *Service) List(ctx context.Context, f Filter) (ts []Token, next string, err error) {
	if f.Limit <= 0 {
		f.Limit = 100
	}
	f.Limit = min(f.Limit, 1000)
	// the page's rows are chosen first; what belongs to them is gathered for these only
	q := `SELECT ` + tokenCols + ` FROM canary_token t WHERE t.n IN (SELECT t.n FROM canary_token t WHERE 1=1`
	var args []any
	and := func(c string, a ...any) {
		q += " AND " + c
		args = append(args, a...)
	}
	switch {
	case f.Search == "":
	case len(f.Search) > 200:
		return nil, "", fieldErr("Search", "is longer than 200 bytes")
	case utf8.RuneCountInString(f.Search) >= 3: // what the index can find
		and(`t.n IN (SELECT rowid FROM canary_search WHERE canary_search MATCH ?)`, `"`+strings.ReplaceAll(f.Search, `"`, `""`)+`"`)
	default:
		like := "%" + strings.NewReplacer(`\`, `\\`, `%`, `\%`, `_`, `\_`).Replace(f.Search) + "%"
		and(`(t.id LIKE ? ESCAPE '\' OR t.file_name LIKE ? ESCAPE '\' OR t.memo LIKE ? ESCAPE '\' OR t.owner LIKE ? ESCAPE '\')`, like, like, like, like)
	}
	if f.Kind != "" {
		and(`t.kind=?`, f.Kind)
	}
	if f.Owner != "" {
		and(`t.owner=?`, f.Owner)
	}
	if f.Tag != "" {
		and(`EXISTS(SELECT 1 FROM canary_tag g WHERE g.token=t.id AND g.tag=?)`, f.Tag)
	}
	now := s.d.Now().UnixMicro()
	switch f.Status {
	case "":
	case StatusEnabled:
		and(`t.enabled=1 AND (t.expires_at IS NULL OR t.expires_at>?)`, now)
	case StatusDisabled:
		and(`t.enabled=0`)
	case StatusExpired:
		and(`t.enabled=1 AND t.expires_at<=?`, now)
	default:
		return nil, "", fieldErr("Status", "%q is not a status; there are enabled, disabled, expired", clip(f.Status, 20))
	}
	if f.After != "" {
		var at int64
		var id string
		if n, err := fmt.Sscanf(f.After, "%d-%s", &at, &id); n != 2 || err != nil {
			return nil, "", fieldErr("After", "is not a value that a list gave")
		}
		and(`(t.created_at, t.id) < (?, ?)`, at, id)
	}
	q += ` ORDER BY t.created_at DESC, t.id DESC LIMIT ?) ORDER BY t.created_at DESC, t.id DESC`
	rows, err := s.d.State.Query(ctx, q, append(args, f.Limit+1)...)
	if err != nil {
		return nil, "", fmt.Errorf("canary: list: %w", err)
	}
	defer rows.Close()
	for rows.Next() {
		r, err := s.scanToken(rows)
		if err != nil {
			return nil, "", fmt.Errorf("canary: list: %w", err)
		}
		ts = append(ts, r.Token)
	}
	if err := rows.Err(); err != nil {
		return nil, "", fmt.Errorf("canary: list: %w", err)
	}
	if len(ts) > f.Limit {
		ts = ts[:f.Limit]
		l := ts[f.Limit-1]
		next = fmt.Sprintf("%d-%s", l.Created.UnixMicro(), l.ID)
	}
	return ts, next, nil
}

// Update changes a token.
func (s *Service) Update(ctx context.Context, id string, p Patch) (Token, error) {
	r, err := s.row(ctx, id)
	if err != nil {
		return Token{}, err
	}
	t := r.Token
	var sets []string
	var args []any
	set := func(c string, v any) {
		sets = append(sets, c+"=?")
		args = append(args, v)
	}
	if p.FreeMemo != nil {
		t.FreeMemo = *p.FreeMemo
	}
	if p.Memo != nil {
		m := Memo{Description: *p.Memo}
		if t.FreeMemo {
			err = memoText(*p.Memo)
		} else {
			m, err = ParseMemo(*p.Memo)
		}
		if err != nil {
			return Token{}, err
		}
		set("memo", *p.Memo)
		set("free_memo", t.FreeMemo)
		set("computername", m.Computername)
		set("public_ip", m.PublicIP)
		set("private_ip", m.PrivateIP)
		set("share_path", m.SharePath)
		set("description", m.Description)
	}
	if p.FileName != nil {
		if err := checkFileName(*p.FileName); err != nil {
			return Token{}, err
		}
		set("file_name", *p.FileName)
	}
	if p.Owner != nil {
		if err := checkLine("Owner", *p.Owner, 200); err != nil {
			return Token{}, err
		}
		set("owner", *p.Owner)
	}
	if p.Expires != nil {
		if p.Expires.IsZero() {
			set("expires_at", nil)
		} else {
			set("expires_at", p.Expires.UnixMicro())
		}
	}
	if p.Enabled != nil {
		set("enabled", *p.Enabled)
	}
	if p.EmailEnabled != nil {
		set("email_enabled", *p.EmailEnabled)
	}
	if p.WebhookEnabled != nil {
		set("webhook_enabled", *p.WebhookEnabled)
	}
	var tags, ignored []string
	if p.Tags != nil {
		if tags, err = checkTags(*p.Tags); err != nil {
			return Token{}, err
		}
	}
	if p.Ignored != nil {
		if ignored, err = checkCIDRs(*p.Ignored); err != nil {
			return Token{}, err
		}
	}
	mails, hooks := t.Recipients, t.Webhooks
	if p.Recipients != nil {
		if mails, err = checkRecipients(*p.Recipients); err != nil {
			return Token{}, err
		}
	}
	if p.Webhooks != nil {
		if hooks, err = s.checkWebhooks(ctx, *p.Webhooks, t.Webhooks...); err != nil {
			return Token{}, err
		}
	}
	err = s.d.State.Tx(ctx, func(tx *state.Tx) error {
		ins := inserts{ctx: ctx, tx: tx, st: map[string]*sql.Stmt{}}
		defer ins.close()
		if len(sets) > 0 {
			if _, err := tx.ExecContext(ctx, `UPDATE canary_token SET `+strings.Join(sets, ", ")+` WHERE id=?`, append(args, id)...); err != nil {
				return err
			}
		}
		if p.Tags != nil {
			if _, err := tx.ExecContext(ctx, `DELETE FROM canary_tag WHERE token=?`, id); err != nil {
				return err
			}
			if err := putTags(&ins, id, tags); err != nil {
				return err
			}
		}
		if p.Ignored != nil {
			if _, err := tx.ExecContext(ctx, `DELETE FROM canary_ignore WHERE token=?`, id); err != nil {
				return err
			}
			for _, c := range ignored {
				if _, err := tx.ExecContext(ctx, `INSERT OR IGNORE INTO canary_ignore(token, cidr) VALUES(?,?)`, id, c); err != nil {
					return err
				}
			}
		}
		if p.Recipients != nil || p.Webhooks != nil {
			if _, err := tx.ExecContext(ctx, `DELETE FROM canary_contact WHERE token=?`, id); err != nil {
				return err
			}
			return putContacts(&ins, id, mails, hooks)
		}
		return nil
	})
	if err != nil {
		return Token{}, fmt.Errorf("canary: update: %w", err)
	}
	return s.Get(ctx, id)
}

func checkCIDRs(in []string) ([]string, error) {
	if len(in) > 200 {
		return nil, fieldErr("Ignored", "%d ranges; the limit is 200", len(in))
	}
	var out []string
	for _, c := range in {
		if c = strings.TrimSpace(c); c == "" {
			continue
		}
		p, err := netip.ParsePrefix(c)
		if err != nil {
			a, err := netip.ParseAddr(c)
			if err != nil || a.Zone() != "" {
				return nil, fieldErr("Ignored", "%q is neither an address nor a CIDR range", clip(c, 50))
			}
			p = netip.PrefixFrom(a, a.BitLen())
		}
		out = append(out, p.Masked().String())
	}
	return out, nil
}

// Ignore sets the addresses and CIDR ranges whose trips of any token are recorded and not told (own scanners,
// backup systems). It replaces the list.
func (s *Service) Ignore(ctx context.Context, cidrs []string) error {
	l, err := checkCIDRs(cidrs)
	if err != nil {
		return err
	}
	err = s.d.State.Tx(ctx, func(tx *state.Tx) error {
		if _, err := tx.ExecContext(ctx, `DELETE FROM canary_ignore WHERE token=''`); err != nil {
			return err
		}
		for _, c := range l {
			if _, err := tx.ExecContext(ctx, `INSERT OR IGNORE INTO canary_ignore(token, cidr) VALUES('',?)`, c); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("canary: ignore list: %w", err)
	}
	return nil
}

// Ignored returns the list that [Service.Ignore] set.
func (s *Service) Ignored(ctx context.Context) ([]string, error) {
	rows, err := s.d.State.Query(ctx, `SELECT cidr FROM canary_ignore WHERE token='' ORDER BY cidr`)
	if err != nil {
		return nil, fmt.Errorf("canary: ignore list: %w", err)
	}
	defer rows.Close()
	var out []string
	for rows.Next() {
		var c string
		if err := rows.Scan(&c); err != nil {
			return nil, fmt.Errorf("canary: ignore list: %w", err)
		}
		out = append(out, c)
	}
	return out, rows.Err()
}

// SetEnabled enables or disables a token. A disabled token's trips are still recorded, and not told.
func (s *Service) SetEnabled(ctx context.Context, id string, on bool) error {
	_, err := s.Update(ctx, id, Patch{Enabled: &on})
	return err
}

// Delete forgets a token; its rows stay in the table. From then on its URL is as good as any unknown one.
func (s *Service) Delete(ctx context.Context, id string) error {
	var n int64
	err := s.d.State.Tx(ctx, func(tx *state.Tx) error {
		res, err := tx.ExecContext(ctx, `DELETE FROM canary_token WHERE id=?`, id)
		if err != nil {
			return err
		}
		if n, err = res.RowsAffected(); err != nil {
			return err
		}
		for _, q := range []string{`DELETE FROM canary_ignore WHERE token=?`, `DELETE FROM canary_window WHERE token=?`, `DELETE FROM canary_name WHERE token=?`} {
			if _, err := tx.ExecContext(ctx, q, id); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("canary: delete: %w", err)
	}
	if n == 0 {
		return ErrNotFound
	}
	s.mu.Lock()
	delete(s.ids, id)
	s.mu.Unlock()
	return nil
}

// Download builds the token's artifact: the same bytes every time.
func (s *Service) Download(ctx context.Context, id string) (Artifact, error) {
	r, err := s.row(ctx, id)
	if err != nil {
		return Artifact{}, err
	}
	k, err := kindByName(r.Kind)
	if err != nil {
		return Artifact{}, err
	}
	if r.OwnDocument {
		a := Artifact{FileName: r.FileName, ContentType: contentType(r.Kind)}
		if err := s.d.State.QueryRow(ctx, `SELECT data FROM canary_document WHERE token=?`, id).Scan(&a.Data); err != nil {
			return Artifact{}, fmt.Errorf("canary: document: %w", err)
		}
		return a, nil
	}
	var js string
	if err := s.d.State.QueryRow(ctx, `SELECT params FROM canary_token WHERE id=?`, id).Scan(&js); err != nil {
		return Artifact{}, fmt.Errorf("canary: token: %w", err)
	}
	var p params
	if err := json.Unmarshal([]byte(js), &p); err != nil {
		return Artifact{}, fmt.Errorf("canary: token %s: parameters: %w", id, err)
	}
	return k.Build(ctx, BuildInput{Token: id, URL: r.URL, Hostname: r.Hostname, FileName: r.FileName, Created: r.Created, Seed: r.seed, Decoy: p.Decoy})
}
