package certificate

import (
	"bytes"
	"crypto/x509"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge/health"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/problem"
)

const domain = "scim.example.com"

// a bridge's source of certificates, with a clock.
type source struct {
	*ACME
	t      *testing.T
	cfg    ACMEConfig
	now    time.Time
	log    bytes.Buffer
	folder string
}

func newSource(t *testing.T, a *authority, change func(*ACMEConfig)) *source {
	t.Helper()
	s := &source{t: t, now: time.Now(), folder: t.TempDir()}
	s.cfg = ACMEConfig{
		Domain: domain, Directory: a.url + "/directory", Folder: s.folder, DataDir: "/srv/bridge",
		Client: &http.Client{Transport: &http.Transport{DisableKeepAlives: true}},
		Log:    hclog.New(&hclog.LoggerOptions{Name: "scim-bridge.certificate", Output: &s.log}),
		Now:    func() time.Time { return s.now },
	}
	if change != nil {
		change(&s.cfg)
	}
	a.now = s.cfg.Now
	s.restart()
	return s
}

// restart is a new process on the same folder.
func (s *source) restart() {
	s.t.Helper()
	a, err := OpenACME(s.cfg)
	if err != nil {
		s.t.Fatal(err)
	}
	s.ACME = a
}

// attemptWhenDue makes the attempt that Run would make at its time.
func (s *source) attemptWhenDue() {
	if next := s.next(); next.After(s.now) {
		s.now = next
	}
	s.attempt(s.t.Context(), false)
}

// diagnosed returns what scim-bridge diagnose finds in the log.
func (s *source) diagnosed() []problem.Problem {
	s.t.Helper()
	found, err := problem.Diagnose(strings.NewReader(s.log.String()))
	if err != nil {
		s.t.Fatal(err)
	}
	return found.Problems
}

func withHTTP(c *ACMEConfig) { c.HTTP01 = true }

// Authorities offer what they like, and a proxy in front of the bridge may end TLS.
func TestTheChallengeIsOneThatTheAuthorityOffers(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		name           string
		http           bool // --ping-listen
		last           string
		offers, proves []string
		validated      []string
		want           string // the reason of the failure; empty for none
	}{
		{"both are offered", true, "", []string{byTLS, byHTTP}, []string{byTLS, byHTTP}, []string{byTLS}, ""},
		{"only HTTP is offered", true, "", []string{byHTTP}, []string{byHTTP}, []string{byHTTP}, ""},
		{"only HTTP is offered, and the bridge does not answer it", false, "", []string{byHTTP, "dns-01"}, nil, nil,
			"does not offer a challenge by tls-alpn-01, only by http-01, dns-01: set --ping-listen"},
		{"only DNS is offered", true, "", []string{"dns-01"}, nil, nil,
			"does not offer a challenge by tls-alpn-01 or http-01, only by dns-01"},
		{"nothing is offered", true, "", nil, nil, nil, "only by none"},
		{"TLS fails", true, "", []string{byTLS, byHTTP}, []string{byHTTP}, []string{byTLS, byHTTP}, ""},
		{"TLS fails, and HTTP is not offered", true, "", []string{byTLS}, nil, []string{byTLS},
			"by tls-alpn-01: "},
		{"HTTP was the way last time", true, byHTTP, []string{byTLS, byHTTP}, []string{byHTTP}, []string{byHTTP}, ""},
		{"HTTP was the way last time, and is not offered", true, byHTTP, []string{byTLS}, []string{byTLS},
			[]string{byTLS}, ""},
		{"HTTP was the way last time, and fails", true, byHTTP, []string{byTLS, byHTTP}, []string{byTLS},
			[]string{byHTTP, byTLS}, ""},
		{"HTTP was the way last time, and the bridge does not answer it now", false, byHTTP, []string{byTLS, byHTTP},
			[]string{byTLS}, []string{byTLS}, ""},
		{"both fail", true, "", []string{byTLS, byHTTP}, nil, []string{byTLS, byHTTP}, "; by http-01: "},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			a := newAuthority(t)
			a.offers, a.proves = row.offers, row.proves
			s := newSource(t, a, func(c *ACMEConfig) { c.HTTP01 = row.http })
			s.attempts.Challenge = row.last
			s.attemptWhenDue()
			if !slices.Equal(a.validated, row.validated) {
				t.Errorf("the authority checked %v, want %v", a.validated, row.validated)
			}
			if !strings.Contains(s.attempts.Reason, row.want) || (s.attempts.Reason == "") != (row.want == "") {
				t.Errorf("the reason is %q, want %q", s.attempts.Reason, row.want)
			}
			if issued := s.shown.current() != nil; issued != (row.want == "") {
				t.Errorf("there is a certificate: %v", issued)
			}
		})
	}
}

