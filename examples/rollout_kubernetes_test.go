//go:build engines

package examples

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account/api"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account/api/apitest"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/session"
	"github.com/scimbridge/terraform-provider-scimbridge/provider/providertest"
	"github.com/scimbridge/terraform-provider-scimbridge/test/certificates"
	"github.com/scimbridge/terraform-provider-scimbridge/test/kubernetes"
)

// The Kubernetes provider cannot be had here. What the example gives its stand-in is what it would send to the API
// server, and pods are made of that. All else is real: the cluster, the pods, the bridges in them, and the account that
// they reach over TLS.
func TestTheRolloutInKubernetesWaitsForPods(t *testing.T) {
	cluster := kubernetes.Start(t)
	account := providertest.NewAccount(t, "--trusted-proxies", "127.0.0.1")
	ca := certificates.NewCA(t)
	address := ca.Serve(kubernetes.Node, account.URL)
	token, err := session.NewToken()
	if err != nil {
		t.Fatal(err)
	}
	w := newWorkspace(t)
	w.copyAll("rollout-kubernetes")
	w.write("ca.pem", string(ca.PEM))
	c := &cloud{t: t, cluster: cluster, ca: string(ca.PEM), folders: w.standIn(othersIn(readExamples(t,
		"rollout-kubernetes")), "")}
	env := append(toEnvironment(t, map[string]any{
		"image": cluster.Image, "public_url": "https://scim.example.com", "proxies": []string{kubernetes.Node + "/32"},
	}), "SCIMBRIDGE_ACCOUNT_URL="+address, "SCIMBRIDGE_ACCOUNT_TOKEN="+account.Token,
		"SSL_CERT_FILE="+filepath.Join(w.dir, "ca.pem"))

	// S5: a rule denies the pods before there are any. The example allows the addresses that the rollout has seen.
	deny := api.FirewallRuleInput{Action: new(api.Deny), IpRanges: &[]string{kubernetes.Pods}}
	made, err := apitest.Read[api.FirewallRule](account.API.CreateFirewallRule(t.Context(), nil, deny))
	providertest.Expect(t, http.StatusCreated, made, err)
	end := c.start()
	code, out := w.run(append(env, "TF_VAR_bearer_token="+token.Reveal()), "apply", "-auto-approve", "-no-color",
		"-input=false")
	end()
	if code != 0 {
		t.Fatalf("apply ended with %d:\n%s\n%s", code, out, cluster.Kubectl("get", "all"))
	}
	pods := strings.Fields(cluster.Kubectl("get", "pods", "-l", "app=scim-bridge", "-o",
		"jsonpath={.items[*].status.podIP}"))
	if len(pods) != 2 {
		t.Fatalf("the pods are %q", pods)
	}
	if !slices.ContainsFunc(pods, func(ip string) bool { return strings.Contains(out, `["`+ip) }) {
		t.Errorf("no pod's address (%q) is told:\n%s", pods, out)
	}
	if !strings.Contains(out, "firewall_blocked") || !strings.Contains(out, `resource "scimbridge_firewall_rule"`) {
		t.Errorf("the block by the firewall is not told, or its remedy:\n%s", out)
	}

	// The rule of the first apply lets them in.
	code, out = w.run(env, "apply", "-auto-approve", "-no-color", "-input=false")
	if code != 0 || !strings.Contains(out, "Apply complete!") {
		t.Fatalf("the second apply ended with %d:\n%s", code, out)
	}
	rollout := w.attributes(env, "scimbridge_rollout.bridges")
	if instances, _ := rollout["instances"].([]any); len(instances) != 2 {
		t.Errorf("the rollout sees the bridges %v", rollout["instances"])
	}
	slices.Sort(pods)
	if got := fmt.Sprint(rollout["egress_addresses"]); got != fmt.Sprint(pods) {
		t.Errorf("the rollout sees the addresses %s, the pods have %s", got, pods)
	}
	if code, out := w.run(env, "plan", "-detailed-exitcode", "-no-color", "-input=false"); code != 0 {
		t.Errorf("the next plan ends with %d:\n%s", code, out)
	}
	service := cluster.Kubectl("get", "service", "scim-bridge", "-o", "jsonpath={.spec.clusterIP}")
	w.write("token", token.Reveal())
	if code, out := w.command(nil, providertest.Binary(t), "simulate", "--idp", "okta", "--url", "http://"+service,
		"--token-file", filepath.Join(w.dir, "token"), "--people", "2"); code != 0 {
		t.Errorf("traffic through the Service ends with %d:\n%s", code, out)
	}
	restarts := cluster.Kubectl("get", "pods", "-l", "app=scim-bridge", "-o",
		"jsonpath={.items[*].status.containerStatuses[*].restartCount}")
	if restarts != "0 0" {
		t.Errorf("the containers were restarted %s times", restarts)
	}
}

// attributes returns those of a resource, as terraform show has them.
func (w *workspace) attributes(env []string, address string) map[string]any {
	w.t.Helper()
	code, out := w.run(env, "show", "-json")
	var state struct {
		Values struct {
			RootModule struct {
				Resources []struct {
					Address string
					Values  map[string]any
				}
			} `json:"root_module"`
		}
	}
	// Warnings of terraform come before.
	if err := json.Unmarshal([]byte(out[strings.Index(out, "{"):]), &state); err != nil || code != 0 {
		w.t.Fatalf("show ends with %d: %v", code, err)
	}
	for _, r := range state.Values.RootModule.Resources {
		if r.Address == address {
			return r.Values
		}
	}
	w.t.Fatalf("the state has no %s", address)
	return nil
}

