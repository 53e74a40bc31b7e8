package lake

import "sync"

// subscribers are told of commits by one goroutine, in order, without holding up the committer.
type subscribers struct {
	mu    sync.Mutex
	cond  *sync.Cond
	queue []Commit
	fs    map[int]func(Commit)
	next  int
	end   bool
	gone  chan struct{}
}

func (s *subscribers) init() {
	s.cond = sync.NewCond(&s.mu)
	s.fs = map[int]func(Commit){}
	s.gone = make(chan struct{})
}

// Subscribe has f told of each commit that adds rows, in order, from one goroutine; f must be quick. What was
// committed before a crash is not told again. The result unsubscribes.
func (l *Lake) Subscribe(f func(Commit)) (cancel func()) {
	s := &l.subs
	s.mu.Lock()
	defer s.mu.Unlock()
	id := s.next
	s.next++
	s.fs[id] = f
	return func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		delete(s.fs, id)
	}
}

func (s *subscribers) tell(c Commit) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.fs) > 0 {
		s.queue = append(s.queue, c)
		s.cond.Signal()
	}
}

func (s *subscribers) run() {
	defer close(s.gone)
	s.mu.Lock()
	defer s.mu.Unlock()
	for {
		for len(s.queue) == 0 {
			if s.end {
				return
			}
			s.cond.Wait()
		}
		c := s.queue[0]
		s.queue = s.queue[1:]
		var fs []func(Commit)
		for _, f := range s.fs {
			fs = append(fs, f)
		}
		s.mu.Unlock()
		for _, f := range fs {
			f(c)
		}
		s.mu.Lock()
	}
}

func (s *subscribers) stop() {
	s.mu.Lock()
	s.end = true
	s.cond.Signal()
	s.mu.Unlock()
	<-s.gone
}