// Let's Encrypt allows five failed validations an hour.
func TestFailedAttemptsKeepToWhatTheAuthorityAllows(t *testing.T) {
	t.Parallel()
	a := newAuthority(t)
	a.proves = nil
	s := newSource(t, a, withHTTP)
	start := s.now
	for s.next().Before(start.Add(time.Hour)) {
		s.attemptWhenDue()
	}
	want := []string{byTLS, byHTTP, byTLS, byHTTP, byTLS}
	if !slices.Equal(a.validated, want) {
		t.Errorf("in an hour the authority checked %v, want %v", a.validated, want)
	}
	// The operator has opened port 80, and asks: the next turn would be another hour away.
	a.proves, a.validated = []string{byHTTP}, nil
	s.attempt(t.Context(), true)
	if s.shown.current() == nil {
		t.Errorf("checked %v, and no certificate: %s", a.validated, s.attempts.Reason)
	}
	// Its renewal costs one.
	a.validated = nil
	s.attemptWhenDue()
	if !slices.Equal(a.validated, []string{byHTTP}) || a.issued != 2 {
		t.Errorf("%d certificates; the renewal checked %v, want HTTP alone", a.issued, a.validated)
	}
}

// A proxy on the way answers for the authority, which counts nothing.
func TestWhereTheAuthorityIsNotFoundItIsAskedAgainSoon(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		status int
		kind   string
	}{{403, "none"}, {404, "none"}, {407, "none"}, {403, "unauthorized"}, {-1, ""}} {
		t.Run(fmt.Sprint(row.status, row.kind), func(t *testing.T) {
			t.Parallel()
			a := newAuthority(t)
			a.refuse = func(path string) (int, string) {
				if path == "/directory" {
					return row.status, row.kind
				}
				return 0, ""
			}
			s := newSource(t, a, func(c *ACMEConfig) { c.Client.Timeout = time.Minute })
			for range 10 {
				s.attemptWhenDue()
			}
			if wait := s.next().Sub(s.now); wait > 20*time.Minute || s.attempts.Refusals != 0 {
				t.Errorf("after ten attempts it is asked again in %s: %+v", wait, s.attempts)
			}
			a.mu.Lock()
			a.refuse = func(string) (int, string) { return 0, "" }
			a.mu.Unlock()
			if s.attemptWhenDue(); s.shown.current() == nil {
				t.Errorf("there is no certificate: %s", s.attempts.Reason)
			}
		})
	}
}

// Until a certificate is here, it is asked for again by the same order: the authority counts what it issues.
func TestACertificateThatCouldNotBeFetchedIsNotOrderedAgain(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		name   string
		path   string // that fails
		status int
		kind   string
		times  int
		orders int // in all
		wait   time.Duration
	}{
		{"the connection breaks", "/certificate/1", -1, "", 2, 1, 0},
		{"the authority answers 503", "/certificate/1", 503, "serverInternal", 2, 1, 0},
		{"the authority refuses to hand it out", "/certificate/1", 403, "unauthorized", 2, 1, 0},
		{"the connection breaks when it is to be issued", "/finalize/1", -1, "", 2, 1, 0},
		{"the authority refuses to issue it", "/finalize/1", 403, "caa", 2, 2, 0},
		{"it never comes", "/certificate/1", -1, "", 1000, 2, 0},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			a := newAuthority(t)
			failed := 0
			a.refuse = func(path string) (int, string) {
				if path != row.path || failed >= row.times {
					return 0, ""
				}
				failed++
				return row.status, row.kind
			}
			s := newSource(t, a, func(c *ACMEConfig) { c.Client.Timeout = time.Minute })
			for range 10 {
				if s.shown.current() == nil {
					s.attemptWhenDue()
				}
			}
			if s.shown.current() == nil || len(a.orders) != row.orders {
				t.Errorf("%d orders, want %d; %s", len(a.orders), row.orders, s.attempts.Reason)
			}
		})
	}
}

