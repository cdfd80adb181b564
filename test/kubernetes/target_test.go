//go:build engines

package kubernetes_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge/session"
	deployed "github.com/scimbridge/terraform-provider-scimbridge/provider/deploy/kubernetes"
	"github.com/scimbridge/terraform-provider-scimbridge/provider/deploy/kubernetes/cluster"
	"github.com/scimbridge/terraform-provider-scimbridge/provider/providertest"
	"github.com/scimbridge/terraform-provider-scimbridge/test/certificates"
	"github.com/scimbridge/terraform-provider-scimbridge/test/kubernetes"
)

func TestMain(m *testing.M) { os.Exit(providertest.Run(m)) }

const (
	namespace = "scim"
	selector  = "app.kubernetes.io/managed-by=scimbridge"
)

// A run is one of Terraform, against a cluster and an account.
type run struct {
	t       *testing.T
	cluster *kubernetes.Cluster
	dir     string
	env     []string
	token   session.Token
	ca      string

	address string // of the Service

	// What the configuration has.
	image, unseal, more, extra, rest string
	provider                         string // the block of the provider
	replicas                         int
	settings                         string
}

// The target, from the first roll-out to the destruction, as one deployment goes through it.
func TestTheTargetInARealCluster(t *testing.T) {
	r := newRun(t)
	t.Run("the first roll-out", r.firstRollOut)
	t.Run("a change replaces the pods under load, and no request fails", r.rollingUpdate)
	t.Run("a redeployment replaces the pods, and no request fails", r.redeployed)
	t.Run("an image that is not there fails, and the old bridges serve on", r.badImage)
	t.Run("an apply that is interrupted leaves the old bridges", r.interrupted)
	t.Run("a bridge that exits fails with its log", r.crash)
	t.Run("pods that fit nowhere fail", r.unschedulable)
	t.Run("a quota fails", r.quota)
	t.Run("what is changed by hand is seen and set right", r.drift)
	t.Run("an object that is deleted is seen and made again", r.deleted)
	t.Run("a monitoring token is given, changed without new pods, healed and taken", r.monitored)
	t.Run("three bridges, and a network policy", r.scale)
	t.Run("pods are killed, and nothing that was acknowledged is lost", r.killed)
	t.Run("another field manager is named", r.conflict)
	t.Run("an autoscaler decides how many there are", r.autoscaled)
	t.Run("pods that Kubernetes replaces are sealed, unless the token is stored", r.sealed)
	t.Run("a rotation fails no request, with the old token until the overlap ends", r.rotation)
	t.Run("a firewall rule that blocks the pods is a problem of the plan, and its removal ends it", r.blocked)
	t.Run("it is imported as it is", r.imported)
	t.Run("each kind of credentials leads to the cluster", r.credentials)
	t.Run("a cluster that is away is one short message", r.away)
	t.Run("nothing is left", r.destroy)
}

func newRun(t *testing.T) *run {
	t.Helper()
	cluster := kubernetes.Start(t)
	account := providertest.NewAccount(t, "--trusted-proxies", "127.0.0.1")
	ca := certificates.NewCA(t)
	token, err := session.NewToken()
	if err != nil {
		t.Fatal(err)
	}
	r := &run{
		t: t, cluster: cluster, dir: t.TempDir(), token: token, ca: string(ca.PEM), image: cluster.Image,
		unseal:   "stored",
		replicas: 2,
	}
	r.write("ca.pem", r.ca)
	r.write("terraformrc", fmt.Sprintf("provider_installation { dev_overrides { \"scimbridge/scimbridge\" = %q } }",
		providertest.Installation(t)))
	r.env = []string{
		"TF_INPUT=0",
		"PATH=" + providertest.Path(t), "HOME=" + r.dir, "CHECKPOINT_DISABLE=1",
		"TF_CLI_CONFIG_FILE=" + filepath.Join(r.dir, "terraformrc"), "KUBE_CONFIG_PATH=" + filepath.Join(r.dir, "user"),
		"SCIMBRIDGE_ACCOUNT_URL=" + ca.Serve(kubernetes.Node, account.URL),
		"SCIMBRIDGE_ACCOUNT_TOKEN=" + account.Token,
		"SSL_CERT_FILE=" + filepath.Join(r.dir, "ca.pem"), "TF_VAR_bearer_token=" + token.Reveal(),
	}
	cluster.Kubectl("create", "namespace", namespace)
	cluster.Kubectl("label", "namespace", namespace, "pod-security.kubernetes.io/enforce=restricted")
	cluster.Await("the namespace's service account", func() bool {
		_, err := cluster.Try("-n", namespace, "get", "serviceaccount", "default")
		return err == nil
	})
	r.write("user", r.kubeconfig())
	return r
}

