package server_test

import (
	"context"
	"fmt"
	"maps"
	"strings"
	"testing"
	"time"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account/api"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account/api/apitest"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account/signin"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account/store"
)

// A bridge comes in, tells how it is, is seen, and leaves.
func TestSignInRoundTrip(t *testing.T) {
	t.Parallel()
	c := converse(t)
	creds := c.activate(t)

	bridge := c.mustSignIn(t, creds, "bridge-1")
	answer, err := apitest.Read[api.HeartbeatAnswer](bridge.SendHeartbeat(t.Context(), api.Heartbeat{
		Revision: "r2", State: "degraded", Problems: []string{"address_missing"},
	}))
	ok(t, err)
	if answer.Value == nil {
		t.Fatalf("heartbeat: %s", answer.Body)
	}
	equal(t, "the address that the bridge is told", answer.Value.Address, office)
	equal(t, "generations", len(answer.Value.Generations), 1)
	equal(t, "firewall enforced", answer.Value.FirewallEnforced, true)

	b := c.onlyBridge(t)
	equal(t, "state", b.State, "degraded")
	equal(t, "revision", b.Revision, "r2")
	equal(t, "address", b.Address, office)
	equal(t, "live", b.Live, true)
	equal(t, "problem", b.Problems[0], "address_missing")
	if p := c.provisioning(t); p.LastContact == nil || !p.LastContact.Equal(c.clock.Now()) {
		t.Errorf("last contact is %v, want %v", p.LastContact, c.clock.Now())
	}

	_, err = apitest.Read[struct{}](bridge.SignOut(t.Context()))
	ok(t, err)
	equal(t, "a heartbeat after signing out", beat(t, bridge), "session_ended")
	b = c.onlyBridge(t)
	equal(t, "state after signing out", b.State, "stopped")
	equal(t, "live after signing out", b.Live, false)
}

// A session's time is over after twelve hours; the bridge signs in again.
func TestSessionExpires(t *testing.T) {
	t.Parallel()
	c := converse(t)
	creds := c.activate(t)
	bridge := c.mustSignIn(t, creds, "bridge-1")
	c.clock.advance(12*time.Hour - time.Second)
	equal(t, "just before", beat(t, bridge), "")
	c.clock.advance(2 * time.Second)
	equal(t, "just after", beat(t, bridge), "session_ended")
	equal(t, "signed in again", beat(t, c.mustSignIn(t, creds, "bridge-1")), "")
}

// During the overlap both generations are good, so that the identity
// provider can be switched; after it the old one is dead, its session too.
func TestRotationOverlap(t *testing.T) {
	t.Parallel()
	c := converse(t)
	old := c.activate(t)
	before := c.mustSignIn(t, old, "old")
	fresh := c.rotate(t, 15*time.Minute)

	p := c.provisioning(t)
	equal(t, "epoch", *p.Epoch, fresh.epoch)
	equal(t, "session epoch", *p.SessionEpoch, fresh.epoch)
	equal(t, "session", *p.Session, "sealed again")
	equal(t, "generations", len(*p.Generations), 2)
	if end := (*p.Generations)[1].ExpiresAt; end == nil || !end.Equal(c.clock.Now().Add(15*time.Minute)) {
		t.Errorf("the old generation expires at %v", end)
	}
	after := c.mustSignIn(t, fresh, "new")
	c.clock.advance(15*time.Minute - time.Second)
	equal(t, "old session within the overlap", beat(t, before), "")
	equal(t, "old credentials within the overlap", beat(t, c.mustSignIn(t, old, "old")), "")

	c.clock.advance(time.Second)
	equal(t, "old session after the overlap", beat(t, before), "session_ended")
	_, refused := c.signIn(t, old, "old")
	equal(t, "old credentials after the overlap", codeOf(refused), "credentials_expired")
	equal(t, "new session", beat(t, after), "")
	equal(t, "generations left", len(*c.provisioning(t).Generations), 1)
}

