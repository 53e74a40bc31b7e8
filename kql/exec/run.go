package exec

import (
	"context"
	"fmt"
	"iter"
	"picket/kql/eval"
	"picket/kql/plan"
	"picket/kql/value"
)

// chunk is the number of rows that operators hand on at once where they choose.
const chunk = 4096

// batch is n rows: one vector for each column of the node that made it, in the order of its Cols. Vectors and
// what they hold are not changed after a batch was handed on.
type batch struct {
	n    int
	vecs []*value.Vector
}

func (b *batch) slice(from, to int) *batch {
	out := &batch{n: to - from, vecs: make([]*value.Vector, len(b.vecs))}
	for i, v := range b.vecs {
		out.vecs[i] = v.Slice(from, to)
	}
	return out
}

func (b *batch) gather(rows []int32) *batch {
	out := &batch{n: len(rows), vecs: make([]*value.Vector, len(b.vecs))}
	for i, v := range b.vecs {
		out.vecs[i] = value.Gather(v, rows)
	}
	return out
}

func (b *batch) bytes() int64 {
	n := int64(64)
	for _, v := range b.vecs {
		n += v.Bytes()
	}
	return n
}

// batches is an operator's output. Each iteration runs the operator anew: what it needs while running is made
// inside the iteration, so that a sub-plan can be run once for each row.
type batches = iter.Seq2[*batch, error]

// run is one evaluation of a query.
type run struct {
	ctx context.Context
	q   *plan.Query
	src Source
	opt Options
	ev  *eval.Ctx

	rows    map[int]*batch      // what Correlated leaves read, by ID
	outer   map[int]value.Value // the key of the part that a Partition is at, by ID
	shared  map[int][]*batch    // shared sub-plans that were computed
	scalars map[*plan.ScalarSub]*value.Vector
	sets    map[*plan.InSub]*inSet

	received bool // some table that was built has the column that ingestion_time() reads

	held, steps       int64
	depth             int
	outRows, outBytes int64
}

// maxDepth bounds the nesting of a plan.
const maxDepth = 1000

// tick reports a cancelled or timed out context.
func (x *run) tick() error {
	if x.ctx.Err() != nil {
		return fmt.Errorf("query stopped: %w", context.Cause(x.ctx))
	}
	return nil
}

// step charges n units of work and looks at the context.
func (x *run) step(n int) error {
	x.steps += int64(n)
	if x.steps > x.opt.MaxSteps {
		return &LimitError{What: "steps", Limit: x.opt.MaxSteps}
	}
	return x.tick()
}

// hold charges bytes that an operator keeps; release gives them back.
func (x *run) hold(n int64) error {
	x.held += n
	if x.held > x.opt.MemoryLimit {
		return &LimitError{What: "memory", Limit: x.opt.MemoryLimit}
	}
	return nil
}

func (x *run) release(n int64) { x.held -= n }

