//go:build engines

package engines

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"math/big"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/moby/moby/client"
	"golang.org/x/crypto/bcrypt"

	"github.com/moby/moby/api/types/container"

	"github.com/scimbridge/terraform-provider-scimbridge/provider/deploy/docker/engine"
)

// The second host: a network of its own, with an engine, two SSH servers and a registry. Its files are in hostFolder,
// since only processes and addresses are apart.
const (
	hostName     = "host2"
	hostAddress  = "10.201.0.2"
	hostFolder   = "/run/" + hostName
	hostSocket   = hostFolder + "/docker.sock"
	hostRegistry = "127.0.0.1:5000" // as its own engine calls it
)

// TestHosts connects to an engine on another host, by each way that there is.
func TestHosts(t *testing.T) {
	inNamespaces(t)
	clearDockerSettings(t)
	makeHost(t)
	ca := makeCertificates(t)
	startOn(t, "dockerd", "dockerd", "--log-level", "warn", "--bridge", "none", "--iptables=false", "--group", "root",
		"--host", "unix://"+hostSocket, "--host", "tcp://"+hostAddress+":2376", "--tlsverify",
		"--tlscacert", hostFolder+"/ca.pem", "--tlscert", hostFolder+"/server.pem", "--tlskey",
		hostFolder+"/server-key.pem",
		"--data-root", hostFolder+"/data", "--exec-root", hostFolder+"/exec", "--pidfile", hostFolder+"/pid",
		"--cgroup-parent", group)
	local := engine.Config{Host: "unix://" + hostSocket}
	await(t, "the second host's engine", func() bool {
		c, err := engine.Open(t.Context(), local)
		if err == nil {
			c.Close()
		}
		return err == nil
	})
	startSSH(t, "2222", "")
	startSSH(t, "2223", "AllowStreamLocalForwarding no\n")
	startSSH(t, "2224", "AllowStreamLocalForwarding no\nForceCommand /bin/false\n")
	startRegistry(t)

	t.Run("SSH", testSSH)
	t.Run("TLS", func(t *testing.T) { testHostTLS(t, ca) })
	t.Run("an engine that is away", testAway)
	t.Run("a registry with a password", func(t *testing.T) { testRegistry(t, local) })
}

// clearDockerSettings makes the settings of ssh and the docker command those of a new user.
func clearDockerSettings(t *testing.T) {
	t.Helper()
	for _, name := range []string{"DOCKER_HOST", "DOCKER_CONTEXT", "DOCKER_TLS_VERIFY", "DOCKER_CERT_PATH",
		"DOCKER_CONFIG",
		"SSH_AUTH_SOCK"} {
		t.Setenv(name, "")
	}
	t.Setenv("HOME", t.TempDir())
}

// makeHost makes the network, and a user without rights there.
func makeHost(t *testing.T) {
	t.Helper()
	command(t, "mkdir", "-p", hostFolder, "/run/sshd")
	command(t, "ip", "netns", "add", hostName)
	command(t, "ip", "link", "add", "to-host2", "type", "veth", "peer", "name", "uplink", "netns", hostName)
	command(t, "ip", "address", "add", "10.201.0.1/24", "dev", "to-host2")
	command(t, "ip", "link", "set", "to-host2", "up")
	command(t, "ip", "-n", hostName, "address", "add", hostAddress+"/24", "dev", "uplink")
	command(t, "ip", "-n", hostName, "link", "set", "uplink", "up")
	command(t, "ip", "-n", hostName, "link", "set", "lo", "up")

	users, err := os.ReadFile("/etc/passwd")
	if err != nil {
		t.Fatal(err)
	}
	file := hostFolder + "/passwd"
	users = append(users, "operator:*:2000:2000::"+hostFolder+":/bin/sh\n"...)
	if err := os.WriteFile(file, users, 0o644); err != nil {
		t.Fatal(err)
	}
	// Neither the mount nor the link is seen outside the tests' namespaces.
	command(t, "mount", "--bind", file, "/etc/passwd")
}

