package main

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account/api"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account/smtp/smtptest"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account/store"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/control"
	"github.com/scimbridge/terraform-provider-scimbridge/test/ports"
	"github.com/scimbridge/terraform-provider-scimbridge/test/postgres"
)

// A balancer gives each connection to the next of its backends, whether or not that is there.
type balancer struct {
	address  string
	backends []string
	next     atomic.Uint32
}

func newBalancer(t *testing.T, backends []string) *balancer {
	t.Helper()
	l := ports.Listen(t, "127.0.0.1:0")
	b := &balancer{address: l.Addr().String(), backends: backends}
	ctx, cancel := context.WithCancel(t.Context())
	var serving sync.WaitGroup
	serving.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			serving.Go(func() { b.serve(ctx, conn) })
		}
	})
	t.Cleanup(func() {
		cancel()
		l.Close()
		serving.Wait()
	})
	return b
}

func (b *balancer) serve(ctx context.Context, client net.Conn) {
	defer client.Close()
	backend, err := new(net.Dialer).DialContext(ctx, "tcp", b.backends[int(b.next.Add(1))%len(b.backends)])
	if err != nil {
		return
	}
	defer backend.Close()
	defer context.AfterFunc(ctx, func() {
		client.Close()
		backend.Close()
	})()
	var ways sync.WaitGroup
	for from, to := range map[net.Conn]net.Conn{client: backend, backend: client} {
		ways.Go(func() {
			_, _ = io.Copy(to, from)
			to.Close() // whichever end has gone, the other one is told
			from.Close()
		})
	}
	ways.Wait()
}

// A fleet is an account on PostgreSQL with several account servers and several bridges, each kind behind a balancer.
type fleet struct {
	*realAccount
	t          *testing.T
	program    string // that is started from now on
	database   string
	adminToken string
	mails      *smtptest.Server
	servers    []*accountServer
	accounts   *balancer
	bridges    []*process
	addresses  []string // of the bridges
	front      *balancer
	pair       pair
	bridgeArgs []string
	logs       []string // files of the account servers' logs
}

// newFleet makes an account in a database, and starts so many account servers, all at once.
func newFleet(t *testing.T, database string, servers int) *fleet {
	t.Helper()
	return newFleetOf(t, "scim-bridge", database, servers)
}

// newFleetOf is newFleet of a program.
func newFleetOf(t *testing.T, program, database string, servers int) *fleet {
	t.Helper()
	f := &fleet{t: t, program: program, database: database, mails: smtptest.New(t, nil)}
	rows, err := store.Open(t.Context(), database)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { rows.Close() })
	model, err := account.Create(t.Context(), rows, "Test", time.Now, rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	_, f.adminToken, err = model.CreateToken(t.Context(), "test")
	if err != nil {
		t.Fatal(err)
	}
	var listen []string
	for range servers {
		f.servers = append(f.servers, &accountServer{fleet: f, listen: ports.Free(t)})
		listen = append(listen, f.servers[len(f.servers)-1].listen)
	}
	f.accounts = newBalancer(t, listen)
	f.realAccount = &realAccount{t: t, model: model, url: "http://" + f.accounts.address, ahead: new(atomic.Int64)}
	f.admin, err = api.NewClient(f.url, api.WithRequestEditorFn(func(_ context.Context, r *http.Request) error {
		r.Header.Set("Authorization", "Bearer "+f.adminToken)
		return nil
	}))
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range f.servers {
		s.start()
	}
	for _, s := range f.servers {
		s.await()
	}
	return f
}

// open activates provisioning and starts so many bridges on the one session.
func (f *fleet) open(bridges int, args ...string) {
	f.t.Helper()
	f.pair = f.activate()
	token := filepath.Join(f.t.TempDir(), "token")
	if err := os.WriteFile(token, []byte(f.pair.token.Reveal()), 0o600); err != nil {
		f.t.Fatal(err)
	}
	for range bridges {
		f.addresses = append(f.addresses, ports.Free(f.t))
		f.bridges = append(f.bridges, nil)
	}
	f.front = newBalancer(f.t, f.addresses)
	f.bridgeArgs = append([]string{"--unseal-token-file", token, "--public-url", "http://" + f.front.address,
		"--log-level", "warn"}, args...)
	for i := range f.bridges {
		f.startBridge(i, folder(f.t, f.pair.sealed))
	}
	for _, b := range f.bridges {
		b.awaitState(control.Ready)
	}
}