// kubeconfig returns one of a user that has the rights of the guide's role, and no other.
func (r *run) kubeconfig() string {
	r.t.Helper()
	guide, err := os.ReadFile("../../provider/templates/guides/kubernetes.md")
	if err != nil {
		r.t.Fatal(err)
	}
	_, role, found := strings.Cut(string(guide), "```yaml\n")
	role, _, ended := strings.Cut(role, "```")
	if !found || !ended {
		r.t.Fatal("the guide has no role")
	}
	r.write("role.yaml", role)
	r.cluster.Kubectl("apply", "--filename", filepath.Join(r.dir, "role.yaml"))
	r.cluster.Kubectl("create", "serviceaccount", "terraform")
	r.cluster.Kubectl("-n", namespace, "create", "rolebinding", "terraform", "--role=scimbridge",
		"--serviceaccount=default:terraform")
	config := map[string]any{}
	text, err := os.ReadFile(r.cluster.Kubeconfig)
	if err == nil {
		err = json.Unmarshal(text, &config)
	}
	if err != nil {
		r.t.Fatal(err)
	}
	config["users"] = []any{map[string]any{
		"name": "admin", "user": map[string]string{"token": r.cluster.Kubectl("create", "token", "terraform")},
	}}
	if text, err = json.Marshal(config); err != nil {
		r.t.Fatal(err)
	}
	return string(text)
}

func (r *run) write(name, text string) {
	r.t.Helper()
	if err := os.WriteFile(filepath.Join(r.dir, name), []byte(text), 0o600); err != nil {
		r.t.Fatal(err)
	}
}

// configure writes the configuration as the fields have it.
func (r *run) configure() {
	r.t.Helper()
	r.write("main.tf", fmt.Sprintf(`
terraform {
  required_providers { scimbridge = { source = "scimbridge/scimbridge" } }
}

%s

variable "bearer_token" {
  type      = string
  ephemeral = true
  default   = null
}

resource "scimbridge_provisioning" "this" {
  manager_email   = "provision-manager@example.com"
  bearer_token_wo = var.bearer_token
}

resource "scimbridge_deployment" "this" {
  name            = "Bridge"
  session         = scimbridge_provisioning.this.session
  unseal          = %q
  unseal_token_wo = var.bearer_token
  on_unready      = "fail"
  settings        = { public_url = "https://scim.example.com"%s }
  kubernetes = {
    namespace = %q
    name      = "bridge"
    image     = %q
    replicas  = %d
    pod       = { ca_certificate_pem = file("ca.pem")%s }
    %s
  }
}
%s
`, r.provider, r.unseal, r.settings, namespace, r.image, r.replicas, r.more, r.extra, r.rest))
}

// terraform runs Terraform with the configuration.
func (r *run) terraform(t *testing.T, arguments ...string) (code int, out string) {
	t.Helper()
	r.configure()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(t.Context()), 2*kubernetes.Patience)
	defer cancel()
	cmd := r.command(ctx, arguments...)
	text, err := cmd.CombinedOutput()
	if exit, ok := errors.AsType[*exec.ExitError](err); ok {
		return exit.ExitCode(), unwrap(string(text))
	}
	if err != nil {
		t.Fatal(err)
	}
	return 0, unwrap(string(text))
}

// command is Terraform's.
func (r *run) command(ctx context.Context, arguments ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, providertest.Terraform(r.t), append(arguments, "-no-color")...)
	cmd.Dir, cmd.Env = r.dir, r.env
	return cmd
}

// unwrap joins the lines that Terraform breaks.
func unwrap(text string) string {
	text = strings.NewReplacer("│", "", "╷", "", "╵", "").Replace(text)
	return strings.Join(strings.Fields(text), " ")
}

// apply applies, which must succeed, and after which the plan must be empty.
func (r *run) apply(t *testing.T) string {
	t.Helper()
	begun := time.Now()
	code, out := r.terraform(t, "apply", "-auto-approve")
	if code != 0 {
		t.Fatalf("apply ends with %d:\n%s\n%s", code, out, r.cluster.Kubectl("-n", namespace, "get", "all,secrets"))
	}
	t.Logf("the apply took %s", time.Since(begun).Round(100*time.Millisecond))
	if code, out := r.terraform(t, "plan", "-detailed-exitcode"); code != 0 {
		t.Errorf("the next plan ends with %d:\n%s", code, out)
	}
	return out
}

// fails applies, which must fail soon, with these texts.
func (r *run) fails(t *testing.T, texts ...string) {
	t.Helper()
	begun := time.Now()
	code, out := r.terraform(t, "apply", "-auto-approve")
	if code == 0 {
		t.Fatalf("the apply succeeds:\n%s", out)
	}
	t.Logf("the apply failed after %s", time.Since(begun).Round(100*time.Millisecond))
	for _, want := range texts {
		if !strings.Contains(out, want) {
			t.Errorf("the error lacks %q:\n%s", want, out)
		}
	}
}

// plans plans a change that has these texts.
func (r *run) plans(t *testing.T, texts ...string) {
	t.Helper()
	code, out := r.terraform(t, "plan", "-detailed-exitcode")
	if code != 2 {
		t.Errorf("the plan ends with %d:\n%s", code, out)
	}
	for _, want := range texts {
		if !strings.Contains(out, want) {
			t.Errorf("the plan lacks %q:\n%s", want, out)
		}
	}
}

