package main

import (
	"encoding/json"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account/api"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account/api/apitest"
)

// lines reads a command's lines of JSON.
func lines[T any](t *testing.T, args ...string) (all []T) {
	t.Helper()
	for line := range strings.Lines(output(t, args...)) {
		var one T
		if err := json.Unmarshal([]byte(line), &one); err != nil {
			t.Fatalf("%s: %v", line, err)
		}
		all = append(all, one)
	}
	return all
}

func TestListsAreLinesOfJSONForPrograms(t *testing.T) {
	t.Parallel()
	a := newAccountProcess(t)
	database := "sqlite:" + a.database
	const name = "two\nlines\tand <tags>"
	output(t, "account", "token", "create", "--database", database, "--name", name, "--scope", "read",
		"--expires", "90d")
	tokens := lines[api.Token](t, "account", "token", "list", "--database", database, "--json")
	i := slices.IndexFunc(tokens, func(token api.Token) bool { return token.Name == name })
	if i < 0 || tokens[i].Scope != api.Read || tokens[i].ExpiresAt == nil ||
		tokens[i].ExpiresAt.Before(time.Now()) || tokens[i].Secret != nil {
		t.Errorf("the tokens are %+v", tokens)
	}
	if table := output(t, "account", "token", "list", "--database", database); !strings.HasPrefix(table, "ID  ") ||
		len(strings.Split(strings.TrimSpace(table), "\n")) != len(tokens)+1 {
		t.Errorf("the table is %s", table)
	}
	if held := lines[api.Hold](t, "account", "holds", "list", "--database", database, "--json"); len(held) != 0 {
		t.Errorf("there are the holds %+v", held)
	}
	pair := a.activate()
	if r, err := apitest.Read[api.Member](a.admin.InviteMember(t.Context(), nil, api.MemberInput{
		Address: "ann@example.com", Name: new("Ann"),
	})); err != nil || r.Value == nil {
		t.Fatalf("inviting: %v %s", err, r.Body)
	}
	mails := lines[mailLine](t, "account", "mail", "--database", database, "--json")
	if len(mails) != 1 || mails[0].Recipient != "ann@example.com" || mails[0].Link == "" ||
		!strings.Contains(mails[0].Body, mails[0].Link) {
		t.Errorf("the mails are %+v", mails)
	}
	var d sessionDocument
	file := filepath.Join(folder(t, pair.sealed), "session")
	if err := json.Unmarshal([]byte(output(t, "session", "inspect", "--json", file)), &d); err != nil {
		t.Fatal(err)
	}
	if d.AccountID == "" || len(d.Entries) != 1 || d.Entries[0].TokenFingerprint != pair.token.Fingerprint() ||
		!d.OverlapEnds.IsZero() {
		t.Errorf("the session is %+v", d)
	}
}
