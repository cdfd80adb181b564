package engine

import (
	"context"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"io"
	"net"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/moby/moby/client"
	"golang.org/x/crypto/ssh"
	"golang.org/x/crypto/ssh/agent"
	"golang.org/x/crypto/ssh/knownhosts"
)

// An sshServer forwards to sockets and runs no command.
type sshServer struct {
	address string
	host    ssh.Signer
	user    ssh.Signer // whose key it accepts
	key     string     // of the user, in PEM form

	open   atomic.Int32 // connections
	frozen atomic.Bool  // does not read any more
	all    sync.WaitGroup
}

func newKey(t *testing.T) (ssh.Signer, string) {
	t.Helper()
	_, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	block, err := ssh.MarshalPrivateKey(private, "")
	if err != nil {
		t.Fatal(err)
	}
	signer, err := ssh.NewSignerFromKey(private)
	if err != nil {
		t.Fatal(err)
	}
	return signer, string(pem.EncodeToMemory(block))
}

// newEncryptedKey returns a key in the older of OpenSSH's two forms, since the newer one
// takes seconds to decrypt under the race detector.
func newEncryptedKey(t *testing.T, passphrase string) (ssh.Signer, string) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalECPrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	//nolint:staticcheck // operators have such keys
	block, err := x509.EncryptPEMBlock(rand.Reader, "EC PRIVATE KEY", der, []byte(passphrase), x509.PEMCipherAES256)
	if err != nil {
		t.Fatal(err)
	}
	signer, err := ssh.NewSignerFromKey(private)
	if err != nil {
		t.Fatal(err)
	}
	return signer, string(pem.EncodeToMemory(block))
}

func newSSHServer(t *testing.T) *sshServer {
	t.Helper()
	s := new(sshServer)
	s.host, _ = newKey(t)
	s.user, s.key = newKey(t)
	config := new(ssh.ServerConfig)
	config.PublicKeyCallback = func(_ ssh.ConnMetadata, key ssh.PublicKey) (*ssh.Permissions, error) {
		if string(key.Marshal()) != string(s.user.PublicKey().Marshal()) {
			return nil, errors.New("another key")
		}
		return nil, nil
	}
	config.AddHostKey(s.host)
	listener := listen(t, "tcp", "127.0.0.1:0")
	s.address = listener.Addr().String()
	s.all.Go(func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			s.open.Add(1)
			s.all.Go(func() {
				defer s.open.Add(-1)
				s.serve(&freezing{conn, &s.frozen}, config)
			})
		}
	})
	t.Cleanup(func() {
		listener.Close()
		s.frozen.Store(false)
		s.all.Wait()
	})
	return s
}

// A freezing connection says nothing while frozen.
type freezing struct {
	net.Conn
	frozen *atomic.Bool
}

func (c *freezing) Write(b []byte) (int, error) {
	if c.frozen.Load() {
		return len(b), nil
	}
	return c.Conn.Write(b)
}

func (s *sshServer) serve(conn net.Conn, config *ssh.ServerConfig) {
	defer conn.Close()
	connection, channels, requests, err := ssh.NewServerConn(conn, config)
	if err != nil {
		return
	}
	defer connection.Close()
	go ssh.DiscardRequests(requests)
	for wanted := range channels {
		if wanted.ChannelType() != "direct-streamlocal@openssh.com" {
			_ = wanted.Reject(ssh.Prohibited, "no commands")
			continue
		}
		var to struct {
			Path     string
			Reserved string
			Port     uint32
		}
		if err := ssh.Unmarshal(wanted.ExtraData(), &to); err != nil {
			_ = wanted.Reject(ssh.ConnectionFailed, "")
			continue
		}
		socket, err := (&net.Dialer{}).DialContext(context.Background(), "unix", to.Path)
		if err != nil {
			_ = wanted.Reject(ssh.ConnectionFailed, "open failed")
			continue
		}
		channel, more, err := wanted.Accept()
		if err != nil {
			socket.Close()
			return
		}
		go ssh.DiscardRequests(more)
		go func() {
			_, _ = io.Copy(socket, channel)
			socket.Close()
		}()
		go func() {
			_, _ = io.Copy(channel, socket)
			channel.Close()
		}()
	}
}

func (s *sshServer) knownHosts() string {
	return knownhosts.Line([]string{knownhosts.Normalize(s.address)}, s.host.PublicKey()) + "\n"
}

func (s *sshServer) config(t *testing.T) Config {
	t.Helper()
	return Config{Host: "ssh://operator@" + s.address + engineSocket(t),
		SSH: SSH{KnownHosts: s.knownHosts(), PrivateKey: s.key}}
}

