package trip

import (
	"crypto/rand"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"time"
)

// Channels a trip arrives by.
const (
	ChannelHTTP = "HTTP"
	ChannelDNS  = "DNS"
)

// Record is one call to a known token. Count is above 1 where calls came faster than the limits allow: then the
// record stands for Count calls of the same token, source, channel and method, and keeps the details of the first.
type Record struct {
	ID      string    `json:"id"`   // 32 hex digits, random, unique
	Time    time.Time `json:"time"` // UTC, when the call was read
	Token   string    `json:"token"`
	Channel string    `json:"channel"`
	Count   int       `json:"count"`

	SrcIP     string   `json:"src"`             // the client: the socket peer, or the nearest untrusted hop behind trusted proxies
	Peer      string   `json:"peer"`            // the socket peer's address
	PeerPort  int      `json:"peerPort"`        // the socket peer's port
	Forwarded []string `json:"fwd,omitempty"`   // X-Forwarded-For as sent, left to right; a claim, kept for evidence
	Local     string   `json:"local,omitempty"` // the listener's address

	Method    string      `json:"method,omitempty"`
	Host      string      `json:"host,omitempty"`
	Path      string      `json:"path,omitempty"` // request target with query, at most 4 KiB
	UserAgent string      `json:"ua,omitempty"`
	Referer   string      `json:"referer,omitempty"`
	Headers   [][2]string `json:"headers,omitempty"`  // name, value; Cookie and Authorization values redacted
	Args      [][2]string `json:"args,omitempty"`     // query arguments
	Body      []byte      `json:"body,omitempty"`     // the first BodyKeep bytes
	BodySize  int64       `json:"bodySize,omitempty"` // bytes read (the rest of a longer body isn't)
	BodySHA   string      `json:"bodySha256,omitempty"`
	Truncated bool        `json:"truncated,omitempty"` // something above was cut at its limit
	Degraded  string      `json:"degraded,omitempty"`  // why only a count was kept: "source", "token", "disk"

	QueryName    string `json:"qname,omitempty"`
	QueryType    string `json:"qtype,omitempty"`
	Transport    string `json:"transport,omitempty"` // udp, tcp
	ClientSubnet string `json:"ecs,omitempty"`       // EDNS0 client subnet, CIDR
}

// newID gives 128 random bits as hex.
func newID() string {
	var b [16]byte
	rand.Read(b[:]) // never fails (crypto/rand aborts the program)
	return hex.EncodeToString(b[:])
}

// Frame of one record in a log file:
//
//	magic "PKTR" | length uint32 LE | CRC-32C of length and payload, uint32 LE | payload (JSON)
const (
	frameHead = 12
	maxRecord = 1 << 20
)

var (
	frameMagic = [4]byte{'P', 'K', 'T', 'R'}
	crcTable   = crc32.MakeTable(crc32.Castagnoli)
)

// ErrShort says that a frame is not whole (yet): the end of what was written.
var ErrShort = errors.New("trip log: record is not complete")

// ErrDamaged says that bytes of the log are not what was written.
var ErrDamaged = errors.New("trip log: record is damaged")

func frameSum(payload []byte) uint32 {
	var l [4]byte
	binary.LittleEndian.PutUint32(l[:], uint32(len(payload)))
	return crc32.Update(crc32.Checksum(l[:], crcTable), crcTable, payload)
}

// appendFrame appends r's frame to b.
func appendFrame(b []byte, r *Record) ([]byte, error) {
	p, err := json.Marshal(r)
	if err != nil {
		return b, fmt.Errorf("trip log: encode record: %w", err)
	}
	if len(p) > maxRecord {
		return b, fmt.Errorf("trip log: record of %d bytes is over the limit of %d", len(p), maxRecord)
	}
	b = append(b, frameMagic[:]...)
	b = binary.LittleEndian.AppendUint32(b, uint32(len(p)))
	b = binary.LittleEndian.AppendUint32(b, frameSum(p))
	return append(b, p...), nil
}

// decodeFrame reads the frame at the start of b and says how long it is. It returns ErrShort where b ends
// inside the frame, ErrDamaged where the bytes can't be a frame.
func decodeFrame(b []byte) (r Record, n int, err error) {
	for i := 0; i < len(b) && i < 4; i++ {
		if b[i] != frameMagic[i] {
			return r, 0, ErrDamaged
		}
	}
	if len(b) < frameHead {
		return r, 0, ErrShort
	}
	l := binary.LittleEndian.Uint32(b[4:])
	if l > maxRecord {
		return r, 0, ErrDamaged
	}
	n = frameHead + int(l)
	if len(b) < n {
		return r, 0, ErrShort
	}
	p := b[frameHead:n]
	if frameSum(p) != binary.LittleEndian.Uint32(b[8:]) {
		return r, 0, ErrDamaged
	}
	if err := json.Unmarshal(p, &r); err != nil {
		return r, 0, fmt.Errorf("%w: %w", ErrDamaged, err)
	}
	return r, n, nil
}
