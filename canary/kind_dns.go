package canary

import (
	"context"
	"encoding/base32"
	"regexp"
	"strings"
)

// dnsName is a host name that trips when it is resolved.
type dnsName struct{}

func (dnsName) Name() string  { return "dns" }
func (dnsName) Label() string { return "DNS name" }
func (dnsName) About() string {
	return "Trips when anything looks the name up, with any query type. The source is the name server that asked."
}

func (dnsName) Check(r *CreateRequest) error { return noDocument(r) }

func (dnsName) Build(_ context.Context, in BuildInput) (Artifact, error) {
	return Artifact{FileName: "hostname.txt", ContentType: "text/plain; charset=utf-8", Data: []byte(in.Hostname + "\n")}, nil
}

var genericLabels = regexp.MustCompile(`(?i)^((?:[a-z2-7]+\.)+)g[0-9]{2}\.$`)

// genericData reads what a caller put before the token in Canarytokens' generic form: base32 without padding, in
// one label or several, then the letter G and two digits (<base32>.G42.<token>.<zone>).
func genericData(name, token string) (string, bool) {
	i := strings.Index(strings.ToLower(name), token)
	if i <= 0 {
		return "", false
	}
	m := genericLabels.FindStringSubmatch(name[:i])
	if m == nil {
		return "", false
	}
	b, err := base32.StdEncoding.WithPadding(base32.NoPadding).DecodeString(strings.ToUpper(strings.ReplaceAll(m[1], ".", "")))
	return strings.ToValidUTF8(string(b), "\uFFFD"), err == nil
}
