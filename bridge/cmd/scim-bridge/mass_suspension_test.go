package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account/api"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account/api/apitest"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account/store"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/simulate"
)

// limit sets the account's suspension limit.
func (r *realAccount) limit(text string) {
	r.t.Helper()
	p, err := apitest.Read[api.Provisioning](r.admin.UpdateProvisioning(r.t.Context(), nil,
		api.ProvisioningUpdate{SuspensionLimit: &text}))
	if err != nil || p.Value == nil {
		r.t.Fatalf("setting the limit %q: %v %s", text, err, p.Body)
	}
}

// people counts the members that provisioning made, and the suspended ones among them.
func (r *realAccount) people() (all, suspended int) {
	r.t.Helper()
	for cursor := (*string)(nil); ; {
		page, err := apitest.Read[api.MemberPage](r.admin.ListMembers(r.t.Context(), &api.ListMembersParams{
			Limit: new(1000), Cursor: cursor,
		}))
		if err != nil || page.Value == nil {
			r.t.Fatalf("listing members: %v %s", err, page.Body)
		}
		for _, m := range page.Value.Items {
			if m.Role == api.RoleMember {
				all++
				if m.Suspended {
					suspended++
				}
			}
		}
		if cursor = page.Value.NextCursor; cursor == nil {
			return all, suspended
		}
	}
}

func (r *realAccount) held() api.HoldCount {
	r.t.Helper()
	page, err := apitest.Read[api.HoldPage](r.admin.ListHolds(r.t.Context(), nil))
	if err != nil || page.Value == nil {
		r.t.Fatalf("listing holds: %v %s", err, page.Body)
	}
	return page.Value.Count
}

// total returns how many people SCIM finds.
func total(t *testing.T, b *process, token, filter string) int {
	t.Helper()
	got := ask(t, http.MethodGet, b.url("/scim/v2/Users?count=0&filter="+url.QueryEscape(filter)), token, "")
	var list struct{ TotalResults int }
	if err := json.Unmarshal([]byte(got.body), &list); err != nil || got.status != http.StatusOK {
		t.Fatalf("%s: %d %s", filter, got.status, got.body)
	}
	return list.TotalResults
}

// inTurns connects each client to the next of some bridges. It reads no HTTP: that would
// cost as much as a bridge.
func inTurns(t *testing.T, bridges ...*process) string {
	t.Helper()
	listener, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var addresses []string
	for _, b := range bridges {
		addresses = append(addresses, strings.TrimPrefix(b.url(""), "http://"))
	}
	var open sync.WaitGroup
	t.Cleanup(func() { listener.Close(); open.Wait() })
	open.Go(func() {
		for n := 0; ; n++ {
			in, err := listener.Accept()
			if err != nil {
				return // closed
			}
			address := addresses[n%len(addresses)]
			open.Go(func() { connect(t, in, address) })
		}
	})
	return "http://" + listener.Addr().String()
}

// connect copies between a connection and a new one to an address until one of the two
// ends.
func connect(t *testing.T, in net.Conn, address string) {
	defer in.Close()
	out, err := new(net.Dialer).DialContext(context.WithoutCancel(t.Context()), "tcp", address)
	if err != nil {
		t.Error(err)
		return
	}
	defer out.Close()
	ended := make(chan struct{}, 2)
	for _, way := range [][2]net.Conn{{in, out}, {out, in}} {
		go func() {
			_, _ = io.Copy(way[0], way[1])
			ended <- struct{}{}
		}()
	}
	<-ended
}

// massSuspended is how many people a mass suspension is tried with: few under the race detector,
// and as many as SCIMBRIDGE_TEST_PEOPLE says without it (make test-scale).
func massSuspended(t *testing.T) int {
	t.Helper()
	people, err := strconv.Atoi(cmp.Or(os.Getenv("SCIMBRIDGE_TEST_PEOPLE"), "100"))
	if err != nil || people < 100 {
		t.Fatalf("SCIMBRIDGE_TEST_PEOPLE=%q is no number of at least 100", os.Getenv("SCIMBRIDGE_TEST_PEOPLE"))
	}
	return people
}

