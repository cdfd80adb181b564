package session

import "testing"

func TestSealAndOpen(t *testing.T) {
	t.Parallel()
	token, err := NewToken()
	if err != nil {
		t.Fatal(err)
	}
	sealed, err := Seal(token, 3, Credentials{AccountURL: "https://account.example.com", AccountID: "acc_<1>&", Email: "pm@example.com"}, nil)
	if err != nil {
		t.Fatal(err)
	}
	f, err := Parse(sealed)
	if err != nil {
		t.Fatal(err)
	}
	c, err := f.Entries[0].Open(token)
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%+v %v", c, f.Entries[0].Header)
}
