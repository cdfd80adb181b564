package server

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge/auth"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/internal/fair"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/internal/httpkit"
)

// longestWait is how long a SCIM request waits for its turn at most. It leaves the account most of the 30 s after which
// some identity providers give a request up; Entra ID does after 60 s.
const longestWait = 10 * time.Second

// maxDiscarded is how much of a body is read of a request that is refused, in bytes.
const maxDiscarded = 64 << 20

// inTurn has SCIM requests with a right token wait for their turn, before their bodies are read: each identity provider
// has a fair share of the places. Two that have the same token are told apart as the page tells them apart. The token
// of a request that has waited is verified again, since an overlap may have ended.
func inTurn(
	q *fair.Queue, longest time.Duration, verify func(token string) *auth.Error, next http.Handler,
) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		x := httpkit.RequestFrom(r.Context())
		mayBeTold := honoursRetryAfter(r)
		place, err := q.Enter(r.Context(), clientOf(r, x), fair.Patience{Most: longest, Ask: mayBeTold})
		if err != nil {
			if r.Header.Get("Expect") == "" { // a client that still sends when it is cut off does not see the answer
				_, _ = io.CopyN(io.Discard, r.Body, maxDiscarded)
			}
			writeNoPlace(w, err, mayBeTold)
			return
		}
		defer place.Leave()
		if place.Waited {
			if err := verify(httpkit.BearerToken(r)); err != nil {
				writeSCIMError(w, err)
				return
			}
		}
		x.HasPlace = true
		next.ServeHTTP(w, r)
	})
}

// clientOf returns whose a request is: the old and the new token of a rotation are one client's, and so are the
// networks that an identity provider comes from.
func clientOf(r *http.Request, x *httpkit.Request) fair.Client {
	agent := r.UserAgent()
	if x.Look { // a tool of an operator; a User-Agent has no line break
		agent = "\n"
	}
	return fair.Client{Name: agent[:min(len(agent), maxAgent)], Part: httpkit.NetworkOf(x.Client).String()}
}

// honoursRetryAfter reports whether the identity provider waits after 429 as it is told, which Okta does. Others count
// it as a failure: Entra ID puts the provisioning into quarantine after some.
func honoursRetryAfter(r *http.Request) bool { return strings.HasPrefix(r.UserAgent(), "Okta") }

// writeNoPlace answers a request that got no place.
func writeNoPlace(w http.ResponseWriter, err error, mayBeTold bool) {
	status, after, detail := http.StatusServiceUnavailable, time.Second, "the bridge stops or was sealed"
	refusal, refused := errors.AsType[*fair.RefusedError](err)
	switch {
	case !refused:
		detail = "the request was cancelled"
	case refused && refusal.Reason != fair.Ended:
		after, detail = refusal.After, "the bridge has too many requests to carry out"
		if mayBeTold {
			status = http.StatusTooManyRequests
		}
	}
	seconds := int(after.Seconds())
	w.Header().Set("Retry-After", strconv.Itoa(seconds))
	writeSCIM(w, status, fmt.Sprintf("%s: repeat the request after %d s", detail, seconds))
}
