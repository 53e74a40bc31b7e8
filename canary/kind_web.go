package canary

import "context"

// web is a URL to be put into a page, a mail, a script, a ticket.
type web struct{}

func (web) Name() string  { return "web" }
func (web) Label() string { return "Web bug (URL)" }
func (web) About() string { return "Trips when anything requests the URL." }

func (web) Check(r *CreateRequest) error { return noDocument(r) }

func (web) Build(_ context.Context, in BuildInput) (Artifact, error) {
	return Artifact{FileName: "link.txt", ContentType: "text/plain; charset=utf-8", Data: []byte(in.URL + "\n")}, nil
}

func noDocument(r *CreateRequest) error {
	if len(r.OwnDocument) > 0 {
		return fieldErr("OwnDocument", "a %s token has no document", r.Kind)
	}
	return nil
}
