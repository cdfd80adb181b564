//go:build engines

package kubernetes

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"
)

// Node is the address of the node, which pods reach as well.
const Node = "10.77.0.1"

// Pods is the network of the pods.
const Pods = "10.88.0.0/24"

const (
	services     = "10.96.0.0/16"
	firstService = "10.96.0.1" // the API server's
	nodeName     = "node"
	pauseImage   = "scimbridge.test/pause:1"
	// group is above the control groups of the pods; the script .ci/engines removes it.
	group = "/scimbridge-engines"
)

// Patience bounds every wait; only what is broken reaches it.
const Patience = 4 * time.Minute

// A Cluster is one that runs until the test ends.
type Cluster struct {
	Kubeconfig string // of an administrator
	Image      string // of the bridge, by its digest; the node has it

	t       testing.TB
	dir     string
	program string // the folder cluster's
	parts   []*part
}

// A part is a process of the cluster.
type part struct {
	name string
	log  string // path
	cmd  *exec.Cmd
	done chan struct{}
}

// Start starts a cluster of one node, and waits until a pod can be made.
func Start(t testing.TB) *Cluster {
	t.Helper()
	if _, err := os.Stat("/run/tmp"); err != nil || os.Getpid() != 1 {
		t.Fatal("these tests are run by `make test-engines`, in namespaces of their own")
	}
	program, err := filepath.Abs(filepath.Join(top(t), "bin/cluster"))
	if err != nil {
		t.Fatal(err)
	}
	c := &Cluster{t: t, dir: t.TempDir(), program: program}
	c.Kubeconfig = c.path("admin.kubeconfig")
	t.Cleanup(c.stop)
	begun := time.Now()
	c.connect()
	c.certify()
	c.startRuntime()
	c.load()
	c.startControl()
	c.serveNames()
	c.startNode()
	t.Logf("the cluster is ready after %s", time.Since(begun).Round(100*time.Millisecond))
	return c
}

// top is the repository.
func top(t testing.TB) string {
	t.Helper()
	folder, err := os.Getwd()
	for err == nil {
		if _, err := os.Stat(filepath.Join(folder, "GNUmakefile")); err == nil {
			return folder
		}
		if folder == filepath.Dir(folder) {
			break
		}
		folder = filepath.Dir(folder)
	}
	t.Fatalf("the repository is not above the working directory (%v)", err)
	return ""
}

func (c *Cluster) path(name string) string { return filepath.Join(c.dir, name) }

func (c *Cluster) write(name, text string) string {
	c.t.Helper()
	if err := os.WriteFile(c.path(name), []byte(text), 0o600); err != nil {
		c.t.Fatal(err)
	}
	return c.path(name)
}

// connect gives the node its address: the API server takes none of loopback.
func (c *Cluster) connect() {
	c.t.Helper()
	for _, line := range []string{
		"link add node0 type veth peer name node1", "link set node0 up", "link set node1 up",
		"addr add " + Node + "/24 dev node0", "route add default via 10.77.0.254",
	} {
		c.run("ip", strings.Fields(line)...)
	}
	if err := os.WriteFile("/proc/sys/net/ipv4/ip_forward", []byte("1"), 0o600); err != nil {
		c.t.Fatal(err)
	}
	// With the second version of control groups, the kubelet wants these in the group.
	if file, err := os.OpenFile("/sys/fs/cgroup/cgroup.subtree_control", os.O_WRONLY, 0); err == nil {
		_, err := file.WriteString("+cpu +cpuset +memory +pids")
		if err = errors.Join(err, file.Close()); err != nil {
			c.t.Fatal(err)
		}
	}
	controllers, err := filepath.Glob("/sys/fs/cgroup/*/cgroup.procs")
	if err != nil {
		c.t.Fatal(err)
	}
	for _, file := range append(controllers, "/sys/fs/cgroup/cgroup.procs") {
		if _, err := os.Stat(file); err != nil {
			continue // with the first version of control groups, nothing is at the top
		}
		if err := os.MkdirAll(filepath.Join(filepath.Dir(file), group), 0o755); err != nil {
			c.t.Fatal(err)
		}
	}
}

