//go:build engines

package examples

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/http"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account/smtp/smtptest"
	"github.com/scimbridge/terraform-provider-scimbridge/provider/providertest"
	"github.com/scimbridge/terraform-provider-scimbridge/test/certificates"
	"github.com/scimbridge/terraform-provider-scimbridge/test/kubernetes"
)

// production is the installation of examples/production in a cluster: the guide's blocks as they are printed, with the
// example's files. Other than printed are images, the network of the pods, volumes, which somebody has made before,
// the public addresses, at which the test is the Ingress, and the mail server's. What the cluster has not is stood in
// for: cert-manager's controller and the mail server by the test, and the definitions of its resources, of Traefik's
// and of the Prometheus operator's by ones that take anything. Nothing here enforces NetworkPolicies: the API server
// has validated them.
type production struct {
	t       *testing.T
	cluster *kubernetes.Cluster
	ca      *certificates.CA
	w       *workspace
	front   *ingress
	account *ingress
	blocks  map[string][]block // of the guide, by heading
	token   string             // the bearer token
	mails   *smtptest.Server
	servers []string          // the database's StatefulSets: the one that takes writes, and its standby
	volumes map[string]string // folders, by the names of the volumes
	losses  int               // how often a standby took over
	kills   int               // how many account servers were killed, which may have sent a mail
}

func newProduction(t *testing.T) *production {
	t.Helper()
	cluster := kubernetes.Start(t)
	p := &production{
		t: t, cluster: cluster, ca: certificates.NewCA(t), w: newWorkspace(t), blocks: make(map[string][]block),
		servers: []string{"postgresql"}, volumes: make(map[string]string),
	}
	p.front = newIngress(t, p.ca, func() string { return "http://" + p.service("scim-bridge") + ":80" })
	p.account = newIngress(t, p.ca, func() string { return "https://" + p.service("account") + ":8600" })
	pair, err := tls.X509KeyPair(p.ca.Issue("", "", kubernetes.Node))
	if err != nil {
		t.Fatal(err)
	}
	p.mails = smtptest.Serve(t, listen(t), &tls.Config{
		Certificates: []tls.Certificate{pair}, MinVersion: tls.VersionTLS12,
	})
	p.copyFiles(strings.NewReplacer(
		"docker.io/library/postgres:17-bookworm", cluster.LoadPostgres(),
		"ghcr.io/scimbridge/scim-bridge:0.1.0", cluster.Image,
		"10.42.0.0/16", kubernetes.Pods,
		"# SCIMBRIDGE_SMTP_URL: smtp://scimbridge@smtp.example.com:587", "SCIMBRIDGE_SMTP_URL: smtp://"+p.mails.Address,
		"# SCIMBRIDGE_SMTP_PASSWORD_FILE: /run/secrets/smtp/password",
		"SCIMBRIDGE_SMTP_CA_FILE: /run/secrets/tls/ca.crt",
		"# SCIMBRIDGE_MAIL_FROM", "SCIMBRIDGE_MAIL_FROM",
	))
	p.readGuide(strings.NewReplacer(
		"ghcr.io/scimbridge/scim-bridge@sha256:...", cluster.Image,
		"10.42.0.0/16", kubernetes.Pods, "192.0.2.0/24", kubernetes.Node+"/32",
		"ACCOUNT_URL=https://account.example.com", "ACCOUNT_URL="+p.account.address,
		"--url https://scim.example.com", "--url "+p.front.address,
	))
	for _, definition := range []struct{ group, version, kind, plural string }{
		{"cert-manager.io", "v1", "Issuer", "issuers"},
		{"cert-manager.io", "v1", "Certificate", "certificates"},
		{"traefik.io", "v1alpha1", "ServersTransport", "serverstransports"},
		{"monitoring.coreos.com", "v1", "PodMonitor", "podmonitors"},
		{"monitoring.coreos.com", "v1", "PrometheusRule", "prometheusrules"},
	} {
		p.define(definition.group, definition.version, definition.kind, definition.plural)
	}
	p.makeVolume("postgresql", "data-postgresql-0")
	p.makeVolume("account-backup", "account-backup")
	p.w.env = append(p.w.env, "KUBECONFIG="+cluster.Kubeconfig,
		"SSL_CERT_FILE="+filepath.Join(p.w.dir, "authority.pem"),
		"PATH="+filepath.Join(p.w.dir, "bin")+":"+providertest.Installation(t)+":"+providertest.Path(t))
	p.w.write("authority.pem", string(p.ca.PEM))
	p.issue()
	return p
}

