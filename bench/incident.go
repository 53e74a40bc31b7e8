package main

import (
	"context"
	"errors"
	"fmt"
	"picket/canary"
	"sort"
	"time"
)

// incidents measures from the moment that a document is opened to the moment that a client sees the incident.
func incidents(ctx context.Context, o options) ([]line, error) {
	var took []time.Duration
	for range o.rounds {
		d, err := oneIncident(ctx, o)
		if err != nil {
			return nil, err
		}
		took = append(took, d)
	}
	sort.Slice(took, func(i, j int) bool { return took[i] < took[j] })
	worst := took[len(took)-1]
	return []line{
		{"document opened → incident visible", fmt.Sprintf("%.2f s", took[len(took)/2].Seconds()), fmt.Sprintf("median of %d", len(took)), "", "", false},
		{"", fmt.Sprintf("%.2f s", worst.Seconds()), "worst", "", "< 5 s", worst < 5*time.Second},
	}, nil
}

func oneIncident(ctx context.Context, o options) (time.Duration, error) {
	s, err := start(ctx, o)
	if err != nil {
		return 0, err
	}
	defer s.stop()
	path := "/subscriptions/" + s.SubscriptionID + "/resourceGroups/" + s.ResourceGroup + "/providers/Microsoft.OperationalInsights/workspaces/" +
		s.WorkspaceName + "/providers/Microsoft.SecurityInsights/incidents?api-version=2023-11-01"
	count := func() (int, error) {
		var out struct{ Value []struct{ Name string } }
		err := s.call(ctx, "GET", path, nil, &out)
		return len(out.Value), err
	}
	if n, err := count(); err != nil || n > 0 {
		return 0, errors.Join(err, fmt.Errorf("a new workspace has %d incidents", n))
	}
	at := time.Now()
	got, err := canary.Fetch(ctx, s.Document)
	if err != nil {
		return 0, err
	}
	if len(got) == 0 {
		return 0, fmt.Errorf("%s asks for nothing", s.Document)
	}
	for _, f := range got {
		if f.Err != nil {
			return 0, f.Err
		}
	}
	err = until(ctx, 30*time.Second, func() (bool, error) {
		n, err := count()
		return n > 0, err
	})
	return time.Since(at), err
}
