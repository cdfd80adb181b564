package scim

import (
	"context"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/internal/httpkit"
)

// A PATCH without If-Match is tried again on a version conflict, at most
// maxAttempts times, after pauses of random length up to these. Random, since
// writers that wait equally long collide again.
const (
	maxAttempts = 25
	firstPause  = 4 * time.Millisecond
	longPause   = 200 * time.Millisecond
)

// retryStale calls try again while another client changes the resource in
// between. A client that sent If-Match gets the conflict instead.
func retryStale(ctx context.Context, ifMatch string, try func() error) error {
	pause := firstPause
	for range maxAttempts {
		err := try()
		if ifMatch != "" || bridge.CodeOf(err) != bridge.VersionMismatch {
			return err
		}
		select {
		case <-time.After(rand.N(pause)):
		case <-ctx.Done():
			return ctx.Err()
		}
		pause = min(2*pause, longPause)
	}
	return unavailable("many clients are changing the resource; try again", time.Second)
}

func staleError(version string) error {
	return &refusal{Status: http.StatusPreconditionFailed,
		Detail: "the resource has changed since; its version is " + version}
}

// ifMatch returns the version that a request depends on, or "" for any. Of
// several it is the one that the resource has.
func (x *exchange) ifMatch(current func() (string, error)) (string, error) {
	tags := httpkit.EntityTags(x.r.Header.Values("If-Match"))
	if len(tags) == 0 || slices.Contains(tags, "*") {
		return "", nil
	}
	if len(tags) == 1 {
		return tags[0], nil
	}
	version, err := current()
	if err != nil {
		return "", err
	}
	if !slices.Contains(tags, version) {
		return "", staleError(version)
	}
	return version, nil
}

// unchanged answers 304 if the client has this version already.
func (x *exchange) unchanged(version string) bool {
	if !httpkit.IsKnown(x.r, version) {
		return false
	}
	x.w.Header().Set("ETag", version)
	x.w.WriteHeader(http.StatusNotModified)
	return true
}

// prefersRepresentation reports whether the client prefers to be answered with
// the resource; of contradicting preferences the first counts (RFC 7240
// sections 2 and 4.2).
func (x *exchange) prefersRepresentation() bool {
	for preference := range strings.SplitSeq(strings.Join(x.r.Header.Values("Prefer"), ","), ",") {
		preference, _, _ = strings.Cut(preference, ";")
		name, value, _ := strings.Cut(preference, "=")
		if strings.EqualFold(strings.TrimSpace(name), "return") {
			return strings.EqualFold(strings.Trim(strings.TrimSpace(value), `"`), "representation")
		}
	}
	return false
}
