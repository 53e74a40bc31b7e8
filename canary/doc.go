// Package canary owns the honey tokens: documents, pictures and names that call home when somebody uses them.
// It makes them (one [Kind] a file), keeps their list, turns what the trip server recorded into rows of the
// table CanaryTrips with place and Tor facts, and tells people and playbooks (webhooks, mail).
//
//	log, err := trip.OpenLog(filepath.Join(dir, "trips"), trip.LogOptions{})
//	svc, err := canary.New(ctx, canary.Deps{State: db, Trips: log, TripURL: "http://trip.example.org", …})
//	go svc.Run(ctx)                                  // the tailer and the outbox
//	srv, err := trip.NewServer(trip.Options{Log: log, Known: svc.Known})
//	tok, err := svc.Create(ctx, canary.CreateRequest{Kind: "ms_word", FileName: "White Glove Customer Accounts.docx",
//		Memo: `FS01,,,T:\departments\sales,placed on FS01`, Webhook: callbackURL})
//	art, err := svc.Download(ctx, tok.ID)            // the document to place
//
// A trip is never lost and never doubled: the trip server's log holds it before the caller is answered, the
// tailer commits its row together with the log position, and notification ids derive from the trip.
package canary
