package simulate

// keycloak speaks as the SCIM extensions for Keycloak do that are built on a
// Java SCIM SDK: they create without looking first, search by POST, replace
// people and groups as a whole with a meta and a $ref of their own making, send
// realm roles along, and delete people that leave.
// Source: mitodl/keycloak-scim (sh.libre.scim.core: ScimClient.java,
// UserAdapter.java, GroupAdapter.java).
type keycloak struct{}

func (keycloak) connectionTest(random string) []Step {
	return []Step{
		get("/ServiceProviderConfig", check(Path{"schemas"}, "set", nil)),
		get("/ResourceTypes", listed()),
		get("/Schemas", check(Path{"Resources"}, "type", "array")),
		search("Users", eq("userName", random), check(Path{"totalResults"}, "eq", 0.0)),
	}
}

func (keycloak) findPerson(p person) Step {
	return search("Users", eq("userName", p.userName), listed())
}

func (k keycloak) createPerson(p person) Step {
	return post("/Users", k.resource(p), check(Path{"meta", "location"}, "set", nil))
}

func (keycloak) resource(p person) object {
	return object{
		"schemas":     []string{userSchema},
		"userName":    p.userName,
		"externalId":  p.guid(),
		"displayName": p.display(),
		"title":       p.title,
		"name":        object{"givenName": p.given, "familyName": p.family, "formatted": p.display()},
		"emails":      []object{{"value": p.userName, "primary": true}},
		"roles":       []object{{"value": "offline_access"}, {"value": "uma_authorization"}},
		"active":      p.active,
	}
}

func (k keycloak) updatePerson(id string, has any, p person) []Step {
	if upToDate(has, p) {
		return nil
	}
	body := k.resource(p)
	body["id"], body["meta"] = id, object{"location": "Users/" + id}
	return []Step{put(at("Users", id), body, check(Path{"title"}, "eq", p.title), check(Path{"roles"}, "len", 2.0))}
}

func (keycloak) leave(id string, _ person) Step { return remove(at("Users", id)) }

func (keycloak) findTeam(name string) Step {
	return search("Groups", eq("displayName", name), listed())
}

func (keycloak) createTeam(name string) Step {
	return post("/Groups", object{
		"schemas": []string{groupSchema}, "externalId": person{userName: name}.guid(), "displayName": name,
	}, check(Path{"id"}, "set", nil))
}

// changeMembers leaves the key out when no member is left, as toSCIM of
// GroupAdapter.java does, and the server must understand that.
func (keycloak) changeMembers(g group, _, _ []member) []Step {
	body := object{
		"schemas": []string{groupSchema}, "id": g.id, "externalId": person{userName: g.name}.guid(),
		"displayName": g.name, "meta": object{"location": "Groups/" + g.id},
	}
	if len(g.members) == 0 {
		return []Step{put(at("Groups", g.id), body, check(Path{"id"}, "eq", g.id),
			check(Path{"members"}, "empty", nil))}
	}
	list := memberValues(g.members)
	for i, m := range g.members {
		list[i]["$ref"] = "Users/" + m.id
	}
	body["members"] = list
	return []Step{put(at("Groups", g.id), body, check(Path{"id"}, "eq", g.id))}
}
