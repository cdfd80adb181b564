package page

import (
	"bytes"
	"context"
	"embed"
	"html/template"
	"net/http"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge/control"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/health"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/internal/httpkit"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/journal"
)

// A Page is the status page.
type Page struct {
	Health func() health.Health
	Status func() control.Status
	// Sections are its parts, in the order of display.
	Sections []Section

	Verify func(ctx context.Context, token string) error
	// Pass returns what a cookie has to have for an accepted token; it is empty until the account
	// has confirmed the credentials. IsValid reports whether a pass is still valid.
	Pass    func(ctx context.Context, token string) string
	IsValid func(pass string) bool
	// CookieKey returns the key that cookies are encrypted with, which the bridges of one session share; nil while
	// there is none. Sign-ins that began until sealed are over.
	CookieKey func() (key []byte, sealed time.Time)
	Journal   *journal.Journal // may be nil
	Logger    hclog.Logger
	Now       func() time.Time
	// Secure is set if the page is served over HTTPS.
	Secure bool

	signedOut signedOut
}

//go:embed html
var htmlFiles embed.FS

//go:embed static
var staticFiles embed.FS

var templates = template.Must(template.New("").Funcs(functions).ParseFS(htmlFiles, "html/*.html"))

// A Route is one of the page's routes.
type Route struct {
	Method  string // empty for all
	Path    string // and all paths below it, if it ends in a slash
	Handler http.Handler
}

// Routes returns the routes of the page and its sections.
func (p *Page) Routes() []Route {
	// Strict cookies protect the page from cross-site requests; this protects the forms
	// too.
	csrf := http.NewCrossOriginProtection()
	route := func(method, path string, h http.HandlerFunc) Route {
		return Route{method, path, csrf.Handler(secured(h))}
	}
	routes := []Route{
		route(http.MethodGet, "/app", p.show),
		route(http.MethodPost, "/app/sign-in", p.signIn),
		route(http.MethodPost, "/app/sign-out", p.signOut),
		route(http.MethodGet, "/app/style.css", static("style.css")),
		route(http.MethodGet, "/app/page.js", static("page.js")),
		// Browsers request this name regardless of the page's link, and as SCIM it would be
		// a refused request.
		route(http.MethodGet, "/favicon.ico", static("icon.svg")),
	}
	for _, s := range p.Sections {
		for _, a := range s.Actions {
			routes = append(routes, route(a.Method, a.Path, p.signedInOnly(a.Do, s.ByToken)))
		}
	}
	return append(routes, route("", "/app/", func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, "/app", http.StatusSeeOther)
	}))
}

func secured(next http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Content-Security-Policy", "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; "+
			"connect-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'")
		h.Set("Referrer-Policy", "no-referrer")
		h.Set("Cache-Control", "no-store")
		next(w, r)
	}
}

func static(name string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Cache-Control", "max-age=300")
		http.ServeFileFS(w, r, staticFiles, "static/"+name)
	}
}

// signedInOnly leads all others to the form for signing in.
func (p *Page) signedInOnly(do func(*Visit), byToken func(v *Visit, confirmed bool)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		switch {
		case p.signedIn(w, r):
			do(p.visit(w, r))
		case byToken != nil && httpkit.BearerToken(r) != "":
			p.admitProgram(w, r, byToken)
		case r.Method == http.MethodGet:
			http.Redirect(w, r, "/app", http.StatusSeeOther)
		default:
			p.showSignIn(w, http.StatusForbidden, "You are not signed in any more, so nothing was done.")
		}
	}
}

func (p *Page) visit(w http.ResponseWriter, r *http.Request) *Visit {
	return &Visit{Writer: w, Request: r, Health: p.Health(), Status: p.Status(), Now: p.Now(), page: p,
		began: time.Now()}
}

func (p *Page) show(w http.ResponseWriter, r *http.Request) {
	if !p.signedIn(w, r) {
		p.showSignIn(w, http.StatusOK, "")
		return
	}
	p.visit(w, r).ShowOverview(http.StatusOK, "")
}

// record records what somebody with the bearer token does on the page.
func (p *Page) record(r *http.Request, e journal.Event) {
	request := httpkit.RequestFrom(r.Context())
	e.Request, e.Token = request.ID, request.Caller
	p.Journal.Append(e)
}

// overview is the data of overview.html.
type overview struct {
	Notice string // what came of a form; may be empty
	// Unconfirmed is set before the account has confirmed the credentials: then the page
	// is shown once, without people and log.
	Unconfirmed bool
	Sections    []template.HTML
}

func (p *Page) showOverview(v *Visit, code int, o overview) {
	for _, s := range p.Sections {
		if s.Data == nil || o.Unconfirmed && !s.Unconfirmed {
			continue
		}
		data := s.Data(v)
		if data == nil {
			continue
		}
		text, err := render(s.Name, data)
		if err != nil {
			p.fail(v.Writer, s.Name, err)
			return
		}
		o.Sections = append(o.Sections, text)
	}
	content, err := render("overview", o)
	if err != nil {
		p.fail(v.Writer, "overview", err)
		return
	}
	p.showFrame(v, code, frame{Content: content, Live: !o.Unconfirmed, Unconfirmed: o.Unconfirmed})
}

// frame is the data of frame.html, which is around every page of somebody who is signed in.
type frame struct {
	Title       string // empty for the overview
	State       string
	Live        bool // the script keeps it current
	Unconfirmed bool
	Pages       []navLink
	Downloads   []Link
	Content     template.HTML
}

type navLink struct {
	Link
	Current bool
}

func (p *Page) showFrame(v *Visit, code int, f frame) {
	f.State = v.Health.State
	// The answer to a form is not where a link or the script would find it again.
	f.Live = f.Live && code == http.StatusOK && v.Request.Method == http.MethodGet
	if f.Live && isLive(v.Request) { // or each open page would write a line every few seconds
		httpkit.RequestFrom(v.Context()).Quiet = true
	}
	links := []Link{{Path: "/app", Text: "Overview"}}
	for _, s := range p.Sections {
		links = append(links, s.Links...)
	}
	for _, l := range links {
		if l.Download {
			f.Downloads = append(f.Downloads, l)
			continue
		}
		f.Pages = append(f.Pages, navLink{l, l.Path == v.Request.URL.Path})
	}
	p.write(v.Writer, code, "frame.html", f)
}

// write writes a page only after it was rendered completely.
func (p *Page) write(w http.ResponseWriter, code int, name string, data any) {
	var b bytes.Buffer
	if err := templates.ExecuteTemplate(&b, name, data); err != nil {
		p.fail(w, name, err)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.WriteHeader(code)
	_, _ = b.WriteTo(w)
}

func (p *Page) fail(w http.ResponseWriter, name string, err error) {
	p.Logger.Error("could not render the status page", "page", name, "error", err)
	http.Error(w, "internal error", http.StatusInternalServerError)
}
