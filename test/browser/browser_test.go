//go:build browser

package browser

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
)

// A recorder is a test that keeps its errors for another one.
type recorder struct {
	testing.TB
	errors []string
}

func (r *recorder) Errorf(format string, values ...any) {
	r.errors = append(r.errors, fmt.Sprintf(format, values...))
}

// good is a page without a fault; each row below adds one.
const good = `<!doctype html><html lang="en"><head><title>A page</title>
<meta name="viewport" content="width=device-width, initial-scale=1"><link rel="icon" href="data:,">
<style>:root { color-scheme: light dark } body { background: Canvas; color: CanvasText }
:focus-visible { outline: 2px solid red }</style></head>
<body><main><h1>A page</h1><a href="/">Top</a> <button>Press</button>%s</main></body></html>`

// serve serves good with an addition in its body, and what else is asked for with 404.
func serve(t *testing.T, addition string) (address string) {
	t.Helper()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/" {
			http.NotFound(w, r)
			return
		}
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		w.Header().Set("Content-Security-Policy", "default-src 'self' data:; style-src 'unsafe-inline'; "+
			"script-src 'self' 'sha256-none'; connect-src 'self'")
		fmt.Fprintf(w, good, addition)
	}))
	t.Cleanup(s.Close)
	return s.URL + "/"
}

// The checks find each kind of fault that they are there for, and none on a page without one.
func TestInBrowserEachFaultIsFound(t *testing.T) {
	t.Parallel()
	for _, row := range []struct{ name, addition, want string }{
		{"a page without a fault", ``, ""},
		{"a line that is too wide for a phone", `<p style="width: 500px">wide</p>`, "wider than the window"},
		{"a line that is too wide for a desktop", `<p style="width: 1500px">wide</p>`, "1280 px"},
		{"a picture that is missing", `<img src="/missing.png" alt="nothing">`, "answered with 404"},
		{"a script that the policy forbids", `<script>1</script>`, "policy"},
		{"a style sheet of a third party", `<link rel="stylesheet" href="http://127.0.0.1:1/x.css">`, "policy"},
		{"grey on white", `<p style="color: #ccc">faint</p>`, "axe-core: color-contrast"},
		{"dark on dark, in dark colours alone",
			`<p style="color: light-dark(#000, #333)">faint</p>`, "axe-core: color-contrast"},
		{"a field without a label", `<input name="x">`, "axe-core: label"},
		{"a button without a name", `<button></button>`, "axe-core: button-name"},
		{"a heading that skips a level", `<h4>Deep</h4>`, "axe-core: heading-order"},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			if script, err := axe(); script == "" && err == nil && strings.HasPrefix(row.want, "axe-core") {
				t.Skip("set " + axePath + ", or run make test-browser")
			}
			found := &recorder{TB: t}
			p := New(found)
			p.Open(serve(t, row.addition))
			p.Check("state")
			switch {
			case row.want == "" && len(found.errors) > 0:
				t.Errorf("faults are found: %q", found.errors)
			case row.want != "" && !slices.ContainsFunc(found.errors, func(e string) bool {
				return strings.Contains(e, row.want)
			}):
				t.Errorf("nothing found has %q: %q", row.want, found.errors)
			}
		})
	}
}

// The keyboard's check finds what it cannot reach and what hides where it is.
func TestInBrowserTheKeyboardsFaultsAreFound(t *testing.T) {
	t.Parallel()
	for _, row := range []struct{ name, addition, want string }{
		{"a page without a fault", `<details><summary>More</summary><button>Hidden</button></details>`, ""},
		{"a link that Tab passes over", `<a href="/" tabindex="-1">Passed over</a>`, "Passed over"},
		{"another order", `<a href="/" tabindex="1">First</a>`, "should come to"},
		{"a focus that does not show", `<style>#x:focus-visible { outline: none }</style><button id="x">Dim</button>`,
			"has the focus"},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			found := &recorder{TB: t}
			p := New(found)
			p.Open(serve(t, row.addition))
			p.CheckKeyboard("state")
			if told := strings.Join(found.errors, "\n"); (row.want == "") != (told == "") ||
				!strings.Contains(told, row.want) {
				t.Errorf("found is %q, and should have %q", told, row.want)
			}
		})
	}
}

// Without scripts, forms work and the page's own scripts do not run.
func TestInBrowserScriptsCanBeForbidden(t *testing.T) {
	t.Parallel()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/html")
		fmt.Fprintf(w, `<p>sent: %s</p><p id="out">no script</p>
			<script>document.getElementById("out").textContent = "script"</script>
			<form method="post"><label>Word <input name="word"></label><button>Send</button></form>`,
			r.PostFormValue("word"))
	}))
	t.Cleanup(s.Close)
	p := New(t)
	p.Open(s.URL)
	if text := p.Text(); strings.Contains(text, "no script") {
		t.Errorf("scripts are allowed at first, and did not run: %s", text)
	}
	p.Scripts(false)
	p.Open(s.URL)
	p.Find("textbox", "Word").Click()
	p.Type("hello")
	p.Find("button", "Send").Follow()
	if text := p.Text(); !strings.Contains(text, "sent: hello") || !strings.Contains(text, "no script") {
		t.Errorf("the form was not sent, or the script did run: %s", text)
	}
	found := &recorder{TB: t}
	p.t = found
	p.Check("without scripts")
	told := strings.Join(found.errors, "\n")
	if script, _ := axe(); script != "" && !strings.Contains(told, "axe-core: html-has-lang") {
		t.Errorf("the rules are not tried without scripts: %q", found.errors)
	}
	if text := p.Text(); !strings.Contains(text, "no script") {
		t.Errorf("the page's script did run to check it: %s", text)
	}
}

// A page that loads itself again stays as it is until the test opens something else.
func TestInBrowserAPageStaysWhileItIsLookedAt(t *testing.T) {
	t.Parallel()
	loaded := make(chan struct{}, 10)
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/html")
		if r.URL.Path == "/" {
			loaded <- struct{}{}
			fmt.Fprint(w, `<script>setInterval(() => { window.tried = true; location.reload() }, 20)</script>`)
		}
	}))
	t.Cleanup(s.Close)
	p := New(t)
	p.Open(s.URL)
	Evaluate[bool](p, "window.mark = true")
	p.Eventually("the page tries to load itself again", func() (bool, string) {
		return Evaluate[bool](p, "window.mark === true && window.tried === true"), "it has not"
	})
	for range 10 { // each is a round trip, within which the page tries again
		if !Evaluate[bool](p, "window.mark === true") {
			t.Fatal("the page was loaded again")
		}
	}
}

// A tab has cookies of its own: two people at one page are two people.
func TestInBrowserTabsShareNoCookies(t *testing.T) {
	t.Parallel()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, err := r.Cookie("seen")
		http.SetCookie(w, &http.Cookie{Name: "seen", Value: "yes"})
		w.Header().Set("Content-Type", "text/html")
		fmt.Fprintf(w, "<p>known: %t</p>", err == nil)
	}))
	t.Cleanup(s.Close)
	first, second := New(t), New(t)
	for _, row := range []struct {
		page  *Page
		known string
	}{{first, "known: false"}, {first, "known: true"}, {second, "known: false"}} {
		row.page.Open(s.URL)
		if text := row.page.Text(); text != row.known {
			t.Errorf("%q, want %q", text, row.known)
		}
	}
}
