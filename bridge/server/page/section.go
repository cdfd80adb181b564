package page

import (
	"context"
	"html/template"
	"net/http"
	"strings"
	"time"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge/control"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/health"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/internal/httpkit"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/internal/inputtext"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/journal"
)

// A Section is a part of the status page.
type Section struct {
	// Name is that of its template: "holds" is html/holds.html.
	Name string
	// Data returns the data of the template, which is shown on the overview; without data, the section is left out.
	// It is nil for a section that has only routes.
	Data func(*Visit) any
	// Unconfirmed is set if the section is also shown to somebody whose token the account has not confirmed: it has
	// neither people nor log.
	Unconfirmed bool
	// Links are shown on every page.
	Links []Link
	// Actions are the section's own routes, for those who are signed in.
	Actions []Action
	// ByToken answers a program that shows the bearer token with a request for one of the actions. It is told whether
	// the account has confirmed the token's credentials. If it is nil, programs are treated as visitors are.
	ByToken func(v *Visit, confirmed bool)
}

// A Link leads to a part of the status page.
type Link struct {
	Path, Text string
	Download   bool // it is a file
}

// An Action is a route of a section. Others than GET are protected against forms of other sites.
type Action struct {
	Method, Path string
	Do           func(*Visit)
}

// A Visit is a request of somebody who is signed in.
type Visit struct {
	Writer  http.ResponseWriter
	Request *http.Request
	Health  health.Health
	Status  control.Status
	Now     time.Time
	page    *Page
	began   time.Time // by the machine's clock
}

// Context is the request's.
func (v *Visit) Context() context.Context { return v.Request.Context() }

// maxSearch is the length of an e-mail address, in characters.
const maxSearch = 320

// searchText returns a parameter that is searched for.
func (v *Visit) searchText(name string) string {
	return inputtext.Truncate(inputtext.TrimBlanks(v.Query(name)), maxSearch)
}

// accountTimeout is how long all sections of a page together wait for the account: the page is shown when something is
// wrong with the account, too.
const accountTimeout = 3 * time.Second

// AskAccount returns the context for a question to the account. The caller must call cancel.
func (v *Visit) AskAccount() (ctx context.Context, cancel context.CancelFunc) {
	return context.WithDeadline(v.Context(), v.began.Add(accountTimeout))
}

// Query returns a parameter of the request's address; empty if it has none.
func (v *Visit) Query(name string) string { return v.Request.URL.Query().Get(name) }

// ShowOverview answers with the overview, and a notice above it, which may be empty.
func (v *Visit) ShowOverview(code int, notice string) {
	v.began = time.Now() // what came before, a form, has had its own time
	v.page.showOverview(v, code, overview{Notice: notice})
}

// ShowPage answers with a page of its own: a template with its data, under a title.
func (v *Visit) ShowPage(code int, name, title string, data any) {
	v.showPage(code, name, data, frame{Title: title, Live: true})
}

// ShowAnswer is like ShowPage for what is found out once, and not kept current: what is asked for may be much work.
func (v *Visit) ShowAnswer(code int, name, title string, data any) {
	v.showPage(code, name, data, frame{Title: title})
}

func (v *Visit) showPage(code int, name string, data any, f frame) {
	content, err := render(name, data)
	if err != nil {
		v.page.fail(v.Writer, name, err)
		return
	}
	f.Content = content
	v.page.showFrame(v, code, f)
}

// Redirect answers a form.
func (v *Visit) Redirect(to string) { http.Redirect(v.Writer, v.Request, to, http.StatusSeeOther) }

// Record records what somebody does on the page.
func (v *Visit) Record(e journal.Event) { v.page.record(v.Request, e) }

// Info logs what was done.
func (v *Visit) Info(message string) {
	v.page.Logger.Info(message, "request_id", httpkit.RequestFrom(v.Context()).ID)
}

// Warn logs why something could not be done.
func (v *Visit) Warn(message string, err error) { v.page.Logger.Warn(message, "error", err) }

// Download announces a file of the given type, whose name has the time; the caller then writes it.
func (v *Visit) Download(name, extension, contentType string) {
	h := v.Writer.Header()
	h.Set("Content-Type", contentType)
	name += "-" + v.page.Now().UTC().Format("20060102T150405Z") + extension
	h.Set("Content-Disposition", `attachment; filename="`+name+`"`)
	httpkit.RequestFrom(v.Context()).AnswerWithin(downloadTimeout)
}

// render renders a section.
func render(name string, data any) (template.HTML, error) {
	var b strings.Builder
	err := templates.ExecuteTemplate(&b, name+".html", data)
	return template.HTML(b.String()), err //nolint:gosec // the template has escaped it
}
