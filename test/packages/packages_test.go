//go:build release

package packages

import (
	"context"
	"flag"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge/certificate/certificatetest"
)

var (
	dist      = flag.String("dist", "../../dist", "folder with what make snapshot has made")
	terraform = flag.String("terraform", "", "a terraform or tofu program, or a list of which the first is taken")
	next      = flag.String("next", "../../bin/next/scim-bridge", "a scim-bridge of version 99.0.0, to upgrade to")
)

// Where CI is set nothing may be missing. Elsewhere one line says what is.
func TestMain(m *testing.M) {
	flag.Parse()
	if missing := prepare(); missing != "" {
		fmt.Fprintln(os.Stderr, "the packages are not tested:", missing)
		if os.Getenv("CI") != "" {
			os.Exit(1)
		}
		return
	}
	os.Exit(m.Run())
}

// nextVersion is what -next says of itself.
const nextVersion = "99.0.0"

const (
	units    = "scim-bridge-account scim-bridge"
	database = "sqlite:/var/lib/scim-bridge-account/account.db"
	onBridge = "scim-bridge status --local"
)

// artefacts are the files that the test installs.
type artefacts struct{ deb, rpm, nextDeb, version, shared string }

// release gathers the packages in a folder to share with the machine, with a
// mirror of the provider and Terraform.
func release(t *testing.T) artefacts {
	t.Helper()
	shared := t.TempDir()
	one := func(pattern, to string) string {
		found, err := filepath.Glob(filepath.Join(*dist, pattern))
		if err != nil || len(found) != 1 {
			t.Fatalf("%s in %s: %v, %v; want one file: run make snapshot", pattern, *dist, found, err)
		}
		name := filepath.Base(found[0])
		copyFile(t, found[0], filepath.Join(shared, to, name))
		return name
	}
	platform := "linux_" + runtime.GOARCH
	a := artefacts{
		shared: shared,
		deb:    one("scim-bridge_*_"+platform+".deb", ""),
		rpm:    one("scim-bridge_*_"+platform+".rpm", ""),
	}
	for _, registry := range []string{"registry.terraform.io", "registry.opentofu.org"} {
		provider := one("terraform-provider-scimbridge_*_"+platform+".zip", "mirror/"+registry+"/scimbridge/scimbridge")
		a.version = strings.Split(provider, "_")[1]
	}
	if *terraform == "" {
		t.Fatal("-terraform names no program: run make test-packages")
	}
	program, err := exec.LookPath(filepath.SplitList(*terraform)[0])
	if err != nil {
		t.Fatal(err)
	}
	copyFile(t, program, filepath.Join(shared, "terraform"))
	config := `provider_installation { filesystem_mirror { path = "/packages/mirror" } }` + "\n"
	if err := os.WriteFile(filepath.Join(shared, "terraformrc"), []byte(config), 0o644); err != nil {
		t.Fatal(err)
	}
	a.nextDeb = repack(t, filepath.Join(shared, a.deb), shared)
	return a
}

