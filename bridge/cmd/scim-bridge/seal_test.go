package main

import (
	"bytes"
	"net/http"
	"path/filepath"
	"strings"
	"testing"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account/api"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account/api/apitest"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/control"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/session"
)

func TestSealForgetsTheCredentialsUntilTheTokenComes(t *testing.T) {
	t.Parallel()
	account := newAccount(t)
	pair := account.activate()
	b := serve(t, folder(t, pair.sealed))
	if _, err := b.control().Unseal(t.Context(), pair.token.Reveal()); err != nil {
		t.Fatal(err)
	}
	b.awaitState(control.Ready)
	signedIn := func() bool {
		seen, err := apitest.Read[api.BridgePage](account.admin.ListBridges(t.Context(), nil))
		if err != nil || seen.Value == nil || len(seen.Value.Items) != 1 {
			t.Fatalf("%s %v", seen.Body, err)
		}
		return seen.Value.Items[0].Live
	}
	if !signedIn() {
		t.Fatal("the bridge is not signed in")
	}
	var cookies []string // of two browsers
	for range 2 {
		cookie, answer := b.signIn(pair.token.Reveal())
		if _, opens := b.logsWith(cookie); !opens {
			t.Fatalf("signing in to the page: %d %s", answer.status, answer.body)
		}
		cookies = append(cookies, cookie)
	}
	for range 2 { // it can be repeated
		if said := output(t, "seal", b.dir); !strings.Contains(said, "the bridge is sealed") {
			t.Errorf("it says %q", said)
		}
	}
	if s := b.status(); s.State != control.Sealed || s.Health.State != "sealed" {
		t.Errorf("the bridge is %s and %s", s.State, s.Health.State)
	}
	await(t, "the account to see that it is signed out", func() bool { return !signedIn() })
	other, err := session.NewToken()
	if err != nil {
		t.Fatal(err)
	}
	users := b.url("/Users")
	if got := ask(t, http.MethodGet, users, other.Reveal(), ""); got.status != http.StatusUnauthorized {
		t.Errorf("another token: %d %s", got.status, got.body)
	}
	await(t, "an answer to the token", func() bool {
		return ask(t, http.MethodGet, users, pair.token.Reveal(), "").status == http.StatusOK
	})
	for i, cookie := range cookies {
		if _, opens := b.logsWith(cookie); opens {
			t.Errorf("browser %d is still signed in after the bridge was sealed", i)
		}
	}
}

func TestABridgeThatUnsealsItselfIsNotSealed(t *testing.T) {
	t.Parallel()
	pair := newAccount(t).activate()
	token := writeFile(t, pair.token.Reveal())
	b := serve(t, folder(t, pair.sealed), "--unseal-token-file", token)
	b.awaitState(control.Ready)
	seal := func(dir string) (code int, said string) {
		var errs bytes.Buffer
		code = run(t.Context(), []string{"seal", dir}, &console{Out: &errs, Err: &errs})
		return code, errs.String()
	}
	code, said := seal(b.dir)
	if code != exitFailed || !strings.Contains(said, "with the token of --unseal-token-file: start it without") {
		t.Errorf("%d %s", code, said)
	}
	if s := b.status(); s.State != control.Ready {
		t.Errorf("the bridge is %s", s.State)
	}
	if code, said := seal(filepath.Join(t.TempDir(), "nobody")); code != exitFailed ||
		!strings.Contains(said, "no bridge is running there") {
		t.Errorf("without a bridge: %d %s", code, said)
	}
}
