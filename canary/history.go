package canary

import (
	"context"
	"fmt"
	"picket/canary/trip"
	"sort"
)

// maxHistory bounds one answer of [Service.History]; page on with Before.
const maxHistory = 100_000

// History returns a token's trips, newest first: from the table if there is one to ask, else from the log.
func (s *Service) History(ctx context.Context, q TripQuery) ([]Trip, error) {
	if q.Limit <= 0 {
		q.Limit = 1000
	}
	q.Limit = min(q.Limit, maxHistory)
	if q.Before.IsZero() {
		q.Before = s.d.Now().Add(24 * 3600e9)
	}
	if s.d.QueryTrips != nil {
		if _, err := s.Get(ctx, q.Token); err != nil {
			return nil, err
		}
		f, err := s.d.QueryTrips(ctx, q)
		if err != nil {
			return nil, fmt.Errorf("canary: history: %w", err)
		}
		return TripsOf(f)
	}
	if s.d.Trips == nil {
		return nil, fmt.Errorf("canary: history: there is neither a table nor a trip log to read")
	}
	tok, err := s.Get(ctx, q.Token)
	if err != nil {
		return nil, err
	}
	var ts []Trip
	pos := trip.Position{}
	for ctx.Err() == nil {
		es, next, _, err := s.d.Trips.Read(pos, tailBatch)
		if err != nil {
			return nil, fmt.Errorf("canary: history: %w", err)
		}
		for i := range es {
			if es[i].Token == q.Token && es[i].Time.Before(q.Before) {
				t := Trip{Record: es[i].Record}
				s.describe(&t, &tok, nil)
				ts = append(ts, t)
			}
		}
		if len(ts) > 2*q.Limit { // the log is in order of time, near enough
			ts = newest(ts, q.Limit)
		}
		if len(es) == 0 {
			break
		}
		pos = next
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	return newest(ts, q.Limit), nil
}

func newest(ts []Trip, n int) []Trip {
	sort.SliceStable(ts, func(i, j int) bool { return ts[i].Time.After(ts[j].Time) })
	return ts[:min(n, len(ts))]
}
