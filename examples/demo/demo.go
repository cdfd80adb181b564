//go:build unix

package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// A demo is the folder .demo and what runs in it.
type demo struct {
	root    string // of the repository
	bin     string // the folder of our own programs
	dir     string // where everything is kept
	out     io.Writer
	started time.Time
	ports   ports
}

// ports are chosen once, so that a second run meets what the first started.
type ports struct {
	Account string `json:"account"`
	Bridge  string `json:"bridge"`
}

// companies are the simulated identity providers; each has its own people.
var companies = []struct {
	idp, domain    string
	people, groups string
}{
	{"entra", "example.com", "40", "4"},
	{"okta", "example.org", "25", "3"},
}

func (d *demo) path(name string) string { return filepath.Join(d.dir, name) }
func (d *demo) program() string         { return filepath.Join(d.bin, "scim-bridge") }

// up runs all steps, in the order in which a person would.
func (d *demo) up(ctx context.Context) error {
	d.started = time.Now()
	terraform, err := findTerraform()
	if err != nil {
		return err
	}
	if err := d.prepare(ctx); err != nil {
		return err
	}
	if err := d.account(ctx); err != nil {
		return err
	}
	token, err := d.bearerToken(ctx)
	if err != nil {
		return err
	}
	summary, err := d.terraform(ctx, terraform, token, "apply")
	if err != nil {
		return err
	}
	d.step("terraform apply", summary)
	for _, c := range companies {
		summary, err := d.simulate(ctx, c.idp, c.domain, c.people, c.groups)
		if err != nil {
			return err
		}
		d.step("traffic of "+c.idp, summary)
	}
	if err := d.showArrivals(ctx); err != nil {
		return err
	}
	d.farewell(token, terraform)
	return nil
}

// down stops what up started, and removes the folder when nothing runs in it.
func (d *demo) down(ctx context.Context) error {
	d.started = time.Now()
	if _, err := os.Stat(d.dir); errors.Is(err, fs.ErrNotExist) {
		fmt.Fprintln(d.out, "No demo is here; nothing to end.")
		return nil
	}
	if _, err := os.Stat(d.path("quickstart/terraform.tfstate")); err == nil {
		terraform, err := findTerraform()
		if err != nil {
			return err
		}
		if err := d.prepare(ctx); err != nil {
			return err
		}
		if err := d.account(ctx); err != nil { // whose firewall rule and domains are destroyed
			return err
		}
		summary, err := d.terraform(ctx, terraform, "", "destroy")
		if err != nil {
			return err
		}
		d.step("terraform destroy", summary)
	}
	if err := d.stopAccount(ctx); err != nil {
		return err
	}
	d.step("account service", "stopped")
	if err := os.RemoveAll(d.dir); err != nil {
		return err
	}
	d.step(".demo", "removed")
	return nil
}

// step prints that something is done, and when.
func (d *demo) step(what, result string) {
	fmt.Fprintf(d.out, "%5.1f s  %-18s %s\n", time.Since(d.started).Seconds(), what, result)
}

// moreLeavers merges with the quickstart's configuration. The traffic of each company
// has what its identity provider's own tests send, which delete all that they make: more
// than companies of this size lose in an hour.
const moreLeavers = `resource "scimbridge_provisioning" "this" {
  suspension_limit = "max(100, 5%)/1h"
}
`

// prepare makes the folder, chooses the ports, and lays out the configuration.
func (d *demo) prepare(ctx context.Context) error {
	for _, name := range []string{"scim-bridge", "terraform-provider-scimbridge"} {
		if _, err := os.Stat(filepath.Join(d.bin, name)); err != nil {
			return fmt.Errorf("%s is missing in %s: run make build, or make demo, which does", name, d.bin)
		}
	}
	if err := os.MkdirAll(d.path("quickstart"), 0o700); err != nil {
		return err
	}
	if err := d.choosePorts(ctx); err != nil {
		return err
	}
	examples, err := filepath.Glob(filepath.Join(d.root, "examples", "quickstart", "*.tf"))
	if err != nil || len(examples) == 0 {
		return errors.New("examples/quickstart holds no configuration")
	}
	for _, path := range examples {
		b, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		if err := os.WriteFile(d.path("quickstart/"+filepath.Base(path)), b, 0o600); err != nil {
			return err
		}
	}
	if err := os.WriteFile(d.path("quickstart/demo_override.tf"), []byte(moreLeavers), 0o600); err != nil {
		return err
	}
	domains := make([]string, len(companies))
	for i, c := range companies {
		domains[i] = c.domain
	}
	vars, err := json.MarshalIndent(map[string]any{
		"account_url":    "http://" + d.ports.Account,
		"listen":         d.ports.Bridge,
		"data_dir":       d.path("bridge"),
		"signup_domains": domains,
	}, "", "  ")
	if err != nil {
		return err
	}
	if err := os.WriteFile(d.path("quickstart/terraform.tfvars.json"), vars, 0o600); err != nil {
		return err
	}
	// The provider of this build, without a registry: nothing is downloaded.
	config := fmt.Sprintf("provider_installation {\n  dev_overrides {\n    \"scimbridge/scimbridge\" = %q\n  }\n"+
		"  direct {}\n}\n", d.bin)
	return os.WriteFile(d.path("terraformrc"), []byte(config), 0o600)
}

