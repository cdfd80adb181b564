package front

import (
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge/connector/scim"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/health"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/internal/inputtext"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/problem"
)

// Report returns how the way to the server is.
func (c *Connector) Report() health.Report {
	s := c.State()
	now := c.cfg.Now()
	r := health.Report{Source: "directory", Time: s.Server.Asked, Problems: problems(s, now)}
	if s.Phase == Waiting || r.Time.IsZero() {
		r.Time = now
	}
	// The server may take as long to answer as there is between two questions.
	r.Expires = r.Time.Add(2*c.cfg.Every + time.Minute)
	switch s.Phase {
	case Waiting:
		r.State = health.Sealed
	case SigningIn:
		r.State = health.Degraded
	case SignedIn:
		r.State = health.Healthy
		if len(r.Problems) > 0 {
			r.State = health.Degraded
		}
	default:
		r.State = health.Unhealthy
	}
	return r
}

// notKeptFor is how long it is a problem that attributes are not kept: a server that
// ignores some stays as it is, and what is always there is not looked at.
const notKeptFor = 24 * time.Hour

// maxNamed bounds the attributes and faults in a problem's text.
const maxNamed = 20

// problems returns why the server does not do what it is asked.
func problems(s State, now time.Time) (all []problem.Problem) {
	if t := s.Server.Trouble; t != nil && s.Phase != Waiting {
		if code := codeOf(t.Cause); code != "" {
			all = append(all, problem.New(code, t.Since,
				problem.Facts{problem.FactURL: s.URL, problem.FactReason: inputtext.ShortLine(t.Detail, 300)}))
		}
	}
	if lacks := s.Server.Lacks; len(lacks) > 0 {
		since, details := lacks[0].Since, []string{}
		for _, t := range lacks[:min(len(lacks), maxNamed)] {
			details = append(details, inputtext.ShortLine(t.Detail, 300))
			if t.Since.Before(since) {
				since = t.Since
			}
		}
		all = append(all, problem.New(problem.DirectoryCapabilityMissing, since,
			problem.Facts{problem.FactURL: s.URL, problem.FactReason: strings.Join(details, "; ")}))
	}
	notKept := slices.DeleteFunc(s.Server.NotKept, func(n scim.NotKept) bool { return now.Sub(n.Since) >= notKeptFor })
	if len(notKept) == 0 {
		return all
	}
	since, names := notKept[0].Since, []string{}
	for _, n := range notKept[:min(len(notKept), maxNamed)] {
		name := n.Attribute + " of a " + strings.ToLower(n.Resource)
		if n.Changed {
			name += " (comes back changed)"
		}
		names = append(names, inputtext.ShortLine(name, 300))
		if n.Since.Before(since) {
			since = n.Since
		}
	}
	if more := len(notKept) - len(names); more > 0 {
		names = append(names, strconv.Itoa(more)+" more")
	}
	return append(all, problem.New(problem.DirectoryAttributeNotKept, since,
		problem.Facts{problem.FactURL: s.URL, problem.FactAttributes: strings.Join(names, ", ")}))
}

// codeOf returns the problem of a cause; "" for one that Lacks have.
func codeOf(c scim.Cause) problem.Code {
	switch c {
	case scim.Unreachable:
		return problem.DirectoryUnreachable
	case scim.TokenRefused:
		return problem.DirectoryTokenRefused
	case scim.RateLimited:
		return problem.DirectoryRateLimited
	default:
		return ""
	}
}

// codes returns the problems' codes and causes, by which a change is noticed.
func codes(s State, now time.Time) (all []string) {
	for _, p := range problems(s, now) {
		all = append(all, string(p.Code), p.Cause)
	}
	return all
}
