package examples

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"go.yaml.in/yaml/v4"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge/session"
	"github.com/scimbridge/terraform-provider-scimbridge/provider/providertest"
)

const image = "registry.example.com/scim-bridge@sha256:b94d27b9934d3e08a52e52d7da7dabfac484efe37a5380ee9088f7ace2efcde9"

// rollouts are the examples of scimbridge_rollout, with the variables that each needs.
var rollouts = map[string]map[string]any{
	"rollout-kubernetes": {
		"image": image, "public_url": "https://scim.example.com", "proxies": []string{"10.0.0.0/16"},
	},
	"rollout-ecs": {
		"image": image, "public_url": "https://scim.example.com", "proxies": []string{"10.0.0.0/16"},
		"token_secret_arn": arn, "cluster_arn": arn, "subnet_ids": []string{"subnet-1"}, "security_group_id": "sg-1",
		"target_group_arn": arn, "execution_role_arn": arn,
	},
	"rollout-cloud-run": {"image": image, "service_account": "scim@example.com", "subnetwork": "bridges"},
	"rollout-container-apps": {
		"image": image, "resource_group": "scim", "environment": "scim", "vault": "scim", "identity_id": "/scim",
	},
	"rollout-compose": {"image": "scim-bridge:0.1.0", "public_url": "https://scim.example.com"},
	"rollout-cloud-init": {
		"package":    map[string]string{"url": "https://example.com/scim-bridge.rpm", "sha256": "b94d27b9"},
		"public_url": "https://scim.example.com", "proxies": []string{"10.0.0.0/16"},
		"token_secret_arn": arn, "ami": "ami-1",
		"subnet_ids": []string{"subnet-1"}, "security_group_id": "sg-1", "target_group_arn": arn,
		"instance_profile": "scim",
	},
}

const arn = "arn:aws:secretsmanager:eu-central-1:123456789012:secret:scim/bearer-token-Ab12Cd"

func TestEveryExampleOfARolloutIsTested(t *testing.T) {
	t.Parallel()
	found, err := filepath.Glob("rollout-*")
	if err != nil {
		t.Fatal(err)
	}
	if known := slices.Sorted(maps.Keys(rollouts)); !slices.Equal(found, known) {
		t.Errorf("the folders are %q, the tests know %q", found, known)
	}
}

// All is real but the platform: this test starts the bridges with what Terraform gave the platform.
func TestARolloutsExampleStartsItsBridges(t *testing.T) {
	t.Parallel()
	for folder, variables := range rollouts {
		t.Run(folder, func(t *testing.T) {
			t.Parallel()
			account := providertest.NewAccount(t)
			token, err := session.NewToken()
			if err != nil {
				t.Fatal(err)
			}
			w := newWorkspace(t)
			w.copyAll(folder)
			p := &platform{w: w, token: token, applied: w.standIn(othersIn(readExamples(t, folder)), token.Reveal())}
			env := append(toEnvironment(t, variables), "SCIMBRIDGE_ACCOUNT_URL="+account.URL,
				"SCIMBRIDGE_ACCOUNT_TOKEN="+account.Token, p.docker())

			end := p.start()
			code, out := w.run(append(env, "TF_VAR_bearer_token="+token.Reveal()),
				"apply", "-auto-approve", "-no-color",
				"-input=false")
			given := end()
			if code != 0 || !strings.Contains(out, "scimbridge_firewall_rule.bridge") {
				t.Fatalf("apply ended with %d; the platform was given %q:\n%s", code, given.settings, out)
			}
			// A store of the platform's own has the token; Kubernetes is given it.
			if want := map[bool]string{true: token.Reveal()}[folder == "rollout-kubernetes"]; given.token != want {
				t.Error("the token was given to the platform, or another one, or none")
			}
			state, err := os.ReadFile(filepath.Join(w.dir, "terraform.tfstate"))
			if err != nil {
				t.Fatal(err)
			}
			if strings.Contains(string(state), token.Reveal()) {
				t.Error("the token is in the state")
			}
			if code, out := w.run(env, "plan", "-detailed-exitcode", "-no-color", "-input=false"); code != 0 {
				t.Errorf("the next plan, without the token as a variable, ends with %d:\n%s", code, out)
			}
			another := []string{"TF_VAR_image=" + strings.Replace(image, "sha256:b", "sha256:c", 1)}
			if _, packaged := variables["package"]; packaged {
				another = []string{
					`TF_VAR_package={"url": "https://example.com/scim-bridge.rpm", "sha256": "c94d27b9"}`,
				}
			}
			code, out = w.run(append(env, another...), "plan", "-detailed-exitcode", "-no-color", "-input=false")
			if code != 2 ||
				!regexp.MustCompile(`scimbridge_rollout\.bridges? will be updated in-place`).MatchString(out) {
				t.Errorf("with another image, the plan ends with %d:\n%s", code, out)
			}
		})
	}
}

