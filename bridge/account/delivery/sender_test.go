package delivery

import (
	"cmp"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"net/mail"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account/directory"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account/smtp"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account/smtp/smtptest"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account/store"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account/store/storetest"
)

// A fixture is an account with a clock of its own, its sender, and a mail server.
type fixture struct {
	*account.Account
	*directory.Directory
	t      *testing.T
	ahead  atomic.Int64
	server *smtptest.Server
	sender *Sender
}

func newFixture(t *testing.T) *fixture {
	t.Helper()
	return newFixtureIn(t, storetest.New(t))
}

// newFixtureOf returns a fixture whose mail server offers extensions.
func newFixtureOf(t *testing.T, offers ...string) *fixture {
	t.Helper()
	return newFixtureIn(t, storetest.New(t), offers...)
}

// newFixtureIn returns a fixture whose account is in an empty database.
func newFixtureIn(t *testing.T, dsn string, offers ...string) *fixture {
	t.Helper()
	s, err := store.Open(t.Context(), dsn)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	f := &fixture{t: t, server: smtptest.New(t, nil, offers...)}
	start := time.Date(2026, 1, 31, 12, 0, 0, 0, time.UTC)
	f.Account, err = account.Create(t.Context(), s, "Example", func() time.Time {
		return start.Add(time.Duration(f.ahead.Add(1000))) // no two things happen at once
	}, rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	f.PublicURL = "https://account.example.com"
	f.Directory = directory.New(f.Account)
	f.sender = f.newSender()
	return f
}

// newSender returns a sender as another process has it.
func (f *fixture) newSender() *Sender {
	f.t.Helper()
	server, err := smtp.ParseURL("smtp://" + f.server.Address)
	if err != nil {
		f.t.Fatal(err)
	}
	server.From = mail.Address{Address: "it@example.com"}
	s := New(f.Account, server, hclog.NewNullLogger())
	f.t.Cleanup(s.drop)
	return s
}

func (f *fixture) later(d time.Duration) { f.ahead.Add(int64(d)) }

// A bridge with --database, or a second account service, may be started without a mail server. The commands beside the
// services must go on to say that mails are sent.
func TestAServiceThatSendsNoMailHidesNoneThatDoes(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	want := f.sender.server.Address()
	for _, other := range []string{"", "other.example.com:25"} {
		if err := f.SetMailServer(t.Context(), other); err != nil {
			t.Fatal(err)
		}
		f.sendDue()
		noted, err := f.MailServer(t.Context())
		if err != nil || noted.Name != cmp.Or(other, want) || noted.PublicURL != f.PublicURL {
			t.Errorf("after %q was noted, it is %+v (%v)", other, noted, err)
		}
	}
}

// input is a person whose userName is the address.
func input(address string, active bool) directory.PersonInput {
	return directory.PersonInput{SignInAddress: address,
		Attributes: json.RawMessage(fmt.Sprintf(`{"userName":%q,"active":%t}`, address, active))}
}

// create provisions people, which invites them.
func (f *fixture) create(addresses ...string) (people []directory.Person) {
	f.t.Helper()
	for _, address := range addresses {
		p, err := f.CreatePerson(f.t.Context(), input(address, true))
		if err != nil {
			f.t.Fatal(err)
		}
		people = append(people, p)
	}
	return people
}

func (f *fixture) replace(id string, in directory.PersonInput) {
	f.t.Helper()
	if _, err := f.ReplacePerson(f.t.Context(), id, in, ""); err != nil {
		f.t.Fatal(err)
	}
}

// sendDue sends what is due.
func (f *fixture) sendDue() {
	f.t.Helper()
	if _, err := f.sender.sendDue(f.t.Context()); err != nil {
		f.t.Fatal(err)
	}
}

// mail returns the latest mail to an address.
func (f *fixture) mail(address string) (last account.Mail) {
	f.t.Helper()
	mails, err := f.Mails(f.t.Context())
	if err != nil {
		f.t.Fatal(err)
	}
	for _, m := range mails {
		if m.Recipient == address {
			last = m
		}
	}
	return last
}

// wantMail wants the latest mail to an address in a state, after so many attempts, with a text in its last error.
func (f *fixture) wantMail(address, state string, attempts int, lastError string) account.Mail {
	f.t.Helper()
	m := f.mail(address)
	if m.State != state || m.Attempts != attempts || !strings.Contains(m.LastError, lastError) ||
		lastError == "" && m.LastError != "" || (m.State == store.MailSent) == m.SentAt.IsZero() {
		f.t.Errorf("the mail to %s is %s after %d attempts, sent %q: %q; want %s, %d, %q", address, m.State, m.Attempts,
			m.SentAt, m.LastError, state, attempts, lastError)
	}
	return m
}

// got returns the recipients of the mails that the server got.
func (f *fixture) got() (addresses []string) {
	for _, m := range f.server.Mails() {
		addresses = append(addresses, strings.TrimSuffix(strings.TrimPrefix(m.To, "TO:<"), ">"))
	}
	return addresses
}

func (f *fixture) wantGot(addresses ...string) {
	f.t.Helper()
	if got := f.got(); !slices.Equal(got, addresses) {
		f.t.Errorf("the server got mails to %q, want %q", got, addresses)
	}
}

// to returns an answer to commands about one address.
func to(address, answer string) smtptest.Answer {
	return smtptest.Always("RCPT TO:<"+address, answer)
}

func TestMailsAreSentOnceInTheirOrder(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.create("ann@example.com", "bob@example.com")
	f.sendDue()
	f.sendDue()
	f.wantGot("ann@example.com", "bob@example.com")
	m := f.wantMail("ann@example.com", store.MailSent, 1, "")
	if data := f.server.Mails()[0]; data.Header("Message-ID") != "<"+m.ID+"@example.com>" ||
		data.Header("Subject") != "Join Example" {
		t.Errorf("it is\n%s", data.Data)
	}
	if f.server.Sessions() != 1 {
		t.Errorf("there were %d sessions", f.server.Sessions())
	}
}

// people returns the addresses of n people.
func people(n int) (addresses []string) {
	for i := range n {
		addresses = append(addresses, fmt.Sprintf("p%02d@example.com", i))
	}
	return addresses
}

// wantStates wants so many mails to wait, to be sent and to have failed.
func (f *fixture) wantStates(waiting, sent, failed int64) {
	f.t.Helper()
	n, err := f.CountMails(f.t.Context())
	got := []int64{n.ByState[store.MailWaiting], n.ByState[store.MailSent], n.ByState[store.MailFailed]}
	if want := []int64{waiting, sent, failed}; err != nil || !slices.Equal(got, want) {
		f.t.Errorf("waiting, sent and failed are %d, want %d; %v", got, want, err)
	}
}

// A server that takes no mail has a wrong setting, or a limit: the mails wait until that is mended, and none is lost.
func TestAServerThatTakesNoMail(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		name    string
		fail    smtptest.Answer
		asked   int // mails until the pause
		explain string
	}{
		{"it passes nothing on", smtptest.Always("RCPT", "554 5.7.1 Relay access denied"), 3, "the user of --smtp-url"},
		{"it says so without a code of RFC 3463", smtptest.Always("RCPT", "550 relay not permitted"), 3,
			"the user of --smtp-url"},
		{"it passes nothing on for now", smtptest.Always("RCPT", "454 4.7.1 Relay access denied"), 3,
			"the user of --smtp-url"},
		{"the sender is another user's", smtptest.Always(".", "554 5.2.252 SendAsDenied"), 3, "--mail-from"},
		{"it is set up for tests", smtptest.Always(".", "554 Message rejected: address not verified"), 3,
			"--mail-from"},
		{"the day's mails are used up", smtptest.Always(".", "550 5.4.5 Daily user sending limit exceeded"), 3,
			"how many mails"},
		{"the mails come too fast", smtptest.Always("RCPT", "450 4.2.1 The rate is too high"), 3, "how many mails"},
		{"the text is not wanted", smtptest.Always("DATA", "554 5.5.1 no"), 3, "the mail server takes none"},
		{"no address exists", smtptest.Always("RCPT", "550 5.1.1 unknown"), 10, "the mail server takes none"},
		{"no address exists at Exchange Online", smtptest.Always("RCPT", "550 5.4.1 Recipient address rejected"), 10,
			"the mail server takes none"},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			f := newFixture(t)
			f.create(people(30)...)
			f.server.Fail(row.fail)
			f.sendDue()
			asked := 0
			mails, err := f.Mails(t.Context())
			for _, m := range mails {
				asked += m.Attempts
			}
			server, err2 := f.MailServer(t.Context())
			if err := errors.Join(err, err2); err != nil || asked != row.asked || server.Failures != 1 ||
				!strings.Contains(server.LastError, row.explain) {
				t.Errorf("%d were tried, want %d; %+v, %v", asked, row.asked, server, err)
			}
			f.wantStates(30, 0, 0)
			for range 4 * 24 * 6 { // a long weekend
				f.later(10 * time.Minute)
				f.sendDue()
			}
			f.wantStates(30, 0, 0)
			f.server.Fail(nil)
			if _, err := f.HastenMails(t.Context()); err != nil {
				t.Fatal(err)
			}
			f.sendDue()
			f.wantStates(0, 30, 0)
		})
	}
}

