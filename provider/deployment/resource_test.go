//go:build unix

package deployment_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/hashicorp/terraform-plugin-testing/helper/resource"
	"github.com/hashicorp/terraform-plugin-testing/knownvalue"
	"github.com/hashicorp/terraform-plugin-testing/plancheck"
	"github.com/hashicorp/terraform-plugin-testing/statecheck"
	"github.com/hashicorp/terraform-plugin-testing/terraform"
	"github.com/hashicorp/terraform-plugin-testing/tfjsonpath"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge/control"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/session"
	"github.com/scimbridge/terraform-provider-scimbridge/provider/providertest"
)

func TestMain(m *testing.M) {
	os.Exit(providertest.Run(m))
}

const address = "scimbridge_deployment.it"

// A scene is an account and a place for one bridge.
type scene struct {
	*testing.T
	account *providertest.Account
	token   session.Token
	dataDir string
	listen  string
}

func newScene(t *testing.T) *scene {
	t.Helper()
	return &scene{
		T: t, account: providertest.NewAccount(t), token: newToken(t),
		dataDir: filepath.Join(t.TempDir(), "bridge"), listen: providertest.FreeAddress(t),
	}
}

func newToken(t *testing.T) session.Token {
	t.Helper()
	token, err := session.NewToken()
	if err != nil {
		t.Fatal(err)
	}
	return token
}

// config is an integration and a deployment; more is added to the latter.
func (s *scene) config(more string) string {
	return s.account.ProviderBlock() + fmt.Sprintf(`
resource "scimbridge_provisioning" "it" {
  manager_email   = "manager@example.com"
  bearer_token_wo = %[1]q
}
resource "scimbridge_deployment" "it" {
  name            = "test"
  session         = scimbridge_provisioning.it.session
  unseal_token_wo = %[1]q
  process         = { listen = %[2]q, data_dir = %[3]q, binary = %[4]q }
  %[5]s
}
`, s.token.Reveal(), s.listen, s.dataDir, providertest.Binary(s), more)
}

func (s *scene) bridge() control.Status {
	s.Helper()
	status, err := control.Dial(filepath.Join(s.dataDir, control.SocketName)).Status(context.Background())
	if err != nil {
		s.Fatal(err)
	}
	return status
}

func (s *scene) kill() {
	s.Helper()
	if err := syscall.Kill(s.bridge().PID, syscall.SIGKILL); err != nil {
		s.Fatal(err)
	}
	deadline := time.Now().Add(20 * time.Second)
	for tick := time.NewTicker(10 * time.Millisecond); ; <-tick.C {
		_, err := control.Dial(filepath.Join(s.dataDir, control.SocketName)).Status(context.Background())
		if errors.Is(err, control.ErrNotRunning) {
			return
		}
		if time.Now().After(deadline) {
			s.Fatal("the killed bridge still answers")
		}
	}
}

// test runs steps, and checks that destroying leaves nothing behind.
func (s *scene) test(steps ...resource.TestStep) {
	s.Helper()
	resource.UnitTest(s, resource.TestCase{
		ProtoV6ProviderFactories: providertest.Factories(s),
		Steps:                    steps,
		CheckDestroy: func(*terraform.State) error {
			if _, err := os.Stat(s.dataDir); !errors.Is(err, os.ErrNotExist) {
				return fmt.Errorf("%s is still there: %w", s.dataDir, errors.Join(err, fs.ErrExist))
			}
			if conn, err := new(net.Dialer).DialContext(context.Background(), "tcp", s.listen); err == nil {
				conn.Close()
				return fmt.Errorf("something still listens on %s", s.listen)
			}
			return nil
		},
	})
}

func plans(action plancheck.ResourceActionType) resource.ConfigPlanChecks {
	return resource.ConfigPlanChecks{PreApply: []plancheck.PlanCheck{plancheck.ExpectResourceAction(address, action)}}
}

func has(attribute, value string) statecheck.StateCheck {
	return statecheck.ExpectKnownValue(address, tfjsonpath.New(attribute), knownvalue.StringExact(value))
}

