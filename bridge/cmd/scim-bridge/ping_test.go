package main

import (
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// ping runs scim-bridge ping as a health check does, and returns its exit code and what it said.
func ping(t *testing.T, environ []string, args ...string) (code int, said string) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "scim-bridge", append([]string{"ping"}, args...)...)
	cmd.Env = append([]string{"PATH=" + os.Getenv("PATH")}, environ...)
	out, err := cmd.CombinedOutput()
	if err != nil && cmd.ProcessState == nil {
		t.Fatal(err)
	}
	return cmd.ProcessState.ExitCode(), string(out)
}

// patient is a timeout that a loaded machine keeps.
const patient = "SCIMBRIDGE_TIMEOUT=1m"

func TestPingFindsARealBridgeByTheSettingsOfServe(t *testing.T) {
	t.Parallel()
	pair := newAccount(t).activate()
	b := serve(t, folder(t, pair.sealed))
	address := strings.TrimPrefix(b.url(""), "http://")
	_, port, err := net.SplitHostPort(address)
	if err != nil {
		t.Fatal(err)
	}
	rows := []struct {
		name    string
		environ []string
		args    []string
	}{
		{"by our variable", []string{"SCIMBRIDGE_LISTEN=" + address}, nil},
		{"by our variable, which means every address", []string{"SCIMBRIDGE_LISTEN=:" + port}, nil},
		{"by our variable, which means every IPv4 address", []string{"SCIMBRIDGE_LISTEN=0.0.0.0:" + port}, nil},
		{"by our variable, which means every IPv6 address", []string{"SCIMBRIDGE_LISTEN=[::]:" + port}, nil},
		{"by the vendor's variable", []string{"OP_PORT=" + port}, nil},
		{"by our variable, beside a variable of the vendor's",
			[]string{"SCIMBRIDGE_LISTEN=" + address, "OP_PORT=1"}, nil},
		{"by the flag", nil, []string{"--listen", address}},
		{"by the flag, beside a variable", []string{"SCIMBRIDGE_LISTEN=127.0.0.1:1"}, []string{"--listen", address}},
		{"by its address", []string{"OP_PORT=1"}, []string{"--url", "http://" + address}},
		{"by its address with a slash", nil, []string{"--url", "http://" + address + "/"}},
		{"past a proxy", []string{"SCIMBRIDGE_LISTEN=:" + port, "HTTP_PROXY=http://127.0.0.1:1"}, nil},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			code, said := ping(t, append(row.environ, patient), row.args...)
			if code != 0 || !strings.Contains(said, ": 200 OK") {
				t.Errorf("exit %d: %s", code, said)
			}
		})
	}
	b.kill()
	for _, row := range rows {
		t.Run(row.name+", no longer", func(t *testing.T) {
			code, said := ping(t, append(row.environ, patient), row.args...)
			if code != exitFailed || strings.Count(said, "\n") != 1 ||
				!strings.Contains(said, port+"/ping does not answer") {
				t.Errorf("exit %d: %s", code, said)
			}
		})
	}
}

func TestPingFindsARealAccountService(t *testing.T) {
	t.Parallel()
	database := "sqlite:" + filepath.Join(t.TempDir(), "account.db")
	output(t, "account", "init", "--database", database, "--name", "Acme")
	address := startAccountServe(t, database)
	for _, row := range []struct {
		name    string
		environ []string
		args    []string
	}{
		{"by its variable", []string{"SCIMBRIDGE_LISTEN=" + address}, nil},
		{"by its flag", nil, []string{"--listen", address}},
		{"by its address", nil, []string{"--url", "http://" + address}},
	} {
		t.Run(row.name, func(t *testing.T) {
			if code, said := ping(t, append(row.environ, patient), row.args...); code != 0 ||
				!strings.Contains(said, "204 No Content") {
				t.Errorf("exit %d: %s", code, said)
			}
		})
	}
}

// startAccountServe starts an account service as a process and returns its address.
func startAccountServe(t *testing.T, database string) string {
	t.Helper()
	address := strings.TrimPrefix(deadAddress(t), "http://")
	log := new(sharedBuffer)
	cmd := exec.CommandContext(t.Context(), "scim-bridge", "account", "serve", "--database",
		database, "--listen", address)
	cmd.Stdout, cmd.Stderr = log, log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
	await(t, "the account service", func() bool { return strings.Contains(log.String(), "listening") })
	return address
}

