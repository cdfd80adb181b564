package smtp

import (
	"fmt"
	"html/template"
	"net/mail"
	"strings"
	"time"

	gomail "github.com/wneessen/go-mail"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge/internal/inputtext"
)

// A Message is a mail to one person.
type Message struct {
	// ID makes the Message-ID: a mail that is sent again keeps it, so that a receiver can tell.
	ID      string
	To      string
	Subject string
	// Text has paragraphs with an empty line between them; one may be the Link alone.
	Text string
	Link string
	Date time.Time
}

// toMIME returns the message as text and HTML, from the same paragraphs.
func (m Message) toMIME(from mail.Address) (*gomail.Msg, error) {
	to, err := toASCIIDomain(m.To)
	if err != nil {
		return nil, fmt.Errorf("the domain of the address is not a host name: %w", err)
	}
	if strings.ContainsFunc(to+m.ID, isControl) {
		return nil, fmt.Errorf("the address has a control character")
	}
	html, err := m.toHTML()
	if err != nil {
		return nil, err
	}
	out := gomail.NewMsg(gomail.WithNoDefaultUserAgent())
	out.FromMailAddress(&from)
	out.ToMailAddress(&mail.Address{Address: to})
	// What looks like an encoded word (RFC 2047) would be decoded by the receiver.
	out.Subject(strings.ReplaceAll(inputtext.Line(m.Subject), "=?", "= ?"))
	out.SetDateWithValue(m.Date)
	out.SetMessageIDWithValue(m.ID + from.Address[strings.LastIndexByte(from.Address, '@'):])
	// So that nothing answers by itself (RFC 3834, section 5).
	out.SetGenHeader("Auto-Submitted", "auto-generated")
	out.SetBodyString(gomail.TypeTextPlain, inputtext.Lines(m.Text))
	out.AddAlternativeString(gomail.TypeTextHTML, html)
	return out, nil
}

// A paragraph is a piece of a message's text.
type paragraph struct {
	Text string
	Link template.URL // instead of a text
}

// page is a message in HTML. It loads nothing, and its colours are readable in light and dark programs.
var page = template.Must(template.New("").Parse(`<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><meta name="color-scheme" content="light dark">` +
	`<title>{{.Subject}}</title></head>
<body style="margin:0;padding:24px;font-family:sans-serif;font-size:16px;line-height:1.5">
<div style="max-width:36em;margin:0 auto">
{{range .Paragraphs}}{{if .Link}}<p style="margin:24px 0"><a href="{{.Link}}" style="display:inline-block;` +
	`padding:10px 20px;border-radius:6px;background:#1a56b0;color:#ffffff;text-decoration:none">Open the link</a></p>
<p style="font-size:13px;word-break:break-all">{{.Link}}</p>
{{else}}<p>{{.Text}}</p>
{{end}}{{end}}</div>
</body></html>
`))

func (m Message) toHTML() (string, error) {
	var paragraphs []paragraph
	for text := range strings.SplitSeq(strings.TrimSpace(inputtext.Lines(m.Text)), "\n\n") {
		if m.Link != "" && text == m.Link {
			paragraphs = append(paragraphs, paragraph{Link: template.URL(m.Link)}) //nolint:gosec // we made it
			continue
		}
		paragraphs = append(paragraphs, paragraph{Text: text})
	}
	var out strings.Builder
	err := page.Execute(&out, map[string]any{"Subject": inputtext.Line(m.Subject), "Paragraphs": paragraphs})
	return out.String(), err
}