func TestADeploymentIsMadeHealedAndImported(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	config := s.config(`redeploy_triggers = { a = "1" }
  timeouts = { create = "2m" }
  settings = { log_level = "debug", source_address = "127.0.0.9" }`)
	var before control.Status
	s.test(
		resource.TestStep{
			Config:           config,
			ConfigPlanChecks: plans(plancheck.ResourceActionCreate),
			ConfigStateChecks: []statecheck.StateCheck{
				has("id", "process:"+s.dataDir), has("status", "ready"), has("egress_address", "127.0.0.9"),
				has("url", "http://"+s.listen), has("scim_url", "http://"+s.listen+"/scim/v2"),
			},
		},
		resource.TestStep{
			Config:           config,
			ConfigPlanChecks: plans(plancheck.ResourceActionNoop),
		},
		resource.TestStep{ // it is killed: one update in place
			PreConfig:         func() { before = s.bridge(); s.kill() },
			Config:            config,
			ConfigPlanChecks:  plans(plancheck.ResourceActionUpdate),
			ConfigStateChecks: []statecheck.StateCheck{has("status", "ready")},
		},
		resource.TestStep{ // what Terraform alone cares for does not touch the bridge
			PreConfig: func() {
				if now := s.bridge(); now.PID == before.PID || now.Instance != before.Instance {
					t.Errorf("instance %s became %s", before.Instance, now.Instance)
				}
				before = s.bridge()
			},
			Config:           config + "\n# ",
			ConfigPlanChecks: plans(plancheck.ResourceActionNoop),
		},
		resource.TestStep{
			Config:           strings.Replace(config, `name            = "test"`, `name            = "renamed"`, 1),
			ConfigPlanChecks: plans(plancheck.ResourceActionUpdate),
		},
		resource.TestStep{
			PreConfig: func() {
				if now := s.bridge(); now.PID != before.PID {
					t.Error("a new name restarted the bridge")
				}
			},
			Config:           config,
			ConfigPlanChecks: plans(plancheck.ResourceActionUpdate),
		},
		resource.TestStep{
			ResourceName:      address,
			ImportState:       true,
			ImportStateId:     "process:" + s.dataDir,
			ImportStateVerify: true,
		},
		resource.TestStep{ // the plan of an import changes nothing
			Config:          config,
			ResourceName:    address,
			ImportState:     true,
			ImportStateKind: resource.ImportBlockWithID,
			ImportStateId:   "process:" + s.dataDir,
		},
	)
}

func TestANewTokenReplacesTheBridgeWithoutLosingARequest(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	old := s.token
	first := s.config("")
	s.token = newToken(t)
	second := s.config("")
	var stop func() int64
	s.test(
		resource.TestStep{Config: first, ConfigPlanChecks: plans(plancheck.ResourceActionCreate)},
		resource.TestStep{
			PreConfig: func() { stop = s.traffic(old) },
			Config:    second,
			ConfigPlanChecks: resource.ConfigPlanChecks{PreApply: []plancheck.PlanCheck{
				plancheck.ExpectResourceAction(address, plancheck.ResourceActionUpdate),
				plancheck.ExpectUnknownValue(address, tfjsonpath.New("revision")),
				plancheck.ExpectKnownValue(address, tfjsonpath.New("url"), knownvalue.StringExact("http://"+s.listen)),
			}},
			ConfigStateChecks: []statecheck.StateCheck{has("status", "ready")},
		},
		resource.TestStep{
			PreConfig: func() {
				if lost := stop(); lost != 0 {
					t.Errorf("%d requests with the old token failed during its overlap", lost)
				}
				for name, token := range map[string]session.Token{"old": old, "new": s.token} {
					if status, err := s.ask(http.DefaultClient, token); err != nil || status != http.StatusOK {
						t.Errorf("the %s token: %d (%v)", name, status, err)
					}
				}
			},
			Config:           second,
			ConfigPlanChecks: plans(plancheck.ResourceActionNoop),
		},
	)
}

// ask sends a SCIM request.
func (s *scene) ask(client *http.Client, token session.Token) (status int, err error) {
	req, err := http.NewRequestWithContext(s.Context(), http.MethodGet,
		"http://"+s.listen+"/scim/v2/Users?count=1", http.NoBody)
	if err != nil {
		return 0, err
	}
	req.Header.Set("Authorization", "Bearer "+token.Reveal())
	res, err := client.Do(req)
	if err != nil {
		return 0, err
	}
	defer res.Body.Close()
	_, _ = io.Copy(io.Discard, res.Body)
	return res.StatusCode, nil
}

