package canary

import (
	"context"
	"math/rand/v2"
	"path"
	"picket/canary/office"
	"strings"

	"github.com/brianvoe/gofakeit/v7"
)

// msWord is a Word document with a linked picture of one pixel.
type msWord struct{}

const typeDocx = "application/vnd.openxmlformats-officedocument.wordprocessingml.document"

func (msWord) Name() string  { return "ms_word" }
func (msWord) Label() string { return "Microsoft Word document" }
func (msWord) About() string {
	return "Trips when the document is opened in Word (once editing or content is allowed) or LibreOffice."
}

func (msWord) Propose(r *rand.Rand) string { return proposeName(r, ".docx") }

func (msWord) Check(r *CreateRequest) error { return checkExtension(r, ".docx") }

func (k msWord) Build(_ context.Context, in BuildInput) (Artifact, error) {
	r := in.Rand('w')
	a := Artifact{FileName: in.FileName, ContentType: typeDocx}
	if a.FileName == "" {
		a.FileName = k.Propose(in.Rand('n'))
	}
	var err error
	if in.Document != nil {
		a.Data, err = office.ArmWord(in.Document, in.URL, r)
	} else {
		a.Data, err = office.Word(officeDoc(&in, a.FileName, r))
	}
	if err != nil && in.Document != nil {
		return a, fieldErr("OwnDocument", "%v", err)
	}
	return a, err
}

func checkExtension(r *CreateRequest, ext string) error {
	if r.FileName != "" && !strings.EqualFold(path.Ext(r.FileName), ext) {
		return fieldErr("FileName", "%q must end in %s", r.FileName, ext)
	}
	return nil
}

// officeDoc fills a document with decoy data.
func officeDoc(in *BuildInput, name string, r *rand.Rand) office.Doc {
	f := gofakeit.NewFaker(in.Rand('p'), false)
	d := office.Doc{
		Title: in.Decoy.Title, Text: in.Decoy.Text, Link: in.URL, Before: in.Created, Rand: r,
		Creator: f.FirstName() + " " + f.LastName(), Editor: f.FirstName() + " " + f.LastName(), Company: f.Company(),
	}
	if r.IntN(3) == 0 {
		d.Editor = d.Creator
	}
	if d.Title == "" {
		d.Title = strings.TrimSuffix(name, path.Ext(name))
	}
	d.Header, d.Numeric, d.Rows = in.Decoy.table(in.Rand('d'))
	return d
}

func contentType(kind string) string {
	switch kind {
	case "ms_word":
		return typeDocx
	case "ms_excel":
		return typeXlsx
	}
	return "application/octet-stream"
}
