package certificate

import (
	"context"
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
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/hashicorp/go-hclog"
	"golang.org/x/crypto/acme"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge/health"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/internal/durable"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/problem"
)

// LetsEncrypt is the directory of the authority that is asked by default.
const LetsEncrypt = acme.LetsEncryptURL

// attemptTimeout bounds one attempt to get a certificate.
const attemptTimeout = 5 * time.Minute

// ACMEConfig configures ACME.
type ACMEConfig struct {
	Domain    string // in lower case, as DNS has it
	Email     string // for the authority; may be empty
	Directory string // URL of the authority's directory
	// Folder keeps the key of the account at the authority, and the certificate with its key.
	Folder    string
	DataDir   string // of the bridge, for messages
	Client    *http.Client
	UserAgent string
	// HTTP01 is set if the ChallengeHandler is served on port 80 of the domain.
	HTTP01 bool
	Log    hclog.Logger
	Now    func() time.Time
}

// ACME shows a certificate that an authority issues by ACME (RFC 8555), and renews it when a third
// of its lifetime is left. Until there is one, it shows a temporary certificate that clients refuse,
// so that health checks, which verify nothing, find the server alive.
type ACME struct {
	cfg       ACMEConfig
	shown     shown
	temporary *tls.Certificate
	asked     chan struct{}

	// Only Run and OpenACME use these.
	attempts attempts
	pending  *pendingOrder // nil for none
	unstored []byte        // the certificate that is shown, if it could not be written; else nil

	mu        sync.Mutex
	challenge *tls.Certificate  // of TLS-ALPN-01 (RFC 8737); nil for none
	answers   map[string]string // of HTTP-01 (RFC 8555, 8.3), by path
	notStored *problem.Problem  // of the certificate that is shown; nil if it is stored
}

// OpenACME reads the certificate that was issued before, if there is one. It asks the authority nothing.
func OpenACME(cfg ACMEConfig) (*ACME, error) {
	if err := os.MkdirAll(cfg.Folder, 0o700); err != nil {
		return nil, fmt.Errorf("making the folder for certificates: %w", err)
	}
	a := &ACME{cfg: cfg, asked: make(chan struct{}, 1), answers: map[string]string{}}
	a.shown.now, a.shown.log = cfg.Now, cfg.Log
	var err error
	if a.temporary, err = temporaryCertificate(cfg.Domain, cfg.Now()); err != nil {
		return nil, fmt.Errorf("making a temporary certificate: %w", err)
	}
	if a.attempts, err = readAttempts(a.attemptsFile(), cfg.Now()); err != nil {
		cfg.Log.Warn("could not read when the authority may be asked again", "reason", err)
	}
	a.setFacts(a.attempts.Next)
	a.readStored()
	if a.attempts.Reason != "" && !cfg.Now().Before(a.due()) {
		a.fail("the last attempt to get a certificate failed")
	}
	return a, nil
}

// fail makes the reason of the latest failure a fault, and logs it as the problem that it is or will be.
func (a *ACME) fail(message string) {
	a.shown.setFault(errors.New(a.attempts.Reason))
	p := a.shown.failed()
	// Else every failure would look like another problem to scim-bridge diagnose.
	delete(p.Details, problem.FactRetry)
	a.shown.logProblem(message, p, "next_attempt", a.attempts.Next.UTC().Format(time.RFC3339))
}

// setFacts sets the facts of every problem; next is when the authority is asked again.
func (a *ACME) setFacts(next time.Time) {
	facts := problem.Facts{
		problem.FactURL: a.cfg.Directory, problem.FactDataDir: a.cfg.DataDir, problem.FactDomain: a.cfg.Domain,
	}
	if !next.IsZero() {
		facts[problem.FactRetry] = next.UTC().Format(time.RFC3339)
	}
	a.shown.mu.Lock()
	defer a.shown.mu.Unlock()
	a.shown.facts = facts
}

func (a *ACME) certificateFile() string { return filepath.Join(a.cfg.Folder, a.cfg.Domain+".pem") }

func (a *ACME) attemptsFile() string {
	return filepath.Join(a.cfg.Folder, a.cfg.Domain+".attempts.json")
}

