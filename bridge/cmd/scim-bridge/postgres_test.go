//go:build unix

package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account/api"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account/api/apitest"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/certificate/certificatetest"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/control"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/simulate"
	"github.com/scimbridge/terraform-provider-scimbridge/test/ports"
	"github.com/scimbridge/terraform-provider-scimbridge/test/postgres"
)

// databasePassword is in the addresses of all databases here, and must be nowhere else.
const databasePassword = "Tr0ub4dor-and-3"

// A postgresServer has databases of tests.
type postgresServer struct {
	*postgres.Server
	t *testing.T
}

func startPostgres(t *testing.T, settings ...string) *postgresServer {
	t.Helper()
	return &postgresServer{postgres.Start(t, append(settings, "fsync=off")...), t}
}

// database makes a database, and returns its address with a password.
func (s *postgresServer) database(name string) string {
	s.t.Helper()
	s.exec("CREATE DATABASE " + name)
	return withPassword(s.URL(name))
}

// exec runs a statement, by the server's socket.
func (s *postgresServer) exec(statement string) {
	s.t.Helper()
	c, err := pgx.Connect(s.t.Context(), fmt.Sprintf("host=%s port=%d user=postgres", s.Folder, s.Port))
	if err != nil {
		s.t.Fatal(err)
	}
	_, err = c.Exec(s.t.Context(), statement)
	if err := errors.Join(err, c.Close(s.t.Context())); err != nil {
		s.t.Fatal(err)
	}
}

func withPassword(address string) string { return addressWith(address, databasePassword, "") }

// addressWith is an address with another password, unless it is empty, and more parameters.
func addressWith(address, password, parameters string) string {
	u, err := url.Parse(address)
	if err != nil {
		panic(err)
	}
	u.User = url.User(u.User.Username())
	if password != "" {
		u.User = url.UserPassword(u.User.Username(), password)
	}
	u.RawQuery = strings.Trim(u.RawQuery+"&"+parameters, "&")
	return u.String()
}

// told runs scim-bridge in the test's environment and some variables, and returns what it said and its exit code.
func told(t *testing.T, environ []string, args ...string) (said string, code int) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), timeout)
	defer cancel()
	cmd := exec.CommandContext(ctx, "scim-bridge", args...)
	cmd.Env = append([]string{"PATH=" + os.Getenv("PATH")}, environ...)
	out, err := cmd.CombinedOutput()
	if _, ended := errors.AsType[*exec.ExitError](err); err != nil && !ended {
		t.Fatal(err)
	}
	return string(out), cmd.ProcessState.ExitCode()
}

// A database server that goes away costs answers of 503 and nothing else: no restart, no lost write.
func TestADatabaseServerThatWasAwayIsUsedAgain(t *testing.T) {
	t.Parallel()
	for name, begin := range map[string]func(*testing.T, string, string) (*realAccount, pair, *process){
		"two processes": func(t *testing.T, database, log string) (*realAccount, pair, *process) {
			a := newAccountProcessOn(t, database)
			a.kill()
			out, err := os.Create(log)
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { out.Close() })
			a.stderr, a.args = out, []string{"--log-level", "info"}
			a.start()
			p := a.activate()
			return a.realAccount, p, serve(t, folder(t, p.sealed))
		},
		"one process": func(t *testing.T, database, _ string) (*realAccount, pair, *process) {
			o := newOneProcessOn(t, database)
			return o.realAccount, o.activate(), o.process
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := startPostgres(t)
			database, log := server.database("account"), filepath.Join(t.TempDir(), "log")
			account, p, bridge := begin(t, database, log)
			token := p.token.Reveal()
			post := func(address string) reply {
				t.Helper()
				return ask(t, http.MethodPost, bridge.url("/Users"), token, person(address))
			}
			if got := post("a@example.com"); got.status != http.StatusCreated {
				t.Fatalf("before: %d %s", got.status, got.body)
			}
			server.Stop(syscall.SIGINT)
			if got := post("b@example.com"); got.status != http.StatusServiceUnavailable ||
				got.header.Get("Retry-After") == "" {
				t.Errorf("SCIM without the database server: %d %v %s", got.status, got.header, got.body)
			}
			got := ask(t, http.MethodGet, account.url+"/ready", "", "")
			if got.status != http.StatusServiceUnavailable || !strings.Contains(got.body, "database_unavailable") ||
				!strings.Contains(got.body, "cannot be reached") || got.header.Get("Retry-After") == "" {
				t.Errorf("the account's /ready: %d %v %s", got.status, got.header, got.body)
			}
			if got := ask(t, http.MethodGet, account.url+"/ping", "", ""); got.status != http.StatusNoContent {
				t.Errorf("the account's /ping: %d %s", got.status, got.body)
			}
			bridge.awaitProblem("account_unreachable")
			if p := bridge.status().Problems[0]; !strings.Contains(p.Cause, "database server cannot be reached") {
				t.Errorf("the bridge says: %s: %s: %s", p.Title, p.Cause, p.Remedy)
			}
			if err := server.Start(t.Context()); err != nil {
				t.Fatal(err)
			}
			await(t, "the account to be ready", func() bool {
				return ask(t, http.MethodGet, account.url+"/ready", "", "").status == http.StatusNoContent
			})
			await(t, "the bridge to be ready", func() bool {
				return bridge.status().State == control.Ready && len(bridge.codes()) == 0
			})
			if got := post("b@example.com"); got.status != http.StatusCreated {
				t.Errorf("afterwards: %d %s", got.status, got.body)
			}
			found := ask(t, http.MethodGet, bridge.url("/Users"), token, "")
			if !strings.Contains(found.body, "a@example.com") || !strings.Contains(found.body, "b@example.com") {
				t.Errorf("afterwards there are %d %s", found.status, found.body)
			}

			said := bridge.logText()
			if text, err := os.ReadFile(log); err == nil {
				said += string(text)
			}
			if strings.Contains(said, databasePassword) {
				t.Errorf("the log has the password:\n%s", said)
			}
		})
	}
}

