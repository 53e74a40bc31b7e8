// Package trip is the part of the honey tokens that faces the internet: listeners that a tripped token calls
// (HTTP, DNS over UDP and TCP) and the append-only log that keeps every call.
//
// It knows token ids and nothing else: no memo, no kind, no secret, no way to manage a token. A trip is
// written and fsynced to the log before the caller gets its answer, and the answer is the same for a live, a
// disabled and an unknown token: same status, headers, body, and the same wait for the disk.
//
//	log, err := trip.OpenLog(dir, trip.LogOptions{})
//	srv, err := trip.NewServer(trip.Options{Log: log, Known: func(id string) bool { return ids[id] }})
//	go srv.ServeHTTP(ctx, httpListener)
//	go srv.ServeDNS(ctx, packetConn, tcpListener)
//
// Whoever wants the trips reads the log with [Log.Read] from a position it keeps.
package trip
