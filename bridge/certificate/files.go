package certificate

import (
	"context"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"strconv"
	"sync"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge/health"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/problem"
)

// checkEvery is how often the files are read again. Reading finds what a notification of the
// file system does not: folders that Kubernetes exchanges, and network file systems.
const checkEvery = 5 * time.Second

// FileNames are the names of the files of a certificate, for messages.
type FileNames struct{ Cert, Key string }

// FilesConfig configures Files.
type FilesConfig struct {
	// Read reads the chain and the key, in PEM form.
	Read   func() (chain, key []byte, err error)
	Names  FileNames
	Domain string         // under which clients know the server; may be empty
	Roots  *x509.CertPool // that clients have; nil means those of this machine
	Log    hclog.Logger
	Now    func() time.Time
}

// Check reports why the files hold no pair that a server can show.
func (c FilesConfig) Check() error {
	_, _, err := c.read()
	return err
}

// content identifies what the files held.
type content [sha256.Size]byte

func (c FilesConfig) read() (*pair, content, error) {
	chain, key, err := c.Read()
	if err != nil {
		return nil, sha256.Sum256([]byte(err.Error())), err
	}
	sum := sha256.New()
	fmt.Fprintf(sum, "%d ", len(chain))
	sum.Write(chain)
	sum.Write(key)
	p, err := parse(chain, key, strconv.Quote(c.Names.Cert), strconv.Quote(c.Names.Key))
	return p, content(sum.Sum(nil)), err
}

// Files shows the certificate of two files, and follows them: certificate and key are replaced
// together, whichever is written first, and only by a pair that fits.
type Files struct {
	cfg   FilesConfig
	shown shown

	mu      sync.Mutex // of what the files held
	used    content
	suspect content // a pair that does not fit, seen once: it may be half written
}

// OpenFiles reads the files.
func OpenFiles(cfg FilesConfig) (*Files, error) {
	p, used, err := cfg.read()
	if err != nil {
		return nil, err
	}
	f := &Files{cfg: cfg, used: used}
	f.shown.now, f.shown.log = cfg.Now, cfg.Log
	f.shown.facts = problem.Facts{problem.FactCertFile: cfg.Names.Cert, problem.FactKeyFile: cfg.Names.Key}
	f.shown.show(p, p.judge(cfg.Domain, cfg.Roots, cfg.Now()))
	return f, nil
}

// TLS returns the configuration of a server that shows the certificate.
func (f *Files) TLS() *tls.Config { return Config(f.shown.get) }

// Validity returns from when until when the certificate is valid.
func (f *Files) Validity() (notBefore, notAfter time.Time) { return f.shown.Validity() }

// Report reports whether clients accept the certificate, and for how long.
func (f *Files) Report() health.Report { return f.shown.report(true) }

// Run follows the files until ctx ends.
func (f *Files) Run(ctx context.Context) {
	tick := time.NewTicker(checkEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			f.look()
		}
	}
}

// look is what Run does at every tick.
func (f *Files) look() {
	f.check(false)
	f.shown.warn()
}

// Reload reads the files now.
func (f *Files) Reload() { f.check(true) }

// check shows the pair in the files if it is another one. What does not fit may be half written:
// it is a fault if it is still there at the next look, or if the operator asked for this one.
func (f *Files) check(asked bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	p, seen, err := f.cfg.read()
	if err == nil && seen == f.used {
		f.suspect = content{}
		f.shown.setFault(nil)
		f.shown.judgeAgain(f.cfg.Domain, f.cfg.Roots)
		return
	}
	if err == nil {
		err = f.worse(p)
	}
	if err == nil {
		f.used, f.suspect = seen, content{}
		f.shown.show(p, p.judge(f.cfg.Domain, f.cfg.Roots, f.cfg.Now()))
		return
	}
	if !asked && seen != f.suspect {
		f.suspect = seen
		return
	}
	f.suspect = seen
	if f.shown.setFault(err) {
		f.shown.logProblem("the certificate files do not hold a new pair; the old one stays in use",
			f.shown.successor())
	}
}

// worse refuses a pair that clients refuse in the place of one that they accept.
func (f *Files) worse(p *pair) error {
	now := f.cfg.Now()
	reason := p.refused(f.cfg.Domain, now)
	if reason == "" || f.shown.current().refused(f.cfg.Domain, now) != "" {
		return nil
	}
	if now.Before(p.leaf().NotBefore) {
		reason += ", from when on it is used"
	}
	return fmt.Errorf("clients would refuse the certificate in %q: %s", f.cfg.Names.Cert, reason)
}