// Commands of remedies name the database, and are run with the password from elsewhere.
func TestTheRemedyOfAnAccountOnPostgreSQLIsTrue(t *testing.T) {
	t.Parallel()
	server := startPostgres(t)
	database := addressWith(server.database("account"), databasePassword, "connect_timeout=3&application_name=x")
	o := newOneProcessOn(t, database)
	p := o.activate()
	if got := o.users(p.token, http.MethodGet, ""); got.status != http.StatusOK {
		t.Fatalf("%d %s", got.status, got.body)
	}
	made := request(t, "POST", o.realAccount.url+"/v1/firewall/rules?allow_lockout=true", o.token,
		`{"action":"deny","ip_ranges":["127.0.0.1/32"]}`)
	if made["id"] == nil {
		t.Fatalf("making the rule: %v", made)
	}
	if got := o.users(p.token, http.MethodGet, ""); got.status != http.StatusServiceUnavailable {
		t.Errorf("the next request after the rule: %d %s", got.status, got.body)
	}
	o.awaitProblem("firewall_blocked")
	remedy := o.status().Problems[0].Remedy
	found := regexp.MustCompile("`scim-bridge (account firewall disable [^`]*)`").FindStringSubmatch(remedy)
	if found == nil || strings.Contains(remedy, databasePassword) {
		t.Fatalf("the remedy is: %s", remedy)
	}
	out, err := shell(t, "scim-bridge "+found[1], "PGPASSWORD="+databasePassword)
	if err != nil || !strings.Contains(out, "The firewall is disabled until") {
		t.Fatalf("%s: %v %s", found[1], err, out)
	}
	o.awaitState(control.Ready)
	if log := o.logText(); strings.Contains(log, databasePassword) {
		t.Errorf("the log has the password:\n%s", log)
	}
}

// shell runs a line as an operator pastes it.
func shell(t *testing.T, line string, environ ...string) (string, error) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "sh", "-c", line)
	cmd.Env = append(append(os.Environ(), environ...), "SCIMBRIDGE_DATABASE=")
	out, err := cmd.CombinedOutput()
	return string(out), err
}

