package playbook

import (
	"context"
	"net/url"
)

// IsOwnCallback reports whether rawURL is a callback URL of this engine with a right signature.
func (e *Engine) IsOwnCallback(rawURL string) bool {
	u, err := url.Parse(rawURL)
	if err != nil {
		return false
	}
	_, _, ok := e.verify(context.Background(), u)
	return ok
}
