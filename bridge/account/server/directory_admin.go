package server

import (
	"context"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account/api"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account/directory"
)

func (h directoryHandlers) ListMembers(
	ctx context.Context, r api.ListMembersRequestObject,
) (api.ListMembersResponseObject, error) {
	cursor, limit, err := paging(r.Params.Cursor, r.Params.Limit)
	if err != nil {
		return nil, err
	}
	if state := r.Params.State; state != nil && !state.Valid() {
		return nil, malformed("/state", "unknown state %q; use invited, pending or active", *state)
	}
	filter := directory.MemberFilter{
		Address: value(r.Params.Address), Managed: r.Params.Managed, State: string(value(r.Params.State)),
	}
	page, err := h.directory.Members(ctx, filter, cursor, limit)
	if err != nil {
		return nil, err
	}
	return api.ListMembers200JSONResponse{Items: toAll(page.Items, toMember), NextCursor: optional(page.Next)}, nil
}

func (h directoryHandlers) InviteMember(
	ctx context.Context, r api.InviteMemberRequestObject,
) (api.InviteMemberResponseObject, error) {
	role := api.RoleMember
	if r.Body.Role != nil {
		role = *r.Body.Role
	}
	m, err := h.directory.InviteMember(ctx, r.Body.Address, value(r.Body.Name), string(role))
	if err != nil {
		return nil, err
	}
	out := toMember(m)
	return api.InviteMember201JSONResponse{Body: out, Headers: api.InviteMember201ResponseHeaders{ETag: &out.Etag}}, nil
}

func (h directoryHandlers) GetMember(
	ctx context.Context, r api.GetMemberRequestObject,
) (api.GetMemberResponseObject, error) {
	m, err := h.directory.Member(ctx, r.Id)
	if err != nil {
		return nil, err
	}
	out := toMember(m)
	return api.GetMember200JSONResponse{Body: out, Headers: api.GetMember200ResponseHeaders{ETag: &out.Etag}}, nil
}

func (h directoryHandlers) UpdateMember(
	ctx context.Context, r api.UpdateMemberRequestObject,
) (api.UpdateMemberResponseObject, error) {
	update := directory.MemberUpdate{Suspended: r.Body.Suspended, Role: (*string)(r.Body.Role), Name: r.Body.Name}
	m, err := h.directory.UpdateMember(ctx, r.Id, update, value(r.Params.IfMatch))
	if err != nil {
		return nil, err
	}
	out := toMember(m)
	return api.UpdateMember200JSONResponse{Body: out, Headers: api.UpdateMember200ResponseHeaders{ETag: &out.Etag}}, nil
}

func (h directoryHandlers) ListGroups(
	ctx context.Context, r api.ListGroupsRequestObject,
) (api.ListGroupsResponseObject, error) {
	cursor, limit, err := paging(r.Params.Cursor, r.Params.Limit)
	if err != nil {
		return nil, err
	}
	filter := directory.GroupFilter{Name: value(r.Params.Name), Managed: r.Params.Managed}
	page, err := h.directory.Groups(ctx, filter, cursor, limit)
	if err != nil {
		return nil, err
	}
	return api.ListGroups200JSONResponse{Items: toAll(page.Items, toAccountGroup), NextCursor: optional(page.Next)}, nil
}

func (h directoryHandlers) CreateGroup(
	ctx context.Context, r api.CreateGroupRequestObject,
) (api.CreateGroupResponseObject, error) {
	g, err := h.directory.CreateGroupByHand(ctx, r.Body.Name)
	if err != nil {
		return nil, err
	}
	out := toAccountGroup(g)
	return api.CreateGroup201JSONResponse{Body: out, Headers: api.CreateGroup201ResponseHeaders{ETag: &out.Etag}}, nil
}

func (h directoryHandlers) ListGroupMembers(
	ctx context.Context, r api.ListGroupMembersRequestObject,
) (api.ListGroupMembersResponseObject, error) {
	cursor, limit, err := paging(r.Params.Cursor, r.Params.Limit)
	if err != nil {
		return nil, err
	}
	page, err := h.directory.GroupMembers(ctx, r.Id, cursor, limit)
	if err != nil {
		return nil, err
	}
	return api.ListGroupMembers200JSONResponse{Items: toAll(page.Items, toMember), NextCursor: optional(page.Next)}, nil
}

func (h directoryHandlers) AddGroupMember(
	ctx context.Context, r api.AddGroupMemberRequestObject,
) (api.AddGroupMemberResponseObject, error) {
	if err := h.directory.AddGroupMember(ctx, r.Id, r.Body.MemberId); err != nil {
		return nil, err
	}
	return api.AddGroupMember204Response{}, nil
}

func toMember(m directory.Member) api.Member {
	return api.Member{
		Id: m.ID, Address: m.Address, PendingAddress: optional(m.PendingAddress), Name: m.Name,
		Role: api.Role(m.Role), State: api.MemberState(m.State), Suspended: m.Suspended, Managed: m.Managed(),
		PersonId: optional(m.PersonID), UserName: optional(m.UserName), CreatedAt: m.CreatedAt,
		Etag: account.ETag(m.Version),
	}
}

func toAccountGroup(g directory.GroupSummary) api.AccountGroup {
	return api.AccountGroup{
		Id: g.ID, Name: g.Name, Managed: g.ScimID != "", BuiltIn: g.BuiltIn, MemberCount: g.MemberCount,
		Etag: tagOf(g.Version, g.MemberCount), // adding unmanaged members does not change the version
	}
}
