package certificate_test

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge/certificate"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/certificate/certificatetest"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/health"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/problem"
)

// a folder has the files of a certificate, and a clock.
type folder struct {
	t         *testing.T
	cert, key string
	now       time.Time
	log       bytes.Buffer
	cfg       certificate.FilesConfig
}

func newFolder(t *testing.T, cert, key []byte) *folder {
	t.Helper()
	dir := t.TempDir()
	f := &folder{t: t, cert: filepath.Join(dir, "tls.crt"), key: filepath.Join(dir, "tls.key"), now: time.Now()}
	f.write(f.cert, cert)
	f.write(f.key, key)
	f.cfg = certificate.FilesConfig{
		Read: func() (chain, key []byte, err error) {
			chain, err = os.ReadFile(f.cert)
			if err != nil {
				return nil, nil, err
			}
			key, err = os.ReadFile(f.key)
			return chain, key, err
		},
		Names: certificate.FileNames{Cert: f.cert, Key: f.key},
		Roots: x509.NewCertPool(),
		Log:   hclog.New(&hclog.LoggerOptions{Output: &f.log}),
		Now:   func() time.Time { return f.now },
	}
	return f
}

func (f *folder) write(path string, text []byte) {
	f.t.Helper()
	if err := os.WriteFile(path+".new", text, 0o600); err != nil {
		f.t.Fatal(err)
	}
	if err := os.Rename(path+".new", path); err != nil {
		f.t.Fatal(err)
	}
}

func (f *folder) open() *certificate.Files {
	f.t.Helper()
	files, err := certificate.OpenFiles(f.cfg)
	if err != nil {
		f.t.Fatal(err)
	}
	return files
}

// shows reports whether clients see the certificate of a PEM text.
func shows(t *testing.T, files *certificate.Files, cert []byte) bool {
	t.Helper()
	got, err := files.TLS().GetCertificate(&tls.ClientHelloInfo{})
	if err != nil {
		t.Fatal(err)
	}
	block, _ := pem.Decode(cert)
	return bytes.Equal(got.Certificate[0], block.Bytes)
}

func codes(r health.Report) (codes []problem.Code) {
	for _, p := range r.Problems {
		codes = append(codes, p.Code)
	}
	return codes
}

func join(texts ...[]byte) []byte { return bytes.Join(texts, nil) }

func TestFilesThatNoServerCanShowAreRefused(t *testing.T) {
	t.Parallel()
	root := certificatetest.New(t, "Root")
	cert, key := root.Issue(certificatetest.Loopback())
	other, otherKey := root.Issue(certificatetest.Loopback())
	certBlock, _ := pem.Decode(cert)
	keyBlock, _ := pem.Decode(key)
	for _, row := range []struct {
		name      string
		cert, key []byte
		want      string
	}{
		{"a key of another certificate", cert, otherKey, "does not belong to the certificate"},
		{"the certificate second", join(other, cert), key, "belongs to certificate 2"},
		{"the files exchanged", key, cert, "a private key: the two files may have been exchanged"},
		{"a certificate in the key's place", cert, cert, "a certificate: the two files may have been exchanged"},
		{"an empty certificate file", nil, key, "no certificate"},
		{"an empty key file", cert, nil, "no private key"},
		{"a certificate cut off", cert[:len(cert)/2], key, "no certificate"},
		{"a key cut off", cert, key[:len(key)/2], "no private key"},
		{"a certificate in DER form", certBlock.Bytes, key, "openssl x509 -inform der"},
		{"a key in DER form", cert, keyBlock.Bytes, "openssl pkey -inform der"},
		{"a damaged certificate", pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: []byte("x")}), key,
			"certificate 1 in"},
		{"a damaged key", cert, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: keyBlock.Bytes[:40]}),
			"it is damaged"},
		{"an encrypted key", cert, pem.EncodeToMemory(&pem.Block{Type: "ENCRYPTED PRIVATE KEY", Bytes: []byte("x")}),
			"without a passphrase"},
		{"an encrypted key of the older form", cert, pem.EncodeToMemory(&pem.Block{
			Type: "EC PRIVATE KEY", Bytes: []byte("x"), Headers: map[string]string{"DEK-Info": "AES-128-CBC,00"},
		}), "without a passphrase"},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			f := newFolder(t, row.cert, row.key)
			err := f.cfg.Check()
			if err == nil || !strings.Contains(err.Error(), row.want) {
				t.Fatalf("got %v, want %q", err, row.want)
			}
			if !strings.Contains(err.Error(), f.cert) && !strings.Contains(err.Error(), f.key) {
				t.Errorf("no file is named: %v", err)
			}
			if _, err := certificate.OpenFiles(f.cfg); err == nil {
				t.Error("it is opened all the same")
			}
		})
	}
}