func TestMistakesInExamplesForOtherProvidersAreFound(t *testing.T) {
	t.Parallel()
	for _, row := range []struct{ name, old, new, want string }{
		{"an attribute that is none of ours", "bridges.egress_addresses", "bridges.egress_address", "egress_address"},
		{"an argument that is none of ours", "bridges  = var", "replicas = var", "replicas"},
		{"a token that would be in the state", "  data_wo =", "  data =", "Invalid use of ephemeral value"},
		{"a value that is not declared", "revision = local.revision", "revision = local.version", "version"},
		{"a resource that is not declared", "[kubernetes_deployment_v1.bridge]", "[kubernetes_deployment.bridge]",
			"kubernetes_deployment"},
		{"a function that is none", "parseint(", "parse_int(", "parse_int"},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			w := newWorkspace(t)
			w.copyAll("rollout-kubernetes")
			text, err := os.ReadFile(filepath.Join(w.dir, "main.tf"))
			if err != nil || !strings.Contains(string(text), row.old) {
				t.Fatalf("main.tf has no %q (%v)", row.old, err)
			}
			w.write("main.tf", strings.Replace(string(text), row.old, row.new, 1))
			w.standIn(othersIn(readExamples(t, w.dir)), "")
			if code, out := w.run(nil, "validate", "-no-color"); code == 0 || !strings.Contains(out, row.want) {
				t.Errorf("validate ends with %d, want an error with %q:\n%s", code, row.want, out)
			}
		})
	}
}

// Each variable that an example sets or mentions has a flag of serve.
func TestTheSettingsOfRolloutsExamplesExist(t *testing.T) {
	t.Parallel()
	help, err := exec.CommandContext(t.Context(), providertest.Binary(t), "serve", "--help").Output()
	if err != nil {
		t.Fatal(err)
	}
	// in the comment that says how to apply
	ofTerraform := []string{"SCIMBRIDGE_ACCOUNT_URL", "SCIMBRIDGE_ACCOUNT_TOKEN"}
	files, err := filepath.Glob("rollout-*/*")
	if err != nil || len(files) < 2*len(rollouts) {
		t.Fatalf("found %q, %v", files, err)
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range regexp.MustCompile(`SCIMBRIDGE_[A-Z_]+`).FindAllString(string(text), -1) {
			if !slices.Contains(ofTerraform, name) && !strings.Contains(string(help), " "+toFlag(name)) {
				t.Errorf("%s: scim-bridge serve has no %s", file, toFlag(name))
			}
		}
	}
}

// toFlag returns the flag of a variable.
func toFlag(name string) string {
	return "--" + strings.ToLower(strings.ReplaceAll(strings.TrimPrefix(name, "SCIMBRIDGE_"), "_", "-"))
}

// toEnvironment returns variables as Terraform reads them from the environment.
func toEnvironment(t *testing.T, variables map[string]any) (env []string) {
	t.Helper()
	for name, value := range variables {
		text, ok := value.(string)
		if !ok {
			encoded, err := json.Marshal(value) // which is HCL, too, but for the colons of an object
			if err != nil {
				t.Fatal(err)
			}
			text = string(encoded)
		}
		env = append(env, "TF_VAR_"+name+"="+text)
	}
	return env
}

// A platform starts bridges with what it was given by Terraform.
type platform struct {
	w       *workspace
	token   session.Token
	applied []string // folders of stand-ins
}

// docker is a PATH on which docker notes that it was called.
func (p *platform) docker() string {
	p.w.t.Helper()
	folder := p.w.t.TempDir()
	script := "#!/bin/sh\n[ \"$*\" = 'compose up --detach' ] && touch started\n"
	program := filepath.Join(folder, "docker")
	if err := os.WriteFile(program, []byte(script), 0o700); err != nil { //nolint:gosec // a program
		p.w.t.Fatal(err)
	}
	return "PATH=" + folder + string(os.PathListSeparator) + providertest.Path(p.w.t)
}

