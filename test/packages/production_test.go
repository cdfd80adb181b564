//go:build release

package packages

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge/certificate/certificatetest"
)

// production is the installation of examples/production/vm: the guide's blocks as they are printed, with the example's
// files. Other than printed are the versions of package and provider, and what a machine without the internet cannot
// have: the distribution's packages are there already, and Caddy is its own authority in the place of one by ACME.
type production struct {
	*machine
	guide     guide
	deb, next string // names of the package and of its next version
}

func newProduction(t *testing.T) *production {
	t.Helper()
	a := release(t)
	err := os.CopyFS(filepath.Join(a.shared, "vm"), os.DirFS("../../examples/production/vm"))
	if err != nil {
		t.Fatal(err)
	}
	p := &production{newMachine(t, a), readPart(t, "production.md", "On one machine"), a.deb, a.nextDeb}
	for _, blocks := range p.guide {
		for i := range blocks {
			blocks[i].text = strings.NewReplacer(
				"apt-get install --yes caddy nftables unattended-upgrades", "command -v caddy nft",
				"scim-bridge_0.1.0_linux_amd64.deb", p.deb, "scim-bridge_0.2.0_linux_amd64.deb", p.next,
			).Replace(blocks[i].text)
		}
	}
	// Terraform takes no pre-release, as a snapshot is, unless its version is named.
	p.run(`umask 077; cp -R /packages/vm/. /packages/*.deb /root/guide/; cd /root/guide
		sed -i 's/^\temail it@example.com$/\tlocal_certs\n\tskip_install_trust/' etc/caddy/Caddyfile
		grep -q local_certs etc/caddy/Caddyfile
		sed -i 's|source = "scimbridge/scimbridge"|&\n      version = "` + a.version + `"|' main.tf
		printf '127.0.0.1 localhost\n192.0.2.1 scim.example.com account.example.com\n' > /etc/hosts`)
	p.connect()
	return p
}

// connect gives the machine its public address, and makes a network outside of it, in which are an office, 192.0.2.2,
// and a stranger, 198.51.100.2.
func (p *production) connect() {
	p.t.Helper()
	p.run(`ip netns add outside
		ip link add eth0 type veth peer name eth0 netns outside
		ip addr add 192.0.2.1/24 dev eth0; ip link set eth0 up; ip route add 198.51.100.0/24 dev eth0
		ip -n outside addr add 192.0.2.2/24 dev eth0; ip -n outside addr add 198.51.100.2/24 dev eth0
		ip -n outside link set eth0 up`)
}

// outside is a command of curl in the network outside, which prints the status of the answer.
func outside(arguments string) string {
	return "cd /root/guide; ip netns exec outside curl -sS -m 5 -o /dev/null -w '%{http_code}' " + arguments
}

// scim is a command of curl that sends a SCIM request.
func scim(arguments string) string {
	return `cd /root/guide; curl -sS --fail-with-body -m 30 -H "Authorization: Bearer $(cat bearer-token)" ` +
		"-H 'Content-Type: application/scim+json' " + arguments
}

// create provisions a person.
func (p *production) create(name string) {
	p.t.Helper()
	const schema = "urn:ietf:params:scim:schemas:core:2.0:User"
	person := fmt.Sprintf(`{"schemas":[%q],"userName":%q,"active":true}`, schema, name)
	p.has(scim("-d '"+person+"' https://scim.example.com/scim/v2/Users"), name)
}

// count returns how often a person is there.
func (p *production) count(name string) int {
	p.t.Helper()
	return strings.Count(p.run(scim("https://scim.example.com/scim/v2/Users")), `"userName":"`+name+`"`)
}

// trust lets the machine trust the authority in the place of a public one.
func (p *production) trust() {
	p.t.Helper()
	const root = "/var/lib/caddy/.local/share/caddy/pki/authorities/local/root.crt"
	p.awaitOutput("cp " + root + " /usr/local/share/ca-certificates/caddy.crt && update-ca-certificates")
}

// The example of one machine, from nothing to its loss.
func TestTheProductionExampleOnOneMachine(t *testing.T) {
	p := newProduction(t)
	defer func() {
		if t.Failed() {
			out, _ := p.try("journalctl -b --no-pager -o cat -n 300")
			t.Log(out)
		}
	}()
	p.guide.follow(p.machine, "The machine")
	p.trust()
	if out := p.run("systemd-analyze verify /etc/systemd/system/scim-bridge-account-backup.* 2>&1"); out != "" {
		t.Errorf("systemd-analyze verify: %s", out)
	}
	p.has("apt-config dump", `APT::Periodic::Unattended-Upgrade "1";`, `Unattended-Upgrade::Automatic-Reboot "true";`)

	if out := p.guide.follow(p.machine, "The account and its bridge"); !strings.Contains(out, "Resources: 3 added") {
		t.Errorf("The account and its bridge: %s", out)
	}
	healthy(p.machine)
	out := p.guide.follow(p.machine, "See it work")
	if !strings.Contains(out, "connection test   3      3      -        -") {
		t.Errorf("See it work: %s", out)
	}
	if modes := p.run("stat -c '%a %U' /etc/credstore/*"); modes != strings.Repeat("600 root\n", 3) {
		t.Errorf("the credentials have the modes\n%s", modes)
	}
	p.guide.follow(p.machine, "Watching it")
	p.part(t, "only HTTPS is let in, and only offices to the account", p.closed)
	p.part(t, "Caddy takes certificates of one's own", p.ownCertificates)
	p.part(t, "requests wait while the bridge is restarted", p.restarted)
	p.part(t, "a backup is restored", p.restored)

	before := p.leader
	_, _ = p.try("systemctl reboot") // ends with the machine
	p.awaitBoot(before)
	p.connect()
	healthy(p.machine)
	p.part(t, "after a reboot all is as before", p.closed)

	p.guide.follow(p.machine, "Newer versions")
	p.awaitOutput(onBridge, "version              "+nextVersion)
	healthy(p.machine)
	p.has("head -n 1 /etc/scim-bridge/bridge.env", "# Settings of scim-bridge.service. No secret belongs here")
	p.part(t, "a lost machine is made again", p.lost)
}

