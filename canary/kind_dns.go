package canary

import "context"

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
