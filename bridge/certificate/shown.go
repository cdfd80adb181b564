package certificate

import (
	"crypto/tls"
	"crypto/x509"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge/health"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/problem"
)

// Source is the name of the report about a certificate.
const Source = "certificate"

// warnInterval is the time between two lines of the log about a certificate that expires.
const warnInterval = 24 * time.Hour

// shown is the pair that clients see, and what is wrong with it or with its successor.
type shown struct {
	now   func() time.Time
	log   hclog.Logger
	facts problem.Facts // of every problem

	mu        sync.Mutex
	pair      *pair // nil before the first
	judgement judgement
	judged    time.Time
	// fault is why there is no newer pair; nil for none.
	fault      error
	faultSince time.Time
	warned     time.Time // of the end
}

// Validity returns from when until when the certificate is valid; zero times if there is none.
func (s *shown) Validity() (notBefore, notAfter time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.pair == nil {
		return time.Time{}, time.Time{}
	}
	return s.pair.leaf().NotBefore, s.pair.leaf().NotAfter
}

// current returns the pair; nil before the first.
func (s *shown) current() *pair {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.pair
}

// show replaces the pair and logs it.
func (s *shown) show(p *pair, j judgement) {
	now := s.now()
	s.mu.Lock()
	s.pair, s.judgement, s.judged, s.fault, s.warned = p, j, now, nil, time.Time{}
	s.mu.Unlock()
	leaf := p.leaf()
	s.log.Info("certificate", "names", p.names(), "issuer", leaf.Issuer.String(),
		"not_before", leaf.NotBefore.UTC().Format(time.RFC3339), "not_after", leaf.NotAfter.UTC().Format(time.RFC3339))
	if j != (judgement{}) {
		found := s.invalid(p, j, nil, now)
		s.logProblem(found.Title, found)
	}
	s.warn()
}

// judgeAgain judges a pair anew that clients may refuse: time may have made it valid.
func (s *shown) judgeAgain(domain string, roots *x509.CertPool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.judgement.reason != "" {
		s.judgement = s.pair.judge(domain, roots, s.now())
	}
}

// setFault records why there is no newer pair, and reports whether that was not known.
func (s *shown) setFault(err error) (isNew bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err == nil {
		s.fault = nil
		return false
	}
	isNew = s.fault == nil || s.fault.Error() != err.Error()
	if s.fault == nil {
		s.faultSince = s.now()
	}
	s.fault = err
	return isNew
}

// warn logs once a day that the certificate expires.
func (s *shown) warn() {
	s.mu.Lock()
	since := s.now().Sub(s.warned) // negative if the clock was wrong then
	p, due := s.pair, s.warned.IsZero() || since < 0 || since >= warnInterval
	if p == nil || !due || s.now().Before(p.warnFrom()) {
		s.mu.Unlock()
		return
	}
	s.warned = s.now()
	found := s.expiring(p, s.fault)
	s.mu.Unlock()
	s.logProblem(found.Title, found)
}

// failed returns the problem of having no newer pair, whenever the one that is shown ends.
func (s *shown) failed() problem.Problem {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.pair == nil {
		return s.invalid(nil, judgement{}, s.fault, s.faultSince)
	}
	return s.expiring(s.pair, s.fault)
}

// successor returns the problem of the fault that keeps a newer pair out.
func (s *shown) successor() problem.Problem {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.invalid(s.pair, judgement{}, s.fault, s.faultSince)
}

// logProblem writes a problem to the log, as scim-bridge diagnose reads it.
func (s *shown) logProblem(message string, p problem.Problem, more ...any) {
	fields := append([]any{problem.LogKey, string(p.Code)}, more...)
	for _, name := range slices.Sorted(maps.Keys(p.Details)) {
		fields = append(fields, name, p.Details[name])
	}
	s.log.Error(message, fields...)
}

// report reports the state of the certificate; reason describes a fault of the successor.
func (s *shown) report(faultMatters bool) health.Report {
	now := s.now()
	r := health.Report{Source: Source, Time: now, Expires: now.Add(time.Minute), State: health.Healthy}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.pair == nil {
		r.State = health.Unknown
		if s.fault != nil {
			r.State = health.Unhealthy
			r.Problems = append(r.Problems, s.invalid(nil, judgement{}, s.fault, s.faultSince))
		}
		return r
	}
	if !now.Before(s.pair.warnFrom()) {
		r.State = health.Degraded
		r.Problems = append(r.Problems, s.expiring(s.pair, s.fault))
	} else if s.fault != nil && faultMatters {
		r.State = health.Degraded
		r.Problems = append(r.Problems, s.invalid(s.pair, judgement{}, s.fault, s.faultSince))
	}
	if s.judgement != (judgement{}) {
		r.State = health.Degraded
		r.Problems = append(r.Problems, s.invalid(s.pair, s.judgement, nil, s.judged))
	}
	if !now.Before(s.pair.leaf().NotAfter) {
		r.State = health.Unhealthy // clients refuse it
	}
	return r
}

// expiring returns the problem of a certificate that has expired or soon will.
func (s *shown) expiring(p *pair, fault error) problem.Problem {
	facts := s.factsOf(p, fault)
	if !s.now().Before(p.leaf().NotAfter) {
		facts[problem.FactExpired] = "true"
	}
	return problem.New(problem.CertificateExpiring, p.warnFrom(), facts)
}

// invalid returns the problem of a certificate that clients may refuse, or of a fault that
// keeps a newer one out.
func (s *shown) invalid(p *pair, j judgement, fault error, since time.Time) problem.Problem {
	facts := s.factsOf(p, fault)
	if j.issuer != "" {
		facts[problem.FactIssuer] = j.issuer
	}
	if fault != nil {
		facts[problem.FactSuccessor] = "true"
	}
	if p == nil {
		delete(facts, problem.FactSuccessor)
		facts[problem.FactMissing] = "true"
	}
	if j.reason != "" {
		facts[problem.FactReason] = j.reason
	}
	return problem.New(problem.CertificateInvalid, since, facts)
}

func (s *shown) factsOf(p *pair, fault error) problem.Facts {
	facts := maps.Clone(s.facts)
	if p != nil {
		facts[problem.FactDomain] = p.names()
		facts[problem.FactExpires] = p.leaf().NotAfter.UTC().Format(time.RFC3339)
	}
	if fault != nil {
		facts[problem.FactReason] = fault.Error()
	}
	return facts
}

// get returns what clients are shown.
func (s *shown) get(*tls.ClientHelloInfo) (*tls.Certificate, error) { return &s.current().shown, nil }