func TestSSHReachesTheSocketOfAnotherMachine(t *testing.T) {
	clearEnvironment(t)
	server := newSSHServer(t)
	mustOpen(t, server.config(t))
}

func TestAServersKeyIsAlwaysChecked(t *testing.T) {
	server := newSSHServer(t)
	other, _ := newKey(t)
	line := strings.TrimSpace(server.knownHosts())
	otherLine := knownhosts.Line([]string{knownhosts.Normalize(server.address)}, other.PublicKey())
	fingerprint := ssh.FingerprintSHA256(server.host.PublicKey())
	for _, row := range []struct {
		name, file, text string
		want             []string // empty if it connects
	}{
		{name: "a file that does not exist", want: []string{"is not known", fingerprint, line, "known_hosts"}},
		{name: "the default file", file: line},
		{name: "lines in the configuration", text: line + "\n"},
		{name: "another server's line", text: knownhosts.Line([]string{"other.example.com"}, server.host.PublicKey()) +
			"\n",
			want: []string{"is not known", fingerprint, line, "ssh_known_hosts"}},
		{name: "a changed key", file: "# comment\n" + otherLine,
			want: []string{"another key than before", fingerprint, line, "line 2"}},
		{name: "a revoked key", text: "@revoked " + line + "\n", want: []string{"is revoked by line 1"}},
		{name: "lines that are none", text: "nonsense\n", want: []string{"ssh_known_hosts cannot be read"}},
	} {
		t.Run(row.name, func(t *testing.T) {
			home := filepath.Dir(clearEnvironment(t))
			if row.file != "" {
				write(t, filepath.Join(home, ".ssh", "known_hosts"), row.file+"\n")
			}
			config := server.config(t)
			config.SSH.KnownHosts = row.text
			if row.want == nil {
				mustOpen(t, config)
				return
			}
			_, err := Open(t.Context(), config)
			if err == nil {
				t.Fatal("it connects")
			}
			for _, want := range row.want {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("the error lacks %q: %v", want, err)
				}
			}
		})
	}
}

// A server has keys of several types; it must be asked for one that is known.
func TestAKnownKeyOfOneTypeIsEnough(t *testing.T) {
	server := newSSHServer(t)
	known, err := SSH{KnownHosts: server.knownHosts()}.hostKeys(server.address)
	if err != nil || strings.Join(known.algorithms, " ") != ssh.KeyAlgoED25519 {
		t.Errorf("it asks for %q, %v", known.algorithms, err)
	}
	known, err = SSH{KnownHosts: "@cert-authority *.example.com " + strings.TrimPrefix(server.knownHosts(),
		knownhosts.Normalize(server.address)+" ") + server.knownHosts()}.hostKeys(server.address)
	if err != nil || !strings.Contains(strings.Join(known.algorithms, " "), ssh.CertAlgoED25519v01) {
		t.Errorf("with an authority it asks for %q, %v", known.algorithms, err)
	}
}