// Whatever libpq's users know works, and what does not fit is refused with what to do, and without a password.
func TestPasswordsAndTLSAsLibpqHasThem(t *testing.T) {
	t.Parallel()
	dir := readable(t)
	authority, other := certificatetest.New(t, "Test Root"), certificatetest.New(t, "Other Root")
	cert, key := authority.Issue(certificatetest.Loopback("db.example.com"))
	file := func(name string, text []byte) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, text, 0o600); err != nil {
			t.Fatal(err)
		}
		own(t, path)
		return path
	}
	server := startPostgres(t, "ssl=on", "ssl_cert_file="+file("tls.crt", cert), "ssl_key_file="+file("tls.key", key),
		"hba_file="+file("hba", []byte("local all postgres trust\nhostssl all ann 127.0.0.1/32 scram-sha-256\n")))
	server.exec("CREATE ROLE ann LOGIN PASSWORD '" + databasePassword + "'")
	server.exec("CREATE DATABASE account OWNER ann")
	ca, otherCA := file("ca.pem", authority.PEM), file("other.pem", other.PEM)
	passfile := file("pgpass", []byte("127.0.0.1:*:account:ann:"+databasePassword+"\n"))
	base := strings.Replace(server.URL("account"), "postgres@", "ann@", 1)
	const wrong = "not-Tr0ub4dor"
	verified := "sslmode=verify-full&sslrootcert=" + ca
	byName := strings.Replace(base, "127.0.0.1", "localhost", 1)

	said, code := told(t, []string{"SCIMBRIDGE_DATABASE=" + addressWith(base, databasePassword, verified)},
		"account", "init", "--name", "Test")
	if code != 0 || !strings.HasPrefix(said, "sba_") || strings.Count(said, "\n") != 1 {
		t.Fatalf("init: exit %d, %s", code, said)
	}
	for _, row := range []struct {
		name, address string
		environ       []string
		want          string // empty if it works
	}{
		{"in the address", addressWith(base, databasePassword, verified), nil, ""},
		{"in PGPASSWORD", addressWith(base, "", verified), []string{"PGPASSWORD=" + databasePassword}, ""},
		{"in a file that PGPASSFILE names", addressWith(base, "", verified), []string{"PGPASSFILE=" + passfile}, ""},
		{"in a file that the address names", addressWith(base, "", verified+"&passfile="+passfile), nil, ""},
		{"TLS that is not verified", addressWith(base, databasePassword, "sslmode=require"), nil, ""},
		{"the second host of two", addressWith(strings.Replace(base, "127.0.0.1", "127.0.0.1:1,127.0.0.1", 1),
			databasePassword, verified+"&target_session_attrs=read-write"), nil, ""},
		{"a wrong password", addressWith(base, wrong, verified), nil,
			`password authentication failed for user "ann"`},
		{"no password", addressWith(base, "", verified), nil, "PGPASSFILE names"},
		{"no database", strings.Replace(addressWith(base, databasePassword, verified), "/account", "/none", 1), nil,
			`database "none" does not exist`},
		{"no TLS", addressWith(base, databasePassword, "sslmode=disable"), nil, "pg_hba.conf"},
		{"another authority", addressWith(base, databasePassword, "sslmode=verify-full&sslrootcert="+otherCA), nil,
			"signed by unknown authority"},
		{"no authority of ours", addressWith(base, databasePassword, "sslmode=verify-full"), nil,
			"as sslrootcert=FILE"},
		{"another name", addressWith(byName, databasePassword, verified), nil, "as its certificate does"},
		{"a file that is not there", addressWith(base, databasePassword, "sslmode=verify-ca&sslrootcert="+ca+"x"), nil,
			"no such file"},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			for _, args := range [][]string{
				{"account", "token", "list"}, {"account", "serve", "--listen", "127.0.0.1:0"},
			} {
				if row.want == "" && args[1] == "serve" {
					continue // it would serve
				}
				said, code := told(t, append(row.environ, "SCIMBRIDGE_DATABASE="+row.address), args...)
				if row.want == "" && (code != 0 || !strings.Contains(said, "account init")) ||
					row.want != "" && (code == 0 || !strings.Contains(said, row.want)) ||
					strings.Contains(said, "Tr0ub4dor") {
					t.Errorf("%v: exit %d: %s", args, code, said)
				}
				if row.want != "" && code != exitUsage && (!strings.Contains(said, "opening postgres://ann@") ||
					!strings.Contains(said, "user=ann")) {
					t.Errorf("%v does not name the user and the database: %s", args, said)
				}
			}
		})
	}

	// Everybody can read a command line.
	for _, row := range []struct{ address, variable string }{
		{addressWith(base, databasePassword, verified), ""},
		{"", addressWith(base, databasePassword, verified)},
	} {
		args := []string{"account", "token", "list", "--json"}
		environ := []string{"SCIMBRIDGE_DATABASE=" + row.variable}
		if row.address != "" {
			args = append(args, "--database", row.address)
		}
		said, code := told(t, environ, args...)
		if warned := strings.Count(said, "list of processes"); code != 0 || (warned == 1) != (row.address != "") ||
			strings.Contains(said, databasePassword) {
			t.Errorf("exit %d: %s", code, said)
		}
	}
}

