package smtp

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"os"
	"strings"
	"time"

	gomail "github.com/wneessen/go-mail"
	protocol "github.com/wneessen/go-mail/smtp"
)

// Dial connects to an address, as net.Dialer.DialContext does.
type Dial func(ctx context.Context, network, address string) (net.Conn, error)

// The longest times that a server may take. RFC 5321, section 4.5.3.2, allows more, but a queue stands still meanwhile.
const (
	connectTimeout = 30 * time.Second
	commandTimeout = 30 * time.Second
	// AcceptTimeout is for the answer to a message's text: servers look for spam then, and deliver what they have
	// taken also if the client has gone.
	AcceptTimeout = 90 * time.Second
)

// A Session is a connection to a mail server that takes mails, one after the other.
type Session struct {
	server *Server
	client *protocol.Client
	conn   net.Conn
}

// Connect connects and signs in. ctx is for that alone: the session outlives it.
func (s *Server) Connect(ctx context.Context) (*Session, error) {
	dialing, cancel := context.WithTimeout(ctx, s.limit(connectTimeout))
	defer cancel()
	dial := s.Dial
	if dial == nil {
		dial = new(net.Dialer).DialContext
	}
	conn, err := dial(dialing, "tcp", s.Address())
	if err != nil {
		return nil, s.fault("could not connect to the mail server", err, "")
	}
	session, err := s.greet(ctx, conn)
	if err != nil {
		conn.Close()
		return nil, err
	}
	return session, nil
}

// greet does what comes before the first mail.
func (s *Server) greet(ctx context.Context, conn net.Conn) (*Session, error) {
	defer context.AfterFunc(ctx, func() { conn.Close() })()
	err := conn.SetDeadline(time.Now().Add(s.limit(commandTimeout)))
	if err != nil {
		return nil, s.fault("could not connect to the mail server", err, "")
	}
	local := conn.LocalAddr()
	if s.TLS {
		encrypted := tls.Client(conn, s.tlsConfig())
		if err := encrypted.HandshakeContext(ctx); err != nil {
			return nil, s.tlsFault(err)
		}
		conn = encrypted
	}
	client, err := protocol.NewClient(conn, s.Host)
	if err != nil {
		return nil, s.fault("the mail server did not greet", err, s.greetingRemedy(err))
	}
	if err := client.Hello(helloName(local)); err != nil {
		return nil, s.fault("the mail server did not take our name", err, "")
	}
	session := &Session{server: s, client: client, conn: conn}
	if err := session.encrypt(); err != nil {
		return nil, err
	}
	if err := session.signIn(); err != nil {
		return nil, err
	}
	return session, nil
}

func (s *Server) tlsConfig() *tls.Config {
	return &tls.Config{ServerName: s.Host, RootCAs: s.Roots, MinVersion: tls.VersionTLS12}
}

// helloName is what the server is told of this machine: its name if that is one of DNS, else its address, since many
// servers refuse other names (RFC 5321, section 4.1.3).
func helloName(local net.Addr) string {
	if name, err := os.Hostname(); err == nil && strings.Contains(name, ".") && !strings.ContainsAny(name, " \r\n") {
		return name
	}
	host, _, err := net.SplitHostPort(local.String())
	if err != nil {
		return "localhost"
	}
	if host, _, _ = strings.Cut(host, "%"); strings.Contains(host, ":") {
		host = "IPv6:" + host
	}
	return "[" + host + "]"
}

func (c *Session) encrypt() error {
	if c.server.TLS || !c.server.needsTLS() {
		return nil
	}
	if offered, _ := c.client.Extension("STARTTLS"); !offered {
		return c.server.fault("the mail server offers no STARTTLS", errors.New("mails and the password could be read "+
			"on the way"), "use its port with STARTTLS (usually 587), smtps:// (465), or a mail server on this machine")
	}
	if err := c.client.StartTLS(c.server.tlsConfig()); err != nil {
		return c.server.tlsFault(err)
	}
	return nil
}

// signIn signs in by the best way that the server offers. The server's text is left out of errors: it could repeat
// what it was told.
func (c *Session) signIn() error {
	s := c.server
	if s.User == "" {
		return nil
	}
	_, offered := c.client.Extension("AUTH")
	password, local := s.Password.Reveal(), !s.needsTLS()
	var auth protocol.Auth
	switch mechanisms := " " + strings.ToUpper(offered) + " "; {
	case strings.Contains(mechanisms, " SCRAM-SHA-256 "):
		auth = protocol.ScramSHA256Auth(s.User, password)
	case strings.Contains(mechanisms, " PLAIN "):
		auth = protocol.PlainAuth("", s.User, password, s.Host, local)
	case strings.Contains(mechanisms, " LOGIN "):
		auth = protocol.LoginAuth(s.User, password, s.Host, local)
	case strings.Contains(mechanisms, " SCRAM-SHA-1 "):
		auth = protocol.ScramSHA1Auth(s.User, password)
	default:
		return s.fault("the mail server offers no way to sign in that is known here",
			errors.New("SCRAM-SHA-256, PLAIN, LOGIN, SCRAM-SHA-1"), "leave out the user if it needs none")
	}
	err := c.client.Auth(auth)
	switch refusal := code(err); {
	case err == nil:
		return nil
	case refusal == 530 || refusal == 534 || refusal == 535 || refusal == 538: // RFC 4954, section 6
		return s.fault("the mail server refused user or password", fmt.Errorf("reply code %d", refusal),
			"check the user of --smtp-url, and --smtp-password-file")
	case refusal != 0: // as of a server that has no time, or that was asked too often
		return s.fault("the mail server did not let us sign in", fmt.Errorf("reply code %d", refusal), "")
	default:
		if _, broken := errors.AsType[net.Error](err); !broken {
			err = errors.New("it did not keep to the protocol, or closed the connection")
		}
		return s.fault("could not sign in to the mail server", err, "")
	}
}