// start waits for what is given, and starts bridges, until end is called, which returns it.
func (p *platform) start() (end func() given) {
	ctx, cancel := context.WithCancel(p.w.t.Context())
	var g given
	var wait sync.WaitGroup
	wait.Go(func() {
		for ctx.Err() == nil {
			g = p.read()
			if g.settings["SCIMBRIDGE_REVISION"] != "" && g.session != "" {
				p.run(g)
				return
			}
			select {
			case <-ctx.Done():
			case <-time.After(100 * time.Millisecond):
			}
		}
	})
	return func() given {
		cancel()
		wait.Wait()
		return g
	}
}

// run starts as many bridges as the examples ask for.
func (p *platform) run(g given) {
	var flags []string
	for name, value := range g.settings {
		switch name {
		case "SCIMBRIDGE_REVISION", "SCIMBRIDGE_SESSION", "SCIMBRIDGE_UNSEAL_TOKEN_FILE", "SCIMBRIDGE_LISTEN":
		default:
			flags = append(flags, toFlag(name)+"="+value)
		}
	}
	for range 2 {
		providertest.NewBridge(p.w.t, g.session, g.settings["SCIMBRIDGE_REVISION"], &p.token, flags...)
	}
}

// given is what a container or a machine was given.
type given struct {
	settings       map[string]string
	session, token string
}

// read returns what there is so far.
func (p *platform) read() given {
	g := given{settings: make(map[string]string)}
	for _, folder := range p.applied {
		all, err := appliedIn(folder)
		if err != nil {
			p.w.t.Error(err)
		}
		for file, text := range all {
			var resource any
			if err := json.Unmarshal(text, &resource); err != nil {
				p.w.t.Errorf("%s: %v", file, err)
			}
			g.walk(resource)
		}
	}
	if _, err := os.Stat(filepath.Join(p.w.dir, "started")); err == nil {
		composed, err := compose(p.w.dir)
		if err != nil {
			p.w.t.Error(err)
		}
		g.walk(composed)
	}
	return g
}

// walk finds settings and a session wherever a platform has them.
func (g *given) walk(node any) {
	switch node := node.(type) {
	case map[string]any:
		if name, _ := node["name"].(string); strings.HasPrefix(name, "SCIMBRIDGE_") {
			g.settings[name], _ = node["value"].(string)
		}
		for name, value := range node {
			if text, ok := value.(string); ok && strings.HasPrefix(name, "SCIMBRIDGE_") {
				g.settings[name] = text
			}
			g.walk(value)
		}
	case []any:
		for _, item := range node {
			g.walk(item)
		}
	case string:
		g.text(node)
	}
}

// text looks into a session, a token, a document, or the lines of a file of settings.
func (g *given) text(text string) {
	if _, err := session.ParseToken(text); err == nil {
		g.token = text
		return
	}
	if _, sealed := session.Sealed(text); sealed {
		g.session = text
		return
	}
	if strings.HasPrefix(text, "#cloud-config\n") || strings.HasPrefix(text, "[") {
		var document any
		if err := yaml.Unmarshal([]byte(text), &document); err == nil { // JSON is YAML, too
			g.walk(document)
		}
		return
	}
	for line := range strings.Lines(text) {
		if name, value, ok := strings.Cut(strings.TrimSpace(line), "="); ok && strings.HasPrefix(name, "SCIMBRIDGE_") {
			g.settings[name] = value
		}
	}
}

// compose reads a project as docker compose does.
func compose(folder string) (document map[string]any, err error) {
	file, err := os.ReadFile(filepath.Join(folder, ".env"))
	if err != nil {
		return nil, err
	}
	values := make(map[string]string)
	for line := range strings.Lines(string(file)) {
		name, value, _ := strings.Cut(strings.TrimSpace(line), "=")
		values[name] = value
	}
	text, err := os.ReadFile(filepath.Join(folder, "compose.yaml"))
	if err != nil {
		return nil, err
	}
	missing := ""
	required := regexp.MustCompile(`\$\{([A-Z_]+):\?[^}]*\}`)
	expanded := required.ReplaceAllStringFunc(string(text), func(match string) string {
		name, _, _ := strings.Cut(match[2:], ":")
		if values[name] == "" {
			missing = name
		}
		return values[name]
	})
	if missing != "" {
		return nil, fmt.Errorf(".env has no %s", missing)
	}
	return document, yaml.Unmarshal([]byte(expanded), &document)
}
