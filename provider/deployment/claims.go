package deployment

import (
	"fmt"
	"net"
	"net/netip"
	"path/filepath"
	"strings"
	"sync"

	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/path"

	"github.com/scimbridge/terraform-provider-scimbridge/provider/deploy/process"
)

// claims are the places that the deployments of one run want, by the mark of
// the resource (client.OwnerOf). The zero value is ready.
type claims struct {
	mu     sync.Mutex
	byMark map[string]claim
	// managed are the folders of deployments that were read in this run.
	managed map[string]bool
	// applying is set by the first apply of the run.
	applying bool
}

type claim struct {
	name   string // for people
	folder string // with links resolved as far as they exist
	listen string
}

// claimOf is what a deployment wants.
func claimOf(name string, t *process.Target) claim {
	return claim{name: name, folder: resolved(t.DataDir), listen: t.Listen}
}

// resolved follows links in the part of a path that exists.
func resolved(folder string) string {
	for rest, at := "", folder; ; rest, at = filepath.Join(filepath.Base(at), rest), filepath.Dir(at) {
		if existing, err := filepath.EvalSymlinks(at); err == nil {
			return filepath.Join(existing, rest)
		}
		if at == filepath.Dir(at) {
			return folder
		}
	}
}

// add notes what a deployment wants, and finds another that wants the same.
func (c *claims) add(mark string, wanted claim, diags *diag.Diagnostics) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.byMark == nil {
		c.byMark = map[string]claim{}
	}
	for by, other := range c.byMark {
		switch {
		case by == mark:
		case other.folder == wanted.folder:
			diags.AddAttributeError(path.Root("process").AtName("data_dir"), "Two deployments in one folder", fmt.Sprintf(
				"The deployments %q and %q both have the data_dir %s. Give each a folder of its own.", other.name, wanted.name, wanted.folder))
		case sameListener(other.listen, wanted.listen):
			diags.AddAttributeError(path.Root("process").AtName("listen"), "Two deployments at one address", fmt.Sprintf(
				"The deployment %q listens on %s and the deployment %q on %s: only one of them could start. Give each a port of its own.",
				other.name, other.listen, wanted.name, wanted.listen))
		}
	}
	c.byMark[mark] = wanted
}

// manage notes that the state has a deployment in a folder.
func (c *claims) manage(dataDir string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.managed == nil {
		c.managed = map[string]bool{}
	}
	c.managed[resolved(dataDir)] = true
}

// isManaged reports whether the state has a deployment in the target's folder, as far as this run has read it.
func (c *claims) isManaged(t *process.Target) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.managed[resolved(t.DataDir)]
}

// apply notes that the run is past its plan.
func (c *claims) apply() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.applying = true
}

// isApplying reports whether something was applied in this run.
func (c *claims) isApplying() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.applying
}

// sameListener reports whether two addresses cannot both be listened on.
func sameListener(a, b string) bool {
	hostA, portA, errA := net.SplitHostPort(a)
	hostB, portB, errB := net.SplitHostPort(b)
	if errA != nil || errB != nil || strings.TrimLeft(portA, "0") != strings.TrimLeft(portB, "0") || strings.Trim(portA, "0") == "" {
		return false // of another port; or the system chooses one
	}
	return isWildcard(hostA) || isWildcard(hostB) || plainHost(hostA) == plainHost(hostB)
}

func isWildcard(host string) bool {
	ip, err := netip.ParseAddr(host)
	return host == "" || err == nil && ip.IsUnspecified()
}

// plainHost spells an address in one way.
func plainHost(host string) string {
	if strings.EqualFold(host, "localhost") {
		return "127.0.0.1" // what Go binds for it, where it has a choice
	}
	if ip, err := netip.ParseAddr(host); err == nil {
		return ip.Unmap().String()
	}
	return strings.ToLower(host)
}