// readable makes a folder that PostgreSQL's user can read.
func readable(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "postgres-test-*") //nolint:usetesting // the test's own folder is closed to that user
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	if err := os.Chmod(dir, 0o755); err != nil { //nolint:gosec // on purpose
		t.Fatal(err)
	}
	return dir
}

// own gives a file to PostgreSQL's user, if this is root.
func own(t *testing.T, path string) {
	t.Helper()
	if os.Getuid() != 0 {
		return
	}
	u, err := user.Lookup("postgres")
	if err != nil {
		if os.Getenv("CI") != "" {
			t.Fatal(postgres.ErrMissing)
		}
		t.Skip(postgres.ErrMissing)
	}
	uid, _ := strconv.Atoi(u.Uid)
	if err := os.Chown(path, uid, -1); err != nil {
		t.Fatal(err)
	}
}

// A standby that has been asked for by mistake is no account that fails at the first write.
func TestAStandbyIsRefusedAndPassedOver(t *testing.T) {
	t.Parallel()
	primary := startPostgres(t)
	database := primary.database("account")
	output(t, "account", "init", "--database", database, "--name", "Test")
	standby := postgres.StartStandby(t, primary.Server)
	refused := withPassword(standby.URL("account"))
	await(t, "the standby to have the account", func() bool {
		said, _ := told(t, []string{"SCIMBRIDGE_DATABASE=" + refused}, "account", "token", "list")
		return strings.Contains(said, "read-only")
	})
	for _, args := range [][]string{
		{"account", "serve", "--listen", "127.0.0.1:0"},
		{"serve", "--account-listen", "127.0.0.1:0", "--listen", "127.0.0.1:0", "--data-dir", t.TempDir()},
	} {
		said, code := told(t, []string{"SCIMBRIDGE_DATABASE=" + refused}, args...)
		if code != exitFailed || !strings.Contains(said, "it is a standby") ||
			!strings.Contains(said, "target_session_attrs=read-write") || strings.Contains(said, databasePassword) {
			t.Errorf("%v: exit %d: %s", args, code, said)
		}
	}
	both := strings.Replace(refused, fmt.Sprintf(":%d/", standby.Port),
		fmt.Sprintf(":%d,127.0.0.1:%d/", standby.Port, primary.Port), 1)
	said, code := told(t, []string{"SCIMBRIDGE_DATABASE=" + both + "?target_session_attrs=read-write"},
		"account", "token", "create", "--name", "second")
	if code != 0 {
		t.Errorf("with both servers: exit %d: %s", code, said)
	}
}

