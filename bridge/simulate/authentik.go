package simulate

// authentik speaks as authentik's SCIM provider does: it reads what the server
// is able to, pages through what it has, creates people without looking for
// them first, updates them by PUT, deletes people that leave, renames a group by a
// PATCH that carries the whole group, and changes members by an operation for
// each, as many in a request as bulk.maxOperations says.
// Source: goauthentik/authentik, authentik/providers/scim/clients/users.py and
// groups.py.
type authentik struct{}

func (authentik) connectionTest(string) []Step {
	return []Step{
		needing(featurePatch, get("/ServiceProviderConfig", check(Path{"patch", "supported"}, "eq", true),
			check(Path{"bulk", "maxOperations"}, "type", "number"))),
		get("/Users", listed()),
		get("/Groups", listed()),
		get("/Groups?startIndex=1", listed()),
	}
}

func (authentik) findPerson(p person) Step {
	return get(`/Users?filter=`+eq("userName", p.userName), listed())
}

func (a authentik) createPerson(p person) Step {
	return post("/Users", a.resource(p), check(Path{"userName"}, "eq", p.userName))
}

func (authentik) resource(p person) object {
	return object{
		"schemas":     []string{userSchema},
		"externalId":  p.guid(),
		"userName":    p.userName,
		"name":        object{"formatted": p.display(), "givenName": p.given, "familyName": p.family},
		"displayName": p.display(),
		"title":       p.title,
		"active":      p.active,
		"emails":      []object{{"value": p.userName, "type": "other", "primary": true}},
		"locale":      "en_US",
		"photos":      []object{{"value": "https://example.com/avatar.png", "type": "photo"}},
	}
}

func (a authentik) updatePerson(id string, has any, p person) []Step {
	if upToDate(has, p) {
		return nil
	}
	body := a.resource(p)
	body["id"] = id
	return []Step{put(at("Users", id), body, check(Path{"id"}, "eq", id), check(Path{"title"}, "eq", p.title))}
}

func (authentik) leave(id string, _ person) Step { return remove(at("Users", id)) }

func (authentik) findTeam(name string) Step {
	return get(`/Groups?filter=`+eq("displayName", name), listed())
}

func (a authentik) createTeam(name string) Step {
	return post("/Groups", a.team(name), check(Path{"displayName"}, "eq", name))
}

func (authentik) team(name string) object {
	return object{"schemas": []string{groupSchema}, "externalId": person{userName: name}.guid(), "displayName": name}
}

func (a authentik) changeMembers(g group, join, leave []member) []Step {
	whole := a.team(g.name)
	whole["id"] = g.id
	steps := []Step{patch(at("Groups", g.id), object{"op": "replace", "value": whole}).as(habitRenameGroup)}
	change := func(op string) func([]member) Step {
		return func(some []member) Step {
			ops := make([]object, len(some))
			for i, m := range some {
				ops[i] = object{"op": op, "path": "members", "value": []object{{"value": m.id}}}
			}
			return patch(at("Groups", g.id), ops...).as(habitMembersEach)
		}
	}
	return append(append(steps, inBatches(join, change("add"))...), inBatches(leave, change("remove"))...)
}
