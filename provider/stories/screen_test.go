//go:build browser

package stories

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge/problem"
	"github.com/scimbridge/terraform-provider-scimbridge/test/browser"
)

// A screen is where a browser shows the status page of a world's bridge, and what was seen there.
type screen struct {
	page *browser.Page
	seen []problem.Problem // since the bridge had none
}

// browser returns the world's own tab.
func (w *world) browser() *browser.Page {
	w.t.Helper()
	if w.screen.page == nil {
		w.screen.page = browser.New(w.t)
	}
	return w.screen.page
}

// app is the address of the status page.
func (w *world) app() string {
	if w.https {
		return "https://" + w.listen + "/app"
	}
	return "http://" + w.listen + "/app"
}

// What the pages say, by which they are found.
const (
	tokenField   = "Bearer token"
	signInButton = "Show the status"
)

// signIn opens the status page, by the token that the world has, and returns the status of the answer.
func (w *world) signIn() (status int) {
	w.t.Helper()
	return w.signInAt(w.browser())
}

// signInAt is signIn in another tab, which has no cookies of the world's own.
func (w *world) signInAt(page *browser.Page) (status int) {
	w.t.Helper()
	status = page.Open(w.app())
	if !page.Has("textbox", tokenField) {
		return status // a cookie was enough
	}
	page.Find("textbox", tokenField).Click()
	page.Type(w.bearerToken())
	return page.Find("button", signInButton).Follow()
}

// bearerToken is the one that Terraform was given last, or the one that dev made.
func (w *world) bearerToken() string {
	w.t.Helper()
	if w.token != "" {
		return w.token
	}
	text, err := os.ReadFile(filepath.Join(w.dataDir, "bearer-token"))
	if err != nil {
		w.t.Fatal(err)
	}
	return strings.TrimSpace(string(text))
}

// seeProblem waits until the page shows a problem that the bridge has, as the catalogue has it, and returns it.
// What is copied from the page are its commands and its Terraform block: they must be there as such.
func (w *world) seeProblem(found problem.Problem) problem.Problem {
	w.t.Helper()
	page := w.browser()
	if instead, ok := beforeSignIn[found.Code]; ok {
		page.Open(w.app())
		if text := page.Text(); !strings.Contains(text, instead) {
			w.t.Errorf("the page before the sign-in does not say that it is %q:\n%s", instead, text)
		}
	} else {
		w.eventually("the page shows "+string(found.Code), func() (bool, string) {
			found = w.current(found)
			if status := w.signIn(); status != http.StatusOK {
				return false, fmt.Sprintf("the sign-in was answered with %d:\n%s", status, page.Text())
			}
			missing := missingParts(page, found)
			return missing == "", missing + " is missing in:\n" + page.Text()
		})
	}
	if !slices.ContainsFunc(w.screen.seen, func(p problem.Problem) bool { return p.Code == found.Code }) {
		page.Check(string(found.Code))
	}
	w.screen.seen = append(w.screen.seen, found)
	page.Leave()
	return found
}

// beforeSignIn is what the page says of problems that keep everybody from signing in, or that signing in solves.
var beforeSignIn = map[problem.Code]string{
	problem.Sealed:            "sealed",
	problem.SessionUnreadable: "cannot read its session",
}

// current is the problem as the bridge has it now: times and counts in it move.
func (w *world) current(last problem.Problem) problem.Problem {
	w.t.Helper()
	status, err := w.control().Status(w.t.Context())
	if err != nil {
		return last
	}
	for _, p := range status.Problems {
		if p.Code == last.Code {
			return p
		}
	}
	return last
}

// part is what the page has about one problem.
type part struct {
	Text   string   // what is visible
	Code   []string // what can be copied from lines
	Blocks []string // what can be copied as a block
}

// parts returns what the page has about problems with a title.
const parts = `title => {
	const squash = s => s.replace(/\s+/g, ' ').trim();
	return [...document.querySelectorAll('h1, h2, h3, h4, h5, h6, [role=heading]')].
		filter(h => squash(h.innerText).includes(title)).
		map(h => h.closest('article, li, section, [role=article], [role=region], [role=listitem]')).filter(e => e).
		map(e => ({text: squash(e.innerText),
			code: [...e.querySelectorAll('code')].filter(c => c.checkVisibility()).map(c => c.textContent),
			blocks: [...e.querySelectorAll('pre')].filter(c => c.checkVisibility()).map(c => c.textContent)}));
}`

// missingParts says what the page lacks of a problem.
func missingParts(page *browser.Page, p problem.Problem) string {
	var missing []string
	all := browser.Call[[]part](page, parts, squash(p.Title))
	for _, shown := range all {
		missing = nil
		for what, text := range map[string]string{"code": string(p.Code), "cause": p.Cause, "remedy": p.Remedy} {
			if !strings.Contains(shown.Text, squash(strings.ReplaceAll(text, "`", ""))) {
				missing = append(missing, "the "+what)
			}
		}
		for _, quoted := range backquoted.FindAllStringSubmatch(p.Remedy, -1) {
			if !slices.Contains(shown.Code, quoted[1]) {
				missing = append(missing, "to copy: "+quoted[1])
			}
		}
		if p.Terraform != "" && !slices.ContainsFunc(shown.Blocks, func(b string) bool {
			return strings.TrimSpace(b) == strings.TrimSpace(p.Terraform)
		}) {
			missing = append(missing, "to copy: "+p.Terraform)
		}
		if len(missing) == 0 {
			return ""
		}
	}
	if len(all) == 0 {
		return "the title " + p.Title
	}
	return strings.Join(missing, ", ")
}

func squash(s string) string { return strings.Join(strings.Fields(s), " ") }

// seeHealed waits until the page shows none of the problems that were seen, and that all is well.
func (w *world) seeHealed() {
	w.t.Helper()
	if len(w.screen.seen) == 0 {
		return
	}
	page := w.browser()
	w.eventually("the page shows that all is well", func() (bool, string) {
		w.signIn()
		for _, p := range w.screen.seen { // the last fault of a component stays on the page
			if page.Has("heading", p.Title) {
				return false, "it shows " + p.Title
			}
		}
		return page.Has("heading", "healthy"), page.Text()
	})
	page.NoFaults("after the remedy")
	page.Leave()
	w.screen.seen = nil
}
