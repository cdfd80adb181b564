//go:build engines

package engines

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
)

// preamble makes the guide's commands those of this test: Terraform takes the provider that was built, answers its
// own question with yes, and Compose is the program that Debian has.
const preamble = `set -euo pipefail
trap 'code=$?; [ $code = 0 ] || docker compose logs; exit $code' EXIT
docker() {
	if [ "$1" = compose ] && command -v docker-compose >/dev/null; then
		docker-compose "${@:2}"
	else
		command docker "$@"
	fi
}
terraform() {
	case $1 in
	init) ;;
	apply) echo yes | "$SCIMBRIDGE_TEST_TERRAFORM" "$@" -no-color ;;
	*) "$SCIMBRIDGE_TEST_TERRAFORM" "$@" ;;
	esac
}
sudo() { "$@"; }
export SCIMBRIDGE_ACCOUNT_TOKEN="$(cat admin-token 2>/dev/null)"
`

// A guide is the guide of the container image, in the folder that somebody runs it in.
type guide struct {
	folder, text, version string
}

func newGuide(t *testing.T) guide {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(top, "provider/templates/guides/container.md"))
	if err != nil {
		t.Fatal(err)
	}
	g := guide{t.TempDir(), string(text), version(t)}
	if err := os.Symlink(archive(t), filepath.Join(g.folder, filepath.Base(archive(t)))); err != nil {
		t.Fatal(err)
	}
	bin, err := filepath.Abs(filepath.Join(top, "bin"))
	if err != nil {
		t.Fatal(err)
	}
	g.write(t, "terraformrc", `provider_installation { dev_overrides { "scimbridge/scimbridge" = "`+bin+`" } }`)
	return g
}

func (g guide) write(t *testing.T, name, text string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(g.folder, name), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func (g guide) read(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(g.folder, name))
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(string(text))
}

var (
	fence = regexp.MustCompile("(?s)\n([^\n]*)\n+```([a-z]+)\n(.*?)\n```\n")
	saved = regexp.MustCompile("Save this as `([a-z.]+)`")
)

// run pastes the blocks of a section, as they are printed, into one shell.
func (g guide) run(t *testing.T, heading string) string {
	t.Helper()
	_, section, found := strings.Cut(g.text, "\n## "+heading+"\n")
	if !found {
		t.Fatalf("the guide has no section %q", heading)
	}
	section, _, _ = strings.Cut("\n"+section, "\n## ")
	section = strings.NewReplacer("0.1.0", g.version, "linux_amd64.tar", filepath.Base(archive(t))[strings.LastIndex(
		filepath.Base(archive(t)), "linux_"):]).Replace(section)
	script, blocks := preamble, fence.FindAllStringSubmatch(section, -1)
	if len(blocks) == 0 || strings.Count(section, "```") != 2*len(blocks) {
		t.Fatalf("%d blocks are seen in the section %q", len(blocks), heading)
	}
	for _, block := range blocks {
		if block[2] == "sh" {
			script += block[3] + "\n"
			continue
		}
		name := saved.FindStringSubmatch(block[1])
		if name == nil {
			t.Fatalf("before a block of %s it must say where to save it: %s", block[2], block[1])
		}
		g.write(t, name[1], block[3]+"\n")
	}
	cmd := exec.CommandContext(t.Context(), "bash", "-c", script)
	cmd.Dir = g.folder
	cmd.Env = append(os.Environ(), "CHECKPOINT_DISABLE=1", "COMPOSE_PROJECT_NAME=guide",
		"TF_CLI_CONFIG_FILE="+filepath.Join(g.folder, "terraformrc"))
	cmd.WaitDelay = time.Minute
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return string(out)
}
