package exec

import (
	"fmt"
	"picket/kql/plan"
	"picket/kql/value"
)

// scanSteps is the scan operator. Each row meets the steps from the last to the first. A step matches when its
// condition holds and either the step before it has a sequence (which then moves here), or the step has one itself
// or is the first (then its row in the sequence is replaced). A sequence remembers one row for each of its steps.
func (x *run) scanSteps(n *plan.ScanSteps) (batches, error) {
	in, err := x.build(n.Input)
	if err != nil {
		return nil, err
	}
	cols := n.Input.Cols()
	s := &scanner{x: x, n: n, width: len(cols) + len(n.Declared)}
	s.cols = append(s.cols, cols...)
	for _, d := range n.Declared {
		v, err := x.constant(d.Expr)
		if err != nil {
			return nil, err
		}
		if v.Type != d.Col.Type {
			c, ok := convertVector(value.ConstOf(v, 1), d.Col.Type)
			if !ok {
				return nil, fmt.Errorf("BUG: the default of %s is %s, not %s", d.Col.Name, v.Type, d.Col.Type)
			}
			v = c.At(0)
		}
		s.cols = append(s.cols, d.Col)
		s.defaults = append(s.defaults, v)
	}
	all := append([]plan.Col(nil), s.cols...)
	for _, st := range n.Steps {
		if len(st.State) != s.width {
			return nil, fmt.Errorf("BUG: step %s of scan remembers %d columns, not %d", st.Name, len(st.State), s.width)
		}
		all = append(all, st.State...)
	}
	s.all = all
	l := layoutOf(all)
	declared := layoutOf(s.cols)
	for _, st := range n.Steps {
		c := scanStep{output: st.Output, optional: st.Optional}
		seen := map[int]bool{}
		note := func(e plan.Expr) {
			refs(e, func(id plan.ColID) {
				if at, ok := l[id]; ok && !seen[at] {
					seen[at] = true
					c.reads = append(c.reads, at)
				}
			})
		}
		note(st.Cond)
		if c.cond, err = x.compile(st.Cond, l); err != nil {
			return nil, err
		}
		if c.cond.window {
			return nil, invalid(st.Cond.Pos(), "window functions can't stand in a step of scan; refer to a step's earlier row as %s.column", st.Name)
		}
		c.alone = !c.cond.volatile
		for _, at := range c.reads {
			c.alone = c.alone && at < len(cols)
		}
		for _, a := range st.Assign {
			note(a.Expr)
			e, err := x.compile(a.Expr, l)
			if err != nil {
				return nil, err
			}
			if e.window {
				return nil, invalid(a.Expr.Pos(), "window functions can't stand in a step of scan; refer to a step's earlier row as %s.column", st.Name)
			}
			at, ok := declared[a.Col]
			if !ok {
				return nil, fmt.Errorf("BUG: step %s of scan assigns column %d, which isn't declared", st.Name, a.Col)
			}
			c.assign = append(c.assign, scanAssign{at: at, e: e})
		}
		s.steps = append(s.steps, c)
	}
	made := s.cols
	if n.MatchID.ID != 0 {
		made = append(made[:len(made):len(made)], n.MatchID)
	}
	if s.from, err = picks("scan", n.Out, made, nil); err != nil {
		return nil, err
	}
	inLayout := layoutOf(cols)
	if s.keys, err = x.compileAll(n.PartitionBy, inLayout); err != nil {
		return nil, err
	}
	if s.order, _, err = x.compileSort(n.OrderBy, inLayout); err != nil {
		return nil, err
	}
	return func(yield func(*batch, error) bool) {
		b, done, err := x.all(in, cols)
		defer func() { done() }()
		if err == nil {
			r := *s
			err = r.run(b, yield)
		}
		if err != nil {
			yield(nil, err)
		}
	}, nil
}

func (x *run) compileAll(es []plan.Expr, l layout) ([]*expr, error) {
	out := make([]*expr, len(es))
	for i, e := range es {
		c, err := x.compile(e, l)
		if err != nil {
			return nil, err
		}
		out[i] = c
	}
	return out, nil
}

type scanAssign struct {
	at int
	e  *expr
}

type scanStep struct {
	output   plan.StepOutput
	optional bool
	cond     *expr
	assign   []scanAssign
	reads    []int // places in scanner.all that the condition and the assignments look at
	alone    bool  // the condition looks at the row only: it is computed for all rows at once
}

type scanner struct {
	x        *run
	n        *plan.ScanSteps
	cols     []plan.Col // input, declared
	all      []plan.Col // input, declared, the state of each step
	width    int
	defaults []value.Value
	steps    []scanStep
	from     []int
	keys     []*expr
	order    []sortKey

	out     *batch
	matches int64
	current int32    // the row that is looked at
	holds   [][]bool // of each step whose condition stands alone: for which rows it holds
}

// sequence is a match under way: the row that each step took, nil for none yet.
type sequence struct {
	id      int64
	rows    [][]value.Value
	pending []value.Value // the row that output=last holds back
}

