package main

import (
	"context"
	"os"
	"time"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge/auth"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/build"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/explain"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/internal/httpkit"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/journal"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/problem"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/server"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/session"
)

// openJournal opens the journal in the data folder. It is nil if there shall be none.
func (b *runningBridge) openJournal() {
	if b.cfg.withoutJournal {
		return
	}
	b.journal = journal.Open(journal.Config{DataDir: b.cfg.dataDir, Now: time.Now, OnFault: b.folder.noteJournal})
}

// recordStart records the start of a bridge that serves, or waits to take over: one that cannot, as a second one in the
// folder of another, is no part of what happened there. A service manager may start it again and again.
func (b *runningBridge) recordStart() {
	if b.recorded.CompareAndSwap(false, true) { // a bridge that takes over listens later
		b.journal.Append(journal.Event{Kind: journal.Started, Version: build.Read().Version, PID: os.Getpid()})
	}
}

// recordStop records the end of a bridge whose start was recorded.
func (b *runningBridge) recordStop() {
	if b.recorded.Load() {
		b.journal.Append(journal.Event{Kind: journal.Stopped, PID: os.Getpid()})
	}
}

func (b *runningBridge) recordSignIn(epoch int64) {
	b.journal.Append(journal.Event{Kind: journal.SignedIn, Epoch: epoch})
}

func (b *runningBridge) recordConfirmation(person string) {
	b.journal.Append(journal.Event{Kind: journal.PersonConfirmed, Person: person})
}

// explain answers questions of operators by x, and records that they were asked: about whom is a digest.
func (b *runningBridge) explain(x *explain.Explainer) server.Explain {
	return func(ctx context.Context, q explain.Question) (explain.Answer, error) {
		answer, err := x.Explain(ctx, q)
		if err == nil {
			e := journal.Event{Kind: journal.Explained, Subject: b.journal.Person(q.Person)}
			if q.Group != "" {
				e.Subject = b.journal.Group(q.Group)
			}
			b.recordQuestion(ctx, e)
		}
		return answer, err
	}
}

func (b *runningBridge) preview(x *explain.Explainer) server.Preview {
	return func(ctx context.Context, p explain.Preview) (explain.PreviewAnswer, error) {
		answer, err := x.Preview(ctx, p)
		if err == nil {
			b.recordQuestion(ctx, journal.Event{Kind: journal.Previewed, Count: int64(len(p.People))})
		}
		return answer, err
	}
}

func (b *runningBridge) recordQuestion(ctx context.Context, e journal.Event) {
	request := httpkit.RequestFrom(ctx)
	e.Request, e.Token = request.ID, request.Caller
	b.journal.Append(e)
}

// recordProblems records which problems have begun or ended since it was last called, for the journal and the page.
func (b *runningBridge) recordProblems() {
	now := b.checker.Health()
	b.history.Note(now)
	if b.journal == nil {
		return
	}
	for _, e := range b.problems.changes(now.Problems) {
		b.journal.Append(e)
	}
}

// A problemWatch knows which problems there were last. Problems of the same code are one here: the journal has none
// of what they name.
type problemWatch struct {
	since map[problem.Code]time.Time
}

// changes returns an event for each code that is there now and was not, or the reverse.
func (w *problemWatch) changes(now []problem.Problem) (events []journal.Event) {
	found := make(map[problem.Code]time.Time, len(now))
	for _, p := range now {
		if _, known := w.since[p.Code]; !known && found[p.Code].IsZero() {
			events = append(events, journal.Event{Kind: journal.ProblemBegan, Code: string(p.Code), Since: p.Since})
		}
		if since, twice := found[p.Code]; !twice || p.Since.Before(since) {
			found[p.Code] = p.Since
		}
	}
	for _, e := range problem.Catalogue() { // in a fixed order
		since, before := w.since[e.Code]
		if _, there := found[e.Code]; before && !there {
			events = append(events, journal.Event{Kind: journal.ProblemEnded, Code: string(e.Code), Since: since})
		}
	}
	w.since = found
	return events
}

// A recordedConnector records when a session is opened or sealed.
type recordedConnector struct {
	auth.Connector
	journal *journal.Journal
}

// SetCredentials implements auth.Connector.
func (c recordedConnector) SetCredentials(creds session.Credentials, epoch int64) {
	c.journal.Append(journal.Event{Kind: journal.Unsealed, Epoch: epoch})
	c.Connector.SetCredentials(creds, epoch)
}

// ClearCredentials implements auth.Connector.
func (c recordedConnector) ClearCredentials() {
	c.journal.Append(journal.Event{Kind: journal.Sealed})
	c.Connector.ClearCredentials()
}
