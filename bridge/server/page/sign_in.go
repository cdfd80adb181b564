package page

import (
	"errors"
	"net/http"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge/auth"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/internal/httpkit"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/journal"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/session"
)

// signInForm is the data of sign_in.html.
type signInForm struct {
	Connection string
	Notice     string
}

func (p *Page) signIn(w http.ResponseWriter, r *http.Request) {
	_ = httpkit.ParseForm(w, r, 4<<10) // an incomplete form has no token
	token := session.Pasted(r.PostFormValue("token"))
	err := p.Verify(r.Context(), token)
	if err == nil {
		if pass := p.Pass(r.Context(), token); pass != "" {
			cookie, err := p.begin(pass)
			if err != nil { // the bridge was sealed just now
				p.showSignIn(w, http.StatusServiceUnavailable, "The token cannot be checked now.")
				return
			}
			p.record(r, journal.Event{Kind: journal.PageSignedIn})
			http.SetCookie(w, cookie)
			http.Redirect(w, r, "/app", http.StatusSeeOther)
			return
		}
		// Checked again: the account's answer may have ended the token meanwhile.
		if err = p.Verify(r.Context(), token); err == nil {
			p.showOverview(p.visit(w, r), http.StatusOK, overview{Unconfirmed: true})
			return
		}
	}
	code, notice := refusalNotice(err)
	p.showSignIn(w, code, notice)
}

// admitProgram answers a program, which shows the token with each request.
func (p *Page) admitProgram(w http.ResponseWriter, r *http.Request, do func(v *Visit, confirmed bool)) {
	token := httpkit.BearerToken(r)
	err := p.Verify(r.Context(), token)
	if err == nil {
		confirmed := p.Pass(r.Context(), token) != ""
		if !confirmed { // as in signIn
			err = p.Verify(r.Context(), token)
		}
		if err == nil {
			do(p.visit(w, r), confirmed)
			return
		}
	}
	code, notice := refusalNotice(err)
	http.Error(w, notice, code)
}

func (p *Page) showSignIn(w http.ResponseWriter, code int, notice string) {
	p.write(w, code, "sign_in.html", signInForm{Connection: p.Status().State, Notice: notice})
}

// refusalNotice returns the form's text for a refused token.
func refusalNotice(err error) (code int, notice string) {
	refusal, ok := errors.AsType[*auth.Error](err)
	if !ok {
		return http.StatusServiceUnavailable, "The token cannot be checked now."
	}
	switch refusal.Kind {
	case auth.Superseded:
		return http.StatusUnauthorized,
			"This is the previous token, whose overlap has ended. Sign in with the current one."
	case auth.Wrong:
		return http.StatusUnauthorized, "This token does not belong to the bridge's session."
	case auth.Unreadable:
		return http.StatusServiceUnavailable, "The bridge cannot read its session (session_unreadable). The reason " +
			"is in its log and in the output of scim-bridge status --local on its machine."
	case auth.Unavailable:
		return http.StatusServiceUnavailable, "The token cannot be checked now: " + refusal.Detail + "."
	default:
		return http.StatusUnauthorized,
			"This is not a bearer token. A token begins with sbt1_ and must be complete."
	}
}

// signOut ends the sign-in, so that a copy of the cookie opens nothing at this bridge either.
func (p *Page) signOut(w http.ResponseWriter, r *http.Request) {
	if s, ok := p.signInOf(r); ok {
		p.record(r, journal.Event{Kind: journal.PageSignedOut})
		p.signedOut.add(s, p.Now())
	}
	gone := p.cookie("")
	gone.MaxAge = -1
	http.SetCookie(w, gone)
	http.Redirect(w, r, "/app", http.StatusSeeOther)
}
