package certificate

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"golang.org/x/crypto/acme"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge/internal/durable"
)

// The kinds of challenges that the bridge answers (RFC 8737, 3; RFC 8555, 8.3).
const (
	byTLS  = "tls-alpn-01"
	byHTTP = "http-01"
)

// A pendingOrder is one that the authority was ready to issue for. Until its certificate is here, it is asked for again
// instead of another one: the authority may have issued and counted it.
type pendingOrder struct {
	url      string
	key      *ecdsa.PrivateKey
	failures int
}

// maxOrderFailures bounds how often the certificate of one order is asked for.
const maxOrderFailures = 5

// obtain gets a certificate, and shows and stores it.
func (a *ACME) obtain(ctx context.Context, before attempts, asked bool) error {
	client, err := a.client(ctx)
	if err != nil {
		return err
	}
	if a.pending == nil {
		kinds, validations := a.challenges(before, asked)
		order, err := a.authorize(ctx, client, kinds, validations)
		if err != nil {
			return err
		}
		key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		if err != nil {
			return err
		}
		a.pending = &pendingOrder{url: order.URI, key: key}
	}
	chain, err := a.pending.fetch(ctx, client, a.cfg.Domain)
	if err != nil {
		return a.keepOrder(ctx, client, fmt.Errorf("fetching the certificate: %w", err))
	}
	key := a.pending.key
	a.pending = nil
	if err := a.use(key, chain); err != nil {
		return &unusedError{err}
	}
	return nil
}

// challenges returns the kinds of challenges to try, the likeliest first, and how many of them may fail. Authorities
// count each: after the first failure the kinds take turns, unless the operator asks for an attempt.
func (a *ACME) challenges(before attempts, asked bool) (kinds []string, validations int) {
	kinds = []string{byTLS}
	if !a.cfg.HTTP01 {
		return kinds, 1
	}
	kinds = append(kinds, byHTTP)
	if before.Challenge == byHTTP {
		slices.Reverse(kinds)
	}
	if before.Refusals == 0 || asked {
		return kinds, len(kinds)
	}
	if before.Refusals%2 == 0 {
		slices.Reverse(kinds)
	}
	return kinds, 1
}

// fetch lets the authority issue the certificate, unless it has, and returns it with its chain.
func (p *pendingOrder) fetch(ctx context.Context, client *acme.Client, domain string) (chain [][]byte, err error) {
	order, err := client.WaitOrder(ctx, p.url)
	if err != nil {
		return nil, err
	}
	if order.Status == acme.StatusValid {
		return client.FetchCert(ctx, order.CertURL, true)
	}
	// Without a common name, which is limited to 64 characters and a certificate does not need.
	request, err := x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{DNSNames: []string{domain}},
		p.key)
	if err != nil {
		return nil, err
	}
	chain, _, err = client.CreateCertFromOrder(ctx, order, request, true)
	return chain, err
}

// keepOrder forgets the order whose certificate could not be fetched if the authority has refused it, or if asking for
// it again is of no use.
func (a *ACME) keepOrder(ctx context.Context, client *acme.Client, err error) error {
	if a.pending.failures++; a.pending.failures >= maxOrderFailures {
		a.pending = nil
		return &unusedError{err}
	}
	if isRefusal(err) {
		if order, asking := client.GetOrder(ctx, a.pending.url); asking != nil || order.Status != acme.StatusValid {
			a.pending = nil
		}
	}
	return err
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
	if _, err := client.Discover(ctx); err != nil {
		return nil, &undiscoveredError{fmt.Errorf("reading the directory of the authority: %w", err)}
	}
	_, err = client.Register(ctx, &acme.Account{Contact: contact}, acme.AcceptTOS)
	switch {
	case errors.Is(err, acme.ErrAccountAlreadyExists):
		a.updateContact(ctx, client, contact)
	case err != nil:
		return nil, fmt.Errorf("registering at the authority: %w", err)
	}
	return client, nil
}