// startOn starts a program on the second host that ends with the test.
func startOn(t *testing.T, name string, args ...string) {
	t.Helper()
	file, err := os.Create(filepath.Join(t.TempDir(), name+".log"))
	if err != nil {
		t.Fatal(err)
	}
	// The command ip would hide the control groups.
	cmd := exec.CommandContext(context.WithoutCancel(t.Context()), "nsenter",
		append([]string{"--net=/run/netns/" + hostName}, args...)...)
	cmd.Stdout, cmd.Stderr = file, file
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Signal(syscall.SIGTERM) // nsenter has become the program
		_ = cmd.Wait()
		if log, err := os.ReadFile(file.Name()); t.Failed() && err == nil {
			t.Logf("log of %s:\n%s", name, log)
		}
	})
}

// startSSH starts an SSH server with two keys of its own. Root and the operator sign in with the key in hostFolder.
func startSSH(t *testing.T, port, more string) {
	t.Helper()
	folder := filepath.Join(hostFolder, "ssh-"+port)
	if err := os.Mkdir(folder, 0o755); err != nil {
		t.Fatal(err)
	}
	for _, kind := range []string{"rsa", "ed25519"} {
		command(t, "ssh-keygen", "-q", "-t", kind, "-N", "", "-f", filepath.Join(folder, kind))
	}
	if _, err := os.Stat(hostFolder + "/id"); err != nil {
		command(t, "ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", hostFolder+"/id")
		command(t, "cp", hostFolder+"/id", hostFolder+"/locked")
		command(t, "ssh-keygen", "-q", "-p", "-N", "passphrase", "-f", hostFolder+"/locked")
	}
	config := filepath.Join(folder, "sshd_config")
	text := fmt.Sprintf("ListenAddress %s:%s\nHostKey %s/rsa\nHostKey %[3]s/ed25519\nPidFile none\nUsePAM "+
		"no\nStrictModes no\n"+
		"AuthorizedKeysFile %s/id.pub\nPasswordAuthentication no\nPermitRootLogin prohibit-password\n%s",
		hostAddress, port, folder, hostFolder, more)
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	startOn(t, "sshd-"+port, "/usr/sbin/sshd", "-D", "-e", "-f", config)
	await(t, "the SSH server at port "+port, func() bool {
		return exec.CommandContext(t.Context(), "ssh-keyscan", "-p", port, hostAddress).Run() == nil && scan(t, port,
			"rsa") != ""
	})
}

// scan returns the lines of known_hosts for a server's key of one kind.
func scan(t *testing.T, port, kind string) string {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), "ssh-keyscan", "-t", kind, "-p", port, hostAddress).Output()
	if err != nil {
		t.Fatal(err)
	}
	return string(out)
}

func overSSH(t *testing.T, user, port string) engine.Config {
	t.Helper()
	return engine.Config{
		Host: "ssh://" + user + "@" + hostAddress + ":" + port + hostSocket,
		SSH:  engine.SSH{KnownHosts: scan(t, port, "ed25519"), PrivateKeyFile: hostFolder + "/id"},
	}
}