func TestEveryUsualFormOfAKeyIsTaken(t *testing.T) {
	t.Parallel()
	root := certificatetest.New(t, "Root")
	cert, key := root.Issue(certificatetest.Loopback())
	block, _ := pem.Decode(key)
	parsed, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	sec1, err := x509.MarshalECPrivateKey(parsed.(*ecdsa.PrivateKey))
	if err != nil {
		t.Fatal(err)
	}
	for name, files := range map[string][2][]byte{
		"PKCS #8": {cert, key},
		"SEC 1":   {cert, pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: sec1})},
		"SEC 1, with its parameters before it": {cert, join(
			pem.EncodeToMemory(&pem.Block{Type: "EC PARAMETERS", Bytes: []byte{6, 0}}),
			pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: sec1}))},
		"one file with both": {join(key, cert), join(key, cert)},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if !shows(t, newFolder(t, files[0], files[1]).open(), cert) {
				t.Error("another certificate is shown")
			}
		})
	}
}

func TestWhatClientsRefuseIsAProblem(t *testing.T) {
	t.Parallel()
	root := certificatetest.New(t, "Example Root")
	middle := root.Intermediate("Example Intermediate")
	lower := middle.Intermediate("Example Issuing")
	issue := func(from *certificatetest.Authority, change func(*x509.Certificate)) (cert, key []byte) {
		template := certificatetest.Loopback("scim.example.com")
		change(&template)
		return from.Issue(template)
	}
	same := func(*x509.Certificate) {}
	soon := func(left time.Duration) func(*x509.Certificate) {
		return func(c *x509.Certificate) {
			c.NotAfter = time.Now().Add(left)
			c.NotBefore = c.NotAfter.AddDate(0, 0, -90)
		}
	}
	for _, row := range []struct {
		name   string
		from   *certificatetest.Authority
		change func(*x509.Certificate)
		chain  [][]byte
		domain string
		roots  *x509.CertPool
		state  string
		code   problem.Code // empty for none
		want   string       // in the cause
	}{
		{"a root that clients have signed it", root, same, nil, "scim.example.com", root.Pool(), health.Healthy, "",
			""},
		{"the chain is complete", lower, same, [][]byte{lower.PEM, middle.PEM}, "scim.example.com", root.Pool(),
			health.Healthy, "", ""},
		{"the chain is complete and in another order", lower, same, [][]byte{middle.PEM, lower.PEM}, "", root.Pool(),
			health.Healthy, "", ""},
		{"the root of a private authority is in the chain", lower, same, [][]byte{lower.PEM, middle.PEM, root.PEM}, "",
			x509.NewCertPool(), health.Healthy, "", ""},
		{"the chain lacks its only intermediate", middle, same, nil, "", root.Pool(), health.Degraded,
			problem.CertificateInvalid, "CN=Example Intermediate"},
		{"the chain lacks the upper of two", lower, same, [][]byte{lower.PEM}, "", root.Pool(), health.Degraded,
			problem.CertificateInvalid, "CN=Example Intermediate"},
		{"the chain lacks the lower of two", lower, same, [][]byte{middle.PEM}, "", root.Pool(), health.Degraded,
			problem.CertificateInvalid, "CN=Example Issuing"},
		{"nobody knows the root", middle, same, [][]byte{middle.PEM}, "", x509.NewCertPool(), health.Degraded,
			problem.CertificateInvalid, "CN=Example Root"},
		{"it is for another name", root, same, nil, "other.example.com", root.Pool(), health.Degraded,
			problem.CertificateInvalid, "it is not for other.example.com: it names scim.example.com, 127.0.0.1"},
		{"it names nothing", root, func(c *x509.Certificate) {
			c.DNSNames, c.IPAddresses, c.Subject.CommonName = nil, nil, "scim.example.com"
		}, nil, "", root.Pool(), health.Degraded, problem.CertificateInvalid, "the common name"},
		{"it is for clients", root, func(c *x509.Certificate) {
			c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}
		}, nil, "", root.Pool(), health.Degraded, problem.CertificateInvalid, "does not allow servers"},
		{"it is not valid yet", root, func(c *x509.Certificate) { c.NotBefore = time.Now().Add(time.Hour) }, nil, "",
			root.Pool(), health.Degraded, problem.CertificateInvalid, "not valid before"},
		{"it has fifteen days", root, soon(15 * 24 * time.Hour), nil, "", root.Pool(), health.Healthy, "", ""},
		{"it has thirteen days", root, soon(13 * 24 * time.Hour), nil, "", root.Pool(), health.Degraded,
			problem.CertificateExpiring, "expires at"},
		{"it has expired", root, soon(-time.Minute), nil, "", root.Pool(), health.Unhealthy,
			problem.CertificateExpiring, "clients refuse it"},
		{"it lives for six days and has two", root, func(c *x509.Certificate) {
			c.NotBefore, c.NotAfter = time.Now().AddDate(0, 0, -4), time.Now().AddDate(0, 0, 2)
		}, nil, "", root.Pool(), health.Healthy, "", ""},
		{"it lives for six days and has one", root, func(c *x509.Certificate) {
			c.NotBefore, c.NotAfter = time.Now().AddDate(0, 0, -5), time.Now().AddDate(0, 0, 1)
		}, nil, "", root.Pool(), health.Degraded, problem.CertificateExpiring, "expires at"},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			cert, key := issue(row.from, row.change)
			f := newFolder(t, join(append([][]byte{cert}, row.chain...)...), key)
			f.cfg.Domain, f.cfg.Roots = row.domain, row.roots
			r := f.open().Report()
			var want []problem.Code
			if row.code != "" {
				want = []problem.Code{row.code}
			}
			if r.State != row.state || !slices.Equal(codes(r), want) {
				t.Fatalf("%s with %v, want %s with %v", r.State, codes(r), row.state, want)
			}
			if row.code == "" {
				return
			}
			if p := r.Problems[0]; !strings.Contains(p.Cause, row.want) ||
				!strings.Contains(p.Remedy, f.cert) {
				t.Errorf("want %q, got %s\n%s", row.want, p.Cause, p.Remedy)
			}
			if log := f.log.String(); !strings.Contains(log, "problem="+string(row.code)) {
				t.Errorf("the log does not say it: %s", log)
			}
		})
	}
}

