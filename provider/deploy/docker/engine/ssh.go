package engine

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"sync"
	"time"

	"golang.org/x/crypto/ssh"
)

// An SSH has what an ssh address needs. The zero value means the files in ~/.ssh and the
// agent at SSH_AUTH_SOCK. The file ~/.ssh/config is not read.
type SSH struct {
	KnownHosts     string // lines of known_hosts; excludes KnownHostsFile
	KnownHostsFile string
	PrivateKey     string // in PEM form; excludes PrivateKeyFile
	PrivateKeyFile string
	Passphrase     string // of the private key

	// keepalive is how often a connection is tested, and how long the answer may take;
	// keepaliveInterval if zero.
	keepalive time.Duration
}

const keepaliveInterval = 15 * time.Second

// dialer returns a dialer whose connections share one SSH connection. It is made by the
// first of them and closed with the last.
func (s SSH) dialer(at endpoint) (dialFunc, error) {
	host, err := s.hostKeys(at.sshAddress())
	if err != nil {
		return nil, err
	}
	keys, err := s.keys()
	if err != nil {
		return nil, err
	}
	t := &tunnel{at: at, keepalive: cmp.Or(s.keepalive, keepaliveInterval)}
	t.connect = func(ctx context.Context) (*ssh.Client, error) { return connectSSH(ctx, at, host, keys) }
	return t.dial, nil
}

// sshAddress returns host:port.
func (e endpoint) sshAddress() string {
	if _, _, err := net.SplitHostPort(e.host); err == nil {
		return e.host
	}
	return net.JoinHostPort(strings.Trim(e.host, "[]"), "22")
}

// socketPath returns the path of the engine's socket on the other machine.
func (e endpoint) socketPath() string {
	if strings.Trim(e.path, "/") == "" {
		return "/var/run/docker.sock"
	}
	return e.path
}

// connectSSH connects to the SSH server and signs in.
func connectSSH(ctx context.Context, at endpoint, host hostKeys, keys keyring) (*ssh.Client, error) {
	defer keys.addAgent(ctx)()
	conn, err := new(net.Dialer).DialContext(ctx, "tcp", at.sshAddress())
	if err != nil {
		return nil, explainDial(at, err)
	}
	stop := context.AfterFunc(ctx, func() { conn.Close() }) // during the handshake
	defer stop()
	config := &ssh.ClientConfig{
		User:              cmp.Or(at.user, currentUser()),
		Auth:              []ssh.AuthMethod{ssh.PublicKeysCallback(keys.signers)},
		HostKeyCallback:   host.check,
		HostKeyAlgorithms: host.algorithms,
	}
	connection, channels, requests, err := ssh.NewClientConn(conn, at.sshAddress(), config)
	if err != nil {
		conn.Close()
		return nil, explainHandshake(ctx, at, config.User, keys, err)
	}
	return ssh.NewClient(connection, channels, requests), nil
}

func explainHandshake(ctx context.Context, at endpoint, name string, keys keyring, err error) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if e, ok := errors.AsType[*hostKeyError](err); ok {
		return unreachable(at, e, e.remedy)
	}
	if strings.Contains(err.Error(), "unable to authenticate") {
		return unreachable(at, fmt.Errorf("the SSH server accepts no key of the user %q. Tried: %s", name, keys),
			"Add the public key to ~"+name+"/.ssh/authorized_keys there, or give the right one: ssh_private_key_file, "+
				"ssh_private_key_pem, or an agent (ssh-add)")
	}
	return unreachable(at, fmt.Errorf("the SSH handshake failed: %w", innermost(err)),
		"Check that an SSH server is there: `ssh "+at.command()+"`")
}

// command returns the arguments of the ssh command for the same connection.
func (e endpoint) command() string {
	host, port, _ := net.SplitHostPort(e.sshAddress())
	if e.user != "" {
		host = e.user + "@" + host
	}
	if port != "22" {
		host = "-p " + port + " " + host
	}
	return host
}

// A tunnel is an SSH connection that lives while a connection through it does.
type tunnel struct {
	at        endpoint
	connect   func(context.Context) (*ssh.Client, error)
	keepalive time.Duration

	mu     sync.Mutex
	client *ssh.Client // nil without users
	users  int
}

// dial returns a connection to the engine's socket.
func (t *tunnel) dial(ctx context.Context) (net.Conn, error) {
	client, err := t.acquire(ctx)
	if err != nil {
		return nil, err
	}
	conn, err := t.open(ctx, client)
	if err != nil {
		t.release(client)
		return nil, err
	}
	return &tunnelled{Conn: conn, release: sync.OnceFunc(func() { t.release(client) })}, nil
}

