//go:build browser

package browser

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/chromedp/cdproto/accessibility"
	"github.com/chromedp/cdproto/audits"
	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/dom"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/fetch"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
)

// A Page is a tab with cookies of its own. It shows what the test opens until the test opens something else: a page
// that loads itself again by the clock stays as it is, or it would be gone while it is looked at.
type Page struct {
	t       testing.TB
	ctx     context.Context //nolint:containedctx // it is the tab: chromedp keeps it there
	faults  faults
	loading atomic.Bool // the test is loading another page
	scripts bool        // are allowed
}

// New opens a tab, which is closed when the test ends. Without a browser the test is skipped; in CI it fails.
func New(t testing.TB) *Page {
	t.Helper()
	p := &Page{t: t, scripts: true}
	ctx, cancel := chromedp.NewContext(chromium(t), chromedp.WithNewBrowserContext(),
		chromedp.WithListener(p.listen))
	t.Cleanup(cancel)
	p.ctx = ctx
	late := time.AfterFunc(timeout, cancel)
	defer late.Stop()
	p.must("open a tab", chromedp.Do(ctx)) // its context is the tab's, so it has no deadline
	send(p, audits.Enable, cdp.Empty{})
	send(p, fetch.Enable, fetch.EnableParams{Patterns: []*fetch.RequestPattern{
		{URLPattern: "*", ResourceType: network.ResourceTypeDocument},
	}})
	// A tab that is not in front acts as if it were.
	send(p, emulation.SetFocusEmulationEnabled, emulation.SetFocusEmulationEnabledParams{Enabled: true})
	p.Resize(Desktop)
	return p
}

// listen is called for each event, and must not wait for anything.
func (p *Page) listen(event any) {
	if e, ok := event.(*fetch.EventRequestPaused); ok {
		go p.admit(e.RequestID)
	}
	p.faults.listen(event)
}

// admit lets a request for another page pass if it is the test's. Otherwise it is answered with "no content", which
// leaves the page as it is.
func (p *Page) admit(id fetch.RequestID) {
	ctx, cancel := context.WithTimeout(p.ctx, timeout)
	defer cancel()
	var err error
	if p.loading.Load() {
		_, err = chromedp.Call(ctx, fetch.ContinueRequest, fetch.ContinueRequestParams{RequestID: id})
	} else {
		_, err = chromedp.Call(ctx, fetch.FulfillRequest,
			fetch.FulfillRequestParams{RequestID: id, ResponseCode: http.StatusNoContent})
	}
	if err != nil && p.ctx.Err() == nil {
		p.faults.add("the browser's request could not be answered: %v", err)
	}
}

// Sizes of the window. A phone's page is laid out as in a narrow window: the zoom of a real one would hide that
// something is too wide.
const (
	Phone   = 390
	Desktop = 1280
)

// Resize sets the width of the window in CSS pixels.
func (p *Page) Resize(width int64) {
	p.t.Helper()
	send(p, emulation.SetDeviceMetricsOverride, emulation.SetDeviceMetricsOverrideParams{
		Width: width, Height: 844, DeviceScaleFactor: 1,
	})
}

// Scripts allows or forbids the page's own scripts from the next page on. They are allowed at first.
func (p *Page) Scripts(allowed bool) {
	p.t.Helper()
	p.scripts = allowed
	send(p, emulation.SetScriptExecutionDisabled, emulation.SetScriptExecutionDisabledParams{Value: !allowed})
}

// Open opens an address and returns the status of the answer.
func (p *Page) Open(address string) (status int) {
	p.t.Helper()
	return p.load("open "+address, chromedp.Func(func(ctx context.Context, t *chromedp.Target) error {
		_, err := cdp.Call(ctx, t, page.Navigate, page.NavigateParams{URL: address})
		return err
	}))
}

// Leave opens an empty page: one that refreshes itself must not ask a server that the test has stopped.
func (p *Page) Leave() {
	p.t.Helper()
	p.Open("about:blank")
}

// load takes a step that loads another page, waits for that, and returns the status.
func (p *Page) load(what string, step chromedp.Action[chromedp.Void]) (status int) {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.ctx, timeout)
	defer cancel()
	p.loading.Store(true)
	defer p.loading.Store(false)
	answer, err := chromedp.RunResponse(ctx, step)
	p.must(what, err)
	if answer == nil {
		return http.StatusOK // an empty page
	}
	return int(answer.Status)
}

// URL is the page's address.
func (p *Page) URL() string {
	p.t.Helper()
	return Evaluate[string](p, "location.href")
}

// Text is what is visible on the page.
func (p *Page) Text() string {
	p.t.Helper()
	return Evaluate[string](p, "document.body.innerText")
}

// An Element is something on the page as assistive technology has it.
type Element struct {
	Role, Name string
	page       *Page
	node       cdp.BackendNodeID
}

func (e Element) String() string { return fmt.Sprintf("%s %q", e.Role, e.Name) }

// All returns the elements of a role, in the order of the page.
func (p *Page) All(role string) (all []Element) {
	p.t.Helper()
	document := Evaluate[*runtime.RemoteObject](p, "document")
	found := send(p, accessibility.QueryAXTree,
		accessibility.QueryAXTreeParams{ObjectID: document.ObjectID, Role: role})
	for _, n := range found.Nodes {
		if !n.Ignored {
			all = append(all, Element{Role: role, Name: text(n.Name), page: p, node: n.BackendDOMNodeID})
		}
	}
	return all
}