// build compiles a node. Errors of the plan come from build, errors of the data from the iteration.
func (x *run) build(n plan.Node) (batches, error) {
	x.depth++
	defer func() { x.depth-- }()
	if x.depth > maxDepth {
		return nil, &LimitError{What: "nested operators", Limit: maxDepth}
	}
	if err := x.tick(); err != nil {
		return nil, err
	}
	switch n := n.(type) {
	case *plan.Scan:
		return x.scan(n)
	case *plan.Values:
		return x.values(n)
	case *plan.Range:
		return x.rangeOp(n)
	case *plan.Filter:
		return x.filter(n)
	case *plan.Project:
		return x.project(n)
	case *plan.Summarize:
		return x.summarize(n)
	case *plan.Sort:
		return x.sort(n)
	case *plan.Top:
		return x.top(n)
	case *plan.Take:
		return x.take(n)
	case *plan.Sample:
		return x.sample(n)
	case *plan.SampleDistinct:
		return x.sampleDistinct(n)
	case *plan.Join:
		return x.join(n)
	case *plan.Union:
		return x.union(n)
	case *plan.MvExpand:
		return x.mvExpand(n)
	case *plan.MvApply:
		return x.mvApply(n)
	case *plan.Correlated:
		return x.correlated(n)
	case *plan.Partition:
		return x.partition(n)
	case *plan.Serialize:
		return x.build(n.Input)
	case *plan.Consume:
		return x.consume(n)
	case *plan.ExternalRel:
		return x.externalRel(n)
	case *plan.SharedRef:
		return x.sharedRef(n)
	case *plan.ExternalData:
		return x.externalData(n)
	case *plan.Evaluate:
		return x.evaluate(n)
	case *plan.Parse:
		return x.parse(n)
	case *plan.ParseKv:
		return x.parseKv(n)
	case *plan.MakeSeries:
		return x.makeSeries(n)
	case *plan.ScanSteps:
		return x.scanSteps(n)
	case *plan.TopNested:
		return x.topNested(n)
	case *plan.TopHitters:
		return x.topHitters(n)
	case *plan.Reduce:
		return x.reduce(n)
	case *plan.GraphMatch:
		return x.graphMatch(n)
	case *plan.GraphShortestPaths:
		return x.graphShortestPaths(n)
	case *plan.GraphToTable:
		return x.graphToTable(n)
	}
	return nil, notSupported(plan.Span{}, "the operator %T can't be run here", n)
}

// all runs the input and holds its rows in one batch, whose size is charged; done gives it back.
func (x *run) all(in batches, cols []plan.Col) (b *batch, done func(), err error) {
	b = &batch{vecs: make([]*value.Vector, len(cols))}
	for i, c := range cols {
		b.vecs[i] = value.New(c.Type, 0)
	}
	var size int64
	done = func() { x.release(size); size = 0 }
	first := true
	for in, err := range in {
		if err == nil {
			err = x.tick()
		}
		if err == nil {
			n := in.bytes()
			size += n
			err = x.hold(n)
		}
		if err != nil {
			done()
			return nil, func() {}, err
		}
		if in.n == 0 {
			continue
		}
		if first && b.n == 0 {
			// The first batch is kept as it is; it is copied when a second one comes.
			b, first = &batch{n: in.n, vecs: append([]*value.Vector(nil), in.vecs...)}, false
			continue
		}
		if !first {
			own := make([]*value.Vector, len(b.vecs))
			for i, v := range b.vecs {
				own[i] = value.New(cols[i].Type, 0)
				own[i].AppendVector(v)
			}
			b.vecs, first = own, true
		}
		for i, v := range in.vecs {
			b.vecs[i].AppendVector(v)
		}
		b.n += in.n
	}
	return b, done, nil
}

// emit hands b on in chunks.
func emit(yield func(*batch, error) bool, b *batch) bool {
	if b.n <= 2*chunk {
		return b.n == 0 || yield(b, nil)
	}
	for at := 0; at < b.n; at += chunk {
		if !yield(b.slice(at, min(at+chunk, b.n)), nil) {
			return false
		}
	}
	return true
}

// emitRows hands on the rows of b that idx names, in that order, in chunks.
func (x *run) emitRows(yield func(*batch, error) bool, b *batch, idx []int32) bool {
	for at := 0; at < len(idx); at += chunk {
		if err := x.tick(); err != nil {
			return yield(nil, err)
		}
		if !yield(b.gather(idx[at:min(at+chunk, len(idx))]), nil) {
			return false
		}
	}
	return true
}

// layout maps column ids to places in a batch. The id 0, which no column has, stands for the column that
// ingestion_time() reads.
type layout map[plan.ColID]int

// receivedColumn is the column of a table that holds when a row was taken in.
const receivedColumn = "_TimeReceived"

func layoutOf(cols []plan.Col) layout {
	l := make(layout, len(cols))
	for i, c := range cols {
		l[c.ID] = i
		if c.Name == receivedColumn && c.Type == value.Datetime {
			l[0] = i
		}
	}
	return l
}
