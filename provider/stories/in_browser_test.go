//go:build browser

package stories

import (
	"archive/zip"
	"bytes"
	"encoding/json"
	"fmt"
	"io/fs"
	"net/http"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"testing"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge/problem"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/session"
	"github.com/scimbridge/terraform-provider-scimbridge/test/browser"
)

// The problems of the catalogue, each provoked for real and solved as its remedy on the page says, are in
// TestEveryRemedyWorks: with a browser, it sees each of them on the status page, too.

const (
	signOutButton = "Sign out"
	logLink       = "Download the log"
	bundleLink    = "Support bundle"
)

// S1, without a mouse.
func TestInBrowserTheKeyboardIsEnough(t *testing.T) {
	t.Parallel()
	w, token := deployed(t)
	page := w.browser()
	if status := page.Open("http://" + w.listen + "/"); status != http.StatusOK || page.URL() != w.app() {
		t.Fatalf("the bridge's address leads to %s, status %d", page.URL(), status)
	}
	if f := page.Focused(); f == nil || f.Name != tokenField || !f.Visible {
		t.Errorf("the focus should be in the field for the token, visibly, and is at %+v", f)
	}
	if f := page.Tab(); f == nil || f.Name != signInButton || !f.Visible {
		t.Errorf("Tab leads from the field to %+v", f)
	}
	page.Open(w.app())
	page.Eventually("the focus is in the field for the token", func() (ok bool, why string) {
		f := page.Focused()
		return f != nil && f.Name == tokenField, fmt.Sprintf("it is at %+v", f)
	})
	page.Type(token.Reveal())
	if status := page.Enter(); status != http.StatusOK || !page.Has("heading", "healthy") {
		t.Fatalf("after the sign-in, status %d:\n%s", status, page.Text())
	}
	page.CheckKeyboard("healthy")
	page.Open(w.app())
	for f := page.Tab(); f == nil || f.Name != signOutButton; f = page.Tab() {
		if f == nil {
			t.Fatal("the keyboard does not reach the button that signs out")
		}
	}
	page.Enter()
	page.Find("textbox", tokenField)
	page.NoFaults("with the keyboard")
}

// S1: sign in, see each component's state, and download the log.
func TestInBrowserTheOperatorSeesTheStateAndDownloadsTheLog(t *testing.T) {
	t.Parallel()
	for _, scripts := range []bool{true, false} {
		t.Run(fmt.Sprintf("scripts=%t", scripts), func(t *testing.T) {
			t.Parallel()
			w, token := deployed(t)
			page := w.browser()
			page.Eventually("the bridge knows how it is", func() (ok bool, why string) {
				for _, r := range w.reports(token) {
					if r.State == "unknown" {
						return false, r.Source + " is not known yet"
					}
				}
				return true, ""
			})
			page.Open(w.app())
			if scripts {
				page.Check("sign-in")
			}
			page.Scripts(scripts)
			if status := w.signIn(); status != http.StatusOK {
				t.Fatalf("the sign-in was answered with %d:\n%s", status, page.Text())
			}
			shown := page.Text()
			for _, r := range w.reports(token) {
				if !regexp.MustCompile(`(?i)` + componentNames[r.Source] + `\s+` + r.State).MatchString(shown) {
					t.Errorf("the page does not say that %s is %s:\n%s", r.Source, r.State, shown)
				}
			}
			if scripts {
				page.Check("healthy")
			}

			// The log tells what happened, as the command on the page's machine reads it.
			w.deny(50, "127.0.0.9")
			w.problem(problem.FirewallBlocked)
			w.signIn()
			name, log := page.Find("link", logLink).Download()
			if !regexp.MustCompile(`^scim-bridge-\d{8}T\d{6}Z\.log$`).MatchString(name) {
				t.Errorf("the log's file is called %q", name)
			}
			w.readsLog(string(log), token)
			if status := page.Find("button", signOutButton).Follow(); status != http.StatusOK {
				t.Errorf("signing out was answered with %d", status)
			}
			page.Find("textbox", tokenField)
			page.NoFaults("the log")
		})
	}
}

type report struct{ Source, State string }

// componentNames are what the page calls the components.
var componentNames = map[string]string{
	"session": "Sealed session", "account": "Connection to the account", "confirmation": "Confirming new members",
	"members": "Members of groups", "tokens": "Bearer tokens", "connections": "Connections of clients",
	"data_folder": "Data folder", "certificate": "Certificate",
}

