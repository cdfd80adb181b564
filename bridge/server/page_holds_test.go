package server_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/journal"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/problem"
)

// heldHolds are an account's holds as the page asks for them.
type heldHolds struct {
	page    bridge.HoldPage
	fault   error // of the list
	refuse  error // of decisions
	asked   []string
	decided []bridge.HoldDecision
	// at is when the last decision was made, and until the deadline of the last list.
	at, until time.Time
}

func (h *heldHolds) Holds(ctx context.Context, cursor string, _ int) (bridge.HoldPage, error) {
	h.asked = append(h.asked, cursor)
	h.until, _ = ctx.Deadline()
	if cursor == "bad" {
		return bridge.HoldPage{}, &bridge.Error{Code: bridge.InvalidCursor}
	}
	page := h.page
	if cursor == "end" { // somebody has decided what was behind it
		page.Items, page.Next = nil, ""
	}
	return page, h.fault
}

func (h *heldHolds) DecideHolds(_ context.Context, d bridge.HoldDecision) (int64, error) {
	h.decided = append(h.decided, d)
	h.at = time.Now()
	return 1, h.refuse
}

// A visitor is a browser that is signed in.
type visitor struct {
	t *testing.T
	f *face
	*http.Client
}

func (f *face) visitor(t *testing.T) visitor {
	t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	v := visitor{t, f, &http.Client{Jar: jar}}
	if code, _ := v.post("/app/sign-in", url.Values{"token": {"right"}}); code != http.StatusOK {
		t.Fatalf("signing in: %d", code)
	}
	return v
}

