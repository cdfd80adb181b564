package account

import (
	"context"
	"crypto/rand"
	"encoding/base32"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account/firewall"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account/ipdata"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account/store"
)

// An Account is one business account in one database. It is safe for
// concurrent use; set the fields before the first call.
type Account struct {
	ID   string
	Name string
	// CreatedAt is when the account was created.
	CreatedAt time.Time
	Store     *store.Store
	// PublicURL is where people reach the account's pages, for the links in
	// mail; without a slash at the end.
	PublicURL string
	// MailQueued is called after a mail was committed to the outbox. It must not block. It may be nil.
	MailQueued func()
	// IPData has the facts about addresses that firewall rules need, such as
	// countries. It may be nil.
	IPData *ipdata.Databases
	// AuditKept is how long audit events are kept; 0 is for ever.
	AuditKept time.Duration
	Now       func() time.Time
	// Uptime is for how long the process has run, whatever became of the machine's clock meanwhile.
	Uptime func() time.Duration
	Random io.Reader

	policies firewall.Cache
	signIns  signInLimiter
	admins   adminsSeen

	refusedTokens  refusedTokens
	refusedChanges refusedChanges
	auditClock     auditClock
	auditWatch     auditWatch
}

// uptime returns a function that measures by the monotonic clock how long ago it was made.
func uptime() func() time.Duration {
	start := time.Now()
	return func() time.Duration { return time.Since(start) }
}

// ErrNone is the error of Load for a database without an account.
var ErrNone = errors.New("there is no account in the database; create it with scim-bridge account init")

// builtIn are the groups that every account has. Provisioning must not adopt or
// change them.
var builtIn = []string{"Owners", "Administrators", "Team Members"}

// Create creates the account in an empty database.
func Create(
	ctx context.Context, s *store.Store, name string, now func() time.Time, random io.Reader,
) (*Account, error) {
	a := &Account{Name: name, Store: s, Now: now, Uptime: uptime(), Random: random}
	a.ID = a.NewID()
	a.CreatedAt = a.Time()
	err := s.Write(ctx, func(ctx context.Context, tx *store.Tx) error {
		switch have, found, err := tx.Account(ctx); {
		case err != nil:
			return err
		case found:
			return AlreadyExists(have.ID, "the database already holds the account %q", have.Name)
		}
		if err := tx.InsertAccount(ctx, store.Account{ID: a.ID, Name: a.Name, CreatedAt: a.CreatedAt}); err != nil {
			return err
		}
		for _, name := range builtIn {
			g := store.Group{ID: a.NewID(), Name: name, BuiltIn: true, CreatedAt: a.CreatedAt, ModifiedAt: a.CreatedAt}
			if err := tx.InsertGroup(ctx, g); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("creating account %q: %w", name, err)
	}
	return a, nil
}

// Load returns the account in the database, or ErrNone. Its PublicURL is that of the service that was started last:
// commands beside it write mails, too.
func Load(ctx context.Context, s *store.Store) (*Account, error) {
	a := &Account{Store: s, Now: time.Now, Uptime: uptime(), Random: rand.Reader}
	err := s.Read(ctx, func(ctx context.Context, tx *store.Tx) error {
		row, found, err := tx.Account(ctx)
		if err == nil && !found {
			return ErrNone
		}
		if err != nil {
			return err
		}
		a.ID, a.Name, a.CreatedAt = row.ID, row.Name, row.CreatedAt
		server, err := tx.MailServer(ctx)
		a.PublicURL = server.PublicURL
		return err
	})
	if err != nil {
		return nil, err
	}
	return a, nil
}

// Time returns the current time in the precision of the database.
func (a *Account) Time() time.Time { return a.Now().UTC().Truncate(time.Microsecond) }

var idEncoding = base32.NewEncoding("abcdefghijklmnopqrstuvwxyz234567").WithPadding(base32.NoPadding)

// NewID returns a unique id of 128 random bits.
func (a *Account) NewID() string { return idEncoding.EncodeToString(a.random(16)) }

// random returns n random bytes. Like crypto/rand, it panics if the machine has no
// source of randomness.
func (a *Account) random(n int) []byte {
	b := make([]byte, n)
	if _, err := io.ReadFull(a.Random, b); err != nil {
		panic(fmt.Sprintf("account: no randomness: %v", err))
	}
	return b
}

// ETag returns the entity tag of a row's version.
func ETag(version int64) string { return `"` + strconv.FormatInt(version, 10) + `"` }

// ETagWith returns the entity tag of a document that has other data than the row,
// which rest represents, of letters and digits.
func ETagWith(version int64, rest string) string {
	return `"` + strconv.FormatInt(version, 10) + "." + rest + `"`
}

// CheckVersion compares an If-Match header, which may be empty, with a row's
// version. RFC 9110, section 13.1.1: `*` is any version, otherwise a list of
// strong tags. Only the version in a tag is compared.
func CheckVersion(ifMatch string, version int64) error {
	have := ETag(version)
	if ifMatch == "" || ifMatch == "*" || slices.ContainsFunc(strings.Split(ifMatch, ","), func(tag string) bool {
		tag, _, more := strings.Cut(strings.TrimSpace(tag), ".")
		if more {
			tag += `"`
		}
		return tag == have
	}) {
		return nil
	}
	return VersionMismatch(have)
}

// A Caller is the token, bridge, person or command that a request comes from.
type Caller struct {
	Kind CallerKind
	// ID is a token's id, a bridge's instance or a member's id; empty for the machine.
	ID string
	// SessionID is set for a bridge.
	SessionID string
	// Scope is what a token may do; empty for the others.
	Scope string
	// Address is where the request came from; invalid for the machine.
	Address netip.Addr
	// RequestID is the id under which the caller's log knows the request; empty for the machine.
	RequestID string
}

// CallerKind is one of the kinds of callers.
type CallerKind string

// The kinds of callers.
const (
	ByToken   CallerKind = "token"
	ByBridge  CallerKind = "bridge"
	ByPerson  CallerKind = "person"
	ByMachine CallerKind = "machine" // a command on the database's machine
)

// String returns the caller's name in audit events.
func (c Caller) String() string {
	if c.ID == "" {
		return string(c.Kind)
	}
	return string(c.Kind) + ":" + c.ID
}

type callerKey struct{}

// WithCaller returns a context whose requests come from c.
func WithCaller(ctx context.Context, c Caller) context.Context {
	return context.WithValue(ctx, callerKey{}, c)
}

// CallerFrom returns the caller in the context; without one it is the machine.
func CallerFrom(ctx context.Context) Caller {
	if c, ok := ctx.Value(callerKey{}).(Caller); ok {
		return c
	}
	return Caller{Kind: ByMachine}
}