// What a server did not take before it took another one is the mail's fault again, also for another process.
func TestRefusalsThatAreNotInARow(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	refused := []string{"p00", "p01", "p03", "p04", "p06", "p07"}
	f.server.Fail(func(_ int, command string) string {
		for _, name := range refused {
			if strings.HasPrefix(command, "RCPT TO:<"+name) {
				return "550 not wanted"
			}
		}
		return ""
	})
	for _, address := range people(9) {
		f.create(address)
		f.sender.hangUp(f.t.Context())
		f.sender = f.newSender()
		f.sendDue()
	}
	f.wantStates(0, 3, 6)
}

// Three refused in a row, of which the first two had failed, wait; what is to blame itself fails when others are taken.
func TestRefusalsInARowAmongMailsThatAreTaken(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.create(people(3)...)
	f.server.Fail(smtptest.Always("RCPT TO:<p", "550 not wanted"))
	for range 2 {
		f.sendDue()
	}
	f.wantStates(3, 0, 0)
	f.later(time.Minute)
	f.create("ann@example.com", "bob@example.com")
	for range 4 * 60 {
		f.later(2 * time.Minute)
		f.sendDue()
		f.create(fmt.Sprintf("x%d@example.com", f.Time().UnixNano()))
	}
	f.wantMail("ann@example.com", store.MailSent, 1, "")
	n, err := f.CountMails(t.Context())
	if err != nil || n.ByState[store.MailFailed] != 3 {
		t.Errorf("%v, %v", n.ByState, err)
	}
}

// What became of mails that another process has meanwhile, or that are over, says nothing of the server.
func TestRefusalsOfMailsThatWereLost(t *testing.T) {
	t.Parallel()
	for name, lose := range map[string]string{
		"another process has them": `UPDATE outbox SET leased_until = leased_until + 1 WHERE leased_until > 0`,
		"their links are over":     `UPDATE outbox SET state = 'void' WHERE leased_until > 0`,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newFixture(t)
			f.create(people(mostInRow)...)
			f.server.Fail(func(_ int, command string) string {
				if !strings.HasPrefix(command, "RCPT") {
					return ""
				}
				f.sql(lose)
				return "550 not wanted"
			})
			f.sendDue()
			if s, err := f.MailServer(t.Context()); err != nil || s.Failures != 0 {
				t.Errorf("%+v, %v", s, err)
			}
		})
	}
}

// Many refused addresses in a row do not hold up the mails behind them until each of them was asked about.
func TestManyRefusalsBeforeMailsThatAreTaken(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.create(people(3 * mostAddressesInRow)...)
	for i := range 70 {
		f.create(fmt.Sprintf("good%02d@example.com", i))
	}
	f.server.Fail(smtptest.Always("RCPT TO:<p", "550 5.4.1 Recipient address rejected: Access denied"))
	for range 3 * 12 {
		f.sendDue()
		f.later(5 * time.Minute)
	}
	if len(f.got()) == 0 {
		t.Error("no mail was sent in three hours")
	}
}

// Addresses that the server is not asked about say nothing of it.
func TestAddressesThatTheServerCannotTake(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.create("änn@example.com", "bøb@example.com", "çid@example.com", "dän@example.com")
	f.sendDue()
	f.wantStates(0, 0, 4)
	if s, err := f.MailServer(t.Context()); err != nil || s.Failures != 0 {
		t.Errorf("%+v, %v", s, err)
	}
}

