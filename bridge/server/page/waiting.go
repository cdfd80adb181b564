package page

import (
	"net/http"
	"net/url"
	"slices"
	"time"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/internal/httpkit"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/internal/inputtext"
)

// A Watcher looks for people to confirm, in rounds.
type Watcher interface {
	// LastRound returns when the last successful round was; zero if there was none.
	LastRound() time.Time
	// Trigger makes the next round immediately.
	Trigger()
	// Waiting returns the people of the last round who still wait.
	Waiting() []bridge.Attention
}

// Waiting shows the people who wait for something: on the overview how many, and those for whom an operator must act;
// all of them, searched and by pages, on a page of its own.
func Waiting(account bridge.Overview, watcher Watcher) Section {
	w := waiting{account, watcher}
	return Section{
		Name:  "waiting",
		Links: []Link{{Path: peoplePath, Text: "People"}},
		Data:  func(v *Visit) any { return w.overview(v) },
		Actions: []Action{
			{http.MethodGet, peoplePath, func(v *Visit) {
				v.ShowPage(http.StatusOK, "people", "People", w.list(v, bridge.WaitingQuery{
					Kind: knownKind(v.Query("kind")), Search: v.searchText("search"), Cursor: v.Query("cursor"),
					Limit: waitingOnPage,
				}))
			}},
			{http.MethodPost, peoplePath + "/look", w.look},
		},
	}
}

// look makes the next round, and shows the same search again.
func (w waiting) look(v *Visit) {
	if err := httpkit.ParseForm(v.Writer, v.Request, 4<<10); err != nil {
		v.ShowOverview(http.StatusBadRequest, "The bridge did not look: the form could not be read.")
		return
	}
	w.watcher.Trigger()
	v.Redirect(pathWith(peoplePath, "kind", string(knownKind(v.Request.PostFormValue("kind"))),
		"search", v.Request.PostFormValue("search")))
}

const (
	peoplePath        = "/app/people"
	waitingOnOverview = 5 // of each kind
	waitingOnPage     = 50
	accountAway       = "The account cannot be asked now."
)

type waiting struct {
	account bridge.Overview
	watcher Watcher
}

// waitingKinds are the kinds in the order of the list, with what a list calls them.
var waitingKinds = []waitingKind{
	{bridge.ConfirmationDue, "accepted, to be confirmed by the bridge"},
	{bridge.SignupDomainMissing, "new address, domain not allowed"},
	{bridge.AddressMissing, "no e-mail address to invite"},
	{bridge.AddressTaken, "address is another person's"},
	{bridge.InvitationUnsent, "invitation could not be sent"},
	{bridge.ConfirmationUnsent, "mail to a new address could not be sent"},
	{bridge.AddressUnconfirmed, "new address, to be confirmed by the person"},
	{bridge.InvitationOpen, "invited, not yet accepted"},
}

type waitingKind struct {
	kind bridge.AttentionKind
	text string
}

func knownKind(text string) bridge.AttentionKind {
	for _, k := range waitingKinds {
		if string(k.kind) == text {
			return k.kind
		}
	}
	return ""
}

// waitingList is the data of waiting.html and people.html.
type waitingList struct {
	Now, AsOf, Looked time.Time
	Notice            string
	Query             bridge.WaitingQuery
	Kinds             []countedKind
	Total             int64 // whatever the kind
	People            []waitingPerson
	Next              string
}

type countedKind struct {
	Kind  bridge.AttentionKind
	Text  string
	Count int64
	On    bool // it is the one that was asked for
}

// overview lists some of each kind that needs an operator, however many others wait.
func (w waiting) overview(v *Visit) waitingList {
	var all waitingList
	for i, k := range slices.DeleteFunc(slices.Clone(waitingKinds), func(k waitingKind) bool {
		return !needsOperator(k.kind)
	}) {
		if i > 0 && all.count(k.kind) == 0 {
			continue // the first answer counts all kinds
		}
		l := w.list(v, bridge.WaitingQuery{Kind: k.kind, Limit: waitingOnOverview})
		l.People = append(all.People, l.People...)
		all = l
	}
	return all
}

