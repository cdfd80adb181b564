//go:build engines

package examples

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// toPrimary is how to connect to the server that takes writes. Before the Service leads to it, an attempt ends nowhere,
// and TCP alone gives it up after two minutes.
const toPrimary = "host=postgresql.scim.svc sslmode=verify-full sslrootcert=/run/secrets/tls/ca.crt connect_timeout=5"

// asPostgres is what a standby adds to it.
const asPostgres = " user=postgres passfile=/var/lib/postgresql/data/password"

// settings are those of the database servers, in their data, so that each standby has them from its primary. A standby
// that is promoted therefore acknowledges nothing until it has a standby itself.
var settings = []string{
	"primary_conninfo = '" + toPrimary + asPostgres + " application_name=standby tcp_user_timeout=2000'",
	"synchronous_standby_names = 'standby'", // pg_basebackup has another name
	"wal_keep_size = '256MB'", "wal_retrieve_retry_interval = '100ms'",
	"wal_sender_timeout = '5s'", "wal_receiver_timeout = '5s'",
}

// copyPrimary makes a standby's data, unless they are there already.
const copyPrimary = `
if [ ! -s "$PGDATA/PG_VERSION" ]; then
	umask 077
	echo "*:*:*:postgres:$(cat /run/secrets/postgresql/postgres)" > /var/lib/postgresql/data/password
	pg_basebackup --pgdata="$PGDATA" --wal-method=stream --checkpoint=fast --no-sync \
		--dbname="` + toPrimary + asPostgres + `"
	: > "$PGDATA/standby.signal"
fi
`

