package page

import (
	"errors"
	"net/http"
	"time"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/internal/httpkit"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/internal/inputtext"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/journal"
)

// Holds shows what the account holds, or the bridge before a SCIM server, and lets it be approved or cancelled.
func Holds(account bridge.Holds) Section {
	h := holds{account}
	return Section{
		Name: "holds",
		Data: func(v *Visit) any {
			held := h.list(v, "", holdsOnOverview)
			if held.Total() == 0 && held.Notice == "" {
				return nil
			}
			held.Overview = true
			return held
		},
		Actions: []Action{
			{http.MethodGet, holdsPath, func(v *Visit) { h.show(v, http.StatusOK) }},
			{http.MethodPost, holdsPath, h.decide},
		},
	}
}

type holds struct{ account bridge.Holds }

const (
	holdsPath       = "/app/holds"
	holdsOnOverview = 10
	holdsOnPage     = 50
)

// heldList is the data of holds.html.
type heldList struct {
	bridge.HoldPage
	Now      time.Time
	Notice   string // why there is no list
	Cursor   string // of this page; empty: the first
	Overview bool   // it is only the beginning
}

// Total is how many holds there are.
func (h heldList) Total() int64 { return h.Suspensions + h.Removals }

// Before is AsOf as the form sends it back.
func (h heldList) Before() string { return h.AsOf.UTC().Format(time.RFC3339Nano) }

// Held are those that are shown.
func (h heldList) Held() []held {
	all := make([]held, len(h.Items))
	for i, item := range h.Items {
		all[i] = held{item}
	}
	return all
}

// NextPath is the address of the page with the holds behind these.
func (h heldList) NextPath() string { return pathWith(holdsPath, "cursor", h.Next) }

type held struct{ bridge.Hold }

// What says what is held.
func (h held) What() string {
	switch {
	case h.Removal:
		return inputtext.Line("removed from " + h.GroupName)
	case h.Deleted:
		return "deleted"
	}
	return "suspended"
}

// list asks the account for holds, from a cursor on.
func (h holds) list(v *Visit, cursor string, limit int) (l heldList) {
	ctx, cancel := v.AskAccount()
	defer cancel()
	page, err := h.account.Holds(ctx, cursor, limit)
	if bridge.CodeOf(err) == bridge.InvalidCursor || err == nil && cursor != "" && len(page.Items) == 0 { // all decided
		cursor = ""
		page, err = h.account.Holds(ctx, cursor, limit)
	}
	if err != nil {
		l.Notice = accountAway
	}
	l.HoldPage, l.Cursor, l.Now = page, cursor, v.Now
	return l
}

func (h holds) show(v *Visit, code int) {
	v.ShowPage(code, "holds", "Held suspensions", h.list(v, v.Query("cursor"), holdsOnPage))
}

// decisionTimeout is how long an approval may take: a SCIM server is told of each suspension by itself.
const decisionTimeout = 10 * time.Minute

// decide carries out a decision of the form about holds.
func (h holds) decide(v *Visit) {
	d, err := readDecision(v.Writer, v.Request)
	if err != nil {
		v.ShowOverview(http.StatusBadRequest, "Nothing was decided: "+err.Error()+".")
		return
	}
	httpkit.RequestFrom(v.Context()).AnswerWithin(decisionTimeout)
	decided, err := h.account.DecideHolds(v.Context(), d)
	if decided > 0 { // of some, if there is an error
		e := journal.Event{Kind: journal.HoldsCancelled, Count: decided}
		if d.Approve {
			e.Kind = journal.HoldsApproved
		}
		v.Record(e)
	}
	refusal, isRefused := errors.AsType[*bridge.Error](err)
	switch {
	case err == nil:
		v.Redirect(decidedFrom(v.Request))
	case bridge.CodeOf(err) == bridge.NotFound:
		v.ShowOverview(http.StatusConflict, "Nothing was decided: it is not held any more.")
	case isRefused:
		v.Warn("holds could not be decided", err)
		v.ShowOverview(http.StatusConflict, "Not all of it was carried out: "+inputtext.Line(refusal.Detail)+".")
	default:
		v.Warn("holds could not be decided", err)
		v.ShowOverview(http.StatusServiceUnavailable,
			"The account has not confirmed that all of it was carried out. What is left is listed; try again when it "+
				"answers.")
	}
}

// decidedFrom returns the address of the page that the form was on: only the list's has a cursor.
func decidedFrom(r *http.Request) string {
	if !r.PostForm.Has("cursor") {
		return "/app#held"
	}
	return pathWith(holdsPath, "cursor", r.PostForm.Get("cursor")) // which begins with them
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
