package canary

import (
	"context"
	"fmt"

	"rsc.io/qr"
)

// qrCode is the picture of a QR code with the token's URL.
type qrCode struct{}

func (qrCode) Name() string  { return "qr_code" }
func (qrCode) Label() string { return "QR code" }
func (qrCode) About() string { return "Trips when somebody scans the code and opens its link." }

func (qrCode) Check(r *CreateRequest) error { return noDocument(r) }

func (qrCode) Build(_ context.Context, in BuildInput) (Artifact, error) {
	c, err := qr.Encode(in.URL, qr.M)
	if err != nil {
		return Artifact{}, fmt.Errorf("canary: qr code of %d characters: %w", len(in.URL), err)
	}
	c.Scale = 8
	a := Artifact{FileName: in.FileName, ContentType: "image/png", Data: c.PNG()}
	if a.FileName == "" {
		a.FileName = "code.png"
	}
	return a, nil
}