// reports are what /health says of each component.
func (w *world) reports(token session.Token) []report {
	w.t.Helper()
	_, body := w.request(token, http.MethodGet, "/health", nil)
	var h struct{ Reports []report }
	if err := json.Unmarshal(body, &h); err != nil || len(h.Reports) == 0 {
		w.t.Fatalf("/health has no reports (%v): %s", err, body)
	}
	return h.Reports
}

var logLine = regexp.MustCompile(`^\d{4}-\d\d-\d\dT[\d:.]+(Z|[+-]\d\d:?\d\d) +\[(TRACE|DEBUG|INFO|WARN|ERROR)\] `)

// readsLog fails the test unless the downloaded log is one, has no secret, and tells the cause of the problem.
func (w *world) readsLog(log string, token session.Token) {
	t := w.t
	t.Helper()
	lines := strings.Split(strings.TrimSuffix(log, "\n"), "\n")
	if len(lines) < 10 {
		t.Errorf("the log has only %d lines:\n%s", len(lines), log)
	}
	for _, line := range lines {
		if !logLine.MatchString(line) && !strings.HasPrefix(line, "  ") { // continued
			t.Errorf("this is no line of a log: %q", line)
		}
	}
	if strings.Contains(log, token.Reveal()) {
		t.Error("the log has the bearer token")
	}
	write(t, filepath.Join(w.dir, "downloaded.log"), log)
	if told := w.shell("scim-bridge diagnose downloaded.log", "", nil); !strings.Contains(told,
		string(problem.FirewallBlocked)) {
		t.Errorf("the downloaded log does not tell the problem:\n%s", told)
	}
}

// S8: one click makes a support bundle, which has what a helper needs, no secret, and nobody's name.
func TestInBrowserTheOperatorMakesASupportBundle(t *testing.T) {
	t.Parallel()
	w, token := deployed(t)
	const name = "quibblethorpe"
	id := w.invite(token, name+"@example.com")
	w.signIn()
	w.deny(50, "127.0.0.9")
	w.problem(problem.FirewallBlocked)
	page := w.browser()
	for _, scripts := range []bool{true, false} {
		page.Scripts(scripts)
		w.signIn()
		shown := page.Text()
		file, content := page.Find("link", bundleLink).Download()
		if !regexp.MustCompile(`^scim-bridge-support-\d{8}T\d{6}Z\.zip$`).MatchString(file) {
			t.Errorf("scripts=%t: the bundle's file is called %q", scripts, file)
		}
		files := unzip(t, content)
		for what, want := range map[string]string{
			"README.txt": "person-", "health.json": string(problem.FirewallBlocked), "status.json": `"connection"`,
			"configuration.json": "confirmation-interval", "metrics.txt": "scimbridge_",
			"versions.json": runtime.Version(), "scim-bridge.log": "[INFO]", "journal/events.jsonl": "person_created",
		} {
			if !strings.Contains(files[what], want) {
				t.Errorf("scripts=%t: %s in the bundle lacks %q:\n%.2000s", scripts, what, want, files[what])
			}
		}
		for what, text := range files {
			for _, secret := range []string{token.Reveal(), id, name} {
				if strings.Contains(strings.ToLower(text), strings.ToLower(secret)) {
					t.Errorf("scripts=%t: %s in the bundle has %q", scripts, what, secret)
				}
			}
		}
		// A helper reads its log as the operator reads the whole one.
		write(t, filepath.Join(w.dir, "bundle.log"), files["scim-bridge.log"])
		if told := w.shell("scim-bridge diagnose bundle.log", "", nil); !strings.Contains(told,
			string(problem.FirewallBlocked)) {
			t.Errorf("scripts=%t: the log in the bundle does not tell the problem:\n%s", scripts, told)
		}
		if after := page.Text(); !strings.Contains(after, bundleLink) || page.URL() != w.app() {
			t.Errorf("scripts=%t: the download left the page, which was\n%s\nand is\n%s", scripts, shown, after)
		}
		page.NoFaults("the support bundle")
	}
}

