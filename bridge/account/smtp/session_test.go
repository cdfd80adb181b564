package smtp_test

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"net/mail"
	"strings"
	"testing"
	"time"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account/smtp"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account/smtp/smtptest"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/certificate/certificatetest"
)

const host = "mail.example.com" // is that of another machine, by its name

// ca returns an authority, and what a server needs that has a certificate of it.
func ca(t *testing.T) (*certificatetest.Authority, *tls.Config) {
	t.Helper()
	authority := certificatetest.New(t, "mail")
	cert, key := authority.Issue(certificatetest.Loopback(host, "localhost"))
	pair, err := tls.X509KeyPair(cert, key)
	if err != nil {
		t.Fatal(err)
	}
	return authority, &tls.Config{Certificates: []tls.Certificate{pair}, MinVersion: tls.VersionTLS12}
}

// serverAt returns a server by its URL, whose connections go to a server of the test.
func serverAt(t *testing.T, url string, to *smtptest.Server) *smtp.Server {
	t.Helper()
	s, err := smtp.ParseURL(url)
	if err != nil {
		t.Fatal(err)
	}
	s.From = mail.Address{Name: "Acme", Address: "it@example.com"}
	s.Dial = func(ctx context.Context, network, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, network, to.Address)
	}
	return s
}

func message() smtp.Message {
	return smtp.Message{
		ID: "mail1", To: "ann@example.com", Subject: "Join", Text: "Hello,\n\nopen:\n\nhttps://a.example/join/x\n",
		Link: "https://a.example/join/x", Date: time.Date(2026, 1, 31, 12, 0, 0, 0, time.UTC),
	}
}

// wantError wants an error of a scope, with texts in it.
func wantError(t *testing.T, err error, scope smtp.Scope, texts ...string) {
	t.Helper()
	e := errorOf(t, err)
	if e.Scope != scope {
		t.Errorf("%q is about %s, want %s", e, e.Scope, scope)
	}
	for _, text := range texts {
		if !strings.Contains(e.Error(), text) {
			t.Errorf("%q lacks %q", e, text)
		}
	}
}

func errorOf(t *testing.T, err error) *smtp.Error {
	t.Helper()
	e, ok := errors.AsType[*smtp.Error](err)
	if !ok {
		t.Fatalf("got %v, want an error of the mail server", err)
	}
	return e
}

// Without TLS no mail and no password goes to another machine, and it is said what to do.
func TestConnecting(t *testing.T) {
	t.Parallel()
	authority, certificate := ca(t)
	for _, row := range []struct {
		name    string
		url     string
		trusted bool // the authority of the server's certificate
		tls     bool // the server has one
		offers  []string
		fail    smtptest.Answer
		want    []string // nothing if it connects
		never   string   // what it must not say
	}{
		{name: "STARTTLS", url: "smtp://mail.example.com", trusted: true, tls: true},
		{name: "STARTTLS and PLAIN", url: "smtp://it:hush@mail.example.com", trusted: true, tls: true,
			offers: []string{"AUTH PLAIN LOGIN"}},
		{name: "a server on this machine without TLS", url: "smtp://127.0.0.1:25"},
		{name: "and its password", url: "smtp://it:hush@localhost:25", offers: []string{"AUTH LOGIN PLAIN"}},
		{name: "no STARTTLS", url: "smtp://it:hush@mail.example.com", offers: []string{"AUTH PLAIN"},
			want: []string{"mail.example.com:587", "offers no STARTTLS", "smtps:// (465)"}},
		{name: "no STARTTLS on this machine, where an authority is named", url: "smtp://localhost", trusted: true,
			want: []string{"offers no STARTTLS"}},
		{name: "a certificate of somebody else", url: "smtp://mail.example.com", tls: true,
			want: []string{"could not secure", "unknown authority", "--smtp-ca-file"}},
		{name: "a certificate for another name", url: "smtp://other.example.com", trusted: true, tls: true,
			want: []string{"could not secure", "not other.example.com"}},
		{name: "TLS from the start where the server has none", url: "smtps://mail.example.com", trusted: true,
			want: []string{"could not secure", "write smtp:// instead of smtps://"}},
		{name: "a wrong password", url: "smtp://it:hush@mail.example.com", trusted: true, tls: true,
			offers: []string{"AUTH PLAIN"}, fail: smtptest.Always("AUTH", "535 5.7.8 hush is wrong for it"),
			want: []string{"refused user or password", "535", "--smtp-password-file"}},
		{name: "nobody can sign in now", url: "smtp://it:hush@mail.example.com", trusted: true, tls: true,
			offers: []string{"AUTH PLAIN"}, fail: smtptest.Always("AUTH", "454 4.7.0 hush, later"),
			want: []string{"did not let us sign in", "reply code 454"}, never: "--smtp-password-file"},
		{name: "no way to sign in", url: "smtp://it:hush@mail.example.com", trusted: true, tls: true,
			want: []string{"no way to sign in"}},
		{name: "a way to sign in that nobody has", url: "smtp://it:hush@mail.example.com", trusted: true, tls: true,
			offers: []string{"AUTH GSSAPI"}, want: []string{"no way to sign in", "leave out the user"}},
		{name: "the connection ends while signing in", url: "smtp://it:hush@mail.example.com", trusted: true, tls: true,
			offers: []string{"AUTH PLAIN"}, fail: smtptest.Always("AUTH", smtptest.HangUp),
			want: []string{"could not sign in"}},
		{name: "no greeting", url: "smtp://mail.example.com", fail: smtptest.Always("connect", smtptest.Silence),
			want: []string{"did not greet", "timeout", "smtps:// instead"}},
		{name: "a server that serves nobody", url: "smtp://mail.example.com",
			fail: smtptest.Always("connect", "554 5.3.2 go away"),
			want: []string{"did not greet", "554 5.3.2 go away"}},
		{name: "a name that the server does not take", url: "smtp://mail.example.com",
			fail: func(_ int, command string) string {
				if strings.HasPrefix(command, "EHLO") || strings.HasPrefix(command, "HELO") {
					return "550 5.7.1 no"
				}
				return ""
			}, want: []string{"did not take our name", "550 5.7.1 no"}},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			var config *tls.Config
			if row.tls {
				config = certificate
			}
			fake := smtptest.New(t, config, row.offers...)
			fake.Fail(row.fail)
			s := serverAt(t, row.url, fake)
			if row.trusted {
				s.Roots = authority.Pool()
			}
			if strings.Contains(strings.Join(row.want, " "), "timeout") {
				s.Timeout = 200 * time.Millisecond
			}
			session, err := s.Connect(t.Context())
			if row.want == nil {
				if err != nil {
					t.Fatal(err)
				}
				session.Close()
				return
			}
			wantError(t, err, smtp.AllMails, row.want...)
			text := err.Error()
			if strings.Contains(text, "hush") || row.never != "" && strings.Contains(text, row.never) {
				t.Errorf("it has the password, or says too much: %v", err)
			}
		})
	}
}