func (s *scanner) run(b *batch, yield func(*batch, error) bool) error {
	idx, err := s.x.order(b, s.order)
	if err != nil {
		return err
	}
	var items []plan.Item
	for _, k := range s.keys {
		items = append(items, plan.Item{Col: plan.Col{Type: k.t}})
	}
	g := newGrouper(items)
	ids, err := g.assign(b, s.keys)
	if err != nil {
		return err
	}
	parts := [][]int32{idx}
	if len(s.keys) > 0 {
		parts = make([][]int32, g.n)
		for _, i := range idx {
			parts[ids[i]] = append(parts[ids[i]], i)
		}
	}
	if err := s.conditions(b); err != nil {
		return err
	}
	s.out = emptyBatch(s.n.Out)
	for _, rows := range parts {
		states := make([]*sequence, len(s.steps))
		for k, i := range rows {
			if k%256 == 0 {
				if err := s.x.step(256 * len(s.steps)); err != nil {
					return err
				}
			}
			s.current = i
			row := make([]value.Value, s.width)
			for c, v := range b.vecs {
				row[c] = v.At(int(i))
			}
			if err := s.row(row, states); err != nil {
				return err
			}
			if s.out.n >= chunk {
				if !yield(s.out, nil) {
					return nil
				}
				s.out = emptyBatch(s.n.Out)
			}
		}
		for k := len(states) - 1; k >= 0; k-- {
			s.flush(states[k])
		}
	}
	if s.out.n > 0 {
		yield(s.out, nil)
	}
	return nil
}

// conditions computes those of the steps' conditions that need no state.
func (s *scanner) conditions(b *batch) error {
	s.holds = make([][]bool, len(s.steps))
	wide := &batch{n: b.n, vecs: make([]*value.Vector, len(s.all))}
	copy(wide.vecs, b.vecs)
	for k, st := range s.steps {
		if !st.alone {
			continue
		}
		v, err := st.cond.eval(wide)
		if err != nil {
			return err
		}
		s.holds[k] = make([]bool, b.n)
		for i := range s.holds[k] {
			s.holds[k][i] = !v.IsNull(i) && v.I[v.Idx(i)] != 0
		}
	}
	return nil
}

// row runs one input row against all steps.
func (s *scanner) row(row []value.Value, states []*sequence) error {
	for k := len(s.steps) - 1; k >= 0; k-- {
		prev := -1
		for j := k - 1; j >= 0; j-- {
			if states[j] != nil {
				prev = j
				break
			}
			if !s.steps[j].optional {
				break
			}
		}
		if prev >= 0 {
			ext, ok, err := s.match(k, row, states[prev])
			if err != nil {
				return err
			}
			if ok {
				s.flush(states[k])
				seq := states[prev]
				s.flush(seq)
				states[prev] = nil
				states[k] = seq
				seq.rows[k] = ext
				s.emit(k, seq, ext)
				continue
			}
		}
		if states[k] == nil && k != 0 {
			continue
		}
		ext, ok, err := s.match(k, row, states[k])
		if err != nil {
			return err
		}
		if !ok {
			continue
		}
		if states[k] == nil {
			states[k] = &sequence{id: s.matches, rows: make([][]value.Value, len(s.steps))}
			s.matches++
		}
		states[k].rows[k] = ext
		s.emit(k, states[k], ext)
	}
	return nil
}

// match evaluates step k for a row in the light of a sequence (nil: none) and gives the extended row.
func (s *scanner) match(k int, row []value.Value, seq *sequence) (ext []value.Value, ok bool, err error) {
	alone := s.holds[k] != nil
	if alone && !s.holds[k][s.current] {
		return nil, false, nil
	}
	b := &batch{n: 1, vecs: make([]*value.Vector, len(s.all))}
	ext = append([]value.Value(nil), row...)
	copy(ext[s.width-len(s.defaults):], s.defaults)
	declared := s.width - len(s.defaults) // place of the first declared column
	for _, at := range s.steps[k].reads {
		j, c := at/s.width-1, at%s.width
		switch {
		case j < 0:
			b.vecs[at] = value.ConstOf(ext[c], 1)
		case seq != nil && seq.rows[j] != nil:
			b.vecs[at] = value.ConstOf(seq.rows[j][c], 1)
		case c >= declared:
			b.vecs[at] = value.ConstOf(s.defaults[c-declared], 1)
		default:
			b.vecs[at] = value.Nulls(s.all[at].Type, 1)
		}
	}
	if !alone {
		v, err := s.steps[k].cond.eval(b)
		if err != nil || v.IsNull(0) || v.I[0] == 0 {
			return nil, false, err
		}
	}
	for _, a := range s.steps[k].assign {
		v, err := a.e.eval(b)
		if err != nil {
			return nil, false, err
		}
		if v.Type != s.cols[a.at].Type {
			c, ok := convertVector(v, s.cols[a.at].Type)
			if !ok {
				return nil, false, fmt.Errorf("BUG: scan assigns %s to %s, which is %s", v.Type, s.cols[a.at].Name, s.cols[a.at].Type)
			}
			v = c
		}
		ext[a.at] = v.At(0)
		// Later assignments of the step see the new value.
		b.vecs[a.at] = value.ConstOf(ext[a.at], 1)
	}
	return ext, true, nil
}

func (s *scanner) emit(k int, seq *sequence, ext []value.Value) {
	switch s.steps[k].output {
	case plan.StepAll:
		s.put(seq, ext)
	case plan.StepLast:
		seq.pending = ext
	}
}

// flush gives out what output=last held back in a sequence that leaves its step.
func (s *scanner) flush(seq *sequence) {
	if seq != nil && seq.pending != nil {
		s.put(seq, seq.pending)
		seq.pending = nil
	}
}

func (s *scanner) put(seq *sequence, ext []value.Value) {
	row := append(ext[:len(ext):len(ext)], value.OfLong(seq.id))
	for c, at := range s.from {
		v := s.out.vecs[c]
		v.Grow(v.N + 1)
		v.Set(v.N-1, row[at])
	}
	s.out.n++
}