func (r *run) get(path string, object ...string) string {
	r.t.Helper()
	return r.cluster.Kubectl(append([]string{"-n", namespace, "get", "-o", "jsonpath=" + path}, object...)...)
}

func (r *run) firstRollOut(t *testing.T) {
	r.apply(t)
	if got := r.get("{.status.availableReplicas}", "deployment", "bridge"); got != "2" {
		t.Errorf("%s pods are available", got)
	}
	for _, object := range []string{"service/bridge", "serviceaccount/bridge", "poddisruptionbudget/bridge"} {
		r.get("{.metadata.name}", object)
	}
	state, err := os.ReadFile(filepath.Join(r.dir, "terraform.tfstate"))
	if err != nil || bytes.Contains(state, []byte(r.token.Reveal())) {
		t.Errorf("the token is in the state (%v)", err)
	}
	shown := r.cluster.Kubectl("-n", namespace, "get", "deployments,pods,services,serviceaccounts,events", "-o", "yaml")
	if strings.Contains(shown, r.token.Reveal()) {
		t.Error("an object that is no Secret shows the token")
	}
	if code, out := r.terraform(t, "show", "-json"); code != 0 || !strings.Contains(out, `"status":"ready"`) {
		t.Errorf("the state is not ready: %s", out)
	}
}

// locate finds the Service, which has another address when it was made again.
func (r *run) locate() { r.address = "http://" + r.get("{.spec.clusterIP}", "service", "bridge") }

// A load sends requests until it is ended.
type load struct {
	sent   atomic.Int64
	mu     sync.Mutex
	faults []string
	stop   func()
}

// load sends SCIM requests without a pause: a client that keeps its connections, and one that does not.
func (r *run) load(t *testing.T) *load {
	t.Helper()
	r.locate()
	address := r.address + "/scim/v2/Users?count=1"
	ctx, cancel := context.WithCancel(t.Context())
	l := &load{}
	var wait sync.WaitGroup
	for _, keep := range []bool{true, false} {
		client := &http.Client{Timeout: time.Minute, Transport: &http.Transport{DisableKeepAlives: !keep}}
		wait.Go(func() {
			for ctx.Err() == nil {
				l.send(ctx, client, address, r.token.Reveal())
			}
		})
	}
	l.stop = func() {
		cancel()
		wait.Wait()
	}
	t.Cleanup(l.stop)
	return l
}

func (l *load) send(ctx context.Context, client *http.Client, address, token string) {
	req, err := http.NewRequestWithContext(context.WithoutCancel(ctx), http.MethodGet, address, http.NoBody)
	if err != nil {
		panic(err)
	}
	req.Header.Set("Authorization", "Bearer "+token)
	l.sent.Add(1)
	resp, err := client.Do(req)
	fault := ""
	if err != nil {
		fault = err.Error()
	} else {
		body, _ := io.ReadAll(resp.Body)
		resp.Body.Close()
		if resp.StatusCode != http.StatusOK {
			fault = resp.Status + " " + string(body)
		}
	}
	if fault != "" {
		l.mu.Lock()
		l.faults = append(l.faults, time.Now().Format("05.000 ")+fault)
		l.mu.Unlock()
	}
}

// end ends the load, of which nothing may have failed.
func (l *load) end(t *testing.T) {
	t.Helper()
	l.stop()
	t.Logf("%d requests, %d of which failed", l.sent.Load(), len(l.faults))
	if l.sent.Load() < 20 || len(l.faults) > 0 {
		t.Errorf("the first failures: %q", l.faults[:min(5, len(l.faults))])
	}
}

func (r *run) rollingUpdate(t *testing.T) {
	before := r.get("{.items[*].metadata.uid}", "pods")
	l := r.load(t)
	r.settings = `, log_level = "debug"`
	r.apply(t)
	l.end(t)
	r.replaced(t, before)
	if secrets := strings.Fields(r.get("{.items[*].metadata.name}", "secrets")); len(secrets) != 2 {
		t.Errorf("the Secrets are %q", secrets)
	}
}

// replaced checks that other pods run than before.
func (r *run) replaced(t *testing.T, before string) {
	t.Helper()
	// The others still drain.
	staying := r.cluster.Kubectl("-n", namespace, "get", "pods", "-o",
		"go-template={{range .items}}{{if not .metadata.deletionTimestamp}}{{.metadata.uid}} {{end}}{{end}}")
	if len(strings.Fields(staying)) != r.replicas {
		t.Errorf("the pods that stay are %q", staying)
	}
	for uid := range strings.FieldsSeq(staying) {
		if strings.Contains(before, uid) {
			t.Errorf("the pod %s was not replaced", uid)
		}
	}
}

