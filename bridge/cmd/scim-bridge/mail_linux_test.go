package main

import (
	"context"
	"encoding/json"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account/smtp/smtptest"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account/store"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/certificate/certificatetest"
	"github.com/scimbridge/terraform-provider-scimbridge/test/ports"
)

// mailpitBinary builds a mail server that shows what it got, as .ci/mail/go.mod pins it.
var mailpitBinary = sync.OnceValues(func() (string, error) {
	return buildTool("mailpit", ".ci/mail/go.mod", "github.com/axllent/mailpit")
})

const mailPassword = "p@ss/word%of+a+test" // without a blank, which would end it for the mail server

// mailpit is a mail server that takes mails by TLS alone, from a user with a password.
type mailpit struct {
	t       *testing.T
	ca      *certificatetest.Authority
	dir     string
	address string // of SMTP, at localhost
	api     string
}

func newMailpit(t *testing.T) *mailpit {
	t.Helper()
	m := &mailpit{t: t, ca: certificatetest.New(t, "mail"), dir: t.TempDir(), api: ports.Free(t)}
	m.address = strings.Replace(ports.Free(t), "127.0.0.1", "localhost", 1)
	cert, key := m.ca.Issue(certificatetest.Loopback("localhost"))
	for name, text := range map[string][]byte{"cert.pem": cert, "key.pem": key, "ca.pem": m.ca.PEM,
		"users": []byte("it:" + mailPassword + "\n"), "password": []byte(mailPassword + "\n")} {
		if err := os.WriteFile(filepath.Join(m.dir, name), text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return m
}

func (m *mailpit) file(name string) string { return filepath.Join(m.dir, name) }

// up starts the process, which ends with the test.
func (m *mailpit) up(flags ...string) {
	m.t.Helper()
	binary, err := mailpitBinary()
	if err != nil {
		m.t.Fatal(err)
	}
	cmd := exec.CommandContext(m.t.Context(), binary, append([]string{
		"--smtp", strings.Replace(m.address, "localhost", "127.0.0.1", 1), "--listen", m.api,
		"--database", m.file("mailpit.db"), "--disable-version-check", "--smtp-disable-rdns",
		"--smtp-tls-cert", m.file("cert.pem"), "--smtp-tls-key", m.file("key.pem"), "--smtp-auth-file", m.file("users"),
	}, flags...)...)
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "TMPDIR=" + m.dir}
	log, err := os.OpenFile(m.file("log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		m.t.Fatal(err)
	}
	cmd.Stdout, cmd.Stderr = log, log
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL} // also if the test is killed
	if err := cmd.Start(); err != nil {
		m.t.Fatal(err)
	}
	log.Close()
	m.t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		if text, err := os.ReadFile(m.file("log")); err == nil && m.t.Failed() {
			m.t.Logf("log of the mail server:\n%s", text)
		}
	})
	await(m.t, "the mail server", func() bool {
		resp, err := http.Get("http://" + m.api + "/readyz") //nolint:noctx // of the test, on this machine
		if err != nil {
			return false
		}
		resp.Body.Close()
		return resp.StatusCode == http.StatusOK
	})
}

// A receivedMail is a mail as the server shows it.
type receivedMail struct {
	ID, MessageID, Subject, Text, HTML string
	From                               struct{ Name, Address string }
	To                                 []struct{ Address string }
}

// mails waits for so many mails, and returns them, newest first.
func (m *mailpit) mails(n int) []receivedMail {
	m.t.Helper()
	var list struct{ Messages []receivedMail }
	await(m.t, "mails", func() bool {
		list.Messages = nil
		m.get("/api/v1/messages", &list)
		return len(list.Messages) >= n
	})
	if len(list.Messages) != n {
		m.t.Fatalf("%d mails arrived, want %d", len(list.Messages), n)
	}
	for i := range list.Messages {
		m.get("/api/v1/message/"+list.Messages[i].ID, &list.Messages[i])
	}
	return list.Messages
}

