package picket

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"math/big"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"time"
)

const (
	caLife   = 10 * 365 * 24 * time.Hour
	leafLife = 397 * 24 * time.Hour // what browsers take at most
	renewAt  = 30 * 24 * time.Hour
)

// trust is the server's certificate: the user's own, or one of picket's own authority, which is made at first
// start under DIR/tls and names every host in names.
type trust struct {
	CAFile string // PEM of the authority, "" with the user's own certificate
	cert   tls.Certificate
}

func loadTrust(dir, certFile, keyFile string, names []string, now time.Time) (*trust, error) {
	if (certFile == "") != (keyFile == "") {
		return nil, errors.New("--cert and --key go together: give both, or neither for picket's own authority")
	}
	if certFile != "" {
		c, err := tls.LoadX509KeyPair(certFile, keyFile)
		if err != nil {
			return nil, fmt.Errorf("load --cert %s, --key %s: %w", certFile, keyFile, err)
		}
		return &trust{cert: c}, nil
	}
	tdir := filepath.Join(dir, "tls")
	if err := os.MkdirAll(tdir, 0o700); err != nil {
		return nil, fmt.Errorf("make folder of certificates: %w", err)
	}
	caFile := filepath.Join(tdir, "ca.pem")
	ca, caKey, err := loadPair(caFile, filepath.Join(tdir, "ca.key"))
	if errors.Is(err, fs.ErrNotExist) {
		ca, caKey, err = newCert(&x509.Certificate{
			Subject:               pkix.Name{CommonName: "picket own authority", Organization: []string{"picket"}},
			IsCA:                  true,
			BasicConstraintsValid: true,
			MaxPathLenZero:        true,
			KeyUsage:              x509.KeyUsageCertSign | x509.KeyUsageCRLSign,
			NotBefore:             now.Add(-time.Hour),
			NotAfter:              now.Add(caLife),
		}, nil, nil, caFile, filepath.Join(tdir, "ca.key"))
	}
	if err != nil {
		return nil, fmt.Errorf("picket's own authority: %w", err)
	}
	leafFile, leafKey := filepath.Join(tdir, "server.pem"), filepath.Join(tdir, "server.key")
	leaf, _, err := loadPair(leafFile, leafKey)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("server certificate: %w", err)
	}
	if err != nil || leaf.NotAfter.Sub(now) < renewAt || !covers(leaf, names) {
		t := &x509.Certificate{
			Subject:     pkix.Name{CommonName: names[0], Organization: []string{"picket"}},
			KeyUsage:    x509.KeyUsageDigitalSignature,
			ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
			NotBefore:   now.Add(-time.Hour),
			NotAfter:    now.Add(leafLife),
		}
		for _, n := range names {
			if ip := net.ParseIP(n); ip != nil {
				t.IPAddresses = append(t.IPAddresses, ip)
			} else {
				t.DNSNames = append(t.DNSNames, n)
			}
		}
		if _, _, err := newCert(t, ca, caKey, leafFile, leafKey); err != nil {
			return nil, fmt.Errorf("server certificate: %w", err)
		}
	}
	c, err := tls.LoadX509KeyPair(leafFile, leafKey)
	if err != nil {
		return nil, fmt.Errorf("server certificate: %w", err)
	}
	abs, err := filepath.Abs(caFile)
	if err != nil {
		return nil, err
	}
	return &trust{CAFile: abs, cert: c}, nil
}

func covers(c *x509.Certificate, names []string) bool {
	for _, n := range names {
		if ip := net.ParseIP(n); ip != nil {
			if !slices.ContainsFunc(c.IPAddresses, ip.Equal) {
				return false
			}
		} else if !slices.Contains(c.DNSNames, n) {
			return false
		}
	}
	return true
}

func loadPair(certFile, keyFile string) (*x509.Certificate, *ecdsa.PrivateKey, error) {
	cp, err := os.ReadFile(certFile)
	if err != nil {
		return nil, nil, err
	}
	kp, err := os.ReadFile(keyFile)
	if err != nil {
		return nil, nil, err
	}
	cb, _ := pem.Decode(cp)
	kb, _ := pem.Decode(kp)
	if cb == nil || kb == nil {
		return nil, nil, fmt.Errorf("%s or %s is no PEM file: remove both and picket makes new ones", certFile, keyFile)
	}
	c, err := x509.ParseCertificate(cb.Bytes)
	if err != nil {
		return nil, nil, err
	}
	k, err := x509.ParseECPrivateKey(kb.Bytes)
	return c, k, err
}

// newCert signs a certificate with a new key (itself when parent is nil) and writes both, key first.
func newCert(t, parent *x509.Certificate, parentKey *ecdsa.PrivateKey, certFile, keyFile string) (*x509.Certificate, *ecdsa.PrivateKey, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, nil, err
	}
	if t.SerialNumber, err = rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 120)); err != nil {
		return nil, nil, err
	}
	if parent == nil {
		parent, parentKey = t, key
	}
	der, err := x509.CreateCertificate(rand.Reader, t, parent, &key.PublicKey, parentKey)
	if err != nil {
		return nil, nil, err
	}
	kd, err := x509.MarshalECPrivateKey(key)
	if err != nil {
		return nil, nil, err
	}
	if err := writeFile(keyFile, pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: kd}), 0o600); err != nil {
		return nil, nil, err
	}
	if err := writeFile(certFile, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), 0o644); err != nil {
		return nil, nil, err
	}
	c, err := x509.ParseCertificate(der)
	return c, key, err
}

// writeFile writes a whole file or nothing: to a temporary name, synced, renamed, the folder synced.
func writeFile(path string, data []byte, mode os.FileMode) error {
	f, err := os.CreateTemp(filepath.Dir(path), ".new-*")
	if err != nil {
		return err
	}
	defer os.Remove(f.Name()) // gone already when all went well
	_, err = f.Write(data)
	if err == nil {
		err = f.Chmod(mode)
	}
	if err == nil {
		err = f.Sync()
	}
	if e := f.Close(); err == nil {
		err = e
	}
	if err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		return err
	}
	d, err := os.Open(filepath.Dir(path))
	if err != nil {
		return err
	}
	defer d.Close()
	return d.Sync()
}

// certNames are the names that the server's own certificate holds: loopback, this host, the public name, and
// what Fluent Bit's azure output puts before a configured host.
func certNames(publicURL, listen string) []string {
	names := []string{"localhost", "127.0.0.1", "::1", "*.ods.localhost"}
	add := func(n string) {
		if n != "" && !slices.Contains(names, n) {
			names = append(names, n)
		}
	}
	if h, err := os.Hostname(); err == nil {
		add(h)
	}
	for _, s := range []string{publicURL} {
		if u, err := url.Parse(s); err == nil && u.Hostname() != "" {
			add(u.Hostname())
			if net.ParseIP(u.Hostname()) == nil {
				add("*.ods." + u.Hostname())
			}
		}
	}
	if h, _, err := net.SplitHostPort(listen); err == nil && h != "" {
		if ip := net.ParseIP(h); ip == nil || !ip.IsUnspecified() {
			add(h)
		}
	}
	return names
}