// redeployed does what the action scimbridge_redeploy does, which needs a newer Terraform than this runs.
func (r *run) redeployed(t *testing.T) {
	before := r.get("{.items[*].metadata.uid}", "pods")
	l := r.load(t)
	target := &deployed.Target{
		Access: cluster.Config{ConfigPaths: []string{filepath.Join(r.dir, "user")}},
		Config: deployed.Config{Namespace: namespace, Name: "bridge"},
	}
	ctx, cancel := context.WithTimeout(t.Context(), kubernetes.Patience)
	defer cancel()
	if err := target.Redeploy(ctx, session.Token{}); err != nil {
		t.Error(err)
	}
	l.end(t)
	r.replaced(t, before)
	if code, out := r.terraform(t, "plan", "-detailed-exitcode"); code != 0 {
		t.Errorf("the next plan ends with %d:\n%s", code, out)
	}
}

func (r *run) badImage(t *testing.T) {
	good := r.image
	l := r.load(t)
	r.image = "registry.invalid/scim-bridge:0"
	r.fails(t, "cannot get the image registry.invalid/scim-bridge:0", "kubernetes.image",
		"The old bridges are still running")
	l.end(t)
	r.plans(t, "registry.invalid/scim-bridge:0")
	r.image = good
	r.apply(t)
}

func (r *run) interrupted(t *testing.T) {
	r.more = `, node_selector = { nowhere = "true" }`
	r.configure()
	var out bytes.Buffer
	cmd := r.command(context.WithoutCancel(t.Context()), "apply", "-auto-approve")
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	r.cluster.Await("a pod that fits nowhere", func() bool {
		return r.get("{.items[*].metadata.name}", "pods", "--field-selector=status.phase=Pending") != ""
	})
	if err := cmd.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	begun := time.Now()
	if err := cmd.Wait(); err == nil {
		t.Error("the apply succeeds")
	}
	t.Logf("it ended %s after the signal", time.Since(begun).Round(100*time.Millisecond))
	for _, want := range []string{"he run was interrupted", "The old bridges are still running"} {
		if !strings.Contains(unwrap(out.String()), want) {
			t.Errorf("the output lacks %q:\n%s", want, out.String())
		}
	}
	if got := r.get("{.spec.template.spec.nodeSelector}", "deployment", "bridge"); got != "" {
		t.Errorf("the Deployment was not set back: %s", got)
	}
	r.more = ""
	r.apply(t)
}

func (r *run) crash(t *testing.T) {
	r.more = `, environment = { GODEBUG = "fips140=nonsense" }` // with which no Go program starts
	r.fails(t, "CrashLoopBackOff", "nonsense", "The end of the bridge's log")
	r.more = ""
	r.apply(t)
}

func (r *run) unschedulable(t *testing.T) {
	r.more = `, node_selector = { nowhere = "true" }`
	r.fails(t, "Unschedulable", "pod.node_selector")
	r.more = ""
	r.apply(t)
}

func (r *run) quota(t *testing.T) {
	r.cluster.Kubectl("-n", namespace, "create", "quota", "small", "--hard=pods=2")
	r.cluster.Await("the quota", func() bool { return r.get("{.status.used.pods}", "quota", "small") == "2" })
	r.settings = `, log_level = "warn"`
	r.fails(t, "exceeded quota: small", "ResourceQuota")
	r.cluster.Kubectl("-n", namespace, "delete", "quota", "small")
	r.settings = `, log_level = "debug"`
	r.apply(t)
}

func (r *run) drift(t *testing.T) {
	patch := func(kind, name, patch string) {
		r.cluster.Kubectl("-n", namespace, "patch", kind, name, "--type=merge", "-p", patch)
	}
	tag, _, _ := strings.Cut(r.image, "@")
	for _, row := range []struct {
		name  string
		do    func()
		shown string
	}{
		{"replicas", func() { r.cluster.Kubectl("-n", namespace, "scale", "deployment", "bridge", "--replicas=1") },
			"replicas = 1 -> 2"},
		{"the image", func() {
			r.cluster.Kubectl("-n", namespace, "set", "image", "deployment/bridge", "scim-bridge="+tag+":none")
		}, `image = "` + tag + `:none" ->`},
		{"a right that the container is not to have", func() {
			r.cluster.Kubectl("-n", namespace, "patch", "deployment", "bridge", "-p", `{"spec":{"template":{"spec":{
				"containers":[{"name":"scim-bridge","securityContext":{"readOnlyRootFilesystem":false}}]}}}}`)
		}, "readOnlyRootFilesystem"},
		{"the type of the Service", func() { patch("service", "bridge", `{"spec":{"type":"NodePort"}}`) }, "NodePort"},
		{"the session", func() {
			patch("secret", r.secret("session"), `{"data":{"session":"bm9uc2Vuc2U="}}`)
		}, "session"},
		{"the stored token", func() {
			patch("secret", r.secret("token"), `{"data":{"bearer-token":"bm9uc2Vuc2U="}}`)
		}, "does not have the token that opens the session"},
	} {
		t.Run(row.name, func(t *testing.T) {
			row.do()
			r.plans(t, row.shown)
			r.apply(t)
		})
	}
}

