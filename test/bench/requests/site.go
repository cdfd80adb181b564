package main

import (
	"bufio"
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account/store"
	"github.com/scimbridge/terraform-provider-scimbridge/test/postgres"
)

// A program is a scim-bridge, or another server.
type program struct {
	path     string // or the shell's command of another server
	profiled bool
	isOld    bool   // of --against: its database may have another schema than this one's
	peer     string // the name of another server; empty for a scim-bridge
}

// A site is an account full of people and the servers in front of it.
type site struct {
	program program
	dir     string
	soft    int64 // the bridge's soft memory limit in bytes; 0 for none

	people  int
	ids     []string // of people, in the order of their numbers
	group   string   // the id of the group of all
	few     string   // the id of a group of ten
	bearer  string
	mode    string
	address string // of the bridge
	account string // the account's URL, and an admin token
	admin   string
	servers []*process

	postgres *postgres.Server  // that has the account, in mode postgres
	counter  *postgres.Counter // of exchanges with it
}

// newSite makes an account with people in it. It runs in mode dev afterwards, or as the other server that it is.
func newSite(ctx context.Context, folder string, p program, people int) (*site, error) {
	s := &site{program: p, dir: filepath.Join(folder, strconv.Itoa(people)), people: people}
	start := s.startDev
	if p.peer != "" {
		start = s.startPeer
	}
	if err := start(ctx); err != nil {
		s.stop()
		return nil, err
	}
	started := time.Now()
	load := s.load
	if p.isOld || p.peer != "" {
		load = s.loadByRequests
	}
	if err := load(ctx); err != nil {
		s.stop()
		return nil, fmt.Errorf("loading %d people: %w", people, err)
	}
	fmt.Fprintf(os.Stderr, "loaded %d people in %s\n", people, time.Since(started).Round(time.Second))
	return s, nil
}

func (s *site) stop() {
	s.stopServers()
	if s.counter != nil {
		_ = s.counter.Close()
	}
	if s.postgres != nil {
		if err := s.postgres.Remove(); err != nil {
			fmt.Fprintln(os.Stderr, "bench:", err)
		}
	}
}

// stopServers ends the servers and returns what they said at their end.
func (s *site) stopServers() string {
	for i := len(s.servers) - 1; i >= 0; i-- {
		s.servers[i].stop()
	}
	s.servers = nil
	logs, _ := filepath.Glob(filepath.Join(s.dir, s.mode+"-*.log"))
	commits := ""
	for _, path := range logs {
		text, _ := os.ReadFile(path)
		if found := commitsLine.FindAllSubmatch(text, -1); found != nil {
			last := found[len(found)-1]
			commits = fmt.Sprintf("%s writes in %s commits", last[2], last[1])
		}
	}
	s.mode = ""
	return commits
}

// commitsLine is the account's last word, of how well writes shared commits.
var commitsLine = regexp.MustCompile(`commits=(\d+) writes=(\d+)`)

func (s *site) startDev(ctx context.Context) error {
	s.mode = "dev"
	cmd, p, err := s.command(ctx, "dev", "dev", "--data-dir", s.dir, "--listen", "127.0.0.1:0",
		"--account-listen", "127.0.0.1:0", "--log-level", "info")
	if err != nil {
		return err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return err
	}
	if err := s.start(p); err != nil {
		return err
	}
	greeting := bufio.NewScanner(out)
	for s.admin == "" && greeting.Scan() {
		fields := strings.Fields(greeting.Text())
		switch {
		case strings.Contains(greeting.Text(), "SCIM base URL"):
			u, err := url.Parse(fields[len(fields)-1])
			if err != nil {
				return err
			}
			s.address = u.Host
		case strings.Contains(greeting.Text(), "bearer token"):
			s.bearer = fields[len(fields)-1]
		case strings.Contains(greeting.Text(), "account_url"):
			s.account = strings.Trim(fields[len(fields)-1], `"`)
		case strings.Contains(greeting.Text(), "account_token"):
			s.admin = strings.Trim(fields[len(fields)-1], `"`)
		}
	}
	if s.admin == "" {
		return fmt.Errorf("scim-bridge dev did not greet; see %s", s.logOf("dev"))
	}
	go func() { _, _ = io.Copy(io.Discard, out) }()
	return s.ready(ctx)
}

// startPeer starts another server, which is told by its environment where to listen and which bearer token to take.
func (s *site) startPeer(ctx context.Context) (err error) {
	s.mode, s.bearer = "peer", rand.Text()
	if s.address, err = freeAddress(ctx); err != nil {
		return err
	}
	cmd, p, err := s.command(ctx, s.program.peer)
	if err != nil {
		return err
	}
	cmd.Path, cmd.Args = "/bin/sh", []string{"sh", "-c", "exec " + s.program.path}
	cmd.Err = nil
	cmd.Env = append(os.Environ(), "SCIM_ADDRESS="+s.address, "SCIM_TOKEN="+s.bearer)
	cmd.Stdout = cmd.Stderr
	if err := s.start(p); err != nil {
		return err
	}
	return s.ready(ctx)
}

// startTwo starts bridge and account as two processes, over the database that dev has made.
func (s *site) startTwo(ctx context.Context) error {
	return s.startApart(ctx, "two", "sqlite:"+s.database())
}

