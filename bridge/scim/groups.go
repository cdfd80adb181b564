package scim

import (
	"encoding/json"
	"net/http"
	"reflect"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge"
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
	g, err := x.directory.CreateGroup(x.r.Context(), in)
	if err != nil {
		return err
	}
	x.reportUnknown(g)
	if len(in.Members) > 0 && projection.Shows("members") {
		// What a create answers leaves the members out.
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
	g, err := x.directory.UpdateGroup(x.r.Context(), x.id, change, ifMatch, projection.Shows("members"))
	if err != nil {
		return err
	}
	x.reportUnknown(g)
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
	x.w.WriteHeader(http.StatusNoContent)
	return nil
}

// patchGroup answers without a body unless attributes were asked for: Entra
// ID wants 204, and a body would have to list every member.
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
	asked := !projection.Full()
	var g bridge.Group
	err = retryStale(x.r.Context(), ifMatch, func() error {
		change := bridge.GroupChange{Replace: members.Replace, Add: members.Add, Remove: members.Remove}
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
	x.reportUnknown(g)
	if asked {
		return x.answerGroup(http.StatusOK, g, projection)
	}
	x.w.Header().Set("ETag", g.Version)
	x.w.WriteHeader(http.StatusNoContent)
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

// decodeGroup reads a whole group, whose members are nobody if it does not
// speak of them.
func (x *exchange) decodeGroup() (json.RawMessage, []string, error) {
	body, err := x.decodeObject(maxLargeBody)
	if err != nil {
		return nil, nil, err
	}
	resource, err := schema.Group.Normalize(body)
	if err != nil {
		return nil, nil, err
	}
	members, err := patch.MemberIDs(resource["members"])
	if err != nil {
		return nil, nil, err
	}
	delete(resource, "members")
	raw, err := json.Marshal(resource)
	return raw, members, err
}

// reportUnknown names the members that a request asked for and that do not
// exist. The rest of the push went through: Okta takes a 400 as final and
// would lose it all.
func (x *exchange) reportUnknown(g bridge.Group) {
	if len(g.UnknownMembers) > 0 {
		x.log.Warn("members passed over: no person or group has these ids", "group", g.ID, "ids", g.UnknownMembers)
	}
}

func (x *exchange) answerGroup(status int, g bridge.Group, projection schema.Projection) error {
	s, err := x.showGroup(g, projection)
	if err != nil {
		return err
	}
	return x.answer(status, s)
}

func (x *exchange) groupVersion() (string, error) {
	g, err := x.directory.Group(x.r.Context(), x.id, false)
	return g.Version, err
}