// run runs a program to its end, and returns what it printed.
func (c *Cluster) run(program string, args ...string) string {
	c.t.Helper()
	out, err := exec.CommandContext(context.WithoutCancel(c.t.Context()), program, args...).CombinedOutput()
	if err != nil {
		c.t.Fatalf("%s %s: %v\n%s", filepath.Base(program), strings.Join(args, " "), err, out)
	}
	return string(out)
}

// start starts a part, which runs until the test ends.
func (c *Cluster) start(name, program string, args ...string) {
	c.t.Helper()
	p := &part{name: name, log: c.path(name + ".log"), done: make(chan struct{})}
	log, err := os.Create(p.log)
	if err != nil {
		c.t.Fatal(err)
	}
	defer log.Close()
	p.cmd = exec.CommandContext(context.WithoutCancel(c.t.Context()), program, args...)
	p.cmd.Stdout, p.cmd.Stderr = log, log
	if err := p.cmd.Start(); err != nil {
		c.t.Fatal(err)
	}
	go func() {
		_ = p.cmd.Wait()
		close(p.done)
	}()
	c.parts = append(c.parts, p)
}

// part starts a part of the program in the folder cluster.
func (c *Cluster) part(name string, args ...string) {
	c.t.Helper()
	c.start(name, c.program, append([]string{name}, args...)...)
}

// stop ends the parts, the last one first: the API server does not end without etcd. What does not end the kernel ends
// with the namespace.
func (c *Cluster) stop() {
	c.kill()
	for i := len(c.parts) - 1; i >= 0; i-- {
		p := c.parts[i]
		_ = p.cmd.Process.Signal(syscall.SIGTERM)
		select {
		case <-p.done:
		case <-time.After(10 * time.Second):
			_ = p.cmd.Process.Kill()
			<-p.done
		}
		if log, err := os.ReadFile(p.log); c.t.Failed() && err == nil {
			c.t.Logf("the end of the log of %s:\n%s", p.name, log[max(0, len(log)-3000):])
		}
	}
	c.unmount()
}

// kill ends the containers, which outlive the kubelet and containerd.
func (c *Cluster) kill() {
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	for _, p := range c.parts { // it would start them again
		if p.name == "kubelet" {
			_ = p.cmd.Process.Kill()
			<-p.done
		}
	}
	out, _ := exec.CommandContext(ctx, "ctr", "-n", "k8s.io", "tasks", "list", "-q").Output()
	for _, id := range strings.Fields(string(out)) {
		_ = exec.CommandContext(ctx, "ctr", "-n", "k8s.io", "tasks", "delete", "--force", id).Run()
	}
}

// unmount frees what containers have mounted below the folder, so that it can be removed.
func (c *Cluster) unmount() {
	table, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		return
	}
	var points []string
	for line := range strings.Lines(string(table)) {
		if fields := strings.Fields(line); len(fields) > 4 && strings.HasPrefix(fields[4], c.dir) {
			points = append(points, fields[4])
		}
	}
	for i := len(points) - 1; i >= 0; i-- {
		_ = syscall.Unmount(points[i], syscall.MNT_DETACH)
	}
}

// Await polls until ok, and fails the test if that takes too long or a part has ended.
func (c *Cluster) Await(what string, ok func() bool) {
	c.t.Helper()
	deadline := time.Now().Add(Patience)
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for !ok() {
		for _, p := range c.parts {
			select {
			case <-p.done:
				c.t.Fatalf("while waiting for %s, %s has ended", what, p.name)
			default:
			}
		}
		if time.Now().After(deadline) {
			c.t.Fatalf("timed out after %s waiting for %s", Patience, what)
		}
		<-tick.C
	}
}

