package main

import (
	"net/http"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge/control"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/journal"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/problem"
)

// A full disk costs the journal some of its past, and no request.
func TestTheJournalOnAFullDisk(t *testing.T) {
	t.Parallel()
	pair := newAccount(t).activate()
	dir := folder(t, pair.sealed)
	b := serve(t, dir)
	create(t, b, pair, "before@example.com")
	b.awaitState(control.Ready)
	await(t, "the journal to be written", func() bool {
		return strings.Contains(filesBelow(t, dir, "journal"), "person_created")
	})
	mayWrite := func(bytes uint64) {
		t.Helper()
		limit := unix.Rlimit{Cur: bytes, Max: unix.RLIM_INFINITY}
		if err := unix.Prlimit(b.cmd.Process.Pid, unix.RLIMIT_FSIZE, &limit, nil); err != nil {
			t.Fatal(err)
		}
	}
	mayWrite(0)
	id, _ := create(t, b, pair, "meanwhile@example.com") // which fails the test unless it is answered with 201
	b.awaitProblem("storage_full")
	i := slices.IndexFunc(b.status().Problems, func(p problem.Problem) bool { return p.Code == problem.StorageFull })
	p := b.status().Problems[i]
	if !strings.Contains(p.Cause, "keeps its journal and its log") || !strings.Contains(p.Remedy, dir) {
		t.Errorf("the problem says: %s %s", p.Cause, p.Remedy)
	}
	if got := ask(t, http.MethodGet, b.url("/Users/"+id), pair.token.Reveal(), ""); got.status != 200 {
		t.Errorf("a read got %d", got.status)
	}
	if found := events(t, dir, "--person", id); len(found) != 1 {
		t.Errorf("what cannot be written is read as %+v", found)
	}
	if log := downloadLog(t, b, pair.token); !strings.Contains(log, "could not write the journal") {
		t.Errorf("the download has no line of it:\n%s", log)
	}
	mayWrite(unix.RLIM_INFINITY)
	await(t, "the problem to pass", func() bool { return !slices.Contains(b.codes(), "storage_full") })
	b.kill()
	if found := events(t, dir, "--person", id); len(found) != 1 || found[0].Kind != journal.PersonCreated {
		t.Errorf("what could not be written at first is read as %+v", found)
	}
	if n := strings.Count(filesBelow(t, dir, "log"), "could not write the journal"); n != 1 {
		t.Errorf("it was logged %d times", n)
	}
}