func (l waitingList) count(kind bridge.AttentionKind) int64 {
	for _, k := range l.Kinds {
		if k.Kind == kind {
			return k.Count
		}
	}
	return 0
}

// list asks the account. If it is away, what the last round found is searched.
func (w waiting) list(v *Visit, q bridge.WaitingQuery) waitingList {
	l := waitingList{Now: v.Now, Looked: w.watcher.LastRound()}
	ctx, cancel := v.AskAccount()
	defer cancel()
	page, err := w.account.Waiting(ctx, q)
	if bridge.CodeOf(err) == bridge.InvalidCursor {
		q.Cursor = ""
		page, err = w.account.Waiting(ctx, q)
	}
	if err != nil {
		l.Notice = accountAway + " This is what the bridge last saw, at most 1,000 people of each kind."
		q.Cursor = ""
		page = bridge.SearchWaiting(w.watcher.Waiting(), q, l.Looked)
		page.Next = ""
	}
	l.Query, l.AsOf, l.Next = q, page.AsOf, page.Next
	for _, k := range waitingKinds {
		n := page.Counts[k.kind]
		l.Total += n
		l.Kinds = append(l.Kinds, countedKind{k.kind, k.text, n, k.kind == q.Kind})
	}
	for _, a := range page.Items {
		l.People = append(l.People, waitingPerson{a})
	}
	return l
}

// Found is how many there are of the kind that was asked for.
func (l waitingList) Found() int64 {
	for _, k := range l.Kinds {
		if k.On {
			return k.Count
		}
	}
	return l.Total
}

// Needing is how many wait for an operator.
func (l waitingList) Needing() (n int64) {
	for _, k := range l.Kinds {
		if needsOperator(k.Kind) {
			n += k.Count
		}
	}
	return n
}

// FirstPath and NextPath are the addresses of the first page and of the one behind this.
func (l waitingList) FirstPath() string { return l.path("") }

// NextPath is the address of the page behind this one.
func (l waitingList) NextPath() string { return l.path(l.Next) }

func (l waitingList) path(cursor string) string {
	return pathWith(peoplePath, "kind", string(l.Query.Kind), "search", l.Query.Search, "cursor", cursor)
}

// pathWith returns an address with parameters, without those that are empty.
func pathWith(path string, parameters ...string) string {
	q := url.Values{}
	for i := 0; i+1 < len(parameters); i += 2 {
		if parameters[i+1] != "" {
			q.Set(parameters[i], parameters[i+1])
		}
	}
	if len(q) == 0 {
		return path
	}
	return path + "?" + q.Encode()
}

type waitingPerson struct{ bridge.Attention }

// NeedsOperator reports whether an operator must act: neither the person nor the bridge by itself.
func (p waitingPerson) NeedsOperator() bool { return needsOperator(p.Kind) }

func needsOperator(kind bridge.AttentionKind) bool {
	switch kind {
	case bridge.SignupDomainMissing, bridge.AddressMissing, bridge.AddressTaken, bridge.InvitationUnsent,
		bridge.ConfirmationUnsent:
		return true
	default:
		return false
	}
}

// For says what a person waits for.
func (p waitingPerson) For() string { return inputtext.Line(describeKind(p.Attention)) }

func describeKind(a bridge.Attention) string {
	switch a.Kind {
	case bridge.AddressMissing:
		return "was not invited: no e-mail address"
	case bridge.AddressTaken:
		return "was not invited: " + a.Address + " is another person's address"
	case bridge.SignupDomainMissing:
		return "address change to " + a.Address + " waits for the domain " + a.Domain + " to be allowed"
	case bridge.AddressUnconfirmed:
		return "has not yet confirmed the new address " + a.Address
	case bridge.InvitationUnsent:
		return "was invited, and the mail to " + a.Address + " could not be sent"
	case bridge.ConfirmationUnsent:
		return "must confirm the new address " + a.Address + ", and the mail to it could not be sent"
	case bridge.InvitationOpen:
		return "was invited and has not yet accepted"
	case bridge.ConfirmationDue:
		return "accepted and not yet confirmed"
	default:
		return string(a.Kind)
	}
}
