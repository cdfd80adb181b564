package page

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"net/http"
	"time"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge/internal/httpkit"
)

const (
	cookieName = "scim-bridge"
	// cookieLife is how long a sign-in lasts, unless its token expires earlier.
	cookieLife = 15 * time.Minute
)

func (p *Page) cookie(value string, maxAge int) *http.Cookie {
	return &http.Cookie{
		Name:     cookieName,
		Value:    value,
		Path:     "/app",
		MaxAge:   maxAge,
		Secure:   p.Secure,
		HttpOnly: true,
		SameSite: http.SameSiteStrictMode,
	}
}

// sign returns a cookie's value: its expiry, the pass, and a MAC of both.
func (p *Page) sign(end time.Time, pass string) string {
	value := append(binary.BigEndian.AppendUint64(nil, uint64(end.Unix())), pass...)
	return base64.RawURLEncoding.EncodeToString(append(value, p.mac(value)...))
}

func (p *Page) mac(value []byte) []byte {
	h := hmac.New(sha256.New, p.Key)
	h.Write([]byte("scim-bridge status page\x00"))
	h.Write(value)
	return h.Sum(nil)
}

func (p *Page) signedIn(r *http.Request) bool {
	cookie, err := r.Cookie(cookieName)
	if err != nil {
		return false
	}
	signed, err := base64.RawURLEncoding.DecodeString(cookie.Value)
	if err != nil || len(signed) < 8+sha256.Size {
		return false
	}
	value, mac := signed[:len(signed)-sha256.Size], signed[len(signed)-sha256.Size:]
	end := time.Unix(int64(binary.BigEndian.Uint64(value)), 0)
	if !hmac.Equal(mac, p.mac(value)) || !p.Now().Before(end) || !p.IsValid(string(value[8:])) {
		return false
	}
	httpkit.Admit(r.Context())
	return true
}
