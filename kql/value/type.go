// Package value holds KQL's scalar types and the columnar data that flows between picket's rooms:
// [Type], [Value], [Vector], [Schema] and [Frame], with the text forms of datetime, timespan and dynamic.
//
// It owns no engine and does no I/O. Every other room of kql builds on it.
//
//	f := value.NewFrame(value.Schema{{Name: "x", Type: value.Long}}, value.LongVector([]int64{1, 2, 3}))
//	f.Vecs[0].At(1) // value.Value{Type: Long, …} = 2
package value

import (
	"fmt"
	"strings"
)

// Type is a KQL scalar type.
type Type uint8

// The scalar types of KQL. Invalid is the zero value; Unknown is the type of an expression that did
// not bind (it suppresses follow-up errors and never reaches a plan that runs).
const (
	Invalid Type = iota
	Bool
	Int      // 32 bit, wraps
	Long     // 64 bit, wraps
	Real     // IEEE double
	Decimal  // 128 bit decimal
	String   // never null
	Datetime // 100 ns ticks since 0001-01-01T00:00:00Z
	Timespan // 100 ns ticks
	GUID
	Dynamic
	Unknown
)

var typeNames = [...]string{"invalid", "bool", "int", "long", "real", "decimal", "string", "datetime", "timespan", "guid", "dynamic", "unknown"}

// String gives the KQL name of the type, as in getschema's ColumnType.
func (t Type) String() string {
	if int(t) < len(typeNames) {
		return typeNames[t]
	}
	return fmt.Sprintf("type(%d)", uint8(t))
}

// ParseType maps a KQL type name, alias or CLR name (double, date, time, boolean, uniqueid, System.Int64, …)
// to its type; case is ignored.
func ParseType(name string) (Type, bool) {
	switch strings.ToLower(strings.TrimPrefix(strings.ToLower(name), "system.")) {
	case "bool", "boolean", "sbyte":
		return Bool, true
	case "int", "int32", "uint", "uint32", "int16", "uint16", "int8", "uint8":
		return Int, true
	case "long", "int64", "ulong", "uint64":
		return Long, true
	case "real", "double", "float", "single":
		return Real, true
	case "decimal", "sqldecimal", "data.sqltypes.sqldecimal":
		return Decimal, true
	case "string":
		return String, true
	case "datetime", "date":
		return Datetime, true
	case "timespan", "time":
		return Timespan, true
	case "guid", "uuid", "uniqueid":
		return GUID, true
	case "dynamic", "object":
		return Dynamic, true
	}
	return Invalid, false
}

// Column is a named, typed column. Name is the KQL name, case kept.
type Column struct {
	Name string `json:"name"`
	Type Type   `json:"type"`
}

// Schema is an ordered list of columns.
type Schema []Column

// Index returns the position of the column with exactly this name, or -1.
func (s Schema) Index(name string) int {
	for i := range s {
		if s[i].Name == name {
			return i
		}
	}
	return -1
}

// MarshalText gives the KQL type name.
func (t Type) MarshalText() ([]byte, error) { return []byte(t.String()), nil }

// UnmarshalText reads a KQL type name or alias.
func (t *Type) UnmarshalText(b []byte) error {
	p, ok := ParseType(string(b))
	if !ok {
		return fmt.Errorf("unknown type %q", b)
	}
	*t = p
	return nil
}
