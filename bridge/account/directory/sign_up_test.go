package directory_test

import (
	"fmt"
	"net/netip"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account/directory"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account/store"
)

// newStillDirectory is one whose clock moves by later alone.
func newStillDirectory(t *testing.T) *fixture {
	t.Helper()
	d := newDirectory(t)
	d.Now = func() time.Time {
		d.mu.Lock()
		defer d.mu.Unlock()
		return d.clock
	}
	d.allow("example.com")
	return d
}

var guests atomic.Int64

// signUps lets n people of an address sign up, and returns how many could.
func (d *fixture) signUps(from string, n int) int {
	d.t.Helper()
	ctx := account.WithCaller(d.t.Context(), account.Caller{Kind: account.ByPerson, Address: netip.MustParseAddr(from)})
	var sent atomic.Int64
	var all sync.WaitGroup
	for range n { // at once, so that they share commits
		all.Go(func() {
			switch err := d.SignUp(ctx, fmt.Sprintf("guest-%d@example.com", guests.Add(1)), "Guest"); {
			case err == nil:
				sent.Add(1)
			case !account.IsCode(err, "too_many_requests"):
				d.t.Error(err)
			}
		})
	}
	all.Wait()
	return int(sent.Load())
}

func (d *fixture) invitedMembers() int {
	d.t.Helper()
	page, err := d.Members(d.t.Context(), directory.MemberFilter{State: store.Invited}, "", 5000)
	if err != nil {
		d.t.Fatal(err)
	}
	return len(page.Items)
}

func TestOneNetworkSignsUpAFewAtATime(t *testing.T) {
	t.Parallel()
	d := newStillDirectory(t)
	if n := d.signUps("203.0.113.1", 100); n != 20 {
		t.Errorf("%d signed up at once, want 20", n)
	}
	if n := d.signUps("203.0.113.2", 1); n != 1 {
		t.Error("another network was kept out")
	}
	d.later(10 * time.Minute)
	if n := d.signUps("203.0.113.1", 100); n != 5 {
		t.Errorf("%d more within ten minutes, want 5", n)
	}
	d.signUps("2001:db8::1", 100)
	if n := d.signUps("2001:db8::ffff:2", 1); n != 0 {
		t.Error("another address of the same /64 counts as another network")
	}
	mails, err := d.Mails(t.Context())
	if members := d.invitedMembers(); err != nil || len(mails) != members || members != 20+1+5+20 {
		t.Errorf("%d members and %d mails, %v", members, len(mails), err)
	}
}

func TestHowLongToWaitIsTold(t *testing.T) {
	t.Parallel()
	d := newStillDirectory(t)
	d.signUps("203.0.113.1", 20)
	ctx := account.WithCaller(t.Context(), account.Caller{
		Kind: account.ByPerson, Address: netip.MustParseAddr("203.0.113.1"),
	})
	e := wantRefusal(t, d.SignUp(ctx, "late@example.com", "Late"), "too_many_requests")
	if e.Status != 429 || e.RetryAfter < time.Minute || e.RetryAfter > 2*time.Minute {
		t.Errorf("%d, again after %s", e.Status, e.RetryAfter)
	}
}

// However many networks a client has, no more than a thousand wait, and
// all of them are gone a day later with their mails. Nothing of them is audited.
func TestSignUpsThatNobodyFollowsAreGone(t *testing.T) {
	t.Parallel()
	d := newStillDirectory(t)
	before, err := d.AuditEvents(t.Context(), "", 1000)
	if err != nil {
		t.Fatal(err)
	}
	for i := range 60 {
		d.signUps(fmt.Sprintf("203.0.113.%d", i), 20)
		d.later(4 * time.Minute)
	}
	if n := d.invitedMembers(); n != 1000 {
		t.Errorf("%d wait, want 1000 at most", n)
	}
	d.later(24 * time.Hour)
	if n := d.signUps("198.51.100.1", 1); n != 1 {
		t.Error("those of yesterday keep others out")
	}
	if err := d.Sweep(t.Context()); err != nil {
		t.Fatal(err)
	}
	mails, err := d.Mails(t.Context())
	if n := d.invitedMembers(); err != nil || n != 1 || len(mails) != 1 {
		t.Errorf("a day later there are %d members and %d mails, %v; want the one of now", n, len(mails), err)
	}
	after, err := d.AuditEvents(t.Context(), "", 1000)
	if err != nil || len(after.Items) != len(before.Items) {
		t.Errorf("%d audit events, want %d as before, %v", len(after.Items), len(before.Items), err)
	}
}

func TestWhomSomebodyVouchesForStays(t *testing.T) {
	t.Parallel()
	for name, adopt := range map[string]func(*fixture, directory.Member){
		"adopted by provisioning": func(d *fixture, m directory.Member) { d.create(m.Address) },
		"who followed the link": func(d *fixture, m directory.Member) {
			_, token := d.mailTo(m.Address)
			if _, err := d.AcceptInvitation(d.t.Context(), token); err != nil {
				d.t.Fatal(err)
			}
		},
		"added to a group by an administrator": func(d *fixture, m directory.Member) {
			g, err := d.CreateGroupByHand(d.t.Context(), "Guests")
			if err == nil {
				err = d.AddGroupMember(d.t.Context(), g.ID, m.ID)
			}
			if err != nil {
				d.t.Fatal(err)
			}
		},
		"suspended by an administrator": func(d *fixture, m directory.Member) {
			if _, err := d.UpdateMember(d.t.Context(), m.ID,
				directory.MemberUpdate{Suspended: new(true)}, ""); err != nil {
				d.t.Fatal(err)
			}
		},
		"promoted by an administrator": func(d *fixture, m directory.Member) {
			if _, err := d.UpdateMember(d.t.Context(), m.ID, directory.MemberUpdate{Role: new(store.RoleAdministrator)},
				""); err != nil {
				d.t.Fatal(err)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := newStillDirectory(t)
			d.signUpAnn()
			page, err := d.Members(t.Context(), directory.MemberFilter{Address: "ann@example.com"}, "", 10)
			if err != nil || len(page.Items) != 1 {
				t.Fatalf("%+v, %v", page, err)
			}
			adopt(d, page.Items[0])
			d.later(40 * 24 * time.Hour)
			if err := d.Sweep(t.Context()); err != nil {
				t.Fatal(err)
			}
			if _, err := d.Member(t.Context(), page.Items[0].ID); err != nil {
				t.Error(err)
			}
		})
	}
}

// The mail says how long the link of a sign-up works, and that is true.
func TestTheLinkOfASignUpWorksForADay(t *testing.T) {
	t.Parallel()
	d := newStillDirectory(t)
	d.signUpAnn()
	_, token := d.mailTo("ann@example.com")
	d.later(24*time.Hour - time.Minute)
	if _, err := d.Invitation(t.Context(), token); err != nil {
		t.Errorf("a minute early: %v", err)
	}
	d.later(time.Minute)
	_, err := d.AcceptInvitation(t.Context(), token)
	wantRefusal(t, err, "link_unknown")
	d.signUpAnn()
	if mails, fresh := d.mailTo("ann@example.com"); mails != 2 {
		t.Errorf("%d mails, want a second one", mails)
	} else if _, err := d.AcceptInvitation(t.Context(), fresh); err != nil {
		t.Error(err)
	}
}
