package files

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"runtime"
	"sync"
	"sync/atomic"
)

const blockBytes = 512 << 10

// block is a run of whole rows of one file.
type block struct {
	in    *input
	data  []byte
	line  int  // of the first byte, from 1
	first bool // of the file
	rows  []span
}

// span is where a row of a JSON block lies and on which line it begins.
type span struct{ from, to, line int }

// rowError is an error with its place in a file.
type rowError struct {
	path string
	line int
	err  error
}

func (e *rowError) Error() string { return fmt.Sprintf("%s:%d: %v", e.path, e.line, e.err) }
func (e *rowError) Unwrap() error { return e.err }

// cutter finds the end of the last whole row in data: rows may be noted on the way. It gets the same bytes again,
// with more behind them, when there is no end yet. last says that no more will come.
type cutter interface {
	cut(data []byte, line int, last bool) (end int, rows []span, err error)
}

// blocks reads a text file in runs of whole rows.
func blocks(in *input, c cutter, count *atomic.Int64, emit func(*block) bool) error {
	r, closer, err := openText(in.path, in.size, count)
	if err != nil {
		return err
	}
	defer closer()
	line, first := 1, true
	var rest []byte
	want := blockBytes
	for {
		buf := make([]byte, len(rest), max(want, len(rest)*2))
		copy(buf, rest)
		n, err := io.ReadFull(r, buf[len(buf):cap(buf)])
		buf = buf[:len(buf)+n]
		last := err == io.EOF || err == io.ErrUnexpectedEOF
		if err != nil && !last {
			return &rowError{in.path, line + bytes.Count(buf, []byte{'\n'}), fmt.Errorf("read: %w", err)}
		}
		end, rows, err := c.cut(buf, line, last)
		if err != nil {
			if re, ok := err.(*rowError); ok {
				re.path = in.path
			}
			return err
		}
		if end == 0 && !last {
			if len(buf) > MaxRowBytes {
				return &rowError{in.path, line, fmt.Errorf("the row is longer than %d bytes", MaxRowBytes)}
			}
			rest, want = buf, 2*len(buf)
			continue
		}
		if end > 0 {
			b := &block{in: in, data: buf[:end:end], line: line, first: first, rows: rows}
			first = false
			if !emit(b) {
				return nil
			}
			line += bytes.Count(buf[:end], []byte{'\n'})
		}
		if last {
			return nil
		}
		rest, want = buf[end:], blockBytes
	}
}

// ndjsonCutter takes every line that isn't blank as a row.
type ndjsonCutter struct{}

func (ndjsonCutter) cut(data []byte, line int, last bool) (int, []span, error) {
	end := len(data)
	if !last {
		end = bytes.LastIndexByte(data, '\n') + 1
	}
	rows := make([]span, 0, 1024)
	for i := 0; i < end; {
		n := bytes.IndexByte(data[i:end], '\n')
		stop := end
		if n >= 0 {
			stop = i + n
		}
		if len(bytes.TrimSpace(data[i:stop])) > 0 {
			if stop-i > MaxRowBytes {
				return 0, nil, &rowError{line: line, err: fmt.Errorf("the row is longer than %d bytes", MaxRowBytes)}
			}
			rows = append(rows, span{i, stop, line})
		}
		line++
		i = stop + 1
	}
	return end, rows, nil
}

// csvCutter ends a block at a line end outside quotes.
type csvCutter struct{}

func (csvCutter) cut(data []byte, _ int, last bool) (int, []span, error) {
	if last {
		return len(data), nil, nil
	}
	// Quotes come in pairs within a record, so a line end is a record's end when the quotes before it are even.
	end, even := 0, true
	for i, c := range data {
		switch c {
		case '"':
			even = !even
		case '\n':
			if even {
				end = i + 1
			}
		}
	}
	return end, nil, nil
}

// pipeline runs work on blocks in parallel and hands on what it gave in the order of the blocks.
func pipeline[T any](ctx context.Context, read func(emit func(*block) bool) error, work func(*block) (T, error), out func(T) bool) error {
	ctx, cancel := context.WithCancel(ctx)
	type result struct {
		v   T
		err error
	}
	type job struct {
		b    *block
		done chan result
	}
	workers := min(4, runtime.GOMAXPROCS(0))
	jobs, order := make(chan job), make(chan job, 2*workers)
	var wg sync.WaitGroup
	defer wg.Wait()
	defer cancel()
	for range workers {
		wg.Go(func() {
			for j := range jobs {
				v, err := work(j.b)
				j.done <- result{v, err}
			}
		})
	}
	var readErr error
	wg.Go(func() {
		defer close(order)
		defer close(jobs)
		readErr = read(func(b *block) bool {
			j := job{b, make(chan result, 1)}
			select {
			case order <- j:
			case <-ctx.Done():
				return false
			}
			select {
			case jobs <- j:
			case <-ctx.Done():
				close(j.done)
				return false
			}
			return true
		})
	})
	for j := range order {
		r, ok := <-j.done
		if !ok {
			break
		}
		if r.err != nil {
			return r.err
		}
		if !out(r.v) {
			return nil
		}
	}
	if err := ctx.Err(); err != nil {
		return context.Cause(ctx)
	}
	return readErr
}
