package archtest

import (
	"encoding/json"
	"errors"
	"io"
	"os/exec"
	"path"
	"slices"
	"strings"
	"testing"
)

const module = "github.com/scimbridge/terraform-provider-scimbridge"

// A room is a package of this module as the go command sees it.
type room struct {
	ImportPath   string
	Doc          string
	Imports      []string
	TestImports  []string
	XTestImports []string
	Deps         []string
	Standard     bool
}

// name is the package's path within the module; the root is ".".
func (r room) name() string { return local(r.ImportPath) }

// local turns an import path of this module into a path within it, and
// returns any other import path as it is.
func local(importPath string) string {
	if importPath == module {
		return "."
	}
	if rest, ok := strings.CutPrefix(importPath, module+"/"); ok {
		return rest
	}
	return importPath
}

func rooms(t *testing.T) []room {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "go", "list", "-json=ImportPath,Doc,Imports,TestImports,XTestImports,Deps", module+"/...")
	out, err := cmd.Output()
	if err != nil {
		if exit, ok := errors.AsType[*exec.ExitError](err); ok {
			t.Fatalf("go list: %v\n%s", err, exit.Stderr)
		}
		t.Fatal(err)
	}
	var all []room
	for dec := json.NewDecoder(strings.NewReader(string(out))); ; {
		var r room
		if err := dec.Decode(&r); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatal(err)
		}
		all = append(all, r)
	}
	if len(all) < 10 {
		t.Fatalf("go list found %d packages: the test would prove nothing", len(all))
	}
	return all
}

// under says whether a package lies in a folder or is it.
func under(name, folder string) bool {
	return name == folder || strings.HasPrefix(name, folder+"/")
}

func underAny(name string, folders []string) bool {
	return slices.ContainsFunc(folders, func(f string) bool { return under(name, f) })
}

// walls are read: a package in room may import, of this module, only what
// lies in may (itself included) and nothing that lies in never.
var walls = []struct {
	room   string
	may    []string
	never  []string
	reason string
}{
	{
		room:   "bridge",
		never:  []string{"provider", "github.com/hashicorp/terraform-plugin-framework", "github.com/hashicorp/terraform-plugin-go"},
		reason: "the bridge runs without Terraform",
	},
	{
		room:   "bridge/scim",
		may:    []string{"bridge/scim", "bridge/problem", "bridge/internal"},
		reason: "SCIM knows the Directory, not the account behind it",
	},
	{
		room:   "bridge/scim/filter",
		may:    []string{"bridge/scim/filter", "bridge/scim/schema"},
		never:  []string{"net/http"},
		reason: "the grammar is pure",
	},
	{
		room:   "bridge/scim/patch",
		may:    []string{"bridge/scim/patch", "bridge/scim/filter", "bridge/scim/schema"},
		never:  []string{"net/http"},
		reason: "the operations are pure",
	},
	{
		room:   "bridge/provision",
		may:    []string{"bridge/provision", "bridge/problem", "bridge/health", "bridge/internal"},
		reason: "the rules know no HTTP and no account API",
	},
	{
		room:   "bridge/health",
		may:    []string{"bridge/health", "bridge/problem"},
		never:  []string{"net/http"},
		reason: "what is wrong is the same for /health, the page, the heartbeat and Terraform",
	},
	{
		room:   "bridge/auth",
		may:    []string{"bridge/auth", "bridge/problem", "bridge/health", "bridge/session"},
		never:  []string{"net/http"},
		reason: "which token is right depends neither on HTTP nor on the account system",
	},
	{
		room:   "bridge/server",
		may:    []string{"bridge/server", "bridge/auth", "bridge/problem", "bridge/health", "bridge/control", "bridge/session", "bridge/internal"},
		reason: "the server shows what it is told",
	},
	{
		room: "bridge/connector/account",
		may: []string{"bridge/connector/account", "bridge/problem", "bridge/health", "bridge/session",
			"bridge/account/api", "bridge/account/client", "bridge/account/signin", "bridge/internal"},
		reason: "the connector speaks to the account's API, never to its store",
	},
	{
		room:   "bridge/account",
		may:    []string{"bridge/account", "bridge/internal"},
		reason: "the account stands for any account system: it knows nothing of the bridge",
	},
	{
		room:   "bridge/datadir",
		may:    []string{"bridge/datadir"},
		never:  []string{"net/http"},
		reason: "the provider and the bridge check a folder alike",
	},
	{
		room: "bridge/account/directory",
		may:  []string{"bridge/account", "bridge/internal"},
		never: []string{"bridge/account/server", "bridge/account/web", "bridge/account/signin", "bridge/account/firewall",
			"bridge/account/ipdata"},
		reason: "people and groups know no server, no credentials and no firewall",
	},
	{
		room:   "bridge/account/firewall",
		may:    []string{"bridge/account/firewall"},
		never:  []string{"net/http", "database/sql"},
		reason: "the evaluation is pure; the provider runs it too",
	},
	{
		room:   "bridge/account/api",
		may:    []string{"bridge/account/api", "bridge/account/firewall"},
		reason: "whoever wants the client must not get the server's store with it",
	},
	{
		room:   "bridge/account/client",
		may:    []string{"bridge/account/client", "bridge/account/api", "bridge/internal/inputtext"},
		reason: "the way to the account is the connector's and the provider's alike, and knows neither",
	},
	{
		room: "provider",
		may: []string{"provider", "bridge/account/api", "bridge/account/client", "bridge/account/firewall", "bridge/account/signin",
			"bridge/session", "bridge/problem", "bridge/health", "bridge/control", "bridge/datadir"},
		reason: "the provider speaks to the account's API and to control sockets, nothing else",
	},
	{
		room:   "test/bench",
		may:    []string{"test/bench", "bridge/account"},
		reason: "the benches measure processes as they ship; only the people to begin with are written into the store",
	},
}