// startRuntime starts containerd, with networks of the plugins that Debian has in /usr/lib/cni.
func (c *Cluster) startRuntime() {
	c.t.Helper()
	if err := os.Mkdir(c.path("cni"), 0o700); err != nil {
		c.t.Fatal(err)
	}
	network, err := json.Marshal(map[string]any{
		"cniVersion": "0.4.0", "name": "pods",
		"plugins": []any{map[string]any{
			"type": "bridge", "bridge": "pods0", "isGateway": true, "ipMasq": false, "hairpinMode": true,
			"ipam": map[string]any{
				"type": "host-local", "dataDir": c.path("addresses"),
				"ranges": []any{[]any{map[string]string{"subnet": Pods}}},
				"routes": []any{map[string]string{"dst": "0.0.0.0/0"}},
			},
		}},
	})
	if err != nil {
		c.t.Fatal(err)
	}
	c.write("cni/10-pods.conflist", string(network))
	config := c.write("containerd.toml", fmt.Sprintf(`version = 2
root = %[1]q
state = "/run/containerd"
disabled_plugins = ["io.containerd.internal.v1.opt"]
[grpc]
address = "/run/containerd/containerd.sock"
[plugins."io.containerd.grpc.v1.cri"]
sandbox_image = %[2]q
restrict_oom_score_adj = true
[plugins."io.containerd.grpc.v1.cri".cni]
bin_dir = "/usr/lib/cni"
conf_dir = %[3]q
[plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
runtime_type = "io.containerd.runc.v2"
`, c.path("containerd"), pauseImage, c.path("cni")))
	c.start("containerd", "containerd", "--config", config, "--log-level", "warn")
	c.Await("containerd", func() bool {
		return exec.CommandContext(c.t.Context(), "ctr", "version").Run() == nil
	})
}

// load puts the images on the node: the bridge's, and one that holds a pod's namespaces.
func (c *Cluster) load() {
	c.t.Helper()
	files, err := filepath.Glob(filepath.Join(top(c.t), "bin/image/scim-bridge_*_image_linux_"+runtime.GOARCH+".tar"))
	if err != nil || len(files) != 1 {
		c.t.Fatalf("found %q, %v: run `make image`", files, err)
	}
	c.run("ctr", "-n", "k8s.io", "images", "import", files[0])
	// NAME TYPE DIGEST SIZE...
	lines := strings.Split(c.run("ctr", "-n", "k8s.io", "images", "list"), "\n")
	if len(lines) < 2 || len(strings.Fields(lines[1])) < 3 {
		c.t.Fatalf("%s was loaded, and the images are %q", files[0], lines)
	}
	loaded := strings.Fields(lines[1])
	name, _, _ := strings.Cut(loaded[0], ":")
	c.Image = name + "@" + loaded[2]
	c.run("ctr", "-n", "k8s.io", "images", "tag", loaded[0], c.Image)
	c.run("ctr", "-n", "k8s.io", "images", "import", c.writePause())
}

func (c *Cluster) startControl() {
	c.t.Helper()
	c.part("etcd", "--data-dir", c.path("etcd"))
	c.part("kube-apiserver",
		"--etcd-servers=http://127.0.0.1:2379", "--advertise-address="+Node, "--secure-port=6443",
		"--service-cluster-ip-range="+services, "--authorization-mode=RBAC",
		"--service-account-issuer=https://kubernetes.default.svc",
		"--service-account-key-file="+c.path("accounts.key"),
		"--service-account-signing-key-file="+c.path("accounts.key"),
		"--client-ca-file="+c.path("ca.pem"),
		"--tls-cert-file="+c.path("server.pem"), "--tls-private-key-file="+c.path("server.key"),
		"--kubelet-client-certificate="+c.path("admin.pem"), "--kubelet-client-key="+c.path("admin.key"),
		"--kubelet-preferred-address-types=InternalIP")
	c.Await("the API server", func() bool { return c.try("get", "--raw", "/readyz") == nil })
	c.part("kube-controller-manager", "--kubeconfig="+c.Kubeconfig, "--leader-elect=false",
		"--service-account-private-key-file="+c.path("accounts.key"), "--root-ca-file="+c.path("ca.pem"))
	c.part("kube-scheduler", "--kubeconfig="+c.Kubeconfig, "--leader-elect=false")
}

