package canary

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"picket/state"
	"strings"
	"time"
)

// Resolvers, and those who watch them, look names up again days after somebody used them.
const (
	echoAfter = 24 * time.Hour
	echoKeep  = 180 * 24 * time.Hour
	echoNames = 10_000 // remembered for one token
)

// echo says whether a DNS trip repeats a lookup of long ago by somebody else. It remembers the names that carry
// data before the token: such a name is made for one use. counts holds how many are remembered by token.
func echo(ctx context.Context, tx *state.Tx, counts map[string]int, t *Trip) (string, error) {
	name := strings.ToLower(t.QueryName)
	if strings.HasPrefix(name, t.Token) {
		return "", nil // the bare token: anybody may use it again
	}
	var first int64
	var src string
	err := tx.QueryRowContext(ctx, `SELECT first, src FROM canary_name WHERE token=? AND name=?`, t.Token, name).Scan(&first, &src)
	if err == nil {
		at := time.UnixMicro(first).UTC()
		if t.Time.Sub(at) > echoAfter && src != t.SrcIP {
			return fmt.Sprintf("%s looked this very name up on %s: probably a resolver's echo", src, at.Format(time.DateOnly)), nil
		}
		return "", nil
	}
	if !errors.Is(err, sql.ErrNoRows) {
		return "", err
	}
	n, ok := counts[t.Token]
	if !ok {
		if _, err := tx.ExecContext(ctx, `DELETE FROM canary_name WHERE first<?`, t.Time.Add(-echoKeep).UnixMicro()); err != nil {
			return "", err
		}
		if err := tx.QueryRowContext(ctx, `SELECT count(*) FROM canary_name WHERE token=?`, t.Token).Scan(&n); err != nil {
			return "", err
		}
	}
	if counts[t.Token] = n + 1; n >= echoNames {
		return "", nil
	}
	_, err = tx.ExecContext(ctx, `INSERT INTO canary_name(token, name, first, src) VALUES(?,?,?,?)`, t.Token, name, t.Time.UnixMicro(), t.SrcIP)
	return "", err
}
