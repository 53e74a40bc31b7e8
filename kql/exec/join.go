package exec

import (
	"fmt"
	"picket/kql/plan"
	"picket/kql/value"
)

// join is a hash join: the right side is held, the left streams. null keys match each other. A side's missing
// row is null ("" for strings).
func (x *run) join(n *plan.Join) (batches, error) {
	left, err := x.build(n.Left)
	if err != nil {
		return nil, err
	}
	right, err := x.build(n.Right)
	if err != nil {
		return nil, err
	}
	lcols, rcols := n.Left.Cols(), n.Right.Cols()
	ll, rl := layoutOf(lcols), layoutOf(rcols)
	lk, rk := make([]*expr, len(n.On)), make([]*expr, len(n.On))
	common := make([]value.Type, len(n.On))
	window := [2]bool{}
	for i, on := range n.On {
		if lk[i], err = x.compile(on.L, ll); err != nil {
			return nil, err
		}
		if rk[i], err = x.compile(on.R, rl); err != nil {
			return nil, err
		}
		window[0], window[1] = window[0] || lk[i].window, window[1] || rk[i].window
		t, ok := commonType(lk[i].t, rk[i].t)
		if !ok {
			return nil, notSupported(n.At, "a join on %s and %s is not supported; convert one side", lk[i].t, rk[i].t)
		}
		common[i] = t
	}
	if window[0] {
		left = x.whole(left, lcols)
	}
	if window[1] {
		right = x.whole(right, rcols)
	}
	j := &joiner{x: x, n: n, common: common, lk: lk, rk: rk, lcols: lcols, rcols: rcols}
	for _, c := range n.Out {
		if at, ok := ll[c.ID]; ok {
			j.out = append(j.out, at)
		} else if at, ok := rl[c.ID]; ok {
			j.out = append(j.out, -1-at)
		} else {
			return nil, fmt.Errorf("BUG: the join gives column %s (%d), which no side has", c.Name, c.ID)
		}
	}
	j.lookup = j.isLookup(rl)
	return func(yield func(*batch, error) bool) {
		run := *j
		run.run(left, right, yield)
	}, nil
}

type joiner struct {
	x            *run
	n            *plan.Join
	common       []value.Type
	lk, rk       []*expr
	lcols, rcols []plan.Col
	out          []int // place in the left side, or -1-place in the right

	lookup bool // the plan of a lookup: its matches come out last row first, as in the service

	right *batch
	first map[string]int32 // key → first row of the right side
	next  []int32          // row → next row with the same key, -1 at the end
	hit   []bool           // right rows that matched
}

// isLookup recognizes lookup's plan: an outer or inner join that drops the right keys.
func (j *joiner) isLookup(right layout) bool {
	if j.n.Kind != plan.LeftOuter && j.n.Kind != plan.Inner {
		return false
	}
	for _, on := range j.n.On {
		r, ok := on.R.(*plan.ColRef)
		if !ok {
			return false
		}
		for _, c := range j.n.Out {
			if c.ID == r.ID {
				return false
			}
		}
	}
	return len(j.n.On) > 0
}

func (j *joiner) keys(b *batch, es []*expr) ([]*value.Vector, error) {
	vs := make([]*value.Vector, len(es))
	for i, e := range es {
		v, err := e.eval(b)
		if err != nil {
			return nil, err
		}
		if v.Type != j.common[i] {
			c, ok := convertVector(v, j.common[i])
			if !ok {
				return nil, fmt.Errorf("BUG: join key of type %s is not %s", v.Type, j.common[i])
			}
			v = c
		}
		vs[i] = v
	}
	return vs, nil
}

func appendKeys(dst []byte, vs []*value.Vector, i int) []byte {
	for _, v := range vs {
		dst = value.AppendKey(dst, v, i)
	}
	return dst
}