// copyFiles copies the example, changed, and what its commands need.
func (p *production) copyFiles(change *strings.Replacer) {
	p.t.Helper()
	err := filepath.WalkDir("production/kubernetes", func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		p.write(path, change.Replace(string(text)), 0o600)
		return nil
	})
	if err != nil {
		p.t.Fatal(err)
	}
	rules, err := os.ReadFile("monitoring/scimbridge.rules.yml")
	if err != nil {
		p.t.Fatal(err)
	}
	p.write("monitoring/scimbridge.rules.yml", string(rules), 0o600)
	config, err := os.ReadFile(p.cluster.Kubeconfig)
	if err != nil {
		p.t.Fatal(err)
	}
	p.write(".kube/config", string(config), 0o600)
	program, err := filepath.Abs("../bin/cluster")
	if err != nil {
		p.t.Fatal(err)
	}
	p.write("bin/kubectl", "#!/bin/sh\nexec "+program+" kubectl \"$@\"\n", 0o700)
}

func (p *production) write(name, text string, mode fs.FileMode) {
	p.t.Helper()
	path := filepath.Join(p.w.dir, name)
	err := os.MkdirAll(filepath.Dir(path), 0o700)
	if err == nil {
		err = os.WriteFile(path, []byte(text), mode)
	}
	if err != nil {
		p.t.Fatal(err)
	}
}

// readGuide reads the blocks of the guide's part on Kubernetes, changed.
func (p *production) readGuide(change *strings.Replacer) {
	p.t.Helper()
	text, err := os.ReadFile("../provider/templates/guides/production.md")
	if err != nil {
		p.t.Fatal(err)
	}
	_, part, found := strings.Cut(string(text), "\n## On Kubernetes\n")
	if !found {
		p.t.Fatal("the guide has no part on Kubernetes")
	}
	part, _, _ = strings.Cut(part, "\n## ")
	for i, section := range strings.Split(part, "\n### ") {
		heading, body, _ := strings.Cut(section, "\n")
		if i == 0 {
			continue // the picture
		}
		var blocks []block
		for _, m := range fence.FindAllStringSubmatch(change.Replace(body), -1) {
			b := block{text: m[3] + "\n"}
			if m[2] == "hcl" {
				name := saved.FindStringSubmatch(m[1])
				if name == nil {
					p.t.Fatalf("before an hcl block it must say where to save it: %s", m[1])
				}
				b.file = name[1]
			}
			blocks = append(blocks, b)
		}
		if 2*len(blocks) != strings.Count(body, "```") {
			p.t.Fatalf("%d blocks are seen in %q", len(blocks), heading)
		}
		p.blocks[heading] = blocks
	}
}

// run runs the blocks of sections in one shell.
func (p *production) run(headings ...string) string {
	p.t.Helper()
	script := "set -euo pipefail\nset -m\nterraform() {\n\tcase $1 in\n\tinit) ;;\n" +
		"\tapply) echo yes | \"$TERRAFORM\" \"$@\" -no-color ;;\n\tesac\n}\n" +
		"trap 'jobs -p | xargs -r kill 2>/dev/null || true' EXIT\n"
	for _, heading := range headings {
		if p.blocks[heading] == nil {
			p.t.Fatalf("the guide has no section %q", heading)
		}
		for _, b := range p.blocks[heading] {
			if b.file != "" {
				b.text = "cat > " + b.file + " <<'END-OF-BLOCK'\n" + b.text + "END-OF-BLOCK\n"
			}
			script += b.text
		}
	}
	begun := time.Now()
	cmd := exec.CommandContext(p.t.Context(), "bash", "-c", script)
	cmd.Dir = filepath.Join(p.w.dir, "production/kubernetes")
	cmd.Env = append(slices.Clone(p.w.env), "TERRAFORM="+providertest.Terraform(p.t))
	cmd.WaitDelay = time.Minute
	out, err := cmd.CombinedOutput()
	if err != nil {
		p.t.Fatalf("%q: %v\n%s\n%s\n%s", headings, err, out, p.cluster.Kubectl("-n", "scim", "get", "all,pvc,events"),
			p.cluster.Kubectl("describe", "nodes"))
	}
	p.t.Logf("%q took %s", headings, time.Since(begun).Round(100*time.Millisecond))
	return string(out)
}