func (c *Cluster) startNode() {
	c.t.Helper()
	config, err := json.Marshal(map[string]any{
		"apiVersion": "kubelet.config.k8s.io/v1beta1", "kind": "KubeletConfiguration",
		"containerRuntimeEndpoint": "unix:///run/containerd/containerd.sock",
		"cgroupDriver":             "cgroupfs", "cgroupRoot": group, "failCgroupV1": false,
		"featureGates":           map[string]bool{"KubeletInUserNamespace": true},
		"enforceNodeAllocatable": []string{}, "maxOpenFiles": 20000, "failSwapOn": false,
		"volumePluginDir": c.path("plugins"), "podLogsDir": c.path("pods"),
		"authentication": map[string]any{
			"anonymous": map[string]bool{"enabled": false}, "webhook": map[string]bool{"enabled": false},
			"x509": map[string]string{"clientCAFile": c.path("ca.pem")},
		},
		"authorization": map[string]string{"mode": "AlwaysAllow"},
		"resolvConf":    "", "imageGCHighThresholdPercent": 100,
		"clusterDNS": []string{Node}, "clusterDomain": domain,
		"evictionHard": map[string]string{"memory.available": "1Mi"},
	})
	if err != nil {
		c.t.Fatal(err)
	}
	c.part("kubelet", "--kubeconfig="+c.Kubeconfig, "--config="+c.write("kubelet.json", string(config)),
		"--root-dir="+c.path("kubelet"), "--cert-dir="+c.path("kubelet-certificates"),
		"--hostname-override="+nodeName, "--node-ip="+Node)
	config, err = json.Marshal(map[string]any{
		"apiVersion": "kubeproxy.config.k8s.io/v1alpha1", "kind": "KubeProxyConfiguration",
		"clientConnection": map[string]string{"kubeconfig": c.Kubeconfig}, "hostnameOverride": nodeName,
		"mode": "iptables", "conntrack": map[string]int{"maxPerCore": 0, "min": 0}, "clusterCIDR": Pods,
	})
	if err != nil {
		c.t.Fatal(err)
	}
	c.part("kube-proxy", "--config="+c.write("proxy.json", string(config)))
	c.Await("the node to be ready", func() bool {
		out, err := c.Try("get", "node", nodeName, "-o", `jsonpath={.status.conditions[?(@.type=="Ready")].status}`)
		return err == nil && out == "True"
	})
	c.Await("the default service account", func() bool { return c.try("get", "serviceaccount", "default") == nil })
}

// Try runs kubectl as the administrator, and returns what it printed. An error has what it complained of.
func (c *Cluster) Try(args ...string) (string, error) {
	cmd := exec.CommandContext(context.WithoutCancel(c.t.Context()), c.program,
		append([]string{"kubectl", "--request-timeout=1m"}, args...)...)
	cmd.Env = append(os.Environ(), "KUBECONFIG="+c.Kubeconfig, "HOME="+c.dir)
	var faults bytes.Buffer
	cmd.Stderr = &faults
	out, err := cmd.Output()
	if err != nil {
		err = errors.Join(err, errors.New(strings.TrimSpace(faults.String())))
	}
	return strings.TrimSpace(string(out)), err
}

func (c *Cluster) try(args ...string) error {
	_, err := c.Try(args...)
	return err
}

// Kubectl runs kubectl as the administrator, which must succeed.
func (c *Cluster) Kubectl(args ...string) string {
	c.t.Helper()
	out, err := c.Try(args...)
	if err != nil {
		c.t.Fatalf("kubectl %s: %v", strings.Join(args, " "), err)
	}
	return out
}

// Apply applies manifests.
func (c *Cluster) Apply(manifests ...any) {
	c.t.Helper()
	for _, m := range manifests {
		text, err := json.Marshal(m)
		if err != nil {
			c.t.Fatal(err)
		}
		file, err := os.CreateTemp(c.dir, "manifest-*.json")
		if err == nil {
			_, err = file.Write(text)
			err = errors.Join(err, file.Close())
		}
		if err != nil {
			c.t.Fatal(err)
		}
		c.Kubectl("apply", "--filename", file.Name())
	}
}