// A server that puts off every mail that it does not know yet is not away, and takes them all.
func TestAServerThatGreylistsEverybody(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.create(people(60)...)
	known := make(map[string]time.Time)
	f.server.Fail(func(_ int, command string) string {
		if !strings.HasPrefix(command, "RCPT") {
			return ""
		}
		now := f.Time()
		if first, tried := known[command]; tried && now.Sub(first) >= 30*time.Second {
			return ""
		}
		known[command] = now
		return "450 4.7.1 greylisted"
	})
	for range 60 {
		f.later(20 * time.Second)
		f.sendDue()
	}
	f.wantStates(0, 60, 0)
}

// No mail holds up the others, whatever the server says of it, and it ends.
func TestOneMailDoesNotHoldUpTheOthers(t *testing.T) {
	t.Parallel()
	utf8 := func(_ int, command string) string {
		if strings.HasPrefix(command, "MAIL") && strings.Contains(command, "SMTPUTF8") {
			return "550 5.6.7 not here"
		}
		return ""
	}
	for _, row := range []struct {
		name, address string
		fail          smtptest.Answer
	}{
		{"it wants us to sign in for it", "ann@example.com", to("ann", "530 5.7.0 authentication is required")},
		{"or says so in another way", "ann@example.com", to("ann", "538 5.7.11 encryption is required")},
		{"it does not pass it on", "ann@example.com", to("ann", "554 5.7.1 relay access denied")},
		{"it says that too many were sent", "ann@example.com", to("ann", "550 5.4.5 limit")},
		{"it says that for now", "ann@example.com", to("ann", "452 4.4.5 limit")},
		{"it does not take the sender then", "ann@example.com", to("ann", "550 5.1.8 bad sender")},
		{"it does not take letters that it says it takes", "änn@example.com", utf8},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			f := newFixtureOf(t, "SMTPUTF8")
			f.create(row.address, "bob@example.com")
			f.server.Fail(row.fail)
			f.sendDue()
			f.later(10 * time.Second)
			f.sendDue()
			f.wantMail("bob@example.com", store.MailSent, 1, "")
			if s, err := f.MailServer(t.Context()); err != nil || s.Failures != 0 {
				t.Errorf("it still fails: %+v, %v", s, err)
			}
			f.later(10 * time.Minute)
			f.sendDue() // the first again
			f.create("cid@example.com")
			f.later(10 * time.Minute)
			f.sendDue()
			f.wantMail("cid@example.com", store.MailSent, 1, "")
			for range 4 * 24 {
				f.later(72 * time.Minute)
				f.sendDue()
			}
			if m := f.mail(row.address); m.State != store.MailFailed ||
				!strings.HasPrefix(m.LastError, "given up after 3 days") {
				t.Errorf("it is %s after %d attempts: %s", m.State, m.Attempts, m.LastError)
			}
		})
	}
}

// What waited while the account had another URL, or none, is sent with links that lead to the account.
func TestLinksLeadToTheURLThatTheAccountHasNow(t *testing.T) {
	t.Parallel()
	for _, row := range []struct{ name, before, now string }{
		{"it had no URL of its own", "http://127.0.0.1:8600", "https://account.example.com"},
		{"none was known", "", "https://account.example.com"},
		{"it has moved below a path", "https://account.example.com", "https://example.com/join/account"},
		{"it has moved from a path", "https://example.com/join/account", "https://account.example.com"},
		{"it has the same", "https://account.example.com", "https://account.example.com"},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			f := newFixture(t)
			f.PublicURL = row.before
			f.create("ann@example.com", "bob@example.com")
			f.PublicURL = row.now
			if _, err := f.ResendMail(t.Context(), "bob@example.com"); err != nil {
				t.Fatal(err)
			}
			queued := f.mail("bob@example.com")
			f.sendDue()
			for _, m := range []account.Mail{f.mail("ann@example.com"), f.mail("bob@example.com"), queued} {
				link := row.now + "/join/" + m.Link[strings.LastIndexByte(m.Link, '/')+1:]
				if m.Link != link || !strings.Contains(m.Body, "\n\n"+link+"\n\n") || strings.Count(m.Body, "/join/") !=
					strings.Count(link, "/join/") {
					t.Errorf("%s has %q in\n%s", m.Recipient, m.Link, m.Body)
				}
			}
			mails := f.server.Mails()
			if len(mails) != 2 {
				t.Fatalf("the server got %d mails", len(mails))
			}
			for _, m := range mails {
				text := strings.ReplaceAll(strings.ReplaceAll(m.Data, "=\r\n", ""), "=3D", "=")
				if !strings.Contains(text, "\r\n\r\n"+row.now+"/join/") ||
					!strings.Contains(text, `href="`+row.now+`/join/`) {
					t.Errorf("it is\n%s", text)
				}
			}
			_, token, _ := strings.Cut(f.mail("ann@example.com").Link, row.now+"/join/")
			if _, err := f.AcceptInvitation(t.Context(), token); err != nil {
				t.Errorf("the link does not work: %v", err)
			}
		})
	}
}

// An answer of 4xx is about one mail. It is sent later, with the same id.
func TestAMailThatIsPutOff(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.create("ann@example.com", "bob@example.com")
	f.server.Fail(to("ann", "450 4.7.1 <ann@example.com> greylisted"))
	f.sendDue()
	f.wantGot("bob@example.com")
	m := f.wantMail("ann@example.com", store.MailWaiting, 1, "450 4.7.1 <[address]> greylisted")
	if pause := m.NextAttempt.Sub(f.Time()); pause < 45*time.Second || pause > 75*time.Second {
		t.Errorf("it is tried again in %s", pause)
	}
	f.sendDue()
	f.wantMail("ann@example.com", store.MailWaiting, 1, "greylisted")
	f.server.Fail(nil)
	f.later(75 * time.Second)
	f.sendDue()
	f.wantGot("bob@example.com", "ann@example.com")
	f.wantMail("ann@example.com", store.MailSent, 2, "")
	if id := f.server.Mails()[1].Header("Message-ID"); id != "<"+m.ID+"@example.com>" {
		t.Errorf("its id is %s", id)
	}
}

func TestAMailThatIsPutOffForTooLongFails(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.create("ann@example.com")
	f.server.Fail(to("ann", "452 4.2.2 full"))
	attempts := 0
	for start := f.Time(); f.mail("ann@example.com").State == store.MailWaiting; attempts++ {
		if f.Time().Sub(start) > giveUpAfter+2*mailBackoff.longest {
			t.Fatal("it is tried for ever")
		}
		f.sendDue()
		f.later(max(0, f.mail("ann@example.com").NextAttempt.Sub(f.Time())))
	}
	f.wantMail("ann@example.com", store.MailFailed, attempts, "given up after 3 days: ")
	if attempts < 50 || attempts > 120 {
		t.Errorf("there were %d attempts", attempts)
	}
}