// Every provider that loses sight of all its people sees them go, and they stay: by
// two bridges in turns, while others join.
func TestAMassSuspensionIsHeld(t *testing.T) {
	t.Parallel()
	people := massSuspended(t)
	for _, idp := range simulate.IdPs() {
		groups := "2"
		if idp == "okta" {
			groups = "1" // of all
		}
		t.Run(fmt.Sprintf("%d people of %s", people, idp), func(t *testing.T) {
			t.Parallel()
			account := newAccountProcess(t)
			pair := account.activate()
			const limit = 25
			account.limit(fmt.Sprintf("max(%d, 0%%)/24h", limit))
			var bridges []*process
			for range 2 {
				bridges = append(bridges, serve(t, folder(t, pair.sealed), "--log-level", "warn"))
			}
			bearer := pair.token.Reveal()
			for _, b := range bridges {
				b.open(bearer)
			}
			token := filepath.Join(t.TempDir(), "token")
			if err := os.WriteFile(token, []byte(bearer), 0o600); err != nil {
				t.Fatal(err)
			}
			args := []string{"simulate", "--idp", idp, "--url", inTurns(t, bridges...), "--token-file", token,
				"--people", strconv.Itoa(people), "--switch-off", "--concurrency", "16"}
			if idp != "google" {
				args = append(args, "--groups", groups)
			}
			cmd := exec.CommandContext(t.Context(), "scim-bridge", args...)
			var out strings.Builder
			cmd.Stdout, cmd.Stderr = &out, &out
			err := cmd.Start()
			if err != nil {
				t.Fatal(err)
			}
			played := make(chan error, 1)
			go func() { played <- cmd.Wait() }()
			// As many join as a provider sends beside it.
			joined, playing := 0, true
			for ; playing && joined < min(people, 200); joined++ {
				got := ask(t, http.MethodPost, bridges[joined%2].url("/scim/v2/Users"), bearer,
					person(fmt.Sprintf("joiner%d@joiners.example", joined)))
				if got.status != http.StatusCreated {
					t.Errorf("a joiner got %d %s", got.status, got.body)
				}
				select {
				case err = <-played:
					playing = false
				default:
				}
			}
			if playing {
				err = <-played
			}
			if err != nil {
				t.Fatalf("%v\n%s", err, out.String())
			}

			all, suspended := account.people()
			active := total(t, bridges[0], bearer, "active eq true")
			joiners := total(t, bridges[0], bearer, `userName ew "@joiners.example"`)
			inactive := total(t, bridges[1], bearer, `active eq false`)
			held := account.held()
			if joiners != joined || active+inactive < joined || suspended > limit || suspended == 0 {
				t.Errorf("%d of %d joiners; %d active and %d inactive, %d suspended", joiners, joined, active, inactive,
					suspended)
			}
			// Nobody who made the recorded exchanges is left, nor of the company.
			const company = `active ne false and not (userName ew "@joiners.example")`
			if left := total(t, bridges[0], bearer, company); left != 0 {
				t.Errorf("SCIM shows %d people as active who were switched off", left)
			}
			if got := all - joined - suspended; int(held.Suspensions) != got {
				t.Errorf("%d suspensions are held of %d people, of whom %d are suspended", held.Suspensions, all-joined,
					suspended)
			}
			bridges[1].awaitProblem("suspensions_held")

			// An operator decides on the database's machine, beside the server.
			command, want := "approve", all-joined
			if idp == "entra" || idp == "keycloak" {
				command, want = "cancel", suspended
			}
			output(t, "account", "holds", command, "--database", "sqlite:"+account.database, "--all")
			if after := account.held(); after.Suspensions+after.Removals != 0 {
				t.Errorf("%+v are held after holds %s", after, command)
			}
			if _, suspended := account.people(); suspended != want {
				t.Errorf("%d are suspended after holds %s, want %d", suspended, command, want)
			}
			output(t, "account", "check", "--database", "sqlite:"+account.database)
		})
	}
}

