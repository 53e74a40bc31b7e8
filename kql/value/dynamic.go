package value

// A dynamic element (Vector.D, Value.D) is one of:
//
//	nil            dynamic(null)
//	bool
//	int64          a whole number (JSON integers stay exact)
//	float64
//	decimal.Decimal
//	string
//	DateTime, TimeSpan, Guid   typed literals inside dynamic(...)
//	[]any          an array of dynamic elements
//	*Bag           a property bag; keys keep their order
//
// Elements are immutable once they are in a vector: functions build new ones.

// DateTime is a datetime inside a dynamic value, in ticks.
type DateTime int64

// TimeSpan is a timespan inside a dynamic value, in ticks.
type TimeSpan int64

// Guid is a guid inside a dynamic value.
type Guid [16]byte

// Bag is a property bag that keeps the order of its keys. Small ones are searched in order, large ones have an index.
type Bag struct {
	keys []string
	vals []any
	at   map[string]int // of a bag with more than bagScan keys
}

const bagScan = 12

// NewBag makes an empty bag.
func NewBag() *Bag { return &Bag{} }

// NewBagOf makes an empty bag with room for n properties.
func NewBagOf(n int) *Bag { return &Bag{keys: make([]string, 0, n), vals: make([]any, 0, n)} }

// Len is the number of properties.
func (b *Bag) Len() int { return len(b.keys) }

// Keys gives the keys in order; the caller must not change the slice.
func (b *Bag) Keys() []string { return b.keys }

// At returns the i-th property.
func (b *Bag) At(i int) (string, any) { return b.keys[i], b.vals[i] }

// Get returns the property, and whether it is present.
func (b *Bag) Get(k string) (any, bool) {
	if i := b.find(k); i >= 0 {
		return b.vals[i], true
	}
	return nil, false
}

func (b *Bag) find(k string) int {
	if b.at != nil {
		if i, ok := b.at[k]; ok {
			return i
		}
		return -1
	}
	for i, name := range b.keys {
		if name == k {
			return i
		}
	}
	return -1
}

// Set adds or replaces a property; only before the bag is shared.
func (b *Bag) Set(k string, v any) {
	if i := b.find(k); i >= 0 {
		b.vals[i] = v
		return
	}
	b.keys, b.vals = append(b.keys, k), append(b.vals, v)
	if b.at != nil {
		b.at[k] = len(b.keys) - 1
	} else if len(b.keys) > bagScan {
		b.at = make(map[string]int, 2*len(b.keys))
		for i, name := range b.keys {
			b.at[name] = i
		}
	}
}
