package canary

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strings"
	"time"
)

// Kind makes one kind of token. Implementations are listed in [Kinds].
type Kind interface {
	Name() string  // "ms_word", Canarytokens' name where it has one
	Label() string // "Microsoft Word document"
	About() string // one sentence: how it trips
	// Check refuses a request that this kind can't serve, with a [FieldError].
	Check(r *CreateRequest) error
	// Build makes the thing to place. The same input gives the same bytes.
	Build(ctx context.Context, in BuildInput) (Artifact, error)
}

// BuildInput is what a kind builds from.
type BuildInput struct {
	Token    string
	URL      string    // what trips by HTTP: an unsuspicious path with the token in it
	Hostname string    // what trips by DNS, "" where no zone is set
	FileName string    // as the user wants it; "" lets the kind propose one
	Created  time.Time // dates inside the document lie before this
	Seed     [32]byte  // of everything random
	Decoy    Decoy
	Document []byte // the user's own document, or nil
}

// Rand is the generator that the seed gives, one stream a purpose.
func (in *BuildInput) Rand(purpose byte) *rand.Rand {
	s := in.Seed
	s[0] ^= purpose
	return rand.New(rand.NewChaCha8(s))
}

// Artifact is a built token.
type Artifact struct {
	FileName    string
	ContentType string
	Data        []byte
}

// Kinds is the table of kinds; the next one is a file and a line.
func Kinds() []Kind {
	return []Kind{msWord{}, msExcel{}, web{}, qrCode{}, dnsName{}}
}

func kindByName(name string) (Kind, error) {
	var names []string
	for _, k := range Kinds() {
		if k.Name() == name {
			return k, nil
		}
		names = append(names, k.Name())
	}
	return nil, fieldErr("Kind", "%q is not a kind of token that picket makes; there are %s", clip(name, 40), strings.Join(names, ", "))
}

// pathWords make a trip URL look like any site's picture. The token's path segment follows them.
var pathWords = [][]string{
	{"assets", "static", "content", "media", "files", "shared", "cdn", "res", "common", "site"},
	{"images", "img", "pictures", "logos", "theme", "brand", "headers", "icons", "banner", "template"},
}

var pathFiles = []string{"logo.png", "header.png", "spacer.gif", "banner.png", "pixel.gif", "letterhead.png", "footer.png", "brand.png", "line.gif", "mark.png"}

// tripURL is the URL that trips the token: base/word/word/token/file.
func tripURL(base, token string, r *rand.Rand) string {
	return fmt.Sprintf("%s/%s/%s/%s/%s", base, pathWords[0][r.IntN(len(pathWords[0]))], pathWords[1][r.IntN(len(pathWords[1]))],
		token, pathFiles[r.IntN(len(pathFiles))])
}
