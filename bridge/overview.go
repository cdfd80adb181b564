package bridge

import (
	"context"
	"strconv"
	"strings"
	"time"
)

// A WaitingQuery asks for some of the people who wait for something.
type WaitingQuery struct {
	Kind   AttentionKind // empty for all
	Search string        // a part of the userName or the address; empty for all
	Cursor string
	Limit  int
}

// A WaitingPage is some of them, in the order of Attention.
type WaitingPage struct {
	Items []Attention
	Next  string // the cursor of the next page; empty on the last
	// Counts is how many the search finds, by kind, whatever kind was asked for.
	Counts map[AttentionKind]int64
	AsOf   time.Time
}

// An Instance is a bridge of the account, as the account knows it.
type Instance struct {
	ID, Version, Revision string
	Address               string // as the account last saw it, allowed or not
	FirstSeen             time.Time
	LastContact           time.Time
	// State is the one that it reported: a state of package health; or refused, stopped or lost.
	State    string
	Problems []string // codes
	// Live reports whether it has a session and has used it lately.
	Live bool
	// Refused is why the account last refused it, and RefusedAt when; empty if it never did.
	Refused   string
	RefusedAt time.Time
}

// A SignInAttempt is one or several equal attempts to sign in to the account within an hour.
type SignInAttempt struct {
	First, Last                              time.Time
	Count                                    int
	Address, Email, Instance, Result, RuleID string
}

// A SignInPage is some of the attempts, newest first.
type SignInPage struct {
	Items []SignInAttempt
	Next  string // the cursor of the next page; empty on the last
}

// An Overview is the part of the account that only the status page shows. Its errors are as
// a Directory's. The code is NotFound for what the account does not have.
type Overview interface {
	Waiting(ctx context.Context, q WaitingQuery) (WaitingPage, error)
	// Instances lists the bridges of the account, newest contact first.
	Instances(ctx context.Context, limit int) ([]Instance, error)
	SignInAttempts(ctx context.Context, cursor string, limit int) (SignInPage, error)
}

// SearchWaiting answers a query from a list of all who wait, as of a time. The cursor is
// how many were found on the pages before.
func SearchWaiting(people []Attention, q WaitingQuery, asOf time.Time) WaitingPage {
	p := WaitingPage{Counts: map[AttentionKind]int64{}, AsOf: asOf}
	before, _ := strconv.Atoi(q.Cursor) // one that is none begins anew
	search, found := strings.ToLower(q.Search), 0
	for _, a := range people {
		if !strings.Contains(strings.ToLower(a.UserName), search) &&
			!strings.Contains(strings.ToLower(a.Address), search) {
			continue
		}
		p.Counts[a.Kind]++
		if q.Kind != "" && q.Kind != a.Kind {
			continue
		}
		switch found++; {
		case found <= before:
		case len(p.Items) < q.Limit:
			p.Items = append(p.Items, a)
		default: // and the rest is counted
			p.Next = strconv.Itoa(before + q.Limit)
		}
	}
	return p
}
