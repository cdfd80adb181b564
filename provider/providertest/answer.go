package providertest

import (
	"testing"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account/api/apitest"
)

// Expect ends the test unless the account answered as wanted.
func Expect[T any](t testing.TB, status int, answer *apitest.Answer[T], err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	if answer.Status != status {
		t.Fatalf("the account answered %d, want %d: %s", answer.Status, status, answer.Body)
	}
}
