package page

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge/explain"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/internal/httpkit"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/internal/inputtext"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/session"
)

// Explain answers why a person or a group is in the account or is not, on a page of its own.
func Explain(ask func(context.Context, explain.Question) (explain.Answer, error)) Section {
	return Section{
		Links: []Link{{Path: explainPath, Text: "Explain"}},
		Actions: []Action{
			{http.MethodGet, explainPath, func(v *Visit) { showExplained(v, http.StatusOK, explainPage{Now: v.Now}) }},
			// A question is a form: names are personal, and addresses are kept by browsers and logged by proxies.
			{http.MethodPost, explainPath, func(v *Visit) {
				code, p := askFor(v, ask)
				showExplained(v, code, p)
			}},
		},
	}
}

func showExplained(v *Visit, code int, p explainPage) {
	v.ShowAnswer(code, "explain", "Why is somebody in, or not?", p)
}

const (
	explainPath = "/app/explain"
	// explainTimeout is longer than that of a page with sections: a question waits for those before it, and reads the
	// journal also if the account does not answer.
	explainTimeout = 45 * time.Second
)

// explainPage is the data of explain.html.
type explainPage struct {
	Now    time.Time
	Asked  string // as it was typed
	Group  bool
	Answer explain.Answer // empty before a question, and if it was not answered
	Notice string         // why it was not
}

func askFor(v *Visit, ask func(context.Context, explain.Question) (explain.Answer, error)) (int, explainPage) {
	p := explainPage{Now: v.Now}
	if err := httpkit.ParseForm(v.Writer, v.Request, 8<<10); err != nil {
		p.Notice = "The form could not be read."
		return http.StatusBadRequest, p
	}
	p.Asked = inputtext.Truncate(inputtext.TrimBlanks(v.Request.PostFormValue("q")), maxSearch)
	p.Group = v.Request.PostFormValue("kind") == "group"
	if p.Asked == "" {
		return http.StatusOK, p
	}
	if _, sealed := session.Sealed(p.Asked); sealed || session.Scrub(p.Asked) != p.Asked {
		p.Asked, p.Notice = "", "What was typed is a secret instead of a name, and was not looked for."
		return http.StatusBadRequest, p
	}
	q := explain.Question{Person: p.Asked}
	if p.Group {
		q = explain.Question{Group: p.Asked}
	}
	ctx, cancel := context.WithTimeout(v.Context(), explainTimeout)
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
