//go:build release

package install

import (
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"testing"

	"golang.org/x/mod/sumdb/dirhash"

	"github.com/scimbridge/terraform-provider-scimbridge/provider/providertest"
)

const thisPlatform = runtime.GOOS + "_" + runtime.GOARCH

// What the README shows works with nothing but the archives: a mirror of the provider's, and scim-bridge from its own.
func TestTheQuickstartRunsFromTheArchivesAlone(t *testing.T) {
	t.Parallel()
	r := open(t)
	m := newMachine(t, r)
	m.fill(r, os.Getenv("TF_ACC_PROVIDER_HOST"))
	account, bridge := providertest.FreeAddress(t), providertest.FreeAddress(t)
	configuration := quickstart(t, r.version)
	configuration = strings.ReplaceAll(configuration, "127.0.0.1:8600", account)
	configuration = strings.ReplaceAll(configuration, "127.0.0.1:3002", bridge)
	m.writeFile(filepath.Join(m.folder, "main.tf"), 0o644, configuration)

	if got := firstLine(m.run("scim-bridge", "version")); got != "scim-bridge "+r.version {
		t.Errorf("scim-bridge is %q, want %s", got, r.version)
	}
	database := []string{"--database", "sqlite:account.db"}
	token := m.run("scim-bridge", append([]string{"account", "init", "--name", "Example"}, database...)...)
	m.serve(account, "scim-bridge", append([]string{"account", "serve", "--listen", account}, database...)...)

	m.lock(r)
	m.run("terraform", "init", "-no-color", "-input=false", "-lockfile=readonly")

	m.env = append(m.env, "SCIMBRIDGE_ACCOUNT_TOKEN="+strings.TrimSpace(token))
	withToken := m.env
	m.env = append(m.env, "TF_VAR_bearer_token="+strings.TrimSpace(m.run("scim-bridge", "token")))
	m.run("terraform", "apply", "-no-color", "-input=false", "-auto-approve")
	m.env = withToken
	m.run("terraform", "plan", "-no-color", "-input=false", "-detailed-exitcode") // 2 if anything would change

	if out := m.run("scim-bridge", "status", "--local", "bridge"); !regexp.MustCompile(`(?m)^state +(ready|healthy)$`).
		MatchString(out) {
		t.Errorf("the bridge is not healthy:\n%s", out)
	}
	if got := m.deployedVersion(); got != r.version {
		t.Errorf("the deployed bridge is %q, want %s", got, r.version)
	}
	bundled := unzip(t, r.path(project, thisPlatform+".zip"))["scim-bridge_"+thisPlatform]
	if _, err := os.Stat(filepath.Join(m.folder, "bridge", "bin", bundled.digest(), "scim-bridge")); err != nil {
		t.Errorf("what runs is not the bridge of the provider's archive: %v", err)
	}

	m.run("terraform", "destroy", "-no-color", "-input=false", "-auto-approve")
	if m.isServed(bridge) {
		t.Errorf("something still listens at %s", bridge)
	}
}

// lock writes a lock file with the hashes of every platform that the release has, as somebody does whose colleagues
// and CI run elsewhere. They are those of the archives.
func (m *machine) lock(r release) {
	m.Helper()
	arguments := []string{"providers", "lock", "-no-color", "-fs-mirror=" + m.mirror}
	var want []string
	for _, platform := range r.platforms(m.T, project, ".zip") {
		arguments = append(arguments, "-platform="+platform)
		hash, err := dirhash.HashZip(r.path(project, platform+".zip"), dirhash.Hash1)
		if err != nil {
			m.Fatal(err)
		}
		want = append(want, hash)
	}
	m.run("terraform", arguments...)
	text, err := os.ReadFile(filepath.Join(m.folder, ".terraform.lock.hcl"))
	if err != nil {
		m.Fatal(err)
	}
	got := regexp.MustCompile(`h1:[^"]+`).FindAllString(string(text), -1)
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, want) {
		m.Errorf("the lock file has %q, the archives' hashes are %q", got, want)
	}
}

// deployedVersion is the version of the bridge that runs, as the state has it.
func (m *machine) deployedVersion() string {
	m.Helper()
	var state struct {
		Values struct {
			RootModule struct {
				Resources []struct {
					Type   string
					Values map[string]any
				}
			} `json:"root_module"`
		}
	}
	if err := json.Unmarshal([]byte(m.run("terraform", "show", "-json")), &state); err != nil {
		m.Fatal(err)
	}
	for _, resource := range state.Values.RootModule.Resources {
		if resource.Type == "scimbridge_deployment" {
			version, _ := resource.Values["version"].(string)
			return version
		}
	}
	m.Fatal("the state has no scimbridge_deployment")
	return ""
}

var (
	mainFile = regexp.MustCompile("(?s)Save this as `main.tf`[^\n]*\n+```hcl\n(.*?)\n```\n")
	source   = `source = "scimbridge/scimbridge"`
)

// quickstart returns the README's configuration. Only a version that is asked for by name can be a pre-release.
func quickstart(t *testing.T, version string) string {
	t.Helper()
	readme, err := os.ReadFile(filepath.Join(root, "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	found := mainFile.FindSubmatch(readme)
	if found == nil || !strings.Contains(string(found[1]), source) {
		t.Fatalf("the README shows no main.tf with %s", source)
	}
	return strings.ReplaceAll(string(found[1]), source, source+`, version = "`+version+`"`)
}

func firstLine(text string) string {
	line, _, _ := strings.Cut(text, "\n")
	return line
}
