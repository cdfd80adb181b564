package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/hashicorp/go-hclog"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge/session"
)

// likeVendorsImage makes the folders of the image, with a session where the vendor's manifests mount it.
func likeVendorsImage(t *testing.T, sealed string) {
	t.Helper()
	before := vendorHome
	vendorHome = filepath.Join(t.TempDir(), "opuser")
	t.Cleanup(func() { vendorHome = before })
	if err := os.MkdirAll(filepath.Dir(mountedSession()), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(mountedSession(), []byte(sealed), 0o440); err != nil {
		t.Fatal(err)
	}
}

func TestTheVendorsUserHasADataFolderOfItsOwn(t *testing.T) {
	likeVendorsImage(t, "")
	if got := dataDirOf(vendorUser); got != filepath.Join(vendorHome, "scim-bridge") {
		t.Errorf("the vendor's user has %s", got)
	}
	for _, uid := range []int{0, 1000, 65532} {
		if got := dataDirOf(uid); got != "/var/lib/scim-bridge" {
			t.Errorf("the user %d has %s", uid, got)
		}
	}
	vendorHome = filepath.Join(t.TempDir(), "nowhere")
	if got := dataDirOf(vendorUser); got != "/var/lib/scim-bridge" {
		t.Errorf("on a machine that is not the image, the user %d has %s", vendorUser, got)
	}
}

func TestASessionIsFoundWhereTheVendorsManifestsMountIt(t *testing.T) {
	_, mounted := newPair(t)
	_, own := newPair(t)
	likeVendorsImage(t, mounted)
	dir := t.TempDir()
	read := readDefaultSession(dir)
	check := func(what, sealed string) {
		t.Helper()
		want, err := session.Parse(sealed)
		if err != nil {
			t.Fatal(err)
		}
		if file, err := read(); err != nil || file.Fingerprint() != want.Fingerprint() {
			t.Errorf("%s is not read: %v", what, err)
		}
	}
	check("the session that is mounted", mounted)
	if err := session.WriteFile(filepath.Join(dir, "session"), own); err != nil {
		t.Fatal(err)
	}
	check("the data folder's, which goes before it,", own)
}

// With no other setting, the vendor's image serves plain HTTP on port 3002.
func TestAMountedSessionMeansPlainHTTP(t *testing.T) {
	likeVendorsImage(t, "{}")
	dir := t.TempDir()
	s, err := parseServe(t, nil, "--data-dir", dir)
	if err != nil || s.address() != ":3002" {
		t.Fatalf("%s, %v", s.address(), err)
	}
	var log bytes.Buffer
	s.listener().warn(hclog.New(&hclog.LoggerOptions{Output: &log}))
	if !strings.Contains(log.String(), "plain HTTP on an address that other machines can reach") ||
		!strings.Contains(log.String(), mountedSession()) {
		t.Errorf("the log: %q", log.String())
	}
	for name, args := range map[string][]string{
		"a session of the operator's":  {"--session", mountedSession()},
		"an address of the operator's": {"--listen", ":3002"},
	} {
		if _, err := parseServe(t, nil, append(args, "--data-dir", dir)...); err == nil {
			t.Errorf("%s: plain HTTP is served unasked", name)
		}
	}
	if err := os.WriteFile(filepath.Join(dir, "session"), []byte("{}"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := parseServe(t, nil, "--data-dir", dir); err == nil {
		t.Error("a session in the data folder: plain HTTP is served unasked")
	}
}