// Tools write the two files one after the other, in either order.
func TestAnOldPairStaysUntilBothFilesFit(t *testing.T) {
	t.Parallel()
	root := certificatetest.New(t, "Root")
	for _, name := range []string{"the certificate first", "the key first"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			old, oldKey := root.Issue(certificatetest.Loopback())
			newer, newerKey := root.Issue(certificatetest.Loopback())
			f := newFolder(t, old, oldKey)
			f.cfg.Roots = root.Pool()
			files := f.open()
			first, second := f.cert, f.key
			texts := map[string][]byte{f.cert: newer, f.key: newerKey}
			if name == "the key first" {
				first, second = second, first
			}
			f.write(first, texts[first])
			files.Look()
			if r := files.Report(); !shows(t, files, old) || r.State != health.Healthy {
				t.Errorf("half written files are a problem at once: %+v", r)
			}
			files.Look()
			r := files.Report()
			if !shows(t, files, old) || r.State != health.Degraded ||
				!slices.Equal(codes(r), []problem.Code{problem.CertificateInvalid}) {
				t.Errorf("half a pair that stays: %+v", r)
			}
			if said := strings.Count(f.log.String(), "the old one stays in use"); said != 1 {
				t.Errorf("the log says it %d times: %s", said, f.log.String())
			}
			files.Look()
			if said := strings.Count(f.log.String(), "the old one stays in use"); said != 1 {
				t.Errorf("the log says it again: %s", f.log.String())
			}
			f.write(second, texts[second])
			files.Look()
			if r := files.Report(); !shows(t, files, newer) || r.State != health.Healthy {
				t.Errorf("both fit: %+v", r)
			}
		})
	}
}

