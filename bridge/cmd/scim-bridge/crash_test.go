package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account/api"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account/api/apitest"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/control"
	"github.com/scimbridge/terraform-provider-scimbridge/test/ports"
)

// An accountProcess is a scim-bridge account serve.
type accountProcess struct {
	*realAccount
	database string // its file, if it is one of SQLite
	setting  string // of --database, in the environment
	listen   string
	args     []string // beside the usual ones
	environ  []string // beside the test's
	stderr   *os.File
	cmd      *exec.Cmd
}

// newAccountProcess makes an account and serves it from a process of its own.
func newAccountProcess(t *testing.T) *accountProcess {
	t.Helper()
	return newAccountProcessIn(t, t.TempDir())
}

// newAccountProcessIn has the database in a folder of the test's choice.
func newAccountProcessIn(t *testing.T, folder string) *accountProcess {
	t.Helper()
	return newAccountProcessOn(t, "sqlite:"+filepath.Join(folder, "account.db"))
}

// newAccountProcessOn has the database that --database names.
func newAccountProcessOn(t *testing.T, setting string) *accountProcess {
	t.Helper()
	a := &accountProcess{
		database: strings.TrimPrefix(setting, "sqlite:"), setting: setting, listen: ports.Free(t), stderr: os.Stderr,
	}
	token := strings.TrimSpace(output(t, "account", "init", "--database", setting, "--name", "Test"))
	a.realAccount = &realAccount{t: t, url: "http://" + a.listen}
	admin, err := api.NewClient(a.url, api.WithRequestEditorFn(func(_ context.Context, r *http.Request) error {
		r.Header.Set("Authorization", "Bearer "+token)
		return nil
	}))
	if err != nil {
		t.Fatal(err)
	}
	a.admin = admin
	a.start()
	t.Cleanup(a.kill)
	who, err := apitest.Read[api.Caller](admin.WhoAmI(t.Context()))
	if err != nil || who.Value == nil {
		t.Fatalf("asking the account who it is: %v", err)
	}
	a.model = &account.Account{ID: who.Value.AccountId}
	return a
}

func (a *accountProcess) start() {
	a.t.Helper()
	a.cmd = exec.CommandContext(context.WithoutCancel(a.t.Context()), "scim-bridge",
		append([]string{"account", "serve", "--listen", a.listen, "--log-level", "error"}, a.args...)...)
	a.cmd.Stderr = a.stderr
	a.cmd.Env = append(os.Environ(), append(a.environ, "SCIMBRIDGE_DATABASE="+a.setting)...)
	if err := a.cmd.Start(); err != nil {
		a.t.Fatal(err)
	}
	await(a.t, "the account to answer", func() bool {
		answer, err := apitest.Read[api.Caller](a.admin.WhoAmI(a.t.Context()))
		return err == nil && answer.Value != nil
	})
}

// kill is a loss of power.
func (a *accountProcess) kill() {
	_ = a.cmd.Process.Kill()
	_ = a.cmd.Wait()
}

// A stubbornClient repeats a request until it is answered well, as identity
// providers do: connections refused and cut, 429 and 503 are none of its worries.
type stubbornClient struct {
	t          *testing.T
	http       *http.Client
	url, token string
	retries    atomic.Int64
}

func (c *stubbornClient) send(ctx context.Context, method, path, body string) []byte {
	for {
		got, err := c.once(ctx, method, path, body)
		switch {
		case err == nil && got.status < 300:
			return []byte(got.body)
		case ctx.Err() != nil:
			c.t.Errorf("%s %s was never answered: %d %v", method, path, got.status, err)
			return nil
		case err == nil && got.status != http.StatusServiceUnavailable && got.status != http.StatusTooManyRequests:
			c.t.Errorf("%s %s: %d %s", method, path, got.status, got.body)
			return nil
		}
		c.retries.Add(1)
		select { // not as the Retry-After says, which is longer than the outage
		case <-time.After(50*time.Millisecond + rand.N(100*time.Millisecond)):
		case <-ctx.Done():
		}
	}
}

