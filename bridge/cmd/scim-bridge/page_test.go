package main

import (
	"net/http"
	"strings"
	"testing"
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
