package query

import (
	"context"
	"errors"
	"picket/kql/exec"
	"picket/kql/value"
	"sync"
)

// turns lets many readers share a snapshot, which runs one query at a time, though one may ask while it is still
// handed rows of another (a table read inside mv-apply, say). Each query runs in a goroutine that stays a few
// frames ahead of its reader; as soon as another waits, it runs to its end into memory.
type turns struct {
	mu      sync.Mutex
	cond    *sync.Cond
	running bool
	waiting int
	active  sync.WaitGroup
}

// ahead is how many frames a query may be ahead of its reader while nobody waits.
const ahead = 8

var errStop = errors.New("the reader has enough")

func (t *turns) init() {
	if t.cond == nil {
		t.cond = sync.NewCond(&t.mu)
	}
}

// queue holds the frames between a query and its reader; turns.mu guards it.
type queue struct {
	frames  []*value.Frame
	bytes   int64
	done    bool
	err     error
	stopped bool
}

// stream runs query and hands its frames to yield. limit bounds the bytes that wait for the reader.
func (t *turns) stream(ctx context.Context, limit int64, query func(context.Context, func(*value.Frame) error) error, yield func(*value.Frame, error) bool) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	t.mu.Lock()
	t.init()
	wake := context.AfterFunc(ctx, func() {
		t.mu.Lock()
		defer t.mu.Unlock()
		t.cond.Broadcast()
	})
	defer wake()
	t.waiting++
	t.cond.Broadcast()
	for t.running && ctx.Err() == nil {
		t.cond.Wait()
	}
	t.waiting--
	if err := ctx.Err(); err != nil {
		t.mu.Unlock()
		yield(nil, context.Cause(ctx))
		return
	}
	t.running = true
	t.active.Add(1)
	q := &queue{}
	t.mu.Unlock()
	go t.produce(ctx, q, limit, query)
	for {
		t.mu.Lock()
		for len(q.frames) == 0 && !q.done {
			t.cond.Wait()
		}
		if len(q.frames) == 0 {
			err := q.err
			t.mu.Unlock()
			if err != nil {
				yield(nil, err)
			}
			return
		}
		f := q.frames[0]
		q.frames = q.frames[1:]
		q.bytes -= frameBytes(f)
		t.cond.Broadcast()
		t.mu.Unlock()
		if !yield(f, nil) {
			t.stop(q)
			return
		}
	}
}

// stop ends a query whose reader wants no more, without spoiling the snapshot, and waits for its end.
func (t *turns) stop(q *queue) {
	t.mu.Lock()
	defer t.mu.Unlock()
	q.stopped, q.frames = true, nil
	t.cond.Broadcast()
	for !q.done {
		t.cond.Wait()
	}
}

func (t *turns) produce(ctx context.Context, q *queue, limit int64, query func(context.Context, func(*value.Frame) error) error) {
	defer t.active.Done()
	err := query(ctx, func(f *value.Frame) error {
		t.mu.Lock()
		defer t.mu.Unlock()
		for !q.stopped && ctx.Err() == nil && t.waiting == 0 && len(q.frames) >= ahead {
			t.cond.Wait()
		}
		if q.stopped {
			return errStop
		}
		q.bytes += frameBytes(f)
		if q.bytes > limit {
			return &exec.LimitError{What: "memory", Limit: limit}
		}
		q.frames = append(q.frames, f)
		t.cond.Broadcast()
		return nil
	})
	if errors.Is(err, errStop) {
		err = nil
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	q.err, q.done, t.running = err, true, false
	t.cond.Broadcast()
}

// close waits for the queries that still run.
func (t *turns) close() { t.active.Wait() }

func frameBytes(f *value.Frame) int64 {
	n := int64(64)
	for _, v := range f.Vecs {
		n += v.Bytes()
	}
	return n
}
