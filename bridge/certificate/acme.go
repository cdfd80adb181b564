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

	attempts attempts // only Run and OpenACME use them

	mu        sync.Mutex
	challenge *tls.Certificate  // of TLS-ALPN-01 (RFC 8737); nil for none
	answers   map[string]string // of HTTP-01 (RFC 8555, 8.3), by path
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
	if a.attempts, err = readAttempts(cfg.Folder); err != nil {
		cfg.Log.Warn("could not read when the authority may be asked again", "reason", err)
	}
	a.setFacts(a.attempts.Next)
	a.readStored()
	if a.attempts.Failures > 0 {
		a.shown.setFault(errors.New(a.attempts.Reason))
	}
	return a, nil
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
func (a *ACME) Report() health.Report { return a.shown.report(false) }

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
	if stored, err := readAttempts(a.cfg.Folder); err == nil {
		a.attempts = stored
	}
	for {
		// At least once an hour, since the machine may have slept.
		timer := time.NewTimer(min(time.Hour, a.next().Sub(a.cfg.Now())))
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
		switch now := a.cfg.Now(); {
		case now.Before(a.due()) || !asked && now.Before(a.next()):
		case now.Before(a.attempts.Held):
			a.cfg.Log.Warn("the authority asked not to come back before",
				"time", a.attempts.Held.UTC().Format(time.RFC3339))
		default:
			a.attempt(ctx)
		}
	}
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
func (a *ACME) attempt(ctx context.Context) {
	a.attempts.count(nil, a.cfg.Now())
	err := a.attempts.write(a.cfg.Folder)
	if err == nil {
		limited, cancel := context.WithTimeout(ctx, attemptTimeout)
		err = a.obtain(limited)
		cancel()
	}
	if ctx.Err() != nil {
		return
	}
	if err == nil {
		a.attempts = attempts{}
		if err := a.attempts.write(a.cfg.Folder); err != nil {
			a.cfg.Log.Warn("could not note that the authority was asked", "reason", err)
		}
		a.setFacts(time.Time{})
		return
	}
	a.attempts.Failures--
	a.attempts.count(err, a.cfg.Now())
	if err := a.attempts.write(a.cfg.Folder); err != nil {
		a.cfg.Log.Warn("could not note that the authority was asked", "reason", err)
	}
	a.setFacts(a.attempts.Next)
	a.shown.setFault(errors.New(a.attempts.Reason))
	message := "could not get a certificate"
	fields := []any{
		"domain", a.cfg.Domain, "reason", a.attempts.Reason,
		"next_attempt", a.attempts.Next.UTC().Format(time.RFC3339),
	}
	if _, until := a.Validity(); !until.IsZero() {
		message = "could not renew the certificate; the old one stays in use"
		fields = append(fields, "not_after", until.UTC().Format(time.RFC3339))
	}
	a.cfg.Log.Error(message, fields...)
}

// obtain gets a certificate, and shows and stores it.
func (a *ACME) obtain(ctx context.Context) error {
	client, err := a.client(ctx)
	if err != nil {
		return err
	}
	order, err := a.authorize(ctx, client, "tls-alpn-01")
	if _, refused := errors.AsType[*acme.AuthorizationError](err); refused && a.cfg.HTTP01 {
		byTLS := err
		if order, err = a.authorize(ctx, client, "http-01"); err != nil {
			return fmt.Errorf("%w; by HTTP: %w", byTLS, err)
		}
	}
	if err != nil {
		return err
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return err
	}
	request, err := x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{
		Subject: pkix.Name{CommonName: a.cfg.Domain}, DNSNames: []string{a.cfg.Domain},
	}, key)
	if err != nil {
		return err
	}
	chain, _, err := client.CreateCertFromOrder(ctx, order, request, true)
	if err != nil {
		return fmt.Errorf("fetching the certificate: %w", err)
	}
	return a.use(key, chain)
}

// client returns a client with an account at the authority. Registering again finds the account.
func (a *ACME) client(ctx context.Context) (*acme.Client, error) {
	key, err := a.accountKey()
	if err != nil {
		return nil, err
	}
	client := &acme.Client{
		Key: key, HTTPClient: a.cfg.Client, DirectoryURL: a.cfg.Directory, UserAgent: a.cfg.UserAgent,
		RetryBackoff: retryBackoff,
	}
	var contact []string
	if a.cfg.Email != "" {
		contact = []string{"mailto:" + a.cfg.Email}
	}
	_, err = client.Register(ctx, &acme.Account{Contact: contact}, acme.AcceptTOS)
	if err != nil && !errors.Is(err, acme.ErrAccountAlreadyExists) {
		return nil, fmt.Errorf("registering at the authority: %w", err)
	}
	return client, nil
}

