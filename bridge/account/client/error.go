package client

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account/api"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/internal/inputtext"
)

// An Error is an answer that says no.
type Error struct {
	Status int
	// Problem is what the account said; without a Code if no account answered.
	Problem api.Problem
	// RetryAfter is how long the account, or a proxy in front of it, asks to be
	// left alone; 0 if it does not say.
	RetryAfter time.Duration
	// Foreign says what answered in the account's place; empty if it was an account.
	Foreign string
}

func (e *Error) Error() string {
	if e.Foreign != "" {
		return "something else than the account answered " + e.Foreign
	}
	text := e.Problem.Title
	if e.Problem.Detail != nil && *e.Problem.Detail != "" {
		text = *e.Problem.Detail
	}
	if text == "" {
		text = http.StatusText(e.Status)
	}
	text = fmt.Sprintf("the account answered %d %s: %s", e.Status, e.Problem.Code, text)
	if e.Problem.RequestId != nil && *e.Problem.RequestId != "" {
		text += fmt.Sprintf(" (request id %s)", *e.Problem.RequestId)
	}
	return text
}

// Details are the facts of the refusal; never nil.
func (e *Error) Details() api.ProblemDetails {
	if e.Problem.Details == nil {
		return api.ProblemDetails{}
	}
	return *e.Problem.Details
}

// Lost reports whether the account's own answer did not arrive: a proxy in
// front of it gave up waiting, or lost the connection, and does not know what
// the account has done meanwhile.
func (e *Error) Lost() bool {
	return e.Foreign != "" && (e.Status == http.StatusBadGateway || e.Status == http.StatusGatewayTimeout ||
		e.Status < 300)
}

// Code is the account's code for a refusal; empty if err is none.
func Code(err error) api.ErrorCode {
	if e, ok := errors.AsType[*Error](err); ok {
		return e.Problem.Code
	}
	return ""
}

// maxProblem bounds what is read of a problem document.
const maxProblem = 1 << 20

// errorOf reads an answer that is no success.
func errorOf(resp *http.Response) error {
	e := &Error{Status: resp.StatusCode}
	if mediaType(resp) != "application/problem+json" ||
		json.NewDecoder(io.LimitReader(resp.Body, maxProblem)).Decode(&e.Problem) != nil ||
		!isCode(string(e.Problem.Code)) {
		e = foreign(resp)
	}
	cleanProblem(&e.Problem)
	e.RetryAfter = RetryAfter(resp)
	return e
}

// isCode reports whether a text has the shape of an error's code. Others write
// problem documents too, without one, or with whatever they like there.
func isCode(text string) bool {
	return text != "" && len(text) <= 64 && strings.Trim(text, "abcdefghijklmnopqrstuvwxyz0123456789_") == ""
}

// The bounds of what is kept of a problem document, in bytes, and of its lists.
const (
	maxDetail      = 1000
	maxDescription = 2000 // of a rule, which may have 500 characters
	maxPath        = 5000 // of a database
	maxFact        = 300
	maxListed      = 100
)

// cleanProblem bounds the texts of a problem document, which log, status page
// and identity provider get to see: it may come from whatever stands in front
// of the account.
func cleanProblem(p *api.Problem) {
	cleanText(&p.Type, maxFact)
	cleanText(&p.Title, maxFact)
	cleanText(p.Detail, maxDetail)
	cleanText(p.RequestId, maxFact)
	if p.Details != nil {
		cleanDetails(p.Details)
	}
}

func cleanDetails(d *api.ProblemDetails) {
	for _, text := range []*string{
		d.Address, d.Continent, d.Country, d.ExistingId, d.Field, d.Instance, d.Name, d.RuleId, d.Who,
	} {
		cleanText(text, maxFact)
	}
	cleanText(d.Database, maxPath)
	cleanList(d.AnonymousIps)
	cleanList(d.Ids)
	cleanList(d.Missing)
	if r := d.Rule; r != nil {
		cleanText(&r.Description, maxDescription)
		cleanText(&r.Kind, maxFact)
		if r.Values != nil && len(*r.Values) > maxListed {
			r.Values = nil // a part of them would be another rule
		}
		cleanList(r.Values)
	}
}

func cleanText[T ~string](text *T, limit int) {
	if text != nil {
		*text = T(inputtext.ShortLine(string(*text), limit))
	}
}

func cleanList[T ~string](list *[]T) {
	if list == nil {
		return
	}
	*list = (*list)[:min(len(*list), maxListed)]
	for i := range *list {
		cleanText(&(*list)[i], maxFact)
	}
}

// foreign is an answer of a proxy on the way, or of something else than an
// account, and says what it knows of that.
func foreign(resp *http.Response) *Error {
	what := strings.TrimSpace(fmt.Sprintf("%d %s", resp.StatusCode, http.StatusText(resp.StatusCode)))
	for _, header := range []struct{ name, label string }{
		{"Content-Type", "of the type"}, {"Server", "from"}, {"Location", "to"},
	} {
		if v := resp.Header.Get(header.name); v != "" {
			what += fmt.Sprintf(" %s %.100q", header.label, v)
		}
	}
	return &Error{
		Status: resp.StatusCode, Foreign: what, RetryAfter: RetryAfter(resp),
		Problem: api.Problem{Title: http.StatusText(resp.StatusCode), Status: resp.StatusCode},
	}
}

// RetryAfter reads the header in either form of RFC 9110, section 10.2.3.
func RetryAfter(resp *http.Response) time.Duration {
	value := resp.Header.Get("Retry-After")
	if seconds, err := strconv.Atoi(value); err == nil && seconds > 0 {
		return time.Duration(min(seconds, maxRetryAfter)) * time.Second
	}
	if at, err := http.ParseTime(value); err == nil {
		return max(time.Until(at), 0)
	}
	return 0
}

// maxRetryAfter, in seconds, is longer than any caller waits, and overflows nothing.
const maxRetryAfter = 1 << 30
