package page

import (
	"crypto/rand"
	"crypto/sha256"
	"net/http"
	"sync"
	"time"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge/internal/httpkit"
)

const (
	cookieName = "scim-bridge"
	// idleLife is how long a sign-in lasts without a request of a person.
	idleLife = 30 * time.Minute
	// longestLife is how long it lasts at most.
	longestLife = 12 * time.Hour
	// maxSessions bounds the memory; beyond it, the sign-in that was used least recently ends.
	maxSessions = 256
)

// sessions are the sign-ins. They end with the process.
type sessions struct {
	mu  sync.Mutex
	all map[[sha256.Size]byte]*signIn // by the digest of the cookie's value
}

type signIn struct {
	// pass says for which token it was; it is void when the token is, or when the bridge was sealed since.
	pass        string
	began, used time.Time
}

func (s signIn) isOver(now time.Time) bool {
	return now.Sub(s.used) >= idleLife || now.Sub(s.began) >= longestLife
}

// begin returns the value of a new cookie.
func (s *sessions) begin(pass string, now time.Time) string {
	value := rand.Text()
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.all == nil {
		s.all = make(map[[sha256.Size]byte]*signIn)
	}
	for key, other := range s.all {
		if other.isOver(now) {
			delete(s.all, key)
		}
	}
	if len(s.all) >= maxSessions {
		var oldest [sha256.Size]byte
		for key, other := range s.all {
			if first := s.all[oldest]; first == nil || other.used.Before(first.used) {
				oldest = key
			}
		}
		delete(s.all, oldest)
	}
	s.all[sha256.Sum256([]byte(value))] = &signIn{pass: pass, began: now, used: now}
	return value
}

// use reports whether a cookie's value is that of a sign-in. A request that is not idle keeps it alive.
func (s *sessions) use(value string, now time.Time, idle bool, isValid func(pass string) bool) bool {
	key := sha256.Sum256([]byte(value))
	s.mu.Lock()
	found := s.all[key]
	pass := ""
	if found != nil && !found.isOver(now) {
		pass = found.pass
	}
	s.mu.Unlock()
	if pass == "" || !isValid(pass) {
		s.end(value)
		return false
	}
	if !idle {
		s.mu.Lock()
		defer s.mu.Unlock()
		found.used = now
	}
	return true
}

func (s *sessions) end(value string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.all, sha256.Sum256([]byte(value)))
}

// cookie has no expiry of its own: the server knows when a sign-in is over.
func (p *Page) cookie(value string) *http.Cookie {
	return &http.Cookie{
		Name:     cookieName,
		Value:    value,
		Path:     "/app",
		Secure:   p.Secure,
		HttpOnly: true,
		SameSite: http.SameSiteStrictMode,
	}
}

func (p *Page) signedIn(r *http.Request) bool {
	cookie, err := r.Cookie(cookieName)
	if err != nil || !p.sessions.use(cookie.Value, p.Now(), isLive(r), p.IsValid) {
		return false
	}
	httpkit.Admit(r.Context())
	return true
}

// isLive reports whether the page's script made a request by itself, which does not keep a sign-in alive.
func isLive(r *http.Request) bool { return r.Header.Get(httpkit.LiveHeader) != "" }
