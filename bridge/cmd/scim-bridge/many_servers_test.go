package main

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	mathrand "math/rand/v2"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
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
	f := &fleet{t: t, database: database, mails: smtptest.New(t, nil)}
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
	f.bridgeArgs = append([]string{"--unseal-token-file", token, "--log-level", "warn"}, args...)
	for i := range bridges {
		f.addresses = append(f.addresses, ports.Free(f.t))
		f.bridges = append(f.bridges, nil)
		f.startBridge(i, folder(f.t, f.pair.sealed))
	}
	for _, b := range f.bridges {
		b.awaitState(control.Ready)
	}
	f.front = newBalancer(f.t, f.addresses)
}

func (f *fleet) startBridge(i int, dir string) {
	f.t.Helper()
	f.bridges[i] = serve(f.t, dir, append([]string{"--listen", f.addresses[i]}, f.bridgeArgs...)...)
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
	s.cmd = exec.CommandContext(context.WithoutCancel(t.Context()), "scim-bridge", args...)
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
// turn while people are created, changed, put into a group, taken out and deleted. What was acknowledged holds, each
// once, and each mail is sent once.
func TestManyServersLoseNothingThatWasAcknowledged(t *testing.T) {
	t.Parallel()
	long, _ := time.ParseDuration(os.Getenv(faultsFor))
	d := newReplicated(t)
	f := newFleet(t, d.url(), 2)
	f.open(3)

	w := f.write(6)
	begun := time.Now()
	accountsKilled := 0
	for round := 0; round == 0 || time.Since(begun) < long; round++ {
		bridge := func(i int) func() {
			return func() {
				f.bridges[i].kill()
				w.await(20)
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
				w.await(20)
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
			w.await(60)
			t.Logf("%s: %s, 60 more changes after %s", at.Sub(begun).Round(time.Second), fault.name,
				time.Since(at).Round(10*time.Millisecond))
		}
	}
	people := w.end()
	t.Logf("%s: %d changes acknowledged, %d requests sent again, of which %d may have had their effect",
		time.Since(begun).Round(time.Second), w.done.Load(), w.repeated.Load(), w.uncertain.Load())
	if w.uncertain.Load() == 0 {
		t.Error("no answer was lost, so the test shows nothing")
	}

	f.checkPeople(people)
	f.checkGroup(w.group, people)
	f.checkMails(people, accountsKilled, long > 0)
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

// writers change people, each its own, and repeat a request until it is answered well.
type writers struct {
	f        *fleet
	group    string // the path of the group of all
	stop     context.CancelFunc
	working  sync.WaitGroup
	people   [][]*acknowledged // of each writer
	sequence atomic.Int64

	done, repeated, uncertain atomic.Int64
}

// An acknowledged is a person as it was acknowledged.
type acknowledged struct {
	id, userName, title string
	in, gone            bool
}

func (f *fleet) write(n int) *writers {
	f.t.Helper()
	ctx, cancel := context.WithCancel(f.t.Context())
	w := &writers{f: f, stop: cancel, people: make([][]*acknowledged, n)}
	f.t.Cleanup(func() { w.stop(); w.working.Wait() })
	client := w.client()
	made, _ := w.send(client, http.MethodPost, "/Groups", `{"displayName":"all"}`)
	w.group = "/Groups/" + newID(made)
	for i := range n {
		w.working.Go(func() {
			client, random := w.client(), mathrand.New(mathrand.NewPCG(7, uint64(i)))
			for ctx.Err() == nil && !f.t.Failed() {
				if p := w.create(client); p != nil {
					w.people[i] = append(w.people[i], p)
				}
				if len(w.people[i]) > 0 {
					w.change(client, random, w.people[i][random.IntN(len(w.people[i]))])
				}
			}
		})
	}
	return w
}

// client returns one that makes a connection for each request, so that it asks the bridges in turn.
func (w *writers) client() *http.Client {
	return &http.Client{Timeout: time.Minute, Transport: &http.Transport{DisableKeepAlives: true}}
}

// await waits until so many more changes are acknowledged.
func (w *writers) await(more int64) {
	w.f.t.Helper()
	before := w.done.Load()
	await(w.f.t, "changes that are acknowledged", func() bool {
		if w.f.t.Failed() {
			w.f.t.FailNow()
		}
		return w.done.Load() >= before+more
	})
}

// end lets the writers finish, and returns all people.
func (w *writers) end() []*acknowledged {
	w.stop()
	w.working.Wait()
	return slices.Concat(w.people...)
}

// create creates a person, or finds the one whose creation was not acknowledged.
func (w *writers) create(client *http.Client) *acknowledged {
	p := &acknowledged{userName: fmt.Sprintf("p%d@example.com", w.sequence.Add(1))}
	got, again := w.send(client, http.MethodPost, "/Users", person(p.userName))
	switch {
	case got.status == http.StatusCreated:
		p.id = newID(got)
	case got.status == http.StatusConflict && again:
		var list struct {
			Resources []struct {
				ID string `json:"id"`
			} `json:"Resources"`
		}
		got, _ = w.send(client, http.MethodGet, "/Users?filter="+url.QueryEscape(`userName eq "`+p.userName+`"`), "")
		if json.Unmarshal([]byte(got.body), &list) != nil || len(list.Resources) != 1 {
			w.f.t.Errorf("looking for %s: %d %s", p.userName, got.status, got.body)
			return nil
		}
		p.id = list.Resources[0].ID
	default:
		w.f.t.Errorf("creating %s: %d %s", p.userName, got.status, got.body)
		return nil
	}
	w.done.Add(1)
	return p
}

// change changes a person, or looks whether it is as it was acknowledged.
func (w *writers) change(client *http.Client, random *mathrand.Rand, p *acknowledged) {
	path := "/Users/" + p.id
	operation := func(path, body string) bool {
		got, _ := w.send(client, http.MethodPatch, path,
			`{"schemas":["urn:ietf:params:scim:api:messages:2.0:PatchOp"],"Operations":[`+body+`]}`)
		return w.check(p, body, got.status == http.StatusOK || got.status == http.StatusNoContent, got)
	}
	switch n := random.IntN(10); {
	case p.gone:
		got, _ := w.send(client, http.MethodGet, path, "")
		w.check(p, "read after its deletion", got.status == http.StatusNotFound, got)
	case n < 2:
		got, _ := w.send(client, http.MethodGet, path, "")
		var now struct {
			UserName string `json:"userName"`
			Title    string `json:"title"`
		}
		right := json.Unmarshal([]byte(got.body), &now) == nil && now.UserName == p.userName && now.Title == p.title
		w.check(p, "read, with the title "+p.title, got.status == http.StatusOK && right, got)
	case n < 5:
		title := fmt.Sprintf("title %d", w.sequence.Add(1))
		if operation(path, fmt.Sprintf(`{"op":"replace","path":"title","value":%q}`, title)) {
			p.title = title
		}
	case n < 8:
		if operation(w.group, fmt.Sprintf(`{"op":"add","path":"members","value":[{"value":%q}]}`, p.id)) {
			p.in = true
		}
	case n < 9:
		if operation(w.group, fmt.Sprintf(`{"op":"remove","path":"members[value eq \"%s\"]"}`, p.id)) {
			p.in = false
		}
	default:
		got, again := w.send(client, http.MethodDelete, path, "")
		gone := got.status == http.StatusNoContent || got.status == http.StatusNotFound && again
		if w.check(p, "deleted", gone, got) {
			p.gone, p.in = true, false
		}
	}
}

func (w *writers) check(p *acknowledged, what string, right bool, got reply) bool {
	if !right {
		w.f.t.Errorf("%s (%s), %s: %d %s", p.userName, p.id, what, got.status, got.body)
		return false
	}
	w.done.Add(1)
	return true
}

// send repeats a request until the answer is none that says to come back. It reports whether one before may have had
// its effect.
func (w *writers) send(client *http.Client, method, path, body string) (got reply, again bool) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(w.f.t.Context()), timeout)
	defer cancel()
	c := stubbornClient{http: client, url: "http://" + w.f.front.address + "/scim/v2", token: w.f.pair.token.Reveal()}
	for {
		got, err := c.once(ctx, method, path, body)
		switch {
		case ctx.Err() != nil:
			w.f.t.Errorf("%s %s was never answered: %d %s %v", method, path, got.status, got.body, err)
			return got, again
		case err == nil && got.status != http.StatusServiceUnavailable && got.status != http.StatusTooManyRequests:
			return got, again
		case err == nil && got.header.Get("Retry-After") == "":
			w.f.t.Errorf("%s %s: %d without Retry-After", method, path, got.status)
		}
		if !again && method != http.MethodGet {
			w.uncertain.Add(1)
		}
		again = true
		w.repeated.Add(1)
		// Not as the Retry-After says, which is longer than the outage.
		time.Sleep(50*time.Millisecond + mathrand.N(100*time.Millisecond))
	}
}

func newID(r reply) string {
	var made struct {
		ID string `json:"id"`
	}
	_ = json.Unmarshal([]byte(r.body), &made)
	return made.ID
}

// get reads something by the balancer.
func (f *fleet) get(path string, into any) {
	f.t.Helper()
	got := ask(f.t, http.MethodGet, "http://"+f.front.address+"/scim/v2"+path, f.pair.token.Reveal(), "")
	if err := json.Unmarshal([]byte(got.body), into); err != nil || got.status != http.StatusOK {
		f.t.Fatalf("%s: %d %s", path, got.status, got.body)
	}
}

// checkPeople compares all people with those that were acknowledged.
func (f *fleet) checkPeople(people []*acknowledged) {
	f.t.Helper()
	want := make(map[string]string)
	for _, p := range people {
		if !p.gone {
			want[p.userName] = p.id + " " + p.title
		}
	}
	have := make(map[string]string)
	for first := 1; ; {
		var page struct {
			Resources []struct {
				ID       string `json:"id"`
				UserName string `json:"userName"`
				Title    string `json:"title"`
			} `json:"Resources"`
		}
		f.get(fmt.Sprintf("/Users?startIndex=%d&count=200&attributes=userName,title", first), &page)
		for _, p := range page.Resources {
			if have[p.UserName] != "" {
				f.t.Errorf("%s is there twice", p.UserName)
			}
			have[p.UserName] = p.ID + " " + p.Title
		}
		if first += len(page.Resources); len(page.Resources) == 0 {
			break
		}
	}
	for name, person := range want {
		if have[name] != person {
			f.t.Errorf("%s is %q, and %q was acknowledged", name, have[name], person)
		}
	}
	for name := range have {
		if want[name] == "" {
			f.t.Errorf("%s is there, and should not be", name)
		}
	}
	f.t.Logf("%d people, %d deleted", len(have), len(people)-len(want))
}

// checkGroup compares the members of the group with those that were acknowledged.
func (f *fleet) checkGroup(group string, people []*acknowledged) {
	f.t.Helper()
	want := make(map[string]bool)
	for _, p := range people {
		if p.in {
			want[p.id] = true
		}
	}
	var got struct {
		Members []struct {
			Value string `json:"value"`
		} `json:"members"`
	}
	f.get(group, &got)
	have := make(map[string]bool)
	for _, m := range got.Members {
		if have[m.Value] {
			f.t.Errorf("%s is a member twice", m.Value)
		}
		have[m.Value] = true
	}
	if !maps.Equal(want, have) {
		f.t.Errorf("the group has %d members, want %d", len(have), len(want))
	}
	f.t.Logf("%d members", len(have))
}

// checkMails compares the mails that arrived with the people. A mail whose sender was killed comes after the lease, for
// which the test need not wait; that mail alone may come twice, once for each server that was killed.
func (f *fleet) checkMails(people []*acknowledged, killed int, wait bool) {
	f.t.Helper()
	var waiting []account.Mail
	await(f.t, "the mails", func() bool {
		var err error
		if waiting, err = f.model.Mails(f.t.Context(), store.MailWaiting); err != nil {
			f.t.Fatal(err)
		}
		return len(waiting) == 0 || !wait && !slices.ContainsFunc(waiting, func(m account.Mail) bool {
			return m.LeasedUntil.Before(time.Now())
		})
	})
	leased := make(map[string]bool)
	for _, m := range waiting {
		leased[m.Recipient] = true
	}
	got := make(map[string]map[string]int) // by recipient and id
	twice := 0
	for _, m := range f.mails.Mails() {
		to := strings.Trim(strings.TrimPrefix(m.To, "TO:"), "<>")
		if got[to] == nil {
			got[to] = make(map[string]int)
		}
		if got[to][m.Header("Message-ID")]++; got[to][m.Header("Message-ID")] > 1 {
			twice++
		}
	}
	for _, p := range people {
		n := len(got[p.userName])
		if n > 1 || n == 0 && !p.gone && !leased[p.userName] {
			f.t.Errorf("%s got %d invitations", p.userName, n)
		}
	}
	if twice > killed || len(waiting) > killed+2 {
		f.t.Errorf("%d mails were sent twice, %d wait for the end of a lease, and %d servers were killed", twice,
			len(waiting), killed)
	}
	f.t.Logf("%d people got mail, %d the same mail twice; %d mails wait for the end of a lease", len(got), twice,
		len(waiting))
}

// checkBridges looks at what the account knows of the bridges: they keep their names.
func (f *fleet) checkBridges() {
	f.t.Helper()
	list, err := f.model.Bridges(f.t.Context(), "", 100)
	if err != nil {
		f.t.Fatal(err)
	}
	live := 0
	for _, b := range list.Items {
		if b.Live {
			live++
		}
	}
	if live != len(f.bridges) || len(list.Items) != len(f.bridges) {
		f.t.Errorf("the account knows %d bridges, %d of them live, want %d", len(list.Items), live, len(f.bridges))
	}
}

// checkLogs looks for errors that no operator can do anything about.
func (f *fleet) checkLogs() {
	f.t.Helper()
	for _, file := range f.logs {
		text, err := os.ReadFile(file)
		if err != nil {
			f.t.Fatal(err)
		}
		for line := range strings.Lines(string(text)) {
			if strings.Contains(line, "code=internal") || strings.Contains(line, "panic") {
				f.t.Errorf("an account server logged %s", line)
			}
		}
	}
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
