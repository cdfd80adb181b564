package server

import (
	"context"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account/api"
)

// directory answers what is about people and groups: here to a bridge, in
// directory_admin.go to an administrator.
type directory struct {
	account *account.Account
}

func (h directory) CreatePerson(ctx context.Context, r api.CreatePersonRequestObject) (api.CreatePersonResponseObject, error) {
	p, err := h.account.CreatePerson(ctx, personInput(*r.Body))
	if err != nil {
		return nil, err
	}
	return encodedPerson(p), nil
}

func (h directory) GetPerson(ctx context.Context, r api.GetPersonRequestObject) (api.GetPersonResponseObject, error) {
	p, err := h.account.Person(ctx, r.Id)
	if err != nil {
		return nil, err
	}
	return encodedPerson(p), nil
}

func (h directory) ReplacePerson(ctx context.Context, r api.ReplacePersonRequestObject) (api.ReplacePersonResponseObject, error) {
	p, err := h.account.ReplacePerson(ctx, r.Id, personInput(*r.Body), text(r.Params.IfMatch))
	if err != nil {
		return nil, err
	}
	return encodedPerson(p), nil
}

func (h directory) DeletePerson(ctx context.Context, r api.DeletePersonRequestObject) (api.DeletePersonResponseObject, error) {
	if err := h.account.DeletePerson(ctx, r.Id, text(r.Params.IfMatch)); err != nil {
		return nil, err
	}
	return api.DeletePerson204Response{}, nil
}

func (h directory) ConfirmPerson(ctx context.Context, r api.ConfirmPersonRequestObject) (api.ConfirmPersonResponseObject, error) {
	if err := h.account.ConfirmPerson(ctx, r.Id); err != nil {
		return nil, err
	}
	return api.ConfirmPerson204Response{}, nil
}

func (h directory) SearchPeople(ctx context.Context, r api.SearchPeopleRequestObject) (api.SearchPeopleResponseObject, error) {
	found, err := h.account.SearchPeople(ctx, search(*r.Body))
	if err != nil {
		return nil, err
	}
	return encodePage(found, encodePerson), nil
}

func (h directory) CreateProvisionedGroup(ctx context.Context, r api.CreateProvisionedGroupRequestObject) (api.CreateProvisionedGroupResponseObject, error) {
	g, err := h.account.CreateGroup(ctx, account.GroupInput{Attributes: r.Body.Attributes, Members: value(r.Body.Members)})
	if err != nil {
		return nil, err
	}
	return encodedGroup(g), nil
}

func (h directory) GetGroup(ctx context.Context, r api.GetGroupRequestObject) (api.GetGroupResponseObject, error) {
	g, err := h.account.Group(ctx, r.Id, value(r.Params.Members))
	if err != nil {
		return nil, err
	}
	return encodedGroup(g), nil
}

func (h directory) UpdateGroup(ctx context.Context, r api.UpdateGroupRequestObject) (api.UpdateGroupResponseObject, error) {
	update := account.GroupUpdate{
		Attributes: value(r.Body.Attributes), Replace: r.Body.ReplaceMembers,
		Add: value(r.Body.AddMembers), Remove: value(r.Body.RemoveMembers), Instead: value(r.Body.Replacements),
	}
	g, err := h.account.UpdateGroup(ctx, r.Id, update, text(r.Params.IfMatch), value(r.Params.Members))
	if err != nil {
		return nil, err
	}
	return encodedGroup(g), nil
}

func (h directory) DeleteGroup(ctx context.Context, r api.DeleteGroupRequestObject) (api.DeleteGroupResponseObject, error) {
	if err := h.account.DeleteGroup(ctx, r.Id, text(r.Params.IfMatch)); err != nil {
		return nil, err
	}
	return api.DeleteGroup204Response{}, nil
}

func (h directory) SearchGroups(ctx context.Context, r api.SearchGroupsRequestObject) (api.SearchGroupsResponseObject, error) {
	found, err := h.account.SearchGroups(ctx, search(*r.Body))
	if err != nil {
		return nil, err
	}
	return encodePage(found, encodeGroup), nil
}

func (h directory) ListAttention(ctx context.Context, _ api.ListAttentionRequestObject) (api.ListAttentionResponseObject, error) {
	list, err := h.account.Attention(ctx)
	if err != nil {
		return nil, err
	}
	return api.ListAttention200JSONResponse{Items: each(list, attention)}, nil
}

func personInput(in api.PersonInput) account.PersonInput {
	return account.PersonInput{Attributes: in.Attributes, SignInAddress: value(in.SignInAddress)}
}

func attention(a account.Attention) api.Attention {
	return api.Attention{
		PersonId: a.PersonID, UserName: a.UserName, Kind: api.AttentionKind(a.Kind),
		Address: optional(a.Address), Domain: optional(a.Domain), Since: a.Since,
	}
}

func search(in api.Search) account.Search {
	s := account.Search{
		SortBy: value(in.SortBy), Descending: value(in.Descending), Offset: value(in.Offset), Limit: 100,
		Cursor: value(in.Cursor), WithMembers: value(in.WithMembers),
	}
	if in.Limit != nil {
		s.Limit = *in.Limit
	}
	if in.Filter != nil {
		p := predicate(*in.Filter)
		s.Filter = &p
	}
	return s
}

func predicate(in api.Predicate) account.Predicate {
	return account.Predicate{
		Op: string(in.Op), Path: value(in.Path), Value: in.Value, CaseExact: value(in.CaseExact),
		Terms: each(value(in.Terms), predicate),
	}
}

// value is what p points to, or the zero value where a member is absent.
func value[T any](p *T) (v T) {
	if p != nil {
		v = *p
	}
	return v
}
