package canary

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/netip"
	"net/url"
	"picket/canary/geo"
	"picket/canary/trip"
	"picket/kql/value"
	"picket/state"
	"strings"
	"time"
)

// Mark is a place in the trip server's log up to which rows are committed.
type Mark struct {
	File   string // the log file's number in hex, 16 digits: text order is log order
	Offset int64  // bytes
}

// Deps is what the room needs from others. State is required.
type Deps struct {
	State *state.DB
	Trips *trip.Log // the log that the trip server writes; nil: this process has no trips to read
	Geo   *geo.DB   // nil: places are not known

	PublicURL string // how people reach picket's pages, "https://picket.example.org"
	TripURL   string // how the world reaches the trip server, "http://docs.example.org"; goes into documents
	DNSDomain string // zone of dns tokens, "t.example.org"; "" refuses the kind

	// AppendTrips commits rows (schema [TripSchema]) and marks in one transaction. CommittedMarks returns the
	// marks of all commits. Both or neither: without them the history is read from the log, which then is
	// never shortened.
	AppendTrips    func(ctx context.Context, rows *value.Frame, marks []Mark) error
	CommittedMarks func(ctx context.Context) ([]Mark, error)
	// QueryTrips returns rows of CanaryTrips (schema [TripSchema]) of one token, newest first.
	QueryTrips func(ctx context.Context, q TripQuery) (*value.Frame, error)

	// IsOwnCallback says whether url is the callback of a playbook of this picket; DeliverCallback delivers to
	// it in process and returns the status. Both or neither.
	IsOwnCallback   func(url string) bool
	DeliverCallback func(ctx context.Context, url string, header http.Header, body []byte) (status int, err error)

	// Authorize says whether a request may manage every token (the page's own session, an owner's token).
	// nil: nobody may, and tokens are managed only with their own secret.
	Authorize func(r *http.Request) error
	// OpenGenerate lets anybody who reaches the handler create tokens by /generate, as Canarytokens does.
	OpenGenerate bool

	AllowWebhooks     []netip.Prefix // loopback, private and link-local ranges that webhooks may go to
	AllowWebhookHosts []string       // host, *.host or host:port that webhooks may go to wherever it resolves
	OnlyAllowed       bool           // webhooks go to nothing else, not to public addresses either
	SMTP              *SMTP          // nil: no mail

	KeepLog time.Duration // log files stay this long after their rows are committed (default 7 days)
	Now     func() time.Time
	Logger  *slog.Logger
}

// TripQuery asks for rows of one token.
type TripQuery struct {
	Token  string
	Before time.Time // zero: now
	Limit  int       // rows at most
}

func (d *Deps) check() error {
	if d.State == nil {
		return errors.New("canary: Deps.State is required")
	}
	if (d.AppendTrips == nil) != (d.CommittedMarks == nil) {
		return errors.New("canary: Deps.AppendTrips and CommittedMarks belong together: rows and log position are committed as one")
	}
	if (d.IsOwnCallback == nil) != (d.DeliverCallback == nil) {
		return errors.New("canary: Deps.IsOwnCallback and DeliverCallback belong together")
	}
	var err error
	if d.PublicURL, err = baseURL("public URL", d.PublicURL); err != nil {
		return err
	}
	if d.TripURL, err = baseURL("trip URL", d.TripURL); err != nil {
		return err
	}
	d.DNSDomain = strings.ToLower(strings.Trim(d.DNSDomain, "."))
	if d.KeepLog <= 0 {
		d.KeepLog = 7 * 24 * time.Hour
	}
	if d.Now == nil {
		d.Now = time.Now
	}
	if d.Logger == nil {
		d.Logger = slog.New(slog.DiscardHandler)
	}
	return nil
}

func baseURL(what, s string) (string, error) {
	if s == "" {
		return "", nil
	}
	u, err := url.Parse(s)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || u.RawQuery != "" || u.User != nil {
		return "", fmt.Errorf("canary: %s %q: it must be http(s)://host[:port][/path]", what, s)
	}
	return strings.TrimRight(s, "/"), nil
}

