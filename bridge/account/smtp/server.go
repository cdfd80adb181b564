package smtp

import (
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/mail"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
	"time"

	"golang.org/x/net/idna"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge/internal/inputtext"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/internal/secret"
)

// A Server is a mail server that accepts mail for everybody, and how to sign in to it.
type Server struct {
	Host string
	Port string
	// TLS begins with the connection (smtps://). Otherwise STARTTLS is required, except on this machine.
	TLS      bool
	User     string // empty: without signing in
	Password secret.String
	// Roots are the authorities of its certificate; nil are the system's. With roots, STARTTLS is required on this
	// machine as well.
	Roots *x509.CertPool
	// From is the sender of all mails.
	From mail.Address
	// Dial connects to an address; nil uses a net.Dialer.
	Dial Dial
	// Timeout shortens the time that each step may take; 0 leaves it.
	Timeout time.Duration
}

// errNoURL is for a text that is no URL of a mail server, which may have a password in it.
var errNoURL = errors.New("not a URL like smtp://user@smtp.example.com:587 or smtps://smtp.example.com; " +
	"user and password must be percent-encoded")

// ParseURL reads the URL of a mail server: smtp:// (by default port 587) or smtps:// (465). No error repeats what is
// in it.
func ParseURL(text string) (*Server, error) {
	u, err := url.Parse(text)
	if err != nil || u.Opaque != "" || u.Hostname() == "" || u.RawQuery != "" || u.Fragment != "" ||
		u.Path != "" && u.Path != "/" {
		return nil, errNoURL
	}
	s := &Server{Host: u.Hostname(), Port: u.Port(), User: u.User.Username()}
	switch u.Scheme {
	case "smtp":
		s.Port = orDefault(s.Port, "587")
	case "smtps":
		s.TLS, s.Port = true, orDefault(s.Port, "465")
	default:
		return nil, errNoURL
	}
	if n, err := strconv.ParseUint(s.Port, 10, 16); err != nil || n == 0 {
		return nil, errors.New("the port is not a number from 1 to 65535")
	}
	if s.Host, err = hostName(s.Host); err != nil {
		return nil, err
	}
	password, given := u.User.Password()
	if given && password == "" {
		return nil, errors.New("the password is empty; leave out the colon, or percent-encode the password")
	}
	s.Password = secret.New(password)
	if strings.ContainsFunc(s.User+password, isControl) {
		return nil, errors.New("user or password has a control character")
	}
	if s.User == "" && given {
		return nil, errors.New("there is a password and no user")
	}
	return s, nil
}

func orDefault(port, otherwise string) string {
	if port == "" {
		return otherwise
	}
	return port
}

func isControl(r rune) bool { return r < ' ' || r == 0x7f }

// hostName returns a host in the form in which certificates have it.
func hostName(host string) (string, error) {
	if _, err := netip.ParseAddr(host); err == nil {
		return host, nil
	}
	ascii, err := idna.Lookup.ToASCII(host)
	if err != nil {
		return "", errors.New("the host is not the name or the address of a mail server")
	}
	return ascii, nil
}

// ParseFrom reads the sender of all mails: an address, or a name and an address in angle brackets.
func ParseFrom(text string) (mail.Address, error) {
	a, err := mail.ParseAddress(text)
	if err != nil || strings.ContainsFunc(text, isControl) || inputtext.Line(text) != text {
		return mail.Address{}, fmt.Errorf("%q is not a sender like it@example.com or Example <it@example.com>", text)
	}
	ascii, err := toASCIIDomain(a.Address)
	if err != nil || !isASCII(ascii) {
		return mail.Address{}, fmt.Errorf("%q has letters before the @ that not every mail server takes", text)
	}
	a.Address = ascii
	return *a, nil
}

// toASCIIDomain returns an address with its domain as DNS has it, which every server takes.
func toASCIIDomain(address string) (string, error) {
	at := strings.LastIndexByte(address, '@')
	if at < 0 || isASCII(address) {
		return address, nil
	}
	domain, err := idna.Lookup.ToASCII(address[at+1:])
	return address[:at+1] + domain, err
}

func isASCII(s string) bool {
	for i := range len(s) {
		if s[i] >= 0x80 {
			return false
		}
	}
	return true
}

// Address is the server's host and port.
func (s *Server) Address() string { return net.JoinHostPort(s.Host, s.Port) }

// needsTLS reports whether mails and password must not go to the server in clear.
func (s *Server) needsTLS() bool { return s.Roots != nil || !isLoopback(s.Host) }

// isLoopback reports whether a host is this machine by what is written, whatever DNS says.
func isLoopback(host string) bool {
	if host == "localhost" {
		return true
	}
	address, err := netip.ParseAddr(host)
	return err == nil && address.Unmap().IsLoopback()
}
