package guard

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge"
)

// breakStore removes the file of what is held.
func breakStore(t *testing.T, g *guarded) {
	t.Helper()
	if err := os.Remove(fileOf(t, g)); err != nil {
		t.Fatal(err)
	}
}

func fileOf(t *testing.T, g *guarded) string {
	t.Helper()
	found, err := filepath.Glob(filepath.Join(g.folder, Folder, "*.jsonl"))
	if err != nil || len(found) != 1 {
		t.Fatalf("the files are %v, %v", found, err)
	}
	return found[0]
}

func TestHoldsAndCountsSurviveARestart(t *testing.T) {
	t.Parallel()
	const limit = "max(1, 0%)/1h"
	g := guardWith(t, limit, 5)
	group := g.newGroup("team", 3, 4)
	g.setActive(0, false)
	g.setActive(1, false)
	g.delete(2)
	if err := g.DeleteGroup(t.Context(), group, ""); err != nil {
		t.Fatal(err)
	}
	before := g.wantHeld("2+1")
	g.restart(limit)
	after := g.wantHeld("2+1")
	if fmt.Sprint(before) != fmt.Sprint(after) {
		t.Errorf("before it was %+v, and is %+v", before, after)
	}
	if _, err := g.Group(t.Context(), group, false); !isNotFound(err) {
		t.Errorf("the deleted group is there: %v", err)
	}
	g.setActive(3, false) // the window is used up
	g.wantHeld("3+1")
	info, err := os.Stat(fileOf(t, g))
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the file's mode is %v, %v", info.Mode(), err)
	}
}

// A process can be killed at any byte: what was answered before is held, and the rest is as if it had not been sent.
func TestAFileThatWasCutAnywhereHasAllThatWasAnswered(t *testing.T) {
	t.Parallel()
	const limit = "max(1, 0%)/1h"
	g := guardWith(t, limit, 4)
	group := g.newGroup("team", 2, 3)
	var whole []int64 // the file's size after each answer
	var held []string
	answered := func() {
		t.Helper()
		info, err := os.Stat(fileOf(t, g))
		if err != nil {
			t.Fatal(err)
		}
		page, err := g.Holds(t.Context(), "", 10)
		if err != nil {
			t.Fatal(err)
		}
		whole, held = append(whole, info.Size()), append(held, fmt.Sprint(page.Suspensions, "+", page.Removals))
	}
	for _, do := range []func(){
		func() { g.setActive(0, false) }, func() { g.setActive(1, false) }, func() { g.delete(1) },
		func() { g.update(group, bridge.GroupChange{Replace: &[]string{}}) }, func() { g.setActive(2, false) },
	} {
		do()
		answered()
	}
	path := fileOf(t, g)
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for _, torn := range []string{"", "\x00\x00\x00", `{"holds":[{"id`, "\x00\n"} {
		for cut := whole[0]; cut <= int64(len(text)); cut++ {
			g.folder = t.TempDir()
			if err := os.Mkdir(filepath.Join(g.folder, Folder), 0o700); err != nil {
				t.Fatal(err)
			}
			cutFile := filepath.Join(g.folder, Folder, filepath.Base(path))
			if err := os.WriteFile(cutFile, append(bytes.Clone(text[:cut]), torn...), 0o600); err != nil {
				t.Fatal(err)
			}
			g.restart(limit)
			last := 0
			for i, size := range whole {
				if size <= cut {
					last = i
				}
			}
			page, err := g.Holds(t.Context(), "", 10)
			if got := fmt.Sprint(page.Suspensions, "+", page.Removals); err != nil || got != held[last] {
				t.Fatalf("cut at %d with %q behind: %s is held, want %s: %v", cut, torn, got, held[last], err)
			}
			if cut%100 != 0 {
				continue
			}
			h := g.newHold(t.Context(), "x", "x") // and it can be written on
			if err := g.hold([]hold{h}, change{}); err != nil {
				t.Fatal(err)
			}
			g.restart(limit)
			again, err := g.Holds(t.Context(), "", 10)
			if err != nil || again.Suspensions != page.Suspensions+1 {
				t.Fatalf("cut at %d with %q behind: after the next hold %+v, %v", cut, torn, again, err)
			}
		}
	}
}

// Damage that no crash causes is an error, or what is held would be forgotten.
func TestDamageInTheMiddleIsAnError(t *testing.T) {
	t.Parallel()
	g := guardWith(t, "max(0, 0%)/1h", 3)
	for i := range 3 {
		g.setActive(i, false)
	}
	path := fileOf(t, g)
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	lines := bytes.SplitAfter(text, []byte("\n"))
	lines[1][0] = 'x'
	if err := os.WriteFile(path, bytes.Join(lines, nil), 0o600); err != nil {
		t.Fatal(err)
	}
	g.restart("max(0, 0%)/1h")
	if _, err := g.Person(t.Context(), g.ids[0]); !errors.Is(err, bridge.ErrUnavailable) ||
		!strings.Contains(err.Error(), "is damaged after") {
		t.Errorf("a damaged file: %v", err)
	}
}

func TestTheFileDoesNotGrowWithWhatIsOver(t *testing.T) {
	t.Parallel()
	g := guardWith(t, "max(0, 0%)/1h", 2)
	g.setActive(1, false)
	for range 700 {
		g.setActive(0, false)
		g.setActive(0, true)
	}
	text, err := os.ReadFile(fileOf(t, g))
	if lines := bytes.Count(text, []byte("\n")); err != nil || lines > 1100 {
		t.Errorf("the file has %d lines after 1400 changes, %v", lines, err)
	}
	g.restart("max(0, 0%)/1h")
	g.wantHeld("1+0")
}

// At a hand-over two processes serve for a moment.
func TestTwoProcessesSeeEachOthersHolds(t *testing.T) {
	t.Parallel()
	const limit = "max(5, 0%)/1h"
	g := guardWith(t, limit, 40)
	old := g.Guard
	if err := old.Lock(); err != nil {
		t.Fatal(err)
	}
	g.restart(limit)
	next := g.Guard
	var locked *LockedError
	if err := next.Lock(); !errors.As(err, &locked) || !strings.Contains(err.Error(), "--suspension-limit=off") {
		t.Errorf("a second bridge in the folder: %v", err)
	}
	var requests sync.WaitGroup
	for i, id := range g.ids {
		guard := []*Guard{old, next}[i%2]
		requests.Go(func() {
			if err := guard.DeletePerson(t.Context(), id, ""); err != nil {
				t.Error(err)
			}
			for _, one := range []*Guard{old, next} {
				if _, err := one.Person(t.Context(), id); !isNotFound(err) {
					t.Errorf("a deleted person is read: %v", err)
				}
			}
		})
	}
	requests.Wait()
	g.wantHeld("35+0")
	if active := strings.Count(g.far.stateOf(g.ids), "a"); active != 35 {
		t.Errorf("%d are active, want 35", active)
	}
	old.Unlock()
	if err := next.Lock(); err != nil {
		t.Errorf("after the old bridge has let go: %v", err)
	}
}

// Ids of one server mean somebody else at another.
func TestHoldsAreOfOneServer(t *testing.T) {
	t.Parallel()
	g := guardWith(t, "max(0, 0%)/1h", 1)
	g.setActive(0, false)
	g.SetServer("https://other.example.com/scim/v2")
	g.wantHeld("0+0")
	if p, err := g.Person(t.Context(), g.ids[0]); err != nil || p.Suspended {
		t.Errorf("%+v, %v", p, err)
	}
	g.SetServer("https://far.example.com/scim/v2/")
	g.wantHeld("1+0")
}