// A cloud makes objects of a cluster of what the stand-in for the Kubernetes provider is given.
type cloud struct {
	t       *testing.T
	cluster *kubernetes.Cluster
	ca      string // what the pods are to trust, as every cluster of a company with its own authority has it
	folders []string
	made    map[string]bool
}

// start makes objects until end is called.
func (c *cloud) start() (end func()) {
	c.made = make(map[string]bool)
	ctx, cancel := context.WithCancel(c.t.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		for ctx.Err() == nil {
			if err := c.makeAll(); err != nil {
				c.t.Error(err)
				return
			}
			select {
			case <-ctx.Done():
			case <-time.After(100 * time.Millisecond):
			}
		}
	}()
	return func() {
		cancel()
		<-done
	}
}

func (c *cloud) makeAll() error {
	for _, folder := range c.folders {
		files, err := appliedIn(folder)
		if err != nil {
			return err
		}
		for file, text := range files {
			if c.made[file] {
				continue
			}
			c.made[file] = true
			var attributes map[string]any
			if err := json.Unmarshal(text, &attributes); err != nil {
				return err
			}
			kind, _, _ := strings.Cut(file, "-")
			if err := c.make(kind, attributes); err != nil {
				return err
			}
		}
	}
	return nil
}

// make makes an object of a resource.
func (c *cloud) make(resource string, attributes map[string]any) error {
	kinds := map[string][2]string{
		"kubernetes_secret_v1":                {"v1", "Secret"},
		"kubernetes_service_v1":               {"v1", "Service"},
		"kubernetes_deployment_v1":            {"apps/v1", "Deployment"},
		"kubernetes_pod_disruption_budget_v1": {"policy/v1", "PodDisruptionBudget"},
	}
	kind, ok := kinds[resource]
	if !ok {
		return fmt.Errorf("there is no manifest for %s", resource)
	}
	manifest, _ := toManifest("", attributes).(map[string]any)
	manifest["apiVersion"], manifest["kind"] = kind[0], kind[1]
	switch kind[1] {
	case "Secret":
		data, _ := attributes["data_wo"].(map[string]any)
		data["ca.pem"] = c.ca
		manifest["stringData"] = data
	case "Deployment":
		pod := manifest["spec"].(map[string]any)["template"].(map[string]any)["spec"].(map[string]any)
		container := pod["containers"].([]any)[0].(map[string]any)
		container["env"] = append(container["env"].([]any), map[string]any{
			"name": "SSL_CERT_FILE", "value": "/run/secrets/scim-bridge/ca.pem",
		})
	}
	text, err := json.Marshal(manifest)
	if err != nil {
		return err
	}
	file := filepath.Join(c.t.TempDir(), "manifest.json")
	if err := os.WriteFile(file, text, 0o600); err != nil {
		return err
	}
	if out, err := c.cluster.Try("apply", "--filename", file); err != nil {
		return errors.Join(fmt.Errorf("%s: %s", resource, out), err)
	}
	return nil
}

// Lists in Kubernetes that are blocks in Terraform, with their names there.
var lists = map[string]string{
	"container": "containers", "env": "env", "port": "ports", "volume_mount": "volumeMounts", "volume": "volumes",
}

// Texts in Terraform that are numbers in Kubernetes.
var numbers = regexp.MustCompile(`^(run_as_user|run_as_group|fs_group|default_mode|target_port|port|max_unavailable)$`)

// toManifest does what the Kubernetes provider does: names in camel case, and blocks that are no lists.
func toManifest(name string, value any) any {
	switch value := value.(type) {
	case map[string]any:
		out := make(map[string]any)
		for key, inner := range value {
			if inner == nil || strings.HasPrefix(key, "data_wo") {
				continue
			}
			converted := toManifest(key, inner)
			if list, ok := converted.([]any); ok && len(list) == 0 && lists[key] == "" {
				continue // a block that is not there
			}
			out[toCamel(name, key, converted)] = converted
		}
		return out
	case []any:
		var items []any
		for _, item := range value {
			items = append(items, toManifest(name, item))
		}
		if len(items) == 0 {
			return items
		}
		if _, block := items[0].(map[string]any); block && lists[name] == "" {
			return items[0]
		}
		return items
	case string:
		if number, err := strconv.ParseInt(value, 0, 64); err == nil && numbers.MatchString(name) {
			return number
		}
	}
	return value
}

// toCamel returns the name of a value as Kubernetes has it. Labels keep theirs.
func toCamel(in, name string, value any) string {
	if _, ok := value.([]any); ok && lists[name] != "" {
		return lists[name]
	}
	if in == "labels" || in == "match_labels" || in == "annotations" {
		return name
	}
	words := strings.Split(name, "_")
	for i := range words[1:] {
		words[i+1] = strings.ToUpper(words[i+1][:1]) + words[i+1][1:]
	}
	return strings.Join(words, "")
}