func TestACertificateOfNoUseIsNotOrderedAgainSoon(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		name   string
		change func(*authority, *source)
		want   string
	}{
		{"it is for another name", func(a *authority, _ *source) {
			a.names = func(*x509.CertificateRequest) []string { return []string{"other.example.com"} }
		}, "issued another certificate"},
		{"it has expired, by this machine's clock", func(a *authority, s *source) {
			a.now, s.now = time.Now, s.now.AddDate(4, 0, 0)
		},
			"check the clock of this machine"},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			a := newAuthority(t)
			s := newSource(t, a, nil)
			row.change(a, s)
			start := s.now
			for s.next().Before(start.AddDate(0, 0, 7)) {
				s.attemptWhenDue()
			}
			if a.issued > 5 || !strings.Contains(s.attempts.Reason, row.want) {
				t.Errorf("%d certificates in seven days, want five at most; %s", a.issued, s.attempts.Reason)
			}
		})
	}
}

// A full disk or a wrong mode keeps nobody from the certificate that is here, and does not cost one for each start.
func TestACertificateThatCannotBeStoredIsUsed(t *testing.T) {
	t.Parallel()
	a := newAuthority(t)
	s := newSource(t, a, nil)
	obstacle := filepath.Join(s.certificateFile(), "x")
	if err := os.MkdirAll(obstacle, 0o700); err != nil {
		t.Fatal(err)
	}
	s.attemptWhenDue()
	r := s.Report()
	if s.shown.current() == nil || r.State != health.Degraded || len(r.Problems) != 1 ||
		r.Problems[0].Code != problem.StorageFull {
		t.Fatalf("it is not used, or nothing is said: %+v", r)
	}
	if found := s.diagnosed(); len(found) != 1 || found[0].Cause != r.Problems[0].Cause ||
		!strings.Contains(found[0].Cause, "the certificate for "+domain+", which it uses") {
		t.Errorf("diagnose finds %+v in %s", found, s.log.String())
	}
	running := s.ACME
	s.restart()
	if wait := s.next().Sub(s.now); wait < 5*time.Minute {
		t.Errorf("the next start orders another one after %s", wait)
	}
	s.ACME = running
	if wait := s.pause(); wait > time.Minute {
		t.Errorf("it is stored again after %s", wait)
	}
	if err := os.RemoveAll(s.certificateFile()); err != nil {
		t.Fatal(err)
	}
	s.storeAgain()
	if r := s.Report(); r.State != health.Healthy {
		t.Errorf("it is stored: %+v", r)
	}
	s.restart()
	if s.shown.current() == nil || a.issued != 1 {
		t.Errorf("after the obstacle is gone, it is not stored; %d were issued", a.issued)
	}
	if s.attempts.Unused != 0 {
		t.Errorf("the attempts are %+v", s.attempts)
	}
}

// Another domain, or the same one after a correction, has nothing to wait for.
func TestAWaitIsForOneDomainAndIsToldAtTheStart(t *testing.T) {
	t.Parallel()
	a := newAuthority(t)
	a.proves = nil
	s := newSource(t, a, nil)
	s.attemptWhenDue()
	wait := s.next().Sub(s.now)
	if wait < time.Minute {
		t.Fatalf("the next attempt is after %s", wait)
	}
	s.log.Reset()
	s.restart()
	if again := s.next().Sub(s.now); again != wait {
		t.Errorf("after a restart it is after %s, want %s", again, wait)
	}
	if log := s.log.String(); !strings.Contains(log, "next_attempt="+s.next().UTC().Format(time.RFC3339)) ||
		!strings.Contains(log, "no tls-alpn-01") {
		t.Errorf("the start says nothing of the wait: %s", log)
	}
	if found := s.diagnosed(); len(found) != 1 || found[0].Code != problem.CertificateInvalid {
		t.Errorf("diagnose finds %+v", found)
	}
	s.log.Reset()
	s.cfg.Domain = "other.example.com"
	s.restart()
	if next := s.next(); next.After(s.now) || s.log.Len() > 0 {
		t.Errorf("another domain waits until %s: %s", next, s.log.String())
	}
}

