package guard

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"hash/maphash"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account/suspension"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/problem"
)

// Config is what a Guard needs.
type Config struct {
	// Directory is the one to guard.
	Directory bridge.Directory
	// DataDir is the bridge's data folder.
	DataDir string
	Limit   suspension.Limit
	// Client names the bridge in whose log RequestID's requests are.
	Client string
	// RequestID returns the id of the request under way; it may be nil.
	RequestID func(context.Context) string
	Log       hclog.Logger
	Now       func() time.Time
}

// A Guard is a Directory that holds suspensions and removals from groups beyond a limit. It is safe for concurrent
// use, and so are the Guards of two processes at a hand-over.
type Guard struct {
	cfg    Config
	inner  bridge.Directory
	people locks // taken before groups
	groups locks
	bases  bases

	mu      sync.Mutex
	server  string
	store   *store
	serving *os.File          // with servingLock; nil before Lock
	refused map[string]string // why approvals were not carried out, by hold
	fault   error             // of the store's last use
	faulty  time.Time
	logged  heldCount
}

var (
	_ bridge.Directory = (*Guard)(nil)
	_ bridge.Holds     = (*Guard)(nil)
)

// New returns a Guard. It needs to know the server before it is asked: see SetServer.
func New(cfg Config) *Guard {
	if cfg.RequestID == nil {
		cfg.RequestID = func(context.Context) string { return "" }
	}
	return &Guard{
		cfg: cfg, inner: cfg.Directory, people: newLocks(), groups: newLocks(), refused: map[string]string{},
	}
}

// SetServer says which server's holds these are. What is held at another one stays in the data folder.
func (g *Guard) SetServer(url string) {
	url = strings.TrimRight(url, "/")
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.store != nil && g.server == url {
		return
	}
	g.server, g.store = url, openStore(filepath.Join(g.cfg.DataDir, Folder), url)
}

// A LockedError means that another process has the data folder.
type LockedError struct{ Folder string }

func (e *LockedError) Error() string {
	return fmt.Sprintf("another bridge uses %s, and what a bridge holds beyond its suspension limit is its own: "+
		"stop that bridge, or set --suspension-limit=off for both; before another server, give this one a --data-dir "+
		"of its own",
		e.Folder)
}

var errLocked = errors.New("another process has the lock")

// Lock makes this process the only one that may be started with the data folder, until it ends or Unlock is called. If
// another one has it, the error is a *LockedError. With the limit off it does nothing.
func (g *Guard) Lock() error {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.cfg.Limit.Off || g.serving != nil {
		return nil
	}
	folder := filepath.Join(g.cfg.DataDir, Folder)
	err := makeFolder(folder)
	if err == nil {
		g.serving, err = lockServing(folder)
	}
	if errors.Is(err, errLocked) {
		return &LockedError{folder}
	}
	if err != nil {
		return fmt.Errorf("what goes beyond the suspension limit is held in the data folder, which cannot be "+
			"written: %w: choose a --data-dir that is kept over restarts, or set --suspension-limit=off", err)
	}
	return nil
}

func lockServing(folder string) (*os.File, error) {
	f, err := openLock(filepath.Join(folder, servingLock))
	if err != nil {
		return nil, err
	}
	if err := lockFile(f, false); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}

// Unlock lets a successor have the data folder. This Guard goes on to answer the requests that it still gets.
func (g *Guard) Unlock() {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.serving != nil {
		_ = g.serving.Close()
		g.serving = nil
	}
}

// view calls f with what is held.
func (g *Guard) view(f func(*state)) error {
	s, err := g.opened()
	if err == nil {
		err = g.note(s.view(f))
	}
	return err
}

// update makes a change. When it has returned nil, that is on disk.
func (g *Guard) update(decide func(*state) change) error {
	s, err := g.opened()
	if err == nil {
		err = g.note(s.update(decide))
	}
	return err
}

func (g *Guard) opened() (*store, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.store == nil {
		return nil, &bridge.UnavailableError{Detail: "the bridge is sealed", Err: errors.New("no server is known")}
	}
	return g.store, nil
}

