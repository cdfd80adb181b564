package store_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ncruces/go-sqlite3"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account/store"
)

// otherEnv makes this test program a second process that has a database open. It has the database's path.
const otherEnv = "SCIMBRIDGE_STORE_TEST_OTHER"

// TestOther is that process, and nothing otherwise. It does what the lines of its input say, and answers each with one.
func TestOther(t *testing.T) {
	path := os.Getenv(otherEnv)
	if path == "" {
		return
	}
	p := newParty(t, path)
	for lines := bufio.NewScanner(os.Stdin); lines.Scan(); {
		fmt.Println("answer", p.do(lines.Text()))
	}
	p.end()
	os.Exit(0) // without the lines of a test
}

// A party has a database open, as one process has.
type party struct {
	t    *testing.T
	path string
	s    *store.Store
	stop context.CancelFunc
	busy sync.WaitGroup
}

// newParty opens a database, and keeps some readers of it busy.
func newParty(t *testing.T, path string) *party {
	p := &party{t: t, path: path}
	p.begin()
	return p
}

func (p *party) begin() {
	ctx, stop := context.WithCancel(p.t.Context())
	s, err := store.Open(ctx, "sqlite:"+p.path)
	if err != nil {
		p.t.Fatal(err)
	}
	p.s, p.stop = s, stop
	for range 2 {
		p.busy.Go(func() {
			for ctx.Err() == nil {
				_ = s.Read(ctx, func(ctx context.Context, tx *store.Tx) error {
					_, _, err := readDomain(ctx, tx)
					return err
				})
				time.Sleep(100 * time.Microsecond)
			}
		})
	}
}

func (p *party) end() {
	p.stop()
	p.busy.Wait()
	if err := p.s.Close(); err != nil {
		p.t.Error(err)
	}
}

// do writes a value, or reads it, or does what must not change it, and returns what it read or why it failed.
func (p *party) do(what string) string {
	ctx := p.t.Context()
	var read, cached string
	var err error
	switch what {
	case "read":
		read, cached, err = p.read(ctx)
		if read != cached {
			err = errors.Join(err, fmt.Errorf("%q is read and %q cached", read, cached))
		}
	case "undo":
		undone := errors.New("undone")
		err = p.s.Write(ctx, func(ctx context.Context, tx *store.Tx) error {
			return errors.Join(writeDomain(ctx, tx, "undone"), undone)
		})
		if errors.Is(err, undone) {
			err = nil
		}
	case "roll back":
		err = p.exec(`BEGIN IMMEDIATE; DELETE FROM signup_domains; ROLLBACK`)
	case "reopen": // as the command line does for each command
		p.end()
		p.begin()
	case "empty the log": // for which it waits for those who read from it
		err = p.exec(`PRAGMA wal_checkpoint(TRUNCATE)`)
	default:
		err = p.s.Write(ctx, func(ctx context.Context, tx *store.Tx) error { return writeDomain(ctx, tx, what) })
	}
	if err != nil {
		return "error: " + err.Error()
	}
	return read
}

func (p *party) read(ctx context.Context) (read, cached string, err error) {
	if cached, _, err = store.Cached(ctx, p.s, "domain", readDomain); err != nil {
		return "", "", err
	}
	return read, cached, p.s.Read(ctx, func(ctx context.Context, tx *store.Tx) error {
		read, _, err = readDomain(ctx, tx)
		return err
	})
}

func (p *party) exec(statements string) error {
	db, err := sqlite3.Open("file:" + p.path)
	if err != nil {
		return err
	}
	defer db.Close()
	return db.Exec(`PRAGMA busy_timeout = 10000; ` + statements)
}

func readDomain(ctx context.Context, tx *store.Tx) (domain string, found bool, err error) {
	err = tx.QueryRow(ctx, `SELECT domain FROM signup_domains`).Scan(&domain)
	if errors.Is(err, store.ErrNoRow) {
		err = nil
	}
	return domain, true, err
}

func writeDomain(ctx context.Context, tx *store.Tx, domain string) error {
	if _, err := tx.Exec(ctx, `DELETE FROM signup_domains`); err != nil {
		return err
	}
	_, err := tx.Exec(ctx, `INSERT INTO signup_domains (domain, created_at) VALUES (?, 0)`, domain)
	return err
}

// What one process has committed, every other one reads, and what is cached is never older, whatever happens to the log
// on the way.
func TestNoReadIsOlderThanAnAcknowledgedWriteOfAnyProcess(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "account.db")
	mine := newParty(t, path)
	defer mine.end()
	tell := startOther(t, path)
	const rounds = 1000
	for n := range rounds {
		value := fmt.Sprint(n)
		one, two := mine.do, tell
		if n%2 == 1 {
			one, two = two, one
		}
		steps := []string{value}
		switch {
		case n%50 == 49:
			steps = append(steps, "reopen")
		case n%10 == 7:
			steps = append(steps, "empty the log")
		case n%3 == 2:
			steps = append(steps, "undo")
		case n%3 == 1:
			steps = append(steps, "roll back")
		}
		for _, step := range steps {
			if answer := one(step); answer != "" {
				t.Fatalf("round %d, %s: %s", n, step, answer)
			}
		}
		for i, ask := range []func(string) string{two, one, two} {
			if got := ask("read"); got != value {
				t.Fatalf("round %d, %v, reader %d: %q, want %q", n, steps, i, got, value)
			}
		}
	}
}

// startOther starts TestOther, and returns a function that tells it what to do.
func startOther(t *testing.T, path string) (tell func(what string) string) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestOther$")
	cmd.Env = append(os.Environ(), otherEnv+"="+path)
	cmd.Stderr = os.Stderr
	in, errIn := cmd.StdinPipe()
	out, err := cmd.StdoutPipe()
	if err := errors.Join(errIn, err, cmd.Start()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = in.Close() // which ends it
		_ = cmd.Wait()
	})
	answers := bufio.NewReader(out)
	return func(what string) string {
		if _, err := io.WriteString(in, what+"\n"); err != nil {
			return "error: " + err.Error()
		}
		line, err := answers.ReadString('\n')
		answer, said := strings.CutPrefix(strings.TrimSuffix(line, "\n"), "answer ")
		if err != nil || !said {
			return fmt.Sprintf("error: it said %q (%v)", line, err)
		}
		return answer
	}
}