// define makes a resource known, whatever it has.
func (p *production) define(group, version, kind, plural string) {
	p.t.Helper()
	p.cluster.Apply(map[string]any{
		"apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
		"metadata": map[string]string{"name": plural + "." + group},
		"spec": map[string]any{
			"group": group, "scope": "Namespaced",
			"names": map[string]string{"kind": kind, "plural": plural, "singular": strings.ToLower(kind)},
			"versions": []any{map[string]any{
				"name": version, "served": true, "storage": true,
				"schema": map[string]any{"openAPIV3Schema": map[string]any{
					"type": "object", "x-kubernetes-preserve-unknown-fields": true,
				}},
			}},
		},
	})
	p.cluster.Await("the resource "+kind, func() bool {
		_, err := p.cluster.Try("get", plural+"."+group, "-A")
		return err == nil
	})
}

// makeVolume makes a volume for a claim, in the place of a StorageClass.
func (p *production) makeVolume(name, claim string) {
	p.t.Helper()
	folder := p.t.TempDir()
	// The kubelet gives no folder of the node to a pod's group.
	if err := errors.Join(os.Chown(folder, 999, 999), os.Chmod(folder, 0o770)); err != nil {
		p.t.Fatal(err)
	}
	for above := filepath.Dir(folder); above != os.TempDir() && above != "/"; above = filepath.Dir(above) {
		if err := os.Chmod(above, 0o711); err != nil {
			p.t.Fatal(err)
		}
	}
	p.volumes[name] = folder
	p.cluster.Apply(map[string]any{
		"apiVersion": "v1", "kind": "PersistentVolume", "metadata": map[string]string{"name": name},
		"spec": map[string]any{
			"capacity": map[string]string{"storage": "20Gi"}, "accessModes": []string{"ReadWriteOnce"},
			"hostPath": map[string]string{"path": folder, "type": "Directory"},
			"claimRef": map[string]string{"namespace": "scim", "name": claim},
		},
	})
}

// issue does what cert-manager does, until the test ends: it makes a Secret for each Certificate.
func (p *production) issue() {
	ctx, cancel := context.WithCancel(p.t.Context())
	var issuing sync.WaitGroup
	issuing.Go(func() {
		issued := map[string]bool{}
		for ctx.Err() == nil {
			if err := p.issueAll(issued); err != nil {
				p.t.Error(err)
				return
			}
			select {
			case <-ctx.Done():
			case <-time.After(time.Second):
			}
			if len(issued) == 3 {
				return
			}
		}
	})
	p.t.Cleanup(func() { cancel(); issuing.Wait() })
}

func (p *production) issueAll(issued map[string]bool) error {
	out, err := p.cluster.Try("-n", "scim", "get", "certificates.cert-manager.io", "-o", "json")
	if err != nil {
		return nil //nolint:nilerr // there may be no namespace yet
	}
	var list struct {
		Items []struct {
			Spec struct {
				SecretName string   `json:"secretName"`
				DNSNames   []string `json:"dnsNames"`
			} `json:"spec"`
		} `json:"items"`
	}
	if err := json.Unmarshal([]byte(out), &list); err != nil {
		return err
	}
	for _, item := range list.Items {
		if issued[item.Spec.SecretName] {
			continue
		}
		issued[item.Spec.SecretName] = true
		certificate, key := p.ca.Issue("", "", item.Spec.DNSNames...)
		files := map[string]string{"tls.crt": string(certificate), "tls.key": string(key), "ca.crt": string(p.ca.PEM)}
		args := []string{"-n", "scim", "create", "secret", "generic", item.Spec.SecretName, "--type=kubernetes.io/tls"}
		for name, text := range files {
			path := filepath.Join(p.w.dir, item.Spec.SecretName+"-"+name)
			if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
				return err
			}
			args = append(args, "--from-file="+name+"="+path)
		}
		if out, err := p.cluster.Try(args...); err != nil {
			return errors.Join(errors.New(out), err)
		}
	}
	return nil
}

// service returns the address of a Service.
func (p *production) service(name string) string {
	out, err := p.cluster.Try("-n", "scim", "get", "service", name, "-o", "jsonpath={.spec.clusterIP}")
	if err != nil {
		return "127.0.0.1" // there is none yet
	}
	return out
}

// The example runs as its guide has it, and loses nothing while its pods are lost.
func TestTheProductionExampleInACluster(t *testing.T) {
	p := newProduction(t)
	out := p.run("The database", "The account", "The bridges")
	if !strings.Contains(out, "Apply complete! Resources: 4 added") {
		t.Errorf("the apply is not complete:\n%s", out)
	}
	token, err := os.ReadFile(filepath.Join(p.w.dir, "production/kubernetes/bearer-token"))
	if err != nil {
		t.Fatal(err)
	}
	p.token = strings.TrimSpace(string(token))
	t.Run("pods keep the standard, and their number", p.objects)
	t.Run("the account's firewall refuses strangers", p.firewall)
	t.Run("Prometheus is let in as the example says", p.monitoring)
	t.Run("a dump is restored", p.restore)
	t.Run("pods are lost under load, and nothing that was acknowledged", p.faults)
}

