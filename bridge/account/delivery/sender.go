package delivery

import (
	"context"
	"errors"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account/smtp"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account/store"
)

const (
	// poll is how often the outbox is looked at: commands beside the service, and other services, queue mails too.
	poll = 5 * time.Second
	// sendTimeout ends before the lease, by any server's clock.
	sendTimeout = store.MailLease - store.MailSkew - 10*time.Second
	// graceful is for the mail that is being sent when the service stops.
	graceful = 5 * time.Second
	// mailsPerSession is fewer than servers allow.
	mailsPerSession = 50
	// claimLimit bounds the transaction that looks for the next mail.
	claimLimit = 100
)

// A Sender sends the mails of an account's outbox. Several processes may do that for one account.
type Sender struct {
	account *account.Account
	server  *smtp.Server
	logger  hclog.Logger
	metrics metrics
	grace   time.Duration
	most    int // mails in a session

	queued  chan struct{}
	unnoted func(context.Context, *store.Tx) error // what could not be written yet; nil without that
	session *smtp.Session
	sent    int // by the session
}

// New returns a sender of a's mails.
func New(a *account.Account, server *smtp.Server, logger hclog.Logger) *Sender {
	return &Sender{
		account: a, server: server, logger: logger, metrics: newMetrics(a), grace: graceful, most: mailsPerSession,
		queued: make(chan struct{}, 1),
	}
}

// Wake lets the sender look at the outbox at once. It does not block.
func (s *Sender) Wake() {
	select {
	case s.queued <- struct{}{}:
	default: // it has not looked since the last time
	}
}

// Start sends mails until ctx ends or stop is called, which waits for it.
func (s *Sender) Start(ctx context.Context) (stop func()) {
	ctx, cancel := context.WithCancel(ctx)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		s.run(ctx)
	}()
	return func() {
		cancel()
		<-ended
	}
}

func (s *Sender) run(ctx context.Context) {
	defer s.drop() // without waiting for the server
	for ctx.Err() == nil {
		next, err := s.sendDue(ctx)
		if err != nil && ctx.Err() == nil {
			s.logger.Warn("could not read or write the outbox; trying again", "error", err, "in", poll)
		}
		s.hangUp(ctx)
		select {
		case <-ctx.Done():
		case <-s.queued:
		case <-time.After(next):
		}
	}
}

// sendDue sends what is due, and returns when to look again.
func (s *Sender) sendDue(ctx context.Context) (time.Duration, error) {
	if err := s.noteServer(ctx); err != nil {
		return poll, err
	}
	for ctx.Err() == nil {
		if err := s.note(ctx); err != nil {
			return poll, err
		}
		pause, err := s.pause(ctx)
		if err != nil {
			return poll, err
		}
		if pause > 0 {
			return min(poll, pause), nil
		}
		m, found, err := s.claim(ctx)
		if err != nil || !found {
			return poll, err
		}
		if err := s.deliver(ctx, m); err != nil {
			return poll, err
		}
	}
	return poll, nil
}

// noteServer notes the mail server once more if another service of the account, which sends no mail, was started since.
func (s *Sender) noteServer(ctx context.Context) error {
	noted, err := s.account.MailServer(ctx)
	if err != nil || noted.Name != "" {
		return err
	}
	return s.account.Store.Write(ctx, func(ctx context.Context, tx *store.Tx) error {
		return tx.SetMailServer(ctx, s.server.Address(), noted.PublicURL)
	})
}

// pause returns how long no mail is due. It is not sure to be due then: another process may have it.
func (s *Sender) pause(ctx context.Context) (pause time.Duration, err error) {
	return pause, s.account.Store.Read(ctx, func(ctx context.Context, tx *store.Tx) error {
		now := s.account.Time()
		server, err := tx.MailServer(ctx)
		if err != nil {
			return err
		}
		if pause = server.Pause(now); pause > 0 {
			return nil
		}
		next, err := tx.NextMail(ctx, now)
		if pause = next.Sub(now); next.IsZero() {
			pause = poll
		}
		return err
	})
}