// A refusal is final, at once, and of that mail alone.
func TestAMailThatIsRefused(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		name string
		fail smtptest.Answer
	}{
		{"for its address", to("ann", "550 5.1.1 unknown")},
		{"for its text", func(session int, command string) string {
			if command == "." && session == 1 {
				return "554 5.7.1 unknown kind of spam"
			}
			return ""
		}},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			f := newFixture(t)
			f.create("ann@example.com")
			f.server.Fail(row.fail)
			f.sendDue()
			f.wantMail("ann@example.com", store.MailFailed, 1, "unknown")
			f.server.Fail(nil)
			f.later(time.Hour)
			f.create("bob@example.com")
			f.sendDue()
			f.wantMail("ann@example.com", store.MailFailed, 1, "unknown")
			f.wantMail("bob@example.com", store.MailSent, 1, "")
		})
	}
}

// A server that is away is asked by one mail at a time, at growing intervals, and then all are sent.
func TestAServerThatIsAway(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		name, want string
		fail       smtptest.Answer
	}{
		{"it greets nobody", "did not greet", smtptest.Always("connect", smtptest.HangUp)},
		{"it is full", "did not greet", smtptest.Always("connect", "421 4.3.2 too many")},
		{"it does not take the sender", "--mail-from", smtptest.Always("MAIL", "550 5.7.1 not yours")},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			f := newFixture(t)
			f.create("ann@example.com", "bob@example.com")
			f.server.Fail(row.fail)
			var pauses []time.Duration
			for range 12 {
				f.sendDue()
				f.sendDue()
				s, err := f.MailServer(t.Context())
				if err != nil || !strings.Contains(s.LastError, row.want) || s.Since.IsZero() {
					t.Fatalf("%+v, %v", s, err)
				}
				pause := s.NextAttempt.Sub(f.Time())
				pauses = append(pauses, pause)
				f.later(pause)
			}
			if n := f.server.Sessions(); n != 12 {
				t.Errorf("the server was asked %d times, want 12", n)
			}
			if first, last := pauses[0], pauses[11]; first < 3*time.Second || first > 7*time.Second ||
				last < 8*time.Minute || last > 12*time.Minute {
				t.Errorf("the pauses were %s", pauses)
			}
			f.wantMail("ann@example.com", store.MailWaiting, 12, row.want)
			f.wantMail("bob@example.com", store.MailWaiting, 0, "")
			f.server.Fail(nil)
			f.later(time.Second)
			f.sendDue()
			f.wantMail("ann@example.com", store.MailSent, 13, "")
			f.wantMail("bob@example.com", store.MailSent, 1, "")
			if s, err := f.MailServer(t.Context()); err != nil || s.MailServerFailure != (store.MailServerFailure{}) {
				t.Errorf("it still fails: %+v, %v", s, err)
			}
		})
	}
}

// An operator that has mended the server does not wait.
func TestHastenedMailsAreDue(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.create("ann@example.com", "bob@example.com", "cid@example.com")
	f.server.Fail(to("bob", "450 4.7.1 greylisted"))
	f.sendDue()
	f.server.Fail(smtptest.Always("connect", smtptest.HangUp))
	f.create("dan@example.com")
	f.sender.hangUp(f.t.Context())
	f.sendDue()
	f.server.Fail(nil)
	before, err := f.MailServer(t.Context())
	if err != nil || before.Failures != 1 || before.NextAttempt.IsZero() {
		t.Fatalf("the server does not fail: %+v, %v", before, err)
	}
	if n, err := f.HastenMails(t.Context()); err != nil || n != 2 {
		t.Errorf("%d mails, %v", n, err)
	}
	// The service knows that it failed, and says that it works again; pauses are as short as at first.
	if s, err := f.MailServer(t.Context()); err != nil || s.Failures != 1 || !s.NextAttempt.IsZero() ||
		!s.Since.After(before.Since) {
		t.Errorf("the pauses do not begin again: %+v, %v", s, err)
	}
	if events, err := f.AuditEvents(t.Context(), "", 1); err != nil || events.Items[0].Action != "mail.send" {
		t.Errorf("it is not audited: %+v, %v", events.Items, err)
	}
	f.sendDue()
	f.wantMail("bob@example.com", store.MailSent, 2, "")
	f.wantMail("dan@example.com", store.MailSent, 2, "")
}

// A mail on which the connection breaks does not hold the others up; a server that breaks on all is away.
func TestAConnectionThatBreaks(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.create("ann@example.com", "bob@example.com", "cid@example.com")
	f.server.Fail(to("ann", smtptest.HangUp))
	f.sendDue()
	f.wantMail("ann@example.com", store.MailWaiting, 1, "did not take the address: EOF")
	f.wantGot("bob@example.com", "cid@example.com")

	f.create("dan@example.com", "eve@example.com", "fay@example.com", "gus@example.com")
	f.server.Fail(smtptest.Always("RCPT", smtptest.HangUp))
	f.sendDue()
	f.wantMail("fay@example.com", store.MailWaiting, 1, "EOF")
	f.wantMail("gus@example.com", store.MailWaiting, 0, "")
	if s, err := f.MailServer(t.Context()); err != nil || s.Failures != 1 {
		t.Errorf("%+v, %v", s, err)
	}
}

// A server may close an idle or a long session between two mails: that is no failure.
func TestASessionThatTheServerHasClosed(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.create("ann@example.com", "bob@example.com", "cid@example.com")
	mails := 0
	f.server.Fail(func(session int, command string) string {
		if strings.HasPrefix(command, "MAIL") {
			if mails++; session == 1 && mails == 2 {
				return "421 4.4.2 enough"
			}
		}
		return ""
	})
	f.sendDue()
	f.wantGot("ann@example.com", "bob@example.com", "cid@example.com")
	f.wantMail("bob@example.com", store.MailSent, 1, "")
}

