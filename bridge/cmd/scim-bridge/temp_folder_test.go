package main

import (
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account/api"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account/api/apitest"
)

// A container with a read-only file system has no folder for temporary files, which SQLite needs for this write.
func TestAnAccountNeedsNoTemporaryFolder(t *testing.T) {
	t.Parallel()
	for _, row := range []struct{ name, environ string }{
		{"no folder", "TMPDIR=" + filepath.Join(t.TempDir(), "none")},
		{"one that cannot be written", "TMPDIR=/proc"},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			a := newAccountProcess(t)
			a.kill()
			a.environ = []string{row.environ}
			a.start()
			key := "key"
			made, err := apitest.Read[api.Member](a.admin.InviteMember(t.Context(),
				&api.InviteMemberParams{IdempotencyKey: &key}, api.MemberInput{Address: "ann@example.com"}))
			if err != nil || made.Status != http.StatusCreated {
				t.Fatalf("inviting a member: %v %s", err, made.Body)
			}
			files, err := os.ReadDir(filepath.Dir(a.database))
			if err != nil {
				t.Fatal(err)
			}
			for _, file := range files {
				if !slices.Contains([]string{"account.db", "account.db-wal", "account.db-shm"}, file.Name()) {
					t.Errorf("beside the database there is %s", file.Name())
				}
			}
		})
	}
}