func copyFile(t *testing.T, from, to string) {
	t.Helper()
	data, err := os.ReadFile(from)
	if err == nil {
		err = os.MkdirAll(filepath.Dir(to), 0o755)
	}
	if err == nil {
		err = os.WriteFile(to, data, 0o755)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// repack makes a later version of a deb, with a program that says so.
func repack(t *testing.T, deb, folder string) (name string) {
	t.Helper()
	name = "scim-bridge_" + nextVersion + "_linux.deb"
	files := filepath.Join(t.TempDir(), "files")
	host(t, "dpkg-deb", "--raw-extract", deb, files)
	copyFile(t, *next, filepath.Join(files, "usr/bin/scim-bridge"))
	control := filepath.Join(files, "DEBIAN/control")
	text, err := os.ReadFile(control)
	if err != nil {
		t.Fatal(err)
	}
	text = regexp.MustCompile(`(?m)^Version: .*$`).ReplaceAll(text, []byte("Version: "+nextVersion))
	if err := os.WriteFile(control, text, 0o644); err != nil {
		t.Fatal(err)
	}
	host(t, "sh", "-c", `cd "$1" && find usr etc -type f -exec md5sum {} + > DEBIAN/md5sums`, "sh", files)
	host(t, "dpkg-deb", "--root-owner-group", "-Znone", "--build", files, filepath.Join(folder, name))
	return name
}

// host runs a command on this machine.
func host(t *testing.T, name string, args ...string) {
	t.Helper()
	text, err := exec.CommandContext(t.Context(), name, args...).CombinedOutput()
	if err != nil {
		t.Fatalf("%s %q: %v: %s", name, args, err, text)
	}
}

// newMachine boots a machine that has the packages in /packages, and Terraform.
func newMachine(t *testing.T, a artefacts) *machine {
	t.Helper()
	m := boot(t, debian(t), map[string]string{a.shared: "/packages"})
	m.run("ln -s /packages/terraform /usr/local/bin/terraform; mkdir -p /root/guide; cat > /root/guide/.shell <<END\n" +
		"export TF_CLI_CONFIG_FILE=/packages/terraformrc CHECKPOINT_DISABLE=1\nEND")
	return m
}

// The deb, from its installation to its purge. What an operator does are the
// commands of the guide, as printed.
func TestTheDebIsInstalledUsedUpgradedAndPurged(t *testing.T) {
	a := release(t)
	m := newMachine(t, a)
	g := readGuide(t)
	m.run("cp /packages/*.deb /root/guide/")

	out := g.follow(m, "Install", "scim-bridge_0.1.0_linux_amd64.deb", a.deb)
	if !strings.Contains(out, "nothing of it is started") {
		t.Errorf("dpkg -i said: %s", out)
	}
	completed(m, "/usr/share/zsh/vendor-completions")
	for _, unit := range strings.Fields(units) {
		if out, err := m.try("systemctl is-enabled " + unit); err == nil || strings.TrimSpace(out) != "disabled" {
			t.Errorf("%s is %s after the installation", unit, out)
		}
		if out, err := m.try("systemctl is-active " + unit); err == nil || strings.TrimSpace(out) != "inactive" {
			t.Errorf("%s is %s after the installation", unit, out)
		}
	}
	if out := m.run("systemd-analyze verify scim-bridge.service scim-bridge-account.service 2>&1"); out != "" {
		t.Errorf("systemd-analyze verify: %s", out)
	}

	// What the units say when they are started too early, and that it helps.
	m.run("systemctl start scim-bridge scim-bridge-account")
	m.awaitOutput("journalctl -u scim-bridge-account", "there is no database /var/lib/scim-bridge-account/account.db; "+
		"create it with scim-bridge account init --database "+database)
	m.run("scim-bridge account init --database " + database + " --name Example > /root/token")
	m.awaitOutput("systemctl is-active scim-bridge-account; scim-bridge account token list --database " + database)
	m.awaitOutput(onBridge+" || [ $? = 1 ]", "(session_unreadable",
		"Correct the credential scim-bridge.session and restart")
	m.run("systemctl stop " + units + "; rm -rf /var/lib/scim-bridge-account /var/lib/private/scim-bridge-account")

	g.follow(m, "Make the account")
	m.awaitOutput("systemctl is-active scim-bridge-account")
	// Terraform takes no pre-release, as a snapshot is, unless its version is named.
	g.follow(m, "Activate provisioning", `source = "scimbridge/scimbridge"`,
		`source = "scimbridge/scimbridge", version = "`+a.version+`"`)
	g.follow(m, "Give the bridge its session")
	healthy(m)
	if out := g.follow(m, "See it work"); !strings.Contains(out, "connection test   3      3      -        -") ||
		!strings.Contains(out, "@example.com: ") {
		t.Errorf("See it work: %s", out)
	}
	m.part(t, "the units keep to themselves", confined)
	if out := g.follow(m, "Look after it"); !strings.Contains(out, "The database is sound: ") ||
		!strings.Contains(out, "The firewall is enforced again.") {
		t.Errorf("Look after it: %s", out)
	}
	m.part(t, "root leaves no file that the account cannot open", rootsFiles)
	m.part(t, "a bridge without its token is unsealed as its page says", unsealed)

	for _, unit := range strings.Fields(units) {
		before := m.run("systemctl show -P MainPID " + unit)
		m.run("kill -9 " + before)
		m.awaitOutput(fmt.Sprintf("[ $(systemctl show -P MainPID %s) != %s ] && systemctl is-active %[1]s", unit,
			strings.TrimSpace(before)), "active")
	}
	healthy(m)

	g.follow(m, "Rotate the credentials")
	healthy(m)
	g.follow(m, "Encrypt the credentials")
	healthy(m)
	m.run("test ! -e /etc/credstore/scim-bridge.bearer-token")

	m.part(t, "the bridge serves HTTPS by certificate files, and follows them", secured)

	before := m.leader
	_, _ = m.try("systemctl reboot") // ends with the machine
	m.awaitBoot(before)
	healthy(m)

	m.run("echo SCIMBRIDGE_LOG_LEVEL=debug >> /etc/scim-bridge/bridge.env")
	people := m.run("scim-bridge account check --database " + database)
	g.follow(m, "Upgrade", "scim-bridge_0.2.0_linux_amd64.deb", a.nextDeb)
	m.awaitOutput(onBridge, "version              "+nextVersion)
	healthy(m)
	m.has("tail -1 /etc/scim-bridge/bridge.env", "SCIMBRIDGE_LOG_LEVEL=debug")
	if after := m.run("scim-bridge account check --database " + database); after != people ||
		!strings.Contains(people, " 3 of them provisioned") {
		t.Errorf("before the upgrade: %safter it: %s", people, after)
	}

	m.run("echo correct-horse > /etc/credstore/scim-bridge.smtp-password")
	m.run("dpkg --remove scim-bridge")
	m.run("! find /usr/share -type f -name '*scim-bridge*' | grep .") // completion, which is nobody's settings
	for _, unit := range strings.Fields(units) {
		if out, err := m.try("systemctl is-active " + unit); err == nil {
			t.Errorf("%s is %s after the removal", unit, out)
		}
	}
	m.has("ls /etc/scim-bridge /etc/credstore.encrypted /var/lib/private/scim-bridge-account", "bridge.env",
		"scim-bridge.bearer-token", "account.db")
	m.run("dpkg --purge scim-bridge")
	m.run("rm -r /root/guide /etc/systemd/system/scim-bridge.service.d") // which are the operator's
	if out := leftovers(m); out != "" {
		t.Errorf("after the purge there are:\n%s", out)
	}
}

// completed looks for the files by which shells complete command lines: each is where its shell looks, and is what the
// program prints. The folder of zsh is another one in each family of distributions, and only that one has it.
func completed(m *machine, zsh string) {
	m.t.Helper()
	const bash = "/usr/share/bash-completion/completions/scim-bridge"
	files := map[string]string{
		"bash": bash, "fish": "/usr/share/fish/vendor_completions.d/scim-bridge.fish", "zsh": zsh + "/_scim-bridge",
	}
	for shell, path := range files {
		m.has("stat -c '%a %U %G' "+path, "644 root root")
		m.run("scim-bridge completion " + shell + " | cmp - " + path)
	}
	m.has("source "+bash+"; complete -p scim-bridge", " scim-bridge")
	found := strings.Fields(m.run("find /usr/share -path '*complet*' -name '*scim-bridge*' -o -name _scim-bridge"))
	slices.Sort(found)
	if want := slices.Sorted(maps.Values(files)); !slices.Equal(found, want) {
		m.t.Errorf("the files of shells are %q, want %q", found, want)
	}
}

// leftovers lists what has the name of something of ours.
func leftovers(m *machine) string {
	m.t.Helper()
	return m.run(`find / -xdev -path /packages -prune -o -path /var/log/journal -prune -o -iname '*scim*bridge*' ` +
		`-print`)
}

// healthy waits until both units run and the bridge is open and well.
func healthy(m *machine) {
	m.t.Helper()
	m.awaitOutput("systemctl is-active scim-bridge-account && "+onBridge, "state                healthy")
}

// confined looks at what the processes may do, and at what others may read.
func confined(m *machine) {
	t := m.t
	for _, unit := range strings.Fields(units) {
		pid := strings.TrimSpace(m.run("systemctl show -P MainPID " + unit))
		m.has("cat /proc/"+pid+"/limits", "Max core file size        0                    0")
		m.has("cat /proc/"+pid+"/status", "NoNewPrivs:\t1", "Seccomp:\t2", "CapEff:\t0000000000000000",
			"CapBnd:\t0000000000000000")
		if uid := m.run("stat -c %u /proc/" + pid); strings.TrimSpace(uid) == "0" {
			t.Errorf("%s runs as root", unit)
		}
		m.has("stat -c %a /var/lib/private/"+unit, "700")
		if out, err := m.try("setpriv --reuid 65534 --clear-groups ls -L /var/lib/" + unit + "/"); err == nil {
			t.Errorf("another user sees %s", out)
		}
		figure := m.run("systemd-analyze security " + unit + " | tail -1")
		exposure := regexp.MustCompile(`: (\d+\.\d) OK`).FindStringSubmatch(figure)
		if exposure == nil {
			t.Fatalf("systemd-analyze security: %s", figure)
		}
		if f, _ := strconv.ParseFloat(exposure[1], 64); f > 1.5 {
			t.Error(figure)
		}
		t.Log(unit, strings.TrimSpace(figure))
	}
	m.has("stat -L -c %a /var/lib/scim-bridge/control.sock", "600")
	if out,
		err := m.try("setpriv --reuid 65534 --clear-groups cat /run/credentials/scim-bridge.service/*"); err == nil {
		t.Errorf("another user reads credentials: %s", out)
	}
	if out := m.run("journalctl -o cat -u scim-bridge -u scim-bridge-account"); strings.Contains(out,
		strings.TrimSpace(m.run("cat /root/guide/bearer-token"))) {
		t.Error("the journal has the bearer token")
	}
	m.has("journalctl -o cat -u scim-bridge", "listening")
}

// secured gives the bridge a certificate as its settings and the guide say, renews it, and takes it back. The unit's
// user exists only while it runs: a group that the unit has may read the key.
func secured(m *machine) {
	t := m.t
	authority := certificatetest.New(t, "Example Root")
	write := func() {
		cert, key := authority.Issue(certificatetest.Loopback("scim.example.com"))
		m.run("umask 027; cd /etc/scim-bridge/tls; cat > bridge.crt <<'END'\n" + string(cert) + string(authority.PEM) +
			"END\ncat > bridge.key <<'END'\n" + string(key) + "END\nchgrp ssl-cert bridge.*")
	}
	m.run("cp /etc/scim-bridge/bridge.env /root/bridge.env; getent group ssl-cert || groupadd --system ssl-cert; " +
		"install -d -m 0750 -g ssl-cert /etc/scim-bridge/tls")
	write()
	m.run("mkdir -p /etc/systemd/system/scim-bridge.service.d; " +
		"printf '[Service]\\nSupplementaryGroups=ssl-cert\\n' > /etc/systemd/system/scim-bridge.service.d/tls.conf; " +
		"sed -i 's/^#\\(SCIMBRIDGE_TLS_\\(CERT\\|KEY\\)_FILE=\\)/\\1/' /etc/scim-bridge/bridge.env; " +
		"echo SCIMBRIDGE_LISTEN=127.0.0.1:8443 >> /etc/scim-bridge/bridge.env; " +
		"systemctl daemon-reload; systemctl restart scim-bridge")
	m.awaitOutput("scim-bridge ping --url https://127.0.0.1:8443", "https://127.0.0.1:8443/ping: 200 OK")
	healthy(m)
	const shown = "journalctl -o cat -u scim-bridge | grep -c 'certificate: certificate: names='"
	m.awaitOutput(shown, "1")
	write()
	m.awaitOutput(shown, "2")
	healthy(m)
	m.run("mv /root/bridge.env /etc/scim-bridge/bridge.env; " +
		"rm -r /etc/scim-bridge/tls /etc/systemd/system/scim-bridge.service.d/tls.conf; " +
		"systemctl daemon-reload; systemctl restart scim-bridge")
	healthy(m)
}

// rootsFiles kills a command of root that has the database open while the
// account is stopped: what it leaves behind must not keep the account from starting.
func rootsFiles(m *machine) {
	t := m.t
	m.run("systemctl stop scim-bridge-account")
	m.run("scim-bridge account serve --database " + database + " --listen 127.0.0.1:8700 >/root/log 2>&1 & " +
		"until grep -q listening /root/log; do sleep 0.1; done; kill -9 $!; wait $! || true")
	owners := strings.Fields(m.run("stat -c %u /var/lib/scim-bridge-account/ /var/lib/scim-bridge-account/account.db*"))
	if len(owners) != 4 {
		t.Fatalf("the killed command left %d files, want folder, database, log and index", len(owners))
	}
	for _, owner := range owners {
		if owner == "0" || owner != owners[0] {
			t.Errorf("the files belong to the users %v", owners)
		}
	}
	m.run("systemctl start scim-bridge-account")
	healthy(m)
}

// unsealed restarts the bridge without the bearer token, and runs the command
// that it prints.
func unsealed(m *machine) {
	m.run("mv /etc/credstore/scim-bridge.bearer-token /root/; systemctl restart scim-bridge")
	m.awaitOutput(onBridge+" || [ $? = 1 ]", "state                sealed", "`scim-bridge unseal /var/lib/scim-bridge`")
	m.has("scim-bridge unseal /var/lib/scim-bridge < /root/guide/bearer-token", "the bridge is unsealed")
	healthy(m)
	m.run("mv /root/scim-bridge.bearer-token /etc/credstore/; systemctl restart scim-bridge")
	healthy(m)
}

// One unit runs account and bridge, as the guide says.
func TestOneUnitRunsAccountAndBridge(t *testing.T) {
	a := release(t)
	m := newMachine(t, a)
	g := readGuide(t)
	m.run("dpkg -i /packages/" + a.deb)
	for _, b := range g["Activate provisioning"] {
		if b.file != "" {
			text := strings.Replace(b.text, `source = "scimbridge/scimbridge"`,
				`source = "scimbridge/scimbridge", version = "`+a.version+`"`, 1)
			m.run("cat > /root/guide/" + b.file + " <<'END'\n" + text + "END")
		}
	}
	g.follow(m, "Account and bridge in one unit")
	const here, well = "sqlite:/var/lib/scim-bridge/account.db", "state                healthy"
	m.awaitOutput(onBridge, well)
	if out, err := m.try("systemctl is-active scim-bridge-account"); err == nil {
		t.Errorf("the account's unit is %s", out)
	}
	m.has("cd /root/guide; scim-bridge simulate --idp okta --url http://127.0.0.1:3002 --token-file bearer-token "+
		"--people 3 --keep", "connection test   3      3      -        -")
	m.has("scim-bridge account check --database "+here, " 3 of them provisioned")

	before := strings.TrimSpace(m.run("systemctl show -P MainPID scim-bridge"))
	m.run("kill -9 " + before)
	m.awaitOutput("[ $(systemctl show -P MainPID scim-bridge) != "+before+" ] && "+onBridge, well)
	m.run(preamble + "scim-bridge token > bearer-token; " +
		"TF_VAR_bearer_token=\"$(cat bearer-token)\" terraform apply; " +
		"cp bearer-token /etc/credstore/scim-bridge.bearer-token; systemctl restart scim-bridge")
	m.awaitOutput(onBridge, well)
	m.has("scim-bridge account check --database "+here, "The database is sound")

	m.run("dpkg --purge scim-bridge; rm -r /root/guide")
	if out := leftovers(m); out != "" {
		t.Errorf("after the purge there are:\n%s", out)
	}
}

// The rpm, installed, put over itself as by an upgrade, and erased, in a Debian
// whose rpm knows nothing of Debian's packages.
func TestTheRPMIsInstalledUpgradedAndErased(t *testing.T) {
	a := release(t)
	m := newMachine(t, a)
	g := readGuide(t)
	rpm := "/packages/" + a.rpm
	m.has("rpm -K "+rpm, "digests OK")
	m.has("rpm -qp --requires "+rpm, "systemd >= 252")
	m.has("rpm -i --nodeps "+rpm+" 2>&1", "nothing of it is started")
	completed(m, "/usr/share/zsh/site-functions")
	if out, err := m.try("systemctl is-active " + units); err == nil || strings.Contains(out, "\nactive") {
		t.Errorf("after the installation the units are %s", out)
	}
	g.follow(m, "Make the account")
	m.awaitOutput("systemctl is-active scim-bridge-account", "active")
	m.run("echo SCIMBRIDGE_LOG_LEVEL=debug >> /etc/scim-bridge/account.env")
	before := strings.TrimSpace(m.run("systemctl show -P MainPID scim-bridge-account"))
	m.run("rpm -U --nodeps --replacepkgs " + rpm)
	m.awaitOutput("systemctl is-active scim-bridge-account && [ $(systemctl show -P MainPID scim-bridge-account) != "+
		before+" ]", "active")
	m.has("tail -1 /etc/scim-bridge/account.env", "SCIMBRIDGE_LOG_LEVEL=debug")
	m.has("scim-bridge account check --database "+database, "The database is sound")
	m.run("rpm -e scim-bridge")
	if out, err := m.try("systemctl is-active scim-bridge-account"); err == nil {
		t.Errorf("after the removal the account is %s", out)
	}
	m.run("test -f /var/lib/scim-bridge-account/account.db")
	g.follow(m, "Remove")
	m.run("rm -r /root/guide")
	if out := leftovers(m); out != "" {
		t.Errorf("after the removal by hand there are:\n%s", out)
	}
}

// A test that is killed leaves no process and no mount behind.
func TestNothingOutlivesAKilledTest(t *testing.T) {
	const helper = "SCIMBRIDGE_TEST_BOOT"
	if os.Getenv(helper) != "" {
		m := boot(t, debian(t), nil)
		fmt.Println("booted", m.leader)
		<-t.Context().Done() // it is killed
		return
	}
	cmd := exec.CommandContext(context.WithoutCancel(t.Context()), os.Args[0], "-test.run", "^"+t.Name()+"$")
	cmd.Env = append(os.Environ(), helper+"=1", "TMPDIR="+t.TempDir())
	var out lockedBuffer
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	}()
	var leader string
	await(t, "the machine of the other test to boot", func() bool {
		found := regexp.MustCompile(`(?m)^booted (\d+)$`).FindStringSubmatch(out.String())
		if found != nil {
			leader = found[1]
		}
		return leader != ""
	})
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait()
	await(t, "the machine to end", func() bool {
		_, err := os.Stat("/proc/" + leader)
		return os.IsNotExist(err)
	})
	for _, pattern := range controlGroups(t.Name() + "*") { // empty ones are all that is left
		groups, _ := filepath.Glob(pattern)
		for _, group := range groups {
			removeControlGroup(t, group)
		}
	}
	mounts, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(string(mounts), t.TempDir()) {
		t.Errorf("something is still mounted:\n%s", mounts)
	}
}
