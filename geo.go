package picket

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"picket/canary/geo"
	"picket/web"
	"regexp"
	"strings"
	"time"
)

const maxGeoFile = 2 << 30 // bytes

var plainName = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._ -]{0,120}$`)

// importGeo takes a file of places, networks or Tor addresses: POST /api/v1/geo/import, multipart with the part
// "file", and "columns" (by comma) for CSV without a header line.
func (p *Picket) importGeo(w http.ResponseWriter, r *http.Request) {
	fail := func(status int, code, msg string) { answerError(w, status, code, msg) }
	u, ok := web.SessionUser(r)
	switch {
	case !ok:
		fail(401, "SignInRequired", "Sign in first, or send a bearer token of this picket.")
		return
	case !u.Allows(web.Contributor):
		fail(403, "RoleRequired", "This needs the role Contributor; you are "+u.Role+".")
		return
	}
	// Such files are large: they may take longer than other requests. An error means that w has no deadline.
	_ = http.NewResponseController(w).SetReadDeadline(time.Now().Add(time.Hour))
	r.Body = http.MaxBytesReader(w, r.Body, maxGeoFile)
	parts, err := r.MultipartReader()
	if err != nil {
		fail(400, "BadRequest", "Send the file as multipart/form-data in the part \"file\": "+err.Error())
		return
	}
	var o geo.ImportOptions
	for {
		part, err := parts.NextPart()
		if errors.Is(err, io.EOF) {
			fail(400, "BadRequest", "The request has no part \"file\".")
			return
		}
		if err != nil {
			fail(400, "BadRequest", "The request could not be read: "+err.Error())
			return
		}
		switch part.FormName() {
		case "columns":
			b, err := io.ReadAll(io.LimitReader(part, 4096))
			if err != nil {
				fail(400, "BadRequest", "The columns could not be read: "+err.Error())
				return
			}
			o.Columns = strings.Split(string(b), ",")
		case "file":
			name := filepath.Base(part.FileName())
			if !plainName.MatchString(name) {
				fail(400, "BadRequest", fmt.Sprintf("The file name %q is not plain: use letters, digits, dots and dashes.", name))
				return
			}
			f, err := p.takeGeo(r, name, part, o)
			var tooBig *http.MaxBytesError
			if errors.As(err, &tooBig) {
				fail(413, "RequestEntityTooLarge", fmt.Sprintf("The file is larger than %d bytes.", tooBig.Limit))
				return
			}
			if err != nil {
				fail(400, "InvalidFile", err.Error())
				return
			}
			answer(w, 200, map[string]any{
				"name": f.Name, "kind": f.Kind, "entries": f.Entries, "built": f.Built,
				"summary": fmt.Sprintf("%s, %d entries", f.Kind, f.Entries),
			})
			return
		}
	}
}

// takeGeo stores an upload beside the data and imports it from there.
func (p *Picket) takeGeo(r *http.Request, name string, in io.Reader, o geo.ImportOptions) (geo.File, error) {
	dir, err := os.MkdirTemp(p.cfg.Data, "upload-*")
	if err != nil {
		return geo.File{}, err
	}
	defer os.RemoveAll(dir)
	path := filepath.Join(dir, name)
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return geo.File{}, err
	}
	_, err = io.Copy(f, in)
	if err := errors.Join(err, f.Close()); err != nil {
		return geo.File{}, err
	}
	return p.geo.Import(r.Context(), path, o)
}
