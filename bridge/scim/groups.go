package scim

import (
	"encoding/json"
	"maps"
	"net/http"
	"reflect"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/journal"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/scim/filter"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/scim/patch"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/scim/schema"
)

func postGroup(x *exchange) error {
	projection, err := x.projection(schema.Group)
	if err != nil {
		return err
	}
	attributes, members, err := x.decodeGroup()
	if err != nil {
		return err
	}
	in := bridge.GroupInput{Attributes: attributes, Members: members}
	if len(members) > 0 {
		x.record.event.Added = journal.NewMembers(members)
	}
	g, err := x.directory.CreateGroup(x.r.Context(), in)
	if err != nil {
		return err
	}
	x.recordGroup(g)
	if len(in.Members) > 0 && projection.Shows("members") {
		// The answer to a create has no members.
		if g, err = x.directory.Group(x.r.Context(), g.ID, true); err != nil {
			return err
		}
	}
	return x.answerGroup(http.StatusCreated, g, projection)
}

func getGroup(x *exchange) error {
	projection, err := x.projection(schema.Group)
	if err != nil {
		return err
	}
	g, err := x.directory.Group(x.r.Context(), x.id, projection.Shows("members"))
	if err != nil {
		return err
	}
	if x.unchanged(g.Version) {
		return nil
	}
	return x.answerGroup(http.StatusOK, g, projection)
}

func putGroup(x *exchange) error {
	projection, err := x.projection(schema.Group)
	if err != nil {
		return err
	}
	attributes, members, err := x.decodeGroup()
	if err != nil {
		return err
	}
	ifMatch, err := x.ifMatch(x.groupVersion)
	if err != nil {
		return err
	}
	// Without members the group is to have none: several clients leave the
	// key out together with the last of them.
	change := bridge.GroupChange{Attributes: attributes, Replace: &members}
	x.recordMembers(change)
	g, err := x.directory.UpdateGroup(x.r.Context(), x.id, change, ifMatch, projection.Shows("members"))
	if err != nil {
		return err
	}
	x.recordGroup(g)
	return x.answerGroup(http.StatusOK, g, projection)
}

func deleteGroup(x *exchange) error {
	ifMatch, err := x.ifMatch(x.groupVersion)
	if err != nil {
		return err
	}
	if err := x.directory.DeleteGroup(x.r.Context(), x.id, ifMatch); err != nil {
		return err
	}
	x.answerEmpty()
	return nil
}

// patchGroup answers without a body unless attributes or the representation
// (RFC 7240) were asked for: Entra ID wants 204, and a body would have to list
// every member.
func patchGroup(x *exchange) error {
	projection, err := x.projection(schema.Group)
	if err != nil {
		return err
	}
	ops, err := x.decodePatch(maxLargeBody)
	if err != nil {
		return err
	}
	ifMatch, err := x.ifMatch(x.groupVersion)
	if err != nil {
		return err
	}
	members, others, err := patch.SplitMembers(ops, x.findMembers)
	if err != nil {
		return err
	}
	prefers := x.prefersRepresentation()
	asked := !projection.Full() || prefers
	var g bridge.Group
	err = retryStale(x.r.Context(), ifMatch, func() error {
		change := bridge.GroupChange{Replace: members.Replace, Add: members.Add, Remove: members.Remove,
			Instead: members.Instead}
		x.recordMembers(change)
		read := ifMatch
		if len(others) > 0 {
			if change.Attributes, read, err = x.applyToGroup(others, ifMatch); err != nil {
				return err
			}
		}
		g, err = x.directory.UpdateGroup(x.r.Context(), x.id, change, read, asked && projection.Shows("members"))
		return err
	})
	if err != nil {
		return err
	}
	x.recordGroup(g)
	if prefers {
		x.w.Header().Set("Preference-Applied", "return=representation")
	}
	if asked {
		return x.answerGroup(http.StatusOK, g, projection)
	}
	if g.Version != "" {
		x.w.Header().Set("ETag", g.Version)
	}
	x.answerEmpty()
	return nil
}

// applyToGroup applies operations to the group's attributes. It returns nil
// for attributes that stay as they are, so that the name which Okta repeats
// with every change of members does not contend with other changes; else the
// version that the write depends on.
func (x *exchange) applyToGroup(ops []patch.Operation, ifMatch string) (json.RawMessage, string, error) {
	g, err := x.directory.Group(x.r.Context(), x.id, false)
	if err != nil {
		return nil, "", err
	}
	if ifMatch != "" && ifMatch != g.Version {
		return nil, "", staleError(g.Version)
	}
	stored, err := decodeStored(g.Attributes)
	if err != nil {
		return nil, "", err
	}
	changed, err := patch.Apply(schema.Group, stored, ops)
	if err != nil {
		return nil, "", err
	}
	x.recordName(changed)
	if reflect.DeepEqual(stored, changed) {
		return nil, ifMatch, nil
	}
	raw, err := json.Marshal(changed)
	return raw, g.Version, err
}

// findMembers reads the members for the rare filter that does not name them.
func (x *exchange) findMembers(p bridge.Predicate) ([]string, error) {
	g, err := x.directory.Group(x.r.Context(), x.id, true)
	if err != nil {
		return nil, err
	}
	var ids []string
	for _, m := range g.Members {
		if filter.Match(p, map[string]any{"value": m.ID, "display": m.Display, "type": m.Type}) {
			ids = append(ids, m.ID)
		}
	}
	return ids, nil
}

// decodeGroup reads a whole group. One without "members" has none.
func (x *exchange) decodeGroup() (json.RawMessage, []string, error) {
	body, err := x.decodeObject(maxLargeBody)
	if err != nil {
		return nil, nil, err
	}
	x.recordName(body)
	value, body, err := cutMembers(body)
	if err != nil {
		return nil, nil, err
	}
	members, err := patch.MemberIDs(value)
	if err != nil {
		return nil, nil, err
	}
	resource, err := patch.Normalize(schema.Group, body)
	if err != nil {
		return nil, nil, err
	}
	x.recordName(resource)
	raw, err := json.Marshal(resource)
	return raw, members, err
}

// cutMembers takes the members out of a group as they were sent: normalising
// would make [{}], which has no id, the same as [], which empties the group.
func cutMembers(body map[string]any) (members any, rest map[string]any, err error) {
	body, err = schema.Group.Unqualified(body)
	if err != nil {
		return nil, nil, err
	}
	rest = maps.Clone(body)
	for name, value := range body {
		is, ids := patch.IsMembersKey(name)
		if !is {
			continue
		}
		if !ids && value != nil {
			return nil, nil, schema.Errorf(schema.InvalidValue, "%.60q names no member of a whole group: send "+
				"members as a list", name)
		}
		if members != nil && value != nil {
			return nil, nil, schema.Errorf(schema.InvalidValue,
				"members is given twice, in two spellings; send it once")
		}
		if value != nil {
			members = value
		}
		delete(rest, name)
	}
	return members, rest, nil
}

func (x *exchange) answerGroup(status int, g bridge.Group, projection schema.Projection) error {
	s, err := x.renderGroup(g, projection)
	if err != nil {
		return err
	}
	return x.answer(status, s)
}

func (x *exchange) groupVersion() (string, error) {
	g, err := x.directory.Group(x.r.Context(), x.id, false)
	return g.Version, err
}
