package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"time"
)

// A workspace is a folder in which Terraform runs with the provider that was
// built for this run.
type workspace struct {
	dir       string
	terraform string
	profile   string
	env       []string
	account   *account
}

// A measurement is what one run of Terraform came to.
type measurement struct {
	time          time.Duration
	cpu           time.Duration // of Terraform and the provider
	account       time.Duration // CPU of the account service
	reads, writes int
}

// settings lets Terraform find the provider that was built for this run, and
// the state.
const settings = `
terraform {
  required_providers {
    scimbridge = { source = "registry.terraform.io/scimbridge/scimbridge" }
  }
  backend "http" {
    address = %q
  }
}
`

// newWorkspace makes a workspace whose state lies at a URL.
func newWorkspace(ctx context.Context, o options, bin, dir, state string, a *account) (*workspace, error) {
	cli := filepath.Join(dir, "terraform.rc")
	w := &workspace{dir: dir, terraform: o.terraform, profile: o.profile, account: a, env: []string{
		"PATH=" + os.Getenv("PATH"), "HOME=" + dir,
		"TF_CLI_CONFIG_FILE=" + cli, "TF_IN_AUTOMATION=1", "CHECKPOINT_DISABLE=1",
		"SCIMBRIDGE_ACCOUNT_URL=" + a.url, "SCIMBRIDGE_ACCOUNT_TOKEN=" + a.token,
	}}
	for path, text := range map[string]string{
		cli: fmt.Sprintf("provider_installation {\n  filesystem_mirror { path = %q }\n}\n",
			filepath.Join(bin, mirror)),
		filepath.Join(dir, "settings.tf"): fmt.Sprintf(settings, state),
	} {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			return nil, err
		}
	}
	_, err := w.run(ctx, "", "init")
	return w, err
}

// step runs Terraform over a configuration and says what it cost.
func (w *workspace) step(ctx context.Context, name, config string, args ...string) (m measurement, err error) {
	if err := os.WriteFile(filepath.Join(w.dir, "main.tf"), []byte(config), 0o600); err != nil {
		return m, err
	}
	reads, writes, err := w.account.requests()
	if err != nil {
		return m, err
	}
	spent, err := w.account.cpu()
	if err != nil {
		return m, err
	}
	started := time.Now()
	ended, err := w.run(ctx, name, args...)
	if err != nil {
		return m, err
	}
	m.time = time.Since(started)
	// Terraform waits for the provider's processes, so theirs is in it.
	m.cpu = ended.UserTime() + ended.SystemTime()
	after, err := w.account.cpu()
	if err != nil {
		return m, err
	}
	m.account = after - spent
	if m.reads, m.writes, err = w.account.requests(); err != nil {
		return m, err
	}
	m.reads -= reads
	m.writes -= writes
	return m, nil
}

// run runs Terraform. Names are for profiles.
func (w *workspace) run(ctx context.Context, name string, args ...string) (*os.ProcessState, error) {
	cmd := exec.CommandContext(ctx, w.terraform, append(args, "-no-color", "-input=false")...)
	cmd.Dir, cmd.Env = w.dir, slices.Clone(w.env)
	if w.profile != "" && name != "" {
		cmd.Env = append(cmd.Env, "BENCH_PROFILE="+filepath.Join(w.profile, name))
	}
	out, err := cmd.CombinedOutput()
	if err != nil {
		return nil, fmt.Errorf("%s %s: %w\n%s", w.terraform, args[0], err, out[max(0, len(out)-2000):])
	}
	return cmd.ProcessState, nil
}
