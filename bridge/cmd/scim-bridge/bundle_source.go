package main

import (
	"cmp"
	"io"
	"net/url"
	"regexp"
	"runtime"
	"strings"
	"time"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge/build"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/bundle"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/control"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/health"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/problem"
)

// versions are what a bundle says of the program.
type versions struct {
	Version string `json:"version"`
	Commit  string `json:"commit"`
	Go      string `json:"go"`
	OS      string `json:"os"`
	Arch    string `json:"arch"`
	CPUs    int    `json:"cpus"`
}

func readVersions() versions {
	info := build.Read()
	return versions{info.Version, info.Commit, runtime.Version(), runtime.GOOS, runtime.GOARCH, runtime.NumCPU()}
}

func (v versions) texts() []string { return []string{v.Version, v.Commit, v.Go, v.OS, v.Arch} }

// bundleStatus is control.Status without what another file of a bundle has.
type bundleStatus struct {
	control.Status
	Problems *[]problem.Problem `json:"problems,omitempty"`
	Health   *health.Health     `json:"health,omitempty"`
}

// bundleCertificate says for how long the bridge's certificate is valid.
type bundleCertificate struct {
	NotBefore time.Time `json:"not_before"`
	NotAfter  time.Time `json:"not_after"`
}

// bundleSource returns what support bundles are made of. Somebody whose token the account has not confirmed gets what
// the token gives without the account: health and metrics. It may be one that was replaced.
func (b *runningBridge) bundleSource(complete bool) bundle.Source {
	now := b.status()
	program := readVersions()
	s := bundle.Source{
		Made:      time.Now(),
		Documents: map[string]any{"versions.json": program, "health.json": now.Health},
		Problems:  now.Problems,
		Keep:      append(program.texts(), b.instance, now.AccountID, now.SessionFingerprint),
		Private:   []string{now.Revision, now.ObservedRevision},
		Metrics:   b.metrics.WriteText,
		Journal:   b.journal.Archive().WithoutEvents(), // so that names have the same pseudonyms
	}
	for _, text := range []string{now.PublicURL, now.AccountURL, now.DirectoryURL} {
		if host := plainHost(text); host != "" {
			s.Keep = append(s.Keep, host)
		}
	}
	if !complete {
		const missing = "Configuration, status, certificate, people who wait, log and journal"
		s.Missing = map[string]string{missing: "the account has not confirmed the " +
			"token since the bridge started, and it may be an old one. On the bridge's machine, scim-bridge " +
			"support-bundle DATA_DIR makes a complete bundle without a token."}
		return s
	}
	s.Documents["status.json"] = bundleStatus{Status: now}
	s.Documents["configuration.json"] = b.cfg.settings
	for _, one := range b.cfg.settings {
		s.Keep = append(s.Keep, strings.TrimPrefix(one.Source, sourceVariable)) // names of ours
	}
	if b.cfg.certificate != nil {
		notBefore, notAfter := b.cfg.certificate.Validity()
		s.Documents["certificate.json"] = bundleCertificate{notBefore.UTC(), notAfter.UTC()}
	}
	s.Log = func(w io.Writer) error { _, err := b.cfg.log.WriteTo(w); return err }
	s.Journal = b.journal.Archive()
	s.Waiting = b.watcher.Waiting()
	return s
}

var hostName = regexp.MustCompile(`^(?:[A-Za-z0-9-]{1,30}\.)*[A-Za-z0-9-]{1,30}$`)

// plainHost returns the host of a URL; empty if something else may have been written there.
func plainHost(text string) string {
	u, err := url.Parse(text)
	if err != nil {
		return ""
	}
	host := strings.ToLower(cmp.Or(u.Hostname(), ""))
	if !hostName.MatchString(host) || !strings.Contains(host, ".") {
		return ""
	}
	return host
}