// Whoever is used to SQLite's commands is told those of PostgreSQL, which work as they are printed.
func TestBackupAndRestoreAreToldAsPostgreSQLHasThem(t *testing.T) {
	t.Parallel()
	server := startPostgres(t)
	database := server.database("account") + "?default_query_exec_mode=exec&connect_timeout=9"
	o := newOneProcessOn(t, database)
	p := o.activate()
	for _, address := range []string{"ann@example.com", "Bö@example.com"} {
		if got := o.users(p.token, http.MethodPost, person(address)); got.status != http.StatusCreated {
			t.Fatalf("%d %s", got.status, got.body)
		}
	}
	o.terminate()
	dump := filepath.Join(t.TempDir(), "account dump")
	tell := func(command string) string {
		t.Helper()
		var out, errs bytes.Buffer
		code := run(t.Context(), []string{"account", command, "--database", database, dump},
			&console{Out: &out, Err: &errs})
		found := regexp.MustCompile(`: (pg_(?:dump|restore) .*?)(?:; to check it|; then check it)`).FindStringSubmatch(
			errs.String())
		if code != exitUsage || found == nil || strings.Contains(found[1], databasePassword) {
			t.Fatalf("account %s: exit %d: %s", command, code, errs.String())
		}
		return found[1]
	}
	if out, err := shell(t, tell("backup")); err != nil {
		t.Fatalf("%v %s", err, out)
	}
	before := output(t, "account", "audit", "--database", database)
	output(t, "account", "token", "create", "--database", database, "--name", "after the backup")
	if out, err := shell(t, tell("restore")); err != nil {
		t.Fatalf("%v %s", err, out)
	}
	after := output(t, "account", "audit", "--database", database)
	newest := func(export string) string { return export[:strings.LastIndex(strings.TrimSpace(export), "\n")] }
	if newest(after) != newest(before) {
		t.Errorf("the audit log is\n%s\nand was\n%s", after, before)
	}
	for want, args := range map[string][]string{
		"Pages and indexes were not looked at: that is for pg_amcheck.": {"account", "check"},
		"The audit log is as it was recorded; events: ":                 {"account", "audit", "--verify"},
	} {
		if got := output(t, append(args, "--database", database)...); !strings.Contains(got, want) {
			t.Errorf("%v: %s", args, got)
		}
	}
	o.start(o.dir)
	await(t, "the account to answer", func() bool {
		who, err := apitest.Read[api.Caller](o.admin.WhoAmI(t.Context()))
		return err == nil && who.Value != nil
	})
	if got := o.users(p.token, http.MethodGet, ""); got.status != http.StatusOK ||
		!strings.Contains(got.body, "ann@example.com") || !strings.Contains(got.body, "Bö@example.com") {
		t.Errorf("the restored people: %d %s", got.status, got.body)
	}
	if got := o.users(p.token, http.MethodPost, person("cy@example.com")); got.status != http.StatusCreated {
		t.Errorf("a person after the restore: %d %s", got.status, got.body)
	}
}

// A typing error in an address leaves what is there as it is.
func TestADatabaseOfAnotherProgramIsLeftAlone(t *testing.T) {
	t.Parallel()
	server := startPostgres(t)
	database := server.database("other")
	for _, args := range [][]string{
		{"account", "token", "list"}, {"account", "serve", "--listen", "127.0.0.1:0"},
		{"account", "audit", "--verify"}, {"account", "check"},
	} {
		said, code := told(t, []string{"SCIMBRIDGE_DATABASE=" + database}, args...)
		if code == 0 ||
			!strings.Contains(said, "create it with scim-bridge account init --database "+server.URL("other")) {
			t.Errorf("%v: exit %d: %s", args, code, said)
		}
	}
	c, err := pgx.Connect(t.Context(), database)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close(t.Context())
	var tables int
	if err := c.QueryRow(t.Context(), "SELECT count(*) FROM pg_class WHERE relnamespace = 'public'::regnamespace").
		Scan(&tables); err != nil || tables != 0 {
		t.Errorf("there are %d tables, %v", tables, err)
	}

	server.exec("CREATE DATABASE ascii ENCODING 'SQL_ASCII' TEMPLATE template0")
	said, code := told(t, []string{"SCIMBRIDGE_DATABASE=" + withPassword(server.URL("ascii"))},
		"account", "init", "--name", "Test")
	if code != exitFailed || !strings.Contains(said, "the encoding SQL_ASCII, and UTF8 is needed") {
		t.Errorf("another encoding: exit %d: %s", code, said)
	}

	// Nor does an older program touch what a newer one has written.
	output(t, "account", "init", "--database", database, "--name", "Test")
	if _, err := c.Exec(t.Context(),
		"INSERT INTO goose_db_version (version_id, is_applied) VALUES (9999, TRUE)"); err != nil {
		t.Fatal(err)
	}
	said, code = told(t, []string{"SCIMBRIDGE_DATABASE=" + database}, "account", "serve")
	if code != exitFailed || !strings.Contains(said, "its schema is version 9999") ||
		strings.Contains(said, "reached") {
		t.Errorf("a newer schema: exit %d: %s", code, said)
	}
}