// An operator asks why somebody is in or not, with and without scripts.
func TestInBrowserAPersonIsExplained(t *testing.T) {
	t.Parallel()
	w, token := deployed(t)
	const name = "ann@example.com"
	w.invite(token, name)
	page := w.browser()
	w.signIn()
	page.Find("link", "Explain").Follow()
	page.Check("explain, nobody yet")
	for _, scripts := range []bool{true, false} {
		page.Scripts(scripts)
		w.signIn()
		for _, row := range []struct{ asked, says, state string }{
			{name, "was invited to " + name, "a person explained"},
			{"nobody@example.com", "nobody@example.com", "nobody explained"},
		} {
			page.Find("link", "Explain").Follow()
			page.FindNamed("searchbox", "userName").Click()
			page.Type(row.asked)
			if status := page.Enter(); status != http.StatusOK || !strings.Contains(page.Text(), row.says) {
				t.Errorf("scripts=%t: asking for %s: status %d:\n%s", scripts, row.asked, status, page.Text())
			}
			if scripts {
				page.Check(row.state)
			}
		}
		page.NoFaults("explain")
	}
}

// unzip returns the files of a ZIP file by their names.
func unzip(t *testing.T, content []byte) map[string]string {
	t.Helper()
	z, err := zip.NewReader(bytes.NewReader(content), int64(len(content)))
	if err != nil {
		t.Fatalf("open the bundle of %d bytes: %v", len(content), err)
	}
	files := map[string]string{}
	for _, f := range z.File {
		text, err := fs.ReadFile(z, f.Name)
		if err != nil {
			t.Fatalf("read %s in the bundle: %v", f.Name, err)
		}
		files[f.Name] = string(text)
	}
	return files
}

// S1, S2: what is not the bridge's token is refused, with the reason.
func TestInBrowserAWrongTokenIsRefusedWithTheReason(t *testing.T) {
	t.Parallel()
	w, _ := deployed(t)
	page := w.browser()
	for _, row := range []struct {
		name, token, says string
		status            int
	}{
		{"another bridge's token", newToken(t).Reveal(), "does not belong", http.StatusUnauthorized},
		{"something else", "let me in", "not a bearer token", http.StatusUnauthorized},
		{"half a token", newToken(t).Reveal()[:20], "must be complete", http.StatusUnauthorized},
	} {
		page.Open(w.app())
		page.Find("textbox", tokenField).Click()
		page.Type(row.token)
		status := page.Enter()
		if text := page.Text(); status != row.status || !strings.Contains(text, row.says) {
			t.Errorf("%s: status %d, want %d and %q:\n%s", row.name, status, row.status, row.says, text)
		}
		if len(page.All("alert")) != 1 {
			t.Errorf("%s: the reason is no alert, so a screen reader does not read it out", row.name)
		}
		if strings.Contains(browser.Evaluate[string](page, "document.documentElement.outerHTML"), row.token) {
			t.Errorf("%s: the page repeats it", row.name)
		}
	}
	page.Check("wrong token")
	w.signIn()
	w.problem(problem.TokenRejected)
}

// The account has not confirmed the token since the bridge was started: the problems are shown, and nothing of people.
func TestInBrowserABridgeWithoutItsAccountShowsWhyOnce(t *testing.T) {
	t.Parallel()
	w, _, _ := activated(t)
	w.byHand(serveByHand)
	w.problem(problem.Sealed)
	w.account.Stop()
	page := w.browser()
	if status := w.signIn(); status != http.StatusOK {
		t.Fatalf("the sign-in was answered with %d:\n%s", status, page.Text())
	}
	for _, link := range []string{logLink, bundleLink} {
		if page.Has("link", link) {
			t.Errorf("%q is shown before the account has confirmed the token", link)
		}
	}
	w.problem(problem.AccountUnreachable)
	w.signIn()
	page.Check("not confirmed")
	w.account.Start()
	w.healed()
}

