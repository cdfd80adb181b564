//go:build unix

package main

import (
	"bytes"
	"context"
	"errors"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account/api"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account/client"
	"github.com/scimbridge/terraform-provider-scimbridge/provider/providertest"
)

func TestMain(m *testing.M) {
	os.Exit(providertest.Run(m))
}

func TestDemoRunsTwiceAndLeavesNothing(t *testing.T) {
	t.Setenv("PATH", providertest.Path(t))
	root, err := repository()
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	d := &demo{root: root, bin: providertest.Installation(t), dir: filepath.Join(t.TempDir(), ".demo"), out: &out}
	t.Cleanup(func() {
		if err := d.down(context.Background()); err != nil {
			t.Errorf("down: %v", err)
		}
	})
	// The usual ports may belong to a running demo.
	if err := os.MkdirAll(d.dir, 0o700); err != nil {
		t.Fatal(err)
	}
	d.ports = ports{Account: providertest.FreeAddress(t), Bridge: providertest.FreeAddress(t)}
	if err := d.savePorts(); err != nil {
		t.Fatal(err)
	}

	if err := d.up(t.Context()); err != nil {
		t.Fatal(err)
	}
	first := out.String()
	for _, want := range []string{
		"5 added", "answers right, 0 wrong", "@example.com", "All Staff (simulated-okta, example.org)",
		"make demo-down", "sbt1_",
	} {
		if !strings.Contains(first, want) {
			t.Errorf("the output lacks %q:\n%s", want, first)
		}
	}
	// The companies do what companies do: nothing of it is more than the account lets pass.
	if held := d.holds(t); held.Suspensions+held.Removals > 0 {
		t.Errorf("%+v are held", held)
	}
	page := regexp.MustCompile(`http://\S+/app`).FindString(first)
	if page == "" || !answers(t.Context(), page) {
		t.Errorf("the status page %q does not answer", page)
	}

	out.Reset()
	if err := d.up(t.Context()); err != nil {
		t.Fatal(err)
	}
	if second := out.String(); !strings.Contains(second, "0 added, 0 changed, 0 destroyed") ||
		arrivals(second) != arrivals(first) {
		t.Errorf("the second run shows something else:\n%s", second)
	}

	if err := d.down(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(d.dir); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("%s is still there (%v)", d.dir, err)
	}
	for _, address := range []string{d.ports.Account, d.ports.Bridge} {
		if answers(t.Context(), "http://"+address+"/ping") {
			t.Errorf("a process still answers at %s", address)
		}
	}
}

// holds counts what the account holds.
func (d *demo) holds(t *testing.T) api.HoldCount {
	t.Helper()
	admin, err := d.admin()
	if err != nil {
		t.Fatal(err)
	}
	page, err := client.Call[api.HoldPage](admin.ListHolds(t.Context(), nil))
	if err != nil {
		t.Fatal(err)
	}
	return page.Count
}

// arrivals returns the part of the output that shows people and groups.
func arrivals(output string) string {
	_, after, _ := strings.Cut(output, "PEOPLE")
	before, _, _ := strings.Cut(after, "Status page")
	return before
}

func TestDemoSaysInOneLineThatTerraformIsMissing(t *testing.T) {
	t.Setenv("PATH", t.TempDir())
	d := &demo{dir: filepath.Join(t.TempDir(), ".demo"), out: &bytes.Buffer{}}
	err := d.up(t.Context())
	if err == nil || !strings.Contains(err.Error(), "terraform") || strings.Contains(err.Error(), "\n") {
		t.Errorf("got %v", err)
	}
	if _, err := os.Stat(d.dir); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("%s was made all the same (%v)", d.dir, err)
	}
}

// The ports of the first run are kept; another program may have taken one.
func TestDemoSaysWhoHasItsPort(t *testing.T) {
	t.Parallel()
	taken, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { taken.Close() })
	d := &demo{bin: providertest.Installation(t), dir: filepath.Join(t.TempDir(), ".demo"), out: &bytes.Buffer{},
		ports: ports{Account: taken.Addr().String()}}
	if err := os.MkdirAll(d.dir, 0o700); err != nil {
		t.Fatal(err)
	}
	err = d.account(t.Context())
	if err == nil || strings.Contains(err.Error(), "\n") {
		t.Fatalf("got %v", err)
	}
	for _, want := range []string{taken.Addr().String(), "address already in use",
		"run it again", ".demo/account.log"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%q lacks %q", err, want)
		}
	}
}