// traffic sends SCIM requests until it is stopped, and counts those that failed.
func (s *scene) traffic(token session.Token) (stop func() int64) {
	var sent, failed atomic.Int64
	end, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		tick := time.NewTicker(5 * time.Millisecond)
		defer tick.Stop()
		for {
			select {
			case <-end:
				return
			case <-tick.C:
			}
			sent.Add(1)
			if status, err := s.ask(http.DefaultClient, token); err != nil || status != http.StatusOK {
				failed.Add(1)
				s.Logf("request %d: %d, %v", sent.Load(), status, err)
			}
		}
	}()
	return func() int64 {
		close(end)
		<-ended
		if sent.Load() < 10 {
			s.Errorf("only %d requests were sent: the test proves nothing", sent.Load())
		}
		return failed.Load()
	}
}

func TestASealedBridgeIsAWarningAndIsHealedByTheToken(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	with := s.config("")
	without := strings.Replace(with, "  unseal_token_wo", "  # unseal_token_wo", 1)
	s.test(
		resource.TestStep{
			Config:             without,
			ConfigPlanChecks:   plans(plancheck.ResourceActionCreate),
			ConfigStateChecks:  []statecheck.StateCheck{has("status", "sealed")},
			ExpectNonEmptyPlan: true,
		},
		resource.TestStep{
			Config:            with,
			ConfigPlanChecks:  plans(plancheck.ResourceActionUpdate),
			ConfigStateChecks: []statecheck.StateCheck{has("status", "ready")},
		},
	)
}

func TestAStoredTokenOpensTheBridgeAfterARestart(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	config := s.config(`unseal = "stored"`)
	without := strings.Replace(config, "  unseal_token_wo", "  # unseal_token_wo", 1)
	s.test(
		resource.TestStep{Config: without, ExpectError: regexp.MustCompile(`no\s+token\s+is\s+stored`)},
		resource.TestStep{Config: config, ConfigStateChecks: []statecheck.StateCheck{has("status", "ready")}},
		resource.TestStep{
			PreConfig:         s.kill,
			Config:            without,
			ConfigPlanChecks:  plans(plancheck.ResourceActionUpdate),
			ConfigStateChecks: []statecheck.StateCheck{has("status", "ready")},
		},
	)
}

func TestAnAccountThatIsAwayIsToldWithItsRemedy(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	away := `settings = { account_url = "http://127.0.0.1:1" }
  timeouts = { create = "30s", update = "30s" }
`
	s.test(
		resource.TestStep{
			Config:             s.config(away),
			ConfigStateChecks:  []statecheck.StateCheck{has("status", "degraded")},
			ExpectNonEmptyPlan: true,
		},
		resource.TestStep{
			Config:      s.config(away + `on_unready = "fail"`),
			ExpectError: regexp.MustCompile(`(?s)did not become ready.*account_unreachable.*Remedy`),
		},
		resource.TestStep{
			Config:            s.config(""),
			ConfigPlanChecks:  plans(plancheck.ResourceActionUpdate),
			ConfigStateChecks: []statecheck.StateCheck{has("status", "ready")},
		},
	)
}

func TestABridgeThatMustBeReadyAndIsNotIsTainted(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	s.test(
		resource.TestStep{
			Config: s.config(`on_unready = "fail"
  settings = { account_url = "http://127.0.0.1:1" }
  timeouts = { create = "30s" }`),
			ExpectError: regexp.MustCompile(`did not become ready`),
		},
		resource.TestStep{
			Config:            s.config(`on_unready = "fail"`),
			ConfigPlanChecks:  plans(plancheck.ResourceActionDestroyBeforeCreate),
			ConfigStateChecks: []statecheck.StateCheck{has("status", "ready")},
		},
	)
}

func TestBadInputIsAnErrorOfThePlan(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	config := s.config("")
	replace := func(old, by string) string {
		if !strings.Contains(config, old) {
			t.Fatalf("the configuration has no %s", old)
		}
		return strings.Replace(config, old, by, 1)
	}
	malformed := replace("unseal_token_wo = "+fmt.Sprintf("%q", s.token.Reveal()), `unseal_token_wo = "sbt1_cut"`)
	plan := func(config, want string) resource.TestStep {
		return resource.TestStep{Config: config, PlanOnly: true, ExpectError: regexp.MustCompile(want)}
	}
	s.test(
		plan(replace(s.dataDir, "bridge"), `must be an absolute path`),
		plan(replace(s.listen, "3002"), `must be host:port`),
		plan(replace("scimbridge_provisioning.it.session", `"no session"`), `session\s+cannot\s+be\s+read`),
		plan(replace("scimbridge_provisioning.it.session", fmt.Sprintf("%q", s.token.Reveal())),
			`is\s+a\s+bearer\s+token,\s+not\s+a\s+session`),
		plan(s.config(`settings = { public_url = "bridge" }`), `must\s+look\s+like\s+https`),
		plan(s.config(`settings = { confirmation_interval = "5s" }`), `at\s+least\s+30s`),
		resource.TestStep{Config: malformed, ExpectError: regexp.MustCompile(`Invalid token`)},
		resource.TestStep{
			Config:      replace(providertest.Binary(t), "/nowhere/scim-bridge"),
			ExpectError: regexp.MustCompile(`/nowhere/scim-bridge\s+does\s+not\s+exist`),
		},
		resource.TestStep{
			Config: replace("unseal_token_wo = "+fmt.Sprintf("%q", s.token.Reveal()),
				fmt.Sprintf("unseal_token_wo = %q", newToken(t).Reveal())),
			ExpectError: regexp.MustCompile(`The token does not open the session`),
		},
	)
}