// secret is the name of the Secret that the pods read.
func (r *run) secret(volume string) string {
	return r.get(`{.spec.template.spec.volumes[?(@.name=="`+volume+`")].secret.secretName}`, "deployment", "bridge")
}

func (r *run) deleted(t *testing.T) {
	for _, object := range []string{
		"service/bridge", "serviceaccount/bridge", "poddisruptionbudget/bridge", "deployment/bridge",
	} {
		t.Run(object, func(t *testing.T) {
			r.cluster.Kubectl("-n", namespace, "delete", object)
			r.plans(t, "does not exist")
			r.apply(t)
		})
	}
}

func (r *run) monitored(t *testing.T) {
	const first, second = "the-first-monitoring-token", "the-second-monitoring-token"
	settings := r.settings
	with := func(token string, version int) {
		r.settings = settings + fmt.Sprintf(`, monitoring_token_wo = %q, monitoring_token_wo_version = %d`, token,
			version)
	}
	pods := func() string { return r.get("{.items[*].metadata.uid}", "pods") }
	// accept checks which token all bridges accept.
	accept := func(want string) {
		t.Helper()
		for ip := range strings.FieldsSeq(r.get("{.items[*].status.podIP}", "pods")) {
			for _, token := range []string{first, second} {
				if got := r.health(ip, token) != http.StatusUnauthorized; got != (token == want) {
					t.Errorf("the pod %s accepts %s: %t", ip, token, got)
				}
			}
		}
	}
	settled := func() {
		r.cluster.Await("the old pods to end", func() bool { return len(strings.Fields(pods())) == r.replicas })
	}
	with(first, 1)
	r.apply(t)
	settled()
	accept(first)
	before := pods()
	with(second, 2)
	r.apply(t)
	accept(second)
	for _, change := range [][]string{
		{"patch", "secret", "bridge-monitoring", "-p", `{"data":{"monitoring-token":"bm9uc2Vuc2U="}}`},
		{"delete", "secret", "bridge-monitoring"},
	} {
		r.cluster.Kubectl(append([]string{"-n", namespace}, change...)...)
		r.plans(t, "the Secret scim/bridge-monitoring with the monitoring token is missing or was changed")
		r.apply(t)
		accept(second)
	}
	// What an apply leaves that ends after the Secret was written and before the bridges have loaded it.
	r.cluster.Kubectl("-n", namespace, "patch", "secret", "bridge-monitoring", "-p", `{"data":{"loaded":null}}`)
	r.plans(t, "bridges may use another monitoring token than that of the Secret scim/bridge-monitoring")
	r.apply(t)
	accept(second)
	if now := pods(); now != before {
		t.Errorf("the pods %s became %s", before, now)
	}
	state, err := os.ReadFile(filepath.Join(r.dir, "terraform.tfstate"))
	shown := r.cluster.Kubectl("-n", namespace, "get", "deployments,pods,services,serviceaccounts,events", "-o", "yaml")
	for _, token := range []string{first, second} {
		if err != nil || bytes.Contains(state, []byte(token)) || strings.Contains(shown, token) {
			t.Errorf("the state, or an object that is no Secret, shows %s (%v)", token, err)
		}
	}
	r.settings = settings
	r.apply(t)
	settled()
	accept("")
	if _, err := r.cluster.Try("-n", namespace, "get", "secret", "bridge-monitoring"); err == nil {
		t.Error("the Secret is left")
	}
}

// health is the status with which the bridge of a pod answers.
func (r *run) health(ip, token string) int {
	r.t.Helper()
	req, err := http.NewRequestWithContext(context.WithoutCancel(r.t.Context()), http.MethodGet,
		"http://"+ip+":3002/health", http.NoBody)
	if err != nil {
		r.t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+token)
	resp, err := (&http.Client{Timeout: 10 * time.Second}).Do(req)
	if err != nil {
		r.t.Fatal(err)
	}
	resp.Body.Close()
	return resp.StatusCode
}

func (r *run) scale(t *testing.T) {
	r.replicas, r.extra = 3, "network_policy = true"
	r.apply(t)
	if got := r.get("{.status.availableReplicas}", "deployment", "bridge"); got != "3" {
		t.Errorf("%s pods are available", got)
	}
	if got := r.get("{.spec.ingress[*].ports[*].port}", "networkpolicy", "bridge"); got != "3002" {
		t.Errorf("the policy admits to the port %s", got)
	}
}