func testSSH(t *testing.T) {
	t.Run("a container's whole life, and a command in it", func(t *testing.T) {
		testContainer(t, overSSH(t, "root",
			"2222"))
	})
	t.Run("by the docker command where forwarding is forbidden", func(t *testing.T) {
		testContainer(t, overSSH(t, "root", "2223"))
	})
	t.Run("nothing is left of a connection", func(t *testing.T) {
		mustAnswer(t, overSSH(t, "root", "2222"))
		await(t, "the SSH connections to end", func() bool {
			out, err := exec.CommandContext(t.Context(), "ss", "-N", hostName, "-Htn", "state", "established", "sport",
				"=",
				":2222").CombinedOutput()
			if err != nil {
				t.Fatalf("%v %s", err, out)
			}
			return len(bytes.TrimSpace(out)) == 0
		})
	})
	t.Run("an RSA key alone is known", func(t *testing.T) {
		config := overSSH(t, "root", "2222")
		config.SSH.KnownHosts = scan(t, "2222", "rsa")
		mustAnswer(t, config)
	})
	t.Run("a hashed file of known hosts", func(t *testing.T) {
		file := filepath.Join(t.TempDir(), "known_hosts")
		if err := os.WriteFile(file, []byte(scan(t, "2222", "ed25519")), 0o600); err != nil {
			t.Fatal(err)
		}
		command(t, "ssh-keygen", "-H", "-f", file)
		config := overSSH(t, "root", "2222")
		config.SSH.KnownHosts, config.SSH.KnownHostsFile = "", file
		mustAnswer(t, config)
	})
	t.Run("an encrypted key with its passphrase", func(t *testing.T) {
		config := overSSH(t, "root", "2222")
		config.SSH.PrivateKeyFile, config.SSH.Passphrase = hostFolder+"/locked", "passphrase"
		mustAnswer(t, config)
	})
	for _, row := range []struct {
		name   string
		change func(*engine.Config)
		want   []string
	}{
		{"a server that is not known", func(c *engine.Config) { c.SSH.KnownHosts = "" },
			[]string{"is not known: ssh-ed25519 SHA256:", "ssh_host_ed25519_key.pub", "[" + hostAddress +
				"]:2222 ssh-"}},
		{"a server with another key than before", func(c *engine.Config) {
			c.SSH.KnownHosts = strings.ReplaceAll(scan(t, "2223", "ed25519"), ":2223", ":2222")
		}, []string{"another key than before", "SHA256:", "replace line 1 of ssh_known_hosts"}},
		{"a user without rights", func(c *engine.Config) { *c = overSSH(t, "operator", "2222") },
			[]string{`the user "operator" must not use the socket`, "sudo usermod -aG docker operator"}},
		{"a machine without the socket", func(c *engine.Config) {
			c.Host = "ssh://root@" + hostAddress +
				":2222/run/none.sock"
		},
			[]string{"the machine has no socket /run/none.sock"}},
		{"a server that allows neither forwarding nor commands", func(c *engine.Config) {
			*c = overSSH(t, "root",
				"2224")
		},
			[]string{"does not forward to the socket", "fails there: it says nothing"}},
		{"a user that is not there", func(c *engine.Config) { *c = overSSH(t, "nobody-here", "2222") },
			[]string{`accepts no key of the user "nobody-here"`}},
	} {
		t.Run(row.name, func(t *testing.T) {
			config := overSSH(t, "root", "2222")
			row.change(&config)
			c, err := engine.Open(t.Context(), config)
			if err == nil {
				c.Close()
				t.Fatal("it connects")
			}
			t.Log(err)
			for _, want := range row.want {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("the error lacks %q: %v", want, err)
				}
			}
		})
	}
}

func mustAnswer(t *testing.T, config engine.Config) {
	t.Helper()
	c, err := engine.Open(t.Context(), config)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	info, err := c.Info(t.Context(), client.InfoOptions{})
	if err != nil || info.Info.DockerRootDir != hostFolder+"/data" {
		t.Errorf("the engine has its data in %s, %v", info.Info.DockerRootDir, err)
	}
}