func (f *fleet) startBridge(i int, dir string) {
	f.t.Helper()
	args := serveArgs(dir, append([]string{"--listen", f.addresses[i]}, f.bridgeArgs...))
	f.bridges[i] = start(f.t, dir, exec.CommandContext(context.WithoutCancel(f.t.Context()), f.program, args...))
}

// An accountServer is a scim-bridge account serve of a fleet.
type accountServer struct {
	fleet  *fleet
	listen string
	mute   bool // it sends no mails
	cmd    *exec.Cmd
	ended  chan struct{}
}

func (s *accountServer) start() {
	t := s.fleet.t
	t.Helper()
	args := []string{"account", "serve", "--listen", s.listen, "--public-url", "http://" + s.fleet.accounts.address,
		"--log-level", "warn"}
	if !s.mute {
		args = append(args, "--smtp-url", "smtp://"+s.fleet.mails.Address, "--mail-from", "it@example.com")
	}
	s.cmd = exec.CommandContext(context.WithoutCancel(t.Context()), s.fleet.program, args...)
	log, err := os.CreateTemp(t.TempDir(), "account-log")
	if err != nil {
		t.Fatal(err)
	}
	s.fleet.logs = append(s.fleet.logs, log.Name())
	s.cmd.Stdout, s.cmd.Stderr = log, log
	s.cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "SCIMBRIDGE_DATABASE=" + s.fleet.database}
	if err := s.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	s.ended = ended
	go func(cmd *exec.Cmd) {
		_ = cmd.Wait()
		log.Close()
		close(ended)
	}(s.cmd)
	t.Cleanup(func() {
		s.end(syscall.SIGKILL)
		text, err := os.ReadFile(log.Name())
		if err == nil && t.Failed() {
			t.Logf("log of the account server at %s:\n%s", s.listen, tail(text))
		}
	})
}

// tail returns the end of a log.
func tail(text []byte) []byte { return text[max(0, len(text)-20_000):] }

// await waits until the server answers.
func (s *accountServer) await() {
	t := s.fleet.t
	t.Helper()
	await(t, "the account server at "+s.listen, func() bool {
		select {
		case <-s.ended:
			t.Fatalf("the account server at %s has ended", s.listen)
		default:
		}
		resp, err := http.Get("http://" + s.listen + "/ready") //nolint:noctx // of the test, on this machine
		if err != nil {
			return false
		}
		resp.Body.Close()
		return resp.StatusCode == http.StatusNoContent
	})
}

// end ends the server by a signal.
func (s *accountServer) end(how syscall.Signal) {
	_ = s.cmd.Process.Signal(how)
	<-s.ended
}

// faultsFor is the variable that says for how long faults come, beyond one of each: 10m.
const faultsFor = "SCIMBRIDGE_TEST_FAULTS"

