package page

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge/explain"
)

// Explain answers why a person or a group is in the account or is not, on a page of its own.
func Explain(ask func(context.Context, explain.Question) (explain.Answer, error)) Section {
	return Section{
		Links: []Link{{Path: explainPath, Text: "Explain"}},
		Actions: []Action{{http.MethodGet, explainPath, func(v *Visit) {
			code, p := askFor(v, ask)
			v.ShowAnswer(code, "explain", "Why is somebody in, or not?", p)
		}}},
	}
}

const explainPath = "/app/explain"

// explainPage is the data of explain.html.
type explainPage struct {
	Now    time.Time
	Asked  string // as it was typed
	Group  bool
	Answer explain.Answer // empty before a question, and if it was not answered
	Notice string         // why it was not
}

func askFor(v *Visit, ask func(context.Context, explain.Question) (explain.Answer, error)) (int, explainPage) {
	p := explainPage{Now: v.Now, Asked: v.searchText("q"), Group: v.Query("kind") == "group"}
	if p.Asked == "" {
		return http.StatusOK, p
	}
	q := explain.Question{Person: p.Asked}
	if p.Group {
		q = explain.Question{Group: p.Asked}
	}
	ctx, cancel := v.AskAccount()
	defer cancel()
	answer, err := ask(ctx, q)
	if wrong, ok := errors.AsType[*explain.QuestionError](err); ok {
		p.Asked, p.Notice = "", "This cannot be asked: "+wrong.Detail+"."
		return http.StatusBadRequest, p
	}
	if err != nil {
		v.Warn("a question could not be answered", err)
		p.Notice = "This cannot be answered now. The bridge's log says why."
		return http.StatusServiceUnavailable, p
	}
	p.Answer = answer
	return http.StatusOK, p
}
