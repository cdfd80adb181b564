package server_test

import (
	"encoding/json"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account/api"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account/api/apitest"
)

// Looking at an invitation does not accept it, because scanners of mail look
// too; the button does.
func TestJoin(t *testing.T) {
	t.Parallel()
	c := converse(t)
	invited, err := apitest.Read[api.Member](c.InviteMember(t.Context(), nil, api.MemberInput{
		Address: "ann@example.com", Name: new("Ann <b>Lee</b>"),
	}))
	ok(t, err)
	link := c.mailedLink(t, "/join/")
	page, text := c.page(t, "GET", link)
	equal(t, "looking", page, 200)
	if !strings.Contains(text, "ann@example.com") || strings.Contains(text, "<b>Lee") {
		t.Errorf("the page is\n%s", text)
	}
	equal(t, "state after looking", c.memberState(t, invited.Value.Id), "invited")
	page, _ = c.page(t, "POST", link, "Sec-Fetch-Site", "cross-site")
	equal(t, "another site's form", page, 403)
	equal(t, "state after another site's form", c.memberState(t, invited.Value.Id), "invited")
	page, text = c.page(t, "POST", link)
	equal(t, "accepting", page, 200)
	if !strings.Contains(text, "accepted") {
		t.Errorf("the page is\n%s", text)
	}
	equal(t, "state after accepting", c.memberState(t, invited.Value.Id), "active")
	page, text = c.page(t, "GET", "/join/nonsense")
	equal(t, "a link that is none", page, 404)
	if !strings.Contains(text, "This link does not work") {
		t.Errorf("the page is\n%s", text)
	}
}

// A member that was suspended after the invitation is told so, and stays suspended.
func TestJoinWhileSuspended(t *testing.T) {
	t.Parallel()
	c := converse(t)
	invited, err := apitest.Read[api.Member](c.InviteMember(t.Context(), nil,
		api.MemberInput{Address: "ann@example.com"}))
	ok(t, err)
	_, err = apitest.Read[api.Member](c.UpdateMember(t.Context(), invited.Value.Id, nil,
		api.MemberUpdate{Suspended: new(true)}))
	ok(t, err)
	for _, method := range []string{"GET", "POST"} {
		page, text := c.page(t, method, c.mailedLink(t, "/join/"))
		equal(t, method, page, 403)
		if !strings.Contains(text, "your access is suspended") || strings.Contains(text, "ann@example.com") {
			t.Errorf("%s: the page is\n%s", method, text)
		}
	}
	equal(t, "state afterwards", c.memberState(t, invited.Value.Id), "invited")
}

// Names and addresses come from outside: from an identity provider, or from
// the sender of a form.
func TestPagesTurnNoTextAround(t *testing.T) {
	t.Parallel()
	const hidden = "\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\u200e\u200f\u061c\u200b\u0007\u009b"
	c := converse(t)
	bridge := c.mustSignIn(t, c.activate(t), "bridge-1")
	attributes, err := json.Marshal(map[string]any{"userName": "kim@example.com",
		"displayName": "Kim " + hidden + "Moe",
		"active":      true})
	ok(t, err)
	_, err = apitest.Read[api.Person](bridge.CreatePerson(t.Context(), nil, api.PersonInput{
		Attributes: attributes, SignInAddress: new("kim@example.com"),
	}))
	ok(t, err)
	link := c.mailedLink(t, "/join/")
	form := url.Values{"address": {hidden + "no address"}, "name": {"Kim " + hidden + "Moe"}}.Encode()
	for _, row := range []struct{ name, method, path, form, want string }{
		{"an invitation", "GET", link, "", "Hello Kim Moe,"},
		{"one that is accepted", "POST", link, "", "Thank you, Kim Moe."},
		{"a form that is shown again", "POST", "/signup", form, `value="Kim Moe"`},
	} {
		resp := c.raw(t, row.method, row.path, row.form, "Authorization", "", "Content-Type",
			"application/x-www-form-urlencoded")
		if !strings.Contains(resp.Text, row.want) || strings.ContainsAny(resp.Text, hidden) {
			t.Errorf("%s: the page is\n%q", row.name, resp.Text)
		}
	}
}

// Pages run no script, load nothing from elsewhere, may not be framed, and
// tell no other site which link was followed.
func TestPageHeaders(t *testing.T) {
	t.Parallel()
	c := converse(t)
	resp := c.raw(t, "GET", "/signup", "", "Authorization", "")
	for name, want := range map[string]string{
		"Content-Security-Policy": "default-src 'none'; style-src 'self'; form-action 'self'; " +
			"frame-ancestors 'none'; base-uri 'none'",
		"Referrer-Policy":        "no-referrer",
		"X-Content-Type-Options": "nosniff",
		"Cache-Control":          "no-store",
	} {
		equal(t, name, resp.Header.Get(name), want)
	}
	resp = c.raw(t, "GET", "/style.css", "", "Authorization", "")
	equal(t, "style", resp.Header.Get("Content-Type"), "text/css; charset=utf-8")
}

