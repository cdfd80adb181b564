package directory_test

import (
	"context"
	"slices"
	"testing"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account/directory"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account/store"
)

// A thousand people who take their time with an invitation must hide neither
// the one who accepted it nor the domain that an operator must allow.
func TestOpenInvitationsHideNobodyWhoNeedsSomething(t *testing.T) {
	t.Parallel()
	d := newDirectory(t)
	moving := d.joined("moving@example.com")
	d.replace(moving.ID, directory.PersonInput{
		Attributes: attributes("userName", "moving"), SignInAddress: "moving@new.com",
	})
	d.create("accepted@example.com")
	_, token := d.mailTo("accepted@example.com")
	if _, err := d.AcceptInvitation(t.Context(), token); err != nil {
		t.Fatal(err)
	}
	// Older than the two in need, and one more than are listed.
	err := d.Store.Write(t.Context(), func(ctx context.Context, tx *store.Tx) error {
		const numbers = `WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1001) `
		for _, insert := range []string{
			`INSERT INTO members (id, address, address_folded, name, role, state, state_since, created_at)
				SELECT 'm' || i, 'p' || i, 'p' || i, 'P', 'member', 'invited', 1, i FROM n`,
			`INSERT INTO people (id, member_id, user_name, user_name_folded, attributes, wanted_address, wanted_since,
				created_at, modified_at, position)
				SELECT 'p' || i, 'm' || i, 'p' || i, 'p' || i, '{}', 'p' || i, 1, i, i, 100 + i FROM n`,
		} {
			if _, err := tx.Exec(ctx, numbers+insert); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	got := d.waiting()
	want := []string{"accepted@example.com confirmation_due", "moving signup_domain_missing"}
	if len(got) < 2 || !slices.Equal(got[:2], want) {
		t.Errorf("first of %d are %v, want %v", len(got), got[:min(2, len(got))], want)
	}
	if len(got) != 1002 {
		t.Errorf("%d are listed, want two in need and 1000 open invitations", len(got))
	}
}

// The operator of a bridge sees whose invitation could not be sent, until it is queued again.
func TestAnInvitationThatCouldNotBeSentIsShown(t *testing.T) {
	t.Parallel()
	d := newDirectory(t)
	d.create("ann@example.com")
	d.create("bob@example.com")
	d.fail("ann@example.com")
	wantWaiting := func(want ...string) {
		t.Helper()
		if got := d.waiting(); !slices.Equal(got, want) {
			t.Errorf("they wait %q, want %q", got, want)
		}
	}
	wantWaiting("ann@example.com invitation_unsent", "bob@example.com invitation_open")
	if _, err := d.ResendMail(t.Context(), "ann@example.com"); err != nil {
		t.Fatal(err)
	}
	wantWaiting("ann@example.com invitation_open", "bob@example.com invitation_open")
}

// So is a mail to a new address, which nobody confirms then.
func TestAConfirmationThatCouldNotBeSentIsShown(t *testing.T) {
	t.Parallel()
	d := newDirectory(t)
	d.allow("new.com")
	for _, name := range []string{"ann", "bob"} {
		p := d.joined(name + "@example.com")
		d.replace(p.ID, input(name+"@new.com"))
	}
	d.fail("ann@new.com")
	wantWaiting := func(want ...string) {
		t.Helper()
		if got := d.waiting(); !slices.Equal(got, want) {
			t.Errorf("they wait %q, want %q", got, want)
		}
	}
	wantWaiting("ann@new.com confirmation_unsent", "bob@new.com address_unconfirmed")
	if _, err := d.ResendMail(t.Context(), "ann@new.com"); err != nil {
		t.Fatal(err)
	}
	wantWaiting("ann@new.com address_unconfirmed", "bob@new.com address_unconfirmed")
}