// closed asks what is reached from outside.
func (p *production) closed(m *machine) {
	m.run("systemd-run --quiet --unit=listener caddy respond --listen :8700 hello")
	m.awaitOutput("curl -sS http://192.0.2.1:8700", "hello")
	for _, port := range []string{"80", "3002", "8600", "8700"} {
		if out, err := m.try(outside("http://192.0.2.1:" + port + " -m 1")); err == nil ||
			!strings.Contains(out, "timed out") {
			m.t.Errorf("port %s is reached from outside: %s", port, out)
		}
	}
	m.run("systemctl stop listener")
	const (
		metrics = "https://scim.example.com/metrics"
		token   = `-H "Authorization: Bearer $(cat account-token)" https://account.example.com/`
	)
	for _, row := range []struct{ arguments, status string }{
		{"https://scim.example.com/ping", "200"},
		{metrics, "401"},
		{`-H "Authorization: Bearer $(cat monitoring-token)" ` + metrics, "200"},
		{token + "metrics", "200"},
		{token + "v1/account", "200"},
		{"--interface 198.51.100.2 https://scim.example.com/ping", "200"},
		{"--interface 198.51.100.2 " + token + "metrics", "403"},
		// What a stranger says of its address is not believed.
		{"--interface 198.51.100.2 -H 'X-Forwarded-For: 192.0.2.2' " + token + "v1/account", "403"},
	} {
		if out := m.run(outside(row.arguments)); out != row.status {
			m.t.Errorf("%s: %s, want %s", row.arguments, out, row.status)
		}
	}
}

// ownCertificates takes the lines on certificates out of their comments, and puts them back.
func (p *production) ownCertificates(m *machine) {
	authority := certificatetest.New(m.t, "Example Root")
	m.run("cp /etc/caddy/Caddyfile /root/; cat > /root/example-root.crt <<'END'\n" + string(authority.PEM) + "END\n")
	for _, name := range []string{"scim", "account"} {
		template := certificatetest.Loopback(name + ".example.com")
		template.IPAddresses = nil
		cert, key := authority.Issue(template)
		m.run("cd /etc/caddy; install -m 0640 -g caddy /dev/stdin " + name + ".crt <<'END'\n" + string(cert) +
			"END\ninstall -m 0640 -g caddy /dev/stdin " + name + ".key <<'END'\n" + string(key) + "END\n")
	}
	m.run(`sed -i 's/^\t# tls/\ttls/' /etc/caddy/Caddyfile; systemctl reload caddy`)
	m.awaitOutput(outside("--cacert /root/example-root.crt https://scim.example.com/ping"), "200")
	m.awaitOutput(outside("--cacert /root/example-root.crt https://account.example.com/ping"), "204")
	m.run("mv /root/Caddyfile /etc/caddy/; systemctl reload caddy")
	m.awaitOutput(outside("https://scim.example.com/ping"), "200")
}

// restarted sends a request at each of some restarts.
func (p *production) restarted(m *machine) {
	for range 5 {
		m.run("systemctl stop scim-bridge; systemctl start --no-block scim-bridge")
		if out := m.run(outside("https://scim.example.com/ping")); out != "200" {
			m.t.Errorf("beside the start of the bridge the answer is %s", out)
		}
	}
	healthy(m)
}

// restored restores the first backup: what came after it is gone.
func (p *production) restored(m *machine) {
	blocks := p.guide["Backups"]
	p.guide["the backup"], p.guide["the restore"] = blocks[:1], blocks[1:]
	p.create("before@example.com")
	p.guide.follow(m, "the backup")
	p.create("after@example.com")
	m.has("stat -c '%a %U' /var/backups/scim-bridge-account /var/backups/scim-bridge-account/*", "700 root\n600 root\n")
	m.has("systemctl show -P NextElapseUSecRealtime scim-bridge-account-backup.timer", "03:17:00")
	if out := p.guide.follow(m, "the restore"); !strings.Contains(out, "The database is sound") {
		m.t.Errorf("after the restore: %s", out)
	}
	healthy(m)
	if before, after := p.count("before@example.com"), p.count("after@example.com"); before != 1 || after != 0 {
		m.t.Errorf("of a person before the backup there are %d, of one after it %d", before, after)
	}
}

// lost takes everything from the machine but the backups, and makes it again.
func (p *production) lost(m *machine) {
	m.run("dpkg --purge scim-bridge; rm -r /etc/systemd/system/scim-bridge-account-backup.* /etc/caddy/Caddyfile " +
		"/etc/nftables.conf /var/lib/systemd/timers; systemctl daemon-reload; systemctl stop caddy nftables")
	p.guide.follow(m, "The machine", p.deb, p.next)
	m.run(`umask 077; mkdir -p /etc/credstore; cd /root/guide; . ./.shell
		terraform output -raw session > /etc/credstore/scim-bridge.session
		cp bearer-token /etc/credstore/scim-bridge.bearer-token
		cp monitoring-token /etc/credstore/scim-bridge.monitoring-token`)
	p.guide.follow(m, "A lost machine")
	healthy(m)
	if p.count("before@example.com") != 1 {
		m.t.Error("a person of the backup is not there")
	}
}
