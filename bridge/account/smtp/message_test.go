package smtp_test

import (
	"io"
	"mime"
	"mime/multipart"
	"mime/quotedprintable"
	"net/mail"
	"regexp"
	"strings"
	"testing"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account/smtp"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account/smtp/smtptest"
)

// received sends a message, and reads what the server got.
func received(t *testing.T, m smtp.Message, offers ...string) (
	got smtptest.Mail, header mail.Header, text, html string,
) {
	t.Helper()
	fake := smtptest.New(t, nil, offers...)
	session, err := serverAt(t, "smtp://localhost", fake).Connect(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer session.Close()
	if err := session.Send(m); err != nil {
		t.Fatal(err)
	}
	got = fake.Mails()[0]
	read, err := mail.ReadMessage(strings.NewReader(got.Data))
	if err != nil {
		t.Fatalf("%v\n%s", err, got.Data)
	}
	kind, parameters, err := mime.ParseMediaType(read.Header.Get("Content-Type"))
	if err != nil || kind != "multipart/alternative" {
		t.Fatalf("it is %s, %v\n%s", kind, err, got.Data)
	}
	parts := multipart.NewReader(read.Body, parameters["boundary"])
	for _, want := range []string{"text/plain; charset=UTF-8", "text/html; charset=UTF-8"} {
		part, err := parts.NextRawPart()
		if err != nil || part.Header.Get("Content-Type") != want ||
			part.Header.Get("Content-Transfer-Encoding") != "quoted-printable" {
			t.Fatalf("the part is %v, %v; want %s", part, err, want)
		}
		body, err := io.ReadAll(quotedprintable.NewReader(part))
		if err != nil {
			t.Fatal(err)
		}
		if text == "" {
			text = strings.ReplaceAll(string(body), "\r\n", "\n")
		} else {
			html = string(body)
		}
	}
	if _, err := parts.NextPart(); err != io.EOF {
		t.Errorf("there is another part: %v", err)
	}
	return got, read.Header, text, html
}

func TestAMessage(t *testing.T) {
	t.Parallel()
	m := message()
	_, header, text, html := received(t, m)
	for name, want := range map[string]string{
		"From": `"Acme" <it@example.com>`, "To": "<ann@example.com>", "Subject": "Join",
		"Message-Id": "<mail1@example.com>", "Auto-Submitted": "auto-generated", "Mime-Version": "1.0",
		"Date": "Sat, 31 Jan 2026 12:00:00 +0000",
	} {
		if got := header.Get(name); got != want {
			t.Errorf("%s is %q, want %q", name, got, want)
		}
	}
	if strings.TrimSpace(text) != strings.TrimSpace(m.Text) {
		t.Errorf("the text is %q", text)
	}
	for _, want := range []string{"<p>Hello,</p>", "<p>open:</p>", `href="https://a.example/join/x"`,
		">https://a.example/join/x</p>"} {
		if !strings.Contains(html, want) {
			t.Errorf("the HTML lacks %q:\n%s", want, html)
		}
	}
	// Nothing is loaded, and there is no other link.
	if found := regexp.MustCompile(`(?i)src=|url\(|<img|<link|<script|@import`).FindString(html); found != "" {
		t.Errorf("the HTML loads something: %s", found)
	}
	if n := strings.Count(html, "href="); n != 1 {
		t.Errorf("the HTML has %d links:\n%s", n, html)
	}
}

// Names are of people that an administrator of the identity provider, or nobody, has looked at.
func TestWhatIsInAMessageIsText(t *testing.T) {
	t.Parallel()
	for _, row := range []struct{ name, part string }{
		{"an element", `<script>alert(1)</script>`},
		{"an attribute", `" onmouseover="alert(1)`},
		{"a link", `<a href="https://evil.example">here</a>`},
		{"a header", "x\r\nBcc: eve@example.com"},
		{"the end of a mail", "x\r\n.\r\nMAIL FROM:<eve@example.com>"},
		{"a turned text", "ann\u202emoc.elpmaxe"},
		{"a sequence for terminals", "\x1b[2J\a"},
		{"a null byte", "a\x00b"},
		{"no UTF-8", "a\xffb"},
		{"a boundary", "--boundary\r\nContent-Type: text/html\r\n\r\n<b>"},
		{"an encoded word", "=?utf-8?q?=0D=0ABcc:_eve@example.com?="},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			m := message()
			m.Subject, m.Text = "Join "+row.part, "Hello "+row.part+",\n\nopen:\n\n"+m.Link+"\n"
			got, header, text, html := received(t, m)
			if len(header) != 8 || header.Get("Bcc") != "" {
				t.Errorf("the header is %v", header)
			}
			if strings.Count(html, "<a ") != 1 || strings.Contains(html, "<script") || strings.Contains(html, "<b>") ||
				strings.Contains(html, `onmouseover="`) {
				t.Errorf("the HTML is %s", html)
			}
			subject, err := new(mime.WordDecoder).DecodeHeader(header.Get("Subject"))
			if err != nil {
				t.Fatal(err)
			}
			for what, shown := range map[string]string{"subject": subject, "text": text, "HTML": html} {
				if strings.ContainsAny(strings.ReplaceAll(shown, "\n", ""), "\x00\x1b\a\u202e\r") &&
					(what != "HTML" || strings.ContainsAny(shown, "\x00\x1b\a\u202e")) {
					t.Errorf("the %s is %q", what, shown)
				}
			}
			if strings.Contains(subject, "\n") {
				t.Errorf("the subject is %q", subject)
			}
			if strings.Contains(got.Data, "\r\n.\r\n") {
				t.Errorf("the mail ends early:\n%s", got.Data)
			}
		})
	}
}

func TestAddressesWithOtherLetters(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		name, to, want string
		offers         []string
		refused        bool
	}{
		{name: "in the domain are written as DNS has them", to: "ann@müller.example",
			want: "TO:<ann@xn--mller-kva.example>"},
		{name: "before the @ need a server that takes them", to: "jörg@example.com", refused: true},
		{name: "and are sent to one", to: "jörg@müller.example", offers: []string{"8BITMIME", "SMTPUTF8"},
			want: "TO:<jörg@xn--mller-kva.example>"},
		{name: "what has a meaning in SMTP is quoted", to: `ann> ORCPT=x@example.com`,
			want: `TO:<"ann> ORCPT=x"@example.com>`},
		{name: "a domain that is none is never sent to", to: "ann@-müller-.example", refused: true},
		{name: "nor is a line break", to: "ann@example.com>\r\nRCPT TO:<eve@example.com", refused: true},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			m := message()
			m.To = row.to
			if !row.refused {
				if got, _, _, _ := received(t, m, row.offers...); got.To != row.want {
					t.Errorf("it went to %s, want %s", got.To, row.want)
				}
				return
			}
			fake := smtptest.New(t, nil, row.offers...)
			session, err := serverAt(t, "smtp://localhost", fake).Connect(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			defer session.Close()
			wantError(t, session.Send(m), smtp.Never)
			if got := fake.Mails(); len(got) != 0 {
				t.Errorf("the server got %+v", got)
			}
		})
	}
}
