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

// Bag is a property bag that keeps the order of its keys.
type Bag struct {
	keys []string
	vals map[string]any
}

// NewBag makes an empty bag.
func NewBag() *Bag { return &Bag{vals: map[string]any{}} }

// Len is the number of properties.
func (b *Bag) Len() int { return len(b.keys) }

// Keys gives the keys in order; the caller must not change the slice.
func (b *Bag) Keys() []string { return b.keys }

// Get returns the property, and whether it is present.
func (b *Bag) Get(k string) (any, bool) { v, ok := b.vals[k]; return v, ok }

// Set adds or replaces a property; only before the bag is shared.
func (b *Bag) Set(k string, v any) {
	if _, ok := b.vals[k]; !ok {
		b.keys = append(b.keys, k)
	}
	b.vals[k] = v
}