// Three bridges on one session, two account servers and a PostgreSQL server with a synchronous standby lose power in
// turn while four identity providers create, change, suspend and delete people, and change groups. Each answer is
// right, or one that says to come back; what was acknowledged holds, each once, and each mail is sent once.
func TestManyServersLoseNothingThatWasAcknowledged(t *testing.T) {
	t.Parallel()
	long, _ := time.ParseDuration(os.Getenv(faultsFor))
	d := newReplicated(t)
	f := newFleet(t, d.url(), 2)
	f.open(3)

	idps := f.simulate("entra", "okta", "onelogin", "keycloak")
	begun := time.Now()
	accountsKilled := 0
	for round := 0; round == 0 || time.Since(begun) < long; round++ {
		bridge := func(i int) func() {
			return func() {
				f.bridges[i].kill()
				idps.await(20)
				f.startBridge(i, f.bridges[i].dir)
			}
		}
		rollOut := func(i int) func() {
			return func() {
				f.bridges[i].terminate()
				f.startBridge(i, f.bridges[i].dir)
			}
		}
		server := func(i int, how syscall.Signal) func() {
			return func() {
				f.servers[i].end(how)
				idps.await(20)
				f.servers[i].start()
				f.servers[i].await()
				if how == syscall.SIGKILL {
					accountsKilled++
				}
			}
		}
		atOnce := func() {
			f.bridges[round%3].kill()
			f.servers[round%2].end(syscall.SIGKILL)
			accountsKilled++
			d.failOver()
			f.servers[round%2].start()
			f.servers[round%2].await()
			f.startBridge(round%3, f.bridges[round%3].dir)
		}
		for _, fault := range []struct {
			name string
			do   func()
		}{
			{"a bridge is killed", bridge(round % 3)},
			{"an account server is killed", server(round%2, syscall.SIGKILL)},
			{"the database server is killed, and started again", d.restart},
			{"another bridge is killed", bridge((round + 1) % 3)},
			{"the other account server is killed", server((round+1)%2, syscall.SIGKILL)},
			{"the database server is lost, and the standby takes over", d.failOver},
			{"an account server is rolled out", server(round%2, syscall.SIGTERM)},
			{"a bridge is rolled out", rollOut((round + 2) % 3)},
			{"one of each is lost at once", atOnce},
		} {
			at := time.Now()
			fault.do()
			idps.await(60)
			t.Logf("%s: %s, 60 more writes after %s", at.Sub(begun).Round(time.Second), fault.name,
				time.Since(at).Round(10*time.Millisecond))
		}
	}
	idps.end()
	t.Logf("%s: %d steps, %d writes acknowledged, %d requests sent again, of which %d may have had their effect",
		time.Since(begun).Round(time.Second), idps.steps, idps.writes.Load(), idps.repeated.Load(),
		idps.uncertain.Load())
	if idps.uncertain.Load() == 0 {
		t.Error("no answer was lost, so the test shows nothing")
	}

	f.checkCompanies(idps)
	f.checkMails(idps, accountsKilled, long > 0)
	t.Logf("account check: %s", output(t, "account", "check", "--database", f.database))
	f.checkBridges()
	f.checkLogs()
}

// A replicated is a PostgreSQL server with a standby, which has all that was acknowledged.
type replicated struct {
	t       *testing.T
	primary *postgres.Server
	standby *postgres.Server
}

func newReplicated(t *testing.T) *replicated {
	t.Helper()
	d := &replicated{t: t}
	d.primary = postgres.Start(t, "wal_keep_size=1GB", "wal_retrieve_retry_interval=100ms", "max_connections=60")
	d.standby = postgres.StartStandby(t, d.primary)
	d.acknowledgeByBoth()
	return d
}

// acknowledgeByBoth has commits wait for the standby, and waits until that is so.
func (d *replicated) acknowledgeByBoth() {
	d.t.Helper()
	d.query("ALTER SYSTEM SET synchronous_standby_names = '*'")
	d.query("SELECT pg_reload_conf()")
	await(d.t, "the standby", func() bool {
		return d.query(`SELECT count(*) FROM pg_stat_replication
			WHERE sync_state = 'sync' AND state = 'streaming'`) == "1"
	})
}

// query runs a statement at the primary by psql, and returns its only value.
func (d *replicated) query(statement string) string {
	d.t.Helper()
	out, err := d.primary.Query(context.WithoutCancel(d.t.Context()), statement)
	if err != nil {
		d.t.Fatal(err)
	}
	return out
}

// url is the address of both servers.
func (d *replicated) url() string {
	u := url.URL{Scheme: "postgres", User: url.User("postgres"), Path: "/postgres",
		Host:     fmt.Sprintf("127.0.0.1:%d,127.0.0.1:%d", d.primary.Port, d.standby.Port),
		RawQuery: "target_session_attrs=read-write"}
	return u.String()
}

func (d *replicated) restart() {
	d.t.Helper()
	d.primary.Stop(syscall.SIGKILL)
	time.Sleep(time.Second) // the outage, under load
	if err := d.primary.Start(context.WithoutCancel(d.t.Context())); err != nil {
		d.t.Fatal(err)
	}
	d.acknowledgeByBoth()
}

// failOver loses the primary with its data, and gives the standby another standby in its place.
func (d *replicated) failOver() {
	d.t.Helper()
	lost := d.primary
	lost.Stop(syscall.SIGKILL)
	time.Sleep(time.Second) // until somebody notices, under load
	ctx := context.WithoutCancel(d.t.Context())
	if err := d.standby.Promote(ctx); err != nil {
		d.t.Fatal(err)
	}
	d.primary = d.standby
	next, err := d.primary.Standby(ctx, os.TempDir(), lost.Port)
	if err != nil {
		d.t.Fatal(err)
	}
	d.t.Cleanup(func() {
		if err := next.Remove(); err != nil {
			d.t.Error(err)
		}
	})
	d.standby = next
	d.acknowledgeByBoth()
}

