package server

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account/api"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/internal/httpkit"
)

// An answer is a stored response.
type answer struct {
	Status int         `json:"status"`
	Header http.Header `json:"header"`
	Body   []byte      `json:"body"`
}

// errRefused rolls back a transaction whose answer is a problem. A problem is not
// stored, so that the same request can succeed after its cause is solved.
var errRefused = errors.New("the request was refused")

// idempotent handles a request with an Idempotency-Key, or repeats the answer to the
// same request of the last day. The answer is stored in the transaction of the
// request, so that a client that lost it can repeat the request without a second
// effect. Of an answer with a secret only the id is stored.
func (s *server) idempotent(w http.ResponseWriter, r *http.Request, key string, body []byte,
	next http.Handler, secret bool,
) {
	if len(key) > 255 {
		s.writeProblem(w, r, malformed("", "the Idempotency-Key has %d bytes; at most 255 are allowed", len(key)))
		return
	}
	request := account.Request{Key: key, Digest: digest(r, body)}
	var got, first answer
	err := s.Account.Idempotent(r.Context(), request, &got, func(ctx context.Context) error {
		out := &httpkit.Recorder{}
		next.ServeHTTP(out, r.WithContext(ctx))
		got = answer{out.Status(), out.Header(), out.Body.Bytes()}
		if got.Status >= http.StatusBadRequest {
			return errRefused
		}
		if first = got; secret {
			got = answer{Body: idAlone(got.Body)}
		}
		return nil
	})
	if err != nil && !errors.Is(err, errRefused) {
		s.writeProblem(w, r, err)
		return
	}
	switch {
	case first.Status != 0 && err == nil:
		got = first
	case got.Status == 0:
		s.writeProblem(w, r, secretNotKept(got.Body))
		return
	}
	for name, values := range got.Header {
		w.Header()[name] = values
	}
	w.WriteHeader(got.Status)
	_, _ = w.Write(got.Body)
}

// idAlone returns the id in an answer, without the rest, which must not be stored.
func idAlone(body []byte) []byte {
	var made struct {
		ID string `json:"id"`
	}
	if json.Unmarshal(body, &made) != nil {
		return nil // our own answers can be decoded
	}
	return []byte(made.ID)
}

func secretNotKept(id []byte) error {
	e := account.Conflict(api.ErrorCodeSecretNotKept, "Secret not kept",
		"this request was answered before with the secret of %s, which is not stored; "+
			"if the answer was lost, revoke that token and repeat the request with a new Idempotency-Key", id)
	e.ExistingID = string(id)
	return e
}

// digest distinguishes requests with the same key.
func digest(r *http.Request, body []byte) string {
	h := sha256.New()
	fmt.Fprintf(h, "%s %s\n%s\n", r.Method, r.URL.RequestURI(), r.Header.Get("If-Match"))
	h.Write(body)
	return hex.EncodeToString(h.Sum(nil))
}