func TestAFaultOfTheFilesEndsWhenTheOldPairIsBack(t *testing.T) {
	t.Parallel()
	root := certificatetest.New(t, "Root")
	old, oldKey := root.Issue(certificatetest.Loopback())
	f := newFolder(t, old, oldKey)
	f.cfg.Roots = root.Pool()
	files := f.open()
	if err := os.Remove(f.cert); err != nil {
		t.Fatal(err)
	}
	files.Reload()
	if r := files.Report(); r.State != health.Degraded || !shows(t, files, old) {
		t.Errorf("a file is gone, and the operator asked: %+v", r)
	}
	f.write(f.cert, old)
	files.Look()
	if r := files.Report(); r.State != health.Healthy {
		t.Errorf("it is back: %+v", r)
	}
}

// Kubernetes replaces a folder of files by exchanging one symbolic link.
func TestAFolderThatIsExchangedIsFollowed(t *testing.T) {
	t.Parallel()
	root := certificatetest.New(t, "Root")
	old, oldKey := root.Issue(certificatetest.Loopback())
	newer, newerKey := root.Issue(certificatetest.Loopback())
	f := newFolder(t, old, oldKey)
	f.cfg.Roots = root.Pool()
	mount := t.TempDir()
	fill := func(name string, cert, key []byte) {
		if err := os.Mkdir(filepath.Join(mount, name), 0o700); err != nil {
			t.Fatal(err)
		}
		f.write(filepath.Join(mount, name, "tls.crt"), cert)
		f.write(filepath.Join(mount, name, "tls.key"), key)
		if err := os.Symlink(name, filepath.Join(mount, "..data_tmp")); err != nil {
			t.Fatal(err)
		}
		if err := os.Rename(filepath.Join(mount, "..data_tmp"), filepath.Join(mount, "..data")); err != nil {
			t.Fatal(err)
		}
	}
	fill("..2026_01", old, oldKey)
	for _, name := range []string{"tls.crt", "tls.key"} {
		if err := os.Symlink(filepath.Join("..data", name), filepath.Join(mount, name)); err != nil {
			t.Fatal(err)
		}
	}
	f.cert, f.key = filepath.Join(mount, "tls.crt"), filepath.Join(mount, "tls.key")
	files := f.open()
	fill("..2026_02", newer, newerKey)
	files.Look()
	if !shows(t, files, newer) {
		t.Error("the old certificate is shown")
	}
}