// readStored shows the stored certificate, unless it is in use.
func (a *ACME) readStored() {
	const most = 1 << 20
	text, err := durable.ReadFile(a.certificateFile(), most)
	if errors.Is(err, fs.ErrNotExist) {
		return
	}
	var p *pair
	if err == nil {
		name := fmt.Sprintf("%q", a.certificateFile())
		p, err = parse(text, text, name, name)
	}
	if err == nil {
		err = p.leaf().VerifyHostname(a.cfg.Domain)
	}
	if err != nil {
		a.cfg.Log.Error("the stored certificate cannot be used; another one is requested", "reason", err)
		return
	}
	if used := a.shown.current(); used == nil || !used.leaf().Equal(p.leaf()) {
		a.shown.show(p, judgement{})
	}
}

// TLS returns the configuration of a server that shows the certificate, and answers challenges.
func (a *ACME) TLS() *tls.Config {
	config := Config(a.get)
	config.NextProtos = append(config.NextProtos, acme.ALPNProto)
	return config
}

func (a *ACME) get(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
	if slices.Equal(hello.SupportedProtos, []string{acme.ALPNProto}) {
		a.mu.Lock()
		defer a.mu.Unlock()
		if a.challenge == nil || !strings.EqualFold(hello.ServerName, a.cfg.Domain) {
			return nil, errors.New("no challenge is open for this name")
		}
		return a.challenge, nil
	}
	if p := a.shown.current(); p != nil {
		return &p.shown, nil
	}
	return a.temporary, nil
}

// ChallengePath begins the paths of the challenges by HTTP.
const ChallengePath = "/.well-known/acme-challenge/"

// ServeHTTP answers challenges by HTTP.
func (a *ACME) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	a.mu.Lock()
	answer, open := a.answers[r.URL.Path]
	a.mu.Unlock()
	if !open {
		http.NotFound(w, r)
		return
	}
	w.Header().Set("Content-Type", "application/octet-stream")
	_, _ = w.Write([]byte(answer))
}

// Validity returns from when until when the certificate is valid; zero times if there is none.
func (a *ACME) Validity() (notBefore, notAfter time.Time) { return a.shown.Validity() }

// Report reports whether there is a certificate, and for how long. That a renewal fails is a problem when the
// end is near, and a line in the log before: an authority may be away for some days.
func (a *ACME) Report() health.Report {
	r := a.shown.report(false)
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.notStored != nil {
		r.Problems = append(r.Problems, *a.notStored)
		if r.State == health.Healthy {
			r.State = health.Degraded
		}
	}
	return r
}

// Reload asks the authority now if the certificate is missing or due, unless the authority said when to come back.
func (a *ACME) Reload() {
	select {
	case a.asked <- struct{}{}:
	default:
	}
}

// Run gets and renews the certificate until ctx ends. The server must be serving, since the authority asks it.
func (a *ACME) Run(ctx context.Context) {
	a.readStored() // the bridge that served before this one may have renewed it
	if stored, err := readAttempts(a.attemptsFile(), a.cfg.Now()); err == nil {
		a.attempts = stored
	}
	for {
		a.attempts.anchor(a.cfg.Now())
		a.setFacts(a.attempts.Next)
		timer := time.NewTimer(a.pause())
		asked := false
		select {
		case <-ctx.Done():
			timer.Stop()
			return
		case <-timer.C:
		case <-a.asked:
			timer.Stop()
			asked = true
		}
		a.shown.warn()
		a.storeAgain()
		switch now := a.cfg.Now(); {
		case now.Before(a.due()) || !asked && now.Before(a.next()):
		case now.Before(a.attempts.Held):
			a.cfg.Log.Warn("the authority asked not to come back before",
				"time", a.attempts.Held.UTC().Format(time.RFC3339))
		default:
			a.attempt(ctx, asked)
		}
	}
}

// pause returns how long Run may wait: at most an hour, since the machine may sleep and its clock may be corrected.
func (a *ACME) pause() time.Duration {
	if a.unstored != nil {
		return time.Minute
	}
	return min(time.Hour, a.next().Sub(a.cfg.Now()))
}