func TestImportsRunOneWay(t *testing.T) {
	t.Parallel()
	all := rooms(t)
	for _, wall := range walls {
		t.Run(strings.ReplaceAll(wall.room, "/", "."), func(t *testing.T) {
			t.Parallel()
			seen := false
			for _, r := range all {
				if !under(r.name(), wall.room) {
					continue
				}
				seen = true
				for _, imported := range r.Imports {
					name := local(imported)
					// bridge itself, without what lies below it, is for all below it.
					ours := imported != name && name != "bridge"
					if ours && wall.may != nil && !underAny(name, wall.may) || underAny(name, wall.never) {
						t.Errorf("%s imports %s: %s", r.name(), name, wall.reason)
					}
				}
			}
			if !seen {
				t.Errorf("no package in %s: the wall guards nothing", wall.room)
			}
		})
	}
}

// The Directory port is what a second kind of account would be written
// against; it must come with nothing.
func TestTheDirectoryPortImportsTheStandardLibraryOnly(t *testing.T) {
	t.Parallel()
	for _, r := range rooms(t) {
		if r.name() != "bridge" {
			continue
		}
		for _, imported := range r.Imports {
			if strings.Contains(strings.SplitN(imported, "/", 2)[0], ".") {
				t.Errorf("bridge imports %s", imported)
			}
		}
		return
	}
	t.Error("package bridge was not found")
}

func TestTheProviderCarriesNoDatabase(t *testing.T) {
	t.Parallel()
	for _, r := range rooms(t) {
		if r.name() != "." {
			continue
		}
		for _, dep := range r.Deps {
			if dep == "database/sql" || strings.HasPrefix(dep, "github.com/ncruces/go-sqlite3") {
				t.Errorf("the provider's binary contains %s", dep)
			}
		}
		return
	}
	t.Error("the root package was not found")
}

func TestEveryPackageSaysWhatItOwns(t *testing.T) {
	t.Parallel()
	for _, r := range rooms(t) {
		switch words := strings.Fields(r.Doc); {
		case len(words) == 0:
			t.Errorf("%s has no package comment", r.name())
		case words[0] != "Package" && words[0] != "Command":
			t.Errorf("%s: the package comment begins with %q", r.name(), words[0])
		}
	}
}

func TestNoPackageIsADrawerForEverything(t *testing.T) {
	t.Parallel()
	for _, r := range rooms(t) {
		switch path.Base(r.name()) {
		case "util", "utils", "common", "helper", "helpers", "core", "misc", "shared":
			t.Errorf("%s: name it after what it owns", r.name())
		}
	}
}

// Packages made for tests must not find their way into a binary.
func TestTestPackagesStayInTests(t *testing.T) {
	t.Parallel()
	forTests := []string{"provider/providertest", "bridge/account/api/apitest"}
	for _, r := range rooms(t) {
		for _, imported := range r.Imports {
			if underAny(local(imported), forTests) && !underAny(r.name(), forTests) {
				t.Errorf("%s imports %s outside its tests", r.name(), local(imported))
			}
		}
	}
}
