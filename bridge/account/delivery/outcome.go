package delivery

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account/smtp"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account/store"
)

// A backoff is how the pauses between attempts grow: each is as long as all before it together, so that they double,
// from a first to a longest one.
type backoff struct{ first, longest time.Duration }

var (
	// mailBackoff is for one mail. Servers that refuse strangers at first (greylisting) take it after some minutes.
	mailBackoff = backoff{time.Minute, time.Hour}
	// serverBackoff is for all mails: a server that is restarted is back soon.
	serverBackoff = backoff{5 * time.Second, 10 * time.Minute}
)

const (
	// giveUpAfter is for how long a mail that the server does not take now is tried again.
	giveUpAfter = 3 * 24 * time.Hour
	// mostCopies is how often a mail is sent to a server that does not answer, or by a service that is killed: each may
	// be delivered.
	mostCopies = 5
	// mostInRow mails that the server does not take, one after the other, are its fault and not theirs: it takes none.
	mostInRow = 3
	// mostAddressesInRow is mostInRow for addresses that do not exist, of which there may be some.
	mostAddressesInRow = 10
	// fewestAttempts are those before a mail is given up, which are not made in a moment when the clock is ahead.
	fewestAttempts = 24
)

// after returns the pause after failures for that long: from 80 to 120 percent of it by a random number below 1, so
// that mails that failed together are not tried together.
func (b backoff) after(failing time.Duration, random float64) time.Duration {
	pause := min(max(failing, b.first), b.longest)
	return time.Duration(float64(pause) * (0.8 + 0.4*random))
}

// failureOf returns the error of an attempt, or nil.
func failureOf(err error) *smtp.Error {
	if err == nil {
		return nil
	}
	if failure, ok := errors.AsType[*smtp.Error](err); ok {
		return failure
	}
	return &smtp.Error{Scope: smtp.Connection, Doing: "could not send the mail"}
}

// settle makes the session ready for the next mail, or ends it. It may wait for the mail server, until ctx ends.
func (s *Sender) settle(ctx context.Context, failure *smtp.Error) {
	switch {
	case s.session == nil:
	case failure == nil:
		if s.sent >= s.most {
			s.hangUp(ctx)
		}
	case failure.Scope == smtp.AllMails, failure.Scope == smtp.Connection:
		s.drop()
	default:
		defer context.AfterFunc(ctx, s.session.Abort)()
		if s.sent >= s.most || s.session.Reset() != nil {
			s.drop()
		}
	}
}

// record notes what came of an attempt: nil if the server took the mail.
func (s *Sender) record(ctx context.Context, tx *store.Tx, m store.Mail, failure *smtp.Error) error {
	now := s.account.Time()
	if failure != nil && !failure.Uncertain {
		m.Copies--
	}
	switch {
	case failure == nil:
		return errors.Join(tx.MailWasSent(ctx, m.ID, now), tx.ForgetBlame(ctx), s.serverWorks(ctx, tx))
	case failure.Scope == smtp.AllMails && !failure.MaybeMail:
		// The mail is not to blame: it stays due, and the server's pause holds for it.
		return errors.Join(tx.DeferMail(ctx, m, m.NextAttempt, failure.Error()),
			s.serverFails(ctx, tx, failure, now))
	}
	if failure.NotAsked {
		s.logRefused(tx, m, failure)
		return tx.FailMail(ctx, m, failure.Error())
	}
	if failure.Scope != smtp.Connection {
		// By signing up with addresses that the server refuses, anybody could have it count as one that takes none.
		switch strange, err := tx.StrangersCaused(ctx, m.ID); {
		case err != nil:
			return err
		case strange && failure.Scope == smtp.Never:
			s.logRefused(tx, m, failure)
			return tx.FailMail(ctx, m, failure.Error())
		case strange:
			return s.tryLater(ctx, tx, m, failure, false, now)
		}
	}
	inRow, err := tx.BlameMail(ctx, m)
	if err != nil {
		return err
	}
	serverFault := inRow >= mostRefused(failure)
	if failure.Scope == smtp.Never && !serverFault {
		s.logRefused(tx, m, failure)
		err = tx.RefuseMail(ctx, m, failure.Error())
	} else {
		err = s.tryLater(ctx, tx, m, failure, serverFault, now)
	}
	switch {
	case serverFault:
		return errors.Join(err, tx.RetryRefused(ctx, now), s.serverFails(ctx, tx, takesNothing(failure), now))
	case failure.Scope == smtp.AllMails, failure.Scope == smtp.Connection, inRow >= mostInRow:
		return err // it is not known yet whether the server works
	}
	return errors.Join(err, s.serverWorks(ctx, tx))
}