// testContainer loads the image, runs a bridge from it and a command in it: long requests, and streams both ways.
func testContainer(t *testing.T, config engine.Config) {
	c, err := engine.Open(t.Context(), config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	loadImage(t, c)
	created, err := c.ContainerCreate(t.Context(), client.ContainerCreateOptions{
		Config: &container.Config{Image: image(t), Cmd: []string{"dev", "--data-dir", "dev", "--listen",
			"127.0.0.1:9000"},
			Volumes: map[string]struct{}{"/var/lib/scim-bridge": {}}},
		HostConfig: &container.HostConfig{NetworkMode: "none"},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if _, err := c.ContainerRemove(context.WithoutCancel(t.Context()), created.ID,
			client.ContainerRemoveOptions{Force: true, RemoveVolumes: true}); err != nil {
			t.Error(err)
		}
	})
	if _, err := c.ContainerStart(t.Context(), created.ID, client.ContainerStartOptions{}); err != nil {
		t.Fatal(err)
	}
	command, err := c.ExecCreate(t.Context(), created.ID, client.ExecCreateOptions{AttachStdout: true,
		AttachStdin: true,
		Cmd:         []string{"scim-bridge", "version"}})
	if err != nil {
		t.Fatal(err)
	}
	stream, err := c.ExecAttach(t.Context(), command.ID, client.ExecAttachOptions{})
	if err != nil {
		t.Fatal(err)
	}
	defer stream.Close()
	if err := stream.CloseWrite(); err != nil {
		t.Errorf("the input cannot be ended: %v", err)
	}
	out, err := io.ReadAll(stream.Reader)
	if err != nil || !strings.Contains(string(out), version(t)) {
		t.Errorf("the command says %q, %v", out, err)
	}
}

func loadImage(t *testing.T, c *client.Client) {
	t.Helper()
	file, err := os.Open(archive(t))
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	loaded, err := c.ImageLoad(t.Context(), file)
	if err != nil {
		t.Fatal(err)
	}
	defer loaded.Close()
	if out, err := io.ReadAll(loaded); err != nil || !strings.Contains(string(out), "Loaded image") {
		t.Fatalf("loading the image: %v\n%s", err, out)
	}
}

// makeCertificates makes those of the second host's engine and of its client, and returns the authority's.
func makeCertificates(t *testing.T) (caFile string) {
	t.Helper()
	caFile = hostFolder + "/ca.pem"
	ca, caKey := writeCA(t, caFile)
	for serial, name := range []string{"server", "client"} {
		key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		leaf := &x509.Certificate{SerialNumber: big.NewInt(int64(serial + 2)), NotBefore: ca.NotBefore,
			NotAfter:    ca.NotAfter,
			IPAddresses: []net.IP{net.ParseIP(hostAddress)},
			ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth}}
		der, err := x509.CreateCertificate(rand.Reader, leaf, ca, &key.PublicKey, caKey)
		if err != nil {
			t.Fatal(err)
		}
		private, err := x509.MarshalPKCS8PrivateKey(key)
		if err != nil {
			t.Fatal(err)
		}
		for file, block := range map[string]*pem.Block{
			name + ".pem":     {Type: "CERTIFICATE", Bytes: der},
			name + "-key.pem": {Type: "PRIVATE KEY", Bytes: private},
		} {
			if err := os.WriteFile(filepath.Join(hostFolder, file), pem.EncodeToMemory(block), 0o600); err != nil {
				t.Fatal(err)
			}
		}
	}
	return caFile
}