// acquire returns the SSH connection, which the caller must release.
func (t *tunnel) acquire(ctx context.Context) (*ssh.Client, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.client == nil {
		client, err := t.connect(ctx)
		if err != nil {
			return nil, err
		}
		t.client, t.users = client, 0
		go t.watch(client)
	}
	t.users++
	return t.client, nil
}

func (t *tunnel) release(client *ssh.Client) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.client != client {
		return // it is broken, and was closed by watch
	}
	if t.users--; t.users == 0 {
		t.client = nil
		_ = client.Close()
	}
}

// watch closes a connection that does not answer, so that no request waits for ever, and
// forgets one that is closed.
func (t *tunnel) watch(client *ssh.Client) {
	closed := make(chan struct{})
	go func() {
		_ = client.Wait()
		close(closed)
	}()
	tick := time.NewTicker(t.keepalive)
	defer tick.Stop()
	answered := make(chan error, 1)
	waiting := false
	for {
		select {
		case <-closed:
			t.forget(client)
			return
		case err := <-answered:
			waiting = false
			if err != nil {
				_ = client.Close()
			}
		case <-tick.C:
			if waiting {
				_ = client.Close()
				continue
			}
			waiting = true
			go func() {
				// A server that does not know the request refuses it, which is an answer.
				_, _, err := client.SendRequest("keepalive@openssh.com", true, nil)
				answered <- err
			}()
		}
	}
}

func (t *tunnel) forget(client *ssh.Client) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.client == client {
		t.client = nil
	}
}

// open opens a channel to the engine's socket: by forwarding, or by the docker command
// there if the server forbids forwarding. OpenSSH answers that as it answers a socket that
// it cannot connect to, so a command has to tell the reasons apart.
func (t *tunnel) open(ctx context.Context, client *ssh.Client) (net.Conn, error) {
	conn, err := client.DialContext(ctx, "unix", t.at.socketPath())
	if err == nil {
		return conn, nil
	}
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	if _, refused := errors.AsType[*ssh.OpenChannelError](err); !refused {
		return nil, unreachable(t.at, fmt.Errorf("the SSH connection broke: %w", innermost(err)), "")
	}
	path, name := t.at.socketPath(), client.User()
	switch probe(client, path) {
	case "absent":
		return nil, unreachable(t.at, fmt.Errorf("the machine has no socket %s", path), "Start the engine there, or "+
			"write the socket's path at the end of the address: Podman's is /run/podman/podman.sock, or "+
			"/run/user/UID/podman/podman.sock")
	case "denied":
		return nil, unreachable(t.at, fmt.Errorf("the user %q must not use the socket %s there", name, path),
			"Add it to the socket's group, for Docker `sudo usermod -aG docker "+name+"` there")
	}
	conn, err = dialStdio(client, t.at)
	if err != nil {
		return nil, explainForwarding(t.at, name, fmt.Sprintf("runs no command: %v", innermost(err)))
	}
	return conn, nil
}

// explainForwarding returns the error for a server that neither forwards to the socket nor
// runs the docker command.
func explainForwarding(at endpoint, name, command string) *Error {
	return unreachable(at, fmt.Errorf("the SSH server does not forward to the socket %s there, and %s",
		at.socketPath(), command), "Check that the engine runs there, that the user "+name+" is in the socket's group "+
		"(docker), and that sshd_config allows it to forward (`AllowStreamLocalForwarding local`)")
}

// probe returns absent, denied or there; empty if no command can be run.
func probe(client *ssh.Client, path string) string {
	session, err := client.NewSession()
	if err != nil {
		return ""
	}
	defer session.Close()
	quiet := time.AfterFunc(dialTimeout, func() { session.Close() })
	defer quiet.Stop()
	out, err := session.Output("sh -c 'if test ! -e \"$0\"; then echo absent; elif test ! -w \"$0\"; then echo " +
		"denied; else echo there; fi' " + quoteShell(path))
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(out))
}

func quoteShell(text string) string { return "'" + strings.ReplaceAll(text, "'", `'\''`) + "'" }

// A tunnelled is a connection through a tunnel.
type tunnelled struct {
	net.Conn
	release func()
}

func (c *tunnelled) Close() error {
	err := c.Conn.Close()
	c.release()
	return err
}

// CloseWrite ends the input of a stream whose output goes on.
func (c *tunnelled) CloseWrite() error {
	if half, ok := c.Conn.(interface{ CloseWrite() error }); ok {
		return half.CloseWrite()
	}
	return errors.New("the connection cannot be closed in one direction")
}
