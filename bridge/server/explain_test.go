package server_test

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/explain"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/session"
)

// knowledge is what explains people.
type knowledge struct {
	answer explain.Answer
	fault  error
	asked  []explain.Question
	within time.Duration // the time that the last question had
}

func (k *knowledge) explain(ctx context.Context, q explain.Question) (explain.Answer, error) {
	k.asked = append(k.asked, q)
	if deadline, set := ctx.Deadline(); set {
		k.within = time.Until(deadline)
	}
	return k.answer, k.fault
}

func (k *knowledge) preview(_ context.Context, p explain.Preview) (explain.PreviewAnswer, error) {
	return explain.PreviewAnswer{People: make([]explain.Foreseen, len(p.People))}, k.fault
}

func ann() explain.Answer {
	in := true
	return explain.Answer{Found: []explain.Explanation{{
		Verdict: explain.Active, In: &in, Conclusion: "<ann> is in.", Name: "<ann>", ID: "id1",
		Said: []string{"It said <this>."}, Has: []string{"It has that."}, Awaited: []string{"Nothing."},
		ToDo: []string{"Run `scim-bridge <x>`."}, Terraform: `domain = "<x>"`,
		Requests: []explain.Request{{
			Time: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC), What: "created\u202e", Method: "POST", Status: 409,
			Code: "protected",
			ID:   "REQ1", Client: "192.0.2.7",
		}},
	}}}
}

func TestWhoMayAskForAnExplanation(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		name, header, body string
		fault              error
		status             int
		want               string
	}{
		{"the bearer token", "Bearer right", `{"person":"ann"}`, nil, http.StatusOK,
			`"conclusion":"\u003cann\u003e is in."`},
		{"a wrong token", "Bearer wrong", `{"person":"ann"}`, nil, http.StatusUnauthorized, ""},
		{"the monitoring token", "Bearer watch", `{"person":"ann"}`, nil, http.StatusUnauthorized, ""},
		{"no token", "", `{"person":"ann"}`, nil, http.StatusUnauthorized, ""},
		{"a broken question", "Bearer right", `{"person"`, nil, http.StatusBadRequest, "not the expected JSON"},
		{"a question that is too long", "Bearer right", `{"person":"` + strings.Repeat("a", 9<<10) + `"}`, nil,
			http.StatusBadRequest, "not the expected JSON"},
		{"a question for nobody", "Bearer right", `{}`, &explain.QuestionError{Detail: "ask for a person"},
			http.StatusBadRequest, "ask for a person"},
		{"while the account is away", "Bearer right", `{"person":"ann"}`,
			&bridge.UnavailableError{Detail: "it is away"},
			http.StatusServiceUnavailable, "it is away"},
		{"a fault", "Bearer right", `{"person":"ann"}`, errors.New("broken"), http.StatusInternalServerError, "broken"},
	} {
		for _, path := range []string{"/explain", "/preview"} {
			t.Run(row.name+path, func(t *testing.T) {
				t.Parallel()
				f := newFace(t)
				f.known.answer, f.known.fault = ann(), row.fault
				req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, f.URL+path,
					strings.NewReader(row.body))
				if err != nil {
					t.Fatal(err)
				}
				if row.header != "" {
					req.Header.Set("Authorization", row.header)
				}
				status, body := visitor{t, f, http.DefaultClient}.do(req)
				want, wantStatus := row.want, row.status
				if path == "/preview" && (row.status == http.StatusOK || len(row.body) > 8<<10) { // a longer list
					want, wantStatus = `"people":[]`, http.StatusOK
				}
				if status != wantStatus || !strings.Contains(body, want) {
					t.Errorf("got %d %s, want %d with %q", status, body, wantStatus, want)
				}
				if status == http.StatusUnauthorized && (strings.Contains(body, "ann") || len(f.known.asked) > 0) {
					t.Errorf("a stranger was told %s", body)
				}
			})
		}
	}
}

