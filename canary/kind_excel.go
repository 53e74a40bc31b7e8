package canary

import (
	"context"
	"math/rand/v2"
	"picket/canary/office"
)

// msExcel is an Excel workbook with a linked picture of one pixel.
type msExcel struct{}

const typeXlsx = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"

func (msExcel) Name() string  { return "ms_excel" }
func (msExcel) Label() string { return "Microsoft Excel workbook" }
func (msExcel) About() string {
	return "Trips when the workbook is opened in Excel (once editing or content is allowed) or LibreOffice."
}

func (msExcel) Propose(r *rand.Rand) string { return proposeName(r, ".xlsx") }

func (msExcel) Check(r *CreateRequest) error { return checkExtension(r, ".xlsx") }

func (k msExcel) Build(_ context.Context, in BuildInput) (Artifact, error) {
	r := in.Rand('x')
	a := Artifact{FileName: in.FileName, ContentType: typeXlsx}
	if a.FileName == "" {
		a.FileName = k.Propose(in.Rand('n'))
	}
	var err error
	if in.Document != nil {
		a.Data, err = office.ArmSheet(in.Document, in.URL, r)
	} else {
		a.Data, err = office.Sheet(officeDoc(&in, a.FileName, r))
	}
	if err != nil && in.Document != nil {
		return a, fieldErr("OwnDocument", "%v", err)
	}
	return a, err
}