// Every identity provider is answered alike on PostgreSQL, also through a pooler that gives each transaction another
// connection.
func TestABridgeConformsOnPostgreSQL(t *testing.T) {
	t.Parallel()
	server := startPostgres(t, "synchronous_commit=off")
	for name, begin := range map[string]func(t *testing.T) *judged{
		"two processes": func(t *testing.T) *judged {
			a := newAccountProcessOn(t, server.database("two"))
			p := a.activate()
			return judge(t, a.realAccount, p, serve(t, folder(t, p.sealed), "--log-level", "error"))
		},
		"one process": func(t *testing.T) *judged {
			o := newOneProcessOn(t, server.database("one"), "--log-level", "error")
			return judge(t, o.realAccount, o.activate(), o.process)
		},
		"one process behind a pooler": func(t *testing.T) *judged {
			port := startPooler(t, server)
			database := strings.Replace(server.database("pooled"), strconv.Itoa(server.Port), strconv.Itoa(port), 1)
			o := newOneProcessOn(t, database+"?default_query_exec_mode=exec", "--log-level", "error")
			await(t, "an address without the mode to be refused with the remedy", func() bool {
				said, _ := told(t, []string{"SCIMBRIDGE_DATABASE=" + database}, "account", "token", "list")
				return strings.Contains(said, "add default_query_exec_mode=exec to the address")
			})
			return judge(t, o.realAccount, o.activate(), o.process)
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			j := begin(t)
			c := j.play(j.url(""), nil, "--idp", "all", "--people", "21", "--groups", "2")
			if c.code != 0 || c.json.Result != "right" || len(c.json.IdPs) != len(simulate.IdPs()) ||
				len(c.states(simulate.StateRight)) != len(simulate.Habits()) {
				t.Fatalf("exit %d, %s, wrong: %v, unsupported: %v, not played: %v\n%s%s", c.code, c.json.Result,
					c.states(simulate.StateWrong), c.states(simulate.StateUnsupported),
					c.states(simulate.StateNotPlayed), c.out, c.err)
			}
			j.leftNothing(c)
		})
	}
}

// startPooler starts a PgBouncer before a server, which gives each transaction one of two connections.
func startPooler(t *testing.T, server *postgresServer) (port int) {
	t.Helper()
	program, err := exec.LookPath("pgbouncer")
	if err != nil {
		if program = "/usr/sbin/pgbouncer"; !exists(program) { // where Debian has it
			if os.Getenv("CI") != "" {
				t.Fatal("pgbouncer is missing (apt-get install pgbouncer)")
			}
			t.Skip("pgbouncer is missing (apt-get install pgbouncer)")
		}
	}
	_, text, _ := strings.Cut(ports.Free(t), ":")
	port, _ = strconv.Atoi(text)
	config := filepath.Join(readable(t), "pgbouncer.ini")
	if err := os.WriteFile(config, fmt.Appendf(nil, "[databases]\n* = host=127.0.0.1 port=%d user=postgres\n"+
		"[pgbouncer]\nlisten_addr = 127.0.0.1\nlisten_port = %d\nunix_socket_dir =\nauth_type = any\n"+
		"pool_mode = transaction\n"+
		"default_pool_size = 2\n", server.Port, port), 0o644); err != nil { //nolint:gosec // another user reads it
		t.Fatal(err)
	}
	args := []string{config}
	if os.Getuid() == 0 { // which it refuses
		args = []string{"-u", "postgres", config}
	}
	var log bytes.Buffer
	cmd := exec.CommandContext(context.WithoutCancel(t.Context()), program, args...)
	cmd.Stdout, cmd.Stderr = &log, &log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		if t.Failed() {
			t.Logf("log of PgBouncer:\n%s", log.String())
		}
	})
	await(t, "the pooler to answer", func() bool {
		c, err := pgx.Connect(t.Context(), fmt.Sprintf("host=127.0.0.1 port=%d user=postgres dbname=postgres "+
			"default_query_exec_mode=exec", port))
		if err != nil {
			return false
		}
		return c.Close(t.Context()) == nil
	})
	return port
}

// A support bundle has the settings in clear.
func TestASettingOfADatabaseHasNoPassword(t *testing.T) {
	t.Parallel()
	grammar := &cli{}
	parser, err := newParser(grammar, &console{Out: new(bytes.Buffer), Err: new(bytes.Buffer)})
	if err != nil {
		t.Fatal(err)
	}
	const address = "postgres://ann:" + databasePassword + "@db.example.com/account"
	command, err := parser.parse([]string{"serve", "--data-dir", t.TempDir(), "--listen", "127.0.0.1:0", "--database",
		address, "--account-listen", "127.0.0.1:0"})
	if err != nil {
		t.Fatal(err)
	}
	settings := grammar.Serve.settings(command)
	if !slices.Contains(settings, setting{"database", "postgres://ann@db.example.com/account", "flag"}) {
		t.Errorf("they are %+v", settings)
	}
}