// An operator's question is no sign that the identity provider comes.
func TestAQuestionIsNoRequestOfTheIdentityProvider(t *testing.T) {
	t.Parallel()
	f := newFace(t)
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, f.URL+"/explain",
		strings.NewReader(`{"person":"a"}`))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer right")
	if status, body := (visitor{t, f, http.DefaultClient}).do(req); status != http.StatusOK {
		t.Fatalf("%d %s", status, body)
	}
	if at := f.authenticator.LastRequest("current"); !at.IsZero() {
		t.Errorf("it counts as the identity provider's, at %s", at)
	}
}

func TestThePageExplains(t *testing.T) {
	t.Parallel()
	f := newFace(t)
	v := f.visitor(t)
	f.known.answer = ann()
	status, body := v.get("/app/explain")
	if status != http.StatusOK || !strings.Contains(body, `action="/app/explain"`) || len(f.known.asked) > 0 {
		t.Errorf("the empty form is %d, and asked %v:\n%s", status, f.known.asked, body)
	}
	ask := func(kind, name string) (int, string) {
		return v.post("/app/explain", url.Values{"kind": {kind}, "q": {name}})
	}
	_, body = ask("person", `"><script>`)
	for _, want := range []string{
		"&lt;ann&gt; is in.", "It said &lt;this&gt;.", "It has that.", "<code>scim-bridge &lt;x&gt;</code>",
		"domain = &#34;&lt;x&gt;&#34;", "POST 409", "protected", "<code>REQ1</code>", "192.0.2.7",
		`datetime="2026-01-02T03:04:05Z"`, "&#34;&gt;&lt;script&gt;",
	} {
		if !strings.Contains(body, want) {
			t.Errorf("%q is missing in\n%s", want, body)
		}
	}
	if strings.Contains(body, "<script>") || strings.Contains(body, "\u202e") {
		t.Errorf("what was typed is markup:\n%s", body)
	}
	ask("group", "Staff")
	if last := f.known.asked[len(f.known.asked)-1]; last != (explain.Question{Group: "Staff"}) {
		t.Errorf("asked was %+v", last)
	}
	if f.known.within < 20*time.Second { // the account's own 15, and the journal
		t.Errorf("the answer has %s", f.known.within)
	}
	if _, body := v.get("/app"); !strings.Contains(body, `href="/app/explain"`) {
		t.Error("the status page does not link it")
	}
	for want, fault := range map[string]error{
		"ask for a person":       &explain.QuestionError{Detail: "ask for a person"},
		"cannot be answered now": errors.New("of the disk"),
	} {
		f.known.fault = fault
		if status, body := ask("person", "x"); status == http.StatusOK || !strings.Contains(body, want) ||
			strings.Contains(body, "of the disk") {
			t.Errorf("%v is answered by %d\n%s", fault, status, body)
		}
	}
	if log := f.logText(); strings.Contains(log, "script") || strings.Contains(log, "Staff") {
		t.Errorf("what was asked is in the log:\n%s", log)
	}
}

// An address with a name in it is kept by browsers and by proxies, so it asks nothing, and secrets are not looked for.
func TestThePageTakesNamesAsAFormOnly(t *testing.T) {
	t.Parallel()
	f := newFace(t)
	f.known.answer = ann()
	v := f.visitor(t)
	if _, body := v.get("/app/explain?kind=person&q=ann"); strings.Contains(body, "is in.") {
		t.Errorf("a name in the address is explained:\n%s", body)
	}
	token, err := session.NewToken()
	if err != nil {
		t.Fatal(err)
	}
	pasted := token.Reveal()
	if status, body := v.post("/app/explain", url.Values{"q": {pasted}}); status == http.StatusOK ||
		strings.Contains(body, pasted) {
		t.Errorf("a secret is answered by %d\n%s", status, body)
	}
	if len(f.known.asked) > 0 {
		t.Errorf("asked was %v", f.known.asked)
	}
}

func TestThePageExplainsNothingToStrangers(t *testing.T) {
	t.Parallel()
	f := newFace(t)
	f.known.answer = ann()
	_, body := visitor{t, f, http.DefaultClient}.post("/app/explain", url.Values{"q": {"ann"}})
	if strings.Contains(body, "is in") || len(f.known.asked) > 0 {
		t.Errorf("a stranger is told\n%s", body)
	}
}
