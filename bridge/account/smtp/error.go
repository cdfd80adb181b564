package smtp

import (
	"errors"
	"fmt"
	"net/textproto"
	"regexp"
	"slices"
	"strings"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge/internal/inputtext"
)

// A Scope is what an error is about.
type Scope int

// The scopes of errors.
const (
	// AllMails: the server cannot be reached, does not let us in, or does not take the sender.
	AllMails Scope = iota
	// Connection: it broke, or the server was silent, while a mail was sent; the server may have taken it.
	Connection
	// Later: the server does not take this mail now.
	Later
	// Never: the server does not take this mail.
	Never
)

// String returns the scope's name in metrics.
func (s Scope) String() string { return [...]string{"server", "connection", "deferred", "refused"}[s] }

// An Error says why a mail was not sent. Its text has no address, no link and no password, whatever the server
// has answered.
type Error struct {
	Scope Scope
	// Doing is what was tried, as in "could not connect to smtp.example.com:587".
	Doing string
	// Answer is the server's, or what else went wrong.
	Answer string
	Remedy string // may be empty
	// Uncertain is set if the server may have taken the mail.
	Uncertain bool
	// MaybeMail is set if an error about all mails was answered to this one: others may get another answer.
	MaybeMail bool
	// NotAsked is set if the mail cannot be sent by this server, which was not asked.
	NotAsked bool
	// Address is set if the server says that the address does not exist.
	Address bool
}

func (e *Error) Error() string {
	text := e.Doing
	if e.Answer != "" {
		text += ": " + e.Answer
	}
	if e.Remedy != "" {
		text += ": " + e.Remedy
	}
	return text
}

// code returns the server's reply code in an error; 0 if there is none.
func code(err error) int {
	if answer, ok := errors.AsType[*textproto.Error](err); ok {
		return answer.Code
	}
	return 0
}

// closing is the reply code of a server that ends the connection (RFC 5321, section 3.8).
const closing = 421

// scopeOf tells what a failed command about one mail means.
func scopeOf(err error) Scope {
	switch c := code(err); {
	case c == closing || c < 400:
		return Connection
	case c < 500:
		return Later
	default:
		return Never
	}
}

// The reasons for an answer, without the class that its reply code has, too (RFC 3463 and the manuals of Gmail and
// Exchange).
var (
	enhancedCode = regexp.MustCompile(`^[245]\.(\d{1,3})\.(\d{1,3})\b`)
	// aboutAddress: there is no such mailbox, or it takes no mail any more. (Exchange Online says 5.4.1.)
	aboutAddress = []string{"1.1", "1.2", "1.3", "1.6", "1.10", "2.1", "4.1"}
	// aboutSender: the sender is not allowed, or has sent too much.
	aboutSender = []string{"1.7", "1.8", "2.252", "4.5", "7.54", "7.60", "7.64"}
)

// reasonOf returns the reason in a server's answer, such as 1.1; empty without one.
func reasonOf(err error) string {
	answer, _ := errors.AsType[*textproto.Error](err)
	if answer == nil {
		return ""
	}
	parts := enhancedCode.FindStringSubmatch(answer.Msg)
	if parts == nil {
		return ""
	}
	return parts[1] + "." + parts[2]
}

// forMail returns the error of a command about one mail.
func forMail(doing string, err error) *Error {
	e := &Error{Scope: scopeOf(err), Doing: doing, Answer: answerOf(err)}
	if e.Scope == Connection {
		return e
	}
	reason := reasonOf(err)
	e.Address = e.Scope == Never && slices.Contains(aboutAddress, reason)
	if slices.Contains(aboutSender, reason) {
		e.Scope, e.MaybeMail, e.Remedy = AllMails, true, "check --mail-from: it must be an address from which the "+
			"user of --smtp-url may send, and how many mails it may send"
	}
	return e
}

// forAddress is forMail for an address that was not taken. Most servers say only then that they do not pass on mail
// for this client.
func forAddress(err error) *Error {
	const doing = "the mail server did not take the address"
	switch c := code(err); {
	case c == 530 || c == 535 || c == 538: // RFC 4954, section 6
		e := wantsSignIn(err)
		e.MaybeMail = true
		return e
	case c >= 500 && strings.HasPrefix(reasonOf(err), "7."):
		return &Error{Scope: AllMails, MaybeMail: true, Doing: doing, Answer: answerOf(err),
			Remedy: "it may not pass on mail for this machine: check the user of --smtp-url, and --mail-from"}
	}
	return forMail(doing, err)
}

func wantsSignIn(err error) *Error {
	return &Error{Scope: AllMails, Doing: "the mail server wants us to sign in", Answer: answerOf(err),
		Remedy: "name the user in --smtp-url, and its password with --smtp-password-file"}
}

// uncertain returns the error of a mail that the server may have taken.
func uncertain(doing string, err error) *Error {
	return &Error{Scope: Connection, Doing: doing, Answer: answerOf(err), Uncertain: true}
}

// The parts of a server's answer that are left out: addresses, the ends of our links, and what else may be a secret.
var (
	mailbox = regexp.MustCompile(`[^\s<>"'(),;:]+@[^\s<>"'(),;:]+|"[^"]*"@[^\s<>"'(),;:]+`)
	token   = regexp.MustCompile(`[A-Za-z0-9+/=_-]{32,}`)
)

// longestAnswer is in bytes. Servers explain themselves in a line or two.
const longestAnswer = 300

// redact makes a text from the server safe for the outbox, a terminal and a log.
func redact(text string) string {
	text = inputtext.Line(text[:min(len(text), 8*longestAnswer)])
	text = mailbox.ReplaceAllString(text, "[address]")
	return inputtext.ShortLine(token.ReplaceAllString(text, "[redacted]"), longestAnswer)
}

// answerOf returns what the server said or what went wrong, redacted.
func answerOf(err error) string {
	if answer, ok := errors.AsType[*textproto.Error](err); ok {
		return strings.TrimSpace(fmt.Sprintf("%03d %s", answer.Code, redact(answer.Msg)))
	}
	return redact(err.Error())
}