func (p *production) objects(t *testing.T) {
	pods := p.cluster.Kubectl("-n", "scim", "get", "pods", "--field-selector=status.phase=Running", "-o",
		`jsonpath={range .items[*]}{.metadata.labels.app\.kubernetes\.io/name}{"\n"}{end}`)
	count := map[string]int{}
	for name := range strings.FieldsSeq(pods) {
		count[name]++
	}
	if count["scim-bridge"] != 3 || count["account"] != 2 || count["postgresql"] != 1 {
		t.Errorf("the pods are %v", count)
	}
	policies := p.cluster.Kubectl("-n", "scim", "get", "networkpolicies,poddisruptionbudgets,cronjobs", "-o", "name")
	for _, want := range []string{
		"networkpolicy.networking.k8s.io/default", "networkpolicy.networking.k8s.io/account",
		"networkpolicy.networking.k8s.io/postgresql", "networkpolicy.networking.k8s.io/scim-bridge",
		"poddisruptionbudget.policy/account", "poddisruptionbudget.policy/scim-bridge", "cronjob.batch/account-backup",
	} {
		if !strings.Contains(policies, want) {
			t.Errorf("there is no %s in\n%s", want, policies)
		}
	}
	// The database takes no connection without TLS.
	_, err := p.cluster.Try("-n", "scim", "exec", "statefulset/postgresql", "--", "psql", "--no-password",
		"postgres://scimbridge@postgresql.scim.svc/account?sslmode=disable")
	if err == nil || !strings.Contains(err.Error(), "no encryption") {
		t.Errorf("a connection without TLS: %v", err)
	}
}

// firewall asks the account which addresses its firewall lets in.
func (p *production) firewall(t *testing.T) {
	token, err := os.ReadFile(filepath.Join(p.w.dir, "production/kubernetes/admin-token"))
	if err != nil {
		t.Fatal(err)
	}
	pod := netip.MustParsePrefix(kubernetes.Pods).Addr().Next().String()
	body := fmt.Sprintf(`{"addresses":[%q,%q,"198.51.100.2"]}`, kubernetes.Node, pod)
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, p.account.address+"/v1/firewall/evaluate",
		strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+strings.TrimSpace(string(token)))
	req.Header.Set("Content-Type", "application/json")
	resp, err := p.account.client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	var answer struct{ Verdicts []struct{ Action string } }
	if err := json.NewDecoder(resp.Body).Decode(&answer); err != nil {
		t.Fatal(err)
	}
	if want := "[{allow} {allow} {deny}]"; fmt.Sprint(answer.Verdicts) != want {
		t.Errorf("%s answers %s with %v, want %s", body, resp.Status, answer.Verdicts, want)
	}
}

// monitoring reads the metrics of each pod as options/prometheus-operator.yaml has it.
func (p *production) monitoring(t *testing.T) {
	p.run("Monitoring")
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(p.ca.PEM)
	client := &http.Client{Timeout: time.Minute, Transport: &http.Transport{
		TLSClientConfig: &tls.Config{RootCAs: roots, ServerName: "account.scim.svc", MinVersion: tls.VersionTLS12},
	}}
	var monitors struct {
		Items []struct {
			Spec struct {
				Selector            struct{ MatchLabels map[string]string }
				PodMetricsEndpoints []struct {
					Port, Scheme  string
					Authorization struct{ Credentials struct{ Name, Key string } }
				}
			}
		}
	}
	list := p.cluster.Kubectl("-n", "scim", "get", "podmonitors", "-o", "json")
	if err := json.Unmarshal([]byte(list), &monitors); err != nil {
		t.Fatal(err)
	}
	asked := 0
	for _, m := range monitors.Items {
		var labels []string
		for name, value := range m.Spec.Selector.MatchLabels {
			labels = append(labels, name+"="+value)
		}
		endpoint := m.Spec.PodMetricsEndpoints[0]
		secret := endpoint.Authorization.Credentials
		token := p.cluster.Kubectl("-n", "scim", "get", "secret", secret.Name, "-o",
			"go-template={{index .data \""+secret.Key+"\" | base64decode}}")
		pods := p.cluster.Kubectl("-n", "scim", "get", "pods", "-l", strings.Join(labels, ","), "-o",
			`jsonpath={range .items[*]}{.status.podIP}:{.spec.containers[0].ports[?(@.name=="`+endpoint.Port+
				`")].containerPort}{"\n"}{end}`)
		for address := range strings.FieldsSeq(pods) {
			scheme := map[bool]string{true: "https", false: "http"}[endpoint.Scheme == "https"]
			req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, scheme+"://"+address+"/metrics", nil)
			if err != nil {
				t.Fatal(err)
			}
			req.Header.Set("Authorization", "Bearer "+token)
			resp, err := client.Do(req)
			if err != nil {
				t.Fatal(err)
			}
			resp.Body.Close()
			if resp.StatusCode != http.StatusOK {
				t.Errorf("%s answers %s", address, resp.Status)
			}
			asked++
		}
	}
	if asked != 5 {
		t.Errorf("%d pods were asked", asked)
	}
}

