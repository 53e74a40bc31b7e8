package canary

import (
	"context"
	"crypto/rand"
	"database/sql"
	"encoding/json"
	"fmt"
	mrand "math/rand/v2"
	"net/netip"
	"net/url"
	"picket/state"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// Limits of a request.
const (
	maxDocument = 20 << 20
	maxTags     = 32
	maxBulk     = 10_000
	maxWebhooks = 10
)

// params are what a token is built from again at each download.
type params struct {
	Decoy Decoy `json:"decoy"`
}

// prepared is a checked request.
type prepared struct {
	r      CreateRequest
	id     string
	secret string
	hash   []byte
	seed   [32]byte
	place  Memo
	hooks  []string
	mails  []string
	doc    []byte
	now    time.Time
}

// Create makes a token. The error of a wrong request is a [FieldError].
func (s *Service) Create(ctx context.Context, r CreateRequest) (Created, error) {
	cs, err := s.CreateBulk(ctx, []CreateRequest{r})
	if err != nil {
		return Created{}, err
	}
	return cs[0], nil
}

// CreateBulk makes up to 10,000 tokens in one transaction: all or none.
func (s *Service) CreateBulk(ctx context.Context, rs []CreateRequest) ([]Created, error) {
	if len(rs) == 0 || len(rs) > maxBulk {
		return nil, fmt.Errorf("canary: %d tokens in one request; the limits are 1 and %d", len(rs), maxBulk)
	}
	ps := make([]prepared, len(rs))
	for i := range rs {
		var err error
		if ps[i], err = s.prepare(ctx, rs[i]); err != nil {
			if len(rs) > 1 {
				err = fmt.Errorf("token %d: %w", i+1, err)
			}
			return nil, err
		}
	}
	err := s.d.State.Tx(ctx, func(tx *state.Tx) error {
		ins := inserts{ctx: ctx, tx: tx, st: map[string]*sql.Stmt{}}
		defer ins.close()
		for i := range ps {
			if err := insertToken(&ins, &ps[i]); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("canary: create: %w", err)
	}
	s.mu.Lock()
	for i := range ps {
		s.ids[ps[i].id] = struct{}{}
	}
	s.mu.Unlock()
	out := make([]Created, len(ps))
	for i := range ps {
		out[i] = s.created(&ps[i])
	}
	return out, nil
}

func (s *Service) created(p *prepared) Created {
	t := Token{
		ID: p.id, Kind: p.r.Kind, FileName: p.r.FileName, Memo: p.r.Memo, FreeMemo: p.r.FreeMemo, Place: p.place,
		Owner: p.r.Owner, Tags: p.r.Tags, Created: p.now, Expires: p.r.Expires, Status: StatusEnabled, Recipients: p.mails,
		Webhooks: p.hooks, EmailEnabled: true, WebhookEnabled: true, OwnDocument: p.doc != nil,
	}
	s.addresses(&t, p.seed)
	c := Created{Token: t, Secret: p.secret, ReadAuth: s.ReadAuth(p.id)}
	if u, err := url.Parse(s.d.TripURL); err == nil && p.r.Kind != "dns" {
		if a, err := netip.ParseAddr(u.Hostname()); u.Hostname() == "localhost" || err == nil && a.IsLoopback() {
			c.Warnings = append(c.Warnings, "the trip URL is a loopback address: the token trips on this machine only")
		}
	}
	if len(p.mails) > 0 && s.d.SMTP == nil {
		c.Warnings = append(c.Warnings, "no mail server is configured: e-mail notifications wait until there is one")
	}
	if len(p.mails) == 0 && len(p.hooks) == 0 {
		c.Warnings = append(c.Warnings, "nobody is told of trips: there is neither an e-mail address nor a webhook; rows and rules still see them")
	}
	return c
}

// addresses fills in what the token answers to.
func (s *Service) addresses(t *Token, seed [32]byte) {
	if t.Kind == "dns" {
		t.Hostname = t.ID + "." + s.d.DNSDomain
		return
	}
	if s.d.TripURL != "" {
		t.URL = tripURL(s.d.TripURL, t.ID, mrand.New(mrand.NewChaCha8(seed)))
	}
}

func (s *Service) prepare(ctx context.Context, r CreateRequest) (p prepared, err error) {
	k, err := kindByName(r.Kind)
	if err != nil {
		return p, err
	}
	if r.FreeMemo {
		if err := memoText(r.Memo); err != nil {
			return p, err
		}
		p.place = Memo{Description: r.Memo}
	} else if p.place, err = ParseMemo(r.Memo); err != nil {
		return p, err
	}
	if r.Contact != "" {
		m, w, err := ParseContact(r.Contact)
		if err != nil {
			return p, err
		}
		r.Recipients = append(slices.Clone(r.Recipients), m...)
		if w != "" {
			r.Webhooks = append(slices.Clone(r.Webhooks), w)
		}
	}
	if p.mails, err = checkRecipients(r.Recipients); err != nil {
		return p, err
	}
	if r.Webhook != "" {
		p.hooks = append(p.hooks, r.Webhook)
	}
	p.hooks = append(p.hooks, r.Webhooks...)
	if p.hooks, err = s.checkWebhooks(ctx, p.hooks); err != nil {
		return p, err
	}
	if r.Tags, err = checkTags(r.Tags); err != nil {
		return p, err
	}
	if err := checkLine("Owner", r.Owner, 200); err != nil {
		return p, err
	}
	p.now = s.d.Now().UTC().Truncate(time.Microsecond)
	if !r.Expires.IsZero() && !r.Expires.After(p.now) {
		return p, fieldErr("Expires", "%s is in the past", r.Expires.UTC().Format(time.RFC3339))
	}
	if k.Name() == "dns" {
		if s.d.DNSDomain == "" {
			return p, fieldErr("Kind", "dns tokens need a zone: set the DNS domain that points to the trip server")
		}
	} else if s.d.TripURL == "" {
		return p, fieldErr("Kind", "%s tokens need an address: set the trip URL that the world reaches the trip server by", r.Kind)
	}
	if len(r.OwnDocument) > maxDocument {
		return p, fieldErr("OwnDocument", "is %d bytes; the limit is %d", len(r.OwnDocument), maxDocument)
	}
	if r.FileName != "" {
		if err := checkFileName(r.FileName); err != nil {
			return p, err
		}
	}
	if err := r.Decoy.check(); err != nil {
		return p, err
	}
	if err := k.Check(&r); err != nil {
		return p, err
	}
	p.id = newTokenID()
	p.secret, p.hash = newSecret()
	rand.Read(p.seed[:])
	p.r = r
	if len(r.OwnDocument) > 0 {
		in := s.input(p.id, &r, p.seed, p.now)
		a, err := k.Build(ctx, in)
		if err != nil {
			return p, err
		}
		p.doc = a.Data
		p.r.FileName = a.FileName
	} else if p.r.FileName == "" {
		if n, ok := k.(interface{ Propose(*mrand.Rand) string }); ok {
			in := BuildInput{Seed: p.seed}
			p.r.FileName = n.Propose(in.Rand('n'))
		}
	}
	return p, nil
}

func (s *Service) input(id string, r *CreateRequest, seed [32]byte, now time.Time) BuildInput {
	t := Token{ID: id, Kind: r.Kind}
	s.addresses(&t, seed)
	return BuildInput{Token: id, URL: t.URL, Hostname: t.Hostname, FileName: r.FileName, Created: now, Seed: seed, Decoy: r.Decoy, Document: r.OwnDocument}
}

// inserts runs statements of one transaction, each prepared once.
type inserts struct {
	ctx context.Context
	tx  *state.Tx
	st  map[string]*sql.Stmt
}

func (i *inserts) exec(q string, args ...any) error {
	st := i.st[q]
	if st == nil {
		var err error
		if st, err = i.tx.PrepareContext(i.ctx, q); err != nil {
			return err
		}
		i.st[q] = st
	}
	_, err := st.ExecContext(i.ctx, args...)
	return err
}

func (i *inserts) close() {
	for _, st := range i.st {
		st.Close() // the transaction's end closes them anyway
	}
}

func insertToken(ins *inserts, p *prepared) error {
	js, err := json.Marshal(params{Decoy: p.r.Decoy})
	if err != nil {
		return err
	}
	var exp any
	if !p.r.Expires.IsZero() {
		exp = p.r.Expires.UnixMicro()
	}
	if err := ins.exec(`INSERT INTO canary_token(id, kind, file_name, memo, free_memo, computername, public_ip, private_ip, share_path,
description, owner, created_at, expires_at, auth_hash, seed, params) VALUES(?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)`,
		p.id, p.r.Kind, p.r.FileName, p.r.Memo, p.r.FreeMemo, p.place.Computername, p.place.PublicIP, p.place.PrivateIP, p.place.SharePath,
		p.place.Description, p.r.Owner, p.now.UnixMicro(), exp, p.hash, p.seed[:], string(js)); err != nil {
		return err
	}
	if p.doc != nil {
		if err := ins.exec(`INSERT INTO canary_document(token, data) VALUES(?,?)`, p.id, p.doc); err != nil {
			return err
		}
	}
	if err := putTags(ins, p.id, p.r.Tags); err != nil {
		return err
	}
	return putContacts(ins, p.id, p.mails, p.hooks)
}

func putTags(ins *inserts, id string, tags []string) error {
	for _, t := range tags {
		if err := ins.exec(`INSERT INTO canary_tag(token, tag) VALUES(?,?)`, id, t); err != nil {
			return err
		}
	}
	return nil
}

func putContacts(ins *inserts, id string, mails, hooks []string) error {
	n := 0
	for _, c := range []struct {
		kind string
		list []string
	}{{notifyMail, mails}, {notifyWebhook, hooks}} {
		for _, t := range c.list {
			if err := ins.exec(`INSERT INTO canary_contact(token, n, kind, target) VALUES(?,?,?,?)`, id, n, c.kind, t); err != nil {
				return err
			}
			n++
		}
	}
	return nil
}

// checkWebhooks looks at URLs that are to be saved; those that are saved already stay.
func (s *Service) checkWebhooks(ctx context.Context, in []string, saved ...string) ([]string, error) {
	if len(in) > maxWebhooks {
		return nil, fieldErr("Webhook", "%d URLs; the limit is %d", len(in), maxWebhooks)
	}
	var out []string
	for _, u := range in {
		if u = strings.TrimSpace(u); u == "" || slices.Contains(out, u) {
			continue
		}
		if err := checkWebhookURL(u); err != nil {
			return nil, err
		}
		if !s.isOwn(u) && !slices.Contains(saved, u) {
			if err := s.guard.precheck(ctx, u); err != nil {
				return nil, fieldErr("Webhook", "%v", err)
			}
		}
		out = append(out, u)
	}
	return out, nil
}

func checkTags(in []string) ([]string, error) {
	if len(in) > maxTags {
		return nil, fieldErr("Tags", "%d tags; the limit is %d", len(in), maxTags)
	}
	var out []string
	for _, t := range in {
		if t = strings.TrimSpace(t); t == "" || slices.Contains(out, t) {
			continue
		}
		if err := checkLine("Tags", t, 100); err != nil {
			return nil, err
		}
		out = append(out, t)
	}
	slices.Sort(out)
	return out, nil
}

func checkLine(field, v string, n int) error {
	if len(v) > n {
		return fieldErr(field, "is longer than %d bytes", n)
	}
	if !utf8.ValidString(v) || strings.ContainsFunc(v, unicode.IsControl) {
		return fieldErr(field, "holds control characters or invalid UTF-8")
	}
	return nil
}

// checkFileName refuses names that some file system would not keep.
func checkFileName(n string) error {
	if err := checkLine("FileName", n, 200); err != nil {
		return err
	}
	if strings.ContainsAny(n, `/\:*?"<>|`) || strings.HasPrefix(n, ".") || strings.HasSuffix(n, ".") || strings.TrimSpace(n) != n {
		return fieldErr("FileName", `%q can't be a file name everywhere: it must not hold / \ : * ? " < > | nor begin or end with a dot or space`, n)
	}
	return nil
}