func TestAProtectedDeploymentIsNeitherDestroyedNorReplaced(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	protected := s.config("deletion_protection = true")
	s.test(
		resource.TestStep{Config: protected},
		resource.TestStep{Config: protected, Destroy: true, ExpectError: regexp.MustCompile(`is protected`)},
		resource.TestStep{Config: strings.Replace(protected, s.dataDir, s.dataDir+"2", 1),
			ExpectError: regexp.MustCompile(`is protected`)},
		resource.TestStep{Config: s.config(""), ConfigPlanChecks: plans(plancheck.ResourceActionUpdate)},
	)
}

// second is another deployment of the same configuration.
func (s *scene) second(dataDir, listen string) string {
	return fmt.Sprintf(`
resource "scimbridge_deployment" "second" {
  name    = "second"
  session = scimbridge_provisioning.it.session
  process = { listen = %q, data_dir = %q, binary = %q }
  settings = { public_url = "https://second.example.com" }
}
`, listen, dataDir, providertest.Binary(s))
}

func TestTwoDeploymentsInOnePlaceAreFoundAtPlan(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	config := s.config("")
	_, port, err := net.SplitHostPort(s.listen)
	if err != nil {
		t.Fatal(err)
	}
	link := filepath.Join(t.TempDir(), "link")
	if err := os.Symlink(filepath.Dir(s.dataDir), link); err != nil {
		t.Fatal(err)
	}
	other := filepath.Join(filepath.Dir(s.dataDir), "other")
	refused := func(dataDir, listen, why string) resource.TestStep {
		return resource.TestStep{Config: config + s.second(dataDir, listen), PlanOnly: true,
			ExpectError: regexp.MustCompile(why)}
	}
	const folder, listener = `Two deployments in one folder`, `Two deployments at one address`
	s.test(
		refused(s.dataDir, "127.0.0.1:0", folder), // when both are new
		refused(other, s.listen, listener),
		resource.TestStep{Config: config},
		refused(s.dataDir, "127.0.0.1:0", folder), // when one is there
		refused(filepath.Join(link, "bridge"), "127.0.0.1:0", folder),
		refused(other, s.listen, listener),
		refused(other, ":"+port, listener),
		refused(other, "[::]:"+port, listener),
		refused(other, "localhost:"+port, listener),
		resource.TestStep{Config: config, ConfigPlanChecks: plans(plancheck.ResourceActionNoop)},
	)
}

// What another configuration deployed is not taken over, and not without its remedy.
func TestAFolderThatAnotherConfigurationUsesIsRefused(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	config := s.config("")
	s.test(resource.TestStep{Config: config}, resource.TestStep{
		PreConfig: func() {
			resource.UnitTest(s, resource.TestCase{
				ProtoV6ProviderFactories: providertest.Factories(s),
				Steps: []resource.TestStep{{
					Config: strings.Replace(s.second(s.dataDir, "127.0.0.1:0"), "scimbridge_provisioning.it.session",
						fmt.Sprintf("%q", s.session()), 1) +
						s.account.ProviderBlock(),
					ExpectError: regexp.MustCompile(`(?s)already deployed there.*import \{`),
				}},
			})
		},
		Config:           config,
		ConfigPlanChecks: plans(plancheck.ResourceActionNoop),
	})
}

// session is the sealed one that the bridge was given.
func (s *scene) session() string {
	s.Helper()
	b, err := os.ReadFile(filepath.Join(s.dataDir, "session"))
	if err != nil {
		s.Fatal(err)
	}
	return strings.TrimSpace(string(b))
}