// Rotating again during an overlap keeps two generations, never three; an
// overlap of nothing keeps one.
func TestRotationEndsTheOldest(t *testing.T) {
	t.Parallel()
	c := converse(t)
	first := c.activate(t)
	oldest := c.mustSignIn(t, first, "first")
	second := c.rotate(t, time.Hour)
	middle := c.mustSignIn(t, second, "second")
	c.rotate(t, time.Hour)
	equal(t, "the oldest session", beat(t, oldest), "session_ended")
	equal(t, "the middle session", beat(t, middle), "")
	_, refused := c.signIn(t, first, "first")
	equal(t, "the oldest credentials", codeOf(refused), "credentials_expired")

	c.rotate(t, 0)
	equal(t, "the middle session without overlap", beat(t, middle), "session_ended")
	equal(t, "generations", len(*c.provisioning(t).Generations), 1)
}

// Changing the manager outside rotation invalidates the sealed session,
// and the account says so to who still holds it, and to the administrator.
func TestManagerChangedByHand(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		name   string
		change func(*testing.T, *conversation) api.ManagerChange
	}{
		{"a new e-mail address", func(*testing.T, *conversation) api.ManagerChange {
			return api.ManagerChange{Email: new("other@example.com")}
		}},
		{"a new Master Password", func(t *testing.T, c *conversation) api.ManagerChange {
			_, e := c.enrol(t)
			return api.ManagerChange{Kdf: &e.Kdf, Verifier: &e.Verifier}
		}},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			c := converse(t)
			creds := c.activate(t)
			bridge := c.mustSignIn(t, creds, "bridge-1")
			r, err := apitest.Read[api.Provisioning](c.ChangeManager(t.Context(), nil, row.change(t, c)))
			ok(t, err)
			if r.Value == nil {
				t.Fatalf("changing the manager: %s", r.Body)
			}
			equal(t, "epoch moved", *r.Value.Epoch, creds.epoch+1)
			equal(t, "session epoch stayed", *r.Value.SessionEpoch, creds.epoch)
			equal(t, "next epoch", r.Value.NextEpoch, creds.epoch+2)
			equal(t, "usable", *r.Value.Usable, false)
			equal(t, "why not", *r.Value.UnusableReason, "credentials_changed")
			equal(t, "the live session", beat(t, bridge), "session_ended")
			_, refused := c.signIn(t, creds, "bridge-1")
			equal(t, "the old credentials", codeOf(refused), "credentials_changed")
			last := c.provisioning(t).LastRefusal
			if last == nil || last.Code != "credentials_changed" || last.Address != office ||
				*last.Instance != "bridge-1" {
				t.Errorf("last refusal is %+v", last)
			}
			equal(t, "the bridge's state", c.onlyBridge(t).State, "refused")
		})
	}
}

// Deactivation ends every session at once, and epochs never go back.
func TestDeactivation(t *testing.T) {
	t.Parallel()
	c := converse(t)
	creds := c.activate(t)
	bridge := c.mustSignIn(t, creds, "bridge-1")
	gone, err := apitest.Read[struct{}](c.DeactivateProvisioning(t.Context(), nil))
	ok(t, err)
	equal(t, "status", gone.Status, 204)
	equal(t, "the session", beat(t, bridge), "session_ended")
	_, refused := c.signIn(t, creds, "bridge-1")
	equal(t, "signing in", codeOf(refused), "provisioning_inactive")
	p := c.provisioning(t)
	equal(t, "active", p.Active, false)
	equal(t, "next epoch", p.NextEpoch, creds.epoch+1)
	if p.Session != nil {
		t.Error("the sealed session is still there")
	}
	again, err := apitest.Read[struct{}](c.DeactivateProvisioning(t.Context(), nil))
	ok(t, err)
	equal(t, "deactivating twice", codeOf(again.Problem), "provisioning_inactive")

	fresh := c.activate(t)
	equal(t, "the next epoch", fresh.epoch, creds.epoch+1)
	_, refused = c.signIn(t, creds, "bridge-1")
	equal(t, "the old credentials under a new integration", codeOf(refused), "credentials_changed")
	equal(t, "the new credentials", beat(t, c.mustSignIn(t, fresh, "bridge-1")), "")
}