// replicate gives the database server a standby that commits wait for. The test does what the operator of
// options/cloudnativepg.yaml does, which cannot run here. The server is started again, since the example admits no
// standby to it.
func (p *production) replicate(t *testing.T) {
	t.Helper()
	hba := p.cluster.Kubectl("-n", "scim", "get", "configmap", "postgresql", "-o", `jsonpath={.data.pg_hba\.conf}`)
	p.patch("configmap/postgresql", map[string]any{"data": map[string]string{
		"pg_hba.conf": hba + "\nhostssl replication postgres all scram-sha-256\n",
	}})
	p.cluster.Kubectl("-n", "scim", "rollout", "restart", "statefulset/postgresql")
	p.await(t)
	manifest := p.cluster.Kubectl("-n", "scim", "get", "statefulset", "postgresql", "-o", "json")
	if err := os.WriteFile(p.manifest(), []byte(manifest), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, setting := range settings {
		p.query("ALTER SYSTEM SET " + setting)
	}
	p.query("SELECT pg_reload_conf()")
	p.lead()
	p.addStandby()
}

// manifest is the file that has the database's StatefulSet as the example made it.
func (p *production) manifest() string { return filepath.Join(p.w.dir, "postgresql.json") }

// patch merges a change into an object.
func (p *production) patch(object string, change any) {
	p.t.Helper()
	text, err := json.Marshal(change)
	if err != nil {
		p.t.Fatal(err)
	}
	p.cluster.Kubectl("-n", "scim", "patch", object, "--type=merge", "--patch", string(text))
}

// query runs a statement at the server that takes writes, and returns its only value.
func (p *production) query(statement string) string {
	p.t.Helper()
	return p.cluster.Kubectl("-n", "scim", "exec", p.servers[0]+"-0", "-c", "postgresql", "--", "psql",
		"--username=postgres", "--no-psqlrc", "--tuples-only", "--no-align", "--command="+statement)
}

// lead leads the Service to the server that takes writes alone, and waits until it does.
func (p *production) lead() {
	p.t.Helper()
	pod := p.servers[0] + "-0"
	p.patch("service/postgresql", map[string]any{"spec": map[string]any{
		"selector": map[string]string{"statefulset.kubernetes.io/pod-name": pod},
	}})
	address := p.cluster.Kubectl("-n", "scim", "get", "pod", pod, "-o", "jsonpath={.status.podIP}")
	// Every promotion begins another timeline, which is in the names of the files of the log.
	const state = "SELECT host(inet_server_addr()), pg_is_in_recovery(), " +
		"left(pg_walfile_name(pg_current_wal_lsn()), 8), current_setting('synchronous_standby_names')"
	const ask = `PGPASSWORD=$(cat /run/secrets/postgresql/password) psql --no-psqlrc --tuples-only --no-align \
		--command="` + state + `" "` + toPrimary + ` user=scimbridge dbname=account"`
	want := fmt.Sprintf("%s|f|%08X|standby", address, p.losses+1)
	p.cluster.Await("the Service to lead to "+pod+" as "+want, func() bool {
		got, err := p.cluster.Try("-n", "scim", "exec", pod, "-c", "postgresql", "--", "sh", "-c", ask)
		return err == nil && got == want
	})
}

// addStandby starts another database server, on a volume of its own, that follows the one that takes writes, and waits
// until that acknowledges what both have, and nothing before.
func (p *production) addStandby() {
	p.t.Helper()
	before := p.front.created()
	name := fmt.Sprintf("postgresql-%d", p.losses+1)
	p.makeVolume(name, "data-"+name+"-0")
	const (
		metadata  = "/spec/template/metadata/labels/app.kubernetes.io~1instance"
		selector  = "/spec/selector/matchLabels/app.kubernetes.io~1instance"
		container = "/spec/template/spec/containers/0"
		first     = "/spec/template/spec/initContainers"
	)
	changes, err := json.Marshal([]map[string]any{
		{"op": "replace", "path": "/metadata", "value": map[string]string{"name": name, "namespace": "scim"}},
		{"op": "add", "path": metadata, "value": name},
		{"op": "add", "path": selector, "value": name},
		{"op": "add", "path": first, "value": []any{}},
		{"op": "copy", "from": container, "path": first + "/0"},
		{"op": "remove", "path": first + "/0/readinessProbe"},
		{"op": "remove", "path": first + "/0/ports"},
		{"op": "replace", "path": first + "/0/name", "value": "copy"},
		{"op": "replace", "path": first + "/0/args", "value": []string{}},
		{"op": "add", "path": first + "/0/command", "value": []string{"sh", "-euc", copyPrimary}},
	})
	if err != nil {
		p.t.Fatal(err)
	}
	p.cluster.Apply(json.RawMessage(p.cluster.Kubectl("patch", "--local", "--filename="+p.manifest(), "--type=json",
		"--patch="+string(changes), "--output=json")))
	p.servers = append(p.servers, name)
	p.cluster.Await("commits to wait for "+name, func() bool {
		created := p.front.created()
		following := p.query(`SELECT count(*) FROM pg_stat_replication
			WHERE application_name = 'standby' AND sync_state = 'sync' AND state = 'streaming'`) == "1"
		if !following && created > before {
			p.t.Fatalf("%d creations were acknowledged while there was no standby", created-before)
		}
		return following
	})
}

// failOver loses the server that takes writes, with its data, and has the standby take over.
func (p *production) failOver(int) {
	p.lose(p.servers[0])
	p.servers = p.servers[1:]
	p.losses++
	p.cluster.Kubectl("-n", "scim", "exec", p.servers[0]+"-0", "-c", "postgresql", "--", "pg_ctl", "promote", "--wait")
	p.lead()
	p.addStandby()
}

// loseOneOfEach loses a bridge and an account server as well, at once.
func (p *production) loseOneOfEach(round int) {
	for _, kind := range []string{"scim-bridge", "account"} {
		p.cluster.Kubectl("-n", "scim", "delete", "pod", p.pod(kind, round), "--force", "--grace-period=0",
			"--wait=false")
	}
	p.kills++
	p.failOver(round)
}

// lose ends a database server as the loss of its machine does: it stops in the midst of what it does, does not come
// back, and its data are gone.
func (p *production) lose(name string) {
	p.t.Helper()
	pod := name + "-0"
	p.cluster.Kubectl("-n", "scim", "delete", "statefulset", name, "--cascade=orphan")
	id := p.cluster.Kubectl("-n", "scim", "get", "pod", pod, "-o",
		`jsonpath={.status.containerStatuses[?(@.name=="postgresql")].containerID}`)
	_, container, _ := strings.Cut(id, "://")
	first := p.process(container)
	// The kubelet asks a pod that is deleted to end, which it would do in good order: it is stopped before, and killed
	// after.
	out, err := exec.CommandContext(p.t.Context(), "ctr", "-n", "k8s.io", "tasks", "kill", "--all", "-s", "SIGSTOP",
		container).CombinedOutput()
	if err != nil {
		p.t.Fatalf("%v: %s", err, out)
	}
	p.cluster.Kubectl("-n", "scim", "delete", "pod", pod, "--grace-period=1", "--wait=false")
	// By its process: containerd may wait two minutes for one that was begun in the container, and is stopped, too.
	if err := first.Kill(); err != nil && !errors.Is(err, os.ErrProcessDone) { // the kubelet may be faster
		p.t.Fatal(err)
	}
	p.cluster.Await(pod+" to be gone", func() bool {
		_, err := p.cluster.Try("-n", "scim", "get", "pod", pod)
		return err != nil && strings.Contains(err.Error(), "NotFound")
	})
	p.cluster.Kubectl("-n", "scim", "delete", "pvc", "data-"+pod)
	p.cluster.Kubectl("delete", "pv", name)
	if err := os.RemoveAll(p.volumes[name]); err != nil {
		p.t.Fatal(err)
	}
}

// process is the first process of a container, with which all others end.
func (p *production) process(container string) *os.Process {
	p.t.Helper()
	out, err := exec.CommandContext(p.t.Context(), "ctr", "-n", "k8s.io", "tasks", "ls").CombinedOutput()
	if err != nil {
		p.t.Fatalf("%v: %s", err, out)
	}
	_, line, _ := strings.Cut(string(out), container)
	var pid int
	if _, err := fmt.Sscan(line, &pid); err != nil {
		p.t.Fatalf("there is no process of %s in %s: %v", container, out, err)
	}
	process, err := os.FindProcess(pid)
	if err != nil {
		p.t.Fatal(err)
	}
	return process
}
