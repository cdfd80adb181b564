package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account/directory"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account/store"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/internal/inputtext"
)

type mailListCommand struct {
	database
	State []string `enum:"waiting,suspended,sent,failed,void" help:"Only mails in these states: ${enum}."`
	asLines
}

// Help implements kong.HelpProvider. The output has the links, which are secrets.
func (mailListCommand) Help() string {
	return `A mail is waiting, suspended (as its recipient is, until a reactivation), sent (the mail server took it),
failed, or void: its link was used or replaced before it was sent. Mails are kept for 30 days. The output has the links
in them, which are secrets.

  scim-bridge account mail list --database sqlite:account.db --state waiting,failed
  scim-bridge account mail --database sqlite:account.db
  scim-bridge account mail --database sqlite:account.db --json | jq -r 'select(.recipient == "ann@example.com").link'`
}

// Run lists the outbox.
func (c *mailListCommand) Run(ctx context.Context, console *console) error {
	return c.with(ctx, func(a *account.Account) error {
		server, err := a.MailServer(ctx)
		if err != nil {
			return err
		}
		mails, err := a.Mails(ctx, c.State...)
		if err != nil {
			return err
		}
		if trouble := describeMailServer(server); trouble != "" { // programs read standard output
			if _, err := fmt.Fprintln(console.Err, "scim-bridge: "+trouble); err != nil {
				return err
			}
		}
		now := a.Time()
		if c.JSON {
			list := c.list(console)
			for _, m := range mails {
				list.add(toMailLine(m, server, now))
			}
			return list.end()
		}
		for _, m := range mails {
			line := toMailLine(m, server, now)
			body := "    " + strings.ReplaceAll(strings.TrimSpace(inputtext.Lines(m.Body)), "\n", "\n    ")
			if _, err := fmt.Fprintf(console.Out, "%s  %s  to %s: %s\n  %s  %s\n%s\n\n", stamp(m.CreatedAt), m.Kind,
				inputtext.Line(m.Recipient), inputtext.Line(m.Subject), m.ID, inputtext.Line(line.describe()),
				body); err != nil {
				return err
			}
		}
		return nil
	})
}

// describeMailServer says why no mails are sent; nothing if they are.
func describeMailServer(s store.MailServer) string {
	switch {
	case s.Name == "":
		return "no mail is sent: the account service runs without --smtp-url, or was not started yet"
	case s.Failures > 0:
		return fmt.Sprintf("no mail can be sent by %s since %s; next attempt %s: %s", s.Name, stamp(s.Since),
			stamp(s.NextAttempt), s.LastError)
	}
	return ""
}

// A mailLine is a mail in JSON.
type mailLine struct {
	ID          string     `json:"id"`
	CreatedAt   time.Time  `json:"created_at"`
	Kind        string     `json:"kind"`
	Recipient   string     `json:"recipient"`
	Subject     string     `json:"subject"`
	Body        string     `json:"body"`
	Link        string     `json:"link,omitempty"`
	ExpiresAt   *time.Time `json:"expires_at,omitempty"`
	State       string     `json:"state"`
	Attempts    int        `json:"attempts"`
	Sending     bool       `json:"sending,omitempty"`
	NextAttempt *time.Time `json:"next_attempt,omitempty"`
	SentAt      *time.Time `json:"sent_at,omitempty"`
	LastError   string     `json:"last_error,omitempty"`
}

// toMailLine returns a mail with its next attempt, which is not before the mail server's.
func toMailLine(m account.Mail, server store.MailServer, now time.Time) mailLine {
	line := mailLine{
		ID: m.ID, CreatedAt: m.CreatedAt, Kind: m.Kind, Recipient: m.Recipient, Subject: m.Subject, Body: m.Body,
		Link: m.Link, ExpiresAt: optional(m.ExpiresAt), State: m.State, Attempts: m.Attempts,
		SentAt: optional(m.SentAt), LastError: m.LastError,
	}
	if m.State != store.MailWaiting {
		return line
	}
	line.Sending = m.LeasedUntil.After(now)
	if server.Failures > 0 && line.LastError == "" {
		line.LastError = server.LastError
	}
	if server.Name != "" && !line.Sending {
		next := m.NextAttempt
		if server.NextAttempt.After(next) {
			next = server.NextAttempt
		}
		line.NextAttempt = &next
	}
	return line
}