// Two who activate at once do not both succeed, and an enrolment that was
// made for another epoch is useless and refused.
func TestActivationIsExclusive(t *testing.T) {
	t.Parallel()
	c := converse(t)
	_, enrolment := c.enrol(t)
	stale := enrolment
	stale.Epoch++
	in := api.Activation{ManagerEmail: "scim@example.com", Enrolment: stale, Session: "sealed"}
	r, err := apitest.Read[api.Provisioning](c.ActivateProvisioning(t.Context(), nil, in))
	ok(t, err)
	equal(t, "another epoch", codeOf(r.Problem), "epoch_moved")
	in.Enrolment = enrolment
	r, err = apitest.Read[api.Provisioning](c.ActivateProvisioning(t.Context(), nil, in))
	ok(t, err)
	equal(t, "the right epoch", r.Status, 201)
	id := *r.Value.Id
	r, err = apitest.Read[api.Provisioning](c.ActivateProvisioning(t.Context(), nil, in))
	ok(t, err)
	equal(t, "a second activation", codeOf(r.Problem), "already_active")
	equal(t, "the integration in the way", *r.Problem.Details.ExistingId, id)
}

// Strangers get a handshake like any other, always with the same salt for
// the same question, and learn nothing from how it fails.
func TestStrangersLearnNothing(t *testing.T) {
	t.Parallel()
	c := converse(t)
	creds := c.activate(t)
	stranger := credentials{email: "nobody@example.com", epoch: creds.epoch, secrets: creds.secrets}
	_, first := c.begin(t, stranger)
	client, second := c.begin(t, stranger)
	equal(t, "salt when asked twice", first.Kdf.Salt, second.Kdf.Salt)
	// With a derivation that is as quick as the real one in this test; the
	// proof is wrong whatever the derivation.
	a, proof, err := client.Prove(creds.secrets, second.HandshakeId, signin.KDF{
		Algorithm: signin.Algorithm, Iterations: signin.MinIterations, Salt: second.Kdf.Salt,
	}, second.B)
	ok(t, err)
	_, refused := c.finish(t, second.HandshakeId, a, proof, "stranger")
	equal(t, "a stranger's proof", codeOf(refused), "sign_in_failed")
	unknown := *refused.Detail

	known := credentials{email: creds.email, epoch: creds.epoch, secrets: signin.NewSecrets("wrong", "A3-WRONG")}
	client, third := c.begin(t, known)
	a, proof, err = client.Prove(known.secrets, third.HandshakeId, kdfOf(third), third.B)
	ok(t, err)
	_, refused = c.finish(t, third.HandshakeId, a, proof, "stranger")
	equal(t, "a wrong proof", codeOf(refused), "sign_in_failed")
	equal(t, "what is said", *refused.Detail, unknown)
	equal(t, "who failed to prove is no bridge", len(c.bridges(t)), 0)
	if last := c.provisioning(t).LastRefusal; last != nil {
		t.Errorf("a stranger wrote the last refusal: %+v", last)
	}
}

// A client that proved the secrets is not a stranger: each sign-in has its line,
// also one that is refused for another reason, and so has a link that worked.
func TestWhatShowsASecretIsLoggedByItself(t *testing.T) {
	t.Parallel()
	c := converse(t)
	creds := c.activate(t)
	lines := func(of string) int { return strings.Count(c.log.String(), of) }
	const finish = `request: method=POST route="POST /v1/auth/finish"`
	c.mustSignIn(t, creds, "bridge-1")
	c.mustSignIn(t, creds, "bridge-2")
	equal(t, "lines of two sign-ins", lines(finish), 2)
	equal(t, "lines that name the bridge", lines("caller=bridge:bridge-2"), 1)
	_, err := apitest.Read[struct{}](c.DeactivateProvisioning(t.Context(), nil))
	ok(t, err)
	_, refused := c.signIn(t, creds, "bridge-1")
	equal(t, "after the deactivation", codeOf(refused), "provisioning_inactive")
	equal(t, "lines with the refused one", lines(finish), 3)
	c.wrongProof(t, creds, "203.0.113.1")
	equal(t, "lines with a stranger's", lines(finish), 3)

	_, err = apitest.Read[api.Member](c.InviteMember(t.Context(), nil, api.MemberInput{Address: "ann@example.com"}))
	ok(t, err)
	c.page(t, "POST", c.mailedLink(t, "/join/"))
	equal(t, "lines of a link that worked", lines(`request: method=POST route="POST /join/{token}" status=200`), 1)
}