func (r *run) killed(t *testing.T) {
	r.locate()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	acknowledged, failed := make(chan []string, 1), 0
	go func() {
		var names []string
		pace := time.NewTicker(20 * time.Millisecond)
		defer pace.Stop()
		for n := 0; ctx.Err() == nil; n++ {
			name := fmt.Sprintf("person-%d@example.com", n)
			if r.create(name) {
				names = append(names, name)
			} else {
				failed++
			}
			<-pace.C
		}
		acknowledged <- names
	}()
	for n := range 6 {
		ids := strings.Fields(r.get("{.items[*].status.containerStatuses[*].containerID}", "pods"))
		id := ids[rand.IntN(len(ids))]
		if n%2 == 0 { // the program, which the kubelet starts again
			_, container, _ := strings.Cut(id, "://")
			kill := exec.CommandContext(t.Context(), "ctr", "-n", "k8s.io", "tasks", "kill", "-s", "SIGKILL", container)
			if out, err := kill.CombinedOutput(); err != nil {
				t.Fatalf("%v: %s", err, out)
			}
		} else { // the pod, which the controller replaces
			name := r.get(`{.items[?(@.status.containerStatuses[0].containerID=="`+id+`")].metadata.name}`, "pods")
			r.cluster.Kubectl("-n", namespace, "delete", "pod", name, "--grace-period=0", "--force")
		}
		r.cluster.Await("all bridges", func() bool {
			now := r.get("{.items[*].status.containerStatuses[*].containerID}", "pods")
			available := r.get("{.status.availableReplicas}", "deployment", "bridge")
			return !strings.Contains(now, id) && available == fmt.Sprint(r.replicas)
		})
	}
	cancel()
	names, there := <-acknowledged, r.people(t)
	t.Logf("%d people were acknowledged, %d requests failed", len(names), failed)
	if len(names) < 50 {
		t.Errorf("%d people prove nothing", len(names))
	}
	for _, name := range names {
		if !there[name] {
			t.Errorf("%s was acknowledged, and is not there", name)
		}
	}
}

// request sends a SCIM request to the Service, on a connection of its own.
func (r *run) request(method, path, body string, token session.Token) (*http.Response, error) {
	req, err := http.NewRequestWithContext(context.WithoutCancel(r.t.Context()), method, r.address+path,
		strings.NewReader(body))
	if err != nil {
		return nil, err
	}
	req.Header.Set("Authorization", "Bearer "+token.Reveal())
	req.Header.Set("Content-Type", "application/scim+json")
	client := &http.Client{Timeout: 10 * time.Second, Transport: &http.Transport{DisableKeepAlives: true}}
	return client.Do(req)
}

// create creates a person, and reports whether that was acknowledged.
func (r *run) create(name string) bool {
	resp, err := r.request(http.MethodPost, "/scim/v2/Users", fmt.Sprintf(
		`{"schemas":["urn:ietf:params:scim:schemas:core:2.0:User"],"userName":%q,"active":true}`, name), r.token)
	if err != nil {
		return false
	}
	resp.Body.Close()
	return resp.StatusCode == http.StatusCreated
}

// people returns the names of all people.
func (r *run) people(t *testing.T) map[string]bool {
	t.Helper()
	names := make(map[string]bool)
	for {
		resp, err := r.request(http.MethodGet, fmt.Sprintf("/scim/v2/Users?count=100&startIndex=%d", len(names)+1), "",
			r.token)
		if err != nil {
			t.Fatal(err)
		}
		var page struct{ Resources []struct{ UserName string } }
		err = json.NewDecoder(resp.Body).Decode(&page)
		resp.Body.Close()
		if err != nil || resp.StatusCode != http.StatusOK {
			t.Fatalf("the people are answered with %s, %v", resp.Status, err)
		}
		if len(page.Resources) == 0 {
			return names
		}
		for _, person := range page.Resources {
			names[person.UserName] = true
		}
	}
}

func (r *run) rotation(t *testing.T) {
	token, err := session.NewToken()
	if err != nil {
		t.Fatal(err)
	}
	l := r.load(t) // with the old token
	r.env = append(r.env, "TF_VAR_bearer_token="+token.Reveal())
	r.apply(t)
	l.end(t)
	r.token = token
	resp, err := r.request(http.MethodGet, "/scim/v2/Users?count=1", "", r.token)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		t.Errorf("a request with the new token is answered with %s", resp.Status)
	}
}

func (r *run) blocked(t *testing.T) {
	r.locate()
	answers := func(want int) func() bool {
		return func() bool {
			resp, err := r.request(http.MethodGet, "/scim/v2/Users?count=1", "", r.token)
			if err != nil {
				return false
			}
			resp.Body.Close()
			return resp.StatusCode == want
		}
	}
	r.rest = fmt.Sprintf(`resource "scimbridge_firewall_rule" "pods" {
  action        = "deny"
  ip_ranges     = [%q]
  allow_lockout = true
}

output "problems" { value = scimbridge_deployment.this.problems }`, kubernetes.Pods)
	l := r.load(t)
	if code, out := r.terraform(t, "apply", "-auto-approve"); code != 0 {
		t.Fatalf("apply ends with %d:\n%s", code, out)
	}
	r.cluster.Await("the bridges to be blocked", answers(http.StatusServiceUnavailable))
	if _, out := r.terraform(t, "plan"); !strings.Contains(out, "firewall_blocked") {
		t.Errorf("the plan does not name the problem:\n%s", out)
	}
	if got := r.get("{.status.availableReplicas}", "deployment", "bridge"); got != fmt.Sprint(r.replicas) {
		t.Errorf("while they are blocked, %s pods are available", got)
	}
	r.rest = ""
	if code, out := r.terraform(t, "apply", "-auto-approve"); code != 0 {
		t.Fatalf("apply ends with %d:\n%s", code, out)
	}
	r.cluster.Await("the bridges to be let in", answers(http.StatusOK))
	l.stop()
	t.Logf("%d requests, %d of which failed during the block", l.sent.Load(), len(l.faults))
	for _, fault := range l.faults { // an identity provider comes back after a 503
		if !strings.Contains(fault, " 503 ") {
			t.Errorf("a blocked bridge answered: %s", fault)
		}
	}
	r.apply(t)
}

