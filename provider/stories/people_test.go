package stories

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account/api"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account/api/apitest"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/session"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/simulate"
	"github.com/scimbridge/terraform-provider-scimbridge/provider/providertest"
)

// S7: a person's address moves to a domain that is not allowed for sign-up, so
// no confirmation e-mail is sent. The status page names person and domain;
// allowing the domain sends the e-mail, and confirming it moves the address.
func TestAnAddressUnderAForeignDomainWaitsForTheDomain(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	token := newToken(t)
	w.config(w.base(""))
	w.apply(vars{"token": token.Reveal()})

	id := w.invite(token, "ada@example.com")
	// Before the invitation is accepted, another address would simply replace this one.
	follow(t, regexp.MustCompile(`http://\S+/join/[\w-]+`).FindString(w.account.Command("mail")))
	w.scim(token, http.MethodPatch, "/Users/"+id, map[string]any{
		"schemas": []string{"urn:ietf:params:scim:api:messages:2.0:PatchOp"},
		"Operations": []any{
			map[string]any{"op": "replace", "path": "userName", "value": "ada@example.net"},
			map[string]any{"op": "replace", "path": `emails[type eq "work"].value`, "value": "ada@example.net"},
		},
	}, http.StatusOK)

	text := w.eventuallyProblem(token, "signup_domain_missing")
	for _, want := range []string{"ada@example.net", "scimbridge_signup_domain", `"example.net"`} {
		if !strings.Contains(text, want) {
			t.Errorf("the problem does not name %s: %s", want, text)
		}
	}
	if mail := w.account.Command("mail"); strings.Contains(mail, "ada@example.net") {
		t.Fatalf("a confirmation e-mail went to a domain that is not allowed:\n%s", mail)
	}

	w.config(w.base("") + `
resource "scimbridge_signup_domain" "new" {
  domain = "example.net"
}
`)
	w.plan(nil).expect(t, map[string]string{"scimbridge_signup_domain.new": "create"})
	w.apply(nil)

	link := regexp.MustCompile(`http://\S+/confirm/[\w-]+`).FindString(w.account.Command("mail"))
	if link == "" {
		t.Fatalf("no confirmation e-mail went out by itself:\n%s", w.account.Command("mail"))
	}
	if m, found := w.member("ada@example.com"); !found || m.PendingAddress == nil ||
		*m.PendingAddress != "ada@example.net" {
		t.Fatalf("before the confirmation the old address should sign in and the new one wait: %+v", m)
	}
	follow(t, link)
	if _, found := w.member("ada@example.net"); !found {
		t.Error("the person confirmed, and the address did not move")
	}
	w.eventuallyHealthy(token)
	w.destroy(nil)
}

// follow opens the page behind a mailed link and presses its button.
func follow(t *testing.T, link string) {
	t.Helper()
	client := http.Client{}
	for _, method := range []string{http.MethodGet, http.MethodPost} {
		req, err := http.NewRequestWithContext(t.Context(), method, link, nil)
		if err != nil {
			t.Fatal(err)
		}
		if method == http.MethodPost {
			req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
			req.Header.Set("Origin", originOf(t, link))
		}
		resp, err := client.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(resp.Body)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if resp.StatusCode != http.StatusOK {
			t.Fatalf("%s %s: status %d: %s", method, link, resp.StatusCode, body)
		}
	}
}

func originOf(t *testing.T, link string) string {
	t.Helper()
	u, err := url.Parse(link)
	if err != nil {
		t.Fatal(err)
	}
	return u.Scheme + "://" + u.Host
}

