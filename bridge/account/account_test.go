package account_test

import (
	"crypto/rand"
	"strings"
	"testing"
	"time"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account/store"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account/store/storetest"
)

// newAccount makes an account in a database of its own.
func newAccount(tb testing.TB) *account.Account {
	tb.Helper()
	return newAccountIn(tb, storetest.New(tb))
}

// newAccountIn makes an account in an empty database.
func newAccountIn(tb testing.TB, dsn string) *account.Account {
	tb.Helper()
	s, err := store.Open(tb.Context(), dsn)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		if err := s.Close(); err != nil {
			tb.Error(err)
		}
	})
	a, err := account.Create(tb.Context(), s, "Example", time.Now, rand.Reader)
	if err != nil {
		tb.Fatal(err)
	}
	return a
}

// A command beside the service writes mails, too: cancelling a hold sends a confirmation.
func TestACommandKnowsWhereLinksLead(t *testing.T) {
	t.Parallel()
	a := newAccount(t)
	a.PublicURL = "https://account.example.com"
	if err := a.SetMailServer(t.Context(), ""); err != nil {
		t.Fatal(err)
	}
	command, err := account.Load(t.Context(), a.Store)
	if err != nil {
		t.Fatal(err)
	}
	if link, _ := command.NewLink("confirm"); !strings.HasPrefix(link, "https://account.example.com/confirm/") {
		t.Errorf("the link is %s", link)
	}
}