// A handshake serves once and for a minute.
func TestHandshakeIsConsumed(t *testing.T) {
	t.Parallel()
	c := converse(t)
	creds := c.activate(t)
	client, handshake := c.begin(t, creds)
	_, refused := c.finish(t, handshake.HandshakeId, "2", "d3Jvbmc", "bridge-1")
	equal(t, "a guess", codeOf(refused), "sign_in_failed")
	a, proof, err := client.Prove(creds.secrets, handshake.HandshakeId, kdfOf(handshake), handshake.B)
	ok(t, err)
	_, refused = c.finish(t, handshake.HandshakeId, a, proof, "bridge-1")
	equal(t, "the right proof after a guess", codeOf(refused), "sign_in_failed")

	client, handshake = c.begin(t, creds)
	a, proof, err = client.Prove(creds.secrets, handshake.HandshakeId, kdfOf(handshake), handshake.B)
	ok(t, err)
	c.clock.advance(61 * time.Second)
	_, refused = c.finish(t, handshake.HandshakeId, a, proof, "bridge-1")
	equal(t, "the right proof after a minute", codeOf(refused), "sign_in_failed")
}

// wrongProof begins to sign in and sends a proof that is none, from an address.
func (c *conversation) wrongProof(t *testing.T, creds credentials, address string) {
	t.Helper()
	_, handshake := c.begin(t, creds)
	c.madeUpFinish(t, handshake.HandshakeId, address)
}

func (c *conversation) madeUpFinish(t *testing.T, handshakeID, address string) {
	t.Helper()
	r, err := apitest.Read[api.SignedIn](c.as(t, "", address).FinishSignIn(t.Context(), api.SignInFinish{
		HandshakeId: handshakeID, A: "2", Proof: "d3Jvbmc", Bridge: api.BridgeIdentity{Instance: "stranger"},
	}))
	ok(t, err)
	equal(t, "a made-up finish", codeOf(r.Problem), "sign_in_failed")
}

func (c *conversation) wrongProofs(t *testing.T) map[string]int {
	t.Helper()
	page, err := c.account.Attempts(t.Context(), time.Time{}, "", 1000)
	ok(t, err)
	rows := make(map[string]int)
	for _, a := range page.Items {
		if a.Result == "sign_in_failed" {
			rows[a.Address] = a.Count
		}
	}
	return rows
}

// Any client can send the second half of a sign-in that never began, from as many
// addresses as it commands.
func TestAFinishWithoutAStartLeavesNothing(t *testing.T) {
	t.Parallel()
	c := converse(t)
	writes := c.account.Store.Stats().Writes
	for i := range 50 {
		c.madeUpFinish(t, fmt.Sprintf("handshake-%d", i), fmt.Sprintf("203.0.113.%d", i))
	}
	if rows := c.wrongProofs(t); len(rows) != 0 || c.account.Store.Stats().Writes != writes {
		t.Errorf("%d rows and %d writes, want none", len(rows), c.account.Store.Stats().Writes-writes)
	}
}

