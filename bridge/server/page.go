package server

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"embed"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"html/template"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/auth"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/control"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/health"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/internal/httpkit"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/internal/inputtext"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/session"
)

// A Page is the status page, for the operator at 3 a.m.: plain HTML that
// works without scripts, behind the bearer token typed into a form.
type Page struct {
	Health  func() health.Health
	Status  func() control.Status
	Waiting func() []bridge.Attention
	Verify  func(ctx context.Context, token string) error
	// Pass returns what a token that was accepted leaves behind in a cookie; it
	// is empty while the account has not confirmed the token's pair. IsValid
	// reports whether such a pass still counts.
	Pass    func(ctx context.Context, token string) string
	IsValid func(pass string) bool
	Logs    io.WriterTo
	Logger  hclog.Logger
	Now     func() time.Time
	// Key signs the cookies; 32 random bytes, anew in each process.
	Key []byte
	// Secure says that the page is reached by HTTPS.
	Secure bool
}

//go:embed page
var pageFiles embed.FS

var pages = template.Must(template.New("").Funcs(template.FuncMap{
	"stamp":    func(t time.Time) string { return t.UTC().Format("2006-01-02 15:04:05 UTC") },
	"kind":     func(a bridge.Attention) string { return inputtext.Line(describeKind(a)) },
	"line":     inputtext.Line,
	"prose":    prose,
	"sentence": func(s fmt.Stringer) string { text := s.String(); return strings.ToUpper(text[:1]) + text[1:] },
}).ParseFS(pageFiles, "page/*.html"))

func (p *Page) routes() []Route {
	// Strict cookies keep other sites' requests out of the page; this keeps
	// them out of the form, too.
	csrf := http.NewCrossOriginProtection()
	route := func(method, path string, h http.HandlerFunc) Route {
		return Route{Name: "app", Method: method, Path: path, Handler: csrf.Handler(secured(h))}
	}
	return []Route{
		route(http.MethodGet, "/app", p.show),
		route(http.MethodPost, "/app/sign-in", p.signIn),
		route(http.MethodPost, "/app/sign-out", p.signOut),
		route(http.MethodGet, "/app/logs", p.logs),
		route(http.MethodGet, "/app/style.css", p.file("page/style.css")),
		// Browsers ask for it by this name, whatever the page says, and as SCIM it
		// would be a refused request.
		route(http.MethodGet, "/favicon.ico", p.file("page/icon.svg")),
		route("", "/app/", func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/app", http.StatusSeeOther) }),
	}
}

func secured(next http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Content-Security-Policy", "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'; "+
			"frame-ancestors 'none'; base-uri 'none'")
		h.Set("Referrer-Policy", "no-referrer")
		h.Set("Cache-Control", "no-store")
		next(w, r)
	}
}

// signInPage is what sign_in.html shows.
type signInPage struct {
	Connection string
	Notice     string
}

// statusPage is what status.html shows.
type statusPage struct {
	Health  health.Health
	Status  control.Status
	Waiting []bridge.Attention
	// Unconfirmed is set before the account has confirmed the token's pair: then
	// the page is shown once, without people and log.
	Unconfirmed bool
}

func (p *Page) show(w http.ResponseWriter, r *http.Request) {
	if !p.signedIn(r) {
		p.render(w, http.StatusOK, "sign_in.html", signInPage{Connection: p.Status().State})
		return
	}
	p.render(w, http.StatusOK, "status.html", statusPage{Health: p.Health(), Status: p.Status(), Waiting: p.Waiting()})
}

