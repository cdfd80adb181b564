package providertest

import "testing"

// Expect ends the test unless the account answered as wanted.
func Expect(t testing.TB, status int, answer interface {
	StatusCode() int
	GetBody() []byte
}, err error,
) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	if got := answer.StatusCode(); got != status {
		t.Fatalf("the account answered %d, want %d: %s", got, status, answer.GetBody())
	}
}
