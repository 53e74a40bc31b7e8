package eval

import (
	"bytes"
	"compress/flate"
	"compress/gzip"
	"compress/zlib"
	"encoding/base64"
	"encoding/binary"
	"hash/adler32"
	"hash/crc32"
	"io"
	"net/url"
	"picket/kql/value"
	"strings"
	"unicode/utf8"
)

func encodeFuncs(t table) {
	t.pure("url_encode", str1(func(s string) string { return urlEncode(s, true) }))
	t.pure("url_encode_component", str1(func(s string) string { return urlEncode(s, false) }))
	t.pure("url_decode", str1(urlDecode))
	for _, n := range []string{"base64_encode_tostring", "base64_encodestring"} {
		t.pure(n, str1(func(s string) string { return base64.StdEncoding.EncodeToString([]byte(s)) }))
	}
	for _, n := range []string{"base64_decode_tostring", "base64_decodestring"} {
		t.pure(n, str1(func(s string) string {
			b, ok := base64Bytes(s)
			if !ok || !utf8.Valid(b) {
				return ""
			}
			return string(b)
		}))
	}
	t.pure("base64_decode_toarray", strToDyn(func(s string) any {
		b, ok := base64Bytes(s)
		if !ok {
			return nil
		}
		out := make([]any, len(b))
		for i, x := range b {
			out[i] = int64(x)
		}
		return out
	}))
	t.pure("base64_encode_fromarray", func(_ *Ctx, _ value.Type, n int, args []*value.Vector) (*value.Vector, error) {
		a := dyns(args[0])
		out := value.New(value.String, n)
	rows:
		for i := range out.S {
			arr, ok := a.at(i).([]any)
			if !ok {
				continue
			}
			b := make([]byte, len(arr))
			for k, e := range arr {
				x, ok := elemLong(e)
				if !ok || x < 0 || x > 255 {
					continue rows
				}
				b[k] = byte(x)
			}
			out.S[i] = base64.StdEncoding.EncodeToString(b)
		}
		return out, nil
	})
	t.pure("base64_decode_toguid", func(_ *Ctx, _ value.Type, n int, args []*value.Vector) (*value.Vector, error) {
		a := texts(args[0])
		out := value.New(value.GUID, n)
		for i := range out.G {
			b, ok := base64Bytes(a.at(i))
			if !ok || len(b) != 16 {
				out.SetNull(i)
				continue
			}
			g := swapGUID([16]byte(b))
			g[6], g[7] = g[7], g[6] // the service leaves these two as they are, unlike base64_encode_fromguid()
			out.G[i] = g
		}
		return out, nil
	})
	t.pure("base64_encode_fromguid", func(_ *Ctx, _ value.Type, n int, args []*value.Vector) (*value.Vector, error) {
		g := convert(args[0], value.GUID)
		out := value.New(value.String, n)
		for i := range out.S {
			if !g.IsNull(i) {
				b := swapGUID(g.G[g.Idx(i)])
				out.S[i] = base64.StdEncoding.EncodeToString(b[:])
			}
		}
		return out, nil
	})
	t.pure("gzip_compress_to_base64_string", str1(func(s string) string { return base64.StdEncoding.EncodeToString(gzipText(s)) }))
	t.pure("zlib_compress_to_base64_string", str1(func(s string) string { return base64.StdEncoding.EncodeToString(zlibText(s)) }))
	t.pure("gzip_decompress_from_base64_string", str1(func(s string) string {
		return inflateText(s, func(r io.Reader) (io.Reader, error) { return gzip.NewReader(r) })
	}))
	t.pure("zlib_decompress_from_base64_string", str1(func(s string) string {
		return inflateText(s, func(r io.Reader) (io.Reader, error) { return zlib.NewReader(r) })
	}))
	t.pure("__lz4_compress_dynamic_array_to_base64_string", func(*Ctx, value.Type, int, []*value.Vector) (*value.Vector, error) {
		return nil, refuse("__lz4_compress_dynamic_array_to_base64_string", "is internal to the service")
	})
}

// urlEncode percent-encodes in lower case; plus turns blanks into +.
func urlEncode(s string, plus bool) string {
	const hexDigits = "0123456789abcdef"
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case termByte(c) || c == '-' || c == '_' || c == '.' || c == '!' || c == '*' || c == '(' || c == ')' || !plus && (c == '~' || c == '\''):
			b.WriteByte(c)
		case c == ' ' && plus:
			b.WriteByte('+')
		default:
			b.WriteByte('%')
			b.WriteByte(hexDigits[c>>4])
			b.WriteByte(hexDigits[c&15])
		}
	}
	return b.String()
}

// urlDecode turns + into a blank and takes %XX; what is no escape stays.
func urlDecode(s string) string {
	if d, err := url.QueryUnescape(s); err == nil {
		return d
	}
	unhex := func(c byte) int {
		switch {
		case c >= '0' && c <= '9':
			return int(c - '0')
		case c|0x20 >= 'a' && c|0x20 <= 'f':
			return int(c|0x20-'a') + 10
		}
		return -1
	}
	b := make([]byte, 0, len(s))
	for i := 0; i < len(s); i++ {
		c := s[i]
		if c == '+' {
			c = ' '
		} else if c == '%' && i+2 < len(s) {
			if h, l := unhex(s[i+1]), unhex(s[i+2]); h >= 0 && l >= 0 {
				c = byte(h<<4 | l)
				i += 2
			}
		}
		b = append(b, c)
	}
	return string(b)
}

func base64Bytes(s string) ([]byte, bool) {
	s = strings.TrimSpace(s)
	b, err := base64.StdEncoding.DecodeString(s)
	return b, err == nil
}

// swapGUID changes between the text order of a guid and the mixed-endian bytes that .NET keeps.
func swapGUID(g [16]byte) [16]byte {
	g[0], g[1], g[2], g[3] = g[3], g[2], g[1], g[0]
	g[4], g[5] = g[5], g[4]
	g[6], g[7] = g[7], g[6]
	return g
}

// deflateText compresses s; when that gains nothing it is stored in one block.
func deflateText(s string) []byte {
	var b bytes.Buffer
	w, err := flate.NewWriter(&b, flate.DefaultCompression)
	if err == nil {
		if _, err = io.WriteString(w, s); err == nil {
			err = w.Close()
		}
	}
	if err == nil && (b.Len() < len(s)+5 && len(s) > 64 || len(s) > 0xFFFF) {
		return b.Bytes()
	}
	out := []byte{1}
	out = binary.LittleEndian.AppendUint16(out, uint16(len(s)))
	out = binary.LittleEndian.AppendUint16(out, ^uint16(len(s)))
	return append(out, s...)
}

func zlibText(s string) []byte {
	out := append([]byte{0x78, 0x01}, deflateText(s)...)
	return binary.BigEndian.AppendUint32(out, adler32.Checksum([]byte(s)))
}

func gzipText(s string) []byte {
	out := append([]byte{0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 0xff}, deflateText(s)...)
	out = binary.LittleEndian.AppendUint32(out, crc32.ChecksumIEEE([]byte(s)))
	return binary.LittleEndian.AppendUint32(out, uint32(len(s)))
}

func inflateText(s string, open func(io.Reader) (io.Reader, error)) string {
	b, ok := base64Bytes(s)
	if !ok {
		return ""
	}
	r, err := open(bytes.NewReader(b))
	if err != nil {
		return ""
	}
	out, err := io.ReadAll(io.LimitReader(r, maxText+1))
	if err != nil || len(out) > maxText || !utf8.Valid(out) {
		return ""
	}
	return string(out)
}