func (s *site) startApart(ctx context.Context, mode, database string) error {
	s.mode = mode
	accountAddress, err := freeAddress(ctx)
	if err != nil {
		return err
	}
	if s.address, err = freeAddress(ctx); err != nil {
		return err
	}
	token := filepath.Join(s.dir, "bearer")
	if err := os.WriteFile(token, []byte(s.bearer), 0o600); err != nil {
		return err
	}
	// A much older dev left its session where a bridge looks for it. Its database is not to be opened by us.
	if _, err := os.Stat(filepath.Join(s.dir, "session")); errors.Is(err, fs.ErrNotExist) {
		if err := s.writeSession(ctx); err != nil {
			return err
		}
	}
	for _, args := range [][]string{
		{"account", "account", "serve", "--database", database, "--listen", accountAddress},
		{"bridge", "serve", "--data-dir", s.dir, "--listen", s.address, "--account-url", "http://" + accountAddress,
			"--unseal-token-file", token},
	} {
		_, p, err := s.command(ctx, args[0], args[1:]...)
		if err != nil {
			return err
		}
		if err := s.start(p); err != nil {
			return err
		}
	}
	return s.ready(ctx)
}

// writeSession puts the account's sealed session where a bridge looks for it.
func (s *site) writeSession(ctx context.Context) error {
	rows, err := store.Open(ctx, "sqlite:"+s.database())
	if err != nil {
		return err
	}
	defer rows.Close()
	a, err := account.Load(ctx, rows)
	if err != nil {
		return err
	}
	sealed, err := a.SealedSession(ctx)
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(s.dir, "session"), []byte(sealed), 0o600)
}

func (s *site) database() string { return filepath.Join(s.dir, "account.db") }

func (s *site) logOf(name string) string { return filepath.Join(s.dir, s.mode+"-"+name+".log") }

// command prepares a server that logs to a file, as it would in production.
func (s *site) command(ctx context.Context, name string, args ...string) (*exec.Cmd, *process, error) {
	if err := os.MkdirAll(s.dir, 0o700); err != nil {
		return nil, nil, err
	}
	log, err := os.OpenFile(s.logOf(name), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return nil, nil, err
	}
	cmd := exec.CommandContext(ctx, s.program.path, args...)
	cmd.Stderr = log
	p := &process{name: name, cmd: cmd}
	if s.soft > 0 && name == "bridge" {
		cmd.Env = append(os.Environ(), fmt.Sprintf("GOMEMLIMIT=%d", s.soft))
	}
	if s.program.profiled {
		if p.pprof, err = freeAddress(ctx); err != nil {
			return nil, nil, err
		}
		cmd.Env = append(os.Environ(), "BENCH_PPROF="+p.pprof)
	}
	return cmd, p, nil
}

func (s *site) start(p *process) error {
	if err := p.cmd.Start(); err != nil {
		return fmt.Errorf("starting %s: %w", p.name, err)
	}
	s.servers = append(s.servers, p)
	return nil
}

// ready waits until the bridge has signed in.
func (s *site) ready(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		_, err := s.get(ctx, "/scim/v2/Users?count=1")
		if err == nil {
			return nil
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return fmt.Errorf("waiting for the bridge, whose log is in %s: %w", s.dir, err)
		}
	}
}

// get asks the bridge something that is not measured.
func (s *site) get(ctx context.Context, path string) ([]byte, error) {
	return s.ask(ctx, http.MethodGet, "http://"+s.address+path, s.bearer, "", nil)
}

func (s *site) scim(path string) string { return "http://" + s.address + base + path }

// ask sends a request that is not measured, and returns the body of a good answer.
func (s *site) ask(ctx context.Context, method, url, token, contentType string, body []byte) ([]byte, error) {
	req, err := http.NewRequestWithContext(ctx, method, url, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	req.Header.Set("Authorization", "Bearer "+token)
	if contentType != "" {
		req.Header.Set("Content-Type", contentType)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err == nil && resp.StatusCode >= http.StatusMultipleChoices {
		err = fmt.Errorf("%s: %.300s", resp.Status, text)
	}
	return text, err
}

var mallocs = regexp.MustCompile(`(?m)^go_memstats_mallocs_total (\S+)`)

// allocations asks the bridge how many objects it has allocated so far.
func (s *site) allocations() (uint64, error) {
	text, err := s.get(context.Background(), "/metrics")
	if err != nil {
		return 0, err
	}
	found := mallocs.FindSubmatch(text)
	if found == nil {
		return 0, errors.New("the bridge's metrics do not tell the number of allocations")
	}
	n, err := strconv.ParseFloat(string(found[1]), 64)
	return uint64(n), err
}

// memory is what the servers hold, by their names.
func (s *site) memory() map[string]int64 {
	held := map[string]int64{}
	for _, p := range s.servers {
		held[p.name] = p.resident()
	}
	return held
}

// startProfiles profiles CPU and allocations of all servers; the function it
// returns waits for the profiles.
func (s *site) startProfiles(ctx context.Context, o options, name string) func() error {
	kinds := map[string]string{"cpu": "profile", "allocs": "allocs"}
	done := make(chan error, len(kinds)*len(s.servers))
	for _, p := range s.servers {
		for kind, path := range kinds {
			u := fmt.Sprintf("http://%s/debug/pprof/%s?seconds=%d", p.pprof, path, max(1, int(o.time.Seconds())))
			file := filepath.Join(o.profile, fmt.Sprintf("%s-%s.%s.pprof", name, p.name, kind))
			go func() { done <- download(ctx, u, file) }()
		}
	}
	return func() (err error) {
		for range cap(done) {
			err = errors.Join(err, <-done)
		}
		return err
	}
}

func download(ctx context.Context, u, file string) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, u, nil)
	if err != nil {
		return err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	f, err := os.Create(file)
	if err != nil {
		return err
	}
	_, err = io.Copy(f, resp.Body)
	return errors.Join(err, f.Close())
}

func freeAddress(ctx context.Context) (string, error) {
	l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	defer l.Close()
	return l.Addr().String(), nil
}
