package server

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"time"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/internal/httpkit"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/journal"
)

const (
	holdsShown = 100
	// holdsTimeout is how long the page waits for the account: it is shown without the
	// holds when something is wrong with the account, too.
	holdsTimeout = 3 * time.Second
)

// heldSection is the page's part about holds.
type heldSection struct {
	bridge.HoldPage
	Notice  string // why there is no list, or why a decision failed
	Further bool   // it is not the first page
}

// Total is how many holds there are.
func (h heldSection) Total() int64 { return h.Suspensions + h.Removals }

// More reports whether there are holds on another page.
func (h heldSection) More() bool { return h.Total() > int64(len(h.Items)) }

// Before is AsOf as the form sends it back.
func (h heldSection) Before() string { return h.AsOf.UTC().Format(time.RFC3339Nano) }

// held asks the account for holds, from a cursor on.
func (p *Page) held(ctx context.Context, cursor string) (h heldSection) {
	if p.Holds == nil {
		return h
	}
	ctx, cancel := context.WithTimeout(ctx, holdsTimeout)
	defer cancel()
	page, err := p.Holds.Holds(ctx, cursor, holdsShown)
	if bridge.CodeOf(err) == bridge.InvalidCursor {
		cursor = ""
		page, err = p.Holds.Holds(ctx, cursor, holdsShown)
	}
	if err != nil {
		h.Notice = "The account cannot be asked now."
	}
	h.HoldPage, h.Further = page, cursor != ""
	return h
}

// decide carries out a decision of the form about holds.
func (p *Page) decide(w http.ResponseWriter, r *http.Request) {
	if !p.signedIn(r) {
		http.Redirect(w, r, "/app", http.StatusSeeOther)
		return
	}
	if p.Holds == nil {
		http.NotFound(w, r)
		return
	}
	d, err := readDecision(w, r)
	if err != nil {
		p.showHolds(w, r, http.StatusBadRequest, "Nothing was decided: "+err.Error()+".")
		return
	}
	switch decided, err := p.Holds.DecideHolds(r.Context(), d); {
	case err == nil:
		e := journal.Event{Kind: journal.HoldsCancelled, Count: decided}
		if d.Approve {
			e.Kind = journal.HoldsApproved
		}
		p.record(r, e)
		http.Redirect(w, r, "/app#held", http.StatusSeeOther)
	case bridge.CodeOf(err) == bridge.NotFound:
		p.showHolds(w, r, http.StatusConflict, "Nothing was decided: it is not held any more.")
	default:
		p.Logger.Warn("holds could not be decided", "error", err)
		p.showHolds(w, r, http.StatusServiceUnavailable,
			"The account did not carry out all of it. What is left is listed; try again when the account answers.")
	}
}

// readDecision reads the form: one hold, or all since a time or before.
func readDecision(w http.ResponseWriter, r *http.Request) (d bridge.HoldDecision, err error) {
	if err := httpkit.ParseForm(w, r, 4<<10); err != nil {
		return d, errors.New("the form could not be read")
	}
	switch r.PostFormValue("decision") {
	case "approve":
		d.Approve = true
	case "cancel":
	default:
		return d, errors.New("the form has neither approve nor cancel")
	}
	id, until := r.PostFormValue("id"), r.PostFormValue("until")
	switch {
	case id != "" && until == "":
		d.IDs = []string{id}
	case id == "" && until != "":
		if d.Until, err = time.Parse(time.RFC3339Nano, until); err != nil || d.Until.IsZero() {
			return d, errors.New("the form has no time")
		}
	default:
		return d, errors.New("the form has no hold")
	}
	return d, nil
}

func (p *Page) showHolds(w http.ResponseWriter, r *http.Request, code int, notice string) {
	page := p.status(r.Context(), "")
	page.Held.Notice = notice
	p.render(w, code, "status.html", page)
}

// status is the status page, with holds from a cursor on.
func (p *Page) status(ctx context.Context, cursor string) statusPage {
	return statusPage{Health: p.Health(), Status: p.Status(), Waiting: p.Waiting(), Held: p.held(ctx, cursor)}
}

func describeHold(h bridge.Hold) string {
	switch {
	case h.Removal:
		return "removed from " + h.GroupName
	case h.Deleted:
		return "deleted"
	}
	return "suspended"
}

// nextHolds is the address of the page with the holds behind these.
func nextHolds(cursor string) string {
	return "/app?" + url.Values{"held": {cursor}}.Encode() + "#held"
}
