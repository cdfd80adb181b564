package archtest

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"sync"
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
	all, err := list()
	if err != nil {
		t.Fatal(err)
	}
	if len(all) < 10 {
		t.Fatalf("go list found %d packages: the test would prove nothing", len(all))
	}
	return all
}

// list asks the go command, which takes a second, once.
var list = sync.OnceValues(func() (all []room, err error) {
	if err := noteSources("../../.."); err != nil {
		return nil, err
	}
	cmd := exec.CommandContext(context.Background(), "go", "list",
		"-json=ImportPath,Doc,Imports,TestImports,XTestImports,Deps", module+"/...")
	out, err := cmd.Output()
	if exit, ok := errors.AsType[*exec.ExitError](err); ok {
		return nil, fmt.Errorf("go list: %w\n%s", err, exit.Stderr)
	} else if err != nil {
		return nil, err
	}
	for dec := json.NewDecoder(bytes.NewReader(out)); ; {
		var r room
		if err := dec.Decode(&r); errors.Is(err, io.EOF) {
			return all, nil
		} else if err != nil {
			return nil, err
		}
		all = append(all, r)
	}
})

// noteSources looks at every Go file below root: the test cache sees what a test
// looks at itself, and else would keep a result that another file has overthrown.
func noteSources(root string) error {
	return filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && strings.HasPrefix(d.Name(), ".") && d.Name() != "..":
			return fs.SkipDir
		case strings.HasSuffix(path, ".go"):
			_, err = os.Stat(path)
		}
		return err
	})
}

// A wall says what a room may import of this module, beside its own packages.
// A package belongs to the room with the longest path that it lies in.
type wall struct {
	room string
	// alone is set for a room that is one package: folders below it are rooms
	// of their own.
	alone bool
	may   []string // rooms, or single packages of them
	tests []string // what its tests may import beside those
	never []string // packages of any module
	why   string
}