// A container's health check knows the server's variables and not its flags, which are process 1's.
func TestPingReadsTheCommandLineOfProcessOne(t *testing.T) {
	for _, row := range []struct {
		name    string
		process string // blanks stand between the words
		environ map[string]string
		want    serverAddress
	}{
		{"a bridge", "/usr/bin/scim-bridge serve", nil, serverAddress{"http", ":3002"}},
		{"a bridge with a flag", "scim-bridge serve --listen :9000 --insecure-http", nil,
			serverAddress{"http", ":9000"}},
		{"a bridge with a flag before others", "scim-bridge serve --revision 7 --listen=127.0.0.1:1", nil,
			serverAddress{"http", "127.0.0.1:1"}},
		{"a bridge with our variable", "scim-bridge serve", map[string]string{"SCIMBRIDGE_LISTEN": ":81"},
			serverAddress{"http", ":81"}},
		{"a bridge with the vendor's variable", "scim-bridge serve", map[string]string{"OP_PORT": "80"},
			serverAddress{"http", ":80"}},
		{"a bridge with both variables and a flag", "scim-bridge serve --listen :1",
			map[string]string{"OP_PORT": "80", "SCIMBRIDGE_LISTEN": ":81"}, serverAddress{"http", ":1"}},
		{"a bridge behind an init", "/sbin/docker-init -- /usr/bin/scim-bridge serve --listen :9000", nil,
			serverAddress{"http", ":9000"}},
		{"an account", "scim-bridge account serve --database sqlite:a.db", nil,
			serverAddress{"http", "127.0.0.1:8600"}},
		{"an account, which does not read the vendor's variable", "scim-bridge account serve --database sqlite:a.db",
			map[string]string{"OP_PORT": "80"}, serverAddress{"http", "127.0.0.1:8600"}},
		{"an account with a flag", "scim-bridge account serve --listen 0.0.0.0:8600 --database sqlite:a.db", nil,
			serverAddress{"http", "0.0.0.0:8600"}},
		{"an account with our variable", "scim-bridge account serve", map[string]string{"SCIMBRIDGE_LISTEN": ":81"},
			serverAddress{"http", ":81"}},
		{"both in one process", "scim-bridge dev --data-dir d --listen 127.0.0.1:5", nil,
			serverAddress{"http", "127.0.0.1:5"}},
		{"a certificate", "scim-bridge serve --tls-cert-file c --tls-key-file k", nil, serverAddress{"https", ":3002"}},
		{"an account with a certificate", "scim-bridge account serve --listen :443 --tls-cert-file c " +
			"--tls-key-file k", nil,
			serverAddress{"https", ":443"}},
		{"a domain", "scim-bridge serve --tls-domain scim.example.com", nil, serverAddress{"https", ":8443"}},
		{"a domain in our variable", "scim-bridge serve",
			map[string]string{"SCIMBRIDGE_TLS_DOMAIN": "scim.example.com"},
			serverAddress{"https", ":8443"}},
		{"a domain in the vendor's variable", "scim-bridge serve",
			map[string]string{"OP_TLS_DOMAIN": "scim.example.com"},
			serverAddress{"https", ":8443"}},
		{"a certificate in the vendor's variable", "scim-bridge serve --listen :443",
			map[string]string{"OP_TLS_CERT_FILE": "c"}, serverAddress{"https", ":443"}},
		{"a domain, and the vendor's port of plain HTTP", "scim-bridge serve --tls-domain scim.example.com",
			map[string]string{"OP_PORT": "443"}, serverAddress{"https", ":8443"}},
		{"a domain and an address that is the vendor's port, too",
			"scim-bridge serve --tls-domain scim.example.com --listen :443",
			map[string]string{"OP_PORT": "443"}, serverAddress{"https", ":443"}},
		{"a command that serves nothing", "scim-bridge token", nil, serverAddress{}},
		{"another program", "/sbin/init", nil, serverAddress{}},
		{"nothing that can be read", "", nil, serverAddress{}},
	} {
		t.Run(row.name, func(t *testing.T) {
			for name, value := range row.environ {
				t.Setenv(name, value)
			}
			file := filepath.Join(t.TempDir(), "cmdline")
			text := strings.ReplaceAll(row.process, " ", "\x00") + "\x00"
			if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
			if got, err := addressOf(firstProcess(file)); err != nil || got != row.want {
				t.Errorf("got %+v, %v; want %+v", got, err, row.want)
			}
		})
	}
	if args := firstProcess(filepath.Join(t.TempDir(), "none")); !slices.Equal(args, nil) {
		t.Errorf("without /proc there is %q", args)
	}
}

