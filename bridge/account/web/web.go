// Package web has the account's pages for people: accept an invitation, sign up
// under an allowed domain, confirm a new address.
//
// It owns their routes, their appearance and their security headers. Package
// directory does the accepting and confirming, and sends the mails with the links.
package web

import (
	"bytes"
	"embed"
	"errors"
	"html/template"
	"net/http"
	"strconv"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account/directory"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/internal/httpkit"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/internal/inputtext"
)

//go:embed pages style.css
var files embed.FS

var pages = template.Must(template.ParseFS(files, "pages/*.html"))

// Config is what the pages need.
type Config struct {
	Account   *account.Account
	Directory *directory.Directory
	// Fault logs an error that the page does not show.
	Fault func(*http.Request, error)
	// Route wraps the handler of a pattern.
	Route func(pattern string, h http.Handler) http.Handler
}

// A view is the data of a page.
type view struct {
	Account string // the account's name
	Title   string
	Name    string // of the person
	Address string
	Problem string
	Done    bool
}

// rendered returns v without invisible and bidirectional control characters: names
// and addresses are untrusted.
func (v view) rendered() view {
	for _, field := range []*string{&v.Account, &v.Title, &v.Name, &v.Address, &v.Problem} {
		*field = inputtext.Line(*field)
	}
	return v
}

type site struct{ Config }

// Mount adds the pages to mux.
//
// A GET only shows a button: mail scanners follow every link and must not accept
// for the person. Cross-site posts are refused although no page uses cookies.
func Mount(mux *http.ServeMux, c Config) {
	s := site{c}
	csrf := http.NewCrossOriginProtection()
	for pattern, page := range map[string]func(*http.Request, *view) error{
		"GET /join/{token}":     s.showInvitation,
		"POST /join/{token}":    s.acceptInvitation,
		"GET /confirm/{token}":  s.showAddress,
		"POST /confirm/{token}": s.confirmAddress,
		"GET /signup":           s.showSignUp,
		"POST /signup":          s.signUp,
	} {
		mux.Handle(pattern, c.Route(pattern, csrf.Handler(s.serve(page))))
	}
	style, err := files.ReadFile("style.css")
	if err != nil {
		panic(err) // it is embedded
	}
	mux.Handle("GET /style.css",
		c.Route("GET /style.css", http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Type", "text/css; charset=utf-8")
			w.Header().Set("Cache-Control", "max-age=3600")
			_, _ = w.Write(style)
		})))
}

func (s site) showInvitation(r *http.Request, v *view) error {
	v.Title = "Join " + s.Account.Name
	m, err := s.Directory.Invitation(r.Context(), r.PathValue("token"))
	v.Name, v.Address = m.Name, m.Address
	return err
}

func (s site) acceptInvitation(r *http.Request, v *view) error {
	v.Title = "Welcome to " + s.Account.Name
	m, err := s.Directory.AcceptInvitation(r.Context(), r.PathValue("token"))
	v.Name, v.Address, v.Done = m.Name, m.Address, true
	return err
}

func (s site) showAddress(r *http.Request, v *view) error {
	v.Title = "Confirm your new address"
	m, err := s.Directory.AddressChange(r.Context(), r.PathValue("token"))
	v.Name, v.Address = m.Name, m.PendingAddress
	return err
}

func (s site) confirmAddress(r *http.Request, v *view) error {
	v.Title = "Your address is confirmed"
	m, err := s.Directory.ConfirmAddress(r.Context(), r.PathValue("token"))
	v.Name, v.Address, v.Done = m.Name, m.Address, true
	return err
}

func (s site) showSignUp(_ *http.Request, v *view) error {
	v.Title = "Sign up to " + s.Account.Name
	return nil
}

const maxForm = 8 << 10

func (s site) signUp(r *http.Request, v *view) error {
	v.Title = "Sign up to " + s.Account.Name
	if err := httpkit.ParseForm(nil, r, maxForm); err != nil {
		return account.InvalidValue("", "the form is incomplete or too large; send it again")
	}
	v.Address, v.Name = r.PostFormValue("address"), r.PostFormValue("name")
	err := s.Directory.SignUp(r.Context(), v.Address, v.Name)
	v.Done = err == nil
	return err
}

// serve renders the page that a function fills in, with its error if it failed.
func (s site) serve(page func(*http.Request, *view) error) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		v := view{Account: s.Account.Name}
		status := http.StatusOK
		name := map[byte]string{'j': "join.html", 'c': "confirm.html", 's': "signup.html"}[r.URL.Path[1]]
		err := page(r, &v)
		if err == nil && r.PathValue("token") != "" {
			httpkit.Admit(r.Context()) // a link in a mail is a secret
		}
		if err != nil {
			if e, ok := errors.AsType[*account.Error](err); ok && e.RetryAfter > 0 {
				w.Header().Set("Retry-After", strconv.Itoa(int(e.RetryAfter.Seconds())))
			}
			v.Done = false
			status, v.Problem = s.explain(r, err)
			if name != "signup.html" {
				name, v.Title = "problem.html", "This link does not work"
			}
		}
		var out bytes.Buffer
		if err := pages.ExecuteTemplate(&out, name, v.rendered()); err != nil {
			s.Fault(r, err)
			http.Error(w, "The page could not be made.", http.StatusInternalServerError)
			return
		}
		h := w.Header()
		h.Set("Content-Type", "text/html; charset=utf-8")
		h.Set("Content-Security-Policy",
			"default-src 'none'; style-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'")
		h.Set("Referrer-Policy", "no-referrer") // the path holds a token
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Cache-Control", "no-store")
		w.WriteHeader(status)
		_, _ = w.Write(out.Bytes())
	})
}

// explain says to a person what went wrong.
func (s site) explain(r *http.Request, err error) (status int, text string) {
	e, known := errors.AsType[*account.Error](err)
	switch {
	case !known || e.Status >= http.StatusInternalServerError:
		s.Fault(r, err)
		return http.StatusInternalServerError, "Something went wrong on our side. Please try again later."
	case e.Status == http.StatusNotFound:
		return e.Status, "The link was used already, has been replaced by a newer one, has expired, " +
			"or is incomplete. Open the latest mail, or ask your administrator for a new one."
	default:
		return e.Status, e.Detail
	}
}