// What fails is in the log as the problem that the status page has.
func TestAFailedAttemptIsFoundInTheLog(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		name  string
		days  int // of the certificate that have passed; negative if there is none
		code  problem.Code
		title string
	}{
		{"there is no certificate", -1, problem.CertificateInvalid, "There is no certificate yet"},
		{"a certificate has a month left", 61, problem.CertificateExpiring, "The certificate could not be renewed"},
		{"a certificate has a week left", 83, problem.CertificateExpiring, "The certificate could not be renewed"},
		{"a certificate has expired", 91, problem.CertificateExpiring, "The certificate has expired"},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			a := newAuthority(t)
			s := newSource(t, a, nil)
			if row.days >= 0 {
				s.attemptWhenDue()
				s.now = s.now.AddDate(0, 0, row.days)
			}
			a.proves = nil
			s.log.Reset()
			for range 3 {
				s.attemptWhenDue()
			}
			found := s.diagnosed()
			if len(found) != 1 || found[0].Code != row.code || found[0].Title != row.title ||
				found[0].Details["count"] != "3" || !strings.Contains(found[0].Cause, "no tls-alpn-01") ||
				!strings.Contains(found[0].Remedy, "scim-bridge reload /srv/bridge") {
				t.Errorf("diagnose finds %+v in:\n%s", found, s.log.String())
			}
		})
	}
}

func TestAClockThatWasWrongDoesNotKeepTheEndFromTheLog(t *testing.T) {
	t.Parallel()
	a := newAuthority(t)
	s := newSource(t, a, nil)
	s.attemptWhenDue()
	right := s.now.AddDate(0, 0, 85)
	s.now = s.now.AddDate(10, 0, 0)
	s.shown.warn()
	s.now = right
	s.log.Reset()
	s.shown.warn()
	if !strings.Contains(s.log.String(), "problem=certificate_expiring") {
		t.Errorf("the log: %s", s.log.String())
	}
}

// The address is the authority's way to the operator, and changes.
func TestAnotherAddressReachesTheAuthority(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		name          string
		first, second string
		fails         bool
		want          string
		updates       int
	}{
		{"the same", "a@example.com", "a@example.com", false, "mailto:a@example.com", 0},
		{"another", "a@example.com", "b@example.com", false, "mailto:b@example.com", 1},
		{"the first", "", "b@example.com", false, "mailto:b@example.com", 1},
		{"none any more, which ACME clients cannot say", "a@example.com", "", false, "mailto:a@example.com", 0},
		{"one that the authority refuses", "a@example.com", "b@example.com", true, "mailto:a@example.com", 0},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			a := newAuthority(t)
			s := newSource(t, a, func(c *ACMEConfig) { c.Email = row.first })
			s.attemptWhenDue()
			s.cfg.Email = row.second
			s.restart()
			if row.fails {
				a.refuse = func(path string) (int, string) {
					if path == "/account/1" {
						return 400, "invalidContact"
					}
					return 0, ""
				}
			}
			s.attemptWhenDue()
			if got := strings.Join(a.contact, " "); got != row.want || a.updates != row.updates || a.issued != 2 {
				t.Errorf("the authority has %s, %d updates, %d certificates; want %s, %d", got, a.updates, a.issued,
					row.want, row.updates)
			}
			if said := strings.Contains(s.log.String(), "--acme-email"); said != row.fails {
				t.Errorf("the log: %s", s.log.String())
			}
		})
	}
}
