package server

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"net/http"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account/api"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/internal/httpkit"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/internal/inputtext"
)

// writeProblem is the only place where an error becomes an answer. Unless it is a
// refusal by the account, the client gets only a request id; the error is logged.
// That an answer could not be sent is no error, and nobody is left to be told.
func (s *server) writeProblem(w http.ResponseWriter, r *http.Request, err error) {
	x := httpkit.RequestFrom(r.Context())
	if x.Unsent != nil && errors.Is(err, x.Unsent) {
		return
	}
	e, known := errors.AsType[*account.Error](err)
	if !known {
		e = account.Fault(err)
		kind := account.CallerFrom(r.Context()).Kind
		if e.Code != api.ErrorCodeInternal && (kind == account.ByToken || kind == account.ByBridge) {
			e.Database = s.Account.Store.Setting()
		}
	}
	if e.Status >= http.StatusInternalServerError && e.Code != api.ErrorCodeTooManyRequests {
		x.Fail(cmp.Or(errors.Unwrap(e), err))
	}
	x.Code = string(e.Code)
	noteRefusal(r.Context(), e)
	document := api.Problem{
		Type: "about:blank", Title: e.Title, Status: e.Status, Code: e.Code,
		Detail: optional(inputtext.Scrub(e.Detail)), RequestId: optional(x.ID),
	}
	if !reflect.ValueOf(e.Details).IsZero() {
		details := toDetails(e.Details)
		document.Details = &details
	}
	if e.Status == http.StatusUnauthorized {
		w.Header().Set("WWW-Authenticate", `Bearer realm="scimbridge account"`)
	}
	if e.RetryAfter > 0 {
		w.Header().Set("Retry-After", strconv.Itoa(int(math.Ceil(e.RetryAfter.Seconds()))))
	}
	w.Header().Set("Content-Type", "application/problem+json")
	w.WriteHeader(e.Status)
	// An error means that the client has disconnected.
	_ = json.NewEncoder(w).Encode(document)
}

// maxDecidingValues is the maximum number of a rule's values in a refusal: a rule
// may have a thousand ranges.
const maxDecidingValues = 20

func toDetails(d account.Details) api.ProblemDetails {
	out := api.ProblemDetails{
		Field: optional(d.Field), Address: optional(d.Address), RuleId: optional(d.RuleID), Who: optional(d.Who),
		Instance: optional(d.Instance), ExistingId: optional(d.ExistingID), Name: optional(d.Name),
		Missing: optionalList(d.Missing), Database: optional(d.Database),
	}
	api.SetFacts(&out, d.Facts)
	if len(d.IDs) > 0 {
		out.Ids = &d.IDs
	}
	if r := d.Rule; r != nil {
		out.Rule = &api.DecidingRule{
			Priority: r.Priority, Description: r.Description, ChangedAt: optionalTime(r.ChangedAt),
			Kind: api.DecidingRuleKind(r.Match.Kind),
		}
		if len(r.Match.Values) <= maxDecidingValues {
			out.Rule.Values = &r.Match.Values
		}
	}
	return out
}

// badRequest answers requests that the generated code could not decode: a parameter
// or, despite the check in withAuth, a body.
func (s *server) badRequest(w http.ResponseWriter, r *http.Request, err error) {
	field := ""
	if e, ok := errors.AsType[*api.InvalidParamFormatError](err); ok {
		field = "/" + e.ParamName
	}
	s.writeProblem(w, r, malformed(field, "%v", err))
}

// unknown answers requests with an unknown path, or a method that the path does not
// have.
func (s *server) unknown(w http.ResponseWriter, r *http.Request) {
	var allowed []string
	for _, method := range []string{"GET", "POST", "PUT", "PATCH", "DELETE"} {
		probe := &http.Request{Method: method, URL: r.URL, Host: r.Host}
		if _, pattern := s.mux.Handler(probe); pattern != "/" && pattern != "" {
			allowed = append(allowed, method)
		}
	}
	if len(allowed) == 0 {
		s.writeProblem(w, r, &account.Error{
			Status: http.StatusNotFound, Code: api.ErrorCodeNotFound, Title: "Not found",
			Detail: fmt.Sprintf("unknown path %q; the API begins at /v1 and is described in "+
				"/v1/openapi.yaml", r.URL.Path),
		})
		return
	}
	w.Header().Set("Allow", strings.Join(slices.Compact(allowed), ", "))
	s.writeProblem(w, r, &account.Error{
		Status: http.StatusMethodNotAllowed, Code: api.ErrorCodeMethodNotAllowed, Title: "Method not allowed",
		Detail: fmt.Sprintf("the path does not allow %s, only %s", httpkit.Method(r.Method),
			strings.Join(allowed, ", ")),
	})
}

// optional returns nil for the zero value, which the API omits.
func optional[T comparable](v T) *T {
	var zero T
	if v == zero {
		return nil
	}
	return &v
}
