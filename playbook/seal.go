package playbook

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"picket/playbook/expr"
	"strings"
)

// sealer seals secrets with AES-256-GCM under the key of a file.
type sealer struct{ aead cipher.AEAD }

// openSealer reads the key file, or makes it.
func openSealer(path string) (*sealer, error) {
	if path == "" {
		return nil, errors.New("playbook: Deps.KeyFile is required: secrets are sealed under its key")
	}
	text, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		key := make([]byte, 32)
		if _, err := rand.Read(key); err != nil {
			return nil, fmt.Errorf("make key %s: %w", path, err)
		}
		f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
		if err != nil {
			return nil, fmt.Errorf("make key %s: %w", path, err)
		}
		_, werr := f.WriteString(base64.StdEncoding.EncodeToString(key) + "\n")
		if err := errors.Join(werr, f.Sync(), f.Close()); err != nil {
			return nil, fmt.Errorf("make key %s: %w", path, err)
		}
		return newSealer(key)
	}
	if err != nil {
		return nil, fmt.Errorf("read key %s: %w", path, err)
	}
	key, err := base64.StdEncoding.DecodeString(strings.TrimSpace(string(text)))
	if err != nil || len(key) != 32 {
		return nil, fmt.Errorf("read key %s: it must hold 32 bytes in base64", path)
	}
	return newSealer(key)
}

func newSealer(key []byte) (*sealer, error) {
	b, err := aes.NewCipher(key)
	if err != nil {
		return nil, err
	}
	a, err := cipher.NewGCM(b)
	if err != nil {
		return nil, err
	}
	return &sealer{a}, nil
}

// Stored values begin with a byte that says how they are written.
const (
	storedPlain  = 'j'
	storedSealed = 's'
)

func (s *sealer) seal(b []byte) ([]byte, error) {
	nonce := make([]byte, s.aead.NonceSize())
	if _, err := rand.Read(nonce); err != nil {
		return nil, err
	}
	out := append([]byte{storedSealed}, nonce...)
	return s.aead.Seal(out, nonce, b, nil), nil
}

func (s *sealer) open(b []byte) ([]byte, error) {
	n := s.aead.NonceSize()
	if len(b) < 1+n || b[0] != storedSealed {
		return nil, errors.New("a sealed value is damaged")
	}
	p, err := s.aead.Open(nil, b[1:1+n], b[1+n:], nil)
	if err != nil {
		return nil, errors.New("a sealed value doesn't open with this key file; was the key file replaced?")
	}
	return p, nil
}

// encode stores a value; secret ones are sealed.
func (s *sealer) encode(v any, secret bool) ([]byte, error) {
	text := expr.JSON(v)
	if secret {
		return s.seal([]byte(text))
	}
	return append([]byte{storedPlain}, text...), nil
}

func (s *sealer) decode(b []byte) (any, error) {
	if len(b) == 0 {
		return nil, nil
	}
	p := b[1:]
	if b[0] == '{' || b[0] == '[' {
		p = b
	}
	if b[0] == storedSealed {
		var err error
		if p, err = s.open(b); err != nil {
			return nil, err
		}
	}
	return expr.ParseJSON(p)
}

func hashHex(s string, n int) string {
	h := sha256.Sum256([]byte(s))
	return fmt.Sprintf("%x", h[:])[:n]
}
