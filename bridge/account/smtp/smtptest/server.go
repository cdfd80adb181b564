// Package smtptest has a mail server for tests that fails as a test wants: what real ones do only when something is
// wrong.
package smtptest

import (
	"bufio"
	"crypto/tls"
	"fmt"
	"net"
	"slices"
	"strings"
	"sync"
	"testing"
)

// What an answer can be, beside a line of SMTP.
const (
	Silence = "silence" // nothing, and the connection stays open
	HangUp  = "hang up" // the connection is closed
)

// An Answer returns what the server says to a command instead of what it should; "" leaves that. The command is the
// line as it came, "connect" before the greeting, and "." at the end of a mail. The session counts from 1.
type Answer func(session int, command string) string

// A Server is a mail server.
type Server struct {
	Address string

	t        testing.TB
	listener net.Listener
	tls      *tls.Config

	mu       sync.Mutex
	answer   Answer
	offers   []string
	mails    []Mail
	sessions int
	open     map[net.Conn]bool
	closed   bool
}

// A Mail is what the server got at the end of a mail, whatever it answered.
type Mail struct{ From, To, Data string }

// Header returns the first line of the mail's header with a name.
func (m Mail) Header(name string) string {
	for line := range strings.SplitSeq(m.Data, "\r\n") {
		if value, found := strings.CutPrefix(line, name+": "); found {
			return value
		}
	}
	return ""
}

// New starts a server on the loopback interface, as Serve does.
func New(t testing.TB, certificate *tls.Config, offers ...string) *Server {
	t.Helper()
	l, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	return Serve(t, l, certificate, offers...)
}

// Serve starts a server at a listener. It offers STARTTLS if it has a certificate, and other extensions.
func Serve(t testing.TB, l net.Listener, certificate *tls.Config, offers ...string) *Server {
	t.Helper()
	s := &Server{Address: l.Addr().String(), t: t, listener: l, tls: certificate, offers: offers,
		open: make(map[net.Conn]bool)}
	var serving sync.WaitGroup
	serving.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			session, ok := s.begin(conn)
			if !ok {
				conn.Close()
				continue
			}
			serving.Go(func() { s.serve(session, conn) })
		}
	})
	t.Cleanup(func() {
		s.close()
		serving.Wait()
	})
	return s
}

func (s *Server) begin(conn net.Conn) (session int, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.sessions++
	s.open[conn] = true
	return s.sessions, !s.closed
}

func (s *Server) close() {
	s.listener.Close()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed = true
	for conn := range s.open {
		conn.Close()
	}
}

// Fail has the server answer as a test wants from now on; nil has it work.
func (s *Server) Fail(answer Answer) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.answer = answer
}

// Always returns an Answer to the commands that begin with a text.
func Always(command, answer string) Answer {
	return func(_ int, said string) string {
		if strings.HasPrefix(said, command) {
			return answer
		}
		return ""
	}
}

// Mails returns what the server got.
func (s *Server) Mails() []Mail {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.mails)
}

// Sessions returns how many connections there were.
func (s *Server) Sessions() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.sessions
}

func (s *Server) instead(session int, command string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.answer == nil {
		return ""
	}
	return s.answer(session, command)
}

// say answers a command, and reports whether the session goes on.
func (s *Server) say(session int, conn net.Conn, command, answer string) bool {
	if other := s.instead(session, command); other != "" {
		answer = other
	}
	switch answer {
	case HangUp:
		return false
	case Silence:
		for b := make([]byte, 512); ; {
			if _, err := conn.Read(b); err != nil {
				return false
			}
		}
	}
	_, err := fmt.Fprintf(conn, "%s\r\n", answer)
	return err == nil
}

func (s *Server) serve(session int, conn net.Conn) {
	raw := conn
	defer func() {
		conn.Close()
		s.mu.Lock()
		defer s.mu.Unlock()
		delete(s.open, raw)
	}()
	if !s.say(session, conn, "connect", "220 mail.example.com ready") {
		return
	}
	lines := bufio.NewReader(conn)
	var m Mail
	encrypted := false
	for {
		line, err := lines.ReadString('\n')
		if err != nil {
			return
		}
		command := strings.TrimRight(line, "\r\n")
		word, rest, _ := strings.Cut(command, " ")
		answer := "250 2.0.0 OK"
		switch strings.ToUpper(word) {
		case "EHLO":
			answer = s.greeting(encrypted)
		case "AUTH":
			answer = "235 2.7.0 OK"
		case "MAIL":
			m = Mail{From: rest}
		case "RCPT":
			m.To = rest
		case "DATA":
			if !s.say(session, conn, command, "354 go on") {
				return
			}
			if s.instead(session, command) != "" {
				continue
			}
			if m.Data, err = readData(lines); err != nil {
				return
			}
			s.mu.Lock()
			s.mails = append(s.mails, m)
			s.mu.Unlock()
			command = "."
		case "STARTTLS":
			if !s.say(session, conn, command, "220 go on") {
				return
			}
			conn = tls.Server(conn, s.tls)
			lines, encrypted = bufio.NewReader(conn), true
			continue
		case "QUIT":
			s.say(session, conn, command, "221 2.0.0 bye")
			return
		}
		if !s.say(session, conn, command, answer) {
			return
		}
	}
}

func (s *Server) greeting(encrypted bool) string {
	offers := slices.Clone(s.offers)
	if s.tls != nil && !encrypted {
		offers = append(offers, "STARTTLS")
	}
	lines := append([]string{"mail.example.com"}, offers...)
	for i := range lines {
		lines[i] = "250-" + lines[i]
	}
	lines[len(lines)-1] = strings.Replace(lines[len(lines)-1], "250-", "250 ", 1)
	return strings.Join(lines, "\r\n")
}

// readData reads a mail up to the line with a dot alone.
func readData(lines *bufio.Reader) (string, error) {
	var text strings.Builder
	for {
		line, err := lines.ReadString('\n')
		if err != nil {
			return "", err
		}
		if line == ".\r\n" {
			return text.String(), nil
		}
		text.WriteString(strings.TrimPrefix(line, "."))
	}
}