// due returns when the certificate is to be renewed.
func (a *ACME) due() time.Time {
	if p := a.shown.current(); p != nil {
		return dueOf(p)
	}
	return time.Time{}
}

func dueOf(p *pair) time.Time {
	leaf := p.leaf()
	return leaf.NotAfter.Add(-leaf.NotAfter.Sub(leaf.NotBefore) / 3)
}

// next returns when the authority is to be asked.
func (a *ACME) next() time.Time {
	next := a.due()
	if a.attempts.Next.After(next) {
		next = a.attempts.Next
	}
	return next
}

// attempt asks for a certificate once. It is counted before, so that a bridge that ends meanwhile, again and again,
// does not use up what the authority allows.
func (a *ACME) attempt(ctx context.Context, asked bool) {
	before := a.attempts
	a.attempts.count(nil, a.cfg.Now())
	err := a.attempts.write(a.attemptsFile())
	if err != nil {
		err = fmt.Errorf("noting the attempt, without which it is not made: %w", err)
	} else {
		limited, cancel := context.WithTimeout(ctx, attemptTimeout)
		err = a.obtain(limited, before, asked)
		cancel()
	}
	switch {
	case err == nil:
		a.succeed()
	case ctx.Err() == nil:
		before.Challenge = a.attempts.Challenge
		a.attempts = before
		a.attempts.count(err, a.cfg.Now())
		a.note()
		a.setFacts(a.attempts.Next)
		message := "could not get a certificate"
		if a.shown.current() != nil {
			message = "could not renew the certificate; the old one stays in use"
		}
		a.fail(message)
	}
}

// succeed ends a row of failures. One that is not stored must not be ordered again by each start: see storeAgain.
func (a *ACME) succeed() {
	a.attempts = attempts{Challenge: a.attempts.Challenge}
	a.setFacts(time.Time{})
	if a.unstored == nil {
		a.note()
		return
	}
	unstored := a.attempts
	unstored.count(&unusedError{errors.New("the certificate could not be stored")}, a.cfg.Now())
	if err := unstored.write(a.attemptsFile()); err != nil {
		a.cfg.Log.Warn("could not note that the authority was asked", "reason", err)
	}
}

// note stores what is known of the attempts.
func (a *ACME) note() {
	if err := a.attempts.write(a.attemptsFile()); err != nil {
		a.cfg.Log.Warn("could not note that the authority was asked", "reason", err)
	}
}

// store writes the certificate that is shown. It is used without that, too: another order would cost what the authority
// allows, and end like this one.
func (a *ACME) store(text []byte) {
	err := durable.WriteFile(a.certificateFile(), text)
	a.mu.Lock()
	defer a.mu.Unlock()
	if err == nil {
		a.unstored, a.notStored = nil, nil
		return
	}
	if a.unstored = text; a.notStored != nil {
		return
	}
	p := problem.New(problem.StorageFull, a.cfg.Now(), problem.Facts{
		problem.FactDataDir: a.cfg.DataDir, problem.FactDomain: a.cfg.Domain,
		problem.FactReason: durable.Reason(err).Error(),
	})
	a.notStored = &p
	a.shown.logProblem("could not store the new certificate, which is in use", p)
}

// storeAgain repeats a write that failed.
func (a *ACME) storeAgain() {
	if a.unstored == nil {
		return
	}
	a.store(a.unstored)
	if a.unstored == nil {
		a.cfg.Log.Info("the certificate is stored now")
		a.note()
	}
}

func keyToPEM(key *ecdsa.PrivateKey) ([]byte, error) {
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, err
	}
	return pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}), nil
}

// temporaryCertificate returns a certificate that its own key has signed.
func temporaryCertificate(domain string, now time.Time) (*tls.Certificate, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(now.UnixNano()),
		Subject:      pkix.Name{CommonName: "scim-bridge has no certificate yet"},
		DNSNames:     []string{domain},
		NotBefore:    now.Add(-time.Hour), NotAfter: now.AddDate(1, 0, 0),
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return nil, err
	}
	return &tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, nil
}
