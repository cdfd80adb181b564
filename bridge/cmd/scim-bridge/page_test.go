package main

import (
	"net/http"
	"strings"
	"testing"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge/control"
)

// What the page shows comes from the bridge, its journal, its log and the account.
func TestThePageShowsWhatHappened(t *testing.T) {
	t.Parallel()
	pair := newAccount(t).activate()
	token := pair.token.Reveal()
	b := serve(t, folder(t, pair.sealed), "--revision", "r7")
	b.open(token)
	for _, status := range []int{http.StatusCreated, http.StatusConflict} {
		got := ask(t, http.MethodPost, b.url("/scim/v2/Users"), token, person("ann@example.com"))
		if got.status != status {
			t.Fatalf("creating a person: %d %s", got.status, got.body)
		}
	}
	cookie, answer := b.signIn(token)
	if cookie == "" {
		t.Fatalf("signing in: %d %s", answer.status, answer.body)
	}
	page := func(path string) string {
		t.Helper()
		got := ask(t, http.MethodGet, b.url(path), "", "", "Cookie", cookie)
		if got.status != http.StatusOK || strings.Contains(got.body, `name="token"`) {
			t.Fatalf("%s: %d %s", path, got.status, got.body)
		}
		_, main, _ := strings.Cut(got.body, "<main")
		return main
	}
	for _, row := range []struct {
		path string
		want []string
	}{
		{"/app", []string{
			"Healthy", "It last came", "Go-http-client", "2 requests in the last hour", "1 refused", "Added a person",
			">ann@example.com<", "<strong>1</strong> invited", "This one answers", "revision r7",
		}},
		{"/app/people?search=ANN", []string{"1 found", ">ann@example.com<", "was invited and has not yet accepted"}},
		{"/app/log?person=Ann%40example.com", []string{"status=201", "status=409", "all of this request"}},
		{"/app/log?person=bob", []string{"knows nobody of this name"}},
		{"/app/log?search=starting&level=debug", []string{"starting:"}},
		{"/app/sign-ins", []string{"let in", "127.0.0.1"}},
		{"/app/holds", []string{"Nothing is held"}},
	} {
		body := page(row.path)
		for _, want := range row.want {
			if !strings.Contains(body, want) {
				t.Errorf("%s does not show %q:\n%s", row.path, want, body)
			}
		}
	}
	tellsNothing(t, page("/app")+page("/app/log?level=debug"), pair)
}

// A balancer sends a browser's requests to the bridges of a session in turn, and replaces them.
func TestASignInToThePageIsGoodAtEveryBridgeOfTheSession(t *testing.T) {
	t.Parallel()
	account := newAccount(t)
	pair := account.activate()
	open := func(b *process) *process {
		t.Helper()
		if _, err := b.control().Unseal(t.Context(), pair.token.Reveal()); err != nil {
			t.Fatal(err)
		}
		b.awaitState(control.Ready)
		return b
	}
	first, second := open(serve(t, folder(t, pair.sealed))), open(serve(t, folder(t, pair.sealed)))
	opens := func(b *process, cookie string) bool {
		t.Helper()
		_, ok := b.logsWith(cookie)
		return ok
	}
	cookie, _ := first.signIn(pair.token.Reveal())
	other, _ := second.signIn(pair.token.Reveal())
	for range 2 {
		if !opens(first, cookie) || !opens(second, cookie) || !opens(first, other) {
			t.Fatal("a sign-in at one bridge is none at another")
		}
	}
	second.terminate()
	second = serve(t, second.dir)
	if opens(second, cookie) {
		t.Error("a cookie opens a bridge that is sealed")
	}
	if open(second); !opens(second, cookie) {
		t.Error("a bridge that was started again has signed the browser out")
	}
	ask(t, http.MethodPost, first.url("/app/sign-out"), "", "", "Cookie", cookie)
	if opens(first, cookie) || !opens(first, other) {
		t.Error("signing out did not end the sign-in, or ended another")
	}
	output(t, "seal", first.dir)
	if open(first); opens(first, other) {
		t.Error("a bridge that was sealed knows a sign-in of before")
	}
	// A new session is another key, and the token of a cookie that is over is refused.
	rotated := account.rotate(pair, 0)
	third := serve(t, folder(t, rotated.sealed))
	if _, err := third.control().Unseal(t.Context(), rotated.token.Reveal()); err != nil {
		t.Fatal(err)
	}
	third.awaitState(control.Ready)
	if opens(third, other) {
		t.Error("a cookie of the session before opens a bridge of the new one")
	}
	await(t, "the end of the sign-ins by the old token", func() bool { return !opens(second, other) })
}
