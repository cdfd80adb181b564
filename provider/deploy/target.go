package deploy

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge/session"
)

// A Kind is a kind of target for deployments.
type Kind struct {
	// Name is the argument of the Terraform resource that describes such a target.
	// Followed by a colon it is the prefix of the deployments' ids.
	Name string
	// Place shows the form of an id after the prefix, for messages:
	// "/absolute/data_dir".
	Place string
	// PlaceArgument is the argument with the place: "data_dir".
	PlaceArgument string
	// Supported returns why this machine cannot deploy to this kind of target; nil if it
	// can.
	Supported func() error
	// Open returns the target at a place, the part of an id after the prefix. It does not
	// check whether a bridge is deployed there. Trace is the last State.Trace; it may be
	// empty.
	Open func(place, trace string) (Target, error)
	// FromConfig returns the target that the resource's argument describes.
	// decode stores the argument in a struct whose fields have tfsdk tags.
	FromConfig func(decode func(into any) error, trace string) (Target, error)
	// Elsewhere returns an ErrElsewhere if the deployment at a place can be managed only
	// from another machine. Origin is the last State.Origin. The function is nil for a
	// kind that is reached over the network.
	Elsewhere func(place string, origin []byte) error
	// FindLost is the remedy for a bridge whose record is lost.
	FindLost string
	// Instance returns the instance id of a trace's bridge; empty if it is not known.
	Instance func(trace string) string
	// SealedAlone says why bridges of this kind start without Terraform, and are sealed
	// then unless the token is stored; empty if they do not.
	SealedAlone string
	// Every is Wait.Every for this kind.
	Every time.Duration
}

// Prefix returns the prefix of the ids of this kind's deployments.
func (k Kind) Prefix() string { return k.Name + ":" }

// A Target is one place where one bridge is deployed. Its methods may be
// called in any order and by several processes at once.
type Target interface {
	// ID returns the deployment's id: the kind's prefix and the place.
	ID() string
	// Place returns the id in a canonical form.
	Place() string
	// URL returns the bridge's future URL, regardless of Settings.PublicURL; empty if it
	// is known only after the start.
	URL() string
	// Conflict returns an *ArgumentError if this deployment and another of the same kind
	// cannot both exist. Their names are for the message.
	Conflict(name string, other Target, otherName string) error

	// Source returns the configured program; empty for the provider's own.
	Source() string
	// Program returns the program to deploy. It only reads, and fails if there is none. It
	// returns ErrUndetermined if only Fetch can find out.
	Program(ctx context.Context) (Program, error)
	// Fetch returns Program, after it has brought it to the target if that is necessary.
	Fetch(ctx context.Context) (Program, error)
	// Gap returns why an Update of the deployment of before, a target of the same kind at the
	// same place, has a gap in which no bridge serves; empty if no request is lost. It does
	// not ask the target.
	Gap(before Target) string
	// Build returns the target's input of the revision: the program's digest, and what
	// else this target adds to a Spec.
	Build(digest string) string
	// Keep makes Update deploy the program with that digest again instead of Source.
	Keep(digest string)

	// Observe returns the state, or ErrAbsent if nothing is deployed. It only reads.
	Observe(ctx context.Context) (State, error)
	// Create deploys a new bridge. It returns an *ExistsError if one is deployed already.
	// Whatever it creates is visible to Observe, even if Create fails.
	Create(ctx context.Context, spec Spec, revision string, token session.Token) error
	// Update applies spec and undoes State.Drift. It replaces a running bridge only if the
	// revision differs, without losing a request unless Gap says otherwise; it starts a
	// stopped one and unseals a sealed one. A running bridge gets a new monitoring token. If the
	// new bridge cannot run, the old one continues and the error has the reason.
	//
	// A zero token unseals nothing; a stored one is kept.
	Update(ctx context.Context, spec Spec, revision string, token session.Token) error
	// Redeploy replaces the running bridge with a new one of the same deployment and
	// revision, as Update does. If the new bridge cannot run, the old one
	// continues and the error has the reason.
	//
	// The token unseals the new bridge. It may be zero if it is stored.
	Redeploy(ctx context.Context, token session.Token) error
	// Destroy stops the bridge and removes what the methods above created, and nothing
	// else. It returns nil for an absent deployment.
	Destroy(ctx context.Context) error
}

// A Program is a build of the bridge.
type Program struct {
	// Configured is Target.Source; empty for the provider's own.
	Configured string `json:"configured,omitempty"`
	Digest     string `json:"digest"` // SHA-256, in hex, or the name of an image that another machine pulls
	// Version is the version that the program reports; may be empty.
	Version string `json:"version"`
}

// ErrAbsent is the error for a target at which nothing is deployed.
var ErrAbsent = errors.New("no bridge is deployed there")

// ErrElsewhere is the error for a deployment that can be managed only from another machine.
var ErrElsewhere = errors.New("the deployment belongs to another machine")

// ErrUndetermined is the error for a program that is known only during the apply.
var ErrUndetermined = errors.New("known only during the apply")

// An AwayError is the error for a target that cannot be asked, so that nothing is known of
// its deployments.
type AwayError struct {
	API string // which one, for messages
	Err error
}

func (e *AwayError) Error() string { return e.Err.Error() }

func (e *AwayError) Unwrap() error { return e.Err }

// An ArgumentError is an error in an argument of the target.
type ArgumentError struct {
	Argument string
	Title    string // of the diagnostic
	Err      error
}

func (e *ArgumentError) Error() string { return e.Err.Error() }

func (e *ArgumentError) Unwrap() error { return e.Err }

// An ExistsError is the error for a target at which a bridge is deployed already.
type ExistsError struct {
	Name string // of the existing deployment
}

func (e *ExistsError) Error() string {
	return fmt.Sprintf("the deployment %q exists already", e.Name)
}
