package page

import (
	"fmt"
	"html/template"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge/internal/inputtext"
)

// functions are those of all templates; a section adds its own by methods of its data.
var functions = template.FuncMap{
	"stamp":      stamp,
	"when":       when,
	"lasting":    lasting,
	"line":       inputtext.Line,
	"prose":      prose,
	"capitalise": capitalise,
	"number":     number,
	"state":      stateWord,
}

const stampForm = "2006-01-02 15:04:05 UTC"

func stamp(t time.Time) string { return t.UTC().Format(stampForm) }

// when says how long ago a time is, or how far off, with the exact one on hover.
func when(now, t time.Time) template.HTML {
	if t.IsZero() {
		return "never"
	}
	ago := now.Sub(t)
	switch {
	case ago.Abs() < recent:
		return timeElement(t, "just now")
	case ago.Abs() >= longAgo:
		return timeElement(t, t.UTC().Format(time.DateOnly))
	case ago < 0:
		return timeElement(t, "in "+length(-ago))
	}
	return timeElement(t, length(ago)+" ago")
}

// lasting says for how long something has been so.
func lasting(now, since time.Time) template.HTML {
	ago := now.Sub(since)
	switch {
	case since.IsZero():
		return ""
	case ago >= longAgo:
		return "since " + timeElement(since, since.UTC().Format(time.DateOnly))
	}
	return "for " + timeElement(since, length(max(ago, time.Second)))
}

const (
	// recent is within what a page takes to be opened and looked at.
	recent = 10 * time.Second
	// longAgo is when a date says more than a number of days.
	longAgo = 31 * 24 * time.Hour
)

func timeElement(t time.Time, text string) template.HTML {
	return template.HTML(fmt.Sprintf( //nolint:gosec // only numbers and words
		`<time datetime="%s" title="%s">%s</time>`, t.UTC().Format(time.RFC3339), stamp(t), text))
}

// length is a duration in words.
func length(d time.Duration) string {
	switch {
	case d < time.Minute:
		return plural(int64(d/time.Second), "second")
	case d < time.Hour:
		return plural(int64(d/time.Minute), "minute")
	case d < 48*time.Hour:
		return plural(int64(d/time.Hour), "hour")
	}
	return plural(int64(d/(24*time.Hour)), "day")
}

func plural(n int64, unit string) string {
	if n == 1 {
		return "1 " + unit
	}
	return number(n) + " " + unit + "s"
}

// number writes thousands apart: 12,345.
func number(n int64) string {
	digits := strconv.FormatInt(n, 10)
	for i := len(digits) - 3; i > 0 && digits[i-1] != '-'; i -= 3 {
		digits = digits[:i] + "," + digits[i:]
	}
	return digits
}

// capitalise makes a clause a sentence.
func capitalise(text string) string {
	if text == "" {
		return ""
	}
	_, first := utf8.DecodeRuneInString(text)
	return strings.ToUpper(text[:first]) + text[first:]
}

// prose renders text between backquotes as code.
func prose(text string) template.HTML {
	var b strings.Builder
	for i, part := range strings.Split(inputtext.Line(text), "`") {
		part = template.HTMLEscapeString(part)
		if i%2 == 1 {
			part = "<code>" + part + "</code>"
		}
		b.WriteString(part)
	}
	return template.HTML(b.String())
}