// What is not well ends in one line that says what was asked, and with 1, the one code that Docker takes for ill.
func TestPingRefusesWhatIsNotOurs(t *testing.T) {
	t.Parallel()
	answering := func(code int, body string) string {
		s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Location", "https://sign-in.example.com")
			w.WriteHeader(code)
			_, _ = w.Write([]byte(body))
		}))
		t.Cleanup(s.Close)
		return s.URL
	}
	silent, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { silent.Close() })
	for _, row := range []struct {
		name string
		args []string
		code int
		want string
	}{
		{"there is no listener", []string{"--url", deadAddress(t)}, exitFailed, "connection refused"},
		{"an answer never comes",
			[]string{"--url", "http://" + silent.Addr().String(), "--timeout", "100ms"}, exitFailed,
			"deadline exceeded"},
		{"a server is ill", []string{"--url", answering(503, "")}, exitFailed, "the answer is 503"},
		{"another program answers", []string{"--url", answering(200, "<html>")}, exitFailed, "the answer is 200"},
		{"a proxy wants a sign-in", []string{"--url", answering(302, "")}, exitFailed, "the answer is 302"},
		{"a port that cannot be known", []string{"--listen", "127.0.0.1:0"}, exitFailed, "use --url"},
		{"a listening address that is none", []string{"--listen", "nowhere"}, exitFailed,
			`"nowhere" is not an address`},
		{"an address that is none", []string{"--url", "nowhere"}, exitUsage, "--url is not the address of a server"},
		{"an address with a password, which is not repeated",
			[]string{"--url", "https://u:hunter2@127.0.0.1"}, exitUsage,
			"--url is not the address of a server"},
		{"two servers at once", []string{"--url", "http://127.0.0.1:1", "--listen", ":1"}, exitUsage,
			"can't be used together"},
		{"no time", []string{"--timeout", "0s"}, exitUsage, "must be positive"},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			code, said := ping(t, []string{patient}, row.args...)
			if code != row.code || !strings.Contains(said, row.want) || strings.Count(said, "\n") != 1 ||
				strings.Contains(said, "hunter2") {
				t.Errorf("exit %d: %s", code, said)
			}
		})
	}
	if code, said := ping(t, []string{"OP_PORT=http", patient}); code != exitFailed ||
		!strings.Contains(said, `OP_PORT="http" is not a port`) {
		t.Errorf("a variable that means nothing: exit %d: %s", code, said)
	}
}

// The certificate is for the name that the identity provider knows, and the health check comes over loopback.
func TestPingOverTLS(t *testing.T) {
	t.Parallel()
	s := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/ping" {
			_, _ = w.Write([]byte("pong\n"))
		}
	}))
	t.Cleanup(s.Close)
	address := s.Listener.Addr().String()
	for _, row := range []struct {
		name    string
		environ []string
		args    []string
		code    int
		want    string
	}{
		{"by the address", nil, []string{"--url", "https://" + address}, 0, "200 OK"},
		{"by the variables of a certificate",
			[]string{"SCIMBRIDGE_TLS_CERT_FILE=c", "SCIMBRIDGE_LISTEN=" + address}, nil, 0,
			"https://" + address + "/ping: 200 OK"},
		{"by the vendor's variable", []string{"OP_TLS_CERT_FILE=c", "SCIMBRIDGE_LISTEN=" + address}, nil, 0, "200 OK"},
		{"by the variable of a domain",
			[]string{"SCIMBRIDGE_TLS_DOMAIN=x.example.com", "SCIMBRIDGE_LISTEN=" + address}, nil,
			0, "200 OK"},
		{"by plain HTTP", nil, []string{"--url", "http://" + address}, exitFailed, "the answer is 400"},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			if code, said := ping(t, append(row.environ, patient), row.args...); code != row.code ||
				!strings.Contains(said, row.want) {
				t.Errorf("exit %d: %s", code, said)
			}
		})
	}
}

// A machine between the two could answer in the server's place.
func TestPingVerifiesTheCertificateOfAnotherMachine(t *testing.T) {
	t.Parallel()
	for address, local := range map[string]bool{
		"https://127.0.0.1:3002": true, "https://127.8.9.1": true, "https://[::1]:3002": true,
		"https://[::ffff:127.0.0.1]": true, "https://localhost:3002": true,
		"https://scim.example.com": false, "https://192.0.2.1": false, "https://localhost.example.com": false,
		"https://127.0.0.1.example.com": false,
	} {
		if target, err := remoteTarget(address); err != nil || target.local != local {
			t.Errorf("%s: %+v, %v; want local %v", address, target, err, local)
		}
	}
	code, said := ping(t, []string{patient}, "--url", "https://localhost.invalid")
	if code != exitFailed || strings.Count(said, "\n") != 1 {
		t.Errorf("a name that is none: exit %d: %s", code, said)
	}
}
