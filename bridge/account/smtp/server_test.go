package smtp_test

import (
	"strings"
	"testing"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account/smtp"
)

func TestTheURLOfAMailServer(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		name, url               string
		address, user, password string
		tls                     bool
	}{
		{"the port of submission is the default", "smtp://mail.example.com", "mail.example.com:587", "", "", false},
		{"that of TLS from the start too", "smtps://mail.example.com/", "mail.example.com:465", "", "", true},
		{"another port", "smtp://it@mail.example.com:2525", "mail.example.com:2525", "it", "", false},
		{"what has a meaning in URLs is percent-encoded", "smtp://it%40example.com:p%3A%2F%25@mail.example.com",
			"mail.example.com:587", "it@example.com", "p:/%", false},
		{"an address", "smtp://[::1]:25", "[::1]:25", "", "", false},
		{"a name with other letters", "smtp://müller.example", "xn--mller-kva.example:587", "", "", false},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			s, err := smtp.ParseURL(row.url)
			if err != nil {
				t.Fatal(err)
			}
			if s.Address() != row.address || s.User != row.user || s.Password.Reveal() != row.password ||
				s.TLS != row.tls {
				t.Errorf("%s, user %q, password %q, TLS %t", s.Address(), s.User, s.Password.Reveal(), s.TLS)
			}
		})
	}
}

func TestAURLThatIsRefusedIsNotRepeated(t *testing.T) {
	t.Parallel()
	for _, row := range []struct{ name, url, want string }{
		{"no scheme", "mail.hush.example:587", "not a URL like smtp://"},
		{"a web page", "https://it:hush@mail.example.com", "not a URL like smtp://"},
		{"a password that was not encoded", "smtp://it:hush%zz@mail.example.com", "must be percent-encoded"},
		{"and one with a slash", "smtp://it:hush/hush@mail.example.com", "must be percent-encoded"},
		{"and one with a number sign", "smtp://it:hush#hush@mail.example.com", "must be percent-encoded"},
		{"no host", "smtp://it:hush@", "not a URL like smtp://"},
		{"a path", "smtp://mail.example.com/hush", "not a URL like smtp://"},
		{"options", "smtp://mail.example.com?hush=1", "not a URL like smtp://"},
		{"a port that is none", "smtp://mail.example.com:0", "the port is not a number"},
		{"a high port", "smtp://mail.example.com:65536", "the port is not a number"},
		{"a host that is none", "smtp://hush_hush..example.com", "the host is not the name"},
		{"an empty password", "smtp://it:@mail.example.com", "the password is empty"},
		{"a password and no user", "smtp://:hush@mail.example.com", "there is a password and no user"},
		{"a line break", "smtp://it:hush%0D%0A@mail.example.com", "control character"},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			_, err := smtp.ParseURL(row.url)
			if err == nil || !strings.Contains(err.Error(), row.want) {
				t.Fatalf("got %v, want %q", err, row.want)
			}
			if strings.Contains(err.Error(), "hush") {
				t.Errorf("it repeats the text: %v", err)
			}
		})
	}
}

func TestTheSenderOfMails(t *testing.T) {
	t.Parallel()
	for _, row := range []struct{ name, text, address, sender string }{
		{"an address", "it@example.com", "it@example.com", ""},
		{"a name", "Acme IT <it@example.com>", "it@example.com", "Acme IT"},
		{"a name with a comma", `"Acme, IT" <it@example.com>`, "it@example.com", "Acme, IT"},
		{"a domain with other letters", "it@müller.example", "it@xn--mller-kva.example", ""},
		{"no address", "Acme", "", ""},
		{"two addresses", "it@example.com, hr@example.com", "", ""},
		{"other letters before the @", "büro@example.com", "", ""},
		{"a header", "it@example.com\r\nBcc: eve@example.com", "", ""},
		{"a turned name", "\"\u202eAcme\" <it@example.com>", "", ""},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			a, err := smtp.ParseFrom(row.text)
			if (err != nil) != (row.address == "") || err == nil && (a.Address != row.address || a.Name != row.sender) {
				t.Errorf("got %+v, %v", a, err)
			}
		})
	}
}
