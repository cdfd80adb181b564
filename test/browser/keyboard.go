//go:build browser

package browser

import (
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
)

// A Focus is what has the keyboard's focus.
type Focus struct {
	Role, Name string
	// Text is what is visible of it.
	Text string
	// Visible is set if it looks different for having the focus.
	Visible bool
}

// focused describes the element with the focus, and nothing if that is the page. Whether the focus shows is seen by
// taking it away for a moment.
const focused = `(() => {
	const e = document.activeElement;
	if (!e || e === document.body || e === document.documentElement) return null;
	const look = () => { const s = getComputedStyle(e);
		return [s.outlineStyle, s.outlineWidth, s.outlineColor, s.boxShadow, s.borderColor, s.backgroundColor,
			s.textDecorationLine].join(' '); };
	const withFocus = look(), shows = getComputedStyle(e).outlineStyle !== 'none' || e.matches(':focus-visible');
	e.blur();
	const without = look();
	e.focus({preventScroll: true, focusVisible: true});
	return {role: e.getAttribute('role') || e.tagName.toLowerCase(),
		name: e.getAttribute('aria-label') || (e.labels && e.labels[0] && e.labels[0].innerText) || e.innerText || '',
		text: e.innerText || '', visible: shows && withFocus !== without};
})()`

// Focused returns what has the focus; it is nil if nothing has.
func (p *Page) Focused() *Focus {
	p.t.Helper()
	return Evaluate[*Focus](p, focused)
}

// Tab moves the focus to the next element, as the Tab key does.
func (p *Page) Tab() *Focus {
	p.t.Helper()
	p.do("press Tab", chromedp.KeyEvent(kb.Tab))
	return p.Focused()
}

// Press presses a key that loads no other page.
func (p *Page) Press(key string) {
	p.t.Helper()
	p.do("press a key", chromedp.KeyEvent(key))
}

// reachable lists what a keyboard has to reach, in the order of the page.
const reachable = `[...document.querySelectorAll(
	'a[href], button, input:not([type=hidden]), select, textarea, summary, [tabindex="0"]')].
	filter(e => e.checkVisibility() && !e.disabled).map(e =>
	e.getAttribute('aria-label') || (e.labels && e.labels[0] && e.labels[0].innerText) || e.innerText || '')`

// CheckKeyboard fails the test unless the Tab key reaches everything that can be used, in the order of the page, and
// shows where it is. It starts where the focus is: at the top of a page that was just loaded.
func (p *Page) CheckKeyboard(state string) {
	p.t.Helper()
	want := Evaluate[[]string](p, reachable)
	if len(want) == 0 {
		p.t.Fatalf("%s: nothing on the page can be used: the test would prove nothing", state)
	}
	for i, name := range want {
		f := p.Tab()
		if f == nil || f.Name != name {
			p.t.Errorf("%s: Tab number %d comes to %+v, and should come to %q of %q", state, i+1, f, name, want)
			return
		}
		if !f.Visible {
			p.t.Errorf("%s: nothing shows that %q has the focus", state, name)
		}
	}
}