// record changes the deployment's record, and returns how it was.
func (s *scene) record(change func(record map[string]any)) (before []byte) {
	s.Helper()
	path := filepath.Join(s.dataDir, "bridge.json")
	before, err := os.ReadFile(path)
	if err != nil {
		s.Fatal(err)
	}
	var record map[string]any
	if err := json.Unmarshal(before, &record); err != nil {
		s.Fatal(err)
	}
	change(record)
	after, err := json.Marshal(record)
	if err != nil {
		s.Fatal(err)
	}
	s.write(path, after)
	return before
}

func (s *scene) write(path string, content []byte) {
	s.Helper()
	if err := os.WriteFile(path, content, 0o600); err != nil {
		s.Fatal(err)
	}
}

// A plan can be made anywhere; only an apply must be made where the bridge is.
func TestAnotherMachinesBridgeIsKeptAndNotTouched(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	config := s.config("")
	refused := regexp.MustCompile(`(?s)build-7.*use\s+docker`)
	var mine []byte
	s.test(
		resource.TestStep{Config: config},
		resource.TestStep{
			PreConfig: func() {
				mine = s.record(func(r map[string]any) {
					r["machine"] = map[string]string{"id": "another",
						"name": "build-7"}
				})
			},
			Config:            config,
			ConfigPlanChecks:  plans(plancheck.ResourceActionNoop),
			ConfigStateChecks: []statecheck.StateCheck{has("status", "ready")},
		},
		resource.TestStep{Config: s.config(`redeploy_triggers = { a = "1" }`), ExpectError: refused},
		resource.TestStep{Config: config, Destroy: true, ExpectError: refused},
		resource.TestStep{
			PreConfig:        func() { s.write(filepath.Join(s.dataDir, "bridge.json"), mine) },
			Config:           config,
			ConfigPlanChecks: plans(plancheck.ResourceActionNoop),
		},
	)
}

// gone waits until a process is no more.
func (s *scene) gone(pid int) {
	s.Helper()
	deadline := time.Now().Add(30 * time.Second)
	for tick := time.NewTicker(10 * time.Millisecond); providertest.Runs(pid); <-tick.C {
		if time.Now().After(deadline) {
			s.Fatalf("process %d still runs", pid)
		}
	}
}

// The absence of the record is not the absence of the bridge.
func TestABridgeWhoseFolderIsLostIsNeitherDoubledNorForgotten(t *testing.T) {
	t.Parallel()
	losses := map[string]func(s *scene){
		"the folder is removed": func(s *scene) {
			if err := os.RemoveAll(s.dataDir); err != nil {
				s.Fatal(err)
			}
		},
		"the folder is moved": func(s *scene) {
			if err := os.Rename(s.dataDir, s.dataDir+"-moved"); err != nil {
				s.Fatal(err)
			}
		},
		"the record is cut": func(s *scene) {
			if err := os.Truncate(filepath.Join(s.dataDir, "bridge.json"), 20); err != nil {
				s.Fatal(err)
			}
		},
	}
	for name, lose := range losses {
		t.Run("an apply heals: "+name, func(t *testing.T) {
			t.Parallel()
			s := newScene(t)
			var before control.Status
			s.test(
				resource.TestStep{Config: s.config("")},
				resource.TestStep{
					PreConfig:         func() { before = s.bridge(); lose(s) },
					Config:            s.config(""),
					ConfigPlanChecks:  plans(plancheck.ResourceActionUpdate),
					ConfigStateChecks: []statecheck.StateCheck{has("status", "ready")},
				},
				resource.TestStep{
					PreConfig: func() {
						if now := s.bridge(); now.PID != before.PID {
							s.gone(before.PID)
						}
					},
					Config:           s.config(""),
					ConfigPlanChecks: plans(plancheck.ResourceActionNoop),
				},
			)
		})
		t.Run("destroying ends it: "+name, func(t *testing.T) {
			t.Parallel()
			s := newScene(t)
			s.test( // whose CheckDestroy looks whether something listens still
				resource.TestStep{Config: s.config("")},
				resource.TestStep{PreConfig: func() { lose(s) }, Config: s.config(""), Destroy: true},
			)
		})
	}
}

func TestAFolderThatVanishedIsMadeAgain(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	s.test(
		resource.TestStep{Config: s.config("")},
		resource.TestStep{
			PreConfig: func() {
				s.kill()
				if err := os.RemoveAll(s.dataDir); err != nil {
					t.Fatal(err)
				}
			},
			Config:            s.config(""),
			ConfigPlanChecks:  plans(plancheck.ResourceActionCreate),
			ConfigStateChecks: []statecheck.StateCheck{has("status", "ready")},
		},
	)
}

