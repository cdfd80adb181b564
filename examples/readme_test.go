package examples

import (
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/scimbridge/terraform-provider-scimbridge/provider/providertest"
)

// The blocks of the README, pasted into one shell from the first to the last,
// work. The test uses other ports, since the printed ones may be in use.
func TestTheReadmeRunsAsPrinted(t *testing.T) {
	t.Parallel()
	readme, err := os.ReadFile(filepath.Join("..", "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	blocks := blocksOf(t, string(readme), "## Use it")
	account, bridge := providertest.FreeAddress(t), providertest.FreeAddress(t)
	out, folder := paste(t, blocks, account, bridge)
	for _, want := range []string{
		"has been successfully initialized!",
		"Apply complete! Resources: 4 added, 0 changed, 0 destroyed.",
		"scim_url = \"http://" + bridge + "/scim/v2\"",
		"No changes. Your infrastructure matches the configuration.",
		"connection test   3      3      -        -",
		"@example.com: ", // the recipient of a mail
		"Destroy complete! Resources: 4 destroyed.",
	} {
		if !strings.Contains(out, want) {
			t.Errorf("the output lacks %q:\n%s", want, out)
		}
	}
	if !regexp.MustCompile(`(?m)^state +(ready|healthy)$`).MatchString(out) {
		t.Errorf("the status shows no healthy bridge:\n%s", out)
	}
	for _, address := range []string{account, bridge} {
		if c, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", address); err == nil {
			c.Close()
			t.Errorf("something still listens at %s", address)
		}
	}
	for name, mode := range map[string]os.FileMode{"admin-token": 0o600, "bearer-token": 0o600} {
		info, err := os.Stat(filepath.Join(folder, "try", name))
		if err != nil || info.Mode().Perm() != mode {
			t.Errorf("%s: %v, %v", name, info, err)
		}
	}
}

// paste runs the blocks in one shell, with other addresses for the account and the bridge than the printed ones. It
// returns what they print, and the folder in which they ran.
func paste(t *testing.T, blocks []block, account, bridge string) (out, folder string) {
	t.Helper()
	folder = t.TempDir()
	if err := os.Mkdir(filepath.Join(folder, "bin"), 0o755); err != nil {
		t.Fatal(err)
	}
	for _, program := range []string{"scim-bridge", "terraform-provider-scimbridge"} {
		built := filepath.Join(providertest.Installation(t), program)
		if err := os.Symlink(built, filepath.Join(folder, "bin", program)); err != nil {
			t.Fatal(err)
		}
	}
	mirror, err := filepath.Abs(filepath.Join("..", ".ci", "mirror"))
	if err != nil {
		t.Fatal(err)
	}
	script := preamble
	for _, b := range blocks {
		if b.file != "" {
			script += "cat > " + b.file + " <<'END-OF-BLOCK'\n" + b.text + "END-OF-BLOCK\n"
			continue
		}
		script += b.text
	}
	script = strings.ReplaceAll(script, "127.0.0.1:8600", account)
	script = strings.ReplaceAll(script, "127.0.0.1:3002", bridge)
	path := filepath.Join(t.TempDir(), "blocks.sh")
	if err := os.WriteFile(path, []byte(script), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), "bash", path)
	cmd.Dir = folder
	cmd.Env = []string{"PATH=" + providertest.Path(t), "HOME=" + folder, "CHECKPOINT_DISABLE=1",
		"TERRAFORM=" + providertest.Terraform(t), "MIRROR=" + mirror}
	cmd.WaitDelay = time.Minute
	text, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	return string(text), folder
}

// preamble answers Terraform's questions with yes and cleans up after a failure.
// The binaries that make would build are there already.
const preamble = `set -euo pipefail
make() {
	[ "$*" = mirror ] || exit 3
	"$MIRROR" bin
}
terraform() {
	case $1 in
	apply | destroy) echo yes | "$TERRAFORM" "$@" -no-color ;;
	*) "$TERRAFORM" "$@" -no-color </dev/null ;;
	esac
}
tidy() {
	code=$?
	[ $code -eq 0 ] || "$TERRAFORM" destroy -auto-approve -no-color || true
	jobs -p | xargs -r kill 2>/dev/null || true
	exit $code
}
trap tidy EXIT
`

// A block is a piece of the README to paste into a shell, or into a file.
type block struct{ file, text string }

var (
	fence = regexp.MustCompile("(?s)\n([^\n]*)\n+```(sh|hcl)\n(.*?)\n```\n")
	saved = regexp.MustCompile("Save this as `([a-z.]+)`")
)

// blocksOf returns the blocks of a section, in order.
func blocksOf(t *testing.T, text, heading string) (blocks []block) {
	t.Helper()
	_, section, found := strings.Cut(text, "\n"+heading+"\n")
	if !found {
		t.Fatalf("there is no section %q", heading)
	}
	section, _, _ = strings.Cut(section, "\n## ")
	for _, m := range fence.FindAllStringSubmatch(section, -1) {
		b := block{text: m[3] + "\n"}
		if m[2] == "hcl" {
			name := saved.FindStringSubmatch(m[1])
			if name == nil {
				t.Fatalf("before an hcl block it must say where to save it: %s", m[1])
			}
			b.file = name[1]
		}
		blocks = append(blocks, b)
	}
	if fences := strings.Count(section, "```"); len(blocks) < 7 || fences != 2*len(blocks) {
		t.Fatalf("%d blocks in %d fences: some are not seen", len(blocks), fences)
	}
	return blocks
}
