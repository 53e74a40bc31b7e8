package trip

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sort"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// LogOptions are the limits of a log; zero values take the defaults.
type LogOptions struct {
	FileBytes  int64         // a file is closed and the next begun beyond this size (default 64 MiB)
	FileAge    time.Duration // … or this age (default 1 h)
	QuotaBytes int64         // beyond this total, records keep only their counters (default 8 GiB)
	MaxBatch   int           // calls per fsync (default 1024)
}

func (o *LogOptions) defaults() {
	if o.FileBytes <= 0 {
		o.FileBytes = 64 << 20
	}
	if o.FileAge <= 0 {
		o.FileAge = time.Hour
	}
	if o.QuotaBytes <= 0 {
		o.QuotaBytes = 8 << 30
	}
	if o.MaxBatch <= 0 {
		o.MaxBatch = 1024
	}
}

// ErrClosed is returned by a closed log.
var ErrClosed = errors.New("trip log: closed")

// Log is the append-only log of trips in one folder: files trip-<16 hex>.log, in order. One process writes.
// Each [Log.Append] returns when its record is on the disk; calls that wait together share one fsync.
type Log struct {
	dir string
	opt LogOptions

	in     chan appendReq
	stop   chan struct{}
	done   chan struct{}
	closed atomic.Bool
	mu     sync.RWMutex // senders against Close

	seq     uint64
	f       *os.File
	size    int64
	broken  bool // a write failed: the file's end is unknown, the next batch needs a new file
	born    time.Time
	total   atomic.Int64 // bytes of all files, sampled at rotation and removal
	durable atomic.Pointer[Position]
	wake    atomic.Pointer[chan struct{}]

	fsyncs, records, noise, degraded atomic.Int64
}

type appendReq struct {
	rec   *Record // nil: a call to a token that isn't known; it waits for the disk like the others
	limit string  // not "": over a limit, may be folded into one record with its like
	done  chan error
}

// Position is a place in the log: a file's number and a byte offset in it.
type Position struct {
	File   uint64
	Offset int64
}

const fileMagic = "PKTTRIP1" // then the file's number, uint64 LE

const fileHead = 16

func fileName(seq uint64) string { return fmt.Sprintf("trip-%016x.log", seq) }

func parseFileName(n string) (uint64, bool) {
	if !strings.HasPrefix(n, "trip-") || !strings.HasSuffix(n, ".log") || len(n) != len(fileName(0)) {
		return 0, false
	}
	v, err := strconv.ParseUint(n[5:21], 16, 64)
	return v, err == nil
}

// OpenLog opens or creates the log in dir and begins a new file. What a crash left half written at the end of
// the last file was never acknowledged; readers skip it.
func OpenLog(dir string, opt LogOptions) (*Log, error) {
	opt.defaults()
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("trip log: %w", err)
	}
	files, err := logFiles(dir)
	if err != nil {
		return nil, err
	}
	l := &Log{dir: dir, opt: opt, in: make(chan appendReq, opt.MaxBatch), stop: make(chan struct{}), done: make(chan struct{})}
	ch := make(chan struct{})
	l.wake.Store(&ch)
	if len(files) > 0 {
		l.seq = files[len(files)-1]
	}
	if err := l.rotate(); err != nil {
		return nil, err
	}
	go l.run()
	return l, nil
}

// logFiles lists the numbers of the log's files in order.
func logFiles(dir string) ([]uint64, error) {
	es, err := os.ReadDir(dir)
	if err != nil {
		return nil, fmt.Errorf("trip log: %w", err)
	}
	var out []uint64
	for _, e := range es {
		if n, ok := parseFileName(e.Name()); ok && e.Type().IsRegular() {
			out = append(out, n)
		}
	}
	sort.Slice(out, func(i, j int) bool { return out[i] < out[j] })
	return out, nil
}

// rotate closes the current file and begins the next; file and folder are synced before it is used.
func (l *Log) rotate() error {
	seq := l.seq + 1
	p := filepath.Join(l.dir, fileName(seq))
	f, err := os.OpenFile(p, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return fmt.Errorf("trip log: begin file: %w", err)
	}
	h := binary.LittleEndian.AppendUint64([]byte(fileMagic), seq)
	if _, err = f.Write(h); err == nil {
		err = f.Sync()
	}
	if err == nil {
		err = syncDir(l.dir)
	}
	if err != nil {
		f.Close()
		os.Remove(p)
		return fmt.Errorf("trip log: begin file: %w", err)
	}
	if l.f != nil {
		l.f.Close() // every byte in it was synced
	}
	l.f, l.seq, l.size, l.born, l.broken = f, seq, fileHead, time.Now(), false
	l.sample()
	l.setDurable(Position{seq, fileHead})
	return nil
}

func (l *Log) sample() {
	var sum int64
	if es, err := os.ReadDir(l.dir); err == nil {
		for _, e := range es {
			if _, ok := parseFileName(e.Name()); ok {
				if i, err := e.Info(); err == nil {
					sum += i.Size()
				}
			}
		}
	}
	l.total.Store(sum)
}

func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer d.Close()
	return d.Sync()
}

func (l *Log) setDurable(p Position) {
	l.durable.Store(&p)
	next := make(chan struct{})
	old := l.wake.Swap(&next)
	close(*old)
}

// Durable is the position up to which everything is on the disk.
func (l *Log) Durable() Position { return *l.durable.Load() }

