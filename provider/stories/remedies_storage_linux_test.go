package stories

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge/problem"
)

var storageRemedies = []remedy{
	{problem.StorageFull, "a disk that has no room", func(t *testing.T) {
		w, token := deployed(t)
		// The limit of a file's size is a disk without room that needs no root.
		limit := func(bytes uint64) {
			t.Helper()
			if err := unix.Prlimit(w.account.PID(), unix.RLIMIT_FSIZE,
				&unix.Rlimit{Cur: bytes, Max: unix.RLIM_INFINITY},
				nil); err != nil {
				t.Fatal(err)
			}
		}
		limit(64 << 10)
		n := 0
		w.eventually("the disk is full", func() (bool, string) {
			n++
			body := map[string]any{
				"schemas":  []string{"urn:ietf:params:scim:schemas:core:2.0:User"},
				"userName": fmt.Sprintf("p%d@example.com", n),
			}
			status, answer := w.request(token, http.MethodPost, "/scim/v2/Users", body)
			return status == http.StatusServiceUnavailable, string(answer)
		})
		p := w.problem(problem.StorageFull)
		if out := w.shell(command(t, p.Remedy, "df -h"), "", nil); !strings.Contains(out, "%") {
			t.Errorf("the command does not show how full the disk is:\n%s", out)
		}
		if code, out := w.run(vars{"token": newToken(t).Reveal(), "token_version": "2"}, "apply", "-auto-approve",
			"-no-color", "-input=false"); code == 0 ||
			!strings.Contains(out, "storage_full") || !strings.Contains(out, w.account.Database()) {
			t.Errorf("Terraform's error does not name the disk: %d\n%s", code, out)
		}
		limit(unix.RLIM_INFINITY)
		w.healed()
	}},
	{problem.StorageLost, "a database that was moved away", func(t *testing.T) {
		w, _ := deployed(t)
		path := strings.TrimPrefix(w.account.Database(), "sqlite:")
		if err := os.Rename(path, path+".away"); err != nil {
			t.Fatal(err)
		}
		w.problem(problem.StorageLost)
		if err := os.Rename(path+".away", path); err != nil {
			t.Fatal(err)
		}
		w.healed()
	}},
	{problem.StorageLost, "a database that was deleted, and a backup of it", func(t *testing.T) {
		w, _ := deployed(t)
		path := strings.TrimPrefix(w.account.Database(), "sqlite:")
		backup := filepath.Join(t.TempDir(), "backup.db")
		w.shell("scim-bridge account backup --database sqlite:"+path+" "+backup, "", nil)
		if err := os.Remove(path); err != nil {
			t.Fatal(err)
		}
		p := w.problem(problem.StorageLost)
		w.account.Stop()
		w.shell(strings.Replace(command(t, p.Remedy, "scim-bridge account restore"), "BACKUP", backup, 1), "", nil)
		w.account.Start()
		w.healed()
	}},
}