// note keeps why the file could not be used. It returns the error for a Directory's caller.
func (g *Guard) note(err error) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	isNew := err != nil && g.fault == nil
	if g.fault = err; err == nil {
		return nil
	}
	if isNew {
		g.faulty = g.cfg.Now()
		g.cfg.Log.Error("could not read or write what is held beyond the suspension limit; requests are refused "+
			"until that is possible", problem.LogKey, string(problem.StorageFull), problem.FactDataDir, g.cfg.DataDir,
			problem.FactHolds, "true", problem.FactReason, err)
	}
	return &bridge.UnavailableError{Err: err,
		Detail: "the bridge cannot read or write what it holds beyond its suspension limit"}
}

// newHold returns a hold by the request under way.
func (g *Guard) newHold(ctx context.Context, person, userName string) hold {
	return hold{
		ID: strings.ToLower(rand.Text()), Person: person, UserName: userName, Since: g.cfg.Now().UTC(),
		RequestID: g.cfg.RequestID(ctx),
	}
}

// hold records holds, which get their times, beside what else changes.
func (g *Guard) hold(holds []hold, c change) error {
	if len(holds) == 0 && c.isEmpty() {
		return nil
	}
	return g.update(func(s *state) change {
		made := s.newest
		for i := range holds {
			next := g.cfg.Now().UTC().Truncate(time.Microsecond)
			if !next.After(made) {
				next = made.Add(time.Microsecond)
			}
			holds[i].Made, made = next, next
		}
		c.Holds = append(c.Holds, holds...)
		return c
	})
}

// drop ends holds.
func (g *Guard) drop(holds ...hold) error {
	if len(holds) == 0 {
		return nil
	}
	ids := idsOf(holds)
	g.mu.Lock()
	for _, id := range ids {
		delete(g.refused, id)
	}
	g.mu.Unlock()
	return g.update(func(*state) change { return change{Drop: ids} })
}

func idsOf(holds []hold) []string {
	ids := make([]string, len(holds))
	for i, h := range holds {
		ids[i] = h.ID
	}
	return ids
}

// forgetPerson ends the holds of a person that is not there any more. A hidden group that was there for this person
// alone is deleted.
func (g *Guard) forgetPerson(ctx context.Context, id string) error {
	var isHeld bool
	err := g.view(func(s *state) { isHeld = s.suspended[id] != "" || len(s.groups[id]) > 0 })
	if err != nil || !isHeld {
		return err
	}
	var last []hold
	err = g.update(func(s *state) (c change) {
		if h, held := s.suspensionOf(id); held {
			c.Drop = append(c.Drop, h.ID)
		}
		for _, h := range s.removalsOf(id) {
			if _, hidden := s.hidden[h.Group]; hidden && len(s.removals[h.Group]) == 1 {
				last = append(last, h)
				continue
			}
			c.Drop = append(c.Drop, h.ID)
		}
		return c
	})
	if err != nil {
		return err
	}
	if err := g.removeAll(ctx, last); err != nil { // they are listed by themselves now
		g.cfg.Log.Warn("a group stays hidden whose last person is gone", "person", id, "reason", err)
	}
	return nil
}

// forgetGroup ends the holds of a group that is not there any more.
func (g *Guard) forgetGroup(id string) error {
	var c change
	err := g.view(func(s *state) {
		for _, h := range s.removals[id] {
			c.Drop = append(c.Drop, h.ID)
		}
		if _, hidden := s.hidden[id]; hidden {
			c.Show = []string{id}
		}
	})
	if err != nil || c.isEmpty() {
		return err
	}
	return g.update(func(*state) change { return c })
}

func notFound(what, id string) error {
	return &bridge.Error{Code: bridge.NotFound, Detail: fmt.Sprintf("there is no %s %.60q", what, id)}
}

func isNotFound(err error) bool { return bridge.CodeOf(err) == bridge.NotFound }

// locks let one request at a time do something with a person or a group. Some share a lock.
type locks struct {
	seed  maphash.Seed
	slots []chan struct{}
}

func newLocks() locks {
	l := locks{maphash.MakeSeed(), make([]chan struct{}, 256)}
	for i := range l.slots {
		l.slots[i] = make(chan struct{}, 1)
	}
	return l
}

// lock waits for its turn; the caller must call unlock.
func (l locks) lock(ctx context.Context, id string) (unlock func(), err error) {
	slot := l.slots[maphash.String(l.seed, id)%uint64(len(l.slots))]
	select {
	case slot <- struct{}{}:
		return func() { <-slot }, nil
	case <-ctx.Done():
		return nil, &bridge.UnavailableError{Err: ctx.Err(),
			Detail: "another request about the same is still under way"}
	}
}