// walls are in the order of the floors: a room may import rooms that stand
// before it, and no other, so that no arrow goes upward and none in a circle.
// Tests may also look upward, where a wall says so.
var walls = []wall{
	// The ground: words, arithmetic, files.
	{
		room: "bridge/internal/archtest", tests: []string{"bridge/account/api", "bridge/problem"},
		why: "the walls know what they hold by its name alone",
	},
	{
		room: "bridge/internal",
		why:  "what all packages import imports nothing",
	},
	{
		room: "test/ports",
		why:  "tests of every floor start programs",
	},
	{
		room: "bridge", alone: true,
		why: "the Directory port is what a second kind of account would be written against; it comes with nothing",
	},
	{
		room: "bridge/build",
		why:  "both programs say their version by it, and carry nothing else of each other",
	},
	{
		room: "bridge/datadir", never: []string{"net/http"},
		why: "the provider and the bridge check a folder alike",
	},
	{
		room: "bridge/problem", may: []string{"bridge/internal"}, never: []string{"net/http"},
		why: "the catalogue says the same to page, command line, Terraform and guide",
	},
	{
		room: "bridge/journal", may: []string{"bridge/internal"},
		why: "what happened is written down and shown by others, and the journal knows none of them",
	},
	{
		room: "bridge/explain", may: []string{"bridge", "bridge/internal", "bridge/journal", "bridge/problem"},
		why: "what is known of a person is explained alike on the page and the command line, whatever the account",
	},
	{
		room: "bridge/health", may: []string{"bridge/problem"}, never: []string{"net/http"},
		why: "what is wrong is the same for /health, the page, the heartbeat and Terraform",
	},
	{
		room: "bridge/bundle", may: []string{"bridge", "bridge/internal", "bridge/journal", "bridge/problem"},
		never: []string{"net/http"},
		why:   "what may leave the house is decided in one place, which knows neither page nor command line",
	},
	{
		room: "bridge/certificate/certificatetest", may: []string{"test/ports"},
		why: "the tests of all programs have certificates of it",
	},
	{
		room: "bridge/certificate", may: []string{"bridge/health", "bridge/internal", "bridge/problem"},
		tests: []string{"bridge/certificate/certificatetest"},
		why:   "both servers show a certificate, and it knows neither",
	},

	// The account, and what its clients need.
	{
		room: "bridge/account/firewall", never: []string{"net/http", "database/sql"},
		why: "the evaluation is pure; the provider runs it too",
	},
	{
		room: "bridge/account/api", may: []string{"bridge", "bridge/account/firewall"},
		why: "a program that wants the client must not get the server's store with it",
	},
	{
		room: "bridge/account/signin", may: []string{"bridge/internal"}, never: []string{"net/http", "database/sql"},
		why: "the arithmetic of both sides is pure",
	},
	{
		room: "bridge/account/suspension", never: []string{"net/http", "database/sql"},
		why: "the account enforces the limit whose text the provider checks",
	},
	{
		room: "bridge/account/audit", never: []string{"net/http", "database/sql"},
		why: "an export is verified without an account",
	},
	{
		room: "bridge/account/client",
		may:  []string{"bridge/account/api", "bridge/account/signin", "bridge/internal/inputtext"},
		why:  "the way to the account is the connector's and the provider's alike, and knows neither",
	},
	{
		room: "bridge/account/ipdata", may: []string{"bridge/account/firewall"}, never: []string{"net/http"},
		why: "the files answer the firewall, and know no rule",
	},
	{
		room:  "bridge/account/store",
		may:   []string{"bridge", "bridge/account/audit", "bridge/internal/durable", "bridge/internal/inputtext"},
		never: []string{"net/http"},
		tests: []string{"test/postgres"},
		why:   "the rows know no rule of the account",
	},
	{
		room: "bridge/account",
		may: []string{"bridge/account/api", "bridge/account/audit", "bridge/account/firewall", "bridge/account/ipdata",
			"bridge/account/signin", "bridge/account/store", "bridge/account/suspension", "bridge/internal"},
		why: "the account stands for any account system: it knows nothing of the bridge",
	},
	{
		room: "bridge/account/directory",
		may: []string{"bridge", "bridge/account", "bridge/account/api", "bridge/account/store",
			"bridge/account/suspension", "bridge/internal"},
		tests: []string{"test/postgres"},
		why:   "people and groups know no server, no credentials and no firewall",
	},
	{
		room: "bridge/account/smtp", may: []string{"bridge/internal"},
		tests: []string{"bridge/certificate/certificatetest"}, never: []string{"net/http", "net/smtp"},
		why: "the way to the mail server knows no account",
	},
	{
		room:  "bridge/account/delivery",
		may:   []string{"bridge/account", "bridge/account/smtp", "bridge/account/store"},
		tests: []string{"bridge/account/directory", "bridge/internal"},
		why:   "mails are sent beside the requests, which only queue them",
	},
	{
		room: "bridge/account/web", may: []string{"bridge/account", "bridge/account/directory", "bridge/internal"},
		why: "the pages ask the account",
	},
	{
		room: "bridge/account/server",
		may: []string{"bridge/account", "bridge/account/api", "bridge/account/directory", "bridge/account/firewall",
			"bridge/account/signin", "bridge/account/web", "bridge/internal"},
		tests: []string{"bridge", "bridge/account/client", "bridge/account/ipdata", "bridge/account/store"},
		why:   "the handlers ask the account, never its store",
	},

	// The bridge.
	{
		room: "bridge/session", may: []string{"bridge/account/signin", "bridge/internal"}, never: []string{"net/http"},
		why: "the provider seals what the bridge opens",
	},
	{
		room: "bridge/auth", may: []string{"bridge/health", "bridge/problem", "bridge/session"},
		tests: []string{"bridge/account/signin", "bridge/internal"}, never: []string{"net/http"},
		why: "which token is right depends neither on HTTP nor on the account system",
	},
	{
		room: "bridge/control", may: []string{"bridge", "bridge/datadir", "bridge/explain", "bridge/health",
			"bridge/journal", "bridge/problem"},
		why: "the bridge and the provider speak it, and neither may import the other",
	},
	{
		room: "bridge/scim/schema", never: []string{"net/http"},
		why: "the attributes are data",
	},
	{
		room: "bridge/scim/filter", may: []string{"bridge", "bridge/scim/schema"}, never: []string{"net/http"},
		why: "the grammar is pure",
	},
	{
		room: "bridge/scim/patch", may: []string{"bridge", "bridge/scim/filter", "bridge/scim/schema"},
		never: []string{"net/http"},
		why:   "the operations are pure",
	},
	{
		room: "bridge/simulate",
		why:  "an identity provider knows nothing of the bridge but its address",
	},
	{
		room: "bridge/scim",
		may: []string{"bridge", "bridge/internal", "bridge/journal", "bridge/scim/filter", "bridge/scim/patch",
			"bridge/scim/schema"},
		tests: []string{"bridge/simulate"},
		why:   "SCIM knows the Directory, not the account behind it",
	},
	{
		room: "bridge/provision", may: []string{"bridge", "bridge/health", "bridge/internal", "bridge/problem"},
		never: []string{"net/http"},
		why:   "the rules know no HTTP and no account API",
	},
	{
		room: "bridge/connector/account",
		may: []string{"bridge", "bridge/account/api", "bridge/account/client", "bridge/account/signin", "bridge/health",
			"bridge/internal", "bridge/problem", "bridge/session"},
		tests: []string{"bridge/account", "bridge/account/server", "bridge/account/store"},
		why:   "the connector speaks to the account's API, never to its store",
	},
	{
		room: "bridge/connector/local",
		may: []string{"bridge", "bridge/account", "bridge/account/directory", "bridge/account/server",
			"bridge/connector/account", "bridge/internal"},
		tests: []string{"bridge/account/api", "bridge/account/client", "bridge/account/signin", "bridge/account/store",
			"bridge/health", "bridge/session"},
		why: "it stands between a bridge and the account in its process, and is the only one that knows both",
	},
	{
		room: "bridge/connector/scim",
		may:  []string{"bridge", "bridge/internal", "bridge/scim/filter", "bridge/scim/schema"},
		tests: []string{"bridge/account", "bridge/account/api", "bridge/account/client", "bridge/account/server",
			"bridge/account/signin", "bridge/account/store", "bridge/connector/account", "bridge/health", "bridge/scim",
			"bridge/scim/patch", "bridge/session", "bridge/simulate"},
		why: "any SCIM server can stand there: the connector knows SCIM as data, and no account",
	},
	{
		room: "bridge/guard",
		may: []string{"bridge", "bridge/account/suspension", "bridge/health", "bridge/internal", "bridge/problem",
			"bridge/scim/filter", "bridge/scim/schema"},
		never: []string{"net/http"},
		why:   "what is held before a Directory depends neither on what that is nor on HTTP",
	},
	{
		room: "bridge/connector/front",
		may: []string{"bridge", "bridge/connector/scim", "bridge/health", "bridge/internal", "bridge/problem",
			"bridge/session"},
		why: "it knows the SCIM server's credentials and health, not the accounts beside it",
	},
	{
		room: "bridge/server/page",
		may: []string{"bridge", "bridge/auth", "bridge/bundle", "bridge/control", "bridge/explain", "bridge/health",
			"bridge/internal", "bridge/journal", "bridge/problem", "bridge/session"},
		why: "the page is one of the server's parts, and knows neither the others nor what it shows",
	},
	{
		room: "bridge/server",
		may: []string{"bridge", "bridge/auth", "bridge/bundle", "bridge/control", "bridge/explain", "bridge/health",
			"bridge/internal", "bridge/journal", "bridge/problem", "bridge/server/page", "bridge/session"},
		why: "the server shows what it is told",
	},
	{
		room: "bridge/cmd",
		may: []string{"bridge", "bridge/account", "bridge/account/api", "bridge/account/audit", "bridge/account/client",
			"bridge/account/delivery", "bridge/account/directory", "bridge/account/firewall", "bridge/account/ipdata",
			"bridge/account/server",
			"bridge/account/signin", "bridge/account/smtp",
			"bridge/account/store", "bridge/account/suspension", "bridge/auth", "bridge/build", "bridge/bundle",
			"bridge/certificate",
			"bridge/connector/account", "bridge/connector/front", "bridge/connector/local",
			"bridge/control", "bridge/datadir", "bridge/explain", "bridge/guard",
			"bridge/health", "bridge/internal", "bridge/journal", "bridge/problem", "bridge/provision", "bridge/scim",
			"bridge/server", "bridge/server/page", "bridge/session", "bridge/simulate"},
		tests: []string{"bridge/certificate/certificatetest", "test/ports", "test/postgres"},
		why:   "the doorway wires everything of the bridge",
	},

	// The provider, which never reaches into the bridge but for what both say.
	{
		room: "provider/address",
		why:  "addresses are read from the configuration alone",
	},
	{
		room: "provider/attr", may: []string{"bridge/account/firewall"},
		why: "the attribute types know no resource",
	},
	{
		room: "provider/client", may: []string{"bridge/account/api", "bridge/account/client", "bridge/problem"},
		why: "the way to the account knows no resource",
	},
	{
		room: "provider/identity", may: []string{"provider/client"},
		why: "every resource has an identity",
	},
	{
		room: "provider/source", may: []string{"provider/client"},
		why: "the head of a data source knows no noun",
	},
	{
		room:  "provider/deploy/docker/engine",
		never: []string{"github.com/hashicorp/terraform-plugin-framework", "github.com/hashicorp/terraform-plugin-go"},
		why:   "the way to a container engine knows no deployment",
	},
	{
		room:  "provider/deploy/kubernetes/cluster",
		never: []string{"github.com/hashicorp/terraform-plugin-framework", "github.com/hashicorp/terraform-plugin-go"},
		why:   "the way to a cluster knows no deployment",
	},
	{
		room: "provider/deploy",
		may: []string{"bridge/build", "bridge/control", "bridge/datadir", "bridge/journal", "bridge/problem",
			"bridge/session", "provider/deploy/docker/engine", "provider/deploy/kubernetes/cluster"},
		tests: []string{"bridge/account/signin", "provider/providertest"},
		never: []string{"github.com/hashicorp/terraform-plugin-framework", "github.com/hashicorp/terraform-plugin-go"},
		why:   "what a deployment is, is free of Terraform's types",
	},
	{
		room:  "provider/functions",
		may:   []string{"bridge/account/firewall", "bridge/problem", "bridge/session"},
		tests: []string{"bridge/account/signin", "provider/providertest"},
		why:   "a function calls no service",
	},
	{
		room: "provider/provisioning",
		may: []string{"bridge/account/api", "bridge/account/client", "bridge/account/signin",
			"bridge/account/suspension", "bridge/session", "provider/client", "provider/identity"},
		tests: []string{"provider/providertest"},
		why:   nounsAlone,
	},
	{
		room: "provider/deployment",
		may: []string{"bridge/account/api", "bridge/account/firewall", "bridge/account/suspension", "bridge/session",
			"provider/client", "provider/deploy", "provider/deploy/docker/engine",
			"provider/deploy/kubernetes/cluster", "provider/identity"},
		tests: []string{"bridge/control", "provider", "provider/providertest"},
		why:   nounsAlone,
	},
	{
		room:  "provider/directory",
		may:   []string{"bridge/session", "provider/client", "provider/identity"},
		tests: []string{"provider/providertest"},
		why:   nounsAlone,
	},
	{
		room: "provider/firewall",
		may: []string{"bridge/account/api", "bridge/account/firewall", "provider/address",
			"provider/attr", "provider/client", "provider/identity", "provider/source"},
		tests: []string{"bridge/account/ipdata", "bridge/session", "provider/providertest"},
		why:   nounsAlone,
	},
	{
		room: "provider/signup",
		may: []string{"bridge/account/api", "provider/address", "provider/attr", "provider/client", "provider/identity",
			"provider/source"},
		tests: []string{"provider/providertest"},
		why:   nounsAlone,
	},
	{
		room: "provider/people", may: []string{"bridge/account/api", "provider/client", "provider/source"},
		tests: []string{"provider/providertest"},
		why:   nounsAlone,
	},
	{
		room: "provider/rollout",
		may: []string{"bridge/account/api", "bridge/problem", "provider/client", "provider/deploy",
			"provider/identity"},
		tests: []string{"bridge/session", "provider/providertest"},
		why:   nounsAlone,
	},
	{
		room:  "provider/status",
		may:   []string{"bridge/account/api", "bridge/health", "bridge/problem", "provider/client", "provider/source"},
		tests: []string{"bridge/session", "provider/providertest"},
		why:   nounsAlone,
	},
	{
		room: "provider", alone: true,
		may: []string{"bridge/account/signin", "bridge/build", "provider/client",
			"provider/deploy/docker/engine", "provider/deploy/kubernetes/cluster", "provider/deployment",
			"provider/directory", "provider/firewall", "provider/functions",
			"provider/people", "provider/provisioning", "provider/rollout", "provider/signup", "provider/status"},
		tests: []string{"bridge/account/api", "bridge/certificate/certificatetest", "bridge/session",
			"provider/providertest"},
		why: "the provider lists its parts",
	},
	{
		room: "provider/providertest",
		may: []string{"bridge/account/api", "bridge/account/client", "bridge/account/signin",
			"bridge/session", "provider", "test/ports"},
		why: "the acceptance tests drive the provider whole",
	},
	{
		room: "provider/internal/docs", may: []string{"bridge/problem", "provider"},
		why: "the documentation is made of the provider's own schema",
	},
	{
		room: "provider/stories",
		tests: []string{"bridge/account/api", "bridge/account/ipdata", "bridge/certificate/certificatetest",
			"bridge/control", "bridge/problem", "bridge/session", "bridge/simulate", "provider/providertest",
			"test/browser", "test/ports"},
		why: "a story is played from outside",
	},

	// Beside the two programs.
	{
		room: ".", alone: true, may: []string{"bridge/build", "provider"},
		why: "main serves the provider",
	},
	{
		room: "test/postgres",
		why:  "tests of every floor run database servers",
	},
	{
		room: "test/bench",
		may: []string{
			"bridge/account", "bridge/account/directory", "bridge/account/store", "provider/deploy", "test/postgres",
		},
		why: "the benches measure processes as they ship; only the people to begin with are written into the store",
	},
	{
		room: "test/repository",
		why:  "the workflows know the code by make and .ci/run alone",
	},
	{
		room: "test/install", tests: []string{"provider/providertest"},
		why: "a release is tested as it is installed: by its archives",
	},
	{
		room: "test/certificates",
		why:  "whoever has an account to reach puts it behind HTTPS",
	},
	{
		room: "test/browser",
		why:  "a browser knows no page",
	},
	{
		room: "test/dockerd",
		why:  "an engine knows nothing of what it runs",
	},
	{
		room: "test/engines", tests: []string{"bridge/control", "bridge/session", "provider/deploy",
			"provider/deploy/docker",
			"provider/deploy/docker/engine", "provider/providertest", "test/dockerd"},
		why: "the image is tried from outside, by an engine and by what the guide prints",
	},
	{
		room: "test/kubernetes", may: []string{"test/certificates"},
		tests: []string{
			"bridge/session", "provider/deploy/kubernetes", "provider/deploy/kubernetes/cluster",
			"provider/providertest",
		},
		why: "a cluster knows the product as an image, and the target is tried by Terraform",
	},
	{
		room: "test/packages",
		why:  "a package is tested as it is installed: by its files and the commands of its guide",
	},
	{
		room: "examples", may: []string{"bridge/account/api", "bridge/account/client"},
		tests: []string{
			"bridge/session", "provider/providertest", "test/certificates", "test/dockerd", "test/kubernetes",
		},
		why: "an example stands on what users have",
	},
}