// The server may have taken a mail that it did not answer: it is sent again, with the same id.
func TestAServerThatDiesAfterTheMail(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.create("ann@example.com")
	f.server.Fail(smtptest.Always(".", smtptest.HangUp))
	f.sendDue()
	f.wantMail("ann@example.com", store.MailWaiting, 1, "no answer of the mail server")
	f.server.Fail(nil)
	f.later(2 * time.Minute)
	f.sendDue()
	f.wantGot("ann@example.com", "ann@example.com")
	got := f.server.Mails()
	if a, b := got[0].Header("Message-ID"), got[1].Header("Message-ID"); a != b || a == "" {
		t.Errorf("the ids are %s and %s", a, b)
	}
}

// A server that delivers and does not answer must not fill a mailbox.
func TestAServerThatNeverAnswersTheMail(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.create("ann@example.com")
	f.server.Fail(smtptest.Always(".", smtptest.HangUp))
	for range 2 * mostCopies {
		f.sendDue()
		f.later(2 * mailBackoff.longest)
	}
	if n := len(f.server.Mails()); n != mostCopies {
		t.Errorf("the server got %d mails, want %d", n, mostCopies)
	}
	f.wantMail("ann@example.com", store.MailFailed, mostCopies, "the server may have taken it each time")
}

// Attempts that came to nothing are no copies.
func TestAMailThatMayHaveBeenTakenOnce(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		name string
		fail smtptest.Answer
	}{
		{"after the server was away", smtptest.Always("connect", "421 4.3.2 too many")},
		{"after it was put off", smtptest.Always("RCPT", "450 4.7.1 greylisted")},
		{"after the connection broke before it", smtptest.Always("RCPT", smtptest.HangUp)},
		{"after the server wanted us to sign in", smtptest.Always("RCPT", "530 5.7.0 first")},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			f := newFixture(t)
			f.create("ann@example.com")
			f.server.Fail(row.fail)
			for range 2 * mostCopies {
				f.sendDue()
				f.later(2 * time.Hour)
			}
			f.server.Fail(smtptest.Always(".", smtptest.HangUp))
			for range mostCopies - 1 {
				f.sendDue()
				f.later(2 * time.Hour)
			}
			f.wantMail("ann@example.com", store.MailWaiting, 3*mostCopies-1, "no answer of the mail server")
			f.server.Fail(nil)
			f.sendDue()
			f.wantMail("ann@example.com", store.MailSent, 3*mostCopies, "")
		})
	}
}

// A service that is killed after each mail, for want of memory, sends no more copies than others.
func TestAMailOfAServiceThatIsKilledEachTime(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.create("ann@example.com", "bob@example.com")
	for range 2 * mostCopies {
		killed := f.newSender()
		if m, found, err := killed.claim(t.Context()); err != nil || found && killed.send(t.Context(), m) != nil {
			t.Fatal(err)
		}
		f.later(store.MailLease)
	}
	f.sendDue()
	copies := make(map[string]int)
	for _, address := range f.got() {
		copies[address]++
	}
	if copies["ann@example.com"] != mostCopies || copies["bob@example.com"] > mostCopies {
		t.Errorf("the server got %v", copies)
	}
	f.wantMail("ann@example.com", store.MailFailed, mostCopies, "may have taken it each time")
}

func TestLinksThatAreOverAreNotSent(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		name  string
		do    func(f *fixture, p directory.Person)
		state string
		why   string
		got   []string
	}{
		{"of an invitation that went elsewhere", func(f *fixture, p directory.Person) {
			f.replace(p.ID, input("bob@example.com", true))
		}, store.MailVoid, "", []string{"bob@example.com"}},
		{"of an invitation that was accepted", func(f *fixture, _ directory.Person) {
			_, token, _ := strings.Cut(f.mail("ann@example.com").Link, "/join/")
			if _, err := f.AcceptInvitation(f.t.Context(), token); err != nil {
				f.t.Fatal(err)
			}
		}, store.MailVoid, "", nil},
		{"of a person that is no longer provisioned", func(f *fixture, p directory.Person) {
			if err := f.DeletePerson(f.t.Context(), p.ID, ""); err != nil {
				f.t.Fatal(err)
			}
		}, store.MailVoid, "", nil},
		{"of an invitation of last month", func(f *fixture, _ directory.Person) { f.later(account.LinkLife) },
			store.MailFailed, "its link ended before it could be sent", nil},
		{"whose member is gone", func(f *fixture, _ directory.Person) {
			err := f.Store.Write(f.t.Context(), func(ctx context.Context, tx *store.Tx) error {
				_, err := tx.Exec(ctx, `UPDATE members SET invitation_hash = NULL`)
				return err
			})
			if err != nil {
				f.t.Fatal(err)
			}
		}, store.MailVoid, "leads nowhere", nil},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			f := newFixture(t)
			row.do(f, f.create("ann@example.com")[0])
			f.sendDue()
			f.wantGot(row.got...)
			f.wantMail("ann@example.com", row.state, 0, row.why)
		})
	}
}

// A link does nothing while the member is suspended, and works again after that.
func TestMailsOfSuspendedPeopleWait(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	p := f.create("ann@example.com")[0]
	f.replace(p.ID, input("ann@example.com", false))
	f.create("bob@example.com")
	f.sendDue()
	f.wantGot("bob@example.com")
	if n, err := f.CountMails(t.Context()); err != nil || !n.Oldest.IsZero() || n.ByState[store.MailSuspended] != 1 {
		t.Errorf("%+v, %v", n, err)
	}
	f.replace(p.ID, input("ann@example.com", true))
	f.sendDue()
	f.wantGot("bob@example.com", "ann@example.com")
}

// Thousands of mails that wait for nothing but a reactivation are not looked at again: they make no other mail wait,
// and nobody writes while they are all there is.
func TestMailsOfSuspendedPeopleAreNoLongerDue(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	var left []directory.Person
	for _, p := range f.create(people(40)...) {
		f.replace(p.ID, input(p.Address, false))
		left = append(left, p)
		f.later(10 * time.Minute) // or suspensions would be held
	}
	for range 2 {
		f.sendDue()
	}
	f.wantGot()
	pause, err := f.sender.pause(t.Context())
	n, err2 := f.CountMails(t.Context())
	if err := errors.Join(err, err2); err != nil || pause <= 0 || n.ByState[store.MailWaiting] != 0 {
		t.Errorf("it looks again in %s, with %v; %v", pause, n.ByState, err)
	}
	// Those who return get theirs, also after the link was replaced; the others' go when their links do.
	f.replace(left[0].ID, input(left[0].Address, true))
	f.replace(left[1].ID, input("moved@example.com", false))
	f.replace(left[1].ID, input("moved@example.com", true))
	if err := f.DeletePerson(t.Context(), left[2].ID, ""); err != nil {
		t.Fatal(err)
	}
	f.sendDue()
	f.wantGot(left[0].Address, "moved@example.com")
	f.wantMail(left[1].Address, store.MailVoid, 0, "")
	f.wantMail(left[2].Address, store.MailVoid, 0, "")
	f.wantMail(left[3].Address, store.MailSuspended, 0, "")
}

