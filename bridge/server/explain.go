package server

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"time"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/control"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/explain"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/internal/httpkit"
)

// An Explain answers why a person or a group is in the account or is not. As a handler, it reads the question from the
// body: names are personal, and paths are logged.
type Explain func(context.Context, explain.Question) (explain.Answer, error)

// A Preview answers what creating some people would do; as a handler, like an Explain.
type Preview func(context.Context, explain.Preview) (explain.PreviewAnswer, error)

func (x Explain) routes(a *Authenticator) []Route {
	return []Route{{
		Name: "explain", Method: http.MethodPost, Path: control.PathExplain, Handler: a.RequireOperator(x),
	}}
}

func (x Preview) routes(a *Authenticator) []Route {
	return []Route{{
		Name: "preview", Method: http.MethodPost, Path: control.PathPreview, Handler: a.RequireOperator(x),
	}}
}

const (
	// explainTimeout is how long an answer may take, that of the account included.
	explainTimeout = 45 * time.Second
	maxQuestion    = 8 << 10
	maxPreview     = 4 << 20
)

func (x Explain) ServeHTTP(w http.ResponseWriter, r *http.Request) { answer(w, r, maxQuestion, x) }

func (x Preview) ServeHTTP(w http.ResponseWriter, r *http.Request) { answer(w, r, maxPreview, x) }

// answer reads a question and writes what is known.
func answer[Q, A any](w http.ResponseWriter, r *http.Request, limit int64, ask func(context.Context, Q) (A, error)) {
	w.Header().Set("Cache-Control", "no-store")
	body, err := httpkit.ReadBody(w, r, limit)
	var q Q
	if err != nil || json.Unmarshal(body, &q) != nil {
		writeError(w, &control.Error{Status: http.StatusBadRequest, Detail: "the request is not the expected JSON"})
		return
	}
	ctx, cancel := context.WithTimeout(r.Context(), explainTimeout)
	defer cancel()
	known, err := ask(ctx, q)
	if err != nil {
		writeError(w, notKnown(err))
		return
	}
	writeAnswer(w, known)
}

// notKnown is the answer to a question that was not answered.
func notKnown(err error) error {
	if wrong, ok := errors.AsType[*explain.QuestionError](err); ok {
		return &control.Error{Status: http.StatusBadRequest, Detail: wrong.Detail}
	}
	if away, ok := errors.AsType[*bridge.UnavailableError](err); ok {
		return &control.Error{Status: http.StatusServiceUnavailable, Detail: away.Detail}
	}
	return err
}