func (r *run) imported(t *testing.T) {
	const address = "scimbridge_deployment.this"
	for _, command := range [][]string{
		{"state", "rm", address}, {"import", address, "kubernetes:" + namespace + "/bridge"},
		{"plan", "-detailed-exitcode"},
	} {
		if code, out := r.terraform(t, command...); code != 0 {
			t.Errorf("%s ends with %d:\n%s", strings.Join(command, " "), code, out)
		}
	}
}

func (r *run) conflict(t *testing.T) {
	manifest := map[string]any{
		"apiVersion": "apps/v1", "kind": "Deployment",
		"metadata": map[string]string{"name": "bridge", "namespace": namespace},
		"spec":     map[string]any{"replicas": 1},
	}
	text, err := json.Marshal(manifest)
	if err != nil {
		t.Fatal(err)
	}
	r.write("other.json", string(text))
	r.cluster.Kubectl("apply", "--server-side", "--force-conflicts", "--field-manager=argocd", "--validate=false",
		"--filename", filepath.Join(r.dir, "other.json"))
	r.fails(t, `"argocd" owns the field .spec.replicas`, "the Deployment scim/bridge")
	r.cluster.Kubectl("-n", namespace, "patch", "deployment", "bridge", "--type=json", "-p",
		`[{"op":"replace","path":"/metadata/managedFields","value":[{}]}]`)
	r.apply(t)
}