// restore restores the first dump: what came after it is gone.
func (p *production) restore(t *testing.T) {
	backup := p.blocks["Backup and restore"]
	p.blocks["the backup"], p.blocks["the restore"] = backup[:1], backup[1:]
	p.create(t, "before@example.com")
	p.run("the backup")
	p.create(t, "after@example.com")
	if out := p.run("the restore"); !strings.Contains(out, "The database is sound") {
		t.Errorf("after the restore:\n%s", out)
	}
	if people := p.people(t); people["before@example.com"] == 0 || people["after@example.com"] != 0 {
		t.Errorf("after the restore the people are %v", people)
	}
}

// await waits until every pod is ready.
func (p *production) await(t *testing.T) {
	t.Helper()
	kinds := []string{"deployment/account", "deployment/scim-bridge"}
	for _, name := range p.servers {
		kinds = append(kinds, "statefulset/"+name)
	}
	for _, kind := range kinds {
		p.cluster.Await(kind, func() bool {
			_, err := p.cluster.Try("-n", "scim", "rollout", "status", kind, "--timeout=50s")
			return err == nil
		})
	}
}

// request sends a SCIM request through the Ingress, until the answer is none to come back from.
func (p *production) request(t *testing.T, method, path, body string) (status int, answer map[string]any) {
	t.Helper()
	for until := time.Now().Add(kubernetes.Patience); ; time.Sleep(time.Second) {
		req, err := http.NewRequestWithContext(t.Context(), method, p.front.address+"/scim/v2"+path,
			strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Authorization", "Bearer "+p.token)
		req.Header.Set("Content-Type", "application/scim+json")
		resp, err := p.front.client.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		answer = nil
		err = json.NewDecoder(resp.Body).Decode(&answer)
		resp.Body.Close()
		if resp.StatusCode != http.StatusServiceUnavailable || time.Now().After(until) {
			if err != nil {
				t.Fatalf("%s %s: %s, %v", method, path, resp.Status, err)
			}
			return resp.StatusCode, answer
		}
	}
}

func newPerson(name string) string {
	return fmt.Sprintf(`{"schemas":["urn:ietf:params:scim:schemas:core:2.0:User"],"userName":%q,"active":true}`, name)
}

func (p *production) create(t *testing.T, name string) {
	t.Helper()
	status, answer := p.request(t, http.MethodPost, "/Users", newPerson(name))
	if status != http.StatusCreated {
		t.Fatalf("creating %s is answered with %d %v", name, status, answer)
	}
}

// people returns how often each name is there. Nobody may write meanwhile.
func (p *production) people(t *testing.T) map[string]int {
	t.Helper()
	names := make(map[string]int)
	for start := 1; ; {
		status, page := p.request(t, http.MethodGet, fmt.Sprintf("/Users?count=100&startIndex=%d", start), "")
		list, _ := page["Resources"].([]any)
		if status != http.StatusOK {
			t.Fatalf("the people are answered with %d %v", status, page)
		}
		if len(list) == 0 {
			return names
		}
		for _, item := range list {
			person, _ := item.(map[string]any)
			names[strings.ToLower(fmt.Sprint(person["userName"]))]++
			names[fmt.Sprint(person["id"])]++
		}
		start += len(list)
	}
}

// listen listens at the node's address.
func listen(t *testing.T) net.Listener {
	t.Helper()
	l, err := new(net.ListenConfig).Listen(t.Context(), "tcp", kubernetes.Node+":0")
	if err != nil {
		t.Fatal(err)
	}
	return l
}