func TestAServerThatIsAway(t *testing.T) {
	t.Parallel()
	l, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := l.Addr().String()
	l.Close()
	s, err := smtp.ParseURL("smtp://" + address)
	if err != nil {
		t.Fatal(err)
	}
	_, err = s.Connect(t.Context())
	wantError(t, err, smtp.AllMails, "could not connect to the mail server "+address, "connection refused")
}

// What an answer means for this mail and for others.
func TestSending(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		name      string
		fail      smtptest.Answer
		scope     smtp.Scope
		uncertain bool
		maybe     bool   // of this mail alone
		want      string // nothing if it is sent
	}{
		{name: "the server takes it"},
		{name: "the address does not exist", fail: smtptest.Always("RCPT", "550 5.1.1 <ann@example.com>: unknown"),
			scope: smtp.Never, want: "did not take the address: 550 5.1.1 <[address]>: unknown"},
		{name: "the mailbox is full for now", fail: smtptest.Always("RCPT", "452 4.2.2 full"), scope: smtp.Later,
			want: "452 4.2.2 full"},
		{name: "the server has no time", fail: smtptest.Always("RCPT", "421 4.3.2 closing"), scope: smtp.Connection,
			want: "421 4.3.2 closing"},
		{name: "it wants us to sign in", fail: smtptest.Always("RCPT", "530 5.7.0 first"), scope: smtp.AllMails,
			maybe: true, want: "--smtp-password-file"},
		{name: "it passes nothing on for us", fail: smtptest.Always("RCPT", "554 5.7.1 Relay access denied"),
			scope: smtp.AllMails, maybe: true, want: "554 5.7.1 Relay access denied: it may not pass on mail"},
		{name: "the sender has sent too much",
			fail: smtptest.Always(".", "550-5.4.5 Daily limit\r\n550 5.4.5 exceeded"), scope: smtp.AllMails,
			maybe: true, want: "how many mails"},
		{name: "the sender belongs to another user", fail: smtptest.Always(".", "554 5.2.252 SendAsDenied"),
			scope: smtp.AllMails, maybe: true, want: "check --mail-from"},
		{name: "the sender is not allowed", fail: smtptest.Always("MAIL", "553 5.7.1 <it@example.com>: not owned"),
			scope: smtp.AllMails, want: "did not take the sender: 553 5.7.1 <[address]>: not owned: check --mail-from"},
		{name: "the sender is not looked at now", fail: smtptest.Always("MAIL", "451 4.3.0 try later"),
			scope: smtp.AllMails, want: "451 4.3.0 try later"},
		{name: "the mail looks like spam", fail: smtptest.Always(".",
			"554 5.7.1 https://a.example/join/6fzw5vl3n2uk4gqj7xa2cdrt4m6fzw5vl3n2uk4gqj7xa2cdrt4m is spam"),
			scope: smtp.Never, want: "did not take the mail: 554 5.7.1 https://a.[redacted] is spam"},
		{name: "the mail is put off", fail: smtptest.Always(".", "450 4.7.1 greylisted"), scope: smtp.Later,
			want: "450 4.7.1 greylisted"},
		{name: "no text is wanted", fail: smtptest.Always("DATA", "554 5.5.1 no"), scope: smtp.Never,
			want: "554 5.5.1 no"},
		{name: "the server dies before the mail", fail: smtptest.Always("MAIL", smtptest.HangUp),
			scope: smtp.Connection, want: "broke"},
		{name: "the server dies after the mail", fail: smtptest.Always(".", smtptest.HangUp), scope: smtp.Connection,
			uncertain: true, want: "no answer of the mail server came after the mail was sent"},
		{name: "the server is silent after the mail", fail: smtptest.Always(".", smtptest.Silence),
			scope: smtp.Connection, uncertain: true, want: "timeout"},
		{name: "an answer drives the terminal", fail: smtptest.Always("RCPT", "550 5.1.1 \x1b[2Jno\u202e"),
			scope: smtp.Never, want: "550 5.1.1 [2Jno"},
		{name: "an answer is long", fail: smtptest.Always("RCPT", "550 "+strings.Repeat("no ", 900)), scope: smtp.Never,
			want: "…"},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			fake := smtptest.New(t, nil)
			fake.Fail(row.fail)
			s := serverAt(t, "smtp://localhost", fake)
			if row.want == "timeout" {
				s.Timeout = 200 * time.Millisecond
			}
			session, err := s.Connect(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			defer session.Close()
			err = session.Send(message())
			if row.want == "" {
				if got := fake.Mails(); err != nil || len(got) != 1 || got[0].To != "TO:<ann@example.com>" ||
					got[0].From != "FROM:<it@example.com>" {
					t.Errorf("%v, %+v", err, got)
				}
				return
			}
			wantError(t, err, row.scope, row.want)
			e := errorOf(t, err)
			if e.Uncertain != row.uncertain || e.MaybeMail != row.maybe {
				t.Errorf("the server may have it: %t; it may be about this mail: %t", e.Uncertain, e.MaybeMail)
			}
			if text := e.Error(); len(text) > 600 || strings.Contains(text, "@example.com") ||
				strings.Contains(text, "6fzw5vl3") || strings.ContainsAny(text, "\x1b\u202e") {
				t.Errorf("it says %q", text)
			}
		})
	}
}

