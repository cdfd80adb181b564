package account

import (
	"github.com/scimbridge/terraform-provider-scimbridge/bridge"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account/api"
)

func toPersonInput(in bridge.PersonInput) api.PersonInput {
	return api.PersonInput{Attributes: in.Attributes, SignInAddress: optional(in.SignInAddress)}
}

func fromAttention(a api.Attention) bridge.Attention {
	return bridge.Attention{
		PersonID: a.PersonId,
		UserName: a.UserName,
		Kind:     bridge.AttentionKind(a.Kind),
		Address:  value(a.Address),
		Domain:   value(a.Domain),
		Since:    a.Since,
	}
}

// search leaves out what is the same when absent.
func toSearch(q bridge.Query) api.Search {
	s := api.Search{Filter: q.Filter, Limit: &q.Limit, Cursor: optional(q.Cursor)}
	if q.Cursor == "" && q.Offset != 0 {
		s.Offset = &q.Offset
	}
	if q.Descending {
		s.Descending = &q.Descending
	}
	if q.WithMembers {
		s.WithMembers = &q.WithMembers
	}
	if q.SortBy != nil {
		s.SortBy = &q.SortBy
	}
	return s
}

// each keeps nil and empty apart: nil members were not asked for.
func each[A, B any](in []A, f func(A) B) []B {
	if in == nil {
		return nil
	}
	out := make([]B, len(in))
	for i, a := range in {
		out[i] = f(a)
	}
	return out
}

// value is what p points to, or the zero value: the account leaves out what
// is not there.
func value[T any](p *T) (v T) {
	if p != nil {
		v = *p
	}
	return v
}

func optional(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}
