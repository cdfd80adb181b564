package engine

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"os/user"
	"strings"
	"syscall"
)

// An Error says why an engine cannot be reached and what to do. It wraps no error, since
// the library replaces those of the operating system by texts of its own.
type Error struct {
	// Host is the engine's address and the setting that it is from.
	Host   string
	Reason string
	Remedy string // may be empty
}

func (e *Error) Error() string {
	text := fmt.Sprintf("cannot connect to the container engine at %s: %s", e.Host, e.Reason)
	if e.Remedy != "" {
		text += ". " + e.Remedy
	}
	return text
}

func unreachable(at endpoint, reason error, remedy string) *Error {
	return &Error{Host: at.String(), Reason: reason.Error(), Remedy: remedy}
}

// explainPing returns the error of Open for one of its first request.
func explainPing(ctx context.Context, at endpoint, err error) error {
	if ctx.Err() != nil {
		return fmt.Errorf("connecting to the container engine at %s: %w", at, context.Cause(ctx))
	}
	if e, ok := errors.AsType[*Error](err); ok {
		return e
	}
	if errors.Is(err, context.DeadlineExceeded) {
		return unreachable(at, fmt.Errorf("it accepts connections, but does not answer within %s", openTimeout),
			remedyAway(at))
	}
	if reason, remedy := explainTLS(err); reason != "" {
		return unreachable(at, errors.New(reason), remedy)
	}
	for _, sign := range []string{"HTTP request to an HTTPS server", "malformed HTTP response"} {
		if strings.Contains(err.Error(), sign) {
			return unreachable(at, errors.New("it expects TLS"), "Give it the certificates: cert_path or "+
				"ca_certificate_pem in the provider's block docker, or DOCKER_TLS_VERIFY=1 and DOCKER_CERT_PATH")
		}
	}
	if errors.Is(err, syscall.EPIPE) || errors.Is(err, syscall.ECONNRESET) || errors.Is(err, io.EOF) {
		// After a TLS 1.3 handshake this may come before the alert that says why.
		return unreachable(at, errors.New("it closes the connection without an answer"), remedyClosed(at))
	}
	return unreachable(at, fmt.Errorf("it does not answer as a container engine does: %w", innermost(err)), "")
}

// innermost returns the last error of a chain: those before it repeat the request.
func innermost(err error) error {
	for next := errors.Unwrap(err); next != nil; next = errors.Unwrap(err) {
		err = next
	}
	return err
}

// explainTLS returns why a TLS connection failed; empty for other errors.
func explainTLS(err error) (reason, remedy string) {
	var (
		record    tls.RecordHeaderError
		authority x509.UnknownAuthorityError
		hostname  x509.HostnameError
		invalid   x509.CertificateInvalidError
		remote    *net.OpError
	)
	switch {
	case errors.As(err, &record):
		return "it does not speak TLS", "Correct the port, or let the engine serve TLS (dockerd --tlsverify). For " +
			"plain TCP, leave out the certificates"
	case errors.As(err, &authority):
		return "its certificate is not signed by a trusted authority",
			"Give the certificate of the authority that signed it: ca_certificate_pem or ca.pem in cert_path"
	case errors.As(err, &hostname):
		return "its certificate is for another name: " + hostname.Error(),
			"Use a name of the certificate in the address, or set tls_server_name"
	case errors.As(err, &invalid) && invalid.Reason == x509.Expired:
		return "its certificate is not valid now: " + validity(invalid.Cert),
			"Renew the engine's certificate, or correct this machine's clock"
	case errors.As(err, &invalid):
		return "its certificate is not valid: " + invalid.Error(), ""
	case errors.As(err, &remote) && remote.Op == "remote error" && strings.Contains(remote.Err.Error(), "certificate"):
		return "it refuses the client certificate, or that there is none: " + remote.Err.Error(), remedyClient
	case errors.As(err, &remote) && remote.Op == "remote error":
		return "it ends the TLS handshake: " + remote.Err.Error(), ""
	}
	return "", ""
}

const remedyClient = "Give one that is signed by the engine's authority (dockerd --tlscacert): " +
	"client_certificate_pem and client_key_pem, or cert.pem and key.pem in cert_path"

func remedyClosed(at endpoint) string {
	if at.scheme == "tcp" {
		return "If it wants a client certificate: " + remedyClient
	}
	return "Check that a container engine serves the socket"
}

func remedyAway(at endpoint) string {
	if at.scheme == "unix" || at.scheme == "npipe" {
		return "Look at the engine's log (`journalctl -u docker`), and restart it"
	}
	return "Check that the machine runs, that the address is right, and that no firewall is between"
}

// validity returns the time of a certificate.
func validity(c *x509.Certificate) string {
	const minute = "2006-01-02 15:04 MST"
	return fmt.Sprintf("it is for %s to %s", c.NotBefore.UTC().Format(minute), c.NotAfter.UTC().Format(minute))
}

// currentUser returns the name of the process's user, for messages.
func currentUser() string {
	u, err := user.Current()
	if err != nil {
		return "of this process"
	}
	return u.Username
}