func (p *Page) signIn(w http.ResponseWriter, r *http.Request) {
	_ = httpkit.ParseForm(w, r, 4<<10) // what did not arrive is no token
	token := session.Pasted(r.PostFormValue("token"))
	err := p.Verify(r.Context(), token)
	if err == nil {
		if pass := p.Pass(r.Context(), token); pass != "" {
			http.SetCookie(w, p.cookie(p.sign(p.Now().Add(cookieLife), pass), int(cookieLife.Seconds())))
			http.Redirect(w, r, "/app", http.StatusSeeOther)
			return
		}
		// Asked again: what the account said meanwhile may have ended the token.
		if err = p.Verify(r.Context(), token); err == nil {
			p.render(w, http.StatusOK, "status.html", statusPage{Health: p.Health(), Status: p.Status(), Unconfirmed: true})
			return
		}
	}
	code, notice := refusalNotice(err)
	p.render(w, code, "sign_in.html", signInPage{Connection: p.Status().State, Notice: notice})
}

// refusalNotice is what the form says of a token that was refused.
func refusalNotice(err error) (code int, notice string) {
	refusal, ok := errors.AsType[*auth.Error](err)
	if !ok {
		return http.StatusServiceUnavailable, "The token cannot be checked at present."
	}
	switch code = statusOf(refusal); refusal.Kind {
	case auth.Superseded:
		return code, "This is the old token; its overlap is over. Sign in with the present one."
	case auth.Wrong:
		return code, "This token does not belong to the bridge's session."
	case auth.Unreadable:
		return code, "The bridge has no session that a token could open (session_unreadable). " +
			"Its log has the reason, and so has scim-bridge status --local on its machine."
	case auth.Unavailable:
		return code, "The token cannot be checked at present: " + refusal.Detail + "."
	default:
		return code, "This is not a bearer token. It begins with sbt1_ and must be complete."
	}
}

func (p *Page) signOut(w http.ResponseWriter, r *http.Request) {
	http.SetCookie(w, p.cookie("", -1))
	http.Redirect(w, r, "/app", http.StatusSeeOther)
}

func (p *Page) logs(w http.ResponseWriter, r *http.Request) {
	if !p.signedIn(r) {
		http.Redirect(w, r, "/app", http.StatusSeeOther)
		return
	}
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	name := "scim-bridge-" + p.Now().UTC().Format("20060102T150405Z") + ".log"
	w.Header().Set("Content-Disposition", `attachment; filename="`+name+`"`)
	_, _ = p.Logs.WriteTo(w)
}

func (p *Page) file(name string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Cache-Control", "max-age=300")
		http.ServeFileFS(w, r, pageFiles, name)
	}
}

// render writes nothing before the whole page is there.
func (p *Page) render(w http.ResponseWriter, code int, name string, data any) {
	var b bytes.Buffer
	if err := pages.ExecuteTemplate(&b, name, data); err != nil {
		p.Logger.Error("the status page cannot be shown", "page", name, "error", err)
		http.Error(w, "internal error", http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.WriteHeader(code)
	_, _ = b.WriteTo(w)
}

const (
	cookieName = "scim-bridge"
	// cookieLife is how long a sign-in lasts. A cookie is void earlier if its
	// token is.
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

// sign makes a cookie's value: the end of its life, the pass, and a MAC over both.
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

// prose shows what the catalogue's texts put between backquotes as code.
func prose(text string) template.HTML {
	var b strings.Builder
	for i, part := range strings.Split(text, "`") {
		part = template.HTMLEscapeString(part)
		if i%2 == 1 {
			part = "<code>" + part + "</code>"
		}
		b.WriteString(part)
	}
	return template.HTML(b.String())
}

func describeKind(a bridge.Attention) string {
	switch a.Kind {
	case bridge.AddressMissing:
		return "has no e-mail address to be invited at"
	case bridge.AddressTaken:
		return "was not invited: " + a.Address + " is somebody else's address"
	case bridge.SignupDomainMissing:
		return "changes to " + a.Address + "; waits for the domain " + a.Domain + " to be allowed"
	case bridge.AddressUnconfirmed:
		return "has not yet confirmed the new address " + a.Address
	case bridge.InvitationOpen:
		return "was invited and has not yet accepted"
	case bridge.ConfirmationDue:
		return "accepted and is about to be confirmed"
	default:
		return string(a.Kind)
	}
}