// Migrations are the room's tables in the control store.
func Migrations() []state.Migration {
	return []state.Migration{{Room: "canary", Step: 1, SQL: `
CREATE TABLE canary_key(name TEXT PRIMARY KEY, value BLOB NOT NULL);
CREATE TABLE canary_token(
  n INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, kind TEXT NOT NULL, file_name TEXT NOT NULL DEFAULT '', memo TEXT NOT NULL, free_memo INTEGER NOT NULL DEFAULT 0,
  computername TEXT NOT NULL DEFAULT '', public_ip TEXT NOT NULL DEFAULT '', private_ip TEXT NOT NULL DEFAULT '',
  share_path TEXT NOT NULL DEFAULT '', description TEXT NOT NULL DEFAULT '',
  owner TEXT NOT NULL DEFAULT '', created_at INTEGER NOT NULL, expires_at INTEGER, enabled INTEGER NOT NULL DEFAULT 1,
  email_enabled INTEGER NOT NULL DEFAULT 1, webhook_enabled INTEGER NOT NULL DEFAULT 1,
  auth_hash BLOB NOT NULL, seed BLOB NOT NULL, params TEXT NOT NULL DEFAULT '{}',
  hits INTEGER NOT NULL DEFAULT 0, last_hit INTEGER);
CREATE INDEX canary_token_created ON canary_token(created_at, id);
CREATE INDEX canary_token_off ON canary_token(created_at, id) WHERE enabled=0;
CREATE INDEX canary_token_expires ON canary_token(expires_at) WHERE expires_at IS NOT NULL;
CREATE VIRTUAL TABLE canary_search USING fts5(text, tokenize='trigram');
CREATE TRIGGER canary_search_new AFTER INSERT ON canary_token BEGIN
  INSERT INTO canary_search(rowid, text) VALUES(new.n, new.id||char(10)||new.file_name||char(10)||new.memo||char(10)||new.owner); END;
CREATE TRIGGER canary_search_set AFTER UPDATE OF file_name, memo, owner ON canary_token BEGIN
  UPDATE canary_search SET text=new.id||char(10)||new.file_name||char(10)||new.memo||char(10)||new.owner WHERE rowid=new.n; END;
CREATE TRIGGER canary_search_old AFTER DELETE ON canary_token BEGIN DELETE FROM canary_search WHERE rowid=old.n; END;
CREATE TABLE canary_tag(token TEXT NOT NULL REFERENCES canary_token(id) ON DELETE CASCADE, tag TEXT NOT NULL, PRIMARY KEY(token, tag)) WITHOUT ROWID;
CREATE INDEX canary_tag_tag ON canary_tag(tag, token);
CREATE TABLE canary_contact(token TEXT NOT NULL REFERENCES canary_token(id) ON DELETE CASCADE, n INTEGER NOT NULL,
  kind TEXT NOT NULL, target TEXT NOT NULL, PRIMARY KEY(token, n)) WITHOUT ROWID;
CREATE TABLE canary_ignore(token TEXT NOT NULL, cidr TEXT NOT NULL, PRIMARY KEY(token, cidr)) WITHOUT ROWID;
CREATE TABLE canary_document(token TEXT PRIMARY KEY REFERENCES canary_token(id) ON DELETE CASCADE, data BLOB NOT NULL);
CREATE TABLE canary_window(token TEXT NOT NULL, src TEXT NOT NULL, notification TEXT NOT NULL, first INTEGER NOT NULL,
  last INTEGER NOT NULL, streak INTEGER NOT NULL, PRIMARY KEY(token, src)) WITHOUT ROWID;
CREATE INDEX canary_window_last ON canary_window(last);
CREATE TABLE canary_seen(trip TEXT PRIMARY KEY, notification TEXT NOT NULL, status TEXT NOT NULL, benign TEXT NOT NULL, file TEXT NOT NULL, off INTEGER NOT NULL) WITHOUT ROWID;
CREATE INDEX canary_seen_pos ON canary_seen(file, off);
CREATE TABLE canary_tail(n INTEGER PRIMARY KEY CHECK(n=1), file TEXT NOT NULL, off INTEGER NOT NULL);
CREATE TABLE canary_outbox(id TEXT PRIMARY KEY, notification TEXT NOT NULL, token TEXT NOT NULL, kind TEXT NOT NULL, target TEXT NOT NULL,
  payload TEXT NOT NULL, hits INTEGER NOT NULL DEFAULT 1, created_at INTEGER NOT NULL, next_at INTEGER NOT NULL, attempts INTEGER NOT NULL DEFAULT 0,
  status TEXT NOT NULL DEFAULT 'pending', last_status INTEGER NOT NULL DEFAULT 0, last_error TEXT NOT NULL DEFAULT '', done_at INTEGER);
CREATE INDEX canary_outbox_due ON canary_outbox(status, next_at);
CREATE INDEX canary_outbox_token ON canary_outbox(token, created_at);
CREATE INDEX canary_outbox_note ON canary_outbox(notification);
CREATE TABLE canary_name(token TEXT NOT NULL, name TEXT NOT NULL, first INTEGER NOT NULL, src TEXT NOT NULL, PRIMARY KEY(token, name)) WITHOUT ROWID;
CREATE INDEX canary_name_first ON canary_name(first);
`}}
}