func testHostTLS(t *testing.T, caFile string) {
	read := func(file string) string {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		return string(text)
	}
	const host = "tcp://" + hostAddress + ":2376"
	good := engine.TLS{CA: read(caFile), Certificate: read(hostFolder + "/client.pem"),
		Key: read(hostFolder + "/client-key.pem")}
	t.Run("a container's whole life, and a command in it", func(t *testing.T) {
		testContainer(t, engine.Config{Host: host, TLS: good})
	})
	t.Run("as the docker command's variables say", func(t *testing.T) {
		folder := t.TempDir()
		for name, file := range map[string]string{"ca.pem": caFile, "cert.pem": hostFolder + "/client.pem",
			"key.pem": hostFolder + "/client-key.pem"} {
			if err := os.WriteFile(filepath.Join(folder, name), []byte(read(file)), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		t.Setenv("DOCKER_HOST", host)
		t.Setenv("DOCKER_TLS_VERIFY", "1")
		t.Setenv("DOCKER_CERT_PATH", folder)
		docker(t, "version") // the variables are right
		mustAnswer(t, engine.Config{})

		// and a context that the docker command makes and uses
		t.Setenv("DOCKER_HOST", "")
		t.Setenv("DOCKER_TLS_VERIFY", "")
		docker(t, "context", "create", "second", "--docker", fmt.Sprintf("host=%s,ca=%s/ca.pem,cert=%[2]s/cert.pem,"+
			"key=%[2]s/key.pem", host, folder))
		mustAnswer(t, engine.Config{Context: "second"})
		docker(t, "context", "use", "second")
		mustAnswer(t, engine.Config{})
		docker(t, "context", "use", "default")
	})
	for _, row := range []struct {
		name string
		tls  engine.TLS
		want string
	}{
		{"no client certificate", engine.TLS{CA: good.CA}, "client certificate"},
		{"no authority", engine.TLS{Certificate: good.Certificate, Key: good.Key}, "not signed by a trusted authority"},
		{"another name", engine.TLS{CA: good.CA, Certificate: good.Certificate, Key: good.Key,
			ServerName: "other.example.com"},
			"its certificate is for another name"},
		{"plain TCP", engine.TLS{}, "it expects TLS"},
	} {
		t.Run(row.name, func(t *testing.T) {
			_, err := engine.Open(t.Context(), engine.Config{Host: host, TLS: row.tls})
			if err == nil || !strings.Contains(err.Error(), row.want) {
				t.Errorf("the error is %v, want %q", err, row.want)
			}
		})
	}
}

// testAway tries hosts of which nothing comes back: an error after one wait, with the host and what to do.
func testAway(t *testing.T) {
	command(t, "ip", "netns", "exec", hostName, "iptables", "-A", "INPUT", "-p", "tcp", "--dport", "2399", "-j", "DROP")
	for _, host := range []string{"tcp://" + hostAddress + ":2399", "ssh://root@" + hostAddress + ":2399",
		"tcp://10.201.0.99:2376"} {
		t.Run(strings.ReplaceAll(host, "/", "_"), func(t *testing.T) {
			t.Parallel()
			began := time.Now()
			_, err := engine.Open(t.Context(), engine.Config{Host: host, SSH: engine.SSH{KnownHosts: "# none\n",
				PrivateKeyFile: hostFolder + "/id"}})
			away, ok := errors.AsType[*engine.Error](err)
			if took := time.Since(began); !ok || took > 19*time.Second || !strings.Contains(away.Host, host) ||
				!strings.Contains(away.Remedy, "firewall") {
				t.Errorf("after %s the error is %v", took, err)
			}
		})
	}
}

const registryPassword = "registry-password-of-the-test"

// startRegistry starts a registry on the second host that wants a password.
func startRegistry(t *testing.T) {
	t.Helper()
	folder := hostFolder + "/registry"
	hash, err := bcrypt.GenerateFromPassword([]byte(registryPassword), bcrypt.MinCost)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(folder, 0o755); err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{
		"htpasswd": "puller:" + string(hash) + "\n",
		"config.yml": "version: 0.1\nstorage:\n  filesystem:\n    rootdirectory: " + folder + "/data\nhttp:\n  addr: " +
			hostRegistry + "\nauth:\n  htpasswd:\n    realm: test\n    path: " + folder + "/htpasswd\n",
	} {
		if err := os.WriteFile(filepath.Join(folder, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	startOn(t, "registry", "docker-registry", "serve", folder+"/config.yml")
	await(t, "the registry", func() bool {
		return exec.CommandContext(t.Context(), "ip", "netns", "exec", hostName, "bash", "-c",
			"exec 3<>/dev/tcp/127.0.0.1/5000").Run() == nil
	})
}

// testRegistry pushes the image and pulls it with credentials from each place that they can be in.
func testRegistry(t *testing.T, config engine.Config) {
	c, err := engine.Open(t.Context(), config)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	loadImage(t, c)
	const name = hostRegistry + "/scim-bridge:private"
	if _, err := c.ImageTag(t.Context(), client.ImageTagOptions{Source: image(t), Target: name}); err != nil {
		t.Fatal(err)
	}
	configured := config
	configured.Registries = map[string]engine.Registry{hostRegistry: {Username: "puller", Password: registryPassword}}
	auth, err := configured.RegistryAuth(t.Context(), name)
	if err != nil {
		t.Fatal(err)
	}
	pushed, err := c.ImagePush(t.Context(), name, client.ImagePushOptions{RegistryAuth: auth})
	if err == nil {
		err = pushed.Wait(t.Context())
	}
	if err != nil {
		t.Fatal(err)
	}
	wrong := config
	wrong.Registries = map[string]engine.Registry{hostRegistry: {Username: "puller", Password: "another-password-7"}}
	login := func(t *testing.T) {
		t.Setenv("DOCKER_CONFIG", t.TempDir())
		docker(t, "--host", "unix://"+hostSocket, "login", "--username", "puller", "--password", registryPassword,
			hostRegistry)
	}
	helper := func(t *testing.T) {
		folder := t.TempDir()
		t.Setenv("DOCKER_CONFIG", folder)
		script := "#!/bin/sh\ntest \"$1\" = get && grep -q '^" + hostRegistry +
			"$' && echo '{\"Username\":\"puller\",\"Secret\":\"" +
			registryPassword + "\"}'\n"
		for file, text := range map[string]string{"docker-credential-test": script,
			"config.json": `{"credsStore":"test"}`} {
			if err := os.WriteFile(filepath.Join(folder, file), []byte(text), 0o700); err != nil {
				t.Fatal(err)
			}
		}
		t.Setenv("PATH", folder+":"+os.Getenv("PATH"))
	}
	for _, row := range []struct {
		name   string
		config engine.Config
		setup  func(t *testing.T)
		fails  bool
	}{
		{"configured", configured, func(*testing.T) {}, false},
		{"stored by docker login", config, login, false},
		{"of a credential helper", config, helper, false},
		{"none", config, func(*testing.T) {}, true},
		{"a wrong one", wrong, func(*testing.T) {}, true},
	} {
		t.Run(row.name, func(t *testing.T) {
			row.setup(t)
			if _, err := c.ImageRemove(t.Context(), name, client.ImageRemoveOptions{}); err != nil && !row.fails {
				t.Logf("nothing to remove: %v", err)
			}
			auth, err := row.config.RegistryAuth(t.Context(), name)
			if err != nil {
				t.Fatal(err)
			}
			pulled, err := c.ImagePull(t.Context(), name, client.ImagePullOptions{RegistryAuth: auth})
			if err == nil {
				err = pulled.Wait(t.Context())
			}
			if (err != nil) != row.fails {
				t.Errorf("the pull ends with %v", err)
			}
			if err != nil && strings.Contains(err.Error(), "password-") {
				t.Errorf("the error quotes the password: %v", err)
			}
		})
	}
}

// Podman's sockets offer the same API; the docker command's default does not find them, and the error says so.
func TestPodmansSocket(t *testing.T) {
	inNamespaces(t)
	clearDockerSettings(t)
	t.Setenv("XDG_RUNTIME_DIR", "")
	const socket = "/run/podman/podman.sock"
	command(t, "mkdir", "-p", filepath.Dir(socket))
	cmd := exec.CommandContext(context.WithoutCancel(t.Context()), "podman", "system", "service", "--time", "0",
		"unix://"+socket)
	cmd.Env = append(os.Environ(), "CONTAINERS_CONF="+podmanConfig(t))
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Signal(syscall.SIGTERM)
		_ = cmd.Wait()
	})
	await(t, "Podman's socket", func() bool {
		c, err := engine.Open(t.Context(), engine.Config{Host: "unix://" + socket})
		if err == nil {
			c.Close()
		}
		return err == nil
	})
	if _, err := engine.Open(t.Context(), engine.Config{}); err == nil || !strings.Contains(err.Error(),
		"unix://"+socket) {
		t.Errorf("without a setting: %v", err)
	}
	t.Setenv("DOCKER_HOST", "unix://"+socket)
	c, err := engine.Open(t.Context(), engine.Config{})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if _, err := c.Info(t.Context(), client.InfoOptions{}); err != nil {
		t.Error(err)
	}
}
