package provider_test

import (
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/terraform-plugin-testing/helper/resource"
	tfstate "github.com/hashicorp/terraform-plugin-testing/terraform"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge/certificate/certificatetest"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/session"
	"github.com/scimbridge/terraform-provider-scimbridge/provider/providertest"
)

// An authority of the account's own, and its certificate as a file.
type authority struct {
	*certificatetest.Authority
	file string
}

func newAuthority(t *testing.T, name string) authority {
	t.Helper()
	a := authority{certificatetest.New(t, name), filepath.Join(t.TempDir(), "ca.pem")}
	if err := os.WriteFile(a.file, a.PEM, 0o600); err != nil {
		t.Fatal(err)
	}
	return a
}

// secureAccount serves an account by HTTPS with a certificate of the authority.
func secureAccount(t *testing.T, by authority, template x509.Certificate) *providertest.Account {
	t.Helper()
	dir := t.TempDir()
	cert, key := by.Issue(template)
	for name, text := range map[string][]byte{"tls.crt": cert, "tls.key": key} {
		if err := os.WriteFile(filepath.Join(dir, name), text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	account := providertest.NewAccount(t, "--tls-cert-file", filepath.Join(dir, "tls.crt"), "--tls-key-file",
		filepath.Join(dir, "tls.key"))
	account.At("https" + strings.TrimPrefix(account.URL, "http"))
	return account
}

func knownBy(account *providertest.Account, ca []byte) string {
	return fmt.Sprintf(`
provider "scimbridge" {
  account_url        = %q
  account_token      = %q
  ca_certificate_pem = %q
}
`, account.URL, account.Token, ca)
}

// An account whose certificate is from an authority of its own is known by that authority's certificate, and by no
// other, to Terraform and to the bridge.
func TestAnAccountIsKnownByItsOwnAuthority(t *testing.T) {
	t.Parallel()
	own, other := newAuthority(t, "The account's own"), newAuthority(t, "Another")
	account := secureAccount(t, own, certificatetest.Loopback())
	token, err := session.NewToken()
	if err != nil {
		t.Fatal(err)
	}
	provisioning := fmt.Sprintf(`
resource "scimbridge_provisioning" "it" {
  manager_email   = "manager@example.com"
  bearer_token_wo = %q
}
`, token.Reveal())
	unknown := regexp.MustCompile(`(?s)unknown\s+authority.*set\s+ca_certificate_pem\s+in\s+the\s+provider\s+block`)
	resource.UnitTest(t, resource.TestCase{
		ProtoV6ProviderFactories: providertest.Factories(t),
		Steps: []resource.TestStep{
			{Config: account.ProviderBlock() + provisioning, ExpectError: unknown},
			{Config: knownBy(account, other.PEM) + provisioning, ExpectError: unknown},
			{Config: knownBy(account, own.PEM) + provisioning, Check: func(s *tfstate.State) error {
				sealed := s.RootModule().Resources["scimbridge_provisioning.it"].Primary.Attributes["session"]
				_, healthy := reported(t, sealed, token, own.file, "healthy")
				remedy, unhealthy := reported(t, sealed, token, other.file, "account_unreachable")
				if !healthy || !unhealthy || !strings.Contains(remedy, "--account-ca-file") {
					return fmt.Errorf("the bridge that knows the authority is healthy: %v, the other one is not: %v, "+
						"%s", healthy, unhealthy, remedy)
				}
				return nil
			}},
		},
	})
}

// reported runs a bridge that knows the account by a file of certificates until it says what is wanted, a state or a
// problem, and returns the remedy of its last problem.
func reported(t *testing.T, sealed string, token session.Token, file, want string) (remedy string, found bool) {
	t.Helper()
	bridge := providertest.NewBridge(t, sealed, "1", &token, "--account-ca-file", file)
	defer bridge.Stop()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for deadline := time.Now().Add(2 * time.Minute); time.Now().Before(deadline); <-tick.C {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, bridge.URL+"/health", http.NoBody)
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Authorization", "Bearer "+providertest.MonitoringToken)
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		var health struct {
			State    string
			Problems []struct{ Code, Remedy string }
		}
		err = errors.Join(json.NewDecoder(resp.Body).Decode(&health), resp.Body.Close())
		if err != nil {
			t.Fatal(err)
		}
		found = health.State == want
		for _, p := range health.Problems {
			remedy = p.Remedy
			found = found || p.Code == want
		}
		if found {
			return remedy, true
		}
	}
	return remedy, false
}

// What keeps Terraform from trusting the account is told apart, since each has another remedy.
func TestACertificateThatIsNotTrustedIsExplained(t *testing.T) {
	t.Parallel()
	plain := httptest.NewServer(http.NotFoundHandler())
	t.Cleanup(plain.Close)
	own := newAuthority(t, "The account's own")
	expired := certificatetest.Loopback()
	expired.NotBefore, expired.NotAfter = time.Now().AddDate(0, 0, -2), time.Now().AddDate(0, 0, -1)
	elsewhere := x509.Certificate{DNSNames: []string{"account.example.com"}}
	for _, row := range []struct{ name, block, want string }{
		{"it has expired", knownBy(secureAccount(t, own, expired), own.PEM),
			`has\s+expired\s+or\s+is\s+not\s+valid\s+yet`},
		{"it is for another name", knownBy(secureAccount(t, own, elsewhere), own.PEM),
			`for\s+another\s+name:\s+write\s+that\s+name\s+in\s+account_url`},
		{"there is none", knownBy(&providertest.Account{
			URL: "https" + strings.TrimPrefix(plain.URL, "http"), Token: "t",
		}, own.PEM), `does\s+not\s+speak\s+HTTPS\s+there`},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			resource.UnitTest(t, resource.TestCase{
				ProtoV6ProviderFactories: providertest.Factories(t),
				Steps: []resource.TestStep{{
					Config: row.block + domain, ExpectError: regexp.MustCompile("(?s)" + row.want),
				}},
			})
		})
	}
}