func (j *joiner) run(left, right batches, yield func(*batch, error) bool) {
	x := j.x
	b, done, err := x.all(right, j.rcols)
	defer func() { done() }()
	if err != nil {
		yield(nil, err)
		return
	}
	j.right = b
	held := int64(b.n) * 64
	defer func() { x.release(held) }()
	if err := x.hold(held); err != nil {
		yield(nil, err)
		return
	}
	if err := j.index(); err != nil {
		yield(nil, err)
		return
	}
	kind := j.n.Kind
	marks := kind == plan.RightOuter || kind == plan.FullOuter || kind == plan.RightSemi || kind == plan.RightAnti
	if marks {
		j.hit = make([]bool, b.n)
	}
	var seen map[string]struct{} // innerunique: any left row of a key is right; it takes the first
	if kind == plan.InnerUnique {
		seen = map[string]struct{}{}
	}
	var key []byte
	p := &pairs{j: j, yield: yield}
	for lb, err := range left {
		if err == nil {
			err = x.tick()
		}
		var vs []*value.Vector
		if err == nil {
			vs, err = j.keys(lb, j.lk)
		}
		if err != nil {
			yield(nil, err)
			return
		}
		p.left = lb
		for i := 0; i < lb.n; i++ {
			key = appendKeys(key[:0], vs, i)
			if seen != nil {
				if _, dup := seen[string(key)]; dup {
					continue
				}
				seen[string(key)] = struct{}{}
				if err := x.hold(int64(len(key)) + 48); err != nil {
					yield(nil, err)
					return
				}
				held += int64(len(key)) + 48
			}
			r, ok := j.first[string(key)]
			switch kind {
			case plan.LeftSemi:
				if ok {
					p.add(i, -1)
				}
			case plan.LeftAnti:
				if !ok {
					p.add(i, -1)
				}
			default:
				if !ok {
					if kind == plan.LeftOuter || kind == plan.FullOuter {
						p.add(i, -1)
					}
					break
				}
				for ; r >= 0; r = j.next[r] {
					if marks {
						j.hit[r] = true
					}
					if kind != plan.RightSemi && kind != plan.RightAnti {
						if !p.add(i, r) {
							return
						}
					}
				}
			}
			if p.stop {
				return
			}
		}
		if !p.flush() {
			return
		}
	}
	if !marks || kind == plan.RightOuter || kind == plan.FullOuter || kind == plan.RightAnti || kind == plan.RightSemi {
		j.rest(p, kind)
	}
}

// index builds the hash table of the right side.
func (j *joiner) index() error {
	vs, err := j.keys(j.right, j.rk)
	if err != nil {
		return err
	}
	j.first = make(map[string]int32, j.right.n)
	j.next = make([]int32, j.right.n)
	last := make(map[string]int32, 0)
	var key []byte
	for i := 0; i < j.right.n; i++ {
		if i%chunk == 0 {
			if err := j.x.tick(); err != nil {
				return err
			}
		}
		j.next[i] = -1
		key = appendKeys(key[:0], vs, i)
		head, ok := j.first[string(key)]
		if !ok || j.lookup {
			if ok {
				j.next[i] = head
			}
			j.first[string(key)] = int32(i)
			continue
		}
		tail, ok := last[string(key)]
		if !ok {
			tail = j.first[string(key)]
		}
		j.next[tail] = int32(i)
		last[string(key)] = int32(i)
	}
	return nil
}

// rest gives the right rows that the kind asks for after the left side ended.
func (j *joiner) rest(p *pairs, kind plan.JoinKind) {
	want := false
	switch kind {
	case plan.RightOuter, plan.FullOuter, plan.RightAnti:
	case plan.RightSemi:
		want = true
	default:
		return
	}
	p.left = nil
	for r, hit := range j.hit {
		if hit == want && !p.add(-1, int32(r)) {
			return
		}
	}
	p.flush()
}

// pairs collects matches and hands them on in chunks.
type pairs struct {
	j     *joiner
	yield func(*batch, error) bool
	left  *batch
	l, r  []int32
	stop  bool
}

func (p *pairs) add(l int, r int32) bool {
	p.l, p.r = append(p.l, int32(l)), append(p.r, r)
	if len(p.l) >= chunk {
		return p.flush()
	}
	return true
}

func (p *pairs) flush() bool {
	if p.stop || len(p.l) == 0 {
		return !p.stop
	}
	if err := p.j.x.step(len(p.l)); err != nil {
		p.stop = true
		p.yield(nil, err)
		return false
	}
	out := &batch{n: len(p.l), vecs: make([]*value.Vector, len(p.j.out))}
	for c, at := range p.j.out {
		switch {
		case at < 0:
			out.vecs[c] = value.Gather(p.j.right.vecs[-1-at], p.r)
		case p.left == nil:
			out.vecs[c] = value.Nulls(p.j.lcols[at].Type, out.n)
		default:
			out.vecs[c] = value.Gather(p.left.vecs[at], p.l)
		}
	}
	p.l, p.r = p.l[:0], p.r[:0]
	if !p.yield(out, nil) {
		p.stop = true
		return false
	}
	return true
}