// choosePorts takes the usual ports, or free ones if somebody has them.
func (d *demo) choosePorts(ctx context.Context) error {
	b, err := os.ReadFile(d.path("ports.json"))
	if err == nil {
		return json.Unmarshal(b, &d.ports)
	}
	if !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if d.ports.Account, err = freeAddress(ctx, "127.0.0.1:8600"); err != nil {
		return err
	}
	if d.ports.Bridge, err = freeAddress(ctx, "127.0.0.1:3002"); err != nil {
		return err
	}
	return d.savePorts()
}

func (d *demo) savePorts() error {
	b, err := json.Marshal(d.ports)
	if err != nil {
		return err
	}
	return os.WriteFile(d.path("ports.json"), b, 0o600)
}

func freeAddress(ctx context.Context, preferred string) (string, error) {
	var config net.ListenConfig
	l, err := config.Listen(ctx, "tcp", preferred)
	if err != nil {
		if l, err = config.Listen(ctx, "tcp", "127.0.0.1:0"); err != nil {
			return "", err
		}
	}
	return l.Addr().String(), l.Close()
}

// findTerraform finds Terraform or OpenTofu.
func findTerraform() (string, error) {
	for _, name := range []string{"terraform", "tofu"} {
		if path, err := exec.LookPath(name); err == nil {
			return path, nil
		}
	}
	return "", errors.New("terraform 1.11 or later (or tofu) is missing in PATH: " +
		"https://developer.hashicorp.com/terraform/install")
}

// bearerToken makes the token that the identity providers use, once.
func (d *demo) bearerToken(ctx context.Context) (string, error) {
	path := d.path("bearer-token")
	if b, err := os.ReadFile(path); err == nil {
		return strings.TrimSpace(string(b)), nil
	}
	token, err := d.command(ctx, "token")
	if err != nil {
		return "", err
	}
	return strings.TrimSpace(token), os.WriteFile(path, []byte(token), 0o600)
}

// command runs scim-bridge and returns its standard output.
func (d *demo) command(ctx context.Context, args ...string) (string, error) {
	var faults bytes.Buffer
	cmd := exec.CommandContext(ctx, d.program(), args...)
	cmd.Stderr = &faults
	out, err := cmd.Output()
	if err != nil {
		return string(out), fmt.Errorf("scim-bridge %s: %w\n%s%s", args[0], err, out, faults.String())
	}
	return string(out), nil
}

// terraform applies or destroys, and returns the line that sums it up.
func (d *demo) terraform(ctx context.Context, program, token, verb string) (string, error) {
	admin, err := os.ReadFile(d.path("admin-token"))
	if err != nil {
		return "", err
	}
	cmd := exec.CommandContext(ctx, program, "-chdir="+d.path("quickstart"), verb, "-auto-approve", "-input=false",
		"-no-color")
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) } // it then writes its state
	cmd.Env = append(os.Environ(),
		"CHECKPOINT_DISABLE=1",
		"TF_CLI_CONFIG_FILE="+d.path("terraformrc"),
		"TF_IN_AUTOMATION=1",
		"SCIMBRIDGE_ACCOUNT_TOKEN="+strings.TrimSpace(string(admin)))
	if token != "" {
		cmd.Env = append(cmd.Env, "TF_VAR_bearer_token="+token)
	}
	out, err := cmd.CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("terraform %s: %w\n%s", verb, err, out)
	}
	for line := range strings.Lines(string(out)) {
		if strings.HasPrefix(line, "Apply complete!") || strings.HasPrefix(line, "Destroy complete!") {
			return strings.TrimSpace(line), nil
		}
	}
	return "done", nil
}

// simulate runs one identity provider's traffic and returns the sum of its report.
func (d *demo) simulate(ctx context.Context, idp, domain, people, groups string) (string, error) {
	out, err := d.command(ctx, "simulate", "--idp", idp, "--url", "http://"+d.ports.Bridge, "--keep", "--json",
		"--token-file", d.path("bearer-token"), "--domain", domain, "--people", people, "--groups", groups)
	if err != nil {
		return "", err
	}
	var report struct {
		Counts struct{ Steps, Right, Wrong int }
	}
	if err := json.Unmarshal([]byte(out), &report); err != nil {
		return "", fmt.Errorf("reading the report of simulate: %w", err)
	}
	n := report.Counts
	return fmt.Sprintf("%d of %d answers right, %d wrong", n.Right, n.Steps, n.Wrong), nil
}

// farewell says where to look and how to stop.
func (d *demo) farewell(token, terraform string) {
	if in, name := filepath.Split(terraform); filepath.Clean(in) != d.bin {
		terraform = name // is in the reader's PATH
	}
	fmt.Fprintf(d.out, `
Status page   http://%s/app
Its token     %s
SCIM URL      http://%[1]s/scim/v2 (to paste into an identity provider, with the token)
Account       http://%[3]s (admin token in .demo/admin-token)

Try           kill the bridge, or change a firewall rule, and see what Terraform says:
              TF_CLI_CONFIG_FILE=.demo/terraformrc SCIMBRIDGE_ACCOUNT_TOKEN=$(cat .demo/admin-token) \
                %[4]s -chdir=.demo/quickstart plan
Again         make demo
Stop          make demo-down
`, d.ports.Bridge, token, d.ports.Account, terraform)
}