// claim takes the next mail that is due, for the time of the lease. What is not to be sent any more is put aside.
func (s *Sender) claim(ctx context.Context) (m store.Mail, found bool, err error) {
	return m, found, s.account.Store.Write(ctx, func(ctx context.Context, tx *store.Tx) error {
		now := s.account.Time()
		server, err := tx.MailServer(ctx)
		if err != nil || server.Pause(now) > 0 {
			return err
		}
		if err := tx.MendMailTimes(ctx, now); err != nil {
			return err
		}
		// A server that fails is asked in turn by a mail that was tried and by one that was not, any one if it refuses
		// mails: either may be what it takes.
		for range claimLimit {
			due, isDue, err := tx.DueMail(ctx, now, server.Failures)
			if err != nil || !isDue {
				return err
			}
			m = due.Mail
			switch {
			case !due.Known:
				err = tx.VoidMail(ctx, m.ID, "its link leads nowhere any more")
			case due.Suspended:
				err = tx.SuspendMail(ctx, m.ID)
			case !m.ExpiresAt.IsZero() && !now.Before(m.ExpiresAt):
				err = tx.FailMail(ctx, m, expired(m))
			case m.Copies >= mostCopies: // each time the service was killed, or could not write that it was sent
				err = tx.FailMail(ctx, m, tooManyCopies(m))
			default:
				m = s.account.AtPublicURL(m)
				m.LeasedUntil, m.Attempts, m.Copies = now.Add(store.MailLease), m.Attempts+1, m.Copies+1
				found = true
				return tx.LeaseMail(ctx, m)
			}
			if err != nil {
				return err
			}
		}
		tx.AfterCommit(s.Wake) // there may be more
		return nil
	})
}

func expired(m store.Mail) string {
	reason := "its link ended before it could be sent"
	if m.LastError != "" {
		reason += "; the last attempt: " + m.LastError
	}
	return reason
}

// deliver sends a claimed mail and notes what came of it.
func (s *Sender) deliver(ctx context.Context, m store.Mail) error {
	begun := time.Now()
	err := s.send(ctx, m)
	if ctx.Err() != nil && errors.Is(err, errStopping) {
		s.unnoted = func(ctx context.Context, tx *store.Tx) error { return tx.ReturnMail(ctx, m) }
		return s.note(ctx)
	}
	failure := failureOf(err)
	s.metrics.observe(time.Since(begun), failure)
	// Before anything else waits for the network: what is not noted is sent twice.
	s.unnoted = func(ctx context.Context, tx *store.Tx) error { return s.record(ctx, tx, m, failure) }
	err = s.note(ctx)
	s.settle(ctx, failure)
	return err
}

// note writes what became of the last mail, also while the service stops. If it cannot, as on a full disk, that is
// kept: nothing is sent before it is written, or the mail would be sent again.
func (s *Sender) note(ctx context.Context) error {
	if s.unnoted == nil {
		return nil
	}
	err := s.account.Store.Write(context.WithoutCancel(ctx), s.unnoted)
	if err == nil {
		s.unnoted = nil
	}
	return err
}

// errStopping is for a mail that was not begun because the service stops.
var errStopping = errors.New("the service stops")

// send gives a mail to the server. A session that was used before may have been closed by the server since: then
// another one is tried.
func (s *Sender) send(ctx context.Context, m store.Mail) error {
	sending, cancel := context.WithTimeout(context.WithoutCancel(ctx), sendTimeout)
	defer cancel()
	// What has begun may end: a mail that is cut off is sent twice.
	defer context.AfterFunc(ctx, func() { time.AfterFunc(s.grace, cancel) })()
	if s.session != nil {
		err := s.sendIn(sending, m)
		if e, ok := errors.AsType[*smtp.Error](err); !ok || e.Scope != smtp.Connection || e.Uncertain {
			return err
		}
		s.drop()
	}
	session, err := s.server.Connect(ctx)
	switch {
	case err != nil && ctx.Err() != nil:
		return errStopping
	case err != nil:
		return err
	}
	s.session, s.sent = session, 0
	return s.sendIn(sending, m)
}

// sendIn sends in the session that there is.
func (s *Sender) sendIn(ctx context.Context, m store.Mail) error {
	defer context.AfterFunc(ctx, s.session.Abort)()
	s.sent++
	return s.session.Send(smtp.Message{
		ID: m.ID, To: m.Recipient, Subject: m.Subject, Text: m.Body, Link: m.Link, Date: s.account.Time(),
	})
}

// hangUp ends the session, if there is one; without waiting for the server once ctx has ended.
func (s *Sender) hangUp(ctx context.Context) {
	if s.session != nil {
		defer context.AfterFunc(ctx, s.session.Abort)()
		s.session.Close()
		s.session = nil
	}
}

// drop is hangUp for a session that is broken.
func (s *Sender) drop() {
	if s.session != nil {
		s.session.Abort()
		s.session = nil
	}
}
