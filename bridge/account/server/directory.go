package server

import (
	"context"
	"unicode/utf8"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account/api"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account/directory"
)

// directoryHandlers implement the API for people and groups: this file for bridges,
// directory_admin.go for administrators.
type directoryHandlers struct {
	directory *directory.Directory
}

func (h directoryHandlers) CreatePerson(
	ctx context.Context, r api.CreatePersonRequestObject,
) (api.CreatePersonResponseObject, error) {
	p, err := h.directory.CreatePerson(ctx, fromPersonInput(*r.Body))
	if err != nil {
		return nil, err
	}
	return encodedPerson(p), nil
}

func (h directoryHandlers) GetPerson(
	ctx context.Context, r api.GetPersonRequestObject,
) (api.GetPersonResponseObject, error) {
	p, err := h.directory.Person(ctx, r.Id)
	if err != nil {
		return nil, err
	}
	return encodedPerson(p), nil
}

func (h directoryHandlers) ReplacePerson(
	ctx context.Context, r api.ReplacePersonRequestObject,
) (api.ReplacePersonResponseObject, error) {
	p, err := h.directory.ReplacePerson(ctx, r.Id, fromPersonInput(*r.Body), value(r.Params.IfMatch))
	if err != nil {
		return nil, err
	}
	return encodedPerson(p), nil
}

func (h directoryHandlers) DeletePerson(
	ctx context.Context, r api.DeletePersonRequestObject,
) (api.DeletePersonResponseObject, error) {
	if err := h.directory.DeletePerson(ctx, r.Id, value(r.Params.IfMatch)); err != nil {
		return nil, err
	}
	return api.DeletePerson204Response{}, nil
}

func (h directoryHandlers) ConfirmPerson(
	ctx context.Context, r api.ConfirmPersonRequestObject,
) (api.ConfirmPersonResponseObject, error) {
	if err := h.directory.ConfirmPerson(ctx, r.Id); err != nil {
		return nil, err
	}
	return api.ConfirmPerson204Response{}, nil
}

func (h directoryHandlers) SearchPeople(
	ctx context.Context, r api.SearchPeopleRequestObject,
) (api.SearchPeopleResponseObject, error) {
	found, err := h.directory.SearchPeople(ctx, fromSearch(*r.Body))
	if err != nil {
		return nil, err
	}
	return encodePage(found, encodePerson), nil
}

func (h directoryHandlers) CreateProvisionedGroup(
	ctx context.Context, r api.CreateProvisionedGroupRequestObject,
) (api.CreateProvisionedGroupResponseObject, error) {
	g, err := h.directory.CreateGroup(
		ctx, directory.GroupInput{Attributes: r.Body.Attributes, Members: value(r.Body.Members)},
	)
	if err != nil {
		return nil, err
	}
	return encodedGroup(g), nil
}

func (h directoryHandlers) GetGroup(
	ctx context.Context, r api.GetGroupRequestObject,
) (api.GetGroupResponseObject, error) {
	g, err := h.directory.Group(ctx, r.Id, value(r.Params.Members))
	if err != nil {
		return nil, err
	}
	return encodedGroup(g), nil
}

func (h directoryHandlers) UpdateGroup(
	ctx context.Context, r api.UpdateGroupRequestObject,
) (api.UpdateGroupResponseObject, error) {
	update := directory.GroupUpdate{
		Attributes: value(r.Body.Attributes), Replace: r.Body.ReplaceMembers,
		Add: value(r.Body.AddMembers), Remove: value(r.Body.RemoveMembers), Instead: value(r.Body.Replacements),
	}
	g, err := h.directory.UpdateGroup(ctx, r.Id, update, value(r.Params.IfMatch), value(r.Params.Members))
	if err != nil {
		return nil, err
	}
	return encodedGroup(g), nil
}

func (h directoryHandlers) DeleteGroup(
	ctx context.Context, r api.DeleteGroupRequestObject,
) (api.DeleteGroupResponseObject, error) {
	if err := h.directory.DeleteGroup(ctx, r.Id, value(r.Params.IfMatch)); err != nil {
		return nil, err
	}
	return api.DeleteGroup204Response{}, nil
}

func (h directoryHandlers) SearchGroups(
	ctx context.Context, r api.SearchGroupsRequestObject,
) (api.SearchGroupsResponseObject, error) {
	found, err := h.directory.SearchGroups(ctx, fromSearch(*r.Body))
	if err != nil {
		return nil, err
	}
	return encodePage(found, encodeGroup), nil
}

func (h directoryHandlers) ListAttention(
	ctx context.Context, _ api.ListAttentionRequestObject,
) (api.ListAttentionResponseObject, error) {
	list, err := h.directory.Attention(ctx)
	if err != nil {
		return nil, err
	}
	return api.ListAttention200JSONResponse{Items: toAll(list, toAttention)}, nil
}

func (h directoryHandlers) ListWaiting(
	ctx context.Context, r api.ListWaitingRequestObject,
) (api.ListWaitingResponseObject, error) {
	cursor, limit, err := paging(r.Params.Cursor, r.Params.Limit)
	if err != nil {
		return nil, err
	}
	search := value(r.Params.Search)
	if utf8.RuneCountInString(search) > maxSearch {
		return nil, account.InvalidValue("/search", "the search is longer than %d characters", maxSearch)
	}
	page, err := h.directory.Waiting(ctx, directory.WaitingQuery{
		Kind: value(r.Params.Kind), Search: search, Cursor: cursor, Limit: limit,
	})
	if err != nil {
		return nil, err
	}
	return api.ListWaiting200JSONResponse{
		Items: toAll(page.Items, toAttention), NextCursor: optional(page.Next), Counts: page.Counts, AsOf: page.AsOf,
	}, nil
}

// maxSearch is the maximum length of a search, in characters: that of an e-mail address.
const maxSearch = 320

func fromPersonInput(in api.PersonInput) directory.PersonInput {
	return directory.PersonInput{Attributes: in.Attributes, SignInAddress: value(in.SignInAddress)}
}

func toAttention(a directory.Attention) api.Attention {
	return api.Attention{
		PersonId: a.PersonID, UserName: a.UserName, Kind: api.AttentionKind(a.Kind),
		Address: optional(a.Address), Domain: optional(a.Domain), Since: a.Since,
	}
}

func fromSearch(in api.Search) directory.Search {
	s := directory.Search{
		SortBy: value(in.SortBy), Descending: value(in.Descending), Offset: value(in.Offset), Limit: 100,
		Cursor: value(in.Cursor), WithMembers: value(in.WithMembers), Filter: in.Filter,
	}
	if in.Limit != nil {
		s.Limit = *in.Limit
	}
	return s
}

// value returns *p, or the zero value for an absent member.
func value[T any](p *T) (v T) {
	if p != nil {
		v = *p
	}
	return v
}