func text(v *accessibility.Value) (s string) {
	if v != nil {
		_ = json.Unmarshal([]byte(v.Value), &s) // names are strings
	}
	return s
}

// Find waits for the one element of a role with this name.
func (p *Page) Find(role, name string) (found Element) {
	p.t.Helper()
	return p.find(role, fmt.Sprintf("the name %q", name), func(e Element) bool { return e.Name == name })
}

// FindNamed waits for the one element of a role whose name has this part.
func (p *Page) FindNamed(role, part string) (found Element) {
	p.t.Helper()
	return p.find(role, fmt.Sprintf("a name with %q", part), func(e Element) bool {
		return strings.Contains(e.Name, part)
	})
}

// Has reports whether there is an element of a role whose name has this part, in whatever letters.
func (p *Page) Has(role, part string) bool {
	p.t.Helper()
	for _, e := range p.All(role) {
		if strings.Contains(strings.ToLower(e.Name), strings.ToLower(part)) {
			return true
		}
	}
	return false
}

func (p *Page) find(role, what string, is func(Element) bool) (found Element) {
	p.t.Helper()
	p.Eventually(fmt.Sprintf("there is one %s with %s", role, what), func() (bool, string) {
		var fitting, all []Element
		for _, e := range p.All(role) {
			all = append(all, e)
			if is(e) {
				fitting = append(fitting, e)
			}
		}
		if len(fitting) != 1 {
			return false, fmt.Sprintf("%d of them; all are %v; the page at %s shows\n%s", len(fitting), all, p.URL(),
				p.Text())
		}
		found = fitting[0]
		return true, ""
	})
	return found
}

// Eventually waits until the condition holds; why says what is missing.
func (p *Page) Eventually(what string, holds func() (ok bool, why string)) {
	p.t.Helper()
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for deadline := time.Now().Add(timeout); ; {
		ok, why := holds()
		if ok {
			return
		}
		if time.Now().After(deadline) {
			p.t.Fatalf("%s: not within %s: %s", what, timeout, why)
		}
		select {
		case <-tick.C:
		case <-p.ctx.Done():
			p.t.Fatalf("%s: the tab was closed: %s", what, why)
		}
	}
}

// click presses the mouse's button in the middle of the element.
func (e Element) click() chromedp.Action[chromedp.Void] {
	return chromedp.Func(func(ctx context.Context, t *chromedp.Target) error {
		if _, err := cdp.Call(ctx, t, dom.ScrollIntoViewIfNeeded,
			dom.ScrollIntoViewIfNeededParams{BackendNodeID: e.node}); err != nil {
			return fmt.Errorf("it is not there any more: %w", err)
		}
		quads, err := cdp.Call(ctx, t, dom.GetContentQuads, dom.GetContentQuadsParams{BackendNodeID: e.node})
		if err != nil {
			return err
		}
		if len(quads.Quads) == 0 || len(quads.Quads[0]) != 8 {
			return errors.New("it is not visible")
		}
		q := quads.Quads[0]
		_, err = chromedp.MouseClickXY((q[0]+q[4])/2, (q[1]+q[5])/2)(ctx, t)
		return err
	})
}

// Click clicks on what loads no other page.
func (e Element) Click() {
	e.page.t.Helper()
	e.page.do("click on "+e.String(), e.click())
}

// Follow clicks on what loads another page, and returns the status of the answer.
func (e Element) Follow() (status int) {
	e.page.t.Helper()
	return e.page.load("click on "+e.String(), e.click())
}

// Type types into what has the focus.
func (p *Page) Type(text string) {
	p.t.Helper()
	p.do("type", chromedp.KeyEvent(text))
}

// Enter presses Enter where that loads another page, and returns the status of the answer.
func (p *Page) Enter() (status int) {
	p.t.Helper()
	return p.load("press Enter", chromedp.KeyEvent(kb.Enter))
}

func (p *Page) do(what string, step chromedp.Action[chromedp.Void]) {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.ctx, timeout)
	defer cancel()
	p.must(what, chromedp.Do(ctx, step))
}

func (p *Page) must(what string, err error) {
	p.t.Helper()
	if err != nil {
		p.t.Fatalf("in the browser: %s: %v", what, err)
	}
}

// Evaluate returns the value of an expression of JavaScript. The page's policy and a ban on its scripts do not concern
// it.
func Evaluate[T any](p *Page, expression string) T {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.ctx, timeout)
	defer cancel()
	value, err := chromedp.Run(ctx, chromedp.Evaluate[T](expression, chromedp.EvalAwaitPromise))
	p.must("evaluate "+expression[:min(len(expression), 200)], err)
	return value
}

// Call calls a function of JavaScript with values, and returns what it returns.
func Call[T any](p *Page, function string, values ...any) T {
	p.t.Helper()
	var arguments []string
	for _, v := range values {
		text, err := json.Marshal(v)
		p.must("call a function", err)
		arguments = append(arguments, string(text))
	}
	return Evaluate[T](p, "("+function+")("+strings.Join(arguments, ", ")+")")
}

// send sends a command of the browser's protocol.
func send[P, R any](p *Page, command cdp.Command[P, R], params P) R {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.ctx, timeout)
	defer cancel()
	result, err := chromedp.Call(ctx, command, params)
	p.must(command.Method, err)
	return result
}

// isDocument reports whether a request asks for the page itself.
func isDocument(e *network.EventRequestWillBeSent) bool {
	return e.Type == network.ResourceTypeDocument
}