// A pair that every client refuses is not put in the place of one that they accept.
func TestAPairThatClientsRefuseDoesNotReplaceOneThatTheyAccept(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		name   string
		change func(*x509.Certificate)
		want   string
		after  time.Duration // when it is shown
	}{
		{"it has expired", func(c *x509.Certificate) {
			c.NotBefore, c.NotAfter = time.Now().AddDate(0, 0, -2), time.Now().AddDate(0, 0, -1)
		}, "it expired at", 365 * 24 * time.Hour},
		{"it is not valid yet", func(c *x509.Certificate) { c.NotBefore = time.Now().Add(time.Hour) },
			"it is not valid before", 2 * time.Hour},
		{"it is for another name", func(c *x509.Certificate) { c.DNSNames = []string{"other.example.com"} },
			"it is not for scim.example.com", 365 * 24 * time.Hour},
		{"it names nothing", func(c *x509.Certificate) { c.DNSNames, c.IPAddresses = nil, nil }, "it names no host",
			365 * 24 * time.Hour},
		{"it is for clients", func(c *x509.Certificate) {
			c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}
		}, "does not allow servers", 365 * 24 * time.Hour},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			root := certificatetest.New(t, "Root")
			valid, validKey := root.Issue(certificatetest.Loopback("scim.example.com"))
			template := certificatetest.Loopback("scim.example.com")
			row.change(&template)
			bad, badKey := root.Issue(template)
			f := newFolder(t, valid, validKey)
			f.cfg.Roots, f.cfg.Domain = root.Pool(), "scim.example.com"
			files := f.open()
			f.write(f.cert, bad)
			f.write(f.key, badKey)
			files.Reload()
			r := files.Report()
			if !shows(t, files, valid) || r.State != health.Degraded ||
				!strings.Contains(r.Problems[0].Cause, row.want) {
				t.Errorf("got %+v", r)
			}
			found, err := problem.Diagnose(strings.NewReader(f.log.String()))
			if err != nil || len(found.Problems) != 1 || found.Problems[0].Cause != r.Problems[0].Cause ||
				found.Problems[0].Remedy != r.Problems[0].Remedy {
				t.Errorf("diagnose finds %+v, %v in %s", found, err, f.log.String())
			}
			f.now = time.Now().Add(row.after)
			files.Look()
			if !shows(t, files, bad) {
				t.Errorf("after %s, when it is no worse than the old one, it is not shown", row.after)
			}
		})
	}
}

func TestAMissingIssuerKeepsNoRenewalOut(t *testing.T) {
	t.Parallel()
	root := certificatetest.New(t, "Root")
	old, oldKey := root.Issue(certificatetest.Loopback())
	newer, newerKey := root.Intermediate("Issuing").Issue(certificatetest.Loopback())
	f := newFolder(t, old, oldKey)
	f.cfg.Roots = root.Pool()
	files := f.open()
	f.write(f.cert, newer)
	f.write(f.key, newerKey)
	files.Look()
	if r := files.Report(); !shows(t, files, newer) || r.State != health.Degraded {
		t.Errorf("clients that know the issuer accept it: %+v", r)
	}
}

func TestACertificateBecomesValidWithTime(t *testing.T) {
	t.Parallel()
	root := certificatetest.New(t, "Root")
	template := certificatetest.Loopback()
	template.NotBefore = time.Now().Add(time.Hour)
	cert, key := root.Issue(template)
	f := newFolder(t, cert, key)
	f.cfg.Roots = root.Pool()
	files := f.open()
	if r := files.Report(); r.State != health.Degraded {
		t.Errorf("before: %+v", r)
	}
	f.now = f.now.Add(2 * time.Hour)
	files.Look()
	if r := files.Report(); r.State != health.Healthy {
		t.Errorf("after: %+v", r)
	}
}

func TestTheEndIsLoggedOnceADay(t *testing.T) {
	t.Parallel()
	root := certificatetest.New(t, "Root")
	cert, key := root.Issue(certificatetest.Loopback())
	f := newFolder(t, cert, key)
	f.cfg.Roots = root.Pool()
	files := f.open()
	said := func() int { return strings.Count(f.log.String(), "problem=certificate_expiring") }
	for _, row := range []struct {
		days float64
		want int
	}{{0, 0}, {75, 0}, {76.5, 1}, {76.6, 1}, {77.4, 1}, {77.6, 2}, {91, 3}} {
		f.now = time.Now().Add(time.Duration(row.days * 24 * float64(time.Hour)))
		files.Look()
		if said() != row.want {
			t.Errorf("after %v days the log has said it %d times, want %d", row.days, said(), row.want)
		}
	}
}
