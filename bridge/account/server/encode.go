package server

import (
	"net/http"
	"slices"
	"strconv"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account/api"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account/directory"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/internal/jsontext"
)

// The answers that bridges read most are assembled from the stored documents,
// without decoding and encoding them. A test compares them with the generated types.

// An encoded is an answer that is JSON already.
type encoded struct {
	body []byte
	etag string // empty for a page
}

func encodedPerson(p directory.Person) encoded {
	return encoded{encodePerson(nil, p), directory.PersonETag(p)}
}

func encodedGroup(g directory.Group) encoded {
	return encoded{encodeGroup(nil, g), account.ETag(g.Version)}
}

func (e encoded) write(w http.ResponseWriter, status int) error {
	body := append(e.body, '\n') // like all other answers
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	if e.etag != "" {
		w.Header().Set("ETag", e.etag)
	}
	w.WriteHeader(status)
	_, err := w.Write(body)
	return err
}

// VisitGetPersonResponse implements api.GetPersonResponseObject.
func (e encoded) VisitGetPersonResponse(w http.ResponseWriter) error {
	return e.write(w, http.StatusOK)
}

// VisitSearchPeopleResponse implements api.SearchPeopleResponseObject.
func (e encoded) VisitSearchPeopleResponse(w http.ResponseWriter) error {
	return e.write(w, http.StatusOK)
}

// VisitCreatePersonResponse implements api.CreatePersonResponseObject.
func (e encoded) VisitCreatePersonResponse(w http.ResponseWriter) error {
	return e.write(w, http.StatusCreated)
}

// VisitReplacePersonResponse implements api.ReplacePersonResponseObject.
func (e encoded) VisitReplacePersonResponse(w http.ResponseWriter) error {
	return e.write(w, http.StatusOK)
}

// VisitGetGroupResponse implements api.GetGroupResponseObject.
func (e encoded) VisitGetGroupResponse(w http.ResponseWriter) error { return e.write(w, http.StatusOK) }

// VisitUpdateGroupResponse implements api.UpdateGroupResponseObject.
func (e encoded) VisitUpdateGroupResponse(w http.ResponseWriter) error {
	return e.write(w, http.StatusOK)
}

// VisitCreateProvisionedGroupResponse implements api.CreateProvisionedGroupResponseObject.
func (e encoded) VisitCreateProvisionedGroupResponse(w http.ResponseWriter) error {
	return e.write(w, http.StatusCreated)
}

// VisitSearchGroupsResponse implements api.SearchGroupsResponseObject.
func (e encoded) VisitSearchGroupsResponse(w http.ResponseWriter) error {
	return e.write(w, http.StatusOK)
}

// encodePage encodes one page of a search.
func encodePage[T any](found directory.Found[T], encode func([]byte, T) []byte) encoded {
	b := append(make([]byte, 0, 1024), `{"items":[`...)
	for i, item := range found.Items {
		if i > 0 {
			b = append(b, ',')
		}
		if b = encode(b, item); i == 0 { // the others are about as long: usually one allocation for all of them
			b = slices.Grow(b, len(b)*len(found.Items)*9/8)
		}
	}
	b = append(b, ']')
	b = appendText(b, `,"next_cursor":`, found.Next)
	b = append(b, `,"total":`...)
	b = strconv.AppendInt(b, found.Total, 10)
	return encoded{body: append(b, '}')}
}

// encodePerson encodes an api.Person.
func encodePerson(b []byte, p directory.Person) []byte {
	b = slices.Grow(b, len(p.Attributes)+512)
	b = append(b, `{"id":`...)
	b = jsontext.AppendString(b, p.ID)
	b = appendText(b, `,"etag":`, directory.PersonETag(p))
	b = append(b, `,"created_at":`...)
	b = jsontext.AppendTime(b, p.CreatedAt)
	b = append(b, `,"modified_at":`...)
	b = jsontext.AppendTime(b, p.ModifiedAt)
	b = append(b, `,"state":`...)
	b = jsontext.AppendString(b, p.State)
	b = append(b, `,"suspended":`...)
	b = strconv.AppendBool(b, p.Suspended)
	// Absent for a person that was not invited: administrators do not see the
	// member.
	if p.Address != "" {
		b = appendText(b, `,"member_id":`, p.MemberID)
	}
	b = appendText(b, `,"sign_in_address":`, p.Address)
	b = appendText(b, `,"pending_address":`, p.PendingAddress)
	b = append(b, `,"groups":`...)
	b = appendList(b, p.Groups, encodeReference)
	b = append(b, `,"attributes":`...)
	b = append(b, p.Attributes...)
	return append(b, '}')
}

// encodeGroup encodes an api.Group.
func encodeGroup(b []byte, g directory.Group) []byte {
	b = append(b, `{"id":`...)
	b = jsontext.AppendString(b, g.ID)
	b = appendText(b, `,"etag":`, account.ETag(g.Version))
	b = append(b, `,"created_at":`...)
	b = jsontext.AppendTime(b, g.CreatedAt)
	b = append(b, `,"modified_at":`...)
	b = jsontext.AppendTime(b, g.ModifiedAt)
	b = append(b, `,"member_count":`...)
	b = strconv.AppendInt(b, g.MemberCount, 10)
	if g.Members != nil {
		b = append(b, `,"members":`...)
		b = appendList(b, g.Members, encodeReference)
	}
	if len(g.UnknownMembers) > 0 {
		b = append(b, `,"unknown_members":`...)
		b = appendList(b, g.UnknownMembers, jsontext.AppendString)
	}
	b = append(b, `,"attributes":`...)
	b = append(b, g.Attributes...)
	return append(b, '}')
}

// encodeReference encodes an api.Reference.
func encodeReference(b []byte, r directory.Reference) []byte {
	b = append(b, `{"id":`...)
	b = jsontext.AppendString(b, r.ID)
	b = appendText(b, `,"display":`, r.Display)
	kind := api.ReferenceTypeUser
	if r.IsGroup {
		kind = api.ReferenceTypeGroup
	}
	b = appendText(b, `,"type":`, string(kind))
	return append(b, '}')
}

// appendText appends a member, unless it is empty.
func appendText(b []byte, name, value string) []byte {
	if value == "" {
		return b
	}
	return jsontext.AppendString(append(b, name...), value)
}

func appendList[T any](b []byte, list []T, one func([]byte, T) []byte) []byte {
	b = append(b, '[')
	for i, item := range list {
		if i > 0 {
			b = append(b, ',')
		}
		b = one(b, item)
	}
	return append(b, ']')
}