// What the account holds is on disk before the identity provider hears that it is done.
func TestHoldsOutliveAKill(t *testing.T) {
	t.Parallel()
	account := newAccountProcess(t)
	pair := account.activate()
	account.limit("max(3, 0%)/24h")
	dir := folder(t, pair.sealed)
	bridge := serve(t, dir)
	token := pair.token.Reveal()
	bridge.open(token)
	var ids []string
	for i := range 8 {
		got := ask(t, http.MethodPost, bridge.url("/scim/v2/Users"), token, person(fmt.Sprintf("p%d@example.com", i)))
		var made struct{ ID string }
		if err := json.Unmarshal([]byte(got.body), &made); err != nil || made.ID == "" {
			t.Fatalf("creating: %d %s", got.status, got.body)
		}
		ids = append(ids, made.ID)
	}
	setActive := func(id string, active bool) {
		t.Helper()
		got := ask(t, http.MethodPatch, bridge.url("/scim/v2/Users/"+id), token, fmt.Sprintf(
			`{"schemas":["urn:ietf:params:scim:api:messages:2.0:PatchOp"],`+
				`"Operations":[{"op":"replace","path":"active","value":%t}]}`, active))
		if got.status != http.StatusOK || !strings.Contains(got.body, fmt.Sprintf(`"active":%t`, active)) {
			t.Fatalf("setting active: %d %s", got.status, got.body)
		}
	}
	for _, id := range ids[:6] {
		setActive(id, false)
	}
	account.kill()
	bridge.kill()
	account.start()
	bridge = serve(t, dir)
	bridge.open(token)

	setActive(ids[6], false) // the count survived, too
	if held := account.held(); held.Suspensions != 4 {
		t.Errorf("%+v are held, want 4", held)
	}
	if _, suspended := account.people(); suspended != 3 {
		t.Errorf("%d are suspended, want 3", suspended)
	}
	for filter, want := range map[string]int{"active eq false": 7, "active ne false": 1} {
		if got := total(t, bridge, token, filter); got != want {
			t.Errorf("%s finds %d, want %d", filter, got, want)
		}
	}
	setActive(ids[5], true)
	if held := account.held(); held.Suspensions != 3 {
		t.Errorf("%+v are held after one is active again, want 3", held)
	}
}

// Terraform, which makes an integration anew, sends an Idempotency-Key, and expects of the
// server that it releases what the limit allows.
func TestAnActivationWithAHigherLimitReleasesHolds(t *testing.T) {
	t.Parallel()
	account := newAccountProcess(t)
	pair := account.activate()
	account.limit("max(0, 0%)/24h")
	bridge := serve(t, folder(t, pair.sealed))
	const people = 3
	bridge.createAndDelete(pair.token.Reveal(), people)
	if _, err := apitest.Read[struct{}](account.admin.DeactivateProvisioning(t.Context(), nil)); err != nil {
		t.Fatal(err)
	}
	if held := account.held(); held.Suspensions != people {
		t.Fatalf("%+v are held, want %d", held, people)
	}
	next, enrolment := account.enrol(nil, time.Time{})
	made, err := apitest.Read[api.Provisioning](account.admin.ActivateProvisioning(t.Context(),
		&api.ActivateProvisioningParams{IdempotencyKey: new("activation")}, api.Activation{
			ManagerEmail: manager, Enrolment: enrolment, Session: next.sealed,
			SuspensionLimit: new("max(2, 0%)/24h"),
		}))
	if err != nil || made.Value == nil {
		t.Fatalf("activating: %v %s", err, made.Body)
	}
	await(t, "what the limit allows to be released", func() bool { return account.held().Suspensions == 1 })
}

// createAndDelete creates people and deletes each at once, as an identity provider does.
func (p *process) createAndDelete(token string, people int) {
	p.t.Helper()
	p.open(token)
	for i := range people {
		got := ask(p.t, http.MethodPost, p.url("/scim/v2/Users"), token, person(fmt.Sprintf("p%d@example.com", i)))
		var made struct{ ID string }
		if err := json.Unmarshal([]byte(got.body), &made); err != nil || made.ID == "" {
			p.t.Fatalf("creating: %d %s", got.status, got.body)
		}
		if got := ask(p.t, http.MethodDelete, p.url("/scim/v2/Users/"+made.ID), token, ""); got.status != 204 {
			p.t.Fatalf("deleting: %d %s", got.status, got.body)
		}
	}
}