// fault returns an error that is about all mails.
func (s *Server) fault(doing string, err error, remedy string) *Error {
	return &Error{Scope: AllMails, Doing: doing + " " + s.Address(), Answer: answerOf(err), Remedy: remedy}
}

func (s *Server) tlsFault(err error) *Error {
	remedy := ""
	var header tls.RecordHeaderError
	_, unknown := errors.AsType[x509.UnknownAuthorityError](err)
	switch {
	case unknown:
		remedy = "name the file of its authority with --smtp-ca-file"
	case errors.As(err, &header):
		remedy = "the port speaks no TLS from the start: write smtp:// instead of smtps://, or another port"
	}
	return s.fault("could not secure the connection to the mail server", err, remedy)
}

func (s *Server) greetingRemedy(err error) string {
	if timeout, ok := errors.AsType[net.Error](err); ok && timeout.Timeout() && !s.TLS {
		return "if the port speaks TLS from the start, write smtps:// instead of smtp://"
	}
	return ""
}

// Send sends a message. After an error about all mails, or the connection, the session is of no use.
func (c *Session) Send(m Message) error {
	mime, err := m.toMIME(c.server.From)
	if err != nil {
		return &Error{Scope: Never, NotAsked: true, Doing: "could not write the mail", Answer: redact(err.Error())}
	}
	from, err := mime.GetSender(false)
	if err != nil {
		return &Error{Scope: Never, NotAsked: true, Doing: "could not write the mail's sender",
			Answer: redact(err.Error())}
	}
	to, err := mime.GetRecipients()
	if err != nil || len(to) != 1 {
		return &Error{Scope: Never, NotAsked: true, Doing: "could not write the mail's address"}
	}
	if !isASCII(to[0]) {
		if offered, _ := c.client.Extension("SMTPUTF8"); !offered {
			return &Error{Scope: Never, NotAsked: true, Answer: "it has no SMTPUTF8",
				Doing: "the mail server takes no addresses with such letters before the @"}
		}
	}
	// A server that got it could not pass the mail on to one that has not.
	c.client.SkipSMTPUTF8(isASCII(to[0]))
	c.within(commandTimeout)
	if err := c.client.Mail(from); err != nil {
		e := senderError(err)
		// It is the same for all mails but in how it asks for SMTPUTF8.
		e.MaybeMail = e.Scope == AllMails && !isASCII(to[0])
		return e
	}
	c.within(commandTimeout)
	if err := c.client.Rcpt(to[0]); err != nil {
		return forAddress(err)
	}
	return c.sendText(mime)
}

// senderError returns the error of a sender that was not taken.
func senderError(err error) *Error {
	switch code(err) {
	case 0, closing:
		return forMail("the connection to the mail server broke", err)
	case 530, 538:
		return wantsSignIn(err)
	}
	return &Error{Scope: AllMails, Doing: "the mail server did not take the sender", Answer: answerOf(err),
		Remedy: "check --mail-from: it must be an address from which the user of --smtp-url may send"}
}

func (c *Session) sendText(m *gomail.Msg) error {
	c.within(commandTimeout)
	w, err := c.client.Data()
	if err != nil {
		return forMail("the mail server did not take the mail", err)
	}
	c.within(AcceptTimeout)
	if _, err := m.WriteTo(w); err != nil { // before the dot that ends it
		return forMail("the connection to the mail server broke while the mail was sent", err)
	}
	if err := w.Close(); err != nil {
		if code(err) == 0 {
			return uncertain("no answer of the mail server came after the mail was sent", err)
		}
		return forMail("the mail server did not take the mail", err)
	}
	return nil
}

// Close ends the session, politely if the server answers.
func (c *Session) Close() {
	c.within(5 * time.Second)
	_ = c.client.Quit()
	c.Abort()
}

// Abort closes the connection, also while something is sent by it.
func (c *Session) Abort() { _ = c.conn.Close() }

// Reset makes the session ready for another mail after one that was not taken.
func (c *Session) Reset() error {
	c.within(commandTimeout)
	return c.client.Reset()
}

// within sets the time for what comes next. An error shows then.
func (c *Session) within(d time.Duration) { _ = c.client.UpdateDeadline(c.server.limit(d)) }

// limit returns how long a step may take.
func (s *Server) limit(d time.Duration) time.Duration {
	if s.Timeout > 0 {
		return min(d, s.Timeout)
	}
	return d
}
