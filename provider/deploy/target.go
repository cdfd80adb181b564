package deploy

import (
	"context"
	"errors"
	"fmt"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge/session"
)

// A Kind is a kind of place where bridges can be deployed.
type Kind struct {
	// Name is the argument of the Terraform resource that describes such a
	// place. With a colon behind it, it begins the ids of the deployments there.
	Name string
	// Place shows how an id goes on, for messages: "/absolute/data_dir".
	Place string
	// PlaceArgument is the argument that says the place: "data_dir".
	PlaceArgument string
	// Supported returns why bridges cannot be deployed to this kind of place
	// from this machine; nil if they can.
	Supported func() error
	// Open returns the target at a place, the part of an id behind the prefix,
	// or says why there can be none. It does not look whether a bridge is there.
	// trace is State.Trace of the last look; it may be empty.
	Open func(place, trace string) (Target, error)
	// FromConfig returns the target that the resource's argument describes.
	// decode stores the argument in a struct whose fields have tfsdk tags.
	FromConfig func(decode func(into any) error, trace string) (Target, error)
	// Elsewhere returns an error that is ErrElsewhere if the deployment at a
	// place can only be managed from another machine. origin is State.Origin of
	// the last look. It is nil for a kind that is reached over the network.
	Elsewhere func(place string, origin []byte) error
	// FindLost says what a person can do to find a bridge whose record is lost.
	FindLost string
	// Instance returns the id under which the account knows the bridge of a
	// trace; empty if that is not known.
	Instance func(trace string) string
}

// Prefix begins the ids of this kind's deployments.
func (k Kind) Prefix() string { return k.Name + ":" }

// A Target is one place where one bridge is deployed. Its methods may be
// called in any order and by several processes at once.
type Target interface {
	// ID names the deployment: the kind's prefix, and the place.
	ID() string
	// Place is an ID that is the same for every way to write the place.
	Place() string
	// URL is where the bridge will be reached, without Settings.PublicURL;
	// empty if that is known only when it runs.
	URL() string
	// Conflict returns an *ArgumentError if this deployment and another of the
	// same kind cannot both exist. The names of the two are for the message.
	Conflict(name string, other Target, otherName string) error

	// Source is what the configuration names as the program to deploy; empty
	// for the one that comes with the provider.
	Source() string
	// Program looks up the program to deploy. It only reads, and fails if there
	// is none.
	Program(ctx context.Context) (Program, error)
	// Build names a program, by its digest, and all else that this target adds
	// to a Spec.
	Build(digest string) string
	// Keep makes Update deploy the program with that digest once more, whatever
	// Source leads to now.
	Keep(digest string)

	// Observe reports what is there, ErrAbsent if nothing was deployed. It only reads.
	Observe(ctx context.Context) (State, error)
	// Create deploys where nothing is; an *ExistsError where something is.
	// From the moment something exists, Observe finds it, also if Create fails.
	Create(ctx context.Context, spec Spec, revision string, token session.Token) error
	// Update makes what is there as spec has it. It replaces a running bridge
	// only if the revision differs, and then so that no request is lost; it
	// starts one that does not run, and unseals one that is sealed. If the new
	// bridge cannot run, the old one goes on and the error says why.
	//
	// A zero token unseals nothing; one that was stored stays.
	Update(ctx context.Context, spec Spec, revision string, token session.Token) error
	// Redeploy runs what was deployed in a new bridge, which takes over so that
	// no request is lost. Neither deployment nor revision change. If the new
	// bridge cannot run, the old one goes on and the error says why.
	//
	// The token unseals the new bridge; a zero one will do where it is stored.
	Redeploy(ctx context.Context, token session.Token) error
	// Destroy stops the bridge and removes what the methods above made, and
	// nothing else. It returns nil for an absent deployment.
	Destroy(ctx context.Context) error
}

// A Program is a bridge that can be deployed.
type Program struct {
	// Configured is Target.Source; empty for the one that comes with the provider.
	Configured string `json:"configured,omitempty"`
	Digest     string `json:"digest"` // SHA-256, in hex
	// Version is what the program says of itself; empty if it does not.
	Version string `json:"version"`
}

// ErrAbsent says that nothing is deployed at a target.
var ErrAbsent = errors.New("no bridge is deployed there")

// ErrElsewhere says that a deployment can only be managed from another machine.
var ErrElsewhere = errors.New("the deployment belongs to another machine")

// An ArgumentError says that an argument of the kind of target is at fault.
type ArgumentError struct {
	Argument string
	Title    string // for people
	Err      error
}

func (e *ArgumentError) Error() string { return e.Err.Error() }

func (e *ArgumentError) Unwrap() error { return e.Err }

// An ExistsError says that a bridge is deployed at a target already.
type ExistsError struct {
	Name string // of the deployment that is there
}

func (e *ExistsError) Error() string {
	return fmt.Sprintf("the deployment %q is there already", e.Name)
}