func optional(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	return &t
}

// describe says in a line how sending goes.
func (l mailLine) describe() string {
	text := l.State
	if l.SentAt != nil {
		text += " " + stamp(*l.SentAt)
	}
	if l.Sending {
		text += ", being sent now"
	}
	if l.Attempts > 0 {
		text += fmt.Sprintf(", attempts: %d", l.Attempts)
	}
	if l.NextAttempt != nil {
		text += ", next attempt " + stamp(*l.NextAttempt)
	}
	if l.LastError != "" {
		text += ": " + l.LastError
	}
	return text
}

type mailSendCommand struct {
	database
	Now bool `required:"" help:"Do not wait for the next attempt."`
}

// Help implements kong.HelpProvider.
func (mailSendCommand) Help() string {
	return `Run it when the cause of failures is gone: the account service, which sends the mails, tries all that wait
within seconds.

  scim-bridge account mail send --now --database sqlite:account.db`
}

// Run makes all waiting mails due.
func (c *mailSendCommand) Run(ctx context.Context, console *console) error {
	return c.with(ctx, func(a *account.Account) error {
		server, err := a.MailServer(ctx)
		switch {
		case err != nil:
			return err
		case server.Name == "":
			return errors.New(describeMailServer(server) + ": start account serve with --smtp-url and --mail-from")
		}
		n, err := a.HastenMails(ctx)
		if err != nil {
			return err
		}
		_, err = fmt.Fprintf(console.Out, "%s due now.\n", countMails(n))
		return err
	})
}

func countMails(n int64) string {
	if n == 1 {
		return "One mail is"
	}
	return fmt.Sprintf("%d mails are", n)
}

type mailResendCommand struct {
	database
	Mails     []string `arg:"" optional:"" name:"id-or-address" help:"Ids of mails, or addresses of people."`
	Failed    bool     `help:"The failed mails of all who still wait, without sign-ups."`
	PublicURL string   `name:"public-url" placeholder:"URL" help:"For fresh links; by default account serve's."`
}

// Help implements kong.HelpProvider.
func (mailResendCommand) Help() string {
	return `An invitation that is still good is sent again with the same link; one that is over gets a fresh link, which
is the only one from then on. Works beside a running server, and is audited.

  scim-bridge account mail resend --database sqlite:account.db ann@example.com
  scim-bridge account mail resend --database sqlite:account.db --failed`
}

// Run queues the mails again, those that can be.
func (c *mailResendCommand) Run(ctx context.Context, console *console) error {
	if c.Failed == (len(c.Mails) > 0) {
		return errors.New("give ids of mails, as shown by account mail, or addresses of people, or --failed")
	}
	publicURL, err := accountPublicURL("--public-url", c.PublicURL)
	if err != nil {
		return err
	}
	return c.with(ctx, func(a *account.Account) error {
		server, err := a.MailServer(ctx)
		if err != nil {
			return err
		}
		if publicURL != "" {
			a.PublicURL = publicURL
		}
		if a.PublicURL == "" {
			return errors.New("the URL of the account, which a link begins with, is not known before account serve " +
				"was started: give it by --public-url")
		}
		d := directory.New(a)
		if c.Failed {
			if c.Mails, err = d.FailedMails(ctx); err != nil {
				return err
			}
		}
		queued := 0
		var faults []error
		for i, name := range c.Mails {
			if slices.Contains(c.Mails[:i], name) {
				continue
			}
			m, err := d.ResendMail(ctx, name)
			if err == nil {
				queued++
				_, err = fmt.Fprintf(console.Out, "%s  %s  to %s\n", m.ID, m.Kind, inputtext.Line(m.Recipient))
			}
			faults = append(faults, audited(ctx, a, "account mail resend", name, err))
		}
		if queued > 0 && server.Name == "" {
			toStandardError(describeMailServer(server) + "; the link is in the output of account mail")
		}
		return errors.Join(faults...)
	})
}