// A server that got only a part of a mail has not taken it.
func TestAConnectionThatBreaksWithinAMail(t *testing.T) {
	t.Parallel()
	fake := smtptest.New(t, nil)
	fake.Fail(func(_ int, command string) string {
		switch word, _, _ := strings.Cut(command, " "); word {
		case "connect", "EHLO", "MAIL", "RCPT":
			return ""
		case "DATA":
			return "354 go on"
		}
		return smtptest.HangUp // a line of the mail
	})
	session, err := serverAt(t, "smtp://localhost", fake).Connect(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer session.Close()
	m := message()
	m.Text += strings.Repeat(strings.Repeat("x", 70)+"\n", 100_000) // more than what is on the way
	err = session.Send(m)
	wantError(t, err, smtp.Connection, "broke while the mail was sent")
	if errorOf(t, err).Uncertain {
		t.Error("it may have been taken")
	}
}

// Some servers take a mail in a session after one that they did not take.
func TestASessionGoesOnAfterARefusal(t *testing.T) {
	t.Parallel()
	fake := smtptest.New(t, nil)
	session, err := serverAt(t, "smtp://localhost", fake).Connect(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer session.Close()
	fake.Fail(smtptest.Always("RCPT", "550 5.1.1 unknown"))
	wantError(t, session.Send(message()), smtp.Never)
	fake.Fail(nil)
	if err := errors.Join(session.Reset(), session.Send(message())); err != nil {
		t.Fatal(err)
	}
	if n := len(fake.Mails()); n != 1 || fake.Sessions() != 1 {
		t.Errorf("%d mails in %d sessions", n, fake.Sessions())
	}
}

// A server that is silent for ever does not hold a stop up.
func TestConnectingEndsWithTheContext(t *testing.T) {
	t.Parallel()
	fake := smtptest.New(t, nil)
	fake.Fail(smtptest.Always("connect", smtptest.Silence))
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() {
		_, err := serverAt(t, "smtp://localhost", fake).Connect(ctx)
		ended <- err
	}()
	cancel()
	if err := <-ended; err == nil {
		t.Error("it connected")
	}
}