func (c *stubbornClient) once(ctx context.Context, method, path, body string) (reply, error) {
	r, err := http.NewRequestWithContext(ctx, method, c.url+path, strings.NewReader(body))
	if err != nil {
		return reply{}, err
	}
	r.Header.Set("Authorization", "Bearer "+c.token)
	r.Header.Set("Content-Type", "application/scim+json")
	resp, err := c.http.Do(r)
	if err != nil {
		return reply{}, err
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(resp.Body)
	return reply{resp.StatusCode, resp.Header, string(answer)}, err
}

// changes are the shapes in which members come and go.
var changes = map[bool][]string{
	true: {
		`{"op":"Add","path":"members","value":[{"$ref":null,"value":%q}]}`,
		`{"op":"add","path":"members","value":{"value":%q}}`,
		`{"op":"add","value":{"members":[{"value":%q}]}}`,
	},
	false: {
		`{"op":"Remove","path":"members","value":[{"value":%q}]}`,
		`{"op":"remove","path":"members[value eq %s]"}`,
		`{"op":"remove","path":"members[value eq %s]"},{"op":"replace","path":"displayName","value":"crowd"}`,
	},
}

// Sixty-four clients let people join and leave one group at once, each its
// own, about every other request sent twice, while the bridge and then the
// account lose power. What was acknowledged holds, to the last member.
func TestAGroupHoldsExactlyTheRightSetAfterCrashes(t *testing.T) {
	t.Parallel()
	backend := newAccountProcess(t)
	pair := backend.activate()
	token := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(token, []byte(pair.token.Reveal()), 0o600); err != nil {
		t.Fatal(err)
	}
	dir, listen := folder(t, pair.sealed), ports.Free(t)
	start := func() *process {
		b := serve(t, dir, "--listen", listen, "--unseal-token-file", token, "--log-level", "warn")
		b.awaitState(control.Ready)
		return b
	}
	bridge := start()
	members := joinAndLeave(t, "http://"+listen+"/scim/v2", pair, func() {
		bridge.kill()
		bridge = start()
	}, func() {
		backend.kill()
		backend.start()
	})
	bridge.terminate()
	checkMembers(t, backend.database, members)
}

// killsEnv is how often one process is killed instead of twice.
const killsEnv = "SCIMBRIDGE_TEST_KILLS"

// In one process, account and bridge lose power together.
func TestAGroupHoldsExactlyTheRightSetAfterCrashesOfOneProcess(t *testing.T) {
	t.Parallel()
	token, listen := filepath.Join(t.TempDir(), "token"), ports.Free(t)
	o := newOneProcess(t, "--listen", listen, "--unseal-token-file", token, "--log-level", "warn")
	pair := o.activate()
	if err := os.WriteFile(token, []byte(pair.token.Reveal()), 0o600); err != nil {
		t.Fatal(err)
	}
	o.awaitState(control.Ready)
	kills := 2
	if text := os.Getenv(killsEnv); text != "" {
		var err error
		if kills, err = strconv.Atoi(text); err != nil || kills < 1 {
			t.Fatalf("%s=%q is not a number of kills", killsEnv, text)
		}
	}
	members := joinAndLeave(t, "http://"+listen+"/scim/v2", pair, slices.Repeat([]func(){func() {
		o.kill()
		o.start(o.dir)
		o.awaitState(control.Ready)
	}}, kills)...)
	o.terminate()
	checkMembers(t, o.database, members)
}

// checkMembers lets the account's own check count the members of groups.
func checkMembers(t *testing.T, database string, members int) {
	t.Helper()
	out := output(t, "account", "check", "--database", "sqlite:"+database)
	if !strings.Contains(out, fmt.Sprintf("groups with %d members", members)) {
		t.Errorf("the account's check says %s, want %d members", out, members)
	}
}

// joinAndLeave lets clients change one group, and calls the crashes meanwhile, as many changes apart. It
// compares the members with what was acknowledged, and returns their number.
func joinAndLeave(t *testing.T, url string, pair pair, crashes ...func()) (members int) {
	t.Helper()
	const clients, each = 64, 4
	rounds := 4 + 3*len(crashes)
	ctx, cancel := context.WithTimeout(t.Context(), 15*time.Minute+time.Duration(len(crashes))*15*time.Second)
	defer cancel()
	c := &stubbornClient{
		t: t, url: url, token: pair.token.Reveal(),
		http: &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 2 * clients}},
	}
	ids := c.people(ctx, clients*each)
	var made struct {
		ID string `json:"id"`
	}
	if err := json.Unmarshal(c.send(ctx, http.MethodPost, "/Groups", `{"displayName":"crowd"}`), &made); err != nil {
		t.Fatal(err)
	}
	group := "/Groups/" + made.ID

	var done atomic.Int64
	var working sync.WaitGroup
	want := make([]map[string]bool, clients)
	for i := range clients {
		random := rand.New(rand.NewPCG(1, uint64(i)))
		mine := ids[i*each : (i+1)*each]
		want[i] = make(map[string]bool, each)
		working.Go(func() {
			for range rounds {
				id, joins := mine[random.IntN(each)], random.IntN(2) == 0
				shape := changes[joins][random.IntN(3)]
				body := patchOf(shape, id)
				var twice sync.WaitGroup
				for range 1 + random.IntN(2) {
					twice.Go(func() { c.send(ctx, http.MethodPatch, group, body) })
				}
				twice.Wait() // a provider that still waits for an answer says nothing new of this person
				want[i][id] = joins
				done.Add(1)
			}
		})
	}
	all := int64(clients * rounds)
	for i, crash := range crashes {
		due := all * int64(i+1) / int64(len(crashes)+1)
		await(t, fmt.Sprintf("%d changes", due), func() bool { return done.Load() > due })
		crash()
	}
	working.Wait()
	t.Logf("%d changes, %d requests sent again", done.Load(), c.retries.Load())
	if c.retries.Load() == 0 {
		t.Error("no client noticed the crashes, so the test shows nothing")
	}

	var right []string
	for _, of := range want {
		for id, in := range of {
			if in {
				right = append(right, id)
			}
		}
	}
	var got struct {
		Members []struct {
			Value string `json:"value"`
		} `json:"members"`
	}
	if err := json.Unmarshal(c.send(ctx, http.MethodGet, group, ""), &got); err != nil {
		t.Fatal(err)
	}
	in := make(map[string]bool)
	for _, m := range got.Members {
		if in[m.Value] {
			t.Errorf("%s is in twice", m.Value)
		}
		in[m.Value] = true
	}
	slices.Sort(right)
	if held := slices.Sorted(maps.Keys(in)); !slices.Equal(held, right) {
		t.Errorf("the group holds %d members\n%v\nwant %d\n%v", len(held), held, len(right), right)
	}
	return len(right)
}

func patchOf(shape, id string) string {
	if strings.Contains(shape, "%s") {
		id = `\"` + id + `\"`
	}
	return `{"Operations":[` + fmt.Sprintf(shape, id) + `]}`
}

// people makes n people in one bulk request and returns their ids.
func (c *stubbornClient) people(ctx context.Context, n int) []string {
	c.t.Helper()
	var operations bytes.Buffer
	for i := range n {
		if i > 0 {
			operations.WriteByte(',')
		}
		fmt.Fprintf(&operations, `{"method":"POST","path":"/Users","bulkId":"%d","data":{"userName":"crowd-%d"}}`, i, i)
	}
	var answer struct {
		Operations []struct {
			Location string `json:"location"`
		} `json:"Operations"`
	}
	err := json.Unmarshal(c.send(ctx, http.MethodPost, "/Bulk", `{"Operations":[`+operations.String()+`]}`), &answer)
	if err != nil {
		c.t.Fatal(err)
	}
	ids := make([]string, 0, n)
	for _, op := range answer.Operations {
		ids = append(ids, op.Location[strings.LastIndexByte(op.Location, '/')+1:])
	}
	if len(ids) != n {
		c.t.Fatalf("%d people were made, want %d", len(ids), n)
	}
	return ids
}
