package canary

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"picket/canary/office"
	"time"
)

// Fetched is one request that opening a document makes.
type Fetched struct {
	Method string
	URL    string
	Status int // 0 if there was no answer
	Err    error
}

// maxLinks bounds how many pictures of one document are fetched.
const maxLinks = 100

// Fetch does what a word processor or spreadsheet does when it opens the document: it asks for each linked
// picture, OPTIONS and then GET. It returns what it asked for; a failed request is in its entry, not an error.
func Fetch(ctx context.Context, file string) ([]Fetched, error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, fmt.Errorf("canary: %w", err)
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, office.MaxFile+1))
	if err != nil {
		return nil, fmt.Errorf("canary: %w", err)
	}
	links, err := office.ExternalImages(b)
	if err != nil {
		return nil, fmt.Errorf("canary: %s: %w", file, err)
	}
	if len(links) > maxLinks {
		return nil, fmt.Errorf("canary: %s: %d linked pictures; the limit is %d", file, len(links), maxLinks)
	}
	c := &http.Client{Timeout: 15 * time.Second}
	var out []Fetched
	for _, l := range links {
		for _, m := range []string{http.MethodOptions, http.MethodGet} {
			x := Fetched{Method: m, URL: l}
			x.Status, x.Err = fetchOne(ctx, c, m, l)
			out = append(out, x)
		}
	}
	return out, ctx.Err()
}

func fetchOne(ctx context.Context, c *http.Client, method, url string) (int, error) {
	req, err := http.NewRequestWithContext(ctx, method, url, nil)
	if err != nil {
		return 0, err
	}
	req.Header.Set("User-Agent", "picket canary open (as a word processor does)")
	res, err := c.Do(req)
	if err != nil {
		return 0, err
	}
	defer res.Body.Close()
	_, err = io.Copy(io.Discard, io.LimitReader(res.Body, 10<<20))
	return res.StatusCode, err
}