// S7: the person, the domain and the block are on the page; after terraform apply the confirmation goes out by itself,
// and the person confirms.
func TestInBrowserAnAddressUnderAForeignDomainIsAllowedAndConfirmed(t *testing.T) {
	t.Parallel()
	w, token := deployed(t)
	person := browser.New(t)
	id := w.invite(token, "ada@example.com")
	w.opensMail(person, "join", "Accept the invitation", "accepted the invitation")
	w.eventually("the person is confirmed", func() (bool, string) {
		m, _ := w.member("ada@example.com")
		return m.State == "active", fmt.Sprint(m)
	})
	w.movesAddress(token, id, "ada@example.net")
	p := w.problem(problem.SignupDomainMissing)
	w.signIn()
	if text := w.browser().Text(); !strings.Contains(text, "ada@example.net") {
		t.Errorf("the page does not list the person:\n%s", text)
	}
	w.config(w.base(fromAddress) + p.Terraform)
	w.shell(command(t, p.Remedy, "terraform apply"), "", nil)
	w.healed()
	w.opensMail(person, "confirm", "Confirm the address", "you sign in")
	if _, found := w.member("ada@example.net"); !found {
		t.Error("the person confirmed, and the address did not move")
	}
}

// opensMail opens the mailed link of a kind and presses its button.
func (w *world) opensMail(page *browser.Page, kind, button, thanks string) {
	w.t.Helper()
	mail := w.account.Command("mail")
	link := regexp.MustCompile(`http://\S+/` + kind + `/[\w-]+`).FindString(mail)
	if link == "" {
		w.t.Fatalf("no mail has such a link:\n%s", mail)
	}
	if status := page.Open(link); status != http.StatusOK {
		w.t.Fatalf("%s was answered with %d:\n%s", link, status, page.Text())
	}
	page.Check(kind)
	page.CheckKeyboard(kind)
	page.Scripts(false)
	if status := page.Find("button", button).Follow(); status != http.StatusOK {
		w.t.Errorf("%s was answered with %d:\n%s", button, status, page.Text())
	}
	if text := page.Text(); !strings.Contains(text, thanks) {
		w.t.Errorf("after %q the page does not have %q:\n%s", button, thanks, text)
	}
	page.Scripts(true)
	page.Open(link) // which is used up
	page.Check(kind + " again")
}

// The sign-up page of the account, and what it says of an address that cannot be one.
func TestInBrowserSomebodySignsUp(t *testing.T) {
	t.Parallel()
	w, _ := deployed(t)
	page := browser.New(t)
	page.Open(w.account.URL + "/signup")
	page.Check("sign-up")
	page.CheckKeyboard("sign-up")
	page.Open(w.account.URL + "/signup")
	page.Find("textbox", "Name").Click()
	page.Type("Ada Lovelace")
	page.Find("textbox", "E-mail address").Click()
	page.Type("ada@example.com")
	if status := page.Enter(); status != http.StatusOK || !strings.Contains(page.Text(), "ada@example.com") {
		t.Errorf("status %d:\n%s", status, page.Text())
	}
	page.Check("signed up")
}

// The guard: the identity provider switches everybody off; the rest of them is held, seen, and decided in the browser,
// without scripts.
func TestInBrowserAMassSuspensionIsHeldAndApproved(t *testing.T) {
	t.Parallel()
	w, token := deployed(t)
	const everybody = 130 // of whom the default limit suspends ten in an hour; a page shows fifty
	var paths []string
	for i := range everybody {
		paths = append(paths, "/Users/"+w.invite(token, address(i)))
	}
	for _, path := range paths {
		w.setActive(token, path, false)
	}
	p := w.problem(problem.SuspensionsHeld)
	if !strings.Contains(p.Cause, "120 suspensions") {
		t.Errorf("the cause does not count them: %s", p.Cause)
	}
	page := w.browser()
	w.signIn()
	page.Check("a mass suspension")
	page.Scripts(false)
	w.signIn()
	page.Find("link", "All 120 held").Follow()
	if page.Has("button", "Approve: "+address(everybody-1)) {
		t.Error("all are on the first page: the test should have more of them")
	}
	page.Find("link", "Next page").Follow()
	page.Find("link", "Next page").Follow()
	page.FindNamed("button", "Approve: "+address(everybody-1))
	page.Find("link", "First page").Follow()

	// Singly.
	stale := browser.New(t)
	w.signInAt(stale)
	approved, cancelled := address(10), address(11) // the first ones that are held
	w.decides(page, "Approve: "+approved, http.StatusOK)
	w.decides(page, "Cancel: "+cancelled, http.StatusOK)
	if !w.suspended(approved) || w.suspended(cancelled) {
		t.Error("what was approved is not suspended, or what was cancelled is")
	}
	if active := w.scim(token, http.MethodGet, paths[11], nil, http.StatusOK)["active"]; active != true {
		t.Errorf("the identity provider does not see what was cancelled: active is %v", active)
	}
	w.decides(stale, "Approve: "+cancelled, http.StatusConflict)
	if text := stale.Text(); !strings.Contains(text, "not held any more") {
		t.Errorf("the decision about what is not held any more says nothing of it:\n%s", text)
	}
	stale.Check("decided already")

	// All.
	page.Find("DisclosureTriangle", "Approve all 118").Click()
	if status := page.Find("button", "Suspend and remove them now").Follow(); status != http.StatusOK {
		t.Errorf("approving all was answered with %d:\n%s", status, page.Text())
	}
	page.NoFaults("without scripts")
	page.Scripts(true)
	w.healed()
	for i := range everybody {
		if w.suspended(address(i)) != (address(i) != cancelled) {
			t.Errorf("%s is suspended: %t", address(i), w.suspended(address(i)))
		}
	}
}