const nounsAlone = "a Terraform noun knows the account's API and no other noun"

// holds reports whether a package lies in the room.
func (w wall) holds(name string) bool {
	return name == w.room || !w.alone && strings.HasPrefix(name, w.room+"/")
}

// roomOf returns the room of a package of this module.
func roomOf(name string) (room string, found bool) {
	for _, w := range walls {
		if w.holds(name) && (!found || len(w.room) > len(room)) {
			room, found = w.room, true
		}
	}
	return room, found
}

func TestEveryPackageLiesBehindAWall(t *testing.T) {
	t.Parallel()
	held := map[string]bool{}
	for _, r := range rooms(t) {
		room, found := roomOf(r.name())
		if !found {
			t.Errorf("%s has no wall: add the room to the table, below what it imports", r.name())
		}
		held[room] = true
	}
	for _, w := range walls {
		if !held[w.room] {
			t.Errorf("no package in %s: the wall guards nothing", w.room)
		}
	}
}

func TestImportsRunOneWay(t *testing.T) {
	t.Parallel()
	all := rooms(t)
	for _, w := range walls {
		t.Run(strings.ReplaceAll(w.room, "/", "."), func(t *testing.T) {
			t.Parallel()
			for _, r := range all {
				if room, _ := roomOf(r.name()); room == w.room {
					w.check(t, r.name(), r.Imports, w.may)
					w.check(t, r.name()+" (tests)", slices.Concat(r.TestImports, r.XTestImports),
						slices.Concat(w.may, w.tests))
					w.checkNever(t, r)
				}
			}
		})
	}
}