func (v visitor) post(path string, form url.Values) (int, string) {
	v.t.Helper()
	req, err := http.NewRequestWithContext(v.t.Context(), http.MethodPost, v.f.URL+path,
		strings.NewReader(form.Encode()))
	if err != nil {
		v.t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	return v.do(req)
}

func (v visitor) get(path string) (int, string) {
	v.t.Helper()
	req, err := http.NewRequestWithContext(v.t.Context(), http.MethodGet, v.f.URL+path, http.NoBody)
	if err != nil {
		v.t.Fatal(err)
	}
	return v.do(req)
}

func (v visitor) do(req *http.Request) (int, string) {
	v.t.Helper()
	resp, err := v.Do(req)
	if err != nil {
		v.t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		v.t.Fatal(err)
	}
	return resp.StatusCode, string(body)
}

const heldHeading = "Held suspensions and removals"

func TestThePageShowsHolds(t *testing.T) {
	t.Parallel()
	f := newFace(t)
	v := f.visitor(t)
	if _, body := v.get("/app"); strings.Contains(body, heldHeading) {
		t.Error("the page shows holds, and there are none")
	}
	f.held.page = bridge.HoldPage{
		Items: []bridge.Hold{
			{ID: "h1", UserName: "<ann\u202e>", Since: f.now, Client: "bridge:b1", IdP: "Okta<", RequestID: "R1"},
			{ID: "h2", UserName: "bob", GroupName: "<Staff>", Removal: true, Since: f.now, Client: "bridge:b1"},
			{ID: "h3", UserName: "eve", Deleted: true, Since: f.now, Client: "bridge:b1"},
		},
		Next: "next&page", Suspensions: 2, Removals: 3, AsOf: f.now.Add(123456 * time.Microsecond),
	}
	_, body := v.get("/app")
	for _, want := range []string{
		heldHeading, "&lt;ann", "Okta&lt;", "<code>R1</code>", "removed from &lt;Staff&gt;", "deleted",
		"2 suspensions and 3 removals", "Approve all 5", "Cancel all 5", `value="h1"`, "All 5 held",
		`name="until" value="2026-01-02T03:04:05.123456Z"`, `href="/app/holds"`,
	} {
		if !strings.Contains(body, want) {
			t.Errorf("the page does not show %q:\n%s", want, body)
		}
	}
	if strings.Contains(body, "\u202e") || strings.Contains(body, "First page") {
		t.Errorf("the page shows a control character, or that it is not the first:\n%s", body)
	}
	if _, body := v.get("/app/holds"); !strings.Contains(body, "/app/holds?cursor=next%26page") {
		t.Errorf("the page of the holds does not lead to the next one:\n%s", body)
	}
	if _, body := v.get("/app/holds?cursor=next%26page"); !strings.Contains(body, "First page") {
		t.Error("the next page has no way back")
	}
	// A decision leads back to the page that its form was on.
	one := url.Values{"decision": {"approve"}, "id": {"h1"}}
	if _, body := v.post("/app/holds", one); !strings.Contains(body, "All 5 held") {
		t.Errorf("a decision on the overview leads to\n%s", body)
	}
	if _, body := v.get("/app/holds?cursor=next%26page"); strings.Count(body,
		`<input type="hidden" name="cursor" value="next&amp;page">`) != 3 {
		t.Errorf("the forms do not say where they are:\n%s", body)
	}
	if _, body := v.get("/app/holds?cursor=end"); !strings.Contains(body, `value="h1"`) ||
		strings.Contains(body, "First page") {
		t.Errorf("a page of which all is decided shows\n%s", body)
	}
	one.Set("cursor", "next&page")
	if _, body := v.post("/app/holds", one); !strings.Contains(body, "First page") {
		t.Errorf("a decision on a page of the list leads to\n%s", body)
	}
	if _, body := v.get("/app/holds?cursor=bad"); !strings.Contains(body, heldHeading) ||
		strings.Contains(body, "First page") {
		t.Error("a cursor that is none does not lead to the first page")
	}
	if asked := strings.Join(f.held.asked, ","); !strings.HasSuffix(asked, "next&page,bad,") {
		t.Errorf("the account was asked for %q", asked)
	}
	f.held.fault = bridge.ErrUnavailable
	f.held.page = bridge.HoldPage{}
	code, body := v.get("/app")
	if code != http.StatusOK || !strings.Contains(body, "The account cannot be asked now.") {
		t.Errorf("the page does not say that the account is away: %d", code)
	}
}

func TestHoldsAreDecidedByForms(t *testing.T) {
	t.Parallel()
	until := time.Date(2026, 1, 2, 3, 4, 5, 678, time.UTC)
	for _, row := range []struct {
		name   string
		form   url.Values
		refuse error
		code   int
		shown  string
		want   *bridge.HoldDecision
	}{
		{"one is approved", url.Values{"decision": {"approve"}, "id": {"h1"}}, nil, 200, "",
			&bridge.HoldDecision{Approve: true, IDs: []string{"h1"}}},
		{"one is cancelled", url.Values{"decision": {"cancel"}, "id": {"h1"}}, nil, 200, "",
			&bridge.HoldDecision{IDs: []string{"h1"}}},
		{"all are cancelled", url.Values{"decision": {"cancel"}, "until": {until.Format(time.RFC3339Nano)}}, nil, 200,
			"", &bridge.HoldDecision{Until: until}},
		{"no decision", url.Values{"id": {"h1"}}, nil, 400, "neither approve nor cancel", nil},
		{"another decision", url.Values{"decision": {"both"}, "id": {"h1"}}, nil, 400, "neither approve nor cancel",
			nil},
		{"no hold", url.Values{"decision": {"approve"}}, nil, 400, "has no hold", nil},
		{"one and all", url.Values{"decision": {"approve"}, "id": {"h1"}, "until": {"2026-01-02T03:04:05Z"}}, nil, 400,
			"has no hold", nil},
		{"no time", url.Values{"decision": {"approve"}, "until": {"tomorrow"}}, nil, 400, "has no time", nil},
		{"a form that is too large", url.Values{"decision": {"approve"}, "id": {strings.Repeat("x", 5000)}}, nil, 400,
			"could not be read", nil},
		{"it is decided already", url.Values{"decision": {"approve"}, "id": {"h1"}},
			&bridge.Error{Code: bridge.NotFound}, 409, "not held any more", nil},
		{"the account is away", url.Values{"decision": {"approve"}, "id": {"h1"}}, errors.New("away"), 503,
			"has not confirmed that all of it", nil},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			f := newFace(t)
			v := f.visitor(t)
			f.held.refuse = row.refuse
			code, body := v.post("/app/holds", row.form)
			if code != row.code || !strings.Contains(body, row.shown) {
				t.Errorf("status %d, want %d with %q:\n%s", code, row.code, row.shown, body)
			}
			switch {
			case row.want == nil && row.refuse == nil && len(f.held.decided) > 0:
				t.Errorf("decided %+v", f.held.decided)
			case row.want != nil:
				if len(f.held.decided) != 1 {
					t.Fatalf("decided %+v", f.held.decided)
				}
				got := f.held.decided[0]
				if got.Approve != row.want.Approve || strings.Join(got.IDs, " ") != strings.Join(row.want.IDs, " ") ||
					!got.Until.Equal(row.want.Until) {
					t.Errorf("decided %+v, want %+v", got, *row.want)
				}
			}
		})
	}
}