// Enter on a button must not decide about somebody else than the one for whom it was chosen.
func TestInBrowserTheFocusStaysWithThePerson(t *testing.T) {
	t.Parallel()
	w, token := deployed(t)
	var paths []string
	for i := range 13 { // of whom the default limit suspends ten in an hour
		paths = append(paths, "/Users/"+w.invite(token, address(i)))
	}
	for _, path := range paths {
		w.setActive(token, path, false)
	}
	w.problem(problem.SuspensionsHeld)
	page := w.browser()
	w.signIn()
	focused := func() string {
		return browser.Evaluate[string](page, `document.activeElement.getAttribute("aria-label") ?? ""`)
	}
	browser.Call[bool](page, `(name) => {
		const button = document.querySelector("button[aria-label^='Approve: " + name + "']");
		button.focus();
		return document.activeElement === button;
	}`, address(11))
	before := focused()
	if !strings.Contains(before, address(11)) {
		t.Fatalf("the focus is on %q", before)
	}
	w.setActive(token, paths[10], true) // the identity provider takes it back: another row is the first
	page.Eventually("the page is current", func() (bool, string) {
		return strings.Contains(page.Text(), "2 suspensions"), page.Text()
	})
	if after := focused(); after != before {
		t.Errorf("the focus went from %q to %q", before, after)
	}
	browser.Evaluate[bool](page, `(document.activeElement.blur(), true)`)
	page.Eventually("the list is current", func() (bool, string) {
		return !page.Has("button", "Approve: "+address(10)), page.Text()
	})
}

// A proxy in front of a bridge that is down answers, so that an answer alone proves nothing.
func TestInBrowserAPageThatIsOldSaysSo(t *testing.T) {
	t.Parallel()
	w, _ := deployed(t)
	page := w.browser()
	w.signIn()
	const old = "The bridge does not answer now. What is shown is as of 20"
	browser.Evaluate[bool](page, `(() => {
		window.direct = window.fetch;
		window.fetch = async () => new Response("Bad Gateway", { status: 502 });
		return true;
	})()`)
	page.Eventually("the page says that it is old", func() (bool, string) {
		return strings.Contains(page.Text(), old), page.Text()
	})
	page.Check("a bridge that does not answer")
	browser.Evaluate[bool](page, `(window.fetch = window.direct, true)`)
	page.Eventually("the page is current again", func() (bool, string) {
		return !strings.Contains(page.Text(), old), page.Text()
	})
}

func address(i int) string { return fmt.Sprintf("person%03d@example.com", i) }

// decides presses a button about one hold.
func (w *world) decides(page *browser.Page, button string, want int) {
	w.t.Helper()
	if status := page.FindNamed("button", button).Follow(); status != want {
		w.t.Errorf("%s: status %d, want %d:\n%s", button, status, want, page.Text())
	}
}

// S2: while two tokens are valid, the page says so.
func TestInBrowserAnOverlapIsShown(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	first, second := newToken(t), newToken(t)
	w.config(strings.Replace(w.base(fromAddress), `"25s"`, `"1h"`, 1))
	w.apply(vars{"token": first.Reveal()})
	w.healed()
	w.apply(vars{"token": second.Reveal(), "token_version": "2"})
	page := w.browser()
	w.eventually("the page shows the overlap", func() (bool, string) {
		w.signIn()
		return page.Has("heading", "Overlap"), page.Text()
	})
	page.Check("overlap")
}
