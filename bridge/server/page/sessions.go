package page

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
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
	// renewal is after which time a request of a person gets a new cookie, or it would end while it is used.
	renewal = time.Minute
	// mostAhead is how far the clock of the bridge that made a cookie may be ahead.
	mostAhead = time.Minute
	// maxSignedOut bounds the memory; beyond it, all sign-ins end that are as old as the oldest of them.
	maxSignedOut = 256
)

// A signIn is what a cookie has, encrypted and authenticated. The bridge keeps none: all bridges that a token has
// opened with one session have the key, so that a balancer may send each request to another one.
type signIn struct {
	ID string `json:"id"`
	// Pass says for which token it was; it is void when the token is.
	Pass  string    `json:"pass"`
	Began time.Time `json:"began"`
	Used  time.Time `json:"used"`
}

// isOver also holds for a sign-in of later than now, by more than clocks may differ.
func (s signIn) isOver(now time.Time) bool {
	return now.Sub(s.Used) >= idleLife || now.Sub(s.Began) >= longestLife || s.Used.Sub(now) > mostAhead
}

// cookieEncoding has one text for each value.
var cookieEncoding = base64.RawURLEncoding.Strict()

// seal returns the value of a cookie.
func (s signIn) seal(key []byte) (string, error) {
	aead, err := newAEAD(key)
	if err != nil {
		return "", err
	}
	plaintext, err := json.Marshal(s)
	if err != nil {
		return "", err
	}
	return cookieEncoding.EncodeToString(aead.Seal(nil, nil, plaintext, []byte(cookieName))), nil
}

// openSignIn returns what a cookie has, if its value was made with the key.
func openSignIn(value string, key []byte) (s signIn, ok bool) {
	aead, err := newAEAD(key)
	if err != nil {
		return signIn{}, false
	}
	sealed, err := cookieEncoding.DecodeString(value)
	if err != nil {
		return signIn{}, false
	}
	plaintext, err := aead.Open(nil, nil, sealed, []byte(cookieName))
	if err != nil || json.Unmarshal(plaintext, &s) != nil {
		return signIn{}, false
	}
	return s, true
}

func newAEAD(key []byte) (cipher.AEAD, error) {
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, err
	}
	return cipher.NewGCMWithRandomNonce(block)
}

// A signedOut has the sign-ins that were ended by a person at this bridge, until they would be over anyhow.
type signedOut struct {
	mu     sync.Mutex
	began  map[string]time.Time // by ID
	before time.Time            // those that began until then have ended
}

func (o *signedOut) add(s signIn, now time.Time) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.began == nil {
		o.began = make(map[string]time.Time)
	}
	o.began[s.ID] = s.Began
	oldest := s.ID
	for id, began := range o.began {
		if now.Sub(began) >= longestLife {
			delete(o.began, id)
		} else if began.Before(o.began[oldest]) {
			oldest = id
		}
	}
	if len(o.began) > maxSignedOut {
		o.before = o.began[oldest]
		delete(o.began, oldest)
	}
}

func (o *signedOut) has(s signIn) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	_, ended := o.began[s.ID]
	return ended || !s.Began.After(o.before)
}

// begin returns the cookie of a new sign-in.
func (p *Page) begin(pass string) (*http.Cookie, error) {
	now := p.Now()
	return p.cookieOf(signIn{ID: rand.Text(), Pass: pass, Began: now, Used: now})
}

func (p *Page) cookieOf(s signIn) (*http.Cookie, error) {
	key, _ := p.CookieKey()
	value, err := s.seal(key)
	return p.cookie(value), err
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

// signInOf returns the sign-in of a request's cookie, if it is not over.
func (p *Page) signInOf(r *http.Request) (s signIn, ok bool) {
	cookie, err := r.Cookie(cookieName)
	if err != nil {
		return signIn{}, false
	}
	key, sealed := p.CookieKey()
	s, ok = openSignIn(cookie.Value, key)
	if !ok || s.isOver(p.Now()) || !s.Began.After(sealed) || p.signedOut.has(s) || !p.IsValid(s.Pass) {
		return signIn{}, false
	}
	httpkit.Admit(r.Context())
	return s, true
}

// signedIn reports whether a request is of somebody who is signed in, which keeps the sign-in alive if it is of a
// person.
func (p *Page) signedIn(w http.ResponseWriter, r *http.Request) bool {
	s, ok := p.signInOf(r)
	// The answer to a form may come long after it was sent, and after a sign-out.
	if now := p.Now(); ok && r.Method == http.MethodGet && !isLive(r) && now.Sub(s.Used) >= renewal {
		s.Used = now
		if cookie, err := p.cookieOf(s); err == nil { // else the bridge was sealed just now
			http.SetCookie(w, cookie)
		}
	}
	return ok
}

// isLive reports whether the page's script made a request by itself, which does not keep a sign-in alive.
func isLive(r *http.Request) bool { return r.Header.Get(httpkit.LiveHeader) != "" }