// A rule that was written through one server holds at another from the moment of the answer on: no request that began
// later is let in, by a token or by a session. So does its deletion.
func TestAFirewallRuleHoldsAtEveryServerOnceItIsAcknowledged(t *testing.T) {
	t.Parallel()
	const rounds, workers = 10, 8
	f := newFleet(t, postgres.Start(t, "fsync=off").URL("postgres"), 2)
	from := "127.0.0.7"
	dialer := &net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(from)}}
	f.open(1, "--account-url", "http://"+f.servers[1].listen, "--source-address", from)

	var mu sync.Mutex
	var admitted [2][]time.Time // when each began: by a token, and by a session
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var working sync.WaitGroup
	defer working.Wait()
	defer cancel()
	for i := range workers {
		client := &http.Client{Transport: &http.Transport{DialContext: dialer.DialContext}}
		c := stubbornClient{http: client, url: "http://" + f.servers[1].listen, token: f.adminToken}
		path := "/v1/whoami"
		if i%2 == 1 { // by the bridge's session
			c = stubbornClient{http: new(http.Client), url: "http://" + f.addresses[0], token: f.pair.token.Reveal()}
			path = "/scim/v2/Users?count=1"
		}
		working.Go(func() {
			for ctx.Err() == nil {
				began := time.Now()
				got, err := c.once(ctx, http.MethodGet, path, "")
				switch {
				case ctx.Err() != nil:
				case err != nil:
					t.Error(err)
					return
				case got.status == http.StatusOK:
					mu.Lock()
					admitted[i%2] = append(admitted[i%2], began)
					mu.Unlock()
				case got.status != http.StatusForbidden && got.status != http.StatusServiceUnavailable:
					t.Errorf("%d %s", got.status, got.body)
					return
				}
			}
		})
	}
	admittedSince := func(at time.Time) (n [2]int) {
		mu.Lock()
		defer mu.Unlock()
		for way := range admitted {
			for _, began := range admitted[way] {
				if began.After(at) {
					n[way]++
				}
			}
		}
		return n
	}
	rules := "http://" + f.servers[0].listen + "/v1/firewall/rules"
	for range rounds {
		at := time.Now()
		await(t, "requests that are let in", func() bool {
			n := admittedSince(at)
			return n[0] > 0 && n[1] > 0
		})
		rule := `{"action":"deny","ip_ranges":["` + from + `/32"],"priority":1}`
		got := ask(t, http.MethodPost, rules+"?allow_lockout=true", f.adminToken, rule, "Content-Type",
			"application/json")
		answered := time.Now()
		if got.status != http.StatusCreated {
			t.Fatalf("%d %s", got.status, got.body)
		}
		time.Sleep(100 * time.Millisecond)
		if n := admittedSince(answered); n != [2]int{} {
			t.Fatalf("%v requests were let in, by a token and a session, that began after the rule was acknowledged", n)
		}
		ended := ask(t, http.MethodDelete, rules+"/"+newID(got), f.adminToken, "")
		if ended.status != http.StatusNoContent {
			t.Fatalf("%d %s", ended.status, ended.body)
		}
	}
	cancel()
	working.Wait()
	t.Logf("%d requests were let in by a token, and %d by a session", len(admitted[0]), len(admitted[1]))
}

// A mail is sent by a server that can, whichever server it was queued by.
func TestAMailOfOneServerIsSentByAnother(t *testing.T) {
	t.Parallel()
	f := newFleet(t, postgres.Start(t, "fsync=off").URL("postgres"), 2)
	f.servers[0].end(syscall.SIGTERM)
	f.servers[0].mute = true
	f.servers[0].start()
	f.servers[0].await()
	got := ask(t, http.MethodPost, "http://"+f.servers[0].listen+"/v1/members", f.adminToken,
		`{"address":"ann@example.com","name":"Ann"}`, "Content-Type", "application/json")
	if got.status != http.StatusCreated {
		t.Fatalf("%d %s", got.status, got.body)
	}
	await(t, "the mail", func() bool { return len(f.mails.Mails()) == 1 })
}

func newID(r reply) string {
	var made struct {
		ID string `json:"id"`
	}
	_ = json.Unmarshal([]byte(r.body), &made)
	return made.ID
}
