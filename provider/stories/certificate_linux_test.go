package stories

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge/certificate/certificatetest"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/problem"
	"github.com/scimbridge/terraform-provider-scimbridge/provider/providertest"
)

// A deployment with settings.tls_domain gets its certificate by ACME. While the authority is away, the deployment is
// made all the same, with a problem, and nothing is left to apply; the certificate follows when the authority is back.
func TestADeploymentGetsACertificateByACME(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	_, port, err := net.SplitHostPort(w.listen)
	if err != nil {
		t.Fatal(err)
	}
	tlsPort, err := strconv.Atoi(port)
	if err != nil {
		t.Fatal(err)
	}
	authority := certificatetest.NewPebble(t, 90*24*time.Hour, tlsPort, 1)
	authority.Up()
	// A deployment knows no authority but Let's Encrypt, so the program is told of another one by its environment.
	program, bridge := filepath.Join(t.TempDir(), "scim-bridge"), providertest.Binary(t)
	script := fmt.Appendf(nil, "#!/bin/sh\nexport SCIMBRIDGE_ACME_DIRECTORY=%s SCIMBRIDGE_ACME_CA_FILE=%s\n"+
		"exec %s \"$@\"\n", authority.Directory(), authority.CAFile, bridge)
	if err := os.WriteFile(program, script, 0o700); err != nil {
		t.Fatal(err)
	}
	configure := func(domain string) {
		hcl := w.base(fmt.Sprintf("    tls_domain = %q\n    acme_email = \"ops@example.com\"", domain))
		w.config(strings.Replace(hcl, "    data_dir =", fmt.Sprintf("    binary   = %q\n    data_dir =", program), 1))
	}
	wantNoChanges := func() {
		t.Helper()
		if p := w.plan(nil); len(p.changes) > 0 {
			t.Errorf("the next plan changes %v:\n%s", p.changes, p.text)
		}
	}
	hasNone := func() bool {
		return slices.ContainsFunc(w.bridge().Problems, func(p problem.Problem) bool {
			return p.Code == problem.CertificateInvalid
		})
	}
	issued := func(domain string) {
		t.Helper()
		w.eventually("the certificate of "+domain, func() (bool, string) {
			return authority.Issued(w.listen, domain) && !hasNone(), fmt.Sprintf("%+v", w.bridge().Problems)
		})
		wantNoChanges()
	}

	configure("scim.example.com")
	w.apply(vars{"token": newToken(t).Reveal()})
	issued("scim.example.com")

	authority.Down()
	configure("other.example.com")
	w.apply(vars{"token": w.token})
	w.eventually("the problem of a certificate without its authority", func() (bool, string) {
		return hasNone(), fmt.Sprintf("%+v", w.bridge().Problems)
	})
	wantNoChanges()

	authority.Up()
	if out, err := exec.CommandContext(t.Context(), bridge, "reload", w.dataDir).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	issued("other.example.com")
}