func TestWrongProofsAreCountedByNetwork(t *testing.T) {
	t.Parallel()
	c := converse(t)
	creds := c.activate(t)
	for _, address := range []string{
		"2001:db8::1", "2001:db8::2", "2001:db8::ffff:ffff:3", "2001:db8:0:1::1", "203.0.113.1",
		"203.0.113.2", "203.0.113.2",
	} {
		c.wrongProof(t, creds, address)
	}
	if got, want := c.wrongProofs(t), (map[string]int{
		"2001:db8::/64": 3, "2001:db8:0:1::/64": 1, "203.0.113.1": 1, "203.0.113.2": 2,
	}); !maps.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

// A botnet fills a hundred rows an hour and then one.
func TestWrongProofsFromEverywhereFillABoundedNumberOfRows(t *testing.T) {
	t.Parallel()
	c := converse(t)
	creds := c.activate(t)
	c.wrongProof(t, creds, "203.0.113.1")
	ok(t, c.account.Store.Write(t.Context(), func(ctx context.Context, tx *store.Tx) error {
		for i := range 99 {
			a := account.Attempt{
				ID: fmt.Sprint(i), Address: fmt.Sprintf("198.51.100.%d", i),
				Result: "sign_in_failed", Last: c.clock.Now(),
			}
			if err := tx.CountAttempt(ctx, a); err != nil {
				return err
			}
		}
		return nil
	}))
	for _, address := range []string{"192.0.2.1", "192.0.2.2", "203.0.113.1"} {
		c.wrongProof(t, creds, address)
	}
	rows := c.wrongProofs(t)
	if len(rows) != 101 || rows["others"] != 2 || rows["203.0.113.1"] != 2 {
		t.Errorf("%d rows, %d of others, %d of a network that has one; want 101, 2 and 2", len(rows), rows["others"],
			rows["203.0.113.1"])
	}
	c.clock.advance(time.Hour)
	c.wrongProof(t, creds, "192.0.2.3")
	if c.wrongProofs(t)["192.0.2.3"] != 1 {
		t.Error("the next hour has no rows of its own")
	}
}

// What needs no new credentials changes in place; writing what is there
// changes nothing, and a write on an old version is refused.
func TestProvisioningUpdate(t *testing.T) {
	t.Parallel()
	c := converse(t)
	inactive, err := apitest.Read[api.Provisioning](c.UpdateProvisioning(t.Context(), nil,
		api.ProvisioningUpdate{Idp: new("Okta")}))
	ok(t, err)
	equal(t, "while inactive", codeOf(inactive.Problem), "provisioning_inactive")
	c.activate(t)
	before := c.provisioning(t)
	changed, err := apitest.Read[api.Provisioning](c.UpdateProvisioning(t.Context(),
		&api.UpdateProvisioningParams{IfMatch: &before.Etag},
		api.ProvisioningUpdate{Idp: new("Okta"), SuspensionLimit: new("off")}))
	ok(t, err)
	equal(t, "idp", deref(changed.Value.Idp), "Okta")
	equal(t, "suspension limit", deref(changed.Value.SuspensionLimit), "off")
	equal(t, "epoch", *changed.Value.Epoch, *before.Epoch)
	same, err := apitest.Read[api.Provisioning](c.UpdateProvisioning(t.Context(), nil,
		api.ProvisioningUpdate{Idp: new("Okta")}))
	ok(t, err)
	equal(t, "etag after writing the same", same.Value.Etag, changed.Value.Etag)
	stale, err := apitest.Read[api.Provisioning](c.UpdateProvisioning(t.Context(),
		&api.UpdateProvisioningParams{IfMatch: &before.Etag}, api.ProvisioningUpdate{Idp: new("Entra")}))
	ok(t, err)
	equal(t, "on an old version", codeOf(stale.Problem), "version_mismatch")
}

// The manager is a member with an address of its own, the same one for as
// long as the account lives.
func TestManagerIsAMember(t *testing.T) {
	t.Parallel()
	c := converse(t)
	_, err := apitest.Read[api.Member](c.InviteMember(t.Context(), nil, api.MemberInput{Address: manager}))
	ok(t, err)
	_, enrolment := c.enrol(t)
	taken, err := apitest.Read[api.Provisioning](c.ActivateProvisioning(t.Context(), nil, api.Activation{
		ManagerEmail: manager, Enrolment: enrolment, Session: "sealed",
	}))
	ok(t, err)
	equal(t, "another member's address", codeOf(taken.Problem), "address_taken")
	made, err := apitest.Read[api.Provisioning](c.ActivateProvisioning(t.Context(), nil, api.Activation{
		ManagerEmail: "pm@example.com", Enrolment: enrolment, Session: "sealed",
	}))
	ok(t, err)
	equal(t, "an address of its own", made.Status, 201)
	first := c.memberAt(t, "pm@example.com")
	equal(t, "role", first.Role, api.RoleProvisionManager)
	_, err = apitest.Read[struct{}](c.DeactivateProvisioning(t.Context(), nil))
	ok(t, err)
	equal(t, "suspended while inactive", c.memberAt(t, "pm@example.com").Suspended, true)
	_, enrolment = c.enrol(t)
	_, err = apitest.Read[api.Provisioning](c.ActivateProvisioning(t.Context(), nil, api.Activation{
		ManagerEmail: "pm2@example.com", Enrolment: enrolment, Session: "sealed",
	}))
	ok(t, err)
	second := c.memberAt(t, "pm2@example.com")
	equal(t, "the member under another address", second.Id, first.Id)
	equal(t, "suspended", second.Suspended, false)
}

func (c *conversation) memberAt(t *testing.T, address string) api.Member {
	t.Helper()
	r, err := apitest.Read[api.MemberPage](c.ListMembers(t.Context(), &api.ListMembersParams{Address: &address}))
	ok(t, err)
	if r.Value == nil || len(r.Value.Items) != 1 {
		t.Fatalf("looking for %s: %s", address, r.Body)
	}
	return r.Value.Items[0]
}

func (c *conversation) provisioning(t *testing.T) api.Provisioning {
	t.Helper()
	r, err := apitest.Read[api.Provisioning](c.GetProvisioning(t.Context()))
	ok(t, err)
	if r.Value == nil {
		t.Fatalf("reading the integration: %s", r.Body)
	}
	return *r.Value
}

func (c *conversation) bridges(t *testing.T) []api.Bridge {
	t.Helper()
	r, err := apitest.Read[api.BridgePage](c.ListBridges(t.Context(), nil))
	ok(t, err)
	if r.Value == nil {
		t.Fatalf("listing bridges: %s", r.Body)
	}
	return r.Value.Items
}

func (c *conversation) onlyBridge(t *testing.T) api.Bridge {
	t.Helper()
	all := c.bridges(t)
	if len(all) != 1 {
		t.Fatalf("there are %d bridges, want 1", len(all))
	}
	return all[0]
}

// The manager's address is compared by one fold: a second one that calls more
// texts the same would give a guess the true salt, and so tell that it is near.
func TestOnlyTheManagersAddressGetsItsSalt(t *testing.T) {
	t.Parallel()
	c := converse(t)
	creds := c.activate(t)
	salt := func(email string) string {
		t.Helper()
		h, err := apitest.Read[api.Handshake](c.StartSignIn(t.Context(), api.SignInStart{
			AccountId: c.account.ID, Email: email, Epoch: creds.epoch,
		}))
		ok(t, err)
		return h.Value.Kdf.Salt
	}
	truth := salt(manager)
	for _, same := range []string{strings.ToUpper(manager), " " + manager + " "} {
		equal(t, "the salt of "+same, salt(same), truth)
	}
	for _, other := range []string{
		strings.Replace(manager, "s", "ſ", 1), // long s, which EqualFold and full folding take for an s
		strings.Replace(manager, "s", "ﬆ", 1),
		strings.Replace(manager, "e", "é", 1),
		strings.Replace(manager, "i", "ı", 1),
		strings.Replace(manager, "m", "ｍ", 1),
	} {
		if salt(other) == truth {
			t.Errorf("%q gets the salt of %q", other, manager)
		}
	}
}