// So is a new address to confirm.
func TestConfirmationsOfSuspendedPeopleWait(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	if _, err := f.CreateSignupDomain(t.Context(), "example.org"); err != nil {
		t.Fatal(err)
	}
	p := f.create("ann@example.com")[0]
	f.accept("ann@example.com")
	f.replace(p.ID, input("ann@example.org", true))
	f.suspend(p.MemberID, true)
	f.sendDue()
	f.wantMail("ann@example.org", store.MailSuspended, 0, "")
	f.suspend(p.MemberID, false)
	f.sendDue()
	f.wantMail("ann@example.org", store.MailSent, 1, "")
}

// accept follows the link of an invitation.
func (f *fixture) accept(address string) {
	f.t.Helper()
	_, token, _ := strings.Cut(f.mail(address).Link, "/join/")
	if _, err := f.AcceptInvitation(f.t.Context(), token); err != nil {
		f.t.Fatal(err)
	}
}

// suspend suspends or reactivates a member by hand.
func (f *fixture) suspend(memberID string, suspended bool) {
	f.t.Helper()
	u := directory.MemberUpdate{Suspended: &suspended}
	if _, err := f.UpdateMember(f.t.Context(), memberID, u, ""); err != nil {
		f.t.Fatal(err)
	}
}

// A clock that was ahead for a moment, by a day or a year, does not make mails wait until then.
func TestAClockThatWasAhead(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		name string
		do   func(f *fixture) // while it is ahead
		now  bool             // the operator does not wait
	}{
		{"a mail was queued", func(f *fixture) { f.create("ann@example.com") }, false},
		{"a mail was put off", func(f *fixture) {
			f.create("ann@example.com")
			f.server.Fail(to("ann", "450 4.7.1 greylisted"))
			f.sendDue()
		}, false},
		{"the server was away", func(f *fixture) {
			f.create("ann@example.com")
			f.server.Fail(smtptest.Always("connect", "421 4.3.2 too many"))
			f.sendDue()
		}, false},
		{"a process was killed", func(f *fixture) {
			f.create("ann@example.com")
			if _, found, err := f.newSender().claim(f.t.Context()); err != nil || !found {
				f.t.Fatal(found, err)
			}
		}, false},
		{"a process was killed, and the operator does not wait", func(f *fixture) {
			f.create("ann@example.com")
			if _, found, err := f.newSender().claim(f.t.Context()); err != nil || !found {
				f.t.Fatal(found, err)
			}
		}, true},
	} {
		for _, ahead := range []time.Duration{24 * time.Hour, 365 * 24 * time.Hour} {
			t.Run(row.name+", by "+ahead.String(), func(t *testing.T) {
				t.Parallel()
				f := newFixture(t)
				f.later(ahead)
				row.do(f)
				f.later(-ahead)
				f.server.Fail(nil)
				if row.now {
					if n, err := f.HastenMails(t.Context()); err != nil || n != 1 {
						t.Errorf("%d mails are due, %v", n, err)
					}
				}
				f.sendDue()
				if m := f.mail("ann@example.com"); m.State != store.MailSent {
					t.Errorf("it is %s, next attempt %s, leased until %s", m.State, m.NextAttempt, m.LeasedUntil)
				}
			})
		}
	}
}

// A backup that is restored sends what still waits, with the ids that it had, and nothing that was sent since.
func TestMailsAfterARestore(t *testing.T) {
	t.Parallel()
	f := newFixtureIn(t, storetest.NewFile(t))
	f.create("ann@example.com", "bob@example.com")
	saved := filepath.Join(t.TempDir(), "backup.db")
	if _, err := f.Store.Backup(t.Context(), saved, false, func(int64, int64) {}); err != nil {
		t.Fatal(err)
	}
	f.server.Fail(to("bob", "450 4.7.1 greylisted"))
	f.sendDue()
	id := f.mail("bob@example.com").ID
	if err := f.Store.Close(); err != nil {
		t.Fatal(err)
	}
	path := strings.TrimPrefix(f.Store.Setting(), "sqlite:")
	r, err := account.Restore(t.Context(), saved, path, false, func(int64, int64) {})
	if err != nil {
		t.Fatal(err)
	}
	if r.Account.Store, err = store.Open(t.Context(), "sqlite:"+path); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { r.Account.Store.Close() })
	r.Account.Now, r.Account.PublicURL = f.Now, f.PublicURL
	f.Account = r.Account
	f.server.Fail(nil)
	f.later(2 * time.Minute)
	f.sender = f.newSender()
	f.sendDue()
	f.wantGot("ann@example.com", "bob@example.com")
	if got := f.server.Mails()[1].Header("Message-ID"); got != "<"+id+"@example.com>" {
		t.Errorf("the id is %s, and was %s", got, id)
	}
}

// Failures that began while the clock was ahead are as old as the first one since, and pauses grow from there.
func TestFailuresFromWhenTheClockWasAhead(t *testing.T) {
	t.Parallel()
	const year = 365 * 24 * time.Hour
	f := newFixture(t)
	f.later(year)
	f.create("ann@example.com")
	f.server.Fail(to("ann", "450 4.2.2 full"))
	f.sendDue()
	f.later(-year)
	f.sendDue()
	if m := f.mail("ann@example.com"); m.Attempts != 2 || m.FirstFailure.After(f.Time()) ||
		m.NextAttempt.Sub(f.Time()) > 2*time.Minute {
		t.Errorf("it fails since %s, and is tried at %s", m.FirstFailure, m.NextAttempt)
	}
	f.server.Fail(smtptest.Always("connect", "421 4.3.2 too many"))
	f.sender.drop()
	f.later(year)
	f.create("bob@example.com")
	f.sendDue()
	f.later(-year)
	f.sendDue()
	if s, err := f.MailServer(t.Context()); err != nil || s.Since.After(f.Time()) || s.Failures != 2 {
		t.Errorf("%+v, %v", s, err)
	}
}