// updateContact tells the authority another e-mail address than it has, if one is set. A certificate is worth more than
// that.
func (a *ACME) updateContact(ctx context.Context, client *acme.Client, contact []string) {
	if contact == nil {
		return
	}
	account, err := client.GetReg(ctx, "")
	if err == nil && !slices.Equal(account.Contact, contact) {
		_, err = client.UpdateReg(ctx, &acme.Account{Contact: contact})
	}
	if err != nil {
		a.cfg.Log.Warn("could not tell the authority the address of --acme-email; a certificate is requested all the "+
			"same", "reason", explain(err))
	}
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

// A notOfferedError is that the authority offers no challenge of the kinds that the bridge can answer.
type notOfferedError struct{ kinds, offered []string }

func (e *notOfferedError) Error() string {
	offered := "none"
	if len(e.offered) > 0 {
		offered = strings.Join(e.offered, ", ")
	}
	remedy := ""
	if !slices.Contains(e.kinds, byHTTP) && slices.Contains(e.offered, byHTTP) {
		remedy = ": set --ping-listen, and let port 80 of the name lead to it"
	}
	return fmt.Sprintf("the authority does not offer a challenge by %s, only by %s%s", strings.Join(e.kinds, " or "),
		offered, remedy)
}

// authorize proves that the domain leads here, by challenges of the kinds, the first first. As many validations may
// fail. It returns the order when the authority is ready to issue.
func (a *ACME) authorize(ctx context.Context, client *acme.Client, kinds []string, validations int) (
	*acme.Order, error,
) {
	var failures []error
	for {
		order, kind, err := a.prove(ctx, client, kinds)
		if err == nil {
			return order, nil
		}
		if kind != "" {
			err = fmt.Errorf("by %s: %w", kind, err)
		}
		failures = append(failures, err)
		_, refused := errors.AsType[*acme.AuthorizationError](err)
		kinds = slices.DeleteFunc(kinds, func(k string) bool { return k == kind })
		if !refused || len(kinds) == 0 || len(failures) == validations {
			return nil, errors.Join(failures...)
		}
	}
}

// prove orders a certificate and answers its challenges, of the first of the kinds that the authority offers. It
// returns that kind; empty if none was answered.
func (a *ACME) prove(ctx context.Context, client *acme.Client, kinds []string) (
	order *acme.Order, kind string, err error,
) {
	if order, err = client.AuthorizeOrder(ctx, acme.DomainIDs(a.cfg.Domain)); err != nil {
		return nil, "", fmt.Errorf("ordering a certificate: %w", err)
	}
	for _, url := range order.AuthzURLs {
		authorization, err := client.GetAuthorization(ctx, url)
		if err != nil {
			return nil, kind, err
		}
		if authorization.Status == acme.StatusValid {
			continue
		}
		challenge, err := choose(authorization, kinds)
		if err != nil {
			return nil, kind, err
		}
		kind = challenge.Type
		if err := a.answer(ctx, client, authorization, challenge); err != nil {
			return nil, kind, err
		}
	}
	if order, err = client.WaitOrder(ctx, order.URI); err != nil {
		return nil, kind, err
	}
	if kind != "" {
		a.attempts.Challenge = kind
	}
	return order, kind, nil
}

// choose returns the challenge of the first of the kinds that is offered.
func choose(of *acme.Authorization, kinds []string) (*acme.Challenge, error) {
	var offered []string
	for _, c := range of.Challenges {
		offered = append(offered, c.Type)
	}
	for _, kind := range kinds {
		if i := slices.Index(offered, kind); i >= 0 {
			return of.Challenges[i], nil
		}
	}
	return nil, &notOfferedError{kinds, offered}
}

// answer lets the authority check one challenge, and waits for the result.
func (a *ACME) answer(ctx context.Context, client *acme.Client, of *acme.Authorization, c *acme.Challenge) error {
	defer a.forgetChallenges()
	if c.Type == byHTTP {
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
	if _, err := client.WaitAuthorization(ctx, of.URI); err != nil {
		return &acceptedError{err}
	}
	return nil
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
	a.store(text)
	return nil
}