// Of many holds, a SCIM server may refuse some.
func TestHoldsThatWereCarriedOutAreInTheJournalAlsoIfOthersWereNot(t *testing.T) {
	t.Parallel()
	f := newFace(t)
	v := f.visitor(t)
	f.held.refuse = &bridge.Error{Code: bridge.InvalidValue, Detail: "1 of 2 were carried out"}
	form := url.Values{"decision": {"approve"}, "until": {"2026-01-02T03:04:05Z"}}
	if code, body := v.post("/app/holds", form); code != http.StatusConflict || !strings.Contains(body, "1 of 2") {
		t.Errorf("status %d:\n%s", code, body)
	}
	p, err := f.journal.Read(journal.Filter{Kinds: []journal.Kind{journal.HoldsApproved}})
	if err != nil || len(p.Events) != 1 || p.Events[0].Count != 1 {
		t.Errorf("the journal has %+v, %v", p.Events, err)
	}
}

func TestAStrangerDecidesNothing(t *testing.T) {
	t.Parallel()
	f := newFace(t)
	v := visitor{t, f, http.DefaultClient}
	_, body := v.post("/app/holds", url.Values{"decision": {"approve"}, "id": {"h1"}})
	if len(f.held.decided) > 0 || !strings.Contains(body, `name="token"`) {
		t.Errorf("decided %+v, and shows %s", f.held.decided, body)
	}
}

func TestHoldsAreMetrics(t *testing.T) {
	t.Parallel()
	f := newFace(t)
	read := func() string { _, body, _ := f.get(t, "/metrics", "Bearer watch"); return body }
	for _, want := range []string{
		`scimbridge_holds{kind="suspension"} 0`, `scimbridge_holds{kind="removal"} 0`,
		`scimbridge_holds_oldest_timestamp_seconds 0`,
	} {
		if !strings.Contains(read(), want) {
			t.Errorf("without holds there is no %s", want)
		}
	}
	f.report.Problems = []problem.Problem{problem.New(problem.SuspensionsHeld, time.Unix(1700000000, 0), problem.Facts{
		problem.FactSuspensions: "4990", problem.FactRemovals: "10",
	})}
	for _, want := range []string{
		`scimbridge_holds{kind="suspension"} 4990`, `scimbridge_holds{kind="removal"} 10`,
		`scimbridge_holds_oldest_timestamp_seconds 1.7e+09`, `scimbridge_problem{code="suspensions_held"} 1`,
	} {
		if !strings.Contains(read(), want) {
			t.Errorf("with holds there is no %s", want)
		}
	}
}