// log logs what a transaction has written, once it is committed.
func (s *Sender) log(tx *store.Tx, level hclog.Level, text string, args ...any) {
	tx.AfterCommit(func() { s.logger.Log(level, text, args...) })
}

func (s *Sender) logRefused(tx *store.Tx, m store.Mail, failure *smtp.Error) {
	s.log(tx, hclog.Warn, "a mail was refused, and is not sent", "mail", m.ID, "kind", m.Kind, "error", failure)
}

// mostRefused is from how many mails on, none of which was taken, it is the server's fault and not theirs.
func mostRefused(failure *smtp.Error) int {
	if failure.Address {
		return mostAddressesInRow
	}
	return mostInRow
}

// takesNothing returns the error of a server that takes no mail, whoever it is for.
func takesNothing(failure *smtp.Error) error {
	if failure.Remedy != "" {
		return failure
	}
	return fmt.Errorf("the mail server takes none of several mails: %w: check the user of --smtp-url, --mail-from, "+
		"and how many mails the server lets them send", failure)
}

// tryLater puts a mail off, or gives it up: not while the server takes no other either.
func (s *Sender) tryLater(ctx context.Context, tx *store.Tx, m store.Mail, failure *smtp.Error, serverFault bool,
	now time.Time,
) error {
	if m.FirstFailure.IsZero() || m.FirstFailure.After(now) { // as after the clock was ahead
		m.FirstFailure = now
	}
	tooLong := now.Sub(m.FirstFailure) >= giveUpAfter && m.Attempts >= fewestAttempts && !serverFault
	if tooLong && failure.Scope == smtp.AllMails {
		var err error
		if tooLong, err = tx.TookMailSince(ctx, m.FirstFailure); err != nil {
			return err
		}
	}
	givenUp := ""
	switch {
	case m.Copies >= mostCopies:
		givenUp = tooManyCopies(m)
	case tooLong:
		givenUp = fmt.Sprintf("given up after %d days", giveUpAfter/(24*time.Hour))
	}
	if givenUp != "" {
		s.log(tx, hclog.Warn, "a mail was given up", "mail", m.ID, "kind", m.Kind, "attempts", m.Attempts, "error",
			failure)
		return tx.FailMail(ctx, m, givenUp+": "+failure.Error())
	}
	pause := mailBackoff.after(now.Sub(m.FirstFailure), rand.Float64())
	s.log(tx, hclog.Info, "a mail could not be sent now; trying again", "mail", m.ID, "kind", m.Kind, "error", failure,
		"in", pause.Round(time.Second))
	return tx.DeferMail(ctx, m, now.Add(pause), failure.Error())
}

func tooManyCopies(m store.Mail) string {
	return fmt.Sprintf("given up after %d attempts, since the server may have taken it each time", m.Copies)
}

// serverFails puts all mails off.
func (s *Sender) serverFails(ctx context.Context, tx *store.Tx, failure error, now time.Time) error {
	server, err := tx.MailServer(ctx)
	if err != nil {
		return err
	}
	f := server.MailServerFailure
	if f.Failures++; f.Since.IsZero() || f.Since.After(now) {
		f.Since = now
	}
	pause := serverBackoff.after(now.Sub(f.Since), rand.Float64())
	f.NextAttempt, f.LastError = now.Add(pause), failure.Error()
	if f.Failures == 1 || server.LastError != f.LastError {
		s.log(tx, hclog.Warn, "no mail can be sent; trying again", "error", failure, "in", pause.Round(time.Second))
	}
	return tx.SetMailServerFailure(ctx, f)
}

func (s *Sender) serverWorks(ctx context.Context, tx *store.Tx) error {
	server, err := tx.MailServer(ctx)
	if err != nil || server.Failures == 0 {
		return err
	}
	s.log(tx, hclog.Info, "mails can be sent again", "failures", server.Failures, "since", server.Since)
	return tx.SetMailServerFailure(ctx, store.MailServerFailure{})
}