func TestADamagedSessionIsPutRight(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	path := filepath.Join(s.dataDir, "session")
	var whole []byte
	s.test(
		resource.TestStep{Config: s.config("")},
		resource.TestStep{
			PreConfig: func() {
				var err error
				if whole, err = os.ReadFile(path); err != nil {
					t.Fatal(err)
				}
				if err := os.WriteFile(path, whole[:len(whole)/2], 0o600); err != nil {
					t.Fatal(err)
				}
			},
			Config:           s.config(""),
			ConfigPlanChecks: plans(plancheck.ResourceActionUpdate),
		},
		resource.TestStep{
			PreConfig: func() {
				if now, err := os.ReadFile(path); err != nil || !bytes.Equal(now, whole) {
					t.Errorf("the session was not put right (%v)", err)
				}
			},
			Config:           s.config(""),
			ConfigPlanChecks: plans(plancheck.ResourceActionNoop),
		},
	)
}

// What another resource of the run changes must not change what was planned:
// Terraform plans the deployment once more within the apply.
func TestAProgramThatChangesWithinTheRunIsDeployedByTheNext(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	program := filepath.Join(t.TempDir(), "scim-bridge")
	whole, err := os.ReadFile(providertest.Binary(t))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(program, whole, 0o755); err != nil {
		t.Fatal(err)
	}
	config := func(build, name string) string {
		text := strings.Replace(s.config("depends_on = [terraform_data.build]"), providertest.Binary(t), program, 1)
		return strings.Replace(text, `name            = "test"`, fmt.Sprintf("name = %q", name), 1) + fmt.Sprintf(`
resource "terraform_data" "build" {
  triggers_replace = %q
  provisioner "local-exec" {
    command = "echo %s >> %s"
  }
}
`, build, build, program)
	}
	s.test(
		resource.TestStep{Config: config("1", "test"), ConfigPlanChecks: plans(plancheck.ResourceActionCreate)},
		resource.TestStep{
			Config:             config("2", "renamed"),
			ConfigPlanChecks:   plans(plancheck.ResourceActionUpdate),
			ConfigStateChecks:  []statecheck.StateCheck{has("status", "ready"), has("name", "renamed")},
			ExpectNonEmptyPlan: true, // by the program, which the refresh finds
		},
		resource.TestStep{
			Config: config("2", "renamed"),
			ConfigPlanChecks: resource.ConfigPlanChecks{PreApply: []plancheck.PlanCheck{
				plancheck.ExpectResourceAction(address, plancheck.ResourceActionUpdate),
				plancheck.ExpectKnownValue(address, tfjsonpath.New("version"), knownvalue.StringExact("dev")),
			}},
		},
		resource.TestStep{Config: config("2", "renamed"), ConfigPlanChecks: plans(plancheck.ResourceActionNoop)},
	)
}

// An error of the plan that is made within the apply would strand the bridge
// that is to be replaced: it is set aside by then.
func TestAReplacementThatCannotBeMadeLeavesTheBridge(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	config := func(provisioning, dataDir, token string) string {
		text := strings.Replace(s.config("lifecycle { create_before_destroy = true }"), s.dataDir, dataDir, 1)
		text = strings.Replace(text, unsealToken(s.token.Reveal()), unsealToken(token), 1)
		return strings.Replace(text, s.token.Reveal(), provisioning, 1)
	}
	first, second := s.token.Reveal(), newToken(t).Reveal()
	other := s.dataDir + "-other"
	var before control.Status
	s.test(
		resource.TestStep{Config: config(first, s.dataDir, first)},
		resource.TestStep{ // the session is new, and known only when the deployment is planned within the apply
			PreConfig:   func() { before = s.bridge() },
			Config:      config(second, other, newToken(t).Reveal()),
			ExpectError: regexp.MustCompile(`Cannot deploy|does not open the session`),
		},
		resource.TestStep{ // nothing is set aside: the same bridge is updated in place
			PreConfig: func() {
				if now := s.bridge(); now.PID != before.PID {
					t.Error("the bridge was touched")
				}
			},
			Config:            config(second, s.dataDir, second),
			ConfigPlanChecks:  plans(plancheck.ResourceActionUpdate),
			ConfigStateChecks: []statecheck.StateCheck{has("status", "ready")},
		},
		resource.TestStep{Config: config(second, s.dataDir, second),
			ConfigPlanChecks: plans(plancheck.ResourceActionNoop)},
	)
}