func (m *mailpit) get(path string, into any) {
	m.t.Helper()
	got := ask(m.t, http.MethodGet, "http://"+m.api+path, "", "")
	if err := json.Unmarshal([]byte(got.body), into); err != nil {
		m.t.Fatalf("%v: %s", err, got.body)
	}
}

// flags are those of an account that sends by this server.
func (m *mailpit) flags(scheme string) []string {
	return []string{"--smtp-url", scheme + "://it@" + m.address, "--smtp-password-file", m.file("password"),
		"--smtp-ca-file", m.file("ca.pem"), "--mail-from", "Acme IT <it@example.com>"}
}

// A mailingAccount is an account service that sends mails.
type mailingAccount struct {
	*listened
	t                    *testing.T
	database, admin, url string
}

func newMailingAccount(t *testing.T) *mailingAccount {
	t.Helper()
	a := &mailingAccount{t: t, database: "sqlite:" + filepath.Join(t.TempDir(), "account.db")}
	a.admin = strings.TrimSpace(output(t, "account", "init", "--database", a.database, "--name", "Acme & Sons"))
	return a
}

// serve starts the service.
func (a *mailingAccount) serve(environ []string, flags ...string) {
	a.t.Helper()
	address := ports.Free(a.t)
	a.url = "http://" + address
	a.listened = listenWith(a.t, environ, append([]string{"account", "serve", "--database", a.database, "--listen",
		address, "--public-url", a.url}, flags...)...)
	a.address(a.t)
}

// stop ends the service, which must end well.
func (a *mailingAccount) stop() {
	a.t.Helper()
	if err := a.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		a.t.Fatal(err)
	}
	if err := <-a.ended; err != nil {
		a.t.Fatalf("it ended with %v\n%s", err, a.text())
	}
}

// invite invites ann@example.com.
func (a *mailingAccount) invite(name string) {
	a.t.Helper()
	body, err := json.Marshal(map[string]string{"address": "ann@example.com", "name": name})
	if err != nil {
		a.t.Fatal(err)
	}
	got := ask(a.t, http.MethodPost, a.url+"/v1/members", a.admin, string(body), "Content-Type", "application/json")
	if got.status != http.StatusCreated {
		a.t.Fatalf("%d %s", got.status, got.body)
	}
}

// mail runs account mail, and returns the lines of its output.
func (a *mailingAccount) mail(args ...string) (lines []mailLine) {
	a.t.Helper()
	text := output(a.t, append([]string{"account", "mail", "--database", a.database, "--json"}, args...)...)
	for d := json.NewDecoder(strings.NewReader(text)); d.More(); {
		var line mailLine
		if err := d.Decode(&line); err != nil {
			a.t.Fatal(err)
		}
		lines = append(lines, line)
	}
	return lines
}

// awaitMail waits until the only mail is in a state.
func (a *mailingAccount) awaitMail(state string) (line mailLine) {
	a.t.Helper()
	await(a.t, "a mail that is "+state, func() bool {
		lines := a.mail("--state", state)
		if len(lines) == 1 {
			line = lines[0]
		}
		return len(lines) == 1
	})
	return line
}

// endLeases has the time of two minutes pass for which a mail belongs to a killed service.
func (a *mailingAccount) endLeases() {
	a.t.Helper()
	s, err := store.Open(a.t.Context(), a.database)
	if err != nil {
		a.t.Fatal(err)
	}
	defer s.Close()
	if err := s.Write(a.t.Context(), func(ctx context.Context, tx *store.Tx) error {
		_, err := tx.Exec(ctx, `UPDATE outbox SET leased_until = 1`)
		return err
	}); err != nil {
		a.t.Fatal(err)
	}
}

