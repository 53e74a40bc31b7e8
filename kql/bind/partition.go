package bind

import (
	"picket/kql/plan"
	"picket/kql/syntax"
)

func (b *binder) partitionOp(in *table, x *syntax.PartitionOp) *table {
	b.queryParams(x.Params, paramsPartition)
	key := b.scalarExpr(x.By)
	if key.kind != opErr && b.wantColumn(&key, x.By) {
		b.wantNotDynamic(&key, x.By)
	}
	if x.In != nil {
		b.fail(x.In.Range(), syntax.CodeNotSupported, "partition … in is not supported")
	}
	in.cols = append([]*column(nil), in.cols...) // what the sub-query infers isn't the input's
	node := &plan.Partition{Input: b.solid(in), Key: key.expr(), ID: b.subID(), Strategy: word(x.Params, "hint.strategy")}
	leaf := in.like(&plan.Correlated{ID: node.ID, Out: planCols(in.cols)}, in.cols)
	var sub *table
	if x.Braces {
		// a whole query, which sees the key as a value
		b.inner(func() {
			if key.col != nil {
				b.local.add(&symbol{name: key.col.Name, op: operand{kind: opScalar, t: key.col.t, e: &plan.OuterRef{ID: node.ID, T: key.col.Type}, isConst: true}})
			}
			b.outside(func() { sub = b.tableExpr(x.Sub) })
		})
	} else {
		b.inner(func() {
			if key.col != nil && b.local.find(key.col.Name) == nil {
				b.local.add(&symbol{name: key.col.Name, op: operand{kind: opScalar, t: key.col.t, e: &plan.OuterRef{ID: node.ID, T: key.col.Type}, isConst: true}})
			}
			sub = b.subQuery(leaf, x.Sub, nil)
		})
	}
	node.Sub = b.solid(sub)
	return &table{cols: sub.cols, node: node, open: in.open}
}