func TestTheKeyToSignInWith(t *testing.T) {
	server := newSSHServer(t)
	_, stranger := newKey(t)
	lockedSigner, locked := newEncryptedKey(t, "right")
	encrypted := newSSHServer(t)
	encrypted.user = lockedSigner
	for _, row := range []struct {
		name  string
		to    *sshServer
		setup func(t *testing.T, home string, config *SSH)
		want  []string // empty if it connects
	}{
		{"in a file", server, func(t *testing.T, home string, c *SSH) {
			c.PrivateKeyFile = filepath.Join(home, "key")
			write(t, c.PrivateKeyFile, server.key)
		}, nil},
		{"in a default file", server, func(t *testing.T, home string, _ *SSH) {
			write(t, filepath.Join(home, ".ssh", "id_ed25519"), server.key)
		}, nil},
		{"of the agent", server, func(t *testing.T, _ string, _ *SSH) { startAgent(t, server.key) }, nil},
		{"none at all", server, func(*testing.T, string, *SSH) {},
			[]string{`accepts no key of the user "operator". Tried: none`, "authorized_keys"}},
		{"another one", server, func(_ *testing.T, _ string, c *SSH) { c.PrivateKey = stranger },
			[]string{"accepts no key", "ssh_private_key_pem (SHA256:"}},
		{"a file that does not exist", server, func(_ *testing.T, home string, c *SSH) {
			c.PrivateKeyFile = filepath.Join(home, "missing")
		}, []string{"cannot read ssh_private_key_file"}},
		{"a text that is none", server, func(_ *testing.T, _ string, c *SSH) { c.PrivateKey = "stored-secret" },
			[]string{"ssh_private_key_pem, which is not a private key"}},
		{"an encrypted one with its passphrase", encrypted, func(_ *testing.T, _ string, c *SSH) {
			c.PrivateKey, c.Passphrase = locked, "right"
		}, nil},
		{"an encrypted one with another passphrase", encrypted, func(_ *testing.T, _ string, c *SSH) {
			c.PrivateKey, c.Passphrase = locked, "stored-secret"
		}, []string{"which ssh_passphrase does not decrypt"}},
		{"an encrypted one without a passphrase", encrypted, func(_ *testing.T, _ string, c *SSH) {
			c.PrivateKey = locked
		},
			[]string{"which is encrypted (set ssh_passphrase"}},
		{"an encrypted default file", encrypted, func(t *testing.T, home string, _ *SSH) {
			write(t, filepath.Join(home, ".ssh", "id_ed25519"), locked)
		}, []string{"id_ed25519, which is encrypted"}},
	} {
		t.Run(row.name, func(t *testing.T) {
			home := filepath.Dir(clearEnvironment(t))
			config := row.to.config(t)
			config.SSH.PrivateKey = ""
			row.setup(t, home, &config.SSH)
			if row.want == nil {
				mustOpen(t, config)
				return
			}
			_, err := Open(t.Context(), config)
			for _, want := range row.want {
				if err == nil || !strings.Contains(err.Error(), want) {
					t.Errorf("the error lacks %q: %v", want, err)
				}
			}
			if err != nil && (strings.Contains(err.Error(), "stored-secret") ||
				strings.Contains(err.Error(), "BEGIN")) {
				t.Errorf("the error quotes its input: %v", err)
			}
		})
	}
}

func startAgent(t *testing.T, key string) {
	t.Helper()
	private, err := ssh.ParseRawPrivateKey([]byte(key))
	if err != nil {
		t.Fatal(err)
	}
	keyring := agent.NewKeyring()
	if err := keyring.Add(agent.AddedKey{PrivateKey: private}); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(filepath.Dir(engineSocket(t)), "agent.sock")
	listener := listen(t, "unix", path)
	t.Setenv("SSH_AUTH_SOCK", path)
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			go func() { _ = agent.ServeAgent(keyring, conn) }()
		}
	}()
}

func TestASocketThatTheServerCannotReachIsExplained(t *testing.T) {
	clearEnvironment(t)
	server := newSSHServer(t)
	config := server.config(t)
	config.Host = "ssh://operator@" + server.address + "/nowhere/docker.sock"
	_, err := Open(t.Context(), config)
	if err == nil || !strings.Contains(err.Error(), "does not forward to the socket /nowhere/docker.sock there") {
		t.Errorf("the error is %v", err)
	}
}

func TestNothingIsLeftOfAnSSHConnection(t *testing.T) {
	clearEnvironment(t)
	server := newSSHServer(t)
	config := server.config(t)
	mustOpen(t, config) // whatever is made once is made now
	before := runtime.NumGoroutine()
	for range 5 {
		mustOpen(t, config)
	}
	await(t, "the SSH connections to end", func() bool { return server.open.Load() == 0 })
	await(t, "the goroutines to end", func() bool { return runtime.NumGoroutine() <= before })
}

func TestRequestsShareOneSSHConnection(t *testing.T) {
	clearEnvironment(t)
	server := newSSHServer(t)
	c, err := Open(t.Context(), server.config(t))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			if _, err := c.Ping(t.Context(), client.PingOptions{}); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	if got := server.open.Load(); got != 1 {
		t.Errorf("there are %d SSH connections, want 1", got)
	}
}

func TestAServerThatFallsSilentEndsTheRequest(t *testing.T) {
	clearEnvironment(t)
	server := newSSHServer(t)
	config := server.config(t)
	config.SSH.keepalive = 50 * time.Millisecond
	at, err := config.resolve()
	if err != nil {
		t.Fatal(err)
	}
	dial, err := config.dialer(at)
	if err != nil {
		t.Fatal(err)
	}
	conn, err := dial(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	server.frozen.Store(true)
	if n, err := conn.Read(make([]byte, 1)); err == nil { // it would wait for ever
		t.Errorf("%d bytes were read", n)
	}
}

func await(t *testing.T, what string, ok func() bool) {
	t.Helper()
	deadline := time.Now().Add(time.Minute)
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for !ok() {
		if time.Now().After(deadline) {
			t.Fatalf("timed out waiting for %s", what)
		}
		<-tick.C
	}
}
