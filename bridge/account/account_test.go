package account_test

import (
	"crypto/rand"
	"testing"
	"time"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account/store"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account/store/storetest"
)

// newAccount makes an account in a database of its own.
func newAccount(tb testing.TB) *account.Account {
	tb.Helper()
	s, err := store.Open(tb.Context(), storetest.New(tb))
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