// An invitation arrives as text and HTML, by STARTTLS and a password, and its link works.
func TestAnInvitationArrives(t *testing.T) {
	t.Parallel()
	server := newMailpit(t)
	server.up("--smtp-require-starttls")
	a := newMailingAccount(t)
	a.serve(nil, server.flags("smtp")...)
	a.invite(`<b>Ann</b> "Lee"`)
	got := server.mails(1)[0]
	sent := a.awaitMail("sent")
	if got.MessageID != sent.ID+"@example.com" || got.Subject != "Join Acme & Sons" || got.From.Name != "Acme IT" ||
		got.From.Address != "it@example.com" || len(got.To) != 1 || got.To[0].Address != "ann@example.com" {
		t.Errorf("it is %+v", got)
	}
	if !strings.Contains(got.Text, `Hello <b>Ann</b> "Lee",`) || !strings.Contains(got.Text, sent.Link) ||
		!strings.Contains(got.HTML, "Hello &lt;b&gt;Ann&lt;/b&gt;") ||
		!strings.Contains(got.HTML, `href="`+sent.Link+`"`) {
		t.Errorf("it says %s\n%s", got.Text, got.HTML)
	}
	if page := ask(t, http.MethodGet, sent.Link, "", ""); page.status != http.StatusOK {
		t.Errorf("the link: %d %s", page.status, page.body)
	}
	if sent.Attempts != 1 || sent.SentAt == nil || sent.LastError != "" || sent.NextAttempt != nil {
		t.Errorf("it is shown as %+v", sent)
	}
	numbers := ask(t, http.MethodGet, a.url+"/metrics", a.admin, "").body
	for _, want := range []string{
		`scimbridge_account_mails{state="sent"} 1`, `scimbridge_account_mails{state="waiting"} 0`,
		"scimbridge_account_mails_oldest_waiting_timestamp_seconds 0",
		`scimbridge_account_mail_attempts_total{result="sent"} 1`,
		`scimbridge_account_mail_attempts_total{result="refused"} 0`,
		"scimbridge_account_mail_attempt_duration_seconds_count 1",
	} {
		if !strings.Contains(numbers, "\n"+want+"\n") {
			t.Errorf("the metrics lack %q", want)
		}
	}
	a.stop()
	if log := a.text(); strings.Contains(log, mailPassword) || strings.Contains(log, "ann@example.com") ||
		!strings.Contains(log, "mails are sent: server="+server.address) {
		t.Errorf("the log is\n%s", log)
	}
}

// A mail is sent again with the same link and another id, since receivers put mails with one id together.
func TestAMailIsSentAgain(t *testing.T) {
	t.Parallel()
	server := newMailpit(t)
	server.up("--smtp-require-tls")
	a := newMailingAccount(t)
	a.serve(nil, server.flags("smtps")...)
	a.invite("Ann")
	first := server.mails(1)[0]
	a.awaitMail("sent")
	said := output(t, "account", "mail", "resend", "--database", a.database, "ann@example.com")
	again := server.mails(2)[0]
	link := regexp.MustCompile(`http://\S+/join/\S+`)
	if a, b := link.FindString(first.Text), link.FindString(again.Text); a != b || a == "" {
		t.Errorf("the links are %s and %s", a, b)
	}
	if again.MessageID == first.MessageID ||
		!strings.HasPrefix(said, strings.TrimSuffix(again.MessageID, "@example.com")) {
		t.Errorf("the ids are %s and %s; it said %s", first.MessageID, again.MessageID, said)
	}
}