// Three days that passed in a moment are none.
func TestAMailIsNotGivenUpByTheClockAlone(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.create("ann@example.com")
	f.server.Fail(to("ann", "450 4.2.2 full"))
	f.sendDue()
	f.later(giveUpAfter)
	f.sendDue()
	f.wantMail("ann@example.com", store.MailWaiting, 2, "full")
}

// No pause is taken for one that a clock wrote that was ahead.
func TestPausesAreWithinTheirBounds(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		name  string
		b     backoff
		bound time.Duration
	}{{"a mail's", mailBackoff, store.LongestMailPause}, {"the server's", serverBackoff, store.LongestServerPause}} {
		if longest := row.b.after(giveUpAfter, 1); longest >= row.bound {
			t.Errorf("%s: %s, and the bound is %s", row.name, longest, row.bound)
		}
	}
}

// What strangers cause by signing up, with addresses that do not exist or do not take mail now, neither holds up the
// mails of others, nor rings an alarm.
func TestStrangersHoldUpNobody(t *testing.T) {
	t.Parallel()
	for _, row := range []struct{ name, answer, state string }{
		{"their addresses do not exist", "550 5.1.1 unknown", store.MailFailed},
		{"they are not liked", "550 not wanted", store.MailFailed},
		{"they are full", "452 4.2.2 full", store.MailWaiting},
		{"they are elsewhere", "554 5.7.1 Relay access denied", store.MailWaiting},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			f := newFixture(t)
			if _, err := f.CreateSignupDomain(t.Context(), "example.com"); err != nil {
				t.Fatal(err)
			}
			for _, address := range people(2 * mostAddressesInRow) {
				if err := f.SignUp(t.Context(), address, "P"); err != nil {
					t.Fatal(err)
				}
				f.later(networkPause)
			}
			f.server.Fail(smtptest.Always("RCPT TO:<p", row.answer))
			f.sendDue()
			f.later(2 * time.Hour)
			f.create("ann@example.com")
			f.sendDue()
			f.wantGot("ann@example.com")
			if s, err := f.MailServer(t.Context()); err != nil || s.Failures != 0 {
				t.Errorf("%+v, %v", s, err)
			}
			f.wantMail("p00@example.com", row.state, f.mail("p00@example.com").Attempts, row.answer[4:])
			f.wantAlarms(0, time.Time{})
		})
	}
}

// networkPause is long enough that one client may sign up again.
const networkPause = 3 * time.Minute

// wantAlarms wants so many mails to be shown as unsent, and the oldest that waits to be of a time.
func (f *fixture) wantAlarms(unsent int64, oldest time.Time) {
	f.t.Helper()
	n, err := f.CountMails(f.t.Context())
	if err != nil || n.Unsent != unsent || !n.Oldest.Equal(oldest) {
		f.t.Errorf("%d are unsent, and the oldest waits since %s, want %d and %s; %v", n.Unsent, n.Oldest, unsent,
			oldest, err)
	}
}

// An operator is told of mails that people wait for, until they are sent or needed no more.
func TestWhichMailsRingAnAlarm(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	if _, err := f.CreateSignupDomain(t.Context(), "example.com"); err != nil {
		t.Fatal(err)
	}
	ann := f.create("ann@example.com")[0]
	f.wantAlarms(0, f.mail("ann@example.com").CreatedAt)
	f.server.Fail(to("ann", "550 5.1.1 unknown"))
	f.sendDue()
	f.wantAlarms(1, time.Time{})
	if _, err := f.ResendMail(t.Context(), "ann@example.com"); err != nil {
		t.Fatal(err)
	}
	f.wantAlarms(0, f.mail("ann@example.com").CreatedAt)
	f.sendDue()
	f.wantAlarms(1, time.Time{})
	f.replace(ann.ID, input("ann@example.com", false))
	f.wantAlarms(0, time.Time{})
	f.replace(ann.ID, input("ann@example.com", true))
	f.wantAlarms(1, time.Time{})
	f.server.Fail(nil)
	if _, err := f.ResendMail(t.Context(), "ann@example.com"); err != nil {
		t.Fatal(err)
	}
	f.sendDue()
	f.wantAlarms(0, time.Time{})

	// A stranger who asks for another copy, when the mailbox has become full.
	f.server.Fail(to("ann", "452 4.2.2 full"))
	f.later(25 * time.Hour)
	if err := f.SignUp(t.Context(), "ann@example.com", "A"); err != nil {
		t.Fatal(err)
	}
	f.sendDue()
	f.wantMail("ann@example.com", store.MailWaiting, 1, "full")
	f.wantAlarms(0, time.Time{})

	// A mail that is given up, and one that is not sent while its link is good.
	f.create("bob@example.com", "cid@example.com")
	f.sql(`UPDATE outbox SET first_failure = 1, attempts = ? WHERE recipient = 'bob@example.com'`, fewestAttempts)
	f.sql(`UPDATE outbox SET expires_at = 1 WHERE recipient = 'cid@example.com'`)
	f.server.Fail(smtptest.Always("RCPT", "452 4.2.2 full"))
	f.sendDue()
	f.wantAlarms(2, time.Time{})
}

// A process that is killed leaves its mail to the others when its lease is over.
func TestAMailOfAProcessThatWasKilled(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.create("ann@example.com")
	killed := f.newSender()
	m, found, err := killed.claim(t.Context())
	if err != nil || !found {
		t.Fatal(found, err)
	}
	f.sendDue()
	f.wantGot()
	f.later(store.MailLease)
	f.sendDue()
	f.wantGot("ann@example.com")
	f.wantMail("ann@example.com", store.MailSent, 2, "")
	// It was only slow: what it notes then is no longer true.
	late := &smtp.Error{Scope: smtp.Never, Doing: "late"}
	killed.unnoted = func(ctx context.Context, tx *store.Tx) error { return killed.record(ctx, tx, m, late) }
	if err := killed.note(t.Context()); err != nil {
		t.Fatal(err)
	}
	f.wantMail("ann@example.com", store.MailSent, 2, "")
}

// Several processes share the work.
func TestTwoSenders(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	var want []string
	for i := range 40 {
		want = append(want, fmt.Sprintf("p%02d@example.com", i))
	}
	f.create(want...)
	var working sync.WaitGroup
	faults := make(chan error, 2)
	for _, s := range []*Sender{f.sender, f.newSender()} {
		working.Go(func() {
			_, err := s.sendDue(t.Context())
			faults <- err
		})
	}
	working.Wait()
	if err := errors.Join(<-faults, <-faults); err != nil {
		t.Fatal(err)
	}
	got := f.got()
	slices.Sort(got)
	if !slices.Equal(got, want) {
		t.Errorf("the server got %q", got)
	}
}