// retryBackoff says when one request is repeated: soon and not often. Where the authority limits the rate, the whole
// attempt is repeated later.
func retryBackoff(n int, _ *http.Request, answer *http.Response) time.Duration {
	const most = 5
	if n > most || answer != nil && answer.StatusCode == http.StatusTooManyRequests {
		return -1
	}
	return time.Duration(n) * time.Second
}

// accountKey returns the key of the account at the authority, made once.
func (a *ACME) accountKey() (*ecdsa.PrivateKey, error) {
	path := filepath.Join(a.cfg.Folder, "account.key")
	text, err := durable.ReadFile(path, 64<<10)
	if errors.Is(err, fs.ErrNotExist) {
		key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		if err != nil {
			return nil, err
		}
		text, err := keyToPEM(key)
		if err != nil {
			return nil, err
		}
		return key, durable.WriteFile(path, text)
	}
	if err != nil {
		return nil, fmt.Errorf("reading the key of the account at the authority: %w", err)
	}
	signer, err := parseKey(text, fmt.Sprintf("%q", path))
	if err != nil {
		return nil, err
	}
	key, ok := signer.(*ecdsa.PrivateKey)
	if !ok {
		return nil, fmt.Errorf("the key in %q is not one that the bridge has made: remove the file", path)
	}
	return key, nil
}

// authorize proves by challenges of a kind that the domain leads here, and returns the order when the authority is
// ready to issue.
func (a *ACME) authorize(ctx context.Context, client *acme.Client, kind string) (*acme.Order, error) {
	order, err := client.AuthorizeOrder(ctx, acme.DomainIDs(a.cfg.Domain))
	if err != nil {
		return nil, fmt.Errorf("ordering a certificate: %w", err)
	}
	for _, url := range order.AuthzURLs {
		authorization, err := client.GetAuthorization(ctx, url)
		if err != nil {
			return nil, err
		}
		if authorization.Status == acme.StatusValid {
			continue
		}
		i := slices.IndexFunc(authorization.Challenges, func(c *acme.Challenge) bool { return c.Type == kind })
		if i < 0 {
			return nil, fmt.Errorf("the authority does not offer a challenge by %s", kind)
		}
		if err := a.answer(ctx, client, authorization, authorization.Challenges[i]); err != nil {
			return nil, err
		}
	}
	return client.WaitOrder(ctx, order.URI)
}

// answer lets the authority check one challenge, and waits for the result.
func (a *ACME) answer(ctx context.Context, client *acme.Client, of *acme.Authorization, c *acme.Challenge) error {
	defer a.forgetChallenges()
	if c.Type == "http-01" {
		answer, err := client.HTTP01ChallengeResponse(c.Token)
		if err != nil {
			return err
		}
		a.mu.Lock()
		a.answers[client.HTTP01ChallengePath(c.Token)] = answer
		a.mu.Unlock()
	} else {
		shown, err := client.TLSALPN01ChallengeCert(c.Token, a.cfg.Domain)
		if err != nil {
			return err
		}
		a.mu.Lock()
		a.challenge = &shown
		a.mu.Unlock()
	}
	if _, err := client.Accept(ctx, c); err != nil {
		return err
	}
	_, err := client.WaitAuthorization(ctx, of.URI)
	return err
}

func (a *ACME) forgetChallenges() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.challenge = nil
	clear(a.answers)
}

// use shows and stores a new certificate.
func (a *ACME) use(key *ecdsa.PrivateKey, chain [][]byte) error {
	text, err := keyToPEM(key)
	if err != nil {
		return err
	}
	for _, der := range chain {
		text = append(text, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})...)
	}
	p, err := parse(text, text, "the authority's answer", "the authority's answer")
	if err != nil {
		return err
	}
	if err := p.leaf().VerifyHostname(a.cfg.Domain); err != nil {
		return fmt.Errorf("the authority issued another certificate: %w", err)
	}
	if !a.cfg.Now().Before(dueOf(p)) { // else it would be renewed at once, again and again
		return fmt.Errorf("the authority issued a certificate that is valid until %s: check the clock of this machine",
			p.leaf().NotAfter.UTC().Format(time.RFC3339))
	}
	a.shown.show(p, judgement{})
	if err := durable.WriteFile(a.certificateFile(), text); err != nil {
		// Not a failure: another order would cost the authority's patience, and end like this one.
		a.cfg.Log.Error("could not store the new certificate: a restart will need another one", "reason", err)
	}
	return nil
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
