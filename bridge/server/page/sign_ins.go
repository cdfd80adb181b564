package page

import (
	"net/http"
	"time"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge"
)

// SignIns shows the attempts to sign in to the account, on a page of its own.
func SignIns(account bridge.Overview) Section {
	return Section{
		Links: []Link{{Path: signInsPath, Text: "Sign-ins"}},
		Actions: []Action{{http.MethodGet, signInsPath, func(v *Visit) {
			v.ShowPage(http.StatusOK, "sign_ins", "Sign-ins", listSignIns(v, account))
		}}},
	}
}

const (
	signInsPath   = "/app/sign-ins"
	signInsOnPage = 50
)

// signInList is the data of sign_ins.html.
type signInList struct {
	bridge.SignInPage
	Now     time.Time
	Notice  string
	Further bool // it is not the first page
}

func listSignIns(v *Visit, account bridge.Overview) signInList {
	ctx, cancel := v.AskAccount()
	defer cancel()
	cursor := v.Query("cursor")
	page, err := account.SignInAttempts(ctx, cursor, signInsOnPage)
	if bridge.CodeOf(err) == bridge.InvalidCursor {
		cursor = ""
		page, err = account.SignInAttempts(ctx, cursor, signInsOnPage)
	}
	l := signInList{SignInPage: page, Now: v.Now, Further: cursor != ""}
	switch {
	case bridge.CodeOf(err) == bridge.NotFound:
		l.Notice = "This account does not tell bridges of attempts to sign in."
	case err != nil:
		l.Notice = accountAway
	}
	return l
}

// Attempts are those that are shown.
func (l signInList) Attempts() []attempt {
	all := make([]attempt, len(l.Items))
	for i, item := range l.Items {
		all[i] = attempt{item}
	}
	return all
}

// NextPath is the address of the page behind this one.
func (l signInList) NextPath() string { return pathWith(signInsPath, "cursor", l.Next) }

type attempt struct{ bridge.SignInAttempt }

// Good reports whether the attempt was let in.
func (a attempt) Good() bool { return a.Result == "ok" || a.Result == "reported" }

// Outcome says what came of it.
func (a attempt) Outcome() string {
	switch a.Result {
	case "ok":
		return "let in"
	case "reported":
		return "let in, and reported by a rule"
	}
	return "refused: " + a.Result
}
