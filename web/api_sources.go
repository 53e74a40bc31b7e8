package web

import (
	"net/http"
	"time"
)

// Sender is somebody who sent data: one protocol from one address under one credential.
type Sender struct {
	Protocol  string    `json:"protocol"`            // "collector", "logs-ingestion", "_bulk", "splunk", "otlp-http", "syslog-tcp", …
	Name      string    `json:"name,omitempty"`      // the host that the records are about, or the client's User-Agent
	Address   string    `json:"address,omitempty"`   // IP address
	Principal string    `json:"principal,omitempty"` // who the credential belongs to
	First     time.Time `json:"first,omitzero"`
	Last      time.Time `json:"last,omitzero"` // when rows were last stored
	Rows      int64     `json:"rows"`
	Bytes     int64     `json:"bytes,omitempty"` // as received
	Errors    int64     `json:"errors"`          // requests that were refused
	LastError string    `json:"lastError,omitempty"`
	ErrorAt   time.Time `json:"errorAt,omitzero"`
	Tables    []string  `json:"tables"`
}

// Endpoints are the addresses under which this workspace takes data, as a sender writes them; "" is not served.
type Endpoints struct {
	URL       string `json:"url"`                 // https://host:port
	HTTP      string `json:"http,omitempty"`      // http://host:port of the plain listener, on loopback
	Syslog    string `json:"syslog,omitempty"`    // host:port, UDP and TCP
	SyslogTLS string `json:"syslogTls,omitempty"` // host:port
	OTLP      string `json:"otlp,omitempty"`      // host:port for gRPC, where it differs from URL
	CAFile    string `json:"caFile,omitempty"`    // of picket's own authority, on the server
}

// sourceRoutes serves
//
//	GET /api/v1/sources    {value: [Sender]}, the last to send first
//	GET /api/v1/endpoints  Endpoints
func (s *Server) sourceRoutes() {
	s.mux.Handle("GET /api/v1/sources", s.page(Reader, func(w http.ResponseWriter, r *http.Request, _ User) error {
		if s.d.Senders == nil {
			return missingRoom("Counts of senders")
		}
		all, err := s.d.Senders(r.Context())
		for i := range all {
			all[i].Tables = orEmpty(all[i].Tables)
		}
		return answerList(w, all, err)
	}))
	s.mux.Handle("GET /api/v1/endpoints", s.page(Reader, func(w http.ResponseWriter, r *http.Request, _ User) error {
		if s.d.Endpoints == nil {
			return missingRoom("Addresses for senders")
		}
		e, err := s.d.Endpoints(r.Context())
		return answer(w, 200, e, err)
	}))
}