// An account that is killed when a higher limit is on disk, and before it has released what that
// allows, does so when it is started again.
func TestARaisedLimitGoesOnAfterAKill(t *testing.T) {
	t.Parallel()
	account := newAccountProcess(t)
	pair := account.activate()
	account.limit("max(0, 0%)/24h")
	bridge := serve(t, folder(t, pair.sealed))
	token := pair.token.Reveal()
	const people = 3
	bridge.createAndDelete(token, people)
	if held := account.held(); held.Suspensions != people {
		t.Fatalf("%+v are held, want %d", held, people)
	}
	account.kill()
	// The limit is on disk, and nothing is released yet.
	rows, err := openStore(t.Context(), "sqlite:"+account.database)
	if err != nil {
		t.Fatal(err)
	}
	err = rows.Write(t.Context(), func(ctx context.Context, tx *store.Tx) error {
		_, err := tx.Exec(ctx, `UPDATE integration SET suspension_limit = 'max(2, 0%)/24h'`)
		return err
	})
	if err := errors.Join(err, rows.Close()); err != nil {
		t.Fatal(err)
	}
	account.start()
	await(t, "what the limit allows to be released", func() bool { return account.held().Suspensions == 1 })
	if _, suspended := account.people(); suspended != 2 {
		t.Errorf("%d are suspended, want 2", suspended)
	}
}

// An operator reads on the status page what is held, and decides there.
func TestHoldsAreDecidedOnTheStatusPage(t *testing.T) {
	t.Parallel()
	account := newAccount(t)
	pair := account.activate()
	account.limit("max(0, 0%)/24h")
	bridge := serve(t, folder(t, pair.sealed))
	token := pair.token.Reveal()
	const people = 5
	bridge.createAndDelete(token, people)
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	browser := &http.Client{Jar: jar}
	post := func(path string, form url.Values, headers ...string) (int, string) {
		t.Helper()
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, bridge.url(path),
			strings.NewReader(form.Encode()))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		for i := 0; i < len(headers); i += 2 {
			req.Header.Set(headers[i], headers[i+1])
		}
		resp, err := browser.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		body, err := io.ReadAll(resp.Body)
		if err != nil {
			t.Fatal(err)
		}
		return resp.StatusCode, string(body)
	}
	_, body := post("/app/holds", url.Values{"decision": {"approve"}, "until": {"2100-01-01T00:00:00Z"}})
	if strings.Contains(body, "Held suspensions") || account.held().Suspensions != people {
		t.Errorf("somebody who is not signed in sees or decides holds: %s", body)
	}
	_, page := post("/app/sign-in", url.Values{"token": {token}})
	ids := regexp.MustCompile(`name="id" value="([^"]+)"`).FindAllStringSubmatch(page, -1)
	if len(ids) != people || !strings.Contains(page, "Approve all 5") {
		t.Fatalf("the page lists %d holds:\n%s", len(ids), page)
	}
	until := regexp.MustCompile(`name="until" value="([^"]+)"`).FindStringSubmatch(page)[1]

	if code, _ := post("/app/holds", url.Values{"decision": {"approve"}, "id": {ids[0][1]}},
		"Sec-Fetch-Site", "cross-site"); code != http.StatusForbidden || account.held().Suspensions != people {
		t.Errorf("a form of another site got %d, and %d are held", code, account.held().Suspensions)
	}
	for _, step := range []struct {
		name string
		form url.Values
		code int
		left int64
	}{
		{"neither", url.Values{"id": {ids[0][1]}}, 400, 5},
		{"nothing to decide", url.Values{"decision": {"approve"}}, 400, 5},
		{"no time", url.Values{"decision": {"approve"}, "until": {"now"}}, 400, 5},
		{"both", url.Values{"decision": {"approve"}, "until": {until}, "id": {ids[0][1]}}, 400, 5},
		{"approve one", url.Values{"decision": {"approve"}, "id": {ids[0][1]}}, 200, 4},
		{"cancel one", url.Values{"decision": {"cancel"}, "id": {ids[1][1]}}, 200, 3},
		{"one that is decided", url.Values{"decision": {"approve"}, "id": {ids[0][1]}}, 409, 3},
		{"approve all", url.Values{"decision": {"approve"}, "until": {until}}, 200, 0},
	} {
		code, body := post("/app/holds", step.form)
		if code != step.code || account.held().Suspensions != step.left {
			t.Errorf("%s: status %d, %d are held; want %d, %d\n%s", step.name, code, account.held().Suspensions,
				step.code, step.left, body)
		}
		if shown := strings.Contains(body, "Held suspensions"); shown != (step.left > 0) {
			t.Errorf("%s: the page shows holds: %v", step.name, shown)
		}
	}
	if all, suspended := account.people(); all != people || suspended != people-1 {
		t.Errorf("%d of %d are suspended", suspended, all)
	}
	await(t, "the problem to pass", func() bool { return !slices.Contains(bridge.codes(), "suspensions_held") })
}