// autoscaled has an autoscaler without metrics: it keeps the number within its bounds, and that is enough.
func (r *run) autoscaled(t *testing.T) {
	r.replicas = 2
	r.apply(t)
	manifest, err := json.Marshal(map[string]any{
		"apiVersion": "autoscaling/v2", "kind": "HorizontalPodAutoscaler",
		"metadata": map[string]string{"name": "any", "namespace": namespace},
		"spec": map[string]any{
			"scaleTargetRef": map[string]string{"apiVersion": "apps/v1", "kind": "Deployment", "name": "bridge"},
			"minReplicas":    3, "maxReplicas": 4,
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	r.write("autoscaler.json", string(manifest))
	r.cluster.Kubectl("apply", "--validate=false", "--filename", filepath.Join(r.dir, "autoscaler.json"))
	replicas := func() string { return r.get("{.spec.replicas}", "deployment", "bridge") }
	r.cluster.Await("a third bridge", func() bool { return replicas() == "3" })
	if code, out := r.terraform(t, "plan", "-detailed-exitcode"); code != 0 {
		t.Errorf("the plan ends with %d:\n%s", code, out)
	}
	r.settings = `, log_level = "info"`
	r.apply(t)
	if got := replicas(); got != "3" {
		t.Errorf("an apply makes %s replicas of three", got)
	}
	r.cluster.Kubectl("-n", namespace, "delete", "horizontalpodautoscaler", "any")
	r.plans(t, "replicas = 3 -> 2")
	r.apply(t)
}

func (r *run) sealed(t *testing.T) {
	r.unseal, r.replicas = "once", 1
	r.plans(t, "New bridges will be sealed")
	r.apply(t)
	r.cluster.Kubectl("-n", namespace, "delete", "pod", "--selector", selector, "--wait")
	r.cluster.Await("a new pod", func() bool {
		return r.get("{.status.availableReplicas}", "deployment", "bridge") == "1"
	})
	r.plans(t, `status = "sealed" ->`)
	r.apply(t)
	r.unseal, r.replicas = "stored", 2
	r.apply(t)
}

func (r *run) credentials(t *testing.T) {
	var config struct {
		Clusters []struct {
			Cluster struct {
				Server string
				CA     []byte `json:"certificate-authority-data"`
			}
		}
	}
	text, err := os.ReadFile(r.cluster.Kubeconfig)
	if err == nil {
		err = json.Unmarshal(text, &config)
	}
	if err != nil || len(config.Clusters) != 1 {
		t.Fatalf("the kubeconfig has the clusters %+v (%v)", config.Clusters, err)
	}
	server := config.Clusters[0].Cluster
	r.write("api.pem", string(server.CA))
	token := r.cluster.Kubectl("create", "token", "terraform")
	r.write("credentials", `#!/bin/sh
echo '{"apiVersion": "client.authentication.k8s.io/v1", "kind": "ExecCredential", "status": {"token": "'$1$REST'"}}'
`)
	if err := os.Chmod(filepath.Join(r.dir, "credentials"), 0o700); err != nil {
		t.Fatal(err)
	}
	before := slices.Clone(r.env)
	r.env = append(r.env, "KUBE_CONFIG_PATH=", "KUBECONFIG=")
	t.Cleanup(func() { r.env, r.provider = before, "" })
	for _, row := range []struct{ name, credentials string }{
		{"a token", fmt.Sprintf(`token = %q`, token)},
		{"a command", fmt.Sprintf(`exec {
      api_version = "client.authentication.k8s.io/v1"
      command     = "./credentials"
      args        = [%q]
      env         = { REST = %q }
    }`, token[:10], token[10:])},
	} {
		t.Run(row.name, func(t *testing.T) {
			r.provider = fmt.Sprintf(`provider "scimbridge" {
  kubernetes {
    host                   = %q
    cluster_ca_certificate = file("api.pem")
    %s
  }
}`, server.Server, row.credentials)
			if code, out := r.terraform(t, "plan", "-detailed-exitcode"); code != 0 {
				t.Errorf("the plan ends with %d:\n%s", code, out)
			}
		})
	}
	r.provider = ""
	t.Run("the service account of the pod that Terraform runs in", r.inside)
}

// inside plans in a pod, with the programs of this machine.
func (r *run) inside(t *testing.T) {
	r.configure()
	env := []map[string]string{{"name": "TMPDIR", "value": r.dir}} // the image has no /tmp
	mounts, volumes := []map[string]string{}, []map[string]any{}
	for _, variable := range r.env {
		name, value, _ := strings.Cut(variable, "=")
		env = append(env, map[string]string{"name": name, "value": value})
	}
	terraform := providertest.Terraform(t)
	for i, folder := range []string{r.dir, providertest.Installation(t), filepath.Dir(terraform)} {
		name := fmt.Sprint("folder-", i)
		mounts = append(mounts, map[string]string{"name": name, "mountPath": folder})
		volumes = append(volumes, map[string]any{"name": name, "hostPath": map[string]string{"path": folder}})
	}
	pod, err := json.Marshal(map[string]any{
		"apiVersion": "v1", "kind": "Pod", "metadata": map[string]string{"name": "terraform"},
		"spec": map[string]any{
			"serviceAccountName": "terraform", "restartPolicy": "Never", "volumes": volumes,
			"containers": []map[string]any{{
				"name": "terraform", "image": r.image, "env": env, "volumeMounts": mounts, "workingDir": r.dir,
				"command":         []string{terraform, "plan", "-detailed-exitcode", "-no-color"},
				"securityContext": map[string]int{"runAsUser": 0},
			}},
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	r.write("pod.json", string(pod))
	r.cluster.Kubectl("create", "--validate=false", "--filename", filepath.Join(r.dir, "pod.json"))
	phase := ""
	r.cluster.Await("Terraform to end in its pod", func() bool {
		phase = r.cluster.Kubectl("get", "pod", "terraform", "-o", "jsonpath={.status.phase}")
		return phase == "Succeeded" || phase == "Failed"
	})
	if out := r.cluster.Kubectl("logs", "terraform"); phase != "Succeeded" || !strings.Contains(out, "No changes") {
		t.Errorf("the plan in a pod:\n%s", out)
	}
	r.cluster.Kubectl("delete", "pod", "terraform")
}

func (r *run) away(t *testing.T) {
	text, err := os.ReadFile(filepath.Join(r.dir, "user"))
	if err != nil {
		t.Fatal(err)
	}
	r.write("away", strings.ReplaceAll(string(text), ":6443", ":1"))
	before := slices.Clone(r.env)
	r.env = append(r.env, "KUBE_CONFIG_PATH="+filepath.Join(r.dir, "away"))
	code, out := r.terraform(t, "plan")
	if code != 1 || strings.Count(out, "does not answer") != 1 || !strings.Contains(out, kubernetes.Node+":1") {
		t.Errorf("the plan ends with %d:\n%s", code, out)
	}
	r.env = before
}

func (r *run) destroy(t *testing.T) {
	if code, out := r.terraform(t, "destroy", "-auto-approve"); code != 0 {
		t.Fatalf("destroy ends with %d:\n%s", code, out)
	}
	// Kubernetes removes by itself what belongs to a Service that is gone, a little later.
	r.cluster.Await("nothing to be left", func() bool {
		left := r.cluster.Kubectl("-n", namespace, "get",
			"all,secrets,serviceaccounts,poddisruptionbudgets,networkpolicies,endpointslices", "-o", "name")
		return left == "serviceaccount/default"
	})
	r.cluster.Kubectl("get", "namespace", namespace)
}