// An address under an allowed domain is sent an invitation; another is told
// why not; and the firewall has no say on public pages.
func TestSignUp(t *testing.T) {
	t.Parallel()
	c := converse(t)
	_, err := apitest.Read[api.SignupDomain](c.CreateSignupDomain(t.Context(), nil,
		api.SignupDomainInput{Domain: "example.com"}))
	ok(t, err)
	problem, err := policy(api.Deny, rule(api.Allow, home))(t.Context(), c, false)
	ok(t, err)
	equal(t, "the policy", codeOf(problem), "")
	post := func(address string) (int, string) {
		form := url.Values{"address": {address}, "name": {"Bo"}}.Encode()
		resp := c.raw(t, "POST", "/signup", form, "Authorization", "", "Content-Type",
			"application/x-www-form-urlencoded",
			"X-Forwarded-For", "203.0.113.77")
		return resp.Status, resp.Text
	}
	status, text := post("bo@example.org")
	equal(t, "another domain", status, 403)
	if !strings.Contains(text, "example.org") || !strings.Contains(text, `value="bo@example.org"`) {
		t.Errorf("the page is\n%s", text)
	}
	status, _ = post("no address")
	equal(t, "no address", status, 422)
	status, text = post("bo@example.com")
	equal(t, "an allowed domain", status, 200)
	c.clock.advance(time.Second) // the outbox is in the order of time
	status, again := post("bo@example.com")
	equal(t, "the same address again", status, 200)
	equal(t, "the page the second time", again, text)
	page, _ := c.page(t, "POST", c.mailedLink(t, "/join/"))
	equal(t, "accepting", page, 200)
}

// An address change waits for its domain; allowing the domain sends the
// mail, and following it moves the address.
func TestAllowingADomainReleasesAddressChanges(t *testing.T) {
	t.Parallel()
	c := converse(t)
	bridge := c.mustSignIn(t, c.activate(t), "bridge-1")
	attributes := api.Attributes(`{"userName":"kim","active":true}`)
	made, err := apitest.Read[api.Person](bridge.CreatePerson(t.Context(), nil, api.PersonInput{
		Attributes: attributes, SignInAddress: new("kim@old.example"),
	}))
	ok(t, err)
	c.page(t, "POST", c.mailedLink(t, "/join/"))
	id := made.Value.Id
	_, err = apitest.Read[api.Person](bridge.ReplacePerson(t.Context(), id, nil, api.PersonInput{
		Attributes: attributes, SignInAddress: new("kim@new.example"),
	}))
	ok(t, err)
	waiting := func() string {
		r, err := apitest.Read[struct{ Items []api.Attention }](bridge.ListAttention(t.Context()))
		ok(t, err)
		var all []string
		for _, a := range r.Value.Items {
			all = append(all, string(a.Kind)+" "+deref(a.Domain))
		}
		return strings.Join(all, ", ")
	}
	if got := waiting(); !strings.Contains(got, "signup_domain_missing new.example") {
		t.Fatalf("waiting: %s", got)
	}
	_, err = apitest.Read[api.SignupDomain](c.CreateSignupDomain(t.Context(), nil,
		api.SignupDomainInput{Domain: "new.example"}))
	ok(t, err)
	if got := waiting(); !strings.Contains(got, "address_unconfirmed") {
		t.Fatalf("waiting after the domain was allowed: %s", got)
	}
	status, _ := c.page(t, "POST", c.mailedLink(t, "/confirm/"))
	equal(t, "confirming", status, 200)
	person, err := apitest.Read[api.Person](bridge.GetPerson(t.Context(), id))
	ok(t, err)
	equal(t, "address", deref(person.Value.SignInAddress), "kim@new.example")
}

// page is what a browser without any token gets.
func (c *conversation) page(t *testing.T, method, path string, headers ...string) (int, string) {
	t.Helper()
	resp := c.raw(t, method, path, "", append(headers, "Authorization", "")...)
	return resp.Status, resp.Text
}

// mailedLink is the path of the last link with a prefix in the outbox.
func (c *conversation) mailedLink(t *testing.T, prefix string) string {
	t.Helper()
	mails, err := c.account.Mails(t.Context())
	ok(t, err)
	for i := len(mails) - 1; i >= 0; i-- {
		if _, rest, found := strings.Cut(mails[i].Body, c.url+prefix); found {
			return prefix + strings.Fields(rest)[0]
		}
	}
	t.Fatalf("no mail of %d links to %s", len(mails), prefix)
	return ""
}

func (c *conversation) memberState(t *testing.T, id string) string {
	t.Helper()
	r, err := apitest.Read[api.Member](c.GetMember(t.Context(), id))
	ok(t, err)
	if r.Value == nil {
		t.Fatalf("reading the member: %s", r.Body)
	}
	return string(r.Value.State)
}
