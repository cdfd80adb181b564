package certificate

import (
	"bytes"
	"crypto/x509"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
)

// A judgement is why clients may refuse a certificate, apart from its end.
type judgement struct {
	reason string // empty for none
	// issuer is whose certificate the chain lacks; empty if it is complete.
	issuer string
}

// judge reports why clients may refuse a pair under a domain, which may be empty. Roots are the
// certificates that clients are expected to have; nil means those of this machine.
func (p *pair) judge(domain string, roots *x509.CertPool, now time.Time) judgement {
	if reason := p.unfit(domain, now); reason != "" {
		return judgement{reason: reason}
	}
	return judgement{issuer: p.missingIssuer(roots, now)}
}

// unfit returns why every client refuses a certificate under a domain, which may be empty, apart from its end; empty
// if they do not.
func (p *pair) unfit(domain string, now time.Time) string {
	leaf := p.leaf()
	names := p.names()
	switch {
	case now.Before(leaf.NotBefore):
		return "it is not valid before " + leaf.NotBefore.UTC().Format(time.RFC3339)
	case names == "":
		return "it names no host: clients ignore the common name"
	case domain != "" && leaf.VerifyHostname(domain) != nil:
		return fmt.Sprintf("it is not for %s: it names %s", domain, names)
	case !forServers(leaf):
		return "its extended key usage does not allow servers"
	}
	return ""
}

// refused returns why every client refuses a certificate; empty if they do not.
func (p *pair) refused(domain string, now time.Time) string {
	if end := p.leaf().NotAfter; !now.Before(end) {
		return "it expired at " + end.UTC().Format(time.RFC3339)
	}
	return p.unfit(domain, now)
}

// names returns the hosts of the certificate as a text.
func (p *pair) names() string {
	names := slices.Clone(p.leaf().DNSNames)
	for _, ip := range p.leaf().IPAddresses {
		names = append(names, ip.String())
	}
	const most = 5
	if len(names) > most {
		return fmt.Sprintf("%s and %d more", strings.Join(names[:most], ", "), len(names)-most)
	}
	return strings.Join(names, ", ")
}

func forServers(leaf *x509.Certificate) bool {
	if len(leaf.ExtKeyUsage) == 0 && len(leaf.UnknownExtKeyUsage) == 0 {
		return true
	}
	return slices.ContainsFunc(leaf.ExtKeyUsage, func(u x509.ExtKeyUsage) bool {
		return u == x509.ExtKeyUsageServerAuth || u == x509.ExtKeyUsageAny
	})
}

// missingIssuer returns the name of the issuer at which the chain ends, unless that is a root:
// in the chain, or among roots. A private authority's root, which this machine need not have,
// cannot be told from an intermediate certificate; a chain that includes it is complete.
func (p *pair) missingIssuer(roots *x509.CertPool, now time.Time) string {
	last := p.leaf()
	for range p.chain {
		if isRoot(last) {
			return ""
		}
		i := slices.IndexFunc(p.chain, func(c *x509.Certificate) bool {
			return bytes.Equal(c.RawSubject, last.RawIssuer) && last.CheckSignatureFrom(c) == nil
		})
		if i < 0 {
			break
		}
		last = p.chain[i]
	}
	intermediates := x509.NewCertPool()
	for _, c := range p.chain[1:] {
		intermediates.AddCert(c)
	}
	_, err := p.leaf().Verify(x509.VerifyOptions{
		Roots: roots, Intermediates: intermediates, CurrentTime: now,
		KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageAny},
	})
	if _, unknown := errors.AsType[x509.UnknownAuthorityError](err); !unknown {
		return ""
	}
	return last.Issuer.String()
}

// isRoot reports whether a certificate is signed by its own key.
func isRoot(c *x509.Certificate) bool {
	return bytes.Equal(c.RawSubject, c.RawIssuer) &&
		c.CheckSignature(c.SignatureAlgorithm, c.RawTBSCertificate, c.Signature) == nil
}

// mostWarning bounds how long before its end a certificate is said to expire.
const mostWarning = 14 * 24 * time.Hour

// warnFrom returns when a certificate's end is near. Whatever renews certificates does so when
// a third of their lifetime is left, some when half of it is; with a fifth left, that has failed.
func (p *pair) warnFrom() time.Time {
	leaf := p.leaf()
	return leaf.NotAfter.Add(-min(mostWarning, leaf.NotAfter.Sub(leaf.NotBefore)/5))
}