func (w wall) check(t *testing.T, name string, imports, may []string) {
	t.Helper()
	for _, imported := range imports {
		if local(imported) == imported {
			continue // of another module
		}
		room, _ := roomOf(local(imported))
		if room != w.room && !slices.Contains(may, room) && !slices.Contains(may, local(imported)) {
			t.Errorf("%s imports %s: %s", name, local(imported), w.why)
		}
	}
}

// checkNever holds the code to what it must not import, and all of the bridge,
// its tests too, to run without Terraform.
func (w wall) checkNever(t *testing.T, r room) {
	t.Helper()
	never := func(name string, imports, packages []string) {
		for _, imported := range imports {
			if slices.ContainsFunc(packages, func(p string) bool { return under(local(imported), p) }) {
				t.Errorf("%s imports %s: %s", name, local(imported), w.why)
			}
		}
	}
	never(r.name(), r.Imports, w.never)
	if under(r.name(), "bridge") {
		all := slices.Concat(r.Imports, r.TestImports, r.XTestImports)
		never(r.name(), all, []string{"provider", "github.com/hashicorp/terraform-plugin-framework",
			"github.com/hashicorp/terraform-plugin-go", "github.com/hashicorp/terraform-plugin-testing"})
	}
}

// under reports whether a package lies in a folder or is it.
func under(name, folder string) bool {
	return name == folder || strings.HasPrefix(name, folder+"/")
}

// The table itself must run one way: else two rooms could each allow the other.
func TestNoArrowGoesUpward(t *testing.T) {
	t.Parallel()
	floor := map[string]int{}
	for i, w := range walls {
		if _, twice := floor[w.room]; twice {
			t.Errorf("%s has two walls", w.room)
		}
		floor[w.room] = i
	}
	for i, w := range walls {
		for _, name := range w.may {
			if room, found := roomOf(name); !found || floor[room] >= i {
				t.Errorf("%s may import %s, which stands above it or nowhere", w.room, name)
			}
		}
		for _, name := range w.tests {
			if _, found := roomOf(name); !found {
				t.Errorf("the tests of %s may import %s, which is nowhere", w.room, name)
			}
		}
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

// Packages made for tests, which are named so, must not find their way into a binary.
func TestTestPackagesStayInTests(t *testing.T) {
	t.Parallel()
	for _, r := range rooms(t) {
		for _, imported := range r.Imports {
			name := local(imported)
			if name != imported && strings.HasSuffix(name, "test") && !strings.HasSuffix(r.name(), "test") {
				t.Errorf("%s imports %s outside its tests", r.name(), name)
			}
		}
	}
}