// Wait returns when the log has durable records after p, or with ctx's error.
func (l *Log) Wait(ctx context.Context, p Position) error {
	for {
		ch := *l.wake.Load()
		d := l.Durable()
		if d.File > p.File || d.File == p.File && d.Offset > p.Offset {
			return nil
		}
		select {
		case <-ch:
		case <-l.done:
			return ErrClosed
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// Append writes r and returns when it is durable. r.ID, r.Count are set when empty.
func (l *Log) Append(ctx context.Context, r *Record) error { return l.append(ctx, r, "") }

// AppendLimited is Append for a call over a limit: calls of one batch with the same token, source, channel and
// method become one record with their count and without headers or body. why names the limit.
func (l *Log) AppendLimited(ctx context.Context, r *Record, why string) error {
	return l.append(ctx, r, why)
}

// AppendNothing waits for the disk as Append does and keeps only a number: for calls to tokens that aren't known.
func (l *Log) AppendNothing(ctx context.Context) error { return l.append(ctx, nil, "") }

func (l *Log) append(ctx context.Context, r *Record, why string) error {
	q := appendReq{rec: r, limit: why, done: make(chan error, 1)}
	l.mu.RLock()
	if l.closed.Load() {
		l.mu.RUnlock()
		return ErrClosed
	}
	select {
	case l.in <- q:
		l.mu.RUnlock()
	case <-ctx.Done():
		l.mu.RUnlock()
		return ctx.Err()
	}
	return <-q.done // a queued record is written even if its caller has gone
}

func (l *Log) run() {
	defer close(l.done)
	batch := make([]appendReq, 0, l.opt.MaxBatch)
	var buf []byte
	for {
		batch = batch[:0]
		select {
		case q := <-l.in:
			batch = append(batch, q)
		case <-l.stop:
			for {
				select {
				case q := <-l.in:
					batch = append(batch, q)
					continue
				default:
				}
				break
			}
			if len(batch) > 0 {
				l.write(batch, buf[:0])
			}
			l.f.Close()
			return
		}
	more:
		for len(batch) < l.opt.MaxBatch {
			select {
			case q := <-l.in:
				batch = append(batch, q)
			default:
				break more
			}
		}
		buf = l.write(batch, buf[:0])
		if l.broken {
			continue // the next batch begins a new file
		}
		if l.size > l.opt.FileBytes || time.Since(l.born) > l.opt.FileAge && l.size > fileHead {
			if err := l.rotate(); err == nil {
				continue
			} // else keep writing to the old file; the next batch tries again
		}
	}
}

// foldKey says which calls over a limit are counted together.
type foldKey struct{ token, src, channel, method, why string }

// noiseToken marks the record of calls to unknown tokens; readers skip it.
const noiseToken = ""

func (l *Log) write(batch []appendReq, buf []byte) []byte {
	fold := map[foldKey]*Record{}
	var order []*Record
	unknown := 0
	over := l.total.Load()+(l.size-fileHead) > l.opt.QuotaBytes
	for _, q := range batch {
		if q.rec == nil {
			unknown++
			continue
		}
		r := q.rec
		if r.ID == "" {
			r.ID = newID()
		}
		if r.Count == 0 {
			r.Count = 1
		}
		why := q.limit
		if why == "" && over {
			why = "disk"
		}
		if why == "" {
			order = append(order, r)
			continue
		}
		k := foldKey{r.Token, r.SrcIP, r.Channel, r.Method, why}
		if p := fold[k]; p != nil {
			p.Count += r.Count
			continue
		}
		c := *r
		c.Headers, c.Body, c.Args, c.Degraded = nil, nil, nil, why
		fold[k] = &c
		order = append(order, &c)
		l.degraded.Add(1)
	}
	if unknown > 0 {
		order = append(order, &Record{Token: noiseToken, Count: unknown})
		l.noise.Add(int64(unknown))
	}
	var err error
	for _, r := range order {
		if buf, err = appendFrame(buf, r); err != nil {
			// only a record over maxRecord can fail, and the server's limits are far below: keep its skeleton
			r.Headers, r.Args, r.Body, r.Path, r.Truncated = nil, nil, nil, "", true
			if buf, err = appendFrame(buf, r); err != nil {
				break
			}
		}
	}
	if err == nil && l.broken {
		err = l.rotate()
	}
	start := l.size
	if err == nil {
		if _, err = l.f.Write(buf); err == nil {
			err = l.f.Sync()
			l.fsyncs.Add(1)
		}
		l.broken = err != nil
	}
	if err != nil {
		err = fmt.Errorf("trip log: append: %w", err)
	} else {
		l.size = start + int64(len(buf))
		l.records.Add(int64(len(order)))
		l.setDurable(Position{l.seq, l.size})
	}
	for _, q := range batch {
		q.done <- err
	}
	return buf
}

// Close writes what is queued and closes the log.
func (l *Log) Close() error {
	l.mu.Lock()
	was := l.closed.Swap(true)
	l.mu.Unlock()
	if !was {
		close(l.stop)
	}
	<-l.done
	return nil
}

// Stats are counters since the log was opened.
type Stats struct {
	Records  int64 // records written
	Fsyncs   int64 // disk syncs
	Unknown  int64 // calls to tokens that aren't known
	Degraded int64 // records that stand for calls over a limit
	Bytes    int64 // size of all files, sampled
}

// Stats returns the counters.
func (l *Log) Stats() Stats {
	return Stats{l.records.Load(), l.fsyncs.Load(), l.noise.Load(), l.degraded.Load(), l.total.Load()}
}
