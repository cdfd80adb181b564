package main

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge/control"
)

// logsWith downloads the log with a cookie; the sign-in form comes in its place.
func (p *process) logsWith(cookie string) (log string, ok bool) {
	p.t.Helper()
	req, err := http.NewRequestWithContext(p.t.Context(), http.MethodGet, p.url("/app/logs"), http.NoBody)
	if err != nil {
		p.t.Fatal(err)
	}
	req.Header.Set("Cookie", cookie)
	resp, err := http.DefaultTransport.RoundTrip(req)
	if err != nil {
		p.t.Fatal(err)
	}
	resp.Body.Close()
	return resp.Header.Get("Location"), resp.StatusCode == http.StatusOK
}

// signIn shows a token to the page and returns the cookie, if there is one.
func (p *process) signIn(token string) (cookie string, answer reply) {
	p.t.Helper()
	answer = post(p.t, p.url("/app/sign-in"), url.Values{"token": {token}})
	cookie, _, _ = strings.Cut(answer.header.Get("Set-Cookie"), ";")
	return cookie, answer
}

// A token whose overlap is over opens nothing: not SCIM, not the page, not
// health, not the log, and not a bridge that was started again.
func TestATokenWhoseOverlapIsOverOpensNothingOfARestartedBridge(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		name         string
		tellsEnd, up bool
	}{
		{"the session tells the end, and the account answers", true, true},
		{"the session tells the end, and the account is away", true, false},
		{"an older session does not tell the end, and the account answers", false, true},
		{"an older session does not tell the end, and the account is away", false, false},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			account := newAccount(t)
			old := account.activate()
			ends := time.Time{}
			if row.tellsEnd {
				ends = time.Now().Add(time.Second)
			}
			fresh := account.rotateUntil(old, time.Second, ends)
			over := time.Now().Add(time.Second)
			await(t, "the end of the overlap", func() bool { return time.Now().After(over) })
			if !row.up {
				account.down()
			}
			b := serve(t, folder(t, fresh.sealed))
			refused := func(what string, answer reply) {
				t.Helper()
				if answer.status != 401 && answer.status != 503 || answer.status == 503 && row.tellsEnd {
					t.Errorf("%s with the dead token: %d %s", what, answer.status, answer.body)
				}
				for _, secret := range []string{"account_unreachable", "signing_in", "session with the account"} {
					if strings.Contains(answer.body, secret) {
						t.Errorf("%s tells the dead token about the bridge: %s", what, answer.body)
					}
				}
			}
			for range 2 { // the first opens what there is to open
				cookie, answer := b.signIn(old.token.Reveal())
				refused("the page", answer)
				if cookie != "" {
					t.Errorf("the dead token got a cookie")
				}
				refused("health", ask(t, "GET", b.url("/health"), old.token.Reveal(), ""))
				refused("metrics", ask(t, "GET", b.url("/metrics"), old.token.Reveal(), ""))
				refused("SCIM", ask(t, "GET", b.url("/Users"), old.token.Reveal(), ""))
				if _, err := b.control().Unseal(t.Context(), old.token.Reveal()); err == nil {
					t.Error("the dead token unseals over the control socket")
				}
			}
			if row.tellsEnd && b.status().State != control.Sealed {
				t.Errorf("the dead token opened the session: %s", b.status().State)
			}
			if !row.up {
				return
			}
			await(t, "401 for the dead token", func() bool {
				return ask(t, "GET", b.url("/Users"), old.token.Reveal(), "").status == 401
			})
			if got := ask(t, "GET", b.url("/Users"), fresh.token.Reveal(), ""); got.status != 200 {
				t.Errorf("the new token: %d %s", got.status, got.body)
			}
		})
	}
}

func TestACookieDoesNotOutliveItsToken(t *testing.T) {
	t.Parallel()
	account := newAccount(t)
	old := account.activate()
	fresh := account.rotate(old, time.Hour)
	b := serve(t, folder(t, fresh.sealed))
	cookie, answer := b.signIn(old.token.Reveal())
	if cookie == "" {
		t.Fatalf("the old token during the overlap: %d %s", answer.status, answer.body)
	}
	if _, ok := b.logsWith(cookie); !ok {
		t.Fatal("its cookie does not open the log")
	}
	account.rotate(fresh, 0) // ends both pairs at once
	await(t, "the account's word", func() bool {
		return ask(t, "GET", b.url("/Users"), old.token.Reveal(), "").status == 401
	})
	if where, ok := b.logsWith(cookie); ok || where != "/app" {
		t.Error("the cookie of a dead token still opens the log")
	}
}

// The operator must see what is wrong when the account is away, and no cookie
// and no log are given before it has confirmed the pair.
func TestTheAccountConfirmsAPairBeforeThereIsACookie(t *testing.T) {
	t.Parallel()
	account := newAccount(t)
	pair := account.activate()
	address := account.address()
	account.down()
	b := serve(t, folder(t, pair.sealed))
	cookie, answer := b.signIn(pair.token.Reveal())
	if cookie != "" || answer.status != 200 || !strings.Contains(answer.body, "has not confirmed") ||
		strings.Contains(answer.body, "/app/logs") {
		t.Errorf("while the account is away: cookie %q, %d %s", cookie, answer.status, answer.body)
	}
	b.awaitProblem("account_unreachable")
	if _, answer = b.signIn(pair.token.Reveal()); !strings.Contains(answer.body, "account_unreachable") {
		t.Errorf("the page does not show what is wrong: %s", answer.body)
	}
	account.up(address)
	b.awaitState(control.Ready)
	if cookie, answer = b.signIn(pair.token.Reveal()); cookie == "" {
		t.Fatalf("after the account came: %d %s", answer.status, answer.body)
	}
	account.down() // what was confirmed stays so
	if _, ok := b.logsWith(cookie); !ok {
		t.Error("the cookie was lost when the account went away")
	}
}

func TestAnOlderBundleLetsTheOldTokenInOnceTheAccountSaysSo(t *testing.T) {
	t.Parallel()
	account := newAccount(t)
	old := account.activate()
	fresh := account.rotateUntil(old, time.Hour, time.Time{})
	b := serve(t, folder(t, fresh.sealed))
	got := ask(t, "GET", b.url("/Users"), old.token.Reveal(), "")
	if got.status != 503 || got.header.Get("Retry-After") == "" {
		t.Errorf("before the account was asked: %d %s", got.status, got.body)
	}
	await(t, "the account's word", func() bool {
		return ask(t, "GET", b.url("/Users"), old.token.Reveal(), "").status == 200
	})
}