// Everything else works while the mail server is away, the operator sees it, and needs not wait when it is back.
func TestAMailServerThatIsAwayIsShown(t *testing.T) {
	t.Parallel()
	server := newMailpit(t)
	a := newMailingAccount(t)
	a.serve(nil, server.flags("smtp")...)
	a.invite("Ann")
	a.await(t, "no mail can be sent; trying again")
	var waiting mailLine
	await(t, "the failure", func() bool {
		waiting = a.awaitMail("waiting")
		return waiting.LastError != "" && !waiting.Sending
	})
	if waiting.NextAttempt == nil || waiting.Attempts == 0 ||
		!strings.Contains(waiting.LastError, "could not connect to the mail server "+server.address) {
		t.Errorf("it is shown as %+v", waiting)
	}
	said := new(sharedBuffer)
	if code := run(t.Context(), []string{"account", "mail", "--database", a.database},
		&console{Out: said, Err: said}); code != 0 {
		t.Fatal(said)
	}
	for _, want := range []string{"no mail can be sent by " + server.address + " since 2", "connection refused",
		"to ann@example.com: Join Acme & Sons\n  " + waiting.ID + "  waiting, attempts: ", ", next attempt 2"} {
		if !strings.Contains(said.String(), want) {
			t.Errorf("account mail lacks %q:\n%s", want, said)
		}
	}
	server.up()
	output(t, "account", "mail", "send", "--now", "--database", a.database)
	server.mails(1)
	a.awaitMail("sent")
	a.await(t, "mails can be sent again")
	a.stop()
}

// A wrong password is said, and not shown.
func TestAWrongMailPassword(t *testing.T) {
	t.Parallel()
	server := newMailpit(t)
	server.up()
	a := newMailingAccount(t)
	const wrong = "hush/hush"
	a.serve([]string{"SCIMBRIDGE_SMTP_URL=smtp://it:hush%2Fhush@" + server.address}, "--smtp-ca-file",
		server.file("ca.pem"), "--mail-from", "it@example.com")
	a.invite("Ann")
	var waiting mailLine
	await(t, "the failure", func() bool {
		waiting = a.awaitMail("waiting")
		return strings.Contains(waiting.LastError, "the mail server refused user or password "+server.address)
	})
	if log := a.text() + waiting.LastError; strings.Contains(log, wrong) || strings.Contains(log, "hush%2F") ||
		!strings.Contains(log, "--smtp-password-file") {
		t.Errorf("it says\n%s", log)
	}
	a.stop()
	a.serve(nil, server.flags("smtp")...)
	server.mails(1)
}

// A mail server that would show mails and the password to others on the way gets neither.
func TestAMailServerWithoutTLSGetsNothing(t *testing.T) {
	t.Parallel()
	server := smtptest.New(t, nil, "AUTH PLAIN")
	a := newMailingAccount(t)
	pit := newMailpit(t)
	pit.address = strings.Replace(server.Address, "127.0.0.1", "localhost", 1)
	a.serve(nil, pit.flags("smtp")...)
	a.invite("Ann")
	a.await(t, "offers no STARTTLS")
	if n := len(server.Mails()); n != 0 {
		t.Errorf("the server got %d mails", n)
	}
	a.stop()
}

// A service that is killed while it sends a mail leaves it to the next one, with the same id.
func TestAMailOfAKilledServiceIsNotLost(t *testing.T) {
	t.Parallel()
	server := smtptest.New(t, nil)
	reached := make(chan bool, 1)
	server.Fail(func(_ int, command string) string {
		if command == "." {
			select {
			case reached <- true:
			default:
			}
			return smtptest.Silence
		}
		return ""
	})
	a := newMailingAccount(t)
	flags := []string{"--smtp-url", "smtp://" + server.Address, "--mail-from", "it@example.com"}
	a.serve(nil, flags...)
	a.invite("Ann")
	<-reached
	if err := a.cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	if err := <-a.ended; err == nil {
		t.Error("it was not killed")
	}
	server.Fail(nil)
	a.serve(nil, flags...)
	if line := a.awaitMail("waiting"); !line.Sending || line.Attempts != 1 {
		t.Errorf("it is shown as %+v", line)
	}
	a.endLeases()
	if sent := a.awaitMail("sent"); sent.Attempts != 2 {
		t.Errorf("it is shown as %+v", sent)
	}
	got := server.Mails()
	if len(got) != 2 || got[0].Header("Message-ID") != got[1].Header("Message-ID") {
		t.Errorf("the server got %+v", got)
	}
}
