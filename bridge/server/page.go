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
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/journal"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/session"
)

// A Page is the status page: plain HTML without scripts, protected by the bearer token,
// which is entered in a form.
type Page struct {
	Health  func() health.Health
	Status  func() control.Status
	Waiting func() []bridge.Attention
	// Holds may be nil: then the page has no such section.
	Holds  bridge.Holds
	Verify func(ctx context.Context, token string) error
	// Pass returns a cookie's value for an accepted token; it is empty until the account
	// has confirmed the credentials. IsValid reports whether a pass is still valid.
	Pass    func(ctx context.Context, token string) string
	IsValid func(pass string) bool
	Logs    io.WriterTo
	Journal *journal.Journal // may be nil
	Logger  hclog.Logger
	Now     func() time.Time
	// Key signs the cookies: 32 random bytes, new in each process.
	Key []byte
	// Secure is set if the page is served over HTTPS.
	Secure bool
}

//go:embed page
var pageFiles embed.FS

var pages = template.Must(template.New("").Funcs(template.FuncMap{
	"stamp":    func(t time.Time) string { return t.UTC().Format("2006-01-02 15:04:05 UTC") },
	"kind":     func(a bridge.Attention) string { return inputtext.Line(describeKind(a)) },
	"line":     inputtext.Line,
	"held":     func(h bridge.Hold) string { return inputtext.Line(describeHold(h)) },
	"next":     nextHolds,
	"prose":    prose,
	"sentence": func(s fmt.Stringer) string { text := s.String(); return strings.ToUpper(text[:1]) + text[1:] },
}).ParseFS(pageFiles, "page/*.html"))

func (p *Page) routes() []Route {
	// Strict cookies protect the page from cross-site requests; this protects the form
	// too.
	csrf := http.NewCrossOriginProtection()
	route := func(method, path string, h http.HandlerFunc) Route {
		return Route{Name: "app", Method: method, Path: path, Handler: csrf.Handler(secured(h))}
	}
	return []Route{
		route(http.MethodGet, "/app", p.show),
		route(http.MethodPost, "/app/sign-in", p.signIn),
		route(http.MethodPost, "/app/sign-out", p.signOut),
		route(http.MethodPost, "/app/holds", p.decide),
		route(http.MethodGet, "/app/logs", p.logs),
		route(http.MethodGet, "/app/style.css", p.file("page/style.css")),
		// Browsers request this name regardless of the page's link, and as SCIM it would be
		// a refused request.
		route(http.MethodGet, "/favicon.ico", p.file("page/icon.svg")),
		route("", "/app/", func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "/app", http.StatusSeeOther)
		}),
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

// signInPage is the data of sign_in.html.
type signInPage struct {
	Connection string
	Notice     string
}

// statusPage is the data of status.html.
type statusPage struct {
	Health  health.Health
	Status  control.Status
	Waiting []bridge.Attention
	Held    heldSection
	// Unconfirmed is set before the account has confirmed the credentials: then the page
	// is shown once, without people and log.
	Unconfirmed bool
}

func (p *Page) show(w http.ResponseWriter, r *http.Request) {
	if !p.signedIn(r) {
		p.render(w, http.StatusOK, "sign_in.html", signInPage{Connection: p.Status().State})
		return
	}
	p.render(w, http.StatusOK, "status.html", p.status(r.Context(), r.URL.Query().Get("held")))
}

func (p *Page) signIn(w http.ResponseWriter, r *http.Request) {
	_ = httpkit.ParseForm(w, r, 4<<10) // an incomplete form has no token
	token := session.Pasted(r.PostFormValue("token"))
	err := p.Verify(r.Context(), token)
	if err == nil {
		if pass := p.Pass(r.Context(), token); pass != "" {
			p.record(r, journal.Event{Kind: journal.PageSignedIn})
			http.SetCookie(w, p.cookie(p.sign(p.Now().Add(cookieLife), pass), int(cookieLife.Seconds())))
			http.Redirect(w, r, "/app", http.StatusSeeOther)
			return
		}
		// Checked again: the account's answer may have ended the token meanwhile.
		if err = p.Verify(r.Context(), token); err == nil {
			p.render(w, http.StatusOK, "status.html",
				statusPage{Health: p.Health(), Status: p.Status(), Unconfirmed: true})
			return
		}
	}
	code, notice := refusalNotice(err)
	p.render(w, code, "sign_in.html", signInPage{Connection: p.Status().State, Notice: notice})
}

// refusalNotice returns the form's text for a refused token.
func refusalNotice(err error) (code int, notice string) {
	refusal, ok := errors.AsType[*auth.Error](err)
	if !ok {
		return http.StatusServiceUnavailable, "The token cannot be checked now."
	}
	switch code = statusOf(refusal); refusal.Kind {
	case auth.Superseded:
		return code, "This is the previous token, whose overlap has ended. Sign in with the current one."
	case auth.Wrong:
		return code, "This token does not belong to the bridge's session."
	case auth.Unreadable:
		return code, "The bridge cannot read its session (session_unreadable). The reason is in its log and in the " +
			"output of scim-bridge status --local on its machine."
	case auth.Unavailable:
		return code, "The token cannot be checked now: " + refusal.Detail + "."
	default:
		return code, "This is not a bearer token. A token begins with sbt1_ and must be complete."
	}
}

// record records what somebody with the bearer token does on the page.
func (p *Page) record(r *http.Request, e journal.Event) {
	request := httpkit.RequestFrom(r.Context())
	e.Request, e.Token = request.ID, request.Caller
	p.Journal.Append(e)
}

func (p *Page) signOut(w http.ResponseWriter, r *http.Request) {
	if p.signedIn(r) {
		p.record(r, journal.Event{Kind: journal.PageSignedOut})
	}
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
	httpkit.RequestFrom(r.Context()).AnswerWithin(logTimeout)
	_, _ = p.Logs.WriteTo(w)
}

// logTimeout is how long the download of the log may take.
const logTimeout = 10 * time.Minute

func (p *Page) file(name string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Cache-Control", "max-age=300")
		http.ServeFileFS(w, r, pageFiles, name)
	}
}

// render writes the page only after it was rendered completely.
func (p *Page) render(w http.ResponseWriter, code int, name string, data any) {
	var b bytes.Buffer
	if err := pages.ExecuteTemplate(&b, name, data); err != nil {
		p.Logger.Error("could not render the status page", "page", name, "error", err)
		http.Error(w, "internal error", http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.WriteHeader(code)
	_, _ = b.WriteTo(w)
}

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

// prose renders text between backquotes as code.
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
		return "was not invited: no e-mail address"
	case bridge.AddressTaken:
		return "was not invited: " + a.Address + " is another person's address"
	case bridge.SignupDomainMissing:
		return "address change to " + a.Address + " waits for the domain " + a.Domain + " to be allowed"
	case bridge.AddressUnconfirmed:
		return "has not yet confirmed the new address " + a.Address
	case bridge.InvitationOpen:
		return "was invited and has not yet accepted"
	case bridge.ConfirmationDue:
		return "accepted and not yet confirmed"
	default:
		return string(a.Kind)
	}
}
