//go:build browser

package browser

import (
	"fmt"
	"slices"
	"sync"

	"github.com/chromedp/cdproto/audits"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/runtime"
)

// faults collects what the browser complains about: errors and warnings of the console, exceptions, what the page's
// policy has blocked, and what was not loaded.
type faults struct {
	mu        sync.Mutex
	all       []string
	documents map[network.RequestID]bool // requests for the page itself, whose status the test looks at
}

// take returns what was collected since the last call.
func (f *faults) take() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	all := f.all
	f.all = nil
	return all
}

// listen is called for each event, in their order.
func (f *faults) listen(event any) {
	f.mu.Lock()
	defer f.mu.Unlock()
	switch e := event.(type) {
	case *network.EventRequestWillBeSent:
		if isDocument(e) {
			if f.documents == nil {
				f.documents = map[network.RequestID]bool{}
			}
			f.documents[e.RequestID] = true
		}
	case *network.EventResponseReceived:
		if e.Response.Status >= 400 && !f.documents[e.RequestID] {
			f.note("%s was answered with %d", e.Response.URL, e.Response.Status)
		}
	case *network.EventLoadingFailed:
		if !e.Canceled && !f.documents[e.RequestID] {
			f.note("%s was not loaded: %s %s", e.Type, e.ErrorText, e.BlockedReason)
		}
	case *log.EventEntryAdded:
		if (e.Entry.Level == log.EntryLevelError || e.Entry.Level == log.EntryLevelWarning) &&
			!f.documents[e.Entry.NetworkRequestID] {
			f.note("%s %s: %s (%s)", e.Entry.Source, e.Entry.Level, e.Entry.Text, e.Entry.URL)
		}
	case *runtime.EventExceptionThrown:
		f.note("exception: %s", e.ExceptionDetails.Text)
	case *runtime.EventConsoleAPICalled:
		if slices.Contains([]runtime.ConsoleAPICalledType{"error", "warning", "assert"}, e.Type) {
			f.note("console.%s was called", e.Type)
		}
	case *audits.EventIssueAdded:
		f.issue(e.Issue)
	}
}

// issue notes what the browser's panel of issues would show.
func (f *faults) issue(i *audits.InspectorIssue) {
	if policy := i.Details.ContentSecurityPolicyIssueDetails; policy != nil {
		f.note("the policy's %s blocks %q", policy.ViolatedDirective, policy.BlockedURL)
		return
	}
	f.note("issue: %s", i.Code)
}

// note is add while the lock is held.
func (f *faults) note(format string, values ...any) {
	f.all = append(f.all, fmt.Sprintf(format, values...))
}

func (f *faults) add(format string, values ...any) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.note(format, values...)
}