// A mail is on its way as soon as the transaction that queued it is committed.
func TestAQueuedMailWakesTheSender(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	woken := make(chan int, 1)
	f.MailQueued = func() {
		mails, err := f.Mails(t.Context())
		if err != nil {
			t.Error(err)
		}
		woken <- len(mails)
	}
	f.create("ann@example.com")
	if n := <-woken; n != 1 {
		t.Errorf("the outbox had %d mails", n)
	}
	// What is rolled back wakes nobody.
	broken := errors.New("broken")
	if err := f.Store.Write(t.Context(), func(ctx context.Context, tx *store.Tx) error {
		tx.AfterCommit(func() { t.Error("it was not committed") })
		return broken
	}); !errors.Is(err, broken) {
		t.Fatal(err)
	}
}

// What is being sent when the service stops is sent, and nothing else is begun.
func TestStopping(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	reached, release := make(chan bool, 2), make(chan bool)
	f.server.Fail(func(_ int, command string) string {
		if command == "." {
			reached <- true
			<-release
		}
		return ""
	})
	f.create("ann@example.com", "bob@example.com")
	stop := f.sender.Start(t.Context())
	<-reached
	stopped := make(chan bool)
	go func() {
		stop()
		close(stopped)
	}()
	release <- true
	<-stopped
	f.wantMail("ann@example.com", store.MailSent, 1, "")
}

// A server that does not answer holds a stop up for the time of grace alone.
func TestStoppingWhileTheServerIsSilent(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	reached := make(chan bool, 1)
	f.server.Fail(func(_ int, command string) string {
		if command == "." {
			reached <- true
			return smtptest.Silence
		}
		return ""
	})
	f.create("ann@example.com")
	f.sender.grace = 10 * time.Millisecond
	stop := f.sender.Start(t.Context())
	<-reached
	begun := time.Now()
	stop()
	if took := time.Since(begun); took > smtp.AcceptTimeout/2 {
		t.Errorf("it took %s", took)
	}
	m := f.wantMail("ann@example.com", store.MailWaiting, 1, "no answer of the mail server")
	if !m.LeasedUntil.IsZero() {
		t.Error("another process has to wait for its lease")
	}
}

// What became of a mail is in the database before anything else is said to the server, which may be silent: a service
// that is killed then sends nothing twice. Nor does that hold a stop up.
func TestTheOutcomeIsNotedFirst(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		name, silent, refusal, state string
		last                         bool // of the session
	}{
		{"a mail that was refused, at RSET", "RSET", "550 5.1.1 unknown", store.MailFailed, false},
		{"one that is put off, at RSET", "RSET", "450 4.2.2 full", store.MailWaiting, false},
		{"the last mail of a session, at QUIT", "QUIT", "", store.MailSent, true},
		{"the last mail that is due, at QUIT", "QUIT", "", store.MailSent, false},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			f := newFixture(t)
			f.create("ann@example.com")
			if row.last {
				f.sender.most = 1
			}
			reached := make(chan bool, 1)
			f.server.Fail(func(_ int, command string) string {
				switch {
				case strings.HasPrefix(command, "RCPT"):
					return row.refusal
				case command == row.silent:
					reached <- true
					return smtptest.Silence
				}
				return ""
			})
			stop := f.sender.Start(t.Context())
			<-reached
			if m := f.mail("ann@example.com"); m.State != row.state || !m.LeasedUntil.IsZero() {
				t.Errorf("it is %s, leased until %s", m.State, m.LeasedUntil)
			}
			begun := time.Now()
			stop()
			if took := time.Since(begun); row.silent == "RSET" && took > 20*time.Second {
				t.Errorf("it took %s to stop", took)
			}
		})
	}
}

// A disk that is full after the mail server took a mail does not have it sent again.
func TestAnOutcomeThatCannotBeWritten(t *testing.T) {
	t.Parallel()
	f := newFixtureIn(t, storetest.NewFile(t))
	f.create("ann@example.com", "bob@example.com")
	f.sql(`CREATE TRIGGER full BEFORE UPDATE OF sent_at ON outbox BEGIN SELECT RAISE(ABORT, 'the disk is full'); END`)
	for range 3 {
		if _, err := f.sender.sendDue(t.Context()); err == nil {
			t.Fatal("it was written")
		}
		f.later(2 * store.MailLease)
	}
	f.wantGot("ann@example.com")
	f.sql(`DROP TRIGGER full`)
	f.sendDue()
	f.wantGot("ann@example.com", "bob@example.com")
	f.wantStates(0, 2, 0)
}

// sql changes the database.
func (f *fixture) sql(query string, args ...any) {
	f.t.Helper()
	if err := f.Store.Write(f.t.Context(), func(ctx context.Context, tx *store.Tx) error {
		_, err := tx.Exec(ctx, query, args...)
		return err
	}); err != nil {
		f.t.Fatal(err)
	}
}

func TestBackoff(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		name    string
		failing time.Duration
		random  float64
		want    time.Duration
	}{
		{"at first it is short", 0, 0.5, time.Minute},
		{"then it is as long as all before", 7 * time.Minute, 0.5, 7 * time.Minute},
		{"and never longer than an hour", 50 * time.Hour, 0.5, time.Hour},
		{"a fifth less by chance", time.Hour, 0, 48 * time.Minute},
		{"or nearly a fifth more", time.Hour, 0.999999, 72 * time.Minute},
	} {
		if got := mailBackoff.after(row.failing, row.random); (got - row.want).Abs() > time.Second {
			t.Errorf("%s: %s, want %s", row.name, got, row.want)
		}
	}
}

// The clocks of two machines differ, by up to a minute.
func TestAMailThatIsBeingSentIsNotSentByAnotherMachine(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		name  string
		after time.Duration // by the other machine's clock
	}{
		{"whose clock is a second behind", -time.Second},
		{"whose clock is a minute behind", -store.MailSkew},
		{"whose clock is a minute ahead, at the end of the longest attempt", sendTimeout + store.MailSkew},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			f := newFixture(t)
			f.create("ann@example.com")
			if _, found, err := f.newSender().claim(t.Context()); err != nil || !found {
				t.Fatal(found, err)
			}
			f.later(row.after)
			f.sendDue()
			if got := f.got(); len(got) > 0 {
				t.Errorf("it sent %v", got)
			}
		})
	}
}
