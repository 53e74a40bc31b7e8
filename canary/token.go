package canary

import "time"

// CreateRequest asks for a token.
type CreateRequest struct {
	Kind     string // a name of [Kinds]
	FileName string // of the document, "White Glove Customer Accounts.docx"; "" lets picket propose one
	// Memo is CSV, Computername,PublicIP,PrivateIP,SharePath,Description; see [ParseMemo]. With FreeMemo it is
	// any text, kept as the description.
	Memo     string
	FreeMemo bool

	Contact    string   // the one-field form "e-mail SPACE URL", instead of the two fields below
	Recipients []string // e-mail addresses
	Webhook    string   // URL
	Webhooks   []string // further URLs

	Owner       string
	Tags        []string
	Expires     time.Time // zero: never
	Decoy       Decoy     // what a generated document shows
	OwnDocument []byte    // the user's own docx or xlsx, to be armed instead of a generated one
}

// Decoy is the table that a generated document shows.
type Decoy struct {
	Title  string   `json:"title,omitempty"`  // heading; "" derives it from the file name
	Fields []string `json:"fields,omitempty"` // names of [DecoyFields]; none: a customer account list
	Rows   int      `json:"rows,omitempty"`   // 1 to 500, default 40
	Text   string   `json:"text,omitempty"`   // a paragraph above the table
}

// Token is a token as it is listed. It holds no secret.
type Token struct {
	ID             string    `json:"token"`
	Kind           string    `json:"kind"`
	FileName       string    `json:"fileName,omitempty"`
	Memo           string    `json:"memo"`
	FreeMemo       bool      `json:"freeMemo,omitempty"`
	Place          Memo      `json:"place"`
	Owner          string    `json:"owner,omitempty"`
	Tags           []string  `json:"tags,omitempty"`
	Created        time.Time `json:"created"`
	Expires        time.Time `json:"expires,omitzero"`
	Status         string    `json:"status"` // enabled, disabled, expired
	Recipients     []string  `json:"recipients,omitempty"`
	Webhooks       []string  `json:"webhooks,omitempty"`
	EmailEnabled   bool      `json:"emailEnabled"`
	WebhookEnabled bool      `json:"webhookEnabled"`
	Ignored        []string  `json:"ignored,omitempty"` // CIDRs whose trips are recorded, and not told
	Hits           int64     `json:"hits"`
	LastHit        time.Time `json:"lastHit,omitzero"`
	URL            string    `json:"url,omitempty"`      // trips by HTTP
	Hostname       string    `json:"hostname,omitempty"` // trips by DNS
	OwnDocument    bool      `json:"ownDocument,omitempty"`
}

// Status values of a token.
const (
	StatusEnabled  = "enabled"
	StatusDisabled = "disabled"
	StatusExpired  = "expired"
)

// Created is a new token with its secret, which is shown this once and kept only as a hash.
type Created struct {
	Token
	Secret   string   `json:"auth"`     // 64 hex digits: manages this token
	ReadAuth string   `json:"readAuth"` // 32 hex digits: reads its history; goes out with notifications
	Warnings []string `json:"warnings,omitempty"`
}

// Filter selects tokens for [Service.List]. Empty fields select all.
type Filter struct {
	Search string // part of id, file name, memo, owner (case ignored)
	Kind   string
	Tag    string
	Owner  string
	Status string
	Limit  int    // 1 to 1000, default 100
	After  string // the next value of the page before
}

// Patch changes a token; nil fields stay.
type Patch struct {
	FileName       *string
	Memo           *string
	FreeMemo       *bool
	Owner          *string
	Tags           *[]string
	Expires        *time.Time // zero time: never
	Enabled        *bool
	Recipients     *[]string
	Webhooks       *[]string
	EmailEnabled   *bool
	WebhookEnabled *bool
	Ignored        *[]string // CIDRs or addresses
}
