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

// An answer is a response as it is kept.
type answer struct {
	Status int         `json:"status"`
	Header http.Header `json:"header"`
	Body   []byte      `json:"body"`
}

// errRefused undoes a transaction whose answer is a problem; a problem is not
// kept, so that the same request may succeed once its cause is gone.
var errRefused = errors.New("the request was refused")

// idempotent carries out a request that has an Idempotency-Key, or repeats the
// answer that the same request got within a day. The answer is written in the
// transaction that has the effect, so that a client that lost it may ask again
// and nothing happens twice. An answer with a secret is given once and not kept:
// a repetition is told the id only.
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

// idAlone is the id in an answer, without the rest, which must not be kept.
func idAlone(body []byte) []byte {
	var made struct {
		ID string `json:"id"`
	}
	if json.Unmarshal(body, &made) != nil {
		return nil // what we made ourselves can be read
	}
	return []byte(made.ID)
}

func secretNotKept(id []byte) error {
	e := account.Conflict(api.ErrorCodeSecretNotKept, "Secret not kept",
		"this request was answered before, with the secret of %s, which is stored nowhere; "+
			"if the answer was lost, revoke that and ask under a new Idempotency-Key", id)
	e.ExistingID = string(id)
	return e
}

// digest tells two requests with the same key apart.
func digest(r *http.Request, body []byte) string {
	h := sha256.New()
	fmt.Fprintf(h, "%s %s\n%s\n", r.Method, r.URL.RequestURI(), r.Header.Get("If-Match"))
	h.Write(body)
	return hex.EncodeToString(h.Sum(nil))
}