// All recorded traffic of identity providers goes through a bridge that
// Terraform deployed, and its effect is in the account. Then both processes are
// killed, and nothing is lost.
func TestRecordedTrafficArrivesInTheAccountAndSurvivesAKill(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	token := newToken(t)
	w.config(strings.Replace(w.base(""), "  manager_email  ", "  suspension_limit = \"off\"\n  manager_email  ", 1))
	w.apply(vars{"token": token.Reveal()})

	player := &simulate.Player{
		URL:         "http://" + w.listen + "/scim/v2",
		Client:      http.DefaultClient,
		RetryWindow: timeout,
		Authorize:   func(r *http.Request) { r.Header.Set("Authorization", "Bearer "+token.Reveal()) },
	}
	played := 0
	for _, scenario := range simulate.Exchanges() {
		for _, o := range player.Play(t.Context(), scenario, false) {
			played++
			if o.Result == simulate.Wrong || o.Result == simulate.Skipped {
				t.Errorf("%s %s %s: %s", o.Phase, o.Step, o.Request, o.Problem)
			}
		}
	}
	if played < 80 {
		t.Fatalf("only %d steps were played", played)
	}
	if t.Failed() {
		t.FailNow()
	}

	// Each person in SCIM is a member in the admin API, with the same name and the
	// same active state.
	people := everyone(w, token)
	if len(people) < 10 {
		t.Fatalf("only %d people are left after the exchanges", len(people))
	}
	for _, p := range people {
		assertMember(t, w, p)
	}
	before := memberLines(w)
	w.invite(token, "last@example.com") // acknowledged just before the kill
	providertest.Kill(t, w.bridge().PID)
	w.account.Kill()
	w.account.Start()
	w.plan(nil).expect(t, map[string]string{"scimbridge_deployment.bridge": "update"})
	w.apply(vars{"token": token.Reveal()})
	w.eventuallyHealthy(token)

	after := memberLines(w)
	for line := range strings.Lines(before) {
		if !strings.Contains(after, line) {
			t.Errorf("lost by the kill: %s", line)
		}
	}
	if _, found := w.member("last@example.com"); !found {
		t.Error("the last acknowledged write was lost by the kill")
	}
	if got := len(everyone(w, token)); got != len(people)+1 {
		t.Errorf("SCIM shows %d people after the restart, want %d", got, len(people)+1)
	}
	w.destroy(nil)
}

// scimPerson is a person as a SCIM resource.
type scimPerson struct {
	ID       string
	UserName string
	Active   *bool
}

// everyone pages through all people by itemsPerPage, as clients do.
func everyone(w *world, token session.Token) []scimPerson {
	w.t.Helper()
	var all []scimPerson
	for {
		status, body := w.request(token, http.MethodGet,
			fmt.Sprintf("/scim/v2/Users?startIndex=%d&count=7", len(all)+1), nil)
		var page struct {
			TotalResults, ItemsPerPage int
			Resources                  []scimPerson
		}
		if err := json.Unmarshal(body, &page); err != nil || status != http.StatusOK {
			w.t.Fatalf("list people: %d %v in %s", status, err, body)
		}
		if page.ItemsPerPage != len(page.Resources) {
			w.t.Fatalf("itemsPerPage is %d and %d came", page.ItemsPerPage, len(page.Resources))
		}
		all = append(all, page.Resources...)
		if len(page.Resources) == 0 || len(all) >= page.TotalResults {
			return all
		}
	}
}

// memberLines is a line for each member and each membership in the account.
func memberLines(w *world) string {
	w.t.Helper()
	limit := 1000
	members, err := apitest.Read[api.MemberPage](w.account.API.ListMembers(w.t.Context(),
		&api.ListMembersParams{Limit: &limit}))
	done(w.t, members.Status, members.Body, err)
	groups, err := apitest.Read[api.AccountGroupPage](w.account.API.ListGroups(w.t.Context(),
		&api.ListGroupsParams{Limit: &limit}))
	done(w.t, groups.Status, groups.Body, err)
	var lines strings.Builder
	for _, m := range members.Value.Items {
		fmt.Fprintf(&lines, "member %s %s %s suspended=%t managed=%t\n", m.Id, m.Address,
			m.State, m.Suspended, m.Managed)
	}
	for _, g := range groups.Value.Items {
		fmt.Fprintf(&lines, "group %s %q managed=%t members=%d\n", g.Id, g.Name, g.Managed, g.MemberCount)
	}
	return lines.String()
}

// assertMember fails unless the account has the person, with the same state.
func assertMember(t *testing.T, w *world, p scimPerson) {
	t.Helper()
	managed := true
	limit := 1000
	resp, err := apitest.Read[api.MemberPage](w.account.API.ListMembers(t.Context(), &api.ListMembersParams{
		Managed: &managed, Limit: &limit,
	}))
	done(t, resp.Status, resp.Body, err)
	for _, m := range resp.Value.Items {
		if m.PersonId == nil || *m.PersonId != p.ID {
			continue
		}
		if m.UserName == nil || *m.UserName != p.UserName {
			t.Errorf("%s is called %v in the account", p.UserName, m.UserName)
		}
		if p.Active != nil && m.Suspended == *p.Active {
			t.Errorf("%s: active is %t in SCIM, suspended is %t in the account", p.UserName, *p.Active, m.Suspended)
		}
		return
	}
	// A person who cannot or should not be invited is stored and waits.
	if p.Active != nil && !*p.Active || !strings.Contains(p.UserName, "@") {
		return
	}
	t.Errorf("%s is not in the account", p.UserName)
}
