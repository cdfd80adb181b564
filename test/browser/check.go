//go:build browser

package browser

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/page"
)

// Check fails the test unless what holds for every page holds for the one that is shown: on a phone and on a desktop,
// in light and in dark colours, nothing is wider than the window, axe-core's rules find no violation, and the browser
// has nothing to complain about. It keeps a picture of each, with the name of the state.
func (p *Page) Check(state string) {
	p.t.Helper()
	if !p.scripts { // the rules wait for timers; the page was loaded without its scripts, and stays as it is
		p.Scripts(true)
		defer p.Scripts(false)
	}
	p.NoFaults(state)
	for _, width := range []int64{Phone, Desktop} {
		p.Resize(width)
		for _, scheme := range []string{"light", "dark"} {
			p.scheme(scheme)
			look := fmt.Sprintf("%s, %d px, %s", state, width, scheme)
			p.fits(look)
			p.picture(look)
			// The rules look at colours and at what a layout hides: each once is enough.
			if (width == Phone) == (scheme == "light") {
				p.accessible(look)
			}
		}
	}
	p.scheme("light")
	p.NoFaults(state)
}

// NoFaults fails the test if the browser has complained about something since the last call.
func (p *Page) NoFaults(state string) {
	p.t.Helper()
	for _, fault := range p.faults.take() {
		p.t.Errorf("%s: %s", state, fault)
	}
}

// scheme sets the colours that the person prefers.
func (p *Page) scheme(name string) {
	p.t.Helper()
	send(p, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{
		Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: name}},
	})
}

// fits fails the test if the page can be scrolled sideways.
func (p *Page) fits(look string) {
	p.t.Helper()
	wide := Evaluate[[]string](p, `(() => {
		const right = innerWidth;
		if (document.scrollingElement.scrollWidth <= right) return [];
		return [...document.body.querySelectorAll('*')].filter(e => e.getBoundingClientRect().right > right + 0.5).
			map(e => e.tagName.toLowerCase() + ' "' + e.textContent.trim().slice(0, 40) + '" ends at ' +
				Math.round(e.getBoundingClientRect().right)).
			concat('the page: ' + document.scrollingElement.scrollWidth);
	})()`)
	if len(wide) > 0 {
		p.t.Errorf("%s: it is wider than the window: %s", look, strings.Join(wide, "; "))
	}
}

var unfit = regexp.MustCompile(`[^A-Za-z0-9_]+`)

// picture keeps a picture of the whole page.
func (p *Page) picture(look string) {
	p.t.Helper()
	if os.Getenv(keptPath) == "" {
		return
	}
	beyond := true
	shot := send(p, page.CaptureScreenshot, page.CaptureScreenshotParams{CaptureBeyondViewport: &beyond})
	p.must("keep a picture", os.WriteFile(filepath.Join(p.kept(), fileName(look)+".png"), shot.Data, 0o644))
}

// keptPath names the folder in which pictures and downloads are kept.
const keptPath = "SCIMBRIDGE_TEST_KEPT"

// kept is the folder for what this test keeps.
func (p *Page) kept() string {
	p.t.Helper()
	folder := os.Getenv(keptPath)
	if folder == "" {
		return p.t.TempDir()
	}
	folder = filepath.Join(folder, fileName(p.t.Name()))
	p.must("keep what is seen", os.MkdirAll(folder, 0o755))
	return folder
}

func fileName(s string) string { return strings.Trim(unfit.ReplaceAllString(s, "-"), "-") }

// axePath names the script of axe-core, which make test-browser installs.
const axePath = "SCIMBRIDGE_TEST_AXE"

// axe is the script, or nothing where it is not installed.
var axe = sync.OnceValues(func() (string, error) {
	path := os.Getenv(axePath)
	if path == "" && os.Getenv("CI") == "" {
		return "", nil
	}
	script, err := os.ReadFile(path)
	return string(script), err
})

// A violation is a rule that the page breaks.
type violation struct {
	ID, Help string
	Nodes    []struct{ HTML, FailureSummary string }
}

func (v violation) String() string {
	var nodes strings.Builder
	for _, n := range v.Nodes {
		fmt.Fprintf(&nodes, "\n  %s\n  %s", n.HTML, strings.ReplaceAll(n.FailureSummary, "\n", "\n  "))
	}
	return v.ID + ": " + v.Help + nodes.String()
}

// accessible fails the test if the page breaks one of axe-core's rules.
func (p *Page) accessible(look string) {
	p.t.Helper()
	script, err := axe()
	if err != nil {
		p.t.Fatalf("axe-core: %v: run make test-browser, or set %s", err, axePath)
	}
	if script == "" {
		p.t.Logf("%s: axe-core's rules are not tried: %s is not set", look, axePath)
		return
	}
	if !Evaluate[bool](p, "typeof axe === 'object'") {
		Evaluate[bool](p, script+"; true")
	}
	// To load style sheets again, for rules about them, is what the page's policy forbids.
	found := Evaluate[[]violation](p, `axe.run(document, {preload: false, resultTypes: ['violations']}).
		then(result => result.violations.map(v => ({id: v.id, help: v.help,
			nodes: v.nodes.map(n => ({html: n.html, failureSummary: n.failureSummary || ''}))})))`)
	for _, v := range found {
		p.t.Errorf("%s: axe-core: %s", look, v)
	}
}
